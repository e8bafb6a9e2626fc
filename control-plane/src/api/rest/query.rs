//! The parameters of a query as fields of the request.
//!
//! Law: a parameter that names no scalar field, or one that the path or the body already gives, is refused by its name;
//! its value is never repeated, because it might be a credential.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value};
use prost_types::FieldMask;

use super::bind::{self, Binder, shown};
use super::json::Json;

/// Puts parameters into a request. `taken` are the fields given elsewhere; `masked` is what an update mask is about.
pub(super) fn fill(
    pairs: Vec<(String, String)>,
    taken: &[&FieldDescriptor],
    masked: Option<&MessageDescriptor>,
    request: &mut DynamicMessage,
) -> Binder {
    let mut binder = Binder::default();
    let free = parameters(&request.descriptor(), taken);
    let mut given = Vec::new();
    for (key, text) in pairs {
        let Some(field) = free.iter().find(|field| field.json_name() == key || field.name() == key) else {
            let known: Vec<&str> = free.iter().map(FieldDescriptor::json_name).collect();
            let known = if known.is_empty() { "none is" } else { &format!("known are {}", known.join(", ")) };
            binder.fault(shown(&key), format!("unknown query parameter; {known}"));
            continue;
        };
        if given.contains(&field.number()) {
            binder.fault(field.json_name(), "is given twice");
            continue;
        }
        given.push(field.number());
        match masked.filter(|_| is_mask(field)) {
            Some(message) => set_mask(field, &mask(&text, message), request),
            None => binder.set(field.json_name(), value(&text, field), field, request),
        }
    }
    binder
}

/// The fields of a request that a query may give.
pub(super) fn parameters(request: &MessageDescriptor, taken: &[&FieldDescriptor]) -> Vec<FieldDescriptor> {
    let elsewhere = |field: &FieldDescriptor| taken.iter().any(|taken| taken.number() == field.number());
    let scalar = |field: &FieldDescriptor| match field.kind() {
        Kind::Message(message) => !field.is_map() && message.package_name() == "google.protobuf",
        _ => !field.is_list(),
    };
    request.fields().filter(|field| scalar(field) && !elsewhere(field)).collect()
}

fn value(text: &str, field: &FieldDescriptor) -> Json {
    match (field.kind(), text) {
        (Kind::Bool, "true" | "") => Json::Bool(true),
        (Kind::Bool, "false") => Json::Bool(false),
        _ => Json::Text(text.to_owned()),
    }
}

fn is_mask(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(message) if message.full_name() == "google.protobuf.FieldMask")
}

fn set_mask(field: &FieldDescriptor, mask: &FieldMask, request: &mut DynamicMessage) {
    let mut message = match request.get_field(field).into_owned() {
        Value::Message(message) => message,
        _ => return,
    };
    if message.transcode_from(mask).is_ok() {
        request.set_field(field, Value::Message(message));
    }
}

/// A mask whose steps are spelled as in the definitions, however they were given. What names no field stays as it is: the
/// service says so.
fn mask(text: &str, message: &MessageDescriptor) -> FieldMask {
    let path = |path: &str| {
        let mut within = Some(message.clone());
        let steps = path.split('.').map(|step| {
            let field = within.as_ref().and_then(|message| bind::field(message, step));
            within = field
                .as_ref()
                .filter(|f| !f.is_list() && !f.is_map())
                .and_then(|f| f.kind().as_message().cloned());
            field.map_or_else(|| step.to_owned(), |field| field.name().to_owned())
        });
        steps.collect::<Vec<_>>().join(".")
    };
    FieldMask { paths: text.split(',').map(path).collect() }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use proto::admin::{ListTeamsRequest, UpdateTenantRequest};

    use super::*;
    use crate::descriptors;

    fn message(name: &str) -> MessageDescriptor {
        descriptors::pool().get_message_by_name(&format!("chancery.admin.v1.{name}")).unwrap()
    }

    fn pairs(given: &[(&str, &str)]) -> Vec<(String, String)> {
        given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn both_spellings_of_a_parameter_and_of_a_mask_are_read() {
        let tenant = message("Tenant");
        let mut request = DynamicMessage::new(message("UpdateTenantRequest"));
        let given =
            [("update_mask", "spec.displayName,spec.time_zone,labels,no.such"), ("allowMissing", "true")];
        fill(pairs(&given), &[], Some(&tenant), &mut request).finish().unwrap();
        let request = UpdateTenantRequest::decode(request.encode_to_vec().as_slice()).unwrap();
        assert_eq!(
            request.update_mask.unwrap().paths,
            ["spec.display_name", "spec.time_zone", "labels", "no.such"]
        );
        assert!(request.allow_missing && !request.validate_only);

        let mut request = DynamicMessage::new(message("ListTeamsRequest"));
        fill(pairs(&[("pageSize", "7"), ("page_token", "x")]), &[], None, &mut request).finish().unwrap();
        let request = ListTeamsRequest::decode(request.encode_to_vec().as_slice()).unwrap();
        assert_eq!((request.page_size, request.page_token.as_str()), (7, "x"));
    }

    #[test]
    fn what_a_query_may_not_give_is_refused_without_its_value() {
        let list = message("ListTeamsRequest");
        let parent = list.get_field_by_name("parent").unwrap();
        for (given, told) in [
            (
                &[("parent", "tenants/b")][..],
                "parent: unknown query parameter; known are pageSize, pageToken",
            ),
            (&[("key", "chy_a_b")], "key: unknown query parameter; known are pageSize, pageToken"),
            (&[("chy_a_b", "")], "***: unknown query parameter; known are pageSize, pageToken"),
            (&[("pageSize", "-1x")], "pageSize: an integer was expected, not `-1x`"),
            (&[("pageSize", "1"), ("page_size", "2")], "pageSize: is given twice"),
        ] {
            let mut request = DynamicMessage::new(list.clone());
            let refusal = fill(pairs(given), &[&parent], None, &mut request).finish().unwrap_err();
            assert_eq!(refusal.message, told);
        }
        let mut request = DynamicMessage::new(message("CreateTenantRequest"));
        let refusal =
            fill(pairs(&[("validateOnly", "maybe")]), &[], None, &mut request).finish().unwrap_err();
        assert_eq!(refusal.message, "validateOnly: true or false was expected, not `maybe`");
    }
}
