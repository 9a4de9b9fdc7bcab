/*
 * The link port: how sessions (mesh.h) reach nodes by radio without knowing the radio. One table of
 * functions that the mesh calls down (link_ops) and one that a link calls up (link_events).
 *
 * The contract, which every link keeps and every user may rely on:
 *  - events come from the event loop only, never from inside a call of an ops function; a failure
 *    that is known at once comes as a later event or as the call's return value, never as both;
 *  - every ops function but free may be called from inside events;
 *  - no ops function blocks;
 *  - each connection that connect() returned ends with exactly one down event, disconnect() or not,
 *    unless the link is freed first; after it the number means nothing and may come again.
 */
#ifndef MESH_LINK_H
#define MESH_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "enr/bytes.h"

/* One GATT write or notification of MeshAccess, whatever the ATT MTU (mesh-protocol §2.2). */
#define LINK_PDU_MAX 20
/* Connections that a link must be able to hold at once. */
#define LINK_CONNECTIONS_MAX 8

/* As on the wire (mesh-protocol, conventions): b[0] is the least significant byte, printed last. */
struct link_addr {
	uint8_t type; /* 0 public, 1 random */
	uint8_t b[6];
};

static inline bool link_addr_equal(const struct link_addr *a, const struct link_addr *b)
{
	return a->type == b->type && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

#define LINK_RSSI_UNKNOWN 127

struct link_advert {
	struct link_addr addr;
	int8_t rssi_dbm;          /* LINK_RSSI_UNKNOWN if the radio did not say */
	bool connectable;         /* true where the radio cannot tell (BlueZ) */
	struct span service_data; /* the value under UUID 0xFE12, without it; borrowed */
};

/* Why a connection ended. */
enum link_down {
	LINK_DOWN_LOCAL,   /* disconnect() */
	LINK_DOWN_LOST,    /* the peer or the air ended it; before ready it may be SETUP, too */
	LINK_DOWN_CONNECT, /* no connection came about (silent, unknown or too many) */
	LINK_DOWN_SETUP,   /* connected, but no MeshAccess service, or not subscribed in time */
	LINK_DOWN_ADAPTER, /* the radio is gone, switched off, or its service died */
	LINK_DOWN_COUNT
};

/* Lower-case words for logs. */
const char *link_down_text(enum link_down why);

/* All of them are set, but time. Borrowed for the life of the link; arg is the owner's. */
struct link_events {
	/* The radio can be used, or no longer. Links start "not ready". When it goes, all
	 * connections go down (LINK_DOWN_ADAPTER) before this event; the wish to scan is kept. */
	void (*adapter)(void *arg, bool ready);
	void (*advert)(void *arg, const struct link_advert *advert);
	/* Connected, MTU exchange done, subscribed: write now. */
	void (*ready)(void *arg, uint16_t conn);
	/* One notification, 1 to LINK_PDU_MAX bytes, borrowed. */
	void (*notify)(void *arg, uint16_t conn, struct span pdu);
	/* After ERR_BUSY of write: there is room again. */
	void (*writable)(void *arg, uint16_t conn);
	void (*down)(void *arg, uint16_t conn, enum link_down why);
	/* Simulations only: the clock of the simulated world. May be NULL. */
	void (*time)(void *arg, uint64_t now_ms);
};

struct link_ops {
	/* Adverts on or off; kept as a wish while the radio is away. Off at the start. */
	void (*scan)(void *impl, bool on);
	/* Starts a connection; *conn is never 0. ERR_STATE: the radio is away. ERR_FULL: too many
	 * connections. ERR_CONFLICT: there is one to this address already. */
	enum err (*connect)(void *impl, const struct link_addr *addr, uint16_t *conn);
	/* 1 to LINK_PDU_MAX bytes, all or nothing, in order. ERR_BUSY: keep it and wait for
	 * writable. ERR_RANGE: length. ERR_STATE: not ready, or no such connection. */
	enum err (*write)(void *impl, uint16_t conn, struct span pdu);
	/* Ends in a down event: LINK_DOWN_LOCAL, or what came first. Unknown numbers: nothing. */
	void (*disconnect)(void *impl, uint16_t conn);
	/* Ends everything without events. */
	void (*free)(void *impl);
};

struct link {
	const struct link_ops *ops;
	void *impl;
};

#endif
