//! What is looked at again and again: what it says, and what it owes.

use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::subscriber::DefaultGuard;

use super::*;
use crate::actor::Actor;
use crate::manifest;
use crate::publish::tests::{Fixture, fixture};
use crate::publish::{Mode, Staging};

/// Lines that were logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// What this thread logs, for as long as what comes with it is kept.
    fn told() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let made = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || made.clone()).finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn with(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock()).lines().filter(|line| line.contains(text)).count()
    }
}

/// A rollout over one node, and who looks at it.
async fn begun() -> (Fixture, Looker) {
    let (fixture, nodes) = (fixture().await, NodeRegistry::default());
    let (geo, id) = ("eu".parse().unwrap(), "eu-1".parse().unwrap());
    std::mem::forget(nodes.begin(&geo, &id, |node| node.schema = proto::manifest::SCHEMA));
    let config = RolloutConfig { stages: vec![0, 100], ..RolloutConfig::default() };
    let seen = observed(&fixture.publisher, &nodes, None).await.unwrap();
    let staging = Some(Staging { stages: plan(&seen, &config), manual: false });
    let text = "apiVersion: chancery/v1\nkind: Provider\nmetadata: {name: p}\nspec: {adapter: simulated}\n";
    let file = proto::admin::SourceFile { path: "f.yaml".into(), text: text.into() };
    let declared = manifest::Declared { files: vec![file], staging, ..Default::default() };
    let act = (Act::of_system("test"), Mode::Commit);
    let answer =
        manifest::apply(&fixture.publisher, &Actor::Platform("test".into()), act, declared).await.unwrap();
    assert!(answer.faults.is_empty() && !answer.rollout.is_empty(), "{:?}", answer.faults);
    let (publisher, pace, trouble) = (fixture.publisher.clone(), Pace::begun(), Quiet::default());
    (fixture, Looker { publisher, nodes, config, pace, trouble })
}

fn active(fixture: &Fixture) -> Arc<Active> {
    fixture.publisher.lines().borrow().rollout.clone().unwrap()
}

fn start(fixture: &Fixture) -> Option<i64> {
    active(fixture).record.stages.first()?.start_time.as_ref().map(clock::micros)
}

#[tokio::test]
async fn a_rollout_that_can_not_go_on_says_so_once_and_goes_on_when_it_can_by_the_clock_that_was_set() {
    let (lines, _told) = Lines::told();
    let (fixture, mut looker) = begun().await;
    looker.look(&active(&fixture)).await;
    let begun = start(&fixture).expect("the first stage runs");

    fixture.publisher.store().pragma("PRAGMA query_only = ON").await.unwrap();
    let minute = 60_000_000;
    looker.pace.was_set(minute);
    for _ in 0..20 {
        looker.look(&active(&fixture)).await;
    }
    assert_eq!((lines.with("a rollout could not go on"), start(&fixture)), (1, Some(begun)));

    // The shift is as large as it was, however often it could not be kept.
    fixture.publisher.store().pragma("PRAGMA query_only = OFF").await.unwrap();
    for _ in 0..3 {
        looker.look(&active(&fixture)).await;
    }
    let moved = start(&fixture).unwrap() - begun;
    assert!((moved - minute).abs() < 1_000_000, "{moved}");
    assert_eq!((lines.with("what bakes bakes anew"), lines.with("a rollout could not go on")), (1, 1));
}

#[tokio::test]
async fn what_was_read_before_a_stop_is_not_judged_by_the_time_after_it() {
    let (lines, _told) = Lines::told();
    let (fixture, mut looker) = begun().await;
    let before = active(&fixture).record.clone();
    assert_eq!(start(&fixture), None, "no stage has begun");
    let seen = observed(&looker.publisher, &looker.nodes, Some(&before)).await;
    let minute = 60_000_000;
    looker.pace.was_set(minute);
    looker.judged(&before, seen).await.unwrap();
    assert_eq!((start(&fixture), lines.with("what bakes bakes anew")), (None, 1), "nothing follows of it");
    looker.look(&active(&fixture)).await;
    assert!(start(&fixture).is_some(), "what is seen now is judged");
}
