/* Text from outside, made safe for a terminal, and how wide it is there. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * A copy in which nothing can move the cursor, change colours or reverse the text: control
 * characters, marks of direction and broken UTF-8 become '?'. The caller frees it; NULL without
 * memory. text may be NULL: "".
 */
char *text_clean(const char *text);

/* The same, printed. */
void text_print(FILE *out, const char *text);

/* Columns on a terminal; text is clean. */
size_t text_width(const char *text);

/* Bytes of the longest beginning that is at most width columns wide. */
size_t text_cut(const char *text, size_t width);

/* Is text (may be NULL) one of the words, the last of which is followed by NULL? */
bool text_is_one_of(const char *text, const char *const *words);

/* How far apart two words are: inserted, deleted, changed and swapped neighbouring letters. Looks
 * at 31 letters. */
unsigned text_distance(const char *a, const char *b);

#endif
