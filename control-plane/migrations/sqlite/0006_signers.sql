-- The keys that sign what nodes are told: the certificate in DER, the private key sealed.
CREATE TABLE signer (
    generation  INTEGER PRIMARY KEY,
    certificate BLOB    NOT NULL,
    sealed_key  BLOB    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

-- The author of the revision said that it may hold much less than the one before.
ALTER TABLE revision ADD COLUMN may_shrink INTEGER NOT NULL DEFAULT 0;
