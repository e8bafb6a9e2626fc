-- For how long what is recorded is kept, by name: as it is now. Each change of it is an event of the log.
CREATE TABLE retention (
    name         TEXT    PRIMARY KEY,
    -- The encoded Retention.
    body         BLOB    NOT NULL,
    -- Nothing goes by it before, in microseconds since the Unix epoch.
    effective_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The event that tells of an event that its body was removed: a row is changed once, when that is so, and nothing but its body goes.
ALTER TABLE audit_event ADD COLUMN pruned_by INTEGER;
DROP TRIGGER audit_event_keeps;
CREATE TRIGGER audit_event_keeps BEFORE UPDATE ON audit_event
WHEN OLD.pruned_by IS NOT NULL
    OR NEW.pruned_by IS NULL
    OR length(NEW.body) <> 0
    OR NEW.seq <> OLD.seq
    OR NEW.created_at <> OLD.created_at
    OR NEW.revision <> OLD.revision
    OR NEW.prev_hash <> OLD.prev_hash
    OR NEW.hash <> OLD.hash
    OR NEW.pruned_by <= OLD.seq
    OR NOT EXISTS (SELECT 1 FROM audit_event later WHERE later.seq = NEW.pruned_by AND length(later.body) > 0)
BEGIN SELECT RAISE(ABORT, 'audit events are append-only, but for bodies that are pruned'); END;
CREATE TRIGGER audit_event_is_whole BEFORE INSERT ON audit_event
WHEN NEW.pruned_by IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'audit events are append-only: none begins pruned'); END;

-- Segments whose lines are to be removed where they are, by the event that tells of it. A row is changed once, when a node has done it.
CREATE TABLE pruned_segment (
    hash      BLOB    PRIMARY KEY REFERENCES decision_segment (hash),
    pruned_at INTEGER NOT NULL,
    audit_seq INTEGER NOT NULL,
    done_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX pruned_segment_waits ON pruned_segment (hash) WHERE done_at IS NULL;
CREATE INDEX decision_segment_by_seal ON decision_segment (geo, sealed_at);
CREATE TRIGGER pruned_segment_is_done_once BEFORE UPDATE ON pruned_segment
WHEN OLD.done_at IS NOT NULL
    OR NEW.done_at IS NULL
    OR NEW.hash <> OLD.hash
    OR NEW.pruned_at <> OLD.pruned_at
    OR NEW.audit_seq <> OLD.audit_seq
BEGIN SELECT RAISE(ABORT, 'a pruned segment changes once, when it is done'); END;
CREATE TRIGGER pruned_segment_stays BEFORE DELETE ON pruned_segment
BEGIN SELECT RAISE(ABORT, 'pruned segments are append-only'); END;
