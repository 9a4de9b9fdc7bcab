/* BundleIssue, BundleList, BundleShow, BundleRevoke. */
#include <string.h>

#include "control/command.h"
#include "enroll/service.h"

/* The frame's one-line form, "enr1:" and base64url. */
static void put_bundle_text(struct command_call *c, json_t *o, const struct service_issued *b)
{
	char text[ENROLLMSG_BUNDLE_TEXT_MAX];
	struct enrollmsg_bundle decoded;
	enum err e = b->frame_bytes == 0 ? ERR_NOT_FOUND : ERR_OK;

	if (e == ERR_OK)
		e = enrollmsg_bundle_decode((struct span){b->frame, b->frame_bytes}, &decoded);
	if (e == ERR_OK)
		e = enrollmsg_bundle_print(&decoded, text, sizeof(text));
	put_text(c, o, "text", e == ERR_OK ? text : NULL);
}

static void put_bundle(struct command_call *c, json_t *o, const struct service_bundle *b)
{
	put_hex(c, o, "id", b->id, sizeof(b->id));
	put_text(c, o, "state", service_state_text(b->state));
	put_uint(c, o, "enroller_uid", b->enroller);
	put_at(c, o, "issued_at", b->issued_at);
	put_at(c, o, "expires_at", b->expires_at);
	put_at(c, o, "closed_at", b->closed_at);
	if (b->has_enrollee)
		put_hex(c, o, "enrollee_id", b->enrollee_id.b, sizeof(b->enrollee_id.b));
	else
		put_text(c, o, "enrollee_id", NULL);
	put_text(c, o, "text", NULL);
}

/* --- issue ------------------------------------------------------------------------------- */

enum { ISSUE_COUNT, ISSUE_LIFETIME };
const struct param bundle_issue_params[] = {
	{"count", PARAM_UINT, false, 1, SERVICE_ISSUE_MAX},
	{"lifetime_s", PARAM_UINT, false, 1, SERVICE_LIFETIME_MAX_S},
	PARAM_ROW_END,
};

struct issuing {
	struct command_call *c;
	json_t *bundles;
};

static void add_issued(void *arg, const struct service_issued *b)
{
	struct issuing *i = arg;
	json_t *o = add_object(i->c, i->bundles);

	put_hex(i->c, o, "id", b->id, sizeof(b->id));
	put_at(i->c, o, "expires_at", b->expires_at);
	put_bundle_text(i->c, o, b);
}

enum err command_bundle_issue(struct command_call *c)
{
	uint32_t lifetimes_s[SERVICE_ISSUE_MAX];
	struct issuing i = {c, put_array(c, c->out, "bundles")};
	size_t count = (size_t)param_uint(c, ISSUE_COUNT, 1);

	for (size_t k = 0; k < count; k++)
		lifetimes_s[k] = (uint32_t)param_uint(c, ISSUE_LIFETIME, 0);
	return service_bundle_issue(
		c->config->service, &c->now, c->who, lifetimes_s, count, add_issued, &i, &c->why);
}

/* --- list -------------------------------------------------------------------------------- */

enum { LIST_STATE, LIST_AFTER, LIST_LIMIT };
const struct param bundle_list_params[] = {
	{"state", PARAM_TEXT, false, 1, 16},
	PARAM_ROW_AFTER,
	PARAM_ROW_LIMIT,
	PARAM_ROW_END,
};

struct listing {
	struct command_call *c;
	json_t *rows;
	int64_t last;
};

static void add_bundle(void *arg, const struct service_bundle *b)
{
	struct listing *l = arg;

	put_bundle(l->c, add_object(l->c, l->rows), b);
	l->last = b->row;
}

static enum err read_state(struct command_call *c, unsigned *states)
{
	const char *text = param_text(c, LIST_STATE);

	*states = 0;
	if (!text)
		return ERR_OK;
	for (unsigned s = 0; s < SERVICE_STATE_COUNT; s++) {
		if (strcmp(text, service_state_text((enum service_state)s)) == 0)
			*states = 1U << s;
	}
	return *states ? ERR_OK
		       : refuse(c, "state", "none of open, pending, used, expired, revoked");
}

enum err command_bundle_list(struct command_call *c)
{
	struct service_filter f = {.uid = SERVICE_ANY_UID,
		.limit = (size_t)param_uint(c, LIST_LIMIT, COMMAND_PAGE_DEFAULT)};
	struct listing l = {c, put_array(c, c->out, "bundles"), 0};
	bool more = false;
	char table;
	enum err e = read_state(c, &f.states);

	if (e == ERR_OK)
		e = cursor_read(c, LIST_AFTER, "b", &table, &f.after);
	if (e == ERR_OK)
		e = service_bundle_list(c->config->service, &c->now, &f, add_bundle, &l, &more);
	if (more)
		cursor_put(c, 'b', l.last);
	else
		put_text(c, c->out, "next", NULL);
	return e;
}

/* --- show, revoke ------------------------------------------------------------------------ */

enum { BUNDLE_ID };
const struct param bundle_show_params[] = {PARAM_ROW_ID, PARAM_ROW_END};

/* An observer sees that there is a bundle, not the bundle: that is for who may announce. */
enum err command_bundle_show(struct command_call *c)
{
	struct service_bundle b;
	struct service_issued issued;
	enum err e = service_bundle_show(
		c->config->service, &c->now, param_text(c, BUNDLE_ID), &b, &issued, &c->why);
	json_t *o;

	if (e != ERR_OK)
		return e;
	o = put_object(c, c->out, "bundle");
	put_bundle(c, o, &b);
	if (c->who->role < ROLE_ENROLLER)
		issued.frame_bytes = 0;
	put_bundle_text(c, o, &issued);
	return ERR_OK;
}

enum err command_bundle_revoke(struct command_call *c)
{
	struct service_bundle b;
	enum err e = service_bundle_revoke(
		c->config->service, &c->now, c->who, param_text(c, BUNDLE_ID), &b, &c->why);

	if (e == ERR_OK)
		put_bundle(c, put_object(c, c->out, "bundle"), &b);
	return e;
}
