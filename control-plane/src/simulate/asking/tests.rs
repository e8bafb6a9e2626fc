//! Nodes that say too much, that crawl, and that hold up nobody else.

use proto::sync::{ControlMessage, Simulated, SimulatedDone, SimulatedFlip, SimulatedProgress};
use tonic::Status;

use super::*;
use crate::reach::{Able, Seat};

const ABLE: Able = Able { simulates: true, in_force: true, surveys: false };

type Asked = mpsc::Receiver<Result<ControlMessage, Status>>;

fn bounds() -> Bounds {
    Bounds::of(&Known::default())
}

fn joined(reach: &Reach, geo: &str) -> (Seat, Asked) {
    let (say, asked) = mpsc::channel(64);
    (reach.join(((geo.parse().unwrap(), "n-1".parse().unwrap()), ABLE), say), asked)
}

/// What a node is asked, by its id.
async fn asked(asked: &mut Asked) -> u64 {
    loop {
        if let Some(Saying::Simulate(asked)) = asked.recv().await.unwrap().unwrap().message {
            return asked.id;
        }
    }
}

fn begins(reach: &Reach, geo: &str, say: &mpsc::Sender<(Geo, Heard)>) -> tokio::task::JoinHandle<()> {
    let policy = (Simulate::default(), [Bytes::new(), Bytes::new()]);
    tokio::spawn(geo_is_asked(reach.clone(), (geo.parse().unwrap(), bounds()), policy, say.clone()))
}

fn progress(records: u64) -> Said {
    Said::Progress(SimulatedProgress { records })
}

fn part(flips: usize, hashes: usize) -> Said {
    let flips = (0..flips).map(|at| SimulatedFlip { principal: at.to_string(), ..SimulatedFlip::default() });
    Said::Part(SimulatedPart { flips: flips.collect(), manifest_hashes: vec![vec![7; 32]; hashes] })
}

#[test]
fn a_node_may_say_what_there_may_be_and_no_more() {
    let new = || Measure::new(bounds());
    assert_eq!(new().takes(&progress(MORE_RECORDS)), Step::Further);
    assert_eq!(new().takes(&progress(MORE_RECORDS + 1)), Step::TooMuch);
    assert_eq!(new().takes(&progress(0)), Step::Nothing, "nothing was read");
    let mut back = new();
    let steps = [5, 4, 5, 6].map(|records| back.takes(&progress(records)));
    assert_eq!(steps, [Step::Further, Step::Nothing, Step::Nothing, Step::Further]);
    assert_eq!(new().takes(&part(0, 0)), Step::Nothing);
    assert_eq!(
        [new().takes(&part(FLIPS, 0)), new().takes(&part(FLIPS + 1, 0))],
        [Step::Further, Step::TooMuch]
    );
    let mut many = new();
    let hashes = usize::try_from(MORE_HASHES).unwrap();
    assert_eq!([many.takes(&part(0, hashes)), many.takes(&part(0, 1))], [Step::Further, Step::TooMuch]);
    let long = SimulatedFlip { model: "m".repeat(1 << 20), ..SimulatedFlip::default() };
    let mut long_ones = new();
    let say = Said::Part(SimulatedPart { flips: vec![long], ..SimulatedPart::default() });
    let steps: Vec<Step> = (0..33).map(|_| long_ones.takes(&say)).collect();
    assert_eq!(steps.iter().filter(|step| **step == Step::TooMuch).count(), 2, "no more than so many bytes");
    let mut known = Known::default();
    (0..7).for_each(|at| known.add([at; 32], "n-1".to_owned(), 1_000_000));
    assert_eq!(Bounds::of(&known).longest(), LONGEST + Duration::from_secs(14_000));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_crawls_is_given_up_and_the_next_has_its_turn() {
    let (reach, geo) = (Reach::default(), "eu");
    let (seat, mut said) = joined(&reach, geo);
    let (say, mut heard) = mpsc::channel(4_096);
    let first = begins(&reach, geo, &say);
    let id = asked(&mut said).await;
    let second = begins(&reach, geo, &say);
    let crawl = async {
        for records in 1.. {
            tokio::time::sleep(Duration::from_secs(1)).await;
            seat.hears(Simulated { id, said: Some(progress(records)) });
        }
    };
    let began = Instant::now();
    tokio::select! {
        () = crawl => {}
        ended = first => ended.unwrap(),
    }
    assert_eq!(began.elapsed().as_secs(), LONGEST.as_secs());
    let next = asked(&mut said).await;
    seat.hears(Simulated { id: next, said: Some(Said::Done(SimulatedDone::default())) });
    second.await.unwrap();
    drop(say);
    let mut lost = Vec::new();
    while let Some((_, heard)) = heard.recv().await {
        if let Heard::Lost(node, why) = heard {
            lost.push((node, why));
        }
    }
    assert_eq!(lost, [("n-1".to_owned(), "it takes too long")]);
}

#[tokio::test]
async fn a_geo_that_gets_no_further_holds_up_no_other() {
    let reach = Reach::default();
    let (_mute, mut of_mute) = joined(&reach, "eu");
    let (seat, mut said) = joined(&reach, "us");
    let (say, _heard) = mpsc::channel(64);
    let stalled = begins(&reach, "eu", &say);
    asked(&mut of_mute).await;
    let waits = begins(&reach, "eu", &say);
    let other = begins(&reach, "us", &say);
    let id = asked(&mut said).await;
    seat.hears(Simulated { id, said: Some(Said::Done(SimulatedDone::default())) });
    other.await.unwrap();
    assert!(!stalled.is_finished() && !waits.is_finished());
}

#[tokio::test]
async fn a_node_that_says_too_much_is_given_up_at_once() {
    let reach = Reach::default();
    let (seat, mut said) = joined(&reach, "eu");
    let (say, mut heard) = mpsc::channel(4_096);
    let asking = begins(&reach, "eu", &say);
    let id = asked(&mut said).await;
    for _ in 0..=FLIPS / 64 {
        seat.hears(Simulated { id, said: Some(part(64, 0)) });
    }
    asking.await.unwrap();
    drop(say);
    let mut last = None;
    while let Some((_, heard)) = heard.recv().await {
        last = Some(heard);
    }
    assert!(matches!(last, Some(Heard::Lost(_, "it says too much"))), "{last:?}");
}
