/*
 * One table says which keys there are, how each is written and in which stages it stands; printing
 * and parsing walk the same table, so that there is one text for one state.
 */
#include "enrollee/state.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "enr/hex.h"

#define HEAD "enrollee 1\n"
#define TAIL "end\n"

enum form {
	FORM_STAGE, /* the stage's name */
	FORM_HEX,   /* exactly size bytes */
	FORM_BYTES, /* 0 to size bytes, the count in a size_t at count_at; left out if 0 */
	FORM_U64,   /* decimal */
	FORM_U16,
	FORM_BOOL, /* 0 or 1 */
};

struct row {
	const char *key;
	enum form form;
	unsigned stages; /* 1 << STATE_... */
	size_t at, size, count_at, min;
};

#define FRESH (1u << STATE_FRESH)
#define TRYING (1u << STATE_TRYING)
#define ENROLLED (1u << STATE_ENROLLED)
#define AT(field) offsetof(struct state, field)
#define HEX(key, stages, field)                                                            \
	{                                                                                  \
		key, FORM_HEX, stages, AT(field), sizeof(((struct state *)0)->field), 0, 0 \
	}
#define BYTES(key, stages, field, count, min)                                                      \
	{                                                                                          \
		key, FORM_BYTES, stages, AT(field), sizeof(((struct state *)0)->field), AT(count), \
			min                                                                        \
	}
#define NUMBER(key, form, stages, field)              \
	{                                             \
		key, form, stages, AT(field), 0, 0, 0 \
	}

static const struct row rows[] = {
	NUMBER("stage", FORM_STAGE, FRESH | TRYING | ENROLLED, stage),
	HEX("eik", FRESH | TRYING, eik),
	HEX("ik", FRESH | TRYING | ENROLLED, ik),
	BYTES("bundle", TRYING | ENROLLED, bundle, bundle_bytes, ENROLLMSG_BUNDLE_FIXED + 1),
	HEX("message", TRYING, message),
	HEX("h", TRYING | ENROLLED, h),
	HEX("traffic", TRYING | ENROLLED, traffic),
	HEX("enrollee_id", ENROLLED, enrollee_id),
	NUMBER("enrolled_at", FORM_U64, ENROLLED, enrolled_at),
	BYTES("welcome", ENROLLED, welcome, welcome_bytes, 0),
	NUMBER("epoch", FORM_U16, ENROLLED, epoch),
	NUMBER("epoch_at", FORM_U64, ENROLLED, epoch_at),
	NUMBER("confirmed", FORM_BOOL, ENROLLED, confirmed),
	NUMBER("sent", FORM_U64, ENROLLED, sent),
	NUMBER("newest", FORM_U64, ENROLLED, newest),
	NUMBER("window", FORM_U64, ENROLLED, window),
	BYTES("heard", ENROLLED, heard.b, heard.n, 0),
	BYTES("replied", ENROLLED, replied.b, replied.n, 0),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char *const stage_names[] = {"fresh", "trying", "enrolled"};

void state_wipe(struct state *s)
{
	bytes_wipe(s, sizeof(*s));
}

static const void *field(const struct state *s, size_t at)
{
	return (const uint8_t *)s + at;
}

static void *field_rw(struct state *s, size_t at)
{
	return (uint8_t *)s + at;
}

static size_t count_of(const struct row *r, const struct state *s)
{
	size_t n;

	if (r->form == FORM_HEX)
		return r->size;
	memcpy(&n, field(s, r->count_at), sizeof(n));
	return n;
}

/* What a table cannot say. */
static enum err check(const struct state *s)
{
	if (s->stage == STATE_ENROLLED && (s->heard.n == 0) != (s->replied.n == 0))
		return ERR_INVALID;
	return ERR_OK;
}

/* --- printing ------------------------------------------------------------------------------ */

static void put(struct wr *w, const char *text)
{
	wr_bytes(w, text, strlen(text));
}

static void put_u64(struct wr *w, uint64_t v)
{
	char digits[21];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, v);
	put(w, digits);
}

static void put_hex(struct wr *w, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char digits[3];

		hex_print(p + i, 1, digits);
		wr_bytes(w, digits, 2);
		bytes_wipe(digits, sizeof(digits));
	}
}

static void put_value(struct wr *w, const struct row *r, const struct state *s)
{
	const void *f = field(s, r->at);
	uint64_t u64;
	uint16_t u16;

	switch (r->form) {
	case FORM_STAGE:
		put(w, stage_names[s->stage]);
		break;
	case FORM_HEX:
	case FORM_BYTES:
		put_hex(w, f, count_of(r, s));
		break;
	case FORM_U64:
		memcpy(&u64, f, sizeof(u64));
		put_u64(w, u64);
		break;
	case FORM_U16:
		memcpy(&u16, f, sizeof(u16));
		put_u64(w, u16);
		break;
	case FORM_BOOL:
		put(w, *(const bool *)f ? "1" : "0");
		break;
	}
}

static bool is_left_out(const struct row *r, const struct state *s)
{
	return !(r->stages & 1u << s->stage) ||
	       (r->form == FORM_BYTES && r->min == 0 && count_of(r, s) == 0);
}

enum err state_print(const struct state *s, char *text, size_t cap, size_t *len)
{
	struct wr w = wr_init(text, cap);
	enum err err = check(s);

	put(&w, HEAD);
	for (size_t i = 0; i < ROWS && !err; i++) {
		const struct row *r = &rows[i];

		if (is_left_out(r, s))
			continue;
		if (r->form == FORM_BYTES && (count_of(r, s) < r->min || count_of(r, s) > r->size))
			err = ERR_STATE;
		if (err)
			break;
		put(&w, r->key);
		put(&w, " ");
		put_value(&w, r, s);
		put(&w, "\n");
	}
	put(&w, TAIL);
	wr_u8(&w, 0);
	if (err)
		return ERR_STATE;
	*len = w.len_bytes - 1;
	return wr_end(&w);
}

/* --- parsing ------------------------------------------------------------------------------- */

struct line {
	const char *key, *value;
	size_t key_chars, value_chars;
};

/* "key value\n", or "end\n" with no value. ERR_SHORT: the text ends before the line does. */
static enum err line_read(struct rd *r, struct line *out)
{
	const char *p = (const char *)r->p;
	const char *end = r->left_bytes > 0 ? memchr(p, '\n', r->left_bytes) : NULL;
	const char *space;

	if (!end)
		return ERR_SHORT;
	(void)rd_view(r, (size_t)(end - p) + 1);
	space = memchr(p, ' ', (size_t)(end - p));
	if (!space)
		space = end;
	out->key = p;
	out->key_chars = (size_t)(space - p);
	out->value = space < end ? space + 1 : end;
	out->value_chars = (size_t)(end - out->value);
	return ERR_OK;
}

static bool line_is(const struct line *l, const char *key)
{
	return strlen(key) == l->key_chars && memcmp(key, l->key, l->key_chars) == 0;
}

/* Decimal without sign, leading zeros or anything else. */
static enum err get_u64(const struct line *l, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (l->value_chars == 0 || (l->value_chars > 1 && l->value[0] == '0'))
		return ERR_INVALID;
	for (size_t i = 0; i < l->value_chars; i++) {
		uint64_t digit = (uint64_t)((unsigned char)l->value[i] - '0');

		if (l->value[i] < '0' || l->value[i] > '9')
			return ERR_INVALID;
		if (digit > max || v > (max - digit) / 10)
			return ERR_RANGE;
		v = v * 10 + digit;
	}
	*out = v;
	return ERR_OK;
}

static enum err get_stage(const struct line *l, enum state_stage *out)
{
	for (size_t i = 0; i < sizeof(stage_names) / sizeof(stage_names[0]); i++)
		if (strlen(stage_names[i]) == l->value_chars &&
			memcmp(stage_names[i], l->value, l->value_chars) == 0) {
			*out = (enum state_stage)i;
			return ERR_OK;
		}
	return ERR_UNKNOWN;
}

/* Lower case only, so that there is one text for one state. */
static enum err get_hex(const struct line *l, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < l->value_chars; i++)
		if (l->value[i] >= 'A' && l->value[i] <= 'F')
			return ERR_INVALID;
	return hex_parse(l->value, l->value_chars, out, n);
}

static enum err get_bytes(const struct row *r, const struct line *l, struct state *s)
{
	size_t n = l->value_chars / 2;

	if (l->value_chars % 2 != 0)
		return ERR_INVALID;
	if (n == 0 || n < r->min || n > r->size)
		return ERR_RANGE;
	memcpy(field_rw(s, r->count_at), &n, sizeof(n));
	return get_hex(l, field_rw(s, r->at), n);
}

static enum err get_value(const struct row *r, const struct line *l, struct state *s)
{
	void *f = field_rw(s, r->at);
	uint64_t v = 0;
	uint16_t u16;
	enum err err = ERR_INVALID;

	switch (r->form) {
	case FORM_STAGE:
		return get_stage(l, &s->stage);
	case FORM_HEX:
		return get_hex(l, f, r->size);
	case FORM_BYTES:
		return get_bytes(r, l, s);
	case FORM_U64:
		err = get_u64(l, UINT64_MAX, &v);
		memcpy(f, &v, sizeof(v));
		return err;
	case FORM_U16:
		err = get_u64(l, UINT16_MAX, &v);
		u16 = (uint16_t)v;
		memcpy(f, &u16, sizeof(u16));
		return err;
	case FORM_BOOL:
		err = get_u64(l, 1, &v);
		*(bool *)f = v == 1;
		return err;
	}
	return err;
}

/* The next row is this line's, or one that may be left out. */
static enum err line_take(struct rd *r, const struct row *row, struct line *l, struct state *s)
{
	bool optional = row->form == FORM_BYTES && row->min == 0;
	enum err err;

	if (!line_is(l, row->key))
		return optional ? ERR_OK : ERR_UNKNOWN;
	err = get_value(row, l, s);
	return err ? err : line_read(r, l);
}

static enum err parse(struct rd *r, struct state *s)
{
	const uint8_t *head = rd_view(r, sizeof(HEAD) - 1);
	struct line l;
	enum err err;

	if (!head)
		return ERR_SHORT;
	if (memcmp(head, HEAD, sizeof(HEAD) - 1) != 0)
		return ERR_VERSION;
	err = line_read(r, &l);
	for (size_t i = 0; i < ROWS && !err; i++)
		if (i == 0 || rows[i].stages & 1u << s->stage)
			err = line_take(r, &rows[i], &l, s);
	if (err)
		return err;
	if (!line_is(&l, "end") || l.value != l.key + 3)
		return ERR_UNKNOWN;
	err = check(s);
	return err ? err : rd_end(r);
}

enum err state_parse(const char *text, size_t n, struct state *out)
{
	struct rd r = rd_init(text, n);
	enum err err;

	memset(out, 0, sizeof(*out));
	err = parse(&r, out);
	if (err)
		state_wipe(out);
	return err;
}

/* --- the channel --------------------------------------------------------------------------- */

void state_to_channel(const struct state *s, const struct public32 *device, struct enr_channel *out)
{
	*out = (struct enr_channel){.role = ENR_ENROLLEE,
		.epoch = s->epoch,
		.confirmed = s->confirmed,
		.sent = s->sent,
		.newest = s->newest,
		.window = s->window,
		.h = s->h,
		.traffic = s->traffic};
	memcpy(out->device, device->b, sizeof(out->device));
}

void state_from_channel(struct state *s, const struct enr_channel *ch)
{
	s->epoch = ch->epoch;
	s->confirmed = ch->confirmed;
	s->sent = ch->sent;
	s->newest = ch->newest;
	s->window = ch->window;
	s->traffic = ch->traffic;
}
