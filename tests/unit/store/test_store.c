#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sql.h"
#include "store/stmt.h"
#include "support/faultvfs.h"
#include "support/world.h"
#include "unit/suite.h"

static struct world w;

static void setup(void)
{
	world_open(&w);
}

static void teardown(void)
{
	world_close(&w);
}

static enum err open_again(bool create, struct reason *why)
{
	const struct store_config config = {
		.path = w.path, .create = create, .crypto = w.crypto, .seal = w.seal};

	*why = (struct reason){.field = NULL};
	return store_open(&config, &w.store, why);
}

static void write_file(const char *text)
{
	FILE *f = fopen(w.path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(file_and_wal_are_private)
{
	static const char *const endings[] = {"", "-wal", "-shm"};
	char path[128];
	struct stat st;

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", w.path, endings[i]);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_uint_eq(st.st_mode & 0777, 0600);
	}
}
END_TEST

START_TEST(settings_are_those_of_the_design)
{
	static const struct {
		const char *sql;
		int64_t value;
	} settings[] = {
		{"PRAGMA synchronous", 2},
		{"PRAGMA foreign_keys", 1},
		{"PRAGMA secure_delete", 1},
		{"PRAGMA trusted_schema", 0},
		{"PRAGMA page_size", 2048},
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct stmt q = stmt_start(w.store, settings[i].sql);

		ck_assert(stmt_step(&q));
		ck_assert_int_eq(stmt_i64(&q), settings[i].value);
		ck_assert_int_eq(stmt_end(&q), ERR_OK);
	}
	ck_assert_uint_eq(store_version(w.store), sql_migration_count);
	ck_assert_int_eq(world_number(&w, "PRAGMA application_id"), STORE_APPLICATION_ID);
}
END_TEST

START_TEST(a_loose_mode_is_tightened)
{
	struct reason why;
	struct stat st;

	world_stop(&w);
	ck_assert_int_eq(chmod(w.path, 0644), 0);
	ck_assert_int_eq(open_again(false, &why), ERR_OK);
	ck_assert_int_eq(stat(w.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(refuses_a_newer_version_and_says_so)
{
	struct reason why;

	world_sql(&w, "PRAGMA user_version = 99");
	world_stop(&w);
	ck_assert_int_eq(open_again(true, &why), ERR_VERSION);
	ck_assert_ptr_nonnull(strstr(why.text, "99"));
	ck_assert_ptr_nonnull(strstr(why.text, "newer"));
	ck_assert_ptr_null(w.store);
}
END_TEST

START_TEST(refuses_another_programs_database)
{
	struct reason why;

	world_sql(&w, "PRAGMA application_id = 7");
	world_stop(&w);
	ck_assert_int_eq(open_again(true, &why), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(why.text, "not a database of enrolld"));
}
END_TEST

START_TEST(refuses_a_file_that_is_no_database)
{
	struct reason why;

	world_stop(&w);
	write_file("[daemon]\nhost = gateway.local, and more text than a header of a database has, "
		   "which is one hundred bytes.\n");
	ck_assert_int_eq(open_again(true, &why), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(why.text, "not a database"));
}
END_TEST

START_TEST(refuses_a_missing_and_an_empty_file_unless_told_to_create)
{
	struct reason why;

	world_stop(&w);
	ck_assert_int_eq(unlink(w.path), 0);
	ck_assert_int_eq(open_again(false, &why), ERR_NOT_FOUND);
	write_file("");
	ck_assert_int_eq(open_again(false, &why), ERR_NOT_FOUND);
	ck_assert_int_eq(open_again(true, &why), ERR_OK);
}
END_TEST

START_TEST(refuses_a_symbolic_link)
{
	struct reason why;
	char target[128];

	world_stop(&w);
	(void)snprintf(target, sizeof(target), "%s.real", w.path);
	ck_assert_int_eq(rename(w.path, target), 0);
	ck_assert_int_eq(symlink(target, w.path), 0);
	ck_assert_int_eq(open_again(true, &why), ERR_DENIED);
	ck_assert_int_eq(unlink(target), 0);
}
END_TEST

START_TEST(refuses_a_second_opener)
{
	struct store *first = w.store;
	struct reason why;

	ck_assert_int_eq(open_again(true, &why), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(why.text, "in use"));
	w.store = first;
}
END_TEST

/* --- transactions --- */

static enum err put(const char *addr)
{
	static const char PUT[] = "INSERT INTO addresses (addr) VALUES (?)";
	struct stmt q = stmt_start(w.store, PUT);

	stmt_bind_text(&q, addr);
	return stmt_run_one(&q);
}

static int64_t addresses(void)
{
	return world_number(&w, "SELECT count(*) FROM addresses") - 1; /* the service's own */
}

START_TEST(a_request_is_kept_or_undone_alone)
{
	ck_assert_int_eq(store_begin(w.store), ERR_OK);
	ck_assert_int_eq(store_begin(w.store), ERR_STATE);
	ck_assert_int_eq(store_request_begin(w.store), ERR_OK);
	ck_assert_int_eq(put("a"), ERR_OK);
	ck_assert_int_eq(store_request_keep(w.store), ERR_OK);
	ck_assert_int_eq(store_request_begin(w.store), ERR_OK);
	ck_assert_int_eq(put("b"), ERR_OK);
	ck_assert_int_eq(put("a"), ERR_CONFLICT);
	ck_assert_int_eq(store_request_undo(w.store), ERR_OK);
	ck_assert_int_eq(addresses(), 0);
	ck_assert_int_eq(store_commit(w.store), ERR_OK);
	ck_assert_int_eq(addresses(), 1);
	ck_assert_int_eq(store_commit(w.store), ERR_STATE);
	ck_assert_int_eq(store_request_begin(w.store), ERR_STATE);
}
END_TEST

static enum err refuse_commit(void *arg)
{
	(void)arg;
	return ERR_IO;
}

START_TEST(what_must_be_in_every_commit_can_fail_it)
{
	store_hook(w.store, &(struct store_hooks){.before_commit = refuse_commit});
	ck_assert_int_eq(store_begin(w.store), ERR_OK);
	ck_assert_int_eq(put("a"), ERR_OK);
	ck_assert_int_eq(store_commit(w.store), ERR_IO);
	ck_assert(!store_in_transaction(w.store));
	store_hook(w.store, NULL);
	ck_assert_int_eq(addresses(), 0);
}
END_TEST

START_TEST(a_full_disk_is_told_and_passes)
{
	static const char PAGES[] = "PRAGMA page_count";
	char limit[64];
	enum err e = ERR_OK;
	struct stmt q = stmt_start(w.store, PAGES);

	ck_assert(stmt_step(&q));
	(void)snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %d", (int)stmt_i64(&q) + 2);
	ck_assert_int_eq(stmt_end(&q), ERR_OK);
	ck_assert_int_eq(stmt_script(w.store, limit), ERR_OK);
	ck_assert_int_eq(store_begin(w.store), ERR_OK);
	for (int i = 0; e == ERR_OK && i < 1000; i++) {
		char addr[200];

		(void)snprintf(addr, sizeof(addr), "%0199d", i);
		e = put(addr);
	}
	ck_assert_int_eq(e, ERR_FULL);
	ck_assert(store_is_full(w.store));
	store_rollback(w.store);
	ck_assert_int_eq(stmt_script(w.store, "PRAGMA max_page_count = 4294967294"), ERR_OK);
	ck_assert_int_eq(store_begin(w.store), ERR_OK);
	ck_assert_int_eq(put("a"), ERR_OK);
	ck_assert_int_eq(store_commit(w.store), ERR_OK);
	ck_assert(!store_is_full(w.store));
	ck_assert_int_eq(addresses(), 1);
}
END_TEST

START_TEST(making_a_database_survives_any_failing_write)
{
	struct reason why;
	unsigned n;

	faultvfs_install();
	for (n = 1;; n++) {
		enum err e;

		world_stop(&w);
		world_wipe(&w);
		faultvfs_fail(n, FAULTVFS_IO, true);
		e = open_again(true, &why);
		store_close(w.store);
		w.store = NULL;
		if (!faultvfs_has_failed()) {
			ck_assert_int_eq(e, ERR_OK);
			break;
		}
		faultvfs_fail(0, FAULTVFS_IO, false);
		ck_assert_int_eq(open_again(true, &why), ERR_OK);
		ck_assert_uint_eq(store_version(w.store), sql_migration_count);
	}
	ck_assert_uint_gt(n, 5);
}
END_TEST

/* --- statements --- */

START_TEST(the_first_error_of_a_statement_sticks)
{
	static const char BAD[] = "SELECT nothing FROM nowhere";
	static const char TYPES[] = "SELECT 1, 'text', x'0102', NULL";
	struct stmt q = stmt_start(w.store, BAD);
	uint8_t bytes[4];
	char text[3];

	stmt_bind_u64(&q, 1);
	ck_assert(!stmt_step(&q));
	ck_assert_int_eq(stmt_end(&q), ERR_IO);

	q = stmt_start(w.store, TYPES);
	ck_assert(stmt_step(&q));
	ck_assert_int_eq(stmt_i64(&q), 1);
	stmt_text(&q, text, sizeof(text)); /* too long */
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(stmt_i64(&q), 0);
	ck_assert_int_eq(stmt_end(&q), ERR_IO);

	q = stmt_start(w.store, TYPES);
	ck_assert(stmt_step(&q));
	stmt_skip(&q);
	stmt_skip(&q);
	stmt_bytes(&q, bytes, 3); /* it has 2 */
	ck_assert_int_eq(stmt_end(&q), ERR_IO);

	q = stmt_start(w.store, TYPES);
	ck_assert(stmt_step(&q));
	stmt_bytes(&q, bytes, 1); /* a number */
	ck_assert_int_eq(stmt_end(&q), ERR_IO);

	q = stmt_start(w.store, TYPES);
	ck_assert(stmt_step(&q));
	for (int i = 0; i < 4; i++)
		stmt_skip(&q);
	ck_assert_int_eq(stmt_i64(&q), 0); /* there is no fifth */
	ck_assert_int_eq(stmt_end(&q), ERR_IO);
}
END_TEST

START_TEST(a_statement_is_used_by_one_cursor_at_a_time)
{
	static const char ROWS[] = "SELECT 1 UNION SELECT 2";
	struct stmt a = stmt_start(w.store, ROWS), b;

	ck_assert(stmt_step(&a));
	b = stmt_start(w.store, ROWS);
	ck_assert(!stmt_step(&b));
	ck_assert_int_eq(stmt_end(&b), ERR_STATE);
	ck_assert(stmt_step(&a));
	ck_assert(!stmt_step(&a));
	ck_assert_int_eq(stmt_end_found(&a), ERR_OK);
	b = stmt_start(w.store, ROWS);
	ck_assert(stmt_step(&b));
	ck_assert_int_eq(stmt_end(&b), ERR_OK);
}
END_TEST

START_TEST(a_sealed_column_opens_in_its_own_row_only)
{
	static const char PUT[] = "INSERT INTO identity_keys VALUES (?, ?, ?, 0)";
	static const char GET[] = "SELECT private FROM identity_keys WHERE id = 9";
	static const uint8_t secret[32] = "the secret of row nine, 32 bytes";
	struct stmt_sealed sealed;
	uint8_t out[32];
	struct stmt q = stmt_start(w.store, PUT);

	stmt_bind_i64(&q, 9);
	stmt_bind_bytes(&q, secret, 32);
	stmt_bind_sealed(
		&q, &sealed, "identity_keys.private", 9, (struct span){secret, sizeof(secret)});
	ck_assert_int_eq(stmt_run_one(&q), ERR_OK);

	q = stmt_start(w.store, GET);
	ck_assert(stmt_step(&q));
	stmt_sealed(&q, "identity_keys.private", 9, out, sizeof(out));
	ck_assert_int_eq(stmt_end(&q), ERR_OK);
	ck_assert_mem_eq(out, secret, sizeof(out));

	q = stmt_start(w.store, GET);
	ck_assert(stmt_step(&q));
	stmt_sealed(&q, "identity_keys.private", 8, out, sizeof(out));
	ck_assert_int_eq(stmt_end(&q), ERR_AUTH);
	ck_assert(bytes_are_ct(out, sizeof(out), 0));

	q = stmt_start(w.store, GET);
	ck_assert(stmt_step(&q));
	stmt_sealed(&q, "signed_prekeys.private", 9, out, sizeof(out));
	ck_assert_int_eq(stmt_end(&q), ERR_AUTH);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, file_and_wal_are_private);
	tcase_add_test(tc, settings_are_those_of_the_design);
	tcase_add_test(tc, a_loose_mode_is_tightened);
	tcase_add_test(tc, refuses_a_newer_version_and_says_so);
	tcase_add_test(tc, refuses_another_programs_database);
	tcase_add_test(tc, refuses_a_file_that_is_no_database);
	tcase_add_test(tc, refuses_a_missing_and_an_empty_file_unless_told_to_create);
	tcase_add_test(tc, refuses_a_symbolic_link);
	tcase_add_test(tc, refuses_a_second_opener);
	tcase_add_test(tc, a_request_is_kept_or_undone_alone);
	tcase_add_test(tc, what_must_be_in_every_commit_can_fail_it);
	tcase_add_test(tc, a_full_disk_is_told_and_passes);
	tcase_add_test(tc, making_a_database_survives_any_failing_write);
	tcase_add_test(tc, the_first_error_of_a_statement_sticks);
	tcase_add_test(tc, a_statement_is_used_by_one_cursor_at_a_time);
	tcase_add_test(tc, a_sealed_column_opens_in_its_own_row_only);
}

int main(void)
{
	return suite_main("store", fill);
}
