/*
 * A link through org.bluez on D-Bus (spec/bluez.md): adverts by ServiceData 0xFE12, connections
 * with StartNotify and AcquireWrite. Lives through a dying bluetoothd, a vanishing adapter and a
 * bus that is restarted.
 */
#ifndef MESH_LINK_BLUEZ_H
#define MESH_LINK_BLUEZ_H

#include "mesh/link.h"

struct event_base;
struct timers;

struct link_bluez_conf {
	const char *bus_address; /* NULL: the system bus */
	const char *adapter;     /* "hci0"; NULL: the first one that is powered */
};

/* All is borrowed for the life of the link, but conf, which is copied. ERR_NOMEM. */
ENR_MUST_CHECK enum err link_bluez_new(struct event_base *base, struct timers *timers,
	const struct link_bluez_conf *conf, const struct link_events *events, void *arg,
	struct link *out);

#endif
