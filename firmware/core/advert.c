/* What the node says to everybody: the MeshAccess advertisement (mesh-protocol §2.4). */
#include "enr/meshadv.h"
#include "node.h"

#define FLAGS_NONE 0xFF

static void fill(const struct node *n, struct meshadv *adv)
{
	const struct node_features *f = n->features;

	memset(adv, 0, sizeof(*adv));
	adv->is_enrolled = n->config.enrolled;
	adv->is_sink = f->device_type == MESHADV_DEVICE_SINK;
	adv->is_zero_key_connectable = !n->config.enrolled && f->allow_unsecure;
	adv->has_free_in_connection = node_has_free_in(n);
	adv->network_id = n->config.network_id;
	adv->serial_index = n->id.serial_index;
	memcpy(adv->module_ids, f->module_ids, sizeof(adv->module_ids));
	adv->device_type = f->device_type;
}

static uint8_t flags_of(const struct meshadv *adv)
{
	return (uint8_t)((adv->is_enrolled ? 1 : 0) | (adv->is_zero_key_connectable ? 4 : 0) |
			 (adv->has_free_in_connection ? 8 : 0));
}

static void stop(struct node *n)
{
	const struct span none = {NULL, 0};

	if (n->adv_flags == FLAGS_NONE)
		return;
	n->adv_flags = FLAGS_NONE;
	(void)n->port->advertise(n->port->ctx, none, none, 0);
}

static uint16_t interval_ms(const struct node *n)
{
	return n->features->adv_interval_ms != 0 ? n->features->adv_interval_ms
						 : NODE_ADV_INTERVAL_MS;
}

void advert_refresh(struct node *n)
{
	uint8_t payload[MESHADV_BYTES], response[MESHADV_SCAN_RESPONSE_MAX];
	struct meshadv adv;
	struct span rsp;

	if (n->is_mute) {
		stop(n);
		return;
	}
	fill(n, &adv);
	if (flags_of(&adv) == n->adv_flags && adv.network_id == n->adv_network_id)
		return;
	meshadv_encode(&adv, payload);
	rsp = (struct span){response, meshadv_encode_scan_response(adv.serial_index, response)};
	if (n->port->advertise(n->port->ctx, (struct span){payload, sizeof(payload)}, rsp,
		    interval_ms(n)) != ERR_OK)
		return;
	n->adv_flags = flags_of(&adv);
	n->adv_network_id = adv.network_id;
}
