/* A helper is told a neighbour's node key and the keys of its network to be. Whichever way that
 * ends, nothing of them stays in its RAM, where a debugger or the next bug would find them. */
#include <string.h>

#include "base/crypto_openssl.h"
#include "enr/meshadv.h"
#include "support/fake_port.h"
#include "unit/suite.h"

#define TARGET 500u
#define OWN_ID 77
#define LINK 3
#define APP_ID 32000
#define NO_SKIP 60
#define SKIPS 30

static const uint8_t foreign_key[16] = {0x51, 0x0D, 0xA7, 0x33, 0x9E, 0x62, 0xF1, 0x08, 0xBC, 0x45,
	0x7A, 0xE9, 0x14, 0xD2, 0x6F, 0x80};

static void set_up(struct fake_port *f)
{
	struct port_mesh_state state = {.cluster_size = 5, .hops_to_sink = -1};

	fake_init(f);
	f->node.config.enrolled = true;
	f->node.config.node_id = OWN_ID;
	f->node.config.network_id = 480;
	memset(f->node.config.network_key.b, 0x10, 16);
	f->random = NO_SKIP;
	node_on_mesh(&f->node, f->now_ms, &state);
}

static size_t make_request(uint16_t sender, uint16_t receiver, uint8_t out[MESHMSG_BYTES_MAX])
{
	const struct meshmsg_set_enrollment m = {.serial_index = TARGET,
		.node_id = 3,
		.network_id = 480,
		.node_key = foreign_key,
		.timeout_s = 10};
	const struct meshmsg_route route = {sender, receiver, 0x44};
	struct wr w = wr_init(out, MESHMSG_BYTES_MAX);

	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_OK);
	return w.len_bytes;
}

static void ask(struct fake_port *f)
{
	uint8_t b[MESHMSG_BYTES_MAX];

	fake_receive(f, b, make_request(FAKE_REQUESTER, OWN_ID, b));
	ck_assert_int_eq(f->node.enroll.state, ENROLL_SCANNING);
}

static void hear(struct fake_port *f)
{
	const struct meshadv adv = {.serial_index = TARGET, .device_type = MESHADV_DEVICE_STATIC};
	struct port_report report = {.rssi_dbm = -60, .connectable = true, .address = {1, 2}};
	uint8_t b[MESHADV_BYTES];

	meshadv_encode(&adv, b);
	report.data = (struct span){b, sizeof(b)};
	node_on_report(&f->node, f->now_ms, &report);
	ck_assert(f->connecting);
}

static bool knows(const struct fake_port *f)
{
	return memmem(&f->node, sizeof(f->node), foreign_key, sizeof(foreign_key)) != NULL;
}

static void connected(struct fake_port *f)
{
	static const uint8_t address[PORT_ADDRESS_BYTES] = {1, 2};

	node_on_connected(&f->node, f->now_ms, LINK, PORT_CENTRAL, address);
}

/* --- the ways it ends --------------------------------------------------------------------------
 */

static void in_time_out(struct fake_port *f)
{
	(void)f;
}

static void in_a_cancelled_attempt(struct fake_port *f)
{
	hear(f);
}

static void in_a_failed_attempt(struct fake_port *f)
{
	hear(f);
	node_on_connect_failed(&f->node, f->now_ms);
}

static void without_a_slot_for_it(struct fake_port *f)
{
	struct port_mesh_state full = {
		.cluster_size = 5, .hops_to_sink = -1, .links_out = 3, .links_in = 2};

	hear(f);
	node_on_mesh(&f->node, f->now_ms, &full);
	connected(f);
}

static void before_the_subscription(struct fake_port *f)
{
	hear(f);
	connected(f);
	node_on_disconnected(&f->node, f->now_ms, LINK);
}

static void in_the_handshake(struct fake_port *f)
{
	hear(f);
	connected(f);
	node_on_subscribed(&f->node, f->now_ms, LINK);
	node_on_disconnected(&f->node, f->now_ms, LINK);
}

/* The target takes the request, and goes. */
static void after_the_request(struct fake_port *f)
{
	const struct secret16 key = {{0x51, 0x0D, 0xA7, 0x33, 0x9E, 0x62, 0xF1, 0x08, 0xBC, 0x45,
		0x7A, 0xE9, 0x14, 0xD2, 0x6F, 0x80}};
	static const uint8_t anonce[MESHSEC_NONCE_BYTES] = {1, 2, 3};
	struct meshsec target;
	struct meshsec_event ev;
	struct meshsec_pdu pdu;

	hear(f);
	connected(f);
	f->out_count = 0;
	node_on_subscribed(&f->node, f->now_ms, LINK);
	meshsec_init(&target, aes128_default(), MESHSEC_PERIPHERAL, 9);
	meshsec_receive(&target, f->out[0].b, f->out[0].n, &ev);
	ck_assert_int_eq(meshsec_accept(&target, &key, anonce, &pdu), ERR_OK);
	f->out_count = 0;
	node_on_pdu(&f->node, f->now_ms, LINK, pdu.b, pdu.len);
	meshsec_receive(&target, f->out[0].b, f->out[0].n, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_READY);
	node_on_pdu(&f->node, f->now_ms, LINK, ev.pdu.b, ev.pdu.len);
	ck_assert_int_eq(f->node.enroll.state, ENROLL_MESSAGE_SENT);
	node_on_disconnected(&f->node, f->now_ms, LINK);
}

static const struct {
	const char *name;
	void (*end)(struct fake_port *f);
} ends[] = {
	{"nobody heard it", in_time_out},
	{"the attempt was cancelled", in_a_cancelled_attempt},
	{"the attempt failed", in_a_failed_attempt},
	{"there was no slot", without_a_slot_for_it},
	{"the link was lost at once", before_the_subscription},
	{"the link was lost in the handshake", in_the_handshake},
	{"the link was lost after the request", after_the_request},
};

START_TEST(no_trace_of_a_neighbours_key_stays)
{
	struct fake_port f;

	set_up(&f);
	ask(&f);
	ck_assert(knows(&f));
	ends[_i].end(&f);
	fake_run(&f, 20000);
	ck_assert_int_eq(f.node.enroll.state, ENROLL_IDLE);
	ck_assert_msg(!knows(&f), "%s", ends[_i].name);
}
END_TEST

/* --- what passes through -----------------------------------------------------------------------
 */

static void open_peer(struct fake_port *f, struct meshsec *app)
{
	static const uint8_t snonce[MESHSEC_NONCE_BYTES] = {4, 5, 6};
	struct meshsec_event ev;
	struct meshsec_pdu pdu;

	fake_connect(f, LINK);
	meshsec_init(app, aes128_default(), MESHSEC_CENTRAL, APP_ID);
	ck_assert_int_eq(meshsec_start(app, MESHSEC_KEY_NETWORK, MESHSEC_TUNNEL_REMOTE_MESH,
				 &f->node.config.network_key, snonce, &pdu),
		ERR_OK);
	f->out_count = 0;
	node_on_pdu(&f->node, f->now_ms, LINK, pdu.b, pdu.len);
	meshsec_receive(app, f->out[0].b, f->out[0].n, &ev);
	f->out_count = 0;
	node_on_pdu(&f->node, f->now_ms, LINK, ev.pdu.b, ev.pdu.len);
	for (size_t i = 0; i < f->out_count; i++)
		meshsec_receive(app, f->out[i].b, f->out[i].n, &ev);
	ck_assert_int_eq(app->state, MESHSEC_OPEN);
	f->out_count = 0;
}

START_TEST(what_is_handed_to_a_peer_does_not_stay)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct fake_port f;
	struct meshsec app;

	set_up(&f);
	open_peer(&f, &app);
	f.random = SKIPS; /* it does not care for that neighbour itself */
	fake_receive(&f, b, make_request(FAKE_REQUESTER, MESHMSG_BROADCAST, b));
	ck_assert_uint_ge(f.out_count, 6); /* fragments: it went on to the peer */
	ck_assert(!knows(&f));
}
END_TEST

START_TEST(what_came_from_a_peer_does_not_stay)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct meshsec_pdu pdu;
	struct fake_port f;
	struct meshsec app;

	set_up(&f);
	open_peer(&f, &app);
	f.random = SKIPS;
	ck_assert_int_eq(
		meshsec_send_begin(&app, b, make_request(APP_ID, MESHMSG_BROADCAST, b)), ERR_OK);
	while (meshsec_send_next(&app, &pdu) == ERR_OK)
		node_on_pdu(&f.node, f.now_ms, LINK, pdu.b, pdu.len);
	ck_assert_uint_eq(f.sent_count, 1); /* it went on to the mesh */
	ck_assert(!knows(&f));
}
END_TEST

START_TEST(what_was_typed_does_not_stay)
{
	struct fake_port f;

	set_up(&f);
	f.random = SKIPS;
	fake_type(&f, "action 0 enroll basic BBBLV 3 480 00:00:00:00:00:00:00:00:00:00:00:00:00:00:"
		      "00:00 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00 "
		      "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00 "
		      "51:0D:A7:33:9E:62:F1:08:BC:45:7A:E9:14:D2:6F:80");
	ck_assert_uint_eq(f.sent_count, 1);
	ck_assert(!knows(&f));
}
END_TEST

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void fill(TCase *tc)
{
	tcase_add_loop_test(tc, no_trace_of_a_neighbours_key_stays, 0, COUNT(ends));
	tcase_add_test(tc, what_is_handed_to_a_peer_does_not_stay);
	tcase_add_test(tc, what_came_from_a_peer_does_not_stay);
	tcase_add_test(tc, what_was_typed_does_not_stay);
}

int main(void)
{
	return suite_main("firmware/secrets", fill);
}
