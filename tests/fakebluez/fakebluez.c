/*
 * fakebluez: simulated nodes, and a gateway's way to them: an org.bluez on a private bus.
 *
 *   fakebluez --nodes FILE --state DIR [--bus ADDRESS | --link-socket PATH] [--speed N] [--seed N]
 *   fakebluez --dump FLASHFILE [--full-keys]
 *
 * Says "ready" on standard output once it can be used. Each node's flash is DIR/SERIAL.flash.
 * Orders come on standard input, one a line; each is answered by one line "ok", "error …" or JSON:
 *
 *   snapshot [full]             all nodes as one JSON array
 *   type SERIAL LINE            on the node's terminal
 *   lines SERIAL                what its terminal has shown since, as one JSON array
 *   node SERIAL on|off          its power
 *   node SERIAL press MS        its button, for so long
 *   fault SERIAL NAME[,NAME]    wrong behaviours (sim_node.h), none: none
 *   answer SERIAL CODE [HANDLE] its results from now on, with that handle; own: its own
 *   record SERIAL               from now on keeps what enrolls, removes or moves it
 *   recorded SERIAL             all that was kept, as one JSON array of hex texts
 *   cut SERIAL K                power fails at its K-th flash operation from now
 *   rssi SERIAL SERIAL DBM      between nodes
 *   ears PERCENT                of the advertisements nodes hear while they scan for them (10)
 *   lose SERIAL                 the gateway's link to it breaks
 *   peer SERIAL FAULT           deaf early refuses brief silent none (bad_peer.h); over D-Bus only
 *   adapter on|off|in|out       powered, plugged
 *   bluez die|revive            as kill -9 and a new start
 *   bluez busy|calm             as with several Connects at once, even if there is one
 *   bluez hang                  the end of the discovery is refused, until the adapter was off
 *   socket die|revive           the same of the radio socket
 *   quit
 *
 * Started by the bus it takes no orders, and ends with the bus.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto_openssl.h"
#include "base/log.h"
#include "enr/serial.h"
#include "fakebluez/airsocket.h"
#include "fakebluez/bluez.h"
#include "fakebluez/orders.h"

#define SPEED_MAX 1000

struct options {
	const char *bus, *socket, *nodes, *state, *dump;
	unsigned speed;
	uint64_t seed;
	bool full_keys;
};

struct fake {
	struct event_base *base;
	struct air *air;
	struct drive drive;
	struct bluez *bluez; /* one of these two */
	struct airsocket *socket;
	struct orders orders;
	bool said_ready;
};

/* --- orders
 * ---------------------------------------------------------------------------------------------- */

static void order_lose(struct order *o)
{
	struct fake *f = o->app;
	const uint8_t *address = o->node ? sim_node_address(o->node) : NULL;
	bool ok = address && (f->bluez ? bluez_lose_link(f->bluez, address)
				       : airsocket_lose_link(f->socket, address));

	order_say(ok, "no such link");
}

static void order_adapter(struct order *o)
{
	struct bluez *b = ((struct fake *)o->app)->bluez;

	if (b && (order_is(o, 1, "on") || order_is(o, 1, "off")))
		bluez_set_powered(b, order_is(o, 1, "on"));
	else if (b && (order_is(o, 1, "in") || order_is(o, 1, "out")))
		bluez_set_plugged(b, order_is(o, 1, "in"));
	else
		b = NULL;
	order_say(b, "on, off, in or out");
}

static void order_peer(struct order *o)
{
	struct bluez *b = ((struct fake *)o->app)->bluez;

	order_bad_peer(o, b ? &b->peers : NULL);
}

static void order_bluez(struct order *o)
{
	struct bluez *b = ((struct fake *)o->app)->bluez;

	if (b && order_is(o, 1, "die"))
		bluez_die(b);
	else if (b && order_is(o, 1, "revive"))
		bluez_revive(b);
	else if (b && (order_is(o, 1, "busy") || order_is(o, 1, "calm")))
		bluez_set_busy(b, order_is(o, 1, "busy"));
	else if (b && order_is(o, 1, "hang"))
		bluez_hang_discovery(b);
	else
		b = NULL;
	order_say(b, "die, revive, busy, calm or hang");
}

static void order_socket(struct order *o)
{
	struct airsocket *s = ((struct fake *)o->app)->socket;
	bool ok = s && (order_is(o, 1, "die") || order_is(o, 1, "revive"));

	order_say(ok && airsocket_set_up(s, order_is(o, 1, "revive")), "die or revive");
}

static const struct order_row rows[] = {
	{"lose", order_lose},
	{"peer", order_peer},
	{"adapter", order_adapter},
	{"bluez", order_bluez},
	{"socket", order_socket},
	{NULL, NULL},
};

/* --- dump
 * ----------------------------------------------------------------------------------------------------
 */

static int dump(const struct options *o)
{
	const char *base = strrchr(o->dump, '/');
	struct sim_enrollment e;
	uint32_t index = SERIAL_INDEX_INVALID;
	enum err result;

	base = base ? base + 1 : o->dump;
	if (serial_parse(base, strcspn(base, "."), &index) != ERR_OK)
		index = SERIAL_INDEX_INVALID;
	if (access(o->dump, R_OK) != 0) {
		fprintf(stderr, "fakebluez: %s: %s\n", o->dump, strerror(errno));
		return EXIT_FAILURE;
	}
	result = sim_flash_state(o->dump, &e);
	if (result != ERR_OK && result != ERR_NOT_FOUND) {
		fprintf(stderr, "fakebluez: %s: %s\n", o->dump, err_text(result));
		return EXIT_FAILURE;
	}
	sim_state_print(stdout, index, &e, o->full_keys);
	bytes_wipe(&e, sizeof(e));
	return EXIT_SUCCESS;
}

/* --- main
 * --------------------------------------------------------------------------------------------------------
 */

static void on_ready(void *arg)
{
	struct fake *f = arg;

	if (!f->said_ready)
		puts("ready");
	fflush(stdout);
	f->said_ready = true;
}

static void on_lost(void *arg)
{
	event_base_loopbreak(((struct fake *)arg)->base);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

/* The way in for the gateway. */
static enum err open_way(struct fake *f, const struct options *o)
{
	enum err e = drive_init(&f->drive, f->base, f->air, o->speed);

	if (e != ERR_OK)
		return e;
	if (!o->socket) {
		e = bluez_new(&f->drive, o->bus, on_ready, f, &f->bluez);
		if (e == ERR_OK && getenv("DBUS_STARTER_ADDRESS"))
			f->bluez->lost = on_lost;
		return e;
	}
	e = airsocket_new(&f->drive, o->socket, &f->socket);
	if (e == ERR_OK)
		on_ready(f);
	return e;
}

static int run(const struct options *o)
{
	struct fake f = {.base = event_base_new(), .air = air_new(o->seed, aes128_default())};
	struct event *term, *interrupt;
	int status = EXIT_FAILURE;

	if (!f.base || !f.air || orders_load_nodes(f.air, o->nodes, o->state) != 0)
		goto out;
	fprintf(stderr, "fakebluez: nodes=%zu speed=%u seed=%llu\n", air_node_count(f.air),
		o->speed, (unsigned long long)o->seed);
	term = event_new(f.base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_signal, f.base);
	interrupt = event_new(f.base, SIGINT, EV_SIGNAL | EV_PERSIST, on_signal, f.base);
	if (open_way(&f, o) == ERR_OK && orders_init(&f.orders, &f.drive, rows, &f) == ERR_OK) {
		(void)event_add(term, NULL);
		(void)event_add(interrupt, NULL);
		(void)event_base_dispatch(f.base);
		status = EXIT_SUCCESS;
	}
	bluez_free(f.bluez);
	airsocket_free(f.socket);
	orders_done(&f.orders);
	drive_done(&f.drive);
	event_free(term);
	event_free(interrupt);
out:
	air_free(f.air);
	if (f.base)
		event_base_free(f.base);
	return status;
}

static int usage(void)
{
	fputs("usage: fakebluez --nodes FILE [--state DIR] [--bus ADDRESS | --link-socket PATH]\n"
	      "                 [--speed N] [--seed N]\n"
	      "       fakebluez --dump FLASHFILE [--full-keys]\n",
		stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"bus", required_argument, NULL, 'b'},
		{"link-socket", required_argument, NULL, 'l'},
		{"nodes", required_argument, NULL, 'n'},
		{"state", required_argument, NULL, 's'},
		{"speed", required_argument, NULL, 'x'},
		{"seed", required_argument, NULL, 'r'},
		{"dump", required_argument, NULL, 'd'},
		{"full-keys", no_argument, NULL, 'k'},
		{NULL, 0, NULL, 0},
	};
	struct options o = {.speed = 1, .seed = 1};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'b':
			o.bus = optarg;
			break;
		case 'l':
			o.socket = optarg;
			break;
		case 'n':
			o.nodes = optarg;
			break;
		case 's':
			o.state = optarg;
			break;
		case 'x':
			o.speed = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			o.seed = strtoull(optarg, NULL, 10);
			break;
		case 'd':
			o.dump = optarg;
			break;
		case 'k':
			o.full_keys = true;
			break;
		default:
			return usage();
		}
	}
	if (o.dump)
		return dump(&o);
	if (!o.nodes || optind != argc || o.speed < 1 || o.speed > SPEED_MAX)
		return usage();
	if (o.state)
		(void)mkdir(o.state, 0700);
	return run(&o);
}
