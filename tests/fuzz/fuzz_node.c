/* A whole node in the virtual air, and somebody who says anything: packets on a link, messages from
 * the mesh, advertisements, flash that fails, time. The input is a row of {order, length, bytes}.
 * Whatever comes, the node neither breaks nor changes its enrollment without a key (it is given
 * none). */
#include "base/crypto_openssl.h"
#include "firmware/port/host/air_room.h"
#include "fuzz/fuzz.h"

#define RUN_MAX_MS 3000

struct stage {
	struct air *air;
	struct air_radio *radio;
	struct sim_node *node;
	uint16_t link;
	bool subscribed, from_mesh;
};

static void on_report(void *ctx, const struct port_report *report, struct span rsp)
{
	(void)ctx;
	(void)report;
	(void)rsp;
}

static void on_connected(void *ctx, uint16_t link, enum err result)
{
	struct stage *s = ctx;

	if (result == ERR_OK)
		(void)!air_radio_subscribe(s->radio, link);
}

static void on_subscribed(void *ctx, uint16_t link)
{
	(void)link;
	((struct stage *)ctx)->subscribed = true;
}

static void on_notified(void *ctx, uint16_t link, struct span pdu)
{
	(void)ctx;
	(void)link;
	MUST(pdu.n >= 1 && pdu.n <= PORT_PDU_MAX_BYTES);
}

static void on_disconnected(void *ctx, uint16_t link, uint8_t reason)
{
	(void)link;
	(void)reason;
	((struct stage *)ctx)->subscribed = false;
}

static const struct air_radio_ops ops = {
	.report = on_report,
	.connected = on_connected,
	.subscribed = on_subscribed,
	.notified = on_notified,
	.disconnected = on_disconnected,
};

static void hear(struct stage *s, const uint8_t *bytes, size_t n)
{
	struct port_report report = {.rssi_dbm = -50, .connectable = true, .data = {bytes, n}};

	if (s->node->running && n <= PORT_ADV_MAX_BYTES)
		node_on_report(&s->node->core, air_now_ms(s->air), &report);
}

static void obey(struct stage *s, uint8_t order, const uint8_t *bytes, size_t n)
{
	switch (order % 6) {
	case 0:
		if (!s->subscribed)
			(void)!air_radio_connect(
				s->radio, sim_node_address(s->node), 1000, &s->link);
		break;
	case 1:
		if (n > 0 && n <= PORT_PDU_MAX_BYTES)
			(void)!air_radio_write(s->radio, s->link, bytes, n);
		break;
	case 2:
		s->from_mesh = true; /* who is in the mesh has the network key */
		if (s->node->running)
			node_on_mesh_message(&s->node->core, air_now_ms(s->air), 1, bytes, n);
		break;
	case 3:
		hear(s, bytes, n);
		break;
	case 4:
		sim_node_set_faults(s->node, n > 0 ? bytes[0] & SIM_FAULT_FLASH : 0);
		break;
	default:
		air_radio_lose(s->radio, s->link);
		break;
	}
	sim_node_rearm(s->node);
	air_run_until(s->air, air_now_ms(s->air) + (order >> 4) * (RUN_MAX_MS / 15));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stage s = {.air = air_new(1, aes128_default())};
	struct sim_enrollment before, after;
	struct sim_spec spec;

	sim_spec_init(&spec);
	spec.serial_index = 2;
	memset(spec.node_key.b, 0xA0, 16);
	spec.preset.enrolled = size > 0 && data[0] % 2 == 1;
	spec.preset.network_id = 480;
	spec.preset.node_id = 1;
	memset(spec.preset.network_key.b, 0x10, 16);
	MUST(air_add_node(s.air, &spec, NULL, &s.node) == ERR_OK);
	s.radio = air_radio_new(s.air, &ops, &s);
	air_run_until(s.air, 1000);
	sim_node_state(s.node, &before);
	for (size_t i = 1; i + 2 <= size;) {
		size_t n = data[i + 1] < size - i - 2 ? data[i + 1] : size - i - 2;

		obey(&s, data[i], data + i + 2, n);
		i += 2 + n;
	}
	air_run_until(s.air, air_now_ms(s.air) + 20000);
	sim_node_state(s.node, &after);
	if (!s.from_mesh)
		MUST(before.enrolled == after.enrolled && before.node_id == after.node_id &&
			before.network_id == after.network_id);
	MUST(s.node->flash.breach_count == 0);
	air_radio_free(s.radio);
	air_free(s.air);
	return 0;
}
