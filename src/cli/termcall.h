/* The vendor's terminal against our methods: what a line asks for, what a reply or event means.
 * Pure but for memory. */
#ifndef CLI_TERMCALL_H
#define CLI_TERMCALL_H

#include <jansson.h>
#include <stdbool.h>

#include "core/termline.h"

struct args;

const char *termcall_method(enum termline_verb verb);

/* The method's parameters, not for SET_NETWORK; NULL without memory. Options of the command that
 * are looked at: --nearby, --network. */
json_t *termcall_parameters(const struct termline *line, const struct args *a);

/* The vendor's code for an error's full name. */
enum termline_code termcall_code_of(const char *error);

/* Has a node's job ended without an enrollment? */
bool termcall_is_over(const json_t *node);

struct termcall_verdict {
	bool answered; /* the node itself has answered, with this code */
	unsigned code;
	bool over; /* no answer will come any more */
};

/* What an event, or a node as NodeShow has it, means for a line that waits for its answer. Silence
 * is not answered: the vendor's nodes are silent, too. */
struct termcall_verdict termcall_judge(enum termline_verb verb, const json_t *event);

/* The serial number of the asset among nodes with that node id; 0: of the only asset. NULL if it is
 * not clear which. Borrowed. */
const char *termcall_find_asset(const json_t *nodes, uint16_t node_id);

#endif
