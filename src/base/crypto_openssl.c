/*
 * AES and SHA-256 by OpenSSL, which uses what the processor has for them, with its algorithms
 * fetched once (an implicit fetch per call costs more than the algorithm). A context per call: 0.3
 * us, and none is shared between threads or keeps a key.
 */
#include "base/crypto_openssl.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>

/* OpenSSL has a type of the name of one of our errors. */
#define ERR_STATE openssl_err_state
#include <openssl/evp.h>
#undef ERR_STATE

#include "base/crypto_sodium.h"

/* Written once, under pthread_once; what the tables' ctx points to. */
static struct host_crypto {
	EVP_CIPHER *gcm;
	EVP_CIPHER *ecb;
	EVP_MD *sha256;
	struct crypto crypto;
	struct aes128 aes128;
	bool ready;
} host;
static pthread_once_t host_once = PTHREAD_ONCE_INIT;

/* Feeds AAD, then text; both may be empty. */
static bool gcm_update(EVP_CIPHER_CTX *x, struct span aad, struct span in, uint8_t *out)
{
	int n;

	if (aad.n > INT_MAX || in.n > INT_MAX)
		return false;
	if (aad.n > 0 && EVP_CipherUpdate(x, NULL, &n, aad.p, (int)aad.n) != 1)
		return false;
	if (in.n > 0 && (EVP_CipherUpdate(x, out, &n, in.p, (int)in.n) != 1 || n != (int)in.n))
		return false;
	return true;
}

static bool gcm_finish_seal(EVP_CIPHER_CTX *x, uint8_t tag[16])
{
	uint8_t none[16];
	int n;

	return EVP_CipherFinal_ex(x, none, &n) == 1 && n == 0 &&
	       EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
}

static enum err do_gcm_seal(void *ctx, const struct secret32 *key, const uint8_t nonce[12],
	struct span aad, struct span in, uint8_t *out, uint8_t tag[16])
{
	const struct host_crypto *h = ctx;
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	bool ok = x && EVP_CipherInit_ex2(x, h->gcm, key->b, nonce, 1, NULL) == 1 &&
		  gcm_update(x, aad, in, out) && gcm_finish_seal(x, tag);

	EVP_CIPHER_CTX_free(x);
	if (!ok) {
		bytes_wipe(out, in.n);
		bytes_wipe(tag, 16);
	}
	return ok ? ERR_OK : ERR_CRYPTO;
}

static enum err gcm_finish_open(EVP_CIPHER_CTX *x, const uint8_t tag[16])
{
	uint8_t none[16], expected[16];
	int n;

	memcpy(expected, tag, 16);
	if (EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, 16, expected) != 1)
		return ERR_CRYPTO;
	return EVP_CipherFinal_ex(x, none, &n) == 1 ? ERR_OK : ERR_AUTH;
}

static enum err do_gcm_open(void *ctx, const struct secret32 *key, const uint8_t nonce[12],
	struct span aad, struct span in, const uint8_t tag[16], uint8_t *out)
{
	const struct host_crypto *h = ctx;
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	enum err e = ERR_CRYPTO;

	if (x && EVP_CipherInit_ex2(x, h->gcm, key->b, nonce, 0, NULL) == 1 &&
		gcm_update(x, aad, in, out))
		e = gcm_finish_open(x, tag);
	EVP_CIPHER_CTX_free(x);
	if (e != ERR_OK)
		bytes_wipe(out, in.n);
	return e;
}

static enum err do_aes128(
	void *ctx, const struct secret16 *key, const uint8_t in[16], uint8_t out[16])
{
	const struct host_crypto *h = ctx;
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n = 0;
	bool ok = x && EVP_EncryptInit_ex2(x, h->ecb, key->b, NULL, NULL) == 1 &&
		  EVP_CIPHER_CTX_set_padding(x, 0) == 1 &&
		  EVP_EncryptUpdate(x, out, &n, in, 16) == 1 && n == 16;

	EVP_CIPHER_CTX_free(x);
	if (!ok)
		bytes_wipe(out, 16);
	return ok ? ERR_OK : ERR_CRYPTO;
}

/* --- SHA-256 and what is made of it -------------------------------------------------------- */

static enum err do_sha256(void *ctx, const struct span *parts, size_t count, uint8_t out[32])
{
	const struct host_crypto *h = ctx;
	EVP_MD_CTX *x = EVP_MD_CTX_new();
	bool ok = x && EVP_DigestInit_ex2(x, h->sha256, NULL) == 1;

	for (size_t i = 0; ok && i < count; i++)
		ok = parts[i].n == 0 || EVP_DigestUpdate(x, parts[i].p, parts[i].n) == 1;
	ok = ok && EVP_DigestFinal_ex(x, out, NULL) == 1;
	EVP_MD_CTX_free(x); /* wipes */
	if (!ok)
		bytes_wipe(out, 32);
	return ok ? ERR_OK : ERR_CRYPTO;
}

#define BLOCK_BYTES 64
#define HMAC_PARTS_MAX 3

/* RFC 2104: the key as one block, padded with zeros, a longer one hashed first. */
static enum err hmac_block(struct host_crypto *h, struct span key, uint8_t block[BLOCK_BYTES])
{
	memset(block, 0, BLOCK_BYTES);
	if (key.n > BLOCK_BYTES)
		return do_sha256(h, &key, 1, block);
	if (key.n > 0)
		memcpy(block, key.p, key.n);
	return ERR_OK;
}

static void xor_block(uint8_t block[BLOCK_BYTES], uint8_t with)
{
	for (size_t i = 0; i < BLOCK_BYTES; i++)
		block[i] ^= with;
}

/* H(K ^ opad || H(K ^ ipad || text)). By hand: EVP_MAC costs more than the hashing itself. */
static enum err hmac(struct host_crypto *h, struct span key, const struct span *parts, size_t count,
	uint8_t out[32])
{
	uint8_t block[BLOCK_BYTES], inner[32];
	struct span all[1 + HMAC_PARTS_MAX] = {{block, sizeof(block)}};
	enum err e = hmac_block(h, key, block);

	assert(count <= HMAC_PARTS_MAX);
	memcpy(all + 1, parts, count * sizeof(*parts));
	xor_block(block, 0x36);
	if (e == ERR_OK)
		e = do_sha256(h, all, 1 + count, inner);
	xor_block(block, 0x36 ^ 0x5c);
	all[1] = (struct span){inner, sizeof(inner)};
	if (e == ERR_OK)
		e = do_sha256(h, all, 2, out);
	bytes_wipe(block, sizeof(block));
	bytes_wipe(inner, sizeof(inner));
	return e;
}

/* RFC 5869 §2.3: T(i) = HMAC(PRK, T(i-1) || info || i), output the first n bytes of T(1) T(2)... */
static enum err hkdf_expand(
	struct host_crypto *h, const uint8_t prk[32], struct span info, uint8_t *out, size_t n)
{
	uint8_t block[32];
	enum err e = ERR_OK;

	for (uint8_t i = 1; n > 0 && e == ERR_OK; i++) {
		struct span parts[3] = {{block, i > 1 ? sizeof(block) : 0}, info, {&i, 1}};
		size_t take = n < sizeof(block) ? n : sizeof(block);

		e = hmac(h, (struct span){prk, 32}, parts, 3, block);
		memcpy(out, block, take);
		out += take;
		n -= take;
	}
	bytes_wipe(block, sizeof(block));
	return e;
}

/* Without a salt it is 32 zero bytes, which as a key of HMAC is the same as none. */
static enum err do_hkdf_sha256(
	void *ctx, struct span salt, struct span ikm, struct span info, void *out, size_t n)
{
	uint8_t prk[32];
	enum err e;

	if (n > (size_t)255 * 32)
		return ERR_RANGE;
	e = hmac(ctx, salt, &ikm, 1, prk);
	if (e == ERR_OK)
		e = hkdf_expand(ctx, prk, info, out, n);
	bytes_wipe(prk, sizeof(prk));
	if (e != ERR_OK)
		bytes_wipe(out, n);
	return e;
}

/* --- life ---------------------------------------------------------------------------------- */

static void host_init(void)
{
	host.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	host.ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	host.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	host.crypto.ctx = &host;
	host.crypto.sha256 = do_sha256;
	host.crypto.hkdf_sha256 = do_hkdf_sha256;
	host.crypto.gcm_seal = do_gcm_seal;
	host.crypto.gcm_open = do_gcm_open;
	host.aes128 = (struct aes128){.ctx = &host, .encrypt = do_aes128};
	host.ready =
		host.gcm && host.ecb && host.sha256 && crypto_sodium_fill(&host.crypto) == ERR_OK;
}

const struct crypto *crypto_default(void)
{
	return pthread_once(&host_once, host_init) == 0 && host.ready ? &host.crypto : NULL;
}

const struct aes128 *aes128_default(void)
{
	return pthread_once(&host_once, host_init) == 0 && host.ready ? &host.aes128 : NULL;
}
