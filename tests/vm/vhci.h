/* A Bluetooth controller of this kernel, played by this process: /dev/vhci on libevent. */
#ifndef VM_VHCI_H
#define VM_VHCI_H

#include <event2/event.h>

#include "enr/bytes.h"

struct vhci;

/* on_packet: one packet from the kernel. on_ready: it is there, as hciINDEX. Both come from the
 * loop. The controller appears at once and vanishes with vhci_free. ERR_IO (errno), ERR_NOMEM. */
struct vhci_events {
	void (*on_packet)(void *arg, const void *p, size_t n);
	void (*on_ready)(void *arg, unsigned index);
};
ENR_MUST_CHECK enum err vhci_new(
	struct event_base *base, const struct vhci_events *events, void *arg, struct vhci **out);
void vhci_free(struct vhci *v);
/* One packet to the kernel. */
void vhci_send(struct vhci *v, const void *p, size_t n);

#endif
