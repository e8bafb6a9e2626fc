//! The line of a geo: what is published, projected, signed and encoded once for all its nodes.
//!
//! Law: what is hashed is what is sent. While the content of the scope stays the same its digest, and so what nodes
//! enforce, stays too; only the head that heartbeats confirm goes on. Making the next snapshot costs what changed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use policy_engine::facts::{Facts, Key};
use policy_engine::vocabulary::{Geo, Id, Kind, Name};
use policy_engine::{Change, Scope, Versions, project, project_changes};
use prost::Message;
use proto::admin::credential::Source;
use proto::manifest::{self, Holding, SCHEMA};
use proto::sync::{Envelope, Resource, ScopeKey as WireKey, SecretBundle, VendorCredential, Version};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::encoded::{Encoded, Proof};
use crate::clock;
use crate::keyring::ScopeKey;
use crate::publish::{Published, Publisher};
use crate::signer::{Signer, Signers, Subject};
use crate::store::{Head, ScopeRow};

/// How long it is waited before a snapshot that could not be made is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What nodes of a geo are to enforce.
#[derive(Debug)]
pub(super) struct Line {
    /// The newest revision, whether or not it changed anything here.
    pub(super) head: Head,
    /// What is in scope.
    pub(super) facts: Facts,
    /// When it was read, in microseconds since the Unix epoch.
    pub(super) confirmed_at: i64,
    pub(super) snapshot: Arc<Encoded>,
    /// The secrets that go with it; opened, for this process's memory alone.
    pub(super) secrets: Arc<Bundle>,
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

/// Where the lines of all geos come from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) publisher: Publisher,
    pub(super) signers: Signers,
}

/// What the newest line was made of.
#[derive(Debug, Clone)]
struct Made {
    published: Arc<Published>,
    holding: Holding,
    line: Arc<Line>,
}

/// Follows a publisher for one geo until `stop`; `None` until the first line is made.
pub(super) fn follow(
    origin: Origin,
    geo: Geo,
    stop: CancellationToken,
) -> watch::Receiver<Option<Arc<Line>>> {
    let (tell, told) = watch::channel(None);
    tokio::spawn(async move {
        let mut published = origin.publisher.watch();
        let mut last: Option<Made> = None;
        loop {
            let now = published.borrow_and_update().clone();
            let made = make(&origin, &geo, &now, last.as_ref()).await;
            let failed = made.is_err();
            match made {
                Ok(made) => {
                    remember(&origin.publisher, &geo, &made.line).await;
                    tell.send_replace(Some(made.line.clone()));
                    last = Some(made);
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
    if line.head.revision > 0
        && let Err(error) = publisher.store().keep_scope(line.head.revision, &scope).await
    {
        tracing::error!(%geo, %error, "history does not know what a revision is for a geo");
    }
}

async fn make(origin: &Origin, geo: &Geo, now: &Arc<Published>, last: Option<&Made>) -> anyhow::Result<Made> {
    let publisher = origin.publisher.clone();
    let scope_key = publisher.ring().scope_key(publisher.store(), geo).await?;
    let (geo, now, last) = (geo.clone(), now.clone(), last.cloned());
    let signer = origin.signers.current();
    let work = move || {
        let scope = Scope { geo: geo.clone() };
        let changes = last
            .as_ref()
            .and_then(|last| publisher.changes_since(last.published.head.revision, now.head.revision));
        let maker = Maker { publisher: &publisher, scope_key: &scope_key, now: &now };
        let (facts, holding, vendors) = match (&last, changes) {
            (Some(last), Some(changes)) => {
                let versions = Versions { before: &last.published.facts, after: &now.facts };
                let (facts, changes) = project_changes(&last.line.facts, versions, &scope, &changes);
                let vendors = changes.iter().any(|change| change.kind == Kind::Provider);
                let holding = maker.changed(&last.holding, &facts, &changes);
                (facts, holding, vendors)
            }
            _ => {
                let facts = project(&now.facts, &scope);
                let holding = maker.whole(&geo, &facts)?;
                (facts, holding, true)
            }
        };
        let before = last.as_ref().map(|last| &last.line);
        let secrets = match before.filter(|_| !vendors) {
            Some(before) => before.secrets.clone(),
            None => maker.secrets(&facts)?,
        };
        let snapshot = snapshot(&now, &holding, &signer, before.map(|line| &line.snapshot));
        let line = Line { head: now.head, facts, confirmed_at: clock::now(), snapshot, secrets };
        Ok(Made { published: now, holding, line: Arc::new(line) })
    };
    tokio::task::spawn_blocking(work).await?
}

/// What the resources of a scope are made with.
struct Maker<'a> {
    publisher: &'a Publisher,
    scope_key: &'a ScopeKey,
    now: &'a Published,
}

impl Maker<'_> {
    /// Everything in scope.
    fn whole(&self, geo: &Geo, facts: &Facts) -> anyhow::Result<Holding> {
        let others = Facts { keys: Default::default(), ..facts.clone() };
        let keys = facts.keys.iter().filter_map(|(public_id, key)| self.key(public_id, key));
        let resources = proto::convert::resources(&others).into_iter().chain(keys);
        let scope = proto::sync::Scope { geo: geo.to_string(), node_class: String::new() };
        Ok(Holding::whole(scope, resources.map(sealed))?)
    }

    /// What the changes make of what was in scope.
    fn changed(&self, before: &Holding, facts: &Facts, changes: &[Change]) -> Holding {
        let mut holding = before.clone();
        for Change { kind, id } in changes {
            let resource = match kind {
                Kind::Key => facts.keys.get(&id.name).and_then(|key| self.key(&id.name, key)),
                _ => proto::convert::resource_of(facts, *kind, id),
            };
            match resource {
                Some(resource) => drop(holding.put(sealed(resource))),
                None => drop(holding.take(kind.as_str(), &proto::name::format(*kind, id))),
            }
        }
        holding
    }

    /// A key with the MAC of its secret for this geo; a key whose secret is not known opens nothing and is left out.
    fn key(&self, public_id: &Name, key: &Key) -> Option<Resource> {
        let key = self.publisher.ring().scoped(public_id, key, self.scope_key)?;
        Some(proto::convert::key_resource(public_id, &key))
    }

    fn secrets(&self, facts: &Facts) -> anyhow::Result<Arc<Bundle>> {
        let key = WireKey { id: self.scope_key.id.clone(), key: self.scope_key.secret.to_vec() };
        let bundle = SecretBundle { scope_keys: vec![key], credentials: self.credentials(facts)? };
        Ok(Arc::new(Bundle { encoded: Zeroizing::new(bundle.encode_to_vec()) }))
    }

    /// The sealed credentials of the providers in scope, opened.
    fn credentials(&self, facts: &Facts) -> anyhow::Result<Vec<VendorCredential>> {
        let mut opened = Vec::new();
        for id in facts.providers.keys() {
            let Some(reference) = sealed_reference(self.now, id) else { continue };
            if let Some(secret) = self.publisher.vault().open(&reference)? {
                let provider = proto::name::format(Kind::Provider, id);
                let value = String::from_utf8_lossy(&secret).into_owned();
                opened.push(VendorCredential { provider, value });
            }
        }
        Ok(opened)
    }
}

fn sealed(mut resource: Resource) -> Resource {
    manifest::seal(&mut resource);
    resource
}

fn sealed_reference(now: &Published, id: &Id) -> Option<String> {
    let stored = now.registry.get(Kind::Provider, id)?;
    let provider = proto::admin::Provider::decode(stored.bytes.clone()).ok()?;
    match provider.spec?.credential?.source? {
        Source::Sealed(reference) => Some(reference),
        _ => None,
    }
}

/// Signs what a scope holds, or gives back what was signed before where that is the same.
fn snapshot(
    now: &Published,
    holding: &Holding,
    signer: &Signer,
    before: Option<&Arc<Encoded>>,
) -> Arc<Encoded> {
    let digest = holding.root().to_vec();
    if let Some(before) = before.filter(|b| b.version.digest == digest && b.version.epoch == now.head.epoch) {
        return before.clone();
    }
    let (epoch, revision) = (now.head.epoch, now.head.revision);
    let envelope = Envelope {
        schema: SCHEMA,
        epoch,
        revision,
        scope: Some(holding.scope().clone()),
        digest: digest.clone(),
        prev_digest: before.map(|b| b.version.digest.clone()).unwrap_or_default(),
        issued_at: Some(clock::timestamp(clock::now())),
        shrink_revision: now.shrink_revision,
        signer: signer.generation(),
        line: String::new(),
    };
    let envelope = Bytes::from(envelope.encode_to_vec());
    let signature = signer.sign(Subject::Snapshot, &envelope);
    let proof = Proof { envelope, signature, signer: signer.certificate().clone() };
    let past = before.map(|b| b.past()).unwrap_or_default();
    Arc::new(Encoded::new(Version { epoch, revision, digest }, proof, (holding.clone(), past)))
}
