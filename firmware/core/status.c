/* What the node tells about itself: NODE and STATUS_REPORTER modules, module list (mesh-protocol
 * §8.4, §8.6, §8.8). */
#include "node.h"

#define RESET_SECOND_MS 1000u

static struct meshmsg_route back(const struct node *n, const struct meshmsg *m)
{
	return (struct meshmsg_route){n->config.node_id, m->sender, m->request_handle};
}

static enum err write_device_info(const struct node *n, struct wr *w, struct meshmsg_route route)
{
	struct meshmsg_device_info info = {
		.manufacturer = n->id.manufacturer,
		.serial_index = n->id.serial_index,
		.address_type = n->chip.address[0],
		.network_id = n->config.network_id,
		.node_version = NODE_VERSION,
		.dbm_rx = n->chip.rx_dbm,
		.dbm_tx = n->chip.tx_dbm,
		.device_type = n->features->device_type,
		.calibrated_tx = n->chip.calibrated_tx_dbm,
		.chip_group = n->features->chip_group,
		.featureset_group = n->features->featureset_group,
	};

	memcpy(info.chip_id, n->chip.device_id, sizeof(info.chip_id));
	memcpy(info.address, n->chip.address + 1, sizeof(info.address));
	return meshmsg_encode_device_info(w, route, &info);
}

static uint8_t left_of(int max, int used)
{
	return (uint8_t)(used < max ? max - used : 0);
}

static enum err write_status(const struct node *n, struct wr *w, struct meshmsg_route route)
{
	int in = n->mesh.links_in + access_count(n, PORT_PERIPHERAL);
	int out = n->mesh.links_out + access_count(n, PORT_CENTRAL);
	const struct meshmsg_status status = {
		.cluster_size = (int16_t)n->mesh.cluster_size,
		.in_connection_partner = n->mesh.in.node_id,
		.in_connection_rssi_dbm = n->mesh.in.rssi_dbm,
		.free_in = left_of(ACCESS_IN_MAX, in),
		.free_out = left_of(ACCESS_OUT_MAX, out),
		.battery_dv = n->chip.battery_dv,
		.connection_loss_count = n->mesh.loss_count,
		.is_initialized = n->is_initialized,
	};

	return meshmsg_encode_status(w, route, &status);
}

/* §8.6: to everybody, whoever asks. */
static enum err write_connections(const struct node *n, struct wr *w, struct meshmsg_route route)
{
	struct meshmsg_connections c = {{{n->mesh.in.node_id, n->mesh.in.rssi_dbm}}};

	for (size_t i = 0; i < PORT_MESH_OUT_MAX; i++)
		c.partner[1 + i] =
			(struct meshmsg_partner){n->mesh.out[i].node_id, n->mesh.out[i].rssi_dbm};
	route.receiver = MESHMSG_BROADCAST;
	return meshmsg_encode_connections(w, route, &c);
}

static enum err write_nearby(struct node *n, struct wr *w, struct meshmsg_route route)
{
	struct meshmsg_nearby nearby;

	nearby_take(n, &nearby);
	return meshmsg_encode_nearby(w, route, &nearby);
}

static enum err write_time(const struct node *n, struct wr *w, struct meshmsg_route route)
{
	struct meshmsg_time time;

	meshtime_get(n, &time);
	route.request_handle = 0; /* §8.4: not echoed */
	return meshmsg_encode_time(w, route, &time);
}

static enum err set_discovery(
	struct node *n, const struct meshmsg *m, struct wr *w, struct meshmsg_route route)
{
	bool is_high;
	enum err e = meshmsg_decode_set_discovery(m, &is_high);

	if (e != ERR_OK)
		return e;
	discovery_set(n, is_high);
	route.request_handle = 0;
	return meshmsg_encode_plain(w, route, MESHMSG_DISCOVERY_SET);
}

/* §3.9: to this node; how the mesh would hand it on nobody has told us. */
static void set_time(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_timestamp stamp;

	if (meshmsg_decode_timestamp(m, &stamp) == ERR_OK)
		meshtime_set(n, &stamp);
}

static enum err write_module_list(struct wr *w, struct meshmsg_route route)
{
	static const struct meshmsg_module_entry modules[] = {
		{MESHMSG_MODULE_NODE, 2, true},
		{MESHMSG_MODULE_STATUS, 2, true},
		{MESHMSG_MODULE_ENROLLMENT, 1, true},
		{MESHMSG_MODULE_MESH_ACCESS, 2, true},
	};

	return meshmsg_encode_module_list(w, route, modules, sizeof(modules) / sizeof(modules[0]));
}

/* The number of nodes in the whole mesh, kept in record 0 (§7.3). */
static enum err set_enrolled_nodes(
	struct node *n, const struct meshmsg *m, struct wr *w, struct meshmsg_route route)
{
	uint8_t record[CONFIG_RECORD_BYTES];
	uint16_t count;
	enum err e = meshmsg_decode_enrolled_nodes(m, &count);

	if (e != ERR_OK)
		return e;
	if (count != n->config.enrolled_nodes) {
		n->config.enrolled_nodes = count;
		config_encode(&n->config, record);
		/* A count that is lost is told again; nothing depends on it. */
		if (n->config.enrolled && !n->features->no_storage)
			(void)!records_save(&n->records, RECORDS_ID_NODE, false, record,
				sizeof(record), NULL, NULL);
		bytes_wipe(record, sizeof(record));
	}
	discovery_on_count(n);
	route.request_handle = 0; /* §8.4: not echoed */
	return meshmsg_encode_enrolled_nodes(w, route, MESHMSG_ENROLLED_NODES, count);
}

static void reset_node(struct node *n, const struct meshmsg *m)
{
	uint8_t seconds;

	if (meshmsg_decode_reset_node(m, &seconds) == ERR_OK)
		node_plan_reboot(n, seconds * RESET_SECOND_MS, PORT_REBOOT_REMOTE_RESET);
}

/* ERR_NOT_FOUND: nothing to answer. */
static enum err answer(struct node *n, const struct meshmsg *m, struct wr *w)
{
	struct meshmsg_route route = back(n, m);

	switch ((int)m->kind) {
	case MESHMSG_PING:
		return meshmsg_encode_plain(w, route, MESHMSG_PING_RESPONSE);
	case MESHMSG_SET_ENROLLED_NODES:
		return set_enrolled_nodes(n, m, w, route);
	case MESHMSG_SET_DISCOVERY:
		return set_discovery(n, m, w, route);
	case MESHMSG_GET_TIME:
		return write_time(n, w, route);
	case MESHMSG_GET_STATUS:
		return write_status(n, w, route);
	case MESHMSG_GET_CONNECTIONS:
		return write_connections(n, w, route);
	case MESHMSG_GET_NEARBY:
		return write_nearby(n, w, route);
	case MESHMSG_SET_INITIALIZED:
		n->is_initialized = true;
		return meshmsg_encode_plain(w, route, MESHMSG_INITIALIZED_SET);
	case MESHMSG_GET_DEVICE_INFO:
		return write_device_info(n, w, route);
	case MESHMSG_GET_MODULE_LIST:
		return write_module_list(w, route);
	case MESHMSG_UPDATE_TIMESTAMP:
		set_time(n, m);
		return ERR_NOT_FOUND;
	case MESHMSG_RESET_NODE:
		reset_node(n, m);
		return ERR_NOT_FOUND;
	default:
		return ERR_NOT_FOUND;
	}
}

void status_on_message(struct node *n, const struct meshmsg *m)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	enum err e = answer(n, m, &w);

	node_send_written(n, &w, e);
}
