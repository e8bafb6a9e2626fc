//! The admin verbs: each asks the control plane over REST and shows what it said.
//! How one ends is told by its exit code, of which `ending` has the table.
//!
//! Law: nothing is decided here; with `-o json` a verb prints what REST answered.

mod admins;
mod apply;
mod audit;
mod because;
mod blame;
mod callable;
mod changes;
mod course;
mod decisions;
mod delete;
mod differences;
mod elevations;
mod ending;
mod explain;
mod export;
mod failure;
mod field;
mod form;
mod get;
mod import;
mod instant;
mod kept;
mod keys;
mod kill;
mod kind;
mod meant;
mod models;
mod newest;
mod nodes;
mod people;
mod per_million;
mod priced;
mod prices;
mod progress;
mod proposals;
mod providers;
mod retention;
mod revision;
mod revisions;
mod rollback;
mod rollouts;
mod settle;
mod simulate;
mod source;
mod subjects;
mod terms;
mod vendors;
mod wait;
mod written;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use crate::client::Client;
use crate::output;
pub(crate) use ending::Explained;
use failure::Failure;
pub(crate) use form::Form;
use form::Shown;

/// The verbs. All but `admins token`, `import`, `nodes issue`, `audit verify`, `decisions verify` and `models --mine` need `CHANCERY_CONTROL_URL` and `CHANCERY_ADMIN_TOKEN`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Apply(apply::Apply),
    Delete(delete::Delete),
    Export(export::Export),
    Get(get::Get),
    Explain(explain::Explain),
    Blame(blame::Blame),
    Rollback(rollback::Rollback),
    Simulate(simulate::Simulate),
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
    Admins(admins::Admins),
    BreakGlass(elevations::BreakGlass),
    #[command(subcommand)]
    Elevations(elevations::Elevations),
    #[command(subcommand)]
    Subjects(subjects::Subjects),
    #[command(subcommand)]
    Holds(subjects::Holds),
    #[command(subcommand)]
    Retention(retention::Retention),
    #[command(subcommand)]
    Audit(audit::Audit),
    #[command(subcommand)]
    Decisions(decisions::Decisions),
    #[command(subcommand)]
    Import(import::Import),
    Models(models::Models),
    #[command(subcommand)]
    Prices(prices::Prices),
    #[command(subcommand)]
    Providers(providers::Providers),
}

/// Runs a verb, which trusts a file's authorities too; what went wrong is on standard error, in the form the answer would have
/// had where that is JSON, and its kind in the exit code.
pub(crate) async fn run(verb: Verb, (authorities, form): (Option<&Path>, Form)) -> ExitCode {
    match dispatch(verb, authorities).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match form {
                Form::Json => output::complain(&failure.body()),
                Form::Text | Form::Yaml => failure.lines().iter().for_each(|line| output::complain(line)),
            }
            ExitCode::from(failure.ending().number())
        }
    }
}

/// A line that is none of a verb, as a program is told: the body that every other error has.
pub(crate) fn misused(why: &str) -> String {
    Failure::Input(why.to_owned()).body()
}

async fn dispatch(verb: Verb, authorities: Option<&Path>) -> Result<(), Failure> {
    if let Verb::Nodes(nodes::Nodes::Issue(issue)) = verb {
        return nodes::issue(&issue);
    }
    if let Verb::Audit(audit::Audit::Verify(verify)) = verb {
        return audit::verify(&verify);
    }
    if let Verb::Decisions(decisions::Decisions::Verify(asked)) = &verb {
        return decisions::verify(asked, authorities);
    }
    if let Verb::Admins(admins::Admins::Token(asked)) = &verb {
        return admins::token(asked);
    }
    if let Verb::Import(asked) = &verb {
        return import::run(asked);
    }
    // What can't be meant is told whatever the environment says.
    if let Verb::Delete(delete) = &verb {
        delete.meant()?;
    }
    if let Verb::Models(asked) = &verb
        && asked.is_mine()
    {
        return models::mine(&Client::of_node(authorities)?, asked).await;
    }
    let client = Client::of_environment(authorities)?;
    match verb {
        Verb::Apply(apply) => apply::run(&client, &apply).await,
        Verb::Delete(delete) => delete::run(&client, &delete).await,
        Verb::Export(export) => export::run(&client, &export).await,
        Verb::Get(get) => get::run(&client, &get).await,
        Verb::Explain(explain) => explain::run(&client, &explain).await,
        Verb::Blame(blame) => blame::run(&client, &blame).await,
        Verb::Rollback(rollback) => rollback::run(&client, &rollback).await,
        Verb::Simulate(simulate) => simulate::run(&client, &simulate).await,
        Verb::Keys(keys) => keys::run(&client, &keys).await,
        Verb::Kill(kill) => kill::run(&client, &kill).await,
        Verb::Kills(kills) => kill::of_all(&client, &kills).await,
        Verb::Nodes(nodes) => nodes::run(&client, &nodes).await,
        Verb::Proposals(proposals) => proposals::run(&client, &proposals).await,
        Verb::Revisions(revisions) => revisions::run(&client, &revisions).await,
        Verb::Rollouts(rollouts) => rollouts::run(&client, &rollouts).await,
        Verb::Admins(admins) => match admins {
            admins::Admins::List(asked) => admins::listed(&client, &asked).await,
            admins::Admins::Token(asked) => admins::token(&asked),
        },
        Verb::BreakGlass(asked) => elevations::take(&client, &asked).await,
        Verb::Elevations(asked) => elevations::of_all(&client, &asked).await,
        Verb::Subjects(asked) => subjects::of_people(&client, &asked).await,
        Verb::Holds(asked) => subjects::of_holds(&client, &asked).await,
        Verb::Retention(asked) => retention::run(&client, &asked).await,
        Verb::Audit(audit) => audit::run(&client, &audit).await,
        Verb::Decisions(decisions) => decisions::run(&client, &decisions, authorities).await,
        Verb::Import(asked) => import::run(&asked),
        Verb::Models(asked) => models::registered(&client, &asked).await,
        Verb::Prices(asked) => prices::run(&client, &asked).await,
        Verb::Providers(asked) => providers::run(&client, &asked).await,
    }
}
