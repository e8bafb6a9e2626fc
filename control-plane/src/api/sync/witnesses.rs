//! Nodes as witnesses: each is shown how large the audit log is, and that it goes on from what the node saw of it before.
//!
//! Law: what is shown is made once for all nodes that hold the same, and its bytes are shared. At most one is unanswered per node, and
//! none is said again while nothing has changed. What can't be proved is shown all the same, without a proof: it is for the node to
//! find that out. Absent on purpose: what a node makes of it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use proto::sync::AuditCheckpoint;
use tokio::sync::{OnceCell, watch};

use crate::checkpoints::{Checkpoints, SIGNING};
use crate::store::{CheckpointRow, StoreError};

/// The capability of holding the control plane to its audit log.
pub(super) const WITNESS: &str = "witness";

/// How many forms are kept: nodes hold the newest size, or one of the few before it; after an outage, what they held then.
const KEPT: usize = 64;

/// What the node is told where the log is not what was signed for.
const BROKEN: &str = "its audit log is not the one that it signed for";

/// What nodes are shown.
#[derive(Debug)]
pub(super) struct Witnesses {
    checkpoints: Checkpoints,
    made: Mutex<VecDeque<(Form, Made)>>,
    /// The epoch that the log was last signed for in, because a node was to be shown it.
    signed: tokio::sync::Mutex<i64>,
}

type Made = Arc<OnceCell<AuditCheckpoint>>;

/// What is shown: by what the node holds, the size that is shown, and whether the log is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    held: u64,
    size: u64,
    broken: bool,
}

/// How far one node was shown the log.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// How many events it says it holds.
    held: u64,
    /// What was said last.
    said: Option<Form>,
    unanswered: bool,
}

impl Shown {
    /// A node that holds so many events.
    pub(super) fn of(held: u64) -> Self {
        Self { held, ..Self::default() }
    }

    /// It answered; it holds so many events now.
    pub(super) fn answered(&mut self, held: u64) {
        let taken = |form: Form| Form { held: if held == form.size { held } else { form.held }, ..form };
        (self.held, self.said, self.unanswered) = (held, self.said.map(taken), false);
    }

    /// A policy of a newer epoch may have let go of what it held: it is shown the log anew.
    pub(super) fn forget(&mut self) {
        self.said = None;
    }
}

impl Witnesses {
    pub(super) fn new(checkpoints: Checkpoints) -> Self {
        Self { checkpoints, made: Mutex::default(), signed: tokio::sync::Mutex::default() }
    }

    /// The newest checkpoint, as it changes.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Arc<CheckpointRow>>> {
        self.checkpoints.watch()
    }

    /// What a node is to be shown now, which is noted; `None` where it was, or its answer is still to come. What is shown in an epoch holds
    /// everything that was logged until the epoch was first met here, so that the act that began it is in what nodes see first of it.
    pub(super) async fn next(
        &self,
        shown: &mut Shown,
        epoch: i64,
    ) -> Result<Option<AuditCheckpoint>, StoreError> {
        if shown.unanswered {
            return Ok(None);
        }
        self.signed_in(epoch).await;
        let newest = self.checkpoints.watch().borrow().clone();
        let Some(newest) = newest else { return Ok(None) };
        let size = u64::try_from(newest.size).unwrap_or_default();
        let form = Form { held: shown.held, size, broken: self.checkpoints.is_broken() };
        if shown.said == Some(form) {
            return Ok(None);
        }
        let made = self.kept(form);
        let say = made.get_or_try_init(|| self.make(form, &newest)).await?.clone();
        (shown.said, shown.unanswered) = (Some(form), true);
        Ok(Some(say))
    }

    async fn signed_in(&self, epoch: i64) {
        let mut signed = self.signed.lock().await;
        if *signed < epoch {
            *signed = epoch;
            if let Err(error) = self.checkpoints.now().await {
                tracing::error!(%error, "no checkpoint of the audit log is signed");
            }
        }
    }

    fn kept(&self, form: Form) -> Made {
        let mut all = self.made.lock();
        if let Some((_, made)) = all.iter().find(|(known, _)| *known == form) {
            return made.clone();
        }
        let made = Made::default();
        all.push_back((form, made.clone()));
        let surplus = all.len().saturating_sub(KEPT);
        all.drain(..surplus);
        made
    }

    async fn make(&self, form: Form, newest: &CheckpointRow) -> Result<AuditCheckpoint, StoreError> {
        let (before, size) = (form.held.min(form.size), form.held.max(form.size));
        let proof = match self.checkpoints.store().consistency(before, size).await {
            Ok(proof) => proof.unwrap_or_default(),
            Err(error @ StoreError::Corrupt(_)) => {
                tracing::error!(%error, "no node can be shown that the audit log goes on");
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        Ok(AuditCheckpoint {
            note: Bytes::copy_from_slice(newest.note.as_bytes()),
            keys: self.checkpoints.keys().map(|(_, key)| key.to_string()).take(SIGNING).collect(),
            proof: proof.concat().into(),
            fault: if form.broken { BROKEN.to_owned() } else { String::new() },
        })
    }
}

/// Waits until there is something newer to show; for ever, where nothing is signed.
pub(super) async fn newer(checkpoints: &mut Option<watch::Receiver<Option<Arc<CheckpointRow>>>>) {
    let changed = match checkpoints {
        Some(newest) => newest.changed().await.is_ok(),
        None => false,
    };
    // Who signs lives as long as the process.
    if !changed {
        std::future::pending::<()>().await;
    }
}
