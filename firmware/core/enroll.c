#include "enroll.h"

#include "enr/meshadv.h"
#include "node.h"

/* Ranges that a device type may be given, inclusive as the reference has them (§4.4.5). */
#define NODE_ID_MAX 2000
#define ASSET_ID_MIN 33000
#define ASSET_ID_MAX 58000

#define SET_NETWORK_OK 0
#define SET_NETWORK_NO_ASSET 1
#define PRE_LIMIT_MS (MESHMSG_PREENROLLMENT_S * 1000u)

/* --- decide ---------------------------------------------------------------------------------- */

static void take_key(const uint8_t *given, struct secret16 *key)
{
	if (given)
		memcpy(key->b, given, sizeof(key->b));
}

/* What the node would become. Absent keys, and for an enrolled node ids of 0, stay as they are (the
 * mission's text; the reference refuses or writes the 0). */
static void apply(
	const struct config *now, const struct meshmsg_set_enrollment *req, struct config *next)
{
	*next = *now;
	next->enrolled = true;
	if (req->node_id != 0 || !now->enrolled)
		next->node_id = req->node_id;
	if (req->network_id != 0 || !now->enrolled)
		next->network_id = req->network_id;
	if (next->network_id != now->network_id)
		next->enrolled_nodes = 0;
	take_key(req->network_key, &next->network_key);
	take_key(req->user_base_key, &next->user_base_key);
	take_key(req->organization_key, &next->organization_key);
}

static bool ids_are_right(const struct node *n, const struct config *next)
{
	if (next->network_id == 0)
		return false;
	if (node_is_asset(n))
		return next->node_id >= ASSET_ID_MIN && next->node_id <= ASSET_ID_MAX;
	return next->node_id >= MESHMSG_NODE_FIRST && next->node_id <= NODE_ID_MAX;
}

/* §4.4 steps 2 to 5. True: go on; else *code is the answer. */
static bool may_enroll(struct node *n, const struct meshmsg_set_enrollment *req, uint8_t *code)
{
	apply(&n->config, req, &n->enroll.next);
	*code = MESHMSG_RESULT_OK;
	if (n->config.enrolled && config_equal(&n->config, &n->enroll.next))
		return false;
	*code = MESHMSG_RESULT_ALREADY_ENROLLED;
	if (req->only_if_unenrolled && n->config.enrolled)
		return false;
	*code = MESHMSG_RESULT_INCORRECT_NODE_ID;
	return ids_are_right(n, &n->enroll.next);
}

/* Storage errors as result codes (§4.3). */
static uint8_t code_of(enum err e)
{
	if (e == ERR_OK)
		return MESHMSG_RESULT_OK;
	if (e == ERR_FULL)
		return MESHMSG_RESULT_NO_SPACE;
	return e == ERR_STATE ? MESHMSG_RESULT_LOCK_DOWN : MESHMSG_RESULT_BUSY;
}

/* --- do -----------------------------------------------------------------------------------------
 */

static void respond(struct node *n, bool is_removal, uint8_t handle, uint8_t code)
{
	const struct meshmsg_enroll_response response = {
		.is_removal = is_removal,
		.serial_index = n->id.serial_index,
		.code = code,
	};
	const struct meshmsg_route route = {n->config.node_id, MESHMSG_BROADCAST, handle};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	enum err e = meshmsg_encode_enroll_response(&w, route, &response);

	node_send_written(n, &w, e);
}

static void go_idle(struct node *n)
{
	struct enroll *e = &n->enroll;

	e->state = ENROLL_IDLE;
	e->deadline_ms = 0;
	e->is_saving = false;
	e->is_waiting = false;
	bytes_wipe(e->request, sizeof(e->request));
	e->request_bytes = 0;
	bytes_wipe(&e->next, sizeof(e->next));
}

/* Steps 11 and 12: the config becomes true only now, when it is in flash, so that a failed save
 * leaves the node as it was and a repetition can work. */
static void on_saved(void *ctx, enum err result)
{
	struct node *n = ctx;
	struct enroll *e = &n->enroll;
	bool is_removal = e->is_removal, is_silent = e->is_silent;
	uint8_t handle = e->handle;

	if (result == ERR_OK)
		n->config = e->next;
	else
		n->is_mute = false;
	go_idle(n);
	if (!is_silent)
		respond(n, is_removal, handle, code_of(result));
	advert_refresh(n);
	if (result != ERR_OK)
		return;
	if (!is_removal)
		n->port->leds(n->port->ctx, PORT_LED_GREEN);
	node_plan_reboot(n, is_removal ? NODE_REMOVE_REBOOT_MS : NODE_ENROLL_REBOOT_MS,
		is_removal ? PORT_REBOOT_ENROLLMENT_REMOVE : PORT_REBOOT_ENROLLMENT);
}

/* §4.9: without storage the RAM that outlives a reboot holds it. */
static enum err save_noinit(struct node *n)
{
	if (n->enroll.is_removal)
		bytes_wipe(n->port->noinit, CONFIG_NOINIT_BYTES);
	else
		config_encode_noinit(&n->enroll.next, &n->id, n->port->noinit);
	return ERR_OK;
}

static enum err save_flash(struct node *n)
{
	uint8_t record[CONFIG_RECORD_BYTES];
	enum err e;

	config_encode(&n->enroll.next, record);
	e = records_reset(&n->records, RECORDS_ID_NODE, record,
		n->enroll.is_removal ? 0 : sizeof(record), on_saved, n);
	bytes_wipe(record, sizeof(record));
	return e;
}

/* Steps 8 to 10: factory reset and save in one atomic step of the store. */
static void save(struct node *n)
{
	enum err e;

	n->is_mute = true;
	advert_refresh(n);
	n->enroll.is_saving = true;
	n->enroll.deadline_ms = 0;
	e = n->features->no_storage ? save_noinit(n) : save_flash(n);
	if (n->features->no_storage || e != ERR_OK)
		on_saved(n, e);
}

static void pre_failed(struct node *n)
{
	uint8_t handle = n->enroll.handle;
	bool is_silent = n->enroll.is_silent;

	go_idle(n);
	if (!is_silent) /* the type is the same for a removal (§4.5); the handle is not lost */
		respond(n, false, handle, MESHMSG_RESULT_PREENROLLMENT_FAILED);
}

/* Step 7: one handler after the other, until one has to be waited for. */
static void run_handlers(struct node *n)
{
	struct enroll *e = &n->enroll;
	const struct span request = {e->request, e->request_bytes};

	for (; e->pre_at < n->features->pre_count; e->pre_at++) {
		const struct enroll_pre_handler *h = &n->features->pre[e->pre_at];
		enum enroll_pre result = h->begin(h->ctx, e->is_removal, request);

		e->is_waiting = result == ENROLL_PRE_WAITING;
		if (e->is_waiting)
			return;
		if (result != ENROLL_PRE_DONE) {
			pre_failed(n);
			return;
		}
	}
	save(n);
}

/* Steps 6 and 7. e->next holds what shall be. */
static void begin(
	struct node *n, struct span request, bool is_removal, bool is_silent, uint8_t handle)
{
	struct enroll *e = &n->enroll;

	e->state = ENROLL_PREENROLLMENT;
	e->deadline_ms = n->now_ms + PRE_LIMIT_MS;
	e->is_removal = is_removal;
	e->is_silent = is_silent;
	e->is_saving = false;
	e->handle = handle;
	e->target = n->id.serial_index;
	e->request_bytes = request.n < sizeof(e->request) ? request.n : sizeof(e->request);
	if (e->request_bytes > 0)
		memcpy(e->request, request.p, e->request_bytes);
	e->pre_at = 0;
	e->is_waiting = false;
	run_handlers(n);
}

void enroll_on_pre_done(
	struct node *n, const struct enroll_pre_handler *who, enum enroll_pre result)
{
	struct enroll *e = &n->enroll;

	if (!e->is_waiting || who != &n->features->pre[e->pre_at] || result == ENROLL_PRE_WAITING)
		return;
	e->is_waiting = false;
	e->pre_at++;
	if (result == ENROLL_PRE_DONE)
		run_handlers(n);
	else
		pre_failed(n);
}

/* --- requests for this node
 * ----------------------------------------------------------------------- */

static bool is_own_operation(const struct node *n)
{
	return n->enroll.state == ENROLL_PREENROLLMENT;
}

static void enroll_self(struct node *n, const struct meshmsg *m, struct span bytes,
	const struct meshmsg_set_enrollment *req)
{
	uint8_t code;

	if (is_own_operation(n))
		return;       /* its answer will come */
	enroll_mesh_abort(n); /* we are more important than a neighbour (step 6) */
	if (!may_enroll(n, req, &code)) {
		go_idle(n);
		respond(n, false, m->request_handle, code);
		return;
	}
	if (n->reboot_at_ms != NODE_NEVER) {
		go_idle(n); /* we have an enrollment and no more time for another one (§4.8) */
		return;
	}
	begin(n, bytes, false, false, m->request_handle);
}

static void on_set_enrollment(
	struct node *n, const struct meshmsg *m, struct span bytes, uint8_t from_slot)
{
	struct meshmsg_set_enrollment req;

	if (meshmsg_decode_set_enrollment(m, &req) != ERR_OK)
		return;
	discovery_keep(n);
	if (req.serial_index == n->id.serial_index)
		enroll_self(n, m, bytes, &req);
	else
		enroll_mesh_request(n, m, bytes, &req, from_slot);
}

/* Back to what UICR says, with its key (the mission's text; §10.9). */
static void begin_removal(struct node *n, struct span bytes, bool is_silent, uint8_t handle)
{
	struct config defaults;

	config_default(&n->id, &defaults);
	if (!n->config.enrolled || config_equal(&n->config, &defaults)) {
		if (!is_silent)
			respond(n, true, handle, MESHMSG_RESULT_OK);
		return;
	}
	if (n->reboot_at_ms != NODE_NEVER)
		return;
	n->enroll.next = defaults;
	begin(n, bytes, true, is_silent, handle);
}

static void on_remove(struct node *n, const struct meshmsg *m, struct span bytes)
{
	uint32_t serial_index;

	if (meshmsg_decode_remove_enrollment(m, &serial_index) != ERR_OK ||
		serial_index != n->id.serial_index || is_own_operation(n))
		return;
	enroll_mesh_abort(n);
	begin_removal(n, bytes, m->sender == 0, m->request_handle);
}

void enroll_remove_self(struct node *n)
{
	if (is_own_operation(n))
		return;
	enroll_mesh_abort(n);
	begin_removal(n, (struct span){NULL, 0}, false, 0);
}

/* §4.12: RAM only, assets only. */
static void on_set_network(struct node *n, const struct meshmsg *m)
{
	const struct meshmsg_route route = {n->config.node_id, m->sender, m->request_handle};
	bool asset = node_is_asset(n);
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	uint16_t network_id;
	enum err e;

	if (meshmsg_decode_set_network(m, &network_id) != ERR_OK)
		return;
	if (asset) {
		n->config.network_id = network_id;
		advert_refresh(n);
	}
	e = meshmsg_encode_set_network_response(
		&w, route, asset ? SET_NETWORK_OK : SET_NETWORK_NO_ASSET);
	node_send_written(n, &w, e);
}

void enroll_on_message(
	struct node *n, const struct meshmsg *m, struct span bytes, uint8_t from_slot)
{
	switch ((int)m->kind) {
	case MESHMSG_SET_ENROLLMENT:
		on_set_enrollment(n, m, bytes, from_slot);
		return;
	case MESHMSG_REMOVE_ENROLLMENT:
		on_remove(n, m, bytes);
		return;
	case MESHMSG_SET_NETWORK:
		on_set_network(n, m);
		return;
	case MESHMSG_REQUEST_PROPOSALS:
		enroll_mesh_proposals(n, m);
		return;
	case MESHMSG_ENROLLMENT_RESPONSE:
	case MESHMSG_REMOVE_ENROLLMENT_RESPONSE:
		enroll_mesh_response(n, m, from_slot);
		return;
	default:
		return;
	}
}

/* --- time
 * --------------------------------------------------------------------------------------------- */

void enroll_init(struct node *n)
{
	memset(&n->enroll, 0, sizeof(n->enroll));
	n->enroll.slot = ACCESS_NO_SLOT;
}

uint64_t enroll_deadline_ms(const struct node *n)
{
	const struct enroll *e = &n->enroll;
	uint64_t next = e->deadline_ms != 0 ? e->deadline_ms + 1 : NODE_NEVER;

	if (e->scan_until_ms != 0 && e->scan_until_ms < next)
		next = e->scan_until_ms;
	if (e->asked_until_ms != 0 && e->asked_until_ms < next)
		next = e->asked_until_ms;
	return next;
}

void enroll_on_timer(struct node *n)
{
	struct enroll *e = &n->enroll;

	if (e->scan_until_ms != 0 && n->now_ms >= e->scan_until_ms)
		e->scan_until_ms = 0;
	if (e->asked_until_ms != 0 && n->now_ms >= e->asked_until_ms) {
		e->asked_until_ms = 0;
		e->asked.count = 0;
	}
	if (e->deadline_ms == 0 || n->now_ms <= e->deadline_ms)
		return;
	if (e->state == ENROLL_PREENROLLMENT)
		pre_failed(n);
	else
		enroll_mesh_on_timer(n);
}
