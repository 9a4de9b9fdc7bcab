#include "cli/run.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "unit/suite.h"

/* What run_print_json writes to standard output. */
static const char *printed(const json_t *json)
{
	static char text[512];
	FILE *f = tmpfile();
	int saved = dup(STDOUT_FILENO), status;
	size_t n;

	ck_assert(f && saved >= 0);
	fflush(stdout);
	ck_assert_int_ge(dup2(fileno(f), STDOUT_FILENO), 0);
	status = run_print_json(json);
	fflush(stdout);
	ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
	close(saved);
	ck_assert_int_eq(status, EX_OK);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

START_TEST(json_cannot_steer_the_terminal_and_means_the_same)
{
	json_t *in = json_pack("{s:s}", "a",
		"\x1b[m \x7f \xc2\x9b \xe2\x80\xae \xe2\x80\x8b d\xc3\xb6r \xe2\x9c\x93 "
		"\xf0\x9f\x98\x80");
	const char *text = printed(in);
	json_t *back = json_loads(text, 0, NULL);

	ck_assert_str_eq(text, "{\"a\":\"\\u001B[m \\u007f \\u009b \\u202e \\u200b d\xc3\xb6r "
			       "\xe2\x9c\x93 \xf0\x9f\x98\x80\"}\n");
	ck_assert(json_equal(in, back));
	json_decref(in);
	json_decref(back);
}
END_TEST

START_TEST(arrays_stay_arrays_and_null_stays_null)
{
	json_t *in = json_loads("{\"rows\":[],\"next\":null,\"n\":7}", 0, NULL);

	ck_assert_str_eq(printed(in), "{\"rows\":[],\"next\":null,\"n\":7}\n");
	json_decref(in);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, json_cannot_steer_the_terminal_and_means_the_same);
	tcase_add_test(tc, arrays_stay_arrays_and_null_stays_null);
}

int main(void)
{
	return suite_main("run", fill);
}
