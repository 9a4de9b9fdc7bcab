#include "enr/bytes.h"

#include "unit/suite.h"

START_TEST(reads_little_endian)
{
	const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct rd r = rd_init(in, sizeof(in));

	ck_assert_uint_eq(rd_u8(&r), 0x01);
	ck_assert_uint_eq(rd_u16(&r), 0x0302);
	ck_assert_uint_eq(rd_u32(&r), 0x07060504);
	ck_assert(rd_u64(&r) == 0x0F0E0D0C0B0A0908);
	ck_assert_int_eq(rd_end(&r), ERR_OK);
}
END_TEST

START_TEST(stays_bad_after_running_over_the_end)
{
	const uint8_t in[] = {1, 2, 3};
	struct rd r = rd_init(in, sizeof(in));

	ck_assert_uint_eq(rd_u32(&r), 0);
	ck_assert_uint_eq(rd_u8(&r), 0);
	ck_assert_int_eq(rd_end(&r), ERR_SHORT);
}
END_TEST

START_TEST(reports_trailing_bytes)
{
	const uint8_t in[] = {1, 2};
	struct rd r = rd_init(in, sizeof(in));

	(void)rd_u8(&r);
	ck_assert_int_eq(rd_end(&r), ERR_TRAILING);
	ck_assert_uint_eq(rd_rest(&r).n, 1);
	ck_assert_int_eq(rd_end(&r), ERR_OK);
}
END_TEST

START_TEST(writes_what_it_reads)
{
	uint8_t out[15];
	struct wr w = wr_init(out, sizeof(out));
	struct rd r;

	wr_u64(&w, 0x1122334455667788);
	wr_u32(&w, 0x99AABBCC);
	wr_u16(&w, 0xDDEE);
	wr_u8(&w, 0xFF);
	ck_assert_int_eq(wr_end(&w), ERR_OK);
	r = rd_init(out, w.len_bytes);
	ck_assert(rd_u64(&r) == 0x1122334455667788);
	ck_assert_uint_eq(rd_u32(&r), 0x99AABBCC);
	ck_assert_uint_eq(rd_u16(&r), 0xDDEE);
	ck_assert_uint_eq(rd_u8(&r), 0xFF);
	wr_u8(&w, 1);
	ck_assert_int_eq(wr_end(&w), ERR_FULL);
}
END_TEST

START_TEST(compares_and_wipes)
{
	uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 5};

	ck_assert(bytes_equal_ct(a, b, 3));
	ck_assert(!bytes_equal_ct(a, b, 4));
	bytes_wipe(a, sizeof(a));
	ck_assert(bytes_are_ct(a, sizeof(a), 0));
	ck_assert(!bytes_are_ct(b, sizeof(b), 0));
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_little_endian);
	tcase_add_test(tc, stays_bad_after_running_over_the_end);
	tcase_add_test(tc, reports_trailing_bytes);
	tcase_add_test(tc, writes_what_it_reads);
	tcase_add_test(tc, compares_and_wipes);
}

int main(void)
{
	return suite_main("bytes", fill);
}
