/* A sealed column of a database that someone has edited. The key is 32 bytes of 0x07. */
#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "base/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret32 key;
	struct seal *s;
	uint8_t out[256];
	size_t n;
	enum err e;

	memset(&key, 7, sizeof(key));
	if (seal_new(crypto_default(), &key, &s) != ERR_OK)
		abort();
	e = seal_get(s, "one_time_prekey.priv", 1, (struct span){data, size}, out, sizeof(out), &n);
	if (e == ERR_OK ? n + SEAL_OVERHEAD_BYTES != size : n != 0)
		abort();
	seal_free(s);
	return 0;
}
