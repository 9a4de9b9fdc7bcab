/*
 * One MeshAccess session (mesh-protocol §3): handshake, packet encryption, splitting and
 * reassembly, both roles. A pure state machine: bytes and commands in, packets and events out. No
 * clock (the limits below are the caller's), no randomness (nonces are arguments), no radio.
 *
 *	central                                   peripheral
 *	meshsec_start        -> START  ->         event START, meshsec_accept
 *	event SEND (SNONCE)  <- ANONCE <-
 *	                     -> SNONCE ->         event READY (with DONE to send)
 *	event READY          <- DONE   <-
 *	meshsec_send_begin / meshsec_send_next, event MESSAGE, in both directions
 *
 * Every packet that comes out must be written, once, in that order: the counters have advanced.
 * If the link can't take it now, keep the packet, not the wish. Wipe with meshsec_clear.
 */
#ifndef ENR_MESHSEC_H
#define ENR_MESHSEC_H

#include "enr/crypto.h"

#define MESHSEC_PDU_MAX 20  /* never more in one write, whatever the ATT MTU (§2.2) */
#define MESHSEC_MSG_MAX 200 /* one message before splitting */
#define MESHSEC_NONCE_BYTES 8
#define MESHSEC_RESOLVE_MS 5000      /* link made -> CCCD written or first packet (§2.3) */
#define MESHSEC_HANDSHAKE_MS 5000    /* from then on START…DONE */
#define MESHSEC_REESTABLISH_MS 15000 /* after DEAD or CORRUPT until the next START…DONE */

/* Key ids of START, §3.1. From USER_FIRST to USER_LAST: derived from the user base key. */
#define MESHSEC_KEY_ZERO 0u
#define MESHSEC_KEY_NODE 1u
#define MESHSEC_KEY_NETWORK 2u
#define MESHSEC_KEY_BASE_USER 3u /* never usable for a connection */
#define MESHSEC_KEY_ORGANIZATION 4u
#define MESHSEC_KEY_RESTRAINED 5u
#define MESHSEC_KEY_USER_FIRST 10u
#define MESHSEC_KEY_USER_LAST 0x7FFFFFFFu

enum meshsec_role { MESHSEC_CENTRAL, MESHSEC_PERIPHERAL };

/* As written in START, seen by the central (§3.3). meshsec_tunnel_mirror gives the other view. */
enum meshsec_tunnel {
	MESHSEC_TUNNEL_PEER = 0,
	MESHSEC_TUNNEL_REMOTE_MESH = 1, /* a gateway with the network key */
	MESHSEC_TUNNEL_LOCAL_MESH = 2
};

enum meshsec_state {
	MESHSEC_IDLE = 0,   /* connected, in clear: nothing started (or started over) */
	MESHSEC_STARTED,    /* central: START sent, waits for ANONCE */
	MESHSEC_ASKED,      /* peripheral: START came, waits for meshsec_accept */
	MESHSEC_CHALLENGED, /* peripheral: ANONCE sent, waits for SNONCE */
	MESHSEC_PROVING,    /* central: SNONCE sent, waits for DONE */
	MESHSEC_OPEN,       /* messages flow */
	MESHSEC_CLOSED      /* the caller disconnects */
};

/* Reasons for a disconnect, §8.10; those that the reference's logs would show for the same. */
enum meshsec_reason {
	MESHSEC_REASON_UNKNOWN = 0,
	MESHSEC_REASON_HANDSHAKE_TIMEOUT = 1,
	MESHSEC_REASON_RECONNECT_TIMEOUT = 2,
	MESHSEC_REASON_GAP_DISCONNECT = 3,
	MESHSEC_REASON_USER_REQUEST = 13,
	MESHSEC_REASON_CONNECTING_TIMEOUT = 15,
	MESHSEC_REASON_PENDING_TIMEOUT = 16,
	MESHSEC_REASON_ENROLLMENT_TIMEOUT = 17,
	MESHSEC_REASON_ENROLLMENT_TIMEOUT2 = 18,
	MESHSEC_REASON_WRONG_PARTNER_ID = 24,
	MESHSEC_REASON_ILLEGAL_TUNNEL = 25,
	MESHSEC_REASON_INVALID_KEY = 26,
	MESHSEC_REASON_INVALID_PACKET = 27,
	MESHSEC_REASON_ENROLLMENT_RESPONSE = 28,
	MESHSEC_REASON_NEEDED_FOR_ENROLLMENT = 29,
	MESHSEC_REASON_INVALID_HANDSHAKE_PACKET = 33,
	MESHSEC_REASON_REBOOT = 34
};

/* One write (to RX) or notification (on TX). len 0: there is none. */
struct meshsec_pdu {
	uint8_t len;
	uint8_t b[MESHSEC_PDU_MAX];
};

enum meshsec_event_type {
	MESHSEC_EVENT_NONE,    /* consumed: a fragment, or a packet that is to be ignored */
	MESHSEC_EVENT_START,   /* peripheral: choose the key, then meshsec_accept (or disconnect) */
	MESHSEC_EVENT_SEND,    /* central: write pdu (SNONCE) */
	MESHSEC_EVENT_READY,   /* open; the peripheral writes pdu (DONE) first */
	MESHSEC_EVENT_MESSAGE, /* message: one whole message, valid until the next receive */
	MESHSEC_EVENT_DEAD,    /* the peer lost us (in state PROVING, by old firmware: wrong key);
				* the central may meshsec_start again on this link */
	MESHSEC_EVENT_CORRUPT, /* we lost the peer: write pdu (DEAD_DATA); as DEAD from then on */
	MESHSEC_EVENT_CLOSE    /* disconnect, for reason */
};

struct meshsec_event {
	enum meshsec_event_type type;
	struct meshsec_pdu pdu;     /* SEND, READY (peripheral), CORRUPT */
	struct span message;        /* MESSAGE */
	uint16_t central_id;        /* START */
	uint32_t key_id;            /* START */
	enum meshsec_tunnel tunnel; /* START, as the central sees it */
	enum meshsec_reason reason; /* CLOSE */
};

/* One direction: its key and its running nonce. */
struct meshsec_dir {
	struct secret16 key;
	uint32_t n0;
	uint32_t n1;
};

/* Caller-allocated, 500 bytes or so. Fields are meshsec's own; those above the line may be read. */
struct meshsec {
	enum meshsec_role role;
	enum meshsec_state state;
	uint16_t own_id;
	uint16_t partner_id; /* known from START or ANONCE on; then the peer's own id */
	uint32_t key_id;
	enum meshsec_tunnel tunnel; /* as the central sees it */
	uint32_t dropped_count;     /* split messages that were thrown away (§1.6) */
	/* --- */
	const struct aes128 *aes;
	bool is_again; /* after DEAD or CORRUPT: stray packets are ignored, not fatal */
	struct secret16 ltk;
	uint8_t nonce[MESHSEC_NONCE_BYTES]; /* central: snonce, from start to ANONCE */
	struct meshsec_dir tx;
	struct meshsec_dir rx;
	uint8_t in[MESHSEC_MSG_MAX];
	size_t in_bytes;
	bool in_skips; /* ignore fragments until the next counter 0 */
	uint8_t out[MESHSEC_MSG_MAX];
	size_t out_bytes;
	size_t out_done_bytes;
};

/* own_id: node id of this side, never 0; a gateway says 32000. aes is borrowed for the life of s.
 */
void meshsec_init(
	struct meshsec *s, const struct aes128 *aes, enum meshsec_role role, uint16_t own_id);

/* Wipes everything. */
void meshsec_clear(struct meshsec *s);

/*
 * Central, state IDLE: makes START. ltk and snonce (random, 8 bytes) are copied. ERR_STATE in
 * another state or role, ERR_RANGE for own id 0 or a key id that no node accepts, ERR_KEY for
 * 16×FF, and for 16×00 unless key_id is ZERO.
 */
ENR_MUST_CHECK enum err meshsec_start(struct meshsec *s, uint32_t key_id,
	enum meshsec_tunnel tunnel, const struct secret16 *ltk,
	const uint8_t snonce[MESHSEC_NONCE_BYTES], struct meshsec_pdu *pdu);

/*
 * Peripheral, after event START: makes ANONCE. The caller has decided by key_id which key that is
 * (and whether it allows ZERO). ERR_KEY as above: disconnect with INVALID_KEY, no ANONCE is sent.
 */
ENR_MUST_CHECK enum err meshsec_accept(struct meshsec *s, const struct secret16 *ltk,
	const uint8_t anonce[MESHSEC_NONCE_BYTES], struct meshsec_pdu *pdu);

/* One received packet of n bytes. All that can be wrong with it is an event. */
void meshsec_receive(struct meshsec *s, const void *bytes, size_t n, struct meshsec_event *event);
/* Wipes the message of the last event, which may have held keys. */
void meshsec_forget_message(struct meshsec *s);

/*
 * Takes one message of 1…200 bytes for sending (copied). ERR_STATE unless OPEN, ERR_BUSY while
 * another one is not yet fully fetched, ERR_RANGE for its length.
 */
ENR_MUST_CHECK enum err meshsec_send_begin(struct meshsec *s, const void *message, size_t n);

/* The next packet of that message; ERR_NOT_FOUND when there is none left. ERR_CRYPTO: disconnect.
 */
ENR_MUST_CHECK enum err meshsec_send_next(struct meshsec *s, struct meshsec_pdu *pdu);

/* Is a message still being fetched? */
bool meshsec_is_sending(const struct meshsec *s);

/* What the peripheral stores for a tunnel of START: REMOTE_MESH <-> LOCAL_MESH (§3.3). */
enum meshsec_tunnel meshsec_tunnel_mirror(enum meshsec_tunnel tunnel);

/* Key of key id n for this user base key. ERR_RANGE outside 10…0x7FFFFFFF; ERR_KEY for a base key
 * of 16×00 or 16×FF, which everybody knows (§11.2). */
ENR_MUST_CHECK enum err meshsec_user_key(
	const struct aes128 *aes, const struct secret16 *base, uint32_t n, struct secret16 *out);

/* The RESTRAINED key of this node key; ERR_KEY as above. */
ENR_MUST_CHECK enum err meshsec_restrained_key(
	const struct aes128 *aes, const struct secret16 *node_key, struct secret16 *out);

#endif
