/* Sends labels. */
#include "cli/adding.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/fail.h"
#include "cli/follow.h"
#include "cli/labels.h"
#include "cli/run.h"
#include "cli/secret_file.h"
#include "cli/text.h"
#include "enr/qrlabel.h"

#define IN_FLIGHT 32 /* calls that wait for their replies: they share the daemon's commits */
#define BREAKS_MAX 3 /* in a row without an answer: what we send may be the cause */

/* A call that is not answered yet. */
struct call {
	json_t *parameters;            /* with the label: freed, they are wiped (client_init) */
	unsigned label;                /* the how many-th */
	char serial[SERIAL_TEXT_SIZE]; /* empty: the label could not be read */
	bool again;                    /* sent more than once: it may have been added before */
};

struct adding {
	struct args *a;
	struct follow *follow;
	struct client calls, ask; /* fd is -1 while it is not open */
	struct call ring[IN_FLIGHT];
	unsigned first, count; /* of the ring */
	unsigned labels, answered, refused, breaks;
	bool over;  /* no connection can be had any more */
	int status; /* of the first label that was refused */
};

/* --- what is told ---------------------------------------------------------------------------- */

void adding_tell(const struct args *a, const json_t *reply, const char *before, const char *after)
{
	const json_t *node = json_object_get(reply, "node");
	const char *serial = json_string_value(json_object_get(node, "serial"));

	if (a->json)
		(void)run_print_json(reply);
	else
		(void)printf("%snode %s%s: network %lld, node id %lld\n", before,
			serial ? serial : "?", after,
			(long long)json_integer_value(json_object_get(node, "network_id")),
			(long long)json_integer_value(json_object_get(node, "node_id")));
}

static void tell(struct adding *d, const json_t *reply, const char *before, const char *after)
{
	run_progress(d->a, NULL);
	adding_tell(d->a, reply, before, after);
	if (d->follow)
		follow_add(d->follow, reply);
}

/* Which label it was: words before the words, members beside the members. */
static void refuse(struct adding *d, const struct call *c, struct client_reply *r)
{
	char about[48];
	int status;

	(void)snprintf(about, sizeof(about), "label %u%s%s%s: ", c->label, c->serial[0] ? " (" : "",
		c->serial, c->serial[0] ? ")" : "");
	(void)json_object_set_new(r->root, "label", json_integer(c->label));
	(void)json_object_set_new(
		r->root, "serial", c->serial[0] ? json_string(c->serial) : json_null());
	run_progress(d->a, NULL);
	status = fail_reply_about(d->a, r, about);
	if (d->refused++ == 0)
		d->status = status;
}

/* JSON cannot even carry it to the daemon. */
static void refuse_bytes(struct adding *d, const struct call *c)
{
	struct client_reply r = {.root = json_pack("{s:s,s:{s:s,s:s}}", "error",
					 "org.enrolld.control.InvalidArgument", "parameters",
					 "field", "label", "reason", "its text is not UTF-8")};

	r.error = json_string_value(json_object_get(r.root, "error"));
	r.parameters = json_object_get(r.root, "parameters");
	if (r.error)
		refuse(d, c, &r);
	client_reply_clear(&r);
}

/* --- nodes that are known already ------------------------------------------------------------ */

/* An asset that is told another network has joined before. */
static bool is_moving(const json_t *node)
{
	const char *task = json_string_value(json_object_get(node, "task"));

	return task && strcmp(task, "set_network") == 0;
}

enum adding_known adding_judge(const json_t *node, json_int_t network_id)
{
	static const char *const joined[] = {"joined", NULL};
	static const char *const under_way[] = {
		"pending", "located", "sent", "saved", "waiting", NULL};
	const char *state = json_string_value(json_object_get(node, "state"));

	if (network_id != 0 &&
		json_integer_value(json_object_get(node, "network_id")) != network_id)
		return ADDING_OTHER;
	if (text_is_one_of(state, joined))
		return ADDING_JOINED;
	if (!text_is_one_of(state, under_way))
		return ADDING_OTHER;
	return is_moving(node) ? ADDING_JOINED : ADDING_UNDER_WAY;
}

static enum err ask(struct adding *d, const char *serial, struct client_reply *out)
{
	enum err e = client_call(&d->ask, "NodeShow", json_pack("{s:s}", "serial", serial), out);

	if (e != ERR_OK)
		client_close(&d->ask);
	return e;
}

/* On a connection of its own: on the other one answers are outstanding. */
static enum err show_node(struct adding *d, const char *serial, struct client_reply *out)
{
	enum err e = d->ask.fd >= 0 ? ERR_OK : client_open(&d->ask, d->a->socket);

	if (e == ERR_OK)
		e = ask(d, serial, out);
	if (e == ERR_OK)
		return ERR_OK;
	e = run_open_again(d->a, &d->ask);
	return e == ERR_OK ? ask(d, serial, out) : e;
}

/* A label that was sent before, by us or in a former run: there is nothing wrong with it. By force
 * it must be new, unless it was us. */
static bool take_known(struct adding *d, const struct call *c, const struct client_reply *refusal)
{
	json_int_t network = json_integer_value(json_object_get(d->a->parameters, "network_id"));
	enum adding_known known = ADDING_OTHER;
	struct client_reply r;

	if (!fail_is(refusal->error, "Conflict") || !c->serial[0] ||
		(args_get(d->a, "--force") && !c->again) || show_node(d, c->serial, &r) != ERR_OK)
		return false;
	if (!r.error)
		known = adding_judge(json_object_get(r.parameters, "node"), network);
	if (known != ADDING_OTHER)
		tell(d, r.parameters, "",
			known == ADDING_JOINED ? " has joined already" : " is under way already");
	client_reply_clear(&r);
	return known != ADDING_OTHER;
}

/* --- calls and answers ----------------------------------------------------------------------- */

static enum err send_call(struct adding *d, const struct call *c)
{
	return client_send(&d->calls, d->a->verb->method, json_incref(c->parameters), false);
}

static enum err send_again(struct adding *d)
{
	enum err e = run_open_again(d->a, &d->calls);

	for (unsigned i = 0; e == ERR_OK && i < d->count; i++) {
		struct call *c = &d->ring[(d->first + i) % IN_FLIGHT];

		c->again = true;
		e = send_call(d, c);
	}
	return e;
}

/* e: what the connection has come to. A daemon that is started anew is waited for. */
static int go_on(struct adding *d, enum err e)
{
	int status;

	while (e == ERR_CLOSED && d->breaks++ < BREAKS_MAX) {
		client_close(&d->calls);
		e = send_again(d);
	}
	if (e == ERR_OK)
		return EX_OK;
	d->over = true;
	run_progress(d->a, NULL);
	status = fail_client(d->a, e);
	return fail(status, "what was added goes on: run the same command again for the rest");
}

static int take_reply(struct adding *d)
{
	struct client_reply r;
	enum err e = client_receive(&d->calls, CLIENT_TIMEOUT_MS, &r);
	struct call *c = &d->ring[d->first];

	if (e != ERR_OK)
		return go_on(d, e);
	d->breaks = 0;
	d->answered++;
	if (!r.error)
		tell(d, r.parameters, "added ", "");
	else if (!take_known(d, c, &r))
		refuse(d, c, &r);
	client_reply_clear(&r);
	json_decref(c->parameters);
	c->parameters = NULL;
	d->first = (d->first + 1) % IN_FLIGHT;
	d->count--;
	return EX_OK;
}

/* Steals its parameters. */
static int add_call(struct adding *d, const struct call *c)
{
	int status = EX_OK;
	enum err e;

	d->ring[(d->first + d->count++) % IN_FLIGHT] = *c;
	e = send_call(d, c);
	if (e != ERR_OK)
		status = go_on(d, e);
	if (d->labels % 64 == 0)
		run_progress(d->a, "%u sent, %u answered ", d->labels, d->answered);
	while (status == EX_OK && d->count == IN_FLIGHT)
		status = take_reply(d);
	return status;
}

/* --- the sink of labels ---------------------------------------------------------------------- */

static void read_serial(const char *text, char out[SERIAL_TEXT_SIZE])
{
	struct qr_label label;

	if (qr_label_parse(text, strlen(text), &label, NULL) != ERR_OK)
		return;
	serial_print(label.serial_index, out);
	qr_label_clear(&label);
}

static int take_label(void *ctx, const char *text)
{
	struct adding *d = ctx;
	struct call c = {.label = ++d->labels};
	json_t *label = json_string(text);

	if (!label) {
		refuse_bytes(d, &c);
		return EX_OK;
	}
	c.parameters = json_copy(d->a->parameters);
	if (json_object_set_new(c.parameters, "label", label) != 0) {
		json_decref(c.parameters);
		return fail(EX_OSERR, "out of memory");
	}
	read_serial(text, c.serial);
	return add_call(d, &c);
}

/* Whoever holds the scanner wants to know before the next label. */
static int take_replies(void *ctx)
{
	struct adding *d = ctx;
	int status = EX_OK;

	while (status == EX_OK && d->count > 0 && !d->over)
		status = take_reply(d);
	(void)fflush(stdout);
	return status;
}

/* The next label may be an hour away: the watch is read meanwhile, or the daemon would end it. Only
 * now, since all that was sent is answered: no event belongs to a node that is not followed yet. */
static int wait_for_label(void *ctx, int fd)
{
	struct adding *d = ctx;

	for (;;) {
		struct pollfd p[] = {{.fd = fd, .events = POLLIN},
			{.fd = d->follow->watch.fd, .events = POLLIN}};
		int n = poll(p, 2, p[1].fd < 0 ? RUN_RETRY_MS : -1);

		if (n < 0 && errno != EINTR)
			return fail(EX_OSERR, "poll: %s", strerror(errno));
		if (n >= 0)
			follow_drain(d->follow);
		if (n > 0 && p[0].revents)
			return EX_OK;
	}
}

/* --- all of it ------------------------------------------------------------------------------- */

static void clear(struct adding *d)
{
	client_close(&d->calls);
	client_close(&d->ask);
	for (unsigned i = 0; i < d->count; i++)
		json_decref(d->ring[(d->first + i) % IN_FLIGHT].parameters);
}

int adding_labels(struct args *a, struct follow *follow, const char *path)
{
	struct adding d = {.a = a, .follow = follow, .ask = {.fd = -1}};
	const struct labels_sink sink = {
		take_label, take_replies, follow ? wait_for_label : NULL, &d};
	int status = run_open(a, &d.calls), taken;

	if (status != EX_OK)
		return status;
	status = labels_read(path, &sink);
	taken = take_replies(&d);
	status = status != EX_OK ? status : taken;
	run_progress(a, NULL);
	if (status == EX_OK && d.labels == 0)
		status = fail(EX_DATAERR, "%s: no label in it", secret_file_name(path));
	if (status == EX_OK && d.refused > 0 && d.labels > 1)
		(void)fail(0, "%u of %u labels were not added", d.refused, d.labels);
	clear(&d);
	return status != EX_OK ? status : d.status;
}
