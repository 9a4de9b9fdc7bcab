/* Headers, the table of types, the table of kinds, and addressing. */
#include "enr/meshmsg.h"

#include <stdio.h>

#include "support/vectors.h"
#include "unit/suite.h"

static enum err decode(const char *hex, struct meshmsg *m)
{
	static uint8_t raw[MESHMSG_BYTES_MAX + 8];

	return meshmsg_decode(raw, vectors_unhex(hex, raw, sizeof(raw)), m);
}

START_TEST(opens_the_header_of_a_module_message)
{
	struct meshmsg m;

	ck_assert_int_eq(decode("33007D0100053700AABB", &m), ERR_OK);
	ck_assert_uint_eq(m.type, MESHMSG_TYPE_TRIGGER);
	ck_assert_uint_eq(m.sender, 32000);
	ck_assert_uint_eq(m.receiver, 1);
	ck_assert_uint_eq(m.module, MESHMSG_MODULE_ENROLLMENT);
	ck_assert_uint_eq(m.request_handle, 0x37);
	ck_assert_uint_eq(m.action, 0);
	ck_assert_uint_eq(m.payload.n, 2);
	ck_assert_uint_eq(m.payload.p[0], 0xAA);
	ck_assert_int_eq(m.kind, MESHMSG_SET_ENROLLMENT);
}
END_TEST

START_TEST(opens_the_header_of_a_vendor_message)
{
	struct meshmsg m;

	ck_assert_int_eq(decode("33007D0100F002CDAB3700AA", &m), ERR_OK);
	ck_assert_uint_eq(m.module, 0xABCD02F0);
	ck_assert_uint_eq(m.request_handle, 0x37);
	ck_assert_uint_eq(m.action, 0);
	ck_assert_uint_eq(m.payload.n, 1);
	ck_assert_int_eq(m.kind, MESHMSG_UNKNOWN);
	/* 8 bytes pass the table, but not the vendor form. */
	ck_assert_int_eq(decode("33007D0100F002CD", &m), ERR_SHORT);
	ck_assert_int_eq(decode("33007D0100F002CDAB37", &m), ERR_SHORT);
}
END_TEST

START_TEST(opens_messages_without_module)
{
	struct meshmsg m;

	ck_assert_int_eq(decode("1701000000000000000100FFFF01", &m), ERR_OK);
	ck_assert_uint_eq(m.module, MESHMSG_MODULE_NONE);
	ck_assert_uint_eq(m.payload.n, 9);
	ck_assert_int_eq(m.kind, MESHMSG_CLUSTER_INFO);
}
END_TEST

/* The minimum lengths of §1.4; types that are not here are never dispatched. */
static const struct {
	uint8_t type;
	uint8_t bytes_min;
} types[] = {{20, 11}, {21, 8}, {22, 13}, {23, 14}, {24, 5}, {25, 11}, {26, 13}, {27, 13}, {28, 6},
	{30, 13}, {31, 7}, {33, 6}, {50, 8}, {51, 8}, {52, 8}, {53, 8}, {54, 8}, {55, 8}, {58, 12},
	{59, 12}, {60, 6}, {61, 13}, {80, 5}, {81, 5}, {83, 5}};

static size_t minimum(unsigned type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == type)
			return types[i].bytes_min;
	}
	return 0;
}

START_TEST(refuses_all_types_outside_the_table_and_short_ones_inside)
{
	uint8_t raw[MESHMSG_BYTES_MAX + 1] = {0};
	struct meshmsg m;

	for (unsigned type = 0; type < 256; type++) {
		size_t min = minimum(type);

		raw[0] = (uint8_t)type;
		for (size_t n = 1; n <= sizeof(raw); n++) {
			enum err want = n < min ? ERR_SHORT : ERR_OK;

			if (min == 0)
				want = ERR_UNKNOWN;
			if (n > MESHMSG_BYTES_MAX)
				want = ERR_TRAILING;
			ck_assert_int_eq(meshmsg_decode(raw, n, &m), want);
		}
	}
	ck_assert_int_eq(meshmsg_decode(raw, 0, &m), ERR_SHORT);
}
END_TEST

START_TEST(kinds_need_type_module_and_action)
{
	struct meshmsg m;
	char hex[] = "34000000000500000000000000";

	for (unsigned action = 0; action < 256; action++) {
		snprintf(hex + 14, 3, "%02X", action);
		hex[16] = '0';
		ck_assert_int_eq(decode(hex, &m), ERR_OK);
		ck_assert((m.kind != MESHMSG_UNKNOWN) == (action <= 4));
	}
	ck_assert_int_eq(decode("3400000000060000", &m), ERR_OK);
	ck_assert_int_eq(m.kind, MESHMSG_UNKNOWN);
	ck_assert_int_eq(decode("3500000000050000", &m), ERR_OK);
	ck_assert_int_eq(m.kind, MESHMSG_UNKNOWN);
	ck_assert_int_eq(decode("3300000000050002", &m), ERR_OK);
	ck_assert_int_eq(m.kind, MESHMSG_UNKNOWN);
}
END_TEST

START_TEST(every_kind_has_a_name_of_its_own)
{
	for (int i = 0; i < MESHMSG_KIND_COUNT; i++) {
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(meshmsg_kind_text((enum meshmsg_kind)i),
				meshmsg_kind_text((enum meshmsg_kind)k));
	}
	ck_assert_str_eq(meshmsg_kind_text(MESHMSG_UNKNOWN), "unknown");
	ck_assert_str_eq(meshmsg_kind_text(MESHMSG_DEAD_DATA), "dead_data");
}
END_TEST

START_TEST(writes_module_and_vendor_headers)
{
	const struct meshmsg_route route = {32000, 1, 0x37};
	const uint8_t payload[] = {0xAA};
	uint8_t out[16], want[16];
	struct wr w = wr_init(out, sizeof(out));

	ck_assert_int_eq(meshmsg_encode_module(&w, MESHMSG_TYPE_TRIGGER, route,
				 MESHMSG_MODULE_ENROLLMENT, 0, (struct span){payload, 1}),
		ERR_OK);
	ck_assert_uint_eq(w.len_bytes, vectors_unhex("33007D0100053700AA", want, sizeof(want)));
	ck_assert_mem_eq(out, want, w.len_bytes);
	w = wr_init(out, sizeof(out));
	ck_assert_int_eq(meshmsg_encode_module(&w, MESHMSG_TYPE_TRIGGER, route, 0xABCD02F0, 0,
				 (struct span){payload, 1}),
		ERR_OK);
	ck_assert_uint_eq(
		w.len_bytes, vectors_unhex("33007D0100F002CDAB3700AA", want, sizeof(want)));
	ck_assert_mem_eq(out, want, w.len_bytes);
}
END_TEST

START_TEST(writes_no_message_that_would_be_refused)
{
	static const uint8_t payload[MESHMSG_BYTES_MAX] = {0};
	const struct meshmsg_route route = {1, 0, 0};
	uint8_t out[2 * MESHMSG_BYTES_MAX];
	struct wr w = wr_init(out, sizeof(out));

	ck_assert_int_eq(meshmsg_encode_module(&w, MESHMSG_TYPE_DEAD_DATA, route,
				 MESHMSG_MODULE_NODE, 0, (struct span){NULL, 0}),
		ERR_UNKNOWN);
	ck_assert_int_eq(meshmsg_encode_module(
				 &w, 99, route, MESHMSG_MODULE_NODE, 0, (struct span){NULL, 0}),
		ERR_UNKNOWN);
	ck_assert_uint_eq(w.len_bytes, 0);
	ck_assert_int_eq(meshmsg_encode_module(&w, MESHMSG_TYPE_GENERAL, route, MESHMSG_MODULE_NODE,
				 0, (struct span){payload, 192}),
		ERR_OK);
	w = wr_init(out, sizeof(out));
	ck_assert_int_eq(meshmsg_encode_module(&w, MESHMSG_TYPE_GENERAL, route, MESHMSG_MODULE_NODE,
				 0, (struct span){payload, 193}),
		ERR_FULL);
	w = wr_init(out, 7);
	ck_assert_int_eq(meshmsg_encode_module(&w, MESHMSG_TYPE_GENERAL, route, MESHMSG_MODULE_NODE,
				 0, (struct span){NULL, 0}),
		ERR_FULL);
}
END_TEST

START_TEST(knows_whom_a_message_is_for)
{
	static const struct {
		uint16_t receiver;
		bool is_for_7;
	} rows[] = {{7, true}, {8, false}, {0, true}, {29999, false}, {30000, true}, {30999, true},
		{31000, false}, {31001, false}, {20001, false}, {2007, false}, {0xFFFF, false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct meshmsg m = {.receiver = rows[i].receiver};

		ck_assert(meshmsg_is_for(&m, 7) == rows[i].is_for_7);
	}
}
END_TEST

START_TEST(sender_and_receiver_are_replaced_in_place)
{
	uint8_t raw[] = {51, 0, 125, 1, 0, 0, 0, 3};
	struct meshmsg m;

	meshmsg_set_sender(raw, 2001);
	meshmsg_set_receiver(raw, 32000);
	ck_assert_int_eq(meshmsg_decode(raw, sizeof(raw), &m), ERR_OK);
	ck_assert_uint_eq(m.sender, 2001);
	ck_assert_uint_eq(m.receiver, 32000);
	ck_assert_int_eq(m.kind, MESHMSG_PING);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, opens_the_header_of_a_module_message);
	tcase_add_test(tc, opens_the_header_of_a_vendor_message);
	tcase_add_test(tc, opens_messages_without_module);
	tcase_add_test(tc, refuses_all_types_outside_the_table_and_short_ones_inside);
	tcase_add_test(tc, kinds_need_type_module_and_action);
	tcase_add_test(tc, every_kind_has_a_name_of_its_own);
	tcase_add_test(tc, writes_module_and_vendor_headers);
	tcase_add_test(tc, writes_no_message_that_would_be_refused);
	tcase_add_test(tc, knows_whom_a_message_is_for);
	tcase_add_test(tc, sender_and_receiver_are_replaced_in_place);
}

int main(void)
{
	return suite_main("meshmsg", fill);
}
