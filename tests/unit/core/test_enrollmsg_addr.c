#include "enr/enrollmsg.h"

#include <stdio.h>

#include "unit/suite.h"

#define FP "00112233445566778899aabbccddeeff"

static enum err parse(const char *text, struct enrollmsg_addr *a)
{
	return enrollmsg_addr_parse((struct span){(const uint8_t *)text, strlen(text)}, a);
}

START_TEST(prints_what_it_reads)
{
	static const char *const texts[] = {"coap://gateway/enroll#" FP,
		"coap://192.0.2.7:5684/enroll#" FP, "coap://[2001:db8::1]:61616/enroll#" FP,
		"coap://[::1]/enroll#" FP, "coap://a.b-c_d.example:1/enroll#" FP,
		"coap://h:65535/enroll#" FP, "mesh:1/33#" FP, "mesh:65535/0#" FP};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct enrollmsg_addr a;
		char back[256];

		ck_assert_msg(parse(texts[i], &a) == ERR_OK, "refused %s", texts[i]);
		ck_assert_uint_eq(a.fingerprint[1], 0x11);
		ck_assert_int_eq(enrollmsg_addr_print(&a, back, sizeof(back)), ERR_OK);
		ck_assert_str_eq(back, texts[i]);
	}
}
END_TEST

START_TEST(knows_the_parts)
{
	struct enrollmsg_addr a;

	ck_assert_int_eq(parse("coap://[2001:db8::1]:61616/enroll#" FP, &a), ERR_OK);
	ck_assert_int_eq(a.kind, ENROLLMSG_ADDR_COAP);
	ck_assert_str_eq(a.host, "2001:db8::1");
	ck_assert(a.host_is_ipv6);
	ck_assert_uint_eq(a.port, 61616);
	ck_assert_int_eq(parse("coap://gw/enroll#" FP, &a), ERR_OK);
	ck_assert_uint_eq(a.port, ENROLLMSG_COAP_PORT);
	ck_assert_int_eq(parse("coap://gw:5683/enroll#" FP, &a), ERR_OK);
	ck_assert_uint_eq(a.port, ENROLLMSG_COAP_PORT);
	ck_assert_int_eq(parse("mesh:120/33#" FP, &a), ERR_OK);
	ck_assert_int_eq(a.kind, ENROLLMSG_ADDR_MESH);
	ck_assert_uint_eq(a.network_id, 120);
	ck_assert_uint_eq(a.node_id, 33);
}
END_TEST

START_TEST(refuses_everything_else)
{
	static const char *const bad[] = {"", "coap", "coap://", "coaps://gw/enroll#" FP,
		"COAP://gw/enroll#" FP, "coap:///enroll#" FP, "coap://gw/enroll",
		"coap://gw/enroll#", "coap://gw/enrol#" FP, "coap://gw/enroll/#" FP,
		"coap://gw#" FP, "coap://gw/enroll#" FP "0", "coap://gw/enroll#" FP " ",
		"coap://gw/enroll#00112233445566778899aabbccddeef",
		"coap://gw/enroll#00112233445566778899AABBCCDDEEFF",
		"coap://gw/enroll#0011223344556677889gaabbccddeeff", "coap://gw:/enroll#" FP,
		"coap://gw:0/enroll#" FP, "coap://gw:00/enroll#" FP, "coap://gw:05683/enroll#" FP,
		"coap://gw:65536/enroll#" FP, "coap://gw:+1/enroll#" FP, "coap://gw:1a/enroll#" FP,
		"coap://gw:5683:1/enroll#" FP, "coap://g w/enroll#" FP, "coap://u@gw/enroll#" FP,
		"coap://gw%31/enroll#" FP, "coap://gw\n/enroll#" FP, "coap://[::1/enroll#" FP,
		"coap://::1/enroll#" FP, "coap://[gw]/enroll#" FP, "coap://[]/enroll#" FP,
		"coap://[1]/enroll#" FP, "coap://[::1]x/enroll#" FP,
		"coap://[fe80::1%1]/enroll#" FP, "mesh:", "mesh:1#" FP, "mesh:1/#" FP,
		"mesh:/1#" FP, "mesh:01/1#" FP, "mesh:65536/1#" FP, "mesh:1/1/1#" FP, "mesh:1/1",
		"mesh:-1/1#" FP, "mesh:1/1#" FP "0", " coap://gw/enroll#" FP};
	struct enrollmsg_addr a;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i], &a) == ERR_INVALID, "accepted %s", bad[i]);
}
END_TEST

START_TEST(refuses_every_prefix)
{
	static const char *const texts[] = {"coap://[::1]:5684/enroll#" FP, "mesh:65535/2000#" FP};
	struct enrollmsg_addr a;

	for (int i = 0; i < 2; i++) {
		for (size_t n = 0; n < strlen(texts[i]); n++)
			ck_assert_int_eq(enrollmsg_addr_parse(
						 (struct span){(const uint8_t *)texts[i], n}, &a),
				ERR_INVALID);
	}
}
END_TEST

START_TEST(refuses_nul_and_overlong_hosts)
{
	static const char with_nul[] = "coap://g\0w/enroll#" FP;
	char text[300];
	struct enrollmsg_addr a;

	ck_assert_int_eq(
		enrollmsg_addr_parse(
			(struct span){(const uint8_t *)with_nul, sizeof(with_nul) - 1}, &a),
		ERR_INVALID);
	for (int n = ENROLLMSG_HOST_MAX - 1; n <= ENROLLMSG_HOST_MAX + 1; n++) {
		char host[ENROLLMSG_HOST_MAX + 2] = {0};

		memset(host, 'h', (size_t)n);
		(void)snprintf(text, sizeof(text), "coap://%s/enroll#" FP, host);
		ck_assert_int_eq(parse(text, &a), n <= ENROLLMSG_HOST_MAX ? ERR_OK : ERR_INVALID);
	}
	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(
		enrollmsg_addr_parse((struct span){(const uint8_t *)text, 256}, &a), ERR_TRAILING);
}
END_TEST

START_TEST(the_longest_fits_into_a_bundle)
{
	struct enrollmsg_addr a = {.kind = ENROLLMSG_ADDR_COAP, .port = 65535};
	char text[X3DH_ADDR_MAX + 1];

	memset(a.host, 'h', ENROLLMSG_HOST_MAX);
	ck_assert_int_eq(enrollmsg_addr_print(&a, text, sizeof(text)), ERR_OK);
	ck_assert_int_eq(enrollmsg_addr_print(&a, text, strlen(text)), ERR_FULL);
}
END_TEST

START_TEST(does_not_print_what_it_would_refuse)
{
	struct enrollmsg_addr a = {.kind = ENROLLMSG_ADDR_COAP, .port = 5683};
	char text[256];

	ck_assert_int_eq(enrollmsg_addr_print(&a, text, sizeof(text)), ERR_INVALID);
	memcpy(a.host, "a/b", 4);
	ck_assert_int_eq(enrollmsg_addr_print(&a, text, sizeof(text)), ERR_INVALID);
	memcpy(a.host, "ab", 3);
	a.port = 0;
	ck_assert_int_eq(enrollmsg_addr_print(&a, text, sizeof(text)), ERR_INVALID);
	a.port = 1;
	a.host_is_ipv6 = true;
	ck_assert_int_eq(enrollmsg_addr_print(&a, text, sizeof(text)), ERR_INVALID);
	memset(a.host, 'h', sizeof(a.host)); /* not terminated */
	a.host_is_ipv6 = false;
	ck_assert_int_eq(enrollmsg_addr_print(&a, text, sizeof(text)), ERR_INVALID);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, prints_what_it_reads);
	tcase_add_test(tc, knows_the_parts);
	tcase_add_test(tc, refuses_everything_else);
	tcase_add_test(tc, refuses_every_prefix);
	tcase_add_test(tc, refuses_nul_and_overlong_hosts);
	tcase_add_test(tc, the_longest_fits_into_a_bundle);
	tcase_add_test(tc, does_not_print_what_it_would_refuse);
}

int main(void)
{
	return suite_main("enrollmsg_addr", fill);
}
