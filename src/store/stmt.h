/*
 * Prepared statements for the row files of this room. Internal: only src/store includes it.
 *
 * A cursor in the manner of enr/bytes.h: bind the parameters in their order, step, read the columns
 * in their order, end. The first error sticks, later calls do nothing, stmt_end or stmt_run tells
 * it. SQL texts are static constants: a text is prepared once per connection, found again by its
 * address. A statement is used by one cursor at a time (ERR_STATE else).
 *
 *	static const char FIND[] = "SELECT rowid, name FROM nodes WHERE serial = ?";
 *	struct stmt q = stmt_start(s, FIND);
 *
 *	stmt_bind_u64(&q, serial);
 *	if (stmt_step(&q)) {
 *		out->id = stmt_i64(&q);
 *		stmt_text(&q, out->name, sizeof(out->name));
 *	}
 *	return stmt_end_found(&q);
 */
#ifndef STORE_STMT_H
#define STORE_STMT_H

#include "store/store.h"

struct sqlite3_stmt;

struct stmt {
	struct store *store;
	struct sqlite3_stmt *p;
	int parameter; /* the next to bind, from 1 */
	int column;    /* the next to read, from 0 */
	bool found;    /* a row has been seen */
	enum err error;
};

struct stmt stmt_start(struct store *s, const char *sql);

/* The next parameter. Bytes and text are borrowed until the statement ends. */
void stmt_bind_u64(struct stmt *q, uint64_t v); /* as two's complement: comparisons need < 2^63 */
void stmt_bind_i64(struct stmt *q, int64_t v);
void stmt_bind_bytes(struct stmt *q, const void *p, size_t n); /* a BLOB; n == 0: empty, not NULL */
void stmt_bind_text(struct stmt *q, const char *text);         /* NULL: SQL NULL */
void stmt_bind_null(struct stmt *q);

/* True: a row is there, its columns can be read. False: no more rows, or an error. */
bool stmt_step(struct stmt *q);

/* The next column. What does not fit or has another size or type is ERR_IO: a damaged database. */
uint64_t stmt_u64(struct stmt *q);
int64_t stmt_i64(struct stmt *q);
bool stmt_is_null(const struct stmt *q); /* looks at the next column, does not move on */
void stmt_skip(struct stmt *q);
void stmt_bytes(struct stmt *q, void *out, size_t n);           /* exactly n */
size_t stmt_bytes_up_to(struct stmt *q, void *out, size_t cap); /* NULL: 0 */
void stmt_text(struct stmt *q, char *out, size_t cap);          /* with NUL; SQL NULL: "" */

/* The text itself, borrowed until the next step or the end; "" when it cannot be read. */
const char *stmt_text_view(struct stmt *q);

/* Every cursor ends with one of these. Resets the statement and forgets its parameters. */
ENR_MUST_CHECK enum err stmt_end(struct stmt *q);
ENR_MUST_CHECK enum err stmt_end_found(struct stmt *q); /* ERR_NOT_FOUND if there was no row */
/*
 * The query find with its one parameter bound: the one id of 32 bytes between first and last, both
 * included. range finds that: it takes both and returns at most two DISTINCT ones. keep holds the
 * id until the statement ends. The cursor ends in ERR_NOT_FOUND (none), ERR_CONFLICT (several).
 */
struct stmt stmt_by_id(struct store *s, const char *range, const char *find,
	const struct public32 *first, const struct public32 *last, struct public32 *keep);
/* Steps to the end and ends; changes (may be NULL): rows inserted, updated or deleted. */
ENR_MUST_CHECK enum err stmt_run(struct stmt *q, size_t *changes);
/* The same, and the rule of law 6: exactly one row changed, else ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err stmt_run_one(struct stmt *q);

/* Row id of the last INSERT of this connection. */
int64_t stmt_last_rowid(const struct store *s);

/*
 * Sealed columns (base/seal.h). The associated data holds the row id, so the row must be there
 * first: INSERT with the column NULL or empty, then UPDATE it with stmt_bind_sealed; or take the id
 * of the row to come from store_next_rowid and insert it with that id. plain.n <= 256.
 */
#define STMT_SEALED_MAX (256 + 33)
struct stmt_sealed { /* keeps what stmt_bind_sealed binds; lives until the statement ends */
	uint8_t b[STMT_SEALED_MAX];
};
void stmt_bind_sealed(struct stmt *q, struct stmt_sealed *keep, const char *column, int64_t rowid,
	struct span plain);
/* The next column, opened: exactly n bytes; wiped on failure. ERR_AUTH, ERR_KEY. */
void stmt_sealed(struct stmt *q, const char *column, int64_t rowid, void *out, size_t n);

/* The row id that the AUTOINCREMENT table's next INSERT gets, in this transaction. */
ENR_MUST_CHECK enum err stmt_next_rowid(struct store *s, const char *table, int64_t *out);

/* Several statements without parameters, for pragmas and migrations. */
ENR_MUST_CHECK enum err stmt_script(struct store *s, const char *sql);

#endif
