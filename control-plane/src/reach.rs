//! Nodes that can be asked something over the streams that they hold open.
//!
//! Law: what is asked ends with whoever asked and with the stream, whichever is first; a node is told that nobody wants its answer any more.
//! Answers wait in a bounded place, and an asker who does not take them is let go. Absent on purpose: what is asked, and who may.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use policy_engine::vocabulary::{Geo, Name};
use proto::sync::control_message::Message as Saying;
use proto::sync::{ControlMessage, Simulate, SimulateCancel, Simulated};
use tokio::sync::mpsc;
use tonic::Status;

/// Where what is said to a node goes.
type Say = mpsc::Sender<Result<ControlMessage, Status>>;

/// A node, by where it is and what it is called there.
type Place = (Geo, Name);

/// How long a node may take to read on before it is given up.
const READS: Duration = Duration::from_secs(60);

/// Answers that wait: more than a node has of one simulation.
const WAITING: usize = 1_024;

/// Nodes that have a stream and can be asked. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    lines: Arc<Mutex<BTreeMap<Place, Vec<Arc<Line>>>>>,
    turns: Arc<Mutex<BTreeMap<Geo, Arc<tokio::sync::Mutex<()>>>>>,
}

/// One stream of a node.
#[derive(Debug)]
pub(crate) struct Line {
    place: Place,
    in_force: bool,
    say: Say,
    last: AtomicU64,
    asked: Mutex<HashMap<u64, mpsc::Sender<Simulated>>>,
}

/// A stream's place among those that can be asked; dropped, it can't any more.
#[derive(Debug)]
pub(crate) struct Seat {
    reach: Reach,
    line: Arc<Line>,
}

/// Something that was asked; dropped, nobody wants an answer.
#[derive(Debug)]
pub(crate) struct Asking {
    line: Arc<Line>,
    id: u64,
    heard: mpsc::Receiver<Simulated>,
}

impl Reach {
    /// Whose turn it is to have the nodes of a geo read: a node reads for one at a time, and whoever asks next waits here and not there. No
    /// geo waits for another.
    pub(crate) async fn turn(&self, geo: &Geo) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = self.turns.lock().entry(geo.clone()).or_default().clone();
        turn.lock_owned().await
    }

    /// A node can be asked over a stream; `in_force`: also to compare a draft with what is in force.
    pub(crate) fn join(&self, (place, in_force): (Place, bool), say: Say) -> Seat {
        let line =
            Line { place: place.clone(), in_force, say, last: AtomicU64::new(0), asked: Mutex::default() };
        let line = Arc::new(line);
        self.lines.lock().entry(place).or_default().push(line.clone());
        Seat { reach: self.clone(), line }
    }

    /// The nodes of a geo that can be asked, each over its newest stream.
    pub(crate) fn nodes_in(&self, geo: &Geo) -> Vec<Arc<Line>> {
        let lines = self.lines.lock();
        let here = lines.iter().filter(|((at, _), _)| at == geo);
        here.filter_map(|(_, lines)| lines.last().cloned()).collect()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Whoever waits for an answer sees that none will come.
        self.line.asked.lock().clear();
        let mut lines = self.reach.lines.lock();
        if let Some(here) = lines.get_mut(&self.line.place) {
            here.retain(|line| !Arc::ptr_eq(line, &self.line));
            if here.is_empty() {
                lines.remove(&self.line.place);
            }
        }
    }
}

impl Seat {
    /// The node answers.
    pub(crate) fn hears(&self, said: Simulated) {
        let mut asked = self.line.asked.lock();
        let id = said.id;
        let is_taken = asked.get(&id).is_none_or(|asker| asker.try_send(said).is_ok());
        if !is_taken {
            asked.remove(&id);
        }
    }
}

impl Line {
    /// The node's id within its geo.
    pub(crate) fn node(&self) -> &Name {
        &self.place.1
    }

    /// Whether the node's build knows how to compare a draft with what is in force.
    pub(crate) fn compares_with_in_force(&self) -> bool {
        self.in_force
    }

    /// Asks the node to simulate; its policy is to follow.
    pub(crate) async fn simulate(self: &Arc<Self>, asked: Simulate) -> Option<Asking> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (asker, heard) = mpsc::channel(WAITING);
        self.asked.lock().insert(id, asker);
        let asking = Asking { line: self.clone(), id, heard };
        asking.say(Saying::Simulate(Simulate { id, ..asked })).await.then_some(asking)
    }
}

impl Asking {
    /// Names what was asked, on the stream.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Says something of it to the node; whether it went there.
    pub(crate) async fn say(&self, saying: Saying) -> bool {
        say(&self.line.say, saying).await
    }

    /// What the node says next; `None`: nothing any more.
    pub(crate) async fn hear(&mut self) -> Option<Simulated> {
        self.heard.recv().await
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // Of what is over already, a node takes no notice.
        let wanted = self.line.asked.lock().remove(&self.id).is_some();
        if let (true, Ok(runtime)) = (wanted, tokio::runtime::Handle::try_current()) {
            let (to, id) = (self.line.say.clone(), self.id);
            runtime.spawn(async move { say(&to, Saying::SimulateCancel(SimulateCancel { id })).await });
        }
    }
}

async fn say(to: &Say, saying: Saying) -> bool {
    let message = Ok(ControlMessage { message: Some(saying) });
    matches!(tokio::time::timeout(READS, to.send(message)).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use proto::sync::simulated::Said;

    use super::*;

    fn place(id: &str) -> Place {
        ("eu".parse().unwrap(), id.parse().unwrap())
    }

    async fn next(said: &mut mpsc::Receiver<Result<ControlMessage, Status>>) -> Saying {
        said.recv().await.unwrap().unwrap().message.unwrap()
    }

    #[tokio::test]
    async fn what_is_asked_ends_with_the_asker_and_with_the_stream() {
        let reach = Reach::default();
        let (say, mut said) = mpsc::channel(8);
        let seat = reach.join((place("eu-1"), true), say.clone());
        assert_eq!(reach.nodes_in(&"us".parse().unwrap()).len(), 0);
        let line = reach.nodes_in(&"eu".parse().unwrap()).pop().unwrap();
        let mut asking = line.simulate(Simulate::default()).await.unwrap();
        assert!(matches!(next(&mut said).await, Saying::Simulate(asked) if asked.id == asking.id()));
        let failed = |id| Simulated { id, said: Some(Said::Failed("no".to_owned())) };
        seat.hears(failed(99));
        seat.hears(failed(asking.id()));
        assert_eq!(asking.hear().await, Some(failed(asking.id())));
        let id = asking.id();
        drop(asking);
        assert!(matches!(next(&mut said).await, Saying::SimulateCancel(cancel) if cancel.id == id));

        let mut asking = line.simulate(Simulate::default()).await.unwrap();
        let newer = reach.join((place("eu-1"), true), say);
        drop(seat);
        assert_eq!((asking.hear().await, reach.nodes_in(&"eu".parse().unwrap()).len()), (None, 1));
        drop(newer);
        assert!(reach.nodes_in(&"eu".parse().unwrap()).is_empty());
    }

    #[tokio::test]
    async fn who_does_not_take_answers_is_let_go() {
        let reach = Reach::default();
        let (say, _said) = mpsc::channel(8);
        let seat = reach.join((place("eu-1"), true), say);
        let line = reach.nodes_in(&"eu".parse().unwrap()).pop().unwrap();
        let mut asking = line.simulate(Simulate::default()).await.unwrap();
        for _ in 0..=WAITING {
            seat.hears(Simulated { id: asking.id(), said: None });
        }
        for _ in 0..WAITING {
            assert!(asking.hear().await.is_some());
        }
        assert_eq!(asking.hear().await, None);
    }
}
