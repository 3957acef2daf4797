-- What a backend says it does not make. Nothing of such a kind is offered on its pools.
CREATE TABLE backend_lack (
  backend      TEXT NOT NULL,
  kind         TEXT NOT NULL,             -- server, volume, address, backup
  PRIMARY KEY (backend, kind)
);
