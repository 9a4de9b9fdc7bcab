/* Rows of bundles. */
#include "store/bundles.h"

#include "store/stmt.h"

static const char OPK_PRIVATE[] = "bundles.opk_private";

#define COLUMNS                                                                                    \
	"b.id, b.bundle_id, b.state, b.enroller, b.spk_id, b.addr_id, b.opk_public, b.issued_at, " \
	"b.expires_s, coalesce(b.closed_at, 0), b.enrollee_id, b.eik, coalesce(b.announced_at, "   \
	"0), "                                                                                     \
	"b.pet_name, d.device_id"
#define TABLES "bundles b LEFT JOIN devices d ON d.bundle = b.id"

static bool read_public(struct stmt *q, struct public32 *out)
{
	if (stmt_is_null(q)) {
		stmt_skip(q);
		*out = (struct public32){{0}};
		return false;
	}
	stmt_bytes(q, out->b, sizeof(out->b));
	return true;
}

static void read_row(struct stmt *q, struct bundle_row *out)
{
	out->row = stmt_i64(q);
	stmt_bytes(q, out->id, sizeof(out->id));
	out->state = (enum bundle_state)stmt_i64(q);
	out->enroller = (uint32_t)stmt_i64(q);
	out->spk_id = (uint32_t)stmt_i64(q);
	out->addr_row = stmt_i64(q);
	stmt_bytes(q, out->opk.b, sizeof(out->opk.b));
	out->issued_at = stmt_u64(q);
	out->expires_s = stmt_u64(q);
	out->closed_at = stmt_u64(q);
	out->has_enrollee = read_public(q, &out->enrollee_id);
	(void)read_public(q, &out->eik);
	out->announced_at = stmt_u64(q);
	stmt_text(q, out->pet_name, sizeof(out->pet_name));
	out->has_device = read_public(q, &out->device_id);
}

enum err bundles_insert(
	struct store *s, struct bundle_row *row, const struct secret32 *opk_private, uint32_t quota)
{
	static const char INSERT[] =
		"INSERT INTO bundles (id, bundle_id, state, enroller, spk_id, addr_id, opk_public, "
		"opk_private, issued_at, expires_s, due_s) "
		"SELECT ?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9 "
		"WHERE coalesce((SELECT n FROM tallies WHERE kind = 0 AND owner = ?3), 0) < ?10";
	struct stmt_sealed sealed;
	struct stmt q;
	enum err e = stmt_next_rowid(s, "bundles", &row->row);

	if (e != ERR_OK)
		return e;
	q = stmt_start(s, INSERT);
	stmt_bind_i64(&q, row->row);
	stmt_bind_bytes(&q, row->id, sizeof(row->id));
	stmt_bind_u64(&q, row->enroller);
	stmt_bind_u64(&q, row->spk_id);
	stmt_bind_i64(&q, row->addr_row);
	stmt_bind_bytes(&q, row->opk.b, sizeof(row->opk.b));
	stmt_bind_sealed(&q, &sealed, OPK_PRIVATE, row->row,
		(struct span){opk_private->b, sizeof(opk_private->b)});
	stmt_bind_u64(&q, row->issued_at);
	stmt_bind_u64(&q, row->expires_s);
	stmt_bind_u64(&q, quota);
	e = stmt_run_one(&q);
	row->state = BUNDLE_OPEN;
	return e == ERR_NOT_FOUND ? ERR_QUOTA : e;
}

enum err bundles_find(struct store *s, const uint8_t first[BUNDLE_ID_BYTES],
	const uint8_t last[BUNDLE_ID_BYTES], struct bundle_row *out)
{
	static const char FIND[] =
		"SELECT " COLUMNS " FROM " TABLES " WHERE b.bundle_id BETWEEN ? AND ? LIMIT 2";
	struct stmt q = stmt_start(s, FIND);
	bool several = false;
	enum err e;

	stmt_bind_bytes(&q, first, BUNDLE_ID_BYTES);
	stmt_bind_bytes(&q, last, BUNDLE_ID_BYTES);
	if (stmt_step(&q)) {
		read_row(&q, out);
		several = stmt_step(&q);
	}
	e = stmt_end_found(&q);
	return e == ERR_OK && several ? ERR_CONFLICT : e;
}

enum err bundles_find_enrollee(struct store *s, const struct public32 *first,
	const struct public32 *last, struct bundle_row *out)
{
	static const char RANGE[] = "SELECT DISTINCT enrollee_id FROM bundles "
				    "WHERE enrollee_id BETWEEN ? AND ? LIMIT 2";
	static const char FIND[] = "SELECT " COLUMNS " FROM " TABLES " WHERE b.enrollee_id = ? "
				   "ORDER BY b.ended = 0 DESC, b.ended DESC LIMIT 1";
	struct public32 id;
	struct stmt q = stmt_by_id(s, RANGE, FIND, first, last, &id);

	if (stmt_step(&q))
		read_row(&q, out);
	return stmt_end_found(&q);
}

enum err bundles_get(struct store *s, int64_t row, struct bundle_row *out)
{
	static const char GET[] = "SELECT " COLUMNS " FROM " TABLES " WHERE b.id = ?";
	struct stmt q = stmt_start(s, GET);

	stmt_bind_i64(&q, row);
	if (stmt_step(&q))
		read_row(&q, out);
	return stmt_end_found(&q);
}

enum err bundles_pending(struct store *s, const struct public32 *enrollee_id, uint64_t now_s,
	struct bundle_pending *out)
{
	static const char PENDING[] =
		"SELECT id, bundle_id, enroller, spk_id, addr_id, eik, opk_private, pet_name "
		"FROM bundles WHERE enrollee_id = ? AND ended = 0 AND state = 1 AND expires_s > ?";
	struct stmt q = stmt_start(s, PENDING);
	enum err e;

	stmt_bind_bytes(&q, enrollee_id->b, sizeof(enrollee_id->b));
	stmt_bind_u64(&q, now_s);
	if (stmt_step(&q)) {
		out->row = stmt_i64(&q);
		stmt_bytes(&q, out->id, sizeof(out->id));
		out->enroller = (uint32_t)stmt_i64(&q);
		out->spk_id = (uint32_t)stmt_i64(&q);
		out->addr_row = stmt_i64(&q);
		stmt_bytes(&q, out->eik.b, sizeof(out->eik.b));
		stmt_sealed(
			&q, OPK_PRIVATE, out->row, out->opk_private.b, sizeof(out->opk_private.b));
		stmt_text(&q, out->pet_name, sizeof(out->pet_name));
	}
	e = stmt_end_found(&q);
	if (e != ERR_OK)
		secret32_wipe(&out->opk_private);
	return e;
}

/* Nothing changed although the bundle is open and lives: then the quota was in the way. */
static enum err why_not_announced(struct store *s, int64_t row, uint64_t now_s)
{
	static const char OPEN[] =
		"SELECT id FROM bundles WHERE id = ? AND state = 0 AND expires_s > ?";
	struct stmt q = stmt_start(s, OPEN);
	enum err e;

	stmt_bind_i64(&q, row);
	stmt_bind_u64(&q, now_s);
	(void)stmt_step(&q);
	e = stmt_end_found(&q);
	return e == ERR_OK ? ERR_QUOTA : e;
}

enum err bundles_announce(
	struct store *s, const struct bundle_row *row, uint64_t now_s, uint32_t quota)
{
	static const char ANNOUNCE[] =
		"UPDATE bundles SET state = 1, expires_s = ?1, due_s = ?1, enrollee_id = ?2, "
		"eik = ?3, announced_at = ?4, pet_name = ?5 "
		"WHERE id = ?6 AND state = 0 AND expires_s > ?7 AND coalesce((SELECT n FROM "
		"tallies WHERE kind = 1 AND owner = bundles.enroller), 0) < ?8";
	struct stmt q = stmt_start(s, ANNOUNCE);
	enum err e;

	stmt_bind_u64(&q, row->expires_s);
	stmt_bind_bytes(&q, row->enrollee_id.b, sizeof(row->enrollee_id.b));
	stmt_bind_bytes(&q, row->eik.b, sizeof(row->eik.b));
	stmt_bind_u64(&q, row->announced_at);
	stmt_bind_text(&q, row->pet_name[0] != '\0' ? row->pet_name : NULL);
	stmt_bind_i64(&q, row->row);
	stmt_bind_u64(&q, now_s);
	stmt_bind_u64(&q, quota);
	e = stmt_run_one(&q);
	return e == ERR_NOT_FOUND ? why_not_announced(s, row->row, now_s) : e;
}

enum err bundles_use(struct store *s, int64_t row, uint64_t now_s, uint64_t at)
{
	static const char USE[] =
		"UPDATE bundles SET state = 2, opk_private = NULL, due_s = NULL, closed_at = ? "
		"WHERE id = ? AND state = 1 AND expires_s > ?";
	struct stmt q = stmt_start(s, USE);

	stmt_bind_u64(&q, at);
	stmt_bind_i64(&q, row);
	stmt_bind_u64(&q, now_s);
	return stmt_run_one(&q);
}

enum err bundles_revoke(struct store *s, int64_t row, enum bundle_state from, uint64_t now_s,
	uint64_t forget_s, uint64_t at)
{
	static const char REVOKE[] =
		"UPDATE bundles SET state = 4, opk_private = NULL, ended = id, due_s = ?, "
		"closed_at = ? WHERE id = ? AND state = ? AND state IN (0, 1) AND expires_s > ?";
	struct stmt q = stmt_start(s, REVOKE);

	stmt_bind_u64(&q, forget_s);
	stmt_bind_u64(&q, at);
	stmt_bind_i64(&q, row);
	stmt_bind_i64(&q, from);
	stmt_bind_u64(&q, now_s);
	return stmt_run_one(&q);
}

enum err bundles_due(
	struct store *s, uint64_t now_s, struct bundle_due *out, size_t cap, size_t *count)
{
	static const char DUE[] =
		"SELECT id, state FROM bundles WHERE due_s <= ? ORDER BY due_s LIMIT ?";
	struct stmt q = stmt_start(s, DUE);

	stmt_bind_u64(&q, now_s);
	stmt_bind_u64(&q, cap);
	for (*count = 0; *count < cap && stmt_step(&q); (*count)++) {
		out[*count].row = stmt_i64(&q);
		out[*count].live = stmt_i64(&q) <= BUNDLE_PENDING;
	}
	return stmt_end(&q);
}

enum err bundles_expire(
	struct store *s, int64_t row, uint64_t now_s, uint64_t forget_s, uint64_t at)
{
	static const char EXPIRE[] =
		"UPDATE bundles SET state = 3, opk_private = NULL, ended = id, due_s = ?, "
		"closed_at = ? WHERE id = ? AND state IN (0, 1) AND expires_s <= ?";
	struct stmt q = stmt_start(s, EXPIRE);

	stmt_bind_u64(&q, forget_s);
	stmt_bind_u64(&q, at);
	stmt_bind_i64(&q, row);
	stmt_bind_u64(&q, now_s);
	return stmt_run_one(&q);
}

enum err bundles_forget(struct store *s, int64_t row, uint64_t now_s)
{
	static const char FORGET[] =
		"DELETE FROM bundles WHERE id = ? AND state >= 3 AND due_s <= ?";
	struct stmt q = stmt_start(s, FORGET);

	stmt_bind_i64(&q, row);
	stmt_bind_u64(&q, now_s);
	return stmt_run_one(&q);
}

enum err bundles_list(struct store *s, const struct bundles_filter *filter, uint64_t now_s,
	bundles_fn *each, void *arg)
{
	static const char LIST[] =
		"SELECT " COLUMNS " FROM " TABLES
		" WHERE b.id > ?1 AND (?2 < 0 OR b.enroller = ?2) "
		"AND (?3 = 0 OR b.enrollee_id IS NOT NULL) AND "
		"(?4 & (1 << iif(b.state <= 1 AND b.expires_s <= ?5, 3, b.state))) <> 0 "
		"ORDER BY b.id";
	struct stmt q = stmt_start(s, LIST);
	struct bundle_row row;
	bool go_on = true;

	stmt_bind_i64(&q, filter->after);
	stmt_bind_i64(&q, filter->enroller);
	stmt_bind_i64(&q, filter->enrollees);
	stmt_bind_u64(&q, filter->states);
	stmt_bind_u64(&q, now_s);
	while (go_on && stmt_step(&q)) {
		read_row(&q, &row);
		if (row.state <= BUNDLE_PENDING && row.expires_s <= now_s)
			row.state = BUNDLE_EXPIRED;
		if (q.error == ERR_OK)
			go_on = each(arg, &row);
	}
	return stmt_end(&q);
}

enum err bundles_tallies(struct store *s, uint64_t out[TALLY_COUNT])
{
	static const char SUM[] = "SELECT kind, sum(n) FROM tallies GROUP BY kind";
	struct stmt q = stmt_start(s, SUM);

	memset(out, 0, TALLY_COUNT * sizeof(out[0]));
	while (stmt_step(&q)) {
		uint64_t kind = stmt_u64(&q), n = stmt_u64(&q);

		if (kind < TALLY_COUNT)
			out[kind] = n;
	}
	return stmt_end(&q);
}
