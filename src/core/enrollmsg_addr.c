/* Addr as text: a URI of two schemes, read without leniency, since it is in the key schedule. */
#include "enr/enrollmsg.h"
#include "enr/hex.h"

static void put(struct wr *w, const char *text)
{
	wr_bytes(w, text, strlen(text));
}

static void put_decimal(struct wr *w, uint16_t v)
{
	char digits[5];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v = (uint16_t)(v / 10)) > 0);
	while (n > 0)
		wr_bytes(w, &digits[--n], 1);
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, digits, '-', '_' and '.': names and IPv4; hex digits, ':' and '.' in brackets: IPv6. */
static bool host_is_valid(const char *host, size_t n, bool ipv6)
{
	if (n == 0 || n > ENROLLMSG_HOST_MAX)
		return false;
	if (ipv6 && !memchr(host, ':', n))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool ok = ipv6 ? hex_digit(host[i]) >= 0 || host[i] == ':' || host[i] == '.'
			       : is_alnum(host[i]) || host[i] == '-' || host[i] == '_' ||
					  host[i] == '.';

		if (!ok)
			return false;
	}
	return true;
}

static void print_coap(struct wr *w, const struct enrollmsg_addr *a)
{
	put(w, a->host_is_ipv6 ? "coap://[" : "coap://");
	put(w, a->host);
	if (a->host_is_ipv6)
		put(w, "]");
	if (a->port != ENROLLMSG_COAP_PORT) {
		put(w, ":");
		put_decimal(w, a->port);
	}
	put(w, "/enroll#");
}

static void print_mesh(struct wr *w, const struct enrollmsg_addr *a)
{
	put(w, "mesh:");
	put_decimal(w, a->network_id);
	put(w, "/");
	put_decimal(w, a->node_id);
	put(w, "#");
}

enum err enrollmsg_addr_print(const struct enrollmsg_addr *a, char *text, size_t cap)
{
	char digits[2 * ENROLLMSG_FINGERPRINT_BYTES + 1];
	struct wr w = wr_init(text, cap);

	switch (a->kind) {
	case ENROLLMSG_ADDR_COAP:
		if (!host_is_valid(a->host, strnlen(a->host, sizeof(a->host)), a->host_is_ipv6) ||
			a->port == 0)
			return ERR_INVALID;
		print_coap(&w, a);
		break;
	case ENROLLMSG_ADDR_MESH:
		print_mesh(&w, a);
		break;
	}
	hex_print(a->fingerprint, ENROLLMSG_FINGERPRINT_BYTES, digits);
	wr_bytes(&w, digits, sizeof(digits));
	return wr_end(&w);
}

static bool skip(struct rd *r, const char *text)
{
	const uint8_t *p = rd_view(r, strlen(text));

	return p && memcmp(p, text, strlen(text)) == 0;
}

static bool next_is(const struct rd *r, char c)
{
	return !r->bad && r->left_bytes > 0 && *r->p == (uint8_t)c;
}

/* Up to the first of the stop characters, which is not consumed. */
static struct span take_until(struct rd *r, const char *stops)
{
	struct span s = {r->p, 0};

	while (s.n < r->left_bytes && (s.p[s.n] == '\0' || !strchr(stops, s.p[s.n])))
		s.n++;
	(void)rd_view(r, s.n);
	return s;
}

/* 0 to 65535 without sign or leading zeros. */
static bool parse_decimal(struct span s, uint16_t *out)
{
	uint32_t v = 0;

	if (s.n == 0 || s.n > 5 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	*out = (uint16_t)v;
	return v <= UINT16_MAX;
}

static bool parse_host(struct rd *r, struct enrollmsg_addr *out)
{
	struct span host;

	out->host_is_ipv6 = next_is(r, '[');
	if (out->host_is_ipv6)
		(void)skip(r, "[");
	host = take_until(r, out->host_is_ipv6 ? "]" : ":/");
	if (out->host_is_ipv6 && !skip(r, "]"))
		return false;
	if (!host_is_valid((const char *)host.p, host.n, out->host_is_ipv6))
		return false;
	memcpy(out->host, host.p, host.n);
	out->host[host.n] = '\0';
	return true;
}

static bool parse_coap(struct rd *r, struct enrollmsg_addr *out)
{
	out->kind = ENROLLMSG_ADDR_COAP;
	out->port = ENROLLMSG_COAP_PORT;
	if (!skip(r, "coap://") || !parse_host(r, out))
		return false;
	if (next_is(r, ':') &&
		(!skip(r, ":") || !parse_decimal(take_until(r, "/"), &out->port) || out->port == 0))
		return false;
	return skip(r, "/enroll#");
}

static bool parse_mesh(struct rd *r, struct enrollmsg_addr *out)
{
	out->kind = ENROLLMSG_ADDR_MESH;
	return skip(r, "mesh:") && parse_decimal(take_until(r, "/"), &out->network_id) &&
	       skip(r, "/") && parse_decimal(take_until(r, "#"), &out->node_id) && skip(r, "#");
}

/* Lower case only: the Addr is authenticated as bytes, so it has one spelling. */
static bool parse_fingerprint(struct rd *r, struct enrollmsg_addr *out)
{
	struct span s = rd_rest(r);

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 'A' && s.p[i] <= 'F')
			return false;
	}
	return hex_parse((const char *)s.p, s.n, out->fingerprint, ENROLLMSG_FINGERPRINT_BYTES) ==
	       ERR_OK;
}

enum err enrollmsg_addr_parse(struct span text, struct enrollmsg_addr *out)
{
	struct rd r = rd_init(text.p, text.n);
	bool ok;

	memset(out, 0, sizeof(*out));
	if (text.n > X3DH_ADDR_MAX)
		return ERR_TRAILING;
	ok = next_is(&r, 'm') ? parse_mesh(&r, out) : parse_coap(&r, out);
	return ok && parse_fingerprint(&r, out) ? ERR_OK : ERR_INVALID;
}
