-- Several pools may stand on the same hosts (one availability zone): sums over pools count these once.
ALTER TABLE pool_capacity ADD COLUMN hosts TEXT; -- of cores and memory: which hosts were counted, as the backend calls them; '' = all of it; NULL = its own, or not told

-- The images that a backend says it has. Of one without any row nothing is known, and nothing is refused.
CREATE TABLE backend_image (
  backend      TEXT NOT NULL,
  code         TEXT NOT NULL,             -- as in the catalogue
  PRIMARY KEY (backend, code)
);
