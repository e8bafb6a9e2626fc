//! The floors of the day, beside what was measured.
//!
//! From the column "floor at issue 1" of the performance targets; a later issue tightens the numbers here.

use crate::figures::{Compared, Figures};
use crate::rows;

/// One target and how it came out.
#[derive(Debug, Clone)]
pub(crate) struct Floor {
    pub(crate) what: &'static str,
    pub(crate) measured: f64,
    pub(crate) bound: Bound,
}

/// On which side of the number the good is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Floor {
    /// Whether the measured number is on the good side.
    pub(crate) fn holds(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.measured <= bound,
            Bound::AtLeast(bound) => self.measured >= bound,
        }
    }
}

/// What a paced or split event may cost, times the pass-through. The target of 13 us was set beside a pass-through of 8.3 us on a
/// stream of one event a write; where an event costs the pass-through itself more, because it comes alone or in two pieces, the
/// same share of it is allowed.
const EVENT_RATIO: f64 = 1.57;

/// Where the first byte is judged: on a stream that the mock wrote in one go. In a burst it is still writing when the first event
/// arrives, on the core that the client needs to see it, and how long that takes is no figure of the gateway's.
const FIRST_BYTE: &str = rows::STREAM_WHOLE_1;

/// The floors that the rows of `results` can speak of; a row without a gateway or without a pass-through says nothing.
pub(crate) fn floors(results: &[Compared]) -> Vec<Floor> {
    use Bound::{AtLeast, AtMost};
    let processor: Measure = |limit, gateway| gateway.processor_us / limit.processor_us;
    let rate: Measure = |limit, gateway| gateway.rate / limit.rate;
    let p50: Measure = |limit, gateway| gateway.p50_us - limit.p50_us;
    let p99: Measure = |limit, gateway| gateway.p99_us - limit.p99_us;
    let p99_ratio: Measure = |limit, gateway| gateway.p99_us / limit.p99_us;
    let event: Measure = |_, gateway| gateway.processor_us_per_event;
    let event_ratio: Measure = |limit, gateway| gateway.processor_us_per_event / limit.processor_us_per_event;
    let first_byte: Measure = |limit, gateway| gateway.first_byte_us - limit.first_byte_us;
    let all: [(&str, &str, Bound, Measure); 12] = [
        (rows::UNARY_16, "CPU a request, x pass-through, REST", AtMost(3.0), processor),
        (rows::GRPC_16, "CPU a request, x pass-through, gRPC", AtMost(3.0), processor),
        (rows::UNARY_64, "requests/s at 64, x pass-through", AtLeast(0.25), rate),
        (rows::UNARY_1, "added p50 at 1, us", AtMost(120.0), p50),
        (rows::UNARY_1, "added p99 at 1, us", AtMost(800.0), p99),
        (rows::UNARY_OPEN, "p99 at 1000/s, x pass-through", AtMost(2.8), p99_ratio),
        (rows::STREAM_1, "CPU an event, at 1, us", AtMost(13.0), event),
        (rows::STREAM_16, "CPU an event, at 16, us", AtMost(13.0), event),
        (rows::STREAM_PACED, "CPU an event, paced, x pass-through", AtMost(EVENT_RATIO), event_ratio),
        (rows::STREAM_SPLIT, "CPU an event, split, x pass-through", AtMost(EVENT_RATIO), event_ratio),
        (FIRST_BYTE, "first byte added, us", AtMost(150.0), first_byte),
        (rows::TRANSLATED, "first byte added, translated, us", AtMost(1_000.0), first_byte),
    ];
    let floor = |(row, what, bound, measure): (&str, &'static str, Bound, Measure)| {
        let result = results.iter().find(|result| result.row.name == row)?;
        Some(Floor { what, measured: result.median(measure)?, bound })
    };
    all.into_iter().filter_map(floor).collect()
}

type Measure = fn(&Figures, &Figures) -> f64;

/// The floors of memory, in megabytes, with the demo policy.
pub(crate) fn memory(idle: f64, peak: f64) -> [Floor; 2] {
    [
        Floor { what: "RSS idle, MB", measured: idle, bound: Bound::AtMost(60.0) },
        Floor { what: "RSS peak, MB", measured: peak, bound: Bound::AtMost(80.0) },
    ]
}

/// The floor of recording: processor time of the thread that writes records, in nanoseconds, over how many it wrote.
pub(crate) fn record(writing: u64, records: u64) -> Floor {
    let measured = writing as f64 / 1e3 / records.max(1) as f64;
    Floor { what: "CPU a record, us", measured, bound: Bound::AtMost(4.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(gateway: f64) -> Vec<Compared> {
        let figures = |scale: f64| Figures {
            rate: 1_000.0 / scale,
            processor_us: 10.0 * scale,
            p50_us: 100.0 * scale,
            p99_us: 200.0 * scale,
            first_byte_us: 50.0 * scale,
            processor_us_per_event: 5.0 * scale,
        };
        let result = |row| Compared::of(row, &[figures(1.0)], &[figures(gateway)]);
        rows::quickstart().into_iter().filter_map(result).collect()
    }

    #[test]
    fn every_floor_can_hold_and_can_be_missed() {
        assert!(floors(&results(1.5)).iter().all(Floor::holds));
        let missed = floors(&results(30.0));
        assert_eq!((missed.len(), missed.iter().filter(|floor| floor.holds()).count()), (12, 0));
        assert!(memory(61.0, 81.0).iter().all(|floor| !floor.holds()));
        assert!(record(7_999, 2).holds() && !record(8_001, 2).holds());
        let mut alone = results(1.0);
        alone.iter_mut().for_each(|result| result.rounds.clear());
        assert!(floors(&alone).is_empty());
    }
}
