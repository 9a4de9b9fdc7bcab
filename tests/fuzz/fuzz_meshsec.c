/*
 * A gateway and a node, and an input that says what each does and what the air does to it. The
 * input is a list of steps: what, length, bytes. The cipher is a toy, which fails when it is told
 * to: what is sought is what a packet can do to the state machine, and a session whose messages are
 * not those that were sent.
 */
#include "core/meshsec_crypt.h"
#include "enr/meshsec.h"

#include "fuzz/fuzz.h"

enum step {
	STEP_START,
	STEP_ACCEPT,
	STEP_CARRY_TO_P, /* the last packet of the central, unharmed */
	STEP_CARRY_TO_C,
	STEP_RAW_TO_P, /* bytes of the input */
	STEP_RAW_TO_C,
	STEP_SEALED_TO_P, /* bytes of the input, sealed: any fragment there can be */
	STEP_SEALED_TO_C,
	STEP_MESSAGE_TO_P, /* a whole message, every packet delivered */
	STEP_MESSAGE_TO_C,
	STEP_BEGIN_TO_P, /* a message is given to the session, no packet leaves */
	STEP_NEXT_TO_P,  /* one packet of it is delivered, or with a byte of 1 in the input lost */
	STEP_FAIL,       /* the cipher fails, so many blocks from now */
	STEP_KEYS,       /* keys are derived from bytes of the input */
	STEP_COUNT
};

struct air {
	struct aes128 cipher;
	uint32_t fails_in_blocks; /* 0: never */
	struct meshsec c;
	struct meshsec p;
	struct meshsec_pdu from_c;
	struct meshsec_pdu from_p;
};

static enum err toy(void *ctx, const struct secret16 *key, const uint8_t in[16], uint8_t out[16])
{
	uint64_t h = 0xCBF29CE484222325;
	struct air *a = ctx;

	if (a->fails_in_blocks > 0 && --a->fails_in_blocks == 0)
		return ERR_CRYPTO;
	for (size_t i = 0; i < 16; i++)
		h = (h ^ key->b[i] ^ (uint64_t)in[i] << 8) * 0x100000001B3;
	for (size_t i = 0; i < 16; i++, h = h * 0x100000001B3 + 1)
		out[i] = (uint8_t)(h >> 32);
	return ERR_OK;
}

static const struct secret16 ltk = {{1, 2, 3}};

static void check(const struct meshsec *s, const struct meshsec_event *ev)
{
	MUST(s->in_bytes <= MESHSEC_MSG_MAX && s->out_bytes <= MESHSEC_MSG_MAX);
	MUST(s->out_done_bytes <= s->out_bytes && ev->pdu.len <= MESHSEC_PDU_MAX);
	MUST(ev->type != MESHSEC_EVENT_MESSAGE ||
		(ev->message.n > 0 && ev->message.n <= MESHSEC_MSG_MAX));
	MUST(ev->type != MESHSEC_EVENT_CLOSE || s->state == MESHSEC_CLOSED);
	MUST(s->state == MESHSEC_OPEN || !meshsec_is_sending(s));
	if (s->state == MESHSEC_IDLE || s->state == MESHSEC_CLOSED)
		MUST(bytes_are_ct(&s->tx, sizeof(s->tx), 0) && bytes_are_ct(&s->ltk, 16, 0));
}

static struct meshsec_event give(struct air *a, struct meshsec *to, const void *p, size_t n)
{
	struct meshsec_event ev;

	meshsec_receive(to, p, n, &ev);
	check(to, &ev);
	if (ev.pdu.len > 0)
		*(to == &a->c ? &a->from_c : &a->from_p) = ev.pdu;
	return ev;
}

static void sealed(struct air *a, struct meshsec *from, struct meshsec *to, struct span in)
{
	struct meshsec_pdu pdu;

	if (from->state != MESHSEC_OPEN || in.n == 0 || in.n > MESHSEC_PLAIN_MAX)
		return;
	if (meshsec_crypt_seal(&a->cipher, &from->tx, in.p, in.n, &pdu) == ERR_OK)
		(void)give(a, to, pdu.b, pdu.len);
}

/* If both are open and in step, the message must arrive as it was. */
static void message(struct air *a, struct meshsec *from, struct meshsec *to, struct span in)
{
	bool is_sound = a->fails_in_blocks == 0 && from->state == MESHSEC_OPEN &&
			to->state == MESHSEC_OPEN &&
			memcmp(&from->tx, &to->rx, sizeof(from->tx)) == 0;
	struct meshsec_event ev = {.type = MESHSEC_EVENT_NONE};
	struct meshsec_pdu pdu;

	if (meshsec_send_begin(from, in.p, in.n) != ERR_OK)
		return;
	while (meshsec_send_next(from, &pdu) == ERR_OK)
		ev = give(a, to, pdu.b, pdu.len);
	if (is_sound) {
		MUST(ev.type == MESHSEC_EVENT_MESSAGE && ev.message.n == in.n);
		MUST(memcmp(ev.message.p, in.p, in.n) == 0);
	}
	meshsec_forget_message(to);
	MUST(to->in_bytes > 0 || bytes_are_ct(to->in, sizeof(to->in), 0));
}

/* No more than one packet of the central's message. */
static void next(struct air *a, struct span in)
{
	struct meshsec_pdu pdu;

	if (meshsec_send_next(&a->c, &pdu) == ERR_OK && (in.n == 0 || in.p[0] != 1))
		(void)give(a, &a->p, pdu.b, pdu.len);
}

static void keys(struct air *a, struct span in)
{
	struct rd r = rd_init(in.p, in.n);
	uint32_t key_id = rd_u32(&r);
	struct secret16 base = {{0}}, out;
	enum err e;

	for (size_t i = 0; i < sizeof(base.b); i++)
		base.b[i] = rd_u8(&r);
	e = meshsec_user_key(&a->cipher, &base, key_id, &out);
	MUST(e != ERR_OK || (key_id >= MESHSEC_KEY_USER_FIRST && key_id <= MESHSEC_KEY_USER_LAST));
	MUST(e != ERR_OK || !secret16_is_unset(&base));
	e = meshsec_restrained_key(&a->cipher, &base, &out);
	MUST((e == ERR_KEY) == secret16_is_unset(&base));
}

static void start(struct air *a, struct span in)
{
	static const uint8_t snonce[MESHSEC_NONCE_BYTES] = {9, 9, 9, 9, 0xFC, 0xFF, 0xFF, 0xFF};
	uint32_t key_id = in.n > 0 ? in.p[0] : MESHSEC_KEY_NODE;
	enum meshsec_tunnel tunnel = (enum meshsec_tunnel)(in.n > 1 ? in.p[1] % 4 : 0);

	if (meshsec_start(&a->c, key_id, tunnel, &ltk, snonce, &a->from_c) != ERR_OK)
		return;
	MUST(a->from_c.len == 11);
	MUST(meshsec_tunnel_mirror(meshsec_tunnel_mirror(tunnel)) == tunnel);
}

/* Of the input's first byte, if there is one: the key that the peripheral chooses. */
static void accept(struct air *a, struct span in)
{
	static const uint8_t anonce[MESHSEC_NONCE_BYTES] = {7, 7, 7, 7, 0xFA, 0xFF, 0xFF, 0xFF};
	struct secret16 key = ltk;

	if (in.n > 0)
		memset(key.b, in.p[0], sizeof(key.b));
	if (meshsec_accept(&a->p, &key, anonce, &a->from_p) == ERR_OK)
		MUST(a->from_p.len == 13 && !bytes_are_ct(key.b, sizeof(key.b), 0xFF));
}

static void step(struct air *a, enum step what, struct span in)
{
	switch (what) {
	case STEP_START:
		start(a, in);
		break;
	case STEP_ACCEPT:
		accept(a, in);
		break;
	case STEP_CARRY_TO_P:
		(void)give(a, &a->p, a->from_c.b, a->from_c.len);
		break;
	case STEP_CARRY_TO_C:
		(void)give(a, &a->c, a->from_p.b, a->from_p.len);
		break;
	case STEP_RAW_TO_P:
		(void)give(a, &a->p, in.p, in.n);
		break;
	case STEP_RAW_TO_C:
		(void)give(a, &a->c, in.p, in.n);
		break;
	case STEP_SEALED_TO_P:
		sealed(a, &a->c, &a->p, in);
		break;
	case STEP_SEALED_TO_C:
		sealed(a, &a->p, &a->c, in);
		break;
	case STEP_MESSAGE_TO_P:
		message(a, &a->c, &a->p, in);
		break;
	case STEP_MESSAGE_TO_C:
		message(a, &a->p, &a->c, in);
		break;
	case STEP_BEGIN_TO_P:
		(void)!meshsec_send_begin(&a->c, in.p, in.n);
		break;
	case STEP_NEXT_TO_P:
		next(a, in);
		break;
	case STEP_FAIL:
		a->fails_in_blocks = in.n > 0 ? in.p[0] : 0;
		break;
	case STEP_KEYS:
		keys(a, in);
		break;
	case STEP_COUNT:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct air a = {.cipher = {&a, toy}};

	meshsec_init(&a.c, &a.cipher, MESHSEC_CENTRAL, 32000);
	meshsec_init(&a.p, &a.cipher, MESHSEC_PERIPHERAL, 1);
	while (r.left_bytes >= 2) {
		enum step what = (enum step)(rd_u8(&r) % STEP_COUNT);
		size_t n = rd_u8(&r);
		struct span in = {NULL, n < r.left_bytes ? n : r.left_bytes};

		in.p = rd_view(&r, in.n);
		step(&a, what, in);
	}
	meshsec_clear(&a.c);
	meshsec_clear(&a.p);
	return 0;
}
