#include "mesh/dbus_loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/log.h"

#define HELLO_MS 5000
#define BACKOFF_FIRST_MS 250
#define BACKOFF_MAX_MS 4000
/* Messages a turn, so that a flood of signals leaves air for everybody else. */
#define DISPATCH_MAX 64

struct dbus_call {
	struct dbus_call *next;
	struct dbus_loop *loop;
	DBusPendingCall *pending;
	dbus_reply_fn *fn;
	void *arg;
};

struct dbus_loop {
	struct event_base *base;
	char *address;
	const struct dbus_loop_events *events;
	void *arg;
	DBusConnection *conn;
	bool is_up; /* the bus has answered Hello */
	bool is_lost;
	struct event *dispatch; /* active: there may be messages to dispatch */
	struct event *retry;
	unsigned backoff_ms;
	struct dbus_call *calls;
	DBusMessage *gone; /* the reply of calls that the bus took with it */
};

static struct timeval ms_to_tv(unsigned ms)
{
	return (struct timeval){
		.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

/* --- watches and timeouts ----------------------------------------------------------------------
 */

/* libdbus may free the watch inside of its handler: nothing may be touched afterwards. */
static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	DBusWatch *watch = arg;
	unsigned flags = 0;

	(void)fd;
	if (what & EV_READ)
		flags |= DBUS_WATCH_READABLE;
	if (what & EV_WRITE)
		flags |= DBUS_WATCH_WRITABLE;
	(void)dbus_watch_handle(watch, flags);
}

static void toggle_watch(DBusWatch *watch, void *arg)
{
	struct event *ev = dbus_watch_get_data(watch);

	(void)arg;
	if (!ev)
		return;
	if (dbus_watch_get_enabled(watch))
		(void)event_add(ev, NULL);
	else
		(void)event_del(ev);
}

static dbus_bool_t add_watch(DBusWatch *watch, void *arg)
{
	struct dbus_loop *d = arg;
	unsigned flags = dbus_watch_get_flags(watch);
	short what = EV_PERSIST;
	struct event *ev;

	if (flags & DBUS_WATCH_READABLE)
		what |= EV_READ;
	if (flags & DBUS_WATCH_WRITABLE)
		what |= EV_WRITE;
	ev = event_new(d->base, dbus_watch_get_unix_fd(watch), what, on_watch, watch);
	if (!ev)
		return FALSE;
	dbus_watch_set_data(watch, ev, NULL);
	toggle_watch(watch, d);
	return TRUE;
}

static void remove_watch(DBusWatch *watch, void *arg)
{
	struct event *ev = dbus_watch_get_data(watch);

	(void)arg;
	dbus_watch_set_data(watch, NULL, NULL);
	if (ev)
		event_free(ev);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)dbus_timeout_handle(arg);
}

static void toggle_timeout(DBusTimeout *timeout, void *arg)
{
	struct event *ev = dbus_timeout_get_data(timeout);
	struct timeval tv = ms_to_tv((unsigned)dbus_timeout_get_interval(timeout));

	(void)arg;
	if (!ev)
		return;
	if (dbus_timeout_get_enabled(timeout))
		(void)event_add(ev, &tv);
	else
		(void)event_del(ev);
}

static dbus_bool_t add_timeout(DBusTimeout *timeout, void *arg)
{
	struct dbus_loop *d = arg;
	struct event *ev = event_new(d->base, -1, EV_PERSIST, on_timeout, timeout);

	if (!ev)
		return FALSE;
	dbus_timeout_set_data(timeout, ev, NULL);
	toggle_timeout(timeout, d);
	return TRUE;
}

static void remove_timeout(DBusTimeout *timeout, void *arg)
{
	struct event *ev = dbus_timeout_get_data(timeout);

	(void)arg;
	dbus_timeout_set_data(timeout, NULL, NULL);
	if (ev)
		event_free(ev);
}

/* --- dispatch ----------------------------------------------------------------------------------
 */

static void on_dispatch_status(DBusConnection *conn, DBusDispatchStatus status, void *arg)
{
	struct dbus_loop *d = arg;

	(void)conn;
	if (status != DBUS_DISPATCH_COMPLETE)
		event_active(d->dispatch, EV_TIMEOUT, 0);
}

static bool is_disconnect(DBusMessage *msg)
{
	return dbus_message_is_signal(msg, DBUS_INTERFACE_LOCAL, "Disconnected") &&
	       dbus_message_has_path(msg, DBUS_PATH_LOCAL);
}

static DBusHandlerResult on_message(DBusConnection *conn, DBusMessage *msg, void *arg)
{
	struct dbus_loop *d = arg;
	int type = dbus_message_get_type(msg);

	(void)conn;
	if (is_disconnect(msg)) {
		d->is_lost = true;
		return DBUS_HANDLER_RESULT_HANDLED;
	}
	if (type != DBUS_MESSAGE_TYPE_METHOD_CALL && type != DBUS_MESSAGE_TYPE_SIGNAL)
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	if (d->is_up && d->events->message && d->events->message(d->arg, msg))
		return DBUS_HANDLER_RESULT_HANDLED;
	return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
}

static void free_call(struct dbus_call *c)
{
	struct dbus_call **p = &c->loop->calls;

	while (*p && *p != c)
		p = &(*p)->next;
	if (*p)
		*p = c->next;
	dbus_pending_call_cancel(c->pending);
	dbus_pending_call_unref(c->pending);
	free(c);
}

/* The call is gone before its callback runs, which may make new ones. */
static void end_call(struct dbus_call *c, DBusMessage *reply)
{
	dbus_reply_fn *fn = c->fn;
	void *arg = c->arg;

	free_call(c);
	fn(arg, reply);
}

static void try_later(struct dbus_loop *d)
{
	struct timeval tv = ms_to_tv(d->backoff_ms);

	d->backoff_ms = d->backoff_ms * 2 < BACKOFF_MAX_MS ? d->backoff_ms * 2 : BACKOFF_MAX_MS;
	(void)event_add(d->retry, &tv);
}

static void drop_connection(struct dbus_loop *d)
{
	DBusConnection *conn = d->conn;

	d->conn = NULL;
	d->is_lost = false;
	if (!conn)
		return;
	dbus_connection_remove_filter(conn, on_message, d);
	dbus_connection_set_dispatch_status_function(conn, NULL, NULL, NULL);
	(void)event_del(d->dispatch);
	dbus_connection_close(conn);
	dbus_connection_unref(conn);
}

/* The bus is gone: every call ends, then the owner hears of it, then we try again. */
static void lose_bus(struct dbus_loop *d)
{
	bool was_up = d->is_up;
	DBusMessage *gone = dbus_message_ref(d->gone);

	d->is_up = false;
	drop_connection(d);
	while (d->calls)
		end_call(d->calls, gone);
	dbus_message_unref(gone);
	if (was_up) {
		log_warn("dbus: connection to the bus lost");
		d->events->down(d->arg);
	}
	try_later(d);
}

static void on_dispatch(evutil_socket_t fd, short what, void *arg)
{
	struct dbus_loop *d = arg;
	DBusDispatchStatus status = DBUS_DISPATCH_DATA_REMAINS;

	(void)fd;
	(void)what;
	for (int i = 0; d->conn && !d->is_lost && i < DISPATCH_MAX; i++) {
		status = dbus_connection_dispatch(d->conn);
		if (status != DBUS_DISPATCH_DATA_REMAINS)
			break;
	}
	if (d->is_lost) {
		lose_bus(d);
	} else if (d->conn && status != DBUS_DISPATCH_COMPLETE) {
		struct timeval soon = ms_to_tv(status == DBUS_DISPATCH_NEED_MEMORY ? 100 : 0);

		(void)event_add(d->dispatch, &soon);
	}
}

/* --- calls -------------------------------------------------------------------------------------
 */

/* Sending may have read: what is queued then has nothing left to poll for. */
static void dispatch_soon(struct dbus_loop *d)
{
	if (dbus_connection_get_dispatch_status(d->conn) != DBUS_DISPATCH_COMPLETE)
		event_active(d->dispatch, EV_TIMEOUT, 0);
}

static void on_reply(DBusPendingCall *pending, void *arg)
{
	struct dbus_call *c = arg;
	DBusMessage *reply = dbus_pending_call_steal_reply(pending);
	DBusMessage *shown = dbus_message_ref(reply ? reply : c->loop->gone);

	end_call(c, shown);
	dbus_message_unref(shown);
	if (reply)
		dbus_message_unref(reply);
}

static enum err start_call(
	struct dbus_loop *d, DBusMessage *msg, int timeout_ms, struct dbus_call *c)
{
	if (!d->conn)
		return ERR_CLOSED;
	if (!dbus_connection_send_with_reply(d->conn, msg, &c->pending, timeout_ms))
		return ERR_NOMEM;
	if (!c->pending)
		return ERR_CLOSED;
	if (!dbus_pending_call_set_notify(c->pending, on_reply, c, NULL)) {
		dbus_pending_call_cancel(c->pending);
		dbus_pending_call_unref(c->pending);
		return ERR_NOMEM;
	}
	return ERR_OK;
}

static enum err call(struct dbus_loop *d, DBusMessage *msg, int timeout_ms, dbus_reply_fn *fn,
	void *arg, struct dbus_call **out)
{
	struct dbus_call *c = calloc(1, sizeof(*c));
	enum err e = msg && c ? start_call(d, msg, timeout_ms, c) : ERR_NOMEM;

	if (msg)
		dbus_message_unref(msg);
	if (e != ERR_OK) {
		free(c);
		return e;
	}
	c->loop = d;
	c->fn = fn;
	c->arg = arg;
	c->next = d->calls;
	d->calls = c;
	if (out)
		*out = c;
	dispatch_soon(d);
	return ERR_OK;
}

/* --- getting on the bus ------------------------------------------------------------------------
 */

static void on_hello(void *arg, DBusMessage *reply)
{
	struct dbus_loop *d = arg;
	const char *name;

	if (!d->conn)
		return;
	if (dbus_reply_check(reply, "s") != ERR_OK ||
		!dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID) ||
		!dbus_bus_set_unique_name(d->conn, name)) {
		log_warn("dbus: no hello from the bus error=%s", dbus_reply_error(reply));
		d->is_lost = true;
		event_active(d->dispatch, EV_TIMEOUT, 0);
		return;
	}
	d->is_up = true;
	d->backoff_ms = BACKOFF_FIRST_MS;
	d->events->up(d->arg);
}

static bool set_functions(struct dbus_loop *d)
{
	dbus_connection_set_exit_on_disconnect(d->conn, FALSE);
	dbus_connection_set_dispatch_status_function(d->conn, on_dispatch_status, d, NULL);
	return dbus_connection_set_watch_functions(
		       d->conn, add_watch, remove_watch, toggle_watch, d, NULL) &&
	       dbus_connection_set_timeout_functions(
		       d->conn, add_timeout, remove_timeout, toggle_timeout, d, NULL) &&
	       dbus_connection_add_filter(d->conn, on_message, d, NULL);
}

/* Not dbus_bus_register, which would wait for the answer to Hello. */
static enum err say_hello(struct dbus_loop *d)
{
	DBusMessage *hello = dbus_message_new_method_call(
		DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "Hello");

	return call(d, hello, HELLO_MS, on_hello, d, NULL);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct dbus_loop *d = arg;
	DBusError e = DBUS_ERROR_INIT;

	(void)fd;
	(void)what;
	d->conn = dbus_connection_open_private(d->address, &e);
	if (d->conn && set_functions(d) && say_hello(d) == ERR_OK)
		return;
	log_debug("dbus: no bus yet error=%s", dbus_error_is_set(&e) ? e.name : "none");
	dbus_error_free(&e);
	drop_connection(d);
	try_later(d);
}

static const char *system_bus(void)
{
	const char *env = getenv("DBUS_SYSTEM_BUS_ADDRESS");

	return env && *env ? env : "unix:path=/run/dbus/system_bus_socket";
}

static bool set_up(struct dbus_loop *d, const char *address)
{
	d->address = strdup(address ? address : system_bus());
	d->dispatch = event_new(d->base, -1, 0, on_dispatch, d);
	d->retry = event_new(d->base, -1, 0, on_retry, d);
	d->gone = dbus_message_new(DBUS_MESSAGE_TYPE_ERROR);
	return d->address && d->dispatch && d->retry && d->gone &&
	       dbus_message_set_error_name(d->gone, DBUS_ERROR_DISCONNECTED);
}

enum err dbus_loop_new(struct event_base *base, const char *address,
	const struct dbus_loop_events *events, void *arg, struct dbus_loop **out)
{
	struct dbus_loop *d = calloc(1, sizeof(*d));
	struct timeval now = {0};

	if (!d)
		return ERR_NOMEM;
	d->base = base;
	d->events = events;
	d->arg = arg;
	d->backoff_ms = BACKOFF_FIRST_MS;
	if (!set_up(d, address) || event_add(d->retry, &now) != 0) {
		dbus_loop_free(d);
		return ERR_NOMEM;
	}
	*out = d;
	return ERR_OK;
}

void dbus_loop_free(struct dbus_loop *d)
{
	if (!d)
		return;
	while (d->calls)
		free_call(d->calls);
	drop_connection(d);
	if (d->dispatch)
		event_free(d->dispatch);
	if (d->retry)
		event_free(d->retry);
	if (d->gone)
		dbus_message_unref(d->gone);
	free(d->address);
	free(d);
}

DBusConnection *dbus_loop_connection(struct dbus_loop *d)
{
	return d->is_up ? d->conn : NULL;
}

/* --- sending -----------------------------------------------------------------------------------
 */

enum err dbus_loop_send(struct dbus_loop *d, DBusMessage *msg)
{
	enum err e = ERR_OK;

	if (!msg)
		return ERR_NOMEM;
	if (!d->conn)
		e = ERR_CLOSED;
	else if (!dbus_connection_send(d->conn, msg, NULL))
		e = ERR_NOMEM;
	dbus_message_unref(msg);
	if (e == ERR_OK)
		dispatch_soon(d);
	return e;
}

enum err dbus_loop_call(struct dbus_loop *d, DBusMessage *msg, int timeout_ms, dbus_reply_fn *fn,
	void *arg, struct dbus_call **out)
{
	if (d->is_up)
		return call(d, msg, timeout_ms, fn, arg, out);
	if (msg)
		dbus_message_unref(msg);
	return ERR_CLOSED;
}

void dbus_loop_cancel(struct dbus_call *c)
{
	if (c)
		free_call(c);
}

static void on_match_reply(void *arg, DBusMessage *reply)
{
	(void)arg;
	if (dbus_reply_check(reply, "") != ERR_OK)
		log_warn("dbus: match refused error=%s", dbus_reply_error(reply));
}

void dbus_loop_add_match(struct dbus_loop *d, const char *rule)
{
	DBusMessage *msg = dbus_message_new_method_call(
		DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "AddMatch");

	if (msg && !dbus_message_append_args(msg, DBUS_TYPE_STRING, &rule, DBUS_TYPE_INVALID)) {
		dbus_message_unref(msg);
		msg = NULL;
	}
	if (dbus_loop_call(d, msg, HELLO_MS, on_match_reply, d, NULL) != ERR_OK)
		log_warn("dbus: match not sent");
}
