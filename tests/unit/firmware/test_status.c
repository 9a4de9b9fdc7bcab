/* What a node tells about itself and its neighbours (mesh-protocol §3.9, §8.4, §8.6). */
#include "enr/joinme.h"
#include "support/fake_port.h"
#include "unit/suite.h"

#define OWN_ID 7
#define ASKER 9
#define NETWORK 480

static void set_up(struct fake_port *f)
{
	fake_init(f);
	f->node.config.enrolled = true;
	f->node.config.node_id = OWN_ID;
	f->node.config.network_id = NETWORK;
}

/* Asks by that message; the answer, which must be of the other kind. */
static struct meshmsg ask(struct fake_port *f, enum meshmsg_kind kind, enum meshmsg_kind answer)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct meshmsg m;

	ck_assert_int_eq(
		meshmsg_encode_plain(&w, (struct meshmsg_route){ASKER, OWN_ID, 5}, kind), ERR_OK);
	fake_clear(f);
	fake_receive(f, w.p, w.len_bytes);
	ck_assert_uint_eq(f->sent_count, 1);
	ck_assert(fake_find(f, answer, &m));
	ck_assert_uint_eq(m.sender, OWN_ID);
	return m;
}

/* --- connections ------------------------------------------------------------------------------ */

START_TEST(tells_everybody_whom_it_is_linked_with)
{
	const struct port_mesh_state state = {
		.cluster_size = 4,
		.hops_to_sink = -1,
		.links_in = 1,
		.links_out = 2,
		.in = {11, -60},
		.out = {{12, -70}, {13, -80}},
	};
	struct meshmsg_connections c;
	struct fake_port f;
	struct meshmsg m;

	set_up(&f);
	node_on_mesh(&f.node, f.now_ms, &state);
	m = ask(&f, MESHMSG_GET_CONNECTIONS, MESHMSG_CONNECTIONS);
	ck_assert_uint_eq(m.receiver, MESHMSG_BROADCAST); /* §8.6 */
	ck_assert_uint_eq(m.request_handle, 5);
	ck_assert_int_eq(meshmsg_decode_connections(&m, &c), ERR_OK);
	ck_assert_uint_eq(c.partner[0].node_id, 11);
	ck_assert_int_eq(c.partner[0].rssi_dbm, -60);
	ck_assert_uint_eq(c.partner[1].node_id, 12);
	ck_assert_uint_eq(c.partner[2].node_id, 13);
	ck_assert_int_eq(c.partner[2].rssi_dbm, -80);
	ck_assert_uint_eq(c.partner[3].node_id, 0);
}
END_TEST

/* --- neighbours --------------------------------------------------------------------------------
 */

static void hear(struct fake_port *f, uint16_t network_id, uint16_t node_id, int8_t rssi_dbm)
{
	const struct joinme join = {.network_id = network_id, .node_id = node_id};
	uint8_t payload[JOINME_BYTES];
	const struct port_report report = {
		.rssi_dbm = rssi_dbm, .data = {payload, sizeof(payload)}};

	ck_assert_int_eq(joinme_encode(&join, payload), ERR_OK);
	node_on_report(&f->node, f->now_ms, &report);
}

static struct meshmsg_nearby nearby(struct fake_port *f)
{
	struct meshmsg m = ask(f, MESHMSG_GET_NEARBY, MESHMSG_NEARBY);
	struct meshmsg_nearby out;

	ck_assert_uint_eq(m.receiver, ASKER);
	ck_assert_uint_eq(m.request_handle, 5);
	ck_assert_int_eq(meshmsg_decode_nearby(&m, &out), ERR_OK);
	return out;
}

START_TEST(tells_whom_it_has_heard_since_the_last_question)
{
	struct meshmsg_nearby n;
	struct fake_port f;

	set_up(&f);
	ck_assert_uint_eq(nearby(&f).count, 0);
	hear(&f, NETWORK, 3, -60);
	hear(&f, NETWORK, 3, -70);
	hear(&f, NETWORK, 4, -90);
	hear(&f, NETWORK + 1, 5, -50); /* another mesh's */
	hear(&f, NETWORK, 0, -50);
	n = nearby(&f);
	ck_assert_uint_eq(n.count, 2);
	ck_assert_uint_eq(n.node[0].node_id, 3);
	ck_assert_int_eq(n.node[0].rssi_dbm, -65);
	ck_assert_uint_eq(n.node[1].node_id, 4);
	ck_assert_int_eq(n.node[1].rssi_dbm, -90);
	ck_assert_uint_eq(nearby(&f).count, 0);
}
END_TEST

START_TEST(keeps_twenty_neighbours)
{
	struct meshmsg_nearby n;
	struct fake_port f;

	set_up(&f);
	for (uint16_t id = 100; id < 130; id++)
		hear(&f, NETWORK, id, -60);
	hear(&f, NETWORK, 100, -80);
	n = nearby(&f);
	ck_assert_uint_eq(n.count, MESHMSG_NEARBY_MAX);
	ck_assert_uint_eq(n.node[19].node_id, 119);
	ck_assert_int_eq(n.node[0].rssi_dbm, -70);
}
END_TEST

/* As many as a counter holds, then no more: the average stays what it was. */
START_TEST(an_average_does_not_overflow)
{
	struct meshmsg_nearby n;
	struct fake_port f;

	set_up(&f);
	for (uint32_t i = 0; i < 70000; i++)
		hear(&f, NETWORK, 3, -127);
	n = nearby(&f);
	ck_assert_int_eq(n.node[0].rssi_dbm, -127);
}
END_TEST

/* --- time --------------------------------------------------------------------------------------
 */

static void tell_time(struct fake_port *f, uint32_t unix_s)
{
	const struct meshmsg_timestamp stamp = {unix_s, -60};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_timestamp(&w, ASKER, OWN_ID, &stamp), ERR_OK);
	fake_clear(f);
	fake_receive(f, w.p, w.len_bytes);
	ck_assert_uint_eq(f->sent_count, 0);
}

static struct meshmsg_time time_of(struct fake_port *f)
{
	struct meshmsg m = ask(f, MESHMSG_GET_TIME, MESHMSG_TIME);
	struct meshmsg_time t;

	ck_assert_uint_eq(m.receiver, ASKER);
	ck_assert_uint_eq(m.request_handle, 0); /* §8.4: not echoed */
	ck_assert_int_eq(meshmsg_decode_time(&m, &t), ERR_OK);
	return t;
}

START_TEST(knows_the_time_once_it_was_told)
{
	struct meshmsg_time t;
	struct fake_port f;

	set_up(&f);
	t = time_of(&f);
	ck_assert_uint_eq(t.sync, MESHMSG_UNSYNCED);
	ck_assert_uint_eq(t.unix_s, 0);
	ck_assert(!t.is_master);
	tell_time(&f, 1700000000);
	fake_run(&f, 90500);
	t = time_of(&f);
	ck_assert_uint_eq(t.sync, MESHMSG_SYNCED);
	ck_assert_uint_eq(t.unix_s, 1700000090);
	ck_assert_int_eq(t.offset_min, -60);
	ck_assert(t.is_master);
	tell_time(&f, 1600000000);
	ck_assert_uint_eq(time_of(&f).unix_s, 1600000000);
}
END_TEST

/* --- initialized -------------------------------------------------------------------------------
 */

static bool is_initialized(struct fake_port *f)
{
	struct meshmsg m = ask(f, MESHMSG_GET_STATUS, MESHMSG_STATUS);
	struct meshmsg_status s;

	ck_assert_int_eq(meshmsg_decode_status(&m, &s), ERR_OK);
	return s.is_initialized;
}

START_TEST(remembers_that_a_gateway_knows_it_until_it_reboots)
{
	struct fake_port f;
	struct meshmsg m;

	set_up(&f);
	ck_assert(!is_initialized(&f));
	m = ask(&f, MESHMSG_SET_INITIALIZED, MESHMSG_INITIALIZED_SET);
	ck_assert_uint_eq(m.receiver, ASKER);
	ck_assert_uint_eq(m.request_handle, 5);
	ck_assert_uint_eq(m.payload.n, 0);
	ck_assert(is_initialized(&f));
	fake_boot(&f);
	ck_assert(!f.node.is_initialized);
}
END_TEST

/* --- for the sink ------------------------------------------------------------------------------
 */

/* §1.5: what goes to the shortest sink is for a sink, which hands it to nobody else. */
START_TEST(the_nearest_sink_takes_what_is_for_a_sink)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct fake_port f;
	struct meshmsg m;

	set_up(&f);
	ck_assert_int_eq(
		meshmsg_encode_plain(
			&w, (struct meshmsg_route){ASKER, MESHMSG_SHORTEST_SINK, 5}, MESHMSG_PING),
		ERR_OK);
	fake_receive(&f, w.p, w.len_bytes);
	ck_assert(!fake_find(&f, MESHMSG_PING_RESPONSE, &m));
	ck_assert(fake_find(&f, MESHMSG_PING, &m)); /* on its way */
	fake_clear(&f);
	f.features.device_type = 3;
	fake_receive(&f, w.p, w.len_bytes);
	ck_assert(fake_find(&f, MESHMSG_PING_RESPONSE, &m));
	ck_assert_uint_eq(m.receiver, ASKER);
	ck_assert(!fake_find(&f, MESHMSG_PING, &m));
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, tells_everybody_whom_it_is_linked_with);
	tcase_add_test(tc, tells_whom_it_has_heard_since_the_last_question);
	tcase_add_test(tc, keeps_twenty_neighbours);
	tcase_add_test(tc, an_average_does_not_overflow);
	tcase_add_test(tc, knows_the_time_once_it_was_told);
	tcase_add_test(tc, remembers_that_a_gateway_knows_it_until_it_reboots);
	tcase_add_test(tc, the_nearest_sink_takes_what_is_for_a_sink);
}

int main(void)
{
	return suite_main("firmware/status", fill);
}
