#include "enroll/service.h"

#include <stdio.h>
#include <sys/stat.h>

#include "support/world.h"
#include "unit/suite.h"

#define HOUR 3600u
#define DAY 86400u
#define MONTHS_13 (395u * DAY)

static struct world w;

static struct {
	enum service_event_kind kind[512];
	size_t count;
} heard;

static void on_event(void *arg, const struct service_event *event)
{
	(void)arg;
	heard.kind[heard.count++] = event->kind;
}

static void setup(void)
{
	world_open(&w);
	heard.count = 0;
	service_on_event(w.service, on_event, NULL);
}

static void teardown(void)
{
	world_close(&w);
}

static bool tick(void)
{
	bool again;

	world_begin(&w);
	ck_assert_int_eq(service_tick(w.service, &w.now, &again), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	return again;
}

static void restart(void)
{
	world_stop(&w);
	ck_assert_int_eq(world_start(&w), ERR_OK);
	service_on_event(w.service, on_event, NULL);
}

static enum service_outcome outcome_of(const struct enrollee *e)
{
	struct service_reply reply;

	ck_assert_int_eq(enrollee_send(&w, e, &reply), ERR_OK);
	return reply.outcome;
}

/* --- service time --- */

static const int64_t STEPS_S[] = {-(int64_t)HOUR, (int64_t)MONTHS_13};

START_TEST(a_clock_that_steps_within_a_boot_expires_nothing_and_revives_nothing)
{
	struct enrollee lives, dead;

	w.now.wall_s += (uint64_t)STEPS_S[_i];
	enrollee_ready(&w, &dead);
	world_pass(&w, DAY - 10);
	enrollee_ready(&w, &lives);
	w.now.wall_s -= (uint64_t)STEPS_S[_i];
	(void)tick();
	world_pass(&w, 10);
	w.now.wall_s += 2 * (uint64_t)STEPS_S[_i];
	ck_assert_int_eq(outcome_of(&dead), SERVICE_SILENCE);
	(void)tick();
	w.now.wall_s -= (uint64_t)STEPS_S[_i];
	ck_assert_int_eq(outcome_of(&dead), SERVICE_SILENCE);
	ck_assert_int_eq(outcome_of(&lives), SERVICE_ANSWER);
}
END_TEST

START_TEST(a_clock_that_steps_across_a_boot_expires_nothing_and_revives_nothing)
{
	struct enrollee lives, dead;

	enrollee_ready(&w, &dead);
	world_pass(&w, DAY - 10);
	enrollee_ready(&w, &lives);
	world_pass(&w, 10);
	/* Told dead, and then the power goes before anything else is stored. */
	ck_assert_int_eq(outcome_of(&dead), SERVICE_SILENCE);
	world_stop(&w);
	world_reboot(&w, w.now.wall_s + (uint64_t)STEPS_S[_i]);
	ck_assert_int_eq(world_start(&w), ERR_OK);
	ck_assert_int_eq(outcome_of(&dead), SERVICE_SILENCE);
	ck_assert_int_eq(outcome_of(&lives), SERVICE_ANSWER);
}
END_TEST

START_TEST(a_refusal_for_expiry_is_remembered_even_when_its_request_is_undone)
{
	struct service_issued issued;
	struct enrollee e;

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 100, &issued), ERR_OK);
	enrollee_make(&w, &e);
	world_pass(&w, 100);
	world_begin(&w);
	ck_assert_int_eq(store_request_begin(w.store), ERR_OK);
	{
		struct service_bundle view;
		struct service_announcement a = {.eik = e.eik.pub, .bundle = "00000000"};

		ck_assert_int_eq(
			service_enrollee_announce(w.service, &w.now, &WORLD_ALICE, &a, &view, NULL),
			ERR_NOT_FOUND);
	}
	ck_assert_int_eq(store_request_undo(w.store), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	world_reboot(&w, 0);
	restart();
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 0), ERR_EXPIRED);
}
END_TEST

START_TEST(a_believable_night_without_power_counts)
{
	struct enrollee lives, dead;

	enrollee_ready(&w, &dead);
	world_pass(&w, HOUR);
	enrollee_ready(&w, &lives);
	world_reboot(&w, w.now.wall_s + DAY - HOUR);
	restart();
	ck_assert_int_eq(outcome_of(&dead), SERVICE_SILENCE);
	ck_assert_int_eq(outcome_of(&lives), SERVICE_ANSWER);
}
END_TEST

START_TEST(service_time_is_stored_at_most_once_a_second)
{
	struct service_issued issued;
	int64_t before;

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	before = world_number(&w, "SELECT boot_ms FROM service_time");
	w.now.boot_ms += 999;
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT boot_ms FROM service_time"), before);
	w.now.boot_ms += 1;
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT boot_ms FROM service_time"), before + 1000);
	ck_assert_uint_eq(service_time_s(w.service, &w.now), 1);
}
END_TEST

/* --- the sweep --- */

START_TEST(the_sweep_expires_in_portions_and_destroys_the_prekeys)
{
	struct service_issued issued;
	struct enrollee e;
	int portions = 1;

	enrollee_ready(&w, &e);
	for (int i = 0; i < 150; i++)
		ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 60, &issued), ERR_OK);
	world_pass(&w, 59);
	ck_assert(!tick());
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles WHERE state = 3"), 0);
	world_pass(&w, 1);
	while (tick())
		portions++;
	ck_assert_int_eq(portions, 3);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles WHERE state = 3 AND "
					  "opk_private IS NULL"),
		150);
	world_pass(&w, DAY);
	ck_assert(!tick());
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles WHERE state = 3"), 151);
	/* And forgets them later; the tallies follow. */
	world_pass(&w, 8 * DAY);
	while (tick())
		;
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles"), 0);
	ck_assert_int_eq(world_number(&w, "SELECT sum(n) FROM tallies"), 0);
}
END_TEST

START_TEST(what_is_used_is_never_forgotten)
{
	struct enrollee e;

	enrollee_enroll(&w, &e);
	world_pass(&w, 400 * DAY);
	while (tick())
		;
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
}
END_TEST

/* --- checkpoints --- */

/* Bytes of the log that the next checkpoint empties. */
static long long wal_bytes(void)
{
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s-wal", w.path);
	ck_assert_int_eq(stat(path, &st), 0);
	return (long long)st.st_size;
}

static void revoke(const struct enrollee *e)
{
	struct service_device view;

	world_begin(&w);
	ck_assert_int_eq(
		service_device_revoke(w.service, &w.now, &WORLD_ADMIN, e->device, &view, NULL),
		ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
}

START_TEST(revoked_keys_leave_the_log_with_the_commit)
{
	struct enrollee e;

	enrollee_enroll(&w, &e);
	ck_assert_int_gt(wal_bytes(), 0);
	revoke(&e);
	ck_assert_int_eq(wal_bytes(), 0);
}
END_TEST

START_TEST(a_checkpoint_that_a_reader_stops_is_not_tried_after_each_commit)
{
	struct service_issued issued;
	struct enrollee e;
	void *reader;

	enrollee_enroll(&w, &e);
	reader = world_read(&w);
	revoke(&e); /* waits for the reader, in vain */
	world_read_end(reader);
	ck_assert_int_gt(wal_bytes(), 0);
	world_pass(&w, 9);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	ck_assert_int_gt(wal_bytes(), 0);
	world_pass(&w, 1);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	ck_assert_int_eq(wal_bytes(), 0);
}
END_TEST

/* --- signed prekeys --- */

static int64_t prekeys(void)
{
	return world_number(&w, "SELECT count(*) FROM signed_prekeys WHERE private IS NOT NULL");
}

START_TEST(a_signed_prekey_retires_after_a_week_and_goes_when_nothing_needs_it)
{
	struct service_issued before, after;
	struct enrollmsg_bundle one, two;

	world_pass(&w, 7 * DAY - 1);
	ck_assert(!tick());
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, DAY, &before), ERR_OK);
	ck_assert_int_eq(prekeys(), 1);
	world_pass(&w, 1);
	ck_assert(!tick());
	ck_assert_int_eq(prekeys(), 2);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, DAY, &after), ERR_OK);
	ck_assert_int_eq(
		enrollmsg_bundle_decode((struct span){before.frame, before.frame_bytes}, &one),
		ERR_OK);
	ck_assert_int_eq(
		enrollmsg_bundle_decode((struct span){after.frame, after.frame_bytes}, &two),
		ERR_OK);
	ck_assert_uint_ne(one.spk_id, two.spk_id);
	world_pass(&w, DAY);
	ck_assert(!tick());
	ck_assert_int_eq(prekeys(), 2); /* slack */
	world_pass(&w, 3 * HOUR);
	ck_assert(!tick());
	ck_assert_int_eq(prekeys(), 1);
}
END_TEST

START_TEST(a_late_announcement_keeps_its_signed_prekey_alive)
{
	struct service_issued issued;
	struct enrollee e;

	world_pass(&w, 7 * DAY - 1);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, DAY, &issued), ERR_OK);
	world_pass(&w, DAY - 1);
	enrollee_make(&w, &e);
	ck_assert_int_eq(enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 20 * DAY), ERR_OK);
	enrollee_build(&w, &e, &issued);
	for (int i = 0; i < 19; i++) {
		world_pass(&w, DAY);
		(void)tick();
	}
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	world_pass(&w, 3 * DAY);
	(void)tick();
	ck_assert_int_eq(
		world_number(&w, "SELECT private IS NULL FROM signed_prekeys WHERE id = 1"), 1);
}
END_TEST

START_TEST(issuing_rotates_when_no_tick_did)
{
	struct service_issued issued;

	world_pass(&w, 30 * DAY);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	ck_assert_int_eq(prekeys(), 2);
}
END_TEST

START_TEST(a_rotation_that_is_rolled_back_leaves_no_key_behind)
{
	struct service_issued issued;
	struct enrollee e;
	bool again;

	world_pass(&w, 7 * DAY);
	world_begin(&w);
	ck_assert_int_eq(service_tick(w.service, &w.now, &again), ERR_OK);
	store_rollback(w.store);
	service_committed(w.service, ERR_IO);
	ck_assert_int_eq(prekeys(), 1);
	enrollee_ready(&w, &e); /* takes the id that was rolled back, with another key */
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &issued), ERR_OK);
	restart();
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
}
END_TEST

START_TEST(the_identity_stays)
{
	struct public32 before = *service_identity(w.service);

	restart();
	ck_assert_mem_eq(service_identity(w.service), &before, sizeof(before));
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM identity_keys"), 1);
	ck_assert_ptr_nonnull(strstr(service_addr(w.service), "coap://gateway.local/enroll#"));
}
END_TEST

/* --- events, counts, audit, configuration --- */

static void ignore_issued(void *arg, const struct service_issued *issued)
{
	(void)arg;
	(void)issued;
}

START_TEST(events_come_after_the_commit_only_and_in_order)
{
	static const enum service_event_kind expected[] = {
		SERVICE_BUNDLE_ISSUED, SERVICE_ENROLLEE_ANNOUNCED, SERVICE_ENROLLEE_ACCEPTED};
	struct service_issued issued;
	struct enrollee e;

	enrollee_enroll(&w, &e);
	ck_assert_uint_eq(heard.count, 3);
	ck_assert_mem_eq(heard.kind, expected, sizeof(expected));
	world_begin(&w);
	ck_assert_int_eq(service_bundle_issue(w.service, &w.now, &WORLD_ALICE, NULL, 1,
				 ignore_issued, NULL, NULL),
		ERR_OK);
	ck_assert_uint_eq(heard.count, 3);
	store_rollback(w.store);
	service_committed(w.service, ERR_FULL);
	ck_assert_uint_eq(heard.count, 3);
	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 60, &issued), ERR_OK);
	ck_assert_uint_eq(heard.count, 4);
	world_pass(&w, 60);
	(void)tick();
	ck_assert_int_eq(heard.kind[4], SERVICE_BUNDLE_EXPIRED);
}
END_TEST

START_TEST(an_undone_request_is_no_event_but_its_neighbours_are)
{
	static const uint32_t too_long[2] = {60, SERVICE_LIFETIME_MAX_S + 1};

	world_begin(&w);
	for (int i = 0; i < 3; i++) {
		enum err e;

		ck_assert_int_eq(store_request_begin(w.store), ERR_OK);
		e = service_bundle_issue(w.service, &w.now, &WORLD_ALICE, i == 1 ? too_long : NULL,
			2, ignore_issued, NULL, NULL);
		ck_assert_int_eq(e, i == 1 ? ERR_RANGE : ERR_OK);
		ck_assert_int_eq(
			e == ERR_OK ? store_request_keep(w.store) : store_request_undo(w.store),
			ERR_OK);
	}
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_uint_eq(heard.count, 4);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles"), 4);
}
END_TEST

START_TEST(every_event_and_state_has_a_word)
{
	for (unsigned i = 0; i < SERVICE_EVENT_COUNT; i++)
		ck_assert_str_ne(service_event_text((enum service_event_kind)i), "unknown");
	for (unsigned i = 0; i < SERVICE_STATE_COUNT; i++)
		ck_assert_str_ne(service_state_text((enum service_state)i), "unknown");
	ck_assert_str_eq(service_state_text((enum service_state)99), "unknown");
}
END_TEST

static void count_audit(void *arg, const struct service_audit_row *row)
{
	struct service_audit_mark *last = arg;

	ck_assert_uint_gt(row->seq, last->seq);
	ck_assert_int_eq(row->json[0], '{');
	last->seq = row->seq;
	memcpy(last->hash, row->hash, sizeof(last->hash));
}

START_TEST(the_audit_log_lists_and_verifies)
{
	struct service_audit_mark last = {0}, mark = {0};
	struct service_counts counts;
	struct enrollee e;
	struct reason why;
	bool more, done = false;

	enrollee_enroll(&w, &e);
	ck_assert_int_eq(service_counts(w.service, &w.now, &counts), ERR_OK);
	ck_assert_uint_eq(counts.audit_seq, 5); /* two keys made, three events */
	ck_assert_uint_eq(counts.spk_id, 1);
	ck_assert_int_eq(service_audit_list(w.service, 0, 2, count_audit, &last, &more), ERR_OK);
	ck_assert(more);
	ck_assert_uint_eq(last.seq, 2);
	ck_assert_int_eq(
		service_audit_list(w.service, last.seq, 0, count_audit, &last, &more), ERR_OK);
	ck_assert(!more);
	ck_assert_uint_eq(last.seq, 5);
	last.seq = 0;
	ck_assert_int_eq(
		service_audit_list(w.service, UINT64_MAX, 1, count_audit, &last, &more), ERR_OK);
	ck_assert_uint_eq(last.seq, 5);
	while (!done)
		ck_assert_int_eq(service_audit_verify(w.service, &mark, &done, &why), ERR_OK);
	ck_assert_mem_eq(&mark, &last, sizeof(mark));
	mark.hash[5] ^= 1;
	ck_assert_int_eq(service_audit_verify(w.service, &mark, &done, &why), ERR_AUTH);
}
END_TEST

START_TEST(refuses_a_configuration_that_cannot_work)
{
	static const uint8_t welcome[ENROLLMSG_WELCOME_MAX + 1];
	static const struct service_config bad[] = {
		{.addr_host = "two words"},
		{.addr_host = ""},
		{.addr_host = "h", .bundle_lifetime_s = SERVICE_LIFETIME_MAX_S + 1},
		{.addr_host = "h", .pending_lifetime_s = SERVICE_LIFETIME_MAX_S + 1},
		{.addr_host = "h", .welcome = {welcome, sizeof(welcome)}},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct reason why = {.field = NULL};
		struct service *s;

		ck_assert_int_eq(
			service_new(w.store, w.crypto, &bad[i], &w.now, &s, &why), ERR_INVALID);
		ck_assert_ptr_null(s);
		ck_assert_str_ne(why.text, "");
		ck_assert(!store_in_transaction(w.store));
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
		tc, a_clock_that_steps_within_a_boot_expires_nothing_and_revives_nothing, 0, 2);
	tcase_add_loop_test(
		tc, a_clock_that_steps_across_a_boot_expires_nothing_and_revives_nothing, 0, 2);
	tcase_add_test(tc, a_refusal_for_expiry_is_remembered_even_when_its_request_is_undone);
	tcase_add_test(tc, a_believable_night_without_power_counts);
	tcase_add_test(tc, service_time_is_stored_at_most_once_a_second);
	tcase_add_test(tc, the_sweep_expires_in_portions_and_destroys_the_prekeys);
	tcase_add_test(tc, what_is_used_is_never_forgotten);
	tcase_add_test(tc, revoked_keys_leave_the_log_with_the_commit);
	tcase_add_test(tc, a_checkpoint_that_a_reader_stops_is_not_tried_after_each_commit);
	tcase_add_test(tc, a_signed_prekey_retires_after_a_week_and_goes_when_nothing_needs_it);
	tcase_add_test(tc, a_late_announcement_keeps_its_signed_prekey_alive);
	tcase_add_test(tc, issuing_rotates_when_no_tick_did);
	tcase_add_test(tc, a_rotation_that_is_rolled_back_leaves_no_key_behind);
	tcase_add_test(tc, the_identity_stays);
	tcase_add_test(tc, events_come_after_the_commit_only_and_in_order);
	tcase_add_test(tc, an_undone_request_is_no_event_but_its_neighbours_are);
	tcase_add_test(tc, every_event_and_state_has_a_word);
	tcase_add_test(tc, the_audit_log_lists_and_verifies);
	tcase_add_test(tc, refuses_a_configuration_that_cannot_work);
}

int main(void)
{
	return suite_main("service", fill);
}
