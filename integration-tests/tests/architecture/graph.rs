//! Who may depend on whom, and what may not be linked at all.
//!
//! The table is the one of the README; a crate that it does not list may depend on none of ours.

use crate::house::CRATES;

/// One line of a manifest: `from` asks for `to`, in whatever section.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// Crates that bring a second provider of cryptography: two in one process panic at the first handshake.
pub(crate) const OTHER_PROVIDERS: &[&str] = &[
    "ring",
    "openssl",
    "openssl-sys",
    "native-tls",
    "boring",
    "boring-sys",
    "rustls-openssl",
    "rustls-rustcrypto",
    "rustls-graviola",
    "mbedtls",
];

fn permitted(from: &str) -> &'static [&'static str] {
    match from {
        "proto" => &["policy-engine"],
        "control-plane" | "data-plane" => &["proto", "policy-engine"],
        "chancery" => &["proto", "policy-engine", "control-plane", "data-plane"],
        "integration-tests" => &["proto", "policy-engine", "control-plane", "data-plane", "chancery"],
        _ => &[],
    }
}

/// Dependencies between our crates that run upwards or sideways.
pub(crate) fn upward(edges: &[Edge]) -> Vec<String> {
    let ours = |name: &str| name == "chancery" || CRATES.contains(&name);
    edges
        .iter()
        .filter(|edge| ours(&edge.to) && !permitted(&edge.from).contains(&edge.to.as_str()))
        .map(|edge| format!("`{}` may not depend on `{}`", edge.from, edge.to))
        .collect()
}

/// Which of `banned` a `cargo tree` (one `name version` a line) shows.
pub(crate) fn linked(tree: &str, banned: &[&str]) -> Vec<String> {
    let mut faults: Vec<String> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| banned.contains(name))
        .map(|name| format!("`{name}` is linked"))
        .collect();
    faults.sort();
    faults.dedup();
    faults
}

#[test]
fn the_planes_may_not_meet() {
    let edge = |from: &str, to: &str| Edge { from: from.to_owned(), to: to.to_owned() };
    let wrong = [
        edge("control-plane", "data-plane"),
        edge("data-plane", "control-plane"),
        edge("policy-engine", "proto"),
        edge("proto", "data-plane"),
        edge("cli", "integration-tests"),
        edge("newcomer", "policy-engine"),
    ];
    assert_eq!(upward(&wrong).len(), wrong.len());
    let right = [edge("proto", "policy-engine"), edge("chancery", "data-plane"), edge("data-plane", "tokio")];
    assert!(upward(&right).is_empty());
}

#[test]
fn a_linked_crate_is_seen_by_its_whole_name() {
    let tree = "rustls v0.23.46\nring v0.17.14 (*)\nring v0.17.14\n\nspringboard v1.0.0\ncelled v0.1.0\n";
    assert_eq!(linked(tree, OTHER_PROVIDERS), ["`ring` is linked"]);
    assert!(linked(tree, &["cel"]).is_empty());
}
