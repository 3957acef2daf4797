-- What the units' projects in the clouds may take (云平台限额): what the portal wrote there, what the clouds say.

-- One row a project to which something was written, or is to be. The portal's figures follow from the
-- ledger and from what stands; these are the ones that were written last.
CREATE TABLE cloud_limit (
  backend      TEXT NOT NULL,
  project      TEXT NOT NULL,             -- the backend's name for it
  asked        TEXT,                      -- cloud_limit::CloudLimit, JSON: the portal's figures as last written; NULL: none yet
  settled      BOOLEAN NOT NULL DEFAULT FALSE, -- whether the cloud has answered to them, with yes or no
  claim        TEXT,                      -- the operation that writes now; NULL: nobody writes
  claim_until  BIGINT,                    -- whoever writes longer than that has died
  tried_at     BIGINT,                    -- when it was last written, or tried to
  said         TEXT,                      -- cloud_limit::CloudLimit, JSON: what the cloud said when it was read back
  said_at      BIGINT,
  differs_since BIGINT,                   -- since when the cloud keeps another figure; NULL while it keeps ours
  lower_since  BIGINT,                    -- since when the portal's figures are lower than those written
  error        TEXT,                      -- why the last writing failed, in the cloud's words
  PRIMARY KEY (backend, project)
);

-- What stands in a project, and which pieces are on their way, is looked up before anything is built.
CREATE INDEX resource_vdc ON resource (vdc_id, backend);
CREATE INDEX fulfilment_open ON fulfilment (request_id) WHERE status IN ('waiting', 'running', 'residue');
