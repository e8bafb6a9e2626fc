//! A tenant that demands a record of every request: a node that is killed at any moment has the record of whatever it answered whole.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::{join, join_all};
use integration_tests::{
    door::{Ask, Caller, Door, Refused},
    household::Household,
    sandbox::{Geo, QUICKSTART, read_records},
};

const MODEL: &str = "sim-mistral-large";

/// The quickstart, whose tenant demands records.
fn audited() -> String {
    let spec = "currency: USD, domicile: DE}";
    let demanding = QUICKSTART.replacen(spec, "currency: USD, domicile: DE, mustAudit: true}", 1);
    assert_ne!(demanding, QUICKSTART);
    demanding
}

/// How many houses, in each of which each node is killed once: one that is killed again within a minute puts its policy away. 3, and 100
/// with `CHANCERY_LONG`.
fn houses() -> u64 {
    if std::env::var_os("CHANCERY_LONG").is_some() { 100 } else { 3 }
}

/// Asks until the node is gone; notes the ids of what was answered or refused whole.
async fn asks(
    caller: &Caller,
    streaming: bool,
    ended: &Cell<bool>,
    told: &RefCell<BTreeSet<String>>,
) -> Result<()> {
    let models = [MODEL, "nobody-has-this"];
    for model in models.iter().cycle() {
        let ask = Ask::chat(model, "hello").streaming(streaming);
        match caller.ask(&ask).await {
            Ok(Ok(answer)) => {
                told.borrow_mut().insert(answer.header("x-chancery-request-id").to_owned());
            }
            // What has no id is no node's: the caller's own library says of a call that broke off that it was cancelled.
            Ok(Err(refused)) if is_told(&refused) => {
                told.borrow_mut().insert(refused.header("x-chancery-request-id").to_owned());
            }
            // It is gone, or going.
            Ok(Err(_)) | Err(_) => {
                ensure!(ended.get(), "the node went away by itself");
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Whether a node refused a request, and not whatever lies between.
fn is_told(refused: &Refused) -> bool {
    (400..500).contains(&refused.status) && !refused.header("x-chancery-request-id").is_empty()
}

/// Kills a node while it answers; gives the ids it told, and those it recorded.
async fn killed(
    house: &mut Household,
    (geo, key): (Geo, &str),
    lives: Duration,
) -> Result<(BTreeSet<String>, Vec<String>)> {
    let url = house.inference_url(geo)?;
    let callers = Door::BOTH.map(|door| Caller::at(door, url.clone(), key));
    let (told, ended) = (RefCell::new(BTreeSet::new()), Cell::new(false));
    let each = callers.iter().cycle().take(8).enumerate();
    let each = each.map(|(n, caller)| asks(caller, n % 4 < 2, &ended, &told));
    let killed = async {
        tokio::time::sleep(lives).await;
        ended.set(true);
        house.plane(geo)?.kill()
    };
    let (asked, killed) = join(join_all(each), killed).await;
    asked.into_iter().collect::<Result<Vec<()>>>()?;
    killed?;
    // What was torn is mended at the next start.
    house.plane(geo)?.start_again()?;
    house.enforces(geo, 1).await?;
    let records = read_records(&house.state_dir(geo).join("outbox"))?;
    let ids = records.iter().filter_map(|record| record["requestId"].as_str());
    Ok((told.into_inner(), ids.map(str::to_owned).collect()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_a_node_has_the_record_of_whatever_a_tenant_that_demands_it_was_told() {
    let (mut kills, mut answers) = (0, 0);
    for number in 0..houses() {
        let mut house = Household::start(&audited(), "").await.unwrap();
        let key = house.key("ada@example.org", "research").await.unwrap();
        for geo in Geo::ALL {
            // Moments from 50 to 650 ms, none twice.
            let lives = Duration::from_millis(50 + kills * 251 % 600);
            let (told, recorded) = killed(&mut house, (geo, &key), lives).await.unwrap();
            let kept: BTreeSet<String> = recorded.iter().cloned().collect();
            assert_eq!(kept.len(), recorded.len(), "none is there twice");
            let missing: Vec<&String> = told.difference(&kept).collect();
            assert!(missing.is_empty(), "house {number}: {missing:?} of {}", told.len());
            (kills, answers) = (kills + 1, answers + told.len());
        }
    }
    println!("{kills} kills: {answers} answers and refusals told whole, each of them recorded");
    assert!(answers as u64 > 5 * kills, "{answers}");
}
