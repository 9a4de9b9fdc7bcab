#include "store/audit.h"

#include "store/stmt.h"
#include "support/world.h"
#include "unit/suite.h"

#define ROWS 20u

static struct world w;
static struct audit_mark before; /* what the service wrote at its start */

static void setup(void)
{
	world_open(&w);
	ck_assert_int_eq(audit_newest(w.store, &before), ERR_OK);
	world_begin(&w);
	for (unsigned i = 0; i < ROWS; i++)
		ck_assert_int_eq(
			audit_append(w.store, 1700000000 + i, "{\"event\":\"test\"}"), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
}

static void teardown(void)
{
	world_close(&w);
}

static enum err verify(struct audit_mark *mark, struct reason *why)
{
	bool done = false;
	enum err e = ERR_OK;

	*why = (struct reason){.field = NULL};
	while (e == ERR_OK && !done)
		e = audit_verify(w.store, mark, 7, &done, why);
	return e;
}

/* The log as somebody with the file in his hands could change it. */
static void tamper(const char *sql)
{
	world_sql(&w, "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete;");
	world_sql(&w, sql);
}

START_TEST(the_chain_is_that_of_the_design)
{
	struct audit_mark newest;
	uint8_t hash[32], numbers[16];
	struct wr n = wr_init(numbers, sizeof(numbers));

	ck_assert_int_eq(audit_newest(w.store, &newest), ERR_OK);
	ck_assert_uint_eq(newest.seq, before.seq + ROWS);
	world_begin(&w);
	ck_assert_int_eq(audit_append(w.store, 5, "{}"), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	wr_u64(&n, newest.seq + 1);
	wr_u64(&n, 5);
	ck_assert_int_eq(w.crypto->sha256(w.crypto->ctx,
				 (const struct span[]){{newest.hash, 32}, {numbers, 16},
					 {(const uint8_t *)"{}", 2}},
				 3, hash),
		ERR_OK);
	ck_assert_int_eq(audit_newest(w.store, &newest), ERR_OK);
	ck_assert_mem_eq(newest.hash, hash, sizeof(hash));
}
END_TEST

START_TEST(a_whole_log_verifies_from_any_mark)
{
	struct audit_mark mark = {0}, newest;
	struct reason why;

	ck_assert_int_eq(audit_newest(w.store, &newest), ERR_OK);
	ck_assert_int_eq(verify(&mark, &why), ERR_OK);
	ck_assert_mem_eq(&mark, &newest, sizeof(mark));
	ck_assert_int_eq(verify(&mark, &why), ERR_OK);
	mark = before;
	ck_assert_int_eq(verify(&mark, &why), ERR_OK);
	ck_assert_uint_eq(mark.seq, newest.seq);
}
END_TEST

START_TEST(every_changed_row_is_found)
{
	static const char *const changes[] = {
		"UPDATE audit SET json = '{\"event\":\"tess\"}' WHERE seq = 9",
		"UPDATE audit SET at = at + 1 WHERE seq = 9",
		"UPDATE audit SET hash = zeroblob(32) WHERE seq = 9",
		"DELETE FROM audit WHERE seq = 9",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct audit_mark mark = {0};
		struct reason why;

		teardown();
		setup();
		tamper(changes[i]);
		ck_assert_int_eq(verify(&mark, &why), ERR_AUTH);
		ck_assert_uint_eq(mark.seq, 8);
		ck_assert_str_ne(why.text, "");
	}
}
END_TEST

START_TEST(a_cut_tail_is_found)
{
	struct audit_mark mark = {0}, newest;
	struct reason why;

	ck_assert_int_eq(audit_newest(w.store, &newest), ERR_OK);
	tamper("DELETE FROM audit WHERE seq > 12");
	ck_assert_int_eq(verify(&mark, &why), ERR_AUTH);
	ck_assert_uint_eq(mark.seq, 12);
	/* Whoever also mends the counter is found by the mark that was kept elsewhere. */
	world_sql(&w, "UPDATE sqlite_sequence SET seq = 12 WHERE name = 'audit'");
	mark = (struct audit_mark){0};
	ck_assert_int_eq(verify(&mark, &why), ERR_OK);
	mark = newest;
	ck_assert_int_eq(verify(&mark, &why), ERR_AUTH);
	ck_assert_ptr_nonnull(strstr(why.text, "cut"));
}
END_TEST

START_TEST(a_rewritten_log_is_found_by_a_mark)
{
	struct audit_mark mark = before;
	struct reason why;

	mark.hash[0] ^= 1;
	ck_assert_int_eq(verify(&mark, &why), ERR_AUTH);
	mark = (struct audit_mark){.seq = 0, .hash = {1}};
	ck_assert_int_eq(verify(&mark, &why), ERR_AUTH);
}
END_TEST

START_TEST(the_database_refuses_to_change_it)
{
	static const char *const changes[] = {
		"UPDATE audit SET at = 0", "DELETE FROM audit WHERE seq = 1"};
	struct audit_mark mark = {0};
	struct reason why;

	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(stmt_script(w.store, changes[i]), ERR_CONFLICT);
	ck_assert_int_eq(verify(&mark, &why), ERR_OK);
}
END_TEST

START_TEST(appends_inside_a_transaction_only)
{
	ck_assert_int_eq(audit_append(w.store, 5, "{}"), ERR_STATE);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_chain_is_that_of_the_design);
	tcase_add_test(tc, a_whole_log_verifies_from_any_mark);
	tcase_add_test(tc, every_changed_row_is_found);
	tcase_add_test(tc, a_cut_tail_is_found);
	tcase_add_test(tc, a_rewritten_log_is_found_by_a_mark);
	tcase_add_test(tc, the_database_refuses_to_change_it);
	tcase_add_test(tc, appends_inside_a_transaction_only);
}

int main(void)
{
	return suite_main("audit_chain", fill);
}
