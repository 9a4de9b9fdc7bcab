/* Every flow, with every one of its writes failing in turn: the flow fails or succeeds as a whole,
 * the database stays consistent, and the same flow succeeds afterwards. */
#include "enroll/service.h"

#include <stdio.h>

#include "enr/hex.h"
#include "store/audit.h"
#include "support/faultvfs.h"
#include "support/world.h"
#include "unit/suite.h"

static struct world w;
static struct service_issued issued;
static struct enrollee e;
static struct service_reply reply;

static void setup(void)
{
	faultvfs_install();
	world_open(&w);
}

static void teardown(void)
{
	faultvfs_fail(0, FAULTVFS_IO, false);
	world_close(&w);
}

static void check_audit(void)
{
	struct audit_mark mark = {0};
	struct reason why;
	bool done = false;

	while (!done)
		ck_assert_int_eq(audit_verify(w.store, &mark, 1000, &done, &why), ERR_OK);
}

static void check_consistent(void)
{
	static const char *const zero[] = {
		"SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
		"SELECT count(*) FROM pragma_foreign_key_check",
		"SELECT count(*) FROM bundles b WHERE state = 2 AND "
		"(SELECT count(*) FROM devices d WHERE d.bundle = b.id) <> 1",
		"SELECT count(*) FROM devices d JOIN bundles b ON b.id = d.bundle WHERE b.state <> "
		"2",
		"SELECT count(*) FROM devices d LEFT JOIN channels c ON c.id = d.id "
		"WHERE (d.revoked_at IS NULL) <> (c.id IS NOT NULL)",
		"SELECT count(*) FROM (SELECT state, enroller, count(*) AS n FROM bundles GROUP BY "
		"1, 2) "
		"AS b LEFT JOIN tallies t ON t.kind = b.state AND t.owner = b.enroller "
		"WHERE t.n IS NOT b.n",
		"SELECT (SELECT coalesce(sum(n), 0) FROM tallies WHERE kind < 16) - "
		"(SELECT count(*) FROM bundles)",
	};

	for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		ck_assert_msg(world_number(&w, zero[i]) == 0, "%s", zero[i]);
	check_audit();
}

static int64_t state_of_all(void)
{
	return world_number(&w, "SELECT coalesce(sum(id * (state + 7)), 0) + "
				"(SELECT count(*) FROM audit) * 1000003 FROM bundles");
}

/* Runs flow with its n-th write failing, for every n, until none fails. */
static void sweep(const char *name, enum err (*flow)(void), enum faultvfs_kind kind)
{
	for (unsigned n = 1;; n++) {
		int64_t before = state_of_all();
		enum err result;
		bool failed;

		faultvfs_fail(n, kind, false);
		result = flow();
		failed = faultvfs_has_failed();
		faultvfs_fail(0, kind, false);
		ck_assert(!store_in_transaction(w.store));
		check_consistent();
		if (!failed) {
			ck_assert_msg(
				result == ERR_OK, "%s without a fault: %s", name, err_text(result));
			ck_assert_msg(n > 3, "%s has only %u writes", name, n);
		}
		/* A fault in the checkpoint after the commit does no harm to it. */
		if (result == ERR_OK) {
			(void)printf("%s: %u writes failed in turn\n", name, n - 1);
			return;
		}
		ck_assert_int_eq(state_of_all(), before);
	}
}

static enum err issue(void)
{
	return world_issue(&w, &WORLD_ALICE, 600, &issued);
}

static enum err announce(void)
{
	return enrollee_announce(&w, &e, &WORLD_ALICE, &issued, 0);
}

static enum err accept(void)
{
	return enrollee_send(&w, &e, &reply);
}

static enum err reject(void)
{
	enum err result;

	e.request[170] ^= 1;
	result = enrollee_send(&w, &e, &reply);
	e.request[170] ^= 1;
	return result;
}

static enum err in_transaction(enum err (*act)(void))
{
	enum err result = store_begin(w.store);

	if (result == ERR_OK)
		result = act();
	if (result == ERR_OK)
		return world_end(&w);
	store_rollback(w.store);
	service_committed(w.service, result);
	return result;
}

static enum err act_cancel(void)
{
	struct service_bundle view;

	return service_enrollee_cancel(w.service, &w.now, &WORLD_ALICE, e.id, &view, NULL);
}

static enum err cancel(void)
{
	return in_transaction(act_cancel);
}

static enum err act_revoke(void)
{
	struct service_device device;

	return service_device_revoke(w.service, &w.now, &WORLD_ALICE, e.device, &device, NULL);
}

static enum err revoke(void)
{
	return in_transaction(act_revoke);
}

static enum err act_tick(void)
{
	bool again;

	return service_tick(w.service, &w.now, &again);
}

static enum err tick(void)
{
	return in_transaction(act_tick);
}

static enum err act_ping(void)
{
	return service_channel_ping(
		w.service, &w.now, e.device, (const uint8_t *)"12345678", &reply, NULL);
}

static enum err ping(void)
{
	return in_transaction(act_ping);
}

START_TEST(each_write_of_each_flow_may_fail)
{
	enum faultvfs_kind kind = _i == 0 ? FAULTVFS_IO : FAULTVFS_FULL;

	sweep("bundle issue", issue, kind);
	enrollee_make(&w, &e);
	sweep("enrollee announce", announce, kind);
	enrollee_build(&w, &e, &issued);
	sweep("enrollment rejected", reject, kind);
	sweep("enrollment accepted", accept, kind);
	ck_assert_int_eq(reply.outcome, SERVICE_ANSWER);
	ck_assert(enrollee_opens(&w, &e, &reply));
	sweep("channel ping", ping, kind);
	sweep("device revoke", revoke, kind);

	ck_assert_int_eq(issue(), ERR_OK);
	enrollee_make(&w, &e);
	ck_assert_int_eq(announce(), ERR_OK);
	sweep("enrollee cancel", cancel, kind);
	ck_assert_int_eq(issue(), ERR_OK);
	world_pass(&w, 8 * 86400);
	sweep("expiry and rotation", tick, kind);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM bundles WHERE state IN (0, 1)"), 0);
}
END_TEST

START_TEST(an_acceptance_that_failed_once_gives_one_answer_in_the_end)
{
	for (unsigned n = 1; n < 200; n++) {
		struct service_reply second;

		enrollee_ready(&w, &e);
		faultvfs_fail(n, FAULTVFS_IO, true);
		if (accept() == ERR_OK && !faultvfs_has_failed())
			return;
		/* The power goes, too: what the disk holds decides. */
		world_stop(&w);
		faultvfs_fail(0, FAULTVFS_IO, false);
		ck_assert_int_eq(world_start(&w), ERR_OK);
		check_consistent();
		ck_assert_int_eq(accept(), ERR_OK);
		ck_assert_int_eq(reply.outcome, SERVICE_ANSWER);
		ck_assert(enrollee_opens(&w, &e, &reply));
		second = reply;
		ck_assert_int_eq(accept(), ERR_OK);
		ck_assert_mem_eq(second.bytes, reply.bytes, reply.bytes_count);
	}
	ck_abort_msg("an accept has fewer than 200 writes");
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, each_write_of_each_flow_may_fail, 0, 2);
	tcase_add_test(tc, an_acceptance_that_failed_once_gives_one_answer_in_the_end);
}

int main(void)
{
	return suite_main("service_fault", fill);
}
