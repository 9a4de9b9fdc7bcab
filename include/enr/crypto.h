/*
 * What the pure core needs of a crypto library, as tables of functions: OpenSSL and libsodium on
 * Linux (base/crypto_openssl.h), the chip's AES block on a node. All functions are re-entrant and
 * keep no secret of their arguments. A failed call leaves its output wiped.
 */
#ifndef ENR_CRYPTO_H
#define ENR_CRYPTO_H

#include "enr/keys.h"

/* AES-128 on one 16-byte block, encryption only: all that MeshAccess uses (mesh-protocol §3). */
struct aes128 {
	void *ctx;
	ENR_MUST_CHECK enum err (*encrypt)(
		void *ctx, const struct secret16 *key, const uint8_t in[16], uint8_t out[16]);
};

struct crypto {
	void *ctx;

	/* n bytes from the system's generator; ERR_CRYPTO if it has none. */
	ENR_MUST_CHECK enum err (*random)(void *ctx, void *out, size_t n);

	/* Hashes over the parts, one after the other. */
	ENR_MUST_CHECK enum err (*sha256)(
		void *ctx, const struct span *parts, size_t count, uint8_t out[32]);
	ENR_MUST_CHECK enum err (*sha512)(
		void *ctx, const struct span *parts, size_t count, uint8_t out[64]);

	/* HKDF-SHA256 (RFC 5869), extract and expand; n <= 255 * 32. */
	ENR_MUST_CHECK enum err (*hkdf_sha256)(void *ctx, struct span salt, struct span ikm,
		struct span info, void *out, size_t n);

	/* X25519 (RFC 7748). priv is clamped at use; an all-zero result is ERR_KEY. Public keys
	 * come of xeddsa_public, which is faster. */
	ENR_MUST_CHECK enum err (*x25519)(void *ctx, const struct secret32 *priv,
		const struct public32 *pub, struct secret32 *out);

	/* AES-256-GCM, 12-byte nonce, 16-byte tag. in and out may be the same buffer; a wrong tag
	 * is ERR_AUTH. */
	ENR_MUST_CHECK enum err (*gcm_seal)(void *ctx, const struct secret32 *key,
		const uint8_t nonce[12], struct span aad, struct span in, uint8_t *out,
		uint8_t tag[16]);
	ENR_MUST_CHECK enum err (*gcm_open)(void *ctx, const struct secret32 *key,
		const uint8_t nonce[12], struct span aad, struct span in, const uint8_t tag[16],
		uint8_t *out);

	/* The Ed25519 group, for XEdDSA. Scalars are 32 bytes little-endian, modulo q; ed_base
	 * takes any up to 2^255 - 1. ERR_CRYPTO if the result is the identity. */
	ENR_MUST_CHECK enum err (*ed_base)(
		void *ctx, const struct secret32 *scalar, uint8_t out[32]); /* not clamped */
	void (*scalar_reduce)(void *ctx, const uint8_t in[64], struct secret32 *out);
	void (*scalar_negate)(void *ctx, const struct secret32 *in, struct secret32 *out);
	void (*scalar_muladd)(void *ctx, const struct secret32 *a, const struct secret32 *b,
		const struct secret32 *c, struct secret32 *out); /* a * b + c */
	/* An ordinary Ed25519 verification under the Edwards key: ERR_AUTH, ERR_KEY or ERR_OK. */
	ENR_MUST_CHECK enum err (*ed_verify)(void *ctx, const uint8_t edwards[32],
		struct span message, const uint8_t signature[64]);
};

#endif
