-- The nodes that were heard of, as each was last known. Not history: a row is replaced, and forgotten with its node.
CREATE TABLE node (
    geo          TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    -- The encoded Node.
    body         BLOB    NOT NULL,
    last_seen_at INTEGER NOT NULL,
    PRIMARY KEY (geo, name)
) STRICT, WITHOUT ROWID;
