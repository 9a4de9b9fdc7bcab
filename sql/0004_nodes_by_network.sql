-- A network's nodes are counted where they are shown, and go with it: not by reading all nodes of all.
CREATE INDEX nodes_by_network ON nodes (network_id);
