/* Rules for enrolled devices: list, show, revoke. */
#include "enroll/service_internal.h"
#include "store/devices.h"

static void view(const struct device_row *row, struct service_device *out)
{
	*out = (struct service_device){
		.row = row->row,
		.id = row->id,
		.ik = row->ik,
		.enrollee_id = row->enrollee_id,
		.enroller = row->enroller,
		.enrolled_at = row->enrolled_at,
		.seen_at = row->seen_at,
		.revoked_at = row->revoked_at,
		.epoch = row->epoch,
	};
	memcpy(out->pet_name, row->pet_name, sizeof(out->pet_name));
}

struct list {
	service_device_fn *each;
	void *arg;
	size_t limit, count;
	bool more;
};

static bool list_row(void *arg, const struct device_row *row)
{
	struct list *l = arg;
	struct service_device device;

	l->more = l->limit > 0 && l->count == l->limit;
	if (l->more)
		return false;
	view(row, &device);
	l->each(l->arg, &device);
	l->count++;
	return true;
}

enum err service_device_list(struct service *s, const struct service_filter *filter,
	service_device_fn *each, void *arg, bool *more)
{
	const struct devices_filter rows = {
		.enrolled = filter->states == 0 || (filter->states & 1) != 0,
		.revoked = filter->states == 0 || (filter->states & 2) != 0,
		.enroller = filter->uid == SERVICE_ANY_UID ? -1 : (int64_t)filter->uid,
		.after = filter->after,
	};
	struct list l = {.each = each, .arg = arg, .limit = filter->limit};
	enum err e = devices_list(s->store, &rows, list_row, &l);

	if (more)
		*more = l.more;
	return e;
}

static enum err find(struct service *s, const char *id, struct device_row *out, struct reason *why)
{
	struct enrollmsg_prefix prefix;
	struct public32 first, last;
	enum err e = service_prefix(id, 64, "device", &prefix, why);

	if (e != ERR_OK)
		return e;
	memcpy(first.b, prefix.first, sizeof(first.b));
	memcpy(last.b, prefix.last, sizeof(last.b));
	return service_not_one(devices_find(s->store, &first, &last, out), "device", id, why);
}

enum err service_device_show(
	struct service *s, const char *id, struct service_device *out, struct reason *why)
{
	struct device_row row;
	enum err e = find(s, id, &row, why);

	if (e == ERR_OK)
		view(&row, out);
	return e;
}

static enum err note_revoked(struct service *s, const struct clock_now *now,
	const struct caller *caller, const struct device_row *row)
{
	struct service_event event = {
		.kind = SERVICE_DEVICE_REVOKED,
		.at = now->wall_s,
		.enroller = row->enroller,
		.has_device = true,
		.device_id = row->id,
	};
	struct audit a;
	enum err e;

	memcpy(event.pet_name, row->pet_name, sizeof(event.pet_name));
	audit_start(&a, service_event_text(event.kind), caller);
	audit_hex(&a, "device", row->id.b, sizeof(row->id.b));
	e = audit_write(&a, s->store, now->wall_s);
	return e == ERR_OK ? service_push(s, &event) : e;
}

enum err service_device_revoke(struct service *s, const struct clock_now *now,
	const struct caller *caller, const char *id, struct service_device *out, struct reason *why)
{
	struct device_row row;
	enum err e = find(s, id, &row, why);

	if (e == ERR_OK)
		e = service_may_change(caller, row.enroller, why);
	if (e != ERR_OK)
		return e;
	if (row.revoked_at > 0) {
		reason_set(why, "device", "it is revoked already");
		return ERR_STATE;
	}
	(void)service_now(s, now);
	e = devices_revoke(s->store, row.row, now->wall_s);
	if (e == ERR_OK)
		e = note_revoked(s, now, caller, &row);
	if (e != ERR_OK)
		return service_storage(e, why);
	s->checkpoint_due = true;
	row.revoked_at = now->wall_s;
	row.epoch = 0;
	view(&row, out);
	return ERR_OK;
}
