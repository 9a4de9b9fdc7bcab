#include "enr/serial.h"

#include "unit/suite.h"

static const struct {
	uint32_t index;
	const char *text;
} pairs[] = {
	{0, "BBBBB"},
	{1, "BBBBC"},
	{2, "BBBBD"},
	{29, "BBBB9"},
	{30, "BBBCB"},
	{2673000, "FMBBB"},
	{2699999, "FM999"},
	{24299999, "99999"},
	{24300000, "BCBBBBB"},
	{0x7FFFFFFF, "D8PJQ8K"},
	{0x81268000, "D9HCK3N"},
	{0x8126FFFF, "D9HDSHW"},
	{0xFFFFFFFE, "H62Q56S"},
};
#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static enum err parse(const char *text, uint32_t *index)
{
	return serial_parse(text, strlen(text), index);
}

START_TEST(prints_and_parses_the_table_of_the_specification)
{
	for (size_t i = 0; i < PAIRS; i++) {
		char text[SERIAL_TEXT_SIZE];
		uint32_t index = 7;

		serial_print(pairs[i].index, text);
		ck_assert_str_eq(text, pairs[i].text);
		ck_assert_int_eq(parse(text, &index), ERR_OK);
		ck_assert_uint_eq(index, pairs[i].index);
	}
}
END_TEST

START_TEST(every_index_comes_back)
{
	uint32_t index = 0, back, step = 99991;

	do {
		char text[SERIAL_TEXT_SIZE];

		serial_print(index, text);
		ck_assert_int_eq(parse(text, &back), ERR_OK);
		ck_assert_uint_eq(back, index);
		index += step;
	} while (index >= step && index < 0xFFFFFFFF);
}
END_TEST

START_TEST(refuses_values_that_do_not_fit)
{
	static const char *const texts[] = {
		"H62Q56T", /* 0xFFFFFFFF, the invalid index */
		"H62Q56V", /* 2^32, which the reference reads as 0 */
		"9999999",
	};
	uint32_t index;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(parse(texts[i], &index), ERR_RANGE);
}
END_TEST

START_TEST(refuses_other_characters_and_lengths)
{
	static const char *const texts[] = {"", "B", "BBBB", "BBBBBB", "BBBBBBBB", "99999999",
		"bbbbb", "fmbbb", "BBBB0", "BBBBE", "BBBBI", "BBBBO", "BBBBU", "BB BB", "BBBB_",
		"BBBBA", "AABBB", "AAAAAA", "A", "ABBBB", "BBBB\xC3", " BBBBB", "BBBBB "};
	uint32_t index;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(parse(texts[i], &index) == ERR_INVALID, "'%s'", texts[i]);
	ck_assert_int_eq(serial_parse("BBBB\0", 5, &index), ERR_INVALID);
}
END_TEST

START_TEST(skips_one_leading_a_but_never_prints_it)
{
	uint32_t index = 0;

	ck_assert_int_eq(parse("AFMBBC", &index), ERR_OK);
	ck_assert_uint_eq(index, 2673001);
	ck_assert_int_eq(parse("ABCBBBBB", &index), ERR_OK);
	ck_assert_uint_eq(index, 24300000);
}
END_TEST

START_TEST(invalid_index_has_no_text)
{
	char text[SERIAL_TEXT_SIZE] = "x";

	serial_print(SERIAL_INDEX_INVALID, text);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(knows_the_ranges)
{
	ck_assert_int_eq(serial_range(0), SERIAL_RANGE_ASSIGNED);
	ck_assert_int_eq(serial_range(SERIAL_TESTING_FIRST - 1), SERIAL_RANGE_ASSIGNED);
	ck_assert_int_eq(serial_range(SERIAL_TESTING_FIRST), SERIAL_RANGE_TESTING);
	ck_assert_int_eq(serial_range(SERIAL_TESTING_LAST), SERIAL_RANGE_TESTING);
	ck_assert_int_eq(serial_range(SERIAL_TESTING_LAST + 1), SERIAL_RANGE_ASSIGNED);
	ck_assert_int_eq(serial_range(0x7FFFFFFF), SERIAL_RANGE_ASSIGNED);
	ck_assert_int_eq(serial_range(0x80000000), SERIAL_RANGE_VENDOR);
	ck_assert_int_eq(serial_range(0xFFFFFFFE), SERIAL_RANGE_VENDOR);
	ck_assert_int_eq(serial_range(0xFFFFFFFF), SERIAL_RANGE_INVALID);
}
END_TEST

START_TEST(names_the_vendor_of_vendor_serials)
{
	ck_assert_uint_eq(serial_vendor(0x81268000), 0x024D);
	ck_assert_uint_eq(serial_vendor(0x8126FFFF), 0x024D);
	ck_assert_uint_eq(serial_vendor(0x81270000), 0x024E);
	ck_assert_uint_eq(serial_vendor(0x01268000), 0);
	ck_assert_uint_eq(serial_vendor(0xFFFFFFFF), 0);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, prints_and_parses_the_table_of_the_specification);
	tcase_add_test(tc, every_index_comes_back);
	tcase_add_test(tc, refuses_values_that_do_not_fit);
	tcase_add_test(tc, refuses_other_characters_and_lengths);
	tcase_add_test(tc, skips_one_leading_a_but_never_prints_it);
	tcase_add_test(tc, invalid_index_has_no_text);
	tcase_add_test(tc, knows_the_ranges);
	tcase_add_test(tc, names_the_vendor_of_vendor_serials);
}

int main(void)
{
	return suite_main("serial", fill);
}
