/* Words and exit statuses for failures. */
#include "cli/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/text.h"

#define INTERFACE "org.enrolld.control."

int fail(int status, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)fputs("enrollctl: ", stderr);
	for (char *line = text; line;) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		text_print(stderr, line);
		(void)fputc('\n', stderr);
		line = end ? end + 1 : NULL;
	}
	return status;
}

static int no_daemon(const struct args *a)
{
	return fail(EX_UNAVAILABLE,
		"enrolld does not answer at %s\n"
		"  is it running?   systemctl status enrolld\n"
		"  start it:        systemctl start enrolld\n"
		"  another socket:  --socket PATH or $ENROLLD_SOCKET",
		a->socket);
}

int fail_client(const struct args *a, enum err e)
{
	switch (e) {
	case ERR_NOT_FOUND:
	case ERR_IO:
		return no_daemon(a);
	case ERR_CLOSED:
		return fail(EX_UNAVAILABLE,
			"enrolld closed the connection, or nobody listens at %s\n"
			"  is it running?   systemctl status enrolld",
			a->socket);
	case ERR_DENIED:
		return fail(EX_NOPERM, "permission denied: %s", a->socket);
	case ERR_TIMEOUT:
	case ERR_BUSY:
		return fail(EX_TEMPFAIL, "enrolld did not answer in time");
	case ERR_NOMEM:
		return fail(EX_OSERR, "out of memory");
	case ERR_OK:
	case ERR_SHORT:
	case ERR_TRAILING:
	case ERR_INVALID:
	case ERR_RANGE:
	case ERR_UNKNOWN:
	case ERR_VERSION:
	case ERR_AUTH:
	case ERR_KEY:
	case ERR_CRYPTO:
	case ERR_CONFLICT:
	case ERR_EXPIRED:
	case ERR_QUOTA:
	case ERR_STATE:
	case ERR_FULL:
	case ERR_COUNT:
		break;
	}
	return fail(EX_PROTOCOL, "what answers at %s does not speak Varlink", a->socket);
}

static const struct {
	const char *error;
	int status;
	const char *text;
} rows[] = {
	{"PermissionDenied", EX_NOPERM, "permission denied"},
	{"NotFound", EX_NOINPUT, "not found"},
	{"Conflict", EX_DATAERR, "not possible"},
	{"InvalidArgument", EX_DATAERR, "refused"},
	{"QuotaExceeded", EX_TEMPFAIL, "your quota is used up"},
	{"Expired", EX_DATAERR, "expired"},
	{"Busy", EX_TEMPFAIL, "enrolld is busy, try again"},
	{"StorageFull", EX_IOERR, "enrolld cannot store it: its disk is full or failing"},
};

#define ROWS (sizeof(rows) / sizeof(*rows))

static size_t find(const char *error)
{
	size_t i = 0;

	if (strncmp(error, INTERFACE, strlen(INTERFACE)) == 0)
		error += strlen(INTERFACE);
	while (i < ROWS && strcmp(rows[i].error, error) != 0)
		i++;
	return i;
}

bool fail_is(const char *error, const char *name)
{
	size_t n = strlen(INTERFACE);

	return strncmp(error, INTERFACE, n) == 0 && strcmp(error + n, name) == 0;
}

int fail_status_of(const char *error)
{
	size_t i = find(error);

	return i < ROWS ? rows[i].status : EX_PROTOCOL;
}

static void print_json(const struct client_reply *r)
{
	(void)json_dumpf(r->root, stderr, JSON_COMPACT | JSON_ENSURE_ASCII);
	(void)fputc('\n', stderr);
}

static const char *text_of(const struct client_reply *r, const char *key)
{
	const char *text = json_string_value(json_object_get(r->parameters, key));

	return text && *text ? text : NULL;
}

int fail_reply_about(const struct args *a, const struct client_reply *r, const char *about)
{
	size_t i = find(r->error);
	const char *field = text_of(r, "field"), *reason = text_of(r, "reason");

	if (a->json) {
		print_json(r);
		return fail_status_of(r->error);
	}
	if (i == ROWS)
		return fail(EX_PROTOCOL, "%senrolld answers %s: another version?", about, r->error);
	if (rows[i].status == EX_NOPERM && !reason)
		return fail(EX_NOPERM,
			"%spermission denied: your groups do not allow this\n"
			"  enrolld-observer may look, enrolld-enroller enroll, enrolld-admin all\n"
			"  an administrator can add you:  usermod -aG enrolld-enroller USER\n"
			"  then log in again, or run:     newgrp enrolld-enroller",
			about);
	if (strcmp(rows[i].error, "Busy") == 0 && reason)
		return fail(EX_TEMPFAIL, "%s%s", about, reason); /* it says what to do */
	return fail(rows[i].status, "%s%s%s%s%s%s", about, rows[i].text, field ? ": " : "",
		field ? field : "", reason ? ": " : "", reason ? reason : "");
}

int fail_reply(const struct args *a, const struct client_reply *r)
{
	return fail_reply_about(a, r, "");
}

int fail_or_call(const struct args *a, struct client *c, const char *method, json_t *parameters,
	struct client_reply *out)
{
	enum err e = client_call(c, method, parameters, out);
	int status;

	if (e != ERR_OK)
		return fail_client(a, e);
	if (!out->error)
		return EX_OK;
	status = fail_reply(a, out);
	client_reply_clear(out);
	return status;
}
