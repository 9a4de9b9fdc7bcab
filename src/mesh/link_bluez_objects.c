#include "mesh/link_bluez_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "mesh/dbus_loop.h"

#define UUID_SERVICE_DATA "0000fe12-0000-1000-8000-00805f9b34fb"
#define UUID_RX "00000002-acce-423c-93fd-0c07a0051858"
#define UUID_TX "00000003-acce-423c-93fd-0c07a0051858"

/* --- rows --------------------------------------------------------------------------------------
 */

static size_t bucket_of(const char *path)
{
	uint32_t h = 2166136261u;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 16777619u;
	return h % BZ_BUCKETS;
}

struct bz_object *bz_objects_find(const struct bz_objects *t, const char *path)
{
	struct bz_object *o = t->buckets[bucket_of(path)];

	while (o && strcmp(o->path, path) != 0)
		o = o->next;
	return o;
}

static struct bz_object *insert(struct bz_objects *t, const char *path)
{
	struct bz_object **bucket = &t->buckets[bucket_of(path)];
	struct bz_object *o = t->count < BZ_OBJECTS_MAX ? calloc(1, sizeof(*o)) : NULL;

	if (!o)
		return NULL;
	o->path = strdup(path);
	if (!o->path) {
		free(o);
		return NULL;
	}
	o->rssi_dbm = LINK_RSSI_UNKNOWN;
	o->next = *bucket;
	*bucket = o;
	t->count++;
	return o;
}

static void free_object(struct bz_object *o)
{
	free(o->path);
	free(o);
}

static void erase(struct bz_objects *t, const char *path)
{
	struct bz_object **p = &t->buckets[bucket_of(path)], *o;

	while (*p && strcmp((*p)->path, path) != 0)
		p = &(*p)->next;
	o = *p;
	if (!o)
		return;
	*p = o->next;
	free_object(o);
	t->count--;
}

void bz_objects_clear(struct bz_objects *t)
{
	for (size_t i = 0; i < BZ_BUCKETS; i++) {
		while (t->buckets[i]) {
			struct bz_object *o = t->buckets[i];

			t->buckets[i] = o->next;
			free_object(o);
		}
	}
	t->count = 0;
}

struct bz_object *bz_objects_adapter(const struct bz_objects *t, const char *name)
{
	struct bz_object *best = NULL;
	char path[BZ_PATH_MAX];

	if (name) {
		snprintf(path, sizeof(path), "/org/bluez/%s", name);
		best = bz_objects_find(t, path);
		return best && best->kind == BZ_ADAPTER ? best : NULL;
	}
	for (size_t i = 0; i < BZ_BUCKETS; i++) {
		for (struct bz_object *o = t->buckets[i]; o; o = o->next) {
			if (o->kind == BZ_ADAPTER && o->is_powered &&
				(!best || strcmp(o->path, best->path) < 0))
				best = o;
		}
	}
	return best;
}

struct bz_object *bz_objects_char(const struct bz_objects *t, const char *device, enum bz_kind kind)
{
	size_t n = strlen(device);

	for (size_t i = 0; i < BZ_BUCKETS; i++) {
		for (struct bz_object *o = t->buckets[i]; o; o = o->next) {
			if (o->kind == kind && strncmp(o->path, device, n) == 0 &&
				o->path[n] == '/')
				return o;
		}
	}
	return NULL;
}

enum err bz_device_path(const char *adapter, const struct link_addr *a, char out[BZ_PATH_MAX])
{
	int n = snprintf(out, BZ_PATH_MAX, "%s/dev_%02X_%02X_%02X_%02X_%02X_%02X", adapter, a->b[5],
		a->b[4], a->b[3], a->b[2], a->b[1], a->b[0]);

	return n > 0 && n < BZ_PATH_MAX ? ERR_OK : ERR_RANGE;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

enum err bz_addr_parse(const char *text, uint8_t b[6])
{
	if (strlen(text) != 17)
		return ERR_INVALID;
	for (size_t i = 0; i < 6; i++) {
		int hi = hex_digit(text[3 * i]), lo = hex_digit(text[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return ERR_INVALID;
		b[5 - i] = (uint8_t)(hi << 4 | lo);
	}
	return ERR_OK;
}

/* --- properties --------------------------------------------------------------------------------
 */

static unsigned read_service_data(struct bz_object *o, DBusMessageIter *value)
{
	struct dbus_dict dict;
	DBusMessageIter item;
	const char *uuid;
	struct span data;

	if (dbus_dict_open(value, &dict) != ERR_OK)
		return 0;
	while (dbus_dict_next(&dict, &uuid, &item)) {
		if (strcasecmp(uuid, UUID_SERVICE_DATA) != 0 ||
			dbus_value_bytes(&item, &data) != ERR_OK || data.n > BZ_DATA_MAX)
			continue;
		if (data.n > 0)
			memcpy(o->data, data.p, data.n);
		o->data_bytes = data.n;
		return BZ_NEWS_ADVERT;
	}
	return 0;
}

static unsigned read_device(struct bz_object *o, const char *name, DBusMessageIter *value)
{
	const char *text;
	int16_t rssi;

	if (strcmp(name, "ServiceData") == 0)
		return read_service_data(o, value);
	if (strcmp(name, "RSSI") == 0) {
		if (dbus_value_i16(value, &rssi) == ERR_OK && rssi >= -128 && rssi <= 127)
			o->rssi_dbm = (int8_t)rssi;
	} else if (strcmp(name, "Connected") == 0) {
		if (dbus_value_bool(value, &o->is_connected) == ERR_OK) {
			o->is_resolved = o->is_resolved && o->is_connected;
			return BZ_NEWS_CONNECTED;
		}
	} else if (strcmp(name, "ServicesResolved") == 0) {
		if (dbus_value_bool(value, &o->is_resolved) == ERR_OK)
			return BZ_NEWS_RESOLVED;
	} else if (strcmp(name, "Address") == 0) {
		if (dbus_value_string(value, &text) == ERR_OK)
			o->has_addr = bz_addr_parse(text, o->addr.b) == ERR_OK;
	} else if (strcmp(name, "AddressType") == 0) {
		if (dbus_value_string(value, &text) == ERR_OK)
			o->addr.type = strcmp(text, "public") == 0 ? 0 : 1;
	}
	return 0;
}

static unsigned read_adapter(struct bz_object *o, const char *name, DBusMessageIter *value)
{
	if (strcmp(name, "Powered") == 0 && dbus_value_bool(value, &o->is_powered) == ERR_OK)
		return BZ_NEWS_POWERED;
	if (strcmp(name, "Discovering") == 0 &&
		dbus_value_bool(value, &o->is_discovering) == ERR_OK)
		return BZ_NEWS_DISCOVERING;
	return 0;
}

static void read_char(struct bz_object *o, const char *name, DBusMessageIter *value)
{
	const char *uuid;

	if (strcmp(name, "UUID") != 0 || dbus_value_string(value, &uuid) != ERR_OK)
		return;
	if (strcasecmp(uuid, UUID_RX) == 0)
		o->kind = BZ_RX;
	else if (strcasecmp(uuid, UUID_TX) == 0)
		o->kind = BZ_TX;
}

/* Of a changed characteristic nothing but its value is of interest: what it is stays. */
static unsigned read_notified(DBusMessageIter *it, struct span *out)
{
	struct dbus_dict dict;
	DBusMessageIter value;
	const char *name;

	if (dbus_dict_open(it, &dict) != ERR_OK)
		return 0;
	while (dbus_dict_next(&dict, &name, &value)) {
		if (strcmp(name, "Value") == 0 && dbus_value_bytes(&value, out) == ERR_OK)
			return BZ_NEWS_VALUE;
	}
	return 0;
}

enum interface { IF_NONE, IF_ADAPTER, IF_DEVICE, IF_CHAR };

static enum interface interface_of(const char *name)
{
	if (strcmp(name, "org.bluez.Device1") == 0)
		return IF_DEVICE;
	if (strcmp(name, "org.bluez.Adapter1") == 0)
		return IF_ADAPTER;
	if (strcmp(name, "org.bluez.GattCharacteristic1") == 0)
		return IF_CHAR;
	return IF_NONE;
}

static unsigned read_properties(struct bz_object *o, enum interface interface, DBusMessageIter *it)
{
	struct dbus_dict dict;
	DBusMessageIter value;
	const char *name;
	unsigned bits = 0;

	if (dbus_dict_open(it, &dict) != ERR_OK)
		return 0;
	while (dbus_dict_next(&dict, &name, &value)) {
		if (interface == IF_DEVICE)
			bits |= read_device(o, name, &value);
		else if (interface == IF_ADAPTER)
			bits |= read_adapter(o, name, &value);
		else
			read_char(o, name, &value);
	}
	return bits;
}

static void set_kind(struct bz_object *o, enum interface interface)
{
	if (interface == IF_DEVICE)
		o->kind = BZ_DEVICE;
	else if (interface == IF_ADAPTER)
		o->kind = BZ_ADAPTER;
}

/* a{sa{sv}} of one object. The row is made when an interface of ours comes; a characteristic that
 * is not of MeshAccess leaves again. */
static unsigned read_interfaces(struct bz_objects *t, const char *path, DBusMessageIter *it)
{
	struct dbus_dict dict;
	DBusMessageIter properties;
	struct bz_object *o = bz_objects_find(t, path);
	const char *name;
	unsigned bits = 0;

	if (dbus_dict_open(it, &dict) != ERR_OK)
		return 0;
	while (dbus_dict_next(&dict, &name, &properties)) {
		enum interface interface = interface_of(name);

		if (interface == IF_NONE)
			continue;
		if (!o)
			o = insert(t, path);
		if (!o)
			break;
		set_kind(o, interface);
		bits |= read_properties(o, interface, &properties) | BZ_NEWS_ADDED;
	}
	if (o && o->kind == BZ_OTHER) {
		erase(t, path);
		bits = 0;
	}
	return bits;
}

/* --- messages ----------------------------------------------------------------------------------
 */

enum err bz_objects_fill(struct bz_objects *t, DBusMessage *reply)
{
	enum err e = dbus_reply_check(reply, "a{oa{sa{sv}}}");
	DBusMessageIter it, interfaces;
	struct dbus_dict dict;
	const char *path;

	if (e == ERR_OK)
		e = dbus_message_iter_init(reply, &it) ? dbus_dict_open(&it, &dict) : ERR_INVALID;
	if (e != ERR_OK)
		return e;
	bz_objects_clear(t);
	while (dbus_dict_next(&dict, &path, &interfaces))
		(void)read_interfaces(t, path, &interfaces);
	return ERR_OK;
}

static void tell(struct bz_news *news, unsigned bits, struct bz_object *o, const char *path)
{
	*news = (struct bz_news){
		.bits = bits, .kind = o ? o->kind : BZ_OTHER, .object = o, .path = path};
}

enum err bz_objects_added(struct bz_objects *t, DBusMessage *signal, struct bz_news *news)
{
	DBusMessageIter it;
	const char *path;
	unsigned bits;

	if (!dbus_message_has_signature(signal, "oa{sa{sv}}") ||
		!dbus_message_iter_init(signal, &it))
		return ERR_INVALID;
	dbus_message_iter_get_basic(&it, &path);
	(void)dbus_message_iter_next(&it);
	bits = read_interfaces(t, path, &it);
	tell(news, bits, bz_objects_find(t, path), path);
	return ERR_OK;
}

/* Does the array of names hold the interface that makes this object what it is? */
static bool names_kind(DBusMessageIter *it, enum bz_kind kind)
{
	DBusMessageIter names;
	const char *name;

	dbus_message_iter_recurse(it, &names);
	for (; dbus_message_iter_get_arg_type(&names) == DBUS_TYPE_STRING;
		(void)dbus_message_iter_next(&names)) {
		dbus_message_iter_get_basic(&names, &name);
		switch (interface_of(name)) {
		case IF_ADAPTER:
			return kind == BZ_ADAPTER;
		case IF_DEVICE:
			return kind == BZ_DEVICE;
		case IF_CHAR:
			return kind == BZ_RX || kind == BZ_TX;
		case IF_NONE:
			break;
		}
	}
	return false;
}

enum err bz_objects_removed(struct bz_objects *t, DBusMessage *signal, struct bz_news *news)
{
	struct bz_object *o;
	DBusMessageIter it;
	const char *path;

	if (!dbus_message_has_signature(signal, "oas") || !dbus_message_iter_init(signal, &it))
		return ERR_INVALID;
	dbus_message_iter_get_basic(&it, &path);
	(void)dbus_message_iter_next(&it);
	o = bz_objects_find(t, path);
	tell(news, 0, o, path);
	if (!o || !names_kind(&it, o->kind))
		return ERR_OK;
	news->bits = BZ_NEWS_REMOVED;
	news->object = NULL;
	erase(t, path);
	return ERR_OK;
}

static void forget_invalidated(struct bz_object *o, DBusMessageIter *it)
{
	DBusMessageIter names;
	const char *name;

	dbus_message_iter_recurse(it, &names);
	for (; dbus_message_iter_get_arg_type(&names) == DBUS_TYPE_STRING;
		(void)dbus_message_iter_next(&names)) {
		dbus_message_iter_get_basic(&names, &name);
		if (strcmp(name, "RSSI") == 0)
			o->rssi_dbm = LINK_RSSI_UNKNOWN;
	}
}

/* Properties of an interface that is not what this row is for say nothing. */
static bool is_of(const struct bz_object *o, enum interface interface)
{
	return (o->kind == BZ_DEVICE && interface == IF_DEVICE) ||
	       (o->kind == BZ_ADAPTER && interface == IF_ADAPTER) ||
	       (o->kind == BZ_TX && interface == IF_CHAR);
}

enum err bz_objects_changed(struct bz_objects *t, DBusMessage *signal, struct bz_news *news)
{
	const char *path = dbus_message_get_path(signal), *name;
	enum interface interface;
	struct bz_object *o;
	DBusMessageIter it;

	if (!path || !dbus_message_has_signature(signal, "sa{sv}as") ||
		!dbus_message_iter_init(signal, &it))
		return ERR_INVALID;
	o = bz_objects_find(t, path);
	tell(news, 0, o, path);
	dbus_message_iter_get_basic(&it, &name);
	interface = interface_of(name);
	if (!o || !is_of(o, interface))
		return ERR_OK;
	(void)dbus_message_iter_next(&it);
	news->bits = o->kind == BZ_TX ? read_notified(&it, &news->value)
				      : read_properties(o, interface, &it);
	(void)dbus_message_iter_next(&it);
	if (interface == IF_DEVICE)
		forget_invalidated(o, &it);
	return ERR_OK;
}
