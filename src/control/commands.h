/*
 * The methods of org.enrolld.control and org.varlink.service: one table row each with the least
 * role that may call it, its parameters and its handler. What is not in the table is refused, and a
 * caller without a role gets PermissionDenied for all but GetInfo. Knows no socket.
 */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include <stdint.h>

#include "control/varlink.h"
#include "enroll/caller.h"

struct control_config;
struct control_event;
struct stream;

/* What a watcher wants; empty texts want all. */
struct commands_filter {
	char object[17]; /* the first word of event names: "node" */
	char id[129];
};

enum commands_then {
	COMMANDS_ANSWER,       /* depends on nothing in the store */
	COMMANDS_AFTER_COMMIT, /* holds until batch_after */
	COMMANDS_WATCH,        /* the first of many replies; then events that match the filter */
	COMMANDS_LATER,        /* no reply yet: the stream brings them */
};

/* What became of a call. reply: one encoded message; oneway calls drop it. Owned by the caller of
 * commands_run. */
struct commands_outcome {
	struct varlink_buf reply;
	enum commands_then then;
	struct commands_filter filter;
	struct stream *stream; /* COMMANDS_LATER: owned by the caller, who sets its tell */
};

/* Never fails but for want of memory (ERR_NOMEM: nothing to send, close the connection). */
ENR_MUST_CHECK enum err commands_run(const struct control_config *config, const struct caller *who,
	const struct varlink_call *call, struct commands_outcome *out);

/* Replaces a reply that must not leave because its transaction failed. */
ENR_MUST_CHECK enum err commands_encode_failure(struct varlink_buf *reply, enum err e);

/* An error with its words; text may be NULL. */
ENR_MUST_CHECK enum err commands_encode_error(
	struct varlink_buf *reply, enum err e, const char *text);

/* One event as a reply that continues; and whether a watcher wants it. */
ENR_MUST_CHECK enum err commands_encode_event(
	struct varlink_buf *reply, const struct control_event *e);
bool commands_filter_wants(const struct commands_filter *f, const struct control_event *e);

/* The table, for its test: false when i is past the end. */
struct commands_row {
	const char *method; /* without the interface */
	enum role role;
	bool writes;
	bool more;  /* answers only calls that take many replies */
	bool later; /* answers by a stream */
};
bool commands_row(size_t i, struct commands_row *out);

#endif
