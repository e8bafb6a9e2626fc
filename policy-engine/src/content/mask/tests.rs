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

#[test]
fn a_number_in_json_is_masked_to_a_string() {
    let actions = actions(
        &[(Entity::CreditDebitCardNumber, MASK), (Entity::Email, MASK), (Entity::Phone, MASK)],
        &[(1, MASK)],
    );
    let card = "[CREDIT_DEBIT_CARD_NUMBER_1]";
    for (text, expected) in [
        (r#"{"card":4111111111111111}"#, format!(r#"{{"card":"{card}"}}"#)),
        (r#"{"card": "4111111111111111"}"#, format!(r#"{{"card": "{card}"}}"#)),
        (r#" [4111111111111111, 2]"#, format!(r#" ["{card}", 2]"#)),
        (r#"[[1,4111111111111111]]"#, format!(r#"[[1,"{card}"]]"#)),
        (r#"{"n":-378282246310005,"m":1}"#, format!(r#"{{"n":"{card}","m":1}}"#)),
        (r#"{"n":4111111111111111e5}"#, format!(r#"{{"n":"{card}"}}"#)),
        (r#"{"n":"\"4111111111111111","m":4111111111111111}"#, format!(r#"{{"n":"\"{card}","m":"{card}"}}"#)),
        (r#"{"phone":4155552671}"#, r#"{"phone":"[PHONE_1]"}"#.to_owned()),
        (r#"{"to":"j\u00fcrgen@example.org\n"}"#, r#"{"to":"[EMAIL_1]\n"}"#.to_owned()),
        (r#"{"a":"\nsecret\\secret"}"#, r#"{"a":"\n[WORD_1]\\[WORD_1]"}"#.to_owned()),
        (r#"{"a":"is\nYm9iQGV4YW1wbGUuY29t"}"#, r#"{"a":"is\n[EMAIL_1]"}"#.to_owned()),
        (r#"{"a":"is\u006fYm9iQGV4YW1wbGUuY29t"}"#, r#"{"a":"is\u006f[EMAIL_1]"}"#.to_owned()),
        (r#"{"a":"4111111111111111"#, format!(r#"{{"a":"{card}"#)),
        ("[4111 1111 1111 1111]", format!("[{card}]")),
        ("{4111111111111111}", format!("{{{card}}}")),
        ("the card: 4111111111111111, yes", format!("the card: {card}, yes")),
        ("[EMAIL_1] is 4111111111111111, yes", format!("[EMAIL_1] is {card}, yes")),
    ] {
        assert_eq!(masked(text, &mut Masker::new(), &actions).unwrap(), expected);
    }
}

#[test]
fn a_value_keeps_its_number_however_it_is_escaped() {
    let (mut masker, actions) = (Masker::new(), actions(&[(Entity::Email, MASK)], &[(1, MASK)]));
    let text = r"bob@x.com bob\u0040x.com bob\\u0040x.com A\bob@x.com secret \u0073ecret";
    let expected = "[EMAIL_1] [EMAIL_1] [EMAIL_1] A[EMAIL_1] [WORD_1] [WORD_1]";
    assert_eq!(masked(text, &mut masker, &actions).unwrap(), expected);
}
