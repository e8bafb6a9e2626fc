//! A schema of the dialect, which is a part of OpenAPI 3.0's, as JSON Schema.
//!
//! Law: nothing but spelling changes: types in lower case, names in camel case, counts as numbers, and `nullable` as a type beside the
//! other, because JSON Schema has no such word. What stands in `enum`, `default` and `example` is data and is let be.

use super::super::chat::Raw;
use super::super::json::Json;
use super::members::{camel, raw};
use crate::tape::{Kind, Value};

/// Members that are schemas.
const SCHEMAS: [&str; 3] = ["items", "additionalProperties", "not"];

/// Members that are arrays of schemas.
const LISTS: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];

/// Members whose own members are schemas.
const MAPS: [&str; 4] = ["properties", "defs", "$defs", "definitions"];

/// Members that are whole numbers, which the dialect may write as strings.
const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// A schema as JSON Schema.
pub(super) fn read(schema: Value<'_>) -> Raw {
    let mut json = Json::default();
    write(schema, &mut json);
    String::from_utf8_lossy(&json.done()).into()
}

fn write(schema: Value<'_>, json: &mut Json) {
    if schema.kind() != Kind::Object {
        return json.raw(schema.raw());
    }
    let nullable = schema.get("nullable").is_some_and(|nullable| nullable.kind() == Kind::True);
    json.object(|json| {
        for (key, value) in schema.members() {
            let name = key.text();
            let name = camel(&name);
            json.key(&name);
            member((&name, value), nullable, json);
        }
    });
}

fn member((name, value): (&str, Value<'_>), nullable: bool, json: &mut Json) {
    match (name, value.kind()) {
        ("type", Kind::String) if nullable && !value.is("NULL") => json.array(|json| {
            json.string(&value.text().to_ascii_lowercase());
            json.string("null");
        }),
        ("type", Kind::String) => json.string(&value.text().to_ascii_lowercase()),
        ("type", Kind::Array) => json.array(|json| {
            value.elements().for_each(|one| json.string(&one.text().to_ascii_lowercase()));
        }),
        (name, Kind::Object) if MAPS.contains(&name) => json.object(|json| {
            for (key, schema) in value.members() {
                json.key(&key.text());
                write(schema, json);
            }
        }),
        (name, Kind::Object) if SCHEMAS.contains(&name) => write(value, json),
        (name, Kind::Array) if LISTS.contains(&name) => {
            json.array(|json| value.elements().for_each(|schema| write(schema, json)));
        }
        (name, Kind::String) if COUNTS.contains(&name) && value.text().parse::<u64>().is_ok() => {
            json.raw(value.text().as_bytes());
        }
        _ => json.raw(raw(value).as_bytes()),
    }
}
