//! What one row comes to, and the median of its rounds.

use crate::load::Tally;
use crate::rows::Row;

/// The figures of one row on one subject.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// Answers a second; for streams, events a second.
    pub(crate) rate: f64,
    /// Processor time of the subject for a request, in microseconds.
    pub(crate) processor_us: f64,
    /// The same for an event; 0 where there are none.
    pub(crate) processor_us_per_event: f64,
    /// Until the last byte.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Until the first byte of the body, median.
    pub(crate) first_byte_us: f64,
}

/// One row on both subjects.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    pub(crate) row: Row,
    pub(crate) limit: Figures,
    pub(crate) gateway: Option<Figures>,
}

impl Figures {
    /// The figures of one window, in which the subject used `processor` nanoseconds.
    pub(crate) fn of(tally: &Tally, processor: u64) -> Self {
        let seconds = tally.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        let each = |count: u64| if count == 0 { 0.0 } else { processor as f64 / 1e3 / count as f64 };
        let counted = if tally.events > 0 { tally.events } else { tally.requests };
        Figures {
            rate: counted as f64 / seconds,
            processor_us: each(tally.requests),
            processor_us_per_event: each(tally.events),
            p50_us: tally.whole.quantile(0.5) / 1e3,
            p99_us: tally.whole.quantile(0.99) / 1e3,
            first_byte_us: tally.first_byte.quantile(0.5) / 1e3,
        }
    }

    /// Each figure's own median over an odd number of rounds; none without a round.
    pub(crate) fn median(rounds: &[Figures]) -> Option<Self> {
        let middle = |figure: fn(&Figures) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        Some(Figures {
            rate: middle(|figures| figures.rate)?,
            processor_us: middle(|figures| figures.processor_us)?,
            processor_us_per_event: middle(|figures| figures.processor_us_per_event)?,
            p50_us: middle(|figures| figures.p50_us)?,
            p99_us: middle(|figures| figures.p99_us)?,
            first_byte_us: middle(|figures| figures.first_byte_us)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn figures_are_counts_over_time_and_medians_stand_alone() {
        let tally = Tally { requests: 100, events: 400, elapsed: Duration::from_secs(2), ..Tally::default() };
        let figures = Figures::of(&tally, 4_000_000);
        assert_eq!((figures.rate, figures.processor_us, figures.processor_us_per_event), (200.0, 40.0, 10.0));
        let round = |rate: f64, p50_us: f64| Figures { rate, p50_us, ..figures.clone() };
        let median = Figures::median(&[round(3.0, 7.0), round(1.0, 9.0), round(2.0, 8.0)]).unwrap();
        assert_eq!((median.rate, median.p50_us), (2.0, 8.0));
        assert!(Figures::median(&[]).is_none());
    }
}
