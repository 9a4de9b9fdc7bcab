#include "mesh/link_bluez.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mesh/timer.h"
#include "support/bluez_script.h"
#include "support/private_bus.h"
#include "unit/suite.h"

/* Real D-Bus, told time: limits of 45 s pass in a line of the test. */
static struct private_bus bus;
static struct event_base *base;
static struct timers timers;
static struct bluez_script bz;
static struct link link_;
static struct dbus_loop *bystander; /* a client of the bus that has nothing to do with either */
static int adapter_on, adapter_off, ready_count, down_count, notify_count, advert_count;
static bool is_inside;
static enum link_down last_down;
static size_t last_bytes;
static uint16_t conn;

static const struct link_addr addr = {1, {1, 0, 0, 0, 0xE5, 0xC0}};

static void on_adapter(void *arg, bool ready)
{
	(void)arg;
	ck_assert(!is_inside);
	if (ready)
		adapter_on++;
	else
		adapter_off++;
}

static void on_advert(void *arg, const struct link_advert *a)
{
	(void)arg;
	ck_assert_int_eq(a->rssi_dbm, -60);
	ck_assert_uint_eq(a->service_data.n, 20);
	ck_assert(link_addr_equal(&a->addr, &addr));
	advert_count++;
}

static void on_ready(void *arg, uint16_t id)
{
	(void)arg;
	ck_assert(!is_inside);
	ck_assert_uint_eq(id, conn);
	ready_count++;
}

static void on_notify(void *arg, uint16_t id, struct span pdu)
{
	(void)arg;
	(void)id;
	notify_count++;
	last_bytes = pdu.n;
}

static void on_writable(void *arg, uint16_t id)
{
	(void)arg;
	(void)id;
}

static void on_down(void *arg, uint16_t id, enum link_down why)
{
	(void)arg;
	ck_assert(!is_inside);
	ck_assert_uint_eq(id, conn);
	ck_assert_int_eq(adapter_off, 0); /* before the adapter goes */
	down_count++;
	last_down = why;
}

static const struct link_events events = {.adapter = on_adapter,
	.advert = on_advert,
	.ready = on_ready,
	.notify = on_notify,
	.writable = on_writable,
	.down = on_down};

/* Runs the loop until *what reaches value; Check's own limit ends a test that waits in vain. */
static void until(const int *what, int value)
{
	while (*what < value)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(*what, value);
}

static void pass_ms(uint64_t ms)
{
	timers_run(&timers, timers.now_ms + ms);
}

static void ignore_down(void *arg)
{
	(void)arg;
}

static void count_up(void *arg)
{
	++*(int *)arg;
}

static void on_back(void *arg, DBusMessage *reply)
{
	(void)reply;
	++*(int *)arg;
}

static void join_bus(void)
{
	static const struct dbus_loop_events nothing = {count_up, ignore_down, NULL};
	static int ups;

	ups = 0;
	ck_assert_int_eq(dbus_loop_new(base, bus.address, &nothing, &ups, &bystander), ERR_OK);
	until(&ups, 1);
}

/* What bluetoothd has said before is heard by us. */
static void settle(void)
{
	int before = advert_count;

	bluez_script_advert(&bz);
	until(&advert_count, before + 1);
}

/* What we have called has come to bluetoothd, before any "it was not called". The bystander's call
 * may overtake ours in the bus, but the answer to it comes a turn of the bus later: ours is there
 * by then. Once more, and we have the answer to ours; the third time is for what we call then. */
static void nothing_more(void)
{
	for (int i = 0; i < 3; i++) {
		DBusMessage *ask = dbus_message_new_method_call("org.bluez", "/",
			"org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
		int back = 0;

		ck_assert_int_eq(
			dbus_loop_call(bystander, ask, 50000, on_back, &back, NULL), ERR_OK);
		until(&back, 1);
	}
}

static void begin(void)
{
	static const struct link_bluez_conf none = {0};
	struct link_bluez_conf conf = none;

	adapter_on = adapter_off = ready_count = down_count = notify_count = advert_count = 0;
	is_inside = false;
	conn = 0;
	private_bus_start(&bus);
	base = event_base_new();
	timers = (struct timers){.now_ms = 1000000};
	bluez_script_start(&bz, base, bus.address);
	while (!bz.is_up)
		event_base_loop(base, EVLOOP_ONCE);
	join_bus();
	conf.bus_address = bus.address;
	ck_assert_int_eq(link_bluez_new(base, &timers, &conf, &events, NULL, &link_), ERR_OK);
	until(&adapter_on, 1);
	link_.ops->scan(link_.impl, true);
	until(&bz.calls[SCRIPT_START], 1);
	settle();
}

static void end(void)
{
	link_.ops->free(link_.impl);
	dbus_loop_free(bystander);
	if (bz.loop)
		bluez_script_die(&bz);
	event_base_free(base);
	private_bus_stop(&bus);
	ck_assert_ptr_null(timers.first);
	dbus_shutdown();
	libevent_global_shutdown();
}

static void open_conn(void)
{
	is_inside = true;
	ck_assert_int_eq(link_.ops->connect(link_.impl, &addr, &conn), ERR_OK);
	is_inside = false;
	pass_ms(1);
}

static void device(const char *name, bool v)
{
	bluez_script_property(&bz, SCRIPT_DEVICE, "org.bluez.Device1", name, v);
}

static void connect_ready(void)
{
	int connects = bz.calls[SCRIPT_CONNECT], readies = ready_count;

	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], connects + 1);
	device("Connected", true);
	device("ServicesResolved", true);
	until(&ready_count, readies + 1);
}

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
	until(&bz.calls[SCRIPT_DISCONNECT], 2);
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
	until(&bz.calls[SCRIPT_DISCONNECT], 2);
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
	ck_assert_int_eq(
		link_bluez_new(base, &timers, &(struct link_bluez_conf){.bus_address = bus.address},
			&events, NULL, &link_),
		ERR_OK);
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

/* kill -9 of this program: bluetoothd keeps the link, and the node its slot. */
START_TEST(links_of_a_former_life_are_ended)
{
	begin();
	bz.is_connected = true;
	link_.ops->free(link_.impl);
	ck_assert_int_eq(
		link_bluez_new(base, &timers, &(struct link_bluez_conf){.bus_address = bus.address},
			&events, NULL, &link_),
		ERR_OK);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
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
	tcase_add_test(tc, silent_subscription_is_tried_again);
	tcase_add_test(tc, table_that_is_not_the_nodes_is_cured_by_removing_the_device);
	tcase_add_test(tc, link_is_lost_with_its_socket_if_nobody_says_so);
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
	tcase_add_test(tc, links_of_a_former_life_are_ended);
}

int main(void)
{
	return suite_main("link_bluez", fill);
}
