/*
 * Deadlines on one clock that somebody else winds: the event loop (timer_event.h) in the daemon, a
 * test by hand. A few dozen timers live at once, so they hang in one sorted list. Knows no loop.
 */
#ifndef MESH_TIMER_H
#define MESH_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
	struct timer *next;
	uint64_t at_ms;
	void (*fn)(void *arg);
	void *arg;
	bool armed;
};

/* Caller-owned; zero it and set the hook. Times are milliseconds of CLOCK_BOOTTIME (base/clock.h)
 * or of the test. */
struct timers {
	uint64_t now_ms;
	struct timer *first;
	/* Called when the earliest deadline has changed; may be NULL (a test looks for itself). */
	void (*rearm)(void *ctx);
	/* Fetches the present time before a timer is armed; may be NULL: then now_ms is it. */
	uint64_t (*clock)(void *ctx);
	void *ctx;
};

/* The timer is the caller's and must stay where it is while armed. */
void timer_init(struct timer *t, void (*fn)(void *arg), void *arg);

/* Fires once, at the earliest in the next timers_run, delay_ms from now; moves an armed one. */
void timer_arm(struct timers *ts, struct timer *t, uint64_t delay_ms);

/* Harmless when not armed. */
void timer_cancel(struct timers *ts, struct timer *t);

/* The present time by the hook, or the last one that was told. */
uint64_t timers_now(struct timers *ts);

/* Sets the clock and calls what is due, in order of deadlines; what is armed meanwhile waits for
 * the next call even if it is due already. */
void timers_run(struct timers *ts, uint64_t now_ms);

/* Milliseconds until the first deadline, 0 if it is due; false: none. */
bool timers_next(const struct timers *ts, uint64_t *left_ms);

#endif
