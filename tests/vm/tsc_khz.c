/*
 * Prints how many times a millisecond this processor's time stamp counter ticks, measured for a
 * tenth of a second. An emulated guest counts by the same counter; its kernel, which measures it
 * against an emulated timer, is wrong by a factor of six now and then when the machine is busy
 * (seen: 2 of 8 guests), and all its limits with it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TRIES 1000

#if defined(__x86_64__)
#include <x86intrin.h>
#else /* there it is not asked: guest */
#define __rdtsc() 0
#endif

struct moment {
	uint64_t ns, ticks;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Both clocks at once: of many tries the one that nothing came between. */
static struct moment look(void)
{
	struct moment best = {0, 0};
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = now_ns(), ticks = __rdtsc(), after = now_ns();

		if (after - before < shortest) {
			shortest = after - before;
			best = (struct moment){before + shortest / 2, ticks};
		}
	}
	return best;
}

int main(void)
{
	const struct timespec tenth = {0, 100000000};
	struct moment first = look(), last;

	(void)nanosleep(&tenth, NULL);
	last = look();
	printf("%llu\n",
		(unsigned long long)((last.ticks - first.ticks) * 1000000 / (last.ns - first.ns)));
	return EXIT_SUCCESS;
}
