/* What the files of meshops share; nobody else includes it. */
#ifndef ENROLL_MESHOPS_ROOM_H
#define ENROLL_MESHOPS_ROOM_H

#include "enroll/meshops.h"
#include "enroll/runner.h"
#include "mesh/timer.h"
#include "store/nodes.h"

struct meshops {
	struct meshops_config config;
	struct meshops_task *tasks;
	unsigned count;
};

/* What a kind of question does; each owns its part of the task. */
struct meshops_ops {
	void (*tick)(struct meshops_task *t, uint64_t now_ms); /* every MESHOPS_TICK_MS */
	void (*opened)(struct meshops_task *t); /* a session came (again): answers were lost */
	void (*message)(struct meshops_task *t, const struct meshmsg *msg);
	void (*clear)(struct meshops_task *t);
};

#define MESHOPS_TICK_MS 250

struct meshops_task {
	struct meshops *m;
	struct meshops_task *next;
	const struct meshops_ops *ops;
	meshops_fn *fn;
	void *arg;
	uint16_t network_id;
	bool has_round; /* of this network, one at a time */
	bool waiting;   /* for a commit: nothing is sent, nothing told */
	bool cancelled; /* while waiting: the commit frees it */
	struct timer timer;
	uint64_t start_ms, end_ms;
	void *state; /* of ops */
};

/* A task with its network checked, its timer armed, state_bytes of zeroes. */
ENR_MUST_CHECK enum err task_new(struct meshops *m, const struct meshops_asker *asker,
	const struct meshops_ops *ops, size_t state_bytes, uint32_t timeout_s,
	struct meshops_task **out, struct reason *why);
uint64_t task_now(const struct meshops_task *t);
/* Tells, with the network filled in. */
void task_tell(struct meshops_task *t, struct meshops_result *r);
/* The last word; the task is gone. */
void task_end(struct meshops_task *t, struct meshops_result *r);
/* Frees it without a word. */
void task_free(struct meshops_task *t);
ENR_MUST_CHECK enum err task_send(const struct meshops_task *t, const struct wr *w);

/* Fills serial, is_ours, name and state from the database; row must live as long as r. */
void task_know(const struct meshops_task *t, uint32_t serial, struct node_row *row,
	struct meshops_result *r);
bool meshops_is_member_id(uint16_t node_id);

#endif
