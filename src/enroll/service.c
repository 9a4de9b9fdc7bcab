/* The service's life: start, time, events, the sweep. */
#include "enroll/service.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "enroll/service_internal.h"
#include "store/store.h"
#include "store/times.h"

#define BUNDLE_LIFETIME_S 86400u
#define PENDING_LIFETIME_S 86400u
#define SPK_LIFETIME_S (7u * 86400u)
#define QUOTA 1000u

/* --- time --- */

uint64_t service_now(struct service *s, const struct clock_now *now)
{
	(void)svctime_advance(&s->time, now, &s->time);
	return svctime_s(&s->time);
}

uint64_t service_time_s(struct service *s, const struct clock_now *now)
{
	return service_now(s, now);
}

/* Every commit holds the moment of its newest decision, also of a refusal: after a power cut, time
 * goes on from there, so nothing that was told dead lives again. */
static enum err store_time(void *arg)
{
	struct service *s = arg;
	enum err e;

	if (s->stored && s->stored_s == svctime_s(&s->time))
		return ERR_OK;
	e = times_put(s->store, &s->time);
	s->stored = e == ERR_OK;
	s->stored_s = svctime_s(&s->time);
	return e;
}

static enum err load_time(struct service *s, const struct clock_now *now)
{
	struct svctime stored;
	enum err e = times_get(s->store, &stored);

	if (e != ERR_OK)
		return e;
	if (svctime_advance(&stored, now, &s->time) == SVCTIME_NO_GAP)
		log_warn("the clock cannot be believed after this boot, expiry goes on from the "
			 "last known moment stored_wall=%llu wall=%llu",
			(unsigned long long)stored.wall_s, (unsigned long long)now->wall_s);
	return ERR_OK;
}

/* --- events --- */

static const char *const EVENT_TEXT[SERVICE_EVENT_COUNT] = {
	[SERVICE_BUNDLE_ISSUED] = "bundle_issued",
	[SERVICE_BUNDLE_REVOKED] = "bundle_revoked",
	[SERVICE_BUNDLE_EXPIRED] = "bundle_expired",
	[SERVICE_ENROLLEE_ANNOUNCED] = "enrollee_announced",
	[SERVICE_ENROLLEE_ACCEPTED] = "enrollee_accepted",
	[SERVICE_ENROLLEE_REJECTED] = "enrollee_rejected",
	[SERVICE_ENROLLEE_CANCELLED] = "enrollee_cancelled",
	[SERVICE_ENROLLEE_EXPIRED] = "enrollee_expired",
	[SERVICE_DEVICE_REVOKED] = "device_revoked",
	[SERVICE_DEVICE_PING] = "device_ping",
	[SERVICE_DEVICE_PONG] = "device_pong",
};

const char *service_event_text(enum service_event_kind kind)
{
	return kind < SERVICE_EVENT_COUNT ? EVENT_TEXT[kind] : "unknown";
}

void service_on_event(struct service *s, service_event_fn *fn, void *arg)
{
	s->on_event = fn;
	s->on_event_arg = arg;
}

enum err service_push(struct service *s, const struct service_event *event)
{
	if (!s->on_event)
		return ERR_OK;
	if (s->event_count == s->event_room) {
		size_t room = s->event_room > 0 ? s->event_room * 2 : 16;
		struct service_event *more = realloc(s->event, room * sizeof(*more));

		if (!more)
			return ERR_NOMEM;
		s->event = more;
		s->event_room = room;
	}
	s->event[s->event_count++] = *event;
	return ERR_OK;
}

/* An undone request has not happened. */
static void begin_request(void *arg)
{
	struct service *s = arg;

	s->event_kept = s->event_count;
	s->refusals_kept = s->refusals_unrecorded;
}

static void undo_request(void *arg)
{
	struct service *s = arg;

	s->event_count = s->event_kept;
	s->refusals_unrecorded = s->refusals_kept;
	if (s->spk_changed)
		service_spk_forget(s); /* it may be as this request made it */
}

static void deliver_events(struct service *s)
{
	struct service_event *event = s->event;
	size_t count = s->event_count;

	/* Taken away first: a listener may start the next transaction. */
	s->event = NULL;
	s->event_count = s->event_room = s->event_kept = 0;
	for (size_t i = 0; i < count && s->on_event; i++)
		s->on_event(s->on_event_arg, &event[i]);
	free(event);
}

/* One that a reader is in the way of holds the loop up until the store's patience ends: not after
 * each commit. */
static void checkpoint(struct service *s)
{
	uint64_t now_s = svctime_s(&s->time);
	enum err e;

	if (!s->checkpoint_due || now_s < s->checkpoint_again_s || store_in_transaction(s->store))
		return;
	e = store_checkpoint(s->store);
	if (e == ERR_OK) {
		s->checkpoint_due = false;
		s->checkpoint_s = now_s;
		return;
	}
	s->checkpoint_again_s = now_s + SERVICE_CHECKPOINT_AGAIN_S;
	if (e != ERR_BUSY)
		log_warn("checkpoint failed error=\"%s\"", err_text(e));
}

void service_committed(void *arg, enum err committed)
{
	struct service *s = arg;

	if (committed != ERR_OK) {
		s->event_count = s->event_kept = 0;
		s->refusals_unrecorded = s->refusals_committed;
		s->stored = false;
		service_spk_forget(s);
	} else {
		s->refusals_committed = s->refusals_unrecorded;
		deliver_events(s);
		checkpoint(s);
	}
	s->spk_changed = false;
}

static void event_of_row(struct service_event *event, const struct bundle_row *row)
{
	event->enroller = row->enroller;
	event->has_bundle = true;
	memcpy(event->bundle_id, row->id, sizeof(event->bundle_id));
	event->has_enrollee = row->has_enrollee;
	event->enrollee_id = row->enrollee_id;
	memcpy(event->pet_name, row->pet_name, sizeof(event->pet_name));
}

enum err service_note_bundle(struct service *s, const struct clock_now *now,
	enum service_event_kind kind, const struct caller *who, const struct bundle_row *row)
{
	struct service_event event = {.kind = kind, .at = now->wall_s};
	struct audit a;
	enum err e;

	event_of_row(&event, row);
	audit_start(&a, service_event_text(kind), who);
	audit_hex(&a, "bundle", row->id, sizeof(row->id));
	if (row->has_enrollee)
		audit_hex(&a, "enrollee", row->enrollee_id.b, sizeof(row->enrollee_id.b));
	if (row->has_enrollee && row->pet_name[0] != '\0')
		audit_text(&a, "name", row->pet_name);
	e = audit_write(&a, s->store, now->wall_s);
	return e == ERR_OK ? service_push(s, &event) : e;
}

/* --- the sweep --- */

enum err service_expire(struct service *s, const struct clock_now *now, int64_t id)
{
	uint64_t now_s = svctime_s(&s->time);
	struct bundle_row row;
	enum err e = bundles_get(s->store, id, &row);

	if (e == ERR_OK)
		e = bundles_expire(s->store, id, now_s, now_s + SERVICE_FORGET_S, now->wall_s);
	if (e != ERR_OK)
		return e;
	return service_note_bundle(s, now,
		row.state == BUNDLE_PENDING ? SERVICE_ENROLLEE_EXPIRED : SERVICE_BUNDLE_EXPIRED,
		NULL, &row);
}

enum err service_sweep(struct service *s, const struct clock_now *now, size_t *count)
{
	struct bundle_due due[SERVICE_SWEEP_MAX];
	uint64_t now_s = service_now(s, now);
	enum err e = bundles_due(s->store, now_s, due, SERVICE_SWEEP_MAX, count);

	for (size_t i = 0; e == ERR_OK && i < *count; i++) {
		if (due[i].live)
			e = service_expire(s, now, due[i].row);
		else
			e = bundles_forget(s->store, due[i].row, now_s);
	}
	return e;
}

enum err service_tick(struct service *s, const struct clock_now *now, bool *again)
{
	size_t count = 0;
	enum err e = store_in_transaction(s->store) ? ERR_OK : ERR_STATE;

	*again = false;
	if (e == ERR_OK)
		e = service_sweep(s, now, &count);
	if (e == ERR_OK)
		e = service_spk_tick(s, now);
	if (e != ERR_OK)
		return e;
	if (svctime_s(&s->time) >= s->checkpoint_s + SERVICE_CHECKPOINT_S)
		s->checkpoint_due = true;
	*again = count == SERVICE_SWEEP_MAX;
	return ERR_OK;
}

/* --- start --- */

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value > 0 ? value : otherwise;
}

static enum err take_config(
	struct service *s, const struct service_config *config, struct reason *why)
{
	s->config = *config;
	s->config.bundle_lifetime_s = or_default(config->bundle_lifetime_s, BUNDLE_LIFETIME_S);
	s->config.pending_lifetime_s = or_default(config->pending_lifetime_s, PENDING_LIFETIME_S);
	s->config.spk_lifetime_s = or_default(config->spk_lifetime_s, SPK_LIFETIME_S);
	s->config.quota = or_default(config->quota, QUOTA);
	s->config.addr_host = NULL;
	if (s->config.bundle_lifetime_s > SERVICE_LIFETIME_MAX_S ||
		s->config.pending_lifetime_s > SERVICE_LIFETIME_MAX_S) {
		reason_set(why, "lifetime", "a lifetime is longer than 30 days");
		return ERR_INVALID;
	}
	if (config->welcome.n > sizeof(s->welcome)) {
		reason_set(why, "welcome", "the welcome is longer than %u bytes",
			ENROLLMSG_WELCOME_MAX);
		return ERR_INVALID;
	}
	if (config->welcome.n > 0)
		memcpy(s->welcome, config->welcome.p, config->welcome.n);
	s->config.welcome.p = s->welcome;
	return ERR_OK;
}

static enum err make_addr(
	struct service *s, const struct service_config *config, struct reason *why)
{
	struct enrollmsg_addr addr = {.kind = ENROLLMSG_ADDR_COAP};
	struct public32 id;
	const char *host = config->addr_host ? config->addr_host : "";
	enum err e = enrollmsg_id(s->crypto, &s->identity.pub, &id);

	if (e != ERR_OK)
		return e;
	addr.port = config->addr_port > 0 ? config->addr_port : ENROLLMSG_COAP_PORT;
	addr.host_is_ipv6 = strchr(host, ':') != NULL;
	memcpy(addr.fingerprint, id.b, sizeof(addr.fingerprint));
	if (strlen(host) > ENROLLMSG_HOST_MAX)
		e = ERR_INVALID;
	if (e == ERR_OK) {
		memcpy(addr.host, host, strlen(host) + 1);
		e = enrollmsg_addr_print(&addr, s->addr, sizeof(s->addr));
	}
	if (e != ERR_OK) {
		reason_set(why, "host", "\"%.64s\" is not a host name or address", host);
		return ERR_INVALID;
	}
	return keys_address_row(s->store, s->addr, &s->addr_row);
}

static enum err start(struct service *s, const struct service_config *config,
	const struct clock_now *now, struct reason *why)
{
	const struct signed_prekey *spk;
	enum err e = load_time(s, now);

	if (e == ERR_OK)
		e = service_identity_load(s, now);
	if (e == ERR_OK)
		e = make_addr(s, config, why);
	if (e == ERR_OK)
		e = service_spk_current(s, now, &spk);
	return e;
}

static void explain_start(enum err e, struct reason *why)
{
	if (!why || why->text[0] != '\0')
		return;
	if (e == ERR_KEY || e == ERR_AUTH)
		reason_set(why, NULL, "the sealing key is not the one this database was made with");
	else
		reason_set(why, NULL, "%s", err_text(e));
}

enum err service_new(struct store *store, const struct crypto *crypto,
	const struct service_config *config, const struct clock_now *now, struct service **out,
	struct reason *why)
{
	struct service *s = calloc(1, sizeof(*s));
	enum err e;

	*out = NULL;
	if (why)
		reason_set(why, NULL, "%s", "");
	if (!s)
		return ERR_NOMEM;
	s->store = store;
	s->crypto = crypto;
	s->refusals_left = SERVICE_REFUSALS_MAX;
	store_hook(store, &(struct store_hooks){s, store_time, begin_request, undo_request});
	e = take_config(s, config, why);
	if (e == ERR_OK)
		e = store_begin(store);
	if (e == ERR_OK)
		e = start(s, config, now, why);
	if (e == ERR_OK)
		e = store_commit(store);
	if (e != ERR_OK) {
		store_rollback(store);
		explain_start(e, why);
		service_free(s);
		return e;
	}
	service_committed(s, ERR_OK);
	*out = s;
	return ERR_OK;
}

void service_free(struct service *s)
{
	if (!s)
		return;
	store_hook(s->store, NULL);
	service_spk_forget(s);
	x3dh_keypair_wipe(&s->identity);
	bytes_wipe(s->welcome, sizeof(s->welcome));
	free(s->event);
	free(s);
}

const struct public32 *service_identity(const struct service *s)
{
	return &s->identity.pub;
}

const char *service_addr(const struct service *s)
{
	return s->addr;
}
