-- How a node is opened when its key is not known, and what its job is for.

-- By the key that everybody knows (ZERO), or as a member of another network of ours (65535: of
-- any); never both.
ALTER TABLE nodes ADD COLUMN nearby INTEGER NOT NULL DEFAULT 0 CHECK (nearby IN (0, 1));
ALTER TABLE nodes ADD COLUMN from_network INTEGER NOT NULL DEFAULT 0
	CHECK (from_network BETWEEN 0 AND 65535 AND (from_network = 0 OR nearby = 0));
-- set_network: an asset that has joined is told to speak to preferred_network (0: none).
ALTER TABLE nodes ADD COLUMN task TEXT NOT NULL DEFAULT 'enroll' CHECK (task IN ('enroll', 'set_network'));
ALTER TABLE nodes ADD COLUMN preferred_network INTEGER NOT NULL DEFAULT 0
	CHECK (preferred_network BETWEEN 0 AND 65534);

-- Ids of assets are organisation-wide.
CREATE INDEX node_ids_by_id ON node_ids (node_id);
