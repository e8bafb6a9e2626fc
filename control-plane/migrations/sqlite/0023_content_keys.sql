-- Key pairs to which captured content is sealed, one or more a tenant; the newest is used. A private half that is gone has destroyed what
-- was sealed to it.
CREATE TABLE content_key (
    id         TEXT    PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    public_key BLOB    NOT NULL,
    -- The private half, sealed; NULL: it was destroyed.
    sealed     BLOB,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX content_key_tenant ON content_key (tenant, created_at);
