/* Reads durations, prints moments. */
#include "cli/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct unit {
	char letter;
	uint32_t seconds;
};
static const struct unit units[] = {{'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

#define UNITS (sizeof(units) / sizeof(*units))

static uint32_t unit_seconds(char letter)
{
	for (size_t i = 0; i < UNITS; i++) {
		if (units[i].letter == letter)
			return units[i].seconds;
	}
	return 0;
}

/* Digits at *p; ERR_RANGE beyond what a duration may be. */
static enum err take_number(const char **p, uint64_t *out)
{
	*out = 0;
	if (**p < '0' || **p > '9')
		return ERR_INVALID;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		*out = *out * 10 + (uint64_t)(**p - '0');
		if (*out > UINT32_MAX)
			return ERR_RANGE;
	}
	return ERR_OK;
}

/* Units must fall: "1h30m", not "30m1h". */
enum err when_parse_duration(const char *text, uint32_t *seconds)
{
	uint64_t sum = 0, n;
	uint32_t former = UINT32_MAX;
	const char *p = text;

	do {
		uint32_t unit = 1;
		enum err e = take_number(&p, &n);

		if (e != ERR_OK)
			return e;
		if (*p != '\0')
			unit = unit_seconds(*p++);
		else if (former != UINT32_MAX)
			return ERR_INVALID; /* "1h30": thirty what? */
		if (unit == 0 || unit >= former)
			return ERR_INVALID;
		former = unit;
		sum += n * unit;
		if (sum > UINT32_MAX)
			return ERR_RANGE;
	} while (*p);
	*seconds = (uint32_t)sum;
	return sum > 0 ? ERR_OK : ERR_RANGE;
}

void when_print_duration(uint64_t seconds, char out[WHEN_TEXT_SIZE])
{
	size_t i = 1; /* weeks read badly */

	while (i < UNITS - 1 && seconds < units[i].seconds)
		i++;
	(void)snprintf(
		out, WHEN_TEXT_SIZE, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].letter);
	if (i < UNITS - 1 && seconds / units[i].seconds < 10) {
		uint64_t rest = seconds % units[i].seconds / units[i + 1].seconds;
		size_t n = strlen(out);

		if (rest > 0)
			(void)snprintf(out + n, WHEN_TEXT_SIZE - n, " %" PRIu64 "%c", rest,
				units[i + 1].letter);
	}
}

void when_print_local(uint64_t at, char out[WHEN_TEXT_SIZE])
{
	time_t t = (time_t)at;
	struct tm tm;

	if (at > INT64_MAX / 2 || !localtime_r(&t, &tm) ||
		strftime(out, WHEN_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(out, WHEN_TEXT_SIZE, "?");
}

void when_print_relative(uint64_t at, uint64_t now, char out[WHEN_TEXT_SIZE])
{
	char d[WHEN_TEXT_SIZE];

	if (at == now) {
		(void)snprintf(out, WHEN_TEXT_SIZE, "now");
		return;
	}
	when_print_duration(at > now ? at - now : now - at, d);
	(void)snprintf(out, WHEN_TEXT_SIZE, at > now ? "in %.40s" : "%.40s ago", d);
}
