#include "vm/hci.h"

#include "unit/suite.h"

static const uint8_t address[PORT_ADDRESS_BYTES] = {1, 0x11, 0x22, 0x33, 0x44, 0x55, 0xC6};

static const uint8_t reset[] = {1, 0x03, 0x0C, 0};
static const uint8_t disconnect[] = {1, 0x06, 0x04, 3, 0x41, 0, 0x13};
static const uint8_t data[] = {2, 0x41, 0x00, 3, 0, 7, 8, 9};
static const uint8_t more[] = {2, 0x41, 0x10, 1, 0, 7};

START_TEST(reads_commands_and_data)
{
	struct hci_packet p;

	ck_assert_int_eq(hci_decode(reset, sizeof(reset), &p), ERR_OK);
	ck_assert_int_eq(p.type, HCI_COMMAND);
	ck_assert_uint_eq(p.opcode, 0x0C03);
	ck_assert_uint_eq(p.data.n, 0);
	ck_assert_int_eq(hci_decode(disconnect, sizeof(disconnect), &p), ERR_OK);
	ck_assert_uint_eq(p.opcode, 0x0406);
	ck_assert_mem_eq(p.data.p, disconnect + 4, 3);
	ck_assert_int_eq(hci_decode(data, sizeof(data), &p), ERR_OK);
	ck_assert_int_eq(p.type, HCI_ACL);
	ck_assert_uint_eq(p.handle, 0x041);
	ck_assert(p.is_first);
	ck_assert_mem_eq(p.data.p, data + 5, 3);
	ck_assert_int_eq(hci_decode(more, sizeof(more), &p), ERR_OK);
	ck_assert(!p.is_first);
}
END_TEST

static void refuses_cut_and_trailing(const uint8_t *b, size_t n)
{
	uint8_t longer[16] = {0};
	struct hci_packet p;

	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(hci_decode(b, i, &p), ERR_SHORT);
	memcpy(longer, b, n);
	ck_assert_int_eq(hci_decode(longer, n + 1, &p), ERR_TRAILING);
}

START_TEST(refuses_wrong_lengths)
{
	struct hci_packet p;

	refuses_cut_and_trailing(reset, sizeof(reset));
	refuses_cut_and_trailing(disconnect, sizeof(disconnect));
	refuses_cut_and_trailing(data, sizeof(data));
	ck_assert_int_eq(hci_decode("\x03", 1, &p), ERR_UNKNOWN);
}
END_TEST

static void is(const struct hci_out *out, const uint8_t *b, size_t n)
{
	ck_assert_uint_eq(out->n, n);
	ck_assert_mem_eq(out->b, b, n);
}
#define IS(out, ...) is(out, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

START_TEST(writes_events)
{
	struct hci_out out;

	hci_complete(&out, 0x1009, HCI_OK, "\x01\x02", 2);
	IS(&out, 4, 0x0E, 6, 1, 0x09, 0x10, 0, 1, 2);
	hci_status(&out, 0x200D, HCI_DISALLOWED);
	IS(&out, 4, 0x0F, 4, 0x0C, 1, 0x0D, 0x20);
	hci_completed(&out, 0x41);
	IS(&out, 4, 0x13, 5, 1, 0x41, 0, 1, 0);
	hci_disconnected(&out, 0x41, 0x13);
	IS(&out, 4, 0x05, 4, 0, 0x41, 0, 0x13);
	hci_acl(&out, 0x41, "\x07\x08", 2);
	IS(&out, 2, 0x41, 0x20, 2, 0, 7, 8);
}
END_TEST

START_TEST(writes_le_events)
{
	struct hci_out out;

	hci_le_connected(&out, HCI_OK, 0x41, address, 40);
	IS(&out, 4, 0x3E, 19, 1, 0, 0x41, 0, 0, 1, 0x11, 0x22, 0x33, 0x44, 0x55, 0xC6, 40, 0, 0, 0,
		42, 0, 0);
	hci_le_connected(&out, HCI_UNKNOWN_CONNECTION, 0, NULL, 0);
	IS(&out, 4, 0x3E, 19, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0);
	hci_le_report(&out, HCI_SCAN_RSP, address, -60, (struct span){(const uint8_t *)"ab", 2});
	IS(&out, 4, 0x3E, 14, 2, 1, 4, 1, 0x11, 0x22, 0x33, 0x44, 0x55, 0xC6, 2, 'a', 'b', 0xC4);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_commands_and_data);
	tcase_add_test(tc, refuses_wrong_lengths);
	tcase_add_test(tc, writes_events);
	tcase_add_test(tc, writes_le_events);
}

int main(void)
{
	return suite_main("hci", fill);
}
