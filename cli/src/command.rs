//! What can be asked of the binary.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{dev, output, roles, verbs};

/// A gateway that governs generative AI and proves it.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Chancery {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: dev::Dev,
    /// A PEM file of certificate authorities that the admin verbs trust beside the platform's, to reach a control plane whose
    /// certificate is of a private one.
    #[arg(long, global = true, env = "CHANCERY_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    /// Run a control plane.
    ControlPlane(roles::Role),
    /// Run a data plane.
    DataPlane(roles::Role),
    #[command(flatten)]
    Verb(verbs::Verb),
}

const EXIT_CODES: &str = "\
Without a command: dev. The admin verbs read CHANCERY_CONTROL_URL and CHANCERY_ADMIN_TOKEN, and trust
the certificate authorities of --ca FILE, after the verb, or CHANCERY_CA beside the platform's.
Exit codes of the admin verbs: 0 done; 1 not done: faults in the input, or refused; 2 wrong command line;
3 incomplete environment, or no control plane answers; 4 not known to it, or not permitted.";

/// Does what was asked; why it could not be done is one line on standard error, whatever was asked.
pub(crate) async fn run(asked: Chancery) -> ExitCode {
    let done = match asked.command.unwrap_or(Command::Dev(asked.dev)) {
        Command::Dev(dev) => dev::run(dev).await,
        Command::ControlPlane(role) => roles::control_plane(role).await,
        Command::DataPlane(role) => roles::data_plane(role).await,
        Command::Verb(verb) => return verbs::run(verb, asked.ca.as_deref()).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("error: {}", output::chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_verb_parses_and_is_described() {
        let mut command = Chancery::command();
        command.build();
        command.clone().debug_assert();
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
        }
        for line in [
            &["chancery"][..],
            &["chancery", "--openai-compatible", "http://127.0.0.1:8000/v1", "--upstream-regions", "EU,US"],
            &["chancery", "apply", "-f", "-", "-f", "dir", "--dry-run", "-o", "json"],
            &["chancery", "delete", "rule", "no-x", "--wait"],
            &["chancery", "get", "models", "--ca", "ca.pem"],
            &["chancery", "delete", "team", "t", "--tenant", "a", "-o", "json"],
            &["chancery", "delete", "-f", "-", "-f", "dir", "--wait=5"],
            &["chancery", "export", "--kinds", "Team,roles"],
            &["chancery", "get", "models", "gpt-4o", "-o", "yaml"],
            &["chancery", "keys", "create", "--tenant", "a", "--principal", "p", "--team", "t"],
            &["chancery", "keys", "revoke", "k", "--tenant", "a"],
            &["chancery", "explain", "--tenant", "a", "--principal", "p", "--model", "m", "--geo", "eu"],
            &["chancery", "nodes", "issue", "--geo", "eu", "--node", "eu-1", "--out", "d", "--force"],
            &[
                "chancery",
                "nodes",
                "enrol",
                "--geo",
                "eu",
                "--node",
                "eu-3",
                "--valid",
                "30m",
                "--url",
                "https://a:1",
            ],
            &["chancery", "nodes", "tokens", "-o", "json"],
            &["chancery", "nodes", "withdraw", "ab12", "--reason", "x"],
            &["chancery", "nodes", "revoke", "eu-3", "-o", "json"],
            &["chancery", "nodes", "forget", "eu-3", "--reason", "x"],
            &["chancery", "nodes", "enrol", "--geo", "eu-2", "--new-geo"],
            &["chancery", "kill", "--geo", "eu", "--reason", "x", "--wait=5"],
            &["chancery", "kills", "lift", "k", "--wait"],
            &["chancery", "data-plane", "--config", "f", "--log", "warn,data_plane=debug"],
            &["chancery", "kill", "--model", "m", "--mode", "drain", "--reason", "x", "--expires", "2h"],
            &["chancery", "kills", "list", "-o", "json"],
            &["chancery", "kills", "lift", "k", "--reason", "x"],
            &["chancery", "revisions", "show", "7"],
            &["chancery", "revisions", "bump-epoch", "--reason", "restored from backup"],
            &["chancery", "nodes", "drain", "eu-1", "--reason", "a new kernel", "--within", "5m"],
            &["chancery", "nodes", "undrain", "eu-1"],
            &["chancery", "apply", "-f", "d", "--staged", "--manual", "--wait=5"],
            &["chancery", "rollouts", "list"],
            &["chancery", "rollouts", "abort", "7", "--reason", "x"],
            &["chancery", "apply", "-f", "d", "--propose", "--staged", "--reason", "x"],
            &["chancery", "delete", "-f", "d", "--propose"],
            &["chancery", "proposals", "show", "7"],
            &["chancery", "proposals", "approve", "proposals/7", "--wait=5", "-o", "json"],
            &["chancery", "proposals", "reject", "7", "--reason", "x"],
            &["chancery", "audit", "list"],
        ] {
            assert!(Chancery::try_parse_from(line).is_ok(), "{line:?}");
        }
        for line in [
            &["chancery", "get", "nothing"][..],
            &["chancery", "apply"],
            &["chancery", "delete"],
            &["chancery", "delete", "rules"],
            &["chancery", "delete", "rules", "x", "-f", "a.yaml"],
            &["chancery", "delete", "--tenant", "a", "-f", "a.yaml"],
            &["chancery", "revisions", "show", "x"],
            &["chancery", "revisions", "bump-epoch"],
            &["chancery", "nodes", "drain", "eu-1"],
            &["chancery", "apply", "-f", "d", "--propose", "--dry-run"],
            &["chancery", "delete", "rule", "x", "--propose"],
            &["chancery", "delete", "rule", "x", "--dry-run"],
            &["chancery", "delete", "rule", "x", "--allow-shrink"],
            &["chancery", "proposals", "reject", "7"],
            &["chancery", "dev", "--upstream-regions", "EU,FOO"],
            &["chancery", "dev", "--log", "nonsense=x=y"],
            &["chancery", "data-plane", "--config", "f", "--log", "nonsense=x=y"],
            &["chancery", "dev", "--openai-compatible", "notaurl"],
        ] {
            assert!(Chancery::try_parse_from(line).is_err(), "{line:?}");
        }
    }
}
