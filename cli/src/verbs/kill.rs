//! `kill` and `kills`: what is switched off at once, on every node, and lifted again.
//!
//! Law: why is asked of whoever switches something off; what a name means is for the control plane to say.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Shown;
use super::because::Because;
use super::failure::Failure;
use super::field::{self, list, text};
use super::instant::{From, moment};
use super::wait::Wait;
use crate::client::Client;
use crate::output::table::{cell, table};

/// Switch something off, at once and on every node, whatever the revision in force says.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    #[command(flatten)]
    target: Target,
    /// deny: refuse requests and cut streams; drain: refuse requests and let streams end; read_only: refuse requests and still show
    /// models and limits.
    #[arg(long, default_value = "deny")]
    mode: String,
    /// Why, for operators and for the log of acts; callers are not told. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The change request or incident behind it, for the log of acts.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// From when on it holds no more: a length such as 1h30m, a date such as 2026-12-31 (its first instant in UTC), or an instant.
    /// Without it, it holds until it is lifted.
    #[arg(long, value_name = "LENGTH|DATE|INSTANT")]
    expires: Option<String>,
    /// The id of the kill, which none has that has not ended; without it one is made.
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    shown: Shown,
}

/// What is switched off: exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// Everything, everywhere.
    #[arg(long)]
    everything: bool,
    /// Everything in a geo.
    #[arg(long)]
    geo: Option<String>,
    /// Everything of a tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Every endpoint of a provider.
    #[arg(long)]
    provider: Option<String>,
    /// One endpoint.
    #[arg(long)]
    endpoint: Option<String>,
    /// A model: its id, or a tenant's own such as `tenants/acme/models/own`.
    #[arg(long)]
    model: Option<String>,
}

/// See what is switched off, and lift it.
#[derive(Debug, Subcommand)]
pub(crate) enum Kills {
    /// List every kill that was not lifted: those that hold, and those that have ended by themselves.
    List(List),
    /// Show one kill: what it hits, who made it, when and why, and which nodes have it; of one that was lifted, when and by whom.
    Show(Show),
    /// Lift a kill: what it hit is as it is by the revision in force.
    Lift(Lift),
}

/// How they are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    shown: Shown,
}

/// Which one is shown.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id, or its whole name such as `kills/no-gpt`.
    kill: String,
    #[command(flatten)]
    shown: Shown,
}

/// Which one is lifted.
#[derive(Debug, Args)]
pub(crate) struct Lift {
    /// Its id, or its whole name such as `kills/no-gpt`.
    kill: String,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    shown: Shown,
}

impl Target {
    /// The word for it, and its AIP name.
    fn named(&self) -> (&'static str, String) {
        let given = [
            ("tenant", "tenants", &self.tenant),
            ("provider", "providers", &self.provider),
            ("endpoint", "endpoints", &self.endpoint),
            ("model", "models", &self.model),
        ];
        let resource = given.into_iter().find_map(|(word, plural, name)| {
            let name = name.as_deref()?;
            Some((word, if name.contains('/') { name.to_owned() } else { format!("{plural}/{name}") }))
        });
        match (resource, &self.geo) {
            (Some(found), _) => found,
            (None, Some(geo)) => ("geo", geo.clone()),
            (None, None) => ("everything", String::new()),
        }
    }
}

/// Switches something off.
pub(super) async fn run(client: &Client, kill: &Kill) -> Result<(), Failure> {
    let mut client = client.clone();
    if let Some(ticket) = &kill.ticket {
        client = client.telling("x-chancery-ticket", ticket)?;
    }
    let mut body = Map::new();
    body.insert("spec".to_owned(), spec(kill, SystemTime::now())?);
    if let Some(id) = &kill.id {
        body.insert("name".to_owned(), named(id).into());
    }
    let reply = client.post("kills", &Value::Object(body)).await?;
    kill.shown.print(&reply, || made(&reply.json));
    field::warned(&reply.json, kill.shown);
    kill.wait.held(&client, kill.shown).await
}

/// Lists or lifts.
pub(super) async fn of_all(client: &Client, kills: &Kills) -> Result<(), Failure> {
    match kills {
        Kills::List(asked) => {
            let reply = client.all("kills", "kills").await?;
            asked.shown.print(&reply, || listed(&reply.json));
            Ok(())
        }
        Kills::Show(asked) => {
            let reply = client.get(&named(&asked.kill), &[]).await?;
            asked.shown.print(&reply, || shown(&reply.json));
            Ok(())
        }
        Kills::Lift(lift) => {
            let client = &lift.because.told_by(client)?;
            let name = named(&lift.kill);
            let reply = client.delete(&name, &[]).await?;
            lift.shown.print(&reply, || format!("lifted {name}\n"));
            lift.wait.held(client, lift.shown).await
        }
    }
}

fn named(kill: &str) -> String {
    if kill.starts_with("kills/") { kill.to_owned() } else { format!("kills/{kill}") }
}

fn spec(kill: &Kill, now: SystemTime) -> Result<Value, Failure> {
    let (target, resource) = kill.target.named();
    let mut spec = json!({ "target": target, "mode": kill.mode, "reason": kill.reason });
    let mut put = |key: &str, value: String| {
        if let Some(fields) = spec.as_object_mut() {
            fields.insert(key.to_owned(), value.into());
        }
    };
    if !resource.is_empty() {
        put("resource", resource);
    }
    if let Some(text) = &kill.expires {
        put("expireTime", moment(text, (now, From::Now))?);
    }
    Ok(spec)
}

fn made(kill: &Value) -> String {
    let spec = |field: &str| cell(kill.pointer(&format!("/spec/{field}")));
    let what = match spec("resource").as_str() {
        "-" => spec("target"),
        named => named.to_owned(),
    };
    let until = match kill.pointer("/spec/expireTime") {
        Some(end) => format!("until {}", cell(Some(end))),
        None => "until it is lifted".to_owned(),
    };
    format!("{what} is switched off ({}) by {} {until}\n", spec("mode"), cell(kill.get("name")))
}

/// One kill, a line for each thing that is known, with the nodes that have it and those that do not yet.
fn shown(kill: &Value) -> String {
    let field = |name: &str| cell(kill.get(name));
    let spec = |name: &str| cell(kill.pointer(&format!("/spec/{name}")));
    let ends = match spec("expireTime").as_str() {
        "-" => "when it is lifted".to_owned(),
        end => end.to_owned(),
    };
    let is_lifted = kill.get("liftTime").is_some();
    let mut lines = vec![
        ("name", field("name")),
        ("state", field("state")),
        ("hits", [spec("target"), spec("resource")].join(" ").trim_end_matches([' ', '-']).to_owned()),
        ("mode", spec("mode")),
        ("made", field("createTime")),
        ("by", field("creator")),
        ("why", spec("reason")),
    ];
    match is_lifted {
        true => lines.extend([
            ("lifted", field("liftTime")),
            ("by", field("lifter")),
            ("why", field("liftReason")),
        ]),
        false => lines.push(("ends", ends)),
    }
    for (heading, word) in [("held by", "held"), ("due at", "behind")] {
        let such = list(kill, "nodes").iter().filter(|node| text(node, "standing") == word);
        let such: Vec<String> =
            such.map(|node| format!("{} ({})", text(node, "node"), text(node, "state"))).collect();
        if !such.is_empty() {
            lines.push((heading, such.join(", ")));
        }
    }
    lines.iter().map(|(heading, what)| format!("{heading:<9}{what}\n")).collect()
}

fn listed(answer: &Value) -> String {
    let row = |kill: &Value| {
        let field = |name: &str| cell(kill.get(name));
        let spec = |name: &str| cell(kill.pointer(&format!("/spec/{name}")));
        vec![
            field("name"),
            field("state"),
            spec("target"),
            spec("resource"),
            spec("mode"),
            spec("expireTime"),
            field("creator"),
            field("createTime"),
            spec("reason"),
        ]
    };
    table(
        &["name", "state", "target", "resource", "mode", "ends", "by", "made", "reason"],
        list(answer, "kills").iter().map(row),
    )
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        kill: Kill,
    }

    fn parsed(line: &[&str]) -> Result<Kill, clap::Error> {
        Line::try_parse_from([&["kill"], line].concat()).map(|line| line.kill)
    }

    #[test]
    fn what_is_switched_off_is_one_thing_and_why_is_said() {
        let now = UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let asked = ["--model", "gpt-x", "--reason", "a leak", "--expires", "2h"];
        let spec_of = |line: &[&str]| spec(&parsed(line).unwrap(), now).unwrap();
        assert_eq!(
            spec_of(&asked),
            json!({"target": "model", "resource": "models/gpt-x", "mode": "deny", "reason": "a leak",
                "expireTime": "1970-01-12T15:46:40Z"})
        );
        assert_eq!(
            spec_of(&["--everything", "--mode", "drain", "--reason", "x", "--expires", "2026-12-31"]),
            json!({"target": "everything", "mode": "drain", "reason": "x", "expireTime": "2026-12-31T00:00:00Z"})
        );
        for (flag, name, target, resource) in [
            ("--model", "tenants/acme/models/own", "model", "tenants/acme/models/own"),
            ("--tenant", "acme", "tenant", "tenants/acme"),
            ("--provider", "openai", "provider", "providers/openai"),
            ("--endpoint", "e", "endpoint", "endpoints/e"),
            ("--geo", "eu", "geo", "eu"),
        ] {
            let spec = spec_of(&[flag, name, "--reason", "x"]);
            assert_eq!((&spec["target"], &spec["resource"]), (&target.into(), &resource.into()));
        }
        for wrong in [
            &["--model", "m"][..],
            &["--reason", "x"],
            &["--model", "m", "--geo", "eu", "--reason", "x"],
            &["--everything", "--model", "m", "--reason", "x"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_kill_is_told_in_a_line_and_listed_with_why() {
        let kill = json!({"name": "kills/k", "state": "active", "creator": "platform/root",
            "spec": {"target": "model", "resource": "models/m", "mode": "deny", "reason": "a leak"}});
        assert_eq!(made(&kill), "models/m is switched off (deny) by kills/k until it is lifted\n");
        let all = json!({"name": "kills/k", "spec": {"target": "everything", "mode": "drain", "expireTime": "2026-12-31T00:00:00Z"}});
        assert_eq!(made(&all), "everything is switched off (drain) by kills/k until 2026-12-31T00:00:00Z\n");
        let row = listed(&json!({ "kills": [kill.clone()] }));
        assert!(row.lines().nth(1).unwrap().ends_with("a leak"), "{row}");
        let mut kill = kill;
        kill["nodes"] = json!([{"node": "nodes/eu-1", "state": "connected", "standing": "held"},
            {"node": "nodes/us-1", "state": "connected", "standing": "behind"}]);
        let told = shown(&kill);
        for line in [
            "name     kills/k\n",
            "hits     model models/m\n",
            "by       platform/root\n",
            "why      a leak\n",
            "ends     when it is lifted\n",
            "held by  nodes/eu-1 (connected)\n",
            "due at   nodes/us-1 (connected)\n",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
        let mut lifted = kill.clone();
        (lifted["state"], lifted["liftTime"], lifted["lifter"]) =
            (json!("lifted"), json!("2026-01-01T00:00:00Z"), json!("platform/ops"));
        lifted["nodes"].take();
        let told = shown(&lifted);
        assert!(
            told.ends_with("lifted   2026-01-01T00:00:00Z\nby       platform/ops\nwhy      -\n"),
            "{told}"
        );
        assert!(told.contains("state    lifted\n") && !told.contains("ends"), "{told}");
        assert!(shown(&all).contains("hits     everything\n"), "{}", shown(&all));
        assert_eq!((named("k"), named("kills/k")), ("kills/k".to_owned(), "kills/k".to_owned()));
    }
}
