/*
 * A method's parameters, decoded by a table: name, type, limits. What is not in the table is
 * refused, and so is a value of the wrong type, size or alphabet; the caller learns which and why.
 */
#ifndef CONTROL_PARAMS_H
#define CONTROL_PARAMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "enr/bytes.h"

#define PARAMS_MAX 20 /* rows of one table */
#define PARAMS_REASON_MAX 64
#define PARAM_BYTES_MAX 32 /* of one PARAM_HEX */
#define PARAM_LIST_TEXT_MAX 64

enum param_type {
	PARAM_BOOL,
	PARAM_UINT, /* min..max is the value */
	PARAM_TEXT, /* min..max is the length in bytes; printable UTF-8 */
	PARAM_HEX,  /* min..max is the length in bytes, two digits each; either case */
	PARAM_LIST, /* min..max is the number of texts, each 1 to PARAM_LIST_TEXT_MAX bytes */
};

/* Tables end with a row whose name is NULL. */
struct param {
	const char *name;
	enum param_type type;
	bool required;
	uint64_t min, max;
};

struct param_value {
	bool given; /* null counts as not given */
	bool flag;
	uint64_t number;
	const char *text;   /* NUL-terminated, borrowed from the JSON */
	size_t n;           /* bytes of text or of b, texts of list */
	const json_t *list; /* an array of strings, borrowed from the JSON */
	uint8_t b[PARAM_BYTES_MAX];
};

/* v[i] belongs to row i of the table. */
struct params {
	struct param_value v[PARAMS_MAX];
	const char *field;              /* on error: which, borrowed from table or JSON */
	char reason[PARAMS_REASON_MAX]; /* on error: why, with the limit that was passed */
};

/* ERR_INVALID, ERR_RANGE or ERR_UNKNOWN, with field and reason set. End with params_wipe. */
ENR_MUST_CHECK enum err params_decode(
	const struct param *table, const json_t *object, struct params *out);
void params_wipe(struct params *p);

/* Is it UTF-8 that can be shown on a terminal as it is: no control characters (C0, DEL, C1, line
 * and paragraph separators, marks that reverse the direction)? text is NUL-terminated, valid
 * UTF-8. */
bool params_text_is_printable(const char *text);

#endif
