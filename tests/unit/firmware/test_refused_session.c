/* What a node as peripheral refuses once START is there, byte by byte: keys, SNONCE, packets,
 * fragments, and what it hands to whom (mesh-protocol §1.6, §3.1, §3.5, §3.7, §3.9). */
#include <stdio.h>

#include "base/crypto_openssl.h"
#include "core/meshsec_crypt.h"
#include "support/fake_port.h"
#include "unit/suite.h"

#define LINK 3
#define OWN_ID 77
#define VIRTUAL_ID (OWN_ID + MESHMSG_VIRTUAL_STEP)
#define APP_ID 32000
#define SNONCE_PDU_BYTES 17
#define UNKNOWN_TYPE 80 /* DATA_1: carried by the mesh, known by nobody here */

static const struct secret16 key = {{0x42, 0x10, 0x10, 0x10}};

struct talk {
	struct fake_port f;
	struct meshsec app;
};

/* All keys that a node may have are this one. */
static void set_up(struct talk *t, bool enrolled)
{
	struct fake_port *f = &t->f;

	fake_init(f);
	f->node.config.enrolled = enrolled;
	f->node.config.node_id = OWN_ID;
	f->node.config.network_id = enrolled ? 480 : 0;
	f->node.config.network_key = key;
	f->node.config.organization_key = key;
	f->node.config.user_base_key = key;
	f->node.id.node_key = key;
}

static void put(struct talk *t, const void *p, size_t n)
{
	t->f.out_count = 0;
	node_on_pdu(&t->f.node, t->f.now_ms, LINK, p, n);
}

/* The long-term key by which the peer proves itself. */
static struct secret16 key_for(uint32_t key_id)
{
	struct secret16 out = key;

	if (key_id == MESHSEC_KEY_ZERO)
		memset(&out, 0, sizeof(out));
	else if (key_id == MESHSEC_KEY_RESTRAINED)
		ck_assert_int_eq(meshsec_restrained_key(aes128_default(), &key, &out), ERR_OK);
	else if (key_id >= MESHSEC_KEY_USER_FIRST)
		ck_assert_int_eq(meshsec_user_key(aes128_default(), &key, key_id, &out), ERR_OK);
	return out;
}

/* As far as ANONCE: the peer's SNONCE, not yet said. */
static struct meshsec_pdu up_to_snonce(struct talk *t, uint32_t key_id, enum meshsec_tunnel tunnel)
{
	static const uint8_t snonce[MESHSEC_NONCE_BYTES] = {1, 2, 3};
	const struct secret16 ltk = key_for(key_id);
	struct meshsec_event ev;
	struct meshsec_pdu pdu;

	fake_connect(&t->f, LINK);
	meshsec_init(&t->app, aes128_default(), MESHSEC_CENTRAL, APP_ID);
	ck_assert_int_eq(meshsec_start(&t->app, key_id, tunnel, &ltk, snonce, &pdu), ERR_OK);
	put(t, pdu.b, pdu.len);
	ck_assert_uint_eq(t->f.out_count, 1);
	meshsec_receive(&t->app, t->f.out[0].b, t->f.out[0].n, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_SEND);
	ck_assert_uint_eq(ev.pdu.len, SNONCE_PDU_BYTES);
	return ev.pdu;
}

static void open_session(struct talk *t, uint32_t key_id, enum meshsec_tunnel tunnel)
{
	struct meshsec_pdu pdu = up_to_snonce(t, key_id, tunnel);
	struct meshsec_event ev;

	put(t, pdu.b, pdu.len);
	for (size_t i = 0; i < t->f.out_count; i++)
		meshsec_receive(&t->app, t->f.out[i].b, t->f.out[i].n, &ev);
	ck_assert_int_eq(t->app.state, MESHSEC_OPEN);
	fake_clear(&t->f);
	t->f.out_count = 0;
}

static void open_tunnel(struct talk *t)
{
	set_up(t, true);
	open_session(t, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_REMOTE_MESH);
}

/* --- keys --------------------------------------------------------------------------------------
 */

enum { NEVER, ENROLLED = 1, UNENROLLED = 2, ALLOWED = 4 };

static const struct {
	uint32_t key_id;
	int when; /* it gets an ANONCE, if every key is set */
	int bare; /* and if none is */
} key_ids[] = {
	{0, ALLOWED, ALLOWED},
	{1, ENROLLED | UNENROLLED | ALLOWED, NEVER},
	{2, ENROLLED | UNENROLLED | ALLOWED, NEVER},
	{3, NEVER, NEVER},
	{4, ENROLLED | UNENROLLED | ALLOWED, NEVER},
	{5, ENROLLED | UNENROLLED | ALLOWED, NEVER},
	{6, NEVER, NEVER},
	{9, NEVER, NEVER},
	{10, ENROLLED | UNENROLLED | ALLOWED, NEVER},
	{0x7FFFFFFF, ENROLLED | UNENROLLED | ALLOWED, NEVER},
	{0x80000000, NEVER, NEVER},
	{0xFFFFFFFF, NEVER, NEVER},
};

static bool gets_anonce(uint32_t key_id, int state, const uint8_t *unset)
{
	uint8_t start[11] = {MESHMSG_TYPE_ENCRYPT_START, 0x00, 0x7D, 0, 0, 1, (uint8_t)key_id,
		(uint8_t)(key_id >> 8), (uint8_t)(key_id >> 16), (uint8_t)(key_id >> 24), 0};
	struct talk t;

	set_up(&t, state == ENROLLED);
	t.f.features.allow_unsecure = state == ALLOWED;
	if (unset) {
		memset(t.f.node.id.node_key.b, *unset, 16);
		memset(t.f.node.config.network_key.b, *unset, 16);
		memset(t.f.node.config.user_base_key.b, *unset, 16);
		memset(t.f.node.config.organization_key.b, *unset, 16);
	}
	fake_connect(&t.f, LINK);
	put(&t, start, sizeof(start));
	ck_assert_uint_eq(t.f.out_count + t.f.hang_ups, 1);
	return t.f.out_count == 1;
}

START_TEST(a_key_that_is_none_gets_no_anonce)
{
	static const uint8_t unset[] = {0x00, 0xFF};

	for (int state = ENROLLED; state <= ALLOWED; state *= 2) {
		uint32_t id = key_ids[_i].key_id;

		ck_assert_msg(gets_anonce(id, state, NULL) == ((key_ids[_i].when & state) != 0),
			"key %u, state %d", id, state);
		for (size_t i = 0; i < sizeof(unset); i++)
			ck_assert_msg(gets_anonce(id, state, &unset[i]) ==
					      ((key_ids[_i].bare & state) != 0),
				"key %u of %02X, state %d", id, unset[i], state);
	}
}
END_TEST

/* --- SNONCE ------------------------------------------------------------------------------------
 */

static void is_refused(struct talk *t, const char *what, unsigned which)
{
	ck_assert_msg(t->f.hang_ups == 1 && t->f.out_count == 0, "%s %u: %u hang-ups, %zu packets",
		what, which, t->f.hang_ups, t->f.out_count);
	ck_assert_int_eq(t->f.node.access.links[0].state, ACCESS_CLOSING);
}

START_TEST(every_damaged_snonce_is_refused)
{
	struct talk t;

	for (unsigned bit = 0; bit < 8 * SNONCE_PDU_BYTES; bit++) {
		struct meshsec_pdu pdu;

		set_up(&t, true);
		pdu = up_to_snonce(&t, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER);
		pdu.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put(&t, pdu.b, pdu.len);
		is_refused(&t, "bit", bit);
	}
}
END_TEST

START_TEST(every_shorter_or_longer_snonce_is_refused)
{
	struct talk t;

	for (unsigned n = 0; n <= PORT_PDU_MAX_BYTES + 1; n++) {
		uint8_t b[PORT_PDU_MAX_BYTES + 1] = {0};
		struct meshsec_pdu pdu;

		if (n == SNONCE_PDU_BYTES)
			continue;
		set_up(&t, true);
		pdu = up_to_snonce(&t, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER);
		memcpy(b, pdu.b, n < SNONCE_PDU_BYTES ? n : SNONCE_PDU_BYTES);
		put(&t, b, n);
		is_refused(&t, "bytes", n);
	}
}
END_TEST

/* Sealed with the right key, in SNONCE's place. */
START_TEST(no_other_type_stands_in_for_snonce)
{
	struct talk t;

	for (unsigned type = 0; type < 256; type++) {
		uint8_t snonce[13] = {(uint8_t)type, 0x00, 0x7D, OWN_ID, 0, 1, 2, 3, 4, 5, 6, 7, 8};
		struct meshsec_pdu pdu;

		if (type == MESHMSG_TYPE_ENCRYPT_SNONCE)
			continue;
		set_up(&t, true);
		(void)up_to_snonce(&t, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER);
		t.app.tx.n1 -= 2;
		ck_assert_int_eq(meshsec_crypt_seal(
					 aes128_default(), &t.app.tx, snonce, sizeof(snonce), &pdu),
			ERR_OK);
		put(&t, pdu.b, pdu.len);
		is_refused(&t, "type", type);
	}
}
END_TEST

/* --- packets -----------------------------------------------------------------------------------
 */

/* It has said in clear that it is lost, it has taken nothing, and it waits for a new START. */
static void is_lost(struct talk *t, const char *what, unsigned which)
{
	ck_assert_msg(t->f.out_count == 1 && t->f.out[0].n == MESHMSG_DEAD_DATA_BYTES &&
			      t->f.out[0].b[0] == MESHMSG_TYPE_DEAD_DATA,
		"%s %u: no DEAD_DATA", what, which);
	ck_assert_msg(t->f.sent_count == 0 && t->f.hang_ups == 0, "%s %u", what, which);
	ck_assert_int_eq(t->f.node.access.links[0].state, ACCESS_AGAIN);
}

static struct meshsec_pdu sealed_message(struct talk *t)
{
	const uint8_t message[12] = {UNKNOWN_TYPE, 0x00, 0x7D};
	struct meshsec_pdu pdu;

	ck_assert_int_eq(meshsec_send_begin(&t->app, message, sizeof(message)), ERR_OK);
	ck_assert_int_eq(meshsec_send_next(&t->app, &pdu), ERR_OK);
	return pdu;
}

START_TEST(every_damaged_packet_ends_the_session)
{
	struct talk t;

	for (unsigned bit = 0; bit < 8 * 16; bit++) {
		struct meshsec_pdu pdu;

		open_tunnel(&t);
		pdu = sealed_message(&t);
		ck_assert_uint_eq(pdu.len, 16);
		pdu.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put(&t, pdu.b, pdu.len);
		is_lost(&t, "bit", bit);
	}
}
END_TEST

START_TEST(every_shorter_or_longer_packet_ends_the_session)
{
	struct talk t;

	for (unsigned n = 0; n <= PORT_PDU_MAX_BYTES + 1; n++) {
		uint8_t b[PORT_PDU_MAX_BYTES + 1] = {0};
		struct meshsec_pdu pdu;

		open_tunnel(&t);
		pdu = sealed_message(&t);
		memcpy(b, pdu.b, n < pdu.len ? n : pdu.len);
		put(&t, b, n);
		if (n == pdu.len)
			ck_assert_uint_eq(t.f.sent_count, 1);
		else
			is_lost(&t, "bytes", n);
	}
}
END_TEST

START_TEST(a_repeated_packet_ends_the_session)
{
	struct meshsec_pdu pdu;
	struct talk t;

	open_tunnel(&t);
	pdu = sealed_message(&t);
	put(&t, pdu.b, pdu.len);
	ck_assert_uint_eq(t.f.sent_count, 1);
	fake_clear(&t.f);
	put(&t, pdu.b, pdu.len);
	is_lost(&t, "again", 0);
}
END_TEST

/* In clear, whole: no answer, but a new handshake is welcome. Otherwise it is a bad packet. */
START_TEST(dead_data_needs_its_whole_magic)
{
	uint8_t dead[MESHMSG_DEAD_DATA_BYTES];
	struct wr w = wr_init(dead, sizeof(dead));
	struct talk t;

	ck_assert_int_eq(meshmsg_encode_dead_data(&w, APP_ID, OWN_ID), ERR_OK);
	open_tunnel(&t);
	put(&t, dead, sizeof(dead));
	ck_assert_uint_eq(t.f.out_count + t.f.hang_ups, 0);
	ck_assert_int_eq(t.f.node.access.links[0].state, ACCESS_AGAIN);
	for (unsigned bit = 8 * MESHMSG_HEADER_BYTES; bit < 8 * sizeof(dead); bit++) {
		open_tunnel(&t);
		dead[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put(&t, dead, sizeof(dead));
		is_lost(&t, "bit", bit);
		dead[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

static const struct {
	const char *why;
	uint8_t start[11];
	uint8_t snonce[4]; /* after a good START: what stands for it */
} again[] = {
	{"a START of nobody", {25, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1}, {0}},
	{"a START with tunnel 3", {25, 0, 0x7D, 0, 0, 1, 2, 0, 0, 0, 3}, {0}},
	{"a START for a key that is none", {25, 0, 0x7D, 0, 0, 1, 3, 0, 0, 0, 1}, {0}},
	{"a SNONCE that nobody has sealed", {25, 0, 0x7D, 0, 0, 1, 2, 0, 0, 0, 1}, {27, 0, 0x7D}},
};

START_TEST(the_new_handshake_is_refused_as_the_first)
{
	uint8_t snonce[SNONCE_PDU_BYTES] = {0};
	struct talk t;

	open_tunnel(&t);
	put(&t, "\x01\x02\x03", 3);
	is_lost(&t, "before it", 0);
	put(&t, again[_i].start, sizeof(again[_i].start));
	if (again[_i].snonce[0] != 0) {
		ck_assert_uint_eq(t.f.out_count, 1);
		memcpy(snonce, again[_i].snonce, sizeof(again[_i].snonce));
		put(&t, snonce, sizeof(snonce));
	}
	is_refused(&t, again[_i].why, 0);
}
END_TEST

/* --- fragments ---------------------------------------------------------------------------------
 */

/* "m12": a message of 12 bytes in one packet; "f3.16": fragment 3 of 16 bytes; "l3.7": the last. */
static void say_fragments(struct talk *t, const char *words)
{
	while (*words) {
		uint8_t b[MESHSEC_PLAIN_MAX];
		struct meshsec_pdu pdu;
		unsigned counter = 0, n = 0;
		int used = 0;
		char what = *words++;

		if (what == 'm')
			ck_assert_int_eq(sscanf(words, "%u %n", &n, &used), 1);
		else
			ck_assert_int_eq(sscanf(words, "%u.%u %n", &counter, &n, &used), 2);
		words += used;
		memset(b, 0, sizeof(b));
		b[0] = what == 'm' ? UNKNOWN_TYPE : what == 'f' ? 16 : 17;
		b[1] = (uint8_t)counter;
		if (what != 'm' && counter == 0)
			b[2] = UNKNOWN_TYPE;
		ck_assert_int_eq(
			meshsec_crypt_seal(aes128_default(), &t->app.tx, b, n, &pdu), ERR_OK);
		put(t, pdu.b, pdu.len);
		ck_assert_uint_eq(t->f.hang_ups + t->f.out_count, 0);
	}
}

#define TWELVE_MORE "f1.16 f2.16 f3.16 f4.16 f5.16 f6.16 f7.16 f8.16 f9.16 f10.16 f11.16 f12.16 "

START_TEST(bad_fragments_are_dropped_and_the_session_lives_on)
{
	static const struct {
		const char *said;
		unsigned messages;
		size_t bytes; /* of the last one */
	} rows[] = {
		{"f0.16 f1.16 l2.7 ", 1, 33},
		{"f0.16 f2.16 l3.7 ", 0, 0},        /* a gap */
		{"f1.16 l2.7 ", 0, 0},              /* no beginning */
		{"l1.7 ", 0, 0},                    /* nothing but an end */
		{"f0.15 l1.7 ", 0, 0},              /* a short one in the middle */
		{"f0.2 l1.7 ", 0, 0},               /* without data */
		{"f0.1 l1.7 ", 0, 0},               /* without a counter */
		{"f0.16 l1.2 ", 0, 0},              /* an end without data */
		{"f0.16 f1.16 f1.16 l2.7 ", 0, 0},  /* the same twice */
		{"f0.16 l1.7 l1.7 ", 1, 19},        /* two ends */
		{"f0.16 f0.16 l1.7 ", 1, 19},       /* begun again */
		{"f0.16 m12 l1.7 ", 1, 12},         /* a whole one ends the half one */
		{"f0.16 f2.16 f0.16 l1.7 ", 1, 19}, /* after a gap the next beginning counts */
		{"f0.16 " TWELVE_MORE "f13.16 l14.6 ", 1, 200},
		{"f0.16 " TWELVE_MORE "f13.16 l14.7 ", 0, 0},
		{"f0.16 " TWELVE_MORE "f13.16 f14.16 l15.7 ", 0, 0},
		{"f255.16 l0.7 ", 1, 5},
	};
	struct talk t;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		open_tunnel(&t);
		say_fragments(&t, rows[i].said);
		ck_assert_msg(t.f.sent_count == rows[i].messages, "%s: %zu messages", rows[i].said,
			t.f.sent_count);
		ck_assert_msg(rows[i].messages == 0 || t.f.sent[0].n == rows[i].bytes,
			"%s: %zu bytes", rows[i].said, t.f.sent[0].n);
		say_fragments(&t, "m12 ");
		ck_assert_msg(t.f.sent_count == rows[i].messages + 1, "%s: deaf", rows[i].said);
	}
}
END_TEST

/* --- who is told what (§3.9, §3.10) -------------------------------------------------------------
 */

#define NODE_KEY (1 << 1)
#define NETWORK_KEY (1 << 2)
#define ORGANIZATION_KEY (1 << 4)

static const struct {
	uint16_t receiver;
	int whom; /* by its key, if it has asked for our mesh */
} carried[] = {
	{0, NETWORK_KEY | ORGANIZATION_KEY},
	{1, 0}, /* §11.10 */
	{2, 0},
	{OWN_ID, 0},
	{1999, 0},
	{VIRTUAL_ID, NETWORK_KEY | ORGANIZATION_KEY},
	{VIRTUAL_ID + 2000, 0}, /* another peer's */
	{19999, 0},
	{20000, NETWORK_KEY | ORGANIZATION_KEY},
	{30000, 0}, /* only whom it has reached */
	{30001, 0},
	{30002, NETWORK_KEY | ORGANIZATION_KEY},
	{31001, NETWORK_KEY | ORGANIZATION_KEY},
	{APP_ID, NETWORK_KEY | ORGANIZATION_KEY},
	{33000, NETWORK_KEY | ORGANIZATION_KEY},
	{0xFFFF, 0},
};

static const uint32_t peers[] = {MESHSEC_KEY_NODE, MESHSEC_KEY_NETWORK, MESHSEC_KEY_ORGANIZATION,
	MESHSEC_KEY_RESTRAINED, MESHSEC_KEY_USER_FIRST};

START_TEST(the_meshs_traffic_is_for_few)
{
	uint16_t to = carried[_i].receiver;
	const uint8_t message[] = {UNKNOWN_TYPE, 9, 0, (uint8_t)to, (uint8_t)(to >> 8), 1, 2, 3};

	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++)
		for (unsigned tunnel = 0; tunnel <= MESHSEC_TUNNEL_REMOTE_MESH; tunnel++) {
			bool wanted = tunnel != MESHSEC_TUNNEL_PEER &&
				      peers[i] < MESHSEC_KEY_RESTRAINED &&
				      (carried[_i].whom >> peers[i] & 1);
			struct talk t;

			set_up(&t, true);
			open_session(&t, peers[i], (enum meshsec_tunnel)tunnel);
			fake_receive(&t.f, message, sizeof(message));
			ck_assert_msg((t.f.out_count == 1) == wanted,
				"receiver %u, key %u, tunnel %u: %zu packets", to, peers[i], tunnel,
				t.f.out_count);
		}
}
END_TEST

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void fill(TCase *tc)
{
	tcase_add_loop_test(tc, a_key_that_is_none_gets_no_anonce, 0, COUNT(key_ids));
	tcase_add_test(tc, every_damaged_snonce_is_refused);
	tcase_add_test(tc, every_shorter_or_longer_snonce_is_refused);
	tcase_add_test(tc, no_other_type_stands_in_for_snonce);
	tcase_add_test(tc, every_damaged_packet_ends_the_session);
	tcase_add_test(tc, every_shorter_or_longer_packet_ends_the_session);
	tcase_add_test(tc, a_repeated_packet_ends_the_session);
	tcase_add_test(tc, dead_data_needs_its_whole_magic);
	tcase_add_loop_test(tc, the_new_handshake_is_refused_as_the_first, 0, COUNT(again));
	tcase_add_test(tc, bad_fragments_are_dropped_and_the_session_lives_on);
	tcase_add_loop_test(tc, the_meshs_traffic_is_for_few, 0, COUNT(carried));
}

int main(void)
{
	return suite_main("firmware/refused session", fill);
}
