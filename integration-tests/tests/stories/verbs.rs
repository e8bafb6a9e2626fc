//! The admin verbs of the binary: each does what REST does, prints what REST says, and fails by its exit code.

use integration_tests::{
    door::{Caller, Door},
    household::{Dev, Household, binary},
    sandbox::Geo,
    wait::until,
};
use serde_json::{Value, json};

/// Runs a verb that must succeed, as JSON.
fn told(dev: &Dev, arguments: &[&str]) -> Value {
    let output = dev.run(&[arguments, &["-o", "json"]].concat()).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

/// Runs a verb that must fail; its exit code and what it complains of.
fn failed(dev: &Dev, arguments: &[&str]) -> (i32, String) {
    let output = dev.run(arguments).unwrap();
    assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn rest(dev: &Dev, path: &str) -> Value {
    let url = format!("{}/v1/{path}", dev.variable("CHANCERY_CONTROL_URL").unwrap());
    let request = integration_tests::door::client().unwrap().get(url);
    request
        .bearer_auth(dev.variable("CHANCERY_ADMIN_TOKEN").unwrap())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_does_and_says_what_rest_does_and_says() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();

    let team = told(&dev, &["get", "teams", "research", "--tenant", "acme"]);
    assert_eq!(team, rest(&dev, "tenants/acme/teams/research").await);
    let models = told(&dev, &["get", "models"]);
    assert_eq!(models, rest(&dev, "models").await);
    let shown = dev.run(&["get", "models"]).unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("sim-gpt-4o"));

    // What is shown as YAML can be applied.
    for arguments in [&["get", "rules", "-o", "yaml"][..], &["export"]] {
        let written = dev.run(arguments).unwrap();
        std::fs::write(home.path().join("written.yaml"), &written.stdout).unwrap();
        let applied = told(&dev, &["apply", "-f", "written.yaml"]);
        let changes = applied["changes"].as_array().unwrap();
        assert!(
            !changes.is_empty() && changes.iter().all(|change| change["change"] == "unchanged"),
            "{applied}"
        );
    }

    std::fs::write(
        home.path().join("rule.yaml"),
        crate::policy::rule("extra", "forbid", "purpose == 'x'", ""),
    )
    .unwrap();
    let tried = told(&dev, &["apply", "--dry-run", "-f", "rule.yaml"]);
    assert_eq!(tried["changes"][0]["change"], "created");
    assert_eq!(failed(&dev, &["get", "rules", "extra"]).0, 5, "nothing was applied");
    let applied = told(&dev, &["apply", "-f", "rule.yaml"]);
    assert_eq!(told(&dev, &["get", "rules", "extra"])["revision"], applied["revision"]);

    let revisions = told(&dev, &["revisions", "list"]);
    assert_eq!(revisions["revisions"][0]["revision"], applied["revision"]);
    let number = applied["revision"].to_string();
    let revision = told(&dev, &["revisions", "show", &number]);
    assert_eq!(revision["changes"], json!([{"kind": "Rule", "name": "rules/extra", "change": "created"}]));
    let events = told(&dev, &["audit", "list"]);
    assert_eq!(events["auditEvents"][0]["action"], "chancery.admin.v1.PolicyService/Apply");
    let why = ["--reason", "a story – of why", "--ticket", "CHG-1"];
    told(&dev, &[&["delete", "rule", "extra"][..], &why].concat());
    let acts = ["--action", "DeleteRule", "--resource", "rules", "--since", "2020-01-01", "--limit", "5"];
    let acts = told(&dev, &[&["audit", "list"][..], &acts].concat());
    let acts = acts["auditEvents"].as_array().unwrap();
    assert_eq!((acts.len(), &acts[0]["reason"], &acts[0]["ticket"]), (1, &json!(why[1]), &json!(why[3])));
    let nodes = told(&dev, &["nodes", "list"]);
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 2);

    let question = [
        "explain",
        "--tenant",
        "acme",
        "--principal",
        "ada@example.org",
        "--model",
        "sim-gemini-pro",
        "--geo",
        "eu",
    ];
    assert_eq!(told(&dev, &question)["reasons"][0]["code"], "residency_unsatisfied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_used_and_ended_from_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let wanted = [
        "keys",
        "create",
        "--tenant",
        "acme",
        "--principal",
        "build-bot",
        "--team",
        "engineering",
        "--models",
        "sim-mistral-*",
    ];
    let made = told(&dev, &[&wanted[..], &["--wait"]].concat());
    // Whoever has waited may use it at once.
    let caller =
        Caller::at(Door::Rest, dev.variable("CHANCERY_DATA_URL").unwrap(), made["secret"].as_str().unwrap());
    let models = caller.models().await.unwrap().unwrap();
    assert!(models.iter().any(|model| model == "sim-mistral-large"), "{models:?}");
    let (name, secret) = (made["key"]["name"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let listed = told(&dev, &["keys", "list", "--tenant", "acme"]);
    let listed = listed["keys"].as_array().unwrap();
    assert!(listed.iter().any(|key| key["name"] == name));
    assert!(!listed.iter().any(|key| key.to_string().contains(secret)));
    let id = name.rsplit('/').next().unwrap();
    let revoked = told(&dev, &["keys", "revoke", id, "--tenant", "acme", "--wait"]);
    assert!(revoked["revokeTime"].is_string());
    assert!(caller.models().await.unwrap().is_err(), "nor does it work a moment longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_geo_is_switched_off_where_it_is_known_and_whoever_waited_finds_it_so() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let url = dev.variable("CHANCERY_DATA_URL").unwrap();
    let caller = Caller::at(Door::Rest, url, dev.variable("CHANCERY_API_KEY").unwrap());
    for (slip, meant) in [("EU", "did you mean `eu`?"), ("mars", "known are `eu`, `us`")] {
        let (code, complaint) = failed(&dev, &["kill", "--geo", slip, "--reason", "x"]);
        assert!(code == 7 && complaint.contains(meant), "{complaint}");
    }
    assert_eq!(told(&dev, &["kills", "list"]), json!({"kills": []}));
    let soon = ["--reason", "x", "--expires", "1h30m", "--wait"];
    told(&dev, &[&["kill", "--geo", "eu", "--id", "k"], &soon[..]].concat());
    assert!(caller.models().await.unwrap().is_err(), "at once, for whoever has waited");
    let question = ["explain", "--tenant", "acme", "--principal", "ada@example.org", "--team", "research"];
    let of = |geo: &'static str| {
        printed(&dev, &[&question[..], &["--model", "sim-o3-mini", "--geo", geo]].concat())
    };
    assert!(of("eu").contains("\n  eu: switched off by kills/k (deny)\n"), "{}", of("eu"));
    let shown = printed(&dev, &["kills", "show", "k"]);
    for line in ["hits     geo eu\n", "why      x\n", "held by  nodes/eu-1 (connected)\n"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let shown = told(&dev, &["kills", "show", "k"]);
    let held = json!([{"node": "nodes/eu-1", "state": "connected", "standing": "held"}]);
    assert_eq!(
        (&shown["spec"]["resource"], &shown["nodes"]),
        (&json!("eu"), &held),
        "of the geo that is told"
    );
    let explained = told(&dev, &[&question[..], &["--model", "sim-mistral-large", "--geo", "eu"]].concat());
    let why = (&explained["effect"], &explained["geo"], &explained["reasons"][0]["code"]);
    assert_eq!(why, (&json!("deny"), &json!("eu"), &json!("switched_off")));
    assert_eq!(explained["policyEffect"], "allow");
    assert!(!of("us").contains("kills/k"));
    let nodes = told(&dev, &["nodes", "list"]);
    assert!(nodes["nodes"].as_array().unwrap().iter().all(|node| node["kills"] == "held"), "{nodes}");
    let lifted = printed(&dev, &["kills", "lift", "k", "--wait"]);
    assert_eq!(lifted, "lifted kills/k\nenforced by 2 nodes\n");
    let (code, complaint) = failed(&dev, &["kills", "lift", "k"]);
    assert!(code == 5 && complaint.contains("lifted already, by `platform/root`"), "{complaint}");
    assert!(caller.models().await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_told_and_the_exit_code_says_of_what_kind() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    std::fs::write(
        home.path().join("bad.yaml"),
        "apiVersion: chancery/v1\nkind: Taem\nmetadata: {name: x}\nspec: {}\n",
    )
    .unwrap();
    let (code, complaint) = failed(&dev, &["apply", "-f", "bad.yaml"]);
    assert_eq!(code, 7);
    assert!(complaint.contains("bad.yaml:2: ") && complaint.contains("Taem"), "{complaint}");
    assert_eq!(failed(&dev, &["apply"]).0, 2);
    let (code, complaint) = failed(&dev, &["get", "models", "no-such-model"]);
    assert!(
        code == 5 && complaint.contains("no such resource: `models/no-such-model`"),
        "{code} {complaint}"
    );
    let (code, complaint) = failed(&dev, &["apply", "-f", "not-there.yaml"]);
    assert!(code == 7 && complaint.contains("not-there.yaml"), "{code} {complaint}");
    let token = dev.variable("CHANCERY_ADMIN_TOKEN").unwrap();
    assert!(!complaint.contains(token));

    // With `-o json` an error is what REST answers, on one line.
    let line = |arguments: &[&str]| {
        let (code, complaint) = failed(&dev, &[arguments, &["-o", "json"]].concat());
        assert_eq!(complaint.trim_end().lines().count(), 1, "{complaint}");
        (code, serde_json::from_str::<Value>(&complaint).unwrap()["error"].clone())
    };
    let missing = ["get", "models", "no-such-model"];
    let (code, mut error) = line(&missing);
    let mut answered = rest(&dev, "models/no-such-model").await["error"].clone();
    for error in [&mut error, &mut answered] {
        assert!(error["details"][0]["metadata"]["request_id"].take().is_string(), "{error}");
    }
    assert_eq!((code, error), (5, answered));
    let (code, error) = line(&["apply", "-f", "bad.yaml"]);
    assert_eq!((code, &error["status"]), (7, &json!("INVALID_ARGUMENT")));
    let fault = &error["details"][0]["fieldViolations"][0];
    assert_eq!(fault["field"], "bad.yaml:2", "{error}");

    // Whoever is not known, and nobody there to ask.
    let elsewhere = |url: &str, token: &str| {
        let mut command = std::process::Command::new(binary().unwrap());
        command.env("CHANCERY_CONTROL_URL", url).env("CHANCERY_ADMIN_TOKEN", token);
        let output = command.args(missing).args(["-o", "json"]).output().unwrap();
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        (output.status.code().unwrap(), error["error"]["status"].as_str().unwrap().to_owned())
    };
    let url = dev.variable("CHANCERY_CONTROL_URL").unwrap();
    assert_eq!(elsewhere(url, "nobody"), (4, "UNAUTHENTICATED".to_owned()));
    assert_eq!(elsewhere("http://127.0.0.1:1", token), (3, "UNAVAILABLE".to_owned()));
}

/// Runs a verb that must succeed; what it printed for people.
fn printed(dev: &Dev, arguments: &[&str]) -> String {
    let output = dev.run(arguments).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_declared_is_taken_back_by_name_or_by_file() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let rule = crate::policy::rule("extra", "forbid", "purpose == 'x'", "");
    let role = |name: &str, inherits: &str| {
        format!(
            "---\napiVersion: chancery/v1\nkind: Role\nmetadata: {{name: {name}}}\nspec: {{inherits: [{inherits}]}}\n"
        )
    };
    // The one role refers to the other, whichever comes first.
    let roles = format!("{}{}", role("a-child", "b-parent"), role("c-child", "b-parent"));
    std::fs::write(home.path().join("rule.yaml"), &rule).unwrap();
    std::fs::write(home.path().join("all.yaml"), format!("{rule}{roles}{}", role("b-parent", ""))).unwrap();

    let applied = printed(&dev, &["apply", "--wait", "-f", "all.yaml"]);
    assert!(applied.ends_with("\nenforced by 2 nodes\n"), "{applied}");
    let again = printed(&dev, &["apply", "--wait", "-f", "all.yaml"]);
    assert!(again.ends_with("4 unchanged; no new revision\nenforced by 2 nodes\n"), "{again}");

    let (code, complaint) = failed(&dev, &["delete", "role", "b-parent"]);
    let used = "`roles/b-parent` is still used by `roles/a-child`, `roles/c-child`: ";
    assert!(
        code == 6 && complaint.starts_with("error: roles/b-parent is still used by `roles/a-child`, "),
        "{code} {complaint}"
    );
    // Of several, all or none: what could go stays where something else can't.
    std::fs::write(home.path().join("some.yaml"), format!("{rule}{}", role("b-parent", ""))).unwrap();
    let (code, complaint) = failed(&dev, &["delete", "-f", "some.yaml"]);
    assert!(code == 7 && complaint.contains(&format!("some.yaml:7: {used}")), "{code} {complaint}");
    assert!(complaint.contains("error: nothing was deleted: 1 fault"), "{complaint}");
    assert_eq!(told(&dev, &["get", "rules", "extra"])["name"], "rules/extra");
    let tried = told(&dev, &["delete", "--dry-run", "-f", "all.yaml"]);
    assert_eq!(tried["changes"].as_array().unwrap().len(), 4, "{tried}");
    assert_eq!(told(&dev, &["get", "rules", "extra"])["name"], "rules/extra");
    let deleted = printed(&dev, &["delete", "rule", "extra", "--wait"]);
    assert!(deleted.starts_with("deleted   rules/extra\n1 deleted; revision "), "{deleted}");
    assert!(deleted.ends_with("\nenforced by 2 nodes\n"), "{deleted}");
    assert_eq!(failed(&dev, &["delete", "rule", "extra"]).0, 5);

    let deleted = told(&dev, &["delete", "-f", "all.yaml"]);
    let became = |name: &str| {
        let changes = deleted["changes"].as_array().unwrap();
        changes.iter().find(|change| change["name"] == name).unwrap()["change"].clone()
    };
    assert_eq!(became("rules/extra"), "absent");
    for role in ["roles/a-child", "roles/b-parent", "roles/c-child"] {
        assert_eq!(became(role), "deleted");
    }
    assert_eq!(told(&dev, &["revisions", "list"])["revisions"][0]["revision"], deleted["revision"]);
    assert!(printed(&dev, &["delete", "-f", "all.yaml"]).ends_with("4 absent; no new revision\n"));

    for arguments in [&["delete", "-f", "empty"][..], &["apply", "-f", "empty"], &["apply", "-f", "-"]] {
        std::fs::create_dir_all(home.path().join("empty")).unwrap();
        let (code, complaint) = failed(&dev, arguments);
        assert!(code == 7 && complaint.starts_with("error: nothing declared in "), "{code} {complaint}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_nobody_enforces_is_not_said_to_be_in_force() {
    let rule = crate::policy::rule("extra", "forbid", "purpose == 'x'", "");
    let mut house = Household::start(&rule, "").await.unwrap();
    let token = house.home().join("control/control-plane/admin.token");
    let file = house.home().join("rule.yaml");
    std::fs::write(&file, &rule).unwrap();
    let run = |url: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(binary().unwrap());
        command.env("CHANCERY_CONTROL_URL", url);
        command.env("CHANCERY_ADMIN_TOKEN", std::fs::read_to_string(&token).unwrap().trim());
        command.args(arguments).stdin(std::process::Stdio::null()).output().unwrap()
    };
    let url = house.admin_url();
    let apply = ["apply", "--wait=1", "-f", file.to_str().unwrap()];
    let gone = async |name: &str| {
        until("a node that is away", async || {
            let listed = run(&url, &["nodes", "list"]);
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            listed.lines().any(|line| line.contains(name) && line.contains("disconnected")).then_some(())
        })
        .await
        .unwrap();
    };

    house.plane(Geo::Us).unwrap().kill().unwrap();
    gone("us-1").await;
    // It may serve what it has, and come back in a moment: that is no success.
    std::fs::write(&file, crate::policy::rule("extra", "forbid", "purpose == 'y'", "")).unwrap();
    for waited in [&apply[..], &["kill", "--everything", "--id", "k", "--reason", "x", "--wait=1"]] {
        let one_away = run(&url, waited);
        let told = String::from_utf8_lossy(&one_away.stderr).into_owned();
        assert!(one_away.status.code() == Some(9) && told.contains("nodes/us-1 (not connected)"), "{told}");
    }
    // Where an operator sent it away, nobody waits for it.
    let drained = run(&url, &["nodes", "drain", "us-1", "--reason", "x"]);
    let told = String::from_utf8_lossy(&drained.stdout).into_owned();
    assert!(drained.status.success(), "{told}");
    assert!(told.starts_with("nodes/us-1 is not connected (disconnected), so it was not told"), "{told}");
    let lifted = run(&url, &["kills", "lift", "k", "--wait=10"]);
    let told = String::from_utf8_lossy(&lifted.stdout).into_owned();
    assert!(told.ends_with("enforced by 1 node\nbehind: us-1 (disconnected)\n"), "{told}");
    let one_left = run(&url, &apply);
    assert!(one_left.status.success());
    let told = String::from_utf8_lossy(&one_left.stdout).into_owned();
    assert!(told.contains("\nenforced by 1 node\nbehind: us-1 (disconnected, revision "), "{told}");

    house.plane(Geo::Eu).unwrap().kill().unwrap();
    gone("eu-1").await;
    let nobody = run(&url, &apply);
    assert_eq!(nobody.status.code(), Some(9));
    let told = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(told.contains("behind: eu-1 (disconnected, revision "), "{told}");
    assert!(told.contains("not known to be enforced by any node"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_goes_by_stages_and_revisions_are_found_by_who_what_and_why() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let rule = crate::policy::rule("extra", "forbid", "purpose == 'x'", "");
    std::fs::write(home.path().join("rule.yaml"), rule).unwrap();
    let made = told(&dev, &["apply", "-f", "rule.yaml", "--reason", "the board asked", "--ticket", "CHG-7"]);
    assert_eq!(failed(&dev, &["delete", "rule", "absent", "--staged"]).0, 5);

    let ending = ["delete", "rule", "extra", "--staged", "--manual", "--reason", "it is over"];
    let ended = told(&dev, &ending);
    assert_eq!(ended["changes"], json!([{"kind": "Rule", "name": "rules/extra", "change": "deleted"}]));
    let rollout = ended["rollout"].as_str().unwrap();
    let stages = told(&dev, &["rollouts", "show", rollout]);
    assert_eq!((&stages["manual"], &stages["changes"]), (&json!(true), &ended["changes"]), "{stages}");
    assert!(ended["stages"].as_array().unwrap().len() == 2 && ended["revision"].is_number(), "{ended}");
    told(&dev, &["rollouts", "abort", rollout, "--reason", "not yet"]);
    assert_eq!(told(&dev, &["get", "rule", "extra"])["name"], "rules/extra", "it is there again");

    let found = |filter: &[&str]| -> Vec<Value> {
        let listed = told(&dev, &[&["revisions", "list"], filter].concat());
        listed["revisions"].as_array().unwrap().iter().map(|found| found["revision"].clone()).collect()
    };
    let of_rule = found(&["--resource", "rules/extra"]);
    assert_eq!((of_rule.len(), &of_rule[1], &of_rule[2]), (3, &ended["revision"], &made["revision"]));
    assert_eq!(found(&["--kind", "rule", "--limit", "2"]), of_rule[..2]);
    assert_eq!(found(&["--author", "root", "--since", "1h", "--resource", "rules/extra"]), of_rule);
    assert_eq!(found(&["--author", "nobody"]), Vec::<Value>::new());
    assert_eq!(found(&["--until", "1h"]), Vec::<Value>::new());
    assert_eq!(failed(&dev, &["revisions", "list", "--resource", "rulez"]).0, 7);
    let shown = told(&dev, &["revisions", "show", &made["revision"].to_string()]);
    assert_eq!((&shown["reason"], &shown["ticket"]), (&json!("the board asked"), &json!("CHG-7")));
    let listed = printed(&dev, &["revisions", "list", "--resource", "rules/extra"]);
    for why in ["the board asked", "it is over", "not yet"] {
        assert!(listed.contains(why), "{why}: {listed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_and_nobody_can_call_is_told_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let document = |kind: &str, name: &str, spec: &str| {
        format!("---\napiVersion: chancery/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
    };
    let endpoint = |name: &str, provider: &str, geos: &str| {
        let spec = format!(
            "provider: {provider}, upstreamModel: m, processingRegions: [EU], storageRegions: [EU], geos: [{geos}]"
        );
        document("Endpoint", name, &spec)
    };
    let keyless = "adapter: openai, baseUrl: 'http://127.0.0.1:8000/v1', credential: {env: NOT_SET_ANYWHERE}";
    let model = "card: {operations: [chat]}, geos: [mars], route: {groups: [[{endpoint: far}]]}";
    let file = [
        document("Provider", "keyless", keyless),
        endpoint("far", "keyless", "mars"),
        document("Model", "closed", model),
    ];
    std::fs::write(home.path().join("made.yaml"), file.concat()).unwrap();
    let output = dev.run(&["apply", "--wait", "-f", "made.yaml"]).unwrap();
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{warned}");
    let far = "no node is connected in `mars`, only in `eu`, `us`: mend `spec.geos`";
    for line in [
        format!("warning: `endpoints/far` can't be called: {far}"),
        format!("warning: `models/closed` can't be called: `endpoints/far`: {far}"),
    ] {
        assert!(warned.contains(&line), "{line}: {warned}");
    }
    // Nor may anybody use what a budget counts and nobody has priced.
    let model = "card: {operations: [chat]}, route: {groups: [[{endpoint: sim-o3-mini-us}]]}";
    std::fs::write(home.path().join("free.yaml"), document("Model", "sim-free", model)).unwrap();
    let output = dev.run(&["apply", "--wait", "-f", "free.yaml"]).unwrap();
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = "warning: `models/sim-free` has no price, so whom `tenants/acme/limits/acme-budget` counts is refused it";
    assert!(output.status.success() && warned.contains(line), "{warned}");
    let rule = crate::policy::rule("extra", "forbid", "purpose == 'x'", "");
    std::fs::write(home.path().join("rule.yaml"), rule).unwrap();
    let quiet = dev.run(&["apply", "--wait", "-f", "rule.yaml"]).unwrap();
    assert!(!String::from_utf8_lossy(&quiet.stderr).contains("warning"));
}
