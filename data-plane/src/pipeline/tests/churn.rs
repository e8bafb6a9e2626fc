//! Revisions that follow each other faster than requests end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use policy_engine::facts::{Facts, Obligation, Rule};
use policy_engine::vocabulary::{Effect, Layer, Mode, Operation};

use crate::house::world::{self, id, platform};
use crate::house::{House, KEY, asking, bearer};
use crate::pipeline::{self, Body};
use crate::record::Door;

/// Requests that are under way at the same time.
const CALLERS: usize = 8;
/// Revisions.
const LAST: u64 = 400;

/// The usual world, where everything a request is judged by says which revision it is of: route, price and rule.
fn marked(revision: u64) -> Facts {
    let mut facts = world::facts();
    let marker = format!("rev-{revision}");
    Arc::make_mut(facts.endpoints.get_mut(&platform("sim-a")).unwrap()).upstream_model = marker.clone();
    let price = Arc::make_mut(facts.prices.get_mut(&platform("fast")).unwrap());
    price.per_million.input = i64::try_from(revision).unwrap() * 1_000_000;
    price.per_million.output = 0;
    let rule = Rule {
        layer: Layer::Organisation,
        effect: Effect::Require,
        when: String::new(),
        obligations: vec![Obligation::Notice(marker)],
        reason_code: None,
        legal_ref: None,
        valid_from: None,
        valid_to: None,
        mode: Mode::Enforce,
        or_unknown: None,
        needs_permit: false,
        geos: vec![],
    };
    facts.rules.insert(id("told"), Arc::new(rule));
    facts
}

/// The revision that each part of an answer is of.
async fn markers(house: &House, form: &str) -> BTreeSet<u64> {
    let body = asking("fast", "[[sim:chunk=1]]a few words", form);
    let received = house.request((Door::OpenAi, Operation::Chat), &bearer(KEY), &body);
    let reply = pipeline::serve(&house.node, received).await;
    let number = |text: &str| text.trim_start_matches("rev-").parse::<u64>().unwrap();
    let mut found = BTreeSet::from([number(reply.head.revision.as_ref().unwrap().to_str().unwrap())]);
    found.extend(reply.head.notices.iter().map(|notice| number(notice.to_str().unwrap())));
    let text = match reply.body {
        Ok(Body::Whole(bytes) | Body::Response(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
        Ok(Body::Stream(stream)) => {
            let mut stream: std::pin::Pin<Box<_>> = stream.into();
            let mut text = String::new();
            while let Some(frame) = stream.next().await {
                text.push_str(std::str::from_utf8(&frame.unwrap()).unwrap());
                tokio::task::yield_now().await;
            }
            text
        }
        Ok(Body::Media(_)) => panic!("sound"),
        Err(rejection) => panic!("{:?}", rejection.refusal),
    };
    let models = text.split(r#""model":"rev-"#).skip(1).map(|rest| number(rest.split('"').next().unwrap()));
    found.extend(models);
    assert!(text.contains(r#""model":"rev-"#), "{text}");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_25_however_fast_revisions_come_no_request_mixes_them_and_none_stays() {
    let house = Arc::new(House::new(|facts| *facts = marked(7)));
    let (ended, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|n| {
            let (house, ended) = (house.clone(), ended.clone());
            let form = if n % 2 == 0 { "" } else { r#","stream":true"# };
            tokio::spawn(async move {
                let mut seen = BTreeSet::new();
                while !ended.load(Ordering::Relaxed) {
                    let found = markers(&house, form).await;
                    assert_eq!(found.len(), 1, "one request, one revision: {found:?}");
                    seen.extend(found);
                }
                seen
            })
        })
        .collect();
    for revision in 8..=LAST {
        house.enforce(revision, &marked(revision));
        most.fetch_max(house.node.revisions.alive(), Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
    let last = markers(&house, "").await;
    ended.store(true, Ordering::Relaxed);
    let mut seen = BTreeSet::new();
    for caller in callers {
        seen.extend(caller.await.unwrap());
    }
    assert_eq!(last, BTreeSet::from([LAST]), "the latest wins");
    assert!(seen.len() > 10, "requests met many revisions: {}", seen.len());
    let most = most.load(Ordering::Relaxed);
    assert!(most <= CALLERS + 2, "{most} runtimes for {CALLERS} requests");
    assert_eq!(house.node.revisions.alive(), 1, "none stays");
    let tallies = house.node.revisions.told();
    assert_eq!((tallies.len(), tallies[0].revision), (8, i64::try_from(LAST).unwrap()));
    while house.node.outbox.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let seen = house
        .written
        .lock()
        .iter()
        .map(|record| (record.version.revision, record.cost, record.usage))
        .collect::<Vec<_>>();
    for (revision, cost, usage) in seen {
        let expected = revision * i64::try_from(usage.amounts.input).unwrap();
        assert_eq!(cost.unwrap().nanos, expected, "the price is of revision {revision}");
    }
    assert_eq!(house.node.ledger.size().1, 0, "nothing is held any more");
}

#[tokio::test]
async fn case_23_the_two_contents_of_a_revision_are_counted_and_recorded_apart() {
    let house = House::new(|facts| *facts = marked(7));
    let body = asking("fast", "hello", "");
    house.enforce_line(8, 1, &marked(8));
    assert!(house.chat(&body).await.body.is_ok());
    // A rollout brings the candidate line while a request of the stable one is on its way.
    let slow = house.chat(&asking("fast", "hello", r#","stream":true"#)).await;
    house.enforce_line(8, 2, &world::facts());
    for _ in 0..3 {
        assert!(house.chat(&body).await.body.is_ok());
    }
    drop(slow);
    let told = house.node.revisions.told();
    let told: Vec<_> = told.iter().map(|it| (it.revision, it.digest[0], it.requests)).collect();
    assert_eq!(told, [(8, 2, 3), (8, 1, 2), (7, 1, 0)]);
    let recorded: Vec<_> = house.records::<5>().iter().map(|it| it.version.digest[0]).collect();
    assert_eq!(recorded, [1, 2, 2, 2, 1], "in the order of their ends");
    house.close();
}
