/*
 * The curve, the hashes and the generator. Measured (amd64): crypto_scalarmult 30 us, OpenSSL's
 * X25519 37 us with keys made from stored halves; Ed25519 verification 47 us.
 */
#include "base/crypto_sodium.h"

#include <errno.h>
#include <sys/random.h>

#include <sodium.h>

static enum err do_random(void *ctx, void *out, size_t n)
{
	uint8_t *p = out;
	size_t done = 0;

	(void)ctx;
	while (done < n) {
		ssize_t got = getrandom(p + done, n - done, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			sodium_memzero(out, n);
			return ERR_CRYPTO;
		}
		done += (size_t)got;
	}
	return ERR_OK;
}

static enum err do_sha512(void *ctx, const struct span *parts, size_t count, uint8_t out[64])
{
	crypto_hash_sha512_state st;
	int bad = crypto_hash_sha512_init(&st);

	(void)ctx;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].n > 0)
			bad |= crypto_hash_sha512_update(&st, parts[i].p, parts[i].n);
	}
	bad |= crypto_hash_sha512_final(&st, out);
	sodium_memzero(&st, sizeof(st));
	if (bad)
		sodium_memzero(out, 64);
	return bad ? ERR_CRYPTO : ERR_OK;
}

static enum err do_x25519(
	void *ctx, const struct secret32 *priv, const struct public32 *pub, struct secret32 *out)
{
	(void)ctx;
	if (crypto_scalarmult(out->b, priv->b, pub->b) != 0 || sodium_is_zero(out->b, 32)) {
		secret32_wipe(out);
		return ERR_KEY;
	}
	return ERR_OK;
}

static enum err do_ed_base(void *ctx, const struct secret32 *scalar, uint8_t out[32])
{
	(void)ctx;
	if (crypto_scalarmult_ed25519_base_noclamp(out, scalar->b) != 0) {
		sodium_memzero(out, 32);
		return ERR_CRYPTO;
	}
	return ERR_OK;
}

static void do_scalar_reduce(void *ctx, const uint8_t in[64], struct secret32 *out)
{
	(void)ctx;
	crypto_core_ed25519_scalar_reduce(out->b, in);
}

static void do_scalar_negate(void *ctx, const struct secret32 *in, struct secret32 *out)
{
	(void)ctx;
	crypto_core_ed25519_scalar_negate(out->b, in->b);
}

static void do_scalar_muladd(void *ctx, const struct secret32 *a, const struct secret32 *b,
	const struct secret32 *c, struct secret32 *out)
{
	struct secret32 product;

	(void)ctx;
	crypto_core_ed25519_scalar_mul(product.b, a->b, b->b);
	crypto_core_ed25519_scalar_add(out->b, product.b, c->b);
	secret32_wipe(&product);
}

static enum err do_ed_verify(
	void *ctx, const uint8_t edwards[32], struct span message, const uint8_t signature[64])
{
	static const uint8_t nothing;

	(void)ctx;
	if (crypto_sign_verify_detached(
		    signature, message.n > 0 ? message.p : &nothing, message.n, edwards) != 0)
		return ERR_AUTH;
	return ERR_OK;
}

enum err crypto_sodium_fill(struct crypto *c)
{
	if (sodium_init() < 0)
		return ERR_CRYPTO;
	c->random = do_random;
	c->sha512 = do_sha512;
	c->x25519 = do_x25519;
	c->ed_base = do_ed_base;
	c->scalar_reduce = do_scalar_reduce;
	c->scalar_negate = do_scalar_negate;
	c->scalar_muladd = do_scalar_muladd;
	c->ed_verify = do_ed_verify;
	return ERR_OK;
}
