/*
 * The field of 2^255 - 19, as much of it as the maps between the two forms of the curve need.
 * Five limbs of 51 bits. No branch and no index depends on a value.
 */
#ifndef CORE_FE25519_H
#define CORE_FE25519_H

#include <stdint.h>

/* Limbs stay below 2^52 out of fe_mul, below 2^53 out of fe_add and fe_sub of such. */
struct fe {
	uint64_t v[5];
};

void fe_from_bytes(struct fe *r, const uint8_t in[32]); /* bit 255 is ignored */
void fe_to_bytes(uint8_t out[32], const struct fe *a);  /* canonical */
void fe_one(struct fe *r);
void fe_add(struct fe *r, const struct fe *a, const struct fe *b);
void fe_sub(struct fe *r, const struct fe *a, const struct fe *b);
void fe_mul(struct fe *r, const struct fe *a, const struct fe *b);
void fe_invert(struct fe *r, const struct fe *a); /* 1/a, and 0 of 0 */

#endif
