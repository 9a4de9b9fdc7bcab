/* bundle issue, bundle show. The bundles alone go to standard output, so that they can be piped. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/fail.h"
#include "cli/qr.h"
#include "cli/run.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/when.h"

static int draw_if_asked(const struct args *a, const json_t *bundle)
{
	const char *text = json_string_value(json_object_get(bundle, "text"));

	if (!args_get(a, "--qr") && !args_get(a, "--png"))
		return EX_OK;
	if (!text)
		return fail(EX_DATAERR, "there is no bundle to draw: it is closed, or not for you");
	return run_draw(a, text);
}

/* To a person who looks on: which bundle, and how long. */
static void tell(const json_t *bundle)
{
	struct table_style style = table_style_for(stderr);
	char when[WHEN_TEXT_SIZE];
	json_int_t at = json_integer_value(json_object_get(bundle, "expires_at"));

	when_print_relative((uint64_t)at, style.now, when);
	(void)fprintf(stderr, "bundle ");
	text_print(stderr, json_string_value(json_object_get(bundle, "id")));
	(void)fprintf(stderr, " expires %s\n", when);
}

static void print_texts(const json_t *bundles)
{
	size_t i;
	json_t *b;

	json_array_foreach((json_t *)(uintptr_t)bundles, i, b)
	{
		tell(b);
		text_print(stdout, json_string_value(json_object_get(b, "text")));
		(void)putchar('\n');
	}
}

static int check_drawable(const struct args *a)
{
	const char *count = args_get(a, "--count");

	if (count && strcmp(count, "1") != 0 && (args_get(a, "--qr") || args_get(a, "--png")))
		return fail(EX_USAGE, "--qr and --png draw one bundle; leave --count away");
	return EX_OK;
}

int run_bundle_issue(struct args *a)
{
	struct client_reply r;
	const json_t *bundles;
	int status = check_drawable(a);

	if (status == EX_OK)
		status = run_call(a, &r);
	if (status != EX_OK)
		return status;
	bundles = json_object_get(r.parameters, "bundles");
	if (a->json)
		status = run_print_json(r.parameters);
	else
		print_texts(bundles);
	if (status == EX_OK)
		status = draw_if_asked(a, json_array_get(bundles, 0));
	client_reply_clear(&r);
	return status;
}

int run_bundle_show(struct args *a)
{
	struct client_reply r;
	int status = run_call(a, &r);

	if (status != EX_OK)
		return status;
	if (a->json)
		status = run_print_json(r.parameters);
	else
		run_print_reply(a, r.parameters);
	if (status == EX_OK)
		status = draw_if_asked(a, json_object_get(r.parameters, "bundle"));
	client_reply_clear(&r);
	return status;
}
