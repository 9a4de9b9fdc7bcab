/*
 * Group commit (law 2: persist, then answer). Requests that arrive together share one transaction;
 * when the loop has nothing else to do, or the batch is large or old enough, it is committed with
 * synchronous=FULL, and then all answers leave, in their order. A failed commit fails every request
 * in it; none of them has been answered.
 *
 * A request:
 *	if ((e = batch_enter(b)) == ERR_OK) {
 *		e = service_bundle_issue(...);           reads and writes
 *		e = batch_leave(b, e);                   keep its writes, or undo them if e !=
 *ERR_OK
 *	}
 *	prepare the reply or the error;
 *	batch_after(b, send_it, request);                sends, or reports the storage's failure
 *
 * A request that only reads does not enter; it still answers through batch_after, because it may
 * have read what is not committed yet. The service's own hook (service_committed) is set with
 * batch_on_end.
 */
#ifndef ENROLL_BATCH_H
#define ENROLL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enr/err.h"

struct batch;
struct event_base;
struct store;

/* event_base_priority_init(base, BATCH_PRIORITIES) before any event is made: 0 urgent, 1 normal
 * (libevent's default then), 2 the commit. */
#define BATCH_PRIORITIES 3

struct batch_config {
	unsigned requests_max; /* commit when so many are in; 0: 256 */
	unsigned age_max_ms;   /* or when the first has waited so long; 0: 20 */
};

/* committed: ERR_OK, or why the storage failed: then nothing of the request was kept. */
typedef void batch_fn(void *arg, enum err committed);

/* base and store are borrowed. config may be NULL. */
ENR_MUST_CHECK enum err batch_new(struct store *store, struct event_base *base,
	const struct batch_config *config, struct batch **out);

/* Commits what is open and calls what waits (at shutdown). NULL is accepted. */
void batch_free(struct batch *b);

/* Runs at every end of a transaction, before the waiting functions; at most 4. */
ENR_MUST_CHECK enum err batch_on_end(struct batch *b, batch_fn *fn, void *arg);

/* Begins a request; begins the transaction if none is open. ERR_STATE inside another request. On
 * failure there is nothing to leave. */
ENR_MUST_CHECK enum err batch_enter(struct batch *b);

/* Ends the request. Returns result, or the storage's error if its writes could not be kept. */
ENR_MUST_CHECK enum err batch_leave(struct batch *b, enum err result);

/* Calls fn once, after the commit of the open transaction; at once if none is open. ERR_NOMEM: fn
 * will not be called. */
ENR_MUST_CHECK enum err batch_after(struct batch *b, batch_fn *fn, void *arg);

/* Commits now: for the few who cannot wait (start, shutdown, tests). */
ENR_MUST_CHECK enum err batch_flush(struct batch *b);

/* For status and bench: transactions committed, requests entered, commits failed. */
struct batch_counters {
	uint64_t commits, requests, failed;
};
const struct batch_counters *batch_counters(const struct batch *b);

#endif
