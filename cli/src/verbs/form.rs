//! How an answer is shown: one option of every verb, with the same words everywhere.
//!
//! Law: what a program reads is alone on standard output; whatever else there is to say goes to standard error then.

use clap::{ArgMatches, Args, ValueEnum};

use crate::client::Reply;
use crate::output::{self, yaml};

/// The id of the option.
const OPTION: &str = "output";

/// How an answer is shown.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Shown {
    /// `text` is for people; `json` prints what REST answered, and errors as REST tells them; `yaml` is the same as YAML.
    #[arg(short, long, value_enum, default_value_t = Form::Text, value_name = "FORM")]
    pub(super) output: Form,
}

/// The forms there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    #[value(alias = "table")]
    Text,
    /// What REST answered.
    Json,
    /// The same as YAML; of resources, as files declare them.
    Yaml,
}

impl Form {
    /// The form that a command line asks for, of whatever verb.
    pub(crate) fn asked(line: &ArgMatches) -> Self {
        match line.subcommand() {
            Some((_, deeper)) => Self::asked(deeper),
            None => line.try_get_one(OPTION).ok().flatten().copied().unwrap_or(Self::Text),
        }
    }
}

impl Form {
    /// Whether the words of a line that could not be read ask for JSON, as far as they can be read.
    pub(crate) fn is_json(line: impl Iterator<Item = String>) -> bool {
        let mut before = String::new();
        line.take_while(|word| word != "--").any(|word| {
            let beside = matches!(word.as_str(), "-ojson" | "-o=json" | "--output=json");
            let apart = word == "json" && matches!(before.as_str(), "-o" | "--output");
            before = word;
            beside || apart
        })
    }
}

impl Shown {
    /// Prints an answer: as it came, as YAML, or as `text` tells it.
    pub(super) fn print(self, reply: &Reply, text: impl FnOnce() -> String) {
        match self.output {
            Form::Json => output::line(reply.text.trim_end()),
            Form::Yaml => output::text_as_is(&yaml::answer(&reply.text)),
            Form::Text => output::text_as_is(&text()),
        }
    }

    /// Whether people read it.
    pub(super) fn is_text(self) -> bool {
        self.output == Form::Text
    }

    /// Tells people more about what is done.
    pub(super) fn say(self, line: &str) {
        if self.is_text() { output::line(line) } else { output::complain(line) }
    }

    /// Tells people what leads up to an error; where errors are JSON, it is that alone.
    pub(super) fn lead(self, line: &str) {
        if self.output != Form::Json {
            output::complain(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::command::Chancery;

    /// Every verb below a command, with the words that lead there.
    fn verbs(command: &clap::Command, path: &[String], found: &mut Vec<(Vec<String>, clap::Command)>) {
        let below: Vec<_> = command.get_subcommands().filter(|below| below.get_name() != "help").collect();
        if below.is_empty() {
            found.push((path.to_vec(), command.clone()));
        }
        for deeper in below {
            verbs(deeper, &[path, &[deeper.get_name().to_owned()]].concat(), found);
        }
    }

    #[test]
    fn every_verb_takes_the_same_forms() {
        let mut found = Vec::new();
        verbs(&Chancery::command(), &[], &mut found);
        let roles = ["dev", "control-plane", "data-plane"];
        found.retain(|(path, _)| !roles.contains(&path.join(" ").as_str()));
        assert!(found.len() > 20, "{}", found.len());
        for (path, command) in found {
            let option = command.get_arguments().find(|argument| argument.get_id() == OPTION);
            let option = option.unwrap_or_else(|| panic!("{path:?} has no -o"));
            assert_eq!((option.get_short(), option.get_long()), (Some('o'), Some(OPTION)), "{path:?}");
            let values: Vec<_> = option.get_possible_values();
            for form in ["text", "table", "json", "yaml"] {
                assert!(values.iter().any(|value| value.matches(form, false)), "{path:?} {form}");
            }
        }
    }

    #[test]
    fn a_line_that_can_not_be_read_asks_for_json_in_every_way_there_is() {
        let asks = |line: &str| Form::is_json(line.split(' ').map(str::to_owned));
        for line in
            ["kill -o json", "kill -ojson --x", "-o=json kill", "kill --output json", "kill --output=json"]
        {
            assert!(asks(line), "{line}");
        }
        for line in ["kill", "kill -o yaml", "get json", "kill -- -o json", "kill -o text json"] {
            assert!(!asks(line), "{line}");
        }
    }

    #[test]
    fn the_form_is_that_of_the_verb_that_is_asked_for() {
        let asked = |line: &[&str]| {
            Form::asked(&Chancery::command().try_get_matches_from([&["chancery"], line].concat()).unwrap())
        };
        assert_eq!(asked(&["get", "models"]), Form::Text);
        assert_eq!(asked(&["get", "models", "-o", "table"]), Form::Text);
        assert_eq!(asked(&["revisions", "list", "-o", "json"]), Form::Json);
        assert_eq!(asked(&["export"]), Form::Yaml);
        assert_eq!(asked(&[]), Form::Text);
    }
}
