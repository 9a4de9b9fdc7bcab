/*
 * A link_bluez between a real D-Bus and told time: limits of 45 s pass in a line of the test. Each
 * program has its own; begin() first, end() last.
 */
#ifndef UNIT_MESH_BLUEZ_RIG_H
#define UNIT_MESH_BLUEZ_RIG_H

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mesh/link_bluez.h"
#include "mesh/timer.h"
#include "support/bluez_script.h"
#include "support/private_bus.h"
#include "unit/suite.h"

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
static FILE *log_file; /* NULL: the log is not heard */
static int log_saved;

static const struct link_addr addr = {1, {1, 0, 0, 0, 0xE5, 0xC0}};

static inline void on_adapter(void *arg, bool ready)
{
	(void)arg;
	ck_assert(!is_inside);
	if (ready)
		adapter_on++;
	else
		adapter_off++;
}

static inline void on_advert(void *arg, const struct link_advert *a)
{
	(void)arg;
	ck_assert_int_eq(a->rssi_dbm, -60);
	ck_assert_uint_eq(a->service_data.n, 20);
	ck_assert(link_addr_equal(&a->addr, &addr));
	advert_count++;
}

static inline void on_ready(void *arg, uint16_t id)
{
	(void)arg;
	ck_assert(!is_inside);
	ck_assert_uint_eq(id, conn);
	ready_count++;
}

static inline void on_notify(void *arg, uint16_t id, struct span pdu)
{
	(void)arg;
	(void)id;
	notify_count++;
	last_bytes = pdu.n;
}

static inline void on_writable(void *arg, uint16_t id)
{
	(void)arg;
	(void)id;
}

static inline void on_down(void *arg, uint16_t id, enum link_down why)
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
static inline void until(const int *what, int value)
{
	while (*what < value)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(*what, value);
}

static inline void pass_ms(uint64_t ms)
{
	timers_run(&timers, timers.now_ms + ms);
}

static inline void ignore_down(void *arg)
{
	(void)arg;
}

static inline void count_up(void *arg)
{
	++*(int *)arg;
}

static inline void on_back(void *arg, DBusMessage *reply)
{
	(void)reply;
	++*(int *)arg;
}

static inline void join_bus(void)
{
	static const struct dbus_loop_events nothing = {count_up, ignore_down, NULL};
	static int ups;

	ups = 0;
	ck_assert_int_eq(dbus_loop_new(base, bus.address, &nothing, &ups, &bystander), ERR_OK);
	until(&ups, 1);
}

/* What bluetoothd has said before is heard by us. */
static inline void settle(void)
{
	int before = advert_count;

	bluez_script_advert(&bz);
	until(&advert_count, before + 1);
}

/* What we have called has come to bluetoothd, before any "it was not called". The bystander's call
 * may overtake ours in the bus, but the answer to it comes a turn of the bus later: ours is there
 * by then. Once more, and we have the answer to ours; the third time is for what we call then. */
static inline void nothing_more(void)
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

/* What we log, from now on to the end, instead of to standard error. */
static inline void hear_log(void)
{
	log_file = tmpfile();
	log_saved = dup(STDERR_FILENO);
	ck_assert(log_file && log_saved >= 0);
	ck_assert_int_ge(dup2(fileno(log_file), STDERR_FILENO), 0);
}

static inline void end_log(void)
{
	if (!log_file)
		return;
	ck_assert_int_ge(dup2(log_saved, STDERR_FILENO), 0);
	close(log_saved);
	(void)fclose(log_file);
	log_file = NULL;
}

/* How often the text is in the log. */
static inline int told(const char *text)
{
	char log[16384];
	ssize_t n = pread(fileno(log_file), log, sizeof(log) - 1, 0);
	int count = 0;

	ck_assert(n >= 0 && (size_t)n < sizeof(log) - 1);
	log[n] = '\0';
	for (const char *p = log; (p = strstr(p, text)); p++)
		count++;
	return count;
}

static inline void until_told(const char *text, int times)
{
	while (told(text) < times)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(told(text), times);
}

/* All but the link itself: the script may be changed first. */
static inline void begin_bus(void)
{
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
}

static inline void open_link(const char *adapter)
{
	struct link_bluez_conf conf = {.bus_address = bus.address, .adapter = adapter};

	ck_assert_int_eq(link_bluez_new(base, &timers, &conf, &events, NULL, &link_), ERR_OK);
}

static inline void begin(void)
{
	begin_bus();
	open_link(NULL);
	until(&adapter_on, 1);
	link_.ops->scan(link_.impl, true);
	until(&bz.calls[SCRIPT_START], 1);
	settle();
}

static inline void end(void)
{
	link_.ops->free(link_.impl);
	dbus_loop_free(bystander);
	if (bz.loop)
		bluez_script_die(&bz);
	event_base_free(base);
	private_bus_stop(&bus);
	end_log();
	ck_assert_ptr_null(timers.first);
	dbus_shutdown();
	libevent_global_shutdown();
}

static inline void open_conn(void)
{
	is_inside = true;
	ck_assert_int_eq(link_.ops->connect(link_.impl, &addr, &conn), ERR_OK);
	is_inside = false;
	pass_ms(1);
}

static inline void device(const char *name, bool v)
{
	bluez_script_property(&bz, SCRIPT_DEVICE, "org.bluez.Device1", name, v);
}

static inline void connect_ready(void)
{
	int connects = bz.calls[SCRIPT_CONNECT], readies = ready_count;

	open_conn();
	until(&bz.calls[SCRIPT_CONNECT], connects + 1);
	device("Connected", true);
	device("ServicesResolved", true);
	until(&ready_count, readies + 1);
}

#endif
