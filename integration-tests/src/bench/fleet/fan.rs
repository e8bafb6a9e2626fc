//! One change to many nodes, with and without some that stop reading; everything to everybody; and everybody at once again.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::control::Control;
use super::crowd::Crowd;
use super::options::Options;
use super::report::{self, Spread};

/// Principals that make up the policy; about a megabyte.
const PRINCIPALS: usize = 6_000;

/// Principals of one change; under ten kilobytes.
const CHANGED: usize = 40;

const ENCODED: &str = "chancery_control_snapshots_encoded_total";

const CONNECTED: &str = "chancery_control_nodes{state=\"connected\"}";

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let mut control = Control::start().await?;
    let mut head = control.apply(seed()).await?;
    let (nodes, url) = (options.nodes, format!("https://{}", control.sync));
    let before = control.used()?;
    let began = Instant::now();
    let crowd = Crowd::start(nodes, (&control.authority()?, &url))?;
    let (at, bytes) = crowd.enforce(nodes, head).await?;
    report::figure("nodes, each with TLS and a stream of its own", &nodes.to_string(), "")?;
    report::spread("first contact, everything", since(began, at), "")?;
    report::figure("the whole, bytes", &bytes.to_string(), "")?;
    let idle = control.used()?;
    memory("memory while all of them came", (before.resident, idle.peak), "")?;
    memory("memory with all of them connected", (before.resident, idle.resident), "")?;

    for round in 0..options.rounds {
        head = change(&control, &crowd, (nodes, round), "a change on all nodes").await?;
    }
    memory("memory of those changes", (idle.resident, control.used()?.peak.max(idle.resident)), "200 MB")?;
    idle_cost(&control).await?;

    crowd.cut(true);
    let (began, before) = (Instant::now(), control.used()?);
    let (at, _) = crowd.enforce(nodes, head).await?;
    report::spread("everything to all at once", since(began, at), "")?;
    memory("memory of that", (before.resident, control.used()?.peak), "200 MB")?;

    crowd.cut(false);
    let began = Instant::now();
    report::spread("all dropped, all healthy", since(began, crowd.confirm(nodes, head).await?), "60 s")?;
    control.process.kill()?;
    crowd.cut(false);
    control.process.start_again()?;
    let began = Instant::now();
    control.ready().await?;
    report::spread(
        "killed and started, all healthy",
        since(began, crowd.confirm(nodes, head).await?),
        "60 s",
    )?;

    let reading = nodes.saturating_sub(options.stalled);
    crowd.freeze(options.stalled);
    for round in 0..options.rounds {
        let what = format!("a change while {} nodes read nothing", options.stalled);
        change(&control, &crowd, (reading, options.rounds + round), &what).await?;
    }
    let began = Instant::now();
    while control.metric(CONNECTED).await? > u64::try_from(reading)? {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(120), "nodes that read nothing stay");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    report::figure("nodes that read nothing are closed after", &format!("{:.1?}", began.elapsed()), "")?;
    crowd.end().await;
    Ok(())
}

/// One change, from the call until the first `nodes` enforce it; gives the revision.
async fn change(
    control: &Control,
    crowd: &Crowd,
    (nodes, round): (usize, usize),
    what: &str,
) -> anyhow::Result<i64> {
    let (encoded, used) = (control.metric(ENCODED).await?, control.used()?);
    let began = Instant::now();
    let head = control.apply(principals(round * CHANGED, CHANGED, 1)).await?;
    let published = began.elapsed();
    let (at, bytes) = crowd.enforce(nodes, head).await?;
    report::spread(what, since(began, at), "p99 2 s")?;
    let encoded = control.metric(ENCODED).await? - encoded;
    let processor = control.used()?.processor.saturating_sub(used.processor);
    let found =
        format!("{bytes} bytes, published in {published:.1?}, encoded {encoded}, processor {processor:.1?}");
    report::figure("", &found, "encoded 1")?;
    anyhow::ensure!(encoded == 1, "encoded {encoded} times");
    Ok(head)
}

/// What it costs to have the nodes and change nothing.
async fn idle_cost(control: &Control) -> anyhow::Result<()> {
    let (before, began) = (control.used()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let used = control.used()?.processor.saturating_sub(before.processor);
    let share = used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    report::figure("processor while nothing changes", &format!("{share:.1} % of one core"), "")?;
    Ok(())
}

fn since(began: Instant, at: Vec<Instant>) -> Spread {
    Spread::of(at.into_iter().map(|at| at.saturating_duration_since(began)).collect())
}

fn memory(what: &str, (before, after): (u64, u64), limit: &str) -> anyhow::Result<()> {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let grown = megabytes(after.saturating_sub(before));
    let found = format!("+{grown:.0} MB ({:.0} to {:.0})", megabytes(before), megabytes(after));
    Ok(report::figure(what, &found, limit)?)
}

fn seed() -> String {
    let tenant =
        "apiVersion: chancery/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {currency: USD}\n---\n";
    format!("{tenant}{}", principals(0, PRINCIPALS, 0))
}

/// Principals that live somewhere else by the parity of a mark.
fn principals(first: usize, count: usize, mark: usize) -> String {
    let residency = if mark.is_multiple_of(2) { "DE" } else { "FR" };
    let mut text = String::new();
    for number in first..first + count {
        // Writing to a string cannot fail.
        let _written = write!(
            text,
            "apiVersion: chancery/v1\nkind: Principal\nmetadata: {{name: service-{number:05}, tenant: acme}}\n\
             spec: {{type: service, residency: {residency}}}\n---\n"
        );
    }
    text
}
