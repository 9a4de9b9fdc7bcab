/* Decodes the vendor's terminal lines. */
#include "core/termline.h"

#include "enr/base64.h"
#include "enr/hex.h"
#include "enr/serial.h"

#define KEY_BYTES 16
#define KEY_HEX_CHARS (3 * KEY_BYTES - 1)
#define KEY_BASE64_CHARS 24
#define KEY_BASE64_DIGITS 22 /* of them; the rest is padding */
#define TIMEOUT_S_DEFAULT 10
#define TIMEOUT_S_MAX 127
#define NETWORK_ID_MAX 65534

struct arg {
	const char *p;
	size_t n;
};

struct args {
	struct arg v[TERMLINE_ARGS_MAX];
	size_t count;
};

static enum err split(const char *text, size_t n, struct args *out)
{
	size_t start = 0;

	out->count = 0;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && ((unsigned char)text[i] < ' ' || text[i] == 0x7f))
			return ERR_INVALID;
		if (i < n && text[i] != ' ')
			continue;
		if (out->count == TERMLINE_ARGS_MAX)
			return ERR_FULL;
		out->v[out->count++] = (struct arg){text + start, i - start};
		start = i + 1;
	}
	return ERR_OK;
}

static bool is(const struct arg *a, const char *word)
{
	return a->n == strlen(word) && memcmp(a->p, word, a->n) == 0;
}

static enum err number(const struct arg *a, uint32_t min, uint32_t max, uint32_t *out)
{
	uint32_t x = 0;

	if (a->n == 0 || a->n > 5)
		return ERR_INVALID;
	for (size_t i = 0; i < a->n; i++) {
		if (a->p[i] < '0' || a->p[i] > '9')
			return ERR_INVALID;
		x = x * 10 + (uint32_t)(a->p[i] - '0');
	}
	*out = x;
	return x >= min && x <= max ? ERR_OK : ERR_INVALID;
}

static enum err number16(const struct arg *a, uint32_t min, uint32_t max, uint16_t *out)
{
	uint32_t x = 0;
	enum err e = number(a, min, max, &x);

	*out = (uint16_t)x;
	return e;
}

static enum err number8(const struct arg *a, uint32_t max, uint8_t *out)
{
	uint32_t x = 0;
	enum err e = number(a, 0, max, &x);

	*out = (uint8_t)x;
	return e;
}

/* --- keys (§5.3) --------------------------------------------------------------------------- */

static enum err hex_key(const char *text, struct secret16 *out)
{
	for (size_t i = 0; i < KEY_BYTES; i++) {
		if (hex_parse(text + 3 * i, 2, out->b + i, 1) != ERR_OK)
			return ERR_INVALID;
		if (i + 1 < KEY_BYTES && text[3 * i + 2] != ':')
			return ERR_INVALID;
	}
	return ERR_OK;
}

/* Ours is base64url without padding; theirs has + and / and the padding. */
static enum err base64_key(const char *text, struct secret16 *out)
{
	char digits[KEY_BASE64_DIGITS];
	size_t n = 0;
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof(digits); i++) {
		char c = text[i];

		if (c == '-' || c == '_')
			e = ERR_INVALID;
		digits[i] = c == '+' ? '-' : c == '/' ? '_' : c;
	}
	if (memcmp(text + KEY_BASE64_DIGITS, "==", 2) != 0)
		e = ERR_INVALID;
	if (e == ERR_OK)
		e = base64_parse(digits, sizeof(digits), out->b, KEY_BYTES, &n);
	bytes_wipe(digits, sizeof(digits));
	return e == ERR_OK && n == KEY_BYTES ? ERR_OK : ERR_INVALID;
}

static enum err read_key(const struct arg *a, struct secret16 *out)
{
	if (a->n == KEY_HEX_CHARS)
		return hex_key(a->p, out);
	return a->n == KEY_BASE64_CHARS ? base64_key(a->p, out) : ERR_INVALID;
}

static bool is_lower(char c)
{
	return (c >= 'a' && c <= 'z') || c == '_';
}

/* Of hexadecimal, of both kinds of Base64, and what stands between. */
static bool is_key_char(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
	       c == '/' || c == '=' || c == ':' || c == '-';
}

bool termline_may_be_key(const char *text, size_t n)
{
	bool is_word = true;

	for (size_t i = 0; i < n; i++) {
		if (!is_key_char(text[i]))
			return false;
		is_word = is_word && is_lower(text[i]);
	}
	return n > TERMLINE_ECHO_MAX && !is_word;
}

static enum err take_key(const struct arg *a, unsigned i, struct termline *out)
{
	const struct secret16 none = {{0}};
	enum err e = read_key(a, &out->key[i]);

	out->has_key[i] = e == ERR_OK && !bytes_equal_ct(out->key[i].b, none.b, KEY_BYTES);
	return e;
}

/* --- commands (§6.2): what follows the verb ------------------------------------------------- */

static enum err take_serial(const struct arg *a, struct termline *out)
{
	return serial_parse(a->p, a->n, &out->serial[out->serials++]) == ERR_OK ? ERR_OK
										: ERR_INVALID;
}

static enum err take_tail(const struct arg *v, size_t n, struct termline *out)
{
	uint8_t flag = 0;
	enum err e = ERR_OK;

	if (n > 0)
		e = number8(&v[0], TIMEOUT_S_MAX, &out->timeout_s);
	if (out->timeout_s == 0)
		out->timeout_s = TIMEOUT_S_DEFAULT;
	if (e == ERR_OK && n > 1) {
		e = number8(&v[1], 1, &flag);
		out->has_only_if_unenrolled = true;
		out->only_if_unenrolled = flag;
	}
	if (e == ERR_OK && n > 2)
		e = number8(&v[2], UINT8_MAX, &out->handle);
	return e;
}

static enum err basic(const struct arg *v, size_t n, struct termline *out)
{
	enum err e = take_serial(&v[0], out);

	if (e == ERR_OK)
		e = number16(&v[1], 1, UINT16_MAX, &out->node_id);
	if (e == ERR_OK)
		e = number16(&v[2], 2, NETWORK_ID_MAX, &out->network_id);
	for (unsigned i = 0; e == ERR_OK && i < TERMLINE_KEYS && 3 + i < n; i++)
		e = take_key(&v[3 + i], i, out);
	if (e != ERR_OK)
		return e;
	return take_tail(v + (n > 7 ? 7 : n), n > 7 ? n - 7 : 0, out);
}

static enum err remove_one(const struct arg *v, size_t n, struct termline *out)
{
	enum err e = take_serial(&v[0], out);

	return e == ERR_OK && n > 1 ? number8(&v[1], UINT8_MAX, &out->handle) : e;
}

static enum err set_network(const struct arg *v, size_t n, struct termline *out)
{
	enum err e = number16(&v[0], 1, NETWORK_ID_MAX, &out->network_id);

	return e == ERR_OK && n > 1 ? number8(&v[1], UINT8_MAX, &out->handle) : e;
}

static enum err proposals(const struct arg *v, size_t n, struct termline *out)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = take_serial(&v[i], out);
	return e;
}

static const struct command {
	const char *word;
	enum termline_verb verb;
	size_t min, max; /* arguments after the word */
	enum err (*take)(const struct arg *v, size_t n, struct termline *out);
} commands[] = {
	{"basic", TERMLINE_ENROLL, 3, 10, basic},
	{"remove", TERMLINE_REMOVE, 1, 2, remove_one},
	{"set_network", TERMLINE_SET_NETWORK, 1, 2, set_network},
	{"request_proposals", TERMLINE_REQUEST_PROPOSALS, 1, TERMLINE_SERIALS_MAX, proposals},
};

static enum err take_node(const struct arg *a, uint16_t *out)
{
	*out = is(a, "max_hops") ? TERMLINE_NODE_MAX_HOPS : 0;
	return *out || is(a, "this") ? ERR_OK : number16(a, 0, UINT16_MAX, out);
}

static enum err take_command(const struct args *a, struct termline *out)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		const struct command *c = &commands[i];
		size_t n = a->count - 4;

		if (!is(&a->v[3], c->word))
			continue;
		out->verb = c->verb;
		if (n < c->min || n > c->max)
			return n < c->min ? ERR_SHORT : ERR_FULL;
		return c->take(a->v + 4, n, out);
	}
	return ERR_UNKNOWN;
}

enum err termline_parse(const char *text, size_t n, struct termline *out)
{
	struct args a;
	enum err e = n > TERMLINE_BYTES_MAX ? ERR_FULL : split(text, n, &a);

	*out = (struct termline){.timeout_s = TIMEOUT_S_DEFAULT};
	if (e == ERR_OK && !is(&a.v[0], "action"))
		return ERR_UNKNOWN;
	if (e == ERR_OK && a.count < 4)
		return a.count == 3 && !is(&a.v[2], "enroll") ? ERR_UNKNOWN : ERR_SHORT;
	if (e == ERR_OK && !is(&a.v[2], "enroll"))
		return ERR_UNKNOWN;
	if (e == ERR_OK)
		e = take_node(&a.v[1], &out->node);
	if (e == ERR_OK)
		e = take_command(&a, out);
	if (e != ERR_OK)
		termline_clear(out);
	return e;
}

void termline_clear(struct termline *line)
{
	bytes_wipe(line, sizeof(*line));
}

/* --- answers (§6.1) ------------------------------------------------------------------------ */

enum termline_code termline_code_of(enum err e)
{
	if (e == ERR_OK)
		return TERMLINE_OK;
	if (e == ERR_UNKNOWN)
		return TERMLINE_NOT_FOUND;
	if (e == ERR_FULL)
		return TERMLINE_TOO_MANY;
	return e == ERR_SHORT ? TERMLINE_TOO_FEW : TERMLINE_WRONG;
}

const char *termline_code_text(enum termline_code code)
{
	switch (code) {
	case TERMLINE_OK:
		return "OK";
	case TERMLINE_NOT_FOUND:
		return "Command not found:";
	case TERMLINE_WRONG:
		return "Wrong Arguments";
	case TERMLINE_TOO_MANY:
		return "Too many arguments";
	case TERMLINE_TOO_FEW:
		return "Too few arguments";
	case TERMLINE_INTERNAL:
		break;
	}
	return "internal error";
}
