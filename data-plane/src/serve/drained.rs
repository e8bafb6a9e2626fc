//! A drain that an operator asked for, carried out: what is in flight ends or is cut, and what is recorded is written.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::drain::{Cuts, Standing};
use crate::node::Node;

/// Between two looks at what is in flight, or waits to be written.
const LOOK: Duration = Duration::from_millis(5);

/// How long what was cut may take to be gone, and what is recorded to be written.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// Carries drains out until `stop`.
pub(super) async fn run(node: Arc<Node>, cuts: Arc<Cuts>, stop: CancellationToken) {
    let mut followed = node.drains.follow();
    loop {
        let now = followed.borrow_and_update().clone().filter(|standing| standing.cut.is_none());
        let carried = async {
            match now {
                Some(Standing { id, within, .. }) => {
                    node.drains.done(&id, carry_out(&node, &cuts, within).await)
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            // Over, or another in its place.
            changed = followed.changed() => if changed.is_err() { return },
            () = carried => {}
        }
    }
}

/// Waits until what is in flight has ended, cuts what has not, and waits for the records; gives how many were cut.
async fn carry_out(node: &Node, cuts: &Cuts, within: Duration) -> u64 {
    let empty = async {
        while node.in_flight() > 0 || node.mirrors.under_way() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    let cut = match tokio::time::timeout(within, empty).await {
        Ok(()) => 0,
        Err(_) => {
            let left = node.in_flight();
            cuts.cut();
            node.mirrors.cut().await;
            u64::try_from(left).unwrap_or(u64::MAX)
        }
    };
    let written = async {
        while node.in_flight() > 0 || node.outbox.waiting() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(AFTERWARDS, written).await.is_err() {
        tracing::error!(waiting = node.outbox.waiting(), "a drain is done and not every record is written");
    }
    tracing::info!(cut, "the drain is done: nothing is in flight");
    cut
}
