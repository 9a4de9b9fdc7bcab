/* Translates lines of the vendor's terminal to calls, and replies and events back to its codes. */
#include "cli/termcall.h"

#include <string.h>

#include "cli/args.h"
#include "cli/text.h"
#include "core/job.h"
#include "enr/hex.h"
#include "enr/serial.h"

#define ASSET_ID_MIN 33000 /* mesh-protocol §1.5 */
#define TIMEOUT_S_MIN 3    /* less never connects (§4.6) */

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

const char *termcall_method(enum termline_verb verb)
{
	switch (verb) {
	case TERMLINE_ENROLL:
		return "NodeAdd";
	case TERMLINE_REMOVE:
		return "NodeRemove";
	case TERMLINE_SET_NETWORK:
		return "NodeSetNetwork";
	case TERMLINE_REQUEST_PROPOSALS:
		break;
	}
	return "MeshProposals";
}

/* --- parameters ---------------------------------------------------------------------------- */

static int put_serial(json_t *p, const struct termline *line)
{
	char serial[SERIAL_TEXT_SIZE];

	serial_print(line->serial[0], serial);
	return json_object_set_new(p, "serial", json_string(serial));
}

static int put_keys(json_t *p, const struct termline *line)
{
	static const char *const names[TERMLINE_KEYS] = {
		"network_key", "user_base_key", "organization_key", "node_key"};
	char text[2 * sizeof(line->key[0].b) + 1];
	int failed = 0;

	for (size_t i = 0; i < TERMLINE_KEYS; i++) {
		if (!line->has_key[i])
			continue;
		hex_print(line->key[i].b, sizeof(line->key[i].b), text);
		failed |= json_object_set_new(p, names[i], json_string(text));
	}
	explicit_bzero(text, sizeof(text));
	return failed;
}

/* Without a key: the stored one, or none; only the operator can say that it shall go without. The
 * vendor's 16×FF says the same. */
static int put_enroll(json_t *p, const struct termline *line, const struct args *a)
{
	struct termline said = *line;
	int failed = put_serial(p, line);
	unsigned timeout_s = line->timeout_s < TIMEOUT_S_MIN ? TIMEOUT_S_MIN : line->timeout_s;

	if (secret16_is_unset(&said.key[TERMLINE_NODE_KEY]))
		said.has_key[TERMLINE_NODE_KEY] = false;
	failed |= put_keys(p, &said);
	if (!said.has_key[TERMLINE_NODE_KEY])
		failed |= json_object_set_new(
			p, args_get(a, "--nearby") ? "nearby" : "without_key", json_true());
	termline_clear(&said);
	failed |= json_object_set_new(p, "network_id", json_integer(line->network_id));
	failed |= json_object_set_new(p, "node_id", json_integer(line->node_id));
	failed |= json_object_set_new(p, "timeout_s", json_integer(timeout_s));
	if (line->node_id >= ASSET_ID_MIN)
		failed |= json_object_set_new(p, "asset", json_true());
	if (line->has_only_if_unenrolled && !line->only_if_unenrolled)
		failed |= json_object_set_new(p, "force", json_true());
	return failed;
}

static int put_serials(json_t *p, const struct termline *line, const struct args *a)
{
	const char *network = args_get(a, "--network");
	json_t *list = json_array();
	char serial[SERIAL_TEXT_SIZE];
	int failed = 0;

	for (size_t i = 0; i < line->serials; i++) {
		serial_print(line->serial[i], serial);
		failed |= json_array_append_new(list, json_string(serial));
	}
	if (network)
		failed |= json_object_set(
			p, "network_id", json_object_get(a->parameters, "network_id"));
	return failed | json_object_set_new(p, "serials", list);
}

json_t *termcall_parameters(const struct termline *line, const struct args *a)
{
	json_t *p = json_object();
	int failed;

	if (line->verb == TERMLINE_ENROLL)
		failed = put_enroll(p, line, a);
	else if (line->verb == TERMLINE_REQUEST_PROPOSALS)
		failed = put_serials(p, line, a);
	else
		failed = put_serial(p, line);
	if (!failed)
		return p;
	json_decref(p);
	return NULL;
}

/* --- replies and events -------------------------------------------------------------------- */

static const char *short_name(const char *error)
{
	const char *dot = error ? strrchr(error, '.') : NULL;

	return dot ? dot + 1 : "";
}

enum termline_code termcall_code_of(const char *error)
{
	static const char *const wrong[] = {"Conflict", "InvalidArgument", "NotFound", NULL};
	const char *name = short_name(error);

	if (strcmp(name, "MethodNotFound") == 0)
		return TERMLINE_NOT_FOUND;
	return text_is_one_of(name, wrong) ? TERMLINE_WRONG : TERMLINE_INTERNAL;
}

bool termcall_is_over(const json_t *node)
{
	static const char *const over[] = {
		"failed", "expired", "cancelled", "removing", "removed", "unconfirmed", NULL};

	return text_is_one_of(text_of(node, "state"), over);
}

/* Events have the words in reason, NodeShow in reason_text (job_explain). */
static const char *words_of(const json_t *event)
{
	const char *text = text_of(event, "reason_text");

	return text ? text : text_of(event, "reason");
}

/* The words of a node's own answer begin with its code: "0x10: ...". */
static bool read_code(const char *words, unsigned *code)
{
	uint8_t byte;

	if (!words || strlen(words) < 5 || strncmp(words, "0x", 2) != 0 || words[4] != ':' ||
		hex_parse(words + 2, 2, &byte, 1) != ERR_OK)
		return false;
	*code = byte;
	return true;
}

static struct termcall_verdict judge_enroll(const json_t *event)
{
	static const char *const saved[] = {"saved", "joined", NULL};
	static const char *const refused[] = {"waiting", "failed", NULL};
	const char *state = text_of(event, "state");
	struct termcall_verdict v = {.over = termcall_is_over(event)};

	if (text_is_one_of(state, saved))
		return (struct termcall_verdict){true, 0, true};
	if (text_is_one_of(state, refused))
		v.answered = read_code(words_of(event), &v.code);
	return v;
}

/* An asset that has moved is joined without a reason, one that is none says so. */
static struct termcall_verdict judge_move(const json_t *event)
{
	const char *words = words_of(event), *state = text_of(event, "state");
	char not_asset[JOB_TEXT_SIZE];
	struct termcall_verdict v = {.over = true};

	if (strcmp(state, "joined") != 0) {
		v.over = termcall_is_over(event);
		return v;
	}
	job_explain(JOB_JOINED, JOB_REASON_NOT_ASSET, 0, not_asset);
	v.code = words && strcmp(words, not_asset) == 0;
	v.answered = !words || v.code;
	return v;
}

struct termcall_verdict termcall_judge(enum termline_verb verb, const json_t *event)
{
	const char *state = text_of(event, "state");

	if (!state)
		return (struct termcall_verdict){0};
	if (verb == TERMLINE_ENROLL)
		return judge_enroll(event);
	if (verb == TERMLINE_SET_NETWORK)
		return judge_move(event);
	if (strcmp(state, "removed") == 0)
		return (struct termcall_verdict){true, 0, true};
	return (struct termcall_verdict){.over = strcmp(state, "unconfirmed") == 0};
}

const char *termcall_find_asset(const json_t *nodes, uint16_t node_id)
{
	const char *found = NULL;

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);
		const char *type = text_of(node, "device_type");
		json_int_t id = json_integer_value(json_object_get(node, "node_id"));

		if (!type || strcmp(type, "asset") != 0 || (node_id != 0 && id != node_id))
			continue;
		if (found)
			return NULL;
		found = text_of(node, "serial");
	}
	return found;
}
