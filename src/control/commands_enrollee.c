/*
 * EnrolleeAnnounce, EnrolleeList, EnrolleeShow, EnrolleeCancel, EnrolleeRevoke, EnrolleePing.
 * For callers an enrollee is one thing with one life: expected, then a device. The rules know it as
 * a bundle's enrollee first and as a device afterwards.
 */
#include <string.h>

#include "control/command.h"
#include "enr/hex.h"
#include "enroll/service.h"

#define ID_TEXT 65

/* --- as JSON ----------------------------------------------------------------------------- */

static const char *state_of_expected(enum service_state s)
{
	switch (s) {
	case SERVICE_OPEN:
	case SERVICE_PENDING:
		return "pending";
	case SERVICE_USED:
		return "enrolled";
	case SERVICE_EXPIRED:
		return "expired";
	case SERVICE_REVOKED:
	case SERVICE_STATE_COUNT:
		break;
	}
	return "cancelled";
}

static void put_expected(struct command_call *c, json_t *o, const struct service_bundle *b)
{
	put_hex(c, o, "id", b->enrollee_id.b, sizeof(b->enrollee_id.b));
	put_text(c, o, "state", state_of_expected(b->state));
	put_text(c, o, "name", b->pet_name[0] ? b->pet_name : NULL);
	put_uint(c, o, "enroller_uid", b->enroller);
	put_hex(c, o, "bundle_id", b->id, sizeof(b->id));
	put_at(c, o, "announced_at", b->announced_at);
	put_at(c, o, "expires_at", b->expires_at);
	put_at(c, o, "closed_at", b->closed_at);
	if (b->has_device)
		put_hex(c, o, "device_id", b->device_id.b, sizeof(b->device_id.b));
	else
		put_text(c, o, "device_id", NULL);
	put_at(c, o, "enrolled_at", 0);
	put_at(c, o, "seen_at", 0);
	put_at(c, o, "revoked_at", 0);
	put_json(c, o, "epoch", json_null());
}

static void put_device(struct command_call *c, json_t *o, const struct service_device *d)
{
	put_hex(c, o, "id", d->enrollee_id.b, sizeof(d->enrollee_id.b));
	put_text(c, o, "state", d->revoked_at > 0 ? "revoked" : "enrolled");
	put_text(c, o, "name", d->pet_name[0] ? d->pet_name : NULL);
	put_uint(c, o, "enroller_uid", d->enroller);
	put_text(c, o, "bundle_id", NULL);
	put_at(c, o, "announced_at", 0);
	put_at(c, o, "expires_at", 0);
	put_at(c, o, "closed_at", 0);
	put_hex(c, o, "device_id", d->id.b, sizeof(d->id.b));
	put_at(c, o, "enrolled_at", d->enrolled_at);
	put_at(c, o, "seen_at", d->seen_at);
	put_at(c, o, "revoked_at", d->revoked_at);
	put_uint(c, o, "epoch", d->epoch);
}

/* --- announce ---------------------------------------------------------------------------- */

enum { ANNOUNCE_KEY, ANNOUNCE_BUNDLE, ANNOUNCE_NAME, ANNOUNCE_LIFETIME };
const struct param enrollee_announce_params[] = {
	{"key", PARAM_TEXT, true, ENROLLMSG_KEY_TEXT_CHARS, ENROLLMSG_KEY_TEXT_CHARS},
	{"bundle_id", PARAM_TEXT, true, ENROLLMSG_ID_PREFIX_MIN, 2 * ENROLLMSG_BUNDLE_ID_BYTES},
	PARAM_ROW_NAME,
	{"lifetime_s", PARAM_UINT, false, 1, SERVICE_LIFETIME_MAX_S},
	PARAM_ROW_END,
};

enum err command_enrollee_announce(struct command_call *c)
{
	const struct param_value *key = &c->params.v[ANNOUNCE_KEY];
	struct service_announcement a = {.bundle = param_text(c, ANNOUNCE_BUNDLE),
		.pet_name = param_text(c, ANNOUNCE_NAME),
		.lifetime_s = (uint32_t)param_uint(c, ANNOUNCE_LIFETIME, 0)};
	struct service_bundle b;
	enum err e = enrollmsg_key_parse(key->text, key->n, &a.eik);

	if (e == ERR_KEY)
		return refuse(c, "key", "a key that must not be used");
	if (e != ERR_OK)
		return refuse(c, "key", "not the text that `enrollee id` prints (enk1:...)");
	e = service_enrollee_announce(c->config->service, &c->now, c->who, &a, &b, &c->why);
	if (e == ERR_OK)
		put_expected(c, put_object(c, c->out, "enrollee"), &b);
	return e;
}

/* --- list: those who are expected, then those who are enrolled --------------------------- */

enum { LIST_STATE, LIST_AFTER, LIST_LIMIT };
const struct param enrollee_list_params[] = {
	{"state", PARAM_TEXT, false, 1, 16},
	PARAM_ROW_AFTER,
	PARAM_ROW_LIMIT,
	PARAM_ROW_END,
};

/* Which rows of the two tables a state means; 0: none of that table. */
struct list_state {
	const char *name;
	unsigned expected, devices;
};

static const struct list_state list_states[] = {
	{"pending", 1U << SERVICE_PENDING, 0},
	{"enrolled", 0, 1},
	{"expired", 1U << SERVICE_EXPIRED, 0},
	{"cancelled", 1U << SERVICE_REVOKED, 0},
	{"revoked", 0, 2},
	{"all", 1U << SERVICE_PENDING | 1U << SERVICE_EXPIRED | 1U << SERVICE_REVOKED, 3},
};
static const struct list_state list_default = {NULL, 1U << SERVICE_PENDING, 1};

struct listing {
	struct command_call *c;
	json_t *rows;
	int64_t last;
	size_t left;
};

static void add_expected(void *arg, const struct service_bundle *b)
{
	struct listing *l = arg;

	put_expected(l->c, add_object(l->c, l->rows), b);
	l->last = b->row;
	l->left--;
}

static void add_device(void *arg, const struct service_device *d)
{
	struct listing *l = arg;

	put_device(l->c, add_object(l->c, l->rows), d);
	l->last = d->row;
	l->left--;
}

static enum err read_state(struct command_call *c, struct list_state *out)
{
	const char *text = param_text(c, LIST_STATE);

	*out = list_default;
	if (!text)
		return ERR_OK;
	for (size_t i = 0; i < sizeof(list_states) / sizeof(*list_states); i++) {
		if (strcmp(text, list_states[i].name) == 0) {
			*out = list_states[i];
			return ERR_OK;
		}
	}
	return refuse(c, "state", "none of pending, enrolled, expired, cancelled, revoked, all");
}

static enum err list_expected(struct listing *l, unsigned states, int64_t after, bool *more)
{
	struct service_filter f = {.states = states,
		.uid = SERVICE_ANY_UID,
		.after = after,
		.limit = l->left,
		.enrollees = true};

	return service_bundle_list(l->c->config->service, &l->c->now, &f, add_expected, l, more);
}

static enum err list_devices(struct listing *l, unsigned states, int64_t after, bool *more)
{
	struct service_filter f = {
		.states = states == 3 ? 0 : states,
		.uid = SERVICE_ANY_UID,
		.after = after,
		.limit = l->left,
	};

	return service_device_list(l->c->config->service, &f, add_device, l, more);
}

/* One page. A page that the first table fills exactly goes on at the start of the second. */
static enum err list_page(
	struct listing *l, const struct list_state *want, char table, int64_t after)
{
	bool more = false;
	enum err e = ERR_OK;

	if (table == 'e' && want->expected) {
		e = list_expected(l, want->expected, after, &more);
		if (e != ERR_OK || more) {
			cursor_put(l->c, 'e', l->last);
			return e;
		}
	}
	if (want->devices) {
		after = table == 'd' ? after : 0;
		more = true;
		l->last = after;
		if (l->left > 0)
			e = list_devices(l, want->devices, after, &more);
	}
	if (more)
		cursor_put(l->c, 'd', l->last);
	else
		put_text(l->c, l->c->out, "next", NULL);
	return e;
}

enum err command_enrollee_list(struct command_call *c)
{
	struct listing l = {c, put_array(c, c->out, "enrollees"), 0,
		(size_t)param_uint(c, LIST_LIMIT, COMMAND_PAGE_DEFAULT)};
	struct list_state want;
	int64_t after;
	char table;
	enum err e = read_state(c, &want);

	if (e == ERR_OK)
		e = cursor_read(c, LIST_AFTER, "ed", &table, &after);
	return e == ERR_OK ? list_page(&l, &want, table, after) : e;
}

/* --- show -------------------------------------------------------------------------------- */

enum { ENROLLEE_ID };
const struct param enrollee_id_params[] = {PARAM_ROW_ID, PARAM_ROW_END};

/* Its whole life in one object: how it was announced, and what it is now. */
static void put_both(
	struct command_call *c, const struct service_bundle *b, const struct service_device *d)
{
	json_t *o = put_object(c, c->out, "enrollee");

	put_device(c, o, d);
	if (!b)
		return;
	put_hex(c, o, "bundle_id", b->id, sizeof(b->id));
	put_at(c, o, "announced_at", b->announced_at);
	put_at(c, o, "closed_at", b->closed_at);
}

static enum err device_of(
	struct command_call *c, const struct service_bundle *b, struct service_device *d)
{
	char id[ID_TEXT];

	hex_print(b->device_id.b, sizeof(b->device_id.b), id);
	return service_device_show(c->config->service, id, d, &c->why);
}

enum err command_enrollee_show(struct command_call *c)
{
	const char *id = param_text(c, ENROLLEE_ID);
	struct service_bundle b;
	struct service_device d;
	enum err e = service_enrollee_show(c->config->service, &c->now, id, &b, &c->why);

	if (e == ERR_OK && !b.has_device) {
		put_expected(c, put_object(c, c->out, "enrollee"), &b);
		return ERR_OK;
	}
	if (e == ERR_OK)
		e = device_of(c, &b, &d);
	else if (e == ERR_NOT_FOUND) {
		e = service_device_show(c->config->service, id, &d, &c->why);
		if (e == ERR_OK)
			put_both(c, NULL, &d);
		return e;
	}
	if (e == ERR_OK)
		put_both(c, &b, &d);
	return e;
}

/* --- cancel, revoke, ping ---------------------------------------------------------------- */

enum err command_enrollee_cancel(struct command_call *c)
{
	struct service_bundle b;
	enum err e = service_enrollee_cancel(
		c->config->service, &c->now, c->who, param_text(c, ENROLLEE_ID), &b, &c->why);

	if (e == ERR_OK)
		put_expected(c, put_object(c, c->out, "enrollee"), &b);
	return e;
}

/* A device by its own id or by the id that it was announced with. */
static enum err find_device(struct command_call *c, char id[ID_TEXT])
{
	struct service_bundle b;
	struct service_device d;
	enum err e =
		service_device_show(c->config->service, param_text(c, ENROLLEE_ID), &d, &c->why);

	if (e == ERR_OK) {
		hex_print(d.id.b, sizeof(d.id.b), id);
		return ERR_OK;
	}
	if (e != ERR_NOT_FOUND)
		return e;
	e = service_enrollee_show(
		c->config->service, &c->now, param_text(c, ENROLLEE_ID), &b, &c->why);
	if (e != ERR_OK)
		return e;
	if (!b.has_device) {
		reason_set(&c->why, "id", "it is not enrolled");
		return ERR_STATE;
	}
	hex_print(b.device_id.b, sizeof(b.device_id.b), id);
	return ERR_OK;
}

enum err command_enrollee_revoke(struct command_call *c)
{
	struct service_device d;
	char id[ID_TEXT];
	enum err e = find_device(c, id);

	if (e == ERR_OK)
		e = service_device_revoke(c->config->service, &c->now, c->who, id, &d, &c->why);
	if (e != ERR_OK)
		return e;
	put_device(c, put_object(c, c->out, "enrollee"), &d);
	return ERR_OK;
}

enum { PING_ID, PING_BODY };
const struct param enrollee_ping_params[] = {
	PARAM_ROW_ID,
	{"body", PARAM_HEX, false, 8, 8},
	PARAM_ROW_END,
};

enum err command_enrollee_ping(struct command_call *c)
{
	uint8_t body[8];
	char id[ID_TEXT];
	enum err e;

	if (!c->config->ping) {
		reason_set(&c->why, NULL, "enrollees cannot be reached: CoAP is off");
		return ERR_STATE;
	}
	memcpy(body, c->params.v[PING_BODY].b, sizeof(body));
	if (!c->params.v[PING_BODY].given)
		memcpy(body, &c->now.boot_ms, sizeof(body));
	e = find_device(c, id);
	if (e == ERR_OK)
		e = c->config->ping(c->config->ping_arg, &c->now, id, body, &c->why);
	if (e != ERR_OK)
		return e;
	put_text(c, c->out, "device_id", id);
	put_hex(c, c->out, "body", body, sizeof(body));
	return ERR_OK;
}
