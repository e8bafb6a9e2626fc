//! The outbox: nothing waits, nothing is lost while there is a place, and a disk may come back.

use std::sync::Mutex;

use policy_engine::vocabulary::{Instant, Operation};
use uuid::Uuid;

use super::*;
use crate::record::{Door, Outcome, RequestId, Ruling, Usage};

pub(crate) fn record(number: u128) -> Record {
    Record {
        id: RequestId(Uuid::from_u128(number)),
        trace: None,
        received: Instant(1_767_225_600_000_000),
        door: Door::OpenAi,
        operation: Operation::Chat,
        stream: false,
        owner: None,
        model_asked: Some("sim \"fast\"\n".into()),
        model: None,
        endpoint: None,
        geo: "eu".parse().unwrap(),
        version: crate::policy::Version { epoch: 1, revision: 7, digest: [7; 32] },
        purpose: None,
        found_input: vec![("EMAIL", 2)],
        uninspected: vec![],
        found_output: vec![],
        ruling: Ruling::default(),
        outcome: Outcome::Answered,
        code: None,
        status: 200,
        usage: Usage::default(),
        cost: None,
        latency_us: 5,
        first_byte_us: None,
        upstream_request_id: None,
        attempts: vec![],
        kill: None,
    }
}

fn settings(places: usize) -> Settings {
    Settings { places, gather: Duration::ZERO, ..Settings::default() }
}

#[test]
fn every_record_with_a_place_is_written_once_as_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let (outbox, writer) = Outbox::open(dir.path(), settings(10_000)).unwrap();
    thread::scope(|scope| {
        for n in 0..4_u128 {
            let outbox = outbox.clone();
            scope.spawn(move || (0..500).for_each(|m| outbox.place().unwrap().fill(record(n * 1000 + m))));
        }
    });
    drop(outbox);
    writer.join();
    let text = std::fs::read_to_string(dir.path().join("0000000001.jsonl")).unwrap();
    let ids: std::collections::BTreeSet<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["requestId"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!((text.lines().count(), ids.len()), (2000, 2000));
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["time"], "2026-01-01T00:00:00Z");
    assert_eq!(first["found"]["input"]["EMAIL"], 2);
}

#[test]
fn places_are_bounded_and_come_back() {
    let (outbox, writer) = Outbox::to(settings(2), |_| Ok(())).unwrap();
    let (one, two) = (outbox.place().unwrap(), outbox.place().unwrap());
    assert!(outbox.place().is_none() && outbox.place().is_none());
    drop(one);
    let again = outbox.place().unwrap();
    again.fill(record(1));
    two.fill(record(2));
    drop(outbox);
    writer.join();
}

#[test]
fn case_96_a_full_disk_loses_nothing_that_had_a_place() {
    let failures = Arc::new(AtomicUsize::new(2));
    let written = Arc::new(Mutex::new(Vec::new()));
    let (sink_failures, sink_written) = (failures.clone(), written.clone());
    let (outbox, writer) = Outbox::to(settings(10), move |records| {
        let failing =
            sink_failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        if failing {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        sink_written.lock().unwrap().extend(records.iter().map(|record| record.id));
        Ok(())
    })
    .unwrap();
    outbox.place().unwrap().fill(record(1));
    while !outbox.is_failing() {
        thread::yield_now();
    }
    outbox.place().unwrap().fill(record(2));
    while outbox.is_failing() {
        thread::yield_now();
    }
    assert_eq!(outbox.tally().1, 0);
    drop(outbox);
    writer.join();
    assert_eq!(written.lock().unwrap().len(), 2);
    assert_eq!(failures.load(Ordering::SeqCst), 0);
}

#[test]
fn what_is_written_is_brought_to_the_disk_when_no_more_comes() {
    let handed = Arc::new(Mutex::new(Vec::new()));
    let told = handed.clone();
    let quick = Settings { sync: Duration::from_millis(1), ..settings(10) };
    let (outbox, writer) = Outbox::to(quick, move |records| {
        told.lock().unwrap().push(records.len());
        Ok(())
    })
    .unwrap();
    outbox.place().unwrap().fill(record(1));
    while *handed.lock().unwrap() != [1, 0] {
        thread::yield_now();
    }
    drop(outbox);
    writer.join();
    assert_eq!(*handed.lock().unwrap(), [1, 0], "nothing more was owed");
}
