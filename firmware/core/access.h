/*
 * MeshAccess on the node (mesh-protocol §2.3, §3): the links to gateways, apps and nodes that are
 * being enrolled, in both roles. Keeps the time limits, chooses keys, asks the authorization table,
 * translates ids, queues what is to be sent. The packets themselves are meshsec's.
 */
#ifndef FIRMWARE_CORE_ACCESS_H
#define FIRMWARE_CORE_ACCESS_H

#include "enr/meshmsg.h"
#include "enr/meshsec.h"
#include "firmware/port.h"

#define ACCESS_LINKS_MAX 5     /* §2.3: all connections of a node */
#define ACCESS_IN_MAX 3        /* mesh links included */
#define ACCESS_OUT_MAX 3       /* mesh links included */
#define ACCESS_QUEUE_BYTES 640 /* messages that wait, one length byte each */
#define ACCESS_CORRUPT_MAX 32  /* §3.7 */
#define ACCESS_NO_SLOT 0xFF
#define ACCESS_MESH_ID_MAX (MESHMSG_NODE_LAST + 1) /* §4.4.5: 2000 is taken, too */
#define ACCESS_OPEN_MS 5000                        /* central: subscribe, then handshake, each */

struct node;

enum access_state {
	ACCESS_FREE = 0,
	ACCESS_CONNECTED, /* nothing written yet */
	ACCESS_HANDSHAKE,
	ACCESS_OPEN,
	ACCESS_AGAIN, /* clear again after a corrupted packet: waits for a new START */
	ACCESS_CLOSING
};

/* For whom a link was made: who hears how it went. */
enum access_owner {
	ACCESS_FOR_ENROLL = 0, /* enroll_mesh.c; also links that others made */
	ACCESS_FOR_DIAL        /* dial.c */
};

struct access_link {
	enum access_state state;
	enum access_owner owner;
	enum port_role role;
	uint16_t link; /* the port's */
	uint16_t virtual_id;
	bool is_id_given;    /* by an order, in place of its own */
	uint16_t ordered_by; /* who hears of its end; 0: nobody */
	uint8_t address[PORT_ADDRESS_BYTES];
	uint8_t corrupt_count;
	uint64_t deadline_ms; /* 0: none */
	struct meshsec sec;
	struct meshsec_pdu waiting; /* made, but the port could not take it yet; len 0: none */
	uint8_t queue[ACCESS_QUEUE_BYTES];
	size_t queue_bytes;
};

/* What a link that we make shall be. */
struct access_want {
	bool pending; /* the port is connecting */
	enum access_owner owner;
	uint32_t key_id;
	enum meshsec_tunnel tunnel;
	struct secret16 ltk;
};

struct access {
	struct access_link links[ACCESS_LINKS_MAX]; /* the index is the connection slot of §1.5 */
	struct access_want want;
};

/* Where a message that might go out over a link comes from. */
enum access_origin {
	ACCESS_FROM_SELF, /* made by this node */
	ACCESS_FROM_MESH  /* on its way through this node */
};

void access_init(struct node *n);

/* Connects and shakes hands; the end is _on_access_open() or _on_access_closed() of its owner. want
 * is copied, its pending not read. ERR_FULL: no free connection. ERR_BUSY: an attempt is pending.
 */
ENR_MUST_CHECK enum err access_connect(struct node *n, const uint8_t address[PORT_ADDRESS_BYTES],
	uint32_t timeout_ms, const struct access_want *want);
/* The node's own key of that kind, for the role that it is to play (§3.1, §4.13). ERR_KEY: there is
 * none that it would use. */
ENR_MUST_CHECK enum err access_own_key(
	const struct node *n, enum port_role role, uint32_t key_id, struct secret16 *out);
/* Cancels an attempt that is pending. */
void access_cancel(struct node *n);
void access_disconnect(struct node *n, uint8_t slot);

/* Queues a message for this peer if the rules of §3.9 and §3.10 let it pass. */
void access_offer(
	struct node *n, uint8_t slot, enum access_origin origin, const void *message, size_t bytes);
/* The same for all peers but one (ACCESS_NO_SLOT: all). */
void access_offer_all(struct node *n, uint8_t except, enum access_origin origin,
	const void *message, size_t bytes);
/* The slot whose peer has this virtual id, or ACCESS_NO_SLOT. */
uint8_t access_find_virtual(const struct node *n, uint16_t id);
/* The slot of the link with this address, in whatever state, or ACCESS_NO_SLOT. */
uint8_t access_find_address(const struct node *n, const uint8_t address[PORT_ADDRESS_BYTES]);

uint8_t access_count(const struct node *n, enum port_role role);
void access_send_cluster_info(struct node *n, uint8_t slot);

uint64_t access_deadline_ms(const struct node *n);
void access_on_timer(struct node *n);
void access_on_connected(struct node *n, uint16_t link, enum port_role role,
	const uint8_t address[PORT_ADDRESS_BYTES]);
void access_on_connect_failed(struct node *n);
void access_on_subscribed(struct node *n, uint16_t link);
void access_on_pdu(struct node *n, uint16_t link, const void *pdu, size_t bytes);
void access_on_tx_ready(struct node *n, uint16_t link);
void access_on_disconnected(struct node *n, uint16_t link);

/* --- authorization, access_auth.c (§3.10) -------------------------------------------------- */

/* In the order of their strength: the highest verdict of all rules counts. */
enum access_verdict {
	ACCESS_UNDETERMINED = 0, /* dropped */
	ACCESS_WHITELIST,        /* dispatched here and routed, or sent */
	ACCESS_LOCAL_ONLY,       /* dispatched here only, or sent */
	ACCESS_BLACKLIST         /* dropped */
};

enum access_direction { ACCESS_IN = 1, ACCESS_OUT = 2 };

/* m: as meshmsg_decode opened it. */
enum access_verdict access_authorize(
	const struct meshmsg *m, uint32_t key_id, enum access_direction direction, bool enrolled);

#endif
