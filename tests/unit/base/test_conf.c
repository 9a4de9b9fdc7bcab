#include "base/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/suite.h"

static struct conf c;
static char error[CONF_ERROR_MAX];

static enum err parse(const char *text)
{
	conf_defaults(&c);
	return conf_parse(&c, "t.conf", text, strlen(text), error);
}

START_TEST(has_defaults)
{
	conf_defaults(&c);
	ck_assert_uint_eq(c.bundle_lifetime_s, 86400);
	ck_assert_uint_eq(c.link, CONF_LINK_BLUEZ);
	ck_assert_str_eq(c.control_socket, "/run/enrolld/control.sock");
}
END_TEST

START_TEST(reads_sections_comments_and_spaces)
{
	ck_assert_int_eq(
		parse("# hello\n\n[enroll]\n  bundle_lifetime =  15m \r\n;x\n[mesh]\nlink=none"),
		ERR_OK);
	ck_assert_uint_eq(c.bundle_lifetime_s, 900);
	ck_assert_uint_eq(c.link, CONF_LINK_NONE);
}
END_TEST

START_TEST(refuses_what_it_does_not_know_and_says_where)
{
	ck_assert_int_eq(parse("[enroll]\nbundle_livetime = 1h\n"), ERR_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(error, "t.conf:2: [enroll] has no key 'bundle_livetime'"));
	ck_assert_int_eq(parse("[nope]\n"), ERR_UNKNOWN);
	ck_assert_int_eq(parse("level = info\n"), ERR_INVALID);
	ck_assert_int_eq(parse("[log]\nlevel\n"), ERR_INVALID);
	ck_assert_int_eq(parse("[log]\nlevel = info\nlevel = debug\n"), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error, "twice"));
}
END_TEST

START_TEST(refuses_values_outside_their_limits)
{
	ck_assert_int_eq(parse("[log]\nlevel = loud\n"), ERR_RANGE);
	ck_assert_ptr_nonnull(strstr(error, "error, warning, info, debug"));
	ck_assert_int_eq(parse("[enroll]\nbundle_lifetime = 1\n"), ERR_RANGE);
	ck_assert_int_eq(parse("[enroll]\nbundle_lifetime = 3x\n"), ERR_RANGE);
	ck_assert_int_eq(parse("[enroll]\nbundle_quota = -1\n"), ERR_RANGE);
	ck_assert_int_eq(parse("[enroll]\nbundle_quota = 4294967296\n"), ERR_RANGE);
	ck_assert_int_eq(parse("[store]\ndatabase =\n"), ERR_RANGE);
}
END_TEST

START_TEST(refuses_nul_and_overlong_lines)
{
	char text[700] = "[log]\n";

	memset(text + 6, 'x', sizeof(text) - 6);
	conf_defaults(&c);
	ck_assert_int_eq(conf_parse(&c, "t", text, sizeof(text), error), ERR_RANGE);
	ck_assert_int_eq(conf_parse(&c, "t", "[log]\0\n", 7, error), ERR_INVALID);
}
END_TEST

START_TEST(prints_what_it_reads)
{
	struct conf again;
	char text[8192];
	FILE *f = fmemopen(text, sizeof(text), "w");

	ck_assert_int_eq(
		parse("[mesh]\nlink = socket\nlink_socket = /x\n[enroll]\nbundle_quota = 7\n"),
		ERR_OK);
	conf_print(&c, f);
	fclose(f);
	conf_defaults(&again);
	ck_assert_int_eq(conf_parse(&again, "t", text, strlen(text), error), ERR_OK);
	ck_assert_mem_eq(&again, &c, sizeof(c));
}
END_TEST

START_TEST(reads_durations)
{
	uint32_t s;

	ck_assert_int_eq(conf_duration("7d", &s), ERR_OK);
	ck_assert_uint_eq(s, 604800);
	ck_assert_int_eq(conf_duration("90", &s), ERR_OK);
	ck_assert_uint_eq(s, 90);
	ck_assert_int_eq(conf_duration("", &s), ERR_INVALID);
	ck_assert_int_eq(conf_duration("h", &s), ERR_INVALID);
	ck_assert_int_eq(conf_duration("1 h", &s), ERR_INVALID);
	ck_assert_int_eq(conf_duration("4294967295d", &s), ERR_RANGE);
}
END_TEST

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void forget(const char *dir, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(remove(path), 0);
}

START_TEST(reads_the_file_and_what_lies_beside_it)
{
	char dir[] = "/tmp/enrolld-conf-XXXXXX", file[64], dropins[64];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/enrolld.conf", dir);
	(void)snprintf(dropins, sizeof(dropins), "%s/conf.d", dir);
	conf_defaults(&c);
	ck_assert_int_eq(conf_load(&c, file, false, error), ERR_OK); /* there is nothing */
	ck_assert_int_eq(conf_load(&c, file, true, error), ERR_IO);
	ck_assert_ptr_nonnull(strstr(error, file));
	write_file(dir, "conf.d", "no folder\n");
	ck_assert_int_eq(conf_load(&c, file, false, error), ERR_IO);
	ck_assert_ptr_nonnull(strstr(error, dropins));
	forget(dir, "conf.d");
	ck_assert_int_eq(mkdir(dropins, 0700), 0);
	write_file(dropins, "20.conf", "[coap]\nport = 20\n");
	write_file(dropins, "10.conf", "[coap]\nport = 10\nhost = ten\n");
	write_file(dropins, "30.conf~", "not read\n");
	ck_assert_int_eq(conf_load(&c, file, false, error), ERR_OK);
	ck_assert_uint_eq(c.coap_port, 20);
	write_file(dir, "enrolld.conf", "[coap]\nport = 1\nhost = one\n[log]\nlevel = debug\n");
	conf_defaults(&c);
	ck_assert_int_eq(conf_load(&c, file, true, error), ERR_OK);
	ck_assert_uint_eq(c.coap_port, 20);
	ck_assert_str_eq(c.coap_host, "ten");
	forget(dropins, "10.conf");
	forget(dropins, "20.conf");
	forget(dropins, "30.conf~");
	forget(dir, "conf.d");
	forget(dir, "enrolld.conf");
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, has_defaults);
	tcase_add_test(tc, reads_sections_comments_and_spaces);
	tcase_add_test(tc, refuses_what_it_does_not_know_and_says_where);
	tcase_add_test(tc, refuses_values_outside_their_limits);
	tcase_add_test(tc, refuses_nul_and_overlong_lines);
	tcase_add_test(tc, prints_what_it_reads);
	tcase_add_test(tc, reads_durations);
	tcase_add_test(tc, reads_the_file_and_what_lies_beside_it);
}

int main(void)
{
	return suite_main("conf", fill);
}
