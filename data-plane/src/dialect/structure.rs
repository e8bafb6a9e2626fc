//! `google.protobuf.Struct` to and from JSON.
//!
//! Law: numbers that JSON has not are refused.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::dialect::json::{Json, NotFinite};

/// Writes a struct as an object.
pub(crate) fn write(json: &mut Json, structure: &Struct) -> Result<(), NotFinite> {
    let mut written = Ok(());
    json.object(|json| {
        for (name, value) in &structure.fields {
            json.key(name);
            written = written.and(write_value(json, value));
        }
    });
    written
}

/// Writes a value of a struct.
pub(crate) fn write_value(json: &mut Json, value: &Value) -> Result<(), NotFinite> {
    let mut written = Ok(());
    match &value.kind {
        None | Some(Kind::NullValue(_)) => json.null(),
        Some(Kind::BoolValue(value)) => json.boolean(*value),
        Some(Kind::NumberValue(value)) => return json.number(*value),
        Some(Kind::StringValue(text)) => json.string(text),
        Some(Kind::StructValue(structure)) => return write(json, structure),
        Some(Kind::ListValue(list)) => json.array(|json| {
            list.values.iter().for_each(|value| written = written.and(write_value(json, value)));
        }),
    }
    written
}

/// A JSON text as a value of a struct; `None` where it is none.
pub(crate) fn read(text: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Read>(text).ok().map(|read| read.0)
}

struct Read(Value);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadVisitor)
    }
}

struct ReadVisitor;

impl<'de> Visitor<'de> for ReadVisitor {
    type Value = Read;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Read, E> {
        Ok(of(Kind::BoolValue(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Read, E> {
        Ok(of(Kind::NumberValue(value as f64)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Read, E> {
        Ok(of(Kind::NumberValue(value as f64)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Read, E> {
        Ok(of(Kind::NumberValue(value)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Read, E> {
        Ok(of(Kind::StringValue(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Read, E> {
        Ok(of(Kind::NullValue(0)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Read, A::Error> {
        let mut values = Vec::new();
        while let Some(Read(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(of(Kind::ListValue(ListValue { values })))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let mut structure = Struct::default();
        while let Some((name, Read(value))) = map.next_entry()? {
            structure.fields.insert(name, value);
        }
        Ok(of(Kind::StructValue(structure)))
    }
}

fn of(kind: Kind) -> Read {
    Read(Value { kind: Some(kind) })
}
