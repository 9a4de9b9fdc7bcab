/*
 * The MeshAccess advertisement (mesh-protocol §2.4): who a node is, before anybody connects. A
 * node sends 31 bytes and its serial as scan response; BlueZ hands over the service data alone.
 */
#ifndef ENR_MESHADV_H
#define ENR_MESHADV_H

#include "enr/bytes.h"

#define MESHADV_UUID 0xFE12
#define MESHADV_BYTES 31              /* the whole payload */
#define MESHADV_SERVICE_DATA_BYTES 20 /* what BlueZ calls the value: without the UUID */
#define MESHADV_LEGACY_BYTES 12       /* the same before firmware 0.8.4830 */
#define MESHADV_SCAN_RESPONSE_MAX 9

enum meshadv_device {
	MESHADV_DEVICE_INVALID = 0, /* also: not told (legacy form) */
	MESHADV_DEVICE_STATIC = 1,
	MESHADV_DEVICE_ROAMING = 2,
	MESHADV_DEVICE_SINK = 3,
	MESHADV_DEVICE_ASSET = 4,
	MESHADV_DEVICE_LEAF = 5
};

struct meshadv {
	bool is_emergency; /* message type 8 instead of 3, same layout (§2.5) */
	bool is_enrolled;
	bool is_sink;
	bool is_zero_key_connectable;
	bool has_free_in_connection;
	bool is_interested_in_connection;
	uint16_t network_id;
	uint32_t serial_index;
	uint8_t module_ids[3]; /* 0: unused */
	uint8_t device_type;   /* enum meshadv_device, or a number we do not know */
};

/*
 * Service data value without its UUID, 12…20 bytes; the device type is used from 20 on, reserved
 * bits and bytes are ignored. ERR_UNKNOWN for other message types under the same UUID,
 * ERR_INVALID for serial index 0xFFFFFFFF.
 */
ENR_MUST_CHECK enum err meshadv_decode_value(const void *value, size_t n, struct meshadv *out);

/*
 * A whole advertising payload: looks for the service data among the AD structures. ERR_NOT_FOUND
 * if there is none of ours, ERR_SHORT if a structure runs over the end, ERR_TRAILING for more
 * than 31 bytes.
 */
ENR_MUST_CHECK enum err meshadv_decode(const void *payload, size_t n, struct meshadv *out);

void meshadv_encode_value(const struct meshadv *adv, uint8_t out[MESHADV_SERVICE_DATA_BYTES]);
void meshadv_encode(const struct meshadv *adv, uint8_t out[MESHADV_BYTES]);

/* The serial as shortened local name; returns the number of bytes, 7 or 9. */
size_t meshadv_encode_scan_response(uint32_t serial_index, uint8_t out[MESHADV_SCAN_RESPONSE_MAX]);

/* The serial of a scan response, or ERR_NOT_FOUND if it has no (readable) name. */
ENR_MUST_CHECK enum err meshadv_decode_scan_response(
	const void *payload, size_t n, uint32_t *serial_index);

#endif
