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
use proto::sync::{ControlMessage, Simulate, SimulateCancel, Simulated, Survey, SurveyCancel, Surveyed};
use tokio::sync::mpsc;
use tonic::Status;

/// Where what is said to a node goes.
type Say = mpsc::Sender<Result<ControlMessage, Status>>;

/// A node, by where it is and what it is called there.
type Place = (Geo, Name);

/// How long a node may take to read on before it is given up.
const READS: Duration = Duration::from_secs(60);

/// Answers that wait: more than a node has of one simulation, or of one survey.
const WAITING: usize = 1_024;

/// What a node can be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Able {
    /// To decide its records again, by a draft.
    pub(crate) simulates: bool,
    /// To compare that with what is in force.
    pub(crate) in_force: bool,
    /// To ask a vendor what models it has.
    pub(crate) surveys: bool,
}

/// What a node answers something by.
pub(crate) trait Answer: Sized + Send + 'static {
    /// Which it answers.
    fn id(&self) -> u64;
    /// Says that nobody wants more of it.
    fn cancel(id: u64) -> Saying;
    /// Who waits for such on a stream.
    fn waiting(line: &Line) -> &Waiting<Self>;
}

/// Who waits for answers, by what was asked.
type Waiting<A> = Mutex<HashMap<u64, mpsc::Sender<A>>>;

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
    able: Able,
    say: Say,
    last: AtomicU64,
    simulations: Waiting<Simulated>,
    surveys: Waiting<Surveyed>,
}

/// A stream's place among those that can be asked; dropped, it can't any more.
#[derive(Debug)]
pub(crate) struct Seat {
    reach: Reach,
    line: Arc<Line>,
}

/// Something that was asked; dropped, nobody wants an answer.
#[derive(Debug)]
pub(crate) struct Asking<A: Answer> {
    line: Arc<Line>,
    id: u64,
    heard: mpsc::Receiver<A>,
}

impl Answer for Simulated {
    fn id(&self) -> u64 {
        self.id
    }

    fn cancel(id: u64) -> Saying {
        Saying::SimulateCancel(SimulateCancel { id })
    }

    fn waiting(line: &Line) -> &Waiting<Self> {
        &line.simulations
    }
}

impl Answer for Surveyed {
    fn id(&self) -> u64 {
        self.id
    }

    fn cancel(id: u64) -> Saying {
        Saying::SurveyCancel(SurveyCancel { id })
    }

    fn waiting(line: &Line) -> &Waiting<Self> {
        &line.surveys
    }
}

impl Reach {
    /// Whose turn it is to have the nodes of a geo read: a node reads for one at a time, and whoever asks next waits here and not there. No
    /// geo waits for another.
    pub(crate) async fn turn(&self, geo: &Geo) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = self.turns.lock().entry(geo.clone()).or_default().clone();
        turn.lock_owned().await
    }

    /// A node can be asked over a stream what it is able to answer.
    pub(crate) fn join(&self, (place, able): (Place, Able), say: Say) -> Seat {
        let line = Arc::new(Line {
            place: place.clone(),
            able,
            say,
            last: AtomicU64::new(0),
            simulations: Mutex::default(),
            surveys: Mutex::default(),
        });
        self.lines.lock().entry(place).or_default().push(line.clone());
        Seat { reach: self.clone(), line }
    }

    /// The nodes of a geo that can be asked to simulate, each over its newest stream.
    pub(crate) fn nodes_in(&self, geo: &Geo) -> Vec<Arc<Line>> {
        let lines = self.lines.lock();
        let here = lines.iter().filter(|((at, _), _)| at == geo);
        here.filter_map(|(_, lines)| lines.last().cloned()).filter(|line| line.able.simulates).collect()
    }

    /// The nodes that can be asked for a survey, each over its newest stream, in the order of geos and names.
    pub(crate) fn surveyors(&self) -> Vec<Arc<Line>> {
        let lines = self.lines.lock();
        lines.values().filter_map(|lines| lines.last().cloned()).filter(|line| line.able.surveys).collect()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Whoever waits for an answer sees that none will come.
        self.line.simulations.lock().clear();
        self.line.surveys.lock().clear();
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
    pub(crate) fn hears<A: Answer>(&self, said: A) {
        let mut asked = A::waiting(&self.line).lock();
        let id = said.id();
        let is_taken = asked.get(&id).is_none_or(|asker| asker.try_send(said).is_ok());
        if !is_taken {
            asked.remove(&id);
        }
    }
}

impl Line {
    /// Where the node is.
    pub(crate) fn geo(&self) -> &Geo {
        &self.place.0
    }

    /// The node's id within its geo.
    pub(crate) fn node(&self) -> &Name {
        &self.place.1
    }

    /// Whether the node's build knows how to compare a draft with what is in force.
    pub(crate) fn compares_with_in_force(&self) -> bool {
        self.able.in_force
    }

    /// Asks the node to simulate; its policy is to follow.
    pub(crate) async fn simulate(self: &Arc<Self>, asked: Simulate) -> Option<Asking<Simulated>> {
        self.ask(|id| Saying::Simulate(Simulate { id, ..asked })).await
    }

    /// Asks the node to ask the vendor behind a provider, by its AIP name, what models it has.
    pub(crate) async fn survey(self: &Arc<Self>, provider: String) -> Option<Asking<Surveyed>> {
        self.ask(|id| Saying::Survey(Survey { id, provider })).await
    }

    async fn ask<A: Answer>(self: &Arc<Self>, asked: impl FnOnce(u64) -> Saying) -> Option<Asking<A>> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (asker, heard) = mpsc::channel(WAITING);
        A::waiting(self).lock().insert(id, asker);
        let asking = Asking { line: self.clone(), id, heard };
        asking.say(asked(id)).await.then_some(asking)
    }
}

impl<A: Answer> Asking<A> {
    /// Names what was asked, on the stream.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Says something of it to the node; whether it went there.
    pub(crate) async fn say(&self, saying: Saying) -> bool {
        say(&self.line.say, saying).await
    }

    /// What the node says next; `None`: nothing any more.
    pub(crate) async fn hear(&mut self) -> Option<A> {
        self.heard.recv().await
    }
}

impl<A: Answer> Drop for Asking<A> {
    fn drop(&mut self) {
        // Of what is over already, a node takes no notice.
        let wanted = A::waiting(&self.line).lock().remove(&self.id).is_some();
        if let (true, Ok(runtime)) = (wanted, tokio::runtime::Handle::try_current()) {
            let (to, id) = (self.line.say.clone(), self.id);
            runtime.spawn(async move { say(&to, A::cancel(id)).await });
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

    const ABLE: Able = Able { simulates: true, in_force: true, surveys: true };

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
        let seat = reach.join((place("eu-1"), ABLE), say.clone());
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
        let newer = reach.join((place("eu-1"), ABLE), say);
        drop(seat);
        assert_eq!((asking.hear().await, reach.nodes_in(&"eu".parse().unwrap()).len()), (None, 1));
        drop(newer);
        assert!(reach.nodes_in(&"eu".parse().unwrap()).is_empty());
    }

    #[tokio::test]
    async fn a_node_is_asked_what_it_can_and_answers_go_to_whoever_asked_that() {
        let reach = Reach::default();
        let (say, mut said) = mpsc::channel(8);
        let old = reach.join((place("eu-0"), Able { surveys: false, ..ABLE }), say.clone());
        let new = reach.join((place("eu-1"), Able { simulates: false, ..ABLE }), say);
        let named = |lines: Vec<Arc<Line>>| -> Vec<String> {
            lines.iter().map(|line| format!("{}/{}", line.geo(), line.node())).collect()
        };
        assert_eq!(named(reach.nodes_in(&"eu".parse().unwrap())), ["eu/eu-0"]);
        assert_eq!(named(reach.surveyors()), ["eu/eu-1"]);
        let line = reach.surveyors().pop().unwrap();
        let mut asking = line.survey("providers/x".to_owned()).await.unwrap();
        let asked = Survey { id: asking.id(), provider: "providers/x".to_owned() };
        assert_eq!(next(&mut said).await, Saying::Survey(asked));
        // The same number of another question is not its answer.
        new.hears(Simulated { id: asking.id(), said: None });
        old.hears(Surveyed { id: asking.id(), said: None });
        let failed =
            Surveyed { id: asking.id(), said: Some(proto::sync::surveyed::Said::Failed("no".to_owned())) };
        new.hears(failed.clone());
        assert_eq!(asking.hear().await, Some(failed));
        let id = asking.id();
        drop(asking);
        assert_eq!(next(&mut said).await, Saying::SurveyCancel(SurveyCancel { id }));
    }

    #[tokio::test]
    async fn who_does_not_take_answers_is_let_go() {
        let reach = Reach::default();
        let (say, _said) = mpsc::channel(8);
        let seat = reach.join((place("eu-1"), ABLE), say);
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
