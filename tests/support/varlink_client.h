/* A plain Varlink client for load tests: blocking or polled, pipelined, jansson on both ends. */
#ifndef SUPPORT_VARLINK_CLIENT_H
#define SUPPORT_VARLINK_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct varlink_client {
	int fd;
	char *in; /* grows as needed */
	size_t in_bytes, in_cap;
};

/* Dies with a message when the socket does not answer: a load test has nothing better to do. */
void varlink_client_open(struct varlink_client *c, const char *path);
void varlink_client_close(struct varlink_client *c);

/* Sends org.enrolld.control.METHOD; the parameters (may be NULL) are consumed. */
void varlink_client_send(struct varlink_client *c, const char *method, json_t *parameters);

/* The next whole reply if it has arrived (wait: blocks for it), else NULL. Errors of the service
 * kill the program. The caller releases it. */
json_t *varlink_client_receive(struct varlink_client *c, bool wait);

/* Send and wait; returns "parameters", which the caller releases. */
json_t *varlink_client_call(struct varlink_client *c, const char *method, json_t *parameters);

/* Seconds of CLOCK_MONOTONIC. */
double load_now_s(void);

/* Prints and exits with failure unless ok. */
void load_must(bool ok, const char *what);

#endif
