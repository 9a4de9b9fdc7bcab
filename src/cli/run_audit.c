/* audit list, audit verify, watch. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "cli/fail.h"
#include "cli/run.h"
#include "cli/text.h"
#include "cli/when.h"

/* --- audit list -------------------------------------------------------------------------- */

static void print_rows(const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach((json_t *)(uintptr_t)rows, i, row)
	{
		char when[WHEN_TEXT_SIZE];

		when_print_local((uint64_t)json_integer_value(json_object_get(row, "at")), when);
		(void)printf("%6" JSON_INTEGER_FORMAT "  %s  ",
			json_integer_value(json_object_get(row, "seq")), when);
		text_print(stdout, json_string_value(json_object_get(row, "json")));
		(void)putchar('\n');
	}
}

/* Goes on from the row after the last until there are no more. */
static int list_pages(struct args *a, struct client *c, json_t *all)
{
	json_t *p = run_take_parameters(a);
	bool one_page = json_object_get(p, "limit") != NULL;
	int status = EX_OK;

	while (p && status == EX_OK) {
		struct client_reply r;
		json_t *next, *rows;

		status = fail_or_call(a, c, a->verb->method, p, &r);
		p = NULL;
		if (status != EX_OK)
			return status;
		rows = json_object_get(r.parameters, "rows");
		next = json_object_get(r.parameters, "next_seq");
		if (!json_object_get(all, "rows"))
			(void)json_object_update(all, r.parameters);
		else if (json_array_extend(json_object_get(all, "rows"), rows) != 0 ||
			 json_object_set(all, "next_seq", next) != 0)
			status = fail(EX_OSERR, "out of memory");
		if (json_is_integer(next) && !one_page)
			p = json_pack("{s:O}", "from_seq", next);
		client_reply_clear(&r);
	}
	json_decref(p);
	return status;
}

int run_audit_list(struct args *a)
{
	struct client c;
	json_t *all;
	int status = run_open(a, &c);

	if (status != EX_OK)
		return status;
	all = json_object();
	status = list_pages(a, &c, all);
	client_close(&c);
	if (status == EX_OK && a->json)
		status = run_print_json(all);
	else if (status == EX_OK)
		print_rows(json_object_get(all, "rows"));
	json_decref(all);
	return status;
}

/* --- audit verify ------------------------------------------------------------------------ */

static json_t *from_here(const json_t *reply)
{
	char text[128];
	const char *hash = json_string_value(json_object_get(reply, "hash"));

	(void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT ":%.64s",
		json_integer_value(json_object_get(reply, "seq")), hash ? hash : "");
	return json_pack("{s:s}", "from", text);
}

static int tell_verdict(const struct args *a, const json_t *reply)
{
	const char *hash = json_string_value(json_object_get(reply, "hash"));
	const char *reason = json_string_value(json_object_get(reply, "reason"));
	bool intact = json_is_true(json_object_get(reply, "intact"));
	json_int_t seq = json_integer_value(json_object_get(reply, "seq"));

	if (a->json) {
		int status = run_print_json(reply);

		return status == EX_OK && !intact ? EX_DATAERR : status;
	}
	if (!intact)
		return fail(EX_DATAERR, "the audit log is not intact after row %lld: %s",
			(long long)seq, reason ? reason : "");
	(void)printf("intact up to row %lld; note this place to verify from it later:\n",
		(long long)seq);
	(void)printf("%lld:", (long long)seq);
	text_print(stdout, hash);
	(void)putchar('\n');
	return EX_OK;
}

int run_audit_verify(struct args *a)
{
	struct client c;
	struct client_reply r;
	json_t *p = run_take_parameters(a);
	int status = run_open(a, &c);
	bool done = false;

	if (status != EX_OK) {
		json_decref(p);
		return status;
	}
	while (!done && status == EX_OK) {
		status = fail_or_call(a, &c, a->verb->method, p, &r);
		if (status != EX_OK)
			break;
		done = json_is_true(json_object_get(r.parameters, "done"));
		run_progress(a, "%lld rows ... ",
			(long long)json_integer_value(json_object_get(r.parameters, "seq")));
		p = done ? NULL : from_here(r.parameters);
		if (done) {
			run_progress(a, NULL);
			status = tell_verdict(a, r.parameters);
		}
		client_reply_clear(&r);
	}
	client_close(&c);
	return status;
}

/* --- watch ------------------------------------------------------------------------------- */

static void print_word(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	if (!text || !*text)
		return;
	(void)putchar(' ');
	text_print(stdout, text);
}

static void print_event(const json_t *event)
{
	char when[WHEN_TEXT_SIZE];
	const char *reason = json_string_value(json_object_get(event, "reason"));

	when_print_local((uint64_t)json_integer_value(json_object_get(event, "at")), when);
	(void)fputs(when, stdout);
	print_word(event, "event");
	print_word(event, "id");
	print_word(event, "state");
	print_word(event, "name");
	if (reason && *reason) {
		(void)fputs(": ", stdout);
		text_print(stdout, reason);
	}
	(void)putchar('\n');
}

static int take_event(const struct args *a, const struct client_reply *r)
{
	if (r->error)
		return fail_reply(a, r);
	if (a->json)
		return run_print_json(r->parameters);
	print_event(r->parameters);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#define POLL_MAX_MS (86400 * 1000)

/* The next event before until_ms, else ERR_TIMEOUT. */
static enum err next_event(struct client *c, int64_t until_ms, struct client_reply *r)
{
	enum err e = ERR_TIMEOUT;

	while (e == ERR_TIMEOUT) {
		int64_t left = until_ms - now_ms();

		if (left <= 0)
			break;
		e = client_receive(c, left > POLL_MAX_MS ? POLL_MAX_MS : (int)left, r);
	}
	return e;
}

/* The confirmation is waited for like any answer; the user's time begins with it. */
int run_watch(struct args *a)
{
	int64_t limit_ms = (int64_t)args_duration(a, "--timeout", 0) * 1000, until_ms;
	struct client_reply r;
	struct client c;
	bool confirmed;
	int status = run_open(a, &c);
	enum err e;

	if (status != EX_OK)
		return status;
	e = client_send(&c, a->verb->method, run_take_parameters(a), true);
	if (e == ERR_OK)
		e = client_receive(&c, CLIENT_TIMEOUT_MS, &r);
	confirmed = e == ERR_OK;
	until_ms = limit_ms > 0 ? now_ms() + limit_ms : INT64_MAX;
	while (e == ERR_OK && status == EX_OK) {
		status = take_event(a, &r);
		client_reply_clear(&r);
		if (status == EX_OK)
			e = next_event(&c, until_ms, &r);
	}
	client_close(&c);
	if (e == ERR_TIMEOUT && confirmed)
		return EX_OK;
	return e == ERR_OK ? status : fail_client(a, e);
}
