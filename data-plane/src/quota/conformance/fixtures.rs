//! What the checks share: instants, lines, amounts, and a way to wait for a ledger that answers from elsewhere.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::runtime::Runtime;

use crate::quota::{
    Amounts, Bound, Hold, Ledger, Limit, Line, Measure, Period, Refusal, Standing, SubjectKey, TokenClass,
    Unit,
};

pub(super) type Make<'a> = &'a dyn Fn() -> Ledger;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// An instant so many µs after noon (UTC) of an ordinary day.
pub(super) fn at(micros: i64) -> Timestamp {
    utc("2026-01-15T12:00:00Z") + jiff::SignedDuration::from_micros(micros)
}

pub(super) fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn micros(count: u64) -> Duration {
    Duration::from_micros(count)
}

pub(super) fn line(name: &str, bound: Bound) -> Line {
    Line::new(Limit::new(name, bound), SubjectKey::new("ada"))
}

pub(super) fn requests(limit: u64, per: Duration) -> Bound {
    Bound::Requests { limit, per }
}

pub(super) fn tokens(limit: u64, per: Duration) -> Bound {
    Bound::Tokens { limit, per, class: TokenClass::Total }
}

pub(super) fn spend(limit: u128) -> Bound {
    Bound::Budget { limit, of: Measure::Spend, period: berlin(Unit::Month) }
}

pub(super) fn berlin(unit: Unit) -> Period {
    Period::Calendar { unit, zone: TimeZone::get("Europe/Berlin").unwrap() }
}

/// So much of everything.
pub(super) fn amounts(count: u64) -> Amounts {
    Amounts { input_tokens: count, output_tokens: 0, spend: u128::from(count) }
}

pub(super) fn reserve(ledger: &Ledger, lines: &[Line], count: u64, now: Timestamp) -> Result<Hold, Refusal> {
    wait(ledger.reserve(lines.to_vec(), amounts(count), now))
}

pub(super) fn remaining(ledger: &Ledger, line: &Line, now: Timestamp) -> u128 {
    wait(ledger.standings(std::slice::from_ref(line), now)).first().unwrap().remaining
}

pub(super) fn standings(ledger: &Ledger, lines: &[Line], now: Timestamp) -> Vec<Standing> {
    wait(ledger.standings(lines, now))
}

/// A line of each kind, each with room for ten requests of one unit.
pub(super) fn one_of_each() -> Vec<Line> {
    let per = Duration::from_secs(3600);
    vec![
        line("rpm", requests(10, per)),
        line("tpm", tokens(10, per)),
        line("concurrent", Bound::Concurrent { limit: 10 }),
        line("spend", spend(10)),
    ]
}

/// The same limit with another bound, as a new revision would bring it.
pub(super) fn rebound(line: &Line, bound: Bound) -> Line {
    Line { limit: Arc::new(Limit { id: line.limit.id.clone(), bound }), subject: line.subject.clone() }
}
