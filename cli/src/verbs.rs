//! The admin verbs: each asks the control plane over REST and shows what it said.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | not done: the input has faults, or the control plane refused it |
//! | 2 | the command line is wrong |
//! | 3 | the environment is incomplete, or no control plane answers |
//! | 4 | the control plane does not know the caller, or the caller may not |
//!
//! Law: nothing is decided here; with `-o json` a verb prints what REST answered.

mod apply;
mod audit;
mod because;
mod changes;
mod delete;
mod explain;
mod export;
mod failure;
mod field;
mod get;
mod instant;
mod keys;
mod kill;
mod kind;
mod newest;
mod nodes;
mod proposals;
mod revisions;
mod rollouts;
mod source;
mod wait;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::client::{Client, Reply};
use crate::output;
use failure::Failure;

/// The verbs. All but `nodes issue` need `CHANCERY_CONTROL_URL` and `CHANCERY_ADMIN_TOKEN`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Apply(apply::Apply),
    Delete(delete::Delete),
    Export(export::Export),
    Get(get::Get),
    Explain(explain::Explain),
    #[command(subcommand)]
    Keys(keys::Keys),
    Kill(kill::Kill),
    #[command(subcommand)]
    Kills(kill::Kills),
    #[command(subcommand)]
    Nodes(nodes::Nodes),
    #[command(subcommand)]
    Proposals(proposals::Proposals),
    #[command(subcommand)]
    Revisions(revisions::Revisions),
    #[command(subcommand)]
    Rollouts(rollouts::Rollouts),
    #[command(subcommand)]
    Audit(audit::Audit),
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy, Args)]
struct Shown {
    /// `json` prints what REST answered.
    #[arg(short, long, value_enum, default_value_t = Form::Text, value_name = "FORM")]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
}

impl Shown {
    /// Prints an answer: as it came, or as `text` tells it.
    fn print(self, reply: &Reply, text: impl FnOnce() -> String) {
        match self.output {
            Form::Json => output::line(reply.text.trim_end()),
            Form::Text => output::text_as_is(&text()),
        }
    }
}

/// Runs a verb, which trusts a file's authorities too; what went wrong is on standard error, and its kind in the exit code.
pub(crate) async fn run(verb: Verb, authorities: Option<&Path>) -> ExitCode {
    match dispatch(verb, authorities).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.lines().iter().for_each(|line| output::complain(line));
            failure.code()
        }
    }
}

async fn dispatch(verb: Verb, authorities: Option<&Path>) -> Result<(), Failure> {
    if let Verb::Nodes(nodes::Nodes::Issue(issue)) = verb {
        return nodes::issue(&issue);
    }
    let client = Client::of_environment(authorities)?;
    match verb {
        Verb::Apply(apply) => apply::run(&client, &apply).await,
        Verb::Delete(delete) => delete::run(&client, &delete).await,
        Verb::Export(export) => export::run(&client, &export).await,
        Verb::Get(get) => get::run(&client, &get).await,
        Verb::Explain(explain) => explain::run(&client, &explain).await,
        Verb::Keys(keys) => keys::run(&client, &keys).await,
        Verb::Kill(kill) => kill::run(&client, &kill).await,
        Verb::Kills(kills) => kill::of_all(&client, &kills).await,
        Verb::Nodes(nodes) => nodes::run(&client, &nodes).await,
        Verb::Proposals(proposals) => proposals::run(&client, &proposals).await,
        Verb::Revisions(revisions) => revisions::run(&client, &revisions).await,
        Verb::Rollouts(rollouts) => rollouts::run(&client, &rollouts).await,
        Verb::Audit(audit) => audit::run(&client, &audit).await,
    }
}
