/*
 * Reading of test vectors: JSON files of the directory $VECTORS (default tests/vectors). A file or
 * key that is missing or malformed ends the program with a message: vectors are not optional.
 */
#ifndef SUPPORT_VECTORS_H
#define SUPPORT_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* The parsed file; json_decref it. name is "serial-index.json". */
json_t *vectors_load(const char *name);

/* Members of an object; the program ends if they are missing or of another type. */
json_t *vectors_array(const json_t *object, const char *key);
json_t *vectors_object(const json_t *object, const char *key);
const char *vectors_text(const json_t *object, const char *key);
int64_t vectors_int(const json_t *object, const char *key);
uint64_t vectors_uint(const json_t *object, const char *key); /* not negative */
bool vectors_bool(const json_t *object, const char *key);

/* Is the member there and not null? */
bool vectors_has(const json_t *object, const char *key);

/* Decodes hexadecimal digits; returns the number of bytes, at most cap. */
size_t vectors_unhex(const char *hex, void *out, size_t cap);
/* The same for a member; vectors_hex_exact wants n bytes, no more and no less. */
size_t vectors_hex(const json_t *object, const char *key, void *out, size_t cap);
void vectors_hex_exact(const json_t *object, const char *key, void *out, size_t n);

/* Prints "name: count cases"; ends the program if there was none. */
void vectors_ran(const char *name, size_t count);

/* The closing line of a vector program without Check, and its exit status. */
int vectors_end(size_t cases, int failures);

#endif
