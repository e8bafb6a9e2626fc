//! How the limits stand that count a caller's requests.
//!
//! Law: only limits that would count a request the caller may make; only its own share of them. Deliberately absent: other geos.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policy_engine::decision::LimitIx;
use policy_engine::facts::Bound;
use policy_engine::snapshot::LimitRow;
use policy_engine::vocabulary::{Period, decimal_text};

use super::catalogue::Viewer;
use crate::node::Node;
use crate::quota::{Line, SubjectKey};
use crate::runtime::{Counted, aip_name};

/// One counter, as it is shown.
pub(super) struct Counter {
    /// AIP name of the limit.
    pub(super) limit: String,
    /// The models it counts: a name, with `*` for any run of characters.
    pub(super) model: String,
    /// What it measures.
    pub(super) measure: &'static str,
    /// The currency, for spend; else empty.
    pub(super) currency: String,
    /// The window; empty for requests in flight.
    pub(super) per: String,
    /// What is allowed; for spend in nano-units, like what is left.
    pub(super) allowed: u64,
    /// What is left.
    pub(super) remaining: u64,
    /// When all of it is there again.
    pub(super) reset: Option<Timestamp>,
}

/// The counters of one model, or of all a viewer may use.
pub(super) async fn counters(node: &Node, viewer: Viewer<'_>, model: Option<&str>) -> Option<Vec<Counter>> {
    let rows = match model {
        Some(name) => vec![viewer.find(name)?],
        None => viewer.list(),
    };
    let mut counting: BTreeMap<usize, LimitIx> = BTreeMap::new();
    for row in rows {
        for (_, permit) in viewer.look(row).allowed {
            let limits = permit.candidates.iter().flat_map(|candidate| &candidate.limits);
            for ix in permit.limits.iter().chain(limits) {
                counting.insert(ix.position(), *ix);
            }
        }
    }
    let (snapshot, now) = (&viewer.runtime.snapshot, node.clock.now());
    let counted = Counted { identity: snapshot.identity(viewer.caller)?, key: &SubjectKey::new(viewer.key) };
    let known = |ix: &LimitIx| {
        let line = viewer.runtime.limits().line(snapshot, *ix, counted)?;
        Some((line, snapshot.limit(*ix)?))
    };
    let (lines, limits): (Vec<Line>, Vec<&LimitRow>) = counting.values().filter_map(known).unzip();
    let at = Timestamp::from_microsecond(now.0).unwrap_or_default();
    let standings = node.ledger.standings(&lines, at).await;
    let shown = limits.into_iter().zip(standings).map(|(row, standing)| {
        let fit = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        let (measure, currency, per) = words(&row.bound);
        let concurrent = matches!(row.bound, Bound::Concurrent(_));
        Counter {
            limit: aip_name(&row.id),
            model: row.models.as_ref().map_or("*", |glob| glob.as_str()).to_owned(),
            measure,
            currency,
            per: per.map(|per| per.to_string()).unwrap_or_default(),
            allowed: fit(standing.limit.bound.limit()),
            remaining: fit(standing.remaining),
            reset: at.checked_add(standing.reset).ok().filter(|_| !concurrent),
        }
    });
    let mut shown: Vec<_> = shown.collect();
    shown.sort_by(|a, b| (&a.limit, &a.model).cmp(&(&b.limit, &b.model)));
    Some(shown)
}

impl Counter {
    /// What was used.
    pub(super) fn consumed(&self) -> u64 {
        self.allowed.saturating_sub(self.remaining)
    }

    /// A number of this counter as a decimal amount of its currency, for spend; else empty.
    pub(super) fn amount(&self, number: u64) -> String {
        if self.currency.is_empty() {
            return String::new();
        }
        decimal_text(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

fn words(bound: &Bound) -> (&'static str, String, Option<&Period>) {
    match bound {
        Bound::Requests(_, per) => ("requests", String::new(), Some(per)),
        Bound::Tokens(_, per) => ("tokens", String::new(), Some(per)),
        Bound::InputTokens(_, per) => ("inputTokens", String::new(), Some(per)),
        Bound::OutputTokens(_, per) => ("outputTokens", String::new(), Some(per)),
        Bound::Spend(money, per) => ("spend", money.currency.to_string(), Some(per)),
        Bound::Concurrent(_) => ("concurrent", String::new(), None),
        Bound::Seats(_, per) => ("seats", String::new(), Some(per)),
    }
}
