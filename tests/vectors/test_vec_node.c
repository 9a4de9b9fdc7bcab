/*
 * Every case of enrollment-messages.json on the node's side: simulated nodes stand as the
 * reference's did, the command is typed on the terminal of one of them, and what each node sends
 * into the mesh and shows on its terminal is compared, in whatever order. The reference's dice
 * (§4.6) are found by trying seeds.
 *
 * Not compared, or asserted to ours (doc/mission.md, "Vectors"):
 * - log lines; boot lines but for the reason of the reboot; "init"
 * - "error" lines of terminals that were not in JSON mode
 * - set_enrolled_nodes lines, which the reference causes by itself seconds after an enrollment
 * - which virtual id a peer has: its slot
 * - 0x11 echoes the handle
 */
#include <stdio.h>

#include "base/crypto_openssl.h"
#include "enr/hex.h"
#include "enr/meshadv.h"
#include "enr/serial.h"
#include "firmware/port/host/air_room.h"
#include "support/fake_port.h"
#include "support/vectors.h"
#include "unit/suite.h"

#define NODES_MAX 32
#define ITEMS_MAX 32
#define ITEM_BYTES 512
#define SEEDS_MAX 600
#define SETTLE_MS 90000
#define WATCH_MS 20000
#define NETWORK 11

/* What one node said, in order. */
struct list {
	size_t count;
	char item[ITEMS_MAX][ITEM_BYTES];
};

struct stage {
	struct air *air;
	size_t count, sink; /* nodes; index of the sink */
	struct sim_node *node[NODES_MAX];
	bool is_watching;
	struct list messages[NODES_MAX], lines[NODES_MAX];
};

static struct stage stage; /* the port's functions know only their node */

static void list_add(struct list *l, const char *text)
{
	ck_assert_uint_lt(l->count, ITEMS_MAX);
	snprintf(l->item[l->count++], ITEM_BYTES, "%s", text);
}

static size_t index_of(const struct sim_node *n)
{
	size_t i = 0;

	while (i < stage.count && stage.node[i] != n)
		i++;
	return i;
}

/* --- what is compared ---------------------------------------------------------------------------
 */

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Virtual ids: which slot it was is ours to choose. Four digits stay four digits. */
static void blank_virtual(char *line)
{
	unsigned id, slot;
	int n = 0;
	char copy[ITEM_BYTES];

	if (sscanf(line, "{\"nodeId\":%u,%n", &id, &n) != 1 || n == 0 || id <= 2000 || id >= 20000)
		return;
	slot = id / 2000;
	snprintf(copy, sizeof(copy), "{\"nodeId\":v%u,%s", id - slot * 2000, line + n);
	memcpy(line, copy, sizeof(copy));
}

/* The line as it is compared; false: it is not. */
static bool normal_line(const char *line, bool errors, char out[ITEM_BYTES])
{
	unsigned reason;

	snprintf(out, ITEM_BYTES, "%s", line);
	if (line[0] != '{' || starts(line, "{\"type\":\"log\"") ||
		starts(line, "{\"type\":\"init\"") ||
		starts(line, "{\"type\":\"set_enrolled_nodes\""))
		return false;
	if (starts(line, "{\"type\":\"error\""))
		return errors;
	if (sscanf(line, "{\"type\":\"reboot\",\"reason\":%u", &reason) == 1)
		snprintf(out, ITEM_BYTES, "reboot %u", reason);
	blank_virtual(out);
	return true;
}

/* --- the stage ----------------------------------------------------------------------------------
 */

static void on_line(void *ctx, const char *line, size_t n)
{
	char text[ITEM_BYTES];
	size_t i = index_of(ctx);

	if (!stage.is_watching || i == stage.count)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)n, line);
	list_add(&stage.lines[i], text);
}

static void on_mesh_send(void *ctx, uint16_t except, const void *message, size_t n)
{
	char text[ITEM_BYTES];
	size_t i = index_of(ctx);

	if (stage.is_watching && i < stage.count && except == PORT_NO_LINK) {
		hex_print(message, n, text);
		list_add(&stage.messages[i], text);
	}
	air_mesh_send(ctx, except, message, n);
}

/* A sink of the reference's simulation has no MeshAccess advertisement. */
static enum err no_advert(void *ctx, struct span adv, struct span rsp, uint16_t interval_ms)
{
	(void)ctx;
	(void)adv;
	(void)rsp;
	(void)interval_ms;
	return ERR_OK;
}

static enum enroll_pre pre_waiting(void *ctx, bool is_removal, struct span request)
{
	(void)ctx;
	(void)is_removal;
	(void)request;
	return ENROLL_PRE_WAITING;
}

static enum enroll_pre pre_failed(void *ctx, bool is_removal, struct span request)
{
	(void)ctx;
	(void)is_removal;
	(void)request;
	return ENROLL_PRE_FAILED;
}

static const struct enroll_pre_handler waiting = {pre_waiting, NULL}, failed = {pre_failed, NULL};

/* The serials that a proposal of this case names belong to its unenrolled nodes. */
static size_t proposed(const json_t *c, uint32_t out[3])
{
	unsigned a[3];
	json_t *t;
	size_t i, n = 0;

	json_array_foreach(vectors_array(c, "terminal"), i, t)
	{
		const char *p = strstr(vectors_text(t, "line"), "\"proposals\":[");

		if (!p || sscanf(p, "\"proposals\":[%u,%u,%u", &a[0], &a[1], &a[2]) != 3)
			continue;
		for (n = 0; n < 3 && a[n] != 0; n++)
			out[n] = a[n];
	}
	return n;
}

static struct sim_spec spec_for(const json_t *c, size_t i, size_t sink)
{
	const char *forced = vectors_has(c, "forced") ? vectors_text(c, "forced") : "";
	struct sim_spec spec;

	sim_spec_init(&spec);
	spec.serial_index = (uint32_t)i;
	for (size_t k = 0; k < 16; k += 4) /* 01:00:00:00 four times, and so on */
		spec.node_key.b[k] = (uint8_t)(i + 1);
	spec.uicr_node_id = (uint16_t)(i + 1);
	if (i < sink && strstr(forced, "ASSET"))
		spec.device_type = MESHADV_DEVICE_ASSET;
	if (i == sink)
		spec.device_type = MESHADV_DEVICE_SINK;
	if (i < sink)
		return spec;
	spec.preset.enrolled = true;
	spec.preset.network_id = NETWORK;
	spec.preset.node_id = (uint16_t)(i + 1);
	memset(spec.preset.network_key.b, 0x22, 16);
	/* as the enrollments of the cases have them, "same data" must not be met by chance */
	memset(spec.preset.user_base_key.b, 0x77, 16);
	memset(spec.preset.organization_key.b, 0x78, 16);
	return spec;
}

static size_t max_index(const json_t *c, const char *list, const char *key, size_t max)
{
	json_t *t;
	size_t i;

	json_array_foreach(vectors_array(c, list), i, t) if (vectors_uint(t, key) > max) max =
		(size_t)vectors_uint(t, key);
	return max;
}

static size_t sink_of(const json_t *c)
{
	json_t *t;
	size_t i;

	json_array_foreach(vectors_array(c, "terminal"), i,
		t) if (strcmp(vectors_text(t, "node"), "sink") == 0) return (size_t)vectors_uint(t,
		"nodeIndex");
	return 1;
}

static void add_node(const json_t *c, size_t i, const uint32_t *serials, size_t serial_count)
{
	const char *forced = vectors_has(c, "forced") ? vectors_text(c, "forced") : "";
	struct sim_spec spec = spec_for(c, i, stage.sink);
	struct sim_node *n;

	if (serial_count > 0 && i < stage.sink) {
		if (i >= serial_count)
			spec.faults = SIM_FAULT_MUTE;
		spec.serial_index = i < serial_count ? serials[i] : (uint32_t)(i + 1000);
	}
	ck_assert_int_eq(air_add_node(stage.air, &spec, NULL, &n), ERR_OK);
	stage.node[i] = n;
	n->port.uart_line = on_line;
	n->port.mesh_send = on_mesh_send;
	if (i == stage.sink)
		n->port.advertise = no_advert;
	if (strstr(forced, "WAITING") || strstr(forced, "FAILED")) {
		n->features.pre = strstr(forced, "WAITING") ? &waiting : &failed;
		n->features.pre_count = 1;
	}
	if (serial_count > 0 && i >= serial_count && i < stage.sink)
		sim_node_power(n, false); /* the ring had no place for it */
}

static void set_up(const json_t *c, uint64_t seed)
{
	uint32_t serials[3];
	size_t serial_count = proposed(c, serials);

	memset(&stage, 0, sizeof(stage));
	stage.air = air_new(seed, aes128_default());
	stage.sink = sink_of(c);
	stage.count = max_index(c, "terminal", "nodeIndex", stage.sink);
	stage.count = max_index(c, "meshMessages", "byNodeIndex", stage.count) + 1;
	if (stage.count < stage.sink + 2)
		stage.count = stage.sink + 2; /* the mesh node never says a word in some */
	ck_assert_uint_le(stage.count, NODES_MAX);
	for (size_t i = 0; i < stage.count; i++)
		add_node(c, i, serials, serial_count);
	air_run_until(stage.air, SETTLE_MS);
}

static size_t terminal_of(const json_t *c)
{
	return strcmp(vectors_text(c, "terminalNode"), "unenrolled") == 0 ? 0 : stage.sink;
}

static void play(const json_t *c)
{
	const char *command = vectors_text(c, "command");
	struct sim_node *n = stage.node[terminal_of(c)];

	stage.is_watching = true;
	node_on_line(&n->core, air_now_ms(stage.air), command, strlen(command));
	sim_node_rearm(n);
	air_run_until(stage.air, SETTLE_MS + WATCH_MS);
	stage.is_watching = false;
}

/* --- comparison --------------------------------------------------------------------------------
 */

/* Our 0x11 has the request's handle, where the reference lost it. */
static void mend_handle(const json_t *c, char *text)
{
	json_t *messages = vectors_array(c, "meshMessages");
	char handle[8];
	char *p = strstr(text, "\"requestId\":0,");
	char copy[ITEM_BYTES];
	const char *request;
	unsigned value;

	if (json_array_size(messages) == 0)
		return;
	request = vectors_text(json_array_get(messages, 0), "hex");
	if (p && strstr(text, "\"code\":17}")) {
		ck_assert_int_eq(sscanf(request + 12, "%2x", &value), 1);
		snprintf(copy, sizeof(copy), "%.*s\"requestId\":%u,%s", (int)(p - text), text,
			value, p + strlen("\"requestId\":0,"));
		memcpy(text, copy, sizeof(copy));
	} else if (strlen(text) == 26 && starts(text, "34") && strcmp(text + 24, "11") == 0) {
		snprintf(handle, sizeof(handle), "%.2s", request + 12);
		memcpy(text + 12, handle, 2);
	}
}

static void want_messages(const json_t *c, size_t index, struct list *out)
{
	json_t *m;
	size_t i;

	out->count = 0;
	json_array_foreach(vectors_array(c, "meshMessages"), i, m)
	{
		uint16_t receiver;
		uint8_t head[MESHMSG_BYTES_MAX];

		if (vectors_uint(m, "byNodeIndex") != index)
			continue;
		(void)vectors_hex(m, "hex", head, sizeof(head));
		receiver = (uint16_t)(head[3] | head[4] << 8);
		if (receiver == index + 1)
			continue; /* what a node says to itself does not leave it here */
		list_add(out, vectors_text(m, "hex"));
		mend_handle(c, out->item[out->count - 1]);
	}
}

static bool has_errors(const json_t *c)
{
	json_t *t;
	size_t i;

	json_array_foreach(vectors_array(c, "terminal"), i,
		t) if (starts(vectors_text(t, "line"), "{\"type\":\"error\"")) return true;
	return false;
}

static void want_lines(const json_t *c, size_t index, struct list *out)
{
	char line[ITEM_BYTES];
	json_t *t;
	size_t i;

	out->count = 0;
	json_array_foreach(vectors_array(c, "terminal"), i, t)
	{
		if (vectors_uint(t, "nodeIndex") != index ||
			!normal_line(vectors_text(t, "line"), true, line))
			continue;
		mend_handle(c, line);
		list_add(out, line);
	}
}

static void got_lines(const json_t *c, size_t index, struct list *out)
{
	const struct list *said = &stage.lines[index];
	char line[ITEM_BYTES];

	out->count = 0;
	for (size_t i = 0; i < said->count; i++)
		if (normal_line(said->item[i], has_errors(c), line))
			list_add(out, line);
}

static bool in_list(const struct list *l, const char *text)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->item[i], text) == 0)
			return true;
	return false;
}

/* The order of two neighbours' advertisements is chance: equal as sets, and as many. */
static bool same(const struct list *a, const struct list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!in_list(b, a->item[i]) || !in_list(a, b->item[i]))
			return false;
	return true;
}

static void tell(const char *what, size_t index, const struct list *want, const struct list *got)
{
	printf("  node %zu, %s:\n", index, what);
	for (size_t i = 0; i < want->count; i++)
		printf("    want %s\n", want->item[i]);
	for (size_t i = 0; i < got->count; i++)
		printf("    got  %s\n", got->item[i]);
}

static bool compare(const json_t *c, bool loud)
{
	static struct list want, got;
	bool equal = true;

	for (size_t i = 0; i < stage.count; i++) {
		want_messages(c, i, &want);
		if (!same(&want, &stage.messages[i])) {
			equal = false;
			if (loud)
				tell("messages", i, &want, &stage.messages[i]);
		}
		want_lines(c, i, &want);
		got_lines(c, i, &got);
		if (!same(&want, &got)) {
			equal = false;
			if (loud)
				tell("lines", i, &want, &got);
		}
	}
	return equal;
}

static bool run_case(const json_t *c)
{
	bool equal = false;

	for (uint64_t seed = 1; !equal && seed <= SEEDS_MAX; seed++) {
		set_up(c, seed);
		play(c);
		equal = compare(c, seed == SEEDS_MAX);
		air_free(stage.air);
	}
	return equal;
}

START_TEST(every_case_on_the_nodes)
{
	json_t *root = vectors_load("enrollment-messages.json"), *c;
	size_t i;
	int wrong = 0;

	json_array_foreach(vectors_array(root, "cases"), i, c)
	{
		if (run_case(c))
			continue;
		printf("%s: not as the reference\n", vectors_text(c, "name"));
		wrong++;
	}
	vectors_ran("cases on the nodes", i);
	json_decref(root);
	ck_assert_int_eq(wrong, 0);
}
END_TEST

/* --- truncated requests ------------------------------------------------------------------------
 */

static void check_key(const json_t *c, const char *name, const struct secret16 *got)
{
	uint8_t want[16];

	vectors_hex_exact(c, name, want, sizeof(want));
	/* what nobody has set: 00…00 or FF…FF in the reference, neither usable in ours */
	if (bytes_are_ct(want, 16, 0) || bytes_are_ct(want, 16, 0xFF))
		ck_assert(secret16_is_unset(got));
	else
		ck_assert_mem_eq(want, got->b, 16);
}

static void receive_truncated(struct fake_port *f, const json_t *c)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	size_t n = vectors_hex(c, "messageHex", b, sizeof(b));
	struct rd r = rd_init(b + MESHMSG_MODULE_HEADER_BYTES, 4);

	fake_init(f);
	f->uicr[10] = 2;
	f->uicr[12] = (uint32_t)vectors_uint(c, "payloadLen") < 4 ? 1 : rd_u32(&r);
	for (size_t i = 0; i < 4; i++)
		f->uicr[13 + i] = i == 0 ? 4 : 0;
	fake_boot(f);
	fake_clear(f);
	meshmsg_set_receiver(b, f->node.config.node_id); /* it went to a virtual id */
	fake_receive(f, b, n);
	fake_flash(f);
}

START_TEST(every_truncated_request_on_a_node)
{
	json_t *root = vectors_load("enrollment-messages.json"), *c;
	size_t i;

	json_array_foreach(vectors_array(root, "truncatedSetEnrollment"), i, c)
	{
		static struct fake_port f;

		receive_truncated(&f, c);
		ck_assert(f.node.config.enrolled == vectors_bool(c, "enrolled"));
		ck_assert_uint_eq(f.node.config.network_id, vectors_uint(c, "networkId"));
		ck_assert_uint_eq(f.node.config.node_id, vectors_uint(c, "nodeId"));
		check_key(c, "networkKey", &f.node.config.network_key);
		check_key(c, "userBaseKey", &f.node.config.user_base_key);
		check_key(c, "organizationKey", &f.node.config.organization_key);
		ck_assert_uint_eq(f.line_count, vectors_has(c, "response") ? 1 : 0);
		if (vectors_has(c, "response"))
			ck_assert_str_eq(f.line[0], vectors_text(c, "response"));
	}
	vectors_ran("truncated requests on a node", i);
	json_decref(root);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, every_case_on_the_nodes);
	tcase_add_test(tc, every_truncated_request_on_a_node);
}

int main(void)
{
	return suite_main("vec_node", fill);
}
