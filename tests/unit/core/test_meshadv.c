#include "enr/meshadv.h"

#include "support/vectors.h"
#include "unit/suite.h"

/* §2.4: network 456, enrolled, free connection, serial index 1, static. */
#define EXAMPLE "020106030312FE171612FE0300C80109010000000000000100000000000000"
#define LEGACY "020106030312FE0F1612FE0300C8010901000000050A00"

static size_t bytes(const char *hex, uint8_t out[64])
{
	return vectors_unhex(hex, out, 64);
}

static enum err decode(const char *hex, struct meshadv *adv)
{
	uint8_t raw[64];
	size_t n = bytes(hex, raw);

	return meshadv_decode(raw, n, adv);
}

START_TEST(reads_and_writes_the_example_of_the_specification)
{
	uint8_t raw[64], out[MESHADV_BYTES];
	struct meshadv adv;

	ck_assert_uint_eq(bytes(EXAMPLE, raw), MESHADV_BYTES);
	ck_assert_int_eq(meshadv_decode(raw, MESHADV_BYTES, &adv), ERR_OK);
	ck_assert(!adv.is_emergency);
	ck_assert_uint_eq(adv.network_id, 456);
	ck_assert(adv.is_enrolled && adv.has_free_in_connection);
	ck_assert(!adv.is_sink && !adv.is_zero_key_connectable && !adv.is_interested_in_connection);
	ck_assert_uint_eq(adv.serial_index, 1);
	ck_assert_uint_eq(adv.device_type, MESHADV_DEVICE_STATIC);
	meshadv_encode(&adv, out);
	ck_assert_mem_eq(out, raw, MESHADV_BYTES);
}
END_TEST

START_TEST(reads_what_bluez_hands_over)
{
	uint8_t raw[64];
	struct meshadv adv;

	bytes(EXAMPLE, raw);
	ck_assert_int_eq(meshadv_decode_value(raw + 11, MESHADV_SERVICE_DATA_BYTES, &adv), ERR_OK);
	ck_assert_uint_eq(adv.network_id, 456);
	ck_assert_uint_eq(adv.device_type, MESHADV_DEVICE_STATIC);
}
END_TEST

START_TEST(reads_the_legacy_form_without_device_type)
{
	uint8_t raw[64];
	size_t n = bytes(LEGACY, raw);
	struct meshadv adv;

	ck_assert_uint_eq(n, 23);
	ck_assert_int_eq(meshadv_decode(raw, n, &adv), ERR_OK);
	ck_assert_uint_eq(adv.serial_index, 1);
	ck_assert_uint_eq(adv.module_ids[0], 5);
	ck_assert_uint_eq(adv.module_ids[1], 10);
	ck_assert_uint_eq(adv.device_type, MESHADV_DEVICE_INVALID);
	ck_assert_int_eq(meshadv_decode_value(raw + 11, MESHADV_LEGACY_BYTES, &adv), ERR_OK);
}
END_TEST

START_TEST(every_truncated_value_is_short_until_the_legacy_form)
{
	uint8_t raw[64];
	struct meshadv adv;

	bytes(EXAMPLE, raw);
	for (size_t n = 0; n <= MESHADV_SERVICE_DATA_BYTES; n++) {
		enum err e = meshadv_decode_value(raw + 11, n, &adv);

		ck_assert_int_eq(e, n < MESHADV_LEGACY_BYTES ? ERR_SHORT : ERR_OK);
		if (e == ERR_OK)
			ck_assert_uint_eq(adv.device_type, n == MESHADV_SERVICE_DATA_BYTES);
	}
	ck_assert_int_eq(
		meshadv_decode_value(raw + 11, MESHADV_SERVICE_DATA_BYTES + 1, &adv), ERR_TRAILING);
}
END_TEST

START_TEST(every_truncated_payload_is_refused)
{
	uint8_t raw[64] = {0};
	struct meshadv adv;

	bytes(EXAMPLE, raw);
	for (size_t n = 0; n < MESHADV_BYTES; n++)
		ck_assert_int_ne(meshadv_decode(raw, n, &adv), ERR_OK);
	ck_assert_int_eq(meshadv_decode(raw, MESHADV_BYTES + 1, &adv), ERR_TRAILING);
}
END_TEST

START_TEST(every_flag_and_field_comes_back)
{
	for (unsigned bits = 0; bits < 64; bits++) {
		const struct meshadv adv = {
			.is_emergency = bits & 1,
			.is_enrolled = bits & 2,
			.is_sink = bits & 4,
			.is_zero_key_connectable = bits & 8,
			.has_free_in_connection = bits & 16,
			.is_interested_in_connection = bits & 32,
			.network_id = (uint16_t)(bits * 1001),
			.serial_index = bits * 69273666u,
			.module_ids = {5, (uint8_t)bits, 255},
			.device_type = (uint8_t)(bits % 6),
		};
		uint8_t raw[MESHADV_BYTES], again[MESHADV_BYTES];
		struct meshadv back;

		meshadv_encode(&adv, raw);
		ck_assert_int_eq(meshadv_decode(raw, sizeof(raw), &back), ERR_OK);
		ck_assert(back.is_emergency == adv.is_emergency);
		ck_assert(back.is_enrolled == adv.is_enrolled);
		ck_assert(back.is_sink == adv.is_sink);
		ck_assert(back.is_zero_key_connectable == adv.is_zero_key_connectable);
		ck_assert(back.has_free_in_connection == adv.has_free_in_connection);
		ck_assert(back.is_interested_in_connection == adv.is_interested_in_connection);
		ck_assert_uint_eq(back.network_id, adv.network_id);
		ck_assert_uint_eq(back.serial_index, adv.serial_index);
		ck_assert_mem_eq(back.module_ids, adv.module_ids, 3);
		ck_assert_uint_eq(back.device_type, adv.device_type);
		meshadv_encode(&back, again);
		ck_assert_mem_eq(again, raw, sizeof(raw));
	}
}
END_TEST

START_TEST(ignores_reserved_bits)
{
	struct meshadv adv;

	ck_assert_int_eq(
		decode("020106030312FE171612FE0300C801E901000000000000010102030405060700", &adv),
		ERR_TRAILING);
	ck_assert_int_eq(
		decode("020106030312FE171612FE0300C801E9010000000000000101020304050607", &adv),
		ERR_OK);
	ck_assert(adv.is_enrolled && adv.has_free_in_connection && !adv.is_sink);
}
END_TEST

START_TEST(refuses_other_types_under_the_same_uuid)
{
	static const char *const types[] = {
		"0000", "0100", "0200", "0400", "0500", "0600", "0700", "0900", "0301", "FFFF"};
	char hex[2 * MESHADV_BYTES + 1];
	struct meshadv adv;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		memcpy(hex, EXAMPLE, sizeof(hex));
		memcpy(hex + 22, types[i], 4);
		ck_assert_int_eq(decode(hex, &adv), ERR_UNKNOWN);
	}
}
END_TEST

START_TEST(refuses_the_invalid_serial)
{
	struct meshadv adv;

	ck_assert_int_eq(
		decode("020106030312FE171612FE0300C80109FFFFFFFF0000000100000000000000", &adv),
		ERR_INVALID);
}
END_TEST

START_TEST(finds_the_service_data_wherever_it_stands)
{
	struct meshadv adv;

	/* Alone; behind another service's data; before a name. */
	ck_assert_int_eq(decode("171612FE0300C80109010000000000000100000000000000", &adv), ERR_OK);
	ck_assert_int_eq(decode("04160F18640F1612FE0300C8010901000000000000", &adv), ERR_OK);
	ck_assert_int_eq(decode("0F1612FE0300C80109010000000000000408414243", &adv), ERR_OK);
	ck_assert_uint_eq(adv.serial_index, 1);
}
END_TEST

START_TEST(refuses_payloads_without_it)
{
	struct meshadv adv;

	ck_assert_int_eq(decode("", &adv), ERR_NOT_FOUND);
	ck_assert_int_eq(decode("020106", &adv), ERR_NOT_FOUND);
	ck_assert_int_eq(decode("020106030312FE", &adv), ERR_NOT_FOUND);
	ck_assert_int_eq(decode("0201060000000000", &adv), ERR_NOT_FOUND);
	ck_assert_int_eq(
		decode("0201061BFF4D02F00A000101000100B4E101001A000401FFFF010000000000", &adv),
		ERR_NOT_FOUND);
	ck_assert_int_eq(decode("0201060516", &adv), ERR_SHORT);
	ck_assert_int_eq(decode("021612", &adv), ERR_NOT_FOUND);
	ck_assert_int_eq(decode("031612FE", &adv), ERR_SHORT);
}
END_TEST

START_TEST(scan_response_is_the_serial)
{
	static const struct {
		uint32_t serial;
		const char *hex;
	} rows[] = {{0, "06084242424242"}, {2673002, "0608464D424244"},
		{0x81268000, "0808443948434B334E"}};
	uint8_t raw[64], out[MESHADV_SCAN_RESPONSE_MAX];
	uint32_t serial;

	for (size_t i = 0; i < 3; i++) {
		size_t n = bytes(rows[i].hex, raw);

		ck_assert_uint_eq(meshadv_encode_scan_response(rows[i].serial, out), n);
		ck_assert_mem_eq(out, raw, n);
		ck_assert_int_eq(meshadv_decode_scan_response(raw, n, &serial), ERR_OK);
		ck_assert_uint_eq(serial, rows[i].serial);
		for (size_t k = 0; k < n; k++)
			ck_assert_int_eq(
				meshadv_decode_scan_response(raw, k, &serial), ERR_NOT_FOUND);
	}
	ck_assert_int_eq(meshadv_decode_scan_response("\6\10FRUIT", 7, &serial), ERR_NOT_FOUND);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_and_writes_the_example_of_the_specification);
	tcase_add_test(tc, reads_what_bluez_hands_over);
	tcase_add_test(tc, reads_the_legacy_form_without_device_type);
	tcase_add_test(tc, every_truncated_value_is_short_until_the_legacy_form);
	tcase_add_test(tc, every_truncated_payload_is_refused);
	tcase_add_test(tc, every_flag_and_field_comes_back);
	tcase_add_test(tc, ignores_reserved_bits);
	tcase_add_test(tc, refuses_other_types_under_the_same_uuid);
	tcase_add_test(tc, refuses_the_invalid_serial);
	tcase_add_test(tc, finds_the_service_data_wherever_it_stands);
	tcase_add_test(tc, refuses_payloads_without_it);
	tcase_add_test(tc, scan_response_is_the_serial);
}

int main(void)
{
	return suite_main("meshadv", fill);
}
