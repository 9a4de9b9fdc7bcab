/* The node's terminal (mesh-protocol §6): every command, every error, every line, letter by letter.
 */
#include <stdio.h>

#include "enr/hex.h"
#include "support/fake_port.h"
#include "unit/suite.h"

#define OWN_ID 7

#define OK "{\"type\":\"error\",\"code\":0,\"text\":\"OK\"}"
#define WRONG "{\"type\":\"error\",\"code\":2,\"text\":\"Wrong Arguments\"}"
#define MANY "{\"type\":\"error\",\"code\":3,\"text\":\"Too many arguments\"}"
#define FEW "{\"type\":\"error\",\"code\":4,\"text\":\"Too few arguments\"}"
#define NOT_FOUND(args) "{\"type\":\"error\",\"code\":1,\"text\":\"Command not found: " args "\"}"
#define KEY "22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22"
#define KEYS KEY " " KEY " " KEY " " KEY

static void set_up(struct fake_port *f)
{
	fake_init(f);
	f->node.config.enrolled = true;
	f->node.config.node_id = OWN_ID;
	f->node.config.network_id = 480;
	fake_clear(f);
}

static void check_line(const struct fake_port *f, size_t i, const char *want)
{
	ck_assert_uint_gt(f->line_count, i);
	ck_assert_str_eq(f->line[i], want);
}

static void check_last(const struct fake_port *f, const char *want)
{
	check_line(f, f->line_count - 1, want);
}

static void check_sent(const struct fake_port *f, const char *hex)
{
	char got[2 * MESHMSG_BYTES_MAX + 1];

	ck_assert_uint_ge(f->sent_count, 1);
	hex_print(f->sent[0].b, f->sent[0].n, got);
	ck_assert_str_eq(got, hex);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static const struct {
	const char *line;
	const char *answer; /* the last line */
	const char *sent;   /* NULL: nothing */
} commands[] = {
	{"action 0 enroll remove BBBBF", OK, "330700000005000103000000"},
	{"action 0 enroll remove BBBBF 33", OK, "330700000005210103000000"},
	{"action max_hops enroll remove BBBBF", OK, "330700177905000103000000"},
	{"action 3 enroll set_network 77 5", OK, "33070003000505034d00"},
	{"action 3 enroll request_proposals BBBBB BBBBC", OK,
		"330700030005000400000000"
		"01000000"},
	{"action 3 node ping", OK, "3307000300000003"},
	{"action 3 node ping 200", OK, "330700030000c803"},
	{"action 3 node set_enrolled_nodes 300", OK, "33070003000000072c01"},
	{"action 3 node discovery idle", OK, "330700030000000000"},
	{"action 3 node discovery on", OK, "330700030000000001"},
	{"action 3 status get_status", OK, "3307000300030001"},
	{"action 3 status get_device_info", OK, "330700030003000a"},
	{"action 3 enroll basic FMBBC 0 11", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 0", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 1", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5", FEW, NULL},
	{"action 3 enroll basic FMBBC 65536 11", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 99999999999", WRONG, NULL},
	{"action 3 enroll basic FMBBC -5 11", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 11 22:22", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 11 " KEY ":2", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 11 GG:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22", WRONG,
		NULL},
	{"action 3 enroll basic FMBBC 5 11 IiIiIiIiIiIiIiIiIiIiIg=", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 11 IiIiIiIiIiIiIiIiIiIi__==", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 11 " KEYS " 256", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 11 " KEYS " 10 0 256", WRONG, NULL},
	{"action 3 enroll basic FMBBC 5 11 " KEYS " 10 0 1 1", MANY, NULL},
	{"action 3 enroll basic FMBAC 5 11", WRONG, NULL},
	{"action 3 enroll remove", FEW, NULL},
	{"action 3 enroll remove BBBBF 1 2", MANY, NULL},
	{"action 3 enroll remove bbbbf", WRONG, NULL},
	{"action 3 enroll remove BBBBF x", WRONG, NULL},
	{"action 3 enroll remove BBBBF ", WRONG, NULL},
	{"action 3 enroll set_network", FEW, NULL},
	{"action 3 enroll set_network 65536", WRONG, NULL},
	{"action 3 enroll request_proposals", FEW, NULL},
	{"action 3 enroll request_proposals 1 2 3 4 5 6 7 8 9 10 11 12", MANY, NULL},
	{"action 3 enroll request_proposals BBBBB X", WRONG, NULL},
	{"action 3 node set_enrolled_nodes", FEW, NULL},
	{"action 3 node set_enrolled_nodes 65536", WRONG, NULL},
	{"action that node ping", WRONG, NULL},
	{"action  node ping", WRONG, NULL},
	{"action 65536 node ping", WRONG, NULL},
	{"action", FEW, NULL},
	{"action 3 node", FEW, NULL},
	{"action 3 node bake", NOT_FOUND("action 3 node bake"), NULL},
	{"action 3 enrol basic", NOT_FOUND("action 3 enrol basic"), NULL},
	{"", NOT_FOUND(""), NULL},
	{"ACTION 3 node ping", NOT_FOUND("ACTION 3 node ping"), NULL},
	/* mesh bridges only */
	{"set_serial BBBBB", NOT_FOUND("set_serial BBBBB"), NULL},
	{"set_node_key " KEY, NOT_FOUND("set_node_key " KEY), NULL},
	{"get_plugged_in now", MANY, NULL},
	/* what was typed cannot end the string that it is shown in */
	{"a\"b\\c\x01\xC3", NOT_FOUND("a?b?c??"), NULL},
	{"1 2 3 4 5 6 7 8 9 0 1 2 3 4 5", NOT_FOUND("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5"), NULL},
	{"1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6", MANY, NULL},
};

START_TEST(every_command_and_every_error)
{
	struct fake_port f;

	set_up(&f);
	fake_type(&f, commands[_i].line);
	check_last(&f, commands[_i].answer);
	if (commands[_i].sent)
		check_sent(&f, commands[_i].sent);
	else
		ck_assert_uint_eq(f.sent_count + f.line_count, 1);
}
END_TEST

#define K4 "22222222222222222222222222222222"
#define Z4 "00000000000000000000000000000000"

static const struct {
	const char *tail, *sent; /* after "…FMBBC 5 11", and the bytes after 0500 0b00 */
} basics[] = {
	{"", Z4 Z4 Z4 Z4 "0a"}, /* no node key: zeros, as the reference has it */
	{" " KEY, K4 Z4 Z4 Z4 "0a"}, {" IiIiIiIiIiIiIiIiIiIiIg==", K4 Z4 Z4 Z4 "0a"},
	{" +/+/+/+/+/+/+/+/+/+/+w==", "fbffbffbffbffbffbffbffbffbffbffb" Z4 Z4 Z4 "0a"},
	{" 22-22-22-22-22-22-22-22-22-22-22-22-22-22-22-22", NULL}, /* third character: Base64 */
	{" " KEYS, K4 K4 K4 K4 "0a"}, {" " KEYS " 20", K4 K4 K4 K4 "14"},
	{" " KEYS " 0", K4 K4 K4 K4 "00"}, {" " KEYS " 127 1", K4 K4 K4 K4 "ff"},
	{" " KEYS " 128 0", K4 K4 K4 K4 "00"}, /* wraps in its 7 bits */
};

START_TEST(every_form_of_enroll_basic)
{
	char line[TERMINAL_LINE_MAX + 1], want[200];
	struct fake_port f;

	set_up(&f);
	snprintf(line, sizeof(line), "action 3 enroll basic FMBBC 5 11%s", basics[_i].tail);
	fake_type(&f, line);
	check_last(&f, basics[_i].sent ? OK : WRONG);
	ck_assert_uint_eq(f.sent_count, basics[_i].sent ? 1 : 0);
	if (!basics[_i].sent)
		return;
	snprintf(want, sizeof(want), "330700030005000069c9280005000b00%s", basics[_i].sent);
	check_sent(&f, want);
}
END_TEST

START_TEST(lines_of_any_length)
{
	char line[2 * TERMINAL_LINE_MAX];
	struct fake_port f;

	for (size_t n = 0; n <= sizeof(line); n++) {
		memset(line, 'x', sizeof(line));
		set_up(&f);
		node_on_line(&f.node, f.now_ms, line, n);
		ck_assert_uint_eq(f.line_count, 1);
		if (n > TERMINAL_LINE_MAX)
			check_last(&f, WRONG);
		else
			ck_assert(strncmp(f.line[0], "{\"type\":\"error\",\"code\":1", 24) == 0);
	}
	set_up(&f);
	node_on_line(&f.node, f.now_ms, "get_plugged_in\0 x", 17);
	check_last(&f, WRONG);
}
END_TEST

/* --- what this node says to itself -------------------------------------------------------------
 */

START_TEST(tells_who_it_is)
{
	struct fake_port f;

	fake_init(&f);
	check_line(&f, 0, "{\"type\":\"init\"}");
	check_line(&f, 1,
		"{\"type\":\"reboot\",\"reason\":0,\"code1\":0,\"stack\":0,"
		"\"version\":10020250,\"blversion\":0,\"uptime\":0}");
	set_up(&f);
	fake_type(&f, "get_plugged_in");
	check_line(&f, 0,
		"{\"type\":\"plugged_in\",\"nodeId\":7,\"serialNumber\":\"BBBBD\","
		"\"fmVersion\":10020250}");
	check_line(&f, 1, OK);
}
END_TEST

START_TEST(answers_itself)
{
	struct fake_port f;

	set_up(&f);
	fake_type(&f, "action this node ping 9");
	check_line(&f, 0, "{\"type\":\"ping\",\"nodeId\":7,\"module\":0,\"requestHandle\":9}");
	check_line(&f, 1, OK);
	ck_assert_uint_eq(f.sent_count, 0);
	fake_clear(&f);
	fake_type(&f, "action 7 node set_enrolled_nodes 12");
	check_line(&f, 0,
		"{\"type\":\"set_enrolled_nodes\",\"nodeId\":7,\"module\":0,\"enrolled_nodes\":"
		"12}");
	fake_clear(&f);
	fake_type(&f, "action this status get_status");
	check_line(&f, 0,
		"{\"nodeId\":7,\"type\":\"status\",\"module\":3,\"batteryInfo\":0,\"clusterSize\":"
		"1,"
		"\"connectionLossCounter\":0,\"freeIn\":3,\"freeOut\":3,\"inConnectionPartner\":0,"
		"\"inConnectionRSSI\":0, \"initialized\":0}");
	fake_clear(&f);
	fake_type(&f, "action this status get_device_info");
	check_line(&f, 0,
		"{\"nodeId\":7,\"type\":\"device_info\",\"module\":3,\"dBmRX\":0,\"dBmTX\":0,"
		"\"calibratedTX\":0,\"deviceType\":1,\"manufacturerId\":65535,\"networkId\":480,"
		"\"nodeVersion\":10020250,\"chipId\":\"00:00:00:00:00:00:00:00\","
		"\"serialNumber\":\"BBBBD\",\"accessAddress\":\"00:00:00:00:00:00\","
		"\"groupIds\":[0,0],\"blVersion\":0}");
}
END_TEST

START_TEST(enrolls_itself)
{
	struct fake_port f;

	fake_init(&f);
	fake_clear(&f);
	fake_type(&f, "action 0 enroll basic BBBBD 5 11 " KEY " " KEY " " KEY " " KEY " 10 0 6");
	check_line(&f, 0, OK);
	fake_flash(&f);
	check_line(&f, 1,
		"{\"nodeId\":5,\"type\":\"enroll_response_serial\",\"module\":5,\"requestId\":6,"
		"\"serialNumber\":\"BBBBD\",\"code\":0}");
	fake_run(&f, 5000);
	fake_boot(&f);
	fake_clear(&f);
	fake_type(&f, "action this enroll remove BBBBD 8");
	check_line(&f, 0, OK);
	fake_flash(&f);
	check_line(&f, 1,
		"{\"nodeId\":2,\"type\":\"remove_enroll_response_serial\",\"module\":5,"
		"\"requestId\":8,\"serialNumber\":\"BBBBD\",\"code\":0}");
}
END_TEST

/* --- what others say --------------------------------------------------------------------------
 */

static const struct {
	const char *hex, *line;
} messages[] = {
	{"340300070005050301", "{\"nodeId\":3,\"type\":\"set_network_response\",\"code\":1,"
			       "\"module\":5,\"requestHandle\":5}"},
	{"34030007000500026dc928000000000000000000",
		"{\"nodeId\":3,\"type\":\"enroll_proposal\",\"module\":5,"
		"\"proposals\":[2673005,0,0]}"},
	{"340300070005000402000000",
		"{\"nodeId\":3,\"type\":\"request_proposals_response\","
		"\"serialNumber\":\"BBBBD\",\"module\":5,\"requestHandle\":0}"},
	{"33030007000509040000000001000000",
		"{\"nodeId\":3,\"type\":\"request_proposals\",\"serialNumbers\":[\"BBBBB\", "
		"\"BBBBC\"], \"module\":5,\"requestHandle\":9}"},
	{"34d3070000051300020000007f",
		"{\"nodeId\":2003,\"type\":\"enroll_response_serial\",\"module\":5,"
		"\"requestId\":19,\"serialNumber\":\"BBBBD\",\"code\":127}"},
	{"3403000700000000", "{\"type\":\"set_discovery_result\",\"nodeId\":3,\"module\":0}"},
};

START_TEST(shows_what_has_come)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct fake_port f;
	size_t n;

	n = strlen(messages[_i].hex) / 2;
	set_up(&f);
	ck_assert_int_eq(hex_parse(messages[_i].hex, 2 * n, b, n), ERR_OK);
	fake_receive(&f, b, n);
	ck_assert_uint_eq(f.line_count, 1);
	check_line(&f, 0, messages[_i].line);
	b[3] = OWN_ID + 1; /* and not what is for somebody else */
	b[4] = 0;
	fake_clear(&f);
	fake_receive(&f, b, n);
	ck_assert_uint_eq(f.line_count, 0);
}
END_TEST

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void fill(TCase *tc)
{
	tcase_add_loop_test(tc, every_command_and_every_error, 0, COUNT(commands));
	tcase_add_loop_test(tc, every_form_of_enroll_basic, 0, COUNT(basics));
	tcase_add_test(tc, lines_of_any_length);
	tcase_add_test(tc, tells_who_it_is);
	tcase_add_test(tc, answers_itself);
	tcase_add_test(tc, enrolls_itself);
	tcase_add_loop_test(tc, shows_what_has_come, 0, COUNT(messages));
}

int main(void)
{
	return suite_main("firmware/terminal", fill);
}
