/*
 * radio: a Bluetooth adapter of this kernel (/dev/vhci) in the middle of simulated nodes. What
 * bluetoothd scans, connects to and talks GATT with is firmware/core in the virtual air.
 *
 *   radio --nodes FILE [--state DIR] [--speed N] [--seed N] [--address N]
 *
 * Says "ready hciN" on standard output once the kernel has it. Orders and answers are those of
 * fakebluez (orders.h), and:
 *
 *   adapter in|out              plugged; the nodes live on
 *   stop refused|unanswered     so the host's next command to end a scan is met
 *   lose SERIAL [MOMENT...]     its link breaks now, or one at each moment of enum peer_moment
 *   violations                  what centrals have done against a node's rules, as JSON
 *
 * What happens on the links goes to standard error, in milliseconds since each connection.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/crypto_openssl.h"
#include "enr/serial.h"
#include "fakebluez/orders.h"
#include "vm/controller.h"
#include "vm/peers.h"
#include "vm/vhci.h"

#define SPEED_MAX 100
#define ADDRESS_TOP 0x02FFEE00u

struct options {
	const char *nodes, *state;
	unsigned speed, address;
	uint64_t seed;
};

struct radio {
	struct event_base *base;
	struct air *air;
	struct drive drive;
	struct orders orders;
	struct controller controller;
	struct peers peers;
	struct vhci *vhci; /* NULL: unplugged */
	uint8_t address[6];
	bool said_ready;
};

/* --- between the kernel and the air ------------------------------------------------------------
 */

static void send_out(void *ctx, const struct hci_out *out)
{
	struct radio *r = ((struct peers *)ctx)->arg;

	if (r->vhci)
		vhci_send(r->vhci, out->b, out->n);
}

static const struct controller_ops controller_ops = {
	.send = send_out,
	.connect = peers_connect,
	.cancel = peers_cancel,
	.disconnect = peers_disconnect,
	.acl = peers_acl,
	.reset = peers_reset,
};

static void on_packet(void *arg, const void *p, size_t n)
{
	struct radio *r = arg;

	drive_sync(&r->drive);
	controller_take(&r->controller, p, n);
	drive_arm(&r->drive);
}

static void on_ready(void *arg, unsigned index)
{
	struct radio *r = arg;

	if (!r->said_ready)
		printf("ready hci%u\n", index);
	fflush(stdout);
	r->said_ready = true;
}

static const struct vhci_events vhci_events = {on_packet, on_ready};

static const char *serial_of(struct radio *r, const uint8_t *address, char text[SERIAL_TEXT_SIZE])
{
	text[0] = '\0';
	for (size_t i = 0; i < air_node_count(r->air); i++) {
		const struct sim_node *n = air_node(r->air, i);

		if (memcmp(sim_node_address(n), address, PORT_ADDRESS_BYTES) == 0)
			serial_print(sim_node_serial(n), text);
	}
	return text;
}

static void tell(void *arg, const struct peer *p, const char *what)
{
	struct radio *r = arg;
	char text[SERIAL_TEXT_SIZE];

	fprintf(stderr, "%s %s +%llu ms (at %llu ms)\n", serial_of(r, p->address, text), what,
		(unsigned long long)(drive_now_ms(&r->drive) - p->up_ms),
		(unsigned long long)drive_now_ms(&r->drive));
}

/* --- orders ------------------------------------------------------------------------------------
 */

static enum err plug(struct radio *r)
{
	controller_init(&r->controller, r->address, &controller_ops, &r->peers);
	return vhci_new(r->base, &vhci_events, r, &r->vhci);
}

static void unplug(struct radio *r)
{
	vhci_free(r->vhci);
	r->vhci = NULL;
	peers_reset(&r->peers);
}

static void order_adapter(struct order *o)
{
	struct radio *r = o->app;
	bool ok = order_is(o, 1, r->vhci ? "out" : "in");

	if (ok && r->vhci)
		unplug(r);
	else if (ok)
		ok = plug(r) == ERR_OK;
	order_say(ok, "in or out, and not already so");
}

static bool moments_parse(const struct order *o, unsigned *out)
{
	enum peer_moment moment;

	*out = 0;
	for (int i = 2; i < o->argc; i++) {
		if (peer_moment_parse(o->argv[i], &moment) != ERR_OK)
			return false;
		*out |= 1u << moment;
	}
	return true;
}

static void order_lose(struct order *o)
{
	struct peers *ps = &((struct radio *)o->app)->peers;
	struct peer_plan *plan;
	unsigned moments;

	if (!o->node || !moments_parse(o, &moments)) {
		order_say(false, "no such node or moment");
	} else if (!moments) {
		order_say(peers_lose(ps, sim_node_address(o->node)), "no such link");
	} else {
		plan = peers_plan(ps, sim_node_address(o->node));
		if (plan)
			plan->break_at = moments;
		order_say(plan, "too many plans");
	}
}

static void order_peer(struct order *o)
{
	order_bad_peer(o, &((struct radio *)o->app)->peers.bad);
}

/* What becomes of the next command to stop scanning. */
static void order_stop(struct order *o)
{
	struct controller *c = &((struct radio *)o->app)->controller;
	bool silent = order_is(o, 1, "unanswered"), refused = order_is(o, 1, "refused");

	if (silent || refused)
		c->next_stop = silent ? CONTROLLER_SAYS_NOTHING : CONTROLLER_REFUSES;
	order_say(silent || refused, "unanswered or refused");
}

static void order_violations(struct order *o)
{
	struct radio *r = o->app;
	char text[SERIAL_TEXT_SIZE];

	putchar('[');
	for (size_t i = 0; i < r->peers.violation_count && i < PEER_VIOLATIONS_MAX; i++)
		printf("%s\"%s: %s\"", i > 0 ? "," : "",
			serial_of(r, r->peers.violations[i].address, text),
			r->peers.violations[i].what);
	puts("]");
}

static const struct order_row rows[] = {
	{"adapter", order_adapter},
	{"lose", order_lose},
	{"peer", order_peer},
	{"stop", order_stop},
	{"violations", order_violations},
	{NULL, NULL},
};

/* --- main --------------------------------------------------------------------------------------
 */

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static void set_address(struct radio *r, unsigned number)
{
	struct wr w = wr_init(r->address, sizeof(r->address));

	wr_u16(&w, (uint16_t)number);
	wr_u32(&w, ADDRESS_TOP);
}

static enum err set_up(struct radio *r, const struct options *o)
{
	enum err e = drive_init(&r->drive, r->base, r->air, o->speed);

	set_address(r, o->address);
	if (e == ERR_OK)
		e = peers_init(&r->peers, &r->drive, &r->controller);
	r->peers.tell = tell;
	r->peers.arg = r;
	if (e == ERR_OK)
		e = orders_init(&r->orders, &r->drive, rows, r);
	if (e == ERR_OK)
		e = plug(r);
	if (e != ERR_OK)
		fprintf(stderr, "radio: %s: %s\n", err_text(e), strerror(errno));
	return e;
}

static int run(const struct options *o)
{
	struct radio r = {.base = event_base_new(), .air = air_new(o->seed, aes128_default())};
	struct event *term;
	int status = EXIT_FAILURE;

	if (!r.base || !r.air || orders_load_nodes(r.air, o->nodes, o->state) != 0)
		return status;
	fprintf(stderr, "radio: nodes=%zu speed=%u seed=%llu\n", air_node_count(r.air), o->speed,
		(unsigned long long)o->seed);
	term = event_new(r.base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_signal, r.base);
	if (term && event_add(term, NULL) == 0 && set_up(&r, o) == ERR_OK) {
		(void)event_base_dispatch(r.base);
		status = EXIT_SUCCESS;
	}
	vhci_free(r.vhci);
	orders_done(&r.orders);
	peers_done(&r.peers);
	drive_done(&r.drive);
	if (term)
		event_free(term);
	air_free(r.air);
	event_base_free(r.base);
	return status;
}

static int usage(void)
{
	fputs("usage: radio --nodes FILE [--state DIR] [--speed N] [--seed N] [--address N]\n",
		stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"nodes", required_argument, NULL, 'n'},
		{"state", required_argument, NULL, 's'},
		{"speed", required_argument, NULL, 'x'},
		{"seed", required_argument, NULL, 'r'},
		{"address", required_argument, NULL, 'a'},
		{NULL, 0, NULL, 0},
	};
	struct options o = {.speed = 1, .seed = 1, .address = 1};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'n')
			o.nodes = optarg;
		else if (c == 's')
			o.state = optarg;
		else if (c == 'x')
			o.speed = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			o.seed = strtoull(optarg, NULL, 10);
		else if (c == 'a')
			o.address = (unsigned)strtoul(optarg, NULL, 10);
		else
			return usage();
	}
	if (!o.nodes || optind != argc || o.speed < 1 || o.speed > SPEED_MAX)
		return usage();
	if (o.state)
		(void)mkdir(o.state, 0700);
	return run(&o);
}
