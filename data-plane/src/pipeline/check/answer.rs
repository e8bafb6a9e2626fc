//! What a guardrail makes of texts, as JSON.
//!
//! Law: values are never told, and nothing of texts that are blocked. Places are bytes of the texts as they were sent, in UTF-8; of
//! very many only the first are told, so that no answer is much larger than its question. Deliberately absent: judging.

use policy_engine::vocabulary::{Id, Kind, MaskAction};
use proto::name;

use super::Spotted;
use crate::dialect::json::Json;
use crate::record::Fate;

/// The most places that are told.
const SPANS: usize = 1000;

/// What becomes of texts.
pub(super) struct Answer {
    /// In a word.
    pub(super) fate: Fate,
    /// The texts as they pass.
    pub(super) texts: Vec<String>,
    findings: Vec<Finding>,
}

/// What was found of one type.
struct Finding {
    label: &'static str,
    action: MaskAction,
    count: u64,
    /// Position of the text, first byte, one past the last.
    spans: Vec<(usize, usize, usize)>,
}

impl Answer {
    /// Of what was found; without texts.
    pub(super) fn of(spotted: impl Iterator<Item = Spotted>) -> Self {
        let (mut findings, mut told) = (Vec::<Finding>::new(), 0);
        for Spotted { what, action, text, at: (start, end) } in spotted {
            let label = what.label();
            let known = findings.iter().position(|known| known.label == label && known.action == action);
            let at = known.unwrap_or_else(|| {
                findings.push(Finding { label, action, count: 0, spans: Vec::new() });
                findings.len() - 1
            });
            let Some(finding) = findings.get_mut(at) else { continue };
            finding.count += 1;
            if told < SPANS {
                finding.spans.push((text, start, end));
                told += 1;
            }
        }
        let strictest = findings.iter().map(|finding| finding.action).max();
        let fate = match strictest {
            None | Some(MaskAction::Detect) => Fate::None,
            Some(MaskAction::Mask) => Fate::Masked,
            Some(MaskAction::Block) => Fate::Blocked,
        };
        Self { fate, texts: Vec::new(), findings }
    }

    /// Whether nothing passes.
    pub(super) fn is_blocked(&self) -> bool {
        self.fate == Fate::Blocked
    }

    /// The same as every door reads it, of the guardrail of this id.
    pub(super) fn json(&self, guardrail: &Id) -> Vec<u8> {
        let mut json = Json::default();
        json.object(|json| {
            json.key("object").string("guardrail.check");
            json.key("guardrail").string(&name::format(Kind::Guardrail, guardrail));
            json.key("action").string(self.fate.as_str());
            json.key("texts").array(|json| self.texts.iter().for_each(|text| json.string(text)));
            json.key("findings").array(|json| self.findings.iter().for_each(|finding| finding.write(json)));
        });
        json.done()
    }
}

impl Finding {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.key("type").string(self.label);
            json.key("action").string(self.action.as_str());
            json.key("count").number_of(self.count);
            json.key("spans").array(|json| {
                for (text, start, end) in &self.spans {
                    json.object(|json| {
                        for (name, number) in [("text", text), ("start", start), ("end", end)] {
                            json.key(name).number_of(*number as u64);
                        }
                    });
                }
            });
        });
    }
}
