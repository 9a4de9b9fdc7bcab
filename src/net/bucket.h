/*
 * Token buckets for many keys in a table of fixed size: one hashed table under a secret seed, so
 * that nobody can aim at a neighbour's slot. When a set of slots is full the fullest bucket makes
 * room: it is the one that forgets least. Time is an argument.
 */
#ifndef NET_BUCKET_H
#define NET_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "enr/bytes.h"

struct bucket_table;

struct bucket_config {
	uint32_t rate_per_s; /* tokens that a key gains each second, 1 ... 1,000,000 */
	uint32_t burst;      /* the most that it can hold, 1 ... 1,000,000 */
	uint32_t slots;      /* keys remembered; rounded up to a power of two */
};

/* seed: 16 random bytes. ERR_RANGE for a config outside the limits above, ERR_NOMEM. */
ENR_MUST_CHECK enum err bucket_table_new(
	const struct bucket_config *config, const uint8_t seed[16], struct bucket_table **out);
void bucket_table_free(struct bucket_table *t);

/* Takes one token of this key at now_ms (monotonic; a step back counts as no time). False: none is
 * left, nothing changed. */
bool bucket_take(struct bucket_table *t, struct span key, uint64_t now_ms);

/* SipHash-2-4, the keyed hash beneath; public for its vectors. */
uint64_t bucket_siphash(const uint8_t key[16], struct span in);

#endif
