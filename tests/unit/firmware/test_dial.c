/* A node that is told to connect to another device (mesh-protocol §2.6), in the virtual air: by its
 * terminal, and by a gateway in its mesh. */
#include <stdio.h>

#include "base/crypto_openssl.h"
#include "support/sim_gateway.h"
#include "unit/suite.h"

#define NETWORK 480
#define OWN_ID 7
#define TARGET_SERIAL 201u
#define NODE_KEY "A1:A1:A1:A1:A1:A1:A1:A1:A1:A1:A1:A1:A1:A1:A1:A1"
#define WRONG_KEY "A2:A2:A2:A2:A2:A2:A2:A2:A2:A2:A2:A2:A2:A2:A2:A2"
#define GIVEN_ID 33001

static struct secret16 key_of(uint8_t byte)
{
	struct secret16 k;

	memset(k.b, byte, sizeof(k.b));
	return k;
}

struct bench {
	struct air *air;
	struct gateway g;
	struct sim_node *node, *target;
	char address[18]; /* the target's, as typed */
};

static struct sim_node *add(struct bench *t, uint32_t serial, uint8_t key, uint16_t network_id)
{
	struct sim_spec spec;
	struct sim_node *n;

	sim_spec_init(&spec);
	spec.serial_index = serial;
	spec.node_key = key_of(key);
	spec.preset.enrolled = network_id != 0;
	spec.preset.network_id = network_id;
	spec.preset.node_id = serial == TARGET_SERIAL ? 8 : OWN_ID;
	spec.preset.network_key = key_of(0x10);
	ck_assert_int_eq(air_add_node(t->air, &spec, NULL, &n), ERR_OK);
	return n;
}

/* A member, and a target of that network (0: unenrolled) that its mesh cannot link with. */
static void set_up(struct bench *t, uint16_t target_network)
{
	const uint8_t *a;

	memset(t, 0, sizeof(*t));
	t->air = air_new(11, aes128_default());
	gateway_init(&t->g, t->air);
	t->node = add(t, 100, 0xA0, NETWORK);
	t->target = add(t, TARGET_SERIAL, 0xA1, target_network);
	sim_node_set_faults(t->target, SIM_FAULT_NO_JOIN);
	a = sim_node_address(t->target);
	snprintf(t->address, sizeof(t->address), "%02X:%02X:%02X:%02X:%02X:%02X", a[6], a[5], a[4],
		a[3], a[2], a[1]);
	air_run_until(t->air, 1000);
}

static void tear_down(struct bench *t)
{
	gateway_done(&t->g);
	air_free(t->air);
}

/* --- by the terminal ---------------------------------------------------------------------------
 */

static void type(struct bench *t, const char *before, const char *after)
{
	char line[300];

	snprintf(line, sizeof(line), "%s%s", before, after);
	ck_assert_int_eq(sim_node_type(t->node, line, strlen(line)), ERR_OK);
}

static void connect_with(struct bench *t, const char *arguments)
{
	char command[64];

	snprintf(command, sizeof(command), "action this ma connect %s", t->address);
	type(t, command, arguments);
}

/* Where in what the terminal has shown since the last look this is; NULL: nowhere. */
static const char *shows(struct bench *t, const char *line)
{
	static char shown[SIM_TERMINAL_BYTES + 1];
	struct span lines = sim_node_lines(t->node);

	if (lines.n > 0)
		memcpy(shown, lines.p, lines.n);
	shown[lines.n] = '\0';
	return strstr(shown, line);
}

/* Within ms the terminal shows this. */
static void expect(struct bench *t, uint64_t ms, const char *line)
{
	for (uint64_t until = air_now_ms(t->air) + ms; air_now_ms(t->air) < until;) {
		gateway_run(&t->g, 100);
		if (shows(t, line))
			return;
	}
	ck_abort_msg("no %s", line);
}

/* §3.9: who is connected bears its virtual id. */
#define PONG(id) "{\"type\":\"ping\",\"nodeId\":" id ",\"module\":0,\"requestHandle\":9}\r\n"
#define STATE(partner, state)                                                         \
	"{\"nodeId\":7,\"type\":\"ma_conn_state\",\"module\":10,\"requestHandle\":0," \
	"\"partnerId\":" partner ",\"state\":" state "}\r\n"

START_TEST(connects_by_the_node_key_and_talks_to_it)
{
	struct bench t;

	set_up(&t, 0);
	connect_with(&t, " 1 " NODE_KEY " 0 5");
	expect(&t, 5000, STATE("2007", "4"));
	type(&t, "action 2007 node ping 9", "");
	expect(&t, 2000, PONG("2007"));
	type(&t, "action this ma disconnect ", t.address);
	expect(&t, 2000, STATE("2007", "0"));
	tear_down(&t);
}
END_TEST

START_TEST(tells_when_the_other_side_goes)
{
	struct bench t;

	set_up(&t, 0);
	connect_with(&t, " 1 " NODE_KEY);
	expect(&t, 5000, STATE("2007", "4"));
	sim_node_power(t.target, false);
	expect(&t, 10000, STATE("2007", "0"));
	tear_down(&t);
}
END_TEST

START_TEST(says_so_when_it_cannot)
{
	struct bench t;

	set_up(&t, 0);
	connect_with(&t, " 1 " WRONG_KEY);
	expect(&t, 5000, STATE("0", "0"));
	connect_with(&t, ""); /* its own node key is not the target's */
	expect(&t, 5000, STATE("0", "0"));
	connect_with(&t, " 0"); /* no ZERO key without the feature */
	expect(&t, 100, STATE("0", "0"));
	connect_with(&t, " 7 "); /* no such key */
	expect(&t, 100, "Wrong Arguments");
	connect_with(&t, " 7");
	expect(&t, 100, STATE("0", "0"));
	sim_node_power(t.target, false);
	connect_with(&t, " 1 " NODE_KEY);
	expect(&t, 6000, STATE("0", "0"));
	tear_down(&t);
}
END_TEST

START_TEST(a_second_connection_to_the_same_device_is_refused)
{
	struct bench t;

	set_up(&t, 0);
	connect_with(&t, " 1 " NODE_KEY);
	expect(&t, 5000, STATE("2007", "4"));
	connect_with(&t, " 1 " NODE_KEY);
	expect(&t, 100, STATE("0", "0"));
	type(&t, "action 2007 node ping 9", "");
	expect(&t, 2000, PONG("2007"));
	tear_down(&t);
}
END_TEST

START_TEST(its_own_network_key_opens_a_node_of_its_network)
{
	struct bench t;

	set_up(&t, NETWORK);
	connect_with(&t, " 2 FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF 1");
	expect(&t, 5000, STATE("2007", "4"));
	type(&t, "action 8 node ping 9", ""); /* the target's mesh is ours to talk to */
	expect(&t, 2000, PONG("2007"));
	tear_down(&t);
}
END_TEST

/* §4.6 step 5: an enrollment makes room, whoever ordered the link. */
START_TEST(an_enrollment_takes_the_link_away)
{
	struct bench t;

	set_up(&t, 0);
	connect_with(&t, " 1 " NODE_KEY);
	expect(&t, 5000, STATE("2007", "4"));
	type(&t, "action this enroll basic BBBKV 77 480 " NODE_KEY " " NODE_KEY " " NODE_KEY,
		" " NODE_KEY " 10 1 3"); /* BBBKV: 201 + 99, nobody */
	expect(&t, 2000, STATE("2007", "0"));
	tear_down(&t);
}
END_TEST

/* --- by a gateway, by serial -------------------------------------------------------------------
 */

static void attach(struct bench *t)
{
	struct secret16 key = key_of(0x10);

	ck_assert(gateway_open(
		&t->g, t->node, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_REMOTE_MESH, &key));
}

static void order(struct bench *t, uint32_t serial, uint16_t node_id, uint32_t keep_alive_s,
	const uint8_t *address, uint8_t handle)
{
	static const uint8_t anywhere[MESHMSG_ADDRESS_BYTES] = {0};
	const struct secret16 key = key_of(0xA1);
	const struct meshmsg_serial_connect m = {
		.serial_index = serial,
		.key_id = MESHSEC_KEY_NODE,
		.key = key.b,
		.node_id = node_id,
		.keep_alive_s = keep_alive_s,
		.address = address ? address : anywhere,
	};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_serial_connect(
				 &w, (struct meshmsg_route){GATEWAY_ID, OWN_ID, handle}, &m),
		ERR_OK);
	gateway_send(&t->g, b, w.len_bytes);
}

static struct meshmsg_serial_connected answer(struct bench *t, uint64_t ms, uint8_t handle)
{
	struct meshmsg_serial_connected out;
	struct meshmsg m;

	ck_assert(gateway_wait(&t->g, MESHMSG_SERIAL_CONNECTED, ms, &m));
	ck_assert_uint_eq(m.sender, OWN_ID);
	ck_assert_uint_eq(m.receiver, GATEWAY_ID);
	ck_assert_uint_eq(m.request_handle, handle);
	ck_assert_int_eq(meshmsg_decode_serial_connected(&m, &out), ERR_OK);
	return out;
}

/* The target answers a ping under that id, or does not. */
static bool answers(struct bench *t, uint16_t id)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct meshmsg m;

	ck_assert_int_eq(
		meshmsg_encode_plain(&w, (struct meshmsg_route){GATEWAY_ID, id, 77}, MESHMSG_PING),
		ERR_OK);
	t->g.inbox_count = 0;
	gateway_send(&t->g, b, w.len_bytes);
	return gateway_wait(&t->g, MESHMSG_PING_RESPONSE, 2000, &m);
}

START_TEST(finds_a_serial_and_gives_it_the_id_that_was_asked_for)
{
	struct meshmsg_serial_connected a;
	struct bench t;

	set_up(&t, 0);
	attach(&t);
	order(&t, TARGET_SERIAL, GIVEN_ID, 20, NULL, 5);
	a = answer(&t, 15000, 5);
	ck_assert_uint_eq(a.code, MESHMSG_SERIAL_OK);
	ck_assert_uint_eq(a.partner_id, GIVEN_ID);
	gateway_run(&t.g, 17000);
	type(&t, "action 33001 node ping 9", "");
	expect(&t, 1000, PONG("33001"));
	gateway_run(&t.g, 3000); /* initialKeepAliveSec is over */
	type(&t, "action 33001 node ping 9", "");
	gateway_run(&t.g, 2000);
	ck_assert_ptr_null(shows(&t, PONG("33001")));
	order(&t, TARGET_SERIAL, 0, 0, sim_node_address(t.target), 6);
	a = answer(&t, 15000, 6);
	ck_assert_uint_eq(a.code, MESHMSG_SERIAL_OK);
	ck_assert_uint_ne(a.partner_id, GIVEN_ID); /* none was given: as usual */
	tear_down(&t);
}
END_TEST

/* A gateway in the mesh reaches it under that id, though it was opened by a node key. */
START_TEST(hands_on_what_is_for_the_device_that_it_dialled)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct bench t;

	set_up(&t, 0);
	attach(&t);
	order(&t, TARGET_SERIAL, GIVEN_ID, 0, NULL, 5);
	ck_assert_uint_eq(answer(&t, 15000, 5).code, MESHMSG_SERIAL_OK);
	ck_assert_int_eq(
		meshmsg_encode_reset_node(&w, (struct meshmsg_route){GATEWAY_ID, GIVEN_ID, 0}, 1),
		ERR_OK);
	gateway_send(&t.g, b, w.len_bytes);
	gateway_run(&t.g, 3000);
	ck_assert_uint_eq(sim_node_reboots(t.target), 1);
	ck_assert_uint_eq(sim_node_reboots(t.node), 0);
	tear_down(&t);
}
END_TEST

START_TEST(looks_for_fifteen_seconds)
{
	struct meshmsg_serial_connected a;
	struct bench t;
	uint64_t from;

	set_up(&t, 0);
	attach(&t);
	from = air_now_ms(t.air);
	order(&t, TARGET_SERIAL + 1, 0, 0, NULL, 5);
	a = answer(&t, 20000, 5);
	ck_assert_uint_eq(a.code, MESHMSG_SERIAL_TIMEOUT);
	ck_assert_uint_ge(air_now_ms(t.air) - from, 15000);
	ck_assert_uint_le(air_now_ms(t.air) - from, 15300);
	sim_node_power(t.target, false);
	order(&t, TARGET_SERIAL, 0, 0, sim_node_address(t.target), 6); /* not there */
	a = answer(&t, 20000, 6);
	ck_assert_uint_eq(a.code, MESHMSG_SERIAL_TIMEOUT);
	tear_down(&t);
}
END_TEST

START_TEST(the_next_order_takes_the_place_of_one_that_waits)
{
	struct meshmsg_serial_connected a;
	struct bench t;

	set_up(&t, 0);
	attach(&t);
	order(&t, TARGET_SERIAL + 1, 0, 0, NULL, 5);
	gateway_run(&t.g, 1000);
	order(&t, TARGET_SERIAL, 0, 0, NULL, 6);
	a = answer(&t, 2000, 5);
	ck_assert_uint_eq(a.code, MESHMSG_SERIAL_OVERWRITTEN);
	a = answer(&t, 15000, 6);
	ck_assert_uint_eq(a.code, MESHMSG_SERIAL_OK);
	tear_down(&t);
}
END_TEST

/* While it is connecting to somebody who never answers, too. */
START_TEST(the_next_order_cancels_an_attempt)
{
	struct meshmsg_serial_connected a;
	struct bench t;

	set_up(&t, 0);
	attach(&t);
	sim_node_set_faults(t.target, SIM_FAULT_NO_JOIN | SIM_FAULT_NO_CONNECT);
	order(&t, TARGET_SERIAL, 0, 0, sim_node_address(t.target), 5);
	gateway_run(&t.g, 1000);
	sim_node_set_faults(t.target, SIM_FAULT_NO_JOIN);
	order(&t, TARGET_SERIAL, GIVEN_ID, 0, sim_node_address(t.target), 6);
	a = answer(&t, 2000, 5);
	ck_assert_uint_eq(a.code, MESHMSG_SERIAL_OVERWRITTEN);
	a = answer(&t, 15000, 6);
	ck_assert_uint_eq(a.code, MESHMSG_SERIAL_OK);
	ck_assert_uint_eq(a.partner_id, GIVEN_ID);
	tear_down(&t);
}
END_TEST

/* §3.10: nobody at the door makes a node use its own keys. */
START_TEST(its_own_keys_are_not_for_whom_comes_by_meshaccess)
{
	static const uint8_t anywhere[MESHMSG_ADDRESS_BYTES] = {0};
	const struct secret16 own = key_of(0xFF);
	const struct meshmsg_serial_connect m = {
		.serial_index = TARGET_SERIAL,
		.key_id = MESHSEC_KEY_NETWORK,
		.key = own.b,
		.address = anywhere,
	};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct meshmsg got;
	struct bench t;

	set_up(&t, NETWORK);
	attach(&t);
	ck_assert_int_eq(meshmsg_encode_serial_connect(
				 &w, (struct meshmsg_route){GATEWAY_ID, OWN_ID, 5}, &m),
		ERR_OK);
	gateway_send(&t.g, b, w.len_bytes);
	ck_assert(!gateway_wait(&t.g, MESHMSG_SERIAL_CONNECTED, 20000, &got));
	ck_assert(answers(&t, OWN_ID));
	tear_down(&t);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, connects_by_the_node_key_and_talks_to_it);
	tcase_add_test(tc, tells_when_the_other_side_goes);
	tcase_add_test(tc, says_so_when_it_cannot);
	tcase_add_test(tc, a_second_connection_to_the_same_device_is_refused);
	tcase_add_test(tc, its_own_network_key_opens_a_node_of_its_network);
	tcase_add_test(tc, an_enrollment_takes_the_link_away);
	tcase_add_test(tc, finds_a_serial_and_gives_it_the_id_that_was_asked_for);
	tcase_add_test(tc, hands_on_what_is_for_the_device_that_it_dialled);
	tcase_add_test(tc, looks_for_fifteen_seconds);
	tcase_add_test(tc, the_next_order_takes_the_place_of_one_that_waits);
	tcase_add_test(tc, the_next_order_cancels_an_attempt);
	tcase_add_test(tc, its_own_keys_are_not_for_whom_comes_by_meshaccess);
}

int main(void)
{
	return suite_main("firmware/dial", fill);
}
