use proptest::prelude::*;

use super::*;

const CAP: usize = 1024;

fn split(pieces: &[&[u8]]) -> Vec<Event> {
    let mut splitter = Splitter::new(CAP);
    let mut events = Vec::new();
    for piece in pieces {
        splitter.push(Bytes::copy_from_slice(piece));
        while let Some(event) = splitter.next_event().unwrap() {
            events.push(event);
        }
    }
    events.extend(splitter.finish());
    events
}

fn payloads(text: &str) -> Vec<Option<String>> {
    let text_of = |data: &Bytes| String::from_utf8(data.to_vec()).unwrap();
    split(&[text.as_bytes()]).iter().map(|event| event.data.as_ref().map(text_of)).collect()
}

#[test]
fn case_49_the_oddities_of_real_streams() {
    let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
    assert_eq!(payloads("data: a\n\ndata: b\n\n"), some(&["a", "b"]));
    assert_eq!(payloads("data: a\r\n\r\ndata: b\r\n\r\n"), some(&["a", "b"]));
    assert_eq!(payloads("data: a\r\rdata: b\r\r"), some(&["a", "b"]));
    assert_eq!(payloads("data: a\r\n\ndata: b\n\r\ndata: c\r\r\n"), some(&["a", "b", "c"]), "mixed ends");
    assert_eq!(payloads("\u{feff}data: a\n\n\u{feff}data: b\n\n"), [Some("a".to_owned()), None], "one BOM");
    assert_eq!(payloads("data:a\n\ndata:  a\n\n"), some(&["a", " a"]), "one space at most");
    assert_eq!(payloads("data: a\ndata: b\ndata:\n\n"), some(&["a\nb\n"]), "several lines");
    assert_eq!(payloads("data\n\n"), some(&[""]), "a field without a colon");
    assert_eq!(payloads(": ping\n\ndata: a\n: note\nid: 7\nretry: 1\n\n"), [None, Some("a".to_owned())]);
    assert_eq!(payloads("\n\n\r\ndata: a\n\n\n\n"), some(&["a"]), "idle blank lines");
    assert_eq!(payloads("data: [DONE]"), some(&["[DONE]"]), "no line end at all");
    assert_eq!(payloads("data: [DONE]\n"), some(&["[DONE]"]), "no blank line");
    assert_eq!(payloads("data: [DONE]\n\ndata: x\n\n"), some(&["[DONE]", "x"]), "events after the end");
    assert_eq!(payloads("Data: a\ndatas: b\n\n"), [None], "names are exact");
    assert_eq!(payloads("data: \u{2028}é\n\n"), some(&["\u{2028}é"]), "only LF and CR end lines");
    assert_eq!(payloads(""), []);
    assert_eq!(payloads("\n"), []);
}

#[test]
fn names_spans_and_the_end_mark() {
    let events = split(&[b"event: delta\ndata: {\"a\":1}\n\ndata: [DONE]\n\n"]);
    let first = &events[0];
    assert_eq!((first.name.as_ref(), first.is_done()), (&b"delta"[..], false));
    assert_eq!(first.raw.get(first.span.clone().unwrap()), first.data.as_deref());
    assert!(events[1].is_done() && events[1].name.is_empty());
}

#[test]
fn an_event_inside_one_piece_is_a_slice_of_it() {
    let piece = Bytes::from_static(b"data: one\n\ndata: two\n\n");
    let mut splitter = Splitter::new(CAP);
    splitter.push(piece.clone());
    let within = piece.as_ptr_range();
    let mut seen = 0;
    while let Some(event) = splitter.next_event().unwrap() {
        assert!(within.contains(&event.raw.as_ptr()) && within.contains(&event.data.unwrap().as_ptr()));
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn an_event_is_given_as_soon_as_it_is_complete() {
    for complete in ["data: a\n\n", "data: a\r\n\r\n", "data: a\r\r", "\u{feff}data:a\n\n"] {
        let mut splitter = Splitter::new(CAP);
        splitter.push(Bytes::from(complete));
        assert!(splitter.next_event().unwrap().is_some(), "{complete:?}");
    }
}

#[test]
fn case_46_an_event_over_the_cap_ends_the_stream() {
    let fits = format!("data: {}\n\n", "x".repeat(CAP - 8));
    assert_eq!(split(&[fits.as_bytes()]).len(), 1);

    let mut splitter = Splitter::new(CAP);
    for _ in 0..CAP {
        splitter.push(Bytes::from_static(b"x"));
        assert_eq!(splitter.next_event().unwrap(), None);
    }
    splitter.push(Bytes::from_static(b"x"));
    assert_eq!(splitter.next_event().unwrap_err().kind, Kind::TooLarge);
    splitter.push(Bytes::from_static(b"\n\ndata: a\n\n"));
    assert_eq!(splitter.next_event().unwrap(), None);
    assert_eq!(splitter.finish(), None);

    let mut idle = Splitter::new(CAP);
    idle.push(Bytes::from(vec![b'\n'; CAP + 1]));
    assert!(idle.next_event().is_err(), "blank lines alone do not grow without end either");
}

proptest! {
    #[test]
    fn every_chunking_gives_the_same_events(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("\n"), Just("\r"), Just("\r\n"), Just("\n\n"), Just("\r\n\r\n"), Just("\r\r"),
                Just("data: a"), Just("data:b"), Just("data: é"), Just("event: x"), Just(": c"),
                Just("\u{feff}"), Just("data: [DONE]"), Just(":"), Just("id"),
            ],
            0..24,
        ),
        cuts in proptest::collection::vec(0usize..400, 0..24),
    ) {
        let text = parts.concat();
        let bytes = text.as_bytes();
        let whole = split(&[bytes]);

        let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&split(&pieces), &whole);

        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&split(&single), &whole);

        let joined: Vec<u8> = whole.iter().flat_map(|event| event.raw.to_vec()).collect();
        prop_assert!(bytes.starts_with(&joined), "raw bytes are the bytes that came");
        let rest = &bytes[joined.len()..];
        prop_assert!(rest.iter().all(|byte| matches!(byte, b'\n' | b'\r')), "only blank lines are left");
        for event in &whole {
            if let Some(span) = event.span.clone() {
                prop_assert_eq!(&event.raw[span], event.data.as_deref().unwrap());
            }
        }
    }
}
