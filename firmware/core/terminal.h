/*
 * The node's terminal (mesh-protocol §6): command lines in, JSON lines out. Lines become ordinary
 * messages from this node; what the messages mean is decided where they arrive, here too.
 * terminal.c takes lines, terminal_command.c reads commands, terminal_print.c writes lines.
 */
#ifndef FIRMWARE_CORE_TERMINAL_H
#define FIRMWARE_CORE_TERMINAL_H

#include "enr/meshmsg.h"
#include "firmware/port.h"

#define TERMINAL_LINE_MAX 300 /* characters of a command, its end not counted */
#define TERMINAL_ARGS_MAX 15
#define TERMINAL_CRC_MARK " CRC: " /* between a line and its checksum, §6.1 */

struct node;

/* The answer to every command line, §6.1. */
enum terminal_code {
	TERMINAL_OK = 0, /* accepted, sent; no more */
	TERMINAL_NOT_FOUND = 1,
	TERMINAL_WRONG_ARGUMENTS = 2,
	TERMINAL_TOO_MANY = 3,
	TERMINAL_TOO_FEW = 4,
	TERMINAL_CRC_INVALID = 6,
	TERMINAL_CRC_MISSING = 7,
	TERMINAL_INTERNAL_ERROR = 8
};

struct terminal {
	bool checks_crc; /* lines carry a checksum, in and out (§6.1) */
};

/* One command, cut at single spaces; text[i] ends with NUL. */
struct terminal_args {
	size_t count;
	const char *text[TERMINAL_ARGS_MAX];
};

/* One line as it was typed, without its CR. Longer than TERMINAL_LINE_MAX, or with a NUL inside:
 * wrong arguments. */
void terminal_on_line(struct node *n, const char *line, size_t bytes);

/* "action …": the commands of §6.2 and §6.3, terminal_command.c. */
enum terminal_code terminal_run_action(struct node *n, const struct terminal_args *args);

/* --- terminal_print.c ---------------------------------------------------------------------- */

void terminal_print_boot(struct node *n);
void terminal_print_plugged_in(struct node *n);
void terminal_print_corruption_check(struct node *n);
void terminal_print_code(struct node *n, enum terminal_code code, const struct terminal_args *args);
/* The line of a message that has come to this node, or that it says to itself; most have none. */
void terminal_print_message(struct node *n, const struct meshmsg *m);

#endif
