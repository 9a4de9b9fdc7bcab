/* What control changes within one transaction, and what the runner makes of it. */
#include "base/log.h"
#include "enr/meshadv.h"
#include "enr/serial.h"
#include "enroll/batch.h"
#include "enroll/runner.h"
#include "support/rig.h"
#include "unit/suite.h"

#define NETWORK 480 /* and those that follow */
#define KEY 0x10
#define FIRST 2673000u
#define NEAR (-60)

#define NEED(expression) ck_assert_int_eq(expression, ERR_OK)

/* --- an asset that is ordered about ----------------------------------------------------------- */

#define TAG FIRST

static bool tag_joined(struct rig *r)
{
	return rig_show(r, TAG).state == JOB_JOINED;
}

/* Into the open batch. */
static void order_to(struct rig *r, uint16_t network)
{
	char serial[SERIAL_TEXT_SIZE];
	struct node_view v;

	serial_print(TAG, serial);
	NEED(batch_enter(r->batch));
	NEED(batch_leave(r->batch,
		nodes_set_network(r->nodes, &r->w.now, &WORLD_ADMIN, serial, network, &v, NULL)));
}

static void order_back(struct rig *r)
{
	char serial[SERIAL_TEXT_SIZE];
	struct node_view v;

	serial_print(TAG, serial);
	NEED(batch_enter(r->batch));
	NEED(batch_leave(
		r->batch, nodes_cancel(r->nodes, &r->w.now, &WORLD_ADMIN, serial, &v, NULL)));
}

/* The job is pending before and after. */
START_TEST(an_asset_goes_where_the_last_order_says)
{
	struct sim_enrollment e;
	struct sim_node *tag;
	struct rig r;

	rig_open(&r, 1);
	for (uint16_t i = 0; i < 3; i++)
		rig_network(&r, NETWORK + i, NULL);
	tag = rig_asset(&r, NETWORK, TAG, NEAR);
	ck_assert(rig_run(&r, 120000, tag_joined));
	sim_node_power(tag, false);
	(void)rig_run(&r, 1000, NULL);
	order_to(&r, NETWORK + 1);
	NEED(batch_flush(r.batch));
	(void)rig_run(&r, 1000, NULL);
	ck_assert_int_eq(rig_show(&r, TAG).state, JOB_PENDING);
	order_back(&r);
	order_to(&r, NETWORK + 2);
	NEED(batch_flush(r.batch));
	sim_node_power(tag, true);
	ck_assert(rig_run(&r, 120000, tag_joined));
	ck_assert_int_eq(rig_show(&r, TAG).reason, JOB_REASON_NONE);
	ck_assert_uint_eq(rig_show(&r, TAG).preferred_network, NETWORK + 2);
	sim_node_state(tag, &e);
	ck_assert_uint_eq(e.network_id, NETWORK + 2);
	rig_close(&r);
}
END_TEST

/* --- a network whose number comes again ------------------------------------------------------- */

static void add_member(struct rig *r, uint16_t node_id, uint8_t key)
{
	struct sim_enrollment preset = {.enrolled = true,
		.network_id = NETWORK,
		.node_id = node_id,
		.network_key = rig_key(key),
		.user_base_key = rig_key(0x61),
		.organization_key = rig_key(0x62)};

	(void)rig_node(r, FIRST + node_id, NEAR, &preset);
}

static bool is_open(struct rig *r)
{
	struct runner_link link;

	return runner_link(r->runner, NETWORK, &link);
}

static void replace_network(struct rig *r, const struct secret16 *key)
{
	struct network_request req = {
		.id = NETWORK, .network_key = key, .gateway_serial = SERIAL_INDEX_INVALID};
	struct network_view v;

	NEED(batch_enter(r->batch));
	NEED(batch_leave(
		r->batch, nodes_network_remove(r->nodes, &r->w.now, &WORLD_ADMIN, NETWORK, NULL)));
	NEED(batch_enter(r->batch));
	NEED(batch_leave(
		r->batch, nodes_network_add(r->nodes, &r->w.now, &WORLD_ADMIN, &req, &v, NULL)));
	NEED(batch_flush(r->batch));
}

START_TEST(a_network_is_not_served_by_the_session_of_another)
{
	struct secret16 old = rig_key(KEY), other = rig_key(KEY + 1);
	struct runner_link link;
	struct rig r;

	rig_open(&r, 2);
	add_member(&r, 1, KEY);
	rig_network(&r, NETWORK, &old);
	ck_assert(rig_run(&r, 30000, is_open));
	replace_network(&r, &other);
	ck_assert(!is_open(&r));
	ck_assert(!rig_run(&r, 60000, is_open));
	add_member(&r, 2, KEY + 1);
	ck_assert(rig_run(&r, 120000, is_open));
	ck_assert(runner_link(r.runner, NETWORK, &link));
	ck_assert_uint_eq(link.node_id, 2);
	rig_close(&r);
}
END_TEST

static void fill(TCase *tc)
{
	log_set_level(LOG_LEVEL_ERR);
	tcase_add_test(tc, an_asset_goes_where_the_last_order_says);
	tcase_add_test(tc, a_network_is_not_served_by_the_session_of_another);
}

int main(void)
{
	return suite_main("runner_table", fill);
}
