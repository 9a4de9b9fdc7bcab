/* Tables of JSON objects for people: columns by description, widths by content. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum table_format {
	TABLE_TEXT,   /* strings, numbers, booleans as they are */
	TABLE_ID,     /* hex: its first 20 digits */
	TABLE_AT,     /* a moment: local time */
	TABLE_EXPIRY, /* a moment: how long until or since */
	TABLE_BOTH    /* a moment: local time and how long */
};

/* Columns end with a row whose key is NULL. */
struct table_column {
	const char *key; /* of the row's object; "a.b" looks into an object */
	const char *title;
	enum table_format format;
};

struct table_style {
	uint64_t now; /* unix seconds */
	size_t width; /* of the terminal; 0: do not cut lines */
};

/* As many rows as there are objects in the array; a column that is empty in all of them is left
 * out. What is missing or null is shown as "-". */
void table_print(FILE *out, const struct table_style *style, const struct table_column *columns,
	const json_t *rows);

/* One object, one line a field: "title  value". Empty fields are left out. */
void table_print_object(FILE *out, const struct table_style *style,
	const struct table_column *columns, const json_t *object);

/* The style for this output. */
struct table_style table_style_for(FILE *out);

#endif
