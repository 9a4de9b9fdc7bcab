#include "mesh/timer_event.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"

struct timer_event {
	struct timers timers;
	struct event *wake;
	bool follows; /* a simulated world's time instead of the machine's */
	uint64_t told_ms;
	uint64_t ahead_ms; /* added to either (mod 2^64), so that ours goes on where it stood */
};

static uint64_t read_clock(void *ctx)
{
	const struct timer_event *te = ctx;

	return te->ahead_ms + (te->follows ? te->told_ms : clock_boot_ms());
}

static void rearm(void *ctx)
{
	struct timer_event *te = ctx;
	uint64_t left_ms;
	struct timeval tv;

	(void)timers_now(&te->timers);
	if (te->follows || !timers_next(&te->timers, &left_ms)) {
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
	timers_run(&te->timers, read_clock(te));
}

void timer_event_follow(struct timer_event *te, uint64_t told_ms)
{
	uint64_t now_ms = read_clock(te);

	if (!te->follows || told_ms < te->told_ms) /* another world */
		te->ahead_ms = now_ms - told_ms;
	te->follows = true;
	te->told_ms = told_ms;
	timers_run(&te->timers, read_clock(te));
}

void timer_event_unfollow(struct timer_event *te)
{
	if (!te->follows)
		return;
	te->ahead_ms = read_clock(te) - clock_boot_ms();
	te->follows = false;
	rearm(te);
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
