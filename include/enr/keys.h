/*
 * Secrets have types, so that none slips into a log, a listing or a memcmp. Whoever declares one
 * wipes it on every path out. They never leave the program but sealed (base/seal.h) or inside an
 * encrypted message.
 */
#ifndef ENR_KEYS_H
#define ENR_KEYS_H

#include "enr/bytes.h"

/* X25519 private keys, SK, traffic keys, sealing keys. */
struct secret32 {
	uint8_t b[32];
};

/* 64 bytes that leave as two keys (T of OP-0006 §9: enrollee→service, then service→enrollee). */
struct secret64 {
	uint8_t b[64];
};

/* Keys of the mesh: node, network, user base, organization, session keys. In printed order. */
struct secret16 {
	uint8_t b[16];
};

/* X25519 public key, raw little-endian u-coordinate; also SHA-256 values, which are not secret. */
struct public32 {
	uint8_t b[32];
};

static inline void secret16_wipe(struct secret16 *k)
{
	bytes_wipe(k, sizeof(*k));
}

static inline void secret32_wipe(struct secret32 *k)
{
	bytes_wipe(k, sizeof(*k));
}

static inline void secret64_wipe(struct secret64 *k)
{
	bytes_wipe(k, sizeof(*k));
}

/* 16×00 and 16×FF are what unset mesh keys hold; neither is ever accepted as a key (mesh-protocol
 * §11.1). */
static inline bool secret16_is_unset(const struct secret16 *k)
{
	return (int)bytes_are_ct(k->b, 16, 0x00) | (int)bytes_are_ct(k->b, 16, 0xFF);
}

#endif
