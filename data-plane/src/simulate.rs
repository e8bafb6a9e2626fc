//! A draft against the records of this geo: asked by the control plane, read and decided again here, answered in counts and ids.
//!
//! Law: records stay where they are, and nothing of a draft is ever in force. One simulation at a time, on one thread of the lowest
//! priority, which reads a line at a time; another waits for it a while, and is refused as busy then. It ends with the stream that asked,
//! or as soon as nobody wants it.
//! Absent on purpose: who may ask, and where segments are (`source`; `ship` has the one that serves).

mod policy;
mod reading;
pub(crate) mod source;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use policy_engine::vocabulary::Geo;
use proto::simulated;
use proto::sync::node_message::Message as Saying;
use proto::sync::simulated::Said;
use proto::sync::{NodeMessage, Simulate, SimulateCancel, SimulatePart, Simulated, SimulatedProgress};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use policy::Gathering;
use reading::{Job, Read};
use source::Source;

/// The capability of simulating.
pub(crate) const SIMULATE: &str = "simulate";
/// The capability of comparing a draft with what is in force.
pub(crate) const IN_FORCE: &str = "simulate-in-force";

/// How often it is said how far it is.
const TELL: Duration = Duration::from_secs(1);

/// How long the one place may take to become free.
const FREES: Duration = Duration::from_secs(5);

/// Bytes of a reason that are said.
const REASON: usize = 500;

/// What can simulate here. Clones share its one place.
#[derive(Clone)]
pub(crate) struct Simulator {
    /// `None`: nothing is kept here.
    source: Option<(Geo, Arc<dyn Source>)>,
    place: Arc<Semaphore>,
}

impl Default for Simulator {
    fn default() -> Self {
        Self { source: None, place: Arc::new(Semaphore::new(1)) }
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Simulator {
    /// Of the records of a geo.
    pub(crate) fn of(geo: Geo, source: Arc<dyn Source>) -> Self {
        Self { source: Some((geo, source)), ..Self::default() }
    }

    /// For one stream of the control plane, to which `say` goes.
    pub(crate) fn desk(&self, say: mpsc::Sender<NodeMessage>) -> Desk {
        Desk { simulator: self.clone(), say, at: Mutex::new(None) }
    }
}

/// Simulations of one stream; dropped, whatever is under way ends.
pub(crate) struct Desk {
    simulator: Simulator,
    say: mpsc::Sender<NodeMessage>,
    at: Mutex<Option<UnderWay>>,
}

/// The one simulation that is under way.
struct UnderWay {
    id: u64,
    /// Its policy, while that comes.
    gathering: Option<Gathering>,
    ends: CancellationToken,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.ends.cancel();
    }
}

impl Desk {
    /// A simulation begins; its policy is to come.
    pub(crate) fn begins(&self, asked: Simulate) {
        let id = asked.id;
        // One of the same stream gives way: who asks again wants no more of it.
        self.at.lock().take();
        match Gathering::begin(asked) {
            Ok(gathering) => {
                let ends = CancellationToken::new();
                *self.at.lock() = Some(UnderWay { id, gathering: Some(gathering), ends });
            }
            Err(why) => self.refuse(id, &why),
        }
    }

    /// A part of the policy; after the last one the records are read.
    pub(crate) fn part(&self, part: &SimulatePart) {
        let mut at = self.at.lock();
        let Some(under_way) = at.as_mut().filter(|under_way| under_way.id == part.id) else { return };
        let Some(gathering) = under_way.gathering.as_mut() else { return };
        match gathering.add(&part.data) {
            Ok(false) => {}
            Ok(true) => {
                let ends = under_way.ends.clone();
                if let Some(gathering) = under_way.gathering.take() {
                    self.start((part.id, gathering), ends);
                }
            }
            Err(why) => {
                at.take();
                self.refuse(part.id, &why);
            }
        }
    }

    /// A simulation is no longer wanted.
    pub(crate) fn cancel(&self, cancel: &SimulateCancel) {
        self.at.lock().take_if(|under_way| under_way.id == cancel.id);
    }

    fn start(&self, (id, gathered): (u64, Gathering), ends: CancellationToken) {
        let Some((geo, source)) = self.simulator.source.clone() else {
            return self.refuse(id, "no records are kept here");
        };
        let records = Arc::new(AtomicU64::new(0));
        let job = Job { gathered, geo, source, records: records.clone(), ends: ends.clone() };
        let (place, say) = (self.simulator.place.clone(), self.say.clone());
        tokio::spawn(async move {
            // One that nobody wants any more ends within a line; one of another stream may take long.
            match timeout(FREES, place.acquire_owned()).await {
                Ok(Ok(permit)) => run((id, job), permit, (say, records, ends)).await,
                _ => tell(&say, id, Said::Failed("it is busy with another simulation".to_owned())).await,
            }
        });
    }

    fn refuse(&self, id: u64, why: &str) {
        let (say, why) = (self.say.clone(), why.to_owned());
        tokio::spawn(async move { tell(&say, id, Said::Failed(why)).await });
    }
}

/// Reads on a thread of its own, and says how far it is and what came of it.
async fn run(
    (id, job): (u64, Job),
    permit: OwnedSemaphorePermit,
    (say, records, ends): (mpsc::Sender<NodeMessage>, Arc<AtomicU64>, CancellationToken),
) {
    let (done, mut read) = oneshot::channel();
    tracing::info!(id, "a simulation begins");
    let work = move || {
        lowest_priority();
        let read = job.read();
        // The place is taken until the thread has ended, wanted or not.
        drop(permit);
        let _nobody_wants_it = done.send(read);
    };
    if let Err(error) = thread::Builder::new().name("simulate".to_owned()).spawn(work) {
        return tell(&say, id, Said::Failed(format!("no thread can be had: {error}"))).await;
    }
    let mut turn = tokio::time::interval(TELL);
    let read = loop {
        tokio::select! {
            () = ends.cancelled() => {
                tracing::info!(id, "a simulation is no longer wanted");
                return;
            }
            read = &mut read => break read.unwrap_or_else(|_| Err("the reading broke".to_owned())),
            _ = turn.tick() => {
                let progress = SimulatedProgress { records: records.load(Ordering::Relaxed) };
                tell(&say, id, Said::Progress(progress)).await;
            }
        }
    };
    match read {
        Ok(Read { tally, hashes }) => {
            tracing::info!(id, decisions = tally.counts.decisions(), "a simulation is done");
            let (parts, done) = simulated::said(tally, hashes);
            for part in parts {
                tell(&say, id, Said::Part(part)).await;
            }
            let progress = SimulatedProgress { records: records.load(Ordering::Relaxed) };
            tell(&say, id, Said::Progress(progress)).await;
            tell(&say, id, Said::Done(done)).await;
        }
        Err(why) => {
            tracing::warn!(id, why, "a simulation failed");
            tell(&say, id, Said::Failed(why.chars().take(REASON).collect())).await;
        }
    }
}

async fn tell(say: &mpsc::Sender<NodeMessage>, id: u64, said: Said) {
    let said = Simulated { id, said: Some(said) };
    // A closed channel means the stream ended, and this with it.
    let _ = say.send(NodeMessage { message: Some(Saying::Simulated(said)) }).await;
}

/// Lets every other thread of the machine go first: requests above all. Where the system does not have it, the thread yields all the same.
fn lowest_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "a simulation has the priority of everything else");
    }
}

#[cfg(test)]
mod tests;
