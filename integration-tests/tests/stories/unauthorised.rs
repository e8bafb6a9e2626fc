//! Nobody gets in without saying who they are, and nobody does what they may not: every RPC and every REST route, made from
//! the definitions, so that none that is added tomorrow is forgotten.

use std::collections::BTreeSet;

use control_plane::api::rest::routes;
use integration_tests::{
    admin::{Anything, name_of},
    door::Door,
    scene::Scene,
};
use proto::admin::KeySpec;
use serde_json::{Value, json};

pub(crate) const ADMIN: &str = "chancery.admin.v1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_72_no_rpc_is_done_for_who_may_not() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    let url = scene.house.admin_url();
    let callers = [
        (None, &["missing_api_key"][..]),
        (Some("not-a-token"), &["invalid_api_key"]),
        (Some("chy_nobody_knows"), &["invalid_api_key"]),
        // Ada may chat, and administers nothing. What she may not know of is not there.
        (Some(scene.key.as_str()), &["permission_denied", "not_found"]),
    ];
    for (bearer, codes) in callers {
        let caller = Anything::at(&url, bearer).await.unwrap();
        for method in caller.declared(ADMIN) {
            let refusal = match caller.answers(&method, complete(&method)).await.unwrap() {
                Err(refusal) => refusal,
                // What is written out is what the caller may read; for Ada that is nothing.
                Ok(answers) if method.name() == "Export" && bearer == Some(&scene.key) => {
                    assert_eq!(answers[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["revision"]);
                    continue;
                }
                Ok(_) => panic!("{} was done for {bearer:?}", name_of(&method)),
            };
            let code = refusal.code.as_str().to_owned();
            assert!(codes.contains(&code.as_str()), "{} for {bearer:?}: {code}", name_of(&method));
        }
        let all: BTreeSet<String> = caller.declared(ADMIN).iter().map(name_of).collect();
        assert_eq!(caller.called(), all);
    }
}

/// A request that would be served for somebody who may: it names things of the platform and of `acme`.
pub(crate) fn complete(method: &prost_reflect::MethodDescriptor) -> Value {
    if method.name() == "Explain" {
        return body_of(&name_of(method));
    }
    let mut message = json!({});
    for field in method.input().fields() {
        let value = match (field.name(), method.parent_service().name()) {
            ("name", service) => json!(named(service)),
            ("parent", service) if named(service).starts_with("tenants/acme/") => json!("tenants/acme"),
            ("files", _) => {
                json!([{"path": "a.yaml", "text": crate::policy::rule("x", "forbid", "true", "")}])
            }
            ("key", "KeysService") => {
                json!({"spec": {"tenant": "acme", "principal": "ada@example.org", "team": "research"}})
            }
            ("revision", "HistoryService") => json!("1"),
            (name, _) if name.ends_with("_id") => json!("x"),
            (_, service) if method.name().starts_with("Update") && field.number() == 1 => {
                json!({"name": named(service)})
            }
            _ => continue,
        };
        message[field.json_name()] = value;
    }
    message
}

fn named(service: &str) -> &'static str {
    match service {
        "TenantsService" => "tenants/acme",
        "TeamsService" => "tenants/acme/teams/research",
        "PrincipalsService" => "tenants/acme/principals/ada@example.org",
        "GrantsService" => "tenants/acme/grants/research-chat",
        "LimitsService" => "tenants/acme/limits/acme-budget",
        "LicenceAcceptancesService" => "tenants/acme/licenceAcceptances/research-openai-terms",
        "KeysService" => "tenants/acme/keys/unknown",
        "RolesService" => "roles/chat-user",
        "ProvidersService" => "providers/simulated",
        "EndpointsService" => "endpoints/sim-gpt-4o-eu",
        "ModelsService" => "models/sim-gpt-4o",
        "RulesService" => "rules/eu-residency",
        "LicencesService" => "licences/openai-terms",
        "GuardrailsService" => "guardrails/baseline",
        "PricesService" => "prices/sim-gpt-4o",
        "RevisionsService" => "revisions/1",
        "AuditService" => "auditEvents/1",
        "AuditCheckpointsService" => "auditCheckpoints/1",
        "KillsService" => "kills/x",
        "EnrolmentTokensService" => "enrolmentTokens/x",
        "RolloutsService" => "rollouts/1",
        "ProposalsService" => "proposals/1",
        "ElevationsService" => "elevations/1",
        "SubjectsService" => "subjects/ada@example.org",
        "HoldsService" => "holds/case-7",
        "RetentionsService" => "retentions/reads",
        "NodesService"
        | "PolicyService"
        | "HistoryService"
        | "AuditLeavesService"
        | "AuditKeysService"
        | "AdministratorsService"
        | "DecisionSegmentsService"
        | "CapturedContentService" => "",
        other => panic!("a service that no story knows: {other}"),
    }
}

/// A body that says what must be known before anybody can be asked about it.
pub(crate) fn body_of(rpc: &str) -> Value {
    match rpc.rsplit('/').next() {
        Some("CreateKey") => {
            json!({"spec": {"tenant": "acme", "principal": "ada@example.org", "team": "research"}})
        }
        Some("Apply" | "Delete" | "Simulate") => {
            json!({"files": [{"path": "a.yaml", "text": crate::policy::rule("x", "forbid", "true", "")}]})
        }
        Some("Explain") => {
            let principal = "tenants/acme/principals/ada@example.org";
            json!({"principal": principal, "team": "research", "model": "sim-gpt-4o", "operation": "chat", "geo": "eu"})
        }
        _ => json!({}),
    }
}

/// The parameter that chooses the id of what is made, where an RPC has one.
pub(crate) fn chosen_id(caller: &Anything, rpc: &str) -> String {
    let method = caller.declared(ADMIN).into_iter().find(|method| name_of(method) == rpc).unwrap();
    let makes = method.name().starts_with("Create");
    let id = method.input().fields().find(|field| makes && field.name().ends_with("_id"));
    id.map_or(String::new(), |id| format!("?{}=x", id.json_name()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_72_no_route_is_served_for_who_may_not() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let base = scene.house.admin_url();
    let client = integration_tests::door::client().unwrap();
    let before = scene.house.control.as_ref().unwrap().publisher().current().revision();
    let caller = Anything::at(&base, None).await.unwrap();
    let mut rpcs = BTreeSet::new();
    for route in routes() {
        rpcs.insert(route.rpc());
        for template in &route.templates {
            let path = template.with(|label| if label == "tenant" { "acme" } else { "1" }.to_owned());
            let url = format!("{base}{path}{}", chosen_id(&caller, &route.rpc()));
            let callers = [
                (None, &[401][..]),
                (Some("not-a-token"), &[401]),
                // A body that is missing something may be told so first; it is served in no case.
                (Some(scene.key.as_str()), &[403, 404]),
            ];
            for (bearer, statuses) in callers {
                let mut request = client.request(route.verb.clone(), &url);
                if route.verb == "POST" || route.verb == "PATCH" {
                    request = request.json(&body_of(&route.rpc()));
                }
                if let Some(bearer) = bearer {
                    request = request.bearer_auth(bearer);
                }
                let answer = request.send().await.unwrap();
                let status = answer.status().as_u16();
                let body: Value = answer.json().await.unwrap();
                if status == 200 && path == "/v1/policy:export" && bearer == Some(&scene.key) {
                    assert!(body.get("text").is_none(), "{body}");
                    continue;
                }
                assert!(statuses.contains(&status), "{} {path} for {bearer:?}: {status} {body}", route.verb);
                assert_eq!(body["error"]["code"], status, "{} {path}: {body}", route.verb);
            }
        }
    }
    let declared: BTreeSet<String> = caller.declared(ADMIN).iter().map(name_of).collect();
    assert_eq!(rpcs, declared, "every RPC has a route, and none has been forgotten here");
    assert_eq!(scene.house.control.as_ref().unwrap().publisher().current().revision(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_tried_is_in_the_log() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    let ada = Anything::at(&scene.house.admin_url(), Some(&scene.key)).await.unwrap();
    let name = json!({"name": "tenants/acme/teams/support"});
    ada.call("chancery.admin.v1.TeamsService/DeleteTeam", name).await.unwrap().unwrap_err();
    let root = Anything::at(&scene.house.admin_url(), Some(scene.house.token())).await.unwrap();
    let events =
        root.call("chancery.admin.v1.AuditService/ListAuditEvents", json!({})).await.unwrap().unwrap();
    let event = &events["auditEvents"][0];
    assert_eq!(event["action"], "chancery.admin.v1.TeamsService/DeleteTeam", "{event}");
    assert_eq!(
        (&event["actor"], &event["outcome"]),
        (&json!("tenants/acme/principals/ada@example.org"), &json!("permission_denied"))
    );
    assert_eq!(event["keyId"], scene.key.split('_').nth(1).unwrap());
    let via = ["address", "method", "source"].map(|name| event[name].clone());
    assert_eq!(via, ["127.0.0.1", "api_key", "grpc"].map(|text| json!(text)));
    assert!(event.get("changes").is_none() && event.get("revision").is_none(), "{event}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_71_another_tenants_things_are_not_there() {
    let other = "---
apiVersion: chancery/v1
kind: Tenant
metadata: {name: rival}
spec: {displayName: Rival, currency: USD, domicile: US}
---
apiVersion: chancery/v1
kind: Team
metadata: {name: board, tenant: rival}
spec: {jurisdictions: [US]}
---
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
    let scene = Scene::with(Door::Grpc, other).await.unwrap();
    let boss = scene.house.key("boss", "research").await.unwrap();
    let caller = Anything::at(&scene.house.admin_url(), Some(&boss)).await.unwrap();
    let own = json!({"name": "tenants/acme/teams/research"});
    caller
        .call("chancery.admin.v1.TeamsService/GetTeam", own)
        .await
        .unwrap()
        .expect("an admin of acme reads acme");
    let cases = [
        ("TeamsService/GetTeam", json!({"name": "tenants/rival/teams/board"})),
        ("TeamsService/GetTeam", json!({"name": "tenants/rival/teams/nothing"})),
        ("TeamsService/ListTeams", json!({"parent": "tenants/rival"})),
        ("TeamsService/DeleteTeam", json!({"name": "tenants/rival/teams/board"})),
        ("TeamsService/CreateTeam", json!({"parent": "tenants/rival", "teamId": "x", "team": {"spec": {}}})),
        (
            "KeysService/CreateKey",
            json!({"key": {"spec": {"tenant": "rival", "principal": "x", "team": "board"}}}),
        ),
        ("KeysService/ListKeys", json!({"parent": "tenants/rival"})),
        ("TenantsService/GetTenant", json!({"name": "tenants/rival"})),
    ];
    let mut said = BTreeSet::new();
    for (rpc, message) in cases {
        let refusal = caller.call(&format!("{ADMIN}.{rpc}"), message.clone()).await.unwrap().unwrap_err();
        assert_eq!(refusal.code.as_str(), "not_found", "{rpc} {message}: {refusal:?}");
        said.insert(refusal.message);
    }
    assert_eq!(said.len(), 1, "what is there and what is not sound the same: {said:?}");
    let export = caller
        .call("chancery.admin.v1.PolicyService/Export", json!({"parent": "tenants/acme"}))
        .await
        .unwrap()
        .unwrap();
    assert!(!export["text"].as_str().unwrap().contains("rival"));
    // A key that was narrowed to less than its principal may is not more than that either.
    let narrowed = KeySpec {
        principal: "boss".to_owned(),
        team: "research".to_owned(),
        geos: vec!["us".to_owned()],
        ..KeySpec::default()
    };
    let (_, narrowed) = scene.house.key_of(narrowed).await.unwrap();
    let caller = Anything::at(&scene.house.admin_url(), Some(&narrowed)).await.unwrap();
    let own = json!({"name": "tenants/acme/teams/research"});
    let refusal = caller.call("chancery.admin.v1.TeamsService/GetTeam", own).await.unwrap().unwrap_err();
    assert_eq!(refusal.code.as_str(), "key_scope", "{refusal:?}");
}
