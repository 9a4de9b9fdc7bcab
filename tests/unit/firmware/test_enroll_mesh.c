/* What a node does with an enrollment of somebody else (mesh-protocol §4.6, §4.10, §4.11):
 * decisions and limits, on a board of the test's own. That it works between whole nodes is
 * test_fleet's. */
#include "enr/meshadv.h"
#include "support/fake_port.h"
#include "unit/suite.h"

#define TARGET 500u
#define OWN_ID 77
#define NO_SKIP 60 /* a roll that neither proposes nor skips */
#define SKIPS 30
#define PROPOSES 5

static const uint8_t target_address[PORT_ADDRESS_BYTES] = {1, 9, 8, 7, 6, 5, 0xC4};

static void set_up(struct fake_port *f, uint16_t cluster_size)
{
	struct port_mesh_state state = {.cluster_size = cluster_size, .hops_to_sink = -1};

	fake_init(f);
	f->node.config.enrolled = true;
	f->node.config.node_id = OWN_ID;
	f->node.config.network_id = 480;
	f->random = NO_SKIP;
	node_on_mesh(&f->node, f->now_ms, &state);
	fake_clear(f);
}

static void ask(struct fake_port *f, uint16_t receiver, const uint8_t *node_key, uint8_t timeout_s)
{
	const struct meshmsg_set_enrollment m = {
		.serial_index = TARGET,
		.node_id = 3,
		.network_id = 480,
		.node_key = node_key,
		.timeout_s = timeout_s,
	};
	const struct meshmsg_route route = {FAKE_REQUESTER, receiver, 0x44};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_OK);
	fake_receive(f, b, w.len_bytes);
}

static void hear(struct fake_port *f, uint32_t serial_index, int8_t rssi_dbm, bool connectable)
{
	const struct meshadv adv = {.serial_index = serial_index,
		.has_free_in_connection = connectable,
		.device_type = MESHADV_DEVICE_STATIC};
	uint8_t b[MESHADV_BYTES];
	struct port_report report = {.rssi_dbm = rssi_dbm, .connectable = connectable};

	meshadv_encode(&adv, b);
	memcpy(report.address, target_address, sizeof(report.address));
	report.data = (struct span){b, sizeof(b)};
	node_on_report(&f->node, f->now_ms, &report);
}

static const uint8_t key_a[16] = {1, 2, 3};
static const uint8_t key_zero[16];

START_TEST(a_directed_request_is_always_taken)
{
	struct fake_port f;

	set_up(&f, 5);
	f.random = SKIPS;
	ask(&f, OWN_ID, key_a, 10);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_SCANNING);
	ck_assert_int_eq(f.scan, PORT_SCAN_HIGH);
	ck_assert_uint_eq(f.sent_count, 0);
}
END_TEST

START_TEST(a_broadcast_loses_the_coin_flip)
{
	struct fake_port f;

	set_up(&f, 5);
	f.random = SKIPS;
	ask(&f, MESHMSG_BROADCAST, key_a, 10);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_IDLE);
	f.random = NO_SKIP;
	ask(&f, MESHMSG_BROADCAST, key_a, 10);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_SCANNING);
	set_up(&f, 1); /* alone: nobody else would do it */
	f.random = SKIPS;
	ask(&f, MESHMSG_BROADCAST, key_a, 10);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_SCANNING);
}
END_TEST

START_TEST(one_in_ten_proposes_what_it_has_seen)
{
	struct fake_port f;
	struct meshmsg m;
	struct meshmsg_serials serials;

	set_up(&f, 5);
	hear(&f, 11, -60, true);
	hear(&f, 12, -85, true); /* too weak: it must be louder than this */
	hear(&f, 13, -84, true);
	hear(&f, 14, -50, false);
	hear(&f, 13, -60, true); /* known */
	f.random = PROPOSES;
	ask(&f, MESHMSG_BROADCAST, key_a, 10);
	ck_assert(fake_find(&f, MESHMSG_ENROLLMENT_PROPOSAL, &m));
	ck_assert_uint_eq(m.receiver, FAKE_REQUESTER);
	ck_assert_uint_eq(m.request_handle, 0);
	ck_assert_int_eq(meshmsg_decode_proposal(&m, &serials), ERR_OK);
	ck_assert_uint_eq(serials.count, 2);
	ck_assert_uint_eq(serials.index[0], 11);
	ck_assert_uint_eq(serials.index[1], 13);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_IDLE); /* never both */
}
END_TEST

START_TEST(remembers_the_last_three)
{
	struct fake_port f;

	set_up(&f, 5);
	for (uint32_t i = 0; i <= 5; i++)
		hear(&f, i, -60, true);
	ck_assert_uint_eq(f.node.enroll.seen[0], 4);
	ck_assert_uint_eq(f.node.enroll.seen[1], 5);
	ck_assert_uint_eq(f.node.enroll.seen[2], 3);
}
END_TEST

START_TEST(is_silent_without_a_node_key)
{
	static const uint8_t none[16] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
		0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
	struct fake_port f;

	set_up(&f, 1);
	f.random = PROPOSES;
	ask(&f, OWN_ID, none, 10);
	ck_assert_uint_eq(f.sent_count, 0);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_IDLE);
}
END_TEST

START_TEST(is_silent_when_busy)
{
	struct fake_port f;
	uint64_t deadline;

	set_up(&f, 5);
	ask(&f, OWN_ID, key_a, 10);
	deadline = f.node.enroll.deadline_ms;
	fake_run(&f, 1000);
	ask(&f, OWN_ID, key_a, 100);
	ck_assert_uint_eq(f.sent_count, 0);
	ck_assert_uint_eq(f.node.enroll.deadline_ms, deadline);
}
END_TEST

START_TEST(connects_when_the_target_is_heard_at_any_strength)
{
	struct fake_port f;

	set_up(&f, 5);
	ask(&f, OWN_ID, key_a, 9);
	hear(&f, TARGET + 1, -40, true);
	hear(&f, TARGET, -40, false);
	ck_assert(!f.connecting);
	fake_run(&f, 500);
	hear(&f, TARGET, -95, true);
	ck_assert(f.connecting);
	ck_assert_mem_eq(f.connect_address, target_address, PORT_ADDRESS_BYTES);
	ck_assert_uint_eq(f.connect_timeout_ms, 8000);
	ck_assert_uint_eq(f.node.access.want.key_id, MESHSEC_KEY_NODE);
	ck_assert_mem_eq(f.node.access.want.ltk.b, key_a, 16);
	ck_assert_int_eq(f.node.access.want.tunnel, MESHSEC_TUNNEL_PEER);
}
END_TEST

START_TEST(a_node_key_of_zeros_means_the_zero_key)
{
	struct fake_port f;

	set_up(&f, 5);
	ask(&f, OWN_ID, key_zero, 30);
	hear(&f, TARGET, -60, true);
	ck_assert_uint_eq(f.node.access.want.key_id, MESHSEC_KEY_ZERO);
	ck_assert_uint_eq(f.connect_timeout_ms, 10000); /* at most */
}
END_TEST

START_TEST(does_not_connect_in_the_last_two_seconds)
{
	struct fake_port f;

	set_up(&f, 5);
	ask(&f, OWN_ID, key_a, 5);
	fake_run(&f, 3010);
	hear(&f, TARGET, -60, true);
	ck_assert(!f.connecting);
}
END_TEST

START_TEST(time_out_is_silent_and_zero_means_ten_seconds)
{
	struct fake_port f;

	set_up(&f, 5);
	ask(&f, OWN_ID, key_a, 0);
	fake_run(&f, 9900);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_SCANNING);
	hear(&f, TARGET, -60, true);
	ck_assert(!f.connecting);
	fake_run(&f, 300);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_IDLE);
	ck_assert_uint_eq(f.sent_count, 0);
	ck_assert(bytes_are_ct(f.node.enroll.request, sizeof(f.node.enroll.request), 0));
}
END_TEST

START_TEST(a_pending_connect_is_cancelled_at_the_deadline)
{
	struct fake_port f;

	set_up(&f, 5);
	ask(&f, OWN_ID, key_a, 4);
	hear(&f, TARGET, -60, true);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_CONNECTING);
	fake_run(&f, 4100);
	ck_assert(!f.connecting);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_IDLE);
}
END_TEST

START_TEST(a_failed_connect_is_tried_again)
{
	struct fake_port f;

	set_up(&f, 5);
	ask(&f, OWN_ID, key_a, 10);
	hear(&f, TARGET, -60, true);
	node_on_connect_failed(&f.node, f.now_ms);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_SCANNING);
	hear(&f, TARGET, -60, true);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_CONNECTING);
}
END_TEST

/* fleet-baseline: a helper without a free outgoing connection. Ours waits for one. */
START_TEST(without_a_free_connection_it_goes_on_scanning)
{
	struct port_mesh_state full = {.cluster_size = 5, .hops_to_sink = -1, .links_out = 3};
	struct fake_port f;

	set_up(&f, 5);
	node_on_mesh(&f.node, f.now_ms, &full);
	ask(&f, OWN_ID, key_a, 10);
	hear(&f, TARGET, -60, true);
	ck_assert(!f.connecting);
	full.links_out = 2;
	node_on_mesh(&f.node, f.now_ms, &full);
	hear(&f, TARGET, -60, true);
	ck_assert(f.connecting);
}
END_TEST

START_TEST(its_own_enrollment_comes_first)
{
	const struct meshmsg_set_enrollment m = {
		.serial_index = FAKE_SERIAL, .node_id = 5, .network_id = 9, .network_key = key_a};
	const struct meshmsg_route route = {FAKE_REQUESTER, OWN_ID, 1};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct fake_port f;

	set_up(&f, 5);
	ask(&f, OWN_ID, key_a, 10);
	hear(&f, TARGET, -60, true);
	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_OK);
	fake_receive(&f, b, w.len_bytes);
	ck_assert(!f.connecting);
	fake_flash(&f);
	ck_assert_uint_eq(f.node.config.node_id, 5);
}
END_TEST

static void request_proposals(struct fake_port *f, const uint32_t *list, uint8_t count)
{
	const struct meshmsg_route route = {FAKE_REQUESTER, OWN_ID, 0x55};
	struct meshmsg_serials serials = {.count = count};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	memcpy(serials.index, list, count * sizeof(list[0]));
	ck_assert_int_eq(meshmsg_encode_request_proposals(&w, route, &serials), ERR_OK);
	fake_receive(f, b, w.len_bytes);
}

START_TEST(tells_once_whom_it_sees_for_a_minute)
{
	static const uint32_t list[] = {21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
	struct fake_port f;
	struct meshmsg m;
	uint32_t serial;

	set_up(&f, 5);
	request_proposals(&f, list, 11);
	ck_assert_uint_eq(f.sent_count, 0); /* no acknowledgement */
	ck_assert_int_eq(f.scan, PORT_SCAN_HIGH);
	hear(&f, 22, -85, true);
	hear(&f, 40, -50, true);
	ck_assert_uint_eq(f.sent_count, 0);
	hear(&f, 22, -84, true);
	hear(&f, 22, -50, true);
	ck_assert_uint_eq(f.sent_count, 1);
	ck_assert(fake_find(&f, MESHMSG_PROPOSALS_RESPONSE, &m));
	ck_assert_int_eq(meshmsg_decode_proposals_response(&m, &serial), ERR_OK);
	ck_assert_uint_eq(serial, 22);
	ck_assert_uint_eq(m.receiver, FAKE_REQUESTER);
	ck_assert_uint_eq(m.request_handle, 0x55);
	hear(&f, 31, -50, true);
	ck_assert_uint_eq(f.sent_count, 2);
	request_proposals(&f, list, 1); /* replaces the list */
	hear(&f, 30, -50, true);
	ck_assert_uint_eq(f.sent_count, 2);
	fake_run(&f, 60100);
	hear(&f, 21, -50, true);
	ck_assert_uint_eq(f.sent_count, 2);
	ck_assert_int_eq(f.scan, PORT_SCAN_LOW);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, a_directed_request_is_always_taken);
	tcase_add_test(tc, a_broadcast_loses_the_coin_flip);
	tcase_add_test(tc, one_in_ten_proposes_what_it_has_seen);
	tcase_add_test(tc, remembers_the_last_three);
	tcase_add_test(tc, is_silent_without_a_node_key);
	tcase_add_test(tc, is_silent_when_busy);
	tcase_add_test(tc, connects_when_the_target_is_heard_at_any_strength);
	tcase_add_test(tc, a_node_key_of_zeros_means_the_zero_key);
	tcase_add_test(tc, does_not_connect_in_the_last_two_seconds);
	tcase_add_test(tc, time_out_is_silent_and_zero_means_ten_seconds);
	tcase_add_test(tc, a_pending_connect_is_cancelled_at_the_deadline);
	tcase_add_test(tc, a_failed_connect_is_tried_again);
	tcase_add_test(tc, without_a_free_connection_it_goes_on_scanning);
	tcase_add_test(tc, its_own_enrollment_comes_first);
	tcase_add_test(tc, tells_once_whom_it_sees_for_a_minute);
}

int main(void)
{
	return suite_main("firmware/enroll_mesh", fill);
}
