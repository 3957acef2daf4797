-- Fulfilment, resources, work orders.

-- One piece of a request item on its way.
CREATE TABLE fulfilment (
  request_item_id TEXT NOT NULL REFERENCES request_item (id),
  piece        BIGINT NOT NULL,           -- from 0
  request_id   TEXT NOT NULL REFERENCES request (id),
  group_no     BIGINT NOT NULL,           -- pieces of one group succeed or fail together
  status       TEXT NOT NULL,
  saga_id      TEXT,
  resource_id  TEXT,                      -- chosen before the backend is called
  reason       TEXT,                      -- why it failed: Msg, JSON
  started_at   BIGINT,
  settled_at   BIGINT,
  PRIMARY KEY (request_item_id, piece)
);
CREATE INDEX fulfilment_request ON fulfilment (request_id, group_no);
CREATE INDEX fulfilment_saga ON fulfilment (saga_id) WHERE saga_id IS NOT NULL;

-- A unit's project at a backend, and its VPCs there.
CREATE TABLE backend_project (
  vdc_id       TEXT NOT NULL REFERENCES vdc (id),
  backend      TEXT NOT NULL,
  external_id  TEXT NOT NULL,
  PRIMARY KEY (vdc_id, backend)
);
CREATE TABLE vpc (
  id           TEXT PRIMARY KEY,
  vdc_id       TEXT NOT NULL REFERENCES vdc (id),
  pool_id      TEXT NOT NULL REFERENCES pool (id),
  name         TEXT NOT NULL,
  cidr         TEXT NOT NULL,
  external_id  TEXT,
  created_at   BIGINT NOT NULL,
  UNIQUE (vdc_id, pool_id)
);

-- A resource (资源): what runs, and what is charged for it.
CREATE TABLE resource (
  id           TEXT PRIMARY KEY,
  unit_id      TEXT NOT NULL REFERENCES unit (id),
  vdc_id       TEXT NOT NULL REFERENCES vdc (id),
  system_id    TEXT NOT NULL REFERENCES app_system (id),
  request_id   TEXT NOT NULL REFERENCES request (id),
  request_item_id TEXT NOT NULL REFERENCES request_item (id),
  piece        BIGINT NOT NULL,
  code         TEXT NOT NULL,             -- code of the item
  item_version_id TEXT NOT NULL REFERENCES item_version (id),
  kind         TEXT NOT NULL,             -- server, volume, address, backup, people
  name         TEXT NOT NULL,
  sort_key     TEXT NOT NULL,
  zone_id      TEXT REFERENCES zone (id),
  pool_id      TEXT REFERENCES pool (id),
  level        BIGINT,
  backend      TEXT,
  external_id  TEXT,                      -- the backend's name for it
  address      TEXT,                      -- private address of a server, public one of an address
  attached_to  TEXT REFERENCES resource (id),
  answers      TEXT NOT NULL,             -- param::Answers, JSON
  amounts      TEXT NOT NULL,             -- quota::Amounts, JSON: what is freed at release
  month_fen    BIGINT NOT NULL,           -- contract price to the end of the term
  price_version BIGINT NOT NULL,
  service_state TEXT NOT NULL,
  billing_state TEXT NOT NULL,
  delivered_at BIGINT NOT NULL,
  confirmed_at BIGINT,
  trial_until  BIGINT,                    -- billing starts here
  billing_from BIGINT,
  expires_at   BIGINT NOT NULL,
  released_at  BIGINT,
  version      BIGINT NOT NULL DEFAULT 1,
  UNIQUE (request_item_id, piece)
);
CREATE INDEX resource_unit ON resource (unit_id, delivered_at, id);
CREATE INDEX resource_unit_name ON resource (unit_id, sort_key, id);
CREATE INDEX resource_all ON resource (delivered_at, id);
CREATE INDEX resource_all_name ON resource (sort_key, id);
CREATE INDEX resource_kind ON resource (kind, delivered_at, id);
CREATE INDEX resource_system ON resource (system_id, delivered_at, id);
CREATE INDEX resource_request ON resource (request_id);
CREATE INDEX resource_attached ON resource (attached_to) WHERE attached_to IS NOT NULL;
CREATE INDEX resource_trial ON resource (trial_until) WHERE billing_state = 'trial';
CREATE UNIQUE INDEX resource_external ON resource (backend, external_id) WHERE external_id IS NOT NULL;

-- What happened to a resource; metering and bills are made of these.
CREATE TABLE resource_event (
  id           TEXT PRIMARY KEY,
  resource_id  TEXT NOT NULL REFERENCES resource (id),
  at           BIGINT NOT NULL,
  kind         TEXT NOT NULL,
  actor        TEXT NOT NULL,
  detail       TEXT NOT NULL DEFAULT '{}' -- JSON
);
CREATE INDEX resource_event_list ON resource_event (resource_id, at, id);

-- A one-time password, wrapped by a key that is not in the database; gone once shown.
CREATE TABLE delivery_secret (
  resource_id  TEXT PRIMARY KEY,
  wrapped      TEXT,                      -- NULL once shown
  created_at   BIGINT NOT NULL,
  shown_at     BIGINT,
  shown_to     TEXT
);

-- A work order (工单): a piece that people fulfil.
CREATE TABLE work_order (
  id           TEXT PRIMARY KEY,
  request_id   TEXT NOT NULL REFERENCES request (id),
  request_item_id TEXT NOT NULL REFERENCES request_item (id),
  piece        BIGINT NOT NULL,
  unit_id      TEXT NOT NULL REFERENCES unit (id), -- for whom
  title        TEXT NOT NULL,             -- Label, JSON
  checklist    TEXT NOT NULL,             -- [{label, done}], JSON
  status       TEXT NOT NULL,             -- open, taken, done, failed
  assignee_id  TEXT REFERENCES user_account (id),
  due_at       BIGINT NOT NULL,
  note         TEXT NOT NULL DEFAULT '',
  created_at   BIGINT NOT NULL,
  closed_at    BIGINT,
  version      BIGINT NOT NULL DEFAULT 1,
  UNIQUE (request_item_id, piece)
);
CREATE INDEX work_order_list ON work_order (status, due_at, id);

-- Operations that change a resource at once (start, stop): one at a time.
CREATE TABLE resource_action (
  resource_id  TEXT PRIMARY KEY REFERENCES resource (id),
  saga_id      TEXT NOT NULL,
  kind         TEXT NOT NULL,             -- start, stop, release
  started_at   BIGINT NOT NULL,
  actor        TEXT NOT NULL
);
