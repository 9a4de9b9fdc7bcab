/* MeshAccess on a node (mesh-protocol §2.3, §3): keys, time limits, corruption, translation, as a
 * gateway in the virtual air sees them. */
#include "base/crypto_openssl.h"
#include "support/fake_port.h"
#include "support/sim_gateway.h"
#include "unit/suite.h"

#define OWN_ID 77

static struct secret16 key_of(uint8_t byte)
{
	struct secret16 k;

	memset(k.b, byte, sizeof(k.b));
	return k;
}

struct bench {
	struct air *air;
	struct gateway g;
	struct sim_node *node;
	struct sim_spec spec;
};

static void set_up(struct bench *t, bool enrolled, bool unsecure)
{
	memset(t, 0, sizeof(*t));
	t->air = air_new(7, aes128_default());
	gateway_init(&t->g, t->air);
	sim_spec_init(&t->spec);
	t->spec.serial_index = 4;
	t->spec.node_key = key_of(0xA0);
	t->spec.unsecure = unsecure;
	t->spec.preset.enrolled = enrolled;
	t->spec.preset.node_id = OWN_ID;
	t->spec.preset.network_id = 480;
	t->spec.preset.network_key = key_of(0x10);
	ck_assert_int_eq(air_add_node(t->air, &t->spec, NULL, &t->node), ERR_OK);
	air_run_until(t->air, 1000);
}

static void set_up_keys(struct bench *t)
{
	set_up(t, false, false);
	gateway_done(&t->g);
	air_free(t->air);
	t->air = air_new(8, aes128_default());
	gateway_init(&t->g, t->air);
	t->spec.preset.enrolled = true;
	t->spec.preset.user_base_key = key_of(0x22);
	t->spec.preset.organization_key = key_of(0x33);
	ck_assert_int_eq(air_add_node(t->air, &t->spec, NULL, &t->node), ERR_OK);
	air_run_until(t->air, 1000);
}

static void tear_down(struct bench *t)
{
	gateway_done(&t->g);
	air_free(t->air);
}

static bool opens(struct bench *t, uint32_t key_id, struct secret16 key)
{
	bool open = gateway_open(&t->g, t->node, key_id, MESHSEC_TUNNEL_REMOTE_MESH, &key);

	if (open)
		gateway_close(&t->g);
	return open;
}

static struct secret16 user_key(uint32_t n, uint8_t base)
{
	struct secret16 b = key_of(base), out = key_of(1);

	if (meshsec_user_key(aes128_default(), &b, n, &out) != ERR_OK) {
		uint8_t block[16] = {(uint8_t)n}; /* what an attacker computes */

		ck_assert_int_eq(
			aes128_default()->encrypt(aes128_default()->ctx, &b, block, out.b), ERR_OK);
	}
	return out;
}

START_TEST(opens_for_each_key_that_it_has)
{
	struct secret16 restrained, node_key = key_of(0xA0);
	struct bench t;

	set_up_keys(&t);
	ck_assert_int_eq(meshsec_restrained_key(aes128_default(), &node_key, &restrained), ERR_OK);
	ck_assert(opens(&t, MESHSEC_KEY_NODE, node_key));
	ck_assert(opens(&t, MESHSEC_KEY_NETWORK, key_of(0x10)));
	ck_assert(opens(&t, MESHSEC_KEY_ORGANIZATION, key_of(0x33)));
	ck_assert(opens(&t, MESHSEC_KEY_RESTRAINED, restrained));
	ck_assert(opens(&t, 10, user_key(10, 0x22)));
	ck_assert(!opens(&t, 11, user_key(10, 0x22)));
	tear_down(&t);
}
END_TEST

/* A wrong key: START, ANONCE, SNONCE, link loss (§3.7). */
START_TEST(hangs_up_on_a_wrong_key)
{
	struct bench t;

	set_up(&t, true, false);
	ck_assert(!opens(&t, MESHSEC_KEY_NODE, key_of(0xA1)));
	ck_assert(t.g.got_anonce);
	ck_assert_uint_eq(t.g.reason, AIR_HCI_REMOTE);
	tear_down(&t);
}
END_TEST

/* Keys that nobody has set are no keys: START, link loss (§11.1, §11.2). */
START_TEST(refuses_keys_that_everybody_knows)
{
	struct bench t;

	set_up(&t, true, false);
	ck_assert(!opens(&t, 10, user_key(10, 0xFF)));
	ck_assert(!t.g.got_anonce);
	ck_assert(!opens(&t, MESHSEC_KEY_ORGANIZATION, key_of(0x55)));
	ck_assert(!t.g.got_anonce);
	ck_assert(!opens(&t, MESHSEC_KEY_ZERO, key_of(0)));
	ck_assert(!t.g.got_anonce);
	tear_down(&t);
}
END_TEST

START_TEST(the_zero_key_is_for_unenrolled_nodes_that_allow_it)
{
	struct bench t;

	set_up(&t, false, true);
	ck_assert(opens(&t, MESHSEC_KEY_ZERO, key_of(0)));
	tear_down(&t);
	set_up(&t, false, false);
	ck_assert(!opens(&t, MESHSEC_KEY_ZERO, key_of(0)));
	tear_down(&t);
	set_up(&t, true, true);
	ck_assert(!opens(&t, MESHSEC_KEY_ZERO, key_of(0)));
	tear_down(&t);
}
END_TEST

static uint64_t ms_until_down(struct bench *t)
{
	uint64_t from = air_now_ms(t->air);

	for (int i = 0; i < 10000 && !t->g.down; i++)
		gateway_run(&t->g, 5);
	return air_now_ms(t->air) - from;
}

START_TEST(hangs_up_after_five_silent_seconds)
{
	struct bench t;
	uint64_t ms;

	set_up(&t, true, false);
	ck_assert(gateway_connect(&t.g, t.node)); /* subscribed, no START */
	ms = ms_until_down(&t);
	ck_assert_uint_ge(ms, 4800);
	ck_assert_uint_le(ms, 5300);
	ck_assert_int_eq(air_radio_connect(t.g.radio, sim_node_address(t.node), 0, &t.g.link),
		ERR_OK); /* not even subscribed */
	t.g.down = t.g.connected = false;
	while (!t.g.connected)
		gateway_run(&t.g, 5);
	ms = ms_until_down(&t);
	ck_assert_uint_ge(ms, 4800);
	ck_assert_uint_le(ms, 5300);
	tear_down(&t);
}
END_TEST

START_TEST(hangs_up_on_anything_but_start)
{
	static const uint8_t junk[] = {0x33, 0, 0x7D, 0, 0, 5, 0, 0};
	struct bench t;

	set_up(&t, true, false);
	ck_assert(gateway_connect(&t.g, t.node));
	gateway_write(&t.g, junk, sizeof(junk));
	ck_assert_uint_le(ms_until_down(&t), 500);
	tear_down(&t);
}
END_TEST

static void send_plain(struct bench *t, enum meshmsg_kind kind, uint16_t sender, uint8_t handle)
{
	const struct meshmsg_route route = {sender, OWN_ID, handle};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_plain(&w, route, kind), ERR_OK);
	gateway_send(&t->g, b, w.len_bytes);
}

START_TEST(says_dead_data_after_corruption_and_takes_a_new_start)
{
	struct secret16 key = key_of(0x10);
	uint8_t snonce[MESHSEC_NONCE_BYTES] = {7};
	uint8_t junk[20] = {1, 2, 3};
	struct meshsec_pdu pdu;
	struct bench t;
	struct meshmsg m;

	set_up(&t, true, false);
	ck_assert(
		gateway_open(&t.g, t.node, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_REMOTE_MESH, &key));
	gateway_write(&t.g, junk, sizeof(junk));
	gateway_run(&t.g, 1000);
	ck_assert(t.g.dead);
	ck_assert(!t.g.down);
	t.g.open = false;
	ck_assert_int_eq(meshsec_start(&t.g.sec, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_REMOTE_MESH,
				 &key, snonce, &pdu),
		ERR_OK);
	gateway_write(&t.g, pdu.b, pdu.len);
	gateway_run(&t.g, 1000);
	ck_assert(t.g.open);
	t.g.inbox_count = 0;
	send_plain(&t, MESHMSG_PING, GATEWAY_ID, 3);
	ck_assert(gateway_wait(&t.g, MESHMSG_PING_RESPONSE, 1000, &m));
	gateway_write(&t.g, junk, sizeof(junk));
	gateway_run(&t.g, 1000);
	ck_assert_uint_ge(ms_until_down(&t), 13000); /* 15 s without a START */
	tear_down(&t);
}
END_TEST

START_TEST(answers_under_the_gateways_own_id)
{
	struct secret16 key = key_of(0x10);
	struct meshmsg_device_info info;
	struct meshmsg_status status;
	struct bench t;
	struct meshmsg m;

	set_up(&t, true, false);
	ck_assert(
		gateway_open(&t.g, t.node, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_REMOTE_MESH, &key));
	send_plain(&t, MESHMSG_GET_DEVICE_INFO, GATEWAY_ID, 0x61);
	ck_assert(gateway_wait(&t.g, MESHMSG_DEVICE_INFO, 1000, &m));
	ck_assert_uint_eq(m.receiver, GATEWAY_ID);
	ck_assert_uint_eq(m.sender, OWN_ID);
	ck_assert_uint_eq(m.request_handle, 0x61);
	ck_assert_int_eq(meshmsg_decode_device_info(&m, &info), ERR_OK);
	ck_assert_uint_eq(info.serial_index, 4);
	ck_assert_mem_eq(info.address, sim_node_address(t.node) + 1, 6);
	send_plain(&t, MESHMSG_GET_STATUS, GATEWAY_ID, 0x62);
	ck_assert(gateway_wait(&t.g, MESHMSG_STATUS, 1000, &m));
	ck_assert_int_eq(meshmsg_decode_status(&m, &status), ERR_OK);
	ck_assert_int_eq(status.cluster_size, 1);
	ck_assert_uint_eq(status.free_in, 2); /* we are the third */
	ck_assert_uint_eq(status.free_out, 3);
	tear_down(&t);
}
END_TEST

START_TEST(restrained_and_user_keys_may_ask_nothing)
{
	struct secret16 key = user_key(10, 0x22);
	struct bench t;
	struct meshmsg m;

	set_up_keys(&t);
	ck_assert(gateway_open(&t.g, t.node, 10, MESHSEC_TUNNEL_REMOTE_MESH, &key));
	send_plain(&t, MESHMSG_PING, GATEWAY_ID, 1);
	send_plain(&t, MESHMSG_GET_DEVICE_INFO, GATEWAY_ID, 2);
	ck_assert(!gateway_wait(&t.g, MESHMSG_DEVICE_INFO, 2000, &m));
	ck_assert_uint_eq(t.g.inbox_count, 0); /* nor is the cluster told (§3.8) */
	ck_assert(t.g.open);
	tear_down(&t);
}
END_TEST

START_TEST(takes_only_three_incoming_connections)
{
	struct secret16 key = key_of(0xA0);
	struct gateway more[3];
	struct bench t;

	set_up(&t, true, false);
	for (int i = 0; i < 3; i++) {
		gateway_init(&more[i], t.air);
		ck_assert(gateway_open(
			&more[i], t.node, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &key));
	}
	air_radio_scan(t.g.radio, true);
	gateway_run(&t.g, 1000);
	ck_assert_uint_eq(t.g.heard_adv[15] & 0x08, 0); /* hasFreeInConnection */
	gateway_close(&more[0]);
	gateway_run(&t.g, 1000);
	ck_assert_uint_eq(t.g.heard_adv[15] & 0x08, 0x08);
	ck_assert(opens(&t, MESHSEC_KEY_NODE, key));
	for (int i = 0; i < 3; i++)
		gateway_done(&more[i]);
	tear_down(&t);
}
END_TEST

static void tell_time(struct bench *t, uint32_t unix_s)
{
	const struct meshmsg_timestamp stamp = {unix_s, 0};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_timestamp(&w, GATEWAY_ID, OWN_ID, &stamp), ERR_OK);
	gateway_send(&t->g, b, w.len_bytes);
	gateway_run(&t->g, 200);
}

/* In seconds, 0: unknown. */
static uint32_t time_of(struct bench *t)
{
	struct meshmsg_time time;
	struct meshmsg m;

	t->g.inbox_count = 0;
	send_plain(t, MESHMSG_GET_TIME, GATEWAY_ID, 3);
	ck_assert(gateway_wait(&t->g, MESHMSG_TIME, 1000, &m));
	ck_assert_int_eq(meshmsg_decode_time(&m, &time), ERR_OK);
	return time.unix_s;
}

/* §3.10: whoever may at all sets the time first; a known one only the network's key changes. */
START_TEST(the_time_is_set_once_and_then_by_the_network_only)
{
	struct secret16 node_key = key_of(0xA0), network_key = key_of(0x10);
	struct bench t;

	set_up(&t, true, false);
	ck_assert(gateway_open(&t.g, t.node, MESHSEC_KEY_NODE, MESHSEC_TUNNEL_PEER, &node_key));
	ck_assert_uint_eq(time_of(&t), 0);
	tell_time(&t, 1700000000);
	ck_assert_uint_le(time_of(&t) - 1700000000, 1);
	tell_time(&t, 1600000000);
	ck_assert_uint_le(time_of(&t) - 1700000000, 2);
	gateway_close(&t.g);
	ck_assert(gateway_open(
		&t.g, t.node, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_REMOTE_MESH, &network_key));
	tell_time(&t, 1800000000);
	ck_assert_uint_le(time_of(&t) - 1800000000, 1);
	tear_down(&t);
}
END_TEST

static const struct {
	uint16_t own, base;
} virtual_bases[] = {
	{0, 0}, /* the default id of a serial that 1999 divides */
	{1, 1},
	{1999, 1999},
	{2000, 2000},
	{2001, 0},
	{33000, 0},
	{55535, 0}, /* the fifth slot would be 65535, which must never be sent */
	{55536, 0}, /* … 0, everybody */
	{57536, 0},
	{58000, 0},
	{65535, 0},
};

/* Fills all five slots: three peers that came, two that we connect to. */
static void open_all_slots(struct fake_port *f)
{
	static const uint8_t address[PORT_ADDRESS_BYTES] = {1, 9, 9, 9, 9, 9, 0xC9};
	const struct access_want want = {.key_id = MESHSEC_KEY_NODE, .ltk = key_of(0xA1)};

	for (uint16_t link = 1; link <= ACCESS_IN_MAX; link++)
		fake_connect(f, link);
	for (uint16_t link = ACCESS_IN_MAX + 1; link <= ACCESS_LINKS_MAX; link++) {
		f->node.enroll.state = ENROLL_CONNECTING; /* or it would hang up at once */
		ck_assert_int_eq(access_connect(&f->node, address, 1000, &want), ERR_OK);
		node_on_connected(&f->node, f->now_ms, link, PORT_CENTRAL, address);
	}
}

/* §1.5: always 2000…19999, whatever the own id is. */
START_TEST(virtual_ids_never_leave_their_range)
{
	static struct fake_port f;

	fake_init(&f);
	f.node.config.node_id = virtual_bases[_i].own;
	open_all_slots(&f);
	for (unsigned slot = 0; slot < ACCESS_LINKS_MAX; slot++) {
		const struct access_link *l = &f.node.access.links[slot];

		ck_assert_int_ne(l->state, ACCESS_FREE);
		ck_assert_uint_eq(l->virtual_id, virtual_bases[_i].base + (slot + 1) * 2000);
		ck_assert_uint_lt(l->virtual_id, MESHMSG_GROUP_FIRST);
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, opens_for_each_key_that_it_has);
	tcase_add_test(tc, hangs_up_on_a_wrong_key);
	tcase_add_test(tc, refuses_keys_that_everybody_knows);
	tcase_add_test(tc, the_zero_key_is_for_unenrolled_nodes_that_allow_it);
	tcase_add_test(tc, hangs_up_after_five_silent_seconds);
	tcase_add_test(tc, hangs_up_on_anything_but_start);
	tcase_add_test(tc, says_dead_data_after_corruption_and_takes_a_new_start);
	tcase_add_test(tc, answers_under_the_gateways_own_id);
	tcase_add_test(tc, restrained_and_user_keys_may_ask_nothing);
	tcase_add_test(tc, takes_only_three_incoming_connections);
	tcase_add_test(tc, the_time_is_set_once_and_then_by_the_network_only);
	tcase_add_loop_test(tc, virtual_ids_never_leave_their_range, 0,
		sizeof(virtual_bases) / sizeof(virtual_bases[0]));
}

int main(void)
{
	return suite_main("firmware/access", fill);
}
