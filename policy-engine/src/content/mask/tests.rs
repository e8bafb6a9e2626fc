//! Numbering, collisions, overlaps, and what is left alone.

use std::borrow::Cow;

use super::{Blocked, Masker, apply};
use crate::content::detect::{Detectors, What, WordList};
use crate::decision::Actions;
use crate::vocabulary::{Entity, MaskAction};

fn masked(text: &str, masker: &mut Masker, actions: &Actions) -> Result<String, Blocked> {
    let list = |id: &str, word: &str| WordList { id: id.to_owned(), words: vec![word.to_owned()] };
    let detectors =
        Detectors::compile(Entity::ALL.iter().copied(), [list("a", "mail bob"), list("b", "secret")])
            .unwrap();
    let mut findings = Vec::new();
    detectors.scan(text, &mut findings);
    apply(text, &findings, actions, masker).map(Cow::into_owned)
}

fn actions(entities: &[(Entity, MaskAction)], lists: &[(u32, MaskAction)]) -> Actions {
    let mut actions = Actions::default();
    entities.iter().for_each(|(entity, action)| actions.tighten(*entity, *action));
    lists.iter().for_each(|(list, action)| actions.tighten_words(*list, *action));
    actions
}

const MASK: MaskAction = MaskAction::Mask;

#[test]
fn a_value_keeps_its_number_however_it_is_spelled() {
    let (mut masker, actions) =
        (Masker::new(), actions(&[(Entity::Email, MASK), (Entity::CreditDebitCardNumber, MASK)], &[]));
    let first = masked("bob@x.com, ann@x.com, BOB@x.com, 4111111111111111", &mut masker, &actions);
    assert_eq!(first.unwrap(), "[EMAIL_1], [EMAIL_2], [EMAIL_1], [CREDIT_DEBIT_CARD_NUMBER_1]");
    let second = masked("ａｎｎ@x.com eve@x.com 4111-1111-1111-1111", &mut masker, &actions);
    assert_eq!(second.unwrap(), "[EMAIL_2] [EMAIL_3] [CREDIT_DEBIT_CARD_NUMBER_1]");
    assert_eq!(masker.values(), 4);
}

#[test]
fn a_placeholder_the_caller_wrote_is_nobody_elses() {
    let (mut masker, actions) = (Masker::new(), actions(&[(Entity::Email, MASK)], &[]));
    let text = "what is [EMAIL_1] and [EMAIL_3] and [EMAIL_99999999999999999999]? a@x.com b@x.com";
    masker.reserve(text);
    let masked = masked(text, &mut masker, &actions).unwrap();
    assert_eq!(
        masked,
        "what is [EMAIL_1] and [EMAIL_3] and [EMAIL_99999999999999999999]? [EMAIL_2] [EMAIL_4]"
    );
}

#[test]
fn only_what_has_an_action_changes_and_the_rest_is_the_callers_bytes() {
    let text = "bob@x.com 4111111111111111";
    let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
    let mut findings = Vec::new();
    detectors.scan(text, &mut findings);
    let reported = actions(&[(Entity::Email, MaskAction::Detect)], &[]);
    assert!(
        matches!(apply(text, &findings, &reported, &mut Masker::new()), Ok(Cow::Borrowed(same)) if same == text)
    );
    let blocked = actions(&[(Entity::Email, MASK), (Entity::CreditDebitCardNumber, MaskAction::Block)], &[]);
    let what = What::Entity(Entity::CreditDebitCardNumber);
    assert_eq!(apply(text, &findings, &blocked, &mut Masker::new()), Err(Blocked { what }));
}

#[test]
fn overlapping_findings_leave_nothing_standing_and_reported_ones_shadow_nothing() {
    let both = actions(&[(Entity::Email, MASK)], &[(0, MASK)]);
    assert_eq!(masked("mail bob@x.com", &mut Masker::new(), &both).unwrap(), "[WORD_1][EMAIL_1]");
    let reported = actions(&[(Entity::Email, MASK)], &[(0, MaskAction::Detect)]);
    assert_eq!(masked("mail bob@x.com", &mut Masker::new(), &reported).unwrap(), "mail [EMAIL_1]");
}

#[test]
fn marks_on_the_last_character_go_with_it() {
    let actions = actions(&[(Entity::Email, MASK)], &[(1, MASK)]);
    let masked = masked("a@x.com\u{301}\u{200b}!", &mut Masker::new(), &actions).unwrap();
    assert_eq!(masked, "[EMAIL_1]\u{200b}!");
}
