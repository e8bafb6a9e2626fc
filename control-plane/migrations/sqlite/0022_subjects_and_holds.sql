-- Who was erased, by pseudonym: what a backup of the file of who is who brings back is erased again. No row is ever deleted.
CREATE TABLE erasure (
    pseudonym TEXT    PRIMARY KEY,
    erased_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER erasure_keeps BEFORE UPDATE ON erasure
BEGIN SELECT RAISE(ABORT, 'erasures are append-only'); END;
CREATE TRIGGER erasure_stays BEFORE DELETE ON erasure
BEGIN SELECT RAISE(ABORT, 'erasures are append-only'); END;

-- Legal holds. A row is changed once, when it is released; no row is ever deleted.
CREATE TABLE hold (
    name        TEXT    PRIMARY KEY,
    -- The encoded Hold.
    body        BLOB    NOT NULL,
    -- NULL: it holds.
    released_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TRIGGER hold_is_released_once BEFORE UPDATE ON hold
WHEN OLD.released_at IS NOT NULL OR NEW.released_at IS NULL OR NEW.name <> OLD.name
BEGIN SELECT RAISE(ABORT, 'a hold changes once, when it is released'); END;
CREATE TRIGGER hold_stays BEFORE DELETE ON hold
BEGIN SELECT RAISE(ABORT, 'holds are never deleted'); END;
