/* Decodes parameters by table; touches nothing else. */
#include "control/params.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

/* --- text -------------------------------------------------------------------------------- */

bool params_text_is_printable(const char *text)
{
	return utf8_is_printable(text, strlen(text));
}

/* --- one value --------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Says why not. For `return no(...)`. */
static __attribute__((format(printf, 2, 3))) bool no(char *reason, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(reason, PARAMS_REASON_MAX, format, ap);
	va_end(ap);
	return false;
}

static bool take_hex(const struct param *row, const char *text, struct param_value *v, char *reason)
{
	size_t digits = strlen(text);

	if (digits % 2 != 0)
		return no(reason, "an odd number of hex digits");
	v->n = digits / 2;
	if (v->n < row->min || v->n > row->max || v->n > sizeof(v->b))
		return row->min == row->max
			       ? no(reason, "not %" PRIu64 " hex digits", 2 * row->max)
			       : no(reason, "not %" PRIu64 " to %" PRIu64 " hex digits",
					 2 * row->min, 2 * row->max);
	for (size_t i = 0; i < v->n; i++) {
		int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return no(reason, "not hexadecimal");
		v->b[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static bool take_text(
	const struct param *row, const char *text, struct param_value *v, char *reason)
{
	v->text = text;
	v->n = strlen(text);
	if (v->n == 0 && row->min > 0)
		return no(reason, "empty");
	if (v->n < row->min)
		return no(reason, "too short: less than %" PRIu64 " bytes", row->min);
	if (v->n > row->max)
		return no(reason, "too long: more than %" PRIu64 " bytes", row->max);
	return params_text_is_printable(text) || no(reason, "contains control characters");
}

static bool take_uint(
	const struct param *row, const json_t *json, struct param_value *v, char *reason)
{
	json_int_t n = json_integer_value(json);

	if (!json_is_integer(json))
		return no(reason, "not an integer");
	if (n < 0 || (uint64_t)n < row->min)
		return no(reason, "too small: less than %" PRIu64, row->min);
	if ((uint64_t)n > row->max)
		return no(reason, "too large: more than %" PRIu64, row->max);
	v->number = (uint64_t)n;
	return true;
}

static bool take_list(
	const struct param *row, const json_t *json, struct param_value *v, char *reason)
{
	static const struct param each = {"", PARAM_TEXT, true, 1, PARAM_LIST_TEXT_MAX};
	struct param_value one;

	if (!json_is_array(json))
		return no(reason, "not an array");
	v->n = json_array_size(json);
	if (v->n < row->min || v->n > row->max)
		return no(reason, "not %" PRIu64 " to %" PRIu64 " of them", row->min, row->max);
	for (size_t i = 0; i < v->n; i++) {
		const char *text = json_string_value(json_array_get(json, i));

		if (!text)
			return no(reason, "not an array of strings");
		if (!take_text(&each, text, &one, reason))
			return false;
	}
	v->list = json;
	return true;
}

/* False: it is not one of this row's, and reason says why. */
static bool take_value(
	const struct param *row, const json_t *json, struct param_value *v, char *reason)
{
	switch (row->type) {
	case PARAM_BOOL:
		v->flag = json_is_true(json);
		return json_is_boolean(json) || no(reason, "not a boolean");
	case PARAM_UINT:
		return take_uint(row, json, v, reason);
	case PARAM_TEXT:
		return json_is_string(json) ? take_text(row, json_string_value(json), v, reason)
					    : no(reason, "not a string");
	case PARAM_HEX:
		return json_is_string(json) ? take_hex(row, json_string_value(json), v, reason)
					    : no(reason, "not a string");
	case PARAM_LIST:
		return take_list(row, json, v, reason);
	}
	return no(reason, "not a known type");
}

/* --- all values -------------------------------------------------------------------------- */

static enum err refuse(struct params *p, enum err e, const char *field, const char *reason)
{
	p->field = field;
	(void)no(p->reason, "%s", reason);
	return e;
}

static size_t find_row(const struct param *table, const char *name)
{
	size_t i = 0;

	while (table[i].name && strcmp(table[i].name, name) != 0)
		i++;
	return i;
}

static enum err refuse_missing(const struct param *table, struct params *out)
{
	for (size_t i = 0; table[i].name; i++) {
		if (table[i].required && !out->v[i].given)
			return refuse(out, ERR_INVALID, table[i].name, "missing");
	}
	return ERR_OK;
}

enum err params_decode(const struct param *table, const json_t *object, struct params *out)
{
	const char *key;
	json_t *json;

	memset(out, 0, sizeof(*out));
	json_object_foreach((json_t *)(uintptr_t)object, key, json)
	{
		size_t i = find_row(table, key);

		if (!table[i].name)
			return refuse(out, ERR_UNKNOWN, key, "not a parameter of this method");
		if (json_is_null(json))
			continue;
		out->field = table[i].name;
		if (!take_value(&table[i], json, &out->v[i], out->reason))
			return ERR_INVALID;
		out->v[i].given = true;
	}
	out->field = NULL;
	return refuse_missing(table, out);
}

void params_wipe(struct params *p)
{
	bytes_wipe(p, sizeof(*p));
}
