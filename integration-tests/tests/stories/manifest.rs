//! Declarative files: applied whole or not at all, every fault with its place, and written back as they were.

use integration_tests::{
    admin::Anything,
    sandbox::{QUICKSTART, Sandbox},
};
use serde_json::{Value, json};

async fn apply(house: &Sandbox, files: &[(&str, &str)], dry_run: bool) -> Value {
    let caller = Anything::at(&house.admin_url(), Some(house.token())).await.unwrap();
    let files: Vec<Value> = files.iter().map(|(path, text)| json!({"path": path, "text": text})).collect();
    let request = json!({"files": files, "dryRun": dry_run});
    caller.call("chancery.admin.v1.PolicyService/Apply", request).await.unwrap().unwrap()
}

async fn export(house: &Sandbox) -> (String, i64) {
    let caller = Anything::at(&house.admin_url(), Some(house.token())).await.unwrap();
    let answer = caller.call("chancery.admin.v1.PolicyService/Export", json!({})).await.unwrap().unwrap();
    (answer["text"].as_str().unwrap().to_owned(), answer["revision"].as_i64().unwrap_or(0))
}

/// Where each fault is, and what its field is.
fn places(answer: &Value) -> Vec<(String, u64, String)> {
    let faults = answer["faults"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let place = |fault: &Value| {
        let text = |name: &str| fault[name].as_str().unwrap_or_default().to_owned();
        (text("path"), fault["line"].as_u64().unwrap_or(0), text("field"))
    };
    faults.map(place).collect()
}

const TEAM: &str = "apiVersion: chancery/v1\nkind: Team\nmetadata: {name: a, tenant: acme}\nspec: {}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_every_file_is_told_where_it_was_written() {
    let house = Sandbox::quickstart().await.unwrap();
    let (before, revision) = export(&house).await;
    let one = "apiVersion: chancery/v1
kind: Team
metadata: {name: fine, tenant: acme}
spec: {jurisdictions: [EU]}
---
apiVersion: chancery/v1
kind: Taem
metadata: {name: x}
spec: {}
---
apiVersion: chancery/v1
kind: Model
metadata: {name: dangling}
spec:
  card: {operations: [chat]}
  route:
    groups:
      - [{endpoint: nowhere}]
---
apiVersion: chancery/v1
kind: Rule
metadata: {name: r}
spec:
  layer: organisation
  effect: forbit
  when: purpose ==
  colour: red
";
    let two = format!("{TEAM}---\n{TEAM}");
    let answer = apply(&house, &[("one.yaml", one), ("two.yaml", &two)], false).await;
    let places = places(&answer);
    let has = |path: &str, line: u64, field: &str| {
        assert!(
            places.iter().any(|(p, l, f)| p == path && *l == line && f.contains(field)),
            "{path}:{line} {field} is not in {answer}"
        );
    };
    has("one.yaml", 7, "kind");
    has("one.yaml", 27, "colour");
    has("two.yaml", 8, "metadata.name");
    assert!(answer.get("changes").is_none_or(|changes| changes == &json!([])), "{answer}");
    assert_eq!(export(&house).await, (before.clone(), revision), "nothing was applied");

    // What only shows when all of it is put together is told with its place as well.
    let wrong = "apiVersion: chancery/v1
kind: Model
metadata: {name: dangling}
spec:
  card: {operations: [chat]}
  route:
    groups:
      - [{endpoint: nowhere}]
---
apiVersion: chancery/v1
kind: Rule
metadata: {name: r}
spec:
  layer: organisation
  effect: forbid
  when: purpose ==
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: g, tenant: acme}
spec: {role: nobody, team: fine, to: {team: fine}}
";
    let answer = apply(&house, &[("wrong.yaml", wrong)], false).await;
    let places = places_of(&answer);
    for line in [8, 16, 21] {
        assert!(places.contains(&line), "no fault in line {line}: {answer}");
    }
    assert_eq!(export(&house).await, (before, revision), "nothing was applied");
}

fn places_of(answer: &Value) -> Vec<u64> {
    places(answer).into_iter().map(|(_, line, _)| line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_that_are_no_manifest_are_refused_as_a_whole() {
    let house = Sandbox::quickstart().await.unwrap();
    let (before, revision) = export(&house).await;
    let bomb =
        format!("a: &a [x,x]\n{}", (0..30).map(|n| format!("b{n}: &b{n} [*a,*a]\n")).collect::<String>());
    for text in [
        "hello",
        "[1, 2]",
        "apiVersion: chancery/v2\nkind: Team\nmetadata: {name: a, tenant: acme}\nspec: {}\n",
        "kind: Team\n",
        "a: [",
        "\t\tx",
        "apiVersion: chancery/v1\nkind: Team\nkind: Team\nmetadata: {name: a, tenant: acme}\nspec: {}\n",
        "apiVersion: chancery/v1\nkind: Team\nmetadata: {name: ../a, tenant: acme}\nspec: {}\n",
        "apiVersion: chancery/v1\nkind: Team\nmetadata: {name: a, tenant: nobody}\nspec: {}\n",
        "apiVersion: chancery/v1\nkind: Key\nmetadata: {name: a, tenant: acme}\nspec: {}\n",
        bomb.as_str(),
        &format!("{}x", "[".repeat(20_000)),
    ] {
        let answer = apply(&house, &[("a.yaml", text)], false).await;
        let faults = answer["faults"].as_array().map_or(0, Vec::len);
        assert!(faults > 0, "{text:.80} was taken: {answer}");
        assert_eq!(answer["revision"], Value::Null, "{answer}");
    }
    assert_eq!(export(&house).await, (before, revision));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_is_what_was_applied() {
    let house = Sandbox::quickstart().await.unwrap();
    let (text, _) = export(&house).await;
    let answer = apply(&house, &[("export.yaml", &text)], false).await;
    assert!(places(&answer).is_empty(), "{answer}");
    let changes = answer["changes"].as_array().unwrap();
    let documents = QUICKSTART.matches("\nkind: ").count();
    assert_eq!(changes.len(), documents, "every document of the quickstart comes back");
    assert!(changes.iter().all(|change| change["change"] == "unchanged"), "{answer}");
    assert_eq!(answer["revision"], Value::Null, "nothing changed, so nothing is published");

    // And the same in an empty house.
    let other = Sandbox::start(&text, |_| ()).await.unwrap();
    assert_eq!(export(&other).await.0, text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trying_is_not_doing() {
    let house = Sandbox::quickstart().await.unwrap();
    let (before, revision) = export(&house).await;
    let answer = apply(&house, &[("a.yaml", TEAM)], true).await;
    assert_eq!(
        answer["changes"],
        json!([{"kind": "Team", "name": "tenants/acme/teams/a", "change": "created"}])
    );
    assert_eq!(export(&house).await, (before.clone(), revision));
    let answer = apply(&house, &[("a.yaml", TEAM)], false).await;
    assert_ne!(answer["revision"], Value::Null);
    let (after, later) = export(&house).await;
    assert_ne!((after, later), (before, revision));
}
