/* The cipher of MeshAccess: derivation, one packet sealed, one packet opened (mesh-protocol §3.1,
 * §3.4, §3.5). No policy: which keys may be used is decided in meshsec.c. */
#ifndef CORE_MESHSEC_CRYPT_H
#define CORE_MESHSEC_CRYPT_H

#include "enr/meshsec.h"

#define MESHSEC_MIC_BYTES 4
#define MESHSEC_PLAIN_MAX (MESHSEC_PDU_MAX - MESHSEC_MIC_BYTES)

ENR_MUST_CHECK enum err meshsec_crypt_user(
	const struct aes128 *aes, const struct secret16 *base, uint32_t n, struct secret16 *out);
ENR_MUST_CHECK enum err meshsec_crypt_restrained(
	const struct aes128 *aes, const struct secret16 *node_key, struct secret16 *out);

/* One direction: its session key, and the nonce itself as first counter. */
ENR_MUST_CHECK enum err meshsec_crypt_dir(const struct aes128 *aes, const struct secret16 *ltk,
	uint16_t central_id, const uint8_t nonce[MESHSEC_NONCE_BYTES], struct meshsec_dir *out);

/* Seals 1…16 bytes and advances the counter. */
ENR_MUST_CHECK enum err meshsec_crypt_seal(const struct aes128 *aes, struct meshsec_dir *dir,
	const uint8_t *plain, size_t n, struct meshsec_pdu *pdu);

/* Opens a packet of n bytes into plain[16] and advances the counter; *len is n - 4. ERR_AUTH, with
 * the counter as it was, for a wrong MIC and for lengths that no sender makes. */
ENR_MUST_CHECK enum err meshsec_crypt_open(const struct aes128 *aes, struct meshsec_dir *dir,
	const uint8_t *packet, size_t n, uint8_t plain[MESHSEC_PLAIN_MAX], size_t *len);

#endif
