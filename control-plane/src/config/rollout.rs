//! How staged changes are taken to the nodes.

use std::time::Duration;

use policy_engine::vocabulary::Geo;
use proto::admin::RolloutStage;
use serde::Deserialize;

use super::Length;

/// How rollouts go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutConfig {
    /// Percent of a geo's nodes that have the candidate, stage by stage; 0 is one node, the canary. One geo after the other.
    /// Default `[0, 10, 50, 100]`.
    pub stages: Vec<u32>,
    /// How long nothing may speak against a stage before the next. Default `60s`.
    pub bake: Length,
    /// How long the nodes of a stage may take to enforce the candidate. Default `30s`.
    pub ack: Length,
    /// Answers that must have been given under the candidate before their rates count. Default `20`.
    pub least_requests: u64,
    /// By how many percent points the share of answers that fail may grow. Default `2`.
    pub more_errors: u32,
    /// By how many percent points the share of requests that policy refuses may grow. Default `10`.
    pub more_denials: u32,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self {
            stages: vec![0, 10, 50, 100],
            bake: Length(Duration::from_secs(60)),
            ack: Length(Duration::from_secs(30)),
            least_requests: 20,
            more_errors: 2,
            more_denials: 10,
        }
    }
}

impl RolloutConfig {
    /// The stages of a rollout over these geos, in their order.
    pub fn stages(&self, geos: impl IntoIterator<Item = Geo>) -> Vec<RolloutStage> {
        let stage = |geo: &Geo, share: u32| RolloutStage {
            geo: geo.to_string(),
            share: share.min(100),
            state: "pending".to_owned(),
            ..RolloutStage::default()
        };
        let geos = geos.into_iter();
        geos.flat_map(|geo| self.stages.iter().map(move |share| stage(&geo, *share)).collect::<Vec<_>>())
            .collect()
    }
}
