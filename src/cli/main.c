/* enrollctl: reads the command line, runs one verb. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "cli/args.h"
#include "cli/client.h"

int main(int argc, char **argv)
{
	struct args a;
	int status;

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)signal(SIGPIPE, SIG_IGN);
	tzset();
	client_init();
	if (argc == 2 && strcmp(argv[1], "--list-commands") == 0) {
		args_print_completion();
		return EX_OK;
	}
	status = args_parse(argc, argv, &a);
	if (status == EX_OK && a.version)
		(void)printf("enrollctl %s\n", VERSION);
	else if (status == EX_OK && a.help)
		args_print_help(&a);
	else if (status == EX_OK)
		status = a.verb->run(&a);
	args_clear(&a);
	return status;
}
