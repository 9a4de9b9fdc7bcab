/* Our own connections to nodes, with their node keys if we know them: a few at a time. */
#include "base/log.h"
#include "enr/meshmsg.h"
#include "enr/meshsec.h"
#include "enr/serial.h"
#include "enroll/runner_room.h"

#define TUNNEL_PEER 0 /* §3.3 */

/* The place of a session's, or with NULL a free one; NULL: none. */
static struct entry **find_place(struct runner *r, const struct entry *en)
{
	for (size_t i = 0; i < RUNNER_DIRECTS_MAX; i++)
		if (r->directs[i] == en)
			return &r->directs[i];
	return NULL;
}

unsigned direct_count(const struct runner *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < RUNNER_DIRECTS_MAX; i++)
		n += r->directs[i] != NULL;
	return n;
}

unsigned direct_attempts(const struct runner *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < RUNNER_DIRECTS_MAX; i++)
		n += r->directs[i] && !r->directs[i]->session_open;
	return n;
}

static void tell(struct entry *en, enum job_event_type type)
{
	runner_apply(en, &(struct job_event){.type = type});
}

static void on_opened(void *arg, struct mesh_session *s, uint16_t node_id)
{
	struct entry *en = arg;
	bool again = en->session_open;

	(void)s;
	(void)node_id;
	en->session_open = true;
	if (en->job.state == JOB_SAVED && job_is_asset(&en->job)) { /* its proof, however late */
		runner_apply(
			en, &(struct job_event){.type = JOB_EVENT_INFO, .serial = en->job.serial});
		direct_close(en);
	} else if (!en->job.in_flight) { /* its attempt has ended meanwhile */
		direct_close(en);
	} else if (again) { /* after DEAD_DATA: what was sent may be lost */
		direct_send(en);
	} else {
		tell(en, JOB_EVENT_CONNECTED);
	}
}

static void on_message(void *arg, struct mesh_session *s, struct span msg)
{
	(void)s;
	runner_on_direct(arg, msg);
}

static enum job_event_type event_of_end(const struct entry *en, enum mesh_end why)
{
	if (en->session_open)
		return JOB_EVENT_LINK_LOST;
	if (why == MESH_END_KEY_REFUSED || why == MESH_END_WRONG_KEY)
		return JOB_EVENT_REFUSED;
	return JOB_EVENT_NO_LINK;
}

static void on_closed(void *arg, struct mesh_session *s, enum mesh_end why)
{
	struct entry *en = arg;
	struct entry **place = find_place(en->runner, en);
	enum job_event_type type = event_of_end(en, why);
	char serial[SERIAL_TEXT_SIZE];

	(void)s;
	serial_print(en->job.serial, serial);
	log_debug("direct_closed serial=%s why=\"%s\"", serial, mesh_end_text(why));
	en->session = NULL;
	en->session_open = false;
	if (place)
		*place = NULL;
	tell(en, type);
	runner_kick(en->runner);
}

static const struct mesh_session_events events = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
};

static enum err network_key(struct store *s, uint16_t network_id, struct mesh_target *out)
{
	struct network_keys keys;
	enum err e = store_networks_keys(s, network_id, &keys);

	out->key_id = MESHSEC_KEY_NETWORK;
	if (e == ERR_OK)
		out->ltk = keys.network;
	bytes_wipe(&keys, sizeof(keys));
	return e;
}

/* Its node key; else what opens it as its advert says (runner.c, is_fit): its network's key, of
 * ours once it has taken that, or the key that everybody knows. */
static enum err choose_key(const struct entry *en, struct mesh_target *out)
{
	struct store *s = en->runner->config.store;

	if (!en->job.keyless) {
		out->key_id = MESHSEC_KEY_NODE;
		return store_nodes_key(s, en->job.row, &out->ltk);
	}
	if (en->advert_ours)
		return network_key(s, en->net->id, out);
	if (en->from_network != 0)
		return network_key(s, en->advert_network, out);
	out->key_id = MESHSEC_KEY_ZERO;
	return ERR_OK;
}

static enum err open_session(struct entry *en)
{
	struct runner *r = en->runner;
	struct entry **place = find_place(r, NULL);
	struct mesh_target target = {.addr = en->addr, .tunnel = TUNNEL_PEER};
	enum err e;

	if (!place || en->session)
		return ERR_BUSY;
	e = choose_key(en, &target);
	if (e == ERR_OK)
		e = mesh_open(r->config.mesh, &target, &events, en, &en->session);
	secret16_wipe(&target.ltk);
	if (e != ERR_OK)
		return e;
	*place = en;
	en->via = NULL;
	return ERR_OK;
}

void direct_connect(struct entry *en)
{
	enum err e = open_session(en);

	if (e == ERR_OK)
		return;
	log_debug("direct_not_opened error=\"%s\"", err_text(e));
	if (en->job.state != JOB_SAVED)
		tell(en, JOB_EVENT_NO_LINK);
}

void direct_close(struct entry *en)
{
	if (en->session)
		mesh_close(en->session);
}

void direct_send(struct entry *en)
{
	uint8_t buf[MESH_MESSAGE_MAX];
	size_t n = 0;
	enum err e = request_build(en, 0, buf, &n);

	if (e == ERR_OK)
		e = en->session ? mesh_send(en->session, (struct span){buf, n}) : ERR_STATE;
	bytes_wipe(buf, sizeof(buf));
	if (e == ERR_OK)
		return;
	log_warn("direct_not_sent error=\"%s\"", err_text(e));
	tell(en, JOB_EVENT_LINK_LOST);
}
