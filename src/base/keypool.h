/*
 * Key pairs made ahead of need: one worker thread keeps a fixed number ready, so that the loop's
 * thread spends its time on what only it can do. The pool is the only thing that the two threads
 * share. The pairs lie in locked memory and are wiped when taken and at the end.
 */
#ifndef BASE_KEYPOOL_H
#define BASE_KEYPOOL_H

#include "enr/x3dh.h"

#define KEYPOOL_PAIRS 256 /* as many as one commit shares */

struct keypool;

/* Starts the worker; crypto is borrowed, its random and ed_base are called from both threads.
 * ERR_NOMEM (also: no thread), ERR_CRYPTO. The caller ends with keypool_free. */
ENR_MUST_CHECK enum err keypool_new(const struct crypto *crypto, struct keypool **out);
void keypool_free(struct keypool *p); /* waits for the worker; NULL is accepted */

/* A pair that nobody has had before; never waits for the worker: when the pool is empty the caller
 * makes the pair itself, with the errors of x3dh_keypair_make. The caller wipes it. */
ENR_MUST_CHECK enum err keypool_take(struct keypool *p, struct x3dh_keypair *out);

#endif
