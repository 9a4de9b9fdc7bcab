/* Enrollment and removal of a node itself (mesh-protocol §4.4, §4.5, §4.7, §4.8, §4.12, §4.14),
 * step by step, on a board of the test's own. */
#include <stdio.h>

#include "enr/meshadv.h"
#include "support/fake_port.h"
#include "unit/suite.h"

static uint8_t key_1[16], key_2[16], key_3[16], key_9[16];

static void make_keys(void)
{
	memset(key_1, 0x10, 16);
	memset(key_2, 0x22, 16);
	memset(key_3, 0x33, 16);
	memset(key_9, 0x99, 16);
}

static struct meshmsg_set_enrollment request(void)
{
	return (struct meshmsg_set_enrollment){
		.serial_index = FAKE_SERIAL,
		.node_id = 77,
		.network_id = 480,
		.network_key = key_1,
		.user_base_key = key_2,
		.organization_key = key_3,
		.timeout_s = 10,
	};
}

static void ask(struct fake_port *f, const struct meshmsg_set_enrollment *m, uint8_t handle)
{
	const struct meshmsg_route route = {FAKE_REQUESTER, f->node.config.node_id, handle};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, m), ERR_OK);
	fake_clear(f);
	fake_receive(f, b, w.len_bytes);
}

static void ask_removal(struct fake_port *f, uint32_t serial, uint16_t sender)
{
	const struct meshmsg_route route = {sender, f->node.config.node_id, 5};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_remove_enrollment(&w, route, serial), ERR_OK);
	fake_clear(f);
	fake_receive(f, b, w.len_bytes);
}

/* The answer's code, or -1 when there is none. */
static int answer(const struct fake_port *f, enum meshmsg_kind kind, uint8_t handle)
{
	struct meshmsg_enroll_response r;
	struct meshmsg m;

	if (!fake_find(f, kind, &m))
		return -1;
	ck_assert_int_eq(meshmsg_decode_enroll_response(&m, &r), ERR_OK);
	ck_assert_uint_eq(m.receiver, MESHMSG_BROADCAST);
	ck_assert_uint_eq(m.request_handle, handle);
	ck_assert_uint_eq(r.serial_index, FAKE_SERIAL);
	return r.code;
}

static int enroll_answer(const struct fake_port *f, uint8_t handle)
{
	return answer(f, MESHMSG_ENROLLMENT_RESPONSE, handle);
}

static void enroll(struct fake_port *f)
{
	const struct meshmsg_set_enrollment m = request();

	ask(f, &m, 1);
	fake_flash(f);
	ck_assert_int_eq(enroll_answer(f, 1), MESHMSG_RESULT_OK);
}

/* Enrolled, rebooted. */
static void set_up_enrolled(struct fake_port *f)
{
	make_keys();
	fake_init(f);
	enroll(f);
	fake_run(f, 5000);
	ck_assert_uint_eq(f->reboots, 1);
	fake_boot(f);
	ck_assert(f->node.config.enrolled);
}

START_TEST(boots_unenrolled_and_silent)
{
	struct fake_port f;
	struct meshadv adv;

	fake_init(&f);
	ck_assert(!f.node.config.enrolled);
	ck_assert(!f.mesh_on);
	ck_assert_uint_eq(f.node.config.node_id, FAKE_DEFAULT_ID);
	ck_assert_int_eq(meshadv_decode(f.adv, f.adv_bytes, &adv), ERR_OK);
	ck_assert_uint_eq(adv.serial_index, FAKE_SERIAL);
	ck_assert(!adv.is_enrolled);
	ck_assert(adv.has_free_in_connection);
	ck_assert(!adv.is_zero_key_connectable);
	ck_assert(secret16_is_unset(&f.node.config.organization_key));
}
END_TEST

START_TEST(enrolls_in_the_order_of_the_specification)
{
	struct fake_port f;
	struct meshmsg_set_enrollment m;
	struct meshmsg sent;

	make_keys();
	m = request();
	fake_init(&f);
	ask(&f, &m, 0x37);
	/* nothing is said, advertised or changed before the flash has it */
	ck_assert_int_eq(enroll_answer(&f, 0x37), -1);
	ck_assert_uint_eq(f.adv_bytes, 0);
	ck_assert(!f.node.config.enrolled);
	fake_flash(&f);
	ck_assert_int_eq(enroll_answer(&f, 0x37), MESHMSG_RESULT_OK);
	ck_assert(fake_find(&f, MESHMSG_ENROLLMENT_RESPONSE, &sent));
	ck_assert_uint_eq(sent.sender, 77);
	ck_assert_uint_eq(f.adv_bytes, 0);
	ck_assert_uint_eq(f.leds, PORT_LED_GREEN);
	fake_run(&f, 3900);
	ck_assert_uint_eq(f.reboots, 0);
	fake_run(&f, 300);
	ck_assert_uint_eq(f.reboots, 1);
	ck_assert_int_eq(f.reboot_why, PORT_REBOOT_ENROLLMENT);
	fake_boot(&f);
	ck_assert(f.mesh_on);
	ck_assert_uint_eq(f.mesh.network_id, 480);
	ck_assert_uint_eq(f.mesh.node_id, 77);
	ck_assert_mem_eq(f.mesh.network_key.b, key_1, 16);
	ck_assert_mem_eq(f.node.config.user_base_key.b, key_2, 16);
	ck_assert_mem_eq(f.node.config.organization_key.b, key_3, 16);
}
END_TEST

START_TEST(answers_the_same_data_ok_without_a_reboot)
{
	struct fake_port f;
	struct meshmsg_set_enrollment m;

	set_up_enrolled(&f);
	m = request();
	m.only_if_unenrolled = true;
	ask(&f, &m, 9);
	ck_assert_int_eq(enroll_answer(&f, 9), MESHMSG_RESULT_OK);
	m.network_key = m.user_base_key = m.organization_key = NULL;
	ask(&f, &m, 10);
	ck_assert_int_eq(enroll_answer(&f, 10), MESHMSG_RESULT_OK);
	fake_run(&f, 10000);
	ck_assert_uint_eq(f.reboots, 1);
}
END_TEST

START_TEST(answers_the_same_data_in_the_seconds_before_the_reboot)
{
	struct fake_port f;
	struct meshmsg_set_enrollment m;

	make_keys();
	fake_init(&f);
	enroll(&f);
	m = request();
	ask(&f, &m, 2);
	ck_assert_int_eq(enroll_answer(&f, 2), MESHMSG_RESULT_OK);
	m.node_id = 78; /* other data: too late */
	ask(&f, &m, 3);
	ck_assert_int_eq(enroll_answer(&f, 3), -1);
	fake_run(&f, 5000);
	fake_boot(&f);
	ck_assert_uint_eq(f.node.config.node_id, 77);
}
END_TEST

START_TEST(refuses_other_data_if_it_must_be_unenrolled)
{
	struct fake_port f;
	struct meshmsg_set_enrollment m;

	set_up_enrolled(&f);
	m = request();
	m.network_id = 481;
	m.only_if_unenrolled = true;
	ask(&f, &m, 4);
	ck_assert_int_eq(enroll_answer(&f, 4), MESHMSG_RESULT_ALREADY_ENROLLED);
	ck_assert_uint_eq(f.node.config.network_id, 480);
	m.only_if_unenrolled = false;
	ask(&f, &m, 5);
	fake_flash(&f);
	ck_assert_int_eq(enroll_answer(&f, 5), MESHMSG_RESULT_OK);
	ck_assert_uint_eq(f.node.config.network_id, 481);
}
END_TEST

static int code_for(struct fake_port *f, uint16_t node_id, uint16_t network_id)
{
	struct meshmsg_set_enrollment m = request();
	int code;

	m.node_id = node_id;
	m.network_id = network_id;
	ask(f, &m, 1);
	fake_flash(f);
	code = enroll_answer(f, 1);
	fake_run(f, 5000);
	fake_boot(f);
	return code;
}

START_TEST(checks_node_ids_by_device_type)
{
	struct fake_port f;
	static const struct {
		uint8_t type;
		uint16_t id;
		int code;
	} rows[] = {
		{MESHADV_DEVICE_STATIC, 1, 0},
		{MESHADV_DEVICE_STATIC, 2000, 0},
		{MESHADV_DEVICE_STATIC, 2001, 0x13},
		{MESHADV_DEVICE_SINK, 33000, 0x13},
		{MESHADV_DEVICE_ASSET, 1999, 0x13},
		{MESHADV_DEVICE_ASSET, 32999, 0x13},
		{MESHADV_DEVICE_ASSET, 33000, 0},
		{MESHADV_DEVICE_ASSET, 58000, 0},
		{MESHADV_DEVICE_ASSET, 58001, 0x13},
	};

	make_keys();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_init(&f);
		f.features.device_type = rows[i].type;
		ck_assert_int_eq(code_for(&f, rows[i].id, 480), rows[i].code);
		ck_assert_int_eq(f.node.config.enrolled, rows[i].code == 0);
	}
}
END_TEST

/* The mission's text: 0 = leave unchanged; for a node that has nothing to leave unchanged, 0x13. */
START_TEST(zero_ids_leave_unchanged_when_enrolled)
{
	struct fake_port f;

	make_keys();
	fake_init(&f);
	ck_assert_int_eq(code_for(&f, 0, 480), MESHMSG_RESULT_INCORRECT_NODE_ID);
	ck_assert_int_eq(code_for(&f, 77, 0), MESHMSG_RESULT_INCORRECT_NODE_ID);
	ck_assert(!f.node.config.enrolled);
	ck_assert_int_eq(code_for(&f, 77, 480), MESHMSG_RESULT_OK);
	ck_assert_int_eq(code_for(&f, 0, 481), MESHMSG_RESULT_OK);
	ck_assert_uint_eq(f.node.config.node_id, 77);
	ck_assert_uint_eq(f.node.config.network_id, 481);
	ck_assert_int_eq(code_for(&f, 78, 0), MESHMSG_RESULT_OK);
	ck_assert_uint_eq(f.node.config.node_id, 78);
	ck_assert_uint_eq(f.node.config.network_id, 481);
}
END_TEST

START_TEST(absent_keys_leave_unchanged)
{
	struct fake_port f;
	struct meshmsg_set_enrollment m;

	set_up_enrolled(&f);
	m = request();
	m.node_id = 79;
	m.network_key = m.user_base_key = NULL;
	m.organization_key = key_9;
	ask(&f, &m, 1);
	fake_flash(&f);
	fake_run(&f, 5000);
	fake_boot(&f);
	ck_assert_uint_eq(f.node.config.node_id, 79);
	ck_assert_mem_eq(f.node.config.network_key.b, key_1, 16);
	ck_assert_mem_eq(f.node.config.user_base_key.b, key_2, 16);
	ck_assert_mem_eq(f.node.config.organization_key.b, key_9, 16);
}
END_TEST

START_TEST(after_a_failed_save_all_is_as_before_and_a_retry_works)
{
	struct fake_port f;
	struct meshmsg_set_enrollment m;

	set_up_enrolled(&f);
	m = request();
	m.node_id = 80;
	f.fail_flash = RECORDS_ERASE_TRIES;
	ask(&f, &m, 6);
	fake_flash(&f);
	ck_assert_int_eq(enroll_answer(&f, 6), MESHMSG_RESULT_BUSY);
	ck_assert_uint_eq(f.node.config.node_id, 77);
	ck_assert_uint_gt(f.adv_bytes, 0);
	fake_run(&f, 10000);
	ck_assert_uint_eq(f.reboots, 1);
	ask(&f, &m, 7);
	fake_flash(&f);
	ck_assert_int_eq(enroll_answer(&f, 7), MESHMSG_RESULT_OK);
	ck_assert_uint_eq(f.node.config.node_id, 80);
}
END_TEST

/* --- every cut of power ------------------------------------------------------------------------
 */

START_TEST(a_power_cut_leaves_the_old_or_the_new_enrollment)
{
	struct meshmsg_set_enrollment m;
	struct fake_port f;
	uint32_t k, new_count = 0;

	make_keys();
	for (k = 1; k < 100; k++) {
		set_up_enrolled(&f);
		m = request();
		m.node_id = 80;
		m.network_key = key_9;
		f.flash.cut_at = f.flash.op_count + k;
		f.flash.random = k;
		ask(&f, &m, 1);
		while (f.flash_pending && !f.flash.is_cut)
			fake_flash(&f);
		if (!f.flash.is_cut)
			break;
		f.flash.is_cut = false;
		f.flash.cut_at = 0;
		fake_boot(&f);
		fake_flash(&f);
		ck_assert(f.node.config.enrolled);
		if (f.node.config.node_id == 80) {
			new_count++;
			ck_assert_mem_eq(f.node.config.network_key.b, key_9, 16);
		} else {
			ck_assert_uint_eq(f.node.config.node_id, 77);
			ck_assert_mem_eq(f.node.config.network_key.b, key_1, 16);
		}
		ask(&f, &m, 2); /* the same request again ends it */
		fake_flash(&f);
		ck_assert_int_eq(enroll_answer(&f, 2), MESHMSG_RESULT_OK);
		fake_run(&f, 5000);
		fake_boot(&f);
		ck_assert_uint_eq(f.node.config.node_id, 80);
	}
	printf("power cuts: %u, of which new: %u\n", k - 1, new_count);
	ck_assert_uint_ge(k - 1, 4); /* erase, record, header, erase */
	ck_assert_uint_ge(new_count, 1);
}
END_TEST

/* --- pre-enrollment ------------------------------------------------------------------------------
 */

#define HOOKS 3

struct hook {
	enum enroll_pre result;
	int calls;
	bool is_removal;
	size_t n;
};

struct chain {
	struct hook hook[HOOKS];
	struct enroll_pre_handler handlers[HOOKS];
};

static enum enroll_pre begin_hook(void *ctx, bool is_removal, struct span bytes)
{
	struct hook *h = ctx;

	h->calls++;
	h->is_removal = is_removal;
	h->n = bytes.n;
	return h->result;
}

static void hang_chain(struct fake_port *f, struct chain *c, enum enroll_pre a, enum enroll_pre b,
	enum enroll_pre last)
{
	const enum enroll_pre results[HOOKS] = {a, b, last};

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < HOOKS; i++) {
		c->hook[i].result = results[i];
		c->handlers[i] = (struct enroll_pre_handler){begin_hook, &c->hook[i]};
	}
	f->features.pre = c->handlers;
	f->features.pre_count = HOOKS;
}

static void set_up_chain(struct fake_port *f, struct chain *c, enum enroll_pre a, enum enroll_pre b,
	enum enroll_pre last)
{
	make_keys();
	fake_init(f);
	hang_chain(f, c, a, b, last);
}

static void late(struct fake_port *f, const struct chain *c, size_t i, enum enroll_pre result)
{
	node_pre_enrollment_done(&f->node, f->now_ms, &c->handlers[i], result);
	fake_flash(f);
}

START_TEST(handlers_are_asked_one_after_the_other)
{
	struct meshmsg_set_enrollment m;
	struct fake_port f;
	struct chain c;

	set_up_chain(&f, &c, ENROLL_PRE_DONE, ENROLL_PRE_DONE, ENROLL_PRE_DONE);
	m = request();
	ask(&f, &m, 0x20);
	fake_flash(&f);
	ck_assert_int_eq(enroll_answer(&f, 0x20), MESHMSG_RESULT_OK);
	for (size_t i = 0; i < HOOKS; i++) {
		ck_assert_int_eq(c.hook[i].calls, 1);
		ck_assert(!c.hook[i].is_removal);
		ck_assert_uint_eq(c.hook[i].n, MESHMSG_SET_ENROLLMENT_BYTES);
	}
}
END_TEST

START_TEST(a_failing_handler_stops_the_enrollment)
{
	struct meshmsg_set_enrollment m;
	struct fake_port f;
	struct chain c;

	set_up_chain(&f, &c, ENROLL_PRE_DONE, ENROLL_PRE_FAILED, ENROLL_PRE_DONE);
	m = request();
	ask(&f, &m, 0x21);
	ck_assert_int_eq(enroll_answer(&f, 0x21), MESHMSG_RESULT_PREENROLLMENT_FAILED);
	ck_assert_int_eq(c.hook[1].calls, 1);
	ck_assert_int_eq(c.hook[2].calls, 0);
	ck_assert(!f.node.config.enrolled);
	ck_assert_uint_eq(f.flash.op_count, 0); /* nothing was erased */
	fake_run(&f, 20000);
	ck_assert_uint_eq(f.reboots, 0);
	c.hook[1].result = (enum enroll_pre)77; /* no answer that we know: failed */
	ask(&f, &m, 0x22);
	ck_assert_int_eq(enroll_answer(&f, 0x22), MESHMSG_RESULT_PREENROLLMENT_FAILED);
}
END_TEST

START_TEST(all_handlers_together_have_fifteen_seconds)
{
	struct meshmsg_set_enrollment m;
	struct fake_port f;
	struct chain c;

	set_up_chain(&f, &c, ENROLL_PRE_WAITING, ENROLL_PRE_WAITING, ENROLL_PRE_DONE);
	m = request();
	ask(&f, &m, 0x23);
	fake_run(&f, 8000);
	late(&f, &c, 0, ENROLL_PRE_DONE);
	ck_assert_int_eq(c.hook[1].calls, 1);
	fake_run(&f, 6000);
	ck_assert_int_eq(enroll_answer(&f, 0x23), -1);
	fake_run(&f, 1500);
	ck_assert_int_eq(enroll_answer(&f, 0x23), MESHMSG_RESULT_PREENROLLMENT_FAILED);
	late(&f, &c, 1, ENROLL_PRE_DONE); /* too late */
	ck_assert_int_eq(c.hook[2].calls, 0);
	ck_assert(!f.node.config.enrolled);
	ck_assert_uint_eq(f.flash.op_count, 0);
	c.hook[0].result = c.hook[1].result = ENROLL_PRE_DONE; /* the next attempt starts anew */
	ask(&f, &m, 0x24);
	fake_flash(&f);
	ck_assert_int_eq(enroll_answer(&f, 0x24), MESHMSG_RESULT_OK);
}
END_TEST

START_TEST(a_waiting_handler_lets_it_go_on)
{
	struct meshmsg_set_enrollment m;
	struct fake_port f;
	struct chain c;

	set_up_chain(&f, &c, ENROLL_PRE_DONE, ENROLL_PRE_WAITING, ENROLL_PRE_DONE);
	m = request();
	ask(&f, &m, 0x25);
	m.node_id = 99;
	ask(&f, &m, 0x26); /* one operation at a time: silence */
	ck_assert_int_eq(enroll_answer(&f, 0x26), -1);
	fake_run(&f, 10000);
	late(&f, &c, 0, ENROLL_PRE_DONE);    /* nobody waits for this one */
	late(&f, &c, 2, ENROLL_PRE_FAILED);  /* nor for this one */
	late(&f, &c, 1, ENROLL_PRE_WAITING); /* no news */
	ck_assert_int_eq(enroll_answer(&f, 0x25), -1);
	late(&f, &c, 1, ENROLL_PRE_DONE);
	ck_assert_int_eq(enroll_answer(&f, 0x25), MESHMSG_RESULT_OK);
	ck_assert_uint_eq(f.node.config.node_id, 77);
	ck_assert_int_eq(c.hook[1].calls, 1);
	ck_assert_int_eq(c.hook[2].calls, 1);
	late(&f, &c, 1, ENROLL_PRE_FAILED); /* once is enough */
	ck_assert(f.node.config.enrolled);
}
END_TEST

START_TEST(a_late_failure_stops_it)
{
	struct meshmsg_set_enrollment m;
	struct fake_port f;
	struct chain c;

	set_up_chain(&f, &c, ENROLL_PRE_WAITING, ENROLL_PRE_DONE, ENROLL_PRE_DONE);
	m = request();
	ask(&f, &m, 0x27);
	late(&f, &c, 0, ENROLL_PRE_FAILED);
	ck_assert_int_eq(enroll_answer(&f, 0x27), MESHMSG_RESULT_PREENROLLMENT_FAILED);
	ck_assert_int_eq(c.hook[1].calls, 0);
	ck_assert(!f.node.config.enrolled);
}
END_TEST

/* The answer's type is that of an enrollment, even then (§4.5). */
START_TEST(handlers_are_asked_before_a_removal_too)
{
	struct fake_port f;
	struct chain c;

	set_up_enrolled(&f);
	hang_chain(&f, &c, ENROLL_PRE_DONE, ENROLL_PRE_FAILED, ENROLL_PRE_DONE);
	ask_removal(&f, FAKE_SERIAL, FAKE_REQUESTER);
	ck_assert_int_eq(enroll_answer(&f, 5), MESHMSG_RESULT_PREENROLLMENT_FAILED);
	ck_assert(c.hook[0].is_removal);
	ck_assert_uint_eq(c.hook[0].n, 12);
	ck_assert(f.node.config.enrolled);
	c.hook[1].result = ENROLL_PRE_WAITING;
	ask_removal(&f, FAKE_SERIAL, FAKE_REQUESTER);
	fake_run(&f, 15500);
	ck_assert_int_eq(enroll_answer(&f, 5), MESHMSG_RESULT_PREENROLLMENT_FAILED);
	ask_removal(&f, FAKE_SERIAL, FAKE_REQUESTER);
	late(&f, &c, 1, ENROLL_PRE_DONE);
	ck_assert_int_eq(answer(&f, MESHMSG_REMOVE_ENROLLMENT_RESPONSE, 5), MESHMSG_RESULT_OK);
	ck_assert(!f.node.config.enrolled);
}
END_TEST

/* --- removal
 * ---------------------------------------------------------------------------------------- */

static int remove_answer(const struct fake_port *f)
{
	return answer(f, MESHMSG_REMOVE_ENROLLMENT_RESPONSE, 5);
}

START_TEST(removal_goes_back_to_unenrolled)
{
	struct fake_port f;
	struct meshmsg m;

	set_up_enrolled(&f);
	ask_removal(&f, FAKE_SERIAL + 1, FAKE_REQUESTER);
	ck_assert_int_eq(remove_answer(&f), -1);
	ask_removal(&f, FAKE_SERIAL, FAKE_REQUESTER);
	fake_flash(&f);
	ck_assert_int_eq(remove_answer(&f), MESHMSG_RESULT_OK);
	ck_assert(fake_find(&f, MESHMSG_REMOVE_ENROLLMENT_RESPONSE, &m));
	ck_assert_uint_eq(m.sender, FAKE_DEFAULT_ID);
	fake_run(&f, 900);
	ck_assert_uint_eq(f.reboots, 1);
	fake_run(&f, 300);
	ck_assert_uint_eq(f.reboots, 2);
	ck_assert_int_eq(f.reboot_why, PORT_REBOOT_ENROLLMENT_REMOVE);
	fake_boot(&f);
	ck_assert(!f.node.config.enrolled);
	ck_assert(!f.mesh_on);
	ck_assert(secret16_is_unset(&f.node.config.user_base_key));
	for (size_t i = 0; i + 16 <= sizeof(f.flash.b); i++) /* no key is left anywhere */
		ck_assert_mem_ne(f.flash.b + i, key_1, 16);
	ask_removal(&f, FAKE_SERIAL, FAKE_REQUESTER); /* already so: OK, no reboot */
	ck_assert_int_eq(remove_answer(&f), MESHMSG_RESULT_OK);
	fake_run(&f, 5000);
	ck_assert_uint_eq(f.reboots, 2);
}
END_TEST

START_TEST(removal_restores_the_default_enrollment_with_its_key)
{
	struct fake_port f;

	set_up_enrolled(&f);
	f.uicr[9] = 1;
	f.uicr[10] = 500;
	memset(&f.uicr[13], 0x99, 16);
	fake_boot(&f);
	ask_removal(&f, FAKE_SERIAL, FAKE_REQUESTER);
	fake_flash(&f);
	fake_run(&f, 1200);
	fake_boot(&f);
	ck_assert(f.node.config.enrolled);
	ck_assert(f.mesh_on);
	ck_assert_uint_eq(f.mesh.network_id, 1);
	ck_assert_uint_eq(f.mesh.node_id, 500);
	ck_assert_mem_eq(f.mesh.network_key.b, key_9, 16);
}
END_TEST

START_TEST(removal_by_nobody_is_not_answered)
{
	struct fake_port f;

	set_up_enrolled(&f);
	ask_removal(&f, FAKE_SERIAL, 0);
	fake_flash(&f);
	ck_assert_int_eq(remove_answer(&f), -1);
	ck_assert(!f.node.config.enrolled);
}
END_TEST

static void hold_button(struct fake_port *f, uint64_t ms)
{
	node_on_button(&f->node, f->now_ms, true);
	fake_run(f, ms);
	node_on_button(&f->node, f->now_ms, false);
	f->leds_changes = f->leds != 0;
	fake_run(f, 6600);
	fake_flash(f);
}

START_TEST(the_button_removes_between_ten_and_fourteen_seconds)
{
	struct fake_port f;

	set_up_enrolled(&f);
	hold_button(&f, 12000);
	ck_assert(f.node.config.enrolled); /* off by default */
	f.features.button_remove_ds = 100;
	hold_button(&f, 10000);
	hold_button(&f, 14000);
	ck_assert(f.node.config.enrolled);
	hold_button(&f, 10010);
	ck_assert(!f.node.config.enrolled);
	ck_assert_int_eq(answer(&f, MESHMSG_REMOVE_ENROLLMENT_RESPONSE, 0), MESHMSG_RESULT_OK);
	set_up_enrolled(&f);
	f.features.button_remove_ds = 100;
	hold_button(&f, 13990);
	ck_assert(!f.node.config.enrolled);
	ck_assert_uint_eq(f.power_offs, 0);
}
END_TEST

/* 65 toggles, 6.5 s, dark at the end; all the while the node works. */
START_TEST(the_leds_flash_before_the_removal_and_nothing_waits)
{
	const struct meshmsg_route route = {FAKE_REQUESTER, 77, 0x51};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct fake_port f;
	struct meshmsg m;

	set_up_enrolled(&f);
	f.features.button_remove_ds = 100;
	node_on_button(&f.node, f.now_ms, true);
	fake_run(&f, 11000);
	f.leds_changes = 0;
	f.leds = 0;
	node_on_button(&f.node, f.now_ms, false);
	ck_assert_uint_eq(f.leds, PORT_LED_RED | PORT_LED_GREEN | PORT_LED_BLUE);
	fake_run(&f, 3000);
	ck_assert_uint_ge(f.leds_changes, 30);
	ck_assert_uint_le(f.leds_changes, 31);
	ck_assert_int_eq(meshmsg_encode_plain(&w, route, MESHMSG_PING), ERR_OK);
	fake_clear(&f);
	fake_receive(&f, b, w.len_bytes);
	ck_assert(fake_find(&f, MESHMSG_PING_RESPONSE, &m));
	node_on_button(&f.node, f.now_ms, true); /* changes nothing any more */
	node_on_button(&f.node, f.now_ms, false);
	fake_run(&f, 3400);
	ck_assert(f.node.config.enrolled);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_IDLE);
	fake_run(&f, 200);
	fake_flash(&f);
	ck_assert_uint_eq(f.leds_changes, BUTTON_FLASH_COUNT + 1);
	ck_assert_uint_eq(f.leds, 0);
	ck_assert(!f.node.config.enrolled);
	fake_run(&f, 1200);
	ck_assert_uint_eq(f.reboots, 2);
	ck_assert_int_eq(f.reboot_why, PORT_REBOOT_ENROLLMENT_REMOVE);
}
END_TEST

START_TEST(a_short_press_powers_off)
{
	static const struct {
		uint64_t ms;
		uint32_t offs;
	} rows[] = {{20, 0}, {50, 1}, {1000, 1}, {1990, 1}, {2000, 0}, {9000, 0}, {15000, 0}};
	struct fake_port f;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up_enrolled(&f);
		f.features.button_remove_ds = 100;
		hold_button(&f, rows[i].ms);
		ck_assert_uint_eq(f.power_offs, 0); /* off by default */
		f.features.button_power_off = true;
		hold_button(&f, rows[i].ms);
		ck_assert_uint_eq(f.power_offs, rows[i].offs);
		ck_assert(f.node.config.enrolled);
	}
	fake_boot(&f); /* the end of the press that woke us */
	node_on_button(&f.node, f.now_ms, false);
	ck_assert_uint_eq(f.power_offs, 0);
}
END_TEST

/* --- the rest
 * ------------------------------------------------------------------------------------------ */

START_TEST(without_storage_it_lasts_until_the_power_fails)
{
	struct fake_port f;

	make_keys();
	fake_init(&f);
	f.features.no_storage = true;
	enroll(&f);
	fake_run(&f, 5000);
	ck_assert_uint_eq(f.reboots, 1);
	fake_boot(&f);
	ck_assert(f.node.config.enrolled);
	ck_assert_uint_eq(f.node.config.node_id, 77);
	ck_assert_uint_eq(f.flash.op_count, 0);
	f.noinit[5] ^= 1; /* as after a loss of power */
	fake_boot(&f);
	ck_assert(!f.node.config.enrolled);
}
END_TEST

static int set_network(struct fake_port *f, uint16_t network_id)
{
	const struct meshmsg_route route = {FAKE_REQUESTER, f->node.config.node_id, 8};
	uint8_t b[MESHMSG_BYTES_MAX], code = 0xFF;
	struct wr w = wr_init(b, sizeof(b));
	struct meshmsg m;

	ck_assert_int_eq(meshmsg_encode_set_network(&w, route, network_id), ERR_OK);
	fake_clear(f);
	fake_receive(f, b, w.len_bytes);
	ck_assert(fake_find(f, MESHMSG_SET_NETWORK_RESPONSE, &m));
	ck_assert_uint_eq(m.receiver, FAKE_REQUESTER);
	ck_assert_int_eq(meshmsg_decode_set_network_response(&m, &code), ERR_OK);
	return code;
}

START_TEST(only_an_asset_changes_its_network_alone)
{
	struct fake_port f;
	struct meshadv adv;

	fake_init(&f);
	ck_assert_int_eq(set_network(&f, 12), 1);
	ck_assert_uint_eq(f.node.config.network_id, 0);
	f.features.device_type = MESHADV_DEVICE_ASSET;
	ck_assert_int_eq(set_network(&f, 12), 0);
	ck_assert_int_eq(meshadv_decode(f.adv, f.adv_bytes, &adv), ERR_OK);
	ck_assert_uint_eq(adv.network_id, 12);
	fake_run(&f, 10000);
	ck_assert_uint_eq(f.reboots, 0);
	fake_boot(&f);
	ck_assert_uint_eq(f.node.config.network_id, 0); /* not persistent */
}
END_TEST

/* Every length of the request: short ones are ignored, whole ones work, longer ones are clamped. */
START_TEST(takes_requests_of_any_length)
{
	struct meshmsg_set_enrollment m;
	uint8_t b[MESHMSG_BYTES_MAX] = {0};
	struct fake_port f;

	make_keys();
	m = request();
	for (size_t n = 0; n <= sizeof(b); n++) {
		const struct meshmsg_route route = {FAKE_REQUESTER, FAKE_DEFAULT_ID, 1};
		struct wr w = wr_init(b, sizeof(b));

		fake_init(&f);
		ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_OK);
		fake_receive(&f, b, n);
		fake_flash(&f);
		ck_assert_int_eq(f.node.config.enrolled, n >= 16);
		ck_assert_int_eq(memcmp(f.node.config.organization_key.b, key_3, 16) == 0, n >= 64);
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, boots_unenrolled_and_silent);
	tcase_add_test(tc, enrolls_in_the_order_of_the_specification);
	tcase_add_test(tc, answers_the_same_data_ok_without_a_reboot);
	tcase_add_test(tc, answers_the_same_data_in_the_seconds_before_the_reboot);
	tcase_add_test(tc, refuses_other_data_if_it_must_be_unenrolled);
	tcase_add_test(tc, checks_node_ids_by_device_type);
	tcase_add_test(tc, zero_ids_leave_unchanged_when_enrolled);
	tcase_add_test(tc, absent_keys_leave_unchanged);
	tcase_add_test(tc, after_a_failed_save_all_is_as_before_and_a_retry_works);
	tcase_add_test(tc, a_power_cut_leaves_the_old_or_the_new_enrollment);
	tcase_add_test(tc, handlers_are_asked_one_after_the_other);
	tcase_add_test(tc, a_failing_handler_stops_the_enrollment);
	tcase_add_test(tc, all_handlers_together_have_fifteen_seconds);
	tcase_add_test(tc, a_waiting_handler_lets_it_go_on);
	tcase_add_test(tc, a_late_failure_stops_it);
	tcase_add_test(tc, handlers_are_asked_before_a_removal_too);
	tcase_add_test(tc, removal_goes_back_to_unenrolled);
	tcase_add_test(tc, removal_restores_the_default_enrollment_with_its_key);
	tcase_add_test(tc, removal_by_nobody_is_not_answered);
	tcase_add_test(tc, the_button_removes_between_ten_and_fourteen_seconds);
	tcase_add_test(tc, the_leds_flash_before_the_removal_and_nothing_waits);
	tcase_add_test(tc, a_short_press_powers_off);
	tcase_add_test(tc, without_storage_it_lasts_until_the_power_fails);
	tcase_add_test(tc, only_an_asset_changes_its_network_alone);
	tcase_add_test(tc, takes_requests_of_any_length);
}

int main(void)
{
	return suite_main("firmware/enroll", fill);
}
