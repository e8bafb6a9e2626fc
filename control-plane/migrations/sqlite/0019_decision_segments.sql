-- Segments of the decision log that nodes have sealed, in the order in which they were anchored. Law: a manifest is kept once, and `audit_seq`
-- is the event whose changes have its hash.
CREATE TABLE decision_segment (
    place       INTEGER PRIMARY KEY,
    hash        BLOB    NOT NULL UNIQUE,
    geo         TEXT    NOT NULL,
    node        TEXT    NOT NULL,
    boot_id     TEXT    NOT NULL,
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    previous    BLOB    NOT NULL,
    ended       TEXT    NOT NULL,
    sealed_at   INTEGER NOT NULL,
    anchored_at INTEGER NOT NULL,
    audit_seq   INTEGER NOT NULL
) STRICT;
CREATE INDEX decision_segment_of_node ON decision_segment (geo, node, place);
CREATE TRIGGER decision_segment_keeps BEFORE UPDATE ON decision_segment
BEGIN SELECT RAISE(ABORT, 'anchors are append-only'); END;
CREATE TRIGGER decision_segment_stays BEFORE DELETE ON decision_segment
BEGIN SELECT RAISE(ABORT, 'anchors are append-only'); END;
