//! Rights that an auditor takes for a while: by either door and by the verb, told aloud, named by every event under them, and over by
//! themselves.

use std::process::{Command, Output};

use anyhow::{Result, ensure};
use control_plane::config::{BreakGlassConfig, Config};
use integration_tests::{
    admin::Anything,
    door::Door,
    household::{Household, Lines, binary},
    sandbox::{QUICKSTART, Sandbox},
    wait::until,
};
use serde_json::{Value, json};

use crate::platform_auditor::{EVE, MALLORY, auditors, events};

const SERVICE: &str = "chancery.admin.v1.ElevationsService";

fn configured(control: &mut Config) {
    auditors(control);
    let who = [
        "platform/eve",
        "platform/mallory",
        "platform/erin",
        "platform/root",
        "tenants/acme/principals/ada@example.org",
    ];
    control.break_glass =
        BreakGlassConfig { who: who.map(str::to_owned).to_vec(), ..BreakGlassConfig::default() };
}

/// Somebody at a door.
struct Caller<'a> {
    door: Door,
    grpc: Anything,
    url: String,
    token: &'a str,
}

impl<'a> Caller<'a> {
    async fn at(door: Door, house: &Sandbox, token: &'a str) -> Self {
        let url = house.admin_url();
        Self { door, grpc: Anything::at(&url, Some(token)).await.unwrap(), url, token }
    }

    /// Asks; the refusal's code where it is refused.
    async fn ask(&self, rpc: &str, (message, path): (Value, &str), body: Value) -> Result<Value, String> {
        if self.door == Door::Grpc {
            let answer = self.grpc.call(rpc, message).await.unwrap();
            return answer.map_err(|refusal| refusal.code.as_str().to_owned());
        }
        let url = format!("{}/v1/{path}", self.url);
        let client = integration_tests::door::client().unwrap();
        let asked = if body.is_null() { client.get(url) } else { client.post(url).json(&body) };
        let answer = asked.bearer_auth(self.token).send().await.unwrap();
        let is_done = answer.status().is_success();
        let told: Value = answer.json().await.unwrap();
        match is_done {
            true => Ok(told),
            false => Err(told["error"]["details"][0]["reason"].as_str().unwrap().to_owned()),
        }
    }

    async fn elevate(&self, spec: Value) -> Result<Value, String> {
        let asked = json!({"elevation": {"spec": spec}});
        self.ask(&format!("{SERVICE}/CreateElevation"), (asked, "elevations"), json!({"spec": spec})).await
    }

    async fn end(&self, name: &str) -> Result<Value, String> {
        let path = format!("{name}:end");
        self.ask(&format!("{SERVICE}/EndElevation"), (json!({"name": name}), &path), json!({})).await
    }

    async fn get(&self, name: &str) -> Result<Value, String> {
        self.ask(&format!("{SERVICE}/GetElevation"), (json!({"name": name}), name), Value::Null).await
    }

    /// Makes a team, which an auditor may not.
    async fn team(&self, tenant: &str, id: &str) -> Result<Value, String> {
        let parent = format!("tenants/{tenant}");
        let spec = json!({"jurisdictions": ["DE"]});
        let asked = json!({"parent": parent, "teamId": id, "team": {"spec": spec}});
        let path = format!("{parent}/teams?teamId={id}");
        self.ask("chancery.admin.v1.TeamsService/CreateTeam", (asked, &path), json!({"spec": spec})).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_taken_for_a_reason_named_by_every_event_and_over_by_themselves() {
    let house = Sandbox::of(QUICKSTART, configured, |_| ()).await.unwrap();
    let root = Anything::at(&house.admin_url(), Some(house.token())).await.unwrap();
    for (door, id) in Door::BOTH.into_iter().zip(["by-the-one", "by-the-other"]) {
        let eve = Caller::at(door, &house, EVE).await;
        assert_eq!(eve.team("acme", id).await.unwrap_err(), "permission_denied");
        for wrong in [
            json!({"valid": "5m"}),
            json!({"reason": "x", "valid": "2h"}),
            json!({"reason": "x", "valid": "soon"}),
        ] {
            assert_eq!(eve.elevate(wrong.clone()).await.unwrap_err(), "invalid_request", "{wrong}");
        }
        let spec = json!({"reason": "the admins are away", "ticket": "INC-7", "valid": "5m"});
        let taken = eve.elevate(spec.clone()).await.unwrap();
        let name = taken["name"].as_str().unwrap().to_owned();
        assert_eq!((&taken["state"], &taken["holder"]), (&json!("active"), &json!("platform/eve")));
        assert_eq!(eve.elevate(spec).await.unwrap_err(), "failed_precondition");
        assert!(house.control_metrics().await.unwrap().contains("chancery_control_elevations 1"));
        eve.team("acme", id).await.unwrap();
        let done = &events(&root, json!({"actor": "platform/eve", "action": "CreateTeam", "outcome": "ok"}))
            .await
            .unwrap()[0];
        assert_eq!((&done["elevation"], &done["actor"]), (&json!(name), &json!("platform/eve")));
        // What it reads meanwhile is logged as it was.
        eve.get(&name).await.unwrap();
        let read =
            &events(&root, json!({"actor": "platform/eve", "action": "GetElevation"})).await.unwrap()[0];
        assert_eq!(read["elevation"], json!(name));
        let ended = eve.end(&name).await.unwrap();
        assert_eq!((&ended["state"], &ended["ender"]), (&json!("ended"), &json!("platform/eve")));
        assert_eq!(eve.end(&name).await.unwrap_err(), "failed_precondition");
        assert_eq!(eve.team("acme", &format!("{id}-2")).await.unwrap_err(), "permission_denied");
        let log = events(&root, json!({"resource": name, "outcome": "ok", "pageSize": 100})).await.unwrap();
        let of =
            |action: &str| log.iter().find(|event| event["action"] == format!("{SERVICE}/{action}")).unwrap();
        assert_eq!(
            (&of("CreateElevation")["reason"], &of("CreateElevation")["ticket"]),
            (&json!("the admins are away"), &json!("INC-7"))
        );
        for action in ["CreateElevation", "EndElevation"] {
            assert_eq!(of(action)["elevation"], json!(name));
        }
        // Nobody ends it, and it is over.
        let short = eve.elevate(json!({"reason": "a moment", "valid": "200ms"})).await.unwrap();
        let short = short["name"].as_str().unwrap().to_owned();
        let asked = json!({"resource": short, "action": "ExpireElevation"});
        let over =
            until("the end of rights in the log", async || events(&root, asked.clone()).await.ok()?.pop())
                .await;
        let over = over.unwrap();
        assert_eq!((&over["actor"], &over["elevation"]), (&json!("system"), &json!(short)));
        assert_eq!(eve.get(&short).await.unwrap()["state"], "expired");
        assert_eq!(eve.team("acme", &format!("{id}-2")).await.unwrap_err(), "permission_denied");
        assert!(house.control_metrics().await.unwrap().contains("chancery_control_elevations 0"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_reach_as_far_as_their_holders_scope_and_are_nobody_elses() {
    let house = Sandbox::of(QUICKSTART, configured, |_| ()).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let other = house.key("ada@example.org", "research").await.unwrap();
    for door in Door::BOTH {
        let at = async |token| Caller::at(door, &house, token).await;
        let (mallory, root) = (at(MALLORY).await, at(house.token()).await);
        let taken = mallory.elevate(json!({"reason": "x"})).await.unwrap();
        let name = taken["name"].as_str().unwrap();
        let id = if door == Door::Grpc { "narrow-a" } else { "narrow-b" };
        mallory.team("acme", id).await.unwrap();
        // Another tenant is not there for it, and the platform's is not its to change.
        assert_eq!(mallory.team("rival", id).await.unwrap_err(), "not_found");
        let apply =
            json!({"files": [{"path": "a.yaml", "text": crate::policy::rule("mine", "forbid", "true", "")}]});
        let applied = mallory
            .ask("chancery.admin.v1.PolicyService/Apply", (apply.clone(), "policy:apply"), apply)
            .await;
        assert!(applied.is_err() || !applied.unwrap()["faults"].is_null());
        // An administrator sees it, and takes it back.
        assert_eq!(root.get(name).await.unwrap()["state"], "active");
        assert_eq!(root.end(name).await.unwrap()["ender"], "platform/root");
        assert_eq!(mallory.team("acme", &format!("{id}-2")).await.unwrap_err(), "permission_denied");
        // Who has every right has none to take; who is narrowed to geos could not be narrowed so.
        assert_eq!(root.elevate(json!({"reason": "x"})).await.unwrap_err(), "failed_precondition");
        // A principal's are bound to the key it took them with.
        let (ada, beside) = (at(&key).await, at(&other).await);
        let taken = ada.elevate(json!({"reason": "x", "valid": "5m"})).await.unwrap();
        assert_eq!(taken["keyId"], key.split('_').nth(1).unwrap());
        ada.team("acme", &format!("{id}-ada")).await.unwrap();
        assert!(beside.team("acme", &format!("{id}-beside")).await.is_err());
        ada.end(taken["name"].as_str().unwrap()).await.unwrap();
        assert!(ada.team("acme", &format!("{id}-late")).await.is_err());
    }
}

fn lines() -> String {
    let sha256 = control_plane::registry::hex(&control_plane::actor::token_digest(EVE));
    format!(
        "[admin]\ntokens = [{{name = \"eve\", sha256 = \"{sha256}\", role = \"auditor\"}}]\n\
         [break_glass]\nwho = [\"platform/eve\"]\nmax = \"10m\"\n"
    )
}

fn run(house: &Household, token: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary().unwrap());
    command
        .env_clear()
        .envs([("CHANCERY_CONTROL_URL", house.admin_url()), ("CHANCERY_ADMIN_TOKEN", token.to_owned())]);
    command.current_dir(house.home()).args(arguments).output().unwrap()
}

fn done(house: &Household, token: &str, arguments: &[&str]) -> Result<(String, String)> {
    let output = run(house, token, arguments);
    let (told, said) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok((told, said))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auditor_at_a_terminal_looks_breaks_the_glass_and_gives_the_rights_back() {
    let house = Household::of("warn", QUICKSTART, Lines { control: &lines(), planes: "" }).await.unwrap();
    let token = house.token().unwrap();
    done(&house, EVE, &["get", "rules"]).unwrap();
    std::fs::write(
        house.home().join("rule.yaml"),
        crate::policy::rule("mine", "forbid", "purpose == 'x'", ""),
    )
    .unwrap();
    let apply = ["apply", "-f", "rule.yaml"];
    let refused = run(&house, EVE, &apply);
    assert_eq!(refused.status.code(), Some(4));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("an auditor's token changes nothing") && said.contains("chancery break-glass"),
        "{said}"
    );
    assert_eq!(run(&house, EVE, &["break-glass", "--reason", "x", "--for", "1h"]).status.code(), Some(7));

    let glass = ["break-glass", "--reason", "ada@example.org is away", "--ticket", "INC-7", "--for", "5m"];
    let (told, said) = done(&house, EVE, &glass).unwrap();
    assert!(told.starts_with("platform/eve has the platform's rights by elevations/1 until "), "{told}");
    let warned = "warning: `elevation.spec.reason` seems to hold personal data (EMAIL)";
    assert!(said.contains(warned) && !said.contains("ada@"), "{said}");
    let (_, said) = done(&house, EVE, &apply).unwrap();
    assert!(said.contains("warning: this was done by the rights of `elevations/1`, which end at "), "{said}");
    let (listed, said) = done(&house, &token, &["elevations", "list"]).unwrap();
    assert!(
        listed.contains("elevations/1  active") && listed.contains("INC-7") && said.is_empty(),
        "{listed}{said}"
    );
    let (admins, _) = done(&house, EVE, &["admins", "list", "-o", "json"]).unwrap();
    let admins: Value = serde_json::from_str(&admins).unwrap();
    assert_eq!(
        admins["administrators"],
        json!([{"name": "platform/eve", "role": "auditor", "breakGlass": true}, {"name": "platform/root", "role": "admin"}])
    );
    done(&house, EVE, &["elevations", "end", "1"]).unwrap();
    assert_eq!(run(&house, EVE, &apply).status.code(), Some(4));
    let log = house.control.log().unwrap();
    assert!(log.contains("somebody broke the glass") && log.contains("are over"), "{log}");

    // Whoever it is, and over either door, is warned of personal data, and not refused.
    let (_, said) =
        done(&house, &token, &["delete", "rule", "mine", "--reason", "call +49 30 901820"]).unwrap();
    assert!(said.contains("warning: `reason` seems to hold personal data (PHONE)"), "{said}");
    let mut request = house.authorised(proto::admin::ApplyRequest::default()).unwrap();
    request.metadata_mut().insert("x-chancery-ticket", "DE89370400440532013000".parse().unwrap());
    let channel = house.channel().await.unwrap();
    let answer =
        proto::admin::policy_service_client::PolicyServiceClient::new(channel).apply(request).await.unwrap();
    let warned = answer.metadata().get("x-chancery-warning").unwrap().to_str().unwrap();
    assert!(
        warned.starts_with("`ticket` seems to hold personal data (INTERNATIONAL_BANK_ACCOUNT_NUMBER)"),
        "{warned}"
    );
}
