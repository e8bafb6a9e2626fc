//! The figures, as text on standard output. The only file of the fleet that prints.

use std::io::{self, Write};
use std::time::Duration;

/// How a number of times are spread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Spread {
    /// Of some times; all zero of none.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len() as f64 * share).ceil() as usize;
            times.get(place.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { count: times.len(), p50: at(0.50), p99: at(0.99), max: at(1.0) }
    }
}

/// One figure, and its limit where it has one.
pub(crate) fn figure(what: &str, found: &str, limit: &str) -> io::Result<()> {
    let limit = if limit.is_empty() { String::new() } else { format!("   limit {limit}") };
    writeln!(io::stdout(), "{what:<58} {found}{limit}")
}

/// The spread of some times, beside the limit.
pub(crate) fn spread(what: &str, spread: Spread, limit: &str) -> io::Result<()> {
    let Spread { count, p50, p99, max } = spread;
    figure(what, &format!("p50 {p50:.1?} p99 {p99:.1?} max {max:.1?} (n {count})"), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_the_times_there_were() {
        let spread = Spread::of((1..=200).rev().map(Duration::from_millis).collect());
        let millis = [spread.p50, spread.p99, spread.max].map(|time| time.as_millis());
        assert_eq!((spread.count, millis), (200, [100, 198, 200]));
        assert_eq!(Spread::of(Vec::new()).max, Duration::ZERO);
    }
}
