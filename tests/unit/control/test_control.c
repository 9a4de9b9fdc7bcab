/*
 * The server over socket pairs: order, holding until the commit, slow and greedy clients. The batch
 * and the commands are stand-ins, so that the test says when a commit happens.
 */
#include "control/control.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "control/control_conn.h"
#include "control/stream.h"
#include "enroll/batch.h"
#include "unit/suite.h"

/* --- stand-ins --------------------------------------------------------------------------- */

static struct {
	batch_fn *fn;
	void *arg;
} waiting[1000];
static unsigned waiting_count;

enum err batch_after(struct batch *b, batch_fn *fn, void *arg)
{
	(void)b;
	waiting[waiting_count].fn = fn;
	waiting[waiting_count++].arg = arg;
	return ERR_OK;
}

static void commit(enum err result)
{
	unsigned n = waiting_count;

	waiting_count = 0;
	for (unsigned i = 0; i < n; i++)
		waiting[i].fn(waiting[i].arg, result);
}

/* The task of "Later" and "Many", as its handler made it. */
static struct stream *stream;
static unsigned cancelled;

static void cancel(void *task)
{
	ck_assert_ptr_eq(task, &cancelled);
	cancelled++;
	stream = NULL;
}

static enum err begin_stream(bool continues, struct commands_outcome *out)
{
	out->then = COMMANDS_LATER;
	stream = out->stream = stream_new(continues);
	stream->task = &cancelled;
	stream->cancel = cancel;
	return ERR_OK;
}

static void tell(const char *text, bool last)
{
	struct varlink_buf reply = {0};

	ck_assert_int_eq(varlink_buf_add(&reply, text, strlen(text) + 1), ERR_OK);
	stream->tell(stream->arg, &reply, last);
	varlink_buf_clear(&reply);
	if (last)
		stream = NULL;
}

/* "Now" answers at once, "Held" after the commit, "Watch" watches, "Big" answers 64 KiB, "Later"
 * and "Many" when the test says so. */
enum err commands_run(const struct control_config *config, const struct caller *who,
	const struct varlink_call *call, struct commands_outcome *out)
{
	static char big[65536];

	(void)config;
	(void)who;
	memset(out, 0, sizeof(*out));
	if (strcmp(call->method, "Held") == 0)
		out->then = COMMANDS_AFTER_COMMIT;
	if (strcmp(call->method, "Later") == 0 || strcmp(call->method, "Many") == 0)
		return begin_stream(call->method[0] == 'M', out);
	if (strcmp(call->method, "Watch") == 0)
		out->then = COMMANDS_WATCH;
	if (strcmp(call->method, "Big") == 0) {
		memset(big, 'x', sizeof(big));
		return varlink_buf_add(&out->reply, big, sizeof(big));
	}
	return varlink_encode_reply(&out->reply, call->parameters, false);
}

enum err commands_encode_failure(struct varlink_buf *reply, enum err e)
{
	(void)e;
	varlink_buf_clear(reply);
	return varlink_encode_error(reply, "Failed", NULL);
}

enum err commands_encode_event(struct varlink_buf *reply, const struct control_event *e)
{
	return varlink_buf_add(reply, e->event, strlen(e->event) + 1);
}

bool commands_filter_wants(const struct commands_filter *f, const struct control_event *e)
{
	(void)f;
	return e->event != NULL;
}

/* --- a server and its clients ------------------------------------------------------------ */

static struct control server;
static const struct caller admin = {.uid = 1000, .role = ROLE_ADMIN, .name = "a"};

static void setup(void)
{
	memset(&server, 0, sizeof(server));
	waiting_count = cancelled = 0;
	stream = NULL;
	server.config.base = event_base_new();
	server.config.connections_max = 10;
	server.config.connections_per_uid_max = 4;
	server.config.idle_s = 30;
	server.listen_fd = server.spare_fd = -1;
}

static void teardown(void)
{
	conn_free_all(&server);
	commit(ERR_OK);
	event_base_free(server.config.base);
}

static void spin(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(server.config.base, EVLOOP_NONBLOCK);
}

/* The client's end. */
static int join_as(const struct caller *who)
{
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	if (conn_new(&server, fd[0], who) != ERR_OK) {
		close(fd[1]);
		return -1;
	}
	return fd[1];
}

static void say(int fd, const char *method, int n)
{
	char text[128];
	int length = snprintf(
		text, sizeof(text), "{\"method\":\"%s\",\"parameters\":{\"n\":%d}}", method, n);

	ck_assert_int_eq(send(fd, text, (size_t)length + 1, 0), length + 1);
}

/* What has arrived, each NUL as ';'. */
static const char *heard(int fd)
{
	static char text[65536 * 4];
	ssize_t n;

	spin();
	n = recv(fd, text, sizeof(text) - 1, 0);
	if (n == 0)
		return "EOF";
	if (n < 0)
		return errno == EAGAIN ? "" : "ERROR";
	for (ssize_t i = 0; i < n; i++)
		text[i] = text[i] ? text[i] : ';';
	text[n] = '\0';
	return text;
}

#define REPLY(n) "{\"parameters\":{\"n\":" #n "}};"

/* --- tests ------------------------------------------------------------------------------- */

START_TEST(answers_what_depends_on_nothing)
{
	int fd = join_as(&admin);

	say(fd, "Now", 1);
	ck_assert_str_eq(heard(fd), REPLY(1));
	close(fd);
}
END_TEST

START_TEST(holds_a_reply_until_the_commit)
{
	int fd = join_as(&admin);

	say(fd, "Held", 1);
	ck_assert_str_eq(heard(fd), "");
	commit(ERR_OK);
	ck_assert_str_eq(heard(fd), REPLY(1));
	close(fd);
}
END_TEST

START_TEST(a_failed_commit_is_what_the_client_hears)
{
	int fd = join_as(&admin);

	say(fd, "Held", 1);
	ck_assert_str_eq(heard(fd), "");
	commit(ERR_FULL);
	ck_assert_str_eq(heard(fd), "{\"error\":\"Failed\",\"parameters\":{}};");
	close(fd);
}
END_TEST

START_TEST(pipelined_replies_keep_their_order)
{
	int fd = join_as(&admin);

	say(fd, "Held", 1);
	say(fd, "Now", 2);
	say(fd, "Held", 3);
	ck_assert_str_eq(heard(fd), "");
	commit(ERR_OK);
	ck_assert_str_eq(heard(fd), REPLY(1) REPLY(2) REPLY(3));
	close(fd);
}
END_TEST

START_TEST(a_call_may_come_byte_by_byte)
{
	static const char text[] = "{\"method\":\"Now\",\"parameters\":{\"n\":7}}";
	int fd = join_as(&admin);

	for (size_t i = 0; i < sizeof(text); i++) {
		ck_assert_str_eq(heard(fd), "");
		ck_assert_int_eq(send(fd, text + i, 1, 0), 1);
	}
	ck_assert_str_eq(heard(fd), REPLY(7));
	close(fd);
}
END_TEST

START_TEST(a_oneway_call_gets_no_reply)
{
	static const char text[] = "{\"method\":\"Held\",\"oneway\":true}";
	int fd = join_as(&admin);

	ck_assert_int_eq(send(fd, text, sizeof(text), 0), sizeof(text));
	say(fd, "Now", 2);
	ck_assert_str_eq(heard(fd), "");
	commit(ERR_OK);
	ck_assert_str_eq(heard(fd), REPLY(2));
	close(fd);
}
END_TEST

START_TEST(nonsense_ends_the_connection)
{
	int fd = join_as(&admin);

	ck_assert_int_eq(send(fd, "GET / HTTP/1.1\r\n", 17, 0), 17);
	ck_assert_str_eq(heard(fd), "EOF");
	ck_assert_uint_eq(server.count, 0);
	close(fd);
}
END_TEST

START_TEST(a_message_without_end_ends_the_connection)
{
	static char text[32768];
	int fd = join_as(&admin);

	memset(text, ' ', sizeof(text));
	for (int i = 0; i < 4 && server.count > 0; i++) {
		(void)send(fd, text, sizeof(text), MSG_NOSIGNAL);
		spin();
	}
	ck_assert_uint_eq(server.count, 0);
	close(fd);
}
END_TEST

START_TEST(who_hangs_up_after_asking_is_answered)
{
	int fd = join_as(&admin);

	say(fd, "Held", 1);
	shutdown(fd, SHUT_WR);
	ck_assert_str_eq(heard(fd), "");
	commit(ERR_OK);
	ck_assert_str_eq(heard(fd), REPLY(1));
	ck_assert_str_eq(heard(fd), "EOF");
	ck_assert_uint_eq(server.count, 0);
	close(fd);
}
END_TEST

/* The daemon stops in the very turn of the commit. */
START_TEST(what_is_answered_goes_out_at_the_end)
{
	int fd = join_as(&admin);

	say(fd, "Held", 1);
	spin();
	commit(ERR_OK);
	conn_free_all(&server);
	ck_assert_str_eq(heard(fd), REPLY(1));
	ck_assert_str_eq(heard(fd), "EOF");
	close(fd);
}
END_TEST

START_TEST(a_client_may_vanish_before_the_commit)
{
	int fd = join_as(&admin);

	say(fd, "Held", 1);
	say(fd, "Now", 2);
	spin();
	close(fd);
	spin();
	commit(ERR_OK);
	spin();
	ck_assert_uint_eq(server.count, 0);
}
END_TEST

START_TEST(at_most_so_many_calls_wait_for_one_client)
{
	int fd = join_as(&admin);
	unsigned answered = 0;

	for (int i = 0; i < 200; i++)
		say(fd, "Held", 1);
	spin();
	ck_assert_uint_eq(waiting_count, CONN_SLOTS_MAX);
	for (int i = 0; i < 20; i++) {
		commit(ERR_OK);
		for (const char *p = heard(fd); (p = strchr(p, ';')) != NULL; p++)
			answered++;
	}
	ck_assert_uint_eq(answered, 200);
	close(fd);
}
END_TEST

START_TEST(who_does_not_read_is_not_served_and_then_cut_off)
{
	int fd = join_as(&admin);
	uint64_t now = clock_boot_ms();

	for (int i = 0; i < 200; i++)
		say(fd, "Big", i);
	spin();
	ck_assert_uint_eq(server.count, 1);
	conn_sweep(&server, now + 29000);
	ck_assert_uint_eq(server.count, 1);
	conn_sweep(&server, clock_boot_ms() + 31000);
	ck_assert_uint_eq(server.count, 0);
	close(fd);
}
END_TEST

START_TEST(who_reads_slowly_gets_everything)
{
	static char text[8192];
	int fd = join_as(&admin);
	size_t total = 0;

	for (int i = 0; i < 50; i++)
		say(fd, "Big", i);
	for (int i = 0; i < 5000 && total < 50 * 65536; i++) {
		ssize_t n;

		event_base_loop(server.config.base, EVLOOP_NONBLOCK);
		n = recv(fd, text, sizeof(text), 0);
		total += n > 0 ? (size_t)n : 0;
	}
	ck_assert_uint_eq(total, 50 * 65536);
	ck_assert_uint_eq(server.count, 1);
	close(fd);
}
END_TEST

START_TEST(half_a_message_is_waited_for_only_so_long)
{
	int idle = join_as(&admin), half = join_as(&admin);

	ck_assert_int_eq(send(half, "{\"meth", 6, 0), 6);
	spin();
	conn_sweep(&server, clock_boot_ms() + 31000);
	ck_assert_str_eq(heard(half), "EOF");
	ck_assert_str_eq(heard(idle), "");
	ck_assert_uint_eq(server.count, 1);
	close(idle);
	close(half);
}
END_TEST

START_TEST(what_comes_later_holds_what_was_asked_after_it)
{
	int fd = join_as(&admin);

	say(fd, "Held", 1);
	say(fd, "Many", 0);
	say(fd, "Now", 2);
	spin();
	tell("a", false);
	ck_assert_str_eq(heard(fd), "");
	commit(ERR_OK);
	ck_assert_str_eq(heard(fd), REPLY(1) "a;");
	tell("b", false);
	ck_assert_str_eq(heard(fd), "b;");
	tell("c", true);
	ck_assert_str_eq(heard(fd), "c;" REPLY(2));
	ck_assert_uint_eq(cancelled, 0);
	close(fd);
}
END_TEST

START_TEST(a_client_that_hangs_up_ends_its_task)
{
	int fd = join_as(&admin);

	say(fd, "Many", 0);
	spin();
	close(fd);
	spin();
	ck_assert_uint_eq(cancelled, 1);
	ck_assert_uint_eq(server.count, 0);
}
END_TEST

START_TEST(a_half_closed_client_still_gets_its_one_answer)
{
	int fd = join_as(&admin);

	say(fd, "Later", 0);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	spin();
	ck_assert_uint_eq(server.count, 1);
	tell("done", true);
	ck_assert_str_eq(heard(fd), "done;");
	ck_assert_uint_eq(server.count, 0);
	close(fd);
}
END_TEST

START_TEST(a_client_that_does_not_read_its_stream_is_cut_off)
{
	static char text[65536];
	int fd = join_as(&admin);

	memset(text, 't', sizeof(text) - 1);
	say(fd, "Many", 0);
	spin();
	for (int i = 0; i < 200; i++) {
		tell(text, false); /* also after it is broken, before its turn */
		if (i % 8 == 7)
			spin();
		if (!stream)
			break;
	}
	ck_assert_uint_eq(cancelled, 1);
	ck_assert_uint_eq(server.count, 0);
	close(fd);
}
END_TEST

START_TEST(watchers_hear_events_in_order)
{
	const struct control_event a = {.event = "a"}, b = {.event = "b"};
	int fd = join_as(&admin), other = join_as(&admin);

	say(fd, "Watch", 0);
	ck_assert_str_eq(heard(fd), REPLY(0));
	conn_push(&server, &a);
	conn_push(&server, &b);
	ck_assert_str_eq(heard(fd), "a;b;");
	ck_assert_str_eq(heard(other), "");
	close(fd);
	close(other);
}
END_TEST

START_TEST(an_event_does_not_overtake_the_first_reply)
{
	const struct control_event a = {.event = "a"};
	int fd = join_as(&admin);

	say(fd, "Held", 1);
	say(fd, "Watch", 2);
	spin();
	conn_push(&server, &a);
	ck_assert_str_eq(heard(fd), "");
	commit(ERR_OK);
	ck_assert_str_eq(heard(fd), REPLY(1) REPLY(2) "a;");
	close(fd);
}
END_TEST

START_TEST(a_watcher_that_does_not_read_is_cut_off)
{
	static char long_name[4096];
	const struct control_event e = {.event = long_name};
	int fd = join_as(&admin);

	memset(long_name, 'e', sizeof(long_name) - 1);
	say(fd, "Watch", 0);
	spin();
	for (int i = 0; i < 2000 && server.count > 0; i++)
		conn_push(&server, &e);
	ck_assert_uint_eq(server.count, 0);
	close(fd);
}
END_TEST

START_TEST(a_watcher_that_leaves_is_forgotten)
{
	int fd = join_as(&admin);

	say(fd, "Watch", 0);
	spin();
	close(fd);
	spin();
	ck_assert_uint_eq(server.count, 0);
}
END_TEST

START_TEST(each_uid_has_so_many_connections)
{
	static const struct caller others = {.uid = 1001, .role = ROLE_OBSERVER, .name = "b"};
	int fd[10];

	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(fd[i] = join_as(&admin), 0);
	ck_assert_int_eq(join_as(&admin), -1);
	ck_assert_int_ge(fd[4] = join_as(&others), 0);
	close(fd[0]);
	spin();
	ck_assert_int_ge(fd[0] = join_as(&admin), 0);
	for (int i = 0; i < 5; i++)
		close(fd[i]);
}
END_TEST

START_TEST(all_together_have_so_many_connections)
{
	int fd[10];

	for (uint32_t i = 0; i < 10; i++) {
		const struct caller who = {.uid = i, .role = ROLE_ADMIN};

		ck_assert_int_ge(fd[i] = join_as(&who), 0);
	}
	ck_assert_int_eq(join_as(&admin), -1);
	for (int i = 0; i < 10; i++)
		close(fd[i]);
}
END_TEST

START_TEST(strangers_have_fewer)
{
	static const struct caller stranger = {.uid = 2000, .role = ROLE_NONE, .name = "s"};
	int fd[CONN_PER_STRANGER_MAX];

	server.config.connections_max = 100;
	server.config.connections_per_uid_max = 50;
	for (int i = 0; i < CONN_PER_STRANGER_MAX; i++)
		ck_assert_int_ge(fd[i] = join_as(&stranger), 0);
	ck_assert_int_eq(join_as(&stranger), -1);
	for (int i = 0; i < CONN_PER_STRANGER_MAX; i++)
		close(fd[i]);
}
END_TEST

START_TEST(strangers_of_many_uids_leave_room_for_others)
{
	int fd[3], none[8];

	server.config.connections_max = 12;
	for (uint32_t i = 0; i < 3; i++) {
		const struct caller stranger = {.uid = 100000 + i, .role = ROLE_NONE};

		ck_assert_int_ge(fd[i] = join_as(&stranger), 0);
	}
	for (uint32_t i = 0; i < 8; i++) {
		const struct caller stranger = {.uid = 200000 + i, .role = ROLE_NONE};

		ck_assert_int_eq(none[i] = join_as(&stranger), -1);
	}
	ck_assert_int_ge(none[0] = join_as(&admin), 0);
	close(none[0]);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
}
END_TEST

/* --- the listening socket ---------------------------------------------------------------- */

static char path[64];

static int dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* A socket at path; one that a test which was killed has left goes. */
static int bind_path(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	(void)unlink(path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

START_TEST(listens_for_all_and_replaces_a_dead_socket)
{
	struct control_config g = {.base = server.config.base, .path = path, .listen_fd = -1};
	struct control *c, *second;
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/test_control.%d.sock", (int)getpid());
	close(bind_path());

	ck_assert_int_eq(control_new(&g, &c), ERR_OK);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0666);
	ck_assert_int_eq(control_new(&g, &second), ERR_CONFLICT);
	ck_assert_ptr_null(second);
	fd = dial();
	say(fd, "Now", 5);
	ck_assert_str_eq(heard(fd), REPLY(5));
	close(fd);
	control_free(c);
	ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(takes_a_socket_that_is_there_already)
{
	struct control_config g = {.base = server.config.base};
	struct control *c;
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/test_control.%d.fd", (int)getpid());
	g.listen_fd = bind_path();
	ck_assert_int_eq(listen(g.listen_fd, 5), 0);
	ck_assert_int_eq(control_new(&g, &c), ERR_OK);
	fd = dial();
	say(fd, "Now", 6);
	ck_assert_str_eq(heard(fd), REPLY(6));
	close(fd);
	control_free(c);
	ck_assert_int_eq(stat(path, &st), 0); /* it is systemd's */
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(refuses_a_descriptor_that_does_not_listen)
{
	struct control_config g = {.base = server.config.base};
	struct control *c;

	g.listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(control_new(&g, &c), ERR_IO);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(runs_out_of_descriptors_without_spinning)
{
	struct control_config g = {.base = server.config.base, .path = path, .listen_fd = -1};
	struct rlimit old, tight;
	struct control *c;
	char line[128];
	FILE *log;
	int fd[3], top, saved;

	(void)snprintf(path, sizeof(path), "/tmp/test_control.%d.full", (int)getpid());
	ck_assert_int_eq(control_new(&g, &c), ERR_OK);
	for (int i = 0; i < 3; i++)
		fd[i] = dial();
	log = tmpfile();
	saved = dup(STDERR_FILENO);
	ck_assert(log && saved >= 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	top = dup(0);
	close(top);
	tight = old;
	tight.rlim_cur = (rlim_t)top;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	ck_assert_int_ge(dup2(fileno(log), STDERR_FILENO), 0);
	spin();
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(saved);
	rewind(log);
	ck_assert(fgets(line, sizeof(line), log)); /* three were turned away, one line says so */
	ck_assert_ptr_null(fgets(line, sizeof(line), log));
	(void)fclose(log);
	for (int i = 0; i < 3; i++) {
		ck_assert_str_eq(heard(fd[i]), "EOF");
		close(fd[i]);
	}
	fd[0] = dial();
	say(fd[0], "Now", 9);
	ck_assert_str_eq(heard(fd[0]), REPLY(9));
	close(fd[0]);
	control_free(c);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, answers_what_depends_on_nothing);
	tcase_add_test(tc, holds_a_reply_until_the_commit);
	tcase_add_test(tc, a_failed_commit_is_what_the_client_hears);
	tcase_add_test(tc, pipelined_replies_keep_their_order);
	tcase_add_test(tc, a_call_may_come_byte_by_byte);
	tcase_add_test(tc, a_oneway_call_gets_no_reply);
	tcase_add_test(tc, nonsense_ends_the_connection);
	tcase_add_test(tc, a_message_without_end_ends_the_connection);
	tcase_add_test(tc, who_hangs_up_after_asking_is_answered);
	tcase_add_test(tc, what_is_answered_goes_out_at_the_end);
	tcase_add_test(tc, a_client_may_vanish_before_the_commit);
	tcase_add_test(tc, at_most_so_many_calls_wait_for_one_client);
	tcase_add_test(tc, who_does_not_read_is_not_served_and_then_cut_off);
	tcase_add_test(tc, who_reads_slowly_gets_everything);
	tcase_add_test(tc, half_a_message_is_waited_for_only_so_long);
	tcase_add_test(tc, what_comes_later_holds_what_was_asked_after_it);
	tcase_add_test(tc, a_client_that_hangs_up_ends_its_task);
	tcase_add_test(tc, a_half_closed_client_still_gets_its_one_answer);
	tcase_add_test(tc, a_client_that_does_not_read_its_stream_is_cut_off);
	tcase_add_test(tc, watchers_hear_events_in_order);
	tcase_add_test(tc, an_event_does_not_overtake_the_first_reply);
	tcase_add_test(tc, a_watcher_that_does_not_read_is_cut_off);
	tcase_add_test(tc, a_watcher_that_leaves_is_forgotten);
	tcase_add_test(tc, each_uid_has_so_many_connections);
	tcase_add_test(tc, all_together_have_so_many_connections);
	tcase_add_test(tc, strangers_have_fewer);
	tcase_add_test(tc, strangers_of_many_uids_leave_room_for_others);
	tcase_add_test(tc, listens_for_all_and_replaces_a_dead_socket);
	tcase_add_test(tc, takes_a_socket_that_is_there_already);
	tcase_add_test(tc, refuses_a_descriptor_that_does_not_listen);
	tcase_add_test(tc, runs_out_of_descriptors_without_spinning);
}

int main(void)
{
	return suite_main("control", fill);
}
