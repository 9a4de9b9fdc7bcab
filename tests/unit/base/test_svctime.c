#include "base/svctime.h"

#include <string.h>

#include "unit/suite.h"

#define HOUR 3600u
#define DAY 86400u

static struct clock_now at(uint8_t boot, uint64_t boot_s, uint64_t wall_s)
{
	struct clock_now now = {.boot_ms = boot_s * 1000, .wall_s = wall_s};

	memset(now.boot_id, boot, sizeof(now.boot_id));
	return now;
}

static struct svctime start(void)
{
	const struct svctime fresh = {0};
	const struct clock_now now = at(1, 100, 1700000000);
	struct svctime t;

	ck_assert_int_eq(svctime_advance(&fresh, &now, &t), SVCTIME_SAME_BOOT);
	return t;
}

START_TEST(begins_at_zero)
{
	struct svctime t = start();

	ck_assert_uint_eq(svctime_s(&t), 0);
	ck_assert_uint_eq(t.wall_s, 1700000000);
}
END_TEST

START_TEST(follows_the_boot_clock_whatever_the_wall_clock_does)
{
	static const int64_t steps_s[] = {0, -3600, 395 * (int64_t)DAY, -1700000000};
	struct svctime t = start();

	for (size_t i = 0; i < sizeof(steps_s) / sizeof(steps_s[0]); i++) {
		struct clock_now now = at(1, 100 + HOUR, (uint64_t)(1700000000 + steps_s[i]));
		struct svctime later;

		ck_assert_int_eq(svctime_advance(&t, &now, &later), SVCTIME_SAME_BOOT);
		ck_assert_uint_eq(svctime_s(&later), HOUR);
	}
}
END_TEST

START_TEST(believes_a_gap_of_up_to_thirty_days)
{
	static const uint64_t gaps_s[] = {0, 1, HOUR, 30 * DAY};
	struct svctime t = start();

	for (size_t i = 0; i < sizeof(gaps_s) / sizeof(gaps_s[0]); i++) {
		struct clock_now now = at(2, 5, 1700000000 + gaps_s[i]);
		struct svctime later;

		ck_assert_int_eq(svctime_advance(&t, &now, &later), SVCTIME_NEW_BOOT);
		ck_assert_uint_eq(svctime_s(&later), gaps_s[i]);
	}
}
END_TEST

START_TEST(stands_still_over_a_gap_it_cannot_believe)
{
	static const int64_t gaps_s[] = {-1, -3600, 30 * (int64_t)DAY + 1, 395 * (int64_t)DAY};
	struct svctime t = start();

	for (size_t i = 0; i < sizeof(gaps_s) / sizeof(gaps_s[0]); i++) {
		struct clock_now now = at(2, 5, (uint64_t)(1700000000 + gaps_s[i]));
		struct svctime later, after;

		ck_assert_int_eq(svctime_advance(&t, &now, &later), SVCTIME_NO_GAP);
		ck_assert_uint_eq(svctime_s(&later), 0);
		now.boot_ms += 7000;
		ck_assert_int_eq(svctime_advance(&later, &now, &after), SVCTIME_SAME_BOOT);
		ck_assert_uint_eq(svctime_s(&after), 7);
	}
}
END_TEST

START_TEST(never_goes_back)
{
	struct svctime t = start(), later;
	struct clock_now now = at(1, 50, 1);

	ck_assert_int_eq(svctime_advance(&t, &now, &later), SVCTIME_SAME_BOOT);
	ck_assert_uint_eq(later.service_ms, t.service_ms);
}
END_TEST

START_TEST(keeps_parts_of_a_second)
{
	struct svctime t = start();
	struct clock_now now = at(1, 100, 1700000000);

	for (int i = 0; i < 10; i++) {
		struct svctime later;

		now.boot_ms += 100;
		ck_assert_int_eq(svctime_advance(&t, &now, &later), SVCTIME_SAME_BOOT);
		t = later;
	}
	ck_assert_uint_eq(svctime_s(&t), 1);
}
END_TEST

START_TEST(tells_wall_time_for_display)
{
	struct svctime t = {.service_ms = 5000000, .wall_s = 1700000000};

	ck_assert_uint_eq(svctime_to_wall(&t, 5000), 1700000000);
	ck_assert_uint_eq(svctime_to_wall(&t, 5060), 1700000060);
	ck_assert_uint_eq(svctime_to_wall(&t, 4940), 1699999940);
	t.wall_s = 10;
	ck_assert_uint_eq(svctime_to_wall(&t, 0), 0);
}
END_TEST

START_TEST(one_moment_is_told_as_one_whatever_the_phase_of_the_clocks)
{
	const struct svctime earlier = {
		.service_ms = 123456, .boot_ms = 777, .wall_s = 1, .boot_id = {1}};
	uint64_t told = 0;

	for (unsigned ms = 0; ms < 3000; ms++) {
		const uint64_t wall_ms = 1700000000250 + ms;
		const struct clock_now now = {.boot_ms = 777 + ms,
			.wall_s = wall_ms / 1000,
			.wall_sub_ms = (uint16_t)(wall_ms % 1000),
			.boot_id = {1}};
		struct svctime t;

		(void)svctime_advance(&earlier, &now, &t);
		if (ms == 0)
			told = svctime_to_wall(&t, 200);
		ck_assert_uint_eq(svctime_to_wall(&t, 200), told);
		ck_assert_uint_eq(svctime_to_wall(&t, 100), told - 100);
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, one_moment_is_told_as_one_whatever_the_phase_of_the_clocks);
	tcase_add_test(tc, begins_at_zero);
	tcase_add_test(tc, follows_the_boot_clock_whatever_the_wall_clock_does);
	tcase_add_test(tc, believes_a_gap_of_up_to_thirty_days);
	tcase_add_test(tc, stands_still_over_a_gap_it_cannot_believe);
	tcase_add_test(tc, never_goes_back);
	tcase_add_test(tc, keeps_parts_of_a_second);
	tcase_add_test(tc, tells_wall_time_for_display);
}

int main(void)
{
	return suite_main("svctime", fill);
}
