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

/// Every fact as a resource, in the order of kind and name, digests left empty.
pub fn resources(facts: &Facts) -> Vec<Resource> {
    fn all<M: Governed>(map: &Map<Id, Arc<M::Fact>>) -> impl Iterator<Item = Resource> {
        map.iter().map(|(id, fact)| resource::<M>(id, fact))
    }
    let key = |(public_id, fact): (&Name, &Arc<Key>)| Resource {
        kind: Kind::Key.to_string(),
        name: name::format(Kind::Key, &Id::of(fact.tenant.clone(), public_id.clone())),
        body: KeyFact::from((public_id, fact.as_ref())).encode_to_vec().into(),
        digest: Vec::new(),
    };
    let mut found: Vec<Resource> = all::<admin::Tenant>(&facts.tenants)
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
        .chain(facts.keys.iter().map(key))
        .collect();
    found.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    found
}
