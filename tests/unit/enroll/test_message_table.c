/*
 * All 256 message types times 256 actions, encrypted, through a real session to the runner: what is
 * not in the table of messages changes nothing and is counted.
 */
#include <event2/event.h>
#include <stdio.h>

#include "base/crypto_openssl.h"
#include "base/log.h"
#include "enr/meshadv.h"
#include "enr/meshmsg.h"
#include "enr/meshsec.h"
#include "enroll/batch.h"
#include "enroll/nodes.h"
#include "enroll/runner.h"
#include "mesh/mesh.h"
#include "mesh/timer.h"
#include "support/link_script.h"
#include "support/world.h"
#include "unit/suite.h"

#define NETWORK 480
#define NODE_ID 7
#define GATEWAY 2673000u
#define SERIAL "FMCCC"
#define OTHER "FMDDD"
#define MESSAGE_BYTES 12

static const struct secret16 network_key = {{0x42, 0x10, 0x10, 0x10}};
static const struct secret16 node_key = {{0x42, 0x77, 0x77, 0x77}};

static struct world w;
static struct timers timers;
static struct event_base *base;
static struct batch *batch;
static struct mesh *mesh;
static struct nodes *nodes;
static struct runner *runner;
static struct link_script ls;
static struct meshsec peer; /* the gateway node's side */
static uint16_t conn;
static struct meshsec direct; /* and that of a node with a session of its own */
static uint16_t direct_conn;
static uint32_t serial;

static void world_clock(void *ctx, struct clock_now *out)
{
	(void)ctx;
	*out = w.now;
}

static void on_adapter(void *arg, bool ready)
{
	(void)arg;
	if (runner)
		runner_on_adapter(runner, ready);
}

static void build(void)
{
	static const struct mesh_events events = {.adapter = on_adapter};
	struct runner_config config = {.clock = world_clock};

	runner = NULL;
	timers = (struct timers){.now_ms = w.now.boot_ms};
	base = event_base_new();
	ck_assert_int_eq(event_base_priority_init(base, BATCH_PRIORITIES), 0);
	ck_assert_int_eq(batch_new(w.store, base, NULL, &batch), ERR_OK);
	ck_assert_int_eq(
		mesh_new(&timers, w.crypto, aes128_default(), &events, NULL, &mesh), ERR_OK);
	mesh_attach(mesh, link_script_init(&ls, mesh_link_events(), mesh));
	nodes = nodes_new(w.store, w.crypto);
	config.store = w.store;
	config.batch = batch;
	config.mesh = mesh;
	config.timers = &timers;
	config.nodes = nodes;
	ck_assert_int_eq(runner_new(&config, &runner), ERR_OK);
	ck_assert_int_eq(runner_start(runner), ERR_OK);
	ls.events->adapter(ls.arg, true);
}

static void tear_down(void)
{
	batch_free(batch);
	runner_free(runner);
	mesh_free(mesh);
	nodes_free(nodes);
	event_base_free(base);
	meshsec_clear(&peer);
	meshsec_clear(&direct);
	world_close(&w);
}

static void order(enum err (*fn)(void))
{
	ck_assert_int_eq(batch_enter(batch), ERR_OK);
	ck_assert_int_eq(batch_leave(batch, fn()), ERR_OK);
	ck_assert_int_eq(batch_flush(batch), ERR_OK);
}

static enum err add_network(void)
{
	const struct network_request req = {
		.id = NETWORK, .network_key = &network_key, .gateway_serial = UINT32_MAX};
	struct network_view v;

	return nodes_network_add(nodes, &w.now, &WORLD_ADMIN, &req, &v, NULL);
}

static enum err add_node(void)
{
	const struct node_request req = {
		.serial = SERIAL, .node_key = &node_key, .network_id = NETWORK};
	struct node_view v;
	enum err e = nodes_add(nodes, &w.now, &WORLD_ADMIN, &req, &v, NULL);

	serial = v.serial;
	return e;
}

static void advertise(uint32_t whose, uint16_t network_id)
{
	const struct meshadv adv = {.is_enrolled = network_id != 0,
		.network_id = network_id,
		.serial_index = whose,
		.device_type = MESHADV_DEVICE_STATIC};
	uint8_t value[MESHADV_SERVICE_DATA_BYTES];
	const struct link_advert advert = {.addr = {1, {(uint8_t)whose, 2, 3, 4, 5, 0xC6}},
		.rssi_dbm = -50,
		.connectable = true,
		.service_data = {value, sizeof(value)}};

	meshadv_encode_value(&adv, value);
	ls.events->advert(ls.arg, &advert);
}

static void pass_ms(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 100)
		timers_run(&timers, timers.now_ms + 100);
}

/* The node of that connection takes the next PDU that the gateway wrote to it. */
static struct meshsec_event taken(struct meshsec *who, uint16_t from)
{
	const struct link_script_pdu *pdu = link_script_take(&ls);
	struct meshsec_event e;

	while (pdu && pdu->conn != from)
		pdu = link_script_take(&ls);
	ck_assert_ptr_nonnull(pdu);
	meshsec_receive(who, pdu->b, pdu->n, &e);
	return e;
}

/* The connection that the gateway has asked for, with a node that has this key. */
static uint16_t connect_node(struct meshsec *who, uint16_t node_id, const struct secret16 *key)
{
	static const uint8_t anonce[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint16_t id = link_script_asked(&ls);
	struct meshsec_pdu pdu;
	struct meshsec_event e;

	ck_assert_uint_ne(id, 0);
	link_script_ready(&ls, id);
	meshsec_init(who, aes128_default(), MESHSEC_PERIPHERAL, node_id);
	e = taken(who, id);
	ck_assert_int_eq(e.type, MESHSEC_EVENT_START);
	ck_assert_int_eq(meshsec_accept(who, key, anonce, &pdu), ERR_OK);
	link_script_notify(&ls, id, pdu.b, pdu.len);
	e = taken(who, id);
	ck_assert_int_eq(e.type, MESHSEC_EVENT_READY);
	link_script_notify(&ls, id, e.pdu.b, e.pdu.len);
	return id;
}

static bool is_attached(void)
{
	struct runner_link link;

	return runner_link(runner, NETWORK, &link) && link.node_id == NODE_ID;
}

static void attach(void)
{
	log_set_level(LOG_LEVEL_ERR);
	world_open(&w);
	build();
	order(add_network);
	order(add_node);
	advertise(GATEWAY, NETWORK);
	pass_ms(3000);
	conn = connect_node(&peer, NODE_ID, &network_key);
	ck_assert_uint_eq(peer.key_id, MESHSEC_KEY_NETWORK);
	ck_assert_int_eq(peer.tunnel, MESHSEC_TUNNEL_REMOTE_MESH);
	ck_assert(is_attached());
	pass_ms(200);
	ck_assert_int_eq(batch_flush(batch), ERR_OK);
}

/* --- what must stay as it is ------------------------------------------------------------------ */

struct picture {
	struct node_view node;
	struct runner_status status;
	int64_t audit, changes;
};

static struct picture look(void)
{
	struct picture p;

	memset(&p, 0, sizeof(p));
	ck_assert_int_eq(nodes_show(nodes, &w.now, &WORLD_ADMIN, SERIAL, &p.node, NULL), ERR_OK);
	runner_status(runner, &p.status);
	p.status.ignored = 0;
	p.audit = world_number(&w, "SELECT count(*) FROM audit");
	p.changes = store_in_transaction(w.store);
	return p;
}

static void expect_same(const struct picture *before, unsigned type)
{
	struct picture now = look();

	ck_assert_msg(now.audit == before->audit, "type %u: an audit row", type);
	ck_assert_msg(now.changes == 0, "type %u: the store was written", type);
	ck_assert_msg(now.node.state == before->node.state &&
			      now.node.changed_at == before->node.changed_at &&
			      now.node.attempts == before->node.attempts &&
			      now.node.helper == before->node.helper &&
			      now.node.node_id == before->node.node_id,
		"type %u: the job has changed", type);
	ck_assert_msg(strcmp(now.status.state, before->status.state) == 0 &&
			      now.status.node_id == before->status.node_id &&
			      now.status.jobs == before->status.jobs,
		"type %u: the session has changed", type);
	ck_assert_msg(is_attached(), "type %u: detached", type);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* About the node whose job waits, so that whatever is taken for an answer would hit it. */
static void make(uint8_t type, uint8_t module, uint8_t action, uint8_t out[MESSAGE_BYTES])
{
	struct wr wr = wr_init(out, MESSAGE_BYTES);

	wr_u8(&wr, type);
	wr_u16(&wr, NODE_ID);
	wr_u16(&wr, MESH_GATEWAY_ID);
	wr_u8(&wr, module);
	wr_u8(&wr, 0); /* no handle: it matches more than any other */
	wr_u8(&wr, action);
	wr_u32(&wr, serial);
	ck_assert_int_eq(wr_end(&wr), ERR_OK);
}

static void say(struct meshsec *who, uint16_t from, const uint8_t *msg, size_t n)
{
	static const uint8_t none[MESH_MESSAGE_MAX];
	struct meshsec_pdu pdu;

	/* Our own side refuses to send fragments as messages: a bad node would not. */
	ck_assert_int_eq(meshsec_send_begin(who, none, n), ERR_OK);
	memcpy(who->out, msg, n);
	while (meshsec_send_next(who, &pdu) == ERR_OK)
		link_script_notify(&ls, from, pdu.b, pdu.len);
}

static void deliver(const uint8_t *msg, size_t n)
{
	say(&peer, conn, msg, n);
}

static bool is_in_table(const uint8_t *msg, size_t n)
{
	struct meshmsg m;

	return meshmsg_decode(msg, n, &m) == ERR_OK && m.kind != MESHMSG_UNKNOWN;
}

static uint64_t ignored(void)
{
	struct runner_status s;

	runner_status(runner, &s);
	return s.ignored;
}

static bool is_fragment(unsigned type)
{
	return type == MESHMSG_TYPE_SPLIT || type == MESHMSG_TYPE_SPLIT_END;
}

/* How many were in the table. */
static unsigned sweep(uint8_t module)
{
	struct picture before = look();
	unsigned known = 0;

	for (unsigned type = 0; type < 256; type++) {
		for (unsigned action = 0; action < 256; action++) {
			uint8_t msg[MESSAGE_BYTES];
			uint64_t was = ignored();

			make((uint8_t)type, module, (uint8_t)action, msg);
			if (is_in_table(msg, sizeof(msg))) {
				known++;
				continue;
			}
			deliver(msg, sizeof(msg));
			ck_assert_msg(is_fragment(type) || ignored() == was + 1,
				"module %u type %u action %u: not counted", module, type, action);
		}
		expect_same(&before, type);
	}
	return known;
}

/* A test each: a module is 65 536 messages, two seconds of a busy machine. */
static const struct {
	uint8_t module;
	unsigned known; /* in the table; 0: more than MODULE_CONFIG's 2, which all modules have */
} modules[] = {{5, 4 + 5 + 2}, {0, 0}, {3, 0}, {10, 0}, {0xAB, 2}}; /* 5: triggers, responses */

START_TEST(what_is_not_in_the_table_changes_nothing)
{
	unsigned known;

	attach();
	known = sweep(modules[_i].module);
	if (modules[_i].known > 0)
		ck_assert_uint_eq(known, modules[_i].known);
	else
		ck_assert_uint_gt(known, 2);
	tear_down();
}
END_TEST

/* Requests are for nodes: the gateway ignores them, though it knows them. */
START_TEST(requests_to_nodes_change_nothing_here)
{
	static const uint8_t asked[] = {0, 3, 5};
	struct picture before;
	unsigned sent = 0;

	attach();
	before = look();
	for (size_t m = 0; m < sizeof(asked); m++)
		for (unsigned action = 0; action < 256; action++) {
			uint8_t msg[MESSAGE_BYTES];
			uint64_t was = ignored();

			make(MESHMSG_TYPE_TRIGGER, asked[m], (uint8_t)action, msg);
			sent += is_in_table(msg, sizeof(msg));
			deliver(msg, sizeof(msg));
			ck_assert_uint_eq(ignored(), was + 1);
		}
	expect_same(&before, MESHMSG_TYPE_TRIGGER);
	ck_assert_uint_ge(sent, 8);
	tear_down();
}
END_TEST

/* The one that must change something, so that the others could have. */
START_TEST(a_proposal_in_the_same_form_locates_the_node)
{
	uint8_t msg[MESSAGE_BYTES];
	struct picture before;

	attach();
	before = look();
	make(MESHMSG_TYPE_RESPONSE, 5, 6, msg);
	for (unsigned action = 0; action < 16; action++) {
		struct meshmsg m;

		make(MESHMSG_TYPE_RESPONSE, 5, (uint8_t)action, msg);
		if (meshmsg_decode(msg, sizeof(msg), &m) == ERR_OK &&
			m.kind == MESHMSG_PROPOSALS_RESPONSE)
			break;
	}
	deliver(msg, sizeof(msg));
	ck_assert_int_eq(batch_flush(batch), ERR_OK);
	ck_assert_int_eq(before.node.state, JOB_PENDING);
	ck_assert_int_eq(look().node.state, JOB_LOCATED);
	tear_down();
}
END_TEST

/* --- a node with a session of its own ----------------------------------------------------------
 */

static enum err add_other(void)
{
	const struct node_request req = {
		.serial = OTHER, .node_key = &node_key, .network_id = NETWORK};
	struct node_view v;

	return nodes_add(nodes, &w.now, &WORLD_ADMIN, &req, &v, NULL);
}

static struct node_view show(const char *text)
{
	struct node_view v;

	ck_assert_int_eq(nodes_show(nodes, &w.now, &WORLD_ADMIN, text, &v, NULL), ERR_OK);
	return v;
}

static void settle(void)
{
	for (unsigned i = 0; i < 20; i++) {
		pass_ms(100);
		ck_assert_int_eq(batch_flush(batch), ERR_OK);
	}
}

static void say_cluster(struct meshsec *who, uint16_t from, int16_t size)
{
	const struct meshmsg_cluster_info info = {.cluster_size = size, .hops_to_sink = -1};
	uint8_t b[MESH_MESSAGE_MAX];
	struct wr wr = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_cluster_info(&wr, NODE_ID, &info), ERR_OK);
	say(who, from, b, wr.len_bytes);
}

static void say_sighted(struct meshsec *who, uint16_t from, uint32_t whom)
{
	const struct meshmsg_route route = {NODE_ID, MESH_GATEWAY_ID, 1};
	uint8_t b[MESH_MESSAGE_MAX];
	struct wr wr = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_proposals_response(&wr, route, whom), ERR_OK);
	say(who, from, b, wr.len_bytes);
}

/* With every handle that there is: who is asked knows it, who was not can try them all. */
static void say_saved(struct meshsec *who, uint16_t from, uint32_t whom)
{
	const struct meshmsg_enroll_response ok = {.serial_index = whom};

	for (unsigned handle = 1; handle <= UINT8_MAX; handle++) {
		const struct meshmsg_route route = {NODE_ID, 0, (uint8_t)handle};
		uint8_t b[MESH_MESSAGE_MAX];
		struct wr wr = wr_init(b, sizeof(b));

		ck_assert_int_eq(meshmsg_encode_enroll_response(&wr, route, &ok), ERR_OK);
		say(who, from, b, wr.len_bytes);
	}
}

static void say_info(struct meshsec *who, uint16_t from, const struct node_view *of)
{
	const struct meshmsg_device_info info = {
		.serial_index = of->serial, .network_id = NETWORK, .device_type = 1};

	for (unsigned handle = 1; handle <= UINT8_MAX; handle++) {
		const struct meshmsg_route route = {of->node_id, 0, (uint8_t)handle};
		uint8_t b[MESH_MESSAGE_MAX];
		struct wr wr = wr_init(b, sizeof(b));

		ck_assert_int_eq(meshmsg_encode_device_info(&wr, route, &info), ERR_OK);
		say(who, from, b, wr.len_bytes);
	}
}

static uint16_t cluster_size(void)
{
	struct runner_link link = {0};

	ck_assert(runner_link(runner, NETWORK, &link));
	return link.cluster_size;
}

static void ask_other(void)
{
	attach();
	say_cluster(&peer, conn, 20);
	order(add_other);
	settle();
	say_sighted(&peer, conn, show(OTHER).serial);
	settle();
	ck_assert_int_eq(show(OTHER).state, JOB_SENT);
}

/* SERIAL has a session of its own, OTHER was asked through the mesh. */
static void open_direct(void)
{
	ask_other();
	advertise(serial, 0);
	settle();
	direct_conn = connect_node(&direct, NODE_ID + 1, &node_key);
	ck_assert_uint_eq(direct.key_id, MESHSEC_KEY_NODE);
	settle();
	ck_assert_int_eq(show(SERIAL).state, JOB_SENT);
}

/* Its key is its own, it may be anybody's device: what it says of the mesh and of others is not
 * believed, whatever we believe of a member. */
START_TEST(a_node_speaks_for_itself_alone)
{
	struct node_view other;

	open_direct();
	other = show(OTHER);
	say_cluster(&direct, direct_conn, 1);
	ck_assert_uint_eq(cluster_size(), 20);
	say_saved(&direct, direct_conn, other.serial);
	settle();
	ck_assert_int_eq(show(OTHER).state, JOB_SENT);
	say_saved(&peer, conn, other.serial); /* a member may */
	settle();
	ck_assert_int_eq(show(OTHER).state, JOB_SAVED);
	say_info(&direct, direct_conn, &other);
	settle();
	ck_assert_int_eq(show(OTHER).state, JOB_SAVED);
	tear_down();
}
END_TEST

/* The whole answer says that it is saved; what is cut off says nothing. */
START_TEST(a_part_of_an_answer_is_none)
{
	struct meshmsg_enroll_response m = {.code = MESHMSG_RESULT_OK};

	ask_other();
	m.serial_index = show(OTHER).serial;
	for (unsigned handle = 1; handle <= UINT8_MAX; handle++) {
		const struct meshmsg_route route = {NODE_ID, 0, (uint8_t)handle};
		uint8_t b[MESH_MESSAGE_MAX];
		struct wr wr = wr_init(b, sizeof(b));

		ck_assert_int_eq(meshmsg_encode_enroll_response(&wr, route, &m), ERR_OK);
		for (size_t n = 1; n < wr.len_bytes; n++)
			deliver(b, n);
	}
	settle();
	ck_assert(is_attached());
	ck_assert_int_eq(show(OTHER).state, JOB_SENT);
	say_saved(&peer, conn, m.serial_index);
	settle();
	ck_assert_int_eq(show(OTHER).state, JOB_SAVED);
	tear_down();
}
END_TEST

START_TEST(a_node_says_that_it_has_its_enrollment)
{
	open_direct();
	say_saved(&direct, direct_conn, serial);
	settle();
	ck_assert_int_eq(show(SERIAL).state, JOB_SAVED);
	ck_assert_int_eq(show(OTHER).state, JOB_SENT);
	tear_down();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, a_node_speaks_for_itself_alone);
	tcase_add_test(tc, a_part_of_an_answer_is_none);
	tcase_add_test(tc, a_node_says_that_it_has_its_enrollment);
	tcase_add_loop_test(tc, what_is_not_in_the_table_changes_nothing, 0,
		sizeof(modules) / sizeof(modules[0]));
	tcase_add_test(tc, requests_to_nodes_change_nothing_here);
	tcase_add_test(tc, a_proposal_in_the_same_form_locates_the_node);
}

int main(void)
{
	return suite_main("message table", fill);
}
