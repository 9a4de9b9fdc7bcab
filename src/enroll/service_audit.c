/* The audit log and the counts, as people see them. */
#include "enroll/service_internal.h"

struct list {
	service_audit_fn *each;
	void *arg;
	size_t limit, count;
	bool more;
};

static bool list_row(void *arg, const struct audit_row *row)
{
	struct list *l = arg;
	struct service_audit_row view = {.seq = row->mark.seq, .at = row->at, .json = row->json};

	l->more = l->limit > 0 && l->count == l->limit;
	if (l->more)
		return false;
	memcpy(view.hash, row->mark.hash, sizeof(view.hash));
	l->each(l->arg, &view);
	l->count++;
	return true;
}

enum err service_audit_list(struct service *s, uint64_t after, size_t limit, service_audit_fn *each,
	void *arg, bool *more)
{
	struct list l = {.each = each, .arg = arg, .limit = limit};
	struct audit_mark newest;
	enum err e = audit_newest(s->store, &newest);

	if (e != ERR_OK)
		return e;
	if (after == UINT64_MAX)
		after = limit > 0 && newest.seq > limit ? newest.seq - limit : 0;
	e = audit_read(s->store, after, list_row, &l);
	if (more)
		*more = l.more;
	return e;
}

#define VERIFY_ROWS 4096

enum err service_audit_verify(
	struct service *s, struct service_audit_mark *mark, bool *done, struct reason *why)
{
	struct audit_mark at = {.seq = mark->seq};
	enum err e;

	memcpy(at.hash, mark->hash, sizeof(at.hash));
	e = audit_verify(s->store, &at, VERIFY_ROWS, done, why);
	mark->seq = at.seq;
	memcpy(mark->hash, at.hash, sizeof(mark->hash));
	return e == ERR_AUTH ? e : service_storage(e, why);
}

enum err service_counts(struct service *s, const struct clock_now *now, struct service_counts *out)
{
	uint64_t tally[TALLY_COUNT];
	struct audit_mark newest = {0};
	struct signed_prekey spk = {.id = 0};
	enum err e = bundles_tallies(s->store, tally);

	*out = (struct service_counts){.service_s = service_now(s, now)};
	if (e == ERR_OK)
		e = audit_newest(s->store, &newest);
	if (e == ERR_OK)
		e = keys_spk_newest(s->store, out->service_s, &spk);
	x3dh_keypair_wipe(&spk.key);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		return e;
	memcpy(out->bundles, tally, sizeof(out->bundles));
	out->devices = tally[TALLY_DEVICES];
	out->devices_revoked = tally[TALLY_DEVICES_REVOKED];
	out->audit_seq = newest.seq;
	out->spk_id = spk.id;
	out->spk_made_at = spk.made_at;
	return ERR_OK;
}
