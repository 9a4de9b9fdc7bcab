/* How the objects look: interfaces and properties, and the signals about them. */
#include <stdio.h>
#include <string.h>

#include "fakebluez/bluez.h"

#define IF_ADAPTER "org.bluez.Adapter1"
#define IF_DEVICE "org.bluez.Device1"
#define IF_SERVICE "org.bluez.GattService1"
#define IF_CHAR "org.bluez.GattCharacteristic1"
#define IF_DESC "org.bluez.GattDescriptor1"
#define IF_PROPS "org.freedesktop.DBus.Properties"
#define IF_OBJECTS "org.freedesktop.DBus.ObjectManager"

#define UUID_FE12 "0000fe12-0000-1000-8000-00805f9b34fb"
#define UUID_GAP "00001800-0000-1000-8000-00805f9b34fb"
#define UUID_GATT "00001801-0000-1000-8000-00805f9b34fb"
#define UUID_SERVICE "00000001-acce-423c-93fd-0c07a0051858"
#define UUID_RX "00000002-acce-423c-93fd-0c07a0051858"
#define UUID_TX "00000003-acce-423c-93fd-0c07a0051858"
#define UUID_CCCD "00002902-0000-1000-8000-00805f9b34fb"

#define SERVICE "/service000a"

static const char *const char_suffix[BLUEZ_CHARS] = {SERVICE "/char000b", SERVICE "/char000d"};

void bluez_char_path(const struct bluez_device *d, enum bluez_char c, char out[BLUEZ_PATH_MAX])
{
	snprintf(out, BLUEZ_PATH_MAX, "%.60s%s", d->path, char_suffix[c]);
}

/* --- sending ---------------------------------------------------------------------------------- */

void bluez_send(struct bluez *b, DBusMessage *msg)
{
	if (!b->bus || !dbus_loop_connection(b->bus)) {
		if (msg)
			dbus_message_unref(msg);
		return;
	}
	(void)!dbus_loop_send(b->bus, msg);
}

void bluez_reply(struct bluez *b, DBusMessage *call)
{
	bluez_send(b, dbus_message_new_method_return(call));
}

void bluez_error(struct bluez *b, DBusMessage *call, const char *name, const char *text)
{
	bluez_send(b, dbus_message_new_error(call, name, text));
}

/* --- values -------------------------------------------------------------------------------------
 */

static void open_entry(DBusMessageIter *dict, const char *key, DBusMessageIter *entry)
{
	dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, entry);
	dbus_message_iter_append_basic(entry, DBUS_TYPE_STRING, &key);
}

static void put_basic(DBusMessageIter *dict, const char *key, int type, const void *value)
{
	const char signature[2] = {(char)type, '\0'};
	DBusMessageIter entry, variant;

	open_entry(dict, key, &entry);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant);
	dbus_message_iter_append_basic(&variant, type, value);
	dbus_message_iter_close_container(&entry, &variant);
	dbus_message_iter_close_container(dict, &entry);
}

static void put_bool(DBusMessageIter *dict, const char *key, bool value)
{
	dbus_bool_t v = value ? TRUE : FALSE;

	put_basic(dict, key, DBUS_TYPE_BOOLEAN, &v);
}

static void put_string(DBusMessageIter *dict, const char *key, const char *value)
{
	put_basic(dict, key, DBUS_TYPE_STRING, &value);
}

static void put_path(DBusMessageIter *dict, const char *key, const char *value)
{
	put_basic(dict, key, DBUS_TYPE_OBJECT_PATH, &value);
}

static void put_u16(DBusMessageIter *dict, const char *key, uint16_t value)
{
	dbus_uint16_t v = value;

	put_basic(dict, key, DBUS_TYPE_UINT16, &v);
}

static void put_u32(DBusMessageIter *dict, const char *key, uint32_t value)
{
	dbus_uint32_t v = value;

	put_basic(dict, key, DBUS_TYPE_UINT32, &v);
}

static void put_i16(DBusMessageIter *dict, const char *key, int value)
{
	dbus_int16_t v = (dbus_int16_t)value;

	put_basic(dict, key, DBUS_TYPE_INT16, &v);
}

static void put_strings(
	DBusMessageIter *dict, const char *key, const char *const *values, size_t count)
{
	DBusMessageIter entry, variant, array;

	open_entry(dict, key, &entry);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "as", &variant);
	dbus_message_iter_open_container(&variant, DBUS_TYPE_ARRAY, "s", &array);
	for (size_t i = 0; i < count; i++)
		dbus_message_iter_append_basic(&array, DBUS_TYPE_STRING, &values[i]);
	dbus_message_iter_close_container(&variant, &array);
	dbus_message_iter_close_container(&entry, &variant);
	dbus_message_iter_close_container(dict, &entry);
}

static void append_bytes(DBusMessageIter *it, const uint8_t *bytes, size_t n)
{
	DBusMessageIter array;

	dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "y", &array);
	for (size_t i = 0; i < n; i++)
		dbus_message_iter_append_basic(&array, DBUS_TYPE_BYTE, &bytes[i]);
	dbus_message_iter_close_container(it, &array);
}

static void put_bytes(DBusMessageIter *dict, const char *key, const uint8_t *bytes, size_t n)
{
	DBusMessageIter entry, variant;

	open_entry(dict, key, &entry);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "ay", &variant);
	append_bytes(&variant, bytes, n);
	dbus_message_iter_close_container(&entry, &variant);
	dbus_message_iter_close_container(dict, &entry);
}

static void put_service_data(DBusMessageIter *dict, const struct bluez_device *d)
{
	DBusMessageIter entry, variant, inner;

	open_entry(dict, "ServiceData", &entry);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "a{sv}", &variant);
	dbus_message_iter_open_container(&variant, DBUS_TYPE_ARRAY, "{sv}", &inner);
	put_bytes(&inner, UUID_FE12, d->service_data, d->service_data_bytes);
	dbus_message_iter_close_container(&variant, &inner);
	dbus_message_iter_close_container(&entry, &variant);
	dbus_message_iter_close_container(dict, &entry);
}

/* --- properties: each writes those named, or all (NULL)
 * ------------------------------------------- */

static bool wants(const char *only, const char *name)
{
	return !only || strcmp(only, name) == 0;
}

static void adapter_properties(const struct bluez *b, DBusMessageIter *dict, const char *only)
{
	static const char *const uuids[] = {UUID_GAP, UUID_GATT};

	if (wants(only, "Address"))
		put_string(dict, "Address", "00:00:00:00:00:01");
	if (wants(only, "AddressType"))
		put_string(dict, "AddressType", "public");
	if (wants(only, "Name"))
		put_string(dict, "Name", "fakebluez");
	if (wants(only, "Alias"))
		put_string(dict, "Alias", "fakebluez");
	if (wants(only, "Class"))
		put_u32(dict, "Class", 0);
	if (wants(only, "Powered"))
		put_bool(dict, "Powered", b->powered);
	if (wants(only, "Discoverable"))
		put_bool(dict, "Discoverable", false);
	if (wants(only, "Pairable"))
		put_bool(dict, "Pairable", false);
	if (wants(only, "Discovering"))
		put_bool(dict, "Discovering", b->discovering);
	if (wants(only, "UUIDs"))
		put_strings(dict, "UUIDs", uuids, 2);
}

/* Once GATT was resolved the advertised UUID is gone, for good (bluez.md). */
static void put_uuids(DBusMessageIter *dict, const struct bluez_device *d)
{
	static const char *const advertised[] = {UUID_FE12};
	static const char *const resolved[] = {UUID_SERVICE, UUID_GAP, UUID_GATT};

	if (d->gatt_known || d->gatt_late)
		put_strings(dict, "UUIDs", resolved, 3);
	else
		put_strings(dict, "UUIDs", advertised, 1);
}

static bool is_connected(const struct bluez_device *d)
{
	return d->state == BLUEZ_CONNECTED || d->state == BLUEZ_DISCONNECTING;
}

static void device_properties(const struct bluez_device *d, DBusMessageIter *dict, const char *only)
{
	if (wants(only, "Address"))
		put_string(dict, "Address", d->text);
	if (wants(only, "AddressType"))
		put_string(dict, "AddressType", d->address[0] == 0 ? "public" : "random");
	if (wants(only, "Name") && d->name[0] != '\0')
		put_string(dict, "Name", d->name);
	if (wants(only, "Alias"))
		put_string(dict, "Alias", d->name[0] != '\0' ? d->name : d->text);
	if (wants(only, "Paired"))
		put_bool(dict, "Paired", false);
	if (wants(only, "Trusted"))
		put_bool(dict, "Trusted", false);
	if (wants(only, "Blocked"))
		put_bool(dict, "Blocked", false);
	if (wants(only, "LegacyPairing"))
		put_bool(dict, "LegacyPairing", false);
	if (wants(only, "RSSI") && d->has_rssi)
		put_i16(dict, "RSSI", d->rssi_dbm);
	if (wants(only, "Connected"))
		put_bool(dict, "Connected", is_connected(d));
	if (wants(only, "UUIDs"))
		put_uuids(dict, d);
	if (wants(only, "Adapter"))
		put_path(dict, "Adapter", BLUEZ_ADAPTER_PATH);
	if (wants(only, "ServiceData"))
		put_service_data(dict, d);
	if (wants(only, "ServicesResolved"))
		put_bool(dict, "ServicesResolved", d->resolved);
}

static void service_properties(
	const struct bluez_device *d, DBusMessageIter *dict, const char *only)
{
	if (wants(only, "UUID"))
		put_string(dict, "UUID", UUID_SERVICE);
	if (wants(only, "Primary"))
		put_bool(dict, "Primary", true);
	if (wants(only, "Device"))
		put_path(dict, "Device", d->path);
}

static void char_properties(
	const struct bluez_device *d, enum bluez_char c, DBusMessageIter *dict, const char *only)
{
	static const char *const rx_flags[] = {"write-without-response", "write"};
	static const char *const tx_flags[] = {"read", "notify"};
	char service[BLUEZ_PATH_MAX];

	snprintf(service, sizeof(service), "%.60s%s", d->path, SERVICE);
	if (wants(only, "UUID"))
		put_string(dict, "UUID", c == BLUEZ_RX ? UUID_RX : UUID_TX);
	if (wants(only, "Service"))
		put_path(dict, "Service", service);
	if (wants(only, "Value"))
		put_bytes(dict, "Value", d->value, c == BLUEZ_TX ? d->value_bytes : 0);
	if (wants(only, "Flags"))
		put_strings(dict, "Flags", c == BLUEZ_RX ? rx_flags : tx_flags, 2);
	if (c == BLUEZ_RX && wants(only, "WriteAcquired"))
		put_bool(dict, "WriteAcquired", d->acquired);
	if (c == BLUEZ_TX && wants(only, "NotifyAcquired"))
		put_bool(dict, "NotifyAcquired", false);
	if (c == BLUEZ_TX && wants(only, "Notifying"))
		put_bool(dict, "Notifying", d->notified[0] != '\0' && !d->notify);
	if (wants(only, "MTU") && is_connected(d))
		put_u16(dict, "MTU", BLUEZ_MTU);
}

static void desc_properties(const struct bluez_device *d, DBusMessageIter *dict, const char *only)
{
	char path[BLUEZ_PATH_MAX];

	bluez_char_path(d, BLUEZ_TX, path);
	if (wants(only, "UUID"))
		put_string(dict, "UUID", UUID_CCCD);
	if (wants(only, "Characteristic"))
		put_path(dict, "Characteristic", path);
}

/* --- objects
 * ------------------------------------------------------------------------------------------ */

enum kind { KIND_NONE, KIND_ADAPTER, KIND_DEVICE, KIND_SERVICE, KIND_RX, KIND_TX, KIND_DESC };

struct object {
	enum kind kind;
	const char *interface;
	char path[BLUEZ_PATH_MAX];
	struct bluez *b;
	struct bluez_device *d;
};

static struct object adapter_object(struct bluez *b)
{
	struct object o = {.kind = KIND_ADAPTER, .interface = IF_ADAPTER, .b = b};

	snprintf(o.path, sizeof(o.path), "%s", BLUEZ_ADAPTER_PATH);
	return o;
}

static struct object device_object(struct bluez_device *d, enum kind kind)
{
	static const struct {
		const char *interface, *suffix;
	} rows[] = {
		[KIND_DEVICE] = {IF_DEVICE, ""},
		[KIND_SERVICE] = {IF_SERVICE, SERVICE},
		[KIND_RX] = {IF_CHAR, SERVICE "/char000b"},
		[KIND_TX] = {IF_CHAR, SERVICE "/char000d"},
		[KIND_DESC] = {IF_DESC, SERVICE "/char000d/desc000f"},
	};
	struct object o = {.kind = kind, .interface = rows[kind].interface, .b = d->bluez, .d = d};

	snprintf(o.path, sizeof(o.path), "%.60s%s", d->path, rows[kind].suffix);
	return o;
}

static struct object find_object(struct bluez *b, const char *path)
{
	struct object o = {.kind = KIND_NONE};
	struct bluez_device *d;

	if (!b->exported)
		return o;
	if (strcmp(path, BLUEZ_ADAPTER_PATH) == 0)
		return adapter_object(b);
	d = bluez_find_path(b, path);
	for (int k = KIND_DEVICE; d && k <= (d->gatt_known ? KIND_DESC : KIND_DEVICE); k++) {
		o = device_object(d, (enum kind)k);
		if (strcmp(o.path, path) == 0)
			return o;
	}
	o.kind = KIND_NONE;
	return o;
}

static void append_properties(DBusMessageIter *it, const struct object *o, const char *only)
{
	DBusMessageIter dict;

	dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "{sv}", &dict);
	switch (o->kind) {
	case KIND_NONE:
		break;
	case KIND_ADAPTER:
		adapter_properties(o->b, &dict, only);
		break;
	case KIND_DEVICE:
		device_properties(o->d, &dict, only);
		break;
	case KIND_SERVICE:
		service_properties(o->d, &dict, only);
		break;
	case KIND_RX:
		char_properties(o->d, BLUEZ_RX, &dict, only);
		break;
	case KIND_TX:
		char_properties(o->d, BLUEZ_TX, &dict, only);
		break;
	case KIND_DESC:
		desc_properties(o->d, &dict, only);
		break;
	}
	dbus_message_iter_close_container(it, &dict);
}

/* a{sa{sv}}: our interface, and the one that every object of bluetoothd has. */
static void append_interfaces(DBusMessageIter *it, const struct object *o)
{
	static const struct object nothing = {.kind = KIND_NONE};
	DBusMessageIter array, entry;

	dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "{sa{sv}}", &array);
	open_entry(&array, IF_PROPS, &entry);
	append_properties(&entry, &nothing, NULL);
	dbus_message_iter_close_container(&array, &entry);
	open_entry(&array, o->interface, &entry);
	append_properties(&entry, o, NULL);
	dbus_message_iter_close_container(&array, &entry);
	dbus_message_iter_close_container(it, &array);
}

static void append_object(DBusMessageIter *dict, const struct object *o)
{
	const char *path = o->path;
	DBusMessageIter entry;

	dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_OBJECT_PATH, &path);
	append_interfaces(&entry, o);
	dbus_message_iter_close_container(dict, &entry);
}

void bluez_reply_objects(struct bluez *b, DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	DBusMessageIter it, dict;
	struct object o;

	dbus_message_iter_init_append(reply, &it);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{oa{sa{sv}}}", &dict);
	if (b->exported) {
		o = adapter_object(b);
		append_object(&dict, &o);
	}
	for (struct bluez_device *d = b->devices; d; d = d->next)
		for (int k = KIND_DEVICE; k <= (d->gatt_known ? KIND_DESC : KIND_DEVICE); k++) {
			o = device_object(d, (enum kind)k);
			append_object(&dict, &o);
		}
	dbus_message_iter_close_container(&it, &dict);
	bluez_send(b, reply);
}

/* --- signals
 * ---------------------------------------------------------------------------------------------- */

static void added(const struct object *o)
{
	DBusMessage *signal = dbus_message_new_signal("/", IF_OBJECTS, "InterfacesAdded");
	const char *path = o->path;
	DBusMessageIter it;

	dbus_message_iter_init_append(signal, &it);
	dbus_message_iter_append_basic(&it, DBUS_TYPE_OBJECT_PATH, &path);
	append_interfaces(&it, o);
	bluez_send(o->b, signal);
}

static void removed(const struct object *o)
{
	DBusMessage *signal = dbus_message_new_signal("/", IF_OBJECTS, "InterfacesRemoved");
	const char *path = o->path, *props = IF_PROPS;
	DBusMessageIter it, array;

	dbus_message_iter_init_append(signal, &it);
	dbus_message_iter_append_basic(&it, DBUS_TYPE_OBJECT_PATH, &path);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "s", &array);
	dbus_message_iter_append_basic(&array, DBUS_TYPE_STRING, &props);
	dbus_message_iter_append_basic(&array, DBUS_TYPE_STRING, &o->interface);
	dbus_message_iter_close_container(&it, &array);
	bluez_send(o->b, signal);
}

/* invalidated may be NULL; without property the dictionary is empty. */
static void changed(
	const struct object *o, const char *property, const char *second, const char *invalidated)
{
	DBusMessage *signal = dbus_message_new_signal(o->path, IF_PROPS, "PropertiesChanged");
	DBusMessageIter it, dict, array;

	dbus_message_iter_init_append(signal, &it);
	dbus_message_iter_append_basic(&it, DBUS_TYPE_STRING, &o->interface);
	if (second) {
		dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sv}", &dict);
		device_properties(o->d, &dict, property);
		device_properties(o->d, &dict, second);
		dbus_message_iter_close_container(&it, &dict);
	} else {
		append_properties(&it, o, property ? property : "");
	}
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "s", &array);
	if (invalidated)
		dbus_message_iter_append_basic(&array, DBUS_TYPE_STRING, &invalidated);
	dbus_message_iter_close_container(&it, &array);
	bluez_send(o->b, signal);
}

void bluez_adapter_added(struct bluez *b)
{
	struct object o = adapter_object(b);

	added(&o);
}

void bluez_adapter_removed(struct bluez *b)
{
	struct object o = adapter_object(b);

	removed(&o);
}

void bluez_device_added(struct bluez_device *d)
{
	struct object o = device_object(d, KIND_DEVICE);

	added(&o);
}

void bluez_device_removed(struct bluez_device *d)
{
	struct object o = device_object(d, KIND_DEVICE);

	removed(&o);
}

void bluez_gatt_added(struct bluez_device *d)
{
	for (int k = KIND_SERVICE; k <= KIND_DESC; k++) {
		struct object o = device_object(d, (enum kind)k);

		added(&o);
	}
}

void bluez_gatt_removed(struct bluez_device *d)
{
	for (int k = KIND_DESC; k >= KIND_SERVICE; k--) {
		struct object o = device_object(d, (enum kind)k);

		removed(&o);
	}
}

void bluez_adapter_changed(struct bluez *b, const char *property)
{
	struct object o = adapter_object(b);

	changed(&o, property, NULL, NULL);
}

void bluez_device_changed(struct bluez_device *d, const char *property)
{
	struct object o = device_object(d, KIND_DEVICE);

	changed(&o, property, NULL, NULL);
}

void bluez_device_changed_both(struct bluez_device *d, const char *property, const char *second)
{
	struct object o = device_object(d, KIND_DEVICE);

	changed(&o, property, second, NULL);
}

void bluez_device_rssi_gone(struct bluez_device *d)
{
	struct object o = device_object(d, KIND_DEVICE);

	changed(&o, NULL, NULL, "RSSI");
}

void bluez_char_changed(struct bluez_device *d, enum bluez_char c, const char *property)
{
	struct object o = device_object(d, c == BLUEZ_RX ? KIND_RX : KIND_TX);

	changed(&o, property, NULL, NULL);
}

/* --- org.freedesktop.DBus.Properties
 * --------------------------------------------------------------------- */

static void get_all(struct bluez *b, DBusMessage *call, const struct object *o)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	DBusMessageIter it;

	dbus_message_iter_init_append(reply, &it);
	append_properties(&it, o, NULL);
	bluez_send(b, reply);
}

/* The one property out of a dictionary that holds it alone. */
static void get(struct bluez *b, DBusMessage *call, const struct object *o, const char *name)
{
	DBusMessage *all = dbus_message_new(DBUS_MESSAGE_TYPE_SIGNAL), *reply;
	DBusMessageIter it, dict, entry, from, to, variant;
	int type;

	dbus_message_iter_init_append(all, &it);
	append_properties(&it, o, name);
	dbus_message_iter_init(all, &it);
	dbus_message_iter_recurse(&it, &dict);
	if (dbus_message_iter_get_arg_type(&dict) == DBUS_TYPE_INVALID) {
		bluez_error(b, call, "org.freedesktop.DBus.Error.InvalidArgs", "No such property");
		dbus_message_unref(all);
		return;
	}
	dbus_message_iter_recurse(&dict, &entry);
	dbus_message_iter_next(&entry);
	dbus_message_iter_recurse(&entry, &from);
	type = dbus_message_iter_get_arg_type(&from);
	if (!dbus_type_is_basic(type)) {
		bluez_error(b, call, "org.freedesktop.DBus.Error.NotSupported", "use GetAll");
	} else {
		const char signature[2] = {(char)type, '\0'};
		DBusBasicValue value;

		dbus_message_iter_get_basic(&from, &value);
		reply = dbus_message_new_method_return(call);
		dbus_message_iter_init_append(reply, &to);
		dbus_message_iter_open_container(&to, DBUS_TYPE_VARIANT, signature, &variant);
		dbus_message_iter_append_basic(&variant, type, &value);
		dbus_message_iter_close_container(&to, &variant);
		bluez_send(b, reply);
	}
	dbus_message_unref(all);
}

static void set(struct bluez *b, DBusMessage *call, const struct object *o, const char *name)
{
	DBusMessageIter it, value;
	bool on;

	dbus_message_iter_init(call, &it);
	dbus_message_iter_next(&it);
	dbus_message_iter_next(&it);
	if (o->kind != KIND_ADAPTER || strcmp(name, "Powered") != 0 ||
		dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_VARIANT) {
		bluez_error(b, call, "org.bluez.Error.NotSupported", "Operation is not supported");
		return;
	}
	dbus_message_iter_recurse(&it, &value);
	if (dbus_value_bool(&value, &on) != ERR_OK) {
		bluez_error(b, call, "org.bluez.Error.InvalidArguments", "Invalid arguments");
		return;
	}
	if (b->is_stuck)
		return;
	bluez_reply(b, call);
	bluez_set_powered(b, on);
}

bool bluez_on_properties(struct bluez *b, DBusMessage *call)
{
	struct object o = find_object(b, dbus_message_get_path(call));
	const char *member = dbus_message_get_member(call), *interface = "", *name = "";

	if (o.kind == KIND_NONE)
		return false;
	if (strcmp(member, "GetAll") == 0) {
		get_all(b, call, &o);
		return true;
	}
	if (!dbus_message_get_args(call, NULL, DBUS_TYPE_STRING, &interface, DBUS_TYPE_STRING,
		    &name, DBUS_TYPE_INVALID))
		return false;
	if (strcmp(member, "Get") == 0)
		get(b, call, &o, name);
	else if (strcmp(member, "Set") == 0)
		set(b, call, &o, name);
	else
		return false;
	return true;
}
