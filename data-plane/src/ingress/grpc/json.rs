//! Writing the OpenAI dialect's JSON, and `google.protobuf.Struct` to and from JSON.
//!
//! Law: what is written has passed no parser, so it is written so that ours accepts it; numbers that JSON has not are refused.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::pipeline::tape::text::escape;

/// JSON being written; commas are put where they belong.
#[derive(Default)]
pub(super) struct Json(Vec<u8>);

/// A number that JSON does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotFinite;

impl Json {
    /// What was written.
    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }

    fn separate(&mut self) {
        if !matches!(self.0.last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(b',');
        }
    }

    /// An object, its members written by `write`.
    pub(super) fn object(&mut self, write: impl FnOnce(&mut Self)) {
        self.separate();
        self.0.push(b'{');
        write(self);
        self.0.push(b'}');
    }

    /// An array, its elements written by `write`.
    pub(super) fn array(&mut self, write: impl FnOnce(&mut Self)) {
        self.separate();
        self.0.push(b'[');
        write(self);
        self.0.push(b']');
    }

    /// The name of a member, whose value is to follow.
    pub(super) fn key(&mut self, name: &str) -> &mut Self {
        self.string(name);
        self.0.push(b':');
        self
    }

    /// A string.
    pub(super) fn string(&mut self, text: &str) {
        self.separate();
        self.0.push(b'"');
        escape(text, &mut self.0);
        self.0.push(b'"');
    }

    /// A boolean.
    pub(super) fn boolean(&mut self, value: bool) {
        self.word(if value { "true" } else { "false" });
    }

    /// A whole number.
    pub(super) fn whole(&mut self, value: impl Into<i64>) {
        self.word(&value.into().to_string());
    }

    /// `null`.
    pub(super) fn null(&mut self) {
        self.word("null");
    }

    /// A number; whole ones are written whole.
    pub(super) fn number(&mut self, value: f64) -> Result<(), NotFinite> {
        if !value.is_finite() {
            return Err(NotFinite);
        }
        if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
            self.word(&(value as i64).to_string());
        } else {
            self.word(&serde_json::to_string(&value).map_err(|_| NotFinite)?);
        }
        Ok(())
    }

    /// A struct as an object.
    pub(super) fn structure(&mut self, structure: &Struct) -> Result<(), NotFinite> {
        let mut written = Ok(());
        self.object(|json| {
            for (name, value) in &structure.fields {
                json.key(name);
                written = written.and(json.value(value));
            }
        });
        written
    }

    /// A value of a struct.
    pub(super) fn value(&mut self, value: &Value) -> Result<(), NotFinite> {
        let mut written = Ok(());
        match &value.kind {
            None | Some(Kind::NullValue(_)) => self.null(),
            Some(Kind::BoolValue(value)) => self.boolean(*value),
            Some(Kind::NumberValue(value)) => return self.number(*value),
            Some(Kind::StringValue(text)) => self.string(text),
            Some(Kind::StructValue(structure)) => return self.structure(structure),
            Some(Kind::ListValue(list)) => self.array(|json| {
                list.values.iter().for_each(|value| written = written.and(json.value(value)));
            }),
        }
        written
    }

    fn word(&mut self, word: &str) {
        self.separate();
        self.0.extend_from_slice(word.as_bytes());
    }
}

/// A JSON text as a value of a struct; `None` where it is none.
pub(super) fn read(text: &[u8]) -> Option<Value> {
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
