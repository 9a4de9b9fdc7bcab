/* Cursors over prepared statements: bind in order, step, read in order, end. */
#include "store/stmt.h"

#include <string.h>

#include "base/seal.h"
#include "store/internal.h"

/* Texts are constants, so the address is the name: a probe or two, no comparing of text. */
static struct store_statement *find_slot(struct store *s, const char *sql)
{
	size_t i = ((uintptr_t)sql >> 3) * 0x9E3779B1u >> 7;

	for (;; i++) {
		struct store_statement *slot = &s->statement[i % STORE_STATEMENTS_MAX];

		if (slot->sql == sql || !slot->sql)
			return slot;
	}
}

static enum err prepare(struct store *s, const char *sql, sqlite3_stmt **out)
{
	struct store_statement *slot = find_slot(s, sql);
	int rc;

	if (slot->sql) {
		*out = slot->p;
		return sqlite3_stmt_busy(slot->p) ? ERR_STATE : ERR_OK;
	}
	if (s->statement_count >= STORE_STATEMENTS_MAX / 2)
		return ERR_FULL;
	rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	if (rc != SQLITE_OK)
		return store_error(s, rc);
	*slot = (struct store_statement){.sql = sql, .p = *out};
	s->statement_count++;
	return ERR_OK;
}

struct stmt stmt_start(struct store *s, const char *sql)
{
	struct stmt q = {.store = s, .parameter = 1};

	q.error = prepare(s, sql, &q.p);
	if (q.error != ERR_OK)
		q.p = NULL;
	return q;
}

static void check_bind(struct stmt *q, int rc)
{
	if (rc != SQLITE_OK)
		q->error = store_error(q->store, rc);
	q->parameter++;
}

void stmt_bind_i64(struct stmt *q, int64_t v)
{
	if (q->error == ERR_OK)
		check_bind(q, sqlite3_bind_int64(q->p, q->parameter, v));
}

void stmt_bind_u64(struct stmt *q, uint64_t v)
{
	stmt_bind_i64(q, (int64_t)v);
}

void stmt_bind_bytes(struct stmt *q, const void *p, size_t n)
{
	if (q->error == ERR_OK)
		check_bind(q,
			sqlite3_bind_blob64(q->p, q->parameter, n > 0 ? p : "", n, SQLITE_STATIC));
}

void stmt_bind_text(struct stmt *q, const char *text)
{
	if (q->error == ERR_OK)
		check_bind(q, sqlite3_bind_text(q->p, q->parameter, text, -1, SQLITE_STATIC));
}

void stmt_bind_null(struct stmt *q)
{
	if (q->error == ERR_OK)
		check_bind(q, sqlite3_bind_null(q->p, q->parameter));
}

void stmt_bind_sealed(struct stmt *q, struct stmt_sealed *keep, const char *column, int64_t rowid,
	struct span plain)
{
	size_t n = 0;

	if (q->error != ERR_OK)
		return;
	q->error = seal_put(q->store->seal, column, rowid, plain, keep->b, sizeof(keep->b), &n);
	stmt_bind_bytes(q, keep->b, n);
}

bool stmt_step(struct stmt *q)
{
	int rc;

	if (q->error != ERR_OK)
		return false;
	rc = sqlite3_step(q->p);
	q->column = 0;
	if (rc == SQLITE_ROW) {
		q->found = true;
		return true;
	}
	if (rc != SQLITE_DONE)
		q->error = store_error(q->store, rc);
	return false;
}

/* Is there a next column of this type? Else the database is damaged. */
static bool take(struct stmt *q, int type)
{
	if (q->error != ERR_OK)
		return false;
	if (q->column >= sqlite3_data_count(q->p) || sqlite3_column_type(q->p, q->column) != type) {
		q->error = ERR_IO;
		return false;
	}
	q->column++;
	return true;
}

bool stmt_is_null(const struct stmt *q)
{
	return q->error == ERR_OK && sqlite3_column_type(q->p, q->column) == SQLITE_NULL;
}

void stmt_skip(struct stmt *q)
{
	q->column++;
}

int64_t stmt_i64(struct stmt *q)
{
	return take(q, SQLITE_INTEGER) ? sqlite3_column_int64(q->p, q->column - 1) : 0;
}

uint64_t stmt_u64(struct stmt *q)
{
	return (uint64_t)stmt_i64(q);
}

static struct span take_blob(struct stmt *q)
{
	struct span v = {NULL, 0};

	if (!take(q, SQLITE_BLOB))
		return v;
	v.p = sqlite3_column_blob(q->p, q->column - 1);
	v.n = (size_t)sqlite3_column_bytes(q->p, q->column - 1);
	return v;
}

void stmt_bytes(struct stmt *q, void *out, size_t n)
{
	struct span v = take_blob(q);

	if (v.n != n)
		q->error = q->error == ERR_OK ? ERR_IO : q->error;
	else if (n > 0)
		memcpy(out, v.p, n);
}

size_t stmt_bytes_up_to(struct stmt *q, void *out, size_t cap)
{
	struct span v;

	if (stmt_is_null(q)) {
		stmt_skip(q);
		return 0;
	}
	v = take_blob(q);
	if (v.n > cap) {
		q->error = ERR_IO;
		return 0;
	}
	if (v.n > 0)
		memcpy(out, v.p, v.n);
	return v.n;
}

void stmt_text(struct stmt *q, char *out, size_t cap)
{
	size_t n;

	out[0] = '\0';
	if (stmt_is_null(q)) {
		stmt_skip(q);
		return;
	}
	if (!take(q, SQLITE_TEXT))
		return;
	n = (size_t)sqlite3_column_bytes(q->p, q->column - 1);
	if (n >= cap) {
		q->error = ERR_IO;
		return;
	}
	memcpy(out, sqlite3_column_text(q->p, q->column - 1), n);
	out[n] = '\0';
}

const char *stmt_text_view(struct stmt *q)
{
	return take(q, SQLITE_TEXT) ? (const char *)sqlite3_column_text(q->p, q->column - 1) : "";
}

void stmt_sealed(struct stmt *q, const char *column, int64_t rowid, void *out, size_t n)
{
	struct span v = take_blob(q);
	size_t len = 0;

	bytes_wipe(out, n);
	if (q->error != ERR_OK)
		return;
	q->error = seal_get(q->store->seal, column, rowid, v, out, n, &len);
	if (q->error == ERR_OK && len != n)
		q->error = ERR_IO;
	if (q->error != ERR_OK)
		bytes_wipe(out, n);
}

enum err stmt_end(struct stmt *q)
{
	if (q->p) {
		/* What reset returns was told by step already. */
		(void)sqlite3_reset(q->p);
		(void)sqlite3_clear_bindings(q->p);
		q->p = NULL;
	}
	return q->error;
}

enum err stmt_end_found(struct stmt *q)
{
	enum err e = stmt_end(q);

	return e == ERR_OK && !q->found ? ERR_NOT_FOUND : e;
}

static enum err one_id(struct store *s, const char *sql, const struct public32 *first,
	const struct public32 *last, struct public32 *out)
{
	struct stmt q = stmt_start(s, sql);
	bool several = false;
	enum err e;

	stmt_bind_bytes(&q, first->b, sizeof(first->b));
	stmt_bind_bytes(&q, last->b, sizeof(last->b));
	if (stmt_step(&q)) {
		stmt_bytes(&q, out->b, sizeof(out->b));
		several = stmt_step(&q);
	}
	e = stmt_end_found(&q);
	return e == ERR_OK && several ? ERR_CONFLICT : e;
}

struct stmt stmt_by_id(struct store *s, const char *range, const char *find,
	const struct public32 *first, const struct public32 *last, struct public32 *keep)
{
	struct stmt q = {.store = s, .error = one_id(s, range, first, last, keep)};

	if (q.error != ERR_OK)
		return q;
	q = stmt_start(s, find);
	stmt_bind_bytes(&q, keep->b, sizeof(keep->b));
	return q;
}

enum err stmt_run(struct stmt *q, size_t *changes)
{
	while (stmt_step(q))
		;
	if (changes)
		*changes = q->error == ERR_OK ? (size_t)sqlite3_changes64(q->store->db) : 0;
	return stmt_end(q);
}

enum err stmt_run_one(struct stmt *q)
{
	size_t changes;
	enum err e = stmt_run(q, &changes);

	return e == ERR_OK && changes != 1 ? ERR_NOT_FOUND : e;
}

int64_t stmt_last_rowid(const struct store *s)
{
	return sqlite3_last_insert_rowid(s->db);
}

enum err stmt_next_rowid(struct store *s, const char *table, int64_t *out)
{
	static const char NEWEST[] = "SELECT seq FROM sqlite_sequence WHERE name = ?";
	struct stmt q = stmt_start(s, NEWEST);
	int64_t newest = 0;

	stmt_bind_text(&q, table);
	if (stmt_step(&q))
		newest = stmt_i64(&q);
	*out = newest + 1;
	return stmt_end(&q);
}

enum err stmt_script(struct store *s, const char *sql)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? ERR_OK : store_error(s, rc);
}
