//! The records of a simulation, read one by one and decided again.
//!
//! Law: a line at a time, and after some of them every other thread may go first. What can't be read ends it: a sum of half the records
//! would be taken for the whole.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use policy_engine::simulate::{Asked, Past, Tally, Worlds};
use policy_engine::vocabulary::{Geo, Kind};
use proto::name;
use proto::segment::{Decided, each_record};
use tokio_util::sync::CancellationToken;

use super::policy::Gathering;
use super::source::Source;

/// Principals and models that are named.
const NAMED: usize = 10_000;

/// Records after which others may go first.
const TURN: u64 = 64;

/// A simulation whose policy is there.
pub(super) struct Job {
    pub(super) gathered: Gathering,
    pub(super) geo: Geo,
    pub(super) source: Arc<dyn Source>,
    /// Records that were read so far.
    pub(super) records: Arc<AtomicU64>,
    pub(super) ends: CancellationToken,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) tally: Tally,
    /// Hashes of the manifests of segments that were read, or are too old.
    pub(super) hashes: Vec<Vec<u8>>,
}

impl Job {
    /// Reads everything; of one that is no longer wanted what was read so far.
    pub(super) fn read(&self) -> Result<Read, String> {
        let asked = self.gathered.asked()?;
        let (head, draft) = self.gathered.worlds(&self.geo)?;
        let worlds = Worlds { head: &head, draft: &draft, against: asked.against };
        let (mut tally, mut hashes) = (Tally::naming(NAMED), Vec::new());
        let reads = |own: &str, node: &str| self.gathered.reads(own, node);
        for segment in self.source.segments(&reads)? {
            if self.ends.is_cancelled() {
                break;
            }
            match segment.sealed {
                Some(sealed) if asked.since.is_some_and(|since| sealed.at < since) => {
                    tally.skip(sealed.count);
                }
                _ => {
                    // What was pruned is not waited for; of anything else it is told that nobody read it.
                    let Some(lines) = self.source.open(&segment)? else { continue };
                    each_record(lines, |decided| self.take(decided, (&asked, worlds), &mut tally))
                        .map_err(|error| format!("`{}`: {error}", segment.name))?;
                }
            }
            hashes.extend(segment.sealed.map(|sealed| sealed.hash.to_vec()));
        }
        Ok(Read { tally, hashes })
    }

    fn take(
        &self,
        decided: Option<Decided>,
        (asked, worlds): (&Asked, Worlds<'_>),
        tally: &mut Tally,
    ) -> ControlFlow<()> {
        match decided {
            None => tally.pass(),
            Some(decided) if decided.geo != self.geo.as_str() || !asked.covers(&decided.recorded) => {
                tally.skip(1);
            }
            Some(Decided { request_id, model, recorded, judged, .. }) => {
                let past = Past { request_id: &request_id, recorded: &recorded, judged: &judged };
                tally.take(past, worlds, || {
                    model.map_or_else(|| recorded.model.clone(), |model| name::format(Kind::Model, &model))
                });
            }
        }
        let read = self.records.fetch_add(1, Ordering::Relaxed);
        if read.is_multiple_of(TURN) {
            thread::yield_now();
        }
        if self.ends.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
