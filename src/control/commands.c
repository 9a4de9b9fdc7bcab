/* The table of methods, and the one way through it. */
#include "control/commands.h"

#include <string.h>

#include "base/log.h"
#include "control/command.h"
#include "control/interface.h"
#include "enroll/batch.h"

#define INTERFACE "org.enrolld.control"
#define SERVICE "org.varlink.service"

/* --- org.varlink.service ----------------------------------------------------------------- */

static enum err get_info(struct command_call *c)
{
	json_t *list;

	put_text(c, c->out, "vendor", "enrolld");
	put_text(c, c->out, "product", "enrolld");
	put_text(c, c->out, "version", c->config->version);
	put_text(c, c->out, "url", "https://varlink.org/");
	list = put_array(c, c->out, "interfaces");
	if (json_array_append_new(list, json_string(SERVICE)) != 0 ||
		json_array_append_new(list, json_string(INTERFACE)) != 0)
		return ERR_NOMEM;
	return ERR_OK;
}

static const char service_description[] =
	"# The Varlink Service Interface is provided by every varlink service. It\n"
	"# describes the service and the interfaces it implements.\n"
	"interface org.varlink.service\n"
	"\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";

static const struct param description_params[] = {
	{"interface", PARAM_TEXT, true, 1, 255},
	PARAM_ROW_END,
};

static enum err get_description(struct command_call *c)
{
	const char *name = param_text(c, 0);
	const char *text = strcmp(name, INTERFACE) == 0 ? interface_description
			   : strcmp(name, SERVICE) == 0 ? service_description
							: NULL;

	if (!text)
		return ERR_NOT_FOUND;
	put_text(c, c->out, "description", text);
	return ERR_OK;
}

/* --- Watch ------------------------------------------------------------------------------- */

enum { WATCH_OBJECT, WATCH_ID };
const struct param watch_params[] = {
	{"object", PARAM_TEXT, false, 1, 16},
	{"id", PARAM_TEXT, false, 1, 128},
	PARAM_ROW_END,
};

static enum err put_event(struct command_call *c, const struct control_event *e)
{
	put_text(c, c->out, "event", e->event);
	put_uint(c, c->out, "at", e->at);
	put_text(c, c->out, "id", e->id);
	put_text(c, c->out, "state", e->state);
	put_text(c, c->out, "reason", e->reason);
	put_text(c, c->out, "name", e->name);
	put_text(c, c->out, "device_id", e->device_id);
	return c->no_memory ? ERR_NOMEM : ERR_OK;
}

static enum err watch(struct command_call *c)
{
	const struct control_event begun = {.event = "watching", .at = c->now.wall_s};

	return put_event(c, &begun);
}

static void fill_filter(const struct command_call *c, struct commands_filter *f)
{
	const char *object = param_text(c, WATCH_OBJECT), *id = param_text(c, WATCH_ID);

	memset(f, 0, sizeof(*f));
	if (object)
		memcpy(f->object, object, strlen(object) + 1);
	if (id)
		memcpy(f->id, id, strlen(id) + 1);
}

/* "node" is the first word of "node_state"; an id may be given as its first digits. */
bool commands_filter_wants(const struct commands_filter *f, const struct control_event *e)
{
	size_t n = strlen(f->object), m = strlen(f->id);

	if (n > 0 && (strncmp(e->event, f->object, n) != 0 ||
			     (e->event[n] != '_' && e->event[n] != '\0')))
		return false;
	if (m == 0)
		return true;
	return (e->id && strncmp(e->id, f->id, m) == 0) ||
	       (e->device_id && strncmp(e->device_id, f->id, m) == 0);
}

/* --- the table --------------------------------------------------------------------------- */

enum kind {
	PLAIN, /* needs nothing of the store */
	READS,
	WRITES, /* runs inside a request of the batch */
	MORE,   /* answers with many replies */
	LATER,  /* answers once, when its task has ended */
	STREAM  /* its task answers with many replies, and ends */
};

struct row {
	const char *method;
	enum role role;
	enum kind kind;
	command_fn *run;
	const struct param *params;
};

static const struct row rows[] = {
	{SERVICE ".GetInfo", ROLE_NONE, PLAIN, get_info, params_none},
	{SERVICE ".GetInterfaceDescription", ROLE_OBSERVER, PLAIN, get_description,
		description_params},
	{INTERFACE ".Status", ROLE_OBSERVER, READS, command_status, params_none},
	{INTERFACE ".BundleIssue", ROLE_ENROLLER, WRITES, command_bundle_issue,
		bundle_issue_params},
	{INTERFACE ".BundleList", ROLE_OBSERVER, READS, command_bundle_list, bundle_list_params},
	{INTERFACE ".BundleShow", ROLE_OBSERVER, READS, command_bundle_show, bundle_show_params},
	{INTERFACE ".BundleRevoke", ROLE_ENROLLER, WRITES, command_bundle_revoke,
		bundle_show_params},
	{INTERFACE ".EnrolleeAnnounce", ROLE_ENROLLER, WRITES, command_enrollee_announce,
		enrollee_announce_params},
	{INTERFACE ".EnrolleeList", ROLE_OBSERVER, READS, command_enrollee_list,
		enrollee_list_params},
	{INTERFACE ".EnrolleeShow", ROLE_OBSERVER, READS, command_enrollee_show,
		enrollee_id_params},
	{INTERFACE ".EnrolleeCancel", ROLE_ENROLLER, WRITES, command_enrollee_cancel,
		enrollee_id_params},
	{INTERFACE ".EnrolleeRevoke", ROLE_ENROLLER, WRITES, command_enrollee_revoke,
		enrollee_id_params},
	{INTERFACE ".EnrolleePing", ROLE_ENROLLER, WRITES, command_enrollee_ping,
		enrollee_ping_params},
	{INTERFACE ".NetworkAdd", ROLE_ADMIN, WRITES, command_network_add, network_add_params},
	{INTERFACE ".NetworkList", ROLE_OBSERVER, READS, command_network_list, params_none},
	/* Revealing keys writes to the audit log. */
	{INTERFACE ".NetworkShow", ROLE_OBSERVER, WRITES, command_network_show,
		network_show_params},
	{INTERFACE ".NetworkRemove", ROLE_ADMIN, WRITES, command_network_remove, network_id_params},
	/* These two always do. */
	{INTERFACE ".NetworkAppKey", ROLE_ADMIN, WRITES, command_network_app_key,
		network_app_key_params},
	{INTERFACE ".NodeLabel", ROLE_ADMIN, WRITES, command_node_label, node_serial_params},
	{INTERFACE ".NodeAdd", ROLE_ENROLLER, WRITES, command_node_add, node_add_params},
	{INTERFACE ".NodeList", ROLE_OBSERVER, READS, command_node_list, node_list_params},
	{INTERFACE ".NodeShow", ROLE_OBSERVER, READS, command_node_show, node_serial_params},
	{INTERFACE ".NodeCancel", ROLE_ENROLLER, WRITES, command_node_cancel, node_serial_params},
	{INTERFACE ".NodeRemove", ROLE_ADMIN, WRITES, command_node_remove, node_serial_params},
	{INTERFACE ".NodeSetNetwork", ROLE_ENROLLER, WRITES, command_node_set_network,
		node_set_network_params},
	{INTERFACE ".MeshProposals", ROLE_OBSERVER, STREAM, command_mesh_proposals,
		mesh_proposals_params},
	{INTERFACE ".MeshNodes", ROLE_OBSERVER, STREAM, command_mesh_nodes, mesh_nodes_params},
	/* Writes its audit row in a request of its own: its task waits for the commit. */
	{INTERFACE ".MeshSetEnrolledNodes", ROLE_ADMIN, LATER, command_mesh_set_enrolled_nodes,
		mesh_set_enrolled_nodes_params},
	{INTERFACE ".Watch", ROLE_OBSERVER, MORE, watch, watch_params},
	{INTERFACE ".AuditList", ROLE_OBSERVER, READS, command_audit_list, audit_list_params},
	{INTERFACE ".AuditVerify", ROLE_OBSERVER, READS, command_audit_verify, audit_verify_params},
};

#define ROWS (sizeof(rows) / sizeof(*rows))

static bool needs_more(const struct row *row)
{
	return row->kind == MORE || row->kind == STREAM;
}

static bool is_later(const struct row *row)
{
	return row->kind == LATER || row->kind == STREAM;
}

bool commands_row(size_t i, struct commands_row *out)
{
	if (i >= ROWS)
		return false;
	*out = (struct commands_row){.method = rows[i].method,
		.role = rows[i].role,
		.writes = rows[i].kind == WRITES,
		.more = needs_more(&rows[i]),
		.later = is_later(&rows[i])};
	return true;
}

static const struct row *find(const char *method)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (strcmp(rows[i].method, method) == 0)
			return &rows[i];
	}
	return NULL;
}

/* --- errors ------------------------------------------------------------------------------ */

static const char *name_of(enum err e)
{
	switch (e) {
	case ERR_DENIED:
		return INTERFACE ".PermissionDenied";
	case ERR_NOT_FOUND:
		return INTERFACE ".NotFound";
	case ERR_CONFLICT:
	case ERR_STATE:
		return INTERFACE ".Conflict";
	case ERR_SHORT:
	case ERR_TRAILING:
	case ERR_INVALID:
	case ERR_RANGE:
	case ERR_UNKNOWN:
	case ERR_VERSION:
	case ERR_KEY:
		return INTERFACE ".InvalidArgument";
	case ERR_QUOTA:
		return INTERFACE ".QuotaExceeded";
	case ERR_EXPIRED:
		return INTERFACE ".Expired";
	case ERR_FULL:
	case ERR_IO:
	case ERR_AUTH:
	case ERR_CRYPTO:
		return INTERFACE ".StorageFull";
	case ERR_OK:
	case ERR_BUSY:
	case ERR_TIMEOUT:
	case ERR_CLOSED:
	case ERR_NOMEM:
	case ERR_COUNT:
		break;
	}
	return INTERFACE ".Busy";
}

static enum err encode_named(struct varlink_buf *reply, const char *name, const char *key1,
	const char *text1, const char *key2, const char *text2)
{
	json_t *p = json_object();
	enum err e = p ? ERR_OK : ERR_NOMEM;

	if (key1 && json_object_set_new(p, key1, json_string(text1)) != 0)
		e = ERR_NOMEM;
	if (key2 && json_object_set_new(p, key2, json_string(text2)) != 0)
		e = ERR_NOMEM;
	if (e == ERR_OK)
		e = varlink_encode_error(reply, name, p);
	json_decref(p);
	return e;
}

/* why: what is known beyond the error itself. */
static enum err encode_error(struct varlink_buf *reply, enum err e, const struct reason *why)
{
	const char *name = name_of(e);
	const char *text = why->text[0] ? why->text : err_text(e);

	if (strcmp(name, INTERFACE ".InvalidArgument") == 0)
		return encode_named(
			reply, name, "field", why->field ? why->field : "", "reason", text);
	if (strcmp(name, INTERFACE ".StorageFull") == 0 ||
		(strcmp(name, INTERFACE ".Busy") == 0 && !why->text[0]))
		return varlink_encode_error(reply, name, NULL);
	return encode_named(reply, name, "reason", text, NULL, NULL);
}

enum err commands_encode_failure(struct varlink_buf *reply, enum err e)
{
	varlink_buf_clear(reply);
	return varlink_encode_error(reply, name_of(e), NULL);
}

enum err commands_encode_error(struct varlink_buf *reply, enum err e, const char *text)
{
	struct reason why = {0};

	if (text)
		reason_set(&why, NULL, "%s", text);
	varlink_buf_clear(reply);
	return encode_error(reply, e, &why);
}

static enum err refuse_interface(struct varlink_buf *reply, const char *method)
{
	const char *dot = strrchr(method, '.');
	size_t n = dot ? (size_t)(dot - method) : strlen(method);
	json_t *p = json_object();
	enum err e = ERR_NOMEM;

	if (p && json_object_set_new(p, "interface", json_stringn(method, n)) == 0)
		e = varlink_encode_error(reply, SERVICE ".InterfaceNotFound", p);
	json_decref(p);
	return e;
}

/* What is wrong with the call as such, before its method is looked at. */
static enum err refuse_call(
	struct varlink_buf *reply, const struct varlink_call *call, const struct row *row)
{
	size_t n = strlen(INTERFACE ".");

	if (call->upgrade)
		return encode_named(
			reply, SERVICE ".InvalidParameter", "parameter", "upgrade", NULL, NULL);
	if (row)
		return varlink_encode_error(reply, SERVICE ".ExpectedMore", NULL);
	if (strncmp(call->method, INTERFACE ".", n) == 0 ||
		strncmp(call->method, SERVICE ".", strlen(SERVICE ".")) == 0)
		return encode_named(
			reply, SERVICE ".MethodNotFound", "method", call->method, NULL, NULL);
	return refuse_interface(reply, call->method);
}

/* --- the way through --------------------------------------------------------------------- */

static enum err run_in_batch(const struct row *row, struct command_call *c)
{
	enum err e = batch_enter(c->config->batch);

	if (e != ERR_OK)
		return e;
	e = row->run(c);
	if (e == ERR_OK && c->no_memory)
		e = ERR_NOMEM;
	return batch_leave(c->config->batch, e);
}

static bool has_param(const struct row *row, const char *name)
{
	for (const struct param *p = row->params; p->name; p++) {
		if (strcmp(p->name, name) == 0)
			return true;
	}
	return false;
}

/* The rules name what they refuse in their own words; the caller is told its parameter. */
static void name_parameter(const struct row *row, struct reason *why)
{
	static const char *const words[][2] = {{"bundle", "bundle_id"}, {"bundle", "id"},
		{"enrollee", "id"}, {"device", "id"}, {"pet_name", "name"},
		{"lifetime", "lifetime_s"}};

	if (!why->field || has_param(row, why->field))
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i][0], why->field) == 0 && has_param(row, words[i][1])) {
			why->field = words[i][1];
			return;
		}
	}
}

static enum err run_row(const struct row *row, struct command_call *c, const json_t *parameters)
{
	enum err e = params_decode(row->params, parameters, &c->params);

	if (e != ERR_OK) {
		reason_set(&c->why, c->params.field, "%s", c->params.reason);
		return e;
	}
	e = row->kind == WRITES ? run_in_batch(row, c) : row->run(c);
	name_parameter(row, &c->why);
	return e == ERR_OK && c->no_memory ? ERR_NOMEM : e;
}

static void log_failure(const struct row *row, const struct command_call *c, enum err e)
{
	const char *method = strrchr(row->method, '.') + 1;

	if (e == ERR_FULL || e == ERR_IO || e == ERR_AUTH || e == ERR_CRYPTO || e == ERR_NOMEM)
		log_err("control: request failed method=%s uid=%u error=\"%s\"", method,
			c->who->uid, err_text(e));
	else if (e != ERR_OK)
		log_debug("control: refused method=%s uid=%u error=\"%s\"", method, c->who->uid,
			err_text(e));
}

static enum commands_then then_of(const struct row *row, enum err e)
{
	if (row->kind == PLAIN)
		return COMMANDS_ANSWER;
	if (row->kind == MORE)
		return e == ERR_OK ? COMMANDS_WATCH : COMMANDS_ANSWER;
	if (is_later(row) && e == ERR_OK)
		return COMMANDS_LATER;
	return COMMANDS_AFTER_COMMIT;
}

static enum err answer(const struct row *row, struct command_call *c,
	const struct varlink_call *call, struct commands_outcome *out)
{
	enum err e = clock_read(&c->now);

	c->out = json_object();
	if (is_later(row))
		c->stream = stream_new(row->kind == STREAM);
	if (!c->out || (is_later(row) && !c->stream))
		return ERR_NOMEM;
	if (e == ERR_OK)
		e = run_row(row, c, call->parameters);
	log_failure(row, c, e);
	out->then = then_of(row, e);
	if (e == ERR_OK && row->kind == MORE)
		fill_filter(c, &out->filter);
	if (e != ERR_OK)
		return encode_error(&out->reply, e, &c->why);
	if (is_later(row)) {
		out->stream = c->stream;
		c->stream = NULL;
		return ERR_OK;
	}
	return varlink_encode_reply(&out->reply, c->out, row->kind == MORE);
}

enum err commands_run(const struct control_config *config, const struct caller *who,
	const struct varlink_call *call, struct commands_outcome *out)
{
	const struct row *row = find(call->method);
	struct command_call c = {.config = config, .who = who};
	enum err e;

	memset(out, 0, sizeof(*out));
	if (who->role < (row ? row->role : ROLE_OBSERVER))
		return encode_named(
			&out->reply, INTERFACE ".PermissionDenied", NULL, NULL, NULL, NULL);
	if (call->upgrade || !row || (needs_more(row) && !call->more))
		return refuse_call(&out->reply, call, row);
	e = answer(row, &c, call, out);
	stream_free(c.stream);
	json_decref(c.out);
	params_wipe(&c.params);
	return e;
}

enum err commands_encode_event(struct varlink_buf *reply, const struct control_event *e)
{
	struct command_call c = {.out = json_object()};
	enum err err = c.out ? put_event(&c, e) : ERR_NOMEM;

	if (err == ERR_OK)
		err = varlink_encode_reply(reply, c.out, true);
	json_decref(c.out);
	return err;
}
