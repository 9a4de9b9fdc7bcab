/* Rows of audit, and the chain that ties them. */
#include "store/audit.h"

#include <inttypes.h>

#include "store/stmt.h"

static enum err chain(struct store *s, const struct audit_mark *previous, uint64_t at,
	const char *json, struct audit_mark *out)
{
	const struct crypto *c = store_crypto(s);
	uint8_t numbers[16];
	struct wr w = wr_init(numbers, sizeof(numbers));

	out->seq = previous->seq + 1;
	wr_u64(&w, out->seq);
	wr_u64(&w, at);
	return c->sha256(c->ctx,
		(const struct span[]){{previous->hash, sizeof(previous->hash)},
			{numbers, sizeof(numbers)}, {(const uint8_t *)json, strlen(json)}},
		3, out->hash);
}

enum err audit_newest(struct store *s, struct audit_mark *out)
{
	static const char NEWEST[] = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
	struct stmt q = stmt_start(s, NEWEST);

	*out = (struct audit_mark){0};
	if (stmt_step(&q)) {
		out->seq = stmt_u64(&q);
		stmt_bytes(&q, out->hash, sizeof(out->hash));
	}
	return stmt_end(&q);
}

enum err audit_append(struct store *s, uint64_t at, const char *json)
{
	static const char APPEND[] = "INSERT INTO audit VALUES (?, ?, ?, ?)";
	struct audit_mark newest, next;
	struct stmt q;
	enum err e = store_in_transaction(s) ? audit_newest(s, &newest) : ERR_STATE;

	if (e == ERR_OK)
		e = chain(s, &newest, at, json, &next);
	if (e != ERR_OK)
		return e;
	q = stmt_start(s, APPEND);
	stmt_bind_u64(&q, next.seq);
	stmt_bind_u64(&q, at);
	stmt_bind_text(&q, json);
	stmt_bind_bytes(&q, next.hash, sizeof(next.hash));
	return stmt_run(&q, NULL);
}

enum err audit_read(struct store *s, uint64_t after, audit_fn *each, void *arg)
{
	static const char READ[] =
		"SELECT seq, hash, at, json FROM audit WHERE seq > ? ORDER BY seq";
	struct stmt q = stmt_start(s, READ);
	bool go_on = true;

	stmt_bind_u64(&q, after > INT64_MAX ? INT64_MAX : after);
	while (go_on && stmt_step(&q)) {
		struct audit_row row;

		row.mark.seq = stmt_u64(&q);
		stmt_bytes(&q, row.mark.hash, sizeof(row.mark.hash));
		row.at = stmt_u64(&q);
		row.json = stmt_text_view(&q);
		if (q.error == ERR_OK)
			go_on = each(arg, &row);
	}
	return stmt_end(&q);
}

/* --- verifying --- */

static bool same_mark(const struct audit_mark *a, const struct audit_mark *b)
{
	return a->seq == b->seq && bytes_equal_ct(a->hash, b->hash, sizeof(a->hash));
}

/* The row that the caller remembers must still be there. */
static enum err check_start(struct store *s, const struct audit_mark *mark, struct reason *why)
{
	static const char GET[] = "SELECT seq, hash FROM audit WHERE seq = ?";
	struct audit_mark there = {0};
	struct stmt q;
	enum err e;

	if (mark->seq == 0)
		return same_mark(mark, &there) ? ERR_OK : ERR_AUTH;
	q = stmt_start(s, GET);
	stmt_bind_u64(&q, mark->seq);
	if (stmt_step(&q)) {
		there.seq = stmt_u64(&q);
		stmt_bytes(&q, there.hash, sizeof(there.hash));
	}
	e = stmt_end_found(&q);
	if (e == ERR_NOT_FOUND)
		reason_set(why, NULL, "row %" PRIu64 " is not there: the log was cut", mark->seq);
	else if (e == ERR_OK && !same_mark(mark, &there))
		reason_set(why, NULL, "row %" PRIu64 " has another hash: the log was rewritten",
			mark->seq);
	else
		return e;
	return ERR_AUTH;
}

/* The newest row that was ever appended must be the newest that is there. */
static enum err check_end(struct store *s, const struct audit_mark *mark, struct reason *why)
{
	int64_t next = 0;
	enum err e = stmt_next_rowid(s, "audit", &next);

	if (e != ERR_OK || mark->seq + 1 == (uint64_t)next)
		return e;
	reason_set(why, NULL, "row %" PRIi64 " is not there: the tail was cut", next - 1);
	return ERR_AUTH;
}

struct verify {
	struct store *s;
	struct audit_mark mark;
	size_t left;
	enum err e;
	uint64_t bad_seq;
};

static bool verify_row(void *arg, const struct audit_row *row)
{
	struct verify *v = arg;
	struct audit_mark expected;

	if (v->left == 0)
		return false;
	v->left--;
	v->e = chain(v->s, &v->mark, row->at, row->json, &expected);
	if (v->e == ERR_OK && !same_mark(&expected, &row->mark)) {
		v->bad_seq = row->mark.seq;
		v->e = ERR_AUTH;
	}
	if (v->e == ERR_OK)
		v->mark = expected;
	return v->e == ERR_OK;
}

enum err audit_verify(
	struct store *s, struct audit_mark *mark, size_t limit, bool *done, struct reason *why)
{
	struct verify v = {.s = s, .mark = *mark, .left = limit};
	enum err e = check_start(s, mark, why);

	*done = false;
	if (e == ERR_OK)
		e = audit_read(s, mark->seq, verify_row, &v);
	if (e != ERR_OK)
		return e;
	*mark = v.mark;
	if (v.bad_seq > 0)
		reason_set(why, NULL, "row %" PRIu64 " does not follow from row %" PRIu64,
			v.bad_seq, v.mark.seq);
	if (v.e != ERR_OK || v.left == 0)
		return v.e;
	*done = true;
	return check_end(s, mark, why);
}
