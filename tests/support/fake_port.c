#include "support/fake_port.h"

#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "enr/meshadv.h"

#define STEP_MS 10

static enum err flash_read(void *ctx, uint32_t offset, void *dst, size_t n)
{
	return sim_flash_read(&((struct fake_port *)ctx)->flash, offset, dst, n);
}

static enum err begin(struct fake_port *f, enum err result)
{
	f->deeds++;
	f->flash_pending = true;
	f->flash_result = result;
	return ERR_OK;
}

static bool fails(struct fake_port *f)
{
	if (f->fail_flash == 0)
		return false;
	f->fail_flash--;
	return true;
}

static enum err flash_erase(void *ctx, uint32_t page)
{
	struct fake_port *f = ctx;

	if (f->flash_pending)
		return ERR_BUSY;
	return begin(f, fails(f) ? ERR_IO : sim_flash_erase(&f->flash, page));
}

static enum err flash_write(void *ctx, uint32_t offset, const void *src, size_t n)
{
	struct fake_port *f = ctx;

	if (f->flash_pending)
		return ERR_BUSY;
	return begin(f, fails(f) ? ERR_IO : sim_flash_write(&f->flash, offset, src, n));
}

static enum err advertise(void *ctx, struct span adv, struct span rsp, uint16_t interval_ms)
{
	struct fake_port *f = ctx;

	(void)rsp;
	(void)interval_ms;
	f->deeds++;
	f->adv_bytes = adv.n;
	if (adv.n > 0)
		memcpy(f->adv, adv.p, adv.n);
	return ERR_OK;
}

static enum err scan(void *ctx, enum port_scan duty)
{
	struct fake_port *f = ctx;

	f->deeds++;
	f->scan = duty;
	return ERR_OK;
}

static enum err connect_to(
	void *ctx, const uint8_t address[PORT_ADDRESS_BYTES], uint32_t timeout_ms)
{
	struct fake_port *f = ctx;

	f->deeds++;
	f->connecting = true;
	f->connect_timeout_ms = timeout_ms;
	memcpy(f->connect_address, address, PORT_ADDRESS_BYTES);
	return ERR_OK;
}

static void connect_cancel(void *ctx)
{
	((struct fake_port *)ctx)->connecting = false;
}

static enum err link_subscribe(void *ctx, uint16_t link)
{
	(void)ctx;
	(void)link;
	return ERR_OK;
}

static enum err link_send(void *ctx, uint16_t link, const void *pdu, size_t n)
{
	struct fake_port *f = ctx;

	f->deeds++;
	if (f->out_count++ < FAKE_OUT_MAX) {
		struct fake_pdu *p = &f->out[f->out_count - 1];

		p->link = link;
		p->n = (uint8_t)n;
		memcpy(p->b, pdu, n);
	}
	return ERR_OK;
}

static void link_disconnect(void *ctx, uint16_t link)
{
	struct fake_port *f = ctx;

	(void)link;
	f->deeds++;
	f->hang_ups++;
}

static enum err mesh_start(void *ctx, const struct port_mesh *mesh)
{
	struct fake_port *f = ctx;

	f->deeds++;
	f->mesh_on = true;
	f->mesh = *mesh;
	return ERR_OK;
}

static void mesh_stop(void *ctx)
{
	((struct fake_port *)ctx)->mesh_on = false;
}

static void mesh_discovery(void *ctx, bool is_high)
{
	struct fake_port *f = ctx;

	f->deeds++;
	f->is_idle = !is_high;
}

static void mesh_send(void *ctx, uint16_t except_link, const void *message, size_t n)
{
	struct fake_port *f = ctx;

	(void)except_link;
	f->deeds++;
	if (f->sent_count == FAKE_SENT_MAX)
		abort();
	f->sent[f->sent_count].n = n;
	memcpy(f->sent[f->sent_count++].b, message, n);
}

static enum err random_bytes(void *ctx, void *out, size_t n)
{
	memset(out, 0, n);
	*(uint8_t *)out = ((struct fake_port *)ctx)->random;
	return ERR_OK;
}

static void uicr_read(void *ctx, uint32_t words[PORT_UICR_WORDS])
{
	memcpy(words, ((struct fake_port *)ctx)->uicr, sizeof(uint32_t) * PORT_UICR_WORDS);
}

static void chip_read(void *ctx, struct port_chip *out)
{
	(void)ctx;
	memset(out, 0, sizeof(*out));
	out->address[0] = 1;
}

static void reboot(void *ctx, enum port_reboot why)
{
	struct fake_port *f = ctx;

	f->deeds++;
	f->reboots++;
	f->reboot_why = why;
}

static void power_off(void *ctx)
{
	struct fake_port *f = ctx;

	f->deeds++;
	f->power_offs++;
}

static void leds(void *ctx, uint8_t on)
{
	struct fake_port *f = ctx;

	f->deeds++;
	f->leds_changes += on != f->leds;
	f->leds = on;
}

static void uart_line(void *ctx, const char *line, size_t n)
{
	struct fake_port *f = ctx;

	if (n > PORT_LINE_MAX_BYTES)
		abort();
	if (f->line_count == FAKE_LINES_MAX)
		return; /* most tests do not look at them */
	memcpy(f->line[f->line_count], line, n);
	f->line[f->line_count++][n] = '\0';
}

static void make_port(struct fake_port *f)
{
	f->port = (struct port){
		.ctx = f,
		.flash_page_bytes = SIM_FLASH_PAGE_BYTES,
		.flash_page_count = SIM_FLASH_PAGES,
		.flash_read = flash_read,
		.flash_erase = flash_erase,
		.flash_write = flash_write,
		.advertise = advertise,
		.scan = scan,
		.connect = connect_to,
		.connect_cancel = connect_cancel,
		.link_subscribe = link_subscribe,
		.link_send = link_send,
		.link_disconnect = link_disconnect,
		.mesh_start = mesh_start,
		.mesh_stop = mesh_stop,
		.mesh_discovery = mesh_discovery,
		.mesh_send = mesh_send,
		.random = random_bytes,
		.aes = *aes128_default(),
		.uicr_read = uicr_read,
		.chip_read = chip_read,
		.noinit = f->noinit,
		.reboot = reboot,
		.power_off = power_off,
		.leds = leds,
		.uart_line = uart_line,
	};
}

void fake_boot(struct fake_port *f)
{
	f->flash_pending = false;
	f->sent_count = f->out_count = f->line_count = 0;
	f->mesh_on = f->connecting = f->is_idle = false;
	f->scan = PORT_SCAN_OFF;
	f->adv_bytes = 0;
	node_init(&f->node, &f->port, &f->features, f->now_ms);
}

void fake_init(struct fake_port *f)
{
	bool is_new;

	memset(f, 0, sizeof(*f));
	memset(f->uicr, 0xFF, sizeof(f->uicr));
	f->uicr[0] = 0x00F07700;
	memset(&f->uicr[4], 0xA0, 16);
	f->uicr[9] = 0;
	f->uicr[12] = FAKE_SERIAL;
	f->features.device_type = MESHADV_DEVICE_STATIC;
	f->random = 99;
	f->now_ms = 1000;
	make_port(f);
	if (sim_flash_open(&f->flash, NULL, &is_new) != ERR_OK)
		abort();
	fake_boot(f);
}

void fake_flash(struct fake_port *f)
{
	while (f->flash_pending) {
		f->flash_pending = false;
		node_on_flash(&f->node, f->now_ms, f->flash_result);
	}
}

void fake_run(struct fake_port *f, uint64_t ms)
{
	for (uint64_t until = f->now_ms + ms; f->now_ms < until;) {
		f->now_ms += STEP_MS;
		fake_flash(f);
		if (node_deadline_ms(&f->node) <= f->now_ms)
			node_on_timer(&f->node, f->now_ms);
	}
}

void fake_type(struct fake_port *f, const char *line)
{
	node_on_line(&f->node, f->now_ms, line, strlen(line));
}

void fake_connect(struct fake_port *f, uint16_t link)
{
	static const uint8_t address[PORT_ADDRESS_BYTES] = {1, 2, 3, 4, 5, 6, 0xC7};

	node_on_connected(&f->node, f->now_ms, link, PORT_PERIPHERAL, address);
	node_on_subscribed(&f->node, f->now_ms, link);
}

void fake_receive(struct fake_port *f, const void *message, size_t n)
{
	node_on_mesh_message(&f->node, f->now_ms, 1, message, n);
}

bool fake_find(const struct fake_port *f, enum meshmsg_kind kind, struct meshmsg *out)
{
	for (size_t i = 0; i < f->sent_count; i++)
		if (meshmsg_decode(f->sent[i].b, f->sent[i].n, out) == ERR_OK && out->kind == kind)
			return true;
	return false;
}

void fake_clear(struct fake_port *f)
{
	f->sent_count = f->out_count = f->line_count = 0;
}
