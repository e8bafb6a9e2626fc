//! What the command line of the bench may say.
//!
//! The first word is a role (the bench starts itself again for each server); without one it is the table.

use std::time::Duration;

use anyhow::{Context, bail};

/// What this process is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Table,
    Mock,
    PassThrough,
    GrpcPassThrough,
}

/// Whose figures the table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// The pass-through alone, to see what the machine and the bench itself can do.
    Limit,
    /// The pass-through and the gateway.
    Gateway,
}

/// A parsed command line.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) role: Role,
    /// `host:port` of the mock, for the two proxies.
    pub(crate) upstream: String,
    pub(crate) subjects: Subjects,
    /// How long one row is measured in one round.
    pub(crate) window: Duration,
    /// Odd, so that there is a median.
    pub(crate) rounds: usize,
    /// Names of rows contain this; empty: all of them.
    pub(crate) only: String,
    /// `quickstart`, `large`, or empty for both.
    pub(crate) policy: String,
    /// Size of the large policy.
    pub(crate) keys: usize,
    pub(crate) models: usize,
    pub(crate) rules: usize,
    /// Missed floors are a failure too.
    pub(crate) enforce: bool,
}

const USAGE: &str = "bench [--limit] [--seconds S] [--rounds N] [--only ROW] [--policy quickstart|large] [--keys N] \
                     [--models N] [--rules N] [--enforce]";

impl Options {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// An unknown word, or a value that is missing or out of range; the message shows the usage.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Options {
            role: Role::Table,
            upstream: String::new(),
            subjects: Subjects::Gateway,
            window: Duration::from_secs(2),
            rounds: 3,
            only: String::new(),
            policy: String::new(),
            keys: 100_000,
            models: 1_000,
            rules: 10_000,
            enforce: false,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            options.read(&word, &mut words).with_context(|| format!("`{word}`; usage: {USAGE}"))?;
        }
        if options.rounds.is_multiple_of(2) {
            bail!("an even number of rounds has no median; usage: {USAGE}");
        }
        Ok(options)
    }

    fn read(&mut self, word: &str, rest: &mut impl Iterator<Item = String>) -> anyhow::Result<()> {
        let mut value = || rest.next().context("needs a value");
        match word {
            "mock" => self.role = Role::Mock,
            "pass-through" => self.role = Role::PassThrough,
            "grpc-pass-through" => self.role = Role::GrpcPassThrough,
            "--upstream" => self.upstream = value()?,
            "--limit" => self.subjects = Subjects::Limit,
            "--seconds" => self.window = Duration::try_from_secs_f64(value()?.parse()?)?,
            "--rounds" => self.rounds = value()?.parse()?,
            "--only" => self.only = value()?,
            "--policy" => self.policy = value()?,
            "--keys" => self.keys = value()?.parse()?,
            "--models" => self.models = value()?.parse()?,
            "--rules" => self.rules = value()?.parse()?,
            "--enforce" => self.enforce = true,
            _ => bail!("is not known"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<Options> {
        Options::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn words_are_read_and_nonsense_is_refused() {
        let options = parse("--limit --seconds 0.5 --rounds 5 --only stream").unwrap();
        assert_eq!((options.subjects, options.rounds), (Subjects::Limit, 5));
        assert_eq!(options.window, Duration::from_millis(500));
        assert_eq!(parse("mock").unwrap().role, Role::Mock);
        for wrong in ["--rounds 2", "--rounds", "--rounds x", "--seconds -1", "--fast"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
