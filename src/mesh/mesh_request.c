#include "mesh/mesh_request.h"

#include "enr/meshmsg.h"

static const struct span NOTHING = {NULL, 0};

void mesh_requests_init(
	struct mesh_requests *t, struct mesh_session *session, struct timers *timers)
{
	memset(t, 0, sizeof(*t));
	t->session = session;
	t->timers = timers;
}

static void on_late(void *arg)
{
	mesh_request_end(arg, ERR_TIMEOUT, NOTHING);
}

static struct mesh_request_slot *slot_of(struct mesh_requests *t, uint32_t id)
{
	for (size_t i = 0; i < MESH_REQUESTS_MAX; i++) {
		if (t->slots[i].id == id)
			return &t->slots[i];
	}
	return NULL;
}

enum err mesh_requests_add(struct mesh_requests *t, const struct mesh_match *match,
	uint32_t timeout_ms, mesh_answer_fn *done, void *arg, uint32_t *id)
{
	struct mesh_request_slot *s = slot_of(t, 0);

	if (!s)
		return ERR_FULL;
	t->last_id = t->last_id == UINT32_MAX ? 1 : t->last_id + 1;
	*s = (struct mesh_request_slot){
		.table = t, .id = t->last_id, .match = *match, .done = done, .arg = arg};
	timer_init(&s->timer, on_late, s);
	timer_arm(t->timers, &s->timer, timeout_ms);
	if (id)
		*id = s->id;
	return ERR_OK;
}

static void free_slot(struct mesh_request_slot *s)
{
	timer_cancel(s->table->timers, &s->timer);
	s->id = 0;
}

void mesh_requests_cancel(struct mesh_requests *t, uint32_t id)
{
	struct mesh_request_slot *s = id != 0 ? slot_of(t, id) : NULL;

	if (s)
		free_slot(s);
}

static bool has_serial(const struct mesh_match *want, struct span bytes)
{
	struct rd r = rd_init(bytes.p, bytes.n);
	uint32_t serial;

	(void)rd_view(&r, want->serial_at);
	serial = rd_u32(&r);
	return !r.bad && serial == want->serial;
}

/* How well an answer fits: 0 not, 1 without the handle's witness, 2 with it. */
static int fit(const struct mesh_match *want, const struct meshmsg *msg, struct span bytes)
{
	if (msg->type != want->type || msg->module != want->module || msg->action != want->action)
		return 0;
	if (want->by_sender && msg->sender != want->sender)
		return 0;
	if (want->by_serial && !has_serial(want, bytes))
		return 0;
	if (want->handle == 0)
		return 1;
	if (msg->request_handle == want->handle)
		return 2;
	return want->by_serial && msg->request_handle == 0 ? 1 : 0;
}

struct mesh_request_slot *mesh_requests_find(
	struct mesh_requests *t, const struct meshmsg *msg, struct span bytes)
{
	struct mesh_request_slot *best = NULL;
	int best_fit = 0;

	for (size_t i = 0; i < MESH_REQUESTS_MAX; i++) {
		struct mesh_request_slot *s = &t->slots[i];
		int f = s->id != 0 ? fit(&s->match, msg, bytes) : 0;

		if (f > best_fit || (best && f == best_fit && s->id < best->id)) {
			best = s;
			best_fit = f;
		}
	}
	return best;
}

void mesh_request_end(struct mesh_request_slot *slot, enum err result, struct span answer)
{
	struct mesh_session *session = slot->table->session;
	mesh_answer_fn *done = slot->done;
	void *arg = slot->arg;

	free_slot(slot);
	done(arg, session, result, answer);
}

void mesh_requests_end_all(struct mesh_requests *t)
{
	for (size_t i = 0; i < MESH_REQUESTS_MAX; i++) {
		if (t->slots[i].id != 0)
			mesh_request_end(&t->slots[i], ERR_CLOSED, NOTHING);
	}
}
