/*
 * Two flash pages with NOR rules, in memory or mirrored in a file: an erase sets bits, a write only
 * clears them, whole words, each word once per erase (a breach is counted). Power can be cut at the
 * k-th operation: it is then done in part. The timing is the caller's.
 */
#ifndef HOST_SIM_FLASH_H
#define HOST_SIM_FLASH_H

#include "firmware/port.h"

#define SIM_FLASH_PAGE_BYTES 4096
#define SIM_FLASH_PAGES 2
#define SIM_FLASH_BYTES (SIM_FLASH_PAGE_BYTES * SIM_FLASH_PAGES)

struct sim_flash {
	uint8_t b[SIM_FLASH_BYTES];
	int fd; /* -1: memory only */
	uint32_t op_count;
	uint32_t cut_at; /* op_count at which the power fails; 0: never */
	bool is_cut;
	uint32_t breach_count;
	uint64_t random; /* what an operation leaves that was cut */
};

/* path NULL: memory. A new file (and memory) starts blank; *is_new tells. ERR_IO. */
ENR_MUST_CHECK enum err sim_flash_open(struct sim_flash *f, const char *path, bool *is_new);
void sim_flash_close(struct sim_flash *f);

/* ERR_CLOSED: the power was cut during or before it. ERR_RANGE. */
ENR_MUST_CHECK enum err sim_flash_read(
	const struct sim_flash *f, uint32_t offset, void *dst, size_t n);
ENR_MUST_CHECK enum err sim_flash_erase(struct sim_flash *f, uint32_t page);
ENR_MUST_CHECK enum err sim_flash_write(
	struct sim_flash *f, uint32_t offset, const void *src, size_t n);

/* A port whose only working functions are flash ones that end at once; to be pumped with
 * records_on_flash until the store is idle. */
void sim_flash_port(struct sim_flash *f, struct port *out);

#endif
