#include "core/schedule.h"

#include <stdio.h>

#include "unit/suite.h"

#define NOW 5000000u
#define DAY_MS 86400000u
#define FLEET 400

static struct job jobs[FLEET];
static struct job *table[FLEET];

static void make_jobs(size_t count)
{
	memset(jobs, 0, sizeof(jobs));
	for (size_t i = 0; i < count; i++) {
		jobs[i] = (struct job){.row = (int64_t)i + 1,
			.serial = 2673000u + (uint32_t)i,
			.node_id = (uint16_t)(i + 10),
			.handle = 1,
			.timeout_s = 10,
			.expires_ms = NOW + DAY_MS};
		table[i] = &jobs[i];
	}
}

static void heard(struct job *j, int8_t rssi, uint64_t now_ms)
{
	struct job_event e = {.type = JOB_EVENT_HEARD, .rssi = rssi};

	(void)job_step(j, &e, now_ms);
}

static void sighted(struct job *j, uint16_t helper, uint64_t now_ms)
{
	struct job_event e = {.type = JOB_EVENT_SIGHTED, .helper = helper};

	(void)job_step(j, &e, now_ms);
}

static enum job_method method_of(enum schedule_do what)
{
	switch (what) {
	case SCHEDULE_DIRECT:
		return JOB_METHOD_DIRECT;
	case SCHEDULE_DIRECTED:
		return JOB_METHOD_DIRECTED;
	case SCHEDULE_BROADCAST:
		return JOB_METHOD_BROADCAST;
	case SCHEDULE_SLEEP:
	case SCHEDULE_TIMER:
	case SCHEDULE_VERIFY:
	case SCHEDULE_SURVEY:
		break;
	}
	return JOB_METHOD_NONE;
}

static struct job_action do_pick(const struct schedule_pick *p, uint64_t now_ms)
{
	struct job_event e = {
		.type = p->what == SCHEDULE_TIMER ? JOB_EVENT_TIMER : JOB_EVENT_PICKED,
		.method = method_of(p->what),
		.helper = p->helper};

	return job_step(p->job, &e, now_ms);
}

START_TEST(sleeps_for_ever_over_nothing)
{
	struct schedule s = {.attached = true, .radio_free = true};
	struct schedule_pick p = schedule_pick(&s, table, 0, NOW);

	ck_assert_int_eq(p.what, SCHEDULE_SLEEP);
	ck_assert(p.until_ms == UINT64_MAX);
}
END_TEST

START_TEST(goes_direct_to_what_our_own_radio_hears)
{
	struct schedule s = {.attached = true, .radio_free = true};
	struct schedule_pick p;

	make_jobs(2);
	heard(&jobs[1], -60, NOW);
	p = schedule_pick(&s, table, 2, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_DIRECT);
	ck_assert_ptr_eq(p.job, &jobs[1]);
	s.radio_free = false;
	ck_assert_int_ne(schedule_pick(&s, table, 2, NOW).what, SCHEDULE_DIRECT);
}
END_TEST

/* It would be refused by the session that is ending. */
START_TEST(begins_nothing_before_the_last_session_has_ended)
{
	struct schedule s = {.radio_free = true};

	make_jobs(1);
	heard(&jobs[0], -60, NOW);
	jobs[0].has_session = true;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_SLEEP);
	jobs[0].has_session = false;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECT);
}
END_TEST

START_TEST(leaves_a_weak_node_to_the_mesh_if_there_is_one)
{
	struct schedule s = {.attached = true, .radio_free = true};

	make_jobs(1);
	heard(&jobs[0], -97, NOW);
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_SURVEY);
	s.attached = false;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECT);
}
END_TEST

/* What the mesh is left when there is one waits for it; what nobody else can do does not. */
START_TEST(waits_for_the_mesh_that_is_about_to_be_there)
{
	struct schedule s = {.opening = true, .radio_free = true};

	make_jobs(1);
	heard(&jobs[0], -97, NOW);
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_SLEEP);
	jobs[0].keyless = true;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECT);
	jobs[0].keyless = false;
	heard(&jobs[0], -60, NOW);
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECT);
	jobs[0].link_fails = 2;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_SLEEP);
	s.opening = false;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECT);
}
END_TEST

START_TEST(turns_to_the_mesh_after_two_failed_connections)
{
	struct schedule s = {.attached = true, .radio_free = true};

	make_jobs(1);
	heard(&jobs[0], -60, NOW);
	sighted(&jobs[0], 4, NOW);
	jobs[0].link_fails = 2;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECTED);
	s.attached = false;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECT);
}
END_TEST

START_TEST(waits_while_there_is_neither_gateway_nor_sight)
{
	struct schedule s = {.radio_free = true};
	struct schedule_pick p;

	make_jobs(1);
	p = schedule_pick(&s, table, 1, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_SLEEP);
	ck_assert(p.until_ms == jobs[0].expires_ms);
}
END_TEST

START_TEST(surveys_eleven_at_a_time_then_broadcasts)
{
	struct schedule s = {.attached = true};
	struct schedule_pick p;

	make_jobs(13);
	p = schedule_pick(&s, table, 13, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_SURVEY);
	ck_assert_uint_eq(p.count, SCHEDULE_SURVEY_MAX);
	ck_assert_uint_eq(p.serials[10], jobs[10].serial);
	schedule_surveyed(&s, &p, NOW);

	p = schedule_pick(&s, table, 13, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_SLEEP);
	ck_assert(p.until_ms == NOW + SCHEDULE_SURVEY_ANSWER_MS);
	p = schedule_pick(&s, table, 13, NOW + SCHEDULE_SURVEY_ANSWER_MS);
	ck_assert_int_eq(p.what, SCHEDULE_SLEEP); /* no broadcast before all were asked for */
	ck_assert(p.until_ms == NOW + SCHEDULE_SURVEY_GAP_MS);

	p = schedule_pick(&s, table, 13, NOW + SCHEDULE_SURVEY_GAP_MS);
	ck_assert_int_eq(p.what, SCHEDULE_SURVEY); /* the last two, filled up with the first nine */
	ck_assert_uint_eq(p.count, SCHEDULE_SURVEY_MAX);
	ck_assert_uint_eq(p.serials[0], jobs[11].serial);
	ck_assert_uint_eq(p.serials[1], jobs[12].serial);
	ck_assert_uint_eq(p.serials[2], jobs[0].serial);
	schedule_surveyed(&s, &p, NOW + SCHEDULE_SURVEY_GAP_MS);

	p = schedule_pick(&s, table, 13, NOW + SCHEDULE_SURVEY_GAP_MS);
	ck_assert_int_eq(p.what, SCHEDULE_BROADCAST); /* the two of the first survey alone */
	ck_assert_ptr_eq(p.job, &jobs[9]);
}
END_TEST

START_TEST(asks_each_helper_one_thing_at_a_time)
{
	struct schedule s = {.attached = true};
	struct schedule_pick p;

	make_jobs(3);
	sighted(&jobs[0], 4, NOW);
	sighted(&jobs[1], 4, NOW);
	sighted(&jobs[2], 5, NOW);
	p = schedule_pick(&s, table, 3, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_DIRECTED);
	ck_assert_ptr_eq(p.job, &jobs[0]);
	ck_assert_uint_eq(p.helper, 4);
	(void)do_pick(&p, NOW);
	p = schedule_pick(&s, table, 3, NOW);
	ck_assert_ptr_eq(p.job, &jobs[2]);
	(void)do_pick(&p, NOW);
	p = schedule_pick(&s, table, 3, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_SLEEP);
	ck_assert(p.until_ms == NOW + 15000);
	p = schedule_pick(&s, table, 3, NOW + 15000);
	ck_assert_int_eq(p.what, SCHEDULE_TIMER);
}
END_TEST

/* The first id and the last, and those beside them. */
START_TEST(a_busy_helper_makes_no_other_busy)
{
	static const uint16_t ids[] = {1, 2, 7, 8, 9, 1998, 1999};
	const size_t count = sizeof(ids) / sizeof(ids[0]);
	struct schedule s = {.attached = true, .radio_free = true};

	make_jobs(2 * count);
	for (size_t i = 0; i < 2 * count; i++)
		sighted(&jobs[i], ids[i % count], NOW);
	for (size_t i = 0; i < count; i++) {
		struct schedule_pick p = schedule_pick(&s, table, 2 * count, NOW);

		ck_assert_int_eq(p.what, SCHEDULE_DIRECTED);
		ck_assert_ptr_eq(p.job, &jobs[i]);
		ck_assert_uint_eq(p.helper, ids[i]);
		(void)do_pick(&p, NOW);
	}
	ck_assert_int_eq(schedule_pick(&s, table, 2 * count, NOW).what, SCHEDULE_SLEEP);
}
END_TEST

START_TEST(never_broadcasts_beside_another_over_mesh_request)
{
	struct schedule s = {.attached = true};
	struct schedule_pick p;

	make_jobs(3);
	jobs[0].surveyed_ms = jobs[1].surveyed_ms = s.survey_ms = NOW;
	p = schedule_pick(&s, table, 2, NOW + 4000);
	ck_assert_int_eq(p.what, SCHEDULE_BROADCAST);
	(void)do_pick(&p, NOW + 4000);
	sighted(&jobs[2], 4, NOW + 4000);
	p = schedule_pick(&s, table, 3, NOW + 4000);
	ck_assert_int_eq(p.what, SCHEDULE_SLEEP);
}
END_TEST

START_TEST(verifies_a_few_at_a_time_and_only_when_attached)
{
	struct schedule s = {.attached = false};
	int n = 0;

	make_jobs(6);
	for (int i = 0; i < 6; i++)
		jobs[i].state = JOB_SAVED;
	ck_assert_int_eq(schedule_pick(&s, table, 6, NOW).what, SCHEDULE_SLEEP);
	s.attached = true;
	for (;; n++) {
		struct schedule_pick p = schedule_pick(&s, table, 6, NOW);

		if (p.what != SCHEDULE_VERIFY)
			break;
		ck_assert_int_eq(do_pick(&p, NOW).what, JOB_DO_VERIFY);
	}
	ck_assert_int_eq(n, SCHEDULE_VERIFIES_MAX);
}
END_TEST

START_TEST(removes_through_the_mesh_else_directly)
{
	struct schedule s = {.attached = true, .radio_free = true};
	struct schedule_pick p;

	make_jobs(1);
	jobs[0].state = JOB_REMOVING;
	jobs[0].attempts = 1;
	heard(&jobs[0], -60, NOW);
	p = schedule_pick(&s, table, 1, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_DIRECTED);
	ck_assert_uint_eq(p.helper, jobs[0].node_id);
	jobs[0].tries = 1;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECT);
	s.attached = false;
	jobs[0].tries = 0;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECT);
	s.radio_free = false;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_SLEEP);
}
END_TEST

/* --- a fleet on virtual time ------------------------------------------------------------------
 * Nodes stand in a row; each hears its ten neighbours. Node ids equal index + 10. Every attempt
 * succeeds by a coin of the given bias; a freshly joined node is a helper. */

struct fleet {
	struct schedule s;
	uint64_t now_ms;
	uint64_t random;
	unsigned percent;
	uint64_t answer_ms[FLEET]; /* when the pending attempt will be answered; 0 never */
	unsigned picks;
};

static unsigned dice(struct fleet *f)
{
	f->random = f->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(f->random >> 33) % 100;
}

static bool has_member_near(size_t i, uint16_t *helper)
{
	for (size_t d = 1; d <= 10; d++) {
		if (i >= d && jobs[i - d].state == JOB_JOINED) {
			*helper = jobs[i - d].node_id;
			return true;
		}
		if (i + d < FLEET && jobs[i + d].state == JOB_JOINED) {
			*helper = jobs[i + d].node_id;
			return true;
		}
	}
	*helper = 1; /* the gateway node, beside the first ten */
	return i < 10;
}

static void fleet_survey(struct fleet *f, const struct schedule_pick *p)
{
	for (size_t i = 0; i < p->count; i++) {
		uint16_t helper;

		if (has_member_near((size_t)(p->serials[i] - 2673000u), &helper) && dice(f) < 95)
			sighted(p->surveyed[i], helper, f->now_ms);
	}
	schedule_surveyed(&f->s, p, f->now_ms);
}

static void fleet_do(struct fleet *f, struct schedule_pick *p)
{
	size_t i = (size_t)(p->job - jobs);
	struct job_action a = do_pick(p, f->now_ms);
	uint16_t helper;

	f->answer_ms[i] = 0;
	if (a.what == JOB_DO_VERIFY && dice(f) < 90)
		f->answer_ms[i] = f->now_ms + 300;
	if (a.what == JOB_DO_SEND && has_member_near(i, &helper) && dice(f) < f->percent)
		f->answer_ms[i] = f->now_ms + 3000;
}

static void fleet_answer(struct fleet *f)
{
	for (size_t i = 0; i < FLEET; i++) {
		struct job_event e = {.serial = jobs[i].serial};

		if (f->answer_ms[i] == 0 || f->answer_ms[i] > f->now_ms)
			continue;
		e.type = jobs[i].state == JOB_SAVED ? JOB_EVENT_INFO : JOB_EVENT_ANSWER;
		f->answer_ms[i] = 0;
		(void)job_step(&jobs[i], &e, f->now_ms);
	}
}

static uint64_t fleet_next(const struct fleet *f, uint64_t until_ms)
{
	for (size_t i = 0; i < FLEET; i++)
		if (f->answer_ms[i] != 0 && f->answer_ms[i] < until_ms)
			until_ms = f->answer_ms[i];
	return until_ms;
}

static void fleet_run(struct fleet *f)
{
	for (;;) {
		struct schedule_pick p = schedule_pick(&f->s, table, FLEET, f->now_ms);

		ck_assert_uint_lt(f->picks++, 200000);
		if (p.what == SCHEDULE_SURVEY) {
			fleet_survey(f, &p);
		} else if (p.what != SCHEDULE_SLEEP) {
			fleet_do(f, &p);
		} else {
			uint64_t next_ms = fleet_next(f, p.until_ms);

			if (next_ms == UINT64_MAX)
				return;
			ck_assert(next_ms > f->now_ms);
			f->now_ms = next_ms;
			fleet_answer(f);
		}
	}
}

static size_t count_state(enum job_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < FLEET; i++)
		n += jobs[i].state == state;
	return n;
}

START_TEST(enrolls_a_fleet_of_400)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct fleet f = {.s.attached = true, .now_ms = NOW, .random = seed, .percent = 70};

		make_jobs(FLEET);
		fleet_run(&f);
		printf("seed %u: %zu joined, %zu failed in %u virtual seconds, %u picks\n",
			(unsigned)seed, count_state(JOB_JOINED), count_state(JOB_FAILED),
			(unsigned)((f.now_ms - NOW) / 1000), f.picks);
		ck_assert_uint_ge(count_state(JOB_JOINED), FLEET - 8);
		ck_assert_uint_eq(count_state(JOB_JOINED) + count_state(JOB_FAILED), FLEET);
		ck_assert(f.now_ms - NOW < 3600000);
	}
}
END_TEST

START_TEST(expires_a_fleet_that_nobody_sees_without_spinning)
{
	struct fleet f = {.s.attached = true, .now_ms = NOW, .random = 1, .percent = 0};

	make_jobs(FLEET);
	for (size_t i = 0; i < FLEET; i++)
		jobs[i].expires_ms = NOW + DAY_MS / 24;
	memmove(jobs, jobs + 10, sizeof(jobs[0]) * (FLEET - 10)); /* away from the gateway */
	for (size_t i = FLEET - 10; i < FLEET; i++)
		jobs[i].state = JOB_CANCELLED;
	for (size_t i = 0; i < FLEET - 10; i++)
		jobs[i].serial = 2673000u + 200; /* in the middle: no member is near */
	fleet_run(&f);
	ck_assert_uint_eq(count_state(JOB_EXPIRED), FLEET - 10);
	ck_assert_uint_lt(f.picks, 12000);
}
END_TEST

/* Sent through the helper, and never answered. */
static uint64_t stay_silent(const struct schedule_pick *p, uint64_t now_ms)
{
	(void)do_pick(p, now_ms);
	now_ms = p->job->deadline_ms;
	(void)job_step(p->job, &(struct job_event){.type = JOB_EVENT_TIMER}, now_ms);
	return p->job->next_try_ms;
}

/* The helper may be gone: it is not asked again and again until the node is given up. */
START_TEST(looks_for_another_helper_when_one_stays_silent)
{
	struct schedule s = {.attached = true, .radio_free = true, .survey_ms = NOW};
	uint64_t now_ms = NOW;
	struct schedule_pick p;

	make_jobs(1);
	jobs[0].surveyed_ms = NOW;
	sighted(&jobs[0], 1, NOW);
	p = schedule_pick(&s, table, 1, now_ms);
	ck_assert_int_eq(p.what, SCHEDULE_DIRECTED);
	now_ms = stay_silent(&p, now_ms);
	p = schedule_pick(&s, table, 1, now_ms);
	ck_assert_int_eq(p.what, SCHEDULE_SURVEY);
	schedule_surveyed(&s, &p, now_ms);
	sighted(&jobs[0], 2, now_ms + 1000);
	p = schedule_pick(&s, table, 1, now_ms + 1000);
	ck_assert_int_eq(p.what, SCHEDULE_DIRECTED);
	ck_assert_uint_eq(p.helper, 2);
}
END_TEST

START_TEST(asks_everybody_when_nobody_sees_the_node_any_more)
{
	struct schedule s = {.attached = true, .radio_free = true};
	uint64_t now_ms = NOW;
	struct schedule_pick p;

	make_jobs(1);
	sighted(&jobs[0], 1, NOW);
	p = schedule_pick(&s, table, 1, now_ms);
	now_ms = stay_silent(&p, now_ms);
	p = schedule_pick(&s, table, 1, now_ms);
	schedule_surveyed(&s, &p, now_ms);
	p = schedule_pick(&s, table, 1, now_ms);
	ck_assert_int_eq(p.what, SCHEDULE_SLEEP);
	ck_assert_int_eq(schedule_pick(&s, table, 1, p.until_ms).what, SCHEDULE_BROADCAST);
}
END_TEST

START_TEST(asks_everybody_before_a_silent_node_is_given_up)
{
	struct schedule s = {.attached = true, .radio_free = true};
	uint64_t now_ms = NOW;
	struct schedule_pick p;

	make_jobs(1);
	for (int i = 1; i < JOB_SILENT_MAX; i++) {
		sighted(&jobs[0], (uint16_t)i, now_ms);
		p = schedule_pick(&s, table, 1, now_ms);
		ck_assert_int_eq(p.what, SCHEDULE_DIRECTED);
		now_ms = stay_silent(&p, now_ms);
	}
	sighted(&jobs[0], 5, now_ms);
	p = schedule_pick(&s, table, 1, now_ms);
	ck_assert_int_eq(p.what, SCHEDULE_BROADCAST);
	(void)stay_silent(&p, now_ms);
	ck_assert_int_eq(jobs[0].state, JOB_FAILED);
	ck_assert_int_eq(jobs[0].reason, JOB_REASON_SILENT);
}
END_TEST

/* A silent node with a wrong key waits behind all that were asked less often, by each way. */
START_TEST(asks_fresh_ones_before_those_that_stay_silent)
{
	struct schedule s = {.attached = true, .radio_free = true};
	struct schedule_pick p;

	make_jobs(2);
	for (size_t i = 0; i < 2; i++)
		sighted(&jobs[i], 5, NOW);
	jobs[0].tries = 1; /* it comes first in the table, and has waited longer */
	jobs[0].silent = 1;
	jobs[1].next_try_ms = NOW;
	p = schedule_pick(&s, table, 2, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_DIRECTED);
	ck_assert_ptr_eq(p.job, &jobs[1]);
	for (size_t i = 0; i < 2; i++)
		heard(&jobs[i], -50, NOW);
	p = schedule_pick(&s, table, 2, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_DIRECT);
	ck_assert_ptr_eq(p.job, &jobs[1]);
}
END_TEST

START_TEST(leaves_a_node_without_key_to_our_own_radio)
{
	struct schedule s = {.attached = true, .radio_free = true};

	make_jobs(1);
	jobs[0].keyless = true;
	sighted(&jobs[0], 5, NOW);
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_SLEEP);
	heard(&jobs[0], -95, NOW); /* weak or not */
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_DIRECT);
	s.radio_free = false;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_SLEEP);
}
END_TEST

START_TEST(tells_a_node_without_key_in_the_mesh_that_it_is_in)
{
	struct schedule s = {.radio_free = true}; /* its new network is not attached */
	struct schedule_pick p;

	make_jobs(2);
	jobs[0].keyless = jobs[0].reachable = true;
	jobs[1].in_flight = true; /* of its own broadcasts one runs */
	jobs[1].method = JOB_METHOD_BROADCAST;
	jobs[1].state = JOB_SENT;
	jobs[1].deadline_ms = NOW + 60000;
	p = schedule_pick(&s, table, 2, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_BROADCAST);
	ck_assert_ptr_eq(p.job, &jobs[0]);
	heard(&jobs[0], -60, NOW); /* near: our own radio first, then in turns */
	p = schedule_pick(&s, table, 2, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_DIRECT);
	jobs[0].tries = 1;
	p = schedule_pick(&s, table, 2, NOW);
	ck_assert_int_eq(p.what, SCHEDULE_BROADCAST);
	ck_assert_int_eq(do_pick(&p, NOW).what, JOB_DO_SEND);
	ck_assert_uint_eq(jobs[0].deadline_ms, NOW + JOB_ANSWER_MS); /* it enrolls itself */
	jobs[0].reachable = false;
	jobs[0].in_flight = false;
	jobs[0].ear_ms = 0;
	ck_assert_int_eq(schedule_pick(&s, table, 2, NOW).what, SCHEDULE_SLEEP);
}
END_TEST

START_TEST(proves_an_asset_without_a_gateway_node)
{
	struct schedule s = {.radio_free = true};

	make_jobs(1);
	jobs[0].node_id = 33000;
	jobs[0].state = JOB_SAVED;
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_SLEEP);
	heard(&jobs[0], -50, NOW);
	ck_assert_int_eq(schedule_pick(&s, table, 1, NOW).what, SCHEDULE_VERIFY);
}
END_TEST

START_TEST(is_deterministic)
{
	uint64_t first = 0;

	for (int round = 0; round < 2; round++) {
		struct fleet f = {.s.attached = true, .now_ms = NOW, .random = 42, .percent = 60};

		make_jobs(FLEET);
		fleet_run(&f);
		if (round == 0)
			first = f.now_ms;
		else
			ck_assert(first == f.now_ms);
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, sleeps_for_ever_over_nothing);
	tcase_add_test(tc, goes_direct_to_what_our_own_radio_hears);
	tcase_add_test(tc, begins_nothing_before_the_last_session_has_ended);
	tcase_add_test(tc, leaves_a_weak_node_to_the_mesh_if_there_is_one);
	tcase_add_test(tc, waits_for_the_mesh_that_is_about_to_be_there);
	tcase_add_test(tc, turns_to_the_mesh_after_two_failed_connections);
	tcase_add_test(tc, waits_while_there_is_neither_gateway_nor_sight);
	tcase_add_test(tc, surveys_eleven_at_a_time_then_broadcasts);
	tcase_add_test(tc, asks_each_helper_one_thing_at_a_time);
	tcase_add_test(tc, a_busy_helper_makes_no_other_busy);
	tcase_add_test(tc, never_broadcasts_beside_another_over_mesh_request);
	tcase_add_test(tc, verifies_a_few_at_a_time_and_only_when_attached);
	tcase_add_test(tc, removes_through_the_mesh_else_directly);
	tcase_add_test(tc, enrolls_a_fleet_of_400);
	tcase_add_test(tc, expires_a_fleet_that_nobody_sees_without_spinning);
	tcase_add_test(tc, looks_for_another_helper_when_one_stays_silent);
	tcase_add_test(tc, asks_everybody_when_nobody_sees_the_node_any_more);
	tcase_add_test(tc, asks_everybody_before_a_silent_node_is_given_up);
	tcase_add_test(tc, asks_fresh_ones_before_those_that_stay_silent);
	tcase_add_test(tc, leaves_a_node_without_key_to_our_own_radio);
	tcase_add_test(tc, tells_a_node_without_key_in_the_mesh_that_it_is_in);
	tcase_add_test(tc, proves_an_asset_without_a_gateway_node);
	tcase_add_test(tc, is_deterministic);
}

int main(void)
{
	return suite_main("schedule", fill);
}
