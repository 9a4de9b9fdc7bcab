#include "mesh/link_socket.h"

#include <event2/event.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mesh/link_dgram.h"
#include "mesh/timer.h"
#include "unit/suite.h"

static struct event_base *base;
static struct timers timers;
static struct link link_;
static int radio; /* the test's end of the pair */
static int ready_count, down_count, notify_count, writable_count, advert_count, time_count;
static bool is_adapter, is_inside;
static enum link_down last_down;
static uint8_t last_pdu[LINK_PDU_MAX];
static size_t last_bytes;

static void on_adapter(void *arg, bool ready)
{
	(void)arg;
	ck_assert(!is_inside);
	is_adapter = ready;
}

static void on_advert(void *arg, const struct link_advert *advert)
{
	(void)arg;
	ck_assert_uint_eq(advert->service_data.n, 3);
	advert_count++;
}

static void on_ready(void *arg, uint16_t conn)
{
	(void)arg;
	(void)conn;
	ck_assert(!is_inside);
	ready_count++;
}

static void on_notify(void *arg, uint16_t conn, struct span pdu)
{
	(void)arg;
	(void)conn;
	notify_count++;
	last_bytes = pdu.n;
	memcpy(last_pdu, pdu.p, pdu.n);
}

static void on_writable(void *arg, uint16_t conn)
{
	(void)arg;
	(void)conn;
	ck_assert(!is_inside);
	writable_count++;
}

static void on_down(void *arg, uint16_t conn, enum link_down why)
{
	(void)arg;
	(void)conn;
	ck_assert(!is_inside);
	down_count++;
	last_down = why;
}

static void on_time(void *arg, uint64_t now_ms)
{
	(void)arg;
	ck_assert_uint_eq(now_ms, 5000);
	time_count++;
}

static const struct link_events events = {.adapter = on_adapter,
	.advert = on_advert,
	.ready = on_ready,
	.notify = on_notify,
	.writable = on_writable,
	.down = on_down,
	.time = on_time};

static void run(void)
{
	timers_run(&timers, timers.now_ms + 5);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void begin(void)
{
	int fds[2];

	ready_count = down_count = notify_count = writable_count = advert_count = time_count = 0;
	is_adapter = is_inside = false;
	timers = (struct timers){.now_ms = 1000};
	base = event_base_new();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	radio = fds[0];
	ck_assert_int_eq(link_socket_new_fd(base, &timers, fds[1], &events, NULL, &link_), ERR_OK);
	ck_assert(!is_adapter);
	run();
	ck_assert(is_adapter);
}

static void end(void)
{
	link_.ops->free(link_.impl);
	if (radio >= 0)
		close(radio);
	event_base_free(base);
	libevent_global_shutdown();
	ck_assert_ptr_null(timers.first);
}

static void radio_sends(const struct link_dgram *d)
{
	uint8_t b[LINK_DGRAM_MAX];
	size_t n;

	ck_assert_int_eq(link_dgram_encode(d, b, &n), ERR_OK);
	ck_assert_int_eq(send(radio, b, n, 0), (ssize_t)n);
}

static struct link_dgram radio_gets(uint8_t b[LINK_DGRAM_MAX])
{
	struct link_dgram d;
	ssize_t n = recv(radio, b, LINK_DGRAM_MAX, MSG_DONTWAIT);

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(link_dgram_decode(b, (size_t)n, &d), ERR_OK);
	return d;
}

static uint16_t connect_one(uint8_t last)
{
	struct link_addr addr = {1, {last, 2, 3, 4, 5, 6}};
	uint8_t b[LINK_DGRAM_MAX];
	struct link_dgram d;
	uint16_t conn;

	is_inside = true;
	ck_assert_int_eq(link_.ops->connect(link_.impl, &addr, &conn), ERR_OK);
	is_inside = false;
	d = radio_gets(b);
	ck_assert_int_eq(d.type, LINK_DGRAM_CONNECT);
	ck_assert_uint_eq(d.link, conn);
	ck_assert(link_addr_equal(&d.addr, &addr));
	radio_sends(&(struct link_dgram){.type = LINK_DGRAM_CONNECTED, .link = conn});
	run();
	return conn;
}

START_TEST(connects_writes_hears_and_hangs_up)
{
	static const uint8_t bytes[3] = {9, 8, 7};
	struct span pdu = {bytes, 3};
	uint8_t b[LINK_DGRAM_MAX];
	struct link_dgram d;
	uint16_t conn;

	begin();
	conn = connect_one(1);
	ck_assert_int_eq(ready_count, 1);
	ck_assert_int_eq(link_.ops->write(link_.impl, conn, pdu), ERR_OK);
	d = radio_gets(b);
	ck_assert_int_eq(d.type, LINK_DGRAM_WRITE);
	ck_assert_mem_eq(d.data.p, bytes, 3);
	radio_sends(&(struct link_dgram){.type = LINK_DGRAM_NOTIFY, .link = conn, .data = pdu});
	run();
	ck_assert_int_eq(notify_count, 1);
	ck_assert_mem_eq(last_pdu, bytes, 3);
	is_inside = true;
	link_.ops->disconnect(link_.impl, conn);
	link_.ops->disconnect(link_.impl, conn);
	is_inside = false;
	ck_assert_int_eq(radio_gets(b).type, LINK_DGRAM_DISCONNECTED);
	ck_assert_int_eq(link_.ops->write(link_.impl, conn, pdu), ERR_STATE);
	radio_sends(&(struct link_dgram){
		.type = LINK_DGRAM_DISCONNECTED, .link = conn, .reason = LINK_DOWN_LOST});
	run();
	ck_assert_int_eq(down_count, 1);
	ck_assert_int_eq(last_down, LINK_DOWN_LOCAL);
	end();
}
END_TEST

START_TEST(never_writes_an_empty_or_long_packet)
{
	uint8_t bytes[LINK_PDU_MAX + 1] = {0};
	uint16_t conn;

	begin();
	conn = connect_one(1);
	ck_assert_int_eq(link_.ops->write(link_.impl, conn, (struct span){bytes, 0}), ERR_RANGE);
	ck_assert_int_eq(link_.ops->write(link_.impl, conn, (struct span){bytes, LINK_PDU_MAX + 1}),
		ERR_RANGE);
	ck_assert_int_lt(recv(radio, bytes, sizeof(bytes), MSG_DONTWAIT), 0);
	end();
}
END_TEST

START_TEST(bad_datagrams_are_dropped_and_the_link_lives)
{
	uint8_t long_one[400] = {1, 5, 1, 0};
	static const uint8_t bad[5] = {2, 3, 1, 0, 0};

	begin();
	(void)connect_one(1);
	ck_assert_int_eq(send(radio, bad, 5, 0), 5);
	ck_assert_int_eq(send(radio, bad, 1, 0), 1);
	ck_assert_int_eq(send(radio, long_one, sizeof(long_one), 0), 400);
	ck_assert_int_eq(send(radio, long_one, 4, 0), 4);
	run();
	ck_assert_int_eq(notify_count, 0);
	ck_assert_int_eq(down_count, 0);
	radio_sends(&(struct link_dgram){.type = LINK_DGRAM_TIME, .now_ms = 5000});
	run();
	ck_assert_int_eq(time_count, 1);
	end();
}
END_TEST

START_TEST(time_is_answered_when_all_that_was_due_is_done)
{
	uint8_t b[LINK_DGRAM_MAX];
	struct link_dgram d;

	begin();
	radio_sends(&(struct link_dgram){.type = LINK_DGRAM_TIME, .now_ms = 5000});
	run();
	ck_assert_int_eq(time_count, 1);
	d = radio_gets(b);
	ck_assert_int_eq(d.type, LINK_DGRAM_TIME);
	ck_assert_uint_eq(d.now_ms, 5000);
	end();
}
END_TEST

START_TEST(adverts_come_only_while_scanning)
{
	static const uint8_t data[3] = {1, 2, 3};
	struct link_dgram d = {.type = LINK_DGRAM_ADVERT, .rssi_dbm = -1, .data = {data, 3}};

	begin();
	radio_sends(&d);
	run();
	ck_assert_int_eq(advert_count, 0);
	link_.ops->scan(link_.impl, true);
	radio_sends(&d);
	run();
	ck_assert_int_eq(advert_count, 1);
	end();
}
END_TEST

START_TEST(full_socket_is_back_pressure)
{
	static const uint8_t bytes[20];
	struct span pdu = {bytes, 20};
	uint8_t b[LINK_DGRAM_MAX];
	uint16_t conn;
	int sent = 0;
	enum err e;

	begin();
	conn = connect_one(1);
	while ((e = link_.ops->write(link_.impl, conn, pdu)) == ERR_OK)
		sent++;
	ck_assert_int_eq(e, ERR_BUSY);
	ck_assert_int_gt(sent, 10);
	link_.ops->disconnect(link_.impl, conn); /* has to wait, too */
	while (recv(radio, b, sizeof(b), MSG_DONTWAIT) > 0)
		sent--;
	ck_assert_int_eq(sent, 0);
	run();
	ck_assert_int_eq(radio_gets(b).type, LINK_DGRAM_DISCONNECTED);
	end();
}
END_TEST

START_TEST(room_is_told)
{
	static const uint8_t bytes[20];
	uint8_t b[LINK_DGRAM_MAX];
	uint16_t conn;

	begin();
	conn = connect_one(1);
	while (link_.ops->write(link_.impl, conn, (struct span){bytes, 20}) == ERR_OK) {
	}
	run();
	ck_assert_int_eq(writable_count, 0);
	while (recv(radio, b, sizeof(b), MSG_DONTWAIT) > 0) {
	}
	run();
	ck_assert_int_eq(writable_count, 1);
	end();
}
END_TEST

START_TEST(refuses_a_ninth_connection_and_a_second_to_one_address)
{
	struct link_addr addr = {1, {1, 2, 3, 4, 5, 6}};
	uint16_t conn;

	begin();
	for (uint8_t i = 0; i < LINK_CONNECTIONS_MAX; i++)
		(void)connect_one(i);
	ck_assert_int_eq(link_.ops->connect(link_.impl, &addr, &conn), ERR_CONFLICT);
	addr.b[0] = 99;
	ck_assert_int_eq(link_.ops->connect(link_.impl, &addr, &conn), ERR_FULL);
	end();
}
END_TEST

START_TEST(end_of_the_socket_ends_all)
{
	struct link_addr addr = {1, {1, 2, 3, 4, 5, 6}};
	uint16_t conn;

	begin();
	(void)connect_one(1);
	(void)connect_one(2);
	close(radio);
	radio = -1;
	run();
	ck_assert_int_eq(down_count, 2);
	ck_assert_int_eq(last_down, LINK_DOWN_ADAPTER);
	ck_assert(!is_adapter);
	ck_assert_int_eq(link_.ops->connect(link_.impl, &addr, &conn), ERR_STATE);
	end();
}
END_TEST

static int listen_at(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	(void)unlink(a->sun_path); /* of a test that was killed */
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)a, sizeof(*a)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

START_TEST(comes_back_when_the_radio_does)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	begin();
	link_.ops->free(link_.impl);
	is_adapter = false;
	snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/enr-radio-%d", (int)getpid());
	ck_assert_int_eq(link_socket_new(base, &timers, a.sun_path, &events, NULL, &link_), ERR_OK);
	run();
	ck_assert(!is_adapter);
	fd = listen_at(&a);
	timers_run(&timers, timers.now_ms + 1000);
	ck_assert(is_adapter);
	close(radio);
	radio = accept(fd, NULL, NULL);
	(void)connect_one(1);
	close(radio);
	run();
	ck_assert(!is_adapter);
	timers_run(&timers, timers.now_ms + 1000);
	ck_assert(is_adapter);
	radio = accept(fd, NULL, NULL);
	(void)connect_one(1);
	ck_assert_int_eq(ready_count, 2);
	unlink(a.sun_path);
	close(fd);
	end();
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, connects_writes_hears_and_hangs_up);
	tcase_add_test(tc, never_writes_an_empty_or_long_packet);
	tcase_add_test(tc, bad_datagrams_are_dropped_and_the_link_lives);
	tcase_add_test(tc, time_is_answered_when_all_that_was_due_is_done);
	tcase_add_test(tc, adverts_come_only_while_scanning);
	tcase_add_test(tc, full_socket_is_back_pressure);
	tcase_add_test(tc, room_is_told);
	tcase_add_test(tc, refuses_a_ninth_connection_and_a_second_to_one_address);
	tcase_add_test(tc, end_of_the_socket_ends_all);
	tcase_add_test(tc, comes_back_when_the_radio_does);
}

int main(void)
{
	return suite_main("link_socket", fill);
}
