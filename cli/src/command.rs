//! What can be asked of the binary.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::{dev, output, roles, verbs};

/// A gateway that governs generative AI and proves it.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = ENVIRONMENT, after_long_help = format!("{ENVIRONMENT}\n\n{}", verbs::Explained))]
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

const ENVIRONMENT: &str = "\
Without a command: dev. The admin verbs read CHANCERY_CONTROL_URL and CHANCERY_ADMIN_TOKEN,
and trust the certificate authorities of --ca FILE, after the verb, or CHANCERY_CA beside the
platform's. Each takes -o text|json|yaml; with -o json an error is one line on standard error,
the body that REST answers.";

/// Does what this process was asked; a command line that is none ends it.
pub(crate) async fn run() -> ExitCode {
    let line = match Chancery::command().try_get_matches() {
        Ok(line) => line,
        Err(wrong) => return ended(&hinted(wrong, std::env::args())),
    };
    match Chancery::from_arg_matches(&line) {
        Ok(asked) => done(asked, verbs::Form::asked(&line)).await,
        Err(wrong) => ended(&wrong),
    }
}

/// Ends a line that asks for nothing that can be done: with help, or with what is wrong, in the form the answer would have had where
/// that is JSON.
fn ended(wrong: &clap::Error) -> ExitCode {
    if wrong.use_stderr() && verbs::Form::is_json(std::env::args().skip(1)) {
        output::complain(&verbs::misused(&spoken(&wrong.to_string())));
    } else {
        // Nobody reads it who does not want to.
        let _ = wrong.print();
    }
    ExitCode::from(u8::try_from(wrong.exit_code()).unwrap_or(u8::MAX))
}

/// What is wrong with a line, and what may be meant, on one line: without how the verb is used, which `--help` says.
fn spoken(wrong: &str) -> String {
    let paragraphs = wrong.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let told =
        paragraphs.filter(|text| !text.starts_with("Usage:") && !text.starts_with("For more information"));
    let told: Vec<String> = told.filter(|text| !text.is_empty()).collect();
    told.join("; ").trim_start_matches("error: ").to_owned()
}

/// A fault of a command line, with a word on what was meant where `--wait` got its seconds as an argument of their own.
fn hinted(mut wrong: clap::Error, line: impl Iterator<Item = String>) -> clap::Error {
    let mut line = line.skip_while(|word| word != "--wait").skip(1);
    let seconds = line.next().filter(|word| word.parse::<u64>().is_ok());
    let unknown = wrong.get(ContextKind::InvalidArg).map(ToString::to_string);
    if let Some(seconds) = seconds.filter(|seconds| unknown.as_ref() == Some(seconds)) {
        let hint = format!("the seconds of `--wait` follow `=`: --wait={seconds}");
        wrong.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    }
    wrong
}

/// Does what was asked; why it could not be done is on standard error, whatever was asked.
async fn done(asked: Chancery, form: verbs::Form) -> ExitCode {
    let done = match asked.command.unwrap_or(Command::Dev(asked.dev)) {
        Command::Dev(dev) => dev::run(dev).await,
        Command::ControlPlane(role) => roles::control_plane(role).await,
        Command::DataPlane(role) => roles::data_plane(role).await,
        Command::Verb(verb) => return verbs::run(verb, (asked.ca.as_deref(), form)).await,
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
    use super::*;

    #[test]
    fn whoever_gives_the_seconds_of_a_wait_beside_it_is_told_how() {
        let told = |line: &[&str]| {
            let wrong = Chancery::try_parse_from(line).unwrap_err();
            hinted(wrong, line.iter().map(|word| (*word).to_owned())).to_string()
        };
        let hint = "the seconds of `--wait` follow `=`: --wait=10";
        assert!(told(&["chancery", "apply", "-f", "a.yaml", "--wait", "10"]).contains(hint));
        assert!(told(&["chancery", "delete", "rule", "r", "--wait", "10"]).contains(hint));
        assert!(!told(&["chancery", "apply", "-f", "a.yaml", "10", "--wait"]).contains("follow"));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told_to_a_program_on_one() {
        let told = |line: &[&str]| spoken(&Chancery::try_parse_from(line).unwrap_err().to_string());
        let missing = told(&["chancery", "kill", "--model", "m", "-o", "json"]);
        assert_eq!(missing, "the following required arguments were not provided: --reason <TEXT>");
        let unknown = told(&["chancery", "get", "models", "--outptu", "json"]);
        assert_eq!(
            unknown,
            "unexpected argument '--outptu' found; tip: a similar argument exists: '--output'"
        );
        let body: serde_json::Value = serde_json::from_str(&verbs::misused(&missing)).unwrap();
        assert_eq!((&body["error"]["code"], &body["error"]["message"]), (&400.into(), &missing.into()));
    }

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
            &["chancery", "models", "gpt-4o", "-o", "json"],
            &["chancery", "models", "--mine"],
            &["chancery", "providers", "sync", "openai", "--propose", "--only", "gpt-*", "-l", "a=b,c=d"],
            &[
                "chancery",
                "providers",
                "sync",
                "providers/openai",
                "--regions",
                "EU,UK",
                "--out",
                "f",
                "--force",
            ],
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
            &["chancery", "decisions", "segments", "--geo", "eu", "--node", "eu-1", "-o", "json"],
            &["chancery", "decisions", "verify", "dir", "a.jsonl", "--ca", "ca.pem", "--anchors", "s.json"],
            &[
                "chancery",
                "simulate",
                "-f",
                "draft.yaml",
                "outbox",
                "--since",
                "24h",
                "--tenant",
                "acme",
                "-o",
                "json",
            ],
            &["chancery", "decisions", "replay", "dir", "a.jsonl", "--ca", "ca.pem", "-o", "json"],
            &["chancery", "decisions", "verify", "dir", "--ca", "ca.pem", "--content", "c", "--content", "d"],
            &["chancery", "decisions", "content", "0198-a", "--store", "d", "--reason", "x", "-o", "json"],
            &["chancery", "nodes", "tokens", "-o", "json"],
            &["chancery", "nodes", "withdraw", "ab12", "--reason", "x"],
            &["chancery", "nodes", "revoke", "eu-3", "-o", "json"],
            &["chancery", "nodes", "forget", "eu-3", "--reason", "x"],
            &["chancery", "nodes", "enrol", "--geo", "eu-2", "--new-geo"],
            &["chancery", "kill", "--geo", "eu", "--reason", "x", "--wait=5"],
            &["chancery", "kills", "show", "k", "-o", "yaml"],
            &["chancery", "kills", "lift", "k", "--wait"],
            &["chancery", "data-plane", "--config", "f", "--log", "warn,data_plane=debug"],
            &["chancery", "kill", "--model", "m", "--mode", "drain", "--reason", "x", "--expires", "2h"],
            &["chancery", "kills", "list", "-o", "json"],
            &["chancery", "kills", "lift", "k", "--reason", "x"],
            &["chancery", "revisions", "show", "7"],
            &["chancery", "revisions", "show", "revisions/7"],
            &["chancery", "get", "rules/no-x"],
            &["chancery", "delete", "rules/no-x"],
            &["chancery", "revisions", "bump-epoch", "--reason", "restored from backup"],
            &["chancery", "nodes", "drain", "eu-1", "--reason", "a new kernel", "--within", "5m"],
            &["chancery", "nodes", "undrain", "eu-1"],
            &["chancery", "apply", "-f", "d", "--staged", "--manual", "--wait=5"],
            &["chancery", "delete", "rule", "r", "--staged", "--manual", "--reason", "x", "--wait=5"],
            &["chancery", "delete", "-f", "d", "--staged", "--propose"],
            &["chancery", "rollouts", "list"],
            &[
                "chancery",
                "revisions",
                "list",
                "--author",
                "ada@example.org",
                "--kind",
                "rule",
                "--since",
                "1d",
            ],
            &[
                "chancery",
                "revisions",
                "list",
                "--actor",
                "platform/root",
                "--resource",
                "rules/r",
                "--limit",
                "5",
            ],
            &["chancery", "rollouts", "abort", "7", "--reason", "x"],
            &["chancery", "apply", "-f", "d", "--propose", "--staged", "--reason", "x"],
            &["chancery", "delete", "-f", "d", "--propose"],
            &["chancery", "proposals", "show", "7"],
            &["chancery", "proposals", "approve", "proposals/7", "--wait=5", "-o", "json"],
            &["chancery", "proposals", "reject", "7", "--reason", "x"],
            &["chancery", "admins", "list", "-o", "json"],
            &["chancery", "admins", "token", "eve", "--role", "auditor", "--tenant", "acme", "--geo", "eu"],
            &["chancery", "break-glass", "--reason", "x", "--ticket", "INC-1", "--for", "30m"],
            &["chancery", "elevations", "list"],
            &["chancery", "elevations", "end", "elevations/7"],
            &["chancery", "import", "litellm", "config.yaml", "--regions", "EU,UK", "--out", "f", "--force"],
            &["chancery", "prices", "import", "l.json", "--valid-from", "2026-01-01", "--all", "-o", "json"],
            &["chancery", "audit", "list"],
            &[
                "chancery",
                "audit",
                "export",
                "--out",
                "f",
                "--actor",
                "platform/a",
                "--since",
                "1d",
                "--format",
                "csv",
            ],
            &["chancery", "audit", "key", "--out", "f", "--force"],
            &["chancery", "audit", "checkpoint", "--out", "f"],
            &["chancery", "audit", "verify", "f", "--key", "k", "--checkpoint", "c", "-o", "json"],
        ] {
            assert!(Chancery::try_parse_from(line).is_ok(), "{line:?}");
        }
        for line in [
            &["chancery", "get", "nothing"][..],
            &["chancery", "apply"],
            &["chancery", "delete", "rules", "x", "-f", "a.yaml"],
            &["chancery", "delete", "--tenant", "a", "-f", "a.yaml"],
            &["chancery", "revisions", "show", "x"],
            &["chancery", "revisions", "bump-epoch"],
            &["chancery", "nodes", "drain", "eu-1"],
            &["chancery", "apply", "-f", "d", "--propose", "--dry-run"],
            &["chancery", "proposals", "reject", "7"],
            &["chancery", "break-glass"],
            &["chancery", "decisions", "content", "0198-a", "--store", "d"],
            &["chancery", "decisions", "content", "0198-a", "--reason", "x"],
            &["chancery", "import", "litellm"],
            &["chancery", "providers", "sync"],
            &["chancery", "providers", "sync", "openai", "--propose", "--out", "f"],
            &["chancery", "providers", "sync", "openai", "--propose", "--dry-run"],
            &["chancery", "providers", "sync", "openai", "--force"],
            &["chancery", "models", "--mine", "--tenant", "acme"],
            &["chancery", "import", "litellm", "f", "--regions", "FOO"],
            &["chancery", "audit", "export"],
            &["chancery", "audit", "verify", "f"],
            &["chancery", "dev", "--upstream-regions", "EU,FOO"],
            &["chancery", "dev", "--log", "nonsense=x=y"],
            &["chancery", "data-plane", "--config", "f", "--log", "nonsense=x=y"],
            &["chancery", "dev", "--openai-compatible", "notaurl"],
        ] {
            assert!(Chancery::try_parse_from(line).is_err(), "{line:?}");
        }
    }
}
