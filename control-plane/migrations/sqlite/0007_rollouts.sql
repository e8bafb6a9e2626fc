-- How staged changes reach the nodes; `body` is the encoded Rollout, replaced as it goes on.
CREATE TABLE rollout (
    candidate_revision INTEGER PRIMARY KEY REFERENCES revision (revision),
    body               BLOB    NOT NULL,
    -- 1 until it is completed or aborted; there is one such at most.
    active             INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX rollout_active ON rollout (active) WHERE active = 1;

-- What a revision was for the candidate line of a scope, where a rollout had one; revision_scope has the stable line's.
CREATE TABLE revision_candidate (
    revision   INTEGER NOT NULL REFERENCES revision (revision),
    geo        TEXT    NOT NULL,
    node_class TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    PRIMARY KEY (revision, geo, node_class)
) STRICT, WITHOUT ROWID;
