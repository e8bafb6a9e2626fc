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

/// One row on both subjects: the medians of each, and its rounds.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    pub(crate) row: Row,
    pub(crate) limit: Figures,
    pub(crate) gateway: Option<Figures>,
    /// Limit and gateway of each round; empty where there was no gateway.
    pub(crate) rounds: Vec<(Figures, Figures)>,
}

impl Compared {
    /// The figures of a row's rounds, in their order; none without a round.
    pub(crate) fn of(row: Row, limit: &[Figures], gateway: &[Figures]) -> Option<Self> {
        Some(Compared {
            row,
            limit: Figures::median(limit)?,
            gateway: Figures::median(gateway),
            rounds: limit.iter().cloned().zip(gateway.iter().cloned()).collect(),
        })
    }

    /// The median over the rounds of what each says by itself: its two windows lie side by side in time, so whatever else the
    /// machine did then falls on both. None without a gateway.
    pub(crate) fn median(&self, measure: impl Fn(&Figures, &Figures) -> f64) -> Option<f64> {
        middle(self.rounds.iter().map(|(limit, gateway)| measure(limit, gateway)).collect())
    }
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
        let middle = |figure: fn(&Figures) -> f64| middle(rounds.iter().map(figure).collect());
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

/// The median of an odd number of values; none of none.
fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
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
        let row = crate::rows::quickstart().remove(0);
        let limits = [round(1.0, 0.0), round(2.0, 0.0), round(4.0, 0.0)];
        let gateways = [round(1.0, 0.0), round(1.0, 0.0), round(1.0, 0.0)];
        let compared = Compared::of(row, &limits, &gateways).unwrap();
        assert_eq!(compared.median(|limit, gateway| gateway.rate / limit.rate), Some(0.5));
    }
}
