//! What REST answers, as YAML: a resource in the declarative form that `apply` takes, or an answer with the fields it has.
//!
//! Law: the order of fields is the server's; of a resource, what only the output has (etag, times, revision) is left out.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// JSON whose pairs stay in their order.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    /// A scalar, already as YAML spells it.
    Scalar(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// Writes one resource, given as JSON text, as a document of `kind`.
pub(crate) fn document(kind: &str, json: &str) -> Result<String, serde_json::Error> {
    let Tree::Map(fields) = serde_json::from_str(json)? else {
        return Err(serde_json::Error::custom("a resource is an object"));
    };
    let mut metadata = Vec::new();
    let mut spec = Tree::Map(Vec::new());
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("name", Tree::Scalar(name)) => metadata.extend(named(name.trim_matches('"'))),
            ("labels", labels) => metadata.push((key, labels)),
            ("spec", given) => spec = given,
            _ => {}
        }
    }
    let top = [
        ("apiVersion", Tree::Scalar("chancery/v1".to_owned())),
        ("kind", Tree::Scalar(kind.to_owned())),
        ("metadata", Tree::Map(metadata)),
        ("spec", spec),
    ];
    let mut out = String::new();
    block(&mut out, 0, &top.map(|(key, value)| (key.to_owned(), value)));
    Ok(out)
}

/// Writes an answer, given as JSON text, as YAML with the same fields; what can't be read as JSON stays as it is.
pub(crate) fn answer(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(Tree::Map(fields)) if !fields.is_empty() => {
            let mut out = String::new();
            block(&mut out, 0, &fields);
            out
        }
        _ => format!("{}\n", json.trim_end()),
    }
}

/// `tenants/acme/teams/research` as name and tenant.
fn named(name: &str) -> Vec<(String, Tree)> {
    let pair = |key: &str, text: &str| (key.to_owned(), Tree::Scalar(quoted(text)));
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["tenants", tenant, _, last] => vec![pair("name", last), pair("tenant", tenant)],
        [.., last] => vec![pair("name", last)],
        [] => Vec::new(),
    }
}

fn block(out: &mut String, indent: usize, fields: &[(String, Tree)]) {
    for (key, value) in fields {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str(&quoted(key));
        match value {
            Tree::Map(inner) if !inner.is_empty() => {
                out.push_str(":\n");
                block(out, indent.saturating_add(2), inner);
            }
            Tree::List(items) if items.iter().any(|item| matches!(item, Tree::Map(_) | Tree::List(_))) => {
                out.push_str(":\n");
                for item in items {
                    out.extend(std::iter::repeat_n(' ', indent.saturating_add(2)));
                    out.push_str(&format!("- {}\n", flow(item)));
                }
            }
            other => out.push_str(&format!(": {}\n", flow(other))),
        }
    }
}

fn flow(tree: &Tree) -> String {
    match tree {
        Tree::Scalar(text) => text.clone(),
        Tree::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Tree::Map(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{}: {}", quoted(key), flow(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text, plain where every reader of YAML takes it for a text, else as JSON writes it, which is YAML too.
fn quoted(text: &str) -> String {
    const TAKEN: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let fits = |c: char| c.is_ascii_alphanumeric() || "_./@+~-".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(fits);
    if plain && !TAKEN.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar("null".to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(quoted(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_becomes_a_document() {
        let json = r#"{"name": "tenants/acme/limits/rpm", "labels": {"on": "4711"}, "etag": "e", "revision": 7,
            "spec": {"scope": {"team": "research", "model": "*"}, "bound": {"requests": 100, "per": "1m"},
                     "geos": ["eu", "no"], "list": [{"a": true}, {"b": "x: y"}]}}"#;
        assert_eq!(
            document("Limit", json).unwrap(),
            "apiVersion: chancery/v1\nkind: Limit\nmetadata:\n  name: rpm\n  tenant: acme\n  labels:\n    \
             \"on\": \"4711\"\nspec:\n  scope:\n    team: research\n    model: \"*\"\n  bound:\n    requests: 100\n    \
             per: \"1m\"\n  geos: [eu, \"no\"]\n  list:\n    - {a: true}\n    - {b: \"x: y\"}\n"
        );
        assert_eq!(
            document("Role", r#"{"name": "roles/a"}"#).unwrap(),
            "apiVersion: chancery/v1\nkind: Role\nmetadata:\n  name: a\nspec: {}\n"
        );
        assert!(document("Role", "[]").is_err());
    }

    #[test]
    fn an_answer_has_the_same_fields_as_yaml() {
        let json = r#"{"revision": 7, "changes": [{"name": "roles/a", "change": "created"}], "rollout": "",
            "time": "2026-01-31T12:00:00Z", "spec": {"on": true}}"#;
        assert_eq!(
            answer(json),
            "revision: 7\nchanges:\n  - {name: roles/a, change: created}\nrollout: \"\"\n\
             time: \"2026-01-31T12:00:00Z\"\nspec:\n  \"on\": true\n"
        );
        assert_eq!((answer("{}"), answer("not json\n")), ("{}\n".to_owned(), "not json\n".to_owned()));
    }
}
