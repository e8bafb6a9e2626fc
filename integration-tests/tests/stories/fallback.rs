//! Another candidate: when it is tried, when not, and what of it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use futures_util::future::join;
use http::{HeaderValue, StatusCode, header};
use integration_tests::{
    door::{Ask, Door, Told},
    sandbox::Geo,
    scene::Scene,
    scripted::{Canned, Gate, Nobody, OpenAiLike, Piece, Script, ScriptedUpstream},
    wait::until,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{answer, policy};

fn two(first: &str, second: &str) -> String {
    let timeouts = "timeouts: {connect: 1s, firstByte: 400ms, idle: 400ms, total: 5s}";
    [
        policy::vendor_with("first", first, "EU", timeouts),
        policy::vendor_with("second", second, "EU", timeouts),
        policy::model("sim-story", &["first", "second"]),
    ]
    .concat()
}

fn tried(record: &Value) -> Vec<(String, bool)> {
    let attempts = record["attempts"].as_array().unwrap().iter();
    attempts.map(|a| (a["endpoint"].as_str().unwrap().to_owned(), a["failure"].is_null())).collect()
}

fn failure(status: u16) -> Canned {
    let body = json!({"error": {"message": "the vendor's own words about sk-vendor-secret", "type": "server_error"}});
    Canned::json(StatusCode::from_u16(status).unwrap(), body.to_string())
}

async fn one_that_is_down_is_passed_over(door: Door) -> Result<Scene> {
    let (first, second) = (Nobody::hold()?, OpenAiLike::start().await?);
    let scene = Scene::with(door, &two(&first.base_url()?, &second.base_url())).await?;
    for stream in [false, true] {
        let told = scene.answered(&Ask::chat("sim-story", "hello").streaming(stream)).await?;
        assert_eq!(told.text, "hello");
        assert!(told.header("x-chancery-endpoint").ends_with("second"));
        let record = scene.last_record().await?;
        assert_eq!(tried(&record), [("first".to_owned(), false), ("second".to_owned(), true)]);
    }
    let metrics = scene.house.metrics(Geo::Eu).await?;
    for line in [
        "chancery_upstream_attempts_total{endpoint=\"first\",outcome=\"connect\"} 2",
        "chancery_upstream_attempts_total{endpoint=\"second\",outcome=\"answered\"} 2",
        "chancery_upstream_first_byte_seconds_count{endpoint=\"second\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    // One request, though it was tried twice.
    scene.house.apply(&policy::limit("few", "requests: 4, per: month")).await?;
    let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!(told.header("x-ratelimit-remaining-requests"), "3");
    Ok(scene)
}

async fn case_50_passing_failures_are_passed_over_and_others_are_told(door: Door) -> Result<Scene> {
    let (first, second) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let scene = Scene::with(door, &two(&first.base_url(), &second.base_url())).await?;
    for status in [500, 502, 408] {
        first.answer_next(failure(status)).await;
        let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
        assert!(told.header("x-chancery-endpoint").ends_with("second"), "{status}");
    }
    let refused = async |vendor: &OpenAiLike, status: u16, told: (u16, &str)| -> Result<()> {
        vendor.answer_next(failure(status)).await;
        let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
        assert_eq!((refused.status, refused.code.as_str()), told, "{status}: {refused:?}");
        Ok(())
    };
    refused(&first, 400, (400, "upstream_rejected")).await?;
    refused(&first, 413, (400, "upstream_rejected")).await?;
    // Who refuses our key is made up for, and is not asked first for a while.
    first.answer_next(failure(401)).await;
    for _ in 0..2 {
        let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
        assert!(told.header("x-chancery-endpoint").ends_with("second"));
    }
    refused(&second, 403, (502, "upstream_credential")).await?;
    Ok(scene)
}

/// Who says that it can't take more is not asked again at once, though its next answer would be a good one.
async fn case_50_a_vendor_that_asks_to_be_left_alone_is(door: Door) -> Result<Scene> {
    let (first, second) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let scene = Scene::with(door, &two(&first.base_url(), &second.base_url())).await?;
    let busy = |status| failure(status).with(header::RETRY_AFTER, HeaderValue::from_static("86400"));
    first.answer_next(busy(529)).await;
    for hop in ["the upstream answered with status 529", "the endpoint asked to be left alone"] {
        let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
        assert!(told.header("x-chancery-endpoint").ends_with("second"));
        let record = scene.last_record().await?;
        assert_eq!(record["attempts"][0]["failure"], hop);
        assert_eq!(tried(&record), [("first".to_owned(), false), ("second".to_owned(), true)]);
    }
    second.answer_next(busy(429)).await;
    let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (429, "upstream_rate_limited"));
    for _ in 0..3 {
        second.request().await?;
    }
    let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (429, "upstream_rate_limited"));
    let wait = refused.retry_after.unwrap();
    assert!((1..=60).contains(&wait), "{wait}: no vendor switches an endpoint off for a day");
    first.request().await?;
    assert!(!first.was_asked().await && !second.was_asked().await, "it was told at once");
    let metrics = scene.house.metrics(Geo::Eu).await?;
    for line in [
        "chancery_endpoint_state{endpoint=\"first\",state=\"resting\"} 1",
        "chancery_upstream_attempts_total{endpoint=\"first\",outcome=\"resting\"} 3",
        "chancery_upstream_retries_total{reason=\"server_error\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    Ok(scene)
}

/// Requests under way at the same time, and how many each caller sends one after the other.
const LOAD: (usize, usize) = (8, 50);

/// Half of the load is answered, then the first vendor is gone with every connection it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_under_load_fails_no_request_and_the_records_show_both_hops() {
    let (first, second) = (OpenAiLike::start().await.unwrap(), OpenAiLike::start().await.unwrap());
    let scene = Scene::with(Door::Rest, &two(&first.base_url(), &second.base_url())).await.unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let caller = || {
        let (caller, answered) = (scene.caller().unwrap(), answered.clone());
        async move {
            for _ in 0..LOAD.1 {
                caller
                    .ask(&Ask::chat("sim-story", "hello"))
                    .await
                    .unwrap()
                    .unwrap_or_else(|refused| panic!("{refused:?}"));
                answered.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    (0..LOAD.0 * LOAD.1).for_each(|_| scene.house.count(Geo::Eu));
    let mut callers: JoinSet<_> = (0..LOAD.0).map(|_| caller()).collect();
    until("half of the load", async || {
        (answered.load(Ordering::SeqCst) >= LOAD.0 * LOAD.1 / 2).then_some(())
    })
    .await
    .unwrap();
    drop(first);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    let records = scene.house.records(Geo::Eu).await.unwrap();
    let both = [("first".to_owned(), false), ("second".to_owned(), true)];
    let fell_back: Vec<_> = records.iter().filter(|record| tried(record) == both).collect();
    assert!(!fell_back.is_empty());
    assert!(records.iter().all(|record| record["outcome"] == "answered" && record["status"] == 200));
    // It is not tried for long: once it is known to be gone, the second one is asked first.
    let ejected =
        |record: &&&Value| record["attempts"][0]["failure"] == "the endpoint failed too often of late";
    assert!(fell_back.iter().filter(ejected).count() > 0);
    let metrics = scene.house.metrics(Geo::Eu).await.unwrap();
    assert!(!metrics.contains("chancery_endpoint_ejections_total{endpoint=\"first\"} 0"), "{metrics}");
}

async fn what_none_could_answer_is_told_as_the_last_of_them_said(door: Door) -> Result<Scene> {
    let (first, second) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let scene = Scene::with(door, &two(&first.base_url(), &second.base_url())).await?;
    first.answer_next(failure(500)).await;
    let busy = failure(429).with(header::RETRY_AFTER, HeaderValue::from_static("7"));
    second.answer_next(busy).await;
    let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (429, "upstream_rate_limited"));
    assert_eq!(refused.retry_after, Some(7));
    assert!(!refused.message.contains("sk-vendor-secret"), "{}", refused.message);
    let record = scene.last_record().await?;
    assert_eq!(tried(&record), [("first".to_owned(), false), ("second".to_owned(), false)]);
    assert_eq!((&record["outcome"], &record["usage"]["provenance"]), (&json!("failed"), &json!("none")));
    Ok(scene)
}

async fn a_vendor_that_never_answers_is_given_up_for_another(door: Door) -> Result<Scene> {
    let (first, second) =
        (ScriptedUpstream::start([Script::new().read().hang()]).await?, OpenAiLike::start().await?);
    let scene = Scene::with(door, &two(&first.base_url(), &second.base_url())).await?;
    let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
    assert!(told.header("x-chancery-endpoint").ends_with("second"));
    let mut seen = first.connection().await?;
    seen.request().await?;
    seen.closed().await?;
    Ok(scene)
}

/// A mirror sees a copy of each request, decided and recorded for itself, and nobody's answer comes from there, whatever it does.
async fn a_mirror_is_sent_copies_and_answers_nobody(door: Door) -> Result<Scene> {
    let (first, second) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let mirrored = two(&first.base_url(), &second.base_url())
        .replace("{endpoint: second}", "{endpoint: second, mirrorPercent: 100}");
    let scene = Scene::with(door, &mirrored).await?;
    for (stream, is_well) in [(false, true), (true, true), (false, false)] {
        if !is_well {
            second.answer_next(failure(400)).await;
        }
        let told = scene.answered(&Ask::chat("sim-story", "hello").streaming(stream)).await?;
        assert!(told.header("x-chancery-endpoint").ends_with("first"));
        let said = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["messages"].clone();
        assert_eq!(said(&first.request().await?.body), said(&second.request().await?.body));
        let of = told.header("x-chancery-request-id").to_owned();
        let copies = until("the copy's record", async || {
            let records = scene.house.copies(Geo::Eu).ok()?;
            let copies: Vec<Value> = records.into_iter().filter(|record| record["mirrorOf"] == of).collect();
            (!copies.is_empty()).then_some(copies)
        })
        .await?;
        let [copy] = copies.as_slice() else { panic!("{copies:?}") };
        assert_eq!(tried(copy), [("second".to_owned(), is_well)]);
        assert_eq!(copy["outcome"], if is_well { "answered" } else { "failed" });
        assert_eq!(copy["usage"]["input"].as_u64().unwrap() > 0, is_well, "what it used is counted: {copy}");
    }
    Ok(scene)
}

/// Answers of an endpoint before it is known what is late there.
const FEW: usize = 20;

/// An answer that waits behind a gate, which opens once another vendor was asked too.
async fn answered_late(scene: &Scene, ask: &Ask, (other, gate): (&OpenAiLike, &Gate)) -> Result<Told> {
    let (told, asked) = join(scene.answered(ask), async {
        let asked = other.request().await;
        gate.open();
        asked
    })
    .await;
    asked?;
    told
}

/// Two vendors, the first of which answered a few times, so that it is known what is late there.
async fn hedged(door: Door) -> Result<(Scene, [OpenAiLike; 2])> {
    let (first, second) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let hedged = two(&first.base_url(), &second.base_url())
        .replace("firstByte: 400ms, idle: 400ms, total: 5s", "firstByte: 20s, idle: 20s, total: 60s")
        .replace("route: {policy:", "route: {hedge: true, policy:");
    let scene = Scene::with(door, &hedged).await?;
    for _ in 0..FEW {
        let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
        assert!(told.header("x-chancery-endpoint").ends_with("first"));
        first.request().await?;
    }
    Ok((scene, [first, second]))
}

/// What takes longer than it did before is asked of another too; whoever is sooner answers, and the other is given up.
async fn one_that_is_late_is_asked_of_another_too(door: Door) -> Result<Scene> {
    let (scene, [first, second]) = hedged(door).await?;
    let ask = Ask::chat("sim-story", "hello");
    first.answer_next(Canned::json_in(vec![Piece::Wait(Gate::default())])).await;
    let told = scene.answered(&ask).await?;
    assert!(told.header("x-chancery-endpoint").ends_with("second"));
    first.given_up().await?;
    second.request().await?;
    let record = scene.last_record().await?;
    assert_eq!(tried(&record), [("first".to_owned(), false), ("second".to_owned(), true)]);
    assert_eq!(record["attempts"][0]["failure"], "another endpoint was asked too, and answered sooner");
    // Nothing is held against it.
    let gate = Gate::default();
    first.answer_next(answer::whole("late").after(gate.clone())).await;
    second.answer_next(Canned::json_in(vec![Piece::Wait(Gate::default())])).await;
    let told = answered_late(&scene, &ask, (&second, &gate)).await?;
    assert!(told.header("x-chancery-endpoint").ends_with("first") && told.text == "late", "{told:?}");
    second.given_up().await?;
    let record = scene.last_record().await?;
    assert_eq!(tried(&record), [("second".to_owned(), false), ("first".to_owned(), true)]);
    Ok(scene)
}

/// Whether its refusal or the late answer is here first is chance, so that no record of it is like another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_that_was_asked_too_and_fails_is_no_answer() {
    for door in [Door::Rest, Door::Grpc] {
        let (scene, [first, second]) = hedged(door).await.unwrap();
        let gate = Gate::default();
        first.answer_next(answer::whole("late").after(gate.clone())).await;
        second.answer_next(failure(500)).await;
        let ask = Ask::chat("sim-story", "hello");
        let told = answered_late(&scene, &ask, (&second, &gate)).await.unwrap();
        assert!(told.header("x-chancery-endpoint").ends_with("first") && told.text == "late", "{told:?}");
        let record = scene.last_record().await.unwrap();
        assert_eq!(tried(&record), [("second".to_owned(), false), ("first".to_owned(), true)]);
    }
}

stories! {
    one_that_is_late_is_asked_of_another_too,
    a_mirror_is_sent_copies_and_answers_nobody,
    one_that_is_down_is_passed_over,
    case_50_passing_failures_are_passed_over_and_others_are_told,
    case_50_a_vendor_that_asks_to_be_left_alone_is,
    what_none_could_answer_is_told_as_the_last_of_them_said,
    a_vendor_that_never_answers_is_given_up_for_another,
}
