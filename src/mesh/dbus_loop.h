/*
 * libdbus on libevent: one private connection to a bus, all three of watches, timeouts and dispatch
 * status (deferred, until DBUS_DISPATCH_COMPLETE), made again with back-off when it goes. Nothing
 * blocks, not even Hello. For clients and servers; knows nothing of org.bluez.
 */
#ifndef MESH_DBUS_LOOP_H
#define MESH_DBUS_LOOP_H

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stdint.h>

#include "enr/bytes.h"

struct dbus_call;
struct dbus_loop;
struct event_base;

struct dbus_loop_events {
	/* On the bus, with a unique name. Add matches, request names now. */
	void (*up)(void *arg);
	/* Off the bus; all calls under way have ended with errors before. */
	void (*down)(void *arg);
	/* Each message that is no reply. Return true if it was handled: a method call that was not
	 * is answered UnknownMethod by libdbus. Borrowed. */
	bool (*message)(void *arg, DBusMessage *msg);
};

/* address NULL: the system bus. Connects from the event loop; events are borrowed. Callbacks come
 * from the event loop only. ERR_NOMEM. */
ENR_MUST_CHECK enum err dbus_loop_new(struct event_base *base, const char *address,
	const struct dbus_loop_events *events, void *arg, struct dbus_loop **out);
/* Pending calls end without callbacks. Not from inside a callback. */
void dbus_loop_free(struct dbus_loop *d);

/* NULL while off the bus. Borrowed. */
DBusConnection *dbus_loop_connection(struct dbus_loop *d);

/* Sends and gives the reference to msg away. msg NULL (out of memory): ERR_NOMEM. */
ENR_MUST_CHECK enum err dbus_loop_send(struct dbus_loop *d, DBusMessage *msg);

/* Asks the bus for signals; no wait, a refusal is logged. */
void dbus_loop_add_match(struct dbus_loop *d, const char *rule);

/* A method return or an error; never NULL, borrowed. The peer's and the bus's have a sender. Those
 * without are org.freedesktop.DBus.Error.NoReply when the time is over, and Disconnected when the
 * bus has gone. */
typedef void dbus_reply_fn(void *arg, DBusMessage *reply);

/* Gives the reference to msg away. fn comes once, from the event loop, at the latest timeout_ms
 * later, unless cancelled. *call (may be NULL) is valid until then. ERR_CLOSED: off the bus. */
ENR_MUST_CHECK enum err dbus_loop_call(struct dbus_loop *d, DBusMessage *msg, int timeout_ms,
	dbus_reply_fn *fn, void *arg, struct dbus_call **call);
/* NULL: nothing. The peer is not told. */
void dbus_loop_cancel(struct dbus_call *call);

/* --- reading what others sent: nothing is used before its type was checked ------------------- */

/* Is it a method return with exactly this signature? ERR_INVALID, ERR_IO for an error reply. */
ENR_MUST_CHECK enum err dbus_reply_check(DBusMessage *reply, const char *signature);
/* The error's name for logs and rows; "" if it is no error. */
const char *dbus_reply_error(DBusMessage *reply);

/* Walks an a{sv}, or the outer a{oa{sv}}-like dictionaries with string-like keys. */
struct dbus_dict {
	DBusMessageIter entries;
};
/* it stands on the array. ERR_INVALID if that is not a dictionary with string or path keys. */
ENR_MUST_CHECK enum err dbus_dict_open(DBusMessageIter *it, struct dbus_dict *out);
/* false: the end. *value stands on the entry's value; a variant is entered already. */
bool dbus_dict_next(struct dbus_dict *d, const char **key, DBusMessageIter *value);

/* One value each; ERR_INVALID if it is of another type, and *out is untouched. */
ENR_MUST_CHECK enum err dbus_value_bool(DBusMessageIter *it, bool *out);
ENR_MUST_CHECK enum err dbus_value_u16(DBusMessageIter *it, uint16_t *out);
ENR_MUST_CHECK enum err dbus_value_i16(DBusMessageIter *it, int16_t *out);
ENR_MUST_CHECK enum err dbus_value_string(DBusMessageIter *it, const char **out); /* s or o */
ENR_MUST_CHECK enum err dbus_value_bytes(DBusMessageIter *it, struct span *out);  /* ay */

#endif
