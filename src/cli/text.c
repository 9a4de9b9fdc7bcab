/* Cleans, measures and compares text. */
#include "cli/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define BROKEN 0xFFFFFFFFU

/* The next code point and its bytes; BROKEN (one byte) if it is not strict UTF-8. */
static uint32_t decode(const unsigned char *s, size_t *n)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	size_t more = s[0] < 0x80                   ? 0
		      : s[0] >= 0xC2 && s[0] < 0xE0 ? 1
		      : (s[0] & 0xF0) == 0xE0       ? 2
		      : s[0] >= 0xF0 && s[0] < 0xF5 ? 3
						    : 4;
	uint32_t v;

	*n = 1;
	if (more == 0)
		return s[0];
	if (more == 4)
		return BROKEN;
	v = s[0] & (0x3FU >> more);
	for (size_t i = 1; i <= more; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return BROKEN;
		v = v << 6 | (s[i] & 0x3FU);
	}
	if (v < least[more] || v > 0x10FFFF || (v >= 0xD800 && v < 0xE000))
		return BROKEN;
	*n = more + 1;
	return v;
}

static bool is_unsafe(uint32_t c)
{
	return c == BROKEN || c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x61C ||
	       (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
	       (c >= 0x2060 && c <= 0x2069) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
	       (c >= 0xE0000 && c <= 0xE007F);
}

char *text_clean(const char *text)
{
	const unsigned char *s = (const unsigned char *)(text ? text : "");
	char *out = malloc(strlen((const char *)s) + 1), *p = out;

	if (!out)
		return NULL;
	while (*s) {
		size_t n;

		if (is_unsafe(decode(s, &n))) {
			*p++ = '?';
		} else {
			memcpy(p, s, n);
			p += n;
		}
		s += n;
	}
	*p = '\0';
	return out;
}

void text_print(FILE *out, const char *text)
{
	char *clean = text_clean(text);

	(void)fputs(clean ? clean : "?", out);
	free(clean);
}

static size_t width_of(uint32_t c)
{
	int w = c < 0x300 ? 1 : wcwidth((wchar_t)c);

	return w < 0 ? 1 : (size_t)w;
}

size_t text_width(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t width = 0;

	while (*s) {
		size_t n;

		width += width_of(decode(s, &n));
		s += n;
	}
	return width;
}

size_t text_cut(const char *text, size_t width)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0, at = 0;

	while (s[at]) {
		size_t n, w = width_of(decode(s + at, &n));

		if (used + w > width)
			break;
		used += w;
		at += n;
	}
	return at;
}

#define WORD_MAX 31

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

bool text_is_one_of(const char *text, const char *const *words)
{
	for (; text && *words; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

unsigned text_distance(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strnlen(a, WORD_MAX), m = strnlen(b, WORD_MAX);

	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			d[i][j] = least(change, least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[n][m];
}
