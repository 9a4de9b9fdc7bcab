/* Why a request was refused, in words for the one who asked: filled where it is known, shown at the
 * edge. Never a secret. */
#ifndef BASE_REASON_H
#define BASE_REASON_H

#define REASON_TEXT_MAX 160

struct reason {
	const char *field; /* the argument at fault, static storage; NULL: none in particular */
	char text[REASON_TEXT_MAX]; /* one line, NUL-terminated, cut if too long; "" if unset */
};

/* why may be NULL: nobody wants to know. */
void reason_set(struct reason *why, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
