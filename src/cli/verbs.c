/* The table of commands: one row each. */
#include "cli/run.h"
#include "cli/table.h"

#define OPT_END                                         \
	{                                               \
		NULL, NULL, NULL, OPT_FLAG, false, NULL \
	}
#define OPT_ID(what)                                                                      \
	{                                                                                 \
		"ID", "ID", "id", OPT_TEXT, true, what ": 8 or more hex digits of its id" \
	}
#define OPT_SERIAL                                                                             \
	{                                                                                      \
		"SERIAL", "SERIAL", "serial", OPT_TEXT, true, "serial number, as on its label" \
	}
#define OPT_NAME(what)                                          \
	{                                                       \
		"--name", "NAME", "name", OPT_TEXT, false, what \
	}
#define OPT_STATE(what)                                            \
	{                                                          \
		"--state", "STATE", "state", OPT_TEXT, false, what \
	}
#define OPT_LIMIT                                                                      \
	{                                                                              \
		"--limit", "N", "limit", OPT_UINT, false, "one page of at most N rows" \
	}
#define OPT_AFTER                                                                                 \
	{                                                                                         \
		"--after", "NEXT", "after", OPT_TEXT, false, "the page after a former one's next" \
	}
#define OPT_WAIT(what)                                      \
	{                                                   \
		"--wait", NULL, NULL, OPT_FLAG, false, what \
	}
#define OPT_TIMEOUT(what)                                         \
	{                                                         \
		"--timeout", "D", NULL, OPT_DURATION, false, what \
	}
#define OPT_QR                                                                   \
	{                                                                        \
		"--qr", NULL, NULL, OPT_FLAG, false, "also draw it as a QR code" \
	}
#define OPT_PNG                                                                                    \
	{                                                                                          \
		"--png", "FILE", NULL, OPT_TEXT, false, "write the QR code as an image (new file)" \
	}
/* Taken only to be refused with a hint. */
#define OPT_REFUSED(name)                                 \
	{                                                 \
		name, NULL, NULL, OPT_SECRET, false, NULL \
	}

static const struct opt no_opts[] = {OPT_END};

/* --- columns ----------------------------------------------------------------------------- */

static const struct table_column status_columns[] = {
	{"version", "version", TABLE_TEXT},
	{"role", "your role", TABLE_TEXT},
	{"started_at", "running since", TABLE_BOTH},
	{"now_at", "its clock", TABLE_AT},
	{"address", "enrollees reach it at", TABLE_TEXT},
	{"identity_key", "identity key", TABLE_TEXT},
	{"spk_made_at", "signed prekey made", TABLE_BOTH},
	{"bundles.open", "bundles open", TABLE_TEXT},
	{"enrollees.pending", "enrollees pending", TABLE_TEXT},
	{"enrollees.enrolled", "enrollees enrolled", TABLE_TEXT},
	{"enrollees.revoked", "enrollees revoked", TABLE_TEXT},
	{"mesh.networks", "mesh networks", TABLE_TEXT},
	{"mesh.nodes", "mesh nodes", TABLE_TEXT},
	{"mesh.joined", "mesh nodes joined", TABLE_TEXT},
	{"mesh.link_state", "mesh link", TABLE_TEXT},
	{"mesh.link_address", "gateway node", TABLE_TEXT},
	{"mesh.link_node_id", "gateway node id", TABLE_TEXT},
	{"mesh.link_network_id", "gateway network", TABLE_TEXT},
	{"mesh.ignored_messages", "mesh messages ignored", TABLE_TEXT},
	{"audit_seq", "audit log rows", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT},
};

static const struct table_column bundle_columns[] = {
	{"id", "ID", TABLE_ID},
	{"state", "STATE", TABLE_TEXT},
	{"issued_at", "ISSUED", TABLE_AT},
	{"expires_at", "EXPIRES", TABLE_BOTH},
	{"closed_at", "CLOSED", TABLE_AT},
	{"enroller_uid", "ENROLLER", TABLE_TEXT},
	{"enrollee_id", "ENROLLEE", TABLE_ID},
	{"text", "BUNDLE", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT},
};

static const struct table_column enrollee_columns[] = {
	{"id", "ID", TABLE_ID},
	{"state", "STATE", TABLE_TEXT},
	{"name", "NAME", TABLE_TEXT},
	{"device_id", "DEVICE", TABLE_ID},
	{"announced_at", "ANNOUNCED", TABLE_AT},
	{"expires_at", "EXPIRES", TABLE_BOTH},
	{"closed_at", "CLOSED", TABLE_AT},
	{"enrolled_at", "ENROLLED", TABLE_AT},
	{"seen_at", "SEEN", TABLE_EXPIRY},
	{"revoked_at", "REVOKED", TABLE_AT},
	{"bundle_id", "BUNDLE", TABLE_ID},
	{"enroller_uid", "ENROLLER", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT},
};

static const struct table_column network_columns[] = {
	{"id", "ID", TABLE_TEXT},
	{"name", "NAME", TABLE_TEXT},
	{"nodes", "NODES", TABLE_TEXT},
	{"joined", "JOINED", TABLE_TEXT},
	{"gateway", "GATEWAY", TABLE_TEXT},
	{"created_at", "CREATED", TABLE_AT},
	{"network_key", "NETWORK KEY", TABLE_TEXT},
	{"user_base_key", "USER BASE KEY", TABLE_TEXT},
	{"organization_key", "ORGANIZATION KEY", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT},
};

static const struct table_column node_columns[] = {
	{"serial", "SERIAL", TABLE_TEXT},
	{"network_id", "NETWORK", TABLE_TEXT},
	{"node_id", "NODE ID", TABLE_TEXT},
	{"device_type", "TYPE", TABLE_TEXT},
	{"name", "NAME", TABLE_TEXT},
	{"state", "STATE", TABLE_TEXT},
	{"method", "METHOD", TABLE_TEXT},
	{"attempts", "TRIES", TABLE_TEXT},
	{"changed_at", "CHANGED", TABLE_EXPIRY},
	{"expires_at", "EXPIRES", TABLE_EXPIRY},
	{"next_try_at", "NEXT TRY", TABLE_EXPIRY},
	{"reason_text", "REASON", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT},
};

static const struct table_column node_show_columns[] = {
	{"serial", "serial", TABLE_TEXT},
	{"name", "name", TABLE_TEXT},
	{"network_id", "network", TABLE_TEXT},
	{"node_id", "node id", TABLE_TEXT},
	{"device_type", "device type", TABLE_TEXT},
	{"state", "state", TABLE_TEXT},
	{"preferred_network", "told to speak to", TABLE_TEXT},
	{"reason_text", "reason", TABLE_TEXT},
	{"method", "method", TABLE_TEXT},
	{"helper", "helper", TABLE_TEXT},
	{"code_text", "node's answer", TABLE_TEXT},
	{"attempts", "requests sent", TABLE_TEXT},
	{"created_at", "added", TABLE_BOTH},
	{"created_by", "added by", TABLE_TEXT},
	{"changed_at", "changed", TABLE_BOTH},
	{"next_try_at", "next try", TABLE_BOTH},
	{"expires_at", "expires", TABLE_BOTH},
	{NULL, NULL, TABLE_TEXT},
};

static const struct table_column app_key_columns[] = {
	{"key_id", "key id", TABLE_TEXT},
	{"key", "key", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT},
};

static const struct table_column mesh_node_columns[] = {
	{"node_id", "NODE ID", TABLE_TEXT},
	{"serial", "SERIAL", TABLE_TEXT},
	{"name", "NAME", TABLE_TEXT},
	{"state", "STATE", TABLE_TEXT},
	{"answer", "ANSWER", TABLE_TEXT},
	{"device_type", "TYPE", TABLE_TEXT},
	{"version", "VERSION", TABLE_TEXT},
	{"battery_dv", "BATTERY dV", TABLE_TEXT},
	{"cluster_size", "CLUSTER", TABLE_TEXT},
	{"free_in", "FREE IN", TABLE_TEXT},
	{"free_out", "FREE OUT", TABLE_TEXT},
	{"losses", "LOSSES", TABLE_TEXT},
	{"in_partner", "PARTNER", TABLE_TEXT},
	{"in_rssi_dbm", "dBm", TABLE_TEXT},
	{"address", "ADDRESS", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT},
};

/* --- options ----------------------------------------------------------------------------- */

static const struct opt bundle_issue_opts[] = {
	{"--count", "N", "count", OPT_UINT, false, "how many, 1 to 1000 (default 1)"},
	{"--lifetime", "D", "lifetime_s", OPT_DURATION, false, "until they expire: 90s 15m 24h 7d"},
	OPT_QR,
	OPT_PNG,
	OPT_END,
};
static const struct opt bundle_list_opts[] = {
	OPT_STATE("open, pending, used, expired or revoked"), OPT_AFTER, OPT_LIMIT, OPT_END};
static const struct opt bundle_show_opts[] = {OPT_ID("the bundle"), OPT_QR, OPT_PNG, OPT_END};
static const struct opt bundle_id_opts[] = {OPT_ID("the bundle"), OPT_END};

static const struct opt enrollee_announce_opts[] = {
	{"KEY", "KEY", "key", OPT_TEXT, true, "what `enrollee id` prints: enk1:..."},
	{"--bundle", "ID", "bundle_id", OPT_TEXT, true, "the bundle that it gets"},
	OPT_NAME("a pet name for it"),
	{"--lifetime", "D", "lifetime_s", OPT_DURATION, false, "how long it is expected"},
	OPT_WAIT("wait until it is enrolled"),
	OPT_TIMEOUT("how long to wait (default: until it expires)"),
	OPT_END,
};
static const struct opt enrollee_list_opts[] = {
	OPT_STATE("pending, enrolled, expired, cancelled, revoked or all"), OPT_AFTER, OPT_LIMIT,
	OPT_END};
static const struct opt enrollee_id_opts[] = {OPT_ID("the enrollee or device"), OPT_END};

static const struct opt network_add_opts[] = {
	{"ID", "ID", "id", OPT_UINT, true, "network id, 1 to 65534"},
	OPT_NAME("a name for people"),
	{"--key-file", "FILE|-", NULL, OPT_TEXT, false,
		"existing keys, lines network_key HEX, user_base_key HEX, organization_key HEX"},
	{"--first-node-id", "N", "first_node_id", OPT_UINT, false, "lowest node id to be given"},
	{"--gateway", "SERIAL", "gateway", OPT_TEXT, false, "preferred gateway node"},
	OPT_REFUSED("--key"),
	OPT_REFUSED("--network-key"),
	OPT_REFUSED("--user-base-key"),
	OPT_REFUSED("--organization-key"),
	OPT_END,
};
static const struct opt network_id_opts[] = {
	{"ID", "ID", "id", OPT_UINT, true, "network id"}, OPT_END};
static const struct opt network_show_opts[] = {{"ID", "ID", "id", OPT_UINT, true, "network id"},
	{"--reveal-keys", NULL, "reveal_keys", OPT_FLAG, false, "print its keys (admin)"}, OPT_END};

static const struct opt network_app_key_opts[] = {
	{"ID", "ID", "id", OPT_UINT, true, "network id"},
	{"--key-id", "N", "key_id", OPT_UINT, false, "a user's key: 10 or more"},
	{"--restrained", "SERIAL", "restrained", OPT_TEXT, false, "this node's restrained key"},
	OPT_END,
};

static const struct opt node_add_opts[] = {
	{"SERIAL", "SERIAL", "serial", OPT_TEXT, false, "serial number; with --key-file"},
	{"--qr-file", "FILE|-", NULL, OPT_TEXT, false,
		"texts of QR labels, one a line; or a picture of them"},
	{"--key-file", "FILE|-", NULL, OPT_TEXT, false, "the node key, 32 hex digits"},
	{"--network", "ID", "network_id", OPT_UINT, false, "network (default: the only one)"},
	OPT_NAME("a name for people"),
	{"--lifetime", "D", "lifetime_s", OPT_DURATION, false, "how long to try (default 24h)"},
	{"--attempt", "D", "timeout_s", OPT_DURATION, false, "how long one attempt may take"},
	{"--asset", NULL, "asset", OPT_FLAG, false, "it is an asset tag"},
	{"--force", NULL, "force", OPT_FLAG, false, "also if it is enrolled already (admin)"},
	{"--nearby", NULL, "nearby", OPT_FLAG, false,
		"no key: an unenrolled node in our range that opens to everybody"},
	{"--from-network", "ID", "from_network", OPT_UINT, false,
		"no key: a member of that network of ours"},
	OPT_WAIT("wait until all have joined or failed"),
	OPT_TIMEOUT("how long to wait (default: until they expire)"),
	OPT_REFUSED("--key"),
	OPT_REFUSED("--node-key"),
	OPT_REFUSED("--qr"),
	OPT_REFUSED("--label"),
	OPT_END,
};
static const struct opt node_list_opts[] = {
	{"--network", "ID", "network_id", OPT_UINT, false, "only this network's"},
	OPT_STATE("pending, located, sent, saved, joined, waiting, failed, ..."), OPT_AFTER,
	OPT_LIMIT, OPT_END};
static const struct opt node_serial_opts[] = {OPT_SERIAL, OPT_END};
static const struct opt node_label_opts[] = {OPT_SERIAL, OPT_QR, OPT_PNG, OPT_END};
static const struct opt node_remove_opts[] = {OPT_SERIAL, OPT_WAIT("wait until it is gone"),
	OPT_TIMEOUT("how long to wait (default 10m)"), OPT_END};

static const struct opt node_set_network_opts[] = {OPT_SERIAL,
	{"NETWORK", "NETWORK", "network_id", OPT_UINT, true, "network that it shall speak to"},
	OPT_WAIT("wait until it is met there"), OPT_TIMEOUT("how long to wait (default 10m)"),
	OPT_END};
#define OPT_NETWORK                                               \
	{                                                         \
		"--network", "ID", "network_id", OPT_UINT, false, \
			"which network (default: the only one)"   \
	}
static const struct opt mesh_proposals_opts[] = {
	{"SERIAL...", "SERIAL", "serials", OPT_LIST, false,
		"serial numbers to look for, up to 220 (default: what the mesh proposes)"},
	OPT_NETWORK,
	{"--timeout", "D", "timeout_s", OPT_DURATION, false,
		"at most so long (default: 1m for each 11 serial numbers)"},
	OPT_END,
};
static const struct opt mesh_nodes_opts[] = {OPT_NETWORK,
	{"--timeout", "D", "timeout_s", OPT_DURATION, false, "at most so long (default 15s)"},
	OPT_END};
static const struct opt mesh_set_enrolled_nodes_opts[] = {
	{"COUNT", "COUNT", "count", OPT_UINT, true, "how many nodes the mesh has; 0: not known"},
	OPT_NETWORK, OPT_END};

static const struct opt watch_opts[] = {
	{"--object", "WORD", "object", OPT_TEXT, false, "only bundle, enrollee, device or node"},
	{"--id", "ID", "id", OPT_TEXT, false, "only this object's"},
	OPT_TIMEOUT("stop after so long"),
	OPT_END,
};
static const struct opt terminal_opts[] = {
	{"--nearby", NULL, NULL, OPT_FLAG, false,
		"nodes without a key are enrolled in the open: whoever listens gets the keys"},
	{"--network", "ID", "network_id", OPT_UINT, false, "whose members request_proposals asks"},
	OPT_TIMEOUT("how long to wait for answers after the end of input"),
	OPT_END,
};
static const struct opt audit_list_opts[] = {
	{"--from", "SEQ", "from_seq", OPT_UINT, false, "from this row on (default: the newest)"},
	OPT_LIMIT,
	OPT_END,
};
static const struct opt audit_verify_opts[] = {
	{"--from", "SEQ:HASH", "from", OPT_TEXT, false, "a place that was noted before"}, OPT_END};

static const struct opt enroll_opts[] = {
	OPT_NAME("a pet name for the device"),
	{"--lifetime", "D", "lifetime_s", OPT_DURATION, false,
		"how long to wait for it (default 2m)"},
	{"--bundle-lifetime", "D", NULL, OPT_DURATION, false, "of the bundle (default 15m)"},
	OPT_END,
};

/* --- commands ---------------------------------------------------------------------------- */

const struct verb enrollctl_verbs[] = {
	{"status", NULL, "Status", NULL, no_opts, status_columns, run_show,
		"is all well? counts, the mesh link, your role", "  enrollctl status\n"},

	{"bundle", "issue", "BundleIssue", "bundles", bundle_issue_opts, bundle_columns,
		run_bundle_issue, "issue enrollment bundles, for enrollees to come",
		"  enrollctl bundle issue --lifetime 15m --qr\n"
		"  enrollctl bundle issue --count 100 --lifetime 7d >bundles.txt\n"},
	{"bundle", "list", "BundleList", "bundles", bundle_list_opts, bundle_columns, run_list,
		"list bundles", "  enrollctl bundle list --state open\n"},
	{"bundle", "show", "BundleShow", "bundle", bundle_show_opts, bundle_columns,
		run_bundle_show, "show one bundle",
		"  enrollctl bundle show 3f9a1c07 --png bundle.png\n"},
	{"bundle", "revoke", "BundleRevoke", "bundle", bundle_id_opts, bundle_columns, run_done,
		"make an open bundle useless", "  enrollctl bundle revoke 3f9a1c07\n"},

	{"enrollee", "announce", "EnrolleeAnnounce", "enrollee", enrollee_announce_opts,
		enrollee_columns, run_enrollee_announce, "expect an enrollee from now on",
		"  enrollctl enrollee announce enk1:AUq2... --bundle 3f9a1c07 --name kitchen "
		"--wait\n"},
	{"enrollee", "list", "EnrolleeList", "enrollees", enrollee_list_opts, enrollee_columns,
		run_list, "list pending and enrolled enrollees",
		"  enrollctl enrollee list --state pending\n"},
	{"enrollee", "show", "EnrolleeShow", "enrollee", enrollee_id_opts, enrollee_columns,
		run_show, "show one enrollee", "  enrollctl enrollee show 7e02b1f4\n"},
	{"enrollee", "cancel", "EnrolleeCancel", "enrollee", enrollee_id_opts, enrollee_columns,
		run_done, "stop expecting a pending enrollee",
		"  enrollctl enrollee cancel 7e02b1f4\n"},
	{"enrollee", "revoke", "EnrolleeRevoke", "enrollee", enrollee_id_opts, enrollee_columns,
		run_done, "take an enrolled device's channel away",
		"  enrollctl enrollee revoke 7e02b1f4\n"},
	{"enrollee", "ping", "EnrolleePing", NULL, enrollee_id_opts, NULL, run_done,
		"send an encrypted ping when the device next asks",
		"  enrollctl enrollee ping 7e02b1f4\n"},

	{"network", "add", "NetworkAdd", "network", network_add_opts, network_columns,
		run_network_add, "add a mesh network, with new keys or existing ones",
		"  enrollctl network add 10 --name \"ground floor\"\n"
		"  enrollctl network add 11 --key-file - <keys.txt\n"},
	{"network", "list", "NetworkList", "networks", no_opts, network_columns, run_list,
		"list mesh networks", "  enrollctl network list\n"},
	{"network", "show", "NetworkShow", "network", network_show_opts, network_columns, run_show,
		"show one network", "  enrollctl network show 10\n"},
	{"network", "remove", "NetworkRemove", NULL, network_id_opts, NULL, run_done,
		"forget a network without nodes", "  enrollctl network remove 10\n"},
	{"network", "app-key", "NetworkAppKey", NULL, network_app_key_opts, app_key_columns,
		run_show, "print a key for an app (admin; it is written to the audit log)",
		"  enrollctl network app-key 10 --key-id 10\n"
		"  enrollctl network app-key 10 --restrained FMBBC\n"},

	{"node", "add", "NodeAdd", "node", node_add_opts, node_show_columns, run_node_add,
		"enroll mesh nodes, by QR label or serial number and key",
		"  enrollctl node add --qr-file labels.txt --wait\n"
		"  enrollctl node add --qr-file photo.jpg\n"
		"  enrollctl node add FMBBC --network 10 --key-file - <key.txt\n"},
	{"node", "list", "NodeList", "nodes", node_list_opts, node_columns, run_list,
		"list mesh nodes", "  enrollctl node list --network 10 --state failed\n"},
	{"node", "show", "NodeShow", "node", node_serial_opts, node_show_columns, run_show,
		"show one node", "  enrollctl node show FMBBC\n"},
	{"node", "cancel", "NodeCancel", "node", node_serial_opts, node_show_columns, run_done,
		"stop trying to enroll a node", "  enrollctl node cancel FMBBC\n"},
	{"node", "remove", "NodeRemove", "node", node_remove_opts, node_show_columns,
		run_node_remove, "take a node's enrollment away",
		"  enrollctl node remove FMBBC --wait\n"},
	{"node", "set-network", "NodeSetNetwork", "node", node_set_network_opts, node_show_columns,
		run_node_set_network, "tell an asset to speak to another network",
		"  enrollctl node set-network FMBBC 11 --wait\n"},

	{"node", "label", "NodeLabel", NULL, node_label_opts, NULL, run_node_label,
		"print a node's QR label with its key (admin; it is written to the audit log)",
		"  enrollctl node label FMBBC --qr\n"
		"  enrollctl node label FMBBC --png fmbbc.png\n"},

	{"mesh", "proposals", "MeshProposals", NULL, mesh_proposals_opts, NULL, run_mesh_proposals,
		"which members of the mesh hear these nodes?",
		"  enrollctl mesh proposals FMBBC FMBBD --network 10\n"
		"  enrollctl mesh proposals --timeout 10m --json\n"},
	{"mesh", "nodes", "MeshNodes", NULL, mesh_nodes_opts, mesh_node_columns, run_mesh_nodes,
		"who is in the mesh, and how is it?", "  enrollctl mesh nodes --network 10\n"},
	{"mesh", "set-enrolled-nodes", "MeshSetEnrolledNodes", NULL, mesh_set_enrolled_nodes_opts,
		NULL, run_mesh_set_enrolled_nodes,
		"tell the mesh how many nodes it has, so that it looks for missing ones",
		"  enrollctl mesh set-enrolled-nodes 40 --network 10\n"},

	{"watch", NULL, "Watch", NULL, watch_opts, NULL, run_watch, "see events as they happen",
		"  enrollctl watch --object node\n"
		"  enrollctl watch --json | jq .event\n"},

	{"terminal", NULL, "NodeAdd", NULL, terminal_opts, NULL, run_terminal,
		"take the vendor's terminal lines on standard input, answer with its JSON lines",
		"  enrollctl terminal <lines.txt\n"},

	{"audit", "list", "AuditList", "rows", audit_list_opts, NULL, run_audit_list,
		"read the audit log", "  enrollctl audit list --from 1\n"},
	{"audit", "verify", "AuditVerify", NULL, audit_verify_opts, NULL, run_audit_verify,
		"check that nobody changed or cut the audit log",
		"  enrollctl audit verify\n"
		"  enrollctl audit verify --from 812:9f3c...\n"},

	{"enroll", NULL, NULL, NULL, enroll_opts, enrollee_columns, run_enroll,
		"enroll the device at the other end of a command, all in one",
		"  enrollctl enroll --name kitchen -- ssh device enrollee serve-stdio\n"},

	{NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};
