//! Changes that one principal may not make alone: which kinds they are of.
//!
//! Law: what is of such a kind becomes a revision only as the approval of a proposal, by somebody else than its proposer. Exempt is what
//! ends a rollout: it puts back what was in force, and so was approved, before. Keys that are taken back and kills are no part of this.
//! Absent on purpose: who may propose and approve (`actor`), and how proposals are kept (`proposals`).

use std::collections::BTreeSet;

use policy_engine::vocabulary::{Id, Kind};
use proto::code::ErrorCode;
use proto::name;
use proto::status::Refusal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What needs the approval of a second principal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalConfig {
    /// Kinds whose resources are changed only by a proposal that another principal approves, such as `["Rule", "Licence"]`. Default
    /// none; of keys it can't be said, since they are made and revoked by calls.
    #[serde(deserialize_with = "kinds")]
    pub kinds: BTreeSet<Kind>,
}

impl ApprovalConfig {
    /// Refuses a change of this resource, where it is of a kind that needs approval.
    pub(crate) fn refuse_alone(&self, kind: Kind, id: &Id) -> Result<(), Refusal> {
        if !self.kinds.contains(&kind) {
            return Ok(());
        }
        let line = format!(
            "`{}` is of a kind that two principals change together: propose it in a file with `propose` (`chancery apply --propose`, \
             `chancery delete -f --propose`), for another to approve (`chancery proposals approve`)",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_spelled_as_in_files_and_a_key_is_none_of_them() {
        let read = |text: &str| toml::from_str::<ApprovalConfig>(text);
        assert_eq!(read("").unwrap(), ApprovalConfig::default());
        let config = read("kinds = [\"Rule\", \"Licence\"]").unwrap();
        assert_eq!(config.kinds, BTreeSet::from([Kind::Licence, Kind::Rule]));
        for wrong in ["kinds = [\"rules\"]", "kinds = [\"Key\"]", "kind = []"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let id = Id::platform("r".parse().unwrap());
        assert!(config.refuse_alone(Kind::Model, &id).is_ok());
        let refusal = config.refuse_alone(Kind::Rule, &id).unwrap_err();
        assert!(refusal.message.starts_with("`rules/r` is of a kind"), "{refusal:?}");
    }
}
