//! The look at the clock, once a second, and what was heard written down.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::node::Node;

/// Between two looks.
const TURN: Duration = Duration::from_secs(1);

/// Looks at the clock until `stop`.
pub(crate) async fn watch(node: Arc<Node>, stop: CancellationToken) {
    let mut turn = tokio::time::interval(TURN);
    let mut writing: Option<JoinHandle<()>> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        let freshness = &node.freshness;
        let now = freshness.reading();
        freshness.look(now);
        if let Some(runtime) = node.runtime.load().as_ref() {
            freshness.tell(freshness.worst(runtime.spans(), now));
        }
        // A disk that hangs holds up the next words, and never the look at the clock.
        if writing.as_ref().is_none_or(JoinHandle::is_finished)
            && let Some(words) = freshness.words(now)
        {
            let kept = freshness.kept.clone();
            writing = Some(tokio::task::spawn_blocking(move || kept.write(words)));
        }
    }
}
