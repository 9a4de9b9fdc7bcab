/*
 * The command line, read by tables: which options a verb has, what each becomes in the method's
 * parameters. A secret on the command line is refused: every user of the machine could read it.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define ARGS_SOCKET "/run/enrolld/control.sock"
#define OPTS_MAX 20

/* OPT_LIST: an argument by its place that takes all words from there on, as an array of texts. */
enum opt_type { OPT_TEXT, OPT_UINT, OPT_DURATION, OPT_FLAG, OPT_SECRET, OPT_LIST };

/* Tables end with a row whose name is NULL. */
struct opt {
	const char *name;  /* "--lifetime"; without dashes: an argument by its place */
	const char *value; /* how the usage calls the value; NULL for flags */
	const char *key;   /* the method's parameter; NULL: the verb looks at it itself */
	enum opt_type type;
	bool required;
	const char *help;
};

struct args;
struct table_column;

struct verb {
	const char *noun; /* "bundle" */
	const char *verb; /* "issue"; NULL: the noun stands alone */
	const char *method;
	const char *reply_key; /* what of the reply is printed: an array or an object */
	const struct opt *opts;
	const struct table_column *columns;
	int (*run)(struct args *a); /* returns the exit status */
	const char *summary;
	const char *example; /* lines, each begins with "enrollctl" */
};

/* The table, ended by a row whose noun is NULL. */
extern const struct verb enrollctl_verbs[];

struct args {
	const struct verb *verb;
	const char *noun;            /* the first word, if there was one */
	const char *given[OPTS_MAX]; /* by row of verb->opts; flags: "" */
	json_t *parameters;          /* of the method; owned */
	char **command;              /* what follows "--", NULL-terminated; else NULL */
	const char *socket;
	bool json, help, version;
};

/* Reads argv. EX_OK, or EX_USAGE after having said what is wrong. End with args_clear. */
int args_parse(int argc, char **argv, struct args *out);
void args_clear(struct args *a);

/* What was given for a row of the verb's options; NULL if it was not. */
const char *args_get(const struct args *a, const char *name);
/* A local duration in seconds, or otherwise. Parsed and checked by args_parse. */
uint32_t args_duration(const struct args *a, const char *name, uint32_t otherwise);

/* Help: all verbs, a noun's verbs, or one verb, to stdout. */
void args_print_help(const struct args *a);

/* All verbs and options for shell completion, one "noun verb --option..." a line. */
void args_print_completion(void);

#endif
