/*
 * Writes one line of the audit log as canonical JSON: one object, keys sorted, no white space,
 * strings escaped as RFC 8259 demands and no further. Fields may be added in any order. For all
 * rules of this room.
 *
 *	struct audit a;
 *
 *	audit_start(&a, "bundle_revoked", caller);
 *	audit_hex(&a, "bundle", id, 8);
 *	return audit_write(&a, store, now->wall_s);
 */
#ifndef ENROLL_AUDIT_H
#define ENROLL_AUDIT_H

#include "enroll/caller.h"
#include "store/audit.h"

#define AUDIT_FIELDS_MAX 16

struct audit {
	size_t count;
	struct {
		const char *key;
		size_t start, length; /* of the value in text */
	} field[AUDIT_FIELDS_MAX];
	size_t used;
	bool bad; /* a field too many or too long */
	char text[AUDIT_JSON_MAX];
};

/* event: static; becomes the key "event". who (may be NULL: the daemon itself) becomes "by" and
 * "uid". */
void audit_start(struct audit *a, const char *event, const struct caller *who);

/* Keys are static, of [a-z_] only, each once. */
void audit_text(struct audit *a, const char *key, const char *value);
void audit_hex(struct audit *a, const char *key, const void *p, size_t n);
void audit_u64(struct audit *a, const char *key, uint64_t value);

/* The line itself, NUL-terminated. ERR_FULL if it does not fit. */
ENR_MUST_CHECK enum err audit_print(const struct audit *a, char *out, size_t cap);
/* Appends it, inside the open transaction. at: unix seconds. */
ENR_MUST_CHECK enum err audit_write(const struct audit *a, struct store *s, uint64_t at);

#endif
