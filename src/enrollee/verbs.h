/* What the program can be told to do: each verb joins state, disk and network to one action. */
#ifndef ENROLLEE_VERBS_H
#define ENROLLEE_VERBS_H

#include <stdio.h>

#include "base/reason.h"
#include "enrollee/state.h"
#include "enrollee/statefile.h"

struct options {
	const char *state_dir;
	const char *bundle; /* file, "-" for standard input */
	const char *pin;
	uint64_t timeout_ms; /* 0: the verb's own */
	uint32_t count;
	bool force, replace, json;
};

struct run {
	const struct options *options;
	const struct crypto *crypto;
	struct statefile file;
	struct state state;
	struct reason why;
};

struct verb {
	const char *name;
	enum err (*fn)(struct run *r); /* prints its result; why is set on failure */
	const char *options;           /* letters of main's table that it takes */
	const char *help;
};

extern const struct verb verbs[];
extern const size_t verb_count;

#endif
