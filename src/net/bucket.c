/* A set-associative table of token buckets. A slot is a tag of 64 bits, not a key: two keys that
 * share one (chance 2^-64 each) share a bucket, which harms nobody. */
#include "net/bucket.h"

#include <stdlib.h>

#define WAYS 8
#define LIMIT_MAX 1000000u
#define SLOTS_MAX (1u << 24)

/* Thousandths of tokens, so that rate per second times milliseconds needs no division. */
struct slot {
	uint64_t tag; /* 0: free */
	uint64_t milli;
	uint64_t at_ms;
};

struct bucket_table {
	uint64_t rate_per_s;
	uint64_t burst_milli;
	uint64_t set_mask;
	uint8_t seed[16];
	struct slot slots[];
};

static uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

/* Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012, with 2 and 4 rounds. */
uint64_t bucket_siphash(const uint8_t key[16], struct span in)
{
	struct rd k = rd_init(key, 16), r = rd_init(in.p, in.n);
	uint64_t k0 = rd_u64(&k), k1 = rd_u64(&k);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573};

	while (r.left_bytes >= 8)
		sip_word(v, rd_u64(&r));
	sip_word(v, (uint64_t)in.n << 56 | rd_le(&r, r.left_bytes));
	v[2] ^= 0xFF;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

enum err bucket_table_new(
	const struct bucket_config *config, const uint8_t seed[16], struct bucket_table **out)
{
	size_t slots = WAYS;
	struct bucket_table *t;

	if (config->rate_per_s == 0 || config->rate_per_s > LIMIT_MAX || config->burst == 0 ||
		config->burst > LIMIT_MAX || config->slots == 0 || config->slots > SLOTS_MAX)
		return ERR_RANGE;
	while (slots < config->slots)
		slots *= 2;
	t = calloc(1, sizeof(*t) + slots * sizeof(t->slots[0]));
	if (!t)
		return ERR_NOMEM;
	t->rate_per_s = config->rate_per_s;
	t->burst_milli = (uint64_t)config->burst * 1000;
	t->set_mask = slots / WAYS - 1;
	memcpy(t->seed, seed, sizeof(t->seed));
	*out = t;
	return ERR_OK;
}

void bucket_table_free(struct bucket_table *t)
{
	free(t);
}

/* What the slot holds at now. Compared before multiplied: a gap of years must not overflow. */
static uint64_t level(const struct bucket_table *t, const struct slot *s, uint64_t now_ms)
{
	uint64_t gap_ms = now_ms > s->at_ms ? now_ms - s->at_ms : 0;
	uint64_t missing = t->burst_milli - s->milli;

	if (gap_ms > missing / t->rate_per_s)
		return t->burst_milli;
	return s->milli + gap_ms * t->rate_per_s;
}

/* The key's slot, or the one to give up for it: a free one, else the fullest. */
static struct slot *find(struct bucket_table *t, uint64_t tag, uint64_t now_ms)
{
	struct slot *set = t->slots + (tag & t->set_mask) * WAYS;
	struct slot *best = NULL;
	uint64_t best_level = 0;

	for (size_t i = 0; i < WAYS; i++) {
		uint64_t has;

		if (set[i].tag == tag)
			return &set[i];
		has = set[i].tag == 0 ? UINT64_MAX : level(t, &set[i], now_ms);
		if (!best || has > best_level) {
			best = &set[i];
			best_level = has;
		}
	}
	*best = (struct slot){.tag = tag, .milli = t->burst_milli, .at_ms = now_ms};
	return best;
}

bool bucket_take(struct bucket_table *t, struct span key, uint64_t now_ms)
{
	uint64_t tag = bucket_siphash(t->seed, key);
	struct slot *s = find(t, tag == 0 ? 1 : tag, now_ms);
	uint64_t has = level(t, s, now_ms);

	if (has < 1000)
		return false;
	s->milli = has - 1000;
	if (now_ms > s->at_ms)
		s->at_ms = now_ms;
	return true;
}
