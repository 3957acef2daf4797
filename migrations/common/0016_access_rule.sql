-- What may come in to a host beside what its protection level lets in (安全组规则). A row stands from the moment at which
-- the cloud has taken it, to the moment at which the cloud has given it up.
CREATE TABLE access_rule (
  id           TEXT PRIMARY KEY,
  resource_id  TEXT NOT NULL REFERENCES resource (id),
  protocol     TEXT NOT NULL,             -- tcp, udp, icmp
  from_port    BIGINT NOT NULL,           -- 0: ICMP has none
  to_port      BIGINT NOT NULL,
  source       TEXT NOT NULL,             -- a network of IPv4, written in one way: 10.8.0.0/24
  note         TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  created_by   TEXT NOT NULL,
  UNIQUE (resource_id, protocol, from_port, to_port, source)
);
