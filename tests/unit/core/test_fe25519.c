#include "core/fe25519.h"

#include "enr/bytes.h"

#include "support/seeded.h"
#include "unit/suite.h"

#define SEED 25519

static struct fe of(const uint8_t in[32])
{
	struct fe a;

	fe_from_bytes(&a, in);
	return a;
}

static void check_equal(const struct fe *a, const struct fe *b)
{
	uint8_t x[32], y[32];

	fe_to_bytes(x, a);
	fe_to_bytes(y, b);
	ck_assert_mem_eq(x, y, 32);
}

START_TEST(reads_and_writes_what_is_below_p)
{
	uint8_t in[32], out[32];
	struct fe a;

	for (int i = 0; i < 255; i++) {
		memset(in, 0, sizeof(in));
		in[i / 8] = (uint8_t)(1 << i % 8);
		a = of(in);
		fe_to_bytes(out, &a);
		ck_assert_mem_eq(in, out, 32);
	}
}
END_TEST

START_TEST(writes_values_from_p_upwards_reduced)
{
	uint8_t in[32], out[32], want[32] = {0};
	struct fe a;

	memset(in, 0xff, sizeof(in));
	in[31] = 0x7f;
	for (int add = 0; add < 19; add++) {
		in[0] = (uint8_t)(0xed + add);
		want[0] = (uint8_t)add;
		a = of(in);
		fe_to_bytes(out, &a);
		ck_assert_mem_eq(out, want, 32);
	}
}
END_TEST

START_TEST(reduces_the_greatest_limbs)
{
	struct fe a = {{~0ULL >> 11, ~0ULL >> 11, ~0ULL >> 11, ~0ULL >> 11, ~0ULL >> 11}}, b, c;
	struct fe one;

	fe_one(&one);
	fe_mul(&b, &a, &one);
	check_equal(&a, &b);
	fe_mul(&b, &a, &a);
	fe_add(&c, &a, &one);
	fe_mul(&c, &c, &a);
	fe_sub(&c, &c, &b);
	check_equal(&c, &a); /* (a + 1) a - a a */
}
END_TEST

START_TEST(subtracting_undoes_adding)
{
	uint8_t in[64];
	const struct crypto *c = seeded_crypto(SEED);

	for (int i = 0; i < 1000; i++) {
		struct fe a, b, s;

		ck_assert_int_eq(c->random(c->ctx, in, sizeof(in)), ERR_OK);
		a = of(in);
		b = of(in + 32);
		fe_sub(&s, &a, &b);
		fe_add(&s, &s, &b);
		check_equal(&s, &a);
	}
}
END_TEST

START_TEST(multiplication_is_distributive)
{
	uint8_t in[96];
	const struct crypto *c = seeded_crypto(SEED);

	for (int i = 0; i < 1000; i++) {
		struct fe x, y, z, left, right, t;

		ck_assert_int_eq(c->random(c->ctx, in, sizeof(in)), ERR_OK);
		x = of(in);
		y = of(in + 32);
		z = of(in + 64);
		fe_add(&t, &x, &y);
		fe_mul(&left, &t, &z);
		fe_mul(&right, &x, &z);
		fe_mul(&t, &y, &z);
		fe_add(&right, &right, &t);
		check_equal(&left, &right);
	}
}
END_TEST

START_TEST(inverse_times_itself_is_one)
{
	uint8_t in[32];
	const struct crypto *c = seeded_crypto(SEED);
	struct fe one;

	fe_one(&one);
	for (int i = 0; i < 200; i++) {
		struct fe a, b;

		ck_assert_int_eq(c->random(c->ctx, in, sizeof(in)), ERR_OK);
		a = of(in);
		fe_invert(&b, &a);
		fe_mul(&b, &b, &a);
		check_equal(&b, &one);
	}
}
END_TEST

START_TEST(inverse_of_zero_is_zero)
{
	struct fe zero = {{0}}, b;

	fe_invert(&b, &zero);
	check_equal(&b, &zero);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_and_writes_what_is_below_p);
	tcase_add_test(tc, writes_values_from_p_upwards_reduced);
	tcase_add_test(tc, reduces_the_greatest_limbs);
	tcase_add_test(tc, subtracting_undoes_adding);
	tcase_add_test(tc, multiplication_is_distributive);
	tcase_add_test(tc, inverse_times_itself_is_one);
	tcase_add_test(tc, inverse_of_zero_is_zero);
}

int main(void)
{
	return suite_main("fe25519", fill);
}
