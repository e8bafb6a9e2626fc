//! A control plane that is killed while it publishes: what it was told to do is done whole, or not at all.

use std::{collections::BTreeSet, time::Instant};

use anyhow::{Context as _, Result};
use integration_tests::{
    household::Household,
    sandbox::{Geo, QUICKSTART},
    wait::until,
};

use crate::policy;
use crate::proved::{Proved, proved};

/// How often it is killed: 50 times, and 1,000 with `CHANCERY_LONG`.
fn rounds() -> u32 {
    if std::env::var_os("CHANCERY_LONG").is_some() { 1_000 } else { 50 }
}

/// Resources that one act changes.
const TEAMS: usize = 40;

/// Every team, carrying the number of the round, and a rule of that round, so that nodes have something to be sent.
fn change(round: u32) -> String {
    let team = |n: usize| {
        format!(
            "apiVersion: chancery/v1\nkind: Team\nmetadata: {{name: t{n}, tenant: acme, labels: {{round: r{round}}}}}\n\
             spec: {{}}\n---\n"
        )
    };
    let rule = policy::rule("round", "forbid", &format!("purpose == 'r{round}'"), "");
    (0..TEAMS).map(team).chain([rule]).collect()
}

/// The round that every team carries, and the head of history.
async fn state(house: &Household) -> Result<(String, i64)> {
    let page = house.read("tenants/acme/teams?pageSize=1000").await?;
    let teams = page["teams"].as_array().context("no teams")?;
    let rounds: Vec<&str> = teams.iter().filter_map(|team| team["labels"]["round"].as_str()).collect();
    assert_eq!(rounds.len(), TEAMS);
    let distinct: BTreeSet<&str> = rounds.into_iter().collect();
    assert_eq!(distinct.len(), 1, "half a change: {distinct:?}");
    let round = distinct.first().context("no round")?.to_string();
    let page = house.read("revisions?pageSize=1").await?;
    let head = page["revisions"][0]["revision"].as_i64().context("no revision")?;
    let page = house.read("auditEvents?pageSize=1").await?;
    let logged = page["auditEvents"][0]["revision"].as_i64().context("no event")?;
    assert_eq!(head, logged, "what was published last is what was logged last");
    Ok((round, head))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_102_killed_at_any_moment_of_publishing_it_leaves_no_half_change() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let begun = Instant::now();
    let mut head = house.apply(&change(0)).await.unwrap();
    let whole = begun.elapsed();
    assert_eq!(state(&house).await.unwrap(), ("r0".to_owned(), head));
    let (mut round, mut kept, mut lost) = ("r0".to_owned(), 0, 0);
    let (rounds, store) = (rounds(), house.home().join("control/control-plane"));
    let mut found = Proved::default();
    for n in 1..=rounds {
        let text = change(n);
        // The moments lie evenly over one and a half times what it takes when nobody is killed.
        let moment = whole.mul_f64(f64::from(n) / f64::from(rounds) * 1.5);
        let promised = tokio::select! {
            told = house.apply(&text) => told.ok(),
            () = tokio::time::sleep(moment) => None,
        };
        house.control.kill().unwrap();
        found = proved(&store).await.unwrap();
        house.control.start_again().unwrap();
        let (found, at) =
            until("a control plane that answers", async || state(&house).await.ok()).await.unwrap();
        let now = format!("r{n}");
        assert!(found == now || found == round, "{found} after {round}, when {now} was asked for");
        assert_eq!(at, head + i64::from(found == now), "history has the change, and nothing else");
        if let Some(promised) = promised {
            assert_eq!((promised, &found), (at, &now), "what was promised was lost");
        }
        if found == now {
            kept += 1
        } else {
            lost += 1
        }
        (round, head) = (found, at);
    }
    // It has to have been killed on both sides of the moment that decides.
    assert!(kept > 0 && lost > 0, "{kept} done, {lost} not: {whole:?}");
    println!("killed {rounds} times, {kept} changes done and {lost} not; after the last: {found:?}");
    assert!(found.revisions > 0 && found.checkpoints > 0);
    // Nodes never have what history has not, and take up again what it has.
    for geo in Geo::ALL {
        let applied = applied(&house, geo).await.unwrap();
        assert!((1..=head).contains(&applied), "{geo:?} enforces {applied}, history ends at {head}");
        house.plane(geo).unwrap().kill().unwrap();
        house.plane(geo).unwrap().start_again().unwrap();
        house.enforces(geo, head).await.unwrap();
        assert_eq!(self::applied(&house, geo).await.unwrap(), head);
    }
}

/// The revision that a plane says it enforces.
async fn applied(house: &Household, geo: Geo) -> Result<i64> {
    let text = reqwest::get(format!("{}/readyz", house.ops_url(geo)?)).await?.text().await?;
    // A second line says how old it is, where it is.
    let ready = text.lines().next().and_then(|line| line.strip_prefix("ok, revision "));
    Ok(ready.context("not ready")?.trim().parse()?)
}
