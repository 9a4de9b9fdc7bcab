#include "cli/qrread.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/qr.h"
#include "config.h"
#include "enr/qrlabel.h"
#include "unit/suite.h"

#define LABEL "qt=1&v=1&mf=024D&s=FMBBC&nk=12345678123456781234567812345678&dt=ASSET&nm=T%C3%BCr"

static char got[QR_LABEL_TEXT_MAX];

static bool keep(void *ctx, const char *text, size_t n)
{
	(void)ctx;
	ck_assert_uint_lt(n, sizeof(got));
	memcpy(got, text, n);
	got[n] = '\0';
	return true;
}

static size_t drawn(uint8_t *out, size_t cap)
{
	char path[] = "/tmp/test_qrread.XXXXXX";
	int fd = mkstemp(path);
	size_t n;
	FILE *f;

	ck_assert_int_ge(fd, 0);
	close(fd);
	unlink(path);
	ck_assert_int_eq(qr_write_png(path, LABEL), ERR_OK);
	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	n = fread(out, 1, cap, f);
	fclose(f);
	unlink(path);
	ck_assert_uint_lt(n, cap);
	return n;
}

#ifdef HAVE_ZBAR

START_TEST(a_drawn_label_is_read_again)
{
	static uint8_t png[65536];
	size_t n = drawn(png, sizeof(png)), count = 0;

	ck_assert(qrread_is_image(png, n));
	ck_assert_int_eq(qrread_image(png, n, keep, NULL, &count), ERR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_str_eq(got, LABEL);
}
END_TEST

START_TEST(a_cut_picture_is_refused)
{
	static uint8_t png[65536];
	size_t n = drawn(png, sizeof(png)), count = 0;

	for (size_t i = 0; i < n - 20; i += 7) { /* the end marker alone may be missing */
		got[0] = '\0';
		(void)!qrread_image(png, i, keep, NULL, &count);
		ck_assert_msg(count == 0, "a label read from %zu of %zu bytes", i, n);
	}
}
END_TEST

START_TEST(a_giant_picture_is_refused)
{
	uint8_t jpeg[] = {0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1, 0x11, 0};
	size_t count = 0;

	ck_assert_int_eq(qrread_image(jpeg, sizeof(jpeg), keep, NULL, &count), ERR_RANGE);
	for (size_t i = 3; i < 11; i++)
		ck_assert_int_eq(qrread_image(jpeg, i, keep, NULL, &count), ERR_INVALID);
}
END_TEST

/* The decoder passes over fill bytes, and markers without a length have none: whoever looks for the
 * size another way can be shown another size. */
START_TEST(the_size_is_where_the_decoder_finds_it)
{
	static const uint8_t filled[] = {0xFF, 0xD8, 0xFF, 0xFF, 0xFF, 0xC0, 0, 11, 8, 0xFF, 0xFF,
		0xFF, 0xFF, 1, 1, 0x11, 0};
	uint8_t lone[] = {0xFF, 0xD8, 0xFF, 0x01, 0, 4, 0, 0, 0xFF, 0xC0, 0, 11, 8, 0xFF, 0xFF,
		0xFF, 0xFF, 1, 1, 0x11, 0};
	static const uint8_t without_length[] = {0x00, 0x01, 0xBF, 0xD0, 0xD7, 0xD8, 0xD9, 0xDA};
	size_t count;

	ck_assert_int_eq(qrread_image(filled, sizeof(filled), keep, NULL, &count), ERR_RANGE);
	for (size_t i = 0; i < sizeof(without_length); i++) {
		lone[3] = without_length[i];
		ck_assert_int_eq(qrread_image(lone, sizeof(lone), keep, NULL, &count), ERR_INVALID);
	}
}
END_TEST

#else

START_TEST(says_that_it_was_built_without_zbar)
{
	static uint8_t png[65536];
	size_t n = drawn(png, sizeof(png)), count = 0;

	ck_assert_int_eq(qrread_image(png, n, keep, NULL, &count), ERR_UNKNOWN);
}
END_TEST

#endif

START_TEST(text_is_no_picture)
{
	size_t count = 7;

	ck_assert(!qrread_is_image((const uint8_t *)LABEL, strlen(LABEL)));
	ck_assert(!qrread_is_image((const uint8_t *)"\x89PN", 3));
	ck_assert_int_ne(
		qrread_image((const uint8_t *)LABEL, strlen(LABEL), keep, NULL, &count), ERR_OK);
	ck_assert_uint_eq(count, 0);
}
END_TEST

static void fill(TCase *tc)
{
#ifdef HAVE_ZBAR
	tcase_add_test(tc, a_drawn_label_is_read_again);
	tcase_add_test(tc, a_cut_picture_is_refused);
	tcase_add_test(tc, a_giant_picture_is_refused);
	tcase_add_test(tc, the_size_is_where_the_decoder_finds_it);
#else
	tcase_add_test(tc, says_that_it_was_built_without_zbar);
#endif
	tcase_add_test(tc, text_is_no_picture);
}

int main(void)
{
	return suite_main("qrread", fill);
}
