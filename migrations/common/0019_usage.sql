-- Utilisation (利用率): what a Prometheus said of our hosts, and what follows from it.

-- One host on one civil day. Shares are tenths of a percent of what the host was given; a measure of
-- which nothing was said has no mean and no samples.
CREATE TABLE usage_day (
  resource_id  TEXT NOT NULL REFERENCES resource (id),
  day          BIGINT NOT NULL,           -- the civil day in Asia/Shanghai, counted from 1970-01-01
  cpu_mean     BIGINT,
  cpu_peak     BIGINT,                    -- 95th percentile of the day's samples
  cpu_samples  BIGINT NOT NULL DEFAULT 0, -- of 288 five-minute samples; too few count for nothing
  memory_mean  BIGINT,
  memory_peak  BIGINT,
  memory_samples BIGINT NOT NULL DEFAULT 0,
  disk_mean    BIGINT,
  disk_peak    BIGINT,
  disk_samples BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (resource_id, day)
);
CREATE INDEX usage_day_old ON usage_day (day);

-- A day that was asked for and answered whole.
CREATE TABLE usage_taken (
  day          BIGINT PRIMARY KEY,
  source       TEXT NOT NULL,             -- digest of address, label and queries: other ones are asked anew
  asked_at     BIGINT NOT NULL,
  hosts        BIGINT NOT NULL,           -- of ours, about which something was said
  unknown      BIGINT NOT NULL,           -- ids that are no host of ours
  odd          BIGINT NOT NULL            -- series left out: without the label, twice, no number, out of range
);

-- The last round: when, and why it broke off.
CREATE TABLE usage_round (
  name         TEXT PRIMARY KEY,          -- 'prometheus'
  tried_at     BIGINT NOT NULL,
  error        TEXT                       -- NULL if it did not break off
);

-- The last 30 days of a host in one row, made anew by each round: lists read it.
CREATE TABLE usage_sum (
  resource_id  TEXT PRIMARY KEY REFERENCES resource (id),
  until_day    BIGINT NOT NULL,           -- the last day of the 30
  vcpus        BIGINT NOT NULL,
  memory_gb    BIGINT NOT NULL,
  cpu_mean     BIGINT,                    -- of days with enough samples, weighted by samples
  cpu_peak     BIGINT,                    -- the highest day's
  cpu_days     BIGINT NOT NULL,           -- days with enough samples
  memory_mean  BIGINT,
  memory_peak  BIGINT,
  memory_days  BIGINT NOT NULL,
  disk_mean    BIGINT,
  disk_peak    BIGINT,
  disk_days    BIGINT NOT NULL,
  load_word    TEXT NOT NULL              -- idle, busy, normal, few
);
CREATE INDEX usage_sum_load ON usage_sum (load_word);
