#include "cli/args.h"

#include <string.h>
#include <sysexits.h>

#include "cli/fail.h"
#include "unit/suite.h"

/* Parses "node add FMBBC --network 10": words cut at blanks. */
static int parse(const char *line, struct args *a)
{
	static char text[512], *argv[32];
	int argc = 1;

	argv[0] = text;
	strcpy(text, line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return args_parse(argc, argv, a);
}

static void expect_parameters(const char *line, const char *json)
{
	struct args a;
	json_t *want = json_loads(json, 0, NULL);

	ck_assert_msg(parse(line, &a) == EX_OK, "%s", line);
	ck_assert_msg(json_equal(a.parameters, want), "%s", line);
	json_decref(want);
	args_clear(&a);
}

START_TEST(options_become_parameters)
{
	expect_parameters("status", "{}");
	expect_parameters(
		"bundle issue --count 3 --lifetime 15m", "{\"count\":3,\"lifetime_s\":900}");
	expect_parameters("bundle issue --lifetime=7d --qr", "{\"lifetime_s\":604800}");
	expect_parameters("bundle show 3f9a1c07", "{\"id\":\"3f9a1c07\"}");
	expect_parameters("enrollee announce enk1:AA --bundle 3f9a1c07 --name kitchen --wait",
		"{\"key\":\"enk1:AA\",\"bundle_id\":\"3f9a1c07\",\"name\":\"kitchen\"}");
	expect_parameters("network show 10 --reveal-keys", "{\"id\":10,\"reveal_keys\":true}");
	expect_parameters("node add FMBBC --network 10 --key-file - --asset",
		"{\"serial\":\"FMBBC\",\"network_id\":10,\"asset\":true}");
	expect_parameters("audit verify --from 12:ab", "{\"from\":\"12:ab\"}");
}
END_TEST

START_TEST(global_options_stand_anywhere)
{
	struct args a;

	ck_assert_int_eq(parse("--socket /x --json node list", &a), EX_OK);
	ck_assert(a.json);
	ck_assert_str_eq(a.socket, "/x");
	args_clear(&a);
	ck_assert_int_eq(parse("node list --socket=/y --json", &a), EX_OK);
	ck_assert(a.json);
	ck_assert_str_eq(a.socket, "/y");
	args_clear(&a);
	ck_assert_int_eq(parse("node add --help", &a), EX_OK);
	ck_assert(a.help);
	args_clear(&a);
}
END_TEST

START_TEST(what_follows_two_dashes_is_the_command)
{
	struct args a;

	ck_assert_int_eq(
		parse("enroll --name k -- ssh host enrollee --json serve-stdio", &a), EX_OK);
	ck_assert(!a.json);
	ck_assert_str_eq(a.command[0], "ssh");
	ck_assert_str_eq(a.command[3], "--json");
	ck_assert_ptr_null(a.command[5]);
	args_clear(&a);
}
END_TEST

START_TEST(takes_as_many_serial_numbers_as_there_are)
{
	struct args a;
	json_t *list;

	ck_assert_int_eq(parse("mesh proposals FMBBC FMBBD --network 10 FMBBF", &a), EX_OK);
	list = json_object_get(a.parameters, "serials");
	ck_assert_uint_eq(json_array_size(list), 3);
	ck_assert_str_eq(json_string_value(json_array_get(list, 2)), "FMBBF");
	ck_assert_int_eq(json_integer_value(json_object_get(a.parameters, "network_id")), 10);
	args_clear(&a);
	ck_assert_int_eq(parse("mesh proposals", &a), EX_OK);
	ck_assert_ptr_null(json_object_get(a.parameters, "serials"));
	args_clear(&a);
	ck_assert_int_eq(
		parse("mesh proposals FMBBC 00112233445566778899aabbccddeeff", &a), EX_USAGE);
	args_clear(&a);
}
END_TEST

START_TEST(refuses_wrong_usage)
{
	static const char *const rows[] = {
		"",
		"bundle",
		"bundel issue",
		"bundle isue",
		"bundle issue extra",
		"bundle issue --count",
		"bundle issue --count x",
		"bundle issue --count -1",
		"bundle issue --count 1 --count 2",
		"bundle issue --lifetime 3x",
		"bundle issue --lifetime 0",
		"bundle issue --qr=yes",
		"bundle issue --nonsense",
		"bundle show",
		"enrollee announce enk1:AA",
		"network add",
		"network add ten",
		"status --socket",
		"--nonsense status",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct args a;

		ck_assert_msg(parse(rows[i], &a) == EX_USAGE, "%s", rows[i]);
		args_clear(&a);
	}
}
END_TEST

START_TEST(refuses_a_key_on_the_command_line)
{
	static const char *const rows[] = {
		"node add --key 00112233445566778899aabbccddeeff",
		"node add --node-key=00112233445566778899aabbccddeeff FMBBC",
		"node add --qr qt=1&v=1&mf=024D&s=FMBBC&nk=00112233445566778899AABBCCDDEEFF",
		"node add qt=1&v=1&mf=024D&s=FMBBC&nk=00112233445566778899AABBCCDDEEFF",
		"node add 00112233445566778899aabbccddeeff",
		"node add 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
		"node add FMBBC 00112233445566778899aabbccddeeff",
		"network add 10 --network-key 00112233445566778899aabbccddeeff",
		"network add 10 --key x",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct args a;

		ck_assert_msg(parse(rows[i], &a) == EX_USAGE, "%s", rows[i]);
		args_clear(&a);
	}
}
END_TEST

START_TEST(every_command_explains_itself)
{
	for (const struct verb *v = enrollctl_verbs; v->noun; v++) {
		unsigned opts = 0;

		ck_assert_msg(v->summary && v->run && v->opts, "%s %s", v->noun, v->verb);
		ck_assert_msg(v->example && strstr(v->example, "  enrollctl "), "%s %s", v->noun,
			v->verb);
		for (const struct opt *o = v->opts; o->name; o++, opts++)
			ck_assert_msg(o->type == OPT_SECRET || o->help, "%s %s %s", v->noun,
				v->verb ? v->verb : "", o->name);
		ck_assert_uint_le(opts, OPTS_MAX);
	}
}
END_TEST

START_TEST(errors_have_their_exit_status)
{
	static const struct {
		const char *error;
		int status;
	} rows[] = {{"PermissionDenied", 77}, {"NotFound", 66}, {"Conflict", 65},
		{"InvalidArgument", 65}, {"QuotaExceeded", 75}, {"Expired", 65}, {"Busy", 75},
		{"StorageFull", 74}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char name[64] = "org.enrolld.control.";

		strcat(name, rows[i].error);
		ck_assert_int_eq(fail_status_of(name), rows[i].status);
	}
	ck_assert_int_eq(fail_status_of("org.varlink.service.MethodNotFound"), EX_PROTOCOL);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, options_become_parameters);
	tcase_add_test(tc, global_options_stand_anywhere);
	tcase_add_test(tc, what_follows_two_dashes_is_the_command);
	tcase_add_test(tc, takes_as_many_serial_numbers_as_there_are);
	tcase_add_test(tc, refuses_wrong_usage);
	tcase_add_test(tc, refuses_a_key_on_the_command_line);
	tcase_add_test(tc, every_command_explains_itself);
	tcase_add_test(tc, errors_have_their_exit_status);
}

int main(void)
{
	return suite_main("args", fill);
}
