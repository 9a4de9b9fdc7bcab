#include "core/termline.h"

#include <string.h>

#include "enr/serial.h"
#include "unit/suite.h"

/* The examples of the user's text. */
#define DIRECT "action 0 enroll basic BBBBB 3 7 78:56:34:12:78:56:34:12:78:56:34:12:78:56:34:12"
#define MESH                                                                               \
	"action 0 enroll basic BBBBB 2 5 11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11 " \
	"22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22 "                                 \
	"33:33:33:33:33:33:33:33:33:33:33:33:33:33:33:33 "                                 \
	"73:63:92:12:63:94:30:44:63:67:23:11:90:11:42:52 10 0"
#define PROPOSALS                                                                      \
	"action 0 enroll request_proposals BBBBD BBBBF BBBBG BBBBH BBBBJ BBBBK BBBBL " \
	"BBBBM BBBBN BBBBP BBBBQ"

static struct termline line;

static enum err parse(const char *text)
{
	return termline_parse(text, strlen(text), &line);
}

START_TEST(reads_the_examples_of_the_users_text)
{
	static const uint8_t node_key[16] = {0x73, 0x63, 0x92, 0x12, 0x63, 0x94, 0x30, 0x44, 0x63,
		0x67, 0x23, 0x11, 0x90, 0x11, 0x42, 0x52};

	ck_assert_int_eq(parse(DIRECT), ERR_OK);
	ck_assert_int_eq(line.verb, TERMLINE_ENROLL);
	ck_assert_uint_eq(line.serial[0], 0);
	ck_assert_uint_eq(line.node_id, 3);
	ck_assert_uint_eq(line.network_id, 7);
	ck_assert(line.has_key[TERMLINE_NETWORK_KEY] && !line.has_key[TERMLINE_NODE_KEY]);
	ck_assert_uint_eq(line.key[TERMLINE_NETWORK_KEY].b[15], 0x12);
	ck_assert_uint_eq(line.timeout_s, 10);
	ck_assert(!line.has_only_if_unenrolled);
	ck_assert_int_eq(parse(MESH), ERR_OK);
	ck_assert_mem_eq(line.key[TERMLINE_NODE_KEY].b, node_key, 16);
	ck_assert(line.has_only_if_unenrolled && !line.only_if_unenrolled);
	ck_assert_int_eq(parse("action 0 enroll remove BCBCF"), ERR_OK);
	ck_assert_int_eq(line.verb, TERMLINE_REMOVE);
	ck_assert_int_eq(parse("action max_hops enroll set_network 12 9"), ERR_OK);
	ck_assert_uint_eq(line.network_id, 12);
	ck_assert_uint_eq(line.handle, 9);
	ck_assert_uint_eq(line.node, TERMLINE_NODE_MAX_HOPS);
	ck_assert_int_eq(parse(PROPOSALS), ERR_OK);
	ck_assert_uint_eq(line.serials, 11);
	ck_assert_uint_eq(line.serial[10], 12);
}
END_TEST

START_TEST(keys_in_base64_are_the_same_keys)
{
	uint8_t ff[16];

	memset(ff, 0xFB, sizeof(ff));
	ck_assert_int_eq(parse("action this enroll basic BBBBB 2 5 AAAAAAAAAAAAAAAAAAAAAA== "
			       "+/v7+/v7+/v7+/v7+/v7+w=="),
		ERR_OK);
	ck_assert(!line.has_key[TERMLINE_NETWORK_KEY]); /* 16 x 00: none */
	ck_assert_mem_eq(line.key[TERMLINE_USER_BASE_KEY].b, ff, 16);
}
END_TEST

/* Also most of one, or one that was mistyped: the rest is soon guessed. */
START_TEST(what_may_be_a_key_is_known)
{
	static const char *const keys[] = {"+/v7+/v7+/v7+/v7+/v7+w==", "-_v7-_v7-_v7-_v7-_v7-w==",
		"+/v7+/v7+/v7+/v7+/v7+w=", "1122334455667788aabbccddeeff0011",
		"11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:0g",
		"11-22-33-44-55-66-77-88-99-AA-BB-CC-DD-EE-FF-00", "nk=00112233445566"};
	static const char *const words[] = {"BBBBB", "", "action", "request_proposals",
		"get_connections_verbose", "D8PJQ8K", "C0:E5:00:28:C9"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		for (size_t n = TERMLINE_ECHO_MAX + 1; n <= strlen(keys[i]); n++)
			ck_assert_msg(termline_may_be_key(keys[i], n), "%s %zu", keys[i], n);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		ck_assert_msg(!termline_may_be_key(words[i], strlen(words[i])), "%s", words[i]);
}
END_TEST

static bool ends_an_argument(size_t n)
{
	return MESH[n] == ' ' || MESH[n] == '\0';
}

START_TEST(every_prefix_is_refused_but_whole_optional_arguments)
{
	size_t first = strlen("action 0 enroll basic BBBBB 2 5");

	for (size_t n = 0; n < strlen(MESH) - 1; n++) {
		enum err e = termline_parse(MESH, n, &line);
		bool digit_of_timeout = n == strlen(MESH) - 3; /* "1" of "10" */

		if (n >= first && (ends_an_argument(n) || digit_of_timeout))
			ck_assert_msg(e == ERR_OK, "%zu", n);
		else
			ck_assert_msg(e != ERR_OK, "%zu", n);
	}
}
END_TEST

START_TEST(every_trailing_byte_is_refused)
{
	static const char lines[][64] = {"action 0 enroll remove BCBCF 255",
		"action 0 enroll set_network 12 255", "action 0 enroll request_proposals BBBBD"};
	char text[80];

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		size_t n = strlen(lines[i]);

		memcpy(text, lines[i], n + 1);
		ck_assert_int_eq(termline_parse(text, n, &line), ERR_OK);
		for (int c = 0; c < 256; c++) {
			text[n] = (char)c;
			if (i == 2 && c == 'B') /* six characters are no serial number either */
				continue;
			ck_assert_msg(termline_parse(text, n + 1, &line) != ERR_OK, "%d", c);
		}
	}
}
END_TEST

START_TEST(refuses_with_the_vendors_codes)
{
	static const struct {
		const char *text;
		enum termline_code code;
	} rows[] = {
		{"", TERMLINE_NOT_FOUND},
		{"action", TERMLINE_TOO_FEW},
		{"status", TERMLINE_NOT_FOUND},
		{"action 0 status get_device_info", TERMLINE_NOT_FOUND},
		{"action 0 enroll", TERMLINE_TOO_FEW},
		{"action 0 enroll explode BBBBB", TERMLINE_NOT_FOUND},
		{"action 0 enroll basic BBBBB 2", TERMLINE_TOO_FEW},
		{"action 0 enroll basic BBBBB 0 5", TERMLINE_WRONG},
		{"action 0 enroll basic BBBBB 2 0", TERMLINE_WRONG},
		{"action 0 enroll basic BBBBB 2 1", TERMLINE_WRONG},
		{"action 0 enroll basic bbbbb 2 5", TERMLINE_WRONG},
		{"action 0 enroll basic BBBBB 2 5 11:22", TERMLINE_WRONG},
		{"action 0 enroll basic BBBBB 65536 5", TERMLINE_WRONG},
		{"action 0 enroll  basic BBBBB 2 5", TERMLINE_NOT_FOUND},
		{"action 0 enroll basic BBBBB  2 5", TERMLINE_WRONG},
		{"action -1 enroll remove BBBBB", TERMLINE_WRONG},
		{"action 0 enroll remove", TERMLINE_TOO_FEW},
		{"action 0 enroll remove BBBBB 256", TERMLINE_WRONG},
		{"action 0 enroll remove BBBBB 1 2", TERMLINE_TOO_MANY},
		{"action 0 enroll request_proposals", TERMLINE_TOO_FEW},
		{PROPOSALS " BBBBR", TERMLINE_TOO_MANY},
		{"action 0 enroll remove BBBBB\t", TERMLINE_WRONG},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ck_assert_msg(termline_code_of(parse(rows[i].text)) == rows[i].code, "%s: %d",
			rows[i].text, (int)termline_code_of(parse(rows[i].text)));
}
END_TEST

START_TEST(refuses_what_is_longer_than_a_line_can_be)
{
	char text[TERMLINE_BYTES_MAX + 2];

	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(termline_parse(text, TERMLINE_BYTES_MAX + 1, &line), ERR_FULL);
	ck_assert_int_eq(termline_parse(text, TERMLINE_BYTES_MAX, &line), ERR_UNKNOWN);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_the_examples_of_the_users_text);
	tcase_add_test(tc, keys_in_base64_are_the_same_keys);
	tcase_add_test(tc, what_may_be_a_key_is_known);
	tcase_add_test(tc, every_prefix_is_refused_but_whole_optional_arguments);
	tcase_add_test(tc, every_trailing_byte_is_refused);
	tcase_add_test(tc, refuses_with_the_vendors_codes);
	tcase_add_test(tc, refuses_what_is_longer_than_a_line_can_be);
}

int main(void)
{
	return suite_main("termline", fill);
}
