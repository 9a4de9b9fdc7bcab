#include "enr/base64.h"

#include "unit/suite.h"

static const struct {
	const char *bytes, *text;
} golden[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
	{"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};

#define GOLDEN_COUNT (sizeof(golden) / sizeof(golden[0]))

START_TEST(prints_the_rfc_examples)
{
	for (size_t i = 0; i < GOLDEN_COUNT; i++) {
		const uint8_t *p = (const uint8_t *)golden[i].bytes;
		char text[16];

		ck_assert_int_eq(
			base64_print((struct span){p, strlen(golden[i].bytes)}, text, sizeof(text)),
			ERR_OK);
		ck_assert_str_eq(text, golden[i].text);
	}
}
END_TEST

START_TEST(reads_them_back)
{
	for (size_t i = 0; i < GOLDEN_COUNT; i++) {
		uint8_t out[16];
		size_t n;

		ck_assert_int_eq(
			base64_parse(golden[i].text, strlen(golden[i].text), out, sizeof(out), &n),
			ERR_OK);
		ck_assert_uint_eq(n, strlen(golden[i].bytes));
		ck_assert_mem_eq(out, golden[i].bytes, n);
	}
}
END_TEST

START_TEST(refuses_what_another_text_says_already)
{
	static const char *const bad[] = {"Z", "Zg==", "Zh", "Zm9", "Zm8=", "Zm9vY", "Zm9v\n",
		" Zg", "+/8", "Zm 9v", "Z\xc3\xa9", "Zm9vZ==="};
	uint8_t out[16];
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
			base64_parse(bad[i], strlen(bad[i]), out, sizeof(out), &n) == ERR_INVALID,
			"accepted %s", bad[i]);
	ck_assert_int_eq(base64_parse("Zg\0A", 4, out, sizeof(out), &n), ERR_INVALID);
}
END_TEST

/* One text for one byte string: of all texts of two and three characters, so many decode. */
START_TEST(decodes_exactly_one_text_for_each_byte_string)
{
	size_t ones = 0, twos = 0, n;
	uint8_t out[2];
	char t[3];

	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			t[0] = (char)a;
			t[1] = (char)b;
			ones += base64_parse(t, 2, out, sizeof(out), &n) == ERR_OK;
		}
	}
	for (int i = 0; i < 64 * 64 * 64; i++) {
		static const char digits[] =
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

		t[0] = digits[i & 63];
		t[1] = digits[i >> 6 & 63];
		t[2] = digits[i >> 12];
		twos += base64_parse(t, 3, out, sizeof(out), &n) == ERR_OK;
	}
	ck_assert_uint_eq(ones, 256);
	ck_assert_uint_eq(twos, 65536);
}
END_TEST

START_TEST(writes_no_more_than_there_is_room)
{
	const struct span in = {(const uint8_t *)"foo", 3};
	uint8_t out[3];
	char text[5];
	size_t n;

	ck_assert_int_eq(base64_print(in, text, 4), ERR_FULL);
	ck_assert_int_eq(base64_print(in, text, 5), ERR_OK);
	ck_assert_int_eq(base64_parse("Zm9v", 4, out, 2, &n), ERR_FULL);
	ck_assert_int_eq(base64_parse("Zm9v", 4, out, 3, &n), ERR_OK);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, prints_the_rfc_examples);
	tcase_add_test(tc, reads_them_back);
	tcase_add_test(tc, refuses_what_another_text_says_already);
	tcase_add_test(tc, decodes_exactly_one_text_for_each_byte_string);
	tcase_add_test(tc, writes_no_more_than_there_is_room);
}

int main(void)
{
	return suite_main("base64", fill);
}
