//! Which characters are invisible, which digits are digits, and which letters look like Latin ones.
//!
//! Law: a table is closed and small; what it does not name is left to Unicode's compatibility decomposition.
//! Sources: Unicode `DerivedCoreProperties` (Default_Ignorable_Code_Point), `UnicodeData` (Nd), UTS 39 confusables (a selection).

/// Whether a character is not seen: format and bidi controls, joiners, tags, variation selectors, fillers, and combining marks of
/// the Latin, Greek and Cyrillic kind (the marks of Indic scripts and the points of Hebrew are letters to their readers).
pub(super) fn is_invisible(c: char) -> bool {
    is_mark(c)
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Whether an invisible character belongs to the one before it: a mark, a variation selector, a joiner.
pub(in crate::content) fn is_extending(c: char) -> bool {
    is_mark(c) || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{200d}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether the script writes no space between words (Han, Kana, Thai and its kin), or hangs particles on them (Hangul).
pub(in crate::content) fn is_continuous_script(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{f00}'..='\u{fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a character of such a script stands for another: compatibility ideographs, radicals, half-width Kana, native digits.
pub(super) fn is_compatibility_form(c: char) -> bool {
    matches!(c, '\u{e33}' | '\u{e50}'..='\u{e59}' | '\u{eb3}' | '\u{ed0}'..='\u{edd}' | '\u{f0c}' | '\u{f20}'..='\u{f29}'
        | '\u{f77}' | '\u{f79}' | '\u{1040}'..='\u{1049}' | '\u{1090}'..='\u{1099}' | '\u{17b4}' | '\u{17b5}'
        | '\u{17e0}'..='\u{17e9}' | '\u{2e80}'..='\u{2fdf}' | '\u{309b}'..='\u{309f}' | '\u{30ff}'
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{2f800}'..='\u{2fa1f}')
}

/// Where the ten digits of a script start (Nd, without those that decompose to ASCII).
const ZEROS: [u32; 41] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50,
    0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0x104a0, 0x11066, 0x110f0, 0x11136, 0x111d0,
    0x1e950,
];

/// The ASCII digit of a decimal digit of any script.
pub(super) fn digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let below = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    let value = code.checked_sub(*ZEROS.get(below)?)?;
    char::from_digit(value, 10)
}

/// Whether a character is of the everyday ones that neither are nor fold to a digit or an `@`. Errs to no.
pub(super) fn is_plain(c: char) -> bool {
    matches!(c, '\u{a0}'..='\u{b1}' | '\u{b4}'..='\u{b8}' | '\u{ba}' | '\u{bb}' | '\u{bf}'..='\u{65f}' | '\u{2010}'..='\u{2027}'
        | '\u{2030}'..='\u{205e}' | '\u{20ac}' | '\u{2190}'..='\u{21ff}' | '\u{3000}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{1f300}'..='\u{1faff}')
}

/// The Latin letters, lower case, that a lower-case letter or a punctuation mark is mistaken for.
pub(super) fn look_alike(c: char) -> Option<&'static str> {
    Some(match c {
        // Cyrillic, by the capital's look where capital and small letter differ, so that case stays immaterial
        'а' => "a",
        'в' => "b",
        'е' | 'є' => "e",
        'һ' | 'н' => "h",
        'і' | 'ӏ' => "i",
        'ј' => "j",
        'к' => "k",
        'м' => "m",
        'о' => "o",
        'р' => "p",
        'с' => "c",
        'ѕ' => "s",
        'т' => "t",
        'у' | 'ү' => "y",
        'х' => "x",
        'ԁ' => "d",
        'ԛ' => "q",
        'ԝ' => "w",
        // Greek
        'α' => "a",
        'β' => "b",
        'ε' => "e",
        'η' => "h",
        'ι' => "i",
        'κ' => "k",
        'μ' => "m",
        'ν' => "v",
        'ο' => "o",
        'ρ' => "p",
        'τ' => "t",
        'υ' => "y",
        'χ' => "x",
        'ζ' => "z",
        // Latin beyond ASCII, and Armenian
        'ı' | 'ɩ' => "i",
        'ł' | 'ƚ' => "l",
        'ø' | 'օ' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'ɑ' => "a",
        'ɡ' => "g",
        'ս' => "u",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        // punctuation that reads as a hyphen, an apostrophe, a stop or a slash
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' | '\u{2e3a}' | '\u{30a0}' | '\u{1806}' => "-",
        '\u{2018}' | '\u{2019}' | '\u{2bc}' | '\u{2b9}' => "'",
        '\u{2044}' | '\u{2215}' => "/",
        '\u{1680}' | '\u{2028}' | '\u{2029}' | '\u{85}' => " ",
        _ => return None,
    })
}
