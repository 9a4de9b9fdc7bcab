#include "enroll/nodes.h"

#include <stdio.h>

#include "enr/serial.h"
#include "enroll/nodes_keep.h"
#include "store/networks.h"
#include "store/nodes.h"
#include "support/world.h"
#include "unit/suite.h"

#define NETWORK 480
#define LABEL "qt=1&v=1&mf=024D&s=FMBBC&nk=12345678123456781234567812345678&nm=Lamp%207&dt=BLENODE"

static const struct caller OBSERVER = {.uid = 1003, .role = ROLE_OBSERVER, .name = "olga"};
static const struct caller NOBODY = {.uid = 1004, .role = ROLE_NONE, .name = "nobody"};

static struct world w;
static struct nodes *n;
static struct reason why;

static void set_up(void)
{
	world_open(&w);
	n = nodes_new(w.store, w.crypto);
	ck_assert_ptr_nonnull(n);
}

static void tear_down(void)
{
	nodes_free(n);
	world_close(&w);
}

/* One request: kept if it went well, else undone. */
static enum err end(enum err e)
{
	if (e == ERR_OK)
		return world_end(&w);
	store_rollback(w.store);
	return e;
}

static enum err network_add(const struct caller *who, const struct network_request *req)
{
	struct network_view v;

	why = (struct reason){0};
	world_begin(&w);
	return end(nodes_network_add(n, &w.now, who, req, &v, &why));
}

static void some_network(void)
{
	struct network_request req = {.id = NETWORK, .gateway_serial = SERIAL_INDEX_INVALID};

	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_OK);
}

static enum err add(const struct caller *who, const struct node_request *req, struct node_view *out)
{
	why = (struct reason){0};
	world_begin(&w);
	return end(nodes_add(n, &w.now, who, req, out, &why));
}

static enum err add_label(const char *label)
{
	struct node_request req = {.label = label, .network_id = NETWORK};
	struct node_view v;

	return add(&WORLD_ALICE, &req, &v);
}

typedef enum err order_fn(struct nodes *nodes, const struct clock_now *now,
	const struct caller *who, const char *serial, struct node_view *out, struct reason *reason);

static enum err order(order_fn *fn, const struct caller *who, const char *serial)
{
	struct node_view v;

	why = (struct reason){0};
	world_begin(&w);
	return end(fn(n, &w.now, who, serial, &v, &why));
}

/* --- networks -------------------------------------------------------------------------------- */

START_TEST(makes_keys_that_are_never_unset)
{
	struct network_keys a, b;
	struct network_request req = {.id = 1, .gateway_serial = SERIAL_INDEX_INVALID};

	some_network();
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_OK);
	ck_assert_int_eq(store_networks_keys(w.store, NETWORK, &a), ERR_OK);
	ck_assert_int_eq(store_networks_keys(w.store, 1, &b), ERR_OK);
	ck_assert(!secret16_is_unset(&a.network) && !secret16_is_unset(&a.user_base) &&
		  !secret16_is_unset(&a.organization));
	ck_assert_mem_ne(a.network.b, b.network.b, 16);
	ck_assert_mem_ne(a.network.b, a.user_base.b, 16);
}
END_TEST

START_TEST(refuses_unset_imported_keys)
{
	struct secret16 zero = {{0}}, ones;
	struct network_request req = {.id = 1, .gateway_serial = SERIAL_INDEX_INVALID};

	memset(&ones, 0xFF, sizeof(ones));
	req.network_key = &zero;
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_INVALID);
	ck_assert_str_eq(why.field, "network_key");
	req.network_key = NULL;
	req.organization_key = &ones;
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_INVALID);
	ck_assert_str_eq(why.field, "organization_key");
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM networks"), 0);
}
END_TEST

START_TEST(leaves_low_ids_to_the_members_of_an_imported_network)
{
	struct secret16 key = {{1, 2, 3}};
	struct network_request req = {
		.id = NETWORK, .network_key = &key, .gateway_serial = SERIAL_INDEX_INVALID};
	struct node_request node = {.label = LABEL, .network_id = NETWORK};
	struct node_view v;

	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_OK);
	ck_assert_int_eq(add(&WORLD_ALICE, &node, &v), ERR_OK);
	ck_assert_uint_eq(v.node_id, 1000);
}
END_TEST

START_TEST(says_that_a_network_is_full)
{
	struct network_request req = {
		.id = NETWORK, .first_node_id = 1999, .gateway_serial = SERIAL_INDEX_INVALID};
	struct secret16 key = {{9, 8, 7}};
	struct node_request node = {.serial = "FMBBD", .node_key = &key, .network_id = NETWORK};
	struct node_view v;

	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_OK);
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(add(&WORLD_ALICE, &node, &v), ERR_STATE); /* not a disk that is full */
	ck_assert_ptr_nonnull(strstr(why.text, "no node id left"));
}
END_TEST

/* --- a foreign tool's request: its own id and keys ------------------------------------------- */

static enum err add_exactly(const char *serial, uint16_t id, struct node_view *v)
{
	struct secret16 key = {{9, 8, 7}};
	struct node_request req = {
		.serial = serial, .node_key = &key, .network_id = NETWORK, .node_id = id};

	return add(&WORLD_ALICE, &req, v);
}

START_TEST(reserves_exactly_the_id_that_is_asked_for)
{
	struct node_view v;

	some_network();
	ck_assert_int_eq(add_exactly("FMBBC", 77, &v), ERR_OK);
	ck_assert_uint_eq(v.node_id, 77);
	ck_assert_int_eq(add_exactly("FMBBD", 77, &v), ERR_CONFLICT);
	ck_assert_str_eq(why.field, "node_id");
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM nodes"), 1);
	ck_assert_int_eq(add_exactly("FMBBD", 2000, &v), ERR_INVALID);
	ck_assert_int_eq(add_exactly("FMBBD", 33000, &v), ERR_INVALID); /* not an asset */
	ck_assert_str_eq(why.field, "node_id");
}
END_TEST

START_TEST(refuses_keys_that_are_not_the_networks)
{
	struct secret16 key = {{9, 8, 7}};
	struct network_keys own;
	struct node_request req = {.serial = "FMBBC", .node_key = &key, .network_id = NETWORK};
	struct node_view v;

	some_network();
	ck_assert_int_eq(store_networks_keys(w.store, NETWORK, &own), ERR_OK);
	req.network_key = &own.user_base;
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_INVALID);
	ck_assert_str_eq(why.field, "network_key");
	req.network_key = &own.network;
	req.user_base_key = &own.network;
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_INVALID);
	ck_assert_str_eq(why.field, "user_base_key");
	req.user_base_key = &own.user_base;
	req.organization_key = &own.network;
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_INVALID);
	ck_assert_str_eq(why.field, "organization_key");
	req.organization_key = &own.organization;
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_OK);
}
END_TEST

static struct secret16 key_of(int64_t row)
{
	struct secret16 key;

	ck_assert_int_eq(store_nodes_key(w.store, row, &key), ERR_OK);
	return key;
}

START_TEST(takes_a_key_that_is_not_given_from_the_store)
{
	struct node_request req = {.serial = "FMBBD", .network_id = NETWORK, .without_key = true};
	struct secret16 none, known = {{0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34,
				      0x56, 0x78, 0x12, 0x34, 0x56, 0x78}};
	struct secret16 got;
	struct node_view v;

	some_network();
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_OK);
	memset(none.b, 0xff, sizeof(none.b));
	got = key_of(v.row);
	ck_assert_mem_eq(got.b, none.b, 16);
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(order(nodes_cancel, &WORLD_ALICE, "FMBBC"), ERR_OK);
	req.serial = "FMBBC";
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_OK);
	got = key_of(v.row);
	ck_assert_mem_eq(got.b, known.b, 16);
}
END_TEST

START_TEST(checks_what_a_network_is_made_of)
{
	struct network_request req = {.id = 0, .gateway_serial = SERIAL_INDEX_INVALID};

	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_INVALID);
	req.id = 65535;
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_INVALID);
	req.id = 7;
	req.name = "bad \x1b[2J name";
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_INVALID);
	ck_assert_str_eq(why.field, "name");
	req.name = "\xC3";
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_INVALID);
	req.name = "Halle Süd";
	req.first_node_id = 2000;
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_INVALID);
	req.first_node_id = 1999;
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_OK);
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &req), ERR_CONFLICT);
	ck_assert_str_eq(why.field, "id");
}
END_TEST

START_TEST(removes_a_network_only_when_it_is_empty)
{
	some_network();
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	world_begin(&w);
	ck_assert_int_eq(
		end(nodes_network_remove(n, &w.now, &WORLD_ADMIN, NETWORK, &why)), ERR_CONFLICT);
	ck_assert_int_eq(order(nodes_cancel, &WORLD_ALICE, "FMBBC"), ERR_OK);
	world_begin(&w);
	ck_assert_int_eq(end(nodes_network_remove(n, &w.now, &WORLD_ADMIN, NETWORK, &why)), ERR_OK);
	world_begin(&w);
	ck_assert_int_eq(
		end(nodes_network_remove(n, &w.now, &WORLD_ADMIN, NETWORK, &why)), ERR_NOT_FOUND);
}
END_TEST

/* --- who may ---------------------------------------------------------------------------------- */

START_TEST(lets_nobody_do_more_than_their_role)
{
	struct network_request net = {.id = 7, .gateway_serial = SERIAL_INDEX_INVALID};
	struct node_request node = {.label = LABEL, .network_id = NETWORK};
	struct node_view v;

	some_network();
	ck_assert_int_eq(network_add(&WORLD_ALICE, &net), ERR_DENIED);
	ck_assert_int_eq(add(&OBSERVER, &node, &v), ERR_DENIED);
	ck_assert_int_eq(add(&WORLD_ALICE, &node, &v), ERR_OK);
	ck_assert_int_eq(order(nodes_cancel, &OBSERVER, "FMBBC"), ERR_DENIED);
	ck_assert_int_eq(order(nodes_cancel, &WORLD_BOB, "FMBBC"), ERR_DENIED); /* Alice's */
	world_begin(&w);
	ck_assert_int_eq(end(nodes_set_network(n, &w.now, &WORLD_BOB, "FMBBC", NETWORK, &v, &why)),
		ERR_DENIED);
	ck_assert_int_eq(order(nodes_remove, &WORLD_ALICE, "FMBBC"), ERR_DENIED);
	ck_assert_int_eq(order(nodes_show, &NOBODY, "FMBBC"), ERR_DENIED);
	ck_assert_int_eq(order(nodes_show, &OBSERVER, "FMBBC"), ERR_OK);
	ck_assert_int_eq(order(nodes_cancel, &WORLD_ADMIN, "FMBBC"), ERR_OK);
	ck_assert_uint_gt(strlen(why.text) + 1, 0);
}
END_TEST

/* --- adding ----------------------------------------------------------------------------------- */

START_TEST(takes_a_label)
{
	struct node_request req = {.label = LABEL, .network_id = NETWORK};
	struct secret16 key;
	struct node_view v;

	some_network();
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_OK);
	ck_assert_uint_eq(v.serial, SERIAL_TESTING_FIRST + 1);
	ck_assert_str_eq(v.name, "Lamp 7");
	ck_assert_uint_eq(v.node_id, 1);
	ck_assert_int_eq(v.state, JOB_PENDING);
	ck_assert_uint_eq(v.timeout_s, JOB_TIMEOUT_S_DEFAULT);
	ck_assert(v.only_if_unenrolled);
	ck_assert_uint_eq(v.expires_at, w.now.wall_s + NODES_LIFETIME_S_DEFAULT);
	ck_assert_str_eq(v.created_by, "alice");
	ck_assert_int_eq(store_nodes_key(w.store, v.row, &key), ERR_OK);
	ck_assert_uint_eq(key.b[0], 0x12);
}
END_TEST

START_TEST(takes_a_serial_and_a_key)
{
	struct secret16 key = {{9, 8, 7}};
	struct node_request req = {.serial = "FMBBD",
		.node_key = &key,
		.name = "Tag",
		.network_id = NETWORK,
		.asset = true,
		.timeout_s = 20,
		.lifetime_s = 60};
	struct node_view v;

	some_network();
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_OK);
	ck_assert_uint_eq(v.node_id, 33000);
	ck_assert_str_eq(nodes_device_type_name(v.device_type), "asset");
	ck_assert_uint_eq(v.timeout_s, 20);
	ck_assert_uint_eq(v.expires_at, w.now.wall_s + 60);
}
END_TEST

START_TEST(the_configured_lifetime_is_that_of_jobs_that_name_none)
{
	struct node_request req = {.label = LABEL, .network_id = NETWORK};
	struct node_view v;

	some_network();
	nodes_set_lifetime(n, 90);
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_OK);
	ck_assert_uint_eq(v.expires_at, w.now.wall_s + 90);
}
END_TEST

START_TEST(refuses_bad_requests_in_words_and_changes_nothing)
{
	static const struct {
		struct node_request req;
		enum err e;
		const char *field;
	} rows[] = {
		{{.label = "qt=1&v=1"}, ERR_INVALID, "label"},
		{{.label = "qt=1&v=1&mf=024D&s=FMBBC"}, ERR_INVALID, "label"},
		{{.label = "qt=1&v=1&mf=024D&s=FMBBC&nk=00000000000000000000000000000000"},
			ERR_INVALID, "label"},
		{{.serial = "fmbbc"}, ERR_INVALID, "serial"},
		{{.serial = "FMBBC"}, ERR_INVALID, "node_key"},
		{{.label = LABEL, .name = "\x07"}, ERR_INVALID, "name"},
		{{.label = LABEL, .timeout_s = 2}, ERR_INVALID, "timeout_s"},
		{{.label = LABEL, .timeout_s = 128}, ERR_INVALID, "timeout_s"},
		{{.label = LABEL, .lifetime_s = NODES_LIFETIME_S_MAX + 1}, ERR_INVALID,
			"lifetime_s"},
		{{.label = LABEL, .network_id = 9}, ERR_NOT_FOUND, "network_id"},
	};
	struct node_view v;

	some_network();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct node_request req = rows[i].req;

		if (req.network_id == 0)
			req.network_id = NETWORK;
		ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), rows[i].e);
		ck_assert_str_eq(why.field, rows[i].field);
		ck_assert_uint_gt(strlen(why.text), 0);
	}
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM nodes"), 0);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM node_ids"), 0);
}
END_TEST

START_TEST(refuses_a_serial_that_is_there)
{
	some_network();
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(add_label(LABEL), ERR_CONFLICT);
	ck_assert_str_eq(why.field, "serial");
	world_sql(&w, "UPDATE nodes SET state = 'joined'");
	ck_assert_int_eq(add_label(LABEL), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(why.text, "remove it first"));
}
END_TEST

START_TEST(keeps_the_name_and_the_key_out_of_the_audit_log)
{
	some_network();
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(
		world_number(&w, "SELECT count(*) FROM audit WHERE json LIKE '%node_added%' AND "
				 "json LIKE '%\"FMBBC\"%' AND json LIKE '%\"alice\"%'"),
		1);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM audit WHERE json LIKE "
					  "'%12345678123456781234567812345678%'"),
		0);
}
END_TEST

/* --- cancelling and removing ------------------------------------------------------------------ */

START_TEST(gives_the_id_back_when_nothing_was_sent)
{
	some_network();
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(order(nodes_cancel, &WORLD_ALICE, "FMBBC"), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM node_ids"), 0);
	ck_assert_int_eq(order(nodes_cancel, &WORLD_ALICE, "FMBBC"), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(why.text, "cancelled"));
}
END_TEST

/* A gateway node that somebody else enrolled: our job for it changes nothing about its id. */
START_TEST(keeps_the_id_that_its_node_was_met_with)
{
	static order_fn *const ends[] = {nodes_cancel, nodes_remove};
	struct node_view v;

	some_network();
	world_begin(&w);
	ck_assert_int_eq(store_ids_adopt(w.store, NETWORK, 1, SERIAL_TESTING_FIRST + 1, 0), ERR_OK);
	ck_assert_int_eq(world_end(&w), ERR_OK);
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT node_id FROM nodes"), 1);
	ck_assert_int_eq(order(ends[_i], &WORLD_ADMIN, "FMBBC"), ERR_OK);
	ck_assert_int_eq(add_exactly("FMBBD", 0, &v), ERR_OK);
	ck_assert_uint_eq(v.node_id, 2);
	ck_assert_int_eq(add_exactly("FMBBF", 1, &v), ERR_CONFLICT);
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(
		world_number(
			&w, "SELECT node_id FROM nodes WHERE state = 'pending' AND name <> ''"),
		1);
}
END_TEST

START_TEST(keeps_the_id_when_something_was_sent)
{
	some_network();
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	world_sql(&w, "UPDATE nodes SET state = 'sent', attempts = 1");
	ck_assert_int_eq(order(nodes_cancel, &WORLD_ALICE, "FMBBC"), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM node_ids"), 1);
	ck_assert_int_eq(add_label(LABEL), ERR_OK); /* and gets it again */
	ck_assert_int_eq(world_number(&w, "SELECT node_id FROM nodes"), 1);
}
END_TEST

START_TEST(removes_in_two_steps_what_was_ever_asked)
{
	some_network();
	ck_assert_int_eq(order(nodes_remove, &WORLD_ADMIN, "FMBBC"), ERR_NOT_FOUND);
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	world_sql(&w, "UPDATE nodes SET state = 'joined', attempts = 1");
	ck_assert_int_eq(order(nodes_cancel, &WORLD_ALICE, "FMBBC"), ERR_CONFLICT);
	ck_assert_int_eq(order(nodes_remove, &WORLD_ADMIN, "FMBBC"), ERR_OK);
	ck_assert_int_eq(world_number(&w, "SELECT state = 'removing' FROM nodes"), 1);
	ck_assert_int_eq(order(nodes_remove, &WORLD_ADMIN, "FMBBC"), ERR_CONFLICT);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM node_ids"), 1);
}
END_TEST

/* --- telling the runner, listing -------------------------------------------------------------- */

static void note(void *ctx, const struct node_row *row)
{
	unsigned *count = ctx;

	count[row ? 0 : 1]++;
}

START_TEST(tells_of_every_change)
{
	unsigned count[2] = {0, 0};

	nodes_set_hook(n, note, count);
	some_network();
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(add_label(LABEL), ERR_CONFLICT);
	ck_assert_int_eq(order(nodes_cancel, &WORLD_ALICE, "FMBBC"), ERR_OK);
	ck_assert_uint_eq(count[0], 2);
	ck_assert_uint_eq(count[1], 1);
}
END_TEST

static bool count_nodes(void *ctx, const struct node_view *v)
{
	unsigned *count = ctx;

	ck_assert_uint_eq(v->network_id, NETWORK);
	(*count)++;
	return true;
}

static bool count_networks(void *ctx, const struct network_view *v)
{
	unsigned *count = ctx;

	ck_assert_uint_eq(v->nodes, 1);
	(*count)++;
	return true;
}

START_TEST(lists_views_without_keys)
{
	struct nodes_query query = {.state = JOB_PENDING};
	unsigned nodes = 0, networks = 0;

	some_network();
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(
		nodes_list(n, &w.now, &OBSERVER, &query, count_nodes, &nodes, &why), ERR_OK);
	ck_assert_int_eq(nodes_network_list(n, &OBSERVER, count_networks, &networks, &why), ERR_OK);
	ck_assert_uint_eq(nodes, 1);
	ck_assert_uint_eq(networks, 1);
	query.state = JOB_JOINED;
	ck_assert_int_eq(
		nodes_list(n, &w.now, &OBSERVER, &query, count_nodes, &nodes, &why), ERR_OK);
	ck_assert_uint_eq(nodes, 1);
}
END_TEST

/* Thousands of labels are added one by one: none may cost what all before it have cost. */
START_TEST(no_statement_reads_the_nodes_of_all_networks)
{
	struct nodes_query query = {.state = JOB_PENDING};
	struct network_view view;
	unsigned count = 0;
	uint16_t only = 0;

	some_network();
	ck_assert_int_eq(nodes_network_only(n, &only, &why), ERR_OK);
	ck_assert_uint_eq(only, NETWORK);
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(order(nodes_show, &OBSERVER, "FMBBC"), ERR_OK);
	ck_assert_int_eq(
		nodes_list(n, &w.now, &OBSERVER, &query, count_nodes, &count, &why), ERR_OK);
	ck_assert_int_eq(nodes_network_show(n, &OBSERVER, NETWORK, &view, &why), ERR_OK);
	ck_assert_uint_eq(view.nodes, 1);
	ck_assert_uint_eq(view.joined, 0);
	ck_assert_int_eq(nodes_network_list(n, &OBSERVER, count_networks, &count, &why), ERR_OK);
	ck_assert_int_eq(order(nodes_cancel, &WORLD_ALICE, "FMBBC"), ERR_OK);
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	ck_assert_int_eq(order(nodes_remove, &WORLD_ADMIN, "FMBBC"), ERR_OK);
	world_begin(&w);
	ck_assert_int_eq(end(nodes_network_remove(n, &w.now, &WORLD_ADMIN, NETWORK, &why)), ERR_OK);
	ck_assert(world_scans(&w, "c")); /* ids are counted through in memory */
	ck_assert(!world_scans(&w, "nodes"));
	ck_assert(!world_scans(&w, "node_ids"));
}
END_TEST

START_TEST(knows_the_network_that_is_meant_if_there_is_one)
{
	struct network_request second = {.id = 7, .gateway_serial = SERIAL_INDEX_INVALID};
	uint16_t only = 0;

	ck_assert_int_eq(nodes_network_only(n, &only, &why), ERR_INVALID);
	ck_assert_str_eq(why.field, "network_id");
	some_network();
	ck_assert_int_eq(nodes_network_only(n, &only, &why), ERR_OK);
	ck_assert_uint_eq(only, NETWORK);
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &second), ERR_OK);
	ck_assert_int_eq(nodes_network_only(n, &only, &why), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(why.text, "several networks"));
}
END_TEST

START_TEST(counts_the_nodes_of_each_network)
{
	struct network_request second = {.id = 7, .gateway_serial = SERIAL_INDEX_INVALID};
	struct network_view view;

	some_network();
	ck_assert_int_eq(network_add(&WORLD_ADMIN, &second), ERR_OK);
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	world_sql(&w, "UPDATE nodes SET state = 'joined'");
	ck_assert_int_eq(nodes_network_show(n, &OBSERVER, NETWORK, &view, &why), ERR_OK);
	ck_assert_uint_eq(view.nodes, 1);
	ck_assert_uint_eq(view.joined, 1);
	ck_assert_int_eq(nodes_network_show(n, &OBSERVER, 7, &view, &why), ERR_OK);
	ck_assert_uint_eq(view.nodes, 0);
	ck_assert_uint_eq(view.joined, 0);
}
END_TEST

START_TEST(shows_an_expiry_that_a_stepping_clock_does_not_move)
{
	struct node_view v;

	some_network();
	ck_assert_int_eq(add_label(LABEL), ERR_OK);
	w.now.wall_s += 34128000; /* +13 months, within the boot */
	world_pass(&w, 60);
	ck_assert_int_eq(nodes_show(n, &w.now, &OBSERVER, "FMBBC", &v, &why), ERR_OK);
	ck_assert_uint_eq(v.expires_at, w.now.wall_s + NODES_LIFETIME_S_DEFAULT - 60);
	w.now.wall_s -= 34128000 + 3600;
	ck_assert_int_eq(nodes_show(n, &w.now, &OBSERVER, "FMBBC", &v, &why), ERR_OK);
	ck_assert_uint_eq(v.expires_at, w.now.wall_s + NODES_LIFETIME_S_DEFAULT - 60);
}
END_TEST

START_TEST(takes_over_only_for_an_administrator)
{
	struct secret16 key = {{1, 2, 3}};
	struct node_request req = {
		.serial = "FMBBC", .node_key = &key, .network_id = NETWORK, .force = true};
	struct node_view v;

	some_network();
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_DENIED);
	ck_assert_int_eq(add(&WORLD_ADMIN, &req, &v), ERR_OK);
	ck_assert(!v.only_if_unenrolled);
}
END_TEST

START_TEST(opens_without_a_key_only_as_it_is_told)
{
	struct secret16 key = {{1, 2, 3}}, stored;
	struct node_request req = {.serial = "FMBBC", .network_id = NETWORK, .nearby = true};
	struct node_view v;

	some_network();
	req.node_key = &key; /* it is known */
	ck_assert_int_eq(add(&WORLD_ADMIN, &req, &v), ERR_INVALID);
	req.node_key = NULL;
	req.force = true; /* nearby is for unenrolled nodes */
	ck_assert_int_eq(add(&WORLD_ADMIN, &req, &v), ERR_INVALID);
	req.force = false;
	req.nearby = false;
	req.from_network = 7; /* not ours */
	ck_assert_int_eq(add(&WORLD_ADMIN, &req, &v), ERR_NOT_FOUND);
	req.from_network = 0;
	req.nearby = true;
	ck_assert_int_eq(add(&WORLD_ALICE, &req, &v), ERR_OK);
	ck_assert(v.nearby && v.only_if_unenrolled);
	ck_assert_int_eq(store_nodes_key(w.store, v.row, &stored), ERR_OK);
	ck_assert(bytes_are_ct(stored.b, sizeof(stored.b), 0x00));
}
END_TEST

/* Adding, cancelling, failing, removing, meeting, in any order: an id belongs to one serial at a
 * time, and one that a node may still hold is never given to another. */
START_TEST(never_gives_away_an_id_that_a_node_may_hold)
{
	uint64_t random = 7;
	uint32_t holder[NODE_ID_MAX + 1]; /* who was sent that id or met with it: may have it */

	printf("seed %llu\n", (unsigned long long)random);
	memset(holder, 0xFF, sizeof(holder));
	some_network();
	world_sql(&w, "UPDATE networks SET first_node_id = 1990, next_node_id = 1990");
	world_begin(&w);
	for (int i = 0; i < 1500; i++) {
		char text[SERIAL_TEXT_SIZE];
		struct secret16 key = {{1}};
		struct node_request req = {.serial = text, .node_key = &key, .network_id = NETWORK};
		struct node_row row;
		struct node_view v;
		uint32_t serial;

		random = random * 6364136223846793005u + 1442695040888963407u;
		serial = SERIAL_TESTING_FIRST + (uint32_t)(random >> 40) % 20;
		serial_print(serial, text);
		switch ((random >> 33) % 5) {
		case 0:
			if (nodes_add(n, &w.now, &WORLD_ADMIN, &req, &v, NULL) == ERR_OK)
				ck_assert(holder[v.node_id] == UINT32_MAX ||
					  holder[v.node_id] == serial);
			break;
		case 1:
			(void)!nodes_cancel(n, &w.now, &WORLD_ADMIN, text, &v, NULL);
			break;
		case 2:
			(void)!nodes_remove(n, &w.now, &WORLD_ADMIN, text, &v, NULL);
			break;
		case 3: /* it turns out to be a gateway node that somebody else enrolled */
			if (store_nodes_get(w.store, serial, &row) != ERR_OK ||
				row.job.state != JOB_PENDING || (random >> 50) % 8 != 0)
				break;
			ck_assert_int_eq(
				store_ids_adopt(w.store, NETWORK, row.job.node_id, serial, 0),
				ERR_OK);
			holder[row.job.node_id] = serial;
			break;
		default: /* the runner: sends, or hears of the removal */
			if (store_nodes_get(w.store, serial, &row) != ERR_OK)
				break;
			if (row.job.state == JOB_PENDING || row.job.state == JOB_REMOVING) {
				struct nodes_moment at = {6000, 1700000000};
				enum job_state was = row.job.state;
				bool sends = was == JOB_PENDING;

				row.job.attempts++;
				row.job.state = sends ? JOB_SENT : JOB_REMOVED;
				ck_assert_int_eq(
					nodes_keep(w.store, NETWORK, &row.job, was, NULL, &at),
					ERR_OK);
				holder[row.job.node_id] = sends ? serial : UINT32_MAX;
			}
		}
	}
	ck_assert_int_eq(world_end(&w), ERR_OK);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, the_configured_lifetime_is_that_of_jobs_that_name_none);
	tcase_add_test(tc, makes_keys_that_are_never_unset);
	tcase_add_test(tc, refuses_unset_imported_keys);
	tcase_add_test(tc, leaves_low_ids_to_the_members_of_an_imported_network);
	tcase_add_test(tc, says_that_a_network_is_full);
	tcase_add_test(tc, checks_what_a_network_is_made_of);
	tcase_add_test(tc, reserves_exactly_the_id_that_is_asked_for);
	tcase_add_test(tc, refuses_keys_that_are_not_the_networks);
	tcase_add_test(tc, takes_a_key_that_is_not_given_from_the_store);
	tcase_add_test(tc, removes_a_network_only_when_it_is_empty);
	tcase_add_test(tc, lets_nobody_do_more_than_their_role);
	tcase_add_test(tc, takes_a_label);
	tcase_add_test(tc, takes_a_serial_and_a_key);
	tcase_add_test(tc, refuses_bad_requests_in_words_and_changes_nothing);
	tcase_add_test(tc, refuses_a_serial_that_is_there);
	tcase_add_test(tc, keeps_the_name_and_the_key_out_of_the_audit_log);
	tcase_add_test(tc, gives_the_id_back_when_nothing_was_sent);
	tcase_add_loop_test(tc, keeps_the_id_that_its_node_was_met_with, 0, 2);
	tcase_add_test(tc, keeps_the_id_when_something_was_sent);
	tcase_add_test(tc, removes_in_two_steps_what_was_ever_asked);
	tcase_add_test(tc, tells_of_every_change);
	tcase_add_test(tc, lists_views_without_keys);
	tcase_add_test(tc, no_statement_reads_the_nodes_of_all_networks);
	tcase_add_test(tc, knows_the_network_that_is_meant_if_there_is_one);
	tcase_add_test(tc, counts_the_nodes_of_each_network);
	tcase_add_test(tc, shows_an_expiry_that_a_stepping_clock_does_not_move);
	tcase_add_test(tc, takes_over_only_for_an_administrator);
	tcase_add_test(tc, opens_without_a_key_only_as_it_is_told);
	tcase_add_test(tc, never_gives_away_an_id_that_a_node_may_hold);
}

int main(void)
{
	return suite_main("nodes", fill);
}
