/*
 * The mesh half of the daemon for tests: store, rules, runner and mesh sessions, against simulated
 * nodes (the real firmware/core) in the virtual air, all on one virtual clock. Can be killed before
 * or after its n-th commit and started again on the same database and the same nodes.
 */
#ifndef SUPPORT_RIG_H
#define SUPPORT_RIG_H

#include "enroll/nodes.h"
#include "enroll/runner.h"
#include "firmware/port/host/air.h"
#include "firmware/port/host/sim_node.h"
#include "mesh/mesh.h"
#include "mesh/timer.h"
#include "support/link_air.h"
#include "support/world.h"

struct event_base;

struct rig {
	struct world w;
	struct air *air;
	struct timers timers;
	struct event_base *base;
	struct batch *batch;
	struct link_air *link;
	struct mesh *mesh;
	struct nodes *nodes;
	struct runner *runner;
	unsigned commits;     /* transactions that were committed since rig_start */
	unsigned kill_before; /* the n-th commit never happens; 0: never */
	unsigned kill_after;  /* nothing happens after the n-th commit */
	bool killed;
	bool commits_fail;     /* from now on: the disk is full */
	unsigned requests_max; /* of a batch, from the next rig_start on; 0: the default */
	unsigned events;       /* published */
};

/* Everything fresh, no network, no node; running. */
void rig_open(struct rig *r, uint64_t seed);
void rig_close(struct rig *r);
/* The process goes and comes. */
void rig_stop(struct rig *r);
void rig_start(struct rig *r);

/* Lets virtual time pass until done says so or ms are over; false: they are, or it was killed. */
bool rig_run(struct rig *r, uint64_t ms, bool (*done)(struct rig *r));

struct secret16 rig_key(uint8_t byte);
/* A node in the air: its key is rig_key of the low byte of its serial. NULL preset: unenrolled. */
struct sim_node *rig_node(
	struct rig *r, uint32_t serial, int gateway_rssi_dbm, const struct sim_enrollment *preset);
/* Control's calls, each in a request of its own. */
void rig_network(struct rig *r, uint16_t id, const struct secret16 *key);
void rig_network_preferring(
	struct rig *r, uint16_t id, const struct secret16 *key, uint32_t gateway_serial);
ENR_MUST_CHECK enum err rig_add(
	struct rig *r, uint16_t network_id, uint32_t serial, const struct secret16 *key);
/* An asset in the air (rssi_dbm: as our radio hears it) that is to be enrolled. */
struct sim_node *rig_asset(struct rig *r, uint16_t network_id, uint32_t serial, int rssi_dbm);
ENR_MUST_CHECK enum err rig_order(struct rig *r, uint32_t serial,
	enum err (*order)(struct nodes *n, const struct clock_now *now, const struct caller *who,
		const char *serial, struct node_view *out, struct reason *why));
struct node_view rig_show(struct rig *r, uint32_t serial);

#endif
