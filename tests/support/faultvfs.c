/* An SQLite VFS whose n-th write fails. */
#include "support/faultvfs.h"

#include <sqlite3.h>
#include <string.h>

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real;
};

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	unsigned count, fail_at;
	enum faultvfs_kind kind;
	bool stay, failed;
} fault;

static sqlite3_file *real_file(sqlite3_file *f)
{
	return ((struct fault_file *)f)->real;
}

/* Is it this operation's turn? */
static bool fails(void)
{
	fault.count++;
	if (fault.fail_at == 0 || fault.count < fault.fail_at)
		return false;
	if (fault.count > fault.fail_at && !fault.stay)
		return false;
	fault.failed = true;
	return true;
}

static int fault_close(sqlite3_file *f)
{
	return real_file(f)->pMethods->xClose(real_file(f));
}

static int fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return real_file(f)->pMethods->xRead(real_file(f), p, n, at);
}

static int fault_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	if (fails())
		return fault.kind == FAULTVFS_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	return real_file(f)->pMethods->xWrite(real_file(f), p, n, at);
}

static int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	if (fails())
		return SQLITE_IOERR_TRUNCATE;
	return real_file(f)->pMethods->xTruncate(real_file(f), size);
}

static int fault_sync(sqlite3_file *f, int flags)
{
	if (fails())
		return SQLITE_IOERR_FSYNC;
	return real_file(f)->pMethods->xSync(real_file(f), flags);
}

static int fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real_file(f)->pMethods->xFileSize(real_file(f), size);
}

static int fault_lock(sqlite3_file *f, int level)
{
	return real_file(f)->pMethods->xLock(real_file(f), level);
}

static int fault_unlock(sqlite3_file *f, int level)
{
	return real_file(f)->pMethods->xUnlock(real_file(f), level);
}

static int fault_check(sqlite3_file *f, int *out)
{
	return real_file(f)->pMethods->xCheckReservedLock(real_file(f), out);
}

static int fault_control(sqlite3_file *f, int op, void *arg)
{
	return real_file(f)->pMethods->xFileControl(real_file(f), op, arg);
}

static int fault_sector(sqlite3_file *f)
{
	return real_file(f)->pMethods->xSectorSize(real_file(f));
}

static int fault_traits(sqlite3_file *f)
{
	return real_file(f)->pMethods->xDeviceCharacteristics(real_file(f));
}

static int fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real_file(f)->pMethods->xShmMap(real_file(f), page, size, extend, out);
}

static int fault_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_file(f)->pMethods->xShmLock(real_file(f), offset, n, flags);
}

static void fault_shm_barrier(sqlite3_file *f)
{
	real_file(f)->pMethods->xShmBarrier(real_file(f));
}

static int fault_shm_unmap(sqlite3_file *f, int remove)
{
	return real_file(f)->pMethods->xShmUnmap(real_file(f), remove);
}

static const sqlite3_io_methods METHODS = {
	.iVersion = 2,
	.xClose = fault_close,
	.xRead = fault_read,
	.xWrite = fault_write,
	.xTruncate = fault_truncate,
	.xSync = fault_sync,
	.xFileSize = fault_size,
	.xLock = fault_lock,
	.xUnlock = fault_unlock,
	.xCheckReservedLock = fault_check,
	.xFileControl = fault_control,
	.xSectorSize = fault_sector,
	.xDeviceCharacteristics = fault_traits,
	.xShmMap = fault_shm_map,
	.xShmLock = fault_shm_lock,
	.xShmBarrier = fault_shm_barrier,
	.xShmUnmap = fault_shm_unmap,
};

static int fault_open(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	struct fault_file *f = (struct fault_file *)file;
	int rc;

	(void)vfs;
	memset(f, 0, sizeof(*f));
	f->real = (sqlite3_file *)(void *)(f + 1);
	rc = fault.real->xOpen(fault.real, name, f->real, flags, out_flags);
	if (rc == SQLITE_OK)
		f->base.pMethods = &METHODS;
	return rc;
}

void faultvfs_install(void)
{
	if (fault.real)
		return;
	fault.real = sqlite3_vfs_find(NULL);
	fault.vfs = *fault.real;
	fault.vfs.zName = "fault";
	fault.vfs.pNext = NULL;
	fault.vfs.szOsFile = (int)sizeof(struct fault_file) + fault.real->szOsFile;
	fault.vfs.xOpen = fault_open;
	(void)sqlite3_vfs_register(&fault.vfs, 1);
}

void faultvfs_fail(unsigned n, enum faultvfs_kind kind, bool stay)
{
	fault.count = 0;
	fault.fail_at = n;
	fault.kind = kind;
	fault.stay = stay;
	fault.failed = false;
}

unsigned faultvfs_count(void)
{
	return fault.count;
}

bool faultvfs_has_failed(void)
{
	return fault.failed;
}
