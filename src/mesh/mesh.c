#include "mesh/mesh.h"

#include <stdlib.h>

#include "base/log.h"
#include "mesh/mesh_session.h"

const char *link_down_text(enum link_down why)
{
	switch (why) {
	case LINK_DOWN_LOCAL:
		return "closed";
	case LINK_DOWN_LOST:
		return "link lost";
	case LINK_DOWN_CONNECT:
		return "no connection";
	case LINK_DOWN_SETUP:
		return "no subscription";
	case LINK_DOWN_ADAPTER:
		return "radio gone";
	case LINK_DOWN_COUNT:
		break;
	}
	return "unknown";
}

const char *mesh_end_text(enum mesh_end why)
{
	switch (why) {
	case MESH_END_CLOSED:
		return "closed";
	case MESH_END_CONNECT:
		return "no connection";
	case MESH_END_SETUP:
		return "no subscription";
	case MESH_END_KEY_REFUSED:
		return "key refused";
	case MESH_END_WRONG_KEY:
		return "wrong key";
	case MESH_END_TIMEOUT:
		return "handshake timeout";
	case MESH_END_LOST:
		return "link lost";
	case MESH_END_PROTOCOL:
		return "protocol broken";
	case MESH_END_ADAPTER:
		return "radio gone";
	case MESH_END_COUNT:
		break;
	}
	return "unknown";
}

enum err mesh_new(struct timers *timers, const struct crypto *crypto, const struct aes128 *aes,
	const struct mesh_events *events, void *arg, struct mesh **out)
{
	struct mesh *m = calloc(1, sizeof(*m));

	if (!m)
		return ERR_NOMEM;
	m->timers = timers;
	m->crypto = crypto;
	m->aes = aes;
	m->events = events;
	m->arg = arg;
	*out = m;
	return ERR_OK;
}

void mesh_free(struct mesh *m)
{
	if (!m)
		return;
	while (m->sessions) {
		struct mesh_session *s = m->sessions;

		m->sessions = s->next;
		mesh_session_free(s);
	}
	if (m->link.ops)
		m->link.ops->free(m->link.impl);
	free(m);
}

void mesh_attach(struct mesh *m, struct link link)
{
	m->link = link;
	if (m->scan_wishes > 0)
		link.ops->scan(link.impl, true);
}

bool mesh_adapter_ready(const struct mesh *m)
{
	return m->is_ready;
}

void mesh_scan_begin(struct mesh *m)
{
	if (m->scan_wishes++ == 0 && m->link.ops)
		m->link.ops->scan(m->link.impl, true);
}

void mesh_scan_end(struct mesh *m)
{
	if (m->scan_wishes == 0)
		return;
	if (--m->scan_wishes == 0 && m->link.ops)
		m->link.ops->scan(m->link.impl, false);
}

enum err mesh_listen(struct mesh *m, mesh_advert_fn *fn, void *arg)
{
	if (m->listener_count == MESH_LISTENERS_MAX)
		return ERR_FULL;
	m->listeners[m->listener_count++] = (struct mesh_listener){fn, arg};
	return ERR_OK;
}

/* --- what the link says ------------------------------------------------------------------------
 */

static struct mesh_session *session_of(struct mesh *m, uint16_t conn)
{
	struct mesh_session *s = m->sessions;

	while (s && s->conn != conn)
		s = s->next;
	return s;
}

static void on_adapter(void *arg, bool ready)
{
	struct mesh *m = arg;

	if (m->is_ready == ready)
		return;
	m->is_ready = ready;
	log_info("mesh: radio ready=%d", ready);
	m->events->adapter(m->arg, ready);
}

static void on_advert(void *arg, const struct link_advert *advert)
{
	struct mesh *m = arg;

	for (size_t i = 0; i < m->listener_count; i++)
		m->listeners[i].fn(m->listeners[i].arg, advert);
}

static void on_ready(void *arg, uint16_t conn)
{
	struct mesh_session *s = session_of(arg, conn);

	if (s)
		mesh_session_ready(s);
}

static void on_notify(void *arg, uint16_t conn, struct span pdu)
{
	struct mesh_session *s = session_of(arg, conn);

	if (s)
		mesh_session_notify(s, pdu);
}

static void on_writable(void *arg, uint16_t conn)
{
	struct mesh_session *s = session_of(arg, conn);

	if (s)
		mesh_session_writable(s);
}

static void on_down(void *arg, uint16_t conn, enum link_down why)
{
	struct mesh *m = arg;
	struct mesh_session **p = &m->sessions, *s;

	while (*p && (*p)->conn != conn)
		p = &(*p)->next;
	s = *p;
	if (!s)
		return;
	*p = s->next;
	mesh_session_down(s, why);
	mesh_session_free(s);
}

static void on_time(void *arg, uint64_t now_ms)
{
	struct mesh *m = arg;

	if (m->events->time)
		m->events->time(m->arg, now_ms);
}

const struct link_events *mesh_link_events(void)
{
	static const struct link_events events = {.adapter = on_adapter,
		.advert = on_advert,
		.ready = on_ready,
		.notify = on_notify,
		.writable = on_writable,
		.down = on_down,
		.time = on_time};

	return &events;
}
