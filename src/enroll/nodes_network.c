/* The rules for networks (enroll/nodes.h). */
#include <string.h>

#include "core/utf8.h"
#include "enr/crypto.h"
#include "enroll/audit.h"
#include "enroll/nodes_room.h"
#include "store/networks.h"

#define IMPORTED_FIRST_NODE_ID 1000

_Static_assert(sizeof(((struct network_row *)0)->name) == NODES_NAME_SIZE, "one size of names");

static enum err view_network(
	struct nodes *n, const struct network_row *row, struct network_view *out)
{
	struct network_counts counts = {0};
	enum err e = store_networks_count(n->store, row->id, &counts);

	*out = (struct network_view){.id = row->id,
		.gateway_serial = row->gateway_serial,
		.created_at = row->created_at,
		.nodes = counts.nodes,
		.joined = counts.joined};
	memcpy(out->name, row->name, sizeof(out->name));
	return e;
}

/* The given key, or a random one that is neither 00 nor FF. */
static enum err take_key(struct nodes *n, const struct secret16 *given, const char *field,
	struct secret16 *out, struct reason *why)
{
	if (given) {
		*out = *given;
		if (secret16_is_unset(out))
			return nodes_refuse(
				why, ERR_INVALID, field, "a key of all 00 or all FF is no key");
		return ERR_OK;
	}
	do {
		enum err e = n->crypto->random(n->crypto->ctx, out->b, sizeof(out->b));

		if (e != ERR_OK)
			return nodes_refuse(why, e, NULL, "no random numbers");
	} while (secret16_is_unset(out));
	return ERR_OK;
}

static enum err take_keys(struct nodes *n, const struct network_request *req,
	struct network_keys *out, struct reason *why)
{
	enum err e = take_key(n, req->network_key, "network_key", &out->network, why);

	if (e == ERR_OK)
		e = take_key(n, req->user_base_key, "user_base_key", &out->user_base, why);
	if (e == ERR_OK)
		e = take_key(n, req->organization_key, "organization_key", &out->organization, why);
	return e;
}

static enum err check_network(const struct network_request *req, struct reason *why)
{
	if (req->id < 1 || req->id > 65534)
		return nodes_refuse(why, ERR_INVALID, "id", "network ids are 1 to 65534");
	if (req->name && !nodes_name_ok(req->name))
		return nodes_refuse(why, ERR_INVALID, "name",
			"at most 64 bytes of UTF-8 without control characters");
	if (req->first_node_id > NODE_ID_MAX)
		return nodes_refuse(why, ERR_INVALID, "first_node_id", "node ids are 1 to 1999");
	return ERR_OK;
}

static enum err audit_network(struct nodes *n, const char *event, const struct caller *who,
	uint16_t id, const struct clock_now *now)
{
	struct audit a;

	audit_start(&a, event, who);
	audit_u64(&a, "network", id);
	return audit_write(&a, n->store, now->wall_s);
}

static enum err insert_network(struct nodes *n, const struct clock_now *now,
	const struct network_request *req, struct network_row *row, struct reason *why)
{
	struct network_keys keys = {0};
	enum err e = take_keys(n, req, &keys, why);

	if (e != ERR_OK) {
		bytes_wipe(&keys, sizeof(keys));
		return e;
	}
	*row = (struct network_row){.id = req->id,
		.first_node_id = req->first_node_id,
		.gateway_serial = req->gateway_serial,
		.created_at = now->wall_s};
	if (row->first_node_id == 0)
		row->first_node_id = req->network_key ? IMPORTED_FIRST_NODE_ID : NODE_ID_MIN;
	if (req->name)
		memcpy(row->name, req->name, strlen(req->name) + 1);
	e = store_networks_insert(n->store, row, &keys);
	bytes_wipe(&keys, sizeof(keys));
	if (e == ERR_CONFLICT)
		return nodes_refuse(why, e, "id", "this network is there already");
	return nodes_explain(why, e);
}

enum err nodes_network_add(struct nodes *n, const struct clock_now *now, const struct caller *who,
	const struct network_request *req, struct network_view *out, struct reason *why)
{
	struct network_row row;
	enum err e = nodes_need(who, ROLE_ADMIN, why);

	if (e == ERR_OK)
		e = check_network(req, why);
	if (e == ERR_OK)
		e = insert_network(n, now, req, &row, why);
	if (e == ERR_OK)
		e = nodes_explain(why, view_network(n, &row, out));
	if (e != ERR_OK)
		return e;
	if (n->changed)
		n->changed(n->ctx, NULL);
	return nodes_explain(why, audit_network(n, "network_added", who, req->id, now));
}

struct network_each {
	struct nodes *nodes;
	bool (*each)(void *ctx, const struct network_view *v);
	void *ctx;
	enum err e;
};

static bool each_network(void *ctx, const struct network_row *row)
{
	struct network_each *f = ctx;
	struct network_view v;

	f->e = view_network(f->nodes, row, &v);
	return f->e == ERR_OK && f->each(f->ctx, &v);
}

enum err nodes_network_list(struct nodes *n, const struct caller *who,
	bool (*each)(void *ctx, const struct network_view *v), void *ctx, struct reason *why)
{
	struct network_each f = {n, each, ctx, ERR_OK};
	enum err e = nodes_need(who, ROLE_OBSERVER, why);

	if (e != ERR_OK)
		return e;
	e = store_networks_list(n->store, 0, each_network, &f);
	return nodes_explain(why, e == ERR_OK ? f.e : e);
}

enum err nodes_network_only(struct nodes *n, uint16_t *out, struct reason *why)
{
	unsigned count;
	enum err e = store_networks_only(n->store, out, &count);

	if (e != ERR_OK)
		return nodes_explain(why, e);
	if (count == 0)
		return nodes_refuse(why, ERR_INVALID, "network_id", "there is no network yet");
	if (count > 1)
		return nodes_refuse(
			why, ERR_INVALID, "network_id", "missing: there are several networks");
	return ERR_OK;
}

enum err nodes_get_network(
	struct nodes *n, uint16_t id, struct network_row *out, struct reason *why)
{
	enum err e = store_networks_get(n->store, id, out);

	if (e == ERR_NOT_FOUND)
		return nodes_refuse(why, e, "network_id", "there is no such network");
	return nodes_explain(why, e);
}

enum err nodes_network_show(struct nodes *n, const struct caller *who, uint16_t id,
	struct network_view *out, struct reason *why)
{
	struct network_row row;
	enum err e = nodes_need(who, ROLE_OBSERVER, why);

	if (e == ERR_OK)
		e = nodes_get_network(n, id, &row, why);
	if (e == ERR_OK)
		e = nodes_explain(why, view_network(n, &row, out));
	return e;
}

enum err nodes_network_keys(struct nodes *n, const struct clock_now *now, const struct caller *who,
	uint16_t id, struct network_secrets *out, struct reason *why)
{
	struct network_row row;
	struct network_keys keys = {0};
	enum err e = nodes_need(who, ROLE_ADMIN, why);

	memset(out, 0, sizeof(*out));
	if (e == ERR_OK)
		e = nodes_get_network(n, id, &row, why);
	if (e == ERR_OK)
		e = audit_network(n, "network_keys_revealed", who, id, now);
	if (e == ERR_OK)
		e = store_networks_keys(n->store, id, &keys);
	if (e == ERR_OK)
		*out = (struct network_secrets){keys.network, keys.user_base, keys.organization};
	bytes_wipe(&keys, sizeof(keys));
	return nodes_explain(why, e);
}

enum err nodes_network_remove(struct nodes *n, const struct clock_now *now,
	const struct caller *who, uint16_t id, struct reason *why)
{
	struct network_row row;
	enum err e = nodes_need(who, ROLE_ADMIN, why);

	if (e == ERR_OK)
		e = nodes_get_network(n, id, &row, why);
	if (e != ERR_OK)
		return e;
	e = store_networks_delete(n->store, id);
	if (e == ERR_STATE)
		return nodes_refuse(
			why, ERR_CONFLICT, "id", "nodes are in it: remove or cancel them first");
	if (e == ERR_OK)
		e = audit_network(n, "network_removed", who, id, now);
	if (e == ERR_OK && n->changed)
		n->changed(n->ctx, NULL);
	return nodes_explain(why, e);
}
