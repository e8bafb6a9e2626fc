//! What is found and what is not, type by type; and that the work is linear.

mod cards;
mod coded;
mod phone;

use super::window::READS;
use super::{CompileError, Detectors, Finding, What, WordList};
use crate::vocabulary::Entity;

fn found(text: &str) -> Vec<(&'static str, &str)> {
    let list = WordList {
        id: "projects".into(),
        words: vec!["Project Falcon".into(), "falcon".into(), "机密".into()],
    };
    let detectors = Detectors::compile(Entity::ALL.iter().copied(), [list]).unwrap();
    let mut findings = Vec::new();
    detectors.scan(text, &mut findings);
    findings.iter().map(|finding| (finding.what.label(), &text[finding.start..finding.end])).collect()
}

fn only(entity: Entity, text: &str) -> Option<&str> {
    match found(text).as_slice() {
        [] => None,
        [(label, value)] if *label == entity.as_str() => Some(value),
        other => panic!("{other:?} in {text:?}"),
    }
}

#[test]
fn addresses() {
    for (text, address) in [
        ("write to bob@example.com.", "bob@example.com"),
        ("<Bob.O'Brien+tag@mail.example.co.uk>", "Bob.O'Brien+tag@mail.example.co.uk"),
        ("mailto:a_b%c@x-y.org?subject=hi", "a_b%c@x-y.org"),
        ("wait..bob@example.com--thanks", "bob@example.com"),
        ("bob@example.com.", "bob@example.com"),
        (r#"{"body":"Hello\nbob@example.com\tsee you"}"#, "bob@example.com"),
        (r#"{"to":"ada\u0040example\u002Eorg"}"#, r"ada\u0040example\u002Eorg"),
        (r#"{"x":"{\"to\":\"ada\\u0040example.org\"}"}"#, r"ada\\u0040example.org"),
        (r"see j\u00fcrgen@example.org\/x", r"j\u00fcrgen@example.org"),
        (r"\\nbob@example.com\\n", "bob@example.com"),
        (r"DOMAIN\bob@example.com", r"\bob@example.com"),
        (r"C:\Users\ann@example.com", "ann@example.com"),
        ("почта: иван@почта.рф, да", "иван@почта.рф"),
        ("我的邮箱是bob@example.com谢谢", "bob@example.com"),
        ("x@y.xn--p1ai", "x@y.xn--p1ai"),
        ("„bob@example.com“", "bob@example.com"),
        ("bob@example.com2 a@b.example.com.2024", "a@b.example.com"),
    ] {
        assert_eq!(only(Entity::Email, text), Some(address), "{text}");
    }
    for text in [
        "@decorator",
        "a @ b",
        "icon@2x.png",
        "user@localhost",
        "pkg@1.2.3",
        "a@.com",
        "a@b",
        "git@github.com:o/r",
        "@@@",
        r"import pytest\n@pytest.fixture\ndef f():",
    ] {
        assert_eq!(only(Entity::Email, text), None, "{text}");
    }
}

#[test]
fn a_local_part_longer_than_allowed_is_masked_in_its_end() {
    let text = format!("{}@example.com", "x".repeat(70));
    assert_eq!(only(Entity::Email, &text), text.get(6..));
}

#[test]
fn bank_accounts() {
    for (text, iban) in [
        ("pay DE89 3704 0044 0532 0130 00 now", "DE89 3704 0044 0532 0130 00"),
        ("gb29nwbk60161331926819", "gb29nwbk60161331926819"),
        ("IBAN:BE68539007547034;", "BE68539007547034"),
        ("my IBAN is GB29NWBK60161331926818", "GB29NWBK60161331926818"),
        ("NO93-8601-1117-947", "NO93-8601-1117-947"),
        (r"to\nGB29NWBK60161331926819", "GB29NWBK60161331926819"),
        (r"to\fr7630006000011234567890189", r"\fr7630006000011234567890189"),
        (r"IBAN \nl91abna0417164301", r"\nl91abna0417164301"),
    ] {
        assert_eq!(only(Entity::InternationalBankAccountNumber, text), Some(iban), "{text}");
    }
    for text in [
        "GB29NWBK60161331926818",
        "X1GB29NWBK60161331926819",
        "GB29NWBK60161331926819a1",
        "IBANGB29NWBK60161331926818",
        "GB29NWBK601613319268190",
        "DE12 items",
        "US12345678901234567890",
    ] {
        assert_eq!(only(Entity::InternationalBankAccountNumber, text), None, "{text}");
    }
}

#[test]
fn words_are_whole_and_of_any_case() {
    assert_eq!(found("Falcons"), []);
    assert_eq!(found("x_falcon"), []);
    for (text, word) in [
        (r"as\nfalcon\tflies", "falcon"),
        (r"see\falcon", r"\falcon"),
        (r"\\falcon", r"\\falcon"),
        (r"\u0066alc\u006Fn", r"\u0066alc\u006Fn"),
    ] {
        assert_eq!(found(text), [("WORD", word)]);
    }
    assert_eq!(found("a\nalcon"), [], "a line's end is no letter");
    assert_eq!(found(r"Project\n falcon"), [("WORD", r"Project\n falcon"), ("WORD", "falcon")]);
    assert_eq!(found("PROJECT  falcon!"), [("WORD", "PROJECT  falcon"), ("WORD", "falcon")]);
    assert_eq!(found("这是机密文件"), [("WORD", "机密")]);
}

#[test]
fn case_88_what_a_reader_sees_is_found_however_it_is_written() {
    let spaced = |text: &str, with: &str| text.chars().map(|c| format!("{c}{with}")).collect::<String>();
    let wide = |text: &str| {
        text.chars()
            .map(|c| char::from_u32(u32::from(c) + 0xfee0).filter(|_| c.is_ascii_graphic()).unwrap_or(c))
            .collect::<String>()
    };
    for (label, value) in [
        ("EMAIL", "bob@example.com"),
        ("CREDIT_DEBIT_CARD_NUMBER", "4111 1111 1111 1111"),
        ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", "GB29NWBK60161331926819"),
        ("PHONE", "+44 20 7946 0958"),
        ("WORD", "falcon"),
    ] {
        let written = [
            spaced(value, "\u{200b}"),
            spaced(value, "\u{2060}\u{feff}"),
            spaced(value, "\u{ad}"),
            wide(value),
            format!("\u{202e}{value}\u{202c}"),
            format!("\u{2067}{value}\u{2069}"),
            spaced(value, "\u{e0041}"),
            spaced(value, "\u{301}"),
            value.replace('o', "о").replace('a', "а").replace('e', "е").replace('c', "с"),
            value.replace(' ', "\u{a0}"),
            value.replace('-', "\u{2011}"),
            value.to_uppercase(),
            value.chars().map(|c| format!("%{:02x}", u32::from(c))).collect(),
            value.chars().map(|c| format!("%25{:02X}", u32::from(c))).collect(),
            value.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
            value.chars().map(|c| format!("&amp;#x{:x};", u32::from(c))).collect(),
            value.replace('@', "%40").replace('1', "%31").replace(' ', "%20"),
            value.replace('@', "&#64;").replace('1', "&#x31;").replace(' ', "&nbsp;"),
            value.replace('@', "&commat;").replace('.', "&period;").replace('+', "&plus;"),
            value.replace('@', "&#8203;@").replace('1', "1&#x200b;"),
            value.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
            value.chars().map(|c| format!("\\\\u{:04X}", u32::from(c))).collect(),
            value.replace('@', r"\u0040").replace('1', r"\u0031").replace(' ', r"\u00a0"),
            value.replace('@', r"\u200b@").replace('1', r"\ud835\udfcf"),
            spaced(value, "\u{e0041}\u{202e}\u{2066}"),
        ];
        for text in written {
            let labels: Vec<_> =
                found(&format!("so {text} it is")).into_iter().map(|(label, _)| label).collect();
            assert_eq!(labels, [label], "{}", text.escape_unicode());
        }
    }
}

#[test]
fn lists_that_could_not_work_are_refused() {
    let compile =
        |words: Vec<String>| Detectors::compile([], [WordList { id: "l".into(), words }]).unwrap_err();
    assert_eq!(compile(vec!["\u{200b}".into()]), CompileError::BlankWord { list: "l".into() });
    assert!(matches!(compile(vec!["x".repeat(201)]), CompileError::WordTooLong { .. }));
    assert_eq!(compile(vec!["x".into(); 50_001]), CompileError::TooManyWords);
    let lists = (0..4_097).map(|_| WordList { id: String::new(), words: Vec::new() });
    assert_eq!(Detectors::compile([], lists).unwrap_err(), CompileError::TooManyLists);
}

/// case_93: what is counted is bytes read by detectors, which no machine makes slower.
#[test]
fn case_93_a_megabyte_of_anything_is_read_a_bounded_number_of_times() {
    let words =
        ["aaaaaaaaaaaaaaaaaaaab", "a a a a a a a a a a a b", "1 1 1 1 1 1 1 2"].map(String::from).to_vec();
    let detectors =
        Detectors::compile(Entity::ALL.iter().copied(), [WordList { id: String::new(), words }]).unwrap();
    for (unit, bound) in [
        ("a", 2),
        ("1", 4),
        ("@", 4),
        ("a@", 220),
        ("a.", 2),
        ("1 ", 220),
        ("1-", 220),
        ("+", 2),
        ("(", 2),
        ("4111 ", 120),
        ("a a@a.aa ", 220),
        ("GB29 ", 120),
        ("call 1 ", 120),
        ("phone 123 456 789 ", 60),
        ("0", 4),
        ("00 ", 220),
        ("(1)", 220),
        ("a ", 60),
        ("aaaaa ", 20),
        ("12-34-56-78 phone x ", 60),
        ("a.a@a.", 220),
        ("aA", 260),
        ("aA1b=", 60),
        ("Ym9iQGV4YW1wbGUuY29t ", 220),
        ("\u{e0041}", 4),
        ("\u{e0040}a", 220),
        ("%", 2),
        ("&", 2),
        ("%4", 30),
        ("&#6", 30),
        ("%40", 4),
        ("a%40", 220),
        ("&amp;", 30),
        ("\\", 2),
        ("\\u", 4),
        ("\\u00", 4),
        ("\\\\u0061", 4),
        ("\\n", 60),
        ("\\u0031", 4),
        ("\\fr7", 120),
        ("\\ud835", 30),
        ("a\\u0040", 220),
    ] {
        let size: usize = if bound <= 4 { 1 << 20 } else { 1 << 17 };
        let text = unit.repeat(size / unit.len());
        READS.set(0);
        let mut findings: Vec<Finding> = Vec::new();
        detectors.scan(&text, &mut findings);
        let per_byte = READS.get() / text.len() as u64;
        assert!(per_byte <= bound, "{per_byte} reads a byte of {unit:?}, at most {bound}");
        assert!(findings.iter().all(|finding| finding.what != What::Entity(Entity::CreditDebitCardNumber)));
    }
}
