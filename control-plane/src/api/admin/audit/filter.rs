//! Which events are asked for.

use policy_engine::vocabulary::Instant;
use proto::admin::{AuditEvent, ListAuditEventsRequest};
use proto::status::Refusal;

/// Bytes of a word to filter by at most.
const LONGEST: usize = 512;

/// What events must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    actor: String,
    resource: String,
    action: String,
    outcome: String,
    /// In microseconds since the Unix epoch.
    pub(super) since: Option<i64>,
    /// Likewise; what happened then is after it.
    pub(super) until: Option<i64>,
}

impl Filter {
    /// Reads what is asked.
    pub(super) fn of(asked: &ListAuditEventsRequest) -> Result<Self, Refusal> {
        let word = |field: &str, text: &str| match text.len() > LONGEST {
            true => Err(Refusal::field(field, format!("is longer than {LONGEST} bytes"))),
            false => Ok(text.trim_end_matches('/').to_owned()),
        };
        let instant = |field: &str, time: &Option<prost_types::Timestamp>| match time {
            None => Ok(None),
            Some(time) => match proto::convert::instant(time) {
                Some(Instant(micros)) => Ok(Some(micros)),
                None => Err(Refusal::field(field, "is not an instant")),
            },
        };
        Ok(Self {
            actor: word("actor", &asked.actor)?,
            resource: word("resource", &asked.resource)?,
            action: word("action", &asked.action)?,
            outcome: word("outcome", &asked.outcome)?,
            since: instant("since", &asked.since)?,
            until: instant("until", &asked.until)?,
        })
    }

    /// The list of such events, as page tokens know it: a token of one filter is none of another.
    pub(super) fn list(&self, plural: &str) -> String {
        if self.is_of_time() && self.since.is_none() && self.until.is_none() {
            return plural.to_owned();
        }
        format!("{plural}?{self:?}")
    }

    /// Whether an event is like this; its time is looked at elsewhere too, but a clock may have gone back.
    pub(super) fn fits(&self, event: &AuditEvent) -> bool {
        let at = event.create_time.as_ref().map(crate::clock::micros).unwrap_or_default();
        self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && (self.actor.is_empty() || self.actor == event.actor)
            && (self.action.is_empty() || ends_in(&event.action, &self.action))
            && self.fits_outcome(&event.outcome)
            && self.fits_resource(event)
    }

    /// Whether nothing is asked for but when events happened.
    pub(super) fn is_of_time(&self) -> bool {
        [&self.actor, &self.resource, &self.action, &self.outcome].into_iter().all(String::is_empty)
    }

    fn fits_outcome(&self, outcome: &str) -> bool {
        match self.outcome.as_str() {
            "" => true,
            // What was pruned has no outcome any more.
            "refused" => !["ok", ""].contains(&outcome),
            word => outcome == word,
        }
    }

    fn fits_resource(&self, event: &AuditEvent) -> bool {
        let changed = event.changes.iter().map(|change| &change.name);
        self.resource.is_empty()
            || std::iter::once(&event.resource).chain(changed).any(|name| within(name, &self.resource))
    }
}

/// Whether a call is meant by its name, with its service or its package or without.
fn ends_in(call: &str, word: &str) -> bool {
    call.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with(['/', '.']))
}

/// Whether a name is this one, begins with it, or is of this collection.
fn within(name: &str, asked: &str) -> bool {
    let begins = name.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let collection = name.rsplit('/').nth(1).or(Some(name).filter(|name| !name.contains('/')));
    begins || collection == Some(asked)
}

#[cfg(test)]
mod tests {
    use proto::admin::AuditedChange;

    use super::*;

    #[test]
    fn a_name_is_meant_whole_by_its_beginning_or_by_its_collection() {
        for (name, asked, meant) in [
            ("tenants/acme/rules/r", "tenants/acme/rules/r", true),
            ("tenants/acme/rules/r", "tenants/acme", true),
            ("tenants/acme/rules/r", "rules", true),
            ("rules/r", "rules", true),
            ("rules/r", "rules/r2", false),
            ("rules/r2", "rules/r", false),
            ("tenants/acme2/rules/r", "tenants/acme", false),
            ("tenants/acme/rules/r", "tenants", true),
            ("tenants/acme/teams/rules", "rules", false),
            ("", "rules", false),
        ] {
            assert_eq!(within(name, asked), meant, "{name} {asked}");
        }
        let call = "chancery.admin.v1.TeamsService/CreateTeam";
        for (word, meant) in [
            ("CreateTeam", true),
            ("TeamsService/CreateTeam", true),
            (call, true),
            ("Team", false),
            ("Create", false),
        ] {
            assert_eq!(ends_in(call, word), meant, "{word}");
        }
    }

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn an_event_fits_what_is_asked_of_all_it_says() {
        let change = AuditedChange { name: "rules/r".into(), ..Default::default() };
        let event = AuditEvent {
            create_time: at(10),
            actor: "platform/admin".into(),
            action: "chancery.admin.v1.PolicyService/Apply".into(),
            outcome: "permission_denied".into(),
            changes: vec![change],
            ..Default::default()
        };
        let asked = |ask: fn(&mut ListAuditEventsRequest)| {
            let mut asked = ListAuditEventsRequest { actor: "platform/admin".into(), ..Default::default() };
            ask(&mut asked);
            Filter::of(&asked).unwrap()
        };
        for (filter, fits) in [
            (asked(|_| ()), true),
            (asked(|asked| asked.actor = "platform".into()), false),
            (asked(|asked| asked.action = "Apply".into()), true),
            (asked(|asked| asked.action = "Delete".into()), false),
            (asked(|asked| asked.resource = "rules/".into()), true),
            (asked(|asked| asked.resource = "roles".into()), false),
            (asked(|asked| asked.outcome = "permission_denied".into()), true),
            (asked(|asked| asked.outcome = "refused".into()), true),
            (asked(|asked| asked.outcome = "ok".into()), false),
            (asked(|asked| asked.since = at(10)), true),
            (asked(|asked| asked.since = at(11)), false),
            (asked(|asked| asked.until = at(11)), true),
            (asked(|asked| asked.until = at(10)), false),
        ] {
            assert_eq!(filter.fits(&event), fits, "{filter:?}");
        }
        let done = AuditEvent { outcome: "ok".into(), ..event };
        assert!(!asked(|asked| asked.outcome = "refused".into()).fits(&done));
    }

    #[test]
    fn a_page_of_one_filter_is_no_page_of_another() {
        let of = |actor: &str| {
            let asked = ListAuditEventsRequest { actor: actor.into(), ..Default::default() };
            Filter::of(&asked).unwrap().list("auditEvents")
        };
        assert_eq!(of(""), "auditEvents");
        assert_ne!(of("a"), of("b"));
        let long = ListAuditEventsRequest { actor: "a".repeat(600), ..Default::default() };
        assert!(Filter::of(&long).is_err());
    }
}
