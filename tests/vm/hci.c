#include "vm/hci.h"

#define HANDLE_MASK 0x0FFF
#define BOUNDARY_SHIFT 12
#define BOUNDARY_MASK 3
#define BOUNDARY_CONTINUES 1
#define BOUNDARY_FIRST 2 /* "first, automatically flushable": what a controller sends */

#define EVENT_DISCONNECTED 0x05
#define EVENT_COMPLETE 0x0E
#define EVENT_STATUS 0x0F
#define EVENT_COMPLETED_PACKETS 0x13
#define EVENT_LE 0x3E
#define LE_CONNECTED 0x01
#define LE_REPORT 0x02

#define TIMEOUT_10MS 42 /* what Linux asks for: 420 ms */

/* --- from the host ------------------------------------------------------------------------- */

static void decode_command(struct rd *r, struct hci_packet *out)
{
	size_t n;

	out->opcode = rd_u16(r);
	n = rd_u8(r);
	out->data = (struct span){rd_view(r, n), n};
}

static void decode_acl(struct rd *r, struct hci_packet *out)
{
	uint16_t handle = rd_u16(r);
	size_t n = rd_u16(r);

	out->handle = handle & HANDLE_MASK;
	out->is_first = (handle >> BOUNDARY_SHIFT & BOUNDARY_MASK) != BOUNDARY_CONTINUES;
	out->data = (struct span){rd_view(r, n), n};
}

enum err hci_decode(const void *p, size_t n, struct hci_packet *out)
{
	struct rd r = rd_init(p, n);
	uint8_t type = rd_u8(&r);

	memset(out, 0, sizeof(*out));
	out->type = (enum hci_type)type;
	if (r.bad)
		return ERR_SHORT;
	if (type == HCI_COMMAND)
		decode_command(&r, out);
	else if (type == HCI_ACL)
		decode_acl(&r, out);
	else if (type == HCI_VENDOR)
		out->data = rd_rest(&r);
	else
		return ERR_UNKNOWN;
	return rd_end(&r);
}

/* --- to the host --------------------------------------------------------------------------- */

void hci_event(struct hci_out *out, uint8_t code, const void *parameters, size_t n)
{
	struct wr w = wr_init(out->b, sizeof(out->b));

	wr_u8(&w, HCI_EVENT);
	wr_u8(&w, code);
	wr_u8(&w, (uint8_t)n);
	wr_bytes(&w, parameters, n);
	out->n = w.len_bytes;
}

static void event_of(struct hci_out *out, uint8_t code, const struct wr *w)
{
	hci_event(out, code, w->p, w->len_bytes);
}

void hci_complete(
	struct hci_out *out, uint16_t opcode, uint8_t status, const void *returned, size_t n)
{
	uint8_t b[255];
	struct wr w = wr_init(b, sizeof(b));

	wr_u8(&w, 1); /* the host may send one more */
	wr_u16(&w, opcode);
	wr_u8(&w, status);
	wr_bytes(&w, returned, n);
	event_of(out, EVENT_COMPLETE, &w);
}

void hci_status(struct hci_out *out, uint16_t opcode, uint8_t status)
{
	uint8_t b[4];
	struct wr w = wr_init(b, sizeof(b));

	wr_u8(&w, status);
	wr_u8(&w, 1);
	wr_u16(&w, opcode);
	event_of(out, EVENT_STATUS, &w);
}

void hci_completed(struct hci_out *out, uint16_t handle)
{
	uint8_t b[5];
	struct wr w = wr_init(b, sizeof(b));

	wr_u8(&w, 1);
	wr_u16(&w, handle);
	wr_u16(&w, 1);
	event_of(out, EVENT_COMPLETED_PACKETS, &w);
}

void hci_disconnected(struct hci_out *out, uint16_t handle, uint8_t reason)
{
	uint8_t b[4];
	struct wr w = wr_init(b, sizeof(b));

	wr_u8(&w, HCI_OK);
	wr_u16(&w, handle);
	wr_u8(&w, reason);
	event_of(out, EVENT_DISCONNECTED, &w);
}

void hci_le_connected(struct hci_out *out, uint8_t status, uint16_t handle,
	const uint8_t address[PORT_ADDRESS_BYTES], uint16_t interval)
{
	uint8_t b[19];
	struct wr w = wr_init(b, sizeof(b));

	wr_u8(&w, LE_CONNECTED);
	wr_u8(&w, status);
	wr_u16(&w, handle);
	wr_u8(&w, 0); /* central */
	if (address)
		wr_bytes(&w, address, PORT_ADDRESS_BYTES);
	else
		wr_zero(&w, PORT_ADDRESS_BYTES);
	wr_u16(&w, interval);
	wr_u16(&w, 0); /* latency */
	wr_u16(&w, TIMEOUT_10MS);
	wr_u8(&w, 0); /* clock accuracy */
	event_of(out, EVENT_LE, &w);
}

void hci_le_report(struct hci_out *out, enum hci_report type,
	const uint8_t address[PORT_ADDRESS_BYTES], int8_t rssi_dbm, struct span data)
{
	uint8_t b[12 + PORT_ADV_MAX_BYTES];
	struct wr w = wr_init(b, sizeof(b));

	wr_u8(&w, LE_REPORT);
	wr_u8(&w, 1);
	wr_u8(&w, (uint8_t)type);
	wr_bytes(&w, address, PORT_ADDRESS_BYTES);
	wr_u8(&w, (uint8_t)data.n);
	wr_bytes(&w, data.p, data.n);
	wr_u8(&w, (uint8_t)rssi_dbm);
	event_of(out, EVENT_LE, &w);
}

void hci_acl(struct hci_out *out, uint16_t handle, const void *frame, size_t n)
{
	struct wr w = wr_init(out->b, sizeof(out->b));

	wr_u8(&w, HCI_ACL);
	wr_u16(&w, (uint16_t)(handle | BOUNDARY_FIRST << BOUNDARY_SHIFT));
	wr_u16(&w, (uint16_t)n);
	wr_bytes(&w, frame, n);
	out->n = w.len_bytes;
}
