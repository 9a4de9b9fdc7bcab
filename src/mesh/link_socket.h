/*
 * A link over a Unix SEQPACKET socket: the radio is another process, a simulation mostly. One
 * datagram one event or one order; the format is in enrolld-protocol(7), its code in link_dgram.h.
 */
#ifndef MESH_LINK_SOCKET_H
#define MESH_LINK_SOCKET_H

#include "mesh/link.h"

struct event_base;
struct timers;

/* Connects to the socket at path from the event loop and again when it goes. events and timers are
 * borrowed, arg is handed to them. ERR_RANGE: the path is too long. ERR_NOMEM. */
ENR_MUST_CHECK enum err link_socket_new(struct event_base *base, struct timers *timers,
	const char *path, const struct link_events *events, void *arg, struct link *out);

/* The same over one end of a socketpair, which it owns from now on; does not connect again. ERR_IO.
 */
ENR_MUST_CHECK enum err link_socket_new_fd(struct event_base *base, struct timers *timers, int fd,
	const struct link_events *events, void *arg, struct link *out);

#endif
