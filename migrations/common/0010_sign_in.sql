-- Failed sign-ins of addresses, and of login names that no account has: those must lock exactly
-- like real ones, or the lock would tell who exists. Shared by all copies of the server.
CREATE TABLE sign_in_counter (
  subject      TEXT PRIMARY KEY,          -- `ip:<address>`, `login:<name>`
  failures     BIGINT NOT NULL,
  since        BIGINT NOT NULL,           -- when the counting began
  until        BIGINT,                    -- refused while this lies ahead
  seen_at      BIGINT NOT NULL            -- last failure; old rows are swept away
);
CREATE INDEX sign_in_counter_age ON sign_in_counter (seen_at);
