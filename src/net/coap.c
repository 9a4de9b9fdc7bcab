/*
 * libcoap on libevent. libcoap keeps an epoll descriptor of its own (its sockets and its timer);
 * that one descriptor is watched. The request handler of libcoap returns without a code, which
 * makes it send the empty ACK (or nothing to a non-confirmable request); the real response is a
 * message of its own with the request's token, sent later or never.
 */
#include "net/coap.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <coap3/coap.h>
#include <event2/event.h>

#include "base/log.h"
#include "net/address.h"

#define REQUESTS_MAX_DEFAULT 1024
#define SESSIONS_MAX_DEFAULT 256
#define SESSION_IDLE_S 10 /* a peer's session holds nothing that we need later */
#define DRAIN_MAX 128     /* datagrams handled before the loop's other events get their turn */
#define TOKEN_MAX 8
#define OCTET_STREAM 42

struct coap_request {
	struct coap_edge *edge;
	coap_session_t *session; /* referenced */
	struct coap_request *prev, *next;
	uint8_t token[TOKEN_MAX];
	size_t token_bytes;
};

struct coap_edge {
	struct coap_handler handler;
	coap_context_t *context;
	struct event *readable;
	struct coap_request *waiting; /* all that have no answer yet */
	unsigned requests_max;
	uint16_t ports[COAP_LISTEN_MAX];
	struct coap_counters counters;
};

/* --- requests ------------------------------------------------------------------------------ */

static struct coap_request *request_new(
	struct coap_edge *e, coap_session_t *session, coap_bin_const_t token)
{
	struct coap_request *r;

	if (e->counters.waiting >= e->requests_max)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->edge = e;
	r->session = coap_session_reference(session);
	r->token_bytes = token.length;
	if (token.length > 0)
		memcpy(r->token, token.s, token.length);
	r->next = e->waiting;
	if (r->next)
		r->next->prev = r;
	e->waiting = r;
	e->counters.waiting++;
	return r;
}

static void request_free(struct coap_request *r)
{
	struct coap_edge *e = r->edge;

	if (r->prev)
		r->prev->next = r->next;
	else
		e->waiting = r->next;
	if (r->next)
		r->next->prev = r->prev;
	e->counters.waiting--;
	coap_session_release(r->session);
	free(r);
}

/* A non-confirmable response: a lost one is fetched by the enrollee's own resend (OP-0006 §9), so
 * no retransmission state is kept for anybody who can write a source address. */
static bool respond(const struct coap_request *r, coap_pdu_code_t code, const uint8_t *p, size_t n)
{
	coap_pdu_t *pdu = coap_new_pdu(COAP_MESSAGE_NON, code, r->session);
	uint8_t format[4];

	if (!pdu)
		return false;
	if (!coap_add_token(pdu, r->token_bytes, r->token))
		goto fail;
	if (n > 0 && !coap_add_option(pdu, COAP_OPTION_CONTENT_FORMAT,
			     coap_encode_var_safe(format, sizeof(format), OCTET_STREAM), format))
		goto fail;
	if (n > 0 && !coap_add_data(pdu, n, p))
		goto fail;
	return coap_send(r->session, pdu) != COAP_INVALID_MID;
fail:
	coap_delete_pdu(pdu);
	return false;
}

void coap_answer(struct coap_request *r, const uint8_t *p, size_t n)
{
	struct coap_edge *e = r->edge;

	if (n <= COAP_ANSWER_MAX_BYTES && respond(r, COAP_RESPONSE_CODE_CHANGED, p, n))
		e->counters.answered++;
	else
		e->counters.lost++; /* not a line in the log: the address was anybody's choice */
	request_free(r);
}

void coap_drop(struct coap_request *r)
{
	r->edge->counters.dropped++;
	request_free(r);
}

static void refuse(struct coap_request *r, coap_pdu_code_t code)
{
	r->edge->counters.malformed++;
	if (!respond(r, code, NULL, 0))
		log_debug("coap: refusal lost");
	request_free(r);
}

/* --- from libcoap -------------------------------------------------------------------------- */

static struct coap_source source_of(const coap_session_t *session)
{
	const coap_address_t *a = coap_session_get_addr_remote(session);
	struct coap_source src = {.port = 0};

	if (a && a->addr.sa.sa_family == AF_INET6) {
		memcpy(src.addr, &a->addr.sin6.sin6_addr, 16);
		src.port = ntohs(a->addr.sin6.sin6_port);
	} else if (a && a->addr.sa.sa_family == AF_INET) {
		src.addr[10] = src.addr[11] = 0xFF;
		memcpy(src.addr + 12, &a->addr.sin.sin_addr, 4);
		src.port = ntohs(a->addr.sin.sin_port);
	}
	return src;
}

/* 0, or the code of what is wrong with the form. No Content-Format at all is taken for 42. */
static coap_pdu_code_t form_error(const coap_pdu_t *request, size_t n)
{
	coap_opt_iterator_t it;
	coap_opt_t *format = coap_check_option(request, COAP_OPTION_CONTENT_FORMAT, &it);

	if (format && coap_decode_var_bytes(coap_opt_value(format), coap_opt_length(format)) !=
			      OCTET_STREAM)
		return COAP_RESPONSE_CODE_UNSUPPORTED_CONTENT_FORMAT;
	if (coap_check_option(request, COAP_OPTION_BLOCK1, &it) || n > COAP_REQUEST_MAX_BYTES)
		return COAP_RESPONSE_CODE_REQUEST_TOO_LARGE;
	if (n == 0)
		return COAP_RESPONSE_CODE_BAD_REQUEST;
	return COAP_EMPTY_CODE;
}

static void on_post(
	coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *pdu, int which)
{
	struct coap_edge *e = coap_resource_get_userdata(resource);
	struct coap_source src = source_of(session);
	coap_bin_const_t token = coap_pdu_get_token(pdu);
	struct coap_request *r;
	const uint8_t *p = NULL;
	coap_pdu_code_t wrong;
	size_t n = 0;

	if (token.length > TOKEN_MAX) {
		e->counters.malformed++;
		return;
	}
	r = request_new(e, session, token);
	if (!r) {
		e->counters.overloaded++;
		return;
	}
	if (!coap_get_data(pdu, &n, &p))
		n = 0;
	wrong = form_error(pdu, n);
	if (wrong != COAP_EMPTY_CODE) {
		refuse(r, wrong);
		return;
	}
	e->counters.requests++;
	e->handler.on_request(e->handler.arg, r, (enum coap_resource)which, p, n, &src);
}

/* The response is left without a code: that is the empty ACK. */
static void on_enroll(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
	const coap_string_t *query, coap_pdu_t *response)
{
	(void)query;
	(void)response;
	on_post(resource, session, request, COAP_RESOURCE_ENROLL);
}

static void on_channel(coap_resource_t *resource, coap_session_t *session,
	const coap_pdu_t *request, const coap_string_t *query, coap_pdu_t *response)
{
	(void)query;
	(void)response;
	on_post(resource, session, request, COAP_RESOURCE_CHANNEL);
}

/* One call of libcoap reads one datagram a socket. As long as requests come they are all taken into
 * the same turn, so that they share one commit. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct coap_edge *e = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < DRAIN_MAX; i++) {
		uint64_t before = e->counters.requests;

		if (coap_io_process(e->context, COAP_IO_NO_WAIT) < 0 ||
			e->counters.requests == before)
			return;
	}
}

/* Its warnings are mostly about datagrams that anybody may send: LOG_QUIET keeps those from filling
 * the journal. While the sockets are bound they say what is wrong. */
#define LOG_QUIET 3
#define LOG_SET_UP 4

static void on_log(coap_log_t level, const char *message)
{
	(void)level;
	log_warn("libcoap: %.*s", (int)strcspn(message, "\n"), message);
}

/* --- set-up -------------------------------------------------------------------------------- */

static enum err add_resource(struct coap_edge *e, const char *path, coap_method_handler_t handler)
{
	coap_resource_t *r = coap_resource_init(coap_make_str_const(path), 0);

	if (!r)
		return ERR_NOMEM;
	coap_register_request_handler(r, COAP_REQUEST_POST, handler);
	coap_resource_set_userdata(r, e);
	(void)coap_add_attr(r, coap_make_str_const("ct"), coap_make_str_const("42"), 0);
	coap_add_resource(e->context, r);
	return ERR_OK;
}

/* The kernel's choice is only told in the endpoint's description, "ADDRESS:PORT UDP". */
static uint16_t port_of(const coap_endpoint_t *ep)
{
	const char *colon = strrchr(coap_endpoint_str(ep), ':');

	return colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
}

static enum err bind_one(
	struct coap_edge *e, const struct sockaddr_storage *ss, socklen_t len, uint16_t *port)
{
	coap_address_t a;
	coap_endpoint_t *ep;

	coap_address_init(&a);
	a.size = len;
	memcpy(&a.addr, ss, len);
	ep = coap_new_endpoint(e->context, &a, COAP_PROTO_UDP);
	if (!ep)
		return ERR_IO;
	*port = port_of(ep);
	return ERR_OK;
}

static bool is_any_ipv6(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)ss;

	return ss->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->sin6_addr);
}

/* [::] takes IPv4 too; on a machine without IPv6 it becomes 0.0.0.0. */
static enum err listen_on(struct coap_edge *e, const char *text, uint16_t *port)
{
	struct sockaddr_storage ss;
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t len;
	enum err err = address_parse(text, COAP_DEFAULT_PORT, &ss, &len);

	if (err)
		return err;
	err = bind_one(e, &ss, len, port);
	if (err != ERR_IO || !is_any_ipv6(&ss))
		return err;
	any.sin_port = ((const struct sockaddr_in6 *)&ss)->sin6_port;
	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, &any, sizeof(any));
	return bind_one(e, &ss, sizeof(any), port);
}

/* libcoap lets others share its port (SO_REUSEADDR): two daemons would each get some of the
 * datagrams. A socket that shares nothing tells whether somebody has it already. */
static enum err check_vacant(const char *text)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, off = 0;
	enum err err = address_parse(text, COAP_DEFAULT_PORT, &ss, &len);

	if (err)
		return err;
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_OK; /* no such family here: for listen_on to say */
	if (ss.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const struct sockaddr *)&ss, len) != 0 && errno == EADDRINUSE)
		err = ERR_CONFLICT;
	(void)close(fd);
	return err;
}

/* Before any is bound: our own may overlap, like [::] and 127.0.0.1. */
static enum err check_all_vacant(const char *const *list, size_t count)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < count && !err; i++) {
		err = check_vacant(list[i]);
		if (err)
			log_err("coap: cannot listen address=%s reason=\"%s\"", list[i],
				err == ERR_CONFLICT ? "the port is in use" : err_text(err));
	}
	return err;
}

static enum err listen_all(struct coap_edge *e, const struct coap_config *config)
{
	static const char *const everywhere[] = {"[::]"};
	const char *const *list = config->listen_count > 0 ? config->listen : everywhere;
	size_t count = config->listen_count > 0 ? config->listen_count : 1;
	enum err err = count > COAP_LISTEN_MAX ? ERR_RANGE : check_all_vacant(list, count);

	for (size_t i = 0; i < count && !err; i++) {
		err = listen_on(e, list[i], &e->ports[i]);
		if (err)
			log_err("coap: cannot listen address=%s reason=\"%s\"", list[i],
				err_text(err));
	}
	return err;
}

static enum err watch(struct coap_edge *e, struct event_base *base)
{
	int fd = coap_context_get_coap_fd(e->context);

	if (fd < 0) {
		log_err("coap: this libcoap was built without epoll");
		return ERR_IO;
	}
	e->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, e);
	if (!e->readable || event_add(e->readable, NULL) != 0)
		return ERR_NOMEM;
	return ERR_OK;
}

static enum err set_up(
	struct coap_edge *e, struct event_base *base, const struct coap_config *config)
{
	enum err err;

	e->context = coap_new_context(NULL);
	if (!e->context)
		return ERR_NOMEM;
	coap_context_set_session_timeout(e->context, SESSION_IDLE_S);
	coap_context_set_max_idle_sessions(
		e->context, config->sessions_max ? config->sessions_max : SESSIONS_MAX_DEFAULT);
	err = add_resource(e, "enroll", on_enroll);
	if (!err)
		err = add_resource(e, "channel", on_channel);
	if (!err)
		err = listen_all(e, config);
	if (!err)
		err = watch(e, base);
	return err;
}

enum err coap_edge_new(struct event_base *base, const struct coap_config *config,
	const struct coap_handler *handler, struct coap_edge **out)
{
	struct coap_edge *e = calloc(1, sizeof(*e));
	enum err err;

	if (!e)
		return ERR_NOMEM;
	coap_startup();
	coap_set_log_handler(on_log);
	coap_set_log_level(LOG_SET_UP);
	e->handler = *handler;
	e->requests_max = config->requests_max ? config->requests_max : REQUESTS_MAX_DEFAULT;
	err = set_up(e, base, config);
	if (err) {
		coap_edge_free(e);
		return err;
	}
	coap_set_log_level(LOG_QUIET);
	*out = e;
	return ERR_OK;
}

void coap_edge_free(struct coap_edge *e)
{
	if (!e)
		return;
	for (struct coap_request *r = e->waiting, *next; r; r = next) {
		next = r->next;
		coap_session_release(r->session);
		free(r);
	}
	if (e->readable)
		event_free(e->readable);
	if (e->context)
		coap_free_context(e->context);
	coap_cleanup();
	free(e);
}

uint16_t coap_edge_port(const struct coap_edge *e, size_t index)
{
	return index < COAP_LISTEN_MAX ? e->ports[index] : 0;
}

const struct coap_counters *coap_edge_counters(const struct coap_edge *e)
{
	return &e->counters;
}
