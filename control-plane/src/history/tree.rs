//! A stored resource as the tree of what a file says of it.
//!
//! Law: what only the output has, and the name, are no part of it. A message that is nothing but a list is that list, as in files.

use policy_engine::vocabulary::Kind;
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage as _, SerializeOptions, Value};
use serde_json::{Map, Value as Json};

use crate::descriptors;
use crate::manifest::sole_list;

/// What is told by other means: the name, and what only the output has.
const ELSEWHERE: [&str; 5] = ["name", "etag", "create_time", "update_time", "revision"];

/// The tree of stored bytes; `None` where they are no such message.
pub fn tree(kind: Kind, bytes: &[u8]) -> Option<Json> {
    let message = descriptors::dynamic(kind, bytes)?;
    let told = message.fields().filter(|(field, _)| !ELSEWHERE.contains(&field.name()));
    Some(Json::Object(told.map(|(field, value)| (field.json_name().to_owned(), of_value(value))).collect()))
}

fn of_message(message: &DynamicMessage) -> Json {
    let descriptor = message.descriptor();
    if descriptor.package_name() == "google.protobuf" {
        let options = SerializeOptions::new().stringify_64_bit_integers(false);
        return message.serialize_with_options(serde_json::value::Serializer, &options).unwrap_or(Json::Null);
    }
    match sole_list(&descriptor) {
        Some(list) => of_value(&message.get_field(&list)),
        None => {
            let fields = message.fields();
            Json::Object(
                fields.map(|(field, value)| (field.json_name().to_owned(), of_value(value))).collect(),
            )
        }
    }
}

fn of_value(value: &Value) -> Json {
    match value {
        Value::Message(message) => of_message(message),
        Value::List(items) => Json::Array(items.iter().map(of_value).collect()),
        Value::Map(map) => {
            Json::Object(map.iter().map(|(k, v)| (key(k), of_value(v))).collect::<Map<_, _>>())
        }
        Value::Bool(value) => Json::Bool(*value),
        Value::I32(value) => Json::from(*value),
        Value::I64(value) => Json::from(*value),
        Value::U32(value) => Json::from(*value),
        Value::U64(value) => Json::from(*value),
        Value::String(value) => Json::String(value.clone()),
        // No resource has such a field: a test of `render` holds the definitions to that.
        Value::F32(_) | Value::F64(_) | Value::Bytes(_) | Value::EnumNumber(_) => Json::Null,
    }
}

fn key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
