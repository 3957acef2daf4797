-- Systems, requests, approval steps.

-- An application system (系统). Every resource belongs to one.
CREATE TABLE app_system (
  id           TEXT PRIMARY KEY,
  unit_id      TEXT NOT NULL REFERENCES unit (id),
  name         TEXT NOT NULL,
  short_name   TEXT NOT NULL,             -- small letters, part of host names
  sort_key     TEXT NOT NULL,
  level        BIGINT NOT NULL,           -- protection level, 2 or 3
  state        TEXT NOT NULL,             -- live (使用), testing (测试)
  contact_name TEXT NOT NULL DEFAULT '',
  contact_phone TEXT NOT NULL DEFAULT '',
  created_at   BIGINT NOT NULL,
  version      BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX system_unit ON app_system (unit_id, sort_key, id);

-- A request (申请单), from draft to closed. A draft is the cart.
CREATE TABLE request (
  id           TEXT PRIMARY KEY,
  number       TEXT UNIQUE,               -- NB-20261121-0007, given at submit
  kind         TEXT NOT NULL,             -- new, release
  status       TEXT NOT NULL,
  outcome      TEXT,                      -- complete, partial, failed
  unit_id      TEXT NOT NULL REFERENCES unit (id),
  vdc_id       TEXT NOT NULL REFERENCES vdc (id),
  applicant_id TEXT NOT NULL REFERENCES user_account (id),
  system_id    TEXT REFERENCES app_system (id), -- needed at submit
  title        TEXT NOT NULL DEFAULT '',
  reason       TEXT NOT NULL DEFAULT '',
  with_quota_change BOOLEAN NOT NULL DEFAULT FALSE, -- missing quota is asked for in the same request
  month_fen    BIGINT NOT NULL DEFAULT 0,
  once_fen     BIGINT NOT NULL DEFAULT 0,
  revision     BIGINT NOT NULL DEFAULT 0, -- grows with each (re)submit
  digest       TEXT NOT NULL DEFAULT '',  -- of the last submitted revision
  facts        TEXT,                      -- policy::Facts, JSON: by what the route was found
  policy_id    TEXT REFERENCES policy_version (id),
  stage        BIGINT,                    -- stage that is open, from 0
  return_stage BIGINT,                    -- stage that gave it back; a resubmit goes straight there
  due_at       BIGINT,                    -- term of what is waited for now
  sort_at      BIGINT NOT NULL,           -- when submitted, for a draft when last changed: the order of lists
  created_at   BIGINT NOT NULL,
  submitted_at BIGINT,
  approved_at  BIGINT,
  settled_at   BIGINT,
  closed_at    BIGINT,
  version      BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX request_unit ON request (unit_id, sort_at, id);
CREATE INDEX request_unit_status ON request (unit_id, status, sort_at, id);
CREATE INDEX request_all ON request (sort_at, id);
CREATE INDEX request_status ON request (status, sort_at, id);
CREATE INDEX request_applicant ON request (applicant_id, status, sort_at, id);
CREATE INDEX request_due ON request (status, due_at) WHERE due_at IS NOT NULL;

-- A sent form: the same form sent again finds the request it made.
CREATE TABLE sent_form (
  form_id      TEXT PRIMARY KEY,
  user_id      TEXT NOT NULL,
  subject_id   TEXT NOT NULL,             -- what came of it
  at           BIGINT NOT NULL
);
CREATE INDEX sent_form_age ON sent_form (at);

-- One line (申请明细) of a request for something new.
CREATE TABLE request_item (
  id           TEXT PRIMARY KEY,
  request_id   TEXT NOT NULL REFERENCES request (id),
  position     BIGINT NOT NULL,           -- from 1
  item_version_id TEXT NOT NULL REFERENCES item_version (id),
  code         TEXT NOT NULL,
  item_name    TEXT NOT NULL,             -- Label, JSON
  name         TEXT NOT NULL,             -- given by the applicant
  zone_id      TEXT REFERENCES zone (id), -- placement: all three or none
  level        BIGINT,
  pool_id      TEXT REFERENCES pool (id),
  answers      TEXT NOT NULL,             -- param::Answers, JSON
  count        BIGINT NOT NULL,
  term_months  BIGINT NOT NULL,
  attach_to    TEXT REFERENCES request_item (id),
  price_version BIGINT NOT NULL,
  quote        TEXT NOT NULL,             -- price::Quote, JSON: the price snapshot
  month_fen    BIGINT NOT NULL
);
CREATE INDEX request_item_list ON request_item (request_id, position);

-- A resource that a release request gives back.
CREATE TABLE request_release (
  request_id   TEXT NOT NULL REFERENCES request (id),
  resource_id  TEXT NOT NULL,
  PRIMARY KEY (request_id, resource_id)
);
CREATE INDEX request_release_resource ON request_release (resource_id);

-- What was submitted, revision by revision: the source of "what changed since you looked".
CREATE TABLE request_revision (
  request_id   TEXT NOT NULL REFERENCES request (id),
  revision     BIGINT NOT NULL,
  digest       TEXT NOT NULL,
  snapshot     TEXT NOT NULL,             -- JSON
  at           BIGINT NOT NULL,
  PRIMARY KEY (request_id, revision)
);

-- One approval step (审批环节). Steps of one stage are open at the same time.
CREATE TABLE approval_step (
  id           TEXT PRIMARY KEY,
  request_id   TEXT NOT NULL REFERENCES request (id),
  round        BIGINT NOT NULL,           -- grows when a resubmit begins from the first stage again
  stage        BIGINT NOT NULL,           -- from 0
  stage_key    TEXT NOT NULL,
  position     BIGINT NOT NULL,           -- inside the stage
  name         TEXT NOT NULL,             -- Label, JSON
  role         TEXT NOT NULL,
  unit_id      TEXT NOT NULL REFERENCES unit (id), -- on which unit an approver's grant must reach
  due_days     BIGINT NOT NULL,           -- term, working days
  status       TEXT NOT NULL,
  opened_at    BIGINT,
  due_at       BIGINT,
  seen_at      BIGINT,                    -- an approver first opened the card
  acted_by     TEXT REFERENCES user_account (id),
  acted_at     BIGINT,
  decision     TEXT,                      -- approve, reject, return
  opinion      TEXT NOT NULL DEFAULT '',
  version      BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX step_request ON approval_step (request_id, round, stage, position);
CREATE INDEX step_todo ON approval_step (role, unit_id, due_at, id) WHERE status = 'open';
CREATE INDEX step_done ON approval_step (acted_by, acted_at, id) WHERE acted_by IS NOT NULL;

-- The history (流转记录) of a request.
CREATE TABLE request_history (
  id           TEXT PRIMARY KEY,
  request_id   TEXT NOT NULL REFERENCES request (id),
  at           BIGINT NOT NULL,
  actor        TEXT NOT NULL,             -- user id or `system`
  msg          TEXT NOT NULL              -- Msg, JSON
);
CREATE INDEX history_list ON request_history (request_id, at, id);

-- The counter of request numbers, one row a day.
CREATE TABLE request_counter (
  day          TEXT PRIMARY KEY,          -- YYYYMMDD
  last         BIGINT NOT NULL
);
