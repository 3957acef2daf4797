-- Units, people, roles. Nobody and nothing here is ever deleted: facts of years ago name them.

-- A unit (单位) of the administration. The tree is kept twice: parent_id, and all pairs in unit_closure.
CREATE TABLE unit (
  id           TEXT PRIMARY KEY,
  parent_id    TEXT REFERENCES unit (id),
  name         TEXT NOT NULL,             -- full name
  short_name   TEXT NOT NULL,
  sort_key     TEXT NOT NULL,             -- folded name: both engines sort it alike
  level        TEXT NOT NULL,             -- city, county, township, village
  kind         TEXT NOT NULL,             -- area, party, government, institution
  active       BOOLEAN NOT NULL DEFAULT TRUE,
  created_at   BIGINT NOT NULL,
  version      BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX unit_parent ON unit (parent_id, sort_key, id);
CREATE INDEX unit_sort ON unit (sort_key, id);

-- Every pair (ancestor, descendant), a unit with itself included (depth 0).
CREATE TABLE unit_closure (
  ancestor     TEXT NOT NULL REFERENCES unit (id),
  descendant   TEXT NOT NULL REFERENCES unit (id),
  depth        BIGINT NOT NULL,
  PRIMARY KEY (ancestor, descendant)
);
CREATE INDEX unit_closure_up ON unit_closure (descendant, depth);

-- A person. The password stands apart (credential): another way of identification may join it.
CREATE TABLE user_account (
  id            TEXT PRIMARY KEY,
  login         TEXT NOT NULL UNIQUE,     -- lower case
  name          TEXT NOT NULL,
  sort_key      TEXT NOT NULL,
  unit_id       TEXT NOT NULL REFERENCES unit (id), -- where the person works
  phone         TEXT NOT NULL DEFAULT '', -- printed on the delivery sheet
  active        BOOLEAN NOT NULL DEFAULT TRUE,
  failures      BIGINT NOT NULL DEFAULT 0, -- failed sign-ins in a row
  locked_until  BIGINT,                   -- locked while this lies ahead
  last_login_at BIGINT,                   -- this visit
  last_login_ip TEXT,
  prev_login_at BIGINT,                   -- the visit before, shown as last-login notice
  prev_login_ip TEXT,
  created_at    BIGINT NOT NULL,
  version       BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX user_unit ON user_account (unit_id, sort_key, id);
CREATE INDEX user_sort ON user_account (sort_key, id);

CREATE TABLE credential (
  user_id      TEXT PRIMARY KEY REFERENCES user_account (id),
  hash         TEXT NOT NULL,             -- argon2id, PHC string
  changed_at   BIGINT NOT NULL,
  must_change  BOOLEAN NOT NULL DEFAULT FALSE -- set by whoever gave a first password
);

-- A role on a unit. Revoked grants stay: who approved what in which role must stay readable.
CREATE TABLE user_grant (
  id           TEXT PRIMARY KEY,
  user_id      TEXT NOT NULL REFERENCES user_account (id),
  role         TEXT NOT NULL,
  unit_id      TEXT NOT NULL REFERENCES unit (id),
  reach        TEXT NOT NULL,             -- own, subtree, site
  granted_at   BIGINT NOT NULL,
  granted_by   TEXT NOT NULL,             -- user id or `system`
  revoked_at   BIGINT,
  revoked_by   TEXT
);
CREATE INDEX grant_user ON user_grant (user_id) WHERE revoked_at IS NULL;
CREATE INDEX grant_role ON user_grant (role, unit_id) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX grant_once ON user_grant (user_id, role, unit_id) WHERE revoked_at IS NULL;

-- Tokens for the programming interface; the token itself is shown once and never stored.
CREATE TABLE api_token (
  id           TEXT PRIMARY KEY,
  user_id      TEXT NOT NULL REFERENCES user_account (id),
  name         TEXT NOT NULL,
  hash         TEXT NOT NULL UNIQUE,      -- SHA-256 of the token
  scope        TEXT NOT NULL,             -- read, write
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  used_at      BIGINT,
  revoked_at   BIGINT
);
CREATE INDEX token_user ON api_token (user_id, created_at);

-- Notices (站内信) to one person; text is key + arguments, JSON.
CREATE TABLE notice (
  id           TEXT PRIMARY KEY,
  user_id      TEXT NOT NULL REFERENCES user_account (id),
  at           BIGINT NOT NULL,
  msg          TEXT NOT NULL,             -- Msg, JSON
  link         TEXT NOT NULL,             -- path inside the portal
  read_at      BIGINT
);
CREATE INDEX notice_list ON notice (user_id, at, id);
CREATE INDEX notice_unread ON notice (user_id) WHERE read_at IS NULL;

-- Days of later notices of the State Council and local holidays, laid over the built-in calendar.
CREATE TABLE calendar_day (
  day          TEXT PRIMARY KEY,          -- YYYY-MM-DD
  kind         TEXT NOT NULL,             -- off, work
  note         TEXT NOT NULL DEFAULT ''
);

-- Settings that are changed in the portal, one JSON value a key.
CREATE TABLE setting (
  key          TEXT PRIMARY KEY,
  value        TEXT NOT NULL
);

-- "Something changed": what browsers that look at a topic are told. Pruned after minutes.
CREATE TABLE change (
  id           TEXT PRIMARY KEY,          -- ULID text: sorts by time
  at           BIGINT NOT NULL,
  topic        TEXT NOT NULL              -- `request:<id>`, `user:<id>`, `unit:<id>`
);
CREATE INDEX change_at ON change (at, id);

-- Search: every suffix of a name, its pinyin and its initials, so that a prefix scan finds substrings.
CREATE TABLE search_term (
  kind         TEXT NOT NULL,             -- request, resource, system, unit, user
  term         TEXT NOT NULL,
  subject_id   TEXT NOT NULL,
  PRIMARY KEY (kind, term, subject_id)
);
CREATE INDEX search_subject ON search_term (subject_id);
