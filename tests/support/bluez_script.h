/*
 * An org.bluez on a private bus for the tests of link_bluez: one adapter, nine devices; the test
 * says how each method is answered and when which signal is sent. No radio, no clock.
 */
#ifndef SUPPORT_BLUEZ_SCRIPT_H
#define SUPPORT_BLUEZ_SCRIPT_H

#include "mesh/dbus_loop.h"

#define SCRIPT_ADAPTER "/org/bluez/hci0"
#define SCRIPT_DEVICE SCRIPT_ADAPTER "/dev_C0_E5_00_00_00_01"
#define SCRIPT_OTHERS 8 /* ..._02 to ..._09; they do nothing of their own */
#define SCRIPT_RX SCRIPT_DEVICE "/service0010/char0011"
#define SCRIPT_TX SCRIPT_DEVICE "/service0010/char0013"

enum script_method {
	SCRIPT_SET_FILTER,
	SCRIPT_START,
	SCRIPT_STOP,
	SCRIPT_CONNECT,
	SCRIPT_DISCONNECT,
	SCRIPT_NOTIFY,
	SCRIPT_STOP_NOTIFY,
	SCRIPT_WRITE,
	SCRIPT_REMOVE,
	SCRIPT_GET,
	SCRIPT_SET, /* Powered of the adapter */
	SCRIPT_LIST,
	SCRIPT_METHODS
};

struct script_answer {
	bool is_silent;
	bool is_wrong_type;
	const char *error; /* NULL: what the method should answer */
};

struct bluez_script {
	struct event_base *base;
	struct dbus_loop *loop;
	struct script_answer answers[SCRIPT_METHODS];
	int calls[SCRIPT_METHODS];
	bool is_up;              /* has the name */
	bool has_adapter;        /* GetManagedObjects lists it */
	bool is_powered;         /* what it says of that */
	bool has_chars;          /* GetManagedObjects lists the characteristics */
	bool is_connected;       /* what Properties.Get says, and GetManagedObjects */
	int filters_seen;        /* SetDiscoveryFilter with le, duplicates and fe12 */
	int on_count, off_count; /* Properties.Set of Powered, to what */
	uint16_t mtu;
	int write_fd;      /* our end; -1: not acquired */
	DBusMessage *held; /* the last call that was met by silence, or NULL */
};

/* Joins the bus and takes the name org.bluez; is_up tells when. */
void bluez_script_start(struct bluez_script *s, struct event_base *base, const char *address);
/* As a bluetoothd that dies: sockets hang up, the name goes. */
void bluez_script_die(struct bluez_script *s);

/* Answers that call after all. */
void bluez_script_answer_late(struct bluez_script *s);

/* Signals. */
void bluez_script_property(
	struct bluez_script *s, const char *path, const char *interface, const char *name, bool v);
/* TX notifies. */
void bluez_script_notify(struct bluez_script *s, const uint8_t *p, size_t n);
void bluez_script_advert(struct bluez_script *s); /* RSSI -60, ServiceData of 20 bytes */
void bluez_script_add_device(struct bluez_script *s);
void bluez_script_remove_device(struct bluez_script *s);
void bluez_script_add_chars(struct bluez_script *s);
/* PropertiesChanged whose properties all have wrong types. */
void bluez_script_nonsense(struct bluez_script *s);
void bluez_script_hang_up(struct bluez_script *s); /* closes our ends */

#endif
