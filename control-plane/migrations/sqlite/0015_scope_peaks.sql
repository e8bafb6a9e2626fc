-- How much the policy of a geo held at most since a revision that may shrink: steps that were each accepted may add up to what nodes
-- that missed them would take for an accident. Not history: rows follow what is published.
CREATE TABLE scope_peak (
    geo       TEXT    PRIMARY KEY,
    keys      INTEGER NOT NULL,
    models    INTEGER NOT NULL,
    grants    INTEGER NOT NULL,
    rules     INTEGER NOT NULL,
    resources INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
