/* Who is in the mesh, and how is it? Asked of all at once, then of the silent ones one by one. */
#include <stdlib.h>

#include "enr/meshadv.h"
#include "enr/serial.h"
#include "enroll/meshops_room.h"
#include "mesh/mesh.h"
#include "store/networks.h"

#define HANDLE 3
#define ASK_AFTER_MS 2000 /* what the broadcast may take */
#define ASK_AGAIN_MS 4000 /* the same member */
#define ASKS_MAX 3        /* of one member, beside the broadcasts */
#define ASKS_A_TICK 4     /* the air is narrow */
#define QUIET_MS 2000     /* after the last answer, when the number of members is not known */

struct member {
	uint16_t node_id;
	uint32_t serial; /* SERIAL_INDEX_INVALID: not known */
	bool has_info, has_status, told;
	unsigned asks;
	uint64_t asked_ms;
	struct meshmsg_device_info info;
	struct meshmsg_status status;
};

struct census {
	struct member *members; /* grows by doubling */
	size_t count, cap;
	size_t next; /* whom to ask next */
	unsigned broadcasts;
	uint64_t heard_ms, progress_ms;
	bool no_memory;
};

/* --- members ---------------------------------------------------------------------------------- */

/* Added if it is new. NULL without memory. */
static struct member *member_of(struct census *c, uint16_t node_id)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->members[i].node_id == node_id)
			return &c->members[i];
	if (c->count == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 32;
		struct member *p = realloc(c->members, cap * sizeof(*p));

		if (!p) {
			c->no_memory = true;
			return NULL;
		}
		c->members = p;
		c->cap = cap;
	}
	c->members[c->count] = (struct member){.node_id = node_id, .serial = SERIAL_INDEX_INVALID};
	return &c->members[c->count++];
}

static bool is_complete(const struct member *m)
{
	return m->has_info && m->has_status;
}

static unsigned count_complete(const struct census *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < c->count; i++)
		n += is_complete(&c->members[i]);
	return n;
}

/* As many as the gateway node says, or as we know of. */
static unsigned count_expected(const struct meshops_task *t)
{
	const struct census *c = t->state;
	struct runner_link link = {0};

	(void)runner_link(t->m->config.runner, t->network_id, &link);
	return link.cluster_size > c->count ? link.cluster_size : (unsigned)c->count;
}

static bool expect_row(void *ctx, const struct node_row *row)
{
	struct census *c = ctx;
	bool there = row->job.state == JOB_JOINED || row->job.state == JOB_SAVED;
	struct member *m = NULL;

	if (there && row->device_type != MESHADV_DEVICE_ASSET)
		m = member_of(c, row->job.node_id);
	if (m)
		m->serial = row->job.serial;
	return !c->no_memory;
}

static enum err expect_known(struct meshops_task *t)
{
	const struct nodes_filter filter = {.network_id = t->network_id, .state = -1};
	struct census *c = t->state;
	struct runner_link link;
	enum err e = store_nodes_list(t->m->config.store, &filter, 0, expect_row, c);

	if (runner_link(t->m->config.runner, t->network_id, &link) &&
		meshops_is_member_id(link.node_id))
		(void)member_of(c, link.node_id);
	return c->no_memory ? ERR_NOMEM : e;
}

/* --- asking ----------------------------------------------------------------------------------- */

static enum err ask(const struct meshops_task *t, uint16_t receiver, enum meshmsg_kind kind)
{
	const struct meshmsg_route route = {
		.sender = MESH_GATEWAY_ID, .receiver = receiver, .request_handle = HANDLE};
	uint8_t buf[MESH_MESSAGE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	enum err e = meshmsg_encode_plain(&w, route, kind);

	return e == ERR_OK ? task_send(t, &w) : e;
}

static enum err ask_both(const struct meshops_task *t, uint16_t receiver, bool info, bool status)
{
	enum err e = info ? ask(t, receiver, MESHMSG_GET_DEVICE_INFO) : ERR_OK;

	if (e == ERR_OK && status)
		e = ask(t, receiver, MESHMSG_GET_STATUS);
	return e;
}

/* The second one at half time, for those that the first has not reached. */
static void ask_all(struct meshops_task *t, uint64_t now_ms)
{
	struct census *c = t->state;
	bool half = now_ms >= t->start_ms + (t->end_ms - t->start_ms) / 2;

	if (c->broadcasts < 1u + half && ask_both(t, MESHMSG_BROADCAST, true, true) == ERR_OK)
		c->broadcasts = 1u + half;
}

static bool may_ask(const struct member *m, uint64_t now_ms)
{
	return !is_complete(m) && m->asks < ASKS_MAX &&
	       (m->asks == 0 || now_ms >= m->asked_ms + ASK_AGAIN_MS);
}

static void ask_some(struct meshops_task *t, uint64_t now_ms)
{
	struct census *c = t->state;
	unsigned sent = 0;

	for (size_t i = 0; i < c->count && sent < ASKS_A_TICK; i++) {
		struct member *m = &c->members[c->next++ % c->count];

		if (!may_ask(m, now_ms))
			continue;
		if (ask_both(t, m->node_id, !m->has_info, !m->has_status) != ERR_OK)
			return; /* no room now */
		m->asks++;
		m->asked_ms = now_ms;
		sent++;
	}
}

/* --- telling ---------------------------------------------------------------------------------- */

static void tell(struct meshops_task *t, struct member *m)
{
	struct node_row row;
	struct meshops_result r = {.kind = MESHOPS_NODE,
		.node_id = m->node_id,
		.info = m->has_info ? &m->info : NULL,
		.status = m->has_status ? &m->status : NULL,
		.answered = count_complete(t->state),
		.expected = count_expected(t)};

	m->told = true;
	task_know(t, m->serial, &row, &r);
	task_tell(t, &r);
}

static void end(struct meshops_task *t)
{
	struct census *c = t->state;
	struct meshops_result r = {.serial = SERIAL_INDEX_INVALID};

	for (size_t i = 0; i < c->count; i++)
		if (!c->members[i].told)
			tell(t, &c->members[i]);
	r.answered = count_complete(c);
	r.expected = count_expected(t);
	r.error = c->broadcasts == 0 ? ERR_CLOSED : c->no_memory ? ERR_NOMEM : ERR_OK;
	task_end(t, &r);
}

static bool is_done(const struct meshops_task *t, uint64_t now_ms)
{
	const struct census *c = t->state;
	struct runner_link link = {0};

	if (now_ms >= t->end_ms)
		return true;
	(void)runner_link(t->m->config.runner, t->network_id, &link);
	if (c->broadcasts == 0 || count_complete(c) < count_expected(t))
		return false;
	return link.cluster_size > 0 || now_ms >= c->heard_ms + QUIET_MS;
}

static void tick(struct meshops_task *t, uint64_t now_ms)
{
	struct census *c = t->state;

	if (is_done(t, now_ms)) {
		end(t);
		return;
	}
	ask_all(t, now_ms);
	if (c->broadcasts > 0 && now_ms >= t->start_ms + ASK_AFTER_MS)
		ask_some(t, now_ms);
	if (now_ms < c->progress_ms + 1000)
		return;
	c->progress_ms = now_ms;
	task_tell(t, &(struct meshops_result){.kind = MESHOPS_PROGRESS,
			     .answered = count_complete(c),
			     .expected = count_expected(t),
			     .serial = SERIAL_INDEX_INVALID});
}

static void opened(struct meshops_task *t)
{
	struct census *c = t->state;

	c->broadcasts = 0;
	for (size_t i = 0; i < c->count; i++)
		c->members[i].asks = 0;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* A status has no serial: its sender says whose it is. What others asked for is as true. */
static void message(struct meshops_task *t, const struct meshmsg *msg)
{
	struct meshmsg_device_info info;
	struct meshmsg_status status;
	bool has_info = msg->kind == MESHMSG_DEVICE_INFO &&
			meshmsg_decode_device_info(msg, &info) == ERR_OK;
	bool has_status =
		msg->kind == MESHMSG_STATUS && meshmsg_decode_status(msg, &status) == ERR_OK;
	struct census *c = t->state;
	struct member *m = NULL;

	if ((has_info || has_status) && meshops_is_member_id(msg->sender))
		m = member_of(c, msg->sender);
	if (!m)
		return;
	c->heard_ms = task_now(t);
	if (has_info) {
		m->has_info = true;
		m->info = info;
		m->serial = info.serial_index;
	} else {
		m->has_status = true;
		m->status = status;
	}
	if (is_complete(m) && !m->told)
		tell(t, m);
}

/* --- life ------------------------------------------------------------------------------------- */

static void clear(struct meshops_task *t)
{
	free(((struct census *)t->state)->members);
}

enum err meshops_nodes(struct meshops *m, const struct meshops_asker *asker, uint32_t timeout_s,
	struct meshops_task **out, struct reason *why)
{
	static const struct meshops_ops ops = {tick, opened, message, clear};
	struct meshops_task *t;
	enum err e = task_new(m, asker, &ops, sizeof(struct census),
		timeout_s ? timeout_s : MESHOPS_NODES_S, &t, why);

	if (e != ERR_OK)
		return e;
	e = expect_known(t);
	if (e != ERR_OK) {
		task_free(t);
		reason_set(why, NULL, "%s", err_text(e));
		return e;
	}
	*out = t;
	return ERR_OK;
}
