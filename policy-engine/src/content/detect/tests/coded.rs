//! What is written in base64, in hexadecimal digits and in tag characters.

use super::super::{Detectors, Sieve};
use super::found;
use crate::content::stream::HELD_MAX;
use crate::vocabulary::Entity;

/// RFC 4648, section 4, without padding.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = text.bytes().flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1)).collect::<Vec<_>>();
    let value = |six: &[u8]| (0..6).fold(0, |sum, n| sum << 1 | six.get(n).copied().unwrap_or(0));
    bits.chunks(6).map(|six| char::from(ALPHABET[usize::from(value(six))])).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn case_88_coded_runs_are_found_whole() {
    let tags = |text: &str| -> String {
        text.chars().filter_map(|c| char::from_u32(u32::from(c) + 0xe0000)).collect()
    };
    for (label, value) in [
        ("EMAIL", "bob@example.com"),
        ("EMAIL", "my address is bob@example.com, do write"),
        ("CREDIT_DEBIT_CARD_NUMBER", "4111 1111 1111 1111"),
        ("CREDIT_DEBIT_CARD_NUMBER", "4444444444444448"),
        ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", "GB29NWBK60161331926819"),
        ("PHONE", "+44 20 7946 0958"),
    ] {
        let plain = base64(value);
        let padded = format!("{plain}==");
        let safe = plain.replace('+', "-").replace('/', "_");
        for (before, run) in
            [("", &plain), ("", &padded), ("", &safe), ("data:text/plain;base64,", &padded), ("k=", &plain)]
        {
            assert_eq!(found(&format!("so {before}{run} it is")), [(label, run.as_str())], "{value}");
        }
        for glued in ["files/", "x_", "a-b-c/", "keyX"] {
            let run = format!("{glued}{plain}");
            assert_eq!(found(&run), [(label, run.as_str())], "{value}");
        }
        let hidden = tags(value);
        assert_eq!(found(&format!("so{hidden} it is")), [(label, hidden.as_str())], "{value}");
    }
    let run = base64("bob@example.com");
    assert_eq!(
        found(&format!("{} {run}", "aB".repeat(300))),
        [("EMAIL", run.as_str())],
        "behind one too long"
    );
    assert_eq!(found(&base64("the plan of falcon")), [("WORD", base64("the plan of falcon").as_str())]);
    for text in [
        "aHR0cHM6Ly9leGFtcGxlLmNvbS9wYXRo".to_owned(),
        "HttpServletRequestWrapperFactoryBean".to_owned(),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9".to_owned(),
        tags(&format!("{} bob@example.com", "x ".repeat(200))),
    ] {
        assert_eq!(found(&text), [], "{text}");
    }
}

#[test]
fn case_88_a_long_run_is_read_as_it_comes() {
    for length in [200, 201, 202, 2_000] {
        let text = format!("{} bob@example.com, falcon {}", "x ".repeat(length), "y ".repeat(length));
        for glued in ["", "files/", "x_"] {
            let run = format!("so {glued}{}= it is", base64(&text));
            let [("EMAIL", address), ("WORD", word)] = found(&run)[..] else { panic!("{:?}", found(&run)) };
            // The characters that say them, and no more than a byte beside them.
            assert!((20..=22).contains(&address.len()) && (8..=10).contains(&word.len()), "{address} {word}");
        }
        let run = hex(&text);
        let [("EMAIL", address), ("WORD", _)] = found(&run)[..] else { panic!("{length}") };
        assert_eq!(address, hex("bob@example.com"));
    }
    // What is no text says nothing, whatever stands in it.
    let noise: String = (0..1_000).map(|n: u32| char::from(b"\x01\x02\x90"[n as usize % 3])).collect();
    assert_eq!(found(&base64(&format!("{noise} b@x.com {noise}"))), []);
}

#[test]
fn a_long_run_is_held_no_longer_than_plain_text() {
    let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
    for text in ["x y ".repeat(600), "a.b-c.d@e.".repeat(200), "4111 1111 ".repeat(200), "1/".repeat(900)] {
        for run in [base64(&text), hex(&text)] {
            let (mut sieve, mut findings, mut most) = (Sieve::new(detectors.kinds), Vec::new(), 0);
            for (at, c) in run.char_indices() {
                sieve.push(&detectors, c.encode_utf8(&mut [0; 4]), &mut findings);
                most = most.max(at + 1 - sieve.decided());
            }
            assert!((100..=HELD_MAX).contains(&most), "{most} of {text:.20}");
            sieve.finish(&detectors, &mut findings);
            let mut whole = Vec::new();
            detectors.scan(&run, &mut whole);
            assert_eq!(findings, whole, "{text:.20}");
        }
    }
}

#[test]
fn case_88_hexadecimal_digits_are_read() {
    for (label, value) in [
        ("EMAIL", "bob@example.com"),
        ("CREDIT_DEBIT_CARD_NUMBER", "4111 1111 1111 1111"),
        ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", "GB29NWBK60161331926819"),
        ("PHONE", "+44 20 7946 0958"),
        ("WORD", "falcon at dawn"),
    ] {
        let run = hex(value);
        for glued in ["", "0x", "hex_", "f"] {
            for run in [format!("{glued}{run}"), format!("{glued}{}", run.to_uppercase())] {
                assert_eq!(found(&format!("so {run} it is")), [(label, run.as_str())], "{value}");
            }
        }
    }
    for text in
        ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "3132333435363738", "626f62"]
    {
        assert_eq!(found(text), [], "{text}");
    }
}
