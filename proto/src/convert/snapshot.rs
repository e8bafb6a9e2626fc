//! A whole set of facts as the resources of a snapshot, and back.
//!
//! Law: each resource is read by itself, so that one at fault is named; whether they fit together is `compile`'s to say.
//! Absent on purpose: digests. This crate hashes nothing; who sends and who receives does.

use std::sync::Arc;

use policy_engine::facts::{Facts, Key, Map};
use policy_engine::vocabulary::{Id, Kind, Name};
use prost::Message;

use super::checks::{Faults, Problem};
use super::governed::Governed;
use crate::admin;
use crate::name;
use crate::sync::{KeyFact, Resource};

/// Reads one resource into a set of facts.
///
/// `kind` is spelled as in a declarative file, `name` is the AIP name, `body` the encoded message: for `Key` a `KeyFact`. A
/// name that differs from the body's own, and one that is there already, are faults.
pub fn insert(facts: &mut Facts, kind: &str, name: &str, body: &[u8]) -> Result<(), Faults> {
    let kind: Kind = kind.parse().map_err(Faults::whole)?;
    match kind {
        Kind::Tenant => put::<admin::Tenant>(&mut facts.tenants, name, body),
        Kind::Team => put::<admin::Team>(&mut facts.teams, name, body),
        Kind::Principal => put::<admin::Principal>(&mut facts.principals, name, body),
        Kind::Role => put::<admin::Role>(&mut facts.roles, name, body),
        Kind::Grant => put::<admin::Grant>(&mut facts.grants, name, body),
        Kind::Provider => put::<admin::Provider>(&mut facts.providers, name, body),
        Kind::Endpoint => put::<admin::Endpoint>(&mut facts.endpoints, name, body),
        Kind::Licence => put::<admin::Licence>(&mut facts.licences, name, body),
        Kind::LicenceAcceptance => put::<admin::LicenceAcceptance>(&mut facts.acceptances, name, body),
        Kind::Model => put::<admin::Model>(&mut facts.models, name, body),
        Kind::Limit => put::<admin::Limit>(&mut facts.limits, name, body),
        Kind::Rule => put::<admin::Rule>(&mut facts.rules, name, body),
        Kind::Guardrail => put::<admin::Guardrail>(&mut facts.guardrails, name, body),
        Kind::Price => put::<admin::Price>(&mut facts.prices, name, body),
        Kind::Key => put_key(&mut facts.keys, name, body),
    }
}

/// Which fact a resource of this kind and name is.
pub fn identity(kind: &str, name: &str) -> Result<(Kind, Id), Faults> {
    let kind: Kind = kind.parse().map_err(Faults::whole)?;
    Ok((kind, name::parse_as(kind, name).map_err(Faults::whole)?))
}

/// Takes a fact out of a set of them; tells whether it was there.
pub fn remove(facts: &mut Facts, kind: Kind, id: &Id) -> bool {
    match kind {
        Kind::Tenant => facts.tenants.remove(id).is_some(),
        Kind::Team => facts.teams.remove(id).is_some(),
        Kind::Principal => facts.principals.remove(id).is_some(),
        Kind::Role => facts.roles.remove(id).is_some(),
        Kind::Grant => facts.grants.remove(id).is_some(),
        Kind::Provider => facts.providers.remove(id).is_some(),
        Kind::Endpoint => facts.endpoints.remove(id).is_some(),
        Kind::Licence => facts.licences.remove(id).is_some(),
        Kind::LicenceAcceptance => facts.acceptances.remove(id).is_some(),
        Kind::Model => facts.models.remove(id).is_some(),
        Kind::Limit => facts.limits.remove(id).is_some(),
        Kind::Rule => facts.rules.remove(id).is_some(),
        Kind::Guardrail => facts.guardrails.remove(id).is_some(),
        Kind::Price => facts.prices.remove(id).is_some(),
        Kind::Key => facts.keys.remove(&id.name).is_some(),
    }
}

fn put<M: Governed>(map: &mut Map<Id, Arc<M::Fact>>, name: &str, body: &[u8]) -> Result<(), Faults> {
    let message: M = decode(body)?;
    if message.name() != name {
        return Err(Faults::of("name", Problem::Invalid("is not what the resource is sent as".to_owned())));
    }
    let (id, fact) = message.read()?;
    match map.insert(id, Arc::new(fact)) {
        None => Ok(()),
        Some(_) => Err(Faults::of("name", Problem::Invalid("is there twice".to_owned()))),
    }
}

/// Decodes a body that holds nothing this build does not know: what is dropped unseen might have been an obligation.
fn decode<M: Message + Default>(body: &[u8]) -> Result<M, Faults> {
    let message = M::decode(body).map_err(Faults::whole)?;
    match message.encoded_len() == body.len() {
        true => Ok(message),
        false => Err(Faults::whole("has fields that are not known here, or is not encoded as it is here")),
    }
}

fn put_key(map: &mut Map<Name, Arc<Key>>, name: &str, body: &[u8]) -> Result<(), Faults> {
    let message: KeyFact = decode(body)?;
    let key = Key::try_from(&message)?;
    let id = name::parse_as(Kind::Key, name).map_err(Faults::whole)?;
    if id.name.as_str() != message.public_id || id.tenant.as_ref() != Some(&key.tenant) {
        return Err(Faults::of("publicId", Problem::Invalid("is not what the key is sent as".to_owned())));
    }
    match map.insert(id.name, Arc::new(key)) {
        None => Ok(()),
        Some(_) => Err(Faults::of("publicId", Problem::Invalid("is there twice".to_owned()))),
    }
}

/// One fact as a resource, its digest left empty.
pub fn resource<M: Governed>(id: &Id, fact: &M::Fact) -> Resource {
    let body = M::declare(id, fact).encode_to_vec().into();
    Resource { kind: M::KIND.to_string(), name: name::format(M::KIND, id), body, digest: Vec::new() }
}

/// An API key as a resource, its digest left empty.
pub fn key_resource(public_id: &Name, key: &Key) -> Resource {
    Resource {
        kind: Kind::Key.to_string(),
        name: name::format(Kind::Key, &Id::of(key.tenant.clone(), public_id.clone())),
        body: KeyFact::from((public_id, key)).encode_to_vec().into(),
        digest: Vec::new(),
    }
}

/// One fact as a resource, its digest left empty; `None` where there is none.
pub fn resource_of(facts: &Facts, kind: Kind, id: &Id) -> Option<Resource> {
    fn one<M: Governed>(map: &Map<Id, Arc<M::Fact>>, id: &Id) -> Option<Resource> {
        map.get(id).map(|fact| resource::<M>(id, fact))
    }
    match kind {
        Kind::Tenant => one::<admin::Tenant>(&facts.tenants, id),
        Kind::Team => one::<admin::Team>(&facts.teams, id),
        Kind::Principal => one::<admin::Principal>(&facts.principals, id),
        Kind::Role => one::<admin::Role>(&facts.roles, id),
        Kind::Grant => one::<admin::Grant>(&facts.grants, id),
        Kind::Provider => one::<admin::Provider>(&facts.providers, id),
        Kind::Endpoint => one::<admin::Endpoint>(&facts.endpoints, id),
        Kind::Licence => one::<admin::Licence>(&facts.licences, id),
        Kind::LicenceAcceptance => one::<admin::LicenceAcceptance>(&facts.acceptances, id),
        Kind::Model => one::<admin::Model>(&facts.models, id),
        Kind::Limit => one::<admin::Limit>(&facts.limits, id),
        Kind::Rule => one::<admin::Rule>(&facts.rules, id),
        Kind::Guardrail => one::<admin::Guardrail>(&facts.guardrails, id),
        Kind::Price => one::<admin::Price>(&facts.prices, id),
        Kind::Key => facts.keys.get(&id.name).map(|key| key_resource(&id.name, key)),
    }
}

/// Every fact as a resource, in no order, digests left empty.
pub fn resources(facts: &Facts) -> Vec<Resource> {
    fn all<M: Governed>(map: &Map<Id, Arc<M::Fact>>) -> impl Iterator<Item = Resource> {
        map.iter().map(|(id, fact)| resource::<M>(id, fact))
    }
    all::<admin::Tenant>(&facts.tenants)
        .chain(all::<admin::Team>(&facts.teams))
        .chain(all::<admin::Principal>(&facts.principals))
        .chain(all::<admin::Role>(&facts.roles))
        .chain(all::<admin::Grant>(&facts.grants))
        .chain(all::<admin::Provider>(&facts.providers))
        .chain(all::<admin::Endpoint>(&facts.endpoints))
        .chain(all::<admin::Licence>(&facts.licences))
        .chain(all::<admin::LicenceAcceptance>(&facts.acceptances))
        .chain(all::<admin::Model>(&facts.models))
        .chain(all::<admin::Limit>(&facts.limits))
        .chain(all::<admin::Rule>(&facts.rules))
        .chain(all::<admin::Guardrail>(&facts.guardrails))
        .chain(all::<admin::Price>(&facts.prices))
        .chain(facts.keys.iter().map(|(public_id, key)| key_resource(public_id, key)))
        .collect()
}
