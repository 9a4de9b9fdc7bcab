#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto_openssl.h"
#include "fakebluez/bluez.h"
#include "firmware/port/host/sim_node.h"
#include "support/private_bus.h"
#include "unit/suite.h"

/* Over a real bus, in told time: the air stands still but in pass_ms. */
#define SPEED 1000
#define SEED 7
#define SCAN_MS 10500
#define HEAR_MS 3000 /* one of 30 advertisements is heard, and one is met by a connection */
#define CONNECT_MS 40000
#define NODE "serial=FMBBF nodekey=000102030405060708090a0b0c0d0e0f rssi=-50"
#define OTHER "serial=FMBBG nodekey=000102030405060708090a0b0c0d0e0f rssi=-50"

static struct private_bus bus;
static struct event_base *base;
static struct air *air;
static struct drive drive;
static struct bluez *bluez;
static struct sim_node *node;
static struct dbus_loop *client;
static char device[BLUEZ_PATH_MAX]; /* the last one that was told of */
static int ups, told, subscriptions;
static char heard[1024]; /* since begin_hearing: what concerns links, in order */

struct answer {
	bool is_there;
	char member[20];
	char error[80]; /* its text; "": none */
};

/* --- the client ---------------------------------------------------------------------------------
 */

static void on_up(void *arg)
{
	(void)arg;
	ups++;
}

static void on_down(void *arg)
{
	(void)arg;
}

static bool has_key(DBusMessageIter *it, const char *wanted)
{
	struct dbus_dict dict;
	DBusMessageIter value;
	const char *key;
	bool found = false;

	ck_assert_int_eq(dbus_dict_open(it, &dict), ERR_OK);
	while (dbus_dict_next(&dict, &key, &value))
		found = found || strcmp(key, wanted) == 0;
	return found;
}

static void begin_hearing(void)
{
	heard[0] = '\0';
}

static void hear(const char *what, const char *more)
{
	size_t n = strlen(heard);

	snprintf(heard + n, sizeof(heard) - n, "%s%s%s", n > 0 ? " " : "", what, more);
}

/* Names and values of a link's properties; several in one signal are joined by +. */
static void hear_changes(DBusMessageIter *it)
{
	static const char *const flags[] = {"Connected", "ServicesResolved", "Notifying"};
	struct dbus_dict dict;
	DBusMessageIter value;
	const char *key;
	char all[100] = "";
	bool on;

	ck_assert_int_eq(dbus_dict_open(it, &dict), ERR_OK);
	while (dbus_dict_next(&dict, &key, &value)) {
		const char *plus = all[0] != '\0' ? "+" : "";
		size_t n = strlen(all);

		if (strcmp(key, "Value") == 0)
			snprintf(all + n, sizeof(all) - n, "%sValue", plus);
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (strcmp(key, flags[i]) == 0 && dbus_value_bool(&value, &on) == ERR_OK)
				snprintf(all + n, sizeof(all) - n, "%s%s=%d", plus, key, on);
	}
	if (all[0] != '\0')
		hear(all, "");
}

/* A device that is new, or was reported again, is told. */
static bool on_signal(void *arg, DBusMessage *msg)
{
	bool is_new = dbus_message_is_signal(
		msg, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded");
	const char *path = dbus_message_get_path(msg);
	DBusMessageIter it;

	(void)arg;
	if (!is_new && !dbus_message_is_signal(msg, DBUS_INTERFACE_PROPERTIES, "PropertiesChanged"))
		return false;
	dbus_message_iter_init(msg, &it);
	if (is_new)
		dbus_message_iter_get_basic(&it, &path);
	dbus_message_iter_next(&it);
	subscriptions += !is_new && has_key(&it, "Notifying");
	if (!is_new)
		hear_changes(&it);
	else if (strstr(path, "/char000d") && !strstr(path, "/desc"))
		hear("TX", "");
	if (!has_key(&it, is_new ? "org.bluez.Device1" : "ServiceData"))
		return false;
	told++;
	snprintf(device, sizeof(device), "%s", path);
	return true;
}

static const struct dbus_loop_events events = {on_up, on_down, on_signal};

static void on_reply(void *arg, DBusMessage *reply)
{
	struct answer *a = arg;
	const char *text = "";

	a->is_there = true;
	if (dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_ERROR)
		ck_assert(dbus_message_get_args(
			reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
	snprintf(a->error, sizeof(a->error), "%s", text);
	if (a->member[0] != 'G')
		hear(a->member, text[0] != '\0' ? "=error" : "=ok");
}

static void send_call(DBusMessage *msg, struct answer *a)
{
	*a = (struct answer){false, "", ""};
	snprintf(a->member, sizeof(a->member), "%s", dbus_message_get_member(msg));
	ck_assert_int_eq(dbus_loop_call(client, msg, 50000, on_reply, a, NULL), ERR_OK);
}

static DBusMessage *method(const char *path, const char *interface, const char *member)
{
	return dbus_message_new_method_call("org.bluez", path, interface, member);
}

static void call(DBusMessage *msg)
{
	struct answer a;

	send_call(msg, &a);
	while (!a.is_there)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(a.error, "");
}

static void call_adapter(const char *member)
{
	call(method(BLUEZ_ADAPTER_PATH, "org.bluez.Adapter1", member));
}

static void call_adapter_for_error(const char *member, const char *error)
{
	struct answer a;

	send_call(method(BLUEZ_ADAPTER_PATH, "org.bluez.Adapter1", member), &a);
	while (!a.is_there)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(a.error, error);
}

/* All signals and answers that were under way are here. */
static void settle(void)
{
	call(method("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"));
}

static void call_device(const char *member, struct answer *a)
{
	send_call(method(device, "org.bluez.Device1", member), a);
	settle();
}

static void want_duplicates(void)
{
	DBusMessage *msg = method(BLUEZ_ADAPTER_PATH, "org.bluez.Adapter1", "SetDiscoveryFilter");
	const char *key = "DuplicateData";
	dbus_bool_t yes = TRUE;
	DBusMessageIter it, dict, entry, value;

	dbus_message_iter_init_append(msg, &it);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sv}", &dict);
	dbus_message_iter_open_container(&dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "b", &value);
	dbus_message_iter_append_basic(&value, DBUS_TYPE_BOOLEAN, &yes);
	dbus_message_iter_close_container(&entry, &value);
	dbus_message_iter_close_container(&dict, &entry);
	dbus_message_iter_close_container(&it, &dict);
	call(msg);
}

static DBusMessage *method_remove(void)
{
	DBusMessage *msg = method(BLUEZ_ADAPTER_PATH, "org.bluez.Adapter1", "RemoveDevice");
	const char *path = device;

	dbus_message_append_args(msg, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_INVALID);
	return msg;
}

/* --- the world ----------------------------------------------------------------------------------
 */

static void pass_ms(uint64_t ms)
{
	uint64_t until_ms = air_now_ms(air) + ms;

	drive_limit(&drive, until_ms);
	while (air_now_ms(air) < until_ms) {
		event_base_loop(base, EVLOOP_ONCE);
		drive_sync(&drive);
	}
	settle();
}

/* From now on at the machine's own pace: what is armed for seconds is not due in this test. */
static void slow_down(void)
{
	drive.speed = 1;
	drive.base_ms = air_now_ms(air);
	drive.start_ms = clock_boot_ms();
}

static void start_discovery(void)
{
	call_adapter("StartDiscovery");
	while (!bluez->discovering)
		event_base_loop(base, EVLOOP_ONCE);
}

static void on_ready(void *arg)
{
	(void)arg;
	ups++;
}

/* A node that advertises, and a client that discovers it and has been told of it once. */
static void begin(void)
{
	struct sim_spec spec;

	printf("seed=%d\n", SEED);
	ups = told = subscriptions = 0;
	private_bus_start(&bus);
	base = event_base_new();
	air = air_new(SEED, aes128_default());
	ck_assert_int_eq(sim_spec_parse(NODE, &spec), ERR_OK);
	ck_assert_int_eq(air_add_node(air, &spec, NULL, &node), ERR_OK);
	ck_assert_int_eq(drive_init(&drive, base, air, SPEED), ERR_OK);
	drive_limit(&drive, 0);
	ck_assert_int_eq(bluez_new(&drive, bus.address, on_ready, NULL, &bluez), ERR_OK);
	ck_assert_int_eq(dbus_loop_new(base, bus.address, &events, NULL, &client), ERR_OK);
	while (ups < 2)
		event_base_loop(base, EVLOOP_ONCE);
	dbus_loop_add_match(client, "type='signal',sender='org.bluez'");
	want_duplicates();
	start_discovery();
	pass_ms(HEAR_MS);
	ck_assert_int_eq(told, 1);
}

static void end(void)
{
	dbus_loop_free(client);
	bluez_free(bluez);
	drive_done(&drive);
	air_free(air);
	event_base_free(base);
	private_bus_stop(&bus);
	dbus_shutdown();
	libevent_global_shutdown();
}

/* --- what is heard ------------------------------------------------------------------------------
 */

START_TEST(a_device_is_heard_once_a_scan)
{
	begin();
	for (int scan = 1; scan < 5; scan++) {
		pass_ms(SCAN_MS - HEAR_MS - 1);
		ck_assert_int_eq(told, scan);
		pass_ms(HEAR_MS + 1);
		ck_assert_int_eq(told, scan + 1);
	}
	ck_assert(bluez->discovering);
	end();
}
END_TEST

/* bluetoothd thinks that it discovers, and has no session of the client's. */
START_TEST(a_hanging_discovery_ends_with_the_power)
{
	begin();
	bluez_hang_discovery(bluez);
	for (int i = 0; i < 3; i++) {
		call_adapter_for_error("StopDiscovery", "Operation already in progress");
		call_adapter_for_error("StopDiscovery", "No discovery started");
		ck_assert(bluez->discovering);
		call_adapter("StartDiscovery");
		pass_ms(SCAN_MS);
		ck_assert_int_eq(told, 1);
	}
	bluez_set_powered(bluez, false);
	ck_assert(!bluez->discovering);
	bluez_set_powered(bluez, true);
	start_discovery();
	pass_ms(HEAR_MS);
	ck_assert_int_eq(told, 2);
	call_adapter("StopDiscovery");
	end();
}
END_TEST

START_TEST(a_new_discovery_hears_it_at_once)
{
	begin();
	for (int i = 1; i < 4; i++) {
		call_adapter("StopDiscovery");
		pass_ms(HEAR_MS);
		ck_assert_int_eq(told, i);
		start_discovery();
		pass_ms(HEAR_MS);
		ck_assert_int_eq(told, i + 1);
	}
	end();
}
END_TEST

START_TEST(a_removed_device_is_heard_in_the_next_scan)
{
	begin();
	call(method_remove());
	pass_ms(SCAN_MS - HEAR_MS - 1);
	ck_assert_int_eq(told, 1);
	ck_assert_ptr_null(bluez->devices);
	pass_ms(HEAR_MS + 1);
	ck_assert_int_eq(told, 2);
	end();
}
END_TEST

/* --- connecting ---------------------------------------------------------------------------------
 */

/* A Connect that has waited until shortly before the next scan. */
static void begin_held(struct answer *connect)
{
	begin();
	call_device("Connect", connect);
	pass_ms(SCAN_MS - HEAR_MS - 1);
	ck_assert(!connect->is_there);
}

START_TEST(connect_waits_for_the_end_of_the_discovery)
{
	struct answer connect;

	begin_held(&connect);
	call_adapter("StopDiscovery");
	pass_ms(HEAR_MS);
	ck_assert(connect.is_there);
	ck_assert_str_eq(connect.error, "");
	end();
}
END_TEST

START_TEST(connect_is_made_in_the_next_scan)
{
	struct answer connect;

	begin_held(&connect);
	pass_ms(HEAR_MS + 1);
	ck_assert(connect.is_there);
	ck_assert_str_eq(connect.error, "");
	ck_assert_int_eq(told, 2);
	end();
}
END_TEST

/* --- subscribing ---------------------------------------------------------------------------------
 */

static void connect_and_resolve(void)
{
	struct answer connect;

	call_device("Connect", &connect);
	pass_ms(HEAR_MS);
	ck_assert(connect.is_there);
	ck_assert_str_eq(connect.error, "");
	while (!bluez->devices->resolved)
		event_base_loop(base, EVLOOP_ONCE);
	pass_ms(100);
}

static void begin_connected(void)
{
	begin();
	call_adapter("StopDiscovery");
	connect_and_resolve();
}

static void lose(void)
{
	ck_assert(bluez_lose_link(bluez, sim_node_address(node)));
	pass_ms(1000);
	while (bluez->devices->state != BLUEZ_IDLE)
		event_base_loop(base, EVLOOP_ONCE);
	settle();
}

static void call_tx(const char *member, struct answer *a)
{
	char path[BLUEZ_PATH_MAX];

	bluez_char_path(bluez->devices, BLUEZ_TX, path);
	send_call(method(path, "org.bluez.GattCharacteristic1", member), a);
	settle();
	pass_ms(100);
}

START_TEST(who_has_subscribed_is_subscribed_in_each_connection_until_it_stops)
{
	struct answer a;

	begin_connected();
	call_tx("StartNotify", &a);
	ck_assert(a.is_there);
	ck_assert_str_eq(a.error, "");
	ck_assert_int_eq(subscriptions, 1);
	lose();
	connect_and_resolve();
	ck_assert_int_eq(subscriptions, 2);
	call_tx("StopNotify", &a);
	ck_assert_str_eq(a.error, "");
	ck_assert_int_eq(subscriptions, 3); /* it is told that it has ended */
	lose();
	connect_and_resolve();
	ck_assert_int_eq(subscriptions, 3);
	call_tx("StopNotify", &a);
	ck_assert_str_eq(a.error, "No notify session started");
	end();
}
END_TEST

START_TEST(subscription_that_is_not_answered_fails_with_its_link)
{
	struct answer a;

	begin_connected();
	sim_node_set_faults(node, SIM_FAULT_NO_CCCD);
	call_tx("StartNotify", &a);
	ck_assert(!a.is_there);
	lose();
	ck_assert(a.is_there);
	ck_assert_str_eq(a.error, "Operation failed with ATT error: 0x0e");
	sim_node_set_faults(node, 0);
	connect_and_resolve();
	ck_assert_int_eq(subscriptions, 0); /* nobody has */
	call_tx("StartNotify", &a);
	ck_assert(a.is_there);
	ck_assert_int_eq(subscriptions, 1);
	end();
}
END_TEST

static void expect_heard(const char *what)
{
	settle();
	ck_assert_str_eq(heard, what);
}

static void turn(enum bad_peer fault)
{
	ck_assert_int_eq(bad_peers_set(&bluez->peers, sim_node_address(node), fault), ERR_OK);
}

START_TEST(early_value_comes_before_the_answer)
{
	struct answer a;

	begin_connected();
	turn(BAD_PEER_EARLY);
	begin_hearing();
	call_tx("StartNotify", &a);
	expect_heard("Value Notifying=1 StartNotify=ok");
	end();
}
END_TEST

START_TEST(refused_subscription_is_answered_and_the_next_one_succeeds)
{
	struct answer a;

	begin_connected();
	turn(BAD_PEER_REFUSES);
	begin_hearing();
	call_tx("StartNotify", &a);
	while (!a.is_there)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(a.error, "Operation failed with ATT error: 0x0e");
	call_tx("StopNotify", &a);
	ck_assert_str_eq(a.error, "No notify session started");
	turn(0);
	call_tx("StartNotify", &a);
	expect_heard("StartNotify=error StopNotify=error Notifying=1 StartNotify=ok");
	end();
}
END_TEST

/* --- what bluetoothd tells of a link, and in which order
 * -------------------------------------------
 */

static void expect_heard_in_the_end(const char *what)
{
	while (strlen(heard) < strlen(what))
		event_base_loop(base, EVLOOP_ONCE);
	expect_heard(what);
}

static void hear_connect(const char *error)
{
	struct answer connect;

	begin_hearing();
	call_device("Connect", &connect);
	pass_ms(HEAR_MS);
	ck_assert(connect.is_there);
	ck_assert_str_eq(connect.error, error);
}

START_TEST(tells_characteristics_before_it_says_that_it_is_resolved)
{
	struct answer a;

	begin();
	call_adapter("StopDiscovery");
	hear_connect("");
	expect_heard_in_the_end("Connected=1 Connect=ok TX ServicesResolved=1");
	begin_hearing();
	call_device("Disconnect", &a);
	pass_ms(HEAR_MS);
	expect_heard_in_the_end("ServicesResolved=0 Disconnect=ok Connected=0");
	hear_connect("");
	expect_heard_in_the_end("Connected=1 Connect=ok ServicesResolved=1");
	begin_hearing();
	lose();
	expect_heard("ServicesResolved=0+Connected=0");
	end();
}
END_TEST

/* A second node, whose device is the one told of last; first is that of the other. */
static struct sim_node *begin_with_other(char first[BLUEZ_PATH_MAX])
{
	struct sim_spec spec;
	struct sim_node *other;

	begin();
	snprintf(first, BLUEZ_PATH_MAX, "%s", device);
	ck_assert_int_eq(sim_spec_parse(OTHER, &spec), ERR_OK);
	ck_assert_int_eq(air_add_node(air, &spec, NULL, &other), ERR_OK);
	pass_ms(HEAR_MS);
	ck_assert_str_ne(device, first);
	return other;
}

/* Seen with eight Connects at once: the first is 7 of 24, the second 5 of 24. */
START_TEST(with_several_connects_its_beginning_is_not_told_and_its_characteristics_come_late)
{
	struct sim_node *other;
	struct answer connect, waiting;
	char first[BLUEZ_PATH_MAX];

	other = begin_with_other(first);
	call_adapter("StopDiscovery");
	sim_node_power(other, false);
	call_device("Connect", &waiting);
	snprintf(device, sizeof(device), "%s", first);
	begin_hearing();
	call_device("Connect", &connect);
	pass_ms(HEAR_MS);
	expect_heard_in_the_end("Connect=ok ServicesResolved=1 TX");
	ck_assert(!waiting.is_there);
	begin_hearing();
	ck_assert(bluez_lose_link(bluez, sim_node_address(node)));
	pass_ms(1000);
	expect_heard_in_the_end("ServicesResolved=0+Connected=0");
	end();
}
END_TEST

static void wait_answer(const struct answer *a)
{
	while (!a->is_there)
		pass_ms(10);
	ck_assert_str_eq(a->error, "");
}

/* Seen with Linux 6.1: the link is up, and bluetoothd waits for its end, which only the peer can
 * bring about. */
START_TEST(link_that_was_made_while_another_was_ended_cannot_be_ended)
{
	struct answer a, waiting;
	char first[BLUEZ_PATH_MAX];

	(void)begin_with_other(first);
	call_adapter("StopDiscovery");
	call_device("Connect", &a);
	wait_answer(&a);
	sim_node_power(node, false);
	send_call(dbus_message_new_method_call("org.bluez", first, "org.bluez.Device1", "Connect"),
		&waiting);
	call_device("Disconnect", &a);
	wait_answer(&a);
	ck_assert(!waiting.is_there);
	sim_node_power(node, true);
	wait_answer(&waiting);
	snprintf(device, sizeof(device), "%s", first);
	call_device("Disconnect", &a);
	pass_ms(HEAR_MS);
	ck_assert(!a.is_there);
	call_adapter_for_error("StartDiscovery", "Operation already in progress");
	ck_assert(bluez_lose_link(bluez, sim_node_address(node)));
	wait_answer(&a);
	start_discovery();
	end();
}
END_TEST

START_TEST(brief_connection_fails_connect_and_leaves_the_device)
{
	begin();
	call_adapter("StopDiscovery");
	turn(BAD_PEER_BRIEF);
	hear_connect("le-connection-abort-by-local");
	expect_heard_in_the_end("Connected=1 Connect=error Connected=0");
	turn(0);
	hear_connect("");
	expect_heard_in_the_end("Connected=1 Connect=ok TX ServicesResolved=1");
	end();
}
END_TEST

START_TEST(deaf_peer_is_connected_and_never_resolved)
{
	begin();
	call_adapter("StopDiscovery");
	turn(BAD_PEER_DEAF);
	hear_connect("");
	expect_heard("Connected=1 Connect=ok");
	pass_ms(5000); /* then the node hangs up */
	expect_heard_in_the_end("Connected=1 Connect=ok Connected=0");
	end();
}
END_TEST

/* Seen: the answer is there after a millisecond, and the link goes all the same. */
START_TEST(connect_to_a_link_that_is_going_is_ok_at_once)
{
	struct answer gone, again;

	begin_connected();
	slow_down();
	begin_hearing();
	call_device("Disconnect", &gone);
	ck_assert_int_eq(bluez->devices->state, BLUEZ_DISCONNECTING);
	call_device("Connect", &again);
	expect_heard("Connect=ok");
	end();
}
END_TEST

/* --- calls that wait
 * ------------------------------------------------------------------------------
 */

START_TEST(waiting_connect_is_cancelled)
{
	struct answer connect, other;

	begin();
	call_device("Connect", &connect);
	call_device("Connect", &other);
	ck_assert_str_eq(other.error, "Operation already in progress");
	ck_assert(!connect.is_there);
	call_device("Disconnect", &other);
	ck_assert_str_eq(other.error, "");
	ck_assert(connect.is_there);
	ck_assert_str_eq(connect.error, "br-connection-canceled");
	call_device("Connect", &connect);
	call(method_remove());
	ck_assert_str_eq(connect.error, "br-connection-canceled");
	pass_ms(2 * CONNECT_MS); /* and nothing comes of it */
	ck_assert_int_eq(told, 1 + (HEAR_MS + 2 * CONNECT_MS) / SCAN_MS);
	end();
}
END_TEST

START_TEST(waiting_connect_ends_with_the_power)
{
	struct answer connect;

	begin();
	call_device("Connect", &connect);
	bluez_set_powered(bluez, false);
	settle();
	ck_assert_str_eq(connect.error, "Input/output error");
	ck_assert_ptr_null(bluez->devices);
	end();
}
END_TEST

/* Whether or not the discovery stops in between. */
START_TEST(connect_to_a_silent_peer_fails_40_s_after_the_call)
{
	struct answer connect;

	begin();
	if (_i >= 2)
		turn(BAD_PEER_SILENT);
	else
		sim_node_power(node, false);
	call_device("Connect", &connect);
	pass_ms(CONNECT_MS / 2);
	if (_i % 2 == 1)
		call_adapter("StopDiscovery");
	pass_ms(CONNECT_MS / 2 - 1);
	ck_assert(!connect.is_there);
	pass_ms(1);
	while (!connect.is_there)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(connect.error, "le-connection-abort-by-local");
	ck_assert_ptr_null(bluez->devices);
	end();
}
END_TEST

/* --- losing -------------------------------------------------------------------------------------
 */

/* The machine was slow: the peer has gone in what the air catches up with. */
START_TEST(a_device_may_go_before_its_timer_is_served)
{
	struct answer removed;

	begin();
	call_adapter("StopDiscovery");
	call_device("Connect", &removed);
	pass_ms(HEAR_MS);
	ck_assert_int_eq(bluez->devices->state, BLUEZ_CONNECTED);
	slow_down();
	send_call(method_remove(), &removed);
	while (bluez->devices->state != BLUEZ_DISCONNECTING)
		event_base_loop(base, EVLOOP_ONCE);
	sim_node_power(node, false);
	drive_limit(&drive, air_now_ms(air) + HEAR_MS);
	drive.base_ms += HEAR_MS;
	event_active(bluez->devices->timer, EV_TIMEOUT, 0);
	while (!removed.is_there)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(removed.error, "");
	ck_assert_ptr_null(bluez->devices);
	end();
}
END_TEST

START_TEST(faults_have_words)
{
	static const char *const words[] = {"deaf", "early", "refuses", "brief", "silent"};
	unsigned faults, all = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ck_assert_int_eq(bad_peer_parse(words[i], &faults), ERR_OK);
		ck_assert_uint_eq(all & faults, 0);
		all |= faults;
	}
	ck_assert_uint_eq(all, 0x1F);
	ck_assert_int_eq(bad_peer_parse("none", &faults), ERR_OK);
	ck_assert_uint_eq(faults, 0);
	ck_assert_int_eq(bad_peer_parse("nonsense", &faults), ERR_UNKNOWN);
	ck_assert_int_eq(bad_peer_parse("", &faults), ERR_UNKNOWN);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, faults_have_words);
	tcase_add_test(tc, a_device_is_heard_once_a_scan);
	tcase_add_test(tc, a_hanging_discovery_ends_with_the_power);
	tcase_add_test(tc, a_new_discovery_hears_it_at_once);
	tcase_add_test(tc, a_removed_device_is_heard_in_the_next_scan);
	tcase_add_test(tc, connect_waits_for_the_end_of_the_discovery);
	tcase_add_test(tc, connect_is_made_in_the_next_scan);
	tcase_add_test(tc, who_has_subscribed_is_subscribed_in_each_connection_until_it_stops);
	tcase_add_test(tc, subscription_that_is_not_answered_fails_with_its_link);
	tcase_add_test(tc, early_value_comes_before_the_answer);
	tcase_add_test(tc, refused_subscription_is_answered_and_the_next_one_succeeds);
	tcase_add_test(tc, tells_characteristics_before_it_says_that_it_is_resolved);
	tcase_add_test(tc,
		with_several_connects_its_beginning_is_not_told_and_its_characteristics_come_late);
	tcase_add_test(tc, link_that_was_made_while_another_was_ended_cannot_be_ended);
	tcase_add_test(tc, brief_connection_fails_connect_and_leaves_the_device);
	tcase_add_test(tc, deaf_peer_is_connected_and_never_resolved);
	tcase_add_test(tc, connect_to_a_link_that_is_going_is_ok_at_once);
	tcase_add_test(tc, waiting_connect_is_cancelled);
	tcase_add_test(tc, waiting_connect_ends_with_the_power);
	tcase_add_loop_test(tc, connect_to_a_silent_peer_fails_40_s_after_the_call, 0, 4);
	tcase_add_test(tc, a_device_may_go_before_its_timer_is_served);
}

int main(void)
{
	return suite_main("fakebluez", fill);
}
