/*
 * enroll -- COMMAND: the whole hand-over in one. Runs the command (ssh to the device, as a rule),
 * reads its enk1: line, issues a bundle, announces the enrollee, writes the bundle to the command,
 * waits for the daemon to accept. On failure the command is ended and what was announced cancelled.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli/fail.h"
#include "cli/follow.h"
#include "cli/run.h"
#include "cli/text.h"

#define KEY_PREFIX "enk1:"
#define LINE_MAX_BYTES 1024
#define KEY_LIMIT_MS 60000 /* an ssh password may have to be typed */
#define END_LIMIT_MS 10000 /* the command's own end after the enrollment */
#define BUNDLE_LIFETIME_S 900
#define ENROLLEE_LIFETIME_S 120
#define LINES_MAX 256 /* before the key: a login banner */

struct child {
	pid_t pid;
	int in, out; /* its standard input and output; -1: closed */
	char line[LINE_MAX_BYTES];
	size_t used;
};

struct hand_over {
	struct args *a;
	struct client c, watch;
	struct child child;
	char bundle_id[65], enrollee_id[65];
	json_t *enrollee; /* the last reply about it */
	bool accepted, failed;
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the command ------------------------------------------------------------------------- */

static void run_child(char **command, int in, int out, int report)
{
	int error;

	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
		(void)execvp(command[0], command);
	error = errno;
	(void)!write(report, &error, sizeof(error));
	_exit(127);
}

/* Waits for exec: its error number, or 0. */
static int exec_error(int report)
{
	int error = 0;

	while (read(report, &error, sizeof(error)) < 0 && errno == EINTR)
		continue;
	return error;
}

static void close_pair(const int p[2])
{
	if (p[0] >= 0)
		(void)close(p[0]);
	if (p[1] >= 0)
		(void)close(p[1]);
}

static int child_start(struct child *ch, char **command)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, report[2] = {-1, -1}, error;

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 ||
		pipe2(report, O_CLOEXEC) != 0 || (ch->pid = fork()) < 0) {
		error = errno;
		close_pair(in);
		close_pair(out);
		close_pair(report);
		return fail(EX_OSERR, "cannot start %s: %s", command[0], strerror(error));
	}
	if (ch->pid == 0)
		run_child(command, in[0], out[1], report[1]);
	(void)close(in[0]);
	(void)close(out[1]);
	(void)close(report[1]);
	ch->in = in[1];
	ch->out = out[0];
	error = exec_error(report[0]);
	(void)close(report[0]);
	if (error == 0)
		return EX_OK;
	return fail(EX_UNAVAILABLE, "cannot run %s: %s", command[0], strerror(error));
}

static void child_close(struct child *ch)
{
	if (ch->in >= 0)
		(void)close(ch->in);
	if (ch->out >= 0)
		(void)close(ch->out);
	ch->in = ch->out = -1;
}

/* Its wait status; kill: it is ended first, gently and then not. */
static int child_end(struct child *ch, bool kill_it)
{
	int status = 0;
	int64_t until = now_ms() + (kill_it ? 2000 : END_LIMIT_MS);

	child_close(ch);
	if (ch->pid <= 0)
		return 0;
	if (kill_it)
		(void)kill(ch->pid, SIGTERM);
	while (waitpid(ch->pid, &status, WNOHANG) == 0) {
		if (now_ms() > until) {
			(void)kill(ch->pid, SIGKILL);
			(void)waitpid(ch->pid, &status, 0);
			break;
		}
		(void)poll(NULL, 0, 20);
	}
	ch->pid = 0;
	return status;
}

/* Reads what is there; ERR_OK, ERR_CLOSED at its end, ERR_RANGE when a line is too long. */
static enum err child_read(struct child *ch)
{
	ssize_t n;

	if (ch->used == sizeof(ch->line))
		return ERR_RANGE;
	n = read(ch->out, ch->line + ch->used, sizeof(ch->line) - ch->used);
	if (n < 0 && errno == EINTR)
		return ERR_OK;
	if (n <= 0)
		return ERR_CLOSED;
	ch->used += (size_t)n;
	return ERR_OK;
}

/* The next whole line, NUL-terminated, without its end; false: none yet. NULs become '?'. */
static bool child_line(struct child *ch, char out[LINE_MAX_BYTES])
{
	char *end = memchr(ch->line, '\n', ch->used);
	size_t n;

	if (!end)
		return false;
	n = (size_t)(end - ch->line);
	for (size_t i = 0; i < n; i++)
		out[i] = ch->line[i] ? ch->line[i] : '?';
	out[n] = '\0';
	while (n > 0 && strchr("\r \t", out[n - 1]))
		out[--n] = '\0';
	ch->used -= (size_t)(end - ch->line) + 1;
	memmove(ch->line, end + 1, ch->used);
	return true;
}

/* What the command says beside the point goes to the one who runs it. */
static void pass_on(const char *line)
{
	(void)fputs("| ", stderr);
	text_print(stderr, line);
	(void)fputc('\n', stderr);
}

/* --- steps ------------------------------------------------------------------------------- */

static int no_key(enum err e)
{
	if (e == ERR_TIMEOUT)
		return fail(EX_TEMPFAIL, "the command printed no " KEY_PREFIX " line in time");
	if (e == ERR_RANGE)
		return fail(EX_DATAERR, "the command printed a line that is too long, or too many");
	return fail(EX_DATAERR, "the command ended without an " KEY_PREFIX " line");
}

/* Until the line with the key. */
static int read_key(struct child *ch, char key[LINE_MAX_BYTES])
{
	int64_t until = now_ms() + KEY_LIMIT_MS;
	unsigned lines = 0;

	for (;;) {
		struct pollfd p = {.fd = ch->out, .events = POLLIN};
		int64_t left = until - now_ms();
		enum err e;

		while (child_line(ch, key)) {
			if (strncmp(key, KEY_PREFIX, strlen(KEY_PREFIX)) == 0)
				return EX_OK;
			if (++lines > LINES_MAX)
				return no_key(ERR_RANGE);
			pass_on(key);
		}
		if (left <= 0)
			return no_key(ERR_TIMEOUT);
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		e = child_read(ch);
		if (e != ERR_OK)
			return no_key(e);
	}
}

static void copy_text(char out[65], const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	(void)snprintf(out, 65, "%s", text ? text : "");
}

/* text: the bundle's line, to be freed. */
static int issue(struct hand_over *h, char **text)
{
	json_t *p = json_pack("{s:i}", "lifetime_s",
		(int)args_duration(h->a, "--bundle-lifetime", BUNDLE_LIFETIME_S));
	struct client_reply r;
	const json_t *bundle;
	int status = fail_or_call(h->a, &h->c, "BundleIssue", p, &r);

	if (status != EX_OK)
		return status;
	bundle = json_array_get(json_object_get(r.parameters, "bundles"), 0);
	copy_text(h->bundle_id, bundle, "id");
	*text = text_clean(json_string_value(json_object_get(bundle, "text")));
	client_reply_clear(&r);
	return *text && **text ? EX_OK : fail(EX_PROTOCOL, "enrolld's reply has no bundle");
}

static int announce(struct hand_over *h, const char *key)
{
	json_t *p = run_take_parameters(h->a);
	struct client_reply r;
	int status;

	if (json_object_set_new(p, "key", json_string(key)) != 0 ||
		json_object_set_new(p, "bundle_id", json_string(h->bundle_id)) != 0) {
		json_decref(p);
		return fail(EX_DATAERR, "the command's " KEY_PREFIX " line is not text");
	}
	if (!json_object_get(p, "lifetime_s"))
		(void)json_object_set_new(p, "lifetime_s", json_integer(ENROLLEE_LIFETIME_S));
	status = fail_or_call(h->a, &h->c, "EnrolleeAnnounce", p, &r);
	if (status != EX_OK)
		return status;
	copy_text(h->enrollee_id, json_object_get(r.parameters, "enrollee"), "id");
	client_reply_clear(&r);
	return EX_OK;
}

static int hand_out(struct child *ch, const char *text)
{
	char line[LINE_MAX_BYTES + 2];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	if (n < 0 || (size_t)n >= sizeof(line))
		return fail(EX_PROTOCOL, "enrolld's bundle is too long");
	if (write(ch->in, line, (size_t)n) != n)
		return fail(EXIT_JOB_FAILED, "the command does not take the bundle");
	(void)close(ch->in);
	ch->in = -1;
	return EX_OK;
}

/* --- waiting for acceptance -------------------------------------------------------------- */

static void take_event(struct hand_over *h, const json_t *event)
{
	const char *id = json_string_value(json_object_get(event, "id"));
	enum follow_verdict v;

	if (!id || strcmp(id, h->enrollee_id) != 0)
		return;
	follow_tell("enrollee", id, event);
	v = follow_verdict_of(&follow_enrollee, event);
	h->accepted = v == FOLLOW_DONE;
	h->failed = v == FOLLOW_FAILED;
}

/* All events that have arrived. */
static int drain_events(struct hand_over *h)
{
	struct client_reply r;
	enum err e;

	while ((e = client_receive(&h->watch, 0, &r)) == ERR_OK) {
		bool error = r.error != NULL;

		if (error)
			(void)fail_reply(h->a, &r);
		else
			take_event(h, r.parameters);
		client_reply_clear(&r);
		if (error)
			return EX_UNAVAILABLE;
	}
	return e == ERR_TIMEOUT ? EX_OK : fail_client(h->a, e);
}

/* False at the end of its output. */
static bool drain_child(struct child *ch)
{
	char line[LINE_MAX_BYTES];
	enum err e = child_read(ch);

	while (child_line(ch, line))
		pass_on(line);
	if (e == ERR_RANGE)
		ch->used = 0;
	return e != ERR_CLOSED;
}

/* Also ends when the command does: an enrollee that has given up will not be accepted. A device
 * that was accepted and went quickly is not given up: its event is on its way. */
static int wait_accepted(struct hand_over *h)
{
	int64_t until =
		now_ms() + 1000 * (int64_t)args_duration(h->a, "--lifetime", ENROLLEE_LIFETIME_S);
	bool open = true;
	int status = EX_OK;

	while (!h->accepted && !h->failed && status == EX_OK) {
		struct pollfd p[2] = {{.fd = h->watch.fd, .events = POLLIN},
			{.fd = open ? h->child.out : -1, .events = POLLIN}};
		int64_t left = until - now_ms();

		if (left <= 0)
			return fail(open ? EX_TEMPFAIL : EXIT_JOB_FAILED,
				open ? "the device was not enrolled in time"
				     : "the command ended, and the device is not enrolled");
		if (poll(p, 2, (int)left) < 0 && errno != EINTR)
			return fail(EX_OSERR, "poll: %s", strerror(errno));
		if (p[1].revents && !drain_child(&h->child)) {
			open = false;
			until = now_ms() + 2000;
		}
		if (p[0].revents)
			status = drain_events(h);
	}
	if (h->failed)
		return fail(EXIT_JOB_FAILED, "the device was not enrolled");
	return status;
}

/* --- all of it --------------------------------------------------------------------------- */

static int hand_over(struct hand_over *h)
{
	char key[LINE_MAX_BYTES], *bundle = NULL;
	int status = child_start(&h->child, h->a->command);

	if (status == EX_OK)
		status = read_key(&h->child, key);
	if (status == EX_OK)
		status = issue(h, &bundle);
	if (status == EX_OK)
		status = announce(h, key);
	if (status == EX_OK)
		status = hand_out(&h->child, bundle);
	if (status == EX_OK)
		status = wait_accepted(h);
	free(bundle);
	return status;
}

/* Nothing that failed may be used later. Best effort: it also expires. */
static void take_back(struct hand_over *h)
{
	const char *id = h->enrollee_id[0] ? h->enrollee_id : h->bundle_id;
	struct client_reply r;

	if (!id[0])
		return;
	if (client_call(&h->c, h->enrollee_id[0] ? "EnrolleeCancel" : "BundleRevoke",
		    json_pack("{s:s}", "id", id), &r) == ERR_OK)
		client_reply_clear(&r);
}

static int report(struct hand_over *h)
{
	struct client_reply r;
	int status = fail_or_call(
		h->a, &h->c, "EnrolleeShow", json_pack("{s:s}", "id", h->enrollee_id), &r);

	if (status != EX_OK)
		return status;
	if (h->a->json) {
		status = run_print_json(r.parameters);
	} else {
		struct verb shown = *h->a->verb;
		struct args a = *h->a;

		shown.reply_key = "enrollee";
		a.verb = &shown;
		run_print_reply(&a, r.parameters);
	}
	client_reply_clear(&r);
	return status;
}

/* What it still has to say. */
static void drain_to_end(struct child *ch)
{
	int64_t until = now_ms() + END_LIMIT_MS;
	struct pollfd p = {.fd = ch->out, .events = POLLIN};

	while (now_ms() < until && poll(&p, 1, (int)(until - now_ms())) > 0) {
		if (!drain_child(ch))
			return;
	}
}

/* The command had the last word: it must have ended well too. */
static int judge_end(int wait_status)
{
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
		return EX_OK;
	if (WIFEXITED(wait_status))
		return fail(EXIT_JOB_FAILED,
			"the device is enrolled, but the command ended with status %d",
			WEXITSTATUS(wait_status));
	return fail(EXIT_JOB_FAILED, "the device is enrolled, but the command did not end well");
}

int run_enroll(struct args *a)
{
	struct hand_over h = {.a = a, .child = {.in = -1, .out = -1}};
	int status, ended;

	if (!a->command || !a->command[0])
		return fail(EX_USAGE, "enroll needs -- COMMAND, such as: ssh device enrollee "
				      "serve-stdio");
	status = follow_watch(a, &h.watch, "enrollee");
	if (status != EX_OK)
		return status;
	status = run_open(a, &h.c);
	if (status == EX_OK) {
		status = hand_over(&h);
		if (status != EX_OK)
			take_back(&h);
		if (status == EX_OK) {
			drain_to_end(&h.child);
			status = report(&h);
		}
		ended = child_end(&h.child, status != EX_OK);
		if (status == EX_OK)
			status = judge_end(ended);
		client_close(&h.c);
	}
	client_close(&h.watch);
	return status;
}
