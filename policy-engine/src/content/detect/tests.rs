//! What is found and what is not, type by type; and that the work is linear.

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
fn cards() {
    for (text, card) in [
        ("card 4111111111111111.", "4111111111111111"),
        ("#4111-1111-1111-1111,", "4111-1111-1111-1111"),
        ("4111 1111 1111 1111 12/27 123", "4111 1111 1111 1111"),
        ("amex 3782 822463 10005", "3782 822463 10005"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
        ("４１１１ １１１１ １１１１ １１１１", "４１１１ １１１１ １１１１ １１１１"),
        ("4111111111111111 12345678901", "4111111111111111"),
        ("x_4111111111111111", "4111111111111111"),
        ("aaa4111111111111111", "4111111111111111"),
        ("карта4111111111111111", "4111111111111111"),
        ("4111111111111111a", "4111111111111111"),
        ("pan_378282246310005_v2", "378282246310005"),
        (r#"{"n":"\u0034111 1111\u00201111 1111"}"#, r"\u0034111 1111\u00201111 1111"),
        (r"was\n4111 1111 1111 1111\nand", "4111 1111 1111 1111"),
        (r"\b4111111111111111\b", "4111111111111111"),
        ("de4111111111111111", "4111111111111111"),
        ("1. 4111 1111 1111 1111", "4111 1111 1111 1111"),
    ] {
        assert_eq!(only(Entity::CreditDebitCardNumber, text), Some(card), "{text}");
    }
    for text in [
        "4111111111111112",
        "0.4111111111111111",
        "a4111111111111112",
        "a41111111111111110",
        "a4111111111111111.5",
        "x4111 1111 1111 1111",
        "4111 1111 1111 1111a",
        "sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "41111111111111110000000",
        "1234567812345670",
        "1700000000000 1700000000001",
        "550e8400-e29b-41d4-a716-446655440000",
        "4111.1111-1111 1111",
        "9f86d04111111111111111c3e1",
        "4238381727348ab0c9d1e2",
    ] {
        assert_eq!(only(Entity::CreditDebitCardNumber, text), None, "{text}");
    }
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
fn telephones_by_form() {
    for phone in [
        "+1 (415) 555-2671",
        "+14155552671",
        "(415) 555-2671",
        "415-555-2671",
        "415.555.2671",
        "1-800-555-1234",
        "+44 (0)20 7946 0958",
        "+44 20 7946 0958",
        "0044 20 7946 0958",
        "00 33 1 23 45 67 89",
        "020 7946 0958",
        "01.23.45.67.89",
        "01 23 45 67 89",
        "030/12345678",
        "+91 98765 43210",
        "+86 138 0013 8000",
        "090-1234-5678",
        "+81 90-1234-5678",
        "+33123456789",
        "+49 (0) 89 1234567",
        "(978)645-9740x11144",
        "978-645-9740 ext. 12",
        "(11) 4706-6184",
        "001-668-040-8670x1711",
        "8 (495) 123-45-67",
        "138 0013 8000",
        "0171/1234567",
        "07911 123456",
        "044 668 18 00",
        "+27-93 634.1096",
        "0049 30 12345678",
        "0049 30/12345678",
        "0049 (0)30/12345678",
        "00 49 (0) 30 12345678",
        "+49(0)30 12345678",
    ] {
        for text in
            [phone.to_owned(), format!("see {phone}, or"), format!("tel:{phone}"), format!("\"{phone}\"")]
        {
            assert_eq!(only(Entity::Phone, &text), Some(phone), "{text}");
        }
    }
    assert_eq!(found("415-555-2671 415-555-2672").len(), 2);
    assert_eq!(found("415-555-2671, 415-555-2672,42").len(), 2);
}

#[test]
fn telephones_by_what_is_said() {
    for (text, phone) in [
        ("my number is 4155552671", "4155552671"),
        ("call me at 415 555 2671", "415 555 2671"),
        ("Phone: 5551234", "5551234"),
        ("Téléphone : 12 34 56 78", "12 34 56 78"),
        ("我的电话是13800138000", "13800138000"),
        ("телефон 495 123 45 67", "495 123 45 67"),
        ("96 228011 office", "96 228011"),
        ("2813882583-Fax", "2813882583"),
        ("reach us: +999 123 4567", "+999 123 4567"),
        ("order 12, phone 481 7531", "481 7531"),
        (r#"{"phone":"03012345678"}"#, "03012345678"),
        (r#"{"customerPhone":"03012345678"}"#, "03012345678"),
        (r#"{"mobileNo":"03012345678"}"#, "03012345678"),
        (r#"{"tel_no":"03012345678"}"#, "03012345678"),
        ("Tel. Nr. 00493012345678", "00493012345678"),
        ("ruf mich an: 03012345678", "03012345678"),
        ("2) 415-555-2671", "415-555-2671"),
    ] {
        assert_eq!(only(Entity::Phone, text), Some(phone), "{text}");
    }
}

#[test]
fn what_is_no_telephone() {
    for text in [
        "at 1700000000",
        "ts=1700000000123",
        "order 1234567890",
        "call on 2024-05-12 10:30",
        "call 12/31/1999",
        "ping 192.168.1.10",
        "3.14159265",
        "1,234,567,890",
        "SSN 273-11-2517",
        "ISBN 978-0-306-40615-7",
        "zip 12345-6789",
        "v1.2.3.4",
        "0x12345678",
        "37.7749, -122.4194",
        "RFC 5321 4.1.2",
        "100 000 000",
        "2019-2024",
        "10:00-18:00",
        "call id 12345678",
        "$415-555-2671",
        "550e8400-e29b-41d4-a716-446655440000",
        "## 2.7.0 (2024-11-30)",
        "+10000-01-01",
        "02 04 01 23 45 67",
        "a 1 b 2 c 3",
        "order number 415-555-2671",
        "/images/415-555-2671/x",
        "AB-415-555-2671",
        "415-555-2671:8080",
        "phone 10:30:45",
        "call 42 times",
        "a taxi to 14 3684 Court Street",
        "in 1999 2000 2001",
        "+99 12345678",
        "0000000000",
        "00493012345678",
        r#"{"phoneNumberId":"105512345678"}"#,
        r#"{"lastCall":1700000000}"#,
        r#"{"orderNumber":"4155552671"}"#,
    ] {
        assert_eq!(only(Entity::Phone, text), None, "{text}");
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

/// RFC 4648, section 4, without padding.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = text.bytes().flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1)).collect::<Vec<_>>();
    let value = |six: &[u8]| (0..6).fold(0, |sum, n| sum << 1 | six.get(n).copied().unwrap_or(0));
    bits.chunks(6).map(|six| char::from(ALPHABET[usize::from(value(six))])).collect()
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
            let (mut sieve, mut findings, mut most) = (super::Sieve::new(detectors.kinds), Vec::new(), 0);
            for (at, c) in run.char_indices() {
                sieve.push(&detectors, c.encode_utf8(&mut [0; 4]), &mut findings);
                most = most.max(at + 1 - sieve.decided());
            }
            assert!((100..=super::super::stream::HELD_MAX).contains(&most), "{most} of {text:.20}");
            sieve.finish(&detectors, &mut findings);
            let mut whole = Vec::new();
            detectors.scan(&run, &mut whole);
            assert_eq!(findings, whole, "{text:.20}");
        }
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
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

#[test]
fn cards_in_groups_set_apart_by_signs_and_marks() {
    for (text, card) in [
        ("4111/1111/1111/1111", "4111/1111/1111/1111"),
        ("4111 / 1111 / 1111 / 1111", "4111 / 1111 / 1111 / 1111"),
        ("4111_1111_1111_1111,", "4111_1111_1111_1111"),
        ("card_4111_1111_1111_1111_v2", "4111_1111_1111_1111"),
        ("my_card_4111-1111-1111-1111", "4111-1111-1111-1111"),
        ("card=4111+1111+1111+1111&cvv=123", "4111+1111+1111+1111"),
        ("4111,1111,1111,1111, thanks", "4111,1111,1111,1111"),
        ("12/27\n4111\n1111\n1111\n1111\n123", "4111\n1111\n1111\n1111"),
        ("4111 1111\r\n1111 1111", "4111 1111\r\n1111 1111"),
        ("Card:\t4111\t1111\t1111\t1111", "4111\t1111\t1111\t1111"),
        ("4111**1111**1111**1111", "4111**1111**1111**1111"),
        ("**4111** **1111** **1111** **1111**", "4111** **1111** **1111** **1111"),
        ("__4111__-__1111__-__1111__-__1111__", "4111__-__1111__-__1111__-__1111"),
        ("<b>4111</b><B class='x'>1111</B>1111<br/>1111", "4111</b><B class='x'>1111</B>1111<br/>1111"),
        (r#"{"to": "4111\n1111\n1111\n1111"}"#, r"4111\n1111\n1111\n1111"),
        ("amex 3782/822463/10005", "3782/822463/10005"),
        ("4_1_1_1_1_1_1_1_1_1_1_1_1_1_1_1", "4_1_1_1_1_1_1_1_1_1_1_1_1_1_1_1"),
    ] {
        assert_eq!(only(Entity::CreditDebitCardNumber, text), Some(card), "{text}");
    }
    for text in [
        "4112/1111/1111/1111",
        "4111/1111-1111/1111",
        "/4111/1111/1111/1111",
        "https://x.test/4111/1111/1111/1111",
        "4111/1111/1111/1111/file",
        "4111/1111/1111/1111/1111",
        "1_4111_1111_1111_1111",
        "4111_1111_1111_1111_2024",
        "0x4111_1111_1111_1111",
        "4111+1111+1111+1111 = 7444",
        "4111+1111+1111+1111=7444",
        "4111, 1111, 1111, 1111",
        "[4111,1111,1111,1111]",
        "a,4111,1111,1111,1111",
        "4111,1111,1111,1111,Ada",
        "5555,5555,5555,4444\n4111,1111,1111,1111\n1,2,3,4",
        "1,2,3,4\n4111,1111,1111,1111",
        "Ada\t4111\t1111\t1111\t1111",
        "4111\t1111\t1111\t1111\tAda",
        "2345\n4111\n1111\n1111\n1111",
        "4111\n1111\n1111\n1111\n1234",
        "4111\n\n1111\n\n1111\n\n1111",
        "<td>4111</td><td>1111</td><td>1111</td><td>1111</td>",
        "4111 | 1111 | 1111 | 1111",
        "4111:1111:1111:1111",
        "4,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
        r"5555,5555,5555,4444\n4111,1111,1111,1111\n1,2,3,4",
        "2020,2021,2022,2023",
    ] {
        assert_eq!(only(Entity::CreditDebitCardNumber, text), None, "{text}");
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
