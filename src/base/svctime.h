/*
 * Service time (OP-0006 §9): a count of time that expiry runs on, so that a clock that steps
 * neither kills what should live nor revives what died. Within a boot it advances with
 * CLOCK_BOOTTIME; across a boot by the wall-clock difference if that is 0 to 30 days, else not at
 * all. Pure: what is stored and what the clocks say are arguments.
 */
#ifndef BASE_SVCTIME_H
#define BASE_SVCTIME_H

#include <stdbool.h>

#include "base/clock.h"

#define SVCTIME_GAP_MAX_S (30u * 86400u)

/* A stored moment. All zeros: service time begins at 0 with the next clock. */
struct svctime {
	uint64_t service_ms;
	uint64_t boot_ms;
	uint64_t wall_s;
	uint16_t wall_sub_ms; /* not stored: display only */
	uint8_t boot_id[CLOCK_BOOT_ID_BYTES];
};

enum svctime_step {
	SVCTIME_SAME_BOOT,
	SVCTIME_NEW_BOOT, /* the gap was believed */
	SVCTIME_NO_GAP    /* a new boot whose wall clock cannot be believed: warn */
};

/* The moment that clocks now stand for, given an earlier one. Never before it. */
enum svctime_step svctime_advance(
	const struct svctime *earlier, const struct clock_now *now, struct svctime *out);

/* Seconds, as all expires columns hold them. */
uint64_t svctime_s(const struct svctime *t);

/* When a moment of service time is (or was) on the wall clock of now: for display only. */
uint64_t svctime_to_wall(const struct svctime *now, uint64_t service_s);

#endif
