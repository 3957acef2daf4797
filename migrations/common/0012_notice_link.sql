-- A step that was decided has nobody's notice unread any more: they are found by where they lead.
CREATE INDEX notice_asked ON notice (link) WHERE read_at IS NULL;
