/* AuditList, AuditVerify, Status. */
#include <stdlib.h>
#include <string.h>

#include "control/command.h"
#include "enr/hex.h"
#include "enroll/batch.h"
#include "enroll/nodes.h"
#include "enroll/service.h"

/* --- list -------------------------------------------------------------------------------- */

enum { LIST_FROM, LIST_LIMIT };
const struct param audit_list_params[] = {
	{"from_seq", PARAM_UINT, false, 1, INT64_MAX},
	PARAM_ROW_LIMIT,
	PARAM_ROW_END,
};

struct listing {
	struct command_call *c;
	json_t *rows;
	uint64_t last;
};

/* The line goes out as the text that was hashed, so that anyone can hash it again. */
static void add_row(void *arg, const struct service_audit_row *r)
{
	struct listing *l = arg;
	json_t *o = add_object(l->c, l->rows);

	put_uint(l->c, o, "seq", r->seq);
	put_at(l->c, o, "at", r->at);
	put_hex(l->c, o, "hash", r->hash, sizeof(r->hash));
	put_text(l->c, o, "json", r->json);
	l->last = r->seq;
}

/* Without from_seq: the newest rows. */
enum err command_audit_list(struct command_call *c)
{
	struct listing l = {c, put_array(c, c->out, "rows"), 0};
	uint64_t from = param_uint(c, LIST_FROM, 0);
	size_t limit = (size_t)param_uint(c, LIST_LIMIT, COMMAND_PAGE_DEFAULT);
	bool more = false;
	enum err e = service_audit_list(
		c->config->service, from > 0 ? from - 1 : UINT64_MAX, limit, add_row, &l, &more);

	if (more && from > 0)
		put_uint(c, c->out, "next_seq", l.last + 1);
	else
		put_json(c, c->out, "next_seq", json_null());
	return e;
}

/* --- verify ------------------------------------------------------------------------------ */

enum { VERIFY_FROM };
const struct param audit_verify_params[] = {
	{"from", PARAM_TEXT, false, 3, 20 + 1 + 64},
	PARAM_ROW_END,
};

/* "SEQ:HASH", or nothing: the whole chain. */
static enum err read_mark(struct command_call *c, struct service_audit_mark *m)
{
	const char *text = param_text(c, VERIFY_FROM);
	const char *colon = text ? strchr(text, ':') : NULL;
	char *end;

	memset(m, 0, sizeof(*m));
	if (!text)
		return ERR_OK;
	if (!colon || text[0] < '0' || text[0] > '9' || colon - text > 18)
		return refuse(c, "from", "not SEQ:HASH");
	m->seq = strtoull(text, &end, 10);
	if (end != colon || hex_parse(colon + 1, strlen(colon + 1), m->hash, 32) != ERR_OK)
		return refuse(c, "from", "not SEQ:HASH");
	return ERR_OK;
}

/* One portion; the caller comes back with from = seq:hash until done. */
enum err command_audit_verify(struct command_call *c)
{
	struct service_audit_mark m;
	bool done = false;
	enum err e = read_mark(c, &m);

	if (e != ERR_OK)
		return e;
	e = service_audit_verify(c->config->service, &m, &done, &c->why);
	if (e != ERR_OK && e != ERR_AUTH)
		return e;
	put_bool(c, c->out, "intact", e == ERR_OK);
	put_bool(c, c->out, "done", done || e == ERR_AUTH);
	put_uint(c, c->out, "seq", m.seq);
	put_hex(c, c->out, "hash", m.hash, sizeof(m.hash));
	put_text(c, c->out, "reason", e == ERR_AUTH ? c->why.text : NULL);
	return ERR_OK;
}

/* --- status ------------------------------------------------------------------------------ */

static void put_counts(struct command_call *c, const struct service_counts *n)
{
	json_t *o = put_object(c, c->out, "bundles");

	for (unsigned s = 0; s < SERVICE_STATE_COUNT; s++)
		put_uint(c, o, service_state_text((enum service_state)s), n->bundles[s]);
	o = put_object(c, c->out, "enrollees");
	put_uint(c, o, "pending", n->bundles[SERVICE_PENDING]);
	put_uint(c, o, "enrolled", n->devices);
	put_uint(c, o, "revoked", n->devices_revoked);
	put_uint(c, c->out, "audit_seq", n->audit_seq);
	put_uint(c, c->out, "service_time_s", n->service_s);
	put_uint(c, c->out, "spk_id", n->spk_id);
	put_at(c, c->out, "spk_made_at", n->spk_made_at);
}

struct node_counts {
	uint64_t networks, nodes, joined;
};

static bool count_network(void *arg, const struct network_view *v)
{
	struct node_counts *n = arg;

	n->networks++;
	n->nodes += v->nodes;
	n->joined += v->joined;
	return true;
}

static void put_mesh(struct command_call *c, const struct node_counts *n)
{
	struct control_daemon_status d = {0};
	json_t *o = put_object(c, c->out, "mesh");

	if (c->config->status)
		c->config->status(c->config->status_arg, &d);
	put_uint(c, o, "networks", n->networks);
	put_uint(c, o, "nodes", n->nodes);
	put_uint(c, o, "joined", n->joined);
	put_text(c, o, "link_state", d.link_state ? d.link_state : "off");
	put_text(c, o, "link_address", d.link_address);
	put_json(c, o, "link_node_id", d.link_node_id ? json_integer(d.link_node_id) : json_null());
	put_json(c, o, "link_network_id",
		d.link_network_id ? json_integer(d.link_network_id) : json_null());
	put_uint(c, o, "ignored_messages", d.ignored);
	put_at(c, c->out, "started_at", d.started_at);
	put_text(c, c->out, "coap_address", d.coap_address);
}

static void put_batch(struct command_call *c)
{
	const struct batch_counters *b = batch_counters(c->config->batch);
	json_t *o = put_object(c, c->out, "batch");

	put_uint(c, o, "commits", b->commits);
	put_uint(c, o, "requests", b->requests);
	put_uint(c, o, "failed", b->failed);
}

static const char *role_text(enum role r)
{
	switch (r) {
	case ROLE_NONE:
		break;
	case ROLE_OBSERVER:
		return "observer";
	case ROLE_ENROLLER:
		return "enroller";
	case ROLE_ADMIN:
		return "admin";
	}
	return "none";
}

enum err command_status(struct command_call *c)
{
	const struct public32 *identity = service_identity(c->config->service);
	struct service_counts counts;
	struct node_counts nodes = {0};
	enum err e = service_counts(c->config->service, &c->now, &counts);

	if (e == ERR_OK && c->config->nodes)
		e = nodes_network_list(c->config->nodes, c->who, count_network, &nodes, &c->why);
	if (e != ERR_OK)
		return e;
	put_text(c, c->out, "version", c->config->version);
	put_text(c, c->out, "role", role_text(c->who->role));
	put_at(c, c->out, "now_at", c->now.wall_s);
	put_hex(c, c->out, "identity_key", identity->b, sizeof(identity->b));
	put_text(c, c->out, "address", service_addr(c->config->service));
	put_counts(c, &counts);
	put_mesh(c, &nodes);
	put_batch(c);
	return ERR_OK;
}
