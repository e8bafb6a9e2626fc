//! The tape against another parser, and its bounds.

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::*;

fn read(text: &[u8]) -> Result<Tape, Fault> {
    let mut tape = Tape::default();
    tape.read(text).map(|()| tape).map_err(|malformed| malformed.fault)
}

#[test]
fn what_json_is_not() {
    let bad: [&[u8]; 28] = [
        b"",
        b" ",
        b"{",
        b"}",
        b"[",
        b"[1,]",
        b"{\"a\":1,}",
        b"{\"a\"}",
        b"{a:1}",
        b"{\"a\":}",
        b"[1 2]",
        b"nul",
        b"NaN",
        b"-Infinity",
        b"01",
        b"1.",
        b".5",
        b"1e",
        b"+1",
        b"- 1",
        b"\"\n\"",
        b"\"\\x\"",
        b"\"\\ud800\"",
        b"\"\\udc00\\ud800\"",
        b"\"\\u12g4\"",
        b"\"open",
        b"{} {}",
        b"\xef\xbb\xbf{}",
    ];
    for text in bad {
        assert_eq!(read(text).map(drop), Err(Fault::Syntax), "{:?}", String::from_utf8_lossy(text));
    }
    assert_eq!(read(b"\"\xff\"").map(drop), Err(Fault::Utf8));
    assert_eq!(read(b"\"\xed\xa0\x80\"").map(drop), Err(Fault::Utf8), "a surrogate in UTF-8");
}

#[test]
fn duplicates_are_seen_at_any_level_and_however_escaped() {
    let wide: String = (0..40).map(|n| format!("\"k{n}\":0,")).collect();
    for text in [
        r#"{"model":1,"model":2}"#.to_owned(),
        r#"{"model":1,"mod\u0065l":2}"#.to_owned(),
        r#"{"a":[{"b":{"c":1,"x":0,"c":2}}]}"#.to_owned(),
        format!("{{{wide}\"k\\u0037\":1}}"),
    ] {
        assert!(matches!(read(text.as_bytes()), Err(Fault::Duplicate(_))), "{text}");
    }
    assert!(read(br#"{"a":{"a":{"a":1}},"A":[{"a":1},{"a":1}]}"#).is_ok());
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(read(nested(DEPTH).as_bytes()).is_ok());
    assert_eq!(read(nested(DEPTH + 1).as_bytes()).map(drop), Err(Fault::Depth));
    assert_eq!(read("[".repeat(100_000).as_bytes()).map(drop), Err(Fault::Depth));
    let many = format!("[{}\"\"]", "\"\",".repeat(NODES));
    assert_eq!(read(many.as_bytes()).map(drop), Err(Fault::TooMany));
    let numbers = format!("[{}0]", "0,".repeat(NODES));
    let tape = read(numbers.as_bytes()).unwrap();
    assert_eq!(tape.root(numbers.as_bytes()).unwrap().len(), NODES + 1);
}

#[test]
fn values_stand_where_they_are_written() {
    let text = br#" {"a" : ["x\ny", {"b":true}, 3], "c":"d"} "#;
    let tape = read(text).unwrap();
    let root = tape.root(text).unwrap();
    let array = root.get("a").unwrap();
    assert_eq!((array.len(), array.elements().count()), (3, 2), "a number in an array is counted only");
    let first = array.elements().next().unwrap();
    assert_eq!((first.raw(), first.text().as_ref()), (&br#""x\ny""#[..], "x\ny"));
    assert_eq!(root.get("c").unwrap().raw(), br#""d""#);
    let leaves: Vec<String> = root.leaves().map(|leaf| leaf.text().into_owned()).collect();
    assert_eq!(leaves, ["a", "x\ny", "b", "c", "d"]);
    assert_eq!(root.range(), 1..text.len() - 1);
}

#[test]
fn long_numbers_are_found_wherever_they_stand() {
    let text = br#"[1,7777771,{"a":7777772,"b":[2,[7777773.5],0.12345678]},"s",-7777774,1.2345678e-5]"#;
    let tape = read(text).unwrap();
    let root = tape.root(text).unwrap();
    let label = |label: Option<Value<'_>>| label.map_or_else(String::new, |label| label.text().into_owned());
    let numbers: Vec<_> =
        root.numbers().map(|(of, number)| (label(of), std::str::from_utf8(number.raw()).unwrap())).collect();
    let expected = [("", "7777771"), ("a", "7777772"), ("b", "7777773.5"), ("s", "-7777774")];
    assert_eq!(numbers, expected.map(|(label, number)| (label.to_owned(), number)));
    assert_eq!((root.len(), root.elements().count()), (6, 2), "elements are not numbers, however long");
    let array = root.elements().next().unwrap().get("b").unwrap();
    assert_eq!((array.len(), array.elements().count()), (3, 1));
}

/// What serde_json makes of a text, duplicates refused like ours.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
        while seq.next_element::<Strict>()?.is_some() {}
        Ok(Strict)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
        let mut seen = std::collections::HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key) {
                return Err(serde::de::Error::custom("twice"));
            }
            map.next_value::<Strict>()?;
        }
        Ok(Strict)
    }
}

/// Texts near JSON: pieces of it in any order, so that about half of the short ones are valid.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"\\u0061\""),
        Just("\"b\\n\""),
        Just("1"),
        Just("-0.5e-3"),
        Just("0"),
        Just("null"),
        Just("true"),
        Just(" "),
        Just("\\"),
        Just("\"\\ud83d\\ude00\""),
        Just("\"\\ud83d\""),
        Just("\"é\""),
        Just("\u{1}"),
    ];
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

fn valid_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i32>().prop_map(|n| n.to_string()),
        ".{0,12}".prop_map(|s| serde_json::to_string(&s).unwrap()),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(|v| format!("[{}]", v.join(", "))),
            proptest::collection::vec((".{0,3}", inner), 0..6).prop_map(|members| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(k, v)| format!("{}:{v}", serde_json::to_string(k).unwrap()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn another_parser_agrees(text in prop_oneof![nearly_json(), valid_json(), ".{0,30}"]) {
        let theirs = serde_json::from_str::<Strict>(&text).is_ok();
        prop_assert_eq!(read(text.as_bytes()).is_ok(), theirs, "{}", text);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let theirs = serde_json::from_slice::<IgnoredAny>(&bytes).is_ok();
        prop_assert!(theirs || read(&bytes).is_err());
    }

    #[test]
    fn strings_survive(text in "\\PC*", control in any::<[u8; 4]>()) {
        let text: String = text.chars().chain(control.map(char::from)).collect();
        let mut written = vec![b'"'];
        text::escape(&text, &mut written);
        written.push(b'"');
        prop_assert_eq!(&serde_json::from_slice::<String>(&written).unwrap(), &text);
        let tape = read(&written).unwrap();
        let root = tape.root(&written).unwrap();
        let decoded = root.text();
        prop_assert_eq!(decoded.as_ref(), text.as_str());
    }
}
