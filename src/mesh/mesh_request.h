/* The requests of one session that wait for an answer (mesh.h, struct mesh_match). Private. */
#ifndef MESH_MESH_REQUEST_H
#define MESH_MESH_REQUEST_H

#include "mesh/mesh.h"
#include "mesh/timer.h"

struct meshmsg;

struct mesh_request_slot {
	struct mesh_requests *table;
	uint32_t id; /* 0: free; they grow, so the smallest is the oldest */
	struct mesh_match match;
	struct timer timer;
	mesh_answer_fn *done;
	void *arg;
};

struct mesh_requests {
	struct mesh_session *session;
	struct timers *timers;
	uint32_t last_id;
	struct mesh_request_slot slots[MESH_REQUESTS_MAX];
};

void mesh_requests_init(
	struct mesh_requests *t, struct mesh_session *session, struct timers *timers);

/* ERR_FULL: all slots wait. */
ENR_MUST_CHECK enum err mesh_requests_add(struct mesh_requests *t, const struct mesh_match *match,
	uint32_t timeout_ms, mesh_answer_fn *done, void *arg, uint32_t *id);
void mesh_requests_cancel(struct mesh_requests *t, uint32_t id);

/* The request that this message answers, or NULL. msg is bytes, opened. */
struct mesh_request_slot *mesh_requests_find(
	struct mesh_requests *t, const struct meshmsg *msg, struct span bytes);
/* Frees the slot, then calls back. */
void mesh_request_end(struct mesh_request_slot *slot, enum err result, struct span answer);
/* All that wait end with ERR_CLOSED; no new ones may be added meanwhile. */
void mesh_requests_end_all(struct mesh_requests *t);

#endif
