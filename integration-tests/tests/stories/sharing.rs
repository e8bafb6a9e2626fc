//! Many at once: what is shared is counted once, and nobody gets another's answer.

use std::sync::Arc;

use anyhow::Result;
use futures_util::future::try_join_all;
use integration_tests::{
    door::{Ask, Door, Step},
    sandbox::Geo,
    scene::Scene,
    scripted::{Canned, Gate, OpenAiLike, Piece},
};

use crate::{answer, policy};

const MODEL: &str = "sim-mistral-large";

async fn a_limit_holds_over_both_planes_whoever_hurries(door: Door) -> Result<Scene> {
    const ALLOWED: usize = 20;
    let scene =
        Scene::with(door, &policy::limit("twenty", &format!("requests: {ALLOWED}, per: month"))).await?;
    let asking = (0..60).map(|at| {
        let geo = Geo::ALL[at % 2];
        scene.house.count(geo);
        let caller = scene.caller_at(geo, &scene.key);
        async move { caller?.ask(&Ask::chat(MODEL, "me first")).await }
    });
    let told = try_join_all(asking).await?;
    let refused: Vec<_> = told.iter().filter_map(|told| told.as_ref().err()).collect();
    assert_eq!(told.len() - refused.len(), ALLOWED);
    for refused in refused {
        assert_eq!(refused.status, 429);
        assert!(refused.message.contains("twenty"), "{}", refused.message);
    }
    // Who was in `eu` and who in `us` is chance; another house tells the comparable part.
    for geo in Geo::ALL {
        scene.house.records(geo).await?;
    }
    let scene = Scene::quickstart(door).await?;
    scene.answered(&Ask::chat(MODEL, "hello")).await?;
    Ok(scene)
}

async fn case_83_everybody_gets_the_answer_to_its_own_question(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let asking = (0..100).map(|at| {
        let (geo, marker) = (Geo::ALL[at % 2], format!("marker-{at}-of-mine"));
        scene.house.count(geo);
        let caller = scene.caller_at(geo, &scene.key);
        let ask = Ask::chat(MODEL, &format!("{marker} [[sim:chunk=5]]")).streaming(at % 3 == 0);
        async move { anyhow::Ok((marker, caller?.ask(&ask).await?)) }
    });
    let mut ids = std::collections::BTreeSet::new();
    for (marker, told) in try_join_all(asking).await? {
        let told = told.unwrap();
        assert!(told.text.contains(&marker), "{marker}: {}", told.text);
        assert_eq!(told.text.matches("marker-").count(), 1, "{}", told.text);
        ids.insert(told.header("x-chancery-request-id").to_owned());
    }
    assert_eq!(ids.len(), 100);
    Ok(scene)
}

async fn a_place_is_free_again_when_its_answer_has_ended(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let more = [policy::one_vendor(&vendor.base_url()), policy::limit("one-at-a-time", "concurrent: 1")];
    let scene = Scene::with(door, &more.concat()).await?;
    let gate = Gate::default();
    vendor
        .answer_next(Canned::events(vec![
            answer::event("slowly, "),
            Piece::Wait(gate.clone()),
            answer::end(),
        ]))
        .await;
    let mut going = scene.open(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    while !matches!(going.next().await?.unwrap(), Some(Step::Text(..))) {}
    let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (429, "concurrency_limit_exceeded"));
    gate.open();
    going.hear().await?.unwrap();
    scene.house.records(Geo::Eu).await?;
    scene.answered(&Ask::chat("sim-story", "hello")).await?;
    // One that is left, too.
    vendor.answer_next(Canned::events(vec![answer::event("slowly, "), Piece::Wait(Gate::default())])).await;
    let mut going = scene.open(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    while !matches!(going.next().await?.unwrap(), Some(Step::Text(..))) {}
    drop(going);
    scene.house.records(Geo::Eu).await?;
    scene.answered(&Ask::chat("sim-story", "hello")).await?;
    Ok(scene)
}

stories! {
    a_limit_holds_over_both_planes_whoever_hurries,
    case_83_everybody_gets_the_answer_to_its_own_question,
    a_place_is_free_again_when_its_answer_has_ended,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_made_at_once_are_a_revision_each_and_none_is_lost() {
    let scene = Arc::new(Scene::quickstart(Door::Rest).await.unwrap());
    let applying = (0..8).map(|at| {
        let scene = scene.clone();
        async move {
            scene.house.apply(&policy::rule(&format!("rule-{at}"), "forbid", "purpose == 'x'", "")).await
        }
    });
    let mut revisions = try_join_all(applying).await.unwrap();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), 8);
    let current = scene.house.control.as_ref().unwrap().publisher().current();
    assert_eq!(current.revision(), u64::try_from(revisions[7]).unwrap());
    assert_eq!(current.facts.rules.len(), 8 + 2, "with the two of the quickstart");
}
