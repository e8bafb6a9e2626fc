//! Revisions that are looked for: by whom, when, and of what they changed.
//!
//! Law: one look goes over a bounded number of revisions, however few of them are such.

use sqlx::{QueryBuilder, Sqlite};

use super::history::revision;
use super::{Page, RevisionRow, Store, StoreError};

/// Revisions that one look goes over.
const MOST: i64 = 20_000;

/// What revisions must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// Who made it or proposed it, or the last segment of that; empty: anyone.
    pub actor: String,
    /// Not before this instant, in microseconds since the Unix epoch.
    pub since: i64,
    /// Before this instant, likewise.
    pub until: i64,
    /// What it changed; `None`: whatever it was.
    pub touched: Option<Touched>,
}

/// What a revision changed; kinds are those of the declarative form, an empty tenant is the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// One resource.
    Resource {
        /// Its kind.
        kind: String,
        /// Its tenant.
        tenant: String,
        /// Its name.
        name: String,
    },
    /// A resource of a kind, of anyone or of one tenant.
    Kind(String, Option<String>),
    /// A tenant or something of it.
    Tenant(String),
}

impl Default for Sought {
    fn default() -> Self {
        Self { actor: String::new(), since: i64::MIN, until: i64::MAX, touched: None }
    }
}

impl Store {
    /// Revisions that are such, newest first, and below which number there may be more; `None`: there are none.
    pub async fn sought(
        &self,
        page: Page,
        sought: &Sought,
    ) -> Result<(Vec<RevisionRow>, Option<i64>), StoreError> {
        let newest = self.head().await?.revision;
        let before = page.bound().min(newest.saturating_add(1));
        let floor = before.saturating_sub(MOST).max(1);
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT revision, epoch, digest, actor, action, created_at, reason, ticket, proposal, proposer FROM revision \
             WHERE revision < ",
        );
        query.push_bind(before).push(" AND revision >= ").push_bind(floor);
        query.push(" AND created_at >= ").push_bind(sought.since);
        query.push(" AND created_at < ").push_bind(sought.until);
        if !sought.actor.is_empty() {
            query.push(" AND (");
            made_by("actor", &sought.actor, &mut query);
            query.push(" OR ");
            made_by("proposer", &sought.actor, &mut query);
            query.push(")");
        }
        if let Some(touched) = &sought.touched {
            query.push(
                " AND EXISTS (SELECT 1 FROM resource_version v \
                 WHERE (v.since_revision = revision.revision OR v.until_revision = revision.revision)",
            );
            touched.narrow(&mut query);
            query.push(")");
        }
        query.push(" ORDER BY revision DESC LIMIT ").push_bind(page.size);
        let rows = query.build().fetch_all(&self.reader).await?;
        let rows = rows.iter().map(revision).collect::<Result<Vec<_>, _>>()?;
        let is_full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= page.size;
        let below = rows.last().filter(|_| is_full).map_or(floor, |last| last.revision);
        Ok((rows, Some(below).filter(|below| *below > 1)))
    }
}

/// That a column names somebody, or ends in the last segment of a name.
fn made_by(column: &str, who: &str, query: &mut QueryBuilder<Sqlite>) {
    let last = format!("/{who}");
    query.push(column).push(" = ").push_bind(who.to_owned());
    query.push(" OR substr(").push(column).push(", -length(").push_bind(last.clone());
    query.push(")) = ").push_bind(last);
}

impl Touched {
    /// Says of a version, `v`, that it is of this.
    pub(super) fn narrow(&self, query: &mut QueryBuilder<Sqlite>) {
        match self {
            Self::Resource { kind, tenant, name } => {
                query.push(" AND v.kind = ").push_bind(kind.clone());
                query.push(" AND v.tenant = ").push_bind(tenant.clone());
                query.push(" AND v.name = ").push_bind(name.clone());
            }
            Self::Kind(kind, tenant) => {
                query.push(" AND v.kind = ").push_bind(kind.clone());
                if let Some(tenant) = tenant {
                    query.push(" AND v.tenant = ").push_bind(tenant.clone());
                }
            }
            Self::Tenant(tenant) => {
                query.push(" AND (v.tenant = ").push_bind(tenant.clone());
                query.push(" OR (v.kind = 'Tenant' AND v.name = ").push_bind(tenant.clone()).push("))");
            }
        }
    }
}
