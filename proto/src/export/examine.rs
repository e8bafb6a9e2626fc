//! One export under examination: its header, its events and its end, held against each other and against what is trusted.

use prost::Message as _;

use super::chain::{Chain, Seen};
use super::fault::{Fault, Kind, Report};
use super::header::{End, Header};
use super::keys::Trust;
use super::record::Entry;
use crate::admin::AuditEvent;
use crate::checkpoint::Checkpoint;
use crate::tree::{self, Hash};

/// What is known of it so far.
pub(super) struct Examined<'a> {
    header: Header,
    /// The root that is claimed, where the checkpoint says one.
    root: Option<Hash>,
    chain: Chain,
    earlier: Option<&'a Checkpoint>,
    /// The line of the header, and the hash over what comes before the first event.
    opened: (u64, String),
    pub(super) report: Report,
}

impl<'a> Examined<'a> {
    /// Begins with the header, on a line.
    pub(super) fn new(header: Header, line: u64, trust: &Trust<'a>) -> Self {
        let mut report = Report {
            origin: header.origin.clone(),
            size: header.size,
            complete: header.complete,
            ..Report::default()
        };
        let claimed = Checkpoint::claimed(&header.checkpoint).ok();
        match trust.keys.verify(&header.checkpoint) {
            Ok((_, by)) => report.keys = by.iter().map(|key| key.name_and_id()).collect(),
            Err(untrusted) => {
                report.tell(Fault::at(untrusted.kind(), line, None, untrusted.to_string()));
            }
        }
        if let Some(claimed) = &claimed {
            let said = (&header.origin, header.size, header.complete);
            if said != (&claimed.origin, claimed.size, header.filter.is_none()) {
                let what = format!(
                    "the header is not of its checkpoint, which is of {} events of `{}`",
                    claimed.size, claimed.origin
                );
                report.tell(Fault::at(Kind::Invalid, line, None, what));
            }
        }
        let chain = Chain::new(header.complete, trust.earlier.map(|earlier| earlier.size));
        let root = claimed.map(|claimed| claimed.root);
        Self { header, root, chain, earlier: trust.earlier, opened: (line, String::new()), report }
    }

    /// The hash over everything before the first event.
    pub(super) fn opened(&mut self, hash: String) {
        self.opened.1 = hash;
    }

    /// A line that is none of an export.
    pub(super) fn unreadable(&mut self, line: u64, what: &str) {
        let due = self.chain.due();
        let what = match due {
            Some(_) => what.to_owned(),
            None => format!("after event {}: {what}", self.chain.at()),
        };
        self.report.tell(Fault::at(Kind::Invalid, line, due, what));
        self.report.events = self.report.events.saturating_add(1);
        self.chain.unread();
    }

    /// The line of an event.
    pub(super) fn event(&mut self, line: u64, entry: &Entry<'_>) {
        let leaf = &entry.leaf;
        let own = tree::leaf(&[leaf.prev_hash.as_slice(), &leaf.body].concat());
        let body = AuditEvent::decode(leaf.body.as_slice()).ok();
        // Of a line and a body that say different numbers, the one that the hash is over counts.
        let numbered =
            body.as_ref().filter(|_| own == leaf.hash).and_then(|b| u64::try_from(b.sequence).ok());
        let sequence = numbered.filter(|number| *number > 0).unwrap_or(leaf.sequence);
        let wrong = self.wrong(entry, own, body.as_ref());
        let told = wrong.is_some();
        if let Some(what) = wrong {
            self.report.tell(Fault::at(Kind::Invalid, line, Some(sequence), what));
        }
        let before = entry.after.filter(|_| !self.header.complete).unwrap_or(sequence.saturating_sub(1));
        let (prev, said) = (leaf.prev_hash, leaf.hash);
        let seen = Seen { line, sequence, before, prev, own, said, told };
        self.chain.event(seen, &mut self.report);
        self.report.events = self.report.events.saturating_add(1);
        let (first, last) = self.report.range;
        self.report.range = (if first == 0 { sequence } else { first.min(sequence) }, last.max(sequence));
    }

    /// What is wrong with an event's line by itself.
    fn wrong(&self, entry: &Entry<'_>, own: Hash, body: Option<&AuditEvent>) -> Option<String> {
        let leaf = &entry.leaf;
        if own != leaf.hash {
            return Some("its hash is not that of its body after the hash before".to_owned());
        }
        let Some(body) = body else { return Some("its body is no event".to_owned()) };
        if body.encode_to_vec() != leaf.body {
            return Some(
                "its body says more than this build reads: verify by one that is as new as the log"
                    .to_owned(),
            );
        }
        if u64::try_from(body.sequence) != Ok(leaf.sequence) {
            return Some(format!("it says that it is {}, its body {}", leaf.sequence, body.sequence));
        }
        if !(1..=self.header.size).contains(&leaf.sequence) {
            return Some(format!("it is not one of the {} events of the log", self.header.size));
        }
        let alone = self.header.complete && (entry.after.is_some() || !leaf.inclusion.is_empty());
        if alone || (!self.header.complete && entry.after.is_none()) {
            return Some("it is spelled otherwise than the header says".to_owned());
        }
        if let Some(differs) = entry.differs(body) {
            return Some(differs);
        }
        let root = self.root.filter(|_| !self.header.complete)?;
        let place = (leaf.sequence.saturating_sub(1), own);
        match tree::includes((self.header.size, &root), place, &leaf.inclusion) {
            true => None,
            false => Some("it is not proved to be in the log".to_owned()),
        }
    }

    /// The last line, and the hash over everything before it.
    pub(super) fn end(&mut self, line: u64, (end, before): (&End, &str)) {
        self.chain.end((self.header.size, Some(end)), line, &mut self.report);
        // What was changed in other lines is told of them alone.
        let wrong =
            |report: &Report| report.faults.iter().any(|f| matches!(f.kind, Kind::Invalid | Kind::Gap));
        let said = (end.events, end.last);
        if !wrong(&self.report) && said != (self.report.events, self.chain.at().max(self.report.range.1)) {
            let what = format!("the end is of {} events up to {}, others are there", end.events, end.last);
            self.report.tell(Fault::at(Kind::Invalid, line, None, what));
        }
        let (first, opened) = (self.opened.0, &self.opened.1);
        // What is before the first event has two hashes over it, the end has none.
        let changed = match (end.header == *opened, end.file == before) {
            (true, true) => None,
            (false, false) => Some((first, "the header is not what was exported")),
            _ => Some((line, "the end is not what was exported")),
        };
        let is_told = wrong(&self.report) || self.report.faults.iter().any(|fault| fault.line <= first);
        if let Some((line, what)) = changed.filter(|_| !is_told) {
            self.report.tell(Fault::at(Kind::Invalid, line, None, what));
        }
    }

    /// The file ends before its end, within or after a line.
    pub(super) fn cut(&mut self, line: u64) {
        self.chain.end((self.header.size, None), line, &mut self.report);
        let at = self.chain.at();
        let what = match (at, self.header.complete) {
            (0, _) => "the file ends before the first event".to_owned(),
            (at, true) => format!("the file ends after event {at} of {}", self.header.size),
            (at, false) => format!("the file ends after event {at}"),
        };
        self.report.tell(Fault::at(Kind::Truncated, line, Some(at).filter(|at| *at > 0), what));
    }

    /// There is more behind the end.
    pub(super) fn behind(&mut self, line: u64) {
        self.report.tell(Fault::at(Kind::Invalid, line, None, "there is more behind the end"));
    }

    /// Holds what all events make together against what was signed, and gives what is to be told; the last line is this.
    pub(super) fn done(mut self, line: u64) -> Report {
        if let Some(root) = &self.root {
            self.chain.root(root, &mut self.report);
        }
        if let Some(earlier) = self.earlier {
            match self.goes_on_from(earlier) {
                Ok(()) => self.report.extends = Some(earlier.size),
                Err(what) => self.report.tell(Fault::at(Kind::Rewritten, line, None, what)),
            }
        }
        self.report.faults.sort_by_key(|fault| fault.line);
        self.report
    }

    fn goes_on_from(&self, earlier: &Checkpoint) -> Result<(), String> {
        let size = earlier.size;
        if earlier.origin != self.header.origin {
            return Err(format!("the checkpoint that was kept is of the log `{}`", earlier.origin));
        }
        if size > self.header.size {
            return Err(format!("the log had {size} events before, and has {} here", self.header.size));
        }
        if !self.header.complete {
            return Err("that a log goes on from a checkpoint is shown by an export of the whole".to_owned());
        }
        match self.chain.earlier() {
            _ if size == 0 => Ok(()),
            Some(root) if root == earlier.root => Ok(()),
            Some(_) => {
                Err(format!("the first {size} events are others than they were at the checkpoint kept"))
            }
            None => Err(format!("events are missing, so that the first {size} are not known")),
        }
    }
}
