/*
 * terminal: the vendor's lines in, the vendor's JSON lines out (mesh-protocol §6), so that tools
 * made for a gateway node's serial port keep working. Lines become ordinary calls: the service's
 * roles, its ledger of node ids and its audit log hold for them as for everybody.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli/fail.h"
#include "cli/follow.h"
#include "cli/run.h"
#include "cli/termcall.h"
#include "core/termline.h"
#include "enr/serial.h"

#define INPUT_BYTES 4096

struct terminal {
	struct args *a;
	struct client calls, watch, survey; /* survey.fd is -1 while none runs */
	json_t *waiting; /* serial -> {"handle", "verb"}: whose answer will be printed */
	char in[INPUT_BYTES];
	size_t used;
	bool input_over, too_long;
	int status; /* of the first line that was refused */
};

/* --- lines out ----------------------------------------------------------------------------- */

static void put_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put_line(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	(void)fputs("\r\n", stdout);
	(void)fflush(stdout);
}

/* One argument, echoed; what could steer a terminal or end the string is not, and no key is. */
static void echo_arg(const char *p, size_t n)
{
	(void)putchar(' ');
	if (termline_may_be_key(p, n)) {
		(void)putchar('*');
		return;
	}
	for (size_t i = 0; i < n; i++)
		(void)putchar(p[i] < ' ' || p[i] > '~' || p[i] == '"' || p[i] == '\\' ? '?' : p[i]);
}

static void put_code(enum termline_code code, const char *line)
{
	if (code != TERMLINE_NOT_FOUND) {
		put_line("{\"type\":\"error\",\"code\":%d,\"text\":\"%s\"}", (int)code,
			termline_code_text(code));
		return;
	}
	(void)printf("{\"type\":\"error\",\"code\":%d,\"text\":\"%s", (int)code,
		termline_code_text(code));
	for (const char *p = line; *p;) {
		size_t n = strcspn(p, " ");

		echo_arg(p, n);
		p += n + (p[n] == ' ');
	}
	put_line("\"}");
}

/* --- results ------------------------------------------------------------------------------- */

static unsigned number_of(const json_t *o, const char *key)
{
	return (unsigned)json_integer_value(json_object_get(o, key));
}

static void put_result(const json_t *entry, const json_t *node, const char *serial, unsigned code)
{
	const char *method = json_string_value(json_object_get(node, "method"));
	bool relayed = method && strcmp(method, "directed") == 0 && number_of(node, "helper");
	unsigned sender = number_of(node, relayed ? "helper" : "node_id");
	unsigned handle = number_of(entry, "handle");

	switch ((enum termline_verb)number_of(entry, "verb")) {
	case TERMLINE_ENROLL:
		put_line("{\"nodeId\":%u,\"type\":\"enroll_response_serial\",\"module\":5,"
			 "\"requestId\":%u,\"serialNumber\":\"%s\",\"code\":%u}",
			sender, handle, serial, code);
		break;
	case TERMLINE_REMOVE:
		put_line("{\"nodeId\":%u,\"type\":\"remove_enroll_response_serial\",\"module\":5,"
			 "\"requestId\":%u,\"serialNumber\":\"%s\",\"code\":%u}",
			sender, handle, serial, code);
		break;
	case TERMLINE_SET_NETWORK:
		put_line("{\"nodeId\":%u,\"type\":\"set_network_response\",\"code\":%u,"
			 "\"module\":5,\"requestHandle\":%u}",
			number_of(node, "node_id"), code, handle);
		break;
	case TERMLINE_REQUEST_PROPOSALS:
		break;
	}
}

/* Prints what a node in this state has answered; forgets it when nothing more will come. */
static void judge(struct terminal *t, const char *serial, const json_t *event, const json_t *node)
{
	const json_t *entry = json_object_get(t->waiting, serial);
	struct termcall_verdict v =
		termcall_judge((enum termline_verb)number_of(entry, "verb"), event);

	if (v.answered)
		put_result(entry, node, serial, v.code);
	if (v.over)
		(void)json_object_del(t->waiting, serial);
}

static int show_node(struct terminal *t, const char *serial, struct client_reply *r)
{
	enum err e = client_call(&t->calls, "NodeShow", json_pack("{s:s}", "serial", serial), r);

	return e == ERR_OK ? EX_OK : fail_client(t->a, e);
}

static int on_event(struct terminal *t, const json_t *event)
{
	const char *serial = json_string_value(json_object_get(event, "id"));
	struct client_reply r;
	int status;

	if (!serial || !json_object_get(t->waiting, serial))
		return EX_OK;
	status = show_node(t, serial, &r);
	if (status != EX_OK)
		return status;
	judge(t, serial, event, json_object_get(r.parameters, "node"));
	client_reply_clear(&r);
	return EX_OK;
}

/* --- lines in ------------------------------------------------------------------------------ */

/* What is told about a refused line: the code to the tool, the reason to whoever reads stderr. */
static void refuse(struct terminal *t, const struct client_reply *r, const char *line)
{
	int status = fail_reply(t->a, r);

	t->status = t->status == EX_OK ? status : t->status;
	put_code(termcall_code_of(r->error), line);
}

static int survey(struct terminal *t, const struct termline *line, const char *text)
{
	json_t *p = termcall_parameters(line, t->a);
	struct client_reply r;
	int status;
	enum err e;

	if (t->survey.fd >= 0)
		client_close(&t->survey); /* the new list replaces the old one */
	status = run_open(t->a, &t->survey);
	if (status != EX_OK) {
		json_decref(p);
		return status;
	}
	e = client_send(&t->survey, "MeshProposals", p, true);
	if (e == ERR_OK)
		e = client_receive(&t->survey, CLIENT_TIMEOUT_MS, &r);
	if (e != ERR_OK)
		return fail_client(t->a, e);
	if (r.error) {
		refuse(t, &r, text);
		client_close(&t->survey);
	} else {
		put_code(TERMLINE_OK, text);
	}
	client_reply_clear(&r);
	return EX_OK;
}

static void await(struct terminal *t, const struct termline *line, const json_t *node)
{
	const char *serial = json_string_value(json_object_get(node, "serial"));

	if (serial)
		(void)json_object_set_new(t->waiting, serial,
			json_pack(
				"{s:i,s:i}", "handle", (int)line->handle, "verb", (int)line->verb));
}

/* The service knows the node already: what was asked for may be there, or on its way. */
static bool is_asked_for(const struct termline *line, const json_t *node)
{
	return line->verb == TERMLINE_ENROLL && number_of(node, "node_id") == line->node_id &&
	       number_of(node, "network_id") == line->network_id && !termcall_is_over(node);
}

static int repeat(struct terminal *t, const struct termline *line, bool *known)
{
	char serial[SERIAL_TEXT_SIZE];
	struct client_reply r;
	const json_t *node;
	int status;

	serial_print(line->serial[0], serial);
	status = show_node(t, serial, &r);
	if (status != EX_OK)
		return status;
	node = json_object_get(r.parameters, "node");
	*known = !r.error && is_asked_for(line, node);
	if (*known) {
		put_code(TERMLINE_OK, "");
		await(t, line, node);
		judge(t, serial, node, node);
	}
	client_reply_clear(&r);
	return EX_OK;
}

static int call(
	struct terminal *t, const struct termline *line, json_t *parameters, const char *text)
{
	struct client_reply r;
	const json_t *node;
	bool known = false;
	int status = EX_OK;
	enum err e = client_call(&t->calls, termcall_method(line->verb), parameters, &r);

	if (e != ERR_OK)
		return fail_client(t->a, e);
	node = json_object_get(r.parameters, "node");
	if (r.error && line->verb == TERMLINE_ENROLL && fail_is(r.error, "Conflict"))
		status = repeat(t, line, &known);
	if (r.error && !known) {
		refuse(t, &r, text);
	} else if (!r.error) {
		put_code(TERMLINE_OK, text);
		await(t, line, node);
		if (line->verb == TERMLINE_REMOVE)
			judge(t, json_string_value(json_object_get(node, "serial")), node, node);
	}
	client_reply_clear(&r);
	return status;
}

/* All that have joined, page by page. *listed false: they could not be, and that was said. */
static int list_joined(struct terminal *t, json_t *nodes, const char *text, bool *listed)
{
	json_t *after = NULL;

	do {
		json_t *p = json_pack("{s:s,s:o*}", "state", "joined", "after", after);
		struct client_reply r;
		enum err e = p ? client_call(&t->calls, "NodeList", p, &r) : ERR_NOMEM;

		if (e != ERR_OK)
			return fail_client(t->a, e);
		*listed = !r.error;
		if (r.error)
			refuse(t, &r, text);
		else if (json_array_extend(nodes, json_object_get(r.parameters, "nodes")) != 0)
			e = ERR_INVALID;
		after = json_incref(json_object_get(r.parameters, "next"));
		client_reply_clear(&r);
		if (e != ERR_OK)
			return fail_client(t->a, e);
	} while (*listed && json_is_string(after));
	json_decref(after);
	return EX_OK;
}

/* An asset is named by its node id alone: it must be clear which one is meant. */
static int move_one(
	struct terminal *t, const struct termline *line, const json_t *nodes, const char *text)
{
	const char *serial = termcall_find_asset(nodes, line->node);

	if (serial)
		return call(t, line,
			json_pack(
				"{s:s,s:i}", "serial", serial, "network_id", (int)line->network_id),
			text);
	put_code(TERMLINE_WRONG, text);
	return EX_OK;
}

static int set_network(struct terminal *t, const struct termline *line, const char *text)
{
	json_t *nodes = json_array();
	bool listed = false;
	int status = list_joined(t, nodes, text, &listed);

	if (status == EX_OK && listed)
		status = move_one(t, line, nodes, text);
	json_decref(nodes);
	return status;
}

static int run_line(struct terminal *t, const char *text)
{
	struct termline line;
	enum err e = termline_parse(text, strlen(text), &line);
	int status = EX_OK;

	if (e != ERR_OK)
		put_code(termline_code_of(e), text);
	else if (line.verb == TERMLINE_REQUEST_PROPOSALS)
		status = survey(t, &line, text);
	else if (line.verb == TERMLINE_SET_NETWORK)
		status = set_network(t, &line, text);
	else
		status = call(t, &line, termcall_parameters(&line, t->a), text);
	termline_clear(&line);
	return status;
}

/* Takes the complete lines out of the buffer. One that does not fit is refused and skipped. */
static int run_lines(struct terminal *t)
{
	size_t done = 0;
	int status = EX_OK;

	for (size_t end = 0; end < t->used && status == EX_OK; end++) {
		if (t->in[end] != '\r' && t->in[end] != '\n' && t->in[end] != '\0')
			continue;
		t->in[end] = '\0';
		if (t->too_long)
			put_code(TERMLINE_TOO_MANY, "");
		else if (end > done)
			status = run_line(t, t->in + done);
		t->too_long = false;
		done = end + 1;
	}
	memmove(t->in, t->in + done, t->used - done);
	t->used -= done;
	explicit_bzero(t->in + t->used, done);
	if (t->used + 1 == sizeof(t->in)) {
		t->too_long = true;
		t->used = 0;
	}
	return status;
}

static int on_input(struct terminal *t)
{
	ssize_t n = read(STDIN_FILENO, t->in + t->used, sizeof(t->in) - 1 - t->used);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return EX_OK;
	if (n < 0)
		return fail(EX_NOINPUT, "standard input: %s", strerror(errno));
	if (n == 0 && (t->used > 0 || t->too_long))
		t->in[t->used++] = '\n';
	t->input_over = n == 0;
	t->used += (size_t)n;
	return run_lines(t);
}

/* --- the loop ------------------------------------------------------------------------------ */

static int drain_watch(struct terminal *t)
{
	struct client_reply r;
	int status = EX_OK;
	enum err e = ERR_OK;

	while (status == EX_OK && (e = client_receive(&t->watch, 0, &r)) == ERR_OK) {
		status = r.error ? fail_reply(t->a, &r) : on_event(t, r.parameters);
		client_reply_clear(&r);
	}
	return status != EX_OK || e == ERR_TIMEOUT ? status : fail_client(t->a, e);
}

static void put_proposal(const json_t *event)
{
	const char *serial = json_string_value(json_object_get(event, "serial"));
	const char *what = json_string_value(json_object_get(event, "event"));

	if (!serial || !what || strcmp(what, "proposal") != 0 ||
		json_is_true(json_object_get(event, "unsolicited")))
		return;
	put_line("{\"nodeId\":%u,\"type\":\"request_proposals_response\",\"serialNumber\":\"%s\","
		 "\"module\":5,\"requestHandle\":0}",
		number_of(event, "node_id"), serial);
}

static void drain_survey(struct terminal *t)
{
	struct client_reply r;
	enum err e = ERR_TIMEOUT;

	while (t->survey.fd >= 0 && (e = client_receive(&t->survey, 0, &r)) == ERR_OK) {
		bool last = r.error || !r.continues;

		if (!r.error)
			put_proposal(r.parameters);
		client_reply_clear(&r);
		if (last)
			client_close(&t->survey);
	}
	if (t->survey.fd >= 0 && e != ERR_TIMEOUT)
		client_close(&t->survey);
}

static uint64_t seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec;
}

static bool is_done(const struct terminal *t)
{
	return t->input_over && json_object_size(t->waiting) == 0 && t->survey.fd < 0;
}

static int loop(struct terminal *t)
{
	uint32_t limit_s = args_duration(t->a, "--timeout", 0);
	uint64_t over_at = 0;
	int status = EX_OK;

	while (status == EX_OK) {
		struct pollfd p[] = {{.fd = t->watch.fd, .events = POLLIN},
			{.fd = t->survey.fd, .events = POLLIN},
			{.fd = t->input_over ? -1 : STDIN_FILENO, .events = POLLIN}};

		if (is_done(t))
			return EX_OK;
		if (t->input_over && over_at == 0)
			over_at = seconds();
		if (t->input_over && limit_s > 0 && seconds() - over_at >= limit_s)
			return fail(EX_TEMPFAIL, "out of time: some nodes have not answered yet");
		(void)poll(p, 3, 1000);
		if (p[2].revents)
			status = on_input(t);
		drain_survey(t);
		if (status == EX_OK)
			status = drain_watch(t);
	}
	return status;
}

int run_terminal(struct args *a)
{
	struct terminal t = {.a = a, .survey = {.fd = -1}, .waiting = json_object()};
	int status = run_open(a, &t.calls);

	if (status == EX_OK) {
		status = follow_watch(a, &t.watch, "node");
		if (status == EX_OK) {
			status = loop(&t);
			client_close(&t.watch);
		}
		client_close(&t.calls);
	}
	if (t.survey.fd >= 0)
		client_close(&t.survey);
	json_decref(t.waiting);
	explicit_bzero(t.in, sizeof(t.in));
	return status != EX_OK ? status : t.status;
}
