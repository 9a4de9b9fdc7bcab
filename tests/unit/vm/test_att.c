#include "vm/att.h"

#include "unit/suite.h"
#include "vm/att_table.h"

/* Handles of the table, which these tests hold fast. */
enum { NAME = 3, MESH_VALUE = 9, SERVICE = 11, RX = 13, TX = 15, CCCD = 16 };

static struct att_server server;
static struct att_result result;

static void ask(const uint8_t *b, size_t n)
{
	att_take(&server, b, n, &result);
}
#define ASK(...) ask((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void answers(const uint8_t *b, size_t n)
{
	ck_assert_uint_eq(result.answer_bytes, n);
	ck_assert_mem_eq(result.answer, b, n);
}
#define ANSWERS(...) answers((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define REFUSES(opcode, handle, code) ANSWERS(1, opcode, handle, 0, code)

static void begin(void)
{
	att_reset(&server);
}

#define ACCESS(k) 0x58, 0x18, 0x05, 0xA0, 0x07, 0x0C, 0xFD, 0x93, 0x3C, 0x42, 0xCE, 0xAC, k, 0, 0, 0

START_TEST(exchanges_the_mtu)
{
	ASK(2, 0x05, 0x02); /* 517 */
	ANSWERS(3, 63, 0);
	ck_assert_int_eq(result.what, ATT_MTU);
	ck_assert_uint_eq(server.mtu, 63);
	ASK(2, 40, 0);
	ck_assert_uint_eq(server.mtu, 40);
	ASK(2, 5, 0); /* less than there may be */
	ck_assert_uint_eq(server.mtu, 23);
	ASK(2, 5);
	REFUSES(2, 0, ATT_INVALID_PDU);
}
END_TEST

START_TEST(lists_services_of_one_length_at_a_time)
{
	ASK(0x10, 1, 0, 0xFF, 0xFF, 0x00, 0x28);
	ANSWERS(0x11, 6, 1, 0, 5, 0, 0x00, 0x18, 6, 0, 6, 0, 0x01, 0x18);
	ck_assert_int_eq(result.what, ATT_DISCOVER);
	ASK(0x10, SERVICE, 0, 0xFF, 0xFF, 0x00, 0x28);
	ANSWERS(0x11, 20, SERVICE, 0, CCCD, 0, ACCESS(1));
	ASK(0x10, CCCD, 0, 0xFF, 0xFF, 0x00, 0x28);
	REFUSES(0x10, CCCD, ATT_NOT_FOUND);
	ASK(0x10, 1, 0, 0xFF, 0xFF, 0x01, 0x28);
	REFUSES(0x10, 1, ATT_UNSUPPORTED_GROUP);
}
END_TEST

START_TEST(lists_as_many_as_the_mtu_holds)
{
	ASK(0x08, SERVICE, 0, CCCD, 0, 0x03, 0x28);
	ANSWERS(9, 21, 12, 0, 0x0C, RX, 0, ACCESS(2));
	ASK(2, 63, 0);
	ASK(0x08, SERVICE, 0, CCCD, 0, 0x03, 0x28);
	ANSWERS(9, 21, 12, 0, 0x0C, RX, 0, ACCESS(2), 14, 0, 0x12, TX, 0, ACCESS(3));
	ASK(0x08, TX, 0, CCCD, 0, 0x03, 0x28);
	REFUSES(0x08, TX, ATT_NOT_FOUND);
	ASK(0x08, 1, 0, 0xFF, 0xFF, 0x00, 0x2A);
	ANSWERS(9, 8, NAME, 0, 'F', 'R', 'U', 'I', 'T', 'Y');
}
END_TEST

START_TEST(finds_a_service_by_its_uuid)
{
	ASK(0x06, 1, 0, 0xFF, 0xFF, 0x00, 0x28, ACCESS(1));
	ANSWERS(7, SERVICE, 0, CCCD, 0);
	ASK(0x06, 1, 0, 0xFF, 0xFF, 0x00, 0x28, ACCESS(2));
	REFUSES(0x06, 1, ATT_NOT_FOUND);
}
END_TEST

START_TEST(lists_descriptors)
{
	ASK(4, CCCD, 0, 0xFF, 0xFF);
	ANSWERS(5, 1, CCCD, 0, 0x02, 0x29);
	ASK(4, TX, 0, CCCD, 0);
	ANSWERS(5, 2, TX, 0, ACCESS(3));
	ASK(4, CCCD + 1, 0, 0xFF, 0xFF);
	REFUSES(4, CCCD + 1, ATT_NOT_FOUND);
	ASK(4, 0, 0, 1, 0);
	REFUSES(4, 0, ATT_INVALID_HANDLE);
	ASK(4, 2, 0, 1, 0);
	REFUSES(4, 2, ATT_INVALID_HANDLE);
}
END_TEST

START_TEST(reads_what_may_be_read)
{
	ASK(0x0A, NAME, 0);
	ANSWERS(0x0B, 'F', 'R', 'U', 'I', 'T', 'Y');
	ASK(0x0C, NAME, 0, 4, 0);
	ANSWERS(0x0D, 'T', 'Y');
	ASK(0x0C, NAME, 0, 7, 0);
	REFUSES(0x0C, NAME, ATT_INVALID_OFFSET);
	ASK(0x0A, TX, 0);
	ANSWERS(0x0B);
	ASK(0x0A, RX, 0);
	REFUSES(0x0A, RX, ATT_READ_NOT_PERMITTED);
	ASK(0x0A, MESH_VALUE, 0);
	REFUSES(0x0A, MESH_VALUE, ATT_NOT_AUTHENTICATED);
	ASK(0x0A, 0x77, 0);
	REFUSES(0x0A, 0x77, ATT_INVALID_HANDLE);
}
END_TEST

START_TEST(subscribes_and_ends_it)
{
	ASK(0x12, CCCD, 0, 1, 0);
	ANSWERS(0x13);
	ck_assert_int_eq(result.what, ATT_SUBSCRIBE);
	ASK(0x0A, CCCD, 0);
	ANSWERS(0x0B, 1, 0);
	ASK(0x12, CCCD, 0, 0, 0);
	ck_assert_int_eq(result.what, ATT_UNSUBSCRIBE);
	ASK(0x12, CCCD, 0, 1);
	REFUSES(0x12, CCCD, ATT_INVALID_LENGTH);
	att_refuse((const uint8_t[]){0x12, CCCD, 0, 1, 0}, 5, 0x0E, &result);
	REFUSES(0x12, CCCD, 0x0E);
}
END_TEST

START_TEST(takes_writes_of_any_length)
{
	uint8_t b[3 + 60] = {0x52, RX, 0};

	for (size_t n = 0; n <= 60; n++) {
		ask(b, 3 + n);
		ck_assert_int_eq(result.what, ATT_WRITE);
		ck_assert_uint_eq(result.written.n, n);
		ck_assert_uint_eq(result.answer_bytes, 0);
	}
	b[0] = 0x12;
	ask(b, 3 + 20);
	ck_assert_int_eq(result.what, ATT_WRITE);
	ANSWERS(0x13);
	ASK(0x52, TX, 0, 1);
	ck_assert_int_eq(result.what, ATT_NOTHING);
	ASK(0x12, TX, 0, 1);
	REFUSES(0x12, TX, ATT_WRITE_NOT_PERMITTED);
}
END_TEST

/* Every request of one to eight bytes is answered by something that fits, commands by nothing. */
START_TEST(answers_whatever_comes)
{
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		for (size_t n = 1; n <= 8; n++) {
			const uint8_t b[8] = {(uint8_t)opcode, 9, 0, 16, 0, 0, 0x28, 1};

			ask(b, n);
			ck_assert_uint_le(result.answer_bytes, server.mtu);
			if (opcode & 0x40)
				ck_assert_uint_eq(result.answer_bytes, 0);
			else if (opcode != 0x1E)
				ck_assert_uint_ge(result.answer_bytes, 1);
		}
	}
	ask(NULL, 0);
	ck_assert_uint_eq(result.answer_bytes, 0);
}
END_TEST

START_TEST(notifies_what_fits)
{
	uint8_t payload[40] = {1, 2, 3}, out[ATT_MTU_NODE];

	ck_assert_uint_eq(att_notification(&server, payload, 2, out), 5);
	ck_assert_mem_eq(out, ((const uint8_t[]){0x1B, TX, 0, 1, 2}), 5);
	ck_assert_uint_eq(att_notification(&server, payload, 40, out), 23);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, begin, NULL);
	tcase_add_test(tc, exchanges_the_mtu);
	tcase_add_test(tc, lists_services_of_one_length_at_a_time);
	tcase_add_test(tc, lists_as_many_as_the_mtu_holds);
	tcase_add_test(tc, finds_a_service_by_its_uuid);
	tcase_add_test(tc, lists_descriptors);
	tcase_add_test(tc, reads_what_may_be_read);
	tcase_add_test(tc, subscribes_and_ends_it);
	tcase_add_test(tc, takes_writes_of_any_length);
	tcase_add_test(tc, answers_whatever_comes);
	tcase_add_test(tc, notifies_what_fits);
}

int main(void)
{
	return suite_main("att", fill);
}
