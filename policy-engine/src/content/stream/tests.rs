//! What is held and for how long, what it costs, and what goes on after a block.

use std::sync::Arc;

use super::{HELD_MAX, HoldBack};
use crate::content::detect::{Detectors, READS, What, WordList};
use crate::content::mask::{Blocked, Masker};
use crate::decision::Actions;
use crate::vocabulary::{Entity, MaskAction};

fn hold(action: MaskAction) -> HoldBack {
    let words = vec!["project falcon".to_owned()];
    let detectors =
        Detectors::compile(Entity::ALL.iter().copied(), [WordList { id: "w".into(), words }]).unwrap();
    let mut actions = Actions::default();
    Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, action));
    actions.tighten_words(0, action);
    HoldBack::new(Arc::new(detectors), Arc::new(actions))
}

/// What each piece lets go.
fn let_go(pieces: &[&str]) -> Vec<String> {
    let (mut hold, mut masker) = (hold(MaskAction::Mask), Masker::new());
    let mut gone = Vec::new();
    for piece in pieces {
        let mut out = String::new();
        hold.push(piece, &mut masker, &mut out).unwrap();
        gone.push(out);
    }
    let mut out = String::new();
    hold.finish(&mut masker, &mut out).unwrap();
    gone.push(out);
    gone
}

#[test]
fn what_no_candidate_can_grow_from_passes_at_once() {
    assert_eq!(let_go(&["", "Well, ", "— ", "这是机密", "! "]), ["", "Well, ", "— ", "这是机密", "! ", ""]);
}

#[test]
fn a_candidate_is_held_until_it_is_one_or_is_none() {
    assert_eq!(let_go(&["to bo", "b@x", ".com", ", ok"]), ["to ", "", "", "[EMAIL_1], ", "ok"]);
    assert_eq!(let_go(&["in 20", "24 we ", "had +", " and 1"]), ["in ", "2024 we ", "had ", "+ and ", "1"]);
    assert_eq!(let_go(&["my proj", "ect fal", "l", " proj"]), ["my ", "", "project ", "fall ", "proj"]);
    assert_eq!(let_go(&["4111 1111 ", "1111 1111", "."]), ["", "", "", "[CREDIT_DEBIT_CARD_NUMBER_1]."]);
}

#[test]
fn choices_of_one_request_share_their_numbers() {
    let (mut first, mut second, mut masker) = (hold(MaskAction::Mask), hold(MaskAction::Mask), Masker::new());
    let (mut a, mut b) = (String::new(), String::new());
    first.push("x@x.com ", &mut masker, &mut a).unwrap();
    second.push("y@x.com x@x", &mut masker, &mut b).unwrap();
    first.push("y@x.com ", &mut masker, &mut a).unwrap();
    second.push(".com ", &mut masker, &mut b).unwrap();
    assert_eq!((a.as_str(), b.as_str()), ("[EMAIL_1] [EMAIL_2] ", "[EMAIL_2] [EMAIL_1] "));
}

#[test]
fn after_a_block_nothing_passes_and_the_reason_stays() {
    let (mut hold, mut masker, mut out) = (hold(MaskAction::Block), Masker::new(), String::new());
    let blocked = Err(Blocked { what: What::Entity(Entity::Email) });
    assert_eq!(hold.push("so bob@x.com is it, ", &mut masker, &mut out), blocked);
    assert_eq!(hold.push("and more ", &mut masker, &mut out), blocked);
    assert_eq!(hold.finish(&mut masker, &mut out), blocked);
    assert_eq!(out, "so ");
    assert_eq!(hold.found(), [(What::Entity(Entity::Email), 1)]);
}

#[test]
fn prose_in_chunks_of_four_tokens_is_hardly_held() {
    let prose = "The committee met in 2024 to discuss the budget. It approved 3 of the 12 proposals (about 25 percent), and asked \
                 for a new draft by 10:30 on Monday; the well-known state-of-the-art design isn't final, e.g. section 4.2.1. ";
    let text = prose.repeat(50);
    // Tokens as vendors cut them: a word with the space before it.
    let starts: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).chain([text.len()]).collect();
    let (mut hold, mut masker, mut from) = (hold(MaskAction::Mask), Masker::new(), 0);
    let mut waits = Vec::new();
    let mut waiting = 0;
    for to in starts.chunks(4).filter_map(|tokens| tokens.last().copied()) {
        let mut out = String::new();
        hold.push(&text[from..to], &mut masker, &mut out).unwrap();
        from = to;
        waiting = if out.is_empty() { waiting + 1 } else { 0 };
        waits.push(waiting);
    }
    waits.sort_unstable();
    let (median, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    assert!(median == 0 && p99 <= 1, "chunks held: p50 {median}, p99 {p99}");
}

#[test]
fn nothing_is_held_longer_than_stated_and_a_character_costs_a_bounded_number_of_reads() {
    for unit in [
        "a",
        "1",
        "@",
        "a.",
        "a@",
        "a@a.",
        "1 ",
        "1-",
        "(",
        "+",
        "4111 ",
        "GB29NWBK6016 ",
        "phone 123 456 7890 x",
        "project ",
        "project   ",
        "a\u{200b}",
        "１",
        "'",
        "a'",
        "-",
        "é",
        "机",
        "\\",
        "\\n",
        "\\u0031",
        "\\fr7",
        "a\\u0040",
    ] {
        let text = unit.repeat(20_000 / unit.len());
        let (mut hold, mut masker, mut out) = (hold(MaskAction::Mask), Masker::new(), String::new());
        READS.set(0);
        let mut most = 0;
        for (at, c) in text.char_indices() {
            hold.push(&text[at..at + c.len_utf8()], &mut masker, &mut out).unwrap();
            most = most.max(hold.held());
        }
        let reads = READS.get() / text.chars().count() as u64;
        assert!(most <= HELD_MAX, "{most} bytes of {unit:?} held");
        assert!(reads <= 1_500, "{reads} reads a character of {unit:?}");
    }
}
