/*
 * The tests' orders to simulated nodes, one a line on standard input, and their answers, one line
 * each: "ok", "error …" or JSON. The common ones are here; a program adds rows of its own.
 */
#ifndef FAKEBLUEZ_ORDERS_H
#define FAKEBLUEZ_ORDERS_H

#include "fakebluez/bad_peer.h"
#include "fakebluez/drive.h"
#include "firmware/port/host/sim_node.h"

#define ORDER_WORDS_MAX 20
#define ORDER_LINE_BYTES 1024

/* One order while it is obeyed. */
struct order {
	void *app;
	struct drive *drive;
	int argc;
	char *argv[ORDER_WORDS_MAX];
	struct sim_node *node; /* of argv[1], if it is a serial that is there */
};

struct order_row {
	const char *word; /* NULL ends the table */
	void (*fn)(struct order *o);
};

struct orders {
	struct drive *drive;
	const struct order_row *rows;
	void *app;
	struct event *input;
	char line[ORDER_LINE_BYTES];
	size_t line_bytes;
};

/* Reads standard input from now on, if it is one that orders may come from. drive, rows and app are
 * borrowed. ERR_NOMEM. */
ENR_MUST_CHECK enum err orders_init(
	struct orders *os, struct drive *drive, const struct order_row *rows, void *app);
void orders_done(struct orders *os);

/* "ok", or "error why". */
void order_say(bool ok, const char *why);
/* Is the i-th word of the order this one? */
bool order_is(const struct order *o, int i, const char *word);
/* The node with this serial, or NULL. */
struct sim_node *order_node(const struct order *o, const char *serial);

/* The order "peer SERIAL FAULT" (bad_peer.h), and its answer. peers: NULL if nobody is there to
 * behave so. */
void order_bad_peer(const struct order *o, struct bad_peers *peers);

/* All nodes of a file (sim_node.h) into the air, each with its flash at state/SERIAL.flash (NULL:
 * in memory). Says what is wrong on standard error; 0 when all is well. */
int orders_load_nodes(struct air *air, const char *path, const char *state);

#endif
