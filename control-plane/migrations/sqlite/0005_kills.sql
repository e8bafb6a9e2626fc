-- What is switched off. Not history: a row is deleted when its kill is lifted; the audit log keeps who did what and why.
CREATE TABLE kill (
    id         TEXT    PRIMARY KEY,
    -- The encoded Kill.
    body       BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The one row that counts changes of kills.
CREATE TABLE kill_head (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO kill_head (id, seq) VALUES (1, 0);
