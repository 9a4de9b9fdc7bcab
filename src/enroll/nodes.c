/* The rules for nodes (enroll/nodes.h). */
#include "enroll/nodes.h"

#include <stdlib.h>
#include <string.h>

#include "base/svctime.h"
#include "core/utf8.h"
#include "enr/crypto.h"
#include "enr/meshadv.h"
#include "enr/qrlabel.h"
#include "enr/serial.h"
#include "enroll/audit.h"
#include "enroll/nodes_keep.h"
#include "enroll/nodes_room.h"
#include "store/networks.h"
#include "store/nodes.h"
#include "store/times.h"

struct nodes *nodes_new(struct store *s, const struct crypto *crypto)
{
	struct nodes *n = calloc(1, sizeof(*n));

	if (n)
		*n = (struct nodes){
			.store = s, .crypto = crypto, .lifetime_s = NODES_LIFETIME_S_DEFAULT};
	return n;
}

void nodes_set_lifetime(struct nodes *n, uint32_t lifetime_s)
{
	n->lifetime_s = lifetime_s;
}

void nodes_free(struct nodes *n)
{
	free(n);
}

void nodes_set_hook(
	struct nodes *n, void (*changed)(void *ctx, const struct node_row *row), void *ctx)
{
	n->changed = changed;
	n->ctx = ctx;
}

static enum err service_time(struct nodes *n, const struct clock_now *now, struct svctime *out)
{
	struct svctime earlier;
	enum err e = times_get(n->store, &earlier);

	if (e == ERR_OK)
		(void)svctime_advance(&earlier, now, out);
	return e;
}

/* --- shared (nodes_room.h) ------------------------------------------------------------- */

enum err nodes_refuse(struct reason *why, enum err e, const char *field, const char *text)
{
	reason_set(why, field, "%s", text);
	return e;
}

enum err nodes_explain(struct reason *why, enum err e)
{
	if (e != ERR_OK)
		reason_set(why, NULL, "%s", err_text(e));
	return e;
}

enum err nodes_need(const struct caller *who, enum role role, struct reason *why)
{
	if (who->role >= role)
		return ERR_OK;
	return nodes_refuse(why, ERR_DENIED, NULL,
		role == ROLE_ADMIN ? "only an administrator may do that" : "you may not do that");
}

bool nodes_name_ok(const char *name)
{
	return strlen(name) < NODES_NAME_SIZE && utf8_is_printable(name, strlen(name));
}

_Static_assert(sizeof(((struct node_row *)0)->name) == NODES_NAME_SIZE, "one size of names");

/* --- nodes: views ---------------------------------------------------------------------------- */

static uint64_t to_wall(const struct svctime *now, uint64_t service_ms)
{
	return svctime_to_wall(now, service_ms / 1000);
}

static void view_node(const struct node_row *row, const struct svctime *now, struct node_view *out)
{
	const struct job *job = &row->job;

	*out = (struct node_view){.row = job->row,
		.serial = job->serial,
		.network_id = row->network_id,
		.node_id = job->node_id,
		.device_type = row->device_type,
		.state = job->state,
		.reason = job->reason,
		.method = job->method,
		.code = job->code,
		.helper = job->helper,
		.attempts = job->attempts,
		.timeout_s = job->timeout_s,
		.only_if_unenrolled = row->only_if_unenrolled,
		.nearby = row->nearby,
		.from_network = row->from_network,
		.task = job->task,
		.preferred_network = job->preferred_network,
		.created_at = row->created_at,
		.changed_at = row->changed_at,
		.expires_at = job_is_over(job->state) ? 0 : to_wall(now, job->expires_ms)};
	if (job->state == JOB_WAITING && job->next_try_ms > now->service_ms)
		out->next_try_at = to_wall(now, job->next_try_ms);
	memcpy(out->name, row->name, sizeof(out->name));
	memcpy(out->created_by, row->created_by, sizeof(out->created_by));
}

const char *nodes_device_type_name(uint8_t device_type)
{
	switch (device_type) {
	case MESHADV_DEVICE_STATIC:
		return "static";
	case MESHADV_DEVICE_ROAMING:
		return "roaming";
	case MESHADV_DEVICE_SINK:
		return "sink";
	case MESHADV_DEVICE_ASSET:
		return "asset";
	case MESHADV_DEVICE_LEAF:
		return "leaf";
	default:
		return "unknown";
	}
}

/* --- nodes: add ------------------------------------------------------------------------------ */

/* What a request says about the node, whichever way it says it. Holds the key: wipe it. */
struct subject {
	uint32_t serial;
	struct secret16 key;
	uint8_t device_type;
	bool has_key;
	bool key_wanted; /* it was not given: the store may know it */
	char name[NODES_NAME_SIZE];
};

static enum err read_label(const char *label, struct subject *out, struct reason *why)
{
	struct qr_label_problem problem = {"", "not a node's label"};
	struct qr_label l;
	enum err e = qr_label_parse(label, strlen(label), &l, &problem);

	if (e != ERR_OK) {
		reason_set(why, "label", "%s%s%s", problem.field, problem.field[0] ? ": " : "",
			problem.reason);
		return ERR_INVALID;
	}
	out->serial = l.serial_index;
	out->has_key = l.has_node_key;
	if (l.has_node_key)
		out->key = l.node_key;
	out->device_type =
		l.device_type == QR_DEVICE_ASSET ? MESHADV_DEVICE_ASSET : MESHADV_DEVICE_STATIC;
	_Static_assert(sizeof(l.name) == sizeof(out->name), "one size of names");
	memcpy(out->name, l.name, sizeof(out->name));
	qr_label_clear(&l);
	return ERR_OK;
}

static enum err read_serial(const char *text, uint32_t *out, struct reason *why)
{
	if (text && serial_parse(text, strlen(text), out) == ERR_OK)
		return ERR_OK;
	return nodes_refuse(why, ERR_INVALID, "serial",
		"not a serial number: 5 or 7 of BCDFGHJKLMNPQRSTVWXYZ123456789");
}

/* Without a key: 00 is what a helper takes for "none needed", FF for "unknown". */
static enum err check_node_key(
	const struct node_request *req, struct subject *sub, struct reason *why)
{
	bool keyless = req->nearby || req->from_network != 0;

	if (sub->has_key && secret16_is_unset(&sub->key))
		return nodes_refuse(
			why, ERR_INVALID, "node_key", "a key of all 00 or all FF is no key");
	if (sub->has_key && keyless)
		return nodes_refuse(why, ERR_INVALID, req->nearby ? "nearby" : "from_network",
			"the node key is known: that is the safe way");
	if (req->nearby && (req->from_network != 0 || req->force))
		return nodes_refuse(why, ERR_INVALID, "nearby", "is for unenrolled nodes alone");
	sub->key_wanted = !sub->has_key && !keyless && req->without_key;
	if (!sub->has_key && !keyless && !sub->key_wanted)
		return nodes_refuse(why, ERR_INVALID, req->label ? "label" : "node_key",
			req->label ? "nk: the label has no node key" : "the node key is missing");
	if (!sub->has_key)
		memset(sub->key.b, req->nearby ? 0x00 : 0xFF, sizeof(sub->key.b));
	return ERR_OK;
}

static enum err read_subject(
	const struct node_request *req, struct subject *out, struct reason *why)
{
	enum err e;

	if (req->label)
		e = read_label(req->label, out, why);
	else
		e = read_serial(req->serial, &out->serial, why);
	if (e != ERR_OK)
		return e;
	if (!req->label) {
		out->has_key = req->node_key != NULL;
		if (req->node_key)
			out->key = *req->node_key;
		out->device_type = req->asset ? MESHADV_DEVICE_ASSET : MESHADV_DEVICE_STATIC;
	}
	if ((e = check_node_key(req, out, why)) != ERR_OK)
		return e;
	if (req->name && !nodes_name_ok(req->name))
		return nodes_refuse(why, ERR_INVALID, "name",
			"at most 64 bytes of UTF-8 without control characters");
	if (req->name)
		memcpy(out->name, req->name, strlen(req->name) + 1);
	return ERR_OK;
}

/* A former job of the serial may have left its key; 16×FF means that nobody knows it. */
static enum err find_key(struct nodes *n, struct subject *sub)
{
	struct node_row old;
	enum err e = store_nodes_get(n->store, sub->serial, &old);

	if (e == ERR_OK)
		e = store_nodes_key(n->store, old.job.row, &sub->key);
	sub->has_key = e == ERR_OK && !secret16_is_unset(&sub->key);
	if (!sub->has_key)
		memset(sub->key.b, 0xff, sizeof(sub->key.b));
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err check_key(const struct secret16 *said, const struct secret16 *own,
	const char *field, struct reason *why)
{
	if (!said || bytes_equal_ct(said->b, own->b, sizeof(own->b)))
		return ERR_OK;
	return nodes_refuse(why, ERR_INVALID, field, "is not this network's key");
}

/* The caller may say which keys it believes the network to have. */
static enum err check_keys(struct nodes *n, const struct node_request *req, struct reason *why)
{
	struct network_keys own = {0};
	enum err e;

	if (!req->network_key && !req->user_base_key && !req->organization_key)
		return ERR_OK;
	e = nodes_explain(why, store_networks_keys(n->store, req->network_id, &own));
	if (e == ERR_OK)
		e = check_key(req->network_key, &own.network, "network_key", why);
	if (e == ERR_OK)
		e = check_key(req->user_base_key, &own.user_base, "user_base_key", why);
	if (e == ERR_OK)
		e = check_key(req->organization_key, &own.organization, "organization_key", why);
	bytes_wipe(&own, sizeof(own));
	return e;
}

static bool id_fits(uint16_t id, bool asset)
{
	return asset ? id >= ASSET_ID_MIN && id <= ASSET_ID_MAX
		     : id >= NODE_ID_MIN && id <= NODE_ID_MAX;
}

static enum err check_id(
	const struct node_request *req, const struct subject *sub, struct reason *why)
{
	bool asset = sub->device_type == MESHADV_DEVICE_ASSET;

	if (req->node_id == 0 || id_fits(req->node_id, asset))
		return ERR_OK;
	return nodes_refuse(why, ERR_INVALID, "node_id",
		asset ? "ids of assets are 33000 to 57999" : "ids of nodes are 1 to 1999");
}

static enum err check_limits(const struct node_request *req, struct reason *why)
{
	if (req->lifetime_s > NODES_LIFETIME_S_MAX)
		return nodes_refuse(why, ERR_INVALID, "lifetime_s", "longer than a year");
	if (req->timeout_s != 0 &&
		(req->timeout_s < JOB_TIMEOUT_S_MIN || req->timeout_s > JOB_TIMEOUT_S_MAX))
		return nodes_refuse(why, ERR_INVALID, "timeout_s", "must be 3 to 127 seconds");
	return ERR_OK;
}

/* 1 to 255: 0 means "none" on the wire. */
static enum err make_handle(struct nodes *n, uint8_t *out)
{
	uint8_t b = 0;
	enum err e = n->crypto->random(n->crypto->ctx, &b, sizeof(b));

	*out = (uint8_t)(1 + b % 255);
	return e;
}

/* The serial's present row must be over, and not joined; a joined node is removed first. */
static enum err check_vacant(struct nodes *n, uint32_t serial, struct reason *why)
{
	struct node_row old;
	enum err e = store_nodes_get(n->store, serial, &old);

	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e != ERR_OK)
		return nodes_explain(why, e);
	if (old.job.state == JOB_JOINED)
		return nodes_refuse(why, ERR_CONFLICT, "serial",
			"this node has joined: remove it first (enrollctl node remove), also "
			"if somebody has reset it");
	if (!job_is_over(old.job.state))
		return nodes_refuse(
			why, ERR_CONFLICT, "serial", "this node is being worked on already");
	return ERR_OK;
}

static void fill_row(const struct nodes *n, struct node_row *row, const struct node_request *req,
	const struct subject *sub, const struct caller *who, const struct svctime *t)
{
	uint64_t lifetime_s = req->lifetime_s ? req->lifetime_s : n->lifetime_s;

	row->network_id = req->network_id;
	row->device_type = sub->device_type;
	row->only_if_unenrolled = !req->force;
	row->nearby = req->nearby;
	row->from_network = sub->key_wanted && !sub->has_key ? NODE_FROM_ANY : req->from_network;
	row->job.keyless = row->nearby || row->from_network != 0;
	row->created_at = row->changed_at = t->wall_s;
	row->created_uid = who->uid;
	memcpy(row->name, sub->name, sizeof(row->name));
	memcpy(row->created_by, who->name, sizeof(row->created_by));
	row->job.serial = sub->serial;
	row->job.timeout_s = req->timeout_s ? req->timeout_s : JOB_TIMEOUT_S_DEFAULT;
	row->job.next_try_ms = t->service_ms;
	row->job.expires_ms = t->service_ms + 1000 * lifetime_s;
}

static enum err audit_added(struct nodes *n, const struct node_row *row, const struct caller *who)
{
	char serial[SERIAL_TEXT_SIZE];
	struct audit a;

	serial_print(row->job.serial, serial);
	audit_start(&a, "node_added", who);
	audit_text(&a, "serial", serial);
	audit_u64(&a, "network", row->network_id);
	audit_u64(&a, "node_id", row->job.node_id);
	if (!row->only_if_unenrolled)
		audit_u64(&a, "force", 1);
	if (row->nearby)
		audit_u64(&a, "nearby", 1);
	if (row->from_network != 0)
		audit_u64(&a, "from_network", row->from_network);
	return audit_write(&a, n->store, row->created_at);
}

/* wanted: 0 for the next free one. */
static enum err reserve_id(struct nodes *n, struct node_row *row, uint16_t wanted,
	const struct subject *sub, struct reason *why)
{
	bool asset = sub->device_type == MESHADV_DEVICE_ASSET;
	enum err e;

	if (wanted) {
		row->job.node_id = wanted;
		e = store_ids_take(n->store, row->network_id, wanted, sub->serial, row->created_at);
	} else {
		e = store_ids_reserve(n->store, row->network_id, sub->serial, asset,
			row->created_at, &row->job.node_id);
	}
	if (e == ERR_STATE)
		return nodes_refuse(why, e, NULL, "this network has no node id left");
	if (e == ERR_CONFLICT)
		return nodes_refuse(why, e, "node_id", "this node id is another node's");
	return nodes_explain(why, e);
}

static enum err insert_node(struct nodes *n, struct node_row *row, uint16_t wanted,
	const struct subject *sub, const struct caller *who, struct reason *why)
{
	enum err e = reserve_id(n, row, wanted, sub, why);

	if (e != ERR_OK)
		return e;
	e = make_handle(n, &row->job.handle);
	if (e == ERR_OK)
		e = store_nodes_insert(n->store, row, &sub->key);
	if (e == ERR_OK)
		e = audit_added(n, row, who);
	return nodes_explain(why, e);
}

static enum err add(struct nodes *n, const struct clock_now *now, const struct caller *who,
	const struct node_request *req, const struct subject *sub, struct node_view *out,
	struct reason *why)
{
	struct node_row row = {0};
	struct network_row network;
	struct svctime t;
	enum err e = nodes_get_network(n, req->network_id, &network, why);

	if (e == ERR_OK && req->from_network != 0)
		e = nodes_get_network(n, req->from_network, &network, why);
	if (e == ERR_OK)
		e = check_keys(n, req, why);
	if (e == ERR_OK)
		e = check_vacant(n, sub->serial, why);
	if (e != ERR_OK)
		return e;
	if ((e = service_time(n, now, &t)) != ERR_OK)
		return nodes_explain(why, e);
	fill_row(n, &row, req, sub, who, &t);
	if ((e = insert_node(n, &row, req->node_id, sub, who, why)) != ERR_OK)
		return e;
	view_node(&row, &t, out);
	if (n->changed)
		n->changed(n->ctx, &row);
	return ERR_OK;
}

enum err nodes_add(struct nodes *n, const struct clock_now *now, const struct caller *who,
	const struct node_request *req, struct node_view *out, struct reason *why)
{
	struct subject sub = {0};
	enum err e = nodes_need(who, req->force ? ROLE_ADMIN : ROLE_ENROLLER, why);

	if (e == ERR_OK)
		e = check_limits(req, why);
	if (e == ERR_OK)
		e = read_subject(req, &sub, why);
	if (e == ERR_OK)
		e = check_id(req, &sub, why);
	if (e == ERR_OK && sub.key_wanted)
		e = nodes_explain(why, find_key(n, &sub));
	if (e == ERR_OK)
		e = add(n, now, who, req, &sub, out, why);
	bytes_wipe(&sub, sizeof(sub));
	return e;
}

/* --- nodes: list, show, cancel, remove -------------------------------------------------------- */

struct node_each {
	bool (*each)(void *ctx, const struct node_view *v);
	void *ctx;
	struct svctime now;
};

static bool each_node(void *ctx, const struct node_row *row)
{
	const struct node_each *f = ctx;
	struct node_view v;

	view_node(row, &f->now, &v);
	return f->each(f->ctx, &v);
}

enum err nodes_list(struct nodes *n, const struct clock_now *now, const struct caller *who,
	const struct nodes_query *query, bool (*each)(void *ctx, const struct node_view *v),
	void *ctx, struct reason *why)
{
	struct nodes_filter filter = {.network_id = query->network_id, .state = query->state};
	struct node_each f = {.each = each, .ctx = ctx};
	enum err e = nodes_need(who, ROLE_OBSERVER, why);

	if (e != ERR_OK)
		return e;
	if ((e = service_time(n, now, &f.now)) == ERR_OK)
		e = store_nodes_list(n->store, &filter, query->after, each_node, &f);
	return nodes_explain(why, e);
}

static enum err find(struct nodes *n, const char *text, struct node_row *out, struct reason *why)
{
	uint32_t serial = 0;
	enum err e = read_serial(text, &serial, why);

	if (e != ERR_OK)
		return e;
	e = store_nodes_get(n->store, serial, out);
	if (e == ERR_NOT_FOUND)
		return nodes_refuse(why, e, "serial", "there is no such node");
	return nodes_explain(why, e);
}

enum err nodes_show(struct nodes *n, const struct clock_now *now, const struct caller *who,
	const char *serial, struct node_view *out, struct reason *why)
{
	struct node_row row;
	struct svctime t;
	enum err e = nodes_need(who, ROLE_OBSERVER, why);

	if (e == ERR_OK)
		e = find(n, serial, &row, why);
	if (e != ERR_OK)
		return e;
	if ((e = service_time(n, now, &t)) != ERR_OK)
		return nodes_explain(why, e);
	view_node(&row, &t, out);
	return ERR_OK;
}

/* Steps the job by an event of the operator, or tells that it means nothing in its state. */
static enum err order(struct nodes *n, const struct clock_now *now, const struct caller *who,
	struct node_row *row, const struct job_event *event, struct node_view *out,
	struct reason *why)
{
	enum job_state was = row->job.state;
	struct svctime t;
	enum err e = service_time(n, now, &t);

	if (e != ERR_OK)
		return nodes_explain(why, e);
	if (!job_step(&row->job, event, t.service_ms).store) {
		reason_set(why, "serial", "it is %s", job_state_name(was));
		return ERR_CONFLICT;
	}
	row->changed_at = now->wall_s;
	e = nodes_keep(n->store, row->network_id, &row->job, was, who,
		&(struct nodes_moment){t.service_ms, now->wall_s});
	if (e != ERR_OK)
		return nodes_explain(why, e);
	view_node(row, &t, out);
	if (n->changed)
		n->changed(n->ctx, row);
	return ERR_OK;
}

/* An enroller's own node; any of an administrator's. */
static enum err find_own(struct nodes *n, const struct caller *who, const char *serial,
	struct node_row *row, struct reason *why)
{
	enum err e = nodes_need(who, ROLE_ENROLLER, why);

	if (e == ERR_OK)
		e = find(n, serial, row, why);
	if (e == ERR_OK && who->role < ROLE_ADMIN && row->created_uid != who->uid)
		return nodes_refuse(why, ERR_DENIED, NULL, "somebody else added this node");
	return e;
}

enum err nodes_cancel(struct nodes *n, const struct clock_now *now, const struct caller *who,
	const char *serial, struct node_view *out, struct reason *why)
{
	struct node_row row;
	enum err e = find_own(n, who, serial, &row, why);

	if (e != ERR_OK)
		return e;
	return order(n, now, who, &row, &(struct job_event){.type = JOB_EVENT_CANCEL}, out, why);
}

enum err nodes_remove(struct nodes *n, const struct clock_now *now, const struct caller *who,
	const char *serial, struct node_view *out, struct reason *why)
{
	struct node_row row;
	enum err e = nodes_need(who, ROLE_ADMIN, why);

	if (e == ERR_OK)
		e = find(n, serial, &row, why);
	if (e != ERR_OK)
		return e;
	return order(n, now, who, &row, &(struct job_event){.type = JOB_EVENT_REMOVE}, out, why);
}

static enum err audit_move(struct nodes *n, const struct node_row *row, uint16_t network_id,
	const struct caller *who, const struct clock_now *now)
{
	char serial[SERIAL_TEXT_SIZE];
	struct audit a;

	serial_print(row->job.serial, serial);
	audit_start(&a, "node_set_network", who);
	audit_text(&a, "serial", serial);
	audit_u64(&a, "network", row->network_id);
	audit_u64(&a, "preferred_network", network_id);
	return audit_write(&a, n->store, now->wall_s);
}

static enum err move(struct nodes *n, const struct clock_now *now, const struct caller *who,
	struct node_row *row, uint16_t network_id, struct node_view *out, struct reason *why)
{
	struct job_event event = {.type = JOB_EVENT_SET_NETWORK, .network = network_id};
	struct network_row network;
	struct svctime t;
	enum err e = nodes_get_network(n, network_id, &network, why);

	if (e != ERR_OK)
		return e;
	if (!job_is_asset(&row->job))
		return nodes_refuse(why, ERR_INVALID, "serial",
			"it is no asset: remove it and add it to the other network");
	if ((e = service_time(n, now, &t)) == ERR_OK)
		e = audit_move(n, row, network_id, who, now);
	if (e != ERR_OK)
		return nodes_explain(why, e);
	event.expires_ms = t.service_ms + 1000ull * n->lifetime_s;
	return order(n, now, who, row, &event, out, why);
}

enum err nodes_set_network(struct nodes *n, const struct clock_now *now, const struct caller *who,
	const char *serial, uint16_t network_id, struct node_view *out, struct reason *why)
{
	struct node_row row;
	enum err e = find_own(n, who, serial, &row, why);

	if (e == ERR_OK)
		e = move(n, now, who, &row, network_id, out, why);
	return e;
}
