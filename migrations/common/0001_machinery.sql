-- The machinery under the domain: sessions, jobs, sagas, audit, idempotency.
-- Times are Unix milliseconds, texts in `…_json` or named payload/params/output are JSON.

-- Browser sessions.
CREATE TABLE session (
  id          TEXT PRIMARY KEY,          -- SHA-256 of the cookie's value: a stolen table opens no session
  user_id     TEXT,                      -- whose it is, once signed in; makes "sign out everywhere" one DELETE
  data        TEXT NOT NULL,             -- the session's values, JSON
  created_at  BIGINT NOT NULL,
  seen_at     BIGINT NOT NULL,           -- last act of the user, exact to a minute
  expires_at  BIGINT NOT NULL            -- from here on the row is as good as absent
);
CREATE INDEX session_by_user ON session (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX session_expiry ON session (expires_at);

-- Work to be done after the commit that asked for it.
CREATE TABLE job (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,            -- which handler runs it
  payload      TEXT NOT NULL,            -- the handler's parameters, JSON
  status       TEXT NOT NULL CHECK (status IN ('ready', 'running', 'waiting', 'done', 'stuck', 'discarded')),
  attempt      BIGINT NOT NULL DEFAULT 0, -- failed attempts so far; waiting costs none
  max_attempts BIGINT NOT NULL,          -- at so many failures it is stuck
  fence        BIGINT NOT NULL DEFAULT 0, -- grows with each claim; a worker with an older one can commit nothing
  run_at       BIGINT NOT NULL,          -- not before; the far end of time while it waits for a person
  woken        BOOLEAN NOT NULL DEFAULT FALSE, -- a signal came while it ran: run again
  lease_until  BIGINT,                   -- while running: when another worker may take it
  lease_by     TEXT,                     -- while running: which worker has it
  dedup_key    TEXT,                     -- at most one living job of this kind and key
  period       TEXT,                     -- periodic jobs: the period it stands for
  wait_reason  TEXT,                     -- while waiting: for what
  request_id   TEXT,                     -- the HTTP request that asked for it
  actor        TEXT,                     -- who asked for it
  error        TEXT,                     -- the last failure
  created_at   BIGINT NOT NULL,
  started_at   BIGINT,                   -- of the last claim
  finished_at  BIGINT
);
CREATE INDEX job_due ON job (run_at, id) WHERE status IN ('ready', 'waiting');
CREATE INDEX job_lease ON job (lease_until) WHERE status = 'running';
CREATE INDEX job_list ON job (status, id);
CREATE UNIQUE INDEX job_dedup ON job (kind, dedup_key)
  WHERE dedup_key IS NOT NULL AND status IN ('ready', 'waiting', 'running');
CREATE UNIQUE INDEX job_period ON job (kind, period) WHERE period IS NOT NULL;

-- A saga: steps that are undone in reverse order when one of them fails.
CREATE TABLE saga (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,            -- which list of steps
  version      BIGINT NOT NULL,          -- which version of that list; a running saga keeps its own
  subject      TEXT NOT NULL,            -- what it works for: id of a request item, a resource, …
  params       TEXT NOT NULL,            -- from which the steps are made, JSON
  state        TEXT NOT NULL CHECK (state IN ('running', 'stuck', 'done', 'unwinding', 'undone', 'residue')),
  reason       TEXT,                     -- why it unwinds or is stuck
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  finished_at  BIGINT
);
CREATE INDEX saga_subject ON saga (subject);
CREATE INDEX saga_list ON saga (state, id);

-- The progress of each step.
CREATE TABLE saga_step (
  saga_id      TEXT NOT NULL REFERENCES saga (id),
  position     BIGINT NOT NULL,          -- from 0
  name         TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('pending', 'doing', 'done', 'undoing', 'undone', 'stuck', 'residue')),
  attempt      BIGINT NOT NULL DEFAULT 0, -- failed attempts in this direction
  wait_reason  TEXT,                     -- what it waits for, while it waits
  output       TEXT,                     -- what it gave to later steps, JSON
  error        TEXT,                     -- the last failure
  started_at   BIGINT,
  finished_at  BIGINT,
  PRIMARY KEY (saga_id, position)
);

-- One operation at a backend; the row is there before the call is made.
CREATE TABLE operation (
  id           TEXT PRIMARY KEY,         -- sent to the backend, which does the same id only once
  saga_id      TEXT NOT NULL REFERENCES saga (id),
  position     BIGINT NOT NULL,          -- of the step
  state        TEXT NOT NULL CHECK (state IN ('open', 'done', 'tombstone', 'closed')), -- tombstone: undone; what still appears under it is swept away
  created_at   BIGINT NOT NULL,
  buried_at    BIGINT,                   -- when it became a tombstone
  swept        BIGINT NOT NULL DEFAULT 0, -- how often something had to be swept away
  UNIQUE (saga_id, position)
);
CREATE INDEX operation_tombstone ON operation (buried_at, id) WHERE state = 'tombstone';

-- Who did what. Written in the transaction of the change; numbered and chained by the sealer.
CREATE TABLE audit_event (
  id           TEXT PRIMARY KEY,
  seq          BIGINT UNIQUE,            -- without gaps from 1; NULL until sealed
  at           BIGINT NOT NULL,
  actor        TEXT NOT NULL,            -- a user's id, `system` or `anonymous`
  action       TEXT NOT NULL,            -- `request.submit`
  outcome      TEXT NOT NULL CHECK (outcome IN ('done', 'refused')),
  subject_kind TEXT NOT NULL,            -- `request`
  subject_id   TEXT NOT NULL,
  unit_id      TEXT,                     -- whose matter it is: unit administrators see their own
  detail       TEXT NOT NULL,            -- before and after, JSON
  request_id   TEXT,
  ip           TEXT,
  session      TEXT,                     -- digest of the session's id
  prev_hash    TEXT,                     -- of the event before; empty for the first
  hash         TEXT                      -- over prev_hash and all columns above
);
CREATE INDEX audit_unsealed ON audit_event (at, id) WHERE seq IS NULL;
CREATE INDEX audit_subject ON audit_event (subject_id, at, id);
CREATE INDEX audit_actor ON audit_event (actor, at, id);
CREATE INDEX audit_unit ON audit_event (unit_id, at, id);
CREATE INDEX audit_time ON audit_event (at, id);

-- The end of the chain: one row. Whoever seals holds its lock.
CREATE TABLE audit_head (
  id           BIGINT PRIMARY KEY CHECK (id = 1),
  seq          BIGINT NOT NULL,          -- of the last sealed event
  hash         TEXT NOT NULL,            -- its hash
  mac          TEXT NOT NULL,            -- signature over both with a key outside the database
  sealed_at    BIGINT NOT NULL
);
INSERT INTO audit_head (id, seq, hash, mac, sealed_at) VALUES (1, 0, '', '', 0);

-- Answers to requests that carried an Idempotency-Key.
CREATE TABLE idempotency_key (
  user_id      TEXT NOT NULL,
  key          TEXT NOT NULL,
  digest       TEXT NOT NULL,            -- of method, path and body: the same key with another request is an error
  status       BIGINT NOT NULL,          -- HTTP status of the answer
  response     TEXT NOT NULL,            -- its body
  created_at   BIGINT NOT NULL,
  PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_age ON idempotency_key (created_at);
