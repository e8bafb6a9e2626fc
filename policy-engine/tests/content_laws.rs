//! Laws of content: every chunking masks alike, nothing held without cause, nothing raw behind a block.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test takes for granted may stop it"
)]

use std::sync::Arc;

use policy_engine::content::{Detectors, HoldBack, Masker, What, WordList, mask, stream};
use policy_engine::decision::Actions;
use policy_engine::vocabulary::{Entity, MaskAction};
use proptest::prelude::*;
use proptest::test_runner::Config;

fn detectors() -> Arc<Detectors> {
    let list = |words: &[&str]| WordList {
        id: String::new(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    let projects = ["project falcon", "falcon eye", "Project Falcon Nine", "секрет", "机密", "ab"];
    Arc::new(
        Detectors::compile(
            Entity::ALL.iter().copied(),
            [list(&projects), list(&["call", "bob"]), list(&["fax"])],
        )
        .unwrap(),
    )
}

fn actions(entities: &[(Entity, MaskAction)], lists: &[(u32, MaskAction)]) -> Arc<Actions> {
    let mut actions = Actions::default();
    entities.iter().for_each(|(entity, action)| actions.tighten(*entity, *action));
    lists.iter().for_each(|(list, action)| actions.tighten_words(*list, *action));
    Arc::new(actions)
}

fn all(action: MaskAction) -> Arc<Actions> {
    let entities: Vec<_> = Entity::ALL.iter().map(|entity| (*entity, action)).collect();
    actions(&entities, &[(0, action), (1, MaskAction::Detect)])
}

/// Any of the five kinds masked, the others left alone.
fn some() -> impl Strategy<Value = Arc<Actions>> {
    (0_u32..32).prop_map(|set| {
        let chosen = |entity: &&Entity| set & entity.bit() != 0;
        let entities: Vec<_> =
            Entity::ALL.iter().filter(chosen).map(|entity| (*entity, MaskAction::Mask)).collect();
        let lists: &[_] = if set < 16 { &[] } else { &[(0, MaskAction::Mask)] };
        actions(&entities, lists)
    })
}

/// Fragments that make, break, join and almost make findings.
const FRAGMENTS: &[&str] = &[
    "\\nbob@example.com",
    "\\t",
    "\\",
    "\\\\",
    "\\u",
    "\\u0040",
    "\\\\u0040",
    "\\u0034",
    "\\u003",
    "1\\u0020",
    "\\ud835",
    "\\ud835\\udfcf",
    "\\\\ud835\\\\udfcf",
    "\\u200b",
    "\\u0301",
    "\\u00fc",
    "\\/",
    "\\\"",
    "\\n",
    "\\b",
    "\\fr7630006000011234567890189",
    "\\falcon",
    "\\fr",
    "\\ud835bob@example.com",
    "{\"a\":",
    "[4111111111111111",
    "-",
    ",-378282246310005.0",
    "e5",
    "}",
    "\",",
    "bob@example.com",
    "ann.lee+x@mail.co.uk",
    "o'brien@x.org",
    "bob",
    "@",
    "example",
    ".com",
    ".",
    "a@b.cd",
    "2x.png",
    "xn--p1ai",
    "пётр@почта.рф",
    "4111 1111 1111 1111",
    "4111111111111111",
    "x_4111111111111111",
    "bob%40example.com",
    "NDExMTExMTExMTExMTExMQ==",
    "Ym9iQGV4YW1wbGUuY29t",
    "Ym9iQGV4",
    "NDEx",
    "aBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaB",
    "MTEx",
    "VGhlIGFkZHJlc3MgaXMgYm9iQGV4YW1wbGUuY29tIGFuZCB0aGUgcGhvbmUgaXMgKzQ0IDIwIDc5NDYgMDk1OCwgc2F5cyBmYWxjb24gZXllLiBU",
    "626f62406578616d706c652e636f6d",
    "20746f20",
    "4111/1111/1111/1111",
    "4111_1111",
    "_1111",
    "4111\t1111\n1111\n",
    "1111",
    "<b>",
    "</b>",
    "**",
    "iban_DE89370400440532013000",
    "customerPhone",
    "=",
    "==",
    "\u{e0062}\u{e006f}\u{e0062}\u{e0040}\u{e0078}\u{e002e}\u{e0063}\u{e006f}",
    "\u{e006d}",
    "%4",
    "%34",
    "%25",
    "%20",
    "&",
    "&#",
    "&#64;",
    "&#x4",
    "&amp;",
    "&commat;",
    "&#8203;",
    "&com",
    ";",
    "de4111111111111111",
    "378282246310005",
    "5555-5555-5555-4444",
    "4",
    "1",
    "1 1",
    "+44 20 7946 0958",
    "001-668-040-8670x1711",
    "(978)645-9740",
    "978-645-9740 ext. 12",
    "0479 50 54 03",
    "481 7531",
    "2546712361",
    "phone ",
    "call ",
    "tel: ",
    "order ",
    " fax",
    "-Office",
    "2024-05-12 10:30",
    "10.1.2.3",
    "3.14159265",
    "GB29NWBK60161331926819",
    "DE89 3704 0044 0532 0130 00",
    "gb",
    "GB2",
    "IBAN ",
    "BE68539007547034",
    "project",
    " falcon",
    "Project  Falcon",
    " eye",
    " nine",
    "ab",
    "секрет",
    "机密",
    "这是",
    "СЕКРЕТ",
    "\u{200b}",
    "\u{200b}\u{200d}\u{fe0f}",
    "\u{301}",
    "\u{202e}",
    "\u{e0041}",
    "ｂｏｂ＠ｘ．ｃｏｍ",
    "４１１１",
    "№",
    "é",
    "👨‍👩‍👧",
    "ﬁ",
    "\u{fdfa}",
    " ",
    " ",
    " ",
    "\n",
    ", ",
    "-",
    "--",
    "+",
    "(",
    ")",
    "/",
    "_",
    "%",
    "x",
    "'",
    ":",
    "0",
    "00",
    "[EMAIL_1]",
    "and so on and so forth, as was said, ",
    "[",
    "\u{2011}",
    "\u{a0}",
    "的",
    "ß",
    "٤١١١",
    "\0",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "11111111111111111111111",
    "1 2 3 4 5 6 7 8 9 0 1 2 3",
    "a.b.c.d.e.f.g.h",
    "\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}",
];

/// JSON that holds what is found, as values, keys, numbers, and JSON within a string; at times with every sign escaped.
fn json() -> impl Strategy<Value = String> {
    let text = prop::collection::vec((0..FRAGMENTS.len()).prop_map(|n| FRAGMENTS[n]), 0..4);
    let text = text.prop_map(|parts| parts.concat());
    let cards = [4111111111111111_i64, -378282246310005, 7, -1, 2546712361, 4155552671];
    let leaf = prop_oneof![
        4 => text.clone().prop_map(serde_json::Value::from),
        4 => (0..cards.len()).prop_map(move |n| serde_json::Value::from(cards[n])),
        1 => Just(serde_json::json!([true, null, 0.4111, 1e-9])),
    ];
    let value = leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(text.clone(), inner.clone(), 1..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            inner.prop_map(|inner| serde_json::json!({ "phone": inner.to_string() })),
        ]
    });
    (value, any::<bool>(), any::<bool>()).prop_map(|(value, escaped, pretty)| {
        let value = serde_json::json!({ "phone": value });
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        if escaped { text.replace('@', "\\u0040").replace("bob", "b\\u006fb") } else { text }
    })
}

/// Whether a card is written as a number.
fn has_card(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => {
            ["4111111111111111", "-378282246310005"].contains(&number.to_string().as_str())
        }
        serde_json::Value::Array(values) => values.iter().any(has_card),
        serde_json::Value::Object(members) => members.values().any(has_card),
        _ => false,
    }
}

fn text() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        12 => (0..FRAGMENTS.len()).prop_map(|n| FRAGMENTS[n].to_owned()),
        2 => "[a-z0-9@.+ ()-]{1,12}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop_oneof![9 => 0_usize..24, 1 => 40_usize..120]
        .prop_flat_map(move |length| prop::collection::vec(fragment.clone(), length))
        .prop_map(|parts| parts.concat())
}

/// Where to cut, as lengths in characters; used over and over.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        prop::collection::vec(1_usize..9, 1..12),
        prop::collection::vec(1_usize..60, 1..6)
    ]
}

fn chunks<'t>(text: &'t str, cuts: &[usize]) -> Vec<&'t str> {
    let mut cuts = cuts.iter().cycle();
    let (mut rest, mut chunks) = (text, Vec::new());
    while !rest.is_empty() {
        let length = *cuts.next().unwrap();
        let at = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
        let (chunk, tail) = rest.split_at(at);
        chunks.push(chunk);
        rest = tail;
    }
    chunks
}

fn whole(detectors: &Detectors, actions: &Actions, text: &str) -> String {
    let mut findings = Vec::new();
    detectors.scan(text, &mut findings);
    for finding in &findings {
        assert!(
            text.get(finding.start..finding.end).is_some_and(|found| !found.is_empty()),
            "{finding:?} in {text:?}"
        );
    }
    mask::apply(text, &findings, actions, &mut Masker::new()).unwrap().into_owned()
}

fn streamed(detectors: &Arc<Detectors>, actions: &Arc<Actions>, chunks: &[&str]) -> String {
    let (mut hold, mut masker, mut out) =
        (HoldBack::new(Arc::clone(detectors), Arc::clone(actions)), Masker::new(), String::new());
    for chunk in chunks {
        hold.push(chunk, &mut masker, &mut out).unwrap();
        assert!(hold.held() <= stream::HELD_MAX * 17 * 4, "{} bytes held", hold.held());
    }
    hold.finish(&mut masker, &mut out).unwrap();
    assert_eq!(hold.held(), 0);
    out
}

fn cases(short: u32) -> Config {
    let cases = if std::env::var_os("CHANCERY_LONG").is_some() { 1_000_000 } else { short };
    Config { cases, failure_persistence: None, ..Config::default() }
}

#[test]
fn case_87_every_chunking_masks_like_the_whole() {
    let detectors = detectors();
    let actions = prop_oneof![Just(all(MaskAction::Mask)), some()];
    proptest!(cases(2_000), |(text in text(), cuts in cuts(), actions in actions)| {
        prop_assert_eq!(streamed(&detectors, &actions, &chunks(&text, &cuts)), whole(&detectors, &actions, &text));
    });
}

#[test]
fn what_goes_on_from_a_number_goes_with_it_wherever_a_stream_is_cut() {
    let (detectors, actions) = (detectors(), all(MaskAction::Mask));
    for text in [
        "[4111111111111111++44 20 7946 0958\\/\\nbob@example.com",
        "[4111111111111111+4111111111111111]",
        "[4111111111111111-.+bob@example.com, 1]",
    ] {
        let masked = whole(&detectors, &actions, text);
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            assert_eq!(streamed(&detectors, &actions, &[head, tail]), masked, "{head:?} and {tail:?}");
        }
    }
}

#[test]
fn what_was_json_is_json_masked_and_every_chunking_masks_it_alike() {
    let (detectors, actions) = (detectors(), all(MaskAction::Mask));
    proptest!(cases(1_000), |(text in json(), cuts in cuts())| {
        let masked = whole(&detectors, &actions, &text);
        let read = serde_json::from_str::<serde_json::Value>(&masked);
        prop_assert!(read.is_ok(), "{text} gave {masked}");
        prop_assert!(!has_card(&read.unwrap()), "{text} gave {masked}");
        prop_assert_eq!(streamed(&detectors, &actions, &chunks(&text, &cuts)), masked);
    });
}

#[test]
fn a_blocked_stream_lets_go_of_what_stood_before_and_of_nothing_else() {
    let detectors = detectors();
    let actions = actions(
        &[(Entity::Email, MaskAction::Mask), (Entity::CreditDebitCardNumber, MaskAction::Block)],
        &[(0, MaskAction::Mask)],
    );
    proptest!(cases(500), |(before in text(), after in text(), cuts in cuts())| {
        let text = format!("{before} ; 4111 1111 1111 1111 ; {after}");
        let mut findings = Vec::new();
        detectors.scan(&text, &mut findings);
        let blocked = mask::blocked(&findings, &actions).unwrap();
        let ahead: Vec<_> = findings.into_iter().take_while(|finding| *finding != blocked).collect();
        let cut = ahead.iter().filter(|f| f.what == What::Entity(Entity::Email) || f.what == What::Word(0)).map(|f| f.end);
        let cut = cut.fold(blocked.start, usize::max);
        let ahead_masked = mask::apply(&text[..cut], &ahead, &actions, &mut Masker::new()).unwrap();
        let (mut hold, mut masker, mut out) = (HoldBack::new(Arc::clone(&detectors), Arc::clone(&actions)), Masker::new(), String::new());
        let mut refused = false;
        for chunk in chunks(&text, &cuts) {
            let answer = hold.push(chunk, &mut masker, &mut out);
            prop_assert!(!refused || answer.is_err());
            refused |= answer.is_err();
        }
        prop_assert!(hold.finish(&mut masker, &mut out).is_err());
        prop_assert_eq!(out, ahead_masked);
    });
}

#[test]
fn detecting_only_alters_and_holds_nothing() {
    let (detectors, actions) = (detectors(), all(MaskAction::Detect));
    proptest!(cases(500), |(text in text(), cuts in cuts())| {
        let (mut hold, mut masker) = (HoldBack::new(Arc::clone(&detectors), Arc::clone(&actions)), Masker::new());
        for chunk in chunks(&text, &cuts) {
            let mut out = String::new();
            hold.push(chunk, &mut masker, &mut out).unwrap();
            prop_assert_eq!(&out, chunk);
        }
        let mut out = String::new();
        hold.finish(&mut masker, &mut out).unwrap();
        prop_assert_eq!(out, "");
        let mut findings = Vec::new();
        detectors.scan(&text, &mut findings);
        findings.retain(|finding| finding.what != What::Word(2));
        let counted: u32 = hold.found().iter().map(|(_, count)| count).sum();
        prop_assert_eq!(counted as usize, findings.len());
    });
}

#[test]
fn what_was_said_long_before_counts_alike_in_a_stream() {
    let (detectors, actions) = (detectors(), all(MaskAction::Mask));
    let filler = "so it was and so it is ";
    for distance in 0..6 {
        let text = format!("{}phone {}96 228011 .", filler.repeat(40), filler.repeat(distance));
        let expected = whole(&detectors, &actions, &text);
        assert_eq!(expected.contains("[PHONE_1]"), distance < 4, "{distance}");
        assert_eq!(streamed(&detectors, &actions, &chunks(&text, &[1])), expected);
    }
}

#[test]
fn what_is_looked_for_beside_it_changes_no_finding() {
    let detectors = detectors();
    let phones = actions(&[(Entity::Phone, MaskAction::Mask)], &[]);
    let text = "call 4222222222222 or 481 7531 ";
    assert_eq!(whole(&detectors, &phones, text), "call 4222222222222 or [PHONE_1] ");
    assert_eq!(streamed(&detectors, &phones, &[text]), "call 4222222222222 or [PHONE_1] ");
}
