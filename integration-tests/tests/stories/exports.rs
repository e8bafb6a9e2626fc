//! The log of acts leaves the house: exported by its verb, and verified by whoever has the key, with no control plane to ask.

use std::path::Path;
use std::process::{Command, Output};

use integration_tests::household::{Dev, binary};
use proto::checkpoint::VerifierKey;
use serde_json::{Value, json};

/// Runs a verb that must succeed, as JSON.
fn told(dev: &Dev, arguments: &[&str]) -> Value {
    let output = dev.run(&[arguments, &["-o", "json"]].concat()).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

/// Verifies as somebody else does, elsewhere: with the files and nothing of the environment.
fn verify(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary().unwrap());
    command.env_clear().current_dir(home).args(["audit", "verify"]).args(arguments);
    command.output().unwrap()
}

/// The exit code, and what was told.
fn verdict(home: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = verify(home, &[arguments, &["-o", "json"]].concat());
    let code = output.status.code().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(found["exitCode"], code);
    assert_eq!(output.stderr.is_empty(), code == 0, "{}", String::from_utf8_lossy(&output.stderr));
    (code, found)
}

/// A house in which something was done.
async fn acted(home: &Path) -> Dev {
    let dev = Dev::start(home, &[], &[]).await.unwrap();
    for (name, why) in [("one", "=1+1"), ("two", "the second"), ("three", "the third")] {
        let rule = crate::policy::rule(name, "forbid", "purpose == 'x'", "");
        std::fs::write(home.join("rule.yaml"), rule).unwrap();
        told(&dev, &["apply", "-f", "rule.yaml", "--reason", why]);
    }
    told(&dev, &["audit", "key", "--out", "log.keys"]);
    dev
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_verified_with_a_key_and_without_the_house() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    let dev = acted(path).await;
    told(&dev, &["audit", "checkpoint", "--out", "earlier.note"]);
    told(&dev, &["delete", "rule", "one"]);
    let events = told(&dev, &["audit", "list", "--limit", "1"]);
    let newest = events["auditEvents"][0].clone();
    let size = newest["sequence"].as_u64().unwrap();
    let exported = told(&dev, &["audit", "export", "--out", "audit.jsonl"]);
    assert_eq!(
        (&exported["events"], &exported["size"], &exported["complete"]),
        (&json!(size), &json!(size), &json!(true))
    );
    told(&dev, &["audit", "export", "--out", "audit.csv", "--format", "csv"]);
    told(
        &dev,
        &["audit", "export", "--out", "rules.jsonl", "--resource", "rules/one", "--until", "2100-01-01"],
    );
    let piped = dev.run(&["audit", "export", "--out", "-"]).unwrap();
    std::fs::write(path.join("piped.jsonl"), &piped.stdout).unwrap();
    assert!(piped.status.success() && !path.join("-").exists(), "{piped:?}");
    drop(dev);

    let valid = |arguments: &[&str]| {
        let (code, found) = verdict(path, arguments);
        assert_eq!(code, 0, "{found}");
        found
    };
    let whole = valid(&["audit.jsonl", "--key", "log.keys"]);
    assert_eq!(
        (&whole["verdict"], &whole["events"], &whole["last"]),
        (&json!("valid"), &json!(size), &json!(size))
    );
    // That the first was made is an event of the second.
    assert_eq!(valid(&["audit.csv", "--key", "log.keys"])["events"], json!(size + 1));
    // A part of it: what was done to one rule, each act with its proof.
    let part = valid(&["rules.jsonl", "--key", "log.keys"]);
    assert_eq!((&part["complete"], &part["events"]), (&json!(false), &json!(2)), "{part}");
    // It goes on from what was kept before; what was kept before does not go on from it.
    let kept = valid(&["audit.jsonl", "--key", "log.keys", "--checkpoint", "earlier.note"]);
    assert!(kept["extends"].as_u64().is_some_and(|before| before < size), "{kept}");
    assert_eq!(
        valid(&["audit.csv", "--key", "log.keys", "--checkpoint", "audit.jsonl"])["extends"],
        json!(size)
    );
    assert_eq!(valid(&["piped.jsonl", "--key", "log.keys"])["complete"], json!(true));
    // One that was made before a checkpoint proves nothing of what came after, and is not called rewritten.
    let (code, older) = verdict(path, &["audit.jsonl", "--key", "log.keys", "--checkpoint", "audit.csv"]);
    assert_eq!((code, &older["verdict"]), (20, &json!("older")), "{older}");
    assert!(older["faults"][0]["message"].as_str().unwrap().contains("export the log anew"), "{older}");

    let text = std::fs::read_to_string(path.join("audit.jsonl")).unwrap();
    // What people read is what REST answered.
    let last: Value = serde_json::from_str(text.lines().nth(size as usize).unwrap()).unwrap();
    assert_eq!(last["event"], newest);
    assert!(text.contains(&serde_json::to_string(&newest).unwrap()) || newest["changes"].is_array());
    // No cell of a spreadsheet is a formula.
    let rows = std::fs::read_to_string(path.join("audit.csv")).unwrap();
    assert!(rows.contains("\"'=1+1\"") && !rows.contains("\"=1+1\""));

    // One byte, as a person reads it, as a program does, and to a machine without the house.
    let changed = text.replacen("the second", "The second", 1);
    std::fs::write(path.join("changed.jsonl"), &changed).unwrap();
    let line = changed.lines().position(|line| line.contains("The second")).unwrap();
    let (code, found) = verdict(path, &["changed.jsonl", "--key", "log.keys"]);
    assert_eq!(
        (code, &found["faults"][0]["sequence"], &found["faults"][0]["line"]),
        (10, &json!(line), &json!(line + 1))
    );
    let shown = verify(path, &["changed.jsonl", "--key", "log.keys"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.starts_with(&format!(
            "line {}: event {line}: `event.reason` says \"The second\", the body \"the second\"\n",
            line + 1
        )),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_an_export_is_an_exit_code_each() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    let dev = acted(path).await;
    told(&dev, &["audit", "export", "--out", "audit.jsonl"]);
    let refused = dev.run(&["audit", "export", "--out", "audit.jsonl"]).unwrap();
    assert_eq!(refused.status.code(), Some(6), "{}", String::from_utf8_lossy(&refused.stderr));
    told(&dev, &["audit", "export", "--out", "audit.jsonl", "--force"]);
    let directory = dev.run(&["audit", "export", "--out", "."]).unwrap();
    assert_eq!(directory.status.code(), Some(1), "{}", String::from_utf8_lossy(&directory.stderr));
    drop(dev);

    let text = std::fs::read_to_string(path.join("audit.jsonl")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let write = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
    let without: Vec<&str> =
        lines.iter().enumerate().filter(|(line, _)| *line != 4).map(|(_, line)| *line).collect();
    let header: Value = serde_json::from_str(lines[0]).unwrap();
    let note = header["checkpoint"].as_str().unwrap();
    let signature = note.trim_end().rsplit(' ').next().unwrap();
    let spoilt = signature.replace(&signature[12..16], &signature[16..20]);
    let other = VerifierKey::of("chancery/other", &[7; 32]).unwrap().to_string();
    let stranger = VerifierKey::of(header["origin"].as_str().unwrap(), &[7; 32]).unwrap().to_string();
    let cases = [
        ("gap", without.concat(), None, 11, "gap"),
        ("cut", text[..text.len() - 40].to_owned(), None, 12, "truncated"),
        ("signature", text.replace(signature, &spoilt), None, 13, "bad_signature"),
        ("stranger", text.clone(), Some(stranger), 14, "unknown_key"),
        ("foreign", text.clone(), Some(other), 15, "foreign"),
        ("yaml", "kind: Rule\n".to_owned(), None, 17, "not_an_export"),
        ("empty", String::new(), None, 18, "empty"),
    ];
    for (name, file, key, code, word) in cases {
        write(name, &file);
        let keys = key.map_or("log.keys", |key| {
            write("other.keys", &format!("{key}\n"));
            "other.keys"
        });
        let (ended, found) = verdict(path, &[name, "--key", keys]);
        assert_eq!((ended, found["verdict"].as_str()), (code, Some(word)), "{found}");
    }
    let gap = verdict(path, &["gap", "--key", "log.keys"]).1;
    assert_eq!((&gap["faults"][0]["sequence"], &gap["faults"][0]["through"]), (&json!(4), &json!(4)));

    // Files that are none.
    write("junk.keys", "# keys\njunk\n");
    write("no.keys", "# keys\n");
    for arguments in [
        ["audit.jsonl", "--key", "junk.keys"],
        ["audit.jsonl", "--key", "no.keys"],
        ["audit.jsonl", "--key", "gone.keys"],
        [".", "--key", "log.keys"],
        ["gone.jsonl", "--key", "log.keys"],
    ] {
        let output = verify(path, &arguments);
        assert_eq!(output.status.code(), Some(7), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    let junk = verify(path, &["audit.jsonl", "--key", "junk.keys"]);
    assert!(
        String::from_utf8_lossy(&junk.stderr).starts_with("junk.keys:2: a key does not read as"),
        "{junk:?}"
    );
}
