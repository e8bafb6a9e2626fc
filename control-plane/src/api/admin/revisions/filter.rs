//! Which revisions are asked for.

use policy_engine::vocabulary::{Instant, Kind, Name};
use proto::admin::ListRevisionsRequest;
use proto::name::{self, Collection};
use proto::status::Refusal;

use crate::store::{Sought, Touched};

/// Bytes of a word to filter by at most.
const LONGEST: usize = 512;

/// Reads what is asked.
pub(super) fn sought(asked: &ListRevisionsRequest) -> Result<Sought, Refusal> {
    let all = Sought::default();
    let instant = |field: &str, time: &Option<prost_types::Timestamp>, none: i64| match time {
        None => Ok(none),
        Some(time) => match proto::convert::instant(time) {
            Some(Instant(micros)) => Ok(micros),
            None => Err(Refusal::field(field, "is not an instant")),
        },
    };
    Ok(Sought {
        actor: actor(&asked.actor)?,
        since: instant("since", &asked.since, all.since)?,
        until: instant("until", &asked.until, all.until)?,
        touched: touched(asked.resource.trim_end_matches('/'))?,
    })
}

/// Who is asked for.
pub(in crate::api::admin) fn actor(text: &str) -> Result<String, Refusal> {
    if text.len() > LONGEST {
        return Err(Refusal::field("actor", format!("is longer than {LONGEST} bytes")));
    }
    Ok(text.to_owned())
}

/// The list of such revisions, as page tokens know it: a token of one filter is none of another.
pub(super) fn list(plural: &str, sought: &Sought) -> String {
    if *sought == Sought::default() { plural.to_owned() } else { format!("{plural}?{sought:?}") }
}

/// What must have been changed, by its name, its tenant's or its collection's.
pub(in crate::api::admin) fn touched(text: &str) -> Result<Option<Touched>, Refusal> {
    let kind = |plural: &str| Collection::by_plural(plural).map(|found| found.kind.as_str().to_owned());
    let tenant = |text: &str| Name::new(text).ok().map(|name| name.to_string());
    let found = match text.split('/').collect::<Vec<_>>().as_slice() {
        [""] => return Ok(None),
        [plural] => kind(plural).map(|kind| Touched::Kind(kind, None)),
        ["tenants", of] => tenant(of).map(Touched::Tenant),
        ["tenants", of, plural] => {
            kind(plural).zip(tenant(of)).map(|(kind, of)| Touched::Kind(kind, Some(of)))
        }
        _ => name::parse(text).ok().map(|found| {
            let kind: Kind = found.kind;
            Touched::Resource {
                kind: kind.as_str().to_owned(),
                tenant: found.id.tenant.map(|tenant| tenant.to_string()).unwrap_or_default(),
                name: found.id.name.to_string(),
            }
        }),
    };
    let line = "is no resource such as `rules/eu-residency`, tenant such as `tenants/acme` or collection such as `rules`";
    found.map(Some).ok_or_else(|| Refusal::field("resource", line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_meant_by_its_name_its_tenant_or_its_collection() {
        let one = |kind: &str, tenant: &str, name: &str| Touched::Resource {
            kind: kind.into(),
            tenant: tenant.into(),
            name: name.into(),
        };
        for (text, meant) in [
            ("", None),
            ("rules", Some(Touched::Kind("Rule".into(), None))),
            ("rules/r", Some(one("Rule", "", "r"))),
            ("tenants/acme", Some(Touched::Tenant("acme".into()))),
            ("tenants/acme/teams", Some(Touched::Kind("Team".into(), Some("acme".into())))),
            ("tenants/acme/teams/r", Some(one("Team", "acme", "r"))),
        ] {
            assert_eq!(touched(text).unwrap(), meant, "{text}");
        }
        for wrong in ["rulez", "rulez/r", "tenants/acme/rulez", "a/b/c/d/e"] {
            assert!(touched(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_page_of_one_filter_is_no_page_of_another() {
        let of = |actor: &str| {
            let asked = ListRevisionsRequest { actor: actor.into(), ..Default::default() };
            list("revisions", &sought(&asked).unwrap())
        };
        assert_eq!(of(""), "revisions");
        assert_ne!(of("a"), of("b"));
        let long = ListRevisionsRequest { actor: "a".repeat(600), ..Default::default() };
        assert!(sought(&long).is_err());
    }
}
