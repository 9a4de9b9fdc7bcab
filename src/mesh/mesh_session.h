/* What mesh.c and mesh_session.c share. Private to the two. */
#ifndef MESH_MESH_SESSION_H
#define MESH_MESH_SESSION_H

#include "enr/meshsec.h"
#include "mesh/mesh.h"
#include "mesh/mesh_request.h"
#include "mesh/timer.h"

/* Packets that came out of meshsec and wait for the link: START after DEAD_DATA is the worst. */
#define MESH_HELD_MAX 4
/* New handshakes on one link before we give it up. */
#define MESH_AGAIN_MAX 5

struct mesh_listener {
	mesh_advert_fn *fn;
	void *arg;
};

struct mesh {
	struct timers *timers;
	const struct crypto *crypto;
	const struct aes128 *aes;
	const struct mesh_events *events;
	void *arg;
	struct link link; /* ops NULL: none yet */
	bool is_ready;
	unsigned scan_wishes;
	struct mesh_listener listeners[MESH_LISTENERS_MAX];
	size_t listener_count;
	struct mesh_session *sessions;
};

struct mesh_queued {
	size_t n;
	uint8_t b[MESH_MESSAGE_MAX];
};

struct mesh_session {
	struct mesh_session *next;
	struct mesh *mesh;
	const struct mesh_session_events *events;
	void *arg;
	struct mesh_target target;
	uint16_t conn;
	struct meshsec sec;
	struct timer handshake; /* armed from START to DONE */
	struct timer soon;      /* armed: writable is due */
	uint64_t started_ms;    /* when START was sent */
	bool is_open;           /* was open once, and is not closing */
	bool is_ending;         /* disconnect was called: nothing comes up but closed */
	bool has_why;
	bool wants_room;
	bool is_begun; /* the head of the queue is inside of meshsec */
	unsigned again_count;
	enum mesh_end why; /* valid with has_why: known before the link went */
	struct meshsec_pdu held[MESH_HELD_MAX];
	size_t held_count;
	struct mesh_queued queue[MESH_QUEUE_MAX];
	size_t queue_first, queue_count;
	struct mesh_requests requests;
};

/* Wipes and frees, without callbacks; unlinked already. */
void mesh_session_free(struct mesh_session *s);

/* What the link told about this session's connection. */
void mesh_session_ready(struct mesh_session *s);
void mesh_session_notify(struct mesh_session *s, struct span pdu);
void mesh_session_writable(struct mesh_session *s);
/* Calls back for requests and closed; the caller unlinks before and frees after. */
void mesh_session_down(struct mesh_session *s, enum link_down why);

#endif
