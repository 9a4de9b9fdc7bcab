/* One line of the terminal that grows piece by piece (mesh-protocol §6.4); what does not fit makes
 * it unprintable, and no line is printed in part. */
#ifndef FIRMWARE_CORE_TERMINAL_LINE_H
#define FIRMWARE_CORE_TERMINAL_LINE_H

#include "firmware/port.h"

struct node;

struct line {
	char b[PORT_LINE_MAX_BYTES];
	size_t n;
	bool is_full;
};

void line_begin(struct line *l);
/* {"nodeId":N,"type":"T" */
void line_open(struct line *l, uint16_t node_id, const char *type);
/* {"type":"T","nodeId":N,"module":M: the NODE module's order, and some others' */
void line_open_module(struct line *l, const char *type, uint16_t node_id, uint8_t module);

void line_char(struct line *l, char c);
void line_text(struct line *l, const char *text);
void line_u(struct line *l, uint32_t v);
void line_d(struct line *l, int32_t v);
void line_hex(struct line *l, uint8_t b);
void line_serial(struct line *l, uint32_t index);
void line_name(struct line *l, const char *name); /* ,"name": */
void line_field_u(struct line *l, const char *name, uint32_t v);
void line_field_d(struct line *l, const char *name, int32_t v);
void line_field_serial(struct line *l, const char *name, uint32_t index);

/* Ends it with a brace, and with its checksum where the terminal wants one; shows it. */
void line_print(struct node *n, struct line *l);

#endif
