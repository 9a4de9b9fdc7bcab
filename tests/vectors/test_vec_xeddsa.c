/* xeddsa.json: signatures with given Z byte by byte, and the strict verdicts. */
#include "enr/xeddsa.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "support/vectors.h"

#define MESSAGE_MAX 4096

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
	uint8_t want[64];

	vectors_hex_exact(kase, key, want, n);
	check(memcmp(want, got, n) == 0, kase, key);
}

static void check_scalar(const struct crypto *c, const json_t *kase, const char *key,
	const struct span *parts, size_t count)
{
	struct secret32 scalar;
	uint8_t hash[64];

	check(c->sha512(c->ctx, parts, count, hash) == ERR_OK, kase, "sha512");
	c->scalar_reduce(c->ctx, hash, &scalar);
	check_hex(kase, key, scalar.b, 32);
}

static void check_keys(const struct crypto *c, const json_t *kase, const struct secret32 *k,
	struct public32 *u, struct secret32 *a, uint8_t edwards[32])
{
	struct secret32 clamped = *k;
	uint8_t point[32];

	clamped.b[0] &= 248;
	clamped.b[31] = (uint8_t)((clamped.b[31] & 127) | 64);
	check_hex(kase, "k_clamped", clamped.b, 32);
	check(c->ed_base(c->ctx, &clamped, point) == ERR_OK, kase, "ed_base");
	check_hex(kase, "edwards_E", point, 32);
	check(vectors_int(kase, "edwards_sign") == point[31] >> 7, kase, "edwards_sign");
	check(xeddsa_public(c, k, u) == ERR_OK, kase, "public");
	check_hex(kase, "u", u->b, 32);
	check(xeddsa_key_pair(c, k, a, edwards) == ERR_OK, kase, "key pair");
	check_hex(kase, "A", edwards, 32);
	check_hex(kase, "a", a->b, 32);
	check(xeddsa_to_edwards(u, point) == ERR_OK, kase, "to edwards");
	check_hex(kase, "A", point, 32);
}

static void run_sign(const struct crypto *c, const json_t *kase)
{
	uint8_t message[MESSAGE_MAX], z[64], signature[64], edwards[32], prefix[32];
	struct span m = {message, vectors_hex(kase, "message", message, sizeof(message))};
	struct secret32 k, a;
	struct public32 u;
	const struct span nonce[] = {{prefix, 32}, {a.b, 32}, m, {z, 64}};
	const struct span challenge[] = {{signature, 32}, {edwards, 32}, m};

	memset(prefix, 0xff, sizeof(prefix));
	prefix[0] = 0xfe;
	vectors_hex_exact(kase, "k", k.b, 32);
	vectors_hex_exact(kase, "Z", z, 64);
	check_keys(c, kase, &k, &u, &a, edwards);
	check(xeddsa_sign(c, &k, m, z, signature) == ERR_OK, kase, "sign");
	check_hex(kase, "R", signature, 32);
	check_hex(kase, "s", signature + 32, 32);
	check_hex(kase, "signature", signature, 64);
	check_scalar(c, kase, "r", nonce, 4);
	check_scalar(c, kase, "h", challenge, 3);
	check(xeddsa_verify(c, &u, m, signature) == ERR_OK, kase, "own signature");
}

static void run_verify(const struct crypto *c, const json_t *kase)
{
	uint8_t message[MESSAGE_MAX], signature[64];
	struct span m = {message, vectors_hex(kase, "message", message, sizeof(message))};
	const char *reason = vectors_text(kase, "strict_reason");
	struct public32 u;
	enum err e;

	vectors_hex_exact(kase, "u", u.b, 32);
	vectors_hex_exact(kase, "signature", signature, 64);
	e = xeddsa_verify(c, &u, m, signature);
	check((e == ERR_OK) == vectors_bool(kase, "expect_strict"), kase, "verdict");
	if (strcmp(reason, "u>=p") == 0)
		check(xeddsa_public_fault(&u) == XEDDSA_FAULT_NONCANONICAL, kase, "fault");
	if (strcmp(reason, "small-order u") == 0)
		check(xeddsa_public_fault(&u) == XEDDSA_FAULT_SMALL_ORDER, kase, "fault");
}

int main(void)
{
	const struct crypto *c = crypto_default();
	json_t *root = vectors_load("xeddsa.json"), *kase;
	size_t i, signed_count;

	if (!c)
		return EXIT_FAILURE;
	json_array_foreach(vectors_array(root, "sign"), i, kase) run_sign(c, kase);
	signed_count = i;
	vectors_ran("xeddsa sign", signed_count);
	json_array_foreach(vectors_array(root, "verify"), i, kase) run_verify(c, kase);
	vectors_ran("xeddsa verify", i);
	json_decref(root);
	return vectors_end(signed_count + i, failures);
}
