/* Handshakes that a node refuses, byte by byte, in every state and at every time limit
 * (mesh-protocol §3.2, §3.3, §3.7), and receivers that end somewhere (§1.5): hops and groups. */
#include "base/crypto_openssl.h"
#include "enr/hex.h"
#include "support/fake_port.h"
#include "unit/suite.h"

#define LINK 3
#define OWN_ID 77
#define APP_ID 32000
#define GROUP 20005
#define NOT_OUR_GROUP 20006

static void set_up(struct fake_port *f)
{
	fake_init(f);
	f->node.config.enrolled = true;
	f->node.config.node_id = OWN_ID;
	f->node.config.network_id = 480;
	memset(f->node.config.network_key.b, 0x10, 16);
}

static void put_hex(struct fake_port *f, const char *hex)
{
	uint8_t b[PORT_PDU_MAX_BYTES];
	size_t n = strlen(hex) / 2;

	ck_assert_uint_le(n, sizeof(b));
	ck_assert_int_eq(hex_parse(hex, strlen(hex), b, n), ERR_OK);
	f->out_count = 0;
	node_on_pdu(&f->node, f->now_ms, LINK, b, n);
}

/* --- refused at once ---------------------------------------------------------------------------
 */

#define GOOD_START "19007D0000010100000000"

static const struct {
	const char *why, *first, *second; /* second: after a good first */
} refused[] = {
	{"START with sender 0: WRONG_PARTNERID", "1900000000010100000000", NULL},
	{"START with tunnel 3: ILLEGAL_TUNNEL", "19007D0000010100000003", NULL},
	{"START with tunnel 3 and reserved bits", "19007D00000101000000FF", NULL},
	{"START for BASE_USER: INVALID_KEY", "19007D0000010300000000", NULL},
	{"START for a key id of nobody", "19007D0000010700000000", NULL},
	{"START for a negative key id", "19007D0000010000008000", NULL},
	{"START for ZERO, which we do not allow", "19007D0000010000000000", NULL},
	{"START for a key that is not set", "19007D0000010400000000", NULL},
	{"START that is too short", "19007D000001010000", NULL},
	{"START that is too long", "19007D000001010000000000", NULL},
	{"ANONCE instead of START", "1A007D00000102030405060708", NULL},
	{"SNONCE instead of START", "1B007D00000102030405060708", NULL},
	{"DONE instead of START", "1C007D000000", NULL},
	{"DEAD_DATA instead of START", "3D007D0000DEADDEADDEADDEAD", NULL},
	{"an enrollment without a session", "33007D00000500000200000001000100", NULL},
	{"one byte", "19", NULL},
	{"START twice", GOOD_START, GOOD_START},
	{"SNONCE in clear", GOOD_START, "1B007D4D000102030405060708"},
	{"ANONCE after START", GOOD_START, "1A007D4D000102030405060708"},
	{"DONE after START", GOOD_START, "1C007D4D0000"},
	{"a SNONCE that nobody has sealed", GOOD_START, "0102030405060708090A0B0C0D0E0F1011"},
};

START_TEST(hangs_up_without_a_word)
{
	const char *second = refused[_i].second;
	struct fake_port f;
	struct node before;

	set_up(&f);
	fake_connect(&f, LINK);
	put_hex(&f, refused[_i].first);
	if (second) {
		ck_assert_uint_eq(f.out_count, 1);
		ck_assert_uint_eq(f.hang_ups, 0);
		put_hex(&f, second);
	}
	ck_assert_msg(f.hang_ups == 1 && f.out_count == 0, "%s", refused[_i].why);
	before = f.node;
	put_hex(&f, GOOD_START); /* what comes before the link is gone is not even looked at */
	ck_assert_uint_eq(f.out_count, 0);
	ck_assert_mem_eq(&before, &f.node, sizeof(before));
	node_on_disconnected(&f.node, f.now_ms, LINK);
	fake_connect(&f, LINK); /* and the next one is welcome */
	put_hex(&f, GOOD_START);
	ck_assert_uint_eq(f.out_count, 1);
}
END_TEST

/* --- time limits -------------------------------------------------------------------------------
 */

static uint64_t ms_until_hang_up(struct fake_port *f)
{
	uint64_t from = f->now_ms;

	while (f->hang_ups == 0 && f->now_ms - from < 60000)
		fake_run(f, 10);
	return f->now_ms - from;
}

static void is_about(uint64_t ms, uint64_t want)
{
	ck_assert_uint_ge(ms, want - 100);
	ck_assert_uint_le(ms, want + 200);
}

START_TEST(five_seconds_to_subscribe)
{
	static const uint8_t address[PORT_ADDRESS_BYTES] = {1};
	struct fake_port f;

	set_up(&f);
	node_on_connected(&f.node, f.now_ms, LINK, PORT_PERIPHERAL, address);
	is_about(ms_until_hang_up(&f), MESHSEC_RESOLVE_MS);
}
END_TEST

START_TEST(five_seconds_for_the_whole_handshake)
{
	struct fake_port f;

	set_up(&f);
	fake_connect(&f, LINK);
	fake_run(&f, 3000);
	put_hex(&f, GOOD_START); /* does not start the time again */
	is_about(ms_until_hang_up(&f), MESHSEC_HANDSHAKE_MS - 3000);
}
END_TEST

static void open_session(struct fake_port *f, struct meshsec *app, enum meshsec_tunnel tunnel)
{
	const uint8_t snonce[MESHSEC_NONCE_BYTES] = {1, 2, 3};
	struct meshsec_event ev;
	struct meshsec_pdu pdu;

	fake_connect(f, LINK);
	meshsec_init(app, aes128_default(), MESHSEC_CENTRAL, APP_ID);
	ck_assert_int_eq(meshsec_start(app, MESHSEC_KEY_NETWORK, tunnel,
				 &f->node.config.network_key, snonce, &pdu),
		ERR_OK);
	f->out_count = 0;
	node_on_pdu(&f->node, f->now_ms, LINK, pdu.b, pdu.len);
	meshsec_receive(app, f->out[0].b, f->out[0].n, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_SEND);
	f->out_count = 0;
	node_on_pdu(&f->node, f->now_ms, LINK, ev.pdu.b, ev.pdu.len);
	for (size_t i = 0; i < f->out_count; i++)
		meshsec_receive(app, f->out[i].b, f->out[i].n, &ev);
	ck_assert_int_eq(app->state, MESHSEC_OPEN);
	f->out_count = f->sent_count = 0;
}

START_TEST(an_open_session_has_no_limit)
{
	struct fake_port f;
	struct meshsec app;

	set_up(&f);
	open_session(&f, &app, MESHSEC_TUNNEL_PEER);
	fake_run(&f, 60000);
	ck_assert_uint_eq(f.hang_ups, 0);
}
END_TEST

START_TEST(fifteen_seconds_to_start_again_after_corruption)
{
	struct fake_port f;
	struct meshsec app;

	set_up(&f);
	open_session(&f, &app, MESHSEC_TUNNEL_PEER);
	fake_run(&f, 1000);
	put_hex(&f, "00112233445566778899");
	ck_assert_uint_eq(f.out_count, 1); /* DEAD_DATA, in clear */
	ck_assert_uint_eq(f.out[0].b[0], MESHMSG_TYPE_DEAD_DATA);
	fake_run(&f, 5000);
	put_hex(&f, "00112233445566778899"); /* strays: not answered, not fatal */
	put_hex(&f, "1C007D000000");
	ck_assert_uint_eq(f.out_count, 0);
	ck_assert_uint_eq(f.hang_ups, 0);
	is_about(ms_until_hang_up(&f), MESHSEC_REESTABLISH_MS - 5000);
}
END_TEST

/* --- receivers ---------------------------------------------------------------------------------
 */

struct receiver_row {
	uint16_t to;
	bool is_answered;
	uint16_t goes_on_to; /* 0xFFFF: not */
};

static const struct receiver_row receivers[] = {
	{0, true, 0},
	{OWN_ID, true, 0xFFFF},
	{OWN_ID + 1, false, OWN_ID + 1},
	{30000, true, 0xFFFF}, /* here only */
	{30001, true, 0xFFFF}, /* one hop, and we were it */
	{30002, true, 30001},
	{30999, true, 30998},
	{31001, false, 0}, /* anycast */
	{GROUP, true, GROUP},
	{NOT_OUR_GROUP, false, NOT_OUR_GROUP},
	{29999, false, 29999},
	{0xFFFF, false, 0xFFFF},
};

static size_t ping(uint16_t from, uint16_t to, uint8_t out[MESHMSG_BYTES_MAX])
{
	const struct meshmsg_route route = {from, to, 7};
	struct wr w = wr_init(out, MESHMSG_BYTES_MAX);

	ck_assert_int_eq(meshmsg_encode_plain(&w, route, MESHMSG_PING), ERR_OK);
	return w.len_bytes;
}

static void check_carried(const struct fake_port *f, const struct receiver_row *row)
{
	struct meshmsg m;

	ck_assert(fake_find(f, MESHMSG_PING, &m) == (row->goes_on_to != 0xFFFF));
	if (row->goes_on_to != 0xFFFF)
		ck_assert_uint_eq(m.receiver, row->goes_on_to);
}

START_TEST(every_receiver_ends_where_it_should_from_the_mesh)
{
	const struct receiver_row *row = &receivers[_i];
	uint8_t b[MESHMSG_BYTES_MAX];
	struct fake_port f;
	struct meshmsg m;

	set_up(&f);
	f.features.featureset_group = GROUP;
	fake_receive(&f, b, ping(9, row->to, b));
	ck_assert(fake_find(&f, MESHMSG_PING_RESPONSE, &m) == row->is_answered);
	check_carried(&f, row);
}
END_TEST

static void say(struct fake_port *f, struct meshsec *app, const uint8_t *message, size_t n)
{
	struct meshsec_pdu pdu;

	ck_assert_int_eq(meshsec_send_begin(app, message, n), ERR_OK);
	while (meshsec_send_next(app, &pdu) == ERR_OK)
		node_on_pdu(&f->node, f->now_ms, LINK, pdu.b, pdu.len);
}

START_TEST(every_receiver_ends_where_it_should_from_a_peer)
{
	const struct receiver_row *row = &receivers[_i];
	uint8_t b[MESHMSG_BYTES_MAX];
	struct fake_port f;
	struct meshsec app;

	set_up(&f);
	f.features.featureset_group = GROUP;
	open_session(&f, &app, MESHSEC_TUNNEL_REMOTE_MESH);
	say(&f, &app, b, ping(APP_ID, row->to, b));
	ck_assert_uint_eq(f.out_count, row->is_answered ? 1 : 0);
	check_carried(&f, row);
	ck_assert_uint_eq(f.hang_ups, 0);
}
END_TEST

START_TEST(a_peer_without_the_tunnel_reaches_this_node_only)
{
	const struct receiver_row *row = &receivers[_i];
	uint8_t b[MESHMSG_BYTES_MAX];
	struct fake_port f;
	struct meshsec app;

	set_up(&f);
	f.features.featureset_group = GROUP;
	open_session(&f, &app, MESHSEC_TUNNEL_PEER);
	say(&f, &app, b, ping(APP_ID, row->to, b));
	ck_assert_uint_eq(f.out_count, row->is_answered ? 1 : 0);
	ck_assert_uint_eq(f.sent_count, 0);
}
END_TEST

/* §3.9: a peer bears its virtual id in the mesh, but what an asset measures keeps its name. */
START_TEST(what_assets_measure_keeps_its_sender)
{
	static const struct {
		uint8_t type, module;
		bool keeps;
	} rows[] = {
		{MESHMSG_TYPE_COMPONENT_SENSE, 153, true},
		{MESHMSG_TYPE_COMPONENT_SENSE, 14, false},
		{MESHMSG_TYPE_COMPONENT_ACT, 153, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t b[] = {
			rows[i].type, 0x00, 0x7D, 0, 0, rows[i].module, 0, 0, 1, 0, 2, 0};
		struct fake_port f;
		struct meshsec app;
		struct meshmsg m;

		set_up(&f);
		open_session(&f, &app, MESHSEC_TUNNEL_REMOTE_MESH);
		say(&f, &app, b, sizeof(b));
		ck_assert_uint_eq(f.sent_count, 1);
		ck_assert_int_eq(meshmsg_decode(f.sent[0].b, f.sent[0].n, &m), ERR_OK);
		ck_assert_uint_eq(
			m.sender, rows[i].keeps ? APP_ID : f.node.access.links[0].virtual_id);
	}
}
END_TEST

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void fill(TCase *tc)
{
	tcase_add_loop_test(tc, hangs_up_without_a_word, 0, COUNT(refused));
	tcase_add_test(tc, five_seconds_to_subscribe);
	tcase_add_test(tc, five_seconds_for_the_whole_handshake);
	tcase_add_test(tc, an_open_session_has_no_limit);
	tcase_add_test(tc, fifteen_seconds_to_start_again_after_corruption);
	tcase_add_loop_test(
		tc, every_receiver_ends_where_it_should_from_the_mesh, 0, COUNT(receivers));
	tcase_add_loop_test(
		tc, every_receiver_ends_where_it_should_from_a_peer, 0, COUNT(receivers));
	tcase_add_test(tc, what_assets_measure_keeps_its_sender);
	tcase_add_loop_test(
		tc, a_peer_without_the_tunnel_reaches_this_node_only, 0, COUNT(receivers));
}

int main(void)
{
	return suite_main("firmware/refused", fill);
}
