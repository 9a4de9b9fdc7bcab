#include "core/job.h"

#include <string.h>

#define BACKOFF_SHIFT_MAX 16
#define ASSET_ID_MIN 33000
#define MOVED_MS 1000 /* an asset advertises its new network at once */

static struct job_action act(enum job_do what, bool store)
{
	return (struct job_action){.what = what, .store = store};
}

static struct job_action nothing(void)
{
	return act(JOB_DO_NOTHING, false);
}

/* A session of our own with this node is under way and has to be ended. */
static enum job_do close_if_direct(const struct job *job)
{
	bool direct =
		job->state == JOB_SAVED ? job_is_asset(job) : job->method == JOB_METHOD_DIRECT;

	return direct && job->in_flight ? JOB_DO_CLOSE : JOB_DO_NOTHING;
}

static void land(struct job *job)
{
	job->in_flight = false;
	job->connected = false;
	job->deadline_ms = 0;
}

static void fly(struct job *job, uint64_t now_ms, uint64_t for_ms)
{
	job->in_flight = true;
	job->deadline_ms = now_ms + for_ms;
}

/* 1 s, doubled with every second try, at most five minutes. */
static uint64_t backoff_ms(uint16_t tries)
{
	unsigned shift = tries / 2u;
	uint64_t ms = 1000u;

	if (shift > BACKOFF_SHIFT_MAX)
		shift = BACKOFF_SHIFT_MAX;
	ms <<= shift;
	return ms < JOB_BACKOFF_MAX_MS ? ms : JOB_BACKOFF_MAX_MS;
}

static void bump16(uint16_t *n)
{
	if (*n < UINT16_MAX)
		(*n)++;
}

static void bump8(uint8_t *n)
{
	if (*n < UINT8_MAX)
		(*n)++;
}

/* Enters a state that the job's work ends or goes on in, out of a running attempt or not. */
static struct job_action enter(struct job *job, enum job_state state, enum job_reason reason)
{
	enum job_do what = close_if_direct(job);

	land(job);
	job->state = state;
	job->reason = reason;
	return act(what, true);
}

/* Without success. An asset that was to get another network is enrolled all the same. */
static struct job_action give_up(struct job *job, enum job_state state, enum job_reason reason)
{
	return enter(job, job->task == JOB_TASK_SET_NETWORK ? JOB_JOINED : state, reason);
}

static struct job_action fail(struct job *job, enum job_reason reason)
{
	return give_up(job, JOB_FAILED, reason);
}

/* The attempt is over without result: the next one in delay_ms. A removal keeps its state, and ends
 * unconfirmed after its last try. */
static struct job_action wait(
	struct job *job, enum job_reason reason, uint64_t now_ms, uint64_t delay_ms)
{
	enum job_state state = JOB_WAITING;

	if (job->state == JOB_REMOVING)
		state = job->tries < JOB_REMOVE_TRIES_MAX ? JOB_REMOVING : JOB_UNCONFIRMED;
	job->next_try_ms = now_ms + delay_ms;
	return enter(job, state, reason);
}

static bool is_open(enum job_state state)
{
	return state == JOB_PENDING || state == JOB_LOCATED || state == JOB_SENT ||
	       state == JOB_WAITING;
}

static bool was_seen(const struct job *job, uint64_t now_ms)
{
	return job_in_range(job, now_ms) || job_best_helper(job, now_ms, NULL, NULL);
}

/* --- events -------------------------------------------------------------------------------- */

static struct job_action located(struct job *job, uint64_t now_ms)
{
	if (job->state == JOB_WAITING &&
		(job->reason == JOB_REASON_NOT_SEEN || job->reason == JOB_REASON_NOT_OPEN))
		job->next_try_ms = now_ms; /* worth a try at once, nothing to store */
	if (job->state != JOB_PENDING)
		return nothing();
	job->state = JOB_LOCATED;
	job->reason = JOB_REASON_NONE;
	return act(JOB_DO_NOTHING, true);
}

static struct job_action on_heard(struct job *job, const struct job_event *e, uint64_t now_ms)
{
	job->ear_ms = now_ms > 0 ? now_ms : 1;
	job->ear_rssi = e->rssi;
	job->member = e->member;
	return located(job, now_ms);
}

/* Told once; it waits until it is heard in another state. */
static struct job_action on_unfit(struct job *job, uint64_t now_ms)
{
	if (!is_open(job->state) || job->in_flight || job->reason == JOB_REASON_NOT_OPEN)
		return nothing();
	return wait(job, JOB_REASON_NOT_OPEN, now_ms, 0);
}

/* Its own entry, a free one, or the one that was seen longest ago. */
static struct job_helper *helper_slot(struct job *job, uint16_t id)
{
	struct job_helper *best = &job->helpers[0];

	for (size_t i = 0; i < JOB_HELPERS_MAX; i++)
		if (job->helpers[i].id == id)
			return &job->helpers[i];
	for (size_t i = 0; i < JOB_HELPERS_MAX; i++) {
		struct job_helper *h = &job->helpers[i];

		if (h->id == JOB_HELPER_NONE)
			return h;
		if (h->seen_ms < best->seen_ms)
			best = h;
	}
	return best;
}

static struct job_action on_sighted(struct job *job, const struct job_event *e, uint64_t now_ms)
{
	struct job_helper *h = helper_slot(job, e->helper);

	if (h->id != e->helper)
		*h = (struct job_helper){.id = e->helper};
	h->seen_ms = now_ms > 0 ? now_ms : 1;
	return located(job, now_ms);
}

static struct job_action picked_mesh(struct job *job, const struct job_event *e, uint64_t now_ms)
{
	bump16(&job->attempts);
	job->helper = e->method == JOB_METHOD_DIRECTED ? e->helper : JOB_HELPER_NONE;
	if (job->state == JOB_REMOVING) {
		fly(job, now_ms, JOB_ANSWER_MS);
		return act(JOB_DO_SEND, true);
	}
	job->state = JOB_SENT;
	job->reason = JOB_REASON_NONE;
	job->link_fails = 0;
	fly(job, now_ms, job_is_direct_only(job) ? JOB_ANSWER_MS : job_mesh_ms(job));
	return act(JOB_DO_SEND, true);
}

/* An asset may not be back yet when it is asked first. */
static uint64_t verify_ms(const struct job *job)
{
	if (!job_is_asset(job))
		return JOB_VERIFY_MS;
	return job->tries == 1 ? JOB_VERIFY_ASSET_MS : JOB_CONNECT_MS;
}

static struct job_action on_picked(struct job *job, const struct job_event *e, uint64_t now_ms)
{
	if (!job_is_due(job, now_ms) || (job->state != JOB_SAVED && e->method == JOB_METHOD_NONE))
		return nothing();
	bump16(&job->tries);
	if (job->state == JOB_SAVED) {
		fly(job, now_ms, verify_ms(job));
		return act(JOB_DO_VERIFY, false);
	}
	job->method = e->method;
	if (e->method != JOB_METHOD_DIRECT)
		return picked_mesh(job, e, now_ms);
	job->helper = JOB_HELPER_NONE;
	job->connected = false;
	fly(job, now_ms, JOB_CONNECT_MS);
	return act(JOB_DO_CONNECT, false);
}

static bool flies_direct(const struct job *job)
{
	return job->in_flight && job->method == JOB_METHOD_DIRECT && job->state != JOB_SAVED;
}

static struct job_action on_connected(struct job *job, uint64_t now_ms)
{
	if (!flies_direct(job))
		return nothing();
	bump16(&job->attempts);
	job->refused = 0;
	job->link_fails = 0;
	job->connected = true;
	if (job->state != JOB_REMOVING)
		job->state = JOB_SENT;
	job->reason = JOB_REASON_NONE;
	fly(job, now_ms, JOB_ANSWER_MS);
	return act(JOB_DO_SEND, true);
}

static struct job_action on_refused(struct job *job, uint64_t now_ms)
{
	if (!flies_direct(job))
		return nothing();
	bump8(&job->refused);
	if (job->refused < JOB_REFUSED_MAX)
		return wait(job, JOB_REASON_KEY_REFUSED, now_ms, 1000u * job->refused);
	if (job->state == JOB_REMOVING)
		return enter(job, JOB_UNCONFIRMED, JOB_REASON_KEY_WRONG);
	return fail(job, JOB_REASON_KEY_WRONG);
}

static struct job_action on_no_link(struct job *job, uint64_t now_ms)
{
	if (!flies_direct(job))
		return nothing();
	bump8(&job->link_fails);
	return wait(job, JOB_REASON_NO_LINK, now_ms, backoff_ms(job->tries));
}

/* The request was on its way: the node may have its keys. Directly, give it the time to reboot. */
static struct job_action on_link_lost(struct job *job, uint64_t now_ms)
{
	bool direct = job->method == JOB_METHOD_DIRECT;

	if (!job->in_flight)
		return nothing();
	if (job->state == JOB_SAVED) {
		land(job);
		job->next_try_ms = now_ms + 1000;
		return nothing();
	}
	if (direct)
		bump8(&job->link_fails);
	return wait(job, JOB_REASON_LINK_LOST, now_ms, direct ? JOB_REBOOT_MS : 1000);
}

/* --- answers ------------------------------------------------------------------------------- */

struct code_row {
	uint8_t code;
	bool retry;
	enum job_reason reason;
};

static const struct code_row codes[] = {
	{0x00, false, JOB_REASON_NONE},
	{0x01, true, JOB_REASON_BUSY},
	{0x02, false, JOB_REASON_STORAGE},
	{0x03, false, JOB_REASON_STORAGE},
	{0x04, true, JOB_REASON_LOCKED},
	{0x05, false, JOB_REASON_STORAGE},
	{0x06, false, JOB_REASON_STORAGE},
	{0x10, false, JOB_REASON_OTHER_ENROLLMENT},
	{0x11, true, JOB_REASON_PREENROLLMENT},
	{0x12, false, JOB_REASON_SIG_CONFIGURATION},
	{0x13, false, JOB_REASON_NODE_ID},
};

static const struct code_row *code_find(uint8_t code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return &codes[i];
	return NULL;
}

static struct job_action on_code(struct job *job, uint64_t now_ms)
{
	const struct code_row *row = code_find(job->code);
	enum job_reason reason = row ? row->reason : JOB_REASON_UNKNOWN_CODE;

	job->silent = 0;
	bump8(&job->codes);
	if (job->state == JOB_REMOVING || (row && row->retry && job->codes < JOB_CODE_RETRY_MAX))
		return wait(job, reason, now_ms, JOB_REBOOT_MS * job->codes);
	return fail(job, reason);
}

static struct job_action on_removal_answer(
	struct job *job, const struct job_event *e, uint64_t now_ms)
{
	if (!e->removal && e->code != 0x11) /* a failed pre-enrollment answers as enrollment */
		return nothing();
	job->code = e->code;
	if (e->code != 0)
		return job->in_flight ? on_code(job, now_ms) : nothing();
	return enter(job, JOB_REMOVED, JOB_REASON_NONE);
}

/* Late answers count too. One to a request that we never sent does not: it is not about our keys.
 */
static struct job_action on_answer(struct job *job, const struct job_event *e, uint64_t now_ms)
{
	struct job_action a;

	if (job->state == JOB_REMOVING)
		return on_removal_answer(job, e, now_ms);
	if (e->removal || !is_open(job->state) || job->attempts == 0 ||
		e->moved != (job->task == JOB_TASK_SET_NETWORK))
		return nothing();
	job->code = e->code;
	if (e->code != 0)
		return e->moved ? fail(job, JOB_REASON_NOT_ASSET) : on_code(job, now_ms);
	a = enter(job, JOB_SAVED, JOB_REASON_NONE);
	job->tries = 0;
	job->silent = 0;
	job->codes = 0;
	job->next_try_ms = now_ms + (e->moved ? MOVED_MS : JOB_REBOOT_MS);
	return a;
}

static struct job_action on_info(struct job *job, const struct job_event *e)
{
	if (job->state != JOB_SAVED)
		return nothing();
	if (e->serial != job->serial)
		return fail(job, JOB_REASON_ID_TAKEN);
	job->tries = 0;
	return enter(job, JOB_JOINED, JOB_REASON_NONE);
}

/* --- time ---------------------------------------------------------------------------------- */

static struct job_action on_expired(struct job *job)
{
	enum job_reason reason = job->reason;

	if (job->task == JOB_TASK_SET_NETWORK)
		return fail(job, JOB_REASON_NOT_MOVED);
	if (job->state == JOB_SAVED)
		return fail(job, JOB_REASON_NEVER_JOINED);
	if (reason == JOB_REASON_NONE)
		reason = job->attempts > 0 ? JOB_REASON_NO_ANSWER : JOB_REASON_NOT_SEEN;
	return enter(job, JOB_EXPIRED, reason);
}

static struct job_action on_verify_silence(struct job *job, uint64_t now_ms)
{
	bool tell = job->tries >= 3 && job->reason != JOB_REASON_NOT_JOINED;
	enum job_do what = close_if_direct(job);

	land(job);
	if (tell)
		job->reason = JOB_REASON_NOT_JOINED;
	job->next_try_ms = now_ms + backoff_ms(job->tries);
	return act(what, tell);
}

/* What it saw is used up: it may be gone, or have no link to spare. It is asked once more when it
 * says anew that it sees the node, and with nobody left a survey finds out at once. */
static void blame_helper(struct job *job, uint64_t now_ms)
{
	if (job->helper == JOB_HELPER_NONE)
		return;
	for (size_t i = 0; i < JOB_HELPERS_MAX; i++) {
		if (job->helpers[i].id != job->helper)
			continue;
		bump8(&job->helpers[i].fails);
		job->helpers[i].seen_ms = 0;
	}
	if (!job_best_helper(job, now_ms, NULL, NULL))
		job->surveyed_ms = 0;
}

/* No answer in time. Directly it is a bad link; over the mesh it is either of many things, or a
 * wrong key: told by asking often while the node is seen. */
static struct job_action on_silence(struct job *job, uint64_t now_ms)
{
	bool seen = was_seen(job, now_ms);

	if (job->state == JOB_SAVED)
		return on_verify_silence(job, now_ms);
	if (job->method == JOB_METHOD_DIRECT && !job->connected)
		return on_no_link(job, now_ms);
	if (job->state != JOB_REMOVING && seen) {
		bump8(&job->silent);
		if (job->silent >= JOB_SILENT_MAX)
			return fail(job, JOB_REASON_SILENT);
	}
	blame_helper(job, now_ms);
	return wait(job,
		seen || job->state == JOB_REMOVING ? JOB_REASON_NO_ANSWER : JOB_REASON_NOT_SEEN,
		now_ms, backoff_ms(job->tries));
}

static struct job_action on_timer(struct job *job, uint64_t now_ms)
{
	if ((is_open(job->state) || job->state == JOB_SAVED) && now_ms >= job->expires_ms)
		return on_expired(job);
	if (job->state == JOB_REMOVING && now_ms >= job->expires_ms)
		return enter(job, JOB_UNCONFIRMED, JOB_REASON_NO_ANSWER);
	if (job->in_flight && now_ms >= job->deadline_ms)
		return on_silence(job, now_ms);
	return nothing();
}

static struct job_action on_cancel(struct job *job)
{
	if (job->task == JOB_TASK_SET_NETWORK && (is_open(job->state) || job->state == JOB_SAVED))
		return give_up(job, JOB_CANCELLED, JOB_REASON_STOPPED);
	if (!is_open(job->state))
		return nothing();
	return enter(job, JOB_CANCELLED, JOB_REASON_NONE);
}

static struct job_action on_remove(struct job *job, uint64_t now_ms)
{
	if (job->state == JOB_REMOVING || job->state == JOB_REMOVED)
		return nothing();
	job->task = JOB_TASK_ENROLL;
	job->tries = 0;
	job->codes = 0;
	job->refused = 0;
	job->next_try_ms = now_ms;
	job->expires_ms = now_ms + JOB_REMOVE_MS;
	return enter(job, job->attempts > 0 ? JOB_REMOVING : JOB_REMOVED, JOB_REASON_NONE);
}

static struct job_action on_set_network(struct job *job, const struct job_event *e, uint64_t now_ms)
{
	if (job->state != JOB_JOINED || !job_is_asset(job))
		return nothing();
	job->task = JOB_TASK_SET_NETWORK;
	job->preferred_network = e->network;
	job->tries = 0;
	job->silent = 0;
	job->refused = 0;
	job->codes = 0;
	job->next_try_ms = now_ms;
	job->expires_ms = e->expires_ms;
	return enter(job, JOB_PENDING, JOB_REASON_NONE);
}

struct job_action job_step(struct job *job, const struct job_event *e, uint64_t now_ms)
{
	switch (e->type) {
	case JOB_EVENT_HEARD:
		return on_heard(job, e, now_ms);
	case JOB_EVENT_UNFIT:
		return on_unfit(job, now_ms);
	case JOB_EVENT_SIGHTED:
		return on_sighted(job, e, now_ms);
	case JOB_EVENT_PICKED:
		return on_picked(job, e, now_ms);
	case JOB_EVENT_CONNECTED:
		return on_connected(job, now_ms);
	case JOB_EVENT_REFUSED:
		return on_refused(job, now_ms);
	case JOB_EVENT_NO_LINK:
		return on_no_link(job, now_ms);
	case JOB_EVENT_LINK_LOST:
		return on_link_lost(job, now_ms);
	case JOB_EVENT_ANSWER:
		return on_answer(job, e, now_ms);
	case JOB_EVENT_INFO:
		return on_info(job, e);
	case JOB_EVENT_TIMER:
		return on_timer(job, now_ms);
	case JOB_EVENT_CANCEL:
		return on_cancel(job);
	case JOB_EVENT_REMOVE:
		return on_remove(job, now_ms);
	case JOB_EVENT_SET_NETWORK:
		return on_set_network(job, e, now_ms);
	case JOB_EVENT_COUNT:
		break;
	}
	return nothing();
}

void job_restore(struct job *job, uint64_t now_ms)
{
	land(job);
	job->link_fails = 0;
	job->surveyed_ms = 0;
	job->ear_ms = 0;
	job->ear_rssi = 0;
	job->member = false;
	job->reachable = false;
	job->has_session = false;
	memset(job->helpers, 0, sizeof(job->helpers));
	if (job->state == JOB_SENT || job->state == JOB_SAVED || job->state == JOB_REMOVING)
		job->next_try_ms = now_ms;
	if (job->next_try_ms > now_ms + JOB_BACKOFF_MAX_MS)
		job->next_try_ms = now_ms + JOB_BACKOFF_MAX_MS;
}

/* --- questions ----------------------------------------------------------------------------- */

bool job_is_over(enum job_state state)
{
	return !is_open(state) && state != JOB_SAVED && state != JOB_REMOVING;
}

bool job_is_asking(const struct job *job)
{
	return is_open(job->state);
}

bool job_is_due(const struct job *job, uint64_t now_ms)
{
	return !job->in_flight && !job->has_session && !job_is_over(job->state) &&
	       now_ms >= job->next_try_ms;
}

bool job_is_asset(const struct job *job)
{
	return job->node_id >= ASSET_ID_MIN;
}

bool job_is_direct_only(const struct job *job)
{
	return (job->keyless && !job->member) || job->task == JOB_TASK_SET_NETWORK;
}

bool job_in_range(const struct job *job, uint64_t now_ms)
{
	return job->ear_ms != 0 && now_ms < job->ear_ms + JOB_EAR_MS;
}

static bool helper_better(const struct job_helper *a, const struct job_helper *b)
{
	if (!b || a->fails != b->fails)
		return !b || a->fails < b->fails;
	return a->seen_ms > b->seen_ms;
}

const struct job_helper *job_best_helper(
	const struct job *job, uint64_t now_ms, bool (*skip)(void *ctx, uint16_t id), void *ctx)
{
	const struct job_helper *best = NULL;

	for (size_t i = 0; i < JOB_HELPERS_MAX; i++) {
		const struct job_helper *h = &job->helpers[i];

		if (h->seen_ms == 0 || now_ms >= h->seen_ms + JOB_SIGHTING_MS)
			continue;
		if (helper_better(h, best) && !(skip && skip(ctx, h->id)))
			best = h;
	}
	return best;
}

uint64_t job_mesh_ms(const struct job *job)
{
	return 1000u * ((uint64_t)job->timeout_s + 4u + 1u);
}
