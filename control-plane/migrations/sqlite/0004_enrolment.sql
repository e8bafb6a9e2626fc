-- Who may be a node: the tokens that were made, and the nodes that were told apart from their certificates.
-- All times but `valid_from` are microseconds since the Unix epoch.

-- A token for one node, good once. Of its secret there is only the SHA-256.
CREATE TABLE enrolment (
    id         TEXT    PRIMARY KEY,
    secret     BLOB    NOT NULL,
    geo        TEXT    NOT NULL,
    node       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    -- SHA-256 of the public key it was used for: the same key may ask again, should the answer have been lost.
    used_for   BLOB,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX enrolment_by_node ON enrolment (geo, node);

-- A node that was revoked once. Its row stays when the node is forgotten.
CREATE TABLE node_identity (
    geo        TEXT    NOT NULL,
    node       TEXT    NOT NULL,
    -- Null once it has a new token.
    revoked_at INTEGER,
    -- Certificates that begin before it are refused for good; seconds since the Unix epoch.
    valid_from INTEGER NOT NULL,
    PRIMARY KEY (geo, node)
) STRICT, WITHOUT ROWID;
