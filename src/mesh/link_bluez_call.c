/* Messages to org.bluez, and the one reply with a descriptor. Decides nothing. */
#include <unistd.h>

#include "mesh/link_bluez_room.h"

#define ATT_MTU_MIN 23 /* room for LINK_PDU_MAX bytes and 3 of the header */

static DBusMessage *new_call(
	const struct bz *bz, const char *path, const char *interface, const char *method)
{
	DBusMessage *msg =
		bz->owner ? dbus_message_new_method_call(bz->owner, path, interface, method) : NULL;

	if (msg)
		dbus_message_set_auto_start(msg, FALSE);
	return msg;
}

static enum err send_call(struct bz *bz, DBusMessage *msg, bool is_complete, int timeout_ms,
	dbus_reply_fn *fn, void *arg, struct dbus_call **call)
{
	if (msg && !is_complete) {
		dbus_message_unref(msg);
		msg = NULL;
	}
	return dbus_loop_call(bz->dbus, msg, timeout_ms, fn, arg, call);
}

void bz_ignore(void *arg, DBusMessage *reply)
{
	(void)arg;
	(void)reply;
}

enum err bz_call(struct bz *bz, const char *path, const char *interface, const char *method,
	int type, const void *value, int timeout_ms, dbus_reply_fn *fn, void *arg,
	struct dbus_call **call)
{
	DBusMessage *msg = new_call(bz, path, interface, method);
	DBusMessageIter it;
	bool ok = msg != NULL;

	if (ok && type != DBUS_TYPE_INVALID) {
		dbus_message_iter_init_append(msg, &it);
		ok = dbus_message_iter_append_basic(&it, type, value);
	}
	return send_call(bz, msg, ok, timeout_ms, fn, arg, call);
}

enum err bz_call_get(struct bz *bz, const char *path, const char *interface, const char *name,
	int timeout_ms, dbus_reply_fn *fn, void *arg, struct dbus_call **call)
{
	DBusMessage *msg = new_call(bz, path, "org.freedesktop.DBus.Properties", "Get");
	bool ok = msg && dbus_message_append_args(msg, DBUS_TYPE_STRING, &interface,
				 DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);

	return send_call(bz, msg, ok, timeout_ms, fn, arg, call);
}

enum err bz_call_options(struct bz *bz, const char *path, const char *interface, const char *method,
	int timeout_ms, dbus_reply_fn *fn, void *arg, struct dbus_call **call)
{
	DBusMessage *msg = new_call(bz, path, interface, method);
	DBusMessageIter it, dict;
	bool ok = msg != NULL;

	if (ok) {
		dbus_message_iter_init_append(msg, &it);
		ok = dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sv}", &dict) &&
		     dbus_message_iter_close_container(&it, &dict);
	}
	return send_call(bz, msg, ok, timeout_ms, fn, arg, call);
}

static bool append_basic(
	DBusMessageIter *dict, const char *key, int type, const char *signature, const void *value)
{
	DBusMessageIter entry, variant;

	return dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	       dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key) &&
	       dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant) &&
	       dbus_message_iter_append_basic(&variant, type, value) &&
	       dbus_message_iter_close_container(&entry, &variant) &&
	       dbus_message_iter_close_container(dict, &entry);
}

static bool append_uuids(DBusMessageIter *dict)
{
	const char *key = "UUIDs", *uuid = "fe12";
	DBusMessageIter entry, variant, list;

	return dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	       dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key) &&
	       dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "as", &variant) &&
	       dbus_message_iter_open_container(&variant, DBUS_TYPE_ARRAY, "s", &list) &&
	       dbus_message_iter_append_basic(&list, DBUS_TYPE_STRING, &uuid) &&
	       dbus_message_iter_close_container(&variant, &list) &&
	       dbus_message_iter_close_container(&entry, &variant) &&
	       dbus_message_iter_close_container(dict, &entry);
}

enum err bz_call_set_filter(
	struct bz *bz, int timeout_ms, dbus_reply_fn *fn, void *arg, struct dbus_call **call)
{
	DBusMessage *msg = new_call(bz, bz->adapter, "org.bluez.Adapter1", "SetDiscoveryFilter");
	const char *le = "le";
	dbus_bool_t yes = TRUE;
	DBusMessageIter it, dict;
	bool ok = msg != NULL;

	if (ok) {
		dbus_message_iter_init_append(msg, &it);
		ok = dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sv}", &dict) &&
		     append_basic(&dict, "Transport", DBUS_TYPE_STRING, "s", &le) &&
		     append_basic(&dict, "DuplicateData", DBUS_TYPE_BOOLEAN, "b", &yes) &&
		     append_uuids(&dict) && dbus_message_iter_close_container(&it, &dict);
	}
	return send_call(bz, msg, ok, timeout_ms, fn, arg, call);
}

enum err bz_call_set_powered(struct bz *bz, const char *adapter, bool on, int timeout_ms,
	dbus_reply_fn *fn, void *arg, struct dbus_call **call)
{
	DBusMessage *msg = new_call(bz, adapter, "org.freedesktop.DBus.Properties", "Set");
	const char *interface = "org.bluez.Adapter1", *name = "Powered";
	dbus_bool_t value = on;
	DBusMessageIter it, variant;
	bool ok = msg != NULL;

	if (ok) {
		dbus_message_iter_init_append(msg, &it);
		ok = dbus_message_iter_append_basic(&it, DBUS_TYPE_STRING, &interface) &&
		     dbus_message_iter_append_basic(&it, DBUS_TYPE_STRING, &name) &&
		     dbus_message_iter_open_container(&it, DBUS_TYPE_VARIANT, "b", &variant) &&
		     dbus_message_iter_append_basic(&variant, DBUS_TYPE_BOOLEAN, &value) &&
		     dbus_message_iter_close_container(&it, &variant);
	}
	return send_call(bz, msg, ok, timeout_ms, fn, arg, call);
}

enum err bz_reply_fd(DBusMessage *reply, int *fd)
{
	enum err e = dbus_reply_check(reply, "hq");
	dbus_uint16_t mtu = 0;

	if (e != ERR_OK)
		return e;
	if (!dbus_message_get_args(
		    reply, NULL, DBUS_TYPE_UNIX_FD, fd, DBUS_TYPE_UINT16, &mtu, DBUS_TYPE_INVALID))
		return ERR_INVALID;
	if (mtu >= ATT_MTU_MIN)
		return ERR_OK;
	(void)close(*fd);
	return ERR_RANGE;
}
