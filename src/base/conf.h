/*
 * The configuration: ini text, one table row per key, strict. An unknown section or key, a value
 * outside its limits, a key given twice in one file: each is an error with file, line and what
 * would be right. Knows the keys and their limits, not what they are for.
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "enr/err.h"

#define CONF_TEXT_MAX 256  /* bytes of a value, with its NUL */
#define CONF_ERROR_MAX 400 /* bytes of an error text, with its NUL */

enum conf_link { CONF_LINK_NONE, CONF_LINK_BLUEZ, CONF_LINK_SOCKET };

struct conf {
	char database[CONF_TEXT_MAX];
	char key_file[CONF_TEXT_MAX];

	char control_socket[CONF_TEXT_MAX];
	uint32_t connections_per_uid;

	char coap_listen[CONF_TEXT_MAX]; /* "address:port", several separated by spaces; empty: no
					    CoAP */
	char coap_host[CONF_TEXT_MAX];   /* what bundles name; empty: this machine's host name */
	uint32_t coap_port;              /* what bundles name */

	uint32_t bundle_lifetime_s;
	uint32_t pending_lifetime_s;
	uint32_t bundle_quota; /* open bundles of one enroller, and expected enrollees */
	uint32_t signed_prekey_lifetime_s;
	char welcome_file[CONF_TEXT_MAX]; /* at most 144 bytes for each new device; empty: none */

	uint32_t link;               /* enum conf_link */
	char bus[CONF_TEXT_MAX];     /* "system" or a D-Bus address */
	char adapter[CONF_TEXT_MAX]; /* "hci0"; empty: the first that is powered */
	char link_socket[CONF_TEXT_MAX];
	uint32_t node_lifetime_s; /* how long a node is looked for */

	uint32_t log_level; /* enum log_level */
};

/* All keys at their defaults. */
void conf_defaults(struct conf *c);

/*
 * Reads the ini text of one file (text[n] need not be NUL) over what c holds. On an error c is
 * unspecified and error says file, line and remedy. ERR_INVALID: syntax; ERR_UNKNOWN: no such key;
 * ERR_RANGE: bad value.
 */
ENR_MUST_CHECK enum err conf_parse(
	struct conf *c, const char *file, const char *text, size_t n, char error[CONF_ERROR_MAX]);

/* The file, then FILE's neighbour conf.d/ *.conf in the order of their names. A missing conf.d is
 * no error; a missing file is one only if it is needed. What is there and cannot be read is one:
 * ERR_IO. */
ENR_MUST_CHECK enum err conf_load(
	struct conf *c, const char *file, bool is_needed, char error[CONF_ERROR_MAX]);

/* Every key with its value, as a file that conf_parse reads. There are no secrets in it. */
void conf_print(const struct conf *c, FILE *out);

/* "90", "90s", "15m", "24h", "7d" as seconds; ERR_INVALID or ERR_RANGE. */
ENR_MUST_CHECK enum err conf_duration(const char *text, uint32_t *out_s);

#endif
