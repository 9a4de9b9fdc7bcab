/*
 * Replays every transcript of mesh-access-handshake.json on both roles at once: each packet must be
 * the one that our side would have written, and the other side must take it, or refuse it, as the
 * reference did. Plain bytes, bytes on the air, counters and keys are compared.
 */
#include "base/crypto_openssl.h"
#include "core/meshsec_crypt.h"
#include "enr/meshmsg.h"

#include "support/vectors.h"
#include "unit/suite.h"

#define KEY_OF_ITS_OWN 0xFF /* what the terminal's user writes for "the node's own key" */

struct side {
	struct meshsec sec;
	struct meshsec_pdu pending;          /* made by an event, not yet seen in the transcript */
	uint8_t expected[MESHMSG_BYTES_MAX]; /* the message that the other side is sending */
	size_t expected_n;
};

struct replay {
	const json_t *t;
	const json_t *packets;
	size_t at;
	struct side c;
	struct side p;
	bool is_forced;
	bool is_refused; /* by the caller's policy or meshsec_accept, before ANONCE */
	bool was_open;
};

/* One packet of the transcript. */
struct packet {
	const json_t *json;
	bool to_p;
	bool is_encrypted;
	uint8_t plain[MESHSEC_PDU_MAX];
	size_t plain_n;
	uint8_t wire[MESHSEC_PDU_MAX];
	size_t wire_n;
	uint8_t received[MESHSEC_PDU_MAX]; /* differs from wire where the test corrupted it */
	size_t received_n;
	bool mic_ok;
	bool is_lost; /* written, never delivered: the link was gone */
};

static struct packet packet_of(const json_t *j)
{
	struct packet k = {.json = j, .is_lost = !vectors_has(j, "receiver")};
	json_t *receiver;

	k.to_p = strcmp(vectors_text(j, "dir"), "C>P") == 0;
	k.is_encrypted = vectors_bool(j, "encrypted");
	k.plain_n = vectors_hex(j, "plaintext", k.plain, sizeof(k.plain));
	k.wire_n = vectors_hex(j, "wire", k.wire, sizeof(k.wire));
	ck_assert_uint_eq(k.wire_n, k.plain_n + (k.is_encrypted ? MESHSEC_MIC_BYTES : 0));
	if (!k.is_encrypted)
		ck_assert_mem_eq(k.wire, k.plain, k.plain_n);
	if (k.is_lost)
		return k;
	receiver = vectors_object(j, "receiver");
	k.mic_ok = vectors_bool(receiver, "micValid");
	if (vectors_has(receiver, "wireAsReceived")) {
		k.received_n =
			vectors_hex(receiver, "wireAsReceived", k.received, sizeof(k.received));
	} else {
		memcpy(k.received, k.wire, k.wire_n);
		k.received_n = k.wire_n;
	}
	return k;
}

/* The next plaintext of that type and direction from packet i on; zeros if it never comes. */
static void lookahead_nonce(const struct replay *r, bool to_p, uint8_t type, uint8_t nonce[8])
{
	memset(nonce, 0, 8);
	for (size_t i = r->at; i < json_array_size(r->packets); i++) {
		const json_t *j = json_array_get(r->packets, i);
		struct packet k;

		if (strcmp(vectors_text(j, "char"), "TX_CCCD") == 0)
			continue;
		k = packet_of(j);
		if (k.to_p == to_p && k.plain_n == 13 && k.plain[0] == type) {
			memcpy(nonce, k.plain + 5, 8);
			return;
		}
	}
}

static struct secret16 key_of(const json_t *object, const char *name)
{
	struct secret16 key;

	vectors_hex_exact(object, name, key.b, sizeof(key.b));
	return key;
}

/* The key that the node has for a key id (§3.1). */
static struct secret16 own_key(const json_t *node, uint32_t id)
{
	struct secret16 key = {{0}}, base;

	if (id == MESHSEC_KEY_NODE)
		return key_of(node, "nodeKey");
	if (id == MESHSEC_KEY_NETWORK)
		return key_of(node, "networkKey");
	if (id == MESHSEC_KEY_ORGANIZATION)
		return key_of(node, "organizationKey");
	if (id == MESHSEC_KEY_RESTRAINED) {
		base = key_of(node, "nodeKey");
		ck_assert_int_eq(meshsec_restrained_key(aes128_default(), &base, &key), ERR_OK);
	} else if (id >= MESHSEC_KEY_USER_FIRST && id <= MESHSEC_KEY_USER_LAST) {
		base = key_of(node, "userBaseKey");
		ck_assert_int_eq(meshsec_user_key(aes128_default(), &base, id, &key), ERR_OK);
	}
	return key;
}

/* The key of "ma connect ADDRESS KEYID KEY TUNNEL", else the central's own. */
static struct secret16 central_key(const json_t *t, uint32_t id)
{
	json_t *c;
	size_t i;

	json_array_foreach(vectors_array(t, "commands"), i, c)
	{
		const char *line = strstr(vectors_text(c, "command"), " ma connect ");
		struct secret16 key;
		char hex[33] = {0}, text[48] = {0};

		if (!line || sscanf(line, " ma connect %*s %*s %47s", text) != 1)
			continue;
		for (size_t k = 0; k < 16 && strlen(text) == 47; k++)
			memcpy(hex + 2 * k, text + 3 * k, 2);
		ck_assert_uint_eq(vectors_unhex(hex, key.b, sizeof(key.b)), 16);
		if (!bytes_are_ct(key.b, sizeof(key.b), KEY_OF_ITS_OWN))
			return key;
	}
	return own_key(vectors_object(t, "central"), id);
}

static bool is_dead_data(const uint8_t *p, size_t n)
{
	struct meshmsg m;

	return meshmsg_decode(p, n, &m) == ERR_OK && meshmsg_decode_dead_data(&m) == ERR_OK;
}

static void same_pdu(const struct meshsec_pdu *pdu, const struct packet *k)
{
	ck_assert_uint_eq(pdu->len, k->wire_n);
	ck_assert_mem_eq(pdu->b, k->wire, k->wire_n);
}

/* --- writing what the transcript shows ----------------------------------------------------- */

/* Also for a START that our own central would not send. */
static void start_is(
	const struct packet *k, uint16_t central_id, uint32_t key_id, enum meshsec_tunnel tunnel)
{
	uint8_t want[11];
	struct wr w = wr_init(want, sizeof(want));

	wr_u8(&w, MESHMSG_TYPE_ENCRYPT_START);
	wr_u16(&w, central_id);
	wr_u16(&w, 0);
	wr_u8(&w, 1);
	wr_u32(&w, key_id);
	wr_u8(&w, (uint8_t)tunnel);
	ck_assert_int_eq(wr_end(&w), ERR_OK);
	ck_assert_uint_eq(k->wire_n, sizeof(want));
	ck_assert_mem_eq(k->wire, want, sizeof(want));
}

/* By rule: a key id that no node takes is refused by our central before it sends anything. */
static void write_start(struct replay *r, const struct packet *k)
{
	uint32_t id = (uint32_t)vectors_uint(r->t, "fmKeyId");
	enum meshsec_tunnel tunnel = (enum meshsec_tunnel)vectors_uint(r->t, "tunnelTypeRequested");
	struct secret16 ltk = central_key(r->t, id), wanted;
	struct meshsec_pdu pdu;
	uint8_t snonce[8];
	enum err e;

	start_is(k, r->c.sec.own_id, id, tunnel);
	lookahead_nonce(r, true, MESHMSG_TYPE_ENCRYPT_SNONCE, snonce);
	if (vectors_bool(r->t, "handshakeCompleted")) {
		wanted = key_of(r->t, "longTermKey");
		ck_assert_mem_eq(ltk.b, wanted.b, 16);
	}
	e = meshsec_start(&r->c.sec, id, tunnel, &ltk, snonce, &pdu);
	if (e == ERR_OK)
		same_pdu(&pdu, k);
	else
		ck_assert(e == ERR_RANGE && !vectors_bool(r->t, "handshakeCompleted"));
}

/* The whole message that begins with this packet, out of the plaintexts that follow. */
static size_t message_at(const struct replay *r, const struct packet *first, uint8_t *out)
{
	size_t n = 0;
	bool is_split = first->plain[0] == 16 || first->plain[0] == 17;

	if (!is_split) {
		memcpy(out, first->plain, first->plain_n);
		return first->plain_n;
	}
	for (size_t i = r->at; i < json_array_size(r->packets); i++) {
		struct packet k = packet_of(json_array_get(r->packets, i));

		if (k.to_p != first->to_p)
			continue;
		ck_assert_uint_le(n + k.plain_n - 2, MESHMSG_BYTES_MAX);
		memcpy(out + n, k.plain + 2, k.plain_n - 2);
		n += k.plain_n - 2;
		if (k.plain[0] == 17)
			return n;
	}
	ck_abort_msg("a split message has no end");
	return 0;
}

/* "FORCED" transcripts set the counters from outside; in all others they run by themselves. */
static void check_counter(
	struct replay *r, struct side *from, struct side *to, const struct packet *k)
{
	uint32_t n0 = (uint32_t)vectors_uint(k->json, "nonce0");
	uint32_t n1 = (uint32_t)vectors_uint(k->json, "nonce1");
	struct secret16 key = key_of(k->json, "sessionKey");

	if (r->is_forced && from->sec.state == MESHSEC_OPEN && to->sec.state == MESHSEC_OPEN) {
		from->sec.tx.n1 = n1;
		to->sec.rx.n1 = n1;
	}
	ck_assert_uint_eq(from->sec.tx.n0, n0);
	ck_assert_uint_eq(from->sec.tx.n1, n1);
	ck_assert_mem_eq(from->sec.tx.key.b, key.b, 16);
}

static void write_message(
	struct replay *r, struct side *from, struct side *to, const struct packet *k)
{
	struct meshsec_pdu pdu;
	size_t n;

	check_counter(r, from, to, k);
	if (!meshsec_is_sending(&from->sec)) {
		n = message_at(r, k, to->expected);
		to->expected_n = n;
		ck_assert_int_eq(meshsec_send_begin(&from->sec, to->expected, n), ERR_OK);
	}
	ck_assert_int_eq(meshsec_send_next(&from->sec, &pdu), ERR_OK);
	same_pdu(&pdu, k);
}

static void write_packet(
	struct replay *r, struct side *from, struct side *to, const struct packet *k)
{
	if (from->pending.len > 0) {
		same_pdu(&from->pending, k);
		from->pending.len = 0;
	} else if (!k->is_encrypted && k->plain[0] == MESHMSG_TYPE_ENCRYPT_START) {
		write_start(r, k);
	} else if (!k->is_encrypted) {
		/* By rule: we answer DEAD_DATA with silence, the reference with DEAD_DATA. */
		ck_assert(is_dead_data(k->wire, k->wire_n));
		ck_assert_int_eq(from->sec.state, MESHSEC_IDLE);
	} else {
		write_message(r, from, to, k);
	}
}

/* --- reading it on the other side ---------------------------------------------------------- */

/* The peripheral's caller: picks the key that the transcript names; without one it refuses. */
static void decide(struct replay *r, const struct meshsec_event *ev)
{
	struct secret16 ltk = {{0}};
	uint8_t anonce[8];
	enum err e;

	ck_assert_uint_eq(ev->key_id, vectors_uint(r->t, "fmKeyId"));
	ck_assert_uint_eq(ev->tunnel, vectors_uint(r->t, "tunnelTypeRequested"));
	ck_assert_uint_eq(ev->central_id, r->c.sec.own_id);
	if (!vectors_has(r->t, "longTermKey")) {
		r->is_refused = true;
		return;
	}
	ltk = key_of(r->t, "longTermKey");
	lookahead_nonce(r, false, MESHMSG_TYPE_ENCRYPT_ANONCE, anonce);
	e = meshsec_accept(&r->p.sec, &ltk, anonce, &r->p.pending);
	r->is_refused = e != ERR_OK;
	if (e)
		ck_assert_int_eq(e, ERR_KEY);
}

static void check_message(struct side *to, const struct meshsec_event *ev)
{
	ck_assert_uint_eq(ev->message.n, to->expected_n);
	ck_assert_mem_eq(ev->message.p, to->expected, to->expected_n);
	to->expected_n = 0;
}

static void check_bad(const struct side *to, enum meshsec_state before, const struct packet *k,
	const struct meshsec_event *ev)
{
	if (before == MESHSEC_IDLE) {
		ck_assert_int_eq(ev->type, MESHSEC_EVENT_NONE);
	} else if (is_dead_data(k->received, k->received_n)) {
		ck_assert_int_eq(ev->type, MESHSEC_EVENT_DEAD);
	} else if (before == MESHSEC_OPEN) {
		ck_assert_int_eq(ev->type, MESHSEC_EVENT_CORRUPT);
		ck_assert_int_eq(to->sec.state, MESHSEC_IDLE);
	} else {
		ck_assert_int_eq(ev->type, MESHSEC_EVENT_CLOSE);
		ck_assert_int_eq(ev->reason, MESHSEC_REASON_INVALID_HANDSHAKE_PACKET);
	}
}

static void check_event(struct replay *r, struct side *to, const struct meshsec_event *ev)
{
	switch (ev->type) {
	case MESHSEC_EVENT_START:
		decide(r, ev);
		break;
	case MESHSEC_EVENT_SEND:
	case MESHSEC_EVENT_READY:
	case MESHSEC_EVENT_CORRUPT:
		to->pending = ev->pdu;
		break;
	case MESHSEC_EVENT_MESSAGE:
		check_message(to, ev);
		break;
	case MESHSEC_EVENT_NONE:
	case MESHSEC_EVENT_DEAD:
	case MESHSEC_EVENT_CLOSE:
		break;
	}
}

/* What the cipher alone makes of a packet: the plaintext of the transcript, fragment header and
 * all. */
static void check_plain(const struct side *to, const struct packet *k)
{
	struct meshsec_dir dir = to->sec.rx;
	uint8_t plain[MESHSEC_PLAIN_MAX];
	size_t n = 0;
	enum err e =
		meshsec_crypt_open(aes128_default(), &dir, k->received, k->received_n, plain, &n);

	ck_assert_int_eq(e, k->mic_ok ? ERR_OK : ERR_AUTH);
	if (e)
		return;
	ck_assert_uint_eq(n, k->plain_n);
	ck_assert_mem_eq(plain, k->plain, n);
}

static void read_packet(struct replay *r, struct side *to, const struct packet *k)
{
	enum meshsec_state before = to->sec.state;
	struct meshsec_event ev;

	if (k->is_encrypted && before != MESHSEC_IDLE)
		check_plain(to, k);
	meshsec_receive(&to->sec, k->received, k->received_n, &ev);
	if (!k->mic_ok)
		check_bad(to, before, k, &ev);
	else if (ev.type == MESHSEC_EVENT_CLOSE)
		ck_assert(!vectors_bool(r->t, "handshakeCompleted"));
	check_event(r, to, &ev);
}

/* --- the whole ----------------------------------------------------------------------------- */

static void check_session(const struct replay *r)
{
	const json_t *s = vectors_object(r->t, "session");
	struct secret16 to_p = key_of(s, "centralEncryptsWith_C>P");
	struct secret16 to_c = key_of(s, "centralDecryptsWith_P>C");

	ck_assert_mem_eq(r->c.sec.tx.key.b, to_p.b, 16);
	ck_assert_mem_eq(r->p.sec.rx.key.b, to_p.b, 16);
	ck_assert_mem_eq(r->c.sec.rx.key.b, to_c.b, 16);
	ck_assert_mem_eq(r->p.sec.tx.key.b, to_c.b, 16);
	ck_assert_uint_eq(r->c.sec.partner_id, vectors_uint(s, "partnerId_inC"));
	ck_assert_uint_eq(r->p.sec.partner_id, vectors_uint(s, "partnerId_inP"));
	ck_assert_uint_eq(r->c.sec.tunnel, vectors_uint(s, "tunnelType_C"));
	ck_assert_uint_eq(meshsec_tunnel_mirror(r->p.sec.tunnel), vectors_uint(s, "tunnelType_P"));
}

static uint16_t peripheral_id(const json_t *t)
{
	const json_t *s = json_object_get(t, "session");

	return json_is_object(s) && vectors_has(s, "partnerId_inC")
		       ? (uint16_t)vectors_uint(s, "partnerId_inC")
		       : 0;
}

/* A handshake that was refused has no session; the id is then that of ANONCE, if there was one. */
static uint16_t peripheral_id_of_anonce(const json_t *packets)
{
	const json_t *j;
	size_t i;

	json_array_foreach(packets, i, j)
	{
		struct packet k;

		if (strcmp(vectors_text(j, "char"), "TX_CCCD") == 0)
			continue;
		k = packet_of(j);
		if (!k.to_p && k.plain[0] == MESHMSG_TYPE_ENCRYPT_ANONCE)
			return (uint16_t)(k.plain[1] | k.plain[2] << 8);
	}
	return 1;
}

static void check_end(const struct replay *r)
{
	if (vectors_bool(r->t, "handshakeCompleted")) {
		ck_assert(r->was_open);
		return;
	}
	ck_assert(!r->was_open);
	ck_assert(r->is_refused || r->p.sec.state == MESHSEC_CLOSED);
}

static void replay(const json_t *t, size_t *packet_count)
{
	struct replay r = {.t = t, .packets = vectors_array(t, "packets")};
	const char *what = vectors_text(t, "description");
	uint16_t p_id = peripheral_id(t);

	r.is_forced = strncmp(what, "FORCED", 6) == 0;
	meshsec_init(&r.c.sec, aes128_default(), MESHSEC_CENTRAL,
		(uint16_t)vectors_uint(vectors_object(t, "central"), "nodeId"));
	meshsec_init(&r.p.sec, aes128_default(), MESHSEC_PERIPHERAL,
		p_id ? p_id : peripheral_id_of_anonce(r.packets));
	for (r.at = 0; r.at < json_array_size(r.packets); r.at++) {
		const json_t *j = json_array_get(r.packets, r.at);
		struct packet k;

		if (strcmp(vectors_text(j, "char"), "TX_CCCD") == 0)
			continue;
		k = packet_of(j);
		write_packet(&r, k.to_p ? &r.c : &r.p, k.to_p ? &r.p : &r.c, &k);
		if (!k.is_lost)
			read_packet(&r, k.to_p ? &r.p : &r.c, &k);
		if (!r.was_open && r.c.sec.state == MESHSEC_OPEN && r.p.sec.state == MESHSEC_OPEN) {
			r.was_open = true;
			check_session(&r);
		}
		(*packet_count)++;
	}
	check_end(&r);
	meshsec_clear(&r.c.sec);
	meshsec_clear(&r.p.sec);
}

START_TEST(replays_every_transcript)
{
	json_t *root = vectors_load("mesh-access-handshake.json"), *t;
	size_t i, packets = 0;

	json_array_foreach(vectors_array(root, "transcripts"), i, t)
	{
		printf("transcript %s\n", vectors_text(t, "name"));
		fflush(stdout);
		replay(t, &packets);
	}
	vectors_ran("transcripts", i);
	vectors_ran("packets in them", packets);
	json_decref(root);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, replays_every_transcript);
}

int main(void)
{
	return suite_main("vec_handshake", fill);
}
