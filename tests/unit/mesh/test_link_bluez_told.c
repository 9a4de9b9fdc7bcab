#include "base/log.h"
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

/* bluetoothd powers adapters itself, a moment after it has listed them. */
static void no_adapter(const char *wanted, bool has_adapter, const char *words)
{
	begin_bus();
	hear_log();
	bz.has_adapter = has_adapter;
	bz.is_powered = false;
	open_link(wanted);
	until(&bz.calls[SCRIPT_LIST], 1);
	nothing_more();
	pass_ms(4999);
	ck_assert_int_eq(told("warning"), 0);
	pass_ms(1);
	ck_assert_int_eq(told(words), 1);
}

START_TEST(adapter_that_is_off_is_told)
{
	const char *words = "adapter hci0 is off: rfkill unblock bluetooth; bluetoothctl power on";

	no_adapter(NULL, true, words);
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Discovering", false);
	nothing_more();
	pass_ms(5000);
	ck_assert_int_eq(told("warning"), 1); /* nothing has changed */
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Powered", true);
	until(&adapter_on, 1);
	pass_ms(5000);
	ck_assert_int_eq(told("warning"), 1);
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Powered", false);
	until(&adapter_off, 1);
	pass_ms(5000);
	ck_assert_int_eq(told(words), 2);
	end();
	no_adapter("hci0", true, words);
	end();
}
END_TEST

START_TEST(adapter_that_is_not_there_is_told)
{
	no_adapter("hci1", true, "adapter hci1 not found (there is: hci0)");
	end();
	no_adapter("hci1", false, "adapter hci1 not found (there is none)");
	end();
	no_adapter(NULL, false, "no adapter");
	end();
}
END_TEST

START_TEST(adapter_that_is_powered_in_time_is_not_told)
{
	begin_bus();
	hear_log();
	bz.is_powered = false;
	open_link(NULL);
	until(&bz.calls[SCRIPT_LIST], 1);
	nothing_more();
	pass_ms(4000);
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Powered", true);
	until(&adapter_on, 1);
	pass_ms(4000);
	ck_assert_int_eq(told("warning"), 0);
	end();
}
END_TEST

/* Until our next try to have bluetoothd started, when there is nothing else to wait for. */
static uint64_t left_ms(void)
{
	uint64_t ms = 0;

	ck_assert(timers_next(&timers, &ms));
	return ms;
}

/* No unit of this bus starts it, as when it is masked: the bus logs two lines for each try. */
START_TEST(bluetoothd_that_does_not_start_is_asked_for_ever_less_often)
{
	static const unsigned seconds[] = {5, 10, 20, 40, 80, 160, 300, 300};

	begin();
	hear_log();
	for (int round = 1; round <= 2; round++) {
		bluez_script_die(&bz);
		until(&adapter_off, 1);
		adapter_off = 0;
		ck_assert_uint_eq(left_ms(), 1500);
		pass_ms(1500);
		until_told("bluetoothd does not start error=", round);
		for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
			ck_assert_uint_eq(left_ms(), seconds[i] * 1000);
			pass_ms(seconds[i] * 1000);
		}
		bluez_script_start(&bz, base, bus.address);
		until(&adapter_on, 1 + round);
		ck_assert_int_eq(told("bluetoothd does not start error="), round);
	}
	end();
}
END_TEST

/* What the bus takes with it was not left unanswered by bluetoothd. */
static void bus_goes(enum script_method silent)
{
	begin_bus();
	hear_log();
	bz.answers[silent].is_silent = true;
	open_link(NULL);
	link_.ops->scan(link_.impl, true);
	until(&bz.calls[silent], 1);
	private_bus_kill(&bus);
	until_told("bluetoothd has gone", 1);
	ck_assert_int_eq(told("does not"), 0);
	end();
}

START_TEST(bus_that_goes_is_no_bluetoothd_that_hangs)
{
	bus_goes(SCRIPT_LIST);
	bus_goes(SCRIPT_SET_FILTER);
	bus_goes(SCRIPT_START);
}
END_TEST

START_TEST(mtu_too_small_for_a_packet_is_told)
{
	begin();
	hear_log();
	log_set_level(LOG_LEVEL_DEBUG);
	bz.mtu = 22;
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	device("ServicesResolved", true);
	until_told("AcquireWrite failed error=\"out of range\"", 1);
	end();
}
END_TEST

static void pass_until_start(int number)
{
	while (bz.calls[SCRIPT_START] < number) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		pass_ms(100);
	}
}

/* Once, until it works. */
START_TEST(discovery_that_does_not_begin_is_told)
{
	const char *words = "discovery has stopped by itself";

	begin();
	hear_log();
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Discovering", false);
	settle();
	pass_until_start(4);
	ck_assert_int_eq(told(words), 1);
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Discovering", true);
	settle();
	pass_until_start(6);
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Discovering", false);
	settle();
	pass_until_start(9);
	ck_assert_int_eq(told(words), 2);
	end();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, bluetoothd_that_refuses_us_is_told);
	tcase_add_test(tc, bluetoothd_that_dies_while_it_is_asked_refuses_nothing);
	tcase_add_test(tc, adapter_that_is_off_is_told);
	tcase_add_test(tc, adapter_that_is_not_there_is_told);
	tcase_add_test(tc, adapter_that_is_powered_in_time_is_not_told);
	tcase_add_test(tc, mtu_too_small_for_a_packet_is_told);
	tcase_add_test(tc, discovery_that_does_not_begin_is_told);
	tcase_add_test(tc, bus_that_goes_is_no_bluetoothd_that_hangs);
	tcase_add_test(tc, bluetoothd_that_does_not_start_is_asked_for_ever_less_often);
}

int main(void)
{
	return suite_main("link_bluez_told", fill);
}
