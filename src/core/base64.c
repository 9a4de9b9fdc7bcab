#include "enr/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 1 to 3 bytes become 2 to 4 characters. */
static size_t print_group(const uint8_t *in, size_t n, char *text)
{
	uint32_t v = (uint32_t)in[0] << 16;

	if (n > 1)
		v |= (uint32_t)in[1] << 8;
	if (n > 2)
		v |= in[2];
	for (size_t i = 0; i <= n; i++)
		text[i] = alphabet[v >> (18 - 6 * i) & 63];
	return n + 1;
}

enum err base64_print(struct span in, char *text, size_t cap)
{
	size_t len = 0;

	if (in.n > SIZE_MAX / 4 - 2 || cap < BASE64_CHARS(in.n) + 1)
		return ERR_FULL;
	for (size_t at = 0; at < in.n; at += 3)
		len += print_group(in.p + at, in.n - at < 3 ? in.n - at : 3, text + len);
	text[len] = '\0';
	return ERR_OK;
}

static int value_of(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* 2 to 4 characters become 1 to 3 bytes; bits that belong to no byte must be 0. */
static enum err parse_group(const char *text, size_t chars, uint8_t *out)
{
	uint32_t v = 0;
	uint8_t b[3];

	for (size_t i = 0; i < 4; i++) {
		int x = i < chars ? value_of(text[i]) : 0;

		if (x < 0)
			return ERR_INVALID;
		v = v << 6 | (uint32_t)x;
	}
	b[0] = (uint8_t)(v >> 16);
	b[1] = (uint8_t)(v >> 8);
	b[2] = (uint8_t)v;
	for (size_t i = chars - 1; i < 3; i++) {
		if (b[i] != 0)
			return ERR_INVALID;
	}
	memcpy(out, b, chars - 1);
	return ERR_OK;
}

enum err base64_parse(const char *text, size_t chars, uint8_t *out, size_t cap, size_t *len)
{
	size_t bytes = chars / 4 * 3 + (chars % 4 > 0 ? chars % 4 - 1 : 0);

	*len = 0;
	if (chars % 4 == 1)
		return ERR_INVALID;
	if (bytes > cap)
		return ERR_FULL;
	for (size_t at = 0; at < chars; at += 4) {
		enum err e =
			parse_group(text + at, chars - at < 4 ? chars - at : 4, out + at / 4 * 3);

		if (e != ERR_OK)
			return e;
	}
	*len = bytes;
	return ERR_OK;
}
