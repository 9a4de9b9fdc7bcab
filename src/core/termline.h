/*
 * A line of the vendor's terminal (mesh-protocol §6.1, §6.2), the enrollment commands only:
 *
 *	action <node> enroll basic <serial> <newNodeId> <newNetworkId> {networkKey} {userBaseKey}
 *		{orgKey} {nodeKey} {timeoutSec} {onlyIfUnenrolled} {requestHandle}
 *	action <node> enroll remove <serial> {requestHandle}
 *	action <node> enroll set_network <networkId> {requestHandle}
 *	action <node> enroll request_proposals <serial>…
 *
 * It may hold keys: whoever parses one wipes it with termline_clear.
 */
#ifndef CORE_TERMLINE_H
#define CORE_TERMLINE_H

#include "enr/keys.h"

#define TERMLINE_BYTES_MAX 300 /* of a line, without its end */
#define TERMLINE_ARGS_MAX 15
#define TERMLINE_SERIALS_MAX 11
#define TERMLINE_NODE_MAX_HOPS 30999 /* "max_hops" */
#define TERMLINE_ECHO_MAX 15         /* characters of what may look like a key */

enum termline_verb {
	TERMLINE_ENROLL,
	TERMLINE_REMOVE,
	TERMLINE_SET_NETWORK,
	TERMLINE_REQUEST_PROPOSALS
};

/* The vendor's error codes, as its JSON lines have them. */
enum termline_code {
	TERMLINE_OK = 0,
	TERMLINE_NOT_FOUND = 1,
	TERMLINE_WRONG = 2,
	TERMLINE_TOO_MANY = 3,
	TERMLINE_TOO_FEW = 4,
	TERMLINE_INTERNAL = 8
};

enum { TERMLINE_NETWORK_KEY, TERMLINE_USER_BASE_KEY, TERMLINE_ORGANIZATION_KEY, TERMLINE_NODE_KEY };
#define TERMLINE_KEYS 4

struct termline {
	enum termline_verb verb;
	uint16_t node; /* the one that is asked; 0: all, also "this" */
	uint32_t serial[TERMLINE_SERIALS_MAX];
	size_t serials;
	uint16_t node_id;
	uint16_t network_id;
	bool has_key[TERMLINE_KEYS]; /* given, and not 16×00, which stands for "none" */
	struct secret16 key[TERMLINE_KEYS];
	uint8_t timeout_s;           /* 10 if not given or 0 */
	bool has_only_if_unenrolled; /* given at all */
	bool only_if_unenrolled;
	uint8_t handle;
};

/*
 * Reads n bytes, without the line's end. Strict: single spaces, no control characters, decimal
 * numbers, words in lower case, keys as AA:BB:… or base64 with padding (§5.3). ERR_UNKNOWN: no
 * command of ours; ERR_FULL: too many arguments, or too long; ERR_SHORT: too few; ERR_INVALID: one
 * is wrong, also a node id of 0 and a network id of 0 or 1. On error out is wiped.
 */
ENR_MUST_CHECK enum err termline_parse(const char *text, size_t n, struct termline *out);
void termline_clear(struct termline *line);

/* What the vendor answers to a line that was refused so. */
enum termline_code termline_code_of(enum err e);
/* "OK", "Wrong Arguments"; TERMLINE_NOT_FOUND without the arguments that follow it. */
const char *termline_code_text(enum termline_code code);

/* May it be a key, or most of one, in whatever way it is written? Such an argument is never echoed.
 * Words in lower case, and all that is not longer than TERMLINE_ECHO_MAX, are none. */
bool termline_may_be_key(const char *text, size_t n);

#endif
