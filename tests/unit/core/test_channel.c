#include "enr/channel.h"

#include "support/seeded.h"
#include "unit/suite.h"

#define SEED 6

struct pair {
	const struct crypto *c;
	struct enr_channel a, b; /* enrollee, service */
	uint8_t frame[ENR_CHANNEL_FRAME_MAX];
	size_t len;
	uint8_t plain[ENR_CHANNEL_PLAIN_MAX];
};

static void setup(struct pair *p)
{
	struct x3dh_session s;

	memset(p, 0, sizeof(*p));
	p->c = seeded_crypto(SEED);
	ck_assert_int_eq(p->c->random(p->c->ctx, &s, sizeof(s)), ERR_OK);
	ck_assert_int_eq(enr_channel_init(p->c, ENR_ENROLLEE, &s, &p->a), ERR_OK);
	ck_assert_int_eq(enr_channel_init(p->c, ENR_SERVICE, &s, &p->b), ERR_OK);
}

static void send_text(struct pair *p, struct enr_channel *from, const char *text)
{
	struct span plain = {(const uint8_t *)text, strlen(text)};

	ck_assert_int_eq(
		enr_channel_seal(p->c, from, plain, p->frame, sizeof(p->frame), &p->len), ERR_OK);
}

static enum err receive(struct pair *p, struct enr_channel *to)
{
	struct enr_channel_frame f;
	enum err e = enr_channel_decode((struct span){p->frame, p->len}, &f);

	return e == ERR_OK ? enr_channel_open(p->c, to, &f, p->plain) : e;
}

/* A message of the enrollee with the given counter. */
static enum err deliver(struct pair *p, uint64_t counter)
{
	p->a.sent = counter - 1;
	send_text(p, &p->a, "x");
	return receive(p, &p->b);
}

/* One exchange, so that both know the epoch. */
static void converse(struct pair *p)
{
	send_text(p, &p->a, "question");
	ck_assert_int_eq(receive(p, &p->b), ERR_OK);
	ck_assert_mem_eq(p->plain, "question", 8);
	send_text(p, &p->b, "answer");
	ck_assert_int_eq(receive(p, &p->a), ERR_OK);
	ck_assert_mem_eq(p->plain, "answer", 6);
}

START_TEST(frame_has_the_layout_of_the_profile)
{
	struct pair p;

	setup(&p);
	p.a.epoch = 0x0201;
	p.a.sent = 0x0807060504030200;
	send_text(&p, &p.a, "abc");
	ck_assert_uint_eq(p.len, 3 + ENR_CHANNEL_OVERHEAD_BYTES);
	ck_assert_uint_eq(p.frame[0], 1);
	ck_assert_mem_eq(p.frame + 1, "\x01\x02", 2);
	ck_assert_mem_eq(p.frame + 3, p.a.device, 8);
	ck_assert_mem_eq(p.frame + 11, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
}
END_TEST

START_TEST(both_directions_carry)
{
	struct pair p;

	setup(&p);
	for (int i = 0; i < 200; i++)
		converse(&p);
	ck_assert_uint_eq(p.a.sent, 200);
	ck_assert_uint_eq(p.b.newest, 200);
}
END_TEST

START_TEST(no_side_hears_itself)
{
	struct pair p;

	setup(&p);
	send_text(&p, &p.a, "x");
	ck_assert_int_eq(receive(&p, &p.a), ERR_AUTH);
	send_text(&p, &p.b, "x");
	ck_assert_int_eq(receive(&p, &p.b), ERR_AUTH);
}
END_TEST

START_TEST(every_changed_byte_is_refused_and_changes_nothing)
{
	struct pair p;
	struct enr_channel before;

	setup(&p);
	send_text(&p, &p.a, "some text");
	before = p.b;
	for (size_t i = 0; i < p.len; i++) {
		p.frame[i] ^= 0x20;
		ck_assert_int_ne(receive(&p, &p.b), ERR_OK);
		ck_assert_mem_eq(&before, &p.b, sizeof(before));
		p.frame[i] ^= 0x20;
	}
	ck_assert_int_eq(receive(&p, &p.b), ERR_OK);
}
END_TEST

START_TEST(every_truncated_and_lengthened_frame_is_refused)
{
	struct pair p;
	size_t whole;

	setup(&p);
	send_text(&p, &p.a, "some text");
	whole = p.len;
	for (p.len = 0; p.len < whole; p.len++)
		ck_assert_int_ne(receive(&p, &p.b), ERR_OK);
	p.len = whole + 1;
	ck_assert_int_eq(receive(&p, &p.b), ERR_AUTH);
	p.len = whole;
	ck_assert_int_eq(receive(&p, &p.b), ERR_OK);
}
END_TEST

START_TEST(decoder_knows_its_limits)
{
	uint8_t in[ENR_CHANNEL_FRAME_MAX + 1] = {1};
	struct enr_channel_frame f;

	in[11] = 1;
	for (size_t n = 0; n < ENR_CHANNEL_OVERHEAD_BYTES + 1; n++)
		ck_assert_int_eq(enr_channel_decode((struct span){in, n}, &f), ERR_SHORT);
	ck_assert_int_eq(
		enr_channel_decode((struct span){in, ENR_CHANNEL_OVERHEAD_BYTES + 1}, &f), ERR_OK);
	ck_assert_int_eq(enr_channel_decode((struct span){in, ENR_CHANNEL_FRAME_MAX}, &f), ERR_OK);
	ck_assert_int_eq(enr_channel_decode((struct span){in, sizeof(in)}, &f), ERR_TRAILING);
	in[11] = 0;
	ck_assert_int_eq(enr_channel_decode((struct span){in, 100}, &f), ERR_RANGE);
	in[0] = 2;
	ck_assert_int_eq(enr_channel_decode((struct span){in, 100}, &f), ERR_VERSION);
}
END_TEST

START_TEST(another_device_is_unknown)
{
	struct pair p;

	setup(&p);
	send_text(&p, &p.a, "x");
	p.b.device[7] ^= 1;
	ck_assert_int_eq(receive(&p, &p.b), ERR_UNKNOWN);
}
END_TEST

START_TEST(a_repeat_is_a_conflict_and_recognizable_as_the_newest)
{
	struct pair p;
	struct enr_channel_frame f;

	setup(&p);
	converse(&p);
	ck_assert_int_eq(deliver(&p, 9), ERR_OK);
	ck_assert_int_eq(receive(&p, &p.b), ERR_CONFLICT);
	ck_assert_int_eq(enr_channel_decode((struct span){p.frame, p.len}, &f), ERR_OK);
	ck_assert_uint_eq(f.counter, p.b.newest);
	ck_assert_uint_eq(f.epoch, p.b.epoch);
}
END_TEST

START_TEST(window_takes_each_of_the_last_64_once)
{
	struct pair p;

	setup(&p);
	ck_assert_int_eq(deliver(&p, 100), ERR_OK);
	ck_assert_int_eq(deliver(&p, 36), ERR_CONFLICT); /* 64 behind: too old to know */
	ck_assert_int_eq(deliver(&p, 37), ERR_OK);       /* 63 behind */
	for (uint64_t n = 38; n < 100; n++)
		ck_assert_int_eq(deliver(&p, n), ERR_OK);
	for (uint64_t n = 1; n <= 100; n++)
		ck_assert_int_eq(deliver(&p, n), ERR_CONFLICT);
	ck_assert(p.b.window == UINT64_MAX);
}
END_TEST

START_TEST(window_moves_by_63_64_and_65)
{
	for (uint64_t step = 62; step <= 66; step++) {
		struct pair p;

		setup(&p);
		ck_assert_int_eq(deliver(&p, 5), ERR_OK);
		ck_assert_int_eq(deliver(&p, 5 + step), ERR_OK);
		ck_assert_int_eq(deliver(&p, 5), ERR_CONFLICT);
		ck_assert_int_eq(deliver(&p, 6), 5 + step - 6 < 64 ? ERR_OK : ERR_CONFLICT);
		ck_assert_int_eq(deliver(&p, 5 + step), ERR_CONFLICT);
		ck_assert_int_eq(deliver(&p, 6 + step), ERR_OK);
	}
}
END_TEST

START_TEST(window_reaches_the_last_counter)
{
	struct pair p;

	setup(&p);
	ck_assert_int_eq(deliver(&p, 1), ERR_OK);
	ck_assert_int_eq(deliver(&p, UINT64_MAX), ERR_OK);
	ck_assert_int_eq(deliver(&p, UINT64_MAX), ERR_CONFLICT);
	ck_assert_int_eq(deliver(&p, UINT64_MAX - 63), ERR_OK);
	ck_assert_int_eq(deliver(&p, UINT64_MAX - 64), ERR_CONFLICT);
}
END_TEST

START_TEST(counters_are_not_used_twice)
{
	struct pair p;
	const struct span text = {(const uint8_t *)"x", 1};

	setup(&p);
	p.a.sent = UINT64_MAX - 1;
	ck_assert_int_eq(
		enr_channel_seal(p.c, &p.a, text, p.frame, sizeof(p.frame), &p.len), ERR_OK);
	ck_assert_int_eq(
		enr_channel_seal(p.c, &p.a, text, p.frame, sizeof(p.frame), &p.len), ERR_RANGE);
	ck_assert_uint_eq(p.len, 0);
}
END_TEST

START_TEST(service_follows_to_the_next_epoch_and_forgets_the_last)
{
	struct pair p;
	uint8_t old[ENR_CHANNEL_FRAME_MAX];
	size_t old_len;

	setup(&p);
	converse(&p);
	send_text(&p, &p.a, "late");
	old_len = p.len;
	memcpy(old, p.frame, p.len);
	ck_assert_int_eq(enr_channel_rekey(p.c, &p.a), ERR_OK);
	ck_assert_uint_eq(p.a.epoch, 1);
	ck_assert_uint_eq(p.a.sent, 0);
	converse(&p);
	ck_assert_uint_eq(p.b.epoch, 1);
	ck_assert_uint_eq(p.b.newest, 1);
	ck_assert_mem_eq(p.a.traffic.b, p.b.traffic.b, 64);
	memcpy(p.frame, old, old_len);
	p.len = old_len;
	ck_assert_int_eq(receive(&p, &p.b), ERR_STATE);
}
END_TEST

START_TEST(old_epoch_lives_until_the_first_valid_message_of_the_new)
{
	struct pair p;
	struct enr_channel raised;

	setup(&p);
	raised = p.a;
	ck_assert_int_eq(enr_channel_rekey(p.c, &raised), ERR_OK);
	send_text(&p, &raised, "x");
	p.frame[p.len - 1] ^= 1;
	ck_assert_int_eq(receive(&p, &p.b), ERR_AUTH);
	ck_assert_uint_eq(p.b.epoch, 0);
	converse(&p); /* still in epoch 0 */
	p.a = raised;
	converse(&p);
	ck_assert_uint_eq(p.b.epoch, 1);
}
END_TEST

START_TEST(only_the_enrollee_raises_and_one_step_at_a_time)
{
	struct pair p;

	setup(&p);
	ck_assert_int_eq(enr_channel_rekey(p.c, &p.b), ERR_STATE);
	ck_assert_int_eq(enr_channel_rekey(p.c, &p.a), ERR_OK);
	ck_assert_int_eq(enr_channel_rekey(p.c, &p.a), ERR_STATE);
	converse(&p);
	ck_assert_int_eq(enr_channel_rekey(p.c, &p.a), ERR_OK);
	p.b.epoch = 0; /* two behind */
	send_text(&p, &p.a, "x");
	ck_assert_int_eq(receive(&p, &p.b), ERR_STATE);
}
END_TEST

START_TEST(enrollee_does_not_follow_the_service)
{
	struct pair p;

	setup(&p);
	p.b.epoch = 1;
	send_text(&p, &p.b, "x");
	ck_assert_int_eq(receive(&p, &p.a), ERR_STATE);
}
END_TEST

START_TEST(epochs_end_at_65535)
{
	struct pair p;

	setup(&p);
	p.a.epoch = p.b.epoch = UINT16_MAX;
	ck_assert(!enr_channel_wants_rekey(&p.a, ENR_CHANNEL_REKEY_S));
	ck_assert_int_eq(enr_channel_rekey(p.c, &p.a), ERR_RANGE);
	p.a.epoch = 0;
	send_text(&p, &p.a, "x");
	ck_assert_int_eq(receive(&p, &p.b), ERR_STATE);
}
END_TEST

START_TEST(wants_a_new_epoch_after_a_day_or_many_messages)
{
	struct pair p;

	setup(&p);
	ck_assert(!enr_channel_wants_rekey(&p.a, ENR_CHANNEL_REKEY_S - 1));
	ck_assert(enr_channel_wants_rekey(&p.a, ENR_CHANNEL_REKEY_S));
	ck_assert(!enr_channel_wants_rekey(&p.b, ENR_CHANNEL_REKEY_S));
	p.a.sent = ENR_CHANNEL_REKEY_MESSAGES - 1;
	ck_assert(!enr_channel_wants_rekey(&p.a, 0));
	p.a.sent++;
	ck_assert(enr_channel_wants_rekey(&p.a, 0));
	p.a.confirmed = false;
	ck_assert(!enr_channel_wants_rekey(&p.a, 0));
}
END_TEST

START_TEST(plaintext_of_nothing_or_too_much_is_not_sealed)
{
	struct pair p;
	static const uint8_t big[ENR_CHANNEL_PLAIN_MAX + 1];

	setup(&p);
	for (int i = 0; i < 2; i++) {
		struct span s = {big, i == 0 ? 0 : sizeof(big)};

		ck_assert_int_eq(enr_channel_seal(p.c, &p.a, s, p.frame, sizeof(p.frame), &p.len),
			ERR_RANGE);
	}
	ck_assert_int_eq(enr_channel_seal(p.c, &p.a, (struct span){big, 1}, p.frame,
				 ENR_CHANNEL_OVERHEAD_BYTES, &p.len),
		ERR_FULL);
	ck_assert_uint_eq(p.a.sent, 0);
}
END_TEST

START_TEST(ping_round_trips_and_has_one_length)
{
	uint8_t out[ENR_CHANNEL_PING_BYTES + 1] = {0};
	struct enr_channel_plain d;

	enr_channel_ping_encode(ENR_CHANNEL_PONG, (const uint8_t *)"12345678", out);
	ck_assert_mem_eq(out,
		"\x01"
		"12345678",
		9);
	for (size_t n = 0; n < ENR_CHANNEL_PING_BYTES; n++)
		ck_assert_int_eq(enr_channel_plain_decode((struct span){out, n}, &d), ERR_SHORT);
	ck_assert_int_eq(enr_channel_plain_decode((struct span){out, 10}, &d), ERR_TRAILING);
	ck_assert_int_eq(enr_channel_plain_decode((struct span){out, 9}, &d), ERR_OK);
	ck_assert_int_eq(d.kind, ENR_CHANNEL_PONG);
	ck_assert_mem_eq(d.body.p, "12345678", 8);
}
END_TEST

START_TEST(application_plaintext_has_any_length_and_other_kinds_none)
{
	uint8_t in[100] = {ENR_CHANNEL_APPLICATION};
	struct enr_channel_plain d;

	for (size_t n = 1; n < sizeof(in); n++) {
		ck_assert_int_eq(enr_channel_plain_decode((struct span){in, n}, &d), ERR_OK);
		ck_assert_uint_eq(d.body.n, n - 1);
	}
	for (int kind = 3; kind < 256; kind++) {
		in[0] = (uint8_t)kind;
		ck_assert_int_eq(enr_channel_plain_decode((struct span){in, 9}, &d), ERR_UNKNOWN);
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, frame_has_the_layout_of_the_profile);
	tcase_add_test(tc, both_directions_carry);
	tcase_add_test(tc, no_side_hears_itself);
	tcase_add_test(tc, every_changed_byte_is_refused_and_changes_nothing);
	tcase_add_test(tc, every_truncated_and_lengthened_frame_is_refused);
	tcase_add_test(tc, decoder_knows_its_limits);
	tcase_add_test(tc, another_device_is_unknown);
	tcase_add_test(tc, a_repeat_is_a_conflict_and_recognizable_as_the_newest);
	tcase_add_test(tc, window_takes_each_of_the_last_64_once);
	tcase_add_test(tc, window_moves_by_63_64_and_65);
	tcase_add_test(tc, window_reaches_the_last_counter);
	tcase_add_test(tc, counters_are_not_used_twice);
	tcase_add_test(tc, service_follows_to_the_next_epoch_and_forgets_the_last);
	tcase_add_test(tc, old_epoch_lives_until_the_first_valid_message_of_the_new);
	tcase_add_test(tc, only_the_enrollee_raises_and_one_step_at_a_time);
	tcase_add_test(tc, enrollee_does_not_follow_the_service);
	tcase_add_test(tc, epochs_end_at_65535);
	tcase_add_test(tc, wants_a_new_epoch_after_a_day_or_many_messages);
	tcase_add_test(tc, plaintext_of_nothing_or_too_much_is_not_sealed);
	tcase_add_test(tc, ping_round_trips_and_has_one_length);
	tcase_add_test(tc, application_plaintext_has_any_length_and_other_kinds_none);
}

int main(void)
{
	return suite_main("channel", fill);
}
