/* Whole nodes in the virtual air: enrolled directly, over the mesh, and found again. */
#include <stdio.h>

#include "base/crypto_openssl.h"
#include "enr/serial.h"
#include "support/sim_gateway.h"
#include "unit/suite.h"

#define NETWORK 480
#define FLEET 3

static struct secret16 key_of(uint8_t byte)
{
	struct secret16 k;

	memset(k.b, byte, sizeof(k.b));
	return k;
}

struct fleet {
	struct air *air;
	struct gateway g;
	struct secret16 network_key, user_key, org_key;
	struct sim_node *member;
	struct sim_node *fresh[FLEET];
};

static void fleet_set_up(struct fleet *f, uint64_t seed)
{
	struct sim_spec spec;

	printf("seed %llu\n", (unsigned long long)seed);
	memset(f, 0, sizeof(*f));
	f->network_key = key_of(0x10);
	f->user_key = key_of(0x22);
	f->org_key = key_of(0x33);
	f->air = air_new(seed, aes128_default());
	gateway_init(&f->g, f->air);
	sim_spec_init(&spec);
	spec.serial_index = 100;
	spec.node_key = key_of(0xA0);
	spec.preset.enrolled = true;
	spec.preset.network_id = NETWORK;
	spec.preset.node_id = 1;
	spec.preset.network_key = f->network_key;
	ck_assert_int_eq(air_add_node(f->air, &spec, NULL, &f->member), ERR_OK);
	for (uint8_t i = 0; i < FLEET; i++) {
		sim_spec_init(&spec);
		spec.serial_index = 101u + i;
		spec.node_key = key_of((uint8_t)(0xA1 + i));
		ck_assert_int_eq(air_add_node(f->air, &spec, NULL, &f->fresh[i]), ERR_OK);
	}
	air_run_until(f->air, 1000);
}

static void fleet_tear_down(struct fleet *f)
{
	gateway_done(&f->g);
	air_free(f->air);
}

static struct meshmsg_set_enrollment request_for(const struct fleet *f, uint8_t i)
{
	return (struct meshmsg_set_enrollment){
		.serial_index = sim_node_serial(f->fresh[i]),
		.node_id = (uint16_t)(77 + i),
		.network_id = NETWORK,
		.network_key = f->network_key.b,
		.user_base_key = f->user_key.b,
		.organization_key = f->org_key.b,
		.node_key = sim_node_spec(f->fresh[i])->node_key.b,
		.timeout_s = 10,
		.only_if_unenrolled = true,
	};
}

static void send_enrollment(struct fleet *f, uint8_t i, uint16_t receiver, uint8_t handle)
{
	const struct meshmsg_set_enrollment request = request_for(f, i);
	const struct meshmsg_route route = {GATEWAY_ID, receiver, handle};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &request), ERR_OK);
	gateway_send(&f->g, b, w.len_bytes);
}

static void check_response(
	const struct fleet *f, const struct meshmsg *m, uint8_t i, uint8_t handle)
{
	struct meshmsg_enroll_response response;

	ck_assert_int_eq(meshmsg_decode_enroll_response(m, &response), ERR_OK);
	ck_assert_uint_eq(response.serial_index, sim_node_serial(f->fresh[i]));
	ck_assert_uint_eq(response.code, MESHMSG_RESULT_OK);
	ck_assert_uint_eq(m->request_handle, handle);
	ck_assert_uint_eq(m->receiver, 0);
}

static void check_enrolled(const struct fleet *f, uint8_t i)
{
	struct sim_enrollment e;

	sim_node_state(f->fresh[i], &e);
	ck_assert(e.enrolled);
	ck_assert_uint_eq(e.node_id, 77 + i);
	ck_assert_uint_eq(e.network_id, NETWORK);
	ck_assert(bytes_equal_ct(&e.network_key, &f->network_key, 16));
	ck_assert(bytes_equal_ct(&e.user_base_key, &f->user_key, 16));
	ck_assert(bytes_equal_ct(&e.organization_key, &f->org_key, 16));
}

START_TEST(enrolls_directly_by_the_node_key)
{
	struct fleet f;
	struct meshmsg m;
	struct meshmsg_cluster_info info;
	uint64_t answered;

	fleet_set_up(&f, 1);
	ck_assert(gateway_open(&f.g, f.fresh[0], MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER,
		&sim_node_spec(f.fresh[0])->node_key));
	ck_assert(gateway_wait(&f.g, MESHMSG_CLUSTER_INFO, 1000, &m));
	ck_assert_int_eq(meshmsg_decode_cluster_info(&m, &info), ERR_OK);
	ck_assert_int_eq(info.cluster_size, 1);
	send_enrollment(&f, 0, 0, 0x37);
	ck_assert(gateway_wait(&f.g, MESHMSG_ENROLLMENT_RESPONSE, 3000, &m));
	check_response(&f, &m, 0, 0x37);
	ck_assert_uint_eq(m.sender, 77);
	answered = air_now_ms(f.air);
	ck_assert_uint_eq(sim_node_reboots(f.fresh[0]), 0);
	while (!f.g.down)
		gateway_run(&f.g, 10);
	ck_assert_uint_ge(air_now_ms(f.air) - answered, 3900);
	ck_assert_uint_le(air_now_ms(f.air) - answered, 4600);
	gateway_run(&f.g, 1000);
	ck_assert_uint_eq(sim_node_reboots(f.fresh[0]), 1);
	check_enrolled(&f, 0);
	gateway_run(&f.g, 30000);
	ck_assert_uint_eq(sim_node_cluster_size(f.member), 2);
	fleet_tear_down(&f);
}
END_TEST

/* The gateway asks the new member, by its new id, for its device info. */
static void check_joined(struct fleet *f, uint8_t i)
{
	const struct meshmsg_route route = {GATEWAY_ID, (uint16_t)(77 + i), 9};
	struct meshmsg_device_info info;
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct meshmsg m;

	ck_assert_int_eq(meshmsg_encode_plain(&w, route, MESHMSG_GET_DEVICE_INFO), ERR_OK);
	gateway_send(&f->g, b, w.len_bytes);
	ck_assert(gateway_wait(&f->g, MESHMSG_DEVICE_INFO, 3000, &m));
	ck_assert_int_eq(meshmsg_decode_device_info(&m, &info), ERR_OK);
	ck_assert_uint_eq(m.sender, 77 + i);
	ck_assert_uint_eq(m.receiver, GATEWAY_ID);
	ck_assert_uint_eq(info.serial_index, sim_node_serial(f->fresh[i]));
	ck_assert_uint_eq(info.network_id, NETWORK);
}

/* §4.6: broadcasts lose coin flips, so the request is repeated, byte for byte. */
static void enroll_over_mesh(struct fleet *f, uint8_t i)
{
	struct meshmsg m;
	bool answered = false;

	for (int attempt = 0; attempt < 8 && !answered; attempt++) {
		send_enrollment(f, i, MESHMSG_BROADCAST, (uint8_t)(i + 1));
		answered = gateway_wait(&f->g, MESHMSG_ENROLLMENT_RESPONSE, 15000, &m);
	}
	ck_assert(answered);
	check_response(f, &m, i, (uint8_t)(i + 1));
}

static void run_fleet(uint64_t seed)
{
	struct fleet f;

	fleet_set_up(&f, seed);
	ck_assert(gateway_open(
		&f.g, f.member, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_REMOTE_MESH, &f.network_key));
	for (uint8_t i = 0; i < FLEET; i++)
		enroll_over_mesh(&f, i);
	gateway_run(&f.g, 60000);
	ck_assert(f.g.open);
	f.g.inbox_count = 0;
	for (uint8_t i = 0; i < FLEET; i++) {
		check_enrolled(&f, i);
		check_joined(&f, i);
		ck_assert_uint_eq(sim_node_cluster_size(f.fresh[i]), FLEET + 1);
	}
	fleet_tear_down(&f);
}

START_TEST(enrolls_a_fleet_over_the_mesh)
{
	for (uint64_t seed = 1; seed <= 10; seed++)
		run_fleet(seed);
}
END_TEST

static void tell_count(struct fleet *f, uint16_t count)
{
	const struct meshmsg_route route = {GATEWAY_ID, MESHMSG_BROADCAST, 0};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(
		meshmsg_encode_enrolled_nodes(&w, route, MESHMSG_SET_ENROLLED_NODES, count),
		ERR_OK);
	gateway_send(&f->g, b, w.len_bytes);
	gateway_run(&f->g, 1000);
}

/* §8.2: a mesh that was told that all are there looks for nobody, until it is told of more. */
START_TEST(an_idle_mesh_takes_nobody_in_until_it_is_told)
{
	struct fleet f;

	fleet_set_up(&f, 3);
	ck_assert(gateway_open(
		&f.g, f.member, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_REMOTE_MESH, &f.network_key));
	enroll_over_mesh(&f, 0);
	gateway_run(&f.g, 30000);
	ck_assert_uint_eq(sim_node_cluster_size(f.member), 2);
	tell_count(&f, 2);
	ck_assert(sim_node_is_idle(f.member) && sim_node_is_idle(f.fresh[0]));
	enroll_over_mesh(&f, 1); /* which needs no discovery */
	gateway_run(&f.g, 120000);
	check_enrolled(&f, 1);
	ck_assert_uint_eq(sim_node_cluster_size(f.member), 2);
	ck_assert_uint_eq(sim_node_cluster_size(f.fresh[1]), 1);
	tell_count(&f, 3);
	ck_assert(!sim_node_is_idle(f.member));
	gateway_run(&f.g, 30000);
	ck_assert_uint_eq(sim_node_cluster_size(f.member), 3);
	f.g.inbox_count = 0;
	check_joined(&f, 1);
	/* Those that know the number rest; the newcomer was not there when it was told. */
	ck_assert(sim_node_is_idle(f.member) && sim_node_is_idle(f.fresh[0]));
	ck_assert(!sim_node_is_idle(f.fresh[1]));
	fleet_tear_down(&f);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, enrolls_directly_by_the_node_key);
	tcase_add_test(tc, enrolls_a_fleet_over_the_mesh);
	tcase_add_test(tc, an_idle_mesh_takes_nobody_in_until_it_is_told);
}

int main(void)
{
	return suite_main("firmware/fleet", fill);
}
