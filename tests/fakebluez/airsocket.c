#include "fakebluez/airsocket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mesh/link_dgram.h"

#define LINKS_MAX 16
#define SERVICE_DATA_AT 11
#define TIME_EVERY_MS 100 /* virtual */
#define SLACK_MS 200      /* so far the world runs ahead of a gateway that answers */

struct airlink {
	uint16_t theirs; /* the gateway's number; 0: free */
	uint16_t ours;
	uint8_t address[PORT_ADDRESS_BYTES];
};

struct airsocket {
	struct drive *drive;
	struct air_radio *radio;
	int listener, client;
	struct event *listen_event, *client_event, *time_event;
	struct airlink links[LINKS_MAX];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static struct airlink *find(struct airsocket *s, uint16_t number, bool theirs)
{
	for (int i = 0; i < LINKS_MAX; i++) {
		struct airlink *l = &s->links[i];

		if (l->theirs != 0 && (theirs ? l->theirs : l->ours) == number)
			return l;
	}
	return NULL;
}

/* A gateway that does not read loses datagrams, as one that does not listen loses adverts. */
static void send_out(struct airsocket *s, const struct link_dgram *d)
{
	uint8_t b[LINK_DGRAM_MAX];
	size_t n;

	if (s->client >= 0 && link_dgram_encode(d, b, &n) == ERR_OK)
		(void)!send(s->client, b, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_down(struct airsocket *s, uint16_t theirs, enum link_down why)
{
	const struct link_dgram d = {
		.type = LINK_DGRAM_DISCONNECTED, .link = theirs, .reason = why};

	send_out(s, &d);
}

/* --- the radio ----------------------------------------------------------------------------------
 */

static void on_report(void *ctx, const struct port_report *report, struct span rsp)
{
	struct link_dgram d = {.type = LINK_DGRAM_ADVERT,
		.rssi_dbm = report->rssi_dbm,
		.connectable = report->connectable};

	(void)rsp;
	if (report->data.n <= SERVICE_DATA_AT)
		return;
	d.addr.type = report->address[0];
	memcpy(d.addr.b, report->address + 1, sizeof(d.addr.b));
	d.data = (struct span){report->data.p + SERVICE_DATA_AT, report->data.n - SERVICE_DATA_AT};
	send_out(ctx, &d);
}

static void drop(struct airsocket *s, struct airlink *l, enum link_down why)
{
	send_down(s, l->theirs, why);
	l->theirs = 0;
}

static void on_connected(void *ctx, uint16_t link, enum err result)
{
	struct airsocket *s = ctx;
	struct airlink *l = find(s, link, false);

	if (!l)
		return;
	if (result != ERR_OK)
		drop(s, l, result == ERR_CLOSED ? LINK_DOWN_LOCAL : LINK_DOWN_CONNECT);
	else if (air_radio_subscribe(s->radio, link) != ERR_OK)
		air_radio_disconnect(s->radio, link);
}

static void on_subscribed(void *ctx, uint16_t link)
{
	struct airlink *l = find(ctx, link, false);
	struct link_dgram d = {.type = LINK_DGRAM_CONNECTED};

	if (!l)
		return;
	d.link = l->theirs;
	send_out(ctx, &d);
}

static void on_notified(void *ctx, uint16_t link, struct span pdu)
{
	struct airlink *l = find(ctx, link, false);
	struct link_dgram d = {.type = LINK_DGRAM_NOTIFY, .data = pdu};

	if (!l)
		return;
	d.link = l->theirs;
	send_out(ctx, &d);
}

static void on_disconnected(void *ctx, uint16_t link, uint8_t hci_reason)
{
	struct airlink *l = find(ctx, link, false);

	if (l)
		drop(ctx, l, hci_reason == AIR_HCI_LOCAL ? LINK_DOWN_LOCAL : LINK_DOWN_LOST);
}

static const struct air_radio_ops radio_ops = {
	.report = on_report,
	.connected = on_connected,
	.subscribed = on_subscribed,
	.notified = on_notified,
	.disconnected = on_disconnected,
};

/* --- the gateway
 * ------------------------------------------------------------------------------------ */

static void on_connect(struct airsocket *s, const struct link_dgram *d)
{
	struct airlink *l = NULL;

	for (int i = 0; i < LINKS_MAX && !l; i++)
		if (s->links[i].theirs == 0)
			l = &s->links[i];
	if (!l || d->link == 0 || find(s, d->link, true)) {
		send_down(s, d->link, LINK_DOWN_CONNECT);
		return;
	}
	l->theirs = d->link;
	l->address[0] = d->addr.type;
	memcpy(l->address + 1, d->addr.b, sizeof(d->addr.b));
	if (air_radio_connect(s->radio, l->address, 0, &l->ours) != ERR_OK)
		drop(s, l, LINK_DOWN_CONNECT);
}

static void on_datagram(struct airsocket *s, const struct link_dgram *d)
{
	struct airlink *l = find(s, d->link, true);

	switch (d->type) {
	case LINK_DGRAM_CONNECT:
		on_connect(s, d);
		return;
	case LINK_DGRAM_WRITE:
		if (l)
			(void)!air_radio_write(s->radio, l->ours, d->data.p, d->data.n);
		return;
	case LINK_DGRAM_DISCONNECTED:
		if (l)
			air_radio_disconnect(s->radio, l->ours);
		return;
	case LINK_DGRAM_TIME:
		if (d->now_ms <= air_now_ms(s->drive->air))
			drive_limit(s->drive, d->now_ms + SLACK_MS);
		return;
	case LINK_DGRAM_ADVERT:
	case LINK_DGRAM_CONNECTED:
	case LINK_DGRAM_NOTIFY:
		return; /* ours to say */
	}
}

static void part(struct airsocket *s)
{
	if (s->client_event)
		event_free(s->client_event);
	s->client_event = NULL;
	if (s->client >= 0)
		close(s->client);
	s->client = -1;
	air_radio_free(s->radio);
	s->radio = NULL;
	memset(s->links, 0, sizeof(s->links));
	drive_limit(s->drive, UINT64_MAX);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct airsocket *s = arg;
	uint8_t b[LINK_DGRAM_MAX + 1];
	struct link_dgram d;
	ssize_t n;

	(void)what;
	drive_sync(s->drive);
	while ((n = recv(fd, b, sizeof(b), MSG_DONTWAIT)) > 0)
		if (link_dgram_decode(b, (size_t)n, &d) == ERR_OK)
			on_datagram(s, &d);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		part(s);
	drive_arm(s->drive);
}

/* A new gateway takes the place of the old one. */
static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct airsocket *s = arg;
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (client < 0)
		return;
	drive_sync(s->drive);
	part(s);
	s->client = client;
	s->client_event = event_new(s->drive->base, client, EV_READ | EV_PERSIST, on_readable, s);
	s->radio = air_radio_new(s->drive->air, &radio_ops, s);
	if (!s->client_event || !s->radio)
		abort();
	(void)event_add(s->client_event, NULL);
	air_radio_scan(s->radio, true);
	drive_arm(s->drive);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct airsocket *s = arg;
	struct link_dgram d = {.type = LINK_DGRAM_TIME};

	(void)fd;
	(void)what;
	drive_sync(s->drive);
	d.now_ms = air_now_ms(s->drive->air);
	send_out(s, &d);
	drive_arm(s->drive);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 4) == 0)
		return fd;
	close(fd);
	return -1;
}

enum err airsocket_new(struct drive *drive, const char *path, struct airsocket **out)
{
	struct timeval tv = drive_delay(drive, TIME_EVERY_MS);
	struct airsocket *s;

	if (strlen(path) >= sizeof(s->path))
		return ERR_RANGE;
	s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NOMEM;
	s->drive = drive;
	s->client = s->listener = -1;
	memcpy(s->path, path, strlen(path) + 1);
	s->time_event = event_new(drive->base, -1, EV_PERSIST, on_time, s);
	if (!s->time_event)
		abort();
	if (!airsocket_set_up(s, true)) {
		airsocket_free(s);
		return ERR_IO;
	}
	(void)event_add(s->time_event, &tv);
	*out = s;
	return ERR_OK;
}

bool airsocket_set_up(struct airsocket *s, bool up)
{
	if (up == (s->listener >= 0))
		return true;
	if (!up) {
		part(s);
		event_free(s->listen_event);
		close(s->listener);
		s->listen_event = NULL;
		s->listener = -1;
		(void)unlink(s->path);
		return true;
	}
	s->listener = listen_at(s->path);
	if (s->listener < 0)
		return false;
	s->listen_event =
		event_new(s->drive->base, s->listener, EV_READ | EV_PERSIST, on_accept, s);
	if (!s->listen_event)
		abort();
	(void)event_add(s->listen_event, NULL);
	return true;
}

void airsocket_free(struct airsocket *s)
{
	if (!s)
		return;
	(void)airsocket_set_up(s, false);
	event_free(s->time_event);
	free(s);
}

bool airsocket_lose_link(struct airsocket *s, const uint8_t address[PORT_ADDRESS_BYTES])
{
	for (int i = 0; i < LINKS_MAX; i++)
		if (s->links[i].theirs != 0 &&
			memcmp(s->links[i].address, address, PORT_ADDRESS_BYTES) == 0) {
			air_radio_lose(s->radio, s->links[i].ours);
			return true;
		}
	return false;
}
