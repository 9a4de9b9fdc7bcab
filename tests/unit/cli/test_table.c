#include "cli/table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unit/suite.h"

static const struct table_column columns[] = {
	{"id", "ID", TABLE_ID},
	{"name", "NAME", TABLE_TEXT},
	{"never", "NEVER", TABLE_TEXT},
	{"at", "AT", TABLE_EXPIRY},
	{"in.side", "SIDE", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT},
};

static char *print(const char *json, size_t width, bool object)
{
	struct table_style style = {.now = 1000, .width = width};
	json_t *rows = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	ck_assert_ptr_nonnull(rows);
	if (object)
		table_print_object(f, &style, columns, rows);
	else
		table_print(f, &style, columns, rows);
	fclose(f);
	json_decref(rows);
	return text;
}

static void expect(const char *json, size_t width, bool object, const char *want)
{
	char *text = print(json, width, object);

	ck_assert_str_eq(text, want);
	free(text);
}

START_TEST(columns_are_as_wide_as_their_content)
{
	expect("[{\"id\":\"00112233445566778899aabbcc\",\"name\":\"d\xc3\xb6r\",\"at\":1090,"
	       "\"in\":{\"side\":7}},{\"id\":\"ff\",\"name\":\"longer\",\"at\":null,\"in\":{}}]",
		0, false,
		"ID                    NAME    AT         SIDE\n"
		"00112233445566778899  d\xc3\xb6r     in 1m 30s  7\n"
		"ff                    longer  -          -\n");
}
END_TEST

START_TEST(the_last_column_is_cut_to_the_terminal)
{
	expect("[{\"id\":\"ff\",\"name\":\"a very long name that does not fit\"}]", 20, false,
		"ID  NAME\nff  a very long nam~\n");
	expect("[{\"id\":\"ff\",\"name\":\"a very long name that does not fit\"}]", 0, false,
		"ID  NAME\nff  a very long name that does not fit\n");
}
END_TEST

START_TEST(what_came_from_outside_is_cleaned)
{
	expect("[{\"id\":\"ff\",\"name\":\"x\\u001b[2Jy\\nz\"}]", 0, false,
		"ID  NAME\nff  x?[2Jy?z\n");
}
END_TEST

START_TEST(no_rows_print_nothing)
{
	expect("[]", 0, false, "");
}
END_TEST

START_TEST(an_object_is_one_line_a_field)
{
	expect("{\"id\":\"00112233445566778899aabbcc\",\"name\":\"n\",\"never\":null,\"at\":1000}",
		0, true, "ID     00112233445566778899aabbcc\nNAME   n\nAT     now\n");
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, columns_are_as_wide_as_their_content);
	tcase_add_test(tc, the_last_column_is_cut_to_the_terminal);
	tcase_add_test(tc, what_came_from_outside_is_cleaned);
	tcase_add_test(tc, no_rows_print_nothing);
	tcase_add_test(tc, an_object_is_one_line_a_field);
}

int main(void)
{
	return suite_main("table", fill);
}
