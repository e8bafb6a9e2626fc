//! What is wrong with an export, and what is told of one that was looked through.

use crate::pruned::Allowed;

/// Faults that are told at most; the others are counted.
const MOST: usize = 20;

/// The kinds of faults a script can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A line is not what was exported: it, its event or its proof was changed.
    Invalid,
    /// Lines are missing.
    Gap,
    /// The file ends before its end.
    Truncated,
    /// The checkpoint, or a signature on it, is not what a key signed.
    Signature,
    /// None of the keys signed the checkpoint.
    UnknownKey,
    /// The keys are of other logs.
    Foreign,
    /// The log is not shown to go on from the checkpoint that was kept before.
    Rewritten,
    /// The log had fewer events than the checkpoint that was kept: it was exported before, or the log was cut since.
    Older,
    /// It is no export that this build reads.
    NotAnExport,
    /// There is nothing in it.
    Empty,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Of what kind.
    pub kind: Kind,
    /// The line at which it shows, from 1.
    pub line: u64,
    /// The event it is of, or the first of a gap; `None` where it is of none.
    pub sequence: Option<u64>,
    /// The last of a gap; `None` of what is no gap.
    pub through: Option<u64>,
    /// What is wrong, for people.
    pub what: String,
}

/// Events that were pruned by one retention, as it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruning {
    /// The retention's AIP name.
    pub retention: String,
    /// For how long it keeps.
    pub keep: String,
    /// The event that set it.
    pub set_by: u64,
    /// The first and the last event that tells of it.
    pub told_by: (u64, u64),
    /// How many events went.
    pub events: u64,
}

/// What is told of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The log, as the export names it.
    pub origin: String,
    /// How many events the log had.
    pub size: u64,
    /// Whether it is an export of the whole log.
    pub complete: bool,
    /// Events that were looked at.
    pub events: u64,
    /// How many of them were pruned, as other events of the export tell.
    pub pruned: u64,
    /// By what they were, as the log allows it; of an export of some nothing: that is shown by the whole alone.
    pub prunings: Vec<Pruning>,
    /// The first and the last of all of them; 0: there was none.
    pub range: (u64, u64),
    /// The keys by which its checkpoint is signed, each as `name+id`.
    pub keys: Vec<String>,
    /// The size of the checkpoint kept before which it goes on from; `None` where none was given or it does not.
    pub extends: Option<u64>,
    /// What is wrong, by lines; nothing: it is valid.
    pub faults: Vec<Fault>,
    /// How many more faults there are.
    pub more: u64,
}

impl Kind {
    /// Every kind, with the word a program knows it by.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Invalid, "invalid"),
        (Self::Gap, "gap"),
        (Self::Truncated, "truncated"),
        (Self::Signature, "bad_signature"),
        (Self::UnknownKey, "unknown_key"),
        (Self::Foreign, "foreign"),
        (Self::Rewritten, "rewritten"),
        (Self::Older, "older"),
        (Self::NotAnExport, "not_an_export"),
        (Self::Empty, "empty"),
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("invalid", |(_, word)| *word)
    }
}

impl Fault {
    pub(super) fn at(kind: Kind, line: u64, sequence: Option<u64>, what: impl Into<String>) -> Self {
        Self { kind, line, sequence, through: None, what: what.into() }
    }

    pub(super) fn gap(line: u64, (first, last): (u64, u64), what: impl Into<String>) -> Self {
        Self { through: Some(last), ..Self::at(Kind::Gap, line, Some(first), what) }
    }
}

impl Pruning {
    pub(super) fn of(by: Allowed, sequence: u64, events: u64) -> Self {
        let Allowed { retention, set_by, keep, .. } = by;
        Self { retention, keep, set_by, told_by: (sequence, sequence), events }
    }
}

impl Report {
    pub(super) fn prunes(&mut self, more: Pruning) {
        match self.prunings.iter_mut().find(|known| known.set_by == more.set_by) {
            Some(known) => {
                known.told_by.1 = more.told_by.1;
                known.events = known.events.saturating_add(more.events);
            }
            None => self.prunings.push(more),
        }
    }

    /// What is wrong with it first; `None` where it is valid.
    pub fn verdict(&self) -> Option<Kind> {
        self.first().map(|fault| fault.kind)
    }

    /// The same with where it is. That something is missing is the less where something else was changed.
    pub fn first(&self) -> Option<&Fault> {
        let first = self.faults.first()?;
        let changed = self.faults.iter().find(|fault| fault.kind == Kind::Invalid);
        Some(changed.filter(|_| first.kind == Kind::Gap).unwrap_or(first))
    }

    pub(super) fn tell(&mut self, fault: Fault) {
        if self.faults.len() < MOST {
            self.faults.push(fault);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}
