//! What a draft would have decided of requests that were made: how many would turn, whose, on which model, and why.
//!
//! Law: by the engine that enforces, from what was written down. How many turn is counted whoever they are; of who turns on what so many are
//! named as are asked for, those that were met first. What was found in content is taken for given: a draft that looks for more than was
//! looked for then finds no more here. Absent on purpose: reading records, and telling anybody.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::replay::{Judged, Recorded, replay};
use crate::snapshot::CompiledSnapshot;
use crate::vocabulary::{Id, Instant, Name};

/// Requests that are named of each caller and model, at most.
pub const EXAMPLES: usize = 3;

/// What a draft's decisions are compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Against {
    /// What was decided then.
    #[default]
    Recorded,
    /// What is in force decides now of the same requests.
    InForce,
}

/// What is in force, and what would be.
#[derive(Debug, Clone, Copy)]
pub struct Worlds<'s> {
    /// What is in force.
    pub head: &'s CompiledSnapshot,
    /// What would be.
    pub draft: &'s CompiledSnapshot,
    /// What the draft is compared with.
    pub against: Against,
}

/// Which requests are meant, and what a draft is compared with; the default is all, as they were decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Decided from then on.
    pub since: Option<Instant>,
    /// Decided before then.
    pub until: Option<Instant>,
    /// Of this tenant.
    pub tenant: Option<Name>,
    /// What the draft is compared with.
    pub against: Against,
}

/// Which way a decision turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turn {
    /// It was allowed, or is by what is in force, and is refused.
    AllowToDeny,
    /// It was refused, or is by what is in force, and is allowed.
    DenyToAllow,
}

/// Who turns, on what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who {
    /// Which way.
    pub turn: Turn,
    /// The tenant.
    pub tenant: String,
    /// The principal.
    pub principal: String,
    /// The model that was meant, as whoever counts names it.
    pub model: String,
}

/// How often, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flips {
    /// Requests.
    pub count: u64,
    /// How many of them what is in force decides like the draft already; none where that is what the draft is compared with.
    pub already: u64,
    /// Codes of the most telling reasons of the refusals, by the draft or then.
    pub reasons: BTreeSet<String>,
    /// Rules that matched in them.
    pub rules: BTreeSet<Id>,
    /// Some of the requests, by their ids: at most [`EXAMPLES`].
    pub examples: Vec<String>,
}

/// How many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Decided as they were.
    pub same: u64,
    /// Allowed as they were, to go elsewhere.
    pub elsewhere: u64,
    /// Allowed then, and refused by the draft.
    pub allow_to_deny: u64,
    /// Refused then, and allowed by the draft.
    pub deny_to_allow: u64,
    /// Of those that turn, decided by what is in force as by the draft.
    pub already: u64,
    /// In which nothing was decided.
    pub undecided: u64,
    /// That were not asked for.
    pub skipped: u64,
}

/// A decision that was written down.
#[derive(Debug, Clone, Copy)]
pub struct Past<'r> {
    /// The request's id.
    pub request_id: &'r str,
    /// By what it was decided.
    pub recorded: &'r Recorded,
    /// What was decided.
    pub judged: &'r Judged,
}

/// What came of records, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// How many of each.
    pub counts: Counts,
    /// Who turns on what.
    pub flips: BTreeMap<Who, Flips>,
    /// Some of those that turn are not named.
    pub more: bool,
    most: usize,
}

impl Asked {
    /// Whether a decision is meant.
    pub fn covers(&self, recorded: &Recorded) -> bool {
        self.since.is_none_or(|since| recorded.instant >= since)
            && self.until.is_none_or(|until| recorded.instant < until)
            && self.tenant.as_ref().is_none_or(|tenant| *tenant == recorded.tenant)
    }
}

impl Counts {
    /// Decisions that were decided again. What others counted is believed to be numbers, and no more: sums end at the greatest.
    pub fn decisions(&self) -> u64 {
        let turned = self.allow_to_deny.saturating_add(self.deny_to_allow);
        self.same.saturating_add(self.elsewhere).saturating_add(turned)
    }

    /// These and others.
    pub fn join(&mut self, other: Self) {
        for (own, others) in [
            (&mut self.same, other.same),
            (&mut self.elsewhere, other.elsewhere),
            (&mut self.allow_to_deny, other.allow_to_deny),
            (&mut self.deny_to_allow, other.deny_to_allow),
            (&mut self.already, other.already),
            (&mut self.undecided, other.undecided),
            (&mut self.skipped, other.skipped),
        ] {
            *own = own.saturating_add(others);
        }
    }
}

impl Tally {
    /// Of nothing yet, in which so many principals and models are named.
    pub fn naming(most: usize) -> Self {
        Self { counts: Counts::default(), flips: BTreeMap::new(), more: false, most }
    }

    /// A decision, decided again; `model` names what was meant.
    pub fn take(&mut self, past: Past<'_>, worlds: Worlds<'_>, model: impl FnOnce() -> String) {
        let Past { request_id, recorded, judged } = past;
        let head = || replay(recorded, worlds.head).unwrap_or_else(nobody);
        let then = match worlds.against {
            Against::Recorded => Cow::Borrowed(judged),
            Against::InForce => Cow::Owned(head()),
        };
        let now = replay(recorded, worlds.draft).unwrap_or_else(nobody);
        let turn = match (then.allowed, now.allowed) {
            (true, false) => Turn::AllowToDeny,
            (false, true) => Turn::DenyToAllow,
            (true, true) if then.candidates != now.candidates => {
                self.counts.elsewhere += 1;
                return;
            }
            _ => {
                self.counts.same += 1;
                return;
            }
        };
        match turn {
            Turn::AllowToDeny => self.counts.allow_to_deny += 1,
            Turn::DenyToAllow => self.counts.deny_to_allow += 1,
        }
        let already = match worlds.against {
            Against::Recorded => u64::from(head().allowed == now.allowed),
            Against::InForce => 0,
        };
        self.counts.already += already;
        let (tenant, principal) = (recorded.tenant.to_string(), recorded.principal.to_string());
        let who = Who { turn, tenant, principal, model: model() };
        // Why it turns is what denies, now or then.
        let denial = if then.allowed { now } else { then.into_owned() };
        let flips = Flips {
            count: 1,
            already,
            reasons: denial.reasons.into_iter().take(1).collect(),
            rules: denial.matched.into_iter().collect(),
            examples: vec![request_id.to_owned()],
        };
        self.add(who, flips);
    }

    /// A record in which nothing was decided.
    pub fn pass(&mut self) {
        self.counts.undecided += 1;
    }

    /// Records that were not asked for.
    pub fn skip(&mut self, records: u64) {
        self.counts.skipped = self.counts.skipped.saturating_add(records);
    }

    /// What was counted elsewhere.
    pub fn join(&mut self, other: Self) {
        self.counts.join(other.counts);
        self.more |= other.more;
        for (who, flips) in other.flips {
            self.add(who, flips);
        }
    }

    /// Names who turns, where there is room; the counts stay as they are.
    pub fn add(&mut self, who: Who, flips: Flips) {
        if let Some(known) = self.flips.get_mut(&who) {
            known.join(flips);
        } else if self.flips.len() < self.most {
            self.flips.insert(who, flips);
        } else {
            self.more = true;
        }
    }

    /// Who turns in one direction, those first that turn most often.
    pub fn turned(&self, turn: Turn) -> Vec<(&Who, &Flips)> {
        let mut turned: Vec<_> = self.flips.iter().filter(|(who, _)| who.turn == turn).collect();
        // It is stable: those that turn as often are in the order of their names.
        turned.sort_by_key(|(_, flips)| std::cmp::Reverse(flips.count));
        turned
    }
}

/// A caller who is not there is refused before policy is asked.
fn nobody() -> Judged {
    Judged { reasons: vec!["invalid_api_key".to_owned()], ..Judged::default() }
}

impl Flips {
    fn join(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.already = self.already.saturating_add(other.already);
        self.reasons.extend(other.reasons);
        self.rules.extend(other.rules);
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flips(who: &str, count: u64) -> (Who, Flips) {
        let who = Who {
            turn: Turn::AllowToDeny,
            tenant: "acme".to_owned(),
            principal: who.to_owned(),
            model: "models/m".to_owned(),
        };
        let examples = (0..count.min(3)).map(|at| format!("r-{at}")).collect();
        (who, Flips { count, examples, ..Flips::default() })
    }

    #[test]
    fn numbers_that_are_said_elsewhere_end_at_the_greatest() {
        let greatest = Counts { same: u64::MAX, allow_to_deny: u64::MAX, already: 7, ..Counts::default() };
        let mut counts = greatest;
        counts.join(greatest);
        assert_eq!((counts.decisions(), counts.same, counts.already), (u64::MAX, u64::MAX, 14));
        let mut tally = Tally::naming(2);
        let (who, most) = flips("ada", u64::MAX);
        tally.add(who.clone(), most.clone());
        tally.add(who, most);
        assert_eq!(tally.flips.values().map(|flips| flips.count).collect::<Vec<_>>(), [u64::MAX]);
    }

    #[test]
    fn so_many_are_named_as_there_is_room_for_and_the_others_are_counted() {
        let mut tally = Tally::naming(2);
        for (who, count) in [("ada", 2), ("bob", 5), ("eve", 9), ("ada", 4)] {
            let (who, flips) = flips(who, count);
            tally.counts.allow_to_deny += count;
            tally.add(who, flips);
        }
        let named: Vec<_> =
            tally.turned(Turn::AllowToDeny).iter().map(|(who, f)| (who.principal.clone(), f.count)).collect();
        assert_eq!(named, [("ada".to_owned(), 6), ("bob".to_owned(), 5)]);
        assert!(tally.more && tally.turned(Turn::DenyToAllow).is_empty());
        assert_eq!((tally.counts.allow_to_deny, tally.counts.decisions()), (20, 20));
        let mut whole = Tally::naming(10);
        whole.join(tally.clone());
        whole.join(tally);
        assert_eq!((whole.counts.allow_to_deny, whole.more), (40, true));
        assert!(whole.flips.values().all(|flips| flips.examples.len() == EXAMPLES));
    }
}
