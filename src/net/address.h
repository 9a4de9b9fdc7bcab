/* Socket addresses as people write them in a configuration: numbers only, no name is looked up. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

#include "enr/err.h"

/* "1.2.3.4", "1.2.3.4:PORT", "[::1]:PORT", "[::1]" or "::1". ERR_INVALID for anything else. */
ENR_MUST_CHECK enum err address_parse(
	const char *text, uint16_t default_port, struct sockaddr_storage *out, socklen_t *len);

#endif
