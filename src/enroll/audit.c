/* Canonical JSON for the audit log: flat, sorted, no more escapes than RFC 8259 demands. */
#include "enroll/audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "enr/hex.h"

static void put(struct audit *a, const char *p, size_t n)
{
	if (a->bad || sizeof(a->text) - a->used < n) {
		a->bad = true;
		return;
	}
	memcpy(a->text + a->used, p, n);
	a->used += n;
}

static void put_char(struct audit *a, char c)
{
	put(a, &c, 1);
}

static bool begin_field(struct audit *a, const char *key)
{
	if (a->count == AUDIT_FIELDS_MAX)
		a->bad = true;
	if (a->bad)
		return false;
	a->field[a->count].key = key;
	a->field[a->count].start = a->used;
	return true;
}

static void end_field(struct audit *a)
{
	a->field[a->count].length = a->used - a->field[a->count].start;
	a->count++;
}

static void put_escaped(struct audit *a, char c)
{
	char text[8];

	if (c == '"' || c == '\\') {
		put_char(a, '\\');
		put_char(a, c);
	} else if ((unsigned char)c < 0x20) {
		(void)snprintf(text, sizeof(text), "\\u%04x", (unsigned)c);
		put(a, text, 6);
	} else {
		put_char(a, c);
	}
}

void audit_text(struct audit *a, const char *key, const char *value)
{
	if (!begin_field(a, key))
		return;
	put_char(a, '"');
	for (; *value; value++)
		put_escaped(a, *value);
	put_char(a, '"');
	end_field(a);
}

void audit_hex(struct audit *a, const char *key, const void *p, size_t n)
{
	char text[2 * 32 + 1];

	if (n > 32)
		a->bad = true;
	if (!begin_field(a, key))
		return;
	hex_print(p, n, text);
	put_char(a, '"');
	put(a, text, 2 * n);
	put_char(a, '"');
	end_field(a);
}

void audit_u64(struct audit *a, const char *key, uint64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRIu64, value);

	if (!begin_field(a, key))
		return;
	put(a, text, (size_t)n);
	end_field(a);
}

void audit_start(struct audit *a, const char *event, const struct caller *who)
{
	a->count = 0;
	a->used = 0;
	a->bad = false;
	audit_text(a, "event", event);
	if (who) {
		audit_text(a, "by", who->name);
		audit_u64(a, "uid", who->uid);
	}
}

/* The fields in the order of their keys. */
static void sort_fields(const struct audit *a, size_t order[AUDIT_FIELDS_MAX])
{
	for (size_t i = 0; i < a->count; i++) {
		size_t at = i;

		for (; at > 0 && strcmp(a->field[order[at - 1]].key, a->field[i].key) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

enum err audit_print(const struct audit *a, char *out, size_t cap)
{
	struct wr w = wr_init(out, cap);
	size_t order[AUDIT_FIELDS_MAX];

	if (a->bad)
		return ERR_FULL;
	sort_fields(a, order);
	wr_u8(&w, '{');
	for (size_t i = 0; i < a->count; i++) {
		const char *key = a->field[order[i]].key;

		if (i > 0)
			wr_u8(&w, ',');
		wr_u8(&w, '"');
		wr_bytes(&w, key, strlen(key));
		wr_bytes(&w, "\":", 2);
		wr_bytes(&w, a->text + a->field[order[i]].start, a->field[order[i]].length);
	}
	wr_u8(&w, '}');
	wr_u8(&w, '\0');
	return wr_end(&w);
}

enum err audit_write(const struct audit *a, struct store *s, uint64_t at)
{
	char json[AUDIT_JSON_MAX];
	enum err e = audit_print(a, json, sizeof(json));

	return e == ERR_OK ? audit_append(s, at, json) : e;
}
