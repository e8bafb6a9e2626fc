//! `explain`: why a request would be allowed or refused, told for people.

use std::collections::BTreeSet;
use std::time::SystemTime;

use clap::Args;
use serde_json::{Value, json};

use super::failure::Failure;
use super::field::{list, text};
use super::instant::instant;
use super::{Form, Shown, revision};
use crate::client::Client;
use crate::output::table::cell;
use crate::output::{self, plain};

/// Tell why a request would be allowed or refused, by the function that enforces. How long it is has no say in that: limits of tokens
/// and money are named, and counted when a request comes.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The tenant of the principal.
    #[arg(long)]
    tenant: String,
    /// The principal who asks.
    #[arg(long)]
    principal: String,
    /// The team it acts in; may be left out where it has one.
    #[arg(long)]
    team: Option<String>,
    /// Name or alias of the model that is asked for.
    #[arg(long)]
    model: String,
    /// What is asked: `chat`, `embed`, `complete`, `moderate`, `rerank`, `image`, `editImage`, `speech`, `transcribe` or `translate`.
    #[arg(long, default_value = "chat")]
    operation: String,
    /// The geo of the node that is called; without it every geo that nodes were heard from.
    #[arg(long)]
    geo: Option<String>,
    /// The purpose that is declared.
    #[arg(long)]
    purpose: Option<String>,
    /// Data classes that would be found, such as EMAIL; with commas between, or repeated.
    #[arg(long, value_delimiter = ',')]
    data_classes: Vec<String>,
    /// Where the data subjects live, as declared; with commas between, or repeated.
    #[arg(long, value_delimiter = ',')]
    subject_residency: Vec<String>,
    /// Tools that the vendor would run, such as web_search; with commas between, or repeated.
    #[arg(long, value_delimiter = ',')]
    egress_tools: Vec<String>,
    /// Fields that the request has at its top and OpenAI's published schema has not, such as plugins; with commas between, or repeated.
    #[arg(long, value_delimiter = ',')]
    unknown_fields: Vec<String>,
    /// When it is asked: a date (its first instant in UTC) or an instant; without it now.
    #[arg(long, value_name = "DATE|INSTANT")]
    at: Option<String>,
    /// The revision to judge by; without it the newest.
    #[arg(long, value_parser = numbered)]
    revision: Option<u64>,
    /// As it would have been: at this revision (`12`, `head~1`) or at this time (a length such as 1h30m ago, a date or an instant), by what
    /// was in force then; what is taken for given is told.
    #[arg(long, value_name = "REVISION|INSTANT", conflicts_with = "revision")]
    as_of: Option<String>,
    /// Where a rollout was on its way then, judge by what nodes outside of its stages enforced, not by the candidate.
    #[arg(long, requires = "as_of")]
    stable: bool,
    #[command(flatten)]
    shown: Shown,
}

/// Explains, one geo after the other.
pub(super) async fn run(client: &Client, explain: &Explain) -> Result<(), Failure> {
    let geos = match &explain.geo {
        Some(geo) => BTreeSet::from([geo.clone()]),
        None => known_geos(client).await?,
    };
    if geos.is_empty() {
        return Err(Failure::Input(
            "no node is known, so there is no geo to explain: name one with --geo".to_owned(),
        ));
    }
    for (at, geo) in geos.iter().enumerate() {
        let reply = client.post("policy:explain", &question(explain, geo)).await?;
        let gap = if at == 0 { "" } else { "\n" };
        if at > 0 && explain.shown.output == Form::Yaml {
            output::line("---");
        }
        explain.shown.print(&reply, || format!("{gap}{}", told(explain, geo, &reply.json)));
    }
    Ok(())
}

async fn known_geos(client: &Client) -> Result<BTreeSet<String>, Failure> {
    let nodes = client.all("nodes", "nodes").await?.json;
    Ok(list(&nodes, "nodes").iter().filter_map(|node| node.get("geo")?.as_str().map(str::to_owned)).collect())
}

fn question(explain: &Explain, geo: &str) -> Value {
    // Verbs print whole names, which are taken as well.
    let own = format!("tenants/{}/", explain.tenant);
    let bare = |name: &str, plural: &str| {
        let name = name.strip_prefix(&own).unwrap_or(name);
        name.strip_prefix(plural).unwrap_or(name).to_owned()
    };
    let mut question = json!({
        "principal": format!("{own}principals/{}", bare(&explain.principal, "principals/")),
        "model": bare(&explain.model, "models/"),
        "operation": explain.operation,
        "geo": geo,
        "dataClasses": explain.data_classes,
        "subjectResidency": explain.subject_residency,
        "egressTools": explain.egress_tools,
    });
    let further = [
        ("team", explain.team.as_ref().map(|team| json!(team))),
        ("purpose", explain.purpose.as_ref().map(|purpose| json!(purpose))),
        ("instant", explain.at.as_ref().map(|at| json!(instant(at)))),
        // Asked only where it is meant, so that a control plane that does not know the word yet still answers.
        ("unknownFields", Some(json!(explain.unknown_fields)).filter(|_| !explain.unknown_fields.is_empty())),
        ("revision", explain.revision.map(|revision| json!(revision))),
        ("asOf", explain.as_of.as_ref().map(|as_of| json!(revision::meant(as_of, SystemTime::now())))),
        ("stable", Some(json!(true)).filter(|_| explain.stable)),
    ];
    if let Some(fields) = question.as_object_mut() {
        fields.extend(further.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
    question
}

fn told(explain: &Explain, geo: &str, answer: &Value) -> String {
    let allowed = text(answer, "effect") == "allow";
    let effect = if allowed { "ALLOWED" } else { "DENIED" };
    let model =
        Some(text(answer, "model")).filter(|name| !name.is_empty()).unwrap_or_else(|| plain(&explain.model));
    let mut told = format!(
        "{effect}  {} on {model} for {} of {} in geo {geo}\n  judged by revision {} at {}\n",
        explain.operation,
        explain.principal,
        explain.tenant,
        cell(answer.get("revision")),
        cell(answer.get("instant")),
    );
    if !allowed && text(answer, "policyEffect") == "allow" {
        told.push_str("  policy by itself would allow it\n");
    }
    let line = text(answer, "line");
    if !line.is_empty() {
        told.push_str(&format!("  by the {line} line, {} was on its way\n", text(answer, "rollout")));
    }
    let when = if answer.get("asOf").is_some() { "then" } else { "now" };
    section(&mut told, &format!("switched off {when}"), list(answer, "kills").iter().map(switched_off));
    section(&mut told, "reasons", list(answer, "reasons").iter().map(reason));
    section(
        &mut told,
        "grants that entitle",
        list(answer, "matchedGrants").iter().map(|name| cell(Some(name))),
    );
    section(&mut told, "rules that had a say", list(answer, "matchedRules").iter().map(rule));
    section(
        &mut told,
        "endpoints, in the order they would be tried",
        list(answer, "candidates").iter().map(|found| candidate(found, allowed)),
    );
    section(&mut told, "obligations", list(answer, "obligations").iter().flat_map(obligations));
    section(
        &mut told,
        "what is done to what is found",
        list(answer, "contentActions").iter().map(|found| {
            format!("{}: {} {}", text(found, "direction"), text(found, "action"), text(found, "finding"))
        }),
    );
    section(&mut told, "limits that count it", list(answer, "limits").iter().map(|name| cell(Some(name))));
    section(&mut told, "taken for given", list(answer, "assumptions").iter().map(|line| cell(Some(line))));
    told
}

fn section(told: &mut String, heading: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        told.push_str(&format!("{heading}\n"));
        lines.for_each(|line| told.push_str(&format!("  {line}\n")));
    }
}

fn switched_off(kill: &Value) -> String {
    let what = Some(text(kill, "resource")).filter(|named| !named.is_empty());
    let what = what.unwrap_or_else(|| text(kill, "target"));
    format!("{what}: switched off by {} ({})", text(kill, "name"), text(kill, "mode"))
}

/// `code: message (resource; legal reference)`, without what the message names already.
fn reason(reason: &Value) -> String {
    let [message, resource, law] = ["message", "resource", "legalRef"].map(|field| text(reason, field));
    let short = resource.rsplit('/').next().unwrap_or_default();
    let mut behind = Vec::new();
    if !resource.is_empty() && !message.contains(&format!("`{short}`")) {
        behind.push(resource.as_str());
    }
    if !law.is_empty() && !message.contains(&law) {
        behind.push(&law);
    }
    let behind = if behind.is_empty() { String::new() } else { format!(" ({})", behind.join("; ")) };
    format!("{}: {message}{behind}", text(reason, "code"))
}

fn rule(rule: &Value) -> String {
    let unknown = rule.get("unknown").and_then(Value::as_bool).unwrap_or_default();
    let unknown = if unknown { ", could not be evaluated: an attribute is unknown" } else { "" };
    let shadow = if text(rule, "mode") == "shadow" { " (shadow: changed nothing)" } else { "" };
    format!("{}: {}{shadow}{unknown}", text(rule, "name"), text(rule, "effect"))
}

fn candidate(candidate: &Value, allowed: bool) -> String {
    let kept = candidate.get("permitted").and_then(Value::as_bool).unwrap_or_default();
    let group = candidate.get("group").and_then(Value::as_u64).unwrap_or_default();
    let why: Vec<String> = list(candidate, "reasons").iter().map(reason).collect();
    let why = match (why.is_empty(), kept, allowed) {
        (false, ..) => format!(", {}", why.join(", ")),
        (true, true, _) => String::new(),
        (true, false, false) => ", the request is refused whatever the endpoint".to_owned(),
        (true, false, true) => ", it is not offered to this request".to_owned(),
    };
    let state = if kept { "kept   " } else { "dropped" };
    format!("{state}  {}  group {group}{why}", text(candidate, "endpoint"))
}

fn obligations(obligation: &Value) -> Vec<String> {
    let fields = obligation.as_object().into_iter().flatten();
    fields.map(|(field, value)| format!("{}: {}", plain(field), cell(Some(value)))).collect()
}

/// A revision by its number.
fn numbered(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix("revisions/").unwrap_or(text);
    number.parse().map_err(|_| {
        "is no number of a revision, such as 12; `--as-of` takes `head~1` and times too".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        explain: Explain,
    }

    fn given(further: &[&str]) -> Explain {
        let line = ["x", "--tenant", "acme", "--principal", "ada", "--model", "gpt-4o"];
        Line::try_parse_from(line.iter().chain(further)).unwrap().explain
    }

    #[test]
    fn only_what_is_given_is_asked() {
        assert_eq!(
            question(&given(&[]), "eu"),
            json!({"principal": "tenants/acme/principals/ada", "model": "gpt-4o", "operation": "chat", "geo": "eu",
                   "dataClasses": [], "subjectResidency": [], "egressTools": []})
        );
        let asked =
            question(&given(&["--team", "r", "--at", "2026-01-31", "--data-classes", "EMAIL,PHONE"]), "us");
        assert_eq!((&asked["team"], &asked["instant"]), (&json!("r"), &json!("2026-01-31T00:00:00Z")));
        assert_eq!(asked["dataClasses"], json!(["EMAIL", "PHONE"]));
        assert_eq!(question(&given(&["--revision", "revisions/12"]), "us")["revision"], 12);
        let line = ["x", "--tenant", "acme", "--principal", "ada", "--model", "m", "--revision", "head"];
        let told = Line::try_parse_from(line).err().unwrap().to_string();
        assert!(told.contains("such as 12") && told.contains("--as-of"), "{told}");
        let asked = question(&given(&["--unknown-fields", "plugins,transforms"]), "us");
        assert_eq!(asked["unknownFields"], json!(["plugins", "transforms"]));
    }

    #[test]
    fn a_refusal_is_told_with_every_reason_and_what_became_of_each_endpoint() {
        let answer = json!({
            "effect": "deny", "model": "models/gpt-4o", "revision": 7, "instant": "2026-01-31T12:00:00Z",
            "reasons": [{"code": "residency_unsatisfied", "message": "no endpoint stays where it must",
                         "resource": "rules/eu-residency", "legalRef": "GDPR Art. 44"}],
            "matchedGrants": ["tenants/acme/grants/research-chat"],
            "matchedRules": [{"name": "rules/eu-residency", "effect": "require", "mode": "enforce"},
                             {"name": "rules/draft", "effect": "forbid", "mode": "shadow", "unknown": true}],
            "candidates": [
                {"endpoint": "endpoints/us", "reasons": [{"code": "residency_unsatisfied", "message": "US"}]},
                {"endpoint": "endpoints/eu", "permitted": true, "group": 1}],
            "obligations": [{"mask": ["EMAIL"], "noCache": true}],
        });
        assert_eq!(
            told(&given(&[]), "eu", &answer),
            "DENIED  chat on models/gpt-4o for ada of acme in geo eu\n  judged by revision 7 at 2026-01-31T12:00:00Z\n\
             reasons\n  residency_unsatisfied: no endpoint stays where it must (rules/eu-residency; GDPR Art. 44)\n\
             grants that entitle\n  tenants/acme/grants/research-chat\n\
             rules that had a say\n  rules/eu-residency: require\n  \
             rules/draft: forbid (shadow: changed nothing), could not be evaluated: an attribute is unknown\n\
             endpoints, in the order they would be tried\n  \
             dropped  endpoints/us  group 0, residency_unsatisfied: US\n  kept     endpoints/eu  group 1\n\
             obligations\n  mask: EMAIL\n  noCache: true\n"
        );
    }

    #[test]
    fn what_is_switched_off_is_told_first() {
        let kills = json!([{"name": "kills/x", "target": "everything", "mode": "deny"},
            {"name": "kills/y", "target": "model", "resource": "models/m", "mode": "drain"}]);
        let told = told(
            &given(&[]),
            "eu",
            &json!({"effect": "deny", "policyEffect": "allow", "revision": 1, "kills": kills, "limits": ["limits/l"],
                "reasons": [{"code": "switched_off", "message": "`everything` is switched off (deny)", "resource": "kills/x"}]}),
        );
        let (before, rest) = told.split_once("switched off now\n").unwrap();
        assert!(
            before.starts_with("DENIED") && before.ends_with("  policy by itself would allow it\n"),
            "{told}"
        );
        assert!(
            rest.starts_with(
                "  everything: switched off by kills/x (deny)\n  models/m: switched off by kills/y (drain)\nreasons\n  \
                 switched_off: `everything` is switched off (deny) (kills/x)\n"
            ),
            "{told}"
        );
    }

    #[test]
    fn a_line_says_nothing_twice_and_what_is_dropped_has_a_reason() {
        let told_twice = json!({"code": "rule_forbids", "message": "a rule forbids it (`eu-rule`, GDPR Art. 44)",
            "resource": "rules/eu-rule", "legalRef": "GDPR Art. 44"});
        assert_eq!(reason(&told_twice), "rule_forbids: a rule forbids it (`eu-rule`, GDPR Art. 44)");
        let bare = json!({"endpoint": "endpoints/us"});
        assert_eq!(
            candidate(&bare, false),
            "dropped  endpoints/us  group 0, the request is refused whatever the endpoint"
        );
        assert!(candidate(&bare, true).ends_with(", it is not offered to this request"));
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let told = told(&given(&[]), "eu", &json!({"effect": "allow", "revision": 1}));
        assert_eq!(told, "ALLOWED  chat on gpt-4o for ada of acme in geo eu\n  judged by revision 1 at -\n");
    }
}
