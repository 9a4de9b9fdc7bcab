/* Speaks Varlink as a client. */
#include "cli/client.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define INTERFACE "org.enrolld.control."
#define READ_BYTES 65536

/* What json_dumps() returns is freed by free(): there can be no header of our own before it. */
static void wiping_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void client_init(void)
{
	json_set_alloc_funcs(malloc, wiping_free);
}

static enum err connect_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case ECONNREFUSED:
	case ECONNRESET:
		return ERR_CLOSED;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case EAGAIN:
		return ERR_BUSY;
	default:
		return ERR_IO;
	}
}

enum err client_open(struct client *c, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	enum err e;

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	if (strlen(path) >= sizeof(a.sun_path))
		return ERR_NOT_FOUND;
	memcpy(a.sun_path, path, strlen(path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return ERR_IO;
	if (connect(c->fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return ERR_OK;
	e = connect_error(errno);
	client_close(c);
	return e;
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	if (c->in)
		explicit_bzero(c->in, c->cap_bytes);
	free(c->in);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

/* --- out --------------------------------------------------------------------------------- */

static enum err send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return ERR_CLOSED;
		p += sent;
		n -= (size_t)sent;
	}
	return ERR_OK;
}

static json_t *make_call(const char *method, json_t *parameters, bool more)
{
	char full[128] = INTERFACE;
	json_t *call;

	if (strchr(method, '.'))
		full[0] = '\0';
	strncat(full, method, sizeof(full) - strlen(full) - 1);
	call = json_pack("{s:s}", "method", full);
	if (parameters && json_object_set_new(call, "parameters", parameters) != 0)
		goto fail;
	if (more && json_object_set_new(call, "more", json_true()) != 0)
		goto fail;
	return call;
fail:
	json_decref(call);
	return NULL;
}

enum err client_send(struct client *c, const char *method, json_t *parameters, bool more)
{
	json_t *call = make_call(method, parameters, more);
	char *text = call ? json_dumps(call, JSON_COMPACT) : NULL;
	enum err e = text ? send_all(c->fd, text, strlen(text) + 1) : ERR_NOMEM;

	json_decref(call);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return e;
}

/* --- in ---------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static enum err wait_readable(int fd, uint64_t until_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		uint64_t now = now_ms();
		int left = until_ms == UINT64_MAX ? -1 : until_ms > now ? (int)(until_ms - now) : 0;
		int n = poll(&p, 1, left);

		if (n > 0)
			return ERR_OK;
		if (n == 0)
			return ERR_TIMEOUT;
		if (errno != EINTR)
			return ERR_IO;
	}
}

static enum err make_room(struct client *c)
{
	size_t cap = c->cap_bytes ? 2 * c->cap_bytes : 2 * (size_t)READ_BYTES;
	char *p;

	if (c->cap_bytes - c->used_bytes >= READ_BYTES)
		return ERR_OK;
	if (cap > 2 * (size_t)CLIENT_REPLY_MAX)
		return ERR_RANGE;
	p = malloc(cap);
	if (!p)
		return ERR_NOMEM;
	if (c->in) {
		memcpy(p, c->in, c->used_bytes);
		explicit_bzero(c->in, c->cap_bytes);
	}
	free(c->in);
	c->in = p;
	c->cap_bytes = cap;
	return ERR_OK;
}

static enum err read_more(struct client *c, uint64_t until_ms)
{
	enum err e = make_room(c);
	ssize_t n;

	if (e == ERR_OK)
		e = wait_readable(c->fd, until_ms);
	if (e != ERR_OK)
		return e;
	n = recv(c->fd, c->in + c->used_bytes, c->cap_bytes - c->used_bytes, 0);
	if (n < 0 && errno == EINTR)
		return ERR_OK;
	if (n <= 0)
		return ERR_CLOSED;
	c->used_bytes += (size_t)n;
	return ERR_OK;
}

static enum err decode(const char *text, size_t n, struct client_reply *out)
{
	json_t *error;

	memset(out, 0, sizeof(*out));
	out->root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	error = json_object_get(out->root, "error");
	out->error = json_string_value(error);
	out->parameters = json_object_get(out->root, "parameters");
	out->continues = json_is_true(json_object_get(out->root, "continues"));
	if (json_is_object(out->root) && (!error || out->error) &&
		(!out->parameters || json_is_object(out->parameters)))
		return ERR_OK;
	client_reply_clear(out);
	return ERR_INVALID;
}

static void consume(struct client *c, size_t n)
{
	c->used_bytes -= n;
	memmove(c->in, c->in + n, c->used_bytes);
	explicit_bzero(c->in + c->used_bytes, n);
	c->scanned_bytes = 0;
}

enum err client_receive(struct client *c, int timeout_ms, struct client_reply *out)
{
	uint64_t until = timeout_ms < 0 ? UINT64_MAX : now_ms() + (uint64_t)timeout_ms;
	const char *nul = NULL;
	enum err e;

	memset(out, 0, sizeof(*out));
	for (;;) {
		if (c->used_bytes > c->scanned_bytes)
			nul = memchr(c->in + c->scanned_bytes, 0, c->used_bytes - c->scanned_bytes);
		if (nul)
			break;
		c->scanned_bytes = c->used_bytes;
		if (c->used_bytes > CLIENT_REPLY_MAX)
			return ERR_RANGE;
		e = read_more(c, until);
		if (e != ERR_OK)
			return e;
	}
	e = decode(c->in, (size_t)(nul - c->in), out);
	consume(c, (size_t)(nul - c->in) + 1);
	return e;
}

void client_reply_clear(struct client_reply *r)
{
	json_decref(r->root);
	memset(r, 0, sizeof(*r));
}

enum err client_call(
	struct client *c, const char *method, json_t *parameters, struct client_reply *out)
{
	enum err e = client_send(c, method, parameters, false);

	memset(out, 0, sizeof(*out));
	return e == ERR_OK ? client_receive(c, CLIENT_TIMEOUT_MS, out) : e;
}
