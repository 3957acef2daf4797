-- What a step knows of an answer that did not come; every copy of the program waits by it.
ALTER TABLE saga_step ADD COLUMN unsure_until BIGINT; -- a call of it may have got through: before this moment it is not looked for, afterwards it is, before it is called again; NULL = no such call
ALTER TABLE saga_step ADD COLUMN silences BIGINT NOT NULL DEFAULT 0; -- so many of its attempts got no answer at all; they are given back when the cloud answers

-- A cloud that refuses to tell one pool's capacity answers all the same.
ALTER TABLE pool ADD COLUMN refusal TEXT; -- why, at the last look; NULL = it tells
