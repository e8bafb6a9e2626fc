//! What a log itself tells of what may go from it: which retentions are set and in effect, and whether everything is held.
//!
//! Law: events are taken in their order, those that there are. A pruning that the events before it do not allow is none, whoever wrote it;
//! what a retention or a hold of an earlier build does not tell allows nothing. The time of what was pruned is not known any more: it is
//! held to be that of the events before it, or later. Absent on purpose: hashes, and which events are said to have been pruned.

use std::collections::{BTreeMap, VecDeque};

use policy_engine::vocabulary::{Duration, Instant};
use serde_json::{Value, json};

use super::{Class, PRUNE_EVENTS};
use crate::admin::{AuditEvent, Hold, Retention};
use crate::convert;

/// Events by whose times that of another is told: one clock may have been wrong for a moment, and does not tell alone.
pub const NEAR: usize = 3;

/// By how much a pruning may say that it is later than the events after it, in microseconds: clocks are set back.
const SLACK: i64 = 3_600_000_000;

/// What a log tells so far.
#[derive(Debug, Default)]
pub struct Law {
    retentions: BTreeMap<String, Set>,
    /// Holds that stand, and whether they are over everything.
    holds: BTreeMap<String, bool>,
    /// When the last events happened, in microseconds since the Unix epoch.
    near: VecDeque<i64>,
    /// The pruning that is latest by its own word, and when it says that was.
    latest: Option<(u64, i64)>,
}

/// A retention as it was set.
#[derive(Debug, Clone)]
struct Set {
    by: u64,
    class: String,
    keep: String,
    /// Nothing goes by it before; `None`: the event does not tell.
    effective: Option<i64>,
}

/// By what events went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The retention's AIP name.
    pub retention: String,
    /// The class of events that go by it.
    pub class: Class,
    /// The event that set it.
    pub set_by: u64,
    /// For how long it keeps, as it says.
    pub keep: String,
    /// What is of this instant or later is kept, in microseconds since the Unix epoch.
    pub since: i64,
}

/// An event, and what is wrong with what it tells.
pub type Wrong = (u64, String);

impl Law {
    /// The least that the next event's time is, in microseconds since the Unix epoch; `None` before the first.
    pub fn least(&self) -> Option<i64> {
        self.near.iter().min().copied()
    }

    /// Takes the next event that has its body; gives by what events went, where it tells of that and it is allowed.
    ///
    /// # Errors
    /// What it tells can't be, or what an earlier one tells can't by this one.
    pub fn take(&mut self, event: &AuditEvent) -> Result<Option<Allowed>, Wrong> {
        let sequence = u64::try_from(event.sequence).unwrap_or_default();
        let time = event.create_time.as_ref().and_then(convert::instant).map_or(0, |instant| instant.0);
        let told = self.told((event, sequence), time).map_err(|what| (sequence, what));
        self.near.push_back(time);
        if self.near.len() > NEAR {
            self.near.pop_front();
        }
        let is_ahead = |told: &mut (u64, i64)| {
            self.near.len() == NEAR && self.near.iter().all(|time| *time < told.1.saturating_sub(SLACK))
        };
        let ahead = self.latest.take_if(is_ahead);
        match (told, ahead) {
            (Ok(_), Some((pruning, _))) => {
                Err((pruning, "it says that it is later than the events after it are".to_owned()))
            }
            (told, _) => told,
        }
    }

    fn told(&mut self, (event, sequence): (&AuditEvent, u64), time: i64) -> Result<Option<Allowed>, String> {
        if event.outcome != "ok" {
            return Ok(None);
        }
        let name = event.changes.first().map(|change| change.name.clone()).unwrap_or_default();
        let whole = event.changes.first().and_then(|change| read(&change.diff));
        match event.action.strip_prefix("chancery.admin.v1.").unwrap_or_default() {
            "RetentionsService/SetRetention" => {
                let spec = |field: &str| text(whole.as_ref(), field);
                let effective = whole.as_ref().and_then(|whole| {
                    Instant::parse(whole.get("effectiveTime")?.as_str()?).ok().map(|instant| instant.0)
                });
                // A time before the events before it is no earlier than theirs.
                let grace = effective.map(|at| at.saturating_sub(time).max(0));
                let set_at = self.least().map_or(time, |least| least.max(time));
                let effective = grace.map(|grace| set_at.saturating_add(grace));
                let set = Set { by: sequence, class: spec("class"), keep: spec("keep"), effective };
                self.retentions.insert(name, set);
            }
            "RetentionsService/DeleteRetention" if self.retentions.remove(&name).is_none() => {
                return Err(format!("it deletes `{name}`, and no event before it set that"));
            }
            "HoldsService/CreateHold" => {
                let is_part = [text(whole.as_ref(), "subject"), text(whole.as_ref(), "tenant")]
                    .iter()
                    .any(|over| !over.is_empty());
                self.holds.insert(name, !is_part);
            }
            "HoldsService/ReleaseHold" if self.holds.remove(&name).is_none() => {
                return Err(format!("it releases `{name}`, and no event before it placed that"));
            }
            _ if event.action == PRUNE_EVENTS => return self.prunes(event, (sequence, time)).map(Some),
            _ => {}
        }
        Ok(None)
    }

    /// By what events go as a pruning tells, where the events before it allow that.
    fn prunes(&mut self, event: &AuditEvent, (sequence, time): (u64, i64)) -> Result<Allowed, String> {
        let [retention] = event.approvals.as_slice() else {
            return Err("it tells of a pruning, and not by which retention".to_owned());
        };
        let allowed = self.allows(retention, time)?;
        if self.latest.is_none_or(|(_, latest)| latest < time) {
            self.latest = Some((sequence, time));
        }
        Ok(allowed)
    }

    /// By what events go by a retention, by its AIP name, at an instant in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// None may, and why.
    pub fn allows(&self, retention: &str, time: i64) -> Result<Allowed, String> {
        let classes = [Class::Reads, Class::Changes];
        let class = classes.into_iter().find(|class| retention == format!("retentions/{}", class.as_str()));
        let class = class.ok_or_else(|| format!("no event goes by `{retention}`"))?;
        let set = self.retentions.get(retention);
        let set = set
            .ok_or_else(|| format!("it prunes by `{retention}`, which was not set before or was deleted"))?;
        let length: Option<Duration> = convert::retention(&set.keep).ok();
        let (Some(Duration(keep)), Some(effective), true) =
            (length, set.effective, set.class == class.as_str())
        else {
            return Err(format!("event {}, which set `{retention}`, does not tell what goes by it", set.by));
        };
        if time < effective {
            return Err(format!(
                "it prunes by `{retention}`, which event {} set and was not in effect",
                set.by
            ));
        }
        if let Some((hold, _)) = self.holds.iter().find(|(_, everything)| **everything) {
            return Err(format!("it prunes while `{hold}` holds everything"));
        }
        let (keep_text, since) = (set.keep.clone(), time.saturating_sub(keep));
        Ok(Allowed { retention: retention.to_owned(), class, set_by: set.by, keep: keep_text, since })
    }
}

/// What the event by which a retention is set says of it, as a difference (RFC 6902): all that it is judged by later.
pub fn retention_told(set: &Retention) -> String {
    let spec = set.spec.clone().unwrap_or_default();
    let effective = set.effective_time.as_ref().and_then(convert::instant).map(|instant| instant.to_string());
    let spec = json!({ "class": spec.class, "geo": spec.geo, "keep": spec.keep, "reason": spec.reason });
    whole(&json!({ "spec": spec, "effectiveTime": effective }))
}

/// The same of a hold that is placed.
pub fn hold_told(placed: &Hold) -> String {
    let spec = placed.spec.clone().unwrap_or_default();
    whole(&json!({ "spec": { "subject": spec.subject, "tenant": spec.tenant, "reason": spec.reason } }))
}

fn whole(value: &Value) -> String {
    json!([{ "op": "add", "path": "", "value": value }]).to_string()
}

fn read(diff: &str) -> Option<Value> {
    let patch: Value = serde_json::from_str(diff).ok()?;
    let [only] = patch.as_array()?.as_slice() else { return None };
    let is_whole = only.get("op")? == "add" && only.get("path")? == "";
    only.get("value").filter(|_| is_whole).cloned()
}

fn text(whole: Option<&Value>, field: &str) -> String {
    let found = whole.and_then(|whole| whole.get("spec")?.get(field)?.as_str());
    found.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
