/*
 * What the cryptography alone costs, one thread, no daemon: the base line that accept_ratio and
 * bundle_ratio are measured against. Two libraries do each job as they offer it, and the faster one
 * counts: X25519 by OpenSSL (keys and context prepared before the clock starts) or by libsodium;
 * a key pair, with its 32 + 32 bytes, by OpenSSL's EVP_PKEY_keygen or by crypto_box_keypair.
 * bare_keygen_table_us is how the daemon itself makes a key pair (Ed25519's table, then one map to
 * the Montgomery curve): no library offers that, so it is printed but no ratio is measured by it.
 * Prints "name value unit" lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/evp.h>
#include <sodium.h>

/* The header of OpenSSL has a type of the name of one of our errors. */
#define ERR_STATE our_err_state
#include "enr/x3dh.h"

#include "base/crypto_openssl.h"

#define ROUNDS 9
#define LOOPS 300

struct bench {
	const struct crypto *c;
	struct x3dh_keypair ik_a, spk_a, opk_a, eik, ek, ik_b;
	EVP_PKEY_CTX *derive[4], *keygen;
	uint8_t signature[64], aad[160], cipher[96], tag[16];
	struct secret32 sk, h, dh[4];
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bare: %s failed\n", what);
	exit(EXIT_FAILURE);
}

static double now_us(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static EVP_PKEY_CTX *preload(const struct x3dh_keypair *own, const struct public32 *other)
{
	EVP_PKEY *priv = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, own->priv.b, 32);
	EVP_PKEY *pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, other->b, 32);
	EVP_PKEY_CTX *x = EVP_PKEY_CTX_new(priv, NULL);

	must(x && EVP_PKEY_derive_init(x) == 1 && EVP_PKEY_derive_set_peer(x, pub) == 1, "preload");
	EVP_PKEY_free(priv);
	EVP_PKEY_free(pub);
	return x;
}

static void dh_openssl(struct bench *b)
{
	for (int i = 0; i < 4; i++) {
		size_t n = 32;

		must(EVP_PKEY_derive(b->derive[i], b->dh[i].b, &n) == 1, "derive");
	}
}

static void dh_sodium(struct bench *b)
{
	const struct secret32 *priv[4] = {
		&b->spk_a.priv, &b->ik_a.priv, &b->spk_a.priv, &b->opk_a.priv};
	const struct public32 *pub[4] = {&b->eik.pub, &b->ek.pub, &b->ek.pub, &b->ek.pub};

	for (int i = 0; i < 4; i++)
		must(crypto_scalarmult(b->dh[i].b, priv[i]->b, pub[i]->b) == 0, "scalarmult");
}

/* HKDF, the hash, AES-GCM and the signature. */
static void rest(struct bench *b)
{
	uint8_t plain[96];
	enum err e = x3dh_derive(b->c, x3dh_info(), b->dh, &b->sk, &b->h);

	must(e == ERR_OK, "derive");
	e = b->c->gcm_open(b->c->ctx, &b->sk, b->ek.pub.b, (struct span){b->aad, sizeof(b->aad)},
		(struct span){b->cipher, sizeof(b->cipher)}, b->tag, plain);
	must(e == ERR_OK, "open");
	e = xeddsa_verify(b->c, &b->ik_b.pub, (struct span){b->eik.pub.b, 32}, b->signature);
	must(e == ERR_OK, "verify");
}

static void accept_openssl(struct bench *b)
{
	dh_openssl(b);
	rest(b);
}

static void accept_sodium(struct bench *b)
{
	dh_sodium(b);
	rest(b);
}

static void keygen_table(struct bench *b)
{
	must(x3dh_keypair_make(b->c, &b->opk_a) == ERR_OK, "keygen");
}

static void keygen_sodium(struct bench *b)
{
	must(crypto_box_keypair(b->opk_a.pub.b, b->opk_a.priv.b) == 0, "keygen");
}

static void keygen_openssl(struct bench *b)
{
	EVP_PKEY *key = NULL;
	size_t n = 32, m = 32;

	must(EVP_PKEY_keygen(b->keygen, &key) == 1 &&
			EVP_PKEY_get_raw_private_key(key, b->opk_a.priv.b, &n) == 1 &&
			EVP_PKEY_get_raw_public_key(key, b->opk_a.pub.b, &m) == 1,
		"keygen");
	EVP_PKEY_free(key);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median over rounds of the mean over loops. */
static double measure(struct bench *b, void (*f)(struct bench *))
{
	double us[ROUNDS];

	for (int r = 0; r < ROUNDS; r++) {
		double t = now_us();

		for (int i = 0; i < LOOPS; i++)
			f(b);
		us[r] = (now_us() - t) / LOOPS;
	}
	qsort(us, ROUNDS, sizeof(us[0]), compare);
	return us[ROUNDS / 2];
}

static void start(struct bench *b)
{
	struct x3dh_keypair *all[] = {&b->ik_a, &b->spk_a, &b->opk_a, &b->eik, &b->ek, &b->ik_b};
	uint8_t z[64], plain[96] = {0};
	enum err e;

	b->c = crypto_default();
	must(b->c != NULL, "crypto");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		must(x3dh_keypair_make(b->c, all[i]) == ERR_OK, "keys");
	b->derive[0] = preload(&b->spk_a, &b->eik.pub);
	b->derive[1] = preload(&b->ik_a, &b->ek.pub);
	b->derive[2] = preload(&b->spk_a, &b->ek.pub);
	b->derive[3] = preload(&b->opk_a, &b->ek.pub);
	b->keygen = EVP_PKEY_CTX_new_id(EVP_PKEY_X25519, NULL);
	must(b->keygen && EVP_PKEY_keygen_init(b->keygen) == 1, "keygen");
	dh_sodium(b);
	must(x3dh_derive(b->c, x3dh_info(), b->dh, &b->sk, &b->h) == ERR_OK, "derive");
	e = b->c->gcm_seal(b->c->ctx, &b->sk, b->ek.pub.b, (struct span){b->aad, sizeof(b->aad)},
		(struct span){plain, sizeof(plain)}, b->cipher, b->tag);
	must(e == ERR_OK && b->c->random(b->c->ctx, z, sizeof(z)) == ERR_OK, "seal");
	e = xeddsa_sign(b->c, &b->ik_b.priv, (struct span){b->eik.pub.b, 32}, z, b->signature);
	must(e == ERR_OK, "sign");
}

static double least(double x, double y)
{
	return x < y ? x : y;
}

static void print_us(const char *name, double us)
{
	printf("%s %.2f us\n", name, us);
}

/* A line for each library, and one for the faster. */
static void compare_libraries(struct bench *b, const char *what, void (*openssl)(struct bench *),
	void (*sodium)(struct bench *))
{
	double o = measure(b, openssl), s = measure(b, sodium);
	char name[64];

	(void)snprintf(name, sizeof(name), "bare_%s_openssl_us", what);
	print_us(name, o);
	(void)snprintf(name, sizeof(name), "bare_%s_sodium_us", what);
	print_us(name, s);
	(void)snprintf(name, sizeof(name), "bare_%s_us", what);
	print_us(name, least(o, s));
}

int main(void)
{
	static struct bench b;

	start(&b);
	compare_libraries(&b, "accept", accept_openssl, accept_sodium);
	compare_libraries(&b, "keygen", keygen_openssl, keygen_sodium);
	print_us("bare_keygen_table_us", measure(&b, keygen_table));
	for (int i = 0; i < 4; i++)
		EVP_PKEY_CTX_free(b.derive[i]);
	EVP_PKEY_CTX_free(b.keygen);
	return EXIT_SUCCESS;
}
