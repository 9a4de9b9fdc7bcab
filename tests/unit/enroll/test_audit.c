#include "enroll/audit.h"

#include "unit/suite.h"

static const struct caller ALICE = {.uid = 1001, .role = ROLE_ENROLLER, .name = "alice"};

START_TEST(keys_are_sorted_and_no_space_is_wasted)
{
	struct audit a;
	char out[AUDIT_JSON_MAX];

	audit_start(&a, "bundle_issued", &ALICE);
	audit_hex(&a, "bundle", "\x01\xab", 2);
	audit_u64(&a, "at", UINT64_MAX);
	audit_text(&a, "name", "");
	ck_assert_int_eq(audit_print(&a, out, sizeof(out)), ERR_OK);
	ck_assert_str_eq(out, "{\"at\":18446744073709551615,\"bundle\":\"01ab\",\"by\":\"alice\","
			      "\"event\":\"bundle_issued\",\"name\":\"\",\"uid\":1001}");
}
END_TEST

START_TEST(strings_are_escaped_as_json_demands)
{
	struct audit a;
	char out[AUDIT_JSON_MAX];

	audit_start(&a, "e", NULL);
	audit_text(&a, "t", "a\"b\\c\n\x1f\xc3\xa9/");
	ck_assert_int_eq(audit_print(&a, out, sizeof(out)), ERR_OK);
	ck_assert_str_eq(out, "{\"event\":\"e\",\"t\":\"a\\\"b\\\\c\\u000a\\u001f\xc3\xa9/\"}");
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
	struct audit a;
	char out[AUDIT_JSON_MAX], text[AUDIT_JSON_MAX];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	audit_start(&a, "e", NULL);
	audit_text(&a, "t", text);
	ck_assert_int_eq(audit_print(&a, out, sizeof(out)), ERR_FULL);
	audit_start(&a, "e", NULL);
	for (int i = 0; i < AUDIT_FIELDS_MAX; i++)
		audit_u64(&a, "n", 1);
	ck_assert_int_eq(audit_print(&a, out, sizeof(out)), ERR_FULL);
	audit_start(&a, "e", NULL);
	ck_assert_int_eq(audit_print(&a, out, 5), ERR_FULL);
	ck_assert_int_eq(audit_print(&a, out, sizeof("{\"event\":\"e\"}")), ERR_OK);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, keys_are_sorted_and_no_space_is_wasted);
	tcase_add_test(tc, strings_are_escaped_as_json_demands);
	tcase_add_test(tc, what_does_not_fit_is_refused);
}

int main(void)
{
	return suite_main("audit_json", fill);
}
