/*
 * Load on the control socket: COUNT calls in a closed loop over 64 connections, one call under way
 * on each. usage: load_control SOCKET calls|bundles COUNT; prints "name value unit". Every bundle
 * is decoded and checked after the clock has stopped, and no one-time prekey may come twice.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto_openssl.h"
#include "enr/enrollmsg.h"
#include "support/varlink_client.h"

#define CONNECTIONS 64

struct load {
	struct varlink_client clients[CONNECTIONS];
	struct pollfd fds[CONNECTIONS];
	bool bundles;
	size_t sent, received, count;
	char (*texts)[ENROLLMSG_BUNDLE_TEXT_MAX];
};

static void send_one(struct load *l, size_t i)
{
	if (l->sent == l->count)
		return;
	l->sent++;
	if (l->bundles)
		varlink_client_send(&l->clients[i], "BundleIssue", json_pack("{s:i}", "count", 1));
	else
		varlink_client_send(&l->clients[i], "NetworkList", NULL);
}

static void note(struct load *l, json_t *reply)
{
	json_t *parameters = json_object_get(reply, "parameters");
	json_t *bundle = json_array_get(json_object_get(parameters, "bundles"), 0);
	const char *text = json_string_value(json_object_get(bundle, "text"));

	if (l->bundles) {
		load_must(text && strlen(text) < sizeof(l->texts[0]), "a reply without a bundle");
		memcpy(l->texts[l->received], text, strlen(text) + 1);
	} else {
		load_must(json_is_array(json_object_get(parameters, "networks")), "not a list");
	}
	l->received++;
	json_decref(reply);
}

static void run(struct load *l)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		send_one(l, i);
	while (l->received < l->count) {
		load_must(poll(l->fds, CONNECTIONS, 10000) > 0, "no reply for 10 s");
		for (size_t i = 0; i < CONNECTIONS; i++) {
			json_t *reply = l->fds[i].revents
						? varlink_client_receive(&l->clients[i], false)
						: NULL;

			if (!reply)
				continue;
			note(l, reply);
			send_one(l, i);
		}
	}
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

static void check_bundles(const struct load *l)
{
	struct public32 *opks = calloc(l->count, sizeof(*opks));

	load_must(opks != NULL, "out of memory");
	for (size_t i = 0; i < l->count; i++) {
		uint8_t frame[ENROLLMSG_BUNDLE_MAX];
		struct enrollmsg_bundle b;

		load_must(enrollmsg_bundle_parse(l->texts[i], strlen(l->texts[i]), frame, &b) ==
				  ERR_OK,
			"a bundle that does not parse");
		load_must(enrollmsg_bundle_check(crypto_default(), &b) == ERR_OK,
			"a bundle that does not verify");
		opks[i] = b.prekeys.opk;
	}
	qsort(opks, l->count, sizeof(*opks), compare);
	for (size_t i = 1; i < l->count; i++)
		load_must(compare(&opks[i - 1], &opks[i]) != 0, "a one-time prekey came twice");
	free(opks);
}

int main(int argc, char **argv)
{
	static struct load l;
	double start, seconds;

	load_must(argc == 4, "usage: load_control SOCKET calls|bundles COUNT");
	l.bundles = strcmp(argv[2], "bundles") == 0;
	l.count = strtoul(argv[3], NULL, 10);
	l.texts = calloc(l.count, sizeof(*l.texts));
	load_must(l.count > 0 && l.texts, "a count, please");
	for (size_t i = 0; i < CONNECTIONS; i++) {
		varlink_client_open(&l.clients[i], argv[1]);
		l.fds[i] = (struct pollfd){.fd = l.clients[i].fd, .events = POLLIN};
	}
	start = load_now_s();
	run(&l);
	seconds = load_now_s() - start;
	if (l.bundles)
		check_bundles(&l);
	printf("%s %.0f 1/s\n", l.bundles ? "bundles_per_s" : "control_calls_per_s",
		(double)l.count / seconds);
	for (size_t i = 0; i < CONNECTIONS; i++)
		varlink_client_close(&l.clients[i]);
	free(l.texts);
	return EXIT_SUCCESS;
}
