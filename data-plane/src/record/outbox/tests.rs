//! The outbox: nothing waits, nothing is lost while there is a place, and a disk may come back.

use std::sync::Mutex;

use policy_engine::vocabulary::{Instant, Operation};
use uuid::Uuid;

use super::*;
use crate::record::{Door, Inputs, Outcome, RequestId, Ruling, Usage};

pub(crate) fn record(number: u128) -> Record {
    Record {
        id: RequestId(Uuid::from_u128(number)),
        mirror_of: None,
        trace: None,
        received: Instant(1_767_225_600_000_000),
        door: Door::OpenAi,
        operation: Operation::Chat.into(),
        stream: false,
        owner: None,
        model_asked: Some("sim \"fast\"\n".into()),
        model: None,
        endpoint: None,
        guardrail: None,
        geo: "eu".parse().unwrap(),
        version: crate::policy::Version { epoch: 1, revision: 7, digest: [7; 32] },
        revocation_seq: 3,
        purpose: None,
        found_input: vec![("EMAIL", 2)],
        uninspected: vec![],
        inputs: Inputs::default(),
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
        fetched: vec![],
        kill: None,
        content: None,
    }
}

/// A directory of a process, sealed by a key that is none.
pub(crate) fn keeping(dir: &std::path::Path, boot_id: &str) -> Keeping {
    let sign = |message: &[u8]| Ok(proto::segment::Signature::new("NONE", message, &[]));
    let seal = crate::record::Seal::of("spiffe://chancery/geo/eu/node/eu-1", sign);
    Keeping { dir: dir.to_owned(), boot_id: boot_id.to_owned(), seal }
}

fn settings(places: usize) -> Settings {
    Settings { places, gather: Duration::ZERO, ..Settings::default() }
}

#[test]
fn every_record_with_a_place_is_written_once_as_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let (outbox, writer) = Outbox::open(keeping(dir.path(), "b"), settings(10_000)).unwrap();
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

#[tokio::test]
async fn at_the_end_what_is_open_is_sealed_and_what_comes_later_is_written_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (outbox, writer) = Outbox::open(keeping(dir.path(), "b"), settings(10)).unwrap();
    outbox.place().unwrap().fill(record(1));
    outbox.end().await;
    let manifest = std::fs::read(dir.path().join("0000000001.manifest")).unwrap();
    let manifest = proto::segment::Signed::read(&manifest).unwrap().manifest;
    assert_eq!((manifest.count, manifest.ended), (1, proto::segment::Ended::Shutdown));
    outbox.place().unwrap().fill(record(2));
    let bytes = outbox.bytes();
    drop(outbox);
    writer.join();
    let late = std::fs::read_to_string(dir.path().join("0000000002.jsonl")).unwrap();
    assert!(late.starts_with("{\"seq\":2,\"bootId\":\"b\","), "{late}");
    assert!(bytes > 0);
}

/// A disk that takes records, and brings them to the disk once it is allowed.
fn unsynced() -> (Arc<AtomicBool>, impl FnMut(&[Record]) -> io::Result<()> + Send + 'static) {
    let may_sync = Arc::new(AtomicBool::new(false));
    let asked = may_sync.clone();
    let sink = move |records: &[Record]| match records.is_empty() && !asked.load(Ordering::SeqCst) {
        true => Err(io::Error::from(io::ErrorKind::StorageFull)),
        false => Ok(()),
    };
    (may_sync, sink)
}

#[tokio::test]
async fn who_waits_for_a_record_is_told_when_it_is_on_the_disk_and_not_before() {
    let (may_sync, sink) = unsynced();
    // Nothing is brought to the disk but because somebody waits.
    let never = Duration::from_secs(3600);
    let (outbox, writer) = Outbox::to(Settings { sync: never, ..settings(10) }, sink).unwrap();
    let noted = outbox.place().unwrap().fill_noted(record(1));
    while !outbox.is_failing() {
        thread::yield_now();
    }
    assert_eq!(outbox.tally().0, 1, "it is written");
    may_sync.store(true, Ordering::SeqCst);
    // The writer is woken by the next record, and tells of both.
    let next = outbox.place().unwrap().fill_noted(record(2));
    assert_eq!((noted.await, next.await), (Ok(()), Ok(())));
    drop(outbox);
    writer.join();
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_disk_that_takes_nothing_is_let_go() {
    let (may_sync, sink) = unsynced();
    let (outbox, writer) = Outbox::to(settings(10), sink).unwrap();
    let noted = outbox.place().unwrap().fill_noted(record(1));
    assert_eq!(noted.await, Err(crate::record::Unnoted));
    assert_eq!(Noted::never().await, Err(crate::record::Unnoted));
    may_sync.store(true, Ordering::SeqCst);
    drop(outbox);
    writer.join();
}
