//! What this node holds: restored or offered, verified, put in force, kept.
//!
//! Law: nothing is in force that was not verified and built first, off the threads that serve requests and within a time; what
//! fails on the way leaves what was in force. What is taken over is noted before it is built, so that one that ends the process is
//! known for it. What the disk did not take is written again until it does: the control plane says nothing twice to a node that says
//! that it knows it.
//! Absent on purpose: the stream it comes over.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use policy_engine::snapshot::CompiledSnapshot;
use policy_engine::vocabulary::Geo;
use prost::Message;
use proto::sync::{NackCode, Secrets as Sealed, Statement, Status};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::enforced::Enforced;
use super::identity::NodeKey;
use super::last_known_good::{Journal, Kept, LastKnownGood};
use super::secrets::Secrets;
use super::state::{PolicyState, Version};
use super::trust::{Subject, Trust, Untrusted};
use super::verify::{Held, Judge, Offer, Refusal};
use crate::drain::Drains;
use crate::overlay::{Overlay, Said};

/// How long building a snapshot may take; a hundred times what the largest takes that was measured.
const BUDGET: Duration = Duration::from_secs(30);

/// How long a process has to live with a policy to show that it can.
const PROOF: Duration = Duration::from_secs(60);

/// What makes a verified snapshot the one in force.
pub(crate) trait Install: Send + Sync + 'static {
    /// Builds everything a request needs and swaps it in; an error leaves the old in force. May block: it is called off the
    /// request path.
    fn install(
        &self,
        snapshot: Arc<CompiledSnapshot>,
        version: &Version,
        secrets: &Secrets,
    ) -> Result<(), String>;

    /// What the node's status says of requests and endpoints.
    fn report(&self) -> Status;

    /// What holds above any snapshot.
    fn overlay(&self) -> &Overlay;

    /// Whether it is to take requests.
    fn drains(&self) -> &Drains;
}

/// What a holder holds on to.
pub(crate) struct Place {
    /// The geo, as the node's certificate has it.
    pub(crate) geo: Geo,
    /// The SPIFFE id of the node's certificate.
    pub(crate) spiffe_id: String,
    /// What opens sealed secrets.
    pub(crate) key: NodeKey,
    /// Whose word is policy.
    pub(crate) trust: Trust,
    /// Where policies are kept.
    pub(crate) kept: LastKnownGood,
    /// What was enforced here lately.
    pub(crate) enforced: Enforced,
}

impl Place {
    /// Whether a statement is the control plane's.
    pub(super) fn believes(&self, said: Said, statement: &Statement) -> Result<u64, Untrusted> {
        let subject = match said {
            Said::Revocations => Subject::Revocations,
            Said::Kills => Subject::Kills,
        };
        let signed = (statement.signature.as_slice(), statement.signer_certificate.as_ref());
        self.trust.verify(subject, &statement.body, signed)
    }
}

/// What this node holds.
pub(super) struct Holder<N> {
    place: Arc<Place>,
    node: Arc<N>,
    state: Arc<PolicyState>,
    secrets: Arc<Secrets>,
    sealed: Option<Sealed>,
    held: Option<Arc<Held>>,
    /// One place: what was given up because it took too long is waited for before the next is begun.
    building: Arc<Semaphore>,
    /// When the newest policy was put in force; `None` once the process has lived with it.
    since: Option<Instant>,
}

impl<N: Install> Holder<N> {
    pub(super) fn new(place: Place, node: Arc<N>, state: Arc<PolicyState>) -> Self {
        let building = Arc::new(Semaphore::new(1));
        let (place, secrets) = (Arc::new(place), Arc::default());
        Self { place, node, state, secrets, sealed: None, held: None, building, since: None }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn node(&self) -> &N {
        &self.node
    }

    /// What it holds on to, and the node: shared, for what is done beside.
    pub(super) fn shared(&self) -> (Arc<Place>, Arc<N>) {
        (self.place.clone(), self.node.clone())
    }

    /// Takes over what was taken back and switched off, then enforces the newest kept policy that verifies and did not end
    /// processes before this.
    pub(super) async fn restore(&mut self) {
        self.node.overlay().restore(|said, kept| {
            let statement = Statement::decode(kept).map_err(|error| error.to_string())?;
            self.place.believes(said, &statement).map_err(|error| error.to_string())?;
            Ok(statement.body)
        });
        for said in [Said::Revocations, Said::Kills] {
            if self.node.overlay().held_before(said, self.place.enforced.held(said)) {
                tracing::error!(
                    ?said,
                    "what is on disk is older than what was held here, and may be an old copy: no request is served \
                    before the control plane is heard"
                );
            }
        }
        for journal in self.place.kept.load() {
            if self.is_old_copy(&journal) {
                continue;
            }
            for back in 0..journal.versions() {
                if let Some(version) = self.restored(&journal, back).await {
                    tracing::info!(revision = version.revision, "policy restored from disk");
                    return;
                }
            }
        }
    }

    /// Whether a file ends before what was kept in it. One whose end was changed or cut is used as far as it is whole.
    fn is_old_copy(&self, journal: &Journal) -> bool {
        let tip = journal.tip().and_then(|offer| self.judge().version_of(offer).ok());
        let older = |version: &Version| self.place.enforced.is_older(journal.file(), version);
        let Some(old) = tip.filter(|version| !journal.is_torn() && older(version)) else { return false };
        let (file, revision) = (journal.file(), old.revision);
        tracing::error!(
            file,
            revision,
            "a kept policy is older than what was kept there: it is an old copy and not used"
        );
        if file == "current" {
            self.place.kept.set_aside();
        }
        true
    }

    async fn restored(&mut self, journal: &Journal, back: usize) -> Option<Version> {
        let (offer, secrets) = journal.version(back)?;
        if !secrets.is_empty() {
            match Sealed::decode(secrets) {
                Ok(sealed) => drop(self.open(sealed)),
                Err(error) => tracing::error!(%error, "kept secrets do not decode"),
            }
        }
        let known = |version: &Version| match self.place.enforced.knows(version) {
            true => Ok(()),
            false => {
                Err(Refusal::of(NackCode::StaleRevision, "it was not enforced here lately: an old copy"))
            }
        };
        let known = self.judge().version_of(&offer).and_then(|version| known(&version));
        let applied = match known {
            Ok(()) => self.apply(&offer).await,
            Err(refusal) => Err(refusal),
        };
        applied
            .inspect_err(|refusal| {
                tracing::error!(code = ?refusal.code, detail = refusal.detail, "a kept policy is not used");
            })
            .ok()
    }

    fn judge(&self) -> Judge<'_> {
        Judge { trust: &self.place.trust, geo: &self.place.geo, running: self.held.as_deref() }
    }

    /// Takes over what is offered.
    pub(super) async fn apply(&mut self, offer: &Offer) -> Result<Version, Refusal> {
        let version = self.judge().version_of(offer)?;
        if self.place.enforced.crash_looped(&version) {
            let detail = "the process ended twice while it was taken over or soon after; another build or another policy is tried, \
                          and this one once more after a restart by hand";
            return Err(Refusal::of(NackCode::CrashLoop, detail));
        }
        let begun = self.place.enforced.begin(&version);
        let taken = self.take_over(offer).await;
        match taken {
            Ok(()) => {
                self.since = Some(Instant::now());
                self.state.set_applied(version);
                Ok(version)
            }
            Err(refusal) => {
                self.place.enforced.failed(begun);
                Err(refusal)
            }
        }
    }

    /// Verifies, compiles and swaps, off the threads that serve requests.
    async fn take_over(&mut self, offer: &Offer) -> Result<(), Refusal> {
        let (place, running, offer) = (self.place.clone(), self.held.clone(), offer.clone());
        let (building, secrets) = (self.building.clone(), self.secrets.clone());
        let build = async move {
            let turn = building.acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                let judge = Judge { trust: &place.trust, geo: &place.geo, running: running.as_deref() };
                let held = judge.verify(&offer)?;
                has_scope_keys(&held, &secrets)?;
                Ok(held)
            })
            .await
        };
        let late =
            |_| Refusal::of(NackCode::LimitExceeded, format!("building it takes more than {BUDGET:?}"));
        let held = tokio::time::timeout(BUDGET, build).await.map_err(late)?.map_err(broken)??;
        let (held, node, secrets) = (Arc::new(held), self.node.clone(), self.secrets.clone());
        let installed = held.clone();
        let put = move || node.install(installed.snapshot.clone(), &installed.version, &secrets);
        let put = tokio::task::spawn_blocking(put).await.map_err(broken)?;
        put.map_err(|error| Refusal::of(NackCode::Validation, error))?;
        let before = self.held.replace(held);
        // Letting go of a large one takes milliseconds, which are nobody's here.
        tokio::task::spawn_blocking(move || drop(before));
        Ok(())
    }

    /// Keeps what is in force, which came as this offer; tells whether a restart will find it.
    pub(super) async fn persist(&self, offer: Offer) -> bool {
        let kept = self.keep(offer).await;
        if let Err(error) = &kept {
            tracing::error!(%error, "the policy is enforced but not kept on disk: it is written again until it is");
        }
        kept.is_ok()
    }

    async fn keep(&self, offer: Offer) -> io::Result<()> {
        let Some(held) = self.held.clone() else { return Err(io::ErrorKind::NotFound.into()) };
        let (place, secrets) = (self.place.clone(), self.sealed_bytes());
        let done = tokio::task::spawn_blocking(move || {
            place.enforced.flush()?;
            let kept = place.kept.keep((&offer, &secrets), &held.version.digest, || held.whole())?;
            place.enforced.kept(("current", &held.version), kept);
            Ok(())
        });
        done.await.map_err(io::Error::other)?
    }

    /// Writes what is held and not on the disk yet: what the disk refused is written again until it takes it.
    pub(super) async fn save(&self) {
        let statements = self.node.overlay().statements().clone();
        if !statements.are_saved() {
            match tokio::task::spawn_blocking(move || statements.save()).await {
                Ok(Ok(())) => tracing::info!("what holds above any policy is on disk again"),
                Ok(Err(error)) => tracing::debug!(%error, "what holds above any policy is not on disk yet"),
                Err(error) => tracing::error!(%error, "what holds above any policy is not on disk yet"),
            }
        }
        let unsaved = self.held.as_ref().filter(|_| !self.state.persisted());
        if let Some(offer) = unsaved.map(|held| held.whole())
            && self.keep(offer).await.is_ok()
        {
            self.state.set_persisted(true);
            tracing::info!("the policy in force is on disk again");
        }
    }

    /// Once the process has lived with its policy for a minute, says so on disk.
    pub(super) fn lives(&mut self) {
        if self.since.is_some_and(|since| since.elapsed() >= PROOF) {
            self.prove();
        }
    }

    /// The process is told to end: whatever becomes of it, the policy did not end it.
    pub(super) fn ends(&mut self) {
        self.place.enforced.ends();
    }

    fn prove(&mut self) {
        self.since = None;
        self.place.enforced.lives();
        let Some(held) = self.held.clone() else { return };
        let (place, secrets) = (self.place.clone(), self.sealed_bytes());
        tokio::task::spawn_blocking(move || match place.kept.prove(held.whole(), &secrets) {
            Ok(()) => place.enforced.kept(("proven", &held.version), Kept::InItsFile),
            Err(error) => tracing::warn!(%error, "the policy this process lives with can't be kept apart"),
        });
    }

    /// Takes secrets over; tells whether they are others than before.
    fn open(&mut self, sealed: Sealed) -> bool {
        match Secrets::open(&sealed, &self.place.key, &self.place.spiffe_id) {
            Ok(secrets) if self.sealed.is_some() && secrets.are(&self.secrets) => false,
            Ok(secrets) => {
                self.secrets = Arc::new(secrets);
                self.sealed = Some(sealed);
                true
            }
            Err(error) => {
                tracing::error!(%error, "secrets were not taken over");
                false
            }
        }
    }

    /// New secrets take effect at once, with the snapshot that is in force, and are kept beside it.
    pub(super) async fn renew(&mut self, sealed: Sealed) {
        if !self.open(sealed) {
            return;
        }
        let Some(held) = self.held.clone() else { return };
        let (node, secrets, sealed) = (self.node.clone(), self.secrets.clone(), self.sealed_bytes());
        let place = self.place.clone();
        let work = move || {
            node.install(held.snapshot.clone(), &held.version, &secrets)?;
            Ok::<_, String>(place.kept.renew(sealed))
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(Ok(()))) => tracing::info!("new secrets are in force"),
            Ok(Ok(Err(error))) => {
                self.state.set_persisted(false);
                tracing::error!(%error, "new secrets are in force but not kept: they are written again until they are");
            }
            Ok(Err(error)) => tracing::error!(error, "new secrets were not taken over"),
            Err(error) => tracing::error!(%error, "new secrets were not taken over"),
        }
    }

    fn sealed_bytes(&self) -> Bytes {
        self.sealed.as_ref().map(|sealed| sealed.encode_to_vec()).unwrap_or_default().into()
    }
}

/// Without a scope key every API key would look wrong: better no policy, or the old one, than that.
fn has_scope_keys(held: &Held, secrets: &Secrets) -> Result<(), Refusal> {
    match held.scope_keys.iter().find(|id| !secrets.scope_keys.contains_key(*id)) {
        None => Ok(()),
        Some(missing) => {
            let detail =
                format!("the scope key `{missing}` of its API keys is not among this node's secrets");
            Err(Refusal::of(NackCode::ResourceMissing, detail))
        }
    }
}

fn broken(_: tokio::task::JoinError) -> Refusal {
    Refusal::of(NackCode::Validation, "building it failed in a way that is a bug")
}
