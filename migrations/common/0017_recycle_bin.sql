-- The recycle bin: what was given back keeps its data for some days; and certificates of erasure.

-- How many days what a release request gives back lies in the bin, as it was agreed to; 0: erased at
-- once. A request without a row is older than the bin: erased at once, as its approvers were told.
CREATE TABLE release_terms (
  request_id   TEXT PRIMARY KEY REFERENCES request (id),
  keep_days    BIGINT NOT NULL
);

-- A resource in the bin has the service state 'recycled'; its amounts are what it goes on taking.
ALTER TABLE resource ADD COLUMN recycled_at BIGINT;        -- when it was put there; stays when it is erased
ALTER TABLE resource ADD COLUMN recycled_by TEXT REFERENCES request (id); -- the request that gave it back
ALTER TABLE resource ADD COLUMN erase_at BIGINT;           -- when it is erased; NULL outside of the bin
ALTER TABLE resource ADD COLUMN freed TEXT;                -- quota::Amounts, JSON: what is booked again when it is taken back
CREATE INDEX resource_erase ON resource (erase_at, id) WHERE erase_at IS NOT NULL;

-- A certificate of erasure, one a resource. Its counter stands in request_counter as `X` and the day.
CREATE TABLE erasure (
  resource_id  TEXT PRIMARY KEY REFERENCES resource (id),
  number       TEXT NOT NULL UNIQUE,      -- NB-X20261122-0001
  request_id   TEXT REFERENCES request (id), -- the request that gave it back; NULL if nobody asked
  facts        TEXT NOT NULL,             -- bin::CertificateFacts, JSON: the digest is of these bytes
  digest       TEXT NOT NULL,
  erased_at    BIGINT NOT NULL
);
CREATE INDEX erasure_request ON erasure (request_id) WHERE request_id IS NOT NULL;
