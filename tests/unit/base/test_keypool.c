#include "base/keypool.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto_openssl.h"
#include "unit/suite.h"

#define TAKEN (3 * KEYPOOL_PAIRS) /* more than the pool ever holds: some are made on the spot */

/* crypto_default with randomness that counts, tells and can fail. */
struct source {
	struct crypto crypto;
	atomic_uint calls;
	atomic_bool dry;
	sem_t called;
};

static enum err count_random(void *ctx, void *out, size_t n)
{
	struct source *s = ctx;
	const struct crypto *real = crypto_default();
	enum err e = s->dry ? ERR_CRYPTO : real->random(real->ctx, out, n);

	s->calls++;
	ck_assert_int_eq(sem_post(&s->called), 0);
	return e;
}

static struct source *source_new(bool dry)
{
	struct source *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	s->crypto = *crypto_default();
	s->crypto.ctx = s;
	s->crypto.random = count_random;
	s->dry = dry;
	ck_assert_int_eq(sem_init(&s->called, 0, 0), 0);
	return s;
}

static void source_free(struct source *s)
{
	ck_assert_int_eq(sem_destroy(&s->called), 0);
	free(s);
}

static void wait_for_calls(struct source *s, unsigned count)
{
	while (count-- > 0)
		ck_assert_int_eq(sem_wait(&s->called), 0);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

START_TEST(gives_each_pair_once_and_whole)
{
	static struct public32 seen[TAKEN];
	struct source *s = source_new(false);
	struct keypool *p;

	ck_assert_int_eq(keypool_new(&s->crypto, &p), ERR_OK);
	for (size_t i = 0; i < TAKEN; i++) {
		struct x3dh_keypair pair;
		struct public32 expected;

		ck_assert_int_eq(keypool_take(p, &pair), ERR_OK);
		ck_assert_int_eq(xeddsa_public(crypto_default(), &pair.priv, &expected), ERR_OK);
		ck_assert_mem_eq(pair.pub.b, expected.b, 32);
		seen[i] = pair.pub;
	}
	qsort(seen, TAKEN, sizeof(*seen), compare);
	for (size_t i = 1; i < TAKEN; i++)
		ck_assert_mem_ne(seen[i - 1].b, seen[i].b, 32);
	keypool_free(p);
	source_free(s);
}
END_TEST

/* A pair takes well under a millisecond; of a pool that rests nothing is heard however long. */
static void expect_no_call(struct source *s)
{
	struct timespec until;

	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &until), 0);
	until.tv_nsec += 100000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	ck_assert_int_eq(sem_timedwait(&s->called, &until), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
}

START_TEST(is_filled_no_further)
{
	struct source *s = source_new(false);
	struct keypool *p;

	ck_assert_int_eq(keypool_new(&s->crypto, &p), ERR_OK);
	wait_for_calls(s, KEYPOOL_PAIRS);
	expect_no_call(s);
	keypool_free(p);
	ck_assert_uint_eq(s->calls, KEYPOOL_PAIRS);
	source_free(s);
}
END_TEST

/* The worker may still be at its last pair when the first is taken, and then makes one more at
 * once: how many it makes is known within bounds only. It rests with more than half a pool. */
START_TEST(is_filled_again_when_half_is_taken)
{
	struct source *s = source_new(false);
	struct keypool *p;
	struct x3dh_keypair pair;

	ck_assert_int_eq(keypool_new(&s->crypto, &p), ERR_OK);
	wait_for_calls(s, KEYPOOL_PAIRS);
	for (int i = 0; i < KEYPOOL_PAIRS; i++)
		ck_assert_int_eq(keypool_take(p, &pair), ERR_OK);
	wait_for_calls(s, KEYPOOL_PAIRS / 2 + 1);
	keypool_free(p);
	ck_assert_uint_le(s->calls, 2 * KEYPOOL_PAIRS);
	source_free(s);
}
END_TEST

START_TEST(tells_the_taker_that_there_is_no_randomness_and_recovers)
{
	struct source *s = source_new(true);
	struct x3dh_keypair pair, wiped = {.priv = {{0}}};
	struct keypool *p;

	ck_assert_int_eq(keypool_new(&s->crypto, &p), ERR_OK);
	ck_assert_int_eq(keypool_take(p, &pair), ERR_CRYPTO);
	ck_assert_mem_eq(&pair, &wiped, sizeof(pair));
	s->dry = false;
	ck_assert_int_eq(keypool_take(p, &pair), ERR_OK);
	keypool_free(p);
	source_free(s);
}
END_TEST

START_TEST(ends_at_any_moment)
{
	for (int taken = 0; taken < 40; taken++) {
		struct keypool *p;
		struct x3dh_keypair pair;

		ck_assert_int_eq(keypool_new(crypto_default(), &p), ERR_OK);
		for (int i = 0; i < taken; i++)
			ck_assert_int_eq(keypool_take(p, &pair), ERR_OK);
		keypool_free(p);
	}
	keypool_free(NULL);
}
END_TEST

/* As the loop has it: what is sent to the process must be left for the loop's thread. */
START_TEST(worker_takes_no_signal)
{
	struct source *s = source_new(false);
	sigset_t term, pending;
	struct keypool *p;

	ck_assert_int_eq(keypool_new(&s->crypto, &p), ERR_OK);
	ck_assert_int_eq(sigemptyset(&term), 0);
	ck_assert_int_eq(sigaddset(&term, SIGTERM), 0);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &term, NULL), 0);
	ck_assert_int_eq(kill(getpid(), SIGTERM), 0); /* a thread that took it would end us all */
	wait_for_calls(s, KEYPOOL_PAIRS);
	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert_int_eq(sigismember(&pending, SIGTERM), 1);
	keypool_free(p);
	source_free(s);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, gives_each_pair_once_and_whole);
	tcase_add_test(tc, is_filled_no_further);
	tcase_add_test(tc, is_filled_again_when_half_is_taken);
	tcase_add_test(tc, tells_the_taker_that_there_is_no_randomness_and_recovers);
	tcase_add_test(tc, ends_at_any_moment);
	tcase_add_test(tc, worker_takes_no_signal);
}

int main(void)
{
	return suite_main("keypool", fill);
}
