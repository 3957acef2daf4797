-- VDCs and the quota ledger.

-- A virtual data centre holds quotas; a unit has one (or more), nested like the units.
CREATE TABLE vdc (
  id           TEXT PRIMARY KEY,
  unit_id      TEXT NOT NULL REFERENCES unit (id),
  parent_id    TEXT REFERENCES vdc (id),  -- from whose limits its limits were handed down
  name         TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  version      BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX vdc_unit ON vdc (unit_id, created_at, id);
CREATE INDEX vdc_parent ON vdc (parent_id, id);

-- The standing of one dimension in one pool. A cache of the ledger below: a check recounts it.
-- Never above the limit: bookings are conditional updates, so that two at once can't both fit.
CREATE TABLE quota_balance (
  vdc_id       TEXT NOT NULL REFERENCES vdc (id),
  pool_id      TEXT NOT NULL REFERENCES pool (id),
  dimension    TEXT NOT NULL,
  limit_amount BIGINT NOT NULL DEFAULT 0,
  handed       BIGINT NOT NULL DEFAULT 0, -- handed on to children
  held         BIGINT NOT NULL DEFAULT 0, -- 预占
  used         BIGINT NOT NULL DEFAULT 0, -- 已用
  PRIMARY KEY (vdc_id, pool_id, dimension),
  CHECK (limit_amount >= 0 AND handed >= 0 AND held >= 0 AND used >= 0)
);

-- The ledger: append-only. One operation books a dimension once, whoever repeats it.
CREATE TABLE quota_entry (
  id           TEXT PRIMARY KEY,
  operation    TEXT NOT NULL,             -- what is done once: `hold:<request>:<revision>`, `convert:<item>:<piece>`
  vdc_id       TEXT NOT NULL,
  pool_id      TEXT NOT NULL,
  dimension    TEXT NOT NULL,
  kind         TEXT NOT NULL,             -- limit, hand, hold, release, convert, free
  limit_delta  BIGINT NOT NULL DEFAULT 0,
  handed_delta BIGINT NOT NULL DEFAULT 0,
  held_delta   BIGINT NOT NULL DEFAULT 0,
  used_delta   BIGINT NOT NULL DEFAULT 0,
  request_id   TEXT,
  resource_id  TEXT,
  at           BIGINT NOT NULL,
  actor        TEXT NOT NULL
);
CREATE UNIQUE INDEX quota_entry_once ON quota_entry (operation, vdc_id, pool_id, dimension);
CREATE INDEX quota_entry_list ON quota_entry (vdc_id, at, id);
CREATE INDEX quota_entry_request ON quota_entry (request_id) WHERE request_id IS NOT NULL;
