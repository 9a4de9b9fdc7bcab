#include "support/bluez_script.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UUID_DATA "0000fe12-0000-1000-8000-00805f9b34fb"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define MANAGER "org.freedesktop.DBus.ObjectManager"

static const struct {
	const char *interface, *name;
} methods[SCRIPT_METHODS] = {
	{"org.bluez.Adapter1", "SetDiscoveryFilter"},
	{"org.bluez.Adapter1", "StartDiscovery"},
	{"org.bluez.Adapter1", "StopDiscovery"},
	{"org.bluez.Device1", "Connect"},
	{"org.bluez.Device1", "Disconnect"},
	{"org.bluez.GattCharacteristic1", "StartNotify"},
	{"org.bluez.GattCharacteristic1", "StopNotify"},
	{"org.bluez.GattCharacteristic1", "AcquireWrite"},
	{"org.bluez.Adapter1", "RemoveDevice"},
	{PROPERTIES, "Get"},
	{PROPERTIES, "Set"},
	{MANAGER, "GetManagedObjects"},
};

static const uint8_t service_data[20] = {3, 0, 0, 0, 8, 1};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void send_out(struct bluez_script *s, DBusMessage *msg)
{
	must(dbus_loop_send(s->loop, msg) == ERR_OK);
}

/* --- dictionaries ------------------------------------------------------------------------------
 */

static void put(DBusMessageIter *dict, const char *name, int type, const void *value)
{
	char signature[2] = {(char)type, '\0'};
	DBusMessageIter entry, variant;

	dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant);
	dbus_message_iter_append_basic(&variant, type, value);
	dbus_message_iter_close_container(&entry, &variant);
	dbus_message_iter_close_container(dict, &entry);
}

static void put_bool(DBusMessageIter *dict, const char *name, bool v)
{
	dbus_bool_t b = v;

	put(dict, name, DBUS_TYPE_BOOLEAN, &b);
}

static void put_string(DBusMessageIter *dict, const char *name, const char *v)
{
	put(dict, name, DBUS_TYPE_STRING, &v);
}

static void put_bytes(DBusMessageIter *dict, const char *name, const uint8_t *p, size_t n)
{
	DBusMessageIter entry, value, bytes;

	dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "ay", &value);
	dbus_message_iter_open_container(&value, DBUS_TYPE_ARRAY, "y", &bytes);
	dbus_message_iter_append_fixed_array(&bytes, DBUS_TYPE_BYTE, &p, (int)n);
	dbus_message_iter_close_container(&value, &bytes);
	dbus_message_iter_close_container(&entry, &value);
	dbus_message_iter_close_container(dict, &entry);
}

static void put_report(DBusMessageIter *dict)
{
	const char *name = "ServiceData";
	dbus_int16_t rssi = -60;
	DBusMessageIter entry, variant, inner;

	put(dict, "RSSI", DBUS_TYPE_INT16, &rssi);
	dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "a{sv}", &variant);
	dbus_message_iter_open_container(&variant, DBUS_TYPE_ARRAY, "{sv}", &inner);
	put_bytes(&inner, UUID_DATA, service_data, sizeof(service_data));
	dbus_message_iter_close_container(&variant, &inner);
	dbus_message_iter_close_container(&entry, &variant);
	dbus_message_iter_close_container(dict, &entry);
}

enum thing {
	THING_ADAPTER,
	THING_OTHERS,
	THING_DEVICE = THING_OTHERS + SCRIPT_OTHERS,
	THING_RX,
	THING_TX,
	THINGS
};

#define OTHER(digits)                                                             \
	{                                                                         \
		SCRIPT_ADAPTER "/dev_C0_E5_00_00_00_" digits, "org.bluez.Device1" \
	}
static const struct {
	const char *path, *interface;
} things[THINGS] = {{SCRIPT_ADAPTER, "org.bluez.Adapter1"}, OTHER("02"), OTHER("03"), OTHER("04"),
	OTHER("05"), OTHER("06"), OTHER("07"), OTHER("08"), OTHER("09"),
	{SCRIPT_DEVICE, "org.bluez.Device1"}, {SCRIPT_RX, "org.bluez.GattCharacteristic1"},
	{SCRIPT_TX, "org.bluez.GattCharacteristic1"}};

/* As its path says it. */
static void put_address(DBusMessageIter *dict, enum thing thing)
{
	char address[] = "00:00:00:00:00:00";
	const char *digits = strstr(things[thing].path, "dev_") + 4;

	for (size_t i = 0; i < sizeof(address) - 1; i++)
		if (address[i] != ':')
			address[i] = digits[i];
	put_string(dict, "Address", address);
	put_string(dict, "AddressType", "random");
}

static void put_properties(const struct bluez_script *s, DBusMessageIter *dict, enum thing thing)
{
	switch ((int)thing) {
	case THING_ADAPTER:
		put_bool(dict, "Powered", s->is_powered);
		put_bool(dict, "Discovering", true);
		break;
	case THING_DEVICE:
		put_address(dict, thing);
		put_bool(dict, "Connected", s->is_connected);
		put_report(dict);
		break;
	case THING_RX:
		put_string(dict, "UUID", "00000002-acce-423c-93fd-0c07a0051858");
		break;
	case THING_TX:
		put_string(dict, "UUID", "00000003-acce-423c-93fd-0c07a0051858");
		break;
	default:
		put_address(dict, thing);
	}
}

/* a{sa{sv}} */
static void put_interfaces(const struct bluez_script *s, DBusMessageIter *it, enum thing thing)
{
	DBusMessageIter interfaces, entry, dict;

	dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "{sa{sv}}", &interfaces);
	dbus_message_iter_open_container(&interfaces, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &things[thing].interface);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_ARRAY, "{sv}", &dict);
	put_properties(s, &dict, thing);
	dbus_message_iter_close_container(&entry, &dict);
	dbus_message_iter_close_container(&interfaces, &entry);
	dbus_message_iter_close_container(it, &interfaces);
}

static DBusMessage *managed(const struct bluez_script *s, DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	enum thing last = s->has_chars ? THING_TX : THING_DEVICE;
	DBusMessageIter it, objects, entry;

	dbus_message_iter_init_append(reply, &it);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{oa{sa{sv}}}", &objects);
	for (enum thing t = s->has_adapter ? THING_ADAPTER : THING_DEVICE; t <= last; t++) {
		dbus_message_iter_open_container(&objects, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
		dbus_message_iter_append_basic(&entry, DBUS_TYPE_OBJECT_PATH, &things[t].path);
		put_interfaces(s, &entry, t);
		dbus_message_iter_close_container(&objects, &entry);
	}
	dbus_message_iter_close_container(&it, &objects);
	return reply;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static DBusMessage *with_fd(struct bluez_script *s, DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	dbus_uint16_t mtu = s->mtu;
	int fds[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
	must(dbus_message_append_args(
		reply, DBUS_TYPE_UNIX_FD, &fds[1], DBUS_TYPE_UINT16, &mtu, DBUS_TYPE_INVALID));
	close(fds[1]);
	if (s->write_fd >= 0)
		close(s->write_fd);
	s->write_fd = fds[0];
	return reply;
}

static DBusMessage *with_connected(const struct bluez_script *s, DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	dbus_bool_t yes = s->is_connected;
	DBusMessageIter it, variant;

	dbus_message_iter_init_append(reply, &it);
	dbus_message_iter_open_container(&it, DBUS_TYPE_VARIANT, "b", &variant);
	dbus_message_iter_append_basic(&variant, DBUS_TYPE_BOOLEAN, &yes);
	dbus_message_iter_close_container(&it, &variant);
	return reply;
}

static DBusMessage *wrong_type(DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	const char *text = "not what you wanted";

	must(dbus_message_append_args(reply, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID));
	return reply;
}

static DBusMessage *answer(struct bluez_script *s, enum script_method m, DBusMessage *call)
{
	const struct script_answer *a = &s->answers[m];

	if (a->error)
		return dbus_message_new_error(call, a->error, "scripted");
	if (a->is_wrong_type)
		return wrong_type(call);
	if (m == SCRIPT_WRITE)
		return with_fd(s, call);
	if (m == SCRIPT_GET)
		return with_connected(s, call);
	if (m == SCRIPT_LIST)
		return managed(s, call);
	return dbus_message_new_method_return(call);
}

static void hold(struct bluez_script *s, DBusMessage *call)
{
	if (s->held)
		dbus_message_unref(s->held);
	s->held = call;
}

void bluez_script_answer_late(struct bluez_script *s)
{
	for (enum script_method m = 0; m < SCRIPT_METHODS; m++) {
		if (dbus_message_is_method_call(s->held, methods[m].interface, methods[m].name))
			send_out(s, answer(s, m, s->held));
	}
	hold(s, NULL);
}

static void count_power(struct bluez_script *s, DBusMessage *msg)
{
	DBusMessageIter it, value;
	const char *name;
	bool on;

	must(dbus_message_has_signature(msg, "ssv") && dbus_message_has_path(msg, SCRIPT_ADAPTER));
	dbus_message_iter_init(msg, &it);
	dbus_message_iter_next(&it);
	must(dbus_value_string(&it, &name) == ERR_OK && strcmp(name, "Powered") == 0);
	dbus_message_iter_next(&it);
	dbus_message_iter_recurse(&it, &value);
	must(dbus_value_bool(&value, &on) == ERR_OK);
	*(on ? &s->on_count : &s->off_count) += 1;
}

static bool on_message(void *arg, DBusMessage *msg)
{
	struct bluez_script *s = arg;

	for (enum script_method m = 0; m < SCRIPT_METHODS; m++) {
		if (!dbus_message_is_method_call(msg, methods[m].interface, methods[m].name))
			continue;
		s->calls[m]++;
		if (m == SCRIPT_SET_FILTER && dbus_message_has_signature(msg, "a{sv}"))
			s->filters_seen++;
		if (m == SCRIPT_SET)
			count_power(s, msg);
		if (s->answers[m].is_silent)
			hold(s, dbus_message_ref(msg));
		else
			send_out(s, answer(s, m, msg));
		return true;
	}
	return false;
}

static void on_named(void *arg, DBusMessage *reply)
{
	struct bluez_script *s = arg;

	must(dbus_reply_check(reply, "u") == ERR_OK);
	s->is_up = true;
}

static void on_up(void *arg)
{
	struct bluez_script *s = arg;
	DBusMessage *msg = dbus_message_new_method_call(
		DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "RequestName");
	const char *name = "org.bluez";
	dbus_uint32_t flags = 0;

	must(dbus_message_append_args(
		msg, DBUS_TYPE_STRING, &name, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID));
	must(dbus_loop_call(s->loop, msg, 5000, on_named, s, NULL) == ERR_OK);
}

static void on_down(void *arg)
{
	struct bluez_script *s = arg;

	s->is_up = false;
}

static const struct dbus_loop_events events = {on_up, on_down, on_message};

void bluez_script_start(struct bluez_script *s, struct event_base *base, const char *address)
{
	*s = (struct bluez_script){.base = base,
		.has_adapter = true,
		.is_powered = true,
		.has_chars = true,
		.mtu = 63,
		.write_fd = -1};
	must(dbus_loop_new(base, address, &events, s, &s->loop) == ERR_OK);
}

void bluez_script_hang_up(struct bluez_script *s)
{
	if (s->write_fd >= 0)
		close(s->write_fd);
	s->write_fd = -1;
}

void bluez_script_die(struct bluez_script *s)
{
	bluez_script_hang_up(s);
	hold(s, NULL);
	dbus_loop_free(s->loop);
	s->loop = NULL;
	s->is_up = false;
}

/* --- signals -----------------------------------------------------------------------------------
 */

static DBusMessage *changed(
	const char *path, const char *interface, DBusMessageIter *it, DBusMessageIter *dict)
{
	DBusMessage *msg = dbus_message_new_signal(path, PROPERTIES, "PropertiesChanged");

	dbus_message_iter_init_append(msg, it);
	dbus_message_iter_append_basic(it, DBUS_TYPE_STRING, &interface);
	dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "{sv}", dict);
	return msg;
}

static void send_changed(
	struct bluez_script *s, DBusMessage *msg, DBusMessageIter *it, DBusMessageIter *dict)
{
	DBusMessageIter names;

	dbus_message_iter_close_container(it, dict);
	dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "s", &names);
	dbus_message_iter_close_container(it, &names);
	send_out(s, msg);
}

void bluez_script_property(
	struct bluez_script *s, const char *path, const char *interface, const char *name, bool v)
{
	DBusMessageIter it, dict;
	DBusMessage *msg = changed(path, interface, &it, &dict);

	put_bool(&dict, name, v);
	send_changed(s, msg, &it, &dict);
}

void bluez_script_notify(struct bluez_script *s, const uint8_t *p, size_t n)
{
	DBusMessageIter it, dict;
	DBusMessage *msg = changed(SCRIPT_TX, "org.bluez.GattCharacteristic1", &it, &dict);

	put_bytes(&dict, "Value", p, n);
	send_changed(s, msg, &it, &dict);
}

void bluez_script_advert(struct bluez_script *s)
{
	DBusMessageIter it, dict;
	DBusMessage *msg = changed(SCRIPT_DEVICE, "org.bluez.Device1", &it, &dict);

	put_report(&dict);
	send_changed(s, msg, &it, &dict);
}

void bluez_script_nonsense(struct bluez_script *s)
{
	static const char *const names[] = {"RSSI", "ServiceData", "Connected", "ServicesResolved",
		"Address", "AddressType", "Powered", "Discovering", "UUID", "Value"};
	static const char *const paths[] = {SCRIPT_DEVICE, SCRIPT_ADAPTER, SCRIPT_RX, SCRIPT_TX};
	static const char *const interfaces[] = {"org.bluez.Device1", "org.bluez.Adapter1",
		"org.bluez.GattCharacteristic1", "org.bluez.GattCharacteristic1"};
	double v = 1.5;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		DBusMessageIter it, dict;
		DBusMessage *msg = changed(paths[i], interfaces[i], &it, &dict);

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			put(&dict, names[k], DBUS_TYPE_DOUBLE, &v);
		send_changed(s, msg, &it, &dict);
	}
}

static void send_added(struct bluez_script *s, enum thing thing)
{
	DBusMessage *msg = dbus_message_new_signal("/", MANAGER, "InterfacesAdded");
	DBusMessageIter it;

	dbus_message_iter_init_append(msg, &it);
	dbus_message_iter_append_basic(&it, DBUS_TYPE_OBJECT_PATH, &things[thing].path);
	put_interfaces(s, &it, thing);
	send_out(s, msg);
}

void bluez_script_add_device(struct bluez_script *s)
{
	send_added(s, THING_DEVICE);
}

void bluez_script_add_chars(struct bluez_script *s)
{
	send_added(s, THING_RX);
	send_added(s, THING_TX);
}

void bluez_script_remove_device(struct bluez_script *s)
{
	DBusMessage *msg = dbus_message_new_signal("/", MANAGER, "InterfacesRemoved");
	const char *path = SCRIPT_DEVICE, *name = "org.bluez.Device1";
	const char **names = &name;

	must(dbus_message_append_args(msg, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_ARRAY,
		DBUS_TYPE_STRING, &names, 1, DBUS_TYPE_INVALID));
	send_out(s, msg);
}
