//! The smallest value that satisfies a JSON schema, for structured answers and tool arguments.
//!
//! Law: one schema and one text give one value, with every named property in it. Deliberately absent: `$ref`, `anyOf`
//! and constraints on numbers and lengths; what is not understood becomes an empty object.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

#[derive(Debug, Deserialize)]
struct Schema<'a> {
    #[serde(rename = "type", default)]
    kind: Kind,
    #[serde(borrow, default)]
    properties: BTreeMap<Cow<'a, str>, Schema<'a>>,
    #[serde(borrow, default, rename = "enum")]
    options: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "const")]
    constant: Option<&'a RawValue>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Kind {
    #[default]
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

/// A value of `schema`, as JSON; strings in it say `text`.
pub(super) fn instance(schema: Option<&RawValue>, text: &str) -> String {
    let parsed = schema.and_then(|schema| serde_json::from_str::<Schema<'_>>(schema.get()).ok());
    let mut out = String::new();
    match parsed {
        Some(schema) => schema.write(text, &mut out),
        None => out.push_str("{}"),
    }
    out
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| String::from("\"\""))
}

impl Schema<'_> {
    fn write(&self, text: &str, out: &mut String) {
        if let Some(fixed) = self.constant.or_else(|| self.options.first().copied()) {
            return out.push_str(fixed.get());
        }
        match self.kind {
            Kind::String => out.push_str(&quoted(text)),
            Kind::Number => out.push('1'),
            Kind::Boolean => out.push_str("true"),
            Kind::Null => out.push_str("null"),
            Kind::Array => out.push_str("[]"),
            Kind::Object => {
                out.push('{');
                for (at, (name, schema)) in self.properties.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    out.push_str(&quoted(name));
                    out.push(':');
                    schema.write(text, out);
                }
                out.push('}');
            }
        }
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl<'de> Visitor<'de> for Name {
            type Value = Kind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a type name or several")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Kind, E> {
                Ok(match name {
                    "array" => Kind::Array,
                    "string" => Kind::String,
                    "number" | "integer" => Kind::Number,
                    "boolean" => Kind::Boolean,
                    "null" => Kind::Null,
                    _ => Kind::Object,
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Kind, A::Error> {
                let first = names.next_element::<Kind>()?;
                while names.next_element::<IgnoredAny>()?.is_some() {}
                Ok(first.unwrap_or_default())
            }
        }

        deserializer.deserialize_any(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(schema: &str) -> String {
        instance(Some(&RawValue::from_string(schema.to_owned()).unwrap()), "a \"b\"")
    }

    #[test]
    fn every_named_property_gets_a_value_of_its_type() {
        let schema = r#"{"type":"object","required":["city"],"additionalProperties":false,"properties":{
            "city":{"type":"string"},"days":{"type":["integer","null"]},"unit":{"enum":["c","f"]},
            "tags":{"type":"array","items":{"type":"string"}},"deep":{"type":"object","properties":{"ok":{"type":"boolean"}}}}}"#;
        assert_eq!(of(schema), r#"{"city":"a \"b\"","days":1,"deep":{"ok":true},"tags":[],"unit":"c"}"#);
    }

    #[test]
    fn what_is_not_understood_is_an_empty_object() {
        for schema in ["true", "[]", "{}", r##"{"$ref":"#/x"}"##] {
            assert_eq!(of(schema), "{}");
        }
        assert_eq!(instance(None, "x"), "{}");
    }
}
