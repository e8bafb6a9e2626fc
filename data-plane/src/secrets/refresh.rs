//! Asking keepers when it is time, and putting in force what changed.
//!
//! Law: it is off the request path, some questions at a time, and ends with the node.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use policy_engine::facts::Credential;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Remote, Settled};

/// Questions at the same time.
const AT_ONCE: usize = 8;

/// What is done where another value is to be in force.
pub(crate) trait Renew: Send + Sync + 'static {
    /// Puts what is in force in force again, with the secrets as they are now. May block.
    fn renew(&self);
}

/// Asks until it is told to end.
pub(crate) async fn run(remote: Arc<Remote>, renew: Arc<impl Renew>, stop: CancellationToken) {
    loop {
        let (due, next) = remote.due(Instant::now());
        if !due.is_empty() {
            if round(&remote, due).await {
                let renew = renew.clone();
                let _nobody_to_tell = tokio::task::spawn_blocking(move || renew.renew()).await;
            }
            // What was answered says when each is due.
            continue;
        }
        let waiting = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = remote.sooner.notified() => {}
            () = waiting => {}
        }
    }
}

/// Asks for these; whether any changed.
async fn round(remote: &Remote, due: Vec<Credential>) -> bool {
    let asked = stream::iter(due).map(|reference| async move {
        let answer = remote.keepers.fetch(&reference).await;
        remote.settle(&reference, answer, Instant::now())
    });
    asked.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.contains(&Settled::Changed)
}
