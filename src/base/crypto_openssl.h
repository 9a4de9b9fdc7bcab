/*
 * enr/crypto.h by the libraries of the host: OpenSSL and libsodium, each where it is faster.
 * Thread-safe; the tables live as long as the process.
 */
#ifndef BASE_CRYPTO_OPENSSL_H
#define BASE_CRYPTO_OPENSSL_H

#include "enr/crypto.h"

/* NULL if a library cannot be initialised or lacks an algorithm: the program must not start. */
const struct crypto *crypto_default(void);
const struct aes128 *aes128_default(void);

#endif
