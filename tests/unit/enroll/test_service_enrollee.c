#include <stdlib.h>

#include "enr/hex.h"
#include "enroll/service.h"
#include "support/world.h"
#include "unit/suite.h"

static struct world w;
static struct service_issued issued;
static struct enrollee e;

static void setup(void)
{
	world_open(&w);
	enrollee_make(&w, &e);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
}

static void teardown(void)
{
	world_close(&w);
}

static enum err announce(
	const struct service_announcement *a, struct service_bundle *out, struct reason *why)
{
	enum err result;

	*why = (struct reason){.field = NULL};
	world_begin(&w);
	result = service_enrollee_announce(w.service, &w.now, &WORLD_ALICE, a, out, why);
	if (result == ERR_OK)
		ck_assert_int_eq(world_end(&w), ERR_OK);
	else
		store_rollback(w.store);
	return result;
}

static struct service_announcement announcement(void)
{
	hex_print(issued.id, 8, e.bundle);
	return (struct service_announcement){.eik = e.eik.pub, .bundle = e.bundle};
}

START_TEST(an_announced_enrollee_is_expected_until_its_end)
{
	struct service_announcement a = announcement();
	struct service_bundle view;
	struct reason why;

	a.pet_name = "R\xc3\xb6\x62ot \xf0\x9f\xa4\x96";
	a.lifetime_s = 5000;
	ck_assert_int_eq(announce(&a, &view, &why), ERR_OK);
	ck_assert_int_eq(view.state, SERVICE_PENDING);
	ck_assert_uint_eq(view.expires_at, w.now.wall_s + 5000);
	ck_assert_str_eq(view.pet_name, a.pet_name);
	ck_assert_int_eq(service_enrollee_show(w.service, &w.now, e.id, &view, &why), ERR_OK);
	ck_assert_int_eq(view.state, SERVICE_PENDING);
	world_pass(&w, 5000);
	ck_assert_int_eq(service_enrollee_show(w.service, &w.now, e.id, &view, &why), ERR_OK);
	ck_assert_int_eq(view.state, SERVICE_EXPIRED);
}
END_TEST

START_TEST(the_identical_repeat_changes_nothing)
{
	struct service_announcement a = announcement();
	struct service_bundle first, second;
	struct reason why;
	int64_t rows;

	ck_assert_int_eq(announce(&a, &first, &why), ERR_OK);
	rows = world_number(&w, "SELECT count(*) FROM audit");
	world_pass(&w, 5);
	ck_assert_int_eq(announce(&a, &second, &why), ERR_OK);
	ck_assert_uint_eq(second.announced_at, first.announced_at);
	ck_assert_uint_eq(second.expires_at, first.expires_at);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM audit"), rows);
}
END_TEST

START_TEST(refuses_names_that_could_lie)
{
	static const char *const names[] = {"a\nb", "a\x7f", "a\x1b[0m", "\xc2\x85", "\xe2\x80\xa8",
		"\xe2\x80\xae", /* marks */
		"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xf8\x88\x80\x80\x80", "a\x80", /* not UTF-8 */
		"0123456789012345678901234567890123456789012345678901234567890123X"};
	struct service_announcement a = announcement();
	struct service_bundle view;
	struct reason why;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		a.pet_name = names[i];
		ck_assert_int_eq(announce(&a, &view, &why), ERR_INVALID);
		ck_assert_str_eq(why.field, "pet_name");
	}
	a.pet_name = "0123456789012345678901234567890123456789012345678901234567890123";
	ck_assert_int_eq(announce(&a, &view, &why), ERR_OK);
}
END_TEST

START_TEST(refuses_keys_that_must_not_be_used)
{
	static const uint8_t bad[][2] = {{0, 0}, {1, 0}, {0xed, 0x7f}, {9, 0x80}};
	struct service_announcement a = announcement();
	struct service_bundle view;
	struct reason why;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(a.eik.b, bad[i][0] == 0xed ? 0xff : 0, 32);
		a.eik.b[0] = bad[i][0];
		a.eik.b[31] = bad[i][1];
		ck_assert_int_eq(announce(&a, &view, &why), ERR_KEY);
		ck_assert_str_eq(why.field, "key");
	}
}
END_TEST

START_TEST(refuses_too_long_a_life_and_unknown_bundles)
{
	struct service_announcement a = announcement();
	struct service_bundle view;
	struct reason why;

	a.lifetime_s = SERVICE_LIFETIME_MAX_S + 1;
	ck_assert_int_eq(announce(&a, &view, &why), ERR_RANGE);
	a.lifetime_s = 0;
	a.bundle = "0000000000000000";
	ck_assert_int_eq(announce(&a, &view, &why), ERR_NOT_FOUND);
	a.bundle = "no hex";
	ck_assert_int_eq(announce(&a, &view, &why), ERR_INVALID);
	ck_assert_str_eq(why.field, "bundle");
}
END_TEST

START_TEST(refuses_a_foreign_bundle_but_not_to_an_admin)
{
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_BOB, &issued, 0), ERR_DENIED);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ADMIN, &issued, 0), ERR_OK);
}
END_TEST

START_TEST(one_bundle_has_one_enrollee_and_one_enrollee_one_bundle)
{
	struct service_issued second;
	struct enrollee other;

	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 0), ERR_OK);
	enrollee_make(&w, &other);
	ck_assert_int_eq(enrollee_announce(&w, &other, &WORLD_ALICE, &issued, 0), ERR_CONFLICT);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &second), ERR_OK);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &second, 0), ERR_CONFLICT);
	ck_assert_int_eq(enrollee_announce(&w, &other, &WORLD_ALICE, &second, 0), ERR_OK);
}
END_TEST

/* Announcing gives the quota of open bundles back: without one of its own, one enroller could have
 * any number of enrollees expected. */
START_TEST(the_quota_counts_the_expected_enrollees_too)
{
	struct service_announcement a = announcement();
	struct service_bundle view;
	struct enrollee second;
	struct reason why;

	world_stop(&w);
	w.config.quota = 1;
	ck_assert_int_eq(world_start(&w), ERR_OK);
	a.lifetime_s = 100;
	ck_assert_int_eq(announce(&a, &view, &why), ERR_OK);
	ck_assert_int_eq(announce(&a, &view, &why), ERR_OK); /* the repeat is none more */

	enrollee_make(&w, &second);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	a = announcement();
	a.eik = second.eik.pub;
	ck_assert_int_eq(announce(&a, &view, &why), ERR_QUOTA);
	ck_assert_str_ne(why.text, "");
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles WHERE state = 1"), 1);
	world_pass(&w, 100); /* over, not swept */
	ck_assert_int_eq(announce(&a, &view, &why), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles WHERE state = 1"), 1);
}
END_TEST

START_TEST(an_enrolled_enrollee_is_never_announced_again)
{
	struct service_issued second;

	enrollee_enroll(&w, &e);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &second), ERR_OK);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &second, 0), ERR_CONFLICT);
	world_begin(&w);
	ck_assert_int_eq(service_device_revoke(w.service, &w.now, &WORLD_ADMIN, e.device,
				 &(struct service_device){0}, NULL),
		ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &second, 0), ERR_CONFLICT);
}
END_TEST

START_TEST(expiry_is_tested_in_the_statement_that_acts)
{
	world_pass(&w, 599);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 10), ERR_OK);
	world_pass(&w, 10); /* swept by nobody */
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	world_pass(&w, 600);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 0), ERR_EXPIRED);
	/* The enrollee itself may come again, with another bundle. */
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 0), ERR_OK);
}
END_TEST

static enum err cancel(const struct caller *who, struct service_bundle *out)
{
	struct reason why = {.field = NULL};
	enum err result;

	world_begin(&w);
	result = service_enrollee_cancel(w.service, &w.now, who, e.id, out, &why);
	ck_assert(result == ERR_OK || why.text[0] != '\0');
	ck_assert_int_eq(world_end(&w), ERR_OK);
	return result;
}

START_TEST(a_cancelled_enrollee_meets_silence)
{
	struct service_bundle view;
	struct service_reply reply;

	ck_assert_int_eq(cancel(&WORLD_ALICE, &view), ERR_NOT_FOUND);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 0), ERR_OK);
	enrollee_build(&w, &e, &issued);
	ck_assert_int_eq(cancel(&WORLD_BOB, &view), ERR_DENIED);
	ck_assert_int_eq(cancel(&WORLD_ALICE, &view), ERR_OK);
	ck_assert_int_eq(view.state, SERVICE_REVOKED);
	ck_assert_int_eq(enrollee_send(&w, &e, &reply), ERR_OK);
	ck_assert_int_eq(reply.outcome, SERVICE_SILENCE);
	ck_assert_int_eq(cancel(&WORLD_ALICE, &view), ERR_STATE);
	/* It may be announced again, with a new bundle; the newest row is the one shown. */
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 0), ERR_OK);
	ck_assert_int_eq(service_enrollee_show(w.service, &w.now, e.id, &view, NULL), ERR_OK);
	ck_assert_int_eq(view.state, SERVICE_PENDING);
	world_pass(&w, 86400);
	ck_assert_int_eq(cancel(&WORLD_ALICE, &view), ERR_EXPIRED);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_announced_enrollee_is_expected_until_its_end);
	tcase_add_test(tc, the_identical_repeat_changes_nothing);
	tcase_add_test(tc, refuses_names_that_could_lie);
	tcase_add_test(tc, refuses_keys_that_must_not_be_used);
	tcase_add_test(tc, refuses_too_long_a_life_and_unknown_bundles);
	tcase_add_test(tc, refuses_a_foreign_bundle_but_not_to_an_admin);
	tcase_add_test(tc, one_bundle_has_one_enrollee_and_one_enrollee_one_bundle);
	tcase_add_test(tc, the_quota_counts_the_expected_enrollees_too);
	tcase_add_test(tc, an_enrolled_enrollee_is_never_announced_again);
	tcase_add_test(tc, expiry_is_tested_in_the_statement_that_acts);
	tcase_add_test(tc, a_cancelled_enrollee_meets_silence);
}

int main(void)
{
	return suite_main("service_enrollee", fill);
}
