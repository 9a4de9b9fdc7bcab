/*
 * JOIN_ME, the advertisement by which nodes of a mesh find each other (mesh-protocol §8.1): who a
 * node is in its mesh and how large that is, without connecting.
 */
#ifndef ENR_JOINME_H
#define ENR_JOINME_H

#include "enr/bytes.h"

#define JOINME_BYTES 31 /* the whole payload */

struct joinme {
	uint16_t network_id;
	uint16_t node_id;
	uint32_t cluster_id;
	int16_t cluster_size;
	uint8_t free_in;  /* 0…7 */
	uint8_t free_out; /* 0…31 */
	uint8_t battery_runtime;
	int8_t tx_power_dbm;
	uint8_t device_type; /* enum meshadv_device, or a number we do not know */
	uint16_t hops_to_sink;
	uint16_t mesh_write_handle;
	uint32_t ack; /* cluster id of the accepted partner, 0: none */
};

/* ERR_SHORT, ERR_TRAILING: not 31 bytes; ERR_NOT_FOUND: some other advertisement. */
ENR_MUST_CHECK enum err joinme_decode(const void *payload, size_t n, struct joinme *out);
/* ERR_RANGE: free connections that do not fit into their bits. */
ENR_MUST_CHECK enum err joinme_encode(const struct joinme *m, uint8_t out[JOINME_BYTES]);

#endif
