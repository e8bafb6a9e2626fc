//! Issuing and revoking API keys: one publication for any number of them.

use std::collections::BTreeMap;

use policy_engine::vocabulary::{Id, Kind, Name};
use prost::Message as _;
use proto::admin::{Key, KeySpec};
use zeroize::Zeroizing;

use crate::clock;
use crate::error::ChangeError;
use crate::govern::{self, Gate, keys};
use crate::publish::{Act, Change, Effect, Mode, Plan, Published, Publisher};
use crate::subjects::SubjectError;

/// A key that shall be made.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// What it is for; its tenant says where it lives.
    pub spec: KeySpec,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}

/// A key that was made.
pub struct Issued {
    /// The key as it is read from now on.
    pub key: Key,
    /// The whole of it as a caller presents it; it is nowhere else.
    pub secret: Zeroizing<String>,
}

/// Makes keys, all or none, in one revision, and gives each its secret, in the order they were wanted. Their principals may be named by
/// name or by pseudonym.
pub async fn create(
    publisher: &Publisher,
    act: Act,
    mut wanted: Vec<Wanted>,
) -> Result<Vec<Issued>, ChangeError> {
    let subjects = publisher.subjects();
    for each in &mut wanted {
        let spec = std::mem::take(&mut each.spec);
        each.spec = subjects.covered("chancery.admin.v1.KeySpec", spec).map_err(SubjectError::from)?;
    }
    subjects.keep().await?;
    let mut minted = Vec::with_capacity(wanted.len());
    for _ in &wanted {
        minted.push(keys::mint()?);
    }
    let named: Vec<(Id, Zeroizing<String>)> = wanted
        .iter()
        .zip(&minted)
        .map(|(w, m)| {
            let tenant = Name::new(&w.spec.tenant).ok();
            (Id { tenant, name: m.public_id.clone() }, m.secret.clone())
        })
        .collect();
    let ids: Vec<Id> = named.iter().map(|(id, _)| id.clone()).collect();
    let plan = move |_: &Published, gate: &Gate| {
        let mut plan = Plan::default();
        let mut faults = Vec::new();
        for ((id, wanted), minted) in ids.into_iter().zip(wanted).zip(minted) {
            match govern::prepare(keys::new(wanted.spec, wanted.labels), &id, None, gate) {
                Ok(prepared) => {
                    plan.changes.push(Change { kind: Kind::Key, id, after: Some(prepared.bytes) });
                    plan.keys.push((minted.public_id, minted.digest));
                }
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(plan) } else { Err(ChangeError::Faults(faults)) }
    };
    let outcome = publisher.publish(act, Mode::Commit, plan).await?;
    let issued = named.into_iter().filter_map(|(id, secret)| {
        let stored = outcome.registry.get(Kind::Key, &id)?;
        Some(Issued { key: govern::present(&id, stored)?, secret })
    });
    Ok(issued.collect())
}

/// Revokes a key for good, and gives it as it is then; `None` where there is none of this name.
pub async fn revoke(publisher: &Publisher, act: Act, id: &Id) -> Result<Option<Key>, ChangeError> {
    let place = id.clone();
    let plan = move |published: &Published, _: &Gate| {
        let mut plan = Plan::default();
        if let Some(stored) = published.registry.get(Kind::Key, &place) {
            let key = Key::decode(stored.bytes.clone()).map_err(|_| ChangeError::Broken)?;
            let revoked = keys::revoked(key, clock::timestamp(clock::now()));
            let after = Some(revoked.encode_to_vec().into());
            plan.changes.push(Change { kind: Kind::Key, id: place, after });
        }
        Ok(plan)
    };
    let outcome = publisher.publish(act, Mode::Commit, plan).await?;
    debug_assert!(outcome.effects.iter().all(|(_, _, effect)| *effect != Effect::Created));
    Ok(outcome.registry.get(Kind::Key, id).and_then(|stored| govern::present(id, stored)))
}
