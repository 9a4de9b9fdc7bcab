/* The terminal's JSON lines, exactly as mesh-protocol §6.4 and §6.5 have them; no printf. */
#include "node.h"
#include "terminal.h"
#include "terminal_line.h"

/* --- lines of this node ----------------------------------------------------------------------- */

void terminal_print_boot(struct node *n)
{
	struct line l = {.n = 0};

	line_text(&l, "{\"type\":\"init\"");
	line_print(n, &l);
	line_begin(&l);
	line_text(&l, "{\"type\":\"reboot\"");
	line_field_u(&l, "reason", (uint32_t)n->chip.last_reboot);
	line_field_u(&l, "code1", 0);
	line_field_u(&l, "stack", 0);
	line_field_u(&l, "version", NODE_VERSION);
	line_field_u(&l, "blversion", 0);
	line_field_u(&l, "uptime", 0);
	line_print(n, &l);
}

void terminal_print_plugged_in(struct node *n)
{
	struct line l = {.n = 0};

	line_text(&l, "{\"type\":\"plugged_in\"");
	line_field_u(&l, "nodeId", n->config.node_id);
	line_field_serial(&l, "serialNumber", n->id.serial_index);
	line_field_u(&l, "fmVersion", NODE_VERSION);
	line_print(n, &l);
}

void terminal_print_corruption_check(struct node *n)
{
	struct line l = {.n = 0};

	line_text(&l, "{\"type\":\"enable_corruption_check_response\"");
	line_field_u(&l, "err", 0);
	line_text(&l, ",\"check\":\"crc32\"");
	line_print(n, &l);
}

/* What was typed is shown again, but never so that it could end the string it stands in. */
static void put_typed(struct line *l, const char *text)
{
	for (; *text != '\0'; text++)
		line_char(l,
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
	case TERMINAL_CRC_INVALID:
		return "crc invalid";
	case TERMINAL_CRC_MISSING:
		return "crc missing";
	case TERMINAL_INTERNAL_ERROR:
		return "internal error";
	}
	return "internal error";
}

void terminal_print_code(struct node *n, enum terminal_code code, const struct terminal_args *args)
{
	struct line l = {.n = 0};

	line_text(&l, "{\"type\":\"error\"");
	line_field_u(&l, "code", code);
	line_text(&l, ",\"text\":\"");
	line_text(&l, code_text(code));
	for (size_t i = 0; code == TERMINAL_NOT_FOUND && i < args->count; i++) {
		line_char(&l, ' ');
		put_typed(&l, args->text[i]);
	}
	line_char(&l, '"');
	line_print(n, &l);
}

/* --- lines of messages ------------------------------------------------------------------------ */

static void print_enroll_response(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_enroll_response r;
	struct line l;

	if (meshmsg_decode_enroll_response(m, &r) != ERR_OK)
		return;
	line_open(&l, m->sender,
		r.is_removal ? "remove_enroll_response_serial" : "enroll_response_serial");
	line_field_u(&l, "module", 5);
	line_field_u(&l, "requestId", m->request_handle);
	line_field_serial(&l, "serialNumber", r.serial_index);
	line_field_u(&l, "code", r.code);
	line_print(n, &l);
}

static void print_proposal(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_serials s;
	struct line l;

	if (meshmsg_decode_proposal(m, &s) != ERR_OK)
		return;
	line_open(&l, m->sender, "enroll_proposal");
	line_field_u(&l, "module", 5);
	line_text(&l, ",\"proposals\":[");
	for (size_t i = 0; i < ENROLL_SEEN_MAX; i++) {
		if (i > 0)
			line_char(&l, ',');
		line_u(&l, i < s.count ? s.index[i] : 0);
	}
	line_char(&l, ']');
	line_print(n, &l);
}

static void print_set_network_response(struct node *n, const struct meshmsg *m)
{
	struct line l;
	uint8_t code;

	if (meshmsg_decode_set_network_response(m, &code) != ERR_OK)
		return;
	line_open(&l, m->sender, "set_network_response");
	line_field_u(&l, "code", code);
	line_field_u(&l, "module", 5);
	line_field_u(&l, "requestHandle", m->request_handle);
	line_print(n, &l);
}

static void print_request_proposals(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_serials s;
	struct line l;

	if (meshmsg_decode_request_proposals(m, &s) != ERR_OK)
		return;
	line_open(&l, m->sender, "request_proposals");
	line_text(&l, ",\"serialNumbers\":[");
	for (size_t i = 0; i < s.count; i++) {
		if (i > 0)
			line_text(&l, ", ");
		line_serial(&l, s.index[i]);
	}
	line_text(&l, "], \"module\":5");
	line_field_u(&l, "requestHandle", m->request_handle);
	line_print(n, &l);
}

static void print_proposals_response(struct node *n, const struct meshmsg *m)
{
	uint32_t serial_index;
	struct line l;

	if (meshmsg_decode_proposals_response(m, &serial_index) != ERR_OK)
		return;
	line_open(&l, m->sender, "request_proposals_response");
	line_field_serial(&l, "serialNumber", serial_index);
	line_field_u(&l, "module", 5);
	line_field_u(&l, "requestHandle", m->request_handle);
	line_print(n, &l);
}

static void print_ping(struct node *n, const struct meshmsg *m)
{
	struct line l;

	line_open_module(&l, "ping", m->sender, 0);
	line_field_u(&l, "requestHandle", m->request_handle);
	line_print(n, &l);
}

static void print_enrolled_nodes(struct node *n, const struct meshmsg *m)
{
	struct line l;
	uint16_t count;

	if (meshmsg_decode_enrolled_nodes(m, &count) != ERR_OK)
		return;
	line_open_module(&l, "set_enrolled_nodes", m->sender, 0);
	line_field_u(&l, "enrolled_nodes", count);
	line_print(n, &l);
}

static void put_address(struct line *l, const struct meshmsg_device_info *info)
{
	line_name(l, "chipId");
	line_char(l, '"');
	for (size_t i = 0; i < sizeof(info->chip_id); i++) {
		if (i > 0)
			line_char(l, ':');
		line_hex(l, info->chip_id[i]);
	}
	line_char(l, '"');
}

static void put_access_address(struct line *l, const struct meshmsg_device_info *info)
{
	line_name(l, "accessAddress");
	line_char(l, '"');
	for (size_t i = sizeof(info->address); i > 0; i--) {
		line_hex(l, info->address[i - 1]);
		line_char(l, i > 1 ? ':' : '"');
	}
}

static void print_device_info(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_device_info info;
	struct line l;

	if (meshmsg_decode_device_info(m, &info) != ERR_OK)
		return;
	line_open(&l, m->sender, "device_info");
	line_field_u(&l, "module", 3);
	line_field_d(&l, "dBmRX", info.dbm_rx);
	line_field_d(&l, "dBmTX", info.dbm_tx);
	line_field_d(&l, "calibratedTX", info.calibrated_tx);
	line_field_u(&l, "deviceType", info.device_type);
	line_field_u(&l, "manufacturerId", info.manufacturer);
	line_field_u(&l, "networkId", info.network_id);
	line_field_u(&l, "nodeVersion", info.node_version);
	put_address(&l, &info);
	line_field_serial(&l, "serialNumber", info.serial_index);
	put_access_address(&l, &info);
	line_name(&l, "groupIds");
	line_char(&l, '[');
	line_u(&l, info.chip_group);
	line_char(&l, ',');
	line_u(&l, info.featureset_group);
	line_char(&l, ']');
	line_field_u(&l, "blVersion", info.bootloader_version);
	line_print(n, &l);
}

static void print_status(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_status s;
	struct line l;

	if (meshmsg_decode_status(m, &s) != ERR_OK)
		return;
	line_open(&l, m->sender, "status");
	line_field_u(&l, "module", 3);
	line_field_u(&l, "batteryInfo", s.battery_dv);
	line_field_u(&l, "clusterSize", (uint32_t)s.cluster_size);
	line_field_u(&l, "connectionLossCounter", s.connection_loss_count);
	line_field_u(&l, "freeIn", s.free_in);
	line_field_u(&l, "freeOut", s.free_out);
	line_field_u(&l, "inConnectionPartner", s.in_connection_partner);
	line_field_d(&l, "inConnectionRSSI", s.in_connection_rssi_dbm);
	line_text(&l, ", \"initialized\":");
	line_u(&l, s.is_initialized ? 1 : 0);
	line_print(n, &l);
}

static void print_discovery(struct node *n, const struct meshmsg *m)
{
	struct line l;

	line_open_module(&l, "set_discovery_result", m->sender, 0);
	line_print(n, &l);
}

static void print_time(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_time t;
	struct line l;

	if (meshmsg_decode_time(m, &t) != ERR_OK)
		return;
	line_open_module(&l, "get_time_result", m->sender, 0);
	line_field_u(&l, "syncState", t.sync);
	line_field_u(&l, "time", t.unix_s);
	line_field_u(&l, "offset", (uint32_t)t.offset_min); /* %u, of whatever sign */
	line_field_u(&l, "master", t.is_master ? 1 : 0);
	line_print(n, &l);
}

static void print_connections(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_connections c;
	struct line l;

	if (meshmsg_decode_connections(m, &c) != ERR_OK)
		return;
	line_open_module(&l, "connections", m->sender, 3);
	line_name(&l, "partners");
	for (size_t i = 0; i < MESHMSG_CONNECTIONS_MAX; i++) {
		line_char(&l, i > 0 ? ',' : '[');
		line_u(&l, c.partner[i].node_id);
	}
	line_char(&l, ']');
	line_name(&l, "rssiValues");
	for (size_t i = 0; i < MESHMSG_CONNECTIONS_MAX; i++) {
		line_char(&l, i > 0 ? ',' : '[');
		line_d(&l, c.partner[i].rssi_dbm);
	}
	line_char(&l, ']');
	line_print(n, &l);
}

static void print_nearby(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_nearby nearby;
	struct line l;

	if (meshmsg_decode_nearby(m, &nearby) != ERR_OK)
		return;
	line_open(&l, m->sender, "nearby_nodes");
	line_field_u(&l, "module", 3);
	line_text(&l, ",\"nodes\":[");
	for (size_t i = 0; i < nearby.count; i++) {
		line_text(&l, i > 0 ? ",{\"nodeId\":" : "{\"nodeId\":");
		line_u(&l, nearby.node[i].node_id);
		line_field_d(&l, "rssi", nearby.node[i].rssi_dbm);
		line_char(&l, '}');
	}
	line_char(&l, ']');
	line_print(n, &l);
}

static void print_live_report(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_live_report r;
	struct line l;

	if (meshmsg_decode_live_report(m, &r) != ERR_OK)
		return;
	line_open_module(&l, "live_report", m->sender, 3);
	line_field_u(&l, "code", r.type);
	line_field_u(&l, "extra", r.extra);
	line_field_u(&l, "extra2", r.extra2);
	line_print(n, &l);
}

static void print_ma_state(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_ma_state s;
	struct line l;

	if (meshmsg_decode_ma_state(m, &s) != ERR_OK)
		return;
	line_open(&l, m->sender, "ma_conn_state");
	line_field_u(&l, "module", 10);
	line_field_u(&l, "requestHandle", m->request_handle);
	line_field_u(&l, "partnerId", s.partner_id);
	line_field_u(&l, "state", s.state);
	line_print(n, &l);
}

static void print_serial_connected(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_serial_connected c;
	struct line l;

	if (meshmsg_decode_serial_connected(m, &c) != ERR_OK)
		return;
	line_begin(&l);
	line_text(&l, "{\"type\":\"serial_connect_response\",\"module\":10");
	line_field_u(&l, "nodeId", m->sender);
	line_field_u(&l, "requestHandle", m->request_handle);
	line_field_u(&l, "code", c.code);
	line_field_u(&l, "partnerId", c.partner_id);
	line_print(n, &l);
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
		{MESHMSG_DISCOVERY_SET, print_discovery},
		{MESHMSG_TIME, print_time},
		{MESHMSG_CONNECTIONS, print_connections},
		{MESHMSG_NEARBY, print_nearby},
		{MESHMSG_LIVE_REPORT, print_live_report},
		{MESHMSG_MA_STATE, print_ma_state},
		{MESHMSG_SERIAL_CONNECTED, print_serial_connected},
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (lines[i].kind == m->kind) {
			lines[i].print(n, m);
			return;
		}
}
