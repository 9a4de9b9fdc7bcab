#include "fe25519.h"

#include "enr/bytes.h"

#define MASK51 (((uint64_t)1 << 51) - 1)

/* Sums of products of 64-bit words: the compiler's 128-bit integer where there is one. The tests
 * build the other half too. */
#if defined(__SIZEOF_INT128__) && !defined(FE25519_PORTABLE)
__extension__ typedef unsigned __int128 wide;

static inline wide wide_mul(uint64_t a, uint64_t b)
{
	return (wide)a * b;
}

static inline wide wide_add(wide a, wide b)
{
	return a + b;
}

static inline wide wide_of(uint64_t a)
{
	return a;
}

static inline uint64_t wide_low(wide a)
{
	return (uint64_t)a;
}

static inline uint64_t wide_shift51(wide a)
{
	return (uint64_t)(a >> 51);
}
#else
typedef struct {
	uint64_t lo, hi;
} wide;

static inline wide wide_add(wide a, wide b)
{
	uint64_t lo = a.lo + b.lo;

	return (wide){lo, a.hi + b.hi + (lo < a.lo)};
}

static inline wide wide_mul(uint64_t a, uint64_t b)
{
	uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
	uint64_t low = a0 * b0, m0 = a1 * b0, m1 = a0 * b1;
	wide r = {low, a1 * b1 + (m0 >> 32) + (m1 >> 32)};

	r = wide_add(r, (wide){m0 << 32, 0});
	return wide_add(r, (wide){m1 << 32, 0});
}

static inline wide wide_of(uint64_t a)
{
	return (wide){a, 0};
}

static inline uint64_t wide_low(wide a)
{
	return a.lo;
}

static inline uint64_t wide_shift51(wide a)
{
	return a.hi << 13 | a.lo >> 51;
}
#endif

void fe_from_bytes(struct fe *r, const uint8_t in[32])
{
	struct rd c = rd_init(in, 32);
	uint64_t w[4];

	for (int i = 0; i < 4; i++)
		w[i] = rd_u64(&c);
	r->v[0] = w[0] & MASK51;
	r->v[1] = (w[0] >> 51 | w[1] << 13) & MASK51;
	r->v[2] = (w[1] >> 38 | w[2] << 26) & MASK51;
	r->v[3] = (w[2] >> 25 | w[3] << 39) & MASK51;
	r->v[4] = w[3] >> 12 & MASK51;
}

/* One round of carries: limbs below 2^63 come out below 2^51 + 2^17. */
static void carry(struct fe *r)
{
	uint64_t c = 0;

	for (int i = 0; i < 5; i++) {
		r->v[i] += c;
		c = r->v[i] >> 51;
		r->v[i] &= MASK51;
	}
	r->v[0] += 19 * c;
}

void fe_to_bytes(uint8_t out[32], const struct fe *a)
{
	struct fe t = *a;
	struct wr w = wr_init(out, 32);
	uint64_t q;

	carry(&t);
	carry(&t);
	/* t < 2^255 + 19: q = 1 if t >= p, found by adding 19 and watching bit 255. */
	q = 19;
	for (int i = 0; i < 5; i++)
		q = (t.v[i] + q) >> 51;
	t.v[0] += 19 * q;
	for (int i = 0; i < 4; i++) {
		t.v[i + 1] += t.v[i] >> 51;
		t.v[i] &= MASK51;
	}
	t.v[4] &= MASK51;
	wr_u64(&w, t.v[0] | t.v[1] << 51);
	wr_u64(&w, t.v[1] >> 13 | t.v[2] << 38);
	wr_u64(&w, t.v[2] >> 26 | t.v[3] << 25);
	wr_u64(&w, t.v[3] >> 39 | t.v[4] << 12);
	bytes_wipe(&t, sizeof(t));
}

void fe_one(struct fe *r)
{
	*r = (struct fe){{1, 0, 0, 0, 0}};
}

void fe_add(struct fe *r, const struct fe *a, const struct fe *b)
{
	for (int i = 0; i < 5; i++)
		r->v[i] = a->v[i] + b->v[i];
}

/* a + 2p - b, so that no limb goes below zero. */
void fe_sub(struct fe *r, const struct fe *a, const struct fe *b)
{
	const uint64_t two_p = ((uint64_t)1 << 52) - 2;

	r->v[0] = a->v[0] + (two_p - 36) - b->v[0];
	for (int i = 1; i < 5; i++)
		r->v[i] = a->v[i] + two_p - b->v[i];
}

static inline wide dot(const uint64_t *a, uint64_t b0, uint64_t b1, uint64_t b2, uint64_t b3,
	uint64_t b4, uint64_t carried)
{
	wide t = wide_add(wide_mul(a[0], b0), wide_mul(a[1], b1));

	t = wide_add(t, wide_add(wide_mul(a[2], b2), wide_mul(a[3], b3)));
	return wide_add(wide_add(t, wide_mul(a[4], b4)), wide_of(carried));
}

/* Limbs below 2^53: a dot product is below 5 * 2^53 * 2^58 < 2^114, its carry below 2^63. What
 * passes the top comes back times 19. */
void fe_mul(struct fe *r, const struct fe *a, const struct fe *b)
{
	const uint64_t b0 = b->v[0], b1 = b->v[1], b2 = b->v[2], b3 = b->v[3], b4 = b->v[4];
	const uint64_t n1 = 19 * b1, n2 = 19 * b2, n3 = 19 * b3, n4 = 19 * b4;
	wide c0 = dot(a->v, b0, n4, n3, n2, n1, 0);
	wide c1 = dot(a->v, b1, b0, n4, n3, n2, wide_shift51(c0));
	wide c2 = dot(a->v, b2, b1, b0, n4, n3, wide_shift51(c1));
	wide c3 = dot(a->v, b3, b2, b1, b0, n4, wide_shift51(c2));
	wide c4 = dot(a->v, b4, b3, b2, b1, b0, wide_shift51(c3));

	r->v[0] = (wide_low(c0) & MASK51) + 19 * wide_shift51(c4);
	r->v[1] = (wide_low(c1) & MASK51) + (r->v[0] >> 51);
	r->v[0] &= MASK51;
	r->v[2] = wide_low(c2) & MASK51;
	r->v[3] = wide_low(c3) & MASK51;
	r->v[4] = wide_low(c4) & MASK51;
}

/* a^(2^n) */
static void square_n(struct fe *r, const struct fe *a, int n)
{
	fe_mul(r, a, a);
	while (--n > 0)
		fe_mul(r, r, r);
}

/* Of x = a^(2^n - 1) and y = a^(2^m - 1): a^(2^(n+m) - 1). */
static void join(struct fe *r, const struct fe *x, const struct fe *y, int m)
{
	struct fe t;

	square_n(&t, x, m);
	fe_mul(r, &t, y);
}

/* a^(p-2); p - 2 = 2^255 - 21 = (2^250 - 1) * 2^5 + 11. */
void fe_invert(struct fe *r, const struct fe *a)
{
	struct fe a2, a9, a11, ones5, ones10, ones50, ones100, t;

	square_n(&a2, a, 1);
	square_n(&t, &a2, 2);
	fe_mul(&a9, &t, a);
	fe_mul(&a11, &a9, &a2);
	square_n(&t, &a11, 1);
	fe_mul(&ones5, &t, &a9);
	join(&ones10, &ones5, &ones5, 5);
	join(&t, &ones10, &ones10, 10);
	join(&t, &t, &t, 20);
	join(&ones50, &t, &ones10, 10);
	join(&ones100, &ones50, &ones50, 50);
	join(&t, &ones100, &ones100, 100);
	join(&t, &t, &ones50, 50);
	square_n(&t, &t, 5);
	fe_mul(r, &t, &a11);
}
