/* One session: handshake, queue, messages. Time limits are those of mesh-protocol §2.3 and §3.7. */
#include "mesh/mesh_session.h"

#include <stdlib.h>

#include "base/log.h"
#include "enr/meshmsg.h"

/* The node hangs up 5 s after the CCCD write; when it goes that late, it was the clock and not the
 * key (§3.7). */
#define NODE_GAVE_UP_MS (MESHSEC_HANDSHAKE_MS - 200)

/* "aabbccdd": enough of an address to tell nodes apart in a log. */
static uint32_t addr_hint(const struct mesh_session *s)
{
	const uint8_t *b = s->target.addr.b;

	return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

/* Hangs up; closed follows when the link says so, with the first reason that was known. */
static void end(struct mesh_session *s, enum mesh_end why)
{
	if (!s->has_why) {
		s->has_why = true;
		s->why = why;
	}
	if (s->is_ending)
		return;
	s->is_ending = true;
	s->is_open = false;
	timer_cancel(s->mesh->timers, &s->handshake);
	timer_cancel(s->mesh->timers, &s->soon);
	s->mesh->link.ops->disconnect(s->mesh->link.impl, s->conn);
}

/* --- out ---------------------------------------------------------------------------------------
 */

/* Writes what is held; true when nothing is left. */
static bool flush_held(struct mesh_session *s)
{
	struct link *l = &s->mesh->link;

	while (s->held_count > 0) {
		struct meshsec_pdu *p = &s->held[0];
		enum err e = l->ops->write(l->impl, s->conn, (struct span){p->b, p->len});

		if (e == ERR_BUSY)
			return false;
		if (e != ERR_OK) { /* the link is going; its down event tells why */
			log_debug("mesh: write failed error=%s", err_text(e));
			s->held_count = 0;
			return false;
		}
		s->held_count--;
		memmove(&s->held[0], &s->held[1], s->held_count * sizeof(s->held[0]));
	}
	return true;
}

static void hold(struct mesh_session *s, const struct meshsec_pdu *pdu)
{
	if (pdu->len == 0)
		return;
	if (s->held_count == MESH_HELD_MAX) {
		end(s, MESH_END_PROTOCOL);
		return;
	}
	s->held[s->held_count++] = *pdu;
	(void)flush_held(s);
}

static void pop(struct mesh_session *s)
{
	bytes_wipe(&s->queue[s->queue_first], sizeof(s->queue[0]));
	s->queue_first = (s->queue_first + 1) % MESH_QUEUE_MAX;
	s->queue_count--;
	s->is_begun = false;
	if (s->wants_room)
		timer_arm(s->mesh->timers, &s->soon, 0);
}

static enum err begin_head(struct mesh_session *s)
{
	const struct mesh_queued *q = &s->queue[s->queue_first];
	enum err e = meshsec_send_begin(&s->sec, q->b, q->n);

	s->is_begun = e == ERR_OK;
	return e;
}

/* One packet of the head; the head leaves the queue with its last packet. */
static enum err step(struct mesh_session *s)
{
	struct meshsec_pdu pdu;
	enum err e = s->is_begun ? ERR_OK : begin_head(s);

	if (e == ERR_OK)
		e = meshsec_send_next(&s->sec, &pdu);
	if (e != ERR_OK)
		return e;
	hold(s, &pdu);
	if (!meshsec_is_sending(&s->sec))
		pop(s);
	return ERR_OK;
}

/* As many packets as the link takes; one message is never mixed with another (§1.6). */
static void pump(struct mesh_session *s)
{
	while (flush_held(s) && !s->is_ending && s->sec.state == MESHSEC_OPEN &&
		s->queue_count > 0) {
		enum err e = step(s);

		if (e != ERR_OK) {
			log_warn("mesh: sending failed error=%s", err_text(e));
			end(s, MESH_END_PROTOCOL);
		}
	}
}

/* --- handshake ---------------------------------------------------------------------------------
 */

static enum err make_start(struct mesh_session *s, struct meshsec_pdu *pdu)
{
	const struct crypto *c = s->mesh->crypto;
	uint8_t snonce[MESHSEC_NONCE_BYTES];
	enum err e = c->random(c->ctx, snonce, sizeof(snonce));

	if (e == ERR_OK)
		e = meshsec_start(&s->sec, s->target.key_id, (enum meshsec_tunnel)s->target.tunnel,
			&s->target.ltk, snonce, pdu);
	bytes_wipe(snonce, sizeof(snonce));
	return e;
}

static void start(struct mesh_session *s)
{
	struct meshsec_pdu pdu;
	enum err e = make_start(s, &pdu);

	if (e != ERR_OK) {
		log_warn("mesh: handshake not started error=%s", err_text(e));
		end(s, MESH_END_PROTOCOL);
		return;
	}
	s->started_ms = timers_now(s->mesh->timers);
	timer_arm(s->mesh->timers, &s->handshake, MESH_HANDSHAKE_MS);
	hold(s, &pdu);
}

static void on_handshake_late(void *arg)
{
	end(arg, MESH_END_TIMEOUT);
}

/* Session lost on a living link (§3.7): packets of the old one are void, the message that was being
 * sent is sent again as a whole. */
static void start_again(struct mesh_session *s, const struct meshsec_pdu *farewell)
{
	if (++s->again_count > MESH_AGAIN_MAX) {
		end(s, MESH_END_PROTOCOL);
		return;
	}
	log_info("mesh: session lost, new handshake node=%u", s->sec.partner_id);
	s->held_count = 0;
	s->is_begun = false;
	hold(s, farewell);
	start(s);
}

static void opened(struct mesh_session *s)
{
	timer_cancel(s->mesh->timers, &s->handshake);
	s->is_open = true;
	log_debug("mesh: session open node=%u", s->sec.partner_id);
	s->events->opened(s->arg, s, s->sec.partner_id);
	pump(s);
}

/* --- in ----------------------------------------------------------------------------------------
 */

static void on_message(struct mesh_session *s, struct span bytes)
{
	struct mesh_request_slot *slot = NULL;
	struct meshmsg msg;

	if (meshmsg_decode(bytes.p, bytes.n, &msg) == ERR_OK)
		slot = mesh_requests_find(&s->requests, &msg, bytes);
	if (slot)
		mesh_request_end(slot, ERR_OK, bytes);
	if (!s->is_ending)
		s->events->message(s->arg, s, bytes);
}

/* was: the state before the packet came, which says whose fault it is. */
static void on_event(struct mesh_session *s, const struct meshsec_event *ev, enum meshsec_state was)
{
	static const struct meshsec_pdu none = {0};

	switch (ev->type) {
	case MESHSEC_EVENT_NONE:
	case MESHSEC_EVENT_START:
		break;
	case MESHSEC_EVENT_SEND:
		hold(s, &ev->pdu);
		break;
	case MESHSEC_EVENT_READY:
		opened(s);
		break;
	case MESHSEC_EVENT_MESSAGE:
		on_message(s, ev->message);
		break;
	case MESHSEC_EVENT_DEAD:
		if (was == MESHSEC_PROVING && s->again_count == 0)
			end(s, MESH_END_WRONG_KEY);
		else
			start_again(s, &none);
		break;
	case MESHSEC_EVENT_CORRUPT:
		start_again(s, &ev->pdu);
		break;
	case MESHSEC_EVENT_CLOSE:
		end(s, was == MESHSEC_PROVING && s->again_count == 0 ? MESH_END_WRONG_KEY
								     : MESH_END_PROTOCOL);
		break;
	}
}

void mesh_session_ready(struct mesh_session *s)
{
	if (!s->is_ending && s->sec.state == MESHSEC_IDLE)
		start(s);
}

void mesh_session_notify(struct mesh_session *s, struct span pdu)
{
	enum meshsec_state was = s->sec.state;
	struct meshsec_event ev;

	if (s->is_ending)
		return;
	memset(&ev, 0, sizeof(ev));
	meshsec_receive(&s->sec, pdu.p, pdu.n, &ev);
	on_event(s, &ev, was);
}

void mesh_session_writable(struct mesh_session *s)
{
	if (!s->is_ending)
		pump(s);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static enum mesh_end why_lost(const struct mesh_session *s)
{
	uint64_t since_ms = timers_now(s->mesh->timers) - s->started_ms;
	bool shakes = s->sec.state == MESHSEC_STARTED || s->sec.state == MESHSEC_PROVING;

	if (s->again_count > 0)
		return MESH_END_LOST; /* the key has been good once */
	if (shakes && since_ms >= NODE_GAVE_UP_MS)
		return MESH_END_TIMEOUT;
	if (s->sec.state == MESHSEC_STARTED)
		return MESH_END_KEY_REFUSED;
	if (s->sec.state == MESHSEC_PROVING)
		return MESH_END_WRONG_KEY;
	return MESH_END_LOST;
}

static enum mesh_end why_down(const struct mesh_session *s, enum link_down why)
{
	switch (why) {
	case LINK_DOWN_LOST:
		return why_lost(s);
	case LINK_DOWN_CONNECT:
		return MESH_END_CONNECT;
	case LINK_DOWN_SETUP:
		return MESH_END_SETUP;
	case LINK_DOWN_ADAPTER:
		return MESH_END_ADAPTER;
	case LINK_DOWN_LOCAL:
	case LINK_DOWN_COUNT:
		break;
	}
	return MESH_END_CLOSED;
}

void mesh_session_down(struct mesh_session *s, enum link_down down)
{
	enum mesh_end why = s->has_why ? s->why : why_down(s, down);

	s->is_open = false;
	s->is_ending = true;
	timer_cancel(s->mesh->timers, &s->handshake);
	timer_cancel(s->mesh->timers, &s->soon);
	log_info("mesh: session ended addr=%08x why=\"%s\"", addr_hint(s), mesh_end_text(why));
	mesh_requests_end_all(&s->requests);
	s->events->closed(s->arg, s, why);
}

void mesh_session_free(struct mesh_session *s)
{
	struct timers *t = s->mesh->timers;

	timer_cancel(t, &s->handshake);
	timer_cancel(t, &s->soon);
	for (size_t i = 0; i < MESH_REQUESTS_MAX; i++)
		mesh_requests_cancel(&s->requests, s->requests.slots[i].id);
	meshsec_clear(&s->sec);
	bytes_wipe(s, sizeof(*s));
	free(s);
}

static void on_soon(void *arg)
{
	struct mesh_session *s = arg;

	if (!s->wants_room || s->is_ending)
		return;
	s->wants_room = false;
	if (s->events->writable)
		s->events->writable(s->arg, s);
}

/* --- what users call ---------------------------------------------------------------------------
 */

static struct mesh_session *session_new(struct mesh *m, const struct mesh_target *target,
	const struct mesh_session_events *events, void *arg)
{
	struct mesh_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->mesh = m;
	s->events = events;
	s->arg = arg;
	s->target = *target;
	meshsec_init(&s->sec, m->aes, MESHSEC_CENTRAL, MESH_GATEWAY_ID);
	timer_init(&s->handshake, on_handshake_late, s);
	timer_init(&s->soon, on_soon, s);
	mesh_requests_init(&s->requests, s, m->timers);
	return s;
}

enum err mesh_open(struct mesh *m, const struct mesh_target *target,
	const struct mesh_session_events *events, void *arg, struct mesh_session **out)
{
	struct mesh_session *s;
	enum err e;

	if (target->key_id != MESHSEC_KEY_ZERO && secret16_is_unset(&target->ltk))
		return ERR_KEY;
	if (!m->link.ops || !m->is_ready)
		return ERR_STATE;
	s = session_new(m, target, events, arg);
	if (!s)
		return ERR_NOMEM;
	e = m->link.ops->connect(m->link.impl, &target->addr, &s->conn);
	if (e != ERR_OK) {
		mesh_session_free(s);
		return e;
	}
	s->next = m->sessions;
	m->sessions = s;
	*out = s;
	return ERR_OK;
}

void mesh_close(struct mesh_session *s)
{
	end(s, MESH_END_CLOSED);
}

bool mesh_is_open(const struct mesh_session *s)
{
	return s->is_open;
}

enum err mesh_send(struct mesh_session *s, struct span msg)
{
	struct mesh_queued *q;

	if (!s->is_open)
		return ERR_STATE;
	if (msg.n < MESHMSG_HEADER_BYTES || msg.n > MESH_MESSAGE_MAX)
		return ERR_RANGE;
	if (s->queue_count == MESH_QUEUE_MAX) {
		s->wants_room = true;
		return ERR_BUSY;
	}
	q = &s->queue[(s->queue_first + s->queue_count) % MESH_QUEUE_MAX];
	memcpy(q->b, msg.p, msg.n);
	q->n = msg.n;
	s->queue_count++;
	pump(s);
	return ERR_OK;
}

enum err mesh_request(struct mesh_session *s, struct span msg, const struct mesh_match *match,
	uint32_t timeout_ms, mesh_answer_fn *done, void *arg, uint32_t *id)
{
	uint32_t own_id;
	enum err e =
		s->is_open ? mesh_requests_add(&s->requests, match, timeout_ms, done, arg, &own_id)
			   : ERR_STATE;

	if (e != ERR_OK)
		return e;
	e = mesh_send(s, msg);
	if (e != ERR_OK)
		mesh_requests_cancel(&s->requests, own_id);
	else if (id)
		*id = own_id;
	return e;
}

void mesh_request_cancel(struct mesh_session *s, uint32_t id)
{
	mesh_requests_cancel(&s->requests, id);
}
