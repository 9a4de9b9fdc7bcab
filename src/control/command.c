/* JSON out, parameters in: the words that all handlers use. */
#include "control/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enr/hex.h"

#define HEX_MAX 64 /* bytes */

const struct param params_none[] = {PARAM_ROW_END};

void put_json(struct command_call *c, json_t *o, const char *key, json_t *value)
{
	if (json_object_set_new(o, key, value) != 0)
		c->no_memory = true;
}

void put_text(struct command_call *c, json_t *o, const char *key, const char *text)
{
	put_json(c, o, key, text ? json_string(text) : json_null());
}

void put_hex(struct command_call *c, json_t *o, const char *key, const void *p, size_t n)
{
	char text[2 * HEX_MAX + 1];

	if (n > HEX_MAX) {
		c->no_memory = true;
		return;
	}
	hex_print(p, n, text);
	put_text(c, o, key, text);
	bytes_wipe(text, sizeof(text));
}

void put_uint(struct command_call *c, json_t *o, const char *key, uint64_t v)
{
	put_json(c, o, key, json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

void put_at(struct command_call *c, json_t *o, const char *key, uint64_t at)
{
	if (at > 0)
		put_uint(c, o, key, at);
	else
		put_json(c, o, key, json_null());
}

void put_bool(struct command_call *c, json_t *o, const char *key, bool v)
{
	put_json(c, o, key, json_boolean(v));
}

json_t *put_object(struct command_call *c, json_t *o, const char *key)
{
	json_t *made = json_object();

	put_json(c, o, key, made);
	return made;
}

json_t *put_array(struct command_call *c, json_t *o, const char *key)
{
	json_t *made = json_array();

	put_json(c, o, key, made);
	return made;
}

json_t *add_object(struct command_call *c, json_t *array)
{
	json_t *made = json_object();

	if (json_array_append_new(array, made) != 0) {
		c->no_memory = true;
		return NULL;
	}
	return made;
}

uint64_t param_uint(const struct command_call *c, unsigned i, uint64_t otherwise)
{
	return c->params.v[i].given ? c->params.v[i].number : otherwise;
}

const char *param_text(const struct command_call *c, unsigned i)
{
	return c->params.v[i].given ? c->params.v[i].text : NULL;
}

enum err refuse(struct command_call *c, const char *field, const char *reason)
{
	reason_set(&c->why, field, "%s", reason);
	return ERR_INVALID;
}

enum err cursor_read(
	struct command_call *c, unsigned i, const char *tables, char *table, int64_t *row)
{
	const char *text = param_text(c, i);
	char *end;

	*table = tables[0];
	*row = 0;
	if (!text)
		return ERR_OK;
	if (!strchr(tables, text[0]) || text[1] < '0' || text[1] > '9' || strlen(text) > 19)
		return refuse(c, "after", "not what a former reply's next was");
	*table = text[0];
	*row = strtoll(text + 1, &end, 10);
	return *end == '\0' ? ERR_OK : refuse(c, "after", "not what a former reply's next was");
}

void cursor_put(struct command_call *c, char table, int64_t row)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%c%" PRId64, table, row);
	put_text(c, c->out, "next", text);
}
