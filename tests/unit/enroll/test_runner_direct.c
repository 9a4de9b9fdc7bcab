/* Our own radio among nodes and gateway nodes: who gets a connection, and when it ends. */
#include "enroll/runner.h"

#include <stdio.h>

#include "base/log.h"
#include "support/rig.h"
#include "unit/suite.h"

#define NETWORK 480
#define KEY 0x10
#define GATEWAY 2673000u
#define FIRST 2673001u
#define FAR AIR_RSSI_NONE
#define NEAR (-60)

static unsigned fleet;

static void add_fleet(struct rig *r)
{
	for (unsigned i = 0; i < fleet; i++) {
		struct secret16 key = rig_key((uint8_t)(FIRST + i));

		ck_assert_int_eq(rig_add(r, NETWORK, FIRST + i, &key), ERR_OK);
	}
}

#define SILENT 2
#define HANG_UP_MS 5000 /* a node's patience for a subscription (mesh-protocol §2.3) */

/* Near nodes and nobody else; the first of them never answer the subscription. */
static void with_silent_ones(struct rig *r, uint64_t seed, unsigned silent, unsigned good)
{
	rig_open(r, seed);
	fleet = silent + good;
	for (unsigned i = 0; i < fleet; i++)
		sim_node_set_faults(rig_node(r, FIRST + i, NEAR, NULL),
			i < silent ? SIM_FAULT_NO_CCCD : SIM_FAULT_NONE);
	rig_network(r, NETWORK, NULL);
	add_fleet(r);
}

static bool good_ones_saved(struct rig *r)
{
	for (unsigned i = SILENT; i < fleet; i++) {
		enum job_state state = rig_show(r, FIRST + i).state;

		if (state != JOB_SAVED && state != JOB_JOINED)
			return false;
	}
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

static void fill(TCase *tc)
{
	log_set_level(LOG_LEVEL_ERR);
	tcase_add_test(tc, silent_nodes_hold_up_nobody);
	tcase_add_loop_test(tc, connects_to_a_few_nodes_at_once, 0, 5);
}

int main(void)
{
	return suite_main("runner_direct", fill);
}
