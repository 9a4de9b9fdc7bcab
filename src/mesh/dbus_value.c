/* Reading replies and signals: nothing is used before its type was checked. No I/O. */
#include "mesh/dbus_loop.h"

enum err dbus_reply_check(DBusMessage *reply, const char *signature)
{
	int type = dbus_message_get_type(reply);

	if (type == DBUS_MESSAGE_TYPE_ERROR)
		return ERR_IO;
	if (type != DBUS_MESSAGE_TYPE_METHOD_RETURN ||
		!dbus_message_has_signature(reply, signature))
		return ERR_INVALID;
	return ERR_OK;
}

const char *dbus_reply_error(DBusMessage *reply)
{
	const char *name = NULL;

	if (dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_ERROR)
		name = dbus_message_get_error_name(reply);
	return name ? name : "";
}

static bool is_string_like(int type)
{
	return type == DBUS_TYPE_STRING || type == DBUS_TYPE_OBJECT_PATH;
}

enum err dbus_dict_open(DBusMessageIter *it, struct dbus_dict *out)
{
	DBusMessageIter entries, entry;

	if (dbus_message_iter_get_arg_type(it) != DBUS_TYPE_ARRAY ||
		dbus_message_iter_get_element_type(it) != DBUS_TYPE_DICT_ENTRY)
		return ERR_INVALID;
	dbus_message_iter_recurse(it, &entries);
	if (dbus_message_iter_get_arg_type(&entries) == DBUS_TYPE_DICT_ENTRY) {
		dbus_message_iter_recurse(&entries, &entry);
		if (!is_string_like(dbus_message_iter_get_arg_type(&entry)))
			return ERR_INVALID;
	}
	out->entries = entries;
	return ERR_OK;
}

bool dbus_dict_next(struct dbus_dict *d, const char **key, DBusMessageIter *value)
{
	DBusMessageIter entry;

	if (dbus_message_iter_get_arg_type(&d->entries) != DBUS_TYPE_DICT_ENTRY)
		return false;
	dbus_message_iter_recurse(&d->entries, &entry);
	dbus_message_iter_get_basic(&entry, key);
	(void)dbus_message_iter_next(&entry);
	if (dbus_message_iter_get_arg_type(&entry) == DBUS_TYPE_VARIANT)
		dbus_message_iter_recurse(&entry, value);
	else
		*value = entry;
	(void)dbus_message_iter_next(&d->entries);
	return true;
}

static enum err basic_of(DBusMessageIter *it, int type, void *out)
{
	if (dbus_message_iter_get_arg_type(it) != type)
		return ERR_INVALID;
	dbus_message_iter_get_basic(it, out);
	return ERR_OK;
}

enum err dbus_value_bool(DBusMessageIter *it, bool *out)
{
	dbus_bool_t v;
	enum err e = basic_of(it, DBUS_TYPE_BOOLEAN, &v);

	if (e == ERR_OK)
		*out = v != FALSE;
	return e;
}

enum err dbus_value_u16(DBusMessageIter *it, uint16_t *out)
{
	return basic_of(it, DBUS_TYPE_UINT16, out);
}

enum err dbus_value_i16(DBusMessageIter *it, int16_t *out)
{
	return basic_of(it, DBUS_TYPE_INT16, out);
}

enum err dbus_value_string(DBusMessageIter *it, const char **out)
{
	if (!is_string_like(dbus_message_iter_get_arg_type(it)))
		return ERR_INVALID;
	dbus_message_iter_get_basic(it, out);
	return ERR_OK;
}

enum err dbus_value_bytes(DBusMessageIter *it, struct span *out)
{
	DBusMessageIter bytes;
	int n = 0;

	if (dbus_message_iter_get_arg_type(it) != DBUS_TYPE_ARRAY ||
		dbus_message_iter_get_element_type(it) != DBUS_TYPE_BYTE)
		return ERR_INVALID;
	dbus_message_iter_recurse(it, &bytes);
	out->p = NULL;
	dbus_message_iter_get_fixed_array(&bytes, &out->p, &n);
	out->n = n > 0 ? (size_t)n : 0;
	return ERR_OK;
}
