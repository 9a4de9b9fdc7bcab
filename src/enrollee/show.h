/* A state for people and for programs. Prints no secret. */
#ifndef ENROLLEE_SHOW_H
#define ENROLLEE_SHOW_H

#include <stdio.h>

#include "enrollee/state.h"

/* The line "enk1:...". ERR_STATE when enrolled. */
ENR_MUST_CHECK enum err show_key(FILE *out, const struct crypto *c, const struct state *s);

/* The key, and below it the first 20 digits of the id; once enrolled the device's digits alone. */
ENR_MUST_CHECK enum err show_id(FILE *out, const struct crypto *c, const struct state *s);

ENR_MUST_CHECK enum err show_status(FILE *out, const struct crypto *c, const struct state *s);

/* One object on one line; fields are only ever added. */
ENR_MUST_CHECK enum err show_json(FILE *out, const struct crypto *c, const struct state *s);

#endif
