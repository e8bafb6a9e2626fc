//! How staged changes are taken to the nodes.

use std::time::Duration;

use policy_engine::vocabulary::Geo;
use proto::admin::RolloutStage;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::Length;

/// The longest that a stage may bake, and that a geo that is away is waited for.
const LONGEST: Length = Length(Duration::from_secs(30 * 24 * 60 * 60));

/// The shortest and the longest that nodes may take.
const ACK: (Length, Length) = (Length(Duration::from_millis(100)), Length(Duration::from_secs(24 * 60 * 60)));

/// How rollouts go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutConfig {
    /// Percent of a geo's nodes that have the candidate, stage by stage; 0 is one node, the canary. Each more than the one before, the
    /// last 100. One geo after the other. Default `[0, 10, 50, 100]`.
    #[serde(deserialize_with = "stages")]
    pub stages: Vec<u32>,
    /// How long nothing may speak against a stage before the next; 30 days at most. Default `60s`.
    #[serde(deserialize_with = "baking")]
    pub bake: Length,
    /// How long the nodes of a stage may take to enforce the candidate, `100ms` to `24h`. Default `30s`.
    #[serde(deserialize_with = "acking")]
    pub ack: Length,
    /// For how long a geo holds a rollout up of whose nodes none is connected; after that it is passed by, and its nodes have the change
    /// when they come. 30 days at most. Default `10m`.
    #[serde(deserialize_with = "baking")]
    pub away: Length,
    /// Answers that must have been given under the candidate before their rates count. Default `20`.
    pub least_requests: u64,
    /// By how many percent points the share of answers that fail may grow; 100 is by any. Default `2`.
    #[serde(deserialize_with = "percent")]
    pub more_errors: u32,
    /// By how many percent points the share of requests that policy refuses may grow; 100 is by any. Default `10`.
    #[serde(deserialize_with = "percent")]
    pub more_denials: u32,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self {
            stages: vec![0, 10, 50, 100],
            bake: Length(Duration::from_secs(60)),
            ack: Length(Duration::from_secs(30)),
            away: Length(Duration::from_secs(600)),
            least_requests: 20,
            more_errors: 2,
            more_denials: 10,
        }
    }
}

impl RolloutConfig {
    /// The stages over a geo of so many nodes: each gives the candidate to more of them than the one before, and the last to all,
    /// whoever comes later.
    pub fn stages_of(&self, geo: &Geo, nodes: usize) -> Vec<RolloutStage> {
        let mut reached = 0;
        let mut stages = Vec::new();
        for share in self.stages.iter().map(|share| *share.min(&100)) {
            let count = reach(share, nodes);
            if share == 100 || (count > reached && count < nodes) {
                stages.push(RolloutStage {
                    geo: geo.to_string(),
                    share,
                    state: "pending".to_owned(),
                    ..RolloutStage::default()
                });
                reached = count;
            }
        }
        stages
    }
}

/// Of so many nodes, those that a stage of a share is of.
pub(crate) fn reach(share: u32, nodes: usize) -> usize {
    match share {
        0 => nodes.min(1),
        share => nodes.saturating_mul(share as usize).div_ceil(100),
    }
}

fn stages<'de, D: Deserializer<'de>>(read: D) -> Result<Vec<u32>, D::Error> {
    let stages = Vec::<u32>::deserialize(read)?;
    let ascend = stages.windows(2).all(|two| two.first() < two.last());
    if ascend && stages.last() == Some(&100) {
        return Ok(stages);
    }
    Err(D::Error::custom(
        "`rollout.stages` are percentages, each more than the one before and the last 100, such as [0, 10, 50, 100]",
    ))
}

fn percent<'de, D: Deserializer<'de>>(read: D) -> Result<u32, D::Error> {
    let percent = u32::deserialize(read)?;
    match percent {
        0..=100 => Ok(percent),
        _ => Err(D::Error::custom(format!("{percent} is not a number of percent points from 0 to 100"))),
    }
}

fn baking<'de, D: Deserializer<'de>>(read: D) -> Result<Length, D::Error> {
    let length = Length::deserialize(read)?;
    match length.0 <= LONGEST.0 {
        true => Ok(length),
        false => Err(D::Error::custom("it is too long: it must be at most `30d`")),
    }
}

fn acking<'de, D: Deserializer<'de>>(read: D) -> Result<Length, D::Error> {
    let length = Length::deserialize(read)?;
    match (ACK.0.0..=ACK.1.0).contains(&length.0) {
        true => Ok(length),
        false => Err(D::Error::custom("nodes may be given `100ms` at the least and `24h` at the most")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn told(text: &str) -> Result<RolloutConfig, String> {
        let read = Config::parse(&format!("[rollout]\n{text}\n"), std::iter::empty());
        let chain = |e: &dyn std::error::Error| e.source().map_or_else(|| e.to_string(), ToString::to_string);
        read.map(|config| config.rollout).map_err(|error| chain(&error))
    }

    #[test]
    fn what_can_not_be_meant_is_told_with_its_line() {
        for wrong in [
            "stages = []",
            "stages = [0, 50]",
            "stages = [50, 10, 100]",
            "stages = [0, 0, 100]",
            "stages = [0, 100, 200]",
            "stages = [0, 150]",
            "stages = [-1, 100]",
            "more_errors = 101",
            "more_denials = 1000",
            "bake = \"365d\"",
            "away = \"31d\"",
            "ack = \"0s\"",
            "ack = \"25h\"",
        ] {
            let told = told(wrong).unwrap_err();
            assert!(told.starts_with("line 2: "), "{wrong}: {told}");
        }
        for right in
            ["stages = [100]", "stages = [1, 100]", "more_errors = 100", "bake = \"0s\"", "ack = \"1s\""]
        {
            assert!(told(right).is_ok(), "{right}: {:?}", told(right));
        }
    }

    #[test]
    fn a_stage_is_one_only_where_more_nodes_have_the_candidate_than_before_it() {
        let (config, geo) = (RolloutConfig::default(), "eu".parse().unwrap());
        let shares = |nodes| {
            let stages = config.stages_of(&geo, nodes);
            stages.into_iter().map(|stage| stage.share).collect::<Vec<_>>()
        };
        assert_eq!(shares(0), [100]);
        assert_eq!(shares(1), [100]);
        assert_eq!(shares(2), [0, 100]);
        assert_eq!(shares(4), [0, 50, 100]);
        assert_eq!(shares(20), [0, 10, 50, 100]);
    }
}
