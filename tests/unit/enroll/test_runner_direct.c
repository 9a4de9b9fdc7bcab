/* Our own radio among nodes and gateway nodes: who gets a connection, and when it ends. */
#include "enroll/runner.h"

#include <stdio.h>

#include "base/log.h"
#include "core/schedule.h"
#include "enr/meshadv.h"
#include "enr/serial.h"
#include "enroll/batch.h"
#include "support/rig.h"
#include "unit/suite.h"

#define NETWORK 480
#define KEY 0x10
#define GATEWAY 2672000u
#define FIRST 2673001u
#define NEAR (-60)
#define WEAK (SCHEDULE_RSSI_MIN - 3)

static unsigned fleet;

/* A member of the i-th network. */
static struct sim_node *add_member(struct rig *r, unsigned i, uint32_t serial, uint16_t node_id)
{
	struct sim_enrollment preset = {.enrolled = true,
		.network_id = (uint16_t)(NETWORK + i),
		.node_id = node_id,
		.network_key = rig_key((uint8_t)(KEY + i)),
		.user_base_key = rig_key(0x61),
		.organization_key = rig_key(0x62)};

	return rig_node(r, serial, NEAR, &preset);
}

/* A network with a member that can be its gateway node. */
static struct sim_node *with_gateway(struct rig *r, unsigned i)
{
	struct secret16 key = rig_key((uint8_t)(KEY + i));

	rig_network(r, (uint16_t)(NETWORK + i), &key);
	return add_member(r, i, GATEWAY + i, 1);
}

static void add_fleet_to(struct rig *r, uint16_t network)
{
	for (unsigned i = 0; i < fleet; i++) {
		struct secret16 key = rig_key((uint8_t)(FIRST + i));

		ck_assert_int_eq(rig_add(r, network, FIRST + i, &key), ERR_OK);
	}
}

static void add_fleet(struct rig *r)
{
	add_fleet_to(r, NETWORK);
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

#define SILENT 2
#define HANG_UP_MS 5000 /* a node's patience for a subscription (mesh-protocol §2.3) */

/* Near nodes; the first of them never answer the subscription. */
static void with_fleet(struct rig *r, unsigned silent, unsigned good)
{
	fleet = silent + good;
	for (unsigned i = 0; i < fleet; i++)
		sim_node_set_faults(rig_node(r, FIRST + i, NEAR, NULL),
			i < silent ? SIM_FAULT_NO_CCCD : SIM_FAULT_NONE);
}

static void with_silent_ones(struct rig *r, uint64_t seed, unsigned silent, unsigned good)
{
	rig_open(r, seed);
	with_fleet(r, silent, good);
	rig_network(r, NETWORK, NULL);
	add_fleet(r);
}

static bool is_saved(struct rig *r, uint32_t serial)
{
	enum job_state state = rig_show(r, serial).state;

	return state == JOB_SAVED || state == JOB_JOINED;
}

static bool good_ones_saved(struct rig *r)
{
	for (unsigned i = SILENT; i < fleet; i++)
		if (!is_saved(r, FIRST + i))
			return false;
	return true;
}

/* All good ones are done before the first of the others has given up. */
START_TEST(silent_nodes_hold_up_nobody)
{
	for (uint64_t seed = 20; seed < 25; seed++) { /* they are heard in any order */
		struct rig r;

		with_silent_ones(&r, seed, SILENT, 3);
		ck_assert(rig_run(&r, HANG_UP_MS, good_ones_saved));
		printf("3 nodes past %d silent ones in %u virtual ms\n", SILENT,
			(unsigned)air_now_ms(r.air));
		rig_close(&r);
	}
}
END_TEST

static unsigned most;

static bool count_most(struct rig *r)
{
	unsigned n = link_air_connections(r->link);

	most = n > most ? n : most;
	return false;
}

/* Each network is left a connection for its gateway node. */
START_TEST(connects_to_a_few_nodes_at_once)
{
	static const struct {
		unsigned networks, most;
	} rows[] = {{1, 3}, {5, 3}, {6, 2}, {7, 1}, {9, 1}};
	struct rig r;

	with_silent_ones(&r, 13, 6, 0);
	for (unsigned i = 1; i < rows[_i].networks; i++)
		rig_network(&r, (uint16_t)(NETWORK + i), NULL);
	most = 0;
	(void)rig_run(&r, 60000, count_most);
	ck_assert_uint_eq(most, rows[_i].most);
	rig_close(&r);
}
END_TEST

/* The other network, whose nodes take each connection that becomes free, is looked at first. */
START_TEST(silent_nodes_hold_up_no_gateway_of_another_network)
{
	struct rig r;

	rig_open(&r, 31);
	with_fleet(&r, 9, 0);
	(void)with_gateway(&r, 0);
	rig_network(&r, NETWORK + 1, NULL);
	add_fleet_to(&r, NETWORK + 1);
	ck_assert(rig_run(&r, 2 * HANG_UP_MS, is_open));
	rig_close(&r);
}
END_TEST

static bool first_saved(struct rig *r)
{
	return is_saved(r, FIRST);
}

/* As many gateway nodes as there are connections. */
START_TEST(keeps_a_connection_for_nodes_whatever_happens)
{
	struct rig r;

	rig_open(&r, 32);
	for (unsigned i = 0; i < LINK_CONNECTIONS_MAX; i++)
		(void)with_gateway(&r, i);
	(void)rig_run(&r, 60000, NULL);
	ck_assert_uint_eq(link_air_connections(r.link), LINK_CONNECTIONS_MAX - 1);
	(void)rig_node(&r, FIRST, NEAR, NULL);
	fleet = 1;
	add_fleet(&r);
	ck_assert(rig_run(&r, 30000, first_saved));
	ck_assert_int_eq(rig_show(&r, FIRST).method, JOB_METHOD_DIRECT);
	rig_close(&r);
}
END_TEST

static void prefer(struct rig *r, unsigned i, uint32_t gateway_serial)
{
	struct secret16 key = rig_key((uint8_t)(KEY + i));

	rig_network_preferring(r, (uint16_t)(NETWORK + i), &key, gateway_serial);
}

static bool all_connected(struct rig *r)
{
	return link_air_connections(r->link) == LINK_CONNECTIONS_MAX;
}

static bool sixth_open(struct rig *r)
{
	struct runner_link link;

	return runner_link(r->runner, NETWORK + 5, &link);
}

/* Five gateway nodes and three nodes that keep us waiting have all connections when a network comes
 * that prefers one of its two members. */
START_TEST(blames_no_gateway_for_a_full_link)
{
	struct runner_link link;
	struct rig r;

	rig_open(&r, 33);
	for (unsigned i = 0; i < 5; i++)
		(void)with_gateway(&r, i);
	(void)rig_run(&r, 30000, NULL);
	fleet = 3;
	for (unsigned i = 0; i < fleet; i++)
		sim_node_set_faults(rig_node(&r, FIRST + i, NEAR, NULL), SIM_FAULT_PRE_WAIT);
	add_fleet(&r);
	ck_assert(rig_run(&r, 10000, all_connected));
	(void)add_member(&r, 5, GATEWAY + 5, 1);
	(void)add_member(&r, 5, GATEWAY + 6, 2);
	prefer(&r, 5, GATEWAY + 6);
	ck_assert(!rig_run(&r, 10000, sixth_open));
	ck_assert(rig_run(&r, 10000, sixth_open));
	ck_assert(runner_link(r.runner, NETWORK + 5, &link));
	ck_assert_uint_eq(link.node_id, 2);
	rig_close(&r);
}
END_TEST

static bool first_asked_directly(struct rig *r)
{
	struct node_view v = rig_show(r, FIRST);

	return v.state == JOB_SENT && v.method == JOB_METHOD_DIRECT;
}

static const char *state_of(struct rig *r)
{
	static struct runner_status status;

	runner_status(r->runner, &status);
	return status.state;
}

static bool is_connecting(struct rig *r)
{
	return strcmp(state_of(r), "connecting") == 0;
}

static bool is_searching(struct rig *r)
{
	return strcmp(state_of(r), "searching") == 0;
}

/* The mesh would do better, and may be there soon. When it is not, our own radio is all. */
START_TEST(a_weak_node_waits_for_the_gateway_that_is_being_connected_to)
{
	struct rig r;

	rig_open(&r, 38);
	sim_node_set_faults(with_gateway(&r, 0), SIM_FAULT_NO_CCCD);
	(void)rig_node(&r, FIRST, WEAK, NULL);
	ck_assert(rig_run(&r, 10000, is_connecting));
	fleet = 1;
	add_fleet(&r);
	most = 0;
	(void)rig_run(&r, HANG_UP_MS - 1000, count_most);
	ck_assert(is_connecting(&r));
	ck_assert_uint_eq(most, 1);
	ck_assert(rig_run(&r, 10000, is_searching));
	ck_assert(rig_run(&r, 10000, first_asked_directly));
	rig_close(&r);
}
END_TEST

static bool saw_both;

static bool count_most_with_gateway(struct rig *r)
{
	(void)count_most(r);
	saw_both = saw_both || (is_connecting(r) && link_air_connections(r->link) > 1);
	return false;
}

/* A gateway node that stays silent is one of the three, too. */
START_TEST(connects_to_a_few_at_once_gateways_included)
{
	for (uint64_t seed = 40; seed < 45; seed++) {
		struct rig r;

		rig_open(&r, seed);
		sim_node_set_faults(with_gateway(&r, 0), SIM_FAULT_NO_CCCD);
		with_fleet(&r, 4, 0);
		add_fleet(&r);
		most = 0;
		saw_both = false;
		(void)rig_run(&r, 120000, count_most_with_gateway);
		ck_assert_uint_eq(most, 3);
		ck_assert(saw_both);
		rig_close(&r);
	}
}
END_TEST

/* --- the end of a session --------------------------------------------------------------------- */

static bool first_waits(struct rig *r)
{
	return rig_show(r, FIRST).state == JOB_WAITING;
}

/* The gateway node had asked it before, in vain. */
START_TEST(outlives_a_gateway_session_that_has_no_part_in_it)
{
	struct sim_node *gateway, *node;
	struct rig r;

	rig_open(&r, 30);
	gateway = with_gateway(&r, 0);
	node = rig_node(&r, FIRST, NEAR, NULL);
	sim_node_power(node, false);
	fleet = 1;
	add_fleet(&r);
	ck_assert(rig_run(&r, 60000, first_waits));
	ck_assert_int_eq(rig_show(&r, FIRST).method, JOB_METHOD_BROADCAST);
	sim_node_set_faults(node, SIM_FAULT_PRE_WAIT);
	sim_node_power(node, true);
	ck_assert(rig_run(&r, 30000, first_asked_directly));
	sim_node_power(gateway, false);
	ck_assert(rig_run(&r, 5000, is_closed));
	ck_assert(!rig_run(&r, 5000, first_waits));
	rig_close(&r);
}
END_TEST

#define TAG FIRST
#define PATIENCE_MS 45000 /* of link_bluez, for a silent peer */

static bool one_connected(struct rig *r)
{
	return link_air_connections(r->link) == 1;
}

static bool two_connected(struct rig *r)
{
	return link_air_connections(r->link) == 2;
}

static bool none_connected(struct rig *r)
{
	return link_air_connections(r->link) == 0;
}

static bool first_joined(struct rig *r)
{
	return rig_show(r, FIRST).state == JOB_JOINED;
}

/* Saved, and it cannot be connected to for its proof from now on. */
static struct sim_node *with_saved_tag(struct rig *r)
{
	struct sim_node *tag = rig_asset(r, NETWORK, TAG, NEAR);

	link_air_set_patience(r->link, PATIENCE_MS);
	ck_assert(rig_run(r, 30000, first_saved));
	(void)rig_run(r, 1000, NULL);
	sim_node_set_faults(tag, SIM_FAULT_NO_CONNECT);
	return tag;
}

START_TEST(ends_the_connection_to_an_asset_that_does_not_prove_itself)
{
	struct sim_node *tag;
	struct rig r;

	rig_open(&r, 34);
	rig_network(&r, NETWORK, NULL);
	tag = with_saved_tag(&r);
	ck_assert(rig_run(&r, 20000, one_connected));
	ck_assert(rig_run(&r, JOB_CONNECT_MS + 100, none_connected));
	sim_node_set_faults(tag, SIM_FAULT_NONE);
	ck_assert(rig_run(&r, 10000, first_joined));
	rig_close(&r);
}
END_TEST

/* An asset does not prove itself through the mesh. */
START_TEST(a_lost_gateway_is_not_the_end_of_that_attempt)
{
	struct sim_node *gateway;
	struct rig r;

	rig_open(&r, 35);
	gateway = with_gateway(&r, 0);
	(void)with_saved_tag(&r);
	ck_assert(rig_run(&r, 20000, two_connected));
	sim_node_power(gateway, false);
	ck_assert(rig_run(&r, JOB_CONNECT_MS + 100, none_connected));
	rig_close(&r);
}
END_TEST

/* The attempt with the only node is over while its session is being opened, and the commit that
 * would have ended it fails. The job's state is the same before and after. */
static struct sim_node *with_forgotten_session(struct rig *r, uint64_t seed)
{
	struct sim_node *node;

	rig_open(r, seed);
	link_air_set_patience(r->link, PATIENCE_MS);
	rig_network(r, NETWORK, NULL);
	with_fleet(r, 1, 0);
	add_fleet(r);
	ck_assert(rig_run(r, 2 * HANG_UP_MS, first_waits));
	node = air_find(r->air, FIRST);
	sim_node_set_faults(node, SIM_FAULT_NO_CONNECT);
	ck_assert(rig_run(r, 10000, one_connected));
	(void)rig_run(r, JOB_CONNECT_MS - 100, NULL);
	r->commits_fail = true;
	(void)rig_run(r, 200, NULL);
	r->commits_fail = false;
	return node;
}

START_TEST(closes_a_session_though_its_end_could_not_be_stored)
{
	struct rig r;

	(void)with_forgotten_session(&r, 37);
	ck_assert(none_connected(&r));
	rig_close(&r);
}
END_TEST

START_TEST(closes_a_session_that_opens_for_nobody)
{
	struct rig r;

	sim_node_set_faults(with_forgotten_session(&r, 36), SIM_FAULT_NONE);
	ck_assert(rig_run(&r, 30000, first_saved));
	rig_close(&r);
}
END_TEST

static bool first_had_no_link(struct rig *r)
{
	return rig_show(r, FIRST).reason == JOB_REASON_NO_LINK;
}

/* Ordered again while the connection of its last order is still going away. */
START_TEST(waits_for_the_end_of_the_last_session)
{
	struct secret16 key = rig_key((uint8_t)FIRST);
	struct rig r;

	rig_open(&r, 39);
	link_air_set_hang_up(r.link, 2000);
	rig_network(&r, NETWORK, NULL);
	with_fleet(&r, 1, 0);
	add_fleet(&r);
	ck_assert(rig_run(&r, 10000, one_connected));
	ck_assert_int_eq(rig_order(&r, FIRST, nodes_cancel), ERR_OK);
	ck_assert_int_eq(rig_add(&r, NETWORK, FIRST, &key), ERR_OK);
	sim_node_set_faults(air_find(r.air, FIRST), SIM_FAULT_NONE);
	ck_assert(!rig_run(&r, 1500, first_had_no_link));
	ck_assert(rig_run(&r, 5000, first_saved));
	ck_assert_uint_eq(rig_show(&r, FIRST).attempts, 1);
	rig_close(&r);
}
END_TEST

static void fill(TCase *tc)
{
	log_set_level(LOG_LEVEL_ERR);
	tcase_add_test(tc, silent_nodes_hold_up_nobody);
	tcase_add_loop_test(tc, connects_to_a_few_nodes_at_once, 0, 5);
	tcase_add_test(tc, silent_nodes_hold_up_no_gateway_of_another_network);
	tcase_add_test(tc, keeps_a_connection_for_nodes_whatever_happens);
	tcase_add_test(tc, blames_no_gateway_for_a_full_link);
	tcase_add_test(tc, a_weak_node_waits_for_the_gateway_that_is_being_connected_to);
	tcase_add_test(tc, connects_to_a_few_at_once_gateways_included);
	tcase_add_test(tc, outlives_a_gateway_session_that_has_no_part_in_it);
	tcase_add_test(tc, ends_the_connection_to_an_asset_that_does_not_prove_itself);
	tcase_add_test(tc, a_lost_gateway_is_not_the_end_of_that_attempt);
	tcase_add_test(tc, closes_a_session_though_its_end_could_not_be_stored);
	tcase_add_test(tc, closes_a_session_that_opens_for_nobody);
	tcase_add_test(tc, waits_for_the_end_of_the_last_session);
}

int main(void)
{
	return suite_main("runner_direct", fill);
}
