#include "enroll/service.h"
#include "support/world.h"
#include "unit/suite.h"

static struct world w;
static struct enrollee e;
static struct service_reply reply;
static struct service_event last;

static void on_event(void *arg, const struct service_event *event)
{
	(void)arg;
	last = *event;
}

static void setup(void)
{
	world_open(&w);
	enrollee_enroll(&w, &e);
	service_on_event(w.service, on_event, NULL);
	memset(&last, 0, sizeof(last));
}

static void teardown(void)
{
	world_close(&w);
}

struct frame {
	uint8_t bytes[ENR_CHANNEL_FRAME_MAX];
	size_t n;
};

static struct frame make_frame(enum enr_channel_kind kind, const char body[8])
{
	uint8_t plain[ENR_CHANNEL_PING_BYTES];
	struct frame f;

	enr_channel_ping_encode(kind, (const uint8_t *)body, plain);
	ck_assert_int_eq(enr_channel_seal(w.crypto, &e.channel, (struct span){plain, sizeof(plain)},
				 f.bytes, sizeof(f.bytes), &f.n),
		ERR_OK);
	return f;
}

static enum service_outcome send_frame(const struct frame *f)
{
	world_begin(&w);
	ck_assert_int_eq(service_channel(w.service, &w.now, (struct span){f->bytes, f->n}, NULL,
				 NULL, &reply),
		ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	return reply.outcome;
}

/* Opens the service's frame as the device; the 8 bytes. */
static enum enr_channel_kind open_frame(const struct service_reply *r, uint8_t body[8])
{
	uint8_t plain[ENR_CHANNEL_PLAIN_MAX];
	struct enr_channel_frame frame;
	struct enr_channel_plain p;

	ck_assert_int_eq(
		enr_channel_decode((struct span){r->bytes, r->bytes_count}, &frame), ERR_OK);
	ck_assert_int_eq(enr_channel_open(w.crypto, &e.channel, &frame, plain), ERR_OK);
	ck_assert_int_eq(
		enr_channel_plain_decode((struct span){plain, frame.ciphertext.n}, &p), ERR_OK);
	memcpy(body, p.body.p, 8);
	return p.kind;
}

START_TEST(a_ping_gets_its_pong)
{
	struct frame ping = make_frame(ENR_CHANNEL_PING, "12345678");
	uint8_t body[8];

	ck_assert_int_eq(send_frame(&ping), SERVICE_ANSWER);
	ck_assert_int_eq(open_frame(&reply, body), ENR_CHANNEL_PONG);
	ck_assert_mem_eq(body, "12345678", 8);
	ck_assert_int_eq(last.kind, SERVICE_DEVICE_PING);
	ck_assert_mem_eq(last.body, "12345678", 8);
}
END_TEST

START_TEST(the_newest_ping_repeated_gets_the_stored_pong_also_after_a_restart)
{
	struct frame ping = make_frame(ENR_CHANNEL_PING, "12345678");
	struct service_reply first;

	ck_assert_int_eq(send_frame(&ping), SERVICE_ANSWER);
	first = reply;
	ck_assert_int_eq(send_frame(&ping), SERVICE_ANSWER);
	ck_assert(reply.repeat);
	ck_assert_mem_eq(reply.bytes, first.bytes, first.bytes_count);
	world_stop(&w);
	ck_assert_int_eq(world_start(&w), ERR_OK);
	ck_assert_int_eq(send_frame(&ping), SERVICE_ANSWER);
	ck_assert_mem_eq(reply.bytes, first.bytes, first.bytes_count);
}
END_TEST

START_TEST(older_frames_are_answered_once)
{
	struct frame one = make_frame(ENR_CHANNEL_PING, "aaaaaaaa");
	struct frame two = make_frame(ENR_CHANNEL_PING, "bbbbbbbb");

	ck_assert_int_eq(send_frame(&two), SERVICE_ANSWER);
	ck_assert_int_eq(send_frame(&one), SERVICE_ANSWER);
	ck_assert_int_eq(send_frame(&one), SERVICE_SILENCE);
	ck_assert_int_eq(send_frame(&two), SERVICE_ANSWER); /* the newest still */
	ck_assert(reply.repeat);
}
END_TEST

START_TEST(forged_foreign_and_malformed_frames_meet_silence)
{
	struct frame ping = make_frame(ENR_CHANNEL_PING, "12345678"), bad;

	for (size_t i = 0; i < ping.n; i++) {
		bad = ping;
		bad.bytes[i] ^= 1;
		ck_assert_int_eq(send_frame(&bad), SERVICE_SILENCE);
		ck_assert(!reply.authentic);
	}
	for (size_t n = 0; n < ping.n; n++) {
		bad = ping;
		bad.n = n;
		ck_assert_int_eq(send_frame(&bad), SERVICE_SILENCE);
	}
	ck_assert_int_eq(send_frame(&ping), SERVICE_ANSWER);
}
END_TEST

START_TEST(what_it_does_not_know_is_authentic_but_unanswered)
{
	uint8_t odd[3] = {77, 1, 2}, application[3] = {2, 1, 2};
	struct frame f;

	ck_assert_int_eq(enr_channel_seal(w.crypto, &e.channel, (struct span){odd, 3}, f.bytes,
				 sizeof(f.bytes), &f.n),
		ERR_OK);
	ck_assert_int_eq(send_frame(&f), SERVICE_SILENCE);
	ck_assert_int_eq(world_number(&w, "SELECT newest FROM channels"), 1);
	ck_assert_int_eq(enr_channel_seal(w.crypto, &e.channel, (struct span){application, 3},
				 f.bytes, sizeof(f.bytes), &f.n),
		ERR_OK);
	ck_assert_int_eq(send_frame(&f), SERVICE_SILENCE);
	ck_assert_int_eq(world_number(&w, "SELECT newest FROM channels"), 2);
}
END_TEST

START_TEST(the_enrollee_raises_the_epoch_and_the_old_one_ends)
{
	struct frame ping = make_frame(ENR_CHANNEL_PING, "12345678"), late, next;
	struct service_device device;
	uint8_t body[8];

	ck_assert_int_eq(send_frame(&ping), SERVICE_ANSWER);
	(void)open_frame(&reply, body);
	late = make_frame(ENR_CHANNEL_PING, "too late");
	ck_assert_int_eq(enr_channel_rekey(w.crypto, &e.channel), ERR_OK);
	next = make_frame(ENR_CHANNEL_PING, "abcdefgh");
	ck_assert_int_eq(send_frame(&next), SERVICE_ANSWER);
	ck_assert_int_eq(open_frame(&reply, body), ENR_CHANNEL_PONG);
	ck_assert_int_eq(send_frame(&late), SERVICE_SILENCE);
	ck_assert_int_eq(service_device_show(w.service, e.device, &device, NULL), ERR_OK);
	ck_assert_uint_eq(device.epoch, 1);
	world_stop(&w);
	ck_assert_int_eq(world_start(&w), ERR_OK);
	next = make_frame(ENR_CHANNEL_PING, "after it");
	ck_assert_int_eq(send_frame(&next), SERVICE_ANSWER);
	ck_assert_int_eq(open_frame(&reply, body), ENR_CHANNEL_PONG);
}
END_TEST

static enum err service_ping(struct service_reply *out)
{
	struct reason why = {.field = NULL};
	enum err result;

	world_begin(&w);
	result = service_channel_ping(
		w.service, &w.now, e.device, (const uint8_t *)"pingping", out, &why);
	ck_assert(result == ERR_OK || why.text[0] != '\0');
	ck_assert_int_eq(world_end(&w), ERR_OK);
	return result;
}

START_TEST(the_service_pings_and_hears_the_pong)
{
	struct service_reply ping;
	struct frame pong;
	uint8_t body[9] = {0};

	ck_assert_int_eq(service_ping(&ping), ERR_OK);
	ck_assert_int_eq(open_frame(&ping, body), ENR_CHANNEL_PING);
	pong = make_frame(ENR_CHANNEL_PONG, (const char *)body);
	ck_assert_int_eq(send_frame(&pong), SERVICE_SILENCE);
	ck_assert_int_eq(last.kind, SERVICE_DEVICE_PONG);
	ck_assert_mem_eq(last.body, "pingping", 8);
	/* Its counter is never used twice. */
	ck_assert_int_eq(service_ping(&ping), ERR_OK);
	ck_assert_int_eq(open_frame(&ping, body), ENR_CHANNEL_PING);
	ck_assert_int_eq(world_number(&w, "SELECT sent FROM channels"), 2);
}
END_TEST

START_TEST(a_ping_after_a_power_cut_has_another_counter)
{
	struct service_reply first, second;
	uint8_t body[8];

	ck_assert_int_eq(service_ping(&first), ERR_OK);
	world_stop(&w);
	ck_assert_int_eq(world_start(&w), ERR_OK);
	ck_assert_int_eq(service_ping(&second), ERR_OK);
	ck_assert_uint_eq(first.bytes_count, second.bytes_count);
	ck_assert_mem_ne(first.bytes + 11, second.bytes + 11, 8);
	ck_assert_int_eq(open_frame(&first, body), ENR_CHANNEL_PING);
	ck_assert_int_eq(open_frame(&second, body), ENR_CHANNEL_PING);
}
END_TEST

START_TEST(an_answer_that_was_rolled_back_uses_no_counter_twice)
{
	struct frame ping = make_frame(ENR_CHANNEL_PING, "12345678");

	world_begin(&w);
	ck_assert_int_eq(service_channel(w.service, &w.now, (struct span){ping.bytes, ping.n}, NULL,
				 NULL, &reply),
		ERR_OK);
	store_rollback(w.store); /* it was not sent */
	service_committed(w.service, ERR_IO);
	ck_assert_int_eq(last.kind, 0);
	ck_assert_int_eq(send_frame(&ping), SERVICE_ANSWER);
	ck_assert(!reply.repeat);
}
END_TEST

START_TEST(revocation_ends_the_channel)
{
	struct frame ping = make_frame(ENR_CHANNEL_PING, "12345678");
	struct service_device device;
	struct reason why;

	ck_assert_int_eq(send_frame(&ping), SERVICE_ANSWER);
	world_begin(&w);
	ck_assert_int_eq(
		service_device_revoke(w.service, &w.now, &WORLD_BOB, e.device, &device, &why),
		ERR_DENIED);
	ck_assert_int_eq(
		service_device_revoke(w.service, &w.now, &WORLD_ALICE, e.device, &device, &why),
		ERR_OK);
	ck_assert_uint_eq(device.revoked_at, w.now.wall_s);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(last.kind, SERVICE_DEVICE_REVOKED);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM channels"), 0);
	ck_assert_int_eq(send_frame(&ping), SERVICE_SILENCE);
	ck_assert_int_eq(service_ping(&reply), ERR_STATE);
	world_begin(&w);
	ck_assert_int_eq(
		service_device_revoke(w.service, &w.now, &WORLD_ALICE, e.device, &device, &why),
		ERR_STATE);
	ck_assert_int_eq(world_end(&w), ERR_OK);
}
END_TEST

static void count_device(void *arg, const struct service_device *device)
{
	ck_assert_str_eq(device->pet_name, "Robot Axiom");
	(*(size_t *)arg)++;
}

static size_t count(unsigned states)
{
	const struct service_filter filter = {.uid = WORLD_ALICE.uid, .states = states};
	size_t n = 0;

	ck_assert_int_eq(service_device_list(w.service, &filter, count_device, &n, NULL), ERR_OK);
	return n;
}

START_TEST(devices_are_listed_and_counted)
{
	struct service_counts counts;
	struct service_device device;
	struct enrollee second;

	enrollee_enroll(&w, &second);
	ck_assert_uint_eq(count(0), 2);
	world_begin(&w);
	ck_assert_int_eq(
		service_device_revoke(w.service, &w.now, &WORLD_ALICE, e.device, &device, NULL),
		ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_uint_eq(count(0), 2);
	ck_assert_uint_eq(count(1), 1);
	ck_assert_uint_eq(count(2), 1);
	ck_assert_int_eq(service_counts(w.service, &w.now, &counts), ERR_OK);
	ck_assert_uint_eq(counts.devices, 1);
	ck_assert_uint_eq(counts.devices_revoked, 1);
	ck_assert_uint_eq(counts.bundles[SERVICE_USED], 2);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_ping_gets_its_pong);
	tcase_add_test(tc, the_newest_ping_repeated_gets_the_stored_pong_also_after_a_restart);
	tcase_add_test(tc, older_frames_are_answered_once);
	tcase_add_test(tc, forged_foreign_and_malformed_frames_meet_silence);
	tcase_add_test(tc, what_it_does_not_know_is_authentic_but_unanswered);
	tcase_add_test(tc, the_enrollee_raises_the_epoch_and_the_old_one_ends);
	tcase_add_test(tc, the_service_pings_and_hears_the_pong);
	tcase_add_test(tc, a_ping_after_a_power_cut_has_another_counter);
	tcase_add_test(tc, an_answer_that_was_rolled_back_uses_no_counter_twice);
	tcase_add_test(tc, revocation_ends_the_channel);
	tcase_add_test(tc, devices_are_listed_and_counted);
}

int main(void)
{
	return suite_main("service_channel", fill);
}
