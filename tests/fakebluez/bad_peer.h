/*
 * Wrong behaviours of a peer towards its central, below those of the node itself (sim_node.h), in
 * the words of the order "peer SERIAL FAULT". They mean here what they mean in tests/vm/radio,
 * where a real bluetoothd meets them.
 */
#ifndef FAKEBLUEZ_BAD_PEER_H
#define FAKEBLUEZ_BAD_PEER_H

#include "firmware/port.h"

enum bad_peer {
	BAD_PEER_DEAF = 1 << 0,    /* takes requests, never answers */
	BAD_PEER_EARLY = 1 << 1,   /* notifies before it answers the CCCD write */
	BAD_PEER_REFUSES = 1 << 2, /* answers the CCCD write with an error */
	BAD_PEER_BRIEF = 1 << 3,   /* a connection is lost as soon as it was made (0x3e) */
	BAD_PEER_SILENT = 1 << 4   /* advertises as connectable, never answers who connects */
};

#define BAD_PEERS_MAX 32

struct bad_peers {
	struct {
		uint8_t address[PORT_ADDRESS_BYTES];
		unsigned faults;
	} rows[BAD_PEERS_MAX];
	size_t count;
};

/* One of the words above, or "none". ERR_UNKNOWN. */
ENR_MUST_CHECK enum err bad_peer_parse(const char *text, unsigned *out);
/* From now on the peer with this address behaves so. ERR_FULL. */
ENR_MUST_CHECK enum err bad_peers_set(
	struct bad_peers *bp, const uint8_t address[PORT_ADDRESS_BYTES], unsigned faults);
bool bad_peers_has(
	const struct bad_peers *bp, const uint8_t address[PORT_ADDRESS_BYTES], enum bad_peer fault);

#endif
