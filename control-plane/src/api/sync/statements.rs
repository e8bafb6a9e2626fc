//! What nodes of a geo are told at once, above any snapshot: what was taken back, and what is switched off.
//!
//! Law: a revocation waits for no snapshot: it is signed and told as soon as it is published. Each statement is cumulative, so the
//! latest says all; one that says the same as the last is not told again.

use std::sync::Arc;

use policy_engine::vocabulary::Geo;
use prost::Message;
use proto::sync::{KillSet, RevocationSet, Statement};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::line::{AGAIN, Line, Origin};
use crate::kills::{self, Earlier, Held, Telling};
use crate::quiet::Quiet;
use crate::revocations::{Revoked, revocations};
use crate::signer::{Signers, Subject};
use crate::store::StoreError;

/// What nodes of a geo are told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) revocations: Arc<Said>,
    pub(super) kills: Arc<Said>,
}

/// The epoch and the seq of a statement.
pub(super) type Standing = (i64, u64);

/// A statement, and where it stands among those of its kind.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// 0: nothing was said yet.
    pub(super) epoch: i64,
    /// 0: nothing was ever taken back or switched off in the epoch.
    pub(super) seq: u64,
    pub(super) statement: Statement,
}

impl Said {
    /// Where it stands; epoch 0: nothing was said yet.
    pub(super) fn standing(&self) -> Standing {
        (self.epoch, self.seq)
    }

    fn of(signers: &Signers, subject: Subject, ((epoch, seq), body): (Standing, Vec<u8>)) -> Arc<Self> {
        let signer = signers.current();
        let signature = signer.sign(subject, &body);
        let statement =
            Statement { body: body.into(), signature, signer_certificate: signer.certificate().clone() };
        Arc::new(Self { epoch, seq, statement })
    }
}

/// Whether there is anything to say. From the second epoch on there always is: nodes may hold what an earlier one said.
fn is_news(epoch: i64, seq: u64) -> bool {
    seq > 0 || epoch > 1
}

/// Follows what is published and what is switched off, for one geo, until `stop`.
pub(super) fn follow(
    origin: Origin,
    geo: Geo,
    (head, stable): (Follows, Follows),
    stop: CancellationToken,
) -> watch::Receiver<Told> {
    let (tell, told) = watch::channel(Told::default());
    let maker = Maker {
        origin,
        geo,
        head,
        stable,
        revoked: None,
        kills: KillSet::default(),
        telling: Telling::default(),
        earlier: Earlier::default(),
        looked_up: 0,
    };
    tokio::spawn(async move { stop.run_until_cancelled(maker.run(tell)).await });
    told
}

type Follows = watch::Receiver<Option<Arc<Line>>>;

/// Makes the statements of a geo.
struct Maker {
    origin: Origin,
    geo: Geo,
    head: Follows,
    /// What nodes enforce that a rollout has not come to.
    stable: Follows,
    /// What the last revocations were made of.
    revoked: Option<(Arc<Revoked>, i64)>,
    /// What the last kills say, and since when each is told.
    kills: KillSet,
    telling: Telling,
    /// What was in the geo's policy before, and up to which revision that was looked up.
    earlier: Earlier,
    looked_up: i64,
}

impl Maker {
    async fn run(mut self, tell: watch::Sender<Told>) {
        let (mut published, mut kills) =
            (self.origin.publisher.watch(), self.origin.publisher.kills().watch());
        let mut trouble = Quiet::default();
        loop {
            published.mark_unchanged();
            kills.mark_unchanged();
            self.head.mark_unchanged();
            self.stable.mark_unchanged();
            // It waits for nothing that is read.
            if let Some(revocations) = self.revocations() {
                tell.send_modify(|told| told.revocations = revocations);
            }
            let switched = self.kills().await;
            let failed = switched.is_err();
            if !failed {
                trouble.is_over();
            }
            match switched {
                Ok(Some(kills)) => tell.send_modify(|told| told.kills = kills),
                Ok(None) => {}
                Err(error) if !trouble.is_news(&error) => {}
                Err(error) => {
                    tracing::error!(geo = %self.geo, %error, "what is switched off can't be told: nodes keep what they were told");
                }
            }
            let went_on = tokio::select! {
                () = tokio::time::sleep(AGAIN), if failed => Ok(()),
                changed = published.changed() => changed,
                changed = kills.changed() => changed,
                changed = self.head.changed() => changed,
                changed = self.stable.changed() => changed,
            };
            if went_on.is_err() {
                return;
            }
        }
    }

    /// The revocations, if they are others than before.
    fn revocations(&mut self) -> Option<Arc<Said>> {
        let published = self.origin.publisher.current();
        let (revoked, epoch) = (&published.revoked, published.head.epoch);
        if self.revoked.as_ref().is_some_and(|(then, of)| Arc::ptr_eq(then, revoked) && *of == epoch) {
            return None;
        }
        self.revoked = Some((revoked.clone(), epoch));
        let set = revocations(revoked, published.head, &self.geo);
        let said = |set: RevocationSet| ((set.epoch, set.seq), set.encode_to_vec());
        is_news(set.epoch, set.seq).then(|| Said::of(&self.origin.signers, Subject::Revocations, said(set)))
    }

    /// The kills, if they are others than before; they name only what is in a policy of the geo, or was. `None` until each line there is
    /// has been made: one seq says one thing.
    async fn kills(&mut self) -> Result<Option<Arc<Said>>, StoreError> {
        let (Some(head), stable) = (self.head.borrow().clone(), self.stable.borrow().clone()) else {
            return Ok(None);
        };
        let staged = self.origin.publisher.lines().borrow().rollout.is_some();
        if staged && stable.is_none() {
            return Ok(None);
        }
        let now = self.origin.publisher.kills().current();
        let mut policies = vec![&head.facts];
        policies.extend(stable.as_ref().map(|line| &line.facts));
        let revision = head.head.revision;
        self.earlier.forget(self.origin.publisher.changes_since(self.looked_up, revision).as_deref());
        let store = self.origin.publisher.store();
        self.earlier.look_up(&now, (&self.geo, &policies), store).await?;
        self.looked_up = revision;
        let held = Held { policies: &policies, earlier: &self.earlier, told: &self.kills };
        let set = kills::set_for(&now, &self.geo, held, head.head);
        let same = set.kills == self.kills.kills && set.epoch == self.kills.epoch;
        let is_told = same || !is_news(set.epoch, set.seq);
        self.telling = match is_told {
            true => Telling { of: now.seq, ..std::mem::take(&mut self.telling) },
            false => self.telling.then(now.seq, &self.kills, &set),
        };
        self.origin.publisher.kills().tells(&self.geo, self.telling.clone());
        if is_told {
            return Ok(None);
        }
        self.kills = set;
        let said = ((self.kills.epoch, self.kills.seq), self.kills.encode_to_vec());
        Ok(Some(Said::of(&self.origin.signers, Subject::Kills, said)))
    }
}
