-- The keys that sign checkpoints of the audit log, sealed, by generation. `origin` is the log's name, which no other log has.
CREATE TABLE audit_key (
    generation INTEGER PRIMARY KEY,
    origin     TEXT    NOT NULL,
    public_key BLOB    NOT NULL,
    sealed_key BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- What was signed: how large the log was, its root, and the signed text. Law: a size is signed for once.
CREATE TABLE audit_checkpoint (
    size       INTEGER PRIMARY KEY,
    root       BLOB    NOT NULL,
    note       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER audit_checkpoint_keeps BEFORE UPDATE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER audit_checkpoint_stays BEFORE DELETE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
