/*
 * What a scan reports. The kernel always asks the controller to filter duplicates when it
 * discovers, whatever DuplicateData says: an address is reported once, until the scan begins anew.
 * The filter is the controller's, so it does not know that a device was removed.
 */
#include <string.h>

#include "fakebluez/bluez.h"

/* The kernel's DISCOV_LE_TIMEOUT, 10.24 s, and what it takes until it scans again: measured with
 * bluetoothd 5.66 on Linux 6.1, where Discovering stays true meanwhile. */
#define SCAN_MS 10500

void bluez_scan_begin(struct bluez *b)
{
	b->scan.end_ms = air_now_ms(b->drive->air) + SCAN_MS;
	b->scan.heard_count = 0;
}

bool bluez_scan_hears(struct bluez *b, const uint8_t address[PORT_ADDRESS_BYTES])
{
	struct bluez_scan *s = &b->scan;

	for (; air_now_ms(b->drive->air) >= s->end_ms; s->end_ms += SCAN_MS)
		s->heard_count = 0;
	for (size_t i = 0; i < s->heard_count; i++)
		if (memcmp(s->heard[i], address, PORT_ADDRESS_BYTES) == 0)
			return false;
	if (s->heard_count < AIR_NODES_MAX)
		memcpy(s->heard[s->heard_count++], address, PORT_ADDRESS_BYTES);
	return true;
}
