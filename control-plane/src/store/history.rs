//! What was published: revisions, what each changed, and everything that was in force at any of them.

use bytes::Bytes;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Digest, Page, ResourceRow, Store, StoreError, digest};

/// A revision as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    /// Its number.
    pub revision: i64,
    /// Its line of succession.
    pub epoch: i64,
    /// SHA-256 of everything that was in force.
    pub digest: Digest,
    /// Who made it.
    pub actor: String,
    /// By which call.
    pub action: String,
    /// When, in microseconds since the Unix epoch.
    pub created_at: i64,
    /// Why; empty where nobody said.
    pub reason: String,
    /// The ticket behind it; empty where there is none.
    pub ticket: String,
    /// The number of the proposal whose approval it is; `None` where it is none.
    pub proposal: Option<i64>,
    /// Who made that proposal; empty where there is none.
    pub proposer: String,
}

/// One resource that a revision changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// `kind:` of the declarative form.
    pub kind: String,
    /// The tenant; empty for the platform's.
    pub tenant: String,
    /// The name.
    pub name: String,
    /// A version ended with the revision.
    pub had: bool,
    /// A version began with it.
    pub has: bool,
}

/// What a revision was for a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRow {
    /// The geo.
    pub geo: String,
    /// The class of nodes.
    pub node_class: String,
    /// SHA-256 of the scope's manifest.
    pub digest: Digest,
}

impl Store {
    /// A page of revisions, newest first.
    pub async fn revisions(&self, page: Page) -> Result<Vec<RevisionRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT revision, epoch, digest, actor, action, created_at, reason, ticket, proposal, proposer FROM revision \
             WHERE revision < $1 ORDER BY revision DESC LIMIT $2",
        )
        .bind(page.bound())
        .bind(page.size)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(revision).collect()
    }

    /// The newest revision up to one whose author said that it may hold much less than the one before; 0: none.
    pub async fn shrink_revision(&self, up_to: i64) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT COALESCE(MAX(revision), 0) AS found FROM revision WHERE may_shrink <> 0 AND revision <= $1",
        )
        .bind(up_to)
        .fetch_one(&self.reader)
        .await?;
        Ok(row.try_get("found")?)
    }

    /// What a revision changed, in the order of kind, tenant and name.
    pub async fn changes(&self, revision: i64) -> Result<Vec<ChangeRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT kind, tenant, name, MAX(had) AS had, MAX(has) AS has FROM ( \
                 SELECT kind, tenant, name, 1 AS had, 0 AS has FROM resource_version WHERE until_revision = $1 \
                 UNION ALL \
                 SELECT kind, tenant, name, 0 AS had, 1 AS has FROM resource_version WHERE since_revision = $1 \
             ) AS touched GROUP BY kind, tenant, name ORDER BY kind, tenant, name",
        )
        .bind(revision)
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ChangeRow {
                    kind: row.try_get("kind")?,
                    tenant: row.try_get("tenant")?,
                    name: row.try_get("name")?,
                    had: row.try_get::<i64, _>("had")? != 0,
                    has: row.try_get::<i64, _>("has")? != 0,
                })
            })
            .collect()
    }

    /// Everything that was in force at a revision, with its bytes.
    pub async fn in_force_at(&self, revision: i64) -> Result<Vec<ResourceRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT v.kind, v.tenant, v.name, v.since_revision, v.digest, b.bytes, v.created_at, v.updated_at \
             FROM resource_version v JOIN blob b ON b.digest = v.digest \
             WHERE v.since_revision <= $1 AND (v.until_revision IS NULL OR v.until_revision > $1)",
        )
        .bind(revision)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(resource).collect()
    }

    /// Every version of a resource in their order, each with the revision that ended it; `None`: it is in force.
    pub async fn versions(
        &self,
        kind: &str,
        tenant: &str,
        name: &str,
    ) -> Result<Vec<(ResourceRow, Option<i64>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT v.kind, v.tenant, v.name, v.since_revision, v.until_revision, v.digest, b.bytes, v.created_at, v.updated_at \
             FROM resource_version v JOIN blob b ON b.digest = v.digest \
             WHERE v.kind = $1 AND v.tenant = $2 AND v.name = $3 ORDER BY v.since_revision",
        )
        .bind(kind)
        .bind(tenant)
        .bind(name)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| Ok((resource(row)?, row.try_get("until_revision")?))).collect()
    }

    /// What a revision was for each scope it was sent to.
    pub async fn scopes(&self, revision: i64) -> Result<Vec<ScopeRow>, StoreError> {
        self.digests(
            "SELECT geo, node_class, digest FROM revision_scope WHERE revision = $1 ORDER BY geo, node_class",
            revision,
        )
        .await
    }

    /// The same of the candidate line of a rollout.
    pub async fn candidates(&self, revision: i64) -> Result<Vec<ScopeRow>, StoreError> {
        self.digests(
            "SELECT geo, node_class, digest FROM revision_candidate WHERE revision = $1 ORDER BY geo, node_class",
            revision,
        )
        .await
    }

    /// Whether a revision was this for a geo, on whichever line.
    pub async fn has_scope(&self, revision: i64, geo: &str, digest: &Digest) -> Result<bool, StoreError> {
        let found = sqlx::query(
            "SELECT 1 FROM revision_scope WHERE revision = $1 AND geo = $2 AND digest = $3 \
             UNION ALL SELECT 1 FROM revision_candidate WHERE revision = $1 AND geo = $2 AND digest = $3 LIMIT 1",
        )
        .bind(revision)
        .bind(geo)
        .bind(digest.as_slice())
        .fetch_optional(&self.reader)
        .await?;
        Ok(found.is_some())
    }

    async fn digests(&self, select: &'static str, revision: i64) -> Result<Vec<ScopeRow>, StoreError> {
        let rows = sqlx::query(select).bind(revision).fetch_all(&self.reader).await?;
        rows.iter()
            .map(|row| {
                Ok(ScopeRow {
                    geo: row.try_get("geo")?,
                    node_class: row.try_get("node_class")?,
                    digest: digest(row.try_get("digest")?)?,
                })
            })
            .collect()
    }

    /// Keeps what a revision is for a scope; the first word stands. Where that was of the stable line of a rollout which has been
    /// completed since, what is for everybody now is what its candidate line was.
    pub async fn keep_scope(&self, revision: i64, scope: &ScopeRow) -> Result<(), StoreError> {
        let insert = "INSERT INTO revision_scope (revision, geo, node_class, digest) VALUES ($1, $2, $3, $4) \
                      ON CONFLICT DO NOTHING";
        self.keep_digest(insert, revision, scope).await?;
        let other = "INSERT INTO revision_candidate (revision, geo, node_class, digest) SELECT $1, $2, $3, $4 \
                     WHERE EXISTS (SELECT 1 FROM revision_scope \
                     WHERE revision = $1 AND geo = $2 AND node_class = $3 AND digest <> $4) ON CONFLICT DO NOTHING";
        self.keep_digest(other, revision, scope).await
    }

    /// The same of the candidate line of a rollout.
    pub async fn keep_candidate(&self, revision: i64, scope: &ScopeRow) -> Result<(), StoreError> {
        let insert = "INSERT INTO revision_candidate (revision, geo, node_class, digest) VALUES ($1, $2, $3, $4) \
                      ON CONFLICT DO NOTHING";
        self.keep_digest(insert, revision, scope).await
    }

    async fn keep_digest(
        &self,
        insert: &'static str,
        revision: i64,
        scope: &ScopeRow,
    ) -> Result<(), StoreError> {
        sqlx::query(insert)
            .bind(revision)
            .bind(&scope.geo)
            .bind(&scope.node_class)
            .bind(scope.digest.as_slice())
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

pub(super) fn revision(row: &SqliteRow) -> Result<RevisionRow, StoreError> {
    Ok(RevisionRow {
        revision: row.try_get("revision")?,
        epoch: row.try_get("epoch")?,
        digest: digest(row.try_get("digest")?)?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        created_at: row.try_get("created_at")?,
        reason: row.try_get("reason")?,
        ticket: row.try_get("ticket")?,
        proposal: row.try_get("proposal")?,
        proposer: row.try_get("proposer")?,
    })
}

pub(super) fn resource(row: &SqliteRow) -> Result<ResourceRow, StoreError> {
    Ok(ResourceRow {
        kind: row.try_get("kind")?,
        tenant: row.try_get("tenant")?,
        name: row.try_get("name")?,
        revision: row.try_get("since_revision")?,
        digest: digest(row.try_get("digest")?)?,
        bytes: Bytes::from(row.try_get::<Vec<u8>, _>("bytes")?),
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
