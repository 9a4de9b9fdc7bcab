#include "support/sim_gateway.h"

#include <stdlib.h>

#include "base/crypto_openssl.h"

#define STEP_MS 5

static void on_report(void *ctx, const struct port_report *report, struct span rsp)
{
	struct gateway *g = ctx;

	(void)rsp;
	memcpy(g->heard, report->address, sizeof(g->heard));
	memcpy(g->heard_adv, report->data.p, report->data.n);
	g->heard_count++;
}

static void on_connected(void *ctx, uint16_t link, enum err result)
{
	struct gateway *g = ctx;

	(void)link;
	g->connected = result == ERR_OK;
	g->down = result != ERR_OK;
}

static void on_subscribed(void *ctx, uint16_t link)
{
	(void)link;
	((struct gateway *)ctx)->subscribed = true;
}

static void on_disconnected(void *ctx, uint16_t link, uint8_t reason)
{
	struct gateway *g = ctx;

	(void)link;
	g->down = true;
	g->open = g->connected = g->subscribed = false;
	g->reason = reason;
}

static void keep(struct gateway *g, struct span message)
{
	struct gateway_message *m;

	if (g->inbox_count == GATEWAY_INBOX_MAX)
		abort();
	m = &g->inbox[g->inbox_count++];
	m->n = message.n;
	memcpy(m->b, message.p, message.n);
}

static void on_notified(void *ctx, uint16_t link, struct span pdu)
{
	struct gateway *g = ctx;
	struct meshsec_event ev;

	memset(&ev, 0, sizeof(ev));
	meshsec_receive(&g->sec, pdu.p, pdu.n, &ev);
	switch (ev.type) {
	case MESHSEC_EVENT_SEND:
	case MESHSEC_EVENT_CORRUPT:
		g->got_anonce = true;
		if (air_radio_write(g->radio, link, ev.pdu.b, ev.pdu.len) != ERR_OK)
			abort();
		return;
	case MESHSEC_EVENT_READY:
		g->open = true;
		return;
	case MESHSEC_EVENT_MESSAGE:
		keep(g, ev.message);
		return;
	case MESHSEC_EVENT_DEAD:
		g->dead = true;
		return;
	case MESHSEC_EVENT_CLOSE:
		air_radio_disconnect(g->radio, link);
		return;
	case MESHSEC_EVENT_NONE:
	case MESHSEC_EVENT_START:
		return;
	}
}

static const struct air_radio_ops ops = {
	.report = on_report,
	.connected = on_connected,
	.subscribed = on_subscribed,
	.notified = on_notified,
	.disconnected = on_disconnected,
};

void gateway_init(struct gateway *g, struct air *air)
{
	memset(g, 0, sizeof(*g));
	g->air = air;
	g->random = 0x1234;
	g->radio = air_radio_new(air, &ops, g);
	if (!g->radio)
		abort();
}

void gateway_done(struct gateway *g)
{
	air_radio_free(g->radio);
	meshsec_clear(&g->sec);
}

void gateway_run(struct gateway *g, uint64_t ms)
{
	air_run_until(g->air, air_now_ms(g->air) + ms);
}

bool gateway_connect(struct gateway *g, const struct sim_node *n)
{
	g->connected = g->subscribed = g->open = g->down = g->got_anonce = g->dead = false;
	g->inbox_count = 0;
	if (air_radio_connect(g->radio, sim_node_address(n), 0, &g->link) != ERR_OK)
		return false;
	while (!g->connected && !g->down)
		gateway_run(g, STEP_MS);
	if (!g->connected || air_radio_subscribe(g->radio, g->link) != ERR_OK)
		return false;
	for (int i = 0; i < 1000 && !g->subscribed && !g->down; i++)
		gateway_run(g, STEP_MS);
	return g->subscribed;
}

bool gateway_open(struct gateway *g, const struct sim_node *n, uint32_t key_id,
	enum meshsec_tunnel tunnel, const struct secret16 *ltk)
{
	uint8_t snonce[MESHSEC_NONCE_BYTES];
	struct meshsec_pdu pdu;

	if (!gateway_connect(g, n))
		return false;
	for (size_t i = 0; i < sizeof(snonce); i++)
		snonce[i] = (uint8_t)(g->random = g->random * 1103515245 + 12345);
	meshsec_init(&g->sec, aes128_default(), MESHSEC_CENTRAL, GATEWAY_ID);
	if (meshsec_start(&g->sec, key_id, tunnel, ltk, snonce, &pdu) != ERR_OK)
		abort();
	gateway_write(g, pdu.b, pdu.len);
	for (int i = 0; i < 12000 && !g->open && !g->down; i++)
		gateway_run(g, STEP_MS);
	return g->open;
}

void gateway_close(struct gateway *g)
{
	air_radio_disconnect(g->radio, g->link);
	while (!g->down)
		gateway_run(g, STEP_MS);
}

void gateway_write(struct gateway *g, const void *pdu, size_t n)
{
	if (air_radio_write(g->radio, g->link, pdu, n) != ERR_OK)
		abort();
}

void gateway_send(struct gateway *g, const void *message, size_t n)
{
	struct meshsec_pdu pdu;

	if (meshsec_send_begin(&g->sec, message, n) != ERR_OK)
		abort();
	while (meshsec_send_next(&g->sec, &pdu) == ERR_OK)
		gateway_write(g, pdu.b, pdu.len);
}

static bool take(struct gateway *g, enum meshmsg_kind kind, struct meshmsg *out)
{
	static struct gateway_message taken;

	for (size_t i = 0; i < g->inbox_count; i++) {
		if (meshmsg_decode(g->inbox[i].b, g->inbox[i].n, out) != ERR_OK ||
			out->kind != kind)
			continue;
		taken = g->inbox[i];
		memmove(&g->inbox[i], &g->inbox[i + 1],
			(--g->inbox_count - i) * sizeof(g->inbox[0]));
		return meshmsg_decode(taken.b, taken.n, out) == ERR_OK;
	}
	return false;
}

bool gateway_wait(struct gateway *g, enum meshmsg_kind kind, uint64_t ms, struct meshmsg *out)
{
	for (uint64_t t = 0; t <= ms; t += STEP_MS) {
		if (take(g, kind, out))
			return true;
		gateway_run(g, STEP_MS);
	}
	return false;
}
