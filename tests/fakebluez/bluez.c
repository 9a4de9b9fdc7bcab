#include "fakebluez/bluez.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define DISCOVERING_MS 50 /* StartDiscovery returns before scanning begins */
#define EXPIRE_MS 1000

#define FAILED "org.bluez.Error.Failed"
#define IN_PROGRESS "org.bluez.Error.InProgress"
#define NOT_READY "org.bluez.Error.NotReady"
#define INVALID "org.bluez.Error.InvalidArguments"

/* --- clients: a filter and a session each -------------------------------------------------------
 */

static int find_client(struct bluez *b, const char *name)
{
	for (int i = 0; i < BLUEZ_CLIENTS_MAX; i++)
		if (strcmp(b->clients[i].name, name) == 0)
			return i;
	return -1;
}

static int client_of(struct bluez *b, DBusMessage *call)
{
	const char *sender = dbus_message_get_sender(call);
	int i = find_client(b, sender);

	if (i < 0)
		i = find_client(b, "");
	if (i >= 0)
		snprintf(b->clients[i].name, sizeof(b->clients[i].name), "%s", sender);
	return i;
}

static bool has_session(const struct bluez *b)
{
	for (int i = 0; i < BLUEZ_CLIENTS_MAX; i++)
		if (b->session[i])
			return true;
	return false;
}

/* --- discovery
 * -------------------------------------------------------------------------------------- */

static void stop_scanning(struct bluez *b)
{
	(void)event_del(b->scan_timer);
	air_radio_scan(b->radio, false);
	if (!b->discovering)
		return;
	b->discovering = false;
	for (struct bluez_device *d = b->devices; d; d = d->next) {
		if (d->has_rssi)
			bluez_device_rssi_gone(d);
		d->has_rssi = false;
		bluez_begin_link(d); /* now the kernel's own scan looks for it */
	}
	bluez_adapter_changed(b, "Discovering");
}

static void on_scan(evutil_socket_t fd, short what, void *arg)
{
	struct bluez *b = arg;

	(void)fd;
	(void)what;
	if (!has_session(b) || b->discovering)
		return;
	drive_sync(b->drive);
	b->discovering = true;
	bluez_scan_begin(b);
	air_radio_scan(b->radio, true);
	bluez_adapter_changed(b, "Discovering");
	drive_arm(b->drive);
}

static void start_discovery(struct bluez *b, DBusMessage *call)
{
	struct timeval tv = {.tv_usec = DISCOVERING_MS * 1000};
	int i = client_of(b, call);

	if (!b->powered) {
		bluez_error(b, call, NOT_READY, "Resource Not Ready");
	} else if (i < 0 || b->session[i] || b->is_stuck) {
		bluez_error(b, call, IN_PROGRESS, "Operation already in progress");
	} else {
		b->session[i] = true;
		bluez_reply(b, call);
		(void)event_add(b->scan_timer, &tv);
	}
}

static void stop_discovery(struct bluez *b, DBusMessage *call)
{
	int i = find_client(b, dbus_message_get_sender(call));

	if (!b->powered) {
		bluez_error(b, call, NOT_READY, "Resource Not Ready");
	} else if (i < 0 || !b->session[i]) {
		bluez_error(b, call, FAILED, "No discovery started");
	} else if (!b->discovering || b->is_stuck) {
		bluez_error(b, call, IN_PROGRESS, "Operation already in progress");
	} else if (b->hangs) { /* the session ends all the same */
		b->session[i] = false;
		air_radio_scan(b->radio, false);
		bluez_error(b, call, IN_PROGRESS, "Operation already in progress");
	} else {
		b->session[i] = false;
		bluez_reply(b, call);
		if (!has_session(b))
			stop_scanning(b);
	}
}

static bool is_uuid(const char *text)
{
	size_t n = strlen(text);

	return n == 36 || n == 8 || n == 4 || (n == 6 && strncmp(text, "0x", 2) == 0);
}

static bool are_uuids(DBusMessageIter *value)
{
	DBusMessageIter it;
	const char *text;

	if (dbus_message_iter_get_arg_type(value) != DBUS_TYPE_ARRAY)
		return false;
	for (dbus_message_iter_recurse(value, &it);
		dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID;
		dbus_message_iter_next(&it))
		if (dbus_value_string(&it, &text) != ERR_OK || !is_uuid(text))
			return false;
	return true;
}

/* Every node advertises 0xFE12, so the filter of UUIDs is only checked. */
static void set_filter(struct bluez *b, DBusMessage *call)
{
	int i = client_of(b, call);
	DBusMessageIter it, value;
	struct dbus_dict dict;
	const char *key, *transport;
	bool ok = i >= 0, duplicates = false;

	dbus_message_iter_init(call, &it);
	ok = ok && dbus_dict_open(&it, &dict) == ERR_OK;
	while (ok && dbus_dict_next(&dict, &key, &value)) {
		if (strcmp(key, "DuplicateData") == 0)
			ok = dbus_value_bool(&value, &duplicates) == ERR_OK;
		else if (strcmp(key, "UUIDs") == 0)
			ok = are_uuids(&value);
		else if (strcmp(key, "Transport") == 0)
			ok = dbus_value_string(&value, &transport) == ERR_OK;
	}
	if (!ok) {
		bluez_error(b, call, INVALID, "Invalid arguments in method call");
		return;
	}
	b->clients[i].filter_set = true;
	b->clients[i].duplicates = duplicates;
	bluez_reply(b, call);
}

/* --- the adapter
 * ---------------------------------------------------------------------------------------- */

static bool on_adapter_call(struct bluez *b, DBusMessage *call)
{
	static const struct {
		const char *member;
		void (*fn)(struct bluez *b, DBusMessage *call);
	} rows[] = {
		{"SetDiscoveryFilter", set_filter},
		{"StartDiscovery", start_discovery},
		{"StopDiscovery", stop_discovery},
		{"RemoveDevice", bluez_remove_device},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(dbus_message_get_member(call), rows[i].member) == 0) {
			rows[i].fn(b, call);
			return true;
		}
	return false;
}

static void on_report(void *ctx, const struct port_report *report, struct span rsp)
{
	bluez_on_report(ctx, report, rsp);
}

static const struct air_radio_ops radio_ops = {
	.report = on_report,
	.connected = bluez_on_connected,
	.subscribed = bluez_on_subscribed,
	.notified = bluez_on_notified,
	.disconnected = bluez_on_disconnected,
};

/* A radio that was switched off has no links and hears nothing. */
static void renew_radio(struct bluez *b)
{
	air_radio_free(b->radio);
	b->radio = air_radio_new(b->drive->air, &radio_ops, b);
	if (!b->radio)
		abort();
}

static void end_sessions(struct bluez *b)
{
	memset(b->session, 0, sizeof(b->session));
	(void)event_del(b->scan_timer);
}

void bluez_set_powered(struct bluez *b, bool on)
{
	if (b->powered == on || !b->exported)
		return;
	if (on) {
		b->powered = true;
		bluez_adapter_changed(b, "Powered");
		return;
	}
	end_sessions(b);
	b->hangs = false;
	bluez_power_off_devices(b);
	renew_radio(b);
	b->powered = false;
	bluez_adapter_changed(b, "Powered");
	if (b->discovering) {
		b->discovering = false;
		bluez_adapter_changed(b, "Discovering");
	}
}

void bluez_set_plugged(struct bluez *b, bool in)
{
	if (b->exported == in)
		return;
	if (in) {
		b->exported = true;
		b->powered = true; /* AutoEnable */
		bluez_adapter_added(b);
		return;
	}
	bluez_set_powered(b, false);
	bluez_drop_devices(b, true);
	bluez_adapter_removed(b);
	b->exported = false;
}

void bluez_hang_discovery(struct bluez *b)
{
	b->hangs = true;
}

void bluez_set_busy(struct bluez *b, bool on)
{
	b->busy = on;
}

bool bluez_lose_link(struct bluez *b, const uint8_t address[PORT_ADDRESS_BYTES])
{
	for (struct bluez_device *d = b->devices; d; d = d->next) {
		bool is_up = d->state == BLUEZ_CONNECTED || d->state == BLUEZ_DISCONNECTING;

		if (is_up && d->link != 0 && memcmp(d->address, address, PORT_ADDRESS_BYTES) == 0) {
			air_radio_lose(b->radio, d->link);
			return true;
		}
	}
	return false;
}

/* --- the bus
 * ------------------------------------------------------------------------------------------------
 */

static bool on_char_path(struct bluez_device *d, DBusMessage *call)
{
	char path[BLUEZ_PATH_MAX];

	for (int c = 0; c < BLUEZ_CHARS; c++) {
		bluez_char_path(d, (enum bluez_char)c, path);
		if (d->gatt_known && strcmp(path, dbus_message_get_path(call)) == 0)
			return bluez_on_char_call(d, (enum bluez_char)c, call);
	}
	return false;
}

static bool dispatch(struct bluez *b, DBusMessage *call)
{
	const char *path = dbus_message_get_path(call);
	const char *interface = dbus_message_get_interface(call);
	struct bluez_device *d;

	if (!path || !interface)
		return false;
	if (strcmp(interface, "org.freedesktop.DBus.ObjectManager") == 0) {
		if (strcmp(path, "/") != 0 ||
			strcmp(dbus_message_get_member(call), "GetManagedObjects") != 0)
			return false;
		bluez_reply_objects(b, call);
		return true;
	}
	if (strcmp(interface, "org.freedesktop.DBus.Properties") == 0)
		return bluez_on_properties(b, call);
	if (b->exported && strcmp(path, BLUEZ_ADAPTER_PATH) == 0)
		return strcmp(interface, "org.bluez.Adapter1") == 0 && on_adapter_call(b, call);
	d = bluez_find_path(b, path);
	if (!d)
		return false;
	if (strcmp(interface, "org.bluez.Device1") == 0 && strcmp(path, d->path) == 0)
		return bluez_on_device_call(d, call);
	return strcmp(interface, "org.bluez.GattCharacteristic1") == 0 && on_char_path(d, call);
}

/* A client has left the bus: its filter and its sessions go with it. */
static void on_name_lost(struct bluez *b, DBusMessage *msg)
{
	const char *name, *old, *new;
	int i;

	if (!dbus_message_get_args(msg, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING, &old,
		    DBUS_TYPE_STRING, &new, DBUS_TYPE_INVALID) ||
		*new != '\0')
		return;
	if (*name == '\0')
		return;
	bluez_forget_notified(b, name);
	i = find_client(b, name);
	if (i < 0)
		return;
	memset(&b->clients[i], 0, sizeof(b->clients[i]));
	b->session[i] = false;
	if (!has_session(b))
		stop_scanning(b);
}

static bool on_message(void *arg, DBusMessage *msg)
{
	struct bluez *b = arg;
	bool handled = true;

	drive_sync(b->drive);
	if (dbus_message_is_signal(msg, DBUS_INTERFACE_DBUS, "NameOwnerChanged"))
		on_name_lost(b, msg);
	else if (dbus_message_get_type(msg) != DBUS_MESSAGE_TYPE_METHOD_CALL)
		handled = false;
	else if (!dispatch(b, msg)) {
		bool known = bluez_find_path(b, dbus_message_get_path(msg)) != NULL;

		bluez_error(b, msg, known ? DBUS_ERROR_UNKNOWN_METHOD : DBUS_ERROR_UNKNOWN_OBJECT,
			"Method or object doesn't exist");
	}
	drive_arm(b->drive);
	return handled;
}

static void on_name(void *arg, DBusMessage *reply)
{
	struct bluez *b = arg;

	if (dbus_reply_check(reply, "u") != ERR_OK)
		log_err("fakebluez: no name error=%s", dbus_reply_error(reply));
	else if (b->ready)
		b->ready(b->arg);
}

static void request_name(struct bluez *b)
{
	DBusMessage *call = dbus_message_new_method_call(
		DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "RequestName");
	const char *name = "org.bluez";
	dbus_uint32_t flags = DBUS_NAME_FLAG_DO_NOT_QUEUE;

	dbus_message_append_args(
		call, DBUS_TYPE_STRING, &name, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID);
	(void)!dbus_loop_call(b->bus, call, 5000, on_name, b, NULL);
}

static void on_up(void *arg)
{
	struct bluez *b = arg;

	dbus_loop_add_match(
		b->bus, "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'");
	request_name(b);
}

static void on_down(void *arg)
{
	struct bluez *b = arg;

	if (b->lost)
		b->lost(b->arg);
}

static const struct dbus_loop_events bus_events = {
	.up = on_up, .down = on_down, .message = on_message};

static enum err get_on_the_bus(struct bluez *b)
{
	return dbus_loop_new(
		b->base, b->address[0] != '\0' ? b->address : NULL, &bus_events, b, &b->bus);
}

/* The connection goes, and with it the name; whoever waits gets NoReply from the bus. */
void bluez_die(struct bluez *b)
{
	dbus_loop_free(b->bus);
	b->bus = NULL;
	end_sessions(b);
	memset(b->clients, 0, sizeof(b->clients));
	bluez_drop_devices(b, false);
	renew_radio(b);
	b->discovering = b->is_stuck = false;
}

void bluez_revive(struct bluez *b)
{
	b->powered = b->exported = true;
	if (!b->bus && get_on_the_bus(b) != ERR_OK)
		log_err("fakebluez: cannot get on the bus again");
}

static void on_expire(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	bluez_expire(arg);
}

enum err bluez_new(struct drive *drive, const char *bus_address, void (*ready)(void *arg),
	void *arg, struct bluez **out)
{
	struct bluez *b = calloc(1, sizeof(*b));
	struct timeval tv = drive_delay(drive, EXPIRE_MS);

	if (!b)
		return ERR_NOMEM;
	b->base = drive->base;
	b->drive = drive;
	b->ready = ready;
	b->arg = arg;
	b->powered = b->exported = true;
	b->scan_timer = event_new(b->base, -1, 0, on_scan, b);
	b->expire_timer = event_new(b->base, -1, EV_PERSIST, on_expire, b);
	if (!b->scan_timer || !b->expire_timer)
		abort();
	(void)event_add(b->expire_timer, &tv);
	renew_radio(b);
	if (bus_address)
		snprintf(b->address, sizeof(b->address), "%s", bus_address);
	*out = b;
	return get_on_the_bus(b);
}

void bluez_free(struct bluez *b)
{
	if (!b)
		return;
	bluez_drop_devices(b, false);
	air_radio_free(b->radio);
	event_free(b->scan_timer);
	event_free(b->expire_timer);
	if (b->bus)
		dbus_loop_free(b->bus);
	free(b);
}
