-- Changes that wait for a second principal, and what became of them; no row is ever deleted.
CREATE TABLE proposal (
    number INTEGER PRIMARY KEY,
    -- pending | published | rejected | superseded; only pending becomes something else.
    state  TEXT    NOT NULL,
    -- The encoded Proposal without its files.
    body   BLOB    NOT NULL,
    -- The encoded Proposal of its files alone: names and texts of declarative files, none with a secret.
    files  BLOB    NOT NULL
) STRICT;
CREATE INDEX proposal_pending ON proposal (number) WHERE state = 'pending';
