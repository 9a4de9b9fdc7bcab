/*
 * Lines on a node's terminal, one a line of input; what begins with 0xFF is a message from the mesh
 * instead, 0xFE in it the byte that would end the line. Each line is answered by exactly one
 * "error" line at the end; every line that is shown is one JSON object without a control character,
 * of balanced quotes; and what goes into the mesh is a message that our own decoder takes.
 */
#include "fuzz/fuzz.h"
#include "support/fake_port.h"

/* The length of the JSON in it; what follows is its checksum, if the terminal adds one. What was
 * typed may look like one, too: the last counts. */
static size_t check_end(const struct fake_port *f, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = line; f->node.terminal.checks_crc && at; at++) {
		at = strstr(at, "}" TERMINAL_CRC_MARK);
		if (!at)
			break;
		n = (size_t)(at - line) + 1;
	}
	return n;
}

static void check_shown(const struct fake_port *f, const char *line)
{
	size_t n = check_end(f, line), quotes = 0;

	MUST(n >= 2 && line[0] == '{' && line[n - 1] == '}');
	for (size_t i = 0; i < n; i++) {
		MUST(line[i] >= ' ' && line[i] <= '~' && line[i] != '\\');
		quotes += line[i] == '"';
	}
	MUST(quotes % 2 == 0);
}

static bool is_error(const char *line)
{
	return strncmp(line, "{\"type\":\"error\",", 16) == 0;
}

static void type(struct fake_port *f, const uint8_t *line, size_t n)
{
	struct meshmsg m;
	size_t i, errors = 0;

	fake_clear(f);
	node_on_line(&f->node, f->now_ms, (const char *)line, n);
	for (i = 0; i < f->line_count; i++) {
		check_shown(f, f->line[i]);
		errors += is_error(f->line[i]);
	}
	MUST(errors == 1 && is_error(f->line[f->line_count - 1]));
	for (i = 0; i < f->sent_count; i++)
		MUST(meshmsg_decode(f->sent[i].b, f->sent[i].n, &m) == ERR_OK);
	fake_flash(f);
}

/* What others say: shown as JSON, or not at all. */
static void hear(struct fake_port *f, const uint8_t *said, size_t n)
{
	uint8_t message[MESHMSG_BYTES_MAX];

	if (n > sizeof(message))
		return;
	for (size_t i = 0; i < n; i++)
		message[i] = said[i] == 0xFE ? '\n' : said[i];
	fake_clear(f);
	node_on_mesh_message(&f->node, f->now_ms, 1, message, n);
	for (size_t i = 0; i < f->line_count; i++)
		check_shown(f, f->line[i]);
	fake_flash(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake_port f;

	fake_init(&f);
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;

		if (n > 0 && data[0] == 0xFF)
			hear(&f, data + 1, n - 1);
		else
			type(&f, data, n);
		data += n + (end ? 1 : 0);
		size -= n + (end ? 1 : 0);
	}
	return 0;
}
