/* Bytes from a client: cut into messages however they arrive, decoded, their parameters too. What
 * is taken keeps Varlink's rules, and an answer to it is one whole message. */
#include "control/params.h"
#include "control/varlink.h"

#include "fuzz/fuzz.h"

static const struct param table[] = {
	{"count", PARAM_UINT, false, 1, 1000},
	{"name", PARAM_TEXT, false, 1, 64},
	{"key", PARAM_HEX, false, 16, 32},
	{"wait", PARAM_BOOL, false, 0, 0},
	{"serials", PARAM_LIST, false, 1, 11},
	{"password", PARAM_TEXT, false, 8, 8},
	{NULL, PARAM_BOOL, false, 0, 0},
};

static void check_answer(const json_t *parameters)
{
	struct varlink_buf b = {0};
	const char *message;
	size_t n;

	MUST(varlink_encode_reply(&b, parameters, false) == ERR_OK);
	if (varlink_buf_left(&b) <= VARLINK_MESSAGE_MAX) {
		json_t *back;

		MUST(varlink_buf_next(&b, &message, &n) == ERR_OK);
		MUST(n + 1 == varlink_buf_left(&b));
		back = json_loadb(message, n, 0, NULL);
		MUST(json_equal(json_object_get(back, "parameters"), parameters));
		json_decref(back);
	}
	varlink_buf_clear(&b);
}

static void take_call(const struct varlink_call *c)
{
	struct params p;

	MUST(c->method && json_is_object(c->parameters));
	MUST(!(c->more && c->oneway));
	if (params_decode(table, c->parameters, &p) == ERR_OK) {
		MUST(!p.v[0].given || (p.v[0].number >= 1 && p.v[0].number <= 1000));
		MUST(!p.v[1].given || params_text_is_printable(p.v[1].text));
		MUST(!p.v[2].given || (p.v[2].n >= 16 && p.v[2].n <= 32));
		MUST(!p.v[4].given || (p.v[4].n >= 1 && p.v[4].n <= 11));
	} else {
		MUST(p.reason[0] != '\0');
	}
	params_wipe(&p);
	check_answer(c->parameters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct varlink_buf b = {0};
	size_t step = size > 0 ? 1 + data[0] % 64 : 1;

	for (size_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		const char *message;

		MUST(varlink_buf_add(&b, data + at, n) == ERR_OK);
		while (varlink_buf_next(&b, &message, &n) == ERR_OK) {
			struct varlink_call c;

			if (varlink_decode(message, n, &c) == ERR_OK) {
				take_call(&c);
				varlink_call_clear(&c);
			}
			varlink_buf_consume(&b, n + 1);
		}
	}
	varlink_buf_clear(&b);
	return 0;
}
