/* The runner against real node cores in the virtual air. */
#include "enroll/runner.h"

#include <stdio.h>

#include "base/log.h"
#include "enr/meshadv.h"
#include "enr/serial.h"
#include "enroll/batch.h"
#include "enroll/runner_room.h"
#include "support/logged.h"
#include "support/rig.h"
#include "unit/suite.h"

#define NETWORK 480
#define GATEWAY 2673000u
#define FIRST 2673001u
#define FLEET 3
#define FAR AIR_RSSI_NONE
#define NEAR (-60)

static unsigned fleet = FLEET;

static struct sim_enrollment member(uint16_t node_id)
{
	return (struct sim_enrollment){.enrolled = true,
		.network_id = NETWORK,
		.node_id = node_id,
		.network_key = rig_key(0x10),
		.user_base_key = rig_key(0x11),
		.organization_key = rig_key(0x12)};
}

/* A gateway node that is there already, and a fleet that our own radio does not hear. */
static void with_gateway(struct rig *r, uint64_t seed, int fleet_rssi)
{
	struct secret16 key = rig_key(0x10);
	struct sim_enrollment preset = member(1);

	fleet = FLEET;
	rig_open(r, seed);
	(void)rig_node(r, GATEWAY, NEAR, &preset);
	for (unsigned i = 0; i < fleet; i++)
		(void)rig_node(r, FIRST + i, fleet_rssi, NULL);
	rig_network(r, NETWORK, &key);
}

static void add_fleet(struct rig *r)
{
	for (unsigned i = 0; i < fleet; i++) {
		struct secret16 key = rig_key((uint8_t)(FIRST + i));

		ck_assert_int_eq(rig_add(r, NETWORK, FIRST + i, &key), ERR_OK);
	}
}

static bool all_joined(struct rig *r)
{
	for (unsigned i = 0; i < fleet; i++)
		if (rig_show(r, FIRST + i).state != JOB_JOINED)
			return false;
	return true;
}

static bool all_over(struct rig *r)
{
	for (unsigned i = 0; i < fleet; i++)
		if (!job_is_over(rig_show(r, FIRST + i).state))
			return false;
	return true;
}

/* What a node believes is what we believe. */
static void check_node(struct rig *r, uint32_t serial)
{
	struct node_view v = rig_show(r, serial);
	struct sim_enrollment e;

	sim_node_state(air_find(r->air, serial), &e);
	ck_assert(e.enrolled);
	ck_assert_uint_eq(e.network_id, NETWORK);
	ck_assert_uint_eq(e.node_id, v.node_id);
}

START_TEST(enrolls_over_the_mesh)
{
	struct rig r;

	with_gateway(&r, 1, FAR);
	add_fleet(&r);
	ck_assert(rig_run(&r, 180000, all_joined));
	printf("%u nodes over the mesh in %u virtual seconds\n", fleet,
		(unsigned)(air_now_ms(r.air) / 1000));
	for (unsigned i = 0; i < fleet; i++) {
		check_node(&r, FIRST + i);
		ck_assert_int_ne(rig_show(&r, FIRST + i).method, JOB_METHOD_DIRECT);
		ck_assert_uint_ge(rig_show(&r, FIRST + i).node_id, 1000);
	}
	ck_assert_uint_ge(r.events, 4 * fleet);
	rig_close(&r);
}
END_TEST

/* As fleet-baseline: everybody hears everybody, ten helpers at the start would be its K. */
START_TEST(enrolls_a_floor_of_twenty)
{
	struct secret16 key = rig_key(0x10);
	struct sim_enrollment preset = member(1);
	struct rig r;

	log_set_level(LOG_LEVEL_ERR);
	fleet = 20;
	rig_open(&r, 12);
	(void)rig_node(&r, GATEWAY, NEAR, &preset);
	for (unsigned i = 0; i < fleet; i++)
		(void)rig_node(&r, FIRST + i, FAR, NULL);
	rig_network(&r, NETWORK, &key);
	add_fleet(&r);
	ck_assert(rig_run(&r, 1200000, all_joined));
	printf("%u nodes over the mesh in %u virtual seconds\n", fleet,
		(unsigned)(air_now_ms(r.air) / 1000));
	for (unsigned i = 0; i < fleet; i++)
		check_node(&r, FIRST + i);
	rig_close(&r);
}
END_TEST

static enum err add_request(struct rig *r, const struct node_request *req)
{
	struct node_view v;
	enum err e = batch_enter(r->batch);

	if (e == ERR_OK)
		e = batch_leave(
			r->batch, nodes_add(r->nodes, &r->w.now, &WORLD_ADMIN, req, &v, NULL));
	return e == ERR_OK ? batch_flush(r->batch) : e;
}

static bool is_connected(struct rig *r)
{
	struct runner_status status;

	runner_status(r->runner, &status);
	return strcmp(status.state, "connected") == 0;
}

/* It takes one connection from us: ours to it as the gateway node of its old network has to go. */
START_TEST(takes_over_a_node_that_is_its_own_gateway_node)
{
	struct secret16 key = rig_key(0x10), node_key = rig_key((uint8_t)FIRST);
	struct sim_enrollment preset = member(7);
	char serial[SERIAL_TEXT_SIZE];
	struct node_request req = {.serial = serial,
		.node_key = &node_key,
		.network_id = NETWORK + 1,
		.timeout_s = 10,
		.force = true};
	struct sim_enrollment e;
	struct rig r;

	fleet = 1;
	rig_open(&r, 21);
	(void)rig_node(&r, FIRST, NEAR, &preset);
	rig_network(&r, NETWORK, &key);
	rig_network(&r, NETWORK + 1, NULL);
	ck_assert(rig_run(&r, 60000, is_connected));
	serial_print(FIRST, serial);
	ck_assert_int_eq(add_request(&r, &req), ERR_OK);
	ck_assert(rig_run(&r, 60000, all_joined));
	sim_node_state(air_find(r.air, FIRST), &e);
	ck_assert_uint_eq(e.network_id, NETWORK + 1);
	ck_assert_uint_eq(rig_show(&r, FIRST).attempts, 1);
	rig_close(&r);
}
END_TEST

START_TEST(enrolls_an_asset)
{
	struct secret16 key = rig_key(0x77);
	struct sim_enrollment e;
	struct sim_spec spec;
	struct sim_node *tag;
	struct rig r;
	struct node_request req = {
		.serial = "FMBCB", .node_key = &key, .asset = true, .network_id = NETWORK};

	with_gateway(&r, 13, NEAR);
	sim_spec_init(&spec);
	spec.serial_index = SERIAL_TESTING_FIRST + 30;
	spec.node_key = key;
	spec.device_type = MESHADV_DEVICE_ASSET;
	spec.gateway_rssi_dbm = NEAR;
	ck_assert_int_eq(air_add_node(r.air, &spec, NULL, &tag), ERR_OK);
	ck_assert_int_eq(add_request(&r, &req), ERR_OK);
	for (int i = 0; i < 120 && rig_show(&r, spec.serial_index).state != JOB_JOINED; i++)
		(void)rig_run(&r, 1000, NULL);
	ck_assert_int_eq(rig_show(&r, spec.serial_index).state, JOB_JOINED);
	sim_node_state(tag, &e);
	ck_assert(e.enrolled);
	ck_assert_uint_eq(e.node_id, 33000);
	rig_close(&r);
}
END_TEST

START_TEST(enrolls_directly_what_it_hears)
{
	struct rig r;

	with_gateway(&r, 2, NEAR);
	add_fleet(&r);
	ck_assert(rig_run(&r, 180000, all_joined));
	printf("%u nodes directly in %u virtual seconds\n", fleet,
		(unsigned)(air_now_ms(r.air) / 1000));
	for (unsigned i = 0; i < fleet; i++) {
		check_node(&r, FIRST + i);
		ck_assert_int_eq(rig_show(&r, FIRST + i).method, JOB_METHOD_DIRECT);
		ck_assert_uint_eq(rig_show(&r, FIRST + i).attempts, 1);
	}
	rig_close(&r);
}
END_TEST

START_TEST(makes_the_first_node_of_an_empty_network_its_gateway)
{
	struct runner_status status;
	struct rig r;

	rig_open(&r, 3);
	fleet = 2;
	(void)rig_node(&r, FIRST, NEAR, NULL);
	(void)rig_node(&r, FIRST + 1, FAR, NULL);
	rig_network(&r, NETWORK, NULL);
	add_fleet(&r);
	ck_assert(rig_run(&r, 240000, all_joined));
	check_node(&r, FIRST);
	check_node(&r, FIRST + 1);
	ck_assert_int_eq(rig_show(&r, FIRST).method, JOB_METHOD_DIRECT);
	ck_assert_int_ne(rig_show(&r, FIRST + 1).method, JOB_METHOD_DIRECT);
	runner_status(r.runner, &status);
	ck_assert_str_eq(status.state, "connected");
	ck_assert_uint_eq(status.network_id, NETWORK);
	ck_assert_uint_eq(status.node_id, rig_show(&r, FIRST).node_id);
	ck_assert_uint_eq(strlen(status.address), 17);
	rig_close(&r);
}
END_TEST

START_TEST(names_a_node_with_a_wrong_key_that_is_near)
{
	struct secret16 wrong = rig_key(0xEE);
	struct rig r;

	with_gateway(&r, 4, NEAR);
	fleet = 1;
	ck_assert_int_eq(rig_add(&r, NETWORK, FIRST, &wrong), ERR_OK);
	ck_assert(rig_run(&r, 60000, all_over));
	ck_assert_int_eq(rig_show(&r, FIRST).state, JOB_FAILED);
	ck_assert_int_eq(rig_show(&r, FIRST).reason, JOB_REASON_KEY_WRONG);
	rig_close(&r);
}
END_TEST

START_TEST(names_a_node_with_a_wrong_key_that_is_far)
{
	struct secret16 wrong = rig_key(0xEE);
	struct rig r;

	with_gateway(&r, 5, FAR);
	fleet = 1;
	ck_assert_int_eq(rig_add(&r, NETWORK, FIRST, &wrong), ERR_OK);
	ck_assert(rig_run(&r, 150000, all_over));
	printf("wrong key found in %u virtual seconds\n", (unsigned)(air_now_ms(r.air) / 1000));
	ck_assert_int_eq(rig_show(&r, FIRST).state, JOB_FAILED);
	ck_assert_int_eq(rig_show(&r, FIRST).reason, JOB_REASON_SILENT);
	rig_close(&r);
}
END_TEST

START_TEST(takes_the_right_key_after_a_wrong_one)
{
	struct secret16 wrong = rig_key(0xEE), right = rig_key((uint8_t)FIRST);
	uint16_t id;
	struct rig r;

	with_gateway(&r, 6, NEAR);
	fleet = 1;
	ck_assert_int_eq(rig_add(&r, NETWORK, FIRST, &wrong), ERR_OK);
	ck_assert(rig_run(&r, 60000, all_over));
	id = rig_show(&r, FIRST).node_id;
	ck_assert_int_eq(rig_add(&r, NETWORK, FIRST, &right), ERR_OK);
	ck_assert(rig_run(&r, 60000, all_joined));
	check_node(&r, FIRST);
	ck_assert_uint_ge(rig_show(&r, FIRST).node_id, id);
	rig_close(&r);
}
END_TEST

static bool first_removed(struct rig *r)
{
	return rig_show(r, FIRST).state == JOB_REMOVED;
}

START_TEST(removes_a_member_through_the_mesh)
{
	struct sim_enrollment e;
	struct rig r;

	with_gateway(&r, 7, FAR);
	fleet = 1;
	add_fleet(&r);
	ck_assert(rig_run(&r, 180000, all_joined));
	ck_assert_int_eq(rig_order(&r, FIRST, nodes_remove), ERR_OK);
	ck_assert_int_eq(rig_show(&r, FIRST).state, JOB_REMOVING);
	ck_assert(rig_run(&r, 60000, first_removed));
	sim_node_state(air_find(r.air, FIRST), &e);
	ck_assert(!e.enrolled);
	add_fleet(&r); /* and back again */
	ck_assert(rig_run(&r, 180000, all_joined));
	check_node(&r, FIRST);
	rig_close(&r);
}
END_TEST

START_TEST(stops_when_it_is_cancelled)
{
	struct rig r;

	with_gateway(&r, 8, FAR);
	fleet = 1;
	air_find(r.air, FIRST); /* nobody hears it: */
	sim_node_power(air_find(r.air, FIRST), false);
	add_fleet(&r);
	(void)rig_run(&r, 30000, all_over);
	ck_assert_int_eq(rig_order(&r, FIRST, nodes_cancel), ERR_OK);
	(void)rig_run(&r, 30000, NULL);
	sim_node_power(air_find(r.air, FIRST), true);
	(void)rig_run(&r, 60000, NULL);
	ck_assert_int_eq(rig_show(&r, FIRST).state, JOB_CANCELLED);
	rig_close(&r);
}
END_TEST

/* A cancel that waits for its commit while the job goes on: whatever comes between them, what the
 * operator was told stays true. A batch of one request makes each event end the batch before. */
START_TEST(never_overwrites_a_cancel)
{
	log_set_level(LOG_LEVEL_ERR);
	for (uint64_t ms = 3000; ms < 3400; ms += 20) {
		struct node_view v;
		struct rig r;

		with_gateway(&r, 14, NEAR);
		rig_stop(&r);
		r.requests_max = 1;
		rig_start(&r);
		fleet = 1;
		(void)rig_run(&r, ms, NULL);
		add_fleet(&r);
		(void)rig_run(&r, 1, NULL); /* the runner has taken it, and waits */
		ck_assert_int_eq(batch_enter(r.batch), ERR_OK);
		ck_assert_int_eq(batch_leave(r.batch, nodes_cancel(r.nodes, &r.w.now, &WORLD_ADMIN,
							      "FMBBC", &v, NULL)),
			ERR_OK);
		(void)rig_run(&r, 3000, NULL); /* begins with its advert, or another's */
		ck_assert_int_eq(rig_show(&r, FIRST).state, JOB_CANCELLED);
		rig_close(&r);
	}
}
END_TEST

START_TEST(comes_back_to_a_gateway_node_that_was_away)
{
	struct rig r;

	with_gateway(&r, 9, FAR);
	fleet = 2;
	(void)rig_run(&r, 10000, NULL);
	sim_node_power(air_find(r.air, GATEWAY), false);
	add_fleet(&r);
	(void)rig_run(&r, 60000, NULL);
	sim_node_power(air_find(r.air, GATEWAY), true);
	ck_assert(rig_run(&r, 240000, all_joined));
	rig_close(&r);
}
END_TEST

START_TEST(sends_again_when_the_answer_is_lost)
{
	struct rig r;

	with_gateway(&r, 10, NEAR);
	fleet = 1;
	sim_node_set_faults(air_find(r.air, FIRST), SIM_FAULT_MUTE);
	add_fleet(&r);
	(void)rig_run(&r, 20000, all_joined); /* it saves, and its OK never comes */
	sim_node_set_faults(air_find(r.air, FIRST), 0);
	ck_assert(rig_run(&r, 120000, all_joined));
	check_node(&r, FIRST);
	ck_assert_uint_ge(rig_show(&r, FIRST).attempts, 2);
	rig_close(&r);
}
END_TEST

/* --- a store that fails ----------------------------------------------------------------------- */

/* One advert of a node that is not enrolled, as our radio hears it. */
static void hear(struct rig *r, uint32_t serial)
{
	const struct meshadv adv = {.serial_index = serial, .device_type = MESHADV_DEVICE_STATIC};
	uint8_t value[MESHADV_SERVICE_DATA_BYTES];
	const struct link_advert advert = {
		.rssi_dbm = NEAR, .connectable = true, .service_data = {value, sizeof(value)}};

	meshadv_encode_value(&adv, value);
	mesh_link_events()->advert(r->mesh, &advert);
}

#define ADVERTS 50

/* Within one pause. */
static void hear_often(void *arg)
{
	struct rig *r = arg;

	for (unsigned i = 0; i < ADVERTS; i++) {
		hear(r, FIRST);
		(void)rig_run(r, (RUNNER_STORAGE_MS - 1) / ADVERTS, NULL);
	}
}

/* With a full disk or a locked database, whoever advertises does not decide how often we try, nor
 * how long the log gets. */
START_TEST(tries_a_store_that_fails_once_a_pause)
{
	struct batch_counters before;
	struct rig r;

	fleet = 1;
	rig_open(&r, 22);
	rig_network(&r, NETWORK, NULL);
	add_fleet(&r);
	(void)rig_run(&r, 1, NULL);
	before = *batch_counters(r.batch);
	r.commits_fail = true;
	ck_assert_uint_eq(logged_lines(hear_often, &r), 2); /* the batch's, and the runner's */
	ck_assert_uint_eq(batch_counters(r.batch)->requests - before.requests, 1);
	ck_assert_uint_eq(batch_counters(r.batch)->failed - before.failed, 1);
	ck_assert_uint_lt(runner_now(r.runner) - runner_find(r.runner, FIRST)->job.ear_ms,
		RUNNER_STORAGE_MS / 2); /* the last one was heard as well */
	(void)rig_run(&r, RUNNER_STORAGE_MS, NULL);
	ck_assert_uint_eq(logged_lines(hear_often, &r), 0);
	ck_assert_uint_eq(batch_counters(r.batch)->failed - before.failed, 2);
	r.commits_fail = false;
	(void)rig_run(&r, RUNNER_STORAGE_MS, NULL);
	ck_assert_int_eq(rig_show(&r, FIRST).state, JOB_PENDING);
	hear(&r, FIRST);
	(void)rig_run(&r, 1, NULL);
	ck_assert_int_eq(rig_show(&r, FIRST).state, JOB_LOCATED);
	rig_close(&r);
}
END_TEST

/* --- kill -9 ---------------------------------------------------------------------------------- */

/* One enrollment with the process killed at its n-th commit. Returns false when it had fewer. */
static bool survive(int rssi, unsigned before, unsigned after)
{
	uint16_t id;
	bool hit;
	struct rig r;

	with_gateway(&r, 11, rssi);
	fleet = 1;
	add_fleet(&r);
	id = rig_show(&r, FIRST).node_id;
	r.commits = 0;
	r.kill_before = before;
	r.kill_after = after;
	(void)rig_run(&r, 180000, all_joined);
	hit = r.killed;
	r.kill_before = r.kill_after = 0;
	if (hit) {
		rig_stop(&r);
		rig_start(&r);
	}
	ck_assert_msg(rig_run(&r, 180000, all_joined), "killed %s commit %u: ended %s",
		before ? "before" : "after", before + after,
		job_state_name(rig_show(&r, FIRST).state));
	check_node(&r, FIRST);
	ck_assert_uint_eq(rig_show(&r, FIRST).node_id, id);
	rig_close(&r);
	return hit;
}

static unsigned sweep(int rssi)
{
	unsigned hits = 0;

	log_set_level(LOG_LEVEL_ERR);
	for (unsigned n = 1; survive(rssi, n, 0); n++)
		hits++;
	for (unsigned n = 1; survive(rssi, 0, n); n++)
		hits++;
	return hits;
}

START_TEST(survives_kill_at_every_commit_of_a_direct_enrollment)
{
	unsigned hits = sweep(NEAR);

	printf("direct: killed at %u places\n", hits);
	ck_assert_uint_ge(hits, 2 * 4); /* located, sent, saved, joined */
}
END_TEST

START_TEST(survives_kill_at_every_commit_of_an_enrollment_over_the_mesh)
{
	unsigned hits = sweep(FAR);

	printf("over the mesh: killed at %u places\n", hits);
	ck_assert_uint_ge(hits, 2 * 4);
}
END_TEST

static void fill(TCase *tc)
{
	log_set_level(LOG_LEVEL_WARN);
	tcase_add_test(tc, enrolls_over_the_mesh);
	tcase_add_test(tc, enrolls_a_floor_of_twenty);
	tcase_add_test(tc, takes_over_a_node_that_is_its_own_gateway_node);
	tcase_add_test(tc, enrolls_an_asset);
	tcase_add_test(tc, enrolls_directly_what_it_hears);
	tcase_add_test(tc, makes_the_first_node_of_an_empty_network_its_gateway);
	tcase_add_test(tc, names_a_node_with_a_wrong_key_that_is_near);
	tcase_add_test(tc, names_a_node_with_a_wrong_key_that_is_far);
	tcase_add_test(tc, takes_the_right_key_after_a_wrong_one);
	tcase_add_test(tc, removes_a_member_through_the_mesh);
	tcase_add_test(tc, stops_when_it_is_cancelled);
	tcase_add_test(tc, never_overwrites_a_cancel);
	tcase_add_test(tc, comes_back_to_a_gateway_node_that_was_away);
	tcase_add_test(tc, sends_again_when_the_answer_is_lost);
	tcase_add_test(tc, tries_a_store_that_fails_once_a_pause);
	tcase_add_test(tc, survives_kill_at_every_commit_of_a_direct_enrollment);
	tcase_add_test(tc, survives_kill_at_every_commit_of_an_enrollment_over_the_mesh);
}

int main(void)
{
	return suite_main("runner", fill);
}
