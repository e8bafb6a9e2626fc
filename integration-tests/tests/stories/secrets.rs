//! What must be nowhere: credentials of vendors, secrets of keys, what people wrote. Looked for in everything that is left.
//!
//! The house runs as processes at the most talkative level, so that its logs are those an operator would have at the worst time.

use std::path::Path;

use anyhow::Result;
use http::StatusCode;
use integration_tests::{
    admin::Anything,
    collector::Collector,
    door::{Ask, Caller, Door},
    household::Household,
    sandbox::{Geo, QUICKSTART, read_records},
    scripted::{Canned, OpenAiLike, Piece},
    wait::until,
};
use serde_json::json;

use crate::policy;

const VENDOR: &str = "sk-canary-of-the-vendor-7f3a";
const PROMPT: &str = "canary-prompt-5b1e";
const ANSWER: &str = "canary-answer-9c4d";
const PERSON: &str = "canary.person@example.com";

/// Every file below a directory that holds one of these texts, with which. Keys and seals are what they are kept in.
pub(crate) fn holders(dir: &Path, canaries: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holders(&path, canaries));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        for canary in canaries {
            if bytes.windows(canary.len()).any(|window| window == canary.as_bytes()) {
                found.push(format!("{} holds {canary}", path.display()));
            }
        }
    }
    found
}

async fn everything_goes_wrong(house: &Household, vendor: &OpenAiLike, key: &str) -> Result<usize> {
    let mut asked = 0;
    for door in Door::BOTH {
        let caller = Caller::at(door, house.inference_url(Geo::Eu)?, key);
        for stream in [false, true] {
            let ask = Ask::chat("sim-story", &format!("{PROMPT} {PERSON}")).streaming(stream);
            caller.ask(&ask).await?.unwrap();
            for status in [400, 401, 429, 500] {
                let echo = json!({"error": {"message": format!("{VENDOR} {PROMPT} {ANSWER}"), "type": "x"}});
                vendor.answer_next(Canned::json(StatusCode::from_u16(status)?, echo.to_string())).await;
                let refused = caller.ask(&ask).await?.unwrap_err();
                assert!(!format!("{refused:?}").contains(VENDOR), "{refused:?}");
            }
            let pieces = vec![Piece::Bytes(format!("data: {ANSWER} {VENDOR}\n\n").into()), Piece::Break];
            vendor.answer_next(Canned::events(pieces)).await;
            caller.ask(&ask).await?.unwrap_err();
            caller
                .ask(&Ask::chat("sim-story", &format!("{PROMPT} project-x")).streaming(stream))
                .await?
                .unwrap_err();
            asked += 7;
        }
        let wrong = format!("{key}x");
        let stranger = Caller::at(door, house.inference_url(Geo::Eu)?, wrong);
        stranger.ask(&Ask::chat(PROMPT, PROMPT)).await?.unwrap_err();
        asked += 1;
    }
    Ok(asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cases_77_and_82_no_secret_and_no_word_of_a_prompt_is_left_anywhere() {
    let (vendor, collector) = (OpenAiLike::start().await.unwrap(), Collector::start().await.unwrap());
    let more =
        format!("[telemetry]\notlp_endpoint = \"{}\"\n[upstream]\nallow_loopback = true\n", collector.url());
    let mut house = Household::at_level("trace", QUICKSTART, &more).await.unwrap();
    let credential = format!("adapter: openai, credential: {{value: {VENDOR}}}");
    let story = policy::one_vendor(&vendor.base_url())
        .replace("route: {", "route: {retryPercent: 0, ")
        .replace("adapter: openai", &credential);
    let revision = house.apply(&story).await.unwrap();
    house.enforces(Geo::Eu, revision).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();

    let asked = everything_goes_wrong(&house, &vendor, &key).await.unwrap();
    assert_eq!(
        vendor.request().await.unwrap().headers["authorization"],
        format!("Bearer {VENDOR}"),
        "the canary was used"
    );
    let outbox = house.state_dir(Geo::Eu).join("outbox");
    until("all records", async || read_records(&outbox).ok().filter(|records| records.len() == asked))
        .await
        .unwrap();

    let secret = key.rsplit('_').next().unwrap().to_owned();
    let canaries = [VENDOR, PROMPT, ANSWER, PERSON, secret.as_str()];
    let mut told = Vec::new();
    for _ in 0..asked {
        told.push(collector.span().await.unwrap().everything());
    }
    for url in [house.ops_url(Geo::Eu).unwrap(), house.ops_url(Geo::Us).unwrap()] {
        told.push(
            integration_tests::door::get(&format!("{url}/metrics")).await.unwrap().text().await.unwrap(),
        );
    }
    told.extend(exported(&house).await.unwrap());
    for text in &told {
        for canary in canaries {
            assert!(!text.contains(canary), "{canary} is told: {text:.2000}");
        }
    }
    let log = house.plane(Geo::Eu).unwrap().log().unwrap();
    assert!(log.len() > 1000, "a log at this level says something");
    let found = holders(house.home(), &canaries);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What the control plane gives away to somebody who may see everything.
async fn exported(house: &Household) -> Result<Vec<String>> {
    let token = std::fs::read_to_string(house.home().join("control/control-plane/admin.token"))?;
    let caller = Anything::at(&house.admin_url(), Some(token.trim())).await?;
    let mut told = Vec::new();
    for (rpc, message) in [
        ("PolicyService/Export", json!({})),
        ("ProvidersService/GetProvider", json!({"name": "providers/story"})),
        ("KeysService/ListKeys", json!({"parent": "tenants/acme"})),
        ("AuditService/ListAuditEvents", json!({})),
        ("RevisionsService/ListRevisions", json!({})),
        ("HistoryService/DiffRevisions", json!({"from": "1"})),
        ("HistoryService/Blame", json!({"resource": "providers/story"})),
        ("NodesService/ListNodes", json!({})),
    ] {
        let answer = caller.call(&format!("chancery.admin.v1.{rpc}"), message).await?;
        told.push(answer.map_err(|refusal| anyhow::anyhow!("{rpc}: {refusal:?}"))?.to_string());
    }
    Ok(told)
}

#[test]
fn a_canary_that_is_there_is_found() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("a")).unwrap();
    std::fs::write(dir.path().join("a/b"), [&[0xff, 0x00][..], VENDOR.as_bytes()].concat()).unwrap();
    assert_eq!(holders(dir.path(), &[PROMPT, VENDOR]).len(), 1);
}
