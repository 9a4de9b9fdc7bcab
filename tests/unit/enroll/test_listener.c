/* The listener between a fake transport and a fake service: both are written below. */
#include "enroll/listener.h"

#include "enr/channel.h"
#include "enroll/batch.h"
#include "enroll/service.h"
#include "support/logged.h"
#include "unit/suite.h"

/* --- the fake service and batch: linked instead of the real ones ------------------------------ */

struct service {
	enum err accept_err;
	enum service_outcome outcome;
	bool known; /* asks for a permit */
	bool forged;
	bool pong;
	unsigned calls;
	uint8_t id[32];
};

struct batch {
	bool open; /* a transaction */
	bool inside;
	enum err enter_err, leave_err, after_err;
	batch_fn *fn[64];
	void *arg[64];
	unsigned count;
};

enum err batch_enter(struct batch *b)
{
	ck_assert(!b->inside);
	if (b->enter_err)
		return b->enter_err;
	b->inside = b->open = true;
	return ERR_OK;
}

enum err batch_leave(struct batch *b, enum err result)
{
	ck_assert(b->inside);
	b->inside = false;
	return result ? result : b->leave_err;
}

enum err batch_after(struct batch *b, batch_fn *fn, void *arg)
{
	if (b->after_err)
		return b->after_err;
	b->fn[b->count] = fn;
	b->arg[b->count++] = arg;
	return ERR_OK;
}

static void commit(struct batch *b, enum err result)
{
	b->open = false;
	for (unsigned i = 0; i < b->count; i++)
		b->fn[i](b->arg[i], result);
	b->count = 0;
}

static enum err decide(struct service *s, service_permit_fn *permit, void *arg, const char *text,
	struct service_reply *out)
{
	s->calls++;
	if (s->accept_err)
		return s->accept_err;
	out->outcome = SERVICE_SILENCE;
	if (s->known && !permit(arg, s->id, sizeof(s->id)))
		return ERR_OK;
	out->outcome = s->outcome;
	out->pong = s->pong;
	out->authentic = s->known && !s->forged;
	out->bytes_count = s->outcome == SERVICE_SILENCE ? 0 : strlen(text);
	memcpy(out->bytes, text, out->bytes_count);
	return ERR_OK;
}

enum err service_accept(struct service *s, const struct clock_now *now, struct span request,
	service_permit_fn *permit, void *arg, struct service_reply *out)
{
	(void)now;
	ck_assert_uint_eq(request.n, ENROLLMSG_REQUEST_BYTES);
	return decide(s, permit, arg, "accepted", out);
}

enum err service_channel(struct service *s, const struct clock_now *now, struct span request,
	service_permit_fn *permit, void *arg, struct service_reply *out)
{
	(void)now;
	ck_assert_uint_ge(request.n, ENR_CHANNEL_OVERHEAD_BYTES + 1);
	return decide(s, permit, arg, "pong", out);
}

static void frame_make(uint8_t out[44], char device)
{
	memset(out, 0, 44);
	out[0] = 1;
	memset(out + 3, device, 8);
	out[11] = 1;
}

enum err service_channel_ping(struct service *s, const struct clock_now *now, const char *device_id,
	const uint8_t body[8], struct service_reply *out, struct reason *why)
{
	(void)now;
	(void)why;
	if (s->accept_err)
		return s->accept_err;
	out->outcome = SERVICE_ANSWER;
	out->bytes_count = 44;
	frame_make(out->bytes, device_id[0]);
	memcpy(out->bytes + 20, body, 8);
	return ERR_OK;
}

/* --- the fake transport ---------------------------------------------------------------------- */

struct world {
	struct service service;
	struct batch batch;
	struct listener *l;
	struct clock_now now;
	unsigned answers, silences;
	uint8_t last[SERVICE_REPLY_MAX];
	size_t last_bytes;
	bool open_at_answer;
};

static void on_reply(void *arg, const uint8_t *p, size_t n)
{
	struct world *w = arg;

	w->open_at_answer = w->batch.open;
	if (n == 0) {
		w->silences++;
		return;
	}
	w->answers++;
	memcpy(w->last, p, n);
	w->last_bytes = n;
}

static void open_world(struct world *w)
{
	const uint8_t seed[16] = {1};

	memset(w, 0, sizeof(*w));
	w->now.boot_ms = 1000;
	w->service.known = true;
	w->service.outcome = SERVICE_ANSWER;
	ck_assert_int_eq(listener_new(&w->service, &w->batch, NULL, seed, &w->l), ERR_OK);
}

static void close_world(struct world *w)
{
	commit(&w->batch, ERR_OK);
	listener_free(w->l);
}

static void request(
	struct world *w, enum listener_kind kind, uint8_t source, const uint8_t *p, size_t n)
{
	const struct listener_source src = {.id = {source}, .n = 1};

	listener_on_request(w->l, &w->now, kind, (struct span){p, n}, &src,
		(struct listener_reply){on_reply, w});
}

static void enroll(struct world *w, uint8_t source)
{
	const uint8_t frame[ENROLLMSG_REQUEST_BYTES] = {1};

	request(w, LISTENER_ENROLL, source, frame, sizeof(frame));
}

static void poll_channel(struct world *w, char device)
{
	uint8_t frame[44];

	frame_make(frame, device);
	request(w, LISTENER_CHANNEL, 1, frame, sizeof(frame));
}

START_TEST(answers_only_after_the_commit)
{
	struct world w;

	open_world(&w);
	enroll(&w, 1);
	ck_assert_uint_eq(w.answers + w.silences, 0);
	commit(&w.batch, ERR_OK);
	ck_assert_uint_eq(w.answers, 1);
	ck_assert(!w.open_at_answer);
	ck_assert_mem_eq(w.last, "accepted", 8);
	ck_assert_uint_eq(listener_counters(w.l)->accepted, 1);
	close_world(&w);
}
END_TEST

START_TEST(stays_silent_when_the_commit_fails)
{
	struct world w;

	open_world(&w);
	enroll(&w, 1);
	commit(&w.batch, ERR_FULL);
	ck_assert_uint_eq(w.answers, 0);
	ck_assert_uint_eq(w.silences, 1);
	ck_assert_uint_eq(listener_counters(w.l)->failed, 1);
	close_world(&w);
}
END_TEST

START_TEST(stays_silent_on_every_fault_of_ours)
{
	struct world w;

	open_world(&w);
	w.batch.enter_err = ERR_IO;
	enroll(&w, 1);
	w.batch.enter_err = ERR_OK;
	w.batch.leave_err = ERR_FULL;
	enroll(&w, 1);
	w.batch.leave_err = ERR_OK;
	w.batch.after_err = ERR_NOMEM;
	enroll(&w, 1);
	w.batch.after_err = ERR_OK;
	w.service.accept_err = ERR_IO;
	enroll(&w, 1);
	ck_assert_uint_eq(w.silences, 4);
	ck_assert_uint_eq(w.answers, 0);
	ck_assert_uint_eq(listener_counters(w.l)->failed, 4);
	close_world(&w);
}
END_TEST

START_TEST(drops_what_is_no_frame_before_the_service_sees_it)
{
	struct world w;
	uint8_t bytes[ENROLLMSG_REQUEST_BYTES + 1] = {1};

	open_world(&w);
	for (size_t n = 0; n <= sizeof(bytes); n++)
		if (n != ENROLLMSG_REQUEST_BYTES)
			request(&w, LISTENER_ENROLL, (uint8_t)n, bytes, n);
	bytes[0] = 2;
	request(&w, LISTENER_ENROLL, 1, bytes, ENROLLMSG_REQUEST_BYTES);
	bytes[0] = 1;
	for (size_t n = 0; n <= ENR_CHANNEL_OVERHEAD_BYTES; n++)
		request(&w, LISTENER_CHANNEL, (uint8_t)n, bytes, n);
	ck_assert_uint_eq(w.service.calls, 0);
	ck_assert_uint_eq(w.answers, 0);
	ck_assert_uint_eq(w.silences, listener_counters(w.l)->silent);
	ck_assert_uint_eq(w.silences, listener_counters(w.l)->requests);
	close_world(&w);
}
END_TEST

START_TEST(limits_a_source)
{
	struct world w;

	open_world(&w);
	w.service.known = false;
	w.service.outcome = SERVICE_SILENCE;
	for (int i = 0; i < 300; i++)
		enroll(&w, 1);
	ck_assert_uint_eq(w.service.calls, 200);
	ck_assert_uint_eq(listener_counters(w.l)->limited, 100);
	enroll(&w, 2);
	ck_assert_uint_eq(w.service.calls, 201);
	w.now.boot_ms += 1000;
	for (int i = 0; i < 300; i++)
		enroll(&w, 1);
	ck_assert_uint_eq(w.service.calls, 301);
	close_world(&w);
}
END_TEST

START_TEST(limits_a_known_id_whatever_its_sources)
{
	struct world w;

	open_world(&w);
	w.service.outcome = SERVICE_REJECT;
	for (uint8_t i = 0; i < 20; i++)
		enroll(&w, i);
	commit(&w.batch, ERR_OK);
	ck_assert_uint_eq(listener_counters(w.l)->rejected, 5);
	ck_assert_uint_eq(listener_counters(w.l)->limited, 15);
	ck_assert_uint_eq(w.answers, 5);
	ck_assert_uint_eq(w.silences, 15);
	w.now.boot_ms += 500; /* never locked out */
	w.service.outcome = SERVICE_ANSWER;
	enroll(&w, 99);
	commit(&w.batch, ERR_OK);
	ck_assert_mem_eq(w.last, "accepted", 8);
	close_world(&w);
}
END_TEST

START_TEST(hands_a_ping_to_the_next_poll_of_its_device)
{
	struct world w;

	open_world(&w);
	ck_assert_int_eq(
		listener_ping(w.l, &w.now, "a", (const uint8_t *)"12345678", NULL), ERR_OK);
	w.service.outcome = SERVICE_SILENCE;
	poll_channel(&w, 'a'); /* not committed yet */
	ck_assert_uint_eq(w.silences, 1);
	commit(&w.batch, ERR_OK);
	poll_channel(&w, 'b'); /* another device */
	ck_assert_uint_eq(w.silences, 2);
	poll_channel(&w, 'a');
	commit(&w.batch, ERR_OK);
	ck_assert_uint_eq(w.answers, 1);
	ck_assert_uint_eq(w.last_bytes, 44);
	ck_assert_mem_eq(w.last + 20, "12345678", 8);
	ck_assert_uint_eq(listener_counters(w.l)->pings, 1);
	close_world(&w);
}
END_TEST

START_TEST(gives_a_ping_to_nobody_unknown_and_not_for_ever)
{
	struct world w;

	open_world(&w);
	w.service.outcome = SERVICE_SILENCE;
	ck_assert_int_eq(
		listener_ping(w.l, &w.now, "a", (const uint8_t *)"12345678", NULL), ERR_OK);
	commit(&w.batch, ERR_OK);
	w.service.known = false;
	poll_channel(&w, 'a');
	ck_assert_uint_eq(w.silences, 1);
	w.service.known = true;
	w.service.forged = true; /* the id of a device is no secret */
	poll_channel(&w, 'a');
	ck_assert_uint_eq(w.silences, 2);
	w.service.forged = false;
	w.now.boot_ms += LISTENER_PING_WAIT_S * 1000 + 1;
	poll_channel(&w, 'a');
	commit(&w.batch, ERR_OK);
	ck_assert_uint_eq(w.silences, 3);
	ck_assert_uint_eq(w.answers, 0);
	close_world(&w);
}
END_TEST

/* The pong is a message without an answer: the ping that it answers must not come again. A newer
 * ping must, if the pong was for the one before. */
START_TEST(does_not_answer_the_pong_with_its_ping)
{
	struct world w;

	open_world(&w);
	w.service.outcome = SERVICE_SILENCE;
	ck_assert_int_eq(
		listener_ping(w.l, &w.now, "a", (const uint8_t *)"12345678", NULL), ERR_OK);
	commit(&w.batch, ERR_OK);
	poll_channel(&w, 'a');
	commit(&w.batch, ERR_OK);
	ck_assert_uint_eq(w.answers, 1);
	w.service.pong = true;
	poll_channel(&w, 'a');
	commit(&w.batch, ERR_OK);
	w.service.pong = false;
	poll_channel(&w, 'a');
	commit(&w.batch, ERR_OK);
	ck_assert_uint_eq(w.answers, 1);
	ck_assert_uint_eq(w.silences, 2);
	ck_assert_uint_eq(listener_counters(w.l)->silent, 2);

	ck_assert_int_eq(
		listener_ping(w.l, &w.now, "a", (const uint8_t *)"87654321", NULL), ERR_OK);
	commit(&w.batch, ERR_OK);
	w.service.pong = true;
	poll_channel(&w, 'a');
	w.service.pong = false;
	poll_channel(&w, 'a');
	commit(&w.batch, ERR_OK);
	ck_assert_uint_eq(w.answers, 2);
	ck_assert_mem_eq(w.last + 20, "87654321", 8);
	close_world(&w);
}
END_TEST

static void enroll_many(void *arg)
{
	struct world *w = arg;

	for (unsigned i = 0; i < 50; i++)
		enroll(w, (uint8_t)i);
}

START_TEST(a_full_disk_and_a_flood_make_one_line)
{
	struct world w;

	open_world(&w);
	w.batch.enter_err = ERR_FULL;
	ck_assert_uint_eq(logged_lines(enroll_many, &w), 1);
	ck_assert_uint_eq(listener_counters(w.l)->failed, 50);
	w.batch.enter_err = ERR_OK;
	enroll(&w, 1);
	commit(&w.batch, ERR_OK);
	w.batch.enter_err = ERR_FULL; /* news again */
	ck_assert_uint_eq(logged_lines(enroll_many, &w), 1);
	w.batch.enter_err = ERR_OK;
	close_world(&w);
}
END_TEST

START_TEST(forgets_a_ping_whose_counter_was_not_stored)
{
	struct world w;

	open_world(&w);
	w.service.outcome = SERVICE_SILENCE;
	ck_assert_int_eq(
		listener_ping(w.l, &w.now, "a", (const uint8_t *)"12345678", NULL), ERR_OK);
	commit(&w.batch, ERR_FULL);
	poll_channel(&w, 'a');
	ck_assert_uint_eq(w.silences, 1);
	close_world(&w);
}
END_TEST

START_TEST(bounds_the_waiting_pings)
{
	struct world w;
	char device[2] = "!";

	open_world(&w);
	for (int i = 0; i < LISTENER_PINGS_MAX; i++) {
		device[0] = (char)('!' + i);
		ck_assert_int_eq(
			listener_ping(w.l, &w.now, device, (const uint8_t *)"1234567", NULL),
			ERR_OK);
		commit(&w.batch, ERR_OK);
	}
	ck_assert_int_eq(
		listener_ping(w.l, &w.now, "~", (const uint8_t *)"1234567", NULL), ERR_BUSY);
	ck_assert_int_eq(listener_ping(w.l, &w.now, "!", (const uint8_t *)"7654321", NULL), ERR_OK);
	w.now.boot_ms += LISTENER_PING_WAIT_S * 1000 + 1;
	ck_assert_int_eq(listener_ping(w.l, &w.now, "~", (const uint8_t *)"1234567", NULL), ERR_OK);
	close_world(&w);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, answers_only_after_the_commit);
	tcase_add_test(tc, stays_silent_when_the_commit_fails);
	tcase_add_test(tc, stays_silent_on_every_fault_of_ours);
	tcase_add_test(tc, drops_what_is_no_frame_before_the_service_sees_it);
	tcase_add_test(tc, limits_a_source);
	tcase_add_test(tc, limits_a_known_id_whatever_its_sources);
	tcase_add_test(tc, a_full_disk_and_a_flood_make_one_line);
	tcase_add_test(tc, hands_a_ping_to_the_next_poll_of_its_device);
	tcase_add_test(tc, gives_a_ping_to_nobody_unknown_and_not_for_ever);
	tcase_add_test(tc, does_not_answer_the_pong_with_its_ping);
	tcase_add_test(tc, forgets_a_ping_whose_counter_was_not_stored);
	tcase_add_test(tc, bounds_the_waiting_pings);
}

int main(void)
{
	return suite_main("listener", fill);
}
