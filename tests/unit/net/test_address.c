#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "unit/suite.h"

static void check_v4(const char *text, const char *host, uint16_t port)
{
	struct sockaddr_storage ss;
	struct sockaddr_in *a = (struct sockaddr_in *)&ss;
	char shown[INET6_ADDRSTRLEN];
	socklen_t len;

	ck_assert_int_eq(address_parse(text, 5683, &ss, &len), ERR_OK);
	ck_assert_uint_eq(len, sizeof(*a));
	ck_assert_int_eq(ss.ss_family, AF_INET);
	ck_assert_str_eq(inet_ntop(AF_INET, &a->sin_addr, shown, sizeof(shown)), host);
	ck_assert_uint_eq(ntohs(a->sin_port), port);
}

static void check_v6(const char *text, const char *host, uint16_t port)
{
	struct sockaddr_storage ss;
	struct sockaddr_in6 *a = (struct sockaddr_in6 *)&ss;
	char shown[INET6_ADDRSTRLEN];
	socklen_t len;

	ck_assert_int_eq(address_parse(text, 5683, &ss, &len), ERR_OK);
	ck_assert_uint_eq(len, sizeof(*a));
	ck_assert_int_eq(ss.ss_family, AF_INET6);
	ck_assert_str_eq(inet_ntop(AF_INET6, &a->sin6_addr, shown, sizeof(shown)), host);
	ck_assert_uint_eq(ntohs(a->sin6_port), port);
}

START_TEST(reads_all_forms)
{
	check_v4("127.0.0.1", "127.0.0.1", 5683);
	check_v4("127.0.0.1:0", "127.0.0.1", 0);
	check_v4("10.1.2.3:65535", "10.1.2.3", 65535);
	check_v6("::", "::", 5683);
	check_v6("[::]", "::", 5683);
	check_v6("[fd00::12]:61616", "fd00::12", 61616);
}
END_TEST

START_TEST(refuses_everything_else)
{
	const char *const bad[] = {"", ":", ":5683", "localhost", "127.0.0.1:", "127.0.0.1:65536",
		"127.0.0.1:5683x", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0", "[::1", "[::1]5683",
		"[::1]:", "[::1]:99999", "[]", "[127.0.0.1]", "::1]", "1.2.3.4:5:6", " 127.0.0.1",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111]:5683"};
	struct sockaddr_storage ss;
	socklen_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(address_parse(bad[i], 5683, &ss, &len) == ERR_INVALID, "%s", bad[i]);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_all_forms);
	tcase_add_test(tc, refuses_everything_else);
}

int main(void)
{
	return suite_main("address", fill);
}
