/* base64url (RFC 4648 §5) without padding, read strictly: one text for one byte string. */
#ifndef ENR_BASE64_H
#define ENR_BASE64_H

#include "enr/bytes.h"

/* Characters for n bytes, without the NUL. */
#define BASE64_CHARS(n) (((n)*4 + 2) / 3)

/* Writes BASE64_CHARS(in.n) characters and a NUL; ERR_FULL if cap is smaller than that. */
ENR_MUST_CHECK enum err base64_print(struct span in, char *text, size_t cap);

/*
 * ERR_INVALID for any other character (padding, line ends), a length of 1 modulo 4 or set bits
 * after the last byte; ERR_FULL if out is too small.
 */
ENR_MUST_CHECK enum err base64_parse(
	const char *text, size_t chars, uint8_t *out, size_t cap, size_t *len);

#endif
