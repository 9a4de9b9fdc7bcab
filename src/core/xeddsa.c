#include "enr/xeddsa.h"

#include "fe25519.h"

/* u < p, bit 255 clear. Public data. */
static bool is_canonical(const struct public32 *u)
{
	if (u->b[31] != 0x7f)
		return u->b[31] < 0x7f;
	return !bytes_are_ct(u->b + 1, 30, 0xff) || u->b[0] < 0xed;
}

/* The u of all points of small order, on the curve and on its twist. */
static const uint8_t small_order[5][32] = {
	{0},
	{1},
	{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0x7f},
	{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
		0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f,
		0x49, 0xb8, 0x00},
	{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
		0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0,
		0x9f, 0x11, 0x57},
};

enum xeddsa_fault xeddsa_public_fault(const struct public32 *u)
{
	bool small = false;

	if (!is_canonical(u))
		return XEDDSA_FAULT_NONCANONICAL;
	for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++)
		small |= bytes_equal_ct(u->b, small_order[i], 32);
	return small ? XEDDSA_FAULT_SMALL_ORDER : XEDDSA_FAULT_NONE;
}

enum err xeddsa_public_check(const struct public32 *u)
{
	return xeddsa_public_fault(u) == XEDDSA_FAULT_NONE ? ERR_OK : ERR_KEY;
}

static void clamp(struct secret32 *k)
{
	k->b[0] &= 248;
	k->b[31] &= 127;
	k->b[31] |= 64;
}

/* u = (1 + y) / (1 - y). y is never 1: a clamped scalar is no multiple of the group's order. */
static void montgomery_of(const uint8_t edwards[32], struct public32 *u)
{
	struct fe y, one, num, den;

	fe_from_bytes(&y, edwards);
	fe_one(&one);
	fe_add(&num, &one, &y);
	fe_sub(&den, &one, &y);
	fe_invert(&den, &den);
	fe_mul(&num, &num, &den);
	fe_to_bytes(u->b, &num);
}

enum err xeddsa_public(const struct crypto *c, const struct secret32 *k, struct public32 *u)
{
	struct secret32 clamped = *k;
	uint8_t edwards[32];
	enum err e;

	clamp(&clamped);
	e = c->ed_base(c->ctx, &clamped, edwards);
	secret32_wipe(&clamped);
	if (e == ERR_OK)
		montgomery_of(edwards, u);
	else
		memset(u, 0, sizeof(*u));
	bytes_wipe(edwards, sizeof(edwards));
	return e;
}

enum err xeddsa_to_edwards(const struct public32 *u, uint8_t edwards[32])
{
	struct fe x, one, num, den;
	enum err e = xeddsa_public_check(u);

	if (e != ERR_OK)
		return e;
	fe_from_bytes(&x, u->b);
	fe_one(&one);
	fe_sub(&num, &x, &one);
	fe_add(&den, &x, &one);
	fe_invert(&den, &den);
	fe_mul(&num, &num, &den);
	fe_to_bytes(edwards, &num); /* below p, so the sign bit is 0 */
	return ERR_OK;
}

/* out = bit ? b : a, without a branch. */
static void choose(
	struct secret32 *out, const struct secret32 *a, const struct secret32 *b, uint8_t bit)
{
	const volatile uint8_t mask = (uint8_t)(0 - bit);

	for (size_t i = 0; i < sizeof(out->b); i++)
		out->b[i] = (uint8_t)(a->b[i] ^ (mask & (a->b[i] ^ b->b[i])));
}

enum err xeddsa_key_pair(
	const struct crypto *c, const struct secret32 *k, struct secret32 *a, uint8_t edwards[32])
{
	struct secret64 wide = {{0}};
	struct secret32 clamped = *k, plus, minus;
	enum err e;

	clamp(&clamped);
	e = c->ed_base(c->ctx, &clamped, edwards);
	memcpy(wide.b, clamped.b, 32);
	c->scalar_reduce(c->ctx, wide.b, &plus);
	c->scalar_negate(c->ctx, &plus, &minus);
	choose(a, &plus, &minus, edwards[31] >> 7);
	edwards[31] &= 0x7f;
	secret64_wipe(&wide);
	secret32_wipe(&clamped);
	secret32_wipe(&plus);
	secret32_wipe(&minus);
	if (e != ERR_OK)
		secret32_wipe(a);
	return e;
}

static enum err hash_scalar(
	const struct crypto *c, const struct span *parts, size_t count, struct secret32 *out)
{
	struct secret64 hash;
	enum err e = c->sha512(c->ctx, parts, count, hash.b);

	if (e == ERR_OK)
		c->scalar_reduce(c->ctx, hash.b, out);
	secret64_wipe(&hash);
	return e;
}

/* r and R = rB: hash1 of XEdDSA, whose prefix is 2^256 - 1 - 1 in little-endian. */
static enum err nonce_of(const struct crypto *c, const struct secret32 *a, struct span message,
	const uint8_t z[XEDDSA_Z_BYTES], struct secret32 *r, uint8_t point[32])
{
	static const uint8_t prefix[32] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct span parts[] = {{prefix, 32}, {a->b, 32}, message, {z, XEDDSA_Z_BYTES}};
	enum err e = hash_scalar(c, parts, 4, r);

	return e == ERR_OK ? c->ed_base(c->ctx, r, point) : e;
}

enum err xeddsa_sign(const struct crypto *c, const struct secret32 *k, struct span message,
	const uint8_t z[XEDDSA_Z_BYTES], uint8_t signature[XEDDSA_SIGNATURE_BYTES])
{
	struct secret32 a = {{0}}, r = {{0}}, h = {{0}}, s = {{0}};
	uint8_t edwards[32];
	const struct span parts[] = {{signature, 32}, {edwards, 32}, message};
	enum err e = xeddsa_key_pair(c, k, &a, edwards);

	if (e == ERR_OK)
		e = nonce_of(c, &a, message, z, &r, signature);
	if (e == ERR_OK)
		e = hash_scalar(c, parts, 3, &h);
	if (e == ERR_OK) {
		c->scalar_muladd(c->ctx, &h, &a, &r, &s);
		memcpy(signature + 32, s.b, 32);
	} else {
		bytes_wipe(signature, XEDDSA_SIGNATURE_BYTES);
	}
	secret32_wipe(&a);
	secret32_wipe(&r);
	secret32_wipe(&h);
	secret32_wipe(&s);
	return e;
}

enum err xeddsa_verify(const struct crypto *c, const struct public32 *u, struct span message,
	const uint8_t signature[XEDDSA_SIGNATURE_BYTES])
{
	uint8_t edwards[32];
	enum err e = xeddsa_to_edwards(u, edwards);

	return e == ERR_OK ? c->ed_verify(c->ctx, edwards, message, signature) : e;
}
