#include "support/seeded.h"

#include <stdio.h>

#include "base/crypto_openssl.h"

static uint64_t state; /* not behind ctx, which is the library's */

/* SplitMix64 */
static uint64_t next(void)
{
	uint64_t z = state += 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static enum err random_seeded(void *ctx, void *out, size_t n)
{
	uint8_t *p = out;

	(void)ctx;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)next();
	return ERR_OK;
}

const struct crypto *seeded_crypto(uint64_t seed)
{
	static struct crypto c;

	printf("seed %llu\n", (unsigned long long)seed);
	c = *crypto_default();
	c.random = random_seeded;
	state = seed;
	return &c;
}
