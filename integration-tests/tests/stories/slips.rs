//! What is easily written wrong at a terminal: refused with the place where it is sure, told where it may be meant, never passed over.

use std::process::Output;

use integration_tests::household::Dev;
use serde_json::{Value, json};

const RULE: &str = "apiVersion: chancery/v1
kind: Rule
metadata: {name: extra}
spec:
  layer: organisation
  effect: forbid
  when: \"purpose == 'x'\"
  geos: [GEO]
";

/// The exit code, what was printed, and what was said beside it.
fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_geo_that_is_misspelt_is_refused_or_told() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let run = |arguments: &[&str]| said(&dev.run(arguments).unwrap());
    let apply = |geo: &str, further: &[&str]| {
        std::fs::write(home.path().join("rule.yaml"), RULE.replace("GEO", geo)).unwrap();
        run(&[&["apply", "-f", "rule.yaml"], further].concat())
    };
    let (code, _, told) = apply("EU", &[]);
    assert_eq!(code, 7, "{told}");
    assert!(told.starts_with("rule.yaml:8: spec.geos[0]: nodes are known in `eu`, not in `EU`"), "{told}");
    let (code, _, told) = apply("euu", &[]);
    let slip = "warning: rule.yaml:8: spec.geos[0]: no node is known in `euu`: did you mean `eu`?";
    assert!(code == 0 && told.contains(slip), "{told}");
    // Which fields would change is told before they do.
    let (code, shown, told) = apply("eu", &["--dry-run"]);
    assert!(code == 0 && told.is_empty(), "{told}");
    assert!(shown.contains("spec.geos[0]\n      - euu\n      + eu\n"), "{shown}");

    let key = ["keys", "create", "--tenant", "acme", "--principal", "ada@example.org", "--team", "research"];
    let (code, _, told) = run(&[&key[..], &["--geos", "EU"]].concat());
    assert!(code == 7 && told.contains("key.spec.geos[0]: nodes are known in `eu`"), "{told}");
    let (code, shown, told) = run(&[&key[..], &["--geos", "euu", "-o", "json"]].concat());
    assert_eq!((code, told.as_str()), (0, ""), "what is JSON has it in the answer");
    let made: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(made["warnings"], json!(["spec.geos[0]: no node is known in `euu`: did you mean `eu`?"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_matches_nothing_or_is_named_otherwise_is_told_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let run = |arguments: &[&str]| said(&dev.run(arguments).unwrap());
    for (arguments, filter) in [
        (&["audit", "list", "--actor", "root", "--action", "Apply"][..], "actor `root`, action `Apply`"),
        (&["revisions", "list", "--author", "nobody"], "actor `nobody`"),
        (&["decisions", "segments", "--geo", "mars", "--node", "nope"], "geo `mars`, node `nope`"),
    ] {
        let (code, _, told) = run(arguments);
        assert_eq!((code, told), (0, format!("nothing matches {filter}\n")));
    }
    let (code, _, told) = run(&["keys", "revoke", "0123456789"]);
    assert!(code == 5 && told.contains("--tenant TENANT"), "{told}");
    let (code, _, told) = run(&["keys", "revoke", "chy_0123456789_secret"]);
    assert!(code == 2 && told.contains("public id") && !told.contains("_secret"), "{told}");

    let (code, head, _) = run(&["revisions", "show", "head", "-o", "json"]);
    let head: Value = serde_json::from_str(&head).unwrap();
    let (_, listed, _) = run(&["revisions", "list", "-o", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((code, &head["revision"]), (0, &listed["revisions"][0]["revision"]));

    let (code, _, told) = run(&["delete", "role", "chat-user", "--dry-run"]);
    let used = "error: `roles/chat-user` is still used by";
    assert!(code == 6 && told.starts_with(used) && !told.contains(":1:"), "{code} {told}");
    let (code, _, told) = run(&["delete", "role", "chat-user"]);
    assert!(code == 6 && told.contains("is still used by"), "{code} {told}");
    std::fs::write(
        home.path().join("tenant.yaml"),
        "apiVersion: chancery/v1\nkind: Tenant\nmetadata: {name: x}\nspec: {timeZone: Berlin}\n",
    )
    .unwrap();
    let (code, _, told) = run(&["apply", "-f", "tenant.yaml", "--wait=5s"]);
    let zone = "tenant.yaml:4: spec.timeZone: there is no time zone `Berlin`: did you mean `Europe/Berlin`?";
    assert!(code == 7 && told.contains(zone), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_and_what_there_is_more_of_is_told() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let run = |arguments: &[&str]| said(&dev.run(arguments).unwrap());
    std::fs::create_dir(home.path().join("none")).unwrap();
    let content = ["decisions", "content", "nope", "--store", "none", "--reason", "case 7"];
    let (code, _, told) = run(&content);
    assert!(code == 5 && told.contains("no content of request `nope`"), "{code} {told}");

    for list in ["audit", "revisions"] {
        std::fs::write(
            home.path().join("rule.yaml"),
            RULE.replace("GEO", "eu").replace("'x'", &format!("'{list}'")),
        )
        .unwrap();
        assert_eq!(run(&["apply", "-f", "rule.yaml"]).0, 0);
        let (code, _, told) = run(&[list, "list", "--limit", "1"]);
        assert_eq!(
            (code, told),
            (0, "there are more than the newest 1: --limit N lists as many, up to 1000\n".to_owned())
        );
        let (code, all, told) = run(&[list, "list", "--limit", "1000"]);
        assert_eq!((code, told.as_str()), (0, ""), "{all}");
    }

    // A geo without nodes, and what another takes the place of.
    let set = |keep: &str| {
        run(&["retention", "set", "decisions", "--geo", "mars", "--keep", keep, "--reason", "policy 7"])
    };
    let (code, shown, told) = set("400d");
    assert!(code == 0 && !shown.contains("before"), "{shown} {told}");
    assert!(told.contains("warning: `spec.geo`: no node is known in `mars`: known are `eu`"), "{told}");
    let (code, shown, _) = set("30d");
    assert!(code == 0 && shown.ends_with("on; before it was 400d\n"), "{shown}");
    let (code, _, told) = set("1y");
    assert!(code == 7 && told.contains("`1s` to `3660d`"), "{told}");

    // Drafts of nothing, and requests of nobody.
    std::fs::write(home.path().join("empty.yaml"), "# nothing\n").unwrap();
    for places in [&[][..], &["none"]] {
        let simulate = |further: &[&str]| run(&[&["simulate"], further, places].concat());
        let (code, _, told) = simulate(&["-f", "rule.yaml", "--tenant", "nope"]);
        assert!(code == 7 && told.contains("there is no `tenants/nope`"), "{code} {told}");
    }
    let (code, _, told) = run(&["simulate", "-f", "empty.yaml"]);
    assert!(code == 7 && told.starts_with("empty.yaml: nothing is declared\n"), "{code} {told}");
}
