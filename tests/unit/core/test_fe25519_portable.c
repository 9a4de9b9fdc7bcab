/* The same tests on the arithmetic of machines without a 128-bit integer: this program's own copy
 * of the field takes the library's place. */
#define FE25519_PORTABLE
#include "core/fe25519.c"

#include "test_fe25519.c"
