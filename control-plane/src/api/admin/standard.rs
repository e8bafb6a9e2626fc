//! The standard methods (AIP-131 to AIP-135), written once for every noun.

use std::collections::BTreeSet;
use std::sync::Arc;

use policy_engine::vocabulary::{Action, Geo, Id, Kind, Name};
use prost::Message as _;
use prost_types::FieldMask;
use proto::code::ErrorCode;
use proto::name::{self, Collection, Owner};
use proto::status::Refusal;

use super::call::Call;
use super::{Admin, mask, page};
use crate::actor::{missing, owner};
use crate::descriptors;
use crate::error::ChangeError;
use crate::geos::Odd;
use crate::govern::{self, Gate, Noun};
use crate::publish::{Change, Mode, Outcome, Plan, Published};
use crate::registry::Stored;
use crate::uses::{self, Asking};

/// The parent of what all tenants have.
const EVERY_TENANT: &str = "tenants/-";

/// A page that is asked for.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) parent: String,
    pub(super) size: i32,
    pub(super) token: String,
}

/// A resource that shall be made.
#[derive(Debug)]
pub(super) struct Creation<M> {
    pub(super) parent: String,
    pub(super) id: String,
    pub(super) message: Option<M>,
    pub(super) mode: Mode,
}

/// A resource that shall be changed.
#[derive(Debug)]
pub(super) struct Update<M> {
    pub(super) message: Option<M>,
    pub(super) mask: Option<FieldMask>,
    pub(super) allow_missing: bool,
    pub(super) mode: Mode,
}

/// A resource that shall be removed.
#[derive(Debug)]
pub(super) struct Deletion {
    pub(super) name: String,
    pub(super) etag: String,
    pub(super) allow_missing: bool,
    pub(super) mode: Mode,
}

/// Whether a call only validates.
pub(super) fn mode(validate_only: bool) -> Mode {
    if validate_only { Mode::Try } else { Mode::Commit }
}

impl Admin {
    /// Reads one.
    pub(super) fn get<M: Noun>(&self, call: &Call, name: &str) -> Result<M, Refusal> {
        let id = name::parse_as(M::KIND, name)?;
        let published = self.publisher.current();
        published.demand(&call.actor, Action::Read, M::KIND, owner(M::KIND, &id))?;
        let stored = published.registry.get(M::KIND, &id).ok_or_else(|| missing(name))?;
        present(&id, stored)
    }

    /// Reads a page of them, and the token of the next.
    pub(super) fn list<M: Noun>(&self, call: &Call, asked: &Listing) -> Result<(Vec<M>, String), Refusal> {
        let collection = Collection::of(M::KIND);
        if asked.parent == EVERY_TENANT && collection.owner != Owner::Platform {
            return self.list_across(call, asked);
        }
        let tenant =
            collection.parse_parent(&asked.parent).map_err(|e| Refusal::field("parent", e.to_string()))?;
        let published = self.publisher.current();
        published.demand(&call.actor, Action::Read, M::KIND, tenant.as_ref())?;
        if let Some(tenant) = &tenant {
            let id = Id::platform(tenant.clone());
            published.registry.get(Kind::Tenant, &id).ok_or_else(|| missing(&asked.parent))?;
        }
        let size = page::size(asked.size)?;
        let sealer = self.publisher.vault().sealer();
        let list = format!("{}/{}", asked.parent, collection.plural);
        let after = page::place(sealer, &list, &asked.token)?.and_then(|place| Name::new(&place).ok());
        let (found, last) = first(published.registry.owned(M::KIND, tenant.as_ref(), after), size)?;
        let next = last.map(|id| page::token(sealer, &list, id.name.as_str()));
        Ok((found, next.unwrap_or_default()))
    }

    /// Reads a page of those of every tenant whose the caller may read (AIP-159).
    fn list_across<M: Noun>(&self, call: &Call, asked: &Listing) -> Result<(Vec<M>, String), Refusal> {
        let published = self.publisher.current();
        let tenants = published.registry.all(Kind::Tenant).map(|(id, _)| &id.name);
        let may = |tenant: &&Name| published.permits(&call.actor, Action::Read, M::KIND, Some(tenant));
        let readable: BTreeSet<&Name> = tenants.filter(may).collect();
        if readable.is_empty() {
            published.demand(&call.actor, Action::Read, M::KIND, None)?;
        }
        let size = page::size(asked.size)?;
        let sealer = self.publisher.vault().sealer();
        let list = format!("{EVERY_TENANT}/{}", Collection::of(M::KIND).plural);
        let after = page::place(sealer, &list, &asked.token)?;
        let after = after.and_then(|name| name::parse_as(M::KIND, &name).ok());
        let rest = published.registry.across(M::KIND, after);
        let rest = rest.filter(|(id, _)| id.tenant.as_ref().is_some_and(|tenant| readable.contains(tenant)));
        let (found, last) = first(rest, size)?;
        let next = last.map(|id| page::token(sealer, &list, &name::format(M::KIND, id)));
        Ok((found, next.unwrap_or_default()))
    }

    /// Makes one.
    pub(super) async fn create<M: Noun>(&self, call: &Call, asked: Creation<M>) -> Result<M, Refusal> {
        let collection = Collection::of(M::KIND);
        let wrong = |field: &str, e: &dyn std::fmt::Display| Refusal::field(field, e.to_string());
        let tenant = collection.parse_parent(&asked.parent).map_err(|e| wrong("parent", &e))?;
        let name = Name::new(&asked.id).map_err(|e| wrong(&format!("{}Id", collection.singular), &e))?;
        let id = Id { tenant, name };
        self.demand_write(call, M::KIND, &id)?;
        let message = asked.message.ok_or_else(|| Refusal::field(collection.singular, "is missing"))?;
        let (place, nodes_in) = (id.clone(), self.nodes.geos());
        let plan = move |published: &Published, gate: &Gate| match published.registry.get(M::KIND, &place) {
            Some(_) => {
                Err(Refusal::new(ErrorCode::AlreadyExists, "there is one of this name already").into())
            }
            None => replaced((published, gate), &place, message, &nodes_in),
        };
        self.published(call, &id, asked.mode, plan).await
    }

    /// Changes one, or makes it where that is allowed.
    pub(super) async fn update<M: Noun>(&self, call: &Call, asked: Update<M>) -> Result<M, Refusal> {
        let collection = Collection::of(M::KIND);
        let message = asked.message.ok_or_else(|| Refusal::field(collection.singular, "is missing"))?;
        let (name, etag) = message.named();
        let id = name::parse_as(M::KIND, name)
            .map_err(|e| Refusal::field(format!("{}.name", collection.singular), e.to_string()))?;
        let etag = etag.to_owned();
        self.demand_write(call, M::KIND, &id)?;
        let (place, mask, allow_missing) = (id.clone(), asked.mask, asked.allow_missing);
        let nodes_in = self.nodes.geos();
        let plan = move |published: &Published, gate: &Gate| {
            let wanted = match published.registry.get(M::KIND, &place) {
                None if !allow_missing => return Err(missing(&name::format(M::KIND, &place)).into()),
                None => message,
                Some(stored) => {
                    fresh(&etag, &stored.etag())?;
                    patched(&stored.bytes, &message, mask.as_ref())?
                }
            };
            replaced((published, gate), &place, wanted, &nodes_in)
        };
        self.published(call, &id, asked.mode, plan).await
    }

    /// Removes one, with the revoked keys that refer to it.
    pub(super) async fn delete<M: Noun>(&self, call: &Call, asked: Deletion) -> Result<(), Refusal> {
        let id = name::parse_as(M::KIND, &asked.name)?;
        self.demand_write(call, M::KIND, &id)?;
        let (place, etag, allow_missing) = (id.clone(), asked.etag, asked.allow_missing);
        let plan = move |published: &Published, _: &Gate| {
            // Who takes one thing away by its name means it.
            let mut plan = Plan { may_shrink: true, ..Plan::default() };
            match published.registry.get(M::KIND, &place) {
                None if allow_missing => return Ok(plan),
                None => return Err(missing(&name::format(M::KIND, &place)).into()),
                Some(stored) => fresh(&etag, &stored.etag())?,
            }
            let keys = M::takes_along(&place, &published.facts);
            plan.changes.extend(keys.into_iter().map(|id| Change { kind: Kind::Key, id, after: None }));
            plan.changes.push(Change { kind: M::KIND, id: place, after: None });
            Ok(plan)
        };
        let act = call.act(asked.name);
        let done = self.publisher.publish(act, asked.mode, plan).await;
        done.map(drop).map_err(|error| self.in_the_way(call, (M::KIND, id.clone()), error).told(M::KIND, &id))
    }

    /// Why a resource can't be removed, told by who uses it.
    fn in_the_way(&self, call: &Call, removed: (Kind, Id), error: ChangeError) -> ChangeError {
        let ChangeError::Faults(faults) = error else { return error };
        let asking = Asking { actor: &call.actor, published: &self.publisher.current() };
        ChangeError::Faults(uses::in_the_way(&[removed], faults, asking))
    }

    fn demand_write(&self, call: &Call, kind: Kind, id: &Id) -> Result<(), Refusal> {
        call.concerns(name::format(kind, id));
        self.publisher.current().demand_write(&call.actor, kind, id)
    }

    /// Publishes, and gives the resource as it is then.
    async fn published<M, P>(&self, call: &Call, id: &Id, mode: Mode, plan: P) -> Result<M, Refusal>
    where
        M: Noun,
        P: FnOnce(&Published, &Gate) -> Result<Plan, ChangeError> + Send + 'static,
    {
        let act = call.act(name::format(M::KIND, id));
        let outcome: Outcome =
            self.publisher.publish(act, mode, plan).await.map_err(|error| error.told(M::KIND, id))?;
        let stored = outcome.registry.get(M::KIND, id);
        present(id, stored.ok_or_else(|| missing(&name::format(M::KIND, id)))?)
    }
}

/// So many of the rest, and the last of them where there are more.
fn first<'r, M: Noun>(
    mut rest: impl Iterator<Item = (&'r Id, &'r Arc<Stored>)>,
    size: usize,
) -> Result<(Vec<M>, Option<&'r Id>), Refusal> {
    let (mut found, mut last) = (Vec::new(), None);
    for (id, stored) in rest.by_ref().take(size) {
        found.push(present(id, stored)?);
        last = Some(id);
    }
    Ok((found, last.filter(|_| rest.next().is_some())))
}

/// A plan that puts a message in the place of what is there, limited to geos as nodes spell theirs.
fn replaced<M: Noun>(
    (published, gate): (&Published, &Gate),
    id: &Id,
    message: M,
    nodes_in: &BTreeSet<Geo>,
) -> Result<Plan, ChangeError> {
    let before = published.registry.get(M::KIND, id).map(AsRef::as_ref);
    let prepared = govern::prepare(message, id, before, gate).map_err(ChangeError::Faults)?;
    let misspelt = Odd::of(M::KIND, id, &prepared.bytes, nodes_in).faults;
    if !misspelt.is_empty() {
        return Err(ChangeError::Faults(misspelt));
    }
    let change = Change { kind: M::KIND, id: id.clone(), after: Some(prepared.bytes) };
    Ok(Plan { changes: vec![change], credentials: prepared.sealed, ..Plan::default() })
}

fn patched<M: Noun>(stored: &[u8], wanted: &M, mask: Option<&FieldMask>) -> Result<M, Refusal> {
    let broken = || Refusal::new(ErrorCode::Internal, "what is stored can't be read");
    let before = descriptors::dynamic(M::KIND, stored).ok_or_else(broken)?;
    let wanted = descriptors::dynamic(M::KIND, &wanted.encode_to_vec()).ok_or_else(broken)?;
    let after = mask::masked(before, &wanted, mask)?;
    M::decode(after.encode_to_vec().as_slice()).map_err(|_| broken())
}

/// Refuses an etag that is not the present one; none at all is fine.
fn fresh(given: &str, present: &str) -> Result<(), Refusal> {
    if given.is_empty() || given == present {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::EtagMismatch, "it was changed since it was read"))
}

fn present<M: Noun>(id: &Id, stored: &Stored) -> Result<M, Refusal> {
    govern::present(id, stored)
        .ok_or_else(|| Refusal::new(ErrorCode::Internal, "what is stored can't be read"))
}
