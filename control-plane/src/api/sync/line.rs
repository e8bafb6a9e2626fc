//! The line of a geo: what is published, projected and encoded once for all its nodes.
//!
//! Law: what is hashed is what is sent. While the content of the scope stays the same its digest, and so what nodes
//! enforce, stays too; only the head that heartbeats confirm goes on.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Geo, Id, Kind};
use policy_engine::{Scope, project};
use prost::Message;
use proto::admin::credential::Source;
use proto::sync::{Envelope, Resource, ScopeKey, SecretBundle, SnapshotContents, VendorCredential, Version};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::clock;
use crate::publish::{Published, Publisher};
use crate::store::ScopeRow;

/// The form of snapshots this build makes.
const SCHEMA: u32 = 1;

/// Bytes of a chunk: well under what gRPC peers take by default.
const CHUNK: usize = 1 << 20;

/// How long it is waited before a snapshot that could not be made is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What nodes of a geo are to enforce.
#[derive(Debug)]
pub(super) struct Line {
    /// The newest revision, whether or not it changed anything here.
    pub(super) head_revision: i64,
    /// When it was read, in microseconds since the Unix epoch.
    pub(super) confirmed_at: i64,
    pub(super) snapshot: Arc<Encoded>,
    /// The secrets that go with it; opened, for this process's memory alone.
    pub(super) secrets: Arc<Bundle>,
}

/// A snapshot as it is sent.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) version: Version,
    pub(super) envelope: Bytes,
    pub(super) chunks: Vec<Bytes>,
    pub(super) total_bytes: u64,
    pub(super) sha256: Vec<u8>,
}

/// An encoded `SecretBundle`.
pub(super) struct Bundle {
    pub(super) encoded: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bundle(***)")
    }
}

/// Follows a publisher for one geo until `stop`; `None` until the first line is made.
pub(super) fn follow(
    publisher: Publisher,
    geo: Geo,
    stop: CancellationToken,
) -> watch::Receiver<Option<Arc<Line>>> {
    let (tell, told) = watch::channel(None);
    tokio::spawn(async move {
        let mut published = publisher.watch();
        let mut last: Option<Arc<Line>> = None;
        loop {
            let now = published.borrow_and_update().clone();
            let made = make(&publisher, &geo, &now, last.as_deref()).await;
            let failed = made.is_err();
            match made {
                Ok(line) => {
                    remember(&publisher, &geo, &line).await;
                    last = Some(Arc::new(line));
                    tell.send_replace(last.clone());
                }
                Err(error) => {
                    tracing::error!(%geo, %error, "a snapshot can't be made; nodes keep what they have")
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = published.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(AGAIN), if failed => {}
            }
        }
    });
    told
}

/// Keeps in history what a revision is for the geo, before any node has it. A store that can't take it holds up no node.
async fn remember(publisher: &Publisher, geo: &Geo, line: &Line) {
    let Ok(digest) = line.snapshot.version.digest.to_vec().try_into() else { return };
    let scope = ScopeRow { geo: geo.to_string(), node_class: String::new(), digest };
    if line.head_revision > 0
        && let Err(error) = publisher.store().keep_scope(line.head_revision, &scope).await
    {
        tracing::error!(%geo, %error, "history does not know what a revision is for a geo");
    }
}

async fn make(
    publisher: &Publisher,
    geo: &Geo,
    now: &Arc<Published>,
    last: Option<&Line>,
) -> anyhow::Result<Line> {
    let scope_key = publisher.ring().scope_key(publisher.store(), geo).await?;
    let (publisher, geo, now) = (publisher.clone(), geo.clone(), now.clone());
    let before = last.map(|l| l.snapshot.clone());
    let work = move || {
        let projected = project(&now.facts, &Scope { geo: geo.clone() });
        let keys = publisher.ring().scoped_keys(&geo, &scope_key, &projected);
        let facts = Facts { keys, ..projected };
        let key = ScopeKey { id: scope_key.id.clone(), key: scope_key.secret.to_vec() };
        let bundle =
            SecretBundle { scope_keys: vec![key], credentials: credentials(&publisher, &now, &facts)? };
        let secrets = Arc::new(Bundle { encoded: Zeroizing::new(bundle.encode_to_vec()) });
        let snapshot = encode(&facts, &geo, &now, before.as_ref());
        Ok(Line { head_revision: now.head.revision, confirmed_at: clock::now(), snapshot, secrets })
    };
    tokio::task::spawn_blocking(work).await?
}

/// The sealed credentials of the providers in scope, opened.
fn credentials(
    publisher: &Publisher,
    now: &Published,
    facts: &Facts,
) -> anyhow::Result<Vec<VendorCredential>> {
    let mut opened = Vec::new();
    for id in facts.providers.keys() {
        let Some(reference) = sealed_reference(now, id) else { continue };
        if let Some(secret) = publisher.vault().open(&reference)? {
            let provider = proto::name::format(Kind::Provider, id);
            opened.push(VendorCredential { provider, value: String::from_utf8_lossy(&secret).into_owned() });
        }
    }
    Ok(opened)
}

fn sealed_reference(now: &Published, id: &Id) -> Option<String> {
    let stored = now.registry.get(Kind::Provider, id)?;
    let provider = proto::admin::Provider::decode(stored.bytes.clone()).ok()?;
    match provider.spec?.credential?.source? {
        Source::Sealed(reference) => Some(reference),
        _ => None,
    }
}

/// Encodes a scope's facts, or gives back what was encoded before where the content is the same.
fn encode(facts: &Facts, geo: &Geo, now: &Published, before: Option<&Arc<Encoded>>) -> Arc<Encoded> {
    let mut resources = proto::convert::resources(facts);
    let scope = proto::sync::Scope { geo: geo.to_string(), node_class: String::new() };
    let manifest = seal(&scope, &mut resources);
    if let Some(before) = before.filter(|b| b.version.digest == manifest && b.version.epoch == now.head.epoch)
    {
        return before.clone();
    }
    let envelope = Envelope {
        schema: SCHEMA,
        epoch: now.head.epoch,
        revision: now.head.revision,
        scope: Some(scope),
        digest: manifest.clone(),
        prev_digest: before.map(|b| b.version.digest.clone()).unwrap_or_default(),
        issued_at: Some(proto::convert::timestamp(policy_engine::vocabulary::Instant(clock::now()))),
        ..Envelope::default()
    };
    let contents = Bytes::from(SnapshotContents { resources, removed: Vec::new() }.encode_to_vec());
    let mut rest = contents.clone();
    let mut chunks = Vec::with_capacity(contents.len().div_ceil(CHUNK));
    while !rest.is_empty() {
        chunks.push(rest.split_to(CHUNK.min(rest.len())));
    }
    Arc::new(Encoded {
        version: Version { epoch: now.head.epoch, revision: now.head.revision, digest: manifest },
        envelope: envelope.encode_to_vec().into(),
        chunks,
        total_bytes: contents.len() as u64,
        sha256: digest(&SHA256, &contents).as_ref().to_vec(),
    })
}

/// Fills in each resource's digest and gives the manifest's.
fn seal(scope: &proto::sync::Scope, resources: &mut [Resource]) -> Vec<u8> {
    for resource in resources.iter_mut() {
        resource.digest = digest(&SHA256, &resource.body).as_ref().to_vec();
    }
    digest(&SHA256, &proto::manifest::canonical(scope, resources)).as_ref().to_vec()
}
