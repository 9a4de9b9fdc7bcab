/*
 * Preloaded into enrolld by the kill test: SIGKILL at the n-th write to the database. Counts, in
 * order, every pwrite, ftruncate and fdatasync on the database and its write-ahead log; dies before
 * the one that KILL_AT names, so that it never happens. KILL_COUNT names a file that always holds
 * the count so far.
 *
 * More lies for other tests: while the file that FULL_IF names exists, the disk is full for the
 * database; SHIM_GROUPS="NAME:GID,..." are groups that this machine does not have; the file that
 * SHIM_CLOCK names holds "BOOT WALL", seconds that the two clocks are ahead; SHIM_BOOT_ID names a
 * file that stands for the kernel's boot id; SHIM_SPEED="N SINCE" makes all clocks run N times as
 * fast since CLOCK_BOOTTIME said SINCE (nanoseconds), and the event loop's waits as much shorter.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 512
#define NS_PER_S 1000000000LL

static int is_database(int fd)
{
	char link[64], path[PATH_BYTES];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	return strstr(path, ".db") != NULL && strstr(path, "-shm") == NULL;
}

static void tell(unsigned long count)
{
	static int out = -2;
	char text[32];
	int n = snprintf(text, sizeof(text), "%lu\n", count);

	if (out == -2)
		out = getenv("KILL_COUNT")
			      ? open(getenv("KILL_COUNT"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)
			      : -1;
	if (out >= 0)
		(void)syscall(SYS_pwrite64, out, text, n, 0);
}

static void count(int fd)
{
	static unsigned long seen, at;

	if (!is_database(fd))
		return;
	if (at == 0)
		at = getenv("KILL_AT") ? strtoul(getenv("KILL_AT"), NULL, 10) : (unsigned long)-1;
	tell(++seen);
	if (seen == at)
		(void)kill(getpid(), SIGKILL);
}

static int is_full(int fd)
{
	const char *sign = getenv("FULL_IF");

	if (!sign || !is_database(fd) || access(sign, F_OK) != 0)
		return 0;
	errno = ENOSPC;
	return 1;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	if (is_full(fd))
		return -1;
	count(fd);
	return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return pwrite64(fd, p, n, at);
}

int fdatasync(int fd)
{
	count(fd);
	return (int)syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off64_t n)
{
	if (is_full(fd))
		return -1;
	count(fd);
	return (int)syscall(SYS_ftruncate, fd, n);
}

int ftruncate(int fd, off_t n)
{
	return ftruncate64(fd, n);
}

/* Only enrolld's own groups are ever asked for. */
int getgrnam_r(const char *name, struct group *g, char *buf, size_t n, struct group **out)
{
	const char *list = getenv("SHIM_GROUPS"), *at = list ? strstr(list, name) : NULL;

	(void)buf;
	(void)n;
	*out = NULL;
	if (!at || at[strlen(name)] != ':')
		return 0;
	memset(g, 0, sizeof(*g));
	g->gr_gid = (gid_t)strtoul(at + strlen(name) + 1, NULL, 10);
	*out = g;
	return 0;
}

static void read_ahead(long *boot_s, long *wall_s)
{
	const char *path = getenv("SHIM_CLOCK");
	char text[64] = "";
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	*boot_s = *wall_s = 0;
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0)
		(void)sscanf(text, "%ld %ld", boot_s, wall_s);
	(void)close(fd);
}

static long long nanoseconds(const struct timespec *t)
{
	return t->tv_sec * NS_PER_S + t->tv_nsec;
}

/* The same for each clock and each process, so that they agree as clocks do. */
static long speed(long long *since_ns)
{
	const char *text = getenv("SHIM_SPEED");
	long n;

	return text && sscanf(text, "%ld %lld", &n, since_ns) == 2 ? n : 1;
}

static void hurry(struct timespec *t)
{
	long long since_ns, ns;
	long n = speed(&since_ns);
	struct timespec boot;

	if (n == 1)
		return;
	(void)syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &boot);
	ns = nanoseconds(t) + (n - 1) * (nanoseconds(&boot) - since_ns);
	t->tv_sec = ns / NS_PER_S;
	t->tv_nsec = ns % NS_PER_S;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	long boot_s, wall_s;
	int failed = (int)syscall(SYS_clock_gettime, clock, t);

	if (failed)
		return failed;
	if (clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC ||
		clock == CLOCK_MONOTONIC_COARSE)
		hurry(t);
	if (clock != CLOCK_BOOTTIME && clock != CLOCK_REALTIME)
		return 0;
	read_ahead(&boot_s, &wall_s);
	t->tv_sec += clock == CLOCK_BOOTTIME ? boot_s : wall_s;
	return 0;
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms)
{
	long long since_ns;
	long n = speed(&since_ns);

	if (timeout_ms > 0)
		timeout_ms = (int)((timeout_ms + n - 1) / n);
	return epoll_pwait(fd, events, count, timeout_ms, NULL);
}

time_t time(time_t *out)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

FILE *fopen(const char *path, const char *mode)
{
	const char *boot_id = getenv("SHIM_BOOT_ID");
	int flags = mode[0] == 'w'   ? O_WRONLY | O_CREAT | O_TRUNC
		    : mode[0] == 'a' ? O_WRONLY | O_CREAT | O_APPEND
				     : O_RDONLY;
	int fd;

	if (boot_id && strstr(path, "/boot_id"))
		path = boot_id;
	fd = open(path, flags | O_CLOEXEC, 0666);
	return fd < 0 ? NULL : fdopen(fd, mode);
}
