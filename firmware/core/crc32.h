/* CRC-32 (IEEE 802.3), bit by bit: no table, small code. For storage, not against attackers. */
#ifndef FIRMWARE_CORE_CRC32_H
#define FIRMWARE_CORE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Start with 0; the result of one part is the start of the next. */
static inline uint32_t crc32_add(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
	}
	return ~crc;
}

#endif
