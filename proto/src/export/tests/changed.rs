//! Exports with one thing changed: each is found, and found where it is.

use super::given::{self, Given, report};
use crate::export::{Fault, Form, Kind, Leaf, Report, Writer};

/// Every export there is of a log: its file, and the sequences in it.
pub(super) fn exports(given: &Given) -> Vec<(Form, bool, Vec<u8>, Vec<u64>)> {
    let size = given.leaves.len() as u64;
    let every: Vec<u64> = (1..=size).collect();
    let last = size.saturating_sub(1);
    let some: Vec<u64> = every.iter().copied().filter(|number| number % 3 != 1 || *number == last).collect();
    [Form::Jsonl, Form::Csv]
        .into_iter()
        .flat_map(|form| {
            [
                (form, true, given.whole(form), every.clone()),
                (form, false, given.some(form, &some, given::asked()), some.clone()),
            ]
        })
        .collect()
}

/// Those of a log, and of one of which events were pruned.
fn both(size: u64) -> Vec<(Form, bool, Vec<u8>, Vec<u64>)> {
    exports(&Given::log(size)).into_iter().chain(exports(&Given::pruned(size))).collect()
}

/// Its lines, with their ends.
pub(super) fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Lines before the first event.
pub(super) fn before(form: Form) -> usize {
    if form == Form::Csv { 2 } else { 1 }
}

fn first(found: &Report) -> &Fault {
    found.faults.first().unwrap_or_else(|| panic!("nothing was found: {found:?}"))
}

#[test]
fn every_line_that_is_deleted_is_named() {
    for (form, complete, file, sequences) in both(33) {
        let lines = lines(&file);
        let before = before(form);
        for gone in 0..lines.len() {
            let mut left = lines.clone();
            left.remove(gone);
            let found = report(&left.concat());
            let fault = first(&found);
            let at = (fault.kind, fault.line, fault.through);
            if gone < before {
                let line = if form == Form::Csv && gone == 1 { 2 } else { 1 };
                assert!(
                    matches!(fault.kind, Kind::NotAnExport | Kind::Invalid) && fault.line == line,
                    "{fault:?}"
                );
            } else if gone == lines.len() - 1 {
                assert_eq!((fault.kind, fault.sequence), (Kind::Truncated, sequences.last().copied()));
            } else {
                let number = sequences[gone - before];
                assert_eq!(at, (Kind::Gap, gone as u64 + 1, Some(number)), "{gone} {found:?}");
                assert!(!complete || fault.sequence == Some(number));
                assert_eq!(found.faults.len(), 1, "{found:?}");
            }
        }
    }
}

#[test]
fn every_pair_of_lines_that_is_swapped_is_found_at_the_first() {
    for (form, _, file, sequences) in both(12) {
        let lines = lines(&file);
        let before = before(form);
        for one in 0..lines.len() {
            for other in one + 1..lines.len() {
                let mut swapped = lines.clone();
                swapped.swap(one, other);
                let found = report(&swapped.concat());
                let fault = first(&found);
                assert_eq!(fault.line, one as u64 + 1, "{one} {other} {found:?}");
                if one >= before && other < lines.len() - 1 {
                    let due = fault.sequence.unwrap();
                    assert_eq!(fault.kind, Kind::Invalid, "{one} {other} {found:?}");
                    assert!(due <= sequences[one - before], "{one} {other} {found:?}");
                    assert!(found.faults.len() <= 2, "{one} {other} {found:?}");
                }
            }
        }
    }
}

#[test]
fn every_line_that_is_put_in_is_found_there() {
    let given = Given::log(12);
    for ((form, _, file, sequences), (.., foreign, _)) in
        exports(&given).into_iter().zip(exports(&Given::of(12, "eve")))
    {
        let (lines, foreign) = (lines(&file), lines_of(&foreign));
        let before = before(form);
        for place in before..=lines.len() {
            for put in [
                &lines[before],
                &lines[lines.len() - 2],
                &foreign[before + 3],
                &lines[0],
                &b"\n".to_vec(),
                &b"x\n".to_vec(),
            ] {
                let mut more = lines.clone();
                more.insert(place, put.clone());
                let found = report(&more.concat());
                let fault = first(&found);
                // What is the same as its neighbour is the one or the other.
                let same = lines.get(place) == Some(put);
                let line = place as u64 + 1;
                let expected = if same { line..=line + 1 } else { line..=line };
                assert!(expected.contains(&fault.line), "{place} {fault:?} {sequences:?}");
                assert!(found.faults.len() <= 3, "{place} {found:?}");
            }
        }
    }
}

fn lines_of(file: &[u8]) -> Vec<Vec<u8>> {
    lines(file)
}

#[test]
fn every_tail_that_is_cut_is_missed() {
    for (form, _, file, sequences) in exports(&Given::log(3)) {
        let before: usize = lines(&file).iter().take(before(form)).map(Vec::len).sum();
        for length in 0..file.len() {
            let found = report(&file[..length]);
            let fault = first(&found);
            let whole = file[..length].iter().filter(|byte| **byte == b'\n').count();
            match length {
                0 => assert_eq!(fault.kind, Kind::Empty),
                _ => assert_eq!(fault.kind, Kind::Truncated, "{length} {fault:?}"),
            }
            if length > before {
                let events = whole.saturating_sub(if form == Form::Csv { 2 } else { 1 });
                let last = events.checked_sub(1).map(|place| sequences[place]);
                assert_eq!((fault.sequence, found.faults.len()), (last, 1), "{length} {found:?}");
            }
        }
    }
}

#[test]
fn every_byte_that_is_changed_is_found_in_its_line() {
    let long = std::env::var_os("CHANCERY_LONG").is_some();
    let mut flips = 0;
    let pruned = exports(&Given::pruned(if long { 9 } else { 5 }));
    for (form, complete, file, sequences) in
        exports(&Given::log(if long { 9 } else { 3 })).into_iter().chain(pruned)
    {
        let mut changed = file.clone();
        let (before, mut line) = (before(form), 0);
        for at in 0..file.len() {
            let bits = if long { 0..8 } else { at % 8..at % 8 + 1 };
            for bit in bits {
                changed[at] ^= 1 << bit;
                let found = report(&changed);
                let fault = first(&found);
                // What ends a line is of the line behind it as well.
                let within = if file[at] == b'\n' { line..=line + 1 } else { line..=line };
                assert!(
                    within.contains(&(fault.line as usize - 1)),
                    "{form:?} {at} bit {bit} of line {line}: {found:?}"
                );
                let event = line.checked_sub(before).and_then(|place| sequences.get(place)).copied();
                if complete && file[at] != b'\n' && event.is_some() {
                    assert_eq!(fault.sequence, event, "{at} bit {bit}: {found:?}");
                    // What ends a line within one makes two of it.
                    let parts = if changed[at] == b'\n' { 2 } else { 1 };
                    assert_eq!(found.faults.len(), parts, "{at} bit {bit}: {found:?}");
                }
                changed[at] ^= 1 << bit;
                flips += 1;
            }
            line += usize::from(file[at] == b'\n');
        }
    }
    println!("{flips} flips of one bit, each found in its line");
}

/// The same log with another event at a place, whose own hash is right.
fn forged(given: &Given, place: usize) -> Vec<Leaf> {
    let mut leaves = given.leaves.clone();
    let body = Given::of(leaves.len() as u64, "eve").leaves[place].body.clone();
    leaves[place].hash = given::chained(&leaves[place].prev_hash, &body);
    leaves[place].body = body;
    leaves
}

fn written(given: &Given, leaves: &[Leaf]) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), Form::Jsonl, &given::header(given, None)).unwrap();
    leaves.iter().for_each(|leaf| writer.event(leaf).unwrap());
    writer.end().unwrap()
}

#[test]
fn an_event_that_was_written_anew_with_its_hash_is_named() {
    let given = Given::log(33);
    for place in 0..33 {
        let found = report(&written(&given, &forged(&given, place)));
        let told: Vec<_> = found.faults.iter().map(|fault| (fault.kind, fault.sequence)).collect();
        assert_eq!(told, [(Kind::Invalid, Some(place as u64 + 1))], "{found:?}");
    }
}

#[test]
fn a_log_that_was_written_anew_from_an_event_on_is_not_the_one_that_was_signed() {
    let (given, eve) = (Given::log(33), Given::of(33, "eve"));
    for place in 0..33 {
        let bodies = given.leaves[..place].iter().chain(&eve.leaves[place..]).map(|leaf| leaf.body.clone());
        let found = report(&written(&given, &Given::of_bodies(bodies.collect()).leaves));
        assert_eq!(
            (found.faults.len(), first(&found).kind, first(&found).sequence),
            (1, Kind::Invalid, Some(33))
        );
        assert!(first(&found).what.contains("another root"), "{found:?}");
    }
}

#[test]
fn an_event_of_another_log_is_not_proved() {
    let (given, eve) = (Given::log(9), Given::of(9, "eve"));
    let proved = lines(&given.some(Form::Jsonl, &[2, 5, 8], given::asked()));
    let other = lines(&eve.some(Form::Jsonl, &[2, 5, 8], given::asked()));
    let file = [&proved[0], &proved[1], &other[2], &proved[3], &proved[4]].map(Vec::as_slice).concat();
    let found = report(&file);
    assert_eq!(
        (found.faults.len(), first(&found).sequence, first(&found).line),
        (1, Some(5), 3),
        "{found:?}"
    );
    assert!(first(&found).what.contains("not proved"));
}

#[test]
fn two_changes_are_two_faults() {
    let given = Given::log(30);
    let mut lines = lines(&given.whole(Form::Jsonl));
    lines[4] = String::from_utf8(lines[4].clone()).unwrap().replace("CHG-1", "CHG-2").into_bytes();
    lines.remove(20);
    let found = report(&lines.concat());
    let told: Vec<_> = found.faults.iter().map(|fault| (fault.kind, fault.line, fault.sequence)).collect();
    assert_eq!(told, [(Kind::Invalid, 5, Some(4)), (Kind::Gap, 21, Some(20))]);
    assert_eq!(first(&found).what, "`event.ticket` says \"CHG-2\", the body \"CHG-1\"");
}

/// The whole log as JSON with leaves as they are made of those that there are.
fn with(given: &Given, change: impl Fn(&mut Leaf)) -> Vec<u8> {
    let mut leaves = given.leaves.clone();
    leaves.iter_mut().for_each(change);
    let mut lines = lines(&given.whole(Form::Jsonl));
    for (line, leaf) in lines.iter_mut().skip(1).zip(&leaves) {
        let event = prost::Message::decode(leaf.body.as_slice()).ok().filter(|_| leaf.pruned_by.is_none());
        let printed = crate::export::record::event(Form::Jsonl, leaf, (event.as_ref(), None)).unwrap();
        *line = format!("{printed}\n").into_bytes();
    }
    lines.concat()
}

#[test]
fn an_event_that_is_said_to_have_been_pruned_and_was_not_is_named() {
    let given = Given::pruned(12);
    for (sequence, by) in [(3, 11), (3, 12), (3, 9), (3, 2), (3, 3), (3, 99), (6, 11), (12, 11)] {
        let found = report(&with(&given, |leaf| {
            if leaf.sequence == sequence {
                (leaf.body, leaf.pruned_by) = (Vec::new(), Some(by));
            }
        }));
        let told: Vec<_> =
            found.faults.iter().map(|fault| (fault.kind, fault.line, fault.sequence)).collect();
        assert_eq!(told, [(Kind::Invalid, sequence + 1, Some(sequence))], "{sequence} {by}: {found:?}");
    }
}

#[test]
fn an_event_that_says_that_another_told_of_its_pruning_is_named() {
    let given = Given::pruned(12);
    for by in [1, 5, 9, 10, 12, 13, u64::MAX] {
        let found = report(&with(&given, |leaf| {
            if leaf.sequence == 5 {
                leaf.pruned_by = Some(by);
            }
        }));
        let told: Vec<_> = found.faults.iter().map(|fault| (fault.kind, fault.sequence)).collect();
        assert_eq!(told, [(Kind::Invalid, Some(5))], "{by}: {found:?}");
    }
}

#[test]
fn a_hash_of_an_event_that_was_pruned_is_its_own_and_no_other() {
    let given = Given::pruned(12);
    // Between two that were pruned, behind one that was, before one that was not, and the first.
    for sequence in [1, 2, 4, 5, 7, 8] {
        for which in [0, 1] {
            let found = report(&with(&given, |leaf| {
                let hash = if which == 0 { &mut leaf.hash } else { &mut leaf.prev_hash };
                if leaf.sequence == sequence {
                    hash[7] ^= 1;
                }
            }));
            let told: Vec<_> = found.faults.iter().map(|fault| (fault.kind, fault.sequence)).collect();
            assert_eq!(told, [(Kind::Invalid, Some(sequence))], "{sequence} {which}: {found:?}");
        }
    }
}

#[test]
fn what_tells_of_pruning_is_missed_where_it_is_not_there() {
    let given = Given::pruned(12);
    let mut writer = Writer::begin(Vec::new(), Form::Jsonl, &given::header(&given, None)).unwrap();
    let told = |leaf: &Leaf| leaf.sequence < 11;
    given.leaves.iter().filter(|leaf| told(leaf)).for_each(|leaf| writer.event(leaf).unwrap());
    // One that is not of the events that the eleventh tells of.
    let mut other = given.leaves[10].clone();
    other.body = Given::log(12).leaves[10].body.clone();
    assert!(matches!(writer.event(&other), Err(crate::export::WriteError::Untold(1))));
    let header = given::header(&given, Some(given::asked()));
    let mut writer = Writer::begin(Vec::new(), Form::Jsonl, &header).unwrap();
    writer.event(&given.leaves[3]).unwrap();
    assert!(matches!(writer.end(), Err(crate::export::WriteError::Untold(4))));
}
