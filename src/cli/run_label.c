/* node label: the text, and the drawings. It holds the node's key. */
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "cli/fail.h"
#include "cli/run.h"
#include "cli/text.h"

/* A label is printable ASCII: what is not is escaped in it. */
static int put_label(const char *label)
{
	text_print(stdout, label);
	return putchar('\n') == EOF || fflush(stdout) != 0;
}

static int print(const struct args *a, const json_t *reply)
{
	const char *label = json_string_value(json_object_get(reply, "label"));
	bool drawn = args_get(a, "--qr") || args_get(a, "--png");
	int status = EX_OK;

	if (!label)
		return fail(EX_PROTOCOL, "enrolld answered without a label");
	if (a->json)
		status = run_print_json(reply);
	else if (!drawn && put_label(label) != 0)
		status = fail(EX_IOERR, "standard output: cannot write");
	return status == EX_OK ? run_draw(a, label) : status;
}

int run_node_label(struct args *a)
{
	struct client_reply r;
	int status = run_call(a, &r);

	if (status != EX_OK)
		return status;
	status = print(a, r.parameters);
	client_reply_clear(&r);
	return status;
}
