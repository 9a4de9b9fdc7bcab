#include "mesh/timer.h"

#include "unit/suite.h"

struct note {
	struct timers *timers;
	struct timer timer;
	struct timer *cancels;
	int fired;
	int order;
	int *count;
	bool again;
};

static void fire(void *arg)
{
	struct note *n = arg;

	n->fired++;
	n->order = ++*n->count;
	if (n->cancels)
		timer_cancel(n->timers, n->cancels);
	if (n->again)
		timer_arm(n->timers, &n->timer, 0);
}

static int count;
static struct timers ts;
static struct note notes[3];

static void begin(void)
{
	count = 0;
	ts = (struct timers){.now_ms = 1000};
	for (int i = 0; i < 3; i++) {
		notes[i] = (struct note){.timers = &ts, .count = &count};
		timer_init(&notes[i].timer, fire, &notes[i]);
	}
}

START_TEST(fires_in_order_of_deadlines)
{
	uint64_t left;

	begin();
	timer_arm(&ts, &notes[0].timer, 30);
	timer_arm(&ts, &notes[1].timer, 10);
	timer_arm(&ts, &notes[2].timer, 20);
	ck_assert(timers_next(&ts, &left));
	ck_assert_uint_eq(left, 10);
	timers_run(&ts, 1009);
	ck_assert_int_eq(count, 0);
	timers_run(&ts, 1030);
	ck_assert_int_eq(notes[1].order, 1);
	ck_assert_int_eq(notes[2].order, 2);
	ck_assert_int_eq(notes[0].order, 3);
	ck_assert(!timers_next(&ts, &left));
}
END_TEST

START_TEST(arming_again_moves)
{
	begin();
	timer_arm(&ts, &notes[0].timer, 10);
	timer_arm(&ts, &notes[0].timer, 50);
	timers_run(&ts, 1049);
	ck_assert_int_eq(notes[0].fired, 0);
	timers_run(&ts, 1050);
	ck_assert_int_eq(notes[0].fired, 1);
	timers_run(&ts, 2000);
	ck_assert_int_eq(notes[0].fired, 1);
}
END_TEST

START_TEST(cancelled_inside_of_a_callback)
{
	begin();
	notes[0].cancels = &notes[1].timer;
	timer_arm(&ts, &notes[0].timer, 10);
	timer_arm(&ts, &notes[1].timer, 10);
	timer_arm(&ts, &notes[2].timer, 10);
	timers_run(&ts, 1010);
	ck_assert_int_eq(notes[0].fired, 1);
	ck_assert_int_eq(notes[1].fired, 0);
	ck_assert_int_eq(notes[2].fired, 1);
}
END_TEST

START_TEST(armed_by_itself_waits_for_the_next_turn)
{
	begin();
	notes[0].again = true;
	timer_arm(&ts, &notes[0].timer, 0);
	timers_run(&ts, 1001);
	ck_assert_int_eq(notes[0].fired, 1);
	timers_run(&ts, 1002);
	ck_assert_int_eq(notes[0].fired, 2);
}
END_TEST

START_TEST(clock_never_runs_backwards)
{
	begin();
	timers_run(&ts, 900);
	ck_assert_uint_eq(timers_now(&ts), 1000);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, fires_in_order_of_deadlines);
	tcase_add_test(tc, arming_again_moves);
	tcase_add_test(tc, cancelled_inside_of_a_callback);
	tcase_add_test(tc, armed_by_itself_waits_for_the_next_turn);
	tcase_add_test(tc, clock_never_runs_backwards);
}

int main(void)
{
	return suite_main("timer", fill);
}
