/* mesh proposals, mesh nodes, mesh set-enrolled-nodes: answers are shown as they come. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/fail.h"
#include "cli/run.h"
#include "cli/table.h"
#include "cli/text.h"

/* What a call's replies are to people, and its exit status. */
struct view {
	int (*show)(struct args *a, void *ctx, const json_t *reply); /* EX_OK to go on */
	int (*judge)(const json_t *reply); /* of the last one; EX_OK, or why has been said */
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static long long number_of(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static bool is_event(const json_t *reply, const char *event)
{
	return strcmp(text_of(reply, "event"), event) == 0;
}

static int take_reply(
	struct args *a, const struct client_reply *r, const struct view *view, void *ctx)
{
	int status;

	if (r->error) {
		run_progress(a, NULL);
		return fail_reply(a, r);
	}
	status = a->json ? run_print_json(r->parameters) : view->show(a, ctx, r->parameters);
	return status == EX_OK && !r->continues ? view->judge(r->parameters) : status;
}

/* All replies of a call that ends by itself; the daemon bounds its time. */
static int follow_call(struct args *a, const struct view *view, void *ctx)
{
	struct client c;
	int status = run_open(a, &c);
	bool more = true;
	enum err e;

	if (status != EX_OK)
		return status;
	e = client_send(&c, a->verb->method, run_take_parameters(a), true);
	while (e == ERR_OK && status == EX_OK && more) {
		struct client_reply r;

		e = client_receive(&c, CLIENT_FOREVER, &r);
		if (e != ERR_OK)
			break;
		more = r.continues;
		status = take_reply(a, &r, view, ctx);
		client_reply_clear(&r);
	}
	client_close(&c);
	run_progress(a, NULL);
	return e == ERR_OK ? status : fail_client(a, e);
}

/* --- proposals --------------------------------------------------------------------------- */

static void print_proposal(const json_t *p)
{
	const char *name = text_of(p, "name"), *state = text_of(p, "state");

	text_print(stdout, text_of(p, "serial"));
	(void)printf(" is heard by node %lld", number_of(p, "node_id"));
	if (*name || *state) {
		(void)fputs(" (", stdout);
		text_print(stdout, name);
		(void)fputs(*name && *state ? ", " : "", stdout);
		text_print(stdout, state);
		(void)fputs(")", stdout);
	}
	(void)puts(json_is_true(json_object_get(p, "unsolicited")) ? ", unsolicited" : "");
}

static int judge_proposals(const json_t *p)
{
	long long heard = number_of(p, "heard"), asked = number_of(p, "asked");

	if (asked == 0 || heard == asked)
		return EX_OK;
	return fail(
		EXIT_JOB_FAILED, "%lld of %lld are not heard by any member", asked - heard, asked);
}

static int show_proposal(struct args *a, void *ctx, const json_t *p)
{
	(void)ctx;
	run_progress(a, NULL);
	if (is_event(p, "proposal"))
		print_proposal(p);
	if (number_of(p, "rounds") > 0 && !is_event(p, "end"))
		run_progress(a, "round %lld of %lld, %lld of %lld heard ", number_of(p, "round"),
			number_of(p, "rounds"), number_of(p, "heard"), number_of(p, "asked"));
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int run_mesh_proposals(struct args *a)
{
	static const struct view view = {show_proposal, judge_proposals};

	return follow_call(a, &view, NULL);
}

/* --- nodes ------------------------------------------------------------------------------- */

static int print_nodes(struct args *a, const json_t *rows)
{
	struct table_style style = table_style_for(stdout);

	run_progress(a, NULL);
	table_print(stdout, &style, a->verb->columns, rows);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static int judge_nodes(const json_t *p)
{
	long long answered = number_of(p, "answered"), expected = number_of(p, "expected");

	if (answered >= expected)
		return EX_OK;
	return fail(EXIT_JOB_FAILED, "%lld of %lld members did not answer", expected - answered,
		expected);
}

static int show_node(struct args *a, void *ctx, const json_t *p)
{
	json_t *rows = ctx, *node = json_object_get(p, "node");

	if (is_event(p, "node") && json_array_append(rows, node) != 0)
		return fail(EX_OSERR, "out of memory");
	if (is_event(p, "end"))
		return print_nodes(a, rows);
	run_progress(a, "%lld of %lld have answered ", number_of(p, "answered"),
		number_of(p, "expected"));
	return EX_OK;
}

int run_mesh_nodes(struct args *a)
{
	static const struct view view = {show_node, judge_nodes};
	json_t *rows = json_array();
	int status = rows ? follow_call(a, &view, rows) : fail(EX_OSERR, "out of memory");

	json_decref(rows);
	return status;
}

/* --- set-enrolled-nodes ------------------------------------------------------------------ */

static int show_setting(struct args *a, void *ctx, const json_t *p)
{
	(void)a;
	(void)ctx;
	(void)printf("network %lld: %lld members know that they are %lld\n",
		number_of(p, "network_id"), number_of(p, "confirmed"), number_of(p, "count"));
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static int judge_setting(const json_t *p)
{
	if (number_of(p, "confirmed") > 0)
		return EX_OK;
	return fail(EXIT_JOB_FAILED, "no member has confirmed it: it may not have arrived");
}

int run_mesh_set_enrolled_nodes(struct args *a)
{
	static const struct view view = {show_setting, judge_setting};

	return follow_call(a, &view, NULL);
}
