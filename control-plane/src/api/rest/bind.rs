//! A JSON tree as the message it stands for: proto3 JSON, and every fault by its path.
//!
//! Law: what is not known, given twice or of the wrong type is a fault, never a guess. A message that has only a list may
//! be written as the list. Absent on purpose: what a value means; the services validate that.

use std::collections::{BTreeMap, HashMap};

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use proto::code::ErrorCode;
use proto::status::{Refusal, WrongField};
use serde_json::json;

use super::json::Json;

/// Faults that are told; what is beyond is counted.
const MAX_FAULTS: usize = 100;

/// Binds trees to messages, collecting faults.
#[derive(Debug, Default)]
pub(super) struct Binder {
    faults: Vec<WrongField>,
    untold: usize,
}

impl Binder {
    /// Records a fault.
    pub(super) fn fault(&mut self, field: impl Into<String>, message: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(WrongField { field: field.into(), message: message.into() });
        } else {
            self.untold = self.untold.saturating_add(1);
        }
    }

    /// Every fault as one refusal; nothing where there is none.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        let Some(first) = self.faults.first() else { return Ok(()) };
        let line = match first.field.as_str() {
            "" => first.message.clone(),
            field => format!("{field}: {}", first.message),
        };
        let others = self.faults.len().saturating_sub(1).saturating_add(self.untold);
        let line = if others > 0 { format!("{line}; and {others} more") } else { line };
        Err(Refusal { fields: self.faults, ..Refusal::new(ErrorCode::InvalidRequest, line) })
    }

    /// Binds an object, or a list where the message has only that.
    pub(super) fn message(&mut self, path: &str, json: Json, to: &MessageDescriptor) -> DynamicMessage {
        let mut message = DynamicMessage::new(to.clone());
        match (json, sole_list(to)) {
            (Json::Map(entries), _) => self.entries(path, entries, &mut message),
            (Json::List(items), Some(list)) => self.set(path, Json::List(items), &list, &mut message),
            (other, _) => self.fault(path, format!("an object was expected, not {}", other.what())),
        }
        message
    }

    /// Binds a value to a field of a message; `null` leaves it as it is.
    pub(super) fn set(&mut self, path: &str, json: Json, to: &FieldDescriptor, into: &mut DynamicMessage) {
        let value = match json {
            Json::Null => None,
            json if to.is_map() => self.map(path, json, to),
            json if to.is_list() => self.list(path, json, to),
            json => self.single(path, json, to),
        };
        if let Some(value) = value {
            into.set_field(to, value);
        }
    }

    fn entries(&mut self, path: &str, entries: Vec<(String, Json)>, into: &mut DynamicMessage) {
        use prost_reflect::ReflectMessage as _;
        let to = into.descriptor();
        let mut given = BTreeMap::new();
        for (key, json) in entries {
            let Some(field) = field(&to, &key) else {
                let known: Vec<String> = to.fields().map(|f| f.json_name().to_owned()).collect();
                self.fault(
                    join(path, &shown(&key)),
                    format!("unknown field; known are {}", known.join(", ")),
                );
                continue;
            };
            let at = join(path, field.json_name());
            if given.insert(field.number(), ()).is_some() {
                self.fault(at, "is given twice");
                continue;
            }
            let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic() && json != Json::Null);
            let rival =
                oneof.and_then(|o| o.fields().find(|f| f.number() != field.number() && into.has_field(f)));
            match rival {
                Some(rival) => {
                    self.fault(at, format!("excludes `{}`, which is given too", rival.json_name()))
                }
                None => self.set(&at, json, &field, into),
            }
        }
    }

    fn list(&mut self, path: &str, json: Json, to: &FieldDescriptor) -> Option<Value> {
        let Json::List(items) = json else {
            self.fault(path, format!("a list was expected, not {}", json.what()));
            return None;
        };
        let items = items.into_iter().enumerate();
        Some(Value::List(
            items.filter_map(|(i, item)| self.single(&format!("{path}[{i}]"), item, to)).collect(),
        ))
    }

    fn map(&mut self, path: &str, json: Json, to: &FieldDescriptor) -> Option<Value> {
        let Json::Map(entries) = json else {
            self.fault(path, format!("an object was expected, not {}", json.what()));
            return None;
        };
        let mut map = HashMap::new();
        for (key, json) in entries {
            let at = join(path, &shown(&key));
            let what = json.what();
            let wrapped = plain(json).map(|value| json!({ (key): value }));
            let Some(Value::Map(one)) = wrapped.and_then(|value| parse(to, value)) else {
                self.fault(at, format!("{} was expected, not {what}", wanted(to)));
                continue;
            };
            for (key, value) in one {
                if map.insert(key, value).is_some() {
                    self.fault(at.clone(), "is given twice");
                }
            }
        }
        Some(Value::Map(map))
    }

    fn single(&mut self, path: &str, json: Json, to: &FieldDescriptor) -> Option<Value> {
        if let Kind::Message(message) = to.kind()
            && message.package_name() != "google.protobuf"
        {
            return Some(Value::Message(self.message(path, json, &message)));
        }
        let what = match &json {
            Json::Text(text) => format!("`{}`", shown(text)),
            other => other.what().to_owned(),
        };
        let value = plain(json).map(|value| if to.is_list() { json!([value]) } else { value });
        match value.and_then(|value| parse(to, value)) {
            Some(Value::List(mut one)) => one.pop(),
            Some(value) => Some(value),
            None => {
                self.fault(path, format!("{} was expected, not {what}", wanted(to)));
                None
            }
        }
    }
}

/// A field by its JSON name, or by the name in the definition.
pub(super) fn field(of: &MessageDescriptor, key: &str) -> Option<FieldDescriptor> {
    of.get_field_by_json_name(key).or_else(|| of.get_field_by_name(key))
}

/// The one field of a message that has only that, where it is repeated.
pub(super) fn sole_list(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    let mut fields = message.fields();
    let only = fields.next()?;
    (fields.next().is_none() && only.is_list()).then_some(only)
}

/// What a caller wrote, cut short and escaped; nothing of what looks like a credential: a key of ours, or a long run of
/// letters and digits, as tokens are.
pub(super) fn shown(text: &str) -> String {
    let opaque = |c: char| c.is_ascii_alphanumeric() || "-_.~+=".contains(c);
    let token = |part: &str| part.len() >= 32 && part.chars().all(opaque);
    if text.contains("chy_") || text.split('/').any(token) {
        return "***".to_owned();
    }
    text.chars().take(64).flat_map(char::escape_default).collect()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A scalar as the parser of proto3 JSON takes it.
fn plain(json: Json) -> Option<serde_json::Value> {
    match json {
        Json::Bool(value) => Some(value.into()),
        Json::Number(value) => Some(value.into()),
        Json::Text(value) => Some(value.into()),
        Json::Null | Json::List(_) | Json::Map(_) => None,
    }
}

/// The value of a field by the parser of proto3 JSON.
fn parse(to: &FieldDescriptor, value: serde_json::Value) -> Option<Value> {
    let whole = json!({ (to.json_name()): value });
    let message = DynamicMessage::deserialize(to.parent_message().clone(), whole).ok()?;
    Some(message.get_field(to).into_owned())
}

fn wanted(to: &FieldDescriptor) -> &'static str {
    let kind = match to.kind() {
        Kind::Message(entry) if to.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    };
    match kind {
        Kind::String => "a text",
        Kind::Bool => "true or false",
        Kind::Uint32 | Kind::Fixed32 => "an integer from 0 to 4294967295",
        Kind::Uint64 | Kind::Fixed64 => "an integer from 0",
        Kind::Float | Kind::Double => "a number",
        Kind::Bytes => "a text in base64",
        Kind::Enum(_) => "a name of the enumeration",
        Kind::Message(message) if message.name() == "Timestamp" => "a time such as `2026-01-31T12:00:00Z`",
        Kind::Message(message) if message.name() == "FieldMask" => "names of fields with commas between",
        Kind::Message(_) => "an object",
        _ => "an integer",
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use proto::admin::{ExplainRequest, Model, Provider, Tenant};

    use super::*;
    use crate::api::rest::json;
    use crate::descriptors;

    fn bind<M: prost::Message + Default>(name: &str, body: &str) -> Result<M, Vec<String>> {
        let to = descriptors::pool().get_message_by_name(&format!("chancery.admin.v1.{name}")).unwrap();
        let mut binder = Binder::default();
        let message = binder.message("", json::read(body.as_bytes()).unwrap(), &to);
        match binder.finish() {
            Ok(()) => Ok(M::decode(message.encode_to_vec().as_slice()).unwrap()),
            Err(refusal) => {
                Err(refusal.fields.into_iter().map(|w| format!("{}: {}", w.field, w.message)).collect())
            }
        }
    }

    #[test]
    fn both_spellings_of_a_field_null_and_the_sugar_of_lists_are_read() {
        let tenant: Tenant = bind(
            "Tenant",
            r#"{"name": "tenants/a", "labels": {"costCentre": "4711"}, "etag": null,
                "spec": {"displayName": "A", "time_zone": "UTC", "mustAudit": true}}"#,
        )
        .unwrap();
        let spec = tenant.spec.unwrap();
        assert_eq!(
            (spec.display_name.as_str(), spec.time_zone.as_str(), spec.must_audit),
            ("A", "UTC", true)
        );
        assert_eq!(tenant.labels["costCentre"], "4711");

        let model = |groups: &str| {
            bind::<Model>("Model", &format!(r#"{{"spec": {{"route": {{"groups": {groups}}}}}}}"#)).unwrap()
        };
        let sugared = model(r#"[[{"endpoint": "a", "weight": 3}], [{"endpoint": "b"}]]"#);
        let whole =
            model(r#"[{"targets": [{"endpoint": "a", "weight": 3}]}, {"targets": [{"endpoint": "b"}]}]"#);
        assert_eq!(sugared, whole);
        assert_eq!(sugared.spec.unwrap().route.unwrap().groups[0].targets[0].weight, Some(3));

        let explain: ExplainRequest =
            bind("ExplainRequest", r#"{"instant": "2026-01-31T12:00:00Z", "revision": "7"}"#).unwrap();
        assert_eq!((explain.instant.unwrap().seconds, explain.revision), (1_769_860_800, 7));
    }

    #[test]
    fn every_fault_is_told_by_its_path() {
        let faults = bind::<Model>(
            "Model",
            r#"{"nme": "x", "labels": {"a": 1, "b": "x", "b": "y"}, "revision": "many", "revision": 1,
                "spec": {"aliases": ["a", 2], "card": [], "geos": "eu",
                         "route": {"groups": [[{"endpoint": {}, "weight": -1}], 7]}}}"#,
        )
        .unwrap_err();
        assert_eq!(
            faults,
            [
                "nme: unknown field; known are name, labels, etag, createTime, updateTime, revision, spec",
                "labels.a: a text was expected, not a number",
                "labels.b: is given twice",
                "revision: an integer was expected, not `many`",
                "revision: is given twice",
                "spec.aliases[1]: a text was expected, not a number",
                "spec.card: an object was expected, not a list",
                "spec.geos: a list was expected, not a text",
                "spec.route.groups[0][0].endpoint: a text was expected, not an object",
                "spec.route.groups[0][0].weight: an integer from 0 to 4294967295 was expected, not a number",
                "spec.route.groups[1]: an object was expected, not a number",
            ]
        );
    }

    #[test]
    fn one_of_several_means_one() {
        let faults = bind::<Provider>("Provider", r#"{"spec": {"credential": {"env": "A", "file": "b"}}}"#);
        assert_eq!(faults.unwrap_err(), ["spec.credential.file: excludes `env`, which is given too"]);
        let one = bind::<Provider>("Provider", r#"{"spec": {"credential": {"env": "A", "file": null}}}"#);
        assert!(one.unwrap().spec.unwrap().credential.is_some());
    }

    #[test]
    fn faults_beyond_the_hundredth_are_counted_and_a_credential_is_not_repeated() {
        let body = format!(r#"{{"labels": [], "chy_abc_secret": 1, {}}}"#, vec![r#""x": 1"#; 200].join(", "));
        let to = descriptors::pool().get_message_by_name("chancery.admin.v1.Team").unwrap();
        let mut binder = Binder::default();
        binder.message("", json::read(body.as_bytes()).unwrap(), &to);
        let refusal = binder.finish().unwrap_err();
        assert_eq!(refusal.fields.len(), MAX_FAULTS);
        assert_eq!(refusal.message, "labels: an object was expected, not a list; and 201 more");
        assert_eq!(refusal.fields[1].field, "***");
    }
}
