/* The tasks' life, their clock, what reaches them, and the one that sets the number of nodes. */
#include "enroll/meshops.h"

#include <stdlib.h>

#include "base/log.h"
#include "enr/serial.h"
#include "enroll/audit.h"
#include "enroll/batch.h"
#include "enroll/meshops_room.h"
#include "enroll/nodes_room.h"
#include "mesh/mesh.h"
#include "store/networks.h"

bool meshops_is_member_id(uint16_t node_id)
{
	return node_id >= NODE_ID_MIN && node_id <= NODE_ID_MAX;
}

/* --- which network --------------------------------------------------------------------------- */

static enum err find_network(struct meshops *m, uint16_t *id, struct reason *why)
{
	struct network_row row;
	unsigned count;
	enum err e;

	if (*id != 0) {
		e = store_networks_get(m->config.store, *id, &row);
		return e == ERR_NOT_FOUND ? nodes_refuse(why, e, NULL, "no such network")
					  : nodes_explain(why, e);
	}
	e = store_networks_only(m->config.store, id, &count);
	if (e != ERR_OK)
		return nodes_explain(why, e);
	if (count == 0)
		return nodes_refuse(why, ERR_NOT_FOUND, NULL, "there is no network yet");
	if (count > 1)
		return nodes_refuse(why, ERR_INVALID, "network_id",
			"there are several networks: say which one");
	return ERR_OK;
}

static enum err check_attached(struct meshops *m, uint16_t id, struct reason *why)
{
	struct runner_link link;

	runner_note_question(m->config.runner, id);
	if (runner_link(m->config.runner, id, &link))
		return ERR_OK;
	reason_set(why, NULL,
		"no gateway node of network %u is attached: try again in a minute, or bring a "
		"powered member of it into radio range; enrollctl status shows the link",
		id);
	return ERR_BUSY;
}

/* Whoever only looks cannot keep an administrator from acting. */
static bool has_place(const struct meshops *m, const struct caller *who)
{
	unsigned kept = who->role >= ROLE_ADMIN ? 0 : MESHOPS_TASKS_ADMIN;

	return m->count < MESHOPS_TASKS_MAX - kept;
}

static enum err check_asker(struct meshops *m, const struct meshops_asker *asker,
	uint32_t timeout_s, uint16_t *id, struct reason *why)
{
	enum err e = nodes_need(asker->who, ROLE_OBSERVER, why);

	*id = asker->network_id;
	if (e == ERR_OK)
		e = find_network(m, id, why);
	if (e == ERR_OK)
		e = check_attached(m, *id, why);
	if (e != ERR_OK)
		return e;
	if (timeout_s == 0 || timeout_s > MESHOPS_TIMEOUT_S_MAX)
		return nodes_refuse(why, ERR_RANGE, "timeout_s", "must be 1 to 3600 seconds");
	if (!has_place(m, asker->who))
		return nodes_refuse(why, ERR_BUSY, NULL,
			"too many questions to the mesh at once: try again when one has ended");
	return ERR_OK;
}

/* --- tasks ------------------------------------------------------------------------------------ */

uint64_t task_now(const struct meshops_task *t)
{
	return timers_now(t->m->config.timers);
}

static void on_tick(void *arg)
{
	struct meshops_task *t = arg;

	timer_arm(t->m->config.timers, &t->timer, MESHOPS_TICK_MS);
	runner_note_question(t->m->config.runner, t->network_id);
	t->ops->tick(t, task_now(t));
}

enum err task_new(struct meshops *m, const struct meshops_asker *asker,
	const struct meshops_ops *ops, size_t state_bytes, uint32_t timeout_s,
	struct meshops_task **out, struct reason *why)
{
	struct meshops_task *t;
	uint16_t id;
	enum err e = check_asker(m, asker, timeout_s, &id, why);

	if (e != ERR_OK)
		return e;
	t = calloc(1, sizeof(*t));
	if (t)
		t->state = calloc(1, state_bytes);
	if (!t || !t->state) {
		free(t);
		reason_set(why, NULL, "%s", err_text(ERR_NOMEM));
		return ERR_NOMEM;
	}
	t->m = m;
	t->ops = ops;
	t->fn = asker->fn;
	t->arg = asker->arg;
	t->network_id = id;
	t->start_ms = task_now(t);
	t->end_ms = t->start_ms + 1000ull * timeout_s;
	timer_init(&t->timer, on_tick, t);
	timer_arm(m->config.timers, &t->timer, 0);
	t->next = m->tasks;
	m->tasks = t;
	m->count++;
	log_debug("question network=%u timeout_s=%u open=%u", id, timeout_s, m->count);
	*out = t;
	return ERR_OK;
}

void task_free(struct meshops_task *t)
{
	struct meshops_task **at = &t->m->tasks;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at) {
		*at = t->next;
		t->m->count--;
	}
	timer_cancel(t->m->config.timers, &t->timer);
	if (t->ops->clear)
		t->ops->clear(t);
	free(t->state);
	free(t);
}

void task_tell(struct meshops_task *t, struct meshops_result *r)
{
	r->network_id = t->network_id;
	t->fn(t->arg, r);
}

void task_end(struct meshops_task *t, struct meshops_result *r)
{
	r->kind = MESHOPS_END;
	task_tell(t, r);
	task_free(t);
}

enum err task_send(const struct meshops_task *t, const struct wr *w)
{
	return runner_send(t->m->config.runner, t->network_id, (struct span){w->p, w->len_bytes});
}

void task_know(const struct meshops_task *t, uint32_t serial, struct node_row *row,
	struct meshops_result *r)
{
	r->serial = serial;
	r->is_ours = serial != SERIAL_INDEX_INVALID &&
		     store_nodes_get(t->m->config.store, serial, row) == ERR_OK;
	r->name = r->is_ours ? row->name : NULL;
	r->state = r->is_ours ? row->job.state : JOB_PENDING;
}

void meshops_cancel(struct meshops_task *t)
{
	if (t->waiting)
		t->cancelled = true;
	else
		task_free(t);
}

/* --- what the runner hears -------------------------------------------------------------------- */

/* A task may end by what it hears, but only itself. */
static void hear(void *arg, const struct runner_heard *heard)
{
	struct meshops *m = arg;
	struct meshops_task *next;
	struct meshmsg msg;

	if (heard->what == RUNNER_CLOSED)
		return; /* until a session comes back, or the task's time is over */
	if (heard->what == RUNNER_MESSAGE &&
		meshmsg_decode(heard->message->p, heard->message->n, &msg) != ERR_OK)
		return;
	for (struct meshops_task *t = m->tasks; t; t = next) {
		next = t->next;
		if (t->network_id != heard->network_id || t->waiting)
			continue;
		if (heard->what == RUNNER_OPENED)
			t->ops->opened(t);
		else
			t->ops->message(t, &msg);
	}
}

struct meshops *meshops_new(const struct meshops_config *c)
{
	struct meshops *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->config = *c;
	runner_on_heard(c->runner, hear, m);
	return m;
}

void meshops_free(struct meshops *m)
{
	if (!m)
		return;
	runner_on_heard(m->config.runner, NULL, NULL);
	while (m->tasks)
		task_free(m->tasks);
	free(m);
}

/* --- set-enrolled-nodes ----------------------------------------------------------------------- */

struct setting {
	uint16_t count;
	bool sent;
	enum err failed; /* the commit */
	unsigned confirmed;
	uint8_t seen[(NODE_ID_MAX + 8) / 8]; /* a bit a member that has confirmed */
};

static void setting_end(struct meshops_task *t, enum err e)
{
	const struct setting *s = t->state;
	struct runner_link link = {0};

	(void)runner_link(t->m->config.runner, t->network_id, &link);
	task_end(t, &(struct meshops_result){.error = e,
			    .count = s->count,
			    .answered = s->confirmed,
			    .expected = link.cluster_size});
}

static void setting_send(struct meshops_task *t)
{
	const struct meshmsg_route route = {.sender = MESH_GATEWAY_ID};
	struct setting *s = t->state;
	uint8_t buf[MESH_MESSAGE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	if (meshmsg_encode_enrolled_nodes(&w, route, MESHMSG_SET_ENROLLED_NODES, s->count) ==
		ERR_OK)
		s->sent = task_send(t, &w) == ERR_OK;
	if (s->sent)
		runner_note_count(t->m->config.runner, t->network_id);
}

static void setting_tick(struct meshops_task *t, uint64_t now_ms)
{
	struct setting *s = t->state;
	struct runner_link link = {0};

	if (t->waiting)
		return;
	if (s->failed != ERR_OK) {
		setting_end(t, s->failed);
		return;
	}
	if (!s->sent)
		setting_send(t);
	(void)runner_link(t->m->config.runner, t->network_id, &link);
	if (s->sent && link.cluster_size > 0 && s->confirmed >= link.cluster_size)
		setting_end(t, ERR_OK);
	else if (now_ms >= t->end_ms)
		setting_end(t, s->sent ? ERR_OK : ERR_CLOSED);
}

static void setting_opened(struct meshops_task *t)
{
	((struct setting *)t->state)->sent = false; /* it may have been lost: once more */
}

/* The answer carries no handle (mesh-protocol §8.4): its count is what tells it from another's. */
static void setting_message(struct meshops_task *t, const struct meshmsg *msg)
{
	struct setting *s = t->state;
	uint16_t count, id = msg->sender;

	if (msg->kind != MESHMSG_ENROLLED_NODES || !meshops_is_member_id(id) || !s->sent ||
		meshmsg_decode_enrolled_nodes(msg, &count) != ERR_OK || count != s->count)
		return;
	s->confirmed += !(s->seen[id / 8] >> id % 8 & 1);
	s->seen[id / 8] |= (uint8_t)(1u << id % 8);
}

static void on_committed(void *arg, enum err committed)
{
	struct meshops_task *t = arg;

	t->waiting = false;
	t->end_ms = task_now(t) + 1000ull * MESHOPS_CONFIRM_S;
	((struct setting *)t->state)->failed = committed;
	if (t->cancelled)
		task_free(t);
	else
		timer_arm(t->m->config.timers, &t->timer, 0);
}

static enum err audit_count(struct meshops *m, const struct meshops_task *t,
	const struct caller *who, const struct clock_now *now)
{
	struct audit a;
	enum err e = batch_enter(m->config.batch);

	if (e != ERR_OK)
		return e;
	audit_start(&a, "enrolled_nodes_set", who);
	audit_u64(&a, "network", t->network_id);
	audit_u64(&a, "count", ((const struct setting *)t->state)->count);
	return batch_leave(m->config.batch, audit_write(&a, m->config.store, now->wall_s));
}

enum err meshops_set_enrolled_nodes(struct meshops *m, const struct meshops_asker *asker,
	const struct clock_now *now, uint16_t count, struct meshops_task **out, struct reason *why)
{
	static const struct meshops_ops ops = {setting_tick, setting_opened, setting_message, NULL};
	struct meshops_task *t = NULL;
	enum err e = nodes_need(asker->who, ROLE_ADMIN, why);

	if (e == ERR_OK)
		e = task_new(m, asker, &ops, sizeof(struct setting), MESHOPS_CONFIRM_S, &t, why);
	if (e != ERR_OK)
		return e;
	((struct setting *)t->state)->count = count;
	t->waiting = true;
	e = audit_count(m, t, asker->who, now);
	if (e == ERR_OK)
		e = batch_after(m->config.batch, on_committed, t);
	if (e != ERR_OK) {
		task_free(t);
		return nodes_explain(why, e);
	}
	*out = t;
	return ERR_OK;
}
