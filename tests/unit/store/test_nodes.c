#include "store/nodes.h"

#include <stdio.h>

#include "enr/serial.h"
#include "store/networks.h"
#include "support/faultvfs.h"
#include "support/world.h"
#include "unit/suite.h"

#define NETWORK 480
#define SERIAL 2673001u
#define NOW_MS 1000000u
#define EXPIRES_MS 2000000u

static struct world w;

static void set_up(void)
{
	struct network_row row = {
		.id = NETWORK, .first_node_id = 1, .gateway_serial = SERIAL_INDEX_INVALID};
	struct network_keys keys;

	memset(&keys, 0x10, sizeof(keys));
	world_open(&w);
	world_begin(&w);
	ck_assert_int_eq(store_networks_insert(w.store, &row, &keys), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
}

static void tear_down(void)
{
	world_close(&w);
}

static struct node_row some_row(uint32_t serial, uint16_t node_id)
{
	return (struct node_row){.job = {.serial = serial,
					 .node_id = node_id,
					 .handle = 9,
					 .timeout_s = 10,
					 .next_try_ms = NOW_MS,
					 .expires_ms = EXPIRES_MS},
		.network_id = NETWORK,
		.device_type = 1,
		.only_if_unenrolled = true,
		.name = "lamp",
		.created_at = 1700000000,
		.changed_at = 1700000000,
		.created_uid = 1001,
		.created_by = "alice"};
}

static struct secret16 some_key(void)
{
	struct secret16 k;

	memset(k.b, 0x5A, sizeof(k.b));
	return k;
}

static enum err insert(struct node_row *row)
{
	struct secret16 key = some_key();

	return store_nodes_insert(w.store, row, &key);
}

static struct node_row insert_kept(uint32_t serial, uint16_t node_id)
{
	struct node_row row = some_row(serial, node_id);

	world_begin(&w);
	ck_assert_int_eq(insert(&row), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	return row;
}

static enum err update(const struct job *job, enum job_state was, uint64_t now_ms)
{
	enum err e;

	world_begin(&w);
	e = store_nodes_update(w.store, job, was, now_ms, 1700000001);
	if (e != ERR_OK)
		store_rollback(w.store);
	return e == ERR_OK ? world_end(&w) : e;
}

START_TEST(gives_back_what_was_put)
{
	struct node_row put = insert_kept(SERIAL, 7), got;
	struct secret16 key, want = some_key();

	ck_assert_int_eq(store_nodes_get(w.store, SERIAL, &got), ERR_OK);
	ck_assert_mem_eq(&got.job, &put.job, sizeof(got.job));
	ck_assert_uint_eq(got.network_id, NETWORK);
	ck_assert_uint_eq(got.device_type, 1);
	ck_assert(got.only_if_unenrolled);
	ck_assert_str_eq(got.name, "lamp");
	ck_assert_str_eq(got.created_by, "alice");
	ck_assert_uint_eq(got.created_uid, 1001);
	ck_assert_int_eq(store_nodes_key(w.store, got.job.row, &key), ERR_OK);
	ck_assert_mem_eq(key.b, want.b, 16);
	ck_assert_int_eq(store_nodes_get(w.store, SERIAL + 1, &got), ERR_NOT_FOUND);
	ck_assert_int_eq(store_nodes_key(w.store, 99, &key), ERR_NOT_FOUND);
}
END_TEST

START_TEST(keeps_the_key_sealed)
{
	(void)insert_kept(SERIAL, 7);
	ck_assert_int_eq(world_number(&w, "SELECT length(node_key) FROM nodes"), 16 + 33);
	ck_assert_int_eq(world_number(&w, "SELECT instr(node_key, x'5A5A5A5A') FROM nodes"), 0);
}
END_TEST

START_TEST(stores_every_field_of_a_transition)
{
	struct node_row row = insert_kept(SERIAL, 7), got;

	row.job.state = JOB_WAITING;
	row.job.reason = JOB_REASON_BUSY;
	row.job.method = JOB_METHOD_DIRECTED;
	row.job.helper = 12;
	row.job.attempts = 3;
	row.job.silent = 2;
	row.job.refused = 1;
	row.job.code = 1;
	row.job.codes = 4;
	row.job.tries = 5;
	row.job.next_try_ms = NOW_MS + 5;
	row.job.expires_ms = EXPIRES_MS + 6;
	ck_assert_int_eq(update(&row.job, JOB_PENDING, NOW_MS), ERR_OK);
	ck_assert_int_eq(store_nodes_get(w.store, SERIAL, &got), ERR_OK);
	ck_assert_mem_eq(&got.job, &row.job, sizeof(got.job));
	ck_assert_uint_eq(got.changed_at, 1700000001);
}
END_TEST

START_TEST(changes_nothing_out_of_another_state)
{
	struct node_row row = insert_kept(SERIAL, 7);

	row.job.state = JOB_JOINED;
	ck_assert_int_eq(update(&row.job, JOB_SAVED, NOW_MS), ERR_STATE);
	ck_assert_int_eq(world_number(&w, "SELECT state = 'pending' FROM nodes"), 1);
	row.job.serial++;
	row.job.row++;
	ck_assert_int_eq(update(&row.job, JOB_PENDING, NOW_MS), ERR_NOT_FOUND);
}
END_TEST

START_TEST(sends_nothing_at_the_end_of_a_lifetime)
{
	struct node_row row = insert_kept(SERIAL, 7);

	row.job.state = JOB_SENT;
	ck_assert_int_eq(update(&row.job, JOB_PENDING, EXPIRES_MS), ERR_EXPIRED);
	ck_assert_int_eq(update(&row.job, JOB_PENDING, EXPIRES_MS - 1), ERR_OK);
	row.job.state = JOB_EXPIRED;
	ck_assert_int_eq(update(&row.job, JOB_SENT, EXPIRES_MS - 1), ERR_STATE);
	ck_assert_int_eq(update(&row.job, JOB_SENT, EXPIRES_MS), ERR_OK);
}
END_TEST

START_TEST(refuses_a_serial_that_has_a_job)
{
	struct node_row row = insert_kept(SERIAL, 7), again = some_row(SERIAL, 8);

	for (int s = 0; s < JOB_STATE_COUNT; s++) {
		enum job_state state = (enum job_state)s;
		enum job_state was = row.job.state;
		bool vacant = job_is_over(state) && state != JOB_JOINED;

		row.job.state = state;
		if (state != was)
			ck_assert_int_eq(
				update(&row.job, was, state == JOB_EXPIRED ? EXPIRES_MS : NOW_MS),
				ERR_OK);
		world_begin(&w);
		ck_assert_int_eq(insert(&again), vacant ? ERR_OK : ERR_CONFLICT);
		store_rollback(w.store);
	}
}
END_TEST

START_TEST(remembers_that_something_was_sent)
{
	struct node_row row = insert_kept(SERIAL, 7), again = some_row(SERIAL, 8), got;

	row.job.state = JOB_FAILED;
	row.job.attempts = 3;
	ck_assert_int_eq(update(&row.job, JOB_PENDING, NOW_MS), ERR_OK);
	world_begin(&w);
	ck_assert_int_eq(insert(&again), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(store_nodes_get(w.store, SERIAL, &got), ERR_OK);
	ck_assert(got.job.row == row.job.row);
	ck_assert_uint_eq(got.job.node_id, 8);
	ck_assert_uint_eq(got.job.attempts, 3);
	got.job.state = JOB_REMOVED;
	ck_assert_int_eq(update(&got.job, JOB_PENDING, NOW_MS), ERR_OK);
	again = some_row(SERIAL, 9);
	world_begin(&w);
	ck_assert_int_eq(insert(&again), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT attempts FROM nodes"), 0);
}
END_TEST

START_TEST(refuses_an_id_that_a_living_node_has)
{
	struct node_row other = some_row(SERIAL + 1, 7);

	(void)insert_kept(SERIAL, 7);
	world_begin(&w);
	ck_assert_int_eq(insert(&other), ERR_CONFLICT);
	store_rollback(w.store);
}
END_TEST

static bool count(void *ctx, const struct node_row *row)
{
	unsigned *n = ctx;

	(void)row;
	return ++*n < 3;
}

static unsigned list(struct nodes_filter filter, int64_t after)
{
	unsigned n = 0;

	ck_assert_int_eq(store_nodes_list(w.store, &filter, after, count, &n), ERR_OK);
	return n;
}

START_TEST(lists_by_network_state_and_place)
{
	struct node_row last;

	(void)insert_kept(SERIAL, 1);
	(void)insert_kept(SERIAL + 1, 2);
	(void)insert_kept(SERIAL + 2, 3);
	last = insert_kept(SERIAL + 3, 4);
	last.job.state = JOB_FAILED;
	ck_assert_int_eq(update(&last.job, JOB_PENDING, NOW_MS), ERR_OK);
	ck_assert_uint_eq(list((struct nodes_filter){.state = -1}, 0), 3); /* told to stop */
	ck_assert_uint_eq(list((struct nodes_filter){.state = -1}, 2), 2);
	ck_assert_uint_eq(list((struct nodes_filter){.state = -1, .active = true}, 2), 1);
	ck_assert_uint_eq(list((struct nodes_filter){.state = JOB_FAILED}, 0), 1);
	ck_assert_uint_eq(list((struct nodes_filter){.state = JOB_JOINED}, 0), 0);
	ck_assert_uint_eq(list((struct nodes_filter){.state = -1, .network_id = 9}, 0), 0);
}
END_TEST

START_TEST(keeps_the_network_while_nodes_are_in_it)
{
	struct node_row row = insert_kept(SERIAL, 7);

	for (int s = 0; s < JOB_STATE_COUNT; s++) {
		enum job_state state = (enum job_state)s;
		bool lets_go = job_is_over(state) && state != JOB_JOINED;
		enum job_state was = row.job.state;

		row.job.state = state;
		if (state != was)
			ck_assert_int_eq(
				update(&row.job, was, state == JOB_EXPIRED ? EXPIRES_MS : NOW_MS),
				ERR_OK);
		world_begin(&w);
		ck_assert_int_eq(
			store_networks_delete(w.store, NETWORK), lets_go ? ERR_OK : ERR_STATE);
		store_rollback(w.store);
	}
}
END_TEST

START_TEST(calls_a_foreign_word_damage)
{
	struct node_row row;

	(void)insert_kept(SERIAL, 7);
	world_sql(&w, "UPDATE nodes SET reason = 'because'");
	ck_assert_int_eq(store_nodes_get(w.store, SERIAL, &row), ERR_IO);
}
END_TEST

START_TEST(keeps_all_or_nothing_when_the_disk_fails)
{
	unsigned n = 0;
	bool failed;

	faultvfs_install();
	tear_down();
	set_up();
	do {
		struct node_row row = some_row(SERIAL, 7);
		enum err e = store_begin(w.store);

		faultvfs_fail(++n, FAULTVFS_FULL, true);
		if (e == ERR_OK)
			e = insert(&row);
		if (e == ERR_OK) {
			row.job.state = JOB_SENT;
			e = store_nodes_update(w.store, &row.job, JOB_PENDING, NOW_MS, 1);
		}
		if (e == ERR_OK)
			e = store_commit(w.store);
		failed = faultvfs_has_failed();
		faultvfs_fail(0, FAULTVFS_FULL, false);
		store_rollback(w.store);
		ck_assert_int_eq(e == ERR_OK, !failed);
		ck_assert_int_eq(
			world_number(&w, "SELECT count(*) FROM nodes WHERE state = 'sent'"),
			!failed);
		ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM nodes"), !failed);
	} while (failed && n < 100);
	printf("failed at %u writes\n", n - 1);
	ck_assert_uint_ge(n, 3);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, gives_back_what_was_put);
	tcase_add_test(tc, keeps_the_key_sealed);
	tcase_add_test(tc, stores_every_field_of_a_transition);
	tcase_add_test(tc, changes_nothing_out_of_another_state);
	tcase_add_test(tc, sends_nothing_at_the_end_of_a_lifetime);
	tcase_add_test(tc, refuses_a_serial_that_has_a_job);
	tcase_add_test(tc, remembers_that_something_was_sent);
	tcase_add_test(tc, refuses_an_id_that_a_living_node_has);
	tcase_add_test(tc, lists_by_network_state_and_place);
	tcase_add_test(tc, keeps_the_network_while_nodes_are_in_it);
	tcase_add_test(tc, calls_a_foreign_word_damage);
	tcase_add_test(tc, keeps_all_or_nothing_when_the_disk_fails);
}

int main(void)
{
	return suite_main("nodes_store", fill);
}
