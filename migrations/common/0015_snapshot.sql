-- What is done to things that stand: which clouds can, snapshots of disks, disks made of snapshots.

-- What a backend says it can do to what stands. Nothing else is offered on its things.
CREATE TABLE backend_able (
  backend      TEXT NOT NULL,
  act          TEXT NOT NULL,             -- restart, console, snapshot, restore, attach
  PRIMARY KEY (backend, act)
);

-- A snapshot (快照) of a disk. The row is there before the cloud is asked for it.
CREATE TABLE snapshot (
  id           TEXT PRIMARY KEY,
  resource_id  TEXT NOT NULL REFERENCES resource (id),
  name         TEXT NOT NULL,
  note         TEXT NOT NULL,
  size_gb      BIGINT NOT NULL,           -- of the disk at that moment
  state        TEXT NOT NULL,             -- making, ready, deleting, left, deleted
  external_id  TEXT,                      -- the backend's name for it, once it is made
  created_at   BIGINT NOT NULL,
  created_by   TEXT NOT NULL,
  deleted_at   BIGINT
);
CREATE INDEX snapshot_resource ON snapshot (resource_id, created_at, id);

-- The snapshot out of which a disk was made. Such a disk stands on no delivery sheet: nobody ordered it.
ALTER TABLE resource ADD COLUMN from_snapshot TEXT REFERENCES snapshot (id);
