//! Content that a rule has kept: sealed wherever it lies, opened for a reason by who may, gone when its time is over, and nothing else kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use integration_tests::{
    door::{Ask, Caller, Door, Told},
    household::{Household, Lines, binary, free},
    program::{self, Language},
    sandbox::{Geo, QUICKSTART},
    wait::until,
};
use reqwest::Method;
use serde_json::Value;

use crate::bucket::Bucket;
use crate::policy::rule;
use crate::secrets::holders;

const MODEL: &str = "sim-mistral-large";
const CANARY: &str = "canary-of-content-3c7d";
const PERSON: &str = "canary.of.content@example.org";
const EVE: &str = "the-token-of-eve-who-looks-on";

/// Keeps what is asked and answered for so long, where the purpose is this.
fn keep(purpose: &str, retention: &str) -> String {
    let obligations = format!(", obligations: [{{capture: {{retention: {retention}}}}}]");
    rule(&format!("keep-{purpose}"), "require", &format!("purpose == '{purpose}'"), &obligations)
}

/// An auditor, who may break the glass.
fn auditor() -> String {
    let sha256 = control_plane::registry::hex(&control_plane::actor::token_digest(EVE));
    format!(
        "[admin]\ntokens = [{{name = \"eve\", sha256 = \"{sha256}\", role = \"auditor\"}}]\n\
         [break_glass]\nwho = [\"platform/eve\"]\nmax = \"10m\"\n"
    )
}

async fn asked(house: &Household, (door, key): (Door, &str), purpose: &str, stream: bool) -> Result<Told> {
    let ask = Ask::chat(MODEL, &format!("{CANARY} of {PERSON} [[sim:chunk=7]]")).streaming(stream);
    let ask = ask.with("x-chancery-purpose", purpose);
    let told = Caller::at(door, house.inference_url(Geo::Eu)?, key).ask(&ask).await?;
    told.map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

/// A verb of the binary for the holder of a token; its exit code, and what it printed.
fn verb(house: &Household, token: &str, arguments: &[&str]) -> Result<(i32, String)> {
    let mut command = Command::new(binary()?);
    command.env_clear().current_dir(house.home()).args(arguments);
    command.env("CHANCERY_CONTROL_URL", house.admin_url()).env("CHANCERY_ADMIN_TOKEN", token);
    let output = command.output()?;
    let told = String::from_utf8([output.stdout, output.stderr].concat())?;
    Ok((output.status.code().unwrap_or(-1), told))
}

/// Files of content below a directory that are closed.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.extend(Some(path).filter(|p| p.extension().is_some_and(|e| e == "captured"))),
        }
    }
    found.sort();
    found
}

fn lines(files: &[PathBuf]) -> usize {
    files.iter().map(|file| fs::read_to_string(file).map_or(0, |text| text.lines().count())).sum()
}

/// The events of keys that were opened, newest first.
async fn openings(house: &Household) -> Result<Vec<Value>> {
    let log = house.read("auditEvents?action=Open&pageSize=100").await?;
    Ok(log["auditEvents"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_rule_keeps_lies_sealed_and_is_opened_by_who_may_and_nothing_else_is_kept() {
    let store = tempfile::tempdir().unwrap();
    let planes = format!("[decisions]\nsegment_seconds = 1\nstore = \"dir:{}\"\n", store.path().display());
    let more = Lines { control: &auditor(), planes: &planes };
    let house = Household::of("debug", QUICKSTART, more).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    for door in Door::BOTH {
        asked(&house, (door, &key), "kept", true).await.unwrap();
    }
    let revision = house.apply(&keep("kept", "30d")).await.unwrap();
    for geo in Geo::ALL {
        house.enforces(geo, revision).await.unwrap();
    }
    let (mut kept, mut others) = (Vec::new(), Vec::new());
    for door in Door::BOTH {
        for stream in [false, true] {
            kept.push((stream, asked(&house, (door, &key), "kept", stream).await.unwrap()));
            others.push(asked(&house, (door, &key), "another", stream).await.unwrap());
        }
    }
    let content = store.path().join("captured/eu");
    let all =
        until("content in the store", async || Some(files(&content)).filter(|all| lines(all) == kept.len()))
            .await
            .unwrap();

    // Whatever is on a disk, the logs and the store among it, has no word of it.
    for dir in [house.home(), store.path()] {
        assert_eq!(holders(dir, &[CANARY, PERSON]), [""; 0]);
    }
    let (token, root) = (house.token().unwrap(), store.path().to_str().unwrap().to_owned());
    let open = |token: &str, id: &str, place: &str| {
        verb(&house, token, &["decisions", "content", id, "--store", place, "--reason", "a complaint"])
            .unwrap()
    };
    for (stream, told) in &kept {
        let id = told.header("x-chancery-request-id");
        let (code, shown) = open(&token, id, &root);
        assert_eq!(code, 0, "{shown}");
        let (prompt, answer) = shown.split_once("--- answer\n").unwrap();
        assert!(prompt.contains(&format!("{CANARY} of [EMAIL_1]")) && !shown.contains(PERSON), "{shown}");
        assert_eq!(answer.starts_with("data: "), *stream, "{shown}");
        let json = verb(
            &house,
            &token,
            &["decisions", "content", id, "--store", &root, "--reason", "again", "-o", "json"],
        );
        let json: Value = serde_json::from_str(&json.unwrap().1).unwrap();
        assert_eq!(said(&json["answer"]), told.text, "{json}");
    }
    for told in &others {
        let (code, shown) = open(&token, told.header("x-chancery-request-id"), &root);
        assert!(code != 0 && shown.contains("there is no content of request"), "{code}: {shown}");
    }
    let log = openings(&house).await.unwrap();
    assert_eq!(log.len(), 2 * kept.len(), "each is an event");
    let id = kept.last().unwrap().1.header("x-chancery-request-id");
    assert_eq!(log[0]["resource"], format!("tenants/acme/capturedContent/{id}"));
    assert_eq!((&log[1]["reason"], &log[1]["actor"]), (&"a complaint".into(), &"platform/root".into()));

    // Who looks on sees none of it, unless rights were taken, which its event names.
    let (code, shown) = open(EVE, id, &root);
    assert!(code == 4 && shown.contains("an auditor's token changes nothing"), "{code}: {shown}");
    verb(&house, EVE, &["break-glass", "--reason", "an incident", "--for", "5m"]).unwrap();
    assert_eq!(open(EVE, id, &root).0, 0);
    let log = openings(&house).await.unwrap();
    assert_eq!(
        (&log[0]["actor"], &log[0]["elevation"]),
        (&"platform/eve".into(), &"elevations/1".into()),
        "{log:?}"
    );
    altered(&all, id, |place| open(&token, id, place)).unwrap();
    missed(&house, store.path(), &all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_last_is_in_the_store_when_its_node_has_ended() {
    let store = tempfile::tempdir().unwrap();
    let planes = format!("[decisions]\nsegment_seconds = 3600\nstore = \"dir:{}\"\n", store.path().display());
    let mut house = Household::start(QUICKSTART, &planes).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let revision = house.apply(&keep("kept", "1d")).await.unwrap();
    house.enforces(Geo::Eu, revision).await.unwrap();
    for stream in [false, true] {
        asked(&house, (Door::Rest, &key), "kept", stream).await.unwrap();
    }
    house.plane(Geo::Eu).unwrap().terminate().unwrap();
    house.plane(Geo::Eu).unwrap().ended().await.unwrap();
    assert_eq!(lines(&files(&store.path().join("captured/eu"))), 2);
    assert!(files(&house.state_dir(Geo::Eu)).is_empty(), "what is in the store goes from here");
}

/// What an answer said, whole or in events.
fn said(answer: &Value) -> String {
    let text = |choice: &Value, part: &str| choice[part]["content"].as_str().unwrap_or_default().to_owned();
    match answer.as_array() {
        None => text(&answer["choices"][0], "message"),
        Some(events) => events.iter().map(|event| text(&event["choices"][0], "delta")).collect(),
    }
}

/// Whatever is changed in a line, it does not open; nor is it another tenant's, request's or geo's.
fn altered(files: &[PathBuf], id: &str, open: impl Fn(&str) -> (i32, String)) -> Result<()> {
    let all = files.iter().map(fs::read_to_string).collect::<std::io::Result<Vec<_>>>()?.concat();
    let line = all.lines().find(|line| line.contains(id)).context("the line of a request")?;
    let at = line.rfind('"').context("an end")? - 40;
    let other = if line.as_bytes()[at] == b'A' { "B" } else { "A" };
    let flipped = [&line[..at], other, &line[at + 1..]].concat();
    let dir = tempfile::tempdir()?;
    let place = dir.path().join("01-a.captured");
    for (changed, code) in [
        (line.to_owned(), 0),
        (flipped, 10),
        (line.replacen("\"until\":\"2", "\"until\":\"3", 1), 10),
        (line.replacen("\"tenant\":\"acme\"", "\"tenant\":\"rival\"", 1), 6),
        (line.replacen("\"geo\":\"eu\"", "\"geo\":\"us\"", 1), 6),
        (line[..line.len() - 9].to_owned(), 10),
    ] {
        fs::write(&place, format!("{changed}\n"))?;
        let (ended, told) = open(place.to_str().context("a path")?);
        assert_eq!(ended, code, "{told}");
    }
    Ok(())
}

/// What records name has to be there, as it was written.
async fn missed(house: &Household, store: &Path, files: &[PathBuf]) -> Result<()> {
    let ca = house.home().join("control/control-plane/ca/ca.pem");
    let [root, ca] = [store, &ca].map(|path| path.to_str().unwrap_or_default().to_owned());
    let verified = || {
        let arguments = ["decisions", "verify", &root, "--ca", &ca, "--content", &root];
        Command::new(binary()?).args(arguments).output().map_err(anyhow::Error::from)
    };
    let records = async || {
        let told = verified().ok()?;
        let told_of = String::from_utf8(told.stdout).ok()?;
        // Two before there was a rule, then four that are kept and four that are not.
        told_of.contains(", 10 records").then_some((told.status.code(), told_of))
    };
    let (code, told) = until("every record in the store", records).await?;
    assert_eq!(code, Some(0), "{told}");
    let [first, ..] = files else { anyhow::bail!("no file") };
    let whole = fs::read_to_string(first)?;
    let lost = whole.lines().count();
    fs::write(first, whole.replace("\"until\":\"2", "\"until\":\"3"))?;
    let told = verified()?;
    assert_eq!(told.status.code(), Some(10), "{}", String::from_utf8_lossy(&told.stdout));
    fs::remove_file(first)?;
    let told = verified()?;
    let gaps = String::from_utf8(told.stdout)?.matches("its record names content that is not there").count();
    assert_eq!((told.status.code(), gaps), (Some(11), lost));
    Ok(())
}

/// A number that a data plane tells.
async fn metric(house: &Household, name: &str) -> Option<u64> {
    let url = format!("{}/metrics", house.ops_url(Geo::Eu).ok()?);
    let text = integration_tests::door::get(&url).await.ok()?.text().await.ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_gone_from_a_bucket_and_from_the_node_and_the_rest_stays() {
    let service = free().unwrap();
    let planes = format!(
        "[decisions]\nsegment_seconds = 1\nstore = \"s3://segments/chancery\"\nstore_endpoint = \"http://{service}\"\n"
    );
    let house = Household::start(QUICKSTART, &planes).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let revision = house.apply(&format!("{}{}", keep("short", "1s"), keep("long", "30d"))).await.unwrap();
    for geo in Geo::ALL {
        house.enforces(geo, revision).await.unwrap();
    }
    // While there is no store, what is over goes from the node.
    asked(&house, (Door::Rest, &key), "short", false).await.unwrap();
    until("what is over, deleted here", async || {
        (metric(&house, "chancery_captured_files_deleted_total").await? == 1).then_some(())
    })
    .await
    .unwrap();
    assert!(files(&house.state_dir(Geo::Eu).join("outbox")).is_empty());

    let _moto = program::serve(
        Language::Python,
        "moto.server",
        &["-H", "127.0.0.1", "-p", &service.port().to_string()],
    )
    .unwrap();
    let bucket = Bucket(format!("http://{service}/segments"));
    until("a service of buckets", async || bucket.call(Method::PUT, "", "").await.ok()).await.unwrap();
    // Somebody else's, of a node that is no more, and what is no file of content.
    let (over, stays) =
        ("/chancery/captured/eu/2020-01-01/acme/01577836800-0.captured", "/chancery/notes/1.txt");
    for name in [over, stays] {
        bucket.call(Method::PUT, name, "x").await.unwrap();
    }
    for (door, purpose) in Door::BOTH.into_iter().zip(["long", "short"]) {
        asked(&house, (door, &key), purpose, true).await.unwrap();
    }
    // What was counted is asked first: what is listed after it is of that count or later.
    let long = until("the rest, and nothing that is over", async || {
        let is_done = metric(&house, "chancery_captured_files_deleted_total").await? >= 3
            && metric(&house, "chancery_captured_files_waiting").await? == 0;
        let names = bucket.names().await.ok()?;
        let content: Vec<_> = names.iter().filter(|name| name.contains("/captured/")).collect();
        let [long] = content.as_slice() else { return None };
        (is_done && names.iter().any(|name| name == stays)).then(|| String::clone(long))
    })
    .await
    .unwrap();
    assert!(long.starts_with("/chancery/captured/eu/20") && long.contains("/acme/"), "{long}");
    assert_eq!(metric(&house, "chancery_captured_total").await, Some(3));
    let text = bucket.call(Method::GET, &long, "").await.unwrap();
    assert!(text.contains("\"tenant\":\"acme\"") && !text.contains(CANARY), "{text}");
}
