#include "fakebluez/bad_peer.h"

#include <string.h>

enum err bad_peer_parse(const char *text, unsigned *out)
{
	static const char *const words[] = {"deaf", "early", "refuses", "brief", "silent"};

	*out = 0;
	if (strcmp(text, "none") == 0)
		return ERR_OK;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*out = 1u << i;
		return ERR_OK;
	}
	return ERR_UNKNOWN;
}

/* Its row, or the one behind the last. */
static size_t find(const struct bad_peers *bp, const uint8_t address[PORT_ADDRESS_BYTES])
{
	size_t i = 0;

	while (i < bp->count && memcmp(bp->rows[i].address, address, PORT_ADDRESS_BYTES) != 0)
		i++;
	return i;
}

enum err bad_peers_set(
	struct bad_peers *bp, const uint8_t address[PORT_ADDRESS_BYTES], unsigned faults)
{
	size_t i = find(bp, address);

	if (i == BAD_PEERS_MAX)
		return ERR_FULL;
	if (i == bp->count)
		bp->count++;
	memcpy(bp->rows[i].address, address, PORT_ADDRESS_BYTES);
	bp->rows[i].faults = faults;
	return ERR_OK;
}

bool bad_peers_has(
	const struct bad_peers *bp, const uint8_t address[PORT_ADDRESS_BYTES], enum bad_peer fault)
{
	size_t i = find(bp, address);

	return i < bp->count && (bp->rows[i].faults & fault) != 0;
}
