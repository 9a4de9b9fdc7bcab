/* Parses the command line by the verbs' tables. */
#include "cli/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/fail.h"
#include "cli/text.h"
#include "cli/when.h"

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

static bool is_place(const struct opt *o)
{
	return o->name[0] != '-';
}

/* --- secrets ----------------------------------------------------------------------------- */

/* Does it hold 32 hex digits, with or without separators, or is it the text of a node's label? */
static bool looks_like_key(const char *text)
{
	unsigned digits = 0;

	if (strstr(text, "nk=") || strstr(text, "&k="))
		return true;
	for (const char *p = text; *p; p++) {
		if (strchr("0123456789abcdefABCDEF", *p))
			digits++;
		else if (*p != ':' && *p != '-' && *p != ' ')
			return false;
	}
	return digits == 32;
}

static int refuse_secret(const char *what)
{
	return fail(EX_USAGE,
		"%s: a key on the command line can be read by every user of this machine\n"
		"  put it in a file and use --qr-file FILE or --key-file FILE, or - for standard "
		"input",
		what);
}

/* --- values ------------------------------------------------------------------------------ */

static json_t *json_uint(const char *text)
{
	char *end;
	unsigned long long n;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 18)
		return NULL;
	n = strtoull(text, &end, 10);
	return *end == '\0' ? json_integer((json_int_t)n) : NULL;
}

static json_t *json_duration(const char *text)
{
	uint32_t seconds;

	return when_parse_duration(text, &seconds) == ERR_OK ? json_integer(seconds) : NULL;
}

/* The value as JSON; NULL when it is not one of the option's type. */
static json_t *value_of(const struct opt *o, const char *text)
{
	switch (o->type) {
	case OPT_TEXT:
	case OPT_LIST:
		return json_string(text);
	case OPT_UINT:
		return json_uint(text);
	case OPT_DURATION:
		return json_duration(text);
	case OPT_FLAG:
		return json_true();
	case OPT_SECRET:
		break;
	}
	return NULL;
}

static const char *type_hint(enum opt_type t)
{
	switch (t) {
	case OPT_UINT:
		return "a number";
	case OPT_DURATION:
		return "a duration such as 90s, 15m, 24h, 7d";
	case OPT_TEXT:
	case OPT_FLAG:
	case OPT_SECRET:
	case OPT_LIST:
		break;
	}
	return "valid text (UTF-8)";
}

/* Appends to the array of the parameter; steals v. */
static int append_value(struct args *a, const char *key, json_t *v)
{
	json_t *list = json_object_get(a->parameters, key);

	if (!list) {
		list = json_array();
		if (json_object_set_new(a->parameters, key, list) != 0) {
			json_decref(v);
			return fail(EX_OSERR, "out of memory");
		}
	}
	return json_array_append_new(list, v) == 0 ? EX_OK : fail(EX_OSERR, "out of memory");
}

static bool is_serial(const struct opt *o)
{
	return is_place(o) && o->key &&
	       (strcmp(o->key, "serial") == 0 || strcmp(o->key, "serials") == 0);
}

static int take_value(struct args *a, size_t i, const char *text)
{
	const struct opt *o = &a->verb->opts[i];
	json_t *v;

	if (o->type == OPT_SECRET)
		return refuse_secret(o->name);
	if (a->given[i] && o->type != OPT_LIST)
		return fail(EX_USAGE, "%s is given twice", o->name);
	if (is_serial(o) && looks_like_key(text))
		return refuse_secret(o->name);
	v = value_of(o, text);
	if (!v)
		return fail(EX_USAGE, "%s: not %s", o->name, type_hint(o->type));
	a->given[i] = text;
	if (o->type == OPT_LIST)
		return append_value(a, o->key, v);
	if (!o->key)
		json_decref(v);
	else if (json_object_set_new(a->parameters, o->key, v) != 0)
		return fail(EX_OSERR, "out of memory");
	return EX_OK;
}

/* --- words ------------------------------------------------------------------------------- */

struct reading {
	int argc, at;
	char **argv;
	unsigned places; /* filled so far */
};

/* The value of "--name=value" or the next word. */
static const char *option_value(struct reading *r, const char *word)
{
	const char *equals = strchr(word, '=');

	if (equals)
		return equals + 1;
	return r->at < r->argc ? r->argv[r->at++] : NULL;
}

static bool names(const char *word, const char *option)
{
	size_t n = strcspn(word, "=");

	return strlen(option) == n && strncmp(word, option, n) == 0;
}

/* EX_OK and true when it was one of the options that all verbs have. */
static int take_global(struct args *a, struct reading *r, const char *word, bool *taken)
{
	*taken = true;
	if (strcmp(word, "--json") == 0)
		a->json = true;
	else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		a->help = true;
	else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		a->version = true;
	else if (names(word, "--socket")) {
		a->socket = option_value(r, word);
		if (!a->socket || !*a->socket)
			return fail(EX_USAGE, "--socket needs a path");
	} else
		*taken = false;
	return EX_OK;
}

static int no_such_option(const struct args *a, const char *word)
{
	static const char *const globals[] = {"--json", "--socket", "--help", "--version"};
	const char *best = NULL;
	unsigned least = 4;

	for (size_t i = 0; i < sizeof(globals) / sizeof(*globals); i++) {
		unsigned d = text_distance(word, globals[i]);

		if (d < least) {
			least = d;
			best = globals[i];
		}
	}
	for (const struct opt *o = a->verb ? a->verb->opts : NULL; o && o->name; o++) {
		unsigned d = is_place(o) ? least : text_distance(word, o->name);

		if (d < least) {
			least = d;
			best = o->name;
		}
	}
	if (best)
		return fail(EX_USAGE, "no option %s; did you mean %s?", word, best);
	return fail(EX_USAGE, "no option %s; --help lists them", word);
}

static int take_option(struct args *a, struct reading *r, const char *word)
{
	bool taken;
	int status = take_global(a, r, word, &taken);

	if (status != EX_OK || taken)
		return status;
	for (size_t i = 0; a->verb && a->verb->opts && a->verb->opts[i].name; i++) {
		const struct opt *o = &a->verb->opts[i];
		const char *value = "";

		if (is_place(o) || !names(word, o->name))
			continue;
		if (o->type == OPT_FLAG && strchr(word, '='))
			return fail(EX_USAGE, "%s takes no value", o->name);
		if (o->type != OPT_FLAG && o->type != OPT_SECRET)
			value = option_value(r, word);
		if (!value)
			return fail(EX_USAGE, "%s needs a value: %s", o->name, o->value);
		return take_value(a, i, value);
	}
	return no_such_option(a, word);
}

static int take_place(struct args *a, struct reading *r, const char *word)
{
	unsigned place = 0;

	for (size_t i = 0; a->verb->opts && a->verb->opts[i].name; i++) {
		if (!is_place(&a->verb->opts[i]) || place++ != r->places)
			continue;
		r->places += a->verb->opts[i].type != OPT_LIST;
		return take_value(a, i, word);
	}
	if (looks_like_key(word))
		return refuse_secret("a key");
	return fail(EX_USAGE, "%s %s: too many arguments", a->verb->noun,
		a->verb->verb ? a->verb->verb : "");
}

/* --- verbs ------------------------------------------------------------------------------- */

static int no_such_verb(const char *noun, const char *verb)
{
	char said[64], row[64];
	const struct verb *best = NULL;
	unsigned least = 4;

	(void)snprintf(said, sizeof(said), "%.28s%s%.28s", noun, verb ? " " : "", verb ? verb : "");
	for (const struct verb *v = enrollctl_verbs; v->noun; v++) {
		unsigned d;

		(void)snprintf(row, sizeof(row), "%s%s%s", v->noun, v->verb ? " " : "",
			v->verb ? v->verb : "");
		d = text_distance(said, row);
		if (d < least) {
			least = d;
			best = v;
		}
	}
	if (best)
		return fail(EX_USAGE, "no command \"%s\"; did you mean \"%s%s%s\"?", said,
			best->noun, best->verb ? " " : "", best->verb ? best->verb : "");
	return fail(EX_USAGE, "no command \"%s\"; enrollctl --help lists them", said);
}

static bool is_noun(const char *word)
{
	for (const struct verb *v = enrollctl_verbs; v->noun; v++) {
		if (v->verb && strcmp(v->noun, word) == 0)
			return true;
	}
	return false;
}

static const struct verb *find_verb(const char *noun, const char *verb)
{
	for (const struct verb *v = enrollctl_verbs; v->noun; v++) {
		if (strcmp(v->noun, noun) == 0 &&
			(!v->verb || (verb && strcmp(v->verb, verb) == 0)))
			return v;
	}
	return NULL;
}

/* The first words that are no options name the verb. Global options may stand before it. */
static int take_verb(struct args *a, struct reading *r, const char **noun, const char *word)
{
	if (!*noun) {
		*noun = a->noun = word;
		a->verb = find_verb(word, NULL);
		if (a->verb || is_noun(word))
			return EX_OK;
		return no_such_verb(word,
			r->at < r->argc && !is_option(r->argv[r->at]) ? r->argv[r->at] : NULL);
	}
	a->verb = find_verb(*noun, word);
	return a->verb ? EX_OK : no_such_verb(*noun, word);
}

static int check_complete(const struct args *a)
{
	for (size_t i = 0; a->verb->opts && a->verb->opts[i].name; i++) {
		const struct opt *o = &a->verb->opts[i];

		if (o->required && !a->given[i])
			return fail(EX_USAGE, "%s %s needs %s: %s", a->verb->noun,
				a->verb->verb ? a->verb->verb : "", o->name, o->help);
	}
	return EX_OK;
}

static int read_words(struct args *a, struct reading *r, const char **noun)
{
	int status = EX_OK;

	while (r->at < r->argc && status == EX_OK) {
		const char *word = r->argv[r->at++];

		if (strcmp(word, "--") == 0) {
			a->command = r->argv + r->at;
			break;
		}
		if (is_option(word))
			status = take_option(a, r, word);
		else if (!a->verb)
			status = take_verb(a, r, noun, word);
		else
			status = take_place(a, r, word);
	}
	return status;
}

int args_parse(int argc, char **argv, struct args *out)
{
	struct reading r = {.argc = argc, .at = 1, .argv = argv};
	const char *noun = NULL;
	int status;

	memset(out, 0, sizeof(*out));
	out->socket = getenv("ENROLLD_SOCKET");
	if (!out->socket || !*out->socket)
		out->socket = ARGS_SOCKET;
	out->parameters = json_object();
	if (!out->parameters)
		return fail(EX_OSERR, "out of memory");
	status = read_words(out, &r, &noun);
	if (status != EX_OK || out->help || out->version)
		return status;
	if (!out->verb && noun)
		return fail(EX_USAGE, "%s what? enrollctl --help lists the commands", noun);
	if (!out->verb)
		return fail(EX_USAGE, "which command? enrollctl --help lists them");
	return check_complete(out);
}

void args_clear(struct args *a)
{
	json_decref(a->parameters);
	memset(a, 0, sizeof(*a));
}

const char *args_get(const struct args *a, const char *name)
{
	for (size_t i = 0; a->verb->opts && a->verb->opts[i].name; i++) {
		if (strcmp(a->verb->opts[i].name, name) == 0)
			return a->given[i];
	}
	return NULL;
}

uint32_t args_duration(const struct args *a, const char *name, uint32_t otherwise)
{
	const char *text = args_get(a, name);
	uint32_t seconds;

	if (!text || when_parse_duration(text, &seconds) != ERR_OK)
		return otherwise;
	return seconds;
}

/* --- help -------------------------------------------------------------------------------- */

static void print_usage(const struct verb *v)
{
	printf("enrollctl %s", v->noun);
	if (v->verb)
		printf(" %s", v->verb);
	for (const struct opt *o = v->opts; o && o->name; o++) {
		if (is_place(o) && strcmp(o->name, "COMMAND") != 0)
			printf(o->required ? " %s" : " [%s]", o->name);
	}
	for (const struct opt *o = v->opts; o && o->name; o++) {
		if (is_place(o) || o->type == OPT_SECRET)
			continue;
		printf(o->required ? " %s" : " [%s", o->name);
		if (o->value)
			printf(" %s", o->value);
		printf("%s", o->required ? "" : "]");
	}
	if (strcmp(v->noun, "enroll") == 0)
		printf(" -- COMMAND [ARGUMENT...]");
	printf("\n");
}

static void print_verb_help(const struct verb *v)
{
	printf("%s\n\nusage: ", v->summary);
	print_usage(v);
	printf("\n");
	for (const struct opt *o = v->opts; o && o->name; o++) {
		char left[40];

		if (o->type == OPT_SECRET)
			continue;
		(void)snprintf(left, sizeof(left), "%s%s%s", o->name,
			o->value && !is_place(o) ? " " : "",
			o->value && !is_place(o) ? o->value : "");
		printf("  %-24s %s\n", left, o->help);
	}
	printf("  %-24s %s\n", "--json", "the daemon's reply as JSON");
	printf("  %-24s %s\n", "--socket PATH", "default: $ENROLLD_SOCKET or " ARGS_SOCKET);
	printf("\nexample:\n%s", v->example);
}

/* noun: only its commands; NULL: all. */
static void print_all_help(const char *noun)
{
	printf("enrollctl - control the Enrollment Service and MeshGateway enrolld(8)\n\n"
	       "usage: enrollctl [--json] [--socket PATH] COMMAND [OPTION...]\n\ncommands:\n");
	for (const struct verb *v = enrollctl_verbs; v->noun; v++) {
		char name[32];

		if (noun && strcmp(noun, v->noun) != 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s%s%s", v->noun, v->verb ? " " : "",
			v->verb ? v->verb : "");
		printf("  %-18s %s\n", name, v->summary);
	}
	if (noun)
		return;
	printf("\nenrollctl COMMAND --help explains one, with an example. Exit status: 0 done, 1 "
	       "the "
	       "job failed,\n64 wrong usage, 65 wrong data, 66 no such object or file, 69 no "
	       "daemon, "
	       "73/74 storage,\n75 busy or out of time, 77 permission denied. See enrollctl(1).\n"
	       "\nexample:\n  enrollctl enroll --name kitchen -- ssh device enrollee "
	       "serve-stdio\n");
}

void args_print_help(const struct args *a)
{
	if (a->verb)
		print_verb_help(a->verb);
	else
		print_all_help(a->noun);
}

void args_print_completion(void)
{
	for (const struct verb *v = enrollctl_verbs; v->noun; v++) {
		printf("%s%s%s", v->noun, v->verb ? " " : "", v->verb ? v->verb : "");
		for (const struct opt *o = v->opts; o && o->name; o++) {
			if (!is_place(o) && o->type != OPT_SECRET)
				printf(" %s", o->name);
		}
		printf("\n");
	}
}
