/* The verbs that are one call or a walk over pages, and what all verbs share. */
#include "cli/run.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli/fail.h"
#include "cli/qr.h"
#include "cli/table.h"
#include "cli/text.h"

int run_open(const struct args *a, struct client *c)
{
	enum err e = client_open(c, a->socket);

	return e == ERR_OK ? EX_OK : fail_client(a, e);
}

uint64_t run_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Not at once: one that is about to end may still let us in. */
enum err run_open_again(const struct args *a, struct client *c)
{
	uint64_t until_ms = run_now_ms() + 1000ull * RUN_AWAY_S;
	enum err e;

	do {
		run_progress(a, "enrolld is away, trying again ");
		(void)poll(NULL, 0, RUN_RETRY_MS);
		e = client_open(c, a->socket);
	} while (e != ERR_OK && e != ERR_DENIED && run_now_ms() < until_ms);
	run_progress(a, NULL);
	return e == ERR_OK || e == ERR_DENIED ? e : ERR_NOT_FOUND;
}

json_t *run_take_parameters(struct args *a)
{
	json_t *p = a->parameters;

	a->parameters = NULL;
	return p;
}

/* --- JSON -------------------------------------------------------------------------------- */

/* Bytes of a character at s that a terminal might obey, with its code point; 0: print as it is.
 * jansson has escaped all below 0x20 and made sure of UTF-8. */
static size_t unsafe_bytes(const unsigned char *s, unsigned *c)
{
	if (s[0] == 0x7F) {
		*c = 0x7F;
		return 1;
	}
	if (s[0] == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0) {
		*c = s[1];
		return 2;
	}
	*c = (s[0] & 0x0FU) << 12 | (s[1] & 0x3FU) << 6 | (s[1] ? s[2] & 0x3FU : 0);
	if (s[0] == 0xE2 && ((*c >= 0x200B && *c <= 0x200F) || (*c >= 0x2028 && *c <= 0x202E) ||
				    (*c >= 0x2060 && *c <= 0x2069)))
		return 3;
	return 0;
}

int run_print_json(const json_t *parameters)
{
	char *text = json_dumps(parameters, JSON_COMPACT);

	for (const unsigned char *s = (const unsigned char *)text; s && *s;) {
		unsigned c;
		size_t n = unsafe_bytes(s, &c);

		if (n > 0)
			(void)printf("\\u%04x", c);
		else
			(void)putchar(*s);
		s += n > 0 ? n : 1;
	}
	(void)putchar('\n');
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return text && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

/* --- for people -------------------------------------------------------------------------- */

void run_print_reply(const struct args *a, const json_t *parameters)
{
	struct table_style style = table_style_for(stdout);
	const json_t *part =
		a->verb->reply_key ? json_object_get(parameters, a->verb->reply_key) : parameters;

	if (json_is_array(part))
		table_print(stdout, &style, a->verb->columns, part);
	else if (a->verb->columns)
		table_print_object(stdout, &style, a->verb->columns, part);
}

void run_progress(const struct args *a, const char *format, ...)
{
	va_list ap;

	if (a->json || !isatty(STDERR_FILENO))
		return;
	(void)fputs("\r\033[K", stderr);
	if (format && *format) {
		va_start(ap, format);
		(void)vfprintf(stderr, format, ap);
		va_end(ap);
	}
	(void)fflush(stderr);
}

int run_draw(const struct args *a, const char *text)
{
	const char *png = args_get(a, "--png");
	FILE *out = a->json ? stderr : stdout;
	enum err e = ERR_OK;

	if (args_get(a, "--qr"))
		e = qr_print(out, text, isatty(fileno(out)));
	if (e == ERR_OK && png)
		e = qr_write_png(png, text);
	if (e == ERR_OK)
		return EX_OK;
	if (e == ERR_CONFLICT)
		return fail(EX_CANTCREAT, "%s: is there already", png);
	return fail(e == ERR_IO ? EX_CANTCREAT : EX_SOFTWARE, "cannot draw the QR code%s%s",
		png ? " to " : "", png ? png : "");
}

static int print_reply(const struct args *a, const json_t *parameters)
{
	if (a->json)
		return run_print_json(parameters);
	run_print_reply(a, parameters);
	return fflush(stdout) == 0 ? EX_OK : fail(EX_IOERR, "standard output: cannot write");
}

/* --- one call ---------------------------------------------------------------------------- */

int run_call(struct args *a, struct client_reply *r)
{
	struct client c;
	int status = run_open(a, &c);

	if (status != EX_OK)
		return status;
	status = fail_or_call(a, &c, a->verb->method, run_take_parameters(a), r);
	client_close(&c);
	return status;
}

int run_show(struct args *a)
{
	struct client_reply r;
	int status = run_call(a, &r);

	if (status != EX_OK)
		return status;
	status = print_reply(a, r.parameters);
	client_reply_clear(&r);
	return status;
}

static const char *past_of(const char *verb)
{
	static const char *const words[][2] = {{"revoke", "revoked"}, {"cancel", "cancelled"},
		{"remove", "removed"}, {"set-network", "asked"}, {"ping", "ping is waiting for"},
		{"add", "added"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i][0], verb) == 0)
			return words[i][1];
	}
	return "done:";
}

int run_done(struct args *a)
{
	struct client_reply r;
	const char *what = a->given[0];
	int status = run_call(a, &r);

	if (status != EX_OK)
		return status;
	if (a->json) {
		status = run_print_json(r.parameters);
	} else {
		(void)printf("%s %s ", past_of(a->verb->verb), a->verb->noun);
		text_print(stdout, what);
		(void)putchar('\n');
	}
	client_reply_clear(&r);
	return status;
}

/* --- pages ------------------------------------------------------------------------------- */

/* Appends the page's rows to all; takes over its other fields. */
static int add_page(const struct args *a, json_t *all, json_t *page)
{
	json_t *rows = json_object_get(all, a->verb->reply_key);
	json_t *more = json_object_get(page, a->verb->reply_key);
	json_t *next = json_object_get(page, "next");

	if (!json_is_array(more))
		return fail(EX_PROTOCOL, "enrolld's reply has no %s", a->verb->reply_key);
	if (!rows)
		return json_object_update(all, page) == 0 ? EX_OK : fail(EX_OSERR, "out of memory");
	if (json_array_extend(rows, more) != 0 || (next && json_object_set(all, "next", next) != 0))
		return fail(EX_OSERR, "out of memory");
	return EX_OK;
}

/* The parameters of the next page's call; NULL when this was the last. */
static json_t *next_page(const struct args *a, const json_t *page)
{
	json_t *next = json_object_get(page, "next"), *p;

	if (!json_is_string(next) || json_object_get(a->parameters, "limit"))
		return NULL;
	p = json_copy(a->parameters);
	if (p && json_object_set(p, "after", next) != 0) {
		json_decref(p);
		return NULL;
	}
	return p;
}

static int read_pages(const struct args *a, struct client *c, json_t *all)
{
	json_t *p = json_copy(a->parameters);
	int status = EX_OK;

	while (p && status == EX_OK) {
		struct client_reply r;

		status = fail_or_call(a, c, a->verb->method, p, &r);
		p = NULL;
		if (status != EX_OK)
			break;
		status = add_page(a, all, r.parameters);
		p = next_page(a, r.parameters);
		client_reply_clear(&r);
		run_progress(
			a, "%zu ...", json_array_size(json_object_get(all, a->verb->reply_key)));
	}
	run_progress(a, NULL);
	json_decref(p);
	return status;
}

int run_list(struct args *a)
{
	struct client c;
	json_t *all = json_object();
	int status = run_open(a, &c);

	if (status != EX_OK) {
		json_decref(all);
		return status;
	}
	status = read_pages(a, &c, all);
	client_close(&c);
	if (status == EX_OK)
		status = print_reply(a, all);
	if (status == EX_OK && !a->json && isatty(STDOUT_FILENO) &&
		json_array_size(json_object_get(all, a->verb->reply_key)) == 0)
		(void)printf("none\n");
	json_decref(all);
	return status;
}
