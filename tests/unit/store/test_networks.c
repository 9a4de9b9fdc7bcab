#include "store/networks.h"

#include <stdio.h>

#include "enr/serial.h"
#include "support/faultvfs.h"
#include "support/world.h"
#include "unit/suite.h"

#define NETWORK 480

static struct world w;

static void set_up(void)
{
	world_open(&w);
}

static void tear_down(void)
{
	world_close(&w);
}

static struct network_keys some_keys(uint8_t byte)
{
	struct network_keys k;

	memset(k.network.b, byte, 16);
	memset(k.user_base.b, byte + 1, 16);
	memset(k.organization.b, byte + 2, 16);
	return k;
}

static struct network_row some_row(uint16_t id, uint16_t first)
{
	return (struct network_row){.id = id,
		.name = "Hall 3",
		.first_node_id = first,
		.gateway_serial = SERIAL_INDEX_INVALID,
		.created_at = 1700000000};
}

static enum err insert(uint16_t id, uint16_t first)
{
	struct network_row row = some_row(id, first);
	struct network_keys keys = some_keys(0x10);

	return store_networks_insert(w.store, &row, &keys);
}

static void insert_kept(uint16_t id, uint16_t first)
{
	world_begin(&w);
	ck_assert_int_eq(insert(id, first), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
}

START_TEST(gives_back_what_was_put)
{
	struct network_keys keys, want = some_keys(0x10);
	struct network_row row;

	insert_kept(NETWORK, 7);
	ck_assert_int_eq(store_networks_get(w.store, NETWORK, &row), ERR_OK);
	ck_assert_uint_eq(row.id, NETWORK);
	ck_assert_str_eq(row.name, "Hall 3");
	ck_assert_uint_eq(row.first_node_id, 7);
	ck_assert_uint_eq(row.next_node_id, 7);
	ck_assert_uint_eq(row.next_asset_id, ASSET_ID_MIN);
	ck_assert(row.gateway_serial == SERIAL_INDEX_INVALID);
	ck_assert_int_eq(store_networks_keys(w.store, NETWORK, &keys), ERR_OK);
	ck_assert_mem_eq(&keys, &want, sizeof(keys));
	ck_assert_int_eq(store_networks_get(w.store, 9, &row), ERR_NOT_FOUND);
	ck_assert_int_eq(store_networks_keys(w.store, 9, &keys), ERR_NOT_FOUND);
}
END_TEST

static enum err take_in(uint16_t network, uint16_t id, uint32_t serial)
{
	enum err e;

	world_begin(&w);
	e = store_ids_take(w.store, network, id, serial, 1700000000);
	if (e != ERR_OK) {
		store_rollback(w.store);
		return e;
	}
	return world_end(&w);
}

static enum err take(uint16_t id, uint32_t serial)
{
	return take_in(NETWORK, id, serial);
}

static uint16_t reserve_next(uint32_t serial)
{
	uint16_t id = 0;

	world_begin(&w);
	ck_assert_int_eq(
		store_ids_reserve(w.store, NETWORK, serial, false, 1700000000, &id), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	return id;
}

START_TEST(gives_the_id_that_the_operator_names)
{
	insert_kept(NETWORK, 7);
	ck_assert_int_eq(take(8, 1), ERR_OK);
	ck_assert_int_eq(take(8, 1), ERR_OK);
	ck_assert_int_eq(take(8, 2), ERR_CONFLICT);
	ck_assert_uint_eq(reserve_next(1), 8);
	ck_assert_uint_eq(reserve_next(2), 7);
	ck_assert_uint_eq(reserve_next(3), 9); /* 8 is stepped over */
}
END_TEST

START_TEST(an_assets_id_is_nobody_elses_in_any_network)
{
	insert_kept(NETWORK, 7);
	insert_kept(NETWORK + 1, 7);
	ck_assert_int_eq(take(33005, 1), ERR_OK);
	ck_assert_int_eq(take_in(NETWORK + 1, 33005, 2), ERR_CONFLICT);
	ck_assert_int_eq(take_in(NETWORK + 1, 33005, 1), ERR_OK);
	ck_assert_int_eq(take(8, 3), ERR_OK);
	ck_assert_int_eq(take_in(NETWORK + 1, 8, 4), ERR_OK); /* no asset */
}
END_TEST

START_TEST(an_id_that_was_changed_stays_out_of_use)
{
	insert_kept(NETWORK, 7);
	ck_assert_int_eq(take(8, 1), ERR_OK);
	ck_assert_int_eq(take(3, 1), ERR_OK);
	ck_assert_int_eq(take(8, 1), ERR_CONFLICT);
	ck_assert_int_eq(take(8, 2), ERR_CONFLICT);
	ck_assert_uint_eq(reserve_next(1), 3);
}
END_TEST

START_TEST(keeps_keys_sealed)
{
	struct network_keys keys;

	insert_kept(NETWORK, 1);
	ck_assert_int_eq(world_number(&w, "SELECT length(keys) FROM networks"), 48 + 33);
	ck_assert_int_eq(world_number(&w, "SELECT instr(keys, x'10101010') FROM networks"), 0);
	world_sql(&w, "UPDATE networks SET row = 77"); /* the seal is bound to its row */
	ck_assert_int_eq(store_networks_keys(w.store, NETWORK, &keys), ERR_AUTH);
	ck_assert(bytes_are_ct(&keys, sizeof(keys), 0));
}
END_TEST

START_TEST(refuses_the_same_id_twice)
{
	insert_kept(NETWORK, 1);
	world_begin(&w);
	ck_assert_int_eq(insert(NETWORK, 1), ERR_CONFLICT);
	store_rollback(w.store);
}
END_TEST

static bool count_up(void *ctx, const struct network_row *row)
{
	uint16_t *last = ctx;

	ck_assert_uint_gt(row->id, *last);
	*last = row->id;
	return row->id < 20;
}

START_TEST(lists_in_order_until_told_to_stop)
{
	uint16_t last = 0;

	insert_kept(30, 1);
	insert_kept(10, 1);
	insert_kept(20, 1);
	ck_assert_int_eq(store_networks_list(w.store, 0, count_up, &last), ERR_OK);
	ck_assert_uint_eq(last, 20);
	ck_assert_int_eq(store_networks_list(w.store, 20, count_up, &last), ERR_OK);
	ck_assert_uint_eq(last, 30);
}
END_TEST

START_TEST(forgets_a_network_with_its_ids)
{
	struct network_row row;
	uint16_t id;

	insert_kept(NETWORK, 1);
	world_begin(&w);
	ck_assert_int_eq(store_ids_reserve(w.store, NETWORK, 5, false, 0, &id), ERR_OK);
	ck_assert_int_eq(store_networks_delete(w.store, NETWORK), ERR_OK);
	ck_assert_int_eq(store_networks_delete(w.store, NETWORK), ERR_NOT_FOUND);
	ck_assert_int_eq(insert(NETWORK, 1), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM node_ids"), 0);
	ck_assert_int_eq(store_networks_get(w.store, NETWORK, &row), ERR_OK);
	ck_assert_int_eq(row.row, 2); /* never 1 again */
}
END_TEST

/* --- the ledger ------------------------------------------------------------------------------ */

static uint16_t reserve(uint32_t serial, bool asset)
{
	uint16_t id = 0;

	ck_assert_int_eq(store_ids_reserve(w.store, NETWORK, serial, asset, 0, &id), ERR_OK);
	return id;
}

START_TEST(gives_a_serial_the_same_id_again)
{
	insert_kept(NETWORK, 1);
	world_begin(&w);
	ck_assert_uint_eq(reserve(100, false), 1);
	ck_assert_uint_eq(reserve(101, false), 2);
	ck_assert_uint_eq(reserve(100, false), 1);
	ck_assert_uint_eq(reserve(102, true), 33000);
	ck_assert_uint_eq(reserve(102, true), 33000);
	ck_assert_uint_eq(reserve(100, true), 33001); /* it has turned out to be an asset */
	ck_assert_uint_eq(reserve(103, false), 3);    /* 1 stays out of use */
	ck_assert_int_eq(world_end(&w), ERR_OK);
}
END_TEST

START_TEST(steps_over_adopted_ids)
{
	insert_kept(NETWORK, 1);
	world_begin(&w);
	ck_assert_int_eq(store_ids_adopt(w.store, NETWORK, 2, 900, 0), ERR_OK);
	ck_assert_int_eq(store_ids_adopt(w.store, NETWORK, 2, 900, 0), ERR_OK);
	ck_assert_int_eq(store_ids_adopt(w.store, NETWORK, 2, 901, 0), ERR_CONFLICT);
	ck_assert_int_eq(store_ids_adopt(w.store, NETWORK, 3, SERIAL_INDEX_INVALID, 0), ERR_OK);
	ck_assert_uint_eq(reserve(100, false), 1);
	ck_assert_uint_eq(reserve(101, false), 4);
	ck_assert_uint_eq(reserve(900, false), 2);
	ck_assert_int_eq(store_ids_adopt(w.store, NETWORK, 77, 101, 0), ERR_OK);
	ck_assert_uint_eq(reserve(101, false), 4); /* what we promised stays */
	ck_assert_int_eq(world_end(&w), ERR_OK);
}
END_TEST

START_TEST(an_id_that_was_met_is_free_after_its_removal_alone)
{
	insert_kept(NETWORK, 1);
	world_begin(&w);
	ck_assert_uint_eq(reserve(100, false), 1);
	ck_assert_uint_eq(reserve(101, false), 2);
	ck_assert_int_eq(store_ids_adopt(w.store, NETWORK, 1, 100, 0), ERR_OK);
	ck_assert_int_eq(store_ids_return(w.store, NETWORK, 1, 100), ERR_OK);
	ck_assert_int_eq(store_ids_return(w.store, NETWORK, 2, 101), ERR_OK);
	ck_assert_uint_eq(reserve(100, false), 1);
	ck_assert_uint_eq(reserve(101, false), 3);
	ck_assert_int_eq(store_ids_take(w.store, NETWORK, 1, 102, 0), ERR_CONFLICT);
	ck_assert_int_eq(store_ids_free(w.store, NETWORK, 1, 100), ERR_OK);
	ck_assert_int_eq(store_ids_take(w.store, NETWORK, 1, 102, 0), ERR_OK);
	ck_assert_int_eq(store_ids_return(w.store, NETWORK, 1, 102), ERR_OK); /* never met */
	ck_assert_int_eq(store_ids_take(w.store, NETWORK, 1, 103, 0), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
}
END_TEST

START_TEST(never_gives_2000_or_58000)
{
	uint16_t id;

	insert_kept(NETWORK, 1998);
	world_begin(&w);
	ck_assert_uint_eq(reserve(1, false), 1998);
	ck_assert_uint_eq(reserve(2, false), 1999);
	ck_assert_int_eq(store_ids_reserve(w.store, NETWORK, 3, false, 0, &id), ERR_STATE);
	ck_assert_int_eq(store_ids_free(w.store, NETWORK, 1998, 2), ERR_OK);
	ck_assert_int_eq(store_ids_reserve(w.store, NETWORK, 3, false, 0, &id), ERR_STATE);
	ck_assert_int_eq(store_ids_free(w.store, NETWORK, 1998, 1), ERR_OK);
	ck_assert_uint_eq(reserve(3, false), 1998);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	world_sql(&w, "UPDATE networks SET next_asset_id = 57999");
	world_begin(&w);
	ck_assert_uint_eq(reserve(4, true), 57999);
	ck_assert_uint_eq(reserve(5, true), 33000); /* all were given once: the lowest free one */
	ck_assert_int_eq(world_end(&w), ERR_OK);
}
END_TEST

/* Two thousand random calls against the simplest possible model. */
START_TEST(never_gives_an_id_to_two_serials)
{
	uint32_t owner[NODE_ID_MAX + 1];
	uint64_t random = 20260101;

	printf("seed %llu\n", (unsigned long long)random);
	memset(owner, 0xFF, sizeof(owner));
	insert_kept(NETWORK, 1900);
	world_begin(&w);
	for (int i = 0; i < 2000; i++) {
		uint32_t serial;
		uint16_t id = 0;
		enum err e;

		random = random * 6364136223846793005u + 1442695040888963407u;
		serial = (uint32_t)(random >> 33) % 150;
		if ((random >> 60) < 4) {
			for (id = 1900; id < 1999 && owner[id] != serial; id++)
				;
			ck_assert_int_eq(store_ids_free(w.store, NETWORK, id, serial), ERR_OK);
			if (owner[id] == serial)
				owner[id] = UINT32_MAX;
			continue;
		}
		e = store_ids_reserve(w.store, NETWORK, serial, false, 0, &id);
		if (e == ERR_STATE) {
			for (id = 1900; id <= 1999; id++)
				ck_assert(owner[id] != UINT32_MAX && owner[id] != serial);
			continue;
		}
		ck_assert_int_eq(e, ERR_OK);
		ck_assert(id >= 1900 && id <= 1999);
		ck_assert(owner[id] == UINT32_MAX || owner[id] == serial);
		for (uint16_t k = 1900; k <= 1999; k++)
			ck_assert(k == id || owner[k] != serial);
		owner[id] = serial;
	}
	ck_assert_int_eq(world_end(&w), ERR_OK);
}
END_TEST

START_TEST(keeps_all_or_nothing_when_the_disk_fails)
{
	unsigned n = 0;
	bool failed;

	faultvfs_install();
	world_close(&w);
	world_open(&w);
	do {
		uint16_t id;
		enum err e = store_begin(w.store);

		faultvfs_fail(++n, FAULTVFS_IO, true);
		if (e == ERR_OK)
			e = insert((uint16_t)(NETWORK + n), 1);
		if (e == ERR_OK)
			e = store_ids_reserve(w.store, (uint16_t)(NETWORK + n), 5, false, 0, &id);
		if (e == ERR_OK)
			e = store_commit(w.store);
		failed = faultvfs_has_failed();
		faultvfs_fail(0, FAULTVFS_IO, false);
		store_rollback(w.store);
		ck_assert_int_eq(e == ERR_OK, !failed);
		ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM networks"), !failed);
		ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM node_ids"), !failed);
	} while (failed && n < 100);
	printf("failed at %u writes\n", n - 1);
	ck_assert_uint_ge(n, 3);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, gives_back_what_was_put);
	tcase_add_test(tc, keeps_keys_sealed);
	tcase_add_test(tc, gives_the_id_that_the_operator_names);
	tcase_add_test(tc, an_assets_id_is_nobody_elses_in_any_network);
	tcase_add_test(tc, an_id_that_was_changed_stays_out_of_use);
	tcase_add_test(tc, refuses_the_same_id_twice);
	tcase_add_test(tc, lists_in_order_until_told_to_stop);
	tcase_add_test(tc, forgets_a_network_with_its_ids);
	tcase_add_test(tc, gives_a_serial_the_same_id_again);
	tcase_add_test(tc, steps_over_adopted_ids);
	tcase_add_test(tc, an_id_that_was_met_is_free_after_its_removal_alone);
	tcase_add_test(tc, never_gives_2000_or_58000);
	tcase_add_test(tc, never_gives_an_id_to_two_serials);
	tcase_add_test(tc, keeps_all_or_nothing_when_the_disk_fails);
}

int main(void)
{
	return suite_main("networks", fill);
}
