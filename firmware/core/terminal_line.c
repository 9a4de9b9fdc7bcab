#include "terminal_line.h"

#include "crc32.h"
#include "enr/serial.h"
#include "node.h"

#define DECIMAL_MAX 10 /* digits of a u32 */

void line_begin(struct line *l)
{
	l->n = 0;
	l->is_full = false;
}

void line_char(struct line *l, char c)
{
	if (l->n == sizeof(l->b))
		l->is_full = true;
	else
		l->b[l->n++] = c;
}

void line_text(struct line *l, const char *text)
{
	while (*text != '\0')
		line_char(l, *text++);
}

void line_u(struct line *l, uint32_t v)
{
	char digits[DECIMAL_MAX];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	while (n > 0)
		line_char(l, digits[--n]);
}

void line_d(struct line *l, int32_t v)
{
	if (v < 0)
		line_char(l, '-');
	line_u(l, v < 0 ? 0u - (uint32_t)v : (uint32_t)v);
}

void line_name(struct line *l, const char *name)
{
	line_text(l, ",\"");
	line_text(l, name);
	line_text(l, "\":");
}

void line_field_u(struct line *l, const char *name, uint32_t v)
{
	line_name(l, name);
	line_u(l, v);
}

void line_field_d(struct line *l, const char *name, int32_t v)
{
	line_name(l, name);
	line_d(l, v);
}

void line_serial(struct line *l, uint32_t index)
{
	char text[SERIAL_TEXT_SIZE];

	serial_print(index, text);
	line_char(l, '"');
	line_text(l, text);
	line_char(l, '"');
}

void line_field_serial(struct line *l, const char *name, uint32_t index)
{
	line_name(l, name);
	line_serial(l, index);
}

void line_hex(struct line *l, uint8_t b)
{
	line_char(l, "0123456789ABCDEF"[b >> 4]);
	line_char(l, "0123456789ABCDEF"[b & 15]);
}

void line_open(struct line *l, uint16_t node_id, const char *type)
{
	line_begin(l);
	line_text(l, "{\"nodeId\":");
	line_u(l, node_id);
	line_text(l, ",\"type\":\"");
	line_text(l, type);
	line_char(l, '"');
}

void line_open_module(struct line *l, const char *type, uint16_t node_id, uint8_t module)
{
	line_begin(l);
	line_text(l, "{\"type\":\"");
	line_text(l, type);
	line_char(l, '"');
	line_field_u(l, "nodeId", node_id);
	line_field_u(l, "module", module);
}

void line_print(struct node *n, struct line *l)
{
	uint32_t crc;

	line_char(l, '}');
	if (n->terminal.checks_crc && !l->is_full) {
		crc = crc32_add(0, l->b, l->n);
		line_text(l, TERMINAL_CRC_MARK);
		line_u(l, crc);
	}
	if (!l->is_full)
		n->port->uart_line(n->port->ctx, l->b, l->n);
}
