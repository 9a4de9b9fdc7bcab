#include "cli/when.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unit/suite.h"

START_TEST(reads_durations)
{
	static const struct {
		const char *text;
		uint32_t seconds;
	} rows[] = {{"1", 1}, {"90s", 90}, {"15m", 900}, {"24h", 86400}, {"7d", 604800},
		{"2w", 1209600}, {"1h30m", 5400}, {"1d1h1m1s", 90061}, {"4294967295", UINT32_MAX}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint32_t s = 0;

		ck_assert_msg(when_parse_duration(rows[i].text, &s) == ERR_OK, "%s", rows[i].text);
		ck_assert_uint_eq(s, rows[i].seconds);
	}
}
END_TEST

START_TEST(refuses_what_is_no_duration)
{
	static const char *const rows[] = {"", "h", "1x", "-1", "+1", " 1", "1 ", "1.5h", "1hh",
		"30m1h", "1h1h", "1h30", "1m2", "0x10", "1H"};
	uint32_t s;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ck_assert_msg(when_parse_duration(rows[i], &s) == ERR_INVALID, "%s", rows[i]);
	ck_assert_int_eq(when_parse_duration("0", &s), ERR_RANGE);
	ck_assert_int_eq(when_parse_duration("0h", &s), ERR_RANGE);
	ck_assert_int_eq(when_parse_duration("4294967296", &s), ERR_RANGE);
	ck_assert_int_eq(when_parse_duration("8000w", &s), ERR_RANGE);
	ck_assert_int_eq(when_parse_duration("99999999999999999999999s", &s), ERR_RANGE);
}
END_TEST

START_TEST(prints_the_two_largest_units)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} rows[] = {{0, "0s"}, {45, "45s"}, {60, "1m"}, {61, "1m 1s"}, {720, "12m"}, {779, "12m"},
		{12000, "3h 20m"}, {86400, "1d"}, {6 * 86400 + 4 * 3600, "6d 4h"},
		{400 * 86400ULL, "400d"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[WHEN_TEXT_SIZE];

		when_print_duration(rows[i].seconds, text);
		ck_assert_str_eq(text, rows[i].text);
	}
}
END_TEST

START_TEST(prints_moments)
{
	char text[WHEN_TEXT_SIZE];

	setenv("TZ", "UTC0", 1);
	tzset();
	when_print_local(1795305547, text);
	ck_assert_str_eq(text, "2026-11-21 23:59:07");
	setenv("TZ", "XXX-1", 1);
	tzset();
	when_print_local(1795305547, text);
	ck_assert_str_eq(text, "2026-11-22 00:59:07");
	when_print_local(UINT64_MAX, text);
	ck_assert_str_eq(text, "?");
	when_print_relative(1000, 1000, text);
	ck_assert_str_eq(text, "now");
	when_print_relative(1090, 1000, text);
	ck_assert_str_eq(text, "in 1m 30s");
	when_print_relative(700, 1000, text);
	ck_assert_str_eq(text, "5m ago");
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_durations);
	tcase_add_test(tc, refuses_what_is_no_duration);
	tcase_add_test(tc, prints_the_two_largest_units);
	tcase_add_test(tc, prints_moments);
}

int main(void)
{
	return suite_main("when", fill);
}
