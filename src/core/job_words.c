/* The words of core/job.h: names for the store and the wire, lines for people. */
#include <string.h>

#include "core/job.h"
#include "enr/hex.h"
#include "enr/meshmsg.h"

struct words {
	const char *name;
	const char *text;
};

static const char *const states[JOB_STATE_COUNT] = {
	[JOB_PENDING] = "pending",
	[JOB_LOCATED] = "located",
	[JOB_SENT] = "sent",
	[JOB_SAVED] = "saved",
	[JOB_JOINED] = "joined",
	[JOB_WAITING] = "waiting",
	[JOB_REMOVING] = "removing",
	[JOB_REMOVED] = "removed",
	[JOB_UNCONFIRMED] = "unconfirmed",
	[JOB_FAILED] = "failed",
	[JOB_EXPIRED] = "expired",
	[JOB_CANCELLED] = "cancelled",
};

static const char *const methods[] = {
	[JOB_METHOD_NONE] = "none",
	[JOB_METHOD_DIRECT] = "direct",
	[JOB_METHOD_DIRECTED] = "directed",
	[JOB_METHOD_BROADCAST] = "broadcast",
};

static const char *const tasks[] = {
	[JOB_TASK_ENROLL] = "enroll",
	[JOB_TASK_SET_NETWORK] = "set_network",
};

static const struct words reasons[JOB_REASON_COUNT] = {
	[JOB_REASON_NONE] = {"none", ""},
	[JOB_REASON_NOT_SEEN] = {"not_seen",
		"no node of the network sees it; check its power and that it is in range"},
	[JOB_REASON_NO_ANSWER] = {"no_answer", "no answer yet; the same request is sent again"},
	[JOB_REASON_NO_LINK] = {"no_link", "it is heard, but no connection could be made yet"},
	[JOB_REASON_LINK_LOST] = {"link_lost",
		"the connection broke before its answer; tried again"},
	[JOB_REASON_KEY_REFUSED] = {"key_refused", "it broke the handshake off; tried again"},
	[JOB_REASON_KEY_WRONG] = {"key_wrong",
		"node key is wrong: it refused three handshakes; compare the key with its label"},
	[JOB_REASON_SILENT] = {"silent", "no answer although it is seen: node key wrong or out of "
					 "range; compare the key with "
					 "its label"},
	[JOB_REASON_BUSY] = {"busy", "its flash was busy; reset the node if this goes on"},
	[JOB_REASON_STORAGE] = {"storage",
		"it could not store the enrollment; reset it to factory settings or replace it"},
	[JOB_REASON_LOCKED] = {"locked", "its flash is locked; reset the node if this goes on"},
	[JOB_REASON_OTHER_ENROLLMENT] = {"other_enrollment",
		"it is enrolled with other data; remove that enrollment, or add it with --force"},
	[JOB_REASON_PREENROLLMENT] = {"preenrollment",
		"a module of the node refused or took too long; check what is attached to it"},
	[JOB_REASON_SIG_CONFIGURATION] = {"sig_configuration",
		"its SIG mesh configuration is invalid; check its firmware"},
	[JOB_REASON_NODE_ID] = {"node_id", "it refused the node id; assets and other nodes have "
					   "different ranges, check its type"},
	[JOB_REASON_UNKNOWN_CODE] = {"unknown_code", "it answered with a code that we do not know"},
	[JOB_REASON_NOT_JOINED] = {"not_joined",
		"it has saved its enrollment but was not met in the mesh yet"},
	[JOB_REASON_NEVER_JOINED] = {"never_joined", "it saved its enrollment but never showed up "
						     "in the mesh; check its power and range, "
						     "then add it again"},
	[JOB_REASON_ID_TAKEN] = {"id_taken",
		"another device answers under its node id; find that device and remove it"},
	[JOB_REASON_NOT_OPEN] = {"not_open",
		"it is heard, but it is enrolled elsewhere or opens to nobody without its node "
		"key; reset it, or add it with its key"},
	[JOB_REASON_NOT_ASSET] = {"not_asset",
		"it is no asset: only assets can be told another network"},
	[JOB_REASON_NOT_MOVED] = {"not_moved",
		"it was not met with its new network in time; bring it near and set the network "
		"again"},
	[JOB_REASON_STOPPED] = {"stopped",
		"stopped while its network was being set; set the network again"},
};

const char *job_state_name(enum job_state state)
{
	return (unsigned)state < JOB_STATE_COUNT ? states[state] : NULL;
}

const char *job_method_name(enum job_method method)
{
	return (unsigned)method < sizeof(methods) / sizeof(methods[0]) ? methods[method] : NULL;
}

const char *job_task_name(enum job_task task)
{
	return (unsigned)task < sizeof(tasks) / sizeof(tasks[0]) ? tasks[task] : NULL;
}

const char *job_reason_name(enum job_reason reason)
{
	return (unsigned)reason < JOB_REASON_COUNT ? reasons[reason].name : NULL;
}

static bool is_code(enum job_reason reason)
{
	return reason >= JOB_REASON_BUSY && reason <= JOB_REASON_UNKNOWN_CODE;
}

/* Cuts what does not fit: the texts are ours and do (a test looks at each). */
static void append(char out[JOB_TEXT_SIZE], const char *text)
{
	size_t have = strlen(out), n = strlen(text), room = JOB_TEXT_SIZE - 1 - have;

	n = n < room ? n : room;
	memcpy(out + have, text, n);
	out[have + n] = '\0';
}

static void append_code(char out[JOB_TEXT_SIZE], uint8_t code)
{
	char hex[3];

	hex_print(&code, sizeof(code), hex);
	append(out, "0x");
	append(out, hex);
	append(out, ": ");
	append(out, meshmsg_result_text(code));
	append(out, "; ");
	append(out, meshmsg_result_advice(code));
}

void job_explain(
	enum job_state state, enum job_reason reason, uint8_t code, char out[JOB_TEXT_SIZE])
{
	out[0] = '\0';
	if (reason == JOB_REASON_OTHER_ENROLLMENT)
		append(out, "0x10: ");
	if (is_code(reason) && reason != JOB_REASON_OTHER_ENROLLMENT)
		append_code(out, code);
	else if ((unsigned)reason < JOB_REASON_COUNT &&
		 !(state == JOB_UNCONFIRMED && reason != JOB_REASON_KEY_WRONG))
		append(out, reasons[reason].text);
	if (state != JOB_UNCONFIRMED)
		return;
	append(out, out[0] ? "; " : "");
	append(out, "it never confirmed its removal and may still have its keys: reset it to "
		    "factory settings");
}

enum err job_state_parse(const char *name, enum job_state *out)
{
	for (unsigned i = 0; i < JOB_STATE_COUNT; i++)
		if (strcmp(states[i], name) == 0) {
			*out = (enum job_state)i;
			return ERR_OK;
		}
	return ERR_UNKNOWN;
}

enum err job_reason_parse(const char *name, enum job_reason *out)
{
	for (unsigned i = 0; i < JOB_REASON_COUNT; i++)
		if (strcmp(reasons[i].name, name) == 0) {
			*out = (enum job_reason)i;
			return ERR_OK;
		}
	return ERR_UNKNOWN;
}

enum err job_method_parse(const char *name, enum job_method *out)
{
	for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i], name) == 0) {
			*out = (enum job_method)i;
			return ERR_OK;
		}
	return ERR_UNKNOWN;
}

enum err job_task_parse(const char *name, enum job_task *out)
{
	for (unsigned i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		if (strcmp(tasks[i], name) == 0) {
			*out = (enum job_task)i;
			return ERR_OK;
		}
	return ERR_UNKNOWN;
}
