/*
 * An org.bluez that looks from D-Bus as bluetoothd 5.66 does (spec/bluez.md), with a radio in the
 * virtual air: one adapter, a device for each node that was heard, MeshAccess's service on each.
 *
 *   bluez.c         the bus, the adapter, discovery        bluez_object.c  properties and signals
 *   bluez_device.c  devices, heard and forgotten           bluez_gatt.c    characteristics
 *   bluez_link.c    connecting, losing                     bluez_scan.c    what a scan reports
 */
#ifndef FAKEBLUEZ_BLUEZ_H
#define FAKEBLUEZ_BLUEZ_H

#include "fakebluez/bad_peer.h"
#include "fakebluez/drive.h"
#include "mesh/dbus_loop.h"

#define BLUEZ_ADAPTER_PATH "/org/bluez/hci0"
#define BLUEZ_PATH_MAX 96
#define BLUEZ_MTU 63 /* what a node answers to the MTU exchange (§2.2) */
#define BLUEZ_CLIENTS_MAX 4

enum bluez_device_state {
	BLUEZ_IDLE = 0,
	BLUEZ_CONNECTING,
	BLUEZ_CONNECTED,
	BLUEZ_DISCONNECTING /* by us: takes 2 s */
};

enum bluez_char { BLUEZ_RX = 0, BLUEZ_TX = 1, BLUEZ_CHARS = 2 };

struct bluez_device {
	struct bluez_device *next;
	struct bluez *bluez;
	char path[BLUEZ_PATH_MAX];
	uint8_t address[PORT_ADDRESS_BYTES];
	char text[18]; /* "C0:E5:…" */
	char name[PORT_ADV_MAX_BYTES];
	uint8_t service_data[PORT_ADV_MAX_BYTES];
	size_t service_data_bytes;
	int rssi_dbm;
	bool has_rssi;
	uint64_t seen_ms; /* virtual */

	enum bluez_device_state state;
	bool gatt_known;         /* its GATT objects are exported */
	bool gatt_late;          /* resolved, and they are not yet */
	bool resolved;           /* ServicesResolved */
	bool is_disturbed;       /* another link was ended while this one was made */
	uint16_t link;           /* 0 while connecting: Connect is held, see bluez_begin_link */
	uint64_t connect_end_ms; /* virtual: Connect has failed by then */
	struct event *timer;     /* Connect is held; resolving; disconnecting */
	DBusMessage *connect;    /* calls that wait for an answer */
	DBusMessage *disconnect;
	DBusMessage *remove;
	DBusMessage *notify;

	int fd; /* our end of the acquired socket, -1 */
	struct event *fd_event;
	bool acquired;
	bool write_dead;   /* an empty datagram has killed it */
	char notified[64]; /* who has called StartNotify: it is subscribed in each connection; "" */
	uint8_t value[PORT_PDU_MAX_BYTES]; /* the last that was notified */
	size_t value_bytes;
};

struct bluez_client {
	char name[64]; /* unique bus name; "": free */
	bool filter_set, duplicates;
};

/* One scan of the controller. */
struct bluez_scan {
	uint64_t end_ms; /* virtual */
	uint8_t heard[AIR_NODES_MAX][PORT_ADDRESS_BYTES];
	size_t heard_count;
};

struct bluez {
	struct event_base *base;
	struct drive *drive;
	struct air_radio *radio;
	struct dbus_loop *bus; /* NULL while it is dead */
	char address[256];     /* of the bus; "": the system's */
	bool powered, discovering, exported;
	bool is_stuck; /* it waits for the end of a link that does not come */
	bool hangs;    /* stopping for ever, until it is switched off */
	bool busy;     /* as with several Connects at once, without them */
	struct bad_peers peers;
	struct bluez_client clients[BLUEZ_CLIENTS_MAX]; /* filters and discovery sessions */
	bool session[BLUEZ_CLIENTS_MAX];
	struct bluez_scan scan; /* while discovering */
	struct event *scan_timer, *expire_timer;
	struct bluez_device *devices;
	void (*ready)(void *arg); /* the name org.bluez is ours */
	void (*lost)(void *arg);  /* the bus is gone; NULL: wait for it */
	void *arg;
};

/* drive is borrowed; ready comes once the name is owned (again after bluez_die). */
ENR_MUST_CHECK enum err bluez_new(struct drive *drive, const char *bus_address,
	void (*ready)(void *arg), void *arg, struct bluez **out);
void bluez_free(struct bluez *b);

/* --- what tests order ------------------------------------------------------------------------ */

void bluez_set_powered(struct bluez *b, bool on);
/* The controller is unplugged, or plugged in again. */
void bluez_set_plugged(struct bluez *b, bool in);
/* bluetoothd dies as by kill -9: name and links go, no signal says so; and comes back empty. */
void bluez_die(struct bluez *b);
void bluez_revive(struct bluez *b);
/* As while several Connects wait: then it does not signal each Connected=true, and
 * ServicesResolved=true comes before the characteristics. */
void bluez_set_busy(struct bluez *b, bool on);
/* The next StopDiscovery is refused; from then on nobody is heard until the adapter was off. */
void bluez_hang_discovery(struct bluez *b);
/* The link to this address breaks. False: there is none. */
bool bluez_lose_link(struct bluez *b, const uint8_t address[PORT_ADDRESS_BYTES]);

/* --- bluez_object.c ----------------------------------------------------------------------------
 */

void bluez_reply(struct bluez *b, DBusMessage *call);
void bluez_error(struct bluez *b, DBusMessage *call, const char *name, const char *text);
void bluez_send(struct bluez *b, DBusMessage *msg);
void bluez_reply_objects(struct bluez *b, DBusMessage *call);
/* org.freedesktop.DBus.Properties. False: no such object. */
bool bluez_on_properties(struct bluez *b, DBusMessage *call);
void bluez_adapter_added(struct bluez *b);
void bluez_adapter_removed(struct bluez *b);
void bluez_device_added(struct bluez_device *d);
void bluez_device_removed(struct bluez_device *d);
void bluez_gatt_added(struct bluez_device *d);
void bluez_gatt_removed(struct bluez_device *d);
void bluez_adapter_changed(struct bluez *b, const char *property);
void bluez_device_changed(struct bluez_device *d, const char *property);
/* Both in one signal. */
void bluez_device_changed_both(struct bluez_device *d, const char *property, const char *second);
void bluez_device_rssi_gone(struct bluez_device *d);
void bluez_char_changed(struct bluez_device *d, enum bluez_char c, const char *property);
void bluez_char_path(const struct bluez_device *d, enum bluez_char c, char out[BLUEZ_PATH_MAX]);

/* --- bluez_device.c ------------------------------------------------------------------------------
 */

struct bluez_device *bluez_find_path(struct bluez *b, const char *path); /* or of a child */
struct bluez_device *bluez_find_link(struct bluez *b, uint16_t link);
void bluez_on_report(void *ctx, const struct port_report *report, struct span rsp);
void bluez_expire(struct bluez *b);
bool bluez_is_bad(const struct bluez_device *d, enum bad_peer fault);
/* tell: with signals. */
void bluez_forget(struct bluez_device *d, bool tell);
/* All devices are gone. */
void bluez_drop_devices(struct bluez *b, bool tell);
/* The end of a call that has waited (NULL: none does): forgotten, failed with this text, or done.
 */
void bluez_drop_call(DBusMessage **call);
void bluez_fail_call(struct bluez *b, DBusMessage **call, const char *text);
void bluez_answer_call(struct bluez *b, DBusMessage **call);

/* --- bluez_link.c --------------------------------------------------------------------------------
 */

bool bluez_on_device_call(struct bluez_device *d, DBusMessage *call);
void bluez_remove_device(struct bluez *b, DBusMessage *call);
void bluez_on_connected(void *ctx, uint16_t link, enum err result);
void bluez_on_disconnected(void *ctx, uint16_t link, uint8_t hci_reason);
/* The next thing that the device's state asks for comes so much later. */
void bluez_arm(struct bluez_device *d, uint64_t virtual_ms);
/* ... or now; it may end the device. */
void bluez_on_due(struct bluez_device *d);
/* If a Connect to it is held: from now on the radio waits for its next advertisement. */
void bluez_begin_link(struct bluez_device *d);
/* All links end; devices that were not connected are temporary and go, the others stay (bluez.md).
 */
void bluez_power_off_devices(struct bluez *b);

/* --- bluez_scan.c
 * ----------------------------------------------------------------------------------- */

/* Nobody was heard yet. */
void bluez_scan_begin(struct bluez *b);
/* Whether an advertisement of now gets through the controller's filter; the next ones do not. */
bool bluez_scan_hears(struct bluez *b, const uint8_t address[PORT_ADDRESS_BYTES]);

/* --- bluez_gatt.c
 * ----------------------------------------------------------------------------------- */

bool bluez_on_char_call(struct bluez_device *d, enum bluez_char c, DBusMessage *call);
void bluez_on_subscribed(void *ctx, uint16_t link);
void bluez_on_notified(void *ctx, uint16_t link, struct span pdu);
void bluez_close_socket(struct bluez_device *d); /* HUP for the client */
void bluez_release(struct bluez_device *d);      /* WriteAcquired turns false */
/* Its services are known: who has called StartNotify is subscribed. */
void bluez_subscribe(struct bluez_device *d);
/* The link is gone while the CCCD write is not answered. */
void bluez_lose_notify(struct bluez_device *d);
/* This client has left the bus. */
void bluez_forget_notified(struct bluez *b, const char *client);

#endif
