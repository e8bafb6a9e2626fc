-- The nodes that are to take no requests; a row is deleted when that is over, the audit log keeps who did what and why.
CREATE TABLE node_drain (
    geo  TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The encoded NodeDrain.
    body BLOB NOT NULL,
    PRIMARY KEY (geo, name)
) STRICT, WITHOUT ROWID;
