//! Checkpoints of the audit log: how large it is and its root, signed, so that who has one can tell a log that was changed since.
//!
//! Law: a size is signed for once, and the newest two generations of keys both sign, so that who verifies by the one before is not
//! left alone by a rotation. The keys sign nothing else, and no other keys sign this. A checkpoint is made every ten seconds in which
//! something was logged, after a thousand events, and whenever it is asked for; the log is looked at every second for that. Absent on
//! purpose: who remembers checkpoints and holds the log to them, which nodes do (`api::sync`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use proto::checkpoint::{Checkpoint, VerifierKey};
use proto::code::ErrorCode;
use proto::pruned::Wrong;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock;
use crate::lawful::Lawful;
use crate::seal::{SealError, Sealer, Use};
use crate::store::{AuditKeyRow, CheckpointRow, Page, Store, StoreError};

/// How long events wait for their checkpoint at most.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// How many events wait for it at most.
const EVENTS: u64 = 1_000;

/// Looks at the log in one interval.
const LOOKS: u32 = 10;

/// Generations of keys that sign.
pub(crate) const SIGNING: usize = 2;

/// Why a checkpoint was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key does not open, or is none.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The log has no name that a key may bear.
    #[error(transparent)]
    Named(#[from] proto::checkpoint::CheckpointError),
    /// The log no longer is what was signed for.
    #[error(
        "the audit log is not the one that was signed for at {size} events: it was changed behind the control plane's back"
    )]
    Inconsistent {
        /// The size whose root is another now.
        size: i64,
    },
    /// The log tells that something was pruned that it does not allow.
    #[error("event {event} of the audit log: {what}: it was written behind the control plane's back")]
    Unlawful {
        /// The event.
        event: u64,
        /// What is wrong.
        what: String,
    },
}

/// What signs checkpoints of the audit log, and the newest of them. Clones share it.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    /// The newest first.
    keys: Vec<AuditKey>,
    newest: watch::Sender<Option<Arc<CheckpointRow>>>,
    /// The log is not the one that was signed for.
    broken: AtomicBool,
    signing: Mutex<Judged>,
}

/// What was found of what the log allows, by whoever signs.
#[derive(Debug, Default)]
struct Judged {
    lawful: Lawful,
    wrong: Option<Wrong>,
}

/// A key that signs.
struct AuditKey {
    generation: i64,
    pair: Ed25519KeyPair,
    public: VerifierKey,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.public)).finish()
    }
}

impl Checkpoints {
    /// The keys of a store, of a generation at least: where the newest is lower, one of that generation takes its place.
    ///
    /// # Errors
    /// A key does not open under the sealer, or the store fails. A log that is not the one that was last signed for is told of.
    pub async fn open(store: &Store, sealer: &Sealer, least: i64) -> Result<Self, NotSigned> {
        let mut rows = store.audit_keys().await?;
        if rows.first().is_none_or(|newest| newest.generation < least.max(1)) {
            make(store, sealer, (least.max(1), rows.first())).await?;
            rows = store.audit_keys().await?;
        }
        let keys: Result<Vec<_>, NotSigned> = rows.iter().map(|row| opened(sealer, row)).collect();
        let newest = store.checkpoints(Page { before: None, size: 1 }).await?.pop();
        let newest = watch::Sender::new(newest.map(Arc::new));
        let (signing, broken) = (Mutex::new(Judged::default()), AtomicBool::new(false));
        let shared = Shared { store: store.clone(), keys: keys?, newest, broken, signing };
        let opened = Self { shared: Arc::new(shared) };
        match opened.now().await {
            // It goes on without signing: what nodes enforce does not hang on it, and who verifies sees no newer checkpoint.
            Err(error @ (NotSigned::Inconsistent { .. } | NotSigned::Unlawful { .. })) => alarm(&error),
            signed => drop(signed?),
        }
        Ok(opened)
    }

    /// The keys that verify, each with its generation, the newest first.
    pub fn keys(&self) -> impl Iterator<Item = (i64, &VerifierKey)> {
        self.shared.keys.iter().map(|key| (key.generation, &key.public))
    }

    /// The store whose log it is.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Whether the log was found to be another than was signed for. Who watches the newest checkpoint is woken when that changes.
    pub fn is_broken(&self) -> bool {
        self.shared.broken.load(Ordering::Relaxed)
    }

    /// The newest checkpoint, as it changes; `None` while the log is empty.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<CheckpointRow>>> {
        self.shared.newest.subscribe()
    }

    /// The checkpoint of the log as it is, which is made where there is none; `None` while the log is empty.
    ///
    /// # Errors
    /// The store fails, or the log does not hold what was signed for before.
    pub async fn now(&self) -> Result<Option<Arc<CheckpointRow>>, NotSigned> {
        let mut judged = self.shared.signing.lock().await;
        let before = self.shared.newest.borrow().clone();
        let head = self.shared.store.tree_head().await?;
        let size = i64::try_from(head.size).unwrap_or(i64::MAX);
        if let Some(before) = before {
            let still = self.still(&before).await;
            let broken = matches!(still, Err(NotSigned::Inconsistent { .. })) || judged.wrong.is_some();
            if self.shared.broken.swap(broken, Ordering::Relaxed) != broken {
                self.shared.newest.send_modify(|_| {});
            }
            still?;
            if before.size == size {
                return Ok(Some(before));
            }
        }
        let signed = self.shared.newest.borrow().as_ref().map_or(0, |newest| newest.size);
        self.judge(&mut judged, (signed, size)).await?;
        let Some(newest) = self.shared.keys.first().filter(|_| size > 0) else { return Ok(None) };
        let origin = newest.public.name().to_owned();
        let checkpoint = Checkpoint { origin, size: head.size, root: head.root };
        let note = checkpoint.signed(self.shared.keys.iter().take(SIGNING).map(|key| &key.pair));
        let made = CheckpointRow { size, root: head.root, note, created_at: clock::now() };
        self.shared.store.keep_checkpoint(&made).await?;
        let kept = self.shared.store.checkpoint(size).await?.unwrap_or(made);
        let kept = Arc::new(kept);
        self.shared.newest.send_replace(Some(kept.clone()));
        Ok(Some(kept))
    }

    /// Whether the log allows what was pruned of it since it was signed for.
    async fn judge(&self, judged: &mut Judged, (signed, size): (i64, i64)) -> Result<(), NotSigned> {
        // What was signed for is for whoever verifies; it is no other for being told of again.
        judged.lawful.follow(&self.shared.store, signed).await?;
        let wrong = judged.lawful.follow(&self.shared.store, size).await?;
        judged.wrong = judged.wrong.take().or_else(|| wrong.into_iter().next());
        let Some((event, what)) = judged.wrong.clone() else { return Ok(()) };
        if !self.shared.broken.swap(true, Ordering::Relaxed) {
            self.shared.newest.send_modify(|_| {});
        }
        Err(NotSigned::Unlawful { event, what })
    }

    /// Whether the log still is what was signed for.
    async fn still(&self, before: &CheckpointRow) -> Result<(), NotSigned> {
        let size = u64::try_from(before.size).unwrap_or_default();
        match self.shared.store.root_at(size).await? {
            Some(root) if root == before.root => Ok(()),
            _ => Err(NotSigned::Inconsistent { size: before.size }),
        }
    }

    /// Makes checkpoints as the log grows, an interval after the one before and a look at the latest, until `stop`.
    pub async fn run(self, interval: Duration, stop: CancellationToken) {
        let mut look = tokio::time::interval(interval / LOOKS);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut made = Instant::now();
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            let signed_for = self.shared.newest.borrow().as_ref().map_or(0, |newest| newest.size);
            let signed_for = u64::try_from(signed_for).unwrap_or_default();
            let due = match self.shared.store.audit_size().await {
                Ok(size) => {
                    size != signed_for
                        && (size.saturating_sub(signed_for) >= EVENTS || made.elapsed() >= interval)
                }
                Err(error) => {
                    tracing::warn!(%error, "the audit log can't be looked at");
                    false
                }
            };
            if due {
                made = Instant::now();
                if let Err(error) = self.now().await {
                    alarm(&error);
                }
            }
        }
    }
}

/// Tells an operator that nothing is signed.
fn alarm(error: &NotSigned) {
    let code = match error {
        NotSigned::Inconsistent { .. } | NotSigned::Unlawful { .. } => ErrorCode::AuditInconsistent,
        _ => ErrorCode::Internal,
    };
    tracing::error!(%error, code = code.as_str(), "no checkpoint of the audit log is signed");
}

/// Makes the key of a generation and keeps it; the log keeps the name it has.
async fn make(
    store: &Store,
    sealer: &Sealer,
    (generation, before): (i64, Option<&AuditKeyRow>),
) -> Result<(), NotSigned> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| SealError::System)?;
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| SealError::System)?;
    let new_name = || format!("chancery/{}", Uuid::new_v4().simple());
    let sealed_key = sealer.seal(Use::AuditKey(&generation.to_string()), document.as_ref())?;
    let row = AuditKeyRow {
        generation,
        origin: before.map_or_else(new_name, |before| before.origin.clone()),
        public_key: pair.public_key().as_ref().to_vec(),
        sealed_key,
    };
    store.keep_audit_key(&row, clock::now()).await?;
    Ok(())
}

fn opened(sealer: &Sealer, row: &AuditKeyRow) -> Result<AuditKey, NotSigned> {
    let document: Zeroizing<Vec<u8>> =
        sealer.open(Use::AuditKey(&row.generation.to_string()), &row.sealed_key)?;
    let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_| SealError::Opened)?;
    let public = VerifierKey::of(&row.origin, pair.public_key().as_ref())?;
    Ok(AuditKey { generation: row.generation, pair, public })
}

#[cfg(test)]
mod tests;
