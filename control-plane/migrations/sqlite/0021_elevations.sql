-- Rights that somebody took for a while. A row is changed once, when they end; the audit log keeps both.
CREATE TABLE elevation (
    number     INTEGER PRIMARY KEY,
    -- The encoded Elevation, without its state.
    body       BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    -- NULL: they have not ended.
    ended_at   INTEGER
) STRICT;
