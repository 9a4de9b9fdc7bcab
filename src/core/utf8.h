/* Names that people read on terminals: valid UTF-8 (RFC 3629) without control characters. */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Are the n bytes valid UTF-8? *printable (may be NULL): and free of C0, C1, DEL, line and
 * paragraph separators, of the marks that change the writing direction and of the byte order mark.
 */
bool utf8_is_valid(const char *text, size_t n, bool *printable);

static inline bool utf8_is_printable(const char *text, size_t n)
{
	bool printable;

	return utf8_is_valid(text, n, &printable) && printable;
}

#endif
