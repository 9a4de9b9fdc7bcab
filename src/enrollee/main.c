/* enrollee: the enrollee's side for Linux-class devices. Reads the arguments, runs one verb, turns
 * its result into an exit code. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/crypto_openssl.h"
#include "base/log.h"
#include "enrollee/verbs.h"

#define STATE_DIR "/var/lib/enrollee"
#define TIMEOUT_MAX_S 604800u
#define COUNT_MAX 1000000u
#define COMMON_OPTIONS "shVv"

static const struct option options_long[] = {
	{"state", required_argument, NULL, 's'},
	{"bundle", required_argument, NULL, 'b'},
	{"pin-service", required_argument, NULL, 'p'},
	{"timeout", required_argument, NULL, 't'},
	{"count", required_argument, NULL, 'c'},
	{"force", no_argument, NULL, 'f'},
	{"replace", no_argument, NULL, 'r'},
	{"json", no_argument, NULL, 'j'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static void help(FILE *out)
{
	(void)fprintf(out, "usage: enrollee [--state DIR] VERB [OPTION ...]\n\n");
	for (size_t i = 0; i < verb_count; i++)
		(void)fprintf(out, "  %-12s %s\n", verbs[i].name, verbs[i].help);
	(void)fprintf(out,
		"\noptions\n"
		"  --state DIR        where the keys are kept (or $ENROLLEE_STATE; else " STATE_DIR
		")\n"
		"  --bundle FILE      the bundle's line, - for standard input (enroll)\n"
		"  --pin-service HEX  believe only this service: its key (64 digits) or "
		"fingerprint "
		"(32)\n"
		"  --timeout SECONDS  give up after so long (enroll 120, ping and poll 10)\n"
		"  --count N          so many pings (1)\n"
		"  --replace          give up an attempt with another bundle (enroll)\n"
		"  --force            destroy an existing state (init)\n"
		"  --json             one object on one line (status)\n"
		"  --verbose, --help, --version\n"
		"\nexamples\n"
		"  enrollee init                            on the device, once\n"
		"  enrollee id                              show this to the enroller\n"
		"  enrollee enroll --bundle bundle.txt      with what the enroller gave you\n"
		"  enrollee ping --count 3\n"
		"  enrollctl enroll -- ssh device enrollee serve-stdio   all of it, from the "
		"enroller's side\n"
		"\nexit codes: 0 done; 64 usage; 65 bad bundle or state; 66 no state or file; 69 "
		"service not\nreachable; 70 internal; 73 not in this state; 74 disk; 75 no answer, "
		"try again; 77 permission\n");
}

static int usage(const char *what, const char *why)
{
	(void)fprintf(stderr, "enrollee: %s: %s\nTry \"enrollee --help\".\n", what, why);
	return EX_USAGE;
}

static int exit_code(enum err err)
{
	switch (err) {
	case ERR_OK:
		return EX_OK;
	case ERR_SHORT:
	case ERR_TRAILING:
	case ERR_INVALID:
	case ERR_RANGE:
	case ERR_UNKNOWN:
	case ERR_VERSION:
	case ERR_AUTH:
	case ERR_KEY:
	case ERR_EXPIRED:
		return EX_DATAERR;
	case ERR_NOT_FOUND:
		return EX_NOINPUT;
	case ERR_CONFLICT:
	case ERR_STATE:
		return EX_CANTCREAT;
	case ERR_QUOTA:
	case ERR_BUSY:
	case ERR_TIMEOUT:
		return EX_TEMPFAIL;
	case ERR_DENIED:
		return EX_NOPERM;
	case ERR_CLOSED:
		return EX_UNAVAILABLE;
	case ERR_FULL:
	case ERR_IO:
		return EX_IOERR;
	case ERR_CRYPTO:
	case ERR_NOMEM:
	case ERR_COUNT:
		break;
	}
	return EX_SOFTWARE;
}

/* 1 to max in plain digits. */
static bool number(const char *text, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || v > max)
			return false;
		v = v * 10 + (uint32_t)(*p - '0');
	}
	*out = v;
	return v >= 1 && v <= max;
}

/* What getopt_long found; -1: go on, else exit with that. used collects the letters. */
static int take_option(int c, struct options *o, char *used)
{
	uint32_t seconds;

	switch (c) {
	case 's':
		o->state_dir = optarg;
		break;
	case 'b':
		o->bundle = optarg;
		break;
	case 'p':
		o->pin = optarg;
		break;
	case 't':
		if (!number(optarg, TIMEOUT_MAX_S, &seconds))
			return usage(optarg, "not a number of seconds");
		o->timeout_ms = UINT64_C(1000) * seconds;
		break;
	case 'c':
		if (!number(optarg, COUNT_MAX, &o->count))
			return usage(optarg, "not a count from 1 on");
		break;
	case 'f':
		o->force = true;
		break;
	case 'r':
		o->replace = true;
		break;
	case 'j':
		o->json = true;
		break;
	case 'v':
		log_set_level(LOG_LEVEL_DEBUG);
		break;
	case 'h':
		help(stdout);
		return EX_OK;
	case 'V':
		(void)printf("enrollee %s\n", VERSION);
		return EX_OK;
	default:
		return usage("wrong option", "not known, or without its value");
	}
	if (!strchr(used, c))
		used[strlen(used)] = (char)c;
	return -1;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < verb_count; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int check_options(const struct verb *v, const char *used, const struct options *o)
{
	for (const char *u = used; *u; u++)
		if (!strchr(COMMON_OPTIONS, *u) && !strchr(v->options, *u))
			return usage(v->name, "does not take one of these options");
	if (strcmp(v->name, "enroll") == 0 && !o->bundle)
		return usage(v->name, "needs --bundle FILE (or - for standard input)");
	return -1;
}

static int run(const struct verb *v, const struct options *o)
{
	struct run r = {.options = o, .crypto = crypto_default(), .file = {.dir = -1}};
	enum err err;

	if (!r.crypto) {
		log_err("the crypto libraries do not work here");
		return EX_SOFTWARE;
	}
	err = v->fn(&r);
	state_wipe(&r.state);
	statefile_close(&r.file);
	if (fflush(stdout) != 0 && !err) {
		reason_set(&r.why, NULL, "standard output cannot be written");
		err = ERR_IO;
	}
	if (err)
		(void)fprintf(stderr, "enrollee: %s\n", r.why.text[0] ? r.why.text : err_text(err));
	return exit_code(err);
}

/* The keys stay out of core files and of other processes' reach. */
static void harden(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)umask(077);
}

int main(int argc, char **argv)
{
	const char *env = getenv("ENROLLEE_STATE");
	struct options o = {.state_dir = env && *env ? env : STATE_DIR, .count = 1};
	char used[sizeof(options_long) / sizeof(options_long[0]) + 1] = "";
	const struct verb *v;
	int c, code = -1;

	harden();
	while (code < 0 && (c = getopt_long(argc, argv, "s:vhV", options_long, NULL)) != -1)
		code = take_option(c, &o, used);
	if (code >= 0)
		return code;
	if (optind >= argc)
		return usage("no verb", "what shall be done?");
	v = find_verb(argv[optind]);
	if (!v)
		return usage(argv[optind], "no such verb");
	if (optind + 1 < argc)
		return usage(argv[optind + 1], "one word too many");
	code = check_options(v, used, &o);
	return code >= 0 ? code : run(v, &o);
}
