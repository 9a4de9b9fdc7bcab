/* SET_ENROLLMENT, the lists of serials, and the words for results. */
#include "enr/meshmsg.h"

#include "support/vectors.h"
#include "unit/suite.h"

/* §9.3 */
#define HEAD "33007D0100053700020000004D00E001"
#define K10 "10101010101010101010101010101010"
#define K22 "22222222222222222222222222222222"
#define K33 "33333333333333333333333333333333"
#define NODE "00112233445566778899AABBCCDDEEFF"
#define K00 "00000000000000000000000000000000"
#define KFF "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
#define EXAMPLE HEAD K10 K22 K33 NODE "8A"

static const struct meshmsg_route route = {32000, 1, 0x37};

static size_t raw_of(const char *hex, uint8_t raw[MESHMSG_BYTES_MAX])
{
	return vectors_unhex(hex, raw, MESHMSG_BYTES_MAX);
}

static enum err decode(const uint8_t *raw, size_t n, struct meshmsg_set_enrollment *out)
{
	struct meshmsg m;
	enum err e = meshmsg_decode(raw, n, &m);

	return e ? e : meshmsg_decode_set_enrollment(&m, out);
}

START_TEST(request_is_that_of_the_specification)
{
	uint8_t raw[MESHMSG_BYTES_MAX], out[MESHMSG_BYTES_MAX];
	struct meshmsg_set_enrollment m;
	struct wr w = wr_init(out, sizeof(out));

	ck_assert_uint_eq(raw_of(EXAMPLE, raw), MESHMSG_SET_ENROLLMENT_BYTES);
	ck_assert_int_eq(decode(raw, MESHMSG_SET_ENROLLMENT_BYTES, &m), ERR_OK);
	ck_assert_uint_eq(m.serial_index, 2);
	ck_assert_uint_eq(m.node_id, 77);
	ck_assert_uint_eq(m.network_id, 480);
	ck_assert_ptr_eq(m.network_key, raw + 16);
	ck_assert_ptr_eq(m.user_base_key, raw + 32);
	ck_assert_ptr_eq(m.organization_key, raw + 48);
	ck_assert_ptr_eq(m.node_key, raw + 64);
	ck_assert_uint_eq(m.timeout_s, 10);
	ck_assert(m.only_if_unenrolled);
	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_OK);
	ck_assert_uint_eq(w.len_bytes, MESHMSG_SET_ENROLLMENT_BYTES);
	ck_assert_mem_eq(out, raw, w.len_bytes);
}
END_TEST

START_TEST(absent_keys_are_written_as_their_fillers)
{
	const struct meshmsg_set_enrollment m = {
		.serial_index = 2, .node_id = 77, .network_id = 480};
	uint8_t want[MESHMSG_BYTES_MAX], out[MESHMSG_BYTES_MAX];
	struct meshmsg_set_enrollment back;
	struct wr w = wr_init(out, sizeof(out));

	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_OK);
	ck_assert_uint_eq(w.len_bytes, raw_of(HEAD K00 K00 K00 KFF "00", want));
	ck_assert_mem_eq(out, want, w.len_bytes);
	ck_assert_int_eq(decode(out, w.len_bytes, &back), ERR_OK);
	ck_assert(!back.network_key && !back.user_base_key && !back.organization_key);
	ck_assert(!back.node_key);
}
END_TEST

START_TEST(zero_node_key_is_a_key)
{
	uint8_t raw[MESHMSG_BYTES_MAX];
	struct meshmsg_set_enrollment m;
	size_t n = raw_of(HEAD K10 K22 K33 K00 "0A", raw);

	ck_assert_int_eq(decode(raw, n, &m), ERR_OK);
	ck_assert_ptr_eq(m.node_key, raw + 64);
}
END_TEST

/* §4.2, §13.3: from 16 bytes on; what is not there in full is absent, the last byte is then 0. */
START_TEST(every_shorter_request_has_what_it_holds_in_full)
{
	uint8_t raw[MESHMSG_BYTES_MAX];

	raw_of(EXAMPLE, raw);
	for (size_t n = 0; n <= MESHMSG_SET_ENROLLMENT_BYTES; n++) {
		uint8_t exact[MESHMSG_SET_ENROLLMENT_BYTES];
		struct meshmsg_set_enrollment m;
		enum err e;

		memcpy(exact, raw, n);
		e = decode(exact, n, &m);
		ck_assert_int_eq(e, n < 16 ? ERR_SHORT : ERR_OK);
		if (e)
			continue;
		ck_assert((m.network_key != NULL) == (n >= 32));
		ck_assert((m.user_base_key != NULL) == (n >= 48));
		ck_assert((m.organization_key != NULL) == (n >= 64));
		ck_assert((m.node_key != NULL) == (n >= 80));
		ck_assert_uint_eq(m.timeout_s, n >= 81 ? 10 : 0);
		ck_assert(m.only_if_unenrolled == (n >= 81));
	}
}
END_TEST

START_TEST(longer_requests_are_clamped)
{
	uint8_t raw[MESHMSG_BYTES_MAX] = {0}, out[MESHMSG_BYTES_MAX];
	struct meshmsg_set_enrollment m;

	raw_of(EXAMPLE, raw);
	for (size_t n = MESHMSG_SET_ENROLLMENT_BYTES; n <= MESHMSG_BYTES_MAX; n++) {
		struct wr w = wr_init(out, sizeof(out));

		ck_assert_int_eq(decode(raw, n, &m), ERR_OK);
		ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_OK);
		ck_assert_uint_eq(w.len_bytes, MESHMSG_SET_ENROLLMENT_BYTES);
		ck_assert_mem_eq(out, raw, w.len_bytes);
	}
}
END_TEST

START_TEST(timeout_and_flag_share_a_byte)
{
	uint8_t out[MESHMSG_BYTES_MAX];

	for (unsigned b = 0; b < 256; b++) {
		struct meshmsg_set_enrollment back,
			m = {.timeout_s = (uint8_t)(b & 0x7F), .only_if_unenrolled = b & 0x80};
		struct wr w = wr_init(out, sizeof(out));

		ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_OK);
		ck_assert_uint_eq(out[80], b);
		ck_assert_int_eq(decode(out, w.len_bytes, &back), ERR_OK);
		ck_assert_uint_eq(back.timeout_s, m.timeout_s);
		ck_assert(back.only_if_unenrolled == m.only_if_unenrolled);
	}
}
END_TEST

START_TEST(refuses_to_write_what_does_not_fit)
{
	struct meshmsg_set_enrollment m = {.timeout_s = 128};
	uint8_t out[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(out, sizeof(out));

	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_RANGE);
	m.timeout_s = 127;
	for (size_t n = 0; n < MESHMSG_SET_ENROLLMENT_BYTES; n++) {
		w = wr_init(out, n);
		ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_FULL);
	}
}
END_TEST

START_TEST(other_kinds_are_no_requests)
{
	static const uint8_t ping[] = {51, 0, 125, 1, 0, 0, 0, 3};
	struct meshmsg_set_enrollment m;

	ck_assert_int_eq(decode(ping, sizeof(ping), &m), ERR_UNKNOWN);
}
END_TEST

START_TEST(takes_the_first_eleven_serials_of_more)
{
	uint8_t raw[8 + 12 * 4] = {51, 0, 125, 0, 0, 5, 0, 4};
	struct meshmsg_serials s;
	struct meshmsg m;

	for (uint8_t i = 0; i < 12; i++)
		raw[8 + 4 * i] = i;
	ck_assert_int_eq(meshmsg_decode(raw, sizeof(raw), &m), ERR_OK);
	ck_assert_int_eq(meshmsg_decode_request_proposals(&m, &s), ERR_OK);
	ck_assert_uint_eq(s.count, MESHMSG_PROPOSALS_MAX);
	ck_assert_uint_eq(s.index[0], 0);
	ck_assert_uint_eq(s.index[10], 10);
}
END_TEST

START_TEST(writes_one_to_eleven_serials_and_up_to_three_proposals)
{
	uint8_t out[MESHMSG_BYTES_MAX];

	for (uint8_t n = 0; n < 14; n++) {
		const struct meshmsg_serials s = {
			.count = n, .index = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
		struct wr w = wr_init(out, sizeof(out));

		ck_assert_int_eq(meshmsg_encode_request_proposals(&w, route, &s),
			n >= 1 && n <= MESHMSG_PROPOSALS_MAX ? ERR_OK : ERR_RANGE);
		w = wr_init(out, sizeof(out));
		ck_assert_int_eq(
			meshmsg_encode_proposal(&w, route, &s), n <= 3 ? ERR_OK : ERR_RANGE);
	}
}
END_TEST

START_TEST(proposals_leave_empty_slots_out)
{
	uint8_t raw[] = {52, 3, 0, 2, 0, 5, 0, 2, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0};
	struct meshmsg_serials s;
	struct meshmsg m;

	ck_assert_int_eq(meshmsg_decode(raw, sizeof(raw), &m), ERR_OK);
	ck_assert_int_eq(meshmsg_decode_proposal(&m, &s), ERR_OK);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_uint_eq(s.index[0], 7);
}
END_TEST

START_TEST(every_result_has_words_and_advice)
{
	static const uint8_t known[] = {0, 1, 2, 3, 4, 5, 6, 0x10, 0x11, 0x12, 0x13};
	size_t k = 0;

	for (unsigned code = 0; code < 256; code++) {
		const char *text = meshmsg_result_text((uint8_t)code);
		bool is_known = k < sizeof(known) && known[k] == code;

		k += is_known;
		ck_assert((strcmp(text, "unknown result") != 0) == is_known);
		ck_assert_str_ne(meshmsg_result_advice((uint8_t)code), "");
	}
	ck_assert_uint_eq(k, sizeof(known));
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, request_is_that_of_the_specification);
	tcase_add_test(tc, absent_keys_are_written_as_their_fillers);
	tcase_add_test(tc, zero_node_key_is_a_key);
	tcase_add_test(tc, every_shorter_request_has_what_it_holds_in_full);
	tcase_add_test(tc, longer_requests_are_clamped);
	tcase_add_test(tc, timeout_and_flag_share_a_byte);
	tcase_add_test(tc, refuses_to_write_what_does_not_fit);
	tcase_add_test(tc, other_kinds_are_no_requests);
	tcase_add_test(tc, takes_the_first_eleven_serials_of_more);
	tcase_add_test(tc, writes_one_to_eleven_serials_and_up_to_three_proposals);
	tcase_add_test(tc, proposals_leave_empty_slots_out);
	tcase_add_test(tc, every_result_has_words_and_advice);
}

int main(void)
{
	return suite_main("meshmsg_enroll", fill);
}
