//! A simulation by the nodes that have the records, asked of the control plane.
//!
//! Law: how far it is goes to standard error, where it is a terminal as it is told, elsewhere now and then.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use policy_engine::simulate::{Against, Counts, Flips, Tally, Turn, Who};
use policy_engine::vocabulary::Kind;
use proto::name;
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::field::{list, text};
use super::super::instant::rfc_3339;
use super::super::people::People;
use super::super::source::{declared, faultless};
use super::told::{Geo, Told};
use super::{Shown, Simulate};
use crate::client::{Client, ClientError};
use crate::output;

/// Principals and models of each direction that are asked for.
const MOST: usize = 1_000;

/// Between two lines of how far it is: of a terminal, and of anything else.
const SOON: Duration = Duration::from_millis(900);
const NOW_AND_THEN: Duration = Duration::from_secs(10);

/// Asks the control plane, which asks the nodes.
pub(super) async fn of_nodes(client: &Client, asked: &Simulate) -> Result<Told, Failure> {
    ask(client, (&body(asked, declared(&asked.files)?)?, asked.shown)).await
}

fn body(asked: &Simulate, files: Vec<Value>) -> Result<Value, Failure> {
    let instant = |option: &str, text: Option<&str>| -> Result<Option<String>, Failure> {
        Ok(asked.instant(option, text)?.map(rfc_3339))
    };
    let mut body = json!({
        "files": files,
        "tenant": asked.tenant.clone().unwrap_or_default(),
        "geos": asked.geos,
        "pageSize": MOST,
        "inForce": asked.in_force,
    });
    for (field, time) in [
        ("since", instant("--since", asked.since.as_deref())?),
        ("until", instant("--until", asked.until.as_deref())?),
    ] {
        if let (Some(time), Some(fields)) = (time, body.as_object_mut()) {
            fields.insert(field.to_owned(), time.into());
        }
    }
    Ok(body)
}

/// Asks it with a body, and tells how far it is meanwhile.
pub(super) async fn ask(client: &Client, (body, shown): (&Value, Shown)) -> Result<Told, Failure> {
    let every = if std::io::stderr().is_terminal() { SOON } else { NOW_AND_THEN };
    let mut told = Instant::now();
    let tell = |answer: &Value| {
        if told.elapsed() >= every && answer.get("result").is_none() {
            told = Instant::now();
            shown.lead(&format!("simulating: {}", standing(answer)));
        }
    };
    let answer = client.lines("policy:simulate", body, tell).await?;
    faultless(&answer, "simulated")?;
    let told = read(&answer).ok_or(ClientError::BrokeOff)?;
    let in_force = body.get("inForce").and_then(Value::as_bool).unwrap_or_default();
    Ok(Told { against: if in_force { Against::InForce } else { Against::Recorded }, ..told })
}

/// How far each geo is.
fn standing(answer: &Value) -> String {
    let number = |geo: &Value, field: &str| geo.get(field).and_then(Value::as_i64).unwrap_or_default();
    let geos = list(answer, "geos").iter().map(|geo| {
        let (records, of) = (number(geo, "records"), number(geo, "expectedRecords"));
        let told = format!("{} {}", text(geo, "geo"), text(geo, "state"));
        if records > 0 { format!("{told} {records} of {} records", of.max(records)) } else { told }
    });
    geos.collect::<Vec<_>>().join(", ")
}

/// What came of it; `None`: the last answer does not say.
fn read(answer: &Value) -> Option<Told> {
    let result = answer.get("result")?;
    let number = |value: &Value, field: &str| value.get(field).and_then(Value::as_u64).unwrap_or_default();
    let of = result.get("counts").cloned().unwrap_or_default();
    let mut counted = Tally::naming(usize::MAX);
    counted.counts = Counts {
        same: number(&of, "same"),
        elsewhere: number(&of, "elsewhere"),
        allow_to_deny: number(&of, "allowToDeny"),
        deny_to_allow: number(&of, "denyToAllow"),
        already: number(result, "already"),
        undecided: number(&of, "undecided"),
        skipped: number(&of, "skipped"),
    };
    counted.more = result.get("more").and_then(Value::as_bool).unwrap_or_default();
    for flip in list(result, "flips") {
        let turn = match text(flip, "turn").as_str() {
            "deny_to_allow" => Turn::DenyToAllow,
            _ => Turn::AllowToDeny,
        };
        let whole = text(flip, "principal");
        let (tenant, principal) = whole.strip_prefix("tenants/")?.split_once("/principals/")?;
        let (tenant, principal) = (tenant.to_owned(), principal.to_owned());
        let who = Who { turn, tenant, principal, model: text(flip, "model") };
        let words = |field: &str| list(flip, field).iter().filter_map(Value::as_str).map(str::to_owned);
        let flips = Flips {
            count: number(flip, "count"),
            already: number(flip, "already"),
            reasons: words("reasons").collect(),
            rules: words("rules").filter_map(|rule| name::parse_as(Kind::Rule, &rule).ok()).collect(),
            examples: words("examples").collect(),
        };
        counted.add(who, flips);
    }
    let geo = |told: &Value| Geo {
        told: told.clone(),
        geo: text(told, "geo"),
        unavailable: (text(told, "state") == "unavailable").then(|| output::plain(&text(told, "reason"))),
    };
    Some(Told {
        bases: [text(result, "base")].into(),
        counted,
        people: People::default(),
        against: Against::default(),
        geos: list(answer, "geos").iter().map(geo).collect(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        simulate: Simulate,
    }

    #[test]
    fn a_day_is_asked_for_by_its_first_instant() {
        let line =
            ["x", "-f", "a.yaml", "--since", "2026-11-23", "--until", "2030-01-01T00:00:00Z", "--in-force"];
        let body = body(&Line::try_parse_from(line).unwrap().simulate, Vec::new()).unwrap();
        assert_eq!(
            (&body["since"], &body["until"], &body["inForce"]),
            (&json!("2026-11-23T00:00:00Z"), &json!("2030-01-01T00:00:00Z"), &json!(true))
        );
    }

    #[test]
    fn what_nodes_found_is_told_as_what_is_found_here() {
        let answer = json!({
            "geos": [
                {"geo": "eu", "state": "done", "records": 9, "expectedRecords": 7},
                {"geo": "us", "state": "unavailable", "reason": "no node of it is connected"},
            ],
            "result": {
                "base": "revisions/7",
                "counts": {"decisions": 8, "same": 5, "allowToDeny": 3, "undecided": 1},
                "flips": [{"turn": "allow_to_deny", "principal": "tenants/acme/principals/ada@example.org", "model": "models/m",
                    "count": 3, "already": 1, "reasons": ["rule_forbids"], "rules": ["tenants/acme/rules/r"], "examples": ["r-1"]}],
                "already": 1,
            },
        });
        assert_eq!(standing(&answer), "eu done 9 of 9 records, us unavailable");
        let told = read(&answer).unwrap();
        let json = told.json();
        assert_eq!((&json["decisions"], &json["base"]), (&json!(8), &json!(["revisions/7"])));
        let by = &json["allowToDeny"]["by"][0];
        assert_eq!((&by["principal"], &by["rules"]), (&json!("acme/ada@example.org"), &json!(["acme/r"])));
        assert_eq!(json["geos"][1]["state"], "unavailable");
        assert!(told.text().contains("3 allow -> deny, 0 deny -> allow"), "{}", told.text());
        let failure = told.whole().unwrap_err();
        assert_eq!(
            (failure.ending().number(), failure.to_string()),
            (11, "not everything was read: geo us: no node of it is connected".to_owned())
        );
        assert!(read(&json!({"geos": []})).is_none());
    }
}
