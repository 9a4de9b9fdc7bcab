/* Cuts, decodes and encodes Varlink messages. */
#include "control/varlink.h"

#include <stdlib.h>
#include <string.h>

#include "enr/bytes.h"

/* --- memory that is wiped when freed ----------------------------------------------------- */

#define HEAD_BYTES 16 /* keeps malloc's alignment */

static void *wiping_malloc(size_t n)
{
	unsigned char *p;

	if (n > SIZE_MAX - HEAD_BYTES)
		return NULL;
	p = malloc(n + HEAD_BYTES);
	if (!p)
		return NULL;
	memcpy(p, &n, sizeof(n));
	return p + HEAD_BYTES;
}

static void wiping_free(void *q)
{
	unsigned char *p = q;
	size_t n;

	if (!p)
		return;
	p -= HEAD_BYTES;
	memcpy(&n, p, sizeof(n));
	explicit_bzero(p, n + HEAD_BYTES);
	free(p);
}

void varlink_init(void)
{
	json_set_alloc_funcs(wiping_malloc, wiping_free);
}

/* --- framing ----------------------------------------------------------------------------- */

void varlink_buf_clear(struct varlink_buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap_bytes);
	free(b->p);
	memset(b, 0, sizeof(*b));
}

static void move_to_front(struct varlink_buf *b)
{
	size_t left = varlink_buf_left(b);

	if (b->start_bytes == 0)
		return;
	memmove(b->p, b->p + b->start_bytes, left);
	explicit_bzero(b->p + left, b->used_bytes - left);
	b->used_bytes = left;
	b->start_bytes = 0;
}

/* By hand and not by realloc, which would leave a copy behind. */
static enum err grow(struct varlink_buf *b, size_t need)
{
	size_t cap = b->cap_bytes ? b->cap_bytes : 512;
	char *p;

	while (cap < need) {
		if (cap > SIZE_MAX / 2)
			return ERR_NOMEM;
		cap *= 2;
	}
	p = malloc(cap);
	if (!p)
		return ERR_NOMEM;
	if (b->p) {
		memcpy(p, b->p, b->used_bytes);
		explicit_bzero(b->p, b->cap_bytes);
		free(b->p);
	}
	b->p = p;
	b->cap_bytes = cap;
	return ERR_OK;
}

char *varlink_buf_room(struct varlink_buf *b, size_t n)
{
	if (b->cap_bytes - b->used_bytes < n)
		move_to_front(b);
	if (n > SIZE_MAX - b->used_bytes)
		return NULL;
	if (b->cap_bytes - b->used_bytes < n && grow(b, b->used_bytes + n) != ERR_OK)
		return NULL;
	return b->p + b->used_bytes;
}

enum err varlink_buf_add(struct varlink_buf *b, const void *p, size_t n)
{
	char *room = varlink_buf_room(b, n);

	if (!room)
		return ERR_NOMEM;
	if (n > 0)
		memcpy(room, p, n);
	b->used_bytes += n;
	return ERR_OK;
}

void varlink_buf_consume(struct varlink_buf *b, size_t n)
{
	if (n > 0)
		explicit_bzero(b->p + b->start_bytes, n);
	b->start_bytes += n;
	b->scanned_bytes = b->scanned_bytes > n ? b->scanned_bytes - n : 0;
	if (b->start_bytes == b->used_bytes)
		b->start_bytes = b->used_bytes = b->scanned_bytes = 0;
}

enum err varlink_buf_next(struct varlink_buf *b, const char **message, size_t *n)
{
	size_t left = varlink_buf_left(b);
	const char *front, *nul;

	if (left == 0)
		return ERR_SHORT;
	front = b->p + b->start_bytes;
	nul = memchr(front + b->scanned_bytes, 0, left - b->scanned_bytes);
	b->scanned_bytes = nul ? (size_t)(nul - front) : left;
	if (b->scanned_bytes > VARLINK_MESSAGE_MAX)
		return ERR_RANGE;
	if (!nul)
		return ERR_SHORT;
	*message = front;
	*n = b->scanned_bytes;
	return ERR_OK;
}

/* --- calls ------------------------------------------------------------------------------- */

static enum err take_flag(json_t *value, bool *out)
{
	if (!json_is_boolean(value))
		return ERR_INVALID;
	*out = json_is_true(value);
	return ERR_OK;
}

static enum err take_member(const char *key, json_t *value, struct varlink_call *c)
{
	if (strcmp(key, "method") == 0) {
		c->method = json_string_value(value);
		return c->method ? ERR_OK : ERR_INVALID;
	}
	if (strcmp(key, "parameters") == 0) {
		c->parameters = value;
		return json_is_object(value) ? ERR_OK : ERR_INVALID;
	}
	if (strcmp(key, "more") == 0)
		return take_flag(value, &c->more);
	if (strcmp(key, "oneway") == 0)
		return take_flag(value, &c->oneway);
	if (strcmp(key, "upgrade") == 0)
		return take_flag(value, &c->upgrade);
	return ERR_UNKNOWN;
}

static enum err take_members(struct varlink_call *c)
{
	const char *key;
	json_t *value, *none;

	json_object_foreach(c->root, key, value)
	{
		enum err e = take_member(key, value, c);

		if (e != ERR_OK)
			return e;
	}
	if (!c->method || (c->more && c->oneway))
		return ERR_INVALID;
	if (c->parameters)
		return ERR_OK;
	none = json_object();
	if (!none || json_object_set_new(c->root, "parameters", none) != 0)
		return ERR_NOMEM;
	c->parameters = none;
	return ERR_OK;
}

enum err varlink_decode(const char *message, size_t n, struct varlink_call *out)
{
	enum err e;

	memset(out, 0, sizeof(*out));
	if (n > VARLINK_MESSAGE_MAX)
		return ERR_RANGE;
	out->root = json_loadb(message, n, JSON_REJECT_DUPLICATES, NULL);
	e = json_is_object(out->root) ? take_members(out) : ERR_INVALID;
	if (e != ERR_OK)
		varlink_call_clear(out);
	return e;
}

void varlink_call_clear(struct varlink_call *c)
{
	json_decref(c->root);
	memset(c, 0, sizeof(*c));
}

/* --- replies ----------------------------------------------------------------------------- */

static int dump_to_buf(const char *p, size_t n, void *arg)
{
	return varlink_buf_add(arg, p, n) == ERR_OK ? 0 : -1;
}

static enum err add_text(struct varlink_buf *b, const char *text)
{
	return varlink_buf_add(b, text, strlen(text));
}

static enum err add_parameters(struct varlink_buf *b, const json_t *parameters)
{
	enum err e = add_text(b, "\"parameters\":");

	if (e != ERR_OK)
		return e;
	if (!parameters)
		return add_text(b, "{}");
	return json_dump_callback(parameters, dump_to_buf, b, JSON_COMPACT) == 0 ? ERR_OK
										 : ERR_NOMEM;
}

/* Takes back what was written when the message could not be finished. */
static enum err finish(struct varlink_buf *b, size_t left_before, enum err e)
{
	if (e == ERR_OK)
		e = varlink_buf_add(b, "}", 2); /* with its NUL */
	if (e != ERR_OK)
		b->used_bytes = b->start_bytes + left_before;
	return e;
}

enum err varlink_encode_reply(struct varlink_buf *b, const json_t *parameters, bool continues)
{
	size_t before = varlink_buf_left(b);
	enum err e = add_text(b, "{");

	if (e == ERR_OK)
		e = add_parameters(b, parameters);
	if (e == ERR_OK && continues)
		e = add_text(b, ",\"continues\":true");
	return finish(b, before, e);
}

enum err varlink_encode_error(struct varlink_buf *b, const char *name, const json_t *parameters)
{
	size_t before = varlink_buf_left(b);
	enum err e = add_text(b, "{\"error\":\"");

	if (e == ERR_OK)
		e = add_text(b, name);
	if (e == ERR_OK)
		e = add_text(b, "\",");
	if (e == ERR_OK)
		e = add_parameters(b, parameters);
	return finish(b, before, e);
}
