/* Links are ended when no other one is being made; most end by themselves. */
#include "unit/mesh/bluez_rig.h"

static const struct link_addr other = {1, {2, 0, 0, 0, 0xE5, 0xC0}};
static const struct link_addr third = {1, {3, 0, 0, 0, 0xE5, 0xC0}};

/* The session is over, and the link still up. */
static void begin_lingering(void)
{
	begin();
	connect_ready();
	link_.ops->disconnect(link_.impl, conn);
	pass_ms(1);
	ck_assert_int_eq(last_down, LINK_DOWN_LOCAL);
}

static void connect_other(void)
{
	ck_assert_int_eq(link_.ops->connect(link_.impl, &other, &conn), ERR_OK);
	pass_ms(1);
}

static void begin_beside_a_connect(void)
{
	begin_lingering();
	bz.answers[SCRIPT_CONNECT].is_silent = true;
	connect_other();
	until(&bz.calls[SCRIPT_CONNECT], 2);
}

static void pass_without_end(uint64_t ms)
{
	pass_ms(ms);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 0);
}

/* A node that was enrolled resets itself 4 to 5 s later. */
START_TEST(link_is_given_time_to_end_by_itself)
{
	begin_lingering();
	pass_without_end(5900);
	device("Connected", false);
	settle();
	pass_without_end(20000);
	end();
}
END_TEST

START_TEST(link_that_does_not_is_ended)
{
	begin_lingering();
	pass_without_end(5900);
	pass_ms(100);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	end();
}
END_TEST

START_TEST(link_is_ended_when_no_other_is_being_made)
{
	begin_beside_a_connect();
	pass_without_end(9000);
	bluez_script_answer_late(&bz);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	end();
}
END_TEST

/* It may be a peer that never answers. */
START_TEST(link_is_ended_after_a_while_whatever_is_being_made)
{
	begin_beside_a_connect();
	pass_without_end(15000);
	pass_ms(1000);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	end();
}
END_TEST

/* Else there would never be a moment without one. */
START_TEST(no_other_link_is_begun_once_an_end_has_waited)
{
	begin_beside_a_connect();
	pass_ms(9000);
	ck_assert_int_eq(link_.ops->connect(link_.impl, &third, &conn), ERR_OK);
	pass_ms(1);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_CONNECT], 2);
	bluez_script_answer_late(&bz);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	until(&bz.calls[SCRIPT_CONNECT], 3); /* when that was answered */
	end();
}
END_TEST

/* One that was refused has none to end. */
START_TEST(no_link_waits_for_one_that_never_was)
{
	begin();
	bz.answers[SCRIPT_CONNECT].is_silent = true;
	connect_other();
	until(&bz.calls[SCRIPT_CONNECT], 1);
	bz.answers[SCRIPT_CONNECT].is_silent = false;
	bz.answers[SCRIPT_CONNECT].error = "org.bluez.Error.Failed";
	open_conn();
	while (down_count == 0) {
		pass_ms(500);
		nothing_more();
	}
	pass_ms(4000);
	ck_assert_int_eq(link_.ops->connect(link_.impl, &third, &conn), ERR_OK);
	pass_ms(1);
	until(&bz.calls[SCRIPT_CONNECT], 6);
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 0);
	end();
}
END_TEST

/* For the controller those that linger are links, and it has room for eight. */
START_TEST(no_link_is_begun_while_as_many_as_there_may_be_linger)
{
	struct link_addr next = other;

	begin_lingering();
	for (int i = 2; i <= LINK_CONNECTIONS_MAX; i++, next.b[0]++) {
		ck_assert_int_eq(link_.ops->connect(link_.impl, &next, &conn), ERR_OK);
		pass_ms(1);
		until(&bz.calls[SCRIPT_CONNECT], i);
		nothing_more(); /* it was answered */
	}
	ck_assert_int_eq(link_.ops->connect(link_.impl, &next, &conn), ERR_OK);
	pass_ms(1000);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_CONNECT], LINK_CONNECTIONS_MAX);
	device("Connected", false);
	until(&bz.calls[SCRIPT_CONNECT], LINK_CONNECTIONS_MAX + 1);
	end();
}
END_TEST

/* It has connected, and something else has failed: it is there until the next try. */
START_TEST(a_link_whose_setup_has_failed_is_one)
{
	struct link_addr next = third;
	uint16_t id;

	begin();
	connect_ready();
	ck_assert_int_eq(link_.ops->connect(link_.impl, &other, &id), ERR_OK);
	pass_ms(1);
	until(&bz.calls[SCRIPT_CONNECT], 2);
	nothing_more();
	pass_ms(7000);
	link_.ops->disconnect(link_.impl, conn);
	pass_ms(1);
	for (int i = 3; i <= LINK_CONNECTIONS_MAX; i++, next.b[0]++) {
		ck_assert_int_eq(link_.ops->connect(link_.impl, &next, &id), ERR_OK);
		pass_ms(1);
		until(&bz.calls[SCRIPT_CONNECT], i);
		nothing_more();
	}
	pass_ms(1000); /* the first of them is given up for now: its services were never found */
	ck_assert_int_eq(link_.ops->connect(link_.impl, &next, &id), ERR_OK);
	pass_ms(1);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_CONNECT], LINK_CONNECTIONS_MAX);
	end();
}
END_TEST

static void begin_ending(void)
{
	begin_lingering();
	bz.answers[SCRIPT_DISCONNECT].is_silent = true;
	pass_ms(6000);
	until(&bz.calls[SCRIPT_DISCONNECT], 1);
	connect_other();
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_CONNECT], 1);
}

START_TEST(no_link_is_made_while_another_is_ended)
{
	begin_ending();
	device("Connected", false);
	until(&bz.calls[SCRIPT_CONNECT], 2);
	end();
}
END_TEST

START_TEST(no_link_is_made_until_the_end_was_answered)
{
	begin_ending();
	bluez_script_answer_late(&bz);
	until(&bz.calls[SCRIPT_CONNECT], 2);
	end();
}
END_TEST

START_TEST(an_end_without_answer_holds_nobody_up_for_long)
{
	begin_ending();
	pass_ms(1000);
	pass_ms(1000);
	pass_ms(1000);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_CONNECT], 1);
	pass_ms(1000);
	until(&bz.calls[SCRIPT_CONNECT], 2);
	end();
}
END_TEST

/* Nobody else would end it. */
START_TEST(link_is_ended_with_us)
{
	begin_lingering();
	link_.ops->free(link_.impl);
	nothing_more();
	ck_assert_int_eq(bz.calls[SCRIPT_DISCONNECT], 1);
	open_link(NULL); /* for end() */
	until(&adapter_on, 2);
	end();
}
END_TEST

START_TEST(power_ends_all_links)
{
	begin_lingering();
	bluez_script_property(&bz, SCRIPT_ADAPTER, "org.bluez.Adapter1", "Powered", false);
	until(&adapter_off, 1);
	pass_without_end(20000);
	end();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, link_is_given_time_to_end_by_itself);
	tcase_add_test(tc, link_that_does_not_is_ended);
	tcase_add_test(tc, link_is_ended_when_no_other_is_being_made);
	tcase_add_test(tc, link_is_ended_after_a_while_whatever_is_being_made);
	tcase_add_test(tc, no_other_link_is_begun_once_an_end_has_waited);
	tcase_add_test(tc, no_link_waits_for_one_that_never_was);
	tcase_add_test(tc, no_link_is_begun_while_as_many_as_there_may_be_linger);
	tcase_add_test(tc, a_link_whose_setup_has_failed_is_one);
	tcase_add_test(tc, no_link_is_made_while_another_is_ended);
	tcase_add_test(tc, no_link_is_made_until_the_end_was_answered);
	tcase_add_test(tc, an_end_without_answer_holds_nobody_up_for_long);
	tcase_add_test(tc, link_is_ended_with_us);
	tcase_add_test(tc, power_ends_all_links);
}

int main(void)
{
	return suite_main("link_bluez_bye", fill);
}
