#include "mesh/link_bluez.h"

#include <dirent.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/mesh/bluez_rig.h"

START_TEST(connects_subscribes_hears_and_writes)
{
	uint8_t b[64] = {1, 2, 3};

	begin();
	ck_assert_int_eq(bz.filters_seen, 1);
	connect_ready();
	ck_assert_int_eq(bz.calls[SCRIPT_NOTIFY], 1);
	ck_assert_int_eq(bz.calls[SCRIPT_WRITE], 1);
	for (int i = 0; i < 50; i++)
		bluez_script_notify(&bz, b, 20);
	until(&notify_count, 50);
	bluez_script_notify(&bz, b, 21); /* longer than a PDU: dropped */
	bluez_script_notify(&bz, b, 0);
	bluez_script_notify(&bz, b, 7);
	until(&notify_count, 51);
	ck_assert_uint_eq(last_bytes, 7);
	ck_assert_int_eq(link_.ops->write(link_.impl, conn, (struct span){b, 0}), ERR_RANGE);
	ck_assert_int_eq(link_.ops->write(link_.impl, conn, (struct span){b, 21}), ERR_RANGE);
	ck_assert_int_eq(link_.ops->write(link_.impl, conn, (struct span){b, 20}), ERR_OK);
	ck_assert_int_eq(recv(bz.write_fd, b, sizeof(b), 0), 20);
	end();
}
END_TEST

static void expect_lost(void)
{
	settle();
	pass_ms(1);
	ck_assert_int_eq(down_count, 1);
	ck_assert_int_eq(last_down, LINK_DOWN_LOST);
}

START_TEST(last_words_are_heard_before_the_link_is_lost)
{
	uint8_t b[20] = {1};

	begin();
	connect_ready();
	bz.answers[SCRIPT_GET].is_silent = true;
	bluez_script_hang_up(&bz);
	until(&bz.calls[SCRIPT_GET],
		1); /* the end of the socket is known, and what was before it is not */
	bluez_script_notify(&bz, b, 20);
	until(&notify_count, 1);
	pass_ms(1);
	ck_assert_int_eq(down_count, 0);
	device("Connected", false);
	expect_lost();
	end();
}
END_TEST

START_TEST(link_is_lost_with_its_socket_if_nobody_says_so)
{
	begin();
	connect_ready();
	bluez_script_hang_up(&bz);
	until(&bz.calls[SCRIPT_GET], 1);
	expect_lost();
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 0);
	end();
}
END_TEST

/* After a Service Changed, bluetoothd frees the characteristic and its socket; the link stays. */
START_TEST(link_that_outlives_its_socket_is_ended)
{
	begin();
	connect_ready();
	bz.is_connected = true;
	bluez_script_hang_up(&bz);
	until(&bz.calls[SCRIPT_GET], 1);
	expect_lost();
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 1);
	end();
}
END_TEST

/* bluetoothd would subscribe by itself in the next connection, before we are there to hear. */
START_TEST(subscription_ends_with_its_connection)
{
	begin();
	connect_ready();
	ck_assert_int_eq(bz.calls[SCRIPT_STOP_NOTIFY], 0);
	device("Connected", false);
	until(&bz.calls[SCRIPT_STOP_NOTIFY], 1);
	pass_ms(1);
	connect_ready();
	link_.ops->disconnect(link_.impl, conn);
	until(&bz.calls[SCRIPT_STOP_NOTIFY], 2);
	pass_ms(1);
	device("Connected", false);
	bz.answers[SCRIPT_NOTIFY].error = "org.bluez.Error.Failed";
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 3);
	device("ServicesResolved", true);
	until(&bz.calls[SCRIPT_STOP_NOTIFY], 3);
	ck_assert_int_eq(bz.calls[SCRIPT_NOTIFY], 3);
	end();
}
END_TEST

START_TEST(what_is_notified_before_it_is_ready_is_not_passed_on)
{
	const uint8_t b[20] = {1};

	begin();
	bz.answers[SCRIPT_WRITE].is_silent = true;
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	device("ServicesResolved", true);
	until(&bz.calls[SCRIPT_WRITE], 1);
	bluez_script_notify(&bz, b, sizeof(b));
	settle();
	ck_assert_int_eq(notify_count, 0);
	end();
}
END_TEST

/* The device is never said to be connected; the next connection still waits for its end. */
START_TEST(waits_for_the_old_link_to_end_even_if_it_never_began)
{
	begin();
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	device("ServicesResolved", true);
	until(&ready_count, 1);
	is_inside = true;
	link_.ops->disconnect(link_.impl, conn);
	is_inside = false;
	pass_ms(1);
	ck_assert_int_eq(last_down, LINK_DOWN_LOCAL);
	open_conn();
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	pass_ms(1000);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_CONNECT], 1);
	device("ServicesResolved", false);
	device("Connected", false);
	until(&bz.calls[SCRIPT_CONNECT], 2);
	end();
}
END_TEST

START_TEST(asks_when_the_end_is_not_signalled)
{
	begin();
	connect_ready();
	link_.ops->disconnect(link_.impl, conn);
	pass_ms(1);
	open_conn();
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	pass_ms(1000);
	pass_ms(1000);
	pass_ms(1000);
	pass_ms(1000);
	until(&bz.calls[SCRIPT_GET], 1);
	until(&bz.calls[SCRIPT_CONNECT], 2);
	end();
}
END_TEST

/* Resolved, and its characteristics are not there. */
static void begin_without_chars(void)
{
	begin();
	link_.ops->free(link_.impl);
	bluez_script_die(&bz);
	bluez_script_start(&bz, base, bus.address);
	bz.has_chars = false;
	while (!bz.is_up)
		event_base_loop(base, EVLOOP_ONCE);
	open_link(NULL);
	until(&adapter_on, 2);
	link_.ops->scan(link_.impl, true);
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	device("ServicesResolved", true);
	settle();
}

START_TEST(resolved_before_its_characteristics)
{
	begin_without_chars();
	pass_ms(1499);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 0);
	bluez_script_add_chars(&bz);
	until(&ready_count, 1);
	ck_assert_int_eq(bz.calls[SCRIPT_REMOVE], 0);
	end();
}
END_TEST

START_TEST(silent_connect_is_cancelled_after_its_limit)
{
	begin();
	bz.answers[SCRIPT_CONNECT].is_silent = true;
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	pass_ms(44999);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 0);
	pass_ms(1);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	pass_ms(1);
	ck_assert_int_eq(down_count, 1);
	ck_assert_int_eq(last_down, LINK_DOWN_CONNECT);
	end();
}
END_TEST

START_TEST(failed_connect_is_tried_again_a_few_times)
{
	begin();
	bz.answers[SCRIPT_CONNECT].error = "org.bluez.Error.Failed";
	open_conn();
	for (int i = 1; i <= 4; i++) {
		until(&bz.calls[SCRIPT_CONNECT], i);
		settle();
		if (i < 4)
			pass_ms(2000);
	}
	settle();
	pass_ms(1);
	ck_assert_int_eq(down_count, 1);
	ck_assert_int_eq(last_down, LINK_DOWN_CONNECT);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_CONNECT], 4);
	open_conn(); /* whoever asked is told to be patient */
	pass_ms(400);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_CONNECT], 4);
	while (bz.calls[SCRIPT_CONNECT] < 5) {
		pass_ms(100);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	end();
}
END_TEST

/* No advert, no Connect: it has not failed, and is not made to wait when it is heard. */
START_TEST(device_that_was_not_heard_has_no_back_off)
{
	int adverts;

	begin();
	bluez_script_remove_device(&bz);
	nothing_more();
	open_conn();
	pass_ms(45000);
	pass_ms(1);
	ck_assert_int_eq(down_count, 1);
	ck_assert_int_eq(last_down, LINK_DOWN_CONNECT);
	adverts = advert_count;
	bluez_script_add_device(&bz);
	until(&advert_count, adverts + 1);
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	end();
}
END_TEST

/* bluetoothd's path of a device has no type. */
START_TEST(one_connection_to_a_path)
{
	struct link_addr public = addr;
	uint16_t second;

	begin();
	open_conn();
	public.type = 0;
	ck_assert_int_eq(link_.ops->connect(link_.impl, &public, &second), ERR_CONFLICT);
	end();
}
END_TEST

START_TEST(silent_subscription_is_tried_again)
{
	begin();
	bz.answers[SCRIPT_NOTIFY].is_silent = true;
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	device("ServicesResolved", true);
	until(&bz.calls[SCRIPT_NOTIFY], 1);
	pass_ms(5000);
	pass_ms(250);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	bz.answers[SCRIPT_NOTIFY].is_silent = false;
	device("Connected", false);
	until(&bz.calls[SCRIPT_CONNECT], 2);
	device("ServicesResolved", true);
	until(&ready_count, 1);
	ck_assert_int_eq(bz.calls[SCRIPT_REMOVE], 0);
	end();
}
END_TEST

/* The link is still up then: nobody else would end it. */
static void refuse_subscription(void)
{
	begin();
	bz.answers[SCRIPT_NOTIFY].error = "org.bluez.Error.Failed";
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	device("ServicesResolved", true);
	until(&bz.calls[SCRIPT_NOTIFY], 1);
	settle();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 0);
}

START_TEST(disconnect_before_the_next_try_ends_the_link)
{
	refuse_subscription();
	link_.ops->disconnect(link_.impl, conn);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 1);
	pass_ms(1);
	ck_assert_int_eq(last_down, LINK_DOWN_LOCAL);
	end();
}
END_TEST

START_TEST(free_before_the_next_try_ends_the_link)
{
	refuse_subscription();
	link_.ops->free(link_.impl);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 1);
	open_link(NULL);
	until(&adapter_on, 2);
	end();
}
END_TEST

START_TEST(disconnect_after_a_failed_connect_has_no_link_to_end)
{
	begin();
	bz.answers[SCRIPT_CONNECT].error = "org.bluez.Error.Failed";
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	settle();
	link_.ops->disconnect(link_.impl, conn);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 0);
	end();
}
END_TEST

START_TEST(table_that_is_not_the_nodes_is_cured_by_removing_the_device)
{
	int adverts;

	begin_without_chars();
	pass_ms(1500);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_REMOVE], 0); /* not while it is connected */
	device("Connected", false);
	until(&bz.calls[SCRIPT_REMOVE], 1);
	adverts = advert_count;
	bluez_script_remove_device(&bz);
	bluez_script_add_device(&bz);
	until(&advert_count, adverts + 1); /* that of the new object */
	pass_ms(1000);
	until(&bz.calls[SCRIPT_CONNECT], 2);
	bluez_script_add_chars(&bz);
	device("ServicesResolved", true);
	until(&ready_count, 1);
	end();
}
END_TEST

/* Its link is ended only after 10 s when others are being made, and then takes its time. */
START_TEST(cure_has_the_patience_that_it_needs)
{
	static const struct link_addr silent = {1, {2, 0, 0, 0, 0xE5, 0xC0}};

	begin_without_chars();
	bz.answers[SCRIPT_CONNECT].is_silent = true;
	ck_assert_int_eq(link_.ops->connect(link_.impl, &silent, &conn), ERR_OK);
	pass_ms(1);
	until(&bz.calls[SCRIPT_CONNECT], 2);
	pass_ms(1500);
	pass_ms(10000);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	pass_ms(2500);
	device("Connected", false);
	until(&bz.calls[SCRIPT_REMOVE], 1);
	end();
}
END_TEST

START_TEST(refuses_answers_of_a_wrong_type)
{
	static const enum script_method which[] = {SCRIPT_CONNECT, SCRIPT_NOTIFY, SCRIPT_WRITE};

	for (size_t i = 0; i < 3; i++) {
		begin();
		bz.answers[which[i]].is_wrong_type = true;
		open_conn();
		for (int n = 1; n <= 4; n++) {
			until(&bz.calls[SCRIPT_CONNECT], n);
			device("ServicesResolved", true);
			until(&bz.calls[which[i]], n);
			settle();
			device("Connected", false);
			settle();
			pass_ms(3000);
		}
		settle();
		pass_ms(1);
		ck_assert_int_eq(ready_count, 0);
		ck_assert_int_eq(down_count, 1);
		end();
	}
}
END_TEST

START_TEST(mtu_too_small_for_a_packet_is_no_connection)
{
	begin();
	bz.mtu = 22;
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	device("ServicesResolved", true);
	until(&bz.calls[SCRIPT_WRITE], 1);
	nothing_more();
	ck_assert_int_eq(ready_count, 0);
	end();
}
END_TEST

START_TEST(signals_of_wrong_types_change_nothing)
{
	begin();
	connect_ready();
	bluez_script_nonsense(&bz);
	settle();
	pass_ms(1);
	ck_assert_int_eq(down_count, 0);
	ck_assert_int_eq(adapter_off, 0);
	end();
}
END_TEST

START_TEST(signals_of_strangers_change_nothing)
{
	struct bluez_script stranger;

	begin();
	connect_ready();
	stranger = (struct bluez_script){.base = base, .loop = bystander};
	bluez_script_property(&stranger, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Powered", false);
	bluez_script_property(&stranger, SCRIPT_DEVICE, "org.bluez.Device1", "Connected", false);
	nothing_more();
	pass_ms(1);
	ck_assert_int_eq(adapter_off, 0);
	ck_assert_int_eq(down_count, 0);
	end();
}
END_TEST

START_TEST(discovery_is_tried_until_it_works)
{
	static const char *const errors[] = {"org.bluez.Error.InProgress",
		"org.bluez.Error.NotReady", "org.freedesktop.DBus.Error.UnknownObject"};

	begin();
	link_.ops->scan(link_.impl, false);
	until(&bz.calls[SCRIPT_STOP], 1);
	bz.answers[SCRIPT_START].error = errors[0];
	link_.ops->scan(link_.impl, true);
	for (int i = 0; i < 3; i++) {
		bz.answers[SCRIPT_START].error = errors[i];
		while (bz.calls[SCRIPT_START] < 2 + i) {
			event_base_loop(base, EVLOOP_NONBLOCK);
			pass_ms(100);
		}
	}
	bz.answers[SCRIPT_START].error = NULL;
	while (bz.calls[SCRIPT_START] < 5) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		pass_ms(100);
	}
	ck_assert_int_ge(bz.calls[SCRIPT_STOP], 2); /* after InProgress */
	end();
}
END_TEST

static void discovering(void)
{
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Discovering", true);
	settle();
}

/* The kernel has the controller report everybody once a scan. */
START_TEST(scans_anew_while_nobody_is_heard_twice)
{
	begin();
	discovering();
	pass_ms(2900);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_STOP], 0);
	pass_ms(100);
	until(&bz.calls[SCRIPT_STOP], 1);
	until(&bz.calls[SCRIPT_START], 2);
	settle();
	pass_ms(1000);
	settle(); /* the same node: this radio does not filter */
	pass_ms(3000);
	settle();
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_STOP], 1);
	pass_ms(3000); /* once only in this one */
	until(&bz.calls[SCRIPT_START], 3);
	ck_assert_int_eq(bz.calls[SCRIPT_STOP], 2);
	end();
}
END_TEST

/* While it scans, the kernel makes a link only upon a report of that peer. */
START_TEST(hushes_for_a_connect_and_listens_in_between)
{
	begin();
	discovering();
	bz.answers[SCRIPT_CONNECT].is_silent = true;
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	pass_ms(900);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_STOP], 0);
	pass_ms(100); /* the others are heard so long */
	until(&bz.calls[SCRIPT_STOP], 1);
	settle();
	pass_ms(3900);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_START], 1);
	pass_ms(100); /* a peer that is silent */
	until(&bz.calls[SCRIPT_START], 2);
	settle();
	pass_ms(1000);
	until(&bz.calls[SCRIPT_STOP], 2);
	settle();
	link_.ops->disconnect(link_.impl, conn);
	pass_ms(1);
	until(&bz.calls[SCRIPT_START], 3); /* nobody connects any more: at once */
	end();
}
END_TEST

START_TEST(power_off_ends_all_and_power_on_starts_again)
{
	begin();
	connect_ready();
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Powered", false);
	until(&adapter_off, 1);
	ck_assert_int_eq(down_count, 1);
	ck_assert_int_eq(last_down, LINK_DOWN_ADAPTER);
	ck_assert_int_eq(link_.ops->connect(link_.impl, &addr, &conn), ERR_STATE);
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Powered", true);
	until(&adapter_on, 2);
	until(&bz.calls[SCRIPT_START], 2);
	end();
}
END_TEST

START_TEST(bluetoothd_dies_and_comes_back)
{
	begin();
	connect_ready();
	bluez_script_die(&bz);
	until(&adapter_off, 1);
	ck_assert_int_eq(down_count, 1);
	adapter_off = 0;
	bluez_script_start(&bz, base, bus.address);
	until(&adapter_on, 2);
	until(&bz.calls[SCRIPT_START], 1);
	connect_ready();
	end();
}
END_TEST

/* Up to where the connection waits for the answer to this call; SCRIPT_METHODS: for
 * ServicesResolved. */
static void get_to(enum script_method silent)
{
	if (silent != SCRIPT_METHODS)
		bz.answers[silent].is_silent = true;
	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	settle();
	if (silent == SCRIPT_NOTIFY || silent == SCRIPT_WRITE) {
		device("Connected", true);
		device("ServicesResolved", true);
		until(&bz.calls[silent], 1);
	}
}

START_TEST(bluetoothd_dies_before_it_is_ready)
{
	static const enum script_method steps[] = {
		SCRIPT_CONNECT, SCRIPT_METHODS, SCRIPT_NOTIFY, SCRIPT_WRITE};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		begin();
		get_to(steps[i]);
		bluez_script_die(&bz);
		until(&adapter_off, 1);
		ck_assert_int_eq(down_count, 1);
		ck_assert_int_eq(last_down, LINK_DOWN_ADAPTER);
		adapter_off = 0;
		bluez_script_start(&bz, base, bus.address);
		until(&adapter_on, 2);
		connect_ready();
		ck_assert_int_eq(down_count, 1);
		end();
	}
}
END_TEST

START_TEST(device_goes_before_it_is_ready)
{
	static const enum script_method steps[] = {SCRIPT_METHODS, SCRIPT_NOTIFY, SCRIPT_WRITE};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int adverts;

		begin();
		get_to(steps[i]);
		bluez_script_remove_device(&bz);
		if (steps[i] != SCRIPT_METHODS)
			bz.answers[steps[i]].is_silent = false;
		adverts = advert_count;
		bluez_script_add_device(&bz);
		until(&advert_count, adverts + 1);
		pass_ms(250);
		until(&bz.calls[SCRIPT_CONNECT], 2);
		device("ServicesResolved", true);
		until(&ready_count, 1);
		ck_assert_int_eq(down_count, 0);
		end();
	}
}
END_TEST

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

START_TEST(socket_that_comes_too_late_is_closed)
{
	unsigned before;

	begin();
	get_to(SCRIPT_WRITE);
	before = count_fds();
	pass_ms(5000);
	bluez_script_answer_late(&bz);
	settle();
	ck_assert_int_eq(
		recv(bz.write_fd, &(char){0}, 1, MSG_DONTWAIT), 0); /* nobody has the other end */
	bluez_script_hang_up(&bz);
	ck_assert_uint_eq(count_fds(), before);
	ck_assert_int_eq(ready_count, 0);
	end();
}
END_TEST

/* kill -9 of this program: bluetoothd keeps the link, and the node its slot. */
START_TEST(links_of_a_former_life_are_ended)
{
	begin();
	bz.is_connected = true;
	link_.ops->free(link_.impl);
	open_link(NULL);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	end();
}
END_TEST

/* Another program's, or another enrolld's. */
START_TEST(links_of_another_adapter_are_not_ours)
{
	begin();
	hear_log();
	bz.is_connected = true;
	link_.ops->free(link_.impl);
	open_link("hci1");
	while (told("adapter hci1 not found") == 0) {
		pass_ms(500);
		nothing_more();
	}
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 0);
	end();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, connects_subscribes_hears_and_writes);
	tcase_add_test(tc, last_words_are_heard_before_the_link_is_lost);
	tcase_add_test(tc, waits_for_the_old_link_to_end_even_if_it_never_began);
	tcase_add_test(tc, asks_when_the_end_is_not_signalled);
	tcase_add_test(tc, resolved_before_its_characteristics);
	tcase_add_test(tc, silent_connect_is_cancelled_after_its_limit);
	tcase_add_test(tc, failed_connect_is_tried_again_a_few_times);
	tcase_add_test(tc, device_that_was_not_heard_has_no_back_off);
	tcase_add_test(tc, one_connection_to_a_path);
	tcase_add_test(tc, silent_subscription_is_tried_again);
	tcase_add_test(tc, table_that_is_not_the_nodes_is_cured_by_removing_the_device);
	tcase_add_test(tc, cure_has_the_patience_that_it_needs);
	tcase_add_test(tc, link_is_lost_with_its_socket_if_nobody_says_so);
	tcase_add_test(tc, link_that_outlives_its_socket_is_ended);
	tcase_add_test(tc, disconnect_before_the_next_try_ends_the_link);
	tcase_add_test(tc, free_before_the_next_try_ends_the_link);
	tcase_add_test(tc, disconnect_after_a_failed_connect_has_no_link_to_end);
	tcase_add_test(tc, subscription_ends_with_its_connection);
	tcase_add_test(tc, what_is_notified_before_it_is_ready_is_not_passed_on);
	tcase_add_test(tc, refuses_answers_of_a_wrong_type);
	tcase_add_test(tc, mtu_too_small_for_a_packet_is_no_connection);
	tcase_add_test(tc, signals_of_wrong_types_change_nothing);
	tcase_add_test(tc, signals_of_strangers_change_nothing);
	tcase_add_test(tc, discovery_is_tried_until_it_works);
	tcase_add_test(tc, scans_anew_while_nobody_is_heard_twice);
	tcase_add_test(tc, hushes_for_a_connect_and_listens_in_between);
	tcase_add_test(tc, power_off_ends_all_and_power_on_starts_again);
	tcase_add_test(tc, bluetoothd_dies_and_comes_back);
	tcase_add_test(tc, bluetoothd_dies_before_it_is_ready);
	tcase_add_test(tc, device_goes_before_it_is_ready);
	tcase_add_test(tc, socket_that_comes_too_late_is_closed);
	tcase_add_test(tc, links_of_a_former_life_are_ended);
	tcase_add_test(tc, links_of_another_adapter_are_not_ours);
}

int main(void)
{
	return suite_main("link_bluez", fill);
}
