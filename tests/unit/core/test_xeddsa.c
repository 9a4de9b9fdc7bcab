#include "enr/xeddsa.h"

#include <stdio.h>

#include <sodium.h>

#include "base/crypto_openssl.h"
#include "support/seeded.h"
#include "unit/suite.h"

#define SEED 25519
#define KEYS 10000

/* p - 1 + add, bit 255 as asked: values about the modulus. */
static struct public32 near_p(int add, bool high)
{
	struct public32 u;

	memset(u.b, 0xff, sizeof(u.b));
	u.b[0] = (uint8_t)(0xec + add);
	u.b[31] = high ? 0xff : 0x7f;
	return u;
}

static struct secret32 random_key(const struct crypto *c)
{
	struct secret32 k;

	ck_assert_int_eq(c->random(c->ctx, k.b, sizeof(k.b)), ERR_OK);
	return k;
}

START_TEST(public_key_equals_the_ladders_on_ten_thousand_random_keys)
{
	const struct crypto *c = seeded_crypto(SEED);

	for (int i = 0; i < KEYS; i++) {
		struct secret32 k = random_key(c);
		struct public32 u;
		uint8_t ladder[32];

		ck_assert_int_eq(xeddsa_public(c, &k, &u), ERR_OK);
		ck_assert_int_eq(crypto_scalarmult_base(ladder, k.b), 0);
		ck_assert_mem_eq(u.b, ladder, 32);
		ck_assert_int_eq(xeddsa_public_check(&u), ERR_OK);
	}
}
END_TEST

START_TEST(edwards_form_maps_back_to_the_same_key)
{
	const struct crypto *c = seeded_crypto(SEED);

	for (int i = 0; i < 500; i++) {
		struct secret32 k = random_key(c);
		struct public32 u;
		uint8_t edwards[32], back[32];

		ck_assert_int_eq(xeddsa_public(c, &k, &u), ERR_OK);
		ck_assert_int_eq(xeddsa_to_edwards(&u, edwards), ERR_OK);
		ck_assert_uint_eq(edwards[31] >> 7, 0);
		ck_assert_int_eq(crypto_sign_ed25519_pk_to_curve25519(back, edwards), 0);
		ck_assert_mem_eq(u.b, back, 32);
	}
}
END_TEST

START_TEST(refuses_all_values_from_p_upwards)
{
	for (int add = 1; add < 20; add++) {
		struct public32 u = near_p(add, false);

		ck_assert_int_eq(xeddsa_public_fault(&u), XEDDSA_FAULT_NONCANONICAL);
		u = near_p(add, true);
		ck_assert_int_eq(xeddsa_public_fault(&u), XEDDSA_FAULT_NONCANONICAL);
	}
}
END_TEST

START_TEST(refuses_bit_255)
{
	struct public32 u = {{9}};

	ck_assert_int_eq(xeddsa_public_check(&u), ERR_OK);
	u.b[31] = 0x80;
	ck_assert_int_eq(xeddsa_public_fault(&u), XEDDSA_FAULT_NONCANONICAL);
}
END_TEST

START_TEST(accepts_the_greatest_usable_value)
{
	struct public32 u = near_p(-1, false); /* p - 2 */

	ck_assert_int_eq(xeddsa_public_check(&u), ERR_OK);
	u = near_p(0, false); /* p - 1 */
	ck_assert_int_eq(xeddsa_public_fault(&u), XEDDSA_FAULT_SMALL_ORDER);
}
END_TEST

/* Every u that times 8 gives zero with some scalar is refused: libsodium's own list agrees. */
START_TEST(refuses_small_order_wherever_x25519_gives_zero)
{
	const struct crypto *c = seeded_crypto(SEED);
	static const uint8_t order8[2][32] = {
		{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
			0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62,
			0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
		{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83,
			0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22,
			0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	};
	struct public32 all[5] = {{{0}}, {{1}}, near_p(0, false)};

	memcpy(all[3].b, order8[0], 32);
	memcpy(all[4].b, order8[1], 32);
	for (int i = 0; i < 5; i++) {
		struct secret32 k = random_key(c), out;
		uint8_t edwards[32];

		ck_assert_int_eq(xeddsa_public_fault(&all[i]), XEDDSA_FAULT_SMALL_ORDER);
		ck_assert_int_eq(xeddsa_to_edwards(&all[i], edwards), ERR_KEY);
		ck_assert_int_eq(c->x25519(c->ctx, &k, &all[i], &out), ERR_KEY);
		ck_assert(bytes_are_ct(out.b, 32, 0));
	}
}
END_TEST

START_TEST(signature_verifies_and_every_changed_byte_does_not)
{
	const struct crypto *c = seeded_crypto(SEED);
	const uint8_t text[] = "the message";
	const struct span m = {text, sizeof(text)}, shorter = {text, sizeof(text) - 1};
	struct secret32 k = random_key(c);
	struct public32 u;
	uint8_t z[64], signature[64];

	ck_assert_int_eq(c->random(c->ctx, z, sizeof(z)), ERR_OK);
	ck_assert_int_eq(xeddsa_public(c, &k, &u), ERR_OK);
	ck_assert_int_eq(xeddsa_sign(c, &k, m, z, signature), ERR_OK);
	ck_assert_int_eq(xeddsa_verify(c, &u, m, signature), ERR_OK);
	ck_assert_int_eq(xeddsa_verify(c, &u, shorter, signature), ERR_AUTH);
	for (size_t i = 0; i < sizeof(signature); i++) {
		signature[i] ^= 1;
		ck_assert_int_eq(xeddsa_verify(c, &u, m, signature), ERR_AUTH);
		signature[i] ^= 1;
	}
}
END_TEST

/* Half of all keys have Edwards sign 1, where -k signs: both halves must work, with any Z. */
START_TEST(signs_with_keys_of_either_sign)
{
	const struct crypto *c = seeded_crypto(SEED);
	int signs[2] = {0, 0};

	for (int i = 0; i < 200; i++) {
		struct secret32 k = random_key(c), a, clamped = k;
		struct public32 u;
		uint8_t z[64] = {0}, signature[64], edwards[32], point[32];
		const struct span m = {u.b, 32};

		clamped.b[0] &= 248;
		clamped.b[31] = (uint8_t)((clamped.b[31] & 127) | 64);
		ck_assert_int_eq(c->ed_base(c->ctx, &clamped, point), ERR_OK);
		signs[point[31] >> 7]++;
		ck_assert_int_eq(xeddsa_key_pair(c, &k, &a, edwards), ERR_OK);
		ck_assert_int_eq(c->ed_base(c->ctx, &a, point), ERR_OK);
		ck_assert_mem_eq(point, edwards, 32);
		ck_assert_int_eq(xeddsa_public(c, &k, &u), ERR_OK);
		ck_assert_int_eq(xeddsa_sign(c, &k, m, z, signature), ERR_OK);
		ck_assert_int_eq(xeddsa_verify(c, &u, m, signature), ERR_OK);
	}
	ck_assert_int_gt(signs[0], 0);
	ck_assert_int_gt(signs[1], 0);
}
END_TEST

static enum err fail_ed_base(void *ctx, const struct secret32 *scalar, uint8_t out[32])
{
	(void)ctx;
	(void)scalar;
	memset(out, 0, 32);
	return ERR_CRYPTO;
}

START_TEST(leaves_no_signature_when_the_library_fails)
{
	struct crypto broken = *crypto_default();
	struct secret32 k = {{1}};
	struct public32 u;
	uint8_t z[64] = {0}, signature[64];

	memset(signature, 0x55, sizeof(signature));
	broken.ed_base = fail_ed_base;
	ck_assert_int_eq(
		xeddsa_sign(&broken, &k, (struct span){NULL, 0}, z, signature), ERR_CRYPTO);
	ck_assert(bytes_are_ct(signature, sizeof(signature), 0));
	ck_assert_int_eq(xeddsa_public(&broken, &k, &u), ERR_CRYPTO);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, public_key_equals_the_ladders_on_ten_thousand_random_keys);
	tcase_add_test(tc, edwards_form_maps_back_to_the_same_key);
	tcase_add_test(tc, refuses_all_values_from_p_upwards);
	tcase_add_test(tc, refuses_bit_255);
	tcase_add_test(tc, accepts_the_greatest_usable_value);
	tcase_add_test(tc, refuses_small_order_wherever_x25519_gives_zero);
	tcase_add_test(tc, signature_verifies_and_every_changed_byte_does_not);
	tcase_add_test(tc, signs_with_keys_of_either_sign);
	tcase_add_test(tc, leaves_no_signature_when_the_library_fails);
}

int main(void)
{
	return suite_main("xeddsa", fill);
}
