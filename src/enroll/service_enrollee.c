/* Rules for enrollees: announce, show, cancel. */
#include "enroll/service_internal.h"
#include "core/utf8.h"

/* --- what an announcement may hold --- */

static enum err check_pet_name(const char *name, struct reason *why)
{
	size_t n = strlen(name);
	bool printable;

	if (n > SERVICE_PET_NAME_MAX)
		reason_set(why, "pet_name", "longer than %d bytes", SERVICE_PET_NAME_MAX);
	else if (!utf8_is_valid(name, n, &printable))
		reason_set(why, "pet_name", "not UTF-8");
	else if (!printable)
		reason_set(why, "pet_name", "holds a control character");
	else
		return ERR_OK;
	return ERR_INVALID;
}

static enum err check_announcement(const struct service_announcement *a, struct reason *why)
{
	if (xeddsa_public_check(&a->eik) != ERR_OK) {
		reason_set(why, "key", "a key that must not be used");
		return ERR_KEY;
	}
	if (a->lifetime_s > SERVICE_LIFETIME_MAX_S) {
		reason_set(why, "lifetime_s", "longer than 30 days");
		return ERR_RANGE;
	}
	return a->pet_name ? check_pet_name(a->pet_name, why) : ERR_OK;
}

/* --- announce --- */

static enum err check_bundle(
	const struct service *s, const struct bundle_row *row, struct reason *why)
{
	if (row->state == BUNDLE_PENDING || row->state == BUNDLE_USED) {
		reason_set(why, "bundle", "it belongs to another enrollee");
		return ERR_CONFLICT;
	}
	if (row->state == BUNDLE_REVOKED) {
		reason_set(why, "bundle", "it is revoked");
		return ERR_STATE;
	}
	if (row->state == BUNDLE_EXPIRED || service_row_is_over(s, row)) {
		reason_set(why, "bundle", "it has expired");
		return ERR_EXPIRED;
	}
	return ERR_OK;
}

/* An enrollee is expected with one bundle, and enrolls once. A row of it that is over but not swept
 * yet does not stand in the way. */
static enum err check_enrollee(struct service *s, const struct clock_now *now,
	const struct public32 *id, struct reason *why)
{
	struct bundle_row row;
	enum err e = bundles_find_enrollee(s->store, id, id, &row);

	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : service_storage(e, why);
	if (service_row_is_over(s, &row))
		return service_storage(service_expire(s, now, row.row), why);
	if (row.state == BUNDLE_PENDING)
		reason_set(why, "key", "this enrollee is expected with another bundle");
	else if (row.state == BUNDLE_USED)
		reason_set(why, "key", "this enrollee is enrolled already");
	else
		return ERR_OK;
	return ERR_CONFLICT;
}

static bool is_repeat(
	const struct service *s, const struct bundle_row *row, const struct public32 *id)
{
	return row->state == BUNDLE_PENDING && !service_row_is_over(s, row) &&
	       bytes_equal_ct(row->enrollee_id.b, id->b, sizeof(id->b));
}

#define SWEEPS_MAX 4 /* so much of the sweep's work one request may do */

/* A full quota may be full of enrollees whose time is over but that are not swept yet. */
static enum err announce_row(
	struct service *s, const struct clock_now *now, const struct bundle_row *row)
{
	uint64_t now_s = svctime_s(&s->time);
	enum err e = bundles_announce(s->store, row, now_s, s->config.quota);

	for (unsigned i = 0; e == ERR_QUOTA && i < SWEEPS_MAX; i++) {
		size_t swept = 0;

		e = service_sweep(s, now, &swept);
		if (e == ERR_OK && swept == 0)
			return ERR_QUOTA;
		if (e == ERR_OK)
			e = bundles_announce(s->store, row, now_s, s->config.quota);
	}
	return e;
}

static enum err bind(struct service *s, const struct clock_now *now, const struct caller *caller,
	const struct service_announcement *a, struct bundle_row *row)
{
	uint64_t now_s = svctime_s(&s->time);
	enum err e;

	row->expires_s = now_s + (a->lifetime_s > 0 ? a->lifetime_s : s->config.pending_lifetime_s);
	row->has_enrollee = true;
	row->eik = a->eik;
	row->announced_at = now->wall_s;
	if (a->pet_name)
		memcpy(row->pet_name, a->pet_name, strlen(a->pet_name) + 1);
	e = service_spk_need(s, row->spk_id, row->expires_s);
	if (e == ERR_OK)
		e = announce_row(s, now, row);
	if (e != ERR_OK)
		return e;
	row->state = BUNDLE_PENDING;
	return service_note_bundle(s, now, SERVICE_ENROLLEE_ANNOUNCED, caller, row);
}

enum err service_enrollee_announce(struct service *s, const struct clock_now *now,
	const struct caller *caller, const struct service_announcement *announcement,
	struct service_bundle *out, struct reason *why)
{
	struct bundle_row row;
	struct public32 id;
	enum err e = check_announcement(announcement, why);

	(void)service_now(s, now);
	if (e == ERR_OK)
		e = service_storage(enrollmsg_id(s->crypto, &announcement->eik, &id), why);
	if (e == ERR_OK)
		e = service_find_bundle(s, announcement->bundle, &row, why);
	if (e == ERR_OK)
		e = service_may_change(caller, row.enroller, why);
	if (e != ERR_OK)
		return e;
	if (!is_repeat(s, &row, &id)) {
		e = check_bundle(s, &row, why);
		if (e == ERR_OK)
			e = check_enrollee(s, now, &id, why);
		if (e != ERR_OK)
			return e;
		row.enrollee_id = id;
		e = service_storage(bind(s, now, caller, announcement, &row), why);
		if (e == ERR_QUOTA)
			reason_set(why, NULL, "%u enrollees of its enroller are expected already",
				s->config.quota);
	}
	if (e == ERR_OK)
		service_bundle_view(s, &row, out);
	return e;
}

/* --- show, cancel --- */

enum err service_enrollee_show(struct service *s, const struct clock_now *now, const char *id,
	struct service_bundle *out, struct reason *why)
{
	struct bundle_row row;
	enum err e = service_find_enrollee(s, id, &row, why);

	(void)service_now(s, now);
	if (e == ERR_OK)
		service_bundle_view(s, &row, out);
	return e;
}

static enum err check_pending(
	const struct service *s, const struct bundle_row *row, struct reason *why)
{
	if (row->state == BUNDLE_EXPIRED || service_row_is_over(s, row)) {
		reason_set(why, "enrollee", "it has expired");
		return ERR_EXPIRED;
	}
	if (row->state == BUNDLE_PENDING)
		return ERR_OK;
	reason_set(why, "enrollee", "%s",
		row->state == BUNDLE_USED ? "it is enrolled: revoke the device"
					  : "it is cancelled already");
	return ERR_STATE;
}

enum err service_enrollee_cancel(struct service *s, const struct clock_now *now,
	const struct caller *caller, const char *id, struct service_bundle *out, struct reason *why)
{
	struct bundle_row row;
	enum err e;

	(void)service_now(s, now);
	e = service_find_enrollee(s, id, &row, why);
	if (e == ERR_OK)
		e = service_may_change(caller, row.enroller, why);
	if (e == ERR_OK)
		e = check_pending(s, &row, why);
	return e ? e
		 : service_take_back(s, now, caller, SERVICE_ENROLLEE_CANCELLED, &row, out, why);
}
