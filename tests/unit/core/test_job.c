#include "core/job.h"

#include <stdio.h>

#include "enr/meshmsg.h"

#include "unit/suite.h"

#define NOW 1000000u
#define SERIAL 2673000u

static struct job job_in(enum job_state state)
{
	return (struct job){.row = 1,
		.serial = SERIAL,
		.node_id = 7,
		.handle = 9,
		.timeout_s = 10,
		.expires_ms = NOW + 86400000u,
		.state = state,
		.attempts = 1};
}

static struct job job_flying(enum job_state state, enum job_method method)
{
	struct job j = job_in(state);

	j.in_flight = true;
	j.connected = true;
	j.method = method;
	j.deadline_ms = NOW;
	return j;
}

static struct job_event event_of(enum job_event_type type)
{
	return (struct job_event){.type = type,
		.method = JOB_METHOD_BROADCAST,
		.helper = 5,
		.rssi = -60,
		.serial = SERIAL};
}

static struct job_action step(struct job *j, enum job_event_type type)
{
	struct job_event e = event_of(type);

	return job_step(j, &e, NOW);
}

static struct job_action answer(struct job *j, uint8_t code, uint64_t now_ms)
{
	struct job_event e = {.type = JOB_EVENT_ANSWER, .code = code};

	return job_step(j, &e, now_ms);
}

/* --- every state x every event: next state, what to do, '!' if it is to be stored ------------ */

static const char state_letter[JOB_STATE_COUNT + 1] = "PLSVJWRXUFEC";
static const char do_letter[] = ".csvx";

static const char *const resting[JOB_STATE_COUNT] = {
	/* HEARD SIGHTED PICKED CONNECTED REFUSED NO_LINK LINK_LOST ANSWER INFO TIMER CANCEL REMOVE
	 * SET_NETWORK UNFIT */
	"L.! L.! Ss! P.  P.  P.  P.  V.! P.  P.  C.! R.! P.  W.!",
	"L.  L.  Ss! L.  L.  L.  L.  V.! L.  L.  C.! R.! L.  W.!",
	"S.  S.  Ss! S.  S.  S.  S.  V.! S.  S.  C.! R.! S.  W.!",
	"V.  V.  Vv  V.  V.  V.  V.  V.  J.! V.  V.  R.! V.  V. ",
	"J.  J.  J.  J.  J.  J.  J.  J.  J.  J.  J.  R.! J.  J. ",
	"W.  W.  Ss! W.  W.  W.  W.  V.! W.  W.  C.! R.! W.  W.!",
	"R.  R.  Rs! R.  R.  R.  R.  R.  R.  R.  R.  R.  R.  R. ",
	"X.  X.  X.  X.  X.  X.  X.  X.  X.  X.  X.  X.  X.  X. ",
	"U.  U.  U.  U.  U.  U.  U.  U.  U.  U.  U.  R.! U.  U. ",
	"F.  F.  F.  F.  F.  F.  F.  F.  F.  F.  F.  R.! F.  F. ",
	"E.  E.  E.  E.  E.  E.  E.  E.  E.  E.  E.  R.! E.  E. ",
	"C.  C.  C.  C.  C.  C.  C.  C.  C.  C.  C.  R.! C.  C. ",
};

static const char *const flying_direct[JOB_STATE_COUNT] = {
	"L.! L.! P.  Ss! Wx! Wx! Wx! Vx! P.  Wx! Cx! Rx! P.  P. ",
	"L.  L.  L.  Ss! Wx! Wx! Wx! Vx! L.  Wx! Cx! Rx! L.  L. ",
	"S.  S.  S.  Ss! Wx! Wx! Wx! Vx! S.  Wx! Cx! Rx! S.  S. ",
	"V.  V.  V.  V.  V.  V.  V.  V.  J.! V.  V.  R.! V.  V. ",
	NULL,
	"W.  W.  W.  Ss! Wx! Wx! Wx! Vx! W.  Wx! Cx! Rx! W.  W. ",
	"R.  R.  R.  Rs! Rx! Rx! Rx! R.  R.  Rx! R.  R.  R.  R. ",
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
};

static const char *const flying_mesh[JOB_STATE_COUNT] = {
	NULL,
	NULL,
	"S.  S.  S.  S.  S.  S.  W.! V.! S.  W.! C.! R.! S.  S. ",
	NULL,
	NULL,
	NULL,
	"R.  R.  R.  R.  R.  R.  R.! R.  R.  R.! R.  R.  R.  R. ",
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
};

static void check_row(struct job from, const char *row)
{
	for (int e = 0; e < JOB_EVENT_COUNT; e++) {
		struct job j = from;
		struct job_action a = step(&j, (enum job_event_type)e);
		const char *want = row + 4 * e;
		char got[4] = {state_letter[j.state], do_letter[a.what], a.store ? '!' : ' ', '\0'};

		ck_assert_msg(strncmp(got, want, 3) == 0, "%s, event %d: got %s, want %.3s",
			job_state_name(from.state), e, got, want);
	}
}

START_TEST(knows_every_event_in_every_state)
{
	for (int s = 0; s < JOB_STATE_COUNT; s++) {
		enum job_state state = (enum job_state)s;

		check_row(job_in(state), resting[s]);
		if (flying_direct[s])
			check_row(job_flying(state, JOB_METHOD_DIRECT), flying_direct[s]);
		if (flying_mesh[s])
			check_row(job_flying(state, JOB_METHOD_DIRECTED), flying_mesh[s]);
	}
}
END_TEST

/* A job that is over stays so, and what changed is always to be stored. */
START_TEST(never_changes_state_without_storing_it)
{
	for (int s = 0; s < JOB_STATE_COUNT; s++)
		for (int e = 0; e < JOB_EVENT_COUNT; e++)
			for (int fly = 0; fly < 3; fly++) {
				struct job j = fly ? job_flying((enum job_state)s,
							     fly == 1 ? JOB_METHOD_DIRECT
								      : JOB_METHOD_BROADCAST)
						   : job_in((enum job_state)s);
				struct job_action a = step(&j, (enum job_event_type)e);

				ck_assert(j.state == (enum job_state)s || a.store);
				ck_assert(a.what != JOB_DO_SEND || a.store);
				ck_assert(!job_is_over(j.state) || !j.in_flight ||
					  job_is_over((enum job_state)s));
			}
}
END_TEST

/* What a request is made of may never change: that makes retries byte-identical. */
START_TEST(keeps_what_the_request_is_made_of)
{
	for (int s = 0; s < JOB_STATE_COUNT; s++)
		for (int e = 0; e < JOB_EVENT_COUNT; e++) {
			struct job j = job_in((enum job_state)s);

			(void)step(&j, (enum job_event_type)e);
			ck_assert_uint_eq(j.serial, SERIAL);
			ck_assert_uint_eq(j.node_id, 7);
			ck_assert_uint_eq(j.handle, 9);
			ck_assert_uint_eq(j.timeout_s, 10);
			ck_assert(j.row == 1);
		}
}
END_TEST

/* --- result codes ---------------------------------------------------------------------------- */

/* The code, what it means, and what to do next; nothing of it cut. */
static void check_words(const struct job *j)
{
	char text[JOB_TEXT_SIZE], hex[8];

	job_explain(j->state, j->reason, j->code, text);
	if (j->code == 0) {
		ck_assert_str_eq(text, "");
		return;
	}
	(void)snprintf(hex, sizeof(hex), "0x%02x: ", j->code);
	ck_assert_int_eq(strncmp(text, hex, 6), 0);
	ck_assert_uint_lt(strlen(text), JOB_TEXT_SIZE - 1);
	if (j->code != 0x10)
		ck_assert_ptr_nonnull(strstr(text, meshmsg_result_advice(j->code)));
}

START_TEST(maps_every_result_code)
{
	static const struct {
		uint8_t code;
		enum job_state state;
		enum job_reason reason;
	} rows[] = {
		{0x00, JOB_SAVED, JOB_REASON_NONE},
		{0x01, JOB_WAITING, JOB_REASON_BUSY},
		{0x02, JOB_FAILED, JOB_REASON_STORAGE},
		{0x03, JOB_FAILED, JOB_REASON_STORAGE},
		{0x04, JOB_WAITING, JOB_REASON_LOCKED},
		{0x05, JOB_FAILED, JOB_REASON_STORAGE},
		{0x06, JOB_FAILED, JOB_REASON_STORAGE},
		{0x10, JOB_FAILED, JOB_REASON_OTHER_ENROLLMENT},
		{0x11, JOB_WAITING, JOB_REASON_PREENROLLMENT},
		{0x12, JOB_FAILED, JOB_REASON_SIG_CONFIGURATION},
		{0x13, JOB_FAILED, JOB_REASON_NODE_ID},
		{0x07, JOB_FAILED, JOB_REASON_UNKNOWN_CODE},
		{0xFF, JOB_FAILED, JOB_REASON_UNKNOWN_CODE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct job j = job_flying(JOB_SENT, JOB_METHOD_BROADCAST);

		ck_assert(answer(&j, rows[i].code, NOW).store);
		ck_assert_int_eq(j.state, rows[i].state);
		ck_assert_int_eq(j.reason, rows[i].reason);
		ck_assert_uint_eq(j.code, rows[i].code);
		check_words(&j);
	}
}
END_TEST

START_TEST(gives_up_when_a_code_comes_three_times_in_a_row)
{
	struct job j = job_flying(JOB_SENT, JOB_METHOD_BROADCAST);

	for (int i = 1; i < JOB_CODE_RETRY_MAX; i++) {
		(void)answer(&j, 0x11, NOW);
		ck_assert_int_eq(j.state, JOB_WAITING);
		ck_assert(j.next_try_ms > NOW);
	}
	(void)answer(&j, 0x11, NOW);
	ck_assert_int_eq(j.state, JOB_FAILED);
	ck_assert_int_eq(j.reason, JOB_REASON_PREENROLLMENT);
}
END_TEST

START_TEST(ignores_an_answer_before_the_first_request)
{
	struct job j = job_in(JOB_LOCATED);

	j.attempts = 0;
	ck_assert(!answer(&j, 0, NOW).store);
	ck_assert_int_eq(j.state, JOB_LOCATED);
}
END_TEST

START_TEST(takes_a_late_answer)
{
	struct job j = job_in(JOB_WAITING);

	j.next_try_ms = NOW + 50000;
	ck_assert(answer(&j, 0, NOW).store);
	ck_assert_int_eq(j.state, JOB_SAVED);
	ck_assert(!job_is_due(&j, NOW));
	ck_assert(job_is_due(&j, NOW + JOB_REBOOT_MS));
}
END_TEST

/* --- keys ------------------------------------------------------------------------------------ */

static void refuse(struct job *j, uint64_t now_ms)
{
	struct job_event pick = {.type = JOB_EVENT_PICKED, .method = JOB_METHOD_DIRECT};
	struct job_event refused = {.type = JOB_EVENT_REFUSED};

	ck_assert_int_eq(job_step(j, &pick, now_ms).what, JOB_DO_CONNECT);
	ck_assert_int_eq(job_step(j, &refused, now_ms).what, JOB_DO_CLOSE);
}

START_TEST(calls_a_key_wrong_after_three_refusals_in_a_row)
{
	char text[JOB_TEXT_SIZE];
	struct job j = job_in(JOB_LOCATED);

	refuse(&j, NOW);
	ck_assert_int_eq(j.reason, JOB_REASON_KEY_REFUSED);
	refuse(&j, j.next_try_ms);
	ck_assert_int_eq(j.state, JOB_WAITING);
	refuse(&j, j.next_try_ms);
	ck_assert_int_eq(j.state, JOB_FAILED);
	ck_assert_int_eq(j.reason, JOB_REASON_KEY_WRONG);
	job_explain(j.state, j.reason, j.code, text);
	ck_assert_ptr_nonnull(strstr(text, "node key is wrong"));
}
END_TEST

START_TEST(forgets_refusals_after_a_handshake)
{
	struct job j = job_in(JOB_LOCATED);
	struct job_event pick = {.type = JOB_EVENT_PICKED, .method = JOB_METHOD_DIRECT};

	refuse(&j, NOW);
	refuse(&j, j.next_try_ms);
	(void)job_step(&j, &pick, j.next_try_ms);
	ck_assert_int_eq(step(&j, JOB_EVENT_CONNECTED).what, JOB_DO_SEND);
	ck_assert_uint_eq(j.refused, 0);
}
END_TEST

static uint64_t ask_and_hear_nothing(struct job *j, uint64_t now_ms, bool seen)
{
	struct job_event sight = {.type = JOB_EVENT_SIGHTED, .helper = 3};
	struct job_event pick = {
		.type = JOB_EVENT_PICKED, .method = JOB_METHOD_DIRECTED, .helper = 3};
	struct job_event timer = {.type = JOB_EVENT_TIMER};

	if (now_ms < j->next_try_ms)
		now_ms = j->next_try_ms;
	if (seen)
		(void)job_step(j, &sight, now_ms);
	ck_assert_int_eq(job_step(j, &pick, now_ms).what, JOB_DO_SEND);
	ck_assert(j->deadline_ms == now_ms + 15000);
	ck_assert(!job_step(j, &timer, j->deadline_ms - 1).store);
	now_ms = j->deadline_ms;
	ck_assert(job_step(j, &timer, now_ms).store);
	return now_ms;
}

START_TEST(fails_a_silent_node_that_is_seen_within_two_minutes)
{
	struct job j = job_in(JOB_LOCATED);
	uint64_t now_ms = NOW;
	int n = 0;

	while (!job_is_over(j.state) && n++ < 100)
		now_ms = ask_and_hear_nothing(&j, now_ms, true);
	ck_assert_int_eq(n, JOB_SILENT_MAX);
	ck_assert_int_eq(j.state, JOB_FAILED);
	ck_assert_int_eq(j.reason, JOB_REASON_SILENT);
	ck_assert(now_ms - NOW < 110000);
	ck_assert_uint_eq(j.helpers[0].fails, JOB_SILENT_MAX - 1);
}
END_TEST

START_TEST(asks_a_node_that_nobody_sees_until_it_expires)
{
	struct job j = job_in(JOB_LOCATED);
	uint64_t now_ms = NOW;
	struct job_event timer = {.type = JOB_EVENT_TIMER};
	int n = 0;

	while (now_ms < j.expires_ms - 400000u) {
		now_ms = ask_and_hear_nothing(&j, now_ms, false);
		ck_assert_int_eq(j.state, JOB_WAITING);
		ck_assert_int_eq(j.reason, JOB_REASON_NOT_SEEN);
		n++;
	}
	ck_assert_int_gt(n, 250); /* a try every 315 s at last */
	ck_assert_int_lt(n, 320);
	ck_assert(!job_step(&j, &timer, j.expires_ms - 1).store);
	ck_assert(job_step(&j, &timer, j.expires_ms).store);
	ck_assert_int_eq(j.state, JOB_EXPIRED);
	ck_assert_int_eq(j.reason, JOB_REASON_NOT_SEEN);
	ck_assert(!answer(&j, 0, j.expires_ms + 1).store); /* what died stays dead */
}
END_TEST

/* --- proof ----------------------------------------------------------------------------------- */

START_TEST(joins_only_by_its_own_serial)
{
	struct job j = job_in(JOB_SAVED);
	struct job_event e = {.type = JOB_EVENT_INFO, .serial = SERIAL + 1};

	(void)job_step(&j, &e, NOW);
	ck_assert_int_eq(j.state, JOB_FAILED);
	ck_assert_int_eq(j.reason, JOB_REASON_ID_TAKEN);
}
END_TEST

START_TEST(asks_for_the_proof_again_and_tells_when_it_takes_long)
{
	struct job j = job_in(JOB_SAVED);
	struct job_event timer = {.type = JOB_EVENT_TIMER};
	uint64_t now_ms = NOW;
	unsigned stored = 0;

	for (int i = 0; i < 6; i++) {
		struct job_event pick = {.type = JOB_EVENT_PICKED};

		ck_assert_int_eq(job_step(&j, &pick, now_ms).what, JOB_DO_VERIFY);
		now_ms = j.deadline_ms;
		stored += job_step(&j, &timer, now_ms).store;
		ck_assert(j.next_try_ms > now_ms);
		now_ms = j.next_try_ms;
	}
	ck_assert_uint_eq(stored, 1);
	ck_assert_int_eq(j.reason, JOB_REASON_NOT_JOINED);
	(void)job_step(&j, &timer, j.expires_ms);
	ck_assert_int_eq(j.state, JOB_FAILED);
	ck_assert_int_eq(j.reason, JOB_REASON_NEVER_JOINED);
}
END_TEST

/* --- removal --------------------------------------------------------------------------------- */

START_TEST(is_removed_when_the_node_says_so)
{
	struct job j = job_flying(JOB_REMOVING, JOB_METHOD_DIRECTED);
	struct job_event e = {.type = JOB_EVENT_ANSWER, .removal = true};

	ck_assert(job_step(&j, &e, NOW).store);
	ck_assert_int_eq(j.state, JOB_REMOVED);
}
END_TEST

START_TEST(is_removed_at_once_when_nothing_was_ever_sent)
{
	struct job j = job_in(JOB_WAITING);

	j.attempts = 0;
	ck_assert(step(&j, JOB_EVENT_REMOVE).store);
	ck_assert_int_eq(j.state, JOB_REMOVED);
}
END_TEST

START_TEST(ends_a_silent_removal_unconfirmed)
{
	struct job j = job_in(JOB_JOINED);
	struct job_event timer = {.type = JOB_EVENT_TIMER};
	uint64_t now_ms = NOW;
	int n = 0;

	(void)step(&j, JOB_EVENT_REMOVE);
	while (j.state == JOB_REMOVING && n++ < 100) {
		struct job_event pick = {
			.type = JOB_EVENT_PICKED, .method = JOB_METHOD_DIRECTED, .helper = 7};

		now_ms = j.next_try_ms;
		ck_assert_int_eq(job_step(&j, &pick, now_ms).what, JOB_DO_SEND);
		(void)job_step(&j, &timer, j.deadline_ms);
	}
	ck_assert_int_eq(n, JOB_REMOVE_TRIES_MAX);
	ck_assert_int_eq(j.state, JOB_UNCONFIRMED);
}
END_TEST

START_TEST(ends_a_removal_that_had_no_chance_after_an_hour)
{
	struct job j = job_in(JOB_JOINED);
	struct job_event timer = {.type = JOB_EVENT_TIMER};

	(void)step(&j, JOB_EVENT_REMOVE);
	ck_assert(!job_step(&j, &timer, NOW + JOB_REMOVE_MS - 1).store);
	ck_assert(job_step(&j, &timer, NOW + JOB_REMOVE_MS).store);
	ck_assert_int_eq(j.state, JOB_UNCONFIRMED);
}
END_TEST

/* --- helpers, restart, words ------------------------------------------------------------------ */

static bool skip_id(void *ctx, uint16_t id)
{
	return id == *(const uint16_t *)ctx;
}

START_TEST(prefers_the_helper_that_failed_least)
{
	struct job j = job_in(JOB_LOCATED);
	uint16_t skip = 2;

	for (uint16_t id = 1; id <= JOB_HELPERS_MAX + 2; id++) {
		struct job_event e = {.type = JOB_EVENT_SIGHTED, .helper = id};

		(void)job_step(&j, &e, NOW + id);
	}
	ck_assert_uint_eq(job_best_helper(&j, NOW + 9, NULL, NULL)->id, JOB_HELPERS_MAX + 2);
	j.helpers[0].fails = 0;
	for (int i = 1; i < JOB_HELPERS_MAX; i++)
		j.helpers[i].fails = 1;
	skip = j.helpers[0].id;
	ck_assert_uint_eq(job_best_helper(&j, NOW + 9, NULL, NULL)->id, skip);
	ck_assert_uint_ne(job_best_helper(&j, NOW + 9, skip_id, &skip)->id, skip);
	ck_assert_ptr_null(job_best_helper(&j, NOW + 9 + JOB_SIGHTING_MS, NULL, NULL));
}
END_TEST

START_TEST(sends_again_at_once_after_a_restart)
{
	struct job j = job_flying(JOB_SENT, JOB_METHOD_BROADCAST);

	j.next_try_ms = NOW + 999999;
	job_restore(&j, NOW);
	ck_assert(job_is_due(&j, NOW));
	ck_assert_int_eq(j.state, JOB_SENT);
	ck_assert_uint_eq(j.attempts, 1);
}
END_TEST

/* --- without a key, and another network ------------------------------------------------------ */

START_TEST(tells_once_that_it_would_not_open)
{
	struct job j = job_in(JOB_PENDING);

	j.keyless = true;
	ck_assert(job_is_direct_only(&j));
	ck_assert(step(&j, JOB_EVENT_UNFIT).store);
	ck_assert_int_eq(j.state, JOB_WAITING);
	ck_assert_int_eq(j.reason, JOB_REASON_NOT_OPEN);
	ck_assert(!step(&j, JOB_EVENT_UNFIT).store);
	ck_assert(!job_in_range(&j, NOW));
	ck_assert(!step(&j, JOB_EVENT_HEARD).store);
	ck_assert(job_in_range(&j, NOW) && job_is_due(&j, NOW));
}
END_TEST

START_TEST(lets_the_mesh_reach_a_member_without_its_key)
{
	struct job_event e = {.type = JOB_EVENT_HEARD, .member = true};
	struct job j = job_in(JOB_WAITING);

	j.keyless = true;
	(void)job_step(&j, &e, NOW);
	ck_assert(!job_is_direct_only(&j));
}
END_TEST

static struct job asset_joined(void)
{
	struct job j = job_in(JOB_JOINED);

	j.node_id = 33000;
	j.attempts = 1;
	return j;
}

static const struct job_event move = {
	.type = JOB_EVENT_SET_NETWORK, .network = 11, .expires_ms = NOW + 60000};

START_TEST(sets_the_network_of_an_asset)
{
	struct job_event yes = {.type = JOB_EVENT_ANSWER, .moved = true};
	struct job j = asset_joined();

	ck_assert(job_step(&j, &move, NOW).store);
	ck_assert_int_eq(j.state, JOB_PENDING);
	ck_assert_int_eq(j.task, JOB_TASK_SET_NETWORK);
	ck_assert_uint_eq(j.preferred_network, 11);
	ck_assert(job_is_direct_only(&j));
	(void)job_step(&j, &yes, NOW);
	ck_assert_int_eq(j.state, JOB_SAVED);
	(void)job_step(&j, &(struct job_event){.type = JOB_EVENT_INFO, .serial = SERIAL}, NOW);
	ck_assert_int_eq(j.state, JOB_JOINED);
	ck_assert_int_eq(j.reason, JOB_REASON_NONE);
}
END_TEST

START_TEST(sets_no_network_of_what_is_no_asset_or_has_not_joined)
{
	struct job node = job_in(JOB_JOINED), asset = asset_joined();

	ck_assert(!job_step(&node, &move, NOW).store);
	asset.state = JOB_SENT;
	ck_assert(!job_step(&asset, &move, NOW).store);
}
END_TEST

/* It is our own connection that has to end before the next. */
START_TEST(connects_again_to_an_asset_that_does_not_prove_itself)
{
	struct job_event pick = {.type = JOB_EVENT_PICKED}, timer = {.type = JOB_EVENT_TIMER};
	struct job j = job_in(JOB_SAVED);
	uint64_t now_ms = NOW;

	j.node_id = 33000;
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(job_step(&j, &pick, now_ms).what, JOB_DO_VERIFY);
		ck_assert_uint_eq(
			j.deadline_ms, now_ms + (i == 0 ? JOB_VERIFY_ASSET_MS : JOB_CONNECT_MS));
		now_ms = j.deadline_ms;
		ck_assert_int_eq(job_step(&j, &timer, now_ms).what, JOB_DO_CLOSE);
		ck_assert(!j.in_flight);
		now_ms = j.next_try_ms;
	}
	ck_assert_int_eq(j.state, JOB_SAVED);
	(void)job_step(&j, &pick, now_ms);
	j.expires_ms = now_ms;
	ck_assert_int_eq(job_step(&j, &timer, now_ms).what, JOB_DO_CLOSE);
	ck_assert_int_eq(j.state, JOB_FAILED);
}
END_TEST

/* It is enrolled however that ends; the reason tells that it was not done. */
START_TEST(stays_joined_when_its_network_could_not_be_set)
{
	static const struct {
		struct job_event event;
		enum job_reason reason;
	} ends[] = {
		{{.type = JOB_EVENT_ANSWER, .moved = true, .code = 1}, JOB_REASON_NOT_ASSET},
		{{.type = JOB_EVENT_TIMER}, JOB_REASON_NOT_MOVED},
		{{.type = JOB_EVENT_CANCEL}, JOB_REASON_STOPPED},
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct job j = asset_joined();

		(void)job_step(&j, &move, NOW);
		(void)job_step(&j, &(struct job_event){.type = JOB_EVENT_ANSWER}, NOW);
		ck_assert_int_eq(j.state, JOB_PENDING); /* an enrollment's answer is not its */
		(void)job_step(&j, &ends[i].event, NOW + 60000);
		ck_assert_int_eq(j.state, JOB_JOINED);
		ck_assert_int_eq(j.reason, ends[i].reason);
	}
}
END_TEST

START_TEST(names_every_state_reason_and_method)
{
	char text[JOB_TEXT_SIZE];

	for (int i = 0; i < JOB_STATE_COUNT; i++) {
		enum job_state s = JOB_STATE_COUNT;

		ck_assert_int_eq(job_state_parse(job_state_name((enum job_state)i), &s), ERR_OK);
		ck_assert_int_eq(s, i);
	}
	for (int i = 0; i < JOB_REASON_COUNT; i++) {
		enum job_reason r = JOB_REASON_COUNT;

		ck_assert_int_eq(job_reason_parse(job_reason_name((enum job_reason)i), &r), ERR_OK);
		ck_assert_int_eq(r, i);
		job_explain(JOB_WAITING, r, 0x01, text);
		ck_assert_int_eq(i == 0, strlen(text) == 0);
		ck_assert_uint_lt(strlen(text), JOB_TEXT_SIZE - 1);
		job_explain(JOB_UNCONFIRMED, r, 0x01, text);
		ck_assert_ptr_nonnull(strstr(text, "factory settings"));
		ck_assert_uint_lt(strlen(text), JOB_TEXT_SIZE - 1);
	}
	for (int i = 0; i <= JOB_METHOD_BROADCAST; i++) {
		enum job_method m = JOB_METHOD_NONE;

		ck_assert_int_eq(job_method_parse(job_method_name((enum job_method)i), &m), ERR_OK);
		ck_assert_int_eq(m, i);
	}
	ck_assert_ptr_null(job_state_name(JOB_STATE_COUNT));
	ck_assert_int_eq(job_state_parse("", &(enum job_state){0}), ERR_UNKNOWN);
	ck_assert_int_eq(job_reason_parse("nothing", &(enum job_reason){0}), ERR_UNKNOWN);
	ck_assert_int_eq(job_method_parse("mail", &(enum job_method){0}), ERR_UNKNOWN);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, knows_every_event_in_every_state);
	tcase_add_test(tc, never_changes_state_without_storing_it);
	tcase_add_test(tc, keeps_what_the_request_is_made_of);
	tcase_add_test(tc, maps_every_result_code);
	tcase_add_test(tc, gives_up_when_a_code_comes_three_times_in_a_row);
	tcase_add_test(tc, ignores_an_answer_before_the_first_request);
	tcase_add_test(tc, takes_a_late_answer);
	tcase_add_test(tc, calls_a_key_wrong_after_three_refusals_in_a_row);
	tcase_add_test(tc, forgets_refusals_after_a_handshake);
	tcase_add_test(tc, fails_a_silent_node_that_is_seen_within_two_minutes);
	tcase_add_test(tc, asks_a_node_that_nobody_sees_until_it_expires);
	tcase_add_test(tc, joins_only_by_its_own_serial);
	tcase_add_test(tc, asks_for_the_proof_again_and_tells_when_it_takes_long);
	tcase_add_test(tc, is_removed_when_the_node_says_so);
	tcase_add_test(tc, is_removed_at_once_when_nothing_was_ever_sent);
	tcase_add_test(tc, ends_a_silent_removal_unconfirmed);
	tcase_add_test(tc, ends_a_removal_that_had_no_chance_after_an_hour);
	tcase_add_test(tc, prefers_the_helper_that_failed_least);
	tcase_add_test(tc, sends_again_at_once_after_a_restart);
	tcase_add_test(tc, tells_once_that_it_would_not_open);
	tcase_add_test(tc, lets_the_mesh_reach_a_member_without_its_key);
	tcase_add_test(tc, sets_the_network_of_an_asset);
	tcase_add_test(tc, sets_no_network_of_what_is_no_asset_or_has_not_joined);
	tcase_add_test(tc, connects_again_to_an_asset_that_does_not_prove_itself);
	tcase_add_test(tc, stays_joined_when_its_network_could_not_be_set);
	tcase_add_test(tc, names_every_state_reason_and_method);
}

int main(void)
{
	return suite_main("job", fill);
}
