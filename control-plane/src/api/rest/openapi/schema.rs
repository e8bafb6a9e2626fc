//! Messages as JSON schemas of what proto3 JSON makes of them.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;
use crate::api::rest::bind::sole_list;

/// The schemas that were referred to, and those these refer to.
#[derive(Debug)]
pub(super) struct Schemas<'c> {
    comments: &'c Comments,
    wanted: BTreeMap<String, MessageDescriptor>,
    made: BTreeMap<String, Value>,
}

impl<'c> Schemas<'c> {
    /// None yet.
    pub(super) fn new(comments: &'c Comments) -> Self {
        Self { comments, wanted: BTreeMap::new(), made: BTreeMap::new() }
    }

    /// What is said of a field.
    pub(super) fn comment(&self, field: &FieldDescriptor) -> &'c str {
        self.comments.of_field(field)
    }

    /// A schema that refers to a message's.
    pub(super) fn reference(&mut self, message: &MessageDescriptor) -> Value {
        match message.full_name() {
            "google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
            "google.protobuf.Empty" => json!({ "type": "object" }),
            "google.protobuf.FieldMask" => json!({ "type": "string" }),
            _ => {
                let name = message.name().to_owned();
                let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
                self.wanted.insert(name, message.clone());
                reference
            }
        }
    }

    /// The schema of a field, without its description.
    pub(super) fn of_field(&mut self, field: &FieldDescriptor) -> Value {
        if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
            let values = self.of_kind(&entry.map_entry_value_field().kind());
            return json!({ "type": "object", "additionalProperties": values });
        }
        let mut single = self.of_kind(&field.kind());
        let words = words(self.comments.of_field(field));
        if let (Kind::String, true, Some(schema)) = (field.kind(), words.len() > 1, single.as_object_mut()) {
            schema.insert("enum".to_owned(), words.into());
        }
        if field.is_list() { json!({ "type": "array", "items": single }) } else { single }
    }

    /// Every schema that was referred to, by its name.
    pub(super) fn finish(mut self) -> BTreeMap<String, Value> {
        while let Some((name, message)) = self.wanted.pop_first() {
            if !self.made.contains_key(&name) {
                let schema = self.of_message(&message);
                self.made.insert(name, schema);
            }
        }
        self.made.insert("Error".to_owned(), error());
        self.made
    }

    fn of_message(&mut self, message: &MessageDescriptor) -> Value {
        let mut properties = Map::new();
        for field in message.fields() {
            let mut schema = self.of_field(&field);
            if let Some(schema) = schema.as_object_mut() {
                let comment = self.comments.of_field(&field);
                schema.insert("description".to_owned(), comment.into());
                if comment.starts_with("Output only.") {
                    schema.insert("readOnly".to_owned(), true.into());
                }
                if comment.starts_with("Input only.") {
                    schema.insert("writeOnly".to_owned(), true.into());
                }
            }
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut description = self.comments.of_message(message).to_owned();
        if let Some(list) = sole_list(message).filter(|_| !message.name().ends_with("Response")) {
            description.push_str(&format!(
                " In a request it may be written as the list of {} itself.",
                list.json_name()
            ));
        }
        let required = message.fields().filter(|field| self.comments.of_field(field).starts_with(REQUIRED));
        let required: Vec<Value> = required.map(|field| field.json_name().into()).collect();
        let mut schema = json!({
            "type": "object",
            "description": description,
            "properties": properties,
            "additionalProperties": false,
        });
        if let (false, Some(fields)) = (required.is_empty(), schema.as_object_mut()) {
            fields.insert("required".to_owned(), required.into());
        }
        let alternatives: BTreeSet<Vec<String>> = message
            .oneofs()
            .filter(|oneof| !oneof.is_synthetic())
            .map(|oneof| oneof.fields().map(|field| field.json_name().to_owned()).collect())
            .collect();
        if let (false, Some(fields)) = (alternatives.is_empty(), schema.as_object_mut()) {
            let alternatives: Vec<Value> =
                alternatives.into_iter().map(|names| at_most_one(&names)).collect();
            fields.insert("allOf".to_owned(), alternatives.into());
        }
        schema
    }

    fn of_kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Message(message) => self.reference(message),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({ "type": "integer", "format": "int64" }),
            Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "integer", "minimum": 0 }),
            Kind::Float | Kind::Double => json!({ "type": "number" }),
            Kind::Enum(names) => {
                let names: Vec<String> = names.values().map(|value| value.name().to_owned()).collect();
                json!({ "type": "string", "enum": names })
            }
        }
    }
}

/// How the comment of a field begins that a request can't do without (AIP-203).
const REQUIRED: &str = "Required.";

/// The words of a comment that begins with all a field can be: `forbid | require | permit; ...`.
fn words(comment: &str) -> Vec<&str> {
    let comment = comment.strip_prefix(REQUIRED).unwrap_or(comment).trim_start();
    let end = comment.find(['.', ';', ':', ',']).unwrap_or(comment.len());
    let words: Vec<&str> = comment.get(..end).unwrap_or_default().split(" | ").collect();
    let plain = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if words.iter().all(plain) { words } else { Vec::new() }
}

/// One of these fields, or none.
fn at_most_one(names: &[String]) -> Value {
    let each = names.iter().map(|name| json!({ "required": [name] }));
    let none = json!({ "not": { "anyOf": each.clone().collect::<Vec<_>>() } });
    json!({ "oneOf": each.chain([none]).collect::<Vec<_>>() })
}

/// The shape of every refusal: `google.rpc` in JSON (AIP-193).
fn error() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "description": "A refusal.",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "description": "What is refused, and why.",
            "required": ["code", "status", "message", "details"],
            "properties": {
                "code": { "type": "integer", "description": "The HTTP status." },
                "status": text("The canonical gRPC code, such as INVALID_ARGUMENT."),
                "message": text("One line for people."),
                "details": {
                    "type": "array",
                    "description": "ErrorInfo with the stable code as its reason; BadRequest with the wrong fields; \
                                    PreconditionFailure with the reasons of a denial; QuotaFailure; RetryInfo.",
                    "items": {
                        "type": "object",
                        "required": ["@type"],
                        "properties": { "@type": text("type.googleapis.com/google.rpc.(name)") },
                    },
                },
            },
        }},
    })
}
