/*
 * The append-only audit log: hash_n = SHA-256(hash_(n-1), seq LE64, at LE64, canonical JSON), with
 * hash_0 = 32 zero bytes and seq from 1 without gaps. The database itself refuses to change or
 * delete a row.
 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "store/store.h"

#define AUDIT_JSON_MAX 1024

struct audit_mark {
	uint64_t seq; /* 0: before the first row */
	uint8_t hash[32];
};

struct audit_row {
	struct audit_mark mark;
	uint64_t at;
	const char *json; /* borrowed until return */
};

/* Inside a transaction. json: canonical (enroll/audit.h makes it), at most AUDIT_JSON_MAX - 1. */
ENR_MUST_CHECK enum err audit_append(struct store *s, uint64_t at, const char *json);

/* The newest row; zeros if there is none. */
ENR_MUST_CHECK enum err audit_newest(struct store *s, struct audit_mark *out);

/* Return false to stop. */
typedef bool audit_fn(void *arg, const struct audit_row *row);
/* Rows with seq > after, ascending. */
ENR_MUST_CHECK enum err audit_read(struct store *s, uint64_t after, audit_fn *each, void *arg);

/* Verifies up to limit rows after *mark, moves it. See service_audit_verify. */
ENR_MUST_CHECK enum err audit_verify(
	struct store *s, struct audit_mark *mark, size_t limit, bool *done, struct reason *why);

#endif
