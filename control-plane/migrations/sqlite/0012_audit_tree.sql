-- The Merkle tree over the audit events (RFC 9162): the hash of each full subtree of 2^level events, the first of which follow
-- `position` others of its kind. Level 0 is the events' own hashes. Law: what is full never changes.
CREATE TABLE audit_node (
    level    INTEGER NOT NULL CHECK (level > 0),
    position INTEGER NOT NULL,
    hash     BLOB    NOT NULL,
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_node_keeps BEFORE UPDATE ON audit_node
BEGIN SELECT RAISE(ABORT, 'the audit tree is append-only'); END;
CREATE TRIGGER audit_node_stays BEFORE DELETE ON audit_node
BEGIN SELECT RAISE(ABORT, 'the audit tree is append-only'); END;
