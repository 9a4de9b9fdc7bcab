#include "vm/l2cap.h"

#include "unit/suite.h"

static const uint8_t frame[] = {5, 0, 4, 0, 1, 2, 3, 4, 5};

static struct span part(size_t from, size_t n)
{
	return (struct span){frame + from, n};
}

START_TEST(takes_a_whole_frame)
{
	struct l2cap_in in = {0};
	struct l2cap_frame f;

	ck_assert_int_eq(l2cap_feed(&in, true, part(0, sizeof(frame)), &f), ERR_OK);
	ck_assert_uint_eq(f.channel, L2CAP_ATT);
	ck_assert_uint_eq(f.data.n, 5);
	ck_assert_mem_eq(f.data.p, frame + 4, 5);
}
END_TEST

START_TEST(puts_parts_together_wherever_they_are_cut)
{
	for (size_t cut = 0; cut < sizeof(frame); cut++) {
		struct l2cap_in in = {0};
		struct l2cap_frame f;

		ck_assert_int_eq(l2cap_feed(&in, true, part(0, cut), &f), ERR_SHORT);
		if (cut == 0)
			continue; /* nothing has begun */
		ck_assert_int_eq(
			l2cap_feed(&in, false, part(cut, sizeof(frame) - cut), &f), ERR_OK);
		ck_assert_mem_eq(f.data.p, frame + 4, 5);
	}
}
END_TEST

START_TEST(drops_what_is_wrong_and_goes_on)
{
	static const uint8_t trailing[] = {1, 0, 4, 0, 1, 2};
	static const uint8_t endless[] = {0xFF, 0xFF, 4, 0};
	struct l2cap_in in = {0};
	struct l2cap_frame f;

	ck_assert_int_eq(l2cap_feed(&in, false, part(4, 2), &f), ERR_STATE);
	ck_assert_int_eq(
		l2cap_feed(&in, true, (struct span){trailing, sizeof(trailing)}, &f), ERR_TRAILING);
	ck_assert_int_eq(l2cap_feed(&in, false, part(4, 2), &f), ERR_STATE);
	ck_assert_int_eq(
		l2cap_feed(&in, true, (struct span){endless, sizeof(endless)}, &f), ERR_FULL);
	ck_assert_int_eq(l2cap_feed(&in, true, part(0, 6), &f), ERR_SHORT);
	ck_assert_int_eq(l2cap_feed(&in, true, part(0, sizeof(frame)), &f), ERR_OK);
}
END_TEST

START_TEST(never_holds_more_than_its_room)
{
	static const uint8_t big[L2CAP_MAX] = {L2CAP_MAX & 0xFF, L2CAP_MAX >> 8, 4, 0};
	struct l2cap_in in = {0};
	struct l2cap_frame f;

	ck_assert_int_eq(l2cap_feed(&in, true, (struct span){big, sizeof(big)}, &f), ERR_SHORT);
	ck_assert_int_eq(l2cap_feed(&in, false, (struct span){big, sizeof(big)}, &f), ERR_FULL);
}
END_TEST

START_TEST(encodes)
{
	uint8_t b[sizeof(frame)];
	size_t n;

	ck_assert_int_eq(l2cap_encode(L2CAP_ATT, frame + 4, 5, b, sizeof(b), &n), ERR_OK);
	ck_assert_uint_eq(n, sizeof(frame));
	ck_assert_mem_eq(b, frame, n);
	ck_assert_int_eq(l2cap_encode(L2CAP_ATT, frame, 6, b, sizeof(b), &n), ERR_FULL);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, takes_a_whole_frame);
	tcase_add_test(tc, puts_parts_together_wherever_they_are_cut);
	tcase_add_test(tc, drops_what_is_wrong_and_goes_on);
	tcase_add_test(tc, never_holds_more_than_its_room);
	tcase_add_test(tc, encodes);
}

int main(void)
{
	return suite_main("l2cap", fill);
}
