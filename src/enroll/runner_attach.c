/* The session with a gateway node of a network: chosen by signal, kept, replaced with back-off. */
#include "base/log.h"
#include "enr/meshadv.h"
#include "enr/serial.h"
#include "enroll/batch.h"
#include "enroll/runner_room.h"

#define KEY_ID_NETWORK 2     /* mesh-protocol §3.1 */
#define TUNNEL_REMOTE_MESH 1 /* §3.3 */

bool attach_is_opening(const struct net *net)
{
	return net->session && !mesh_is_open(net->session);
}

bool attach_is_open(const struct net *net)
{
	return net->session && mesh_is_open(net->session);
}

/* --- candidates ------------------------------------------------------------------------------- */

static void failures_add(struct failures *f, uint64_t now_ms)
{
	if (f->count < UINT8_MAX)
		f->count++;
	f->last_ms = now_ms;
}

static uint8_t failures_now(const struct failures *f, uint64_t now_ms)
{
	return now_ms < f->last_ms + RUNNER_FAILURE_MS ? f->count : 0;
}

/* To leave the table. One that failed stays: with its next advert it would come back as if nothing
 * had been. When all have failed, the one that was tried the longest ago goes. */
static bool goes_first(const struct candidate *a, const struct candidate *b, uint64_t now_ms)
{
	bool a_failed = failures_now(&a->fails, now_ms) > 0;
	bool b_failed = failures_now(&b->fails, now_ms) > 0;

	if (a_failed != b_failed)
		return b_failed;
	return a_failed ? a->fails.last_ms < b->fails.last_ms : a->heard_ms < b->heard_ms;
}

static struct candidate *candidate_slot(struct net *net, const struct link_addr *addr)
{
	uint64_t now_ms = runner_now(net->runner);
	struct candidate *first = &net->candidates[0];

	for (size_t i = 0; i < RUNNER_CANDIDATES_MAX; i++) {
		struct candidate *c = &net->candidates[i];

		if (link_addr_equal(&c->addr, addr))
			return c;
		if (goes_first(c, first, now_ms))
			first = c;
	}
	*first = (struct candidate){.addr = *addr};
	return first;
}

static bool is_fresh(const struct candidate *c, uint64_t now_ms)
{
	return c->heard_ms != 0 && now_ms < c->heard_ms + RUNNER_CANDIDATE_MS;
}

void attach_on_advert(struct net *net, const struct link_advert *advert, const struct meshadv *adv)
{
	struct candidate *c = candidate_slot(net, &advert->addr);
	uint64_t now_ms = runner_now(net->runner);
	bool is_news = !is_fresh(c, now_ms);

	c->serial = adv->serial_index;
	c->rssi_dbm = advert->rssi_dbm == LINK_RSSI_UNKNOWN ? INT8_MIN : advert->rssi_dbm;
	c->heard_ms = now_ms + 1; /* never 0 */
	if (is_news && !net->session)
		runner_kick(net->runner);
}

static bool is_preferred(const struct net *net, uint32_t serial)
{
	return net->gateway_serial != UINT32_MAX && serial == net->gateway_serial;
}

/* There is a preferred one, and it has not turned out to be a bad one. */
static bool has_preference(const struct net *net, uint64_t now_ms)
{
	return net->gateway_serial != UINT32_MAX &&
	       failures_now(&net->preferred_fails, now_ms) < RUNNER_PREFERRED_TRIES;
}

static bool is_better(const struct net *net, const struct candidate *a, const struct candidate *b,
	uint64_t now_ms)
{
	uint8_t a_fails = failures_now(&a->fails, now_ms);
	uint8_t b_fails = failures_now(&b->fails, now_ms);
	bool a_preferred = is_preferred(net, a->serial);

	if (has_preference(net, now_ms) && a_preferred != is_preferred(net, b->serial))
		return a_preferred;
	return a_fails != b_fails ? a_fails < b_fails : a->rssi_dbm > b->rssi_dbm;
}

/* We are about to enroll that very node by a connection of its own, and it takes one from us. */
static bool is_target(struct runner *r, const struct candidate *c, uint64_t now_ms)
{
	const struct entry *en = runner_find(r, c->serial);

	if (!en)
		return false;
	return en->session || (job_is_asking(&en->job) && now_ms >= en->job.next_try_ms);
}

static struct candidate *choose(struct net *net, uint64_t now_ms)
{
	struct candidate *best = NULL;

	for (size_t i = 0; i < RUNNER_CANDIDATES_MAX; i++) {
		struct candidate *c = &net->candidates[i];

		if (is_fresh(c, now_ms) && (!best || is_better(net, c, best, now_ms)) &&
			!is_target(net->runner, c, now_ms))
			best = c;
	}
	return best;
}

static void give_way(struct net *net)
{
	if (!net->gives_way)
		mesh_close(net->session);
	net->gives_way = true;
}

bool attach_give_way(struct runner *r, uint32_t serial)
{
	bool waits = false;

	for (struct net *net = r->nets; net; net = net->next) {
		if (!net->session || net->serial != serial)
			continue;
		give_way(net);
		waits = true;
	}
	return waits;
}

/* --- more networks than connections ----------------------------------------------------------- */

/* A job that is not over may be done through its own network, and through the one that its node is
 * still in. */
void attach_note_jobs(struct runner *r)
{
	for (struct net *net = r->nets; net; net = net->next)
		net->has_jobs = false;
	for (size_t i = 0; i < r->entry_count; i++) {
		const struct entry *en = r->entries[i];
		struct net *source = overmesh_source(en);

		if (job_is_over(en->job.state))
			continue;
		en->net->has_jobs = true;
		if (source)
			source->has_jobs = true;
	}
}

static bool has_work(const struct net *net, uint64_t now_ms)
{
	return net->has_jobs || now_ms < net->asked_ms;
}

/* It would have a session if there was a place for it; after the pause of a failure, too: in each
 * of them somebody without work would come and go. */
static bool needs_place(struct net *net, uint64_t now_ms)
{
	if (net->session || net->gone || !has_work(net, now_ms))
		return false;
	return now_ms < net->retry_ms || choose(net, now_ms);
}

/* One connection is left for nodes, which radio_free counts on; and whoever has no work leaves one
 * to each that has. */
static bool has_place(const struct net *net, uint64_t now_ms)
{
	bool works = has_work(net, now_ms);
	unsigned taken = 0;

	for (struct net *other = net->runner->nets; other; other = other->next)
		taken += other->session || (!works && needs_place(other, now_ms));
	return taken < LINK_CONNECTIONS_MAX - 1;
}

/* Until when its session is not ended for another network; UINT64_MAX: as long as it has jobs. */
static uint64_t held_until_ms(const struct net *net)
{
	return net->has_jobs || !attach_is_open(net) ? UINT64_MAX : net->opened_ms + RUNNER_HELD_MS;
}

/* The same for one that has no jobs, but is asked about as well. */
static uint64_t idle_from_ms(const struct net *net)
{
	uint64_t held_ms = held_until_ms(net);

	return held_ms > net->asked_ms ? held_ms : net->asked_ms;
}

static struct net *earliest(struct runner *r, uint64_t (*when_ms)(const struct net *net))
{
	struct net *first = r->nets;

	for (struct net *net = r->nets; net; net = net->next)
		if (when_ms(net) < when_ms(first))
			first = net;
	return first;
}

static bool somebody_goes(const struct runner *r)
{
	for (const struct net *net = r->nets; net; net = net->next)
		if (net->session && (net->gives_way || net->gone))
			return true;
	return false;
}

/* Ends the session that has been open the longest of those without work, one at a time; for jobs,
 * if there is none, of those that are only asked about. Returns when one may be ended. */
static uint64_t seek_place(const struct net *net, uint64_t now_ms)
{
	struct net *first = earliest(net->runner, idle_from_ms);
	uint64_t at_ms = idle_from_ms(first);

	if (somebody_goes(net->runner))
		return UINT64_MAX; /* its end wakes us */
	if (net->has_jobs && at_ms > now_ms) {
		first = earliest(net->runner, held_until_ms);
		at_ms = held_until_ms(first);
	}
	if (at_ms > now_ms)
		return at_ms;
	log_info("gives_way network=%u", first->id);
	give_way(first);
	return UINT64_MAX;
}

/* --- the session ------------------------------------------------------------------------------ */

/* Whatever was under way through this session may be lost: it is asked again. */
static void lose_attempts(struct net *net)
{
	struct runner *r = net->runner;

	for (size_t i = 0; i < r->entry_count; i++) {
		struct entry *en = r->entries[i];
		bool asks = en->net == net && en->job.state == JOB_SAVED && !job_is_asset(&en->job);

		if (en->job.in_flight && (asks || en->via == net))
			runner_apply(en, &(struct job_event){.type = JOB_EVENT_LINK_LOST});
		if (en->via == net)
			en->via = NULL;
	}
}

/* The gateway node's id is never given to another, whoever enrolled it. */
static void adopt(struct net *net)
{
	struct runner *r = net->runner;
	enum err e = batch_enter(r->config.batch);

	if (e == ERR_OK) {
		e = net->gateway_id <= NODE_ID_MAX
			    ? store_ids_adopt(r->config.store, net->id, net->gateway_id,
				      net->serial, runner_now(r) / 1000)
			    : ERR_RANGE;
		e = batch_leave(r->config.batch, e);
	}
	if (e != ERR_OK)
		log_warn("gateway_id_not_noted network=%u node_id=%u error=\"%s\"", net->id,
			net->gateway_id, err_text(e));
}

static void on_opened(void *arg, struct mesh_session *s, uint16_t node_id)
{
	struct net *net = arg;
	char serial[SERIAL_TEXT_SIZE];

	(void)s;
	serial_print(net->serial, serial);
	log_info("attached network=%u node_id=%u serial=%s", net->id, node_id, serial);
	lose_attempts(net); /* it may have been open before (§3.7) */
	net->gateway_id = node_id;
	net->opened_ms = runner_now(net->runner);
	adopt(net);
	runner_tell(net, RUNNER_OPENED, NULL);
	runner_kick(net->runner);
}

static void on_message(void *arg, struct mesh_session *s, struct span msg)
{
	(void)s;
	runner_on_message(arg, msg);
	runner_tell(arg, RUNNER_MESSAGE, &msg);
}

static uint64_t backoff_ms(uint8_t fails)
{
	uint64_t ms = 500ull << (fails < 8 ? fails : 8);

	return ms < RUNNER_ATTACH_BACKOFF_MS ? ms : RUNNER_ATTACH_BACKOFF_MS;
}

static void note_preferred_failure(struct net *net, uint64_t now_ms)
{
	char serial[SERIAL_TEXT_SIZE];

	failures_add(&net->preferred_fails, now_ms);
	if (net->preferred_fails.count != RUNNER_PREFERRED_TRIES)
		return;
	serial_print(net->serial, serial);
	log_warn("preferred_gateway_passed_over network=%u serial=%s failures=%u", net->id, serial,
		net->preferred_fails.count);
}

static void note_failure(struct net *net, uint64_t now_ms)
{
	struct candidate *c = candidate_slot(net, &net->addr); /* others may have taken it */

	if (net->fails < UINT8_MAX)
		net->fails++;
	failures_add(&c->fails, now_ms);
	c->heard_ms = 0; /* it has to be heard again */
	if (is_preferred(net, net->serial))
		note_preferred_failure(net, now_ms);
	net->retry_ms = now_ms + backoff_ms(net->fails);
	net->since_ms = 0;
}

static void on_closed(void *arg, struct mesh_session *s, enum mesh_end why)
{
	struct net *net = arg;

	(void)s;
	if (why == MESH_END_KEY_REFUSED || why == MESH_END_WRONG_KEY)
		log_warn("gateway_refused network=%u why=\"%s\"", net->id, mesh_end_text(why));
	else
		log_info("detached network=%u why=\"%s\"", net->id, mesh_end_text(why));
	net->session = NULL;
	net->gateway_id = 0;
	net->cluster_size = 0;
	if (net->gives_way)
		net->retry_ms = runner_now(net->runner) + RUNNER_GIVEN_WAY_MS;
	else
		note_failure(net, runner_now(net->runner));
	net->gives_way = false;
	lose_attempts(net);
	runner_tell(net, RUNNER_CLOSED, NULL);
	runner_kick(net->runner);
}

static const struct mesh_session_events events = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
};

static void attach(struct net *net, const struct candidate *c, uint64_t now_ms)
{
	struct runner *r = net->runner;
	struct mesh_target target = {
		.addr = c->addr, .key_id = KEY_ID_NETWORK, .tunnel = TUNNEL_REMOTE_MESH};
	struct network_keys keys;
	enum err e = store_networks_keys(r->config.store, net->id, &keys);

	net->addr = c->addr;
	net->serial = c->serial;
	if (e == ERR_OK) {
		target.ltk = keys.network;
		e = mesh_open(r->config.mesh, &target, &events, net, &net->session);
	}
	bytes_wipe(&keys, sizeof(keys));
	secret16_wipe(&target.ltk);
	if (e == ERR_OK)
		return;
	if (e == ERR_FULL) { /* of others: this one has done nothing */
		net->retry_ms = now_ms + RUNNER_FULL_MS;
		return;
	}
	log_warn("attach_failed network=%u error=\"%s\"", net->id, err_text(e));
	note_failure(net, now_ms);
}

void attach_on_voice(struct net *net)
{
	net->fails = 0;
	if (is_preferred(net, net->serial))
		net->preferred_fails.count = 0;
	for (size_t i = 0; i < RUNNER_CANDIDATES_MAX; i++)
		if (link_addr_equal(&net->candidates[i].addr, &net->addr))
			net->candidates[i].fails.count = 0;
}

/* One that takes our messages and says nothing would be asked for ever. */
static uint64_t check_voice(struct net *net, uint64_t now_ms)
{
	char serial[SERIAL_TEXT_SIZE];

	if (!mesh_is_open(net->session) || net->cluster_size != 0)
		return UINT64_MAX;
	if (now_ms < net->opened_ms + RUNNER_CLUSTER_MS)
		return net->opened_ms + RUNNER_CLUSTER_MS;
	serial_print(net->serial, serial);
	log_warn("gateway_silent network=%u serial=%s", net->id, serial);
	mesh_close(net->session);
	return UINT64_MAX;
}

static uint64_t attach_in_turn(struct net *net, const struct candidate *c, uint64_t now_ms)
{
	if (!runner_may_connect(net->runner))
		return UINT64_MAX; /* the end of another attempt wakes us */
	if (has_place(net, now_ms)) {
		attach(net, c, now_ms);
		return net->session ? UINT64_MAX : net->retry_ms;
	}
	if (has_work(net, now_ms))
		return seek_place(net, now_ms);
	return now_ms + RUNNER_CANDIDATE_MS; /* nobody tells that others are not heard */
}

uint64_t attach_step(struct net *net, uint64_t now_ms)
{
	const struct candidate *c;
	uint64_t patience_ms;

	if (net->session)
		return check_voice(net, now_ms);
	if (net->gone || !net->runner->adapter)
		return UINT64_MAX;
	if (now_ms < net->retry_ms)
		return net->retry_ms;
	c = choose(net, now_ms);
	if (!c)
		return UINT64_MAX; /* an advert wakes us */
	if (net->since_ms == 0)
		net->since_ms = now_ms;
	patience_ms = has_preference(net, now_ms) && !is_preferred(net, c->serial)
			      ? RUNNER_PREFERRED_MS
			      : RUNNER_GATHER_MS;
	if (now_ms < net->since_ms + patience_ms)
		return net->since_ms + patience_ms;
	return attach_in_turn(net, c, now_ms);
}
