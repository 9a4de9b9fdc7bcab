/*
 * One transition of a job, made durable: the row, the ledger of node ids and the audit log, inside
 * the open transaction. What nodes.c and the runner share; nobody else includes it.
 */
#ifndef ENROLL_NODES_KEEP_H
#define ENROLL_NODES_KEEP_H

#include "enroll/caller.h"
#include "store/nodes.h"

/* Times of one event: service time decides, wall time is for display. */
struct nodes_moment {
	uint64_t now_ms;
	uint64_t wall_s;
};

/* Writes the job's new stored fields over state `was`; gives the node id back where that is safe;
 * audits what an operator wants to know (not every try). who NULL: the daemon itself. Errors of
 * store_nodes_update. */
ENR_MUST_CHECK enum err nodes_keep(struct store *s, uint16_t network_id, const struct job *job,
	enum job_state was, const struct caller *who, const struct nodes_moment *at);

#endif
