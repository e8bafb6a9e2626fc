mod changed;
mod given;
mod long;

use std::io::BufReader;

use given::{Given, header, keys, note, pair, report};
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::checkpoint::{Checkpoint, VerifierKey};

#[test]
fn an_export_is_spelled_like_this_for_good() {
    let (given, pruned) = (Given::log(3), Given::pruned(7));
    let asked = Asked { actor: Some("platform/ada".to_owned()), ..Asked::default() };
    for (file, golden) in [
        (given.whole(Form::Jsonl), include_str!("tests/whole.jsonl")),
        (given.whole(Form::Csv), include_str!("tests/whole.csv")),
        (given.some(Form::Jsonl, &[1, 3], asked.clone()), include_str!("tests/some.jsonl")),
        (given.some(Form::Csv, &[1, 3], asked), include_str!("tests/some.csv")),
        (pruned.whole(Form::Jsonl), include_str!("tests/pruned.jsonl")),
        (pruned.some(Form::Csv, &[2, 3, 6], given::asked()), include_str!("tests/pruned.csv")),
    ] {
        assert_eq!(String::from_utf8(file).unwrap(), golden);
    }
}

#[test]
fn what_was_exported_is_valid_in_either_form_whole_or_in_part() {
    let given = Given::log(21);
    let every: Vec<u64> = (1..=21).collect();
    for form in [Form::Jsonl, Form::Csv] {
        let found = report(&given.whole(form));
        assert_eq!(found.faults, []);
        let told = (found.origin.as_str(), found.size, found.complete, found.events, found.range);
        assert_eq!(told, (given::ORIGIN, 21, true, 21, (1, 21)));
        assert_eq!(found.keys, [keys().verify(&note(&given, 21)).unwrap().1[0].name_and_id()]);
        for wanted in [&[][..], &[1], &[21], &[2, 3, 9, 20], &every] {
            let found = report(&given.some(form, wanted, given::asked()));
            assert_eq!(found.faults, [], "{wanted:?}");
            let range = (wanted.first().copied().unwrap_or(0), wanted.last().copied().unwrap_or(0));
            assert_eq!((found.complete, found.events, found.range), (false, wanted.len() as u64, range));
        }
    }
}

#[test]
fn what_was_pruned_is_counted_and_everything_else_proved_as_before() {
    let given = Given::pruned(21);
    for form in [Form::Jsonl, Form::Csv] {
        let found = report(&given.whole(form));
        assert_eq!(found.faults, []);
        assert_eq!((found.events, found.pruned, found.complete), (21, 12, true));
        let found = report(&given.some(form, &[1, 2, 3, 20], given::asked()));
        assert_eq!(found.faults, []);
        assert_eq!((found.events, found.pruned, found.complete), (4, 2, false));
        // The log before it was pruned is what it goes on from.
        let earlier = Checkpoint::claimed(&note(&given, 9)).unwrap();
        let trust = Trust { keys: &keys(), earlier: Some(&earlier), known: None };
        assert_eq!(verify(given.whole(form).as_slice(), &trust).unwrap().extends, Some(9));
    }
}

/// A log of events an hour apart, of which one tells that others were pruned.
fn pruned(events: Vec<crate::admin::AuditEvent>, gone: &[u64], by: u64) -> Given {
    let mut given = Given::of_bodies(events.iter().map(prost::Message::encode_to_vec).collect());
    for leaf in given.leaves.iter_mut().filter(|leaf| gone.contains(&leaf.sequence)) {
        (leaf.body, leaf.pruned_by) = (Vec::new(), Some(by));
    }
    given
}

#[test]
fn a_pruning_that_the_log_does_not_allow_is_none_whoever_wrote_it() {
    let get = |sequence| given::at(sequence, "TeamsService/GetTeam");
    let (sets, prunes) = (|sequence, keep| given::sets(sequence, "reads", keep), given::prunes);
    let hold = |sequence: u64, action: &str| {
        let change = crate::admin::AuditedChange {
            name: "holds/all".to_owned(),
            diff: crate::pruned::hold_told(&crate::admin::Hold::default()),
            ..Default::default()
        };
        crate::admin::AuditEvent { changes: vec![change], ..given::at(sequence, action) }
    };
    let first = || vec![get(1), get(2), get(3)];
    for (events, at, what) in [
        // As it was forged: nobody ever set a retention.
        (vec![get(4), prunes(5, &[2])], 5, "was not set before"),
        (vec![sets(4, "4s"), prunes(5, &[2])], 2, "it was younger when event 5 pruned it than the 4s"),
        (vec![given::sets(4, "changes", "1s"), prunes(5, &[2])], 5, "was not set before"),
        (vec![sets(4, "1s"), hold(5, "HoldsService/CreateHold"), prunes(6, &[2])], 6, "`holds/all` holds"),
        (
            vec![get(4), hold(5, "HoldsService/ReleaseHold"), sets(6, "1s"), prunes(7, &[2])],
            5,
            "no event before",
        ),
    ] {
        let events = [first(), events].concat();
        let by = events.len() as u64;
        for form in [Form::Jsonl, Form::Csv] {
            let given = pruned(events.clone(), &[2], by);
            let found = report(&given.whole(form));
            let told = (found.verdict(), found.faults[0].sequence);
            assert_eq!(told, (Some(Kind::Invalid), Some(at)), "{found:?}");
            assert!(found.faults[0].what.contains(what), "{found:?}");
            let part = report(&given.some(form, &[2, by], given::asked()));
            assert_eq!((part.faults, part.prunings), (vec![], vec![]), "of a part that is not told");
        }
    }
    let events = [first(), vec![sets(4, "1s"), prunes(5, &[1, 2])]].concat();
    let found = report(&pruned(events, &[1, 2], 5).whole(Form::Jsonl));
    assert_eq!(found.faults, []);
    let Pruning { retention, keep, set_by, told_by, events } = &found.prunings[0];
    let said = (retention.as_str(), keep.as_str(), *set_by, *told_by, *events, found.prunings.len());
    assert_eq!(said, ("retentions/reads", "1s", 4, (5, 5), 2, 1));
}

#[test]
fn an_export_that_was_kept_tells_what_must_not_have_gone() {
    let events = || {
        let elevated = given::at(4, "TeamsService/GetTeam");
        vec![
            given::at(1, "TeamsService/GetTeam"),
            given::at(2, "TeamsService/CreateTeam"),
            given::at(3, "KillsService/CreateKill"),
            crate::admin::AuditEvent { elevation: "elevations/1".to_owned(), ..elevated },
            given::at(5, "TeamsService/GetTeam"),
            given::at(6, "TeamsService/GetTeam"),
            given::sets(7, "reads", "2s"),
        ]
    };
    let early = pruned(events(), &[], 0);
    for form in [Form::Jsonl, Form::Csv] {
        let (found, known) = known(early.whole(form).as_slice(), &keys()).unwrap();
        assert_eq!((found.faults.len(), found.events), (0, 7));
        let earlier = Checkpoint::claimed(&note(&early, 7)).unwrap();
        for (gone, what) in [
            (1, None),
            (2, Some("as one of `changes`")),
            (3, Some("never go")),
            (4, Some("never go")),
            (6, Some("it was younger")),
        ] {
            let told = given::prunes(8, &[gone]);
            let late = pruned([events(), vec![told]].concat(), &[gone as u64], 8);
            let trust = Trust { keys: &keys(), earlier: Some(&earlier), known: Some(&known) };
            let found = verify(late.whole(form).as_slice(), &trust).unwrap();
            assert_eq!(found.extends, Some(7));
            assert_eq!(found.faults.first().map(|fault| fault.sequence), what.map(|_| Some(gone as u64)));
            assert!(found.faults.iter().all(|fault| fault.what.contains(what.unwrap())), "{found:?}");
        }
    }
}

#[test]
fn a_writer_takes_the_next_event_and_ends_after_the_last() {
    let given = Given::log(3);
    let mut writer = Writer::begin(Vec::new(), Form::Jsonl, &header(&given, None)).unwrap();
    let refused = writer.event(&given.leaves[1]).unwrap_err();
    assert!(matches!(refused, WriteError::Order { given: 2, after: 0 }), "{refused}");
    writer.event(&given.leaves[0]).unwrap();
    assert!(matches!(writer.event(&given.leaves[0]).unwrap_err(), WriteError::Order { .. }));
    assert!(matches!(writer.end().unwrap_err(), WriteError::Fewer { given: 1, size: 3 }));
    let mut writer = Writer::begin(Vec::new(), Form::Jsonl, &header(&given, None)).unwrap();
    // Field 100, which no event has.
    let newer =
        Leaf { body: [given.leaves[0].body.clone(), vec![0xa0, 6, 1]].concat(), ..given.leaves[0].clone() };
    assert!(matches!(writer.event(&newer).unwrap_err(), WriteError::Newer(1)));
}

#[test]
fn a_body_that_says_more_than_is_read_here_is_no_valid_event() {
    let mut given = Given::log(3);
    let body = [given.leaves[2].body.clone(), vec![0xa0, 6, 1]].concat();
    let hash = given::chained(&given.leaves[2].prev_hash, &body);
    given.leaves[2] = Leaf { body, hash, ..given.leaves[2].clone() };
    // Spelled as a build spells it that knows the field, but for what people read.
    let file = String::from_utf8(Given::log(3).whole(Form::Jsonl)).unwrap();
    let old = Given::log(3).leaves[2].clone();
    let file = file.replace(&given::base64(&old.body), &given::base64(&given.leaves[2].body));
    let file = file.replace(&given::hex(&old.hash), &given::hex(&hash));
    let found = report(file.as_bytes());
    assert_eq!((found.verdict(), found.faults[0].sequence), (Some(Kind::Invalid), Some(3)));
    assert!(found.faults[0].what.contains("more than this build reads"), "{found:?}");
}

#[test]
fn keys_are_kept_in_a_file_of_lines() {
    let key = keys();
    let line = VerifierKey::of(given::ORIGIN, &given::public(&pair(1))).unwrap().to_string();
    assert_eq!(Keys::read(&format!("# of the log\n\n  {line}  \r\n")), Ok(key));
    for empty in ["", "\n \n", "# nothing\n"] {
        assert_eq!(Keys::read(empty), Err(KeysError::Empty));
    }
    for junk in ["junk", "a+b", "{\"a\": 1}", &line[..line.len() - 9], &format!("x{line}")] {
        let error = Keys::read(&format!("{line}\n# two\n{junk}\n")).unwrap_err();
        assert!(matches!(error, KeysError::Line { line: 3, .. }), "{junk}: {error}");
    }
    assert_eq!(Keys::read(&"#".repeat(2 << 20)), Err(KeysError::TooLarge));
}

#[test]
fn who_signed_is_told_apart() {
    let given = Given::log(5);
    let verdict =
        |file: &[u8], keys: &Keys| verify(file, &Trust { keys, earlier: None, known: None }).unwrap();
    let key = |name: &str, seed: u8| VerifierKey::of(name, &given::public(&pair(seed))).unwrap().to_string();
    let file = given.whole(Form::Jsonl);
    // Another instance's key; a key of the log that did not sign; both, with the one that did.
    for (lines, kind) in [
        (key("chancery/other", 1), Some(Kind::Foreign)),
        (key(given::ORIGIN, 7), Some(Kind::UnknownKey)),
        (format!("{}\n{}", key("chancery/other", 1), key(given::ORIGIN, 7)), Some(Kind::UnknownKey)),
        (format!("{}\n{}\n{}", key("chancery/other", 3), key(given::ORIGIN, 7), key(given::ORIGIN, 1)), None),
        // A rotation: either generation's key verifies alone, and both do.
        (key(given::ORIGIN, 2), None),
        (format!("{}\n{}", key(given::ORIGIN, 1), key(given::ORIGIN, 2)), None),
    ] {
        let found = verdict(&file, &Keys::read(&lines).unwrap());
        assert_eq!(found.verdict(), kind, "{lines}: {found:?}");
        // What is in it is looked at whoever signed.
        assert_eq!((found.events, found.faults.len()), (5, usize::from(kind.is_some())));
    }
    let both = Keys::read(&format!("{}\n{}", key(given::ORIGIN, 1), key(given::ORIGIN, 2))).unwrap();
    assert_eq!(verdict(&file, &both).keys.len(), 2);
    // One of two signatures is spoilt: whoever knows its key is told.
    let text = String::from_utf8(file).unwrap();
    let signature = text.split('\u{2014}').nth(1).unwrap().split(' ').nth(2).unwrap();
    let spoilt = signature.replace(&signature[20..30], &signature[30..40]);
    let found = verdict(text.replace(signature, &spoilt).as_bytes(), &both);
    assert_eq!(found.verdict(), Some(Kind::Signature), "{found:?}");
}

#[test]
fn a_log_goes_on_from_every_checkpoint_of_its_own_and_from_no_other() {
    let (given, other) = (Given::log(40), Given::of(40, "bob"));
    let (keys, file) = (keys(), given.whole(Form::Jsonl));
    let held = |file: &[u8], earlier: &Checkpoint| {
        verify(file, &Trust { keys: &keys, earlier: Some(earlier), known: None }).unwrap()
    };
    for size in 1..=40 {
        let found = held(&file, &keys.verify(&note(&given, size)).unwrap().0);
        assert_eq!((found.faults, found.extends), (Vec::new(), Some(size)));
        let found = held(&file, &keys.verify(&note(&other, size)).unwrap().0);
        assert_eq!((found.verdict(), found.extends), (Some(Kind::Rewritten), None), "{size}");
    }
    let kept = keys.verify(&note(&given, 40)).unwrap().0;
    // Rolled back: an export of a log that is shorter than it was.
    let found = held(&Given::log(39).whole(Form::Jsonl), &kept);
    assert_eq!(found.verdict(), Some(Kind::Older));
    let what = &found.faults[0].what;
    assert!(what.contains("39 events here, and had 40") && what.contains("export the log anew"), "{found:?}");
    let found = held(&given.some(Form::Csv, &[1], given::asked()), &kept);
    assert_eq!(found.verdict(), Some(Kind::Rewritten), "{found:?}");
    let elsewhere = Checkpoint { origin: "chancery/other".to_owned(), ..kept };
    assert!(held(&file, &elsewhere).faults[0].what.contains("chancery/other"));
    // An export that was kept has the checkpoint in it.
    for form in [Form::Jsonl, Form::Csv] {
        assert_eq!(checkpoint_of(given.whole(form).as_slice()).unwrap().unwrap(), note(&given, 40));
    }
    assert_eq!(checkpoint_of(b"junk\n".as_slice()).unwrap().unwrap_err().kind, Kind::NotAnExport);
}

#[test]
fn what_is_no_export_is_told_as_what_it_is() {
    let given = Given::log(2);
    let whole = String::from_utf8(given.whole(Form::Jsonl)).unwrap();
    let first = whole.lines().next().unwrap().len() + 1;
    for (file, kind, line) in [
        ("", Kind::Empty, 1),
        ("\n", Kind::NotAnExport, 1),
        ("{}\n", Kind::NotAnExport, 1),
        ("{\"format\":\"chancery-decision-segment\",\"version\":1}\n", Kind::NotAnExport, 1),
        ("{\"format\":\"chancery-audit-export\",\"version\":4}\n", Kind::NotAnExport, 1),
        ("{\"format\":\"chancery-audit-export\",\"version\":1}\n", Kind::Invalid, 1),
        ("{\"format\":\"chancery-audit-export\",\n", Kind::Invalid, 1),
        ("apiVersion: chancery/v1\n", Kind::NotAnExport, 1),
        ("\u{1f}\u{fffd}\n", Kind::NotAnExport, 1),
        (&whole[first..], Kind::NotAnExport, 1),
        ("sequence,createTime\n", Kind::NotAnExport, 1),
    ] {
        let found = report(file.as_bytes());
        assert_eq!((found.verdict(), found.faults[0].line), (Some(kind), line), "{file}");
        assert_eq!(found.faults.len(), 1);
    }
    assert_eq!(report(b"\xff\xfe\n").verdict(), Some(Kind::NotAnExport));
}

#[test]
fn a_file_that_was_saved_anew_is_told_as_that() {
    for form in [Form::Jsonl, Form::Csv] {
        let file = String::from_utf8(Given::log(3).whole(form)).unwrap();
        for (saved, hint) in [
            (file.replace('\n', "\r\n"), "CR LF"),
            (format!("\u{feff}{file}"), "byte order mark"),
            (format!("\u{feff}{}", file.replace('\n', "\r\n")), "byte order mark"),
        ] {
            let found = report(saved.as_bytes());
            assert_eq!((found.verdict(), found.faults.len()), (Some(Kind::Invalid), 1), "{found:?}");
            let what = &found.faults[0].what;
            assert!(what.contains(hint) && what.contains("saved anew"), "{what}");
        }
    }
    assert_eq!(report(b"a,b\r\n").verdict(), Some(Kind::NotAnExport), "what was none before is none");
    assert_eq!(report("\u{feff}a,b\n".as_bytes()).verdict(), Some(Kind::NotAnExport));
}

#[test]
fn an_export_without_its_closing_line_is_told_as_that() {
    for form in [Form::Jsonl, Form::Csv] {
        let file = String::from_utf8(Given::log(3).whole(form)).unwrap();
        let open = &file[..file.trim_end().rfind('\n').unwrap() + 1];
        let found = report(open.as_bytes());
        assert_eq!((found.verdict(), found.events), (Some(Kind::Truncated), 3), "{found:?}");
        assert!(found.faults[0].what.contains("the closing line"), "{found:?}");
    }
}

#[test]
fn a_line_without_end_is_passed_over_and_the_rest_is_looked_at() {
    let file = Given::log(3).whole(Form::Jsonl);
    let mut lines: Vec<Vec<u8>> = file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines[2] = [vec![b' '; 3 * LONGEST], b"\n".to_vec()].concat();
    let found = verify(
        BufReader::new(lines.concat().as_slice()),
        &Trust { keys: &keys(), earlier: None, known: None },
    )
    .unwrap();
    let told: Vec<_> = found.faults.iter().map(|fault| (fault.kind, fault.line, fault.sequence)).collect();
    assert_eq!((told, found.events), (vec![(Kind::Invalid, 3, Some(2))], 3));
}

#[test]
fn no_more_than_twenty_faults_are_told_and_the_others_are_counted() {
    let mut file = String::from_utf8(Given::log(50).whole(Form::Jsonl)).unwrap();
    file = file.replace("\"actor\":\"platform/ada\"", "\"actor\":\"platform/eve\"");
    let found = report(file.as_bytes());
    assert_eq!((found.faults.len(), found.more, found.events), (20, 30, 50));
    assert_eq!(found.faults[0].what, "`event.actor` says \"platform/eve\", the body \"platform/ada\"");
}

#[test]
fn a_file_of_gaps_alone_is_looked_through_all_the_same() {
    let given = Given::log(120);
    let file = given.whole(Form::Jsonl);
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    // Every other event, and then those that were left out.
    let (even, odd): (Vec<_>, Vec<_>) = (1..=120).partition(|place| place % 2 == 0);
    let order = [vec![0], even, odd, vec![121]].concat();
    let found = report(&order.iter().map(|place| lines[*place]).collect::<Vec<_>>().concat());
    assert_eq!((found.verdict(), found.faults.len(), found.events), (Some(Kind::Invalid), 20, 120));
    assert!(found.faults[0].what.contains("event 1 stands on line 62"), "{found:?}");
    assert_eq!(found.more, 80);
}

/// Something that is no event in every way that one can be none.
fn hostile() -> impl Strategy<Value = crate::admin::AuditEvent> {
    let time = (any::<i64>(), any::<i32>());
    (any::<[String; 4]>(), time, any::<i64>()).prop_map(
        |([name, actor, reason, change], (seconds, nanos), sequence)| {
            let changes = vec![crate::admin::AuditedChange { name: change, ..Default::default() }];
            let create_time = Some(prost_types::Timestamp { seconds, nanos });
            crate::admin::AuditEvent {
                name,
                sequence,
                create_time,
                actor,
                reason,
                changes,
                ..Default::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), form in any::<bool>()) {
        prop_assert!(report(&bytes).verdict().is_some());
        let given = Given::log(2);
        let file = given.whole(if form { Form::Jsonl } else { Form::Csv });
        let first = file.split_inclusive(|byte| *byte == b'\n').take(if form { 1 } else { 2 }).map(<[u8]>::len).sum();
        prop_assert!(report(&[&file[..first], &bytes].concat()).verdict().is_some());
    }

    #[test]
    fn no_text_in_place_of_a_value_is_a_panic(text in any::<String>(), number in any::<u64>(), at in any::<prop::sample::Index>()) {
        let file = String::from_utf8(Given::log(3).some(Form::Jsonl, &[1, 2], given::asked())).unwrap();
        let places: Vec<_> = file.match_indices([':', ',']).map(|(at, _)| at + 1).collect();
        let at = places[at.index(places.len())];
        for value in [serde_json::Value::from(text).to_string(), number.to_string()] {
            let end = at + file[at..].find([',', '}', ']']).unwrap();
            let changed = [&file[..at], &value, &file[end..]].concat();
            prop_assume!(changed != file);
            prop_assert!(report(changed.as_bytes()).verdict().is_some());
        }
    }

    #[test]
    fn every_event_is_spelled_and_read_back(event in hostile()) {
        let given = Given::of_bodies(vec![crate::admin::AuditEvent { sequence: 1, ..event }.encode_to_vec()]);
        for form in [Form::Jsonl, Form::Csv] {
            let file = given.whole(form);
            prop_assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), if form == Form::Csv { 4 } else { 3 });
            prop_assert_eq!(report(&file).faults, Vec::new());
        }
    }
}

#[test]
fn what_an_earlier_build_exported_is_valid_still() {
    let earlier = |name: &str| {
        [
            ("whole.jsonl", include_str!("tests/earlier/whole.jsonl")),
            ("whole.csv", include_str!("tests/earlier/whole.csv")),
            ("some.jsonl", include_str!("tests/earlier/some.jsonl")),
            ("some.csv", include_str!("tests/earlier/some.csv")),
        ]
        .into_iter()
        .find_map(|(known, text)| (known == name).then_some(text))
        .unwrap()
    };
    for file in [
        include_str!("tests/earlier/second/whole.jsonl"),
        include_str!("tests/earlier/second/whole.csv"),
        include_str!("tests/earlier/second/some.jsonl"),
        include_str!("tests/earlier/second/some.csv"),
    ] {
        assert_eq!(report(file.as_bytes()).faults, []);
        assert_eq!(report(file.replacen("CHG-1", "CHG-2", 1).as_bytes()).verdict(), Some(Kind::Invalid));
    }
    for (name, events) in [("whole.jsonl", 3), ("whole.csv", 3), ("some.jsonl", 2), ("some.csv", 2)] {
        let found = report(earlier(name).as_bytes());
        assert_eq!((found.faults.as_slice(), found.events), (&[][..], events), "{name}");
        let changed = earlier(name).replacen("CHG-1", "CHG-2", 1);
        assert_eq!(report(changed.as_bytes()).verdict(), Some(Kind::Invalid), "{name}");
    }
    // The columns are of the version, and of no other.
    let now = String::from_utf8(Given::log(1).whole(Form::Csv)).unwrap();
    let (columns, _) = now.split_once('\n').unwrap();
    let (_, rows) = earlier("whole.csv").split_once('\n').unwrap();
    assert_eq!(report(format!("{columns}\n{rows}").as_bytes()).verdict(), Some(Kind::Invalid));
}
