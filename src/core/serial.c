/* Serial text <-> index (mesh-protocol §5.1, §5.2). */
#include "enr/serial.h"

#define SERIAL_BASE 30u

static const char alphabet[SERIAL_BASE + 1] = "BCDFGHJKLMNPQRSTVWXYZ123456789";

static bool digit(char c, uint32_t *value)
{
	for (uint32_t i = 0; i < SERIAL_BASE; i++) {
		if (alphabet[i] == c) {
			*value = i;
			return true;
		}
	}
	return false;
}

enum err serial_parse(const char *text, size_t n, uint32_t *index)
{
	uint64_t v = 0;
	uint32_t d = 0;

	if (n > 0 && text[0] == 'A') {
		text++;
		n--;
	}
	if (n != 5 && n != 7)
		return ERR_INVALID;
	for (size_t i = 0; i < n; i++) {
		if (!digit(text[i], &d))
			return ERR_INVALID;
		v = v * SERIAL_BASE + d;
	}
	if (v >= SERIAL_INDEX_INVALID)
		return ERR_RANGE;
	*index = (uint32_t)v;
	return ERR_OK;
}

void serial_print(uint32_t index, char out[SERIAL_TEXT_SIZE])
{
	size_t n = index < SERIAL_SHORT_COUNT ? 5 : 7;

	if (index == SERIAL_INDEX_INVALID)
		n = 0;
	out[n] = '\0';
	while (n-- > 0) {
		out[n] = alphabet[index % SERIAL_BASE];
		index /= SERIAL_BASE;
	}
}

enum serial_range serial_range(uint32_t index)
{
	if (index == SERIAL_INDEX_INVALID)
		return SERIAL_RANGE_INVALID;
	if (index & 0x80000000u)
		return SERIAL_RANGE_VENDOR;
	if (index >= SERIAL_TESTING_FIRST && index <= SERIAL_TESTING_LAST)
		return SERIAL_RANGE_TESTING;
	return SERIAL_RANGE_ASSIGNED;
}

uint16_t serial_vendor(uint32_t index)
{
	if (serial_range(index) != SERIAL_RANGE_VENDOR)
		return 0;
	return (uint16_t)(index >> 15 & 0xFFFF);
}
