/*
 * What org.bluez has told about its objects: adapters, devices, and the two MeshAccess
 * characteristics. Turns messages into rows and says what is new; acts on nothing (spec/bluez.md,
 * "Discovery" and "GATT objects"). Private to link_bluez.
 */
#ifndef MESH_LINK_BLUEZ_OBJECTS_H
#define MESH_LINK_BLUEZ_OBJECTS_H

#include <dbus/dbus.h>

#include "mesh/link.h"

#define BZ_BUCKETS 256
/* More rows than a bluetoothd has ever had; what comes beyond is not kept. */
#define BZ_OBJECTS_MAX 20000
#define BZ_DATA_MAX 31
#define BZ_PATH_MAX 128

enum bz_kind { BZ_OTHER, BZ_ADAPTER, BZ_DEVICE, BZ_RX, BZ_TX };

struct bz_object {
	struct bz_object *next; /* in its bucket */
	char *path;
	enum bz_kind kind;
	/* adapter */
	bool is_powered;
	bool is_discovering;
	/* device */
	struct link_addr addr;
	bool has_addr;
	int8_t rssi_dbm; /* LINK_RSSI_UNKNOWN: invalidated or never told */
	bool is_connected;
	bool is_resolved;
	uint8_t data[BZ_DATA_MAX]; /* ServiceData under 0xFE12 */
	size_t data_bytes;
	/* kept by link_bluez_scan.c */
	unsigned scan;          /* the last one that it was heard in */
	uint64_t scan_heard_ms; /* first in that one */
};

struct bz_objects {
	struct bz_object *buckets[BZ_BUCKETS];
	size_t count;
};

/* What a message has told, whether the value was another one before or not. */
enum bz_news_bits {
	BZ_NEWS_ADVERT = 1, /* a report with ServiceData 0xFE12 */
	BZ_NEWS_CONNECTED = 2,
	BZ_NEWS_RESOLVED = 4,
	BZ_NEWS_POWERED = 8,
	BZ_NEWS_DISCOVERING = 16,
	BZ_NEWS_ADDED = 32,
	BZ_NEWS_REMOVED = 64,
	BZ_NEWS_VALUE = 128 /* of a characteristic: a notification */
};

struct bz_news {
	unsigned bits;
	enum bz_kind kind;
	struct bz_object *object; /* NULL with BZ_NEWS_REMOVED, or for an unknown path */
	const char *path;         /* of the message */
	struct span value;        /* with BZ_NEWS_VALUE; in the message */
};

void bz_objects_clear(struct bz_objects *t);

/* The reply of GetManagedObjects; what was known before is forgotten. ERR_INVALID: not of that
 * signature. ERR_IO: an error reply. */
ENR_MUST_CHECK enum err bz_objects_fill(struct bz_objects *t, DBusMessage *reply);

/* InterfacesAdded, InterfacesRemoved, PropertiesChanged. ERR_INVALID: not of that signature.
 * Properties of a wrong type are passed over: their rows stay as they were. */
ENR_MUST_CHECK enum err bz_objects_added(
	struct bz_objects *t, DBusMessage *signal, struct bz_news *news);
ENR_MUST_CHECK enum err bz_objects_removed(
	struct bz_objects *t, DBusMessage *signal, struct bz_news *news);
ENR_MUST_CHECK enum err bz_objects_changed(
	struct bz_objects *t, DBusMessage *signal, struct bz_news *news);

struct bz_object *bz_objects_find(const struct bz_objects *t, const char *path);
/* The adapter called name ("hci0"), or, with NULL, the powered one with the smallest path. */
struct bz_object *bz_objects_adapter(const struct bz_objects *t, const char *name);
/* BZ_RX or BZ_TX below the device, wherever its service is. */
struct bz_object *bz_objects_char(
	const struct bz_objects *t, const char *device, enum bz_kind kind);
/* "/org/bluez/hci0/dev_AA_BB_CC_DD_EE_FF"; ERR_RANGE if it is too long. */
ENR_MUST_CHECK enum err bz_device_path(
	const char *adapter, const struct link_addr *addr, char out[BZ_PATH_MAX]);
/* "AA:BB:CC:DD:EE:FF" into b[5]…b[0]; ERR_INVALID. */
ENR_MUST_CHECK enum err bz_addr_parse(const char *text, uint8_t b[6]);

#endif
