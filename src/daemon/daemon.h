/* Builds everything and sets the wires: the only room that knows all others. To understand the
 * program, read daemon_start in daemon.c. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>

struct conf;

/* Both return an exit status of sysexits.h and have said on standard error what was wrong. */

/* Makes the sealing key, the database and the service's identity. Refuses when they exist
 * (EX_CANTCREAT), unless if_needed. */
int daemon_init(const struct conf *conf, bool if_needed);

/* Runs until SIGTERM or SIGINT. */
int daemon_run(const struct conf *conf);

#endif
