-- Retentions that were deleted: until when nothing goes by what is left in their place, as the more general one of a geo.
CREATE TABLE retention_ended (
    name         TEXT    PRIMARY KEY,
    -- In microseconds since the Unix epoch.
    effective_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
