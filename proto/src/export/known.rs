//! What an export that was kept says of each event, for who verifies a later one: what of it may have gone since, and when.
//!
//! Law: of an event that was there with its body nothing has to be believed later. It keeps a few bytes an event, and no body.

use crate::admin::AuditEvent;
use crate::convert;
use crate::pruned::{Class, class};

/// An event of which the body was there.
#[derive(Debug, Clone, Copy)]
struct Seen {
    sequence: u64,
    /// When it happened, in microseconds since the Unix epoch.
    time: i64,
    fate: Fate,
}

/// What may become of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays for good.
    Stays,
    /// It may go with its class.
    Goes(Class),
}

/// What is known of events from an export that was kept.
#[derive(Debug, Default)]
pub struct Known(Vec<Seen>);

impl Known {
    /// An event, in its order.
    pub(super) fn add(&mut self, sequence: u64, event: &AuditEvent) {
        let time = event.create_time.as_ref().and_then(convert::instant).map_or(0, |instant| instant.0);
        let fate = class(event).map_or(Fate::Stays, Fate::Goes);
        if self.0.last().is_none_or(|last| last.sequence < sequence) {
            self.0.push(Seen { sequence, time, fate });
        }
    }

    /// When an event was, and what may become of it.
    pub(super) fn of(&self, sequence: u64) -> Option<(i64, Fate)> {
        let at = self.0.binary_search_by_key(&sequence, |seen| seen.sequence).ok()?;
        self.0.get(at).map(|seen| (seen.time, seen.fate))
    }
}
