/* What the files of link_bluez share. Private to them. */
#ifndef MESH_LINK_BLUEZ_ROOM_H
#define MESH_LINK_BLUEZ_ROOM_H

#include "mesh/dbus_loop.h"
#include "mesh/link_bluez.h"
#include "mesh/link_bluez_objects.h"
#include "mesh/timer.h"

struct bz;
struct event;

/* --- scanning (link_bluez_scan.c) --------------------------------------------------------------
 */

enum bz_scan_state {
	BZ_SCAN_OFF,
	BZ_SCAN_FILTER, /* SetDiscoveryFilter is called */
	BZ_SCAN_START,  /* StartDiscovery is called */
	BZ_SCAN_ON,
	BZ_SCAN_STOP, /* StopDiscovery is called */
	BZ_SCAN_HUSH  /* off, for those who connect */
};

struct bz_scan {
	enum bz_scan_state state;
	bool is_wished; /* by the owner of the link */
	struct dbus_call *call;
	struct timer timer;  /* the next try, the end of a scan or a hush */
	unsigned number;     /* of the scan, to tell who was heard in it */
	uint64_t since_ms;   /* when it began */
	uint64_t started_ms; /* when StartDiscovery was last answered */
	bool is_repeating;   /* somebody was heard twice in it: nobody filters */
	bool is_stop_told;   /* that it has stopped by itself; until it is seen to be on */
};

void bz_scan_init(struct bz *bz);
/* Something that scanning depends on has changed: wishes, adapter, who waits for a device. */
void bz_scan_review(struct bz *bz);
/* An advert of this device has come. */
void bz_scan_heard(struct bz *bz, struct bz_object *device);
/* The adapter or bluetoothd is gone, and our discovery with it. */
void bz_scan_reset(struct bz *bz);

/* --- a discovery that hangs (link_bluez_hang.c) ------------------------------------------------
 */

struct bz_hang {
	uint64_t since_ms;      /* of refusals without a success or a pause; 0: none */
	uint64_t last_ms;       /* of them */
	uint64_t not_before_ms; /* of the next cure */
	bool owes_on;           /* it goes off by us, late or not: we switch it on */
	char adapter[BZ_PATH_MAX];
	struct dbus_call *call;
	struct timer timer; /* the next try to switch it on */
};

void bz_hang_init(struct bz *bz);
/* StartDiscovery or StopDiscovery was answered by InProgress. After half a minute of that the
 * adapter is switched off and on. */
void bz_hang_refused(struct bz *bz);
/* The adapter may be off by now. */
void bz_hang_review(struct bz *bz);
/* A discovery was stopped as it should, or its adapter has gone. */
void bz_hang_over(struct bz *bz);
/* bluetoothd is gone; its successor powers the adapter. */
void bz_hang_reset(struct bz *bz);
/* What we have switched off is switched on; nobody waits for the answer. */
void bz_hang_free(struct bz *bz);

/* --- the ends of links (link_bluez_bye.c) ------------------------------------------------------
 */

#define BZ_BYES_MAX 16
struct bz_bye {
	struct bz *bz;
	char path[BZ_PATH_MAX]; /* of the device; "": free */
	uint64_t due_ms;
	uint64_t called_ms;
	struct dbus_call *call; /* Disconnect, until it is answered */
};

void bz_byes_init(struct bz *bz);
/* Ends the link to this device as soon as no Connect is in the way; 10 s at most. */
void bz_hang_up(struct bz *bz, const char *path);
/* The same in 6 s, if it is still there by then. */
void bz_linger(struct bz *bz, const char *path);
/* At once: a Connect is cancelled by that, too. */
void bz_hang_up_now(struct bz *bz, const char *path);
/* The link has ended. */
void bz_byes_gone(struct bz *bz, const char *path);
/* A Disconnect is under way, or has waited for long: Connect shall wait. */
bool bz_byes_go_first(const struct bz *bz);
/* Is the link to this device one that ends, or lingers? */
bool bz_byes_have(struct bz *bz, const char *path);
/* How many such links there are. */
unsigned bz_byes_count(const struct bz *bz);
/* A Connect was answered. */
void bz_byes_review(struct bz *bz);
/* All links are gone. */
void bz_byes_reset(struct bz *bz);
/* Calls what is not called yet; nobody waits for the answers. */
void bz_byes_free(struct bz *bz);

/* --- connections (link_bluez_conn.c, link_bluez_io.c) ------------------------------------------
 */

enum bz_conn_state {
	BZ_CONN_FREE,
	BZ_CONN_WAIT,    /* for the device to be heard, for a slot, for its old link to end */
	BZ_CONN_CONNECT, /* Connect is called */
	BZ_CONN_RESOLVE, /* connected, waits for ServicesResolved */
	BZ_CONN_NOTIFY,  /* StartNotify is called */
	BZ_CONN_WRITE,   /* AcquireWrite is called */
	BZ_CONN_READY,   /* subscribed, and the socket is there */
	BZ_CONN_CURE,    /* RemoveDevice is called: its services are not the node's */
	BZ_CONN_ENDED    /* tells down in the next turn */
};

struct bz_conn {
	struct bz *bz;
	enum bz_conn_state state;
	uint16_t id;
	struct link_addr addr;
	char path[BZ_PATH_MAX];
	struct dbus_call *call;
	struct timer timer;     /* of the state */
	uint64_t give_up_ms;    /* of the whole attempt, from its first Connect; 0: none yet */
	uint64_t not_before_ms; /* of the next Connect */
	unsigned try_count;
	bool is_cured;
	bool is_late;        /* resolved, but its characteristics are not there yet */
	uint64_t hung_up_ms; /* when Disconnect was last called in WAIT; 0: not yet */
	enum link_down why;  /* in ENDED */
	bool is_subscribed;  /* StartNotify was called: bluetoothd subscribes until StopNotify */
	int write_fd;
	struct event *hangup_ev, *write_ev;
};

/* --- back-off per address (link_bluez_backoff.c) -----------------------------------------------
 */

#define BZ_BACKOFF_MAX 32
struct bz_backoff {
	struct link_addr addr;
	unsigned failures;
	uint64_t not_before_ms;
};

void bz_backoff_failed(struct bz *bz, const struct link_addr *addr);
void bz_backoff_worked(struct bz *bz, const struct link_addr *addr);
/* When it may be tried again, by the timers' clock; 0: now. */
uint64_t bz_backoff_until(struct bz *bz, const struct link_addr *addr);

#define BZ_TOLD_MAX 256

struct bz {
	struct event_base *base;
	struct timers *timers;
	const struct link_events *events;
	void *arg;
	struct dbus_loop *dbus;
	char *wanted;      /* adapter name or NULL */
	const char *owner; /* unique name of org.bluez: owner_name, or NULL */
	char owner_name[DBUS_MAXIMUM_NAME_LENGTH + 1];
	bool is_listed;            /* GetManagedObjects was answered */
	char adapter[BZ_PATH_MAX]; /* "": none */
	struct dbus_call *listing;
	struct timer relist;  /* the next try to get at an adapter, or to tell why there is none */
	unsigned activate_ms; /* from asking for bluetoothd's start to the next time */
	struct bz_objects objects;
	struct bz_scan scan;
	struct bz_hang hang;
	struct bz_bye byes[BZ_BYES_MAX];
	struct timer byes_timer;
	struct bz_conn conns[LINK_CONNECTIONS_MAX];
	uint16_t last_id;
	struct bz_backoff backoff[BZ_BACKOFF_MAX];
	bool is_silent;         /* bluetoothd has not answered, and that was told */
	char told[BZ_TOLD_MAX]; /* what keeps us from the radio, as it was told last; "": nothing */
};

/* --- what the log tells (link_bluez_told.c) ----------------------------------------------------
 */

/* Each reply to a call that bluetoothd has to answer soon. One that hangs is nothing that we can
 * end: whoever can is told. */
void bz_note_silence(struct bz *bz, DBusMessage *reply);
/* StartServiceByName has failed. */
void bz_tell_unstarted(struct bz *bz, DBusMessage *reply);
/* GetManagedObjects has failed. */
void bz_tell_unlisted(struct bz *bz, DBusMessage *reply);
/* None of bluetoothd's adapters can be used. */
void bz_tell_unusable(struct bz *bz);
/* There is nothing to tell any more. */
void bz_tell_over(struct bz *bz);

void bz_conns_init(struct bz *bz);
ENR_MUST_CHECK enum err bz_conn_open(struct bz *bz, const struct link_addr *addr, uint16_t *id);
ENR_MUST_CHECK enum err bz_conn_write(struct bz *bz, uint16_t id, struct span pdu);
void bz_conn_close(struct bz *bz, uint16_t id);
/* News about the device at path. */
void bz_conns_news(struct bz *bz, const struct bz_news *news);
/* Something that they wait for has changed. */
void bz_conns_poll(struct bz *bz);
/* A characteristic of MeshAccess has appeared. */
void bz_conns_chars(struct bz *bz);
/* The characteristic at path has notified this. */
void bz_conns_value(struct bz *bz, const char *path, struct span value);
/* Tells down (LINK_DOWN_ADAPTER) for all, at once: from the event loop only. */
void bz_conns_fail(struct bz *bz);
/* Ends all without events; asks bluetoothd to hang up. */
void bz_conns_free(struct bz *bz);
/* Does any of them wait for an advert of its device? */
bool bz_conns_need_scan(const struct bz *bz);
/* Connects that bluetoothd has not answered yet. */
unsigned bz_conns_in_flight(const struct bz *bz);

/* Takes fd over, also on error. */
ENR_MUST_CHECK enum err bz_io_set_write(struct bz_conn *c, int fd);
ENR_MUST_CHECK enum err bz_io_write(struct bz_conn *c, struct span pdu);
void bz_io_close(struct bz_conn *c);
/* The socket has hung up. */
void bz_conn_hung_up(struct bz_conn *c);

/* --- calls (link_bluez_call.c) -----------------------------------------------------------------
 */

/* For a call whose answer nobody waits for. */
void bz_ignore(void *arg, DBusMessage *reply);
/* A call to bluetoothd itself (its unique name), never starting it. type DBUS_TYPE_INVALID: no
 * argument; value as for dbus_message_append_args. */
ENR_MUST_CHECK enum err bz_call(struct bz *bz, const char *path, const char *interface,
	const char *method, int type, const void *value, int timeout_ms, dbus_reply_fn *fn,
	void *arg, struct dbus_call **call);
/* Properties.Get; the answer is one variant. */
ENR_MUST_CHECK enum err bz_call_get(struct bz *bz, const char *path, const char *interface,
	const char *name, int timeout_ms, dbus_reply_fn *fn, void *arg, struct dbus_call **call);
/* The same with one empty a{sv}: AcquireWrite. */
ENR_MUST_CHECK enum err bz_call_options(struct bz *bz, const char *path, const char *interface,
	const char *method, int timeout_ms, dbus_reply_fn *fn, void *arg, struct dbus_call **call);
/* Only what discovers MeshAccess: le, duplicates, 0xFE12. */
ENR_MUST_CHECK enum err bz_call_set_filter(
	struct bz *bz, int timeout_ms, dbus_reply_fn *fn, void *arg, struct dbus_call **call);
/* Properties.Set of the adapter's Powered. */
ENR_MUST_CHECK enum err bz_call_set_powered(struct bz *bz, const char *adapter, bool on,
	int timeout_ms, dbus_reply_fn *fn, void *arg, struct dbus_call **call);
/* (h, q) of AcquireWrite; *fd is the caller's. ERR_RANGE: MTU below 23. */
ENR_MUST_CHECK enum err bz_reply_fd(DBusMessage *reply, int *fd);

#endif
