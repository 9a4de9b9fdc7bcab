#include "enr/x3dh.h"

#define HEADER_BYTES 64 /* EK_B, id */
#define PLAIN_BYTES 96  /* IK_B, signature */
#define TAG_BYTES 16
#define AAD_MAX (HEADER_BYTES + X3DH_INFO_MAX + X3DH_ADDR_MAX + 32)

static const uint8_t ones[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct span x3dh_info(void)
{
	static const uint8_t info[X3DH_INFO_BYTES] = "X3DH_25519_AESGCM_SHA256";

	return (struct span){info, sizeof(info)};
}

const char *x3dh_cause_text(enum x3dh_cause cause)
{
	switch (cause) {
	case X3DH_ACCEPT:
		return "ACCEPT";
	case X3DH_MALFORMED:
		return "MALFORMED";
	case X3DH_EK_NONCANONICAL:
		return "EK_NONCANONICAL";
	case X3DH_EK_SEEN:
		return "EK_SEEN";
	case X3DH_UNKNOWN_ID:
		return "UNKNOWN_ID";
	case X3DH_EK_REUSED:
		return "EK_REUSED";
	case X3DH_DH_ZERO:
		return "DH_ZERO";
	case X3DH_DECRYPT:
		return "DECRYPT";
	case X3DH_IKB_INVALID:
		return "IKB_INVALID";
	case X3DH_BAD_SIGNATURE:
		return "BAD_SIGNATURE";
	case X3DH_FAILED:
	case X3DH_CAUSE_COUNT:
		break;
	}
	return "FAILED";
}

enum err x3dh_keypair_make(const struct crypto *c, struct x3dh_keypair *out)
{
	enum err e = c->random(c->ctx, out->priv.b, sizeof(out->priv.b));

	if (e == ERR_OK)
		e = xeddsa_public(c, &out->priv, &out->pub);
	if (e != ERR_OK)
		x3dh_keypair_wipe(out);
	return e;
}

void x3dh_keypair_wipe(struct x3dh_keypair *k)
{
	bytes_wipe(k, sizeof(*k));
}

void x3dh_session_wipe(struct x3dh_session *s)
{
	bytes_wipe(s, sizeof(*s));
}

enum err x3dh_prekeys_check(const struct crypto *c, const struct x3dh_prekeys *p)
{
	if (xeddsa_public_check(&p->ik) != ERR_OK || xeddsa_public_check(&p->spk) != ERR_OK ||
		xeddsa_public_check(&p->opk) != ERR_OK)
		return ERR_KEY;
	return xeddsa_verify(c, &p->ik, (struct span){p->spk.b, 32}, p->spk_signature);
}

enum err x3dh_derive(const struct crypto *c, struct span info, const struct secret32 dh[4],
	struct secret32 *sk, struct secret32 *h)
{
	uint8_t ikm[32 + 4 * 32];
	struct wr w = wr_init(ikm, sizeof(ikm));
	const struct span hashed[] = {info, {ikm, sizeof(ikm)}};
	enum err e;

	wr_bytes(&w, ones, sizeof(ones));
	for (int i = 0; i < 4; i++)
		wr_bytes(&w, dh[i].b, 32);
	e = c->hkdf_sha256(c->ctx, (struct span){NULL, 0}, hashed[1], info, sk->b, 32);
	if (e == ERR_OK)
		e = c->sha256(c->ctx, hashed, 2, h->b);
	if (e != ERR_OK) {
		secret32_wipe(sk);
		secret32_wipe(h);
	}
	bytes_wipe(ikm, sizeof(ikm));
	return e;
}

/* salt h, an ASCII label without its NUL and the byte 1, 64 bytes out. */
static enum err expand_traffic(const struct crypto *c, const struct secret32 *h, struct span ikm,
	const char *label, struct secret64 *out)
{
	uint8_t info[32];
	struct wr w = wr_init(info, sizeof(info));

	wr_bytes(&w, label, strlen(label));
	wr_u8(&w, 1);
	return c->hkdf_sha256(c->ctx, (struct span){h->b, 32}, ikm,
		(struct span){info, w.len_bytes}, out->b, sizeof(out->b));
}

enum err x3dh_traffic(const struct crypto *c, const struct secret32 *sk, const struct secret32 *h,
	struct secret64 *traffic)
{
	return expand_traffic(c, h, (struct span){sk->b, 32}, "OP-0006 traffic", traffic);
}

enum err x3dh_rekey(const struct crypto *c, const struct secret32 *h,
	const struct secret64 *current, struct secret64 *next)
{
	struct secret64 t = *current;
	enum err e = expand_traffic(c, h, (struct span){t.b, sizeof(t.b)}, "OP-0006 rekey", next);

	secret64_wipe(&t);
	return e;
}

enum x3dh_cause x3dh_parse(struct span in, struct x3dh_message *out)
{
	struct rd r = rd_init(in.p, in.n);

	rd_copy(&r, out->ek.b, 32);
	rd_copy(&r, out->id.b, 32);
	out->body = rd_view(&r, PLAIN_BYTES + TAG_BYTES);
	if (rd_end(&r) != ERR_OK)
		return X3DH_MALFORMED;
	switch (xeddsa_public_fault(&out->ek)) {
	case XEDDSA_FAULT_NONE:
		return X3DH_ACCEPT;
	case XEDDSA_FAULT_NONCANONICAL:
		return X3DH_EK_NONCANONICAL;
	case XEDDSA_FAULT_SMALL_ORDER:
		break;
	}
	return X3DH_DH_ZERO;
}

/* SK and h of one run, and the associated data that follows from them. */
struct schedule {
	struct secret32 dh[4], sk, h;
	uint8_t aad[AAD_MAX];
	size_t aad_bytes;
	uint8_t plain[PLAIN_BYTES];
};

/* dh to SK, h and AAD = EK_B || id || info || Addr || h. */
static enum err schedule_derive(struct schedule *s, const struct crypto *c,
	const struct x3dh_context *ctx, const struct public32 *ek, const struct public32 *id)
{
	struct wr w = wr_init(s->aad, sizeof(s->aad));
	enum err e;

	if (ctx->info.n > X3DH_INFO_MAX || ctx->addr.n > X3DH_ADDR_MAX)
		return ERR_RANGE;
	e = x3dh_derive(c, ctx->info, s->dh, &s->sk, &s->h);
	wr_bytes(&w, ek->b, 32);
	wr_bytes(&w, id->b, 32);
	wr_bytes(&w, ctx->info.p, ctx->info.n);
	wr_bytes(&w, ctx->addr.p, ctx->addr.n);
	wr_bytes(&w, s->h.b, 32);
	s->aad_bytes = w.len_bytes;
	return e == ERR_OK ? wr_end(&w) : e;
}

static enum err schedule_session(const struct schedule *s, const struct crypto *c,
	const struct public32 *ik_b, struct x3dh_session *out)
{
	out->ik_b = *ik_b;
	out->h = s->h;
	return x3dh_traffic(c, &s->sk, &s->h, &out->traffic);
}

struct agreement {
	const struct secret32 *priv;
	const struct public32 *pub;
};

/* All four in any case; then ERR_KEY if one is zero, any other error first. */
static enum err agree(
	const struct crypto *c, const struct agreement pairs[4], struct secret32 dh[4])
{
	enum err all = ERR_OK;

	for (int i = 0; i < 4; i++) {
		enum err e = c->x25519(c->ctx, pairs[i].priv, pairs[i].pub, &dh[i]);

		if (e != ERR_OK && (all == ERR_OK || all == ERR_KEY))
			all = e;
	}
	return all;
}

/* Steps 6 and 7. */
static enum x3dh_cause derive_service(struct schedule *s, const struct crypto *c,
	const struct x3dh_context *ctx, const struct x3dh_service *service,
	const struct x3dh_message *m)
{
	const struct agreement pairs[4] = {{service->spk, service->eik}, {service->ik, &m->ek},
		{service->spk, &m->ek}, {service->opk, &m->ek}};
	enum err e = agree(c, pairs, s->dh);

	if (e == ERR_OK)
		return schedule_derive(s, c, ctx, &m->ek, &m->id) == ERR_OK ? X3DH_ACCEPT
									    : X3DH_FAILED;
	return e == ERR_KEY ? X3DH_DH_ZERO : X3DH_FAILED;
}

/* Step 8. */
static enum x3dh_cause decrypt(
	struct schedule *s, const struct crypto *c, const struct x3dh_message *m)
{
	enum err e = c->gcm_open(c->ctx, &s->sk, m->ek.b, (struct span){s->aad, s->aad_bytes},
		(struct span){m->body, PLAIN_BYTES}, m->body + PLAIN_BYTES, s->plain);

	if (e == ERR_OK)
		return X3DH_ACCEPT;
	return e == ERR_AUTH ? X3DH_DECRYPT : X3DH_FAILED;
}

/* Steps 9 and 10. */
static enum x3dh_cause check_identity(const struct schedule *s, const struct crypto *c,
	const struct public32 *eik, struct public32 *ik_b)
{
	memcpy(ik_b->b, s->plain, 32);
	if (xeddsa_public_check(ik_b) != ERR_OK || bytes_equal_ct(ik_b->b, eik->b, 32))
		return X3DH_IKB_INVALID;
	switch ((int)xeddsa_verify(c, ik_b, (struct span){eik->b, 32}, s->plain + 32)) {
	case ERR_OK:
		return X3DH_ACCEPT;
	case ERR_AUTH:
		return X3DH_BAD_SIGNATURE;
	default:
		return X3DH_FAILED;
	}
}

enum x3dh_cause x3dh_open(const struct crypto *c, const struct x3dh_context *ctx,
	const struct x3dh_service *service, const struct x3dh_message *m, struct x3dh_session *out)
{
	struct schedule s;
	struct public32 ik_b;
	enum x3dh_cause cause;

	memset(&s, 0, sizeof(s));
	memset(out, 0, sizeof(*out));
	if (bytes_equal_ct(m->ek.b, service->eik->b, 32))
		return X3DH_EK_REUSED;
	cause = derive_service(&s, c, ctx, service, m);
	if (cause == X3DH_ACCEPT)
		cause = decrypt(&s, c, m);
	if (cause == X3DH_ACCEPT)
		cause = check_identity(&s, c, service->eik, &ik_b);
	if (cause == X3DH_ACCEPT && schedule_session(&s, c, &ik_b, out) != ERR_OK)
		cause = X3DH_FAILED;
	if (cause != X3DH_ACCEPT)
		x3dh_session_wipe(out);
	bytes_wipe(&s, sizeof(s));
	return cause;
}

/* One key in two roles breaks the proof (OP-0006 §5.22). */
static bool keys_differ(const struct x3dh_enrollee *k)
{
	return !bytes_equal_ct(k->eik->pub.b, k->ek->pub.b, 32) &&
	       !bytes_equal_ct(k->eik->pub.b, k->ik->pub.b, 32) &&
	       !bytes_equal_ct(k->ek->pub.b, k->ik->pub.b, 32);
}

static enum err derive_enrollee(struct schedule *s, const struct crypto *c,
	const struct x3dh_context *ctx, const struct x3dh_prekeys *p, const struct x3dh_enrollee *k,
	struct public32 *id)
{
	const struct agreement pairs[4] = {{&k->eik->priv, &p->spk}, {&k->ek->priv, &p->ik},
		{&k->ek->priv, &p->spk}, {&k->ek->priv, &p->opk}};
	const struct span eik = {k->eik->pub.b, 32};
	enum err e = keys_differ(k) ? agree(c, pairs, s->dh) : ERR_KEY;

	if (e == ERR_OK)
		e = c->sha256(c->ctx, &eik, 1, id->b);
	return e == ERR_OK ? schedule_derive(s, c, ctx, &k->ek->pub, id) : e;
}

/* The plaintext IK_B || XEdDSA(ik_b, EIK_B), sealed behind the header. */
static enum err write_message(struct schedule *s, const struct crypto *c,
	const struct x3dh_enrollee *k, const struct public32 *id, const uint8_t *z,
	uint8_t *message)
{
	struct wr w = wr_init(message, X3DH_MESSAGE_BYTES);
	enum err e =
		xeddsa_sign(c, &k->ik->priv, (struct span){k->eik->pub.b, 32}, z, s->plain + 32);

	if (e != ERR_OK)
		return e;
	memcpy(s->plain, k->ik->pub.b, 32);
	wr_bytes(&w, k->ek->pub.b, 32);
	wr_bytes(&w, id->b, 32);
	return c->gcm_seal(c->ctx, &s->sk, k->ek->pub.b, (struct span){s->aad, s->aad_bytes},
		(struct span){s->plain, PLAIN_BYTES}, message + HEADER_BYTES,
		message + HEADER_BYTES + PLAIN_BYTES);
}

enum err x3dh_build(const struct crypto *c, const struct x3dh_context *ctx,
	const struct x3dh_prekeys *prekeys, const struct x3dh_enrollee *keys,
	const uint8_t z[XEDDSA_Z_BYTES], uint8_t message[X3DH_MESSAGE_BYTES],
	struct x3dh_session *out)
{
	struct schedule s;
	struct public32 id;
	enum err e;

	memset(&s, 0, sizeof(s));
	e = derive_enrollee(&s, c, ctx, prekeys, keys, &id);
	if (e == ERR_OK)
		e = write_message(&s, c, keys, &id, z, message);
	if (e == ERR_OK)
		e = schedule_session(&s, c, &keys->ik->pub, out);
	if (e != ERR_OK) {
		bytes_wipe(message, X3DH_MESSAGE_BYTES);
		x3dh_session_wipe(out);
	}
	bytes_wipe(&s, sizeof(s));
	return e;
}
