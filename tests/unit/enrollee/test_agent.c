/* The enrollee's rules against a service that is played with core's functions for its role. */
#include "enrollee/agent.h"

#include <stdio.h>

#include "enr/hex.h"
#include "support/seeded.h"
#include "unit/suite.h"

#define SEED 6

struct world {
	const struct crypto *c;
	struct x3dh_keypair ik, spk, opk;
	struct enrollmsg_bundle bundle;
	char addr[256];
	char text[ENROLLMSG_BUNDLE_TEXT_MAX];
	struct state s;
	struct reason why;
	struct x3dh_session session; /* the service's, after accept() */
	struct enr_channel channel;  /* the service's */
};

static void random_bytes(struct world *w, void *p, size_t n)
{
	ck_assert_int_eq(w->c->random(w->c->ctx, p, n), ERR_OK);
}

/* A bundle of the world's service with a fresh one-time prekey. */
static void issue(struct world *w)
{
	struct enrollmsg_addr a = {.host = "localhost", .port = 5683};
	uint8_t z[XEDDSA_Z_BYTES];
	struct public32 id;

	ck_assert_int_eq(x3dh_keypair_make(w->c, &w->opk), ERR_OK);
	ck_assert_int_eq(enrollmsg_id(w->c, &w->ik.pub, &id), ERR_OK);
	memcpy(a.fingerprint, id.b, sizeof(a.fingerprint));
	ck_assert_int_eq(enrollmsg_addr_print(&a, w->addr, sizeof(w->addr)), ERR_OK);
	random_bytes(w, z, sizeof(z));
	w->bundle.prekeys.ik = w->ik.pub;
	w->bundle.prekeys.spk = w->spk.pub;
	w->bundle.prekeys.opk = w->opk.pub;
	ck_assert_int_eq(xeddsa_sign(w->c, &w->ik.priv, (struct span){w->spk.pub.b, 32}, z,
				 w->bundle.prekeys.spk_signature),
		ERR_OK);
	w->bundle.addr = (struct span){(const uint8_t *)w->addr, strlen(w->addr)};
	ck_assert_int_eq(enrollmsg_bundle_print(&w->bundle, w->text, sizeof(w->text)), ERR_OK);
}

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->c = seeded_crypto(SEED);
	ck_assert_ptr_nonnull(w->c);
	ck_assert_int_eq(x3dh_keypair_make(w->c, &w->ik), ERR_OK);
	ck_assert_int_eq(x3dh_keypair_make(w->c, &w->spk), ERR_OK);
	ck_assert_int_eq(agent_make(w->c, &w->s), ERR_OK);
	issue(w);
}

static enum err try_text(struct world *w, const char *text, const char *pin, bool replace)
{
	struct agent_bundle b = {text, strlen(text), pin, replace};

	return agent_try(w->c, &b, &w->s, &w->why);
}

static enum err try(struct world *w)
{
	return try_text(w, w->text, NULL, false);
}

/* The service opens the message and seals its answer. */
static size_t accept(struct world *w, uint8_t answer[ENROLLMSG_ANSWER_MAX])
{
	const struct x3dh_context ctx = {x3dh_info(), w->bundle.addr};
	struct enrollmsg_answer plain = {.enrolled_at = 1604534400, .welcome_bytes = 2};
	struct x3dh_message m;
	struct public32 eik, id;
	struct x3dh_service service = {&w->ik.priv, &w->spk.priv, &w->opk.priv, &eik};
	char key[ENROLLMSG_KEY_TEXT_CHARS + 1];
	size_t n = 0;

	memcpy(plain.welcome, "hi", 2);
	ck_assert_int_eq(agent_key_text(w->c, &w->s, key, &id), ERR_OK);
	ck_assert_int_eq(enrollmsg_key_parse(key, strlen(key), &eik), ERR_OK);
	ck_assert_int_eq(
		x3dh_parse((struct span){w->s.message, sizeof(w->s.message)}, &m), X3DH_ACCEPT);
	ck_assert_mem_eq(&m.id, &id, 32);
	ck_assert_int_eq(x3dh_open(w->c, &ctx, &service, &m, &w->session), X3DH_ACCEPT);
	ck_assert_int_eq(enrollmsg_answer_seal(w->c, &w->session, &plain, answer, &n), ERR_OK);
	ck_assert_int_eq(enr_channel_init(w->c, ENR_SERVICE, &w->session, &w->channel), ERR_OK);
	return n;
}

static void enroll(struct world *w)
{
	uint8_t answer[ENROLLMSG_ANSWER_MAX];
	size_t n;

	ck_assert_int_eq(try(w), ERR_OK);
	n = accept(w, answer);
	ck_assert_int_eq(agent_answer(w->c, (struct span){answer, n}, 1000, &w->s), ERR_OK);
}

START_TEST(enrolls_and_forgets_the_one_time_key)
{
	const struct secret32 none = {{0}};
	struct world w;
	struct public32 id, device;
	char key[ENROLLMSG_KEY_TEXT_CHARS + 1];

	open_world(&w);
	ck_assert_int_eq(agent_key_text(w.c, &w.s, key, &id), ERR_OK);
	enroll(&w);
	ck_assert_int_eq(w.s.stage, STATE_ENROLLED);
	ck_assert_mem_eq(&w.s.eik, &none, sizeof(none));
	ck_assert_mem_eq(&w.s.enrollee_id, &id, 32);
	ck_assert_mem_eq(&w.s.traffic, &w.session.traffic, 64);
	ck_assert_uint_eq(w.s.enrolled_at, 1604534400);
	ck_assert_uint_eq(w.s.welcome_bytes, 2);
	ck_assert_mem_eq(w.s.welcome, "hi", 2);
	ck_assert_int_eq(agent_device_id(w.c, &w.s, &id), ERR_OK);
	ck_assert_int_eq(enrollmsg_id(w.c, &w.session.ik_b, &device), ERR_OK);
	ck_assert_mem_eq(&id, &device, 32);
	ck_assert_int_eq(agent_key_text(w.c, &w.s, key, &id), ERR_STATE);
}
END_TEST

START_TEST(builds_its_message_once)
{
	struct world w;
	struct state before;

	open_world(&w);
	ck_assert_int_eq(try(&w), ERR_OK);
	before = w.s;
	ck_assert_int_eq(try(&w), ERR_OK);
	ck_assert_mem_eq(&w.s, &before, sizeof(before));
	issue(&w);
	ck_assert_int_eq(try(&w), ERR_CONFLICT);
	ck_assert_mem_eq(&w.s, &before, sizeof(before));
	ck_assert_int_eq(try_text(&w, w.text, NULL, true), ERR_OK);
	ck_assert_mem_ne(w.s.message, before.message, 32); /* anything new: a new EK */
}
END_TEST

START_TEST(ignores_answers_that_are_not_the_services)
{
	const uint8_t rejection[2] = {1, 1};
	struct world w;
	struct state before;
	uint8_t answer[ENROLLMSG_ANSWER_MAX];
	size_t n;

	open_world(&w);
	ck_assert_int_eq(try(&w), ERR_OK);
	n = accept(&w, answer);
	before = w.s;
	ck_assert_int_eq(agent_answer(w.c, (struct span){rejection, 2}, 1000, &w.s), ERR_DENIED);
	for (size_t i = 0; i < n; i++) {
		answer[i] ^= 1;
		ck_assert_int_ne(agent_answer(w.c, (struct span){answer, n}, 1000, &w.s), ERR_OK);
		answer[i] ^= 1;
		ck_assert_int_ne(agent_answer(w.c, (struct span){answer, i}, 1000, &w.s), ERR_OK);
	}
	ck_assert_mem_eq(&w.s, &before, sizeof(before));
	ck_assert_int_eq(agent_answer(w.c, (struct span){answer, n}, 1000, &w.s), ERR_OK);
	ck_assert_int_eq(agent_answer(w.c, (struct span){answer, n}, 1000, &w.s), ERR_STATE);
}
END_TEST

START_TEST(refuses_forged_bundles)
{
	struct world w;
	struct state before;
	char text[ENROLLMSG_BUNDLE_TEXT_MAX + 8];

	open_world(&w);
	before = w.s;
	w.bundle.prekeys.spk_signature[5] ^= 1;
	ck_assert_int_eq(enrollmsg_bundle_print(&w.bundle, text, sizeof(text)), ERR_OK);
	ck_assert_int_eq(try_text(&w, text, NULL, false), ERR_AUTH);
	w.bundle.prekeys.spk_signature[5] ^= 1;
	w.addr[strlen(w.addr) - 1] ^= 1; /* the fingerprint of another key */
	ck_assert_int_eq(enrollmsg_bundle_print(&w.bundle, text, sizeof(text)), ERR_OK);
	ck_assert_int_ne(try_text(&w, text, NULL, false), ERR_OK);
	memset(&w.bundle.prekeys.opk, 0, 32); /* a low-order point */
	ck_assert_int_eq(enrollmsg_bundle_print(&w.bundle, text, sizeof(text)), ERR_OK);
	ck_assert_int_eq(try_text(&w, text, NULL, false), ERR_KEY);
	ck_assert_int_ne(try_text(&w, "", NULL, false), ERR_OK);
	ck_assert_int_ne(try_text(&w, "enr1:", NULL, false), ERR_OK);
	(void)snprintf(text, sizeof(text), "%sA", w.text);
	ck_assert_int_ne(try_text(&w, text, NULL, false), ERR_OK);
	(void)snprintf(text, sizeof(text), " \t%s\r\n", w.text);
	ck_assert_mem_eq(&w.s, &before, sizeof(before));
	ck_assert_int_eq(try_text(&w, text, NULL, false), ERR_OK);
}
END_TEST

START_TEST(believes_the_pinned_service_only)
{
	struct world w;
	struct public32 id;
	char key[65], fingerprint[33], other[65];

	open_world(&w);
	hex_print(w.ik.pub.b, 32, key);
	ck_assert_int_eq(enrollmsg_id(w.c, &w.ik.pub, &id), ERR_OK);
	hex_print(id.b, 16, fingerprint);
	hex_print(w.spk.pub.b, 32, other);
	ck_assert_int_eq(try_text(&w, w.text, other, false), ERR_AUTH);
	ck_assert_int_eq(try_text(&w, w.text, "1234", false), ERR_INVALID);
	ck_assert_int_eq(try_text(&w, w.text, "", false), ERR_INVALID);
	ck_assert_int_eq(w.s.stage, STATE_FRESH);
	ck_assert_int_eq(try_text(&w, w.text, fingerprint, false), ERR_OK);
	ck_assert_int_eq(try_text(&w, w.text, key, false), ERR_OK);
}
END_TEST

START_TEST(takes_the_same_bundle_again_after_success_and_no_other)
{
	struct world w;
	struct state before;

	open_world(&w);
	enroll(&w);
	before = w.s;
	ck_assert_int_eq(try(&w), ERR_OK);
	issue(&w);
	ck_assert_int_eq(try_text(&w, w.text, NULL, true), ERR_STATE);
	ck_assert_mem_eq(&w.s, &before, sizeof(before));
}
END_TEST

/* --- the channel --- */

static size_t service_opens(struct world *w, const struct state_frame *f, uint8_t plain[64])
{
	struct enr_channel_frame frame;

	ck_assert_int_eq(enr_channel_decode((struct span){f->b, f->n}, &frame), ERR_OK);
	ck_assert_int_eq(enr_channel_open(w->c, &w->channel, &frame, plain), ERR_OK);
	return frame.ciphertext.n;
}

static struct state_frame service_says(struct world *w, uint8_t kind, const char *body)
{
	uint8_t plain[16] = {kind};
	struct state_frame f = {0};

	memcpy(plain + 1, body, strlen(body));
	ck_assert_int_eq(enr_channel_seal(w->c, &w->channel, (struct span){plain, 1 + strlen(body)},
				 f.b, sizeof(f.b), &f.n),
		ERR_OK);
	return f;
}

static enum err hear(struct world *w, const struct state_frame *f, struct agent_message *m)
{
	return agent_hear(w->c, (struct span){f->b, f->n}, &w->s, m);
}

START_TEST(pings_and_hears_the_pong)
{
	struct world w;
	struct state_frame ping, pong;
	struct agent_message m;
	uint8_t plain[64];

	open_world(&w);
	enroll(&w);
	for (uint64_t i = 1; i <= 3; i++) {
		ck_assert_int_eq(
			agent_ping(w.c, (const uint8_t *)"12345678", 1000, &w.s, &ping), ERR_OK);
		ck_assert_uint_eq(w.s.sent, i);
		ck_assert_uint_eq(service_opens(&w, &ping, plain), 9);
		ck_assert_mem_eq(plain,
			"\0"
			"12345678",
			9);
		pong = service_says(&w, ENR_CHANNEL_PONG, "12345678");
		ck_assert_int_eq(hear(&w, &pong, &m), ERR_OK);
		ck_assert_int_eq(m.kind, AGENT_PONG);
		ck_assert_mem_eq(m.body, "12345678", 8);
		ck_assert_int_eq(hear(&w, &pong, &m), ERR_CONFLICT); /* a replay */
	}
}
END_TEST

START_TEST(answers_the_services_ping_and_repeats_that_answer)
{
	struct world w;
	struct state_frame ping, next;
	struct agent_message m, again;
	struct state before;
	uint8_t plain[64];

	open_world(&w);
	enroll(&w);
	ping = service_says(&w, ENR_CHANNEL_PING, "abcdefgh");
	ck_assert_int_eq(hear(&w, &ping, &m), ERR_OK);
	ck_assert_int_eq(m.kind, AGENT_PING);
	ck_assert_uint_eq(service_opens(&w, &m.reply, plain), 9);
	ck_assert_mem_eq(plain,
		"\1"
		"abcdefgh",
		9);
	before = w.s;
	ck_assert_int_eq(hear(&w, &ping, &again), ERR_OK);
	ck_assert_mem_eq(&again.reply, &m.reply, sizeof(m.reply));
	ck_assert_mem_eq(&w.s, &before, sizeof(before)); /* no counter was used */
	next = service_says(&w, ENR_CHANNEL_PING, "ijklmnop");
	ck_assert_int_eq(hear(&w, &next, &m), ERR_OK);
	ck_assert_mem_ne(m.reply.b, again.reply.b, again.reply.n);
	ck_assert_int_eq(hear(&w, &ping, &again), ERR_CONFLICT); /* no longer the newest */
}
END_TEST

START_TEST(never_uses_a_counter_twice_after_a_restart)
{
	struct world w;
	struct state_frame a, b;
	char text[STATE_TEXT_MAX];
	size_t n;

	open_world(&w);
	enroll(&w);
	ck_assert_int_eq(agent_ping(w.c, (const uint8_t *)"12345678", 1000, &w.s, &a), ERR_OK);
	ck_assert_int_eq(
		state_print(&w.s, text, sizeof(text), &n), ERR_OK); /* stored, then killed */
	ck_assert_int_eq(state_parse(text, n, &w.s), ERR_OK);
	ck_assert_int_eq(agent_ping(w.c, (const uint8_t *)"12345678", 1000, &w.s, &b), ERR_OK);
	ck_assert_mem_ne(a.b + 11, b.b + 11, 8);
}
END_TEST

START_TEST(changes_nothing_for_frames_that_are_not_the_services)
{
	struct world w;
	struct state_frame f;
	struct agent_message m;
	struct state before;

	open_world(&w);
	enroll(&w);
	f = service_says(&w, ENR_CHANNEL_PING, "abcdefgh");
	before = w.s;
	for (size_t i = 0; i < f.n; i++) {
		f.b[i] ^= 1;
		ck_assert_int_ne(hear(&w, &f, &m), ERR_OK);
		f.b[i] ^= 1;
		ck_assert_int_ne(agent_hear(w.c, (struct span){f.b, i}, &w.s, &m), ERR_OK);
	}
	ck_assert_mem_eq(&w.s, &before, sizeof(before));
	f = service_says(&w, 7, "unknown");
	ck_assert_int_eq(hear(&w, &f, &m), ERR_UNKNOWN);
	ck_assert_mem_eq(&w.s, &before, sizeof(before));
}
END_TEST

START_TEST(raises_the_epoch_after_a_day_and_waits_for_the_service)
{
	struct world w;
	struct state_frame f, pong;
	struct agent_message m;
	uint8_t plain[64];

	open_world(&w);
	enroll(&w);
	ck_assert_int_eq(agent_ping(w.c, (const uint8_t *)"12345678", 1000, &w.s, &f), ERR_OK);
	(void)service_opens(&w, &f, plain);
	pong = service_says(&w, ENR_CHANNEL_PONG, "12345678");
	ck_assert_int_eq(hear(&w, &pong, &m), ERR_OK);
	ck_assert_int_eq(
		agent_ping(w.c, (const uint8_t *)"12345678", 1000 + ENR_CHANNEL_REKEY_S, &w.s, &f),
		ERR_OK);
	ck_assert_uint_eq(w.s.epoch, 1);
	ck_assert_uint_eq(w.s.sent, 1);
	ck_assert_uint_eq(w.s.epoch_at, 1000 + ENR_CHANNEL_REKEY_S);
	/* Not yet heard of: however long it takes, no second step. */
	ck_assert_int_eq(agent_ping(w.c, (const uint8_t *)"12345678",
				 1000 + 9 * ENR_CHANNEL_REKEY_S, &w.s, &f),
		ERR_OK);
	ck_assert_uint_eq(w.s.epoch, 1);
	(void)service_opens(&w, &f, plain);
	pong = service_says(&w, ENR_CHANNEL_PONG, "12345678");
	ck_assert_int_eq(hear(&w, &pong, &m), ERR_OK);
	ck_assert_int_eq(m.kind, AGENT_PONG);
}
END_TEST

START_TEST(speaks_on_no_channel_before_enrollment)
{
	struct world w;
	struct state_frame f = {.n = 44};
	struct agent_message m;

	open_world(&w);
	ck_assert_int_eq(agent_ping(w.c, (const uint8_t *)"12345678", 1000, &w.s, &f), ERR_STATE);
	ck_assert_int_eq(agent_poll(w.c, 1000, &w.s, &f), ERR_STATE);
	ck_assert_int_eq(hear(&w, &f, &m), ERR_STATE);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, enrolls_and_forgets_the_one_time_key);
	tcase_add_test(tc, builds_its_message_once);
	tcase_add_test(tc, ignores_answers_that_are_not_the_services);
	tcase_add_test(tc, refuses_forged_bundles);
	tcase_add_test(tc, believes_the_pinned_service_only);
	tcase_add_test(tc, takes_the_same_bundle_again_after_success_and_no_other);
	tcase_add_test(tc, pings_and_hears_the_pong);
	tcase_add_test(tc, answers_the_services_ping_and_repeats_that_answer);
	tcase_add_test(tc, never_uses_a_counter_twice_after_a_restart);
	tcase_add_test(tc, changes_nothing_for_frames_that_are_not_the_services);
	tcase_add_test(tc, raises_the_epoch_after_a_day_and_waits_for_the_service);
	tcase_add_test(tc, speaks_on_no_channel_before_enrollment);
}

int main(void)
{
	return suite_main("agent", fill);
}
