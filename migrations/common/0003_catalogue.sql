-- Where things can run, what can be ordered, what it costs, who approves.
-- Names are two columns, `_zh` and `_en`. States: draft, proposed, published, retired.

CREATE TABLE zone (
  id           TEXT PRIMARY KEY,
  name_zh      TEXT NOT NULL,
  name_en      TEXT NOT NULL,
  hint_zh      TEXT NOT NULL,
  hint_en      TEXT NOT NULL,
  internet     BOOLEAN NOT NULL,          -- the public internet reaches it
  sort         BIGINT NOT NULL
);

-- A pool is a row: zone × level × pool is legal where zone fits and lowest ≤ level ≤ highest.
CREATE TABLE pool (
  id           TEXT PRIMARY KEY,
  name_zh      TEXT NOT NULL,
  name_en      TEXT NOT NULL,
  backend      TEXT NOT NULL,             -- name of the provisioning backend
  backend_pool TEXT NOT NULL,             -- the pool's name there
  zone_id      TEXT NOT NULL REFERENCES zone (id),
  lowest       BIGINT NOT NULL,           -- protection levels, 2 or 3
  highest      BIGINT NOT NULL,
  purpose      TEXT NOT NULL,
  xinchuang    BOOLEAN NOT NULL,
  overcommit_percent BIGINT NOT NULL,     -- of virtual cores: 300 = 1 : 3
  open         BOOLEAN NOT NULL DEFAULT TRUE,
  sort         BIGINT NOT NULL,
  version      BIGINT NOT NULL DEFAULT 1
);

-- What a backend last said about a pool; pages read this and never ask the backend.
CREATE TABLE pool_capacity (
  pool_id      TEXT NOT NULL REFERENCES pool (id),
  dimension    TEXT NOT NULL,
  total        BIGINT NOT NULL,           -- after over-commit
  allocated    BIGINT NOT NULL,
  read_at      BIGINT NOT NULL,
  PRIMARY KEY (pool_id, dimension)
);

CREATE TABLE item (
  id           TEXT PRIMARY KEY,
  code         TEXT NOT NULL UNIQUE,      -- C-ECS
  sort         BIGINT NOT NULL,
  offered      BOOLEAN NOT NULL DEFAULT TRUE, -- FALSE: retired, can't be ordered any more
  created_at   BIGINT NOT NULL,
  version      BIGINT NOT NULL DEFAULT 1
);

-- Content of an item, versioned. Exactly one version of an item is published.
CREATE TABLE item_version (
  id           TEXT PRIMARY KEY,
  item_id      TEXT NOT NULL REFERENCES item (id),
  number       BIGINT NOT NULL,           -- from 1
  content      TEXT NOT NULL,             -- catalogue::Content, JSON
  state        TEXT NOT NULL,
  written_by   TEXT NOT NULL,             -- user id or `system`
  written_at   BIGINT NOT NULL,
  proposed_at  BIGINT,
  published_by TEXT,                      -- another person than written_by
  published_at BIGINT,
  retired_at   BIGINT,
  version      BIGINT NOT NULL DEFAULT 1,
  UNIQUE (item_id, number)
);
CREATE UNIQUE INDEX item_version_published ON item_version (item_id) WHERE state = 'published';

-- Price of an item, versioned apart from its content.
CREATE TABLE price_version (
  item_id      TEXT NOT NULL REFERENCES item (id),
  number       BIGINT NOT NULL,           -- from 1
  formula      TEXT NOT NULL,             -- price::Formula, JSON
  state        TEXT NOT NULL,
  written_by   TEXT NOT NULL,
  written_at   BIGINT NOT NULL,
  proposed_at  BIGINT,
  published_by TEXT,
  published_at BIGINT,
  retired_at   BIGINT,
  version      BIGINT NOT NULL DEFAULT 1,
  PRIMARY KEY (item_id, number)
);
CREATE UNIQUE INDEX price_version_published ON price_version (item_id) WHERE state = 'published';

-- Approval policy, versioned. One version is published for each kind of request.
CREATE TABLE policy_version (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,             -- kind of request: new, release
  number       BIGINT NOT NULL,
  content      TEXT NOT NULL,             -- policy::Policy, JSON
  state        TEXT NOT NULL,
  written_by   TEXT NOT NULL,
  written_at   BIGINT NOT NULL,
  proposed_at  BIGINT,
  published_by TEXT,
  published_at BIGINT,
  retired_at   BIGINT,
  version      BIGINT NOT NULL DEFAULT 1,
  UNIQUE (kind, number)
);
CREATE UNIQUE INDEX policy_published ON policy_version (kind) WHERE state = 'published';
