/* enrollee announce, network add, node add and remove: what takes secrets from files or waits. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/adding.h"
#include "cli/fail.h"
#include "cli/follow.h"
#include "cli/run.h"
#include "cli/secret_file.h"

/* --- one call, and waiting for what becomes of it -------------------------------------------- */

typedef void show_reply(const struct args *a, const json_t *reply);

/* What is answered is shown to people by show (may be NULL), and followed by follow (may be NULL).
 */
static int order(struct args *a, struct follow *follow, show_reply *show)
{
	struct client_reply r;
	int status = run_call(a, &r);

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

static void show_added(const struct args *a, const json_t *reply)
{
	adding_tell(a, reply, "added ", "");
}

static int take_key_file(struct args *a, const char *path)
{
	char *text = NULL, *at, *line;
	int status = secret_file_read(path, &text);
	json_t *key;

	if (status != EX_OK)
		return status;
	at = text;
	line = secret_file_line(&at);
	key = line && !secret_file_line(&at) ? secret_file_key(line) : NULL;
	secret_file_free(text);
	if (!key)
		return fail(
			EX_DATAERR, "%s: not one line of 32 hex digits", secret_file_name(path));
	if (json_object_set_new(a->parameters, "node_key", key) != 0)
		return fail(EX_OSERR, "out of memory");
	return EX_OK;
}

static int add_serial(struct args *a)
{
	const char *path = args_get(a, "--key-file");
	int status = path ? take_key_file(a, path) : EX_OK;

	if (status != EX_OK)
		return status;
	return args_get(a, "--wait") ? order_and_wait(a, &follow_node, show_added, 0)
				     : order(a, NULL, show_added);
}

/* Also what a file is wrong about does not stop the nodes that were added before. */
static int add_labels(struct args *a, const char *path)
{
	struct follow f;
	int status, waited = EX_OK;

	if (!args_get(a, "--wait"))
		return adding_labels(a, NULL, path);
	status = follow_open(&f, a, &follow_node);
	if (status != EX_OK)
		return status;
	status = adding_labels(a, &f, path);
	if (status != EX_UNAVAILABLE)
		waited = follow_until(&f, args_duration(a, "--timeout", 0));
	follow_close(&f);
	return status != EX_OK ? status : waited;
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

int run_node_add(struct args *a)
{
	const char *labels = args_get(a, "--qr-file");
	int status = check_choice(a);

	if (status != EX_OK)
		return status;
	if (args_get(a, "--nearby"))
		(void)fputs(
			"warning: --nearby: the keys of the network are sent so that anybody in "
			"radio range can read them\n",
			stderr);
	return labels ? add_labels(a, labels) : add_serial(a);
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
