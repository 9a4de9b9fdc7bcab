/* What all rules share: typed ids, who may change a row, how a row is told. */
#include "enroll/service_internal.h"

static const char *const STATE_TEXT[SERVICE_STATE_COUNT] = {
	[SERVICE_OPEN] = "open",
	[SERVICE_PENDING] = "pending",
	[SERVICE_USED] = "used",
	[SERVICE_EXPIRED] = "expired",
	[SERVICE_REVOKED] = "revoked",
};

_Static_assert((int)SERVICE_PENDING == (int)BUNDLE_PENDING &&
		       (int)SERVICE_USED == (int)BUNDLE_USED &&
		       (int)SERVICE_EXPIRED == (int)BUNDLE_EXPIRED &&
		       (int)SERVICE_REVOKED == (int)BUNDLE_REVOKED,
	"the states of the store are those of the rules");

const char *service_state_text(enum service_state state)
{
	return state < SERVICE_STATE_COUNT ? STATE_TEXT[state] : "unknown";
}

enum err service_storage(enum err e, struct reason *why)
{
	if (e == ERR_FULL)
		reason_set(why, NULL, "no space left to store it");
	else if (e != ERR_OK)
		reason_set(why, NULL, "storage: %s", err_text(e));
	return e;
}

enum err service_prefix(const char *id, size_t max_digits, const char *field,
	struct enrollmsg_prefix *out, struct reason *why)
{
	enum err e = id ? enrollmsg_prefix_parse(id, strlen(id), max_digits, out) : ERR_SHORT;

	if (e == ERR_OK)
		return e;
	reason_set(
		why, field, "an id is %d to %zu hex digits", ENROLLMSG_ID_PREFIX_MIN, max_digits);
	return ERR_INVALID;
}

enum err service_not_one(enum err e, const char *field, const char *id, struct reason *why)
{
	if (e == ERR_NOT_FOUND)
		reason_set(why, field, "no id begins with %s", id);
	else if (e == ERR_CONFLICT)
		reason_set(why, field, "several ids begin with %s: type more digits", id);
	else
		return service_storage(e, why);
	return e;
}

enum err service_may_change(const struct caller *caller, uint32_t enroller, struct reason *why)
{
	if (caller->role >= ROLE_ADMIN || caller->uid == enroller)
		return ERR_OK;
	reason_set(why, NULL, "it belongs to another enroller");
	return ERR_DENIED;
}

enum err service_find_bundle(
	struct service *s, const char *id, struct bundle_row *out, struct reason *why)
{
	struct enrollmsg_prefix prefix;
	enum err e = service_prefix(id, (size_t)2 * BUNDLE_ID_BYTES, "bundle", &prefix, why);

	if (e != ERR_OK)
		return e;
	e = bundles_find(s->store, prefix.first, prefix.last, out);
	return service_not_one(e, "bundle", id, why);
}

enum err service_find_enrollee(
	struct service *s, const char *id, struct bundle_row *out, struct reason *why)
{
	struct enrollmsg_prefix prefix;
	struct public32 first, last;
	enum err e = service_prefix(id, 64, "enrollee", &prefix, why);

	if (e != ERR_OK)
		return e;
	memcpy(first.b, prefix.first, sizeof(first.b));
	memcpy(last.b, prefix.last, sizeof(last.b));
	e = bundles_find_enrollee(s->store, &first, &last, out);
	return service_not_one(e, "enrollee", id, why);
}

bool service_row_is_over(const struct service *s, const struct bundle_row *row)
{
	return row->state <= BUNDLE_PENDING && row->expires_s <= svctime_s(&s->time);
}

void service_bundle_view(
	const struct service *s, const struct bundle_row *row, struct service_bundle *out)
{
	*out = (struct service_bundle){
		.row = row->row,
		.state = service_row_is_over(s, row) ? SERVICE_EXPIRED
						     : (enum service_state)row->state,
		.enroller = row->enroller,
		.issued_at = row->issued_at,
		.expires_at = svctime_to_wall(&s->time, row->expires_s),
		.closed_at = row->closed_at,
		.has_enrollee = row->has_enrollee,
		.enrollee_id = row->enrollee_id,
		.announced_at = row->announced_at,
		.has_device = row->has_device,
		.device_id = row->device_id,
	};
	memcpy(out->id, row->id, sizeof(out->id));
	memcpy(out->pet_name, row->pet_name, sizeof(out->pet_name));
}

enum err service_take_back(struct service *s, const struct clock_now *now,
	const struct caller *caller, enum service_event_kind kind, struct bundle_row *row,
	struct service_bundle *out, struct reason *why)
{
	uint64_t now_s = service_now(s, now);
	enum bundle_state from = kind == SERVICE_BUNDLE_REVOKED ? BUNDLE_OPEN : BUNDLE_PENDING;
	enum err e = bundles_revoke(
		s->store, row->row, from, now_s, now_s + SERVICE_FORGET_S, now->wall_s);

	if (e == ERR_OK)
		e = service_note_bundle(s, now, kind, caller, row);
	if (e != ERR_OK)
		return service_storage(e, why);
	row->state = BUNDLE_REVOKED;
	row->closed_at = now->wall_s;
	service_bundle_view(s, row, out);
	return ERR_OK;
}
