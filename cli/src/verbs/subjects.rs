//! `subjects` and `holds`: who is behind a pseudonym, erasure, and what keeps things from going.
//!
//! Law: why is asked of whoever erases, holds or releases; whether it may be done is for the control plane to say.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Shown;
use super::failure::Failure;
use super::field::list;
use crate::client::Client;
use crate::output;
use crate::output::table::{cell, table};

/// See who is behind a pseudonym of records, logs and exports, and erase people.
#[derive(Debug, Subcommand)]
pub(crate) enum Subjects {
    /// List them by pseudonym, those who were erased among them.
    List(Listed),
    /// Show one: its id, its pseudonym, its principals in force, the legal holds over it.
    Show(Subject),
    /// Erase one for good: its name, and the key of everything that is only known of it. Its principals are deleted before. Records,
    /// logs and exports keep a pseudonym of nobody, and every proof of them holds.
    Erase(Erase),
}

/// Whom it is about.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// The id of its principals, such as `ada@example.org`, or its pseudonym.
    subject: String,
    #[command(flatten)]
    shown: Shown,
}

/// Whom it is about, and why.
#[derive(Debug, Args)]
pub(crate) struct Erase {
    #[command(flatten)]
    of: Subject,
    /// Why, such as the number of the request. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Keep things from being erased and pruned while a case is open.
#[derive(Debug, Subcommand)]
pub(crate) enum Holds {
    /// List them, those that were released among them.
    List(Listed),
    /// Place one: over a subject, over a tenant, or over everything.
    Create(Create),
    /// Release one.
    Release(Release),
}

/// How they are listed.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    #[command(flatten)]
    shown: Shown,
}

/// A new hold.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its id, such as the number of the case.
    hold: String,
    /// Over this person: the id of its principals, or its pseudonym.
    #[arg(long, value_name = "ID", conflicts_with = "tenant")]
    subject: Option<String>,
    /// Over this tenant.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Over everything, of every tenant. Without it, a subject and a tenant the hold is over everything too, with a warning.
    #[arg(long, conflicts_with_all = ["subject", "tenant"])]
    everything: bool,
    /// Why. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    shown: Shown,
}

/// A hold that is over.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// Its id.
    hold: String,
    /// Why. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    shown: Shown,
}

/// Shows or erases.
pub(super) async fn of_people(client: &Client, asked: &Subjects) -> Result<(), Failure> {
    match asked {
        Subjects::List(asked) => {
            let reply = client.all("subjects", "subjects").await?;
            asked.shown.print(&reply, || people(&reply.json));
        }
        Subjects::Show(asked) => {
            let reply = client.get(&named("subjects", &asked.subject), &[]).await?;
            asked.shown.print(&reply, || subject(&reply.json));
        }
        Subjects::Erase(asked) => {
            let path = format!("{}:erase", named("subjects", &asked.of.subject));
            let reply = client.post(&path, &json!({ "reason": asked.reason })).await?;
            asked.of.shown.print(&reply, || format!("{} is nobody any more\n", cell(reply.json.get("name"))));
        }
    }
    Ok(())
}

/// Lists, places or releases.
pub(super) async fn of_holds(client: &Client, asked: &Holds) -> Result<(), Failure> {
    match asked {
        Holds::List(asked) => {
            let reply = client.all("holds", "holds").await?;
            asked.shown.print(&reply, || holds(&reply.json));
        }
        Holds::Create(asked) => {
            if asked.is_unsaid() {
                output::complain(
                    "warning: it holds everything, of every tenant: say `--everything` where that is meant",
                );
            }
            let of = |collection: &str, id: &Option<String>| {
                id.as_deref().map(|id| named(collection, id)).unwrap_or_default()
            };
            let spec = json!({
                "reason": asked.reason,
                "subject": of("subjects", &asked.subject),
                "tenant": of("tenants", &asked.tenant),
            });
            let hold = json!({ "spec": spec });
            let reply = client.create("holds", ("holdId", &asked.hold), &hold).await?;
            asked
                .shown
                .print(&reply, || format!("{} holds {}\n", cell(reply.json.get("name")), what(&reply.json)));
        }
        Holds::Release(asked) => {
            let path = format!("{}:release", named("holds", &asked.hold));
            let reply = client.post(&path, &json!({ "reason": asked.reason })).await?;
            asked.shown.print(&reply, || format!("{} is released\n", cell(reply.json.get("name"))));
        }
    }
    Ok(())
}

impl Create {
    /// Whether it is over everything and does not say so.
    fn is_unsaid(&self) -> bool {
        !self.everything && self.subject.is_none() && self.tenant.is_none()
    }
}

fn named(collection: &str, id: &str) -> String {
    let within = id.strip_prefix(collection).is_some_and(|rest| rest.starts_with('/'));
    if within { id.to_owned() } else { format!("{collection}/{id}") }
}

/// What a hold is over.
fn what(hold: &Value) -> String {
    let spec = |name: &str| cell(hold.pointer(&format!("/spec/{name}")));
    match (spec("subject"), spec("tenant")) {
        (subject, _) if subject != "-" => subject,
        (_, tenant) if tenant != "-" => tenant,
        _ => "everything".to_owned(),
    }
}

fn people(answer: &Value) -> String {
    let row = |subject: &Value| {
        ["name", "id", "createTime", "eraseTime"].map(|field| cell(subject.get(field))).to_vec()
    };
    table(&["name", "id", "since", "erased"], list(answer, "subjects").iter().map(row))
}

fn subject(subject: &Value) -> String {
    let field = |name: &str| cell(subject.get(name));
    let lines = [
        ("name", field("name")),
        ("id", field("id")),
        ("since", field("createTime")),
        ("is", field("principals")),
        ("held by", field("holds")),
        ("erased", field("eraseTime")),
    ];
    lines.iter().map(|(heading, what)| format!("{heading:<9}{}\n", output::plain(what))).collect()
}

fn holds(answer: &Value) -> String {
    let row = |hold: &Value| {
        let field = |name: &str| cell(hold.get(name));
        let why = cell(hold.pointer("/spec/reason"));
        vec![field("name"), what(hold), field("holder"), field("createTime"), field("releaseTime"), why]
    };
    table(&["name", "over", "holder", "since", "released", "reason"], list(answer, "holds").iter().map(row))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    #[test]
    fn a_hold_over_everything_says_so() {
        let line = |further: &[&str]| {
            let line = [&["x", "case-7", "--reason", "case 7"], further].concat();
            Line::try_parse_from(line).map(|line| line.create.is_unsaid()).ok()
        };
        assert_eq!(
            (line(&[]), line(&["--everything"]), line(&["--tenant", "acme"])),
            (Some(true), Some(false), Some(false))
        );
        assert_eq!(line(&["--everything", "--subject", "ada"]), None);
    }

    #[test]
    fn a_hold_is_listed_with_what_it_is_over() {
        let hold = json!({"name": "holds/case-7", "spec": {"tenant": "tenants/acme", "reason": "case 7"}});
        let text = holds(&json!({"holds": [hold, {"name": "holds/all", "spec": {"reason": "x"}}]}));
        assert!(text.contains("tenants/acme") && text.contains("everything"), "{text}");
        assert_eq!(named("subjects", "ada@example.org"), "subjects/ada@example.org");
        assert_eq!(named("subjects", "subjects/p~1"), "subjects/p~1");
    }

    #[test]
    fn whom_it_is_about_is_shown_with_what_keeps_it() {
        let text = subject(
            &json!({"name": "subjects/p~1", "id": "ada", "principals": ["tenants/acme/principals/ada"],
            "holds": ["holds/case-7"]}),
        );
        assert!(text.contains("is       tenants/acme/principals/ada\n"), "{text}");
        assert!(text.contains("held by  holds/case-7\n"), "{text}");
    }
}
