//! From bytes to a compiled snapshot, trusting nothing on the way.
//!
//! Law: the envelope is signed, every resource has the digest it is announced with, the tree over them has the root that is in
//! the envelope, whether they came whole or as changes; the scope is this node's own, and what compiles here is judged by the
//! same function as in the control plane.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use policy_engine::facts::{Facts, Key};
use policy_engine::snapshot::{CompiledSnapshot, Header};
use policy_engine::vocabulary::{Geo, Kind};
use policy_engine::{Change, Shrunk, bounds, shrunk};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use proto::manifest::{self, Holding, MAX_RESOURCE, MAX_RESOURCES, SCHEMA};
use proto::sync::{Envelope, NackCode, Resource, ResourceName, Scope, SnapshotContents};

use super::secrets::Secrets;
use super::state::Version;
use super::trust::{Subject, Trust};

/// The longest detail of a refusal, in bytes, and the longest name in one; see `Nack.detail`.
const MAX_DETAIL: usize = 512;

/// The fields of `SnapshotContents` that hold resources, and the names of those that go.
const RESOURCES: [u32; 2] = [1, 2];

/// Why a snapshot is refused, in the words of a Nack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code.
    pub(crate) code: NackCode,
    /// Kind and name of the resource at fault; empty where it is not one.
    pub(crate) resource: String,
    /// What was wrong.
    pub(crate) detail: String,
}

impl Refusal {
    /// One that is about no resource. Of a long detail the beginning is told: a control plane reads no longer one.
    pub(super) fn of(code: NackCode, detail: impl Into<String>) -> Self {
        Self { code, resource: String::new(), detail: beginning(detail.into()) }
    }

    fn at(resource: &Resource, code: NackCode, detail: impl Into<String>) -> Self {
        Self::named((&resource.kind, &resource.name), code, detail)
    }

    fn named((kind, name): (&str, &str), code: NackCode, detail: impl Into<String>) -> Self {
        Self { resource: beginning(format!("{kind} {name}")), ..Self::of(code, detail) }
    }
}

fn beginning(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_DETAIL));
    text
}

/// A snapshot as it is offered, by a control plane or by a disk.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Offer {
    /// The encoded envelope.
    pub(crate) envelope: Bytes,
    /// The signature over it.
    pub(crate) signature: Bytes,
    /// The certificate of who signed, DER.
    pub(crate) signer: Bytes,
    /// Digest of what the contents change; empty: they are whole.
    pub(crate) base: Bytes,
    /// The encoded contents.
    pub(crate) contents: Bytes,
}

/// What a node holds of a snapshot that it may enforce.
#[derive(Debug)]
pub(crate) struct Held {
    /// What it is.
    pub(crate) version: Version,
    /// Its envelope, signed; no contents.
    pub(crate) proof: Offer,
    /// Its resources.
    pub(crate) holding: Holding,
    /// The same as facts.
    pub(crate) facts: Facts,
    /// What they compile to.
    pub(crate) snapshot: Arc<CompiledSnapshot>,
    /// The scope keys that the MACs of its API keys were made with, by id.
    pub(crate) scope_keys: BTreeSet<String>,
}

/// Whom a node believes, and where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) trust: &'a Trust,
    pub(crate) geo: &'a Geo,
    /// What is enforced now; it is never gone back from within an epoch.
    pub(crate) running: Option<&'a Held>,
}

impl Held {
    /// What is held, as it would be offered whole.
    pub(crate) fn whole(&self) -> Offer {
        Offer { contents: self.holding.contents().encode_to_vec().into(), ..self.proof.clone() }
    }
}

impl Judge<'_> {
    /// Which version is offered, as far as its envelope goes.
    pub(crate) fn version_of(&self, offer: &Offer) -> Result<Version, Refusal> {
        Ok(self.stated(offer)?.version)
    }

    fn stated(&self, offer: &Offer) -> Result<Stated, Refusal> {
        let signed = (offer.signature.as_ref(), offer.signer.as_ref());
        let signer = self.trust.verify(Subject::Snapshot, &offer.envelope, signed);
        let signer = signer.map_err(|error| Refusal::of(NackCode::BadSignature, error.to_string()))?;
        self.check_envelope(&offer.envelope, signer)
    }

    /// Verifies what is offered and compiles it; a delta for the cost of what it changes.
    pub(crate) fn verify(&self, offer: &Offer) -> Result<Held, Refusal> {
        let stated = self.stated(offer)?;
        let undecodable =
            |error| Refusal::of(NackCode::Validation, format!("the contents do not decode: {error}"));
        if count(&offer.contents).map_err(undecodable)? > MAX_RESOURCES {
            let detail = format!("there are more than {MAX_RESOURCES} resources, or names of such as go");
            return Err(Refusal::of(NackCode::LimitExceeded, detail));
        }
        let contents = SnapshotContents::decode(offer.contents.clone()).map_err(undecodable)?;
        check_resources(&contents.resources)?;
        let base = self.base_of(offer)?;
        let (holding, facts, changes) = match base {
            None => whole(&stated, contents)?,
            Some(base) => changed(base, contents)?,
        };
        if holding.root() != stated.version.digest {
            let detail = "the manifest's digest is not the announced one";
            return Err(Refusal::of(NackCode::DigestMismatch, detail));
        }
        self.check_shrink(&stated, &facts)?;
        let revision = u64::try_from(stated.version.revision)
            .map_err(|_| Refusal::of(NackCode::Validation, "the revision is negative"))?;
        let header = Header { revision, geo: Some(self.geo.clone()) };
        let compiled = match base {
            Some(base) => policy_engine::apply(&base.snapshot, &facts, header, &changes),
            None => policy_engine::compile(&facts, header),
        };
        let snapshot = Arc::new(compiled.map_err(|faults| first_fault(&faults))?);
        let scope_keys = match base {
            None => scope_keys(facts.keys.values()),
            Some(base) => {
                let named = changes.iter().filter(|change| change.kind == Kind::Key);
                let new = scope_keys(named.filter_map(|change| facts.keys.get(&change.id.name)));
                base.scope_keys.union(&new).cloned().collect()
            }
        };
        let proof = Offer { base: Bytes::new(), contents: Bytes::new(), ..offer.clone() };
        Ok(Held { version: stated.version, proof, holding, facts, snapshot, scope_keys })
    }

    /// What a delta is on; `None` of what is whole.
    fn base_of(&self, offer: &Offer) -> Result<Option<&Held>, Refusal> {
        if offer.base.is_empty() {
            return Ok(None);
        }
        let found = self.running.filter(|running| running.version.digest == offer.base.as_ref());
        let missing =
            || Refusal::of(NackCode::BaseMissing, "it changes something else than what is enforced");
        found.map(Some).ok_or_else(missing)
    }

    fn check_envelope(&self, bytes: &[u8], signer: u64) -> Result<Stated, Refusal> {
        let envelope = Envelope::decode(bytes).map_err(|error| {
            Refusal::of(NackCode::Validation, format!("the envelope does not decode: {error}"))
        })?;
        if envelope.schema != SCHEMA {
            let detail =
                format!("form {} is not form {SCHEMA}, which this build understands", envelope.schema);
            return Err(Refusal::of(NackCode::SchemaUnsupported, detail));
        }
        if envelope.signer != signer {
            let detail = format!("it says that signer {} signed it, and {signer} did", envelope.signer);
            return Err(Refusal::of(NackCode::BadSignature, detail));
        }
        let scope = envelope.scope.unwrap_or_default();
        if scope.geo != self.geo.as_str() {
            let detail =
                format!("it is for `{}`, this node is in `{}`", scope.geo.escape_default(), self.geo);
            return Err(Refusal::of(NackCode::WrongGeo, detail));
        }
        let digest = <[u8; 32]>::try_from(&envelope.digest[..])
            .map_err(|_| Refusal::of(NackCode::DigestMismatch, "the digest is not 32 bytes"))?;
        let version = Version { epoch: envelope.epoch, revision: envelope.revision, digest };
        let running = self.running.map(|held| &held.version);
        let older =
            |running: &&Version| (version.epoch, version.revision) < (running.epoch, running.revision);
        if let Some(r) = running.filter(older) {
            let detail = format!(
                "revision {} of epoch {} is older than {} of {}, which is enforced; where the store was restored from a backup, its \
                 epoch is to be bumped",
                version.revision, version.epoch, r.revision, r.epoch
            );
            return Err(Refusal::of(NackCode::StaleRevision, detail));
        }
        Ok(Stated { version, scope, shrink_revision: envelope.shrink_revision })
    }

    /// Refuses to hold much less than what is enforced, that nobody said was to go.
    fn check_shrink(&self, stated: &Stated, facts: &Facts) -> Result<(), Refusal> {
        // Each epoch begins with a revision that may shrink, so what is of an earlier one is before the last that may.
        let allowed = (stated.version.epoch, stated.shrink_revision);
        let newer = |held: &&Held| (held.version.epoch, held.version.revision) >= allowed;
        let running = self.running.filter(newer);
        match running.and_then(|running| shrunk(&running.facts, facts)) {
            None => Ok(()),
            Some(Shrunk { what, before, after }) => Err(Refusal::of(
                NackCode::EmptyRefused,
                format!(
                    "it holds {after} {what} where {before} are enforced, and nobody said that it may shrink"
                ),
            )),
        }
    }
}

/// The scope keys that keys name, each once.
fn scope_keys<'k>(keys: impl Iterator<Item = &'k Arc<Key>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for key in keys {
        if !found.contains(key.scope_key.as_str()) {
            found.insert(key.scope_key.clone());
        }
    }
    found
}

/// What an envelope says.
struct Stated {
    version: Version,
    scope: Scope,
    shrink_revision: i64,
}

type Read = (Holding, Facts, Vec<Change>);

/// Everything of a whole snapshot.
fn whole(stated: &Stated, contents: SnapshotContents) -> Result<Read, Refusal> {
    if !contents.removed.is_empty() {
        return Err(Refusal::of(NackCode::Validation, "a whole snapshot removes nothing"));
    }
    check_counts(&contents.resources)?;
    let mut facts = Facts::default();
    for resource in &contents.resources {
        learn(&mut facts, resource)?;
    }
    let holding = Holding::whole(stated.scope.clone(), contents.resources)
        .map_err(|twice| Refusal::of(NackCode::Validation, twice.to_string()))?;
    Ok((holding, facts, Vec::new()))
}

/// What a delta makes of what is enforced.
fn changed(base: &Held, contents: SnapshotContents) -> Result<Read, Refusal> {
    let (mut holding, mut facts) = (base.holding.clone(), base.facts.clone());
    let mut changes = Vec::with_capacity(contents.resources.len() + contents.removed.len());
    let unreadable = |name: &ResourceName, detail: String| {
        Refusal::named((&name.kind, &name.name), NackCode::Validation, detail)
    };
    for gone in &contents.removed {
        let (kind, id) = proto::convert::identity(&gone.kind, &gone.name)
            .map_err(|faults| unreadable(gone, faults.to_string()))?;
        if holding.take(&gone.kind, &gone.name).is_none() || !proto::convert::remove(&mut facts, kind, &id) {
            return Err(unreadable(gone, "it is to be removed and is not there".to_owned()));
        }
        changes.push(Change { kind, id });
    }
    for resource in contents.resources {
        let (kind, id) = proto::convert::identity(&resource.kind, &resource.name)
            .map_err(|faults| Refusal::at(&resource, NackCode::Validation, faults.to_string()))?;
        proto::convert::remove(&mut facts, kind, &id);
        learn(&mut facts, &resource)?;
        holding.put(resource);
        changes.push(Change { kind, id });
    }
    Ok((holding, facts, changes))
}

/// Counts resources of each kind, before any is read.
fn check_counts(resources: &[Resource]) -> Result<(), Refusal> {
    // They are in order, so those of a kind are together.
    for kind in resources.chunk_by(|a, b| a.kind == b.kind) {
        let known = kind.first().and_then(|first| first.kind.parse::<Kind>().ok());
        if let Some((known, most)) =
            known.map(|kind| (kind, bounds::most(kind))).filter(|(_, most)| kind.len() > *most)
        {
            let detail = format!("there are {} of the kind {known}, and at most {most} may be", kind.len());
            return Err(Refusal::of(NackCode::LimitExceeded, detail));
        }
    }
    Ok(())
}

fn learn(facts: &mut Facts, resource: &Resource) -> Result<(), Refusal> {
    proto::convert::insert(facts, &resource.kind, &resource.name, &resource.body)
        .map_err(|faults| Refusal::at(resource, NackCode::Validation, faults.to_string()))
}

/// Holds each resource against its own digest, and all against their order.
fn check_resources(resources: &[Resource]) -> Result<(), Refusal> {
    let mut before: Option<(&str, &str)> = None;
    for resource in resources {
        if resource.body.len() > MAX_RESOURCE {
            let detail = format!("{} bytes are more than {MAX_RESOURCE}", resource.body.len());
            return Err(Refusal::at(resource, NackCode::LimitExceeded, detail));
        }
        if !manifest::is_sealed(resource) {
            let detail = "the body's digest is not the announced one";
            return Err(Refusal::at(resource, NackCode::DigestMismatch, detail));
        }
        let here = (resource.kind.as_str(), resource.name.as_str());
        if before.is_some_and(|b| b >= here) {
            let detail = "resources are out of order or there twice";
            return Err(Refusal::at(resource, NackCode::Validation, detail));
        }
        before = Some(here);
    }
    Ok(())
}

/// How many resources there are, and names of such as go, without making room for them; counting ends beyond the most there may be.
fn count(mut contents: &[u8]) -> Result<usize, prost::DecodeError> {
    let mut found = 0;
    while contents.has_remaining() && found <= MAX_RESOURCES {
        let (field, kind) = decode_key(&mut contents)?;
        if !RESOURCES.contains(&field) || kind != WireType::LengthDelimited {
            skip_field(kind, field, &mut contents, DecodeContext::default())?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut contents)?).unwrap_or(usize::MAX);
        // What is cut off here is told by decoding it.
        contents = contents.get(length..).unwrap_or_default();
        found += 1;
    }
    Ok(found)
}

fn first_fault(faults: &[policy_engine::Fault]) -> Refusal {
    let Some(fault) = faults.first() else { return Refusal::of(NackCode::Validation, "it does not compile") };
    let more = faults.len().saturating_sub(1);
    let rest = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    let code = if fault.code == "too_many" { NackCode::LimitExceeded } else { NackCode::Validation };
    Refusal {
        code,
        resource: format!("{} {}", fault.kind, fault.id),
        detail: format!("{}: {}{rest}", fault.field, fault.message),
    }
}

/// Without a scope key every API key would look wrong: better no policy, or the old one, than that.
pub(super) fn has_scope_keys(held: &Held, secrets: &Secrets) -> Result<(), Refusal> {
    match held.scope_keys.iter().find(|id| !secrets.scope_keys.contains_key(*id)) {
        None => Ok(()),
        Some(missing) => {
            let detail =
                format!("the scope key `{missing}` of its API keys is not among this node's secrets");
            Err(Refusal::of(NackCode::ResourceMissing, detail))
        }
    }
}

#[cfg(test)]
mod tests;
