//! One export under examination: its header, its events and its end, held against each other and against what is trusted.

use prost::Message as _;

use super::chain::{Chain, Seen};
use super::fault::{Fault, Kind, Report};
use super::header::{End, Header};
use super::keys::Trust;
use super::known::Known;
use super::lawful::Lawful;
use super::pruned::{Pruned, untold};
use super::record::Entry;
use crate::admin::AuditEvent;
use crate::checkpoint::Checkpoint;
use crate::pruned::told_by;
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
    pruned: Pruned,
    /// Whether the log allows what was pruned of it.
    lawful: Lawful<'a>,
    /// What is to be known of the events later on, where that is wanted.
    pub(super) known: Option<Known>,
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
        let (opened, pruned) = ((line, String::new()), Pruned::default());
        let lawful = Lawful::new(header.complete, trust.known);
        Self { header, root, chain, earlier: trust.earlier, opened, pruned, lawful, known: None, report }
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
        if leaf.pruned_by.is_some() {
            return self.pruned(line, entry);
        }
        let own = tree::leaf(&[leaf.prev_hash.as_slice(), &leaf.body].concat());
        let body = AuditEvent::decode(leaf.body.as_slice()).ok();
        // Of a line and a body that say different numbers, the one that the hash is over counts.
        let numbered =
            body.as_ref().filter(|_| own == leaf.hash).and_then(|b| u64::try_from(b.sequence).ok());
        let sequence = numbered.filter(|number| *number > 0).unwrap_or(leaf.sequence);
        let wrong = self.wrong(entry, own, body.as_ref());
        let told = wrong.is_some();
        match (wrong, &body) {
            (Some(what), _) => {
                self.report.tell(Fault::at(Kind::Invalid, line, Some(sequence), what));
                // What it told of others can't be known, and is wrong for no other reason.
                self.pruned.takes(sequence);
            }
            (None, Some(body)) => {
                let (said, runs) = (self.pruned.takes(sequence), told_by(body));
                for (line, untold) in untold(&said, runs.as_deref()) {
                    let what = format!("it says that it was pruned, and event {sequence} does not tell so");
                    self.report.tell(Fault::at(Kind::Invalid, line, Some(untold), what));
                }
                self.lawful.event((line, body), &said, &mut self.report);
                if let Some(known) = &mut self.known {
                    known.add(sequence, body);
                }
            }
            (None, None) => {}
        }
        let before = entry.after.filter(|_| !self.header.complete).unwrap_or(sequence.saturating_sub(1));
        let (prev, said) = (leaf.prev_hash, leaf.hash);
        self.follows(Seen { line, sequence, before, prev, own, said, told, bound: true });
    }

    /// The line of an event whose body was pruned: its hash is the log's word for it, which the root and the events around it show.
    fn pruned(&mut self, line: u64, entry: &Entry<'_>) {
        let leaf = &entry.leaf;
        let due = self.chain.due_after(&leaf.prev_hash).unwrap_or(leaf.sequence);
        let wrong = self.wrongly_pruned(entry, due);
        let told = wrong.is_some();
        match (wrong, leaf.pruned_by) {
            (Some(what), _) => self.report.tell(Fault::at(Kind::Invalid, line, Some(due), what)),
            (None, Some(by)) => self.pruned.said((line, due), (by, self.lawful.least())),
            (None, None) => {}
        }
        let before = entry.after.filter(|_| !self.header.complete).unwrap_or(due.saturating_sub(1));
        let (prev, own) = (leaf.prev_hash, leaf.hash);
        self.report.pruned = self.report.pruned.saturating_add(1);
        self.follows(Seen { line, sequence: due, before, prev, own, said: own, told, bound: false });
    }

    fn follows(&mut self, seen: Seen) {
        let sequence = seen.sequence;
        self.chain.event(seen, &mut self.report);
        self.report.events = self.report.events.saturating_add(1);
        let (first, last) = self.report.range;
        self.report.range = (if first == 0 { sequence } else { first.min(sequence) }, last.max(sequence));
    }

    /// What is wrong with the line of an event whose body was pruned by itself; by its place it is this one.
    fn wrongly_pruned(&self, entry: &Entry<'_>, due: u64) -> Option<String> {
        let leaf = &entry.leaf;
        if !leaf.body.is_empty() {
            return Some("it says that it was pruned, and has a body".to_owned());
        }
        if leaf.sequence != due {
            return Some(format!(
                "it says that it is {}, and follows event {}",
                leaf.sequence,
                due.saturating_sub(1)
            ));
        }
        let by = leaf.pruned_by.unwrap_or_default();
        if !(leaf.sequence.saturating_add(1)..=self.header.size).contains(&by) {
            return Some(format!("it says that event {by} tells that it was pruned, which can't be"));
        }
        self.misplaced(entry).or_else(|| entry.differs(None)).or_else(|| self.unproved(entry, leaf.hash))
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
        self.misplaced(entry).or_else(|| entry.differs(Some(body))).or_else(|| self.unproved(entry, own))
    }

    /// That an event's line is none of an export with such a header.
    fn misplaced(&self, entry: &Entry<'_>) -> Option<String> {
        let leaf = &entry.leaf;
        if !(1..=self.header.size).contains(&leaf.sequence) {
            return Some(format!("it is not one of the {} events of the log", self.header.size));
        }
        let alone = self.header.complete && (entry.after.is_some() || !leaf.inclusion.is_empty());
        let is_other = alone || (!self.header.complete && entry.after.is_none());
        is_other.then(|| "it is spelled otherwise than the header says".to_owned())
    }

    /// That an event of an export of some is not shown to be in the log.
    fn unproved(&self, entry: &Entry<'_>, own: Hash) -> Option<String> {
        let leaf = &entry.leaf;
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
        self.untold();
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
        let is_told = wrong(&self.report)
            || self.chain.is_disputed()
            || self.report.faults.iter().any(|fault| fault.line <= first);
        if let Some((line, what)) = changed.filter(|_| !is_told) {
            self.report.tell(Fault::at(Kind::Invalid, line, None, what));
        }
    }

    /// Tells of events that say that they were pruned where nothing tells so, unless what tells it may be what is missing.
    fn untold(&mut self) {
        let left = self.pruned.left();
        let is_whole =
            self.report.faults.iter().all(|fault| !matches!(fault.kind, Kind::Invalid | Kind::Gap));
        for (line, sequence) in left.into_iter().filter(|_| is_whole) {
            let what = "it says that it was pruned, and the event that is to tell so is not there";
            self.report.tell(Fault::at(Kind::Invalid, line, Some(sequence), what));
        }
    }

    /// The file ends before its end, within or after a line.
    pub(super) fn cut(&mut self, line: u64) {
        self.chain.end((self.header.size, None), line, &mut self.report);
        let at = self.chain.at();
        let what = match (at, self.header.complete) {
            (0, _) => "the file ends before the first event".to_owned(),
            (at, true) if at == self.header.size && self.report.events == at => {
                format!(
                    "every one of the {at} events is there, and the closing line, which tells that it is whole, is not: export it anew"
                )
            }
            (at, true) => format!("the file ends after event {at} of {}", self.header.size),
            (at, false) => format!("the file ends after event {at}, and the closing line is missing"),
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
        // Where something else is wrong, what allows a pruning may be what is wrong.
        let is_whole =
            self.report.faults.iter().all(|fault| !matches!(fault.kind, Kind::Invalid | Kind::Gap));
        for fault in self.lawful.ends().into_iter().filter(|_| is_whole) {
            self.report.tell(fault);
        }
        if let Some(earlier) = self.earlier {
            match self.goes_on_from(earlier) {
                Ok(()) => self.report.extends = Some(earlier.size),
                Err((kind, what)) => self.report.tell(Fault::at(kind, line, None, what)),
            }
        }
        self.report.faults.sort_by_key(|fault| fault.line);
        self.report
    }

    fn goes_on_from(&self, earlier: &Checkpoint) -> Result<(), (Kind, String)> {
        let (size, here) = (earlier.size, self.header.size);
        let rewritten = |what: String| Err((Kind::Rewritten, what));
        if earlier.origin != self.header.origin {
            return rewritten(format!("the checkpoint that was kept is of the log `{}`", earlier.origin));
        }
        if size > here {
            // It may be that the log was cut, or that the checkpoint is the newer of two honest ones: neither shows by the file.
            let what = format!(
                "the log has {here} events here, and had {size} at the checkpoint: where this was exported before the checkpoint was made, \
                 export the log anew, or take a checkpoint from before; where it was exported after, the log was cut"
            );
            return Err((Kind::Older, what));
        }
        if !self.header.complete {
            let what = "that a log goes on from a checkpoint is shown by an export of the whole";
            return rewritten(what.to_owned());
        }
        match self.chain.earlier() {
            _ if size == 0 => Ok(()),
            Some(root) if root == earlier.root => Ok(()),
            Some(_) => {
                rewritten(format!("the first {size} events are others than they were at the checkpoint kept"))
            }
            None => rewritten(format!("events are missing, so that the first {size} are not known")),
        }
    }
}
