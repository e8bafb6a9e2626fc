//! What was written down of a decision is enough to decide it again: by the same facts, to the last name.

use policy_engine::replay::replay;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::ask::{Question, question, snapshot, written_down};
use super::world::{ANY, facts};
use super::worlds;

/// Worlds with questions that are asked with a key.
fn asked() -> impl Strategy<Value = (policy_engine::facts::Facts, Vec<Question>)> {
    let keyed = question().prop_map(|question| Question { key: question.key.or(Some("k0")), ..question });
    (facts(ANY), prop::collection::vec(keyed, 8))
}

proptest! {
    #![proptest_config(worlds(400))]

    #[test]
    fn what_was_written_down_is_decided_again_as_it_was((facts, questions) in asked()) {
        let (then, now) = (snapshot(&facts), snapshot(&facts));
        for question in &questions {
            if let Some((recorded, judged)) = written_down(&then, question) {
                prop_assert_eq!(replay(&recorded, &now), Some(judged), "{:?}", recorded);
            }
        }
    }
}

/// That enough is written down, of both kinds, with findings among them; and that it is the question that decides.
#[test]
fn what_is_written_down_is_worth_deciding_again() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut allowed, mut denied, mut found, mut other) = (0, 0, 0, 0);
    for _ in 0..400 {
        let (facts, questions) = asked().new_tree(&mut runner).unwrap().current();
        let snapshot = snapshot(&facts);
        for question in &questions {
            let Some((recorded, judged)) = written_down(&snapshot, question) else { continue };
            *if judged.allowed { &mut allowed } else { &mut denied } += 1;
            found += usize::from(!recorded.word_lists.is_empty() && !recorded.entities.is_empty());
            let bare = policy_engine::replay::Recorded {
                entities: vec![],
                word_lists: vec![],
                purpose: None,
                egress_tools: vec![],
                declared_jurisdictions: vec![],
                declared_classes: vec![],
                unknown_fields: 0,
                ..recorded.clone()
            };
            other += usize::from(replay(&bare, &snapshot).unwrap() != judged);
            let stranger = policy_engine::replay::Recorded { principal: "eve".parse().unwrap(), ..recorded };
            assert_eq!(replay(&stranger, &snapshot), None, "the key is another's");
            let unknown = policy_engine::replay::Recorded { key: "k9".to_owned(), ..stranger };
            assert_eq!(replay(&unknown, &snapshot), None, "nobody knows her");
        }
    }
    println!(
        "{allowed} allowed, {denied} denied, {found} with findings, {other} that hang on what was declared or found"
    );
    assert!(allowed > 100 && denied > 100 && found > 5 && other > 50);
}
