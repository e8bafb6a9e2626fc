//! However a request ends, it is recorded once and settled once.
//!
//! The matrix: every verb × {error, caller gone, vendor cut} × {whole, stream} × door. Which of them a verb can meet is told by
//! the cases: a verb that does not wait cannot be left in the middle.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::StreamExt as _;
use policy_engine::facts::Bound;
use policy_engine::vocabulary::{Duration, Entity, MaskAction, Operation, Period};

use super::terms::guardrail;
use crate::house::{House, KEY, asking, bearer, limit};
use crate::pipeline::{self, Body};
use crate::quota::{Amounts, SubjectKey};
use crate::record::{Door, Outcome, Provenance, Record};

const DOORS: [Door; 2] = [Door::OpenAi, Door::Grpc];
const FORMS: [&str; 2] = ["", r#","stream":true"#];

/// A house in which every request holds something of every kind of limit.
fn counted() -> House {
    House::new(|facts| {
        let hour = Period::Sliding(Duration(3_600_000_000));
        limit(facts, "rpm", Bound::Requests(1000, hour));
        limit(facts, "tpm", Bound::Tokens(1_000_000, hour));
        limit(facts, "places", Bound::Concurrent(4));
        limit(facts, "money", Bound::Spend("100 USD".parse().unwrap(), Period::Day));
        let block = policy_engine::facts::Check {
            detect: vec![Entity::Email],
            words: vec![],
            action: MaskAction::Block,
        };
        guardrail(facts, vec![], vec![block]);
    })
}

/// Serves a request to its end, reading `frames` frames of a stream at most; gives the frames that were read.
async fn serve(house: &House, door: Door, (key, body): (&str, &str), frames: usize) -> usize {
    let received = house.request((door, Operation::Chat), &bearer(key), body);
    let reply = pipeline::serve(&house.node, received).await;
    match reply.body {
        Ok(Body::Stream(stream)) => stream.take(frames).collect::<Vec<_>>().await.len(),
        Ok(Body::Whole(_) | Body::Response(_) | Body::Media(_)) | Err(_) => 0,
    }
}

/// The one record of a house where everything was settled.
fn only(house: House) -> Record {
    let [record] = house.records();
    house.close();
    record
}

#[tokio::test]
async fn an_error_at_any_verb_is_one_record_and_one_settlement() {
    for door in DOORS {
        for form in FORMS {
            let good = |text: &str| asking("fast", text, form);
            for (verb, key, body, outcome) in [
                ("authenticate", "chy_demo_wrong", good("hi"), Outcome::Refused),
                ("entitle: body", KEY, "{".to_owned(), Outcome::Refused),
                ("entitle", KEY, asking("seen", "hi", form), Outcome::Refused),
                (
                    "reserve",
                    KEY,
                    asking("fast", "hi", &format!(r#"{form},"n":128,"max_tokens":999999"#)),
                    Outcome::Answered,
                ),
                ("dispatch", KEY, good("[[sim:error=500]]"), Outcome::Failed),
                ("dispatch: nobody", KEY, asking("down", "hi", form), Outcome::Failed),
                ("screen", KEY, good("[[sim:say=ask bob@example.com]]"), Outcome::Blocked),
                ("none", KEY, good("hi"), Outcome::Answered),
            ] {
                let house = counted();
                serve(&house, door, (key, &body), usize::MAX).await;
                let record = only(house);
                assert_eq!((record.outcome, record.door), (outcome, door), "{verb} {form}");
                let worked = matches!(outcome, Outcome::Answered | Outcome::Blocked);
                assert_eq!(record.usage.amounts.output > 0, worked, "{verb} {form}");
            }
        }
    }
}

#[tokio::test]
async fn a_caller_that_leaves_while_the_vendor_works_is_one_record_and_one_settlement() {
    for door in DOORS {
        for form in FORMS {
            let house = counted();
            let body = asking("fast", "[[sim:delay=100s]]", form);
            {
                let received = house.request((door, Operation::Chat), &bearer(KEY), &body);
                let mut served = pin!(pipeline::serve(&house.node, received));
                let mut cx = Context::from_waker(Waker::noop());
                assert!(matches!(served.as_mut().poll(&mut cx), Poll::Pending));
                assert_eq!(house.node.ledger.size().1, 1, "its limits are held while it works");
            }
            let record = only(house);
            assert_eq!((record.outcome, record.code), (Outcome::Cancelled, Some("cancelled")));
            assert_eq!(
                record.usage.provenance,
                Provenance::Estimated,
                "a vendor that was called will charge"
            );
        }
    }
}

#[tokio::test]
async fn case_33_a_caller_that_leaves_at_any_event_is_charged_what_was_produced() {
    let text = "[[sim:chunk=4]][[sim:say=one two three four five six]]";
    let all = serve(&counted(), Door::OpenAi, (KEY, &asking("fast", text, FORMS[1])), usize::MAX).await;
    assert!(all > 5, "{all}");
    let mut charged = 0;
    for frames in 0..all {
        let house = counted();
        serve(&house, Door::OpenAi, (KEY, &asking("fast", text, FORMS[1])), frames).await;
        let record = only(house);
        let expected = if frames < all { Outcome::Cancelled } else { Outcome::Answered };
        assert_eq!(record.outcome, expected, "{frames} of {all}");
        assert!(record.usage.amounts.output >= charged, "{frames}");
        charged = record.usage.amounts.output;
    }
    assert!(charged > 0);
}

#[tokio::test]
async fn a_vendor_that_breaks_off_at_any_event_is_one_record_and_one_clean_error() {
    for door in DOORS {
        for cut in 1..6 {
            let house = counted();
            let body = asking("fast", &format!("[[sim:cut={cut}]][[sim:chunk=1]]four"), FORMS[1]);
            let received = house.request((door, Operation::Chat), &bearer(KEY), &body);
            let Ok(Body::Stream(stream)) = pipeline::serve(&house.node, received).await.body else {
                panic!("{cut}")
            };
            let frames: Vec<_> = stream.collect().await;
            let last = frames.last().unwrap();
            assert_eq!(last.as_ref().unwrap_err().code().as_str(), "upstream_error", "{cut}");
            assert!(frames.iter().rev().skip(1).all(Result::is_ok));
            let record = only(house);
            assert_eq!(record.outcome, Outcome::Cut, "{cut}");
            assert!(record.attempts[0].failure.is_some());
        }
    }
}

#[tokio::test]
async fn case_43_a_vendor_that_falls_silent_ends_with_a_timeout() {
    let house = counted();
    let body = asking("fast", "[[sim:hang=2]]", FORMS[1]);
    let received = house.request((Door::OpenAi, Operation::Chat), &bearer(KEY), &body);
    let Ok(Body::Stream(stream)) = pipeline::serve(&house.node, received).await.body else { panic!() };
    let frames: Vec<_> = stream.collect().await;
    assert_eq!(frames.last().unwrap().as_ref().unwrap_err().code().as_str(), "upstream_timeout");
    assert_eq!(only(house).outcome, Outcome::Cut);
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_first_event_is_another_candidates() {
    let house = counted();
    let frames = serve(&house, Door::OpenAi, (KEY, &asking("pair", "hi", FORMS[1])), usize::MAX).await;
    assert!(frames > 0);
    let record = only(house);
    assert_eq!((record.outcome, record.attempts.len()), (Outcome::Answered, 2));
}

#[tokio::test]
async fn what_is_settled_is_what_was_used() {
    let house = counted();
    serve(&house, Door::OpenAi, (KEY, &asking("fast", "hi", "")), 0).await;
    let [record] = house.records();
    let used = record.usage.amounts;
    let runtime = house.node.runtime.load_full().unwrap();
    let caller = runtime.snapshot.key("demo").unwrap().caller();
    let counted = crate::runtime::Counted {
        identity: runtime.snapshot.identity(caller).unwrap(),
        key: &SubjectKey::new("demo"),
    };
    let lines =
        runtime.snapshot.limits().filter_map(|(ix, _)| runtime.limits().line(&runtime.snapshot, ix, counted));
    let lines: Vec<_> = lines.collect();
    let now = jiff::Timestamp::from_microsecond(crate::house::NOW).unwrap();
    for standing in house.node.ledger.standings(&lines, now).await {
        let all = Amounts {
            input_tokens: used.input,
            output_tokens: used.output,
            spend: u128::try_from(record.cost.unwrap().nanos).unwrap(),
        };
        let taken = standing.limit.bound.limit() - standing.remaining;
        let expected = match standing.limit.bound {
            crate::quota::Bound::Concurrent { .. } => 0,
            ref bound => bound.measure(&all),
        };
        assert_eq!(taken, expected, "{}", standing.limit.id);
    }
}

#[test]
fn a_defect_of_ours_is_one_record_too() {
    let house = counted();
    let runtime = house.node.runtime.load_full().unwrap();
    let received = house.request((Door::OpenAi, Operation::Chat), &bearer(KEY), "{}");
    let defect = std::panic::AssertUnwindSafe(|| {
        let _exchange = pipeline::Exchange::open(&house.node, &runtime, &received.arrival);
        std::panic::resume_unwind(Box::new("a defect"));
    });
    assert!(std::panic::catch_unwind(defect).is_err());
    let record = only(house);
    assert_eq!((record.outcome, record.code), (Outcome::Failed, Some("internal_error")));
}
