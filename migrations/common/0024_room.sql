-- Room in a pool is held from the last approval on (decision 27). It has no rows of its own: it is what requests
-- under way hold by the quota ledger, and what was delivered after the pool was read last.
CREATE INDEX quota_entry_held ON quota_entry (request_id, pool_id, dimension, held_delta) WHERE request_id IS NOT NULL AND held_delta <> 0;
CREATE INDEX quota_entry_built ON quota_entry (pool_id, at) WHERE kind = 'convert';
