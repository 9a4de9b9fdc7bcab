#include "cli/adding.h"

#include "core/job.h"
#include "unit/suite.h"

static enum adding_known judge(const char *state, const char *task, int network, int wanted)
{
	json_t *node =
		json_pack("{s:s,s:s,s:i}", "state", state, "task", task, "network_id", network);
	enum adding_known known = adding_judge(node, wanted);

	json_decref(node);
	return known;
}

/* No state is forgotten; one that is being removed will not join. */
START_TEST(a_node_is_known_while_it_is_enrolled_or_will_be)
{
	for (int i = 0; i < JOB_STATE_COUNT; i++) {
		enum job_state s = (enum job_state)i;
		enum adding_known want = s == JOB_JOINED                       ? ADDING_JOINED
					 : job_is_over(s) || s == JOB_REMOVING ? ADDING_OTHER
									       : ADDING_UNDER_WAY;

		ck_assert_int_eq(judge(job_state_name(s), "enroll", 10, 10), want);
		ck_assert_int_eq(judge(job_state_name(s), "enroll", 10, 0), want);
	}
}
END_TEST

START_TEST(a_node_of_another_network_is_not_what_the_label_asks_for)
{
	ck_assert_int_eq(judge("pending", "enroll", 11, 10), ADDING_OTHER);
	ck_assert_int_eq(judge("joined", "enroll", 11, 10), ADDING_OTHER);
}
END_TEST

START_TEST(an_asset_that_is_moved_has_joined_before)
{
	ck_assert_int_eq(judge("pending", "set_network", 10, 10), ADDING_JOINED);
	ck_assert_int_eq(judge("joined", "set_network", 10, 10), ADDING_JOINED);
	ck_assert_int_eq(judge("removing", "set_network", 10, 10), ADDING_OTHER);
}
END_TEST

START_TEST(what_is_no_node_is_not_known)
{
	ck_assert_int_eq(adding_judge(NULL, 0), ADDING_OTHER);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, a_node_is_known_while_it_is_enrolled_or_will_be);
	tcase_add_test(tc, a_node_of_another_network_is_not_what_the_label_asks_for);
	tcase_add_test(tc, an_asset_that_is_moved_has_joined_before);
	tcase_add_test(tc, what_is_no_node_is_not_known);
}

int main(void)
{
	return suite_main("cli/adding", fill);
}
