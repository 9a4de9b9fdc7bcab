/* One connection to enrolld: Varlink calls out, replies in. Blocking, with time limits. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "enr/err.h"

#define CLIENT_REPLY_MAX (64u << 20) /* bytes of one reply */
#define CLIENT_TIMEOUT_MS 30000      /* for an answer to an ordinary call */
#define CLIENT_FOREVER (-1)

struct client {
	int fd;
	char *in; /* what has arrived and is not consumed */
	size_t used_bytes, cap_bytes, scanned_bytes;
};

/* To be called first: from then on all JSON is wiped when it is freed, it may hold keys. */
void client_init(void);

/* Connects. ERR_NOT_FOUND: no such socket; ERR_CLOSED: nobody listens; ERR_DENIED; ERR_BUSY; else
 * ERR_IO. */
ENR_MUST_CHECK enum err client_open(struct client *c, const char *path);
void client_close(struct client *c);

/* Sends a call; steals parameters (may be NULL). Method without its interface. ERR_CLOSED,
 * ERR_TIMEOUT, ERR_NOMEM. */
ENR_MUST_CHECK enum err client_send(
	struct client *c, const char *method, json_t *parameters, bool more);

/* A reply: error is NULL or the error's name (full), parameters an object. */
struct client_reply {
	json_t *root; /* owns the rest */
	const char *error;
	json_t *parameters;
	bool continues;
};

/* The next reply, waited for. ERR_TIMEOUT, ERR_CLOSED, ERR_INVALID (not Varlink), ERR_RANGE. End
 * with client_reply_clear. */
ENR_MUST_CHECK enum err client_receive(struct client *c, int timeout_ms, struct client_reply *out);
void client_reply_clear(struct client_reply *r);

/* Both together. */
ENR_MUST_CHECK enum err client_call(
	struct client *c, const char *method, json_t *parameters, struct client_reply *out);

#endif
