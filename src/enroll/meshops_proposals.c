/* Who hears these serials? In rounds of eleven; or, without serials, what the mesh proposes. */
#include <stdlib.h>
#include <string.h>

#include "enr/serial.h"
#include "enroll/meshops_room.h"
#include "enroll/nodes_room.h"
#include "mesh/mesh.h"

#define HANDLE 2       /* the runner's surveys have 1 */
#define EARS_MAX 8     /* members told of for one serial */
#define LINGER_MS 3000 /* after the last serial of a round was heard: others may hear it too */

struct wanted {
	uint32_t serial;
	unsigned ears;
	uint16_t ear[EARS_MAX];
};

struct survey {
	struct wanted *wanted;
	size_t count;
	unsigned round, rounds; /* from 1; 0: not begun */
	uint64_t round_ms;      /* when it began */
	uint64_t sent_ms;       /* its last question; 0: it has to be sent */
	uint64_t heard_ms;      /* when something new was heard last */
	unsigned heard;
};

/* --- asking ----------------------------------------------------------------------------------- */

static size_t round_begin(const struct survey *s)
{
	return (size_t)(s->round - 1) * MESHMSG_PROPOSALS_MAX;
}

static size_t round_end(const struct survey *s)
{
	size_t end = round_begin(s) + MESHMSG_PROPOSALS_MAX;

	return end < s->count ? end : s->count;
}

static bool is_round_heard(const struct survey *s)
{
	for (size_t i = round_begin(s); i < round_end(s); i++)
		if (s->wanted[i].ears == 0)
			return false;
	return true;
}

/* Those that nobody has heard yet; nobody answers twice for the others anyway. */
static void ask(struct meshops_task *t, uint64_t now_ms)
{
	const struct meshmsg_route route = {.sender = MESH_GATEWAY_ID, .request_handle = HANDLE};
	struct survey *s = t->state;
	struct meshmsg_serials m = {0};
	uint8_t buf[MESH_MESSAGE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	for (size_t i = round_begin(s); i < round_end(s); i++)
		if (s->wanted[i].ears == 0)
			m.index[m.count++] = s->wanted[i].serial;
	if (m.count == 0 || meshmsg_encode_request_proposals(&w, route, &m) != ERR_OK ||
		task_send(t, &w) != ERR_OK)
		return; /* the next tick tries again */
	s->sent_ms = now_ms;
	runner_note_survey(t->m->config.runner, t->network_id);
}

static void begin_round(struct meshops_task *t, uint64_t now_ms)
{
	struct survey *s = t->state;

	s->round++;
	s->round_ms = now_ms;
	s->sent_ms = 0;
	task_tell(t, &(struct meshops_result){.kind = MESHOPS_ROUND,
			     .round = s->round,
			     .rounds = s->rounds,
			     .answered = s->heard,
			     .expected = (unsigned)s->count,
			     .serial = SERIAL_INDEX_INVALID});
}

static bool is_round_over(const struct survey *s, uint64_t now_ms)
{
	if (s->round == 0 || now_ms >= s->round_ms + 1000ull * MESHOPS_ROUND_S)
		return true;
	return is_round_heard(s) && now_ms >= s->heard_ms + LINGER_MS;
}

static void end(struct meshops_task *t)
{
	const struct survey *s = t->state;
	struct meshops_result r = {.round = s->round,
		.rounds = s->rounds,
		.answered = s->heard,
		.expected = (unsigned)s->count,
		.serial = SERIAL_INDEX_INVALID};

	/* Its last question has never left: the answer is not "nobody". (Unless answers to somebody
	 * else's question had told all before it was due.) */
	if (s->sent_ms == 0 && s->heard < s->count)
		r.error = ERR_CLOSED;
	task_end(t, &r);
}

static void tick(struct meshops_task *t, uint64_t now_ms)
{
	struct survey *s = t->state;
	bool over = s->count > 0 && is_round_over(s, now_ms);

	if (now_ms >= t->end_ms || (over && s->round == s->rounds)) {
		end(t);
		return;
	}
	if (over)
		begin_round(t, now_ms);
	if (s->count > 0 && (s->sent_ms == 0 || now_ms >= s->sent_ms + 1000ull * MESHOPS_REPEAT_S))
		ask(t, now_ms);
}

/* The new gateway node has another name for us: whoever was asked answers to the old one. */
static void opened(struct meshops_task *t)
{
	((struct survey *)t->state)->sent_ms = 0;
}

/* --- hearing ---------------------------------------------------------------------------------- */

static void tell(struct meshops_task *t, uint32_t serial, uint16_t node_id, bool unsolicited)
{
	const struct survey *s = t->state;
	struct node_row row;
	struct meshops_result r = {.kind = MESHOPS_PROPOSAL,
		.node_id = node_id,
		.unsolicited = unsolicited,
		.answered = s->heard,
		.expected = (unsigned)s->count,
		.round = s->round,
		.rounds = s->rounds};

	task_know(t, serial, &row, &r);
	task_tell(t, &r);
}

static struct wanted *find(struct survey *s, uint32_t serial)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->wanted[i].serial == serial)
			return &s->wanted[i];
	return NULL;
}

/* False: that member was told of already. */
static bool note_ear(struct wanted *w, uint16_t node_id)
{
	for (unsigned i = 0; i < w->ears; i++)
		if (w->ear[i] == node_id)
			return false;
	if (w->ears == EARS_MAX)
		return false;
	w->ear[w->ears++] = node_id;
	return true;
}

/* The serial decides, whoever asked: that a member hears it is true for all (design, law 4). */
static void sighted(struct meshops_task *t, uint32_t serial, uint16_t node_id, bool unsolicited)
{
	struct survey *s = t->state;
	struct wanted *w = find(s, serial);

	if (!meshops_is_member_id(node_id) || serial == SERIAL_INDEX_INVALID)
		return;
	if (s->count > 0 && (!w || !note_ear(w, node_id)))
		return;
	s->heard += !w || w->ears == 1;
	s->heard_ms = task_now(t);
	tell(t, serial, node_id, unsolicited);
}

static void message(struct meshops_task *t, const struct meshmsg *msg)
{
	struct meshmsg_serials m;
	uint32_t serial;

	if (msg->kind == MESHMSG_PROPOSALS_RESPONSE &&
		meshmsg_decode_proposals_response(msg, &serial) == ERR_OK)
		sighted(t, serial, msg->sender, false);
	if (msg->kind != MESHMSG_ENROLLMENT_PROPOSAL || meshmsg_decode_proposal(msg, &m) != ERR_OK)
		return;
	for (size_t i = 0; i < m.count; i++)
		sighted(t, m.index[i], msg->sender, true);
}

/* --- life ------------------------------------------------------------------------------------- */

static void clear(struct meshops_task *t)
{
	free(((struct survey *)t->state)->wanted);
}

static enum err take_serials(struct survey *s, const uint32_t *serials, size_t count)
{
	if (count == 0)
		return ERR_OK;
	s->wanted = calloc(count, sizeof(*s->wanted));
	if (!s->wanted)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		if (!find(s, serials[i]))
			s->wanted[s->count++].serial = serials[i];
	s->rounds = (unsigned)((s->count + MESHMSG_PROPOSALS_MAX - 1) / MESHMSG_PROPOSALS_MAX);
	return ERR_OK;
}

static bool is_surveyed(const struct meshops *m, const struct meshops_task *but)
{
	for (const struct meshops_task *t = m->tasks; t; t = t->next)
		if (t != but && t->has_round && t->network_id == but->network_id)
			return true;
	return false;
}

static uint32_t default_s(size_t count)
{
	size_t rounds = (count + MESHMSG_PROPOSALS_MAX - 1) / MESHMSG_PROPOSALS_MAX;

	return rounds == 0 ? MESHOPS_LISTEN_S : (uint32_t)rounds * MESHOPS_ROUND_S + 1;
}

enum err meshops_proposals(struct meshops *m, const struct meshops_asker *asker,
	const uint32_t *serials, size_t count, uint32_t timeout_s, struct meshops_task **out,
	struct reason *why)
{
	static const struct meshops_ops ops = {tick, opened, message, clear};
	struct meshops_task *t;
	enum err e;

	if (count > MESHOPS_SERIALS_MAX)
		return nodes_refuse(why, ERR_RANGE, "serials", "more than 220 serial numbers");
	e = task_new(m, asker, &ops, sizeof(struct survey),
		timeout_s ? timeout_s : default_s(count), &t, why);
	if (e != ERR_OK)
		return e;
	e = nodes_explain(why, take_serials(t->state, serials, count));
	t->has_round = count > 0;
	if (e == ERR_OK && t->has_round && is_surveyed(m, t))
		e = nodes_refuse(why, ERR_BUSY, NULL,
			"somebody else's survey of this network runs, and nodes remember one: try "
			"again in a minute");
	if (e != ERR_OK)
		task_free(t);
	else
		*out = t;
	return e;
}
