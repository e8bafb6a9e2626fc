//! Fields of a registry's answer, as a card has them.
//!
//! Law: a field of another form than it should have is as if it were absent, and what is longer than a card's is cut: a vendor's new words
//! hold up nothing. An id is never cut, nor is a word, and places are all there or not known. Deliberately absent: any vendor's names of fields.

use std::collections::BTreeSet;

use jiff::Timestamp as Stamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use policy_engine::vocabulary::Instant;
use prost_types::Timestamp;
use serde_json::Value;

/// The longest id, description and other text, in bytes.
const ID: usize = 256;
const PROSE: usize = 2_048;
const TEXT: usize = 256;

/// The longest word, in bytes, and the most words of one list.
const WORD: usize = 64;
const WORDS: usize = 16;

/// What is escaped in a query: all but the unreserved (RFC 3986, 2.3), as signatures have it.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The first text of these pointers (RFC 6901) that is one.
pub(super) fn text(of: &Value, pointers: &[&str]) -> String {
    cut(found(of, pointers), TEXT)
}

/// The same, of a description.
pub(super) fn prose(of: &Value, pointers: &[&str]) -> String {
    cut(found(of, pointers), PROSE)
}

/// A model's name at its vendor; none where it can't be one.
pub(super) fn id(text: Option<&Value>) -> Option<String> {
    let id = text?.as_str()?;
    let fits = (1..=ID).contains(&id.len()) && !id.chars().any(|c| c.is_control() || c.is_whitespace());
    fits.then(|| id.to_owned())
}

/// The first number of tokens that is one; 0: none is.
pub(super) fn tokens(of: &Value, pointers: &[&str]) -> u32 {
    let numbers = pointers.iter().filter_map(|pointer| of.pointer(pointer)?.as_u64());
    numbers.filter(|number| *number > 0).find_map(|number| u32::try_from(number).ok()).unwrap_or_default()
}

/// Whether a flag is set; none: there is none.
pub(super) fn flag(of: &Value, pointer: &str) -> Option<bool> {
    of.pointer(pointer)?.as_bool()
}

/// Whether a list has a word.
pub(super) fn has(of: &Value, pointer: &str, word: &str) -> bool {
    list(of, pointer).iter().any(|item| item.as_str() == Some(word))
}

/// The items of a list.
pub(super) fn list<'v>(of: &'v Value, pointer: &str) -> &'v [Value] {
    of.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The words of a list as our own, by a table of theirs and ours; what is in no table is left out.
pub(super) fn words(of: &Value, pointer: &str, table: &[(&str, &str)]) -> Vec<String> {
    let of_table = |item: &Value| {
        let word = item.as_str()?;
        table.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(word)).map(|(_, ours)| *ours)
    };
    let mut found: Vec<String> = Vec::new();
    for word in list(of, pointer).iter().filter_map(of_table) {
        if !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    found
}

/// The words of a list as they are; what can't be one is left out, and so is what is beyond the most of them.
pub(super) fn as_they_are(of: &Value, pointer: &str) -> Vec<String> {
    list(of, pointer).iter().filter_map(word).take(WORDS).collect()
}

/// Places, all of them: where there are too many, or one can't be one, they are not known, for some alone would be another claim.
pub(super) fn places(all: impl IntoIterator<Item = Option<String>>) -> Vec<String> {
    let all: Option<BTreeSet<String>> = all.into_iter().collect();
    all.filter(|all| all.len() <= WORDS).unwrap_or_default().into_iter().collect()
}

/// A word as it is; none where it can't be one.
pub(super) fn word(text: &Value) -> Option<String> {
    fitting(text.as_str()?)
}

/// The same of a text.
pub(super) fn fitting(text: &str) -> Option<String> {
    let fits = (1..=WORD).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// What a table names that is so.
pub(super) fn those(table: &[(bool, &str)]) -> Vec<String> {
    table.iter().filter(|(is, _)| *is).map(|(_, word)| (*word).to_owned()).collect()
}

/// A time: a date, an instant (RFC 3339), or seconds of Unix time.
pub(super) fn time(of: &Value, pointers: &[&str]) -> Option<Timestamp> {
    let read = |value: &Value| match value {
        Value::String(text) => Instant::parse(text).ok().map(proto::convert::timestamp),
        Value::Number(number) => {
            // Some write milliseconds or fractions; a second is near enough for a day.
            let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))?;
            let stamp = Stamp::from_second(seconds).ok().filter(|_| seconds > 0)?;
            Some(Timestamp { seconds: stamp.as_second(), nanos: 0 })
        }
        _ => None,
    };
    pointers.iter().filter_map(|pointer| of.pointer(pointer)).find_map(read)
}

/// A value in a query, escaped.
pub(super) fn escaped(value: &str) -> String {
    utf8_percent_encode(value, ESCAPED).to_string()
}

/// The token of the next page, where one is told.
pub(super) fn token<'v>(of: &'v Value, field: &str) -> Option<&'v str> {
    of.get(field)?.as_str().filter(|token| !token.is_empty())
}

fn found<'v>(of: &'v Value, pointers: &[&str]) -> &'v str {
    let mut texts = pointers.iter().filter_map(|pointer| of.pointer(pointer)?.as_str());
    texts.find(|text| !text.trim().is_empty()).unwrap_or_default().trim()
}

/// The beginning of a text; control characters, ends of lines among them, become blanks.
fn cut(text: &str, most: usize) -> String {
    let mut taken = String::with_capacity(text.len().min(most));
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if taken.len() + c.len_utf8() > most {
            break;
        }
        taken.push(c);
    }
    taken.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_another_form_is_absent_and_what_is_long_is_cut() {
        let entry =
            json!({"a": 7, "b": "", "c": " x\u{7} ", "d": "ü".repeat(2_000), "n": "12", "m": -3, "k": 5});
        assert_eq!(text(&entry, &["/a", "/b", "/c"]), "x");
        assert_eq!((text(&entry, &["/d"]).len(), prose(&entry, &["/d"]).len()), (TEXT, PROSE));
        assert_eq!((tokens(&entry, &["/n", "/m"]), tokens(&entry, &["/n", "/k"])), (0, 5));
        assert_eq!(id(Some(&json!("a b"))), None);
        assert_eq!(id(Some(&json!("x".repeat(ID + 1)))), None);
        assert_eq!(id(Some(&json!("meta/llama:8b"))).unwrap(), "meta/llama:8b");
    }

    #[test]
    fn words_fit_and_places_are_all_there_or_not_known() {
        let entry = json!({"w": ["tools", "x".repeat(WORD), "x".repeat(WORD + 1), "a\nb", "", 7, "b"]});
        assert_eq!(as_they_are(&entry, "/w"), ["tools", "x".repeat(WORD).as_str(), "b"]);
        let many = json!({ "w": vec!["x"; WORDS + 1] });
        assert_eq!(as_they_are(&many, "/w").len(), WORDS);
        let of = |all: Vec<Value>| places(all.iter().map(word));
        assert_eq!(of(vec![json!("US"), json!("EU"), json!("US")]), ["EU", "US"]);
        for unfit in [json!("x".repeat(WORD + 1)), json!("a\u{7}"), json!(""), json!(null)] {
            assert_eq!(of(vec![json!("EU"), unfit]), Vec::<String>::new());
        }
        let numbered = |count: usize| (0..count).map(|n| json!(format!("r-{n:02}"))).collect::<Vec<_>>();
        assert_eq!((of(numbered(WORDS)).len(), of(numbered(WORDS + 1)).len()), (WORDS, 0));
    }

    #[test]
    fn times_are_read_as_vendors_write_them() {
        let at = |value: Value| time(&json!({ "t": value }), &["/t"]).map(|at| at.seconds);
        let midnight = Some(1_764_547_200);
        assert_eq!(at(json!("2025-12-01")), midnight);
        assert_eq!(at(json!("2025-12-01T00:00:00Z")), midnight);
        assert_eq!(at(json!(1_764_547_200)), midnight);
        assert_eq!(at(json!(1_764_547_200.0)), midnight);
        for none in [json!(null), json!("soon"), json!(0), json!(-5), json!({}), json!(1e300)] {
            assert_eq!(at(none.clone()), None, "{none}");
        }
    }
}
