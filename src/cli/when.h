/* Durations as people type them and moments as people read them. */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include <stddef.h>
#include <stdint.h>

#include "enr/err.h"

#define WHEN_TEXT_SIZE 64

/* "90s", "15m", "24h", "7d", "2w", or sums like "1h30m"; a bare number is seconds. ERR_INVALID;
 * ERR_RANGE: zero or above UINT32_MAX seconds. */
ENR_MUST_CHECK enum err when_parse_duration(const char *text, uint32_t *seconds);

/* "45s", "12m", "3h 20m", "6d 4h": the two largest units. */
void when_print_duration(uint64_t seconds, char out[WHEN_TEXT_SIZE]);

/* "2026-11-21 23:59:07" in local time. */
void when_print_local(uint64_t at, char out[WHEN_TEXT_SIZE]);

/* "in 3h 20m", "5m ago", "now". */
void when_print_relative(uint64_t at, uint64_t now, char out[WHEN_TEXT_SIZE]);

#endif
