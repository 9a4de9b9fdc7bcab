-- Ids of members that we met with them: who has one does not lose it with a job that sent nothing.

ALTER TABLE node_ids ADD COLUMN met INTEGER NOT NULL DEFAULT 0 CHECK (met IN (0, 1));
-- So far, what has no job was met. Of the others nobody knows until they are met again.
UPDATE node_ids SET met = 1 WHERE NOT EXISTS (SELECT 1 FROM nodes
	WHERE nodes.serial = node_ids.serial AND nodes.network_id = node_ids.network_id);
