#include "cli/termcall.h"

#include <string.h>

#include "cli/args.h"
#include "core/job.h"
#include "unit/suite.h"

static struct termcall_verdict judge(enum termline_verb verb, const char *state, const char *reason)
{
	json_t *event = json_pack("{s:s,s:s?}", "state", state, "reason", reason);
	struct termcall_verdict v = termcall_judge(verb, event);

	json_decref(event);
	return v;
}

/* The words come from where the daemon has them. */
START_TEST(every_result_code_is_an_answer)
{
	static const struct {
		uint8_t code;
		enum job_reason reason;
	} rows[] = {{0x01, JOB_REASON_BUSY}, {0x02, JOB_REASON_STORAGE}, {0x03, JOB_REASON_STORAGE},
		{0x04, JOB_REASON_LOCKED}, {0x05, JOB_REASON_STORAGE}, {0x06, JOB_REASON_STORAGE},
		{0x10, JOB_REASON_OTHER_ENROLLMENT}, {0x11, JOB_REASON_PREENROLLMENT},
		{0x12, JOB_REASON_SIG_CONFIGURATION}, {0x13, JOB_REASON_NODE_ID},
		{0x77, JOB_REASON_UNKNOWN_CODE}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct termcall_verdict v;
		char words[JOB_TEXT_SIZE];

		job_explain(JOB_FAILED, rows[i].reason, rows[i].code, words);
		v = judge(TERMLINE_ENROLL, "failed", words);
		ck_assert(v.answered && v.over && v.code == rows[i].code);
		v = judge(TERMLINE_ENROLL, "waiting", words);
		ck_assert(v.answered && !v.over && v.code == rows[i].code);
	}
	ck_assert(judge(TERMLINE_ENROLL, "saved", NULL).answered);
	ck_assert_uint_eq(judge(TERMLINE_ENROLL, "saved", NULL).code, 0);
	ck_assert(judge(TERMLINE_ENROLL, "joined", NULL).over);
}
END_TEST

START_TEST(silence_is_no_answer)
{
	for (int i = 0; i < JOB_REASON_COUNT; i++) {
		enum job_reason r = (enum job_reason)i;
		bool own = r >= JOB_REASON_BUSY && r <= JOB_REASON_UNKNOWN_CODE;
		struct termcall_verdict v;
		char words[JOB_TEXT_SIZE];

		job_explain(JOB_WAITING, r, 0x10, words);
		v = judge(TERMLINE_ENROLL, "waiting", words);
		ck_assert(v.answered == own && !v.over);
	}
	ck_assert(!judge(TERMLINE_ENROLL, "sent", NULL).answered);
	ck_assert(judge(TERMLINE_ENROLL, "expired", NULL).over);
	ck_assert(!judge(TERMLINE_ENROLL, "expired", NULL).answered);
}
END_TEST

START_TEST(a_removal_is_answered_by_removed_alone)
{
	ck_assert(judge(TERMLINE_REMOVE, "removed", NULL).answered);
	ck_assert(!judge(TERMLINE_REMOVE, "unconfirmed", NULL).answered);
	ck_assert(judge(TERMLINE_REMOVE, "unconfirmed", NULL).over);
	ck_assert(!judge(TERMLINE_REMOVE, "removing", NULL).over);
}
END_TEST

START_TEST(an_asset_says_that_it_has_moved_or_that_it_is_none)
{
	char words[JOB_TEXT_SIZE];
	struct termcall_verdict v = judge(TERMLINE_SET_NETWORK, "joined", NULL);

	ck_assert(v.answered && v.over && v.code == 0);
	job_explain(JOB_JOINED, JOB_REASON_NOT_ASSET, 0, words);
	v = judge(TERMLINE_SET_NETWORK, "joined", words);
	ck_assert(v.answered && v.over && v.code == 1);
	job_explain(JOB_JOINED, JOB_REASON_NOT_MOVED, 0, words);
	v = judge(TERMLINE_SET_NETWORK, "joined", words);
	ck_assert(!v.answered && v.over);
	ck_assert(!judge(TERMLINE_SET_NETWORK, "sent", NULL).over);
}
END_TEST

START_TEST(errors_become_the_vendors_codes)
{
	ck_assert_int_eq(termcall_code_of("org.enrolld.control.Conflict"), TERMLINE_WRONG);
	ck_assert_int_eq(termcall_code_of("org.enrolld.control.InvalidArgument"), TERMLINE_WRONG);
	ck_assert_int_eq(termcall_code_of("org.enrolld.control.Busy"), TERMLINE_INTERNAL);
	ck_assert_int_eq(
		termcall_code_of("org.enrolld.control.PermissionDenied"), TERMLINE_INTERNAL);
	ck_assert_int_eq(
		termcall_code_of("org.varlink.service.MethodNotFound"), TERMLINE_NOT_FOUND);
}
END_TEST

static json_t *parameters(const char *text, const char *option)
{
	char program[] = "enrollctl", verb[] = "terminal", extra[32];
	char *argv[] = {program, verb, extra, NULL};
	struct termline line;
	struct args a;
	json_t *p;

	(void)strncpy(extra, option ? option : "--json", sizeof(extra) - 1);
	extra[sizeof(extra) - 1] = '\0';
	ck_assert_int_eq(args_parse(3, argv, &a), 0);
	ck_assert_int_eq(termline_parse(text, strlen(text), &line), ERR_OK);
	p = termcall_parameters(&line, &a);
	args_clear(&a);
	return p;
}

static void asks(const char *text, const char *option, const char *want)
{
	json_t *got = parameters(text, option), *wanted = json_loads(want, 0, NULL);

	ck_assert_ptr_nonnull(wanted);
	ck_assert_msg(json_equal(got, wanted), "%s", text);
	json_decref(got);
	json_decref(wanted);
}

START_TEST(a_line_becomes_a_call)
{
	asks("action 0 enroll basic BBBBB 3 7", NULL,
		"{\"serial\":\"BBBBB\",\"node_id\":3,\"network_id\":7,\"timeout_s\":10,"
		"\"without_key\":true}");
	asks("action 0 enroll basic BBBBB 3 7", "--nearby",
		"{\"serial\":\"BBBBB\",\"node_id\":3,\"network_id\":7,\"timeout_s\":10,"
		"\"nearby\":true}");
	asks("action 0 enroll basic BBBBB 33000 7 11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11 "
	     "AAAAAAAAAAAAAAAAAAAAAA== AAAAAAAAAAAAAAAAAAAAAA== "
	     "22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22 1 0 9",
		NULL,
		"{\"serial\":\"BBBBB\",\"node_id\":33000,\"network_id\":7,\"timeout_s\":3,"
		"\"asset\":true,\"force\":true,\"network_key\":"
		"\"11111111111111111111111111111111\",\"node_key\":"
		"\"22222222222222222222222222222222\"}");
	asks("action 0 enroll request_proposals BBBBC BBBBD", NULL,
		"{\"serials\":[\"BBBBC\",\"BBBBD\"]}");
	asks("action 0 enroll remove BBBBC", NULL, "{\"serial\":\"BBBBC\"}");
}
END_TEST

/* Taking over a node that is enrolled elsewhere has to be said: absent, and 1, are no force. */
START_TEST(nothing_said_is_no_force)
{
	static const char *const head = "action 0 enroll basic BBBBB 3 7 "
					"11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11 "
					"AAAAAAAAAAAAAAAAAAAAAA== AAAAAAAAAAAAAAAAAAAAAA== "
					"22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22";
	static const struct {
		const char *tail;
		bool is_force;
	} rows[] = {{"", false}, {" 10", false}, {" 10 1", false}, {" 10 1 9", false},
		{" 10 0", true}, {" 10 0 9", true}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[300];
		json_t *got;

		snprintf(text, sizeof(text), "%s%s", head, rows[i].tail);
		got = parameters(text, NULL);
		ck_assert_msg(json_is_true(json_object_get(got, "force")) == rows[i].is_force, "%s",
			text);
		json_decref(got);
	}
}
END_TEST

START_TEST(an_asset_is_found_if_it_is_clear_which)
{
	json_t *nodes =
		json_loads("[{\"serial\":\"A1\",\"device_type\":\"asset\",\"node_id\":33000},"
			   "{\"serial\":\"A2\",\"device_type\":\"asset\",\"node_id\":33001},"
			   "{\"serial\":\"N1\",\"device_type\":\"static\",\"node_id\":1}]",
			0, NULL);

	ck_assert_str_eq(termcall_find_asset(nodes, 33001), "A2");
	ck_assert_ptr_null(termcall_find_asset(nodes, 0));
	ck_assert_ptr_null(termcall_find_asset(nodes, 1));
	json_array_remove(nodes, 0);
	ck_assert_str_eq(termcall_find_asset(nodes, 0), "A2");
	json_decref(nodes);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, every_result_code_is_an_answer);
	tcase_add_test(tc, silence_is_no_answer);
	tcase_add_test(tc, a_removal_is_answered_by_removed_alone);
	tcase_add_test(tc, an_asset_says_that_it_has_moved_or_that_it_is_none);
	tcase_add_test(tc, errors_become_the_vendors_codes);
	tcase_add_test(tc, a_line_becomes_a_call);
	tcase_add_test(tc, nothing_said_is_no_force);
	tcase_add_test(tc, an_asset_is_found_if_it_is_clear_which);
}

int main(void)
{
	return suite_main("termcall", fill);
}
