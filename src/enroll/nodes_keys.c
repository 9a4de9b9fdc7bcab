/* The rules for what leaves with a key in it: labels and keys for apps (enroll/nodes.h). */
#include <string.h>

#include "base/crypto_openssl.h"
#include "enr/meshadv.h"
#include "enr/meshsec.h"
#include "enr/qrlabel.h"
#include "enr/serial.h"
#include "enroll/audit.h"
#include "enroll/nodes_room.h"
#include "store/networks.h"
#include "store/nodes.h"

#define MANUFACTURER_DEFAULT 0x024D /* mesh-protocol §5.4: who has no company id of his own */
#define VENDOR_RANGE 0x80000000u /* serial numbers with the company id in bits 15 to 30 (§5.2) */

static enum err audit_node(struct nodes *n, const char *event, const struct caller *who,
	const struct node_row *row, const struct clock_now *now)
{
	char serial[SERIAL_TEXT_SIZE];
	struct audit a;

	serial_print(row->job.serial, serial);
	audit_start(&a, event, who);
	audit_text(&a, "serial", serial);
	audit_u64(&a, "network", row->network_id);
	return audit_write(&a, n->store, now->wall_s);
}

static enum err get_node(
	struct nodes *n, const char *text, struct node_row *out, struct reason *why)
{
	uint32_t serial = 0;
	enum err e;

	if (serial_parse(text, strlen(text), &serial) != ERR_OK)
		return nodes_refuse(why, ERR_INVALID, "serial", "not a serial number");
	e = store_nodes_get(n->store, serial, out);
	if (e == ERR_NOT_FOUND)
		return nodes_refuse(why, e, "serial", "there is no such node");
	return nodes_explain(why, e);
}

/* The caller wipes *out. */
static enum err known_key(
	struct nodes *n, const struct node_row *row, struct secret16 *out, struct reason *why)
{
	enum err e = nodes_explain(why, store_nodes_key(n->store, row->job.row, out));

	if (e == ERR_OK && secret16_is_unset(out))
		return nodes_refuse(why, ERR_CONFLICT, "serial", "its node key is not known");
	return e;
}

/* --- labels ---------------------------------------------------------------------------------- */

static uint16_t manufacturer_of(uint32_t serial)
{
	return serial & VENDOR_RANGE ? (uint16_t)(serial >> 15) : MANUFACTURER_DEFAULT;
}

static void fill_label(const struct node_row *row, struct qr_label *out)
{
	out->serial_index = row->job.serial;
	out->manufacturer = manufacturer_of(row->job.serial);
	out->has_node_key = true;
	out->device_type =
		row->device_type == MESHADV_DEVICE_ASSET ? QR_DEVICE_ASSET : QR_DEVICE_BLENODE;
	memcpy(out->name, row->name, sizeof(out->name));
}

enum err nodes_label(struct nodes *n, const struct clock_now *now, const struct caller *who,
	const char *serial, char out[QR_LABEL_PRINT_MAX], struct reason *why)
{
	struct qr_label label = {0};
	struct node_row row = {0};
	size_t length = 0;
	enum err e = nodes_need(who, ROLE_ADMIN, why);

	if (e == ERR_OK)
		e = get_node(n, serial, &row, why);
	if (e == ERR_OK)
		e = known_key(n, &row, &label.node_key, why);
	if (e == ERR_OK)
		e = nodes_explain(why, audit_node(n, "node_label_revealed", who, &row, now));
	if (e == ERR_OK) {
		fill_label(&row, &label);
		e = nodes_explain(why, qr_label_print(&label, out, QR_LABEL_PRINT_MAX, &length));
	}
	qr_label_clear(&label);
	return e;
}

/* --- keys for apps --------------------------------------------------------------------------- */

static enum err audit_key(struct nodes *n, const struct caller *who, uint16_t id, uint32_t key_id,
	const struct clock_now *now)
{
	struct audit a;

	audit_start(&a, "network_app_key_revealed", who);
	audit_u64(&a, "network", id);
	audit_u64(&a, "key_id", key_id);
	return audit_write(&a, n->store, now->wall_s);
}

enum err nodes_user_key(struct nodes *n, const struct clock_now *now, const struct caller *who,
	uint16_t id, uint32_t key_id, struct secret16 *out, struct reason *why)
{
	struct network_row network;
	struct network_keys keys = {0};
	enum err e = nodes_need(who, ROLE_ADMIN, why);

	if (e == ERR_OK && (key_id < MESHSEC_KEY_USER_FIRST || key_id > MESHSEC_KEY_USER_LAST))
		return nodes_refuse(why, ERR_INVALID, "key_id", "keys of users are 10 and above");
	if (e == ERR_OK)
		e = nodes_get_network(n, id, &network, why);
	if (e == ERR_OK)
		e = nodes_explain(why, audit_key(n, who, id, key_id, now));
	if (e == ERR_OK)
		e = nodes_explain(why, store_networks_keys(n->store, id, &keys));
	if (e == ERR_OK)
		e = nodes_explain(
			why, meshsec_user_key(aes128_default(), &keys.user_base, key_id, out));
	bytes_wipe(&keys, sizeof(keys));
	return e;
}

enum err nodes_restrained_key(struct nodes *n, const struct clock_now *now,
	const struct caller *who, uint16_t id, const char *serial, struct secret16 *out,
	struct reason *why)
{
	struct secret16 key = {{0}};
	struct node_row row = {0};
	enum err e = nodes_need(who, ROLE_ADMIN, why);

	if (e == ERR_OK)
		e = get_node(n, serial, &row, why);
	if (e == ERR_OK && row.network_id != id)
		e = nodes_refuse(why, ERR_NOT_FOUND, "serial", "that node is not in this network");
	if (e == ERR_OK)
		e = known_key(n, &row, &key, why);
	if (e == ERR_OK)
		e = nodes_explain(
			why, audit_node(n, "node_restrained_key_revealed", who, &row, now));
	if (e == ERR_OK)
		e = nodes_explain(why, meshsec_restrained_key(aes128_default(), &key, out));
	secret16_wipe(&key);
	return e;
}
