//! Retention: for how long what is recorded is kept, and how it goes.
//!
//! Law: without a retention nothing goes; none takes effect before its grace is over; what a hold is over stays. What goes is an event of
//! the log first, in the transaction that removes it, and only payload goes: hashes, manifests and the events that tell of it stay.
//! Absent on purpose: who may set one (`api::admin`), SQL (`store`), and removing segments, which nodes do where these are.
//!
//! | class | what it is |
//! |---|---|
//! | `decisions` | the lines of segments of the decision log, of a geo |
//! | `reads` | events of what was looked at, and of what was refused |
//! | `changes` | events of what was changed |
//! | none | events that are proof of the logs themselves (`class`): they never go |

mod class;
mod prune;

use std::sync::Arc;

use policy_engine::vocabulary::{Duration as Length, Geo};
use prost::Message as _;
use proto::admin::{Retention, RetentionSpec};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::RetentionConfig;
use crate::holds::Standing;
use crate::store::{RetentionRow, Store, StoreError};

pub(crate) use class::Class;
use prune::Pruner;

/// Who knows how what is recorded goes. Clones share it.
#[derive(Debug, Clone)]
pub struct Retentions {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    config: RetentionConfig,
    holds: watch::Sender<Arc<Standing>>,
    /// Grows as retentions and holds change.
    changed: watch::Sender<u64>,
    /// Grows as lines of segments are to go.
    going: watch::Sender<u64>,
}

impl Retentions {
    /// Those of a store.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn open(store: &Store, config: &RetentionConfig) -> Result<Self, StoreError> {
        let holds = watch::Sender::new(Arc::new(Standing::read(store).await?));
        let (changed, going) = (watch::Sender::new(0), watch::Sender::new(0));
        let (store, config) = (store.clone(), config.clone());
        Ok(Self { shared: Arc::new(Shared { store, config, holds, changed, going }) })
    }

    /// The holds that stand, as they change.
    pub(crate) fn holds(&self) -> watch::Receiver<Arc<Standing>> {
        self.shared.holds.subscribe()
    }

    /// Changes as lines of segments are to go.
    pub(crate) fn going(&self) -> watch::Receiver<u64> {
        self.shared.going.subscribe()
    }

    /// Where it is kept what is to go.
    pub(crate) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// From when on anything goes by a retention that is set now, in microseconds since the Unix epoch.
    pub(crate) fn effective(&self, now: i64) -> i64 {
        now.saturating_add(i64::try_from(self.shared.config.grace.0.as_micros()).unwrap_or(i64::MAX))
    }

    /// Says that a retention or a hold has changed. Where the holds can't be read, everything is held.
    pub(crate) async fn touch(&self) {
        let standing = Standing::read(&self.shared.store).await.unwrap_or_else(|error| {
            tracing::error!(%error, "legal holds can't be read: everything is held");
            Standing { everything: true, ..Standing::default() }
        });
        self.shared.holds.send_if_modified(|known| {
            let is_new = **known != standing;
            *known = Arc::new(standing);
            is_new
        });
        self.shared.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Has what is over go, again and again, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let (mut pruner, mut changed) = (Pruner::default(), self.shared.changed.subscribe());
        let every = self.shared.config.every.0;
        loop {
            match pruner.round(&self.shared.store, clock::now()).await {
                Ok(round) => {
                    if round.segments > 0 {
                        self.shared.going.send_modify(|count| *count = count.wrapping_add(1));
                    }
                    if round != prune::Round::default() {
                        tracing::info!(
                            events = round.events,
                            segments = round.segments,
                            "pruned what is over"
                        );
                    }
                }
                Err(error) => tracing::warn!(%error, "what is over can't be pruned: it is tried again"),
            }
            let next = tokio::time::timeout(every, changed.changed());
            match stop.run_until_cancelled(next).await {
                None | Some(Ok(Err(_))) => return,
                Some(Ok(Ok(())) | Err(_)) => {}
            }
        }
    }
}

/// A retention as it was stored.
pub(crate) fn read(row: &RetentionRow) -> Result<Retention, StoreError> {
    Retention::decode(row.body.as_slice())
        .map_err(|_| StoreError::Corrupt(format!("the retention `{}`, which can't be read", row.name)))
}

/// Why a retention can't be meant: the field, and what is wrong with it.
pub(crate) type Wrong = (&'static str, String);

/// The id of a retention, and what it says as it is kept.
pub(crate) fn checked(spec: RetentionSpec) -> Result<(String, RetentionSpec), Wrong> {
    let class = Class::ALL.into_iter().find(|class| class.as_str() == spec.class);
    let words = || Class::ALL.map(Class::as_str).join("`, `");
    let class = class.ok_or_else(|| ("class", format!("is not one of `{}`", words())))?;
    let length = proto::convert::retention(&spec.keep).map_err(|why| ("keep", why))?;
    let spec = RetentionSpec { keep: length.to_string(), ..spec };
    if spec.geo.is_empty() {
        return Ok((class.as_str().to_owned(), spec));
    }
    if class != Class::Decisions {
        return Err(("geo", "is of decisions alone: the audit log is one for all geos".to_owned()));
    }
    let geo: Geo = spec.geo.parse().map_err(|_| ("geo", "is not the name of a geo".to_owned()))?;
    Ok((format!("{}-{geo}", class.as_str()), spec))
}

/// For how long something is kept by a retention, in microseconds; what can't be read keeps it.
fn kept(retention: &Retention) -> Option<i64> {
    let keep = &retention.spec.as_ref()?.keep;
    proto::convert::retention(keep).ok().map(|Length(micros)| micros)
}

#[cfg(test)]
mod tests;
