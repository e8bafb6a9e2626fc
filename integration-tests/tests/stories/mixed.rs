//! Revisions that alternate under load: whatever a request meets is of one of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use futures_util::future::{join, try_join_all};
use integration_tests::{
    door::{Ask, Door},
    sandbox::Geo,
    scene::Scene,
    scripted::{Nobody, OpenAiLike},
};

use crate::policy;

/// The quickstart's limits, so high that none is met.
const UNLIMITED: &str = "
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

/// Requests of one telling, and how many at a time; 100,000 and 64 with `CHANCERY_LONG`.
fn load() -> (usize, usize) {
    if std::env::var_os("CHANCERY_LONG").is_some() { (100_000, 64) } else { (800, 8) }
}

/// A policy in which everything that a request meets carries the mark: its rule, its route, the fallback, and its price.
fn marked(mark: u64, (dead, alive): (&str, &str)) -> String {
    let notice =
        policy::rule("mark", "require", "true", &format!(", obligations: [{{notice: \"mark {mark}\"}}]"));
    let (first, second) = (format!("first-{mark}"), format!("second-{mark}"));
    let model = policy::model("sim-story", &[&first, &second]);
    let price = format!("perMillion: {{input: \"{mark}\", output: \"{mark}\"}}");
    let model = model.replace("perMillion: {input: \"1\", output: \"2\"}", &price);
    [policy::vendor(&first, dead, "EU"), policy::vendor(&second, alive, "EU"), model, notice].concat()
}

/// Asks, and gives the revision that answered, and the marks that the answer itself carries.
async fn asked(scene: &Scene, number: usize) -> Result<(i64, String, String)> {
    let ask = Ask::chat("sim-story", "hello").streaming(number.is_multiple_of(2));
    let told = scene.answered(&ask).await?;
    let revision = told.header("x-chancery-revision").parse()?;
    let endpoint = told.header("x-chancery-endpoint").to_owned();
    Ok((revision, endpoint, told.header("x-chancery-notice").to_owned()))
}

async fn no_request_mixes_two_revisions(door: Door) -> Result<Scene> {
    let (dead, alive) = (Nobody::hold()?, OpenAiLike::start().await?);
    let (dead, alive) = (dead.base_url()?, alive.base_url());
    let scene = Scene::quickstart(door).await?;
    let marks = RefCell::new(BTreeMap::new());
    let publish = async |mark: u64| -> Result<()> {
        let revision = scene.house.apply(&marked(mark, (&dead, &alive))).await?;
        marks.borrow_mut().insert(revision, mark);
        Ok(())
    };
    scene.house.apply(UNLIMITED).await?;
    publish(1).await?;
    let (requests, at_once) = load();
    let (next, done) = (Cell::new(0), Cell::new(false));
    let told = RefCell::new(Vec::with_capacity(requests));
    let ask = async || -> Result<()> {
        while next.get() < requests {
            next.set(next.get() + 1);
            let answer = asked(&scene, next.get()).await?;
            told.borrow_mut().push(answer);
        }
        Ok(())
    };
    let asking = async {
        let all = try_join_all((0..at_once).map(|_| ask())).await;
        done.set(true);
        all
    };
    let publishing = async {
        let mut mark = 1;
        while !done.get() {
            mark = 3 - mark;
            publish(mark).await?;
        }
        anyhow::Ok(())
    };
    let (all, published) = join(asking, publishing).await;
    all?;
    published?;

    let marks = marks.into_inner();
    for (revision, endpoint, notice) in told.borrow().iter() {
        let mark = marks.get(revision).context("a revision nobody published")?;
        assert!(
            endpoint.ends_with(&format!("second-{mark}")),
            "{endpoint} by revision {revision} of mark {mark}"
        );
        assert_eq!(notice, &format!("mark {mark}"), "by revision {revision}");
    }
    let records = scene.house.records(Geo::Eu).await?;
    for record in &records {
        let revision = record["revision"].as_i64().context("no revision")?;
        let mark = marks.get(&revision).context("a revision nobody published")?;
        let tried = record["attempts"].as_array().context("no attempts")?;
        let end = format!("-{mark}");
        assert!(tried.iter().all(|a| a["endpoint"].as_str().is_some_and(|e| e.ends_with(&end))), "{record}");
        let usage = |side: &str| record["usage"][side].as_u64().unwrap_or_default();
        let cost = (usage("input") + usage("output")) * mark * 1_000;
        assert_eq!(record["costNanos"].as_u64(), Some(cost), "{record}");
    }
    let seen: std::collections::BTreeSet<i64> =
        told.borrow().iter().map(|(revision, ..)| *revision).collect();
    assert!(seen.len() > 2, "they alternated: {seen:?}");
    println!("{} requests, {} revisions, {} of which answered", records.len(), marks.len(), seen.len());
    // Which revision answered what is a race; another house tells the comparable part.
    drop(scene);
    let scene = Scene::quickstart(door).await?;
    scene.answered(&Ask::chat("sim-mistral-large", "hello")).await?;
    Ok(scene)
}

stories! {
    no_request_mixes_two_revisions,
}
