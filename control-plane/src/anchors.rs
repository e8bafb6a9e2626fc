//! Anchors of the decision log: what nodes tell of their segments goes into the audit log, many in one event.
//!
//! Law: a node is told that a segment is anchored once it is, and not before; whatever is lost on the way it tells again, and what is
//! known already changes nothing. Absent on purpose: segments themselves, which stay where they are.

use std::time::Duration;

use proto::admin::{AuditEvent, AuditedChange};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::act::{Act, encoded};
use crate::clock;
use crate::registry::hex;
use crate::store::{Event, SegmentRow, Store};

/// How long segments wait for others at most, before they are anchored together.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// How long the last segment of a process that was told to end waits: it waits for this, and others end with it.
const SOON: Duration = Duration::from_millis(200);

/// How many do.
const MOST: usize = 1_000;

/// Reports that may wait; a node whose report has no room repeats it.
const WAITING: usize = 1_024;

/// What is told where segments are anchored. Clones share it.
#[derive(Debug, Clone)]
pub struct Anchors(mpsc::Sender<Reported>);

/// What a node told, and who waits for it.
#[derive(Debug)]
struct Reported {
    segments: Vec<SegmentRow>,
    done: oneshot::Sender<()>,
}

/// Whoever anchors.
#[derive(Debug)]
pub struct Anchoring {
    reported: mpsc::Receiver<Reported>,
    store: Store,
}

/// Anchors of a store, and who makes them.
pub fn anchors(store: &Store) -> (Anchors, Anchoring) {
    let (tell, reported) = mpsc::channel(WAITING);
    (Anchors(tell), Anchoring { reported, store: store.clone() })
}

impl Anchors {
    /// Anchors segments; whether they are.
    pub(crate) async fn anchor(&self, segments: Vec<SegmentRow>) -> bool {
        let (done, told) = oneshot::channel();
        self.0.try_send(Reported { segments, done }).is_ok() && told.await.is_ok()
    }
}

impl Reported {
    /// How long it waits for others, which would be as long as this.
    fn pause(&self, interval: Duration) -> Duration {
        let is_last = self.segments.iter().any(|segment| segment.ended == "shutdown");
        if is_last { interval.min(SOON) } else { interval }
    }
}

impl Anchoring {
    /// Anchors what is told until `stop`.
    pub async fn run(mut self, interval: Duration, stop: CancellationToken) {
        while let Some(Some(first)) = stop.run_until_cancelled(self.reported.recv()).await {
            let mut end = Instant::now() + first.pause(interval);
            let mut reports = vec![first];
            while reports.iter().map(|report| report.segments.len()).sum::<usize>() < MOST {
                let next = tokio::time::timeout_at(end, self.reported.recv());
                match stop.run_until_cancelled(next).await {
                    Some(Ok(Some(report))) => {
                        end = end.min(Instant::now() + report.pause(interval));
                        reports.push(report);
                    }
                    _ => break,
                }
            }
            self.keep(reports).await;
        }
    }

    async fn keep(&self, reports: Vec<Reported>) {
        let (segments, waiting): (Vec<_>, Vec<_>) =
            reports.into_iter().map(|report| (report.segments, report.done)).unzip();
        let (segments, now) = (segments.concat(), clock::now());
        match self.store.anchor(&segments, now, |part| event(part, now)).await {
            // Whoever went away meanwhile tells it again.
            Ok(_) => {
                for done in waiting {
                    let _ = done.send(());
                }
            }
            Err(error) => {
                tracing::error!(%error, "segments of the decision log can't be anchored: nodes tell them again")
            }
        }
    }
}

/// The event that anchors segments: each is a change whose digest is its manifest's.
fn event(segments: &[SegmentRow], now: i64) -> Event<'static> {
    let change = |segment: &SegmentRow| AuditedChange {
        name: named(segment),
        change: "created".to_owned(),
        before_digest: String::new(),
        after_digest: hex(&segment.hash),
        ..AuditedChange::default()
    };
    let changes: Vec<_> = segments.iter().map(change).collect();
    let act =
        Act { resource: "decisionSegments".to_owned(), ..Act::of_system("chancery.sync.v1.Sync/Anchor") };
    Event {
        created_at: now,
        revision: 0,
        body: Box::new(move |seq| {
            encoded(AuditEvent { changes: changes.clone(), ..act.event("ok", 0, now) }, seq)
        }),
    }
}

/// A segment, as events name it.
pub(crate) fn named(segment: &SegmentRow) -> String {
    let SegmentRow { geo, node, boot_id, seqs: (first, last), .. } = segment;
    format!("geos/{geo}/nodes/{node}/decisionSegments/{boot_id}.{first}-{last}")
}

#[cfg(test)]
mod tests;
