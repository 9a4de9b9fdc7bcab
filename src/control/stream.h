/*
 * A call whose replies come later, from a task that runs meanwhile. The handler makes the task, the
 * connection says where its replies go; whichever ends first lets go of the other. Internal to this
 * room.
 */
#ifndef CONTROL_STREAM_H
#define CONTROL_STREAM_H

#include <stdbool.h>

#include "enr/err.h"

struct varlink_buf;

struct stream {
	/* The handler's: how to end the task early; NULL: it has ended. */
	void (*cancel)(void *task);
	void *task;
	/* The connection's: one encoded reply, borrowed; with the last the stream is gone. Never
	 * calls cancel. */
	void (*tell)(void *arg, const struct varlink_buf *reply, bool last);
	void *arg;
	bool continues; /* many replies: nobody waits for them when the caller hangs up */
};

/* NULL: out of memory. */
struct stream *stream_new(bool continues);
/* Ends its task, if it runs. NULL is accepted. */
void stream_free(struct stream *s);

#endif
