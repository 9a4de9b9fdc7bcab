/* enrollee announce, network add, node add and remove: what takes secrets from files or waits. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/fail.h"
#include "cli/follow.h"
#include "cli/labels.h"
#include "cli/run.h"
#include "cli/secret_file.h"

#define IN_FLIGHT 32 /* calls that wait for their replies: they share the daemon's commits */

/* --- one call, and waiting for what becomes of it -------------------------------------------- */

typedef void show_reply(const struct args *a, const json_t *reply);

/* What is answered is shown to people by show (may be NULL), and followed by follow (may be NULL).
 */
static int order(struct args *a, struct follow *follow, show_reply *show)
{
	struct client c;
	struct client_reply r;
	int status = run_open(a, &c);

	if (status != EX_OK)
		return status;
	status = fail_or_call(a, &c, a->verb->method, run_take_parameters(a), &r);
	client_close(&c);
	if (status != EX_OK)
		return status;
	if (a->json)
		status = run_print_json(r.parameters);
	else if (show)
		show(a, r.parameters);
	(void)fflush(stdout);
	if (follow)
		follow_add(follow, r.parameters);
	client_reply_clear(&r);
	return status;
}

static int order_and_wait(
	struct args *a, const struct follow_kind *kind, show_reply *show, uint32_t limit_s)
{
	struct follow f;
	int status = follow_open(&f, a, kind);

	if (status != EX_OK)
		return status;
	status = order(a, &f, show);
	if (status == EX_OK)
		status = follow_until(&f, args_duration(a, "--timeout", limit_s));
	follow_close(&f);
	return status;
}

int run_enrollee_announce(struct args *a)
{
	return args_get(a, "--wait") ? order_and_wait(a, &follow_enrollee, run_print_reply, 0)
				     : run_show(a);
}

/* --- network add ------------------------------------------------------------------------- */

/* "network_key 0011...": also with ':' or '=' after the name. */
static int take_key_line(struct args *a, const char *path, char *line)
{
	static const char *const names[] = {
		"network_key", "user_base_key", "organization_key", NULL};
	size_t n = strcspn(line, " \t:=");
	json_t *key =
		line[n] ? secret_file_key(line + n + 1 + strspn(line + n + 1, " \t:=")) : NULL;

	for (size_t i = 0; names[i] && key; i++) {
		if (strlen(names[i]) != n || strncmp(line, names[i], n) != 0)
			continue;
		if (json_object_get(a->parameters, names[i])) {
			json_decref(key);
			return fail(EX_DATAERR, "%s: %s is there twice", secret_file_name(path),
				names[i]);
		}
		return json_object_set_new(a->parameters, names[i], key) == 0
			       ? EX_OK
			       : fail(EX_OSERR, "out of memory");
	}
	json_decref(key);
	return fail(EX_DATAERR,
		"%s: a line is not network_key, user_base_key or organization_key and 32 hex "
		"digits",
		secret_file_name(path));
}

int run_network_add(struct args *a)
{
	const char *path = args_get(a, "--key-file");
	char *text = NULL, *at, *line;
	int status = path ? secret_file_read(path, &text) : EX_OK;

	at = text;
	while (status == EX_OK && (line = secret_file_line(&at)) != NULL)
		status = take_key_line(a, path, line);
	secret_file_free(text);
	return status == EX_OK ? run_show(a) : status;
}

/* --- node add ---------------------------------------------------------------------------- */

struct adding {
	struct args *a;
	struct client c;
	struct follow *follow; /* NULL: nobody waits */
	unsigned sent, answered, failed;
	int status; /* of the first failure */
};

static void tell_added(struct adding *d, const json_t *reply)
{
	const json_t *node = json_object_get(reply, "node");

	if (d->a->json)
		(void)run_print_json(reply);
	else
		(void)printf("added node %s: network %lld, node id %lld\n",
			json_string_value(json_object_get(node, "serial")),
			(long long)json_integer_value(json_object_get(node, "network_id")),
			(long long)json_integer_value(json_object_get(node, "node_id")));
	if (d->follow)
		follow_add(d->follow, reply);
}

static int take_reply(struct adding *d)
{
	struct client_reply r;
	enum err e = client_receive(&d->c, CLIENT_TIMEOUT_MS, &r);
	int status;

	if (e != ERR_OK)
		return fail_client(d->a, e);
	d->answered++;
	if (r.error) {
		if (d->sent > 1)
			(void)fprintf(stderr, "label %u: ", d->answered);
		status = fail_reply(d->a, &r);
		d->status = d->failed++ == 0 ? status : d->status;
	} else {
		tell_added(d, r.parameters);
	}
	client_reply_clear(&r);
	return EX_OK;
}

/* parameters: stolen. */
static int send_one(struct adding *d, json_t *parameters)
{
	enum err e = client_send(&d->c, d->a->verb->method, parameters, false);

	if (e != ERR_OK)
		return fail_client(d->a, e);
	d->sent++;
	if (d->sent % 64 == 0)
		run_progress(d->a, "%u sent, %u answered ", d->sent, d->answered);
	return d->sent - d->answered < IN_FLIGHT ? EX_OK : take_reply(d);
}

static int take_label(void *ctx, const char *text)
{
	struct adding *d = ctx;
	json_t *p = json_copy(d->a->parameters), *label = json_string(text);

	if (!label) {
		json_decref(p);
		return fail(EX_DATAERR, "label %u is not text", d->sent + 1);
	}
	if (!p || json_object_set_new(p, "label", label) != 0) {
		json_decref(p);
		return fail(EX_OSERR, "out of memory");
	}
	return send_one(d, p);
}

/* Whoever holds the scanner wants to know before the next label. */
static int take_replies(void *ctx)
{
	struct adding *d = ctx;
	int status = EX_OK;

	while (status == EX_OK && d->answered < d->sent)
		status = take_reply(d);
	(void)fflush(stdout);
	return status;
}

static int send_labels(struct adding *d, const char *path)
{
	const struct labels_sink sink = {take_label, take_replies, d};
	int status = labels_read(path, &sink);

	if (status == EX_OK && d->sent == 0)
		return fail(EX_DATAERR, "%s: no label in it", secret_file_name(path));
	return status;
}

static int send_serial(struct adding *d, const char *path)
{
	char *text = NULL, *at, *line;
	json_t *key = NULL;
	int status = path ? secret_file_read(path, &text) : EX_OK;

	at = text;
	line = at ? secret_file_line(&at) : NULL;
	if (status == EX_OK && path)
		key = line && !secret_file_line(&at) ? secret_file_key(line) : NULL;
	secret_file_free(text);
	if (status == EX_OK && path && !key)
		return fail(
			EX_DATAERR, "%s: not one line of 32 hex digits", secret_file_name(path));
	if (key && json_object_set_new(d->a->parameters, "node_key", key) != 0)
		return fail(EX_OSERR, "out of memory");
	return status == EX_OK ? send_one(d, run_take_parameters(d->a)) : status;
}

static int check_choice(const struct args *a)
{
	bool serial = args_get(a, "SERIAL") != NULL, qr = args_get(a, "--qr-file") != NULL;

	if (serial == qr)
		return fail(EX_USAGE, "node add takes either --qr-file FILE or a SERIAL");
	if (qr && args_get(a, "--key-file"))
		return fail(EX_USAGE, "the labels have the keys: leave --key-file away");
	if (serial && !args_get(a, "--key-file") && !args_get(a, "--nearby") &&
		!args_get(a, "--from-network"))
		return fail(EX_USAGE, "the node key is needed: --key-file FILE or -");
	return EX_OK;
}

static int send_all(struct adding *d)
{
	const char *labels = args_get(d->a, "--qr-file");
	int status = run_open(d->a, &d->c);

	if (status != EX_OK)
		return status;
	status = labels ? send_labels(d, labels) : send_serial(d, args_get(d->a, "--key-file"));
	if (status == EX_OK)
		status = take_replies(d);
	run_progress(d->a, NULL);
	client_close(&d->c);
	(void)fflush(stdout);
	if (status == EX_OK && d->failed > 0 && d->sent > 1)
		(void)fail(0, "%u of %u labels were not added", d->failed, d->sent);
	return status != EX_OK ? status : d->status;
}

int run_node_add(struct args *a)
{
	struct follow f = {.a = a};
	bool wait = args_get(a, "--wait") != NULL;
	struct adding d = {.a = a, .follow = wait ? &f : NULL};
	int status = check_choice(a), waited = EX_OK;

	if (status == EX_OK && wait)
		status = follow_open(&f, a, &follow_node);
	if (status != EX_OK)
		return status;
	if (args_get(a, "--nearby"))
		(void)fputs(
			"warning: --nearby: the keys of the network are sent so that anybody in "
			"radio range can read them\n",
			stderr);
	status = send_all(&d);
	if (wait) {
		waited = follow_until(&f, args_duration(a, "--timeout", 0));
		follow_close(&f);
	}
	return status != EX_OK ? status : waited;
}

/* --- node remove, node set-network --------------------------------------------------------- */

int run_node_remove(struct args *a)
{
	return args_get(a, "--wait") ? order_and_wait(a, &follow_removal, NULL, 600) : run_done(a);
}

int run_node_set_network(struct args *a)
{
	return args_get(a, "--wait") ? order_and_wait(a, &follow_move, NULL, 600) : run_done(a);
}
