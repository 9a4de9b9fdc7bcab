/*
 * Builds the house from the ground up, sets the wires, runs the loop, and takes it down in the
 * reverse order. Everything that calls upward is set in daemon_start.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/crypto_openssl.h"
#include "base/keypool.h"
#include "base/log.h"
#include "base/seal.h"
#include "control/control.h"
#include "daemon/notify.h"
#include "daemon/wires.h"
#include "enroll/batch.h"
#include "enroll/listener.h"
#include "enroll/meshops.h"
#include "enroll/nodes.h"
#include "enroll/runner.h"
#include "enroll/service.h"
#include "mesh/link_bluez.h"
#include "mesh/link_socket.h"
#include "mesh/mesh.h"
#include "mesh/timer_event.h"
#include "net/coap.h"
#include "store/store.h"

#define TICK_S 60       /* service_tick when nothing is due */
#define PATH_BYTES 4096 /* as the kernel counts it */

/* Says what is wrong and names the exit status; reads well in `return fail(...)`. */
static __attribute__((format(printf, 2, 3))) int fail(int status, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_err("%s", text);
	return status;
}

/* A status for what the store or the service refused at start: our own fault, the disk's, or the
 * operator's. */
static int status_of(enum err e)
{
	if (e == ERR_NOMEM || e == ERR_CRYPTO)
		return EX_SOFTWARE;
	return e == ERR_IO || e == ERR_FULL || e == ERR_BUSY ? EX_IOERR : EX_CONFIG;
}

/* Secrets live in this process: no core file, no ptrace by others. */
static void harden(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* --- the foundation: key, database, rules ------------------------------------------------- */

static int open_key(struct daemon *d)
{
	struct seal_source source;
	struct seal_reason why = {""};
	enum err e = seal_source_find(getenv("CREDENTIALS_DIRECTORY"), d->conf->key_file, &source);

	if (e == ERR_OK)
		e = seal_load(d->crypto, &source, &d->seal, &why);
	if (e == ERR_NOT_FOUND)
		return fail(EX_CONFIG, "%s: no key there; `enrolld --init` makes one", source.path);
	if (e)
		return fail(EX_CONFIG, "%s", why.text[0] ? why.text : err_text(e));
	return EX_OK;
}

static int open_store(struct daemon *d, bool create)
{
	struct reason why = {NULL, ""};
	const struct store_config config = {
		.path = d->conf->database,
		.create = create,
		.crypto = d->crypto,
		.seal = d->seal,
	};
	enum err e = store_open(&config, &d->store, &why);

	if (e == ERR_NOT_FOUND)
		return fail(EX_CONFIG, "%s: no database there; `enrolld --init` makes one",
			d->conf->database);
	if (e)
		return fail(status_of(e), "%s", why.text[0] ? why.text : err_text(e));
	return EX_OK;
}

static int read_welcome(struct daemon *d)
{
	const char *path = d->conf->welcome_file;
	FILE *f;

	if (!*path)
		return EX_OK;
	f = fopen(path, "re");
	if (!f)
		return fail(EX_CONFIG, "welcome_file %s: %s", path, strerror(errno));
	d->welcome_bytes = fread(d->welcome, 1, sizeof(d->welcome), f);
	(void)fclose(f);
	if (d->welcome_bytes > ENROLLMSG_WELCOME_MAX)
		return fail(EX_CONFIG, "welcome_file %s: more than %d bytes", path,
			ENROLLMSG_WELCOME_MAX);
	return EX_OK;
}

static int open_service(struct daemon *d)
{
	struct reason why = {NULL, ""};
	struct clock_now now;
	char host[256] = "";
	struct service_config config = {
		.addr_host = d->conf->coap_host,
		.addr_port = (uint16_t)d->conf->coap_port,
		.bundle_lifetime_s = d->conf->bundle_lifetime_s,
		.pending_lifetime_s = d->conf->pending_lifetime_s,
		.spk_lifetime_s = d->conf->signed_prekey_lifetime_s,
		.quota = d->conf->bundle_quota,
		.welcome = {d->welcome, d->welcome_bytes},
	};
	enum err e;

	if (!*config.addr_host && gethostname(host, sizeof(host) - 1) == 0)
		config.addr_host = host;
	e = clock_read(&now);
	if (e == ERR_OK)
		e = service_new(d->store, d->crypto, &config, &now, &d->service, &why);
	if (e)
		return fail(status_of(e), "service: %s%s%s", why.field ? why.field : "",
			why.field ? ": " : "", why.text[0] ? why.text : err_text(e));
	return EX_OK;
}

/* What --init and a run have in common. */
static int open_foundation(struct daemon *d, const struct conf *conf, bool create)
{
	int status;

	memset(d, 0, sizeof(*d));
	d->conf = conf;
	harden();
	d->crypto = crypto_default();
	if (!d->crypto || !aes128_default())
		return fail(EX_SOFTWARE, "the crypto libraries cannot be used");
	status = read_welcome(d);
	if (status == EX_OK)
		status = open_key(d);
	if (status == EX_OK)
		status = open_store(d, create);
	return status == EX_OK ? open_service(d) : status;
}

/* --- the upper floors ------------------------------------------------------------------------ */

static int start_loop(struct daemon *d)
{
	d->base = event_base_new();
	if (!d->base || event_base_priority_init(d->base, BATCH_PRIORITIES) != 0)
		return fail(EX_SOFTWARE, "no event loop");
	if (batch_new(d->store, d->base, NULL, &d->batch) != ERR_OK ||
		batch_on_end(d->batch, service_committed, d->service) != ERR_OK)
		return fail(EX_SOFTWARE, "out of memory");
	service_on_event(d->service, wire_service_event, d);
	return EX_OK;
}

/* Only a run needs many keys. */
static int start_keypool(struct daemon *d)
{
	enum err e = keypool_new(d->crypto, &d->keys);

	if (e)
		return fail(EX_SOFTWARE, "no thread to make keys: %s", err_text(e));
	service_use_keypool(d->service, d->keys);
	return EX_OK;
}

static enum err new_link(struct daemon *d, struct link *out)
{
	const struct conf *c = d->conf;
	struct timers *ts = timer_event_timers(d->timers);
	const struct link_bluez_conf bluez = {
		.bus_address = strcmp(c->bus, "system") == 0 ? NULL : c->bus,
		.adapter = *c->adapter ? c->adapter : NULL,
	};

	if (c->link == CONF_LINK_SOCKET)
		return link_socket_new(
			d->base, ts, c->link_socket, mesh_link_events(), d->mesh, out);
	return link_bluez_new(d->base, ts, &bluez, mesh_link_events(), d->mesh, out);
}

static int start_mesh(struct daemon *d)
{
	static const struct mesh_events events = {.adapter = wire_adapter, .time = wire_time};
	struct link link;
	struct runner_config config = {
		.store = d->store,
		.batch = d->batch,
		.on_event = wire_node_event,
		.ctx = d,
	};
	struct meshops_config questions = {.store = d->store, .batch = d->batch};

	d->nodes = nodes_new(d->store, d->crypto);
	if (!d->nodes || timer_event_new(d->base, &d->timers) != ERR_OK)
		return fail(EX_SOFTWARE, "out of memory");
	nodes_set_lifetime(d->nodes, d->conf->node_lifetime_s);
	if (d->conf->link == CONF_LINK_NONE)
		return EX_OK;
	if (mesh_new(timer_event_timers(d->timers), d->crypto, aes128_default(), &events, d,
		    &d->mesh) != ERR_OK)
		return fail(EX_SOFTWARE, "out of memory");
	if (new_link(d, &link) != ERR_OK)
		return fail(
			EX_CONFIG, "the mesh link cannot be made; see [mesh] in enrolld.conf(5)");
	mesh_attach(d->mesh, link);
	config.mesh = d->mesh;
	config.timers = timer_event_timers(d->timers);
	config.nodes = d->nodes;
	if (runner_new(&config, &d->runner) != ERR_OK || runner_start(d->runner) != ERR_OK)
		return fail(EX_IOERR, "the jobs cannot be read from the database");
	questions.runner = d->runner;
	questions.timers = config.timers;
	d->meshops = meshops_new(&questions);
	return d->meshops ? EX_OK : fail(EX_SOFTWARE, "out of memory");
}

/* "a:1 b:2" as an array of strings; text is cut in place. */
static size_t split(char *text, const char **out, size_t max)
{
	char *save = NULL;
	size_t n = 0;

	for (char *p = strtok_r(text, " ", &save); p && n < max; p = strtok_r(NULL, " ", &save))
		out[n++] = p;
	return n;
}

static int start_coap(struct daemon *d)
{
	char text[CONF_TEXT_MAX];
	const char *listen[COAP_LISTEN_MAX + 1]; /* one more than there may be is told */
	const struct coap_handler handler = {.on_request = listener_on_coap, .arg = d->listener};
	struct coap_config config = {.listen = listen};

	(void)snprintf(text, sizeof(text), "%s", d->conf->coap_listen);
	config.listen_count = split(text, listen, COAP_LISTEN_MAX + 1);
	if (config.listen_count == 0)
		return EX_OK;
	if (config.listen_count > COAP_LISTEN_MAX)
		return fail(EX_CONFIG, "more than %d addresses to listen on", COAP_LISTEN_MAX);
	if (coap_edge_new(d->base, &config, &handler, &d->coap) != ERR_OK)
		return fail(EX_UNAVAILABLE, "cannot listen for CoAP on '%s'", d->conf->coap_listen);
	return EX_OK;
}

static int start_listener(struct daemon *d)
{
	uint8_t seed[16];

	if (d->crypto->random(d->crypto->ctx, seed, sizeof(seed)) != ERR_OK ||
		listener_new(d->service, d->batch, NULL, seed, &d->listener) != ERR_OK)
		return fail(EX_SOFTWARE, "the listener cannot be made");
	return start_coap(d);
}

static int start_control(struct daemon *d)
{
	const struct control_config config = {
		.base = d->base,
		.path = d->conf->control_socket,
		.listen_fd = notify_listen_fd(),
		.version = VERSION,
		.connections_per_uid_max = d->conf->connections_per_uid,
		.batch = d->batch,
		.service = d->service,
		.nodes = d->nodes,
		.meshops = d->meshops,
		.ping = wire_ping,
		.ping_arg = d,
		.status = wire_status,
		.status_arg = d,
	};
	enum err e = control_new(&config, &d->control);

	if (e == ERR_CONFLICT)
		return fail(EX_CANTCREAT, "%s: another enrolld answers there", config.path);
	return e ? fail(EX_CANTCREAT, "%s: cannot listen there", config.path) : EX_OK;
}

static struct event *add_timer(struct daemon *d, short flags, event_callback_fn fn, uint32_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	struct event *ev = event_new(d->base, -1, flags, fn, d);

	if (ev && event_add(ev, &tv) == 0)
		return ev;
	if (ev)
		event_free(ev);
	return NULL;
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	log_info("stopping signal=%d", (int)sig);
	notify_try("STOPPING=1");
	(void)event_base_loopexit(d->base, NULL);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	bool again = wire_tick(d);
	const struct timeval next = {.tv_sec = again ? 0 : TICK_S, .tv_usec = again ? 10000 : 0};

	(void)fd;
	(void)what;
	(void)event_add(d->tick, &next);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	notify_try("WATCHDOG=1");
}

static int start_events(struct daemon *d)
{
	static const int signals[DAEMON_SIGNALS] = {SIGTERM, SIGINT};
	uint32_t watchdog_ms = notify_watchdog_ms();

	for (size_t i = 0; i < DAEMON_SIGNALS; i++) {
		d->signals[i] = evsignal_new(d->base, signals[i], on_signal, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL) != 0)
			return fail(EX_OSERR, "signals cannot be caught");
	}
	d->tick = add_timer(d, 0, on_tick, 1);
	if (watchdog_ms > 0)
		d->watchdog = add_timer(d, EV_PERSIST, on_watchdog, watchdog_ms);
	return d->tick && (watchdog_ms == 0 || d->watchdog) ? EX_OK : EX_OSERR;
}

/* The plan of the house. Each line may use what the lines above it made. */
static int daemon_start(struct daemon *d, const struct conf *conf)
{
	int status = open_foundation(d, conf, false);

	if (status == EX_OK)
		status = start_loop(d); /* service events -> control_push, after each commit */
	if (status == EX_OK)
		status = start_keypool(d); /* one-time prekeys, made by a thread of their own */
	if (status == EX_OK)
		status =
			start_mesh(d); /* adverts, messages, lost links -> runner -> control_push */
	if (status == EX_OK)
		status = start_listener(d); /* CoAP requests -> listener */
	if (status == EX_OK)
		status = start_control(d); /* control requests -> commands */
	if (status == EX_OK)
		status = start_events(d); /* time -> service_tick, watchdog; signals -> the end */
	return status;
}

static void daemon_stop(struct daemon *d)
{
	struct event *events[] = {d->signals[0], d->signals[1], d->tick, d->watchdog};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	batch_free(d->batch); /* commits and answers while the edges still stand */
	control_free(d->control);
	coap_edge_free(d->coap);
	listener_free(d->listener);
	meshops_free(d->meshops);
	runner_free(d->runner);
	mesh_free(d->mesh);
	nodes_free(d->nodes);
	timer_event_free(d->timers);
	service_free(d->service);
	keypool_free(d->keys);
	store_close(d->store);
	seal_free(d->seal);
	if (d->base)
		event_base_free(d->base);
}

int daemon_run(const struct conf *conf)
{
	struct daemon d;
	struct clock_now now = {0};
	int status = daemon_start(&d, conf);

	if (status == EX_OK && clock_read(&now) == ERR_OK)
		d.started_at = now.wall_s;
	if (status == EX_OK) {
		log_info("ready version=%s control=%s coap=%s", VERSION, conf->control_socket,
			d.coap ? conf->coap_listen : "off");
		notify_send("READY=1\nSTATUS=enrolling");
		if (event_base_dispatch(d.base) < 0)
			status = fail(EX_OSERR, "the event loop failed");
	}
	daemon_stop(&d);
	return status;
}

/* --- enrolld --init ----------------------------------------------------------------------------
 */

static void make_folder_of(const char *path)
{
	char dir[PATH_BYTES];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		log_warn("%s: %s", dir, strerror(errno));
}

/* The credential, when there is one, is the key: none is made beside it. */
static int make_key(const struct conf *conf, bool if_needed)
{
	struct seal_source source;
	struct seal_reason why = {""};
	enum err e = seal_source_find(getenv("CREDENTIALS_DIRECTORY"), conf->key_file, &source);

	if (e)
		return fail(EX_CONFIG, "key_file: %s", err_text(e));
	if (source.is_credential)
		return EX_OK;
	make_folder_of(source.path);
	e = seal_key_create(crypto_default(), source.path, &why);
	if (e == ERR_OK || (e == ERR_CONFLICT && if_needed))
		return EX_OK;
	return fail(EX_CANTCREAT, "%s", why.text[0] ? why.text : err_text(e));
}

int daemon_init(const struct conf *conf, bool if_needed)
{
	struct daemon d;
	int status;

	if (!if_needed && access(conf->database, F_OK) == 0)
		return fail(
			EX_CANTCREAT, "%s exists already (--if-needed keeps it)", conf->database);
	harden();
	if (!crypto_default())
		return fail(EX_SOFTWARE, "the crypto libraries cannot be used");
	status = make_key(conf, if_needed);
	if (status != EX_OK)
		return status;
	make_folder_of(conf->database);
	status = open_foundation(&d, conf, true);
	if (status == EX_OK)
		log_info(
			"initialized database=%s addr=%s", conf->database, service_addr(d.service));
	daemon_stop(&d);
	return status;
}
