/* Rows of devices. */
#include "store/devices.h"

#include "store/stmt.h"

#define COLUMNS                                                                           \
	"d.id, d.device_id, d.ik, b.enrollee_id, b.enroller, b.pet_name, d.enrolled_at, " \
	"coalesce(d.revoked_at, 0), coalesce(c.seen_at, 0), coalesce(c.epoch, 0)"
#define TABLES "devices d JOIN bundles b ON b.id = d.bundle LEFT JOIN channels c ON c.id = d.id"

static void read_row(struct stmt *q, struct device_row *out)
{
	out->row = stmt_i64(q);
	stmt_bytes(q, out->id.b, sizeof(out->id.b));
	stmt_bytes(q, out->ik.b, sizeof(out->ik.b));
	stmt_bytes(q, out->enrollee_id.b, sizeof(out->enrollee_id.b));
	out->enroller = (uint32_t)stmt_u64(q);
	stmt_text(q, out->pet_name, sizeof(out->pet_name));
	out->enrolled_at = stmt_u64(q);
	out->revoked_at = stmt_u64(q);
	out->seen_at = stmt_u64(q);
	out->epoch = (uint16_t)stmt_u64(q);
}

enum err devices_insert(struct store *s, const struct device_new *device, int64_t *row)
{
	static const char INSERT[] = "INSERT INTO devices (device_id, ik, ek, bundle, "
				     "message_hash, answer, enrolled_at) "
				     "VALUES (?, ?, ?, ?, ?, ?, ?)";
	struct stmt q = stmt_start(s, INSERT);
	enum err e;

	stmt_bind_bytes(&q, device->id.b, sizeof(device->id.b));
	stmt_bind_bytes(&q, device->ik.b, sizeof(device->ik.b));
	stmt_bind_bytes(&q, device->ek.b, sizeof(device->ek.b));
	stmt_bind_i64(&q, device->bundle_row);
	stmt_bind_bytes(&q, device->message_hash, sizeof(device->message_hash));
	stmt_bind_bytes(&q, device->answer.p, device->answer.n);
	stmt_bind_u64(&q, device->enrolled_at);
	e = stmt_run(&q, NULL);
	*row = stmt_last_rowid(s);
	return e;
}

enum err devices_seen(struct store *s, const struct public32 *ek, struct device_seen *out)
{
	static const char SEEN[] =
		"SELECT id, device_id, message_hash, answer FROM devices WHERE ek = ?";
	struct stmt q = stmt_start(s, SEEN);

	stmt_bind_bytes(&q, ek->b, sizeof(ek->b));
	if (stmt_step(&q)) {
		out->row = stmt_i64(&q);
		stmt_bytes(&q, out->id.b, sizeof(out->id.b));
		stmt_bytes(&q, out->message_hash, sizeof(out->message_hash));
		out->answer_bytes = stmt_bytes_up_to(&q, out->answer, sizeof(out->answer));
	}
	return stmt_end_found(&q);
}

/* The last id that begins with these 8 bytes. */
static struct public32 range_end(const uint8_t prefix[8])
{
	struct public32 last;

	memset(last.b, 0xFF, sizeof(last.b));
	memcpy(last.b, prefix, 8);
	return last;
}

enum err devices_live(struct store *s, const uint8_t prefix[8], int64_t *row)
{
	static const char LIVE[] = "SELECT id FROM devices WHERE device_id BETWEEN ? AND ? AND "
				   "ended = 0 LIMIT 1";
	struct public32 last = range_end(prefix);
	struct stmt q = stmt_start(s, LIVE);

	stmt_bind_bytes(&q, prefix, 8);
	stmt_bind_bytes(&q, last.b, sizeof(last.b));
	if (stmt_step(&q))
		*row = stmt_i64(&q);
	return stmt_end_found(&q);
}

enum err devices_find(struct store *s, const struct public32 *first, const struct public32 *last,
	struct device_row *out)
{
	static const char RANGE[] = "SELECT DISTINCT device_id FROM devices "
				    "WHERE device_id BETWEEN ? AND ? LIMIT 2";
	static const char FIND[] = "SELECT " COLUMNS " FROM " TABLES " WHERE d.device_id = ? "
				   "ORDER BY d.ended = 0 DESC, d.ended DESC LIMIT 1";
	struct public32 id;
	struct stmt q = stmt_by_id(s, RANGE, FIND, first, last, &id);

	if (stmt_step(&q))
		read_row(&q, out);
	return stmt_end_found(&q);
}

enum err devices_revoke(struct store *s, int64_t row, uint64_t at)
{
	static const char REVOKE[] = "UPDATE devices SET revoked_at = ?, answer = NULL, ended = id "
				     "WHERE id = ? AND ended = 0";
	static const char FORGET[] = "DELETE FROM channels WHERE id = ?";
	struct stmt q = stmt_start(s, REVOKE);
	enum err e;

	stmt_bind_u64(&q, at);
	stmt_bind_i64(&q, row);
	e = stmt_run_one(&q);
	if (e != ERR_OK)
		return e;
	q = stmt_start(s, FORGET);
	stmt_bind_i64(&q, row);
	return stmt_run_one(&q);
}

enum err devices_list(
	struct store *s, const struct devices_filter *filter, devices_fn *each, void *arg)
{
	static const char LIST[] = "SELECT " COLUMNS " FROM " TABLES
				   " WHERE d.id > ?1 AND (?2 < 0 OR b.enroller = ?2) AND "
				   "iif(d.ended = 0, ?3, ?4) ORDER BY d.id";
	struct stmt q = stmt_start(s, LIST);
	struct device_row row;
	bool go_on = true;

	stmt_bind_i64(&q, filter->after);
	stmt_bind_i64(&q, filter->enroller);
	stmt_bind_i64(&q, filter->enrolled);
	stmt_bind_i64(&q, filter->revoked);
	while (go_on && stmt_step(&q)) {
		read_row(&q, &row);
		if (q.error == ERR_OK)
			go_on = each(arg, &row);
	}
	return stmt_end(&q);
}
