/* Reads CLOCK_BOOTTIME, CLOCK_REALTIME and the kernel's boot id. */
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t clock_boot_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int hex_value(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static enum err read_boot_id(uint8_t out[CLOCK_BOOT_ID_BYTES])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	size_t digits = 0;
	int c;

	if (!f)
		return ERR_IO;
	memset(out, 0, CLOCK_BOOT_ID_BYTES);
	while (digits < (size_t)2 * CLOCK_BOOT_ID_BYTES && (c = fgetc(f)) != EOF) {
		int v = hex_value(c);

		if (v < 0)
			continue;
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | v);
		digits++;
	}
	(void)fclose(f);
	return digits == (size_t)2 * CLOCK_BOOT_ID_BYTES ? ERR_OK : ERR_IO;
}

enum err clock_read(struct clock_now *out)
{
	static struct clock_now boot; /* the boot id cannot change while we run */
	static int known;
	struct timespec wall;

	if (!known && read_boot_id(boot.boot_id) != ERR_OK)
		return ERR_IO;
	known = 1;
	*out = boot;
	out->boot_ms = clock_boot_ms();
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	out->wall_s = (uint64_t)wall.tv_sec;
	out->wall_sub_ms = (uint16_t)(wall.tv_nsec / 1000000);
	return ERR_OK;
}
