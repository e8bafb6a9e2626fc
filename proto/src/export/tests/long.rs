//! Ten thousand events: how long they take, and changes among them; a sample, and every one with `CHANCERY_LONG`.

use std::time::Instant;

use super::changed::lines;
use super::given::{Given, report};
use crate::export::{Form, Kind};

const EVENTS: u64 = 10_000;

/// What is done to a line.
#[derive(Debug, Clone, Copy)]
enum Change {
    Flip,
    Delete,
    Repeat,
    Swap,
    Cut,
}

const CHANGES: [Change; 5] = [Change::Flip, Change::Delete, Change::Repeat, Change::Swap, Change::Cut];

/// The events that are changed, and how: every one in turn, or a few, one of them chosen by a seed, in every way.
fn changes() -> Vec<(usize, Change)> {
    let events = EVENTS as usize;
    if std::env::var_os("CHANCERY_LONG").is_some() {
        return (1..=events).zip(CHANGES.into_iter().cycle()).collect();
    }
    let seeded = 1 + (0x9e37_79b9_7f4a_7c15_u64 % EVENTS) as usize;
    [1, seeded, events].into_iter().flat_map(|place| CHANGES.map(|change| (place, change))).collect()
}

#[test]
fn one_change_among_ten_thousand_events_is_found_where_it_is() {
    let file = Given::log(EVENTS).whole(Form::Jsonl);
    let begun = Instant::now();
    let found = report(&file);
    println!("{} events, {} bytes, verified in {:?}", found.events, file.len(), begun.elapsed());
    assert_eq!((found.verdict(), found.events), (None, EVENTS));
    let lines = lines(&file);
    let changes = changes();
    for (place, change) in &changes {
        let place = *place;
        let (line, number) = (place as u64 + 1, place as u64);
        // Another bit of another field with every event.
        let at = (place * 7919) % (lines[place].len() - 1);
        let mut changed = lines.clone();
        let expected = match change {
            Change::Flip => {
                changed[place][at] ^= 1 << (place % 8);
                (Kind::Invalid, line, number)
            }
            Change::Delete => {
                changed.remove(place);
                (Kind::Gap, line, number)
            }
            Change::Repeat => {
                changed.insert(place, lines[place].clone());
                (Kind::Invalid, line + 1, number)
            }
            // The last one with the end: it is missing where it was.
            Change::Swap if number == EVENTS => {
                changed.swap(place, place + 1);
                (Kind::Gap, line, number)
            }
            Change::Swap => {
                changed.swap(place, place + 1);
                (Kind::Invalid, line, number)
            }
            Change::Cut => {
                changed.truncate(place + 1);
                changed[place].truncate(at);
                // A line of which nothing is left is none.
                (Kind::Truncated, if at == 0 { line - 1 } else { line }, number - 1)
            }
        };
        let found = report(&changed.concat());
        let fault = found.faults.first().unwrap_or_else(|| panic!("{place} {change:?}: nothing was found"));
        let told = (fault.kind, fault.line, fault.sequence.unwrap_or_default());
        assert_eq!(told, expected, "{place} {change:?}");
    }
    println!("{} changes, each found where it is", changes.len());
}
