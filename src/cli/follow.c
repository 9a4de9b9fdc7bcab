/* Follows Watch. */
#include "cli/follow.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/run.h"
#include "cli/text.h"

#define TOLD_MAX 20 /* lines about those that failed or are not done */

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* Events have the words in reason, NodeShow has them in reason_text. */
static const char *words_of(const json_t *said)
{
	const char *words = text_of(said, "reason_text");

	return *words ? words : text_of(said, "reason");
}

/* --- what it means --------------------------------------------------------------------------- */

static enum follow_verdict judge_node(const char *state, const char *reason)
{
	static const char *const failed[] = {
		"failed", "expired", "cancelled", "removing", "removed", "unconfirmed", NULL};

	(void)reason;
	if (strcmp(state, "joined") == 0)
		return FOLLOW_DONE;
	return text_is_one_of(state, failed) ? FOLLOW_FAILED : FOLLOW_ON;
}

static enum follow_verdict judge_removal(const char *state, const char *reason)
{
	(void)reason;
	if (strcmp(state, "removed") == 0)
		return FOLLOW_DONE;
	return strcmp(state, "unconfirmed") == 0 ? FOLLOW_FAILED : FOLLOW_ON;
}

/* Joined it stays; a reason tells that it has not moved. */
static enum follow_verdict judge_move(const char *state, const char *reason)
{
	static const char *const gone[] = {"removing", "removed", "unconfirmed", NULL};

	if (strcmp(state, "joined") == 0)
		return *reason ? FOLLOW_FAILED : FOLLOW_DONE;
	return text_is_one_of(state, gone) ? FOLLOW_FAILED : FOLLOW_ON;
}

static enum follow_verdict judge_enrollee(const char *state, const char *reason)
{
	static const char *const failed[] = {"cancelled", "expired", "revoked", NULL};

	(void)reason;
	if (strcmp(state, "enrolled") == 0)
		return FOLLOW_DONE;
	return text_is_one_of(state, failed) ? FOLLOW_FAILED : FOLLOW_ON;
}

const struct follow_kind follow_node = {"node", "NodeShow", "serial",
	"enrolld goes on trying until they expire: enrollctl node list", judge_node};
const struct follow_kind follow_removal = {"node", "NodeShow", "serial",
	"enrolld goes on trying for up to an hour: enrollctl node list", judge_removal};
const struct follow_kind follow_move = {"node", "NodeShow", "serial",
	"enrolld goes on trying until it expires: enrollctl node list", judge_move};
const struct follow_kind follow_enrollee = {"enrollee", "EnrolleeShow", "id",
	"enrolld expects it until it expires: enrollctl enrollee list", judge_enrollee};

enum follow_verdict follow_verdict_of(const struct follow_kind *kind, const json_t *said)
{
	return kind->judge(text_of(said, "state"), words_of(said));
}

void follow_tell(const char *object, const char *id, const json_t *said)
{
	char *clean = text_clean(id);
	const char *reason = words_of(said);

	(void)fprintf(stderr, "%s %.20s: ", object, clean ? clean : "?");
	text_print(stderr, text_of(said, "state"));
	if (*reason)
		(void)fputs(": ", stderr);
	text_print(stderr, reason);
	(void)fputc('\n', stderr);
	free(clean);
}

/* --- rows ------------------------------------------------------------------------------------ */

static enum follow_verdict verdict_of(const json_t *row)
{
	return (enum follow_verdict)json_integer_value(json_object_get(row, "verdict"));
}

static void settle(struct follow *f, json_t *row, const json_t *said, enum follow_verdict v)
{
	f->count[verdict_of(row)]--;
	f->count[v]++;
	(void)json_object_set_new(row, "state", json_string(text_of(said, "state")));
	(void)json_object_set_new(row, "reason", json_string(words_of(said)));
	(void)json_object_set_new(row, "verdict", json_integer(v));
}

/* Of a known enrollee that stays pending. */
static bool is_rejection(const json_t *said)
{
	return strcmp(text_of(said, "event"), "enrollee_rejected") == 0;
}

/* What is the same as before is not told again, but each rejection is. */
static void take(struct follow *f, const char *id, json_t *row, const json_t *said)
{
	if (is_rejection(said) || strcmp(text_of(row, "state"), text_of(said, "state")) != 0 ||
		strcmp(text_of(row, "reason"), words_of(said)) != 0) {
		run_progress(f->a, NULL);
		follow_tell(f->kind->object, id, said);
	}
	settle(f, row, said, follow_verdict_of(f->kind, said));
}

/* The row of id, a new one if there is none. NULL: out of memory. Borrowed. */
static json_t *row_for(struct follow *f, const char *id)
{
	json_t *row = json_object_get(f->rows, id);

	if (row)
		return row;
	row = json_pack("{s:i}", "verdict", (int)FOLLOW_ON);
	if (!row || json_object_set_new(f->rows, id, row) != 0)
		return NULL;
	f->count[FOLLOW_ON]++;
	return row;
}

void follow_add(struct follow *f, const json_t *reply)
{
	const json_t *said = json_object_get(reply, f->kind->object);
	json_t *row = row_for(f, text_of(said, f->kind->key));

	if (row)
		settle(f, row, said, follow_verdict_of(f->kind, said));
}

/* --- the watch ------------------------------------------------------------------------------- */

static enum err send_watch(struct client *watch, const char *object)
{
	return client_send(watch, "Watch", json_pack("{s:s}", "object", object), true);
}

int follow_watch(const struct args *a, struct client *watch, const char *object)
{
	struct client_reply r;
	int status = run_open(a, watch);
	enum err e;

	if (status != EX_OK)
		return status;
	e = send_watch(watch, object);
	if (e == ERR_OK)
		e = client_receive(watch, CLIENT_TIMEOUT_MS, &r);
	if (e != ERR_OK)
		status = fail_client(a, e);
	else if (r.error)
		status = fail_reply(a, &r);
	if (e == ERR_OK)
		client_reply_clear(&r);
	if (status != EX_OK)
		client_close(watch);
	return status;
}

int follow_open(struct follow *f, const struct args *a, const struct follow_kind *kind)
{
	int status;

	memset(f, 0, sizeof(*f));
	f->a = a;
	f->kind = kind;
	status = follow_watch(a, &f->watch, kind->object);
	if (status != EX_OK)
		return status;
	f->rows = json_object();
	if (f->rows)
		return EX_OK;
	client_close(&f->watch);
	return fail(EX_OSERR, "out of memory");
}

void follow_close(struct follow *f)
{
	client_close(&f->watch);
	json_decref(f->rows);
	memset(f, 0, sizeof(*f));
	f->watch.fd = -1;
}

static void lose_watch(struct follow *f)
{
	client_close(&f->watch);
	if (f->away_ms == 0)
		f->away_ms = run_now_ms();
	run_progress(f->a, "enrolld is away, trying again ");
}

/* The confirmation is an event like others: nobody is waited for. */
static void open_again(struct follow *f)
{
	uint64_t now = run_now_ms();

	if (f->status != EX_OK || now - f->tried_ms < RUN_RETRY_MS)
		return;
	f->tried_ms = now;
	if (client_open(&f->watch, f->a->socket) == ERR_OK &&
		send_watch(&f->watch, f->kind->object) != ERR_OK)
		client_close(&f->watch);
}

/* ERR_OK also when the daemon refuses to say: then events will. */
static enum err ask(struct follow *f, struct client *c, const char *id, json_t *row)
{
	struct client_reply r;
	enum err e = client_call(c, f->kind->method, json_pack("{s:s}", f->kind->key, id), &r);
	json_t *gone;

	if (e != ERR_OK)
		return e;
	if (!r.error) {
		take(f, id, row, json_object_get(r.parameters, f->kind->object));
	} else if (fail_is(r.error, "NotFound")) {
		gone = json_pack(
			"{s:s,s:s}", "state", "gone", "reason", "enrolld has forgotten it");
		follow_tell(f->kind->object, id, gone);
		settle(f, row, gone, FOLLOW_FAILED);
		json_decref(gone);
	}
	client_reply_clear(&r);
	return ERR_OK;
}

/* A new watch is there: what happened before it is asked for. */
static void catch_up(struct follow *f)
{
	struct client c;
	const char *id;
	json_t *row;
	enum err e = client_open(&c, f->a->socket);

	json_object_foreach(f->rows, id, row)
	{
		if (e == ERR_OK && verdict_of(row) == FOLLOW_ON)
			e = ask(f, &c, id, row);
	}
	client_close(&c);
	if (e != ERR_OK) {
		lose_watch(f);
		return;
	}
	f->away_ms = 0;
	run_progress(f->a, NULL);
}

static void take_reply(struct follow *f, const struct client_reply *r)
{
	const char *id = text_of(r->parameters, "id");
	json_t *row = json_object_get(f->rows, id);

	if (r->error) {
		f->status = fail_reply(f->a, r);
		client_close(&f->watch);
	} else if (strcmp(text_of(r->parameters, "event"), "watching") == 0) {
		catch_up(f);
	} else if (row && verdict_of(row) == FOLLOW_ON) {
		take(f, id, row, r->parameters);
	}
}

/* What comes within the time; then all that is there. */
static void listen_for(struct follow *f, int timeout_ms)
{
	struct client_reply r;
	enum err e = ERR_TIMEOUT;

	if (f->watch.fd < 0)
		open_again(f);
	if (f->watch.fd < 0)
		(void)poll(NULL, 0, timeout_ms < RUN_RETRY_MS ? timeout_ms : RUN_RETRY_MS);
	while (f->watch.fd >= 0 && (e = client_receive(&f->watch, timeout_ms, &r)) == ERR_OK) {
		take_reply(f, &r);
		client_reply_clear(&r);
		timeout_ms = 0;
	}
	if (f->watch.fd >= 0 && e != ERR_TIMEOUT)
		lose_watch(f);
}

void follow_drain(struct follow *f)
{
	listen_for(f, 0);
}

/* --- waiting --------------------------------------------------------------------------------- */

static size_t total_of(const struct follow *f)
{
	return json_object_size(f->rows);
}

static void show_progress(const struct follow *f, uint64_t begun_ms)
{
	size_t left = f->count[FOLLOW_ON];

	if (left > 0 && f->away_ms == 0)
		run_progress(f->a, "%zu of %zu done, waiting for %zu, %llus ", total_of(f) - left,
			total_of(f), left, (unsigned long long)(run_now_ms() - begun_ms) / 1000);
}

static void tell_rows(const struct follow *f, enum follow_verdict v)
{
	size_t n = 0;
	const char *id;
	json_t *row;

	json_object_foreach(f->rows, id, row)
	{
		if (verdict_of(row) == v && n++ < TOLD_MAX)
			follow_tell(f->kind->object, id, row);
	}
	if (n > TOLD_MAX)
		(void)fprintf(stderr, "and %zu more: enrollctl %s list%s\n", n - TOLD_MAX,
			f->kind->object,
			v == FOLLOW_FAILED ? " --state failed (or expired, cancelled)" : "");
}

/* A single one has just been told. */
static int tell_end(const struct follow *f)
{
	run_progress(f->a, NULL);
	if (f->count[FOLLOW_FAILED] == 0)
		return EX_OK;
	if (total_of(f) > 1)
		tell_rows(f, FOLLOW_FAILED);
	return fail(EXIT_JOB_FAILED, "%zu of %zu failed", f->count[FOLLOW_FAILED], total_of(f));
}

static int tell_out_of_time(const struct follow *f)
{
	run_progress(f->a, NULL);
	tell_rows(f, FOLLOW_FAILED);
	tell_rows(f, FOLLOW_ON);
	return fail(EX_TEMPFAIL, "out of time: %zu of %zu are not done yet\n  %s",
		f->count[FOLLOW_ON], total_of(f), f->kind->later);
}

static int tell_away(const struct follow *f)
{
	run_progress(f->a, NULL);
	return fail(EX_UNAVAILABLE,
		"enrolld has not come back at %s\n"
		"  is it running?   systemctl status enrolld\n"
		"  what was asked for goes on when it runs; %s",
		f->a->socket,
		args_get(f->a, "--qr-file") ? "run the same command again to wait for it"
					    : f->kind->later);
}

int follow_until(struct follow *f, uint32_t timeout_s)
{
	uint64_t begun_ms = run_now_ms();

	if (f->away_ms)
		f->away_ms = begun_ms;
	while (f->count[FOLLOW_ON] > 0) {
		uint64_t now_ms;

		show_progress(f, begun_ms);
		listen_for(f, 1000);
		now_ms = run_now_ms();
		if (f->status != EX_OK)
			return f->status;
		if (f->away_ms && now_ms - f->away_ms >= 1000ull * RUN_AWAY_S)
			return tell_away(f);
		if (timeout_s > 0 && f->count[FOLLOW_ON] > 0 &&
			now_ms - begun_ms >= 1000ull * timeout_s)
			return tell_out_of_time(f);
	}
	return tell_end(f);
}
