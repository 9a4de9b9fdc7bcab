/*
 * Varlink as bytes: messages cut at their NUL, calls decoded strictly, replies and errors encoded.
 * Knows neither sockets nor what any method means. Buffers and JSON that held secrets are wiped
 * when they are let go (varlink_init).
 */
#ifndef CONTROL_VARLINK_H
#define CONTROL_VARLINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "enr/err.h"

#define VARLINK_MESSAGE_MAX 65536 /* bytes of one incoming message, without its NUL */

/* Makes jansson wipe what it frees: parameters may hold keys. Once a process, before any JSON. */
void varlink_init(void);

/* --- framing ----------------------------------------------------------------------------- */

/* A growing byte buffer; zeroed is empty. Owned by whoever declares it. */
struct varlink_buf {
	char *p;
	size_t used_bytes;
	size_t cap_bytes;
	size_t start_bytes;   /* consumed at the front */
	size_t scanned_bytes; /* after start: known to hold no NUL */
};

void varlink_buf_clear(struct varlink_buf *b);

/* Appends n bytes; ERR_NOMEM. */
ENR_MUST_CHECK enum err varlink_buf_add(struct varlink_buf *b, const void *p, size_t n);

/* Makes room for at least n more bytes and returns it, NULL without memory. Moves what is left to
 * the front, so views into the buffer end here. */
char *varlink_buf_room(struct varlink_buf *b, size_t n);

/* What is in it and not consumed. */
static inline size_t varlink_buf_left(const struct varlink_buf *b)
{
	return b->used_bytes - b->start_bytes;
}

/* n bytes of the front are done with (n <= left); they are wiped. */
void varlink_buf_consume(struct varlink_buf *b, size_t n);

/*
 * The next whole message: a view of *n bytes, NUL-terminated (not counted), to be consumed as
 * *n + 1 bytes. ERR_SHORT: not all here yet; ERR_RANGE: longer than VARLINK_MESSAGE_MAX, for which
 * there is no way back into step.
 */
ENR_MUST_CHECK enum err varlink_buf_next(struct varlink_buf *b, const char **message, size_t *n);

/* --- calls ------------------------------------------------------------------------------- */

struct varlink_call {
	json_t *root; /* owns all below */
	const char *method;
	json_t *parameters; /* an object, empty when the caller sent none */
	bool more, oneway, upgrade;
};

/*
 * Decodes one message of n bytes. ERR_INVALID: not one JSON object, a duplicate member, no method,
 * a wrong type; ERR_UNKNOWN: a member that Varlink does not have; ERR_RANGE: too long. On success
 * the caller ends with varlink_call_clear.
 */
ENR_MUST_CHECK enum err varlink_decode(const char *message, size_t n, struct varlink_call *out);
void varlink_call_clear(struct varlink_call *c);

/* --- replies ----------------------------------------------------------------------------- */

/* Appends one reply with its NUL. parameters: an object or NULL; borrowed. ERR_NOMEM leaves the
 * buffer as it was. */
ENR_MUST_CHECK enum err varlink_encode_reply(
	struct varlink_buf *b, const json_t *parameters, bool continues);

/* Appends one error, named in full ("org.enrolld.control.NotFound"). */
ENR_MUST_CHECK enum err varlink_encode_error(
	struct varlink_buf *b, const char *name, const json_t *parameters);

#endif
