-- What the clouds say of themselves, as last read.

-- Whether a backend answers.
CREATE TABLE backend_health (
  backend      TEXT PRIMARY KEY,
  answered_at  BIGINT,                    -- its last answer
  error        TEXT,                      -- why it does not answer now; NULL while it does
  read_at      BIGINT NOT NULL
);

-- Things in a cloud that no resource of ours and no fulfilment under way accounts for. Nobody deletes
-- them by itself: after a restore of an older backup they are the newer machines.
CREATE TABLE cloud_foreign (
  backend      TEXT NOT NULL,
  external_id  TEXT NOT NULL,
  kind         TEXT NOT NULL,             -- server, volume, address, backup
  name         TEXT NOT NULL,
  operation    TEXT NOT NULL,             -- operation id under which it was made
  first_seen   BIGINT NOT NULL,
  last_seen    BIGINT NOT NULL,
  PRIMARY KEY (backend, external_id)
);
