//! A guardrail's question and answer between `chancery.inference.v1` and the form of the other door.
//!
//! Law: see the parent; the action and the direction are words there and enums here.

use proto::inference::{
    ApplyGuardrailRequest, ApplyGuardrailResponse, GuardrailAction, GuardrailDirection, GuardrailFinding,
    GuardrailSpan,
};

use super::answer::text;
use crate::dialect::json::Json;
use crate::error::Rejection;
use crate::pipeline::Direction;
use crate::record::Fate;
use crate::tape::{Tape, Value};

/// What is asked, but for the guardrail's name.
pub(super) fn asked(request: &ApplyGuardrailRequest) -> Result<Vec<u8>, Rejection> {
    let direction = match request.direction() {
        GuardrailDirection::Input => Direction::Input,
        GuardrailDirection::Output => Direction::Output,
        GuardrailDirection::Unspecified => {
            return Err(Rejection::field("direction", "`direction` must be input or output"));
        }
    };
    let mut json = Json::default();
    json.object(|json| {
        json.key("direction").string(direction.as_str());
        json.key("texts").array(|json| request.texts.iter().for_each(|text| json.string(text)));
    });
    Ok(json.done())
}

/// What became of the texts; `None` where that is not told.
pub(super) fn answer(bytes: &[u8]) -> Option<ApplyGuardrailResponse> {
    let mut tape = Tape::for_text(bytes.len());
    tape.read(bytes).ok()?;
    let root = tape.root(bytes)?;
    let fates = [
        (Fate::None, GuardrailAction::None),
        (Fate::Masked, GuardrailAction::Masked),
        (Fate::Blocked, GuardrailAction::Blocked),
    ];
    let told = root.get("action")?;
    let (_, action) = fates.into_iter().find(|(fate, _)| told.is(fate.as_str()))?;
    Some(ApplyGuardrailResponse {
        guardrail: text(root.get("guardrail")),
        action: action.into(),
        texts: root.get("texts")?.elements().map(|text| text.text().into_owned()).collect(),
        findings: root.get("findings")?.elements().map(finding).collect(),
    })
}

fn finding(finding: Value<'_>) -> GuardrailFinding {
    let spans = finding.get("spans").into_iter().flat_map(|spans| spans.elements());
    GuardrailFinding {
        r#type: text(finding.get("type")),
        action: text(finding.get("action")),
        count: whole(finding, "count"),
        spans: spans
            .map(|span| GuardrailSpan {
                text: whole(span, "text"),
                start: whole(span, "start"),
                end: whole(span, "end"),
            })
            .collect(),
    }
}

fn whole(value: Value<'_>, name: &str) -> u32 {
    let number = value.get(name).and_then(|number| number.whole()).unwrap_or_default();
    u32::try_from(number).unwrap_or(u32::MAX)
}
