//! What is governed: one file a noun, each saying what is special to it; what all nouns share is here.
//!
//! Law: a resource is stored as the deterministic encoding of its message without what only the output has; it becomes a
//! fact by the same conversion that a node uses.

mod endpoints;
mod grants;
mod guardrails;
pub mod keys;
mod licence_acceptances;
mod licences;
mod limits;
mod models;
mod prices;
mod principals;
mod providers;
mod roles;
mod rules;
mod teams;
mod tenants;

use std::collections::BTreeMap;

use bytes::Bytes;
use policy_engine::compile::Fault;
use policy_engine::facts::{self, Facts};
use policy_engine::vocabulary::{Id, Kind};
use prost::Message;
use proto::convert::{Faults, Problem};

use crate::registry::Stored;
use crate::subjects::{Subjects, is_sealed};
use crate::upstream::Upstream;
use crate::vault::Vault;

/// Bytes of a resource at most. A node takes several times as much, for what is sent to it may be written out at more length.
const MAX_BYTES: usize = proto::manifest::MAX_RESOURCE / 4;

/// Labels a resource may have at most.
const MAX_LABELS: usize = 64;

/// A message that is a governed resource.
pub trait Noun: Message + Default + Clone + 'static {
    /// Its kind.
    const KIND: Kind;

    /// The AIP name and the etag it came with.
    fn named(&self) -> (&str, &str);

    /// Its labels.
    fn labels(&self) -> &BTreeMap<String, String>;

    /// Sets the name, and with `stored` what only the output has; without, clears that.
    fn dress(&mut self, id: &Id, stored: Option<&Stored>);

    /// Whether anything is declared about it.
    fn declares(&self) -> bool;

    /// Puts the fact it declares among the facts.
    fn learn(&self, id: &Id, facts: &mut Facts) -> Result<(), Faults>;

    /// Takes its fact out of the facts.
    fn forget(id: &Id, facts: &mut Facts);

    /// What goes with it when it is removed: of keys that refer to it, those that were revoked.
    fn takes_along(_id: &Id, _facts: &Facts) -> Vec<Id> {
        Vec::new()
    }

    /// What is wrong with it though no fact can be made of it, of what is else found when all facts are compiled.
    fn lone_faults(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// What is special to the noun before it is stored, such as sealing a secret.
    fn prepare(&mut self, _preparing: &mut Preparing<'_>) -> Result<(), Faults> {
        Ok(())
    }
}

/// What every resource passes on its way in.
#[derive(Debug)]
pub struct Gate {
    /// Where its secret stays.
    pub vault: Vault,
    /// Where its upstream may be.
    pub upstream: Upstream,
    /// Who the people are that it names.
    pub subjects: Subjects,
}

/// What a noun may use, and leave, on its way into the store.
#[derive(Debug)]
pub struct Preparing<'a> {
    /// Which one it is.
    pub id: &'a Id,
    /// What is in force under this name.
    pub before: Option<&'a Stored>,
    /// What it passes.
    pub gate: &'a Gate,
    /// Credentials sealed on the way, by id; they are kept in the transaction that stores the resource.
    pub sealed: Vec<(String, Vec<u8>)>,
}

/// A resource as it is stored, and what was sealed on the way.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) bytes: Bytes,
    pub(crate) sealed: Vec<(String, Vec<u8>)>,
}

/// Brings a received message into the form that is stored.
pub(crate) fn prepare<M: Noun>(
    message: M,
    id: &Id,
    before: Option<&Stored>,
    gate: &Gate,
) -> Result<Prepared, Vec<Fault>> {
    let (prepared, faults) = brought(message, id, before, gate);
    if faults.is_empty() { Ok(prepared) } else { Err(faults) }
}

/// A received message as far as it can be brought into the form that is stored, and what is wrong with it.
fn brought<M: Noun>(mut message: M, id: &Id, before: Option<&Stored>, gate: &Gate) -> (Prepared, Vec<Fault>) {
    message.dress(id, None);
    let mut faults = label_faults(M::KIND, id, message.labels());
    if !message.declares() {
        faults.push(fault(M::KIND, id, "spec", "missing", "is missing".to_owned()));
    }
    let mut preparing = Preparing { id, before, gate, sealed: Vec::new() };
    if let Err(found) = message.prepare(&mut preparing) {
        faults.extend(wire_faults(M::KIND, id, &found));
    }
    let (sealed, bytes) = (preparing.sealed, message.encode_to_vec());
    if bytes.len() > MAX_BYTES {
        let why = format!("is {} bytes, and a resource has {MAX_BYTES} at most", bytes.len());
        faults.push(fault(M::KIND, id, "spec", "too_large", why));
    }
    (Prepared { bytes: bytes.into(), sealed }, faults)
}

/// A stored resource as a caller reads it.
pub(crate) fn present<M: Noun>(id: &Id, stored: &Stored) -> Option<M> {
    let mut message = M::decode(stored.bytes.clone()).ok()?;
    message.dress(id, Some(stored));
    Some(message)
}

/// Puts the fact that stored bytes of a kind declare among the facts.
pub(crate) fn learn(kind: Kind, id: &Id, bytes: &Bytes, facts: &mut Facts) -> Result<(), Vec<Fault>> {
    by_kind!(kind, learn_as(id, bytes, facts))
}

/// Takes the fact of a resource out of the facts.
pub(crate) fn forget(kind: Kind, id: &Id, facts: &mut Facts) {
    by_kind!(kind, forget_as(id, facts));
}

/// What goes with a resource when it is removed.
pub(crate) fn takes_along(kind: Kind, id: &Id, facts: &Facts) -> Vec<Id> {
    by_kind!(kind, takes_along_as(id, facts))
}

/// An encoded message of a kind, as it was received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: &'a Id,
    pub(crate) encoded: &'a [u8],
    /// What is in force under this name.
    pub(crate) before: Option<&'a Stored>,
}

/// Brings an encoded message of a kind into the form that is stored.
pub(crate) fn prepare_encoded(raw: Raw<'_>, gate: &Gate) -> Result<Prepared, Vec<Fault>> {
    by_kind!(raw.kind, prepare_as(raw, gate))
}

/// Puts the fact that an encoded message declares among the facts, unless it has a fault by itself.
pub(crate) fn learn_encoded(raw: Raw<'_>, gate: &Gate, facts: &mut Facts) -> Result<(), Vec<Fault>> {
    learn(raw.kind, raw.id, &prepare_encoded(raw, gate)?.bytes, facts)
}

/// Every fault an encoded message has by itself: of its preparation and of the fact it declares. Where there are any, it is not judged
/// together with others: then what would be found there of it alone is told as well.
pub(crate) fn faults_of(raw: Raw<'_>, gate: &Gate) -> Vec<Fault> {
    by_kind!(raw.kind, faults_as(raw, gate))
}

/// What would be found of an encoded message alone where all facts are compiled.
pub(crate) fn lone_faults_of(raw: Raw<'_>) -> Vec<Fault> {
    by_kind!(raw.kind, lone_faults_as(raw))
}

fn lone_faults_as<M: Noun>(raw: Raw<'_>) -> Vec<Fault> {
    received::<M>(raw).map_or_else(|faults| faults, |message| lone::<M>(&message, raw.id))
}

fn lone<M: Noun>(message: &M, id: &Id) -> Vec<Fault> {
    let each = message.lone_faults().into_iter();
    each.map(|(field, why)| fault(M::KIND, id, field, "invalid", why)).collect()
}

fn faults_as<M: Noun>(raw: Raw<'_>, gate: &Gate) -> Vec<Fault> {
    let message = match received::<M>(raw) {
        Ok(message) => message,
        Err(faults) => return faults,
    };
    let alone = lone(&message, raw.id);
    let (prepared, mut faults) = brought(message, raw.id, raw.before, gate);
    let declared = learn_as::<M>(raw.id, &prepared.bytes, &mut Facts::default()).err().unwrap_or_default();
    for fault in declared {
        if !faults.iter().any(|known| known.field == fault.field) {
            faults.push(fault);
        }
    }
    if !faults.is_empty() {
        faults.extend(alone);
    }
    faults
}

fn learn_as<M: Noun>(id: &Id, bytes: &Bytes, facts: &mut Facts) -> Result<(), Vec<Fault>> {
    let message = M::decode(bytes.clone()).map_err(|_| {
        vec![fault(M::KIND, id, "", "invalid", "its stored bytes are not such a message".to_owned())]
    })?;
    message.learn(id, facts).map_err(|found| wire_faults(M::KIND, id, &found))
}

fn forget_as<M: Noun>(id: &Id, facts: &mut Facts) {
    M::forget(id, facts);
}

fn takes_along_as<M: Noun>(id: &Id, facts: &Facts) -> Vec<Id> {
    M::takes_along(id, facts)
}

fn prepare_as<M: Noun>(raw: Raw<'_>, gate: &Gate) -> Result<Prepared, Vec<Fault>> {
    prepare(received::<M>(raw)?, raw.id, raw.before, gate)
}

fn received<M: Noun>(raw: Raw<'_>) -> Result<M, Vec<Fault>> {
    M::decode(raw.encoded)
        .map_err(|_| vec![fault(M::KIND, raw.id, "", "invalid", "it is not such a message".to_owned())])
}

/// The revoked keys that satisfy a condition.
fn revoked_keys(facts: &Facts, refers: impl Fn(&facts::Key) -> bool) -> Vec<Id> {
    let keys = facts.keys.iter().filter(|(_, key)| key.revoked && refers(key));
    keys.map(|(public_id, key)| Id::of(key.tenant.clone(), public_id.clone())).collect()
}

fn label_faults(kind: Kind, id: &Id, labels: &BTreeMap<String, String>) -> Vec<Fault> {
    let field = |key: &str| format!("metadata.labels.{key}");
    let mut faults = Vec::new();
    if labels.len() > MAX_LABELS {
        faults.push(fault(
            kind,
            id,
            "metadata.labels",
            "invalid",
            format!("has more than {MAX_LABELS} members"),
        ));
    }
    for (key, value) in labels {
        let shown: String = key.chars().take(64).flat_map(char::escape_default).collect();
        if key.is_empty() || key.len() > 128 || key.chars().any(char::is_control) {
            let message = format!("`{shown}` is not a label's key of 1 to 128 bytes");
            faults.push(fault(kind, id, &field(&shown), "invalid", message));
        }
        if (value.len() > 256 && !is_sealed(value)) || value.chars().any(char::is_control) {
            let message = "the value is longer than 256 bytes or has control characters".to_owned();
            faults.push(fault(kind, id, &field(&shown), "invalid", message));
        }
    }
    faults
}

fn wire_faults(kind: Kind, id: &Id, found: &Faults) -> Vec<Fault> {
    let each = found.0.iter().map(|f| {
        let code = if matches!(f.problem, Problem::Missing) { "missing" } else { "invalid" };
        fault(kind, id, &f.field.to_string(), code, f.problem.to_string())
    });
    each.collect()
}

fn fault(kind: Kind, id: &Id, field: &str, code: &'static str, message: String) -> Fault {
    Fault { kind, id: id.clone(), field: field.to_owned(), code, message, target: None }
}

/// Calls a generic function for the message of a kind.
macro_rules! by_kind {
    ($kind:expr, $call:ident($($arg:expr),*)) => {
        match $kind {
            Kind::Tenant => $call::<proto::admin::Tenant>($($arg),*),
            Kind::Team => $call::<proto::admin::Team>($($arg),*),
            Kind::Principal => $call::<proto::admin::Principal>($($arg),*),
            Kind::Role => $call::<proto::admin::Role>($($arg),*),
            Kind::Grant => $call::<proto::admin::Grant>($($arg),*),
            Kind::Provider => $call::<proto::admin::Provider>($($arg),*),
            Kind::Endpoint => $call::<proto::admin::Endpoint>($($arg),*),
            Kind::Licence => $call::<proto::admin::Licence>($($arg),*),
            Kind::LicenceAcceptance => $call::<proto::admin::LicenceAcceptance>($($arg),*),
            Kind::Model => $call::<proto::admin::Model>($($arg),*),
            Kind::Limit => $call::<proto::admin::Limit>($($arg),*),
            Kind::Rule => $call::<proto::admin::Rule>($($arg),*),
            Kind::Guardrail => $call::<proto::admin::Guardrail>($($arg),*),
            Kind::Price => $call::<proto::admin::Price>($($arg),*),
            Kind::Key => $call::<proto::admin::Key>($($arg),*),
        }
    };
}
use by_kind;

/// What every noun's envelope has, read and written; the noun's own part stands in braces.
macro_rules! envelope {
    ($kind:ident { $($own:tt)* }) => {
        const KIND: policy_engine::vocabulary::Kind = policy_engine::vocabulary::Kind::$kind;

        fn named(&self) -> (&str, &str) {
            (&self.name, &self.etag)
        }

        fn labels(&self) -> &std::collections::BTreeMap<String, String> {
            &self.labels
        }

        fn dress(&mut self, id: &policy_engine::vocabulary::Id, stored: Option<&crate::registry::Stored>) {
            self.name = proto::name::format(Self::KIND, id);
            self.etag = stored.map(crate::registry::Stored::etag).unwrap_or_default();
            self.create_time = stored.map(|s| crate::clock::timestamp(s.created_at));
            self.update_time = stored.map(|s| crate::clock::timestamp(s.updated_at));
            self.revision = stored.map_or(0, |s| s.revision);
        }

        fn declares(&self) -> bool {
            self.spec.is_some()
        }

        $($own)*
    };
}
use envelope;

/// The envelope of a noun whose fact lies in a shelf of its own, by id.
macro_rules! governed {
    ($kind:ident in $shelf:ident { $($own:tt)* }) => {
        impl crate::govern::Noun for proto::admin::$kind {
            crate::govern::envelope!($kind {
                fn learn(
                    &self,
                    id: &policy_engine::vocabulary::Id,
                    facts: &mut policy_engine::facts::Facts,
                ) -> Result<(), proto::convert::Faults> {
                    let fact = policy_engine::facts::$kind::try_from(self)?;
                    facts.$shelf.insert(id.clone(), std::sync::Arc::new(fact));
                    Ok(())
                }

                fn forget(id: &policy_engine::vocabulary::Id, facts: &mut policy_engine::facts::Facts) {
                    facts.$shelf.remove(id);
                }

                $($own)*
            });
        }
    };
}
use governed;
