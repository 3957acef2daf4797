-- What stands in a cloud already becomes the portal's (纳管).

-- Things that were taken in at once, and undone at once.
CREATE TABLE import_batch (
  id           TEXT PRIMARY KEY,
  at           BIGINT NOT NULL,
  taken_by     TEXT NOT NULL REFERENCES user_account (id),
  form_id      TEXT UNIQUE,               -- the same form sent again finds its batch; NULL for programs
  things       BIGINT NOT NULL,
  month_fen    BIGINT NOT NULL,           -- what they cost a month, on that day
  undone_at    BIGINT,
  undone_by    TEXT REFERENCES user_account (id)
);
CREATE INDEX import_batch_list ON import_batch (at, id);

CREATE TABLE import_thing (
  resource_id  TEXT PRIMARY KEY REFERENCES resource (id),
  batch_id     TEXT NOT NULL REFERENCES import_batch (id),
  difference_id TEXT NOT NULL REFERENCES difference (id), -- as what it was foreign
  external_id  TEXT NOT NULL              -- the backend's name for it; the resource loses it if it is undone
);
CREATE INDEX import_thing_batch ON import_thing (batch_id);

-- Projects that became a unit's by a batch.
CREATE TABLE import_project (
  batch_id     TEXT NOT NULL REFERENCES import_batch (id),
  vdc_id       TEXT NOT NULL REFERENCES vdc (id),
  backend      TEXT NOT NULL,
  external_id  TEXT NOT NULL,
  PRIMARY KEY (batch_id, vdc_id, backend)
);

-- A project is one VDC's: two units never share one.
CREATE UNIQUE INDEX backend_project_once ON backend_project (backend, external_id);
-- Under which key the backend finds it; NULL: under the VDC's id, because the portal made it.
ALTER TABLE backend_project ADD COLUMN project_key TEXT;

-- What a round knows of a foreign thing beyond what it compares: project, pool, disk, image; JSON.
ALTER TABLE difference ADD COLUMN about TEXT NOT NULL DEFAULT '{}';

-- The name of a thing in the cloud where it is not ours; NULL: the same.
ALTER TABLE resource ADD COLUMN cloud_name TEXT;
