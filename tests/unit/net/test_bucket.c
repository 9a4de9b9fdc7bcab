#include "net/bucket.h"

#include "unit/suite.h"

static const uint8_t seed[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static struct bucket_table *table(uint32_t rate, uint32_t burst, uint32_t slots)
{
	struct bucket_config config = {.rate_per_s = rate, .burst = burst, .slots = slots};
	struct bucket_table *t = NULL;

	ck_assert_int_eq(bucket_table_new(&config, seed, &t), ERR_OK);
	return t;
}

static struct span key(uint32_t *n)
{
	return (struct span){(const uint8_t *)n, sizeof(*n)};
}

static unsigned take_all(struct bucket_table *t, uint32_t k, uint64_t now_ms)
{
	unsigned n = 0;

	while (n < 100000 && bucket_take(t, key(&k), now_ms))
		n++;
	return n;
}

/* The vectors of the SipHash paper's reference: input 00, 01, 02 ... of each length. */
START_TEST(hashes_like_the_reference)
{
	uint8_t in[15];

	for (uint8_t i = 0; i < sizeof(in); i++)
		in[i] = i;
	ck_assert(bucket_siphash(seed, (struct span){in, 0}) == 0x726fdb47dd0e0e31);
	ck_assert(bucket_siphash(seed, (struct span){in, 1}) == 0x74f839c593dc67fd);
	ck_assert(bucket_siphash(seed, (struct span){in, 8}) == 0x93f5f5799a932462);
	ck_assert(bucket_siphash(seed, (struct span){in, 15}) == 0xa129ca6149be45e5);
}
END_TEST

START_TEST(allows_the_burst_and_then_the_rate)
{
	struct bucket_table *t = table(2, 5, 64);

	ck_assert_uint_eq(take_all(t, 1, 1000), 5);
	ck_assert_uint_eq(take_all(t, 1, 1499), 0);
	ck_assert_uint_eq(take_all(t, 1, 1500), 1);
	ck_assert_uint_eq(take_all(t, 1, 2500), 2);
	ck_assert_uint_eq(take_all(t, 1, 100000), 5);
	bucket_table_free(t);
}
END_TEST

START_TEST(loses_no_fraction_between_calls)
{
	struct bucket_table *t = table(3, 1, 64);
	uint32_t k = 7;
	unsigned got = 0;

	for (uint64_t ms = 0; ms < 10000; ms++)
		got += bucket_take(t, key(&k), ms);
	ck_assert_uint_ge(got, 29);
	ck_assert_uint_le(got, 31);
	bucket_table_free(t);
}
END_TEST

START_TEST(keeps_keys_apart)
{
	struct bucket_table *t = table(1, 3, 64);

	ck_assert_uint_eq(take_all(t, 1, 0), 3);
	ck_assert_uint_eq(take_all(t, 2, 0), 3);
	ck_assert_uint_eq(take_all(t, 1, 0), 0);
	bucket_table_free(t);
}
END_TEST

START_TEST(survives_a_clock_that_steps_back_or_far_ahead)
{
	struct bucket_table *t = table(1000000, 1000000, 8);
	uint32_t k = 1;

	ck_assert_uint_eq(take_all(t, 1, 5000), 100000);
	ck_assert(bucket_take(t, key(&k), 4000));
	ck_assert(bucket_take(t, key(&k), UINT64_MAX));
	ck_assert(bucket_take(t, key(&k), 0));
	bucket_table_free(t);
}
END_TEST

/* A flood of made-up sources must not wash out the memory of a source that has used its share. */
START_TEST(remembers_the_emptiest_under_pressure)
{
	struct bucket_table *t = table(1, 10, 8);

	ck_assert_uint_eq(take_all(t, 1, 0), 10);
	for (uint32_t k = 100; k < 10000; k++)
		(void)bucket_take(t, key(&k), 1);
	ck_assert_uint_eq(take_all(t, 1, 2), 0);
	bucket_table_free(t);
}
END_TEST

START_TEST(refuses_impossible_limits)
{
	const struct bucket_config bad[] = {{0, 1, 8}, {1, 0, 8}, {1, 1, 0}, {1000001, 1, 8},
		{1, 1000001, 8}, {1, 1, 1u << 25}};
	struct bucket_table *t = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(bucket_table_new(&bad[i], seed, &t), ERR_RANGE);
	ck_assert_ptr_null(t);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, hashes_like_the_reference);
	tcase_add_test(tc, allows_the_burst_and_then_the_rate);
	tcase_add_test(tc, loses_no_fraction_between_calls);
	tcase_add_test(tc, keeps_keys_apart);
	tcase_add_test(tc, survives_a_clock_that_steps_back_or_far_ahead);
	tcase_add_test(tc, remembers_the_emptiest_under_pressure);
	tcase_add_test(tc, refuses_impossible_limits);
}

int main(void)
{
	return suite_main("bucket", fill);
}
