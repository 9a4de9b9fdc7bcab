/*
 * One client's connection: bytes in, calls run in their order, replies out in the same order, each
 * not before its commit. Internal to control.c and its tests.
 */
#ifndef CONTROL_CONTROL_CONN_H
#define CONTROL_CONTROL_CONN_H

#include "control/commands.h"
#include "control/control.h"
#include "control/peer.h"

struct conn;
struct event;

#define CONN_SLOTS_MAX 64          /* calls of one client that wait for their commit */
#define CONN_OUT_PAUSE 262144      /* bytes unsent: no further call is run */
#define CONN_OUT_MAX (4 * 1048576) /* bytes unsent: a watcher this far behind is cut off */
#define CONN_CONNECTIONS_MAX 256
#define CONN_PER_UID_MAX 96
#define CONN_PER_STRANGER_MAX 8 /* per uid without a role */
#define CONN_IDLE_S 30

struct control {
	struct control_config config; /* with defaults filled in */
	struct peer_groups groups;
	struct conn *conns;
	uint32_t count;
	int listen_fd;
	int spare_fd;     /* given up to accept and close when descriptors run out */
	bool told_no_fds; /* in the log, since the last client was let in */
	bool own_path;
	struct event *accept_event;
	struct event *tick_event;
};

/* Takes fd (closed with the connection). ERR_BUSY: the caps do not allow one more; ERR_NOMEM. On
 * failure fd is closed too. */
ENR_MUST_CHECK enum err conn_new(struct control *c, int fd, const struct caller *who);

/* Closes all. */
void conn_free_all(struct control *c);

/* Cuts off who has sent half a message or not read for idle_s. */
void conn_sweep(struct control *c, uint64_t now_ms);

/* Sends one event to each watcher that wants it. */
void conn_push(struct control *c, const struct control_event *e);

#endif
