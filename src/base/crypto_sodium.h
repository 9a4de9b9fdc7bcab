/* The half of crypto_default that libsodium does: X25519, Ed25519, SHA-2, HKDF, randomness. */
#ifndef BASE_CRYPTO_SODIUM_H
#define BASE_CRYPTO_SODIUM_H

#include "enr/crypto.h"

/* Fills its rows of the table; the AES rows are left alone. ERR_CRYPTO if libsodium can't start. */
ENR_MUST_CHECK enum err crypto_sodium_fill(struct crypto *c);

#endif
