/* Reads, runs, holds until the commit, writes. */
#include "control/control_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/stream.h"
#include "enr/bytes.h"
#include "enroll/batch.h"

#define READ_BYTES 16384
#define READS_A_TURN 16 /* then the other clients have theirs */

/* One call that has been run and not yet been answered. */
struct slot {
	struct slot *next;
	struct conn *conn; /* NULL: gone before the answer */
	struct varlink_buf reply;
	bool oneway, ready;
};

struct conn {
	struct conn *next, *prev;
	struct control *control;
	struct caller who;
	int fd;
	struct event *read_event, *write_event, *turn_event;
	struct varlink_buf in, out;
	struct slot *first, *last;
	unsigned slots;
	size_t held_bytes; /* in the slots' replies */
	bool watching;
	struct stream *stream; /* of the call that is being answered later; no other is run */
	bool stream_oneway;
	bool broken;  /* ends in its next turn, whatever waits */
	bool closing; /* no more input: ends when all is answered */
	bool busy;    /* in its turn: what gets ready meanwhile is collected by it */
	struct commands_filter filter;
	uint64_t half_since_ms;   /* 0: no message has begun */
	uint64_t unread_since_ms; /* 0: nothing waits for the client */
};

static void conn_close(struct conn *k, const char *why);

/* --- out --------------------------------------------------------------------------------- */

/* ERR_CLOSED: the client is gone. */
static enum err write_out(struct conn *k)
{
	while (varlink_buf_left(&k->out) > 0) {
		ssize_t n = send(k->fd, k->out.p + k->out.start_bytes, varlink_buf_left(&k->out),
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0)
			return ERR_CLOSED;
		varlink_buf_consume(&k->out, (size_t)n);
		k->unread_since_ms = clock_boot_ms();
	}
	if (varlink_buf_left(&k->out) > 0)
		return event_add(k->write_event, NULL) == 0 ? ERR_OK : ERR_CLOSED;
	k->unread_since_ms = 0;
	(void)event_del(k->write_event);
	return ERR_OK;
}

/* Has it been told so much that is not read yet that no further call is run? */
static bool is_full(const struct conn *k)
{
	return k->slots >= CONN_SLOTS_MAX ||
	       varlink_buf_left(&k->out) + k->held_bytes > CONN_OUT_PAUSE;
}

/* --- slots: replies in the order of the calls -------------------------------------------- */

static void slot_free(struct slot *s)
{
	varlink_buf_clear(&s->reply);
	free(s);
}

/* Moves what is ready, from the front, to the output. ERR_NOMEM. */
static enum err collect_ready(struct conn *k)
{
	while (k->first && k->first->ready) {
		struct slot *s = k->first;
		enum err e = ERR_OK;

		if (!s->oneway && varlink_buf_left(&s->reply) > 0)
			e = varlink_buf_add(&k->out, s->reply.p + s->reply.start_bytes,
				varlink_buf_left(&s->reply));
		k->held_bytes -= varlink_buf_left(&s->reply);
		k->slots--;
		k->first = s->next;
		if (!k->first)
			k->last = NULL;
		slot_free(s);
		if (e != ERR_OK)
			return e;
	}
	if (varlink_buf_left(&k->out) > 0 && k->unread_since_ms == 0)
		k->unread_since_ms = clock_boot_ms();
	return ERR_OK;
}

/* From batch_after. The connection goes on in its own turn, once for all its slots. */
static void slot_committed(void *arg, enum err committed)
{
	struct slot *s = arg;
	struct conn *k = s->conn;
	size_t before = varlink_buf_left(&s->reply);

	if (!k) {
		slot_free(s);
		return;
	}
	if (committed != ERR_OK && commands_encode_failure(&s->reply, committed) != ERR_OK)
		k->closing = true;
	k->held_bytes = k->held_bytes - before + varlink_buf_left(&s->reply);
	s->ready = true;
	if (!k->busy)
		event_active(k->turn_event, EV_TIMEOUT, 0);
}

static bool is_held(const struct conn *k)
{
	return k->watching || k->stream;
}

/* From a task: it is not ended from in here, the connection's turn does that. */
static void stream_told(void *arg, const struct varlink_buf *reply, bool last)
{
	struct conn *k = arg;
	struct varlink_buf *b = k->last ? &k->last->reply : &k->out;
	size_t n = k->stream_oneway ? 0 : varlink_buf_left(reply);

	if (last) {
		k->stream->cancel = NULL;
		stream_free(k->stream);
		k->stream = NULL;
	}
	if (n > 0 && varlink_buf_add(b, reply->p + reply->start_bytes, n) != ERR_OK)
		k->broken = true;
	else if (k->last)
		k->held_bytes += n;
	if (varlink_buf_left(&k->out) + k->held_bytes > CONN_OUT_MAX)
		k->broken = true;
	if (n > 0 && k->unread_since_ms == 0)
		k->unread_since_ms = clock_boot_ms();
	event_active(k->turn_event, EV_TIMEOUT, 0);
}

static void take_stream(struct conn *k, struct stream *s, bool oneway)
{
	k->stream = s;
	k->stream_oneway = oneway;
	s->tell = stream_told;
	s->arg = k;
}

static struct slot *slot_new(
	struct conn *k, const struct varlink_call *call, const struct commands_outcome *o)
{
	struct slot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->conn = k;
	s->reply = o->reply;
	s->oneway = call->oneway;
	if (k->last)
		k->last->next = s;
	else
		k->first = s;
	k->last = s;
	k->slots++;
	k->held_bytes += varlink_buf_left(&s->reply);
	return s;
}

/* --- in ---------------------------------------------------------------------------------- */

static enum err run_call(struct conn *k, const struct varlink_call *call)
{
	struct control *c = k->control;
	struct commands_outcome o = {0};
	enum err e = commands_run(&c->config, &k->who, call, &o);
	struct slot *s = e == ERR_OK ? slot_new(k, call, &o) : NULL;

	if (!s) {
		varlink_buf_clear(&o.reply);
		stream_free(o.stream);
		return ERR_NOMEM;
	}
	if (o.stream)
		take_stream(k, o.stream, call->oneway);
	k->watching = o.then == COMMANDS_WATCH;
	k->filter = o.filter;
	if (o.then == COMMANDS_AFTER_COMMIT)
		e = batch_after(c->config.batch, slot_committed, s);
	else
		s->ready = true;
	if (e != ERR_OK)
		s->ready = true; /* nobody else will free it */
	return e;
}

static enum err run_message(struct conn *k, const char *message, size_t n)
{
	struct varlink_call call;
	enum err e = varlink_decode(message, n, &call);

	if (e != ERR_OK)
		return e;
	e = run_call(k, &call);
	varlink_call_clear(&call);
	return e;
}

/* Runs what is here whole, as long as the client reads its answers. A watcher calls nothing more,
 * nor does one whose answer is to come: what it sends is kept, up to one message. */
static enum err run_messages(struct conn *k)
{
	const char *message;
	size_t n;
	enum err e = ERR_OK;

	while (!is_held(k) && !is_full(k)) {
		e = varlink_buf_next(&k->in, &message, &n);
		if (e != ERR_OK)
			break;
		e = run_message(k, message, n);
		varlink_buf_consume(&k->in, n + 1);
		if (e != ERR_OK)
			return e;
		k->half_since_ms = 0;
	}
	if (e == ERR_RANGE)
		return e;
	if (k->half_since_ms == 0 && e == ERR_SHORT && varlink_buf_left(&k->in) > 0)
		k->half_since_ms = clock_boot_ms();
	return ERR_OK;
}

/* *more: the read was full, so that there may be more. ERR_SHORT: nothing to read now; ERR_CLOSED:
 * nothing more ever. */
static enum err read_some(struct conn *k, bool *more)
{
	char *room;
	ssize_t n;

	if (varlink_buf_left(&k->in) > VARLINK_MESSAGE_MAX)
		return ERR_RANGE;
	room = varlink_buf_room(&k->in, READ_BYTES);
	if (!room)
		return ERR_NOMEM;
	do
		n = recv(k->fd, room, READ_BYTES, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_SHORT : ERR_CLOSED;
	if (n == 0)
		return ERR_CLOSED;
	k->in.used_bytes += (size_t)n;
	*more = n == READ_BYTES;
	return ERR_OK;
}

static bool has_whole_message(struct conn *k)
{
	const char *message;
	size_t n;

	return varlink_buf_next(&k->in, &message, &n) != ERR_SHORT;
}

/* --- turns ------------------------------------------------------------------------------- */

static const char *why_text(enum err e)
{
	if (e == ERR_CLOSED)
		return "it is gone";
	if (e == ERR_NOMEM)
		return "out of memory";
	return e == ERR_RANGE ? "message too long" : "not a varlink call";
}

/* Runs, collects and writes for as long as one makes another possible. */
static enum err advance(struct conn *k)
{
	enum err e;

	do {
		e = run_messages(k);
		if (e == ERR_OK)
			e = collect_ready(k);
		if (e == ERR_OK && varlink_buf_left(&k->out) > 0)
			e = write_out(k);
	} while (e == ERR_OK && !is_held(k) && !is_full(k) && has_whole_message(k));
	return e;
}

static bool is_over(const struct conn *k)
{
	bool many = k->watching || (k->stream && k->stream->continues);
	bool done = !k->stream && !k->first && varlink_buf_left(&k->out) == 0;

	return k->broken || (k->closing && (many || done));
}

/* After anything that happened to it. The connection may be gone on return. */
static void turn(struct conn *k)
{
	enum err e;

	k->busy = true;
	e = advance(k);
	k->busy = false;
	if (e != ERR_OK || is_over(k))
		conn_close(k, e != ERR_OK ? why_text(e) : NULL);
	else if (k->closing || is_full(k))
		(void)event_del(k->read_event);
	else if (event_add(k->read_event, NULL) != 0)
		conn_close(k, "out of memory");
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn(arg);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *k = arg;
	enum err e = ERR_OK;
	bool more = true;

	(void)fd;
	(void)what;
	k->busy = true;
	for (int i = 0; i < READS_A_TURN && e == ERR_OK && more && !is_full(k); i++) {
		e = read_some(k, &more);
		if (e == ERR_OK)
			e = run_messages(k);
	}
	k->busy = false;
	if (e == ERR_CLOSED)
		k->closing = true; /* it still gets the answers to what it sent */
	else if (e != ERR_OK && e != ERR_SHORT) {
		conn_close(k, why_text(e));
		return;
	}
	turn(k);
}

/* --- life -------------------------------------------------------------------------------- */

/* Strangers may not crowd out those with a role, however many uids a user namespace lends them. */
static bool has_room(const struct control *c, const struct caller *who)
{
	uint32_t mine = 0, strangers = 0, max = c->config.connections_per_uid_max;

	for (const struct conn *k = c->conns; k; k = k->next) {
		mine += k->who.uid == who->uid;
		strangers += k->who.role == ROLE_NONE;
	}
	if (c->count >= c->config.connections_max || mine >= max)
		return false;
	return who->role != ROLE_NONE ||
	       (mine < CONN_PER_STRANGER_MAX && strangers < c->config.connections_max / 4);
}

static void link_in(struct control *c, struct conn *k)
{
	k->next = c->conns;
	if (k->next)
		k->next->prev = k;
	c->conns = k;
	c->count++;
}

static void link_out(struct conn *k)
{
	if (k->prev)
		k->prev->next = k->next;
	else
		k->control->conns = k->next;
	if (k->next)
		k->next->prev = k->prev;
	k->control->count--;
}

static void event_drop(struct event *e)
{
	if (e)
		event_free(e);
}

static void conn_free(struct conn *k)
{
	event_drop(k->read_event);
	event_drop(k->write_event);
	event_drop(k->turn_event);
	varlink_buf_clear(&k->in);
	varlink_buf_clear(&k->out);
	(void)close(k->fd);
	free(k);
}

/* why: for the log; NULL when it ended well. Slots that wait for a commit outlive it. */
static void conn_close(struct conn *k, const char *why)
{
	struct slot *next;

	if (why)
		log_debug("control: client closed uid=%u reason=\"%s\"", k->who.uid, why);
	for (struct slot *s = k->first; s; s = next) {
		next = s->next;
		s->conn = NULL;
		if (s->ready)
			slot_free(s);
	}
	stream_free(k->stream);
	link_out(k);
	conn_free(k);
}

static enum err make_events(struct conn *k)
{
	struct event_base *base = k->control->config.base;

	k->read_event = event_new(base, k->fd, EV_READ | EV_PERSIST, on_readable, k);
	k->write_event = event_new(base, k->fd, EV_WRITE | EV_PERSIST, on_turn, k);
	k->turn_event = event_new(base, -1, 0, on_turn, k);
	if (!k->read_event || !k->write_event || !k->turn_event)
		return ERR_NOMEM;
	return event_add(k->read_event, NULL) == 0 ? ERR_OK : ERR_NOMEM;
}

enum err conn_new(struct control *c, int fd, const struct caller *who)
{
	struct conn *k;

	if (!has_room(c, who)) {
		(void)close(fd);
		return ERR_BUSY;
	}
	k = calloc(1, sizeof(*k));
	if (!k) {
		(void)close(fd);
		return ERR_NOMEM;
	}
	k->control = c;
	k->who = *who;
	k->fd = fd;
	if (make_events(k) != ERR_OK) {
		conn_free(k);
		return ERR_NOMEM;
	}
	link_in(c, k);
	return ERR_OK;
}

/* What is answered goes out, if it can at once: the loop does not run any more. */
static void flush(struct conn *k)
{
	if (collect_ready(k) == ERR_OK)
		(void)write_out(k);
}

void conn_free_all(struct control *c)
{
	while (c->conns) {
		flush(c->conns);
		conn_close(c->conns, NULL);
	}
}

static bool is_late(uint64_t since_ms, uint64_t now_ms, uint32_t idle_s)
{
	return since_ms > 0 && now_ms > since_ms && now_ms - since_ms > (uint64_t)idle_s * 1000;
}

void conn_sweep(struct control *c, uint64_t now_ms)
{
	struct conn *next;

	for (struct conn *k = c->conns; k; k = next) {
		next = k->next;
		if (is_late(k->unread_since_ms, now_ms, c->config.idle_s))
			conn_close(k, "does not read");
		else if (!is_held(k) && is_late(k->half_since_ms, now_ms, c->config.idle_s))
			conn_close(k, "half a message");
	}
}

/* --- watching ---------------------------------------------------------------------------- */

/* The watch's first reply may still wait behind other answers: then its slot is the last one. */
static enum err push_one(struct conn *k, const struct control_event *e)
{
	struct varlink_buf *b = k->last ? &k->last->reply : &k->out;
	size_t before = varlink_buf_left(b);
	enum err err = commands_encode_event(b, e);

	if (err != ERR_OK)
		return err;
	if (k->last)
		k->held_bytes += varlink_buf_left(b) - before;
	if (varlink_buf_left(&k->out) + k->held_bytes > CONN_OUT_MAX)
		return ERR_FULL;
	if (k->unread_since_ms == 0)
		k->unread_since_ms = clock_boot_ms();
	event_active(k->turn_event, EV_TIMEOUT, 0);
	return ERR_OK;
}

void conn_push(struct control *c, const struct control_event *e)
{
	struct conn *next;

	for (struct conn *k = c->conns; k; k = next) {
		next = k->next;
		if (!k->watching || !commands_filter_wants(&k->filter, e))
			continue;
		if (push_one(k, e) != ERR_OK)
			conn_close(k, "does not read what it watches");
	}
}
