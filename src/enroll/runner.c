/* The runner's life, its one loop, and the way of a transition: step, store, commit, do. */
#include "enroll/runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "enr/meshadv.h"
#include "enr/serial.h"
#include "enroll/batch.h"
#include "enroll/runner_room.h"
#include "store/nodes.h"
#include "store/times.h"

#define PICKS_MAX 10000 /* in one turn of one network; a guard, never reached */

uint64_t runner_now(struct runner *r)
{
	return r->base_service_ms + (timers_now(r->config.timers) - r->base_timer_ms);
}

void runner_kick(struct runner *r)
{
	r->kicked = true;
	if (r->started)
		timer_arm(r->config.timers, &r->timer, 0);
}

static void read_clock(const struct runner *r, struct clock_now *out)
{
	memset(out, 0, sizeof(*out));
	if (r->config.clock)
		r->config.clock(r->config.ctx, out);
	else if (clock_read(out) != ERR_OK)
		log_warn("clock_failed");
}

static uint64_t wall_s(const struct runner *r)
{
	struct clock_now now;

	read_clock(r, &now);
	return now.wall_s;
}

/* --- transitions ----------------------------------------------------------------------------- */

/* What waits for a commit. The entry is found again by its serial: it may be gone by then. */
struct pending {
	struct runner *runner;
	uint32_t serial;
	enum job_do what;
	struct nodes_event event;
};

static void perform(struct entry *en, enum job_do what)
{
	switch (what) {
	case JOB_DO_NOTHING:
		break;
	case JOB_DO_CONNECT:
		direct_connect(en);
		break;
	case JOB_DO_SEND:
		if (en->job.in_flight && en->job.method == JOB_METHOD_DIRECT)
			direct_send(en);
		else if (en->job.in_flight)
			overmesh_send(en);
		break;
	case JOB_DO_VERIFY:
		verify_send(en);
		break;
	case JOB_DO_CLOSE:
		direct_close(en);
		break;
	}
}

static void log_event(const struct nodes_event *e)
{
	char serial[SERIAL_TEXT_SIZE];

	serial_print(e->serial, serial);
	log_info("node serial=%s network=%u node_id=%u state=%s reason=%s method=%s attempts=%u",
		serial, e->network_id, e->node_id, job_state_name(e->state),
		job_reason_name(e->reason), job_method_name(e->method), e->attempts);
}

static void publish(const struct runner *r, const struct nodes_event *e)
{
	log_event(e);
	if (r->config.on_event)
		r->config.on_event(r->config.ctx, e);
}

static struct nodes_event event_of(const struct job *job, uint16_t network_id, uint64_t at)
{
	return (struct nodes_event){.serial = job->serial,
		.network_id = network_id,
		.node_id = job->node_id,
		.state = job->state,
		.method = job->method,
		.reason = job->reason,
		.helper = job->helper,
		.code = job->code,
		.attempts = job->attempts,
		.at = at};
}

static bool storage_pauses(struct runner *r)
{
	return runner_now(r) < r->storage_until_ms;
}

/* One line when it begins, however often it is tried. */
static void pause_storage(struct runner *r, enum err e)
{
	if (!r->storage_fails)
		log_err("store_failed error=\"%s\"", err_text(e));
	r->storage_fails = true;
	r->storage_until_ms = runner_now(r) + RUNNER_STORAGE_MS;
}

/* The store has refused: it is the truth, the table follows. */
static void recover(struct runner *r, uint32_t serial, enum err e)
{
	struct node_row row;
	struct entry *en;

	if (e != ERR_STATE && e != ERR_EXPIRED)
		pause_storage(r, e);
	e = runner_refresh(r, serial, &row);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		pause_storage(r, e);
	en = runner_find(r, serial);
	if (en && !en->job.in_flight) /* what was to be done after the commit */
		direct_close(en);
	runner_kick(r);
}

static bool changes_fleet(enum job_state state)
{
	return state == JOB_SAVED || state == JOB_JOINED || state == JOB_REMOVED;
}

static void on_committed(void *arg, enum err committed)
{
	struct pending *p = arg;
	struct runner *r = p->runner;
	struct entry *en = runner_find(r, p->serial);

	if (committed != ERR_OK) {
		recover(r, p->serial, committed);
	} else {
		r->storage_fails = false;
		publish(r, &p->event);
		if (en)
			perform(en, p->what);
		if (en && changes_fleet(p->event.state))
			overmesh_count_changed(en->net);
		runner_kick(r);
	}
	free(p);
}

/* Inside the open request. Steps again: entering it may have ended the batch before, and with that
 * changed the job. */
static enum err step_and_keep(struct entry *en, const struct job_event *event, struct pending *p)
{
	struct runner *r = en->runner;
	struct nodes_moment at = {runner_now(r), wall_s(r)};
	enum job_state was = en->job.state;
	struct job next = en->job;
	struct job_action action = job_step(&next, event, at.now_ms);
	enum err e = ERR_OK;

	if (action.store)
		e = nodes_keep(r->config.store, en->net->id, &next, was, NULL, &at);
	if (e != ERR_OK)
		return e;
	en->job = next;
	*p = (struct pending){r, next.serial, action.what, event_of(&next, en->net->id, at.wall_s)};
	return ERR_OK;
}

static enum err keep_then_do(struct entry *en, const struct job_event *event)
{
	struct batch *batch = en->runner->config.batch;
	struct pending *p = calloc(1, sizeof(*p));
	enum err e = p ? batch_enter(batch) : ERR_NOMEM;

	if (e == ERR_OK)
		e = batch_leave(batch, step_and_keep(en, event, p));
	if (e == ERR_OK)
		e = batch_after(batch, on_committed, p);
	if (e != ERR_OK)
		free(p);
	return e;
}

static bool is_heard(enum job_event_type type)
{
	return type == JOB_EVENT_HEARD || type == JOB_EVENT_UNFIT || type == JOB_EVENT_SIGHTED;
}

/* Who was heard, and by whom, needs no disk; the state that follows from it does, and comes with
 * the next time. */
static void hear_only(struct entry *en, const struct job *next, enum job_event_type type)
{
	enum job_state state = en->job.state;
	enum job_reason reason = en->job.reason;

	if (type == JOB_EVENT_UNFIT)
		return;
	en->job = *next;
	en->job.state = state;
	en->job.reason = reason;
}

void runner_apply(struct entry *en, const struct job_event *event)
{
	struct runner *r = en->runner;
	uint32_t serial = en->job.serial;
	struct job next = en->job;
	struct job_action action = job_step(&next, event, runner_now(r));
	enum err e;

	if (!action.store) {
		en->job = next;
		perform(en, action.what);
		return;
	}
	if (storage_pauses(r) && is_heard(event->type)) {
		hear_only(en, &next, event->type);
		return;
	}
	e = keep_then_do(en, event);
	if (e != ERR_OK)
		recover(r, serial, e);
}

/* --- the loop -------------------------------------------------------------------------------- */

static struct entry *entry_of(struct job *job)
{
	return (struct entry *)job; /* its first member */
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

static void do_pick(struct net *net, const struct schedule_pick *p)
{
	struct job_event e = {
		.type = p->what == SCHEDULE_TIMER ? JOB_EVENT_TIMER : JOB_EVENT_PICKED,
		.method = method_of(p->what),
		.helper = p->helper};

	if (p->what == SCHEDULE_SURVEY)
		overmesh_survey(net, p);
	else if (p->what != SCHEDULE_DIRECT || !attach_give_way(net->runner, p->job->serial))
		runner_apply(entry_of(p->job), &e);
}

bool runner_may_connect(const struct runner *r)
{
	unsigned attempts = direct_attempts(r);

	for (const struct net *net = r->nets; net; net = net->next)
		attempts += attach_is_opening(net);
	return attempts < RUNNER_ATTEMPTS_MAX;
}

/* Each network keeps a connection for its gateway node; one is left for nodes whatever happens. A
 * session that gives way may do so for the job that would be picked again now. */
static bool radio_free(const struct runner *r)
{
	unsigned left = LINK_CONNECTIONS_MAX;

	for (const struct net *net = r->nets; net; net = net->next) {
		if (net->gives_way)
			return false;
		left -= left > 1;
	}
	if (left > RUNNER_DIRECTS_MAX)
		left = RUNNER_DIRECTS_MAX;
	return r->adapter && direct_count(r) < left && runner_may_connect(r);
}

static void look_around(struct net *net)
{
	net->schedule.attached = attach_is_open(net);
	net->schedule.opening = attach_is_opening(net);
	net->schedule.radio_free = radio_free(net->runner);
	for (size_t i = 0; i < net->job_count; i++) {
		const struct entry *en = entry_of(net->jobs[i]);

		net->jobs[i]->reachable = overmesh_other(en) != NULL;
		net->jobs[i]->has_session = en->session != NULL;
	}
}

static uint64_t run_net(struct runner *r, struct net *net, uint64_t now_ms)
{
	struct schedule_pick p = {.until_ms = UINT64_MAX};

	for (int i = 0; i < PICKS_MAX && now_ms >= r->storage_until_ms; i++) {
		look_around(net);
		p = schedule_pick(&net->schedule, net->jobs, net->job_count, now_ms);
		if (p.what == SCHEDULE_SLEEP)
			return p.until_ms;
		do_pick(net, &p);
	}
	return r->storage_until_ms > now_ms ? r->storage_until_ms : now_ms + 1;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void on_timer(void *arg)
{
	struct runner *r = arg;
	uint64_t now_ms = runner_now(r), until_ms = UINT64_MAX;

	r->kicked = false;
	runner_reap(r);
	attach_note_jobs(r);
	/* All gateway nodes first: one network's jobs would take each connection that gets free. */
	for (struct net *net = r->nets; net; net = net->next)
		until_ms = earlier(until_ms, attach_step(net, now_ms));
	for (struct net *net = r->nets; net; net = net->next)
		until_ms = earlier(until_ms, run_net(r, net, now_ms));
	if (!r->kicked && until_ms != UINT64_MAX) /* else it is armed for at once */
		timer_arm(r->config.timers, &r->timer, until_ms > now_ms ? until_ms - now_ms : 0);
}

/* --- what comes from outside ------------------------------------------------------------------ */

/* Would it open for us? With its key always; without, only in the state that its job is for, or
 * once it has our own network's key. */
static bool is_fit(const struct entry *en, const struct meshadv *adv)
{
	if (!en->job.keyless || en->advert_ours)
		return true;
	if (en->nearby)
		return !adv->is_enrolled && adv->is_zero_key_connectable;
	if (en->from_network == NODE_FROM_ANY)
		return adv->is_enrolled && runner_net(en->runner, adv->network_id);
	return adv->is_enrolled && adv->network_id == en->from_network;
}

/* Where its job wants it. */
static uint16_t wanted_network(const struct entry *en)
{
	return en->job.task == JOB_TASK_SET_NETWORK ? en->job.preferred_network : en->net->id;
}

static void heard_node(
	struct entry *en, const struct link_advert *advert, const struct meshadv *adv)
{
	struct runner *r = en->runner;
	bool was = job_in_range(&en->job, runner_now(r));
	struct job_event e = {.type = JOB_EVENT_HEARD,
		.rssi = advert->rssi_dbm == LINK_RSSI_UNKNOWN ? 0 : advert->rssi_dbm};

	en->addr = advert->addr;
	en->advert_joined = adv->is_enrolled && adv->network_id == wanted_network(en);
	en->advert_network = adv->is_enrolled ? adv->network_id : 0;
	en->advert_ours =
		adv->is_enrolled && en->job.attempts > 0 &&
		(adv->network_id == en->net->id || adv->network_id == en->job.preferred_network);
	e.member = en->advert_ours && adv->network_id == en->net->id;
	if (!advert->connectable)
		return;
	if (!is_fit(en, adv))
		e.type = JOB_EVENT_UNFIT;
	runner_apply(en, &e);
	if (!was)
		runner_kick(r);
}

static void on_advert(void *arg, const struct link_advert *advert)
{
	struct runner *r = arg;
	struct meshadv adv;
	struct entry *en;
	struct net *net;

	if (meshadv_decode_value(advert->service_data.p, advert->service_data.n, &adv) != ERR_OK)
		return;
	en = runner_find(r, adv.serial_index);
	if (en)
		heard_node(en, advert, &adv);
	net = adv.is_enrolled ? runner_net(r, adv.network_id) : NULL;
	if (net && advert->connectable && adv.device_type != MESHADV_DEVICE_ASSET)
		attach_on_advert(net, advert, &adv);
}

void runner_on_adapter(struct runner *r, bool ready)
{
	r->adapter = ready;
	runner_kick(r);
}

/* Inside control's transaction: remember what it touched until it has ended. */
static void on_changed(void *ctx, const struct node_row *row)
{
	struct runner *r = ctx;

	if (!row) {
		r->nets_dirty = true;
		return;
	}
	if (r->dirty_count == r->dirty_cap) {
		size_t cap = r->dirty_cap ? 2 * r->dirty_cap : 64;
		uint32_t *p = realloc(r->dirty, cap * sizeof(*p));

		if (!p) {
			log_err("out_of_memory job_found_at=restart");
			return;
		}
		r->dirty = p;
		r->dirty_cap = cap;
	}
	r->dirty[r->dirty_count++] = row->job.serial;
}

static void take_change(struct runner *r, uint32_t serial, bool committed)
{
	struct node_row row;
	struct nodes_event event;
	enum err e = runner_refresh(r, serial, &row);

	if (e != ERR_OK) {
		if (e != ERR_NOT_FOUND)
			log_err("store_failed error=\"%s\"", err_text(e));
		return;
	}
	event = event_of(&row.job, row.network_id, row.changed_at);
	if (committed)
		publish(r, &event);
}

static void on_batch_end(void *arg, enum err committed)
{
	struct runner *r = arg;
	size_t n = r->dirty_count;

	if (r->nets_dirty && runner_load_nets(r) != ERR_OK)
		log_err("networks_not_read");
	r->nets_dirty = false;
	for (size_t i = 0; i < n; i++)
		take_change(r, r->dirty[i], committed == ERR_OK);
	r->dirty_count = 0;
	runner_kick(r);
}

/* --- life ------------------------------------------------------------------------------------- */

static enum err begin_time(struct runner *r)
{
	struct svctime earlier, t;
	struct clock_now now;
	enum err e = times_get(r->config.store, &earlier);

	if (e != ERR_OK)
		return e;
	read_clock(r, &now);
	(void)svctime_advance(&earlier, &now, &t);
	r->base_service_ms = t.service_ms;
	r->base_timer_ms = timers_now(r->config.timers);
	return ERR_OK;
}

enum err runner_new(const struct runner_config *c, struct runner **out)
{
	struct runner *r = calloc(1, sizeof(*r));
	enum err e;

	if (!r)
		return ERR_NOMEM;
	r->config = *c;
	timer_init(&r->timer, on_timer, r);
	e = begin_time(r);
	if (e == ERR_OK)
		e = runner_load(r);
	if (e != ERR_OK) {
		runner_table_free(r);
		free(r);
		return e;
	}
	*out = r;
	return ERR_OK;
}

enum err runner_start(struct runner *r)
{
	enum err e = mesh_listen(r->config.mesh, on_advert, r);

	if (e == ERR_OK)
		e = batch_on_end(r->config.batch, on_batch_end, r);
	if (e != ERR_OK)
		return e;
	nodes_set_hook(r->config.nodes, on_changed, r);
	r->adapter = mesh_adapter_ready(r->config.mesh);
	r->started = true;
	mesh_scan_begin(r->config.mesh);
	runner_kick(r);
	return ERR_OK;
}

void runner_free(struct runner *r)
{
	if (!r)
		return;
	nodes_set_hook(r->config.nodes, NULL, NULL);
	timer_cancel(r->config.timers, &r->timer);
	runner_table_free(r);
	free(r->dirty);
	free(r);
}
