#include "mesh/link_dgram.h"

#include "unit/suite.h"

struct golden {
	struct link_dgram d;
	size_t n;
	uint8_t b[LINK_DGRAM_MAX];
	bool is_open_ended; /* the last field may be shorter or longer */
};

static const uint8_t pdu[3] = {0xAA, 0xBB, 0xCC};

static const struct golden rows[] = {
	{{.type = LINK_DGRAM_ADVERT,
		 .addr = {1, {1, 2, 3, 4, 5, 0xC6}},
		 .rssi_dbm = -60,
		 .connectable = true,
		 .data = {pdu, 3}},
		16, {1, 1, 0, 0, 1, 1, 2, 3, 4, 5, 0xC6, 0xC4, 1, 0xAA, 0xBB, 0xCC}, true},
	{{.type = LINK_DGRAM_CONNECT, .link = 0x0102, .addr = {0, {1, 2, 3, 4, 5, 6}}}, 11,
		{1, 2, 2, 1, 0, 1, 2, 3, 4, 5, 6}, false},
	{{.type = LINK_DGRAM_CONNECTED, .link = 7}, 4, {1, 3, 7, 0}, false},
	{{.type = LINK_DGRAM_WRITE, .link = 7, .data = {pdu, 3}}, 7, {1, 4, 7, 0, 0xAA, 0xBB, 0xCC},
		true},
	{{.type = LINK_DGRAM_NOTIFY, .link = 7, .data = {pdu, 3}}, 7,
		{1, 5, 7, 0, 0xAA, 0xBB, 0xCC}, true},
	{{.type = LINK_DGRAM_DISCONNECTED, .link = 7, .reason = LINK_DOWN_SETUP}, 5,
		{1, 6, 7, 0, 3}, false},
	{{.type = LINK_DGRAM_TIME, .now_ms = 0x0102030405060708}, 12,
		{1, 7, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1}, false},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void same(const struct link_dgram *a, const struct link_dgram *b)
{
	ck_assert_int_eq(a->type, b->type);
	ck_assert_uint_eq(a->link, b->link);
	ck_assert(link_addr_equal(&a->addr, &b->addr));
	ck_assert_int_eq(a->rssi_dbm, b->rssi_dbm);
	ck_assert_int_eq(a->connectable, b->connectable);
	ck_assert_int_eq(a->reason, b->reason);
	ck_assert_uint_eq(a->now_ms, b->now_ms);
	ck_assert_uint_eq(a->data.n, b->data.n);
	if (a->data.n > 0)
		ck_assert_mem_eq(a->data.p, b->data.p, a->data.n);
}

START_TEST(golden_both_ways)
{
	for (size_t i = 0; i < ROWS; i++) {
		uint8_t b[LINK_DGRAM_MAX];
		struct link_dgram d;
		size_t n;

		ck_assert_int_eq(link_dgram_encode(&rows[i].d, b, &n), ERR_OK);
		ck_assert_uint_eq(n, rows[i].n);
		ck_assert_mem_eq(b, rows[i].b, n);
		ck_assert_int_eq(link_dgram_decode(b, n, &d), ERR_OK);
		same(&d, &rows[i].d);
	}
}
END_TEST

START_TEST(refuses_every_truncated_prefix)
{
	for (size_t i = 0; i < ROWS; i++) {
		size_t least = rows[i].is_open_ended ? rows[i].n - rows[i].d.data.n : rows[i].n;
		struct link_dgram d;

		for (size_t n = 0; n < least; n++)
			ck_assert_int_eq(link_dgram_decode(rows[i].b, n, &d), ERR_SHORT);
	}
}
END_TEST

START_TEST(refuses_trailing_and_oversized)
{
	for (size_t i = 0; i < ROWS; i++) {
		uint8_t b[LINK_DGRAM_MAX + 40] = {0};
		struct link_dgram d;
		size_t most = rows[i].n;

		memcpy(b, rows[i].b, rows[i].n);
		if (rows[i].d.type == LINK_DGRAM_ADVERT)
			most = LINK_DGRAM_MAX;
		else if (rows[i].is_open_ended)
			most = LINK_DGRAM_HEADER + LINK_PDU_MAX;
		ck_assert_int_eq(link_dgram_decode(b, most, &d), ERR_OK);
		for (size_t n = most + 1; n < sizeof(b); n++)
			ck_assert_int_eq(link_dgram_decode(b, n, &d),
				rows[i].is_open_ended ? ERR_RANGE : ERR_TRAILING);
	}
}
END_TEST

START_TEST(refuses_empty_packets)
{
	static const uint8_t empty[4] = {1, 4, 7, 0};
	struct link_dgram d = {.type = LINK_DGRAM_WRITE, .link = 7};
	uint8_t b[LINK_DGRAM_MAX];
	size_t n;

	ck_assert_int_eq(link_dgram_decode(empty, sizeof(empty), &d), ERR_RANGE);
	ck_assert_int_eq(link_dgram_encode(&d, b, &n), ERR_RANGE);
}
END_TEST

START_TEST(refuses_other_versions_and_types)
{
	for (unsigned v = 0; v < 256; v++) {
		uint8_t b[4] = {(uint8_t)v, 3, 7, 0};
		struct link_dgram d;

		ck_assert_int_eq(link_dgram_decode(b, 4, &d), v == 1 ? ERR_OK : ERR_VERSION);
		b[0] = 1;
		b[1] = (uint8_t)v;
		if (v < 1 || v > 7)
			ck_assert_int_eq(link_dgram_decode(b, 4, &d), ERR_UNKNOWN);
	}
}
END_TEST

START_TEST(refuses_misplaced_link_numbers_reasons_and_flags)
{
	static const uint8_t no_link[4] = {1, 3, 0, 0};
	static const uint8_t linked_time[12] = {1, 7, 1, 0};
	static const uint8_t reason[5] = {1, 6, 7, 0, 5};
	static const uint8_t flags[13] = {1, 1, 0, 0, 1, 1, 2, 3, 4, 5, 6, 0, 2};
	struct link_dgram d;

	ck_assert_int_eq(link_dgram_decode(no_link, sizeof(no_link), &d), ERR_RANGE);
	ck_assert_int_eq(link_dgram_decode(linked_time, sizeof(linked_time), &d), ERR_RANGE);
	ck_assert_int_eq(link_dgram_decode(reason, sizeof(reason), &d), ERR_RANGE);
	ck_assert_int_eq(link_dgram_decode(flags, sizeof(flags), &d), ERR_RANGE);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, golden_both_ways);
	tcase_add_test(tc, refuses_every_truncated_prefix);
	tcase_add_test(tc, refuses_trailing_and_oversized);
	tcase_add_test(tc, refuses_empty_packets);
	tcase_add_test(tc, refuses_other_versions_and_types);
	tcase_add_test(tc, refuses_misplaced_link_numbers_reasons_and_flags);
}

int main(void)
{
	return suite_main("link_dgram", fill);
}
