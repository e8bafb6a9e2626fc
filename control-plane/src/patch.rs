//! What differs between two versions of a resource, as a JSON patch (RFC 6902) of what REST says of it, for the log of acts.
//!
//! Law: it is made of stored bytes, in which no secret is, and of no more of them than an event has room for; what is left out says where
//! it can be had. Absent on purpose: differences for people, by the fields of files (`history`).

use policy_engine::vocabulary::Kind;
use prost_reflect::SerializeOptions;
use proto::admin::AuditedChange;
use serde_json::{Value, json};

use crate::descriptors;

/// Bytes of all differences of an event together, at most.
const ROOM: usize = 64 << 10;

/// Bytes of resources that are looked at for an event, at most: a small difference may be one of large things.
const LOOKED: usize = 4 << 20;

/// What an event has left for differences.
#[derive(Debug)]
pub(crate) struct Room {
    left: usize,
    look: usize,
    /// The revisions before and after.
    revisions: (i64, i64),
}

impl Room {
    /// Of a new event, of what was done between two revisions.
    pub(crate) fn new(revisions: (i64, i64)) -> Self {
        Self { left: ROOM, look: LOOKED, revisions }
    }

    /// Puts into a change what differs between the bytes before and after, or why it does not.
    pub(crate) fn fill(
        &mut self,
        change: &mut AuditedChange,
        kind: Kind,
        versions: (Option<&[u8]>, Option<&[u8]>),
    ) {
        match self.fitting(kind, versions) {
            Some(diff) => {
                self.left = self.left.saturating_sub(diff.len());
                change.diff = diff;
            }
            None => change.diff_left_out = self.elsewhere(&change.name),
        }
    }

    fn fitting(&mut self, kind: Kind, (before, after): (Option<&[u8]>, Option<&[u8]>)) -> Option<String> {
        let looked = before.map_or(0, <[u8]>::len).saturating_add(after.map_or(0, <[u8]>::len));
        // Nothing is shorter as JSON than it is stored.
        let fits = match (before, after) {
            (None, Some(after)) => after.len() <= self.left,
            (Some(_), Some(_)) => looked <= self.look,
            (_, None) => true,
        };
        if !fits {
            return None;
        }
        let patch = match (before, after) {
            (Some(before), Some(after)) => {
                self.look = self.look.saturating_sub(looked);
                let patch = json_patch::diff(&spoken(kind, before)?, &spoken(kind, after)?);
                serde_json::to_value(patch).ok()?
            }
            (None, Some(after)) => json!([{ "op": "add", "path": "", "value": spoken(kind, after)? }]),
            (_, None) => json!([{ "op": "remove", "path": "" }]),
        };
        Some(patch.to_string()).filter(|diff| diff.len() <= self.left)
    }

    fn elsewhere(&self, name: &str) -> String {
        let (before, after) = self.revisions;
        let place = match before {
            0 => format!("`revisions/{after}`, the first there is, has it whole"),
            _ => format!("`chancery revisions diff {before} {after} --resource {name}` has it"),
        };
        format!("it does not fit into the {ROOM} bytes of an event: {place}")
    }
}

/// What REST says of stored bytes.
fn spoken(kind: Kind, bytes: &[u8]) -> Option<Value> {
    let options = SerializeOptions::new().stringify_64_bit_integers(false);
    descriptors::dynamic(kind, bytes)?.serialize_with_options(serde_json::value::Serializer, &options).ok()
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use proto::admin::{Rule, RuleSpec};

    use super::*;

    fn rule(when: &str, geos: &[&str]) -> Vec<u8> {
        let geos = geos.iter().map(|geo| (*geo).to_owned()).collect();
        let spec = RuleSpec { when: when.to_owned(), geos, ..RuleSpec::default() };
        Rule { name: "rules/r".into(), spec: Some(spec), ..Rule::default() }.encode_to_vec()
    }

    fn filled(room: &mut Room, versions: (Option<&[u8]>, Option<&[u8]>)) -> AuditedChange {
        let mut change = AuditedChange { name: "rules/r".into(), ..AuditedChange::default() };
        room.fill(&mut change, Kind::Rule, versions);
        change
    }

    #[test]
    fn a_patch_makes_of_the_one_version_the_other() {
        let versions =
            [rule("true", &[]), rule("false", &["eu", "us"]), rule("false", &["us"]), rule("", &["eu"])];
        for before in &versions {
            for after in &versions {
                let change = filled(&mut Room::new((1, 2)), (Some(before), Some(after)));
                let patch: json_patch::Patch = serde_json::from_str(&change.diff).unwrap();
                let mut document = spoken(Kind::Rule, before).unwrap();
                json_patch::patch(&mut document, &patch).unwrap();
                assert_eq!(document, spoken(Kind::Rule, after).unwrap(), "{}", change.diff);
                assert_eq!(patch.0.is_empty(), before == after);
            }
        }
        let made = filled(&mut Room::new((1, 2)), (None, Some(&versions[0])));
        assert_eq!(
            made.diff,
            r#"[{"op":"add","path":"","value":{"name":"rules/r","spec":{"when":"true"}}}]"#
        );
        let gone = filled(&mut Room::new((1, 2)), (Some(&versions[0]), None));
        assert_eq!((gone.diff.as_str(), gone.diff_left_out.as_str()), (r#"[{"op":"remove","path":""}]"#, ""));
    }

    #[test]
    fn an_event_has_room_for_so_much_and_what_is_left_out_says_where_it_is() {
        let large = rule(&"x".repeat(40_000), &[]);
        let mut room = Room::new((7, 8));
        let changes: Vec<_> = (0..3).map(|_| filled(&mut room, (None, Some(&large)))).collect();
        assert_eq!(
            changes.iter().map(|change| change.diff.is_empty()).collect::<Vec<_>>(),
            [false, true, true]
        );
        assert!(changes.iter().map(|change| change.diff.len()).sum::<usize>() <= ROOM);
        let told = &changes[1].diff_left_out;
        assert!(told.ends_with("`chancery revisions diff 7 8 --resource rules/r` has it"), "{told}");
        let small = filled(&mut room, (None, Some(&rule("true", &[]))));
        assert!(!small.diff.is_empty(), "what fits still has its place");
        let first = filled(&mut Room::new((0, 1)), (None, Some(&rule(&"x".repeat(ROOM), &[]))));
        assert!(first.diff_left_out.ends_with("`revisions/1`, the first there is, has it whole"));
        // Of large things a small difference is told.
        let other = rule(&format!("{}y", "x".repeat(40_000)), &["eu"]);
        let same = filled(&mut Room::new((1, 2)), (Some(&large), Some(&large)));
        assert_eq!(same.diff, "[]");
        assert!(filled(&mut Room::new((1, 2)), (Some(&large), Some(&other))).diff.len() > 40_000);
    }
}
