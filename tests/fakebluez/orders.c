#include "fakebluez/orders.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enr/hex.h"
#include "enr/serial.h"

#define TYPED_BYTES 400
#define PATH_BYTES 512

/* --- nodes
 * ---------------------------------------------------------------------------------------- */

static enum err add_node(struct air *air, const char *state, const struct sim_spec *spec)
{
	char path[PATH_BYTES], serial[SERIAL_TEXT_SIZE];

	serial_print(spec->serial_index, serial);
	snprintf(path, sizeof(path), "%s/%s.flash", state ? state : "", serial);
	return air_add_node(air, spec, state ? path : NULL, NULL);
}

int orders_load_nodes(struct air *air, const char *path, const char *state)
{
	FILE *file = fopen(path, "re");
	char line[SIM_SPEC_LINE_MAX];
	struct sim_spec spec;
	int number = 0;
	enum err e = ERR_OK;

	if (!file) {
		fprintf(stderr, "nodes: %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (e == ERR_OK && fgets(line, sizeof(line), file)) {
		number++;
		e = sim_spec_parse(line, &spec);
		if (e == ERR_OK)
			e = add_node(air, state, &spec);
		else if (e == ERR_NOT_FOUND)
			e = ERR_OK;
	}
	fclose(file);
	bytes_wipe(&spec, sizeof(spec));
	bytes_wipe(line, sizeof(line));
	if (e != ERR_OK)
		fprintf(stderr, "nodes: %s:%d: %s\n", path, number, err_text(e));
	return e == ERR_OK ? 0 : -1;
}

/* --- the common orders ------------------------------------------------------------------------ */

static bool word_is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool order_is(const struct order *o, int i, const char *word)
{
	return o->argc > i && word_is(o->argv[i], word);
}

void order_say(bool ok, const char *why)
{
	if (ok)
		puts("ok");
	else
		printf("error %s\n", why);
}

struct sim_node *order_node(const struct order *o, const char *serial)
{
	uint32_t index;

	return serial_parse(serial, strlen(serial), &index) == ERR_OK
		       ? air_find(o->drive->air, index)
		       : NULL;
}

void order_bad_peer(const struct order *o, struct bad_peers *peers)
{
	unsigned faults;
	bool ok = peers && o->node && o->argc > 2 &&
		  bad_peer_parse(o->argv[2], &faults) == ERR_OK &&
		  bad_peers_set(peers, sim_node_address(o->node), faults) == ERR_OK;

	order_say(ok, "no such node or fault");
}

static void on_snapshot(struct order *o)
{
	bool full = o->argc > 1 && word_is(o->argv[1], "full");
	struct sim_enrollment e;

	putchar('[');
	for (size_t i = 0; i < air_node_count(o->drive->air); i++) {
		const struct sim_node *n = air_node(o->drive->air, i);

		sim_node_state(n, &e);
		fputs(i > 0 ? ",{" : "{", stdout);
		sim_state_fields(stdout, sim_node_serial(n), &e, full);
		printf(",\"reboots\":%u,\"cluster_size\":%u}", sim_node_reboots(n),
			sim_node_cluster_size(n));
	}
	puts("]");
	bytes_wipe(&e, sizeof(e));
}

static void on_node(struct order *o)
{
	const char *what = o->argc > 2 ? o->argv[2] : "";

	if (!o->node) {
		order_say(false, "no such node");
		return;
	}
	if (word_is(what, "on") || word_is(what, "off"))
		sim_node_power(o->node, word_is(what, "on"));
	else if (word_is(what, "press") && o->argc > 3)
		sim_node_press(o->node, (uint32_t)strtoul(o->argv[3], NULL, 10));
	else
		what = NULL;
	order_say(what, "on, off or press MS");
}

static void on_fault(struct order *o)
{
	uint32_t faults;
	bool ok = o->node && o->argc > 2 && sim_faults_parse(o->argv[2], &faults) == ERR_OK;

	if (ok)
		sim_node_set_faults(o->node, faults);
	order_say(ok, "no such node or fault");
}

static void on_answer(struct order *o)
{
	bool ok = o->node && o->argc > 2;

	if (ok)
		sim_node_answer(o->node,
			order_is(o, 2, "own") ? -1 : (int)strtoul(o->argv[2], NULL, 0),
			o->argc > 3 ? atoi(o->argv[3]) : -1);
	order_say(ok, "no such node");
}

static void on_record(struct order *o)
{
	order_say(o->node && sim_node_record(o->node) == ERR_OK, "no such node");
}

static void on_recorded(struct order *o)
{
	char text[2 * UINT8_MAX + 1];
	struct span all = {NULL, 0};

	if (o->node)
		all = sim_node_recorded(o->node);
	putchar('[');
	for (size_t at = 0; at < all.n; at += 1u + all.p[at]) {
		hex_print(all.p + at + 1, all.p[at], text);
		printf("%s\"%s\"", at > 0 ? "," : "", text);
	}
	puts("]");
	bytes_wipe(text, sizeof(text));
}

static void on_cut(struct order *o)
{
	bool ok = o->node && o->argc > 2;

	if (ok)
		sim_node_cut_power_at(o->node, (uint32_t)strtoul(o->argv[2], NULL, 10));
	order_say(ok, "no such node");
}

static void on_rssi(struct order *o)
{
	struct sim_node *other = o->argc > 3 ? order_node(o, o->argv[2]) : NULL;
	bool ok = o->node && other;

	if (ok)
		air_set_rssi(o->drive->air, o->node, other, atoi(o->argv[3]));
	order_say(ok, "no such node");
}

static void on_ears(struct order *o)
{
	unsigned long percent = o->argc > 1 ? strtoul(o->argv[1], NULL, 10) : 0;
	bool ok = percent > 0 && percent <= 100;

	if (ok)
		air_set_ears(o->drive->air, (unsigned)percent);
	order_say(ok, "1 to 100 percent");
}

/* The words again as one line. */
static void on_type(struct order *o)
{
	char line[TYPED_BYTES] = "";
	size_t n = 0;

	for (int i = 2; i < o->argc && n < sizeof(line); i++)
		n += (size_t)snprintf(
			line + n, sizeof(line) - n, "%s%s", i > 2 ? " " : "", o->argv[i]);
	order_say(o->node && n < sizeof(line) && sim_node_type(o->node, line, n) == ERR_OK,
		"no such node, not running, or too long");
}

/* Each line is a JSON object. */
static void on_lines(struct order *o)
{
	struct span lines = {NULL, 0};

	if (!o->node) {
		order_say(false, "no such node");
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

static void on_quit(struct order *o)
{
	order_say(true, NULL);
	event_base_loopbreak(o->drive->base);
}

static const struct order_row common[] = {
	{"snapshot", on_snapshot},
	{"node", on_node},
	{"fault", on_fault},
	{"answer", on_answer},
	{"record", on_record},
	{"recorded", on_recorded},
	{"cut", on_cut},
	{"rssi", on_rssi},
	{"ears", on_ears},
	{"type", on_type},
	{"lines", on_lines},
	{"quit", on_quit},
	{NULL, NULL},
};

/* --- standard input ----------------------------------------------------------------------------
 */

static const struct order_row *find_row(const struct order_row *rows, const char *word)
{
	for (; rows->word; rows++)
		if (word_is(rows->word, word))
			return rows;
	return NULL;
}

static void obey(struct orders *os, char *line)
{
	struct order o = {.app = os->app, .drive = os->drive};
	const struct order_row *row;
	char *save = NULL;

	for (char *w = strtok_r(line, " \t\r", &save); w && o.argc < ORDER_WORDS_MAX;
		w = strtok_r(NULL, " \t\r", &save))
		o.argv[o.argc++] = w;
	if (o.argc == 0)
		return;
	row = find_row(os->rows, o.argv[0]);
	row = row ? row : find_row(common, o.argv[0]);
	o.node = o.argc > 1 ? order_node(&o, o.argv[1]) : NULL;
	drive_sync(os->drive);
	if (row)
		row->fn(&o);
	else
		order_say(false, "unknown order");
	drive_arm(os->drive);
	fflush(stdout);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct orders *os = arg;
	ssize_t n = read(fd, os->line + os->line_bytes, sizeof(os->line) - os->line_bytes - 1);
	char *end;

	(void)what;
	if (n <= 0) { /* nobody gives orders any more; the nodes live on */
		(void)event_del(os->input);
		return;
	}
	os->line_bytes += (size_t)n;
	os->line[os->line_bytes] = '\0';
	while ((end = strchr(os->line, '\n')) != NULL) {
		*end = '\0';
		obey(os, os->line);
		os->line_bytes -= (size_t)(end + 1 - os->line);
		memmove(os->line, end + 1, os->line_bytes + 1);
	}
	if (os->line_bytes == sizeof(os->line) - 1)
		os->line_bytes = 0;
}

/* Whoever is started by the bus has /dev/null there, which cannot be waited for. */
static bool has_orders(void)
{
	struct stat st;

	return fstat(STDIN_FILENO, &st) == 0 &&
	       (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(STDIN_FILENO));
}

enum err orders_init(
	struct orders *os, struct drive *drive, const struct order_row *rows, void *app)
{
	memset(os, 0, sizeof(*os));
	os->drive = drive;
	os->rows = rows;
	os->app = app;
	if (!has_orders())
		return ERR_OK;
	os->input = event_new(drive->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, os);
	if (!os->input || event_add(os->input, NULL) != 0)
		return ERR_NOMEM;
	return ERR_OK;
}

void orders_done(struct orders *os)
{
	if (os->input)
		event_free(os->input);
	os->input = NULL;
}
