#include "mesh/timer_event.h"

#include <event2/event.h>

#include "unit/suite.h"

static struct event_base *base;
static struct timer_event *te;
static struct timers *timers;
static struct timer timer;
static int fired;

static void on_timer(void *arg)
{
	(void)arg;
	fired++;
}

static void begin(void)
{
	fired = 0;
	base = event_base_new();
	ck_assert_int_eq(timer_event_new(base, &te), ERR_OK);
	timers = timer_event_timers(te);
	timer_init(&timer, on_timer, NULL);
}

static void end(void)
{
	timer_cancel(timers, &timer);
	timer_event_free(te);
	event_base_free(base);
	libevent_global_shutdown();
}

START_TEST(follows_a_simulated_world)
{
	uint64_t start_ms;

	begin();
	timer_event_follow(te, 7000);
	start_ms = timers_now(timers);
	timer_arm(timers, &timer, 3600000);
	timer_event_follow(te, 7000 + 3599999);
	ck_assert_int_eq(fired, 0);
	timer_event_follow(te, 7000 + 3600000);
	ck_assert_int_eq(fired, 1);
	ck_assert_uint_eq(timers_now(timers), start_ms + 3600000);
	end();
}
END_TEST

START_TEST(goes_on_from_where_it_stands)
{
	uint64_t at_ms;

	begin();
	timer_event_follow(te, 7000);
	timer_event_follow(te, 17000);
	at_ms = timers_now(timers);
	timer_event_follow(te, 100); /* the world has begun anew */
	ck_assert_uint_eq(timers_now(timers), at_ms);
	timer_event_follow(te, 150);
	ck_assert_uint_eq(timers_now(timers), at_ms + 50);
	timer_arm(timers, &timer, 1);
	timer_event_unfollow(te);
	ck_assert_uint_ge(timers_now(timers), at_ms + 50);
	ck_assert_uint_lt(timers_now(timers), at_ms + 50 + 60000);
	/* By the machine's clock; libevent's own is coarse and may wake us a little early. */
	while (fired == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(fired, 1);
	end();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, follows_a_simulated_world);
	tcase_add_test(tc, goes_on_from_where_it_stands);
}

int main(void)
{
	return suite_main("timer_event", fill);
}
