-- The newest kill of each id that was lifted, as it was, with when it was lifted, by whom and why. Nothing is switched off by it.
CREATE TABLE kill_lifted (
    id        TEXT    PRIMARY KEY,
    -- The encoded Kill.
    body      BLOB    NOT NULL,
    lifted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
