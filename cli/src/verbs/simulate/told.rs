//! What came of a simulation, for people and for programs: the same wherever the records were read.

use std::collections::BTreeSet;

use policy_engine::simulate::{Against, Flips, Tally, Turn, Who};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::people::People;
use crate::output;
use crate::output::table::table;

/// Principals and models that are listed for people, at most.
const ROWS: usize = 20;

/// What was simulated.
#[derive(Debug)]
pub(super) struct Told {
    /// What it was simulated on: AIP names of revisions.
    pub(super) bases: BTreeSet<String>,
    pub(super) counted: Tally,
    /// Who turns, by name.
    pub(super) people: People,
    /// What the draft was compared with.
    pub(super) against: Against,
    /// How each geo ended whose nodes were asked.
    pub(super) geos: Vec<Geo>,
}

/// How a geo ended.
#[derive(Debug)]
pub(super) struct Geo {
    /// What the control plane says of it.
    pub(super) told: Value,
    pub(super) geo: String,
    /// Why it is unavailable; `None`: it is not.
    pub(super) unavailable: Option<String>,
}

/// A principal with its tenant.
pub(super) fn principal(who: &Who) -> String {
    format!("{}/{}", who.tenant, who.principal)
}

impl Told {
    /// Fails where not everything was read.
    pub(super) fn whole(&self) -> Result<(), Failure> {
        let told = |geo: &Geo| Some((geo.geo.clone(), geo.unavailable.clone()?));
        let missing: Vec<_> = self.geos.iter().filter_map(told).collect();
        if missing.is_empty() { Ok(()) } else { Err(Failure::Unread(missing)) }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (turn, what) in [(Turn::AllowToDeny, "allow -> deny"), (Turn::DenyToAllow, "deny -> allow")] {
            let turned = self.counted.turned(turn);
            if turned.is_empty() {
                continue;
            }
            text += &format!("{what}:\n");
            let headings = ["requests", "principal", "model", "because", "rules", "such as"];
            text += &table(&headings, turned.iter().take(ROWS).map(|(who, flips)| self.row(who, flips)));
            if turned.len() > ROWS {
                let more = turned.len() - ROWS;
                text += &format!("and {more} principals and models more: -o json has them all\n");
            }
        }
        if self.counted.more {
            text += "there are principals and models more than are told\n";
        }
        let counts = &self.counted.counts;
        let bases: Vec<&str> = self.bases.iter().map(String::as_str).collect();
        if bases.is_empty() {
            return "no record was read: nothing was decided again\n".to_owned();
        }
        text += &match self.against {
            Against::Recorded => {
                format!("{} decisions, by the draft on {}:\n", counts.decisions(), bases.join(" "))
            }
            Against::InForce => {
                format!("{} requests, by {} and by the draft on it:\n", counts.decisions(), bases.join(" "))
            }
        };
        text += &format!(
            "  {} allow -> deny, {} deny -> allow, {} allowed to go elsewhere, {} as they were\n",
            counts.allow_to_deny, counts.deny_to_allow, counts.elsewhere, counts.same
        );
        if counts.already > 0 {
            text += &format!("  {} of those that turn, what is in force now turns already\n", counts.already);
        }
        if counts.undecided > 0 {
            text += &format!("  {} records more in which policy decided nothing\n", counts.undecided);
        }
        text += "  what was found in content is what was looked for then; limits and kills are left aside\n";
        text
    }

    fn row(&self, who: &Who, flips: &Flips) -> Vec<String> {
        let list = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>().join(" ");
        vec![
            flips.count.to_string(),
            output::plain(&self.people.named(&principal(who))),
            output::plain(&who.model),
            output::plain(&list(&mut flips.reasons.iter().cloned())),
            list(&mut flips.rules.iter().map(ToString::to_string)),
            output::plain(flips.examples.first().map(String::as_str).unwrap_or_default()),
        ]
    }

    pub(super) fn json(&self) -> Value {
        let counts = &self.counted.counts;
        let turned = |turn: Turn, count: u64| {
            let row = |(who, flips): &(&Who, &Flips)| {
                let rules: Vec<String> = flips.rules.iter().map(ToString::to_string).collect();
                json!({ "principal": self.people.named(&principal(who)), "model": who.model, "count": flips.count,
                    "already": flips.already, "reasons": flips.reasons, "rules": rules, "examples": flips.examples })
            };
            let by: Vec<_> = self.counted.turned(turn).iter().map(row).collect();
            json!({ "count": count, "by": by })
        };
        let mut json = json!({
            "base": self.bases,
            "inForce": self.against == Against::InForce,
            "decisions": counts.decisions(),
            "allowToDeny": turned(Turn::AllowToDeny, counts.allow_to_deny),
            "denyToAllow": turned(Turn::DenyToAllow, counts.deny_to_allow),
            "elsewhere": counts.elsewhere,
            "same": counts.same,
            "undecided": counts.undecided,
            "others": counts.skipped,
        });
        if let Some(fields) = json.as_object_mut().filter(|_| !self.geos.is_empty()) {
            fields.insert("more".to_owned(), self.counted.more.into());
            fields.insert("geos".to_owned(), self.geos.iter().map(|geo| geo.told.clone()).collect());
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bases: &[&str], against: Against) -> Told {
        Told {
            bases: bases.iter().map(|base| (*base).to_owned()).collect(),
            counted: Tally::naming(1),
            people: People::default(),
            against,
            geos: Vec::new(),
        }
    }

    #[test]
    fn it_is_told_what_was_compared_and_that_nothing_was() {
        let recorded = told(&["revisions/7"], Against::Recorded);
        assert!(recorded.text().starts_with("0 decisions, by the draft on revisions/7:\n"));
        let in_force = told(&["revisions/7"], Against::InForce);
        assert!(in_force.text().starts_with("0 requests, by revisions/7 and by the draft on it:\n"));
        assert_eq!((&recorded.json()["inForce"], &in_force.json()["inForce"]), (&json!(false), &json!(true)));
        assert_eq!(told(&[], Against::Recorded).text(), "no record was read: nothing was decided again\n");
    }
}
