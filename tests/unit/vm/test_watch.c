#include "vm/watch.h"

#include "unit/suite.h"

static const uint8_t start[21] = {25, 0x00, 0x7D, 0, 0, 1, 2};
static struct watch w;

static const char *writes(size_t n)
{
	return watch_write(&w, (struct span){start, n});
}

static void begin(void)
{
	watch_reset(&w);
}

static void subscribed(void)
{
	ck_assert_ptr_null(watch_mtu(&w));
	ck_assert_ptr_null(watch_subscribe(&w));
	watch_subscribed(&w);
}

START_TEST(is_content_with_the_right_order)
{
	subscribed();
	ck_assert_ptr_null(writes(11));
	for (size_t n = 1; n <= 20; n++)
		ck_assert_ptr_null(writes(n));
}
END_TEST

START_TEST(refuses_lengths)
{
	subscribed();
	ck_assert_ptr_null(writes(11));
	ck_assert_str_eq(writes(21), "write of more than 20 bytes");
	ck_assert_str_eq(writes(0), "write of no bytes");
}
END_TEST

START_TEST(refuses_other_orders)
{
	ck_assert_str_eq(watch_subscribe(&w), "subscription before the MTU exchange");
	ck_assert_str_eq(watch_mtu(&w), "MTU exchanged after the subscription");
	ck_assert_str_eq(writes(11), "write before the subscription was answered");
	begin();
	ck_assert_ptr_null(watch_mtu(&w));
	ck_assert_str_eq(watch_mtu(&w), "MTU exchanged twice");
	ck_assert_str_eq(writes(11), "write before the subscription was answered");
	begin();
	subscribed();
	ck_assert_str_eq(writes(12), "first write is not START");
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, begin, NULL);
	tcase_add_test(tc, is_content_with_the_right_order);
	tcase_add_test(tc, refuses_lengths);
	tcase_add_test(tc, refuses_other_orders);
}

int main(void)
{
	return suite_main("watch", fill);
}
