/*
 * Enrollment load: COUNT enrollees with bundles of their own, announced before the clock starts;
 * their messages go out as CoAP from 64 addresses of 127.0.0.0/8, a few under way on each; every
 * answer is opened and verified after the clock has stopped. A datagram that the kernel lost is
 * sent again, byte-identical. usage: load_enroll SOCKET HOST PORT COUNT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto_openssl.h"
#include "enr/enrollmsg.h"
#include "support/varlink_client.h"

#define SOURCES 64
#define UNDER_WAY 4 /* on each source */
#define RESEND_S 1.0
#define GIVE_UP_S 30.0
#define ISSUE_AT_ONCE 100

/* CoAP (RFC 7252): version 1, NON, 4 bytes of token; POST; Uri-Path "enroll"; Content-Format 42;
 * payload. */
#define COAP_HEAD 8
#define COAP_OPTIONS \
	"\xB6"       \
	"enroll"     \
	"\x11\x2A\xFF"
#define COAP_OPTIONS_BYTES 10
#define COAP_CHANGED 0x44

struct enrollee {
	uint8_t packet[COAP_HEAD + COAP_OPTIONS_BYTES + ENROLLMSG_REQUEST_BYTES];
	struct x3dh_session session;
	uint8_t answer[ENROLLMSG_ANSWER_MAX];
	size_t answer_bytes; /* 0: none yet */
	double sent_s;
};

struct source {
	size_t current[UNDER_WAY]; /* index of the enrollee, or SIZE_MAX */
};

struct load {
	const struct crypto *c;
	struct enrollee *e;
	size_t count, next, answered, resent;
	bool announce_only;
	struct source sources[SOURCES];
	struct pollfd fds[SOURCES];
};

static void fill_packet(struct enrollee *e, size_t index, const uint8_t message[X3DH_MESSAGE_BYTES])
{
	struct wr w = wr_init(e->packet, sizeof(e->packet));

	wr_u8(&w, 0x54);
	wr_u8(&w, 0x02);
	wr_u16(&w, (uint16_t)index);
	wr_u32(&w, (uint32_t)index);
	wr_bytes(&w, COAP_OPTIONS, COAP_OPTIONS_BYTES);
	enrollmsg_request_encode(message, wr_room(&w, ENROLLMSG_REQUEST_BYTES));
	load_must(wr_end(&w) == ERR_OK, "packet");
}

static void announce(struct varlink_client *c, const struct public32 *eik, const char *id)
{
	char text[ENROLLMSG_KEY_TEXT_CHARS + 1];

	load_must(enrollmsg_key_print(eik, text, sizeof(text)) == ERR_OK, "key text");
	varlink_client_send(
		c, "EnrolleeAnnounce", json_pack("{s:s,s:s}", "key", text, "bundle_id", id));
}

static void build(struct load *l, size_t index, const char *text, const struct x3dh_keypair *eik)
{
	struct x3dh_keypair ek, ik;
	const struct x3dh_enrollee keys = {eik, &ek, &ik};
	uint8_t frame[ENROLLMSG_BUNDLE_MAX], z[XEDDSA_Z_BYTES], message[X3DH_MESSAGE_BYTES];
	struct enrollmsg_bundle b;
	struct x3dh_context ctx = {.info = x3dh_info()};

	load_must(enrollmsg_bundle_parse(text, strlen(text), frame, &b) == ERR_OK, "bundle");
	load_must(x3dh_keypair_make(l->c, &ek) == ERR_OK &&
			  x3dh_keypair_make(l->c, &ik) == ERR_OK &&
			  l->c->random(l->c->ctx, z, sizeof(z)) == ERR_OK,
		"keys");
	ctx.addr = b.addr;
	load_must(x3dh_build(l->c, &ctx, &b.prekeys, &keys, z, message, &l->e[index].session) ==
			  ERR_OK,
		"message");
	fill_packet(&l->e[index], index, message);
}

static void prepare(struct load *l, struct varlink_client *c, size_t index, const json_t *issued)
{
	const char *text = json_string_value(json_object_get(issued, "text"));
	const char *id = json_string_value(json_object_get(issued, "id"));
	struct x3dh_keypair eik;

	load_must(text && id && x3dh_keypair_make(l->c, &eik) == ERR_OK, "bundle");
	if (!l->announce_only)
		build(l, index, text, &eik);
	announce(c, &eik.pub, id);
}

static void prepare_all(struct load *l, const char *path)
{
	struct varlink_client c;

	varlink_client_open(&c, path);
	for (size_t i = 0; i < l->count;) {
		size_t n = l->count - i < ISSUE_AT_ONCE ? l->count - i : ISSUE_AT_ONCE;
		json_t *r =
			varlink_client_call(&c, "BundleIssue", json_pack("{s:i}", "count", (int)n));
		json_t *list = json_object_get(r, "bundles");

		load_must(json_array_size(list) == n, "fewer bundles than asked for");
		for (size_t k = 0; k < n; k++)
			prepare(l, &c, i + k, json_array_get(list, k));
		for (size_t k = 0; k < n; k++)
			json_decref(varlink_client_receive(&c, true));
		json_decref(r);
		i += n;
	}
	varlink_client_close(&c);
}

static void open_source(struct load *l, size_t i, const struct sockaddr_in *service)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(0x7F000101u + (uint32_t)i); /* 127.0.1.1 and following */
	load_must(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
			  connect(fd, (const struct sockaddr *)service, sizeof(*service)) == 0,
		"socket");
	l->fds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
	for (size_t k = 0; k < UNDER_WAY; k++)
		l->sources[i].current[k] = SIZE_MAX;
}

static void send_packet(struct load *l, size_t source, size_t index)
{
	struct enrollee *e = &l->e[index];

	e->sent_s = load_now_s();
	(void)!write(l->fds[source].fd, e->packet, sizeof(e->packet)); /* lost is lost: RESEND_S */
}

static void fill_window(struct load *l, size_t source)
{
	for (size_t k = 0; k < UNDER_WAY; k++) {
		if (l->sources[source].current[k] != SIZE_MAX || l->next == l->count)
			continue;
		l->sources[source].current[k] = l->next;
		send_packet(l, source, l->next++);
	}
}

/* A 2.04 response with our token: its payload, or NULL. */
static const uint8_t *payload(const uint8_t *p, size_t n, uint32_t *token, size_t *bytes)
{
	struct rd r = rd_init(p, n);
	uint8_t first = rd_u8(&r), code = rd_u8(&r);
	const uint8_t *marker;

	(void)rd_u16(&r);
	*token = rd_u32(&r);
	if (r.bad || (first & 0x0F) != 4 || code != COAP_CHANGED)
		return NULL;
	marker = memchr(r.p, 0xFF, r.left_bytes);
	if (!marker)
		return NULL;
	*bytes = (size_t)(r.p + r.left_bytes - marker) - 1;
	return marker + 1;
}

static void take_answer(struct load *l, size_t source, const uint8_t *p, size_t n)
{
	uint32_t index = 0;
	size_t bytes = 0;
	const uint8_t *answer = payload(p, n, &index, &bytes);

	if (!answer || index >= l->count || bytes > ENROLLMSG_ANSWER_MAX ||
		l->e[index].answer_bytes)
		return;
	memcpy(l->e[index].answer, answer, bytes);
	l->e[index].answer_bytes = bytes;
	l->answered++;
	for (size_t k = 0; k < UNDER_WAY; k++)
		if (l->sources[source].current[k] == index)
			l->sources[source].current[k] = SIZE_MAX;
}

static void drain(struct load *l, size_t source)
{
	uint8_t in[1500];
	ssize_t n;

	while ((n = recv(l->fds[source].fd, in, sizeof(in), MSG_DONTWAIT)) > 0)
		take_answer(l, source, in, (size_t)n);
	fill_window(l, source);
}

static void resend_old(struct load *l)
{
	double now = load_now_s();

	for (size_t i = 0; i < SOURCES; i++)
		for (size_t k = 0; k < UNDER_WAY; k++) {
			size_t index = l->sources[i].current[k];

			if (index == SIZE_MAX || now - l->e[index].sent_s < RESEND_S)
				continue;
			l->resent++;
			send_packet(l, i, index);
		}
}

static double run(struct load *l)
{
	double start = load_now_s(), checked = start;

	for (size_t i = 0; i < SOURCES; i++)
		fill_window(l, i);
	while (l->answered < l->count) {
		(void)poll(l->fds, SOURCES, 100);
		for (size_t i = 0; i < SOURCES; i++)
			if (l->fds[i].revents)
				drain(l, i);
		if (load_now_s() - checked > RESEND_S / 4) {
			checked = load_now_s();
			resend_old(l);
			load_must(checked - start < GIVE_UP_S, "not answered in time");
		}
	}
	return load_now_s() - start;
}

static void verify(const struct load *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct enrollmsg_answer a;
		const struct span in = {l->e[i].answer, l->e[i].answer_bytes};

		load_must(enrollmsg_answer_open(l->c, &l->e[i].session, in, &a) == ERR_OK,
			"an answer that does not verify");
	}
}

int main(int argc, char **argv)
{
	static struct load l;
	struct sockaddr_in service = {.sin_family = AF_INET};
	double seconds;

	load_must(argc == 5, "usage: load_enroll SOCKET HOST PORT COUNT");
	l.announce_only = strcmp(argv[2], "-") == 0;
	load_must(l.announce_only || inet_pton(AF_INET, argv[2], &service.sin_addr) == 1,
		"HOST is an IPv4 address");
	service.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10));
	l.c = crypto_default();
	l.count = strtoul(argv[4], NULL, 10);
	l.e = calloc(l.count, sizeof(*l.e));
	load_must(l.c && l.e && l.count > 0, "a count, please");
	prepare_all(&l, argv[1]);
	if (l.announce_only)
		return EXIT_SUCCESS;
	for (size_t i = 0; i < SOURCES; i++)
		open_source(&l, i, &service);
	seconds = run(&l);
	verify(&l);
	printf("accepts_per_s %.0f 1/s\naccepts_resent %zu count\n", (double)l.count / seconds,
		l.resent);
	for (size_t i = 0; i < SOURCES; i++)
		(void)close(l.fds[i].fd);
	free(l.e);
	return EXIT_SUCCESS;
}
