/*
 * One datagram of link_socket (enrolld-protocol(7)): version u8 = 1, type u8, link u16, then what
 * the type needs. Bytes to struct and back, nothing else.
 */
#ifndef MESH_LINK_DGRAM_H
#define MESH_LINK_DGRAM_H

#include "mesh/link.h"

#define LINK_DGRAM_VERSION 1
#define LINK_DGRAM_HEADER 4
/* address 7, rssi, flags, data */
#define LINK_DGRAM_DATA_MAX 31
#define LINK_DGRAM_MAX (LINK_DGRAM_HEADER + 9 + LINK_DGRAM_DATA_MAX)

/* R: from the radio, G: from the gateway. */
enum link_dgram_type {
	LINK_DGRAM_ADVERT =
		1,          /* R, link 0: address 7, rssi i8, flags u8 (bit 0 connectable), data */
	LINK_DGRAM_CONNECT, /* G: address 7; the gateway chooses the link number, never 0 */
	LINK_DGRAM_CONNECTED,    /* R: subscribed, too */
	LINK_DGRAM_WRITE,        /* G: 1 to 20 bytes */
	LINK_DGRAM_NOTIFY,       /* R: 1 to 20 bytes */
	LINK_DGRAM_DISCONNECTED, /* R: reason u8, an enum link_down; G: hang up, reason 0 */
	LINK_DGRAM_TIME /* R, link 0: milliseconds u64 of the simulated world; G: the same, done */
};

struct link_dgram {
	enum link_dgram_type type;
	uint16_t link;
	struct link_addr addr; /* ADVERT, CONNECT */
	int8_t rssi_dbm;       /* ADVERT */
	bool connectable;      /* ADVERT */
	struct span data;      /* ADVERT: service data; WRITE, NOTIFY: PDU; a view of the input */
	enum link_down reason; /* DISCONNECTED */
	uint64_t now_ms;       /* TIME */
};

/* ERR_VERSION, ERR_UNKNOWN (type), ERR_RANGE (link number, length of the data, reason, reserved
 * flags), ERR_SHORT, ERR_TRAILING. */
ENR_MUST_CHECK enum err link_dgram_decode(const void *bytes, size_t n, struct link_dgram *out);

/* ERR_RANGE as above; ERR_FULL. *n: bytes written. */
ENR_MUST_CHECK enum err link_dgram_encode(
	const struct link_dgram *d, uint8_t out[LINK_DGRAM_MAX], size_t *n);

#endif
