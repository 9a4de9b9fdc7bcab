#include "support/rig.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "enr/meshadv.h"
#include "enr/serial.h"
#include "enroll/batch.h"
#include "support/faultvfs.h"

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "test rig failed: %s\n", what);
	abort();
}

#define NEED(expression) need((expression) == ERR_OK, #expression)

static void rig_clock(void *ctx, struct clock_now *out)
{
	struct rig *r = ctx;

	*out = r->w.now;
}

static void set_clock(struct rig *r)
{
	uint64_t ms = 5000 + air_now_ms(r->air);

	r->w.now.boot_ms = ms;
	r->w.now.wall_s = 1700000000 + ms / 1000;
	r->timers.now_ms = ms;
}

static void on_event(void *ctx, const struct nodes_event *e)
{
	struct rig *r = ctx;

	(void)e;
	r->events++;
}

static void on_adapter(void *arg, bool ready)
{
	struct rig *r = arg;

	if (r->runner)
		runner_on_adapter(r->runner, ready);
}

/* The moment between a commit and what may leave after it. */
static void on_end(void *arg, enum err committed)
{
	struct rig *r = arg;

	if (committed != ERR_OK || r->killed)
		return;
	r->commits++;
	if (r->commits == r->kill_after) {
		r->killed = true;
		link_air_kill(r->link);
	}
}

void rig_start(struct rig *r)
{
	static const struct mesh_events events = {.adapter = on_adapter};
	struct runner_config config = {.clock = rig_clock, .on_event = on_event, .ctx = r};
	struct batch_config batch = {.requests_max = r->requests_max};

	set_clock(r);
	r->killed = false;
	r->commits = 0;
	if (!r->w.store)
		NEED(world_start(&r->w));
	r->base = event_base_new();
	need(r->base != NULL, "event base");
	need(event_base_priority_init(r->base, BATCH_PRIORITIES) == 0, "priorities");
	NEED(batch_new(r->w.store, r->base, &batch, &r->batch));
	NEED(batch_on_end(r->batch, on_end, r));
	NEED(mesh_new(&r->timers, r->w.crypto, aes128_default(), &events, r, &r->mesh));
	r->link = link_air_new(r->air, mesh_link_events(), r->mesh);
	mesh_attach(r->mesh, link_air_link(r->link));
	r->nodes = nodes_new(r->w.store, r->w.crypto);
	config.store = r->w.store;
	config.batch = r->batch;
	config.mesh = r->mesh;
	config.timers = &r->timers;
	config.nodes = r->nodes;
	NEED(runner_new(&config, &r->runner));
	NEED(runner_start(r->runner));
}

/* As kill -9: what is not committed is lost, nobody says good-bye. */
void rig_stop(struct rig *r)
{
	r->killed = true;
	link_air_kill(r->link);
	store_rollback(r->w.store);
	batch_free(r->batch);
	mesh_free(r->mesh);
	runner_free(r->runner);
	nodes_free(r->nodes);
	event_base_free(r->base);
	r->runner = NULL;
	world_stop(&r->w);
}

void rig_open(struct rig *r, uint64_t seed)
{
	printf("seed %llu\n", (unsigned long long)seed);
	memset(r, 0, sizeof(*r));
	faultvfs_install();
	world_open(&r->w);
	r->air = air_new(seed, aes128_default());
	need(r->air != NULL, "air");
	rig_start(r);
}

void rig_close(struct rig *r)
{
	rig_stop(r);
	air_free(r->air);
	world_close(&r->w);
}

static uint64_t next_ms(struct rig *r, uint64_t end_ms)
{
	uint64_t at = air_next_ms(r->air), left;

	if (timers_next(&r->timers, &left) && air_now_ms(r->air) + left < at)
		at = air_now_ms(r->air) + left;
	return at < end_ms ? at : end_ms;
}

/* The disk is full. */
static void fail_commit(struct rig *r)
{
	faultvfs_fail(1, FAULTVFS_FULL, true);
	need(batch_flush(r->batch) == ERR_FULL, "a commit that fails");
	faultvfs_fail(0, FAULTVFS_FULL, false);
}

static void turn(struct rig *r, uint64_t at_ms)
{
	air_run_until(r->air, at_ms);
	set_clock(r);
	(void)link_air_deliver(r->link);
	timers_run(&r->timers, r->timers.now_ms);
	if (!store_in_transaction(r->w.store))
		return;
	if (r->kill_before != 0 && r->commits + 1 == r->kill_before)
		r->killed = true;
	else if (r->commits_fail)
		fail_commit(r);
	else
		NEED(batch_flush(r->batch));
}

bool rig_run(struct rig *r, uint64_t ms, bool (*done)(struct rig *r))
{
	uint64_t end_ms = air_now_ms(r->air) + ms;

	while (!r->killed && air_now_ms(r->air) < end_ms) {
		if (done && done(r))
			return true;
		turn(r, next_ms(r, end_ms));
	}
	return false;
}

/* --- nodes and control -------------------------------------------------------------------- */

struct secret16 rig_key(uint8_t byte)
{
	struct secret16 k;

	memset(k.b, byte, sizeof(k.b));
	k.b[0] = 0x42; /* neither 00 nor FF, whatever the byte */
	return k;
}

struct sim_node *rig_node(
	struct rig *r, uint32_t serial, int gateway_rssi_dbm, const struct sim_enrollment *preset)
{
	struct sim_spec spec;
	struct sim_node *n;

	sim_spec_init(&spec);
	spec.serial_index = serial;
	spec.node_key = rig_key((uint8_t)serial);
	spec.gateway_rssi_dbm = gateway_rssi_dbm;
	if (preset)
		spec.preset = *preset;
	NEED(air_add_node(r->air, &spec, NULL, &n));
	return n;
}

void rig_network_preferring(
	struct rig *r, uint16_t id, const struct secret16 *key, uint32_t gateway_serial)
{
	struct network_request req = {
		.id = id, .network_key = key, .gateway_serial = gateway_serial};
	struct network_view v;

	NEED(batch_enter(r->batch));
	NEED(batch_leave(
		r->batch, nodes_network_add(r->nodes, &r->w.now, &WORLD_ADMIN, &req, &v, NULL)));
	NEED(batch_flush(r->batch));
}

void rig_network(struct rig *r, uint16_t id, const struct secret16 *key)
{
	rig_network_preferring(r, id, key, SERIAL_INDEX_INVALID);
}

enum err rig_add(struct rig *r, uint16_t network_id, uint32_t serial, const struct secret16 *key)
{
	char text[SERIAL_TEXT_SIZE];
	struct node_request req = {.serial = text, .node_key = key, .network_id = network_id};
	struct node_view v;
	enum err e;

	serial_print(serial, text);
	NEED(batch_enter(r->batch));
	e = batch_leave(r->batch, nodes_add(r->nodes, &r->w.now, &WORLD_ADMIN, &req, &v, NULL));
	NEED(batch_flush(r->batch));
	return e;
}

struct sim_node *rig_asset(struct rig *r, uint16_t network_id, uint32_t serial, int rssi_dbm)
{
	struct secret16 key = rig_key((uint8_t)serial);
	char text[SERIAL_TEXT_SIZE];
	struct node_request req = {
		.serial = text, .node_key = &key, .asset = true, .network_id = network_id};
	struct sim_spec spec;
	struct node_view v;
	struct sim_node *asset;

	sim_spec_init(&spec);
	spec.serial_index = serial;
	spec.node_key = key;
	spec.device_type = MESHADV_DEVICE_ASSET;
	spec.gateway_rssi_dbm = rssi_dbm;
	NEED(air_add_node(r->air, &spec, NULL, &asset));
	serial_print(serial, text);
	NEED(batch_enter(r->batch));
	NEED(batch_leave(r->batch, nodes_add(r->nodes, &r->w.now, &WORLD_ADMIN, &req, &v, NULL)));
	NEED(batch_flush(r->batch));
	return asset;
}

enum err rig_order(struct rig *r, uint32_t serial,
	enum err (*order)(struct nodes *n, const struct clock_now *now, const struct caller *who,
		const char *serial, struct node_view *out, struct reason *why))
{
	char text[SERIAL_TEXT_SIZE];
	struct node_view v;
	enum err e;

	serial_print(serial, text);
	NEED(batch_enter(r->batch));
	e = batch_leave(r->batch, order(r->nodes, &r->w.now, &WORLD_ADMIN, text, &v, NULL));
	NEED(batch_flush(r->batch));
	return e;
}

struct node_view rig_show(struct rig *r, uint32_t serial)
{
	char text[SERIAL_TEXT_SIZE];
	struct node_view v;

	serial_print(serial, text);
	NEED(nodes_show(r->nodes, &r->w.now, &WORLD_ADMIN, text, &v, NULL));
	return v;
}
