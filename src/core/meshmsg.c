/*
 * Headers of mesh messages and the two tables behind them: which types there are and how short they
 * may be (mesh-protocol §1.4), and which of them we can open. What is in no table is refused.
 */
#include "core/meshmsg_room.h"

/* Type, minimum length of the whole message. */
static const struct type_row {
	uint8_t type;
	uint8_t bytes_min;
	bool is_module; /* has the header of §1.2 */
} types[] = {
	{20, 11, false}, /* CLUSTER_WELCOME … RECONNECT: between nodes only */
	{21, 8, false},
	{22, 13, false},
	{MESHMSG_TYPE_CLUSTER_INFO_UPDATE, 14, false},
	{24, 5, false},
	{MESHMSG_TYPE_ENCRYPT_START, 11, false},
	{MESHMSG_TYPE_ENCRYPT_ANONCE, 13, false},
	{MESHMSG_TYPE_ENCRYPT_SNONCE, 13, false},
	{MESHMSG_TYPE_ENCRYPT_DONE, 6, false},
	{MESHMSG_TYPE_UPDATE_TIMESTAMP, 13, false},
	{31, 7, false}, /* UPDATE_CONNECTION_INTERVAL */
	{MESHMSG_TYPE_CAPABILITY, 6, false},
	{MESHMSG_TYPE_MODULE_CONFIG, 8, true},
	{MESHMSG_TYPE_TRIGGER, 8, true},
	{MESHMSG_TYPE_RESPONSE, 8, true},
	{MESHMSG_TYPE_GENERAL, 8, true},
	{MESHMSG_TYPE_RAW_DATA, 8, true},
	{MESHMSG_TYPE_RAW_DATA_LIGHT, 8, true},
	{MESHMSG_TYPE_COMPONENT_ACT, 12, true},
	{MESHMSG_TYPE_COMPONENT_SENSE, 12, true},
	{MESHMSG_TYPE_TIME_SYNC, 6, false},
	{MESHMSG_TYPE_DEAD_DATA, 13, false},
	{80, 5, false}, /* DATA_1, DATA_1_VITAL, CLC_DATA */
	{81, 5, false},
	{83, 5, false},
};

#define ENROLLMENT MESHMSG_MODULE_ENROLLMENT
#define NODE MESHMSG_MODULE_NODE
#define ACCESS MESHMSG_MODULE_MESH_ACCESS
#define STATUS MESHMSG_MODULE_STATUS
#define ANY MESHMSG_MODULE_NONE /* the kind is a matter of type (and action) alone */
#define TRIGGER MESHMSG_TYPE_TRIGGER
#define RESPONSE MESHMSG_TYPE_RESPONSE
#define GENERAL MESHMSG_TYPE_GENERAL
#define CONFIG MESHMSG_TYPE_MODULE_CONFIG

static const struct kind_row {
	enum meshmsg_kind kind;
	uint8_t type;
	uint8_t action;
	uint32_t module;
	const char *text;
} kinds[] = {
	{MESHMSG_SET_ENROLLMENT, TRIGGER, 0, ENROLLMENT, "set_enrollment"},
	{MESHMSG_REMOVE_ENROLLMENT, TRIGGER, 1, ENROLLMENT, "remove_enrollment"},
	{MESHMSG_SET_NETWORK, TRIGGER, 3, ENROLLMENT, "set_network"},
	{MESHMSG_REQUEST_PROPOSALS, TRIGGER, 4, ENROLLMENT, "request_proposals"},
	{MESHMSG_ENROLLMENT_RESPONSE, RESPONSE, 0, ENROLLMENT, "enrollment_response"},
	{MESHMSG_REMOVE_ENROLLMENT_RESPONSE, RESPONSE, 1, ENROLLMENT, "remove_enrollment_response"},
	{MESHMSG_ENROLLMENT_PROPOSAL, RESPONSE, 2, ENROLLMENT, "enrollment_proposal"},
	{MESHMSG_SET_NETWORK_RESPONSE, RESPONSE, 3, ENROLLMENT, "set_network_response"},
	{MESHMSG_PROPOSALS_RESPONSE, RESPONSE, 4, ENROLLMENT, "proposals_response"},
	{MESHMSG_RESET_NODE, TRIGGER, 1, NODE, "reset_node"},
	{MESHMSG_PING, TRIGGER, 3, NODE, "ping"},
	{MESHMSG_PING_RESPONSE, RESPONSE, 3, NODE, "ping_response"},
	{MESHMSG_SET_ENROLLED_NODES, TRIGGER, 7, NODE, "set_enrolled_nodes"},
	{MESHMSG_ENROLLED_NODES, RESPONSE, 6, NODE, "enrolled_nodes"},
	{MESHMSG_SET_DISCOVERY, TRIGGER, 0, NODE, "set_discovery"},
	{MESHMSG_DISCOVERY_SET, RESPONSE, 0, NODE, "discovery_set"},
	{MESHMSG_GET_TIME, TRIGGER, 8, NODE, "get_time"},
	{MESHMSG_TIME, RESPONSE, 8, NODE, "time"},
	{MESHMSG_GET_STATUS, TRIGGER, 1, STATUS, "get_status"},
	{MESHMSG_STATUS, RESPONSE, 1, STATUS, "status"},
	{MESHMSG_GET_CONNECTIONS, TRIGGER, 3, STATUS, "get_connections"},
	{MESHMSG_CONNECTIONS, RESPONSE, 3, STATUS, "connections"},
	{MESHMSG_GET_NEARBY, TRIGGER, 4, STATUS, "get_nearby"},
	{MESHMSG_NEARBY, RESPONSE, 4, STATUS, "nearby"},
	{MESHMSG_SET_INITIALIZED, TRIGGER, 5, STATUS, "set_initialized"},
	{MESHMSG_INITIALIZED_SET, RESPONSE, 5, STATUS, "initialized_set"},
	{MESHMSG_GET_REBOOT_REASON, TRIGGER, 8, STATUS, "get_reboot_reason"},
	{MESHMSG_SET_KEEP_ALIVE, TRIGGER, 9, STATUS, "set_keep_alive"},
	{MESHMSG_SET_LIVE_REPORTS, TRIGGER, 11, STATUS, "set_live_reports"},
	{MESHMSG_LIVE_REPORT, GENERAL, 1, STATUS, "live_report"},
	{MESHMSG_GET_CONNECTIONS_VERBOSE, TRIGGER, 12, STATUS, "get_connections_verbose"},
	{MESHMSG_GET_DEVICE_INFO, TRIGGER, 10, STATUS, "get_device_info"},
	{MESHMSG_DEVICE_INFO, RESPONSE, 10, STATUS, "device_info"},
	{MESHMSG_MA_CONNECT, TRIGGER, 0, ACCESS, "ma_connect"},
	{MESHMSG_MA_DISCONNECT, TRIGGER, 1, ACCESS, "ma_disconnect"},
	{MESHMSG_MA_STATE, GENERAL, 0, ACCESS, "ma_state"},
	{MESHMSG_SERIAL_CONNECT, TRIGGER, 2, ACCESS, "serial_connect"},
	{MESHMSG_SERIAL_CONNECTED, RESPONSE, 2, ACCESS, "serial_connected"},
	{MESHMSG_GET_MODULE_LIST, CONFIG, 6, ANY, "get_module_list"},
	{MESHMSG_MODULE_LIST, CONFIG, 8, ANY, "module_list"},
	{MESHMSG_CLUSTER_INFO, MESHMSG_TYPE_CLUSTER_INFO_UPDATE, 0, ANY, "cluster_info"},
	{MESHMSG_UPDATE_TIMESTAMP, MESHMSG_TYPE_UPDATE_TIMESTAMP, 0, ANY, "update_timestamp"},
	{MESHMSG_DEAD_DATA, MESHMSG_TYPE_DEAD_DATA, 0, ANY, "dead_data"},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct type_row *type_find(uint8_t type)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		if (types[i].type == type)
			return &types[i];
	}
	return NULL;
}

static const struct kind_row *kind_row(enum meshmsg_kind kind)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (kinds[i].kind == kind)
			return &kinds[i];
	}
	return NULL;
}

static enum meshmsg_kind kind_find(const struct meshmsg *m)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const struct kind_row *k = &kinds[i];

		if (k->type == m->type && k->action == m->action &&
			(k->module == ANY || k->module == m->module))
			return k->kind;
	}
	return MESHMSG_UNKNOWN;
}

const char *meshmsg_kind_text(enum meshmsg_kind kind)
{
	const struct kind_row *k = kind_row(kind);

	return k ? k->text : "unknown";
}

/* §1.2: the vendor form is recognised by byte 5 alone. */
static void module_open(struct rd *r, struct meshmsg *out)
{
	uint8_t id = r->left_bytes > 0 ? r->p[0] : 0;

	out->module = id == MESHMSG_VENDOR_PREFIX ? rd_u32(r) : MESHMSG_MODULE(rd_u8(r));
	out->request_handle = rd_u8(r);
	out->action = rd_u8(r);
}

enum err meshmsg_decode(const void *bytes, size_t n, struct meshmsg *out)
{
	struct rd r = rd_init(bytes, n);
	const struct type_row *row;

	*out = (struct meshmsg){.module = MESHMSG_MODULE_NONE};
	if (n > MESHMSG_BYTES_MAX)
		return ERR_TRAILING;
	out->type = rd_u8(&r);
	if (r.bad)
		return ERR_SHORT;
	row = type_find(out->type);
	if (!row)
		return ERR_UNKNOWN;
	if (n < row->bytes_min)
		return ERR_SHORT;
	out->sender = rd_u16(&r);
	out->receiver = rd_u16(&r);
	if (row->is_module)
		module_open(&r, out);
	out->payload = rd_rest(&r);
	if (!r.bad)
		out->kind = kind_find(out);
	return rd_end(&r);
}

bool meshmsg_is_for(const struct meshmsg *m, uint16_t own_id)
{
	return m->receiver == own_id || m->receiver == MESHMSG_BROADCAST ||
	       (m->receiver >= MESHMSG_LOOPBACK && m->receiver <= MESHMSG_HOPS_LAST);
}

static void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void meshmsg_set_sender(uint8_t *bytes, uint16_t sender)
{
	put_u16(bytes + 1, sender);
}

void meshmsg_set_receiver(uint8_t *bytes, uint16_t receiver)
{
	put_u16(bytes + 3, receiver);
}

void meshmsg_begin(struct wr *w, uint8_t type, uint16_t sender, uint16_t receiver)
{
	wr_u8(w, type);
	wr_u16(w, sender);
	wr_u16(w, receiver);
}

void meshmsg_begin_module(
	struct wr *w, uint8_t type, struct meshmsg_route route, uint32_t module, uint8_t action)
{
	bool is_vendor = (module & 0xFF) == MESHMSG_VENDOR_PREFIX;

	meshmsg_begin(w, type, route.sender, route.receiver);
	wr_le(w, module, is_vendor ? 4 : 1);
	wr_u8(w, route.request_handle);
	wr_u8(w, action);
}

void meshmsg_begin_kind(struct wr *w, struct meshmsg_route route, enum meshmsg_kind kind)
{
	const struct kind_row *k = kind_row(kind);

	if (!k || !type_find(k->type)->is_module) {
		w->bad = true;
		return;
	}
	meshmsg_begin_module(w, k->type, route, k->module == ANY ? NODE : k->module, k->action);
}

enum err meshmsg_encode_module(struct wr *w, uint8_t type, struct meshmsg_route route,
	uint32_t module, uint8_t action, struct span payload)
{
	const struct type_row *row = type_find(type);
	size_t before = w->len_bytes;

	if (!row || !row->is_module)
		return ERR_UNKNOWN;
	meshmsg_begin_module(w, type, route, module, action);
	wr_bytes(w, payload.p, payload.n);
	if (!w->bad && w->len_bytes - before > MESHMSG_BYTES_MAX)
		return ERR_FULL;
	return wr_end(w);
}
