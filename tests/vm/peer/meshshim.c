/*
 * Preloaded into bluetooth-meshd (5.66): keeps the management event "Index Removed" from it.
 *
 * meshd opens its controller by HCI's user channel, which takes the controller away from the
 * kernel's management; since Linux 6.1, where meshd also listens to that interface, it hears of it
 * there, takes its own doing for the controller's being unplugged, closes it, and begins anew, for
 * ever. Nothing else is changed, and nothing in what goes over the air.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Event, index, length of what follows: 16 bits each, low byte first. */
#define MGMT_HEADER_BYTES 6
#define MGMT_INDEX_REMOVED 0x05

static int is_bluetooth(int fd)
{
	int domain;
	socklen_t n = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_BLUETOOTH;
}

static int is_index_removed(const uint8_t *b, ssize_t n)
{
	return n == MGMT_HEADER_BYTES && b[0] == MGMT_INDEX_REMOVED && b[1] == 0 && b[4] == 0 &&
	       b[5] == 0;
}

ssize_t read(int fd, void *buf, size_t size)
{
	static ssize_t (*next)(int, void *, size_t);
	ssize_t n;

	if (!next) {
		void *found = dlsym(RTLD_NEXT, "read");

		memcpy(&next, &found, sizeof(next)); /* ISO C knows no cast from data to code */
	}
	n = next(fd, buf, size);
	if (n > 0 && is_bluetooth(fd) && is_index_removed(buf, n)) {
		errno = EAGAIN; /* the socket does not block */
		return -1;
	}
	return n;
}
