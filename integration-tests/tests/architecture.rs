//! The map of the house, held by a test: who may depend on whom, what must not be linked, and how files look.
//!
//! Reads the manifests through `cargo metadata` and `cargo tree` (offline) and the sources as text. Every rule is a pure
//! function that returns its faults, and every rule is also shown a house that breaks it. Nothing is built or started here.

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/graph.rs"]
mod graph;
#[path = "architecture/house.rs"]
mod house;
#[path = "architecture/sources.rs"]
mod sources;
#[path = "architecture/words.rs"]
mod words;

use sources::Source;

fn hold(faults: Vec<String>) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn each(rule: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    match house::sources() {
        Ok(sources) => sources.iter().flat_map(rule).collect(),
        Err(error) => vec![format!("{error:#}")],
    }
}

#[test]
fn crates_depend_only_on_the_floors_below_them() {
    hold(graph::upward(&house::edges().unwrap()));
}

#[test]
fn a_node_does_not_link_casbin() {
    hold(graph::linked(&house::tree(&["-p", "data-plane", "-e", "normal"]).unwrap(), &["casbin", "rhai"]));
}

#[test]
fn the_cel_crate_is_an_oracle_of_tests_alone() {
    hold(graph::linked(&house::tree(&["--workspace", "-e", "normal"]).unwrap(), &["cel"]));
}

#[test]
fn aws_lc_rs_is_the_only_provider_of_cryptography() {
    let tree = house::tree(&["--workspace", "-e", "normal,build", "--target", "all"]).unwrap();
    assert!(!graph::linked(&tree, &["aws-lc-rs"]).is_empty(), "the tree should name aws-lc-rs");
    hold(graph::linked(&tree, graph::OTHER_PROVIDERS));
}

#[test]
fn the_policy_engine_is_pure() {
    hold(each(sources::impure));
}

#[test]
fn casbin_is_named_in_one_place() {
    hold(each(sources::names_casbin));
}

#[test]
fn files_are_short() {
    hold(each(sources::too_long));
}

#[test]
fn files_say_what_they_are_for() {
    hold(each(sources::undocumented));
}

#[test]
fn names_come_from_the_domain() {
    hold(each(sources::empty_names));
}

#[test]
fn imports_never_form_a_circle() {
    hold(circles::circles(&house::sources().unwrap()));
}

#[test]
fn the_top_of_the_house_holds_only_what_the_map_shows() {
    hold(house::misplaced(&house::top_level().unwrap()));
}
