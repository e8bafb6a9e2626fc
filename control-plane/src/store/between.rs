//! What lies between two revisions: which resources changed, what each was at either, and who changed it.
//!
//! Law: every answer is bounded by what is asked for, however long history is.

use bytes::Bytes;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::history::revision;
use super::{Digest, RevisionRow, Store, StoreError, Touched, digest};

/// A resource, by how it is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// `kind:` of the declarative form.
    pub kind: String,
    /// The tenant; empty for the platform's.
    pub tenant: String,
    /// The name.
    pub name: String,
}

/// A version of a resource: from a revision on until another; `None` is that it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The revision it began with.
    pub since: i64,
    /// The revision that ended it.
    pub until: Option<i64>,
    /// SHA-256 of `bytes`.
    pub digest: Digest,
    /// The encoded message.
    pub bytes: Bytes,
}

/// A revision that changed a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// Who, when, why.
    pub row: RevisionRow,
    /// A version ended with it.
    pub had: bool,
    /// A version began with it.
    pub has: bool,
}

impl Store {
    /// The resources of which a version began or ended after one revision and up to another, in the order of kind, tenant and name,
    /// beyond a place; so many at most.
    pub async fn touched(
        &self,
        (after, up_to): (i64, i64),
        touched: Option<&Touched>,
        (beyond, most): (Option<&Place>, i64),
    ) -> Result<Vec<Place>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT kind, tenant, name FROM (");
        for (column, end) in [("since_revision", " UNION "), ("until_revision", ")")] {
            query.push("SELECT v.kind, v.tenant, v.name FROM resource_version v WHERE v.");
            query.push(column).push(" > ").push_bind(after);
            query.push(" AND v.").push(column).push(" <= ").push_bind(up_to);
            if let Some(touched) = touched {
                touched.narrow(&mut query);
            }
            if let Some(place) = beyond {
                query.push(" AND (v.kind, v.tenant, v.name) > (").push_bind(place.kind.clone());
                query.push(", ").push_bind(place.tenant.clone());
                query.push(", ").push_bind(place.name.clone()).push(")");
            }
            query.push(end);
        }
        query.push(" ORDER BY kind, tenant, name LIMIT ").push_bind(most);
        let rows = query.build().fetch_all(&self.reader).await?;
        let place = |row: &sqlx::sqlite::SqliteRow| {
            let (kind, tenant) = (row.try_get("kind")?, row.try_get("tenant")?);
            Ok(Place { kind, tenant, name: row.try_get("name")? })
        };
        rows.iter().map(place).collect()
    }

    /// What a resource was at a revision; `None`: there was none.
    pub async fn version_at(&self, place: &Place, revision: i64) -> Result<Option<Version>, StoreError> {
        let newest = self.versions_before(place, (revision, 1)).await?.into_iter().next();
        Ok(newest.filter(|version| version.until.is_none_or(|until| until > revision)))
    }

    /// The versions of a resource that began up to a revision, newest first; so many at most.
    pub async fn versions_before(
        &self,
        place: &Place,
        (revision, most): (i64, i64),
    ) -> Result<Vec<Version>, StoreError> {
        let rows = sqlx::query(
            "SELECT v.since_revision, v.until_revision, v.digest, b.bytes \
             FROM resource_version v JOIN blob b ON b.digest = v.digest \
             WHERE v.kind = $1 AND v.tenant = $2 AND v.name = $3 AND v.since_revision <= $4 \
             ORDER BY v.since_revision DESC LIMIT $5",
        )
        .bind(&place.kind)
        .bind(&place.tenant)
        .bind(&place.name)
        .bind(revision)
        .bind(most)
        .fetch_all(&self.reader)
        .await?;
        let version = |row: &sqlx::sqlite::SqliteRow| {
            Ok(Version {
                since: row.try_get("since_revision")?,
                until: row.try_get("until_revision")?,
                digest: digest(row.try_get("digest")?)?,
                bytes: Bytes::from(row.try_get::<Vec<u8>, _>("bytes")?),
            })
        };
        rows.iter().map(version).collect()
    }

    /// The revisions that changed a resource after one revision and up to another, newest first; so many at most.
    pub async fn touches(
        &self,
        place: &Place,
        (after, up_to): (i64, i64),
        most: i64,
    ) -> Result<Vec<Touch>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.revision, r.epoch, r.digest, r.actor, r.action, r.created_at, r.reason, r.ticket, r.proposal, r.proposer, \
             t.had, t.has FROM ( \
                 SELECT revision, MAX(had) AS had, MAX(has) AS has FROM ( \
                     SELECT since_revision AS revision, 0 AS had, 1 AS has FROM resource_version \
                     WHERE kind = $1 AND tenant = $2 AND name = $3 \
                     UNION ALL \
                     SELECT until_revision AS revision, 1 AS had, 0 AS has FROM resource_version \
                     WHERE kind = $1 AND tenant = $2 AND name = $3 AND until_revision IS NOT NULL \
                 ) AS ends WHERE revision > $4 AND revision <= $5 \
                 GROUP BY revision ORDER BY revision DESC LIMIT $6 \
             ) AS t JOIN revision r ON r.revision = t.revision ORDER BY r.revision DESC",
        )
        .bind(&place.kind)
        .bind(&place.tenant)
        .bind(&place.name)
        .bind(after)
        .bind(up_to)
        .bind(most)
        .fetch_all(&self.reader)
        .await?;
        let touch = |row: &sqlx::sqlite::SqliteRow| {
            let (had, has) = (row.try_get::<i64, _>("had")?, row.try_get::<i64, _>("has")?);
            Ok(Touch { row: revision(row)?, had: had != 0, has: has != 0 })
        };
        rows.iter().map(touch).collect()
    }

    /// The revision that was in force at an instant, in microseconds since the Unix epoch; `None`: there was none yet. Where clocks went
    /// back it is the last that says it was there by then.
    pub async fn revision_then(&self, instant: i64) -> Result<Option<RevisionRow>, StoreError> {
        let row = sqlx::query(
            "SELECT revision, epoch, digest, actor, action, created_at, reason, ticket, proposal, proposer FROM revision \
             WHERE created_at <= $1 ORDER BY revision DESC LIMIT 1",
        )
        .bind(instant)
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(revision).transpose()
    }

    /// The first revision there is.
    pub async fn first_revision(&self) -> Result<Option<RevisionRow>, StoreError> {
        let row = sqlx::query(
            "SELECT revision, epoch, digest, actor, action, created_at, reason, ticket, proposal, proposer FROM revision \
             ORDER BY revision LIMIT 1",
        )
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(revision).transpose()
    }
}
