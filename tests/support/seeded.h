/* crypto_default() with randomness that is the same each time, for tests of what holds for any key:
 * the one that fails must come again. */
#ifndef SUPPORT_SEEDED_H
#define SUPPORT_SEEDED_H

#include "enr/crypto.h"

/* Prints the seed and begins anew with it; one generator a process. */
const struct crypto *seeded_crypto(uint64_t seed);

#endif
