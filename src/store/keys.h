/* The service's own keys: identity, signed prekeys; and the addresses that bundles name. Private
 * halves lie sealed; who gets one wipes it. */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "enr/x3dh.h"
#include "store/store.h"

/* ERR_NOT_FOUND while there is none. */
ENR_MUST_CHECK enum err keys_identity_get(struct store *s, struct x3dh_keypair *out);
/* ERR_CONFLICT if there is one. */
ENR_MUST_CHECK enum err keys_identity_put(
	struct store *s, const struct x3dh_keypair *key, uint64_t made_at);

struct signed_prekey {
	uint32_t id;
	struct x3dh_keypair key;
	uint8_t signature[XEDDSA_SIGNATURE_BYTES];
	uint64_t made_at;   /* wall */
	uint64_t retire_s;  /* no new bundle takes it from then on */
	uint64_t destroy_s; /* nothing can need it from then on */
};

/* Takes all but id, which it sets. ERR_RANGE after 2^32 - 1 of them. */
ENR_MUST_CHECK enum err keys_spk_put(struct store *s, struct signed_prekey *spk);
/* The newest that is not retired at now_s. ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err keys_spk_newest(struct store *s, uint64_t now_s, struct signed_prekey *out);
/* ERR_NOT_FOUND also when destroyed. */
ENR_MUST_CHECK enum err keys_spk_get(struct store *s, uint32_t id, struct signed_prekey *out);
/* Keeps it until until_s at least. ERR_NOT_FOUND if it is destroyed already. */
ENR_MUST_CHECK enum err keys_spk_need(struct store *s, uint32_t id, uint64_t until_s);
/* Destroys what is retired and no longer needed at now_s. */
ENR_MUST_CHECK enum err keys_spk_destroy(struct store *s, uint64_t now_s, size_t *destroyed);

/* The public half alone, also of a destroyed one: to print a bundle again. */
ENR_MUST_CHECK enum err keys_spk_public(
	struct store *s, uint32_t id, struct public32 *spk, uint8_t signature[64]);

/* The row of this text, made if it is new. */
ENR_MUST_CHECK enum err keys_address_row(struct store *s, const char *addr, int64_t *out);
ENR_MUST_CHECK enum err keys_address_get(struct store *s, int64_t row, char *addr, size_t cap);

#endif
