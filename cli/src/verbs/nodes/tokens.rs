//! The tokens by which machines become nodes: what was made, and taking one back.

use clap::Args;
use serde_json::{Value, json};

use super::{Because, Failure, Shown, list};
use crate::client::Client;
use crate::output;
use crate::output::table::{cell, table};

/// How tokens are listed.
#[derive(Debug, Args)]
pub(crate) struct Tokens {
    #[command(flatten)]
    shown: Shown,
}

/// Which token is taken back.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Its id, as `nodes tokens` lists it, or the token itself, of which the id alone is sent.
    token: String,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    shown: Shown,
}

impl Tokens {
    pub(super) async fn run(&self, client: &Client) -> Result<(), Failure> {
        let reply = client.all("enrolmentTokens", "enrolmentTokens").await?;
        self.shown.print(&reply, || listed(&reply.json));
        Ok(())
    }
}

impl Withdraw {
    pub(super) async fn run(&self, client: &Client) -> Result<(), Failure> {
        let client = &self.because.told_by(client)?;
        let path = format!("enrolmentTokens/{}:withdraw", id(&self.token)?);
        let reply = client.post(&path, &json!({})).await?;
        let told = || {
            let field = |name: &str| cell(reply.json.get(name));
            format!("withdrew {}, for {}, at {}\n", field("name"), field("node"), field("withdrawTime"))
        };
        self.shown.print(&reply, told);
        Ok(())
    }
}

/// The id in whatever names a token: of the token itself, nothing of its secret is sent or shown.
fn id(token: &str) -> Result<&str, Failure> {
    let id = match token.strip_prefix("chyn_") {
        Some(rest) => rest.split('_').next().unwrap_or_default(),
        None => token.strip_prefix("enrolmentTokens/").unwrap_or(token),
    };
    match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => Ok(id),
        false => Err(Failure::Input("that is not the id of a token: see `chancery nodes tokens`".to_owned())),
    }
}

fn listed(answer: &Value) -> String {
    let row = |token: &Value| {
        let field = |name: &str| cell(token.get(name));
        let text = |name: &str| token.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = output::plain(text("name").trim_start_matches("enrolmentTokens/"));
        let place = text("node").strip_prefix("geos/").and_then(|place| place.split_once("/nodes/"));
        let (geo, node) = place.unwrap_or(("-", "-"));
        let mut row = vec![id, output::plain(geo), output::plain(node), field("state"), field("creator")];
        row.extend(["createTime", "expireTime", "useTime"].map(field));
        row
    };
    let headings = ["id", "geo", "node", "state", "made by", "made", "good until", "used"];
    table(&headings, list(answer, "enrolmentTokens").iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_named_by_its_id_and_nothing_else_of_it_is_sent() {
        for (given, expected) in
            [("ab12", "ab12"), ("enrolmentTokens/ab12", "ab12"), ("chyn_ab12_secret_pin", "ab12")]
        {
            assert_eq!(id(given).unwrap(), expected);
        }
        for wrong in ["", "chyn_", "chyn__secret_pin", "a/b", "a_secret"] {
            let refused = id(wrong).unwrap_err().to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn tokens_are_listed_with_whose_they_are_and_what_became_of_them() {
        let token = json!({"name": "enrolmentTokens/ab12", "node": "geos/eu/nodes/eu-3", "creator": "platform/root",
            "createTime": "2026-01-01T00:00:00Z", "expireTime": "2026-01-01T01:00:00Z", "state": "unused"});
        let told = listed(&json!({ "enrolmentTokens": [token] }));
        let row = told.lines().nth(1).unwrap();
        let expected = [
            "ab12",
            "eu",
            "eu-3",
            "unused",
            "platform/root",
            "2026-01-01T00:00:00Z",
            "2026-01-01T01:00:00Z",
            "-",
        ];
        assert!(row.split_whitespace().eq(expected), "{told}");
    }
}
