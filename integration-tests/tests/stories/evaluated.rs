//! What was decided once is decided so for good: a corpus of decisions, as nodes wrote them down, and of the policy they held, kept for
//! each version of the engine that ever decided.
//!
//! Law: a build that decides one of them otherwise may not be told from one that tampers, so it does not pass. `corpus/VERSION.jsonl` is
//! written once, by `CHANCERY_CORPUS=FILE`, from what real nodes and a real control plane say, and is never changed afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::try_join_all;
use integration_tests::{
    door::{Ask, Caller, Door},
    household::{Household, Lines},
    sandbox::{Geo, QUICKSTART},
};
use policy_engine::compile;
use policy_engine::facts::Facts;
use policy_engine::replay::replay;
use policy_engine::snapshot::{CompiledSnapshot, Header};
use proto::admin::history_service_client::HistoryServiceClient;
use proto::admin::{ReadScopeRequest, ScopeResource};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::policy;

/// Who asks.
const CALLERS: [(&str, &str); 3] =
    [("ada@example.org", "research"), ("grace@example.org", "support"), ("build-bot", "engineering")];

/// What is asked for.
const MODELS: [&str; 7] = [
    "default-chat",
    "sim-mistral-large",
    "sim-claude-sonnet",
    "sim-claude-haiku",
    "sim-llama-3.2-vision",
    "sim-embed-small",
    "sim-nowhere",
];

/// A line of a corpus.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// What nodes of a geo held from then on, as far as it differs from the line before of that geo.
    World(World),
    /// A record of one of them, as it was written down.
    Record(Box<RawValue>),
}

#[derive(Debug, Serialize, Deserialize)]
struct World {
    geo: String,
    revision: i64,
    digest: String,
    /// Kinds, names and bodies.
    resources: Vec<(String, String, String)>,
    removed: Vec<(String, String)>,
}

/// What a request says beside its model, one after the other.
fn asks(model: &str) -> Vec<Ask> {
    let ask = |text: &str| Ask::chat(model, text);
    vec![
        ask("hello"),
        ask("hello").streaming(true),
        ask("hello").with("x-purpose", "gossip"),
        ask("hello").with("x-purpose", "social-scoring"),
        ask("write to ada@example.org or +49 30 901820").with("x-purpose", "support"),
        ask("what of project-x?"),
        ask("hello").with("x-subject-residency", "DE"),
        ask("4111 1111 1111 1111").with("x-subject-residency", "US-CA"),
        ask("hello").with("x-data-class", "health"),
        ask("hello").having("web_search_options", serde_json::json!({})),
        ask("hello").having("unheard_of", serde_json::json!(true)),
        Ask::embed(model, &["write to ada@example.org"]),
    ]
}

/// One policy after the other: rules of every effect and layer, what they may ask, and what is taken back again.
fn policies() -> Vec<String> {
    let of = |layer: &str, text: String| text.replace("layer: organisation", &format!("layer: {layer}"));
    let rule = policy::rule;
    vec![
        rule("no-gossip", "forbid", "purpose == 'gossip' || purpose == 'rumour'", ""),
        rule("health", "forbid", "'health' in data.classes && !('US' in subject.jurisdictions)", "")
            .replace("mode: enforce", "mode: shadow"),
        rule("health", "forbid", "'health' in data.classes && !('US' in subject.jurisdictions)", ""),
        of(
            "regulation",
            rule(
                "blocked",
                "require",
                "caller.country == 'US'",
                ", obligations: [{block: [PHONE]}, {residency: [US]}]",
            ),
        ),
        rule("searches", "permit", "'web_search' in egressTools && caller.kind == 'user'", ""),
        rule("no-us", "forbid", "'US' in endpoint.processingRegions && caller.country == 'DE'", ""),
        rule("bots", "forbid", "caller.kind == 'service' && (stream || operation == 'embed')", ""),
        rule("found", "forbid", "'EMAIL' in data.classes && 'support' in caller.teams", ""),
        rule("roles", "forbid", "'small-models-only' in caller.roles && model.riskClass == 'limited'", ""),
        rule("over", "forbid", "node.geo in ['eu', 'us']", ", validTo: 2026-01-01"),
        rule("no-gossip", "forbid", "node.geo == 'eu' && purpose == 'gossip'", ""),
        rule(
            "said",
            "require",
            "model.riskClass != 'high'",
            ", obligations: [{notice: 'a model answers'}, {noCache: true}]",
        ),
    ]
}

/// Reads a corpus and decides it again; fails with the first that is decided otherwise. Gives what was decided, as words, and how often.
fn decided_again(text: &str) -> Result<BTreeMap<String, usize>> {
    let mut held: BTreeMap<String, BTreeMap<(String, String), Vec<u8>>> = BTreeMap::new();
    let mut worlds: BTreeMap<String, CompiledSnapshot> = BTreeMap::new();
    let mut outcomes = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let record = match serde_json::from_str(line).with_context(|| format!("line {}", at + 1))? {
            Line::World(world) => {
                let resources = held.entry(world.geo.clone()).or_default();
                let snapshot = hold(resources, &world).with_context(|| format!("line {}", at + 1))?;
                worlds.insert(world.geo, snapshot);
                continue;
            }
            Line::Record(record) => proto::segment::decided(record.get().as_bytes())?,
        };
        let record = record.with_context(|| format!("line {}: nothing was decided in it", at + 1))?;
        let snapshot = worlds.get(&record.geo).context("a record before what was held")?;
        let now = replay(&record.recorded, snapshot).context("nobody of that name")?;
        ensure!(now == record.judged, "line {}: {:?} is now {now:?}", at + 1, record.judged);
        let outcome = if now.allowed { "allow".to_owned() } else { now.reasons.join(" ") };
        *outcomes.entry(outcome).or_default() += 1;
    }
    Ok(outcomes)
}

/// Changes what is held, and compiles it.
fn hold(resources: &mut BTreeMap<(String, String), Vec<u8>>, world: &World) -> Result<CompiledSnapshot> {
    for (kind, name, body) in &world.resources {
        resources.insert((kind.clone(), name.clone()), BASE64_STANDARD.decode(body)?);
    }
    for removed in &world.removed {
        resources.remove(removed).context("what was not there was removed")?;
    }
    let mut facts = Facts::default();
    for ((kind, name), body) in resources {
        proto::convert::insert(&mut facts, kind, name, body).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    }
    let header = Header { revision: world.revision.unsigned_abs(), geo: Some(world.geo.parse()?) };
    compile(&facts, header).map_err(|faults| anyhow::anyhow!("{faults:?}"))
}

/// What nodes of a geo hold now, as far as it differs from a world of that geo.
async fn world(house: &Household, geo: Geo, before: Option<&World>) -> Result<World> {
    let mut history = HistoryServiceClient::new(house.channel().await?);
    let mut asked = ReadScopeRequest { geo: geo.name().to_owned(), page_size: 1_000, ..Default::default() };
    if let Some(before) = before {
        (asked.since, asked.since_digest) = (before.revision.to_string(), before.digest.clone());
    }
    let told = history.read_scope(house.authorised(asked)?).await?.into_inner();
    ensure!(told.next_page_token.is_empty() && told.faults.is_empty(), "{told:?}");
    let revision = told.revision.and_then(|point| point.name.rsplit('/').next()?.parse().ok());
    let spelled = |ScopeResource { kind, name, body }| (kind, name, BASE64_STANDARD.encode(body));
    Ok(World {
        geo: geo.name().to_owned(),
        revision: revision.context("a revision")?,
        digest: told.digest,
        resources: told.resources.into_iter().map(spelled).collect(),
        removed: told.removed.into_iter().map(|it| (it.kind, it.name)).collect(),
    })
}

/// Records as they are written, by geo and revision.
type Records = BTreeMap<(String, i64), Vec<Box<RawValue>>>;

/// The records of a house's outboxes, those that say the same only once.
fn records(house: &Household) -> Result<Records> {
    let (mut records, mut said) = (BTreeMap::<_, Vec<_>>::new(), BTreeSet::new());
    for geo in Geo::ALL {
        for file in std::fs::read_dir(house.state_dir(geo).join("outbox"))? {
            let path = file?.path();
            if path.extension().is_none_or(|ending| ending != "jsonl") {
                continue;
            }
            for line in std::fs::read_to_string(path)?.lines() {
                let Some(decided) = proto::segment::decided(line.as_bytes())? else { continue };
                // What was decided alike by one policy is there once.
                let same = format!("{} {:?}", decided.revision, decided.judged);
                if said.insert(same) {
                    let record = RawValue::from_string(line.to_owned())?;
                    records.entry((decided.geo, decided.revision)).or_default().push(record);
                }
            }
        }
    }
    Ok(records)
}

/// Asks everything by every policy, or where no corpus is made by some, and writes down what was decided by what.
async fn gathered() -> Result<String> {
    let more = Lines { planes: "[decisions]\nsegment_seconds = 3600\n", ..Lines::default() };
    let mut house = Household::of("warn", QUICKSTART, more).await?;
    let mut keys = Vec::new();
    for (principal, team) in CALLERS {
        keys.push(house.key(principal, team).await?);
    }
    let mut worlds: Vec<World> = Vec::new();
    let policies = policies();
    let some = if std::env::var_os("CHANCERY_CORPUS").is_some() { policies.len() } else { 2 };
    for policy in policies.into_iter().take(some) {
        let revision = house.apply(&policy).await?;
        for geo in Geo::ALL {
            house.enforces(geo, revision).await?;
            let before = worlds.iter().rev().find(|world| world.geo == geo.name());
            worlds.push(world(&house, geo, before).await?);
            for (at, (key, model)) in keys.iter().flat_map(|key| MODELS.map(|model| (key, model))).enumerate()
            {
                let caller = Caller::at(Door::BOTH[at % 2], house.inference_url(geo)?, key);
                let asks = asks(model);
                // Refusals are answers as well.
                let _answers = try_join_all(asks.iter().map(|ask| caller.ask(ask))).await?;
            }
        }
    }
    for geo in Geo::ALL {
        house.plane(geo)?.terminate()?;
        house.plane(geo)?.ended().await?;
    }
    let (mut records, mut text) = (records(&house)?, String::new());
    for world in worlds {
        let of_world = records.remove(&(world.geo.clone(), world.revision)).unwrap_or_default();
        for line in std::iter::once(Line::World(world)).chain(of_world.into_iter().map(Line::Record)) {
            writeln!(text, "{}", serde_json::to_string(&line)?)?;
        }
    }
    ensure!(records.is_empty(), "records of what is not told");
    Ok(text)
}

/// What every corpus has decisions of.
const TOLD: [&str; 8] = [
    "allow",
    "rule_forbids",
    "model_not_found",
    "not_entitled",
    "operation_unsupported",
    "residency_unsatisfied",
    "content_blocked",
    "licence_territory",
];

/// That a corpus is of what policy may say: allowed, and refused for these reasons.
fn is_telling(outcomes: &BTreeMap<String, usize>) -> Result<()> {
    for outcome in TOLD {
        ensure!(outcomes.keys().any(|told| told.contains(outcome)), "none is `{outcome}`: {outcomes:?}");
    }
    ensure!(outcomes.values().sum::<usize>() > 100, "{outcomes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gathered_now_is_decided_again() {
    let text = gathered().await.unwrap();
    let outcomes = decided_again(&text).unwrap();
    println!("{} bytes, {outcomes:?}", text.len());
    assert!(outcomes.len() > 4 && outcomes.contains_key("allow"), "{outcomes:?}");
    if let Some(path) = std::env::var_os("CHANCERY_CORPUS") {
        is_telling(&outcomes).unwrap();
        std::fs::write(path, &text).unwrap();
    }
    // And what is decided otherwise is found.
    let at = text.rfind(r#""effect":"deny""#).unwrap();
    let other = [&text[..at], r#""effect":"allow""#, &text[at + r#""effect":"deny""#.len()..]].concat();
    assert!(decided_again(&other).is_err());
}

#[test]
fn every_version_of_the_engine_decided_as_this_one_does() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut versions = BTreeSet::new();
    for file in std::fs::read_dir(corpora).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let outcomes = decided_again(&text).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        is_telling(&outcomes).unwrap();
        versions.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        let record = text.lines().rfind(|line| line.starts_with(r#"{"record""#)).unwrap();
        let one: Value = serde_json::from_str(record).unwrap();
        assert_eq!(one["record"]["evaluator"], versions.last().unwrap().as_str(), "{}", path.display());
    }
    assert!(versions.contains(policy_engine::VERSION), "a version that decides has its corpus: {versions:?}");
}
