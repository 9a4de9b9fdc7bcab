/* The command line of enrolld: says what is wrong with it, or calls daemon.h. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/conf.h"
#include "base/log.h"
#include "daemon/daemon.h"

#define DEFAULT_CONFIG "/etc/enrolld/enrolld.conf"

static const char help[] =
	"usage: enrolld [-c FILE]                       run\n"
	"       enrolld --init [--if-needed] [-c FILE]  make the key, the database and the "
	"identity\n"
	"       enrolld --check-config [-c FILE]        print the configuration with its defaults\n"
	"\n"
	"Brings devices into a network safely: Enrollment Service and MeshGateway, see "
	"enrolld(8).\n"
	"\n"
	"  -c, --config FILE  instead of " DEFAULT_CONFIG "\n"
	"      --help         this text\n"
	"      --version      the version\n"
	"\n"
	"First start (the unit runs --init by itself):\n"
	"  systemctl enable --now enrolld.socket enrolld.service && enrollctl status\n"
	"Without systemd, as the daemon's own user:\n"
	"  enrolld --init -c my.conf && enrolld -c my.conf\n";

enum verb { VERB_RUN, VERB_INIT, VERB_CHECK };

struct options {
	enum verb verb;
	bool if_needed;
	const char *config; /* NULL: the default file, which may be missing */
};

enum { OPT_INIT = 256, OPT_IF_NEEDED, OPT_CHECK, OPT_HELP, OPT_VERSION };

/* -1: go on; else exit with it. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{"config", required_argument, NULL, 'c'},
		{"init", no_argument, NULL, OPT_INIT},
		{"if-needed", no_argument, NULL, OPT_IF_NEEDED},
		{"check-config", no_argument, NULL, OPT_CHECK},
		{"help", no_argument, NULL, OPT_HELP},
		{"version", no_argument, NULL, OPT_VERSION},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		if (c == 'c')
			o->config = optarg;
		else if (c == OPT_INIT)
			o->verb = VERB_INIT;
		else if (c == OPT_IF_NEEDED)
			o->if_needed = true;
		else if (c == OPT_CHECK)
			o->verb = VERB_CHECK;
		else if (c == OPT_VERSION)
			return puts("enrolld " VERSION) < 0 ? EX_IOERR : EX_OK;
		else if (c == OPT_HELP || c == 'h')
			return fputs(help, stdout) < 0 ? EX_IOERR : EX_OK;
		else
			return fputs("enrolld --help shows what there is\n", stderr), EX_USAGE;
	}
	if (optind == argc)
		return -1;
	(void)fprintf(stderr,
		"enrolld: unexpected argument '%s'; enrolld --help shows what there is\n",
		argv[optind]);
	return EX_USAGE;
}

static int load_config(const struct options *o, struct conf *conf)
{
	const char *file = o->config ? o->config : DEFAULT_CONFIG;
	char error[CONF_ERROR_MAX];

	conf_defaults(conf);
	if (conf_load(conf, file, o->config != NULL, error) == ERR_OK)
		return EX_OK;
	(void)fprintf(stderr, "enrolld: %s\n", error);
	return EX_CONFIG;
}

int main(int argc, char **argv)
{
	struct options o = {.verb = VERB_RUN};
	struct conf conf;
	int status = parse_options(argc, argv, &o);

	if (status >= 0)
		return status;
	status = load_config(&o, &conf);
	if (status != EX_OK)
		return status;
	log_set_level((enum log_level)conf.log_level);
	switch (o.verb) {
	case VERB_CHECK:
		conf_print(&conf, stdout);
		return EX_OK;
	case VERB_INIT:
		return daemon_init(&conf, o.if_needed);
	case VERB_RUN:
		return daemon_run(&conf);
	}
	return EX_SOFTWARE;
}
