//! Frames made by AWS's own library for Rust (`aws-smithy-eventstream`), which is not the one that is tested here: cutting, caps and types are.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};

use super::*;

/// A frame of a type.
pub(in crate::upstream) fn frame(message: &str, of: (&str, &str), payload: impl AsRef<[u8]>) -> Vec<u8> {
    let text = |text: &str| HeaderValue::String(text.to_owned().into());
    let made = Message::new(payload.as_ref().to_vec())
        .add_header(Header::new(":message-type", text(message)))
        .add_header(Header::new(of.0.to_owned(), text(of.1)))
        .add_header(Header::new(":content-type", text("application/json")));
    let mut bytes = Vec::new();
    write_message_to(&made, &mut bytes).unwrap();
    bytes
}

fn all(bytes: &[u8], piece: usize, cap: usize) -> Result<Vec<String>, Kind> {
    every(Framing::Frames, bytes, (piece, cap))
}

fn every(framing: Framing, bytes: &[u8], (piece, cap): (usize, usize)) -> Result<Vec<String>, Kind> {
    let mut cut = Cut::of(framing, cap);
    let mut read = Vec::new();
    for piece in bytes.chunks(piece) {
        cut.push(Bytes::copy_from_slice(piece));
        while let Some(data) = cut.next_data().map_err(|error| error.kind)? {
            read.push(String::from_utf8(data.to_vec()).unwrap());
        }
    }
    let rest = cut.finish().map_err(|error| error.kind)?;
    read.extend(rest.map(|rest| String::from_utf8(rest.to_vec()).unwrap()));
    Ok(read)
}

#[test]
fn lines_are_the_same_however_they_are_cut() {
    let bytes = "{\"a\":1}\n\n{\"ä\":2}\r\n \n{\"c\":3}";
    for piece in 1..=bytes.len() {
        let lines = every(Framing::Lines, bytes.as_bytes(), (piece, 10)).unwrap();
        assert_eq!(lines, ["{\"a\":1}", "", "{\"ä\":2}", "", "{\"c\":3}"], "{piece}");
        assert_eq!(every(Framing::Lines, b"123456\n1234567890", (piece, 6)), Err(Kind::TooLarge), "{piece}");
    }
    assert_eq!(every(Framing::Lines, b"", (1, 8)).unwrap(), [""]);
    let marked = "\u{feff}{}\n\u{feff}{}\n\t";
    for piece in 1..=marked.len() {
        let lines = every(Framing::Lines, marked.as_bytes(), (piece, 10)).unwrap();
        assert_eq!(lines, ["{}", "\u{feff}{}", ""], "{piece}");
    }
}

#[test]
fn frames_are_the_same_however_they_are_cut() {
    let mut bytes = frame("event", (":event-type", "messageStart"), r#"{"role":"assistant","p":"abc"}"#);
    bytes.extend(frame("event", (":event-type", "contentBlockStop"), ""));
    bytes.extend(frame("exception", (":exception-type", "throttlingException"), r#"{"message":"slow"}"#));
    bytes.extend(frame("error", (":error-message", "broken"), ""));
    let expected = [
        r#"{"messageStart":{"role":"assistant","p":"abc"}}"#,
        r#"{"contentBlockStop":{}}"#,
        r#"{"throttlingException":{"message":"slow"}}"#,
        r#"{"error":{"message":"broken"}}"#,
    ];
    for piece in 1..=bytes.len() {
        assert_eq!(all(&bytes, piece, 1 << 20).unwrap(), expected, "{piece}");
    }
}

#[test]
fn what_is_no_frame_or_too_large_a_one_ends_it() {
    let good = frame("event", (":event-type", "messageStop"), r#"{"stopReason":"end_turn"}"#);
    for at in [8, 9, 20, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(all(&bad, 7, 1 << 20), Err(Kind::Protocol), "{at}");
    }
    assert_eq!(all(&good, 7, good.len() - 1), Err(Kind::TooLarge));
    assert_eq!(all(&[0xff; 12], 1, 1 << 20), Err(Kind::TooLarge), "it is not waited for");
    assert_eq!(all(&[0; 12], 1, 1 << 20), Err(Kind::Protocol));
    assert_eq!(all(&good[..good.len() - 1], 7, 1 << 20), Err(Kind::Reset));
    let typeless = frame("event", ("other", "x"), "{}");
    assert_eq!(all(&typeless, 7, 1 << 20), Err(Kind::Protocol));
}
