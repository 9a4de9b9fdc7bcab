/*
 * One node's enrollment (or removal) as a state machine: an event and a time go in, the changed job
 * and what to do next come out. Pure: it knows no socket, no store and no clock. Silence is the
 * normal case (mesh-protocol §4.6): every attempt has a deadline, and every retry sends the same
 * bytes, which are made of fields that never change after the job was stored.
 *
 *   pending -> located -> sent -> saved -> joined        removing -> removed | unconfirmed
 *      any of the first three -> waiting(reason, next try) -> ...  -> failed(reason) | expired |
 * cancelled
 */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enr/err.h"

enum job_state {
	JOB_PENDING,     /* nobody has seen the node yet */
	JOB_LOCATED,     /* heard by our own radio or by a member of the network */
	JOB_SENT,        /* a request has left; the node may have its keys already */
	JOB_SAVED,       /* the node's own OK; it reboots and joins */
	JOB_JOINED,      /* proven by its device info under its new id */
	JOB_WAITING,     /* tried in vain; next try at next_try_ms, see reason */
	JOB_REMOVING,    /* its enrollment is to be taken away */
	JOB_REMOVED,     /* the node confirmed that */
	JOB_UNCONFIRMED, /* removed from our books; the node never answered */
	JOB_FAILED,      /* given up, see reason */
	JOB_EXPIRED,
	JOB_CANCELLED,
	JOB_STATE_COUNT
};

/* Why a job waits or failed. Kept in the store by name. */
enum job_reason {
	JOB_REASON_NONE,
	JOB_REASON_NOT_SEEN,          /* no one sees the node */
	JOB_REASON_NO_ANSWER,         /* requests went out, silence came back */
	JOB_REASON_NO_LINK,           /* the connection to it could not be made */
	JOB_REASON_LINK_LOST,         /* the connection broke before the answer */
	JOB_REASON_KEY_REFUSED,       /* it broke the handshake off; may be chance */
	JOB_REASON_KEY_WRONG,         /* it did so three times in a row */
	JOB_REASON_SILENT,            /* seen, asked often, never answered */
	JOB_REASON_BUSY,              /* 0x01 */
	JOB_REASON_STORAGE,           /* 0x02 0x03 0x05 0x06 */
	JOB_REASON_LOCKED,            /* 0x04 */
	JOB_REASON_OTHER_ENROLLMENT,  /* 0x10 */
	JOB_REASON_PREENROLLMENT,     /* 0x11 */
	JOB_REASON_SIG_CONFIGURATION, /* 0x12 */
	JOB_REASON_NODE_ID,           /* 0x13 */
	JOB_REASON_UNKNOWN_CODE,      /* any other */
	JOB_REASON_NOT_JOINED,        /* saved, but not met in the mesh yet */
	JOB_REASON_NEVER_JOINED,      /* the same at the end of its lifetime */
	JOB_REASON_ID_TAKEN,          /* another device answers under its node id */
	JOB_REASON_NOT_OPEN,          /* heard, but not in the state that its job is for */
	JOB_REASON_NOT_ASSET,         /* set_network: it says that it is none */
	JOB_REASON_NOT_MOVED,         /* set_network: not met with its new network in time */
	JOB_REASON_STOPPED,           /* set_network: by the operator */
	JOB_REASON_COUNT
};

enum job_task {
	JOB_TASK_ENROLL,     /* and remove */
	JOB_TASK_SET_NETWORK /* of an asset that has joined; however it ends, it stays joined */
};

enum job_method { JOB_METHOD_NONE, JOB_METHOD_DIRECT, JOB_METHOD_DIRECTED, JOB_METHOD_BROADCAST };

#define JOB_TIMEOUT_S_MIN 3 /* mesh-protocol §4.6: less never connects */
#define JOB_TIMEOUT_S_MAX 127
#define JOB_TIMEOUT_S_DEFAULT 10
#define JOB_HELPERS_MAX 4
#define JOB_HELPER_NONE 0
#define JOB_REFUSED_MAX 3    /* handshakes broken off in a row */
#define JOB_SILENT_MAX 5     /* unanswered requests over the mesh while the node is seen */
#define JOB_CODE_RETRY_MAX 3 /* answers 0x01, 0x04, 0x11 in a row */
#define JOB_REMOVE_TRIES_MAX 5
#define JOB_REMOVE_MS 3600000    /* then it ends unconfirmed, tried or not */
#define JOB_VERIFY_MS 2500       /* a question for the device info; late answers count, too */
#define JOB_VERIFY_ASSET_MS 6000 /* a first connection of our own with its new key */
#define JOB_CONNECT_MS 20000     /* a direct connection and its handshake */
#define JOB_ANSWER_MS 25000      /* 15 s pre-enrollment, erase, save (mesh-protocol §13.1) */
#define JOB_REBOOT_MS 5000       /* an OK node resets itself after 4.1 to 4.9 s */
#define JOB_BACKOFF_MAX_MS 300000
#define JOB_SIGHTING_MS 600000 /* how long it counts that a helper saw the node */
#define JOB_EAR_MS 15000       /* the same for our own radio: it advertises every 0.1 to 1 s */

/* A member of the network that has seen the node. */
struct job_helper {
	uint16_t id;      /* JOB_HELPER_NONE: free entry */
	uint8_t fails;    /* attempts through it that stayed silent */
	uint64_t seen_ms; /* 0: not since the last silent attempt */
};

/* All times on one axis: milliseconds of service time. */
struct job {
	/* Fixed when the job was made. */
	int64_t row;
	uint32_t serial;
	uint16_t node_id;
	uint8_t handle; /* never 0 */
	uint8_t timeout_s;
	bool keyless; /* no node key: only our own radio can open it */
	enum job_task task;
	uint16_t preferred_network; /* of JOB_TASK_SET_NETWORK */

	/* Stored at each transition. */
	enum job_state state;
	enum job_reason reason;
	enum job_method method; /* of the last attempt */
	uint16_t helper;        /* of the last directed attempt */
	uint16_t attempts;      /* requests that have left, ever */
	uint8_t silent;         /* of them without answer while the node was seen, in a row */
	uint8_t refused;        /* handshakes broken off, in a row */
	uint8_t code;           /* last result code */
	uint8_t codes;          /* answers with a code worth a retry, in a row */
	uint16_t tries;         /* in the present state, for the back-off */
	uint64_t next_try_ms;
	uint64_t expires_ms; /* a removal has its own, JOB_REMOVE_MS */

	/* Session truth; zero after a restart. */
	bool in_flight; /* an attempt runs until deadline_ms */
	uint64_t deadline_ms;
	bool member;          /* it has its network's key: the mesh can reach it without its own */
	bool reachable;       /* keyless: a mesh that it is in can be told by its serial */
	bool has_session;     /* of our own with it, perhaps one that is just ending */
	bool connected;       /* a direct attempt got through its handshake */
	uint8_t link_fails;   /* direct attempts that got no connection, in a row */
	uint64_t surveyed_ms; /* last asked for by REQUEST_PROPOSALS */
	uint64_t ear_ms;      /* last heard by our own radio, 0 never */
	int8_t ear_rssi;
	struct job_helper helpers[JOB_HELPERS_MAX];
};

enum job_event_type {
	JOB_EVENT_HEARD,     /* by our own radio: rssi */
	JOB_EVENT_SIGHTED,   /* by a member: helper */
	JOB_EVENT_PICKED,    /* the schedule chose it: method, helper */
	JOB_EVENT_CONNECTED, /* direct: handshake done */
	JOB_EVENT_REFUSED,   /* direct: the node broke the handshake off */
	JOB_EVENT_NO_LINK,   /* direct: no connection */
	JOB_EVENT_LINK_LOST, /* direct: broke after the handshake */
	JOB_EVENT_ANSWER, /* ENROLLMENT_RESPONSE or, when removing, REMOVE_ENROLLMENT_RESPONSE: code
			   */
	JOB_EVENT_INFO,   /* device info under its node id: serial */
	JOB_EVENT_TIMER,  /* deadline_ms or expires_ms has passed */
	JOB_EVENT_CANCEL,
	JOB_EVENT_REMOVE,
	JOB_EVENT_SET_NETWORK, /* network: where to */
	JOB_EVENT_UNFIT,       /* heard by our own radio, but it would not open for us now */
	JOB_EVENT_COUNT
};

struct job_event {
	enum job_event_type type;
	enum job_method method;
	uint16_t helper;
	int8_t rssi;
	uint8_t code;
	bool removal; /* the answer is a REMOVE_ENROLLMENT_RESPONSE */
	bool member;  /* heard with our network, after a request has left */
	bool moved;   /* the answer is a SET_NETWORK_RESPONSE */
	uint32_t serial;
	uint16_t network;
	uint64_t expires_ms; /* of the order to set a network */
};

enum job_do {
	JOB_DO_NOTHING,
	JOB_DO_CONNECT, /* to the node, with its node key */
	JOB_DO_SEND,    /* the request: on the direct connection, or by method and helper */
	JOB_DO_VERIFY,  /* ask node_id for its device info */
	JOB_DO_CLOSE,   /* the direct connection, if there is one */
};

/* store: the job's stored fields changed; write them before doing what `what` says. */
struct job_action {
	enum job_do what;
	bool store;
};

/* Changes *job. An event that means nothing in the present state changes nothing. */
struct job_action job_step(struct job *job, const struct job_event *event, uint64_t now_ms);

/* After a restart: what was in flight is due at once (the same bytes again). */
void job_restore(struct job *job, uint64_t now_ms);

/* joined, removed, unconfirmed, failed, expired, cancelled: nothing more will be done. */
bool job_is_over(enum job_state state);

/* pending, located, sent, waiting: the node does not have its keys yet, as far as we know. */
bool job_is_asking(const struct job *job);

/* Waits for its next attempt and may be picked at now_ms: not before its last session has ended. */
bool job_is_due(const struct job *job, uint64_t now_ms);

/* Assets do not join the mesh: their ids are organisation-wide (mesh-protocol §1.5). */
bool job_is_asset(const struct job *job);

/* Nobody but our own radio can do it. */
bool job_is_direct_only(const struct job *job);

/* Was it heard by our own radio within JOB_EAR_MS? */
bool job_in_range(const struct job *job, uint64_t now_ms);

/* The helper to ask next: fewest failures, then seen last; NULL when none is known. skip(ctx, id)
 * may be NULL. */
const struct job_helper *job_best_helper(
	const struct job *job, uint64_t now_ms, bool (*skip)(void *ctx, uint16_t id), void *ctx);

/* How long an over-mesh attempt is waited for: timeoutSec, 4 s more for the hand-over (§4.6 step
 * 9), and 1 s. */
uint64_t job_mesh_ms(const struct job *job);

/* Lower-case names as the store and the control protocol have them; NULL if out of range. */
const char *job_state_name(enum job_state state);
const char *job_reason_name(enum job_reason reason);
const char *job_method_name(enum job_method method);
const char *job_task_name(enum job_task task);
ENR_MUST_CHECK enum err job_state_parse(const char *name, enum job_state *out);
ENR_MUST_CHECK enum err job_reason_parse(const char *name, enum job_reason *out);
ENR_MUST_CHECK enum err job_method_parse(const char *name, enum job_method *out);
ENR_MUST_CHECK enum err job_task_parse(const char *name, enum job_task *out);

/* One English line for people: what happened and what to do next; with the result code, if it is
 * for one. Empty for JOB_REASON_NONE, but for unconfirmed. */
#define JOB_TEXT_SIZE 200
void job_explain(
	enum job_state state, enum job_reason reason, uint8_t code, char out[JOB_TEXT_SIZE]);

#endif
