//! One changed line in a large policy, through the real publisher and a real node, and that node's restarts.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use control_plane::issue;
use control_plane::publish::Act;
use data_plane::config as data;
use data_plane::serve::DataPlane;
use policy_engine::vocabulary::Id;
use proto::admin::SourceFile;

use super::options::Options;
use super::report::{self, Spread};
use crate::subject::gateway::house::House;
use crate::subject::policy::Policy;

/// How long the node took over the newest policy, in seconds.
const APPLIED: &str = "chancery_policy_apply_seconds";

/// What is changed.
#[derive(Debug, Clone, Copy)]
enum Line {
    Rule,
    NewRule,
    NewModel,
    Price,
    Principal,
    Grant,
    NewKey,
    RevokedKey,
}

impl Line {
    const ALL: [(Self, &str); 8] = [
        (Self::Rule, "a rule's condition"),
        (Self::NewRule, "a new rule"),
        (Self::NewModel, "a new model and its endpoint"),
        (Self::Price, "a price"),
        (Self::Principal, "a principal's residency"),
        (Self::Grant, "a grant"),
        (Self::NewKey, "a new key"),
        (Self::RevokedKey, "a revoked key"),
    ];

    /// What carries a mark; `None` for keys, which no file makes.
    fn document(self, mark: usize) -> Option<String> {
        let document = |kind: &str, metadata: &str, spec: &str| {
            format!("apiVersion: chancery/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n")
        };
        match self {
            Self::Rule => {
                let when = format!("\"model.name == 'large-0001' && purpose == 'mark{mark}'\"");
                let spec = format!("layer: organisation, effect: forbid, when: {when}");
                Some(document("Rule", "name: about-1", &spec))
            }
            Self::NewRule => {
                let spec =
                    "layer: organisation, effect: forbid, when: \"model.name == 'large-0001' && stream\"";
                Some(document("Rule", &format!("name: new-{mark}"), spec))
            }
            Self::NewModel => {
                let (metadata, regions) = (format!("name: new-{mark}"), "processingRegions: [EU]");
                let spec = format!("provider: bench-mock, upstreamModel: m, {regions}, storageRegions: [EU]");
                let endpoint = document("Endpoint", &metadata, &spec);
                let route =
                    format!("route: {{policy: weighted, groups: [[{{endpoint: new-{mark}, weight: 1}}]]}}");
                let model = document("Model", &metadata, &format!("card: {{operations: [chat]}}, {route}"));
                Some(format!("{endpoint}---\n{model}"))
            }
            Self::Price => {
                let each = format!("perMillion: {{input: \"2.{}\", output: \"10.00\"}}", 10 + mark % 80);
                let spec = format!("model: large-0001, validFrom: 2026-01-01, currency: USD, {each}");
                Some(document("Price", "name: large-0001", &spec))
            }
            Self::Principal => {
                let residency = if mark.is_multiple_of(2) { "DE" } else { "FR" };
                let spec = format!("type: service, teams: [team-01], residency: {residency}");
                Some(document("Principal", "name: service-0001, tenant: bench", &spec))
            }
            Self::Grant => {
                let metadata = format!("name: mark-{mark}, tenant: bench");
                Some(document("Grant", &metadata, "role: bench-user, team: team-02, to: {team: team-02}"))
            }
            Self::NewKey | Self::RevokedKey => None,
        }
    }
}

/// What one change took.
struct Took {
    published: Duration,
    enforced: Duration,
    applied: Duration,
}

/// The large policy, its house and its node.
struct Scene {
    house: House,
    plane: DataPlane,
    policy: Policy,
    keys: Vec<Id>,
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let Options { keys, models, rules, .. } = *options;
    let policy = Policy::Large { keys, models, rules };
    let house = House::start(home.path()).await?;
    house.apply(&policy.files("http://127.0.0.1:18080/v1")).await?;
    let secrets = house.create_keys(&policy).await?;
    let named = secrets.iter().filter_map(|secret| key_of(secret)).collect();
    report::figure("policy", &policy.size(), "")?;

    let config = house.node("eu-1", &home.path().join("node"))?;
    let began = Instant::now();
    let plane = DataPlane::start(config.clone(), None).await?;
    plane.enforces(i64::try_from(house.revision())?).await?;
    report::figure("a new node enforces it after", &format!("{:.1?}", began.elapsed()), "")?;

    let mut scene = Scene { house, plane, policy, keys: named };
    for (line, what) in Line::ALL {
        let mut took = Vec::with_capacity(options.rounds);
        for mark in 0..options.rounds {
            took.push(scene.change(line, mark).await?);
        }
        let of = |time: fn(&Took) -> Duration| Spread::of(took.iter().map(time).collect());
        report::spread(&format!("{what}: published"), of(|took| took.published), "50 ms")?;
        report::spread(&format!("{what}: applied"), of(|took| took.applied), "20 ms")?;
        report::spread(&format!("{what}: from the call until enforced"), of(|took| took.enforced), "")?;
    }
    restart(scene, config, options.rounds.min(5)).await
}

impl Scene {
    async fn change(&mut self, line: Line, mark: usize) -> anyhow::Result<Took> {
        let publisher = self.house.control().publisher().clone();
        let act = Act::of_system("bench");
        let began = Instant::now();
        match line {
            Line::NewKey => {
                let holder = self.policy.holders().next().context("nobody")?;
                self.house.issue(&[holder]).await?;
            }
            Line::RevokedKey => {
                let key = self.keys.pop().context("no more keys")?;
                issue::revoke(&publisher, act, &key).await?.context("no such key")?;
            }
            _ => {
                let text = line.document(mark).unwrap_or_default();
                self.house.apply(&[SourceFile { path: "line.yaml".to_owned(), text }]).await?;
            }
        }
        let published = began.elapsed();
        self.plane.enforces(i64::try_from(self.house.revision())?).await?;
        let enforced = began.elapsed();
        Ok(Took { published, enforced, applied: applied(&self.plane).await? })
    }
}

/// Starts the node again and again from its disk, without a control plane.
async fn restart(scene: Scene, config: data::Config, rounds: usize) -> anyhow::Result<()> {
    let Scene { house, plane, .. } = scene;
    let revision = i64::try_from(house.revision())?;
    plane.shutdown().await;
    house.shutdown().await;
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        let plane = DataPlane::start(config.clone(), None).await?;
        plane.enforces(revision).await?;
        let url = format!("http://{}/readyz", plane.ops_address());
        while !reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        took.push(began.elapsed());
        plane.shutdown().await;
    }
    report::spread("started from disk, no control plane: ready", Spread::of(took), "2 s")?;
    Ok(())
}

/// How long the node took over what it enforces.
async fn applied(plane: &DataPlane) -> anyhow::Result<Duration> {
    let text = reqwest::get(format!("http://{}/metrics", plane.ops_address())).await?.text().await?;
    let value = text.lines().find_map(|line| line.strip_prefix(APPLIED)?.strip_prefix(' '));
    let seconds: f64 = value.context("the node does not tell how long it took")?.parse()?;
    Ok(Duration::try_from_secs_f64(seconds)?)
}

/// The key that a secret is of.
fn key_of(secret: &str) -> Option<Id> {
    let (name, _) = control_plane::govern::keys::presented(secret)?;
    Some(Id { tenant: Some("bench".parse().ok()?), name })
}
