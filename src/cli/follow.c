/* Follows Watch. */
#include "cli/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/run.h"
#include "cli/text.h"

static const char *text_of(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	return text ? text : "";
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

enum follow_verdict follow_judge_node(const json_t *event)
{
	static const char *const failed[] = {
		"failed", "expired", "cancelled", "removing", "removed", "unconfirmed", NULL};
	const char *state = text_of(event, "state");

	if (strcmp(state, "joined") == 0)
		return FOLLOW_DONE;
	return is_one_of(state, failed) ? FOLLOW_FAILED : FOLLOW_ON;
}

enum follow_verdict follow_judge_removal(const json_t *event)
{
	const char *state = text_of(event, "state");

	if (strcmp(state, "removed") == 0)
		return FOLLOW_DONE;
	return strcmp(state, "unconfirmed") == 0 ? FOLLOW_FAILED : FOLLOW_ON;
}

/* Joined it stays; a reason tells that it has not moved. */
enum follow_verdict follow_judge_move(const json_t *event)
{
	const char *state = text_of(event, "state");

	if (strcmp(state, "joined") == 0)
		return *text_of(event, "reason") ? FOLLOW_FAILED : FOLLOW_DONE;
	return strcmp(state, "removing") == 0 ? FOLLOW_FAILED : FOLLOW_ON;
}

enum follow_verdict follow_judge_enrollee(const json_t *event)
{
	static const char *const failed[] = {"enrollee_cancelled", "enrollee_expired", NULL};
	const char *name = text_of(event, "event");

	if (strcmp(name, "enrollee_accepted") == 0)
		return FOLLOW_DONE;
	return is_one_of(name, failed) ? FOLLOW_FAILED : FOLLOW_ON;
}

void follow_tell(const json_t *event)
{
	char *name = text_clean(text_of(event, "event")), *id = text_clean(text_of(event, "id"));
	const char *state = text_of(event, "state"), *reason = text_of(event, "reason");
	char *word = name ? strchr(name, '_') : NULL;

	if (word)
		*word++ = '\0';
	(void)fprintf(stderr, "%s %.20s: ", name ? name : "?", id ? id : "?");
	text_print(stderr, *state ? state : word ? word : "");
	if (*reason)
		(void)fputs(": ", stderr);
	text_print(stderr, reason);
	(void)fputc('\n', stderr);
	free(name);
	free(id);
}

int follow_open(const struct args *a, struct client *watch, const char *object)
{
	struct client_reply r;
	int status = run_open(a, watch);
	enum err e;

	if (status != EX_OK)
		return status;
	e = client_send(watch, "Watch", json_pack("{s:s}", "object", object), true);
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

/* --- waiting ----------------------------------------------------------------------------- */

struct waiting {
	const struct args *a;
	json_t *ids;
	follow_judge *judge;
	size_t total, failed;
};

static void take_event(struct waiting *w, const json_t *event)
{
	const char *id = text_of(event, "id");
	enum follow_verdict v;

	if (!json_object_get(w->ids, id))
		return;
	run_progress(w->a, NULL);
	follow_tell(event);
	v = w->judge(event);
	if (v == FOLLOW_ON)
		return;
	w->failed += v == FOLLOW_FAILED;
	(void)json_object_del(w->ids, id);
}

static void show_progress(const struct waiting *w, uint64_t since)
{
	size_t left = json_object_size(w->ids);

	if (left > 0)
		run_progress(w->a, "%zu of %zu done, waiting for %zu, %llus ", w->total - left,
			w->total, left, (unsigned long long)((uint64_t)time(NULL) - since));
}

/* Listens for at most a second, so that progress can be shown. */
static enum err listen_once(struct waiting *w, struct client *watch)
{
	struct client_reply r;
	enum err e = client_receive(watch, 1000, &r);

	if (e == ERR_TIMEOUT)
		return ERR_OK;
	if (e != ERR_OK)
		return e;
	if (r.error)
		e = ERR_CLOSED;
	else
		take_event(w, r.parameters);
	client_reply_clear(&r);
	return e;
}

static uint64_t seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec;
}

int follow_until(const struct args *a, struct client *watch, json_t *ids, follow_judge *judge,
	uint32_t timeout_s)
{
	struct waiting w = {a, ids, judge, json_object_size(ids), 0};
	uint64_t begun = seconds(), since = (uint64_t)time(NULL);

	while (json_object_size(ids) > 0) {
		enum err e = listen_once(&w, watch);

		if (e != ERR_OK)
			return fail_client(a, e);
		show_progress(&w, since);
		if (timeout_s > 0 && json_object_size(ids) > 0 && seconds() - begun >= timeout_s) {
			run_progress(a, NULL);
			return fail(EX_TEMPFAIL, "out of time: %zu of %zu are not done yet",
				json_object_size(ids), w.total);
		}
	}
	run_progress(a, NULL);
	if (w.failed > 0)
		return fail(EXIT_JOB_FAILED, "%zu of %zu failed", w.failed, w.total);
	return EX_OK;
}
