/* The MeshAccess session, both roles against the specification's bytes and against each other. */
#include "enr/meshsec.h"

#include "base/crypto_openssl.h"
#include "core/meshsec_crypt.h"
#include "enr/meshmsg.h"

#include "support/vectors.h"
#include "unit/suite.h"

#define NODE_KEY "00112233445566778899AABBCCDDEEFF"

struct pair {
	struct meshsec c;
	struct meshsec p;
};

static struct secret16 key16(const char *hex)
{
	struct secret16 key;

	ck_assert_uint_eq(vectors_unhex(hex, key.b, sizeof(key.b)), 16);
	return key;
}

static void pdu_is(const struct meshsec_pdu *pdu, const char *hex)
{
	uint8_t want[MESHSEC_PDU_MAX];
	size_t n = vectors_unhex(hex, want, sizeof(want));

	ck_assert_uint_eq(pdu->len, n);
	ck_assert_mem_eq(pdu->b, want, n);
}

static void feed(struct meshsec *s, const struct meshsec_pdu *pdu, struct meshsec_event *ev)
{
	meshsec_receive(s, pdu->b, pdu->len, ev);
}

static struct meshsec_event feed_hex(struct meshsec *s, const char *hex)
{
	uint8_t raw[64];
	size_t n = vectors_unhex(hex, raw, sizeof(raw));
	struct meshsec_event ev;

	meshsec_receive(s, raw, n, &ev);
	return ev;
}

static void message_is(const struct meshsec_event *ev, const void *want, size_t n)
{
	ck_assert_int_eq(ev->type, MESHSEC_EVENT_MESSAGE);
	ck_assert_uint_eq(ev->message.n, n);
	ck_assert_mem_eq(ev->message.p, want, n);
}

static const uint8_t anonce_of_tests[] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t snonce_of_tests[] = {0x11, 0x12, 0x13, 0x14, 0xFE, 0xFF, 0xFF, 0xFF};

static void init(struct pair *x)
{
	meshsec_init(&x->c, aes128_default(), MESHSEC_CENTRAL, 32000);
	meshsec_init(&x->p, aes128_default(), MESHSEC_PERIPHERAL, 1);
}

/* START … DONE on whatever state the two are in; ends with both open. */
static void shake(struct pair *x)
{
	const struct secret16 ltk = key16(NODE_KEY);
	struct meshsec_pdu pdu;
	struct meshsec_event ev;

	ck_assert_int_eq(meshsec_start(&x->c, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &ltk,
				 snonce_of_tests, &pdu),
		ERR_OK);
	feed(&x->p, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_START);
	ck_assert_int_eq(meshsec_accept(&x->p, &ltk, anonce_of_tests, &pdu), ERR_OK);
	feed(&x->c, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_SEND);
	pdu = ev.pdu;
	feed(&x->p, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_READY);
	pdu = ev.pdu;
	feed(&x->c, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_READY);
	ck_assert_uint_eq(ev.pdu.len, 0);
}

static void open_pair(struct pair *x)
{
	init(x);
	shake(x);
}

/* Sends a message and hands every packet over; returns the last event. */
static struct meshsec_event carry(
	struct meshsec *from, struct meshsec *to, const void *message, size_t n)
{
	struct meshsec_event ev = {.type = MESHSEC_EVENT_NONE};
	struct meshsec_pdu pdu;

	ck_assert_int_eq(meshsec_send_begin(from, message, n), ERR_OK);
	while (meshsec_send_next(from, &pdu) == ERR_OK) {
		ck_assert_int_eq(ev.type, MESHSEC_EVENT_NONE);
		feed(to, &pdu, &ev);
	}
	return ev;
}

/* Seals one plaintext packet as the other side would, fragment header and all. */
static struct meshsec_event deliver(
	struct meshsec *from, struct meshsec *to, const uint8_t *plain, size_t n)
{
	struct meshsec_pdu pdu;
	struct meshsec_event ev;

	ck_assert_int_eq(meshsec_crypt_seal(aes128_default(), &from->tx, plain, n, &pdu), ERR_OK);
	feed(to, &pdu, &ev);
	return ev;
}

/* --- the specification's own bytes --------------------------------------------------------- */

START_TEST(handshake_is_that_of_the_specification)
{
	const struct secret16 ltk = key16("04000000000000000000000000000000");
	const struct secret16 to_p = key16("031CBDBA7342FDB0951381AB97948CD9");
	const struct secret16 to_c = key16("A4131A68D264B655906E87AD5FBFF0A0");
	uint8_t anonce[8], snonce[8];
	struct meshsec c, p;
	struct meshsec_pdu pdu;
	struct meshsec_event ev;

	vectors_unhex("1D4CFA4E3219682A", anonce, 8);
	vectors_unhex("FCD3B864AD0FE819", snonce, 8);
	meshsec_init(&c, aes128_default(), MESHSEC_CENTRAL, 1);
	meshsec_init(&p, aes128_default(), MESHSEC_PERIPHERAL, 2);
	ck_assert_int_eq(
		meshsec_start(&c, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_PEER, &ltk, snonce, &pdu),
		ERR_OK);
	pdu_is(&pdu, "1901000000010200000000");
	feed(&p, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_START);
	ck_assert_uint_eq(ev.central_id, 1);
	ck_assert_uint_eq(ev.key_id, MESHSEC_KEY_NETWORK);
	ck_assert_int_eq(ev.tunnel, MESHSEC_TUNNEL_PEER);
	ck_assert_int_eq(meshsec_accept(&p, &ltk, anonce, &pdu), ERR_OK);
	pdu_is(&pdu, "1A020001001D4CFA4E3219682A");
	feed(&c, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_SEND);
	ck_assert_mem_eq(c.tx.key.b, to_p.b, 16);
	ck_assert_mem_eq(c.rx.key.b, to_c.b, 16);
	pdu_is(&ev.pdu, "7965A5B6A6A758890DE877EDDCCACA4757");
	pdu = ev.pdu;
	feed(&p, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_READY);
	pdu_is(&ev.pdu, "9F32E5B14F7B6292E7B6");
	pdu = ev.pdu;
	feed(&c, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_READY);
	ck_assert_uint_eq(c.partner_id, 2);
	ck_assert_uint_eq(p.partner_id, 1);
}
END_TEST

START_TEST(derived_keys_are_those_of_the_specification)
{
	const struct aes128 *aes = aes128_default();
	const struct secret16 node = key16(NODE_KEY);
	const struct secret16 beef = key16("DEADBEEFDEADBEEFDEADBEEFDEADBEEF");
	const struct secret16 ff = key16("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF");
	const struct secret16 base = key16("22222222222222222222222222222222");
	const struct secret16 want[] = {key16("2AFC35994C861148584CC6D9EED4A2B6"),
		key16("3C5854FC29960059B7806B4C78498B27"),
		key16("5E6FB187CA90CBF54FA1F993D1371147"),
		key16("D0A331FE1AA29BCDB4FC29F370EBCF40")};
	struct secret16 out;

	ck_assert_int_eq(meshsec_restrained_key(aes, &node, &out), ERR_OK);
	ck_assert_mem_eq(out.b, want[0].b, 16);
	ck_assert_int_eq(meshsec_restrained_key(aes, &beef, &out), ERR_OK);
	ck_assert_mem_eq(out.b, want[1].b, 16);
	ck_assert_int_eq(meshsec_crypt_user(aes, &ff, 10, &out), ERR_OK);
	ck_assert_mem_eq(out.b, key16("5E6FB187CA90CBF54FA1F993D1374711").b, 16);
	ck_assert_int_eq(meshsec_user_key(aes, &base, 10, &out), ERR_OK);
	ck_assert_mem_eq(out.b, want[3].b, 16);
}
END_TEST

START_TEST(refuses_to_derive_from_keys_that_everybody_knows)
{
	const struct aes128 *aes = aes128_default();
	const struct secret16 zero = {{0}}, one = {{1}};
	struct secret16 ff, out;

	memset(ff.b, 0xFF, sizeof(ff.b));
	ck_assert_int_eq(meshsec_user_key(aes, &zero, 10, &out), ERR_KEY);
	ck_assert_int_eq(meshsec_user_key(aes, &ff, 10, &out), ERR_KEY);
	ck_assert_int_eq(meshsec_restrained_key(aes, &zero, &out), ERR_KEY);
	ck_assert_int_eq(meshsec_restrained_key(aes, &ff, &out), ERR_KEY);
	ck_assert_int_eq(meshsec_user_key(aes, &one, 9, &out), ERR_RANGE);
	ck_assert_int_eq(meshsec_user_key(aes, &one, 0x80000000u, &out), ERR_RANGE);
	ck_assert_int_eq(meshsec_user_key(aes, &one, 0x7FFFFFFFu, &out), ERR_OK);
}
END_TEST

/* §9.3, first half: the handshake and what the node says, with its counter wrapping. */
static void enrollment_begins(struct pair *x)
{
	struct meshsec_event ev;
	const struct secret16 ltk = key16(NODE_KEY);
	const char *info = "1701000000000000000100FFFF01";
	uint8_t plain[16];
	struct meshsec_pdu pdu;

	ck_assert_int_eq(meshsec_start(&x->c, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &ltk,
				 snonce_of_tests, &pdu),
		ERR_OK);
	pdu_is(&pdu, "19007D0000010100000000");
	feed(&x->p, &pdu, &ev);
	ck_assert_int_eq(meshsec_accept(&x->p, &ltk, anonce_of_tests, &pdu), ERR_OK);
	pdu_is(&pdu, "1A0100007D0102030405060708");
	feed(&x->c, &pdu, &ev);
	pdu_is(&ev.pdu, "449AB05EC7C2E8FC343573684636E026D6");
	pdu = ev.pdu;
	feed(&x->p, &pdu, &ev);
	pdu_is(&ev.pdu, "9390A08DBB4DEF71D484");
	pdu = ev.pdu;
	feed(&x->c, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_READY);
	ck_assert_int_eq(
		meshsec_send_begin(&x->p, plain, vectors_unhex(info, plain, sizeof(plain))),
		ERR_OK);
	ck_assert_int_eq(meshsec_send_next(&x->p, &pdu), ERR_OK);
	pdu_is(&pdu, "F818E1BA58619B52FC82D2293B055A0E10E3");
	feed(&x->c, &pdu, &ev);
	message_is(&ev, plain, 14);
}

static struct wr request_of_specification(uint8_t *buf, size_t cap)
{
	const struct secret16 node = key16(NODE_KEY);
	uint8_t k10[16], k22[16], k33[16];
	const struct meshmsg_set_enrollment m = {2, 77, 480, k10, k22, k33, node.b, 10, true};
	struct wr w = wr_init(buf, cap);

	memset(k10, 0x10, 16);
	memset(k22, 0x22, 16);
	memset(k33, 0x33, 16);
	ck_assert_int_eq(
		meshmsg_encode_set_enrollment(&w, (struct meshmsg_route){32000, 1, 0x37}, &m),
		ERR_OK);
	return w;
}

START_TEST(enrollment_is_that_of_the_specification)
{
	static const char *const air[] = {"8CB5CCDA6D7DA466B82C4D2CF16B5C7086448B54",
		"543B7238F40392AF7570005987D1B6B489632AFE",
		"A271C8E8563B4D6145E99D49844A79DB3EA3544E",
		"447DBFB4BD8AFAE49F0F686C5EAEDE8C2BF7BA16",
		"EEE2107EF0F583B30D13EC243BB8BE870EC6CEEB", "F3C158D8ABB06AA99688E73A790E668BCF"};
	uint8_t request[MESHMSG_BYTES_MAX], response[16];
	struct pair x;
	struct meshsec_pdu pdu;
	struct meshsec_event ev;
	struct wr w;

	init(&x);
	enrollment_begins(&x);
	w = request_of_specification(request, sizeof(request));
	ck_assert_uint_eq(w.len_bytes, 81);
	ck_assert_int_eq(meshsec_send_begin(&x.c, request, w.len_bytes), ERR_OK);
	for (size_t i = 0; i < 6; i++) {
		ck_assert_int_eq(meshsec_send_next(&x.c, &pdu), ERR_OK);
		pdu_is(&pdu, air[i]);
		feed(&x.p, &pdu, &ev);
		ck_assert_int_eq(ev.type, i < 5 ? MESHSEC_EVENT_NONE : MESHSEC_EVENT_MESSAGE);
	}
	message_is(&ev, request, w.len_bytes);
	ck_assert_int_eq(meshsec_send_next(&x.c, &pdu), ERR_NOT_FOUND);

	w = wr_init(response, sizeof(response));
	ck_assert_int_eq(meshmsg_encode_enroll_response(&w, (struct meshmsg_route){77, 0, 0x37},
				 &(struct meshmsg_enroll_response){false, 2, 0}),
		ERR_OK);
	ck_assert_int_eq(meshsec_send_begin(&x.p, response, w.len_bytes), ERR_OK);
	ck_assert_int_eq(meshsec_send_next(&x.p, &pdu), ERR_OK);
	pdu_is(&pdu, "F92649DAB20632012057BAE4895E0E355B");
	feed(&x.c, &pdu, &ev);
	message_is(&ev, response, w.len_bytes);
}
END_TEST

/* --- the two roles together ---------------------------------------------------------------- */

static void fill_message(uint8_t *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m[i] = (uint8_t)(i * 7 + n);
	m[0] = MESHMSG_TYPE_TRIGGER;
}

START_TEST(messages_of_every_length_arrive_in_both_directions)
{
	uint8_t m[MESHSEC_MSG_MAX];
	struct pair x;
	struct meshsec_event ev;

	open_pair(&x);
	for (size_t n = 1; n <= sizeof(m); n++) {
		fill_message(m, n);
		ev = carry(&x.c, &x.p, m, n);
		message_is(&ev, m, n);
		ev = carry(&x.p, &x.c, m, n);
		message_is(&ev, m, n);
		ck_assert(!meshsec_is_sending(&x.c));
	}
	ck_assert_uint_eq(x.c.dropped_count + x.p.dropped_count, 0);
}
END_TEST

START_TEST(packets_are_never_longer_than_twenty_bytes)
{
	uint8_t m[MESHSEC_MSG_MAX];
	struct pair x;
	struct meshsec_pdu pdu;
	size_t count = 0;

	open_pair(&x);
	fill_message(m, sizeof(m));
	ck_assert_int_eq(meshsec_send_begin(&x.c, m, sizeof(m)), ERR_OK);
	while (meshsec_send_next(&x.c, &pdu) == ERR_OK) {
		ck_assert_uint_le(pdu.len, MESHSEC_PDU_MAX);
		count++;
	}
	ck_assert_uint_eq(count, 15);
}
END_TEST

START_TEST(counter_wraps_without_carry)
{
	uint8_t m[MESHSEC_MSG_MAX];
	struct pair x;
	struct meshsec_event ev;

	for (uint32_t back = 0; back < 40; back++) {
		open_pair(&x);
		x.c.tx.n1 = x.p.rx.n1 = UINT32_MAX - back;
		fill_message(m, sizeof(m));
		ev = carry(&x.c, &x.p, m, sizeof(m));
		message_is(&ev, m, sizeof(m));
		ck_assert_uint_eq(x.c.tx.n1, UINT32_MAX - back + 30);
		ck_assert_uint_eq(x.c.tx.n0, 0x04030201);
	}
}
END_TEST

START_TEST(sends_only_one_whole_valid_message_at_a_time)
{
	uint8_t m[MESHSEC_MSG_MAX + 1];
	struct pair x;
	struct meshsec_pdu pdu;

	init(&x);
	fill_message(m, sizeof(m));
	ck_assert_int_eq(meshsec_send_begin(&x.c, m, 8), ERR_STATE);
	ck_assert_int_eq(meshsec_send_next(&x.c, &pdu), ERR_NOT_FOUND);
	shake(&x);
	ck_assert_int_eq(meshsec_send_begin(&x.c, m, 0), ERR_RANGE);
	ck_assert_int_eq(meshsec_send_begin(&x.c, m, sizeof(m)), ERR_RANGE);
	ck_assert_int_eq(meshsec_send_begin(&x.c, m, 40), ERR_OK);
	ck_assert(meshsec_is_sending(&x.c));
	ck_assert_int_eq(meshsec_send_begin(&x.c, m, 8), ERR_BUSY);
	while (meshsec_send_next(&x.c, &pdu) == ERR_OK)
		;
	m[0] = MESHMSG_TYPE_SPLIT;
	ck_assert_int_eq(meshsec_send_begin(&x.c, m, 8), ERR_INVALID);
	m[0] = MESHMSG_TYPE_SPLIT_END;
	ck_assert_int_eq(meshsec_send_begin(&x.c, m, 8), ERR_INVALID);
}
END_TEST

/* --- keys ---------------------------------------------------------------------------------- */

static enum err start_with(uint16_t own, uint32_t id, int tunnel, uint8_t filler)
{
	struct meshsec c;
	struct meshsec_pdu pdu;
	struct secret16 ltk;

	memset(ltk.b, filler, sizeof(ltk.b));
	meshsec_init(&c, aes128_default(), MESHSEC_CENTRAL, own);
	return meshsec_start(&c, id, (enum meshsec_tunnel)tunnel, &ltk, snonce_of_tests, &pdu);
}

START_TEST(central_refuses_keys_and_ids_that_no_node_takes)
{
	ck_assert_int_eq(start_with(32000, MESHSEC_KEY_NODE, 0, 0x00), ERR_KEY);
	ck_assert_int_eq(start_with(32000, MESHSEC_KEY_NODE, 0, 0xFF), ERR_KEY);
	ck_assert_int_eq(start_with(32000, MESHSEC_KEY_ZERO, 0, 0xFF), ERR_KEY);
	ck_assert_int_eq(start_with(32000, MESHSEC_KEY_ZERO, 0, 0x00), ERR_OK);
	ck_assert_int_eq(start_with(32000, MESHSEC_KEY_NETWORK, 1, 0x55), ERR_OK);
	ck_assert_int_eq(start_with(0, MESHSEC_KEY_NODE, 0, 0x55), ERR_RANGE);
	ck_assert_int_eq(start_with(32000, MESHSEC_KEY_BASE_USER, 0, 0x55), ERR_RANGE);
	ck_assert_int_eq(start_with(32000, 9, 0, 0x55), ERR_RANGE);
	ck_assert_int_eq(start_with(32000, 0x80000000u, 0, 0x55), ERR_RANGE);
	ck_assert_int_eq(start_with(32000, MESHSEC_KEY_NODE, 3, 0x55), ERR_RANGE);
}
END_TEST

static enum err accept_with(uint32_t id, uint8_t filler, struct meshsec *p)
{
	const uint8_t start[] = {25, 0, 125, 0, 0, 1, (uint8_t)id, 0, 0, 0, 0};
	struct meshsec_event ev;
	struct meshsec_pdu pdu = {0};
	struct secret16 ltk;
	enum err e;

	memset(ltk.b, filler, sizeof(ltk.b));
	meshsec_init(p, aes128_default(), MESHSEC_PERIPHERAL, 1);
	meshsec_receive(p, start, sizeof(start), &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_START);
	e = meshsec_accept(p, &ltk, anonce_of_tests, &pdu);
	ck_assert_uint_eq(pdu.len, e ? 0 : 13);
	return e;
}

START_TEST(peripheral_refuses_unset_keys_without_anonce)
{
	struct meshsec p;

	ck_assert_int_eq(accept_with(MESHSEC_KEY_ORGANIZATION, 0x00, &p), ERR_KEY);
	ck_assert_int_eq(p.state, MESHSEC_CLOSED);
	ck_assert_int_eq(accept_with(MESHSEC_KEY_ORGANIZATION, 0xFF, &p), ERR_KEY);
	ck_assert_int_eq(accept_with(MESHSEC_KEY_ZERO, 0xFF, &p), ERR_KEY);
	ck_assert_int_eq(accept_with(MESHSEC_KEY_ZERO, 0x00, &p), ERR_OK);
	ck_assert_int_eq(accept_with(MESHSEC_KEY_NODE, 0x11, &p), ERR_OK);
}
END_TEST

START_TEST(wrong_key_ends_the_handshake)
{
	const struct secret16 right = key16(NODE_KEY), wrong = {{1}};
	struct pair x;
	struct meshsec_pdu pdu;
	struct meshsec_event ev;

	init(&x);
	ck_assert_int_eq(meshsec_start(&x.c, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &wrong,
				 snonce_of_tests, &pdu),
		ERR_OK);
	feed(&x.p, &pdu, &ev);
	ck_assert_int_eq(meshsec_accept(&x.p, &right, anonce_of_tests, &pdu), ERR_OK);
	feed(&x.c, &pdu, &ev);
	pdu = ev.pdu;
	feed(&x.p, &pdu, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_CLOSE);
	ck_assert_int_eq(ev.reason, MESHSEC_REASON_INVALID_HANDSHAKE_PACKET);
	ck_assert_uint_eq(ev.pdu.len, 0);
	ck_assert_int_eq(x.p.state, MESHSEC_CLOSED);
	/* Firmware up to 1.0.1220 says it with DEAD_DATA instead. */
	ev = feed_hex(&x.c, "3D0100007DDEADDADA00FF7733");
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_DEAD);
	ck_assert_int_eq(x.c.state, MESHSEC_IDLE);
}
END_TEST

/* --- malformed handshakes ------------------------------------------------------------------ */

static struct meshsec_event start_event(const char *hex)
{
	struct meshsec p;

	meshsec_init(&p, aes128_default(), MESHSEC_PERIPHERAL, 1);
	return feed_hex(&p, hex);
}

START_TEST(peripheral_closes_with_the_reasons_of_the_reference)
{
	static const struct {
		const char *start;
		enum meshsec_reason reason;
	} rows[] = {
		{"1900000000010100000000", MESHSEC_REASON_WRONG_PARTNER_ID},
		{"19007D0000010100000003", MESHSEC_REASON_ILLEGAL_TUNNEL},
		{"19007D0000010300000000", MESHSEC_REASON_INVALID_KEY},
		{"19007D0000010900000000", MESHSEC_REASON_INVALID_KEY},
		{"19007D0000010000008000", MESHSEC_REASON_INVALID_KEY},
		{"1A007D0000010100000000", MESHSEC_REASON_INVALID_HANDSHAKE_PACKET},
		{"330000000005", MESHSEC_REASON_INVALID_HANDSHAKE_PACKET},
		{"", MESHSEC_REASON_INVALID_HANDSHAKE_PACKET},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct meshsec_event ev = start_event(rows[i].start);

		ck_assert_int_eq(ev.type, MESHSEC_EVENT_CLOSE);
		ck_assert_int_eq(ev.reason, rows[i].reason);
	}
	ck_assert_int_eq(start_event("19007D00000101000000FC").type, MESHSEC_EVENT_START);
	ck_assert_int_eq(start_event("19007D0000010A00000002").tunnel, MESHSEC_TUNNEL_LOCAL_MESH);
}
END_TEST

/* Plays the handshake, with packet `which` (0 START … 3 DONE) cut to n bytes or one longer. */
static enum meshsec_event_type shake_with_length(int which, size_t n)
{
	const struct secret16 ltk = key16(NODE_KEY);
	struct pair x;
	struct meshsec_pdu pdu = {0};
	struct meshsec_event ev = {.type = MESHSEC_EVENT_NONE};
	struct meshsec *to[] = {&x.p, &x.c, &x.p, &x.c};

	init(&x);
	ck_assert_int_eq(meshsec_start(&x.c, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &ltk,
				 snonce_of_tests, &pdu),
		ERR_OK);
	for (int i = 0; i < 4; i++) {
		if (i == which && n == pdu.len)
			return MESHSEC_EVENT_CLOSE; /* not a broken one */
		meshsec_receive(to[i], pdu.b, i == which ? n : pdu.len, &ev);
		if (i == which)
			return ev.type;
		pdu = ev.pdu;
		if (i == 0)
			ck_assert_int_eq(meshsec_accept(&x.p, &ltk, anonce_of_tests, &pdu), ERR_OK);
	}
	return ev.type;
}

START_TEST(refuses_every_truncated_or_longer_handshake_packet)
{
	for (int which = 0; which < 4; which++) {
		for (size_t n = 0; n <= MESHSEC_PDU_MAX; n++)
			ck_assert_msg(shake_with_length(which, n) == MESHSEC_EVENT_CLOSE,
				"packet %d with %zu bytes", which, n);
	}
}
END_TEST

START_TEST(central_refuses_done_that_is_none)
{
	static const uint8_t bad[][6] = {{28, 1, 0, 0, 125, 1}, {27, 1, 0, 0, 125, 0}};
	const struct secret16 ltk = key16(NODE_KEY);

	for (size_t i = 0; i < 2; i++) {
		struct pair x;
		struct meshsec_pdu pdu;
		struct meshsec_event ev;

		init(&x);
		ck_assert_int_eq(meshsec_start(&x.c, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &ltk,
					 snonce_of_tests, &pdu),
			ERR_OK);
		feed(&x.p, &pdu, &ev);
		ck_assert_int_eq(meshsec_accept(&x.p, &ltk, anonce_of_tests, &pdu), ERR_OK);
		feed(&x.c, &pdu, &ev);
		pdu = ev.pdu;
		feed(&x.p, &pdu, &ev);
		x.p.tx.n1 -= 2; /* as if its DONE had never been */
		ev = deliver(&x.p, &x.c, bad[i], sizeof(bad[i]));
		ck_assert_int_eq(ev.type, MESHSEC_EVENT_CLOSE);
		ck_assert_int_eq(x.c.state, MESHSEC_CLOSED);
	}
}
END_TEST

START_TEST(peripheral_refuses_a_sealed_message_instead_of_snonce)
{
	static const uint8_t ping[] = {51, 0, 125, 1, 0, 0, 0, 3};
	const struct secret16 ltk = key16(NODE_KEY);
	struct pair x;
	struct meshsec_pdu pdu;
	struct meshsec_event ev;

	init(&x);
	ck_assert_int_eq(meshsec_start(&x.c, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &ltk,
				 snonce_of_tests, &pdu),
		ERR_OK);
	feed(&x.p, &pdu, &ev);
	ck_assert_int_eq(meshsec_accept(&x.p, &ltk, anonce_of_tests, &pdu), ERR_OK);
	feed(&x.c, &pdu, &ev);
	x.c.tx.n1 -= 2; /* as if its SNONCE had never been */
	ev = deliver(&x.c, &x.p, ping, sizeof(ping));
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_CLOSE);
	ck_assert_int_eq(ev.reason, MESHSEC_REASON_INVALID_HANDSHAKE_PACKET);
}
END_TEST

START_TEST(packets_out_of_turn_are_ignored)
{
	struct meshsec p;

	meshsec_init(&p, aes128_default(), MESHSEC_PERIPHERAL, 1);
	ck_assert_int_eq(feed_hex(&p, "19007D0000010100000000").type, MESHSEC_EVENT_START);
	ck_assert_int_eq(feed_hex(&p, "19007D0000010100000000").type, MESHSEC_EVENT_NONE);
	ck_assert_int_eq(p.state, MESHSEC_ASKED);
	meshsec_init(&p, aes128_default(), MESHSEC_PERIPHERAL, 1);
	ck_assert_int_eq(feed_hex(&p, "00").type, MESHSEC_EVENT_CLOSE);
	ck_assert_int_eq(feed_hex(&p, "19007D0000010100000000").type, MESHSEC_EVENT_NONE);
	ck_assert_int_eq(p.state, MESHSEC_CLOSED);
}
END_TEST

START_TEST(calls_out_of_turn_are_refused)
{
	const struct secret16 ltk = key16(NODE_KEY);
	struct pair x;
	struct meshsec_pdu pdu;
	struct meshsec_event ev;

	init(&x);
	ck_assert_int_eq(meshsec_accept(&x.p, &ltk, anonce_of_tests, &pdu), ERR_STATE);
	ck_assert_int_eq(meshsec_start(&x.p, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &ltk,
				 snonce_of_tests, &pdu),
		ERR_STATE);
	ev = feed_hex(&x.c, "1A0100007D0102030405060708");
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_NONE);
	shake(&x);
	ck_assert_int_eq(meshsec_start(&x.c, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &ltk,
				 snonce_of_tests, &pdu),
		ERR_STATE);
}
END_TEST

/* --- a whole conversation, one byte wrong -------------------------------------------------- */

#define TALK_MAX 32

struct talk {
	struct meshsec_pdu pdu[TALK_MAX];
	size_t count;
	size_t at;   /* which packet is corrupted … */
	size_t byte; /* … at which byte, by xor with … */
	uint8_t with;
	bool is_over;
};

/* One packet on its way: recorded, damaged if it is its turn, handed over. */
static struct meshsec_event pass(struct talk *t, struct meshsec *to, struct meshsec_pdu pdu)
{
	struct meshsec_event ev;
	bool is_hit = t->count == t->at && t->byte < pdu.len;

	ck_assert_uint_lt(t->count, TALK_MAX);
	t->pdu[t->count++] = pdu;
	if (is_hit)
		pdu.b[t->byte] ^= t->with;
	feed(to, &pdu, &ev);
	if (is_hit && t->count > 3) {
		/* Encrypted: whatever it was, it is noticed. */
		ck_assert(ev.type == MESHSEC_EVENT_CORRUPT || ev.type == MESHSEC_EVENT_CLOSE);
	}
	t->is_over =
		t->is_over || ev.type == MESHSEC_EVENT_CORRUPT || ev.type == MESHSEC_EVENT_CLOSE;
	return ev;
}

static void talk_message(
	struct talk *t, struct meshsec *from, struct meshsec *to, const uint8_t *m, size_t n)
{
	struct meshsec_event ev = {.type = MESHSEC_EVENT_NONE};
	struct meshsec_pdu pdu;

	ck_assert_int_eq(meshsec_send_begin(from, m, n), ERR_OK);
	while (!t->is_over && meshsec_send_next(from, &pdu) == ERR_OK) {
		ev = pass(t, to, pdu);
		if (ev.type == MESHSEC_EVENT_MESSAGE)
			message_is(&ev, m, n);
	}
}

static void talk_all(struct talk *t)
{
	const struct secret16 ltk = key16(NODE_KEY);
	uint8_t m[100];
	struct pair x;
	struct meshsec_pdu pdu;
	struct meshsec_event ev;

	init(&x);
	fill_message(m, sizeof(m));
	ck_assert_int_eq(meshsec_start(&x.c, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &ltk,
				 snonce_of_tests, &pdu),
		ERR_OK);
	ev = pass(t, &x.p, pdu);
	if (ev.type != MESHSEC_EVENT_START ||
		meshsec_accept(&x.p, &ltk, anonce_of_tests, &pdu) != ERR_OK)
		return;
	ev = pass(t, &x.c, pdu);
	if (!t->is_over)
		ev = pass(t, &x.p, ev.pdu);
	if (!t->is_over)
		ev = pass(t, &x.c, ev.pdu);
	if (!t->is_over)
		talk_message(t, &x.c, &x.p, m, sizeof(m));
	if (!t->is_over)
		talk_message(t, &x.p, &x.c, m, sizeof(m));
	bytes_wipe(m, sizeof(m));
}

START_TEST(every_corrupted_byte_of_a_conversation_is_noticed_or_harmless)
{
	struct talk whole = {.at = SIZE_MAX};
	size_t hits = 0;

	talk_all(&whole);
	ck_assert(!whole.is_over);
	for (size_t at = 0; at < whole.count; at++) {
		for (size_t byte = 0; byte < whole.pdu[at].len; byte++) {
			for (unsigned bit = 0; bit < 8; bit++, hits++) {
				struct talk t = {
					.at = at, .byte = byte, .with = (uint8_t)(1u << bit)};

				talk_all(&t);
			}
		}
	}
	printf("%zu single-bit corruptions of %zu packets\n", hits, whole.count);
	ck_assert_uint_gt(hits, 2000);
}
END_TEST

START_TEST(every_truncated_packet_after_the_handshake_is_corrupt)
{
	uint8_t m[16];

	fill_message(m, sizeof(m));
	for (size_t n = 0; n <= MESHSEC_PDU_MAX + 5; n++) {
		struct pair x;
		struct meshsec_pdu pdu;
		struct meshsec_event ev;
		uint8_t wire[MESHSEC_PDU_MAX + 5] = {0};

		open_pair(&x);
		ck_assert_int_eq(meshsec_send_begin(&x.c, m, sizeof(m)), ERR_OK);
		ck_assert_int_eq(meshsec_send_next(&x.c, &pdu), ERR_OK);
		memcpy(wire, pdu.b, pdu.len);
		meshsec_receive(&x.p, wire, n, &ev);
		ck_assert_int_eq(
			ev.type, n == pdu.len ? MESHSEC_EVENT_MESSAGE : MESHSEC_EVENT_CORRUPT);
	}
}
END_TEST

/* --- DEAD_DATA ----------------------------------------------------------------------------- */

START_TEST(session_is_made_anew_on_the_same_link_after_corruption)
{
	uint8_t m[60];
	struct pair x;
	struct meshsec_pdu stray;
	struct meshsec_event ev;

	open_pair(&x);
	fill_message(m, sizeof(m));
	ev = feed_hex(&x.p, "00112233445566778899");
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_CORRUPT);
	pdu_is(&ev.pdu, "3D0100007DDEADDADA00FF7733");
	/* What was on its way is ignored, both at the node … */
	ck_assert_int_eq(meshsec_send_begin(&x.c, m, sizeof(m)), ERR_OK);
	ck_assert_int_eq(meshsec_send_next(&x.c, &stray), ERR_OK);
	ck_assert_int_eq(feed_hex(&x.p, "AABBCC").type, MESHSEC_EVENT_NONE);
	feed(&x.p, &stray, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_NONE);
	/* … and at the gateway, which forgets its half-sent message. */
	ev = feed_hex(&x.c, "3D0100007DDEADDADA00FF7733");
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_DEAD);
	ck_assert(!meshsec_is_sending(&x.c));
	ck_assert_int_eq(feed_hex(&x.c, "3D0100007DDEADDADA00FF7733").type, MESHSEC_EVENT_NONE);
	shake(&x);
	ev = carry(&x.c, &x.p, m, sizeof(m));
	message_is(&ev, m, sizeof(m));
}
END_TEST

START_TEST(gateway_that_lost_track_says_so_and_starts_again)
{
	struct pair x;
	struct meshsec_event ev;
	struct meshsec_pdu dead;

	open_pair(&x);
	ev = feed_hex(&x.c, "0011223344");
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_CORRUPT);
	pdu_is(&ev.pdu, "3D007D0100DEADDADA00FF7733");
	dead = ev.pdu;
	feed(&x.p, &dead, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_DEAD);
	ck_assert_uint_eq(ev.pdu.len, 0);
	shake(&x);
	ck_assert_int_eq(x.c.state, MESHSEC_OPEN);
}
END_TEST

START_TEST(dead_data_needs_its_whole_magic_and_length)
{
	static const char *const not_dead[] = {"3D0100007DDEADDADA00FF7734",
		"3D0100007DDEADDADA00FF77", "3D0100007DDEADDADA00FF773300",
		"3C0100007DDEADDADA00FF7733"};

	for (size_t i = 0; i < sizeof(not_dead) / sizeof(not_dead[0]); i++) {
		struct pair x;

		open_pair(&x);
		ck_assert_int_eq(feed_hex(&x.c, not_dead[i]).type, MESHSEC_EVENT_CORRUPT);
	}
}
END_TEST

/* --- reassembly ---------------------------------------------------------------------------- */

static struct meshsec_event fragment(struct pair *x, uint8_t type, uint8_t counter, size_t n)
{
	uint8_t plain[MESHSEC_PLAIN_MAX] = {type, counter};

	memset(plain + 2, 'a' + counter % 26, sizeof(plain) - 2);
	return deliver(&x->c, &x->p, plain, n);
}

static void is_dropped(struct pair *x, const struct meshsec_event *ev, uint32_t count)
{
	ck_assert_int_eq(ev->type, MESHSEC_EVENT_NONE);
	ck_assert_uint_eq(x->p.dropped_count, count);
}

START_TEST(drops_split_messages_with_a_gap_or_a_repetition)
{
	struct pair x;
	struct meshsec_event ev;

	open_pair(&x);
	(void)fragment(&x, 16, 0, 16);
	ev = fragment(&x, 16, 2, 16); /* gap */
	is_dropped(&x, &ev, 1);
	ev = fragment(&x, 17, 3, 5); /* rest of it: ignored */
	is_dropped(&x, &ev, 1);
	(void)fragment(&x, 16, 0, 16);
	(void)fragment(&x, 16, 1, 16);
	ev = fragment(&x, 16, 1, 16); /* repeated */
	is_dropped(&x, &ev, 2);
	ev = fragment(&x, 17, 0, 5); /* a new one, in one piece */
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_MESSAGE);
	ck_assert_uint_eq(ev.message.n, 3);
}
END_TEST

START_TEST(drops_fragments_of_impossible_length)
{
	struct pair x;
	struct meshsec_event ev;
	uint8_t counter;

	open_pair(&x);
	ev = fragment(&x, 16, 0, 15); /* only the last may be short */
	is_dropped(&x, &ev, 1);
	ev = fragment(&x, 17, 0, 2); /* nothing in it */
	is_dropped(&x, &ev, 2);
	ev = fragment(&x, 16, 0, 1); /* not even a counter */
	is_dropped(&x, &ev, 2);
	for (counter = 0; counter < 14; counter++)
		(void)fragment(&x, 16, counter, 16);
	ev = fragment(&x, 17, 14, 7); /* 201 bytes */
	is_dropped(&x, &ev, 3);
	for (counter = 0; counter < 14; counter++)
		(void)fragment(&x, 16, counter, 16);
	ev = fragment(&x, 17, 14, 6); /* 200 */
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_MESSAGE);
	ck_assert_uint_eq(ev.message.n, MESHSEC_MSG_MAX);
}
END_TEST

START_TEST(a_first_fragment_ends_a_half_message)
{
	struct pair x;
	struct meshsec_event ev;

	open_pair(&x);
	(void)fragment(&x, 16, 0, 16);
	(void)fragment(&x, 16, 1, 16);
	(void)fragment(&x, 16, 0, 16);
	ck_assert_uint_eq(x.p.dropped_count, 1);
	ev = fragment(&x, 17, 1, 5);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_MESSAGE);
	ck_assert_uint_eq(ev.message.n, 17);
}
END_TEST

START_TEST(a_whole_message_ends_a_half_one)
{
	const uint8_t whole[] = {51, 0, 125, 1, 0, 0, 0, 3};
	struct pair x;
	struct meshsec_event ev;

	open_pair(&x);
	(void)fragment(&x, 16, 0, 16);
	ev = deliver(&x.c, &x.p, whole, sizeof(whole));
	message_is(&ev, whole, sizeof(whole));
	ck_assert_uint_eq(x.p.dropped_count, 1);
	ev = fragment(&x, 17, 1, 5);
	is_dropped(&x, &ev, 2);
}
END_TEST

/* --- the AES block fails, and wiping ------------------------------------------------------- */

static enum err failing_encrypt(
	void *ctx, const struct secret16 *key, const uint8_t in[16], uint8_t out[16])
{
	unsigned *left = ctx;
	const struct aes128 *aes = aes128_default();

	if (*left == 0) {
		memset(out, 0, 16);
		return ERR_CRYPTO;
	}
	(*left)--;
	return aes->encrypt(aes->ctx, key, in, out);
}

/* The talk of talk_all with an AES that fails at call n; false when it never came to that. */
static bool talk_with_failure(unsigned n)
{
	const struct secret16 ltk = key16(NODE_KEY);
	unsigned left = n;
	const struct aes128 aes = {&left, failing_encrypt};
	struct pair x;
	struct meshsec_pdu pdu;
	struct meshsec_event ev;
	uint8_t m[20];

	meshsec_init(&x.c, &aes, MESHSEC_CENTRAL, 32000);
	meshsec_init(&x.p, &aes, MESHSEC_PERIPHERAL, 1);
	fill_message(m, sizeof(m));
	ck_assert_int_eq(meshsec_start(&x.c, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &ltk,
				 snonce_of_tests, &pdu),
		ERR_OK);
	feed(&x.p, &pdu, &ev);
	if (meshsec_accept(&x.p, &ltk, anonce_of_tests, &pdu) == ERR_CRYPTO)
		return true;
	feed(&x.c, &pdu, &ev);
	for (int i = 0; i < 2 && ev.type != MESHSEC_EVENT_CLOSE; i++) {
		pdu = ev.pdu;
		feed(i == 0 ? &x.p : &x.c, &pdu, &ev);
	}
	if (ev.type != MESHSEC_EVENT_CLOSE) {
		ck_assert_int_eq(meshsec_send_begin(&x.c, m, sizeof(m)), ERR_OK);
		while (meshsec_is_sending(&x.c) && ev.type != MESHSEC_EVENT_CLOSE) {
			if (meshsec_send_next(&x.c, &pdu) == ERR_CRYPTO)
				return true;
			feed(&x.p, &pdu, &ev);
		}
	}
	if (ev.type == MESHSEC_EVENT_CLOSE)
		ck_assert_int_eq(ev.reason, MESHSEC_REASON_UNKNOWN);
	else
		message_is(&ev, m, sizeof(m));
	return ev.type == MESHSEC_EVENT_CLOSE;
}

START_TEST(a_failing_cipher_closes_the_session)
{
	unsigned n = 0;

	while (talk_with_failure(n))
		n++;
	printf("%u calls of AES failed in turn\n", n);
	ck_assert_uint_ge(n, 20);
}
END_TEST

START_TEST(clear_and_close_leave_no_keys)
{
	struct pair x;

	open_pair(&x);
	ck_assert(bytes_are_ct(x.c.ltk.b, 16, 0));
	ck_assert(bytes_are_ct(x.p.ltk.b, 16, 0));
	(void)feed_hex(&x.p, "0011223344");
	ck_assert(bytes_are_ct(&x.p.tx, sizeof(x.p.tx), 0));
	ck_assert(bytes_are_ct(&x.p.rx, sizeof(x.p.rx), 0));
	meshsec_clear(&x.c);
	ck_assert(bytes_are_ct(&x.c, sizeof(x.c), 0));
}
END_TEST

START_TEST(tunnels_are_mirrored)
{
	ck_assert_int_eq(meshsec_tunnel_mirror(MESHSEC_TUNNEL_PEER), MESHSEC_TUNNEL_PEER);
	ck_assert_int_eq(
		meshsec_tunnel_mirror(MESHSEC_TUNNEL_REMOTE_MESH), MESHSEC_TUNNEL_LOCAL_MESH);
	ck_assert_int_eq(
		meshsec_tunnel_mirror(MESHSEC_TUNNEL_LOCAL_MESH), MESHSEC_TUNNEL_REMOTE_MESH);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, handshake_is_that_of_the_specification);
	tcase_add_test(tc, derived_keys_are_those_of_the_specification);
	tcase_add_test(tc, refuses_to_derive_from_keys_that_everybody_knows);
	tcase_add_test(tc, enrollment_is_that_of_the_specification);
	tcase_add_test(tc, messages_of_every_length_arrive_in_both_directions);
	tcase_add_test(tc, packets_are_never_longer_than_twenty_bytes);
	tcase_add_test(tc, counter_wraps_without_carry);
	tcase_add_test(tc, sends_only_one_whole_valid_message_at_a_time);
	tcase_add_test(tc, central_refuses_keys_and_ids_that_no_node_takes);
	tcase_add_test(tc, peripheral_refuses_unset_keys_without_anonce);
	tcase_add_test(tc, wrong_key_ends_the_handshake);
	tcase_add_test(tc, peripheral_closes_with_the_reasons_of_the_reference);
	tcase_add_test(tc, refuses_every_truncated_or_longer_handshake_packet);
	tcase_add_test(tc, central_refuses_done_that_is_none);
	tcase_add_test(tc, peripheral_refuses_a_sealed_message_instead_of_snonce);
	tcase_add_test(tc, packets_out_of_turn_are_ignored);
	tcase_add_test(tc, calls_out_of_turn_are_refused);
	tcase_add_test(tc, every_corrupted_byte_of_a_conversation_is_noticed_or_harmless);
	tcase_add_test(tc, every_truncated_packet_after_the_handshake_is_corrupt);
	tcase_add_test(tc, session_is_made_anew_on_the_same_link_after_corruption);
	tcase_add_test(tc, gateway_that_lost_track_says_so_and_starts_again);
	tcase_add_test(tc, dead_data_needs_its_whole_magic_and_length);
	tcase_add_test(tc, drops_split_messages_with_a_gap_or_a_repetition);
	tcase_add_test(tc, drops_fragments_of_impossible_length);
	tcase_add_test(tc, a_first_fragment_ends_a_half_message);
	tcase_add_test(tc, a_whole_message_ends_a_half_one);
	tcase_add_test(tc, a_failing_cipher_closes_the_session);
	tcase_add_test(tc, clear_and_close_leave_no_keys);
	tcase_add_test(tc, tunnels_are_mirrored);
}

int main(void)
{
	return suite_main("meshsec", fill);
}
