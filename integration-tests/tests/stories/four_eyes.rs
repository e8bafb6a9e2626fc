//! Four eyes: of kinds that need it, a change comes to the nodes when a second principal approves it, and in no other way.

use anyhow::{Context as _, Result};
use integration_tests::{
    admin::Anything,
    door::{Ask, Door},
    household::binary,
    sandbox::{Geo, QUICKSTART, Sandbox},
    scene::Scene,
    wait::until,
};
use policy_engine::vocabulary::{Duration, Kind};
use proto::{code::ErrorCode, status::Refusal};
use serde_json::{Value, json};

use crate::policy;

const MODEL: &str = "sim-mistral-large";

/// Somebody who governs `acme`, and rules as that tenant has its own.
const BOSS: &str = "---
apiVersion: chancery/v1
kind: Principal
metadata: {name: boss, tenant: acme}
spec: {type: user, teams: [research]}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: boss-admin, tenant: acme}
spec: {role: tenant-admin, to: {principal: boss}}
";

/// The quickstart without rules: what needs two principals can't be in what one applies.
fn unruled() -> String {
    let documents = QUICKSTART.split("\n---\n").filter(|document| !document.contains("kind: Rule\n"));
    documents.collect::<Vec<_>>().join("\n---\n")
}

async fn house() -> Result<Sandbox> {
    house_within(Duration(24 * 60 * 60 * 1_000_000)).await
}

/// A house whose proposals are good for so long.
async fn house_within(valid: Duration) -> Result<Sandbox> {
    let control = |config: &mut control_plane::config::Config| {
        config.approval = control_plane::approval::ApprovalConfig { kinds: [Kind::Rule].into(), valid };
    };
    let house = Sandbox::of(&unruled(), control, |_| ()).await?;
    house.apply(BOSS).await?;
    Ok(house)
}

/// Somebody who calls the admin API.
struct Admin(Anything);

impl Admin {
    async fn of(scene: &Scene, token: &str) -> Result<Self> {
        Ok(Self(Anything::at(&scene.house.admin_url(), Some(token)).await?))
    }

    async fn apply(&self, text: &str, further: Value) -> Result<Result<Value, Refusal>> {
        let mut asked = further;
        asked["files"] = json!([{"path": "a.yaml", "text": text}]);
        self.0.call("chancery.admin.v1.PolicyService/Apply", asked).await
    }

    /// Proposes a rule, and gives the proposal's name.
    async fn proposes(&self, text: &str, further: Value) -> Result<Value> {
        let mut further = further;
        further["propose"] = json!(true);
        let answer = self.apply(text, further).await?.unwrap();
        assert!(answer["faults"].is_null() && answer["revision"].is_null(), "{answer}");
        Ok(json!({"name": answer["proposal"].as_str().context("no proposal")?}))
    }

    async fn call(&self, method: &str, name: &Value) -> Result<Result<Value, Refusal>> {
        self.0.call(&format!("chancery.admin.v1.ProposalsService/{method}"), name.clone()).await
    }
}

/// A rule of `acme` against a purpose.
fn rule(purpose: &str) -> String {
    let named = format!("no-{purpose}, tenant: acme");
    policy::rule(&named, "forbid", &format!("purpose == '{purpose}'"), "")
}

/// What both nodes say to a purpose: the code of a refusal, if it is one.
async fn said(scene: &Scene, purpose: &str) -> Result<[Option<String>; 2]> {
    let ask = Ask::chat(MODEL, "hello").with("x-purpose", purpose);
    let mut told = [None, None];
    for (geo, told) in Geo::ALL.into_iter().zip(&mut told) {
        *told = scene.ask_at(geo, &scene.key, &ask).await?.err().map(|refused| refused.code);
    }
    Ok(told)
}

async fn two_principals_publish_what_one_proposes(door: Door) -> Result<()> {
    let scene = Scene::of(door, house().await?).await?;
    let root = Admin::of(&scene, scene.house.token()).await?;
    let boss = Admin::of(&scene, &scene.house.key("boss", "research").await?).await?;
    let ada = Admin::of(&scene, &scene.key).await?;
    let forbidden = [Some("rule_forbids".to_owned()), Some("rule_forbids".to_owned())];

    let refused = boss.apply(&rule("gossip"), json!({})).await?.unwrap_err();
    assert_eq!(refused.code, ErrorCode::FailedPrecondition);
    assert!(refused.message.contains("chancery apply --propose"), "{refused:?}");
    let gossip = boss.proposes(&rule("gossip"), json!({})).await?;
    let own = boss.call("ApproveProposal", &gossip).await?.unwrap_err();
    assert_eq!(own.code, ErrorCode::PermissionDenied, "{own:?}");
    let hers = ada.call("ApproveProposal", &gossip).await?.unwrap_err();
    assert_eq!(hers.code, ErrorCode::PermissionDenied, "{hers:?}");
    assert_eq!(said(&scene, "gossip").await?, [None, None]);
    let approved = root.call("ApproveProposal", &gossip).await?.unwrap()["proposal"].clone();
    assert_eq!(
        (&approved["state"], &approved["proposer"]),
        (&json!("published"), &json!("tenants/acme/principals/boss"))
    );
    scene.house.enforced(approved["revision"].as_i64().context("no revision")?).await?;
    assert_eq!(said(&scene, "gossip").await?, forbidden);

    // What is rejected stays out.
    let banter = root.proposes(&rule("banter"), json!({})).await?;
    let rejected = boss.call("RejectProposal", &banter).await?.unwrap();
    assert_eq!(rejected["state"], "rejected");
    assert!(root.call("ApproveProposal", &banter).await?.is_err());
    assert_eq!(said(&scene, "banter").await?, [None, None]);
    Ok(())
}

async fn a_proposal_meets_the_policy_of_the_day_it_is_approved(door: Door) -> Result<()> {
    let scene = Scene::of(door, house().await?).await?;
    let root = Admin::of(&scene, scene.house.token()).await?;
    let boss = Admin::of(&scene, &scene.house.key("boss", "research").await?).await?;
    let role = |name: &str, spec: &str| {
        format!(
            "apiVersion: chancery/v1\nkind: Role\nmetadata: {{name: {name}, tenant: acme}}\nspec: {spec}\n"
        )
    };
    let base = role("base", "{permissions: [{action: read}]}");
    scene.house.apply(&base).await?;
    let both = format!("{}{}", role("heir", "{inherits: [base]}"), rule("gossip"));
    let name = boss.proposes(&both, json!({})).await?;
    let delete = json!({"files": [{"path": "b.yaml", "text": base}]});
    root.0.call("chancery.admin.v1.PolicyService/Delete", delete).await?.unwrap();
    let answer = root.call("ApproveProposal", &name).await?.unwrap();
    assert_eq!(
        (&answer["faults"][0]["path"], &answer["faults"][0]["line"]),
        (&json!("a.yaml"), &json!(4)),
        "{answer}"
    );
    assert_eq!(root.call("GetProposal", &name).await?.unwrap()["state"], "pending");
    assert_eq!(said(&scene, "gossip").await?, [None, None]);

    // Taken to the nodes by stages, it begins when it is approved. The platform's rules are not the boss's to write.
    let staged = json!({"staged": true});
    let mine = root.proposes(&policy::rule("x", "forbid", "purpose == 'x'", ""), staged.clone()).await?;
    let refused = boss.call("ApproveProposal", &mine).await?.unwrap_err();
    assert_eq!(refused.code, ErrorCode::PermissionDenied);
    let theirs = boss.proposes(&rule("banter"), staged).await?;
    // There is one rollout at a time, and who may not steer it begins none.
    let alone = json!({"files": [{"path": "a.yaml", "text": role("other", "{}")}], "staged": true});
    let refused = boss.0.call("chancery.admin.v1.PolicyService/Apply", alone).await?.unwrap_err();
    assert_eq!(refused.code, ErrorCode::PermissionDenied);
    let approved = root.call("ApproveProposal", &theirs).await?.unwrap()["proposal"].clone();
    let rollout = json!({"name": approved["rollout"]});
    let found = root.0.call("chancery.admin.v1.RolloutsService/GetRollout", rollout.clone()).await?.unwrap();
    assert_eq!(found["changes"][0]["name"], "tenants/acme/rules/no-banter", "{found}");
    until("the canary's answer", async || said(&scene, "banter").await.ok()?[0].clone()).await?;
    // To take it back needs one alone: what is put back was approved before.
    let ended = root.0.call("chancery.admin.v1.RolloutsService/AbortRollout", rollout).await?.unwrap();
    assert_eq!(ended["state"], "aborted", "{ended}");
    let rule = json!({"name": "tenants/acme/rules/no-banter"});
    let gone = root.0.call("chancery.admin.v1.RulesService/GetRule", rule).await?.unwrap_err();
    assert_eq!(gone.code, ErrorCode::NotFound);
    until("the canary's answer of before", async || {
        let told = said(&scene, "banter").await.ok()?;
        told[0].is_none().then_some(())
    })
    .await?;
    Ok(())
}

/// What is pruned is what the proposal told, of what its proposer may write; not what got the label since.
async fn a_proposal_prunes_what_it_told(door: Door) -> Result<()> {
    let scene = Scene::of(door, house().await?).await?;
    let root = Admin::of(&scene, scene.house.token()).await?;
    let boss = Admin::of(&scene, &scene.house.key("boss", "research").await?).await?;
    let labelled =
        |purpose: &str| rule(purpose).replace(", tenant: acme", ", tenant: acme, labels: {app: search}");
    let both = root.proposes(&[labelled("gossip"), labelled("banter")].concat(), json!({})).await?;
    boss.call("ApproveProposal", &both).await?.unwrap();
    let platforms = "kind: Role\nmetadata: {name: plain, labels: {app: search}}\nspec: {}\n";
    scene.house.apply(&format!("apiVersion: chancery/v1\n{platforms}")).await?;

    let prune = json!({"pruneLabels": {"app": "search"}});
    let name = boss.proposes(&labelled("gossip"), prune).await?;
    let told = root.call("GetProposal", &name).await?.unwrap();
    let goes = json!({"kind": "Rule", "name": "tenants/acme/rules/no-banter", "change": "deleted"});
    let changes = told["changes"].as_array().context("changes")?;
    assert_eq!(changes.iter().filter(|it| it["change"] == "deleted").collect::<Vec<_>>(), [&goes], "{told}");
    let since = root.proposes(&labelled("rumour"), json!({})).await?;
    boss.call("ApproveProposal", &since).await?.unwrap();
    let approved = root.call("ApproveProposal", &name).await?.unwrap();
    assert_eq!(approved["proposal"]["state"], "published", "{approved}");
    let rules = json!({"parent": "tenants/acme"});
    let left = root.0.call("chancery.admin.v1.RulesService/ListRules", rules).await?.unwrap();
    let left: Vec<_> = left["rules"].as_array().context("rules")?.iter().map(|it| &it["name"]).collect();
    assert_eq!(left, ["tenants/acme/rules/no-gossip", "tenants/acme/rules/no-rumour"]);
    let role = json!({"name": "roles/plain"});
    root.0.call("chancery.admin.v1.RolesService/GetRole", role).await?.unwrap();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_that_prunes_is_of_what_it_told() {
    a_proposal_prunes_what_it_told(Door::Grpc).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_proposes_and_another_approves_is_enforced_on_every_node() {
    for door in Door::BOTH {
        two_principals_publish_what_one_proposes(door).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_is_applied_to_what_is_there_when_it_is_approved() {
    a_proposal_meets_the_policy_of_the_day_it_is_approved(Door::Rest).await.unwrap();
}

/// Somebody at a terminal.
#[derive(Clone)]
struct Terminal {
    url: String,
    token: String,
}

impl Terminal {
    /// Runs a verb: whether it succeeded, and all that it printed.
    async fn runs(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = std::process::Command::new(binary().unwrap());
        command.env("CHANCERY_CONTROL_URL", &self.url).env("CHANCERY_ADMIN_TOKEN", &self.token);
        command.args(arguments).stdin(std::process::Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    /// Runs a verb that must succeed.
    async fn does(&self, arguments: &[&str]) -> String {
        let (done, told) = self.runs(arguments).await;
        assert!(done, "{arguments:?}: {told}");
        told
    }

    /// Runs a verb that must fail.
    async fn fails(&self, arguments: &[&str]) -> String {
        let (done, told) = self.runs(arguments).await;
        assert!(!done, "{arguments:?}: {told}");
        told
    }
}

/// A house, two who govern it from a terminal, and a file with a rule.
async fn terminals(valid: Duration) -> Result<(Scene, [Terminal; 2], String)> {
    let scene = Scene::of(Door::Rest, house_within(valid).await?).await?;
    let url = scene.house.admin_url();
    let root = Terminal { url: url.clone(), token: scene.house.token().to_owned() };
    let boss = Terminal { url, token: scene.house.key("boss", "research").await? };
    let file = scene.house.home().join("gossip.yaml");
    std::fs::write(&file, rule("gossip"))?;
    Ok((scene, [root, boss], file.display().to_string()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_their_terminals_propose_see_approve_and_reject() {
    let (scene, [root, boss], file) = terminals(Duration(60 * 60 * 1_000_000)).await.unwrap();
    let alone = boss.fails(&["apply", "-f", &file]).await;
    assert!(alone.contains("chancery apply --propose"), "{alone}");
    let proposed = boss
        .does(&["apply", "-f", &file, "--propose", "--reason", "too much of it", "--ticket", "CHG-9"])
        .await;
    assert!(proposed.contains("chancery proposals approve proposals/1"), "{proposed}");
    let listed = root.does(&["proposals", "list"]).await;
    let row = listed.lines().nth(1).unwrap();
    assert!(
        row.starts_with("proposals/1") && row.contains("pending") && row.ends_with("too much of it"),
        "{listed}"
    );
    let shown = root.does(&["proposals", "show", "1"]).await;
    assert!(
        shown.contains("created   tenants/acme/rules/no-gossip") && shown.contains("kind: Rule"),
        "{shown}"
    );
    let own = boss.fails(&["proposals", "approve", "1"]).await;
    assert!(own.contains("another principal is to approve it"), "{own}");
    assert_eq!(said(&scene, "gossip").await.unwrap(), [None, None]);
    let approved = root.does(&["proposals", "approve", "1", "--wait", "--reason", "so it is"]).await;
    assert!(approved.starts_with("proposals/1 is published by platform/root; revision "), "{approved}");
    assert!(approved.contains("enforced by 2 nodes"), "{approved}");
    let forbidden = Some("rule_forbids".to_owned());
    assert_eq!(said(&scene, "gossip").await.unwrap(), [forbidden.clone(), forbidden.clone()]);

    // Who proposed it is found as its author, and the log of acts says with what right.
    let found = root.does(&["revisions", "list", "--author", "boss", "-o", "json"]).await;
    let found: Value = serde_json::from_str(&found).unwrap();
    let revision = &found["revisions"][0];
    assert_eq!(revision["proposer"], "tenants/acme/principals/boss", "{found}");
    assert_eq!((&revision["actor"], &revision["proposal"]), (&json!("platform/root"), &json!("proposals/1")));
    // The approver's reason stands; the ticket is the proposal's, since the approver gave none.
    assert_eq!((&revision["reason"], &revision["ticket"]), (&json!("so it is"), &json!("CHG-9")), "{found}");
    let shown = root.does(&["revisions", "show", &revision["revision"].to_string()]).await;
    assert!(shown.contains("proposed by tenants/acme/principals/boss as proposals/1"), "{shown}");
    let logged =
        root.does(&["audit", "list", "--resource", "proposals/1", "--limit", "1", "-o", "json"]).await;
    assert!(logged.contains("CHG-9") && logged.contains("so it is"), "{logged}");
    let event: serde_json::Value = serde_json::from_str(&logged).unwrap();
    let event = event.get("auditEvents").unwrap_or(&event);
    let approvals = &event.get(0).unwrap_or(event)["approvals"];
    assert_eq!(*approvals, json!(["tenants/acme/principals/boss", "platform/root"]), "{logged}");

    // What is to go takes two as well, and may be kept.
    let proposed = root.does(&["delete", "-f", &file, "--propose", "--allow-shrink"]).await;
    assert!(proposed.contains("proposals/2"), "{proposed}");
    let rejected = boss.does(&["proposals", "reject", "2", "--reason", "it stays"]).await;
    assert_eq!(rejected, "proposals/2 is rejected by tenants/acme/principals/boss: it stays\n");
    let over = root.fails(&["proposals", "approve", "2"]).await;
    assert!(over.contains("it is rejected, not pending"), "{over}");
    assert_eq!(said(&scene, "gossip").await.unwrap(), [forbidden.clone(), forbidden]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_approves_in_time_expires() {
    let (scene, [root, boss], file) = terminals(Duration(1)).await.unwrap();
    boss.does(&["apply", "-f", &file, "--propose"]).await;
    let listed = until("its end", async || {
        let listed = boss.does(&["proposals", "list"]).await;
        listed.contains("expired").then_some(listed)
    })
    .await
    .unwrap();
    assert!(listed.lines().nth(1).unwrap().starts_with("proposals/1"), "{listed}");
    let told = root.fails(&["proposals", "approve", "1"]).await;
    assert!(told.contains("it has expired: propose it again"), "{told}");
    // The same over gRPC, whatever is to become of it.
    let admin = Admin::of(&scene, &root.token).await.unwrap();
    let name = json!({"name": "proposals/1"});
    assert_eq!(admin.call("GetProposal", &name).await.unwrap().unwrap()["state"], "expired");
    for method in ["ApproveProposal", "RejectProposal"] {
        let refused = admin.call(method, &name).await.unwrap().unwrap_err();
        assert_eq!(refused.code, ErrorCode::FailedPrecondition, "{refused:?}");
    }
    assert_eq!(said(&scene, "gossip").await.unwrap(), [None, None]);
}
