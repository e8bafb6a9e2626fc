//! Exactly once: wherever in the sentence a request ends, and however, it leaves one record and one settlement.
//!
//! The table has a row for each verb and each way it can end there. A verb that waits for nobody can't be left by its caller
//! half-way; what has no row says why.
//!
//! | verb | error | cancel | upstream cut |
//! |---|---|---|---|
//! | authenticate | unknown key | waits for nobody | calls nobody |
//! | entitle | unknown model | waits for nobody | calls nobody |
//! | inspect, decide | blocked word | waits for nobody | calls nobody |
//! | reserve | over a limit | waits for nobody with counters in memory | calls nobody |
//! | dispatch | vendor's 500 | caller leaves while it waits | reset before a byte |
//! | screen | blocked word in the answer | caller leaves in the middle | reset in the middle |
//! | settle, record | (what all others end with) | | |

use anyhow::Result;
use http::StatusCode;
use integration_tests::{
    door::{Ask, Door, Step},
    sandbox::Geo,
    scene::Scene,
    scripted::{Canned, Gate, OpenAiLike, Piece},
};
use serde_json::{Value, json};

use crate::{answer, policy};

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// The house or the vendor says no.
    Error,
    /// The caller leaves.
    Cancel,
    /// The vendor's connection breaks.
    Cut,
}

/// A verb, how it ends there, and what is written down: outcome, and whether something was used.
const TABLE: [(&str, End, &str, bool); 10] = [
    ("authenticate", End::Error, "refused", false),
    ("entitle", End::Error, "refused", false),
    ("decide", End::Error, "refused", false),
    ("reserve", End::Error, "refused", false),
    ("dispatch", End::Error, "failed", false),
    ("dispatch", End::Cancel, "cancelled", false),
    ("dispatch", End::Cut, "failed", false),
    ("screen", End::Error, "blocked", true),
    ("screen", End::Cancel, "cancelled", true),
    ("screen", End::Cut, "cut", true),
];

const GUARD: &str = "---
apiVersion: chancery/v1
kind: Guardrail
metadata: {name: no-leaks}
spec: {applies: {models: [\"*\"]}, output: [{words: [moonbase], action: block}]}
";

/// What the vendor does in this row.
fn scripted((verb, end): (&str, End), stream: bool, heard: &Gate) -> Option<Canned> {
    let hang = || Piece::Wait(Gate::default());
    match (verb, end, stream) {
        ("dispatch", End::Error, _) => Some(Canned::json(StatusCode::INTERNAL_SERVER_ERROR, "{}")),
        ("dispatch", End::Cancel, false) => Some(Canned::json_in(vec![hang()])),
        ("dispatch", End::Cancel, true) => Some(Canned::events(vec![hang()])),
        ("dispatch", End::Cut, false) => Some(Canned::json_in(vec![Piece::Bytes("{".into()), Piece::Break])),
        ("dispatch", End::Cut, true) => Some(Canned::events(vec![Piece::Break])),
        ("screen", End::Error, false) => Some(answer::whole("the moonbase is here")),
        ("screen", End::Error, true) => {
            Some(Canned::events(vec![answer::event("well, "), answer::event("the moonbase is here"), hang()]))
        }
        ("screen", End::Cancel, true) => Some(Canned::events(vec![answer::event("so far and "), hang()])),
        // Broken off sooner, it might be before anything was heard, which is another row.
        ("screen", End::Cut, true) => {
            Some(Canned::events(vec![answer::event("so far and "), Piece::Wait(heard.clone()), Piece::Break]))
        }
        _ => None,
    }
}

/// Plays one row; false where it can't be played this way.
async fn play(scene: &Scene, vendor: &OpenAiLike, (verb, end): (&str, End), stream: bool) -> Result<bool> {
    if verb == "screen" && !stream && !matches!(end, End::Error) {
        // A whole answer is screened at once: there is no middle to leave or to break in.
        return Ok(false);
    }
    let (key, model, text) = match verb {
        "authenticate" => ("chy_unknown_key", "sim-story", "hello"),
        "entitle" => (scene.key.as_str(), "no-such-model", "hello"),
        "decide" => (scene.key.as_str(), "sim-story", "about project-x"),
        _ => (scene.key.as_str(), "sim-story", "hello"),
    };
    let tokens = if verb == "reserve" { 4000 } else { 10 };
    let ask = Ask::chat(model, text).at_most(tokens).streaming(stream);
    let heard = Gate::default();
    if let Some(canned) = scripted((verb, end), stream, &heard) {
        vendor.answer_next(canned).await;
    }
    if matches!(end, End::Cancel) {
        leave(scene, vendor, (verb, ask)).await?;
    } else if (verb, end) == ("screen", End::Cut) {
        let mut going = scene.open(&ask).await?;
        while !matches!(going.next().await?.unwrap(), Some(Step::Text(..))) {}
        heard.open();
        assert!(going.hear().await?.is_err(), "{verb} {end:?}");
    } else {
        let refused = scene.ask_at(Geo::Eu, key, &ask).await?;
        assert!(refused.is_err(), "{verb} {end:?}: {refused:?}");
    }
    Ok(true)
}

async fn leave(scene: &Scene, vendor: &OpenAiLike, (verb, ask): (&str, Ask)) -> Result<()> {
    if verb == "screen" {
        let mut going = scene.open(&ask).await?;
        while !matches!(going.next().await?.unwrap(), Some(Step::Text(..))) {}
        drop(going);
    } else {
        scene.house.count(Geo::Eu);
        let caller = scene.caller()?;
        // What other rows asked before is of no interest here.
        while vendor.was_asked().await {
            vendor.request().await?;
        }
        let asking = tokio::spawn(async move { caller.ask(&ask).await });
        vendor.request().await?;
        asking.abort();
    }
    vendor.given_up().await
}

async fn one_record_and_one_settlement_each(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let more = [
        // What is told of one call is looked at, not what a second one would make up for.
        policy::one_vendor(&vendor.base_url()).replace("route: {", "route: {retryPercent: 0, "),
        GUARD.to_owned(),
        policy::limit("few-requests", "requests: 1000, per: month"),
        policy::limit("few-tokens", "tokens: 3000, per: month"),
    ];
    let scene = Scene::with(door, &more.concat()).await?;
    let mut played = 0;
    for (verb, end, outcome, used) in TABLE {
        for stream in [false, true] {
            if !play(&scene, &vendor, (verb, end), stream).await? {
                continue;
            }
            played += 1;
            // Waits for exactly as many records as there were requests, and for an empty ledger.
            let records = scene.house.records(Geo::Eu).await?;
            assert_eq!(records.len(), played, "{verb} {end:?}");
            let record = records.last().unwrap();
            let row = format!("{verb} {end:?} stream {stream}: {record}");
            assert_eq!(record["outcome"], outcome, "{row}");
            assert_eq!(record["usage"]["output"].as_u64().unwrap() > 0, used, "{row}");
        }
    }
    assert_eq!(played, 2 * TABLE.len() - 2);
    let ended = ended(&scene.house.metrics(Geo::Eu).await?);
    assert_eq!(ended, played as u64, "the metrics tell of as many requests as the records");
    counted(&scene).await?;
    Ok(scene)
}

/// The sum of a counter's lines.
fn ended(metrics: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with("chancery_requests_total"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// What the counters charged is what the records say was used.
async fn counted(scene: &Scene) -> Result<()> {
    let url = format!("{}/quota", scene.house.openai_url(Geo::Eu)?);
    let quota: Value =
        integration_tests::door::client()?.get(url).bearer_auth(&scene.key).send().await?.json().await?;
    let consumed = |limit: &str| {
        let found = quota["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|counter| counter["limit"].as_str().unwrap().ends_with(limit));
        found.unwrap_or_else(|| panic!("{limit}: {quota}"))["consumed"].as_u64().unwrap()
    };
    let records = scene.house.records(Geo::Eu).await?;
    let used = |name: &str| records.iter().map(|record| record["usage"][name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(consumed("/few-tokens"), used("input") + used("output"));
    let cost: u64 = records.iter().filter_map(|record| record["costNanos"].as_u64()).sum();
    assert_eq!(consumed("/acme-budget"), cost);
    // A request counts once a vendor was called for it.
    let sent = records.iter().filter(|record| record["attempts"] != json!([])).count();
    assert_eq!(consumed("/few-requests"), sent as u64);
    Ok(())
}

stories! {
    one_record_and_one_settlement_each,
}
