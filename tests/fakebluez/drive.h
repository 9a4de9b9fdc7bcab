/* Winds the virtual air by the machine's clock, at a chosen speed, on libevent. */
#ifndef FAKEBLUEZ_DRIVE_H
#define FAKEBLUEZ_DRIVE_H

#include <event2/event.h>
#include <stdint.h>

#include "firmware/port/host/air.h"

struct drive {
	struct event_base *base;
	struct air *air;
	struct event *timer;
	unsigned speed;   /* virtual milliseconds for each real one */
	uint64_t base_ms; /* virtual time when the machine's clock stood at start_ms */
	uint64_t start_ms;
	uint64_t limit_ms; /* virtual time does not pass it; UINT64_MAX: free */
	bool running;      /* inside air_run_until: it must not be entered twice */
};

/* base and air are borrowed. ERR_NOMEM. */
ENR_MUST_CHECK enum err drive_init(
	struct drive *d, struct event_base *base, struct air *air, unsigned speed);
void drive_done(struct drive *d);
/* Lets the virtual time catch up: before anything is done to the air from outside. */
void drive_sync(struct drive *d);
/* Sets the timer for what comes next: after anything was done. */
void drive_arm(struct drive *d);
/* A virtual delay as a real one, for timers of BlueZ's own. */
struct timeval drive_delay(const struct drive *d, uint64_t virtual_ms);
/* Virtual now, without running anything. */
uint64_t drive_now_ms(struct drive *d);
/* Lets it not pass that moment, so that whoever takes part can keep up; UINT64_MAX: free. */
void drive_limit(struct drive *d, uint64_t limit_ms);

#endif
