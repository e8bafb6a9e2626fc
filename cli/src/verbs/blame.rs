//! `blame`: who set each field of a resource last, when and why.

use std::time::SystemTime;

use clap::Args;
use serde_json::{Value, json};

use super::differences::{by, value};
use super::failure::Failure;
use super::field::{list, text};
use super::meant::What;
use super::{Shown, revision};
use crate::client::Client;
use crate::output::table::{cell, table};

/// Tell who set each field of a resource last, when and why; also of one that was deleted.
#[derive(Debug, Args)]
pub(crate) struct Blame {
    /// The kind, such as `rule`; or the resource's name such as `rules/eu-residency`; a word that is no kind is a rule's.
    #[arg(value_name = "KIND|NAME")]
    what: String,
    /// The resource's name, or the last segment of it.
    name: Option<String>,
    /// The tenant it belongs to; without it the platform's is meant.
    #[arg(long)]
    tenant: Option<String>,
    /// As of this revision: `12`, `head~1`, a length such as 1h30m ago, a date or an instant; without it the newest.
    #[arg(long, value_name = "REVISION|INSTANT")]
    as_of: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// Asks the control plane.
pub(super) async fn run(client: &Client, blame: &Blame) -> Result<(), Failure> {
    let resource = blame.resource().map_err(Failure::Input)?;
    let mut asked = json!({ "resource": resource });
    if let (Some(as_of), Some(asked)) = (&blame.as_of, asked.as_object_mut()) {
        asked.insert("revision".to_owned(), revision::meant(as_of, SystemTime::now()).into());
    }
    let reply = client.post("history:blame", &asked).await?;
    blame.shown.print(&reply, || told(&reply.json));
    Ok(())
}

impl Blame {
    /// The AIP name of what is meant.
    fn resource(&self) -> Result<String, String> {
        let (tenant, name) = (self.tenant.as_deref(), self.name.as_deref());
        let what = match (self.what.parse::<What>(), name) {
            // The name of a rule alone.
            (Err(_), None) => format!("rules/{}", self.what).parse::<What>()?,
            (what, _) => what?,
        };
        let meant = what.meant(name, tenant)?;
        let singular = meant.kind.0.singular;
        let id =
            meant.id.ok_or_else(|| format!("which {singular}? name it: chancery blame {singular} NAME"))?;
        meant.kind.one(&id, meant.tenant.as_deref())
    }
}

fn told(answer: &Value) -> String {
    let nothing = Value::Null;
    let as_of = answer.get("asOf").unwrap_or(&nothing);
    let deleted = text(answer, "state") == "deleted";
    let state = if deleted { "deleted; as it was last" } else { "in force" };
    let mut told = format!("{} as of {}: {state}\n", text(answer, "name"), cell(as_of.get("name")));
    let row = |field: &Value| {
        let author = field.get("author").unwrap_or(&nothing);
        let said = |name: &str| cell(author.get(name));
        let earlier = field.get("orEarlier").and_then(Value::as_bool).unwrap_or_default();
        let number = said("revision").replace("revisions/", "") + if earlier { " or earlier" } else { "" };
        let json = field.get("value").and_then(Value::as_str).unwrap_or_default();
        let why = [said("reason"), said("ticket")].into_iter().filter(|word| word != "-").collect::<Vec<_>>();
        let why = if why.is_empty() { "-".to_owned() } else { why.join(", ") };
        let proposer = text(author, "proposer");
        let who = match proposer.is_empty() {
            true => said("actor"),
            false => format!("{proposer}, approved by {}", said("actor")),
        };
        vec![number, who, said("createTime"), why, text(field, "path"), value(json)]
    };
    let headings = ["revision", "actor", "published", "why", "field", "value"];
    told.push_str(&table(&headings, list(answer, "fields").iter().map(row)));
    if answer.get("moreFields").and_then(Value::as_bool).unwrap_or_default() {
        told.push_str("and more fields\n");
    }
    for life in list(answer, "lives") {
        told.push_str(&format!("{} in {}\n", text(life, "change"), by(life)));
    }
    told
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        blame: Blame,
    }

    fn named(line: &[&str]) -> Result<String, String> {
        Line::try_parse_from(["x"].iter().chain(line)).unwrap().blame.resource()
    }

    #[test]
    fn a_resource_is_named_as_for_every_verb_and_a_rule_by_its_last_segment_alone() {
        for line in [&["rules/r1"][..], &["rule", "r1"], &["r1"]] {
            assert_eq!(named(line).unwrap(), "rules/r1", "{line:?}");
        }
        assert_eq!(named(&["r1", "--tenant", "acme"]).unwrap(), "tenants/acme/rules/r1");
        assert_eq!(named(&["tenants/acme/teams/x"]).unwrap(), "tenants/acme/teams/x");
        assert!(named(&["rule"]).unwrap_err().starts_with("which rule?"));
        assert!(named(&["rulez/x"]).is_err() && named(&["rulez", "x"]).is_err());
    }

    #[test]
    fn each_field_is_told_with_who_set_it_and_the_lives_after() {
        let author = json!({"revision": "revisions/12", "actor": "platform/root", "createTime": "2026-01-31T12:00:00Z",
            "reason": "stricter", "ticket": "CHG-7", "change": "created"});
        let answer = json!({"name": "rules/r", "state": "deleted", "asOf": {"name": "revisions/20"}, "lives": [author],
            "fields": [{"path": "spec.mode", "value": "\"enforce\"", "author": author, "orEarlier": true}]});
        let told = told(&answer);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], "rules/r as of revisions/20: deleted; as it was last");
        assert!(lines[2].starts_with("12 or earlier") && lines[2].ends_with("enforce"), "{told}");
        assert!(lines[2].contains("stricter, CHG-7"), "{told}");
        assert!(lines[3].starts_with("created in revisions/12 by platform/root"), "{told}");
    }
}
