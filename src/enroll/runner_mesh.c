/* Requests through the gateway node, and what comes back through any session. */
#include "base/log.h"
#include "enr/meshmsg.h"
#include "enr/meshadv.h"
#include "enroll/runner_room.h"
#include "store/nodes.h"

#define SURVEY_HANDLE 1
#define PREENROLLMENT_FAILED 0x11 /* its answer has lost the handle (mesh-protocol §4.5) */

/* --- building --------------------------------------------------------------------------------- */

static enum err build_enrollment(struct entry *en, struct meshmsg_route route, struct wr *w)
{
	struct store *s = en->runner->config.store;
	struct network_keys keys = {0};
	struct secret16 node_key;
	struct meshmsg_set_enrollment m = {.serial_index = en->job.serial,
		.node_id = en->job.node_id,
		.network_id = en->net->id,
		.network_key = keys.network.b,
		.user_base_key = keys.user_base.b,
		.organization_key = keys.organization.b,
		.node_key = node_key.b,
		.timeout_s = en->job.timeout_s,
		.only_if_unenrolled = en->only_if_unenrolled};
	enum err e = store_networks_keys(s, en->net->id, &keys);

	if (e == ERR_OK)
		e = store_nodes_key(s, en->job.row, &node_key);
	if (e == ERR_OK)
		e = meshmsg_encode_set_enrollment(w, route, &m);
	bytes_wipe(&keys, sizeof(keys));
	secret16_wipe(&node_key);
	return e;
}

enum err request_build(
	struct entry *en, uint16_t receiver, uint8_t out[MESH_MESSAGE_MAX], size_t *n)
{
	struct meshmsg_route route = {
		.sender = MESH_GATEWAY_ID, .receiver = receiver, .request_handle = en->job.handle};
	struct wr w = wr_init(out, MESH_MESSAGE_MAX);
	enum err e;

	if (en->job.task == JOB_TASK_SET_NETWORK)
		e = meshmsg_encode_set_network(&w, route, en->job.preferred_network);
	else if (en->job.state == JOB_REMOVING)
		e = meshmsg_encode_remove_enrollment(&w, route, en->job.serial);
	else
		e = build_enrollment(en, route, &w);
	*n = w.len_bytes;
	return e;
}

/* --- sending ---------------------------------------------------------------------------------- */

static enum err send_on(struct net *net, struct span msg)
{
	if (!net->session)
		return ERR_STATE;
	return mesh_send(net->session, msg);
}

static uint16_t receiver_of(const struct entry *en)
{
	return en->job.method == JOB_METHOD_BROADCAST ? 0 : en->job.helper;
}

struct net *overmesh_source(const struct entry *en)
{
	uint16_t id = en->from_network == NODE_FROM_ANY ? en->advert_network : en->from_network;

	return id != 0 ? runner_net(en->runner, id) : NULL;
}

struct net *overmesh_other(const struct entry *en)
{
	struct net *net = overmesh_source(en);

	return net && attach_is_open(net) ? net : NULL;
}

/* Where the node listens: a helper in its new network; in person, in the one that it is in. Unless
 * we hear it, nobody knows which that is after a lost answer: then in turns. */
static struct net *way_of(const struct entry *en)
{
	struct net *other = job_is_direct_only(&en->job) ? overmesh_other(en) : NULL;
	bool own = attach_is_open(en->net) && !job_in_range(&en->job, runner_now(en->runner));

	return other && (!own || en->job.tries % 2 == 1) ? other : en->net;
}

void overmesh_send(struct entry *en)
{
	uint8_t buf[MESH_MESSAGE_MAX];
	size_t n = 0;
	enum err e = request_build(en, receiver_of(en), buf, &n);

	en->via = way_of(en);
	if (e == ERR_OK)
		e = send_on(en->via, (struct span){buf, n});
	bytes_wipe(buf, sizeof(buf));
	if (e == ERR_OK)
		return;
	log_warn("request_not_sent error=\"%s\"", err_text(e));
	runner_apply(en, &(struct job_event){.type = JOB_EVENT_LINK_LOST});
}

void overmesh_survey(struct net *net, const struct schedule_pick *pick)
{
	struct meshmsg_route route = {.sender = MESH_GATEWAY_ID, .request_handle = SURVEY_HANDLE};
	struct meshmsg_serials m = {.count = (uint8_t)pick->count};
	uint8_t buf[MESH_MESSAGE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	enum err e;

	for (size_t i = 0; i < pick->count; i++)
		m.index[i] = pick->serials[i];
	e = meshmsg_encode_request_proposals(&w, route, &m);
	if (e == ERR_OK)
		e = send_on(net, (struct span){buf, w.len_bytes});
	if (e != ERR_OK)
		log_warn("survey_not_sent error=\"%s\"", err_text(e));
	schedule_surveyed(&net->schedule, pick, runner_now(net->runner));
}

static bool count_joined(void *ctx, const struct node_row *row)
{
	struct net *net = ctx;

	if (row->device_type != MESHADV_DEVICE_ASSET) /* assets are no members */
		net->joined++;
	return true;
}

/* How many nodes the mesh is to have, so that an idle one looks for newcomers (§8.2): those that
 * are there or have joined, whichever is more (a mesh that fell apart must find its parts), and
 * those that are on their way. 0: not known. */
static uint16_t count_nodes(struct net *net)
{
	const struct nodes_filter joined = {.network_id = net->id, .state = JOB_JOINED};
	unsigned count;

	net->joined = 0;
	if (net->cluster_size == 0 || store_nodes_list(net->runner->config.store, &joined, 0,
					      count_joined, net) != ERR_OK)
		return 0;
	count = net->joined > net->cluster_size ? net->joined : net->cluster_size;
	for (size_t i = 0; i < net->job_count; i++)
		count += net->jobs[i]->state == JOB_SAVED;
	return count <= UINT16_MAX ? (uint16_t)count : UINT16_MAX;
}

void overmesh_count_changed(struct net *net)
{
	net->count_due = true;
	overmesh_count(net);
}

void overmesh_count(struct net *net)
{
	struct meshmsg_route route = {.sender = MESH_GATEWAY_ID};
	uint8_t buf[MESH_MESSAGE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	uint16_t count;

	if (!net->count_due || !attach_is_open(net))
		return;
	count = count_nodes(net);
	if (count == 0)
		return; /* the first cluster info brings us here again */
	if (meshmsg_encode_enrolled_nodes(&w, route, MESHMSG_SET_ENROLLED_NODES, count) != ERR_OK ||
		send_on(net, (struct span){buf, w.len_bytes}) != ERR_OK) {
		log_debug("enrolled_nodes_not_sent network=%u", net->id);
		return;
	}
	net->count_due = false;
	net->count_told = count;
}

/* --- receiving -------------------------------------------------------------------------------- */

/* By serial first, by handle second (design, law 4). */
static void on_response(struct runner *r, const struct meshmsg *msg)
{
	struct meshmsg_enroll_response m;
	struct job_event e = {.type = JOB_EVENT_ANSWER};
	struct entry *en;

	if (meshmsg_decode_enroll_response(msg, &m) != ERR_OK)
		return;
	en = runner_find(r, m.serial_index);
	if (!en)
		return;
	if (msg->request_handle != en->job.handle &&
		!(msg->request_handle == 0 && m.code == PREENROLLMENT_FAILED))
		return;
	e.code = m.code;
	e.removal = m.is_removal;
	runner_apply(en, &e);
	runner_kick(r);
}

/* It names no serial: it is about the node that we are connected to. */
static void on_set_network_response(struct entry *en, const struct meshmsg *msg)
{
	struct job_event e = {.type = JOB_EVENT_ANSWER, .moved = true};

	if (msg->request_handle != en->job.handle ||
		meshmsg_decode_set_network_response(msg, &e.code) != ERR_OK)
		return;
	runner_apply(en, &e);
	runner_kick(en->runner);
}

static void sighted(struct runner *r, uint32_t serial, uint16_t helper)
{
	struct entry *en = runner_find(r, serial);

	if (!en || helper < NODE_ID_MIN || helper > NODE_ID_MAX)
		return;
	runner_apply(en, &(struct job_event){.type = JOB_EVENT_SIGHTED, .helper = helper});
	runner_kick(r);
}

static void on_proposals_response(struct runner *r, const struct meshmsg *msg)
{
	uint32_t serial;

	if (meshmsg_decode_proposals_response(msg, &serial) == ERR_OK)
		sighted(r, serial, msg->sender);
}

static void on_proposal(struct runner *r, const struct meshmsg *msg)
{
	struct meshmsg_serials m;

	if (meshmsg_decode_proposal(msg, &m) != ERR_OK)
		return;
	for (size_t i = 0; i < m.count; i++)
		sighted(r, m.index[i], msg->sender);
}

static void on_cluster(struct net *net, const struct meshmsg *msg)
{
	struct meshmsg_cluster_info m;

	if (meshmsg_decode_cluster_info(msg, &m) != ERR_OK || m.cluster_size <= 0)
		return;
	if (net->cluster_size == 0)
		attach_on_voice(net);
	net->cluster_size = (uint16_t)m.cluster_size;
	if (net->count_told != 0 && count_nodes(net) != net->count_told)
		net->count_due = true;
	overmesh_count(net);
}

/* False: nothing that a runner waits for. */
static bool take(struct net *net, const struct meshmsg *msg)
{
	struct runner *r = net->runner;

	if (msg->kind == MESHMSG_ENROLLMENT_RESPONSE ||
		msg->kind == MESHMSG_REMOVE_ENROLLMENT_RESPONSE)
		on_response(r, msg);
	else if (msg->kind == MESHMSG_PROPOSALS_RESPONSE)
		on_proposals_response(r, msg);
	else if (msg->kind == MESHMSG_ENROLLMENT_PROPOSAL)
		on_proposal(r, msg);
	else if (msg->kind == MESHMSG_DEVICE_INFO)
		verify_on_info(net, msg);
	else if (msg->kind == MESHMSG_CLUSTER_INFO)
		on_cluster(net, msg);
	else
		return false;
	return true;
}

/* What meshops asks for is no surprise either. */
static bool is_answer(const struct meshmsg *msg)
{
	return msg->kind == MESHMSG_STATUS || msg->kind == MESHMSG_ENROLLED_NODES;
}

void runner_on_message(struct net *net, struct span bytes)
{
	struct meshmsg msg;

	if (meshmsg_decode(bytes.p, bytes.n, &msg) != ERR_OK ||
		(!take(net, &msg) && !is_answer(&msg)))
		net->runner->ignored++;
}

static bool is_its_own_answer(const struct entry *en, const struct meshmsg *msg)
{
	struct meshmsg_enroll_response m;

	return (msg->kind == MESHMSG_ENROLLMENT_RESPONSE ||
		       msg->kind == MESHMSG_REMOVE_ENROLLMENT_RESPONSE) &&
	       meshmsg_decode_enroll_response(msg, &m) == ERR_OK &&
	       m.serial_index == en->job.serial;
}

/* Its cluster, which it tells of its own accord (mesh-protocol §3.8), is not the network's. */
void runner_on_direct(struct entry *en, struct span bytes)
{
	struct meshmsg msg;
	enum err e = meshmsg_decode(bytes.p, bytes.n, &msg);

	if (e == ERR_OK && msg.kind == MESHMSG_SET_NETWORK_RESPONSE)
		on_set_network_response(en, &msg);
	else if (e == ERR_OK && is_its_own_answer(en, &msg))
		on_response(en->runner, &msg);
	else if (e != ERR_OK || msg.kind != MESHMSG_CLUSTER_INFO)
		en->runner->ignored++;
}
