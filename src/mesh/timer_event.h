/* Winds a struct timers (timer.h) by libevent and CLOCK_BOOTTIME, or by a simulated world. */
#ifndef MESH_TIMER_EVENT_H
#define MESH_TIMER_EVENT_H

#include "enr/err.h"
#include "mesh/timer.h"

struct event_base;
struct timer_event;

/* The timers live in the result (timer_event_timers) and die with it: free it after all users. */
ENR_MUST_CHECK enum err timer_event_new(struct event_base *base, struct timer_event **out);
void timer_event_free(struct timer_event *te);
struct timers *timer_event_timers(struct timer_event *te);

/* From now on time is what a simulated world tells: it stands at told_ms, and so long as nothing
 * else is told. Runs what is due. */
void timer_event_follow(struct timer_event *te, uint64_t told_ms);
/* The machine's clock again, from where time stands. */
void timer_event_unfollow(struct timer_event *te);

#endif
