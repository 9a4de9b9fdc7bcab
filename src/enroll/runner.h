/*
 * The hand that drives the mesh: it listens to adverts, attaches to a gateway node of each network
 * that has work, does what core/schedule picks, and proves that a node has joined. Every transition
 * is a committed row before the message that depends on it leaves. Its job table is a cache of the
 * store, rebuilt at start.
 */
#ifndef ENROLL_RUNNER_H
#define ENROLL_RUNNER_H

#include "enroll/nodes.h"

struct batch;
struct mesh;
struct runner;
struct span;
struct timers;

struct runner_config {
	struct store *store;
	struct batch *batch;
	struct mesh *mesh;     /* the runner listens to its adverts and opens its sessions */
	struct timers *timers; /* the mesh's */
	struct nodes *nodes;   /* the runner sets its hook */
	/* The machine's clocks; NULL: clock_read. */
	void (*clock)(void *ctx, struct clock_now *out);
	/* After the commit of each transition. */
	void (*on_event)(void *ctx, const struct nodes_event *e);
	void *ctx;
};

/* All pointers are borrowed. Reads the store; nothing is sent yet. */
ENR_MUST_CHECK enum err runner_new(const struct runner_config *c, struct runner **out);
/* After batch_free, whose last callbacks still use the mesh; the event loop does not run between
 * this and mesh_free; before the timers and nodes_free. NULL is accepted. */
void runner_free(struct runner *r);

/* Begins to scan and to work. */
ENR_MUST_CHECK enum err runner_start(struct runner *r);

/* From the mesh's adapter event. */
void runner_on_adapter(struct runner *r, bool ready);

/* For the method Status: the session of the first network that has one. */
struct runner_status {
	const char *state;   /* "off", "idle", "searching", "connecting", "connected" */
	char address[18];    /* of the gateway node, or empty */
	uint16_t node_id;    /* 0: not known */
	uint16_t network_id; /* 0: none */
	uint32_t jobs;       /* not over */
	uint64_t ignored;    /* messages that no session had asked for, or that are not for us */
};
void runner_status(const struct runner *r, struct runner_status *out);

/* --- for questions of others through the same sessions (meshops) ------------------------------ */

struct runner_link {
	uint16_t network_id;
	uint16_t node_id;      /* of the gateway node */
	uint16_t cluster_size; /* as it tells it; 0: not known */
};

/* The open session with a gateway node of that network; false: there is none. */
bool runner_link(const struct runner *r, uint16_t network_id, struct runner_link *out);

/* A whole message through it. ERR_STATE: no open session. ERR_BUSY: try again soon. */
ENR_MUST_CHECK enum err runner_send(struct runner *r, uint16_t network_id, struct span msg);

/* Somebody wants to ask that mesh: for a minute the network is one that has work, and gets or keeps
 * a session before those that have none. Unknown ids: nothing. */
void runner_note_question(struct runner *r, uint16_t network_id);

/* Somebody else's survey has left: the runner's next one leaves it its time (each replaces the one
 * before, mesh-protocol §4.11). */
void runner_note_survey(struct runner *r, uint16_t network_id);

/* An operator has told the mesh how many nodes it has: that stands until the fleet changes. */
void runner_note_count(struct runner *r, uint16_t network_id);

enum runner_heard_what { RUNNER_OPENED, RUNNER_MESSAGE, RUNNER_CLOSED };
struct runner_heard {
	enum runner_heard_what what;
	uint16_t network_id;
	const struct span *message; /* borrowed; NULL unless RUNNER_MESSAGE */
};
typedef void runner_hear_fn(void *arg, const struct runner_heard *heard);

/* All that the sessions with gateway nodes bring, after the runner has taken its own part of it.
 * One listener; NULL: none any more. */
void runner_on_heard(struct runner *r, runner_hear_fn *fn, void *arg);

#endif
