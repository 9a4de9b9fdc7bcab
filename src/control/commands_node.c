/* NodeAdd, NodeList, NodeShow, NodeCancel, NodeRemove, NodeSetNetwork, NodeLabel. */
#include <string.h>

#include "control/command.h"
#include "enr/meshmsg.h"
#include "enr/qrlabel.h"
#include "enroll/nodes.h"

static void put_text_or_null(struct command_call *c, json_t *o, const char *key, const char *text)
{
	put_text(c, o, key, text && text[0] ? text : NULL);
}

static void put_id_or_null(struct command_call *c, json_t *o, const char *key, uint16_t id)
{
	put_json(c, o, key, id ? json_integer(id) : json_null());
}

/* 0 is an answer only in the states that such an answer leads to. */
static bool has_answered(const struct node_view *v)
{
	return v->code != 0 ||
	       (v->attempts > 0 && (v->state == JOB_SAVED || v->state == JOB_JOINED ||
					   v->state == JOB_REMOVED));
}

static void put_attempts(struct command_call *c, json_t *o, const struct node_view *v)
{
	bool answered = has_answered(v);

	put_text(c, o, "method", v->method == JOB_METHOD_NONE ? NULL : job_method_name(v->method));
	put_json(c, o, "code", answered ? json_integer(v->code) : json_null());
	put_text_or_null(c, o, "code_text", answered ? meshmsg_result_text(v->code) : NULL);
	put_json(c, o, "helper", v->helper ? json_integer(v->helper) : json_null());
	put_uint(c, o, "attempts", v->attempts);
}

static void put_node(struct command_call *c, json_t *o, const struct node_view *v)
{
	char serial[SERIAL_TEXT_SIZE], why[JOB_TEXT_SIZE];

	serial_print(v->serial, serial);
	job_explain(v->state, v->reason, v->code, why);
	put_text(c, o, "serial", serial);
	put_uint(c, o, "network_id", v->network_id);
	put_uint(c, o, "node_id", v->node_id);
	put_text(c, o, "device_type", nodes_device_type_name(v->device_type));
	put_text_or_null(c, o, "name", v->name);
	put_text(c, o, "state", job_state_name(v->state));
	put_text(c, o, "reason", v->reason == JOB_REASON_NONE ? NULL : job_reason_name(v->reason));
	put_text_or_null(c, o, "reason_text", why);
	put_attempts(c, o, v);
	put_uint(c, o, "timeout_s", v->timeout_s);
	put_bool(c, o, "only_if_unenrolled", v->only_if_unenrolled);
	put_bool(c, o, "nearby", v->nearby);
	put_id_or_null(
		c, o, "from_network", v->from_network == NODES_FROM_ANY ? 0 : v->from_network);
	put_text(c, o, "task", job_task_name(v->task));
	put_id_or_null(c, o, "preferred_network", v->preferred_network);
	put_at(c, o, "created_at", v->created_at);
	put_at(c, o, "changed_at", v->changed_at);
	put_at(c, o, "expires_at", v->expires_at);
	put_at(c, o, "next_try_at", v->next_try_at);
	put_text_or_null(c, o, "created_by", v->created_by);
}

/* --- add --------------------------------------------------------------------------------- */

enum {
	ADD_LABEL,
	ADD_SERIAL,
	ADD_NODE_KEY,
	ADD_NAME,
	ADD_NETWORK,
	ADD_LIFETIME,
	ADD_TIMEOUT,
	ADD_ASSET,
	ADD_WITHOUT_KEY,
	ADD_NODE_ID,
	ADD_NETWORK_KEY,
	ADD_USER_BASE_KEY,
	ADD_ORGANIZATION_KEY,
	ADD_FORCE,
	ADD_NEARBY,
	ADD_FROM
};
const struct param node_add_params[] = {
	{"label", PARAM_TEXT, false, 1, QR_LABEL_TEXT_MAX},
	{"serial", PARAM_TEXT, false, 5, 8},
	{"node_key", PARAM_HEX, false, 16, 16},
	PARAM_ROW_NAME,
	{"network_id", PARAM_UINT, false, 1, 65534},
	{"lifetime_s", PARAM_UINT, false, 1, NODES_LIFETIME_S_MAX},
	{"timeout_s", PARAM_UINT, false, JOB_TIMEOUT_S_MIN, JOB_TIMEOUT_S_MAX},
	{"asset", PARAM_BOOL, false, 0, 0},
	{"without_key", PARAM_BOOL, false, 0, 0},
	{"node_id", PARAM_UINT, false, 1, 57999},
	{"network_key", PARAM_HEX, false, 16, 16},
	{"user_base_key", PARAM_HEX, false, 16, 16},
	{"organization_key", PARAM_HEX, false, 16, 16},
	{"force", PARAM_BOOL, false, 0, 0},
	{"nearby", PARAM_BOOL, false, 0, 0},
	{"from_network", PARAM_UINT, false, 1, 65534},
	PARAM_ROW_END,
};

/* The network asked for; with one network alone, that one. */
static enum err network_of(struct command_call *c, uint16_t *out)
{
	*out = (uint16_t)param_uint(c, ADD_NETWORK, 0);
	return *out != 0 ? ERR_OK : nodes_network_only(c->config->nodes, out, &c->why);
}

/* Either a label or a serial number; a label brings the key and the device type with it. */
static enum err check_choice(struct command_call *c)
{
	const struct param_value *v = c->params.v;

	if (v[ADD_LABEL].given == v[ADD_SERIAL].given)
		return refuse(c, "label", "exactly one of label and serial is needed");
	if (v[ADD_LABEL].given && (v[ADD_NODE_KEY].given || v[ADD_ASSET].given))
		return refuse(c, v[ADD_NODE_KEY].given ? "node_key" : "asset",
			"the label says it already");
	if (v[ADD_WITHOUT_KEY].flag && (v[ADD_LABEL].given || v[ADD_NODE_KEY].given))
		return refuse(c, "without_key", "there is a key");
	return ERR_OK;
}

struct add_keys {
	struct secret16 node, network, user_base, organization;
};

/* The key of parameter i, kept in *keep; NULL when it was not given. */
static const struct secret16 *key_of(
	const struct command_call *c, unsigned i, struct secret16 *keep)
{
	if (!c->params.v[i].given)
		return NULL;
	memcpy(keep->b, c->params.v[i].b, sizeof(keep->b));
	return keep;
}

enum err command_node_add(struct command_call *c)
{
	const struct param_value *v = c->params.v;
	struct add_keys keys;
	struct node_request r = {
		.label = param_text(c, ADD_LABEL),
		.serial = param_text(c, ADD_SERIAL),
		.name = param_text(c, ADD_NAME),
		.lifetime_s = (uint32_t)param_uint(c, ADD_LIFETIME, 0),
		.timeout_s = (uint8_t)param_uint(c, ADD_TIMEOUT, 0),
		.asset = v[ADD_ASSET].flag,
		.force = v[ADD_FORCE].flag,
		.nearby = v[ADD_NEARBY].flag,
		.from_network = (uint16_t)param_uint(c, ADD_FROM, 0),
		.without_key = v[ADD_WITHOUT_KEY].flag,
		.node_id = (uint16_t)param_uint(c, ADD_NODE_ID, 0),
		.node_key = key_of(c, ADD_NODE_KEY, &keys.node),
		.network_key = key_of(c, ADD_NETWORK_KEY, &keys.network),
		.user_base_key = key_of(c, ADD_USER_BASE_KEY, &keys.user_base),
		.organization_key = key_of(c, ADD_ORGANIZATION_KEY, &keys.organization),
	};
	struct node_view view;
	enum err e = check_choice(c);

	if (e == ERR_OK)
		e = network_of(c, &r.network_id);
	if (e == ERR_OK)
		e = nodes_add(c->config->nodes, &c->now, c->who, &r, &view, &c->why);
	bytes_wipe(&keys, sizeof(keys));
	if (e == ERR_OK)
		put_node(c, put_object(c, c->out, "node"), &view);
	return e;
}

/* --- list -------------------------------------------------------------------------------- */

enum { LIST_NETWORK, LIST_STATE, LIST_AFTER, LIST_LIMIT };
const struct param node_list_params[] = {
	{"network_id", PARAM_UINT, false, 1, 65534},
	{"state", PARAM_TEXT, false, 1, 16},
	PARAM_ROW_AFTER,
	PARAM_ROW_LIMIT,
	PARAM_ROW_END,
};

struct listing {
	struct command_call *c;
	json_t *rows;
	size_t left;
	int64_t last;
	bool more;
};

static bool add_node(void *arg, const struct node_view *v)
{
	struct listing *l = arg;

	if (l->left == 0) {
		l->more = true;
		return false;
	}
	put_node(l->c, add_object(l->c, l->rows), v);
	l->left--;
	l->last = v->row;
	return true;
}

enum err command_node_list(struct command_call *c)
{
	struct nodes_query q = {
		.network_id = (uint16_t)param_uint(c, LIST_NETWORK, 0), .state = -1};
	struct listing l = {c, put_array(c, c->out, "nodes"),
		(size_t)param_uint(c, LIST_LIMIT, COMMAND_PAGE_DEFAULT), 0, false};
	enum job_state state;
	char table;
	enum err e = cursor_read(c, LIST_AFTER, "n", &table, &q.after);

	if (e == ERR_OK && c->params.v[LIST_STATE].given) {
		if (job_state_parse(param_text(c, LIST_STATE), &state) != ERR_OK)
			return refuse(c, "state", "not a state of nodes");
		q.state = (int)state;
	}
	if (e == ERR_OK)
		e = nodes_list(c->config->nodes, &c->now, c->who, &q, add_node, &l, &c->why);
	if (l.more)
		cursor_put(c, 'n', l.last);
	else
		put_text(c, c->out, "next", NULL);
	return e;
}

/* --- show, cancel, remove, set network
 * ---------------------------------------------------------------- */

enum { NODE_SERIAL };
const struct param node_serial_params[] = {
	{"serial", PARAM_TEXT, true, 5, 8},
	PARAM_ROW_END,
};

enum err command_node_show(struct command_call *c)
{
	struct node_view v;
	enum err e = nodes_show(
		c->config->nodes, &c->now, c->who, param_text(c, NODE_SERIAL), &v, &c->why);

	if (e == ERR_OK)
		put_node(c, put_object(c, c->out, "node"), &v);
	return e;
}

enum err command_node_cancel(struct command_call *c)
{
	struct node_view v;
	enum err e = nodes_cancel(
		c->config->nodes, &c->now, c->who, param_text(c, NODE_SERIAL), &v, &c->why);

	if (e == ERR_OK)
		put_node(c, put_object(c, c->out, "node"), &v);
	return e;
}

enum err command_node_remove(struct command_call *c)
{
	struct node_view v;
	enum err e = nodes_remove(
		c->config->nodes, &c->now, c->who, param_text(c, NODE_SERIAL), &v, &c->why);

	if (e == ERR_OK)
		put_node(c, put_object(c, c->out, "node"), &v);
	return e;
}

/* --- label ------------------------------------------------------------------------------- */

enum err command_node_label(struct command_call *c)
{
	char label[QR_LABEL_PRINT_MAX] = "";
	enum err e = nodes_label(
		c->config->nodes, &c->now, c->who, param_text(c, NODE_SERIAL), label, &c->why);

	if (e == ERR_OK) {
		put_text(c, c->out, "serial", param_text(c, NODE_SERIAL));
		put_text(c, c->out, "label", label);
	}
	bytes_wipe(label, sizeof(label));
	return e;
}

enum { MOVE_SERIAL, MOVE_NETWORK };
const struct param node_set_network_params[] = {
	{"serial", PARAM_TEXT, true, 5, 8},
	{"network_id", PARAM_UINT, true, 1, 65534},
	PARAM_ROW_END,
};

enum err command_node_set_network(struct command_call *c)
{
	struct node_view v;
	enum err e = nodes_set_network(c->config->nodes, &c->now, c->who,
		param_text(c, MOVE_SERIAL), (uint16_t)param_uint(c, MOVE_NETWORK, 0), &v, &c->why);

	if (e == ERR_OK)
		put_node(c, put_object(c, c->out, "node"), &v);
	return e;
}
