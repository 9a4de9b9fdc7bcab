#include "mesh/mesh.h"

#include <stdio.h>

#include "base/crypto_openssl.h"
#include "enr/meshmsg.h"
#include "enr/meshsec.h"
#include "mesh/timer.h"
#include "support/link_script.h"
#include "unit/suite.h"

/* --- the world: one mesh, a scripted link, time by hand ----------------------------------------
 */

#define NODE_KEY                                                                              \
	{                                                                                     \
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, \
			0xDD, 0xEE, 0xFF                                                      \
	}

static const uint8_t SNONCE[8] = {0x11, 0x12, 0x13, 0x14, 0xFE, 0xFF, 0xFF, 0xFF};

static struct timers timers;
static struct link_script ls;
static struct mesh *mesh;
static struct mesh_session *session;
static struct crypto crypto;
static bool is_inside; /* a function of mesh.h is running: no callback may come */
static bool wants_close_in_message;
static int opened_count, message_count, writable_count, closed_count, adapter_count;
static enum mesh_end ended;
static uint16_t opened_id;
static uint8_t last_message[MESH_MESSAGE_MAX];
static size_t last_bytes;

static enum err fixed_random(void *ctx, void *out, size_t n)
{
	(void)ctx;
	ck_assert_uint_eq(n, sizeof(SNONCE));
	memcpy(out, SNONCE, n);
	return ERR_OK;
}

static void on_adapter(void *arg, bool ready)
{
	(void)arg;
	(void)ready;
	adapter_count++;
}

static const struct mesh_events mesh_events = {.adapter = on_adapter};

static void on_opened(void *arg, struct mesh_session *s, uint16_t node_id)
{
	(void)arg;
	(void)s;
	ck_assert(!is_inside);
	opened_count++;
	opened_id = node_id;
}

static void on_message(void *arg, struct mesh_session *s, struct span msg)
{
	(void)arg;
	ck_assert(!is_inside);
	message_count++;
	last_bytes = msg.n;
	memcpy(last_message, msg.p, msg.n);
	if (wants_close_in_message)
		mesh_close(s);
}

static void on_writable(void *arg, struct mesh_session *s)
{
	(void)arg;
	(void)s;
	ck_assert(!is_inside);
	writable_count++;
}

static void on_closed(void *arg, struct mesh_session *s, enum mesh_end why)
{
	(void)arg;
	(void)s;
	ck_assert(!is_inside);
	closed_count++;
	ended = why;
	session = NULL;
}

static const struct mesh_session_events events = {
	.opened = on_opened, .message = on_message, .writable = on_writable, .closed = on_closed};

static void begin(void)
{
	struct link link;

	opened_count = message_count = writable_count = closed_count = adapter_count = 0;
	is_inside = wants_close_in_message = false;
	ended = MESH_END_COUNT;
	session = NULL;
	timers = (struct timers){.now_ms = 1000000};
	crypto = *crypto_default();
	crypto.random = fixed_random;
	ck_assert_int_eq(
		mesh_new(&timers, &crypto, aes128_default(), &mesh_events, NULL, &mesh), ERR_OK);
	link = link_script_init(&ls, mesh_link_events(), mesh);
	mesh_attach(mesh, link);
	ls.events->adapter(ls.arg, true);
}

static void end(void)
{
	mesh_free(mesh);
	ck_assert(ls.is_freed);
	ck_assert_ptr_null(timers.first);
}

static void pass_ms(uint64_t ms)
{
	timers_run(&timers, timers.now_ms + ms);
	link_script_turn(&ls);
}

static struct mesh_target target_of(uint32_t key_id, uint8_t tunnel)
{
	return (struct mesh_target){.addr = {1, {1, 2, 3, 4, 5, 0xC6}},
		.key_id = key_id,
		.ltk = {NODE_KEY},
		.tunnel = tunnel};
}

/* Opens as far as the connection; the number that the link gave it. */
static uint16_t connect_node(void)
{
	struct mesh_target target = target_of(MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER);
	uint16_t conn;

	is_inside = true;
	ck_assert_int_eq(mesh_open(mesh, &target, &events, NULL, &session), ERR_OK);
	is_inside = false;
	conn = link_script_asked(&ls);
	ck_assert_uint_ne(conn, 0);
	link_script_ready(&ls, conn);
	return conn;
}

/* --- raw conversations -------------------------------------------------------------------------
 */

static size_t from_hex(const char *hex, uint8_t out[MESH_MESSAGE_MAX])
{
	size_t n = 0;
	unsigned v;
	int used;

	while (sscanf(hex, " %2x%n", &v, &used) == 1) {
		out[n++] = (uint8_t)v;
		hex += used;
	}
	return n;
}

/* "> HEX": the gateway has written this; "< HEX": the node notifies this. */
static void converse(uint16_t conn, const char *const *lines, size_t count)
{
	uint8_t b[MESH_MESSAGE_MAX];

	for (size_t i = 0; i < count; i++) {
		size_t n = from_hex(lines[i] + 1, b);
		const struct link_script_pdu *p;

		if (lines[i][0] == '<') {
			link_script_notify(&ls, conn, b, n);
			continue;
		}
		p = link_script_take(&ls);
		ck_assert_msg(p != NULL, "line %zu: nothing written", i);
		ck_assert_uint_eq(p->conn, conn);
		ck_assert_uint_eq(p->n, n);
		ck_assert_mem_eq(p->b, b, n);
	}
	ck_assert_ptr_null(link_script_take(&ls));
}

/* mesh-protocol §9.3, on the air. */
#define START "> 19 00 7D 00 00 01 01 00 00 00 00"
#define ANONCE "< 1A 01 00 00 7D 01 02 03 04 05 06 07 08"
#define SNONCE_AIR "> 44 9A B0 5E C7 C2 E8 FC 34 35 73 68 46 36 E0 26 D6"
#define DONE "< 93 90 A0 8D BB 4D EF 71 D4 84"
#define CLUSTER "< F8 18 E1 BA 58 61 9B 52 FC 82 D2 29 3B 05 5A 0E 10 E3"
#define DEAD "< 3D 01 00 00 7D DE AD DA DA 00 FF 77 33"
#define REQUEST                                                             \
	"33 00 7D 01 00 05 37 00 02 00 00 00 4D 00 E0 01"                   \
	"10101010101010101010101010101010 22222222222222222222222222222222" \
	"33333333333333333333333333333333 00112233445566778899AABBCCDDEEFF 8A"
#define RESPONSE_AIR "< F9 26 49 DA B2 06 32 01 20 57 BA E4 89 5E 0E 35 5B"

static const char *const handshake[] = {START, ANONCE, SNONCE_AIR, DONE};
static const char *const fragments[] = {
	"> 8C B5 CC DA 6D 7D A4 66 B8 2C 4D 2C F1 6B 5C 70 86 44 8B 54",
	"> 54 3B 72 38 F4 03 92 AF 75 70 00 59 87 D1 B6 B4 89 63 2A FE",
	"> A2 71 C8 E8 56 3B 4D 61 45 E9 9D 49 84 4A 79 DB 3E A3 54 4E",
	"> 44 7D BF B4 BD 8A FA E4 9F 0F 68 6C 5E AE DE 8C 2B F7 BA 16",
	"> EE E2 10 7E F0 F5 83 B3 0D 13 EC 24 3B B8 BE 87 0E C6 CE EB",
	"> F3 C1 58 D8 AB B0 6A A9 96 88 E7 3A 79 0E 66 8B CF",
};

static uint16_t open_node(void)
{
	uint16_t conn = connect_node();

	converse(conn, handshake, 4);
	ck_assert_int_eq(opened_count, 1);
	ck_assert_uint_eq(opened_id, 1);
	ck_assert(mesh_is_open(session));
	return conn;
}

/* --- answers -----------------------------------------------------------------------------------
 */

struct asked {
	int count;
	enum err result;
	size_t n;
	uint32_t id;
};

static void on_answer(void *arg, struct mesh_session *s, enum err result, struct span answer)
{
	struct asked *a = arg;

	(void)s;
	ck_assert(!is_inside);
	a->count++;
	a->result = result;
	a->n = answer.n;
}

static struct mesh_match response_match(uint32_t serial, uint8_t handle)
{
	return (struct mesh_match){.type = MESHMSG_TYPE_RESPONSE,
		.module = MESHMSG_MODULE_ENROLLMENT,
		.action = 0,
		.handle = handle,
		.by_serial = true,
		.serial_at = 8,
		.serial = serial};
}

static void ask(const struct mesh_match *match, struct asked *a, uint32_t timeout_ms)
{
	uint8_t msg[MESH_MESSAGE_MAX];
	size_t n = from_hex(REQUEST, msg);

	memset(a, 0, sizeof(*a));
	is_inside = true;
	ck_assert_int_eq(mesh_request(session, (struct span){msg, n}, match, timeout_ms, on_answer,
				 a, &a->id),
		ERR_OK);
	is_inside = false;
}

START_TEST(enrollment_of_the_reference_byte_by_byte)
{
	static const char *const cluster[] = {CLUSTER};
	static const char *const answer[] = {RESPONSE_AIR};
	struct mesh_match match = response_match(2, 0x37);
	uint8_t clear[MESH_MESSAGE_MAX];
	struct asked a;
	uint16_t conn;

	begin();
	conn = open_node();
	converse(conn, cluster, 1);
	ck_assert_int_eq(message_count, 1);
	ck_assert_uint_eq(last_bytes, 14);
	ask(&match, &a, 20000);
	converse(conn, fragments, 6);
	ck_assert_int_eq(a.count, 0);
	converse(conn, answer, 1);
	ck_assert_int_eq(a.count, 1);
	ck_assert_int_eq(a.result, ERR_OK);
	ck_assert_uint_eq(a.n, 13);
	ck_assert_int_eq(message_count, 2); /* seen by all, the asker is not alone */
	ck_assert_uint_eq(from_hex("34 4D 00 00 00 05 37 00 02 00 00 00 00", clear), last_bytes);
	ck_assert_mem_eq(clear, last_message, last_bytes);
	end();
	ck_assert_int_eq(closed_count, 0); /* mesh_free tells nobody */
}
END_TEST

/* --- how it can fail ---------------------------------------------------------------------------
 */

START_TEST(link_loss_after_start_is_a_refused_key)
{
	begin();
	link_script_down(&ls, connect_node(), LINK_DOWN_LOST);
	ck_assert_int_eq(closed_count, 1);
	ck_assert_int_eq(ended, MESH_END_KEY_REFUSED);
	end();
}
END_TEST

START_TEST(link_loss_after_snonce_is_a_wrong_key)
{
	uint16_t conn;

	begin();
	conn = connect_node();
	converse(conn, handshake, 3);
	link_script_down(&ls, conn, LINK_DOWN_LOST);
	ck_assert_int_eq(ended, MESH_END_WRONG_KEY);
	end();
}
END_TEST

START_TEST(dead_data_instead_of_done_is_a_wrong_key)
{
	static const char *const dead[] = {START, ANONCE, SNONCE_AIR, DEAD};

	begin();
	converse(connect_node(), dead, 4);
	ck_assert_uint_eq(link_script_turn(&ls), 1);
	ck_assert_int_eq(ended, MESH_END_WRONG_KEY);
	end();
}
END_TEST

START_TEST(false_done_is_a_wrong_key)
{
	static const char *const lines[] = {
		START, ANONCE, SNONCE_AIR, "< 93 90 A0 8D BB 4D EF 71 D4 85"};

	begin();
	converse(connect_node(), lines, 4);
	ck_assert_uint_eq(link_script_turn(&ls), 1);
	ck_assert_int_eq(ended, MESH_END_WRONG_KEY);
	end();
}
END_TEST

/* Every message that may not stand in ANONCE's place, and every length of the one that may. */
START_TEST(refuses_what_is_no_anonce)
{
	static const uint8_t anonce[13] = {0x1A, 1, 0, 0, 0x7D, 1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t b[14] = {0};

	for (size_t n = 1; n <= 14; n++) {
		uint16_t conn;

		begin();
		conn = connect_node();
		memcpy(b, anonce, sizeof(anonce));
		if (n == 13)
			b[0] = 0x1B; /* of the right length, but of another type */
		link_script_notify(&ls, conn, b, n);
		ck_assert_uint_eq(link_script_turn(&ls), 1);
		ck_assert_int_eq(ended, MESH_END_PROTOCOL);
		end();
	}
}
END_TEST

START_TEST(silent_node_runs_into_our_limit)
{
	begin();
	(void)connect_node();
	pass_ms(MESH_HANDSHAKE_MS - 1);
	ck_assert_int_eq(closed_count, 0);
	pass_ms(1);
	ck_assert_int_eq(closed_count, 1);
	ck_assert_int_eq(ended, MESH_END_TIMEOUT);
	end();
}
END_TEST

START_TEST(node_that_hangs_up_after_its_five_seconds_did_not_judge_the_key)
{
	uint16_t conn;

	begin();
	conn = connect_node();
	pass_ms(4999);
	link_script_down(&ls, conn, LINK_DOWN_LOST);
	ck_assert_int_eq(ended, MESH_END_TIMEOUT);
	end();
}
END_TEST

START_TEST(every_end_of_a_link_has_its_name)
{
	static const struct {
		enum link_down down;
		enum mesh_end end;
	} rows[] = {{LINK_DOWN_LOST, MESH_END_LOST}, {LINK_DOWN_CONNECT, MESH_END_CONNECT},
		{LINK_DOWN_SETUP, MESH_END_SETUP}, {LINK_DOWN_ADAPTER, MESH_END_ADAPTER},
		{LINK_DOWN_LOCAL, MESH_END_CLOSED}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mesh_target target = target_of(1, 0);

		begin();
		ck_assert_int_eq(mesh_open(mesh, &target, &events, NULL, &session), ERR_OK);
		link_script_down(&ls, link_script_asked(&ls), rows[i].down);
		ck_assert_int_eq(ended, rows[i].end);
		ck_assert_str_ne(mesh_end_text(rows[i].end), "unknown");
		ck_assert_str_ne(link_down_text(rows[i].down), "unknown");
		end();
	}
}
END_TEST

START_TEST(refuses_unset_keys_and_a_missing_radio)
{
	struct mesh_target target = target_of(1, 0);

	begin();
	memset(target.ltk.b, 0xFF, 16);
	ck_assert_int_eq(mesh_open(mesh, &target, &events, NULL, &session), ERR_KEY);
	memset(target.ltk.b, 0, 16);
	ck_assert_int_eq(mesh_open(mesh, &target, &events, NULL, &session), ERR_KEY);
	target = target_of(1, 0);
	ls.connect_error = ERR_CONFLICT;
	ck_assert_int_eq(mesh_open(mesh, &target, &events, NULL, &session), ERR_CONFLICT);
	ls.connect_error = ERR_OK;
	ls.events->adapter(ls.arg, false);
	ck_assert_int_eq(mesh_open(mesh, &target, &events, NULL, &session), ERR_STATE);
	ck_assert_int_eq(adapter_count, 2);
	end();
}
END_TEST

/* --- a session that is lost on a living link ---------------------------------------------------
 */

/* The test's own node, for what the reference vectors do not hold. */
static struct meshsec node;
static uint8_t node_message[MESH_MESSAGE_MAX];
static size_t node_message_bytes;
static int node_message_count;

static void node_begin(void)
{
	meshsec_init(&node, aes128_default(), MESHSEC_PERIPHERAL, 1);
	node_message_count = 0;
}

static void node_hears(uint16_t conn, const struct link_script_pdu *p)
{
	static const struct secret16 key = {NODE_KEY};
	static const uint8_t anonce[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct meshsec_event ev;
	struct meshsec_pdu pdu = {0};

	meshsec_receive(&node, p->b, p->n, &ev);
	if (ev.type == MESHSEC_EVENT_START)
		ck_assert_int_eq(meshsec_accept(&node, &key, anonce, &pdu), ERR_OK);
	else if (ev.type == MESHSEC_EVENT_READY || ev.type == MESHSEC_EVENT_CORRUPT)
		pdu = ev.pdu;
	if (ev.type == MESHSEC_EVENT_MESSAGE) {
		node_message_count++;
		node_message_bytes = ev.message.n;
		memcpy(node_message, ev.message.p, ev.message.n);
	}
	if (pdu.len > 0)
		link_script_notify(&ls, conn, pdu.b, pdu.len);
}

static void node_runs(uint16_t conn)
{
	const struct link_script_pdu *p;

	while ((p = link_script_take(&ls)) != NULL)
		node_hears(conn, p);
}

static void node_says(uint16_t conn, const void *msg, size_t n)
{
	struct meshsec_pdu pdu;

	ck_assert_int_eq(meshsec_send_begin(&node, msg, n), ERR_OK);
	while (meshsec_send_next(&node, &pdu) == ERR_OK)
		link_script_notify(&ls, conn, pdu.b, pdu.len);
}

static uint16_t open_own_node(void)
{
	uint16_t conn = connect_node();

	node_begin();
	node_runs(conn);
	ck_assert(mesh_is_open(session));
	return conn;
}

START_TEST(dead_data_starts_a_new_handshake_and_requests_live_on)
{
	static const uint8_t answer[13] = {0x34, 0x4D, 0, 0, 0, 5, 0x37, 0, 2, 0, 0, 0, 0};
	uint8_t dead[13];
	struct wr w = wr_init(dead, sizeof(dead));
	struct mesh_match match = response_match(2, 0x37);
	struct asked a;
	uint16_t conn;

	begin();
	conn = open_own_node();
	ask(&match, &a, 20000);
	while (link_script_take(&ls)) {
	} /* the node loses its state and what was sent */
	node_begin();
	ck_assert_int_eq(meshmsg_encode_dead_data(&w, 1, 32000), ERR_OK);
	link_script_notify(&ls, conn, dead, sizeof(dead));
	node_runs(conn);
	ck_assert_int_eq(opened_count, 2);
	ck_assert(mesh_is_open(session));
	ck_assert_int_eq(closed_count, 0);
	node_says(conn, answer, sizeof(answer));
	ck_assert_int_eq(a.count, 1);
	ck_assert_int_eq(a.result, ERR_OK);
	end();
}
END_TEST

START_TEST(message_cut_off_by_dead_data_is_sent_again_whole)
{
	uint8_t dead[13], msg[MESH_MESSAGE_MAX];
	struct wr w = wr_init(dead, sizeof(dead));
	size_t n = from_hex(REQUEST, msg);
	uint16_t conn;

	begin();
	conn = open_own_node();
	ls.room = 2;
	ck_assert_int_eq(mesh_send(session, (struct span){msg, n}), ERR_OK);
	node_runs(conn);
	ck_assert_int_eq(node_message_count, 0);
	ls.room = SIZE_MAX;
	node_begin();
	ck_assert_int_eq(meshmsg_encode_dead_data(&w, 1, 32000), ERR_OK);
	link_script_notify(&ls, conn, dead, sizeof(dead));
	node_runs(conn);
	ck_assert_int_eq(node_message_count, 1);
	ck_assert_uint_eq(node_message_bytes, n);
	ck_assert_mem_eq(node_message, msg, n);
	end();
}
END_TEST

START_TEST(corrupted_packets_end_the_session_after_a_few)
{
	static const uint8_t junk[20] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	uint16_t conn;
	int turns = 0;

	begin();
	conn = open_own_node();
	while (link_script_turn(&ls) == 0) {
		ck_assert_int_lt(turns++, 10);
		link_script_notify(&ls, conn, junk, sizeof(junk));
		node_runs(conn);
	}
	ck_assert_int_eq(opened_count, 6);
	ck_assert_int_eq(ended, MESH_END_PROTOCOL);
	end();
}
END_TEST

START_TEST(link_lost_in_a_new_handshake_says_nothing_of_the_key)
{
	static const uint8_t junk[20] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	uint16_t conn;

	begin();
	conn = open_own_node();
	link_script_notify(&ls, conn, junk, sizeof(junk));
	link_script_down(&ls, conn, LINK_DOWN_LOST);
	ck_assert_int_eq(ended, MESH_END_LOST);
	end();
}
END_TEST

/* --- back-pressure -----------------------------------------------------------------------------
 */

START_TEST(waits_for_the_link_and_keeps_the_order)
{
	uint8_t msg[MESH_MESSAGE_MAX] = {0x33, 0x00, 0x7D, 0x01, 0x00, 5, 1, 0};
	uint16_t conn;
	int sent = 0;

	begin();
	conn = open_own_node();
	ls.room = 3;
	is_inside = true;
	for (;;) {
		msg[8] = (uint8_t)sent;
		if (mesh_send(session, (struct span){msg, 81}) != ERR_OK)
			break;
		sent++;
	}
	is_inside = false;
	ck_assert_int_eq(sent, MESH_QUEUE_MAX);
	ck_assert_int_eq(mesh_send(session, (struct span){msg, 81}), ERR_BUSY);
	for (int i = 0; i < sent; i++) {
		ls.room = 6;
		ls.events->writable(ls.arg, conn);
		node_runs(conn);
		ck_assert_int_eq(node_message_count, i + 1);
		ck_assert_int_eq(node_message[8], i);
	}
	pass_ms(1);
	ck_assert_int_eq(writable_count, 1);
	ck_assert_int_eq(node_message_count, sent);
	end();
}
END_TEST

START_TEST(refuses_messages_of_a_wrong_length)
{
	uint8_t msg[MESH_MESSAGE_MAX + 1] = {0x33};

	begin();
	(void)connect_node();
	ck_assert_int_eq(mesh_send(session, (struct span){msg, 20}), ERR_STATE);
	link_script_down(&ls, link_script_take(&ls)->conn, LINK_DOWN_LOST);
	(void)open_own_node();
	ck_assert_int_eq(mesh_send(session, (struct span){msg, 4}), ERR_RANGE);
	ck_assert_int_eq(mesh_send(session, (struct span){msg, 201}), ERR_RANGE);
	ck_assert_int_eq(mesh_send(session, (struct span){msg, 200}), ERR_OK);
	ck_assert_int_eq(mesh_send(session, (struct span){msg, 5}), ERR_OK);
	end();
}
END_TEST

/* --- requests ----------------------------------------------------------------------------------
 */

static void answer_with(uint16_t conn, uint8_t handle, uint8_t serial)
{
	uint8_t msg[13] = {0x34, 0x4D, 0, 0, 0, 5, handle, 0, serial, 0, 0, 0, 0};

	node_says(conn, msg, sizeof(msg));
}

START_TEST(request_ends_at_its_deadline)
{
	struct mesh_match match = response_match(2, 9);
	struct asked a;
	uint16_t conn;

	begin();
	conn = open_own_node();
	ask(&match, &a, 20000);
	pass_ms(19999);
	ck_assert_int_eq(a.count, 0);
	pass_ms(1);
	ck_assert_int_eq(a.count, 1);
	ck_assert_int_eq(a.result, ERR_TIMEOUT);
	answer_with(conn, 9, 2);
	ck_assert_int_eq(a.count, 1);
	ck_assert_int_eq(message_count, 1);
	end();
}
END_TEST

START_TEST(serial_first_handle_second)
{
	struct mesh_match older = response_match(2, 8), newer = response_match(2, 9),
			  other = response_match(3, 9);
	struct asked a, b, c;
	uint16_t conn;

	begin();
	conn = open_own_node();
	ask(&older, &a, 20000);
	ask(&newer, &b, 20000);
	ask(&other, &c, 20000);
	node_runs(conn);
	answer_with(conn, 7, 2); /* somebody else's request for the same node */
	ck_assert_int_eq(a.count + b.count + c.count, 0);
	answer_with(conn, 9, 2);
	ck_assert_int_eq(b.count, 1);
	answer_with(conn, 0, 3); /* a lost handle (§10.14) */
	ck_assert_int_eq(c.count, 1);
	answer_with(conn, 0, 2);
	ck_assert_int_eq(a.count, 1);
	ck_assert_int_eq(message_count, 4);
	end();
}
END_TEST

START_TEST(without_a_serial_the_handle_and_the_sender_decide)
{
	struct mesh_match match = {.type = MESHMSG_TYPE_RESPONSE,
		.module = MESHMSG_MODULE_STATUS,
		.action = 10,
		.handle = 5,
		.by_sender = true,
		.sender = 77};
	uint8_t msg[9] = {0x34, 77, 0, 0, 0x7D, 3, 5, 10, 0};
	struct asked a;
	uint16_t conn;

	begin();
	conn = open_own_node();
	ask(&match, &a, 20000);
	node_runs(conn);
	for (size_t i = 0; i < 4; i++) { /* another type, sender, module, handle, action */
		static const size_t at[] = {1, 5, 6, 7};

		msg[at[i]] ^= 1;
		node_says(conn, msg, sizeof(msg));
		ck_assert_int_eq(a.count, 0);
		msg[at[i]] ^= 1;
	}
	node_says(conn, msg, sizeof(msg));
	ck_assert_int_eq(a.count, 1);
	end();
}
END_TEST

START_TEST(answer_too_short_for_a_serial_matches_nothing)
{
	struct mesh_match match = response_match(2, 9);
	uint8_t msg[13] = {0x34, 0x4D, 0, 0, 0, 5, 9, 0, 2, 0, 0, 0, 0};
	struct asked a;
	uint16_t conn;

	begin();
	conn = open_own_node();
	ask(&match, &a, 20000);
	node_runs(conn);
	for (size_t n = 8; n < 12; n++)
		node_says(conn, msg, n);
	ck_assert_int_eq(a.count, 0);
	node_says(conn, msg, sizeof(msg));
	ck_assert_int_eq(a.count, 1);
	end();
}
END_TEST

START_TEST(cancelled_request_stays_silent)
{
	struct mesh_match match = response_match(2, 9);
	struct asked a;
	uint16_t conn;

	begin();
	conn = open_own_node();
	ask(&match, &a, 20000);
	node_runs(conn);
	mesh_request_cancel(session, a.id);
	answer_with(conn, 9, 2);
	pass_ms(30000);
	ck_assert_int_eq(a.count, 0);
	end();
}
END_TEST

START_TEST(requests_end_before_the_session_does)
{
	struct mesh_match match = response_match(2, 9);
	struct asked a;

	begin();
	(void)open_own_node();
	ask(&match, &a, 20000);
	is_inside = true;
	mesh_close(session);
	is_inside = false;
	ck_assert_int_eq(a.count, 0);
	ck_assert_uint_eq(link_script_turn(&ls), 1);
	ck_assert_int_eq(a.count, 1);
	ck_assert_int_eq(a.result, ERR_CLOSED);
	ck_assert_int_eq(ended, MESH_END_CLOSED);
	end();
}
END_TEST

START_TEST(too_many_requests_are_refused)
{
	struct mesh_match match = response_match(2, 0);
	uint8_t msg[5] = {0x33};
	struct asked a;

	begin();
	(void)open_own_node();
	for (int i = 0; i < MESH_REQUESTS_MAX; i++)
		ck_assert_int_eq(mesh_request(session, (struct span){msg, 5}, &match, 1000,
					 on_answer, &a, NULL),
			ERR_OK);
	ck_assert_int_eq(
		mesh_request(session, (struct span){msg, 5}, &match, 1000, on_answer, &a, NULL),
		ERR_FULL);
	end();
}
END_TEST

START_TEST(closed_from_a_callback_nothing_more_arrives)
{
	uint16_t conn;

	begin();
	conn = open_own_node();
	wants_close_in_message = true;
	answer_with(conn, 1, 1);
	answer_with(conn, 1, 1);
	ck_assert_int_eq(message_count, 1);
	ck_assert_uint_eq(link_script_turn(&ls), 1);
	ck_assert_int_eq(closed_count, 1);
	end();
}
END_TEST

/* --- adverts -----------------------------------------------------------------------------------
 */

static int heard[2];

static void on_advert(void *arg, const struct link_advert *advert)
{
	int *count = arg;

	ck_assert_int_eq(advert->rssi_dbm, -60);
	(*count)++;
}

START_TEST(adverts_go_to_all_who_listen)
{
	struct link_advert advert = {.rssi_dbm = -60};

	begin();
	heard[0] = heard[1] = 0;
	ck_assert_int_eq(mesh_listen(mesh, on_advert, &heard[0]), ERR_OK);
	ck_assert_int_eq(mesh_listen(mesh, on_advert, &heard[1]), ERR_OK);
	ls.events->advert(ls.arg, &advert);
	ck_assert_int_eq(heard[0], 1);
	ck_assert_int_eq(heard[1], 1);
	ck_assert_int_eq(mesh_listen(mesh, on_advert, &heard[1]), ERR_OK);
	ck_assert_int_eq(mesh_listen(mesh, on_advert, &heard[1]), ERR_OK);
	ck_assert_int_eq(mesh_listen(mesh, on_advert, &heard[1]), ERR_FULL);
	end();
}
END_TEST

START_TEST(scans_while_anybody_wants_it)
{
	begin();
	ck_assert(!ls.is_scanning);
	mesh_scan_begin(mesh);
	mesh_scan_begin(mesh);
	mesh_scan_end(mesh);
	ck_assert(ls.is_scanning);
	mesh_scan_end(mesh);
	ck_assert(!ls.is_scanning);
	mesh_scan_end(mesh);
	mesh_scan_begin(mesh);
	ck_assert(ls.is_scanning);
	end();
}
END_TEST

START_TEST(eight_sessions_do_not_disturb_each_other)
{
	struct mesh_session *s[8];
	struct mesh_target target = target_of(1, 0);

	begin();
	for (uint8_t i = 0; i < 8; i++) {
		target.addr.b[0] = i;
		ck_assert_int_eq(mesh_open(mesh, &target, &events, NULL, &s[i]), ERR_OK);
		link_script_ready(&ls, link_script_asked(&ls));
		node_begin();
		node_runs(ls.last_id);
		ck_assert(mesh_is_open(s[i]));
	}
	ck_assert_int_eq(mesh_open(mesh, &target, &events, NULL, &session), ERR_FULL);
	mesh_close(s[3]);
	ck_assert_uint_eq(link_script_turn(&ls), 1);
	ck_assert_int_eq(closed_count, 1);
	for (int i = 0; i < 8; i++)
		ck_assert(i == 3 || mesh_is_open(s[i]));
	end();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, enrollment_of_the_reference_byte_by_byte);
	tcase_add_test(tc, link_loss_after_start_is_a_refused_key);
	tcase_add_test(tc, link_loss_after_snonce_is_a_wrong_key);
	tcase_add_test(tc, dead_data_instead_of_done_is_a_wrong_key);
	tcase_add_test(tc, false_done_is_a_wrong_key);
	tcase_add_test(tc, refuses_what_is_no_anonce);
	tcase_add_test(tc, silent_node_runs_into_our_limit);
	tcase_add_test(tc, node_that_hangs_up_after_its_five_seconds_did_not_judge_the_key);
	tcase_add_test(tc, every_end_of_a_link_has_its_name);
	tcase_add_test(tc, refuses_unset_keys_and_a_missing_radio);
	tcase_add_test(tc, dead_data_starts_a_new_handshake_and_requests_live_on);
	tcase_add_test(tc, message_cut_off_by_dead_data_is_sent_again_whole);
	tcase_add_test(tc, corrupted_packets_end_the_session_after_a_few);
	tcase_add_test(tc, link_lost_in_a_new_handshake_says_nothing_of_the_key);
	tcase_add_test(tc, waits_for_the_link_and_keeps_the_order);
	tcase_add_test(tc, refuses_messages_of_a_wrong_length);
	tcase_add_test(tc, request_ends_at_its_deadline);
	tcase_add_test(tc, serial_first_handle_second);
	tcase_add_test(tc, without_a_serial_the_handle_and_the_sender_decide);
	tcase_add_test(tc, answer_too_short_for_a_serial_matches_nothing);
	tcase_add_test(tc, cancelled_request_stays_silent);
	tcase_add_test(tc, requests_end_before_the_session_does);
	tcase_add_test(tc, too_many_requests_are_refused);
	tcase_add_test(tc, closed_from_a_callback_nothing_more_arrives);
	tcase_add_test(tc, adverts_go_to_all_who_listen);
	tcase_add_test(tc, scans_while_anybody_wants_it);
	tcase_add_test(tc, eight_sessions_do_not_disturb_each_other);
}

int main(void)
{
	return suite_main("mesh", fill);
}
