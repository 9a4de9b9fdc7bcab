#include "terminal.h"

#include "crc32.h"
#include "node.h"

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static enum terminal_code run(struct node *n, const struct terminal_args *args)
{
	if (is(args->text[0], "action"))
		return terminal_run_action(n, args);
	if (is(args->text[0], "get_plugged_in")) {
		if (args->count > 1)
			return TERMINAL_TOO_MANY;
		terminal_print_plugged_in(n);
		return TERMINAL_OK;
	}
	if (is(args->text[0], "enable_corruption_check")) {
		if (args->count > 1)
			return TERMINAL_TOO_MANY;
		terminal_print_corruption_check(n);
		n->terminal.checks_crc = true;
		return TERMINAL_OK;
	}
	return TERMINAL_NOT_FOUND;
}

/* Cuts line, which ends with NUL, in place. */
static enum terminal_code cut(char *line, struct terminal_args *args)
{
	args->count = 0;
	for (char *p = line;;) {
		char *space = strchr(p, ' ');

		if (args->count == TERMINAL_ARGS_MAX)
			return TERMINAL_TOO_MANY;
		args->text[args->count++] = p;
		if (!space)
			return TERMINAL_OK;
		*space = '\0';
		p = space + 1;
	}
}

/* The last TERMINAL_CRC_MARK of a line, where its checksum begins; NULL: it has none. */
static char *find_crc(char *line, size_t bytes)
{
	const size_t mark = sizeof(TERMINAL_CRC_MARK) - 1;

	for (size_t at = bytes < mark ? 0 : bytes - mark + 1; at > 0; at--)
		if (memcmp(line + at - 1, TERMINAL_CRC_MARK, mark) == 0)
			return line + at - 1;
	return NULL;
}

/* Decimal digits of a u32 that are the number and nothing else. */
static bool is_number(const char *text, uint32_t number)
{
	uint64_t v = 0;

	if (*text == '\0')
		return false;
	for (; *text >= '0' && *text <= '9' && v <= UINT32_MAX; text++)
		v = v * 10 + (uint64_t)(*text - '0');
	return *text == '\0' && v == number;
}

/* §6.1: " CRC: N", of the text before it, or " CRC: skip"; taken off the line. */
static enum terminal_code check_crc(char *line, size_t bytes)
{
	char *at = find_crc(line, bytes);
	const char *said;

	if (!at)
		return TERMINAL_CRC_MISSING;
	*at = '\0';
	said = at + sizeof(TERMINAL_CRC_MARK) - 1;
	if (is(said, "skip") || is_number(said, crc32_add(0, line, (size_t)(at - line))))
		return TERMINAL_OK;
	return TERMINAL_CRC_INVALID;
}

void terminal_on_line(struct node *n, const char *line, size_t bytes)
{
	char copy[TERMINAL_LINE_MAX + 1];
	struct terminal_args args = {.count = 0};
	enum terminal_code code = TERMINAL_WRONG_ARGUMENTS;

	if (bytes <= TERMINAL_LINE_MAX && !memchr(line, '\0', bytes)) {
		memcpy(copy, line, bytes);
		copy[bytes] = '\0';
		code = n->terminal.checks_crc ? check_crc(copy, bytes) : TERMINAL_OK;
		if (code == TERMINAL_OK)
			code = cut(copy, &args);
		if (code == TERMINAL_OK)
			code = run(n, &args);
	}
	terminal_print_code(n, code, &args);
	bytes_wipe(copy, sizeof(copy)); /* there may be keys in it */
}
