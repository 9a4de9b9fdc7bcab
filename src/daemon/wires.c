/* The wires of daemon_start: small functions that translate what one room says for another. */
#include "daemon/wires.h"

#include <string.h>

#include "base/log.h"
#include "control/control.h"
#include "enr/hex.h"
#include "enr/serial.h"
#include "enroll/batch.h"
#include "enroll/listener.h"
#include "enroll/nodes.h"
#include "enroll/runner.h"
#include "enroll/service.h"
#include "mesh/timer_event.h"

#define ID_TEXT_BYTES 65 /* 32 bytes in hex and a NUL */

static const char *hex(const uint8_t *p, size_t n, char out[ID_TEXT_BYTES])
{
	hex_print(p, n, out);
	return out;
}

/* The state that the event leaves its object in, in the words of the control interface. */
static const char *state_after(enum service_event_kind kind)
{
	switch (kind) {
	case SERVICE_BUNDLE_ISSUED:
		return "open";
	case SERVICE_ENROLLEE_ANNOUNCED:
	case SERVICE_ENROLLEE_REJECTED:
		return "pending";
	case SERVICE_ENROLLEE_ACCEPTED:
	case SERVICE_DEVICE_PING:
	case SERVICE_DEVICE_PONG:
		return "enrolled";
	case SERVICE_BUNDLE_EXPIRED:
	case SERVICE_ENROLLEE_EXPIRED:
		return "expired";
	case SERVICE_ENROLLEE_CANCELLED:
		return "cancelled";
	case SERVICE_BUNDLE_REVOKED:
	case SERVICE_DEVICE_REVOKED:
		return "revoked";
	case SERVICE_EVENT_COUNT:
		break;
	}
	return NULL;
}

/* What a watcher asked for by id: the enrollee, from enrollment on the device, else the bundle. */
static const char *event_id(const struct service_event *e, char out[ID_TEXT_BYTES])
{
	if (e->has_enrollee)
		return hex(e->enrollee_id.b, sizeof(e->enrollee_id.b), out);
	if (e->has_device)
		return hex(e->device_id.b, sizeof(e->device_id.b), out);
	return e->has_bundle ? hex(e->bundle_id, sizeof(e->bundle_id), out) : NULL;
}

void wire_service_event(void *arg, const struct service_event *e)
{
	struct daemon *d = arg;
	char id[ID_TEXT_BYTES], device[ID_TEXT_BYTES];
	const struct control_event out = {
		.event = service_event_text(e->kind),
		.id = event_id(e, id),
		.state = state_after(e->kind),
		.reason = e->cause,
		.name = e->pet_name[0] ? e->pet_name : NULL,
		.device_id =
			e->has_device ? hex(e->device_id.b, sizeof(e->device_id.b), device) : NULL,
		.at = e->at,
	};

	if (d->control)
		control_push(d->control, &out);
}

void wire_node_event(void *arg, const struct nodes_event *e)
{
	struct daemon *d = arg;
	char serial[SERIAL_TEXT_SIZE], why[JOB_TEXT_SIZE];
	struct control_event out = {
		.event = "node_state",
		.id = serial,
		.state = job_state_name(e->state),
		.at = e->at,
	};

	serial_print(e->serial, serial);
	job_explain(e->state, e->reason, e->code, why);
	out.reason = why[0] ? why : NULL;
	if (d->control)
		control_push(d->control, &out);
}

void wire_adapter(void *arg, bool ready)
{
	struct daemon *d = arg;

	log_info("radio %s", ready ? "ready" : "away");
	if (!ready)
		timer_event_unfollow(d->timers);
	if (d->runner)
		runner_on_adapter(d->runner, ready);
}

void wire_time(void *arg, uint64_t now_ms)
{
	struct daemon *d = arg;

	timer_event_follow(d->timers, now_ms);
}

enum err wire_ping(void *arg, const struct clock_now *now, const char *device_id,
	const uint8_t body[8], struct reason *why)
{
	struct daemon *d = arg;

	return listener_ping(d->listener, now, device_id, body, why);
}

void wire_status(void *arg, struct control_daemon_status *out)
{
	struct daemon *d = arg;

	memset(out, 0, sizeof(*out));
	out->started_at = d->started_at;
	out->coap_address = d->coap ? service_addr(d->service) : NULL;
	out->link_state = "off";
	if (!d->runner)
		return;
	runner_status(d->runner, &d->status);
	out->link_state = d->status.state;
	out->link_address = d->status.address[0] ? d->status.address : NULL;
	out->link_node_id = d->status.node_id;
	out->link_network_id = d->status.network_id;
	out->ignored = d->status.ignored;
}

bool wire_tick(struct daemon *d)
{
	struct clock_now now;
	bool again = false;
	enum err e = clock_read(&now);

	if (e == ERR_OK)
		e = batch_enter(d->batch);
	if (e == ERR_OK)
		e = batch_leave(d->batch, service_tick(d->service, &now, &again));
	if (e)
		log_warn("housekeeping failed, trying again later: %s", err_text(e));
	return again && e == ERR_OK;
}
