/*
 * The networks we own and the ledger of their node ids. All calls run inside the caller's
 * transaction. Keys lie sealed; a listing never carries one.
 */
#ifndef STORE_NETWORKS_H
#define STORE_NETWORKS_H

#include <stdbool.h>
#include <stdint.h>

#include "enr/keys.h"

struct store;

#define NETWORK_NAME_MAX 64
#define NODE_ID_MIN 1
#define NODE_ID_MAX 1999 /* 2000 is never assigned (mesh-protocol §1.5) */
#define ASSET_ID_MIN 33000
#define ASSET_ID_MAX 57999 /* neither is 58000 */

struct network_keys {
	struct secret16 network;
	struct secret16 user_base;
	struct secret16 organization;
};

struct network_row {
	int64_t row; /* never used again, though the id may be */
	uint16_t id; /* 1..65534 */
	char name[NETWORK_NAME_MAX + 1];
	uint16_t first_node_id;  /* ids below are not ours to give */
	uint16_t next_node_id;   /* lowest id never given, up to NODE_ID_MAX + 1 */
	uint16_t next_asset_id;  /* the same for assets */
	uint32_t gateway_serial; /* preferred gateway node, UINT32_MAX: the strongest */
	uint64_t created_at;     /* unix seconds, for display */
};

struct network_counts {
	uint32_t nodes;  /* rows of nodes in it */
	uint32_t joined; /* of them joined */
};

/* Takes row->id, name, first_node_id, gateway_serial and created_at. ERR_CONFLICT if the id is
 * there. */
ENR_MUST_CHECK enum err store_networks_insert(
	struct store *s, const struct network_row *row, const struct network_keys *keys);

/* ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err store_networks_get(struct store *s, uint16_t id, struct network_row *out);

/* Reads all rows of its nodes: to be shown, never on the way of a request that adds one. */
ENR_MUST_CHECK enum err store_networks_count(
	struct store *s, uint16_t id, struct network_counts *out);

/* The caller wipes *out. ERR_NOT_FOUND; ERR_AUTH if the seal does not open. */
ENR_MUST_CHECK enum err store_networks_keys(struct store *s, uint16_t id, struct network_keys *out);

/* In order of id, those above `after`; each returns false to stop. */
ENR_MUST_CHECK enum err store_networks_list(struct store *s, uint16_t after,
	bool (*each)(void *ctx, const struct network_row *row), void *ctx);

/* *count: how many there are, 0, 1 or 2 (more are not counted); *id: of one of them. */
ENR_MUST_CHECK enum err store_networks_only(struct store *s, uint16_t *id, unsigned *count);

/* ERR_NOT_FOUND; ERR_STATE while nodes are in it: any but removed,
 * unconfirmed, failed, expired and cancelled ones, which go with it. */
ENR_MUST_CHECK enum err store_networks_delete(struct store *s, uint16_t id);

/*
 * The ledger. An id that was given stays its serial's, until store_ids_free or _return gives it
 * back. The same serial gets the same id again. ERR_STATE when the range is used up.
 */
ENR_MUST_CHECK enum err store_ids_reserve(struct store *s, uint16_t network_id, uint32_t serial,
	bool asset, uint64_t given_at, uint16_t *out);

/* Exactly this id, which the operator names; first_node_id does not bind him. Another id that the
 * serial has stays out of use. ERR_CONFLICT when it is another's, or nobody knows whose. */
ENR_MUST_CHECK enum err store_ids_take(
	struct store *s, uint16_t network_id, uint16_t node_id, uint32_t serial, uint64_t given_at);

/* A member that we met with this id, whoever enrolled it: nobody else is given the id. serial
 * UINT32_MAX: unknown. ERR_CONFLICT when the id is another serial's. */
ENR_MUST_CHECK enum err store_ids_adopt(
	struct store *s, uint16_t network_id, uint16_t node_id, uint32_t serial, uint64_t given_at);

/* Only when the node confirmed its removal. An id that is no longer the serial's stays with its new
 * owner. */
ENR_MUST_CHECK enum err store_ids_free(
	struct store *s, uint16_t network_id, uint16_t node_id, uint32_t serial);

/* The same when no request ever left for it; but what was met with its id may still have it. */
ENR_MUST_CHECK enum err store_ids_return(
	struct store *s, uint16_t network_id, uint16_t node_id, uint32_t serial);

#endif
