/*
 * A whole node in the virtual air, another one beside it, and somebody who says anything: packets
 * on a link, messages under any key, messages from the mesh, advertisements, flash that fails,
 * power that fails, the button, modules that have a say in an enrollment, time. The input is a row
 * of {order, length, bytes}; the order's upper half is time. Whatever comes, the node neither
 * breaks nor writes a flash word twice, and without a key, a mesh and the button its enrollment
 * stays as it is.
 */
#include "base/crypto_openssl.h"
#include "enr/meshadv.h"
#include "firmware/port/host/air_room.h"
#include "fuzz/fuzz.h"
#include "support/sim_gateway.h"

#define STEP_MS 200

enum order {
	ORDER_CONNECT,
	ORDER_WRITE, /* a packet, as it is */
	ORDER_FROM_MESH,
	ORDER_HEAR, /* an advertisement */
	ORDER_FAULTS,
	ORDER_LOSE,
	ORDER_HANDSHAKE, /* key, tunnel */
	ORDER_SEND,      /* a message, sealed */
	ORDER_BUTTON,
	ORDER_CUT_POWER, /* at the n-th flash operation */
	ORDER_PRE,       /* what the modules will say when they are asked */
	ORDER_PRE_DONE,  /* who of them says what */
	ORDER_COUNT
};

#define MODULES 2

struct stage {
	struct air *air;
	enum enroll_pre says;
	struct enroll_pre_handler modules[MODULES];
	struct gateway g;
	struct sim_node *node;
	bool entitled; /* who has a key, is in the mesh or at the button may change things */
};

static struct secret16 filled(uint8_t byte)
{
	struct secret16 k;

	memset(k.b, byte, sizeof(k.b));
	return k;
}

static void hear(struct stage *s, const uint8_t *bytes, size_t n)
{
	struct port_report report = {.rssi_dbm = -50, .connectable = true, .data = {bytes, n}};

	if (s->node->running && n <= PORT_ADV_MAX_BYTES)
		node_on_report(&s->node->core, air_now_ms(s->air), &report);
}

static void from_mesh(struct stage *s, const uint8_t *bytes, size_t n)
{
	s->entitled = true;
	if (s->node->running)
		node_on_mesh_message(&s->node->core, air_now_ms(s->air), 1, bytes, n);
}

static void write_raw(struct stage *s, const uint8_t *bytes, size_t n)
{
	if (s->g.connected && n > 0 && n <= PORT_PDU_MAX_BYTES)
		(void)!air_radio_write(s->g.radio, s->g.link, bytes, n);
}

/* Some key, right but for ZERO and USER, of which the node may have none. */
static struct secret16 key_of(uint32_t key_id)
{
	const struct secret16 base = filled(0x22), node_key = filled(0xA0);
	struct secret16 out = filled(0);

	switch (key_id) {
	case MESHSEC_KEY_ZERO:
		break;
	case MESHSEC_KEY_NODE:
		return node_key;
	case MESHSEC_KEY_NETWORK:
		return filled(0x10);
	case MESHSEC_KEY_ORGANIZATION:
		return filled(0x33);
	case MESHSEC_KEY_RESTRAINED:
		MUST(meshsec_restrained_key(aes128_default(), &node_key, &out) == ERR_OK);
		break;
	default:
		MUST(meshsec_user_key(aes128_default(), &base, key_id, &out) == ERR_OK);
		break;
	}
	return out;
}

static void handshake(struct stage *s, uint8_t which, uint8_t tunnel)
{
	static const uint32_t ids[] = {MESHSEC_KEY_NODE, MESHSEC_KEY_NETWORK,
		MESHSEC_KEY_ORGANIZATION, MESHSEC_KEY_RESTRAINED, MESHSEC_KEY_ZERO,
		MESHSEC_KEY_USER_FIRST};
	uint32_t id = ids[which % (sizeof(ids) / sizeof(ids[0]))];
	struct secret16 key = key_of(id);

	if (s->g.connected)
		return;
	s->entitled = true;
	(void)gateway_open(&s->g, s->node, id, (enum meshsec_tunnel)(tunnel % 3), &key);
}

static void send_sealed(struct stage *s, const uint8_t *bytes, size_t n)
{
	struct meshsec_pdu pdu;

	if (!s->g.open || meshsec_send_begin(&s->g.sec, bytes, n) != ERR_OK)
		return;
	while (meshsec_send_next(&s->g.sec, &pdu) == ERR_OK)
		(void)!air_radio_write(s->g.radio, s->g.link, pdu.b, pdu.len);
}

static enum enroll_pre ask_module(void *ctx, bool is_removal, struct span request)
{
	const struct stage *s = ctx;

	(void)is_removal;
	MUST(request.n <= MESHMSG_SET_ENROLLMENT_BYTES);
	return s->says;
}

static enum enroll_pre pre_of(uint8_t byte)
{
	static const enum enroll_pre results[] = {
		ENROLL_PRE_DONE, ENROLL_PRE_WAITING, ENROLL_PRE_FAILED};

	return results[byte % (sizeof(results) / sizeof(results[0]))];
}

static void pre_done(struct stage *s, uint8_t who, uint8_t what)
{
	if (s->node->running)
		node_pre_enrollment_done(&s->node->core, air_now_ms(s->air),
			&s->modules[who % MODULES], pre_of(what));
}

static void obey(struct stage *s, enum order order, const uint8_t *bytes, size_t n)
{
	uint8_t first = n > 0 ? bytes[0] : 0;

	switch (order) {
	case ORDER_CONNECT:
		if (!s->g.connected)
			(void)gateway_connect(&s->g, s->node);
		break;
	case ORDER_WRITE:
		write_raw(s, bytes, n);
		break;
	case ORDER_FROM_MESH:
		from_mesh(s, bytes, n);
		break;
	case ORDER_HEAR:
		hear(s, bytes, n);
		break;
	case ORDER_FAULTS:
		sim_node_set_faults(s->node, first & SIM_FAULT_FLASH);
		break;
	case ORDER_LOSE:
		air_radio_lose(s->g.radio, s->g.link);
		break;
	case ORDER_HANDSHAKE:
		handshake(s, first, n > 1 ? bytes[1] : 0);
		break;
	case ORDER_SEND:
		send_sealed(s, bytes, n);
		break;
	case ORDER_BUTTON:
		s->entitled = true;
		sim_node_button(s->node, first & 1);
		break;
	case ORDER_CUT_POWER:
		sim_node_cut_power_at(s->node, first % 16);
		break;
	case ORDER_PRE:
		s->says = pre_of(first);
		break;
	case ORDER_PRE_DONE:
		pre_done(s, first, n > 1 ? bytes[1] : 0);
		break;
	case ORDER_COUNT:
		break;
	}
}

static void add_modules(struct stage *s)
{
	for (size_t i = 0; i < MODULES; i++)
		s->modules[i] = (struct enroll_pre_handler){ask_module, s};
	s->node->features.pre = s->modules;
	s->node->features.pre_count = MODULES;
}

static void add_nodes(struct stage *s, uint8_t bits)
{
	struct sim_spec spec;
	struct sim_node *other;

	sim_spec_init(&spec);
	spec.serial_index = 3;
	spec.node_key = filled(0xA1);
	MUST(air_add_node(s->air, &spec, NULL, &other) == ERR_OK);
	spec.serial_index = 2;
	spec.node_key = filled(0xA0);
	spec.unsecure = bits & 2;
	spec.no_storage = bits & 4;
	spec.button_ds = bits & 8 ? 100 : 0;
	if (bits & 16)
		spec.device_type = MESHADV_DEVICE_ASSET;
	spec.preset.enrolled = bits & 1;
	spec.preset.network_id = 480;
	spec.preset.node_id = 1;
	spec.preset.network_key = filled(0x10);
	spec.preset.user_base_key = filled(0x22);
	spec.preset.organization_key = filled(0x33);
	MUST(air_add_node(s->air, &spec, NULL, &s->node) == ERR_OK);
	if (bits & 32)
		add_modules(s);
}

static void play(struct stage *s, struct rd *r)
{
	while (r->left_bytes >= 2) {
		uint8_t order = rd_u8(r);
		size_t n = rd_u8(r);

		n = n < r->left_bytes ? n : r->left_bytes;
		obey(s, (enum order)(order & 15), rd_view(r, n), n);
		sim_node_rearm(s->node);
		gateway_run(&s->g, (order >> 4) * STEP_MS);
		s->g.inbox_count = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stage s = {.air = air_new(1, aes128_default()), .says = ENROLL_PRE_DONE};
	struct sim_enrollment before, after;
	struct rd r = rd_init(data, size);

	add_nodes(&s, rd_u8(&r));
	gateway_init(&s.g, s.air);
	gateway_run(&s.g, 1000);
	sim_node_state(s.node, &before);
	play(&s, &r);
	gateway_run(&s.g, 20000);
	sim_node_state(s.node, &after);
	if (!s.entitled)
		MUST(before.enrolled == after.enrolled && before.node_id == after.node_id &&
			before.network_id == after.network_id);
	MUST(s.node->flash.breach_count == 0);
	gateway_done(&s.g);
	air_free(s.air);
	return 0;
}
