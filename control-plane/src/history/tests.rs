//! Differences applied give what they are of, and blame names who set what is there.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// A step of a path.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(String),
    Place(usize),
    Named(String, String),
}

fn steps(path: &str) -> Vec<Step> {
    let (mut found, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            if inner.starts_with('"') {
                let mut read = serde_json::Deserializer::from_str(inner).into_iter::<String>();
                found.push(Step::Key(read.next().unwrap().unwrap()));
                rest = inner[read.byte_offset()..].strip_prefix(']').unwrap();
                continue;
            }
            let (word, after) = inner.split_once(']').unwrap();
            found.push(match word.split_once('=') {
                Some((field, name)) => Step::Named(field.to_owned(), name.to_owned()),
                None => Step::Place(word.parse().unwrap()),
            });
            rest = after;
        } else {
            let plain = rest.strip_prefix('.').unwrap_or(rest);
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            found.push(Step::Key(plain[..end].to_owned()));
            rest = &plain[end..];
        }
    }
    found
}

fn place(list: &[Value], step: &Step) -> usize {
    match step {
        Step::Place(place) => *place,
        Step::Named(field, name) => list.iter().position(|member| member[field] == name.as_str()).unwrap(),
        Step::Key(key) => panic!("{key} in a list"),
    }
}

fn inner<'v>(value: &'v mut Value, step: &Step) -> &'v mut Value {
    match (value, step) {
        (Value::Array(list), step) => {
            let place = place(list, step);
            &mut list[place]
        }
        (value, Step::Key(key)) => value.as_object_mut().unwrap().entry(key).or_insert_with(|| json!({})),
        (value, step) => panic!("{step:?} in {value}"),
    }
}

fn changed(value: &mut Value, path: &[Step], change: &Differing) {
    let Some((last, before)) = path.split_last() else {
        *value = change.after.clone().unwrap();
        return;
    };
    let at = before.iter().fold(&mut *value, inner);
    match (at, last, &change.after) {
        (Value::Array(list), step, Some(after)) if change.before.is_none() => {
            let Step::Place(place) = step else { panic!("{step:?}") };
            list.insert(*place, after.clone());
        }
        (Value::Array(list), step, after) => {
            let place = place(list, step);
            match after {
                Some(after) => list[place] = after.clone(),
                None => drop(list.remove(place)),
            }
        }
        (Value::Object(members), Step::Key(key), Some(after)) => {
            drop(members.insert(key.clone(), after.clone()))
        }
        (Value::Object(members), Step::Key(key), None) => {
            members.remove(key);
            // A message that lost its last field is not there any more.
            if members.is_empty() && matches!(before.last(), Some(Step::Key(_))) {
                let gone = Differing { after: None, before: Some(json!(0)), path: String::new() };
                changed(value, before, &gone);
            }
        }
        (at, step, _) => panic!("{step:?} in {at}"),
    }
}

/// A value with differences applied to it: what is deepest first; of a list what stays, what goes from its end, what comes from its start.
pub(crate) fn applied(mut value: Value, changes: &[Differing]) -> Value {
    let mut ordered: Vec<(Vec<Step>, &Differing)> = changes.iter().map(|c| (steps(&c.path), c)).collect();
    ordered.sort_by_key(|(path, change)| {
        let place = match path.last() {
            Some(Step::Place(place)) => i64::try_from(*place).unwrap(),
            _ => 0,
        };
        let turn = match (&change.before, &change.after) {
            (Some(_), Some(_)) => (0, 0),
            (Some(_), None) => (1, -place),
            (None, _) => (2, place),
        };
        (std::cmp::Reverse(path.len()), turn)
    });
    for (path, change) in ordered {
        changed(&mut value, &path, change);
    }
    value
}

fn paths(before: &Value, after: &Value) -> Vec<(String, String, String)> {
    let json = |value: Option<Value>| value.map(|value| value.to_string()).unwrap_or_default();
    differing(Some(before), Some(after))
        .into_iter()
        .map(|d| (d.path, json(d.before), json(d.after)))
        .collect()
}

fn told(before: Value, after: Value) -> Vec<String> {
    paths(&before, &after).into_iter().map(|(path, was, is)| format!("{path}: {was} -> {is}")).collect()
}

#[test]
fn a_difference_is_told_where_it_is_and_no_wider() {
    let route = |targets: Value| json!({"spec": {"route": {"groups": [targets]}}});
    let a = json!({"endpoint": "a", "weight": 1});
    let b = json!({"endpoint": "b", "weight": 1});
    for (before, after, wanted) in [
        (json!({"spec": {"when": "x"}}), json!({"spec": {"when": "y"}}), vec!["spec.when: \"x\" -> \"y\""]),
        (
            json!({"spec": {"geos": ["eu", "us", "cn"]}}),
            json!({"spec": {"geos": ["eu", "cn"]}}),
            vec!["spec.geos[1]: \"us\" -> "],
        ),
        (
            json!({"spec": {"geos": ["eu"]}}),
            json!({"spec": {"geos": ["eu", "us"]}}),
            vec!["spec.geos[1]:  -> \"us\""],
        ),
        (json!({"spec": {"geos": ["eu"]}}), json!({"spec": {}}), vec!["spec: {\"geos\":[\"eu\"]} -> {}"]),
        (
            route(json!([a, b])),
            route(json!([{"endpoint": "a", "weight": 3}, b])),
            vec!["spec.route.groups[0][endpoint=a].weight: 1 -> 3"],
        ),
        (
            route(json!([a, b])),
            route(json!([b])),
            vec!["spec.route.groups[0][0]: {\"endpoint\":\"a\",\"weight\":1} -> "],
        ),
        (
            json!({"spec": {"obligations": [{"mask": ["EMAIL"]}, {"noCache": true}]}}),
            json!({"spec": {"obligations": [{"mask": ["EMAIL", "PHONE"]}, {"noCache": true}]}}),
            vec!["spec.obligations[0].mask[1]:  -> \"PHONE\""],
        ),
        (
            json!({"labels": {"a.b": "1"}}),
            json!({"labels": {"a.b": "2"}}),
            vec!["labels[\"a.b\"]: \"1\" -> \"2\""],
        ),
        (
            json!({"spec": {"x": {"y": 1}}}),
            json!({"spec": {"z": 1}}),
            vec!["spec.x.y: 1 -> ", "spec.z:  -> 1"],
        ),
    ] {
        assert_eq!(told(before, after), wanted);
    }
}

#[test]
fn a_member_that_moved_went_and_came() {
    let list =
        |names: &[&str]| json!({"l": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()});
    let told = told(list(&["a", "b", "c"]), list(&["c", "a", "b"]));
    assert_eq!(told, ["l[0]:  -> {\"name\":\"c\"}", "l[2]: {\"name\":\"c\"} -> "]);
}

#[test]
fn blame_is_of_whoever_made_it_what_it_is() {
    let versions = [
        (3, json!({"spec": {"when": "x", "geos": ["eu", "us"], "mode": "shadow"}})),
        (5, json!({"spec": {"when": "y", "geos": ["eu", "us"], "mode": "shadow"}})),
        (8, json!({"spec": {"when": "y", "geos": ["cn", "eu", "us"], "mode": "enforce"}})),
        (9, json!({"spec": {"when": "x", "geos": ["cn", "eu", "us"], "mode": "enforce", "n": {"a": 1}}})),
    ];
    let told: Vec<(String, i64)> = blamed(&versions).into_iter().map(|b| (b.path, b.revision)).collect();
    let told: Vec<(&str, i64)> = told.iter().map(|(path, revision)| (path.as_str(), *revision)).collect();
    assert_eq!(
        told,
        [
            ("spec.geos[0]", 8),
            ("spec.geos[1]", 3),
            ("spec.geos[2]", 3),
            ("spec.mode", 8),
            ("spec.n.a", 9),
            ("spec.when", 9),
        ]
    );
    let first = blamed(versions.get(..1).unwrap());
    assert!(first.iter().any(|b| b.path == "spec.geos" && b.revision == 3), "{first:?}");
    assert!(blamed(&[]).is_empty());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        prop::sample::select(vec!["a", "b", "c", "]=\"", ""]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let keys = ["a", "b", "name", "endpoint", "x.y", "\"]["].map(str::to_owned);
        let key = prop::sample::select(keys.to_vec());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn message() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(["labels", "spec", "x"].map(str::to_owned).to_vec());
    prop::collection::btree_map(key, value(), 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>()))
}

proptest! {
    #[test]
    fn what_differs_applied_to_the_first_gives_the_second(a in message(), b in message()) {
        prop_assert_eq!(applied(a.clone(), &differing(Some(&a), Some(&b))), b);
    }

    #[test]
    fn a_list_that_is_edited_is_told_by_its_edits(
        list in prop::collection::vec(value(), 0..8),
        edits in prop::collection::vec((0..8_usize, prop::option::of(value())), 0..4),
    ) {
        let mut edited = list.clone();
        for (place, edit) in edits {
            let place = place % (edited.len() + 1);
            match edit {
                Some(new) => edited.insert(place, new),
                None if place < edited.len() => drop(edited.remove(place)),
                None => {}
            }
        }
        let (a, b) = (json!({"l": list}), json!({"l": edited}));
        prop_assert_eq!(applied(a.clone(), &differing(Some(&a), Some(&b))), b);
    }

    #[test]
    fn blame_covers_all_that_is_there_and_names_a_version_that_has_it(versions in prop::collection::vec(message(), 1..5)) {
        let versions: Vec<(i64, Value)> = (1..).zip(versions).collect();
        let last = &versions.last().unwrap().1;
        for blamed in blamed(&versions) {
            let there = steps(&blamed.path).iter().fold(&mut last.clone(), |at, step| inner(at, step)).clone();
            prop_assert_eq!(&there, &blamed.value, "{}", blamed.path);
            prop_assert!(versions.iter().any(|(revision, _)| *revision == blamed.revision));
        }
    }
}

#[test]
fn two_long_lists_are_compared_within_bounds() {
    let list = |from: i64| json!({"l": (from..from + 5_000).map(Value::from).collect::<Vec<_>>()});
    let (a, b) = (list(0), list(1));
    assert_eq!(applied(a.clone(), &differing(Some(&a), Some(&b))), b);
}
