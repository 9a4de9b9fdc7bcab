/*
 * The enrollee's verbs in a process of their own against the real service, store, batch, listener
 * and CoAP edge on loopback: what `enrollee` and `enrolld` are made of, without their main().
 */
#include "enrollee/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/crypto_openssl.h"
#include "base/log.h"
#include "base/seal.h"
#include "enroll/batch.h"
#include "enroll/listener.h"
#include "enroll/service.h"
#include "store/store.h"
#include "unit/suite.h"

struct world {
	char dir[64], state_dir[96];
	const struct crypto *c;
	struct event_base *base;
	struct seal *seal;
	struct store *store;
	struct service *service;
	struct batch *batch;
	struct listener *listener;
	struct coap_edge *edge;
	unsigned lose_answers;
	unsigned events[SERVICE_EVENT_COUNT];
	struct service_event last[SERVICE_EVENT_COUNT];
	char out[8192]; /* of the last verb: standard output */
	struct service_issued issued;
};

static const struct caller enroller = {.uid = 1000, .role = ROLE_ADMIN, .name = "test"};

static struct clock_now now(void)
{
	struct clock_now n;

	ck_assert_int_eq(clock_read(&n), ERR_OK);
	return n;
}

static void lose(void *arg, const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	coap_drop(arg);
}

static void on_request(void *arg, struct coap_request *r, enum coap_resource which,
	const uint8_t *p, size_t n, const struct coap_source *src)
{
	struct world *w = arg;
	const struct listener_source source = {.id = {1}, .n = 1};
	const struct clock_now t = now();

	if (w->lose_answers == 0) {
		listener_on_coap(w->listener, r, which, p, n, src);
		return;
	}
	w->lose_answers--;
	listener_on_request(w->listener, &t,
		which == COAP_RESOURCE_ENROLL ? LISTENER_ENROLL : LISTENER_CHANNEL,
		(struct span){p, n}, &source, (struct listener_reply){lose, r});
}

static void on_event(void *arg, const struct service_event *e)
{
	struct world *w = arg;

	w->events[e->kind]++;
	w->last[e->kind] = *e;
}

static void open_store(struct world *w)
{
	const struct secret32 key = {{1, 2, 3}};
	char path[96];
	struct reason why = {0};
	struct store_config config = {.path = path, .create = true, .crypto = w->c};

	(void)snprintf(path, sizeof(path), "%s/db", w->dir);
	ck_assert_int_eq(seal_new(w->c, &key, &w->seal), ERR_OK);
	config.seal = w->seal;
	ck_assert_msg(store_open(&config, &w->store, &why) == ERR_OK, "%s", why.text);
}

static void open_service(struct world *w)
{
	struct service_config config = {.addr_host = "127.0.0.1",
		.addr_port = coap_edge_port(w->edge, 0),
		.welcome = {(const uint8_t *)"hello device", 12}};
	const struct clock_now t = now();
	const uint8_t seed[16] = {7};
	struct reason why = {0};

	ck_assert_msg(service_new(w->store, w->c, &config, &t, &w->service, &why) == ERR_OK, "%s",
		why.text);
	service_on_event(w->service, on_event, w);
	ck_assert_int_eq(batch_new(w->store, w->base, NULL, &w->batch), ERR_OK);
	ck_assert_int_eq(batch_on_end(w->batch, service_committed, w->service), ERR_OK);
	ck_assert_int_eq(listener_new(w->service, w->batch, NULL, seed, &w->listener), ERR_OK);
}

static void open_world(struct world *w)
{
	static const char *const listen[] = {"127.0.0.1:0"};
	struct coap_config config = {.listen = listen, .listen_count = 1};
	struct coap_handler handler = {w, on_request};

	memset(w, 0, sizeof(*w));
	log_set_level(LOG_LEVEL_ERR);
	w->c = crypto_default();
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/enrollee-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	(void)snprintf(w->state_dir, sizeof(w->state_dir), "%s/device", w->dir);
	w->base = event_base_new();
	event_base_priority_init(w->base, BATCH_PRIORITIES);
	ck_assert_int_eq(coap_edge_new(w->base, &config, &handler, &w->edge), ERR_OK);
	open_store(w);
	open_service(w);
}

static void close_world(struct world *w)
{
	char command[96];

	batch_free(w->batch);
	coap_edge_free(w->edge);
	listener_free(w->listener);
	service_free(w->service);
	store_close(w->store);
	seal_free(w->seal);
	event_base_free(w->base);
	(void)snprintf(command, sizeof(command), "rm -r %s", w->dir);
	ck_assert_int_eq(system(command), 0);
}

/* --- the operator --- */

static void keep_issued(void *arg, const struct service_issued *issued)
{
	struct world *w = arg;

	w->issued = *issued;
}

static void issue(struct world *w, char text[ENROLLMSG_BUNDLE_TEXT_MAX])
{
	const struct clock_now t = now();
	struct enrollmsg_bundle b;

	ck_assert_int_eq(batch_enter(w->batch), ERR_OK);
	ck_assert_int_eq(batch_leave(w->batch, service_bundle_issue(w->service, &t, &enroller, NULL,
						       1, keep_issued, w, NULL)),
		ERR_OK);
	ck_assert_int_eq(batch_flush(w->batch), ERR_OK);
	ck_assert_int_eq(
		enrollmsg_bundle_decode((struct span){w->issued.frame, w->issued.frame_bytes}, &b),
		ERR_OK);
	ck_assert_int_eq(enrollmsg_bundle_print(&b, text, ENROLLMSG_BUNDLE_TEXT_MAX), ERR_OK);
}

/* key: a line that begins with "enk1:..." */
static void announce(struct world *w, const char *key)
{
	const struct clock_now t = now();
	struct service_announcement a = {.pet_name = "Robot Axiom"};
	struct service_bundle row;
	char id[17];

	for (size_t i = 0; i < 8; i++)
		(void)snprintf(id + 2 * i, 3, "%02x", w->issued.id[i]);
	a.bundle = id;
	ck_assert_int_eq(enrollmsg_key_parse(key, strcspn(key, "\n"), &a.eik), ERR_OK);
	ck_assert_int_eq(batch_enter(w->batch), ERR_OK);
	ck_assert_int_eq(batch_leave(w->batch, service_enrollee_announce(
						       w->service, &t, &enroller, &a, &row, NULL)),
		ERR_OK);
	ck_assert_int_eq(batch_flush(w->batch), ERR_OK);
}

/* --- the device: a verb in a child process --- */

struct child {
	pid_t pid;
	int in, out; /* our ends */
};

static void be_child(
	struct world *w, const char *name, struct options o, const int in[2], const int out[2])
{
	struct run r = {.options = &o, .crypto = w->c, .file = {.dir = -1}};
	enum err err = ERR_UNKNOWN;

	(void)dup2(in[0], 0);
	(void)dup2(out[1], 1);
	(void)close(in[1]);
	(void)close(out[0]);
	o.state_dir = w->state_dir;
	if (o.count == 0)
		o.count = 1;
	for (size_t i = 0; i < verb_count; i++)
		if (strcmp(verbs[i].name, name) == 0)
			err = verbs[i].fn(&r);
	(void)fflush(stdout);
	if (err)
		(void)fprintf(stderr, "%s: %s\n", name, r.why.text);
	_exit((int)err);
}

static struct child start(struct world *w, const char *name, struct options o)
{
	struct child c;
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	(void)fflush(stdout);
	c.pid = fork();
	ck_assert_int_ge(c.pid, 0);
	if (c.pid == 0)
		be_child(w, name, o, in, out);
	(void)close(in[0]);
	(void)close(out[1]);
	c.in = in[1];
	c.out = out[0];
	w->out[0] = '\0';
	return c;
}

/* One short turn of the service; what the child has printed is added to out. */
static void turn(struct world *w, struct child *c)
{
	const struct timeval soon = {0, 2000};
	size_t have = strlen(w->out);
	ssize_t n;

	event_base_loopexit(w->base, &soon);
	event_base_dispatch(w->base);
	n = read(c->out, w->out + have, sizeof(w->out) - 1 - have);
	if (n > 0)
		w->out[have + (size_t)n] = '\0';
}

static enum err finish(struct world *w, struct child *c)
{
	int status;

	(void)close(c->in);
	while (waitpid(c->pid, &status, WNOHANG) == 0)
		turn(w, c);
	turn(w, c);
	(void)close(c->out);
	ck_assert(WIFEXITED(status));
	return (enum err)WEXITSTATUS(status);
}

static enum err verb(struct world *w, const char *name, struct options o)
{
	struct child c = start(w, name, o);

	return finish(w, &c);
}

static enum err verb_with(struct world *w, const char *name, struct options o, const char *input)
{
	struct child c = start(w, name, o);

	ck_assert_int_eq(write(c.in, input, strlen(input)), (ssize_t)strlen(input));
	return finish(w, &c);
}

static const struct options plain = {.count = 1};
static const struct options from_stdin = {.bundle = "-", .timeout_ms = 20000};

static void enroll(struct world *w)
{
	char text[ENROLLMSG_BUNDLE_TEXT_MAX];

	ck_assert_int_eq(verb(w, "init", plain), ERR_OK);
	issue(w, text);
	announce(w, w->out);
	ck_assert_int_eq(verb_with(w, "enroll", from_stdin, text), ERR_OK);
}

static void device_text(const struct world *w, char digits[65])
{
	const struct service_event *e = &w->last[SERVICE_ENROLLEE_ACCEPTED];

	for (size_t i = 0; i < 32; i++)
		(void)snprintf(digits + 2 * i, 3, "%02x", e->device_id.b[i]);
}

START_TEST(enrolls_and_pings_in_both_directions)
{
	struct world w;
	struct reason why = {0};
	struct clock_now t;
	char want[80], device[65];

	open_world(&w);
	enroll(&w);
	ck_assert_uint_eq(w.events[SERVICE_ENROLLEE_ACCEPTED], 1);
	device_text(&w, device);
	(void)snprintf(want, sizeof(want), "enrolled %s\n", device);
	ck_assert_str_eq(w.out, want);
	ck_assert_int_eq(verb(&w, "welcome", plain), ERR_OK);
	ck_assert_str_eq(w.out, "hello device");

	ck_assert_int_eq(verb(&w, "ping", plain), ERR_OK);
	ck_assert_ptr_eq(strstr(w.out, "pong 1 of 1 epoch=0 counter=1 "), w.out);
	ck_assert_uint_eq(w.events[SERVICE_DEVICE_PING], 1);

	t = now();
	ck_assert_int_eq(batch_enter(w.batch), ERR_OK);
	ck_assert_int_eq(batch_leave(w.batch, listener_ping(w.listener, &t, device,
						      (const uint8_t *)"01234567", &why)),
		ERR_OK);
	ck_assert_int_eq(verb(&w, "poll", plain), ERR_OK);
	ck_assert_uint_eq(w.events[SERVICE_DEVICE_PONG], 1);
	ck_assert_mem_eq(w.last[SERVICE_DEVICE_PONG].body, "01234567", 8);
	ck_assert_mem_eq(w.last[SERVICE_DEVICE_PONG].device_id.b,
		w.last[SERVICE_ENROLLEE_ACCEPTED].device_id.b, 32);
	ck_assert_uint_eq(listener_counters(w.listener)->pings, 1);
	close_world(&w);
}
END_TEST

START_TEST(serves_stdio)
{
	struct world w;
	struct child c;
	char text[ENROLLMSG_BUNDLE_TEXT_MAX];

	open_world(&w);
	c = start(&w, "serve-stdio", (struct options){.timeout_ms = 20000});
	while (!strchr(w.out, '\n'))
		turn(&w, &c);
	issue(&w, text);
	announce(&w, w.out);
	w.out[0] = '\0';
	strcat(text, "\n");
	ck_assert_int_eq(write(c.in, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(finish(&w, &c), ERR_OK);
	ck_assert_ptr_eq(strstr(w.out, "enrolled "), w.out);
	ck_assert_uint_eq(w.events[SERVICE_ENROLLEE_ACCEPTED], 1);

	c = start(&w, "serve-stdio", plain);
	ck_assert_int_eq(finish(&w, &c), ERR_STATE);
	ck_assert_str_eq(w.out, "error this device is enrolled already\n");
	close_world(&w);
}
END_TEST

/* Starts the verb with this input and, as soon as the service has counted what is waited for, cuts
 * the power of the device: no clock is asked. */
static void enroll_until(struct world *w, const char *text, const uint64_t *counter, uint64_t value)
{
	struct child c = start(w, "enroll", from_stdin);

	ck_assert_int_eq(write(c.in, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(c.in);
	while (*counter < value)
		turn(w, &c);
	ck_assert_int_eq(kill(c.pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(c.pid, NULL, 0), c.pid);
	(void)close(c.out);
}

/* Not announced: nothing comes back but the ACK, and the device keeps its key and its message. */
START_TEST(meets_silence_when_not_announced_and_enrolls_later)
{
	struct world w;
	char text[ENROLLMSG_BUNDLE_TEXT_MAX], key[sizeof(w.out)];

	open_world(&w);
	ck_assert_int_eq(verb(&w, "init", plain), ERR_OK);
	(void)snprintf(key, sizeof(key), "%s", w.out);
	issue(&w, text);
	enroll_until(&w, text, &listener_counters(w.listener)->silent, 1);
	ck_assert_uint_eq(coap_edge_counters(w.edge)->answered, 0);
	ck_assert_int_eq(verb(&w, "status", plain), ERR_OK);
	ck_assert_ptr_nonnull(strstr(w.out, "stage        trying\n"));
	announce(&w, key);
	ck_assert_int_eq(verb_with(&w, "enroll", from_stdin, text), ERR_OK);
	ck_assert_uint_eq(w.events[SERVICE_ENROLLEE_ACCEPTED], 1);
	close_world(&w);
}
END_TEST

/* The service has accepted, its answer was lost, the device went down: the same bundle fetches it.
 */
START_TEST(fetches_an_answer_that_was_lost)
{
	struct world w;
	char text[ENROLLMSG_BUNDLE_TEXT_MAX];

	open_world(&w);
	ck_assert_int_eq(verb(&w, "init", plain), ERR_OK);
	issue(&w, text);
	announce(&w, w.out);
	w.lose_answers = 1;
	enroll_until(&w, text, &coap_edge_counters(w.edge)->dropped, 1);
	ck_assert_uint_eq(w.events[SERVICE_ENROLLEE_ACCEPTED], 1);
	ck_assert_int_eq(verb_with(&w, "enroll", from_stdin, text), ERR_OK);
	ck_assert_uint_eq(w.events[SERVICE_ENROLLEE_ACCEPTED], 1);
	ck_assert_uint_eq(listener_counters(w.listener)->accepted, 2);
	ck_assert_int_eq(verb(&w, "ping", plain), ERR_OK);
	close_world(&w);
}
END_TEST

/* However late its clock finds it, there is no acknowledgement to be had. */
START_TEST(says_that_nobody_is_there)
{
	struct world w;
	char text[ENROLLMSG_BUNDLE_TEXT_MAX];

	open_world(&w);
	ck_assert_int_eq(verb(&w, "init", plain), ERR_OK);
	issue(&w, text);
	coap_edge_free(w.edge);
	w.edge = NULL;
	ck_assert_int_eq(
		verb_with(&w, "enroll", (struct options){.bundle = "-", .timeout_ms = 200}, text),
		ERR_CLOSED);
	close_world(&w);
}
END_TEST

START_TEST(keeps_an_existing_identity)
{
	struct world w;
	char first[sizeof(w.out)];

	open_world(&w);
	ck_assert_int_eq(verb(&w, "id", plain), ERR_NOT_FOUND);
	ck_assert_int_eq(verb(&w, "init", plain), ERR_OK);
	(void)snprintf(first, sizeof(first), "%s", w.out);
	ck_assert_int_eq(verb(&w, "init", plain), ERR_CONFLICT);
	ck_assert_int_eq(verb(&w, "id", plain), ERR_OK);
	ck_assert_str_eq(w.out, first);
	ck_assert_int_eq(verb(&w, "ping", plain), ERR_STATE);
	ck_assert_int_eq(verb(&w, "init", (struct options){.force = true}), ERR_OK);
	ck_assert_str_ne(w.out, first);
	close_world(&w);
}
END_TEST

START_TEST(refuses_a_state_that_others_may_read_or_that_is_damaged)
{
	struct world w;
	char path[128];
	struct stat st;

	open_world(&w);
	ck_assert_int_eq(verb(&w, "init", plain), ERR_OK);
	(void)snprintf(path, sizeof(path), "%s/state", w.state_dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(verb(&w, "id", plain), ERR_DENIED);
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(truncate(path, st.st_size - 1), 0);
	ck_assert_int_eq(verb(&w, "id", plain), ERR_SHORT);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/dev/zero", path), 0);
	ck_assert_int_ne(verb(&w, "id", plain), ERR_OK);
	close_world(&w);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, enrolls_and_pings_in_both_directions);
	tcase_add_test(tc, serves_stdio);
	tcase_add_test(tc, meets_silence_when_not_announced_and_enrolls_later);
	tcase_add_test(tc, fetches_an_answer_that_was_lost);
	tcase_add_test(tc, says_that_nobody_is_there);
	tcase_add_test(tc, keeps_an_existing_identity);
	tcase_add_test(tc, refuses_a_state_that_others_may_read_or_that_is_damaged);
}

int main(void)
{
	return suite_main("verbs", fill);
}
