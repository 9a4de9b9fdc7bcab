/* Group commit: one transaction for all requests of one turn of the loop. */
#include "enroll/batch.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/store.h"

#define REQUESTS_MAX_DEFAULT 256
#define AGE_MAX_MS_DEFAULT 20
#define ON_END_MAX 4

struct call {
	batch_fn *fn;
	void *arg;
};

struct calls {
	struct call *call;
	size_t count, room;
};

struct batch {
	struct store *store;
	struct batch_config config;
	struct event *drained; /* lowest priority: runs when the loop has nothing else to do */
	struct event *aged;    /* highest: runs when the first request has waited long enough */
	bool open;             /* a transaction of ours */
	bool inside;           /* a request is between enter and leave */
	unsigned requests;     /* in the open transaction */
	struct calls waiting;
	bool failing; /* the last commit failed */
	struct call on_end[ON_END_MAX];
	size_t on_end_count;
	struct batch_counters counters;
};

/* --- ending a transaction --- */

/* The list is taken away first: a function may enter the next batch. */
static void tell(struct batch *b, enum err committed)
{
	struct calls now = b->waiting;

	b->waiting = (struct calls){0};
	for (size_t i = 0; i < b->on_end_count; i++)
		b->on_end[i].fn(b->on_end[i].arg, committed);
	for (size_t i = 0; i < now.count; i++)
		now.call[i].fn(now.call[i].arg, committed);
	free(now.call);
}

/* Whoever sends requests decides how often we try: one line when it begins, one when it is over. */
static void log_change(struct batch *b, enum err committed)
{
	if (committed != ERR_OK && !b->failing)
		log_err("commit failed error=\"%s\"", err_text(committed));
	else if (committed == ERR_OK && b->failing)
		log_info("commits succeed again failed=%llu",
			(unsigned long long)b->counters.failed);
	b->failing = committed != ERR_OK;
}

static enum err finish(struct batch *b, enum err committed)
{
	b->open = false;
	b->requests = 0;
	(void)event_del(b->aged);
	(void)event_del(b->drained);
	if (committed == ERR_OK)
		b->counters.commits++;
	else
		b->counters.failed++;
	log_change(b, committed);
	tell(b, committed);
	return committed;
}

enum err batch_flush(struct batch *b)
{
	if (b->inside)
		return ERR_STATE;
	if (!b->open)
		return ERR_OK;
	return finish(b, store_commit(b->store));
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	if (batch_flush(arg) != ERR_OK)
		return; /* told to everyone in it */
}

/* --- requests --- */

static enum err open_transaction(struct batch *b)
{
	const struct timeval age = {.tv_sec = b->config.age_max_ms / 1000,
		.tv_usec = (suseconds_t)(b->config.age_max_ms % 1000) * 1000};
	enum err e = store_begin(b->store);

	if (e != ERR_OK)
		return e;
	if (event_add(b->aged, &age) != 0) {
		store_rollback(b->store);
		return ERR_NOMEM;
	}
	b->open = true;
	event_active(b->drained, EV_TIMEOUT, 0);
	return ERR_OK;
}

enum err batch_enter(struct batch *b)
{
	enum err e;

	if (b->inside)
		return ERR_STATE;
	if (b->open && b->requests >= b->config.requests_max && batch_flush(b) != ERR_OK)
		log_debug("the batch before failed");
	e = b->open ? ERR_OK : open_transaction(b);
	if (e == ERR_OK)
		e = store_request_begin(b->store);
	if (e == ERR_OK) {
		b->inside = true;
		b->requests++;
		b->counters.requests++;
	} else if (b->open && !store_in_transaction(b->store)) {
		(void)finish(b, e);
	}
	return e;
}

static bool is_storage(enum err e)
{
	return e == ERR_FULL || e == ERR_NOMEM || e == ERR_BUSY;
}

enum err batch_leave(struct batch *b, enum err result)
{
	enum err e;

	if (!b->inside)
		return ERR_STATE;
	b->inside = false;
	e = result == ERR_OK ? store_request_keep(b->store) : store_request_undo(b->store);
	if (!store_in_transaction(b->store)) {
		/* SQLite gave all of it up: whoever shared it has failed with us. */
		(void)finish(b, is_storage(result) ? result : ERR_IO);
		return result == ERR_OK ? ERR_IO : result;
	}
	if (e != ERR_OK) {
		/* What cannot be undone alone is undone together. */
		store_rollback(b->store);
		(void)finish(b, e);
		return e;
	}
	return result;
}

static bool grow(struct calls *calls)
{
	size_t room = calls->room > 0 ? calls->room * 2 : 64;
	struct call *more = realloc(calls->call, room * sizeof(*more));

	if (!more)
		return false;
	calls->call = more;
	calls->room = room;
	return true;
}

enum err batch_after(struct batch *b, batch_fn *fn, void *arg)
{
	if (!b->open) {
		fn(arg, ERR_OK);
		return ERR_OK;
	}
	if (b->waiting.count == b->waiting.room && !grow(&b->waiting))
		return ERR_NOMEM;
	b->waiting.call[b->waiting.count++] = (struct call){fn, arg};
	return ERR_OK;
}

/* --- life --- */

enum err batch_on_end(struct batch *b, batch_fn *fn, void *arg)
{
	if (b->on_end_count == ON_END_MAX)
		return ERR_FULL;
	b->on_end[b->on_end_count++] = (struct call){fn, arg};
	return ERR_OK;
}

static enum err make_events(struct batch *b, struct event_base *base)
{
	b->drained = event_new(base, -1, 0, on_due, b);
	b->aged = event_new(base, -1, 0, on_due, b);
	if (!b->drained || !b->aged)
		return ERR_NOMEM;
	if (event_priority_set(b->drained, event_base_get_npriorities(base) - 1) != 0 ||
		event_priority_set(b->aged, 0) != 0)
		return ERR_STATE;
	return ERR_OK;
}

enum err batch_new(struct store *store, struct event_base *base, const struct batch_config *config,
	struct batch **out)
{
	struct batch *b = calloc(1, sizeof(*b));
	enum err e;

	*out = NULL;
	if (!b)
		return ERR_NOMEM;
	b->store = store;
	if (config)
		b->config = *config;
	if (b->config.requests_max == 0)
		b->config.requests_max = REQUESTS_MAX_DEFAULT;
	if (b->config.age_max_ms == 0)
		b->config.age_max_ms = AGE_MAX_MS_DEFAULT;
	e = make_events(b, base);
	if (e != ERR_OK) {
		batch_free(b);
		return e;
	}
	*out = b;
	return ERR_OK;
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	if (b->open && finish(b, store_commit(b->store)) != ERR_OK)
		log_err("the last requests were not stored");
	if (b->drained)
		event_free(b->drained);
	if (b->aged)
		event_free(b->aged);
	free(b->waiting.call);
	free(b);
}

const struct batch_counters *batch_counters(const struct batch *b)
{
	return &b->counters;
}
