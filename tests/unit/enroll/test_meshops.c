/* What operators ask of the mesh, against real node cores in the virtual air. */
#include "enroll/meshops.h"

#include <stdio.h>

#include "base/log.h"
#include "enr/serial.h"
#include "enroll/batch.h"
#include "enroll/runner_room.h"
#include "support/rig.h"
#include "unit/suite.h"

#define NETWORK 480
#define GATEWAY 2673000u
#define STRANGER 2673100u /* and those that follow */
#define FAR AIR_RSSI_NONE
#define NEAR (-60)

#define TOLD_MAX 256

/* A question and all that it was told. The rig of the test that runs. */
static struct asked {
	struct meshops_task *task;
	size_t count;
	struct meshops_result told[TOLD_MAX]; /* pointers in it are not kept */
	char name[TOLD_MAX][16];
	struct meshmsg_status status[TOLD_MAX];
	uint32_t info_serial[TOLD_MAX];
	bool over;
} asked, second;

static struct meshops *ops;
static unsigned mesh_size;

static void on_result(void *arg, const struct meshops_result *r)
{
	struct asked *a = arg;
	size_t i = a->count++;

	ck_assert_uint_lt(i, TOLD_MAX);
	ck_assert(!a->over);
	a->told[i] = *r;
	if (r->name)
		(void)snprintf(a->name[i], sizeof(a->name[i]), "%s", r->name);
	if (r->status)
		a->status[i] = *r->status;
	a->info_serial[i] = r->info ? r->info->serial_index : SERIAL_INDEX_INVALID;
	a->over = r->kind == MESHOPS_END;
	if (a->over)
		a->task = NULL;
}

static bool is_over(struct rig *r)
{
	(void)r;
	return asked.over;
}

static bool is_attached(struct rig *r)
{
	struct runner_link link;

	return runner_link(r->runner, NETWORK, &link) && link.cluster_size >= mesh_size;
}

static struct sim_enrollment member(uint16_t node_id)
{
	return (struct sim_enrollment){.enrolled = true,
		.network_id = NETWORK,
		.node_id = node_id,
		.network_key = rig_key(0x10),
		.user_base_key = rig_key(0x11),
		.organization_key = rig_key(0x12)};
}

static const struct caller observer = {.uid = 5, .role = ROLE_OBSERVER, .name = "eve"};

static struct meshops_asker asker_of(const struct caller *who)
{
	return (struct meshops_asker){.who = who, .fn = on_result, .arg = &asked};
}

/* A gateway node, `members` more, and strangers that only they hear. */
static void begin(struct rig *r, uint64_t seed, unsigned members, unsigned strangers)
{
	struct secret16 key = rig_key(0x10);
	struct meshops_config config;

	log_set_level(LOG_LEVEL_ERR);
	memset(&asked, 0, sizeof(asked));
	memset(&second, 0, sizeof(second));
	rig_open(r, seed);
	mesh_size = members + 1;
	for (unsigned i = 0; i <= members; i++) {
		struct sim_enrollment preset = member((uint16_t)(1 + i));

		(void)rig_node(r, GATEWAY + i, i == 0 ? NEAR : FAR, &preset);
	}
	for (unsigned i = 0; i < strangers; i++)
		(void)rig_node(r, STRANGER + i, FAR, NULL);
	rig_network(r, NETWORK, &key);
	config = (struct meshops_config){
		.store = r->w.store, .batch = r->batch, .runner = r->runner, .timers = &r->timers};
	ops = meshops_new(&config);
	ck_assert_ptr_nonnull(ops);
	ck_assert(rig_run(r, 60000, is_attached));
}

static void finish(struct rig *r)
{
	meshops_free(ops);
	rig_close(r);
}

static unsigned count_kind(const struct asked *a, enum meshops_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < a->count; i++)
		n += a->told[i].kind == kind;
	return n;
}

static const struct meshops_result *last(const struct asked *a)
{
	ck_assert_uint_gt(a->count, 0);
	return &a->told[a->count - 1];
}

/* --- proposals -------------------------------------------------------------------------------- */

START_TEST(tells_who_hears_a_serial)
{
	struct meshops_asker by = asker_of(&observer);
	uint32_t serials[] = {STRANGER, STRANGER + 50, STRANGER};
	struct rig r;

	begin(&r, 21, 1, 1);
	ck_assert_int_eq(meshops_proposals(ops, &by, serials, 3, 0, &asked.task, NULL), ERR_OK);
	ck_assert_uint_eq(asked.count, 0); /* never from inside the call */
	ck_assert(rig_run(&r, 70000, is_over));
	ck_assert_uint_eq(count_kind(&asked, MESHOPS_ROUND), 1);
	ck_assert_uint_ge(count_kind(&asked, MESHOPS_PROPOSAL), 1);
	for (size_t i = 0; i < asked.count; i++)
		if (asked.told[i].kind == MESHOPS_PROPOSAL) {
			ck_assert_uint_eq(asked.told[i].serial, STRANGER);
			ck_assert(asked.told[i].node_id == 1 || asked.told[i].node_id == 2);
			ck_assert(!asked.told[i].is_ours);
		}
	ck_assert_int_eq(last(&asked)->error, ERR_OK);
	ck_assert_uint_eq(last(&asked)->answered, 1);
	ck_assert_uint_eq(last(&asked)->expected, 2); /* the one that was named twice is one */
	finish(&r);
}
END_TEST

/* The answer to a question of the runner's own may come before ours has left. */
START_TEST(all_heard_before_it_asked_is_no_failure)
{
	const struct meshmsg_route route = {.sender = 2, .receiver = MESH_GATEWAY_ID};
	struct meshops_asker by = asker_of(&observer);
	uint32_t serial = STRANGER;
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct rig r;

	begin(&r, 28, 1, 1);
	ck_assert_int_eq(meshops_proposals(ops, &by, &serial, 1, 0, &asked.task, NULL), ERR_OK);
	ck_assert_int_eq(meshmsg_encode_proposals_response(&w, route, serial), ERR_OK);
	runner_tell(runner_net(r.runner, NETWORK), RUNNER_MESSAGE, &(struct span){b, w.len_bytes});
	ck_assert(rig_run(&r, 70000, is_over));
	ck_assert_int_eq(last(&asked)->error, ERR_OK);
	ck_assert_uint_eq(last(&asked)->answered, 1);
	finish(&r);
}
END_TEST

START_TEST(asks_eleven_at_a_time_in_rounds)
{
	struct meshops_asker by = asker_of(&observer);
	uint32_t serials[25];
	struct rig r;
	unsigned heard = 0;

	begin(&r, 22, 1, 25);
	for (unsigned i = 0; i < 25; i++)
		serials[i] = STRANGER + i;
	ck_assert_int_eq(meshops_proposals(ops, &by, serials, 25, 0, &asked.task, NULL), ERR_OK);
	ck_assert(rig_run(&r, 190000, is_over));
	ck_assert_uint_eq(count_kind(&asked, MESHOPS_ROUND), 3);
	for (size_t i = 0; i < asked.count; i++)
		if (asked.told[i].kind == MESHOPS_ROUND)
			ck_assert_uint_eq(asked.told[i].rounds, 3);
	for (unsigned s = 0; s < 25; s++)
		for (size_t i = 0; i < asked.count; i++)
			if (asked.told[i].kind == MESHOPS_PROPOSAL &&
				asked.told[i].serial == serials[s]) {
				heard++;
				break;
			}
	ck_assert_uint_eq(heard, 25);
	ck_assert_uint_eq(last(&asked)->answered, 25);
	finish(&r);
}
END_TEST

START_TEST(one_survey_of_a_network_at_a_time)
{
	struct meshops_asker by = asker_of(&observer);
	uint32_t serial = STRANGER;
	struct reason why = {0};
	struct meshops_task *other = NULL;
	struct rig r;

	begin(&r, 23, 0, 0);
	ck_assert_int_eq(meshops_proposals(ops, &by, &serial, 1, 0, &asked.task, NULL), ERR_OK);
	ck_assert_int_eq(meshops_proposals(ops, &by, &serial, 1, 0, &other, &why), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(why.text, "try again"));
	meshops_cancel(asked.task);
	ck_assert_int_eq(meshops_proposals(ops, &by, &serial, 1, 5, &asked.task, NULL), ERR_OK);
	ck_assert(rig_run(&r, 6000, is_over));
	ck_assert_uint_eq(last(&asked)->answered, 0);
	finish(&r);
}
END_TEST

/* Nothing is asked: an enrollment request for a node that nobody hears makes members propose. */
START_TEST(listens_to_what_the_mesh_proposes)
{
	struct meshops_asker by = asker_of(&observer);
	struct secret16 key = rig_key((uint8_t)(STRANGER + 40));
	unsigned unsolicited = 0;
	struct rig r;

	begin(&r, 24, 5, 3);
	ck_assert_int_eq(meshops_proposals(ops, &by, NULL, 0, 600, &asked.task, NULL), ERR_OK);
	ck_assert_int_eq(rig_add(&r, NETWORK, STRANGER + 40, &key), ERR_OK);
	ck_assert(rig_run(&r, 700000, is_over));
	for (size_t i = 0; i < asked.count; i++)
		if (asked.told[i].kind == MESHOPS_PROPOSAL)
			unsolicited += asked.told[i].unsolicited;
	ck_assert_uint_gt(unsolicited, 0);
	ck_assert_uint_eq(count_kind(&asked, MESHOPS_ROUND), 0);
	finish(&r);
}
END_TEST

/* Its network does not give way to another one (runner_attach.c), and soon after it does. */
START_TEST(a_question_is_work_while_it_lasts)
{
	struct meshops_asker by = asker_of(&observer);
	const struct net *net;
	uint64_t end_ms;
	struct rig r;

	begin(&r, 34, 0, 0);
	net = runner_net(r.runner, NETWORK);
	ck_assert_int_eq(meshops_proposals(ops, &by, NULL, 0, 600, &asked.task, NULL), ERR_OK);
	end_ms = runner_now(r.runner) + 600000;
	ck_assert(!rig_run(&r, 590000, is_over));
	ck_assert_uint_gt(net->asked_ms, end_ms);
	ck_assert(rig_run(&r, 20000, is_over));
	(void)rig_run(&r, RUNNER_ASKED_MS, NULL);
	ck_assert_uint_le(net->asked_ms, runner_now(r.runner));
	finish(&r);
}
END_TEST

/* --- nodes ------------------------------------------------------------------------------------ */

static const struct meshops_result *find_member(uint16_t node_id, size_t *at)
{
	const struct meshops_result *found = NULL;

	for (size_t i = 0; i < asked.count; i++)
		if (asked.told[i].kind == MESHOPS_NODE && asked.told[i].node_id == node_id) {
			ck_assert_ptr_null(found); /* once */
			found = &asked.told[i];
			*at = i;
		}
	ck_assert_ptr_nonnull(found);
	return found;
}

START_TEST(counts_the_members_and_says_how_they_are)
{
	struct meshops_asker by = asker_of(&observer);
	struct rig r;
	size_t at = 0;

	begin(&r, 25, 4, 2);
	ck_assert_int_eq(meshops_nodes(ops, &by, 0, &asked.task, NULL), ERR_OK);
	ck_assert(rig_run(&r, 20000, is_over));
	ck_assert_uint_eq(count_kind(&asked, MESHOPS_NODE), 5);
	for (uint16_t id = 1; id <= 5; id++) {
		const struct meshops_result *m = find_member(id, &at);

		ck_assert_uint_eq(m->serial, GATEWAY + id - 1);
		ck_assert_uint_eq(asked.info_serial[at], m->serial);
		ck_assert_ptr_nonnull(m->status);
		ck_assert_int_eq(asked.status[at].cluster_size, 5);
		ck_assert(!m->is_ours);
	}
	ck_assert_uint_eq(last(&asked)->answered, 5);
	ck_assert_uint_eq(last(&asked)->expected, 5);
	ck_assert_int_eq(last(&asked)->error, ERR_OK);
	finish(&r);
}
END_TEST

static bool has_joined(struct rig *r)
{
	return rig_show(r, STRANGER).state == JOB_JOINED;
}

/* The member is gone without a word: it is told of as silent when the time is over. */
START_TEST(tells_of_members_that_are_silent)
{
	struct meshops_asker by = asker_of(&observer);
	struct secret16 key = rig_key((uint8_t)STRANGER);
	const struct meshops_result *m;
	struct rig r;
	size_t at = 0;

	begin(&r, 26, 1, 1);
	ck_assert_int_eq(rig_add(&r, NETWORK, STRANGER, &key), ERR_OK);
	ck_assert(rig_run(&r, 300000, has_joined));
	sim_node_power(air_find(r.air, STRANGER), false);
	(void)rig_run(&r, 30000, NULL);
	ck_assert_int_eq(meshops_nodes(ops, &by, 8, &asked.task, NULL), ERR_OK);
	ck_assert(rig_run(&r, 9000, is_over));
	m = find_member(rig_show(&r, STRANGER).node_id, &at);
	ck_assert_ptr_null(m->info);
	ck_assert_ptr_null(m->status);
	ck_assert_uint_eq(m->serial, STRANGER);
	ck_assert(m->is_ours);
	ck_assert_int_eq(m->state, JOB_JOINED);
	ck_assert_uint_eq(last(&asked)->answered, 2);
	ck_assert_uint_eq(last(&asked)->expected, 3);
	finish(&r);
}
END_TEST

/* --- the number of nodes ---------------------------------------------------------------------- */

START_TEST(sets_the_number_of_nodes_after_its_audit_row)
{
	struct meshops_asker by = asker_of(&WORLD_ADMIN);
	struct rig r;

	begin(&r, 27, 2, 0);
	ck_assert_int_eq(
		meshops_set_enrolled_nodes(ops, &by, &r.w.now, 7, &asked.task, NULL), ERR_OK);
	ck_assert_uint_eq(asked.count, 0);
	ck_assert_int_eq(batch_flush(r.batch), ERR_OK);
	ck_assert_int_eq(world_number(&r.w, "SELECT count(*) FROM audit WHERE json LIKE "
					    "'%\"count\":7,\"event\":\"enrolled_nodes_set\"%'"),
		1);
	ck_assert(rig_run(&r, 5000, is_over));
	ck_assert_int_eq(last(&asked)->error, ERR_OK);
	ck_assert_uint_eq(last(&asked)->answered, 3);
	finish(&r);
}
END_TEST

START_TEST(only_an_admin_sets)
{
	struct meshops_asker by = asker_of(&WORLD_ALICE);
	struct reason why = {0};
	struct rig r;

	begin(&r, 28, 0, 0);
	ck_assert_int_eq(
		meshops_set_enrolled_nodes(ops, &by, &r.w.now, 7, &asked.task, &why), ERR_DENIED);
	ck_assert_str_ne(why.text, "");
	ck_assert_ptr_null(asked.task);
	finish(&r);
}
END_TEST

START_TEST(cancelled_before_its_commit_nothing_is_told)
{
	struct meshops_asker by = asker_of(&WORLD_ADMIN);
	struct rig r;

	begin(&r, 29, 0, 0);
	ck_assert_int_eq(
		meshops_set_enrolled_nodes(ops, &by, &r.w.now, 7, &asked.task, NULL), ERR_OK);
	meshops_cancel(asked.task);
	(void)rig_run(&r, 5000, NULL);
	ck_assert_uint_eq(asked.count, 0);
	finish(&r);
}
END_TEST

/* --- refusals --------------------------------------------------------------------------------- */

START_TEST(without_a_gateway_node_it_is_busy_and_says_what_to_do)
{
	struct meshops_asker by = asker_of(&observer);
	struct reason why = {0};
	struct secret16 key = rig_key(0x20);
	struct rig r;

	begin(&r, 30, 0, 0);
	rig_network(&r, NETWORK + 1, &key);
	ck_assert_int_eq(meshops_nodes(ops, &by, 0, &asked.task, &why), ERR_INVALID);
	ck_assert_str_eq(why.field, "network_id");
	by.network_id = NETWORK + 1;
	ck_assert_int_eq(meshops_nodes(ops, &by, 0, &asked.task, &why), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(why.text, "gateway node of network 481"));
	ck_assert_ptr_nonnull(strstr(why.text, "radio range"));
	ck_assert_uint_gt(runner_net(r.runner, NETWORK + 1)->asked_ms, runner_now(r.runner));
	by.network_id = NETWORK + 2;
	ck_assert_int_eq(meshops_nodes(ops, &by, 0, &asked.task, &why), ERR_NOT_FOUND);
	by.network_id = NETWORK;
	ck_assert_int_eq(meshops_nodes(ops, &by, 3601, &asked.task, &why), ERR_RANGE);
	ck_assert_int_eq(meshops_nodes(ops, &by, 1, &asked.task, &why), ERR_OK);
	ck_assert(rig_run(&r, 3000, is_over));
	finish(&r);
}
END_TEST

START_TEST(more_questions_than_it_keeps_are_refused)
{
	struct meshops_asker by = asker_of(&observer), above = asker_of(&WORLD_ADMIN);
	struct meshops_task *t = NULL;
	struct rig r;

	begin(&r, 31, 0, 0);
	for (unsigned i = 0; i < MESHOPS_TASKS_MAX - MESHOPS_TASKS_ADMIN; i++)
		ck_assert_int_eq(meshops_proposals(ops, &by, NULL, 0, 5, &t, NULL), ERR_OK);
	ck_assert_int_eq(meshops_proposals(ops, &by, NULL, 0, 5, &t, NULL), ERR_BUSY);
	meshops_cancel(t);
	ck_assert_int_eq(meshops_proposals(ops, &by, NULL, 0, 5, &t, NULL), ERR_OK);
	for (unsigned i = 0; i < MESHOPS_TASKS_ADMIN; i++) /* there is always place for an admin */
		ck_assert_int_eq(meshops_proposals(ops, &above, NULL, 0, 5, &t, NULL), ERR_OK);
	ck_assert_int_eq(meshops_proposals(ops, &above, NULL, 0, 5, &t, NULL), ERR_BUSY);
	finish(&r); /* ends them without a word */
	ck_assert_uint_eq(asked.count, 0);
}
END_TEST

/* The gateway node goes away in the middle: the question is asked again through the next one. */
START_TEST(goes_on_when_the_gateway_node_is_replaced)
{
	struct meshops_asker by = asker_of(&observer);
	uint32_t serial = STRANGER;
	struct sim_enrollment preset = member(40);
	struct rig r;

	begin(&r, 32, 0, 0);
	(void)rig_node(&r, GATEWAY + 40, NEAR, &preset);
	ck_assert_int_eq(meshops_proposals(ops, &by, &serial, 1, 58, &asked.task, NULL), ERR_OK);
	(void)rig_run(&r, 1000, NULL);
	sim_node_power(air_find(r.air, GATEWAY), false);
	(void)rig_run(&r, 15000, is_attached);
	(void)rig_node(&r, STRANGER, FAR, NULL);
	ck_assert(rig_run(&r, 60000, is_over));
	ck_assert_uint_eq(last(&asked)->answered, 1);
	finish(&r);
}
END_TEST

/* --- kept right by itself ----------------------------------------------------------------------
 */

/* The last number that a member confirmed, and how often one did. */
static struct {
	uint16_t count;
	unsigned times;
} confirmed;

static void hear_counts(void *arg, const struct runner_heard *heard)
{
	struct meshmsg msg;

	(void)arg;
	if (heard->what == RUNNER_MESSAGE &&
		meshmsg_decode(heard->message->p, heard->message->n, &msg) == ERR_OK &&
		meshmsg_decode_enrolled_nodes(&msg, &confirmed.count) == ERR_OK)
		confirmed.times++;
}

static bool is_removed(struct rig *r)
{
	return rig_show(r, STRANGER).state == JOB_REMOVED;
}

static bool is_saved(struct rig *r)
{
	return rig_show(r, STRANGER).state == JOB_SAVED;
}

START_TEST(the_mesh_knows_of_newcomers_before_they_come)
{
	struct secret16 key = rig_key((uint8_t)STRANGER);
	struct rig r;

	begin(&r, 33, 2, 1);
	confirmed.count = 0;
	confirmed.times = 0;
	runner_on_heard(r.runner, hear_counts, NULL);
	(void)rig_run(&r, 60000, NULL);
	ck_assert_uint_eq(confirmed.times, 0); /* nothing grows, nothing is said */
	ck_assert_int_eq(rig_add(&r, NETWORK, STRANGER, &key), ERR_OK);
	ck_assert(rig_run(&r, 300000, is_saved));
	(void)rig_run(&r, 2000, NULL); /* it reboots 4 s after its answer */
	ck_assert_uint_eq(confirmed.count, 4);
	ck_assert(rig_run(&r, 300000, has_joined));
	(void)rig_run(&r, 10000, NULL);
	ck_assert_uint_eq(confirmed.count, 4);
	ck_assert_int_eq(rig_order(&r, STRANGER, nodes_remove), ERR_OK);
	ck_assert(rig_run(&r, 300000, is_removed));
	(void)rig_run(&r, 60000, NULL);
	ck_assert_uint_eq(confirmed.count, 3);
	finish(&r);
}
END_TEST

static bool is_reattached(struct rig *r)
{
	struct runner_link link;

	return runner_link(r->runner, NETWORK, &link) && confirmed.times > 0;
}

/* Killed between the node's OK and the word to the mesh: the next start says it. */
START_TEST(the_mesh_is_told_after_a_restart)
{
	struct secret16 key = rig_key((uint8_t)STRANGER);
	struct rig r;

	begin(&r, 34, 2, 1);
	ck_assert_int_eq(rig_add(&r, NETWORK, STRANGER, &key), ERR_OK);
	sim_node_set_faults(air_find(r.air, STRANGER), SIM_FAULT_NO_JOIN);
	ck_assert(rig_run(&r, 300000, is_saved));
	meshops_free(ops);
	ops = NULL;
	rig_stop(&r);
	rig_start(&r);
	confirmed.times = 0;
	runner_on_heard(r.runner, hear_counts, NULL);
	ck_assert(rig_run(&r, 60000, is_reattached));
	ck_assert_uint_eq(confirmed.count, 4);
	rig_close(&r);
}
END_TEST

/* What the operator has said stands while nothing changes. */
START_TEST(leaves_the_operators_number_alone)
{
	struct meshops_asker by = asker_of(&WORLD_ADMIN);
	struct rig r;

	begin(&r, 35, 2, 0);
	ck_assert_int_eq(
		meshops_set_enrolled_nodes(ops, &by, &r.w.now, 0, &asked.task, NULL), ERR_OK);
	ck_assert(rig_run(&r, 5000, is_over));
	confirmed.times = 0;
	runner_on_heard(r.runner, hear_counts, NULL);
	sim_node_power(air_find(r.air, GATEWAY + 2), false);
	(void)rig_run(&r, 60000, NULL);
	ck_assert_uint_eq(confirmed.times, 0);
	finish(&r);
}
END_TEST

static bool mesh_is_idle(const struct rig *r)
{
	for (uint32_t serial = GATEWAY; serial <= GATEWAY + 2; serial++)
		if (!sim_node_is_idle(air_find(r->air, serial)))
			return false;
	return true;
}

/* An idle mesh takes nobody in (§8.2): that a newcomer joins at all is due to the number that the
 * runner tells when its enrollment was saved. */
START_TEST(wakes_an_idle_mesh_for_a_newcomer)
{
	struct meshops_asker by = asker_of(&WORLD_ADMIN);
	struct secret16 key = rig_key((uint8_t)STRANGER);
	struct rig r;

	begin(&r, 36, 2, 1);
	ck_assert_int_eq(
		meshops_set_enrolled_nodes(ops, &by, &r.w.now, 3, &asked.task, NULL), ERR_OK);
	ck_assert(rig_run(&r, 5000, is_over));
	ck_assert(mesh_is_idle(&r));
	(void)rig_run(&r, 60000, NULL);
	ck_assert(mesh_is_idle(&r));
	ck_assert_int_eq(rig_add(&r, NETWORK, STRANGER, &key), ERR_OK);
	ck_assert(rig_run(&r, 300000, is_saved));
	ck_assert(rig_run(&r, 120000, has_joined));
	(void)rig_run(&r, 15000, NULL);
	ck_assert(mesh_is_idle(&r)); /* four of four */
	finish(&r);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, tells_who_hears_a_serial);
	tcase_add_test(tc, all_heard_before_it_asked_is_no_failure);
	tcase_add_test(tc, asks_eleven_at_a_time_in_rounds);
	tcase_add_test(tc, one_survey_of_a_network_at_a_time);
	tcase_add_test(tc, listens_to_what_the_mesh_proposes);
	tcase_add_test(tc, a_question_is_work_while_it_lasts);
	tcase_add_test(tc, counts_the_members_and_says_how_they_are);
	tcase_add_test(tc, tells_of_members_that_are_silent);
	tcase_add_test(tc, sets_the_number_of_nodes_after_its_audit_row);
	tcase_add_test(tc, only_an_admin_sets);
	tcase_add_test(tc, cancelled_before_its_commit_nothing_is_told);
	tcase_add_test(tc, without_a_gateway_node_it_is_busy_and_says_what_to_do);
	tcase_add_test(tc, more_questions_than_it_keeps_are_refused);
	tcase_add_test(tc, goes_on_when_the_gateway_node_is_replaced);
	tcase_add_test(tc, the_mesh_knows_of_newcomers_before_they_come);
	tcase_add_test(tc, the_mesh_is_told_after_a_restart);
	tcase_add_test(tc, leaves_the_operators_number_alone);
	tcase_add_test(tc, wakes_an_idle_mesh_for_a_newcomer);
}

int main(void)
{
	return suite_main("meshops", fill);
}
