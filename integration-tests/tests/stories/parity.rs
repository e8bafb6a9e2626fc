//! Every story is told through both doors: held by counting them in the sources.
//!
//! A function that takes a door is a story, and a story that is not in its file's `stories!` would be told by nobody.

use std::collections::BTreeSet;

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

#[test]
fn every_story_is_told_through_both_doors() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories");
    let mut count = 0;
    for entry in std::fs::read_dir(here).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let (defined, listed) = stories(&text);
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
