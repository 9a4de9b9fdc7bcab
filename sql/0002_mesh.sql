-- The mesh: networks, the ledger of their node ids, nodes with their jobs.
--
-- Columns *_ms are service time in milliseconds (base/svctime.h), *_at are unix seconds for display.
-- Sealed columns (base/seal.h) are bound to table, column and row id: AUTOINCREMENT keeps row ids
-- from being used twice, although a network id may come again.

CREATE TABLE networks (
	row INTEGER PRIMARY KEY AUTOINCREMENT,
	network_id INTEGER NOT NULL UNIQUE CHECK (network_id BETWEEN 1 AND 65534),
	name TEXT NOT NULL,
	keys BLOB NOT NULL, -- sealed: network key, user base key, organization key
	first_node_id INTEGER NOT NULL CHECK (first_node_id BETWEEN 1 AND 1999),
	next_node_id INTEGER NOT NULL CHECK (next_node_id BETWEEN 1 AND 2000), -- never given so far
	next_asset_id INTEGER NOT NULL CHECK (next_asset_id BETWEEN 33000 AND 58000),
	gateway_serial INTEGER, -- NULL: the strongest member
	created_at INTEGER NOT NULL
) STRICT;

-- Which id belongs to whom. A row goes only when its node confirmed its removal, when nothing was
-- ever sent for it, or with its network.
CREATE TABLE node_ids (
	network_id INTEGER NOT NULL REFERENCES networks (network_id),
	node_id INTEGER NOT NULL CHECK (node_id BETWEEN 1 AND 1999 OR node_id BETWEEN 33000 AND 57999),
	serial INTEGER, -- NULL: a member that we met, or an id that its serial no longer uses
	given_at INTEGER NOT NULL,
	PRIMARY KEY (network_id, node_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX node_ids_by_serial ON node_ids (network_id, serial) WHERE serial IS NOT NULL;

-- One row a serial. What a request is made of is written once a job: every retry is byte-identical.
CREATE TABLE nodes (
	row INTEGER PRIMARY KEY AUTOINCREMENT,
	serial INTEGER NOT NULL UNIQUE CHECK (serial BETWEEN 0 AND 4294967294),
	network_id INTEGER NOT NULL REFERENCES networks (network_id),
	node_id INTEGER NOT NULL CHECK (node_id BETWEEN 1 AND 1999 OR node_id BETWEEN 33000 AND 57999),
	device_type INTEGER NOT NULL CHECK (device_type BETWEEN 0 AND 255),
	name TEXT NOT NULL,
	node_key BLOB NOT NULL, -- sealed
	handle INTEGER NOT NULL CHECK (handle BETWEEN 1 AND 255),
	timeout_s INTEGER NOT NULL CHECK (timeout_s BETWEEN 3 AND 127),
	only_if_unenrolled INTEGER NOT NULL CHECK (only_if_unenrolled IN (0, 1)),
	created_at INTEGER NOT NULL,
	created_uid INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	-- the job (core/job.h); removed, failed, expired and cancelled rows may have lost their id
	state TEXT NOT NULL CHECK (state IN ('pending', 'located', 'sent', 'saved', 'joined', 'waiting',
		'removing', 'removed', 'unconfirmed', 'failed', 'expired', 'cancelled')),
	reason TEXT NOT NULL,
	method TEXT NOT NULL,
	helper INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	silent INTEGER NOT NULL,
	refused INTEGER NOT NULL,
	code INTEGER NOT NULL,
	codes INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	next_try_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	changed_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX nodes_by_id ON nodes (network_id, node_id)
	WHERE state NOT IN ('removed', 'failed', 'expired', 'cancelled');
