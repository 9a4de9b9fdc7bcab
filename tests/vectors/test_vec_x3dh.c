/* x3dh.json: whole runs in both roles, every intermediate value compared. */
#include "enr/x3dh.h"

#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/crypto_openssl.h"
#include "support/vectors.h"

static int failures;

static void check(bool ok, const json_t *kase, const char *what)
{
	if (ok)
		return;
	printf("FAILED %s: %s\n", vectors_text(kase, "id"), what);
	failures++;
}

static void check_hex(const json_t *kase, const char *key, const void *got, size_t n)
{
	uint8_t want[512];

	vectors_hex_exact(kase, key, want, n);
	check(memcmp(want, got, n) == 0, kase, key);
}

/* One run: what was read of the file, and what came of it. */
struct run {
	struct x3dh_keypair ik_a, spk_a, opk_a, eik, ek, ik_b;
	uint8_t info[X3DH_INFO_MAX], addr[X3DH_ADDR_MAX];
	struct x3dh_context ctx;
	struct x3dh_prekeys prekeys;
	uint8_t message[X3DH_MESSAGE_BYTES];
	struct x3dh_session enrollee, service;
};

static void read_pair(const struct crypto *c, const json_t *kase, const char *priv, const char *pub,
	struct x3dh_keypair *out)
{
	vectors_hex_exact(kase, priv, out->priv.b, 32);
	check(xeddsa_public(c, &out->priv, &out->pub) == ERR_OK, kase, priv);
	check_hex(kase, pub, out->pub.b, 32);
}

static void read_run(const struct crypto *c, const json_t *kase, struct run *r)
{
	read_pair(c, kase, "ik_a_priv", "ik_a", &r->ik_a);
	read_pair(c, kase, "spk_a_priv", "spk_a", &r->spk_a);
	read_pair(c, kase, "opk_a_priv", "opk_a", &r->opk_a);
	read_pair(c, kase, "eik_b_priv", "eik_b", &r->eik);
	read_pair(c, kase, "ek_b_priv", "ek_b", &r->ek);
	read_pair(c, kase, "ik_b_priv", "ik_b", &r->ik_b);
	r->ctx.info = (struct span){r->info, vectors_hex(kase, "info", r->info, X3DH_INFO_MAX)};
	r->ctx.addr = (struct span){r->addr, vectors_hex(kase, "addr", r->addr, X3DH_ADDR_MAX)};
}

static void check_sign(const struct crypto *c, const json_t *kase, const char *key,
	const struct x3dh_keypair *pair)
{
	struct secret32 clamped = pair->priv;
	uint8_t point[32];

	clamped.b[0] &= 248;
	clamped.b[31] = (uint8_t)((clamped.b[31] & 127) | 64);
	check(c->ed_base(c->ctx, &clamped, point) == ERR_OK, kase, key);
	check(vectors_int(kase, key) == point[31] >> 7, kase, key);
}

static void check_bundle(const struct crypto *c, const json_t *kase, struct run *r)
{
	uint8_t z[64], bundle[X3DH_PREKEYS_BYTES];
	struct wr w = wr_init(bundle, sizeof(bundle));
	enum err e;

	vectors_hex_exact(kase, "z_spk_signature", z, 64);
	r->prekeys.ik = r->ik_a.pub;
	r->prekeys.spk = r->spk_a.pub;
	r->prekeys.opk = r->opk_a.pub;
	e = xeddsa_sign(
		c, &r->ik_a.priv, (struct span){r->spk_a.pub.b, 32}, z, r->prekeys.spk_signature);
	check(e == ERR_OK, kase, "sign");
	check_hex(kase, "spk_signature", r->prekeys.spk_signature, 64);
	check(x3dh_prekeys_check(c, &r->prekeys) == ERR_OK, kase, "prekeys");
	wr_bytes(&w, r->prekeys.ik.b, 32);
	wr_bytes(&w, r->prekeys.spk.b, 32);
	wr_bytes(&w, r->prekeys.spk_signature, 64);
	wr_bytes(&w, r->prekeys.opk.b, 32);
	check_hex(kase, "bundle", bundle, sizeof(bundle));
}

static void check_prk(const json_t *kase, const uint8_t ikm[160])
{
	static const uint8_t salt[32];
	crypto_auth_hmacsha256_state st;
	uint8_t prk[32];

	crypto_auth_hmacsha256_init(&st, salt, sizeof(salt));
	crypto_auth_hmacsha256_update(&st, ikm, 160);
	crypto_auth_hmacsha256_final(&st, prk);
	check_hex(kase, "prk", prk, 32);
}

/* The four results, computed from both ends, then all that follows from them. */
static void check_schedule(const struct crypto *c, const json_t *kase, const struct run *r,
	struct secret32 *sk, struct secret32 *h)
{
	const struct x3dh_keypair *b[4] = {&r->eik, &r->ek, &r->ek, &r->ek};
	const struct x3dh_keypair *a[4] = {&r->spk_a, &r->ik_a, &r->spk_a, &r->opk_a};
	const char *names[4] = {"dh1", "dh2", "dh3", "dh4"};
	struct secret32 dh[4], other;
	uint8_t ikm[160];

	memset(ikm, 0xff, 32);
	for (int i = 0; i < 4; i++) {
		check(c->x25519(c->ctx, &b[i]->priv, &a[i]->pub, &dh[i]) == ERR_OK, kase, names[i]);
		check(c->x25519(c->ctx, &a[i]->priv, &b[i]->pub, &other) == ERR_OK, kase, names[i]);
		check(memcmp(dh[i].b, other.b, 32) == 0, kase, "both ends");
		check_hex(kase, names[i], dh[i].b, 32);
		memcpy(ikm + 32 + 32 * i, dh[i].b, 32);
	}
	check_hex(kase, "ikm", ikm, sizeof(ikm));
	check_prk(kase, ikm);
	check(x3dh_derive(c, r->ctx.info, dh, sk, h) == ERR_OK, kase, "derive");
	check_hex(kase, "sk", sk->b, 32);
	check_hex(kase, "state_hash", h->b, 32);
}

static void check_build(const struct crypto *c, const json_t *kase, struct run *r)
{
	const struct x3dh_enrollee keys = {&r->eik, &r->ek, &r->ik_b};
	uint8_t z[64];
	enum err e;

	vectors_hex_exact(kase, "z_body_signature", z, 64);
	e = x3dh_build(c, &r->ctx, &r->prekeys, &keys, z, r->message, &r->enrollee);
	check(e == ERR_OK, kase, "build");
	check_hex(kase, "message", r->message, X3DH_MESSAGE_BYTES);
	check_hex(kase, "header", r->message, 64);
	check_hex(kase, "message_id", r->message + 32, 32);
	check_hex(kase, "nonce", r->message, 12);
	check_hex(kase, "ciphertext", r->message + 64, 96);
	check_hex(kase, "tag", r->message + 160, 16);
}

static void check_plaintext(const struct crypto *c, const json_t *kase, const struct run *r,
	const struct secret32 *sk, const struct secret32 *h)
{
	const uint8_t *m = r->message;
	uint8_t aad[512], plain[96];
	struct wr w = wr_init(aad, sizeof(aad));
	enum err e;

	wr_bytes(&w, m, 64);
	wr_bytes(&w, r->ctx.info.p, r->ctx.info.n);
	wr_bytes(&w, r->ctx.addr.p, r->ctx.addr.n);
	wr_bytes(&w, h->b, 32);
	check_hex(kase, "aad", aad, w.len_bytes);
	e = c->gcm_open(c->ctx, sk, m, (struct span){aad, w.len_bytes}, (struct span){m + 64, 96},
		m + 160, plain);
	check(e == ERR_OK, kase, "open");
	check_hex(kase, "plaintext", plain, 96);
	check_hex(kase, "body_signature", plain + 32, 64);
}

static void check_open(const struct crypto *c, const json_t *kase, struct run *r)
{
	const struct x3dh_service keys = {
		&r->ik_a.priv, &r->spk_a.priv, &r->opk_a.priv, &r->eik.pub};
	struct span in = {r->message, X3DH_MESSAGE_BYTES};
	struct x3dh_message m;

	check(x3dh_parse(in, &m) == X3DH_ACCEPT, kase, "parse");
	check(x3dh_open(c, &r->ctx, &keys, &m, &r->service) == X3DH_ACCEPT, kase, "accept");
	check(memcmp(&r->service, &r->enrollee, sizeof(r->service)) == 0, kase, "sessions agree");
	check_hex(kase, "state_hash", r->service.h.b, 32);
	check_hex(kase, "ik_b", r->service.ik_b.b, 32);
}

static void run_case(const struct crypto *c, const json_t *kase)
{
	struct secret32 sk, h;
	struct secret64 t;
	struct run r;

	memset(&r, 0, sizeof(r));
	read_run(c, kase, &r);
	check_sign(c, kase, "ik_a_edwards_sign", &r.ik_a);
	check_sign(c, kase, "ik_b_edwards_sign", &r.ik_b);
	check_bundle(c, kase, &r);
	check_schedule(c, kase, &r, &sk, &h);
	check_build(c, kase, &r);
	check_plaintext(c, kase, &r, &sk, &h);
	check_open(c, kase, &r);
	check(x3dh_traffic(c, &sk, &h, &t) == ERR_OK, kase, "traffic");
	check(memcmp(t.b, r.service.traffic.b, 64) == 0, kase, "traffic keys");
}

int main(void)
{
	const struct crypto *c = crypto_default();
	json_t *root = vectors_load("x3dh.json"), *kase;
	size_t i;

	if (!c)
		return EXIT_FAILURE;
	json_array_foreach(vectors_array(root, "cases"), i, kase) run_case(c, kase);
	vectors_ran("x3dh", i);
	json_decref(root);
	return vectors_end(i, failures);
}
