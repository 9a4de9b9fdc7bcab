-- The Enrollment Service: keys, bundles with their enrollees, devices with their channels, audit.
--
-- Columns *_s are service time (base/svctime.h), *_at are unix seconds for display. Sealed columns
-- (base/seal.h) are bound to table, column and row id: AUTOINCREMENT keeps row ids from being used twice.

-- Where service time stood when it was last noted.
CREATE TABLE service_time (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	service_ms INTEGER NOT NULL,
	boot_ms INTEGER NOT NULL,
	wall_s INTEGER NOT NULL,
	boot_id BLOB NOT NULL CHECK (length(boot_id) = 16)
) STRICT;

-- IK_A: one row.
CREATE TABLE identity_keys (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	public BLOB NOT NULL UNIQUE CHECK (length(public) = 32),
	private BLOB NOT NULL, -- sealed
	made_at INTEGER NOT NULL
) STRICT;

-- SPK_A: new bundles take the newest until retire_s; none can be needed after destroy_s, which
-- issuing and announcing move forward.
CREATE TABLE signed_prekeys (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	public BLOB NOT NULL CHECK (length(public) = 32),
	signature BLOB NOT NULL CHECK (length(signature) = 64),
	private BLOB, -- sealed; NULL once destroyed
	made_at INTEGER NOT NULL,
	retire_s INTEGER NOT NULL,
	destroy_s INTEGER NOT NULL
) STRICT;

-- Addr as bundles hold it: it is authenticated, so a bundle keeps the one it was issued with.
CREATE TABLE addresses (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	addr TEXT NOT NULL UNIQUE CHECK (length(addr) BETWEEN 1 AND 255)
) STRICT;

-- A bundle's one life: open, pending (an enrollee is announced), used, expired or revoked
-- (0 to 4, enum service_state). One row holds one one-time prekey and at most one enrollee, so one
-- conditional UPDATE is each step.
CREATE TABLE bundles (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	bundle_id BLOB NOT NULL CHECK (length(bundle_id) = 8),
	state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
	enroller INTEGER NOT NULL,
	spk_id INTEGER NOT NULL REFERENCES signed_prekeys (id),
	addr_id INTEGER NOT NULL REFERENCES addresses (id),
	opk_public BLOB NOT NULL CHECK (length(opk_public) = 32),
	opk_private BLOB, -- sealed; NULL from used, expired and revoked on
	issued_at INTEGER NOT NULL,
	expires_s INTEGER NOT NULL, -- of the bundle while open, of the enrollee once announced
	due_s INTEGER, -- when the sweep must look at it; NULL: never
	closed_at INTEGER,
	ended INTEGER NOT NULL DEFAULT 0, -- 0: the enrollee id counts; else the row id
	enrollee_id BLOB CHECK (enrollee_id IS NULL OR length(enrollee_id) = 32),
	eik BLOB CHECK (eik IS NULL OR length(eik) = 32),
	announced_at INTEGER,
	pet_name TEXT,
	CHECK ((opk_private IS NULL) = (state >= 2)),
	CHECK (state NOT IN (1, 2) OR (enrollee_id IS NOT NULL AND ended = 0)),
	CHECK (state < 3 OR ended = id)
) STRICT;
CREATE UNIQUE INDEX bundles_by_bundle_id ON bundles (bundle_id);
CREATE UNIQUE INDEX bundles_by_enrollee_id ON bundles (enrollee_id, ended) WHERE enrollee_id IS NOT NULL;
CREATE INDEX bundles_by_due_s ON bundles (due_s) WHERE due_s IS NOT NULL;

-- Enrolled devices. ek is what has been seen, for ever (OP-0006 §5.7).
CREATE TABLE devices (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	device_id BLOB NOT NULL CHECK (length(device_id) = 32),
	ik BLOB NOT NULL CHECK (length(ik) = 32),
	ek BLOB NOT NULL CHECK (length(ek) = 32),
	bundle INTEGER NOT NULL REFERENCES bundles (id),
	message_hash BLOB NOT NULL CHECK (length(message_hash) = 32),
	answer BLOB, -- NULL once revoked
	enrolled_at INTEGER NOT NULL,
	revoked_at INTEGER,
	ended INTEGER NOT NULL DEFAULT 0, -- 0: the device id counts; else the row id
	CHECK ((revoked_at IS NULL) = (ended = 0)),
	CHECK ((revoked_at IS NULL) = (answer IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX devices_by_device_id ON devices (device_id, ended);
CREATE UNIQUE INDEX devices_by_ek ON devices (ek);
CREATE UNIQUE INDEX devices_by_bundle ON devices (bundle);

-- A device's channel (enr/channel.h); revocation deletes it. id: of devices.
CREATE TABLE channels (
	id INTEGER PRIMARY KEY REFERENCES devices (id),
	epoch INTEGER NOT NULL,
	confirmed INTEGER NOT NULL,
	sent INTEGER NOT NULL,
	newest INTEGER NOT NULL,
	window INTEGER NOT NULL,
	keys BLOB NOT NULL, -- sealed: h, T_epoch
	frame_hash BLOB CHECK (frame_hash IS NULL OR length(frame_hash) = 32), -- the newest frame
	answer BLOB, -- to the newest frame
	seen_at INTEGER
) STRICT;

-- How many rows there are, so that neither a quota nor a status counts them. kind: state of
-- bundles, 16 devices, 17 revoked devices; owner: uid of the enroller.
CREATE TABLE tallies (
	kind INTEGER NOT NULL,
	owner INTEGER NOT NULL,
	n INTEGER NOT NULL CHECK (n >= 0),
	PRIMARY KEY (kind, owner)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER bundles_count_new AFTER INSERT ON bundles BEGIN
	INSERT INTO tallies VALUES (new.state, new.enroller, 1)
		ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER bundles_count_change AFTER UPDATE OF state ON bundles WHEN old.state <> new.state BEGIN
	UPDATE tallies SET n = n - 1 WHERE kind = old.state AND owner = old.enroller;
	INSERT INTO tallies VALUES (new.state, new.enroller, 1)
		ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER bundles_count_gone AFTER DELETE ON bundles BEGIN
	UPDATE tallies SET n = n - 1 WHERE kind = old.state AND owner = old.enroller;
END;
CREATE TRIGGER devices_count_new AFTER INSERT ON devices BEGIN
	INSERT INTO tallies VALUES (16, 0, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER devices_count_revoked AFTER UPDATE OF revoked_at ON devices
WHEN old.revoked_at IS NULL AND new.revoked_at IS NOT NULL BEGIN
	UPDATE tallies SET n = n - 1 WHERE kind = 16 AND owner = 0;
	INSERT INTO tallies VALUES (17, 0, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;

-- hash = SHA-256(hash of the row before, seq LE64, at LE64, json).
CREATE TABLE audit (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	at INTEGER NOT NULL,
	json TEXT NOT NULL,
	hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
	SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
	SELECT RAISE(ABORT, 'the audit log is append-only');
END;
