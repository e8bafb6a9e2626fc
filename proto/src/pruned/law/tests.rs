//! What a log allows to be pruned of it.

use super::*;
use crate::admin::{AuditedChange, HoldSpec, RetentionSpec};

const HOUR: i64 = 3_600_000_000;

/// A log, an event an hour.
#[derive(Default)]
struct Log {
    law: Law,
    at: i64,
}

impl Log {
    fn event(&mut self, action: &str, name: &str, diff: String) -> Result<Option<Allowed>, Wrong> {
        self.at += 1;
        let time = Instant(self.at * HOUR);
        self.said(action, (name, diff), time)
    }

    fn said(
        &mut self,
        action: &str,
        (name, diff): (&str, String),
        time: Instant,
    ) -> Result<Option<Allowed>, Wrong> {
        let change = AuditedChange { name: name.to_owned(), diff, ..AuditedChange::default() };
        let is_pruning = action == "RetentionsService/PruneEvents";
        self.law.take(&AuditEvent {
            sequence: self.at,
            create_time: Some(convert::timestamp(time)),
            actor: "system".to_owned(),
            action: format!("chancery.admin.v1.{action}"),
            outcome: "ok".to_owned(),
            approvals: if is_pruning { vec![name.to_owned()] } else { Vec::new() },
            changes: vec![change],
            ..AuditEvent::default()
        })
    }

    fn sets(&mut self, class: &str, (keep, grace): (&str, i64)) {
        let spec = RetentionSpec { class: class.into(), keep: keep.into(), ..RetentionSpec::default() };
        let effective = Instant((self.at + 1) * HOUR + grace);
        let effective_time = Some(convert::timestamp(effective));
        let diff = retention_told(&Retention { spec: Some(spec), effective_time, ..Retention::default() });
        self.event("RetentionsService/SetRetention", &format!("retentions/{class}"), diff).unwrap();
    }

    fn holds(&mut self, name: &str, tenant: &str) {
        let spec = Some(HoldSpec { tenant: tenant.to_owned(), ..HoldSpec::default() });
        let diff = hold_told(&Hold { spec, ..Hold::default() });
        self.event("HoldsService/CreateHold", name, diff).unwrap();
    }

    fn prunes(&mut self, retention: &str) -> Result<Option<Allowed>, Wrong> {
        self.event("RetentionsService/PruneEvents", retention, String::new())
    }

    fn refuses(&mut self, retention: &str, why: &str) {
        let (sequence, what) = self.prunes(retention).unwrap_err();
        assert!(sequence == self.at as u64 && what.contains(why), "{sequence}: {what}");
    }
}

#[test]
fn what_goes_goes_by_a_retention_that_is_set_and_in_effect() {
    let mut log = Log::default();
    log.refuses("retentions/reads", "was not set before");
    log.sets("reads", ("2h", 4 * HOUR));
    log.refuses("retentions/reads", "was not in effect");
    log.refuses("retentions/changes", "was not set before");
    log.refuses("retentions/decisions", "no event goes by");
    log.event("TeamsService/GetTeam", "", String::new()).unwrap();
    let allowed = log.prunes("retentions/reads").unwrap().unwrap();
    let said = (allowed.set_by, allowed.class, allowed.keep.as_str(), allowed.since);
    assert_eq!(said, (2, Class::Reads, "2h", 5 * HOUR));
    log.sets("reads", ("1h", 9 * HOUR));
    log.refuses("retentions/reads", "was not in effect");
    log.event("RetentionsService/DeleteRetention", "retentions/reads", String::new()).unwrap();
    log.at += 20;
    log.refuses("retentions/reads", "was not set before or was deleted");
    // What an earlier build set, of which nothing is told.
    log.event("RetentionsService/SetRetention", "retentions/reads", String::new()).unwrap();
    log.refuses("retentions/reads", "does not tell");
}

#[test]
fn nothing_goes_while_everything_is_held() {
    let mut log = Log::default();
    log.sets("reads", ("1h", 0));
    log.holds("holds/acme", "tenants/acme");
    assert!(log.prunes("retentions/reads").unwrap().is_some(), "a tenant's are not all");
    log.holds("holds/all", "");
    log.refuses("retentions/reads", "`holds/all` holds everything");
    log.event("HoldsService/ReleaseHold", "holds/all", String::new()).unwrap();
    assert!(log.prunes("retentions/reads").unwrap().is_some());
    log.event("HoldsService/CreateHold", "holds/old", String::new()).unwrap();
    log.refuses("retentions/reads", "holds everything");
}

#[test]
fn what_ends_something_that_was_never_there_shows_that_its_beginning_is_hidden() {
    let mut log = Log::default();
    for (action, name) in
        [("HoldsService/ReleaseHold", "holds/all"), ("RetentionsService/DeleteRetention", "retentions/reads")]
    {
        let (_, what) = log.event(action, name, String::new()).unwrap_err();
        assert!(what.contains(name) && what.contains("no event before it"), "{what}");
    }
}

#[test]
fn a_clock_is_believed_as_far_as_the_events_around_it() {
    let mut log = Log::default();
    for _ in 0..5 {
        log.event("TeamsService/GetTeam", "", String::new()).unwrap();
    }
    assert_eq!(log.law.least(), Some(3 * HOUR));
    // Set now, and said to be long since: it takes effect after its grace all the same.
    let spec = RetentionSpec { class: "reads".into(), keep: "1h".into(), ..RetentionSpec::default() };
    let effective_time = Some(convert::timestamp(Instant(-90 * HOUR)));
    let set = Retention { spec: Some(spec), effective_time, ..Retention::default() };
    log.at += 1;
    let told = ("retentions/reads", retention_told(&set));
    log.said("RetentionsService/SetRetention", told, Instant(-100 * HOUR)).unwrap();
    log.refuses("retentions/reads", "was not in effect");
    log.at += 10;
    // Later than now: what follows tells.
    log.at += 1;
    let ahead = Instant(500 * HOUR);
    let allowed = log.said("RetentionsService/PruneEvents", ("retentions/reads", String::new()), ahead);
    assert!(allowed.unwrap().is_some());
    let pruning = log.at as u64;
    for _ in 0..2 {
        log.event("TeamsService/GetTeam", "", String::new()).unwrap();
    }
    let (sequence, what) = log.event("TeamsService/GetTeam", "", String::new()).unwrap_err();
    assert!(sequence == pruning && what.contains("later than the events after it"), "{sequence}: {what}");
    log.event("TeamsService/GetTeam", "", String::new()).unwrap();
}
