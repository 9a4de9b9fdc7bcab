/* Service time: arithmetic over two clocks and a stored moment. */
#include "base/svctime.h"

#include <string.h>

static uint64_t ahead(uint64_t later, uint64_t earlier)
{
	return later > earlier ? later - earlier : 0;
}

static bool same_boot(const struct svctime *t, const struct clock_now *now)
{
	return memcmp(t->boot_id, now->boot_id, CLOCK_BOOT_ID_BYTES) == 0;
}

static bool is_fresh(const struct svctime *t)
{
	static const struct svctime fresh;

	return t->service_ms == 0 && t->wall_s == 0 &&
	       memcmp(t->boot_id, fresh.boot_id, CLOCK_BOOT_ID_BYTES) == 0;
}

/* A gap that cannot be believed counts as none: what lived before the boot lives on. */
static bool gap_is_believable(const struct svctime *t, const struct clock_now *now)
{
	return now->wall_s >= t->wall_s && now->wall_s - t->wall_s <= SVCTIME_GAP_MAX_S;
}

enum svctime_step svctime_advance(
	const struct svctime *earlier, const struct clock_now *now, struct svctime *out)
{
	enum svctime_step step = SVCTIME_NEW_BOOT;
	uint64_t service_ms = earlier->service_ms;

	if (same_boot(earlier, now)) {
		step = SVCTIME_SAME_BOOT;
		service_ms += ahead(now->boot_ms, earlier->boot_ms);
	} else if (is_fresh(earlier)) {
		step = SVCTIME_SAME_BOOT;
	} else if (gap_is_believable(earlier, now)) {
		service_ms += (now->wall_s - earlier->wall_s) * 1000;
	} else {
		step = SVCTIME_NO_GAP;
	}
	*out = (struct svctime){.service_ms = service_ms,
		.boot_ms = now->boot_ms,
		.wall_s = now->wall_s,
		.wall_sub_ms = now->wall_sub_ms};
	memcpy(out->boot_id, now->boot_id, CLOCK_BOOT_ID_BYTES);
	return step;
}

uint64_t svctime_s(const struct svctime *t)
{
	return t->service_ms / 1000;
}

/* To the nearest second, in milliseconds: the seconds of the two clocks do not tick together, and
 * one moment must not be told as two. */
uint64_t svctime_to_wall(const struct svctime *now, uint64_t service_s)
{
	uint64_t wall_ms = now->wall_s * 1000 + now->wall_sub_ms + 500;
	uint64_t service_ms = service_s * 1000;

	if (service_ms >= now->service_ms)
		return (wall_ms + (service_ms - now->service_ms)) / 1000;
	return ahead(wall_ms, now->service_ms - service_ms) / 1000;
}
