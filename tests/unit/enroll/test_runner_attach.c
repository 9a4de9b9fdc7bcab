/* Which gateway node the runner takes, against real node cores in the virtual air. */
#include <stdio.h>

#include "base/log.h"
#include "enr/serial.h"
#include "enroll/batch.h"
#include "enroll/runner_room.h"
#include "support/rig.h"
#include "unit/suite.h"

#define NETWORK 480
#define KEY 0x10
#define FIRST 2673000u
#define FLOOR 12 /* members in our radio range, more than the runner keeps in mind */
#define STRONG (-40)
#define WEAK (-80)

/* How a gateway node can be there and be none. */
enum bad { MUTE, UNSUBSCRIBED, REFUSING, BADS };

/* The i-th member has the serial number FIRST + i and the node id 1 + i. */
static void add_member(struct rig *r, unsigned i, int rssi_dbm, uint8_t key)
{
	struct sim_enrollment preset = {.enrolled = true,
		.network_id = NETWORK,
		.node_id = (uint16_t)(1 + i),
		.network_key = rig_key(key),
		.user_base_key = rig_key(0x11),
		.organization_key = rig_key(0x12)};

	(void)rig_node(r, FIRST + i, rssi_dbm, &preset);
}

static void add_good(struct rig *r, unsigned i, int rssi_dbm)
{
	add_member(r, i, rssi_dbm, KEY);
}

static void add_bad(struct rig *r, unsigned i, int rssi_dbm, enum bad how)
{
	static const uint32_t faults[BADS] = {
		[MUTE] = SIM_FAULT_MUTE, [UNSUBSCRIBED] = SIM_FAULT_NO_CCCD};

	add_member(r, i, rssi_dbm, how == REFUSING ? KEY + 1 : KEY);
	sim_node_set_faults(air_find(r->air, FIRST + i), faults[how]);
}

static void add_network(struct rig *r, uint32_t gateway_serial)
{
	struct secret16 key = rig_key(KEY);

	rig_network_preferring(r, NETWORK, &key, gateway_serial);
}

static struct sim_node *nth(struct rig *r, unsigned i)
{
	return air_find(r->air, FIRST + i);
}

static bool is_open(struct rig *r)
{
	struct runner_link link;

	return runner_link(r->runner, NETWORK, &link);
}

static bool is_closed(struct rig *r)
{
	return !is_open(r);
}

/* By a gateway node that has told its cluster. */
static bool is_served(struct rig *r)
{
	struct runner_link link;

	return runner_link(r->runner, NETWORK, &link) && link.cluster_size != 0;
}

static unsigned served_by(struct rig *r)
{
	struct runner_link link;

	ck_assert(runner_link(r->runner, NETWORK, &link));
	return link.node_id - 1u;
}

static void expect_served_by(struct rig *r, unsigned within_ms, unsigned i)
{
	ck_assert(rig_run(r, within_ms, is_served));
	ck_assert_uint_eq(served_by(r), i);
}

/* --- many members ----------------------------------------------------------------------------- */

/* The time of one failure and of one success: the strongest is not tried twice. */
START_TEST(a_bad_one_among_many_is_tried_once)
{
	log_set_level(LOG_LEVEL_ERR);
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct rig r;

		rig_open(&r, seed);
		add_bad(&r, 0, STRONG, (enum bad)_i);
		for (unsigned i = 1; i < FLOOR; i++)
			add_good(&r, i, WEAK);
		add_network(&r, SERIAL_INDEX_INVALID);
		ck_assert(rig_run(&r, 35000, is_served));
		ck_assert_uint_ne(served_by(&r), 0);
		rig_close(&r);
	}
}
END_TEST

/* More bad ones than can be remembered, each stronger than the one that is good. */
START_TEST(bad_ones_without_number_hide_no_good_one)
{
	struct rig r;

	log_set_level(LOG_LEVEL_ERR);
	rig_open(&r, 6);
	add_good(&r, 0, WEAK);
	for (unsigned i = 1; i < FLOOR; i++)
		add_bad(&r, i, STRONG, (enum bad)(i % BADS));
	add_network(&r, SERIAL_INDEX_INVALID);
	expect_served_by(&r, 3600000, 0);
	printf("past %d bad ones in %u virtual seconds\n", FLOOR - 1,
		(unsigned)(air_now_ms(r.air) / 1000));
	rig_close(&r);
}
END_TEST

/* --- the preferred one ------------------------------------------------------------------------ */

/* A network that prefers its member 1, which is mute, to its member 0, which is good. */
static void open_preferring_a_mute_one(struct rig *r, uint64_t seed)
{
	log_set_level(LOG_LEVEL_ERR);
	rig_open(r, seed);
	add_good(r, 0, STRONG);
	add_bad(r, 1, WEAK, MUTE);
	add_network(r, FIRST + 1);
}

START_TEST(a_preferred_one_is_taken_though_it_is_weak)
{
	struct rig r;

	rig_open(&r, 7);
	add_good(&r, 0, STRONG);
	add_good(&r, 1, WEAK);
	add_network(&r, FIRST + 1);
	expect_served_by(&r, 30000, 1);
	rig_close(&r);
}
END_TEST

/* And nobody waits for it then, as for one that is not heard. */
START_TEST(a_preferred_one_that_is_bad_is_passed_over)
{
	struct rig r;

	log_set_level(LOG_LEVEL_ERR);
	rig_open(&r, 8);
	add_good(&r, 0, WEAK);
	add_bad(&r, 1, STRONG, (enum bad)_i);
	add_network(&r, FIRST + 1);
	expect_served_by(&r, 60000, 0);
	printf("past the preferred one in %u virtual seconds\n",
		(unsigned)(air_now_ms(r.air) / 1000));
	rig_close(&r);
}
END_TEST

/* Once is no reason to leave it. */
START_TEST(a_preferred_one_may_fail_once)
{
	struct rig r;

	open_preferring_a_mute_one(&r, 9);
	ck_assert(rig_run(&r, 30000, is_open));
	ck_assert(rig_run(&r, 30000, is_closed));
	sim_node_set_faults(nth(&r, 1), 0);
	expect_served_by(&r, 60000, 1);
	rig_close(&r);
}
END_TEST

/* It has been mended, and the one that served meanwhile goes. */
START_TEST(a_preferred_one_has_another_chance_after_a_while)
{
	struct rig r;

	open_preferring_a_mute_one(&r, 10);
	expect_served_by(&r, 120000, 0);
	sim_node_set_faults(nth(&r, 1), 0);
	add_good(&r, 2, STRONG);
	(void)rig_run(&r, 1800000, NULL);
	ck_assert_uint_eq(served_by(&r), 0);
	sim_node_power(nth(&r, 0), false);
	(void)rig_run(&r, 10000, NULL);
	expect_served_by(&r, 60000, 1);
	rig_close(&r);
}
END_TEST

/* --- one that was silent ---------------------------------------------------------------------- */

/* The other one was last heard too long ago when the gateway node goes: its next advert tells us.
 */
START_TEST(one_that_was_silent_is_taken_when_it_is_heard_again)
{
	unsigned one, other;
	struct rig r;

	log_set_level(LOG_LEVEL_ERR);
	rig_open(&r, 11);
	add_good(&r, 0, STRONG);
	add_good(&r, 1, WEAK);
	add_network(&r, SERIAL_INDEX_INVALID);
	ck_assert(rig_run(&r, 30000, is_served));
	one = served_by(&r);
	other = 1 - one;
	sim_node_power(nth(&r, other), false);
	(void)rig_run(&r, 20000, NULL);
	sim_node_power(nth(&r, one), false);
	(void)rig_run(&r, 20000, NULL);
	ck_assert(!is_served(&r));
	sim_node_power(nth(&r, other), true);
	expect_served_by(&r, 30000, other);
	rig_close(&r);
}
END_TEST

/* --- more networks than connections ----------------------------------------------------------- */

#define NETWORKS 8
#define PLACES (NETWORKS - 1)
#define FRESH (FIRST + NETWORKS) /* a node that no network has yet, and our radio does not hear */

/* The i-th network, its one member has the serial number FIRST + i. */
static uint16_t nth_network(unsigned i)
{
	return (uint16_t)(NETWORK + i);
}

static void add_networks(struct rig *r, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct secret16 key = rig_key((uint8_t)(KEY + i));
		struct sim_enrollment preset = {.enrolled = true,
			.network_id = nth_network(i),
			.node_id = 1,
			.network_key = key,
			.user_base_key = rig_key(0x61),
			.organization_key = rig_key(0x62)};

		(void)rig_node(r, FIRST + i, STRONG, &preset);
		rig_network(r, nth_network(i), &key);
	}
	(void)rig_node(r, FRESH, AIR_RSSI_NONE, NULL);
}

/* A bit a network that has an open session. */
static unsigned attached(struct rig *r)
{
	struct runner_link link;
	unsigned bits = 0;

	for (unsigned i = 0; i <= NETWORKS; i++)
		if (runner_link(r->runner, nth_network(i), &link))
			bits |= 1u << i;
	return bits;
}

static bool all_places_taken(struct rig *r)
{
	return __builtin_popcount(attached(r)) == PLACES;
}

/* The one that is attached nowhere, and the one that was attached first. */
static unsigned left_out, first;

static void find_both(struct rig *r)
{
	uint64_t opened_ms = UINT64_MAX;

	for (unsigned i = 0; i < NETWORKS; i++) {
		const struct net *net = runner_net(r->runner, nth_network(i));

		if (!net->session) {
			left_out = i;
		} else if (net->opened_ms < opened_ms) {
			opened_ms = net->opened_ms;
			first = i;
		}
	}
}

/* For long enough. */
static void with_all_places_taken(struct rig *r, uint64_t seed)
{
	log_set_level(LOG_LEVEL_ERR);
	rig_open(r, seed);
	add_networks(r, NETWORKS);
	ck_assert(rig_run(r, 60000, all_places_taken));
	(void)rig_run(r, RUNNER_HELD_MS, NULL);
	ck_assert(all_places_taken(r));
	find_both(r);
}

static bool left_out_attached(struct rig *r)
{
	return attached(r) >> left_out & 1;
}

static bool first_attached(struct rig *r)
{
	return attached(r) >> first & 1;
}

static bool fresh_joined(struct rig *r)
{
	return rig_show(r, FRESH).state == JOB_JOINED;
}

static void add_job(struct rig *r, unsigned i)
{
	struct secret16 key = rig_key((uint8_t)FRESH);

	ck_assert_int_eq(rig_add(r, nth_network(i), FRESH, &key), ERR_OK);
}

static unsigned before, changes;

static bool count_changes(struct rig *r)
{
	unsigned now = attached(r);

	changes += now != before;
	before = now;
	return false;
}

START_TEST(an_idle_network_gives_way_to_one_with_a_job)
{
	uint64_t start_ms;
	struct rig r;

	with_all_places_taken(&r, 12);
	start_ms = air_now_ms(r.air);
	add_job(&r, left_out);
	ck_assert(rig_run(&r, 10000, left_out_attached));
	printf("attached in %u virtual ms\n", (unsigned)(air_now_ms(r.air) - start_ms));
	ck_assert(!first_attached(&r));
	ck_assert(all_places_taken(&r));
	ck_assert(rig_run(&r, 180000, fresh_joined));
	ck_assert(!rig_run(&r, 120000, first_attached)); /* nobody has work: nobody has to go */
	sim_node_power(nth(&r, left_out), false);
	ck_assert(rig_run(&r, 60000, first_attached));
	rig_close(&r);
}
END_TEST

START_TEST(an_idle_network_gives_way_to_one_that_is_asked_about)
{
	struct rig r;

	with_all_places_taken(&r, 13);
	runner_note_question(r.runner, nth_network(left_out));
	ck_assert(rig_run(&r, 10000, left_out_attached));
	ck_assert(!first_attached(&r));
	rig_close(&r);
}
END_TEST

/* One that another network's job may be done through; one that is asked about does, to jobs. */
START_TEST(a_network_that_is_needed_does_not_give_way)
{
	char serial[SERIAL_TEXT_SIZE];
	struct node_request req = {.serial = serial};
	struct node_view v;
	struct rig r;

	with_all_places_taken(&r, 14);
	serial_print(FRESH, serial);
	req.network_id = nth_network(left_out);
	req.from_network = nth_network(first);
	ck_assert_int_eq(batch_enter(r.batch), ERR_OK);
	ck_assert_int_eq(
		batch_leave(r.batch, nodes_add(r.nodes, &r.w.now, &WORLD_ADMIN, &req, &v, NULL)),
		ERR_OK);
	for (unsigned i = 0; i < NETWORKS; i++)
		if (i != left_out && i != first)
			runner_note_question(r.runner, nth_network(i));
	ck_assert_int_eq(batch_flush(r.batch), ERR_OK);
	ck_assert(rig_run(&r, 10000, left_out_attached));
	ck_assert(first_attached(&r));
	rig_close(&r);
}
END_TEST

START_TEST(who_asks_does_not_end_what_others_ask)
{
	struct rig r;

	with_all_places_taken(&r, 17);
	for (unsigned i = 0; i < NETWORKS; i++)
		runner_note_question(r.runner, nth_network(i));
	ck_assert(!rig_run(&r, RUNNER_ASKED_MS - 1000, left_out_attached));
	ck_assert(all_places_taken(&r));
	runner_note_question(r.runner, nth_network(left_out)); /* only this one, still */
	ck_assert(rig_run(&r, 10000, left_out_attached));
	rig_close(&r);
}
END_TEST

/* Those with work do not make all others come and go. */
START_TEST(a_session_is_held_for_a_while)
{
	struct rig r;

	log_set_level(LOG_LEVEL_ERR);
	rig_open(&r, 15);
	add_networks(&r, NETWORKS);
	ck_assert(rig_run(&r, 60000, all_places_taken));
	find_both(&r);
	before = attached(&r);
	runner_note_question(r.runner, nth_network(left_out));
	ck_assert(!rig_run(&r, RUNNER_HELD_MS - 5000, left_out_attached));
	ck_assert_uint_eq(attached(&r), before);
	ck_assert(rig_run(&r, 15000, left_out_attached));
	rig_close(&r);
}
END_TEST

/* The one with a job has a gateway node that does not take its key. */
START_TEST(nobody_comes_and_goes_beside_one_that_fails)
{
	struct sim_enrollment preset = {.enrolled = true,
		.network_id = nth_network(NETWORKS),
		.node_id = 1,
		.network_key = rig_key(KEY),
		.user_base_key = rig_key(0x61),
		.organization_key = rig_key(0x62)};
	struct rig r;

	with_all_places_taken(&r, 16);
	(void)rig_node(&r, FRESH + 1, STRONG, &preset);
	rig_network(&r, nth_network(NETWORKS), NULL);
	add_job(&r, NETWORKS);
	before = attached(&r);
	changes = 0;
	(void)rig_run(&r, 600000, count_changes);
	ck_assert_uint_eq(changes, 1);
	ck_assert(!first_attached(&r));
	rig_close(&r);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_loop_test(tc, a_bad_one_among_many_is_tried_once, 0, BADS);
	tcase_add_test(tc, bad_ones_without_number_hide_no_good_one);
	tcase_add_test(tc, a_preferred_one_is_taken_though_it_is_weak);
	tcase_add_loop_test(tc, a_preferred_one_that_is_bad_is_passed_over, 0, BADS);
	tcase_add_test(tc, a_preferred_one_may_fail_once);
	tcase_add_test(tc, a_preferred_one_has_another_chance_after_a_while);
	tcase_add_test(tc, one_that_was_silent_is_taken_when_it_is_heard_again);
	tcase_add_test(tc, an_idle_network_gives_way_to_one_with_a_job);
	tcase_add_test(tc, an_idle_network_gives_way_to_one_that_is_asked_about);
	tcase_add_test(tc, a_network_that_is_needed_does_not_give_way);
	tcase_add_test(tc, who_asks_does_not_end_what_others_ask);
	tcase_add_test(tc, a_session_is_held_for_a_while);
	tcase_add_test(tc, nobody_comes_and_goes_beside_one_that_fails);
}

int main(void)
{
	return suite_main("runner_attach", fill);
}
