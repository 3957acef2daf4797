-- What the portal thinks and what a cloud says, where they differ. The rounds of the reconciler
-- write it; cloud_foreign (0007) is written no more, a later migration drops it.

-- One thing that is otherwise than the portal thinks. Closed rows are history.
CREATE TABLE difference (
  id           TEXT PRIMARY KEY,
  backend      TEXT NOT NULL,
  kind         TEXT NOT NULL,             -- missing, changed, stuck, foreign
  thing        TEXT NOT NULL,             -- server, volume, address, backup
  external_id  TEXT NOT NULL,             -- the backend's name for it
  resource_id  TEXT REFERENCES resource (id), -- NULL for what is foreign
  name         TEXT NOT NULL,
  operation    TEXT NOT NULL,             -- operation id under which it was made; '' if not the portal's
  said         TEXT NOT NULL,             -- [{aspect, ours, cloud}], JSON: what each side says
  month_fen    BIGINT NOT NULL,           -- month price at stake
  first_seen   BIGINT NOT NULL,
  last_seen    BIGINT NOT NULL,           -- beginning of the last round that found it
  ripe         BOOLEAN NOT NULL,          -- FALSE while it may pass by itself: then nobody is shown it
  note         TEXT NOT NULL DEFAULT '',  -- why an operator lets it stand
  noted_at     BIGINT,
  noted_by     TEXT REFERENCES user_account (id),
  closed_at    BIGINT,
  closed_how   TEXT,                      -- agrees, gone, turned, released, restored, followed, written_off
  closed_by    TEXT REFERENCES user_account (id) -- NULL: by itself
);
CREATE UNIQUE INDEX difference_open ON difference (backend, external_id, kind) WHERE closed_at IS NULL;
CREATE INDEX difference_list ON difference (first_seen, id) WHERE closed_at IS NULL;
CREATE INDEX difference_past ON difference (closed_at, id) WHERE closed_at IS NOT NULL;
CREATE INDEX difference_resource ON difference (resource_id) WHERE closed_at IS NULL;

-- The rounds over a backend.
CREATE TABLE cloud_round (
  backend      TEXT PRIMARY KEY,
  begun_at     BIGINT NOT NULL,           -- of the last round that wrote; an older one may not write after it
  compared_at  BIGINT,                    -- when the last whole round began
  things       BIGINT NOT NULL DEFAULT 0, -- how many things of the cloud it read
  tried_at     BIGINT NOT NULL,           -- when one was last tried
  error        TEXT                       -- why the last one broke off; NULL if it did not
);
