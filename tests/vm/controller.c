#include "vm/controller.h"

#include <stdlib.h>

#define FILTER_ACCEPT_LIST 1

/* A command while it is obeyed. */
struct command {
	uint16_t opcode;
	struct rd r; /* its parameters */
};

static void complete(struct controller *c, uint16_t opcode, uint8_t status, const void *p, size_t n)
{
	hci_complete(&c->out, opcode, status, p, n);
	c->ops->send(c->ctx, &c->out);
}

static void status(struct controller *c, uint16_t opcode, uint8_t code)
{
	hci_status(&c->out, opcode, code);
	c->ops->send(c->ctx, &c->out);
}

static void event(struct controller *c, uint8_t code, const struct wr *w)
{
	hci_event(&c->out, code, w->p, w->len_bytes);
	c->ops->send(c->ctx, &c->out);
}

static void done(struct controller *c, struct command *k)
{
	complete(c, k->opcode, HCI_OK, NULL, 0);
}

/* --- what it is --------------------------------------------------------------------------------
 */

static void on_reset(struct controller *c, struct command *k)
{
	c->is_scanning = c->is_connecting = false;
	c->accept_count = 0;
	c->ops->reset(c->ctx);
	done(c, k);
}

/* Bluetooth 5.0, of no company. */
static void on_read_version(struct controller *c, struct command *k)
{
	complete(c, k->opcode, HCI_OK, "\x09\0\0\x09\xFF\xFF\0\0", 8);
}

/* One bit a command (Vol 4 Part E, 6.27): those of the table below. */
static void on_read_commands(struct controller *c, struct command *k)
{
	uint8_t bits[64] = {0};

	bits[0] = 1u << 5;            /* Disconnect */
	bits[2] = 1u << 7;            /* Read Remote Version Information */
	bits[5] = 1u << 6 | 1u << 7;  /* Set Event Mask, Reset */
	bits[14] = 1u << 3 | 1u << 5; /* Read Local Version, Features */
	bits[15] = 1u << 1;           /* Read BD_ADDR */
	bits[25] = 0x57;              /* LE: event mask, buffer, features, address, adv. power */
	bits[26] = 0xFC;              /* scanning, connecting, accept list size, clear */
	bits[27] = 0xA7;              /* accept list, connection update, features, rand */
	bits[28] = 1u << 3;           /* supported states */
	complete(c, k->opcode, HCI_OK, bits, sizeof(bits));
}

/* LE Supported (Controller), BR/EDR Not Supported. */
static void on_read_features(struct controller *c, struct command *k)
{
	complete(c, k->opcode, HCI_OK, "\0\0\0\0\x60\0\0\0", 8);
}

static void on_read_address(struct controller *c, struct command *k)
{
	complete(c, k->opcode, HCI_OK, c->address, sizeof(c->address));
}

static void on_read_buffers(struct controller *c, struct command *k)
{
	complete(c, k->opcode, HCI_OK, (const uint8_t[]){HCI_ACL_MAX, 0, 16}, 3);
}

static void on_read_le_features(struct controller *c, struct command *k)
{
	complete(c, k->opcode, HCI_OK, "\0\0\0\0\0\0\0\0", 8);
}

static void on_read_tx_power(struct controller *c, struct command *k)
{
	complete(c, k->opcode, HCI_OK, "\0", 1);
}

static void on_read_states(struct controller *c, struct command *k)
{
	complete(c, k->opcode, HCI_OK, "\xFF\xFF\xFF\xFF\xFF\x03\0\0", 8);
}

static void on_random(struct controller *c, struct command *k)
{
	uint8_t b[8];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)rand(); /* no key is made of it here */
	complete(c, k->opcode, HCI_OK, b, sizeof(b));
}

/* --- scanning ----------------------------------------------------------------------------------
 */

static void on_scan_parameters(struct controller *c, struct command *k)
{
	c->is_active = rd_u8(&k->r) != 0;
	(void)rd_view(&k->r, 5); /* interval, window, own address */
	c->accepts_listed_only = (rd_u8(&k->r) & FILTER_ACCEPT_LIST) != 0;
	done(c, k);
}

static void on_scan_enable(struct controller *c, struct command *k)
{
	enum controller_stop stop = CONTROLLER_STOPS;

	c->is_scanning = rd_u8(&k->r) != 0;
	c->filters_duplicates = rd_u8(&k->r) != 0;
	c->heard_count = 0;
	if (!c->is_scanning) {
		stop = c->next_stop;
		c->next_stop = CONTROLLER_STOPS;
	}
	if (stop != CONTROLLER_SAYS_NOTHING)
		complete(c, k->opcode, stop == CONTROLLER_REFUSES ? HCI_DISALLOWED : HCI_OK, NULL,
			0);
}

static size_t find_accepted(const struct controller *c, const uint8_t *address)
{
	size_t i;

	for (i = 0; i < c->accept_count; i++)
		if (memcmp(c->accept[i], address, PORT_ADDRESS_BYTES) == 0)
			break;
	return i;
}

static void on_read_accept_size(struct controller *c, struct command *k)
{
	complete(c, k->opcode, HCI_OK, (const uint8_t[]){CONTROLLER_ACCEPT_MAX}, 1);
}

static void on_clear_accept(struct controller *c, struct command *k)
{
	c->accept_count = 0;
	done(c, k);
}

static void on_add_accept(struct controller *c, struct command *k)
{
	const uint8_t *address = rd_view(&k->r, PORT_ADDRESS_BYTES);
	bool is_new = address && find_accepted(c, address) == c->accept_count;

	if (is_new && c->accept_count == CONTROLLER_ACCEPT_MAX) {
		complete(c, k->opcode, HCI_LIMIT_EXCEEDED, NULL, 0);
		return;
	}
	if (is_new)
		memcpy(c->accept[c->accept_count++], address, PORT_ADDRESS_BYTES);
	done(c, k);
}

static void on_remove_accept(struct controller *c, struct command *k)
{
	const uint8_t *address = rd_view(&k->r, PORT_ADDRESS_BYTES);
	size_t i = address ? find_accepted(c, address) : c->accept_count;

	if (i < c->accept_count)
		memmove(c->accept[i], c->accept[--c->accept_count], PORT_ADDRESS_BYTES);
	done(c, k);
}

/* A report from the same address as long as the scan goes on, whatever it says (Vol 6 Part B,
 * 4.4.3.5); with room for a few, as in real ones. */
static bool is_duplicate(struct controller *c, const uint8_t *address)
{
	size_t n = c->heard_count < CONTROLLER_HEARD_MAX ? c->heard_count : CONTROLLER_HEARD_MAX;

	if (!c->filters_duplicates)
		return false;
	for (size_t i = 0; i < n; i++)
		if (memcmp(c->heard[i], address, PORT_ADDRESS_BYTES) == 0)
			return true;
	memcpy(c->heard[c->heard_count++ % CONTROLLER_HEARD_MAX], address, PORT_ADDRESS_BYTES);
	return false;
}

static bool is_accepted(const struct controller *c, const uint8_t *address)
{
	return !c->accepts_listed_only || find_accepted(c, address) < c->accept_count;
}

void controller_report(struct controller *c, const struct port_report *report, struct span rsp)
{
	if (!c->is_scanning || !is_accepted(c, report->address) || is_duplicate(c, report->address))
		return;
	hci_le_report(&c->out, report->connectable ? HCI_ADV_IND : HCI_ADV_NONCONN_IND,
		report->address, report->rssi_dbm, report->data);
	c->ops->send(c->ctx, &c->out);
	if (!c->is_active || rsp.n == 0)
		return;
	hci_le_report(&c->out, HCI_SCAN_RSP, report->address, report->rssi_dbm, rsp);
	c->ops->send(c->ctx, &c->out);
}

/* --- connecting --------------------------------------------------------------------------------
 */

static uint8_t start_connecting(struct controller *c, struct command *k)
{
	const uint8_t *address;
	uint8_t policy;
	enum err e;

	(void)rd_view(&k->r, 4); /* scan interval, window */
	policy = rd_u8(&k->r);
	address = rd_view(&k->r, PORT_ADDRESS_BYTES);
	(void)rd_u8(&k->r); /* own address */
	(void)rd_u16(&k->r);
	c->interval = rd_u16(&k->r); /* the longest that it allows */
	if (c->is_connecting)
		return HCI_DISALLOWED;
	if (k->r.bad || policy == FILTER_ACCEPT_LIST) /* Linux names the peer */
		return HCI_INVALID_PARAMETERS;
	e = c->ops->connect(c->ctx, address);
	c->is_connecting = e == ERR_OK;
	c->was_disturbed = false;
	return e == ERR_OK ? HCI_OK : HCI_LIMIT_EXCEEDED;
}

static void on_connect(struct controller *c, struct command *k)
{
	status(c, k->opcode, start_connecting(c, k));
}

static void on_cancel(struct controller *c, struct command *k)
{
	if (!c->is_connecting) {
		complete(c, k->opcode, HCI_DISALLOWED, NULL, 0);
		return;
	}
	done(c, k);
	c->ops->cancel(c->ctx);
}

void controller_connected(
	struct controller *c, uint16_t handle, const uint8_t address[PORT_ADDRESS_BYTES])
{
	c->is_connecting = false;
	hci_le_connected(&c->out, HCI_OK, handle, address, c->interval);
	c->ops->send(c->ctx, &c->out);
}

void controller_connect_failed(struct controller *c, uint8_t code)
{
	if (!c->is_connecting)
		return;
	c->is_connecting = false;
	hci_le_connected(&c->out, code, 0, NULL, 0);
	c->ops->send(c->ctx, &c->out);
}

static void on_disconnect(struct controller *c, struct command *k)
{
	uint16_t handle = rd_u16(&k->r);

	c->was_disturbed |= c->is_connecting;
	status(c, k->opcode, HCI_OK);
	if (c->ops->disconnect(c->ctx, handle) != ERR_OK)
		controller_disconnected(c, handle, HCI_UNKNOWN_CONNECTION);
}

void controller_disconnected(struct controller *c, uint16_t handle, uint8_t reason)
{
	hci_disconnected(&c->out, handle, reason);
	c->ops->send(c->ctx, &c->out);
}

/* LE Connection Update: as it asks. */
static void on_update(struct controller *c, struct command *k)
{
	uint8_t b[10];
	struct wr w = wr_init(b, sizeof(b));

	status(c, k->opcode, HCI_OK);
	wr_u8(&w, 0x03);
	wr_u8(&w, HCI_OK);
	wr_u16(&w, rd_u16(&k->r));
	(void)rd_u16(&k->r); /* the shortest interval */
	for (int i = 0; i < 3; i++)
		wr_u16(&w, rd_u16(&k->r)); /* interval, latency, timeout */
	event(c, 0x3E, &w);
}

static void on_remote_features(struct controller *c, struct command *k)
{
	uint8_t b[12];
	struct wr w = wr_init(b, sizeof(b));

	status(c, k->opcode, HCI_OK);
	wr_u8(&w, 0x04);
	wr_u8(&w, HCI_OK);
	wr_u16(&w, rd_u16(&k->r));
	wr_zero(&w, 8);
	event(c, 0x3E, &w);
}

/* Bluetooth 4.2 by Nordic Semiconductor: an nRF52 with an S132. */
static void on_remote_version(struct controller *c, struct command *k)
{
	uint8_t b[8];
	struct wr w = wr_init(b, sizeof(b));

	status(c, k->opcode, HCI_OK);
	wr_u8(&w, HCI_OK);
	wr_u16(&w, rd_u16(&k->r));
	wr_u8(&w, 8);
	wr_u16(&w, 0x0059);
	wr_u16(&w, 0);
	event(c, 0x0C, &w);
}

/* --- packets -----------------------------------------------------------------------------------
 */

void controller_acl(struct controller *c, uint16_t handle, const void *frame, size_t n)
{
	hci_acl(&c->out, handle, frame, n);
	c->ops->send(c->ctx, &c->out);
}

static void take_acl(struct controller *c, const struct hci_packet *p)
{
	hci_completed(&c->out, p->handle);
	c->ops->send(c->ctx, &c->out);
	c->ops->acl(c->ctx, p->handle, p->is_first, p->data);
}

static const struct {
	uint16_t opcode;
	uint8_t parameter_bytes; /* at least */
	void (*fn)(struct controller *c, struct command *k);
} commands[] = {
	{0x0406, 3, on_disconnect},
	{0x041D, 2, on_remote_version},
	{0x0C01, 8, done}, /* Set Event Mask */
	{0x0C03, 0, on_reset},
	{0x1001, 0, on_read_version},
	{0x1002, 0, on_read_commands},
	{0x1003, 0, on_read_features},
	{0x1009, 0, on_read_address},
	{0x2001, 8, done}, /* LE Set Event Mask */
	{0x2002, 0, on_read_buffers},
	{0x2003, 0, on_read_le_features},
	{0x2005, 6, done}, /* LE Set Random Address */
	{0x2007, 0, on_read_tx_power},
	{0x200B, 7, on_scan_parameters},
	{0x200C, 2, on_scan_enable},
	{0x200D, 25, on_connect},
	{0x200E, 0, on_cancel},
	{0x200F, 0, on_read_accept_size},
	{0x2010, 0, on_clear_accept},
	{0x2011, 7, on_add_accept},
	{0x2012, 7, on_remove_accept},
	{0x2013, 14, on_update},
	{0x2016, 2, on_remote_features},
	{0x2018, 0, on_random},
	{0x201C, 0, on_read_states},
};

static void take_command(struct controller *c, const struct hci_packet *p)
{
	struct command k = {.opcode = p->opcode, .r = rd_init(p->data.p, p->data.n)};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (commands[i].opcode != p->opcode)
			continue;
		if (p->data.n >= commands[i].parameter_bytes)
			commands[i].fn(c, &k);
		else
			complete(c, p->opcode, HCI_INVALID_PARAMETERS, NULL, 0);
		return;
	}
	complete(c, p->opcode, HCI_UNKNOWN_COMMAND, NULL, 0);
}

void controller_take(struct controller *c, const void *packet, size_t n)
{
	struct hci_packet p;

	if (hci_decode(packet, n, &p) != ERR_OK)
		return;
	if (p.type == HCI_COMMAND)
		take_command(c, &p);
	else if (p.type == HCI_ACL)
		take_acl(c, &p);
}

void controller_init(
	struct controller *c, const uint8_t address[6], const struct controller_ops *ops, void *ctx)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->address, address, sizeof(c->address));
	c->ops = ops;
	c->ctx = ctx;
}
