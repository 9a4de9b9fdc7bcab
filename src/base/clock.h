/* The machine's clocks, read once per event and handed down: nobody below the edges asks for the
 * time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "enr/err.h"

#define CLOCK_BOOT_ID_BYTES 16

struct clock_now {
	uint64_t boot_ms;     /* CLOCK_BOOTTIME */
	uint16_t wall_sub_ms; /* 0..999 beyond wall_s */
	uint64_t wall_s;      /* CLOCK_REALTIME, unix seconds; may step at any time */
	uint8_t boot_id[CLOCK_BOOT_ID_BYTES]; /* which boot boot_ms counts from */
};

/* ERR_IO when the kernel's boot id cannot be read. */
ENR_MUST_CHECK enum err clock_read(struct clock_now *out);

/* CLOCK_BOOTTIME alone, for timers. */
uint64_t clock_boot_ms(void);

#endif
