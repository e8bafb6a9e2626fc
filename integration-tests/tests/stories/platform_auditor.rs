//! An auditor of the platform, who is no administrator: reads everything in scope over either door, changes nothing, sees no secret, and
//! is seen reading; what it takes along is an event before it has it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use control_plane::actor::token_digest;
use control_plane::api::rest::routes;
use control_plane::config::{AdminRole, AdminToken, Config};
use control_plane::registry::hex;
use integration_tests::{
    admin::{Anything, name_of},
    sandbox::{QUICKSTART, Sandbox},
};
use prost_reflect::MethodDescriptor;
use serde_json::{Value, json};

use crate::unauthorised::{ADMIN, body_of, chosen_id, complete};

pub(crate) const EVE: &str = "the-token-of-eve-who-audits-everything";
pub(crate) const MALLORY: &str = "the-token-of-mallory-who-audits-acme";
const ERIN: &str = "the-token-of-erin-who-audits-the-eu";

/// Lets auditors in.
pub(crate) fn auditors(control: &mut Config) {
    let token = |name: &str, token: &str, tenants: &[&str], geos: &[&str]| AdminToken {
        name: name.to_owned(),
        sha256: hex(&token_digest(token)),
        role: AdminRole::Auditor,
        tenants: tenants.iter().map(|name| (*name).to_owned()).collect(),
        geos: geos.iter().map(|name| (*name).to_owned()).collect(),
    };
    control.admin.tokens = vec![
        token("eve", EVE, &[], &[]),
        token("mallory", MALLORY, &["acme"], &[]),
        token("erin", ERIN, &[], &["eu"]),
    ];
}

async fn house() -> Sandbox {
    let house = Sandbox::of(QUICKSTART, auditors, |_| ()).await.unwrap();
    house.apply(RIVAL).await.unwrap();
    house
}

const RIVAL: &str = "---
apiVersion: chancery/v1
kind: Tenant
metadata: {name: rival}
spec: {displayName: Rival, currency: USD, domicile: US}
---
apiVersion: chancery/v1
kind: Team
metadata: {name: board, tenant: rival}
spec: {jurisdictions: [US]}
";

/// Whether a definition says that nothing is changed.
fn looks(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level == Some(1))
}

pub(crate) async fn events(root: &Anything, asked: Value) -> Result<Vec<Value>> {
    let list = "chancery.admin.v1.AuditService/ListAuditEvents";
    let log = root.call(list, asked).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    Ok(log["auditEvents"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rpc_that_changes_something_is_done_for_a_platform_auditor_and_all_that_look_are_seen() {
    let house = house().await;
    let (url, key) = (house.admin_url(), house.key("ada@example.org", "research").await.unwrap());
    let eve = Anything::at(&url, Some(EVE)).await.unwrap();
    let root = Anything::at(&url, Some(house.token())).await.unwrap();
    let before = house.control.as_ref().unwrap().publisher().current().revision();
    let (mut read, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for method in eve.declared(ADMIN) {
        let name = name_of(&method);
        match eve.answers(&method, complete(&method)).await.unwrap() {
            Ok(answers) => {
                assert!(looks(&method), "{name} was done for an auditor");
                let told = json!(answers).to_string();
                let secrets = [key.as_str(), house.token(), EVE, MALLORY];
                assert!(!secrets.iter().any(|secret| told.contains(secret)), "{name}");
                read.insert(name);
            }
            Err(refusal) if looks(&method) => {
                let code = refusal.code.as_str();
                // Who may not apply a draft may not simulate it.
                let simulates = method.name() == "Simulate" && code == "permission_denied";
                assert!(
                    simulates || matches!(code, "not_found" | "invalid_request"),
                    "{name}: {code}, {}",
                    refusal.message
                );
            }
            Err(refusal) => {
                assert_eq!(refusal.code.as_str(), "permission_denied", "{name}: {}", refusal.message);
                let remedies = ["chancery break-glass", "break_glass.who", "no grant"];
                assert!(
                    remedies.iter().any(|remedy| refusal.message.contains(remedy)),
                    "{}",
                    refusal.message
                );
                refused.insert(name);
            }
        }
    }
    for seen in [
        "NodesService/ListNodes",
        "AuditService/ListAuditEvents",
        "RevisionsService/ListRevisions",
        "TeamsService/ListTeams",
        "KeysService/ListKeys",
        "PolicyService/Export",
        "AdministratorsService/ListAdministrators",
        "HoldsService/ListHolds",
        "SubjectsService/ListSubjects",
    ] {
        assert!(read.contains(&format!("{ADMIN}.{seen}")), "{seen}: {read:?}");
    }
    assert!(refused.len() > 50, "{refused:?}");
    assert_eq!(house.control.as_ref().unwrap().publisher().current().revision(), before);
    // Each read and each refusal is in the log; what root read is not.
    let of_eve = |outcome: &str| json!({"actor": "platform/eve", "outcome": outcome, "pageSize": 1000});
    let named = |events: Vec<Value>| -> BTreeSet<String> {
        events.iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(named(events(&root, of_eve("ok")).await.unwrap()), read);
    assert_eq!(named(events(&root, of_eve("permission_denied")).await.unwrap()), refused);
    assert!(
        events(&root, json!({"actor": "platform/root", "action": "ListAuditEvents"}))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_that_changes_something_is_served_for_a_platform_auditor() {
    let house = house().await;
    let base = house.admin_url();
    let client = integration_tests::door::client().unwrap();
    let caller = Anything::at(&base, None).await.unwrap();
    let marked: BTreeSet<String> =
        caller.declared(ADMIN).iter().filter(|rpc| looks(rpc)).map(name_of).collect();
    let before = house.control.as_ref().unwrap().publisher().current().revision();
    let mut count = (0, 0);
    for route in routes() {
        for template in &route.templates {
            let path = template.with(|label| if label == "tenant" { "acme" } else { "1" }.to_owned());
            let url = format!("{base}{path}{}", chosen_id(&caller, &route.rpc()));
            let mut request = client.request(route.verb.clone(), &url).bearer_auth(EVE);
            if route.verb == "POST" || route.verb == "PATCH" {
                request = request.json(&body_of(&route.rpc()));
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let body: Value = answer.json().await.unwrap();
            // A draft is looked at by who may apply it.
            if marked.contains(&route.rpc()) && !route.rpc().ends_with("/Simulate") {
                assert!(matches!(status, 200 | 400 | 404), "{} {path}: {status} {body}", route.verb);
                count.0 += 1;
            } else {
                assert_eq!(status, 403, "{} {path}: {body}", route.verb);
                assert_eq!(body["error"]["details"][0]["reason"], "permission_denied", "{body}");
                count.1 += 1;
            }
        }
    }
    assert!(count.0 > 40 && count.1 > 50, "{count:?}");
    assert_eq!(house.control.as_ref().unwrap().publisher().current().revision(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_narrowed_sees_its_part() {
    let house = house().await;
    let url = house.admin_url();
    let mallory = Anything::at(&url, Some(MALLORY)).await.unwrap();
    let erin = Anything::at(&url, Some(ERIN)).await.unwrap();
    let call = |rpc: &str| format!("{ADMIN}.{rpc}");
    let refused = async |who: &Anything, rpc: &str, asked: Value| {
        who.call(&call(rpc), asked).await.unwrap().unwrap_err().code.as_str().to_owned()
    };
    // Of another tenant not even that it is there; of the platform what is for every tenant.
    let board = json!({"name": "tenants/rival/teams/board"});
    assert_eq!(refused(&mallory, "TeamsService/GetTeam", board.clone()).await, "not_found");
    assert_eq!(
        refused(&mallory, "TeamsService/ListTeams", json!({"parent": "tenants/rival"})).await,
        "not_found"
    );
    for hidden in ["NodesService/ListNodes", "RolloutsService/ListRollouts", "RevisionsService/ListRevisions"]
    {
        assert_eq!(refused(&mallory, hidden, json!({})).await, "permission_denied", "{hidden}");
    }
    mallory
        .call(&call("TeamsService/GetTeam"), json!({"name": "tenants/acme/teams/research"}))
        .await
        .unwrap()
        .unwrap();
    mallory.call(&call("RulesService/ListRules"), json!({})).await.unwrap().unwrap();
    let text = mallory.call(&call("PolicyService/Export"), json!({})).await.unwrap().unwrap().to_string();
    assert!(text.contains("research") && !text.contains("rival"));
    // Of the log what names nothing else; the act that made both tenants' things is none of it.
    let seen = events(&mallory, json!({"pageSize": 1000})).await.unwrap();
    assert!(!seen.is_empty() && !json!(seen).to_string().contains("rival"), "{seen:?}");
    assert_eq!(refused(&mallory, "AuditLeavesService/ListAuditLeaves", json!({})).await, "invalid_request");
    let leaves = json!({"treeSize": 2, "prove": true});
    mallory.call(&call("AuditLeavesService/ListAuditLeaves"), leaves).await.unwrap().unwrap();

    let nodes = erin.call(&call("NodesService/ListNodes"), json!({})).await.unwrap().unwrap();
    let geos: BTreeSet<&str> =
        nodes["nodes"].as_array().unwrap().iter().map(|node| node["geo"].as_str().unwrap()).collect();
    assert_eq!(geos, BTreeSet::from(["eu"]));
    for whole in ["HoldsService/ListHolds", "SubjectsService/ListSubjects"] {
        assert_eq!(refused(&erin, whole, json!({})).await, "permission_denied", "{whole}");
    }
    erin.call(&call("TeamsService/GetTeam"), board).await.unwrap().unwrap();
}

/// What was handed out by a call, as the log has it, oldest first.
async fn handed(root: &Anything, action: &str) -> Result<Vec<(String, Value)>> {
    let mut found = events(root, json!({"action": action, "pageSize": 1000})).await?;
    found.reverse();
    let told = |event: &Value| {
        let actor = event["actor"].as_str().context("nobody")?.to_owned();
        Ok((actor, event["export"].clone()))
    };
    found.iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_out_of_a_log_is_an_event_whoever_takes_it_by_whichever_door() {
    let house = house().await;
    let url = house.admin_url();
    let root = Anything::at(&url, Some(house.token())).await.unwrap();
    let eve = Anything::at(&url, Some(EVE)).await.unwrap();
    let client = integration_tests::door::client().unwrap();
    let get = async |path: &str| -> Value {
        let answer = client.get(format!("{url}/v1/{path}")).bearer_auth(house.token()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    };
    house.key("ada@example.org", "research").await.unwrap();
    let leaves = format!("{ADMIN}.AuditLeavesService/ListAuditLeaves");
    let whole = root.call(&leaves, json!({"treeSize": 3, "pageSize": 2})).await.unwrap().unwrap();
    assert_eq!(whole["auditLeaves"].as_array().unwrap().len(), 2);
    let token = whole["nextPageToken"].as_str().unwrap();
    let rest = get(&format!("auditLeaves?treeSize=3&pageSize=2&pageToken={token}")).await;
    assert_eq!(rest["auditLeaves"].as_array().unwrap().len(), 1);
    eve.call(&leaves, json!({"treeSize": 3, "prove": true, "actor": "nobody"})).await.unwrap().unwrap();
    let three = json!("treeSize=3");
    assert_eq!(
        handed(&root, "ListAuditLeaves").await.unwrap(),
        [
            (
                "platform/root".to_owned(),
                json!({"log": "auditLeaves", "filter": three, "first": 1, "last": 2, "count": 2})
            ),
            (
                "platform/root".to_owned(),
                json!({"log": "auditLeaves", "filter": three, "first": 3, "last": 3, "count": 1})
            ),
            ("platform/eve".to_owned(), json!({"log": "auditLeaves", "filter": "actor=nobody&treeSize=3"})),
        ]
    );
    get("decisionSegments?geo=eu").await;
    root.call(&format!("{ADMIN}.DecisionSegmentsService/ListDecisionSegments"), json!({}))
        .await
        .unwrap()
        .unwrap();
    let taken = handed(&root, "ListDecisionSegments").await.unwrap();
    assert_eq!(taken.len(), 2, "{taken:?}");
    assert_eq!((&taken[0].1["log"], &taken[0].1["filter"]), (&json!("decisionSegments"), &json!("geo=eu")));
    // What can't be logged is not handed out: nobody learns anything of a call that is refused.
    let stranger = Anything::at(&url, Some("not-a-token")).await.unwrap();
    stranger.call(&leaves, json!({})).await.unwrap().unwrap_err();
    assert_eq!(handed(&root, "ListAuditLeaves").await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_alone_says_what_changed_and_holds_no_secret() {
    let house = house().await;
    let root = Anything::at(&house.admin_url(), Some(house.token())).await.unwrap();
    let newest =
        async || events(&root, json!({"action": "Apply", "outcome": "ok"})).await.unwrap()[0].clone();
    let diff_of = |event: &Value, name: &str| -> Value {
        let changes = event["changes"].as_array().unwrap();
        let change = changes.iter().find(|change| change["name"] == name).unwrap();
        serde_json::from_str(change["diff"].as_str().unwrap()).unwrap()
    };
    let rule = |when: &str| crate::policy::rule("told", "forbid", when, "");
    house.apply(&rule("purpose == 'a'")).await.unwrap();
    let made = diff_of(&newest().await, "rules/told");
    assert_eq!((&made[0]["op"], &made[0]["path"]), (&json!("add"), &json!("")));
    assert_eq!(made[0]["value"]["spec"]["when"], "purpose == 'a'");
    house.apply(&rule("purpose == 'b'")).await.unwrap();
    let changed = json!([{"op": "replace", "path": "/spec/when", "value": "purpose == 'b'"}]);
    assert_eq!(diff_of(&newest().await, "rules/told"), changed);

    let provider = |secret: &str| {
        format!(
            "apiVersion: chancery/v1\nkind: Provider\nmetadata: {{name: vendor}}\n\
             spec: {{adapter: openai, baseUrl: 'https://vendor.example/v1', credential: {{value: {secret}}}}}\n"
        )
    };
    for secret in ["sk-the-first-secret-of-all", "sk-the-second-secret-of-all"] {
        house.apply(&provider(secret)).await.unwrap();
        let event = newest().await;
        assert!(!event.to_string().contains("secret-of-all"), "{event}");
        assert!(diff_of(&event, "providers/vendor").to_string().contains("cred-"), "a reference is told");
    }
    // What does not fit says where it is.
    let long = format!("purpose == '{}'", "x".repeat(3_000));
    let many: Vec<String> =
        (0..40).map(|n| crate::policy::rule(&format!("long-{n}"), "forbid", &long, "")).collect();
    house.apply(&many.concat()).await.unwrap();
    let event = newest().await;
    let left: Vec<&Value> =
        event["changes"].as_array().unwrap().iter().filter(|change| change["diff"].is_null()).collect();
    assert!(!left.is_empty() && left.len() < 40 && event.to_string().len() < 128 << 10, "{}", left.len());
    let told = left[0]["diffLeftOut"].as_str().unwrap();
    assert!(
        told.contains("chancery revisions diff") && told.contains(left[0]["name"].as_str().unwrap()),
        "{told}"
    );
}
