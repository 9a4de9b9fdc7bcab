/* Hexadecimal: printed in lower case, read in either case. */
#ifndef ENR_HEX_H
#define ENR_HEX_H

#include "enr/bytes.h"

/* Writes 2 * n digits and a NUL to text, which has room for 2 * n + 1. */
static inline void hex_print(const void *bytes, size_t n, char *text)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = "0123456789abcdef"[p[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	text[2 * n] = '\0';
}

/* The value of a digit, or -1. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Exactly 2 * n digits become n bytes: ERR_SHORT, ERR_TRAILING or ERR_INVALID else. */
static inline ENR_MUST_CHECK enum err hex_parse(
	const char *text, size_t digits, void *bytes, size_t n)
{
	uint8_t *p = bytes;

	if (digits != 2 * n)
		return digits < 2 * n ? ERR_SHORT : ERR_TRAILING;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return ERR_INVALID;
		p[i] = (uint8_t)(hi << 4 | lo);
	}
	return ERR_OK;
}

#endif
