//! Who is asked when endpoints fail or want to be left alone, and that each hop is in the record.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use policy_engine::facts::{Bound, Facts, RouteTarget};
use policy_engine::vocabulary::{Instant, Period};

use crate::house::{House, asking, limit, refused, whole, world};
use crate::pipeline::Reply;
use crate::record::Record;
use crate::runtime::vitals::verdict::{Health, Verdict, Wish};
use crate::runtime::vitals::{Standing, Vitals};

const ILL: Verdict = Verdict { health: Some(Health::Ill), rest: None };

/// The route of a model, group by group.
pub(super) fn route(facts: &mut Facts, model: &str, groups: &[&[&str]]) {
    let target = |endpoint: &&str| RouteTarget { endpoint: world::name(endpoint), weight: 1 };
    let groups = groups.iter().map(|group| group.iter().map(target).collect()).collect();
    Arc::make_mut(facts.models.get_mut(&world::platform(model)).unwrap()).route.groups = groups;
}

fn two(facts: &mut Facts) {
    route(facts, "pair", &[&["sim-a"], &["sim-b"]]);
}

fn vitals(house: &House, endpoint: &str) -> Arc<Vitals> {
    let runtime = house.node.runtime.load_full().unwrap();
    runtime.endpoints().iter().find(|known| known.id.name.as_str() == endpoint).unwrap().vitals.clone()
}

/// The endpoint ended requests so often like this.
fn told(house: &House, endpoint: &str, (verdict, times): (Verdict, usize)) {
    let now = house.node.clock.now();
    let vitals = vitals(house, endpoint);
    (0..times).for_each(|_| vitals.begin(|| now).failed(verdict, now, 0));
}

fn asks(seconds: u64) -> (Verdict, usize) {
    (Verdict { health: None, rest: Some(Wish::Asked(Duration::from_secs(seconds))) }, 1)
}

fn pass(house: &House, seconds: i64) {
    house.clock.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
}

fn by(reply: Reply) -> String {
    let endpoint = reply.head.endpoint.as_ref().unwrap().to_str().unwrap().to_owned();
    whole(reply);
    endpoint
}

/// Who was tried, or why not.
pub(super) fn hops(record: &Record) -> Vec<(&str, &str)> {
    let kind = |attempt: &crate::record::Attempt| attempt.failure.as_ref().map_or("", |failure| failure.kind);
    record.attempts.iter().map(|attempt| (attempt.endpoint.name.as_str(), kind(attempt))).collect()
}

#[tokio::test]
async fn who_asked_to_be_left_alone_is_passed_over_until_then() {
    let house = House::new(two);
    let ask = async |text: &str| house.chat(&asking("pair", text, "")).await;
    assert_eq!(by(ask("hi").await), "sim-a");
    told(&house, "sim-a", asks(9));
    assert_eq!(by(ask("hi").await), "sim-b");
    pass(&house, 9);
    assert_eq!(by(ask("hi").await), "sim-a");
    // A vendor can't switch an endpoint off for a day.
    told(&house, "sim-a", asks(86_400));
    pass(&house, 59);
    assert_eq!(by(ask("hi").await), "sim-b");
    pass(&house, 1);
    assert_eq!(by(ask("hi").await), "sim-a");
    let records: [_; 5] = house.records();
    assert_eq!(hops(&records[0]), [("sim-a", "")]);
    assert_eq!(hops(&records[1]), [("sim-a", "resting"), ("sim-b", "")]);
    assert_eq!(records[1].attempts[0].latency_us, None, "it was not called");
    house.close();
}

#[tokio::test]
async fn case_50_where_all_asked_to_be_left_alone_the_shortest_time_is_told_at_once() {
    let house = House::new(two);
    let body = asking("pair", "[[sim:error=429]][[sim:after=7s]]", "");
    let (code, status, _) = refused(house.chat(&body).await);
    assert_eq!((code, status), ("upstream_rate_limited", 429));
    pass(&house, 2);
    told(&house, "sim-b", asks(20));
    let Err(rejection) = house.chat(&asking("pair", "hi", "")).await.body else { panic!() };
    assert_eq!((rejection.code().as_str(), rejection.retry_after()), ("upstream_rate_limited", Some(5)));
    pass(&house, 5);
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-a");
    let [first, second, third] = house.records();
    assert_eq!(hops(&first), [("sim-a", "rate_limited"), ("sim-b", "rate_limited")]);
    assert_eq!(hops(&second), [("sim-a", "resting"), ("sim-b", "resting")]);
    assert_eq!(second.usage.amounts.input, 0);
    assert_eq!(hops(&third), [("sim-b", "resting"), ("sim-a", "")]);
    house.close();
}

#[tokio::test]
async fn who_refused_and_said_nothing_is_passed_over_and_asked_where_it_is_alone() {
    let house = House::new(two);
    told(&house, "sim-a", (Verdict { health: Some(Health::Well), rest: Some(Wish::Unsaid) }, 1));
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-b");
    assert_eq!(by(house.chat(&asking("fast", "hi", "")).await), "sim-a");
    pass(&house, 1);
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-a");
    let [first, second, _] = house.records();
    assert_eq!(hops(&first), [("sim-a", "cooling_off"), ("sim-b", "")]);
    assert_eq!(hops(&second), [("sim-a", "")]);
    house.close();
}

#[tokio::test]
async fn an_endpoint_that_fails_is_ejected_and_one_request_finds_out_whether_it_is_back() {
    let house = House::new(two);
    told(&house, "sim-a", (ILL, 5));
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-b");
    pass(&house, 1);
    // The probe fails, and the other one answers for it.
    let probe = vitals(&house, "sim-a").begin(|| house.node.clock.now());
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-b", "one probe at a time");
    probe.failed(ILL, house.node.clock.now(), 0);
    pass(&house, 1);
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-b", "it is out for longer");
    pass(&house, 1);
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-a");
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-a");
    let records: [_; 5] = house.records();
    assert_eq!(hops(&records[0]), [("sim-a", "ejected"), ("sim-b", "")]);
    assert_eq!(hops(&records[3]), [("sim-a", "")]);
    house.close();
}

#[tokio::test]
async fn case_55_nobody_is_refused_for_a_breaker_and_nobody_asked_who_is_not_permitted() {
    let house = House::new(|facts| route(facts, "pair", &[&["sim-a", "sim-b"]]));
    for endpoint in ["sim-a", "sim-b"] {
        told(&house, endpoint, (ILL, 5));
    }
    whole(house.chat(&asking("pair", "hi", "")).await);
    // `fast` has one endpoint alone; the other one is well by now and is not its.
    told(&house, "sim-a", (ILL, 5));
    assert_eq!(by(house.chat(&asking("fast", "hi", "")).await), "sim-a");
    let failing = asking("fast", "[[sim:error=500]]", "");
    for _ in 0..6 {
        assert_eq!(refused(house.chat(&failing).await).0, "upstream_error");
    }
    let records: [_; 8] = house.records();
    assert_eq!(records[0].attempts.len(), 1);
    let fast = records.iter().skip(1).flat_map(hops);
    assert!(fast.map(|(endpoint, _)| endpoint).all(|endpoint| endpoint == "sim-a"));
    house.close();
}

#[tokio::test]
async fn callers_faults_eject_nobody() {
    let house = House::new(two);
    for text in ["[[sim:error=400]]", "[[sim:error=404]]", "[[sim:error=422]]", "[[sim:error=401]]"] {
        for _ in 0..6 {
            refused(house.chat(&asking("pair", text, "")).await);
        }
    }
    assert_eq!(vitals(&house, "sim-a").standing(|| Instant(crate::house::NOW)), Standing::Ready);
    let records: [_; 24] = house.records();
    assert!(records.iter().all(|record| record.attempts.len() == 1));
    house.close();
}

#[tokio::test]
async fn an_answer_that_breaks_off_counts_against_its_endpoint() {
    let house = House::new(two);
    let cut = asking("pair", "[[sim:say=one two three four]][[sim:chunk=1]][[sim:cut=3]]", r#","stream":true"#);
    for _ in 0..5 {
        let Ok(crate::pipeline::Body::Stream(stream)) = house.chat(&cut).await.body else { panic!() };
        let frames: Vec<_> = futures_util::StreamExt::collect(std::pin::Pin::from(stream)).await;
        assert!(frames.last().unwrap().is_err());
    }
    assert_eq!(vitals(&house, "sim-a").standing(|| house.node.clock.now()), Standing::Ejected);
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-b");
    house.close();
}

#[tokio::test]
async fn what_is_known_of_an_endpoint_outlives_its_revision_and_not_its_place() {
    let house = House::new(two);
    told(&house, "sim-a", (ILL, 5));
    let mut facts = world::facts();
    two(&mut facts);
    house.enforce(8, &facts);
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-b");
    house.close();
    let house = House::new(|facts| route(facts, "pair", &[&["down-a"], &["sim-b"]]));
    told(&house, "down-a", (ILL, 5));
    let is_new = |house: &House| vitals(house, "down-a").standing(|| house.node.clock.now());
    assert_eq!(is_new(&house), Standing::Ejected);
    house.close();
}

#[tokio::test]
async fn an_only_endpoint_is_asked_once_more_where_its_failure_may_pass() {
    let house = House::new(|facts| limit(facts, "rpd", Bound::Requests(100, Period::Day)));
    for (text, hops_of_it) in [
        ("[[sim:error=500]]", 2),
        ("[[sim:error=503]]", 2),
        ("[[sim:error=503]][[sim:after=1s]]", 1),
        ("[[sim:error=429]]", 1),
        ("[[sim:error=400]]", 1),
        ("[[sim:error=501]]", 1),
    ] {
        pass(&house, 100);
        refused(house.chat(&asking("fast", text, "")).await);
        assert_eq!(house.seen_last().attempts.len(), hops_of_it, "{text}");
    }
    // One request, though it was asked twice.
    let reply = house.chat(&asking("embed", "hi", "")).await;
    drop(reply);
    pass(&house, 100);
    let reply = house.chat(&asking("fast", "hi", "")).await;
    assert_eq!(reply.head.requests.map(|rate| rate.limit), Some(100));
    whole(reply);
    house.close();
}

#[tokio::test]
async fn no_second_call_is_made_beyond_the_callers_deadline() {
    let house = House::new(|_| ());
    let mut received = house.request(
        (crate::record::Door::OpenAi, policy_engine::vocabulary::Operation::Chat),
        &crate::house::bearer(crate::house::KEY),
        &asking("fast", "[[sim:error=500]]", ""),
    );
    received.arrival.own_deadline = true;
    received.arrival.deadline = tokio::time::Instant::now() + Duration::from_millis(40);
    let reply = crate::pipeline::serve(&house.node, received).await;
    assert_eq!(refused(reply).0, "upstream_error");
    assert_eq!(house.seen_last().attempts.len(), 1);
    house.close();
}

#[tokio::test]
async fn without_budget_the_first_failure_is_told() {
    let house = House::new(two);
    let failing = asking("pair", "[[sim:error=500]]", "");
    let mut asked_twice = 0;
    for _ in 0..60 {
        let (code, status, _) = refused(house.chat(&failing).await);
        assert_eq!((code, status), ("upstream_error", 502));
        let record = house.seen_last();
        let kinds: Vec<_> = hops(&record).into_iter().map(|(_, kind)| kind.to_owned()).collect();
        match kinds.iter().filter(|kind| *kind == "server_error").count() {
            2 => asked_twice += 1,
            _ => assert_eq!(kinds.last().map(String::as_str), Some("retry_budget"), "{kinds:?}"),
        }
    }
    // The floor and a fifth of what came until then.
    assert!((30..=42).contains(&asked_twice), "{asked_twice}");
    pass(&house, 20);
    refused(house.chat(&failing).await);
    assert_eq!(house.seen_last().attempts.iter().filter(|a| a.latency_us.is_some()).count(), 2);
    house.close();
}
