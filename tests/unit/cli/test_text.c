#include "cli/text.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "unit/suite.h"

START_TEST(nothing_that_a_terminal_obeys_gets_through)
{
	static const char *const rows[][2] = {
		{"plain", "plain"},
		{"d\xc3\xb6r \xe2\x9c\x93 \xf0\x9f\x98\x80",
			"d\xc3\xb6r \xe2\x9c\x93 \xf0\x9f\x98\x80"},
		{"\x1b[31mred\x1b[0m", "?[31mred?[0m"}, {"a\nb\tc\r", "a?b?c?"}, {"\x7f\x07", "??"},
		{"\xc2\x9b"
		 "31m",
			"?31m"}, /* C1 CSI */
		{"\xe2\x80\xae"
		 "abc",
			"?abc"},              /* right-to-left override */
		{"\xe2\x80\xa8", "?"},        /* line separator */
		{"\xff\xfe", "??"},           /* not UTF-8 */
		{"\xc0\xaf", "??"},           /* overlong */
		{"\xe0\x80\xaf", "???"},      /* overlong */
		{"\xed\xa0\x80", "???"},      /* surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* above U+10FFFF */
		{"\xe2\x82", "??"},           /* cut off */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *clean = text_clean(rows[i][0]);

		ck_assert_msg(strcmp(clean, rows[i][1]) == 0, "row %zu: %s", i, clean);
		free(clean);
	}
}
END_TEST

START_TEST(null_is_empty)
{
	char *clean = text_clean(NULL);

	ck_assert_str_eq(clean, "");
	free(clean);
}
END_TEST

START_TEST(measures_columns)
{
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	ck_assert_uint_eq(text_width(""), 0);
	ck_assert_uint_eq(text_width("d\xc3\xb6r"), 3);
	ck_assert_uint_eq(text_width("\xe4\xb8\xad\xe6\x96\x87"), 4);
	ck_assert_uint_eq(text_cut("d\xc3\xb6r", 2), 3);
	ck_assert_uint_eq(text_cut("\xe4\xb8\xad\xe6\x96\x87", 3), 3);
	ck_assert_uint_eq(text_cut("abc", 10), 3);
}
END_TEST

START_TEST(counts_slips_of_the_hand)
{
	ck_assert_uint_eq(text_distance("status", "status"), 0);
	ck_assert_uint_eq(text_distance("statsu", "status"), 1);
	ck_assert_uint_eq(text_distance("node ad", "node add"), 1);
	ck_assert_uint_eq(text_distance("", "abc"), 3);
	ck_assert_uint_ge(text_distance("bundle", "node"), 4);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, nothing_that_a_terminal_obeys_gets_through);
	tcase_add_test(tc, null_is_empty);
	tcase_add_test(tc, measures_columns);
	tcase_add_test(tc, counts_slips_of_the_hand);
}

int main(void)
{
	return suite_main("text", fill);
}
