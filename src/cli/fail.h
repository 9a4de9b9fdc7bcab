/* What went wrong, in words on standard error and as an exit status of sysexits.h. */
#ifndef CLI_FAIL_H
#define CLI_FAIL_H

#include "cli/args.h"
#include "cli/client.h"

#define EXIT_JOB_FAILED 1

/* Prints "enrollctl: ..." and returns status. */
int fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The connection's own failures: no daemon, no answer. */
int fail_client(const struct args *a, enum err e);

/* An error reply; with --json the reply itself goes to standard error. */
int fail_reply(const struct args *a, const struct client_reply *r);

/* The same; the words begin with what it is about ("label 3: "). */
int fail_reply_about(const struct args *a, const struct client_reply *r, const char *about);

/* Is that full name the one of this error of ours? */
bool fail_is(const char *error, const char *name);

/* The exit status alone of an error's full name. */
int fail_status_of(const char *error);

/* One call: EX_OK and the reply, or a failure that has been told. End with client_reply_clear. */
int fail_or_call(const struct args *a, struct client *c, const char *method, json_t *parameters,
	struct client_reply *out);

#endif
