//! JSON as a tree that forgets nothing: pairs stay in their order, and a key given twice is there twice.
//!
//! Law: bounded before it is built: depth by the parser, values by `MAX_VALUES`, bytes by who reads the body.

use std::cell::Cell;
use std::fmt;

use proto::status::Refusal;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// Values a body may have at most: each costs memory of its own.
const MAX_VALUES: usize = 1_000_000;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// What it is, for people.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

/// Reads one JSON value and nothing after it; an empty body is an empty object.
pub(super) fn read(body: &[u8]) -> Result<Json, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Json::Map(Vec::new()));
    }
    let left = Cell::new(MAX_VALUES);
    let mut from = serde_json::Deserializer::from_slice(body);
    let read = Tree(&left).deserialize(&mut from).and_then(|json| from.end().map(|()| json));
    read.map_err(|error| {
        let at = format!("at line {} column {}", error.line(), error.column());
        let message = match left.get() {
            0 => format!("the body has more than {MAX_VALUES} values"),
            _ if error.to_string().starts_with("recursion limit") => {
                format!("the body is nested too deep {at}")
            }
            _ => format!("the body is not JSON {at}"),
        };
        Refusal::field("", message)
    })
}

struct Tree<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json, D::Error> {
        let left = self.0.get().checked_sub(1).filter(|left| *left > 0);
        self.0.set(left.unwrap_or_default());
        left.ok_or_else(|| D::Error::custom("too many values"))?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Tree(self.0))? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            map.push((key, entries.next_value_seed(Tree(self.0))?));
        }
        Ok(Json::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &[u8]) -> String {
        read(body).unwrap_err().message
    }

    #[test]
    fn nothing_is_forgotten() {
        let map = |pairs: &[(&str, Json)]| {
            Json::Map(pairs.iter().map(|(key, json)| ((*key).to_owned(), json.clone())).collect())
        };
        let read_back = read(br#" {"b": [1, -2, 0.5, "x", null], "a": true, "a": {}} "#).unwrap();
        let list = vec![
            Json::Number(1.into()),
            Json::Number((-2).into()),
            Json::Number(Number::from_f64(0.5).unwrap()),
            Json::Text("x".into()),
            Json::Null,
        ];
        assert_eq!(read_back, map(&[("b", Json::List(list)), ("a", Json::Bool(true)), ("a", map(&[]))]));
        assert_eq!(read(b" \n"), Ok(map(&[])));
    }

    #[test]
    fn case_48_what_is_not_json_is_refused_cleanly() {
        for bad in [
            &b"{"[..],
            b"{} {}",
            b"NaN",
            b"[1,]",
            b"{\"a\":1,}",
            b"\xff",
            b"\"\xc3\x28\"",
            b"\"\\ud800\"",
            b"\"a\nb\"",
            b"1e999",
            b"'a'",
            b"\x00",
        ] {
            assert!(refused(bad).starts_with("the body is not JSON at line"), "{bad:?}: {}", refused(bad));
        }
        for open in ["[", "{\"a\":"] {
            let message = refused(open.repeat(100_000).as_bytes());
            assert!(message.starts_with("the body is nested too deep"), "{message}");
        }
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert_eq!(refused(many.as_bytes()), "the body has more than 1000000 values");
    }
}
