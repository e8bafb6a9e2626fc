//! What this node holds: restored or offered, verified, put in force, kept.
//!
//! Law: nothing is in force that was not verified and built first, off the threads that serve requests and within a time; what
//! fails on the way leaves what was in force. What is taken over is noted before it is built, so that one that ends the process is
//! known for it. What the disk did not take is written again until it does: the control plane says nothing twice to a node that says
//! that it knows it. Secrets that do not fit what is in force wait for the policy that they fit.
//! Absent on purpose: the stream it comes over.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use policy_engine::vocabulary::Geo;
use prost::Message;
use proto::sync::{NackCode, Secrets as Sealed, Statement};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::enforced::{Enforced, Memory};
use super::identity::NodeKey;
use super::install::Install;
use super::last_known_good::{Journal, Kept, LastKnownGood};
use super::log::Log;
use super::secrets::Secrets;
use super::state::{PolicyState, Version};
use super::trust::{Subject, Trust, Untrusted};
use super::verify::{Held, Judge, Offer, Refusal, has_scope_keys};
use crate::overlay::{Said, Statements};

/// How long building a snapshot may take; a hundred times what the largest takes that was measured.
const BUDGET: Duration = Duration::from_secs(30);

/// How long a process has to live with a policy to show that it can.
const PROOF: Duration = Duration::from_secs(60);

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
    /// What was seen of the audit log.
    pub(crate) log: Log,
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

    /// Says over restarts what is on disk of earlier epochs.
    pub(super) fn witness(&self, statements: &Statements) {
        for said in [Said::Revocations, Said::Kills] {
            if let Ok(traced) = statements.traced(said) {
                self.enforced.traces(said, traced);
            }
        }
    }
}

/// What this node holds.
pub(super) struct Holder<N> {
    place: Arc<Place>,
    node: Arc<N>,
    state: Arc<PolicyState>,
    secrets: Arc<Secrets>,
    sealed: Option<Sealed>,
    /// Secrets without the scope keys of what is in force.
    waiting: Option<(Arc<Secrets>, Sealed)>,
    held: Option<Arc<Held>>,
    /// One place: what was given up because it took too long is waited for before the next is begun.
    building: Arc<Semaphore>,
    /// When the newest policy was put in force; `None` once the process has lived with it.
    since: Option<Instant>,
    /// Since when there is nothing in force, for what there is ended processes.
    bare: Option<Instant>,
}

impl<N: Install> Holder<N> {
    pub(super) fn new(place: Place, node: Arc<N>, state: Arc<PolicyState>) -> Self {
        let building = Arc::new(Semaphore::new(1));
        let (place, secrets) = (Arc::new(place), Arc::default());
        let (sealed, waiting, held, since, bare) = (None, None, None, None, None);
        Self { place, node, state, secrets, sealed, waiting, held, building, since, bare }
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
        if self.place.enforced.seen() > self.place.log.place() {
            tracing::error!(
                "what was seen here of the audit log is gone, or an old copy: a log that was changed since may not be told from it"
            );
        }
        self.doubt_older_statements();
        let mut journals = self.place.kept.load().peekable();
        if journals.peek().is_some() {
            self.doubt_without_memory();
        }
        if !self.node.overlay().is_unknown() {
            self.place.witness(self.node.overlay().statements());
        }
        self.restore_kept(journals).await;
    }

    async fn restore_kept(&mut self, journals: impl Iterator<Item = Journal>) {
        for journal in journals {
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

    /// What was taken back and switched off is not known where less is on disk than was held.
    fn doubt_older_statements(&self) {
        for said in [Said::Revocations, Said::Kills] {
            let overlay = self.node.overlay();
            let lacks = |found| self.place.enforced.traced_more(said, found);
            let earlier = overlay.statements().traced(said).is_ok_and(lacks) && overlay.doubt(said);
            if overlay.held_before(said, self.place.enforced.held(said)) || earlier {
                tracing::error!(
                    ?said,
                    "what is on disk is older than what was held here, and may be an old copy: no request is served \
                    before the control plane is heard"
                );
            }
        }
    }

    /// Where a policy is kept and nothing is there to tell older files by, each file may be an old copy, and each start after this
    /// knows no more.
    fn doubt_without_memory(&self) {
        match self.place.enforced.memory() {
            Memory::Gone => {
                self.place.enforced.set_gone(true);
                for said in [Said::Revocations, Said::Kills] {
                    self.node.overlay().doubt(said);
                }
                tracing::error!(
                    "a policy is kept, but what was enforced and held here is gone: any file may be an old copy, and no request \
                    is served before the control plane is heard"
                );
            }
            Memory::OfVersions => tracing::error!(
                "what was held here is not known, as after an upgrade from a build that did not note it: until the control plane is \
                heard, old copies of what was taken back and switched off are not told from what was there"
            ),
            Memory::Whole => {}
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
        if !secrets.is_empty() && !self.unseals(&secrets) {
            // One without API keys would need none, and make every key look wrong.
            return None;
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

    /// Takes over kept secrets; tells whether they could be read.
    fn unseals(&mut self, kept: &[u8]) -> bool {
        let sealed = Sealed::decode(kept).inspect_err(|error| {
            tracing::error!(%error, "kept secrets do not decode: the policy beside them is not used");
        });
        let Some((secrets, sealed)) = sealed.ok().and_then(|sealed| self.opened(sealed)) else {
            return false;
        };
        (self.secrets, self.sealed) = (secrets, Some(sealed));
        true
    }

    fn judge(&self) -> Judge<'_> {
        Judge { trust: &self.place.trust, geo: &self.place.geo, running: self.held.as_deref() }
    }

    /// Whether what is offered by the control plane may be taken over, as far as its audit log goes.
    pub(super) fn admits(&self, offer: &Offer) -> Result<(), Refusal> {
        let version = self.judge().version_of(offer)?;
        self.place.log.admits(&version).map_err(|why| Refusal::of(NackCode::AuditInconsistent, why))
    }

    /// Takes over what is offered.
    pub(super) async fn apply(&mut self, offer: &Offer) -> Result<Version, Refusal> {
        let version = self.judge().version_of(offer)?;
        if self.place.enforced.crash_looped(&version) {
            let detail = "the process ended twice while it was taken over or soon after; another build or another policy is tried, \
                          and this one once more after a restart by hand, or where nothing else was in force for a minute";
            if self.held.is_none() {
                self.bare.get_or_insert_with(Instant::now);
            }
            return Err(Refusal::of(NackCode::CrashLoop, detail));
        }
        let begun = self.place.enforced.begin(&version);
        let taken = self.take_over_with_what_fits(offer).await;
        match taken {
            Ok(()) => {
                (self.since, self.bare) = (Some(Instant::now()), None);
                self.state.set_applied(version);
                Ok(version)
            }
            Err(refusal) => {
                self.place.enforced.failed(begun);
                Err(refusal)
            }
        }
    }

    /// Takes it over with the secrets that were told last, or, where those do not fit it either, with those in force.
    async fn take_over_with_what_fits(&mut self, offer: &Offer) -> Result<(), Refusal> {
        if let Some((secrets, sealed)) = self.waiting.take() {
            if self.take_over(offer, secrets.clone()).await.is_ok() {
                (self.secrets, self.sealed) = (secrets, Some(sealed));
                return Ok(());
            }
            self.waiting = Some((secrets, sealed));
        }
        self.take_over(offer, self.secrets.clone()).await
    }

    /// Verifies, compiles and swaps, off the threads that serve requests.
    async fn take_over(&mut self, offer: &Offer, secrets: Arc<Secrets>) -> Result<(), Refusal> {
        let (place, running, offer) = (self.place.clone(), self.held.clone(), offer.clone());
        let (building, known) = (self.building.clone(), secrets.clone());
        let build = async move {
            let turn = building.acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                let judge = Judge { trust: &place.trust, geo: &place.geo, running: running.as_deref() };
                let held = judge.verify(&offer)?;
                has_scope_keys(&held, &known)?;
                Ok(held)
            })
            .await
        };
        let late =
            |_| Refusal::of(NackCode::LimitExceeded, format!("building it takes more than {BUDGET:?}"));
        let held = tokio::time::timeout(BUDGET, build).await.map_err(late)?.map_err(broken)??;
        let (held, node) = (Arc::new(held), self.node.clone());
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
        let (statements, place) = (self.node.overlay().statements().clone(), self.place.clone());
        if !statements.are_saved() {
            let save = move || {
                let saved = statements.save();
                place.witness(&statements);
                saved
            };
            match tokio::task::spawn_blocking(save).await {
                Ok(Ok(())) => tracing::info!("what holds above any policy is on disk again"),
                Ok(Err(error)) => tracing::debug!(%error, "what holds above any policy is not on disk yet"),
                Err(error) => tracing::error!(%error, "what holds above any policy is not on disk yet"),
            }
        }
        if !self.place.log.is_saved() {
            let place = self.place.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || place.log.save()).await {
                tracing::error!(%error, "what was seen of the audit log is not on disk");
            }
        }
        if self.place.enforced.memory() == Memory::Gone && !self.node.overlay().is_unknown() {
            let place = self.place.clone();
            let known = tokio::task::spawn_blocking(move || place.enforced.set_gone(false));
            if let Err(error) = known.await {
                tracing::error!(%error, "that what is held is known again is not on disk");
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

    /// Where there was nothing to enforce for a minute but what ended processes, tries that once more; tells whether it is to be asked
    /// for, as it is not on the disk.
    pub(super) async fn tries_again(&mut self) -> bool {
        if self.bare.is_none_or(|since| since.elapsed() < PROOF) {
            return false;
        }
        self.bare = None;
        if !self.place.enforced.try_again() {
            return false;
        }
        tracing::warn!("there is nothing else to enforce: what ended processes is tried once more");
        let told = self.sealed.clone();
        let journals = self.place.kept.load();
        self.restore_kept(journals).await;
        if let Some(told) = told {
            self.renew(told).await;
        }
        self.held.is_none()
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

    /// Opens secrets; what does not open is told.
    fn opened(&self, sealed: Sealed) -> Option<(Arc<Secrets>, Sealed)> {
        let opened = Secrets::open(&sealed, &self.place.key, &self.place.spiffe_id);
        let told = opened.inspect_err(|error| tracing::error!(%error, "secrets were not taken over"));
        Some((Arc::new(told.ok()?), sealed))
    }

    /// New secrets take effect at once, with the snapshot that is in force, and are kept beside it; those that do not fit it wait for
    /// the one that they fit.
    pub(super) async fn renew(&mut self, sealed: Sealed) {
        let Some((secrets, sealed)) = self.opened(sealed) else { return };
        self.waiting = None;
        if self.sealed.is_some() && secrets.are(&self.secrets) {
            return;
        }
        if let Some(missing) = self.held.as_ref().and_then(|held| has_scope_keys(held, &secrets).err()) {
            tracing::warn!(
                detail = missing.detail,
                "new secrets do not fit the policy in force, and wait for the next"
            );
            self.waiting = Some((secrets, sealed));
            return;
        }
        (self.secrets, self.sealed) = (secrets, Some(sealed));
        let Some(held) = self.held.clone() else { return };
        let (node, secrets, sealed) = (self.node.clone(), self.secrets.clone(), self.sealed_bytes());
        let place = self.place.clone();
        let work = move || {
            node.install(held.snapshot.clone(), &held.version, &secrets).map(|()| place.kept.renew(sealed))
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

fn broken(_: tokio::task::JoinError) -> Refusal {
    Refusal::of(NackCode::Validation, "building it failed in a way that is a bug")
}
