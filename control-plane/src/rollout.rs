//! Rollouts on their way: from stage to stage while all is well, and back where it is not.
//!
//! Law: a stage ends when all its nodes enforce the candidate and nothing spoke against it for as long as it is to bake. A refusal,
//! a restart, a node that does not follow in time, and answers that fail or are refused more often than under the stable content, each
//! take the rollout back by a new revision. Nothing is decided here about keys that were taken back or kills: they are above both lines.
//! A control plane that starts again goes on where it was, once the nodes are back that were there; what bakes bakes anew. One that was
//! stopped for a while, or whose clock was set, does the same.

mod causes;
mod conduct;
mod contents;
mod fleet;
mod pace;
mod rates;
mod stages;

use std::time::Duration;

use proto::admin::Rollout;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::RolloutConfig;
use crate::error::ChangeError;
use crate::nodes::NodeRegistry;
use crate::nodes::standing::Standing;
use crate::publish::{Act, Active, Publisher};
use crate::quiet::Quiet;
use crate::store::StoreError;

pub use conduct::{conduct, told};
pub use contents::Contents;
pub use fleet::Observed;
use pace::Pace;
pub use stages::{Step, plan};

/// Between two looks at a rollout.
const TURN: Duration = Duration::from_millis(100);

/// Takes rollouts from stage to stage, until `stop`.
pub async fn run(publisher: Publisher, nodes: NodeRegistry, config: RolloutConfig, stop: CancellationToken) {
    let mut lines = publisher.lines();
    let mut last = String::new();
    let mut looker = Looker { publisher, nodes, config, pace: Pace::begun(), trouble: Quiet::default() };
    loop {
        let active = lines.borrow_and_update().rollout.clone();
        if let Some(Active { record, .. }) = active.as_deref()
            && record.name != last
        {
            last.clone_from(&record.name);
            looker.pace = Pace::begun();
            tracing::info!(
                rollout = record.name,
                state = record.state,
                actor = record.actor,
                changes = record.changes.len(),
                stages = record.stages.len(),
                "a rollout is on its way"
            );
        }
        match active {
            None => {
                let changed = stop.run_until_cancelled(lines.changed()).await;
                if !matches!(changed, Some(Ok(()))) {
                    return;
                }
            }
            Some(active) => {
                looker.look(&active).await;
                if stop.run_until_cancelled(tokio::time::sleep(TURN)).await.is_none() {
                    return;
                }
            }
        }
    }
}

/// Who looks at rollouts, and what was seen before.
struct Looker {
    publisher: Publisher,
    nodes: NodeRegistry,
    config: RolloutConfig,
    pace: Pace,
    /// What went wrong last: it goes wrong again at each look.
    trouble: Quiet,
}

impl Looker {
    /// One look at a rollout, and what follows of it.
    async fn look(&mut self, active: &Active) {
        let name = &active.record.name;
        match self.looked(&active.record).await {
            Ok(()) => drop(self.trouble.is_over()),
            Err(error) if self.trouble.is_news(&error) => {
                tracing::error!(rollout = name, %error, "a rollout could not go on, and is looked at again");
            }
            Err(_) => {}
        }
    }

    async fn looked(&mut self, record: &Rollout) -> Result<(), ChangeError> {
        let observed = observed(&self.publisher, &self.nodes, Some(record)).await;
        self.judged(record, observed).await
    }

    /// What follows of what was seen. Whether time passed as it does is asked only now: a stop while it was read is a stop as well.
    async fn judged(
        &mut self,
        record: &Rollout,
        observed: Result<Observed, StoreError>,
    ) -> Result<(), ChangeError> {
        if let Some(set) = self.pace.look() {
            // Kept before anything else is judged: what could not be kept is owed at the next look.
            if self.publisher.go_on(record, pace::moved(record, set)).await? {
                self.pace.settled();
                let by_seconds = set / 1_000_000;
                tracing::warn!(
                    rollout = record.name,
                    by_seconds,
                    "this process was stopped, or its clock set: what bakes bakes anew"
                );
            }
            return Ok(());
        }
        let observed = observed?;
        let observed = Observed { watch: self.pace.watch(observed.watch), ..observed };
        match conduct(record, &observed, &self.config) {
            Step::Stay => Ok(()),
            Step::Go(next) => {
                let after = next.as_ref().clone();
                self.publisher.go_on(record, *next).await?;
                log(record, &after);
                Ok(())
            }
            Step::Back(reason) => self.back((record, &observed), reason).await,
        }
    }

    async fn back(
        &mut self,
        (record, observed): (&Rollout, &Observed),
        reason: String,
    ) -> Result<(), ChangeError> {
        let name = &record.name;
        // What speaks against it is kept with it.
        let kept = self.publisher.go_on(record, told(record, observed, &self.config)).await;
        let act = Act::of_system("chancery.admin.v1.RolloutsService/AbortRollout");
        self.publisher.take_back(Act { reason: reason.clone(), ..act }, name, &reason).await?;
        tracing::error!(rollout = name, reason, "a rollout is taken back");
        if let Err(error) = kept {
            tracing::warn!(rollout = name, %error, "what speaks against a rollout could not be kept");
        }
        Ok(())
    }
}

/// Logs what became of a rollout.
fn log(before: &Rollout, after: &Rollout) {
    let rollout = &after.name;
    for stage in after.stages.iter().filter(|stage| !before.stages.contains(stage)) {
        let (geo, share, nodes, note) = (&stage.geo, stage.share, stage.nodes.join(", "), &stage.note);
        let baking = stage.state == "running" && stage.acked_time.is_some();
        let state = if baking { "baking" } else { stage.state.as_str() };
        if state != "pending" {
            tracing::info!(rollout, geo, share, state, nodes, note, "a stage of a rollout");
        }
    }
    if (&before.state, &before.reason) != (&after.state, &after.reason) {
        tracing::info!(rollout, state = after.state, reason = after.reason, "a rollout goes on");
    }
}

/// What is seen of the nodes now, and of what they say of a rollout.
pub async fn observed(
    publisher: &Publisher,
    nodes: &NodeRegistry,
    rollout: Option<&Rollout>,
) -> Result<Observed, StoreError> {
    let standing = Standing::of(publisher);
    let fleet: Vec<_> = nodes.fleet().into_iter().map(|node| standing.shown(node)).collect();
    let contents = match rollout {
        Some(rollout) => Contents::of(publisher.store(), rollout.candidate_revision, &fleet).await?,
        None => Contents::default(),
    };
    Ok(Observed { nodes: fleet, watch: nodes.watch(), now: clock::now(), contents })
}

#[cfg(test)]
mod tests;
