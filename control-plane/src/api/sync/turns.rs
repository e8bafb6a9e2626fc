//! Turns to be sent something large, so that a fleet that comes at once is not in memory at once.
//!
//! Law: a turn ends when the node answers, or after a second: a node that does not read holds up nobody for longer. Who waits
//! for a turn goes on hearing heartbeats. What is small needs none.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard, PollSemaphore};

/// Nodes that are sent something large at a time.
const SENDING: usize = 32;

/// Bytes that are sent without a turn: they are less than a connection's own buffers.
const SMALL: u64 = 64 << 10;

/// How long a turn lasts at most.
const TURN: Duration = Duration::from_secs(1);

/// The turns of all nodes.
#[derive(Debug)]
pub(super) struct Turns {
    free: Arc<Semaphore>,
}

/// One node's place among those that wait.
pub(super) struct Waiting {
    free: PollSemaphore,
    /// It waits.
    wanted: bool,
    turn: Option<Turn>,
}

/// A turn; it ends when it is dropped, or of itself.
struct Turn(#[expect(dead_code, reason = "dropping it is what it is for")] DropGuard);

impl Default for Turns {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(SENDING)) }
    }
}

impl Turns {
    /// A place for a node.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting { free: PollSemaphore::new(self.free.clone()), wanted: false, turn: None }
    }
}

impl Waiting {
    /// Whether so many bytes may be sent now; if not, the node waits from now on.
    pub(super) fn may_send(&mut self, bytes: u64) -> bool {
        let may = bytes <= SMALL || self.turn.is_some();
        self.wanted = !may;
        may
    }

    /// Waits until its turn has come; for ever, where it waits for none.
    pub(super) async fn come(&mut self) {
        if !self.wanted {
            return std::future::pending().await;
        }
        // What is polled keeps its place when this is dropped and asked for again.
        let Some(permit) = poll_fn(|cx| self.free.poll_acquire(cx)).await else { return };
        let ended = CancellationToken::new();
        self.turn = Some(Turn(ended.clone().drop_guard()));
        self.wanted = false;
        tokio::spawn(async move {
            // Whichever comes first ends it.
            let _ended = tokio::time::timeout(TURN, ended.cancelled()).await;
            drop(permit);
        });
    }

    /// The node answered, or there is nothing more to be sent.
    pub(super) fn end(&mut self) {
        (self.wanted, self.turn) = (false, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_large_waits_for_its_turn_and_nobody_keeps_one_for_long() {
        let turns = Turns::default();
        let mut all: Vec<Waiting> = (0..SENDING).map(|_| turns.waiting()).collect();
        for one in &mut all {
            assert!(!one.may_send(SMALL + 1));
            one.come().await;
            assert!(one.may_send(SMALL + 1));
        }
        let mut late = turns.waiting();
        assert!(late.may_send(SMALL), "what is small waits for nobody");
        assert!(!late.may_send(SMALL + 1));
        assert_eq!(turns.free.available_permits(), 0);
        all.pop().unwrap().end();
        tokio::time::timeout(TURN * 20, late.come()).await.unwrap();
        // Nobody answers any more.
        let mut later = turns.waiting();
        assert!(!later.may_send(SMALL + 1));
        tokio::time::timeout(TURN * 20, later.come()).await.unwrap();
    }
}
