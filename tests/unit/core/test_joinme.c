#include "enr/joinme.h"

#include "support/vectors.h"
#include "unit/suite.h"

/* §8.1, field by field. */
#define EXAMPLE "0201061BFF4D02F0E001014D0004030201FEFF0A0BFC03FFFF0E0078563412"

static size_t bytes(uint8_t out[JOINME_BYTES + 1])
{
	size_t n = vectors_unhex(EXAMPLE, out, JOINME_BYTES);

	ck_assert_uint_eq(n, JOINME_BYTES);
	out[n] = 0;
	return n;
}

START_TEST(reads_every_field_and_writes_it_again)
{
	uint8_t raw[JOINME_BYTES + 1], out[JOINME_BYTES];
	struct joinme m;

	ck_assert_int_eq(joinme_decode(raw, bytes(raw), &m), ERR_OK);
	ck_assert_uint_eq(m.network_id, 480);
	ck_assert_uint_eq(m.node_id, 77);
	ck_assert_uint_eq(m.cluster_id, 0x01020304);
	ck_assert_int_eq(m.cluster_size, -2);
	ck_assert_uint_eq(m.free_in, 2);
	ck_assert_uint_eq(m.free_out, 1);
	ck_assert_uint_eq(m.battery_runtime, 11);
	ck_assert_int_eq(m.tx_power_dbm, -4);
	ck_assert_uint_eq(m.device_type, 3);
	ck_assert_uint_eq(m.hops_to_sink, 0xFFFF);
	ck_assert_uint_eq(m.mesh_write_handle, 14);
	ck_assert_uint_eq(m.ack, 0x12345678);
	ck_assert_int_eq(joinme_encode(&m, out), ERR_OK);
	ck_assert_mem_eq(out, raw, JOINME_BYTES);
}
END_TEST

START_TEST(refuses_every_other_length)
{
	uint8_t raw[JOINME_BYTES + 1];
	size_t n = bytes(raw);
	struct joinme m;

	for (size_t k = 0; k < n; k++)
		ck_assert_int_eq(joinme_decode(raw, k, &m), ERR_SHORT);
	ck_assert_int_eq(joinme_decode(raw, n + 1, &m), ERR_TRAILING);
}
END_TEST

START_TEST(refuses_what_is_no_join_me)
{
	static const size_t fixed[] = {0, 1, 2, 3, 4, 5, 6, 7, 10};
	uint8_t raw[JOINME_BYTES + 1];
	struct joinme m;

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		(void)bytes(raw);
		raw[fixed[i]] ^= 0x80;
		ck_assert_int_eq(joinme_decode(raw, JOINME_BYTES, &m), ERR_NOT_FOUND);
	}
}
END_TEST

START_TEST(counts_that_do_not_fit_are_not_written)
{
	struct joinme m = {.free_in = 7, .free_out = 31};
	uint8_t out[JOINME_BYTES];

	ck_assert_int_eq(joinme_encode(&m, out), ERR_OK);
	ck_assert_uint_eq(out[19], 0xFF);
	m.free_in = 8;
	ck_assert_int_eq(joinme_encode(&m, out), ERR_RANGE);
	m = (struct joinme){.free_out = 32};
	ck_assert_int_eq(joinme_encode(&m, out), ERR_RANGE);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_every_field_and_writes_it_again);
	tcase_add_test(tc, refuses_every_other_length);
	tcase_add_test(tc, refuses_what_is_no_join_me);
	tcase_add_test(tc, counts_that_do_not_fit_are_not_written);
}

int main(void)
{
	return suite_main("joinme", fill);
}
