/* A discovery that hangs is ended by the adapter's power switch, and nothing else is. */
#include "unit/mesh/bluez_rig.h"

#define IN_PROGRESS "org.bluez.Error.InProgress"
#define STEP_MS 500

/* Told time passes in steps, each long enough for what is called and answered in it. */
static void live_ms(uint64_t ms)
{
	for (uint64_t t = 0; t < ms; t += STEP_MS) {
		pass_ms(STEP_MS);
		nothing_more();
	}
}

static void begin_hanging(enum script_method refused)
{
	begin();
	hear_log();
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Discovering", true);
	settle();
	bz.answers[refused].error = IN_PROGRESS;
}

static void live_until_off(void)
{
	while (bz.off_count == 0)
		live_ms(STEP_MS);
}

static void power(bool on)
{
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Powered", on);
}

/* The end of each scan is refused; as seen, bluetoothd then thinks that it has none, and starts one
 * that hears nobody. */
START_TEST(adapter_is_switched_off_and_on)
{
	begin_hanging(_i == 0 ? SCRIPT_STOP : SCRIPT_START);
	if (_i == 1)
		link_.ops->scan(link_.impl, false);
	link_.ops->scan(link_.impl, true);
	live_ms(29000);
	ck_assert_int_eq(bz.off_count, 0);
	bz.answers[SCRIPT_SET].is_silent = true;
	live_ms(7000);
	ck_assert_int_eq(bz.off_count, 1);
	ck_assert_int_eq(bz.on_count, 0); /* not before it is off */
	bz.answers[SCRIPT_SET].is_silent = false;
	bz.answers[SCRIPT_STOP].error = bz.answers[SCRIPT_START].error = NULL;
	bluez_script_answer_late(&bz);
	power(false);
	until(&adapter_off, 1);
	until(&bz.on_count, 1);
	power(true);
	until(&adapter_on, 2);
	ck_assert_int_eq(told("discovery hangs"), 1);
	live_ms(60000);
	ck_assert_int_eq(bz.off_count, 1);
	end();
}
END_TEST

/* Somebody else's scan may be in the way for a while. */
START_TEST(one_success_is_enough)
{
	begin_hanging(SCRIPT_STOP);
	for (int i = 0; i < 4; i++) {
		bz.answers[SCRIPT_STOP].error = IN_PROGRESS;
		live_ms(20000);
		bz.answers[SCRIPT_STOP].error = NULL;
		live_ms(8000);
	}
	ck_assert_int_eq(bz.off_count, 0);
	end();
}
END_TEST

START_TEST(other_errors_are_none_of_it)
{
	begin_hanging(SCRIPT_STOP);
	bz.answers[SCRIPT_STOP].error = "org.bluez.Error.Failed";
	live_ms(60000);
	bz.answers[SCRIPT_START].error = "org.bluez.Error.NotReady";
	live_ms(60000);
	ck_assert_int_eq(bz.off_count, 0);
	end();
}
END_TEST

START_TEST(cure_that_does_not_help_is_rare)
{
	begin_hanging(SCRIPT_STOP);
	live_ms(290000);
	ck_assert_int_eq(bz.off_count, 1);
	ck_assert_int_eq(bz.on_count, 1);
	live_ms(60000);
	ck_assert_int_eq(bz.off_count, 2);
	end();
}
END_TEST

/* It was us who have switched it off. */
START_TEST(adapter_is_switched_on_until_it_is_on)
{
	begin_hanging(SCRIPT_STOP);
	bz.answers[SCRIPT_SET].is_silent = true;
	live_until_off();
	bz.answers[SCRIPT_SET].is_silent = false;
	bluez_script_answer_late(&bz);
	bz.answers[SCRIPT_SET].error = "org.bluez.Error.Busy";
	while (bz.on_count < 3)
		live_ms(STEP_MS);
	bz.answers[SCRIPT_SET].error = NULL;
	while (bz.on_count < 4)
		live_ms(STEP_MS);
	live_ms(10000);
	ck_assert_int_eq(bz.on_count, 4);
	ck_assert_int_eq(bz.off_count, 1);
	end();
}
END_TEST

/* A bluetoothd that is stuck does it when it is no longer. */
START_TEST(adapter_that_goes_off_late_is_switched_on)
{
	begin_hanging(SCRIPT_STOP);
	bz.answers[SCRIPT_SET].error = "org.freedesktop.DBus.Error.NoReply";
	live_until_off();
	live_ms(20000);
	ck_assert_int_eq(bz.on_count, 0);
	ck_assert_int_eq(told("systemctl restart bluetooth"), 1);
	bz.answers[SCRIPT_SET].error = NULL;
	power(false);
	until(&bz.on_count, 1);
	power(true);
	until(&adapter_on, 2);
	end();
}
END_TEST

/* Refused is refused: whoever switches it off later means it. */
START_TEST(adapter_that_others_switch_off_later_stays_off)
{
	begin_hanging(SCRIPT_STOP);
	bz.answers[SCRIPT_SET].error = "org.bluez.Error.Failed";
	live_until_off();
	bz.answers[SCRIPT_STOP].error = bz.answers[SCRIPT_SET].error = NULL;
	live_ms(10000);
	power(false);
	until(&adapter_off, 1);
	live_ms(5000);
	ck_assert_int_eq(bz.on_count, 0);
	end();
}
END_TEST

/* Refusals before a pause, or before the adapter was switched off, do not count. */
START_TEST(what_lies_long_ago_is_none_of_it)
{
	begin_hanging(SCRIPT_STOP);
	live_ms(20000);
	if (_i == 0) {
		power(false);
		until(&adapter_off, 1);
		live_ms(9000);
		power(true);
		until(&adapter_on, 2);
	} else {
		bz.answers[SCRIPT_STOP].error = "org.bluez.Error.Failed";
		live_ms(60000);
		bz.answers[SCRIPT_STOP].error = IN_PROGRESS;
	}
	live_ms(8000);
	ck_assert_int_eq(bz.off_count, 0);
	end();
}
END_TEST

/* Our own end in the midst of it leaves no adapter that is off. */
START_TEST(adapter_is_switched_on_at_the_end)
{
	begin_hanging(SCRIPT_STOP);
	bz.answers[SCRIPT_SET].is_silent = true;
	live_until_off();
	link_.ops->free(link_.impl);
	nothing_more();
	ck_assert_int_eq(bz.on_count, 1);
	open_link(NULL); /* for end() */
	end();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_loop_test(tc, adapter_is_switched_off_and_on, 0, 2);
	tcase_add_test(tc, one_success_is_enough);
	tcase_add_test(tc, other_errors_are_none_of_it);
	tcase_add_test(tc, cure_that_does_not_help_is_rare);
	tcase_add_test(tc, adapter_is_switched_on_until_it_is_on);
	tcase_add_test(tc, adapter_that_goes_off_late_is_switched_on);
	tcase_add_test(tc, adapter_that_others_switch_off_later_stays_off);
	tcase_add_loop_test(tc, what_lies_long_ago_is_none_of_it, 0, 2);
	tcase_add_test(tc, adapter_is_switched_on_at_the_end);
}

int main(void)
{
	return suite_main("link_bluez_hang", fill);
}
