#include "fakebluez/drive.h"

#include "base/clock.h"

/* What is waited for at the limit is not made up for later. */
uint64_t drive_now_ms(struct drive *d)
{
	uint64_t boot_ms = clock_boot_ms();
	uint64_t now_ms = d->base_ms + (boot_ms - d->start_ms) * d->speed;

	if (now_ms <= d->limit_ms)
		return now_ms;
	d->base_ms = d->limit_ms;
	d->start_ms = boot_ms;
	return d->limit_ms;
}

void drive_limit(struct drive *d, uint64_t limit_ms)
{
	uint64_t now_ms = drive_now_ms(d); /* by the old limit */

	d->limit_ms = limit_ms > now_ms ? limit_ms : now_ms;
}

struct timeval drive_delay(const struct drive *d, uint64_t virtual_ms)
{
	uint64_t us = virtual_ms * 1000 / d->speed;

	return (struct timeval){
		.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
}

void drive_sync(struct drive *d)
{
	if (d->running)
		return;
	d->running = true;
	air_run_until(d->air, drive_now_ms(d));
	d->running = false;
}

void drive_arm(struct drive *d)
{
	uint64_t next = air_next_ms(d->air), now = drive_now_ms(d);
	struct timeval tv;

	if (d->running || next == AIR_NEVER || now >= d->limit_ms)
		return;
	tv = drive_delay(d, next > now ? next - now : 0);
	(void)event_add(d->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drive_sync(arg);
	drive_arm(arg);
}

enum err drive_init(struct drive *d, struct event_base *base, struct air *air, unsigned speed)
{
	memset(d, 0, sizeof(*d));
	d->base = base;
	d->air = air;
	d->speed = speed;
	d->start_ms = clock_boot_ms();
	d->limit_ms = UINT64_MAX;
	d->timer = event_new(base, -1, 0, on_timer, d);
	if (!d->timer)
		return ERR_NOMEM;
	drive_arm(d);
	return ERR_OK;
}

void drive_done(struct drive *d)
{
	if (d->timer)
		event_free(d->timer);
	d->timer = NULL;
}
