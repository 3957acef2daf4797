-- What a pool's backend says it makes there: images and sizes by the architecture of hosts, disk classes.
-- It takes the place of backend_image, which had one list of images for all pools of a backend and is
-- written by older copies of the program while they are replaced; a later migration drops it.
ALTER TABLE pool ADD COLUMN makes TEXT; -- as JSON; NULL = nothing is known, and nothing is refused
