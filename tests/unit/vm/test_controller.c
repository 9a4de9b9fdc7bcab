#include "vm/controller.h"

#include "unit/suite.h"

static const uint8_t own[6] = {1, 0, 0, 0xEE, 0xFF, 2};
static const uint8_t peer[PORT_ADDRESS_BYTES] = {1, 0x11, 0x22, 0x33, 0x44, 0x55, 0xC6};

/* What the controller has done last. */
static struct heard {
	struct hci_out out;
	unsigned packets, connects, cancels, resets;
	enum err connect_result;
	uint16_t acl_handle;
	size_t acl_bytes;
} heard;

static void on_send(void *ctx, const struct hci_out *out)
{
	(void)ctx;
	heard.out = *out;
	heard.packets++;
}

static enum err on_connect(void *ctx, const uint8_t address[PORT_ADDRESS_BYTES])
{
	(void)ctx;
	ck_assert_mem_eq(address, peer, PORT_ADDRESS_BYTES);
	heard.connects++;
	return heard.connect_result;
}

static void on_cancel(void *ctx)
{
	(void)ctx;
	heard.cancels++;
}

static enum err on_disconnect(void *ctx, uint16_t handle)
{
	(void)ctx;
	return handle == 0x40 ? ERR_OK : ERR_NOT_FOUND;
}

static void on_acl(void *ctx, uint16_t handle, bool is_first, struct span part)
{
	(void)ctx;
	(void)is_first;
	heard.acl_handle = handle;
	heard.acl_bytes = part.n;
}

static void on_reset(void *ctx)
{
	(void)ctx;
	heard.resets++;
}

static const struct controller_ops ops = {
	on_send, on_connect, on_cancel, on_disconnect, on_acl, on_reset};
static struct controller c;

static void begin(void)
{
	memset(&heard, 0, sizeof(heard));
	controller_init(&c, own, &ops, NULL);
}

static void command(uint16_t opcode, const void *parameters, size_t n)
{
	uint8_t b[64];
	struct wr w = wr_init(b, sizeof(b));

	wr_u8(&w, HCI_COMMAND);
	wr_u16(&w, opcode);
	wr_u8(&w, (uint8_t)n);
	wr_bytes(&w, parameters, n);
	controller_take(&c, b, w.len_bytes);
}

/* Command Complete of opcode with this status; returns what follows it. */
static const uint8_t *completed(uint16_t opcode, uint8_t status)
{
	ck_assert_uint_eq(heard.out.b[1], 0x0E);
	ck_assert_int_eq(heard.out.b[4] | heard.out.b[5] << 8, opcode);
	ck_assert_uint_eq(heard.out.b[6], status);
	return heard.out.b + 7;
}

static void is_status(uint16_t opcode, uint8_t status)
{
	ck_assert_uint_eq(heard.out.b[1], 0x0F);
	ck_assert_uint_eq(heard.out.b[3], status);
	ck_assert_int_eq(heard.out.b[5] | heard.out.b[6] << 8, opcode);
}

static void scan(uint8_t active, uint8_t policy)
{
	command(0x200B, (const uint8_t[]){active, 0x60, 0, 0x30, 0, 0, policy}, 7);
	command(0x200C, "\x01\x00", 2);
	heard.packets = 0;
}

static void hear(bool connectable)
{
	struct port_report report = {
		.rssi_dbm = -60, .connectable = connectable, .data = {(const uint8_t *)"abc", 3}};

	memcpy(report.address, peer, sizeof(report.address));
	controller_report(&c, &report, (struct span){(const uint8_t *)"de", 2});
}

static void connect_to_peer(uint8_t policy)
{
	uint8_t b[25] = {0x60, 0, 0x60, 0, policy};

	memcpy(b + 5, peer, sizeof(peer));
	b[15] = 40;
	command(0x200D, b, sizeof(b));
}

START_TEST(says_what_it_is)
{
	command(0x1009, NULL, 0);
	ck_assert_mem_eq(completed(0x1009, HCI_OK), own, sizeof(own));
	command(0x2002, NULL, 0);
	ck_assert_uint_eq(completed(0x2002, HCI_OK)[0], HCI_ACL_MAX);
	command(0x0C03, NULL, 0);
	(void)completed(0x0C03, HCI_OK);
	ck_assert_uint_eq(heard.resets, 1);
}
END_TEST

START_TEST(refuses_what_it_does_not_know)
{
	command(0x2022, "\x40\0\xFB\0\0\0", 6);
	(void)completed(0x2022, HCI_UNKNOWN_COMMAND);
	command(0x200C, "\x01", 1);
	(void)completed(0x200C, HCI_INVALID_PARAMETERS);
	heard.packets = 0;
	controller_take(&c, "\x01\x0C", 2);
	ck_assert_uint_eq(heard.packets, 0);
}
END_TEST

START_TEST(reports_only_while_scanning)
{
	hear(true);
	ck_assert_uint_eq(heard.packets, 0);
	scan(0, 0);
	hear(true);
	ck_assert_uint_eq(heard.packets, 1);
	ck_assert_uint_eq(heard.out.b[5], HCI_ADV_IND);
	hear(false);
	ck_assert_uint_eq(heard.out.b[5], HCI_ADV_NONCONN_IND);
	command(0x200C, "\x00\x00", 2);
	heard.packets = 0;
	hear(true);
	ck_assert_uint_eq(heard.packets, 0);
}
END_TEST

/* Both times it has stopped; the host does not know. */
START_TEST(leaves_the_end_of_a_scan_unanswered_once)
{
	scan(0, 0);
	c.next_stop = CONTROLLER_SAYS_NOTHING;
	command(0x200C, "\x00\x00", 2);
	hear(true);
	ck_assert_uint_eq(heard.packets, 0);
	scan(0, 0);
	c.next_stop = CONTROLLER_REFUSES;
	command(0x200C, "\x00\x00", 2);
	(void)completed(0x200C, HCI_DISALLOWED);
	command(0x200C, "\x00\x00", 2);
	(void)completed(0x200C, HCI_OK);
}
END_TEST

START_TEST(asks_for_the_scan_response_when_active)
{
	scan(1, 0);
	hear(true);
	ck_assert_uint_eq(heard.packets, 2);
	ck_assert_uint_eq(heard.out.b[5], HCI_SCAN_RSP);
}
END_TEST

START_TEST(reports_those_of_its_list_only_if_so_told)
{
	scan(0, 1);
	hear(true);
	ck_assert_uint_eq(heard.packets, 0);
	command(0x2011, peer, sizeof(peer));
	command(0x2011, peer, sizeof(peer));
	ck_assert_uint_eq(c.accept_count, 1);
	heard.packets = 0;
	hear(true);
	ck_assert_uint_eq(heard.packets, 1);
	command(0x2012, peer, sizeof(peer));
	heard.packets = 0;
	hear(true);
	ck_assert_uint_eq(heard.packets, 0);
	for (uint8_t i = 0; i < CONTROLLER_ACCEPT_MAX; i++)
		command(0x2011, (const uint8_t[7]){i}, 7);
	(void)completed(0x2011, HCI_OK);
	command(0x2011, peer, sizeof(peer));
	(void)completed(0x2011, HCI_LIMIT_EXCEEDED);
}
END_TEST

START_TEST(reports_each_address_once_a_scan_if_so_told)
{
	scan(0, 0);
	for (int i = 0; i < 2; i++) {
		command(0x200C, "\x01\x01", 2);
		heard.packets = 0;
		hear(true);
		hear(false);
		ck_assert_uint_eq(heard.packets, 1);
	}
}
END_TEST

START_TEST(makes_one_connection_at_a_time)
{
	connect_to_peer(0);
	is_status(0x200D, HCI_OK);
	connect_to_peer(0);
	is_status(0x200D, HCI_DISALLOWED);
	ck_assert_uint_eq(heard.connects, 1);
	controller_connected(&c, 0x40, peer);
	ck_assert_uint_eq(heard.out.b[1], 0x3E);
	ck_assert_uint_eq(heard.out.b[15], 40);
	connect_to_peer(0);
	ck_assert_uint_eq(heard.connects, 2);
}
END_TEST

START_TEST(refuses_connections_that_it_cannot_make)
{
	heard.connect_result = ERR_FULL;
	connect_to_peer(0);
	is_status(0x200D, HCI_LIMIT_EXCEEDED);
	heard.connect_result = ERR_OK;
	connect_to_peer(1);
	is_status(0x200D, HCI_INVALID_PARAMETERS);
}
END_TEST

START_TEST(cancels)
{
	command(0x200E, NULL, 0);
	(void)completed(0x200E, HCI_DISALLOWED);
	connect_to_peer(0);
	command(0x200E, NULL, 0);
	(void)completed(0x200E, HCI_OK);
	ck_assert_uint_eq(heard.cancels, 1);
	controller_connect_failed(&c, HCI_UNKNOWN_CONNECTION);
	ck_assert_uint_eq(heard.out.b[4], HCI_UNKNOWN_CONNECTION);
	heard.packets = 0;
	controller_connect_failed(&c, HCI_UNKNOWN_CONNECTION);
	ck_assert_uint_eq(heard.packets, 0);
}
END_TEST

START_TEST(disconnects)
{
	command(0x0406, "\x40\x00\x13", 3);
	is_status(0x0406, HCI_OK);
	command(0x0406, "\x41\x00\x13", 3);
	ck_assert_uint_eq(heard.out.b[1], 0x05);
	ck_assert_uint_eq(heard.out.b[6], HCI_UNKNOWN_CONNECTION);
}
END_TEST

START_TEST(passes_data_on_and_counts_it)
{
	controller_take(&c, "\x02\x40\x00\x02\x00\x07\x08", 7);
	ck_assert_uint_eq(heard.acl_handle, 0x40);
	ck_assert_uint_eq(heard.acl_bytes, 2);
	ck_assert_uint_eq(heard.out.b[1], 0x13);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, begin, NULL);
	tcase_add_test(tc, says_what_it_is);
	tcase_add_test(tc, refuses_what_it_does_not_know);
	tcase_add_test(tc, reports_only_while_scanning);
	tcase_add_test(tc, leaves_the_end_of_a_scan_unanswered_once);
	tcase_add_test(tc, asks_for_the_scan_response_when_active);
	tcase_add_test(tc, reports_those_of_its_list_only_if_so_told);
	tcase_add_test(tc, reports_each_address_once_a_scan_if_so_told);
	tcase_add_test(tc, makes_one_connection_at_a_time);
	tcase_add_test(tc, refuses_connections_that_it_cannot_make);
	tcase_add_test(tc, cancels);
	tcase_add_test(tc, disconnects);
	tcase_add_test(tc, passes_data_on_and_counts_it);
}

int main(void)
{
	return suite_main("controller", fill);
}
