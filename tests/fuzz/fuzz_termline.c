/*
 * Terminal lines: what is taken keeps the limits of the vendor's terminal, what is refused has its
 * words, and whatever is taken for a key would never be echoed.
 */
#include "core/termline.h"

#include <string.h>

#include "enr/serial.h"
#include "fuzz/fuzz.h"

/* The words of a line that look like keys. */
static size_t count_keys(const char *text, size_t size)
{
	size_t keys = 0;

	for (size_t at = 0; at < size;) {
		const char *space = memchr(text + at, ' ', size - at);
		size_t n = space ? (size_t)(space - text) - at : size - at;

		keys += termline_may_be_key(text + at, n);
		at += n + 1;
	}
	return keys;
}

static size_t count_taken(const struct termline *line)
{
	size_t keys = 0;

	for (size_t i = 0; i < TERMLINE_KEYS; i++)
		keys += line->has_key[i];
	return keys;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct termline line;
	enum err e = termline_parse(text, size, &line);
	enum termline_code code = termline_code_of(e);
	size_t keys = count_keys(text, size);

	MUST(code <= TERMLINE_TOO_FEW);
	MUST(strcmp(termline_code_text(code), termline_code_text(TERMLINE_INTERNAL)) != 0);
	if (e != ERR_OK) {
		MUST(bytes_are_ct(line.key, sizeof(line.key), 0)); /* no half-read key stays */
		return 0;
	}
	MUST(count_taken(&line) <= keys);
	MUST(size <= TERMLINE_BYTES_MAX);
	MUST(line.serials <= TERMLINE_SERIALS_MAX);
	MUST(line.timeout_s > 0 && line.timeout_s <= 127);
	for (size_t i = 0; i < line.serials; i++)
		MUST(line.serial[i] != SERIAL_INDEX_INVALID);
	if (line.verb == TERMLINE_ENROLL)
		MUST(line.node_id > 0 && line.network_id > 1 && line.serials == 1);
	termline_clear(&line);
	return 0;
}
