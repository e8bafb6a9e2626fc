//! `nodes`: who enforces what, tokens and certificates for new ones, and the end of one.

mod forget;
mod shown;
mod tokens;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use control_plane::ca::{Authority, LEAF_VALIDITY};
use policy_engine::vocabulary::Instant;
use serde_json::{Value, json};

use super::Shown;
use super::because::Because;
use super::failure::Failure;
use super::field::{list, text};
use super::instant::lasting;
use crate::client::{Client, Reply};
use crate::output;
use crate::output::table::cell;

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// See data-plane nodes, let new ones in, and revoke them.
#[derive(Debug, Subcommand)]
pub(crate) enum Nodes {
    /// List the nodes that were heard from, the revision each enforces, and how each is.
    List(List),
    /// Show everything that is known of one node.
    Get(Get),
    /// Make a token with which one machine becomes a node. It is shown now and never again.
    Enrol(Enrol),
    /// List the tokens that were made, for whom, by whom, and what became of each. Their secrets are nowhere.
    Tokens(tokens::Tokens),
    /// Take a token back that was not used.
    Withdraw(tokens::Withdraw),
    /// End a node: its stream is closed, its certificates and tokens are refused. A new token lets it in again.
    Revoke(Revoke),
    /// Let a node take no new requests: what is in flight may end, and is cut after a while. It stays up, and so does this, until it is
    /// undrained.
    Drain(Drain),
    /// Let a drained node take requests again.
    Undrain(Revoke),
    /// Take a node from the list that was revoked, is only awaited, or was not heard for a day. What was revoked stays revoked.
    Forget(forget::Forget),
    /// Issue a node's certificate, on the control plane's machine; the control plane need not run.
    Issue(Issue),
}

/// How they are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Show what is seldom asked too: clocks, seqs, certificates.
    #[arg(long)]
    wide: bool,
    #[command(flatten)]
    shown: Shown,
}

/// Which node is shown.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Its id, or its whole name such as `nodes/eu-1`.
    node: String,
    #[command(flatten)]
    shown: Shown,
}

/// For whom a token is, and how long it is good.
#[derive(Debug, Args)]
pub(crate) struct Enrol {
    /// The geo the node runs in.
    #[arg(long)]
    geo: String,
    /// The geo is meant, though nothing knows it and its name is nearly that of another.
    #[arg(long)]
    new_geo: bool,
    /// The node's name, unique within the geo; without it one is made up.
    #[arg(long)]
    node: Option<String>,
    /// How long the token may be used, such as `1h30m` or `7d`, or until when; at most `30d`.
    #[arg(long, default_value = "1h")]
    valid: String,
    /// The sync port as the node reaches it; without it the host of `CHANCERY_CONTROL_URL` and the port the control plane tells.
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    shown: Shown,
}

/// Which node is ended.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Its id, or its whole name such as `nodes/eu-1`; `geos/eu/nodes/eu-1` also names one that was never heard.
    node: String,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    shown: Shown,
}

/// Which node is drained, why, and how long that may take.
#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Its id, or its whole name such as `nodes/eu-1`.
    node: String,
    /// Why, for operators and the log of acts. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The change request or incident behind it, for the log of acts.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// How long what is in flight may take until it is cut: from `0s` to `1h`.
    #[arg(long, default_value = "30s")]
    within: String,
    #[command(flatten)]
    shown: Shown,
}

/// For whom a certificate is, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// The geo the node runs in.
    #[arg(long)]
    geo: String,
    /// The node's name, unique within the geo.
    #[arg(long)]
    node: String,
    /// The control plane's state directory.
    #[arg(long, env = "CHANCERY_STATE_DIR", default_value = ".chancery")]
    state_dir: PathBuf,
    /// The directory that gets `node.pem`, `node.key` and `ca.pem`.
    #[arg(long)]
    out: PathBuf,
    /// Days the certificate is good for.
    #[arg(long, default_value_t = LEAF_VALIDITY.as_secs() / DAY, value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: u64,
    /// Overwrite what is there; a node that uses it has then another certificate and key.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    shown: Shown,
}

/// Asks the control plane.
pub(super) async fn run(client: &Client, nodes: &Nodes) -> Result<(), Failure> {
    match nodes {
        Nodes::List(asked) => {
            let reply = client.all("nodes", "nodes").await?;
            asked.shown.print(&reply, || shown::list(list(&reply.json, "nodes"), asked.wide));
            Ok(())
        }
        Nodes::Get(asked) => {
            let reply = client.get(&name(&asked.node)?, &[]).await?;
            asked.shown.print(&reply, || shown::one(&reply.json));
            Ok(())
        }
        Nodes::Enrol(asked) => {
            let client = &asked.because.told_by(client)?;
            let reply = client.post("nodes:enrol", &wanted(asked, SystemTime::now())?).await?;
            if reply.json.get("geoIsNew").and_then(Value::as_bool) == Some(true) {
                let geo = output::plain(&asked.geo);
                output::complain(&format!(
                    "note: `{geo}` is a new geo: no other node is known there, and no resource names it"
                ));
            }
            asked.shown.print(&reply, || enrolled(&reply.json, &asked.url, client.host()));
            Ok(())
        }
        Nodes::Tokens(asked) => asked.run(client).await,
        Nodes::Withdraw(asked) => asked.run(client).await,
        Nodes::Revoke(asked) => {
            let client = &asked.because.told_by(client)?;
            let name = name(&asked.node)?;
            let reply = client.post(&format!("{name}:revoke"), &json!({})).await?;
            asked.shown.print(&reply, || revoked(&reply.json));
            Ok(())
        }
        Nodes::Drain(asked) => drain(client, asked).await,
        Nodes::Undrain(asked) => {
            let client = &asked.because.told_by(client)?;
            let name = name(&asked.node)?;
            let reply = client.post(&format!("{name}:undrain"), &json!({})).await?;
            asked.shown.print(&reply, || format!("{name} takes requests again\n"));
            Ok(())
        }
        Nodes::Forget(asked) => asked.run(client).await,
        Nodes::Issue(asked) => issue(asked),
    }
}

async fn drain(client: &Client, asked: &Drain) -> Result<(), Failure> {
    let client = &Because::of(&asked.reason, asked.ticket.as_deref()).told_by(client)?;
    let name = name(&asked.node)?;
    let body = json!({"reason": asked.reason, "within": asked.within});
    let reply = client.post(&format!("{name}:drain"), &body).await?;
    asked.shown.print(&reply, || draining(&name, &reply.json));
    Ok(())
}

/// That a node drains, or that it can't be told so now.
fn draining(name: &str, node: &Value) -> String {
    match text(node, "state").as_str() {
        "connected" | "incompatible" => {
            format!("{name} is told to take no new requests; `nodes get` says when it has drained\n")
        }
        state => format!(
            "{name} is not connected ({state}), so it was not told: where it runs cut off it goes on taking requests, and it \
             drains when it comes; `nodes undrain` takes that back\n"
        ),
    }
}

/// What is asked of the control plane for a token.
fn wanted(asked: &Enrol, now: SystemTime) -> Result<Value, Failure> {
    let valid = lasting(&asked.valid, now)?;
    let mut body = json!({"geo": asked.geo, "node": asked.node.as_deref().unwrap_or(""), "valid": valid});
    // Said only where it is meant, so that a control plane that does not know the word yet still answers.
    if let Some(fields) = body.as_object_mut().filter(|_| asked.new_geo) {
        fields.insert("newGeo".to_owned(), true.into());
    }
    Ok(body)
}

/// That a node is ended, and what that does not do.
fn revoked(node: &Value) -> String {
    let field = |name: &str| cell(node.get(name));
    format!(
        "revoked {} at {}: it is let in no more\n\
         It serves what it has until that is too old (keys: a day, where the tenant says nothing else): stop the machine, and\n\
         replace the vendor credentials it was sent.\n",
        field("name"),
        field("revokeTime")
    )
}

/// The configuration of a node that begins with a token.
fn enrolled(answer: &Value, url: &Option<String>, host: &str) -> String {
    let text = |name: &str| output::plain(answer.get(name).and_then(Value::as_str).unwrap_or_default());
    let port = answer.get("syncPort").and_then(Value::as_u64).unwrap_or_default();
    let url = url.clone().unwrap_or_else(|| format!("https://{host}:{port}"));
    format!(
        "# {} may use the token once, before {}; it is not kept and can't be shown again\n\
         [control]\nurl = {url:?}\nenrolment_token = \"{}\"\n",
        text("node"),
        text("expireTime"),
        text("token")
    )
}

/// Issues a certificate by the authority in the state directory.
pub(super) fn issue(asked: &Issue) -> Result<(), Failure> {
    let name = |what: &str, text: &str| {
        Failure::Input(format!("`{}` is not the name of a {what}", output::plain(text)))
    };
    let geo = asked.geo.parse().map_err(|_| name("geo", &asked.geo))?;
    let node = asked.node.parse().map_err(|_| name("node", &asked.node))?;
    let authority = Authority::open(&asked.state_dir.join("control-plane").join("ca"))?;
    let valid = Duration::from_secs(asked.days.saturating_mul(DAY));
    let files = ["node.pem", "node.key", "ca.pem"].map(|file| asked.out.join(file));
    if let Some(there) = files.iter().find(|file| !asked.force && file.exists()) {
        return Err(Failure::Exists(there.clone()));
    }
    let ends = end(SystemTime::now(), valid);
    let paths = authority.issue_node(&geo, &node, valid)?.write(&asked.out, "node")?;
    let trusted = asked.out.join("ca.pem");
    control_plane::ca::write_private(&trusted, authority.certificate_pem().as_bytes())?;
    let paths = [("certificate", &paths.certificate), ("key", &paths.key), ("ca", &trusted)];
    let paths = paths.map(|(key, path)| (key, path.display().to_string()));
    let json = json!({ "expireTime": ends.to_string(), "control": BTreeMap::from(paths.clone()) });
    let reply = Reply { text: json.to_string(), json, revision: 0 };
    asked.shown.print(&reply, || {
        let lines: String = paths.iter().map(|(key, path)| format!("{key} = {path:?}\n")).collect();
        format!("# the certificate ends at {ends}\n[control]\n{lines}")
    });
    Ok(())
}

/// When a certificate that is issued now ends, to the second.
fn end(now: SystemTime, valid: Duration) -> Instant {
    let seconds = (now + valid).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Instant(i64::try_from(seconds).unwrap_or_default().saturating_mul(1_000_000))
}

/// The whole name of a node.
fn name(node: &str) -> Result<String, Failure> {
    match node {
        token if token.contains("chyn_") => {
            Err(Failure::Input("a node is named by its id, not by a token".to_owned()))
        }
        whole if whole.contains('/') => Ok(whole.to_owned()),
        id => Ok(format!("nodes/{id}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Form;
    use super::*;

    #[test]
    fn a_token_is_told_as_the_file_that_a_node_needs() {
        let answer = json!({"token": "chyn_a_s_p", "node": "nodes/eu-3", "syncPort": 7071,
            "expireTime": "2026-12-31T00:00:00Z"});
        let told = enrolled(&answer, &None, "cp.test");
        assert_eq!(
            told,
            "# nodes/eu-3 may use the token once, before 2026-12-31T00:00:00Z; it is not kept and can't be shown again\n\
             [control]\nurl = \"https://cp.test:7071\"\nenrolment_token = \"chyn_a_s_p\"\n"
        );
        let elsewhere = enrolled(&answer, &Some("https://a:1".to_owned()), "cp.test");
        assert!(elsewhere.contains("url = \"https://a:1\""), "{elsewhere}");
    }

    #[test]
    fn a_node_is_named_by_id_or_name_and_never_by_a_token() {
        assert_eq!(name("eu-1").unwrap(), "nodes/eu-1");
        assert_eq!(name("geos/eu/nodes/eu-1").unwrap(), "geos/eu/nodes/eu-1");
        let refused = name("nodes/chyn_a_secret_b").unwrap_err().to_string();
        assert!(!refused.contains("secret"), "{refused}");
    }

    #[test]
    fn a_certificate_is_issued_by_the_authority_that_is_there_and_by_no_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let asked = |geo: &str| Issue {
            geo: geo.to_owned(),
            node: "eu-1".to_owned(),
            state_dir: dir.path().to_owned(),
            out: dir.path().join("out"),
            days: 30,
            force: false,
            shown: Shown { output: Form::Json },
        };
        assert!(matches!(issue(&asked("eu")), Err(Failure::Authority(_))));
        assert!(!dir.path().join("control-plane").exists());

        let authority = Authority::open_or_create(&dir.path().join("control-plane/ca")).unwrap();
        assert!(matches!(issue(&asked("e u")), Err(Failure::Input(_))));
        issue(&asked("eu")).unwrap();
        let read = |name: &str| std::fs::read_to_string(dir.path().join("out").join(name)).unwrap();
        assert_eq!(read("ca.pem"), authority.certificate_pem());
        assert!(read("node.pem").starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(read("node.key").contains("PRIVATE KEY"));

        let key = read("node.key");
        let refused = issue(&asked("eu")).unwrap_err().to_string();
        assert!(refused.contains("node.pem` is there already") && refused.contains("--force"), "{refused}");
        assert_eq!(read("node.key"), key);
        issue(&Issue { force: true, ..asked("eu") }).unwrap();
        assert_ne!(read("node.key"), key);
    }

    #[test]
    fn the_end_of_a_certificate_is_told_to_the_second() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700);
        assert_eq!(end(now, Duration::from_secs(DAY)).to_string(), "1970-01-02T00:00:01Z");
    }
}
