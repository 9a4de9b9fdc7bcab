#include "control/varlink.h"

#include <string.h>

#include "unit/suite.h"

static const char golden[] = "{\"method\":\"org.enrolld.control.BundleIssue\",\"parameters\":{"
			     "\"count\":2},\"more\":true}";

static enum err decode(const char *text, struct varlink_call *c)
{
	return varlink_decode(text, strlen(text), c);
}

START_TEST(decodes_golden_call)
{
	struct varlink_call c;

	ck_assert_int_eq(decode(golden, &c), ERR_OK);
	ck_assert_str_eq(c.method, "org.enrolld.control.BundleIssue");
	ck_assert_int_eq(json_integer_value(json_object_get(c.parameters, "count")), 2);
	ck_assert(c.more && !c.oneway && !c.upgrade);
	varlink_call_clear(&c);
}
END_TEST

START_TEST(missing_parameters_are_an_empty_object)
{
	struct varlink_call c;

	ck_assert_int_eq(decode("{\"method\":\"a.B\"}", &c), ERR_OK);
	ck_assert(json_is_object(c.parameters));
	ck_assert_uint_eq(json_object_size(c.parameters), 0);
	varlink_call_clear(&c);
}
END_TEST

START_TEST(refuses_every_truncated_prefix)
{
	for (size_t n = 0; n < sizeof(golden) - 1; n++) {
		struct varlink_call c;

		ck_assert_int_eq(varlink_decode(golden, n, &c), ERR_INVALID);
	}
}
END_TEST

START_TEST(refuses_every_trailing_byte)
{
	for (int byte = 0; byte < 256; byte++) {
		char text[sizeof(golden)];
		struct varlink_call c;

		if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r')
			continue; /* JSON's white space */
		memcpy(text, golden, sizeof(golden) - 1);
		text[sizeof(golden) - 1] = (char)byte;
		ck_assert_msg(
			varlink_decode(text, sizeof(text), &c) == ERR_INVALID, "byte %d", byte);
	}
}
END_TEST

START_TEST(refuses_what_is_not_a_call)
{
	static const struct {
		const char *text;
		enum err want;
	} rows[] = {
		{"[]", ERR_INVALID},
		{"null", ERR_INVALID},
		{"{}", ERR_INVALID},
		{"{\"method\":1}", ERR_INVALID},
		{"{\"method\":\"a.B\",\"method\":\"a.C\"}", ERR_INVALID},
		{"{\"method\":\"a.B\",\"parameters\":{\"x\":1,\"x\":2}}", ERR_INVALID},
		{"{\"method\":\"a.B\",\"parameters\":[]}", ERR_INVALID},
		{"{\"method\":\"a.B\",\"parameters\":null}", ERR_INVALID},
		{"{\"method\":\"a.B\",\"more\":1}", ERR_INVALID},
		{"{\"method\":\"a.B\",\"oneway\":\"true\"}", ERR_INVALID},
		{"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}", ERR_INVALID},
		{"{\"method\":\"a.B\",\"extra\":1}", ERR_UNKNOWN},
		{"{\"method\":\"a\\u0000b\"}", ERR_INVALID},
		{"{\"method\":\"\xff\"}", ERR_INVALID},
		{"{\"method\":\"\xed\xa0\x80\"}", ERR_INVALID},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct varlink_call c;

		ck_assert_msg(decode(rows[i].text, &c) == rows[i].want, "%s", rows[i].text);
	}
}
END_TEST

START_TEST(refuses_nesting_without_end)
{
	static char text[VARLINK_MESSAGE_MAX];
	struct varlink_call c;

	memset(text, '[', sizeof(text));
	ck_assert_int_eq(varlink_decode(text, sizeof(text), &c), ERR_INVALID);
}
END_TEST

START_TEST(replies_come_back_as_they_went_in)
{
	struct varlink_buf b = {0};
	json_t *in = json_pack("{s:s, s:[i, i]}", "name", "d\xc3\xb6r", "list", 1, 2);
	json_t *out;
	const char *m;
	size_t n;

	ck_assert_int_eq(varlink_encode_reply(&b, in, true), ERR_OK);
	ck_assert_int_eq(varlink_encode_error(&b, "a.E", NULL), ERR_OK);
	ck_assert_int_eq(varlink_buf_next(&b, &m, &n), ERR_OK);
	out = json_loadb(m, n, 0, NULL);
	ck_assert(json_equal(json_object_get(out, "parameters"), in));
	ck_assert(json_is_true(json_object_get(out, "continues")));
	varlink_buf_consume(&b, n + 1);
	ck_assert_int_eq(varlink_buf_next(&b, &m, &n), ERR_OK);
	ck_assert_str_eq(m, "{\"error\":\"a.E\",\"parameters\":{}}");
	varlink_buf_consume(&b, n + 1);
	ck_assert_int_eq(varlink_buf_next(&b, &m, &n), ERR_SHORT);
	json_decref(in);
	json_decref(out);
	varlink_buf_clear(&b);
}
END_TEST

START_TEST(messages_may_arrive_byte_by_byte)
{
	struct varlink_buf b = {0};
	unsigned whole = 0;

	for (size_t i = 0; i < 3 * sizeof(golden); i++) {
		const char *m;
		size_t n;
		enum err e;

		ck_assert_int_eq(varlink_buf_add(&b, &golden[i % sizeof(golden)], 1), ERR_OK);
		e = varlink_buf_next(&b, &m, &n);
		if (i % sizeof(golden) != sizeof(golden) - 1) {
			ck_assert_int_eq(e, ERR_SHORT);
			continue;
		}
		ck_assert_int_eq(e, ERR_OK);
		ck_assert_uint_eq(n, sizeof(golden) - 1);
		ck_assert_str_eq(m, golden);
		varlink_buf_consume(&b, n + 1);
		whole++;
	}
	ck_assert_uint_eq(whole, 3);
	varlink_buf_clear(&b);
}
END_TEST

START_TEST(many_messages_may_arrive_at_once)
{
	struct varlink_buf b = {0};
	const char *m;
	size_t n;

	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(varlink_buf_add(&b, golden, sizeof(golden)), ERR_OK);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(varlink_buf_next(&b, &m, &n), ERR_OK);
		ck_assert_str_eq(m, golden);
		varlink_buf_consume(&b, n + 1);
		if (i % 7 == 0)
			ck_assert_ptr_nonnull(varlink_buf_room(&b, 4096));
	}
	ck_assert_int_eq(varlink_buf_next(&b, &m, &n), ERR_SHORT);
	varlink_buf_clear(&b);
}
END_TEST

START_TEST(refuses_a_message_over_the_limit)
{
	static char text[VARLINK_MESSAGE_MAX + 2];
	struct varlink_buf b = {0};
	const char *m;
	size_t n;

	memset(text, 'x', sizeof(text));
	text[VARLINK_MESSAGE_MAX] = 0;
	ck_assert_int_eq(varlink_buf_add(&b, text, VARLINK_MESSAGE_MAX + 1), ERR_OK);
	ck_assert_int_eq(varlink_buf_next(&b, &m, &n), ERR_OK);
	ck_assert_uint_eq(n, VARLINK_MESSAGE_MAX);
	varlink_buf_consume(&b, n + 1);
	text[VARLINK_MESSAGE_MAX] = 'x';
	ck_assert_int_eq(varlink_buf_add(&b, text, VARLINK_MESSAGE_MAX + 1), ERR_OK);
	ck_assert_int_eq(varlink_buf_next(&b, &m, &n), ERR_RANGE);
	varlink_buf_clear(&b);
}
END_TEST

START_TEST(consumed_bytes_are_wiped)
{
	struct varlink_buf b = {0};

	ck_assert_int_eq(varlink_buf_add(&b, "secret", 6), ERR_OK);
	ck_assert_int_eq(varlink_buf_add(&b, "rest", 4), ERR_OK);
	varlink_buf_consume(&b, 6);
	ck_assert(memcmp(b.p, "\0\0\0\0\0\0rest", 10) == 0);
	varlink_buf_clear(&b);
}
END_TEST

static void fill(TCase *tc)
{
	varlink_init();
	tcase_add_test(tc, decodes_golden_call);
	tcase_add_test(tc, missing_parameters_are_an_empty_object);
	tcase_add_test(tc, refuses_every_truncated_prefix);
	tcase_add_test(tc, refuses_every_trailing_byte);
	tcase_add_test(tc, refuses_what_is_not_a_call);
	tcase_add_test(tc, refuses_nesting_without_end);
	tcase_add_test(tc, replies_come_back_as_they_went_in);
	tcase_add_test(tc, messages_may_arrive_byte_by_byte);
	tcase_add_test(tc, many_messages_may_arrive_at_once);
	tcase_add_test(tc, refuses_a_message_over_the_limit);
	tcase_add_test(tc, consumed_bytes_are_wiped);
}

int main(void)
{
	return suite_main("varlink", fill);
}
