//! The numbers of what describes a function or a format, JSON Schemas among it.
//!
//! Law: a number that a keyword of JSON Schema (2020-12, validation §6 and core §10) demands there is structure and stays, for a
//! placeholder would break the schema; every other number is data, also in what a schema gives as `default`, `const`, `enum` or
//! `examples`. Absent on purpose: whether the schema is sound.

use super::super::Outline;
use crate::tape::{Kind, Value};

/// Keywords whose value is a number.
const BOUNDS: [&str; 13] = [
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
];

/// Keywords whose value is a schema, or several in an array.
const SCHEMAS: [&str; 16] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Keywords whose value has schemas for members, by names that are not keywords.
const NAMED: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// Takes in the long numbers of a tool, a function or a format: those of its schemas as a schema has them.
pub(in crate::pipeline::outline) fn take_described(outline: &mut Outline, described: Value<'_>) {
    for (key, member) in described.members() {
        let holds = member.kind() == Kind::Object && (key.is("function") || key.is("json_schema"));
        if key.is("parameters") || key.is("schema") {
            take(outline, key, member);
        } else if holds {
            take_described(outline, member);
        } else {
            outline.take_numbers(Some(key), member);
        }
    }
}

/// Takes in those of a schema, or of an array of schemas, that stands under a key. The depth is the tape's, which bounds it.
fn take(outline: &mut Outline, key: Value<'_>, schema: Value<'_>) {
    let are_objects = || schema.elements().filter(|e| e.kind() == Kind::Object).count() == schema.len();
    match schema.kind() {
        Kind::Object => {
            for (keyword, value) in schema.members() {
                take_keyword(outline, keyword, value);
            }
        }
        Kind::Array if are_objects() => schema.elements().for_each(|one| take(outline, key, one)),
        _ => outline.take_numbers(Some(key), schema),
    }
}

fn take_keyword(outline: &mut Outline, keyword: Value<'_>, value: Value<'_>) {
    let is_one_of = |words: &[&str]| words.iter().any(|word| keyword.is(word));
    if value.kind() == Kind::Number && is_one_of(&BOUNDS) {
        return;
    }
    if is_one_of(&SCHEMAS) {
        take(outline, keyword, value);
    } else if value.kind() == Kind::Object && is_one_of(&NAMED) {
        value.members().for_each(|(name, schema)| take(outline, name, schema));
    } else {
        outline.take_numbers(Some(keyword), value);
    }
}
