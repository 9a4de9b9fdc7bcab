/*
 * Mesh messages (mesh-protocol §1, §3.7-§3.9, §4, §8): complete messages as they are before
 * splitting and encryption, at most 200 bytes.
 *
 * Decoding goes in two steps: meshmsg_decode opens the header and looks the message up in one
 * table (kind; MESHMSG_UNKNOWN is refused by whoever dispatches); then the decoder of that kind
 * opens the payload. All decoded pointers are views into the caller's buffer. Encoders append one
 * whole message to w and answer with wr_end(w).
 */
#ifndef ENR_MESHMSG_H
#define ENR_MESHMSG_H

#include "enr/bytes.h"

#define MESHMSG_BYTES_MAX 200
#define MESHMSG_HEADER_BYTES 5
#define MESHMSG_MODULE_HEADER_BYTES 8
#define MESHMSG_VENDOR_HEADER_BYTES 11

/* Node ids, §1.5. */
#define MESHMSG_BROADCAST 0
#define MESHMSG_NODE_FIRST 1
#define MESHMSG_NODE_LAST 1999    /* 2000 passes the reference's check; never assign it */
#define MESHMSG_VIRTUAL_STEP 2000 /* own id + (slot + 1) * 2000 */
#define MESHMSG_GROUP_FIRST 20000
#define MESHMSG_GROUP_LAST 29999
#define MESHMSG_LOOPBACK 30000 /* 30000 + n: n hops */
#define MESHMSG_HOPS_LAST 30999
#define MESHMSG_SHORTEST_SINK 31000
#define MESHMSG_ANYCAST 31001
#define MESHMSG_APP_FIRST 32000 /* a gateway attached by MeshAccess */
#define MESHMSG_APP_LAST 32999
#define MESHMSG_ASSET_FIRST 33000
#define MESHMSG_ASSET_LAST 57999 /* 58000 passes the reference's check; never assign it */
#define MESHMSG_NODE_INVALID 0xFFFF

/* Message types, §1.4. */
enum meshmsg_type {
	MESHMSG_TYPE_SPLIT = 16,
	MESHMSG_TYPE_SPLIT_END = 17,
	MESHMSG_TYPE_CLUSTER_INFO_UPDATE = 23,
	MESHMSG_TYPE_ENCRYPT_START = 25,
	MESHMSG_TYPE_ENCRYPT_ANONCE = 26,
	MESHMSG_TYPE_ENCRYPT_SNONCE = 27,
	MESHMSG_TYPE_ENCRYPT_DONE = 28,
	MESHMSG_TYPE_UPDATE_TIMESTAMP = 30,
	MESHMSG_TYPE_CAPABILITY = 33,
	MESHMSG_TYPE_MODULE_CONFIG = 50,
	MESHMSG_TYPE_TRIGGER = 51,
	MESHMSG_TYPE_RESPONSE = 52,
	MESHMSG_TYPE_GENERAL = 53,
	MESHMSG_TYPE_RAW_DATA = 54,
	MESHMSG_TYPE_RAW_DATA_LIGHT = 55,
	MESHMSG_TYPE_COMPONENT_ACT = 58,
	MESHMSG_TYPE_COMPONENT_SENSE = 59,
	MESHMSG_TYPE_TIME_SYNC = 60,
	MESHMSG_TYPE_DEAD_DATA = 61
};

/* Modules, §1.3, in the 32-bit form of §1.2: 0xFFFFFF00 | id, or a vendor's id (low byte F0). */
#define MESHMSG_MODULE(id) (0xFFFFFF00u | (id))
#define MESHMSG_MODULE_NONE 0xFFFFFFFFu
#define MESHMSG_MODULE_NODE MESHMSG_MODULE(0)
#define MESHMSG_MODULE_STATUS MESHMSG_MODULE(3)
#define MESHMSG_MODULE_ENROLLMENT MESHMSG_MODULE(5)
#define MESHMSG_MODULE_MESH_ACCESS MESHMSG_MODULE(10)
#define MESHMSG_VENDOR_PREFIX 0xF0

/* Every message whose payload we can open. */
enum meshmsg_kind {
	MESHMSG_UNKNOWN = 0, /* well-formed header, nothing that we speak */
	/* EnrollmentModule, §4 */
	MESHMSG_SET_ENROLLMENT,
	MESHMSG_REMOVE_ENROLLMENT,
	MESHMSG_SET_NETWORK,
	MESHMSG_REQUEST_PROPOSALS,
	MESHMSG_ENROLLMENT_RESPONSE,
	MESHMSG_REMOVE_ENROLLMENT_RESPONSE,
	MESHMSG_ENROLLMENT_PROPOSAL,
	MESHMSG_SET_NETWORK_RESPONSE,
	MESHMSG_PROPOSALS_RESPONSE,
	/* NODE, §8.4 */
	MESHMSG_RESET_NODE,
	MESHMSG_PING,
	MESHMSG_PING_RESPONSE,
	MESHMSG_SET_ENROLLED_NODES,
	MESHMSG_ENROLLED_NODES, /* the response */
	MESHMSG_SET_DISCOVERY,
	MESHMSG_DISCOVERY_SET, /* the response */
	MESHMSG_GET_TIME,
	MESHMSG_TIME,
	/* STATUS_REPORTER, §8.6, §8.7 */
	MESHMSG_GET_STATUS,
	MESHMSG_STATUS,
	MESHMSG_GET_CONNECTIONS,
	MESHMSG_CONNECTIONS,
	MESHMSG_GET_NEARBY,
	MESHMSG_NEARBY,
	MESHMSG_SET_INITIALIZED,
	MESHMSG_INITIALIZED_SET, /* the response */
	MESHMSG_GET_REBOOT_REASON,
	MESHMSG_SET_KEEP_ALIVE,
	MESHMSG_SET_LIVE_REPORTS,
	MESHMSG_LIVE_REPORT,
	MESHMSG_GET_CONNECTIONS_VERBOSE,
	MESHMSG_GET_DEVICE_INFO,
	MESHMSG_DEVICE_INFO,
	/* MeshAccess, §2.6 */
	MESHMSG_MA_CONNECT,
	MESHMSG_MA_DISCONNECT,
	MESHMSG_MA_STATE,
	MESHMSG_SERIAL_CONNECT,
	MESHMSG_SERIAL_CONNECTED, /* the response */
	/* MODULE_CONFIG, §8.8 */
	MESHMSG_GET_MODULE_LIST,
	MESHMSG_MODULE_LIST,
	/* no module */
	MESHMSG_CLUSTER_INFO,
	MESHMSG_UPDATE_TIMESTAMP,
	MESHMSG_DEAD_DATA,
	MESHMSG_KIND_COUNT
};

/* An opened header. */
struct meshmsg {
	enum meshmsg_kind kind;
	uint8_t type; /* enum meshmsg_type or another */
	uint16_t sender;
	uint16_t receiver;
	uint32_t module; /* MESHMSG_MODULE(…) or vendor id; MESHMSG_MODULE_NONE: not a module's */
	uint8_t request_handle;
	uint8_t action;
	struct span payload; /* after the header, whichever its form */
};

/*
 * Opens the header of one complete message. ERR_SHORT below the type's minimum length (§1.4),
 * ERR_TRAILING above 200 bytes, ERR_UNKNOWN for a type that is not in the table of types.
 * Split fragments (16, 17) are meshsec's business and ERR_UNKNOWN here.
 */
ENR_MUST_CHECK enum err meshmsg_decode(const void *bytes, size_t n, struct meshmsg *out);

/* "set_enrollment"…, for logs and events; static storage. */
const char *meshmsg_kind_text(enum meshmsg_kind kind);

/* Is a node with this id addressed? Own id, broadcast, 30000…30999 (§1.5). No groups, no sink. */
bool meshmsg_is_for(const struct meshmsg *m, uint16_t own_id);

/* Overwrites sender or receiver of an encoded message of at least 5 bytes (§3.9). */
void meshmsg_set_sender(uint8_t *bytes, uint16_t sender);
void meshmsg_set_receiver(uint8_t *bytes, uint16_t receiver);

/* From, to and the correlation byte of the message to be written. */
struct meshmsg_route {
	uint16_t sender;
	uint16_t receiver;
	uint8_t request_handle; /* 0: not used */
};

/* Any module message with a payload already encoded; vendor ids get the 11-byte header. */
ENR_MUST_CHECK enum err meshmsg_encode_module(struct wr *w, uint8_t type,
	struct meshmsg_route route, uint32_t module, uint8_t action, struct span payload);

/* --- EnrollmentModule: meshmsg_enroll.c -------------------------------------------------- */

#define MESHMSG_SET_ENROLLMENT_BYTES 81
#define MESHMSG_PROPOSALS_MAX 11
#define MESHMSG_PREENROLLMENT_S 15 /* limit of the whole pre-enrollment, save included */
#define MESHMSG_ENROLL_REBOOT_S 4  /* an OK node reboots that long after its answer */
#define MESHMSG_UNENROLL_REBOOT_S 1

/*
 * Keys are views of 16 bytes or NULL. Network, user base and organization key: NULL is "leave
 * unchanged" (absent or 16×00 on the wire). node_key: NULL is "none" (absent or 16×FF on the
 * wire: nobody will carry the request over the mesh), 16×00 is "connect with key id ZERO".
 */
struct meshmsg_set_enrollment {
	uint32_t serial_index;
	uint16_t node_id;
	uint16_t network_id;
	const uint8_t *network_key;
	const uint8_t *user_base_key;
	const uint8_t *organization_key;
	const uint8_t *node_key;
	uint8_t timeout_s; /* 0…127; from 3 on a relay has a chance (§4.6) */
	bool only_if_unenrolled;
};

/* Always 81 bytes. ERR_RANGE if timeout_s is above 127. */
ENR_MUST_CHECK enum err meshmsg_encode_set_enrollment(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_set_enrollment *m);
/* Accepts a payload from 8 bytes on; keys that are not fully contained are absent, a missing byte
 * 72 is 0, bytes beyond 73 are ignored (§4.2, §13.3). */
ENR_MUST_CHECK enum err meshmsg_decode_set_enrollment(
	const struct meshmsg *msg, struct meshmsg_set_enrollment *out);

ENR_MUST_CHECK enum err meshmsg_encode_remove_enrollment(
	struct wr *w, struct meshmsg_route route, uint32_t serial_index);
ENR_MUST_CHECK enum err meshmsg_decode_remove_enrollment(
	const struct meshmsg *msg, uint32_t *serial_index);

/* Results of enrollment, §4.3. On the wire any u8 may come. */
enum meshmsg_result {
	MESHMSG_RESULT_OK = 0x00,
	MESHMSG_RESULT_BUSY = 0x01,
	MESHMSG_RESULT_WRONG_ALIGNMENT = 0x02,
	MESHMSG_RESULT_NO_SPACE = 0x03,
	MESHMSG_RESULT_LOCK_DOWN = 0x04,
	MESHMSG_RESULT_INTERNAL_ERROR = 0x05,
	MESHMSG_RESULT_PERSISTENCE_DISABLED = 0x06,
	MESHMSG_RESULT_ALREADY_ENROLLED = 0x10,
	MESHMSG_RESULT_PREENROLLMENT_FAILED = 0x11,
	MESHMSG_RESULT_SIG_INVALID = 0x12,
	MESHMSG_RESULT_INCORRECT_NODE_ID = 0x13
};

/* What a code means, and what to do next: one lower-case line each, static storage, never NULL. */
const char *meshmsg_result_text(uint8_t code);
const char *meshmsg_result_advice(uint8_t code);

/* ENROLLMENT_RESPONSE and REMOVE_ENROLLMENT_RESPONSE. */
struct meshmsg_enroll_response {
	bool is_removal;
	uint32_t serial_index; /* of the node that the result is about; match on this */
	uint8_t code;          /* enum meshmsg_result or another */
};

ENR_MUST_CHECK enum err meshmsg_encode_enroll_response(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_enroll_response *m);
ENR_MUST_CHECK enum err meshmsg_decode_enroll_response(
	const struct meshmsg *msg, struct meshmsg_enroll_response *out);

/* Serials that a node has seen; unused slots (0 on the wire) are left out by the decoder. */
struct meshmsg_serials {
	uint8_t count;
	uint32_t index[MESHMSG_PROPOSALS_MAX];
};

/* ENROLLMENT_PROPOSAL: up to 3 serials (§4.10). ERR_RANGE for more. */
ENR_MUST_CHECK enum err meshmsg_encode_proposal(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_serials *m);
ENR_MUST_CHECK enum err meshmsg_decode_proposal(
	const struct meshmsg *msg, struct meshmsg_serials *out);

/* REQUEST_PROPOSALS: 1…11 serials; a decoder takes the first 11 of more (§4.11). */
ENR_MUST_CHECK enum err meshmsg_encode_request_proposals(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_serials *m);
ENR_MUST_CHECK enum err meshmsg_decode_request_proposals(
	const struct meshmsg *msg, struct meshmsg_serials *out);

ENR_MUST_CHECK enum err meshmsg_encode_proposals_response(
	struct wr *w, struct meshmsg_route route, uint32_t serial_index);
ENR_MUST_CHECK enum err meshmsg_decode_proposals_response(
	const struct meshmsg *msg, uint32_t *serial_index);

ENR_MUST_CHECK enum err meshmsg_encode_set_network(
	struct wr *w, struct meshmsg_route route, uint16_t network_id);
ENR_MUST_CHECK enum err meshmsg_decode_set_network(const struct meshmsg *msg, uint16_t *network_id);

/* code: 0 success, 1 not an asset (§4.12). */
ENR_MUST_CHECK enum err meshmsg_encode_set_network_response(
	struct wr *w, struct meshmsg_route route, uint8_t code);
ENR_MUST_CHECK enum err meshmsg_decode_set_network_response(
	const struct meshmsg *msg, uint8_t *code);

/* --- NODE, STATUS_REPORTER and the rest: meshmsg_node.c ----------------------------------- */

/* Messages without payload: PING, PING_RESPONSE, DISCOVERY_SET, GET_TIME, GET_STATUS,
 * GET_CONNECTIONS, GET_NEARBY, SET_INITIALIZED, INITIALIZED_SET, GET_REBOOT_REASON,
 * GET_DEVICE_INFO, GET_MODULE_LIST. ERR_UNKNOWN for a kind that is not one of them. Their decoder
 * is: msg.kind. */
ENR_MUST_CHECK enum err meshmsg_encode_plain(
	struct wr *w, struct meshmsg_route route, enum meshmsg_kind kind);

ENR_MUST_CHECK enum err meshmsg_encode_reset_node(
	struct wr *w, struct meshmsg_route route, uint8_t seconds);
ENR_MUST_CHECK enum err meshmsg_decode_reset_node(const struct meshmsg *msg, uint8_t *seconds);

/* kind: MESHMSG_SET_ENROLLED_NODES or its response MESHMSG_ENROLLED_NODES. */
ENR_MUST_CHECK enum err meshmsg_encode_enrolled_nodes(
	struct wr *w, struct meshmsg_route route, enum meshmsg_kind kind, uint16_t count);
ENR_MUST_CHECK enum err meshmsg_decode_enrolled_nodes(const struct meshmsg *msg, uint16_t *count);

/* SET_DISCOVERY: a node looks for others (high), or does not (idle). */
ENR_MUST_CHECK enum err meshmsg_encode_set_discovery(
	struct wr *w, struct meshmsg_route route, bool is_high);
ENR_MUST_CHECK enum err meshmsg_decode_set_discovery(const struct meshmsg *msg, bool *is_high);

/* TIME, 8 bytes: the answer to GET_TIME. */
enum meshmsg_sync { MESHMSG_UNSYNCED = 0, MESHMSG_SYNCED = 1, MESHMSG_TIME_CORRECTED = 2 };

struct meshmsg_time {
	uint32_t unix_s;
	int16_t offset_min;
	uint8_t sync; /* enum meshmsg_sync or another */
	bool is_master;
};

ENR_MUST_CHECK enum err meshmsg_encode_time(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_time *m);
ENR_MUST_CHECK enum err meshmsg_decode_time(const struct meshmsg *msg, struct meshmsg_time *out);

/* STATUS, 9 bytes of payload. */
struct meshmsg_status {
	int16_t cluster_size;
	uint16_t in_connection_partner;
	int8_t in_connection_rssi_dbm;
	uint8_t free_in;  /* 0…3 */
	uint8_t free_out; /* 0…63 */
	uint8_t battery_dv;
	uint8_t connection_loss_count;
	bool is_initialized;
};

ENR_MUST_CHECK enum err meshmsg_encode_status(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_status *m);
ENR_MUST_CHECK enum err meshmsg_decode_status(
	const struct meshmsg *msg, struct meshmsg_status *out);

/* Another node, and how loud it is. */
struct meshmsg_partner {
	uint16_t node_id; /* 0: none */
	int8_t rssi_dbm;
};

/* ALL_CONNECTIONS, 12 bytes: the first incoming mesh link, then up to three outgoing ones. */
#define MESHMSG_CONNECTIONS_MAX 4
struct meshmsg_connections {
	struct meshmsg_partner partner[MESHMSG_CONNECTIONS_MAX];
};

ENR_MUST_CHECK enum err meshmsg_encode_connections(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_connections *m);
ENR_MUST_CHECK enum err meshmsg_decode_connections(
	const struct meshmsg *msg, struct meshmsg_connections *out);

/* NEARBY_NODES: up to 20 whose JOIN_ME was heard. ERR_RANGE for more. */
#define MESHMSG_NEARBY_MAX 20
struct meshmsg_nearby {
	uint8_t count;
	struct meshmsg_partner node[MESHMSG_NEARBY_MAX];
};

ENR_MUST_CHECK enum err meshmsg_encode_nearby(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_nearby *m);
ENR_MUST_CHECK enum err meshmsg_decode_nearby(
	const struct meshmsg *msg, struct meshmsg_nearby *out);

/* SET_KEEP_ALIVE; without a payload it counts as a sink's. */
ENR_MUST_CHECK enum err meshmsg_encode_keep_alive(
	struct wr *w, struct meshmsg_route route, bool is_sink);
ENR_MUST_CHECK enum err meshmsg_decode_keep_alive(const struct meshmsg *msg, bool *is_sink);

/* SET_LIVEREPORTING: reports of this type and below are wanted; 0: none. */
ENR_MUST_CHECK enum err meshmsg_encode_live_reports(
	struct wr *w, struct meshmsg_route route, uint8_t level);
ENR_MUST_CHECK enum err meshmsg_decode_live_reports(const struct meshmsg *msg, uint8_t *level);

struct meshmsg_live_report {
	uint8_t type; /* §8.7 */
	uint32_t extra, extra2;
};

ENR_MUST_CHECK enum err meshmsg_encode_live_report(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_live_report *m);
ENR_MUST_CHECK enum err meshmsg_decode_live_report(
	const struct meshmsg *msg, struct meshmsg_live_report *out);

/* GET_ALL_CONNECTIONS_VERBOSE; index 0xFFFFFFFF: all. */
ENR_MUST_CHECK enum err meshmsg_encode_connections_verbose(
	struct wr *w, struct meshmsg_route route, uint32_t index);
ENR_MUST_CHECK enum err meshmsg_decode_connections_verbose(
	const struct meshmsg *msg, uint32_t *index);

/* DEVICE_INFO_V2, 37 bytes of payload: the proof that a node has joined. */
struct meshmsg_device_info {
	uint16_t manufacturer;
	uint32_t serial_index;
	uint8_t chip_id[8];
	uint8_t address_type;
	uint8_t address[6]; /* least significant byte first */
	uint16_t network_id;
	uint32_t node_version; /* major * 10000000 + minor * 10000 + patch */
	int8_t dbm_rx;
	int8_t dbm_tx;
	uint8_t device_type; /* enum meshadv_device */
	int8_t calibrated_tx;
	uint16_t chip_group;
	uint16_t featureset_group;
	uint16_t bootloader_version;
};

ENR_MUST_CHECK enum err meshmsg_encode_device_info(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_device_info *m);
ENR_MUST_CHECK enum err meshmsg_decode_device_info(
	const struct meshmsg *msg, struct meshmsg_device_info *out);

/* MODULE_LIST_V2: n entries of 6 bytes; read one by one out of the view. */
struct meshmsg_module_entry {
	uint32_t module; /* MESHMSG_MODULE(…) or vendor id; 0x000000mm is read as a module id */
	uint8_t version;
	bool is_active;
};

ENR_MUST_CHECK enum err meshmsg_encode_module_list(struct wr *w, struct meshmsg_route route,
	const struct meshmsg_module_entry *entries, size_t count);
/* The number of entries; ERR_INVALID if the payload is not a multiple of 6. */
ENR_MUST_CHECK enum err meshmsg_decode_module_list(const struct meshmsg *msg, size_t *count);
/* Entry i < count of a list that meshmsg_decode_module_list has accepted, else ERR_RANGE. */
ENR_MUST_CHECK enum err meshmsg_module_list_entry(
	const struct meshmsg *msg, size_t i, struct meshmsg_module_entry *out);

/* CLUSTER_INFO_UPDATE, 14 bytes, receiver 0; over MeshAccess the size is absolute (§3.8). */
struct meshmsg_cluster_info {
	int16_t cluster_size;
	int16_t hops_to_sink; /* -1: no sink */
	bool has_all_master_bits;
	bool counter_bit;
};

ENR_MUST_CHECK enum err meshmsg_encode_cluster_info(
	struct wr *w, uint16_t sender, const struct meshmsg_cluster_info *m);
ENR_MUST_CHECK enum err meshmsg_decode_cluster_info(
	const struct meshmsg *msg, struct meshmsg_cluster_info *out);

/* UPDATE_TIMESTAMP, 13 bytes (§3.9). */
struct meshmsg_timestamp {
	uint32_t unix_s;
	int16_t offset_min;
};

ENR_MUST_CHECK enum err meshmsg_encode_timestamp(
	struct wr *w, uint16_t sender, uint16_t receiver, const struct meshmsg_timestamp *m);
ENR_MUST_CHECK enum err meshmsg_decode_timestamp(
	const struct meshmsg *msg, struct meshmsg_timestamp *out);

/* DEAD_DATA, 13 bytes, in clear (§3.7). */
#define MESHMSG_DEAD_DATA_BYTES 13
ENR_MUST_CHECK enum err meshmsg_encode_dead_data(struct wr *w, uint16_t sender, uint16_t receiver);
/* ERR_INVALID if the magic is not complete. */
ENR_MUST_CHECK enum err meshmsg_decode_dead_data(const struct meshmsg *msg);

/* --- MeshAccess: meshmsg_access.c -------------------------------------------------------- */

#define MESHMSG_ADDRESS_BYTES 7 /* type, then 6 bytes, lowest first */

/* MA_CONNECT: a node shall open a MeshAccess connection. 28 bytes. key: a view of 16
 * bytes; 16×FF means the node's own key of that kind. */
struct meshmsg_ma_connect {
	const uint8_t *address; /* MESHMSG_ADDRESS_BYTES */
	uint32_t key_id;
	const uint8_t *key;
	uint8_t tunnel; /* 0…3, enum meshsec_tunnel */
};

/* ERR_RANGE: tunnel above 3. */
ENR_MUST_CHECK enum err meshmsg_encode_ma_connect(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_ma_connect *m);
ENR_MUST_CHECK enum err meshmsg_decode_ma_connect(
	const struct meshmsg *msg, struct meshmsg_ma_connect *out);

ENR_MUST_CHECK enum err meshmsg_encode_ma_disconnect(
	struct wr *w, struct meshmsg_route route, const uint8_t address[MESHMSG_ADDRESS_BYTES]);
/* *address: a view of MESHMSG_ADDRESS_BYTES. */
ENR_MUST_CHECK enum err meshmsg_decode_ma_disconnect(
	const struct meshmsg *msg, const uint8_t **address);

/* MA_CONNECTION_STATE, to who asked for the connection. */
enum meshmsg_ma_state_value { MESHMSG_MA_DISCONNECTED = 0, MESHMSG_MA_HANDSHAKE_DONE = 4 };

struct meshmsg_ma_state {
	uint16_t partner_id; /* the virtual one */
	uint8_t state;       /* enum meshmsg_ma_state_value or another, §2.6 */
};

ENR_MUST_CHECK enum err meshmsg_encode_ma_state(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_ma_state *m);
ENR_MUST_CHECK enum err meshmsg_decode_ma_state(
	const struct meshmsg *msg, struct meshmsg_ma_state *out);

/* SERIAL_CONNECT, always the full 38 bytes of payload. */
struct meshmsg_serial_connect {
	uint32_t serial_index;
	uint32_t key_id;
	const uint8_t *key; /* as in MA_CONNECT */
	uint16_t node_id;   /* the peer's virtual id from then on, 33000…57999; else: as usual */
	uint32_t keep_alive_s;
	const uint8_t *address; /* its six bytes 0: look for the serial first */
	bool is_forced;
};

ENR_MUST_CHECK enum err meshmsg_encode_serial_connect(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_serial_connect *m);
ENR_MUST_CHECK enum err meshmsg_decode_serial_connect(
	const struct meshmsg *msg, struct meshmsg_serial_connect *out);

enum meshmsg_serial_code {
	MESHMSG_SERIAL_OK = 0,
	MESHMSG_SERIAL_TIMEOUT = 1,
	MESHMSG_SERIAL_OVERWRITTEN = 2 /* by another request */
};

struct meshmsg_serial_connected {
	uint8_t code; /* enum meshmsg_serial_code or another */
	uint16_t partner_id;
};

ENR_MUST_CHECK enum err meshmsg_encode_serial_connected(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_serial_connected *m);
ENR_MUST_CHECK enum err meshmsg_decode_serial_connected(
	const struct meshmsg *msg, struct meshmsg_serial_connected *out);

#endif
