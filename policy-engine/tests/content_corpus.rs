//! Precision and recall on the public development set, when `CHANCERY_DATA` names the directory that has it.
//!
//! A finding counts when it covers at least half of a span of its type and at least half of it lies in that span.

use std::collections::BTreeMap;
use std::io::Write as _;

use policy_engine::content::{Detectors, What};
use policy_engine::vocabulary::Entity;
use serde_json::Value;

const SET: &str = "presidio_generated_large.json";

/// What the set calls it, what we call it, and the least precision and recall, in hundredths.
const FLOORS: [(&str, Entity, u32, u32); 4] = [
    ("EMAIL_ADDRESS", Entity::Email, 100, 100),
    ("IBAN_CODE", Entity::InternationalBankAccountNumber, 100, 95),
    ("CREDIT_CARD", Entity::CreditDebitCardNumber, 98, 93),
    ("PHONE_NUMBER", Entity::Phone, 80, 70),
];

#[derive(Default)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Score {
    fn precision(&self) -> u32 {
        (self.right * 100).checked_div(self.right + self.wrong).unwrap_or(0)
    }

    fn recall(&self) -> u32 {
        (self.right * 100).checked_div(self.right + self.missed).unwrap_or(0)
    }
}

fn byte_offset(text: &str, characters: u64) -> usize {
    text.char_indices()
        .nth(usize::try_from(characters).unwrap_or(usize::MAX))
        .map_or(text.len(), |(at, _)| at)
}

fn is_same((a, b): (usize, usize), (c, d): (usize, usize)) -> bool {
    let common = b.min(d).saturating_sub(a.max(c));
    common * 2 >= b - a && common * 2 >= d - c
}

#[test]
fn the_development_set_is_found_with_the_precision_and_recall_it_allows() {
    let mut say = std::io::stderr().lock();
    let Some(directory) = std::env::var_os("CHANCERY_DATA") else {
        writeln!(say, "\nNOT MEASURED: CHANCERY_DATA does not name a directory with {SET}\n").unwrap();
        return;
    };
    let path = std::path::Path::new(&directory).join(SET);
    let texts: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for sample in &texts {
        let text = sample["full_text"].as_str().unwrap();
        let mut findings = Vec::new();
        detectors.scan(text, &mut findings);
        for (name, entity, ..) in FLOORS {
            let score = scores.entry(name).or_default();
            let mut spans: Vec<_> = sample["spans"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|span| span["entity_type"] == name)
                .collect();
            for finding in findings.iter().filter(|finding| finding.what == What::Entity(entity)) {
                let place = spans.iter().position(|span| {
                    let offset = |key: &str| byte_offset(text, span[key].as_u64().unwrap());
                    is_same((finding.start, finding.end), (offset("start_position"), offset("end_position")))
                });
                match place {
                    Some(place) => {
                        score.right += 1;
                        spans.remove(place);
                    }
                    None => {
                        score.wrong += 1;
                        writeln!(say, "wrong {name}: {:?}", &text[finding.start..finding.end]).unwrap();
                    }
                }
            }
            for span in &spans {
                writeln!(say, "missed {name}: {}", span["entity_value"]).unwrap();
            }
            score.missed += u32::try_from(spans.len()).unwrap();
        }
    }
    writeln!(
        say,
        "\n{:<16} {:>5} {:>5} {:>6} {:>9} {:>6}",
        SET, "right", "wrong", "missed", "precision", "recall"
    )
    .unwrap();
    for (name, _, precision, recall) in FLOORS {
        let score = &scores[name];
        let (p, r) = (score.precision(), score.recall());
        writeln!(say, "{name:<16} {:>5} {:>5} {:>6} {p:>8}% {r:>5}%", score.right, score.wrong, score.missed)
            .unwrap();
        assert!(p >= precision && r >= recall, "{name}: {p}/{r}, at least {precision}/{recall}");
    }
}
