/* Datagrams of the socket link: what is taken is written again, byte for byte. */
#include "mesh/link_dgram.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[LINK_DGRAM_MAX];
	struct link_dgram d;
	size_t n;

	if (link_dgram_decode(data, size, &d) != ERR_OK)
		return 0;
	MUST(size <= LINK_DGRAM_MAX);
	MUST(link_dgram_encode(&d, again, &n) == ERR_OK);
	MUST(n == size && memcmp(again, data, n) == 0);
	return 0;
}
