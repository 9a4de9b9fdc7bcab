#include "base/keypool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <sodium.h>

#define LOW (KEYPOOL_PAIRS / 2) /* the worker is woken once for many pairs */

struct keypool {
	const struct crypto *crypto;
	pthread_t worker;
	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t changed;
	bool filling, ending;
	size_t count;
	struct x3dh_keypair *pair; /* KEYPOOL_PAIRS of them, locked in memory */
};

/* --- the worker's thread ------------------------------------------------------------------- */

/* Sleeps while the pool is full enough. False: it is over. */
static bool is_wanted(struct keypool *p)
{
	while (!p->filling && !p->ending)
		(void)pthread_cond_wait(&p->changed, &p->lock);
	return !p->ending;
}

/* Without randomness it rests too: the next taker wakes it, and is told the error itself. */
static void put(struct keypool *p, enum err made, const struct x3dh_keypair *pair)
{
	if (made == ERR_OK)
		p->pair[p->count++] = *pair;
	p->filling = made == ERR_OK && p->count < KEYPOOL_PAIRS;
}

static void *work(void *arg)
{
	struct keypool *p = arg;
	struct x3dh_keypair pair;

	(void)pthread_mutex_lock(&p->lock);
	while (is_wanted(p)) {
		enum err e;

		(void)pthread_mutex_unlock(&p->lock);
		e = x3dh_keypair_make(p->crypto, &pair);
		(void)pthread_mutex_lock(&p->lock);
		put(p, e, &pair);
		x3dh_keypair_wipe(&pair);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* --- the loop's thread --------------------------------------------------------------------- */

enum err keypool_take(struct keypool *p, struct x3dh_keypair *out)
{
	bool taken;

	(void)pthread_mutex_lock(&p->lock);
	taken = p->count > 0;
	if (taken) {
		*out = p->pair[--p->count];
		x3dh_keypair_wipe(&p->pair[p->count]);
	}
	if (!p->filling && p->count <= LOW) {
		p->filling = true;
		(void)pthread_cond_signal(&p->changed);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return taken ? ERR_OK : x3dh_keypair_make(p->crypto, out);
}

/* Signals are the loop's: the worker is born with all of them blocked. */
static bool start_worker(struct keypool *p)
{
	sigset_t all, before;
	bool ok;

	(void)sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return false;
	ok = pthread_create(&p->worker, NULL, work, p) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

enum err keypool_new(const struct crypto *crypto, struct keypool **out)
{
	struct keypool *p;

	*out = NULL;
	if (sodium_init() < 0)
		return ERR_CRYPTO;
	p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	p->crypto = crypto;
	p->filling = true;
	p->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	p->changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	p->pair = sodium_allocarray(KEYPOOL_PAIRS, sizeof(*p->pair));
	if (!p->pair || !start_worker(p)) {
		sodium_free(p->pair);
		free(p);
		return ERR_NOMEM;
	}
	*out = p;
	return ERR_OK;
}

void keypool_free(struct keypool *p)
{
	if (!p)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->ending = true;
	(void)pthread_cond_signal(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
	(void)pthread_join(p->worker, NULL);
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->lock);
	sodium_free(p->pair); /* wipes */
	free(p);
}
