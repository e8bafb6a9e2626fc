-- From when on a proposal can't be decided, microseconds since the Unix epoch; null: it was made before proposals had an end.
ALTER TABLE proposal ADD COLUMN expires_at INTEGER;
