//! Reading what came over the wire: every fault of a message is found and named by its path, not the first alone.
//!
//! Law: a fault says where and what, in the words of the JSON form; it never repeats a secret.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Members a list of a resource may have at most.
const MAX_ITEMS: usize = 10_000;

/// Bytes a free text of a resource may have at most.
const MAX_TEXT: usize = 16 * 1024;

/// One step of a path into a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A field, by its JSON name.
    Field(&'static str),
    /// A member of a list, from 0.
    Index(usize),
}

/// Where in a message; shown as `spec.route.groups[0].targets[1].endpoint`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldPath(pub Vec<Step>);

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) if at == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// It must be given, and is not.
    #[error("is missing")]
    Missing,
    /// It is given, and can't be this.
    #[error("{0}")]
    Invalid(String),
}

/// One fault of a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {problem}")]
pub struct FieldFault {
    /// Where.
    pub field: FieldPath,
    /// What.
    pub problem: Problem,
}

/// Every fault of a message; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<FieldFault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Faults {
    /// A single fault of one field.
    pub fn of(field: &'static str, problem: Problem) -> Self {
        Self(vec![FieldFault { field: FieldPath(vec![Step::Field(field)]), problem }])
    }

    /// A single fault of the whole message.
    pub fn whole(reason: impl fmt::Display) -> Self {
        Self(vec![FieldFault { field: FieldPath::default(), problem: Problem::Invalid(reason.to_string()) }])
    }
}

/// Collects faults while a message is read.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    path: Vec<Step>,
    faults: Vec<FieldFault>,
}

impl Checks {
    /// Begins inside `spec`, where every declarative resource keeps what is declared.
    pub(crate) fn spec() -> Self {
        Self { path: vec![Step::Field("spec")], faults: Vec::new() }
    }

    /// Notes a fault of a field of the message being read.
    pub(crate) fn fault(&mut self, field: &'static str, problem: Problem) {
        self.at(field, |c| c.fault_here(problem));
    }

    /// Notes that a field is given and wrong.
    pub(crate) fn invalid(&mut self, field: &'static str, reason: impl fmt::Display) {
        self.fault(field, Problem::Invalid(reason.to_string()));
    }

    /// Notes a fault of the message being read as a whole.
    pub(crate) fn fault_here(&mut self, problem: Problem) {
        self.faults.push(FieldFault { field: FieldPath(self.path.clone()), problem });
    }

    /// Notes a fault, if there is one, of a field.
    pub(crate) fn fits<T>(&mut self, field: &'static str, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| self.invalid(field, why)).ok()
    }

    /// Reads the message in a field.
    pub(crate) fn at<T>(&mut self, field: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.step(Step::Field(field), read)
    }

    fn step<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let value = read(self);
        self.path.pop();
        value
    }

    /// Reads every member of a list; members that are at fault are left out.
    pub(crate) fn each<W, T>(
        &mut self,
        field: &'static str,
        items: &[W],
        mut read: impl FnMut(&mut Self, &W) -> Option<T>,
    ) -> Vec<T> {
        if items.len() > MAX_ITEMS {
            self.invalid(field, format_args!("has more than {MAX_ITEMS} members"));
            return Vec::new();
        }
        self.at(field, |c| {
            let members = items.iter().enumerate();
            members.filter_map(|(at, item)| c.step(Step::Index(at), |c| read(c, item))).collect()
        })
    }

    /// Reads every member of a list of words.
    pub(crate) fn list<T>(&mut self, field: &'static str, items: &[String]) -> Vec<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        self.list_by(field, items, T::from_str)
    }

    /// Reads every member of a list of words by a function of their own.
    pub(crate) fn list_by<T, E: fmt::Display>(
        &mut self,
        field: &'static str,
        items: &[String],
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        self.each(field, items, |c, item| match parse(item) {
            Ok(value) => Some(value),
            Err(error) => {
                c.fault_here(Problem::Invalid(error.to_string()));
                None
            }
        })
    }

    /// Reads a word that must be there.
    pub(crate) fn required<T>(&mut self, field: &'static str, text: &str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        if text.is_empty() {
            self.fault(field, Problem::Missing);
            return None;
        }
        self.optional(field, text)
    }

    /// Reads a word that may be absent, that is empty.
    pub(crate) fn optional<T>(&mut self, field: &'static str, text: &str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        self.optional_by(field, text, T::from_str)
    }

    /// Reads a word that may be absent, by a function of its own.
    pub(crate) fn optional_by<T, E: fmt::Display>(
        &mut self,
        field: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if text.is_empty() {
            return None;
        }
        parse(text).map_err(|error| self.invalid(field, error)).ok()
    }

    /// Reads free text of bounded length, without control characters other than line ends and tabs.
    pub(crate) fn text(&mut self, field: &'static str, text: &str) -> String {
        self.optional_by(field, text, free_text).unwrap_or_default()
    }

    /// Reads free text that may be absent, that is empty.
    pub(crate) fn optional_text(&mut self, field: &'static str, text: &str) -> Option<String> {
        self.optional_by(field, text, free_text)
    }

    /// Reads a list of free texts, none of them empty.
    pub(crate) fn texts(&mut self, field: &'static str, items: &[String]) -> Vec<String> {
        self.list_by(
            field,
            items,
            |text| if text.is_empty() { Err("is empty".to_owned()) } else { free_text(text) },
        )
    }

    /// Gives what was read, or every fault that was found on the way.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, Faults> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => {
                if self.faults.is_empty() {
                    self.fault_here(Problem::Missing);
                }
                Err(Faults(self.faults))
            }
        }
    }
}

fn free_text(text: &str) -> Result<String, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("is longer than {MAX_TEXT} bytes"));
    }
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
        Some(c) => Err(format!("has the control character `{}`", c.escape_default())),
        None => Ok(text.to_owned()),
    }
}
