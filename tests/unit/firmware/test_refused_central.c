/* What a node as central refuses, byte by byte (mesh-protocol §3.2, §3.6, §3.7, §4.6): it opens a
 * session with the neighbour that it shall enroll, and the neighbour says the wrong thing. Whatever
 * that is, the request with its keys does not leave, and nobody is told that it was done. */
#include "base/crypto_openssl.h"
#include "enr/meshadv.h"
#include "support/fake_port.h"
#include "unit/suite.h"

#define TARGET 500u
#define OWN_ID 77
#define TARGET_ID 9
#define LINK 3
#define NO_SKIP 60
#define HANDLE 0x44
#define DONE_PDU_BYTES 10
#define ANONCE_BYTES 13

static const struct secret16 key = {{0x42, 0x51, 0x0D, 0xA7}};
static const uint8_t anonce[MESHSEC_NONCE_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};

struct talk {
	struct fake_port f;
	struct meshsec target;
};

static void ask(struct fake_port *f)
{
	const struct meshmsg_set_enrollment m = {.serial_index = TARGET,
		.node_id = 3,
		.network_id = 480,
		.node_key = key.b,
		.timeout_s = 60};
	const struct meshmsg_route route = {FAKE_REQUESTER, OWN_ID, HANDLE};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	ck_assert_int_eq(meshmsg_encode_set_enrollment(&w, route, &m), ERR_OK);
	fake_receive(f, b, w.len_bytes);
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

/* The link is there, nothing has been said. */
static void connect_target(struct talk *t)
{
	static const uint8_t address[PORT_ADDRESS_BYTES] = {1, 2};
	struct fake_port *f = &t->f;

	fake_init(f);
	f->node.config.enrolled = true;
	f->node.config.node_id = OWN_ID;
	f->node.config.network_id = 480;
	f->random = NO_SKIP;
	ask(f);
	hear(f);
	node_on_connected(&f->node, f->now_ms, LINK, PORT_CENTRAL, address);
	fake_clear(f);
	f->out_count = 0;
	meshsec_init(&t->target, aes128_default(), MESHSEC_PERIPHERAL, TARGET_ID);
}

/* START has come: the target's ANONCE, not yet said. */
static struct meshsec_pdu up_to_anonce(struct talk *t)
{
	struct meshsec_event ev;
	struct meshsec_pdu pdu;

	connect_target(t);
	node_on_subscribed(&t->f.node, t->f.now_ms, LINK);
	ck_assert_uint_eq(t->f.out_count, 1);
	meshsec_receive(&t->target, t->f.out[0].b, t->f.out[0].n, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_START);
	ck_assert_uint_eq(ev.key_id, MESHSEC_KEY_NODE);
	ck_assert_int_eq(meshsec_accept(&t->target, &key, anonce, &pdu), ERR_OK);
	ck_assert_uint_eq(pdu.len, ANONCE_BYTES);
	t->f.out_count = 0;
	return pdu;
}

static void say(struct talk *t, const void *p, size_t n)
{
	node_on_pdu(&t->f.node, t->f.now_ms, LINK, p, n);
}

/* SNONCE has come: the target's DONE, not yet said. */
static struct meshsec_pdu up_to_done(struct talk *t)
{
	struct meshsec_pdu pdu = up_to_anonce(t);
	struct meshsec_event ev;

	say(t, pdu.b, pdu.len);
	ck_assert_uint_eq(t->f.out_count, 1); /* SNONCE, and nothing before DONE (§3.6) */
	meshsec_receive(&t->target, t->f.out[0].b, t->f.out[0].n, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_READY);
	ck_assert_uint_eq(ev.pdu.len, DONE_PDU_BYTES);
	t->f.out_count = 0;
	return ev.pdu;
}

static void open_session(struct talk *t)
{
	struct meshsec_pdu pdu = up_to_done(t);

	say(t, pdu.b, pdu.len);
	ck_assert_uint_eq(t->f.out_count, 6 + 1); /* the request, and the cluster info (§3.8) */
	ck_assert_int_eq(t->f.node.enroll.state, ENROLL_MESSAGE_SENT);
	t->f.out_count = 0;
	fake_clear(&t->f);
}

static void is_refused(struct talk *t, const char *what, unsigned which)
{
	struct meshmsg m;

	ck_assert_msg(t->f.hang_ups == 1, "%s %u: %u hang-ups", what, which, t->f.hang_ups);
	ck_assert_msg(t->f.out_count == 0, "%s %u: %zu packets", what, which, t->f.out_count);
	ck_assert_msg(!fake_find(&t->f, MESHMSG_ENROLLMENT_RESPONSE, &m), "%s %u", what, which);
	node_on_disconnected(&t->f.node, t->f.now_ms, LINK);
	meshsec_clear(&t->target);
}

/* --- handshake ---------------------------------------------------------------------------------
 */

START_TEST(no_other_type_stands_in_for_anonce)
{
	struct talk t;

	for (unsigned type = 0; type < 256; type++) {
		struct meshsec_pdu pdu = up_to_anonce(&t);

		if (type == MESHMSG_TYPE_ENCRYPT_ANONCE)
			continue;
		pdu.b[0] = (uint8_t)type;
		say(&t, pdu.b, pdu.len);
		is_refused(&t, "type", type);
	}
}
END_TEST

START_TEST(every_shorter_or_longer_anonce_is_refused)
{
	struct talk t;

	for (unsigned n = 0; n <= PORT_PDU_MAX_BYTES; n++) {
		uint8_t b[PORT_PDU_MAX_BYTES] = {0};
		struct meshsec_pdu pdu = up_to_anonce(&t);

		if (n == ANONCE_BYTES)
			continue;
		memcpy(b, pdu.b, n < ANONCE_BYTES ? n : ANONCE_BYTES);
		say(&t, b, n);
		is_refused(&t, "bytes", n);
	}
}
END_TEST

START_TEST(every_damaged_done_is_refused)
{
	struct talk t;

	for (unsigned bit = 0; bit < 8 * DONE_PDU_BYTES; bit++) {
		struct meshsec_pdu pdu = up_to_done(&t);

		pdu.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		say(&t, pdu.b, pdu.len);
		is_refused(&t, "bit", bit);
	}
}
END_TEST

START_TEST(every_shorter_or_longer_done_is_refused)
{
	struct talk t;

	for (unsigned n = 0; n <= PORT_PDU_MAX_BYTES; n++) {
		uint8_t b[PORT_PDU_MAX_BYTES] = {0};
		struct meshsec_pdu pdu = up_to_done(&t);

		if (n == DONE_PDU_BYTES)
			continue;
		memcpy(b, pdu.b, n < DONE_PDU_BYTES ? n : DONE_PDU_BYTES);
		say(&t, b, n);
		is_refused(&t, "bytes", n);
	}
}
END_TEST

/* Sealed with the right key, but not a DONE of success. */
static void say_sealed(struct talk *t, const uint8_t *packet, size_t n)
{
	static const uint8_t none[PORT_PDU_MAX_BYTES];
	struct meshsec_pdu pdu;

	ck_assert_int_eq(meshsec_send_begin(&t->target, none, n), ERR_OK);
	memcpy(t->target.out, packet, n);
	while (meshsec_send_next(&t->target, &pdu) == ERR_OK)
		say(t, pdu.b, pdu.len);
}

/* As if DONE had not been made yet: it is the first packet of its direction. */
static void back_before_done(struct talk *t)
{
	(void)up_to_done(t);
	t->target.tx.n1 -= 2;
}

START_TEST(only_a_done_of_success_opens)
{
	struct talk t;

	for (unsigned i = 0; i < 512; i++) {
		uint8_t done[6] = {MESHMSG_TYPE_ENCRYPT_DONE, TARGET_ID, 0, OWN_ID, 0, 0};

		if (i < 256)
			done[5] = (uint8_t)i; /* every status */
		else
			done[0] = (uint8_t)i; /* every type */
		back_before_done(&t);
		say_sealed(&t, done, sizeof(done));
		if (done[5] == 0 && done[0] == MESHMSG_TYPE_ENCRYPT_DONE)
			ck_assert_int_eq(t.f.node.enroll.state, ENROLL_MESSAGE_SENT);
		else
			is_refused(&t, i < 256 ? "status" : "type", i % 256);
	}
}
END_TEST

static size_t make_dead_data(uint8_t out[MESHMSG_BYTES_MAX])
{
	struct wr w = wr_init(out, MESHMSG_BYTES_MAX);

	ck_assert_int_eq(meshmsg_encode_dead_data(&w, TARGET_ID, OWN_ID), ERR_OK);
	return w.len_bytes;
}

/* A central of the reference does not start again by itself (§3.7). */
START_TEST(dead_data_ends_it_in_every_state)
{
	uint8_t dead[MESHMSG_BYTES_MAX];
	size_t n = make_dead_data(dead);
	struct talk t;

	(void)up_to_anonce(&t);
	say(&t, dead, n);
	is_refused(&t, "before ANONCE", 0);
	(void)up_to_done(&t);
	say(&t, dead, n);
	is_refused(&t, "before DONE", 0);
	open_session(&t);
	say(&t, dead, n);
	is_refused(&t, "open", 0);
}
END_TEST

START_TEST(what_comes_before_the_subscription_is_not_heard)
{
	struct meshsec_pdu pdu;
	struct talk t;

	pdu = up_to_anonce(&t);
	connect_target(&t);
	say(&t, pdu.b, pdu.len);
	ck_assert_uint_eq(t.f.out_count + t.f.hang_ups, 0);
	ck_assert_int_eq(t.f.node.enroll.state, ENROLL_CONNECTING);
}
END_TEST

/* --- time limits -------------------------------------------------------------------------------
 */

static void waits_about(struct talk *t, uint64_t want_ms)
{
	uint64_t from = t->f.now_ms;

	while (t->f.hang_ups == 0 && t->f.now_ms - from < 60000)
		fake_run(&t->f, 10);
	ck_assert_uint_ge(t->f.now_ms - from, want_ms - 100);
	ck_assert_uint_le(t->f.now_ms - from, want_ms + 200);
}

START_TEST(five_seconds_for_each_step)
{
	struct meshsec_pdu pdu;
	struct talk t;

	connect_target(&t);
	waits_about(&t, ACCESS_OPEN_MS);
	is_refused(&t, "subscription", 0);
	(void)up_to_anonce(&t);
	waits_about(&t, MESHSEC_HANDSHAKE_MS);
	is_refused(&t, "ANONCE", 0);
	pdu = up_to_anonce(&t);
	fake_run(&t.f, 3000);
	say(&t, pdu.b, pdu.len);
	t.f.out_count = 0; /* SNONCE */
	waits_about(&t, MESHSEC_HANDSHAKE_MS - 3000);
	is_refused(&t, "DONE", 0);
}
END_TEST

/* --- after the handshake -----------------------------------------------------------------------
 */

/* It says that it is lost, and goes. */
START_TEST(a_packet_that_is_not_sealed_ends_it)
{
	struct talk t;

	for (unsigned n = 0; n <= PORT_PDU_MAX_BYTES; n++) {
		uint8_t b[PORT_PDU_MAX_BYTES];

		memset(b, 0x34, sizeof(b));
		open_session(&t);
		say(&t, b, n);
		ck_assert_uint_eq(t.f.out_count, 1);
		ck_assert_uint_eq(t.f.out[0].b[0], MESHMSG_TYPE_DEAD_DATA);
		t.f.out_count = 0;
		is_refused(&t, "bytes", n);
	}
}
END_TEST

static size_t make_answer(uint32_t serial, uint8_t out[MESHMSG_BYTES_MAX])
{
	const struct meshmsg_enroll_response ok = {.serial_index = serial};
	const struct meshmsg_route route = {3, MESHMSG_BROADCAST, HANDLE};
	struct wr w = wr_init(out, MESHMSG_BYTES_MAX);

	ck_assert_int_eq(meshmsg_encode_enroll_response(&w, route, &ok), ERR_OK);
	return w.len_bytes;
}

static bool was_told(struct talk *t)
{
	struct meshmsg m;

	return fake_find(&t->f, MESHMSG_ENROLLMENT_RESPONSE, &m) && m.sender == OWN_ID;
}

START_TEST(only_the_targets_whole_answer_is_told)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	size_t n = make_answer(TARGET, b);
	struct talk t;

	for (size_t cut = 1; cut < n; cut++) {
		open_session(&t);
		say_sealed(&t, b, cut);
		ck_assert_msg(!was_told(&t), "%zu bytes", cut);
		ck_assert_uint_eq(t.f.hang_ups, 0);
	}
	open_session(&t);
	say_sealed(&t, b, make_answer(TARGET + 1, b));
	ck_assert(!was_told(&t));
	n = make_answer(TARGET, b);
	fake_receive(&t.f, b, n); /* from the mesh: the target is not there yet */
	ck_assert(!was_told(&t));
	fake_clear(&t.f);
	say_sealed(&t, b, n);
	ck_assert(was_told(&t));
	ck_assert_uint_eq(t.f.hang_ups, 1);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, no_other_type_stands_in_for_anonce);
	tcase_add_test(tc, every_shorter_or_longer_anonce_is_refused);
	tcase_add_test(tc, every_damaged_done_is_refused);
	tcase_add_test(tc, every_shorter_or_longer_done_is_refused);
	tcase_add_test(tc, only_a_done_of_success_opens);
	tcase_add_test(tc, dead_data_ends_it_in_every_state);
	tcase_add_test(tc, what_comes_before_the_subscription_is_not_heard);
	tcase_add_test(tc, five_seconds_for_each_step);
	tcase_add_test(tc, a_packet_that_is_not_sealed_ends_it);
	tcase_add_test(tc, only_the_targets_whole_answer_is_told);
}

int main(void)
{
	return suite_main("firmware/refused central", fill);
}
