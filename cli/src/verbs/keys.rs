//! `keys`: API keys made, listed and revoked.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use policy_engine::vocabulary::Instant;
use serde_json::{Map, Value, json};

use super::Shown;
use super::because::Because;
use super::failure::Failure;
use super::field::{self, list};
use super::instant::{From, moment};
use super::wait::Wait;
use crate::client::{Client, ClientError};
use crate::output::plain;
use crate::output::table::{cell, table};

/// Make, list and revoke API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key. Its secret is shown now and never again.
    Create(Create),
    /// List keys, without their secrets.
    List(List),
    /// End a key for good, on every node.
    Revoke(Revoke),
}

/// What a new key is for.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The tenant of the principal.
    #[arg(long)]
    tenant: String,
    /// The principal it acts for.
    #[arg(long)]
    principal: String,
    /// The team it acts in.
    #[arg(long)]
    team: String,
    /// The only models it may be used with, with `*` for any run of characters; with commas between, or repeated.
    #[arg(long, value_delimiter = ',')]
    models: Vec<String>,
    /// The only geos it works in; with commas between, or repeated.
    #[arg(long, value_delimiter = ',')]
    geos: Vec<String>,
    /// From when on it does not work: a length such as 1h30m, a date such as 2026-12-31 (its first instant in UTC), or an instant.
    #[arg(long, value_name = "LENGTH|DATE|INSTANT")]
    expires: Option<String>,
    /// The name people read.
    #[arg(long)]
    display_name: Option<String>,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    shown: Shown,
}

/// Whose keys are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The tenant, or `-` for every tenant; without it the platform's are meant.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// Which key is ended.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Its public id, or its whole name such as `tenants/acme/keys/k1`.
    key: String,
    /// The tenant it belongs to, where only the id is given.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    shown: Shown,
}

/// Does it.
pub(super) async fn run(client: &Client, keys: &Keys) -> Result<(), Failure> {
    match keys {
        Keys::Create(create) => {
            let client = &create.because.told_by(client)?;
            let path = collection(Some(&create.tenant));
            let reply = client.post(&path, &json!({ "spec": spec(create)? })).await?;
            create.shown.print(&reply, || created(&reply.json));
            field::warned(&reply.json, create.shown);
            create.wait.enforced(client, reply.revision, create.shown).await
        }
        Keys::List(asked) => {
            let reply = client.all(&collection(asked.tenant.as_deref()), "keys").await?;
            field::hint(list(&reply.json, "keys"), asked.tenant.as_deref(), "keys");
            field::unmatched(list(&reply.json, "keys"), &asked.filter(), asked.shown);
            asked.shown.print(&reply, || listed(&reply.json));
            Ok(())
        }
        Keys::Revoke(revoke) => {
            let client = &revoke.because.told_by(client)?;
            let name = name(&revoke.key, revoke.tenant.as_deref()).map_err(Failure::Input)?;
            let reply = client.post(&format!("{name}:revoke"), &json!({})).await;
            let reply = reply.map_err(|error| found_elsewhere(error, revoke))?;
            revoke
                .shown
                .print(&reply, || format!("revoked {name} at {}\n", cell(reply.json.get("revokeTime"))));
            revoke.wait.enforced(client, reply.revision, revoke.shown).await
        }
    }
}

impl List {
    /// What the list is narrowed to.
    fn filter(&self) -> Vec<(&'static str, String)> {
        self.tenant.iter().map(|tenant| ("tenant", tenant.clone())).collect()
    }
}

fn collection(tenant: Option<&str>) -> String {
    tenant.map_or_else(|| "keys".to_owned(), |tenant| format!("tenants/{tenant}/keys"))
}

fn name(key: &str, tenant: Option<&str>) -> Result<String, String> {
    match (key.contains('/'), tenant) {
        _ if key.split('/').any(|step| step.starts_with("chy_")) => {
            let line = "a key is named by its public id, not by its secret: of chy_ID_SECRET that is ID. The secret was in this command \
                        line, so others on this machine may have seen it, and the shell may keep it";
            Err(line.to_owned())
        }
        (true, None) => Ok(key.to_owned()),
        (true, Some(_)) => Err("the name already has its tenant: leave out --tenant".to_owned()),
        (false, tenant) => Ok(format!("{}/{key}", collection(tenant))),
    }
}

/// Whoever named no tenant is told that most keys have one.
fn found_elsewhere(error: ClientError, revoke: &Revoke) -> Failure {
    match error {
        ClientError::Refused(mut refused)
            if refused.status == 404 && revoke.tenant.is_none() && !revoke.key.contains('/') =>
        {
            let hint = "the platform has no such key; a tenant's is named with --tenant TENANT (chancery keys list --tenant -)";
            refused.fields.push((String::new(), hint.to_owned()));
            ClientError::Refused(refused).into()
        }
        error => error.into(),
    }
}

fn spec(create: &Create) -> Result<Value, Failure> {
    let mut spec = Map::new();
    let mut put = |key: &str, value: Value| spec.insert(key.to_owned(), value);
    put("principal", create.principal.as_str().into());
    put("team", create.team.as_str().into());
    if !create.models.is_empty() {
        put("models", create.models.clone().into());
    }
    if !create.geos.is_empty() {
        put("geos", create.geos.clone().into());
    }
    if let Some(text) = &create.display_name {
        put("displayName", text.as_str().into());
    }
    if let Some(text) = &create.expires {
        put("expireTime", moment(text, (SystemTime::now(), From::Now))?.into());
    }
    Ok(Value::Object(spec))
}

fn created(answer: &Value) -> String {
    let key = answer.get("key");
    let name = cell(key.and_then(|key| key.get("name")));
    let secret = answer.get("secret").and_then(Value::as_str).map(plain).unwrap_or_default();
    let expires = key.and_then(|key| key.pointer("/spec/expireTime")).and_then(Value::as_str);
    let expires = expires.map_or_else(|| "when it is revoked".to_owned(), plain);
    format!(
        "key      {name}\nexpires  {expires}\nsecret   {secret}\n\nThe secret is not kept and can't be shown again.\n"
    )
}

/// What has become of a key by now: `active`, `expired` or `revoked`.
pub(super) fn state(key: &Value, now: SystemTime) -> &'static str {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let expires = key.pointer("/spec/expireTime").and_then(Value::as_str);
    let expires = expires.and_then(|text| Instant::parse(text).ok());
    let over = |Instant(at)| u128::try_from(at).unwrap_or_default() <= now;
    match key.get("revokeTime") {
        Some(_) => "revoked",
        None if expires.is_some_and(over) => "expired",
        None => "active",
    }
}

fn listed(answer: &Value) -> String {
    let now = SystemTime::now();
    let row = |key: &Value| {
        let spec = |field: &str| cell(key.pointer(&format!("/spec/{field}")));
        vec![
            cell(key.get("name")),
            state(key, now).to_owned(),
            spec("principal"),
            spec("team"),
            spec("models"),
            spec("geos"),
            spec("expireTime"),
        ]
    };
    table(
        &["name", "state", "principal", "team", "models", "geos", "expires"],
        list(answer, "keys").iter().map(row),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_id_or_name_and_never_by_its_secret() {
        assert_eq!(name("k1", Some("acme")).unwrap(), "tenants/acme/keys/k1");
        assert_eq!(name("k1", None).unwrap(), "keys/k1");
        assert_eq!(name("tenants/a/keys/k", None).unwrap(), "tenants/a/keys/k");
        assert!(name("tenants/a/keys/k", Some("a")).is_err());
        for secret in ["chy_abc_secret", "tenants/a/keys/chy_abc_secret"] {
            let refused = name(secret, None).unwrap_err();
            assert!(!refused.contains("_secret") && !refused.contains("abc"), "{refused}");
        }
    }

    #[test]
    fn a_secret_is_shown_once_and_a_list_has_none() {
        let answer = json!({"key": {"name": "tenants/a/keys/k", "spec": {"expireTime": "2026-12-31T00:00:00Z"}},
            "secret": "chy_k_s"});
        assert_eq!(
            created(&answer),
            "key      tenants/a/keys/k\nexpires  2026-12-31T00:00:00Z\nsecret   chy_k_s\n\n\
             The secret is not kept and can't be shown again.\n"
        );
        let keys =
            [json!({"name": "keys/k", "revokeTime": "2026-01-01T00:00:00Z", "spec": {"principal": "p"}})];
        let shown = listed(&json!({ "keys": keys }));
        assert!(shown.lines().nth(1).unwrap().contains("revoked") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_key_is_active_until_it_expires_or_is_revoked() {
        let key = json!({"spec": {"expireTime": "2026-12-31T00:00:00Z"}});
        let at = |seconds: u64| UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let midnight = 1_798_675_200;
        assert_eq!(state(&key, at(midnight - 1)), "active");
        assert_eq!(state(&key, at(midnight)), "expired");
        assert_eq!(state(&json!({"spec": {}}), at(midnight)), "active");
        let revoked = json!({"revokeTime": "2026-01-01T00:00:00Z", "spec": key["spec"]});
        assert_eq!(state(&revoked, at(midnight)), "revoked");
    }
}
