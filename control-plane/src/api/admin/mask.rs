//! Update masks (AIP-134): which fields of a resource a change is about.
//!
//! Law: only labels and what lies under `spec` can be named; a list is replaced whole; a path that names no field is
//! refused. Without a mask, or with `*`, labels and spec are replaced whole.

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _};
use prost_types::FieldMask;
use proto::status::Refusal;

/// What is there, with the masked fields of what is wanted.
pub(super) fn masked(
    before: DynamicMessage,
    wanted: &DynamicMessage,
    mask: Option<&FieldMask>,
) -> Result<DynamicMessage, Refusal> {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    let whole = ["labels".to_owned(), "spec".to_owned()];
    let paths = if paths.is_empty() || paths == ["*"] { &whole } else { paths };
    let mut after = before;
    for path in paths {
        let steps: Vec<&str> = path.split('.').collect();
        let known = matches!(steps.first(), Some(&"labels" | &"spec")) && exists(&after.descriptor(), &steps);
        if !known {
            let shown: String = path.chars().take(64).flat_map(char::escape_default).collect();
            return Err(Refusal::field(
                "updateMask",
                format!("`{shown}` names no field that can be changed"),
            ));
        }
        copy(&mut after, wanted, &steps);
    }
    Ok(after)
}

fn exists(message: &MessageDescriptor, steps: &[&str]) -> bool {
    let Some((first, rest)) = steps.split_first() else { return false };
    match (message.get_field_by_name(first), rest) {
        (Some(_), []) => true,
        (Some(field), rest) if !field.is_list() && !field.is_map() => match field.kind() {
            Kind::Message(inner) => exists(&inner, rest),
            _ => false,
        },
        _ => false,
    }
}

fn copy(into: &mut DynamicMessage, from: &DynamicMessage, steps: &[&str]) {
    let Some((first, rest)) = steps.split_first() else { return };
    let Some(field) = into.descriptor().get_field_by_name(first) else { return };
    if rest.is_empty() {
        match from.has_field(&field) {
            true => into.set_field(&field, from.get_field(&field).into_owned()),
            false => into.clear_field(&field),
        }
        return;
    }
    let source = from.get_field(&field);
    if let (Some(inner), Some(source)) = (into.get_field_mut(&field).as_message_mut(), source.as_message()) {
        copy(inner, source, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptors;
    use prost::Message as _;
    use proto::admin::{Provider, ProviderSpec, Terms};

    fn provider(url: &str, dpa: Option<bool>, geos: &[&str]) -> Provider {
        let terms = Terms { dpa, baa: Some(false), ..Terms::default() };
        let geos = geos.iter().map(|geo| (*geo).to_owned()).collect();
        let spec = ProviderSpec { base_url: url.into(), terms: Some(terms), geos, ..ProviderSpec::default() };
        Provider { name: "providers/p".into(), spec: Some(spec), ..Provider::default() }
    }

    fn changed(paths: &[&str]) -> Result<Provider, Refusal> {
        let before = Provider {
            labels: [("kept".to_owned(), "yes".to_owned())].into(),
            ..provider("https://a.test", Some(true), &["eu"])
        };
        let wanted = provider("https://b.test", None, &["us", "uk"]);
        let dynamic = |p: &Provider| {
            descriptors::dynamic(policy_engine::vocabulary::Kind::Provider, &p.encode_to_vec()).unwrap()
        };
        let mask = FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() };
        let after = masked(dynamic(&before), &dynamic(&wanted), Some(&mask))?;
        Ok(Provider::decode(after.encode_to_vec().as_slice()).unwrap())
    }

    #[test]
    fn only_what_is_named_changes() {
        let after = changed(&["spec.geos", "spec.terms.dpa"]).unwrap();
        let spec = after.spec.unwrap();
        assert_eq!(
            (spec.base_url.as_str(), spec.geos.as_slice()),
            ("https://a.test", ["us".to_owned(), "uk".to_owned()].as_slice())
        );
        assert_eq!((spec.terms.unwrap().dpa, spec.terms.unwrap().baa), (None, Some(false)));
        assert_eq!(after.labels.len(), 1);
        for whole in [&[][..], &["*"][..]] {
            let after = changed(whole).unwrap();
            assert_eq!(after.spec.unwrap().base_url, "https://b.test");
            assert!(after.labels.is_empty());
        }
    }

    #[test]
    fn what_names_no_field_is_refused() {
        for bad in
            ["name", "etag", "spec.nothing", "spec.geos.x", "labels.a", "", "spec.base_url.x", "create_time"]
        {
            assert!(changed(&[bad]).is_err(), "{bad}");
        }
    }
}
