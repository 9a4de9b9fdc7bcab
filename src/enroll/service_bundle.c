/* Rules for bundles: issue, list, show, revoke. */
#include "base/keypool.h"
#include "enroll/service_internal.h"

/* --- issue --- */

void service_use_keypool(struct service *s, struct keypool *keys)
{
	s->keys = keys;
}

static enum err check_lifetime(uint32_t lifetime_s, struct reason *why)
{
	if (lifetime_s <= SERVICE_LIFETIME_MAX_S)
		return ERR_OK;
	reason_set(why, "lifetime_s", "longer than 30 days");
	return ERR_RANGE;
}

static enum err encode(struct service *s, const struct bundle_row *row,
	const struct x3dh_prekeys *prekeys, const char *addr, struct service_issued *out)
{
	const struct enrollmsg_bundle bundle = {
		.spk_id = row->spk_id,
		.expires_at = svctime_to_wall(&s->time, row->expires_s),
		.prekeys = *prekeys,
		.addr = {(const uint8_t *)addr, strlen(addr)},
	};

	memcpy(out->id, row->id, sizeof(out->id));
	out->expires_at = bundle.expires_at;
	return enrollmsg_bundle_encode(&bundle, out->frame, sizeof(out->frame), &out->frame_bytes);
}

#define SWEEPS_MAX 4 /* so much of the sweep's work one request may do */

/* A full quota may be full of bundles that are over but not swept yet. */
static enum err insert_row(struct service *s, const struct clock_now *now, struct bundle_row *row,
	const struct secret32 *opk_private)
{
	enum err e = bundles_insert(s->store, row, opk_private, s->config.quota);

	for (unsigned i = 0; e == ERR_QUOTA && i < SWEEPS_MAX; i++) {
		size_t swept = 0;

		e = service_sweep(s, now, &swept);
		if (e == ERR_OK && swept == 0)
			return ERR_QUOTA;
		if (e == ERR_OK)
			e = bundles_insert(s->store, row, opk_private, s->config.quota);
	}
	return e;
}

static enum err store_bundle(struct service *s, const struct clock_now *now,
	const struct caller *caller, const struct x3dh_keypair *opk, struct bundle_row *row)
{
	enum err e = enrollmsg_bundle_id(s->crypto, &opk->pub, row->id);

	row->enroller = caller->uid;
	row->addr_row = s->addr_row;
	row->opk = opk->pub;
	row->issued_at = now->wall_s;
	if (e == ERR_OK)
		e = insert_row(s, now, row, &opk->priv);
	if (e == ERR_OK)
		e = service_spk_need(s, row->spk_id, row->expires_s);
	return e == ERR_OK ? service_note_bundle(s, now, SERVICE_BUNDLE_ISSUED, caller, row) : e;
}

static enum err make_opk(struct service *s, struct x3dh_keypair *opk)
{
	return s->keys ? keypool_take(s->keys, opk) : x3dh_keypair_make(s->crypto, opk);
}

static enum err issue_one(struct service *s, const struct clock_now *now,
	const struct caller *caller, uint32_t lifetime_s, struct service_issued *out)
{
	struct bundle_row row = {.state = BUNDLE_OPEN};
	struct x3dh_prekeys prekeys = {.ik = s->identity.pub};
	struct x3dh_keypair opk;
	const struct signed_prekey *spk;
	enum err e = service_spk_current(s, now, &spk);

	if (e != ERR_OK)
		return e;
	row.spk_id = spk->id;
	row.expires_s =
		svctime_s(&s->time) + (lifetime_s > 0 ? lifetime_s : s->config.bundle_lifetime_s);
	prekeys.spk = spk->key.pub;
	memcpy(prekeys.spk_signature, spk->signature, sizeof(prekeys.spk_signature));
	e = make_opk(s, &opk);
	if (e == ERR_OK)
		e = store_bundle(s, now, caller, &opk, &row);
	prekeys.opk = opk.pub;
	x3dh_keypair_wipe(&opk);
	return e == ERR_OK ? encode(s, &row, &prekeys, s->addr, out) : e;
}

enum err service_bundle_issue(struct service *s, const struct clock_now *now,
	const struct caller *caller, const uint32_t *lifetimes_s, size_t count,
	service_issued_fn *each, void *arg, struct reason *why)
{
	struct service_issued issued;
	enum err e = ERR_OK;

	if (count == 0 || count > SERVICE_ISSUE_MAX) {
		reason_set(why, "count", "1 to %d bundles at once", SERVICE_ISSUE_MAX);
		return ERR_RANGE;
	}
	for (size_t i = 0; e == ERR_OK && i < count; i++) {
		e = check_lifetime(lifetimes_s ? lifetimes_s[i] : 0, why);
		if (e != ERR_OK)
			return e;
		e = issue_one(s, now, caller, lifetimes_s ? lifetimes_s[i] : 0, &issued);
		if (e == ERR_OK)
			each(arg, &issued);
	}
	if (e != ERR_QUOTA)
		return service_storage(e, why);
	reason_set(why, NULL, "you have %u open bundles: use or revoke some", s->config.quota);
	return e;
}

/* --- list, show --- */

struct list {
	const struct service *s;
	service_bundle_fn *each;
	void *arg;
	size_t limit, count;
	bool more;
};

static bool list_row(void *arg, const struct bundle_row *row)
{
	struct list *l = arg;
	struct service_bundle view;

	l->more = l->limit > 0 && l->count == l->limit;
	if (l->more)
		return false;
	service_bundle_view(l->s, row, &view);
	l->each(l->arg, &view);
	l->count++;
	return true;
}

enum err service_bundle_list(struct service *s, const struct clock_now *now,
	const struct service_filter *filter, service_bundle_fn *each, void *arg, bool *more)
{
	const struct bundles_filter rows = {
		.states = filter->states > 0 ? filter->states : (1u << SERVICE_STATE_COUNT) - 1,
		.enroller = filter->uid == SERVICE_ANY_UID ? -1 : (int64_t)filter->uid,
		.enrollees = filter->enrollees,
		.after = filter->after,
	};
	struct list l = {.s = s, .each = each, .arg = arg, .limit = filter->limit};
	enum err e = bundles_list(s->store, &rows, service_now(s, now), list_row, &l);

	if (more)
		*more = l.more;
	return e;
}

/* The bundle's bytes once more, of what the row and its signed prekey hold. */
static enum err frame_of_row(
	struct service *s, const struct bundle_row *row, struct service_issued *out)
{
	struct x3dh_prekeys prekeys = {.ik = s->identity.pub, .opk = row->opk};
	char addr[SERVICE_ADDR_MAX];
	enum err e = service_addr_find(s, row->addr_row, addr);

	if (e == ERR_OK)
		e = keys_spk_public(s->store, row->spk_id, &prekeys.spk, prekeys.spk_signature);
	return e == ERR_OK ? encode(s, row, &prekeys, addr, out) : e;
}

enum err service_bundle_show(struct service *s, const struct clock_now *now, const char *id,
	struct service_bundle *out, struct service_issued *issued, struct reason *why)
{
	struct bundle_row row;
	enum err e = service_find_bundle(s, id, &row, why);

	if (e != ERR_OK)
		return e;
	(void)service_now(s, now);
	service_bundle_view(s, &row, out);
	if (issued)
		*issued = (struct service_issued){.frame_bytes = 0};
	if (issued && out->state <= SERVICE_PENDING)
		return service_storage(frame_of_row(s, &row, issued), why);
	return ERR_OK;
}

/* --- revoke --- */

static enum err check_open(
	const struct service *s, const struct bundle_row *row, struct reason *why)
{
	if (service_row_is_over(s, row) || row->state == BUNDLE_EXPIRED) {
		reason_set(why, "bundle", "it has expired");
		return ERR_EXPIRED;
	}
	switch (row->state) {
	case BUNDLE_OPEN:
		return ERR_OK;
	case BUNDLE_PENDING:
		reason_set(why, "bundle", "an enrollee is announced for it: cancel the enrollee");
		break;
	case BUNDLE_USED:
		reason_set(why, "bundle", "it is used: revoke the device");
		break;
	case BUNDLE_EXPIRED:
	case BUNDLE_REVOKED:
		reason_set(why, "bundle", "it is revoked already");
		break;
	}
	return ERR_STATE;
}

enum err service_bundle_revoke(struct service *s, const struct clock_now *now,
	const struct caller *caller, const char *id, struct service_bundle *out, struct reason *why)
{
	struct bundle_row row;
	enum err e;

	(void)service_now(s, now);
	e = service_find_bundle(s, id, &row, why);
	if (e == ERR_OK)
		e = service_may_change(caller, row.enroller, why);
	if (e == ERR_OK)
		e = check_open(s, &row, why);
	return e ? e : service_take_back(s, now, caller, SERVICE_BUNDLE_REVOKED, &row, out, why);
}
