//! `rollback`: a new revision with what was in force at an earlier one.

use std::time::SystemTime;

use clap::Args;
use serde_json::Value;

use super::because::Because;
use super::changes::{self, Mood};
use super::failure::Failure;
use super::field::{list, text};
use super::kind::KindName;
use super::terms::Terms;
use super::{Shown, differences, revision, source};
use crate::client::Client;
use crate::output::table::cell;

/// Make a new revision with what was in force at an earlier one, of everything or of what is named. API keys and sealed credentials are
/// left as they are: what was revoked stays revoked. Whoever was erased is left out. Kills stay too. With `--dry-run` it tells each field
/// that would change, and, unlike `apply` and `delete`, not whom that would turn of the requests that were made.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The revision whose content is wanted: `12`, `head~1`, a length such as 1h30m ago, a date or an instant.
    #[arg(value_name = "REVISION|INSTANT")]
    revision: String,
    /// Only this resource, such as `rules/eu-residency`; what is of `tenants/acme`; or a collection, `rules`. May be repeated.
    #[arg(long = "resource", value_name = "NAME")]
    resources: Vec<String>,
    /// Only resources of this kind, such as `rule`; may be repeated.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<KindName>,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    shown: Shown,
}

/// Rolls back, and tells what became of each resource, or every fault.
pub(super) async fn run(client: &Client, rollback: &Rollback) -> Result<(), Failure> {
    let client = &rollback.because.told_by(client)?;
    let reply = client.post("history:rollback", &rollback.asked(SystemTime::now())).await?;
    let Rollback { shown, terms, .. } = rollback;
    if list(&reply.json, "faults").is_empty() || !shown.is_text() {
        shown.print(&reply, || told(&reply.json, terms.mood()));
    }
    source::faultless(&reply.json, "rolled back")?;
    terms.end(client, &reply, *shown).await
}

impl Rollback {
    fn asked(&self, now: SystemTime) -> Value {
        let kinds = self.kinds.iter().map(|kind| kind.0.plural.to_owned());
        let resources: Vec<String> = self.resources.iter().cloned().chain(kinds).collect();
        let mut asked = self.terms.fields();
        asked.insert("revision".to_owned(), revision::meant(&self.revision, now).into());
        asked.insert("resources".to_owned(), resources.into());
        asked.into()
    }
}

fn told(answer: &Value, mood: Mood) -> String {
    let nothing = Value::Null;
    let to = cell(answer.get("to").unwrap_or(&nothing).get("name"));
    let mut told = differences::first(answer);
    for left in list(answer, "left") {
        told.push_str(&format!("left as it is: {}: {}\n", text(left, "name"), text(left, "reason")));
    }
    if list(answer, "changes").is_empty() {
        let would = if mood == Mood::Done { "nothing changed" } else { "nothing would change" };
        return format!("{told}{would}: what was in force at {to} is in force\n");
    }
    told.push_str(&changes::told(answer, mood));
    told
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        rollback: Rollback,
    }

    #[test]
    fn what_is_named_is_asked_and_kinds_are_collections() {
        let line = ["x", "head~1", "--resource", "rules/r", "--kind", "Limit", "--dry-run"];
        let asked = Line::try_parse_from(line).unwrap().rollback.asked(SystemTime::UNIX_EPOCH);
        assert_eq!((&asked["revision"], &asked["dryRun"]), (&json!("head~1"), &json!(true)));
        assert_eq!(asked["resources"], json!(["rules/r", "limits"]));
        assert!(Line::try_parse_from(["x", "1", "--propose", "--dry-run"]).is_err());
        assert!(Line::try_parse_from(["x", "1", "--manual"]).is_err());
        assert!(Line::try_parse_from(["x"]).is_err());
    }

    #[test]
    fn what_is_left_as_it_is_is_told_and_that_nothing_would_change() {
        let left = json!([{"name": "tenants/a/keys/k", "reason": "what was revoked stays revoked"}]);
        let none = json!({"to": {"name": "revisions/3"}, "left": left});
        assert_eq!(
            told(&none, Mood::Tried),
            "left as it is: tenants/a/keys/k: what was revoked stays revoked\n\
             nothing would change: what was in force at revisions/3 is in force\n"
        );
        let done = json!({"to": {"name": "revisions/3"}, "revision": 9, "changes": [{"name": "rules/r", "change": "deleted"}]});
        assert_eq!(told(&done, Mood::Done), "deleted   rules/r\n1 deleted; revision 9\n");
    }
}
