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
 *   node SERIAL press|release   its button
 *   fault SERIAL NAME[,NAME]    wrong behaviours (sim_node.h), none: none
 *   cut SERIAL K                power fails at its K-th flash operation from now
 *   rssi SERIAL SERIAL DBM      between nodes
 *   lose SERIAL                 the gateway's link to it breaks
 *   adapter on|off|in|out       powered, plugged
 *   bluez die|revive            as kill -9 and a new start
 *   socket die|revive           the same of the radio socket
 *   time                        virtual milliseconds
 *   quit
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
#include "fakebluez/drive.h"
#include "firmware/port/host/sim_node.h"

#define LINE_BYTES 1024
#define TYPED_BYTES 400
#define WORDS_MAX 20
#define SPEED_MAX 1000
#define PATH_BYTES 512

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
	struct event *input;
	char line[LINE_BYTES];
	size_t line_bytes;
	bool said_ready;
};

/* --- nodes
 * ---------------------------------------------------------------------------------------- */

static enum err add_node(struct fake *f, const char *state, const struct sim_spec *spec)
{
	char path[PATH_BYTES], serial[SERIAL_TEXT_SIZE];

	serial_print(spec->serial_index, serial);
	snprintf(path, sizeof(path), "%s/%s.flash", state ? state : "", serial);
	return air_add_node(f->air, spec, state ? path : NULL, NULL);
}

static int load_nodes(struct fake *f, const struct options *o)
{
	FILE *file = fopen(o->nodes, "re");
	char line[SIM_SPEC_LINE_MAX];
	struct sim_spec spec;
	int number = 0;
	enum err e = ERR_OK;

	if (!file) {
		fprintf(stderr, "fakebluez: %s: %s\n", o->nodes, strerror(errno));
		return -1;
	}
	while (e == ERR_OK && fgets(line, sizeof(line), file)) {
		number++;
		e = sim_spec_parse(line, &spec);
		if (e == ERR_OK)
			e = add_node(f, o->state, &spec);
		else if (e == ERR_NOT_FOUND)
			e = ERR_OK;
	}
	fclose(file);
	bytes_wipe(&spec, sizeof(spec));
	bytes_wipe(line, sizeof(line));
	if (e != ERR_OK)
		fprintf(stderr, "fakebluez: %s:%d: %s\n", o->nodes, number, err_text(e));
	return e == ERR_OK ? 0 : -1;
}

/* --- orders
 * ---------------------------------------------------------------------------------------------- */

struct order {
	struct fake *f;
	int argc;
	char *argv[WORDS_MAX];
	struct sim_node *node; /* of argv[1], if it is a serial that is there */
};

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static void say(bool ok, const char *why)
{
	if (ok)
		puts("ok");
	else
		printf("error %s\n", why);
}

static struct sim_node *find_node(struct fake *f, const char *text)
{
	uint32_t index;

	return serial_parse(text, strlen(text), &index) == ERR_OK ? air_find(f->air, index) : NULL;
}

static void order_snapshot(struct order *o)
{
	bool full = o->argc > 1 && is(o->argv[1], "full");
	struct sim_enrollment e;

	putchar('[');
	for (size_t i = 0; i < air_node_count(o->f->air); i++) {
		const struct sim_node *n = air_node(o->f->air, i);

		sim_node_state(n, &e);
		fputs(i > 0 ? ",{" : "{", stdout);
		sim_state_fields(stdout, sim_node_serial(n), &e, full);
		printf(",\"reboots\":%u,\"cluster_size\":%u}", sim_node_reboots(n),
			sim_node_cluster_size(n));
	}
	puts("]");
	bytes_wipe(&e, sizeof(e));
}

static void order_node(struct order *o)
{
	const char *what = o->argc > 2 ? o->argv[2] : "";

	if (!o->node) {
		say(false, "no such node");
		return;
	}
	if (is(what, "on") || is(what, "off"))
		sim_node_power(o->node, is(what, "on"));
	else if (is(what, "press") || is(what, "release"))
		sim_node_button(o->node, is(what, "press"));
	else
		what = NULL;
	say(what, "on, off, press or release");
}

static void order_fault(struct order *o)
{
	uint32_t faults;
	bool ok = o->node && o->argc > 2 && sim_faults_parse(o->argv[2], &faults) == ERR_OK;

	if (ok)
		sim_node_set_faults(o->node, faults);
	say(ok, "no such node or fault");
}

static void order_cut(struct order *o)
{
	bool ok = o->node && o->argc > 2;

	if (ok)
		sim_node_cut_power_at(o->node, (uint32_t)strtoul(o->argv[2], NULL, 10));
	say(ok, "no such node");
}

static void order_rssi(struct order *o)
{
	struct sim_node *other = o->argc > 3 ? find_node(o->f, o->argv[2]) : NULL;
	bool ok = o->node && other;

	if (ok)
		air_set_rssi(o->f->air, o->node, other, atoi(o->argv[3]));
	say(ok, "no such node");
}

static void order_lose(struct order *o)
{
	const uint8_t *address = o->node ? sim_node_address(o->node) : NULL;
	bool ok = address && (o->f->bluez ? bluez_lose_link(o->f->bluez, address)
					  : airsocket_lose_link(o->f->socket, address));

	say(ok, "no such link");
}

/* The words again as one line. */
static void order_type(struct order *o)
{
	char line[TYPED_BYTES] = "";
	size_t n = 0;

	for (int i = 2; i < o->argc && n < sizeof(line); i++)
		n += (size_t)snprintf(
			line + n, sizeof(line) - n, "%s%s", i > 2 ? " " : "", o->argv[i]);
	say(o->node && n < sizeof(line) && sim_node_type(o->node, line, n) == ERR_OK,
		"no such node, not running, or too long");
}

/* Each line is a JSON object. */
static void order_lines(struct order *o)
{
	struct span lines = {NULL, 0};

	if (!o->node) {
		say(false, "no such node");
		return;
	}
	lines = sim_node_lines(o->node);
	putchar('[');
	for (size_t i = 0; i < lines.n; i++)
		if (lines.p[i] == '\r')
			fputs(i + 2 < lines.n ? "," : "", stdout);
		else if (lines.p[i] != '\n')
			putchar(lines.p[i]);
	puts("]");
}

static void order_adapter(struct order *o)
{
	const char *what = o->argc > 1 ? o->argv[1] : "";
	bool ok = o->f->bluez != NULL;

	if (ok && (is(what, "on") || is(what, "off")))
		bluez_set_powered(o->f->bluez, is(what, "on"));
	else if (ok && (is(what, "in") || is(what, "out")))
		bluez_set_plugged(o->f->bluez, is(what, "in"));
	else
		ok = false;
	say(ok, "on, off, in or out");
}

static void order_bluez(struct order *o)
{
	const char *what = o->argc > 1 ? o->argv[1] : "";
	bool ok = o->f->bluez != NULL;

	if (ok && is(what, "die"))
		bluez_die(o->f->bluez);
	else if (ok && is(what, "revive"))
		bluez_revive(o->f->bluez);
	else
		ok = false;
	say(ok, "die or revive");
}

static void order_socket(struct order *o)
{
	const char *what = o->argc > 1 ? o->argv[1] : "";
	bool ok = o->f->socket && (is(what, "die") || is(what, "revive"));

	say(ok && airsocket_set_up(o->f->socket, is(what, "revive")), "die or revive");
}

static void order_time(struct order *o)
{
	printf("%llu\n", (unsigned long long)air_now_ms(o->f->air));
}

static void order_quit(struct order *o)
{
	say(true, NULL);
	event_base_loopbreak(o->f->base);
}

static const struct {
	const char *word;
	void (*fn)(struct order *o);
} orders[] = {
	{"snapshot", order_snapshot},
	{"node", order_node},
	{"fault", order_fault},
	{"cut", order_cut},
	{"rssi", order_rssi},
	{"lose", order_lose},
	{"type", order_type},
	{"lines", order_lines},
	{"adapter", order_adapter},
	{"bluez", order_bluez},
	{"socket", order_socket},
	{"time", order_time},
	{"quit", order_quit},
};

static void obey(struct fake *f, char *line)
{
	struct order o = {.f = f};
	char *save = NULL;

	for (char *w = strtok_r(line, " \t\r", &save); w && o.argc < WORDS_MAX;
		w = strtok_r(NULL, " \t\r", &save))
		o.argv[o.argc++] = w;
	if (o.argc == 0)
		return;
	o.node = o.argc > 1 ? find_node(f, o.argv[1]) : NULL;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (is(o.argv[0], orders[i].word)) {
			drive_sync(&f->drive);
			orders[i].fn(&o);
			drive_arm(&f->drive);
			fflush(stdout);
			return;
		}
	say(false, "unknown order");
	fflush(stdout);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct fake *f = arg;
	ssize_t n = read(fd, f->line + f->line_bytes, sizeof(f->line) - f->line_bytes - 1);
	char *end;

	(void)what;
	if (n <= 0) { /* nobody gives orders any more; the nodes live on */
		(void)event_del(f->input);
		return;
	}
	f->line_bytes += (size_t)n;
	f->line[f->line_bytes] = '\0';
	while ((end = strchr(f->line, '\n')) != NULL) {
		*end = '\0';
		obey(f, f->line);
		f->line_bytes -= (size_t)(end + 1 - f->line);
		memmove(f->line, end + 1, f->line_bytes + 1);
	}
	if (f->line_bytes == sizeof(f->line) - 1)
		f->line_bytes = 0;
}

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
	if (!o->socket)
		return bluez_new(&f->drive, o->bus, on_ready, f, &f->bluez);
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

	if (!f.base || !f.air || load_nodes(&f, o) != 0)
		goto out;
	fprintf(stderr, "fakebluez: nodes=%zu speed=%u seed=%llu\n", air_node_count(f.air),
		o->speed, (unsigned long long)o->seed);
	term = event_new(f.base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_signal, f.base);
	interrupt = event_new(f.base, SIGINT, EV_SIGNAL | EV_PERSIST, on_signal, f.base);
	f.input = event_new(f.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &f);
	if (open_way(&f, o) == ERR_OK) {
		(void)event_add(term, NULL);
		(void)event_add(interrupt, NULL);
		(void)event_add(f.input, NULL);
		(void)event_base_dispatch(f.base);
		status = EXIT_SUCCESS;
	}
	bluez_free(f.bluez);
	airsocket_free(f.socket);
	drive_done(&f.drive);
	event_free(term);
	event_free(interrupt);
	event_free(f.input);
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
