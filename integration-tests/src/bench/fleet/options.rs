//! What the command line may say.

use anyhow::{Context, bail};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// One change to many simulated nodes, a resync, and a reconnect storm.
    Fan,
    /// One changed line in a large policy, and a restart with it.
    Line,
    /// A revoked key on many real nodes.
    Revoke,
}

impl What {
    /// What a word says, where it is one of ours.
    pub(crate) fn named(word: &str) -> Option<Self> {
        match word {
            "fan" => Some(Self::Fan),
            "line" => Some(Self::Line),
            "revoke" => Some(Self::Revoke),
            _ => None,
        }
    }
}

/// A parsed command line.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) what: What,
    pub(crate) nodes: usize,
    /// Nodes that stop reading.
    pub(crate) stalled: usize,
    /// How often what is measured is done.
    pub(crate) rounds: usize,
    /// Size of the large policy.
    pub(crate) keys: usize,
    pub(crate) models: usize,
    pub(crate) rules: usize,
}

const USAGE: &str =
    "bench fan|line|revoke [--nodes N] [--stalled N] [--rounds N] [--keys N] [--models N] [--rules N]";

impl Options {
    /// Whether a command line is of the fleet.
    pub(crate) fn is_meant(words: impl Iterator<Item = String>) -> bool {
        let mut words = words;
        words.next().is_some_and(|word| What::named(&word).is_some())
    }

    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// An unknown word, or a value that is missing or no number; the message shows the usage.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let first = words.next();
        let Some(what) = first.as_deref().and_then(What::named) else { bail!("usage: {USAGE}") };
        let (nodes, rounds) = match what {
            What::Fan => (5_000, 5),
            What::Line => (1, 20),
            What::Revoke => (50, 20),
        };
        let mut options =
            Self { what, nodes, stalled: 50, rounds, keys: 100_000, models: 1_000, rules: 10_000 };
        while let Some(word) = words.next() {
            let value = words.next().and_then(|value| value.parse().ok());
            let value = value.with_context(|| format!("`{word}` needs a number; usage: {USAGE}"))?;
            match word.as_str() {
                "--nodes" => options.nodes = value,
                "--stalled" => options.stalled = value,
                "--rounds" => options.rounds = value,
                "--keys" => options.keys = value,
                "--models" => options.models = value,
                "--rules" => options.rules = value,
                _ => bail!("`{word}` is not known; usage: {USAGE}"),
            }
        }
        let few = options.what == What::Fan && options.nodes <= options.stalled;
        anyhow::ensure!(options.rounds > 0 && options.nodes > 0 && !few, "usage: {USAGE}");
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_nonsense_is_refused() {
        let parse = |text: &str| Options::parse(text.split_whitespace().map(str::to_owned));
        let options = parse("fan --nodes 70 --rounds 2").unwrap();
        assert_eq!((options.what, options.nodes, options.rounds), (What::Fan, 70, 2));
        assert!(parse("line").is_ok() && parse("revoke").is_ok());
        for wrong in
            ["fan --nodes 50", "", "fly", "fan --nodes", "fan --nodes x", "fan --fast 1", "line --rounds 0"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
