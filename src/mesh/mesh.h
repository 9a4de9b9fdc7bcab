/*
 * Sessions with mesh nodes: connect over a link, MeshAccess handshake as node 32000, messages in
 * and out, requests with deadlines. Several at once. Knows nothing of enrollment: what a message
 * says and what to do about silence is the caller's.
 *
 * Callbacks come from the event loop only, never from inside a call of this file; every function of
 * this file may be called from inside them, but mesh_free.
 */
#ifndef MESH_MESH_H
#define MESH_MESH_H

#include <stdbool.h>
#include <stdint.h>

#include "enr/keys.h"
#include "mesh/link.h"

struct aes128;
struct crypto;
struct mesh;
struct mesh_session;
struct timers;

/* Our node id in every session (mesh-protocol §1.5); the sender of all that we send. */
#define MESH_GATEWAY_ID 32000
/* A whole message, header included (§1.6). */
#define MESH_MESSAGE_MAX 200
/* Messages that wait for the air in one session; then mesh_send says ERR_BUSY. */
#define MESH_QUEUE_MAX 16
/* Requests that wait for an answer in one session. */
#define MESH_REQUESTS_MAX 32
/* Who may listen to adverts. */
#define MESH_LISTENERS_MAX 4
/* From the subscription to DONE (§2.3): the node's own limit is 5 s, and ours is a little later, so
 * that it is the node that hangs up and tells us why. */
#define MESH_HANDSHAKE_MS 6000

/* Why a session ended. The node tells the two about keys only by hanging up, and so does bad air at
 * the wrong moment: take them for a fact when they have come twice. */
enum mesh_end {
	MESH_END_CLOSED,      /* mesh_close */
	MESH_END_CONNECT,     /* no connection came about */
	MESH_END_SETUP,       /* connected, but not subscribed: no MeshAccess there, or too slow */
	MESH_END_KEY_REFUSED, /* the link went after START: the node does not take this key id
				 (§3.7) */
	MESH_END_WRONG_KEY,   /* the link went after SNONCE, or DONE did not verify */
	MESH_END_TIMEOUT,     /* the handshake took too long */
	MESH_END_LOST,        /* the link went when the session was open, or before START */
	MESH_END_PROTOCOL,    /* the node broke the protocol, or our cryptography failed */
	MESH_END_ADAPTER,     /* the radio went away */
	MESH_END_COUNT
};

/* Lower-case words for logs and event lines. */
const char *mesh_end_text(enum mesh_end why);

struct mesh_events {
	void (*adapter)(void *arg, bool ready);
	/* Simulations only; may be NULL. */
	void (*time)(void *arg, uint64_t now_ms);
};

struct mesh_session_events {
	/* The handshake is done; node_id is the sender of ANONCE. May come again in the same
	 * session, after DEAD_DATA (§3.7): what was under way may have been lost then. */
	void (*opened)(void *arg, struct mesh_session *s, uint16_t node_id);
	/* Every message that arrives, answers of requests included (after their done). Borrowed. */
	void (*message)(void *arg, struct mesh_session *s, struct span msg);
	/* After mesh_send said ERR_BUSY: there is room again. May be NULL. */
	void (*writable)(void *arg, struct mesh_session *s);
	/* The last event, exactly once, also after mesh_close; s is gone when it returns. */
	void (*closed)(void *arg, struct mesh_session *s, enum mesh_end why);
};

/* Events, crypto (its random), aes and timers are borrowed for the life of the mesh. */
ENR_MUST_CHECK enum err mesh_new(struct timers *timers, const struct crypto *crypto,
	const struct aes128 *aes, const struct mesh_events *events, void *arg, struct mesh **out);
/* Ends all sessions and requests without callbacks and frees the link. */
void mesh_free(struct mesh *m);

/* The events to make a link with; their arg is the mesh. */
const struct link_events *mesh_link_events(void);
/* Takes the link over; call it once, right after the link was made. */
void mesh_attach(struct mesh *m, struct link link);

bool mesh_adapter_ready(const struct mesh *m);

/* Scanning is on while anybody wants it: balanced calls. */
void mesh_scan_begin(struct mesh *m);
void mesh_scan_end(struct mesh *m);

/* Every advert under 0xFE12 goes to every listener, in the order of listening. ERR_FULL. */
typedef void mesh_advert_fn(void *arg, const struct link_advert *advert);
ENR_MUST_CHECK enum err mesh_listen(struct mesh *m, mesh_advert_fn *fn, void *arg);

struct mesh_target {
	struct link_addr addr;
	uint32_t key_id; /* FmKeyId, §3.1: 0 zero, 1 node, 2 network */
	struct secret16 ltk;
	uint8_t tunnel; /* §3.3: 0 peer to peer, 1 remote mesh */
};

/* Connects, subscribes, shakes hands. The target is copied, its key wiped when the session ends;
 * events are borrowed. ERR_KEY: an unset ltk (00 or FF) with another key id than 0. ERR_STATE: no
 * radio. ERR_FULL, ERR_CONFLICT: as of link connect. */
ENR_MUST_CHECK enum err mesh_open(struct mesh *m, const struct mesh_target *target,
	const struct mesh_session_events *events, void *arg, struct mesh_session **out);

/* Requests end with ERR_CLOSED, then closed comes, both from the event loop. */
void mesh_close(struct mesh_session *s);

bool mesh_is_open(const struct mesh_session *s);

/* Queues a whole message (5 to 200 bytes), which is copied; split and encrypted when the link takes
 * it. ERR_STATE: not open. ERR_BUSY: the queue is full, wait for writable. ERR_RANGE: length. */
ENR_MUST_CHECK enum err mesh_send(struct mesh_session *s, struct span msg);

/*
 * What an answer looks like. Answers are matched by serial first, by handle second (design, law 4):
 * with by_serial the serial must be equal, and the handle equal or 0 (a lost handle, §10.14);
 * without it, the handle alone decides. Of several requests that match, one with an equal handle
 * wins, then the oldest. A request whose handle is 0 does not compare handles.
 */
struct mesh_match {
	uint8_t type; /* messageType: 52 for answers of modules */
	uint8_t action;
	uint8_t handle;
	uint32_t module; /* MESHMSG_MODULE(…) or a vendor's id, as in enr/meshmsg.h */
	bool by_serial;
	uint8_t serial_at; /* offset of the u32 in the whole message: 8 in ENROLLMENT_RESPONSE */
	uint32_t serial;
	bool by_sender;
	uint16_t sender;
};

/* ERR_OK with the answer (borrowed), ERR_TIMEOUT or ERR_CLOSED with an empty span; once. */
typedef void mesh_answer_fn(void *arg, struct mesh_session *s, enum err result, struct span answer);

/* Sends msg as mesh_send does and waits for its answer; the time runs from this call. *id (may be
 * NULL) is for mesh_request_cancel. Errors of mesh_send; ERR_FULL: too many requests. */
ENR_MUST_CHECK enum err mesh_request(struct mesh_session *s, struct span msg,
	const struct mesh_match *match, uint32_t timeout_ms, mesh_answer_fn *done, void *arg,
	uint32_t *id);
/* No callback follows; the message may still go out. Unknown ids: nothing. */
void mesh_request_cancel(struct mesh_session *s, uint32_t id);

#endif
