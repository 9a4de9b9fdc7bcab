/* NetworkAdd, NetworkList, NetworkShow, NetworkRemove, NetworkAppKey. */
#include <string.h>

#include "control/command.h"
#include "enr/meshsec.h"
#include "enr/serial.h"
#include "enroll/nodes.h"

#define NETWORK_ID_MAX 65534

static void put_network(struct command_call *c, json_t *o, const struct network_view *v)
{
	char gateway[SERIAL_TEXT_SIZE];

	serial_print(v->gateway_serial, gateway);
	put_uint(c, o, "id", v->id);
	put_text(c, o, "name", v->name[0] ? v->name : NULL);
	put_text(c, o, "gateway", gateway[0] ? gateway : NULL);
	put_at(c, o, "created_at", v->created_at);
	put_uint(c, o, "nodes", v->nodes);
	put_uint(c, o, "joined", v->joined);
}

/* --- add --------------------------------------------------------------------------------- */

enum {
	ADD_ID,
	ADD_NAME,
	ADD_NETWORK_KEY,
	ADD_USER_BASE_KEY,
	ADD_ORGANIZATION_KEY,
	ADD_FIRST,
	ADD_GATEWAY
};
const struct param network_add_params[] = {
	{"id", PARAM_UINT, true, 1, NETWORK_ID_MAX},
	PARAM_ROW_NAME,
	{"network_key", PARAM_HEX, false, 16, 16},
	{"user_base_key", PARAM_HEX, false, 16, 16},
	{"organization_key", PARAM_HEX, false, 16, 16},
	{"first_node_id", PARAM_UINT, false, 1, 1999},
	{"gateway", PARAM_TEXT, false, 5, 8},
	PARAM_ROW_END,
};

struct keys {
	struct secret16 k[3];
};

/* The key of parameter i, kept in *keep; NULL when it is to be generated. */
static const struct secret16 *key_of(
	const struct command_call *c, unsigned i, struct secret16 *keep)
{
	if (!c->params.v[i].given)
		return NULL;
	memcpy(keep->b, c->params.v[i].b, sizeof(keep->b));
	return keep;
}

static enum err gateway_of(struct command_call *c, uint32_t *out)
{
	const char *text = param_text(c, ADD_GATEWAY);

	*out = SERIAL_INDEX_INVALID;
	if (!text)
		return ERR_OK;
	return serial_parse(text, strlen(text), out) == ERR_OK
		       ? ERR_OK
		       : refuse(c, "gateway", "not a serial number");
}

enum err command_network_add(struct command_call *c)
{
	struct keys keys;
	struct network_request r = {
		.id = (uint16_t)param_uint(c, ADD_ID, 0),
		.name = param_text(c, ADD_NAME),
		.network_key = key_of(c, ADD_NETWORK_KEY, &keys.k[0]),
		.user_base_key = key_of(c, ADD_USER_BASE_KEY, &keys.k[1]),
		.organization_key = key_of(c, ADD_ORGANIZATION_KEY, &keys.k[2]),
		.first_node_id = (uint16_t)param_uint(c, ADD_FIRST, 0),
	};
	struct network_view v;
	enum err e = gateway_of(c, &r.gateway_serial);

	if (e == ERR_OK)
		e = nodes_network_add(c->config->nodes, &c->now, c->who, &r, &v, &c->why);
	bytes_wipe(&keys, sizeof(keys));
	if (e == ERR_OK)
		put_network(c, put_object(c, c->out, "network"), &v);
	return e;
}

/* --- list, show, remove ------------------------------------------------------------------ */

struct listing {
	struct command_call *c;
	json_t *rows;
};

static bool add_network(void *arg, const struct network_view *v)
{
	struct listing *l = arg;

	put_network(l->c, add_object(l->c, l->rows), v);
	return true;
}

enum err command_network_list(struct command_call *c)
{
	struct listing l = {c, put_array(c, c->out, "networks")};

	return nodes_network_list(c->config->nodes, c->who, add_network, &l, &c->why);
}

enum { NETWORK_ID, NETWORK_REVEAL };
const struct param network_id_params[] = {
	{"id", PARAM_UINT, true, 1, NETWORK_ID_MAX},
	PARAM_ROW_END,
};
const struct param network_show_params[] = {
	{"id", PARAM_UINT, true, 1, NETWORK_ID_MAX},
	{"reveal_keys", PARAM_BOOL, false, 0, 0},
	PARAM_ROW_END,
};

/* The keys leave only on explicit demand of an admin; the rule writes it to the audit log. */
static enum err put_keys(struct command_call *c, json_t *o, uint16_t id)
{
	struct network_secrets k;
	enum err e = nodes_network_keys(c->config->nodes, &c->now, c->who, id, &k, &c->why);

	if (e == ERR_OK) {
		put_hex(c, o, "network_key", k.network_key.b, 16);
		put_hex(c, o, "user_base_key", k.user_base_key.b, 16);
		put_hex(c, o, "organization_key", k.organization_key.b, 16);
	}
	bytes_wipe(&k, sizeof(k));
	return e;
}

enum err command_network_show(struct command_call *c)
{
	uint16_t id = (uint16_t)param_uint(c, NETWORK_ID, 0);
	struct network_view v;
	enum err e = nodes_network_show(c->config->nodes, c->who, id, &v, &c->why);
	json_t *o;

	if (e != ERR_OK)
		return e;
	o = put_object(c, c->out, "network");
	put_network(c, o, &v);
	return c->params.v[NETWORK_REVEAL].flag ? put_keys(c, o, id) : ERR_OK;
}

enum err command_network_remove(struct command_call *c)
{
	uint16_t id = (uint16_t)param_uint(c, NETWORK_ID, 0);

	return nodes_network_remove(c->config->nodes, &c->now, c->who, id, &c->why);
}

/* --- keys for apps ----------------------------------------------------------------------- */

enum { APP_ID, APP_KEY_ID, APP_RESTRAINED };
const struct param network_app_key_params[] = {
	{"id", PARAM_UINT, true, 1, NETWORK_ID_MAX},
	{"key_id", PARAM_UINT, false, MESHSEC_KEY_USER_FIRST, MESHSEC_KEY_USER_LAST},
	{"restrained", PARAM_TEXT, false, 5, 8},
	PARAM_ROW_END,
};

enum err command_network_app_key(struct command_call *c)
{
	uint16_t id = (uint16_t)param_uint(c, APP_ID, 0);
	uint32_t key_id = (uint32_t)param_uint(c, APP_KEY_ID, MESHSEC_KEY_RESTRAINED);
	const char *serial = param_text(c, APP_RESTRAINED);
	struct nodes *nodes = c->config->nodes;
	struct secret16 key;
	enum err e;

	if (c->params.v[APP_KEY_ID].given == (serial != NULL))
		return refuse(c, "key_id", "exactly one of key_id and restrained is needed");
	e = serial ? nodes_restrained_key(nodes, &c->now, c->who, id, serial, &key, &c->why)
		   : nodes_user_key(nodes, &c->now, c->who, id, key_id, &key, &c->why);
	if (e == ERR_OK) {
		put_uint(c, c->out, "key_id", key_id);
		put_hex(c, c->out, "key", key.b, sizeof(key.b));
	}
	secret16_wipe(&key);
	return e;
}
