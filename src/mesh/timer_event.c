#include "mesh/timer_event.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"

struct timer_event {
	struct timers timers;
	struct event *wake;
};

static uint64_t read_clock(void *ctx)
{
	(void)ctx;
	return clock_boot_ms();
}

static void rearm(void *ctx)
{
	struct timer_event *te = ctx;
	uint64_t left_ms;
	struct timeval tv;

	(void)timers_now(&te->timers);
	if (!timers_next(&te->timers, &left_ms)) {
		(void)event_del(te->wake);
		return;
	}
	tv.tv_sec = (time_t)(left_ms / 1000);
	tv.tv_usec = (suseconds_t)(left_ms % 1000 * 1000);
	(void)event_add(te->wake, &tv);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct timer_event *te = arg;

	(void)fd;
	(void)what;
	timers_run(&te->timers, clock_boot_ms());
}

enum err timer_event_new(struct event_base *base, struct timer_event **out)
{
	struct timer_event *te = calloc(1, sizeof(*te));

	if (!te)
		return ERR_NOMEM;
	te->wake = event_new(base, -1, 0, on_wake, te);
	if (!te->wake) {
		free(te);
		return ERR_NOMEM;
	}
	te->timers = (struct timers){.rearm = rearm, .clock = read_clock, .ctx = te};
	*out = te;
	return ERR_OK;
}

void timer_event_free(struct timer_event *te)
{
	if (!te)
		return;
	event_free(te->wake);
	free(te);
}

struct timers *timer_event_timers(struct timer_event *te)
{
	return &te->timers;
}
