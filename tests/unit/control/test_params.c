#include "control/params.h"

#include <string.h>

#include "unit/suite.h"

enum { COUNT, NAME, KEY, FLAG, LIST };
static const struct param table[] = {
	{"count", PARAM_UINT, true, 1, 1000},
	{"name", PARAM_TEXT, false, 1, 8},
	{"key", PARAM_HEX, false, 2, 2},
	{"flag", PARAM_BOOL, false, 0, 0},
	{"list", PARAM_LIST, false, 1, 3},
	{NULL, PARAM_BOOL, false, 0, 0},
};

static enum err decode(const char *text, struct params *p)
{
	static json_t *kept; /* text values are borrowed from it */

	json_decref(kept);
	kept = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(kept);
	return params_decode(table, kept, p);
}

START_TEST(decodes_every_type)
{
	struct params p;

	ck_assert_int_eq(decode("{\"flag\":true,\"count\":1000,\"name\":\"d\xc3\xb6r\","
				"\"key\":\"a0FF\",\"list\":[\"a\",\"bc\"]}",
				 &p),
		ERR_OK);
	ck_assert_uint_eq(p.v[COUNT].number, 1000);
	ck_assert_str_eq(p.v[NAME].text, "d\xc3\xb6r");
	ck_assert_uint_eq(p.v[NAME].n, 4);
	ck_assert(p.v[KEY].b[0] == 0xA0 && p.v[KEY].b[1] == 0xFF && p.v[KEY].n == 2);
	ck_assert(p.v[FLAG].given && p.v[FLAG].flag);
	ck_assert_uint_eq(p.v[LIST].n, 2);
	ck_assert_str_eq(json_string_value(json_array_get(p.v[LIST].list, 1)), "bc");
}
END_TEST

START_TEST(null_is_not_given)
{
	struct params p;

	ck_assert_int_eq(decode("{\"count\":1,\"name\":null}", &p), ERR_OK);
	ck_assert(!p.v[NAME].given && !p.v[KEY].given && !p.v[FLAG].given);
	ck_assert_int_eq(decode("{\"count\":null}", &p), ERR_INVALID);
	ck_assert_str_eq(p.field, "count");
}
END_TEST

START_TEST(refuses_by_name_and_reason)
{
	static const struct {
		const char *text, *field, *reason;
	} rows[] = {
		{"{}", "count", "missing"},
		{"{\"count\":0}", "count", "too small: less than 1"},
		{"{\"count\":-1}", "count", "too small: less than 1"},
		{"{\"count\":1001}", "count", "too large: more than 1000"},
		{"{\"count\":1.0}", "count", "not an integer"},
		{"{\"count\":\"1\"}", "count", "not an integer"},
		{"{\"count\":1,\"name\":\"\"}", "name", "empty"},
		{"{\"count\":1,\"name\":\"123456789\"}", "name", "too long: more than 8 bytes"},
		{"{\"count\":1,\"name\":1}", "name", "not a string"},
		{"{\"count\":1,\"name\":\"a\\u001b[m\"}", "name", "contains control characters"},
		{"{\"count\":1,\"name\":\"a\\n\"}", "name", "contains control characters"},
		{"{\"count\":1,\"name\":\"\\u009b\"}", "name", "contains control characters"},
		{"{\"count\":1,\"name\":\"\\u007f\"}", "name", "contains control characters"},
		{"{\"count\":1,\"name\":\"\\u202e\"}", "name", "contains control characters"},
		{"{\"count\":1,\"key\":\"a0f\"}", "key", "an odd number of hex digits"},
		{"{\"count\":1,\"key\":\"a0\"}", "key", "not 4 hex digits"},
		{"{\"count\":1,\"key\":\"a0a0a0\"}", "key", "not 4 hex digits"},
		{"{\"count\":1,\"key\":\"a0g0\"}", "key", "not hexadecimal"},
		{"{\"count\":1,\"key\":7}", "key", "not a string"},
		{"{\"count\":1,\"flag\":1}", "flag", "not a boolean"},
		{"{\"count\":1,\"list\":\"a\"}", "list", "not an array"},
		{"{\"count\":1,\"list\":[]}", "list", "not 1 to 3 of them"},
		{"{\"count\":1,\"list\":[\"a\",\"b\",\"c\",\"d\"]}", "list", "not 1 to 3 of them"},
		{"{\"count\":1,\"list\":[\"a\",1]}", "list", "not an array of strings"},
		{"{\"count\":1,\"list\":[\"a\",\"\"]}", "list", "empty"},
		{"{\"count\":1,\"list\":[\"\\u001b[m\"]}", "list", "contains control characters"},
		{"{\"count\":1,\"other\":1}", "other", "not a parameter of this method"},
		{"{\"count\":1,\"other\":null}", "other", "not a parameter of this method"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct params p;

		ck_assert_msg(decode(rows[i].text, &p) != ERR_OK, "%s", rows[i].text);
		ck_assert_msg(strcmp(p.field, rows[i].field) == 0, "%s: %s", rows[i].text, p.field);
		ck_assert_msg(
			strcmp(p.reason, rows[i].reason) == 0, "%s: %s", rows[i].text, p.reason);
	}
}
END_TEST

START_TEST(a_very_long_key_is_refused)
{
	static char text[8192] = "{\"count\":1,\"key\":\"";
	struct params p;

	memset(text + strlen(text), 'a', 4096);
	strcat(text, "\"}");
	ck_assert_int_eq(decode(text, &p), ERR_INVALID);
	ck_assert_str_eq(p.reason, "not 4 hex digits");
}
END_TEST

START_TEST(wiping_leaves_nothing)
{
	struct params p;

	ck_assert_int_eq(decode("{\"count\":1,\"key\":\"abcd\"}", &p), ERR_OK);
	params_wipe(&p);
	ck_assert(bytes_are_ct(&p, sizeof(p), 0));
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, decodes_every_type);
	tcase_add_test(tc, null_is_not_given);
	tcase_add_test(tc, refuses_by_name_and_reason);
	tcase_add_test(tc, a_very_long_key_is_refused);
	tcase_add_test(tc, wiping_leaves_nothing);
}

int main(void)
{
	return suite_main("params", fill);
}
