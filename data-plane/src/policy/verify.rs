//! From bytes to a compiled snapshot, trusting nothing on the way.
//!
//! Law: every resource has the digest it is announced with, the manifest of them has the digest of the envelope, the scope
//! is this node's own, and what compiles here is judged by the same function as in the control plane.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Buf;
use policy_engine::facts::Facts;
use policy_engine::snapshot::{CompiledSnapshot, Header};
use policy_engine::vocabulary::Geo;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use proto::sync::{Envelope, NackCode, Resource, Scope, SnapshotContents};

use super::state::Version;

/// The form of snapshots this build understands.
pub(super) const SCHEMA: u32 = 1;

/// The most resources a node takes.
const MAX_RESOURCES: usize = 2_000_000;

/// The most bytes of one resource.
const MAX_RESOURCE: usize = 4 << 20;

/// The field of `SnapshotContents` that holds resources.
const RESOURCES: u32 = 1;

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
    pub(super) fn of(code: NackCode, detail: impl Into<String>) -> Self {
        Self { code, resource: String::new(), detail: detail.into() }
    }

    fn at(resource: &Resource, code: NackCode, detail: impl Into<String>) -> Self {
        Self { resource: format!("{} {}", resource.kind, resource.name), ..Self::of(code, detail) }
    }
}

/// A snapshot that may be enforced.
#[derive(Debug)]
pub(crate) struct Verified {
    /// What it is.
    pub(crate) version: Version,
    /// What it compiled to.
    pub(crate) snapshot: CompiledSnapshot,
    /// The scope keys that the MACs of its API keys were made with, by id.
    pub(crate) scope_keys: BTreeSet<String>,
}

/// Verifies and compiles. `running` is what is enforced now; it is never gone back from within an epoch.
pub(crate) fn verify(
    envelope: &[u8],
    contents: &[u8],
    geo: &Geo,
    running: Option<&Version>,
) -> Result<Verified, Refusal> {
    let (version, scope) = check_envelope(envelope, geo, running)?;
    let undecodable =
        |error| Refusal::of(NackCode::Validation, format!("the contents do not decode: {error}"));
    if count(contents).map_err(undecodable)? > MAX_RESOURCES {
        let detail = format!("there are more than {MAX_RESOURCES} resources");
        return Err(Refusal::of(NackCode::LimitExceeded, detail));
    }
    let contents = SnapshotContents::decode(contents).map_err(undecodable)?;
    if manifest_digest(&scope, &contents.resources)? != version.digest {
        return Err(Refusal::of(NackCode::DigestMismatch, "the manifest's digest is not the announced one"));
    }
    if contents.resources.is_empty() && running.is_some() {
        return Err(Refusal::of(
            NackCode::EmptyRefused,
            "it holds nothing, and what is enforced holds something",
        ));
    }
    let mut facts = Facts::default();
    for resource in &contents.resources {
        proto::convert::insert(&mut facts, &resource.kind, &resource.name, &resource.body)
            .map_err(|faults| Refusal::at(resource, NackCode::Validation, faults.to_string()))?;
    }
    let revision = u64::try_from(version.revision)
        .map_err(|_| Refusal::of(NackCode::Validation, "the revision is negative"))?;
    let header = Header { revision, geo: Some(geo.clone()) };
    let snapshot = policy_engine::compile(&facts, header).map_err(|faults| first_fault(&faults))?;
    let mut scope_keys = BTreeSet::new();
    for key in facts.keys.values() {
        if !scope_keys.contains(key.scope_key.as_str()) {
            scope_keys.insert(key.scope_key.clone());
        }
    }
    Ok(Verified { version, snapshot, scope_keys })
}

/// How many resources there are, without making room for them; counting ends beyond the most there may be.
fn count(mut contents: &[u8]) -> Result<usize, prost::DecodeError> {
    let mut found = 0;
    while contents.has_remaining() && found <= MAX_RESOURCES {
        let (field, kind) = decode_key(&mut contents)?;
        if (field, kind) != (RESOURCES, WireType::LengthDelimited) {
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
    Refusal {
        code: NackCode::Validation,
        resource: format!("{} {}", fault.kind, fault.id),
        detail: format!("{}: {}{rest}", fault.field, fault.message),
    }
}

fn check_envelope(bytes: &[u8], geo: &Geo, running: Option<&Version>) -> Result<(Version, Scope), Refusal> {
    let envelope = Envelope::decode(bytes).map_err(|error| {
        Refusal::of(NackCode::Validation, format!("the envelope does not decode: {error}"))
    })?;
    if envelope.schema != SCHEMA {
        let detail = format!("form {} is not form {SCHEMA}, which this build understands", envelope.schema);
        return Err(Refusal::of(NackCode::SchemaUnsupported, detail));
    }
    let scope = envelope.scope.unwrap_or_default();
    if scope.geo != geo.as_str() {
        let detail = format!("it is for `{}`, this node is in `{geo}`", scope.geo.escape_default());
        return Err(Refusal::of(NackCode::WrongGeo, detail));
    }
    let digest = <[u8; 32]>::try_from(&envelope.digest[..])
        .map_err(|_| Refusal::of(NackCode::DigestMismatch, "the digest is not 32 bytes"))?;
    let version = Version { epoch: envelope.epoch, revision: envelope.revision, digest };
    let older = |running: &Version| (version.epoch, version.revision) < (running.epoch, running.revision);
    match running.filter(|r| older(r)) {
        Some(r) => Err(Refusal::of(
            NackCode::StaleRevision,
            format!(
                "revision {} of epoch {} is older than {} of {}",
                version.revision, version.epoch, r.revision, r.epoch
            ),
        )),
        None => Ok((version, scope)),
    }
}

/// The digest of the manifest, after each resource was held against its own and all against their order.
fn manifest_digest(scope: &Scope, resources: &[Resource]) -> Result<[u8; 32], Refusal> {
    let mut before: Option<(&str, &str)> = None;
    for resource in resources {
        if resource.body.len() > MAX_RESOURCE {
            let detail = format!("{} bytes are more than {MAX_RESOURCE}", resource.body.len());
            return Err(Refusal::at(resource, NackCode::LimitExceeded, detail));
        }
        if digest(&SHA256, &resource.body).as_ref() != &resource.digest[..] {
            return Err(Refusal::at(
                resource,
                NackCode::DigestMismatch,
                "the body's digest is not the announced one",
            ));
        }
        let here = (resource.kind.as_str(), resource.name.as_str());
        if before.is_some_and(|b| b >= here) {
            return Err(Refusal::at(
                resource,
                NackCode::Validation,
                "resources are out of order or there twice",
            ));
        }
        before = Some(here);
    }
    let manifest = digest(&SHA256, &proto::manifest::canonical(scope, resources));
    <[u8; 32]>::try_from(manifest.as_ref()).map_err(|_| Refusal::of(NackCode::DigestMismatch, "no digest"))
}

#[cfg(test)]
mod tests;
