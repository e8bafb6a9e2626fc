//! A revoked key on many real nodes: when each answered it last, and when what it had open was cut.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use control_plane::issue;
use control_plane::publish::Act;
use data_plane::quota::Ledger;
use data_plane::serve::DataPlane;
use integration_tests::door::{Ask, Caller, Door, Going, Step};
use policy_engine::vocabulary::Id;
use tokio::task::JoinSet;

use super::options::Options;
use super::report::{self, Spread};
use crate::subject::gateway::house::House;
use crate::subject::policy::{Holder, Policy};

/// A simulated model of the quickstart.
const MODEL: &str = "sim-mistral-large";

/// Between two requests to one node.
const PAUSE: Duration = Duration::from_millis(20);

/// The word for what a revoked key is refused with.
const REVOKED: &str = "key_revoked";

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let house = House::start(home.path()).await?;
    house.apply(&Policy::Quickstart.files("http://127.0.0.1:18080/v1")).await?;
    let ledger = Ledger::memory();
    let mut planes = Vec::with_capacity(options.nodes);
    for number in 0..options.nodes {
        let name = format!("eu-{number}");
        let config = house.node(&name, &home.path().join(&name))?;
        planes.push(DataPlane::start(config, Some(ledger.clone())).await?);
    }
    report::figure("real nodes in one process, with counters they share", &planes.len().to_string(), "")?;
    let (mut last, mut cut) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let took = revoke(&house, &planes).await.with_context(|| format!("round {round}"))?;
        last.extend(took.last);
        cut.extend(took.cut);
    }
    report::spread("from the call to the last success, each node", Spread::of(last), "p99 250 ms, max 1 s")?;
    report::spread("from the call to the cut of an open stream, each node", Spread::of(cut), "max 1 s")?;
    for plane in planes {
        plane.shutdown().await;
    }
    house.shutdown().await;
    Ok(())
}

/// What one revocation took, on each node.
struct Took {
    last: Vec<Duration>,
    cut: Vec<Duration>,
}

/// Makes a key, uses it everywhere, and revokes it.
async fn revoke(house: &House, planes: &[DataPlane]) -> anyhow::Result<Took> {
    let holder =
        Holder { tenant: "acme", principal: "ada@example.org".to_owned(), team: "research".to_owned() };
    let issued = house.issue(&[holder]).await?.pop().context("a key")?;
    let (name, _) = control_plane::govern::keys::presented(&issued.secret).context("the key's id")?;
    for plane in planes {
        plane.enforces(i64::try_from(house.revision())?).await?;
    }
    let (mut asking, mut open) = (JoinSet::new(), JoinSet::new());
    let begun = Arc::new(tokio::sync::Barrier::new(planes.len() + 1));
    for (at, plane) in (0_u32..).zip(planes) {
        let url = format!("http://{}", plane.inference_address());
        let caller = Caller::at(Door::Rest, url, issued.secret.as_str());
        open.spawn(end(stream(&caller).await?));
        let asker = Asker { caller, begun: begun.clone(), phase: PAUSE * at / u32::try_from(planes.len())? };
        asking.spawn(asker.last_success());
    }
    begun.wait().await;
    // Each asks by then, at a moment of its own: the call falls between requests, not beside the start of all.
    tokio::time::sleep(2 * PAUSE).await;
    let id = Id { tenant: Some("acme".parse()?), name };
    let called = Instant::now();
    issue::revoke(house.control().publisher(), Act::of_system("bench"), &id).await?.context("the key")?;
    let since = |at: Instant| at.saturating_duration_since(called);
    let last: anyhow::Result<Vec<Instant>> = asking.join_all().await.into_iter().collect();
    let cut: anyhow::Result<Vec<Instant>> = open.join_all().await.into_iter().collect();
    Ok(Took { last: last?.into_iter().map(since).collect(), cut: cut?.into_iter().map(since).collect() })
}

/// Who asks one node again and again.
struct Asker {
    caller: Caller,
    /// Met when it has worked once.
    begun: Arc<tokio::sync::Barrier>,
    /// What it waits then, so that no two ask in step.
    phase: Duration,
}

impl Asker {
    /// When the last answer came that was none of a revoked key; to within [`PAUSE`].
    async fn last_success(self) -> anyhow::Result<Instant> {
        let ask = Ask::chat(MODEL, "hello").at_most(4);
        let mut last = None;
        loop {
            match self.caller.ask(&ask).await? {
                Ok(_) => {
                    if last.replace(Instant::now()).is_none() {
                        self.begun.wait().await;
                        tokio::time::sleep(self.phase).await;
                    }
                }
                Err(refused) if refused.code == REVOKED => return last.context("it never worked"),
                Err(refused) => bail!("{refused:?}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// A stream of which something was heard, and which then says nothing.
async fn stream(caller: &Caller) -> anyhow::Result<Going> {
    let words = "[[sim:say=one two three four five six seven eight]]";
    let ask = Ask::chat(MODEL, &format!("{words}[[sim:chunk=4]][[sim:hang=8]]")).streaming(true).at_most(16);
    let mut going = match caller.open(&ask).await? {
        Ok(going) => going,
        Err(refused) => bail!("{refused:?}"),
    };
    while let Ok(Some(step)) = going.next().await? {
        if matches!(step, Step::Text(..)) {
            return Ok(going);
        }
    }
    bail!("a stream without a word")
}

/// When a stream was cut.
async fn end(mut going: Going) -> anyhow::Result<Instant> {
    loop {
        match going.next().await? {
            Ok(Some(_)) => {}
            Ok(None) => bail!("it ended well"),
            Err(refused) if refused.code == REVOKED => return Ok(Instant::now()),
            Err(refused) => bail!("{refused:?}"),
        }
    }
}
