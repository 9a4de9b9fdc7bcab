/*
 * XEdDSA (Signal, revision 1) on X25519 keys, with the strict verdicts of OP-0006 §3, column
 * "project": no non-canonical and no small-order key, no s >= q, no small-order R.
 */
#ifndef ENR_XEDDSA_H
#define ENR_XEDDSA_H

#include "enr/crypto.h"

#define XEDDSA_SIGNATURE_BYTES 64
#define XEDDSA_Z_BYTES 64

/*
 * May u be used as a public key at all? Not if it is not canonical (u >= p, or bit 255 set) or of
 * small order (the five values 0, 1, p-1 and the two of order 8). NONE is not a proof that u lies
 * on the curve and not on its twist: only xeddsa_verify tells (OP-0006 §5.1, §5.2).
 */
enum xeddsa_fault { XEDDSA_FAULT_NONE = 0, XEDDSA_FAULT_NONCANONICAL, XEDDSA_FAULT_SMALL_ORDER };

ENR_MUST_CHECK enum xeddsa_fault xeddsa_public_fault(const struct public32 *u);

/* The same as ERR_OK or ERR_KEY. */
ENR_MUST_CHECK enum err xeddsa_public_check(const struct public32 *u);

/*
 * The X25519 public key of k, through the Edwards base table: equal to the Montgomery ladder's
 * result and about a third faster (OP-0006 §8). Time does not depend on k.
 */
ENR_MUST_CHECK enum err xeddsa_public(
	const struct crypto *c, const struct secret32 *k, struct public32 *u);

/*
 * The signing key pair of an X25519 private key: scalar a modulo q, public A with sign bit 0.
 * Its time does not depend on k (OP-0006 §5.25).
 */
ENR_MUST_CHECK enum err xeddsa_key_pair(
	const struct crypto *c, const struct secret32 *k, struct secret32 *a, uint8_t edwards[32]);

/* The Ed25519 form of u with sign bit 0: y = (u-1)/(u+1). ERR_KEY as xeddsa_public_check. */
ENR_MUST_CHECK enum err xeddsa_to_edwards(const struct public32 *u, uint8_t edwards[32]);

/* Z: 64 fresh random bytes. On failure the signature is wiped. */
ENR_MUST_CHECK enum err xeddsa_sign(const struct crypto *c, const struct secret32 *k,
	struct span message, const uint8_t z[XEDDSA_Z_BYTES],
	uint8_t signature[XEDDSA_SIGNATURE_BYTES]);

/* ERR_OK, ERR_KEY (xeddsa_public_check) or ERR_AUTH (all else). */
ENR_MUST_CHECK enum err xeddsa_verify(const struct crypto *c, const struct public32 *u,
	struct span message, const uint8_t signature[XEDDSA_SIGNATURE_BYTES]);

#endif
