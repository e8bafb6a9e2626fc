-- Facts, their whole history, and the log of the acts that made it.
-- Law: rows of history are never changed, but for the one write that ends a version; audit events are never changed at all.

-- The one row that allocates revisions. A sequence would commit out of order; this row cannot.
CREATE TABLE head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    epoch    INTEGER NOT NULL
) STRICT;
INSERT INTO head (id, revision, epoch) VALUES (1, 0, 1);

-- Resource bytes by their SHA-256, shared by every version that has them.
CREATE TABLE blob (
    digest BLOB PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What was published. `created_at` everywhere: microseconds since the Unix epoch.
CREATE TABLE revision (
    revision   INTEGER PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    digest     BLOB    NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    changes    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- What a revision was for a scope, as it was sent there.
CREATE TABLE revision_scope (
    revision   INTEGER NOT NULL REFERENCES revision (revision),
    geo        TEXT    NOT NULL,
    node_class TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    PRIMARY KEY (revision, geo, node_class)
) STRICT, WITHOUT ROWID;

-- One row a version of a resource; `tenant` is empty for the platform's, `until_revision` is null while it is in force.
CREATE TABLE resource_version (
    kind           TEXT    NOT NULL,
    tenant         TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    since_revision INTEGER NOT NULL REFERENCES revision (revision),
    until_revision INTEGER,
    digest         BLOB    NOT NULL REFERENCES blob (digest),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (kind, tenant, name, since_revision)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX resource_in_force ON resource_version (kind, tenant, name) WHERE until_revision IS NULL;
CREATE INDEX resource_begun ON resource_version (since_revision);
CREATE INDEX resource_ended ON resource_version (until_revision) WHERE until_revision IS NOT NULL;

-- The sealed SHA-256 of each API key's secret; everything else about a key is a resource.
CREATE TABLE api_key (
    public_id     TEXT    PRIMARY KEY,
    sealed_digest BLOB    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Vendor credentials, sealed; resources name them by `id`.
CREATE TABLE sealed_credential (
    id         TEXT    PRIMARY KEY,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The key under which a geo's copy of the API keys is made, sealed.
CREATE TABLE scope_key (
    id         TEXT    PRIMARY KEY,
    geo        TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX scope_key_by_geo ON scope_key (geo, created_at);

-- The log of administrative acts, chained: `hash` covers `prev_hash` and `body`, `body` is the encoded AuditEvent.
CREATE TABLE audit_event (
    seq        INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    body       BLOB    NOT NULL,
    prev_hash  BLOB    NOT NULL,
    hash       BLOB    NOT NULL
) STRICT;

CREATE TRIGGER audit_event_keeps BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END;
CREATE TRIGGER audit_event_stays BEFORE DELETE ON audit_event
BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END;
CREATE TRIGGER revision_keeps BEFORE UPDATE ON revision
BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END;
CREATE TRIGGER revision_stays BEFORE DELETE ON revision
BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END;
CREATE TRIGGER blob_keeps BEFORE UPDATE ON blob
BEGIN SELECT RAISE(ABORT, 'stored bytes are append-only'); END;
CREATE TRIGGER blob_stays BEFORE DELETE ON blob
BEGIN SELECT RAISE(ABORT, 'stored bytes are append-only'); END;
CREATE TRIGGER version_ends_once BEFORE UPDATE ON resource_version
WHEN OLD.until_revision IS NOT NULL
    OR NEW.until_revision IS NULL
    OR NEW.digest <> OLD.digest
    OR NEW.since_revision <> OLD.since_revision
BEGIN SELECT RAISE(ABORT, 'a version changes once, when it ends'); END;
CREATE TRIGGER version_stays BEFORE DELETE ON resource_version
BEGIN SELECT RAISE(ABORT, 'versions are append-only'); END;
