#include "enroll/service.h"

#include <stdio.h>

#include "enr/hex.h"
#include "support/world.h"
#include "unit/suite.h"

static struct world w;
static struct enrollee e;
static struct service_reply reply;

static void setup(void)
{
	world_open(&w);
	enrollee_ready(&w, &e);
}

static void teardown(void)
{
	world_close(&w);
}

static enum service_outcome outcome_of(const struct enrollee *from)
{
	ck_assert_int_eq(enrollee_send(&w, from, &reply), ERR_OK);
	return reply.outcome;
}

/* How often this cause is in the audit log. */
static int64_t refusals(const char *cause)
{
	char sql[160];

	(void)snprintf(sql, sizeof(sql),
		"SELECT count(*) FROM audit WHERE json LIKE '%%\"cause\":\"%s\"%%'", cause);
	return world_number(&w, sql);
}

static int64_t devices(void)
{
	return world_number(&w, "SELECT count(*) FROM devices");
}

START_TEST(an_expected_message_is_accepted_and_its_answer_opens)
{
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	ck_assert(!reply.repeat);
	ck_assert_uint_eq(reply.bytes_count, ENROLLMSG_ANSWER_MIN);
	ck_assert(enrollee_opens(&w, &e, &reply));
	ck_assert_int_eq(devices(), 1);
	/* The one-time prekey is gone, the row tells whom it made. */
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles WHERE state = 2 AND "
					  "opk_private IS NULL AND due_s IS NULL"),
		1);
}
END_TEST

START_TEST(the_answer_carries_time_and_welcome)
{
	struct enrollmsg_answer answer;

	world_stop(&w);
	w.config.welcome = (struct span){(const uint8_t *)"mqtt://broker", 13};
	ck_assert_int_eq(world_start(&w), ERR_OK);
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	ck_assert_int_eq(enrollmsg_answer_open(w.crypto, &e.session,
				 (struct span){reply.bytes, reply.bytes_count}, &answer),
		ERR_OK);
	ck_assert_uint_eq(answer.enrolled_at, w.now.wall_s);
	ck_assert_uint_eq(answer.welcome_bytes, 13);
	ck_assert_mem_eq(answer.welcome, "mqtt://broker", 13);
}
END_TEST

START_TEST(the_identical_repeat_gets_the_identical_answer)
{
	struct service_reply first;

	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	first = reply;
	world_pass(&w, 40 * 86400);
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	ck_assert(reply.repeat);
	ck_assert_uint_eq(reply.bytes_count, first.bytes_count);
	ck_assert_mem_eq(reply.bytes, first.bytes, first.bytes_count);
	world_stop(&w);
	ck_assert_int_eq(world_start(&w), ERR_OK);
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	ck_assert_mem_eq(reply.bytes, first.bytes, first.bytes_count);
	ck_assert_int_eq(devices(), 1);
}
END_TEST

START_TEST(other_bytes_with_a_seen_key_are_refused_in_silence_and_recorded)
{
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	e.request[ENROLLMSG_REQUEST_BYTES - 1] ^= 1;
	ck_assert_int_eq(outcome_of(&e), SERVICE_SILENCE);
	ck_assert_int_eq(refusals("EK_SEEN"), 1);
}
END_TEST

START_TEST(an_unknown_id_meets_silence_and_leaves_no_trace)
{
	int64_t rows = world_number(&w, "SELECT count(*) FROM audit");

	e.request[33] ^= 1;
	ck_assert_int_eq(outcome_of(&e), SERVICE_SILENCE);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM audit"), rows);
}
END_TEST

START_TEST(every_truncated_or_longer_request_meets_silence)
{
	uint8_t longer[ENROLLMSG_REQUEST_BYTES + 1] = {0};

	memcpy(longer, e.request, sizeof(e.request));
	for (size_t n = 0; n <= sizeof(longer); n++) {
		if (n == sizeof(e.request))
			continue;
		world_begin(&w);
		ck_assert_int_eq(service_accept(w.service, &w.now, (struct span){longer, n}, NULL,
					 NULL, &reply),
			ERR_OK);
		ck_assert_int_eq(reply.outcome, SERVICE_SILENCE);
		ck_assert_int_eq(world_end(&w), ERR_OK);
	}
	e.request[0] = 2; /* version */
	ck_assert_int_eq(outcome_of(&e), SERVICE_SILENCE);
	e.request[0] = 1;
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
}
END_TEST

START_TEST(a_wrong_message_is_rejected_and_does_not_burn_the_bundle)
{
	static const struct {
		size_t at;
		const char *cause;
	} changes[] = {
		{1 + 64, "DECRYPT"}, {1 + 160, "DECRYPT"}, {1 + 175, "DECRYPT"}, {1, "DECRYPT"}};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		int64_t before = refusals(changes[i].cause);

		e.request[changes[i].at] ^= 4;
		ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
		ck_assert_uint_eq(reply.bytes_count, 2);
		ck_assert_mem_eq(reply.bytes, "\x01\x01", 2);
		ck_assert_int_eq(refusals(changes[i].cause), before + 1);
		e.request[changes[i].at] ^= 4;
	}
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
}
END_TEST

START_TEST(bad_points_with_a_known_id_are_rejected)
{
	memset(e.request + 1, 0, 32);
	ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
	ck_assert_int_eq(refusals("DH_ZERO"), 1);
	memset(e.request + 1, 0xff, 32);
	ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
	ck_assert_int_eq(refusals("EK_NONCANONICAL"), 1);
	e.request[33] ^= 1; /* and with an unknown one: silence */
	ck_assert_int_eq(outcome_of(&e), SERVICE_SILENCE);
}
END_TEST

START_TEST(a_message_for_another_bundle_is_rejected)
{
	struct service_issued other;

	ck_assert_int_eq(world_issue(&w, &WORLD_ALICE, 0, &other), ERR_OK);
	enrollee_build(&w, &e, &other);
	ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
}
END_TEST

START_TEST(a_rebuilt_message_after_a_rejection_is_accepted)
{
	struct service_bundle view;
	struct service_issued again;
	struct reason why;

	e.request[170] ^= 1;
	ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
	ck_assert_int_eq(
		service_bundle_show(w.service, &w.now, e.bundle, &view, &again, &why), ERR_OK);
	enrollee_build(&w, &e, &again);
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	ck_assert(enrollee_opens(&w, &e, &reply));
}
END_TEST

START_TEST(an_expired_enrollee_meets_silence_before_any_sweep)
{
	world_pass(&w, 86399);
	e.request[170] ^= 1;
	ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
	e.request[170] ^= 1;
	world_pass(&w, 1);
	ck_assert_int_eq(outcome_of(&e), SERVICE_SILENCE);
	ck_assert_int_eq(devices(), 0);
}
END_TEST

START_TEST(a_bundle_survives_a_new_address_and_a_new_signed_prekey)
{
	bool again;

	world_pass(&w, 7 * 86400 - 100);
	enrollee_ready(&w, &e);
	world_stop(&w);
	w.config.addr_host = "elsewhere.local";
	ck_assert_int_eq(world_start(&w), ERR_OK);
	world_pass(&w, 86000);
	world_begin(&w);
	ck_assert_int_eq(service_tick(w.service, &w.now, &again), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM signed_prekeys"), 2);
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	ck_assert(enrollee_opens(&w, &e, &reply));
}
END_TEST

/* --- one-time --- */

/* Two enrollees that both hold the keys of the one announced: the race of two redeemers. */
static struct enrollee rival_of(const struct enrollee *first)
{
	struct service_bundle view;
	struct service_issued bundle;
	struct enrollee rival = *first;

	ck_assert_int_eq(
		service_bundle_show(w.service, &w.now, first->bundle, &view, &bundle, NULL),
		ERR_OK);
	ck_assert_int_eq(x3dh_keypair_make(w.crypto, &rival.ik), ERR_OK);
	enrollee_build(&w, &rival, &bundle);
	return rival;
}

START_TEST(of_two_redeemers_in_one_batch_one_is_accepted)
{
	struct enrollee rival = rival_of(&e);
	struct service_reply first, second;

	world_begin(&w);
	ck_assert_int_eq(store_request_begin(w.store), ERR_OK);
	ck_assert_int_eq(service_accept(w.service, &w.now, (struct span){e.request, 177}, NULL,
				 NULL, &first),
		ERR_OK);
	ck_assert_int_eq(store_request_keep(w.store), ERR_OK);
	ck_assert_int_eq(store_request_begin(w.store), ERR_OK);
	ck_assert_int_eq(service_accept(w.service, &w.now, (struct span){rival.request, 177}, NULL,
				 NULL, &second),
		ERR_OK);
	ck_assert_int_eq(store_request_keep(w.store), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(first.outcome, SERVICE_ANSWER);
	ck_assert_int_eq(second.outcome, SERVICE_SILENCE);
	ck_assert_int_eq(devices(), 1);
}
END_TEST

START_TEST(of_two_redeemers_in_two_batches_one_is_accepted)
{
	struct enrollee rival = rival_of(&e);

	ck_assert_int_eq(outcome_of(&rival), SERVICE_ANSWER);
	ck_assert_int_eq(outcome_of(&e), SERVICE_SILENCE);
	ck_assert_int_eq(outcome_of(&rival), SERVICE_ANSWER);
	ck_assert_int_eq(devices(), 1);
}
END_TEST

START_TEST(when_the_first_redeemer_is_rolled_back_the_second_is_accepted)
{
	struct enrollee rival = rival_of(&e);

	world_begin(&w);
	ck_assert_int_eq(service_accept(w.service, &w.now, (struct span){e.request, 177}, NULL,
				 NULL, &reply),
		ERR_OK);
	ck_assert_int_eq(reply.outcome, SERVICE_ANSWER);
	store_rollback(w.store);
	service_committed(w.service, ERR_IO);
	ck_assert_int_eq(outcome_of(&rival), SERVICE_ANSWER);
	ck_assert_int_eq(devices(), 1);
}
END_TEST

START_TEST(an_identity_enrolls_again_only_after_its_revocation)
{
	struct enrollee again;
	struct service_device device;

	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	enrollee_ready(&w, &again);
	again.ik = e.ik;
	{
		struct service_bundle view;
		struct service_issued bundle;

		ck_assert_int_eq(
			service_bundle_show(w.service, &w.now, again.bundle, &view, &bundle, NULL),
			ERR_OK);
		enrollee_build(&w, &again, &bundle);
	}
	ck_assert_int_eq(outcome_of(&again), SERVICE_REJECT);
	ck_assert_int_eq(refusals("IK_ENROLLED"), 1);
	world_begin(&w);
	ck_assert_int_eq(
		service_device_revoke(w.service, &w.now, &WORLD_ALICE, e.device, &device, NULL),
		ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(outcome_of(&again), SERVICE_ANSWER);
	/* The revoked one's repeat is refused; its answer is gone. */
	ck_assert_int_eq(outcome_of(&e), SERVICE_SILENCE);
	ck_assert_int_eq(service_device_show(w.service, e.device, &device, NULL), ERR_OK);
	ck_assert_uint_eq(device.revoked_at, 0);
}
END_TEST

/* --- limits --- */

static bool never(void *arg, const uint8_t *id, size_t n)
{
	ck_assert_uint_eq(n, 32);
	ck_assert_int_ne(id[0], -1);
	(*(int *)arg)++;
	return false;
}

START_TEST(an_empty_bucket_means_silence_and_is_asked_for_known_ids_only)
{
	int asked = 0;

	world_begin(&w);
	ck_assert_int_eq(service_accept(w.service, &w.now, (struct span){e.request, 177}, never,
				 &asked, &reply),
		ERR_OK);
	ck_assert_int_eq(reply.outcome, SERVICE_SILENCE);
	ck_assert_int_eq(asked, 1);
	e.request[33] ^= 1;
	ck_assert_int_eq(service_accept(w.service, &w.now, (struct span){e.request, 177}, never,
				 &asked, &reply),
		ERR_OK);
	ck_assert_int_eq(asked, 1);
	ck_assert_int_eq(world_end(&w), ERR_OK);
}
END_TEST

static bool note_id(void *arg, const uint8_t *id, size_t n)
{
	ck_assert_uint_eq(n, 32);
	memcpy(arg, id, n);
	return false;
}

/* A seen EK_B is known, the id beside it is whatever the sender says: a new one for each message
 * must not buy a new bucket. */
START_TEST(a_seen_key_has_one_bucket_whatever_id_comes_with_it)
{
	uint8_t asked[2][32] = {{0}}, was = e.request[1 + 32]; /* of a random id */

	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	for (uint8_t i = 0; i < 2; i++) {
		e.request[1 + 32] = was ^ (uint8_t)(i + 1);
		world_begin(&w);
		ck_assert_int_eq(service_accept(w.service, &w.now,
					 (struct span){e.request, sizeof(e.request)}, note_id,
					 asked[i], &reply),
			ERR_OK);
		ck_assert_int_eq(world_end(&w), ERR_OK);
		ck_assert_int_eq(reply.outcome, SERVICE_SILENCE);
	}
	ck_assert_mem_eq(asked[0], asked[1], 32);
	ck_assert_int_eq(refusals("EK_SEEN"), 0);
	ck_assert_int_eq(outcome_of(&e), SERVICE_SILENCE); /* nor does the log repeat a claim */
	ck_assert_int_eq(refusals("EK_SEEN"), 1);
	ck_assert_int_eq(
		world_number(&w, "SELECT count(*) FROM audit a JOIN devices d ON a.json LIKE "
				 "'%EK_SEEN%\"device\":\"' || lower(hex(d.device_id)) || '\"%'"),
		1);
}
END_TEST

START_TEST(a_flood_of_refusals_does_not_fill_the_log)
{
	e.request[170] ^= 1;
	for (int i = 0; i < 500; i++)
		ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
	ck_assert_int_eq(refusals("DECRYPT"), 64);
	world_pass(&w, 1);
	ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
	ck_assert_int_eq(refusals("DECRYPT"), 65);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM audit WHERE json LIKE "
					  "'%\"unrecorded\":436%'"),
		1);
}
END_TEST

static int64_t lines_of_unrecorded(void)
{
	return world_number(&w,
		"SELECT count(*) FROM audit WHERE json LIKE '%\"unrecorded\":10,%' OR "
		"json LIKE '%\"unrecorded\":10}%'");
}

static void refuse_in_transaction(void)
{
	world_begin(&w);
	ck_assert_int_eq(store_request_begin(w.store), ERR_OK);
	ck_assert_int_eq(service_accept(w.service, &w.now, (struct span){e.request, 177}, NULL,
				 NULL, &reply),
		ERR_OK);
	ck_assert_int_eq(reply.outcome, SERVICE_REJECT);
}

START_TEST(a_line_that_is_undone_has_told_of_no_refusal)
{
	e.request[170] ^= 1;
	for (int i = 0; i < 64 + 10; i++)
		ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
	world_pass(&w, 1);
	refuse_in_transaction();
	ck_assert_int_eq(store_request_undo(w.store), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(lines_of_unrecorded(), 0);
	world_pass(&w, 1);
	refuse_in_transaction();
	ck_assert_int_eq(store_request_keep(w.store), ERR_OK);
	store_rollback(w.store);
	service_committed(w.service, ERR_FULL);
	ck_assert_int_eq(lines_of_unrecorded(), 0);
	world_pass(&w, 1);
	ck_assert_int_eq(outcome_of(&e), SERVICE_REJECT);
	ck_assert_int_eq(lines_of_unrecorded(), 1);
}
END_TEST

START_TEST(acts_inside_a_transaction_only)
{
	ck_assert_int_eq(service_accept(w.service, &w.now, (struct span){e.request, 177}, NULL,
				 NULL, &reply),
		ERR_STATE);
}
END_TEST

START_TEST(a_wrong_sealing_key_is_told_at_the_start)
{
	struct seal *right = w.seal;
	struct secret32 key = {{7}};

	world_stop(&w);
	ck_assert_int_eq(seal_new(w.crypto, &key, &w.seal), ERR_OK);
	ck_assert_int_eq(world_start(&w), ERR_KEY);
	seal_free(w.seal);
	w.seal = right;
	ck_assert_int_eq(world_start(&w), ERR_OK);
	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
}
END_TEST

START_TEST(no_secret_lies_in_the_files)
{
	static const char *const endings[] = {"", "-wal"};
	static uint8_t file[1 << 20];
	char path[128];

	ck_assert_int_eq(outcome_of(&e), SERVICE_ANSWER);
	for (size_t i = 0; i < 2; i++) {
		FILE *f;
		size_t n;

		(void)snprintf(path, sizeof(path), "%s%s", w.path, endings[i]);
		f = fopen(path, "rb");
		ck_assert_ptr_nonnull(f);
		n = fread(file, 1, sizeof(file), f);
		ck_assert_int_eq(fclose(f), 0);
		ck_assert_ptr_null(memmem(file, n, e.session.traffic.b, 32));
		ck_assert_ptr_null(memmem(file, n, e.session.h.b, 32));
		ck_assert(i == 0 || memmem(file, n, e.ik.pub.b, 32) != NULL); /* the net holds */
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_expected_message_is_accepted_and_its_answer_opens);
	tcase_add_test(tc, the_answer_carries_time_and_welcome);
	tcase_add_test(tc, the_identical_repeat_gets_the_identical_answer);
	tcase_add_test(tc, other_bytes_with_a_seen_key_are_refused_in_silence_and_recorded);
	tcase_add_test(tc, an_unknown_id_meets_silence_and_leaves_no_trace);
	tcase_add_test(tc, every_truncated_or_longer_request_meets_silence);
	tcase_add_test(tc, a_wrong_message_is_rejected_and_does_not_burn_the_bundle);
	tcase_add_test(tc, bad_points_with_a_known_id_are_rejected);
	tcase_add_test(tc, a_message_for_another_bundle_is_rejected);
	tcase_add_test(tc, a_rebuilt_message_after_a_rejection_is_accepted);
	tcase_add_test(tc, an_expired_enrollee_meets_silence_before_any_sweep);
	tcase_add_test(tc, a_bundle_survives_a_new_address_and_a_new_signed_prekey);
	tcase_add_test(tc, of_two_redeemers_in_one_batch_one_is_accepted);
	tcase_add_test(tc, of_two_redeemers_in_two_batches_one_is_accepted);
	tcase_add_test(tc, when_the_first_redeemer_is_rolled_back_the_second_is_accepted);
	tcase_add_test(tc, an_identity_enrolls_again_only_after_its_revocation);
	tcase_add_test(tc, an_empty_bucket_means_silence_and_is_asked_for_known_ids_only);
	tcase_add_test(tc, a_seen_key_has_one_bucket_whatever_id_comes_with_it);
	tcase_add_test(tc, a_flood_of_refusals_does_not_fill_the_log);
	tcase_add_test(tc, a_line_that_is_undone_has_told_of_no_refusal);
	tcase_add_test(tc, acts_inside_a_transaction_only);
	tcase_add_test(tc, a_wrong_sealing_key_is_told_at_the_start);
	tcase_add_test(tc, no_secret_lies_in_the_files);
}

int main(void)
{
	return suite_main("service_accept", fill);
}
