#include "support/varlink_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 65536

double load_now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void load_must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "load: %s (%s)\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

void varlink_client_open(struct varlink_client *c, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memset(c, 0, sizeof(*c));
	load_must(strlen(path) < sizeof(a.sun_path), "socket path too long");
	memcpy(a.sun_path, path, strlen(path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	load_must(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0, path);
}

void varlink_client_close(struct varlink_client *c)
{
	(void)close(c->fd);
	free(c->in);
	memset(c, 0, sizeof(*c));
}

void varlink_client_send(struct varlink_client *c, const char *method, json_t *parameters)
{
	json_t *call = json_object();
	char name[96], *text;
	size_t n, done = 0;

	(void)snprintf(name, sizeof(name), "org.enrolld.control.%s", method);
	json_object_set_new(call, "method", json_string(name));
	if (parameters)
		json_object_set_new(call, "parameters", parameters);
	text = json_dumps(call, JSON_COMPACT);
	json_decref(call);
	load_must(text != NULL, "out of memory");
	for (n = strlen(text) + 1; done < n;) {
		ssize_t w = send(c->fd, text + done, n - done, MSG_NOSIGNAL);

		load_must(w > 0, "send");
		done += (size_t)w;
	}
	free(text);
}

static bool read_more(struct varlink_client *c, bool wait)
{
	ssize_t n;

	if (c->in_cap - c->in_bytes < READ_BYTES) {
		c->in_cap = c->in_cap * 2 + READ_BYTES;
		c->in = realloc(c->in, c->in_cap);
		load_must(c->in != NULL, "out of memory");
	}
	n = recv(c->fd, c->in + c->in_bytes, c->in_cap - c->in_bytes, wait ? 0 : MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return false;
	load_must(n > 0, "the service closed the connection");
	c->in_bytes += (size_t)n;
	return true;
}

static json_t *take(struct varlink_client *c)
{
	char *end = c->in ? memchr(c->in, '\0', c->in_bytes) : NULL;
	json_t *reply;
	size_t n;

	if (!end)
		return NULL;
	n = (size_t)(end - c->in) + 1;
	reply = json_loads(c->in, 0, NULL);
	load_must(reply != NULL, "the service sent something else than JSON");
	if (json_object_get(reply, "error"))
		(void)fprintf(stderr, "load: %s\n", c->in);
	load_must(!json_object_get(reply, "error"), "the service sent an error");
	memmove(c->in, c->in + n, c->in_bytes - n);
	c->in_bytes -= n;
	return reply;
}

json_t *varlink_client_receive(struct varlink_client *c, bool wait)
{
	json_t *reply;

	while (!(reply = take(c)))
		if (!read_more(c, wait))
			return NULL;
	return reply;
}

json_t *varlink_client_call(struct varlink_client *c, const char *method, json_t *parameters)
{
	json_t *reply, *out;

	varlink_client_send(c, method, parameters);
	reply = varlink_client_receive(c, true);
	out = json_incref(json_object_get(reply, "parameters"));
	json_decref(reply);
	return out;
}
