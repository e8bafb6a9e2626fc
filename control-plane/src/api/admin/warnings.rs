//! What a caller should know beside the answer: that a free text seems to hold personal data.
//!
//! Law: nothing is refused for it and nothing of the text is repeated. What is looked at is found by its name in the definitions, so that
//! no call is forgotten. Absent on purpose: detectors of its own; they are those that requests to models are inspected by.

use std::sync::LazyLock;

use policy_engine::content::detect::Detectors;
use policy_engine::vocabulary::Entity;
use prost::Message;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

use crate::marked::{looks, rpc};

/// Fields that people write freely and that are kept for good.
const FREE: [&str; 2] = ["reason", "ticket"];

/// Bytes of such a field at most, whatever its own bound is.
const MOST: usize = 4 << 10;

/// How deep in a request such a field is looked for.
const DEPTH: usize = 3;

static DETECTORS: LazyLock<Option<Detectors>> =
    LazyLock::new(|| Detectors::compile(Entity::ALL.iter().copied(), []).ok());

/// What is to be said of the free texts of a call: of its headers and of its request.
pub(super) fn of<T: Message>(action: &str, (reason, ticket): (&str, &str), asked: &T) -> Vec<String> {
    if looks(action) {
        return Vec::new();
    }
    let headers = [("reason", reason), ("ticket", ticket)];
    let mut texts: Vec<(String, String)> =
        headers.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    if let Some(input) = rpc(action).map(|rpc| rpc.input()).filter(|input| has_free(input, DEPTH))
        && let Ok(asked) = DynamicMessage::decode(input, asked.encode_to_vec().as_slice())
    {
        gather(&asked, "", &mut texts);
    }
    // What is longer than may be kept is refused, and scanned by nobody.
    let kept = texts.iter().filter(|(_, text)| text.len() <= MOST);
    kept.filter_map(|(field, text)| warning(field, text)).collect()
}

fn has_free(message: &MessageDescriptor, depth: usize) -> bool {
    depth > 0
        && message.fields().filter(|field| !field.is_list() && !field.is_map()).any(|field| {
            match field.kind() {
                Kind::String => FREE.contains(&field.name()),
                Kind::Message(deeper) => has_free(&deeper, depth.saturating_sub(1)),
                _ => false,
            }
        })
}

fn gather(message: &DynamicMessage, path: &str, texts: &mut Vec<(String, String)>) {
    for (field, value) in message.fields() {
        let path = format!("{path}{}", field.json_name());
        match value {
            Value::String(text) if FREE.contains(&field.name()) => texts.push((path, text.clone())),
            Value::Message(deeper) => gather(deeper, &format!("{path}."), texts),
            _ => {}
        }
    }
}

fn warning(field: &str, text: &str) -> Option<String> {
    let mut found = Vec::new();
    DETECTORS.as_ref()?.scan(text, &mut found);
    let mut kinds: Vec<&str> = found.iter().map(|finding| finding.what.label()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    (!kinds.is_empty()).then(|| {
        format!(
            "`{field}` seems to hold personal data ({}): it is kept for good in the log of acts, where nothing can be erased; \
             name people by their pseudonyms (`chancery subjects show`)",
            kinds.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use proto::admin::{CreateKillRequest, Kill, KillSpec};

    use super::*;

    #[test]
    fn personal_data_in_a_reason_is_told_by_field_and_kind_and_never_repeated() {
        let spec = KillSpec { reason: "call +49 30 901820 or ada@example.org".into(), ..KillSpec::default() };
        let asked = CreateKillRequest {
            kill: Some(Kill { spec: Some(spec), ..Kill::default() }),
            ..CreateKillRequest::default()
        };
        let told =
            of("chancery.admin.v1.KillsService/CreateKill", ("DE89370400440532013000", "CHG-7"), &asked);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|told| told.contains("name people by their pseudonyms")), "{told:?}");
        assert!(
            told[0].starts_with("`reason` seems to hold personal data (INTERNATIONAL_BANK_ACCOUNT_NUMBER)"),
            "{told:?}"
        );
        assert!(told[1].starts_with("`kill.spec.reason` seems") && told[1].contains("EMAIL"), "{told:?}");
        assert!(!told.concat().contains("ada@") && !told.concat().contains("DE89"));
        for reason in ["the works council asked", "INC-2026-11-23: 42 of 1000 requests failed", ""] {
            let told = of("chancery.admin.v1.TeamsService/DeleteTeam", (reason, "CHG-20261123"), &());
            assert!(told.is_empty(), "{told:?}");
        }
    }
}
