-- Changes of resources: another size, a longer term; and the reminders before a term ends.

-- The resource that a request changes, and the change as it was submitted last.
CREATE TABLE request_change (
  request_id   TEXT PRIMARY KEY REFERENCES request (id),
  resource_id  TEXT NOT NULL REFERENCES resource (id),
  plan         TEXT NOT NULL              -- change::Plan, JSON: how it stands and how it will stand
);
CREATE INDEX request_change_resource ON request_change (resource_id);

-- A renewed term begins at the end of the one before: to that moment the old contract price holds.
ALTER TABLE resource ADD COLUMN next_from BIGINT;          -- when the renewed term begins; NULL: not renewed, or begun
ALTER TABLE resource ADD COLUMN next_month_fen BIGINT;     -- its month price; NULL: a change of size set another since
ALTER TABLE resource ADD COLUMN next_price_version BIGINT;
ALTER TABLE resource ADD COLUMN renewed_at BIGINT;         -- when the end of the term was agreed; NULL: at delivery
CREATE INDEX resource_next ON resource (next_from) WHERE next_from IS NOT NULL;
CREATE INDEX resource_expiry ON resource (expires_at, id) WHERE service_state <> 'released';

-- A reminder that was sent: each once for a resource and an end of its term.
CREATE TABLE expiry_reminder (
  resource_id  TEXT NOT NULL REFERENCES resource (id),
  expires_at   BIGINT NOT NULL,           -- of the term that ends; a renewed one is reminded of anew
  days         BIGINT NOT NULL,           -- 60, 30, 7 or 1 before the end
  at           BIGINT NOT NULL,
  PRIMARY KEY (resource_id, expires_at, days)
);
