/*
 * The links between the emulated controller and the nodes in the virtual air: each with its L2CAP,
 * its attribute server and its watch. A packet of the host ends here as a subscription or a write
 * in the air, what a node notifies begins here as a packet to the host.
 *
 * A node answers a request one and a half connection intervals after it was sent, in virtual time.
 */
#ifndef VM_PEERS_H
#define VM_PEERS_H

#include "fakebluez/bad_peer.h"
#include "fakebluez/drive.h"
#include "vm/att.h"
#include "vm/controller.h"
#include "vm/l2cap.h"
#include "vm/watch.h"

/* When a link shall break. */
enum peer_moment {
	PEER_AT_CONNECTED, /* right after the connection */
	PEER_AT_MTU,       /* instead of answering the MTU exchange */
	PEER_AT_DISCOVERY, /* ... the question which services there are */
	PEER_AT_SUBSCRIBE, /* ... the CCCD write */
	PEER_AT_START,     /* instead of taking the first write */
	PEER_AT_ANONCE,    /* instead of passing on the first notification */
	PEER_AT_OPEN,      /* ... the third: the handshake is over */
	PEER_AT_REQUEST,   /* instead of taking the first write after that */
	PEER_AT_ANSWER,    /* instead of passing on the first notification after that */
	PEER_MOMENT_COUNT
};
/* "connected" and so on. ERR_UNKNOWN. */
ENR_MUST_CHECK enum err peer_moment_parse(const char *text, enum peer_moment *out);

#define PEER_VIOLATIONS_MAX 32
#define PEER_PLANS_MAX 64

struct peer_plan { /* what tests have ordered for a node */
	uint8_t address[PORT_ADDRESS_BYTES];
	unsigned break_at; /* bits 1 << enum peer_moment: a link each */
};

struct peer_violation {
	uint8_t address[PORT_ADDRESS_BYTES];
	const char *what; /* static */
};

struct peers;

struct peer {
	struct peers *peers;
	uint16_t handle; /* of HCI; 0: free */
	uint16_t link;   /* of the air */
	uint8_t address[PORT_ADDRESS_BYTES];
	bool is_up;
	bool is_lost;   /* but nobody has noticed yet */
	uint64_t up_ms; /* virtual */
	unsigned notified_count;
	bool is_asked; /* there was a write after the handshake */
	struct l2cap_in in;
	struct att_server att;
	struct watch watch;
	struct event *timer;       /* of the answer */
	struct att_result pending; /* the answer that waits: for its time, or for the node */
};

struct peers {
	struct drive *drive;
	struct air_radio *radio;
	struct controller *controller;
	struct peer all[CONTROLLER_LINKS_MAX];
	struct peer_plan plans[PEER_PLANS_MAX];
	size_t plan_count;
	struct bad_peers bad;
	struct peer_violation violations[PEER_VIOLATIONS_MAX];
	size_t violation_count; /* may be more than are kept */
	void (*tell)(void *arg, const struct peer *p, const char *what); /* may be NULL */
	void *arg;
};

/* drive is borrowed; the controller's ops are peers_ops with this as ctx. ERR_NOMEM. */
ENR_MUST_CHECK enum err peers_init(
	struct peers *ps, struct drive *drive, struct controller *controller);
/* Says nothing to anybody; the nodes see their links break. */
void peers_done(struct peers *ps);
/* The ops of a controller; send is the caller's. */
enum err peers_connect(void *ctx, const uint8_t address[PORT_ADDRESS_BYTES]);
void peers_cancel(void *ctx);
enum err peers_disconnect(void *ctx, uint16_t handle);
void peers_acl(void *ctx, uint16_t handle, bool is_first, struct span part);
void peers_reset(void *ctx);

/* The plan of a node, made when there is none; NULL when there are too many. */
struct peer_plan *peers_plan(struct peers *ps, const uint8_t address[PORT_ADDRESS_BYTES]);
/* The link to this address breaks now. False: there is none. */
bool peers_lose(struct peers *ps, const uint8_t address[PORT_ADDRESS_BYTES]);

#endif
