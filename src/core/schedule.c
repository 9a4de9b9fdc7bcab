#include "core/schedule.h"

#include "enr/meshmsg.h"

struct look {
	const struct schedule *s;
	struct job *const *jobs;
	size_t count;
	uint64_t now_ms;
	unsigned verifies; /* in flight */
	unsigned directed;
	unsigned broadcasts;
	uint8_t busy[MESHMSG_NODE_LAST / 8 + 1]; /* a bit a helper with a directed request */
};

static bool is_member_id(uint16_t id)
{
	return id <= MESHMSG_NODE_LAST;
}

static void note_directed(struct look *l, const struct job *job)
{
	l->directed++;
	if (is_member_id(job->helper))
		l->busy[job->helper / 8] |= (uint8_t)(1u << job->helper % 8);
}

static struct look look_at(
	const struct schedule *s, struct job *const *jobs, size_t count, uint64_t now_ms)
{
	struct look l = {.s = s, .jobs = jobs, .count = count, .now_ms = now_ms};

	for (size_t i = 0; i < count; i++) {
		const struct job *job = jobs[i];

		if (!job->in_flight)
			continue;
		if (job->state == JOB_SAVED)
			l.verifies++;
		else if (job->method == JOB_METHOD_DIRECTED)
			note_directed(&l, job);
		else if (job->method == JOB_METHOD_BROADCAST && !job_is_direct_only(job))
			l.broadcasts++;
	}
	return l;
}

/* One operation per helper at a time: a busy one drops the next request silently (§4.6 step 3). An
 * asset, which is asked to remove itself, helps nobody. */
static bool helper_busy(void *ctx, uint16_t id)
{
	const struct look *l = ctx;

	return is_member_id(id) && (l->busy[id / 8] >> id % 8 & 1);
}

/* A node whose key we have not, in a mesh that we can tell: in turns with our own radio. */
static bool is_told(const struct look *l, const struct job *job)
{
	bool near = job_in_range(job, l->now_ms) && l->s->radio_free;

	return job_is_direct_only(job) && job->reachable && (!near || job->tries % 2 == 1);
}

/* By our own radio: unless that failed twice in a row while there is another way. */
static bool direct_is_better(const struct look *l, const struct job *job)
{
	if (!job_in_range(job, l->now_ms) || is_told(l, job))
		return false;
	if ((!l->s->attached && !l->s->opening) || job_is_direct_only(job))
		return true;
	return job->ear_rssi >= SCHEDULE_RSSI_MIN && job->link_fails < 2;
}

static bool is_unseen(const struct look *l, const struct job *job)
{
	return job_is_asking(job) && !job_is_direct_only(job) && !direct_is_better(l, job) &&
	       !job_best_helper(job, l->now_ms, NULL, NULL);
}

/* Before it is given up everybody is asked: helpers that see it may just have no link to spare, and
 * somebody who hears it less well has (fleet-baseline). */
static bool is_last_try(const struct job *job)
{
	return job->silent + 1 == JOB_SILENT_MAX;
}

/* The longest waiting goes first; equals keep their order. */
static bool goes_before(const struct job *a, const struct job *b)
{
	if (!b || a->tries != b->tries)
		return !b || a->tries < b->tries;
	return a->next_try_ms < b->next_try_ms;
}

static struct job *find_timer(const struct look *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct job *job = l->jobs[i];

		if (job_is_over(job->state))
			continue;
		if (l->now_ms >= job->expires_ms)
			return job;
		if (job->in_flight && l->now_ms >= job->deadline_ms)
			return job;
	}
	return NULL;
}

/* An asset is asked by our own radio, all others through the mesh. */
static bool can_verify(const struct look *l, const struct job *job)
{
	if (job_is_asset(job))
		return l->s->radio_free && job_in_range(job, l->now_ms);
	return l->s->attached;
}

static struct job *find_verify(const struct look *l)
{
	struct job *best = NULL;

	if (l->verifies >= SCHEDULE_VERIFIES_MAX)
		return NULL;
	for (size_t i = 0; i < l->count; i++) {
		struct job *job = l->jobs[i];

		if (job->state == JOB_SAVED && job_is_due(job, l->now_ms) && can_verify(l, job) &&
			goes_before(job, best))
			best = job;
	}
	return best;
}

/* A member is asked through the mesh first, then in turns; by our own radio if that is all. */
static enum schedule_do removal_way(const struct look *l, const struct job *job)
{
	bool near = job_in_range(job, l->now_ms) && l->s->radio_free;

	if (l->s->attached && (job->tries % 2 == 0 || !near) &&
		!helper_busy((void *)l, job->node_id))
		return SCHEDULE_DIRECTED;
	return near ? SCHEDULE_DIRECT : SCHEDULE_SLEEP;
}

static struct schedule_pick find_removal(const struct look *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct job *job = l->jobs[i];
		enum schedule_do way;

		if (job->state != JOB_REMOVING || !job_is_due(job, l->now_ms))
			continue;
		way = removal_way(l, job);
		if (way != SCHEDULE_SLEEP)
			return (struct schedule_pick){
				.what = way, .job = job, .helper = job->node_id};
	}
	return (struct schedule_pick){.what = SCHEDULE_SLEEP};
}

static struct job *find_direct(const struct look *l)
{
	struct job *best = NULL;

	if (!l->s->radio_free)
		return NULL;
	for (size_t i = 0; i < l->count; i++) {
		struct job *job = l->jobs[i];

		if (job_is_asking(job) && job_is_due(job, l->now_ms) && direct_is_better(l, job) &&
			goes_before(job, best))
			best = job;
	}
	return best;
}

/* The node finds its own serial in it, nobody else its key: it takes no helper's time. */
static struct job *find_told(const struct look *l)
{
	struct job *best = NULL;

	for (size_t i = 0; i < l->count; i++) {
		struct job *job = l->jobs[i];

		if (job_is_asking(job) && job_is_due(job, l->now_ms) && is_told(l, job) &&
			goes_before(job, best))
			best = job;
	}
	return best;
}

/* While a broadcast runs it has parked half of the members (fleet-baseline): they would not take a
 * directed request. */
static struct schedule_pick find_directed(struct look *l)
{
	struct schedule_pick p = {.what = SCHEDULE_SLEEP};

	if (!l->s->attached || l->broadcasts > 0)
		return p;
	for (size_t i = 0; i < l->count; i++) {
		struct job *job = l->jobs[i];
		const struct job_helper *h;

		if (!job_is_asking(job) || !job_is_due(job, l->now_ms) || job_is_direct_only(job) ||
			direct_is_better(l, job) || is_last_try(job) || !goes_before(job, p.job))
			continue;
		h = job_best_helper(job, l->now_ms, helper_busy, l);
		if (h) {
			p.what = SCHEDULE_DIRECTED;
			p.job = job;
			p.helper = h->id;
		}
	}
	return p;
}

static bool any_unsurveyed(const struct look *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->jobs[i]->surveyed_ms == 0 && is_unseen(l, l->jobs[i]))
			return true;
	return false;
}

/* Nobody sees it, a survey had its time to change that; or it is seen and silent. */
static bool is_for_all(const struct look *l, const struct job *job)
{
	if (!job_is_asking(job) || job_is_direct_only(job) || direct_is_better(l, job))
		return false;
	if (!is_unseen(l, job))
		return is_last_try(job);
	return job->surveyed_ms != 0 && l->now_ms >= job->surveyed_ms + SCHEDULE_SURVEY_ANSWER_MS;
}

/* The last resort, one at a time and not beside directed ones; after surveys had their chance,
 * which cost the members little. */
static struct job *find_broadcast(const struct look *l)
{
	struct job *best = NULL;

	if (!l->s->attached || l->broadcasts > 0 || l->directed > 0 || any_unsurveyed(l))
		return NULL;
	for (size_t i = 0; i < l->count; i++) {
		struct job *job = l->jobs[i];

		if (job_is_due(job, l->now_ms) && is_for_all(l, job) && goes_before(job, best))
			best = job;
	}
	return best;
}

/* Keeps the list of a survey sorted: asked longest ago first. */
static void survey_insert(struct schedule_pick *p, struct job *job)
{
	size_t i = p->count;

	while (i > 0 && job->surveyed_ms < p->surveyed[i - 1]->surveyed_ms)
		i--;
	if (i >= SCHEDULE_SURVEY_MAX)
		return;
	if (p->count < SCHEDULE_SURVEY_MAX)
		p->count++;
	for (size_t k = p->count - 1; k > i; k--)
		p->surveyed[k] = p->surveyed[k - 1];
	p->surveyed[i] = job;
}

static bool survey_is_due(const struct job *job, uint64_t now_ms)
{
	return job->surveyed_ms == 0 || now_ms >= job->surveyed_ms + SCHEDULE_SURVEY_AGAIN_MS;
}

/* Up to 11 serials that nobody sees; free places are filled, since each survey ends the last. */
static struct schedule_pick find_survey(const struct look *l)
{
	struct schedule_pick p = {.what = SCHEDULE_SLEEP};

	if (!l->s->attached ||
		(l->s->survey_ms != 0 && l->now_ms < l->s->survey_ms + SCHEDULE_SURVEY_GAP_MS))
		return p;
	for (size_t i = 0; i < l->count; i++)
		if (is_unseen(l, l->jobs[i]))
			survey_insert(&p, l->jobs[i]);
	if (p.count == 0 || !survey_is_due(p.surveyed[0], l->now_ms)) {
		p.count = 0;
		return p;
	}
	p.what = SCHEDULE_SURVEY;
	for (size_t i = 0; i < p.count; i++)
		p.serials[i] = p.surveyed[i]->serial;
	return p;
}

static void earlier(const struct look *l, uint64_t *until_ms, uint64_t at_ms)
{
	if (at_ms > l->now_ms && at_ms < *until_ms)
		*until_ms = at_ms;
}

/* What is due already and could not be picked waits for an event, not for time. */
static uint64_t wake_ms(const struct look *l)
{
	uint64_t until_ms = UINT64_MAX;

	for (size_t i = 0; i < l->count; i++) {
		const struct job *job = l->jobs[i];

		if (job_is_over(job->state))
			continue;
		earlier(l, &until_ms, job->expires_ms);
		earlier(l, &until_ms, job->in_flight ? job->deadline_ms : job->next_try_ms);
		if (!l->s->attached || !is_unseen(l, job))
			continue;
		earlier(l, &until_ms, l->s->survey_ms + SCHEDULE_SURVEY_GAP_MS);
		earlier(l, &until_ms, job->surveyed_ms + SCHEDULE_SURVEY_ANSWER_MS);
		earlier(l, &until_ms, job->surveyed_ms + SCHEDULE_SURVEY_AGAIN_MS);
	}
	return until_ms;
}

static struct schedule_pick pick_job(enum schedule_do what, struct job *job)
{
	return (struct schedule_pick){.what = job ? what : SCHEDULE_SLEEP, .job = job};
}

struct schedule_pick schedule_pick(
	const struct schedule *s, struct job *const *jobs, size_t count, uint64_t now_ms)
{
	struct look l = look_at(s, jobs, count, now_ms);
	struct schedule_pick p;

	if ((p = pick_job(SCHEDULE_TIMER, find_timer(&l))).job)
		return p;
	if ((p = pick_job(SCHEDULE_VERIFY, find_verify(&l))).job)
		return p;
	if ((p = find_removal(&l)).job)
		return p;
	if ((p = pick_job(SCHEDULE_DIRECT, find_direct(&l))).job)
		return p;
	if ((p = pick_job(SCHEDULE_BROADCAST, find_told(&l))).job)
		return p;
	if ((p = find_survey(&l)).count > 0)
		return p;
	if ((p = find_directed(&l)).job)
		return p;
	if ((p = pick_job(SCHEDULE_BROADCAST, find_broadcast(&l))).job)
		return p;
	return (struct schedule_pick){.what = SCHEDULE_SLEEP, .until_ms = wake_ms(&l)};
}

void schedule_surveyed(struct schedule *s, const struct schedule_pick *pick, uint64_t now_ms)
{
	uint64_t at_ms = now_ms > 0 ? now_ms : 1;

	s->survey_ms = at_ms;
	for (size_t i = 0; i < pick->count; i++)
		pick->surveyed[i]->surveyed_ms = at_ms;
}
