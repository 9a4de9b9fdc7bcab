/* The virtual air for a gateway that speaks link_socket (enrolld-protocol(7)) instead of D-Bus: a
 * listening Unix SEQPACKET socket, one gateway at a time, each with a radio of its own. A gateway
 * that answers to the time is waited for. */
#ifndef FAKEBLUEZ_AIRSOCKET_H
#define FAKEBLUEZ_AIRSOCKET_H

#include "fakebluez/drive.h"

struct airsocket;

/* Listens at path (an old socket there is replaced). ERR_IO, ERR_RANGE (length), ERR_NOMEM. */
ENR_MUST_CHECK enum err airsocket_new(
	struct drive *drive, const char *path, struct airsocket **out);
void airsocket_free(struct airsocket *s);
/* The link to this address breaks. False: there is none. */
bool airsocket_lose_link(struct airsocket *s, const uint8_t address[PORT_ADDRESS_BYTES]);

/* Not up: as if the radio's process had died. False: it cannot listen. */
bool airsocket_set_up(struct airsocket *s, bool up);

#endif
