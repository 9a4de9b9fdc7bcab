#include "unit/mesh/bluez_rig.h"

/* What the log says to whoever can do something about it: once, and what to do. */

static void refused(const char *error, const char *words)
{
	begin_bus();
	hear_log();
	bz.answers[SCRIPT_LIST].error = error;
	bz.answers[SCRIPT_LIST].is_wrong_type = !error;
	open_link(NULL);
	until_told(words, 1);
	pass_ms(1500);
	until(&bz.calls[SCRIPT_LIST], 2);
	nothing_more();
	ck_assert_int_eq(told(words), 1);
	bz.answers[SCRIPT_LIST] = (struct script_answer){0};
	pass_ms(1500);
	until(&adapter_on, 1);
	ck_assert_int_eq(told("warning"), 1);
	end();
}

START_TEST(bluetoothd_that_refuses_us_is_told)
{
	refused("org.freedesktop.DBus.Error.AccessDenied", "dbus-1/system.d/enrolld.conf");
	refused("org.bluez.Error.Failed", "error=org.bluez.Error.Failed");
	refused(NULL, "wrong type");
}
END_TEST

/* It is told already that it goes, or will be. */
START_TEST(bluetoothd_that_dies_while_it_is_asked_refuses_nothing)
{
	begin_bus();
	hear_log();
	bz.answers[SCRIPT_LIST].is_silent = true;
	open_link(NULL);
	until(&bz.calls[SCRIPT_LIST], 1);
	bluez_script_die(&bz);
	until_told("bluetoothd has gone", 1);
	ck_assert_int_eq(told("warning"), 1);
	end();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, bluetoothd_that_refuses_us_is_told);
	tcase_add_test(tc, bluetoothd_that_dies_while_it_is_asked_refuses_nothing);
}

int main(void)
{
	return suite_main("link_bluez_told", fill);
}
