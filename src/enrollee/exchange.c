/* libcoap as a client, in a loop of its own. Each attempt has a socket of its own, so that an old
 * attempt's retransmissions end with it. */
#include "enrollee/exchange.h"

#include <netdb.h>
#include <stdio.h>
#include <time.h>

#include <coap3/coap.h>

#include "base/clock.h"
#include "base/log.h"

#define WAIT_FIRST_MS 2000
#define WAIT_MAX_MS 60000
#define OCTET_STREAM 42
#define LOG_QUIET 3 /* below libcoap's warnings, which repeat what we tell at the end */

struct attempt {
	const struct exchange *x;
	bool acknowledged; /* ever */
	bool refused;      /* the newest attempt met nobody */
	bool answered;
	bool name_unknown;
};

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent,
	const coap_pdu_t *received, const coap_mid_t mid)
{
	struct attempt *a = coap_session_get_app_data(session);
	coap_pdu_code_t code = coap_pdu_get_code(received);
	const uint8_t *p;
	size_t n;

	(void)sent;
	(void)mid;
	a->acknowledged = true;
	if (COAP_RESPONSE_CLASS(code) != 2)
		log_warn("the service refuses the form of the request code=%d.%02d",
			COAP_RESPONSE_CLASS(code), code & 0x1F);
	else if (coap_get_data(received, &n, &p) && a->x->on_payload &&
		 a->x->on_payload(a->x->arg, p, n))
		a->answered = true;
	return COAP_RESPONSE_OK;
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent, coap_nack_reason_t reason,
	const coap_mid_t mid)
{
	struct attempt *a = coap_session_get_app_data(session);

	(void)sent;
	(void)mid;
	(void)reason;
	a->refused = true;
}

static void on_log(coap_log_t level, const char *message)
{
	(void)level;
	log_debug("libcoap: %.*s", (int)strcspn(message, "\n"), message);
}

static coap_pdu_t *make_pdu(coap_session_t *session, const struct exchange *x)
{
	coap_pdu_t *pdu = coap_new_pdu(COAP_MESSAGE_CON, COAP_REQUEST_CODE_POST, session);
	uint8_t token[8], format[4];
	size_t token_bytes = 0;

	if (!pdu)
		return NULL;
	coap_session_new_token(session, &token_bytes, token);
	if (coap_add_token(pdu, token_bytes, token) &&
		coap_add_option(
			pdu, COAP_OPTION_URI_PATH, strlen(x->path), (const uint8_t *)x->path) &&
		coap_add_option(pdu, COAP_OPTION_CONTENT_FORMAT,
			coap_encode_var_safe(format, sizeof(format), OCTET_STREAM), format) &&
		coap_add_data(pdu, x->bytes.n, x->bytes.p))
		return pdu;
	coap_delete_pdu(pdu);
	return NULL;
}

/* The n-th address of the name, around the circle: one of them may lead nowhere. */
static bool resolve(const struct exchange *x, unsigned n, coap_address_t *out)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *list = NULL, *a;
	char port[6];
	unsigned count = 0;

	(void)snprintf(port, sizeof(port), "%u", (unsigned)x->port);
	if (getaddrinfo(x->host, port, &hints, &list) != 0)
		return false;
	for (a = list; a; a = a->ai_next)
		count++;
	if (count == 0)
		return false;
	n %= count;
	for (a = list; n > 0; a = a->ai_next)
		n--;
	coap_address_init(out);
	out->size = a->ai_addrlen;
	memcpy(&out->addr, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(list);
	return true;
}

static bool is_done(const struct attempt *a)
{
	return a->answered || (a->x->ack_is_enough && a->acknowledged);
}

/* Until done or until_ms; a datagram wakes it at once. */
static void listen_until(coap_context_t *ctx, struct attempt *a, uint64_t until_ms)
{
	for (uint64_t now = clock_boot_ms(); now < until_ms && !is_done(a); now = clock_boot_ms()) {
		uint64_t left = until_ms - now;

		if (coap_io_process(ctx, (uint32_t)(left < 1000 ? left : 1000)) < 0)
			return;
		if (!a->refused && coap_can_exit(ctx))
			a->acknowledged = true;
	}
}

static enum err try_once(coap_context_t *ctx, struct attempt *a, unsigned number, uint64_t until_ms)
{
	coap_session_t *session = NULL;
	coap_address_t to;
	coap_pdu_t *pdu;

	a->refused = false;
	a->name_unknown = !resolve(a->x, number, &to);
	if (!a->name_unknown)
		session = coap_new_client_session(ctx, NULL, &to, COAP_PROTO_UDP);
	if (!session) { /* no route: wait, as if it had been lost */
		a->refused = true;
		listen_until(ctx, a, until_ms);
		return ERR_OK;
	}
	coap_session_set_app_data(session, a);
	pdu = make_pdu(session, a->x);
	if (!pdu) {
		coap_session_release(session);
		return ERR_NOMEM;
	}
	if (coap_send(session, pdu) == COAP_INVALID_MID)
		a->refused = true;
	listen_until(ctx, a, until_ms);
	coap_session_release(session);
	return ERR_OK;
}

static enum err verdict(const struct attempt *a)
{
	if (is_done(a))
		return ERR_OK;
	if (a->name_unknown)
		return ERR_NOT_FOUND;
	return a->acknowledged ? ERR_TIMEOUT : ERR_CLOSED;
}

enum err exchange_run(const struct exchange *x)
{
	struct attempt a = {.x = x};
	uint64_t now = clock_boot_ms(), end = now + x->timeout_ms, wait = WAIT_FIRST_MS;
	coap_context_t *ctx;
	enum err err = ERR_OK;

	coap_startup();
	coap_set_log_handler(on_log);
	coap_set_log_level(LOG_QUIET);
	ctx = coap_new_context(NULL);
	if (!ctx) {
		coap_cleanup();
		return ERR_NOMEM;
	}
	coap_register_response_handler(ctx, on_response);
	coap_register_nack_handler(ctx, on_nack);
	for (unsigned i = 0; now < end && !err && !is_done(&a); i++, now = clock_boot_ms()) {
		err = try_once(ctx, &a, i, now + wait < end ? now + wait : end);
		wait = wait * 2 < WAIT_MAX_MS ? wait * 2 : WAIT_MAX_MS;
	}
	coap_free_context(ctx);
	coap_cleanup();
	return err ? err : verdict(&a);
}
