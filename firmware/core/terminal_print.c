/* The terminal's JSON lines, exactly as mesh-protocol §6.4 and §6.5 have them; no printf. */
#include "enr/serial.h"
#include "node.h"
#include "terminal.h"

#define DECIMAL_MAX 10 /* digits of a u32 */

/* A line that grows; what does not fit makes it unprintable. */
struct line {
	char b[PORT_LINE_MAX_BYTES];
	size_t n;
	bool is_full;
};

static void put_char(struct line *l, char c)
{
	if (l->n == sizeof(l->b))
		l->is_full = true;
	else
		l->b[l->n++] = c;
}

static void put(struct line *l, const char *text)
{
	while (*text != '\0')
		put_char(l, *text++);
}

static void put_u(struct line *l, uint32_t v)
{
	char digits[DECIMAL_MAX];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	while (n > 0)
		put_char(l, digits[--n]);
}

static void put_d(struct line *l, int32_t v)
{
	if (v < 0)
		put_char(l, '-');
	put_u(l, v < 0 ? 0u - (uint32_t)v : (uint32_t)v);
}

/* ,"name": */
static void put_name(struct line *l, const char *name)
{
	put(l, ",\"");
	put(l, name);
	put(l, "\":");
}

static void put_field_u(struct line *l, const char *name, uint32_t v)
{
	put_name(l, name);
	put_u(l, v);
}

static void put_field_d(struct line *l, const char *name, int32_t v)
{
	put_name(l, name);
	put_d(l, v);
}

static void put_serial(struct line *l, uint32_t index)
{
	char text[SERIAL_TEXT_SIZE];

	serial_print(index, text);
	put_char(l, '"');
	put(l, text);
	put_char(l, '"');
}

static void put_field_serial(struct line *l, const char *name, uint32_t index)
{
	put_name(l, name);
	put_serial(l, index);
}

static void put_hex_byte(struct line *l, uint8_t b)
{
	put_char(l, "0123456789ABCDEF"[b >> 4]);
	put_char(l, "0123456789ABCDEF"[b & 15]);
}

/* {"nodeId":N,"type":"T" */
static void open_line(struct line *l, uint16_t node_id, const char *type)
{
	l->n = 0;
	l->is_full = false;
	put(l, "{\"nodeId\":");
	put_u(l, node_id);
	put(l, ",\"type\":\"");
	put(l, type);
	put_char(l, '"');
}

/* {"type":"T","nodeId":N,"module":0: the NODE module's order */
static void open_node_line(struct line *l, const char *type, uint16_t node_id)
{
	l->n = 0;
	l->is_full = false;
	put(l, "{\"type\":\"");
	put(l, type);
	put_char(l, '"');
	put_field_u(l, "nodeId", node_id);
	put_field_u(l, "module", 0);
}

static void print(struct node *n, struct line *l)
{
	put_char(l, '}');
	if (!l->is_full)
		n->port->uart_line(n->port->ctx, l->b, l->n);
}

static void print_text(struct node *n, const char *text)
{
	n->port->uart_line(n->port->ctx, text, strlen(text));
}

/* --- lines of this node ----------------------------------------------------------------------- */

void terminal_print_boot(struct node *n)
{
	struct line l = {.n = 0};

	print_text(n, "{\"type\":\"init\"}");
	put(&l, "{\"type\":\"reboot\"");
	put_field_u(&l, "reason", (uint32_t)n->chip.last_reboot);
	put_field_u(&l, "code1", 0);
	put_field_u(&l, "stack", 0);
	put_field_u(&l, "version", NODE_VERSION);
	put_field_u(&l, "blversion", 0);
	put_field_u(&l, "uptime", 0);
	print(n, &l);
}

void terminal_print_plugged_in(struct node *n)
{
	struct line l = {.n = 0};

	put(&l, "{\"type\":\"plugged_in\"");
	put_field_u(&l, "nodeId", n->config.node_id);
	put_field_serial(&l, "serialNumber", n->id.serial_index);
	put_field_u(&l, "fmVersion", NODE_VERSION);
	print(n, &l);
}

/* What was typed is shown again, but never so that it could end the string it stands in. */
static void put_typed(struct line *l, const char *text)
{
	for (; *text != '\0'; text++)
		put_char(l,
			*text < ' ' || *text > '~' || *text == '"' || *text == '\\' ? '?' : *text);
}

static const char *code_text(enum terminal_code code)
{
	switch (code) {
	case TERMINAL_OK:
		return "OK";
	case TERMINAL_NOT_FOUND:
		return "Command not found:";
	case TERMINAL_WRONG_ARGUMENTS:
		return "Wrong Arguments";
	case TERMINAL_TOO_MANY:
		return "Too many arguments";
	case TERMINAL_TOO_FEW:
		return "Too few arguments";
	case TERMINAL_INTERNAL_ERROR:
		return "internal error";
	}
	return "internal error";
}

void terminal_print_code(struct node *n, enum terminal_code code, const struct terminal_args *args)
{
	struct line l = {.n = 0};

	put(&l, "{\"type\":\"error\"");
	put_field_u(&l, "code", code);
	put(&l, ",\"text\":\"");
	put(&l, code_text(code));
	for (size_t i = 0; code == TERMINAL_NOT_FOUND && i < args->count; i++) {
		put_char(&l, ' ');
		put_typed(&l, args->text[i]);
	}
	put_char(&l, '"');
	print(n, &l);
}

/* --- lines of messages ------------------------------------------------------------------------ */

static void print_enroll_response(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_enroll_response r;
	struct line l;

	if (meshmsg_decode_enroll_response(m, &r) != ERR_OK)
		return;
	open_line(&l, m->sender,
		r.is_removal ? "remove_enroll_response_serial" : "enroll_response_serial");
	put_field_u(&l, "module", 5);
	put_field_u(&l, "requestId", m->request_handle);
	put_field_serial(&l, "serialNumber", r.serial_index);
	put_field_u(&l, "code", r.code);
	print(n, &l);
}

static void print_proposal(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_serials s;
	struct line l;

	if (meshmsg_decode_proposal(m, &s) != ERR_OK)
		return;
	open_line(&l, m->sender, "enroll_proposal");
	put_field_u(&l, "module", 5);
	put(&l, ",\"proposals\":[");
	for (size_t i = 0; i < ENROLL_SEEN_MAX; i++) {
		if (i > 0)
			put_char(&l, ',');
		put_u(&l, i < s.count ? s.index[i] : 0);
	}
	put_char(&l, ']');
	print(n, &l);
}

static void print_set_network_response(struct node *n, const struct meshmsg *m)
{
	struct line l;
	uint8_t code;

	if (meshmsg_decode_set_network_response(m, &code) != ERR_OK)
		return;
	open_line(&l, m->sender, "set_network_response");
	put_field_u(&l, "code", code);
	put_field_u(&l, "module", 5);
	put_field_u(&l, "requestHandle", m->request_handle);
	print(n, &l);
}

static void print_request_proposals(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_serials s;
	struct line l;

	if (meshmsg_decode_request_proposals(m, &s) != ERR_OK)
		return;
	open_line(&l, m->sender, "request_proposals");
	put(&l, ",\"serialNumbers\":[");
	for (size_t i = 0; i < s.count; i++) {
		if (i > 0)
			put(&l, ", ");
		put_serial(&l, s.index[i]);
	}
	put(&l, "], \"module\":5");
	put_field_u(&l, "requestHandle", m->request_handle);
	print(n, &l);
}

static void print_proposals_response(struct node *n, const struct meshmsg *m)
{
	uint32_t serial_index;
	struct line l;

	if (meshmsg_decode_proposals_response(m, &serial_index) != ERR_OK)
		return;
	open_line(&l, m->sender, "request_proposals_response");
	put_field_serial(&l, "serialNumber", serial_index);
	put_field_u(&l, "module", 5);
	put_field_u(&l, "requestHandle", m->request_handle);
	print(n, &l);
}

static void print_ping(struct node *n, const struct meshmsg *m)
{
	struct line l;

	open_node_line(&l, "ping", m->sender);
	put_field_u(&l, "requestHandle", m->request_handle);
	print(n, &l);
}

static void print_enrolled_nodes(struct node *n, const struct meshmsg *m)
{
	struct line l;
	uint16_t count;

	if (meshmsg_decode_enrolled_nodes(m, &count) != ERR_OK)
		return;
	open_node_line(&l, "set_enrolled_nodes", m->sender);
	put_field_u(&l, "enrolled_nodes", count);
	print(n, &l);
}

static void put_address(struct line *l, const struct meshmsg_device_info *info)
{
	put_name(l, "chipId");
	put_char(l, '"');
	for (size_t i = 0; i < sizeof(info->chip_id); i++) {
		if (i > 0)
			put_char(l, ':');
		put_hex_byte(l, info->chip_id[i]);
	}
	put_char(l, '"');
}

static void put_access_address(struct line *l, const struct meshmsg_device_info *info)
{
	put_name(l, "accessAddress");
	put_char(l, '"');
	for (size_t i = sizeof(info->address); i > 0; i--) {
		put_hex_byte(l, info->address[i - 1]);
		put_char(l, i > 1 ? ':' : '"');
	}
}

static void print_device_info(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_device_info info;
	struct line l;

	if (meshmsg_decode_device_info(m, &info) != ERR_OK)
		return;
	open_line(&l, m->sender, "device_info");
	put_field_u(&l, "module", 3);
	put_field_d(&l, "dBmRX", info.dbm_rx);
	put_field_d(&l, "dBmTX", info.dbm_tx);
	put_field_d(&l, "calibratedTX", info.calibrated_tx);
	put_field_u(&l, "deviceType", info.device_type);
	put_field_u(&l, "manufacturerId", info.manufacturer);
	put_field_u(&l, "networkId", info.network_id);
	put_field_u(&l, "nodeVersion", info.node_version);
	put_address(&l, &info);
	put_field_serial(&l, "serialNumber", info.serial_index);
	put_access_address(&l, &info);
	put_name(&l, "groupIds");
	put_char(&l, '[');
	put_u(&l, info.chip_group);
	put_char(&l, ',');
	put_u(&l, info.featureset_group);
	put_char(&l, ']');
	put_field_u(&l, "blVersion", info.bootloader_version);
	print(n, &l);
}

static void print_status(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_status s;
	struct line l;

	if (meshmsg_decode_status(m, &s) != ERR_OK)
		return;
	open_line(&l, m->sender, "status");
	put_field_u(&l, "module", 3);
	put_field_u(&l, "batteryInfo", s.battery_dv);
	put_field_u(&l, "clusterSize", (uint32_t)s.cluster_size);
	put_field_u(&l, "connectionLossCounter", s.connection_loss_count);
	put_field_u(&l, "freeIn", s.free_in);
	put_field_u(&l, "freeOut", s.free_out);
	put_field_u(&l, "inConnectionPartner", s.in_connection_partner);
	put_field_d(&l, "inConnectionRSSI", s.in_connection_rssi_dbm);
	put(&l, ", \"initialized\":");
	put_u(&l, s.is_initialized ? 1 : 0);
	print(n, &l);
}

/* SET_DISCOVERY's response is no kind of the codec: we do not answer it ourselves. */
static void print_other(struct node *n, const struct meshmsg *m)
{
	struct line l;

	if (m->type != MESHMSG_TYPE_RESPONSE || m->module != MESHMSG_MODULE_NODE || m->action != 0)
		return;
	open_node_line(&l, "set_discovery_result", m->sender);
	print(n, &l);
}

void terminal_print_message(struct node *n, const struct meshmsg *m)
{
	static const struct {
		enum meshmsg_kind kind;
		void (*print)(struct node *n, const struct meshmsg *m);
	} lines[] = {
		{MESHMSG_ENROLLMENT_RESPONSE, print_enroll_response},
		{MESHMSG_REMOVE_ENROLLMENT_RESPONSE, print_enroll_response},
		{MESHMSG_ENROLLMENT_PROPOSAL, print_proposal},
		{MESHMSG_SET_NETWORK_RESPONSE, print_set_network_response},
		{MESHMSG_REQUEST_PROPOSALS, print_request_proposals},
		{MESHMSG_PROPOSALS_RESPONSE, print_proposals_response},
		{MESHMSG_PING_RESPONSE, print_ping},
		{MESHMSG_ENROLLED_NODES, print_enrolled_nodes},
		{MESHMSG_DEVICE_INFO, print_device_info},
		{MESHMSG_STATUS, print_status},
		{MESHMSG_UNKNOWN, print_other},
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (lines[i].kind == m->kind) {
			lines[i].print(n, m);
			return;
		}
}
