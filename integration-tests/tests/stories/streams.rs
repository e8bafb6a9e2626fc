//! Streams: not held back, ended when the caller goes, honest when the vendor breaks off.

use std::time::Duration;

use anyhow::Result;
use integration_tests::{
    door::{Ask, Door, Step},
    scene::Scene,
    scripted::{Canned, Gate, OpenAiLike, Piece, Script, ScriptedUpstream},
    wait::within,
};
use serde_json::json;

use crate::{
    answer::{self, end, event},
    policy,
};

/// The next text of a stream.
async fn text(going: &mut integration_tests::door::Going) -> Result<String> {
    loop {
        match going.next().await? {
            Ok(Some(Step::Text(_, text))) => return Ok(text),
            Ok(Some(_)) => {}
            other => anyhow::bail!("no more text: {other:?}"),
        }
    }
}

async fn the_first_event_comes_before_the_second_is_sent(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let gate = Gate::default();
    let pieces = vec![event("first, "), Piece::Wait(gate.clone()), event("second"), end()];
    vendor.answer_next(Canned::events(pieces)).await;
    let mut going = scene.open(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    assert_eq!(text(&mut going).await?, "first, ");
    // Only now may the vendor go on.
    gate.open();
    assert_eq!(text(&mut going).await?, "second");
    let rest = going.hear().await?.unwrap();
    assert_eq!((rest.finish.as_str(), rest.usage), ("stop", Some((5, 4))));
    let record = scene.last_record().await?;
    assert_eq!((&record["usage"]["input"], &record["usage"]["output"]), (&json!(5), &json!(4)));
    Ok(scene)
}

async fn case_33_a_caller_that_leaves_ends_the_vendors_work(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    vendor
        .answer_next(Canned::events(vec![event("one two three "), Piece::Wait(Gate::default()), end()]))
        .await;
    let mut going = scene.open(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    assert_eq!(text(&mut going).await?, "one two three ");
    drop(going);
    // The promise is one second, from the vendor's side.
    tokio::time::timeout(Duration::from_secs(1), vendor.given_up()).await??;
    let record = scene.last_record().await?;
    assert_eq!(
        (&record["outcome"], &record["usage"]["provenance"]),
        (&json!("cancelled"), &json!("estimated"))
    );
    assert!(record["usage"]["output"].as_u64().unwrap() > 0, "what was produced is charged: {record}");
    Ok(scene)
}

async fn a_caller_that_leaves_before_the_answer_ends_the_call(door: Door) -> Result<Scene> {
    let vendor = ScriptedUpstream::start([Script::new().read().hang()]).await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    for stream in [false, true] {
        scene.house.count(integration_tests::sandbox::Geo::Eu);
        let (caller, ask) = (scene.caller()?, Ask::chat("sim-story", "hello").streaming(stream));
        let asking = tokio::spawn(async move { caller.ask(&ask).await });
        let mut seen = vendor.connection().await?;
        seen.request().await?;
        asking.abort();
        let gone = tokio::time::timeout(Duration::from_secs(1), seen.closed()).await?;
        gone?;
    }
    for record in scene.house.records(integration_tests::sandbox::Geo::Eu).await? {
        assert_eq!(record["outcome"], "cancelled");
    }
    Ok(scene)
}

async fn case_44_a_stream_that_breaks_off_says_so(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    // Broken off sooner, it might be before the event was sent, and then another vendor would be asked.
    let heard = Gate::default();
    let pieces = vec![event("as far as "), Piece::Wait(heard.clone()), Piece::Break];
    vendor.answer_next(Canned::events(pieces)).await;
    let mut going = scene.open(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    assert_eq!(text(&mut going).await?, "as far as ");
    heard.open();
    let refused = going.hear().await?.unwrap_err();
    assert_eq!(refused.code, "upstream_error", "{refused:?}");
    let record = scene.last_record().await?;
    assert_eq!((&record["outcome"], &record["code"]), (&json!("cut"), &json!("upstream_error")));
    assert_eq!(record["attempts"].as_array().unwrap().len(), 1, "what was delivered is not asked for again");
    Ok(scene)
}

async fn case_49_a_stream_that_ends_without_its_end_is_no_whole_answer(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    vendor.answer_next(Canned::events(vec![event("half an ")])).await;
    let refused = scene.refused(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    assert_eq!(refused.code, "upstream_error", "{refused:?}");
    assert_eq!(scene.last_record().await?["outcome"], "cut");
    Ok(scene)
}

async fn case_49_odd_framing_of_events_is_understood(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let one = answer::event_text("odd, ").replace("data: ", "data:").replace("\n\n", "\r\n\r\n");
    let two = bytes::Bytes::from(answer::event_text("and right"));
    let cut = two.len() / 2;
    let pieces = vec![
        Piece::Bytes(format!("\u{feff}: a comment\n\nevent: message\n{one}").into()),
        Piece::Bytes(two.slice(..cut)),
        Piece::Bytes(two.slice(cut..)),
        end(),
    ];
    vendor.answer_next(Canned::events(pieces)).await;
    let told = scene.answered(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    assert_eq!((told.text.as_str(), told.finish.as_str()), ("odd, and right", "stop"));
    Ok(scene)
}

async fn a_vendor_that_falls_silent_is_given_up(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let timeouts = "timeouts: {connect: 2s, firstByte: 5s, idle: 300ms, total: 15s}";
    let text = format!(
        "{}{}",
        policy::vendor_with("story", &vendor.base_url(), "EU", timeouts),
        policy::model("sim-story", &["story"])
    );
    let scene = Scene::with(door, &text).await?;
    vendor.answer_next(Canned::events(vec![event("and then "), Piece::Wait(Gate::default())])).await;
    let refused = scene.refused(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    assert_eq!(refused.code, "upstream_timeout", "{refused:?}");
    within("the vendor's relief", vendor.given_up()).await??;
    assert_eq!(scene.last_record().await?["outcome"], "cut");
    Ok(scene)
}

stories! {
    the_first_event_comes_before_the_second_is_sent,
    case_33_a_caller_that_leaves_ends_the_vendors_work,
    a_caller_that_leaves_before_the_answer_ends_the_call,
    case_44_a_stream_that_breaks_off_says_so,
    case_49_a_stream_that_ends_without_its_end_is_no_whole_answer,
    case_49_odd_framing_of_events_is_understood,
    a_vendor_that_falls_silent_is_given_up,
}
