/*
 * What an operator asks of a mesh that is attached: who hears these serials, who is there and how
 * is it, how many are to be there. A question is a task: it sends through the runner's session,
 * tells what comes as it comes, and ends by itself in bounded time. Nothing here is kept, but the
 * audit row of what changes the mesh.
 */
#ifndef ENROLL_MESHOPS_H
#define ENROLL_MESHOPS_H

#include "base/clock.h"
#include "base/reason.h"
#include "core/job.h"
#include "enr/meshmsg.h"
#include "enroll/caller.h"
#include "enroll/nodes.h"

struct batch;
struct meshops;
struct meshops_task;
struct runner;
struct store;
struct timers;

#define MESHOPS_TASKS_MAX 16    /* at once */
#define MESHOPS_TASKS_ADMIN 4   /* of them for administrators alone */
#define MESHOPS_SERIALS_MAX 220 /* of one question: 20 rounds */
#define MESHOPS_ROUND_S 60      /* so long nodes look for the serials of a round (§4.11) */
#define MESHOPS_REPEAT_S 20     /* a round is asked again: other surveys replace it */
#define MESHOPS_LISTEN_S 60     /* default of a question without serials */
#define MESHOPS_NODES_S 15      /* default of meshops_nodes */
#define MESHOPS_CONFIRM_S 3     /* for the answers to set_enrolled_nodes */
#define MESHOPS_TIMEOUT_S_MAX 3600

struct meshops_config {
	struct store *store;
	struct batch *batch;
	struct runner *runner; /* meshops becomes its listener */
	struct timers *timers; /* the runner's */
};

/* All pointers are borrowed. NULL: out of memory. */
struct meshops *meshops_new(const struct meshops_config *c);
/* After whoever holds tasks, before the runner; ends what is left without telling. NULL is
 * accepted. */
void meshops_free(struct meshops *m);

enum meshops_kind {
	MESHOPS_ROUND,    /* round of rounds begins: asked serials are looked for */
	MESHOPS_PROPOSAL, /* node_id hears serial */
	MESHOPS_NODE,     /* a member, with whatever it has answered */
	MESHOPS_PROGRESS, /* answered of expected */
	MESHOPS_END       /* the last: error says whether it came to its end */
};

/* Strings are borrowed until return. */
struct meshops_result {
	enum meshops_kind kind;
	enum err error; /* MESHOPS_END: ERR_OK, ERR_CLOSED (the gateway node went), the storage's */
	uint16_t network_id;
	unsigned round, rounds;
	unsigned answered; /* serials heard, members or confirmations so far */
	unsigned expected; /* 0: not known */
	uint16_t count;    /* that was set */

	uint32_t serial;      /* SERIAL_INDEX_INVALID: not known */
	uint16_t node_id;     /* of the member: the one that hears, or the one that is told of */
	bool unsolicited;     /* an ENROLLMENT_PROPOSAL: nobody had asked for it */
	bool is_ours;         /* the serial is in the database: name and state are valid */
	const char *name;     /* may be empty */
	enum job_state state; /* as in the database */
	const struct meshmsg_device_info *info; /* NULL: it did not answer that */
	const struct meshmsg_status *status;    /* NULL: it did not answer that */
};

/* From the event loop only, never from inside a call of this file. At MESHOPS_END the task is gone.
 */
typedef void meshops_fn(void *arg, const struct meshops_result *result);

struct meshops_asker {
	const struct caller *who;
	uint16_t network_id; /* 0: the only one */
	meshops_fn *fn;
	void *arg;
};

/*
 * Observer. With serials: each round asks for 11 (REQUEST_PROPOSALS) and tells who hears them,
 * until all were heard or 60 s are over. Without (count 0): tells what the mesh says by itself.
 * timeout_s 0: as long as the rounds take, or MESHOPS_LISTEN_S. Only one with serials a network:
 * nodes remember one list. ERR_DENIED, ERR_INVALID, ERR_RANGE, ERR_NOT_FOUND (network), ERR_BUSY
 * (not attached, or too many; why says what to do).
 */
ENR_MUST_CHECK enum err meshops_proposals(struct meshops *m, const struct meshops_asker *asker,
	const uint32_t *serials, size_t count, uint32_t timeout_s, struct meshops_task **out,
	struct reason *why);

/* Observer. Asks all, then those that are known and silent one by one, for device info and status;
 * tells each member when it has answered both, and at the end those that have not. timeout_s 0:
 * MESHOPS_NODES_S. Errors as above. */
ENR_MUST_CHECK enum err meshops_nodes(struct meshops *m, const struct meshops_asker *asker,
	uint32_t timeout_s, struct meshops_task **out, struct reason *why);

/* Admin, with an audit row that is committed before the message leaves. 0: not known, nodes always
 * look for newcomers. At the end answered members have confirmed it. Errors as above. */
ENR_MUST_CHECK enum err meshops_set_enrolled_nodes(struct meshops *m,
	const struct meshops_asker *asker, const struct clock_now *now, uint16_t count,
	struct meshops_task **out, struct reason *why);

/* Ends the task without telling; not from inside its own callback. */
void meshops_cancel(struct meshops_task *t);

#endif
