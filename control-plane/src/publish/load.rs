//! What is in force, read from a store: facts are rebuilt from the stored bytes and compiled.

use std::sync::Arc;

use policy_engine::compile::Fault;
use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Id, Kind, Name};
use prost::Message as _;
use proto::admin::Rollout;

use super::Published;
use super::judge::{Judged, judge};
use super::lines::{Active, InForce};
use crate::authoriser::Authoriser;
use crate::error::ChangeError;
use crate::govern;
use crate::keyring::RingError;
use crate::registry::{Registry, Stored};
use crate::revocations::Revoked;
use crate::store::{Head, ResourceRow, Store, StoreError};

/// Why a store can't be served from.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its secrets can't be read or do not open.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// What it holds does not compile.
    #[error("the store does not compile: {0}")]
    Faults(ChangeError),
}

/// What is in force at the head.
pub(super) async fn published(store: &Store) -> Result<Published, OpenError> {
    let head = store.head().await?;
    assembled(head, store.in_force().await?, store.shrink_revision(head.revision).await?).await
}

/// Both lines, as they were when the store was last written.
pub(super) async fn in_force(store: &Store, head: Arc<Published>) -> Result<InForce, OpenError> {
    let Some(row) = store.active_rollout().await? else { return Ok(InForce::settled(head)) };
    let corrupt = || StoreError::Corrupt("a rollout that can't be read".to_owned());
    let record = Rollout::decode(row.body.as_slice()).map_err(|_| corrupt())?;
    let base = Head { revision: record.base_revision, epoch: head.head.epoch };
    let base = at_revision(store, base).await?;
    let active = Active::restored(record, &base).ok_or_else(corrupt)?;
    let stable = active.stable(&head, &base).map_err(OpenError::Faults)?;
    let settled = base.head.revision;
    Ok(InForce { head, stable: Arc::new(stable), rollout: Some(Arc::new(active)), settled })
}

/// Everything that was in force at a revision, compiled as it was then.
pub(crate) async fn at_revision(store: &Store, head: Head) -> Result<Published, OpenError> {
    let shrink_revision = store.shrink_revision(head.revision).await?;
    assembled(head, store.in_force_at(head.revision).await?, shrink_revision).await
}

async fn assembled(head: Head, rows: Vec<ResourceRow>, shrink_revision: i64) -> Result<Published, OpenError> {
    let mut registry = Registry::default();
    let mut facts = Facts::default();
    let mut faults: Vec<Fault> = Vec::new();
    for row in rows {
        let (kind, id) = identity(&row)?;
        if let Err(found) = govern::learn(kind, &id, &row.bytes, &mut facts) {
            faults.extend(found);
        }
        let ResourceRow { bytes, digest, created_at, updated_at, revision, .. } = row;
        registry.put(kind, id, Arc::new(Stored { bytes, digest, created_at, updated_at, revision }));
    }
    if !faults.is_empty() {
        return Err(OpenError::Faults(ChangeError::Faults(faults)));
    }
    let Judged { facts, compiled } = judge(facts, head.revision, None).await.map_err(OpenError::Faults)?;
    let authoriser = Arc::new(Authoriser::new(&facts));
    let digest = registry.digest();
    let revoked = Arc::new(Revoked::of(&registry, &facts));
    Ok(Published {
        head,
        digest,
        registry,
        facts,
        compiled,
        authoriser,
        revoked,
        shrink_revision,
        projected: Default::default(),
    })
}

fn identity(row: &ResourceRow) -> Result<(Kind, Id), StoreError> {
    let corrupt =
        || StoreError::Corrupt(format!("a resource of no kind or name: {} `{}`", row.kind, row.name));
    let kind: Kind = row.kind.parse().map_err(|_| corrupt())?;
    let name = Name::new(&row.name).map_err(|_| corrupt())?;
    let tenant = match row.tenant.as_str() {
        "" => None,
        tenant => Some(Name::new(tenant).map_err(|_| corrupt())?),
    };
    Ok((kind, Id { tenant, name }))
}
