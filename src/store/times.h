/* The stored moment of service time (base/svctime.h): one row. */
#ifndef STORE_TIMES_H
#define STORE_TIMES_H

#include "base/svctime.h"
#include "store/store.h"

/* All zeros if none was stored yet. */
ENR_MUST_CHECK enum err times_get(struct store *s, struct svctime *out);
ENR_MUST_CHECK enum err times_put(struct store *s, const struct svctime *t);

#endif
