/*
 * The packets between a Bluetooth host and its controller (Bluetooth Core 5.3, Vol 4 Part E), as
 * far as a Linux host needs them of an LE controller: commands and ACL data in, events and ACL data
 * out, each behind the one-byte packet type of /dev/vhci. Bytes to structs and back, nothing else.
 */
#ifndef VM_HCI_H
#define VM_HCI_H

#include "firmware/port.h"

#define HCI_PACKET_MAX 1024 /* the longest that either side sends here */
#define HCI_ACL_MAX 251     /* payload of one ACL packet, as LE Read Buffer Size says */

enum hci_type { HCI_COMMAND = 1, HCI_ACL = 2, HCI_EVENT = 4, HCI_VENDOR = 0xFF };

/* Status and reason codes (Vol 1 Part F). */
enum {
	HCI_OK = 0,
	HCI_UNKNOWN_COMMAND = 0x01,
	HCI_UNKNOWN_CONNECTION = 0x02,
	HCI_LIMIT_EXCEEDED = 0x09,
	HCI_DISALLOWED = 0x0C,
	HCI_INVALID_PARAMETERS = 0x12,
	HCI_NOT_ESTABLISHED = 0x3E
};

/* What came from the host; data is a view of the input. */
struct hci_packet {
	enum hci_type type;
	uint16_t opcode;  /* of a command */
	uint16_t handle;  /* of ACL data, 12 bits */
	bool is_first;    /* ACL data: begins an L2CAP frame */
	struct span data; /* parameters, or payload */
};

/* ERR_SHORT, ERR_TRAILING: the lengths do not agree; ERR_UNKNOWN: another type of packet. */
ENR_MUST_CHECK enum err hci_decode(const void *p, size_t n, struct hci_packet *out);

/* One packet for the host. */
struct hci_out {
	size_t n;
	uint8_t b[HCI_PACKET_MAX];
};

/* An event of at most 255 bytes of parameters. */
void hci_event(struct hci_out *out, uint8_t code, const void *parameters, size_t n);
/* Command Complete: status, and then the n bytes of what the command returns. */
void hci_complete(
	struct hci_out *out, uint16_t opcode, uint8_t status, const void *returned, size_t n);
/* Command Status. */
void hci_status(struct hci_out *out, uint16_t opcode, uint8_t status);
/* Number Of Completed Packets: one, of this connection. */
void hci_completed(struct hci_out *out, uint16_t handle);
void hci_disconnected(struct hci_out *out, uint16_t handle, uint8_t reason);
/* LE Connection Complete as central; interval in units of 1.25 ms. A failure has neither handle nor
 * address (NULL). */
void hci_le_connected(struct hci_out *out, uint8_t status, uint16_t handle,
	const uint8_t address[PORT_ADDRESS_BYTES], uint16_t interval);
/* LE Advertising Report of one advertisement of at most PORT_ADV_MAX_BYTES. */
enum hci_report { HCI_ADV_IND = 0, HCI_ADV_NONCONN_IND = 3, HCI_SCAN_RSP = 4 };
void hci_le_report(struct hci_out *out, enum hci_report type,
	const uint8_t address[PORT_ADDRESS_BYTES], int8_t rssi_dbm, struct span data);
/* ACL data: one whole L2CAP frame of at most HCI_ACL_MAX bytes. */
void hci_acl(struct hci_out *out, uint16_t handle, const void *frame, size_t n);

#endif
