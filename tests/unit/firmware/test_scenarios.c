/* The scenarios of the mission's text, each with whole nodes in the virtual air: what a node is
 * when we meet it, how it is enrolled from there, and what its button does. */
#include "base/crypto_openssl.h"
#include "support/sim_gateway.h"
#include "unit/suite.h"

#define OLD_NETWORK 300
#define NEW_NETWORK 480
#define ENROLLMENT_NETWORK 1
#define SERIAL 100u
#define NEW_ID 77

static struct secret16 key_of(uint8_t byte)
{
	struct secret16 k;

	memset(k.b, byte, sizeof(k.b));
	return k;
}

struct scene {
	struct air *air;
	struct gateway g;
	struct secret16 node_key, old_key, new_key;
};

static void set_up(struct scene *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->node_key = key_of(0xA0);
	s->old_key = key_of(0x10);
	s->new_key = key_of(0x44);
	s->air = air_new(seed, aes128_default());
	gateway_init(&s->g, s->air);
}

static void tear_down(struct scene *s)
{
	gateway_done(&s->g);
	air_free(s->air);
}

static struct sim_spec spec_of(const struct scene *s)
{
	struct sim_spec spec;

	sim_spec_init(&spec);
	spec.serial_index = SERIAL;
	spec.node_key = s->node_key;
	return spec;
}

static struct sim_node *add(struct scene *s, const struct sim_spec *spec)
{
	struct sim_node *n;

	ck_assert_int_eq(air_add_node(s->air, spec, NULL, &n), ERR_OK);
	air_run_until(s->air, air_now_ms(s->air) + 1000);
	return n;
}

/* Another node that is in this network already. */
static struct sim_node *add_member(
	struct scene *s, uint32_t serial, uint16_t network, uint16_t id, struct secret16 key)
{
	struct sim_spec spec;

	sim_spec_init(&spec);
	spec.serial_index = serial;
	spec.node_key = key_of((uint8_t)serial);
	spec.preset.enrolled = true;
	spec.preset.network_id = network;
	spec.preset.node_id = id;
	spec.preset.network_key = key;
	return add(s, &spec);
}

static void send_enrollment(struct scene *s, uint16_t receiver, uint8_t handle)
{
	const struct meshmsg_set_enrollment request = {
		.serial_index = SERIAL,
		.node_id = NEW_ID,
		.network_id = NEW_NETWORK,
		.network_key = s->new_key.b,
		.node_key = s->node_key.b,
		.timeout_s = 10,
	};
	const struct meshmsg_route route = {GATEWAY_ID, receiver, handle};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &request), ERR_OK);
	gateway_send(&s->g, b, w.len_bytes);
}

/* Asks, and waits for the answer and the reboot. */
static void enroll(struct scene *s, uint16_t receiver)
{
	struct meshmsg_enroll_response response;
	struct meshmsg m;

	send_enrollment(s, receiver, 0x42);
	ck_assert(gateway_wait(&s->g, MESHMSG_ENROLLMENT_RESPONSE, 15000, &m));
	ck_assert_int_eq(meshmsg_decode_enroll_response(&m, &response), ERR_OK);
	ck_assert_uint_eq(response.serial_index, SERIAL);
	ck_assert_uint_eq(response.code, MESHMSG_RESULT_OK);
	ck_assert_uint_eq(m.request_handle, 0x42);
	gateway_run(&s->g, 6000);
}

static bool opens(struct scene *s, struct sim_node *n, uint32_t key_id, struct secret16 key)
{
	return gateway_open(&s->g, n, key_id, MESHSEC_TUNNEL_REMOTE_MESH, &key);
}

static void check_new(const struct scene *s, const struct sim_node *n)
{
	struct sim_enrollment e;

	sim_node_state(n, &e);
	ck_assert(e.enrolled);
	ck_assert_uint_eq(e.network_id, NEW_NETWORK);
	ck_assert_uint_eq(e.node_id, NEW_ID);
	ck_assert(bytes_equal_ct(&e.network_key, &s->new_key, sizeof(s->new_key)));
}

/* --- the four scenarios ------------------------------------------------------------------------
 */

START_TEST(an_unenrolled_node_is_in_no_mesh_and_takes_its_node_key)
{
	struct sim_node *n, *member;
	struct sim_spec spec;
	struct scene s;

	set_up(&s, 1);
	spec = spec_of(&s);
	member = add_member(&s, 7, NEW_NETWORK, 1, s.new_key);
	n = add(&s, &spec);
	gateway_run(&s.g, 60000);
	ck_assert_uint_eq(sim_node_cluster_size(n), 1);
	ck_assert_uint_eq(sim_node_cluster_size(member), 1);
	ck_assert(opens(&s, n, MESHSEC_KEY_NODE, s.node_key));
	enroll(&s, 0);
	check_new(&s, n);
	gateway_run(&s.g, 60000);
	ck_assert_uint_eq(sim_node_cluster_size(n), 2);
	ck_assert_uint_eq(sim_node_cluster_size(member), 2);
	tear_down(&s);
}
END_TEST

START_TEST(a_node_of_a_lost_network_is_enrolled_by_its_node_key)
{
	struct sim_node *n, *old_friend, *member;
	struct sim_spec spec;
	struct scene s;

	set_up(&s, 2);
	spec = spec_of(&s);
	spec.preset.enrolled = true;
	spec.preset.network_id = OLD_NETWORK;
	spec.preset.node_id = 9;
	spec.preset.network_key = s.old_key;
	n = add(&s, &spec);
	old_friend = add_member(&s, 8, OLD_NETWORK, 10, s.old_key);
	member = add_member(&s, 7, NEW_NETWORK, 1, s.new_key);
	gateway_run(&s.g, 60000);
	ck_assert_uint_eq(sim_node_cluster_size(n), 2); /* it is active, in its network */
	ck_assert_uint_eq(sim_node_cluster_size(old_friend), 2);
	ck_assert(!opens(&s, n, MESHSEC_KEY_NETWORK, s.new_key)); /* we have no access to it */
	ck_assert(opens(&s, n, MESHSEC_KEY_NODE, s.node_key));
	enroll(&s, 0);
	check_new(&s, n);
	gateway_run(&s.g, 60000);
	ck_assert_uint_eq(sim_node_cluster_size(n), 2);
	ck_assert_uint_eq(sim_node_cluster_size(member), 2);
	ck_assert_uint_eq(sim_node_cluster_size(old_friend), 1);
	tear_down(&s);
}
END_TEST

START_TEST(an_enrollment_network_hands_its_nodes_on)
{
	struct sim_node *n, *helper, *member;
	struct sim_spec spec;
	struct scene s;

	set_up(&s, 3);
	spec = spec_of(&s);
	spec.uicr_network_id = ENROLLMENT_NETWORK;
	spec.uicr_node_id = 500;
	spec.has_uicr_network_key = true;
	spec.uicr_network_key = s.old_key;
	n = add(&s, &spec);
	helper = add_member(&s, 8, ENROLLMENT_NETWORK, 2, s.old_key);
	member = add_member(&s, 7, NEW_NETWORK, 1, s.new_key);
	gateway_run(&s.g, 60000);
	ck_assert_uint_eq(sim_node_cluster_size(n), 2);
	ck_assert(opens(&s, helper, MESHSEC_KEY_NETWORK, s.old_key));
	enroll(&s, 0); /* a broadcast: through the mesh of the enrollment network */
	check_new(&s, n);
	ck_assert_uint_eq(sim_node_reboots(n), 1);
	gateway_run(&s.g, 60000);
	ck_assert_uint_eq(sim_node_cluster_size(helper), 1);
	ck_assert_uint_eq(sim_node_cluster_size(member), 2);
	tear_down(&s);
}
END_TEST

START_TEST(a_node_with_a_default_enrollment_joins_after_flashing)
{
	struct sim_node *n, *other;
	struct sim_enrollment e;
	struct sim_spec spec;
	struct scene s;

	set_up(&s, 4);
	spec = spec_of(&s);
	spec.uicr_network_id = ENROLLMENT_NETWORK;
	spec.uicr_node_id = 500;
	spec.has_uicr_network_key = true;
	spec.uicr_network_key = s.old_key;
	spec.button_ds = 100;
	n = add(&s, &spec);
	spec.serial_index = SERIAL + 1;
	spec.uicr_node_id = 501;
	other = add(&s, &spec);
	gateway_run(&s.g, 60000);
	ck_assert_uint_eq(sim_node_cluster_size(n), 2);
	ck_assert(opens(&s, n, MESHSEC_KEY_NETWORK, s.old_key));
	enroll(&s, 500);
	check_new(&s, n);
	sim_node_button(n, true); /* and back to its defaults */
	gateway_run(&s.g, 12000);
	sim_node_button(n, false);
	gateway_run(&s.g, 60000);
	sim_node_state(n, &e);
	ck_assert(e.enrolled);
	ck_assert_uint_eq(e.network_id, ENROLLMENT_NETWORK);
	ck_assert_uint_eq(e.node_id, 500);
	ck_assert(bytes_equal_ct(&e.network_key, &s.old_key, sizeof(s.old_key)));
	ck_assert_uint_eq(sim_node_cluster_size(other), 2);
	tear_down(&s);
}
END_TEST

/* --- the button -------------------------------------------------------------------------------
 */

static uint32_t heard_in(struct scene *s, uint64_t ms)
{
	s->g.heard_count = 0;
	gateway_run(&s->g, ms);
	return s->g.heard_count;
}

START_TEST(a_press_powers_off_and_the_next_one_wakes)
{
	struct sim_spec spec;
	struct sim_node *n;
	struct scene s;

	set_up(&s, 5);
	spec = spec_of(&s);
	spec.button_power_off = true;
	n = add(&s, &spec);
	ck_assert(opens(&s, n, MESHSEC_KEY_NODE, s.node_key));
	enroll(&s, 0);
	air_radio_scan(s.g.radio, true);
	ck_assert_uint_gt(heard_in(&s, 1000), 0);
	sim_node_button(n, true);
	gateway_run(&s.g, 300);
	sim_node_button(n, false);
	ck_assert(!sim_node_is_on(n));
	ck_assert_uint_eq(heard_in(&s, 60000), 0);
	sim_node_button(n, true);
	gateway_run(&s.g, 300);
	sim_node_button(n, false); /* wakes only */
	ck_assert_uint_gt(heard_in(&s, 1000), 0);
	ck_assert(sim_node_is_on(n));
	check_new(&s, n);
	sim_node_power(n, false); /* without power no press wakes it */
	sim_node_button(n, true);
	ck_assert_uint_eq(heard_in(&s, 1000), 0);
	tear_down(&s);
}
END_TEST

/* --- without storage, §4.9 -----------------------------------------------------------------------
 */

START_TEST(a_temporary_enrollment_outlives_a_reset_but_not_a_loss_of_power)
{
	struct sim_enrollment e;
	struct sim_spec spec;
	struct sim_node *n;
	struct scene s;

	set_up(&s, 6);
	spec = spec_of(&s);
	spec.no_storage = true;
	n = add(&s, &spec);
	ck_assert(opens(&s, n, MESHSEC_KEY_NODE, s.node_key));
	enroll(&s, 0);
	ck_assert_uint_eq(sim_node_reboots(n), 1);
	check_new(&s, n);
	ck_assert(opens(&s, n, MESHSEC_KEY_NETWORK, s.new_key));
	gateway_close(&s.g);
	sim_node_power(n, false);
	gateway_run(&s.g, 1000);
	sim_node_power(n, true);
	gateway_run(&s.g, 1000);
	sim_node_state(n, &e);
	ck_assert(!e.enrolled);
	ck_assert_uint_eq(e.network_id, 0);
	tear_down(&s);
}
END_TEST

/* --- the terminal -------------------------------------------------------------------------------
 */

static void check_shown(struct span shown, const char *line)
{
	ck_assert_msg(memmem(shown.p, shown.n, line, strlen(line)) != NULL, "not shown: %s", line);
}

START_TEST(a_line_on_the_terminal_enrolls_through_the_mesh)
{
	static const char line[] = "action 0 enroll basic BBBFN 77 480 "
				   "44:44:44:44:44:44:44:44:44:44:44:44:44:44:44:44 "
				   "22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22 "
				   "33:33:33:33:33:33:33:33:33:33:33:33:33:33:33:33 "
				   "A0:A0:A0:A0:A0:A0:A0:A0:A0:A0:A0:A0:A0:A0:A0:A0 10 1 9";
	struct sim_node *n, *member;
	struct sim_spec spec;
	struct scene s;
	struct span shown;

	set_up(&s, 7);
	spec = spec_of(&s);
	n = add(&s, &spec);
	member = add_member(&s, 7, NEW_NETWORK, 1, s.new_key);
	ck_assert_int_eq(sim_node_type(member, line, strlen(line)), ERR_OK);
	gateway_run(&s.g, 20000);
	check_new(&s, n);
	shown = sim_node_lines(member);
	/* its own answer and the target's, as the reference has it */
	ck_assert(memmem(
		shown.p, shown.n, "{\"type\":\"error\",\"code\":0,\"text\":\"OK\"}\r\n", 39));
	check_shown(shown, "{\"type\":\"error\",\"code\":0,\"text\":\"OK\"}\r\n");
	check_shown(shown,
		"{\"nodeId\":1,\"type\":\"enroll_response_serial\",\"module\":5,\"requestId\":9,"
		"\"serialNumber\":\"BBBFN\",\"code\":0}\r\n");
	ck_assert_uint_eq(sim_node_lines(member).n, 0);
	sim_node_power(member, false);
	ck_assert_int_eq(sim_node_type(member, line, strlen(line)), ERR_STATE);
	tear_down(&s);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, an_unenrolled_node_is_in_no_mesh_and_takes_its_node_key);
	tcase_add_test(tc, a_node_of_a_lost_network_is_enrolled_by_its_node_key);
	tcase_add_test(tc, an_enrollment_network_hands_its_nodes_on);
	tcase_add_test(tc, a_node_with_a_default_enrollment_joins_after_flashing);
	tcase_add_test(tc, a_press_powers_off_and_the_next_one_wakes);
	tcase_add_test(tc, a_line_on_the_terminal_enrolls_through_the_mesh);
	tcase_add_test(tc, a_temporary_enrollment_outlives_a_reset_but_not_a_loss_of_power);
}

int main(void)
{
	return suite_main("firmware/scenarios", fill);
}
