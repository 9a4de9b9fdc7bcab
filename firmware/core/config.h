/*
 * What a node is (identity: burnt into UICR, §7.5) and what it has become (config: record 0, §7.3).
 * Bytes only; who may change what is decided elsewhere.
 */
#ifndef FIRMWARE_CORE_CONFIG_H
#define FIRMWARE_CORE_CONFIG_H

#include "firmware/port.h"

#define CONFIG_RECORD_BYTES 108
#define CONFIG_NOINIT_BYTES 77 /* §4.9 */

struct identity {
	uint32_t serial_index;
	struct secret16 node_key;
	uint16_t manufacturer;
	uint16_t default_network_id; /* 0: not enrolled by default */
	uint16_t default_node_id;
	struct secret16 default_network_key; /* 16×FF: none */
};

struct config {
	bool enrolled;
	uint16_t node_id;
	uint16_t network_id;
	uint16_t enrolled_nodes; /* size of the whole mesh as the gateway told it, 0: unknown */
	struct secret16 network_key;
	struct secret16 user_base_key;
	struct secret16 organization_key;
};

/* The identity in UICR. Without a valid block the chip's id makes a serial of the testing range,
 * and the node key is unset (all FF): such a node cannot be enrolled by anybody. */
void config_identity(
	const uint32_t words[PORT_UICR_WORDS], const struct port_chip *chip, struct identity *out);

/* What the node is without any record. User base and organization key are unset, which is never
 * accepted (§11.1, §11.2). */
void config_default(const struct identity *id, struct config *out);

bool config_equal(const struct config *a, const struct config *b);

void config_encode(const struct config *c, uint8_t out[CONFIG_RECORD_BYTES]);
/* 66 to 108 bytes, as older firmware wrote them; what is 0 becomes the default (§7.3).
 * ERR_VERSION, ERR_SHORT, ERR_INVALID. */
ENR_MUST_CHECK enum err config_decode(
	const void *bytes, size_t n, const struct identity *id, struct config *out);

/* The copy that outlives a reboot but not a loss of power (§4.9), with its CRC. */
void config_encode_noinit(
	const struct config *c, const struct identity *id, uint8_t out[CONFIG_NOINIT_BYTES]);
/* ERR_INVALID: the CRC is wrong. */
ENR_MUST_CHECK enum err config_decode_noinit(
	const uint8_t in[CONFIG_NOINIT_BYTES], struct config *out);

#endif
