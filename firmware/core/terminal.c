#include "terminal.h"

#include "enr/base64.h"
#include "enr/hex.h"
#include "enr/serial.h"
#include "node.h"

#define KEY_BYTES 16
#define KEY_HEX_CHARS (3 * KEY_BYTES - 1)
#define KEY_BASE64_CHARS 24 /* with its padding */
#define HEAD_ARGS 4         /* action, node, module, command */
#define BASIC_TIMEOUT_S 10
#define TIMEOUT_MASK 0x7F /* 7 bits on the wire; more wraps, as the reference has it */
#define NETWORK_MIN 2     /* 0 is none, 1 the enrollment network */
#define ACTION_SET_DISCOVERY 0

/* --- words ------------------------------------------------------------------------------------ */

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* Decimal digits only. */
static enum err parse_number(const char *text, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	if (*text == '\0')
		return ERR_INVALID;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return ERR_INVALID;
		v = v * 10 + (uint32_t)(*text - '0');
		if (v > max)
			return ERR_RANGE; /* max * 10 + 9 fits: 65535 at most */
	}
	*out = v;
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
	const uint8_t state = is(c->args->text[4], "idle") ? 0 : 1;
	uint8_t message[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(message, sizeof(message));

	return send(c, &w,
		meshmsg_encode_module(&w, MESHMSG_TYPE_TRIGGER, route_of(c, 0), MESHMSG_MODULE_NODE,
			ACTION_SET_DISCOVERY, (struct span){&state, 1}));
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
	{"node", "ping", 4, 5, node_ping},
	{"node", "set_enrolled_nodes", 5, 5, node_set_enrolled_nodes},
	{"node", "discovery", 5, 5, node_discovery},
};

static enum terminal_code run_action(struct node *n, const struct terminal_args *args)
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

static enum terminal_code run(struct node *n, const struct terminal_args *args)
{
	if (is(args->text[0], "action"))
		return run_action(n, args);
	if (is(args->text[0], "get_plugged_in")) {
		if (args->count > 1)
			return TERMINAL_TOO_MANY;
		terminal_print_plugged_in(n);
		return TERMINAL_OK;
	}
	return TERMINAL_NOT_FOUND;
}

/* Cuts line, which ends with NUL, in place. */
static enum terminal_code cut(char *line, struct terminal_args *args)
{
	args->count = 0;
	for (char *p = line;;) {
		char *space = strchr(p, ' ');

		if (args->count == TERMINAL_ARGS_MAX)
			return TERMINAL_TOO_MANY;
		args->text[args->count++] = p;
		if (!space)
			return TERMINAL_OK;
		*space = '\0';
		p = space + 1;
	}
}

void terminal_on_line(struct node *n, const char *line, size_t bytes)
{
	char copy[TERMINAL_LINE_MAX + 1];
	struct terminal_args args = {.count = 0};
	enum terminal_code code = TERMINAL_WRONG_ARGUMENTS;

	if (bytes <= TERMINAL_LINE_MAX && !memchr(line, '\0', bytes)) {
		memcpy(copy, line, bytes);
		copy[bytes] = '\0';
		code = cut(copy, &args);
		if (code == TERMINAL_OK)
			code = run(n, &args);
	}
	terminal_print_code(n, code, &args);
	bytes_wipe(copy, sizeof(copy)); /* there may be keys in it */
}
