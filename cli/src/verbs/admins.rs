//! `admins`: who administers and audits the platform by a token of its configuration, and a token for one more.
//!
//! Law: a token is made here and shown once; the control plane is configured with its digest, and no call changes that.

use clap::{Args, Subcommand, ValueEnum};
use control_plane::actor::token_digest;
use control_plane::config::Config;
use control_plane::registry::hex;
use control_plane::seal::random;
use serde_json::{Value, json};

use super::Shown;
use super::failure::Failure;
use super::field::list;
use crate::client::{Client, Reply};
use crate::output;
use crate::output::table::{cell, table};

/// See who administers and audits the platform, and make a token for one more.
#[derive(Debug, Subcommand)]
pub(crate) enum Admins {
    /// List every holder of a token that is configured.
    List(Listed),
    /// Make a token, and the line of the configuration that lets its holder in. Nobody is asked, and nothing is changed.
    Token(Token),
}

/// How they are listed.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    #[command(flatten)]
    shown: Shown,
}

/// What the token is for.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Under which name the log of acts shall know its holder.
    name: String,
    /// What its holder may do.
    #[arg(long, value_enum, default_value_t = Role::Admin)]
    role: Role,
    /// The only tenants that an auditor may look at.
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// The only geos of whose nodes an auditor is told.
    #[arg(long = "geo", value_name = "GEO")]
    geos: Vec<String>,
    #[command(flatten)]
    shown: Shown,
}

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Everything.
    Admin,
    /// Look at everything, and be seen looking.
    Auditor,
}

/// Lists.
pub(super) async fn listed(client: &Client, asked: &Listed) -> Result<(), Failure> {
    let reply = client.get("administrators", &[]).await?;
    asked.shown.print(&reply, || rows(&reply.json));
    Ok(())
}

/// Makes a token.
pub(super) fn token(asked: &Token) -> Result<(), Failure> {
    let secret = random::<32>().map_err(|error| Failure::Input(error.to_string()))?;
    let token = hex(secret.as_slice());
    let line = line(asked, &hex(&token_digest(&token)))?;
    let json = json!({ "token": token, "configuration": line });
    let reply = Reply { text: json.to_string(), json, revision: 0 };
    asked.shown.print(&reply, || {
        format!("{token}\nis the token, shown this once. It counts when the control plane has started with\n[admin]\ntokens = [..., {line}]\n")
    });
    Ok(())
}

/// The line of the configuration, which the control plane would take.
fn line(asked: &Token, digest: &str) -> Result<String, Failure> {
    let mut line = format!("{{name = {:?}, sha256 = \"{digest}\"", asked.name);
    if asked.role == Role::Auditor {
        line += ", role = \"auditor\"";
    }
    for (key, names) in [("tenants", &asked.tenants), ("geos", &asked.geos)] {
        if !names.is_empty() {
            line += &format!(", {key} = {names:?}");
        }
    }
    line += "}";
    let text = format!("[admin]\ntokens = [{line}]\n");
    match Config::parse(&text, std::iter::empty()) {
        Ok(_) => Ok(line),
        Err(error) => Err(Failure::Input(output::chain(&error))),
    }
}

fn rows(answer: &Value) -> String {
    let row = |one: &Value| {
        let names = |field: &str| {
            let all: Vec<_> = list(one, field).iter().filter_map(Value::as_str).map(output::plain).collect();
            if all.is_empty() { "-".to_owned() } else { all.join(",") }
        };
        let may = one.get("breakGlass").and_then(Value::as_bool).unwrap_or_default();
        let may = if may { "may" } else { "-" };
        vec![cell(one.get("name")), cell(one.get("role")), names("tenants"), names("geos"), may.to_owned()]
    };
    table(&["name", "role", "tenants", "geos", "break glass"], list(answer, "administrators").iter().map(row))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        token: Token,
    }

    #[test]
    fn a_token_comes_with_the_line_that_lets_its_holder_in() {
        let line_of =
            |line: &[&str]| line_of_token(&Line::try_parse_from([&["token"], line].concat()).unwrap().token);
        fn line_of_token(asked: &Token) -> Result<String, Failure> {
            line(asked, &"0".repeat(64))
        }
        let zeros = "0".repeat(64);
        assert_eq!(line_of(&["ops"]).unwrap(), format!("{{name = \"ops\", sha256 = \"{zeros}\"}}"));
        assert_eq!(
            line_of(&["eve", "--role", "auditor", "--tenant", "acme", "--tenant", "b", "--geo", "eu"])
                .unwrap(),
            format!(
                "{{name = \"eve\", sha256 = \"{zeros}\", role = \"auditor\", tenants = [\"acme\", \"b\"], geos = [\"eu\"]}}"
            )
        );
        for wrong in [&["ops", "--tenant", "acme"][..], &["eve", "--role", "auditor", "--geo", "a b"]] {
            assert!(line_of(wrong).is_err(), "{wrong:?}");
        }
        let told = rows(
            &json!({"administrators": [{"name": "platform/eve", "role": "auditor", "tenants": ["acme"], "breakGlass": true}]}),
        );
        assert!(told.contains("auditor") && told.contains("acme") && told.ends_with("may\n"), "{told}");
    }
}
