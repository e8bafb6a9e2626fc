//! Who is asked when endpoints fail or want to be left alone, and that each hop is in the record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use policy_engine::facts::{Bound, Facts, RouteTarget};
use policy_engine::vocabulary::{Instant, Operation, Period, RoutePolicy, StickyBy};

use crate::house::{House, KEY, asking, bearer, limit, refused, whole, world};
use crate::pipeline::{self, Reply};
use crate::record::{Attempt, Door, Record};
use crate::runtime::vitals::verdict::{Health, Verdict, Wish};
use crate::runtime::vitals::{Standing, Vitals};

const ILL: Verdict = Verdict { health: Some(Health::Ill), rest: None };

/// The route of a model, group by group.
pub(super) fn route(facts: &mut Facts, model: &str, groups: &[&[&str]]) {
    let target = |endpoint: &&str| RouteTarget {
        endpoint: world::name(endpoint),
        weight: 1,
        canary_percent: None,
        mirror_percent: None,
    };
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
    let kind = |attempt: &Attempt| attempt.failure.as_ref().map_or("", |failure| failure.kind);
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
    for text in ["[[sim:error=400]]", "[[sim:error=422]]"] {
        for _ in 0..6 {
            refused(house.chat(&asking("pair", text, "")).await);
        }
    }
    assert_eq!(vitals(&house, "sim-a").standing(|| Instant(crate::house::NOW)), Standing::Ready);
    let records: [_; 12] = house.records();
    assert!(records.iter().all(|record| record.attempts.len() == 1));
    house.close();
}

/// An endpoint that answers fast because it refuses us is not asked first for that; nor is it ejected, for a caller might have caused it.
/// Where it is our key that it refuses, another has another.
#[tokio::test]
async fn who_refuses_our_key_is_made_up_for_and_put_off_for_a_while_as_is_who_knows_no_such_model() {
    let both: &[_] = &[("sim-a", "client_error"), ("sim-b", "client_error")];
    for (text, hopped) in [("401", both), ("403", &both[..1]), ("404", &both[..1])] {
        let house = House::new(two);
        refused(house.chat(&asking("pair", &format!("[[sim:error={text}]]"), "")).await);
        for (endpoint, _) in hopped {
            assert_eq!(
                vitals(&house, endpoint).standing(|| Instant(crate::house::NOW)),
                Standing::CoolingOff
            );
        }
        // Whoever is left is asked, all the same or first.
        let next = by(house.chat(&asking("pair", "hi", "")).await);
        assert_eq!(next == "sim-b", hopped.len() == 1, "{text}: {next}");
        let records: [_; 2] = house.records();
        assert_eq!(hops(&records[0]), hopped, "{text}");
        house.close();
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_counts_against_its_endpoint() {
    let house = House::new(two);
    let cut =
        asking("pair", "[[sim:say=one two three four]][[sim:chunk=1]][[sim:cut=3]]", r#","stream":true"#);
    for _ in 0..5 {
        let Ok(pipeline::Body::Stream(stream)) = house.chat(&cut).await.body else { panic!() };
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
    Arc::make_mut(facts.endpoints.get_mut(&world::platform("sim-a")).unwrap()).upstream_model =
        "moved".into();
    house.enforce(9, &facts);
    assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-a");
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
        (Door::OpenAi, Operation::Chat),
        &bearer(KEY),
        &asking("fast", "[[sim:error=500]]", ""),
    );
    received.arrival.own_deadline = true;
    received.arrival.deadline = tokio::time::Instant::now() + Duration::from_millis(40);
    let reply = pipeline::serve(&house.node, received).await;
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

/// A route of these targets: name, weight, and the percent of a canary.
fn one_group(facts: &mut Facts, policy: RoutePolicy, targets: &[(&str, u32, Option<u32>)]) {
    let target = |(endpoint, weight, canary_percent): &(&str, u32, Option<u32>)| RouteTarget {
        endpoint: world::name(endpoint),
        weight: *weight,
        canary_percent: *canary_percent,
        mirror_percent: None,
    };
    let model = Arc::make_mut(facts.models.get_mut(&world::platform("pair")).unwrap());
    model.route.groups = vec![targets.iter().map(target).collect()];
    model.route.policy = policy;
}

async fn counted(house: &House, requests: usize) -> usize {
    let mut count = 0;
    for _ in 0..requests {
        count += usize::from(by(house.chat(&asking("pair", "hi", "")).await) == "sim-b");
    }
    count
}

#[tokio::test]
async fn a_canary_gets_its_share_whatever_the_weights_and_none_while_it_is_ejected() {
    let of = |weight, percent| {
        House::new(move |facts| {
            let targets = [("sim-a", 1, None), ("sim-b", weight, Some(percent))];
            one_group(facts, RoutePolicy::Weighted, &targets);
        })
    };
    let house = of(1_000_000, 10);
    let count = counted(&house, 2000).await;
    assert!((140..=260).contains(&count), "{count} of 2000 where 200 are expected");
    told(&house, "sim-b", (ILL, 5));
    assert_eq!(counted(&house, 100).await, 0);
    // Who else is there, where the others fail.
    pass(&house, 100);
    told(&house, "sim-a", asks(9));
    assert_eq!(counted(&house, 20).await, 20);
    house.close();
    let house = of(1, 99);
    let count = counted(&house, 1000).await;
    assert!((970..1000).contains(&count), "{count} of 1000 where 990 are expected");
    house.close();
}

#[tokio::test]
async fn what_belongs_together_goes_to_the_same_endpoint() {
    let of = |sticky_by| {
        House::new(move |facts| {
            one_group(facts, RoutePolicy::Sticky, &[("sim-a", 1, None), ("sim-b", 1, None)]);
            let model = Arc::make_mut(facts.models.get_mut(&world::platform("pair")).unwrap());
            model.route.sticky_by = sticky_by;
        })
    };
    let house = of(StickyBy::Session);
    let mut seen = BTreeSet::new();
    for session in 0..20 {
        let mut of_session = BTreeSet::new();
        for field in ["prompt_cache_key", "safety_identifier", "user"] {
            let named = format!(r#","{field}":"s-{session}","seed":{session}"#);
            of_session.insert(by(house.chat(&asking("pair", &format!("hi {field}"), &named)).await));
        }
        let mut headers = bearer(KEY);
        headers.insert("x-chancery-session", format!("s-{session}").parse().unwrap());
        let other = asking("pair", "hi", r#","user":"somebody else""#);
        let received = house.request((Door::OpenAi, Operation::Chat), &headers, &other);
        of_session.insert(by(pipeline::serve(&house.node, received).await));
        assert_eq!(of_session.len(), 1, "{session}");
        seen.extend(of_session);
    }
    assert_eq!(seen.len(), 2, "sessions are spread");
    house.close();
    for (sticky_by, apart) in [(StickyBy::Key, 1), (StickyBy::Prefix, 2)] {
        let house = of(sticky_by);
        let mut seen = BTreeSet::new();
        for session in 0..20 {
            let text = format!("you are number {session}");
            let first = by(house.chat(&asking("pair", &text, r#","user":"a""#)).await);
            let mut going_on: serde_json::Value = serde_json::from_str(&asking("pair", &text, "")).unwrap();
            let messages = going_on["messages"].as_array_mut().unwrap();
            messages.push(serde_json::json!({"role": "assistant", "content": "yes"}));
            messages.insert(0, serde_json::json!({"role": "system", "content": "be kind"}));
            let first_of_long = by(house.chat(&going_on.to_string()).await);
            let messages = going_on["messages"].as_array_mut().unwrap();
            messages.push(serde_json::json!({"role": "user", "content": format!("and {session}?")}));
            assert_eq!(by(house.chat(&going_on.to_string()).await), first_of_long);
            seen.extend([first]);
        }
        assert_eq!(seen.len(), apart, "{sticky_by}");
        house.close();
    }
}

#[tokio::test]
async fn of_two_the_one_that_answers_sooner_is_asked() {
    let house = House::new(|facts| {
        one_group(facts, RoutePolicy::Latency, &[("sim-a", 1, None), ("sim-b", 1, None)]);
    });
    let now = house.node.clock.now();
    vitals(&house, "sim-a").measured(Duration::from_secs(2), now);
    vitals(&house, "sim-b").measured(Duration::from_millis(900), now);
    assert_eq!(counted(&house, 20).await, 20);
    // Requests under way count: each of them takes as long.
    let under_way: Vec<_> = (0..3).map(|_| vitals(&house, "sim-b").begin(|| now)).collect();
    assert_eq!(counted(&house, 1).await, 0);
    drop(under_way);
    house.close();
}

#[tokio::test]
async fn a_route_may_forbid_second_calls() {
    let house = House::new(|facts| {
        two(facts);
        let model = Arc::make_mut(facts.models.get_mut(&world::platform("pair")).unwrap());
        model.route.retry_percent = Some(0);
    });
    let (code, ..) = refused(house.chat(&asking("pair", "[[sim:error=500]]", "")).await);
    assert_eq!(code, "upstream_error");
    let [record] = house.records();
    assert_eq!(hops(&record), [("sim-a", "server_error"), ("sim-b", "retry_budget")]);
    house.close();
}

/// Copies go to mirrors alone, as requests of their own, and a route of which only a mirror is left answers nobody.
#[tokio::test]
async fn a_mirror_gets_its_share_of_copies_and_no_request() {
    let house = House::new(|facts| {
        two(facts);
        let model = Arc::make_mut(facts.models.get_mut(&world::platform("pair")).unwrap());
        model.route.groups[1][0].mirror_percent = Some(50);
    });
    for _ in 0..100 {
        assert_eq!(by(house.chat(&asking("pair", "hi", "")).await), "sim-a");
    }
    // Who has a copy has the node.
    while Arc::strong_count(&house.node) > 1 {
        tokio::task::yield_now().await;
    }
    let records = house.all_records();
    let copies: Vec<&Record> = records.iter().filter(|record| record.mirror_of.is_some()).collect();
    assert!((25..=75).contains(&copies.len()), "{} of 100 where some 50 are expected", copies.len());
    assert_eq!(records.len(), 100 + copies.len());
    for copy in copies {
        assert_eq!(hops(copy), [("sim-b", "")]);
        let of = records.iter().find(|record| Some(record.id) == copy.mirror_of).unwrap();
        assert_eq!((hops(of), of.usage), (vec![("sim-a", "")], copy.usage));
    }
    let mut facts = world::facts();
    route(&mut facts, "pair", &[&["sim-b"]]);
    let model = Arc::make_mut(facts.models.get_mut(&world::platform("pair")).unwrap());
    model.route.groups[0][0].mirror_percent = Some(100);
    house.enforce(8, &facts);
    assert_eq!(refused(house.chat(&asking("pair", "hi", "")).await).0, "no_endpoint");
    house.close();
}
