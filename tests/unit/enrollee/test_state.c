#include "enrollee/state.h"

#include <stdio.h>

#include "unit/suite.h"

#define HEX32(d) d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d

static struct state fresh(void)
{
	struct state s = {.stage = STATE_FRESH};

	memset(&s.eik, 0x11, sizeof(s.eik));
	memset(&s.ik, 0x22, sizeof(s.ik));
	return s;
}

static struct state trying(void)
{
	struct state s = fresh();

	s.stage = STATE_TRYING;
	s.bundle_bytes = ENROLLMSG_BUNDLE_FIXED + 30;
	memset(s.bundle, 0x33, s.bundle_bytes);
	memset(s.message, 0x44, sizeof(s.message));
	memset(&s.h, 0x55, sizeof(s.h));
	memset(&s.traffic, 0x66, sizeof(s.traffic));
	return s;
}

static struct state enrolled(void)
{
	struct state s = trying();

	s.stage = STATE_ENROLLED;
	memset(&s.eik, 0, sizeof(s.eik));
	memset(s.message, 0, sizeof(s.message));
	memset(&s.enrollee_id, 0x99, sizeof(s.enrollee_id));
	s.enrolled_at = 1604534400;
	s.welcome_bytes = 5;
	memcpy(s.welcome, "hello", 5);
	s.epoch = 65535;
	s.epoch_at = UINT64_MAX;
	s.confirmed = true;
	s.sent = 7;
	s.newest = 9;
	s.window = 0x8000000000000001;
	s.heard.n = 44;
	memset(s.heard.b, 0x77, 44);
	s.replied.n = STATE_FRAME_MAX;
	memset(s.replied.b, 0x88, STATE_FRAME_MAX);
	return s;
}

static size_t print(const struct state *s, char text[STATE_TEXT_MAX])
{
	size_t n = 0;

	ck_assert_int_eq(state_print(s, text, STATE_TEXT_MAX, &n), ERR_OK);
	ck_assert_uint_eq(strlen(text), n);
	return n;
}

START_TEST(prints_the_known_text)
{
	const char *want =
		"enrollee 1\nstage fresh\neik " HEX32("11") "\nik " HEX32("22") "\nend\n";
	struct state s = fresh(), back;
	char text[STATE_TEXT_MAX];

	ck_assert_uint_eq(print(&s, text), strlen(want));
	ck_assert_str_eq(text, want);
	ck_assert_int_eq(state_parse(want, strlen(want), &back), ERR_OK);
	ck_assert_mem_eq(&back, &s, sizeof(s));
}
END_TEST

static void round_trip(struct state s)
{
	struct state back;
	char text[STATE_TEXT_MAX], again[STATE_TEXT_MAX];
	size_t n = print(&s, text);

	ck_assert_int_eq(state_parse(text, n, &back), ERR_OK);
	ck_assert_mem_eq(&back, &s, sizeof(s));
	ck_assert_uint_eq(print(&back, again), n);
	ck_assert_str_eq(again, text);
}

START_TEST(reads_what_it_printed)
{
	struct state s = enrolled();

	round_trip(fresh());
	round_trip(trying());
	round_trip(enrolled());
	s.welcome_bytes = 0;
	s.heard.n = s.replied.n = 0;
	memset(s.welcome, 0, sizeof(s.welcome));
	memset(&s.heard, 0, sizeof(s.heard));
	memset(&s.replied, 0, sizeof(s.replied));
	round_trip(s);
}
END_TEST

START_TEST(the_longest_state_fits)
{
	struct state s = enrolled();
	char text[STATE_TEXT_MAX];

	s.bundle_bytes = ENROLLMSG_BUNDLE_MAX;
	s.welcome_bytes = ENROLLMSG_WELCOME_MAX;
	s.heard.n = STATE_FRAME_MAX;
	s.sent = s.newest = s.window = s.enrolled_at = UINT64_MAX;
	(void)print(&s, text);
}
END_TEST

START_TEST(refuses_every_truncated_prefix)
{
	struct state s[] = {fresh(), trying(), enrolled()}, back;
	const struct state zero = {0};
	char text[STATE_TEXT_MAX];

	for (size_t i = 0; i < 3; i++) {
		size_t n = print(&s[i], text);

		for (size_t k = 0; k < n; k++) {
			char *cut = malloc(k + 1); /* so that the sanitizer sees its end */

			memcpy(cut, text, k);
			ck_assert_int_eq(state_parse(cut, k, &back), ERR_SHORT);
			ck_assert_mem_eq(&back, &zero, sizeof(zero));
			free(cut);
		}
	}
}
END_TEST

START_TEST(refuses_every_trailing_byte)
{
	struct state s = enrolled(), back;
	char text[STATE_TEXT_MAX];
	size_t n = print(&s, text);

	for (int c = 0; c < 256; c++) {
		text[n] = (char)c;
		ck_assert_int_eq(state_parse(text, n + 1, &back), ERR_TRAILING);
	}
}
END_TEST

/* No single byte can be another one without a refusal or another state. */
START_TEST(has_one_text_for_one_state)
{
	struct state s = enrolled(), back;
	char text[STATE_TEXT_MAX], again[STATE_TEXT_MAX];
	size_t n = print(&s, text), accepted = 0;

	for (size_t i = 0; i < n; i++) {
		char was = text[i];

		for (int c = 1; c < 256; c += 7) {
			text[i] = (char)c;
			if (state_parse(text, n, &back) == ERR_OK) {
				accepted++;
				ck_assert_uint_eq(print(&back, again), n);
				ck_assert_mem_eq(again, text, n);
			}
		}
		text[i] = was;
	}
	ck_assert_uint_gt(accepted, 100);
}
END_TEST

static void refuse(const char *text, enum err want)
{
	struct state s;

	ck_assert_msg(state_parse(text, strlen(text), &s) == want, "%d for: %s",
		(int)state_parse(text, strlen(text), &s), text);
}

START_TEST(refuses_what_the_table_does_not_have)
{
#define EIK "eik " HEX32("11") "\n"
#define IK "ik " HEX32("22") "\n"
	refuse("enrollee 2\nstage fresh\n" EIK IK "end\n", ERR_VERSION);
	refuse("enrollee 1\nstage new\n" EIK IK "end\n", ERR_UNKNOWN);
	refuse("enrollee 1\nstage fresh\n" IK EIK "end\n", ERR_UNKNOWN);
	refuse("enrollee 1\nstage fresh\n" EIK EIK IK "end\n", ERR_UNKNOWN);
	refuse("enrollee 1\nstage fresh\n" EIK IK "colour blue\nend\n", ERR_UNKNOWN);
	refuse("enrollee 1\nstage fresh\n" EIK IK "end \n", ERR_UNKNOWN);
	refuse("enrollee 1\nstage fresh\n" EIK "end\n", ERR_UNKNOWN);
	refuse("enrollee 1\nstage fresh\neik  " HEX32("11") "\n" IK "end\n", ERR_TRAILING);
	refuse("enrollee 1\nstage fresh\neik " HEX32("AA") "\n" IK "end\n", ERR_INVALID);
	refuse("enrollee 1\nstage fresh\neik 11\n" IK "end\n", ERR_SHORT);
	refuse("enrollee 1\nstage fresh\neik\n" IK "end\n", ERR_SHORT);
	refuse("enrollee 1\r\nstage fresh\n" EIK IK "end\n", ERR_VERSION);
}
END_TEST

static void replace(const char *from, const char *to, enum err want)
{
	struct state s = enrolled();
	char text[STATE_TEXT_MAX], changed[STATE_TEXT_MAX + 64];
	char *at;

	(void)print(&s, text);
	at = strstr(text, from);
	ck_assert_ptr_nonnull(at);
	*at = '\0';
	(void)snprintf(changed, sizeof(changed), "%s%s%s", text, to, at + strlen(from));
	refuse(changed, want);
}

START_TEST(refuses_numbers_written_otherwise)
{
	replace("confirmed 1", "confirmed 5", ERR_RANGE);
	replace("confirmed 1", "confirmed 01", ERR_INVALID);
	replace("epoch 65535", "epoch 65536", ERR_RANGE);
	replace("epoch 65535", "epoch ", ERR_INVALID);
	replace("sent 7", "sent +7", ERR_INVALID);
	replace("sent 7", "sent 7 ", ERR_INVALID);
	replace("sent 7", "sent 18446744073709551616", ERR_RANGE);
	replace("sent 7", "sent 99999999999999999999999999", ERR_RANGE);
	replace("68656c6c6f", "68656c6c6", ERR_INVALID);
	replace("heard 77", "heard ", ERR_OK);
	replace("welcome 68656c6c6f\n", "welcome \n", ERR_RANGE);
}
END_TEST

START_TEST(refuses_a_ping_without_its_pong)
{
	struct state s = enrolled();
	char text[STATE_TEXT_MAX];
	size_t n;

	s.replied.n = 0;
	ck_assert_int_eq(state_print(&s, text, sizeof(text), &n), ERR_STATE);
}
END_TEST

START_TEST(refuses_to_print_into_less)
{
	struct state s = fresh();
	char text[STATE_TEXT_MAX];
	size_t n = print(&s, text), len;

	ck_assert_int_eq(state_print(&s, text, n, &len), ERR_FULL);
	ck_assert_int_eq(state_print(&s, text, n + 1, &len), ERR_OK);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, prints_the_known_text);
	tcase_add_test(tc, reads_what_it_printed);
	tcase_add_test(tc, the_longest_state_fits);
	tcase_add_test(tc, refuses_every_truncated_prefix);
	tcase_add_test(tc, refuses_every_trailing_byte);
	tcase_add_test(tc, has_one_text_for_one_state);
	tcase_add_test(tc, refuses_what_the_table_does_not_have);
	tcase_add_test(tc, refuses_numbers_written_otherwise);
	tcase_add_test(tc, refuses_a_ping_without_its_pong);
	tcase_add_test(tc, refuses_to_print_into_less);
}

int main(void)
{
	return suite_main("state", fill);
}
