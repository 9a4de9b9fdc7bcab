/* Each verb in turn: open, load, decide (agent), store, send. */
#include "enrollee/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "enr/hex.h"
#include "enrollee/agent.h"
#include "enrollee/exchange.h"
#include "enrollee/show.h"

#define ENROLL_TIMEOUT_S 120
#define PING_TIMEOUT_S 10
#define PONG_TIMEOUT_S 10
#define PING_PAUSE_S 1 /* below the service's limit of 2 a second for one device */

static enum err fail(struct run *r, enum err err, const char *what)
{
	if (r->why.text[0] == '\0')
		reason_set(&r->why, NULL, "%s: %s", what, err_text(err));
	return err;
}

static enum err refuse(struct run *r, enum err err, const char *why)
{
	reason_set(&r->why, NULL, "%s", why);
	return err;
}

static enum err open_state(struct run *r, enum statefile_mode mode)
{
	enum err err = statefile_open(r->options->state_dir, mode, &r->file, &r->why);

	if (!err)
		err = statefile_load(&r->file, &r->state, &r->why);
	if (err == ERR_NOT_FOUND)
		reason_set(&r->why, NULL, "no state in %s: run \"enrollee init\" first",
			r->options->state_dir);
	return err;
}

static enum err save(struct run *r)
{
	return statefile_save(&r->file, &r->state, &r->why);
}

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

static uint64_t timeout_ms(const struct run *r, uint32_t otherwise_s)
{
	return r->options->timeout_ms ? r->options->timeout_ms : UINT64_C(1000) * otherwise_s;
}

/* --- init, id, status, welcome ------------------------------------------------------------- */

static enum err make_state(struct run *r)
{
	enum err err = agent_make(r->crypto, &r->state);

	return err ? fail(r, err, "no keys could be made") : save(r);
}

static enum err verb_init(struct run *r)
{
	enum err err = statefile_open(r->options->state_dir, STATEFILE_CREATE, &r->file, &r->why);

	if (err)
		return err;
	err = statefile_load(&r->file, &r->state, &r->why);
	if (err != ERR_NOT_FOUND && !r->options->force) {
		reason_set(&r->why, NULL,
			"%s has a state already: --force destroys it, and with it the identity "
			"of this device",
			r->options->state_dir);
		return ERR_CONFLICT;
	}
	r->why.text[0] = '\0';
	err = make_state(r);
	return err ? err : show_id(stdout, r->crypto, &r->state);
}

static enum err verb_id(struct run *r)
{
	enum err err = open_state(r, STATEFILE_READ);

	if (!err)
		err = show_id(stdout, r->crypto, &r->state);
	return err ? fail(r, err, "id") : ERR_OK;
}

static enum err verb_status(struct run *r)
{
	enum err err = open_state(r, STATEFILE_READ);

	if (!err && r->options->json)
		err = show_json(stdout, r->crypto, &r->state);
	else if (!err)
		err = show_status(stdout, r->crypto, &r->state);
	return err ? fail(r, err, "status") : ERR_OK;
}

static enum err verb_welcome(struct run *r)
{
	enum err err = open_state(r, STATEFILE_READ);

	if (!err && r->state.stage != STATE_ENROLLED)
		err = refuse(r, ERR_STATE, "this device is not enrolled yet");
	if (!err)
		(void)fwrite(r->state.welcome, 1, r->state.welcome_bytes, stdout);
	return err;
}

/* --- enroll -------------------------------------------------------------------------------- */

static bool on_answer(void *arg, const uint8_t *p, size_t n)
{
	struct run *r = arg;
	enum err err = agent_answer(r->crypto, (struct span){p, n}, now_s(), &r->state);

	if (err == ERR_DENIED)
		log_warn("the service refuses for now; trying on");
	else if (err)
		log_warn(
			"ignored an answer that is not the service's reason=\"%s\"", err_text(err));
	return err == ERR_OK;
}

/* Says in words what the exchange found out. */
static enum err tell(
	struct run *r, enum err err, const struct enrollmsg_addr *to, const char *silent)
{
	switch ((int)err) {
	case ERR_OK:
		return ERR_OK;
	case ERR_TIMEOUT:
		reason_set(&r->why, NULL, "%s port %u: %s", to->host, (unsigned)to->port, silent);
		return ERR_TIMEOUT;
	case ERR_NOT_FOUND:
		reason_set(&r->why, NULL, "%s: no such host", to->host);
		return ERR_CLOSED;
	case ERR_CLOSED:
		reason_set(
			&r->why, NULL, "%s port %u: nobody is there", to->host, (unsigned)to->port);
		return ERR_CLOSED;
	default:
		return fail(r, err, "the exchange failed");
	}
}

static enum err send_message(struct run *r)
{
	uint8_t request[ENROLLMSG_REQUEST_BYTES];
	struct enrollmsg_addr to;
	struct exchange x = {.path = "enroll",
		.bytes = {request, sizeof(request)},
		.timeout_ms = timeout_ms(r, ENROLL_TIMEOUT_S),
		.on_payload = on_answer,
		.arg = r};
	enum err err = agent_service(&r->state, &to);

	if (err)
		return fail(r, err, "the bundle's address");
	enrollmsg_request_encode(r->state.message, request);
	x.host = to.host;
	x.port = to.port;
	log_info("enrolling at=%s port=%u", to.host, (unsigned)to.port);
	return tell(r, exchange_run(&x), &to,
		"no answer: is this device announced, and the bundle still valid?");
}

/* The message is on the disk before it leaves; the same one leaves until it is answered. */
static enum err enroll_with(struct run *r, const struct agent_bundle *bundle)
{
	enum err err = agent_try(r->crypto, bundle, &r->state, &r->why);

	if (err)
		return fail(r, err, "the bundle was not accepted");
	if (r->state.stage == STATE_ENROLLED)
		return ERR_OK;
	err = save(r);
	if (!err)
		err = send_message(r);
	return err ? err : save(r);
}

/* One line, or all of a small file. */
static enum err read_text(struct run *r, FILE *f, char *text, size_t cap, size_t *n)
{
	*n = 0;
	for (int c = getc(f); c != EOF; c = getc(f)) {
		if (*n == cap) {
			reason_set(&r->why, "bundle", "this is too long for a bundle");
			return ERR_TRAILING;
		}
		text[(*n)++] = (char)c;
		if (c == '\n' && f == stdin)
			break;
	}
	if (ferror(f)) {
		reason_set(&r->why, "bundle", "%s", strerror(errno));
		return ERR_IO;
	}
	return ERR_OK;
}

static enum err read_bundle(struct run *r, char *text, size_t cap, size_t *n)
{
	const char *path = r->options->bundle;
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	enum err err;

	if (!f) {
		reason_set(&r->why, "bundle", "%s: %s", path, strerror(errno));
		return errno == EACCES ? ERR_DENIED : ERR_NOT_FOUND;
	}
	err = read_text(r, f, text, cap, n);
	if (f != stdin)
		(void)fclose(f);
	return err;
}

static enum err print_enrolled(struct run *r)
{
	struct public32 id;
	char digits[65];
	enum err err = agent_device_id(r->crypto, &r->state, &id);

	if (err)
		return fail(r, err, "id");
	hex_print(id.b, sizeof(id.b), digits);
	(void)printf("enrolled %s\n", digits);
	return ERR_OK;
}

static enum err verb_enroll(struct run *r)
{
	char text[ENROLLMSG_BUNDLE_TEXT_MAX + 16];
	struct agent_bundle bundle = {
		.text = text, .pin = r->options->pin, .replace = r->options->replace};
	enum err err = open_state(r, STATEFILE_WRITE);

	if (!err)
		err = read_bundle(r, text, sizeof(text), &bundle.chars);
	if (!err)
		err = enroll_with(r, &bundle);
	return err ? err : print_enrolled(r);
}

/* The far half of "enrollctl enroll -- ssh device enrollee serve-stdio". The bundle comes after our
 * key was announced for it, so an older attempt is over: it is replaced. */
static enum err serve(struct run *r)
{
	char text[ENROLLMSG_BUNDLE_TEXT_MAX + 16];
	struct agent_bundle bundle = {.text = text, .pin = r->options->pin, .replace = true};
	enum err err = statefile_open(r->options->state_dir, STATEFILE_CREATE, &r->file, &r->why);

	if (!err)
		err = statefile_load(&r->file, &r->state, &r->why);
	if (err == ERR_NOT_FOUND && r->file.dir >= 0) {
		r->why.text[0] = '\0';
		err = make_state(r);
	}
	if (!err && r->state.stage == STATE_ENROLLED)
		err = refuse(r, ERR_STATE, "this device is enrolled already");
	if (!err)
		err = show_key(stdout, r->crypto, &r->state);
	if (!err && fflush(stdout) != 0)
		err = fail(r, ERR_IO, "standard output");
	if (!err)
		err = read_text(r, stdin, text, sizeof(text), &bundle.chars);
	if (!err && bundle.chars == 0)
		err = refuse(r, ERR_SHORT, "no bundle came");
	return err ? err : enroll_with(r, &bundle);
}

static enum err verb_serve_stdio(struct run *r)
{
	enum err err = serve(r);

	if (!err)
		return print_enrolled(r);
	(void)fail(r, err, "failed");
	(void)printf("error %s\n", r->why.text);
	return err;
}

/* --- the channel --------------------------------------------------------------------------- */

/* What is waited for on the channel, and what came. */
struct wait {
	struct run *r;
	enum agent_heard kind;
	uint8_t body[8];
	struct agent_message got;
	enum err save_err;
};

static bool on_frame(void *arg, const uint8_t *p, size_t n)
{
	struct wait *w = arg;
	enum err err = agent_hear(w->r->crypto, (struct span){p, n}, &w->r->state, &w->got);

	if (err) {
		log_debug("channel: ignored a frame reason=\"%s\"", err_text(err));
		return false;
	}
	w->save_err = save(w->r);
	if (w->save_err)
		return true;
	return w->got.kind == w->kind &&
	       (w->kind != AGENT_PONG || bytes_equal_ct(w->got.body, w->body, sizeof(w->body)));
}

/* Sends one frame that the stored state knows of. w NULL: no answer is due. */
static enum err send_frame(struct run *r, const struct state_frame *frame, struct wait *w,
	uint64_t limit_ms, const char *silent)
{
	struct enrollmsg_addr to;
	struct exchange x = {.path = "channel",
		.bytes = {frame->b, frame->n},
		.timeout_ms = limit_ms,
		.ack_is_enough = !w,
		.on_payload = w ? on_frame : NULL,
		.arg = w};
	enum err err = agent_service(&r->state, &to);

	if (err)
		return fail(r, err, "the bundle's address");
	x.host = to.host;
	x.port = to.port;
	err = tell(r, exchange_run(&x), &to, silent);
	return !err && w ? w->save_err : err;
}

static double elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - since->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - since->tv_nsec) / 1e6;
}

static enum err ping_once(struct run *r, uint32_t number)
{
	struct wait w = {.r = r, .kind = AGENT_PONG};
	struct state_frame frame;
	struct timespec start;
	enum err err = r->crypto->random(r->crypto->ctx, w.body, sizeof(w.body));

	if (!err)
		err = agent_ping(r->crypto, w.body, now_s(), &r->state, &frame);
	if (err)
		return fail(r, err, "ping");
	err = save(r);
	if (err)
		return err;
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	err = send_frame(r, &frame, &w, timeout_ms(r, PING_TIMEOUT_S),
		"no answer: has this device been revoked?");
	if (!err)
		(void)printf("pong %" PRIu32 " of %" PRIu32 " epoch=%u counter=%" PRIu64
			     " time_ms=%.1f\n",
			number, r->options->count, (unsigned)r->state.epoch, r->state.sent,
			elapsed_ms(&start));
	return err;
}

static enum err open_enrolled(struct run *r)
{
	enum err err = open_state(r, STATEFILE_WRITE);

	if (!err && r->state.stage != STATE_ENROLLED)
		err = refuse(r, ERR_STATE, "this device is not enrolled yet");
	return err;
}

static enum err verb_ping(struct run *r)
{
	const struct timespec pause = {.tv_sec = PING_PAUSE_S};
	enum err err = open_enrolled(r);

	for (uint32_t i = 1; i <= r->options->count && !err; i++) {
		if (i > 1)
			(void)nanosleep(&pause, NULL);
		err = ping_once(r, i);
		(void)fflush(stdout);
	}
	return err;
}

/* Asks whether the service has something for us: its ping comes as the answer. */
static enum err verb_poll(struct run *r)
{
	struct wait w = {.r = r, .kind = AGENT_PING};
	struct state_frame frame;
	enum err err = open_enrolled(r);

	if (err)
		return err;
	err = agent_poll(r->crypto, now_s(), &r->state, &frame);
	if (err)
		return fail(r, err, "poll");
	err = save(r);
	if (!err)
		err = send_frame(r, &frame, &w, timeout_ms(r, PING_TIMEOUT_S),
			"nothing is waiting for this device");
	if (!err)
		err = send_frame(r, &w.got.reply, NULL, PONG_TIMEOUT_S * UINT64_C(1000), "lost");
	if (!err)
		(void)printf("answered a ping epoch=%u counter=%" PRIu64 "\n",
			(unsigned)r->state.epoch, r->state.newest);
	return err;
}

const struct verb verbs[] = {
	{"init", verb_init, "f", "make this device's keys; prints its announcement key and id"},
	{"id", verb_id, "", "print the announcement key (enk1:...) and the id to compare by eye"},
	{"enroll", verb_enroll, "bprt", "enroll with a bundle (enr1:...)"},
	{"ping", verb_ping, "ct", "ping the service through the encrypted channel"},
	{"poll", verb_poll, "t", "answer a ping of the service that waits for this device"},
	{"status", verb_status, "j", "what this device knows of itself"},
	{"welcome", verb_welcome, "", "write the welcome that came with the acceptance, as it is"},
	{"serve-stdio", verb_serve_stdio, "pt",
		"print the key, read a bundle line, enroll: the far half of \"enrollctl enroll\""},
};
const size_t verb_count = sizeof(verbs) / sizeof(verbs[0]);
