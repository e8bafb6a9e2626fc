//! Laws of the tree: the order of arrival does not matter, everything else does, and changes make one of the other.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn resource(kind: &str, name: &str, body: &str) -> Resource {
    let mut resource =
        Resource { kind: kind.into(), name: name.into(), body: body.to_owned().into(), digest: vec![] };
    seal(&mut resource);
    resource
}

fn scope(geo: &str) -> Scope {
    Scope { geo: geo.into(), node_class: "default".into() }
}

fn holding(all: &[Resource]) -> Holding {
    Holding::whole(scope("eu"), all.to_vec()).unwrap()
}

#[test]
fn order_does_not_matter_and_everything_else_does() {
    let (a, b) = (resource("Model", "models/a", "1"), resource("Team", "tenants/t/teams/b", "2"));
    let root = holding(&[a.clone(), b.clone()]).root();
    assert_eq!(holding(&[b.clone(), a.clone()]).root(), root);
    for other in [
        Holding::whole(scope("us"), [a.clone(), b.clone()]).unwrap(),
        holding(std::slice::from_ref(&a)),
        holding(&[resource("Model", "models/a", "3"), b.clone()]),
        holding(&[resource("ModelM", "odels/a", "1"), b.clone()]),
    ] {
        assert_ne!(other.root(), root);
    }
}

#[test]
fn nothing_is_there_twice() {
    let twice = [resource("Model", "models/a", "1"), resource("Model", "models/a", "2")];
    let error = Holding::whole(scope("eu"), twice).unwrap_err();
    assert_eq!(error.to_string(), "`Model models/a` is there twice");
}

#[test]
fn a_digest_that_is_not_the_bodys_is_seen() {
    let mut changed = resource("Model", "models/a", "1");
    assert!(is_sealed(&changed));
    changed.body = "2".into();
    assert!(!is_sealed(&changed));
}

/// A few kinds and names, so that edits meet.
fn edits() -> impl Strategy<Value = Vec<(u8, u8, Option<u8>)>> {
    proptest::collection::vec((0..3_u8, 0..40_u8, proptest::option::of(0..4_u8)), 0..60)
}

fn edit(
    holding: &mut Holding,
    model: &mut BTreeMap<(String, String), Resource>,
    edits: &[(u8, u8, Option<u8>)],
) {
    for (kind, name, body) in edits {
        let (kind, name) = (format!("Kind{kind}"), format!("things/{name}"));
        match body {
            Some(body) => {
                let made = resource(&kind, &name, &body.to_string());
                assert_eq!(holding.put(made.clone()).is_some(), model.insert((kind, name), made).is_some());
            }
            None => {
                let gone = holding.take(&kind, &name);
                assert_eq!(gone.map(|r| r.as_ref().clone()), model.remove(&(kind, name)));
            }
        }
    }
}

proptest! {
    #[test]
    fn edited_it_is_what_it_would_be_made_whole(first in edits(), second in edits()) {
        let (mut holding, mut model) = (Holding::of(scope("eu")), BTreeMap::new());
        edit(&mut holding, &mut model, &first);
        let before = holding.clone();
        let root_before = before.root();
        edit(&mut holding, &mut model, &second);
        let whole = Holding::whole(scope("eu"), model.values().cloned()).unwrap();
        prop_assert_eq!(holding.root(), whole.root());
        prop_assert_eq!(holding.len(), model.len());
        prop_assert_eq!(before.root(), root_before, "a copy is its own");
        prop_assert_eq!(holding.contents().resources, model.values().cloned().collect::<Vec<_>>());

        // The changes make the one of the other, and there are none that do nothing.
        let changes = holding.changes_of(&before);
        let mut made = before.clone();
        for resource in &changes.resources {
            let then = made.put(resource.clone());
            prop_assert!(then.is_none_or(|then| then.digest != resource.digest));
        }
        for gone in &changes.removed {
            prop_assert!(made.take(&gone.kind, &gone.name).is_some());
        }
        prop_assert_eq!(made.root(), holding.root());
    }
}
