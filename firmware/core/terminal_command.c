/* The terminal's commands (mesh-protocol §6.2, §6.3): words in, messages out. */
#include "enr/base64.h"
#include "enr/hex.h"
#include "enr/meshadv.h"
#include "enr/serial.h"
#include "node.h"
#include "terminal.h"

#define KEY_BYTES 16
#define KEY_HEX_CHARS (3 * KEY_BYTES - 1)
#define KEY_BASE64_CHARS 24 /* with its padding */
#define HEAD_ARGS 4         /* action, node, module, command */
#define BASIC_TIMEOUT_S 10
#define TIMEOUT_MASK 0x7F /* 7 bits on the wire; more wraps, as the reference has it */
#define NETWORK_MIN 2     /* 0 is none, 1 the enrollment network */
#define ADDRESS_HEX_BYTES 6
#define ADDRESS_HEX_CHARS (3 * ADDRESS_HEX_BYTES - 1)
#define ADDRESS_RANDOM_STATIC 1 /* what nodes have (§2.3) */
#define TUNNEL_MAX 2
#define CONNECTIONS_ALL 0xFFFFFFFFu

/* --- words ------------------------------------------------------------------------------------ */

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* Decimal digits only. */
static enum err parse_number(const char *text, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;

	if (*text == '\0')
		return ERR_INVALID;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return ERR_INVALID;
		v = v * 10 + (uint64_t)(*text - '0');
		if (v > max)
			return ERR_RANGE;
	}
	*out = (uint32_t)v;
	return ERR_OK;
}

static enum err parse_receiver(const struct node *n, const char *text, uint16_t *out)
{
	uint32_t v;
	enum err e;

	if (is(text, "this")) {
		*out = n->config.node_id;
		return ERR_OK;
	}
	if (is(text, "max_hops")) {
		*out = MESHMSG_HOPS_LAST;
		return ERR_OK;
	}
	e = parse_number(text, UINT16_MAX, &v);
	if (e == ERR_OK)
		*out = (uint16_t)v;
	return e;
}

static enum err parse_serial(const char *text, uint32_t *out)
{
	return serial_parse(text, strlen(text), out);
}

/* The alphabet of RFC 4648 §4; ours is that of §5, which differs in two letters. */
static enum err parse_base64(const char *text, uint8_t out[KEY_BYTES])
{
	char url[KEY_BASE64_CHARS - 2];
	enum err e;
	size_t n;

	for (size_t i = 0; i < sizeof(url); i++) {
		if (text[i] == '-' || text[i] == '_')
			return ERR_INVALID;
		url[i] = text[i];
		if (url[i] == '+')
			url[i] = '-';
		else if (url[i] == '/')
			url[i] = '_';
	}
	e = base64_parse(url, sizeof(url), out, KEY_BYTES, &n);
	bytes_wipe(url, sizeof(url));
	return e;
}

/* "AA:BB:…" with any one separator, or Base64 (§5.3). */
static enum err parse_key(const char *text, uint8_t out[KEY_BYTES])
{
	size_t chars = strlen(text);
	enum err e;

	if (chars >= 4 && text[2] != ':') {
		if (chars != KEY_BASE64_CHARS || !is(text + chars - 2, "=="))
			return ERR_INVALID;
		return parse_base64(text, out);
	}
	if (chars != KEY_HEX_CHARS)
		return ERR_INVALID;
	for (size_t i = 0; i < KEY_BYTES; i++) {
		e = hex_parse(text + 3 * i, 2, out + i, 1);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

/* As accessAddress shows it: the highest byte first. */
static enum err parse_address(const char *text, uint8_t out[MESHMSG_ADDRESS_BYTES])
{
	enum err e = strlen(text) == ADDRESS_HEX_CHARS ? ERR_OK : ERR_INVALID;

	out[0] = ADDRESS_RANDOM_STATIC;
	for (size_t i = 0; e == ERR_OK && i < ADDRESS_HEX_BYTES; i++) {
		e = hex_parse(text + 3 * i, 2, out + ADDRESS_HEX_BYTES - i, 1);
		if (i > 0 && text[3 * i - 1] != ':')
			e = ERR_INVALID;
	}
	return e;
}

/* --- sending ---------------------------------------------------------------------------------- */

struct command {
	struct node *n;
	const struct terminal_args *args;
	uint16_t receiver;
};

static struct meshmsg_route route_of(const struct command *c, uint8_t handle)
{
	return (struct meshmsg_route){c->n->config.node_id, c->receiver, handle};
}

static enum terminal_code send(const struct command *c, const struct wr *w, enum err encoded)
{
	if (encoded != ERR_OK)
		return TERMINAL_WRONG_ARGUMENTS;
	node_send_loopback(c->n, w->p, w->len_bytes);
	return TERMINAL_OK;
}

/* The optional argument at place i, or what is said without it. */
static enum err optional(
	const struct command *c, size_t i, uint32_t max, uint32_t without, uint32_t *out)
{
	if (i >= c->args->count) {
		*out = without;
		return ERR_OK;
	}
	return parse_number(c->args->text[i], max, out);
}

/* --- enroll ----------------------------------------------------------------------------------- */

struct basic {
	struct meshmsg_set_enrollment m;
	uint8_t keys[4][KEY_BYTES]; /* network, user base, organization, node */
	uint32_t handle;
};

static enum err parse_ids(const struct command *c, struct basic *b)
{
	uint32_t node_id, network_id;
	enum err e = parse_serial(c->args->text[4], &b->m.serial_index);

	if (e == ERR_OK)
		e = parse_number(c->args->text[5], UINT16_MAX, &node_id);
	if (e == ERR_OK)
		e = parse_number(c->args->text[6], UINT16_MAX, &network_id);
	if (e != ERR_OK)
		return e;
	b->m.node_id = (uint16_t)node_id;
	b->m.network_id = (uint16_t)network_id;
	return node_id == 0 || network_id < NETWORK_MIN ? ERR_RANGE : ERR_OK;
}

static enum err parse_keys(const struct command *c, struct basic *b)
{
	for (size_t i = 0; i < 4 && 7 + i < c->args->count; i++) {
		enum err e = parse_key(c->args->text[7 + i], b->keys[i]);

		if (e != ERR_OK)
			return e;
	}
	b->m.network_key = b->keys[0];
	b->m.user_base_key = b->keys[1];
	b->m.organization_key = b->keys[2];
	b->m.node_key = b->keys[3]; /* not given: zeros, the ZERO key (§6.2) */
	return ERR_OK;
}

static enum err parse_basic(const struct command *c, struct basic *b)
{
	uint32_t timeout_s, flag;
	enum err e = parse_ids(c, b);

	if (e == ERR_OK)
		e = parse_keys(c, b);
	if (e == ERR_OK)
		e = optional(c, 11, UINT8_MAX, BASIC_TIMEOUT_S, &timeout_s);
	if (e == ERR_OK)
		e = optional(c, 12, UINT8_MAX, 0, &flag);
	if (e == ERR_OK)
		e = optional(c, 13, UINT8_MAX, 0, &b->handle);
	if (e != ERR_OK)
		return e;
	b->m.timeout_s = timeout_s & TIMEOUT_MASK;
	b->m.only_if_unenrolled = flag != 0;
	return ERR_OK;
}

static enum terminal_code enroll_basic(const struct command *c)
{
	uint8_t message[MESHMSG_SET_ENROLLMENT_BYTES];
	struct wr w = wr_init(message, sizeof(message));
	enum terminal_code code = TERMINAL_WRONG_ARGUMENTS;
	struct basic b = {.handle = 0};

	if (parse_basic(c, &b) == ERR_OK)
		code = send(c, &w,
			meshmsg_encode_set_enrollment(&w, route_of(c, (uint8_t)b.handle), &b.m));
	bytes_wipe(&b, sizeof(b));
	bytes_wipe(message, sizeof(message));
	return code;
}

static enum terminal_code enroll_remove(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));
	uint32_t serial_index, handle;

	if (parse_serial(c->args->text[4], &serial_index) != ERR_OK ||
		optional(c, 5, UINT8_MAX, 0, &handle) != ERR_OK)
		return TERMINAL_WRONG_ARGUMENTS;
	return send(c, &w,
		meshmsg_encode_remove_enrollment(&w, route_of(c, (uint8_t)handle), serial_index));
}

static enum terminal_code enroll_set_network(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));
	uint32_t network_id, handle;

	if (parse_number(c->args->text[4], UINT16_MAX, &network_id) != ERR_OK ||
		optional(c, 5, UINT8_MAX, 0, &handle) != ERR_OK)
		return TERMINAL_WRONG_ARGUMENTS;
	return send(c, &w,
		meshmsg_encode_set_network(&w, route_of(c, (uint8_t)handle), (uint16_t)network_id));
}

static enum terminal_code enroll_request_proposals(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));
	struct meshmsg_serials serials = {.count = 0};

	for (size_t i = HEAD_ARGS; i < c->args->count; i++)
		if (parse_serial(c->args->text[i], &serials.index[serials.count++]) != ERR_OK)
			return TERMINAL_WRONG_ARGUMENTS;
	return send(c, &w, meshmsg_encode_request_proposals(&w, route_of(c, 0), &serials));
}

/* --- status, node ----------------------------------------------------------------------------- */

static enum terminal_code send_plain(
	const struct command *c, enum meshmsg_kind kind, uint8_t handle)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));

	return send(c, &w, meshmsg_encode_plain(&w, route_of(c, handle), kind));
}

static enum terminal_code status_device_info(const struct command *c)
{
	return send_plain(c, MESHMSG_GET_DEVICE_INFO, 0);
}

static enum terminal_code status_status(const struct command *c)
{
	return send_plain(c, MESHMSG_GET_STATUS, 0);
}

static enum terminal_code node_ping(const struct command *c)
{
	uint32_t handle;

	if (optional(c, 4, UINT8_MAX, 0, &handle) != ERR_OK)
		return TERMINAL_WRONG_ARGUMENTS;
	return send_plain(c, MESHMSG_PING, (uint8_t)handle);
}

static enum terminal_code node_set_enrolled_nodes(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));
	uint32_t count;

	if (parse_number(c->args->text[4], UINT16_MAX, &count) != ERR_OK)
		return TERMINAL_WRONG_ARGUMENTS;
	return send(c, &w,
		meshmsg_encode_enrolled_nodes(
			&w, route_of(c, 0), MESHMSG_SET_ENROLLED_NODES, (uint16_t)count));
}

/* Anything but "idle" is on (§6.3). */
static enum terminal_code node_discovery(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));
	bool is_high = !is(c->args->text[4], "idle");

	return send(c, &w, meshmsg_encode_set_discovery(&w, route_of(c, 0), is_high));
}

static enum terminal_code node_reset(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));
	uint32_t seconds;

	if (parse_number(c->args->text[4], UINT8_MAX, &seconds) != ERR_OK)
		return TERMINAL_WRONG_ARGUMENTS;
	return send(c, &w, meshmsg_encode_reset_node(&w, route_of(c, 0), (uint8_t)seconds));
}

static enum terminal_code node_gettime(const struct command *c)
{
	return send_plain(c, MESHMSG_GET_TIME, 0);
}

static enum terminal_code status_connections(const struct command *c)
{
	return send_plain(c, MESHMSG_GET_CONNECTIONS, 0);
}

static enum terminal_code status_nearby(const struct command *c)
{
	return send_plain(c, MESHMSG_GET_NEARBY, 0);
}

static enum terminal_code status_reboot_reason(const struct command *c)
{
	return send_plain(c, MESHMSG_GET_REBOOT_REASON, 0);
}

static enum terminal_code status_connections_verbose(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));
	uint32_t index;

	if (parse_number(c->args->text[4], CONNECTIONS_ALL, &index) != ERR_OK)
		return TERMINAL_WRONG_ARGUMENTS;
	return send(c, &w, meshmsg_encode_connections_verbose(&w, route_of(c, 0), index));
}

static enum terminal_code status_live_reports(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));
	uint32_t level;

	if (parse_number(c->args->text[4], UINT8_MAX, &level) != ERR_OK)
		return TERMINAL_WRONG_ARGUMENTS;
	return send(c, &w, meshmsg_encode_live_reports(&w, route_of(c, 0), (uint8_t)level));
}

/* Only a sink says that it is one (§8.6). */
static enum terminal_code status_keep_alive(const struct command *c)
{
	bool is_sink = c->n->features->device_type == MESHADV_DEVICE_SINK;
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));

	return send(c, &w, meshmsg_encode_keep_alive(&w, route_of(c, 0), is_sink));
}

/* --- MeshAccess ------------------------------------------------------------------------------- */

struct connect {
	uint8_t address[MESHMSG_ADDRESS_BYTES];
	uint8_t key[KEY_BYTES];
	uint32_t key_id, tunnel, handle;
};

/* ma connect ADDRESS {keyId=1} {key=FF…} {tunnel=0} {handle} */
static enum err parse_connect(const struct command *c, struct connect *out)
{
	enum err e = parse_address(c->args->text[4], out->address);

	memset(out->key, 0xFF, sizeof(out->key));
	if (e == ERR_OK)
		e = optional(c, 5, UINT32_MAX, MESHSEC_KEY_NODE, &out->key_id);
	if (e == ERR_OK && c->args->count > 6)
		e = parse_key(c->args->text[6], out->key);
	if (e == ERR_OK)
		e = optional(c, 7, TUNNEL_MAX, MESHSEC_TUNNEL_PEER, &out->tunnel);
	if (e == ERR_OK)
		e = optional(c, 8, UINT8_MAX, 0, &out->handle);
	return e;
}

static enum terminal_code ma_connect(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));
	enum terminal_code code = TERMINAL_WRONG_ARGUMENTS;
	struct connect said = {.handle = 0};
	const struct meshmsg_ma_connect *m;

	if (parse_connect(c, &said) == ERR_OK) {
		m = &(struct meshmsg_ma_connect){
			said.address, said.key_id, said.key, (uint8_t)said.tunnel};
		code = send(
			c, &w, meshmsg_encode_ma_connect(&w, route_of(c, (uint8_t)said.handle), m));
	}
	bytes_wipe(&said, sizeof(said));
	bytes_wipe(message, sizeof(message));
	return code;
}

static enum terminal_code ma_disconnect(const struct command *c)
{
	uint8_t message[MESHMSG_BYTES_MAX], address[MESHMSG_ADDRESS_BYTES];
	struct wr w = wr_init(message, sizeof(message));

	if (parse_address(c->args->text[4], address) != ERR_OK)
		return TERMINAL_WRONG_ARGUMENTS;
	return send(c, &w, meshmsg_encode_ma_disconnect(&w, route_of(c, 0), address));
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct row {
	const char *module, *command;
	uint8_t args_min, args_max; /* all of them, "action" included */
	enum terminal_code (*run)(const struct command *c);
} rows[] = {
	{"enroll", "basic", 7, 14, enroll_basic},
	{"enroll", "remove", 5, 6, enroll_remove},
	{"enroll", "set_network", 5, 6, enroll_set_network},
	{"enroll", "request_proposals", 5, HEAD_ARGS + MESHMSG_PROPOSALS_MAX,
		enroll_request_proposals},
	{"status", "get_device_info", 4, 4, status_device_info},
	{"status", "get_status", 4, 4, status_status},
	{"status", "get_connections", 4, 4, status_connections},
	{"status", "get_connections_verbose", 5, 5, status_connections_verbose},
	{"status", "get_nearby", 4, 4, status_nearby},
	{"status", "get_rebootreason", 4, 4, status_reboot_reason},
	{"status", "livereports", 5, 5, status_live_reports},
	{"status", "keep_alive", 4, 4, status_keep_alive},
	{"node", "ping", 4, 5, node_ping},
	{"node", "reset", 5, 5, node_reset},
	{"node", "gettime", 4, 4, node_gettime},
	{"node", "set_enrolled_nodes", 5, 5, node_set_enrolled_nodes},
	{"node", "discovery", 5, 5, node_discovery},
	{"ma", "connect", 5, 9, ma_connect},
	{"ma", "disconnect", 5, 5, ma_disconnect},
};

enum terminal_code terminal_run_action(struct node *n, const struct terminal_args *args)
{
	struct command c = {.n = n, .args = args};

	if (args->count < HEAD_ARGS)
		return TERMINAL_TOO_FEW;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		if (!is(r->module, args->text[2]) || !is(r->command, args->text[3]))
			continue;
		if (args->count < r->args_min)
			return TERMINAL_TOO_FEW;
		if (args->count > r->args_max)
			return TERMINAL_TOO_MANY;
		if (parse_receiver(n, args->text[1], &c.receiver) != ERR_OK)
			return TERMINAL_WRONG_ARGUMENTS;
		return r->run(&c);
	}
	return TERMINAL_NOT_FOUND;
}
