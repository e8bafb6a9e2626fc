//! A drain that an operator asked for: the node takes no new requests, lets those in flight end or cuts them, and stays.
//!
//! Law: it ends requests as the end of the process does, and is over when the control plane says so: what ends the process ends
//! other than this. A drain that is told again is not begun again. Nothing of it is on disk: a process that starts hears of it
//! anew. Deliberately absent: carrying it out (`serve`), the refusal itself (`ingress`), and readiness (`ops`).

use std::time::Duration;

use parking_lot::Mutex;
use proto::sync::{Drain, DrainDone};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The drain that stands, if one does.
#[derive(Debug, Default)]
pub(crate) struct Drains(watch::Sender<Option<Standing>>);

/// A drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Which.
    pub(crate) id: String,
    /// How long what is in flight may take.
    pub(crate) within: Duration,
    /// How many requests were cut, once it is done.
    pub(crate) cut: Option<u64>,
}

/// What cuts the connections of a port: all that are open at a time, or for good.
#[derive(Debug)]
pub(crate) struct Cuts {
    stop: CancellationToken,
    open: Mutex<CancellationToken>,
}

impl Drains {
    /// Whether no new request is taken.
    pub(crate) fn stands(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// The id of the drain that stands; empty: none does.
    pub(crate) fn id(&self) -> String {
        self.0.borrow().as_ref().map(|standing| standing.id.clone()).unwrap_or_default()
    }

    /// The control plane asks for one; the one that stands is not begun again.
    pub(crate) fn begin(&self, asked: Drain) {
        let within = Duration::from_millis(asked.deadline_ms);
        self.0.send_if_modified(|standing| {
            if standing.as_ref().is_some_and(|standing| standing.id == asked.id) {
                return false;
            }
            tracing::warn!(
                reason = asked.reason,
                within_ms = asked.deadline_ms,
                "an operator drains this node: it takes no requests"
            );
            *standing = Some(Standing { id: asked.id, within, cut: None });
            true
        });
    }

    /// It is over.
    pub(crate) fn end(&self) {
        if self.0.send_replace(None).is_some() {
            tracing::info!("the drain is over: this node takes requests again");
        }
    }

    /// Follows what is to be said of it to the control plane: each drain that is done, once.
    pub(crate) async fn report<F: Future<Output = ()>>(&self, say: impl Fn(DrainDone) -> F) {
        let (mut followed, mut said) = (self.0.subscribe(), None);
        loop {
            let now = followed.borrow_and_update().clone();
            let done = now.and_then(|standing| Some(DrainDone { cut: standing.cut?, id: standing.id }));
            if let Some(done) = done.filter(|done| said.as_ref() != Some(done)) {
                said = Some(done.clone());
                say(done).await;
            }
            if followed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Follows which stands.
    pub(crate) fn follow(&self) -> watch::Receiver<Option<Standing>> {
        self.0.subscribe()
    }

    /// The drain of this id is done.
    pub(crate) fn done(&self, id: &str, cut: u64) {
        self.0.send_if_modified(|standing| match standing {
            Some(standing) if standing.id == id => {
                standing.cut = Some(cut);
                true
            }
            _ => false,
        });
    }
}

impl Cuts {
    /// Cut for good by this.
    pub(crate) fn under(stop: CancellationToken) -> Self {
        Self { open: Mutex::new(stop.child_token()), stop }
    }

    /// What cuts a connection that opens now.
    pub(crate) fn current(&self) -> CancellationToken {
        self.open.lock().clone()
    }

    /// Cuts what is open now.
    pub(crate) fn cut(&self) {
        std::mem::replace(&mut *self.open.lock(), self.stop.child_token()).cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(id: &str) -> Drain {
        Drain { id: id.to_owned(), deadline_ms: 5, reason: "a drill".to_owned() }
    }

    #[tokio::test]
    async fn a_drain_that_is_told_again_is_not_begun_again_and_another_one_is() {
        let drains = Drains::default();
        drains.begin(asked("a"));
        drains.done("a", 3);
        drains.begin(asked("a"));
        assert_eq!(drains.0.borrow().as_ref().unwrap().cut, Some(3));
        drains.begin(asked("b"));
        drains.done("a", 4);
        assert_eq!((drains.0.borrow().as_ref().unwrap().cut, drains.id().as_str()), (None, "b"));
        drains.end();
        assert!(!drains.stands() && drains.id().is_empty());
    }

    #[test]
    fn a_cut_is_of_what_is_open_and_the_end_is_of_all() {
        let stop = CancellationToken::new();
        let cuts = Cuts::under(stop.clone());
        let before = cuts.current();
        cuts.cut();
        let after = cuts.current();
        assert!(before.is_cancelled() && !after.is_cancelled() && !stop.is_cancelled());
        stop.cancel();
        assert!(after.is_cancelled());
    }
}
