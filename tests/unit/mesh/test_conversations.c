/*
 * Conversations between the gateway and a node that says the wrong thing, packet by packet: each
 * row is what the node sends, and what becomes of the session. All on virtual time.
 */
#include <stdio.h>

#include "base/crypto_openssl.h"
#include "enr/meshmsg.h"
#include "enr/meshsec.h"
#include "mesh/mesh.h"
#include "mesh/timer.h"
#include "support/link_script.h"
#include "unit/suite.h"

#define NODE_ID 7
#define PACKET_MAX 16 /* in clear, after the handshake (mesh-protocol §1.6) */

static const struct secret16 ltk = {{0x42, 0x10, 0x20, 0x30}};
static const uint8_t anonce[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static struct timers timers;
static struct link_script ls;
static struct mesh *mesh;
static struct mesh_session *session;
static struct meshsec node;
static uint16_t conn;
static unsigned opened, messages, closed;
static size_t last_bytes;
static enum mesh_end ended;

static void on_adapter(void *arg, bool ready)
{
	(void)arg;
	(void)ready;
}

static void on_opened(void *arg, struct mesh_session *s, uint16_t node_id)
{
	(void)arg;
	(void)s;
	ck_assert_uint_eq(node_id, NODE_ID);
	opened++;
}

static void on_message(void *arg, struct mesh_session *s, struct span msg)
{
	(void)arg;
	(void)s;
	messages++;
	last_bytes = msg.n;
}

static void on_closed(void *arg, struct mesh_session *s, enum mesh_end why)
{
	(void)arg;
	(void)s;
	closed++;
	ended = why;
	session = NULL;
}

static void begin(void)
{
	static const struct mesh_events events = {.adapter = on_adapter};
	static const struct mesh_session_events session_events = {
		.opened = on_opened, .message = on_message, .closed = on_closed};
	const struct mesh_target target = {.addr = {1, {1, 2, 3, 4, 5, 0xC6}},
		.key_id = MESHSEC_KEY_NETWORK,
		.ltk = ltk,
		.tunnel = MESHSEC_TUNNEL_REMOTE_MESH};

	opened = messages = closed = 0;
	ended = MESH_END_COUNT;
	timers = (struct timers){.now_ms = 1000};
	ck_assert_int_eq(
		mesh_new(&timers, crypto_default(), aes128_default(), &events, NULL, &mesh),
		ERR_OK);
	mesh_attach(mesh, link_script_init(&ls, mesh_link_events(), mesh));
	ls.events->adapter(ls.arg, true);
	ck_assert_int_eq(mesh_open(mesh, &target, &session_events, NULL, &session), ERR_OK);
	conn = link_script_asked(&ls);
	link_script_ready(&ls, conn);
	meshsec_init(&node, aes128_default(), MESHSEC_PERIPHERAL, NODE_ID);
}

static void end(void)
{
	mesh_free(mesh);
	meshsec_clear(&node);
}

static void pass_ms(uint64_t ms)
{
	timers_run(&timers, timers.now_ms + ms);
	(void)link_script_turn(&ls);
}

/* What the gateway wrote, as the node takes it. */
static struct meshsec_event heard(void)
{
	const struct link_script_pdu *pdu = link_script_take(&ls);
	struct meshsec_event e;

	ck_assert_ptr_nonnull(pdu);
	meshsec_receive(&node, pdu->b, pdu->n, &e);
	return e;
}

static void say(const void *p, size_t n)
{
	link_script_notify(&ls, conn, p, n);
	(void)link_script_turn(&ls);
}

/* As far as SNONCE; the node's DONE, not yet said. */
static struct meshsec_pdu up_to_done(const struct secret16 *key)
{
	struct meshsec_pdu pdu;
	struct meshsec_event e = heard();

	ck_assert_int_eq(e.type, MESHSEC_EVENT_START);
	ck_assert_int_eq(meshsec_accept(&node, key, anonce, &pdu), ERR_OK);
	say(pdu.b, pdu.len);
	e = heard();
	return e.pdu;
}

static void open_session(void)
{
	struct meshsec_pdu done;

	begin();
	done = up_to_done(&ltk);
	say(done.b, done.len);
	ck_assert_uint_eq(opened, 1);
}

/* One packet of the node's own making, encrypted in its turn. */
static void say_sealed(const uint8_t *packet, size_t n)
{
	static const uint8_t none[PACKET_MAX];
	struct meshsec_pdu pdu;

	ck_assert_int_eq(meshsec_send_begin(&node, none, n), ERR_OK);
	memcpy(node.out, packet, n);
	while (meshsec_send_next(&node, &pdu) == ERR_OK)
		say(pdu.b, pdu.len);
}

/* --- handshakes ------------------------------------------------------------------------------- */

START_TEST(every_damaged_done_is_refused)
{
	for (unsigned bit = 0; bit < 8 * 10; bit++) {
		struct meshsec_pdu done;

		begin();
		done = up_to_done(&ltk);
		ck_assert_uint_eq(done.len, 10);
		done.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		say(done.b, done.len);
		ck_assert_uint_eq(opened, 0);
		ck_assert_uint_eq(closed, 1);
		ck_assert_int_eq(ended, MESH_END_WRONG_KEY);
		end();
	}
}
END_TEST

START_TEST(every_shorter_or_longer_done_is_refused)
{
	for (size_t n = 1; n <= LINK_PDU_MAX; n++) {
		uint8_t b[LINK_PDU_MAX] = {0};
		struct meshsec_pdu done;

		if (n == 10)
			continue;
		begin();
		done = up_to_done(&ltk);
		memcpy(b, done.b, n < 10 ? n : 10);
		say(b, n);
		ck_assert_uint_eq(opened, 0);
		ck_assert_uint_eq(closed, 1);
		end();
	}
}
END_TEST

/* A node that takes another key cannot open SNONCE, and hangs up. */
START_TEST(a_node_with_another_key_hangs_up)
{
	const struct secret16 other = {{0x42, 0x99}};

	begin();
	(void)up_to_done(&other);
	link_script_down(&ls, conn, LINK_DOWN_LOST);
	ck_assert_int_eq(ended, MESH_END_WRONG_KEY);
	end();
}
END_TEST

/* In clear, in place of ANONCE: every type of message. */
START_TEST(no_other_type_stands_in_for_anonce)
{
	for (unsigned type = 0; type < 256; type++) {
		uint8_t b[13] = {(uint8_t)type, NODE_ID, 0, 0, 0x7D, 1, 2, 3, 4, 5, 6, 7, 8};

		if (type == MESHMSG_TYPE_ENCRYPT_ANONCE)
			continue;
		begin();
		say(b, sizeof(b));
		ck_assert_uint_eq(opened, 0);
		ck_assert_msg(closed == 1 && ended == MESH_END_PROTOCOL, "type %u", type);
		end();
	}
}
END_TEST

START_TEST(every_shorter_or_longer_anonce_is_refused)
{
	for (size_t n = 0; n <= LINK_PDU_MAX; n++) {
		uint8_t b[LINK_PDU_MAX] = {MESHMSG_TYPE_ENCRYPT_ANONCE, NODE_ID, 0, 0, 0x7D};

		if (n == 13)
			continue;
		begin();
		(void)heard();
		say(b, n);
		ck_assert_msg(closed == 1 && ended == MESH_END_PROTOCOL, "%zu bytes", n);
		ck_assert_ptr_null(link_script_take(&ls)); /* no SNONCE */
		end();
	}
}
END_TEST

/* Sealed with the right key, but not a DONE of success: every status, every type. */
START_TEST(only_a_done_of_success_opens)
{
	for (unsigned i = 0; i < 512; i++) {
		uint8_t done[6] = {MESHMSG_TYPE_ENCRYPT_DONE, NODE_ID, 0, 0, 0x7D, 0};
		bool good;

		if (i < 256)
			done[5] = (uint8_t)i;
		else
			done[0] = (uint8_t)i;
		good = done[0] == MESHMSG_TYPE_ENCRYPT_DONE && done[5] == 0;
		begin();
		(void)up_to_done(&ltk);
		node.tx.n1 -= 2; /* as if DONE had not been made yet */
		say_sealed(done, sizeof(done));
		ck_assert_msg(opened == good && closed == !good, "%s %u",
			i < 256 ? "status" : "type", i % 256);
		ck_assert(good || ended == MESH_END_WRONG_KEY);
		end();
	}
}
END_TEST

/* Only the handshake may be written until DONE is there (§3.6). */
START_TEST(nothing_is_said_before_done)
{
	static const uint8_t msg[12] = {MESHMSG_TYPE_RAW_DATA, 0x00, 0x7D};
	struct meshsec_pdu done;

	begin();
	(void)!mesh_send(session, (struct span){msg, sizeof(msg)});
	done = up_to_done(&ltk); /* START and SNONCE were taken */
	pass_ms(100);
	(void)!mesh_send(session, (struct span){msg, sizeof(msg)});
	pass_ms(100);
	ck_assert_ptr_null(link_script_take(&ls));
	say(done.b, done.len);
	ck_assert_uint_eq(opened, 1);
	end();
}
END_TEST

/* --- fragments -------------------------------------------------------------------------------- */

/* "m12": a message of 12 bytes in one packet; "f3.16": fragment 3 of 16 bytes; "l3.7": the last. */
static void say_fragments(const char *words)
{
	while (*words) {
		uint8_t b[PACKET_MAX] = {MESHMSG_TYPE_RAW_DATA, NODE_ID, 0, 0, 0x7D};
		unsigned counter = 0, n = 0;
		int used = 0;
		char what = *words;

		if (what == 'm')
			ck_assert_int_eq(sscanf(words, "m%u %n", &n, &used), 1);
		else
			ck_assert_int_eq(sscanf(words + 1, "%u.%u %n", &counter, &n, &used), 2);
		words += used + (what == 'm' ? 0 : 1);
		if (what != 'm') {
			memset(b, 0x36, sizeof(b));
			b[0] = what == 'f' ? MESHMSG_TYPE_SPLIT : MESHMSG_TYPE_SPLIT_END;
			b[1] = (uint8_t)counter;
		}
		say_sealed(b, n);
	}
}

START_TEST(bad_fragments_are_dropped_and_the_session_lives_on)
{
	static const struct {
		const char *said;
		unsigned messages;
		size_t bytes; /* of the last one */
	} rows[] = {
		{"f0.16 f1.16 l2.7 ", 1, 33}, {"f0.16 f2.16 l3.7 ", 0, 0}, /* a gap */
		{"f1.16 l2.7 ", 0, 0},                                     /* no beginning */
		{"l1.7 ", 0, 0},                                           /* nothing but an end */
		{"f0.15 l1.7 ", 0, 0},              /* a short one in the middle */
		{"f0.2 l1.7 ", 0, 0},               /* without data */
		{"f0.1 l1.7 ", 0, 0},               /* without a counter */
		{"f0.16 l1.2 ", 0, 0},              /* an end without data */
		{"f0.16 f1.16 f1.16 l2.7 ", 0, 0},  /* the same twice */
		{"f0.16 l1.7 l1.7 ", 1, 19},        /* two ends */
		{"f0.16 f0.16 l1.7 ", 1, 19},       /* begun again */
		{"f0.16 m12 l1.7 ", 1, 12},         /* a whole one ends the half one */
		{"f0.16 f2.16 f0.16 l1.7 ", 1, 19}, /* after a gap the next beginning counts */
		{"f0.16 f1.16 f2.16 f3.16 f4.16 f5.16 f6.16 f7.16 f8.16 f9.16 f10.16 f11.16 f12.16 "
		 "f13.16 l14.6 ",
			1, 200}, /* the longest */
		{"f0.16 f1.16 f2.16 f3.16 f4.16 f5.16 f6.16 f7.16 f8.16 f9.16 f10.16 f11.16 f12.16 "
		 "f13.16 l14.7 ",
			0, 0},           /* one byte more */
		{"f255.16 l0.7 ", 1, 5}, /* no beginning, then all in one */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		open_session();
		say_fragments(rows[i].said);
		ck_assert_msg(
			messages == rows[i].messages, "%s: %u messages", rows[i].said, messages);
		ck_assert_msg(rows[i].messages == 0 || last_bytes == rows[i].bytes, "%s: %zu bytes",
			rows[i].said, last_bytes);
		say_fragments("m12 ");
		ck_assert_msg(messages == rows[i].messages + 1, "%s: deaf after it", rows[i].said);
		ck_assert_uint_eq(closed, 0);
		end();
	}
}
END_TEST

/* --- messages --------------------------------------------------------------------------------- */

/* What is not encrypted, after the handshake: no message, and the session does not trust it. */
START_TEST(what_comes_in_clear_is_no_message)
{
	static const uint8_t clear[12] = {MESHMSG_TYPE_RESPONSE, NODE_ID, 0, 0, 0x7D, 5, 0, 0};
	const struct link_script_pdu *pdu;

	open_session();
	say(clear, sizeof(clear));
	ck_assert_uint_eq(messages, 0);
	pdu = link_script_take(&ls); /* it says that it is lost, and shakes hands anew */
	ck_assert_ptr_nonnull(pdu);
	ck_assert_uint_eq(pdu->b[0], MESHMSG_TYPE_DEAD_DATA);
	pdu = link_script_take(&ls);
	ck_assert_ptr_nonnull(pdu);
	ck_assert_uint_eq(pdu->b[0], MESHMSG_TYPE_ENCRYPT_START);
	end();
}
END_TEST

/* The same packet twice: the counters have gone on, it is not taken again. */
START_TEST(a_repeated_packet_is_no_message)
{
	static const uint8_t msg[12] = {MESHMSG_TYPE_RAW_DATA, NODE_ID, 0, 0, 0x7D};
	struct meshsec_pdu pdu;

	open_session();
	ck_assert_int_eq(meshsec_send_begin(&node, msg, sizeof(msg)), ERR_OK);
	ck_assert_int_eq(meshsec_send_next(&node, &pdu), ERR_OK);
	say(pdu.b, pdu.len);
	ck_assert_uint_eq(messages, 1);
	say(pdu.b, pdu.len);
	ck_assert_uint_eq(messages, 1);
	end();
}
END_TEST

/* It has said in clear that it is lost, taken nothing, and shakes hands anew. */
static void is_lost(const char *what, unsigned which)
{
	const struct link_script_pdu *pdu = link_script_take(&ls);

	ck_assert_msg(
		pdu && pdu->n == MESHMSG_DEAD_DATA_BYTES && pdu->b[0] == MESHMSG_TYPE_DEAD_DATA,
		"%s %u: no DEAD_DATA", what, which);
	pdu = link_script_take(&ls);
	ck_assert_msg(
		pdu && pdu->b[0] == MESHMSG_TYPE_ENCRYPT_START, "%s %u: no START", what, which);
	ck_assert_uint_eq(messages + closed, 0);
}

static struct meshsec_pdu sealed_message(void)
{
	static const uint8_t msg[12] = {MESHMSG_TYPE_RAW_DATA, NODE_ID, 0, 0, 0x7D};
	struct meshsec_pdu pdu;

	ck_assert_int_eq(meshsec_send_begin(&node, msg, sizeof(msg)), ERR_OK);
	ck_assert_int_eq(meshsec_send_next(&node, &pdu), ERR_OK);
	ck_assert_uint_eq(pdu.len, 16);
	return pdu;
}

START_TEST(every_damaged_packet_is_no_message)
{
	for (unsigned bit = 0; bit < 8 * 16; bit++) {
		struct meshsec_pdu pdu;

		open_session();
		pdu = sealed_message();
		pdu.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		say(pdu.b, pdu.len);
		is_lost("bit", bit);
		end();
	}
}
END_TEST

START_TEST(every_shorter_or_longer_packet_is_no_message)
{
	for (unsigned n = 0; n <= LINK_PDU_MAX; n++) {
		uint8_t b[LINK_PDU_MAX] = {0};
		struct meshsec_pdu pdu;

		open_session();
		pdu = sealed_message();
		memcpy(b, pdu.b, n < pdu.len ? n : pdu.len);
		say(b, n);
		if (n == pdu.len)
			ck_assert_uint_eq(messages, 1);
		else
			is_lost("bytes", n);
		end();
	}
}
END_TEST

/* The node's own DEAD_DATA is not answered, a new handshake begins; what only looks like it is a
 * bad packet. */
START_TEST(dead_data_needs_its_whole_magic)
{
	uint8_t dead[MESHMSG_DEAD_DATA_BYTES];
	struct wr w = wr_init(dead, sizeof(dead));
	const struct link_script_pdu *pdu;

	ck_assert_int_eq(meshmsg_encode_dead_data(&w, NODE_ID, MESH_GATEWAY_ID), ERR_OK);
	open_session();
	say(dead, sizeof(dead));
	pdu = link_script_take(&ls);
	ck_assert_ptr_nonnull(pdu);
	ck_assert_uint_eq(pdu->b[0], MESHMSG_TYPE_ENCRYPT_START);
	ck_assert_uint_eq(messages + closed, 0);
	end();
	for (unsigned bit = 8 * MESHMSG_HEADER_BYTES; bit < 8 * sizeof(dead); bit++) {
		open_session();
		dead[bit / 8] ^= (uint8_t)(1u << bit % 8);
		say(dead, sizeof(dead));
		is_lost("bit", bit);
		dead[bit / 8] ^= (uint8_t)(1u << bit % 8);
		end();
	}
}
END_TEST

/* Nobody answers a new handshake: the session ends in bounded time. */
START_TEST(a_node_that_never_comes_back_is_given_up)
{
	static const uint8_t clear[12] = {MESHMSG_TYPE_RESPONSE, NODE_ID};

	open_session();
	say(clear, sizeof(clear));
	for (int i = 0; i < 60 && closed == 0; i++)
		pass_ms(1000);
	ck_assert_uint_eq(closed, 1);
	ck_assert_int_eq(ended, MESH_END_TIMEOUT);
	end();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, every_damaged_done_is_refused);
	tcase_add_test(tc, every_shorter_or_longer_done_is_refused);
	tcase_add_test(tc, a_node_with_another_key_hangs_up);
	tcase_add_test(tc, no_other_type_stands_in_for_anonce);
	tcase_add_test(tc, every_shorter_or_longer_anonce_is_refused);
	tcase_add_test(tc, only_a_done_of_success_opens);
	tcase_add_test(tc, nothing_is_said_before_done);
	tcase_add_test(tc, bad_fragments_are_dropped_and_the_session_lives_on);
	tcase_add_test(tc, what_comes_in_clear_is_no_message);
	tcase_add_test(tc, a_repeated_packet_is_no_message);
	tcase_add_test(tc, every_damaged_packet_is_no_message);
	tcase_add_test(tc, every_shorter_or_longer_packet_is_no_message);
	tcase_add_test(tc, dead_data_needs_its_whole_magic);
	tcase_add_test(tc, a_node_that_never_comes_back_is_given_up);
}

int main(void)
{
	return suite_main("conversations", fill);
}
