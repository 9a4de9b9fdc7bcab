/*
 * Mesh nodes and their jobs, one row a serial. All calls run inside the caller's transaction. The
 * fields that a request is made of never change while its job lives, so that every retry is
 * byte-identical; expiry is tested in the statement that acts.
 */
#ifndef STORE_NODES_H
#define STORE_NODES_H

#include "core/job.h"
#include "enr/keys.h"

struct store;

#define NODE_NAME_MAX 64
#define NODE_FROM_ANY 0xFFFF

struct node_row {
	/* Fixed; job.row, serial, node_id, handle, timeout_s, expires_ms among them. */
	struct job job; /* its stored fields; session fields are zero */
	uint16_t network_id;
	uint8_t device_type; /* mesh-protocol §2.4: 1 static, 4 asset */
	bool only_if_unenrolled;
	bool nearby;                  /* opened by the ZERO key */
	uint16_t from_network;        /* opened by that network's key, NODE_FROM_ANY; 0: not */
	char name[NODE_NAME_MAX + 1]; /* from the label, may be empty */
	uint64_t created_at;          /* unix seconds, for display */
	uint64_t changed_at;
	uint32_t created_uid;
	char created_by[33];
};

/* Inserts, or takes over the serial's row if its job is over. Sets row->job.row. ERR_CONFLICT when
 * a job that is not over (or a joined node) has that serial. node_key all FF: none
 * known; all 00: nearby. */
ENR_MUST_CHECK enum err store_nodes_insert(
	struct store *s, struct node_row *row, const struct secret16 *node_key);

/* ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err store_nodes_get(struct store *s, uint32_t serial, struct node_row *out);

/* The caller wipes *out. */
ENR_MUST_CHECK enum err store_nodes_key(struct store *s, int64_t row, struct secret16 *out);

struct nodes_filter {
	uint16_t network_id; /* 0: all */
	int state;           /* enum job_state, -1: all */
	bool active;         /* only those that are not over */
};

/* In order of row, those above `after`; each returns false to stop. */
ENR_MUST_CHECK enum err store_nodes_list(struct store *s, const struct nodes_filter *filter,
	int64_t after, bool (*each)(void *ctx, const struct node_row *row), void *ctx);

/* Writes the job's stored fields if the row is still in state `was`. ERR_STATE if not, ERR_EXPIRED
 * if the new state is sent and its lifetime is over at now_ms (service time), ERR_STATE if it is
 * expired and it is not. */
ENR_MUST_CHECK enum err store_nodes_update(struct store *s, const struct job *job,
	enum job_state was, uint64_t now_ms, uint64_t changed_at);

#endif
