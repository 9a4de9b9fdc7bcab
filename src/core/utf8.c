#include "core/utf8.h"

#include <stdint.h>

/* Is the character one that changes what a terminal shows around it? */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 ||
	       (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
	       c == 0x200F || c == 0x061C || c == 0xFEFF;
}

/* One UTF-8 character (RFC 3629); returns its length in bytes, or 0. */
static size_t read_utf8(const uint8_t *p, size_t n, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : 4;

	if (len > n || (len == 4 && p[0] >> 3 != 30))
		return 0;
	*c = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		*c = *c << 6 | (p[i] & 0x3F);
	}
	return *c < least[len] || *c > 0x10FFFF || (*c >= 0xD800 && *c < 0xE000) ? 0 : len;
}

bool utf8_is_valid(const char *text, size_t n, bool *printable)
{
	bool clean = true;
	uint32_t c = 0;
	size_t len;

	for (size_t i = 0; i < n; i += len) {
		len = read_utf8((const uint8_t *)text + i, n - i, &c);
		if (len == 0)
			return false;
		clean = clean && !is_control(c);
	}
	if (printable)
		*printable = clean;
	return true;
}
