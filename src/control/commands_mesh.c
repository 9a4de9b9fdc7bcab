/* MeshProposals, MeshNodes, MeshSetEnrolledNodes: questions to a mesh, answered as answers come. */
#include <stdio.h>
#include <string.h>

#include "control/command.h"
#include "control/commands.h"
#include "enr/serial.h"
#include "enroll/meshops.h"

/* --- replies ----------------------------------------------------------------------------- */

static void put_uint_if(struct command_call *c, json_t *o, const char *key, bool known, uint64_t v)
{
	put_json(c, o, key, known ? json_integer((json_int_t)v) : json_null());
}

static void put_whose(struct command_call *c, json_t *o, const struct meshops_result *r)
{
	char serial[SERIAL_TEXT_SIZE];

	serial_print(r->serial, serial);
	put_text(c, o, "serial", serial[0] ? serial : NULL);
	put_text(c, o, "name", r->is_ours && r->name[0] ? r->name : NULL);
	put_text(c, o, "state", r->is_ours ? job_state_name(r->state) : NULL);
}

static const char *proposal_event(enum meshops_kind kind)
{
	return kind == MESHOPS_ROUND ? "round" : kind == MESHOPS_PROPOSAL ? "proposal" : "end";
}

static void put_proposal(struct command_call *c, const struct meshops_result *r)
{
	bool heard = r->kind == MESHOPS_PROPOSAL;

	put_text(c, c->out, "event", proposal_event(r->kind));
	put_uint(c, c->out, "network_id", r->network_id);
	put_uint_if(c, c->out, "round", r->rounds > 0, r->round);
	put_uint_if(c, c->out, "rounds", r->rounds > 0, r->rounds);
	put_uint(c, c->out, "heard", r->answered);
	put_uint(c, c->out, "asked", r->expected);
	put_whose(c, c->out, r);
	put_uint_if(c, c->out, "node_id", heard, r->node_id);
	put_json(c, c->out, "unsolicited", heard ? json_boolean(r->unsolicited) : json_null());
}

static void put_info(struct command_call *c, json_t *o, const struct meshmsg_device_info *i)
{
	char version[24] = "", address[18] = "";

	if (i) {
		(void)snprintf(version, sizeof(version), "%u.%u.%u", i->node_version / 10000000,
			i->node_version / 10000 % 1000, i->node_version % 10000);
		(void)snprintf(address, sizeof(address), "%02X:%02X:%02X:%02X:%02X:%02X",
			i->address[5], i->address[4], i->address[3], i->address[2], i->address[1],
			i->address[0]);
	}
	put_text(c, o, "device_type", i ? nodes_device_type_name(i->device_type) : NULL);
	put_text(c, o, "version", i ? version : NULL);
	put_text(c, o, "address", i ? address : NULL);
}

static void put_status(struct command_call *c, json_t *o, const struct meshmsg_status *s)
{
	static const struct meshmsg_status none;
	const struct meshmsg_status *v = s ? s : &none;
	bool linked = s && s->in_connection_partner != 0;

	put_uint_if(c, o, "battery_dv", s, v->battery_dv);
	put_json(c, o, "cluster_size", s ? json_integer(v->cluster_size) : json_null());
	put_uint_if(c, o, "free_in", s, v->free_in);
	put_uint_if(c, o, "free_out", s, v->free_out);
	put_uint_if(c, o, "losses", s, v->connection_loss_count);
	put_uint_if(c, o, "in_partner", linked, v->in_connection_partner);
	put_json(c, o, "in_rssi_dbm",
		linked ? json_integer(v->in_connection_rssi_dbm) : json_null());
	put_json(c, o, "initialized", s ? json_boolean(v->is_initialized) : json_null());
}

static void put_member(struct command_call *c, const struct meshops_result *r)
{
	json_t *o = put_object(c, c->out, "node");

	put_uint(c, o, "node_id", r->node_id);
	put_whose(c, o, r);
	put_text(c, o, "answer",
		r->info && r->status   ? "full"
		: r->info || r->status ? "part"
				       : "none");
	put_info(c, o, r->info);
	put_status(c, o, r->status);
}

static void put_nodes(struct command_call *c, const struct meshops_result *r)
{
	bool node = r->kind == MESHOPS_NODE;

	put_text(c, c->out, "event",
		node                          ? "node"
		: r->kind == MESHOPS_PROGRESS ? "progress"
					      : "end");
	put_uint(c, c->out, "network_id", r->network_id);
	put_uint(c, c->out, "answered", r->answered);
	put_uint_if(c, c->out, "expected", r->expected > 0, r->expected);
	if (node)
		put_member(c, r);
	else
		put_text(c, c->out, "node", NULL);
}

/* --- the way out ------------------------------------------------------------------------- */

static enum err encode(struct varlink_buf *reply, const struct meshops_result *r, bool last,
	void (*put)(struct command_call *c, const struct meshops_result *r))
{
	struct command_call c = {.out = json_object()};
	enum err e = c.out ? ERR_OK : ERR_NOMEM;

	if (c.out)
		put(&c, r);
	if (c.no_memory)
		e = ERR_NOMEM;
	if (e == ERR_OK)
		e = varlink_encode_reply(reply, c.out, !last);
	json_decref(c.out);
	return e;
}

/* With the last reply the stream is gone. */
static void pass_on(struct stream *s, const struct meshops_result *r,
	void (*put)(struct command_call *c, const struct meshops_result *r))
{
	struct varlink_buf reply = {0};
	bool last = r->kind == MESHOPS_END;
	enum err e = r->error;

	if (e == ERR_OK)
		e = encode(&reply, r, last, put);
	else
		e = commands_encode_error(&reply, e,
			e == ERR_CLOSED
				? "the gateway node went away before it took the question: try "
				  "again when enrollctl status shows the link"
				: NULL);
	if (e != ERR_OK)
		varlink_buf_clear(&reply); /* out of memory: this one is lost */
	s->tell(s->arg, &reply, last);
	varlink_buf_clear(&reply);
}

static void on_proposal(void *arg, const struct meshops_result *r)
{
	pass_on(arg, r, put_proposal);
}

static void on_node(void *arg, const struct meshops_result *r)
{
	pass_on(arg, r, put_nodes);
}

static void cancel(void *task)
{
	meshops_cancel(task);
}

static enum err take_task(struct command_call *c, enum err e, struct meshops_task *t)
{
	if (e != ERR_OK)
		return e;
	c->stream->task = t;
	c->stream->cancel = cancel;
	return ERR_OK;
}

static enum err ask(
	struct command_call *c, unsigned network, meshops_fn *fn, struct meshops_asker *out)
{
	*out = (struct meshops_asker){.who = c->who,
		.network_id = (uint16_t)param_uint(c, network, 0),
		.fn = fn,
		.arg = c->stream};
	if (c->config->meshops)
		return ERR_OK;
	reason_set(&c->why, NULL,
		"enrolld has no radio: set link in the section [mesh] of enrolld.conf");
	return ERR_BUSY;
}

/* --- proposals --------------------------------------------------------------------------- */

#define PARAM_ROW_NETWORK                                 \
	{                                                 \
		"network_id", PARAM_UINT, false, 1, 65534 \
	}
#define PARAM_ROW_TIMEOUT                                                \
	{                                                                \
		"timeout_s", PARAM_UINT, false, 1, MESHOPS_TIMEOUT_S_MAX \
	}

enum { PROPOSALS_SERIALS, PROPOSALS_NETWORK, PROPOSALS_TIMEOUT };
const struct param mesh_proposals_params[] = {
	{"serials", PARAM_LIST, false, 0, MESHOPS_SERIALS_MAX},
	PARAM_ROW_NETWORK,
	PARAM_ROW_TIMEOUT,
	PARAM_ROW_END,
};

static enum err read_serials(
	struct command_call *c, uint32_t out[MESHOPS_SERIALS_MAX], size_t *count)
{
	const struct param_value *v = &c->params.v[PROPOSALS_SERIALS];

	*count = v->given ? v->n : 0;
	for (size_t i = 0; i < *count; i++) {
		const char *text = json_string_value(json_array_get(v->list, i));

		if (serial_parse(text, strlen(text), &out[i]) != ERR_OK)
			return refuse(c, "serials",
				"not a serial number: 5 or 7 of BCDFGHJKLMNPQRSTVWXYZ123456789");
	}
	return ERR_OK;
}

enum err command_mesh_proposals(struct command_call *c)
{
	uint32_t serials[MESHOPS_SERIALS_MAX];
	struct meshops_task *t = NULL;
	struct meshops_asker asker;
	size_t count;
	enum err e = read_serials(c, serials, &count);

	if (e == ERR_OK)
		e = ask(c, PROPOSALS_NETWORK, on_proposal, &asker);
	if (e == ERR_OK)
		e = meshops_proposals(c->config->meshops, &asker, serials, count,
			(uint32_t)param_uint(c, PROPOSALS_TIMEOUT, 0), &t, &c->why);
	return take_task(c, e, t);
}

/* --- nodes ------------------------------------------------------------------------------- */

enum { NODES_NETWORK, NODES_TIMEOUT };
const struct param mesh_nodes_params[] = {
	PARAM_ROW_NETWORK,
	PARAM_ROW_TIMEOUT,
	PARAM_ROW_END,
};

enum err command_mesh_nodes(struct command_call *c)
{
	struct meshops_task *t = NULL;
	struct meshops_asker asker;
	enum err e = ask(c, NODES_NETWORK, on_node, &asker);

	if (e == ERR_OK)
		e = meshops_nodes(c->config->meshops, &asker,
			(uint32_t)param_uint(c, NODES_TIMEOUT, 0), &t, &c->why);
	return take_task(c, e, t);
}

/* --- the number of nodes ----------------------------------------------------------------- */

enum { SET_COUNT, SET_NETWORK };
const struct param mesh_set_enrolled_nodes_params[] = {
	{"count", PARAM_UINT, true, 0, 65535},
	PARAM_ROW_NETWORK,
	PARAM_ROW_END,
};

static void put_setting(struct command_call *c, const struct meshops_result *r)
{
	put_uint(c, c->out, "network_id", r->network_id);
	put_uint(c, c->out, "count", r->count);
	put_uint(c, c->out, "confirmed", r->answered);
	put_uint_if(c, c->out, "expected", r->expected > 0, r->expected);
}

static void on_set(void *arg, const struct meshops_result *r)
{
	pass_on(arg, r, put_setting);
}

enum err command_mesh_set_enrolled_nodes(struct command_call *c)
{
	struct meshops_task *t = NULL;
	struct meshops_asker asker;
	enum err e = ask(c, SET_NETWORK, on_set, &asker);

	if (e == ERR_OK)
		e = meshops_set_enrolled_nodes(c->config->meshops, &asker, &c->now,
			(uint16_t)c->params.v[SET_COUNT].number, &t, &c->why);
	return take_task(c, e, t);
}
