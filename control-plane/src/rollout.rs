//! Rollouts on their way: from stage to stage while all is well, and back where it is not.
//!
//! Law: a stage ends when all its nodes enforce the candidate and nothing spoke against it for as long as it is to bake. A refusal,
//! a restart, a node that does not follow in time, and answers that fail or are refused more often than before, each take the
//! rollout back by a new revision. Nothing is decided here about keys that were taken back or kills: they are above both lines.
//! A control plane that starts again goes on where it was, once the nodes are back that were there; what bakes bakes anew.

mod conduct;
mod contents;
mod fleet;
mod rates;
mod stages;

use std::time::Duration;

use proto::admin::Rollout;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::RolloutConfig;
use crate::nodes::NodeRegistry;
use crate::nodes::standing::Standing;
use crate::publish::{Act, Active, Publisher};
use crate::store::StoreError;

pub use conduct::{conduct, told};
pub use contents::Contents;
pub use fleet::Observed;
pub use stages::{Step, plan};

/// Between two looks at a rollout.
const TURN: Duration = Duration::from_millis(100);

/// Takes rollouts from stage to stage, until `stop`.
pub async fn run(publisher: Publisher, nodes: NodeRegistry, config: RolloutConfig, stop: CancellationToken) {
    let mut lines = publisher.lines();
    let mut last = String::new();
    loop {
        let active = lines.borrow_and_update().rollout.clone();
        if let Some(Active { record, .. }) = active.as_deref()
            && record.name != last
        {
            last.clone_from(&record.name);
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
                look(&publisher, &nodes, &config, &active).await;
                if stop.run_until_cancelled(tokio::time::sleep(TURN)).await.is_none() {
                    return;
                }
            }
        }
    }
}

/// One look at a rollout, and what follows of it.
async fn look(publisher: &Publisher, nodes: &NodeRegistry, config: &RolloutConfig, active: &Active) {
    let name = &active.record.name;
    let observed = match observed(publisher, nodes, Some(&active.record)).await {
        Ok(observed) => observed,
        Err(error) => {
            tracing::error!(rollout = name, %error, "what the lines are can't be read: it is looked at again");
            return;
        }
    };
    let done = match conduct(&active.record, &observed, config) {
        Step::Stay => return,
        Step::Go(record) => {
            let (before, after) = (&active.record, record.as_ref().clone());
            let kept = publisher.go_on(before, *record).await;
            kept.inspect(|()| log(before, &after))
        }
        Step::Back(reason) => {
            tracing::error!(rollout = name, reason, "a rollout is taken back");
            // What speaks against it is kept with it.
            if let Err(error) = publisher.go_on(&active.record, told(&active.record, &observed)).await {
                tracing::warn!(rollout = name, %error, "what speaks against a rollout could not be kept");
            }
            let act = Act::of_system("chancery.admin.v1.RolloutsService/AbortRollout");
            publisher.take_back(Act { reason: reason.clone(), ..act }, name, &reason).await.map(drop)
        }
    };
    if let Err(error) = done {
        tracing::error!(rollout = name, %error, "a rollout could not go on, and is looked at again");
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
