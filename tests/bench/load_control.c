/*
 * Load on the control socket: COUNT calls in a closed loop over 64 connections, one call under way
 * on each. usage: load_control SOCKET calls|bundles COUNT; prints "name value unit". While the
 * clock runs a reply is only kept, for the daemon has to share the cores with us; after it has
 * stopped every reply is parsed, every bundle decoded and verified, and no one-time prekey may
 * come twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/crypto_openssl.h"
#include "enr/enrollmsg.h"
#include "support/varlink_client.h"

#define CONNECTIONS 64
#define REPLY_MAX 1024

struct reply {
	size_t bytes; /* so far; whole with its NUL */
	char text[REPLY_MAX];
};

struct load {
	struct varlink_client clients[CONNECTIONS];
	struct reply *under_way[CONNECTIONS];
	struct reply *replies; /* one for each call, in the order of the calls */
	int epoll_fd;
	const char *call; /* the same each time */
	bool bundles;
	size_t sent, received, count;
};

static const char BUNDLE_ISSUE[] =
	"{\"method\":\"org.enrolld.control.BundleIssue\",\"parameters\":{\"count\":1}}";
static const char NETWORK_LIST[] = "{\"method\":\"org.enrolld.control.NetworkList\"}";

static void send_one(struct load *l, size_t i)
{
	size_t n = strlen(l->call) + 1;

	if (l->sent == l->count)
		return;
	l->under_way[i] = &l->replies[l->sent++];
	load_must(send(l->clients[i].fd, l->call, n, MSG_NOSIGNAL) == (ssize_t)n, "send");
}

/* The next call goes out when the reply to the last one is here whole. */
static void receive_some(struct load *l, size_t i)
{
	struct reply *r = l->under_way[i];
	ssize_t n = recv(l->clients[i].fd, r->text + r->bytes, REPLY_MAX - r->bytes, 0);

	load_must(n > 0, "the service closed the connection, or a reply is too long");
	r->bytes += (size_t)n;
	if (r->text[r->bytes - 1] != '\0')
		return;
	l->received++;
	send_one(l, i);
}

static void run(struct load *l)
{
	struct epoll_event ready[CONNECTIONS];

	for (size_t i = 0; i < CONNECTIONS; i++)
		send_one(l, i);
	while (l->received < l->count) {
		int n = epoll_wait(l->epoll_fd, ready, CONNECTIONS, 10000);

		load_must(n > 0, "no reply for 10 s");
		for (int k = 0; k < n; k++)
			receive_some(l, ready[k].data.u32);
	}
}

/* --- afterwards -------------------------------------------------------------------------- */

static void check_text(const char *text, struct public32 *opk)
{
	uint8_t frame[ENROLLMSG_BUNDLE_MAX];
	struct enrollmsg_bundle b;

	load_must(text != NULL, "a reply without a bundle");
	load_must(enrollmsg_bundle_parse(text, strlen(text), frame, &b) == ERR_OK,
		"a bundle that does not parse");
	load_must(enrollmsg_bundle_check(crypto_default(), &b) == ERR_OK,
		"a bundle that does not verify");
	*opk = b.prekeys.opk;
}

static void check_reply(const struct load *l, const struct reply *r, struct public32 *opk)
{
	json_t *root = json_loads(r->text, 0, NULL);
	json_t *parameters = json_object_get(root, "parameters");
	json_t *bundle = json_array_get(json_object_get(parameters, "bundles"), 0);

	load_must(strlen(r->text) + 1 == r->bytes && root && !json_object_get(root, "error"),
		"not one reply, or an error");
	if (l->bundles)
		check_text(json_string_value(json_object_get(bundle, "text")), opk);
	else
		load_must(json_is_array(json_object_get(parameters, "networks")), "not a list");
	json_decref(root);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

static void check_all(const struct load *l)
{
	struct public32 *opks = calloc(l->count, sizeof(*opks));

	load_must(opks != NULL, "out of memory");
	for (size_t i = 0; i < l->count; i++)
		check_reply(l, &l->replies[i], &opks[i]);
	qsort(opks, l->count, sizeof(*opks), compare);
	for (size_t i = 1; l->bundles && i < l->count; i++)
		load_must(compare(&opks[i - 1], &opks[i]) != 0, "a one-time prekey came twice");
	free(opks);
}

/* --- set-up ------------------------------------------------------------------------------ */

static void open_all(struct load *l, const char *path)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load_must(l->epoll_fd >= 0, "epoll");
	for (uint32_t i = 0; i < CONNECTIONS; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};

		varlink_client_open(&l->clients[i], path);
		load_must(
			epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->clients[i].fd, &e) == 0, "epoll");
	}
}

static void make_room(struct load *l)
{
	size_t bytes = l->count * sizeof(*l->replies);

	l->replies = malloc(bytes);
	load_must(l->count > 0 && l->replies, "a count, please");
	memset(l->replies, 0, bytes); /* touched before the clock starts */
}

int main(int argc, char **argv)
{
	static struct load l;
	double start, seconds;

	load_must(argc == 4, "usage: load_control SOCKET calls|bundles COUNT");
	l.bundles = strcmp(argv[2], "bundles") == 0;
	l.call = l.bundles ? BUNDLE_ISSUE : NETWORK_LIST;
	l.count = strtoul(argv[3], NULL, 10);
	make_room(&l);
	open_all(&l, argv[1]);
	start = load_now_s();
	run(&l);
	seconds = load_now_s() - start;
	check_all(&l);
	printf("%s %.0f 1/s\n", l.bundles ? "bundles_per_s" : "control_calls_per_s",
		(double)l.count / seconds);
	for (size_t i = 0; i < CONNECTIONS; i++)
		varlink_client_close(&l.clients[i]);
	free(l.replies);
	return EXIT_SUCCESS;
}
