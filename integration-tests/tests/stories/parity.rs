//! Every story is told through both doors: held by counting them in the sources.
//!
//! A function that takes a door is a story, and a story that is not in its file's `stories!` would be told by nobody.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use integration_tests::{
    door::{Ask, Door},
    sandbox::Geo,
    scene::{Scene, through_both_doors},
};

/// A file's stories, and those its `stories!` tells.
fn stories(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let defined = text.split("\nasync fn ").skip(1).filter_map(|rest| {
        let (name, parameters) = rest.split_once('(')?;
        // However the signature is broken into lines.
        let signature: String = parameters.split('{').next()?.split_whitespace().collect();
        (signature.trim_end_matches(',').replace(",)", ")") == "door:Door)->Result<Scene>")
            .then(|| name.to_owned())
    });
    let listed = text
        .split_once("\nstories! {")
        .and_then(|(_, rest)| rest.split_once('}'))
        .map_or("", |(list, _)| list);
    let listed = listed.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    (defined.collect(), listed.collect())
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_story_is_told_through_both_doors() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories");
    let mut count = 0;
    for path in files(here.as_ref()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let (defined, listed) = stories(&text);
        if path.ends_with("parity.rs") {
            // Its stories are meant to fail.
            continue;
        }
        assert_eq!(defined, listed, "{}", path.display());
        count += defined.len();
    }
    assert_eq!(integration_tests::door::Door::BOTH.len(), 2);
    println!("{count} stories, each through 2 doors");
    assert!(count >= 40, "{count}");
}

#[test]
fn a_story_that_nobody_tells_is_seen() {
    let text = "\nasync fn told(door: Door) -> Result<Scene> {\n}\nasync fn forgotten(\n    door: Door,\n) -> Result<Scene> {\n}\nasync fn other(x: u8) {}\n\nstories! {\n    told,\n}\n";
    let (defined, listed) = stories(text);
    assert_eq!(defined.difference(&listed).collect::<Vec<_>>(), ["forgotten"]);
}

/// Tells another story through each door.
async fn two_faced(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let model = if door == Door::Rest { "sim-mistral-large" } else { "sim-gpt-4o" };
    scene.answered(&Ask::chat(model, "hello")).await?;
    Ok(scene)
}

/// Says that it asks twice, and asks once.
async fn forgetful(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    scene.answered(&Ask::chat("sim-mistral-large", "hello")).await?;
    scene.caller()?.ask(&Ask::chat("sim-mistral-large", "hello")).await?.unwrap();
    scene.house.count(Geo::Us);
    scene.ask_at(Geo::Us, &scene.key, &Ask::chat("sim-mistral-large", "hello")).await?.unwrap();
    Ok(scene)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_between_the_doors_is_seen() {
    let fault = format!("{:#}", Box::pin(through_both_doors(two_faced)).await.unwrap_err());
    assert!(fault.contains("the doors differ"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_too_many_or_too_few_is_seen() {
    let fault = format!("{:#}", Box::pin(through_both_doors(forgetful)).await.unwrap_err());
    assert!(fault.contains("records"), "{fault}");
}
