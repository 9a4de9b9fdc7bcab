/* A dbus-daemon of the test's own, on a socket in a directory of its own. */
#ifndef SUPPORT_PRIVATE_BUS_H
#define SUPPORT_PRIVATE_BUS_H

#include <sys/types.h>

struct private_bus {
	char dir[64];
	char address[128];
	pid_t pid;
};

/* Makes the directory and starts the daemon; aborts the test program when it can't. */
void private_bus_start(struct private_bus *b);
/* Again on the same address, after private_bus_kill. */
void private_bus_restart(struct private_bus *b);
void private_bus_kill(struct private_bus *b);
/* Kills it and removes the directory. */
void private_bus_stop(struct private_bus *b);

#endif
