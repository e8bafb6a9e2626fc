//! An auditor of a tenant: reads everything in scope, changes nothing, sees no secret, and is seen reading.

use std::collections::BTreeSet;

use integration_tests::{
    admin::{Anything, name_of},
    door::Door,
    scene::Scene,
};
use serde_json::{Value, json};

use crate::unauthorised::{ADMIN, complete};

/// Eve audits her tenant.
const AUDITORS: &str = "---
apiVersion: chancery/v1
kind: Principal
metadata: {name: eve, tenant: acme}
spec: {type: user, teams: [research]}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: eve-audits-acme, tenant: acme}
spec: {role: auditor, to: {principal: eve}}
";

const EVE: &str = "tenants/acme/principals/eve";

/// What looks, by how its name begins; everything else would change something.
const LOOKS: [&str; 8] = ["Get", "List", "Explain", "Export", "Prove", "Sign", "Diff", "Blame"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auditor_reads_everything_changes_nothing_and_is_seen_reading() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    scene.house.apply(AUDITORS).await.unwrap();
    let key = scene.house.key("eve", "research").await.unwrap();
    let url = scene.house.admin_url();
    let (eve, root) = (
        Anything::at(&url, Some(&key)).await.unwrap(),
        Anything::at(&url, Some(scene.house.token())).await.unwrap(),
    );
    let before = scene.house.control.as_ref().unwrap().publisher().current().revision();
    let mut read = BTreeSet::new();
    for method in eve.declared(ADMIN) {
        let looks = LOOKS.iter().any(|verb| method.name().starts_with(verb));
        match eve.answers(&method, complete(&method)).await.unwrap() {
            Ok(answers) => {
                assert!(looks, "{} was done for an auditor", name_of(&method));
                assert!(!json!(answers).to_string().contains(&key), "{}", name_of(&method));
                read.insert(name_of(&method));
            }
            Err(refusal) => {
                let code = refusal.code.as_str();
                assert!(
                    looks || matches!(code, "permission_denied" | "not_found"),
                    "{}: {code}",
                    name_of(&method)
                );
            }
        }
    }
    // What is its tenant's, and what the platform has for every tenant; not the platform's own log, nodes and rollouts.
    for seen in ["TeamsService/ListTeams", "KeysService/ListKeys", "PolicyService/Explain"] {
        assert!(read.contains(&format!("{ADMIN}.{seen}")), "{seen}: {read:?}");
    }
    for hidden in ["AuditService/ListAuditEvents", "NodesService/ListNodes"] {
        assert!(!read.contains(&format!("{ADMIN}.{hidden}")), "{hidden}");
    }
    assert_eq!(scene.house.control.as_ref().unwrap().publisher().current().revision(), before);

    // Everything that it read is in the log, upon what it was read; the platform's own reads are not.
    let asked = json!({"actor": EVE, "outcome": "ok", "pageSize": 1000});
    let list = "chancery.admin.v1.AuditService/ListAuditEvents";
    let log = root.call(list, asked.clone()).await.unwrap().unwrap();
    let events = log["auditEvents"].as_array().unwrap();
    let seen: BTreeSet<String> =
        events.iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(seen, read);
    let upon = |action: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["action"] == action).map(|event| &event["resource"]).collect()
    };
    assert_eq!(upon("chancery.admin.v1.TeamsService/GetTeam"), ["tenants/acme/teams/research"]);
    assert_eq!(
        root.call(list, asked).await.unwrap().unwrap()["auditEvents"].as_array().unwrap().len(),
        events.len()
    );

    // Ada may not audit: what she asks for is nobody's but hers.
    let ada = Anything::at(&url, Some(&scene.key)).await.unwrap();
    ada.call("chancery.admin.v1.PolicyService/Export", json!({})).await.unwrap().unwrap();
    let asked = json!({"actor": "tenants/acme/principals/ada@example.org"});
    let log = root.call(list, asked).await.unwrap().unwrap();
    assert!(log["auditEvents"].is_null(), "{log}");
}
