/*
 * AES by OpenSSL, with its ciphers fetched once (an implicit fetch per call costs more than the
 * cipher). A context per call: 0.3 us, and none is shared between threads or keeps a key.
 */
#include "base/crypto_openssl.h"

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

static void host_init(void)
{
	host.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	host.ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	host.crypto.ctx = &host;
	host.crypto.gcm_seal = do_gcm_seal;
	host.crypto.gcm_open = do_gcm_open;
	host.aes128 = (struct aes128){.ctx = &host, .encrypt = do_aes128};
	host.ready = host.gcm && host.ecb && crypto_sodium_fill(&host.crypto) == ERR_OK;
}

const struct crypto *crypto_default(void)
{
	return pthread_once(&host_once, host_init) == 0 && host.ready ? &host.crypto : NULL;
}

const struct aes128 *aes128_default(void)
{
	return pthread_once(&host_once, host_init) == 0 && host.ready ? &host.aes128 : NULL;
}
