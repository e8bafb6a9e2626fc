//! The run: start everybody, measure row by row and round by round, compare, and judge the evidence.
//!
//! Subjects take turns within each row of each round, so that what the machine does meanwhile falls on both.

use std::time::Duration;

use anyhow::Context;

use crate::evidence::Evidence;
use crate::figures::{Compared, Figures};
use crate::floors::{self, Floor};
use crate::load::{Cast, Corpus, Door, Pool, Tally};
use crate::options::{Options, Role, Subjects};
use crate::report;
use crate::rows::{self, Pace, Row};
use crate::servers::{grpc_pass_through, mock, pass_through};
use crate::subject::Subject;
use crate::subject::cores::{Cores, Side};
use crate::subject::gateway::Gateway;
use crate::subject::policy::Policy;
use crate::subject::process::Process;

/// Plays the part that a process of the bench was started for.
pub(crate) fn play(options: &Options) -> anyhow::Result<()> {
    match options.role {
        Role::Mock => mock::main(),
        Role::PassThrough => pass_through::main(&options.upstream),
        Role::GrpcPassThrough => grpc_pass_through::main(&options.upstream),
        Role::Table => main(options),
    }
}

/// Measures and prints; the error is what makes the run no result.
///
/// # Errors
/// A server cannot be started, the evidence does not agree, or, where floors are enforced, one is missed.
fn main(options: &Options) -> anyhow::Result<()> {
    let cores = Cores::claim()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Box::pin(bench(options, cores)))
}

/// Everybody who is not the gateway.
struct Stage {
    /// Held so that it lives as long as the stage.
    _mock: Process,
    mock_authority: String,
    limit: Subject,
    grpc_limit: Subject,
}

async fn bench(options: &Options, cores: Cores) -> anyhow::Result<()> {
    let stage = Stage::set(cores)?;
    report::head(options, cores)?;
    let mut missed = 0;
    for policy in policies(options) {
        let gateway = match options.subjects {
            Subjects::Limit => None,
            Subjects::Gateway => Some(Gateway::start(cores, &stage.mock_authority, &policy).await?),
        };
        missed += stage.measure(options, &policy, gateway).await?;
    }
    anyhow::ensure!(!options.enforce || missed == 0, "{missed} floors are missed");
    Ok(())
}

fn policies(options: &Options) -> Vec<Policy> {
    let large = Policy::Large { keys: options.keys, models: options.models, rules: options.rules };
    let wanted = |policy: &Policy| options.policy.is_empty() || options.policy == policy.name();
    let all = match options.subjects {
        Subjects::Limit => vec![Policy::Quickstart],
        Subjects::Gateway => vec![Policy::Quickstart, large],
    };
    all.into_iter().filter(wanted).collect()
}

fn rows_of(policy: &Policy, options: &Options) -> Vec<Row> {
    let all = match policy {
        Policy::Quickstart => rows::quickstart(),
        Policy::Large { .. } => rows::large(),
    };
    all.into_iter().filter(|row| row.name.contains(&options.only)).collect()
}

/// The rounds of one row, limit and gateway apart.
struct Rounds {
    row: Row,
    limit: Vec<Figures>,
    gateway: Vec<Figures>,
}

impl Stage {
    fn set(cores: Cores) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let program = program.to_str().context("the path of the bench is UTF-8")?;
        let start = |side, role: &str, upstream: &str| {
            let mut command = cores.command(side, program);
            command.args([role, "--upstream", upstream]);
            Process::listening(command).with_context(|| format!("starting `{role}`"))
        };
        let (mock, mock_authority) = start(Side::Rest, "mock", "")?;
        let (process, authority) = start(Side::Subject, "pass-through", &mock_authority)?;
        let limit = Subject {
            name: "pass-through",
            process,
            rest: Some(authority),
            grpc: None,
            cast: Cast::default(),
            translates: false,
        };
        let (process, authority) = start(Side::Subject, "grpc-pass-through", &mock_authority)?;
        let grpc_limit = Subject {
            name: "tonic pass-through",
            process,
            rest: None,
            grpc: Some(authority),
            cast: Cast::default(),
            translates: false,
        };
        Ok(Stage { _mock: mock, mock_authority, limit, grpc_limit })
    }

    fn limit_of(&self, door: Door) -> &Subject {
        match door {
            Door::Rest | Door::Messages => &self.limit,
            Door::Grpc => &self.grpc_limit,
        }
    }

    /// One policy, from the first row to the evidence; gives the number of missed floors.
    async fn measure(
        &self,
        options: &Options,
        policy: &Policy,
        gateway: Option<Gateway>,
    ) -> anyhow::Result<usize> {
        let subject = gateway.as_ref().map(|gateway| &gateway.subject);
        let cast = subject.map_or_else(nobody, |subject| subject.cast.clone());
        let served = mock_served(&self.mock_authority).await?;
        let idle = subject.map(|subject| subject.process.memory()).transpose()?;
        let mut evidence = Evidence::default();
        let mut rows: Vec<Rounds> = rows_of(policy, options).into_iter().map(Rounds::of).collect();
        for _ in 0..options.rounds {
            for rounds in &mut rows {
                let limit = self.limit_of(rounds.row.door);
                let (figures, tally) = window(&rounds.row, limit, &cast, options.window).await?;
                rounds.limit.push(figures);
                evidence.limit.merge(&tally);
                if let Some(subject) = subject {
                    let (figures, tally) = window(&rounds.row, subject, &cast, options.window).await?;
                    rounds.gateway.push(figures);
                    evidence.gateway.merge(&tally);
                }
            }
        }
        evidence.served = mock_served(&self.mock_authority).await? - served;
        let compared: Vec<Compared> = rows.into_iter().filter_map(Rounds::compared).collect();
        report::table(policy, &compared)?;
        let mut floors = floors::floors(&compared);
        if let (Some(gateway), Some(idle)) = (&gateway, idle) {
            let loaded = gateway.subject.process.memory()?;
            report::memory(
                &[(self.limit.name, self.limit.process.memory()?), (gateway.subject.name, loaded)],
                idle,
            )?;
            if *policy == Policy::Quickstart {
                floors.extend(floors::memory(megabytes(idle.now), megabytes(loaded.peak)));
            }
            let ledger = gateway.ledger(evidence.gateway.requests).await?;
            floors.push(floors::record(gateway.writing()?, ledger.records.requests));
            evidence.ledger = Some(ledger);
            evidence.policy_bytes = gateway.policy_bytes()?;
        }
        report::floors(&floors)?;
        report::evidence(&evidence)?;
        evidence.judge()?;
        Ok(floors.iter().filter(|floor: &&Floor| !floor.holds()).count())
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The pass-through knows no callers.
fn nobody() -> Cast {
    Cast { keys: vec!["nobody".to_owned()], models: vec!["bench".to_owned()] }
}

impl Rounds {
    fn of(row: Row) -> Self {
        Rounds { row, limit: Vec::new(), gateway: Vec::new() }
    }

    fn compared(self) -> Option<Compared> {
        Compared::of(self.row, &self.limit, &self.gateway)
    }
}

/// One row on one subject: connect, warm up, measure. The tally holds the warm-up's requests too, for the evidence.
async fn window(
    row: &Row,
    subject: &Subject,
    cast: &Cast,
    window: Duration,
) -> anyhow::Result<(Figures, Tally)> {
    let authority = subject.door(row.door).context("the subject has the door of the row")?;
    let cast = match row.writing {
        None => cast.clone(),
        Some(writing) => Cast { models: vec![writing.model().to_owned()], ..cast.clone() },
    };
    let corpus = Corpus::new(row.door, row.shape, &cast, authority)?;
    let connections = match row.pace {
        Pace::Closed(connections) => connections,
        Pace::Open(_) => 4,
    };
    let mut pool = Pool::open(row.door, authority, connections, corpus).await?;
    let mut all = pool.closed(window / 5).await;
    let before = subject.process.processor_time()?;
    let tally = match row.pace {
        Pace::Closed(_) => pool.closed(window).await,
        Pace::Open(rate) => pool.open_loop(window, rate).await,
    };
    let used = subject.process.processor_time()?.since(&before);
    all.merge(&tally);
    if let Some(error) = &all.first_error {
        anyhow::bail!(
            "{} of {} requests failed on {} ({}): {error}",
            all.errors,
            all.requests,
            subject.name,
            row.name
        );
    }
    let events = if row.writing.is_some() { all.requests * subject.events(row.door) } else { 0 };
    anyhow::ensure!(all.events == events, "{} events of {events} arrived from {}", all.events, subject.name);
    Ok((Figures::of(&tally, used), all))
}

async fn mock_served(authority: &str) -> anyhow::Result<u64> {
    let text = reqwest::get(format!("http://{authority}{}", mock::SERVED)).await?.text().await?;
    text.parse().context("the mock tells a number")
}
