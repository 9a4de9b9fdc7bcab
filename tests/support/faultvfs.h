/*
 * A disk that fails on demand: an SQLite VFS around the default one that counts writes, syncs and
 * truncations and fails the n-th. Reads and locks always work.
 */
#ifndef SUPPORT_FAULTVFS_H
#define SUPPORT_FAULTVFS_H

#include <stdbool.h>

enum faultvfs_kind {
	FAULTVFS_IO,   /* SQLITE_IOERR */
	FAULTVFS_FULL, /* SQLITE_FULL for writes, SQLITE_IOERR for syncs */
};

/* Becomes the default VFS of the process. */
void faultvfs_install(void);
/* The n-th operation from now on fails (from 1); all after it too if stay. 0: none. */
void faultvfs_fail(unsigned n, enum faultvfs_kind kind, bool stay);
/* Operations since faultvfs_fail; and whether one has failed. */
unsigned faultvfs_count(void);
bool faultvfs_has_failed(void);

#endif
