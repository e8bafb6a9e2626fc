//! The decision log: written, sealed, shipped and anchored by real processes, some of which are killed, and verified by nobody's word.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result};
use integration_tests::{
    door::{Ask, Caller, Door},
    household::{Household, binary},
    sandbox::{Geo, QUICKSTART},
    wait::until,
};
use serde_json::Value;

const MODEL: &str = "sim-mistral-large";

async fn asked(house: &Household, geo: Geo, key: &str, count: usize) -> Result<()> {
    for at in 0..count {
        let caller = Caller::at(Door::BOTH[at % 2], house.inference_url(geo)?, key);
        let told = caller.ask(&Ask::chat(MODEL, "write this down")).await?;
        assert!(told.is_ok(), "{told:?}");
    }
    Ok(())
}

/// A verb of the binary; its exit code, and what it printed.
pub(crate) fn verb(house: &Household, arguments: &[&str]) -> Result<(i32, String)> {
    let token = fs::read_to_string(house.home().join("control/control-plane/admin.token"))?;
    let Output { status, stdout, stderr } = Command::new(binary()?)
        .args(arguments)
        .env("CHANCERY_CONTROL_URL", house.admin_url())
        .env("CHANCERY_ADMIN_TOKEN", token.trim())
        .output()?;
    let told = [stdout, stderr].concat();
    Ok((status.code().unwrap_or(-1), String::from_utf8(told)?))
}

/// Waits until the control plane knows of segments of a node that ended like these.
async fn anchored(house: &Household, node: &str, ended: &[&str]) -> Result<()> {
    until("segments that are anchored", async || {
        let (_, told) = verb(house, &["decisions", "segments", "--node", node, "-o", "json"]).ok()?;
        let told: Value = serde_json::from_str(&told).ok()?;
        let mut left: Vec<_> = told["decisionSegments"].as_array()?.iter().map(|row| &row["ended"]).collect();
        let mut is_there = |ended: &&str| {
            let found = left.iter().position(|left| left == ended);
            found.map(|at| left.swap_remove(at)).is_some()
        };
        ended.iter().all(&mut is_there).then_some(())
    })
    .await
}

/// The files of segments below a directory, by their endings.
pub(crate) fn files(root: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(files(&path, ending)?),
            false => found.extend(Some(path).filter(|path| path.extension().is_some_and(|e| e == ending))),
        }
    }
    found.sort();
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_are_sealed_shipped_anchored_and_verified_and_a_killed_process_is_a_gap() {
    let store = tempfile::tempdir().unwrap();
    let more = format!(
        "[decisions]\nsegment_records = 4\nsegment_seconds = 3600\nstore = \"dir:{}\"\nkeep_bytes = 0\n",
        store.path().display()
    );
    let mut house = Household::start(QUICKSTART, &more).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    asked(&house, Geo::Us, &key, 5).await.unwrap();
    asked(&house, Geo::Eu, &key, 6).await.unwrap();
    // Told to end, and begun again: nothing is missing.
    house.plane(Geo::Us).unwrap().terminate().unwrap();
    house.plane(Geo::Us).unwrap().ended().await.unwrap();
    house.plane(Geo::Us).unwrap().start_again().unwrap();
    // Killed, and begun again: what it had not written yet is missing, if there was something.
    house.plane(Geo::Eu).unwrap().kill().unwrap();
    house.plane(Geo::Eu).unwrap().start_again().unwrap();
    for geo in Geo::ALL {
        house.enforces(geo, 1).await.unwrap();
        asked(&house, geo, &key, 4).await.unwrap();
    }
    anchored(&house, "us-1", &["shutdown", "full", "full"]).await.unwrap();
    anchored(&house, "eu-1", &["full", "recovered", "full"]).await.unwrap();
    for geo in Geo::ALL {
        house.plane(geo).unwrap().terminate().unwrap();
        house.plane(geo).unwrap().ended().await.unwrap();
    }
    // What is sealed at the end is in the store and anchored then, for a disk may go with its process.
    let known = house.home().join("segments.json");
    let (_, told) = verb(&house, &["decisions", "segments", "-o", "json"]).unwrap();
    fs::write(&known, told).unwrap();
    let ca = house.home().join("control/control-plane/ca/ca.pem");
    assert!(ca.exists(), "{}", ca.display());
    let verified = |house: &Household, root: &Path| {
        let [root, ca, known] = [root, &ca, &known].map(|path| path.to_str().unwrap().to_owned());
        verb(house, &["decisions", "verify", &root, "--ca", &ca, "--anchors", &known]).unwrap()
    };
    let us = store.path().join("us");
    let (code, whole) = verified(&house, &us);
    assert!(code == 11 && whole.contains(", 9 records"), "{code}: {whole}");
    assert!(!whole.contains("us/us-1"), "only the other node's are not here: {whole}");
    assert!(whole.contains(" of 1 nodes"), "{whole}");
    let (code, told) = verified(&house, store.path());
    assert_eq!(code, 11, "{told}");
    assert_eq!(told.lines().filter(|line| line.starts_with("gap ")).count(), 1, "{told}");
    assert!(told.contains("gap           eu/eu-1 ") && told.contains(": the process was ended"), "{told}");
    altered(&us, &ca, |root| verb(&house, &["decisions", "verify", root, "--ca", ca.to_str().unwrap()]))
        .unwrap();

    // What the store has and the control plane knows of is gone from the node, but for the newest.
    house.plane(Geo::Us).unwrap().start_again().unwrap();
    let outbox = house.state_dir(Geo::Us).join("outbox");
    until("an outbox that was emptied", async || (files(&outbox, "manifest").ok()?.len() == 1).then_some(()))
        .await
        .unwrap();
    let lost = files(&us, "jsonl").unwrap().remove(0);
    fs::remove_file(lost.with_extension("manifest")).unwrap();
    fs::remove_file(lost).unwrap();
    let (code, told) = verified(&house, store.path());
    assert!(code == 11 && told.contains("it is anchored, and not here"), "{code}: {told}");
}

/// Whatever is changed in a copy of a store ends the verification by its own exit code, and names the line.
fn altered(store: &Path, ca: &Path, verify: impl Fn(&str) -> Result<(i32, String)>) -> Result<()> {
    let copy = tempfile::tempdir()?;
    for path in [files(store, "jsonl")?, files(store, "manifest")?].concat() {
        let name: Vec<_> = path.strip_prefix(store)?.components().map(|part| part.as_os_str()).collect();
        let name: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
        fs::write(
            copy.path().join(name.join(".").replace(".jsonl", "_.jsonl").replace(".manifest", "_.manifest")),
            fs::read(path)?,
        )?;
    }
    let root = copy.path().to_str().context("a path")?;
    assert_eq!(verify(root)?.0, 0, "{}", verify(root)?.1);
    let first = files(copy.path(), "jsonl")?.remove(0);
    let (whole, manifest) = (fs::read_to_string(&first)?, first.with_extension("manifest"));
    let signed = fs::read_to_string(&manifest)?;
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let cut = lines[..lines.len() - 1].concat();
    let swapped = [&[lines[1], lines[0]], &lines[2..]].concat().concat();
    for (text, code, told) in [
        (
            whole.replacen("\"status\":200", "\"status\":403", 1),
            10,
            "line 1, seq 1, is not as it was written",
        ),
        (swapped, 10, "line 1 is seq 2 where 1 is due"),
        (cut, 12, "are gone"),
    ] {
        fs::write(&first, text)?;
        let (ended, said) = verify(root)?;
        assert!(ended == code && said.contains(told), "{ended}: {said}");
    }
    fs::write(&first, &whole)?;
    fs::write(&manifest, signed.replacen("\"count\":", "\"count\":1", 1))?;
    let (ended, said) = verify(root)?;
    assert!(said.contains("bad_signature"), "{ended}: {said}");
    fs::write(&manifest, &signed)?;
    let stranger = control_plane::ca::Authority::open_or_create(&copy.path().join("ca"))?;
    let trusted = fs::read(ca)?;
    fs::write(ca, stranger.certificate_pem())?;
    let (ended, said) = verify(root)?;
    fs::write(ca, trusted)?;
    assert_eq!(ended, 14, "{said}");
    Ok(())
}
