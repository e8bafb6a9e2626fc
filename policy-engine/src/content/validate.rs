//! What numbers prove about themselves: checksums, issuers' ranges, lengths by country.
//!
//! Law: pure functions of digits; whether the text around makes a number likely is `detect`'s to weigh.

/// Longest IBAN, characters.
pub(super) const IBAN_MAX: usize = 34;

/// Whether decimal digits (values, not ASCII) pass the Luhn check of ISO/IEC 7812-1.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    !digits.is_empty() && sum.is_multiple_of(10)
}

/// Whether a card scheme issues numbers of this start and length (issuer identification ranges as the schemes publish them).
pub(super) fn is_issued(digits: &[u8]) -> bool {
    let head = |n: usize| digits.iter().take(n).fold(0_u32, |head, digit| head * 10 + u32::from(*digit));
    let length = digits.len();
    let (two, three, four) = (head(2), head(3), head(4));
    match two {
        40..=49 => matches!(length, 13 | 16 | 19),
        51..=55 => length == 16,
        34 | 37 => length == 15,
        30 | 38 | 39 => length == 14 && (two != 30 || matches!(three, 300..=305 | 309)),
        36 => (14..=19).contains(&length),
        35 => (16..=19).contains(&length) && (3528..=3589).contains(&four),
        22..=27 => {
            (length == 16 && (2200..=2720).contains(&four)) || ((17..=19).contains(&length) && four <= 2204)
        }
        60 => (16..=19).contains(&length) && matches!(four, 6011 | 6060..=6085),
        62 | 65 | 81 | 82 => (16..=19).contains(&length),
        64 => (16..=19).contains(&length) && four >= 6440,
        50 | 56..=58 | 63 | 67 => {
            (13..=19).contains(&length)
                && matches!(four, 5018 | 5020 | 5038 | 5061 | 5078..=5085 | 5612 | 5893 | 6304 | 6390 | 6759..=6763)
        }
        97 => length == 16 && four == 9792,
        _ => false,
    }
}

/// Whether upper-case letters and digits in IBAN order pass mod 97-10 of ISO 7064.
pub(super) fn mod97(iban: &[u8]) -> bool {
    let (head, body) = iban.split_at(iban.len().min(4));
    let rest = body.iter().chain(head).fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        _ => rest,
    });
    rest == 1
}

/// Characters of an IBAN by country (the SWIFT IBAN registry, release 99).
pub(super) fn iban_length(country: [u8; 2]) -> Option<usize> {
    Some(match &country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FO" | b"FI" | b"GL" | b"NL" | b"FK" | b"SD" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"XK" | b"LT" | b"LU" | b"MN" => 20,
        b"HR" | b"LV" | b"LI" | b"CH" => 21,
        b"BH" | b"BG" | b"CR" | b"GE" | b"DE" | b"IE" | b"ME" | b"RS" | b"GB" | b"VA" => 22,
        b"TL" | b"GI" | b"IQ" | b"IL" | b"OM" | b"AE" | b"SO" => 23,
        b"AD" | b"CZ" | b"MD" | b"PK" | b"RO" | b"SA" | b"SK" | b"ES" | b"SE" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" | b"BI" | b"DJ" => 27,
        b"AL" | b"AZ" | b"CY" | b"DO" | b"GT" | b"HU" | b"LB" | b"PL" | b"BY" | b"SV" | b"NI" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    })
}

/// Digits of the country calling code that a number in international form starts with (ITU-T E.164, assigned codes).
pub(super) fn calling_code(digits: &[u8]) -> Option<usize> {
    let value =
        |n: usize| digits.get(..n).map(|d| d.iter().fold(0_u16, |code, digit| code * 10 + u16::from(*digit)));
    if matches!(value(1), Some(1 | 7)) {
        return Some(1);
    }
    let two = value(2)?;
    if matches!(two, 20 | 27 | 30..=34 | 36 | 39..=41 | 43..=49 | 51..=58 | 60..=66 | 81 | 82 | 84 | 86 | 90..=95 | 98)
    {
        return Some(2);
    }
    let three = value(3)?;
    matches!(three,
        211..=213 | 216 | 218 | 220..=258 | 260..=269 | 290 | 291 | 297..=299 | 350..=359 | 370..=378 | 380..=383
        | 385..=387 | 389 | 420 | 421 | 423 | 500..=509 | 590..=599 | 670 | 672..=683 | 685..=692 | 800 | 808 | 850
        | 852 | 853 | 855 | 856 | 870 | 878 | 880..=883 | 886 | 888 | 960..=968 | 970..=977 | 979 | 992..=996 | 998)
    .then_some(3)
}

#[cfg(test)]
mod tests {
    use super::{calling_code, iban_length, is_issued, luhn, mod97};

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect()
    }

    #[test]
    fn the_schemes_test_numbers_are_cards() {
        for card in [
            "4111111111111111",
            "4222222222222",
            "5555555555554444",
            "5105105105105100",
            "2223003122003222",
            "378282246310005",
            "371449635398431",
            "6011111111111117",
            "6011000990139424",
            "3530111333300000",
            "3566002020360505",
            "30569309025904",
            "38520000023237",
            "36227206271667",
            "6200000000000005",
            "6759649826438453",
            "2200000000000004",
            "6304000000000000",
        ] {
            assert!(luhn(&digits(card)) && is_issued(&digits(card)), "{card}");
        }
    }

    #[test]
    fn a_changed_digit_or_an_unissued_range_is_no_card() {
        for card in ["4111111111111112", "5555555555554445"] {
            assert!(!luhn(&digits(card)), "{card}");
        }
        for card in
            ["0000000000000000", "1234567812345670", "41111111111111", "9999999999999995", "3700000000000002"]
        {
            assert!(!is_issued(&digits(card)), "{card}");
        }
        assert!(!luhn(&[]));
    }

    #[test]
    fn the_registrys_examples_are_ibans() {
        for iban in [
            "NO9386011117947",
            "BE68539007547034",
            "NL91ABNA0417164300",
            "SI56263300012039086",
            "AT611904300234573201",
            "CH9300762011623852957",
            "DE89370400440532013000",
            "GB29NWBK60161331926819",
            "AE070331234567890123456",
            "ES9121000418450200051332",
            "PT50000201231234567890154",
            "TR330006100519786457841326",
            "FR1420041010050500013M02606",
            "PL61109010140000071219812874",
            "BR9700360305000010009795493P1",
            "KW81CBKU0000000000001234560101",
            "MT84MALT011000012345MTLCAST001S",
            "LC55HEMM000100010012001200023015",
        ] {
            let country = [iban.as_bytes()[0], iban.as_bytes()[1]];
            assert_eq!(iban_length(country), Some(iban.len()), "{iban}");
            assert!(mod97(iban.as_bytes()), "{iban}");
        }
        assert!(!mod97(b"DE89370400440532013001"));
        assert_eq!(iban_length(*b"US"), None);
    }

    #[test]
    fn calling_codes_are_those_assigned() {
        for (number, length) in
            [("12025550123", 1), ("442079460958", 2), ("35312345678", 3), ("8613800138000", 2)]
        {
            assert_eq!(calling_code(&digits(number)), Some(length), "{number}");
        }
        for number in ["0123", "21012345678", "99912345678", "8"] {
            assert_eq!(calling_code(&digits(number)), None, "{number}");
        }
    }
}
