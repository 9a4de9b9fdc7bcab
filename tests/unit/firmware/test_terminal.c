/* The node's terminal (mesh-protocol §6): every command, every error, every line, letter by letter.
 */
#include <stdio.h>

#include "enr/hex.h"
#include "firmware/core/crc32.h"
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

#define K4 "22222222222222222222222222222222"
#define Z4 "00000000000000000000000000000000"
#define F4 "ffffffffffffffffffffffffffffffff"
#define ADDRESS "66:55:44:33:22:11"
#define WIRE "01112233445566" /* random static, the lowest byte first */

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
	{"action 3 status get_connections", OK, "3307000300030003"},
	{"action 3 status get_connections_verbose 2", OK, "330700030003000c02000000"},
	{"action 3 status get_connections_verbose 4294967295", OK, "330700030003000cffffffff"},
	{"action 3 status get_connections_verbose 4294967296", WRONG, NULL},
	{"action 3 status get_connections_verbose", FEW, NULL},
	{"action 3 status get_nearby", OK, "3307000300030004"},
	{"action 3 status get_rebootreason", OK, "3307000300030008"},
	{"action 3 status livereports 150", OK, "330700030003000b96"},
	{"action 3 status livereports 256", WRONG, NULL},
	{"action 3 status keep_alive", OK, "330700030003000900"}, /* no sink */
	{"action 3 node reset 10", OK, "33070003000000010a"},
	{"action 3 node reset 256", WRONG, NULL},
	{"action 3 node reset", FEW, NULL},
	{"action 3 node gettime", OK, "3307000300000008"},
	{"action 3 node gettime 1", MANY, NULL},
	{"action 3 ma connect " ADDRESS, OK, "33070003000a0000" WIRE "01000000" F4 "00"},
	{"action 3 ma connect " ADDRESS " 2 " KEY " 1 200", OK,
		"33070003000ac800" WIRE "02000000" K4 "01"},
	{"action 3 ma connect " ADDRESS " 4294967295", OK,
		"33070003000a0000" WIRE "ffffffff" F4 "00"},
	{"action 3 ma connect " ADDRESS " 4294967296", WRONG, NULL},
	{"action 3 ma connect " ADDRESS " 1 22:22", WRONG, NULL},
	{"action 3 ma connect " ADDRESS " 1 " KEY " 3", WRONG, NULL},
	{"action 3 ma connect " ADDRESS " 1 " KEY " 2 256", WRONG, NULL},
	{"action 3 ma connect " ADDRESS " 1 " KEY " 2 1 1", MANY, NULL},
	{"action 3 ma connect " ADDRESS ":77", WRONG, NULL},
	{"action 3 ma connect 66-55-44-33-22-11", WRONG, NULL},
	{"action 3 ma connect 66:55:44:33:22:1G", WRONG, NULL},
	{"action 3 ma connect", FEW, NULL},
	{"action 3 ma disconnect " ADDRESS, OK, "33070003000a0001" WIRE},
	{"action 3 ma disconnect 66", WRONG, NULL},
	{"action 3 ma serial_connect BBBBB", NOT_FOUND("action 3 ma serial_connect BBBBB"), NULL},
	{"enable_corruption_check now", MANY, NULL},
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
	{"340300070000000800f153653c000101",
		"{\"type\":\"get_time_result\",\"nodeId\":3,\"module\":0,\"syncState\":1,"
		"\"time\":1700000000,\"offset\":60,\"master\":1}"},
	{"34030007000300030b00c40c00ba000000000000",
		"{\"type\":\"connections\",\"nodeId\":3,\"module\":3,\"partners\":[11,12,0,0],"
		"\"rssiValues\":[-60,-70,0,0]}"},
	{"34030007000300040b00c40c00ba",
		"{\"nodeId\":3,\"type\":\"nearby_nodes\",\"module\":3,\"nodes\":["
		"{\"nodeId\":11,\"rssi\":-60},{\"nodeId\":12,\"rssi\":-70}]}"},
	{"3403000700030004", "{\"nodeId\":3,\"type\":\"nearby_nodes\",\"module\":3,\"nodes\":[]}"},
	{"35030007000300016a0700000001000000",
		"{\"type\":\"live_report\",\"nodeId\":3,\"module\":3,\"code\":106,\"extra\":7,"
		"\"extra2\":1}"},
	{"35030007000a0000d70704",
		"{\"nodeId\":3,\"type\":\"ma_conn_state\",\"module\":10,\"requestHandle\":0,"
		"\"partnerId\":2007,\"state\":4}"},
	{"34030007000a050201e980",
		"{\"type\":\"serial_connect_response\",\"module\":10,\"nodeId\":3,"
		"\"requestHandle\":5,\"code\":1,\"partnerId\":33001}"},
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

/* The longest line that there is, with its checksum. */
START_TEST(shows_twenty_neighbours_of_the_longest_names)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct meshmsg_nearby nearby = {.count = MESHMSG_NEARBY_MAX};
	struct fake_port f;

	for (size_t i = 0; i < MESHMSG_NEARBY_MAX; i++)
		nearby.node[i] = (struct meshmsg_partner){65535, -128};
	ck_assert_int_eq(
		meshmsg_encode_nearby(&w, (struct meshmsg_route){65535, OWN_ID, 255}, &nearby),
		ERR_OK);
	set_up(&f);
	fake_type(&f, "enable_corruption_check");
	fake_clear(&f);
	fake_receive(&f, b, w.len_bytes);
	ck_assert_uint_eq(f.line_count, 1);
	ck_assert_uint_ge(strlen(f.line[0]), 640);
}
END_TEST

/* What cannot be opened is not shown. */
START_TEST(malformed_messages_show_nothing)
{
	static const uint8_t answers[][3] = {/* type, module, action */
		{52, 5, 0}, {52, 5, 1}, {52, 5, 2}, {52, 5, 3}, {52, 5, 4}, {51, 5, 4}, {52, 0, 6},
		{52, 0, 8}, {52, 3, 1}, {52, 3, 3}, {52, 3, 10}, {53, 3, 1}, {53, 10, 0},
		{52, 10, 2}};
	struct fake_port f;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const uint8_t b[] = {answers[i][0], 3, 0, OWN_ID, 0, answers[i][1], 0,
			answers[i][2], 1, 1, 1, 1, 1};

		set_up(&f);
		fake_receive(&f, b, sizeof(b) - (answers[i][1] == 5 && answers[i][2] < 2 ? 1 : 0));
		ck_assert_uint_eq(f.line_count, 0);
	}
}
END_TEST

/* --- the corruption check (§6.1) ----------------------------------------------------------------
 */

#define BAD_CRC "{\"type\":\"error\",\"code\":6,\"text\":\"crc invalid\"}"
#define NO_CRC "{\"type\":\"error\",\"code\":7,\"text\":\"crc missing\"}"

/* The line without its checksum, which must be right. */
static void check_crc(struct fake_port *f, size_t i, const char *want)
{
	char *mark = strstr(f->line[i], TERMINAL_CRC_MARK), number[16];

	ck_assert_ptr_nonnull(mark);
	snprintf(number, sizeof(number), "%u",
		crc32_add(0, f->line[i], (size_t)(mark - f->line[i])));
	ck_assert_str_eq(mark + strlen(TERMINAL_CRC_MARK), number);
	*mark = '\0';
	check_line(f, i, want);
}

static const struct {
	const char *line, *answer;
} checked[] = {
	{"action 3 node ping CRC: 3349470139", OK}, {"action 3 node ping CRC: skip", OK},
	{"action 3 node pinG CRC: 3349470139", BAD_CRC},
	{"action 3 node ping CRC: 3349470140", BAD_CRC},
	{"action 3 node ping CRC: 43349470139", BAD_CRC},
	{"action 3 node ping CRC: 99999999999999999999999", BAD_CRC},
	{"action 3 node ping CRC: ", BAD_CRC}, {"action 3 node ping CRC: 3349470139 ", BAD_CRC},
	{"action 3 node ping CRC: skipped", BAD_CRC},
	{"action 3 node ping CRC: skip CRC: 1", BAD_CRC}, /* the last one counts */
	{"action 3 node ping CRC:skip", NO_CRC}, {"action 3 node ping", NO_CRC}, {"", NO_CRC},
	{" CRC: 0", NOT_FOUND("")}, /* nothing, and its checksum */
};

START_TEST(lines_carry_their_checksum_once_it_is_asked_for)
{
	struct fake_port f;

	set_up(&f);
	fake_type(&f, "action 3 node ping CRC: skip"); /* not asked for: just words */
	check_last(&f, MANY);
	fake_clear(&f);
	fake_type(&f, "enable_corruption_check");
	check_line(&f, 0,
		"{\"type\":\"enable_corruption_check_response\",\"err\":0,\"check\":\"crc32\"}");
	check_crc(&f, 1, OK);
	fake_clear(&f);
	fake_type(&f, checked[_i].line);
	ck_assert_uint_eq(f.line_count, 1);
	check_crc(&f, 0, checked[_i].answer);
	ck_assert_uint_eq(f.sent_count, strcmp(checked[_i].answer, OK) == 0 ? 1 : 0);
	fake_boot(&f); /* a reboot forgets it */
	fake_clear(&f);
	fake_type(&f, "get_plugged_in");
	check_last(&f, OK);
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
	tcase_add_test(tc, shows_twenty_neighbours_of_the_longest_names);
	tcase_add_test(tc, malformed_messages_show_nothing);
	tcase_add_loop_test(tc, lines_carry_their_checksum_once_it_is_asked_for, 0, COUNT(checked));
}

int main(void)
{
	return suite_main("firmware/terminal", fill);
}
