/* The half of crypto_default that libsodium does: X25519, Ed25519, SHA-512, randomness. */
#ifndef BASE_CRYPTO_SODIUM_H
#define BASE_CRYPTO_SODIUM_H

#include "enr/crypto.h"

/* Fills its rows of the table; the rows of AES and SHA-256 are left alone. ERR_CRYPTO if libsodium
 * can't start. */
ENR_MUST_CHECK enum err crypto_sodium_fill(struct crypto *c);

#endif
