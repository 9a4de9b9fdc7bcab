#include "net/coap.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "unit/suite.h"

/* One edge on loopback, one plain UDP socket that speaks to it byte by byte. */
struct world {
	struct event_base *base;
	struct coap_edge *edge;
	int edge_fd; /* its socket: to wait until what was sent to it is there */
	int fd;
	struct coap_request *held[64];
	unsigned count;
	bool answer_at_once;
	enum coap_resource which;
	uint8_t bytes[COAP_REQUEST_MAX_BYTES];
	size_t n;
	struct coap_source src;
};

static void on_request(void *arg, struct coap_request *r, enum coap_resource which,
	const uint8_t *p, size_t n, const struct coap_source *src)
{
	struct world *w = arg;

	w->which = which;
	memcpy(w->bytes, p, n);
	w->n = n;
	w->src = *src;
	if (w->answer_at_once)
		coap_answer(r, (const uint8_t *)"now", 3);
	else
		w->held[w->count++] = r;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		return 0;
	if (a.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
	return a.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&a)->sin_port) : 0;
}

static void open_edge(struct world *w, const char *address, unsigned requests_max)
{
	struct coap_config config = {&address, 1, requests_max, 0};
	struct coap_handler handler = {w, on_request};

	ck_assert_int_eq(coap_edge_new(w->base, &config, &handler, &w->edge), ERR_OK);
	ck_assert_uint_ne(coap_edge_port(w->edge, 0), 0);
	w->edge_fd = 0;
	while (port_of(w->edge_fd) != coap_edge_port(w->edge, 0))
		ck_assert_int_lt(++w->edge_fd, 1024);
}

/* A socket of its own port: what was answered to the last one stays there. */
static void dial(struct world *w, uint32_t host)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int last = w->fd;

	to.sin_port = htons(coap_edge_port(w->edge, 0));
	to.sin_addr.s_addr = htonl(host);
	w->fd = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(connect(w->fd, (struct sockaddr *)&to, sizeof(to)), 0);
	if (last >= 0)
		close(last);
}

static void open_world(struct world *w, unsigned requests_max)
{
	memset(w, 0, sizeof(*w));
	w->base = event_base_new();
	open_edge(w, "127.0.0.1:0", requests_max);
	w->fd = -1;
	dial(w, INADDR_LOOPBACK);
}

static void close_world(struct world *w)
{
	coap_edge_free(w->edge);
	event_base_free(w->base);
	close(w->fd);
}

/* A busy kernel delivers after send has returned, loopback or not. */
static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, 30000), 1);
}

/* One turn of the loop, and the datagram is there in it. */
static void send_bytes(struct world *w, const void *p, size_t n)
{
	ck_assert_int_eq(send(w->fd, p, n, 0), (ssize_t)n);
	wait_readable(w->edge_fd);
	event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static size_t receive(struct world *w, uint8_t out[2048])
{
	ssize_t n = recv(w->fd, out, 2048, MSG_DONTWAIT);

	return n < 0 ? 0 : (size_t)n;
}

/* What the edge has sent. */
static size_t receive_sent(struct world *w, uint8_t out[2048])
{
	wait_readable(w->fd);
	return receive(w, out);
}

#define CON 0x40
#define NON 0x50
#define ACK 0x60

/* A POST of text to path with a 4-byte token and, if not 0, a Content-Format. */
static size_t build(uint8_t out[256], uint8_t type, uint8_t mid, const char *path, uint8_t format,
	const char *text)
{
	uint8_t *p = out;
	size_t n = strlen(path);

	*p++ = type | 4;
	*p++ = 0x02;
	*p++ = 0x12;
	*p++ = mid;
	memcpy(p, "tokn", 4);
	p += 4;
	*p++ = (uint8_t)(0xB0 | n); /* Uri-Path, 11 */
	memcpy(p, path, n);
	p += n;
	if (format) {
		*p++ = 0x11; /* Content-Format, 12 */
		*p++ = format;
	}
	if (*text) {
		*p++ = 0xFF;
		memcpy(p, text, strlen(text));
		p += strlen(text);
	}
	return (size_t)(p - out);
}

static void post(struct world *w, uint8_t type, uint8_t mid, const char *path, const char *text)
{
	uint8_t m[256];

	send_bytes(w, m, build(m, type, mid, path, 42, text));
}

static void expect_empty_ack(struct world *w, uint8_t mid)
{
	const uint8_t want[4] = {ACK, 0, 0x12, mid};
	uint8_t got[2048];

	ck_assert_uint_eq(receive_sent(w, got), 4);
	ck_assert_mem_eq(got, want, 4);
}

static void expect_silence(struct world *w)
{
	uint8_t got[2048];

	event_base_loop(w->base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(receive(w, got), 0);
}

/* A non-confirmable response with our token, 2.04 and Content-Format 42. */
static void expect_answer(struct world *w, const char *text)
{
	uint8_t got[2048];
	size_t n = receive_sent(w, got);

	ck_assert_uint_eq(n, 8 + 2 + 1 + strlen(text));
	ck_assert_uint_eq(got[0], NON | 4);
	ck_assert_uint_eq(got[1], 0x44);
	ck_assert_mem_eq(got + 4, "tokn", 4);
	ck_assert_mem_eq(got + 8, "\xC1\x2A\xFF", 3);
	ck_assert_mem_eq(got + 11, text, strlen(text));
}

START_TEST(acknowledges_at_once_and_answers_later)
{
	struct world w;

	open_world(&w, 0);
	post(&w, CON, 1, "enroll", "hello");
	expect_empty_ack(&w, 1);
	expect_silence(&w);
	ck_assert_uint_eq(w.count, 1);
	ck_assert_int_eq(w.which, COAP_RESOURCE_ENROLL);
	ck_assert_uint_eq(w.n, 5);
	ck_assert_mem_eq(w.bytes, "hello", 5);
	ck_assert_mem_eq(w.src.addr, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\x7F\0\0\1", 16);
	coap_answer(w.held[0], (const uint8_t *)"welcome", 7);
	expect_answer(&w, "welcome");
	ck_assert_uint_eq(coap_edge_counters(w.edge)->waiting, 0);
	close_world(&w);
}
END_TEST

START_TEST(drops_without_a_word_but_the_same_ack)
{
	struct world w;

	open_world(&w, 0);
	post(&w, CON, 2, "enroll", "unknown");
	expect_empty_ack(&w, 2);
	coap_drop(w.held[0]);
	expect_silence(&w);
	ck_assert_uint_eq(coap_edge_counters(w.edge)->dropped, 1);
	close_world(&w);
}
END_TEST

START_TEST(answers_a_non_confirmable_request_in_kind)
{
	struct world w;

	open_world(&w, 0);
	post(&w, NON, 3, "channel", "x");
	expect_silence(&w);
	ck_assert_int_eq(w.which, COAP_RESOURCE_CHANNEL);
	coap_answer(w.held[0], (const uint8_t *)"y", 1);
	expect_answer(&w, "y");
	close_world(&w);
}
END_TEST

START_TEST(counts_an_answer_that_cannot_be_sent)
{
	static const uint8_t huge[COAP_ANSWER_MAX_BYTES + 1];
	struct world w;

	open_world(&w, 0);
	post(&w, CON, 1, "enroll", "hello");
	expect_empty_ack(&w, 1);
	coap_answer(w.held[0], huge, sizeof(huge));
	expect_silence(&w);
	ck_assert_uint_eq(coap_edge_counters(w.edge)->lost, 1);
	ck_assert_uint_eq(coap_edge_counters(w.edge)->answered, 0);
	ck_assert_uint_eq(coap_edge_counters(w.edge)->waiting, 0);
	close_world(&w);
}
END_TEST

START_TEST(answers_in_any_order)
{
	struct world w;

	open_world(&w, 0);
	for (uint8_t i = 0; i < 5; i++)
		post(&w, NON, i, "enroll", "x");
	ck_assert_uint_eq(w.count, 5);
	coap_answer(w.held[2], (const uint8_t *)"c", 1);
	expect_answer(&w, "c");
	coap_answer(w.held[4], (const uint8_t *)"e", 1);
	expect_answer(&w, "e");
	coap_answer(w.held[0], (const uint8_t *)"a", 1);
	expect_answer(&w, "a");
	coap_drop(w.held[3]);
	coap_drop(w.held[1]);
	expect_silence(&w);
	ck_assert_uint_eq(coap_edge_counters(w.edge)->waiting, 0);
	close_world(&w);
}
END_TEST

START_TEST(may_be_answered_from_within_the_wire)
{
	struct world w;

	open_world(&w, 0);
	w.answer_at_once = true;
	post(&w, NON, 4, "enroll", "x");
	expect_answer(&w, "now");
	close_world(&w);
}
END_TEST

/* As many datagrams are in the socket's queue: a peek that goes on to the next one has seen them.
 */
static void wait_queued(int fd, unsigned count)
{
	uint8_t m[256];
	int from_start = 0, off = -1;

	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &from_start, sizeof(from_start)), 0);
	while (count > 0)
		if (recv(fd, m, sizeof(m), MSG_PEEK | MSG_DONTWAIT) > 0)
			count--;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)), 0);
}

START_TEST(takes_what_came_together_in_one_turn)
{
	struct world w;
	uint8_t m[256];

	open_world(&w, 0);
	for (uint8_t i = 0; i < 50; i++) {
		size_t n = build(m, NON, i, "enroll", 42, "x");

		ck_assert_int_eq(send(w.fd, m, n, 0), (ssize_t)n);
	}
	wait_queued(w.edge_fd, 50);
	event_base_loop(w.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	ck_assert_uint_eq(w.count, 50);
	close_world(&w);
}
END_TEST

START_TEST(bounds_what_waits)
{
	struct world w;

	open_world(&w, 2);
	for (uint8_t i = 1; i <= 3; i++) {
		post(&w, CON, i, "enroll", "x");
		expect_empty_ack(&w, i);
	}
	ck_assert_uint_eq(w.count, 2);
	ck_assert_uint_eq(coap_edge_counters(w.edge)->overloaded, 1);
	coap_drop(w.held[0]);
	post(&w, CON, 4, "enroll", "x");
	expect_empty_ack(&w, 4);
	ck_assert_uint_eq(w.count, 3);
	close_world(&w); /* with two that wait */
}
END_TEST

static void expect_code(struct world *w, uint8_t code)
{
	uint8_t got[2048];
	size_t n = receive_sent(w, got);

	ck_assert_uint_eq(n, 8);
	ck_assert_uint_eq(got[0], NON | 4);
	ck_assert_uint_eq(got[1], code);
}

START_TEST(refuses_a_wrong_form)
{
	struct world w;
	uint8_t m[2048];
	size_t n;

	open_world(&w, 0);
	send_bytes(&w, m, build(m, NON, 1, "enroll", 50, "{}"));
	expect_code(&w, 0x8F); /* 4.15 */
	send_bytes(&w, m, build(m, NON, 2, "enroll", 42, ""));
	expect_code(&w, 0x80); /* 4.00 */
	n = build(m, NON, 3, "enroll", 42, "x");
	memset(m + n, 'x', COAP_REQUEST_MAX_BYTES);
	send_bytes(&w, m, n + COAP_REQUEST_MAX_BYTES);
	expect_code(&w, 0x8D); /* 4.13 */
	ck_assert_uint_eq(w.count, 0);
	ck_assert_uint_eq(coap_edge_counters(w.edge)->malformed, 3);
	send_bytes(&w, m, build(m, NON, 4, "enroll", 0, "x")); /* no format: taken for 42 */
	ck_assert_uint_eq(w.count, 1);
	close_world(&w);
}
END_TEST

/* Random datagrams, and every prefix of a good one, harm nothing. */
START_TEST(survives_garbage)
{
	struct world w;
	uint8_t m[256];
	unsigned seed = 20201105;
	size_t n;

	open_world(&w, 0);
	w.answer_at_once = true;
	printf("seed %u\n", seed);
	n = build(m, CON, 1, "enroll", 42, "hello");
	for (size_t i = 1; i < n; i++)
		send_bytes(&w, m, i);
	for (int i = 0; i < 2000; i++) {
		n = (size_t)(rand_r(&seed) % 64 + 1);
		for (size_t k = 0; k < n; k++)
			m[k] = (uint8_t)rand_r(&seed);
		m[0] = (uint8_t)((m[0] & 0x3F) | 0x40);
		send_bytes(&w, m, n);
	}
	dial(&w, INADDR_LOOPBACK);
	post(&w, NON, 9, "enroll", "x");
	expect_answer(&w, "now");
	close_world(&w);
}
END_TEST

START_TEST(describes_itself)
{
	const uint8_t get[] = {NON, 0x01, 0, 9, 0xBB, '.', 'w', 'e', 'l', 'l', '-', 'k', 'n', 'o',
		'w', 'n', 0x04, 'c', 'o', 'r', 'e'};
	struct world w;
	uint8_t got[2048];
	size_t n;

	open_world(&w, 0);
	send_bytes(&w, get, sizeof(get));
	n = receive_sent(&w, got);
	ck_assert_uint_gt(n, 8);
	ck_assert_uint_eq(got[1], 0x45);
	got[n] = '\0';
	ck_assert_ptr_nonnull(memmem(got, n, "</enroll>;ct=42", 15));
	ck_assert_ptr_nonnull(memmem(got, n, "</channel>;ct=42", 16));
	close_world(&w);
}
END_TEST

START_TEST(says_what_it_cannot_bind)
{
	static const char *const bad[] = {"not-an-address", "192.0.2.1:5683"};
	struct event_base *base = event_base_new();
	struct coap_handler handler = {NULL, on_request};
	struct coap_config config = {bad, 1, 0, 0};
	struct coap_edge *e = NULL;

	ck_assert_int_eq(coap_edge_new(base, &config, &handler, &e), ERR_INVALID);
	config.listen = bad + 1;
	ck_assert_int_eq(coap_edge_new(base, &config, &handler, &e), ERR_IO);
	ck_assert_ptr_null(e);
	event_base_free(base);
}
END_TEST

/* Two who share a port would each get some of the datagrams. */
START_TEST(does_not_share_its_port)
{
	struct world w;
	struct coap_handler handler = {NULL, on_request};
	char address[32];
	const char *listen[] = {address};
	struct coap_config config = {listen, 1, 0, 0};
	struct coap_edge *e = NULL;

	open_world(&w, 0);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", coap_edge_port(w.edge, 0));
	ck_assert_int_eq(coap_edge_new(w.base, &config, &handler, &e), ERR_CONFLICT);
	(void)snprintf(address, sizeof(address), "[::]:%u", coap_edge_port(w.edge, 0));
	ck_assert_int_eq(coap_edge_new(w.base, &config, &handler, &e), ERR_CONFLICT);
	ck_assert_ptr_null(e);
	close_world(&w);
}
END_TEST

START_TEST(takes_ipv4_on_the_ipv6_wildcard)
{
	struct world w;

	open_world(&w, 0);
	coap_edge_free(w.edge);
	open_edge(&w, "[::]:0", 0);
	dial(&w, 0x7F000005); /* the answer must come from where we asked */
	post(&w, CON, 1, "enroll", "x");
	expect_empty_ack(&w, 1);
	ck_assert_mem_eq(w.src.addr, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\x7F\0\0\1", 16);
	coap_answer(w.held[0], (const uint8_t *)"y", 1);
	expect_answer(&w, "y");
	close_world(&w);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, acknowledges_at_once_and_answers_later);
	tcase_add_test(tc, drops_without_a_word_but_the_same_ack);
	tcase_add_test(tc, answers_a_non_confirmable_request_in_kind);
	tcase_add_test(tc, counts_an_answer_that_cannot_be_sent);
	tcase_add_test(tc, answers_in_any_order);
	tcase_add_test(tc, may_be_answered_from_within_the_wire);
	tcase_add_test(tc, takes_what_came_together_in_one_turn);
	tcase_add_test(tc, bounds_what_waits);
	tcase_add_test(tc, refuses_a_wrong_form);
	tcase_add_test(tc, survives_garbage);
	tcase_add_test(tc, describes_itself);
	tcase_add_test(tc, takes_ipv4_on_the_ipv6_wildcard);
	tcase_add_test(tc, says_what_it_cannot_bind);
	tcase_add_test(tc, does_not_share_its_port);
}

int main(void)
{
	return suite_main("coap", fill);
}
