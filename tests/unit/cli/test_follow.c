#include "cli/follow.h"

#include <string.h>

#include "core/job.h"
#include "unit/suite.h"

static enum follow_verdict shown(const struct follow_kind *kind, const char *state,
	const char *reason, const char *reason_text)
{
	json_t *o = json_pack(
		"{s:s,s:s?,s:s?}", "state", state, "reason", reason, "reason_text", reason_text);
	enum follow_verdict v = follow_verdict_of(kind, o);

	json_decref(o);
	return v;
}

/* Those that are over and have not joined have failed; no state is forgotten. */
START_TEST(a_node_that_is_shown_is_judged_by_its_state)
{
	for (int i = 0; i < JOB_STATE_COUNT; i++) {
		enum job_state s = (enum job_state)i;
		enum follow_verdict want = s == JOB_JOINED                       ? FOLLOW_DONE
					   : job_is_over(s) || s == JOB_REMOVING ? FOLLOW_FAILED
										 : FOLLOW_ON;

		ck_assert_int_eq(shown(&follow_node, job_state_name(s), NULL, NULL), want);
	}
}
END_TEST

START_TEST(a_removal_ends_by_removed_or_unconfirmed)
{
	ck_assert_int_eq(shown(&follow_removal, "removing", NULL, NULL), FOLLOW_ON);
	ck_assert_int_eq(shown(&follow_removal, "removed", NULL, NULL), FOLLOW_DONE);
	ck_assert_int_eq(shown(&follow_removal, "unconfirmed", NULL, "reset it"), FOLLOW_FAILED);
}
END_TEST

/* An event has the words in reason, NodeShow a name there and the words in reason_text. */
START_TEST(an_asset_that_stays_with_a_reason_has_not_moved)
{
	ck_assert_int_eq(shown(&follow_move, "pending", NULL, NULL), FOLLOW_ON);
	ck_assert_int_eq(shown(&follow_move, "joined", NULL, NULL), FOLLOW_DONE);
	ck_assert_int_eq(shown(&follow_move, "joined", "it is no asset", NULL), FOLLOW_FAILED);
	ck_assert_int_eq(
		shown(&follow_move, "joined", "not_asset", "it is no asset"), FOLLOW_FAILED);
	ck_assert_int_eq(shown(&follow_move, "removing", NULL, NULL), FOLLOW_FAILED);
	ck_assert_int_eq(shown(&follow_move, "removed", NULL, NULL), FOLLOW_FAILED);
	ck_assert_int_eq(shown(&follow_move, "unconfirmed", NULL, NULL), FOLLOW_FAILED);
}
END_TEST

START_TEST(an_enrollee_is_enrolled_or_never_will_be)
{
	ck_assert_int_eq(shown(&follow_enrollee, "pending", NULL, NULL), FOLLOW_ON);
	ck_assert_int_eq(shown(&follow_enrollee, "enrolled", NULL, NULL), FOLLOW_DONE);
	ck_assert_int_eq(shown(&follow_enrollee, "cancelled", NULL, NULL), FOLLOW_FAILED);
	ck_assert_int_eq(shown(&follow_enrollee, "expired", NULL, NULL), FOLLOW_FAILED);
	ck_assert_int_eq(shown(&follow_enrollee, "revoked", NULL, NULL), FOLLOW_FAILED);
}
END_TEST

START_TEST(what_says_nothing_decides_nothing)
{
	json_t *o = json_object();

	ck_assert_int_eq(follow_verdict_of(&follow_node, o), FOLLOW_ON);
	ck_assert_int_eq(follow_verdict_of(&follow_enrollee, NULL), FOLLOW_ON);
	json_decref(o);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, a_node_that_is_shown_is_judged_by_its_state);
	tcase_add_test(tc, a_removal_ends_by_removed_or_unconfirmed);
	tcase_add_test(tc, an_asset_that_stays_with_a_reason_has_not_moved);
	tcase_add_test(tc, an_enrollee_is_enrolled_or_never_will_be);
	tcase_add_test(tc, what_says_nothing_decides_nothing);
}

int main(void)
{
	return suite_main("cli/follow", fill);
}
