//! Simulations over a source of lines, and over an outbox with a store.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufRead;
use std::sync::mpsc as blocking;

use policy_engine::facts::Facts;
use policy_engine::vocabulary::Instant;
use prost::Message as _;
use proto::manifest::{Holding, seal};
use proto::sync::{Scope, SimulatedDone, SimulatedPart};
use tokio::sync::mpsc::Receiver;

use super::source::{Reads, Sealed, Segment};
use super::*;
use crate::config::Decisions;
use crate::house::world;
use crate::ship::Store;
use crate::ship::source::Kept;

fn line(request: &str, model: &str, second: u32) -> String {
    format!(
        r#"{{"seq":{second},"bootId":"b","requestId":"{request}","time":"2026-01-01T00:00:{second:02}Z","geo":"eu","operation":"chat","stream":false,"revision":1,"digest":"00","tenant":"acme","team":"research","principal":"ada","key":"k9","modelAsked":"{model}","model":"{model}","found":{{"input":{{}}}},"effect":"allow","candidates":["acme/none"],"matchedRules":[],"shadowDenials":[],"reasons":[]}}"#
    )
}

/// What a scope holds of facts, as it is sent.
fn holding(facts: &Facts) -> Holding {
    let mut holding = Holding::of(Scope { geo: "eu".to_owned(), node_class: String::new() });
    for mut resource in proto::convert::resources(facts) {
        seal(&mut resource);
        holding.put(resource);
    }
    holding
}

/// A draft that takes a model away.
fn drafted() -> (Vec<u8>, Vec<u8>) {
    let (head, mut draft) = (world::facts(), world::facts());
    draft.prices.remove(&world::platform("pair"));
    draft.models.retain(|id, _| id.name.as_str() != "pair");
    let (head, draft) = (holding(&head), holding(&draft));
    (draft.contents().encode_to_vec(), head.changes_of(&draft).encode_to_vec())
}

/// Segments by their nodes; reading one may have to wait.
#[derive(Default)]
struct Lines {
    segments: BTreeMap<String, (String, Option<Sealed>)>,
    gate: Mutex<Option<blocking::Receiver<()>>>,
}

impl Source for Lines {
    fn segments(&self, reads: Reads<'_>) -> Result<Vec<Segment>, String> {
        let read = self.segments.iter().filter(|(node, _)| reads("eu-1", node));
        let segment = |(node, (_, sealed)): (&String, &(String, Option<Sealed>))| Segment {
            name: node.clone(),
            path: None,
            sealed: *sealed,
        };
        Ok(read.map(segment).collect())
    }

    fn open(&self, segment: &Segment) -> Result<Option<Box<dyn BufRead + '_>>, String> {
        if let Some(gate) = self.gate.lock().take() {
            gate.recv().map_err(|_| "nobody let it go on".to_owned())?;
        }
        Ok(Some(Box::new(self.segments[&segment.name].0.as_bytes())))
    }
}

/// Asks for a simulation, its policy in small parts.
fn ask(desk: &Desk, asked: Simulate) {
    let (draft, head) = drafted();
    let (id, draft_bytes, head_bytes) = (asked.id, draft.len() as u64, head.len() as u64);
    desk.begins(Simulate { draft_bytes, head_bytes, ..asked });
    for data in [draft, head].concat().chunks(1_000) {
        desk.part(&SimulatePart { id, data: data.to_vec().into() });
    }
}

/// What is said of one until it is over: the parts joined, and how it ended.
async fn heard(said: &mut Receiver<NodeMessage>, id: u64) -> (SimulatedPart, Result<SimulatedDone, String>) {
    let mut whole = SimulatedPart::default();
    loop {
        let Some(Saying::Simulated(simulated)) = said.recv().await.unwrap().message else {
            panic!("no answer")
        };
        if simulated.id != id {
            // It was said before that one was given up.
            assert!(matches!(simulated.said, Some(Said::Progress(_))), "{simulated:?}");
            continue;
        }
        match simulated.said.unwrap() {
            Said::Progress(_) => {}
            Said::Part(part) => {
                whole.flips.extend(part.flips);
                whole.manifest_hashes.extend(part.manifest_hashes);
            }
            Said::Done(done) => return (whole, Ok(done)),
            Said::Failed(why) => return (whole, Err(why)),
        }
    }
}

fn sealed(hash: u8, count: u64, at: &str) -> Option<Sealed> {
    Some(Sealed { hash: [hash; 32], count, at: Instant::parse(at).unwrap() })
}

fn three() -> Lines {
    let text = |lines: &[String]| lines.join("\n") + "\n";
    let undecided = line("r-9", "fast", 9).replace(r#""effect":"allow","#, "");
    let own = text(&[line("r-1", "pair", 1), line("r-2", "fast", 2), undecided]);
    let segments = [
        ("eu-1", (own + "{\"half", sealed(1, 3, "2026-01-01T00:01:00Z"))),
        ("eu-2", (text(&[line("r-3", "pair", 3)]), sealed(2, 1, "2026-01-01T00:02:00Z"))),
        ("eu-3", (text(&[line("r-4", "pair", 4)]), None)),
    ];
    let segments = segments.map(|(node, segment)| (node.to_owned(), segment)).into_iter().collect();
    Lines { segments, ..Lines::default() }
}

#[tokio::test]
async fn a_draft_is_judged_on_the_records_that_are_asked_for() {
    let simulator = Simulator::of("eu".parse().unwrap(), Arc::new(three()));
    let (say, mut said) = mpsc::channel(8);
    let desk = simulator.desk(say);
    ask(&desk, Simulate { id: 1, ..Simulate::default() });
    let (part, done) = heard(&mut said, 1).await;
    let done = done.unwrap();
    // Of what is allowed both ways the places differ, for those that were written down are none.
    assert_eq!((done.allow_to_deny, done.elsewhere, done.undecided, done.already), (1, 1, 1, 0), "{done:?}");
    assert_eq!(
        (part.flips[0].examples.clone(), part.manifest_hashes),
        (vec!["r-1".into()], vec![vec![1; 32]])
    );
    assert_eq!((part.flips[0].principal.as_str(), part.flips[0].model.as_str()), ("ada", "models/pair"));

    let others = Simulate { id: 2, others: true, elsewhere: vec!["eu-2".into()], ..Simulate::default() };
    ask(&desk, others.clone());
    let (part, done) = heard(&mut said, 2).await;
    assert_eq!((done.unwrap().allow_to_deny, part.manifest_hashes.len()), (2, 1));

    let since = Instant::parse("2026-01-01T00:01:30Z").unwrap();
    let since = Some(proto::convert::timestamp(since));
    ask(&desk, Simulate { id: 3, since, elsewhere: vec![], ..others });
    let (part, done) = heard(&mut said, 3).await;
    let done = done.unwrap();
    assert_eq!((done.allow_to_deny, done.skipped), (0, 5), "one was passed over, the others are too old");
    assert_eq!(part.manifest_hashes.len(), 2);

    ask(&desk, Simulate { id: 4, tenant: "nobody".into(), ..Simulate::default() });
    assert_eq!(heard(&mut said, 4).await.1.unwrap().skipped, 2);
}

#[tokio::test]
async fn a_draft_is_compared_with_what_is_in_force_where_that_is_asked() {
    // Refused then, allowed by what is in force, refused by the draft; and one that was allowed, elsewhere.
    let refused = line("r-1", "pair", 1).replace(r#""effect":"allow""#, r#""effect":"deny""#);
    let lines = format!("{refused}\n{}\n", line("r-2", "fast", 2));
    let lines = Lines { segments: [("eu-1".to_owned(), (lines, None))].into(), ..Lines::default() };
    let simulator = Simulator::of("eu".parse().unwrap(), Arc::new(lines));
    let (say, mut said) = mpsc::channel(8);
    let desk = simulator.desk(say);
    ask(&desk, Simulate { id: 1, ..Simulate::default() });
    let (part, done) = heard(&mut said, 1).await;
    assert_eq!(
        (part.flips.len(), done.unwrap()),
        (0, SimulatedDone { same: 1, elsewhere: 1, ..Default::default() })
    );
    ask(&desk, Simulate { id: 2, in_force: true, ..Simulate::default() });
    let (part, done) = heard(&mut said, 2).await;
    assert_eq!(done.unwrap(), SimulatedDone { same: 1, allow_to_deny: 1, ..Default::default() });
    assert_eq!((part.flips[0].already, part.flips[0].examples.clone()), (0, vec!["r-1".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_and_no_longer_than_somebody_wants_it() {
    let (go, gate) = blocking::channel();
    let lines = Lines { gate: Mutex::new(Some(gate)), ..three() };
    let simulator = Simulator::of("eu".parse().unwrap(), Arc::new(lines));
    let (say, mut said) = mpsc::channel(8);
    let (first, second) = (simulator.desk(say.clone()), simulator.desk(say));
    ask(&first, Simulate { id: 1, ..Simulate::default() });
    let Some(Saying::Simulated(begun)) = said.recv().await.unwrap().message else { panic!("no answer") };
    assert!(matches!(begun.said, Some(Said::Progress(_))), "{begun:?}");
    ask(&second, Simulate { id: 2, ..Simulate::default() });
    let refused = heard_of(&mut said, 2).await;
    assert_eq!(refused, Said::Failed("it is busy with another simulation".to_owned()));
    // The stream ends: nothing more is said of it, and when its thread has ended the place is free.
    drop(first);
    go.send(()).unwrap();
    let _free = simulator.place.clone().acquire_owned().await.unwrap();
    drop(_free);
    ask(&second, Simulate { id: 3, ..Simulate::default() });
    assert!(heard(&mut said, 3).await.1.is_ok());
}

/// What is said of one, whatever is said of others before.
async fn heard_of(said: &mut Receiver<NodeMessage>, id: u64) -> Said {
    loop {
        let Some(Saying::Simulated(simulated)) = said.recv().await.unwrap().message else {
            panic!("no answer")
        };
        if simulated.id == id {
            return simulated.said.unwrap();
        }
    }
}

#[tokio::test]
async fn what_can_not_be_done_is_told() {
    let (say, mut said) = mpsc::channel(8);
    let desk = Simulator::default().desk(say.clone());
    ask(&desk, Simulate { id: 1, ..Simulate::default() });
    assert_eq!(heard(&mut said, 1).await.1.unwrap_err(), "no records are kept here");
    let mut broken = three();
    broken.segments.insert("eu-1".to_owned(), ("{}\n".to_owned(), None));
    let desk = Simulator::of("eu".parse().unwrap(), Arc::new(broken)).desk(say);
    ask(&desk, Simulate { id: 2, ..Simulate::default() });
    let why = heard(&mut said, 2).await.1.unwrap_err();
    assert!(why.starts_with("`eu-1`: line 1: "), "{why}");
    desk.begins(Simulate { id: 3, draft_bytes: u64::MAX, ..Simulate::default() });
    assert!(heard(&mut said, 3).await.1.unwrap_err().contains("bytes of policy are more than"));
    desk.begins(Simulate { id: 4, draft_bytes: 2, ..Simulate::default() });
    desk.part(&SimulatePart { id: 4, data: vec![1; 3].into() });
    assert_eq!(heard(&mut said, 4).await.1.unwrap_err(), "its policy is longer than announced");
    desk.begins(Simulate { id: 5, draft_bytes: 2, ..Simulate::default() });
    desk.part(&SimulatePart { id: 5, data: vec![255; 2].into() });
    let why = heard(&mut said, 5).await.1.unwrap_err();
    assert!(why.contains("can't be judged by here"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_segment_here_and_in_the_store_is_read_once_and_one_that_goes_is_read_there() {
    let home = tempfile::tempdir().unwrap();
    let (outbox, shared) = (home.path().join("outbox"), home.path().join("store"));
    fs::create_dir(&outbox).unwrap();
    let begun = line("r-1", "pair", 1);
    let begun = format!("{},\"chain\":\"{}\"}}\n", begun.trim_end_matches('}'), "0".repeat(64));
    fs::write(outbox.join("0000000002.jsonl"), begun).unwrap();
    fs::write(outbox.join("0000000003.jsonl"), "").unwrap();
    let decisions = Decisions { store: Some(format!("dir:{}", shared.display())), ..Decisions::default() };
    let store = Store::of(&decisions, |_| None).unwrap();
    let there = shared.join("eu/eu-1/b");
    fs::create_dir_all(&there).unwrap();
    // What is written to here can't be sealed there, but by a race: it counts once.
    for ending in ["jsonl", "manifest"] {
        fs::write(there.join(format!("{:020}.{ending}", 1)), "{}\n").unwrap();
    }
    let runtime = tokio::runtime::Handle::current();
    let kept = Kept { outbox, store, node: ("eu".to_owned(), "eu-1".to_owned()), runtime };
    let kept = Arc::new(kept);
    let source = kept.clone();
    let segments = tokio::task::spawn_blocking(move || source.segments(&|own, node| own == node)).await;
    let segments = segments.unwrap().unwrap();
    assert_eq!(segments.len(), 1, "{segments:?}");
    let segment = segments.into_iter().next().unwrap();
    assert_eq!((segment.name.as_str(), segment.sealed), ("eu/eu-1/b/00000000000000000001", None));
    fs::remove_file(segment.path.as_ref().unwrap()).unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut kept.open(&segment).unwrap().unwrap(), &mut text).unwrap();
        text
    });
    assert_eq!(read.await.unwrap(), "{}\n");
}
