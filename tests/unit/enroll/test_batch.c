#include "enroll/batch.h"

#include <event2/event.h>
#include <unistd.h>

#include "store/stmt.h"
#include "support/faultvfs.h"
#include "support/world.h"
#include "unit/suite.h"

static struct world w;
static struct event_base *base;
static struct batch *b;

static struct {
	int order[600];
	enum err committed[600];
	size_t count;
	int ends;
} told;

static void setup(void)
{
	/* No batch ends because the machine is slow. */
	const struct batch_config patient = {.age_max_ms = 600000};

	faultvfs_install();
	world_open(&w);
	base = event_base_new();
	ck_assert_int_eq(event_base_priority_init(base, BATCH_PRIORITIES), 0);
	ck_assert_int_eq(batch_new(w.store, base, &patient, &b), ERR_OK);
	memset(&told, 0, sizeof(told));
}

static void teardown(void)
{
	batch_free(b);
	event_base_free(base);
	world_close(&w);
	libevent_global_shutdown();
}

static enum err put(int number)
{
	static const char PUT[] = "INSERT INTO addresses (addr) VALUES (?)";
	char addr[16];
	struct stmt q = stmt_start(w.store, PUT);

	(void)snprintf(addr, sizeof(addr), "%d", number);
	stmt_bind_text(&q, addr);
	return stmt_run_one(&q);
}

static int64_t stored(void)
{
	return world_number(&w, "SELECT count(*) FROM addresses WHERE addr GLOB '[0-9]*'");
}

static void tell(void *arg, enum err committed)
{
	told.order[told.count] = (int)(intptr_t)arg;
	told.committed[told.count++] = committed;
}

static void tell_end(void *arg, enum err committed)
{
	(void)arg;
	(void)committed;
	told.ends++;
	ck_assert_uint_eq(told.count % 10, 0); /* before those who wait */
}

static enum err request(int number)
{
	enum err e = batch_enter(b);

	if (e != ERR_OK)
		return e;
	e = batch_leave(b, put(number));
	ck_assert_int_eq(batch_after(b, tell, (void *)(intptr_t)number), ERR_OK);
	return e;
}

START_TEST(all_requests_of_a_turn_share_a_commit_and_answer_in_order)
{
	ck_assert_int_eq(batch_on_end(b, tell_end, NULL), ERR_OK);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(request(i), ERR_OK);
	ck_assert_uint_eq(told.count, 0);
	ck_assert_int_eq(stored(), 0);
	ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(stored(), 10);
	ck_assert_uint_eq(told.count, 10);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(told.order[i], i);
		ck_assert_int_eq(told.committed[i], ERR_OK);
	}
	ck_assert_int_eq(told.ends, 1);
	ck_assert_uint_eq(batch_counters(b)->commits, 1);
	ck_assert_uint_eq(batch_counters(b)->requests, 10);
}
END_TEST

static void read_one(evutil_socket_t fd, short what, void *arg)
{
	char c;

	(void)what;
	(void)arg;
	ck_assert_int_eq(read(fd, &c, 1), 1);
	ck_assert_int_eq(request(c), ERR_OK);
}

START_TEST(commits_when_the_input_is_drained)
{
	int fd[2];
	struct event *input;

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(write(fd[1], "abcdefg", 7), 7);
	input = event_new(base, fd[0], EV_READ | EV_PERSIST, read_one, NULL);
	ck_assert_int_eq(event_add(input, NULL), 0);
	while (told.count == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(told.count, 7);
	ck_assert_uint_eq(batch_counters(b)->commits, 1);
	event_free(input);
	ck_assert_int_eq(close(fd[0]) | close(fd[1]), 0);
}
END_TEST

START_TEST(commits_a_large_batch_without_waiting)
{
	for (int i = 0; i < 257; i++)
		ck_assert_int_eq(request(i), ERR_OK);
	ck_assert_uint_eq(told.count, 256);
	ck_assert_int_eq(stored(), 256);
	ck_assert_int_eq(batch_flush(b), ERR_OK);
	ck_assert_int_eq(stored(), 257);
}
END_TEST

START_TEST(a_failed_request_is_undone_alone)
{
	ck_assert_int_eq(request(1), ERR_OK);
	ck_assert_int_eq(batch_enter(b), ERR_OK);
	ck_assert_int_eq(put(2), ERR_OK);
	ck_assert_int_eq(batch_leave(b, ERR_QUOTA), ERR_QUOTA);
	ck_assert_int_eq(request(3), ERR_OK);
	ck_assert_int_eq(batch_flush(b), ERR_OK);
	ck_assert_int_eq(stored(), 2);
}
END_TEST

START_TEST(a_failed_commit_fails_every_request_in_it)
{
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(request(i), ERR_OK);
	faultvfs_fail(1, FAULTVFS_IO, true);
	ck_assert_int_eq(batch_flush(b), ERR_IO);
	faultvfs_fail(0, FAULTVFS_IO, false);
	ck_assert_uint_eq(told.count, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(told.committed[i], ERR_IO);
	ck_assert_uint_eq(batch_counters(b)->failed, 1);
	ck_assert_int_eq(stored(), 0);
	ck_assert_int_eq(request(7), ERR_OK);
	ck_assert_int_eq(batch_flush(b), ERR_OK);
	ck_assert_int_eq(stored(), 1);
}
END_TEST

START_TEST(everyone_is_told_when_the_database_gives_all_up)
{
	ck_assert_int_eq(request(1), ERR_OK);
	ck_assert_int_eq(batch_enter(b), ERR_OK);
	ck_assert_int_eq(put(2), ERR_OK);
	store_rollback(w.store); /* as SQLite does by itself on a full disk */
	ck_assert_int_eq(batch_leave(b, ERR_OK), ERR_IO);
	ck_assert_uint_eq(told.count, 1);
	ck_assert_int_ne(told.committed[0], ERR_OK);
	ck_assert_int_eq(batch_after(b, tell, (void *)2), ERR_OK);
	ck_assert_uint_eq(told.count, 2);
	ck_assert_int_eq(request(3), ERR_OK);
	ck_assert_int_eq(batch_flush(b), ERR_OK);
	ck_assert_int_eq(stored(), 1);
}
END_TEST

START_TEST(a_reader_is_answered_at_once_or_after_the_commit)
{
	ck_assert_int_eq(batch_after(b, tell, (void *)1), ERR_OK);
	ck_assert_uint_eq(told.count, 1);
	ck_assert_int_eq(request(2), ERR_OK);
	ck_assert_int_eq(batch_after(b, tell, (void *)3), ERR_OK);
	ck_assert_uint_eq(told.count, 1);
	ck_assert_int_eq(batch_flush(b), ERR_OK);
	ck_assert_uint_eq(told.count, 3);
}
END_TEST

START_TEST(requests_do_not_nest)
{
	ck_assert_int_eq(batch_leave(b, ERR_OK), ERR_STATE);
	ck_assert_int_eq(batch_enter(b), ERR_OK);
	ck_assert_int_eq(batch_enter(b), ERR_STATE);
	ck_assert_int_eq(batch_flush(b), ERR_STATE);
	ck_assert_int_eq(batch_leave(b, ERR_OK), ERR_OK);
}
END_TEST

static void enter_again(void *arg, enum err committed)
{
	ck_assert_int_eq(committed, ERR_OK);
	ck_assert_int_eq(request((int)(intptr_t)arg), ERR_OK);
}

START_TEST(an_answer_may_start_the_next_batch)
{
	ck_assert_int_eq(request(1), ERR_OK);
	ck_assert_int_eq(batch_after(b, enter_again, (void *)2), ERR_OK);
	ck_assert_int_eq(batch_flush(b), ERR_OK);
	ck_assert_uint_eq(told.count, 1);
	ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(told.count, 2);
	ck_assert_int_eq(stored(), 2);
}
END_TEST

START_TEST(the_end_commits_what_is_open)
{
	ck_assert_int_eq(request(1), ERR_OK);
	batch_free(b);
	b = NULL;
	ck_assert_uint_eq(told.count, 1);
	ck_assert_int_eq(stored(), 1);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, all_requests_of_a_turn_share_a_commit_and_answer_in_order);
	tcase_add_test(tc, commits_when_the_input_is_drained);
	tcase_add_test(tc, commits_a_large_batch_without_waiting);
	tcase_add_test(tc, a_failed_request_is_undone_alone);
	tcase_add_test(tc, a_failed_commit_fails_every_request_in_it);
	tcase_add_test(tc, everyone_is_told_when_the_database_gives_all_up);
	tcase_add_test(tc, a_reader_is_answered_at_once_or_after_the_commit);
	tcase_add_test(tc, requests_do_not_nest);
	tcase_add_test(tc, an_answer_may_start_the_next_batch);
	tcase_add_test(tc, the_end_commits_what_is_open);
}

int main(void)
{
	return suite_main("batch", fill);
}
