#include "core/utf8.h"

#include <string.h>

#include "unit/suite.h"

static const struct {
	const char *text;
	bool is_valid;
	bool is_printable;
} rows[] = {
	{"", true, true},
	{"Decke 3. OG", true, true},
	{"\xC2\xA0", true, true},                     /* U+00A0, the first behind C1 */
	{"\xDF\xBF\xE0\xA0\x80", true, true},         /* U+07FF, U+0800 */
	{"\xEF\xBF\xBF\xF0\x90\x80\x80", true, true}, /* U+FFFF, U+10000 */
	{"\xF4\x8F\xBF\xBF", true, true},             /* U+10FFFF */
	{"\xED\x9F\xBF\xEE\x80\x80", true, true},     /* both sides of the surrogates */
	{"a\nb", true, false},
	{"\x1B[31m", true, false},
	{"\x7F", true, false},
	{"\xC2\x80", true, false},
	{"\xC2\x9F", true, false},
	{"\xE2\x80\xA8", true, false}, /* line separator */
	{"\xE2\x80\xAE", true, false}, /* right-to-left override */
	{"\xE2\x81\xA6", true, false}, /* isolate */
	{"\xE2\x80\x8E", true, false}, /* left-to-right mark */
	{"\xE2\x80\x8F", true, false}, /* right-to-left mark */
	{"\xD8\x9C", true, false},     /* arabic letter mark */
	{"\xEF\xBB\xBF", true, false}, /* byte order mark, invisible */
	{"\x80", false, false},
	{"\xC3", false, false},
	{"\xC3(", false, false},
	{"\xC0\xAF", false, false},         /* overlong */
	{"\xE0\x9F\xBF", false, false},     /* overlong */
	{"\xF0\x8F\xBF\xBF", false, false}, /* overlong */
	{"\xED\xA0\x80", false, false},     /* surrogate */
	{"\xF4\x90\x80\x80", false, false}, /* above U+10FFFF */
	{"\xF8\x88\x80\x80\x80", false, false},
	{"\xFF", false, false},
	{"ok\xE2\x82", false, false},
};

START_TEST(tells_valid_and_printable_apart)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].text);
		bool printable = false;

		ck_assert_msg(utf8_is_valid(rows[i].text, n, &printable) == rows[i].is_valid,
			"row %zu", i);
		if (rows[i].is_valid)
			ck_assert_msg(printable == rows[i].is_printable, "row %zu", i);
		ck_assert(utf8_is_valid(rows[i].text, n, NULL) == rows[i].is_valid);
		ck_assert(utf8_is_printable(rows[i].text, n) == rows[i].is_printable);
	}
}
END_TEST

START_TEST(a_zero_byte_is_a_control_character)
{
	bool printable = true;

	ck_assert(utf8_is_valid("a\0b", 3, &printable));
	ck_assert(!printable);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, tells_valid_and_printable_apart);
	tcase_add_test(tc, a_zero_byte_is_a_control_character);
}

int main(void)
{
	return suite_main("utf8", fill);
}
