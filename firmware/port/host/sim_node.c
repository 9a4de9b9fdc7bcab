/* The host's port: one simulated node, its boot, its flash and its faults. */
#include "sim_node.h"

#include <stdlib.h>

#include "air_room.h"

#define BOOT_MS 200
#define REBOOT_MS 500 /* §4.4.12: links are dropped, then the reset */
#define ERASE_MS 85
#define WRITE_MS 2
#define RX_DBM (-93)
#define TX_DBM 4
#define CALIBRATED_DBM (-63)
#define BATTERY_DV 30
#define MANUFACTURER 0x024D
#define UICR_MAGIC 0x00F07700u
#define SIM_ADV_INTERVAL_MS 100

void sim_node_rearm(struct sim_node *n);

/* --- time
 * ------------------------------------------------------------------------------------------- */

static void on_timer(struct air *air, struct air_event *ev)
{
	struct sim_node *n = ev->node;

	if (n->timer_at_ms != ev->at_ms)
		return;
	n->timer_at_ms = 0;
	node_on_timer(&n->core, air->now_ms);
	sim_node_rearm(n);
}

void sim_node_rearm(struct sim_node *n)
{
	uint64_t now = n->air->now_ms, at;

	if (!n->running)
		return;
	at = node_deadline_ms(&n->core);
	if (at == NODE_NEVER)
		return;
	if (at <= now)
		at = now + 1;
	if (n->timer_at_ms != 0 && n->timer_at_ms <= at)
		return;
	n->timer_at_ms = at;
	air_plan(n->air, at - now, on_timer, n);
}

/* --- the port
 * ------------------------------------------------------------------------------------------ */

static enum err port_flash_read(void *ctx, uint32_t offset, void *dst, size_t n)
{
	return sim_flash_read(&((struct sim_node *)ctx)->flash, offset, dst, n);
}

static void lose_power(struct sim_node *n)
{
	sim_node_power(n, false);
}

static void on_flash(struct air *air, struct air_event *ev)
{
	if (ev->result == ERR_CLOSED) {
		lose_power(ev->node);
		return;
	}
	node_on_flash(&ev->node->core, air->now_ms, ev->result);
	sim_node_rearm(ev->node);
}

static enum err plan_flash(struct sim_node *n, uint64_t delay_ms, enum err result)
{
	if (result == ERR_RANGE)
		return result;
	air_plan(n->air, delay_ms, on_flash, n)->result = result;
	return ERR_OK;
}

static bool is_faulty(struct sim_node *n)
{
	bool once = (n->spec.faults & SIM_FAULT_FLASH_1) != 0;

	n->spec.faults &= ~(uint32_t)SIM_FAULT_FLASH_1;
	return once || (n->spec.faults & SIM_FAULT_FLASH) != 0;
}

static enum err port_flash_erase(void *ctx, uint32_t page)
{
	struct sim_node *n = ctx;

	return plan_flash(n, ERASE_MS, sim_flash_erase(&n->flash, page));
}

static enum err port_flash_write(void *ctx, uint32_t offset, const void *src, size_t n)
{
	struct sim_node *node = ctx;

	if (is_faulty(node))
		return plan_flash(node, WRITE_MS, ERR_IO);
	return plan_flash(node, WRITE_MS, sim_flash_write(&node->flash, offset, src, n));
}

static enum err port_advertise(void *ctx, struct span adv, struct span rsp, uint16_t interval_ms)
{
	struct sim_node *n = ctx;

	if (adv.n > sizeof(n->adv) || rsp.n > sizeof(n->rsp))
		return ERR_RANGE;
	if (adv.n > 0)
		memcpy(n->adv, adv.p, adv.n);
	if (rsp.n > 0)
		memcpy(n->rsp, rsp.p, rsp.n);
	n->adv_bytes = adv.n;
	n->rsp_bytes = rsp.n;
	n->adv_interval_ms = interval_ms;
	air_start_advertising(n);
	return ERR_OK;
}

static enum err port_scan(void *ctx, enum port_scan duty)
{
	((struct sim_node *)ctx)->scan = duty;
	return ERR_OK;
}

static enum err port_connect(
	void *ctx, const uint8_t address[PORT_ADDRESS_BYTES], uint32_t timeout_ms)
{
	return air_connect_node(ctx, address, timeout_ms);
}

static void port_connect_cancel(void *ctx)
{
	air_connect_cancel(ctx);
}

static enum err port_link_subscribe(void *ctx, uint16_t link)
{
	return air_subscribe_node(ctx, link);
}

static enum err port_link_send(void *ctx, uint16_t link, const void *pdu, size_t n)
{
	return air_send_node(ctx, link, pdu, n);
}

static void port_link_disconnect(void *ctx, uint16_t link)
{
	air_disconnect_node(ctx, link);
}

static enum err port_mesh_start(void *ctx, const struct port_mesh *mesh)
{
	air_mesh_start(ctx, mesh);
	return ERR_OK;
}

static void port_mesh_stop(void *ctx)
{
	air_mesh_stop(ctx);
}

static void port_mesh_discovery(void *ctx, bool is_high)
{
	((struct sim_node *)ctx)->is_idle = !is_high;
}

static void port_mesh_send(void *ctx, uint16_t except_link, const void *message, size_t n)
{
	uint8_t b[PORT_MESH_MAX_BYTES];

	if (n > sizeof(b))
		return;
	memcpy(b, message, n);
	sim_tap_message(ctx, b, n);
	air_mesh_send(ctx, except_link, b, n);
}

static enum err port_random(void *ctx, void *out, size_t n)
{
	struct sim_node *node = ctx;
	uint8_t *p = out;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)air_random(node->air);
	return ERR_OK;
}

static void put_key(uint32_t *words, const struct secret16 *key)
{
	struct rd r = rd_init(key->b, sizeof(key->b));

	for (int i = 0; i < 4; i++)
		words[i] = rd_u32(&r);
}

static void port_uicr_read(void *ctx, uint32_t words[PORT_UICR_WORDS])
{
	const struct sim_spec *s = &((struct sim_node *)ctx)->spec;

	memset(words, 0xFF, PORT_UICR_WORDS * sizeof(words[0]));
	words[0] = UICR_MAGIC;
	put_key(words + 4, &s->node_key);
	words[8] = MANUFACTURER;
	words[9] = s->uicr_network_id;
	if (s->uicr_node_id != 0)
		words[10] = s->uicr_node_id;
	words[12] = s->serial_index;
	if (s->has_uicr_network_key)
		put_key(words + 13, &s->uicr_network_key);
}

static void port_chip_read(void *ctx, struct port_chip *out)
{
	const struct sim_node *n = ctx;
	struct wr w = wr_init(out->device_id, sizeof(out->device_id));

	memset(out, 0, sizeof(*out));
	memcpy(out->address, n->address, sizeof(out->address));
	wr_u32(&w, 0x51D0DE00u);
	wr_u32(&w, n->spec.serial_index);
	out->rx_dbm = RX_DBM;
	out->tx_dbm = TX_DBM;
	out->calibrated_tx_dbm = CALIBRATED_DBM;
	out->battery_dv = BATTERY_DV;
	out->last_reboot = n->last_reboot;
}

static void port_leds(void *ctx, uint8_t on)
{
	((struct sim_node *)ctx)->leds = on;
}

static void port_uart_line(void *ctx, const char *line, size_t n)
{
	struct sim_node *node = ctx;

	if (!node->terminal || SIM_TERMINAL_BYTES - node->terminal_bytes < n + 2)
		return;
	memcpy(node->terminal + node->terminal_bytes, line, n);
	memcpy(node->terminal + node->terminal_bytes + n, "\r\n", 2);
	node->terminal_bytes += n + 2;
}

/* --- life
 * --------------------------------------------------------------------------------------------- */

static void on_boot(struct air *air, struct air_event *ev)
{
	struct sim_node *n = ev->node;

	n->running = true;
	node_init(&n->core, &n->port, &n->features, air->now_ms);
	sim_node_rearm(n);
}

/* All that the node was doing ends; its peers see this reason. */
static void stop(struct sim_node *n, uint8_t hci_reason)
{
	n->epoch++;
	n->running = false;
	n->timer_at_ms = 0;
	n->adv_bytes = 0;
	n->adv_run++;
	n->scan = PORT_SCAN_OFF;
	n->mesh_on = false;
	n->is_idle = false;
	n->loss_count = 0;
	air_drop_node(n, hci_reason);
	air_mesh_drop_node(n);
	memset(&n->mesh_state, 0, sizeof(n->mesh_state));
	secret16_wipe(&n->mesh.network_key);
}

static void port_reboot(void *ctx, enum port_reboot why)
{
	struct sim_node *n = ctx;

	stop(n, AIR_HCI_REMOTE);
	n->last_reboot = why;
	n->reboots++;
	air_plan(n->air, REBOOT_MS + BOOT_MS, on_boot, n);
}

static void port_power_off(void *ctx)
{
	stop(ctx, AIR_HCI_REMOTE);
	((struct sim_node *)ctx)->has_power = false;
	((struct sim_node *)ctx)->is_asleep = true;
}

void sim_node_power(struct sim_node *n, bool on)
{
	if (n->has_power == on)
		return;
	n->has_power = on;
	n->is_asleep = false;
	if (!on) {
		stop(n, AIR_HCI_TIMEOUT);
		return;
	}
	for (size_t i = 0; i < sizeof(n->noinit); i++)
		n->noinit[i] = (uint8_t)air_random(n->air);
	n->flash.is_cut = false;
	n->flash.cut_at = 0;
	n->last_reboot = PORT_REBOOT_UNKNOWN;
	n->reboots++;
	air_plan(n->air, BOOT_MS, on_boot, n);
}

static void make_port(struct sim_node *n)
{
	n->port = (struct port){
		.ctx = n,
		.flash_page_bytes = SIM_FLASH_PAGE_BYTES,
		.flash_page_count = SIM_FLASH_PAGES,
		.flash_read = port_flash_read,
		.flash_erase = port_flash_erase,
		.flash_write = port_flash_write,
		.advertise = port_advertise,
		.scan = port_scan,
		.connect = port_connect,
		.connect_cancel = port_connect_cancel,
		.link_subscribe = port_link_subscribe,
		.link_send = port_link_send,
		.link_disconnect = port_link_disconnect,
		.mesh_start = port_mesh_start,
		.mesh_stop = port_mesh_stop,
		.mesh_discovery = port_mesh_discovery,
		.mesh_send = port_mesh_send,
		.random = port_random,
		.aes = *n->air->aes,
		.uicr_read = port_uicr_read,
		.chip_read = port_chip_read,
		.noinit = n->noinit,
		.reboot = port_reboot,
		.power_off = port_power_off,
		.leds = port_leds,
		.uart_line = port_uart_line,
	};
}

/* Random static (its two top bits set), and always the same for a serial. */
static void make_address(struct sim_node *n)
{
	struct wr w = wr_init(n->address, sizeof(n->address));

	wr_u8(&w, 1);
	wr_u32(&w, n->spec.serial_index);
	wr_u8(&w, 0xE5);
	wr_u8(&w, 0xC0);
}

static void pump(struct records *r)
{
	while (r->step != RECORDS_IDLE)
		records_on_flash(r, ERR_OK);
}

static void config_of(const struct sim_enrollment *e, struct config *out)
{
	memset(out, 0, sizeof(*out));
	out->enrolled = e->enrolled;
	out->node_id = e->node_id;
	out->network_id = e->network_id;
	out->network_key = e->network_key;
	out->user_base_key = e->user_base_key;
	out->organization_key = e->organization_key;
}

static void enrollment_of(const struct config *c, struct sim_enrollment *out)
{
	out->enrolled = c->enrolled;
	out->node_id = c->node_id;
	out->network_id = c->network_id;
	out->network_key = c->network_key;
	out->user_base_key = c->user_base_key;
	out->organization_key = c->organization_key;
}

/* The enrollment of the spec, written by the node's own store. */
static enum err write_preset(struct sim_flash *f, const struct sim_enrollment *preset)
{
	uint8_t record[CONFIG_RECORD_BYTES];
	struct config config;
	struct records store;
	struct port port;
	enum err e;

	sim_flash_port(f, &port);
	config_of(preset, &config);
	config_encode(&config, record);
	e = records_init(&store, &port);
	if (e == ERR_OK)
		e = records_save(
			&store, RECORDS_ID_NODE, false, record, sizeof(record), NULL, NULL);
	if (e == ERR_OK)
		pump(&store);
	bytes_wipe(record, sizeof(record));
	bytes_wipe(&config, sizeof(config));
	return e;
}

static enum enroll_pre begin_pre(void *ctx, bool is_removal, struct span request)
{
	const struct sim_node *n = ctx;

	(void)is_removal;
	(void)request;
	if ((n->spec.faults & SIM_FAULT_PRE_FAIL) != 0)
		return ENROLL_PRE_FAILED;
	return (n->spec.faults & SIM_FAULT_PRE_WAIT) != 0 ? ENROLL_PRE_WAITING : ENROLL_PRE_DONE;
}

static void make_features(struct sim_node *n)
{
	n->pre = (struct enroll_pre_handler){.begin = begin_pre, .ctx = n};
	n->features = (struct node_features){
		.device_type = n->spec.device_type,
		.allow_unsecure = n->spec.unsecure,
		.no_storage = n->spec.no_storage,
		.button_remove_ds = n->spec.button_ds,
		.button_power_off = n->spec.button_power_off,
		.adv_interval_ms = SIM_ADV_INTERVAL_MS,
		.pre = &n->pre,
		.pre_count = 1,
	};
}

enum err sim_node_new(
	struct air *air, const struct sim_spec *spec, const char *flash_path, struct sim_node **out)
{
	struct sim_node *n = calloc(1, sizeof(*n));
	bool is_new;
	enum err e;

	if (!n)
		return ERR_NOMEM;
	n->air = air;
	n->spec = *spec;
	n->has_power = true;
	make_address(n);
	make_port(n);
	make_features(n);
	e = sim_flash_open(&n->flash, flash_path, &is_new);
	if (e == ERR_OK && is_new && spec->preset.enrolled)
		e = write_preset(&n->flash, &spec->preset);
	if (e != ERR_OK) {
		sim_node_free(n);
		return e;
	}
	n->flash.op_count = 0;
	n->flash.random = air_random(air);
	air_plan(air, BOOT_MS, on_boot, n);
	*out = n;
	return ERR_OK;
}

void sim_node_free(struct sim_node *n)
{
	if (!n)
		return;
	sim_flash_close(&n->flash);
	free(n->terminal);
	sim_tap_free(&n->tap);
	bytes_wipe(n, sizeof(*n));
	free(n);
}

/* --- questions and orders
 * ----------------------------------------------------------------------------------- */

void sim_node_state(const struct sim_node *n, struct sim_enrollment *out)
{
	enrollment_of(&n->core.config, out);
}

enum err sim_flash_state(const char *flash_path, struct sim_enrollment *out)
{
	uint8_t record[RECORDS_DATA_MAX_BYTES];
	struct identity nobody;
	struct config config;
	struct records store;
	struct sim_flash f;
	struct port port;
	bool is_new;
	size_t n;
	enum err e = sim_flash_open(&f, flash_path, &is_new);

	if (e != ERR_OK)
		return e;
	memset(&nobody, 0, sizeof(nobody));
	memset(out, 0, sizeof(*out));
	sim_flash_port(&f, &port);
	e = records_init(&store, &port);
	if (e == ERR_OK)
		e = records_read(&store, RECORDS_ID_NODE, record, sizeof(record), &n);
	if (e == ERR_OK)
		e = config_decode(record, n, &nobody, &config);
	if (e == ERR_OK)
		enrollment_of(&config, out);
	sim_flash_close(&f);
	bytes_wipe(record, sizeof(record));
	return e;
}

uint32_t sim_node_serial(const struct sim_node *n)
{
	return n->spec.serial_index;
}

const struct sim_spec *sim_node_spec(const struct sim_node *n)
{
	return &n->spec;
}

const uint8_t *sim_node_address(const struct sim_node *n)
{
	return n->address;
}

bool sim_node_is_on(const struct sim_node *n)
{
	return n->has_power;
}

uint8_t sim_node_leds(const struct sim_node *n)
{
	return n->leds;
}

uint32_t sim_node_reboots(const struct sim_node *n)
{
	return n->reboots;
}

bool sim_node_is_idle(const struct sim_node *n)
{
	return n->is_idle;
}

uint16_t sim_node_cluster_size(const struct sim_node *n)
{
	return n->core.mesh.cluster_size;
}

void sim_node_set_faults(struct sim_node *n, uint32_t faults)
{
	n->spec.faults = faults;
}

void sim_node_button(struct sim_node *n, bool pressed)
{
	if (n->is_asleep && pressed) {
		sim_node_power(n, true);
		return;
	}
	if (!n->running)
		return;
	node_on_button(&n->core, n->air->now_ms, pressed);
	sim_node_rearm(n);
}

static void on_release(struct air *air, struct air_event *ev)
{
	(void)air;
	sim_node_button(ev->node, false);
}

void sim_node_press(struct sim_node *n, uint32_t ms)
{
	sim_node_button(n, true);
	(void)air_plan(n->air, ms, on_release, n);
}

void sim_node_cut_power_at(struct sim_node *n, uint32_t k)
{
	n->flash.cut_at = k == 0 ? 0 : n->flash.op_count + k;
}

enum err sim_node_type(struct sim_node *n, const char *line, size_t bytes)
{
	if (!n->terminal)
		n->terminal = malloc(SIM_TERMINAL_BYTES);
	if (!n->terminal)
		return ERR_NOMEM;
	if (!n->running)
		return ERR_STATE;
	node_on_line(&n->core, n->air->now_ms, line, bytes);
	sim_node_rearm(n);
	return ERR_OK;
}

struct span sim_node_lines(struct sim_node *n)
{
	struct span lines = {(const uint8_t *)n->terminal, n->terminal_bytes};

	n->terminal_bytes = 0;
	return lines;
}
