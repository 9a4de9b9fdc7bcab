/* Reads socket addresses; touches no network. */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define HOST_MAX INET6_ADDRSTRLEN

static enum err port_parse(const char *text, uint16_t *port)
{
	uint32_t v = 0;
	size_t n = strlen(text);

	if (n == 0 || n > 5)
		return ERR_INVALID;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return ERR_INVALID;
		v = v * 10 + (uint32_t)(text[i] - '0');
	}
	if (v > UINT16_MAX)
		return ERR_INVALID;
	*port = (uint16_t)v;
	return ERR_OK;
}

/* Cuts text into host (without brackets) and the port's digits (NULL if there are none). */
static enum err split(const char *text, char host[HOST_MAX], const char **port)
{
	const char *end, *first = text, *colon = strchr(text, ':');
	bool many = colon && strchr(colon + 1, ':');

	*port = NULL;
	if (text[0] == '[') {
		first = text + 1;
		end = strchr(first, ']');
		if (!end || !memchr(first, ':', (size_t)(end - first)))
			return ERR_INVALID;
		if (end[1] == ':')
			*port = end + 2;
		else if (end[1] != '\0')
			return ERR_INVALID;
	} else if (colon && !many) {
		end = colon;
		*port = colon + 1;
	} else {
		end = text + strlen(text);
	}
	if (end == first || (size_t)(end - first) >= HOST_MAX)
		return ERR_INVALID;
	memcpy(host, first, (size_t)(end - first));
	host[end - first] = '\0';
	return ERR_OK;
}

enum err address_parse(
	const char *text, uint16_t default_port, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	uint16_t port = default_port;
	const char *digits;
	char host[HOST_MAX];
	enum err err = split(text, host, &digits);

	if (!err && digits)
		err = port_parse(digits, &port);
	if (err)
		return err;
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*len = sizeof(*v4);
		return ERR_OK;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*len = sizeof(*v6);
		return ERR_OK;
	}
	return ERR_INVALID;
}
