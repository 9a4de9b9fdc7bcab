/* How much is written to the log: standard error. */
#ifndef SUPPORT_LOGGED_H
#define SUPPORT_LOGGED_H

/* Lines that fn(arg) writes there; they are not shown. */
unsigned logged_lines(void (*fn)(void *arg), void *arg);

#endif
