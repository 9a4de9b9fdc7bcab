#include "enr/hex.h"
#include "enroll/service.h"
#include "support/world.h"
#include "unit/suite.h"

static struct world w;

static void setup(void)
{
	world_open(&w);
}

static void teardown(void)
{
	world_close(&w);
}

/* Another configuration, the same database. */
static void restart_with_quota(uint32_t quota)
{
	world_stop(&w);
	w.config.quota = quota;
	ck_assert_int_eq(world_start(&w), ERR_OK);
}

struct issued {
	struct service_issued one[8];
	size_t count;
};

static void collect(void *arg, const struct service_issued *issued)
{
	struct issued *all = arg;

	ck_assert_uint_lt(all->count, 8);
	all->one[all->count++] = *issued;
}

START_TEST(a_bundle_is_whole_signed_and_tells_its_end)
{
	struct service_issued issued;
	struct enrollmsg_bundle bundle;
	uint8_t id[8];

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	ck_assert_int_eq(
		enrollmsg_bundle_decode((struct span){issued.frame, issued.frame_bytes}, &bundle),
		ERR_OK);
	ck_assert_int_eq(enrollmsg_bundle_check(w.crypto, &bundle), ERR_OK);
	ck_assert_uint_eq(bundle.expires_at, w.now.wall_s + 600);
	ck_assert_uint_eq(issued.expires_at, bundle.expires_at);
	ck_assert_mem_eq(bundle.prekeys.ik.b, service_identity(w.service)->b, 32);
	ck_assert_uint_eq(bundle.addr.n, strlen(service_addr(w.service)));
	ck_assert_mem_eq(bundle.addr.p, service_addr(w.service), bundle.addr.n);
	ck_assert_int_eq(enrollmsg_bundle_id(w.crypto, &bundle.prekeys.opk, id), ERR_OK);
	ck_assert_mem_eq(id, issued.id, sizeof(id));
}
END_TEST

START_TEST(many_are_issued_at_once_each_with_its_own_life)
{
	static const uint32_t lifetimes_s[3] = {10, 0, 30};
	struct issued all = {.count = 0};

	world_begin(&w);
	ck_assert_int_eq(service_bundle_issue(w.service, &w.now, &WORLD_ALICE, lifetimes_s, 3,
				 collect, &all, NULL),
		ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_uint_eq(all.count, 3);
	ck_assert_uint_eq(all.one[0].expires_at, w.now.wall_s + 10);
	ck_assert_uint_eq(all.one[1].expires_at, w.now.wall_s + 86400);
	ck_assert_uint_eq(all.one[2].expires_at, w.now.wall_s + 30);
	ck_assert_mem_ne(all.one[0].id, all.one[1].id, 8);
}
END_TEST

START_TEST(refuses_wrong_counts_and_lifetimes)
{
	static const uint32_t too_long = SERVICE_LIFETIME_MAX_S + 1;
	struct issued all = {.count = 0};
	struct reason why = {.field = NULL};

	world_begin(&w);
	ck_assert_int_eq(
		service_bundle_issue(w.service, &w.now, &WORLD_ALICE, NULL, 0, collect, &all, &why),
		ERR_RANGE);
	ck_assert_str_eq(why.field, "count");
	ck_assert_int_eq(service_bundle_issue(w.service, &w.now, &WORLD_ALICE, NULL,
				 SERVICE_ISSUE_MAX + 1, collect, &all, &why),
		ERR_RANGE);
	ck_assert_int_eq(service_bundle_issue(w.service, &w.now, &WORLD_ALICE, &too_long, 1,
				 collect, &all, &why),
		ERR_RANGE);
	ck_assert_str_eq(why.field, "lifetime_s");
	ck_assert_uint_eq(all.count, 0);
}
END_TEST

START_TEST(the_quota_counts_open_bundles_of_one_enroller)
{
	struct service_issued issued;
	struct service_bundle view;
	char id[17];

	restart_with_quota(2);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_QUOTA);
	ck_assert_int_eq(world_issue(&w, &WORLD_BOB, 0, &issued), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles"), 3);
	/* Bob's does not help Alice; revoking her own does. */
	hex_print(issued.id, 8, id);
	world_begin(&w);
	ck_assert_int_eq(
		service_bundle_revoke(w.service, &w.now, &WORLD_BOB, id, &view, NULL), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_QUOTA);
}
END_TEST

START_TEST(bundles_that_are_over_do_not_count_before_the_sweep)
{
	struct service_issued issued;

	restart_with_quota(1);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 60, &issued), ERR_OK);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 60, &issued), ERR_QUOTA);
	world_pass(&w, 60);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 60, &issued), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT n FROM tallies WHERE kind = 3"), 1);
}
END_TEST

START_TEST(an_issue_beyond_the_quota_gives_none)
{
	struct issued all = {.count = 0};
	struct reason why = {.field = NULL};

	restart_with_quota(2);
	world_begin(&w);
	ck_assert_int_eq(store_request_begin(w.store), ERR_OK);
	ck_assert_int_eq(
		service_bundle_issue(w.service, &w.now, &WORLD_ALICE, NULL, 3, collect, &all, &why),
		ERR_QUOTA);
	ck_assert_str_ne(why.text, "");
	ck_assert_int_eq(store_request_undo(w.store), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles"), 0);
}
END_TEST

#define DAY_S 86400u
#define MONTH_S (30 * DAY_S)

/* A request that gets count bundles of a month, or nothing. */
static enum err issue_or_undo(const struct caller *who, size_t count)
{
	static const uint32_t lifetimes_s[2] = {MONTH_S, MONTH_S};
	struct issued all = {.count = 0};
	enum err e;

	world_begin(&w);
	ck_assert_int_eq(store_request_begin(w.store), ERR_OK);
	e = service_bundle_issue(w.service, &w.now, who, lifetimes_s, count, collect, &all, NULL);
	ck_assert_int_eq(
		e == ERR_OK ? store_request_keep(w.store) : store_request_undo(w.store), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	return e;
}

START_TEST(an_undone_issue_leaves_no_prekey_behind)
{
	restart_with_quota(1);
	ck_assert_int_eq(issue_or_undo(&WORLD_ALICE, 1), ERR_OK);
	world_pass(&w, 7 * DAY_S); /* the signed prekey retires, and no tick makes the next */
	ck_assert_int_eq(issue_or_undo(&WORLD_ALICE, 1), ERR_QUOTA);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM signed_prekeys"), 1);
	ck_assert_int_eq(issue_or_undo(&WORLD_BOB, 1), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM signed_prekeys"), 2);
}
END_TEST

START_TEST(an_undone_issue_extends_no_prekey)
{
	struct service_issued issued;

	restart_with_quota(2);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	ck_assert_int_eq(issue_or_undo(&WORLD_ALICE, 2), ERR_QUOTA);
	ck_assert_int_eq(issue_or_undo(&WORLD_ALICE, 1), ERR_OK);
	ck_assert_int_ge(world_number(&w, "SELECT min(destroy_s - expires_s) FROM bundles JOIN "
					  "signed_prekeys ON signed_prekeys.id = spk_id"),
		3600);
}
END_TEST

/* --- list --- */

static void count_row(void *arg, const struct service_bundle *bundle)
{
	size_t *count = arg;

	ck_assert_int_gt(bundle->row, 0);
	(*count)++;
}

static void keep_row(void *arg, const struct service_bundle *bundle)
{
	*(struct service_bundle *)arg = *bundle;
}

static size_t count(const struct service_filter *filter)
{
	size_t n = 0;

	ck_assert_int_eq(
		service_bundle_list(w.service, &w.now, filter, count_row, &n, NULL), ERR_OK);
	return n;
}

START_TEST(lists_by_state_and_owner_in_pages)
{
	struct service_filter filter = {.uid = SERVICE_ANY_UID};
	struct service_issued issued;
	struct service_bundle last;
	struct enrollee e;
	bool more;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(world_issue(&w, &WORLD_BOB, 60, &issued), ERR_OK);
	enrollee_ready(&w, &e);
	ck_assert_uint_eq(count(&filter), 4);
	filter.uid = WORLD_BOB.uid;
	ck_assert_uint_eq(count(&filter), 3);
	filter.uid = SERVICE_ANY_UID;
	filter.states = 1u << SERVICE_PENDING;
	ck_assert_uint_eq(count(&filter), 1);
	filter.states = 0;
	filter.enrollees = true;
	ck_assert_uint_eq(count(&filter), 1);
	filter.enrollees = false;
	filter.limit = 3;
	ck_assert_int_eq(
		service_bundle_list(w.service, &w.now, &filter, keep_row, &last, &more), ERR_OK);
	ck_assert(more);
	filter.after = last.row;
	ck_assert_int_eq(
		service_bundle_list(w.service, &w.now, &filter, keep_row, &last, &more), ERR_OK);
	ck_assert(!more);
	ck_assert(last.has_enrollee);
	ck_assert_str_eq(last.pet_name, "Robot Axiom");
	/* Over, but not swept: told as expired. */
	world_pass(&w, 60);
	filter = (struct service_filter){.uid = SERVICE_ANY_UID, .states = 1u << SERVICE_EXPIRED};
	ck_assert_uint_eq(count(&filter), 3);
}
END_TEST

/* --- show, revoke --- */

static enum err show(const char *id, struct service_bundle *out, struct service_issued *issued)
{
	struct reason why = {.field = NULL};
	enum err e = service_bundle_show(w.service, &w.now, id, out, issued, &why);

	ck_assert(e == ERR_OK || why.text[0] != '\0');
	return e;
}

START_TEST(shows_the_same_bytes_again_also_with_a_new_address)
{
	struct service_issued issued, again;
	struct service_bundle view;
	char id[17];

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	world_stop(&w);
	w.config.addr_host = "elsewhere.local";
	ck_assert_int_eq(world_start(&w), ERR_OK);
	hex_print(issued.id, 8, id);
	ck_assert_int_eq(show(id, &view, &again), ERR_OK);
	ck_assert_uint_eq(again.frame_bytes, issued.frame_bytes);
	ck_assert_mem_eq(again.frame, issued.frame, issued.frame_bytes);
	ck_assert_int_eq(view.state, SERVICE_OPEN);
	ck_assert_uint_eq(view.enroller, WORLD_ALICE.uid);
}
END_TEST

START_TEST(takes_ids_by_their_first_digits_if_they_are_unique)
{
	struct service_issued issued;
	struct service_bundle view;
	char id[17];

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	hex_print(issued.id, 8, id);
	ck_assert_int_eq(show(id, &view, NULL), ERR_OK);
	id[8] = '\0';
	ck_assert_int_eq(show(id, &view, NULL), ERR_OK);
	id[7] = '\0';
	ck_assert_int_eq(show(id, &view, NULL), ERR_INVALID);
	ck_assert_int_eq(show("0123456g", &view, NULL), ERR_INVALID);
	ck_assert_int_eq(show("", &view, NULL), ERR_INVALID);
	ck_assert_int_eq(show("00112233445566778", &view, NULL), ERR_INVALID);
	ck_assert_int_eq(show("0011223344556677", &view, NULL), ERR_NOT_FOUND);
	/* Two that begin alike. */
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	world_sql(&w, "UPDATE bundles SET bundle_id = CASE id WHEN 1 THEN x'aabbccdd00000001' "
		      "ELSE x'aabbccdd00000002' END");
	ck_assert_int_eq(show("aabbccdd", &view, NULL), ERR_CONFLICT);
	ck_assert_int_eq(show("AABBCCDD00000002", &view, NULL), ERR_OK);
}
END_TEST

static enum err revoke(const struct caller *who, const struct service_issued *issued)
{
	struct reason why = {.field = NULL};
	struct service_bundle view;
	char id[17];
	enum err e;

	hex_print(issued->id, 8, id);
	world_begin(&w);
	e = service_bundle_revoke(w.service, &w.now, who, id, &view, &why);
	ck_assert(e != ERR_OK || view.state == SERVICE_REVOKED);
	ck_assert(e == ERR_OK || why.text[0] != '\0');
	ck_assert_int_eq(world_end(&w), ERR_OK);
	return e;
}

START_TEST(revokes_ones_own_open_bundles_only)
{
	struct service_issued issued;
	struct enrollee e;

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	ck_assert_int_eq(revoke(&WORLD_BOB, &issued), ERR_DENIED);
	ck_assert_int_eq(revoke(&WORLD_ALICE, &issued), ERR_OK);
	ck_assert_int_eq(
		world_number(&w, "SELECT count(*) FROM bundles WHERE opk_private IS NULL"), 1);
	ck_assert_int_eq(revoke(&WORLD_ALICE, &issued), ERR_STATE);
	enrollee_make(&w, &e);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 0), ERR_STATE);

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	ck_assert_int_eq(revoke(&WORLD_ADMIN, &issued), ERR_OK);

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 0), ERR_OK);
	ck_assert_int_eq(revoke(&WORLD_ALICE, &issued), ERR_STATE);

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 600, &issued), ERR_OK);
	world_pass(&w, 600);
	ck_assert_int_eq(revoke(&WORLD_ALICE, &issued), ERR_EXPIRED);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_bundle_is_whole_signed_and_tells_its_end);
	tcase_add_test(tc, many_are_issued_at_once_each_with_its_own_life);
	tcase_add_test(tc, refuses_wrong_counts_and_lifetimes);
	tcase_add_test(tc, the_quota_counts_open_bundles_of_one_enroller);
	tcase_add_test(tc, bundles_that_are_over_do_not_count_before_the_sweep);
	tcase_add_test(tc, an_issue_beyond_the_quota_gives_none);
	tcase_add_test(tc, an_undone_issue_leaves_no_prekey_behind);
	tcase_add_test(tc, an_undone_issue_extends_no_prekey);
	tcase_add_test(tc, lists_by_state_and_owner_in_pages);
	tcase_add_test(tc, shows_the_same_bytes_again_also_with_a_new_address);
	tcase_add_test(tc, takes_ids_by_their_first_digits_if_they_are_unique);
	tcase_add_test(tc, revokes_ones_own_open_bundles_only);
}

int main(void)
{
	return suite_main("service_bundle", fill);
}
