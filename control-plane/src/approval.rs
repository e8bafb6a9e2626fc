//! Changes that one principal may not make alone: which kinds they are of.
//!
//! Law: what is of such a kind becomes a revision only as the approval of a proposal, by somebody else than its proposer. Exempt is what
//! ends a rollout: it puts back what was in force, and so was approved, before. Keys that are taken back and kills are no part of this.
//! Absent on purpose: who may propose and approve (`actor`), and how proposals are kept (`proposals`).

use std::collections::BTreeSet;

use policy_engine::vocabulary::{Duration, Id, Kind};
use proto::code::ErrorCode;
use proto::name;
use proto::status::Refusal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What needs the approval of a second principal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalConfig {
    /// Kinds whose resources are changed only by a proposal that another principal approves, such as `["Rule", "Licence"]`. Default
    /// none; of keys it can't be said, since they are made and revoked by calls.
    #[serde(deserialize_with = "kinds")]
    pub kinds: BTreeSet<Kind>,
    /// For how long a proposal may be approved, such as `12h`; longer than nothing, `365d` at most. Default `7d`. It holds for
    /// proposals that are made from then on.
    #[serde(deserialize_with = "span")]
    pub valid: Duration,
}

impl Default for ApprovalConfig {
    fn default() -> Self {
        Self { kinds: BTreeSet::new(), valid: Duration(7 * DAY) }
    }
}

/// Microseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The longest that a proposal may wait.
const LONGEST: i64 = 365 * DAY;

impl ApprovalConfig {
    /// Refuses a change of this resource, where it is of a kind that needs approval.
    pub(crate) fn refuse_alone(&self, kind: Kind, id: &Id) -> Result<(), Refusal> {
        if !self.kinds.contains(&kind) {
            return Ok(());
        }
        let line = format!(
            "`{}` is of a kind that two principals change together: propose it in a file with `propose` (`chancery apply --propose`, \
             `chancery delete -f --propose`), or a rollback (`chancery rollback --propose`), for another to approve (`chancery proposals approve`)",
            name::format(kind, id)
        );
        Err(Refusal::new(ErrorCode::FailedPrecondition, line))
    }
}

fn kinds<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<Kind>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    let kind = |word: &String| match word.parse() {
        Ok(Kind::Key) => Err(D::Error::custom("`Key` needs no approval: keys are made and revoked by calls")),
        kind => kind.map_err(D::Error::custom),
    };
    words.iter().map(kind).collect()
}

fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let length: Duration = String::deserialize(from)?.parse().map_err(D::Error::custom)?;
    match length.0 {
        1..=LONGEST => Ok(length),
        _ => Err(D::Error::custom("a proposal is good for more than nothing and at most `365d`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_spelled_as_in_files_and_a_key_is_none_of_them() {
        let read = |text: &str| toml::from_str::<ApprovalConfig>(text);
        assert_eq!(read("").unwrap(), ApprovalConfig::default());
        let config = read("kinds = [\"Rule\", \"Licence\"]").unwrap();
        assert_eq!(config.kinds, BTreeSet::from([Kind::Licence, Kind::Rule]));
        let wrong_spans = ["valid = \"0s\"", "valid = \"366d\"", "valid = \"-1d\"", "valid = 7"];
        assert_eq!(read("valid = \"12h\"").unwrap().valid, Duration(DAY / 2));
        for wrong in ["kinds = [\"rules\"]", "kinds = [\"Key\"]", "kind = []"].iter().chain(&wrong_spans) {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let id = Id::platform("r".parse().unwrap());
        assert!(config.refuse_alone(Kind::Model, &id).is_ok());
        let refusal = config.refuse_alone(Kind::Rule, &id).unwrap_err();
        assert!(refusal.message.starts_with("`rules/r` is of a kind"), "{refusal:?}");
    }
}
