//! What was decided, over many revisions and by real processes, is decided again from what they wrote down; and what a draft would have
//! decided of it is what it then decides.

use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use integration_tests::{
    door::{Ask, Caller, Door},
    household::{Household, Lines},
    sandbox::{Geo, QUICKSTART},
};
use serde_json::Value;

use crate::decisions::verb;
use crate::policy;

/// Requests of one telling, how many at a time, and over how many revisions; with `CHANCERY_LONG` as many as are to be replayed.
pub(crate) fn load() -> (usize, usize, usize) {
    if std::env::var_os("CHANCERY_LONG").is_some() { (100_000, 64, 60) } else { (480, 8, 12) }
}

/// The quickstart's limits, so high that none is met.
pub(crate) const UNLIMITED: &str = "
apiVersion: chancery/v1
kind: Limit
metadata: {name: research-requests, tenant: acme}
spec: {scope: {team: research, model: '*', each: key}, bound: {requests: 1000000000, per: 1m}}
---
apiVersion: chancery/v1
kind: Limit
metadata: {name: research-tokens, tenant: acme}
spec: {scope: {team: research, model: '*', each: key}, bound: {tokens: 1000000000000, per: 1m}}
";

/// What a request may be like, one after the other: allowed and refused, by rules, content, tools, fields, places and names.
fn like(at: usize) -> Ask {
    let ask = |text: &str| Ask::chat("sim-mistral-large", text).streaming(at % 3 == 1);
    match at % 12 {
        0 => ask("hello"),
        1 => ask("hello").with("x-purpose", "gossip"),
        2 => ask("write to ada@example.org or +49 30 901820").with("x-purpose", "support"),
        3 => ask("what of project-x?"),
        4 => ask("hello").with("x-subject-residency", "DE"),
        5 => ask("hello").with("x-data-class", "health"),
        6 => Ask::chat("sim-nowhere", "hello"),
        7 => ask("hello").with("x-purpose", "social-scoring"),
        8 => ask("hello").having("web_search_options", serde_json::json!({})),
        9 => ask("hello").having("unheard_of", serde_json::json!(true)),
        10 => Ask::embed("sim-mistral-large", &["hello"]),
        _ => ask("4111 1111 1111 1111").with("x-subject-residency", "US-CA"),
    }
}

/// A policy that decides some of these otherwise than the one before it.
fn changed(at: usize) -> String {
    match at % 4 {
        0 => policy::rule("no-gossip", "forbid", "purpose == 'gossip'", ""),
        1 => policy::rule("no-gossip", "forbid", "purpose == 'rumour'", ""),
        2 => policy::rule("health", "forbid", "'health' in data.classes", "").replace("enforce", "shadow"),
        _ => policy::rule("health", "forbid", "'health' in data.classes", ""),
    }
}

pub(crate) async fn asked(house: &Household, key: &str) -> Result<()> {
    let (requests, at_once, revisions) = load();
    let (next, published) = (Cell::new(0), Cell::new(0));
    let urls = [house.inference_url(Geo::Eu)?, house.inference_url(Geo::Us)?];
    let ask = async || -> Result<()> {
        while next.get() < requests {
            let at = next.replace(next.get() + 1);
            // A revision is published each time so many of the requests were asked, while others are on their way.
            if at * revisions / requests > published.get() {
                published.set(published.get() + 1);
                house.apply(&changed(published.get())).await?;
            }
            let caller = Caller::at(Door::BOTH[at % 2], urls[at / 2 % 2].clone(), key);
            // Refusals are answers as well.
            let _answer = caller.ask(&like(at)).await?;
        }
        Ok(())
    };
    try_join_all((0..at_once).map(|_| ask())).await?;
    Ok(())
}

/// Ends the nodes, so that everything is sealed.
async fn sealed(house: &mut Household) -> Result<()> {
    for geo in Geo::ALL {
        house.plane(geo)?.terminate()?;
        house.plane(geo)?.ended().await?;
    }
    Ok(())
}

pub(crate) fn json(told: &str) -> Result<Value> {
    let line = told.lines().find(|line| line.starts_with('{')).context("an answer")?;
    Ok(serde_json::from_str(line)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_is_decided_again_and_a_draft_is_simulated_on_it() {
    let more = Lines { planes: "[decisions]\nsegment_seconds = 3600\n", ..Lines::default() };
    let mut house = Household::of("warn", QUICKSTART, more).await.unwrap();
    house.apply(UNLIMITED).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    asked(&house, &key).await.unwrap();
    sealed(&mut house).await.unwrap();
    let (requests, _, revisions) = load();
    let ca = house.home().join("control/control-plane/ca/ca.pem");
    let outboxes: Vec<_> = Geo::ALL.map(|geo| house.state_dir(geo).join("outbox")).into_iter().collect();
    let paths: Vec<&str> = outboxes.iter().filter_map(|path| path.to_str()).collect();
    let replay = [&["decisions", "replay", "-o", "json", "--ca", ca.to_str().unwrap()], &paths[..]].concat();
    let begun = Instant::now();
    let (code, told) = verb(&house, &replay).unwrap();
    println!("replayed in {:?}: {told}", begun.elapsed());
    assert_eq!(code, 0, "{told}");
    let told = json(&told).unwrap();
    let count = |field: &str| told[field].as_u64().unwrap() as usize;
    assert_eq!((count("different"), count("unproved")), (0, 0), "{told}");
    assert_eq!(count("same") + count("undecided"), requests, "{told}");
    assert_eq!(told["evaluators"], serde_json::json!([told["evaluator"]]), "{told}");
    assert!(count("undecided") < requests / 4 && count("revisions") > revisions / 2, "{told}");

    // The answers that turn by a draft are those that it would turn.
    let draft = house.home().join("draft.yaml");
    std::fs::write(&draft, policy::rule("no-support", "forbid", "purpose == 'support'", "")).unwrap();
    let simulate = |draft: &Path, more: &[&str]| {
        let draft = draft.to_str().unwrap();
        let (code, told) = verb(&house, &[&["simulate", "-f", draft], more, &paths[..]].concat()).unwrap();
        println!("simulated: {told}");
        (code, told)
    };
    let (code, told) = simulate(&draft, &["-o", "json"]);
    assert_eq!(code, 0, "{told}");
    let told = json(&told).unwrap();
    let by = told["allowToDeny"]["by"].as_array().unwrap();
    let support: Vec<_> = by.iter().filter(|row| row["rules"].to_string().contains("no-support")).collect();
    assert_eq!(support.len(), 1, "{told}");
    let row = support[0];
    assert_eq!(
        (&row["principal"], &row["model"]),
        (&"acme/ada@example.org".into(), &"models/sim-mistral-large".into())
    );
    assert_eq!(
        row["already"].as_u64().unwrap() + (1..=requests).filter(|at| at % 12 == 2).count() as u64,
        row["count"].as_u64().unwrap(),
        "{told}"
    );
    let (_, told) = simulate(&draft, &["-o", "json", "--until", "2000-01-01"]);
    assert_eq!(json(&told).unwrap()["others"].as_u64().unwrap() as usize, count("same"), "{told}");
    let (code, told) = simulate(&draft, &["--tenant", "nobody"]);
    assert!(code == 7 && told.contains("there is no `tenants/nobody`"), "{code}: {told}");
    let (code, told) = simulate(&draft, &["--geo", "mars"]);
    let none = ["no record of geo `mars` is there", "no record was read: nothing was decided again"];
    assert!(code == 0 && none.iter().all(|none| told.contains(none)), "{code}: {told}");
    // What does not compile is told where it is, and nothing is simulated.
    std::fs::write(&draft, policy::rule("no-support", "forbid", "purpos == 'support'", "")).unwrap();
    let (code, told) = simulate(&draft, &["-o", "json"]);
    assert!(code == 7 && told.contains("spec.when"), "{code}: {told}");
    assert!(house.read("rules/no-support").await.is_err(), "nothing was applied");

    // A record that was changed is not replayed.
    let first = std::fs::read_dir(&outboxes[0]).unwrap().map(|entry| entry.unwrap().path());
    let first = first.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).min().unwrap();
    let whole = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, whole.replacen("\"effect\":\"deny\"", "\"effect\":\"allow\"", 1)).unwrap();
    let (code, told) = verb(&house, &replay).unwrap();
    assert!(code == 10 && told.contains("is not as it was written"), "{code}: {told}");
}
