/* When a node looks for others of its network, and when no longer (mesh-protocol §8.2, §8.4). */
#include "support/fake_port.h"
#include "unit/suite.h"

#define OWN_ID 7
#define ASKER 9

static void set_cluster(struct fake_port *f, uint16_t size)
{
	const struct port_mesh_state state = {.cluster_size = size, .hops_to_sink = -1};

	node_on_mesh(&f->node, f->now_ms, &state);
}

static void send(struct fake_port *f, const struct wr *w, enum err encoded)
{
	ck_assert_int_eq(encoded, ERR_OK);
	fake_clear(f);
	fake_receive(f, w->p, w->len_bytes);
}

static void set_count(struct fake_port *f, uint16_t count)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	send(f, &w,
		meshmsg_encode_enrolled_nodes(&w, (struct meshmsg_route){ASKER, OWN_ID, 5},
			MESHMSG_SET_ENROLLED_NODES, count));
}

static void set_discovery(struct fake_port *f, bool is_high)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	send(f, &w,
		meshmsg_encode_set_discovery(
			&w, (struct meshmsg_route){ASKER, OWN_ID, 5}, is_high));
}

/* A member of a mesh of that many. */
static void set_up(struct fake_port *f, uint16_t cluster_size)
{
	fake_init(f);
	f->node.config.enrolled = true;
	f->node.config.node_id = OWN_ID;
	f->node.config.network_id = 480;
	set_cluster(f, cluster_size);
}

static void check_idle(const struct fake_port *f, bool is_idle)
{
	ck_assert(f->is_idle == is_idle);
	ck_assert_int_eq(f->scan, is_idle ? PORT_SCAN_OFF : PORT_SCAN_LOW);
}

START_TEST(the_right_number_makes_it_idle_at_once)
{
	struct fake_port f;

	set_up(&f, 3);
	check_idle(&f, false);
	set_count(&f, 4);
	check_idle(&f, false);
	set_count(&f, 3);
	check_idle(&f, true);
	set_count(&f, 3); /* told twice */
	check_idle(&f, true);
	set_count(&f, 4); /* a newcomer is expected */
	check_idle(&f, false);
	set_count(&f, 3);
	set_count(&f, 0); /* unknown */
	check_idle(&f, false);
}
END_TEST

START_TEST(ten_seconds_after_the_last_change_it_is_idle)
{
	struct fake_port f;

	set_up(&f, 2);
	set_count(&f, 3);
	set_cluster(&f, 3);
	fake_run(&f, 9000);
	check_idle(&f, false);
	set_cluster(&f, 2); /* one was lost, and comes back */
	fake_run(&f, 11000);
	check_idle(&f, false);
	set_cluster(&f, 3);
	fake_run(&f, 9900);
	check_idle(&f, false);
	fake_run(&f, 200);
	check_idle(&f, true);
}
END_TEST

START_TEST(a_change_wakes_an_idle_mesh)
{
	struct fake_port f;

	set_up(&f, 3);
	set_count(&f, 3);
	check_idle(&f, true);
	set_cluster(&f, 2);
	check_idle(&f, false);
	fake_run(&f, 60000);
	check_idle(&f, false);
}
END_TEST

/* A count below two means nothing: a lone node of a fleet of one would be deaf for ever. */
START_TEST(alone_it_never_rests)
{
	struct fake_port f;

	set_up(&f, 1);
	set_count(&f, 1);
	fake_run(&f, 60000);
	check_idle(&f, false);
}
END_TEST

START_TEST(does_as_it_is_told_and_says_so)
{
	struct meshmsg m;
	struct fake_port f;

	set_up(&f, 3);
	set_discovery(&f, false);
	check_idle(&f, true);
	ck_assert(fake_find(&f, MESHMSG_DISCOVERY_SET, &m));
	ck_assert_uint_eq(m.receiver, ASKER);
	ck_assert_uint_eq(m.sender, OWN_ID);
	ck_assert_uint_eq(m.request_handle, 0); /* §8.4: not echoed */
	ck_assert_uint_eq(m.payload.n, 0);
	set_discovery(&f, true);
	check_idle(&f, false);
	fake_run(&f, 60000);
	check_idle(&f, false);
}
END_TEST

START_TEST(an_idle_node_still_scans_for_whom_it_is_asked)
{
	const struct meshmsg_serials serials = {1, {77}};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct fake_port f;

	set_up(&f, 3);
	set_count(&f, 3);
	send(&f, &w,
		meshmsg_encode_request_proposals(
			&w, (struct meshmsg_route){ASKER, OWN_ID, 5}, &serials));
	ck_assert_int_eq(f.scan, PORT_SCAN_HIGH);
	ck_assert(f.is_idle);
	fake_run(&f, 61000);
	check_idle(&f, true);
}
END_TEST

/* §4.4 step 1: an enrollment keeps high discovery, but does not bring it back. */
START_TEST(an_enrollment_keeps_it_awake)
{
	const struct meshmsg_set_enrollment request = {
		.serial_index = 77, .node_id = 5, .network_id = 480, .timeout_s = 10};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct fake_port f;

	set_up(&f, 2);
	set_count(&f, 3);
	set_cluster(&f, 3);
	fake_run(&f, 9000);
	send(&f, &w,
		meshmsg_encode_set_enrollment(
			&w, (struct meshmsg_route){ASKER, OWN_ID, 5}, &request));
	fake_run(&f, 9000);
	check_idle(&f, false);
	fake_run(&f, 1100);
	check_idle(&f, true);
	fake_receive(&f, w.p, w.len_bytes);
	check_idle(&f, true);
}
END_TEST

START_TEST(a_reboot_forgets_it)
{
	struct fake_port f;

	set_up(&f, 3);
	set_count(&f, 3);
	check_idle(&f, true);
	fake_boot(&f);
	ck_assert_int_eq(f.scan, PORT_SCAN_LOW);
	ck_assert(!f.node.discovery.is_idle);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, the_right_number_makes_it_idle_at_once);
	tcase_add_test(tc, ten_seconds_after_the_last_change_it_is_idle);
	tcase_add_test(tc, a_change_wakes_an_idle_mesh);
	tcase_add_test(tc, alone_it_never_rests);
	tcase_add_test(tc, does_as_it_is_told_and_says_so);
	tcase_add_test(tc, an_idle_node_still_scans_for_whom_it_is_asked);
	tcase_add_test(tc, an_enrollment_keeps_it_awake);
	tcase_add_test(tc, a_reboot_forgets_it);
}

int main(void)
{
	return suite_main("firmware/discovery", fill);
}
