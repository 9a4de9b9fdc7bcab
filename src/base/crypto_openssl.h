/*
 * enr/crypto.h by the libraries of the host, each where it is the faster one: OpenSSL for AES,
 * libsodium for curve and hashes. Thread-safe; the tables live as long as the process.
 */
#ifndef BASE_CRYPTO_OPENSSL_H
#define BASE_CRYPTO_OPENSSL_H

#include "enr/crypto.h"

/* NULL if a library cannot be initialised or lacks an algorithm: the program must not start. */
const struct crypto *crypto_default(void);
const struct aes128 *aes128_default(void);

#endif
