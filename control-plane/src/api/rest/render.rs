//! A message as proto3 JSON: fields in the order of their numbers, maps in the order of their keys, so that equal answers
//! are equal texts.
//!
//! Law: unset fields are left out, and 64-bit integers are numbers: no count here comes near 2^53.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage as _, SerializeOptions, Value};
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Serialize, Serializer};

/// Writes a message.
pub(super) fn json(message: &DynamicMessage) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Shown(message))
}

struct Shown<'a>(&'a DynamicMessage);

struct Item<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let message = self.0;
        if message.descriptor().package_name() == "google.protobuf" {
            let options = SerializeOptions::new().stringify_64_bit_integers(false);
            return message.serialize_with_options(to, &options);
        }
        let mut map = to.serialize_map(None)?;
        let mut fields: Vec<_> = message.fields().collect();
        fields.sort_by_key(|(field, _)| field.number());
        for (field, value) in fields {
            map.serialize_entry(field.json_name(), &Item(value))?;
        }
        map.end()
    }
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Message(message) => Shown(message).serialize(to),
            Value::List(items) => to.collect_seq(items.iter().map(Item)),
            Value::Map(map) => {
                let mut entries: Vec<(String, &Value)> = map.iter().map(|(k, v)| (key(k), v)).collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                to.collect_map(entries.iter().map(|(key, value)| (key, Item(value))))
            }
            Value::Bool(value) => to.serialize_bool(*value),
            Value::I32(value) => to.serialize_i32(*value),
            Value::I64(value) => to.serialize_i64(*value),
            Value::U32(value) => to.serialize_u32(*value),
            Value::U64(value) => to.serialize_u64(*value),
            Value::String(value) => to.serialize_str(value),
            Value::Bytes(value) => to.serialize_str(&BASE64_STANDARD.encode(value)),
            Value::F32(_) | Value::F64(_) | Value::EnumNumber(_) => {
                Err(S::Error::custom("the admin API has no such field"))
            }
        }
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

#[cfg(test)]
mod tests {
    use policy_engine::vocabulary::Kind;
    use prost::Message as _;
    use prost_reflect::Kind as FieldKind;
    use prost_types::Timestamp;
    use proto::admin::{Tenant, TenantSpec};

    use super::*;
    use crate::descriptors;

    #[test]
    fn an_answer_is_written_the_same_each_time() {
        let spec =
            TenantSpec { display_name: "A \"b\"\n".into(), geos: vec!["eu".into()], ..TenantSpec::default() };
        let tenant = Tenant {
            name: "tenants/a".into(),
            labels: ["z", "b", "a"].map(|key| (key.to_owned(), key.to_owned())).into(),
            create_time: Some(Timestamp { seconds: 1_769_860_800, nanos: 500_000_000 }),
            revision: 7,
            spec: Some(spec),
            ..Tenant::default()
        };
        let message = descriptors::dynamic(Kind::Tenant, &tenant.encode_to_vec()).unwrap();
        assert_eq!(
            String::from_utf8(json(&message).unwrap()).unwrap(),
            concat!(
                r#"{"name":"tenants/a","labels":{"a":"a","b":"b","z":"z"},"createTime":"2026-01-31T12:00:00.500Z","#,
                r#""revision":7,"spec":{"displayName":"A \"b\"\n","geos":["eu"]}}"#
            )
        );
    }

    #[test]
    fn every_field_of_the_admin_api_can_be_written() {
        let messages = descriptors::pool().all_messages().filter(|m| m.package_name() == "chancery.admin.v1");
        for field in messages.flat_map(|message| message.fields().collect::<Vec<_>>()) {
            let unwritten = matches!(field.kind(), FieldKind::Float | FieldKind::Double | FieldKind::Enum(_));
            assert!(!unwritten, "{}", field.full_name());
        }
    }
}
