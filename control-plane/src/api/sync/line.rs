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
use proto::sync::{
    ContentKey, Envelope, Resource, ScopeKey as WireKey, SecretBundle, VendorCredential, Version,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::encoded::{Encoded, Proof};
use crate::clock;
use crate::content_keys::{PublicKey, captured};
use crate::keyring::ScopeKey;
use crate::publish::{InForce, Published, Publisher};
use crate::quiet::Quiet;
use crate::signer::{Signer, Signers, Subject};
use crate::store::{Head, ScopeRow, StoreError, is_full};

/// How long it is waited before what could not be made is tried again.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// What nodes of a geo are to enforce.
#[derive(Debug)]
pub(super) struct Line {
    /// The newest revision, whether or not it changed anything here.
    pub(super) head: Head,
    /// Which line it is, as its envelope says.
    pub(super) word: &'static str,
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
    /// The rollout it was made under.
    rollout: Option<String>,
    holding: Holding,
    line: Arc<Line>,
}

/// Which of the two lines of succession.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// What is for everybody; while there is a rollout, the candidate.
    Head,
    /// While there is a rollout, what nodes outside of its stages enforce; otherwise there is none.
    Stable,
}

/// The word for what is for everybody.
pub(super) const STABLE: &str = "stable";

/// The word for what a rollout brings.
pub(super) const CANDIDATE: &str = "candidate";

impl Which {
    /// What this line is now; `None` where there is no such line.
    fn of(self, lines: &InForce) -> Option<Arc<Published>> {
        match self {
            Self::Head => Some(lines.head.clone()),
            Self::Stable => lines.rollout.as_ref().map(|_| lines.stable.clone()),
        }
    }

    /// Which of the two, whatever its word is at present.
    fn place(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Stable => "stable",
        }
    }

    /// The word for it in envelopes.
    fn word(self, lines: &InForce) -> &'static str {
        match (self, &lines.rollout) {
            (Self::Head, Some(_)) => CANDIDATE,
            _ => STABLE,
        }
    }
}

/// Follows a publisher for one geo until `stop`; `None` while there is no such line, and until the first of it is made.
pub(super) fn follow(
    origin: Origin,
    (geo, which): (Geo, Which),
    stop: CancellationToken,
) -> watch::Receiver<Option<Arc<Line>>> {
    let (tell, told) = watch::channel(None);
    let follower = Follower { origin, geo, which, last: None };
    tokio::spawn(async move { stop.run_until_cancelled(follower.run(tell)).await });
    told
}

/// Makes one line of a geo.
struct Follower {
    origin: Origin,
    geo: Geo,
    which: Which,
    last: Option<Made>,
}

impl Follower {
    async fn run(mut self, tell: watch::Sender<Option<Arc<Line>>>) {
        if let Err(error) = self.origin.publisher.follow(&self.geo).await {
            tracing::error!(geo = %self.geo, %error, "what nodes here hold is not guarded over a restart");
        }
        let (mut lines, mut trouble) = (self.origin.publisher.lines(), Quiet::default());
        loop {
            let in_force = lines.borrow_and_update().clone();
            let made = self.next(&in_force).await;
            let failed = made.is_err();
            let why = made.as_ref().err().map(why_not);
            self.origin.publisher.withheld().note((&self.geo, self.which.place()), why);
            match made {
                Ok(line) => {
                    trouble.is_over();
                    tell.send_replace(line);
                }
                Err(error) if trouble.is_news(&error) => {
                    tracing::error!(geo = %self.geo, %error, "a snapshot can't be made; nodes keep what they have");
                }
                Err(_) => {}
            }
            tokio::select! {
                changed = lines.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(AGAIN), if failed => {}
            }
        }
    }

    async fn next(&mut self, in_force: &InForce) -> anyhow::Result<Option<Arc<Line>>> {
        let Some(now) = self.which.of(in_force) else {
            self.last = None;
            return Ok(None);
        };
        // A stable line is of one rollout: that of the next has another content at the same revision.
        let rollout = in_force.rollout.as_ref().map(|rollout| rollout.record.name.clone());
        let last = self.last.take_if(|last| self.which == Which::Stable && last.rollout != rollout);
        drop(last);
        let made =
            make(&self.origin, &self.geo, (&now, self.which.word(in_force)), self.last.as_ref()).await?;
        remember(&self.origin.publisher, &self.geo, &made.line).await?;
        let made = Made { rollout, ..made };
        Ok(Some(self.last.insert(made).line.clone()))
    }
}

/// Why there is nothing to send, for an admin: what broke in detail is the operator's, in the log.
fn why_not(error: &anyhow::Error) -> String {
    match error.chain().any(|cause| cause.is::<StoreError>() || cause.is::<sqlx::Error>()) {
        _ if is_full(error.as_ref()) => "no space left on the disk of the store".to_owned(),
        true => "the store can't be used at present".to_owned(),
        false => "a snapshot can't be made: the control plane's log says why".to_owned(),
    }
}

/// Keeps in history what a revision is for the geo, before any node has it. Errors if the store can't take it: no node is to enforce
/// what history does not know, so they keep what they have until it can.
async fn remember(publisher: &Publisher, geo: &Geo, line: &Line) -> anyhow::Result<()> {
    let digest = line.snapshot.version.digest.as_slice().try_into()?;
    let scope = ScopeRow { geo: geo.to_string(), node_class: String::new(), digest };
    let (store, revision) = (publisher.store(), line.head.revision);
    match line.word {
        _ if revision == 0 => {}
        CANDIDATE => store.keep_candidate(revision, &scope).await?,
        _ => store.keep_scope(revision, &scope).await?,
    }
    Ok(())
}

async fn make(
    origin: &Origin,
    geo: &Geo,
    (now, word): (&Arc<Published>, &'static str),
    last: Option<&Made>,
) -> anyhow::Result<Made> {
    let publisher = origin.publisher.clone();
    let scope_key = publisher.ring().scope_key(publisher.store(), geo).await?;
    let (geo, now, last) = (geo.clone(), now.clone(), last.cloned());
    let signer = origin.signers.current();
    let since = |last: &Made| publisher.changes_since(last.published.head.revision, now.head.revision);
    let changes = last.as_ref().and_then(since);
    if changes.as_ref().is_none_or(|changes| are_of_secrets(changes)) {
        publisher.ring().content().make(publisher.store(), &captured(&now.facts)).await?;
    }
    let work = move || {
        let scope = Scope { geo: geo.clone() };
        let maker = Maker { publisher: &publisher, scope_key: &scope_key, now: &now };
        let (facts, holding, other) = match (&last, changes) {
            (Some(last), Some(changes)) => {
                // What is projected does not say which sealed credential it is, so another one is no difference there; and what comes
                // into the geo or leaves it because its tenant does is one only there.
                let replaced = are_of_secrets(&changes);
                let (facts, changes) = projected(&now, last, (&scope, &changes));
                let other = replaced || are_of_secrets(&changes);
                let holding = maker.changed(&last.holding, &facts, &changes);
                (facts, holding, other)
            }
            _ => {
                let given = now.projected.get(&geo).map(|given| given.facts.clone());
                let facts = given.unwrap_or_else(|| project(&now.facts, &scope));
                let holding = maker.whole(&geo, &facts)?;
                (facts, holding, true)
            }
        };
        let before = last.as_ref().map(|last| &last.line);
        let secrets = match before.filter(|_| !other) {
            Some(before) => before.secrets.clone(),
            None => maker.secrets(&facts)?,
        };
        let before = before.map(|line| &line.snapshot);
        let snapshot = snapshot(&now, (&holding, word), &signer, before);
        let line = Line { head: now.head, word, facts, confirmed_at: clock::now(), snapshot, secrets };
        Ok(Made { published: now, rollout: None, holding, line: Arc::new(line) })
    };
    tokio::task::spawn_blocking(work).await?
}

/// Whether secrets may be others after these: vendors' credentials, and to whom content is sealed.
fn are_of_secrets(changes: &[Change]) -> bool {
    changes.iter().any(|change| matches!(change.kind, Kind::Provider | Kind::Rule | Kind::Tenant))
}

/// What is in scope by now, and what changed of that: as it was judged, where that was judged against what the last line was made of.
fn projected(now: &Published, last: &Made, (scope, changes): (&Scope, &[Change])) -> (Facts, Vec<Change>) {
    let given = now.projected.get(&scope.geo);
    if let Some(given) = given.filter(|given| given.after == last.published.head.revision) {
        return (given.facts.clone(), given.changes.clone());
    }
    let versions = Versions { before: &last.published.facts, after: &now.facts };
    project_changes(&last.line.facts, versions, scope, changes)
}

/// What nodes of a geo hold of what is, or was, published, byte for byte.
pub(in crate::api) async fn held(
    publisher: &Publisher,
    geo: &Geo,
    published: Arc<Published>,
) -> anyhow::Result<Holding> {
    let scope_key = publisher.ring().scope_key(publisher.store(), geo).await?;
    let (publisher, geo) = (publisher.clone(), geo.clone());
    let work = move || {
        let facts = project(&published.facts, &Scope { geo: geo.clone() });
        Maker { publisher: &publisher, scope_key: &scope_key, now: &published }.whole(&geo, &facts)
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
        let bundle = SecretBundle {
            scope_keys: vec![key],
            credentials: self.credentials(facts)?,
            content_keys: self.content_keys(facts),
        };
        Ok(Arc::new(Bundle { encoded: Zeroizing::new(bundle.encode_to_vec()) }))
    }

    /// To whom content of the tenants in scope is sealed, where some of it is to be kept.
    fn content_keys(&self, facts: &Facts) -> Vec<ContentKey> {
        let keys = captured(facts).into_iter().filter_map(|tenant| {
            let PublicKey { id, key } = self.publisher.ring().content().of(&tenant)?;
            Some(ContentKey { tenant: tenant.to_string(), id, public_key: key })
        });
        keys.collect()
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
    (holding, word): (&Holding, &str),
    signer: &Signer,
    before: Option<&Arc<Encoded>>,
) -> Arc<Encoded> {
    let digest = holding.root().to_vec();
    let same = |b: &&Arc<Encoded>| b.version.digest == digest && b.version.epoch == now.head.epoch;
    if let Some(before) = before.filter(same).filter(|b| b.shrink_revision == now.shrink_revision) {
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
        line: word.to_owned(),
    };
    let envelope = Bytes::from(envelope.encode_to_vec());
    let signature = signer.sign(Subject::Snapshot, &envelope);
    let proof = Proof {
        shrink_revision: now.shrink_revision,
        envelope,
        signature,
        signer: signer.certificate().clone(),
    };
    let past = before.map(|b| b.past()).unwrap_or_default();
    Arc::new(Encoded::new(Version { epoch, revision, digest }, proof, (holding.clone(), past)))
}
