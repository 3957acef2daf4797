-- Backup plans that the portal runs itself (decision 28): how their runs went, and what they keep.

-- How a plan runs. A plan without a row has not run yet and is due. The plan itself is a resource.
CREATE TABLE backup_plan (
  resource_id  TEXT PRIMARY KEY REFERENCES resource (id),
  begun_at     BIGINT NOT NULL,           -- when its last run began
  running      BOOLEAN NOT NULL,          -- whether that run is not over
  next_at      BIGINT NOT NULL,           -- when the next one begins, if the plan does not rest
  done_at      BIGINT,                    -- when a run was over last of which every backup was made
  failed_at    BIGINT,                    -- when a run was over last of which one was not
  failure      TEXT,                      -- why: Msg, JSON
  failures     BIGINT NOT NULL            -- runs in a row that failed; 0 after one that went through
);
CREATE INDEX backup_plan_next ON backup_plan (next_at, resource_id);

-- One backup of one disk. The row is there before the cloud is asked for it; its id is the operation.
CREATE TABLE backup (
  id           TEXT PRIMARY KEY,
  plan_id      TEXT NOT NULL REFERENCES resource (id),
  of_id        TEXT NOT NULL REFERENCES resource (id), -- the disk; a host: its system disk
  of_external  TEXT NOT NULL,             -- the backend's name of it on that day
  state        TEXT NOT NULL CHECK (state IN ('making', 'kept', 'dropping', 'deleted')),
  external_id  TEXT,                      -- the backend's name of the backup, once it is made
  size_gb      BIGINT,                    -- of the disk at that moment
  failure      TEXT,                      -- why it was not made: Msg, JSON
  created_at   BIGINT NOT NULL,
  deleted_at   BIGINT
);
CREATE INDEX backup_of_plan ON backup (plan_id, created_at, id);
CREATE INDEX backup_of_disk ON backup (of_id, created_at, id);
