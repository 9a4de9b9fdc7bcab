#include "mesh/timer.h"

#include <stddef.h>

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
	*t = (struct timer){.fn = fn, .arg = arg};
}

uint64_t timers_now(struct timers *ts)
{
	uint64_t now = ts->clock ? ts->clock(ts->ctx) : ts->now_ms;

	if (now > ts->now_ms)
		ts->now_ms = now;
	return ts->now_ms;
}

static void unlink_timer(struct timers *ts, struct timer *t)
{
	struct timer **p = &ts->first;

	while (*p && *p != t)
		p = &(*p)->next;
	if (*p)
		*p = t->next;
	t->next = NULL;
	t->armed = false;
}

static void link_timer(struct timers *ts, struct timer *t)
{
	struct timer **p = &ts->first;

	while (*p && (*p)->at_ms <= t->at_ms)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
	t->armed = true;
}

static void first_may_have_changed(struct timers *ts, const struct timer *before)
{
	if (ts->rearm && ts->first != before)
		ts->rearm(ts->ctx);
}

/* At least 1 ms, so that a timer which arms itself from its own callback can't hold the loop. */
void timer_arm(struct timers *ts, struct timer *t, uint64_t delay_ms)
{
	if (t->armed)
		unlink_timer(ts, t);
	t->at_ms = timers_now(ts) + (delay_ms > 0 ? delay_ms : 1);
	link_timer(ts, t);
	if (ts->rearm && ts->first == t)
		ts->rearm(ts->ctx);
}

void timer_cancel(struct timers *ts, struct timer *t)
{
	const struct timer *before = ts->first;

	if (!t->armed)
		return;
	unlink_timer(ts, t);
	first_may_have_changed(ts, before);
}

void timers_run(struct timers *ts, uint64_t now_ms)
{
	if (now_ms > ts->now_ms)
		ts->now_ms = now_ms;
	while (ts->first && ts->first->at_ms <= now_ms) {
		struct timer *t = ts->first;

		unlink_timer(ts, t);
		t->fn(t->arg);
	}
	if (ts->rearm)
		ts->rearm(ts->ctx);
}

bool timers_next(const struct timers *ts, uint64_t *left_ms)
{
	if (!ts->first)
		return false;
	*left_ms = ts->first->at_ms > ts->now_ms ? ts->first->at_ms - ts->now_ms : 0;
	return true;
}
