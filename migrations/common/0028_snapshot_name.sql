-- A round looks up the snapshots of a page of the cloud's list by the names that the cloud gives them,
-- and walks ours in the order of those names.
CREATE INDEX snapshot_external ON snapshot (external_id);
