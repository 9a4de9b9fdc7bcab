/*
 * The state on disk: one file "state", 0600, in a directory 0700 of its own. A new state is written
 * beside the old one, synced and renamed over it: after a power cut there is the one or the other.
 */
#ifndef ENROLLEE_STATEFILE_H
#define ENROLLEE_STATEFILE_H

#include "base/reason.h"
#include "enrollee/state.h"

struct statefile {
	int dir; /* -1: closed */
};

enum statefile_mode {
	STATEFILE_READ,  /* look only; somebody else may be at work */
	STATEFILE_WRITE, /* alone: ERR_BUSY if another enrollee works on this state */
	STATEFILE_CREATE /* WRITE, and the directory is made if it is missing */
};

/* ERR_NOT_FOUND, ERR_DENIED, ERR_BUSY, ERR_IO; why is set. */
ENR_MUST_CHECK enum err statefile_open(
	const char *path, enum statefile_mode mode, struct statefile *out, struct reason *why);
void statefile_close(struct statefile *f);

/* ERR_NOT_FOUND: there is no state yet. ERR_DENIED: not ours to read, or others may read it.
 * ERR_INVALID and the like: it is damaged. why is set. The caller wipes out. */
ENR_MUST_CHECK enum err statefile_load(
	const struct statefile *f, struct state *out, struct reason *why);

/* On return with ERR_OK the state is on the disk. ERR_IO, ERR_FULL, ERR_DENIED; why is set. */
ENR_MUST_CHECK enum err statefile_save(
	const struct statefile *f, const struct state *s, struct reason *why);

#endif
