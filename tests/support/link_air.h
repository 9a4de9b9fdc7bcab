/*
 * A link whose radio is a gateway radio in the virtual air (firmware/port/host/air.h), in the same
 * process: the real mesh sessions against the real node core, on virtual time. Events are kept and
 * delivered by link_air_deliver, as from a loop.
 */
#ifndef SUPPORT_LINK_AIR_H
#define SUPPORT_LINK_AIR_H

#include "firmware/port/host/air.h"
#include "mesh/link.h"

struct link_air;

/* Borrows the air. Aborts without memory: it is for tests. */
struct link_air *link_air_new(struct air *air, const struct link_events *events, void *arg);
/* The link to hand to mesh_attach; freeing the link frees the link_air. */
struct link link_air_link(struct link_air *la);
/* What has happened in the air since the last call; true if anything had. */
bool link_air_deliver(struct link_air *la);
/* Connections that are up or being made. */
unsigned link_air_connections(const struct link_air *la);
/* How long a peer is waited for from now on; 15 s at first; link_bluez takes 45. */
void link_air_set_patience(struct link_air *la, uint32_t ms);
/* How long our own hanging up takes from now on; no time at first. */
void link_air_set_hang_up(struct link_air *la, uint64_t ms);
/* From now on nothing leaves and nothing comes: the process is dead. */
void link_air_kill(struct link_air *la);

#endif
